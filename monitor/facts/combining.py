"""Which rules count for a branch: those that are meant for it, as the forge says or as their targets do. Pure.

Rulesets all count together; of classic rules only one does. How a demand then stands is `monitor.facts.weighing`.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from monitor.facts.globs import fnmatches
from monitor.facts.protection import ProtectionRule, Targets
from monitor.model import Unknown


def targeted(targets: Targets, branch: str, default_branch: str) -> bool:
    """Return whether the targets of a ruleset hold the branch. Excludes win; no include but some exclude is all the rest.

    https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/managing-rulesets/creating-rulesets-for-a-repository
    """

    def named(patterns: tuple[str, ...]) -> bool:
        return any(_named(pattern, branch, default_branch) for pattern in patterns)

    if named(targets.exclude):
        return False
    return named(targets.include) if targets.include else bool(targets.exclude)


def applies(rule: ProtectionRule, branch: str, default_branch: str) -> bool:
    """Return whether a rule is meant for the branch, enforced or not: as the forge says, or else as its targets do."""
    if rule.branches is not None:
        return branch in rule.branches
    return targeted(rule.targets, branch, default_branch)


def applicable(rules: Iterable[ProtectionRule], branch: str, default_branch: str) -> tuple[ProtectionRule, ...]:
    """Return the rules that count for the branch, each once, by key; enforced or not.

    Of several classic rules that fit, the one that names the branch counts, else the oldest (its database id is the
    lowest). Where the ids are not known, whether each of them is in force is Unknown.
    https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/managing-protected-branches/managing-a-branch-protection-rule
    """
    found = sorted({repr(rule): rule for rule in rules if applies(rule, branch, default_branch)}.items(), key=_place)
    classic = [rule for _, rule in found if rule.kind == "classic"]
    first = min((_rank(rule, branch) for rule in classic), default=None)
    level = sum(_rank(rule, branch) == first for rule in classic)
    doubt = Unknown("several classic rules fit the branch, and it is not known which of them is the oldest")
    chosen = []
    for _, rule in found:
        if rule.kind != "classic":
            chosen.append(rule)
        elif _rank(rule, branch) == first:
            unsure = level > 1 and rule.enforced is True
            chosen.append(msgspec.structs.replace(rule, enforced=doubt) if unsure else rule)
    return tuple(chosen)


def _named(pattern: str, branch: str, default_branch: str) -> bool:
    if pattern == "~ALL":
        return True
    if pattern == "~DEFAULT_BRANCH":
        return bool(branch) and branch == default_branch
    return fnmatches(pattern, branch)


def _place(pair: tuple[str, ProtectionRule]) -> tuple[str, str]:
    return pair[1].key, pair[0]


def _rank(rule: ProtectionRule, branch: str) -> tuple[bool, int]:
    """Return the order in which the forge asks classic rules: by name first, then by age."""
    pattern = rule.targets.include[0] if rule.targets.include else rule.name
    number = rule.key.removeprefix("classic:")
    known = number.isascii() and number.isdigit() and len(number) < 20
    return pattern != branch, int(number) if known else 1 << 64
