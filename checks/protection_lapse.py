"""PS019-3.1: the protection of a branch was on all the time; where it was off, weakened or passed by, the gap is on record.

A nightly snapshot sees nothing of a rule that was off for ten minutes. So every edit of protection is judged: who weakened which
demand, from when to when, how, and which pushes and merges landed meanwhile. Edits that make protection stricter are no lapse. A
declared emergency change that covers the whole window makes it a change of class emergency. Pushes and merges that passed a rule
by are told by branch, person and day. A branch without any of these passes only if sources cover the whole window.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from monitor.expected.demands import demanded
from monitor.expected.models import (
    BranchExpectation,
    EmergencyChange,
    Production,
    RepositoryExpectation,
    branch_expectation,
)
from monitor.facts.lapse import Lapse, lapses, tiled
from monitor.facts.lapse_words import described, edit_told, told, update_row, who
from monitor.facts.protection import BranchUpdate, ForgeActor, ProtectionBypass, ProtectionChange
from monitor.facts.repository import HistoryCoverage, Repository
from monitor.model import (
    ChangeClass,
    Check,
    Expectation,
    Outcome,
    Result,
    Severity,
    Sweep,
    Unknown,
    Window,
    cited,
)

ID = "protection-lapse"
SHOWN = 50
LANDING = ("push", "force-push", "merge", "merge-queue", "deletion")


class LapseExpectations(Expectation):
    """What must hold for branches, and the emergencies that excuse a lapse."""

    production: Production = Production()
    repositories: tuple[RepositoryExpectation, ...] = ()
    emergency_changes: tuple[EmergencyChange, ...] = ()


Fact = Repository | ProtectionChange | ProtectionBypass | BranchUpdate | HistoryCoverage


def evaluate(facts: Iterable[Fact], expect: LapseExpectations, sweep: Sweep) -> Iterator[Result]:
    """Yield a result for each lapse, each group of bypasses, and each expected branch: whether its history was covered."""
    found = _Found(facts)
    for _, repository in sorted(found.repositories.items()):
        if repository.archived or not repository.default_branch:
            continue
        # What the logs tell stands also where the branches could not be read, and after a branch is gone.
        there = {repository.default_branch, *(repository.branches if isinstance(repository.branches, tuple) else ())}
        passed = {one.branch for one in found.bypasses if _of(one, repository)}
        for branch in sorted(there | passed):
            wanted = branch_expectation(expect.repositories, repository.name, branch, repository.default_branch)
            if wanted is None:
                continue
            yield from _bypasses(repository, branch, wanted, found, expect)
            if branch not in there:
                continue
            windows = lapses(repository, branch, found.changes, demanded(repository, branch, wanted))
            starts = [f"{one.start:%Y-%m-%dT%H:%MZ}" for one in windows]
            for one, start in zip(windows, starts, strict=True):
                tail = f"lapse@{start}" + (f"#{one.opened.id}" if starts.count(start) > 1 else "")
                yield _lapse(repository, one, tail, found, expect)
            yield from _history(repository, branch, found, sweep)


class _Found:
    """The facts by kind, each once, whatever order they came in."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self.repositories: dict[int, Repository] = {}
        kept: dict[tuple[type, str], Any] = {}
        self.coverage: list[HistoryCoverage] = []
        for fact in facts:
            if isinstance(fact, Repository):
                self.repositories[fact.id] = min(self.repositories.get(fact.id, fact), fact, key=repr)
            elif isinstance(fact, HistoryCoverage):
                self.coverage.append(fact)
            else:
                key = (type(fact), fact.id)
                kept[key] = min(kept.get(key, fact), fact, key=repr)
        self.changes = [fact for fact in kept.values() if isinstance(fact, ProtectionChange)]
        self.bypasses = [fact for fact in kept.values() if isinstance(fact, ProtectionBypass)]
        self.updates = sorted((f for f in kept.values() if isinstance(f, BranchUpdate)), key=lambda u: (u.at, u.id))


def _lapse(repository: Repository, one: Lapse, tail: str, found: _Found, expect: LapseExpectations) -> Result:
    landed = [
        update
        for update in found.updates
        if _of(update, repository)
        and update.branch == one.branch
        and update.kind in LANDING
        and (one.start_after or one.start) <= update.at
        and (one.end is None or update.at < one.end)
    ]
    emergency = _emergency(repository, one.start_after or one.start, one.end, expect)
    outcome = Outcome.UNKNOWN if one.unclear else Outcome.FAIL
    actor = one.opened.actor
    return Result(
        check=ID,
        subject=repository.subject("branch", one.branch, tail),
        scope=repository.scope,
        outcome=Outcome.PASS if emergency else outcome,
        severity=Severity.CRITICAL if landed else Severity.HIGH,
        change_class=ChangeClass.EMERGENCY if emergency else None,
        actor=actor.name,
        reason=_reason(repository, one, landed, emergency),
        expected={"protection": "on, as expected, all the time"},
        observed={
            "branch": one.branch,
            "from": one.start.isoformat(),
            "from_after": one.start_after.isoformat() if one.start_after else None,
            "to": one.end.isoformat() if one.end else None,
            "to_after": one.end_after.isoformat() if one.end_after else None,
            "by": who(actor),
            "weakened": list(one.aspects),
            "edits": [
                {
                    "at": edit.at.isoformat(),
                    "action": edit.action,
                    "rule": edit.rule_name or edit.rule,
                    "by": who(edit.actor),
                    "changes": [edit_told(change) for change in edit.changes[:SHOWN]],
                }
                for edit in one.edits[:SHOWN]
            ],
            "landed": [update_row(update) for update in landed[:SHOWN]],
            "landed_count": len(landed),
            "emergency": emergency.id if emergency else None,
            "assumed": one.assumed,
        },
        remedy=""
        if emergency
        else "review what landed meanwhile; declare the emergency if it was one; see that protection is on",
        evidence=cited(*one.edits, *landed),
    )


def _reason(repository: Repository, one: Lapse, landed: list[BranchUpdate], emergency: EmergencyChange | None) -> str:
    what, span, how = described(one)
    aspects = ", ".join(a for a in one.aspects if a != "*")
    inside = f"; {len(landed)} landed meanwhile: " + ", ".join(told(update) for update in landed[:3]) if landed else ""
    declared = f"; declared as {emergency.id} ({emergency.ticket})" if emergency else ""
    return (
        f"protection of {one.branch} of {repository.name} {what} {span}"
        + (f" ({aspects})" if aspects else "")
        + f": {how}{inside}{declared}"
    )


def _bypasses(
    repository: Repository, branch: str, wanted: BranchExpectation, found: _Found, expect: LapseExpectations
) -> Iterator[Result]:
    groups: dict[tuple[str, str], list[ProtectionBypass]] = {}
    for one in found.bypasses:
        if one.branch == branch and _of(one, repository):
            groups.setdefault((f"{one.at:%Y-%m-%d}", one.actor.name), []).append(one)
    for (day, name), group in sorted(groups.items()):
        group.sort(key=lambda one: (one.at, one.id))
        emergencies = [_emergency(repository, one.at, one.at, expect) for one in group]
        modes = [_modes(one.actor, wanted) for one in group]
        permitted = all("always" in found for found in modes)
        # The log does not tell a bypass by pull request from a pushed one, and only the former is allowed then.
        maybe = all(modes) and not permitted
        excused = all(emergencies)
        demands = sorted({demand for one in group for demand in one.demands})
        told = f" ({', '.join(demands)})" if demands else ""
        reason = f"{name or 'somebody'} passed the rules of {branch} of {repository.name} by on {day}, {len(group)} times{told}"
        yield Result(
            check=ID,
            subject=repository.subject("branch", branch, f"bypass@{day}", name),
            scope=repository.scope,
            outcome=Outcome.PASS if permitted or excused else Outcome.UNKNOWN if maybe else Outcome.FAIL,
            severity=Severity.HIGH,
            change_class=ChangeClass.EMERGENCY if excused and not permitted else None,
            actor=name,
            reason=reason + (", as expected state allows" if permitted else ""),
            expected={"bypass": [f"{b.actor} ({b.mode})" for b in wanted.bypass or ()] or "nobody"},
            observed={
                "bypasses": [
                    {"at": b.at.isoformat(), "before": b.before, "after": b.after, "demands": list(b.demands)}
                    for b in group[:SHOWN]
                ],
                "count": len(group),
            },
            remedy=""
            if permitted or excused
            else "review what was pushed; take the right to pass by away, or declare the emergency",
            evidence=cited(*group),
        )


def _modes(actor: ForgeActor, wanted: BranchExpectation) -> set[str]:
    """Return in which modes expected state lets somebody pass rules by; none: not at all."""
    name = actor.name.lower()
    app = actor.kind in ("app", "bot") or name.endswith("[bot]")  # a person may bear the name of an app
    names = {f"user:{name}", *([f"app:{name.removesuffix('[bot]')}"] if app else [])}
    return {one.mode for one in wanted.bypass or () if one.actor.lower() in names}


def _history(repository: Repository, branch: str, found: _Found, sweep: Sweep) -> Iterator[Result]:
    mine = [
        c
        for c in found.coverage
        if c.organisation.lower() == repository.organisation.lower() and c.repository_id in (0, repository.id)
    ]
    if not mine and any(c.source.startswith("github.") for c in sweep.coverage):
        return  # No time has passed for which history is owed: what the last sweep said still stands.
    windows = [c.window for c in mine if c.window]
    whole = Window(min(w.start for w in windows), max(w.end for w in windows)) if windows else sweep.window
    # Where its rules are not known, one of them may be classic.
    classic = not isinstance(repository.rules, tuple) or any(rule.kind == "classic" for rule in repository.rules)
    blind = [repository.blind] if repository.blind else []
    lacking = [f"it could not be read ({one.reason})" for one in blind]
    grants = [one.grant for one in blind if one.grant]
    for kind in ("changes", "bypasses"):
        shown = [c for c in mine if kind in c.shows and c.source != "samples"]
        shown = [c for c in shown if not (kind == "changes" and classic and c.source != "audit-log")]
        spans = [c.window for c in shown if c.window and c.unknown is None]
        holes = [c for c in shown if c.source == "ruleset-history" and c.window is None]
        if holes or not spans or not tiled(spans, whole):
            lost = [c.unknown for c in shown if isinstance(c.unknown, Unknown)]
            lacking.append(f"{kind} were not covered" + (f" ({lost[0].reason})" if lost else ""))
            grants += [one.grant for one in lost if one.grant]
    yield Result(
        check=ID,
        # A blind window stays on record: a later night that was covered does not make it good.
        subject=repository.subject("branch", branch, f"history@{whole.start:%Y-%m-%dT%H:%MZ}"),
        scope=repository.scope,
        outcome=Outcome.UNKNOWN if lacking else Outcome.PASS,
        reason=f"{branch} of {repository.name}: "
        + ("; ".join(lacking) or "every edit and every bypass would have been seen"),
        expected={"window": f"{whole.start.isoformat()}/{whole.end.isoformat()}"},
        observed={"sources": sorted({c.source for c in mine if c.window and c.unknown is None})},
        remedy="; ".join(dict.fromkeys(grants)),
    )


def _of(fact: ProtectionBypass | BranchUpdate, repository: Repository) -> bool:
    """Return whether a fact is of this repository; an event may name it and not tell its id."""
    if fact.repository_id:
        return fact.repository_id == repository.id
    return bool(fact.repository) and fact.repository.lower() == repository.name.lower()


def _emergency(
    repository: Repository, start: datetime, end: datetime | None, expect: LapseExpectations
) -> EmergencyChange | None:
    if end is None:
        return None
    return next(
        (
            one
            for one in sorted(expect.emergency_changes, key=lambda one: one.id)
            if one.frees(repository.name) and one.covers(start) and end <= one.to
        ),
        None,
    )


CHECK = Check(
    id=ID,
    title="Protection of branches was never off unseen",
    severity=Severity.HIGH,
    controls=("PS019-3.1",),
    facts=(Repository, ProtectionChange, ProtectionBypass, BranchUpdate, HistoryCoverage),
    expects=LapseExpectations,
    evaluate=evaluate,
    needs=(
        "organization_administration:read (an app) or read:audit_log (an owner's token) on Enterprise Cloud, for the audit log",
        "organization_administration:read, for rule suites and the history of the organisation's rulesets",
        "contents:read, for what moved a branch",
    ),
    remedy="switch protection on again; review what landed meanwhile; make sure that nobody, no bot either, can switch it off",
)
