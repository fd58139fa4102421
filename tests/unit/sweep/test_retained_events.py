"""Retained events: exact bytes in and out, read by any engine, and taken out again one by one."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.dataset as dataset
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.errors import EvidenceError
from monitor.facts.log_object import RetainedPart
from monitor.sources.objects import FolderObjects
from monitor.sources.retained import Row, ids, is_there, left_by, of_sessions, table, without, write

AT = datetime(2026, 3, 9, 10, tzinfo=UTC)
PAYMENTS, DATA = "111122223333", "012345678901"


def row(event: str = "e1", account: str = PAYMENTS, at: datetime = AT, **over: Any) -> Row:
    values: dict[str, Any] = {
        "account": account,
        "day": at.strftime("%Y-%m-%d"),
        "event_id": event,
        "event_time": at,
        "kind": "write",
        "session": f"session-of-{event}",
        "region": "us-east-1",
        "action": "ecs:UpdateService",
        "actor_kind": "AssumedRole",
        "actor": "someone",
        "access_key": "ASIA1",
        "source_ip": "10.0.0.1",
        "object": "a.json.gz",
        "object_sha256": "ab" * 32,
        "raw": b'{"eventID":"' + event.encode() + b'"}',
        **over,
    }
    return Row(**{"sha256": hashlib.sha256(values["raw"]).hexdigest(), **values})


def named(*events: str) -> set[tuple[str, str]]:
    return {(event, row(event).sha256) for event in events}


ROWS = [row(f"e{n}", (PAYMENTS, DATA)[n % 2], AT + timedelta(days=n % 3)) for n in range(30)]


def read_back(store: FolderObjects, part: RetainedPart) -> list[dict[str, Any]]:
    return (
        dataset.dataset(str(store.root / part.path), format="parquet", schema=table([row()]).schema)
        .to_table()
        .to_pylist()
    )


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
moments = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))
rows = st.builds(
    row,
    event=st.uuids().map(str),
    account=st.sampled_from([PAYMENTS, DATA, ""]),
    at=st.datetimes(datetime(2026, 3, 1), datetime(2026, 3, 4), timezones=st.just(UTC)),
    event_time=moments,
    actor=texts,
    session=texts,
    raw=st.binary(max_size=200),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=st.lists(rows, max_size=12, unique_by=lambda r: r.event_id))
def test_rows_come_back_exactly(tmp_path_factory: pytest.TempPathFactory, found: list[Row]) -> None:
    store = FolderObjects(tmp_path_factory.mktemp("kept"))
    parts = write(store, found, "s1.0")
    assert sum(p.rows for p in parts) == len(found)
    back = {values["event_id"]: values for part in parts for values in read_back(store, part)}
    for one in found:
        fields = one._asdict()
        assert back[one.event_id] == {name: fields[name] for name in back[one.event_id]}
    assert ids(store, parts) == {(r.event_id, r.sha256) for r in found}


def test_a_part_is_told_by_path_digest_size_and_rows(tmp_path: Path) -> None:
    store = FolderObjects(tmp_path)
    parts = write(store, ROWS, "s1.0")
    assert len(parts) == 6
    assert [p.path for p in parts] == sorted(p.path for p in parts)
    for part in parts:
        body = (tmp_path / part.path).read_bytes()
        assert (part.sha256, part.size) == (hashlib.sha256(body).hexdigest(), len(body))
        assert part.path == f"account={part.account}/day={part.day}/s1.0.parquet"
        assert part.rows == 5


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    digests = [{p.sha256 for p in write(FolderObjects(tmp_path / name), ROWS, "s1.0")} for name in ("a", "b")]
    assert digests[0] == digests[1]


def test_other_engines_read_all_parts_as_hive_partitions(tmp_path: Path) -> None:
    write(FolderObjects(tmp_path), ROWS, "s1.0")
    whole = dataset.dataset(tmp_path, format="parquet", partitioning="hive")
    assert whole.count_rows() == len(ROWS)
    found = whole.to_table(filter=dataset.field("day") == "2026-03-09").to_pylist()
    assert sorted(values["event_id"] for values in found) == sorted(r.event_id for r in ROWS if r.day == "2026-03-09")
    assert {bytes(values["raw"]) for values in found} == {r.raw for r in ROWS if r.day == "2026-03-09"}


def test_an_account_that_begins_with_zero_keeps_it(tmp_path: Path) -> None:
    import pyarrow as pa

    write(FolderObjects(tmp_path), ROWS, "s1.0")
    named = dataset.partitioning(pa.schema([("account", pa.string()), ("day", pa.string())]), flavor="hive")
    whole = dataset.dataset(tmp_path, format="parquet", partitioning=named)
    found = whole.to_table(filter=dataset.field("account") == DATA).to_pylist()
    assert sorted(values["event_id"] for values in found) == sorted(r.event_id for r in ROWS if r.account == DATA)


def test_exactly_the_named_events_are_taken_out(tmp_path: Path) -> None:
    store = FolderObjects(tmp_path)
    (part,) = write(store, [row(f"e{n}") for n in range(10)], "s1.0")
    left = without(store, part, named("e3", "e7", "never there"))
    assert left is not None
    assert (left.path, left.rows, left.account, left.day) == (part.path, 8, part.account, part.day)
    assert left.sha256 == hashlib.sha256((tmp_path / left.path).read_bytes()).hexdigest() != part.sha256
    assert ids(store, [left]) == named(*(f"e{n}" for n in range(10))) - named("e3", "e7")
    assert {bytes(v["raw"]) for v in read_back(store, left)} == {row(f"e{n}").raw for n in range(10) if n not in (3, 7)}


def test_taking_out_nothing_leaves_everything(tmp_path: Path) -> None:
    store = FolderObjects(tmp_path)
    (part,) = write(store, [row("a"), row("b")], "s1.0")
    left = without(store, part, set())
    assert left is not None
    assert ids(store, [left]) == named("a", "b")


def test_a_part_of_which_nothing_is_left_is_removed(tmp_path: Path) -> None:
    store = FolderObjects(tmp_path)
    (part,) = write(store, [row("a"), row("b")], "s1.0")
    assert without(store, part, named("a", "b", "c")) is None
    assert not (tmp_path / part.path).exists()


@pytest.mark.parametrize("damage", ["gone", "cut", "changed", "swapped"])
def test_a_part_that_is_not_what_was_sealed_is_refused(tmp_path: Path, damage: str) -> None:
    store = FolderObjects(tmp_path)
    part, other = write(store, [row("a"), row("b", DATA)], "s1.0")
    path = tmp_path / part.path
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif damage == "changed":
        path.write_bytes(path.read_bytes().replace(b"PAR1", b"PAR2", 1))
    else:
        path.write_bytes((tmp_path / other.path).read_bytes())
    for reading in (lambda: ids(store, [part]), lambda: without(store, part, named("a"))):
        with pytest.raises(EvidenceError):
            reading()


def test_of_two_events_with_one_id_only_the_one_with_these_bytes_is_taken_out(tmp_path: Path) -> None:
    store = FolderObjects(tmp_path)
    (part,) = write(store, [row("a"), row("a", raw=b"{}"), row("b")], "s1.0")
    assert len(ids(store, [part])) == 3
    left = without(store, part, named("a"))
    assert left is not None
    assert ids(store, [left]) == named("b") | {("a", row("a", raw=b"{}").sha256)}


def test_writes_of_sessions_are_found_with_their_exact_bytes_and_exchanges_are_not(tmp_path: Path) -> None:
    store = FolderObjects(tmp_path)
    found = [
        row("a", session="s"),
        row("b", session="t"),
        row("c", session="s", kind="exchange"),
        row("d", DATA, session="s", object="d.json.gz", object_sha256="cd" * 32),
    ]
    parts = write(store, found, "s1.0")
    assert of_sessions(store, parts, {"s"}) == [
        (DATA, "d.json.gz", "cd" * 32, found[3].raw),
        (PAYMENTS, "a.json.gz", "ab" * 32, found[0].raw),
    ]


def test_a_stem_finds_the_sessions_of_all_its_keys_and_none_that_begins_alike(tmp_path: Path) -> None:
    store = FolderObjects(tmp_path)
    found = [row("a", session="s-1"), row("b", session="s"), row("c", session="s-2"), row("d", session="st")]
    parts = write(store, found, "s1.0")
    assert [raw for *_, raw in of_sessions(store, parts, {"s"})] == [one.raw for one in found[:3]]
    assert of_sessions(store, parts, {"s-1"}) == []


@pytest.mark.parametrize("cut", ["s2", "20260309T101200Z-0f1e2d3c"])
def test_the_parts_of_a_sweep_are_told_by_their_name(tmp_path: Path, cut: str) -> None:
    store = FolderObjects(tmp_path)
    mine = [write(store, [row("b")], f"{cut}-{end}")[0].path for end in ("0.0", "0.1", "12.0")]
    for other in ("s1-0.0", f"{cut}2-0.0", f"x{cut}-0.0", f"{cut}.0"):
        write(store, [row("a")], other)
    store.write("other/file", b"x")
    assert sorted(left_by(store, {cut})) == sorted(mine)
    assert left_by(store, set()) == left_by(store, {"s3"}) == []


@pytest.mark.parametrize("body", [None, b"", b"PAR1"], ids=["gone", "empty", "another"])
def test_a_part_is_there_only_as_it_was_written(tmp_path: Path, body: bytes | None) -> None:
    store = FolderObjects(tmp_path)
    (part,) = write(store, [row("a")], "s1-0.0")
    assert is_there(store, part)
    store.delete(part.path)
    if body is not None:
        store.write(part.path, body)
    assert not is_there(store, part)
