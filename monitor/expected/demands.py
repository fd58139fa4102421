"""What expected state demands of one branch, in the terms in which lapses are found. Pure."""

from __future__ import annotations

from typing import Any

from monitor.expected.repositories import BranchExpectation
from monitor.facts.lapse import Demanded
from monitor.facts.protection import DEMANDS
from monitor.facts.repository import Repository
from monitor.facts.weighing import MET, of_branch, weigh


def demanded(repository: Repository, branch: str, wanted: BranchExpectation) -> Demanded:
    """Return what is demanded of the branch, and whether the repository as it was read meets it."""
    wants: dict[str, Any] = {name: value for name in DEMANDS if (value := getattr(wanted, name))}
    allowed = {one.actor.lower() for one in wanted.bypass or ()}
    rules = (
        of_branch(repository.rules, branch, repository.default_branch) if isinstance(repository.rules, tuple) else ()
    )

    def met(name: str, without: frozenset[str]) -> bool:
        left = [rule for rule in rules if rule.key not in without]
        want = wants[name]
        if name == "status_checks":
            names = {check.name for check in want}
            return weigh(left, name, lambda v: names <= {c.name for c in v}, lambda a: True).standing == MET
        # Whoever may pass by is judged by branch-protection; here only somebody who always may breaks the demand.
        return (
            weigh(
                left,
                name,
                lambda value: bool(value >= want),
                lambda actor: f"{actor.kind}:{actor.name}".lower() in allowed,
            ).standing
            == MET
        )

    def enough(name: str, value: int) -> bool:
        want = wants.get(name)
        return isinstance(want, int) and value >= want

    return Demanded(frozenset(wants), enough, met)
