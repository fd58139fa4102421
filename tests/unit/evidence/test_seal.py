"""Sealing a sweep, and reading it back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from monitor.errors import EvidenceError, IntegrityError
from monitor.evidence import checkpoint, dsse, merkle
from monitor.evidence.log import EvidenceLog
from monitor.evidence.note import Verifier
from monitor.evidence.record import LARGEST, decode_result, encode_result
from monitor.evidence.seal import begin, history, seal, unseen
from monitor.evidence.tiles import MAX_ENTRY
from monitor.model import CoverageStatus, EvidenceRef, Outcome, Result, ScopeCoverage, Window
from tests.unit.evidence import sample
from tests.unit.evidence.sample import (
    ORIGIN,
    SCOPES,
    VKEY,
    build,
    capture,
    covered,
    day,
    failed,
    results,
    signer,
    sweep,
)

ZEROS = "0" * 64


def open_log(folder: Path) -> EvidenceLog:
    return EvidenceLog.open(folder, ORIGIN, signer())


def test_sealed_says_where_each_result_lies(tmp_path: Path) -> None:
    sealed = build(tmp_path)[-1]
    assert [result for result, _, _ in sealed.results] == results(1)
    signed = checkpoint.verify(sealed.checkpoint.encode(), [Verifier.parse(VKEY)])
    assert (signed.size, signed.root.hex()) == (sealed.size, sealed.root)
    assert (tmp_path / "checkpoint").read_text() == sealed.checkpoint
    with open_log(tmp_path) as log:
        for result, index, name in sealed.results:
            record = json.loads(log.read(index))
            assert record["predicate"]["result"]["subject"] == result.subject
            assert merkle.leaf_hash(log.read(index)) == log.reader().node(0, index)
            assert name == sha256(log.read(index)).hexdigest()
        envelope = dsse.parse(log.read(sealed.manifest))
    payload = json.loads(dsse.verify(envelope, [Verifier.parse(VKEY)]))
    assert payload["predicateType"] == "https://control-monitor.example/evidence/sweep-manifest/v1"


def test_a_sweep_takes_two_appends(tmp_path: Path) -> None:
    build(tmp_path)
    # The key; then for each sweep its start, and three results with their manifest.
    assert sorted(int(path.name) for path in (tmp_path / "checkpoints").iterdir()) == [1, 2, 6, 7, 11]


def test_history_gives_everything_back(tmp_path: Path) -> None:
    sealed = build(tmp_path, sweeps=3)
    found = list(history(tmp_path))
    assert [manifest.predicate.sweep for manifest in found] == ["sweep-0", "sweep-1", "sweep-2"]
    assert [manifest.predicate.number for manifest in found] == [0, 1, 2]
    for number, manifest in enumerate(found):
        assert manifest.results() == list(sealed[number].results)
        assert manifest.coverage() == sweep(number).coverage
        assert manifest.attachment("changes.json") == b'{"sweep": %d}' % number
        assert manifest.expected() == {"cloudtrail": SCOPES}
        assert manifest.parts()[0].rows == 3
        assert manifest.body(manifest.captures()[0].sha256) == capture(number).body
        assert manifest.captures()[0].name == "cloudtrail:DescribeTrails"
        assert manifest.predicate.checks == {
            "audit-log-integrity": {"pass": 1},
            "direct-production-change": {"pass": 1, "fail": 1},
        }
        with pytest.raises(EvidenceError, match="no attachment"):
            manifest.attachment("other")


def test_history_is_empty_where_nothing_is_sealed(tmp_path: Path) -> None:
    assert list(history(tmp_path / "nowhere")) == []
    with open_log(tmp_path) as log:
        begin(log, sweep(0), {})
        assert list(history(log)) == []


def test_history_passes_over_sweeps_that_crashed(tmp_path: Path) -> None:
    build(tmp_path, sweeps=1)
    with open_log(tmp_path) as log:
        begin(log, sweep(1), {})
        begin(log, sweep(1), {})
        sample.run(log, 2)
        assert [manifest.predicate.sweep for manifest in history(log)] == ["sweep-0", "sweep-2"]


def test_history_of_a_damaged_log_is_an_integrity_error(tmp_path: Path) -> None:
    build(tmp_path)
    bundle = next((tmp_path / "tile/entries").rglob("11"))
    bundle.write_bytes(bundle.read_bytes()[:-9])
    with pytest.raises(IntegrityError):
        list(history(tmp_path))


def test_a_sweep_that_was_not_begun_or_is_sealed_is_refused(tmp_path: Path) -> None:
    build(tmp_path, sweeps=1)
    with open_log(tmp_path) as log:
        for unknown in (sweep(0), sweep(1)):
            with pytest.raises(EvidenceError, match="not begun"):
                seal(log, unknown, [], [], {}, (), ZEROS, ZEROS, "1")


def test_a_cited_capture_that_was_not_kept_is_refused(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        begin(log, sweep(0), {})
        with pytest.raises(EvidenceError, match="was not kept"):
            seal(log, sweep(0), results(0), [], {}, (), ZEROS, ZEROS, "1")
        assert log.size == 2


def test_a_capture_of_an_earlier_sweep_may_be_cited(tmp_path: Path) -> None:
    build(tmp_path, sweeps=1)
    with open_log(tmp_path) as log:
        begin(log, sweep(1), sample.EXPECTED)
        seal(log, sweep(1), results(0)[2:], [], {}, (), ZEROS, ZEROS, "1")
    assert failed(tmp_path) == set()


def test_a_time_without_a_zone_is_refused(tmp_path: Path) -> None:
    naive = Window(datetime(2026, 3, 1), datetime(2026, 3, 2, tzinfo=UTC))
    with open_log(tmp_path) as log, pytest.raises(EvidenceError, match="without a zone"):
        begin(log, sweep(0, naive, ()), {})
    with pytest.raises(EvidenceError, match="a list for each source"), open_log(tmp_path) as log:
        begin(log, sweep(0), {"cloudtrail": "aws"})


def test_a_large_sweep_keeps_its_lists_as_objects(tmp_path: Path) -> None:
    scopes = [f"aws:{account:012}:us-east-1" for account in range(3000)]
    window = day(0)
    large = sweep(0, window, [covered(window, scope) for scope in scopes])
    captures = [msgspec.structs.replace(capture(n), request={"n": "x" * 200}) for n in range(400)]
    with open_log(tmp_path) as log:
        begin(log, large, {"cloudtrail": scopes})
        attachments = {f"{n}.json": b"%d" % n for n in range(500)}
        sealed = seal(log, large, [], captures, attachments, (), ZEROS, ZEROS, "1")
        assert len(log.read(sealed.manifest)) <= MAX_ENTRY
        (manifest,) = history(log)
    assert {"coverage", "captures", "expected", "attachments"} <= set(manifest.predicate.moved)
    assert len(manifest.coverage()) == 3000
    assert len(manifest.captures()) == 400
    assert manifest.attachment("499.json") == b"499"
    assert failed(tmp_path) == set()


def test_a_result_too_large_for_an_entry_is_kept_whole(tmp_path: Path) -> None:
    refs = tuple(EvidenceRef("event", f"event-{n}", f"{n:064x}") for n in range(1000))
    plain = results(0)[0]
    hard = [
        results(0)[1],
        msgspec.structs.replace(plain, evidence=refs),
        msgspec.structs.replace(plain, subject="\x1b" * 70_000, reason="é" * 70_000, evidence=refs),
        msgspec.structs.replace(plain, observed={"n": [2**80 + n for n in range(5000)], "k" * 90_000: 1}),
        msgspec.structs.replace(plain, expected={"n": [2**80 + n for n in range(5000)]}),
        msgspec.structs.replace(plain, observed={"\0" * 100 + str(n): "\0" * 100 for n in range(900)}),
    ]
    with open_log(tmp_path) as log:
        begin(log, sweep(0), sample.EXPECTED)
        seal(log, sweep(0), hard, [], {}, (), ZEROS, ZEROS, "1")
        (manifest,) = history(log)
        assert [result for result, _, _ in manifest.results()] == hard
        assert all(len(entry) <= MAX_ENTRY for entry in log.read_range(0, log.size))
    assert failed(tmp_path) == set()


def test_a_large_result_shows_where_the_rest_lies() -> None:
    data, objects = encode_result(results(0)[1], sweep(0), 0)
    assert len(data) <= LARGEST
    shown = json.loads(data)["predicate"]["result"]["observed"]
    assert shown == {"sweep": 0, "object": sha256(objects[0]).hexdigest(), "bytes": len(objects[0])}


def test_a_record_names_its_subject_by_the_evidence_it_has() -> None:
    cites = results(0)[2]
    (subject,) = json.loads(encode_result(cites, sweep(0), 0)[0])["subject"]
    assert subject == {"name": "trail/org-trail", "digest": {"sha256": capture(0).sha256}}
    record = json.loads(encode_result(results(0)[0], sweep(0), 7)[0])
    assert record["predicate"]["seq"] == 7
    assert record["predicate"]["result"]["observed"]["bytes"] == str(2**60)
    assert record["predicate"]["numbers"] == ["/observed/bytes"]


def test_hostile_text_is_sealed_escaped() -> None:
    hostile = Result(
        check="c\ud800", subject="\udfff", outcome=Outcome.FAIL, reason="r", observed={"\ud800": ["\udc80", 2**60]}
    )
    data, _ = encode_result(hostile, sweep(0), 0)
    found = decode_result(data, lambda _: b"").result
    assert (found.check, found.subject) == ("c\\ud800", "\\udfff")
    assert found.observed == {"\\ud800": ["\\udc80", 2**60]}


def test_numbers_that_json_lacks_come_back() -> None:
    strange = Result(
        check="c",
        subject="s",
        outcome=Outcome.FAIL,
        reason="r",
        observed={"a/b~": [float("inf"), -float("inf")], "huge": 10**6000, "neg": -(10**400)},
        expected={"": {"n": 2**53 + 1}},
    )
    data, _ = encode_result(strange, sweep(0), 0)
    assert decode_result(data, lambda _: b"").result == strange


def test_values_that_are_not_json_come_back_as_their_json_form() -> None:
    odd = Result(
        check="c",
        subject="s",
        outcome=Outcome.FAIL,
        reason="r",
        observed={"t": (1, 2), "at": datetime(2026, 3, 1, tzinfo=UTC), "o": Outcome.PASS, "w": day(0)},
    )
    found = decode_result(encode_result(odd, sweep(0), 0)[0], lambda _: b"").result
    assert found.observed["t"] == [1, 2]
    assert found.observed["at"] == "2026-03-01T00:00:00Z"
    assert found.observed["o"] == "pass"


def test_what_json_cannot_hold_is_an_error_that_names_the_check() -> None:
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    for value in (object(), nested):
        bad = Result(check="my-check", subject="s", outcome=Outcome.FAIL, reason="r", observed={"v": value})
        with pytest.raises(EvidenceError, match="my-check"):
            encode_result(bad, sweep(0), 0)


def test_the_same_result_gives_the_same_bytes() -> None:
    one = msgspec.structs.replace(results(0)[0], observed={"a": 1, "b": 2})
    other = msgspec.structs.replace(results(0)[0], observed={"b": 2, "a": 1})
    assert encode_result(one, sweep(0), 0) == encode_result(other, sweep(0), 0)


def test_scopes_that_nobody_reported_on() -> None:
    expected = {"cloudtrail": ("aws:1:a", "aws:1:b", "aws:2", "aws:3:a"), "iam": ("aws:1",)}
    reports = [
        covered(day(0), "aws:1:a"),
        covered(day(0), "aws:2:x"),
        covered(day(0), "aws:3"),
        ScopeCoverage(scope="aws:11", source="iam", status=CoverageStatus.DENIED),
    ]
    assert unseen(expected, reports) == {"cloudtrail": ("aws:1:b",), "iam": ("aws:1",)}


def test_an_empty_sweep_is_sealed_too(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        begin(log, sweep(0), sample.EXPECTED, checks=("direct-production-change",))
        sealed = seal(log, sweep(0), [], [], {}, (), ZEROS, ZEROS, "1")
        (manifest,) = history(log)
    assert sealed.results == ()
    assert manifest.predicate.checks == {"direct-production-change": {}}
    assert manifest.predicate.at - manifest.predicate.window.end == timedelta(hours=2)
    assert failed(tmp_path) == set()
