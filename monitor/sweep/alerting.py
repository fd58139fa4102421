"""Alerts of a sweep: what the store recorded becomes what the plan judges, and messages become rows, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from monitor.alerts import links
from monitor.alerts.change import Earlier, Gap, Move, Previous, Standing, SweepChange, Unseen, WaiverEnd
from monitor.alerts.deliver import Counts, Deliverer
from monitor.alerts.notes import FindingView, Message, Note, Target
from monitor.alerts.plan import messages_of, plan
from monitor.alerts.port import Delivered, Thread
from monitor.alerts.rules import AlertRules
from monitor.alerts.telling import cut
from monitor.alerts.words import NoteKind, Step
from monitor.errors import MonitorError
from monitor.expected.waivers import Waiver
from monitor.model import Check, CoverageStatus, Severity, Sweep
from monitor.store.messages import Messages, Outgoing
from monitor.store.planning import Moved, Planner, Recorded
from monitor.store.store import Store
from monitor.store.text import encode_json
from monitor.store.views import Finding
from monitor.store.words import MessageState

_LONGEST = 2000
_MOST_UNKNOWN = 20


class _Envelope(msgspec.Struct, frozen=True):
    """A message's body in its row: the note, when it may first go, and whether it follows another."""

    note: Note
    due: datetime
    follows: bool = False


_DECODER = msgspec.json.Decoder(_Envelope)


class Alerting(msgspec.Struct, frozen=True, kw_only=True):
    """What alerts are made with: rules, checks (for their controls), link templates, and what people call a scope."""

    rules: AlertRules
    checks: Sequence[Check] = ()
    templates: Mapping[str, Sequence[str]] = {}
    places: Callable[[str], str] = str
    waivers: Sequence[WaiverEnd] = ()

    def planner(self, recorded_at: datetime) -> Planner:
        """Return what gives the messages of a sweep that is recorded at a moment (UTC); for `Store.record`.

        A fault of planning undoes nothing: it is told to the operators in the place of the sweep's alerts.
        """

        def planned(recorded: Recorded) -> Iterable[Outgoing]:
            moved = recorded.moved()
            last = recorded.last(NoteKind.NIGHTLY_SUMMARY)
            mark = self.rules.summary_due(recorded.sweep.at, last.created_at if last else None)
            standing = _standing(recorded, last) if mark else Standing()
            try:
                change = self._change(recorded.sweep, moved, mark, standing, recorded_at)
                return [outgoing(one) for one in plan(change, self.rules)]
            # The sweep is sealed and must be recorded, whatever its alerts come to.
            except Exception as fault:  # noqa: BLE001
                return [outgoing(one) for one in messages_of(_fault(recorded.sweep, fault), self.rules)]

        return planned

    def tell(self, store: Store, notes: Iterable[Note]) -> int:
        """Put notes about the monitor itself into the outbox; return how many messages are new. Raises LedgerError."""
        messages = [outgoing(one) for note in notes for one in messages_of(note, self.rules)]
        return Messages(store).add(messages) if messages else 0

    def _change(
        self, sweep: Sweep, moved: Sequence[Moved], mark: datetime | None, standing: Standing, recorded_at: datetime
    ) -> SweepChange:
        controls = {check.id: check.controls for check in self.checks}
        remedies = {check.id: check.remedy for check in self.checks}
        moves = tuple(self._move(one, controls.get(one.after.check, ()), remedies) for one in moved)
        return SweepChange(
            sweep=sweep.id,
            at=sweep.at,
            recorded_at=recorded_at,
            moves=moves,
            reads=len(sweep.coverage),
            gaps=tuple(
                Gap(
                    scope=one.scope,
                    source=one.source,
                    status=one.status.value,
                    reason=cut(one.reason),
                    grant=cut(one.grant),
                )
                for one in sweep.coverage
                if one.status is not CoverageStatus.COMPLETE
            ),
            waivers=tuple(self.waivers),
            summary=mark,
            standing=standing,
        )

    def _move(self, moved: Moved, controls: tuple[str, ...], remedies: Mapping[str, str]) -> Move:
        view = self.view(moved.after)
        result = moved.result
        observed = result.observed if result else {}
        values = links.values_of(view.id, view.check, view.scope, observed)
        return Move(
            step=Step(moved.step.value),
            finding=msgspec.structs.replace(
                view,
                controls=controls,
                remedy=cut((result.remedy if result else "") or remedies.get(view.check, ""), _LONGEST),
                links=links.links(self.templates, values),
            ),
            before=_earlier(moved.before),
            told=tuple(Target(sink, target) for sink, target in moved.told),
        )

    def view(self, finding: Finding) -> FindingView:
        """Return a finding as a reader of an alert sees it, without what its result tells."""
        return FindingView(
            id=finding.id,
            check=finding.check,
            subject=_cut(finding.subject),
            standing=finding.standing,
            outcome=finding.outcome,
            severity=finding.severity,
            scope=_cut(finding.scope),
            place=_cut(self.places(finding.scope)),
            actor=_cut(finding.actor),
            owner=_cut(finding.owner),
            reason=_cut(finding.reason),
            first_seen=finding.first_seen,
            last_seen=finding.last_seen,
            times_seen=finding.times_seen,
            waiver=finding.waiver,
            change_class=finding.change_class,
        )


class StoreOutbox:
    """The outbox of a store, as delivery asks for it."""

    def __init__(self, store: Store) -> None:
        self._messages = Messages(store)

    def waiting(self) -> Mapping[str, int]:
        """Return how many messages are not settled, by sink."""
        return self._messages.waiting()

    def due(self, sink: str, at: datetime, limit: int) -> list[Message]:
        """Return what a sink may deliver now, oldest first. What cannot be read is given up, and holds nothing up."""
        found = []
        for row in self._messages.due(sink, at, limit):
            message = read(row)
            if message is None:
                self._messages.failed(row, "the message in the outbox cannot be read by this version")
            else:
                found.append(message)
        return found

    def claim(self, message: Message, until: datetime) -> Message | None:
        """Return the message, taken up until then, or None if it was not to be had."""
        if not self._messages.claim(_row(message), until):
            return None
        return msgspec.structs.replace(message, attempts=message.attempts + 1)

    def sent(self, message: Message, at: datetime, delivered: Delivered) -> bool:
        """Note that it has arrived, and its thread."""
        return self._messages.sent(_row(message), at, delivered.reference, delivered.thread_reference)

    def later(self, message: Message, next_at: datetime, error: str, *, arrived: bool) -> bool:
        """Note when to try again; `arrived` if it may have arrived all the same."""
        return self._messages.later(_row(message), next_at, error, arrived=arrived)

    def hold(self, to: Target, until: datetime) -> None:
        """Let nothing that waits go to the target before then."""
        self._messages.hold(to.sink, to.target, until)

    def failed(self, message: Message, error: str) -> bool:
        """Give it up."""
        return self._messages.failed(_row(message), error)

    def move(self, message: Message, instead: Message, besides: Sequence[Message], error: str) -> bool:
        """Drop it; send `instead` in its place, and what is told besides."""
        return self._messages.move(_row(message), outgoing(instead), [outgoing(one) for one in besides], error)

    def thread(self, message: Message) -> Thread | None:
        """Return the thread of its finding at its target, or None."""
        kept = self._messages.thread(message.sink, message.target, message.finding_id)
        return Thread(kept.target, kept.reference) if kept else None

    def heard(self, message: Message) -> bool:
        """Return whether its target was told of its finding before, or the fallback in its place."""
        return self._messages.heard(_row(message))


def deliver(deliverer: Deliverer, at: datetime) -> Counts:
    """Deliver a round, and return what came of it. An alert never fails a sweep: what goes wrong is in `errors`."""
    try:
        return deliverer.run_once(at)
    except MonitorError as error:
        return Counts(errors=(error.what,))


def outgoing(message: Message) -> Outgoing:
    """Return the row of a message."""
    body = encode_json(_Envelope(message.body, message.due, message.follows)).decode()
    return msgspec.structs.replace(_row(message), body=body)


def read(row: Outgoing) -> Message | None:
    """Return the message of a row, or None if its body cannot be read."""
    try:
        envelope = _DECODER.decode(row.body)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return Message(
        id=row.id,
        sink=row.sink,
        target=row.target,
        kind=envelope.note.kind,
        finding_id=row.finding_id,
        created_at=row.created_at,
        next_at=row.next_at,
        due=envelope.due,
        body=envelope.note,
        attempts=row.attempts,
        sending=row.state is MessageState.SENDING,
        follows=envelope.follows,
        error=row.error,
    )


def waiver_ends(waivers: Iterable[Waiver]) -> tuple[WaiverEnd, ...]:
    """Return when waivers end, and who asked for them."""
    return tuple(WaiverEnd(id=one.id, until=one.until, owner=one.requester, reason=one.reason) for one in waivers)


def _row(message: Message) -> Outgoing:
    return Outgoing(
        id=message.id,
        sink=message.sink,
        target=message.target,
        kind=message.kind.value,
        finding_id=message.finding_id,
        created_at=message.created_at,
        next_at=message.next_at,
        attempts=message.attempts,
        body="",
    )


def _earlier(before: Finding | None) -> Earlier | None:
    if before is None:
        return None
    return Earlier(severity=before.severity, reason=_cut(before.reason), waiver=before.waiver)


def _standing(recorded: Recorded, last: Outgoing | None) -> Standing:
    before = read(last) if last else None
    return Standing(
        open=recorded.open(),
        waived=recorded.waived(),
        previous=Previous(at=before.body.at, open=before.body.counts) if before else None,
        steps=recorded.steps(before.body.at if before else None),
        unknown=tuple(
            Unseen(id=one.id, check=one.check, subject=_cut(one.subject), since=one.unknown_since or one.first_seen)
            for one in recorded.unknown(_MOST_UNKNOWN)
        ),
        given_up=recorded.given_up(),
    )


def _fault(sweep: Sweep, fault: Exception) -> Note:
    return Note(
        kind=NoteKind.PLAN_FAILED,
        key=f"plan-failed:{sweep.id}",
        at=sweep.at,
        title=f"The alerts of sweep {sweep.id} could not be planned; its findings are recorded: monitor findings list",
        severity=Severity.HIGH,
        lines=(("Fault", cut(f"{type(fault).__name__}: {fault}")), ("Next", "report it as a fault of the monitor")),
    )


def _cut(text: str) -> str:
    return cut(text, _LONGEST)
