"""What sources remember: kept once, found by kind, subject and time, and the newest of each subject."""

from __future__ import annotations

from datetime import timedelta, timezone
from pathlib import Path

import msgspec
import pytest

from monitor.errors import EvidenceError, LedgerError
from monitor.sources.ports import Memory
from monitor.store.record import SweepRecord
from monitor.store.store import Store
from tests.integration.store.material import (
    DAY,
    END_OF_TIME,
    KIND,
    REPOSITORY,
    START,
    record,
    remembered,
    sealing,
)

OTHER = "github:repository:7"
STATE = "github.repository"


def test_what_is_remembered_is_found_by_kind_subject_and_time_oldest_first(store_url: str) -> None:
    first, second, third, fourth = (
        remembered("Z", at=START),
        remembered("a", at=START),
        remembered("é", at=START, subject=OTHER),
        remembered("A", at=START + timedelta(microseconds=1)),
    )
    of_other_kind = remembered("zz", "another", kind=STATE, at=fourth.at)
    with Store.open(store_url) as store:
        store.record(record(0, remembered=(fourth, of_other_kind, second)), [], sealing(0))
        store.record(record(1, remembered=(third, first)), [], sealing(1))
        assert store.remembered(KIND) == [first, second, third, fourth]
        assert store.remembered(KIND, OTHER) == [third]
        assert store.remembered(KIND, REPOSITORY) == [first, second, fourth]
        assert store.remembered(KIND, since=START) == [first, second, third, fourth]
        assert store.remembered(KIND, since=START + timedelta(microseconds=1)) == [fourth]
        assert store.remembered(KIND, OTHER, START + DAY) == []
        assert store.remembered(STATE) == [of_other_kind]
        assert store.latest(STATE) == {REPOSITORY: of_other_kind}
        assert store.latest(KIND) == {REPOSITORY: fourth, OTHER: third}
        assert store.remembered("github") == [] and store.remembered(KIND, "github:repository") == []


def test_what_is_met_again_is_kept_once_as_it_was_met_first(store_url: str) -> None:
    first = remembered("1", "first")
    with Store.open(store_url) as store:
        store.record(record(0, remembered=(first, remembered("1", "second"))), [], sealing(0))
        again = (remembered("1", "third", subject=OTHER, at=START - DAY), remembered("2"))
        store.record(record(1, remembered=again), [], sealing(1))
        assert store.remembered(KIND) == [first, remembered("2")]
        assert store.latest(KIND) == {REPOSITORY: remembered("2")}


def test_the_same_id_of_another_kind_is_another_thing(store_url: str) -> None:
    split = (remembered("b\nc", kind="a"), remembered("c", kind="a\nb"), remembered("c", kind="a"))
    with Store.open(store_url) as store:
        store.record(record(0, remembered=split), [], sealing(0))
        assert store.remembered("a") == [split[0], split[2]]
        assert store.remembered("a\nb") == [split[1]]


def test_ids_and_subjects_that_look_alike_once_written_stay_apart(store_url: str) -> None:
    alike = ("a\0", "a␀0", "a␀", "a␀␀", "a\ud800", "a␀uD800", "a\ufffd", "a", "x" * 5_000, "x" * 5_001)
    things = tuple(remembered(text, subject=text) for text in alike)
    with Store.open(store_url) as store:
        store.record(record(0, remembered=things), [], sealing(0))
        assert store.latest(KIND) == {item.subject: item for item in things}
        assert [store.remembered(KIND, text) for text in alike] == [[item] for item in things]


def test_the_newest_of_each_subject_is_told_whenever_it_was_recorded(store_url: str) -> None:
    def state(subject: str, days: int) -> tuple[str, int]:
        return f"{subject}@{days}", days

    subjects = [f"github:repository:{number}" for number in range(50)]
    everything = [
        remembered(*state(subject, days), kind=STATE, subject=subject, at=START + days * DAY)
        for days in (3, 9, 1, 7)
        for subject in subjects
    ]
    with Store.open(store_url) as store:
        store.record(record(0, remembered=tuple(everything[:100])), [], sealing(0))
        store.record(record(1, remembered=tuple(everything[100:])), [], sealing(1))
        store.record(record(2, remembered=(remembered("later", at=END_OF_TIME),)), [], sealing(2))
        assert store.latest(STATE) == {item.subject: item for item in everything[50:100]}


def test_of_several_at_the_same_time_the_last_by_id_is_the_newest(store_url: str) -> None:
    things = tuple(remembered(identity) for identity in ("b", "é", "Z", "a"))
    with Store.open(store_url) as store:
        store.record(record(0, remembered=things), [], sealing(0))
        assert store.latest(KIND)[REPOSITORY].id == "é" == store.remembered(KIND)[-1].id


def test_a_time_of_another_zone_is_remembered_in_utc(store_url: str) -> None:
    east = START.astimezone(timezone(timedelta(hours=5)))
    with Store.open(store_url) as store:
        store.record(record(0, remembered=(remembered("1", at=east),)), [], sealing(0))
        (kept,) = store.remembered(KIND, since=east)
        assert (kept.at, kept.at.utcoffset()) == (START, timedelta(0))


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b' {"b": 1, "a": 1.0}\n', b'{"b": 1, "a": 1.0}'),
        (b'{"b": "\\ud800", "a": "\\u0000"}', b'{"a":"\\u0000","b":"\xef\xbf\xbd"}'),
        (b'["\0 \xed\xa0\x80 \x1b"]', b'["\\u0000 \xef\xbf\xbd \\u001b"]'),
        ('"␀ ␀0 ␀uD800 \U0010ffff"'.encode(), '"␀ ␀0 ␀uD800 \U0010ffff"'.encode()),
        (b'"%s :name $1 \'; DROP TABLE remembered; --"', b'"%s :name $1 \'; DROP TABLE remembered; --"'),
        (b'"' + b"x" * 1_000_000 + b'"', b'"' + b"x" * 1_000_000 + b'"'),
        (b"[1e999,123456789012345678901234567890]", b"[1e999,123456789012345678901234567890]"),
        (b"null", b"null"),
    ],
    ids=range(8),
)
def test_a_hostile_body_is_kept_alike_when_swept_and_when_recovered(
    sqlite_url: str, postgres_url: str, body: bytes, kept: bytes
) -> None:
    swept = record(0, remembered=(msgspec.structs.replace(remembered("1"), body=msgspec.Raw(body)),))
    recovered = SweepRecord.decode(swept.encode())
    for url, given in ((sqlite_url, swept), (postgres_url, recovered)):
        with Store.open(url) as store:
            store.record(given, [], sealing(0))
            assert [bytes(item.body) for item in store.remembered(KIND)] == [kept]
            assert store.record(recovered, [], sealing(0)) == store.record(swept, [], sealing(0))
            assert len(store.remembered(KIND)) == 1


@pytest.mark.parametrize("body", [b"", b"nonsense", b'"\xff"'])
def test_a_body_that_is_no_json_leaves_nothing_behind(store_url: str, body: bytes) -> None:
    bad = msgspec.structs.replace(remembered("2"), body=msgspec.Raw(body))
    with Store.open(store_url) as store:
        with pytest.raises(EvidenceError, match="cannot be remembered"):
            store.record(record(0, remembered=(remembered("1"), bad)), [], sealing(0))
        assert store.sweeps() == [] and store.remembered(KIND) == []


def test_a_time_without_a_zone_is_refused_and_leaves_nothing_behind(store_url: str) -> None:
    naive = remembered("2", at=START.replace(tzinfo=None))
    with Store.open(store_url) as store:
        with pytest.raises(LedgerError, match="recording the sweep failed"):
            store.record(record(0, remembered=(remembered("1"), naive)), [], sealing(0))
        assert store.sweeps() == [] and store.remembered(KIND) == []


def test_ten_thousand_are_recorded_and_found(store_url: str) -> None:
    things = [
        remembered(
            f"{number:05}", {"number": number}, subject=f"repository {number % 700}", at=START + number * DAY / 99
        )
        for number in range(10_000)
    ]
    with Store.open(store_url) as store:
        store.record(record(0, remembered=tuple(things)), [], sealing(0))
        store.record(record(1, remembered=tuple(things)), [], sealing(1))
        assert store.remembered(KIND) == things
        assert store.latest(KIND) == {item.subject: item for item in things}


def test_a_source_may_ask_the_store(sqlite_url: str) -> None:
    with Store.open(sqlite_url) as store:
        memory: Memory = store
        store.record(record(0, remembered=(remembered("1"),)), [], sealing(0))
        assert list(memory.remembered(KIND)) == [remembered("1")] == list(memory.latest(KIND).values())


@pytest.mark.parametrize("ask", ["remembered", "latest"])
def test_a_database_that_went_away_is_a_ledger_error(sqlite_url: str, ask: str) -> None:
    with Store.open(sqlite_url) as store:
        Path(sqlite_url.removeprefix("sqlite:///")).write_bytes(b"")
        with pytest.raises(LedgerError, match="reading failed"):
            getattr(store, ask)(KIND)
