"""The trail's log as a source: each event once, however often and in however many objects it was delivered."""

from __future__ import annotations

import gzip
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.example import cast, exchanges
from monitor.facts.session import session_id, stem
from monitor.model import CoverageStatus
from tests.unit.decode.samples import AT, CHANCE, call, compact, log_file, person, pipeline, session
from tests.unit.sweep.folder_trail import Trail, coverage_of, written


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
def trail(request: pytest.FixtureRequest, tmp_path: Path) -> Trail:
    return Trail(tmp_path, request.param)


WRITE, OTHER = call(who=person()), call("ecs:UpdateService", session())
TOKEN = exchanges.web_identity(CHANCE, pipeline(), cast.PAYMENTS_SUBJECT)
WRITES = {WRITE["eventID"], OTHER["eventID"]}


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
        (again,) = trail.source.recall(trail.memory.kept, [stem(session_id(before))])
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


def test_an_untrusted_exchange_does_not_become_a_fact_through_another_delivery_order(trail: Trail) -> None:
    trail.deliver(b'{"eventVersion":!', TOKEN)
    found = trail.sweep()
    assert found.exchanges == []
    assert coverage_of(found).status is CoverageStatus.PARTIAL


@pytest.mark.parametrize(
    "body", [b"", b"x", gzip.compress(b"{", mtime=0), gzip.compress(log_file(WRITE), mtime=0)[:-9]]
)
def test_a_damaged_object_makes_its_scope_partial_and_its_account_blind_at_that_time(trail: Trail, body: bytes) -> None:
    trail.deliver(OTHER)
    key = trail.deliver(body=body, at=AT + timedelta(minutes=10))
    found = trail.sweep()
    coverage = coverage_of(found)
    assert coverage.status is CoverageStatus.PARTIAL
    assert any(gap.startswith(key) for gap in coverage.gaps)
    assert [account for account, start, end in found.blind if start <= AT + timedelta(minutes=5) <= end] == [
        cast.PAYMENTS
    ]
    assert written(found) == [OTHER["eventID"]]


def test_a_scope_of_which_nothing_was_delivered_is_never_complete(trail: Trail) -> None:
    trail.deliver(WRITE)
    found = trail.sweep()
    assert coverage_of(found).status is CoverageStatus.COMPLETE
    assert coverage_of(found, f"aws:{cast.PAYMENTS}:{cast.WEST}").status is CoverageStatus.PARTIAL


def test_counts_of_a_scope_add_up(trail: Trail) -> None:
    trail.deliver(WRITE, OTHER, TOKEN)
    counts = coverage_of(trail.sweep()).counts
    kinds = ("reads", "attempts", "data_events", "service_writes", "telemetry", "writes", "exchanges", "elsewhere")
    assert sum(counts[kind] for kind in kinds) == counts["events"] == 3


def altered(**over: str) -> list[dict[str, object]]:
    """Return a write and an exchange that bear the ids of the others and say something else."""
    return [{**event, "sourceIPAddress": "203.0.113.9", **over} for event in (WRITE, TOKEN)]


WHAT = "bear the id of another event"


def test_one_id_with_other_bytes_in_one_object_keeps_both_and_damages_the_object(trail: Trail) -> None:
    key = trail.deliver(WRITE, TOKEN, *altered(), OTHER)
    found = trail.sweep()
    assert written(found) == sorted([WRITE["eventID"], *WRITES])
    assert [e.id for e in found.exchanges] == [TOKEN["eventID"]] * 2
    assert (len(trail.retained()), trail.rows()) == (5, 5)
    assert [(o.key, o.damage) for o in found.objects] == [(key, f"2 of its records {WHAT} and say something else")]
    assert coverage_of(found).status is CoverageStatus.PARTIAL


def test_one_id_with_other_bytes_in_another_object_keeps_both_and_damages_an_object(trail: Trail) -> None:
    first = trail.deliver(WRITE, TOKEN)
    second = trail.deliver(OTHER, *altered(), at=AT + timedelta(minutes=20))
    found = trail.sweep()
    assert written(found) == sorted([WRITE["eventID"], *WRITES])
    assert len(found.exchanges) == 2
    assert trail.rows() == 5
    assert {o.key: WHAT in o.damage for o in found.objects} == {first: False, second: True}
    coverage = coverage_of(found)
    assert (coverage.status, coverage.gaps[0].startswith(second)) == (CoverageStatus.PARTIAL, True)
    assert [account for account, start, end in found.blind if start <= AT <= end] == [cast.PAYMENTS]


def test_one_id_with_other_bytes_in_a_later_sweep_keeps_both_and_damages_the_later_object(trail: Trail) -> None:
    trail.deliver(WRITE, TOKEN)
    assert coverage_of(trail.sweep()).status is CoverageStatus.COMPLETE
    second = trail.deliver(*altered(), at=AT + timedelta(hours=5))
    found = trail.sweep(AT + timedelta(hours=7))
    assert written(found) == [WRITE["eventID"]]
    assert len(found.exchanges) == 1
    assert [(o.key, WHAT in o.damage) for o in found.objects] == [(second, True)]
    assert coverage_of(found).status is CoverageStatus.PARTIAL
    assert trail.retained() == sorted([WRITE["eventID"], TOKEN["eventID"]] * 2)


def test_the_same_bytes_again_damage_nothing(trail: Trail) -> None:
    trail.deliver(WRITE, TOKEN, WRITE)
    trail.deliver(WRITE, TOKEN, at=AT + timedelta(minutes=20))
    found = trail.sweep()
    assert [o.damage for o in found.objects] == ["", ""]
    assert coverage_of(found).status is CoverageStatus.COMPLETE
