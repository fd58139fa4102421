"""Working off what is owed: one slot after another, oldest first, each done exactly once whoever dies meanwhile.

The writer lock of the evidence log is taken first, then the claim of a slot. So no two processes of one folder ever work on
slots at once, and what a crash has sealed is found before anything is swept again. The log is the truth; the ledger says
who works on what, and how it ended.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta

import msgspec

import monitor
from monitor.alerts.notes import Note
from monitor.errors import LedgerError, MonitorError
from monitor.evidence.log import EvidenceLog, LogBusy
from monitor.evidence.schedule_record import (
    ScheduleRecord,
    SlotsLost,
    began,
    declared,
    lost_already,
    lost_statement,
    schedule_statement,
    schedules_digest,
)
from monitor.schedule.notes import lost_note, overdue_note, stamp
from monitor.schedule.slots import Ledger, Owed, Schedule, overdue, owed
from monitor.schedule.tools import Ran, Tools, planned
from monitor.store.slots import Claim, Slots
from monitor.store.words import SlotState
from monitor.sweep.resume import resume
from monitor.sweep.run import Plan, Ports, Swept, run, window_of
from monitor.sweep.stopping import Stopped
from monitor.sweep.subset import subset

_LOSE_AT_ONCE = 200
"""So many slots are given up under one entry of the log; each is claimed meanwhile, and locks are not without number."""
_WAIT = 1.0


class Runner:
    """Works off the slots of these schedules, one at a time, one pass at a time."""

    def __init__(self, schedules: Sequence[Schedule], slots: Slots, tools: Tools) -> None:
        self.schedules = tuple(schedules)
        self.slots = slots
        self.sha256 = schedules_digest(planned(self.schedules))
        self._tools = tools
        self._pass = threading.Lock()
        self._declared = False
        self._began: dict[str, datetime | None] = {}

    def run_owed(self) -> Ran:
        """Work off every slot that is owed now and may be tried, oldest first, and return what came of it.

        A slot that fails is owed again, later; it holds up its schedule's later slots for a while. Raises MonitorError where
        nothing can be worked on at all: no configuration, no database, no evidence log. All stays owed then.
        """
        ran = Ran()
        with self._pass:
            aside: set[str] = set()
            while not self._tools.stop():
                chosen = self._choose(aside)
                if chosen is None:
                    break
                try:
                    with self._opened() as ports:
                        self._declare(ports)
                        self._work(*chosen, ports, ran, aside)
                except LogBusy:
                    ran.busy = True
                    break
                except Stopped:
                    break
        return ran

    def declare(self) -> bool:
        """Put the schedules on the evidence log if it says otherwise; return False where another process writes to it."""
        try:
            with self._tools.ports() as ports:
                self._declare(ports)
        except LogBusy:
            return False
        return True

    def ledger(self, schedule: Schedule, now: datetime) -> Ledger:
        """Return what the ledger knows of a schedule. Raises LedgerError."""
        settled = self.slots.settled(schedule.name, now)
        rows = {slot.planned_for: slot for slot in self.slots.unsettled(schedule.name, settled)}
        return Ledger(settled=settled, rows=rows, began=self._began.get(schedule.name))

    def overdue(self, now: datetime) -> list[Note]:
        """Return what is overdue, a note a schedule. Any process may ask, whether or not it works. Raises LedgerError."""
        notes = []
        for schedule in self.schedules:
            ledger = self.ledger(schedule, now)
            if late := overdue(schedule, ledger, now):
                row = ledger.rows.get(late[0].planned_for)
                notes.append(overdue_note(schedule, late, now, row.reason if row else ""))
        return notes

    def _choose(self, aside: set[str]) -> tuple[Schedule, Owed] | None:
        """Return the oldest slot that may be worked on, of all schedules that are not put aside."""
        now = self._tools.clock()
        found: tuple[Schedule, Owed] | None = None
        for schedule in self.schedules:
            if schedule.name in aside:
                continue
            for one in owed(schedule, self.ledger(schedule, now), now):
                if one.lost or not one.waits(now):
                    if found is None or one.planned_for < found[1].planned_for:
                        found = (schedule, one)
                    break
                if one.holds_up:
                    break
        return found

    @contextmanager
    def _opened(self) -> Iterator[Ports]:
        """Yield what a sweep works with; waits a while for another process to leave the log. Raises LogBusy, Stopped."""
        tools, waited = self._tools, 0.0
        while True:
            stack = ExitStack()
            try:
                ports = stack.enter_context(tools.ports())
                break
            except LogBusy:
                if waited >= tools.patience:
                    raise
                if tools.stop():
                    raise Stopped("asked to end while another process wrote to the evidence log") from None
                tools.sleep(_WAIT)
                waited += _WAIT
        with stack:
            yield ports

    def _declare(self, ports: Ports) -> None:
        """Put the schedules on the log where they are not those that it says are in force."""
        if self._declared:
            return
        before = declared(ports.log.reader())
        if before != self.sha256:
            record = ScheduleRecord(
                at=self._tools.clock(),
                schedules=planned(self.schedules),
                schedules_sha256=self.sha256,
                previous_sha256=before,
                config_sha256=ports.config_sha256,
                tool_version=monitor.__version__,
            )
            ports.log.append([schedule_statement(record)])
            self._tools.say(
                "the schedules were put on the evidence log" if not before else "the schedules have changed"
            )
        self._declared = True

    def _work(self, schedule: Schedule, one: Owed, ports: Ports, ran: Ran, aside: set[str]) -> None:
        """Work on one slot, or give up those that are too old, or see why not."""
        resume(ports, self._tools.clock())
        if schedule.name not in self._began and self.ledger(schedule, self._tools.clock()).blank:
            # It is new, or the ledger was lost: the log and the recorded sweeps say from when on slots are owed.
            self._began[schedule.name] = began(ports.log.reader(), schedule.name)
            self.slots.restore(schedule.name, self._tools.clock())
            return
        if one.lost:
            if not self._lose(schedule, ports.log, ran):
                aside.add(schedule.name)
            return
        claim = self.slots.claim(schedule.name, one.planned_for, self._tools.owner, self._tools.clock())
        if claim is None:
            # It was done meanwhile, or another works on it: then its schedule's later slots are not for us either.
            now = self._tools.clock()
            open_still = owed(schedule, self.ledger(schedule, now), now)
            if any(other.planned_for == one.planned_for for other in open_still):
                aside.add(schedule.name)
            return
        if not self._sweep(schedule, one, claim, ports, ran):
            aside.add(schedule.name)

    def _sweep(self, schedule: Schedule, one: Owed, claim: Claim, ports: Ports, ran: Ran) -> bool:
        """Sweep for a claimed slot unless a crash has left it sealed; return whether the ledger knows how it ended.

        Raises Stopped.
        """
        tools, slots, key = self._tools, self.slots, (schedule.name, one.planned_for)
        swept: Swept | None = None
        try:
            if sealed := slots.sweep_of(*key):
                slots.finish(claim, SlotState.DONE, tools.clock(), sealed, "sealed by an attempt that did not end")
            else:
                swept = run(
                    self._plan(schedule, one, ports), self._limited(schedule, ports), tools.progress, tools.stop
                )
                slots.finish(claim, SlotState.DONE, tools.clock(), swept.sweep.id)
        except Stopped:
            slots.release(claim, tools.clock(), "asked to end before it was sealed")
            tools.say(f"{schedule.name} {stamp(one.planned_for)}: ended at a safe point; it stays owed")
            raise
        except Exception as fault:  # noqa: BLE001 - whatever it is, the slot stays owed, and the service goes on
            ran.failed.append(key)
            reason = fault.what if isinstance(fault, MonitorError) else f"{type(fault).__name__}: {fault}"
            tools.say(f"{schedule.name} {stamp(one.planned_for)}: attempt {claim.attempt} failed: {reason}")
            return self._failed(claim, reason)
        ran.done.append(key)
        if swept is not None:
            tools.say(f"{schedule.name} {stamp(one.planned_for)}: done, sweep {swept.sweep.id}")
            tools.swept(schedule, one.planned_for, swept)
        return True

    def _failed(self, claim: Claim, reason: str) -> bool:
        try:
            self.slots.finish(claim, SlotState.FAILED, self._tools.clock(), reason=reason[:500])
            return True
        except LedgerError as lost:
            # Without the ledger nobody can be told. The claim is gone with the connection, so that the slot is owed.
            self._tools.say(f"that it failed could not be written down: {lost.what}")
            return False

    def _plan(self, schedule: Schedule, one: Owed, ports: Ports) -> Plan:
        at = self._tools.clock()
        plan = Plan(
            id=f"{at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}",
            planned_for=one.planned_for,
            at=at,
            until=one.planned_for if one.made_up else None,
            schedule=schedule.name,
            schedules_sha256=self.sha256,
            sources=schedule.sources,
        )
        if plan.until is None:
            return plan
        # Another schedule, or a person, may have read further than the slot: then there is nothing to cut off.
        limited = self._limited(schedule, ports)
        window = window_of(plan, limited)
        return msgspec.structs.replace(plan, until=None) if window.end <= window.start else plan

    def _limited(self, schedule: Schedule, ports: Ports) -> Ports:
        sources, checks = subset(ports.sources, ports.checks, schedule.sources)
        return msgspec.structs.replace(ports, sources=sources, checks=checks)

    def _lose(self, schedule: Schedule, log: EvidenceLog, ran: Ran) -> bool:
        """Record slots as lost, on the log first, then in the ledger; return False where another process has them."""
        tools, now = self._tools, self._tools.clock()
        claims: list[Claim] = []
        for one in owed(schedule, self.ledger(schedule, now), now):
            claim = None
            if one.lost and len(claims) < _LOSE_AT_ONCE:
                claim = self.slots.claim(schedule.name, one.planned_for, tools.owner, now)
            if claim is None:
                break
            claims.append(claim)
        if not claims:
            return False
        days = round(schedule.keeps / timedelta(days=1), 2)
        reason = f"missed, and older than the {days:g} days for which missed slots are made up"
        # A crash after the log, before the ledger: then the log says so already, and says it once.
        said = lost_already(log.reader(), schedule.name) if any(claim.attempt > 1 for claim in claims) else frozenset()
        fresh = tuple(claim.planned_for for claim in claims if claim.planned_for not in said)
        if fresh:
            lost = SlotsLost(
                schedule=schedule.name, slots=fresh, at=now, reason=reason, tool_version=monitor.__version__
            )
            log.append([lost_statement(lost)])
        slots = [claim.planned_for for claim in claims]
        # Told before the ledger settles it: after a crash it is told again, under the same key, which makes it one.
        tools.tell(lost_note(schedule, slots, now, reason))
        for claim in claims:
            self.slots.finish(claim, SlotState.LOST, now, reason=reason)
        ran.lost += [(schedule.name, slot) for slot in slots]
        return True
