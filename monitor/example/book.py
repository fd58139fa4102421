"""The book of the example month: every record, the object it is delivered in, and what is true of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from monitor.example import calls, cast, exchanges
from monitor.example.calls import Call
from monitor.example.chance import ALNUM, Chance
from monitor.example.layout import log_key
from monitor.example.records import Record, Session, dump, stamp
from monitor.example.shapes import filled

Place = tuple[str, str, datetime]
"""An object: account, region, and the minute of its delivery (UTC)."""

PASS, FAIL, UNKNOWN, NOT_APPLICABLE = "pass", "fail", "unknown", "not-applicable"
DIRECT_CHANGE = "direct-production-change"
SESSION_PROOF = "pipeline-session-proof"
LOG_INTEGRITY = "audit-log-integrity"
COVERAGE, PARTIAL = "coverage", "partial"
"""What truth says of objects that cannot be read whole: no check's outcome, but the status of their scope's coverage."""


def delivery(at: datetime) -> datetime:
    """Return when an event of this moment is delivered: in the first five-minute batch at least four minutes later."""
    seconds = int((at + timedelta(minutes=4)).timestamp())
    return datetime.fromtimestamp(-(-seconds // 300) * 300, at.tzinfo)


def on(day: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """Return a moment of March 2026, UTC."""
    return cast.MONTH_START + timedelta(days=day - 1, hours=hour, minutes=minute, seconds=second)


@dataclass
class Book:
    """Collects records by object, and what is true of them. All choices come from `chance`."""

    seed: int
    chance: Chance
    objects: dict[Place, list[tuple[str, str]]] = field(default_factory=dict)
    truth: list[Record] = field(default_factory=list)
    cut: set[Place] = field(default_factory=set)
    """Objects that are stored cut short."""
    dropped: dict[Place, str] = field(default_factory=dict)
    """Objects that lose the event of this id after their digest was signed."""
    unlisted: list[tuple[str, str, datetime, datetime]] = field(default_factory=list)
    """(account, region, from, to): digests that end in [from, to) are lost."""
    _places: dict[str, list[Place]] = field(default_factory=dict)

    def key(self, place: Place) -> str:
        """Return the key of an object."""
        return log_key(*place, Chance(self.seed, "suffix", *place).text(16, ALNUM))

    def put(self, text: str, *, account: str, region: str, time: str, event_id: str, delivered: datetime) -> None:
        """Add one record, already JSON, to the object delivered at that minute."""
        place = (account, region, delivered)
        self.objects.setdefault(place, []).append((time, text))
        if event_id:
            self._places.setdefault(event_id, []).append(place)

    def add(self, event: Record, *, delivered: datetime | None = None) -> str:
        """Add one record to the object of its account, region and time, or of `delivered`. Returns its event id."""
        time = datetime.fromisoformat(event["eventTime"])
        self.put(
            dump(event),
            account=event["recipientAccountId"],
            region=event["awsRegion"],
            time=event["eventTime"],
            event_id=event["eventID"],
            delivered=delivered or delivery(time),
        )
        return str(event["eventID"])

    def place(self, event_id: str) -> Place:
        """Return the object that the event was first delivered in."""
        return self._places[event_id][0]

    def tell(
        self,
        case: str,
        outcome: str,
        check: str,
        event_ids: list[str],
        why: str,
        *,
        change_class: str | None = None,
        **more: Any,
    ) -> None:
        """Write down what is true of these events: the outcome that this check must reach, and why."""
        places = [place for event_id in event_ids for place in self._places[event_id]]
        entry: Record = {
            "case": case,
            "outcome": outcome,
            "check": check,
            "class": change_class,
            "event_ids": event_ids,
            "events": len(event_ids),
            "objects": sorted({self.key(place) for place in places}),
            "why": why,
        }
        self.truth.append({**entry, **more})

    # Whom and what the cases are made of.

    def act(
        self,
        session: Session | None,
        call: Call,
        at: datetime,
        *,
        region: str = cast.EAST,
        delivered: datetime | None = None,
        **over: Any,
    ) -> str:
        """Add one call by the session, or by `identity` if one is given. Returns its event id."""
        account = over.pop("account", session.account if session else cast.PAYMENTS)
        identity = over.pop("identity", session.identity() if session else None)
        over = {"agent": cast.CLI, "address": "198.51.100.9", **over} if session is None else over
        text = filled(call, self.chance, session, identity, account=account, region=region, time=stamp(at), **over)
        return self.add(json.loads(text), delivered=delivered)

    def person(
        self,
        person: cast.Person,
        at: datetime,
        *,
        account: str = cast.PAYMENTS,
        role: str = cast.SSO_POWER,
        **over: Any,
    ) -> Session:
        """Sign a person in through single sign-on; the exchange is added to the book."""
        values: dict[str, Any] = {"address": person.address, "agent": cast.CLI, "ends": timedelta(hours=8), **over}
        session = Session(account, role, person.mail, self.chance.access_key(), at, cast.SSO_PATH, **values)
        self.add(exchanges.saml(self.chance, session, person))
        return session

    def assume(self, source: Session, account: str, role: str, name: str, at: datetime, **over: Any) -> Session:
        """Let one session take another role; the exchange is added to the book, in both accounts if they differ."""
        values: dict[str, Any] = {"address": source.address, "agent": source.agent, **over}
        session = Session(account, role, name, self.chance.access_key(), at, **values)
        for event in exchanges.by_role(self.chance, session, source):
            self.add(event)
        return session

    def deploy(
        self,
        account: str,
        role: str,
        subject: str,
        at: datetime,
        *,
        told: bool = True,
        region: str = cast.EAST,
        **over: Any,
    ) -> Session:
        """Start a pipeline session by a GitHub Actions token; `told` False leaves the exchange out of the logs."""
        repository = subject.split(":")[1].split("/")[1]
        name = f"{repository}-{13_800_000_000 + self.chance.below(90_000_000)}"
        address = f"20.57.{self.chance.below(250)}.{self.chance.below(250)}"
        values: dict[str, Any] = {"address": address, "agent": cast.TERRAFORM, **over}
        session = Session(account, role, name, self.chance.access_key(), at, federated=True, **values)
        if told:
            self.add(exchanges.web_identity(self.chance, session, subject, region=region))
        return session


def release(book: Book, session: Session, at: datetime, *, region: str = cast.EAST, **over: Any) -> list[str]:
    """Let the session roll out a release: a task definition, the service, a function. Returns the event ids."""
    steps = (calls.REGISTER_TASK, calls.UPDATE_SERVICE, calls.UPDATE_CODE)
    return [
        book.act(session, call, at + timedelta(seconds=41 * number), region=region, **over)
        for number, call in enumerate(steps)
    ]
