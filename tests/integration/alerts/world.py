"""A store, sweeps recorded into it with their alerts, and sinks that remember."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from monitor.alerts.deliver import Counts, Deliverer
from monitor.alerts.notes import Message, Target
from monitor.alerts.port import Delivered, Thread, Undelivered
from monitor.alerts.rules import AlertRules, Route
from monitor.model import Outcome, Result, Severity, Sweep, Window
from monitor.store.messages import Messages
from monitor.store.reconcile import finding_id
from monitor.store.record import Reconciliation, SealedResult, Sealing, SweepRecord
from monitor.store.store import Store
from monitor.sweep.alerting import Alerting, StoreOutbox

START = datetime(2026, 3, 14, 2, tzinfo=UTC)
CHECK = "direct-production-change"
TEAM = Target("chat", "team")
PAGER = Target("chat", "pager")
RULES = AlertRules(routes=(Route(to=(TEAM,)),), summary_at=None)


def fid(subject: str) -> str:
    return finding_id(CHECK, subject)


def result(
    subject: str, outcome: Outcome = Outcome.FAIL, severity: Severity = Severity.HIGH, waiver: str = "", **more: Any
) -> Result:
    given = {"reason": "written by hand", "scope": "aws:111122223333:eu-west-1", "actor": "maria"} | more
    return Result(check=CHECK, subject=subject, outcome=outcome, severity=severity, waiver=waiver, **given)


class Chat:
    """A sink that shows what it took, and looks for it when asked; `says` may refuse, before or after it has taken it."""

    def __init__(self, name: str = "chat", says: Callable[[Message, int], str] = lambda message, number: "") -> None:
        self.name = name
        self.says = says
        self.shown: list[tuple[Message, str]] = []
        self.looked: list[str] = []
        self.calls = 0
        self.threads: list[Thread | None] = []
        self._lock = threading.Lock()

    def deliver(self, message: Message, thread: Thread | None) -> Delivered:
        with self._lock:
            self.calls += 1
            say = self.says(message, self.calls)
            if say in ("", "lost"):
                assert message.id not in self.ids, "shown twice"
                self.shown.append((message, message.target))
                self.threads.append(thread)
        if say == "lost":
            raise Undelivered("no answer came")
        if say.startswith("wait "):
            raise Undelivered("too fast", retry_after=float(say.split()[1]))
        if say == "gone":
            raise Undelivered("the channel is gone", todo="name another", permanent=True)
        if say:
            raise Undelivered(say)
        return self._references(message, thread)

    def find(self, message: Message, thread: Thread | None) -> Delivered | None:
        with self._lock:
            self.looked.append(message.id)
            return self._references(message, thread) if message.id in self.ids else None

    def _references(self, message: Message, thread: Thread | None) -> Delivered:
        own = f"ts-{message.id[:8]}"
        return Delivered(own, thread.reference if thread else own if message.finding_id else "")

    @property
    def ids(self) -> list[str]:
        return [message.id for message, _ in self.shown]

    def told(self) -> list[tuple[str, str, str]]:
        """Return (target, kind, finding) as it was shown."""
        return [(target, message.kind.value, message.finding_id) for message, target in self.shown]


class World:
    """Sweeps and rounds of delivery over one store, by a clock that is moved by hand."""

    def __init__(self, store: Store, rules: AlertRules = RULES, **more: Any) -> None:
        self.store = store
        self.alerting = Alerting(rules=rules, **more)
        self.messages = Messages(store)
        self.at = START
        self.number = 0

    def sweep(self, *results: Result, after: timedelta = timedelta(minutes=15), **more: Any) -> Reconciliation:
        self.at += after
        self.number += 1
        found = Sweep(
            id=f"sweep-{self.number:04d}", planned_for=self.at, at=self.at, window=Window(self.at, self.at), **more
        )
        record = SweepRecord(sweep=found, object_source="test")
        sealed = [SealedResult(one, number, "ab") for number, one in enumerate(results)]
        index = self.number * 1000
        return self.store.record(
            record, sealed, Sealing(index, index, "ab" * 32, "note"), self.alerting.planner(self.at)
        )

    def deliverer(self, *sinks: Any, **more: Any) -> Deliverer:
        return Deliverer(StoreOutbox(self.store), sinks, lambda: self.at, **more)

    def round(self, *sinks: Any, after: timedelta = timedelta(), **more: Any) -> Counts:
        self.at += after
        with self.deliverer(*sinks, **more) as deliverer:
            return deliverer.run_once(self.at)

    def states(self) -> Mapping[str, int]:
        return {state.value: count for state, count in self.messages.counts().items()}
