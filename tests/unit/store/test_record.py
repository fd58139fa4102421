"""The record of a sweep survives being sealed, and reading it costs no database library."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import EvidenceError, IntegrityError
from monitor.facts.change import Actor, TokenExchange
from monitor.facts.log_object import LogObject, RetainedPart
from monitor.facts.remembered import Remembered
from monitor.model import CoverageStatus, EvidenceRef, ScopeCoverage, Sweep, Window
from monitor.store.record import SweepRecord
from monitor.store.text import encode_json

MOMENTS = st.datetimes(timezones=st.just(UTC))
WORDS = st.text(max_size=8)
COUNTS = st.integers(0, 2**53)
JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
WINDOWS = st.builds(Window, MOMENTS, MOMENTS)
COVERAGE = st.builds(
    ScopeCoverage,
    scope=WORDS,
    source=WORDS,
    status=st.sampled_from(CoverageStatus),
    window=st.none() | WINDOWS,
    reason=WORDS,
    counts=st.dictionaries(WORDS, COUNTS, max_size=2),
    gaps=st.lists(WORDS, max_size=2).map(tuple),
)
OBJECTS = st.builds(
    LogObject,
    key=WORDS,
    scope=WORDS,
    sha256=WORDS,
    events=COUNTS,
    first=st.none() | MOMENTS,
    last=st.none() | MOMENTS,
    damage=WORDS,
)
ACTORS = st.builds(Actor, name=WORDS, principals=st.lists(WORDS, max_size=2).map(tuple), mfa=st.none() | st.booleans())
EXCHANGES = st.builds(
    TokenExchange,
    id=WORDS,
    time=MOMENTS,
    account=WORDS,
    kind=st.sampled_from(("web-identity", "saml", "role")),
    subject=WORDS,
    source=ACTORS,
    expires=st.none() | MOMENTS,
    evidence=st.none() | st.builds(EvidenceRef, WORDS, WORDS, WORDS),
)
PARTS = st.builds(RetainedPart, path=WORDS, sha256=WORDS, rows=COUNTS, size=COUNTS, account=WORDS, day=WORDS)
REMEMBERED = st.builds(
    Remembered,
    kind=WORDS,
    id=WORDS,
    subject=WORDS,
    at=MOMENTS,
    body=JSON_VALUES.map(encode_json).map(msgspec.Raw),
)
SWEEPS = st.builds(
    Sweep,
    id=WORDS,
    planned_for=MOMENTS,
    at=MOMENTS,
    window=WINDOWS,
    coverage=st.lists(COVERAGE, max_size=2).map(tuple),
)
RECORDS = st.builds(
    SweepRecord,
    sweep=SWEEPS,
    object_source=WORDS,
    objects=st.lists(OBJECTS, max_size=2).map(tuple),
    exchanges=st.lists(EXCHANGES, max_size=2).map(tuple),
    marks=st.dictionaries(WORDS, MOMENTS, max_size=2),
    parts=st.lists(PARTS, max_size=2).map(tuple),
    notes=st.dictionaries(WORDS, JSON_VALUES, max_size=2),
    remembered=st.lists(REMEMBERED, max_size=2).map(tuple),
)


@given(RECORDS)
def test_a_record_reads_back_as_it_was_and_to_the_same_bytes(record: SweepRecord) -> None:
    sealed = record.encode()
    assert SweepRecord.decode(sealed) == record
    assert SweepRecord.decode(sealed).encode() == sealed


def test_the_order_of_marks_does_not_change_the_bytes() -> None:
    early, late = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
    sweep = Sweep(id="s", planned_for=late, at=late, window=Window(early, late))
    one = SweepRecord(sweep=sweep, object_source="cloudtrail", marks={"a": early, "b": late})
    other = SweepRecord(sweep=sweep, object_source="cloudtrail", marks={"b": late, "a": early})
    assert one.encode() == other.encode()


def test_a_lone_surrogate_is_sealed_visibly_instead_of_stopping_the_sweep() -> None:
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    sweep = Sweep(id="s", planned_for=moment, at=moment, window=Window(moment, moment))
    read = LogObject(key="logs/\udcff.gz", scope="aws:111122223333:eu-west-1")
    record = SweepRecord(sweep=sweep, object_source="cloudtrail", objects=(read,), notes={"\ud800": 1})
    decoded = SweepRecord.decode(record.encode())
    assert decoded.objects[0].key == "logs/\ufffd.gz"
    assert decoded.notes == {"\ufffd": 1}


def test_a_record_that_was_sealed_before_anything_was_remembered_can_be_read() -> None:
    old = (
        b'{"sweep":{"id":"s","planned_for":"2026-03-01T00:00:00Z","at":"2026-03-01T00:00:00Z",'
        b'"window":{"start":"2026-03-01T00:00:00Z","end":"2026-03-01T00:00:00Z"},"coverage":[]},'
        b'"object_source":"cloudtrail","objects":[],"exchanges":[],"marks":{},"parts":[],"notes":{}}'
    )
    assert SweepRecord.decode(old) == _remembering()


@pytest.mark.parametrize(
    ("body", "sealed"),
    [
        (b' {"b": 1, "a": 1.0}\n', b'{"b": 1, "a": 1.0}'),
        (rb'{"b": "\ud800", "a": "\u0000"}', b'{"a":"\\u0000","b":"\xef\xbf\xbd"}'),
        (b'["\xed\xa0\x80 \x1b"]', b'["\xef\xbf\xbd \\u001b"]'),
        (rb'"\u2400 \u0000"', rb'"\u2400 \u0000"'),
    ],
)
@pytest.mark.parametrize("id", ["plain", "\ud800"])
def test_a_body_is_sealed_so_that_it_can_be_read(body: bytes, sealed: bytes, id: str) -> None:
    whole = _remembering(_remembered(body, id), _remembered(b"[]"))
    decoded = SweepRecord.decode(whole.encode())
    assert bytes(decoded.remembered[0].body) == sealed
    assert decoded.remembered[0].id == id.replace("\ud800", "\ufffd")
    assert decoded.remembered[1] == _remembered(b"[]")
    assert decoded.encode() == whole.encode()


@pytest.mark.parametrize("body", [b"", b"nonsense", b'"\xff"', b'{},"kind":"forged"', b"[" * 100_000])
def test_a_body_that_is_no_json_is_never_sealed(body: bytes) -> None:
    with pytest.raises(EvidenceError, match=r"github\.change 'the culprit' cannot be remembered"):
        _remembering(_remembered(b"{}"), _remembered(body, "the culprit")).encode()


@pytest.mark.parametrize("damaged", [b"", b"{", b"[]", b'{"sweep": 1}', b"\xff\xfe", b"[" * 100_000, b'"\\ud800"'])
def test_bytes_that_are_no_record_are_an_integrity_error(damaged: bytes) -> None:
    with pytest.raises(IntegrityError, match="sealed sweep record") as raised:
        SweepRecord.decode(damaged)
    assert "verify" in raised.value.todo


def test_the_record_is_read_without_loading_a_database_library() -> None:
    program = (
        "import sys, monitor.store, monitor.store.record, monitor.store.reconcile, monitor.store.views;"
        "print([name for name in ('sqlmodel', 'sqlalchemy', 'alembic', 'psycopg') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert said.strip() == "[]"


def _remembered(body: bytes, id: str = "an id") -> Remembered:
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    return Remembered(kind="github.change", id=id, subject="github:repository:1042", at=moment, body=msgspec.Raw(body))


def _remembering(*remembered: Remembered) -> SweepRecord:
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    sweep = Sweep(id="s", planned_for=moment, at=moment, window=Window(moment, moment))
    return SweepRecord(sweep=sweep, object_source="cloudtrail", remembered=remembered)
