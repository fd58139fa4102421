"""One sweep, start to end: what is owed from a crash, scope, collect, evaluate, seal, record.

The evidence log is the truth and the database its projection. A sweep that was cut off before it was sealed has changed
nothing that counts, and what it left lying is cleared; one that was cut off after it was sealed is recorded from the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

import monitor
from monitor.errors import ConfigError, EvidenceError
from monitor.evidence.log import EvidenceLog
from monitor.evidence.record import decode_result
from monitor.evidence.seal import begin, seal
from monitor.facts.change import ChangeEvent, ChangeSession, TokenExchange
from monitor.facts.log_object import RetainedPart
from monitor.facts.session import Exchanges, Sight, join, stem
from monitor.model import Check, CoverageStatus, Outcome, Result, ScopeCoverage, Severity, Sweep, Window
from monitor.sources.ports import Collected, Progress, Request, Source
from monitor.store.planning import Planner
from monitor.store.record import Reconciliation, SealedResult, Sealing, SweepRecord
from monitor.store.store import Store
from monitor.sweep.after import Governing, settle
from monitor.sweep.evaluate import Expected, evaluate
from monitor.sweep.identities import Catalogues, accesses
from monitor.sweep.resume import LEDGER, recover, resume
from monitor.sweep.standing import ask
from monitor.sweep.stopping import Stop, go_on, never

_SESSION = ":session:"
__all__ = ["LEDGER", "Plan", "Ports", "Swept", "collect", "problems", "recover", "run", "window_of", "worst"]


class Ports(msgspec.Struct, frozen=True):
    """What a sweep works with.

    `tidy` is given the ids of sweeps that were cut off, and clears the retained parts that they have left; `discard` removes
    the parts of a dry run; `lacking` tells which parts are not there as they were written. `planner` gives what plans the
    alerts of a sweep that is recorded at a moment (UTC); None: nobody is alerted.
    """

    sources: Sequence[Source]
    checks: Sequence[Check]
    expected: Expected
    log: EvidenceLog
    store: Store
    tidy: Callable[[set[str]], int]
    discard: Callable[[Sequence[str]], None]
    lacking: Callable[[Sequence[RetainedPart]], list[str]]
    config_sha256: str
    code_sha256: str
    catalogues: Catalogues
    governing: Governing = Governing()
    planner: Callable[[datetime], Planner] | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be swept. `at` is the clock, read once, UTC; `since` and `until` are what an event source covers at most."""

    id: str
    planned_for: datetime
    at: datetime
    since: datetime | None = None
    until: datetime | None = None
    dry_run: bool = False
    schedule: str = ""
    """The schedule whose slot `planned_for` is; empty for a sweep that a person asked for."""
    schedules_sha256: str = ""
    sources: tuple[str, ...] = ()
    """The sources that it is limited to, as in the ports; empty for all that there are."""


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a sweep. `sealing` is None for a dry run."""

    sweep: Sweep
    results: tuple[Result, ...]
    sealing: Sealing | None
    findings: Reconciliation | None
    record: SweepRecord
    recovered: tuple[str, ...] = ()

    def count(self, outcome: Outcome) -> int:
        """Return how many results have this outcome."""
        return sum(1 for result in self.results if result.outcome is outcome)

    @property
    def complete(self) -> bool:
        """Return whether every scope was read to its end."""
        return all(c.status is CoverageStatus.COMPLETE for c in self.sweep.coverage)


def run(plan: Plan, ports: Ports, progress: Progress, stop: Stop = never) -> Swept:
    """Sweep once. Raises EvidenceError or LedgerError; what the sources meet ends in the results instead.

    Raises Stopped where `stop` says so at a safe point: between sources, and before anything is sealed.
    """
    recovered: tuple[str, ...] = ()
    if not plan.dry_run:
        recovered = resume(ports, plan.at)
    window = window_of(plan, ports)
    if plan.until and not plan.since and window.end <= window.start and plan.until < window.start:
        raise ConfigError(
            f"--until {plan.until.isoformat()} is before {window.start.isoformat()}, up to where was read already",
            todo="give --since too, to look at an earlier span again",
        )
    sweep = Sweep(id=plan.id, planned_for=plan.planned_for, at=plan.at, window=window)
    if not plan.dry_run:
        scopes = {name: found for source in ports.sources for name, found in source.scopes().items()}
        begin(
            ports.log,
            sweep,
            scopes,
            checks=[c.id for c in ports.checks],
            config_sha256=ports.config_sha256,
            schedule=plan.schedule,
            schedules_sha256=plan.schedules_sha256,
            sources=plan.sources,
        )
    collected = collect(plan, ports, progress, stop)
    sweep = msgspec.structs.replace(sweep, coverage=tuple(collected.coverage), window=_covered(collected, window))
    progress("judging", 0, 1)
    judged = accesses(collected, ports.store, ports.catalogues, plan.at)
    facts = [*judged, *sessions(collected, ports), *collected.facts]
    raw = evaluate(ports.checks, facts, ports.expected, sweep)
    settled = settle(raw, ask(ports.store), ports.governing, ports.expected, ports.checks, sweep)
    results = settled.results
    progress("judging", 1, 1)
    record = SweepRecord(
        sweep=sweep,
        objects=tuple(collected.objects),
        object_source=collected.object_source,
        exchanges=tuple(collected.exchanges),
        marks=collected.marks,
        parts=tuple(collected.parts),
        notes=collected.notes | ({"schedule": plan.schedule} if plan.schedule else {}),
        remembered=(*collected.remember, *settled.remember),
        standing=settled.standing,
    )
    if plan.dry_run:
        ports.discard([part.path for part in collected.parts])
        return Swept(sweep=sweep, results=results, sealing=None, findings=None, record=record)
    lost = ports.lacking(collected.parts)
    if lost:
        raise EvidenceError(
            f"retained events went before they were sealed: {', '.join(lost[:5])}",
            todo="see what else writes to that place, then sweep again: nothing was sealed",
        )
    go_on(stop)
    progress("sealing", 0, len(results))
    sealed = seal(
        ports.log,
        sweep,
        results,
        collected.captures,
        {LEDGER: record.encode()},
        collected.parts,
        ports.config_sha256,
        ports.code_sha256,
        monitor.__version__,
    )
    sealing = Sealing(
        manifest_index=sealed.manifest, log_size=sealed.size, root=sealed.root, checkpoint=sealed.checkpoint
    )
    progress("recording", 0, len(results))
    planner = ports.planner(plan.at) if ports.planner else None
    findings = ports.store.record(record, [SealedResult(*found) for found in sealed.results], sealing, planner)
    progress("recording", len(results), len(results))
    return Swept(sweep=sweep, results=results, sealing=sealing, findings=findings, record=record, recovered=recovered)


def collect(plan: Plan, ports: Ports, progress: Progress, stop: Stop = never) -> Collected:
    """Return what all sources gave, together. Raises Stopped before the next source where `stop` says so."""
    whole = Collected()
    for source in ports.sources:
        go_on(stop)
        found = source.collect(_request(plan), ports.store, progress)
        whole.distrusted |= found.distrusted
        whole.object_source = whole.object_source or found.object_source
        for field in ("facts", "coverage", "captures", "objects", "exchanges", "parts", "blind", "remember"):
            getattr(whole, field).extend(getattr(found, field))
        for field in ("marks", "since"):
            getattr(whole, field).update(getattr(found, field))
        for name, note in found.notes.items():
            before = whole.notes.get(name)
            if isinstance(before, dict) and isinstance(note, dict):
                whole.notes[name] = before | note
            else:
                whole.notes[name] = before + note if isinstance(before, int) and isinstance(note, int) else note
    return whole


def sessions(collected: Collected, ports: Ports) -> tuple[ChangeSession, ...]:
    """Return the sessions of all writes that are new, and those that are judged again because their finding is open."""
    events = [fact for fact in collected.facts if isinstance(fact, ChangeEvent)]
    collected.facts[:] = [fact for fact in collected.facts if not isinstance(fact, ChangeEvent)]
    events += carried(ports)
    if not events:
        return ()
    earliest = min(event.time for event in events)
    # An earlier hop of a chain may have ended before the write: a session lasts 12 hours, and a chain has few hops.
    known = ports.store.exchanges(earliest - timedelta(hours=36))
    exchanges = Exchanges(e for e in (*known, *collected.exchanges) if not _distrusted(e, collected))
    sight = Sight(collected.since, tuple(collected.blind))
    return join(events, exchanges, sight.visible)


def _distrusted(exchange: TokenExchange, collected: Collected) -> bool:
    """Return whether an exchange stands in a log object that is proven to have been altered or put in: it proves nothing."""
    return exchange.evidence is not None and exchange.evidence.name in collected.distrusted


def carried(ports: Ports) -> list[ChangeEvent]:
    """Return the retained writes of every session with an open finding: a declaration made since may explain them."""
    reader = ports.log.reader()
    open_sessions: set[str] = set()
    days: dict[str, set[str]] = {}
    for finding in ports.store.open_findings(None):
        if _SESSION not in finding.subject:
            continue
        result = decode_result(reader.read(finding.result_index), ports.log.objects.read).result
        open_sessions.add(stem(finding.subject.removesuffix(":blinding")))
        account = result.observed.get("account", "")
        days.setdefault(str(account), set()).update(str(w["time"])[:10] for w in result.observed.get("writes", ()))
    parts = [
        part
        for account, found in sorted(days.items())
        for part in ports.store.parts(account, min(found), max(found))
        if part.day in found
    ]
    return [event for source in ports.sources for event in source.recall(parts, open_sessions)]


def window_of(plan: Plan, ports: Ports) -> Window:
    """Return the window that the event sources owe; what was really covered is told scope by scope."""
    owed = [w for source in ports.sources if (w := source.due(_request(plan), ports.store))]
    return Window(min((w.start for w in owed), default=plan.at), max((w.end for w in owed), default=plan.at))


def _request(plan: Plan) -> Request:
    return Request(sweep=plan.id, at=plan.at, since=plan.since, until=plan.until)


def _covered(collected: Collected, planned: Window) -> Window:
    windows = [c.window for c in collected.coverage if c.window]
    if not windows:
        return planned
    return Window(min(w.start for w in windows), max(w.end for w in windows))


def problems(coverage: Iterable[ScopeCoverage]) -> list[ScopeCoverage]:
    """Return the scopes that were not read whole."""
    return [c for c in coverage if c.status is not CoverageStatus.COMPLETE]


def worst(results: Iterable[Result]) -> list[Result]:
    """Return what needs a person, most urgent first: failures, errors, then unknowns."""
    order = {Outcome.FAIL: 0, Outcome.ERROR: 1, Outcome.UNKNOWN: 2}
    severities = list(Severity)
    return sorted(
        (r for r in results if r.outcome in order),
        key=lambda r: (order[r.outcome], severities.index(r.severity), r.check, r.subject),
    )
