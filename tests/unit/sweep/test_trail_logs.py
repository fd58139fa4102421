"""The trail's log as a source: each event once, however often and in however many objects it was delivered."""

from __future__ import annotations

import gzip
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.example import cast, exchanges
from monitor.example.records import Record
from monitor.expected.models import AwsEstate
from monitor.facts.log_object import RetainedPart
from monitor.facts.session import session_id
from monitor.model import CoverageStatus
from monitor.sources.aws.trail_logs import TrailLogs
from monitor.sources.aws.trail_scopes import Reading
from monitor.sources.objects import FolderObjects, Location
from monitor.sources.ports import Collected, Request
from monitor.sources.retained import ids
from tests.unit.decode.samples import AT, CHANCE, call, compact, log_file, person, pipeline, session

START = AT.replace(hour=0, minute=0)
ESTATE = AwsEstate.model_validate(
    {
        "accounts": [{"id": cast.PAYMENTS, "name": "payments-prod", "regions": [cast.EAST, cast.WEST]}],
        "watched": [{"id": cast.TOOLING, "name": "tooling", "regions": [cast.EAST]}],
    }
)


class Kept:
    """What earlier sweeps left behind, in memory."""

    def __init__(self) -> None:
        self.marked: dict[str, datetime] = {}
        self.read: set[str] = set()
        self.kept: list[RetainedPart] = []

    def marks(self) -> Mapping[str, datetime]:
        return self.marked

    def read_keys(self, source: str, scope: str | None = None) -> Collection[str]:
        return self.read

    def content_hashes(self, keys: Collection[str]) -> Mapping[str, str]:
        return {}

    def parts(self, account: str, day_from: str, day_to: str) -> Sequence[RetainedPart]:
        return [p for p in self.kept if p.account == account and day_from <= p.day <= day_to]

    def remember(self, found: Collected) -> None:
        self.marked.update(found.marks)
        self.read.update(o.key for o in found.objects)
        self.kept += found.parts


class Trail:
    """A folder with a trail's log, and sweeps over it."""

    def __init__(self, folder: Path, workers: int = 1) -> None:
        self.store = FolderObjects(folder / "logs")
        self.kept = FolderObjects(folder / "kept")
        self.memory = Kept()
        self.sweeps = 0
        reading = Reading(
            logs=Location(folder=str(self.store.root)),
            retained=Location(folder=str(self.kept.root)),
            start=START,
            workers=workers,
        )
        self.source = TrailLogs(ESTATE, reading, self.pool, None, frozenset({cast.BUCKET}))

    def pool(self) -> Executor:
        return ThreadPoolExecutor(2)

    def deliver(
        self, *records: Record | bytes, at: datetime = AT, account: str = cast.PAYMENTS, region: str = cast.EAST,
        body: bytes | None = None,
    ) -> str:  # fmt: skip
        name = CHANCE.text(16)
        key = (
            f"AWSLogs/{account}/CloudTrail/{region}/{at:%Y/%m/%d}/"
            f"{account}_CloudTrail_{region}_{at:%Y%m%dT%H%MZ}_{name}.json.gz"
        )
        self.store.write(key, gzip.compress(log_file(*records), mtime=0) if body is None else body)
        return key

    def sweep(self, at: datetime = AT + timedelta(hours=6)) -> Collected:
        self.sweeps += 1
        request = Request(sweep=f"s{self.sweeps}", at=at)
        found = self.source.collect(request, self.memory, lambda step, done, whole: None)
        self.memory.remember(found)
        return found

    def retained(self) -> list[str]:
        return sorted(event for p in self.memory.kept for event in ids(self.kept, [p]))

    def rows(self) -> int:
        return sum(p.rows for p in self.memory.kept)


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
def trail(request: pytest.FixtureRequest, tmp_path: Path) -> Trail:
    return Trail(tmp_path, request.param)


WRITE, OTHER = call(who=person()), call("ecs:UpdateService", session())
TOKEN = exchanges.web_identity(CHANCE, pipeline(), cast.PAYMENTS_SUBJECT)
WRITES = {WRITE["eventID"], OTHER["eventID"]}


def written(found: Collected) -> list[str]:
    return sorted(fact.id for fact in found.facts)


def test_each_write_and_exchange_is_a_fact_and_retained(trail: Trail) -> None:
    trail.deliver(WRITE, OTHER, TOKEN)
    found = trail.sweep()
    assert written(found) == sorted(WRITES)
    assert [e.id for e in found.exchanges] == [TOKEN["eventID"]]
    assert trail.retained() == sorted([*WRITES, TOKEN["eventID"]])


def test_an_event_delivered_twice_in_one_object_counts_once_and_stays_retained(trail: Trail) -> None:
    trail.deliver(WRITE, OTHER, WRITE, TOKEN, TOKEN)
    found = trail.sweep()
    assert written(found) == sorted(WRITES)
    assert len(found.exchanges) == 1
    assert trail.retained() == sorted([*WRITES, TOKEN["eventID"]])
    assert trail.rows() == 3


def test_an_event_delivered_in_two_objects_counts_once_and_stays_retained(trail: Trail) -> None:
    trail.deliver(WRITE, OTHER, TOKEN)
    trail.deliver(WRITE, TOKEN, at=AT + timedelta(minutes=20))
    found = trail.sweep()
    assert written(found) == sorted(WRITES)
    assert len(found.exchanges) == 1
    assert trail.retained() == sorted([*WRITES, TOKEN["eventID"]])
    assert trail.rows() == 3


def test_an_event_delivered_again_in_a_later_sweep_counts_once_and_stays_retained(trail: Trail) -> None:
    trail.deliver(WRITE, TOKEN)
    first = trail.sweep()
    trail.deliver(WRITE, OTHER, TOKEN, at=AT + timedelta(hours=5))
    second = trail.sweep(AT + timedelta(hours=12))
    assert (written(first), written(second)) == ([WRITE["eventID"]], [OTHER["eventID"]])
    assert (len(first.exchanges), len(second.exchanges)) == (1, 0)
    assert trail.retained() == sorted([*WRITES, TOKEN["eventID"]])
    assert second.notes["delivered_again"] == 2


def test_an_event_delivered_twice_and_by_many_objects_counts_once(trail: Trail) -> None:
    padding = b'{"eventVersion":"1.11","readOnly":true,"requestParameters":{"x":"' + CHANCE.text(1000).encode() + b'"}}'
    for n in range(6):
        trail.deliver(WRITE, WRITE, *[padding] * 5, at=AT + timedelta(minutes=n))
    assert written(trail.sweep()) == [WRITE["eventID"]]
    assert trail.retained() == [WRITE["eventID"]]
    assert trail.rows() == 1


def test_one_id_in_two_accounts_is_two_events(trail: Trail) -> None:
    trail.deliver(WRITE, WRITE)
    blinding = {**call("cloudtrail:StopLogging", person(account=cast.TOOLING)), "eventID": WRITE["eventID"]}
    trail.deliver(blinding, account=cast.TOOLING)
    assert len(trail.sweep().facts) == 2
    assert trail.rows() == 2


def test_an_object_is_read_once_and_a_late_one_is_still_read(trail: Trail) -> None:
    trail.deliver(WRITE)
    assert written(trail.sweep()) == [WRITE["eventID"]]
    assert written(trail.sweep(AT + timedelta(hours=7))) == []
    late = trail.deliver(OTHER, at=AT - timedelta(hours=8))
    found = trail.sweep(AT + timedelta(hours=8))
    assert written(found) == [OTHER["eventID"]]
    assert [o.key for o in found.objects] == [late]


def test_writes_of_a_session_are_recalled_from_what_was_retained(trail: Trail) -> None:
    trail.deliver(WRITE, OTHER, TOKEN)
    trail.deliver(WRITE, at=AT + timedelta(minutes=9))
    found = trail.sweep()
    by_id = {fact.id: fact for fact in found.facts}
    for event in (WRITE, OTHER):
        before = by_id[event["eventID"]]
        (again,) = trail.source.recall(trail.memory.kept, [session_id(before)])
        assert (again.id, again.time, again.actor, again.what) == (before.id, before.time, before.actor, before.what)


def test_writes_without_an_id_are_told_apart_by_their_bytes(trail: Trail) -> None:
    nameless = [{**call(who=person()), "eventID": ""} for _ in range(2)]
    nameless[1]["eventName"] = "StartInstances"
    trail.deliver(*nameless)
    trail.deliver(*nameless, at=AT + timedelta(minutes=5))
    assert len(trail.sweep().facts) == 2


def test_an_event_without_an_id_is_the_same_however_the_file_is_spaced(trail: Trail) -> None:
    nameless = compact({**call(who=person()), "eventID": ""})
    trail.deliver(nameless)
    trail.deliver(body=gzip.compress(b'{"Records":[' + nameless + b" ]}", mtime=0))
    assert len(trail.sweep().facts) == 1


def status_of(found: Collected, scope: str = f"aws:{cast.PAYMENTS}:{cast.EAST}") -> CoverageStatus:
    return next(c.status for c in found.coverage if c.scope == scope)


def test_an_untrusted_exchange_does_not_become_a_fact_through_another_delivery_order(trail: Trail) -> None:
    trail.deliver(b'{"eventVersion":!', TOKEN)
    found = trail.sweep()
    assert found.exchanges == []
    assert status_of(found) is CoverageStatus.PARTIAL


@pytest.mark.parametrize(
    "body", [b"", b"x", gzip.compress(b"{", mtime=0), gzip.compress(log_file(WRITE), mtime=0)[:-9]]
)
def test_a_damaged_object_makes_its_scope_partial_and_its_account_blind_at_that_time(trail: Trail, body: bytes) -> None:
    trail.deliver(OTHER)
    key = trail.deliver(body=body, at=AT + timedelta(minutes=10))
    found = trail.sweep()
    coverage = next(c for c in found.coverage if c.scope == f"aws:{cast.PAYMENTS}:{cast.EAST}")
    assert coverage.status is CoverageStatus.PARTIAL
    assert any(gap.startswith(key) for gap in coverage.gaps)
    assert [account for account, start, end in found.blind if start <= AT + timedelta(minutes=5) <= end] == [
        cast.PAYMENTS
    ]
    assert written(found) == [OTHER["eventID"]]


def test_a_scope_of_which_nothing_was_delivered_is_never_complete(trail: Trail) -> None:
    trail.deliver(WRITE)
    found = trail.sweep()
    assert status_of(found) is CoverageStatus.COMPLETE
    assert status_of(found, f"aws:{cast.PAYMENTS}:{cast.WEST}") is CoverageStatus.PARTIAL


def test_counts_of_a_scope_add_up(trail: Trail) -> None:
    trail.deliver(WRITE, OTHER, TOKEN)
    counts: dict[str, Any] = next(
        c.counts for c in trail.sweep().coverage if c.scope == f"aws:{cast.PAYMENTS}:{cast.EAST}"
    )
    kinds = ("reads", "attempts", "data_events", "service_writes", "telemetry", "writes", "exchanges", "elsewhere")
    assert sum(counts[kind] for kind in kinds) == counts["events"] == 3
    assert START.tzinfo is UTC
