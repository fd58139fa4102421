"""What an adversarial review found, mended for good: forged objects, silence, clocks, old gaps, restored copies, hostile paths."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.errors import EvidenceError
from monitor.evidence.keys import signing_key
from monitor.evidence.log import EvidenceLog
from monitor.evidence.seal import begin, seal
from monitor.example.cast import DATA_SUBJECT, PAYMENTS_SUBJECT
from monitor.facts.log_object import RetainedPart
from monitor.model import Sweep, Window
from monitor.sources.connect import connect
from monitor.sources.objects import Location
from tests.fakes import trail
from tests.fakes.buckets import Buckets
from tests.fakes.delivery import Delivery, Watched, hours, of_subject, of_write

DIRECT, PROOF, LOG = "direct-production-change", "pipeline-session-proof", "audit-log-integrity"
SCOPE = f"aws:{trail.PAYMENTS}:us-east-1"
GAP = f"{SCOPE}:log@2026-03-01T00:00Z"
BROKEN = b"\x1f\x8b\x08broken"


@pytest.fixture
def delivery(tmp_path: Path, organisation: Path) -> Delivery:
    made = Delivery(tmp_path / "delivered", organisation)
    made.tell_keys()
    return made


@pytest.fixture
def here(tmp_path: Path, delivery: Delivery) -> Watched:
    return Watched(tmp_path / "installation", delivery)


def test_a_delivery_made_by_hand_is_whole(here: Watched, delivery: Delivery) -> None:
    # What follows shows something only if the material itself is not what is found.
    delivery.put(hours(5), trail.event(hours(5), role="log-forwarder", eventSource="logs.amazonaws.com",
        eventName="CreateLogStream"))  # fmt: skip
    delivery.sign(hours(24))
    swept = here.sweep_at(hours(24))
    assert swept.complete
    assert {r.outcome.value for r in swept.results if ":identities" not in r.subject} == {"pass"}
    assert here.broken() == set()


# Objects that nobody signed for.


@pytest.mark.parametrize("signed", [True, False], ids=["signed", "forged"])
def test_an_exchange_proves_a_session_only_from_an_object_that_aws_signed(
    here: Watched, delivery: Delivery, signed: bool
) -> None:
    write = trail.event(hours(10), role="payments-deploy", session="run-1")
    exchange = trail.token_exchange(write, PAYMENTS_SUBJECT)
    delivery.put(hours(10.1), write)
    key = delivery.put(hours(9.9), exchange, signed=signed)
    delivery.sign(hours(24))
    results = here.sweep_at(hours(24)).results
    chain = of_subject(results, f"{SCOPE}:chain")
    if signed:
        assert of_write(results, write) == [(DIRECT, "pass"), (PROOF, "pass")]
        assert chain.outcome == "pass"
    else:
        assert of_write(results, write) == [(PROOF, "fail")]
        assert chain.outcome == "fail"
        assert key in str(chain.observed)
        assert of_subject(results, GAP).outcome == "unknown"


def test_a_forged_record_with_the_id_of_another_hides_nothing(here: Watched, delivery: Delivery) -> None:
    write = trail.event(hours(10))
    harmless = trail.event(hours(10), role="log-forwarder", eventSource="logs.amazonaws.com",
        eventName="CreateLogStream", eventID=write["eventID"])  # fmt: skip
    delivery.put(hours(10.1), write)
    key = delivery.put(hours(9.9), harmless, signed=False)
    delivery.sign(hours(24))
    swept = here.sweep_at(hours(24))
    assert (DIRECT, "fail") in of_write(swept.results, write)
    chain = of_subject(swept.results, f"{SCOPE}:chain")
    assert chain.outcome == "fail"
    assert key in str(chain.observed)
    (read,) = [c for c in swept.sweep.coverage if (c.source, c.scope) == ("aws.logs", SCOPE)]
    assert read.status == "partial"
    assert any("the id of another event" in gap for gap in read.gaps)
    assert of_subject(swept.results, GAP).outcome == "unknown"


# Replay, clocks, silence.


def test_a_replay_of_a_doctored_folder_moves_no_mark_and_hides_nothing(
    here: Watched, delivery: Delivery, tmp_path: Path, organisation: Path
) -> None:
    delivery.sign(hours(5))
    here.sweep_at(hours(4))
    with here.store() as store:
        marks = store.marks()
    write = trail.event(hours(10))
    key = delivery.put(hours(10.1), write)
    delivery.sign(hours(24))
    doctored = Delivery(tmp_path / "doctored", organisation)
    doctored.tell_keys()
    doctored.put(hours(10.1), trail.event(hours(10), readOnly=True, eventName="DescribeInstances"), key=key)
    doctored.sign(hours(24))
    ran = here.sweep("--replay", str(doctored.folder), "--until", "2026-03-02")
    assert ran.json["evidence"]["sealing"] is None
    with here.store() as store:
        assert store.marks() == marks
    assert len(here.manifests()) == 1
    swept = here.sweep_at(hours(24))
    assert [o.key for o in swept.record.objects] == [key]
    assert of_write(swept.results, write) == [(DIRECT, "fail")]


def test_a_clock_that_was_a_year_ahead_loses_nothing_once_it_is_right(here: Watched, delivery: Delivery) -> None:
    delivery.sign(hours(24))
    assert not here.sweep_at(hours(24 * 365)).complete
    write = trail.event(hours(30))
    delivery.put(hours(30.1), write)
    delivery.sign(hours(72))
    results = here.sweep_at(hours(48)).results
    assert of_write(results, write) == [(DIRECT, "fail")]
    last = here.sweep_at(hours(72))
    verified = sum(
        c.counts["digests"] for found in here.manifests()[1:] for c in found.coverage() if c.counts.get("digests")
    )
    assert verified >= 4 * (72 - 24), "the digests of the hours since are verified"
    assert last.complete
    assert {c.window.end for c in last.sweep.coverage if c.window and c.source == "aws.logs"} == {
        hours(72) - timedelta(minutes=20)
    }


def test_a_clock_that_was_a_day_ahead_lets_no_forged_exchange_prove_anything(here: Watched, delivery: Delivery) -> None:
    delivery.sign(hours(24))
    here.sweep_at(hours(50))
    write = trail.event(hours(30), role="payments-deploy", session="run-1")
    delivery.put(hours(29.9), trail.token_exchange(write, PAYMENTS_SUBJECT), signed=False)
    delivery.put(hours(30.1), write)
    delivery.sign(hours(72))
    results = here.sweep_at(hours(48)).results
    assert of_write(results, write) == [(PROOF, "fail")]
    assert of_subject(results, f"{SCOPE}:chain").outcome == "fail"


def test_hourly_sweeps_after_the_log_has_stopped_are_unknown(here: Watched, delivery: Delivery) -> None:
    delivery.sign(hours(5))
    told = []
    for hour in range(3, 14):
        swept = here.sweep_at(hours(hour + 0.5))
        told.append((swept.complete, of_subject(swept.results, f"{SCOPE}:log@").outcome.value))
    assert told[0] == (True, "pass")
    assert told[6:] == [(False, "unknown")] * 5, "more than three hours of silence"
    assert any(subject.startswith(f"{SCOPE}:log@") for subject in here.open_subjects())
    # What was held back until then is read after all.
    write = trail.event(hours(9))
    delivery.put(hours(9.1), write)
    delivery.sign(hours(24))
    swept = here.sweep_at(hours(24))
    assert swept.complete
    assert of_write(swept.results, write) == [(DIRECT, "fail")]


# The finding of a gap.


def test_a_region_that_appears_later_does_not_resolve_an_earlier_gap(here: Watched, delivery: Delivery) -> None:
    delivery.write(trail.key(hours(5)), BROKEN)
    delivery.sign(hours(24))
    here.sweep_at(hours(24))
    assert GAP in here.open_subjects()
    delivery.tell_keys((trail.PAYMENTS, "ap-south-1"))
    delivery.put(
        hours(26),
        trail.event(hours(26), readOnly=True, eventName="DescribeInstances", region="ap-south-1"),
        region="ap-south-1",
    )
    delivery.sign(hours(48))
    swept = here.sweep_at(hours(48))
    assert any(c.scope == f"aws:{trail.PAYMENTS}:ap-south-1" for c in swept.sweep.coverage)
    assert GAP in here.open_subjects()
    assert "coverage" in here.broken()


def test_reading_a_gap_again_does_not_resolve_it_while_it_is_one(here: Watched, delivery: Delivery) -> None:
    delivery.write(trail.key(hours(5)), BROKEN)
    delivery.sign(hours(24))
    here.sweep_at(hours(24))
    delivery.sign(hours(30))
    for hour in (30, 30.5):
        here.sweep_at(hours(hour), since=hours(0))
        assert GAP in here.open_subjects()
    assert "coverage" in here.broken()


def test_keys_that_could_not_be_had_once_verify_the_same_hours_in_the_next_sweep(
    tmp_path: Path, organisation: Path
) -> None:
    delivery = Delivery(tmp_path / "delivered", organisation)
    here = Watched(tmp_path / "installation", delivery)
    delivery.sign(hours(48))
    swept = here.sweep_at(hours(24))
    assert not swept.complete
    assert of_subject(swept.results, f"{SCOPE}:chain").outcome == "unknown"
    delivery.tell_keys()
    swept = here.sweep_at(hours(48))
    assert swept.complete
    (read,) = [c for c in swept.sweep.coverage if (c.source, c.scope) == ("aws.digests", SCOPE)]
    assert read.window
    assert read.window.start == hours(0)
    assert [subject for subject in here.open_subjects() if ":chain" in subject] == []


@pytest.mark.parametrize("denied", [False, True], ids=["allowed", "denied"])
def test_an_account_whose_regions_may_not_be_listed_is_not_read_whole(
    here: Watched, delivery: Delivery, buckets: Buckets, bucket: str, denied: bool
) -> None:
    delivery.tell_keys((trail.PAYMENTS, "ap-south-1"))
    write = trail.event(hours(3), region="ap-south-1")
    delivery.put(hours(3.1), write, region="ap-south-1")
    delivery.sign(hours(8))
    buckets.put(bucket, delivery.objects())
    here.edit("monitor.yaml", "location: captured/aws/logs", f"location: s3://{bucket}")
    if denied:
        buckets.gate.unlisted.add(f"AWSLogs/{trail.ORGANISATION}/{trail.PAYMENTS}/CloudTrail/")
    swept = here.sweep_at(hours(8))
    read = {c.scope: c for c in swept.sweep.coverage if c.source == "aws.logs"}
    if not denied:
        assert of_write(swept.results, write) == [(DIRECT, "fail")]
        assert {c.scope for c in read.values() if c.status != "complete"} == set()
        return
    mine = [c for scope, c in read.items() if f":{trail.PAYMENTS}:" in scope]
    assert {(c.status.value, "s3:ListBucket" in c.grant) for c in mine} == {("denied", True)}
    assert of_subject(swept.results, GAP).outcome == "unknown"
    assert not swept.complete
    with here.store() as store:
        assert [mark for mark in store.marks() if mark.startswith(f"aws.logs|aws:{trail.PAYMENTS}:")] == []
    # Once they may be listed, what was there all the time is found.
    buckets.gate.unlisted.clear()
    assert of_write(here.sweep_at(hours(8.5)).results, write) == [(DIRECT, "fail")]


# Copies, and what others do to the files.


def test_an_older_evidence_folder_under_a_newer_database_is_refused(here: Watched, delivery: Delivery) -> None:
    delivery.sign(hours(72))
    here.sweep_at(hours(24))
    shutil.copytree(here.evidence, here.folder / "backup")
    here.sweep_at(hours(48))
    shutil.rmtree(here.evidence)
    shutil.copytree(here.folder / "backup", here.evidence)
    before = {path: path.read_bytes() for path in here.evidence.rglob("*") if path.is_file()}
    ran = here("sweep", "--until", "2026-03-04")
    assert (ran.code, ran.output) == (4, b""), ran
    assert "older copy" in ran.errors
    assert "next:" in ran.errors
    assert {path: path.read_bytes() for path in here.evidence.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("copy", ["older", "none"])
def test_evidence_and_database_restored_delete_no_sealed_part_that_lies_elsewhere(
    here: Watched, delivery: Delivery, copy: str
) -> None:
    kept = here.folder / "kept-elsewhere"
    here.edit("monitor.yaml", 'retained: "{state}/evidence/events"', f"retained: {kept}")
    delivery.sign(hours(72))
    here.sweep_at(hours(4))
    shutil.copytree(here.state, here.folder / "older")
    delivery.put(hours(30.1), trail.event(hours(30)))
    here.sweep_at(hours(48))
    parts = {path: path.read_bytes() for path in kept.rglob("*.parquet")}
    assert parts
    key = here.key.read_bytes()
    shutil.rmtree(here.state)
    if copy == "older":
        shutil.copytree(here.folder / "older", here.state)
    else:
        here.key.parent.mkdir(parents=True)
        here.key.write_bytes(key)
        here.key.chmod(0o600)
    here.sweep_at(hours(6))
    assert {path: path.read_bytes() for path in kept.rglob("*.parquet")} == parts


def test_a_part_that_vanishes_between_scan_and_seal_stops_the_sweep(here: Watched, delivery: Delivery) -> None:
    write = trail.event(hours(10))
    delivery.put(hours(10.1), write)
    delivery.sign(hours(24))

    def lose(step: str, done: int, total: int) -> None:
        if step == "judging":
            for path in (here.evidence / "events").rglob("*.parquet"):
                path.unlink()

    with pytest.raises(EvidenceError, match="before they were sealed"):
        here.sweep_at(hours(24), progress=lose)
    assert here.manifests() == []
    assert here.findings() == {}
    assert of_write(here.sweep_at(hours(24.5)).results, write) == [(DIRECT, "fail")]
    assert here.broken() == set()


def test_an_event_of_the_year_one_stops_nothing(here: Watched, delivery: Delivery) -> None:
    write = trail.event(hours(10))
    key = delivery.put(hours(10.1), trail.event(hours(10), eventTime="0001-01-01T00:00:00Z"), write)
    delivery.sign(hours(48))
    swept = here.sweep_at(hours(24))
    assert of_write(swept.results, write) == [(DIRECT, "fail")]
    assert [o.key for o in swept.record.objects if o.damage] == [key]
    assert of_subject(swept.results, GAP).outcome == "unknown"
    here.sweep_at(hours(48))
    assert GAP in here.open_subjects()


def test_a_dangling_link_in_the_log_is_a_gap(here: Watched, delivery: Delivery) -> None:
    write = trail.event(hours(10))
    delivery.put(hours(10.1), write)
    key = trail.key(hours(11))
    (delivery.logs / key).symlink_to(here.folder / "nowhere")
    delivery.sign(hours(24))
    swept = here.sweep_at(hours(24))
    assert of_write(swept.results, write) == [(DIRECT, "fail")]
    (read,) = [c for c in swept.sweep.coverage if (c.source, c.scope) == ("aws.logs", SCOPE)]
    assert read.status != "complete"
    assert any(gap.startswith(key) for gap in read.gaps)
    assert of_subject(swept.results, GAP).outcome == "unknown"


@pytest.mark.parametrize("where", ["../x", "/x", "account=1/../../x"])
def test_evidence_that_names_a_part_outside_its_folder_writes_nothing_there(
    here: Watched,
    buckets: Buckets,
    bucket: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    scratch = tmp_path / "outer" / "scratch"
    scratch.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    path = where.replace("/x", f"{tmp_path}/outer/x") if where.startswith("/") else where
    sweep = Sweep(id="hostile", planned_for=hours(1), at=hours(1), window=Window(hours(0), hours(1)))
    part = RetainedPart(path=path, sha256=hashlib.sha256(b"x").hexdigest(), rows=1, size=1, account="", day="")
    origin = "evidence.example.com/controls"
    with EvidenceLog.open(here.evidence, origin, signing_key(here.key, origin).signer) as log:
        begin(log, sweep, {})
        seal(log, sweep, [], [], {}, [part], "0" * 64, "0" * 64, "0")
    here.edit("monitor.yaml", 'retained: "{state}/evidence/events"', f"retained: s3://{bucket}/kept")
    # The bucket would give it: an object's key may hold anything.
    store = connect(Location.parse(f"s3://{bucket}/kept"))
    store.write(path, b"x")
    assert store.read(path) == b"x"
    before = {there for there in tmp_path.rglob("*") if not there.is_relative_to(here.state)}
    ran = here("evidence", "verify", "--format", "json")
    assert ran.code == 4, ran
    assert any(path in problem for level in ran.json for problem in level["problems"])
    assert {made for made in tmp_path.rglob("*") if not made.is_relative_to(here.state)} == before


# Chains of credentials.


def test_a_chain_whose_first_hop_has_expired_between_two_sweeps_is_still_proven(
    here: Watched, delivery: Delivery
) -> None:
    first = trail.event(hours(10.5), account=trail.DATA, role="data-deploy", session="run-7")
    hub = trail.event(hours(10.3), account=trail.TOOLING, role="pipeline-hub", session="run-7")
    later = trail.event(hours(11.4), account=trail.DATA, userIdentity=first["userIdentity"])
    delivery.put(hours(10.2), trail.token_exchange(hub, DATA_SUBJECT), account=trail.TOOLING)
    delivery.put(hours(10.55), trail.role_taken(first, hub), first, account=trail.DATA)
    delivery.sign(hours(11))
    proven = [(DIRECT, "pass"), (PROOF, "pass")]
    assert of_write(here.sweep_at(hours(11.1)).results, first) == proven
    delivery.put(hours(11.5), later, account=trail.DATA)
    delivery.sign(hours(13))
    assert of_write(here.sweep_at(hours(13)).results, later) == proven
