"""Write expected state from what is there: the strictest rule that holds for all, and those that fall short listed apart. Pure.

A repository whose default branch no rule protects falls short of everything, and is left out. Of the others, a demand becomes
part of the rule at the strictest value that at least nine in ten of them meet; whoever does not is listed, for a person to
decide. What comes out is meant to be reviewed as a pull request, not taken as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil
from typing import Any

import msgspec
from pydantic import ValidationError

from monitor.expected.models import AllowedBypass
from monitor.facts.protection import DEMANDS, BypassActor, ProtectionRule, StatusCheck
from monitor.facts.repository import Repository
from monitor.facts.weighing import MET, UNMET, of_branch, weigh
from monitor.model import Unknown

_NAMED = ("role", "team", "app", "user")
"""Actors of these kinds are called by name too."""
SHARE = 0.9
"""Of the protected repositories, how many must meet a demand for it to become the rule."""


class Adopted(msgspec.Struct, frozen=True, kw_only=True):
    """What was found: the demands on default branches, who passes by, and who falls short of which."""

    organisation: str
    seen: int
    protected: int
    demands: dict[str, Any]
    checks: tuple[StatusCheck, ...]
    bypass: tuple[BypassActor, ...]
    outliers: dict[str, tuple[str, ...]]
    """By repository: what it falls short of."""
    unprotected: tuple[str, ...]
    unread: tuple[str, ...]
    environments: dict[str, int]
    """By name: in how many repositories there is one."""


def adopt(organisation: str, repositories: Iterable[Repository]) -> Adopted:
    """Return what holds for the default branches of these repositories. Archived and empty ones say nothing."""
    live = sorted((r for r in repositories if not r.archived and r.default_branch), key=lambda one: one.name)
    unread = tuple(one.name for one in live if not isinstance(one.rules, tuple))
    rules = {
        one.name: of_branch(one.rules, one.default_branch, one.default_branch)
        for one in live
        if isinstance(one.rules, tuple)
    }
    bare = tuple(name for name, found in rules.items() if not any(rule.enforced is True for rule in found))
    guarded = {name: found for name, found in rules.items() if name not in bare}
    least = max(1, ceil(SHARE * len(guarded)))
    demands: dict[str, Any] = {}
    short: dict[str, list[str]] = {}
    for demand in DEMANDS:
        if demand == "status_checks" or not guarded:
            continue
        for value in range(10, 0, -1) if demand == "approvals" else (True,):
            missing = [name for name, found in guarded.items() if not _meets(found, demand, value)]
            if len(guarded) - len(missing) >= least:
                demands[demand] = value
                for name in missing:
                    short.setdefault(name, []).append(demand)
                break
    checks = tuple(sorted(set.intersection(*(_checks(found) for found in guarded.values())))) if guarded else ()
    bypass = _passers(guarded.values(), least)
    for name, found in guarded.items():
        if _passed(found, demands, checks, bypass):
            short.setdefault(name, []).append("bypass")
    places: dict[str, int] = {}
    for one in live:
        for place in one.environments if isinstance(one.environments, tuple) else ():
            places[place.name] = places.get(place.name, 0) + 1
    return Adopted(
        organisation=organisation,
        seen=len(live),
        protected=len(guarded),
        demands=demands,
        checks=checks,
        bypass=bypass,
        outliers={name: tuple(found) for name, found in sorted(short.items())},
        unprotected=bare,
        unread=unread,
        environments=dict(sorted(places.items())),
    )


def _meets(rules: Sequence[ProtectionRule], demand: str, value: Any) -> bool:
    """Return whether the rules demand as much of those who may not pass them by, whoever that is."""
    rules = [msgspec.structs.replace(rule, bypass=()) for rule in rules]
    return weigh(rules, demand, lambda found: bool(found >= value), lambda actor: True).standing == MET


def _passed(
    rules: Sequence[ProtectionRule],
    demands: dict[str, Any],
    checks: Sequence[StatusCheck],
    bypass: Sequence[BypassActor],
) -> bool:
    """Return whether somebody who does not become part of the rule may pass any of this by."""
    always = {_named(actor) for actor in bypass if actor.mode == "always"}
    merging = {_named(actor) for actor in bypass if actor.mode == "pull-request"}

    def allowed(actor: BypassActor) -> bool:
        return _named(actor) in always or (actor.mode == "pull-request" and _named(actor) in merging)

    held = [weigh(rules, name, lambda found, want=want: bool(found >= want), allowed) for name, want in demands.items()]  # type: ignore[misc]
    held += [weigh(rules, "status_checks", lambda found, check=check: check in found, allowed) for check in checks]  # type: ignore[misc]
    return any(one.standing == UNMET and one.passers for one in held)


def _checks(rules: Sequence[ProtectionRule]) -> set[StatusCheck]:
    return {
        check
        for rule in rules
        if rule.enforced is True and not isinstance(rule.demands.status_checks, Unknown)
        for check in rule.demands.status_checks
        if check.name == _plain(check.name) and check.name.strip()
    }


def _passers(rules: Iterable[Sequence[ProtectionRule]], least: int) -> tuple[BypassActor, ...]:
    """Return who may pass by in at least as many repositories: whoever does so in a few is nobody's rule."""
    counts: dict[BypassActor, int] = {}
    for found in rules:
        actors = {
            BypassActor(kind=actor.kind, name=actor.name if actor.kind in _NAMED else "", mode=actor.mode)
            for rule in found
            if isinstance(rule.bypass, tuple)
            for actor in rule.bypass
            if _can_be_written(actor)
        }
        for actor in actors:
            counts[actor] = counts.get(actor, 0) + 1
    return tuple(sorted(actor for actor, count in counts.items() if count >= least))


def written(found: Adopted) -> str:
    """Return it as YAML for `config/expected/repositories.yaml`; what a person must decide stands in comments."""
    lines = [
        "# yaml-language-server: $schema=../schema/expected.json",
        "#",
        f"# Adopted from what {found.organisation} has today: {found.seen} repositories, of which {found.protected} protect",
        "# their default branch. Review it: it says what is, not what should be.",
        "",
        "repositories:",
        f'  - match: ["{found.organisation}/*"]',
    ]
    if found.unprotected:
        lines += ["    # Nothing protects the default branch of these; protect them, or except them here:"]
        lines += [f"    #   {_plain(name)}" for name in found.unprotected]
    if found.unread:
        lines += ["    # Could not be read:", *(f"    #   {_plain(name)}" for name in found.unread)]
    lines += ["    branches:", '      - match: ["~DEFAULT_BRANCH"]']
    lines += [f"        {name}: {str(value).lower()}" for name, value in found.demands.items()]
    if found.checks:
        lines.append("        status_checks:")
        lines += [
            f"          - {{name: {_quoted(c.name)}" + (f", app: {c.app}" if c.app else "") + "}" for c in found.checks
        ]
    lines.append("        admins_included: true")
    lines.append("        bypass:" if found.bypass else "        bypass: []")
    lines += [f"          - {{actor: {_quoted(_named(actor))}, mode: {actor.mode}}}" for actor in found.bypass]
    if found.outliers:
        lines += ["        # These fall short of it; mend them, or write an entry of their own below:"]
        lines += [f"        #   {_plain(name)}: {', '.join(short)}" for name, short in found.outliers.items()]
    if found.environments:
        lines += ["    # Environments that there are; write what must hold for those that are production:"]
        lines += [f"    #   {_plain(name)}: in {count} repositories" for name, count in found.environments.items()]
    return "\n".join(lines) + "\n"


def _named(actor: BypassActor) -> str:
    """Return what expected state calls an actor."""
    return f"{actor.kind}:{actor.name}" if actor.kind in _NAMED else actor.kind


def _can_be_written(actor: BypassActor) -> bool:
    """Return whether expected state has words for it: it has none for an exemption, nor for a role with blanks in its name."""
    try:
        AllowedBypass.model_validate({"actor": _named(actor), "mode": actor.mode})
    except ValidationError:
        return False
    return True


def _plain(text: str) -> str:
    """Return outside text for a comment: on one line, nothing but what can be seen."""
    return "".join(c if c.isprintable() else "?" for c in text)[:200]


def _quoted(text: str) -> str:
    return msgspec.json.encode(_plain(text)).decode()
