"""Reading log objects to their end: counts that add up, facts with their evidence, and damage that is told."""

from __future__ import annotations

import gzip
import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.example import cast, exchanges
from monitor.example.records import Record
from monitor.facts.session import session_id, stem
from monitor.sources.aws.scan import Task, scan
from monitor.sources.objects import FolderObjects, Location, ObjectInfo
from monitor.sources.retained import of_sessions
from monitor.sources.scanned import Scanned
from tests.unit.decode.samples import (
    AT,
    CHANCE,
    by_service,
    call,
    compact,
    log_file,
    person,
    pipeline,
    read,
    session,
    without,
)

WORKER = session("ec2-worker", "i-0abc12345678def90")
COUNTED = ("reads", "attempts", "data_events", "service_writes", "telemetry", "writes", "exchanges", "elsewhere")


def scanned(folder: Path, *contents: bytes, account: str = cast.PAYMENTS, zipped: bool = True, **over: Any) -> Scanned:
    """Scan objects with these contents; they lie in the folder under `logs`, what is retained under `kept`."""
    store = FolderObjects(folder / "logs")
    listed = []
    for number, content in enumerate(contents):
        body = gzip.compress(content, mtime=0) if zipped else content
        store.write(f"{number}.json.gz", body)
        listed.append((f"aws:{account}:us-east-1", account, ObjectInfo(f"{number}.json.gz", len(body))))
    values: dict[str, Any] = {
        "name": "s1.0",
        "logs": Location(folder=str(folder / "logs")),
        "retained": Location(folder=str(folder / "kept")),
        "objects": tuple(listed),
        "production": frozenset(cast.PRODUCTION),
        "log_buckets": frozenset({cast.BUCKET}),
        **over,
    }
    return scan(Task(**values))


MIXED: list[Record] = [
    read(),
    read(errorCode="AccessDenied"),
    call(),
    call("ecs:UpdateService", person()),
    call("ec2:RunInstances", errorCode="UnauthorizedOperation"),
    call("ec2:RunInstances", errorCode="Client.DryRunOperation"),
    call("s3:PutObject", managementEvent=False, eventCategory="Data"),
    call("kms:Encrypt"),
    call("ssm:UpdateInstanceInformation", WORKER),
    by_service(),
    by_service("kms:RotateKey", eventType="AwsServiceEvent"),
    exchanges.web_identity(CHANCE, pipeline(), cast.PAYMENTS_SUBJECT),
    exchanges.console_login(CHANCE, person()),
    without(call("ec2:DescribeInstances"), "readOnly"),
]


def test_every_record_is_counted_once_and_in_its_place(tmp_path: Path) -> None:
    found = scanned(tmp_path, log_file(*MIXED))
    (told,) = found.objects
    counts = {name: getattr(told, name) for name in COUNTED}
    assert counts == {
        "reads": 3,
        "attempts": 2,
        "data_events": 2,
        "service_writes": 2,
        "telemetry": 1,
        "writes": 2,
        "exchanges": 2,
        "elsewhere": 0,
    }
    assert sum(counts.values()) == told.events == len(MIXED)
    assert told.damage == ""


@pytest.mark.parametrize("separator", [b",", b", ", b" ,\n"])
def test_counts_do_not_depend_on_how_the_file_is_written(tmp_path: Path, separator: bytes) -> None:
    one = scanned(tmp_path / "a", log_file(*MIXED)).objects[0]
    other = scanned(tmp_path / "b", log_file(*MIXED, between=separator)).objects[0]
    assert [getattr(one, name) for name in COUNTED] == [getattr(other, name) for name in COUNTED]


def test_the_object_is_told_by_its_digests_sizes_and_times(tmp_path: Path) -> None:
    content = log_file(*MIXED)
    body = gzip.compress(content, mtime=0)
    (told,) = scanned(tmp_path, content).objects
    assert (told.sha256, told.size) == (hashlib.sha256(body).hexdigest(), len(body))
    assert (told.content_sha256, told.raw_size) == (hashlib.sha256(content).hexdigest(), len(content))
    assert (told.first, told.last) == (AT, AT + timedelta(minutes=3))


def test_facts_cite_the_object_and_the_exact_bytes_are_retained(tmp_path: Path) -> None:
    content = log_file(*MIXED)
    found = scanned(tmp_path, content)
    digest = hashlib.sha256(gzip.compress(content, mtime=0)).hexdigest()
    cited = [event.evidence for event in found.events] + [exchange.evidence for exchange in found.exchanges]
    assert {(ref.kind, ref.name, ref.sha256) for ref in cited if ref} == {("log-object", "0.json.gz", digest)}
    kept = kept_of(tmp_path, found)
    assert sorted(raw for *_, raw in kept) == sorted(compact(record) for record in (MIXED[2], MIXED[3]))
    assert {(key, sha256) for _, key, sha256, _ in kept} == {("0.json.gz", digest)}
    written = {hashlib.sha256(compact(record)).hexdigest() for record in (MIXED[2], MIXED[3])}
    assert {event.sha256 for event in found.events} == written


@pytest.mark.parametrize("end", [b" ]}", b"\n]}"])
def test_retained_bytes_are_the_record_without_what_surrounds_it(tmp_path: Path, end: bytes) -> None:
    found = scanned(tmp_path, log_file(MIXED[2], MIXED[3], between=b" ,", end=end))
    kept = kept_of(tmp_path, found)
    assert sorted(raw for *_, raw in kept) == sorted(compact(record) for record in (MIXED[2], MIXED[3]))


def test_records_of_an_account_that_is_not_production_are_elsewhere_but_exchanges_are_kept(tmp_path: Path) -> None:
    hub = session("pipeline-hub", account=cast.TOOLING, federated=True)
    records = [
        read(who=hub),
        call(who=hub),
        exchanges.web_identity(CHANCE, hub, cast.DATA_SUBJECT),
        call("cloudtrail:StopLogging", hub),
        call("s3:PutBucketPolicy", hub, request={"bucketName": cast.BUCKET}),
        call("s3:PutBucketPolicy", hub, request={"bucketName": "another"}),
    ]
    found = scanned(tmp_path, log_file(*records), account=cast.TOOLING)
    assert found.objects[0].elsewhere == 2
    assert [event.action for event in found.events] == ["cloudtrail:StopLogging", "s3:PutBucketPolicy"]
    assert all(event.blinds for event in found.events)
    assert len(found.exchanges) == 1


def test_a_record_that_names_no_recipient_belongs_to_the_account_whose_folder_it_lies_in(tmp_path: Path) -> None:
    # Whoever calls from another account is told by userIdentity.accountId: that is not where the write was made.
    stranger = session("operator", account=cast.TOOLING)
    found = scanned(tmp_path, log_file(call("s3:PutBucketPolicy", stranger, recipientAccountId=...)))
    assert [event.account for event in found.events] == [cast.PAYMENTS]


def test_a_service_that_blinds_the_log_is_an_event_and_is_told_as_a_service(tmp_path: Path) -> None:
    events = [
        by_service("cloudtrail:StopLogging", "cloudtrail"),
        call("cloudtrail:StopLogging", {"accountId": cast.PAYMENTS}, eventType="AwsServiceEvent"),
    ]
    found = scanned(tmp_path, log_file(*events))
    assert [bool(event.blinds) for event in found.events] == [True, True]
    assert [bool(event.actor.service) for event in found.events] == [True, True]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "empty"),
        (b"not gzip", "not gzip"),
        (gzip.compress(log_file(*MIXED), mtime=0)[:-20], "gzip"),
        (gzip.compress(log_file(*MIXED), mtime=0) + b"tail", "after the end"),
        (gzip.compress(b"<html>403</html>", mtime=0), "not a CloudTrail log file"),
        (gzip.compress(b"", mtime=0), "not a CloudTrail log file"),
        (gzip.compress(log_file(*MIXED)[:-40], mtime=0), "not a CloudTrail log file"),
        (gzip.compress(log_file({**MIXED[2], "readOnly": "x"}), mtime=0), "1 of 1 records"),
        (gzip.compress(log_file({**MIXED[2], "eventTime": "x"}), mtime=0), "1 of 1 records"),
        (gzip.compress(log_file({**MIXED[2], "eventName": ""}), mtime=0), "1 of 1 records"),
    ],
)  # fmt: skip
def test_damage_is_told_and_never_raises(tmp_path: Path, body: bytes, told: str) -> None:
    found = scanned(tmp_path, body, gzip.compress(log_file(MIXED[2]), mtime=0), zipped=False)
    assert told in found.objects[0].damage
    assert found.objects[1].damage == ""
    assert compact(MIXED[2]) in [raw for *_, raw in kept_of(tmp_path, found)]


def kept_of(folder: Path, found: Scanned) -> list[tuple[str, str, str, bytes]]:
    return of_sessions(FolderObjects(folder / "kept"), found.parts, {stem(session_id(e)) for e in found.events})


def test_an_object_that_is_larger_than_allowed_is_damage(tmp_path: Path) -> None:
    found = scanned(tmp_path, log_file(*MIXED), log_file(MIXED[2]), limit=len(log_file(MIXED[2])))
    assert "more than" in found.objects[0].damage
    assert found.objects[1].damage == ""


def test_an_object_that_is_gone_is_unread_and_the_others_are_read(tmp_path: Path) -> None:
    gone = (f"aws:{cast.PAYMENTS}:us-east-1", cast.PAYMENTS, ObjectInfo("gone.json.gz", 10))
    body = gzip.compress(log_file(MIXED[2]), mtime=0)
    FolderObjects(tmp_path / "logs").write("0.json.gz", body)
    there = (*gone[:2], ObjectInfo("0.json.gz", len(body)))
    for threads in (1, 4):
        found = scanned(tmp_path, objects=(gone, there), threads=threads)
        assert [(key, kind) for _, key, kind, _, _ in found.unread] == [("gone.json.gz", "Unavailable")]
        assert [o.key for o in found.objects] == ["0.json.gz"]


def test_after_a_break_a_record_may_accuse_and_may_not_prove(tmp_path: Path) -> None:
    token = exchanges.web_identity(CHANCE, pipeline(), cast.PAYMENTS_SUBJECT)
    found = scanned(tmp_path, log_file(MIXED[2], b'{"eventVersion":!', MIXED[3], token))
    assert len(found.events) == 2
    assert (found.exchanges, found.untrusted) == ([], [token["responseElements"]["credentials"]["accessKeyId"]])
    assert found.objects[0].damage


def test_an_instance_is_told_by_how_it_got_its_credentials_not_by_the_name_of_the_session(tmp_path: Path) -> None:
    taken = session("ec2-worker", WORKER.name).identity()
    del taken["sessionContext"]["ec2RoleDelivery"]
    beat = "ssm:UpdateInstanceInformation"
    found = scanned(tmp_path, log_file(*[call(beat, WORKER)] * 3, *[call(beat, taken), call(beat, taken)]))
    assert (found.objects[0].telemetry, found.objects[0].writes) == (3, 2)
    assert [event.actor.session_name for event in found.events] == [WORKER.name] * 2


def test_an_event_with_the_id_of_another_and_other_bytes_is_kept_beside_it(tmp_path: Path) -> None:
    other = {**MIXED[2], "sourceIPAddress": "203.0.113.9"}
    found = scanned(tmp_path, log_file(MIXED[2], other, MIXED[2]))
    assert [event.source_ip for event in found.events] == [MIXED[2]["sourceIPAddress"], "203.0.113.9"]
    assert sorted(raw for *_, raw in kept_of(tmp_path, found)) == sorted([compact(MIXED[2]), compact(other)])
    assert found.repeated == 1


HOSTILE: dict[str, Any] = {
    "a start before the calendar": {"creationDate": "0001-01-01T00:00:00+14:00"},
    "a start after the calendar": {"creationDate": "9999-12-31T23:59:59-12:00"},
    "a time before the calendar": {"eventTime": "0001-01-01T00:00:00+14:00"},
    "a time after the calendar": {"eventTime": "9999-12-31T23:59:59-12:00"},
    "the first moment": {"eventTime": "0001-01-01T00:00:00Z"},
    "the last moment": {"eventTime": "9999-12-31T23:59:59Z"},
    "the last moment, for credentials without an end": {
        "eventTime": "9999-12-31T23:59:59Z",
        "responseElements": {"credentials": {"accessKeyId": "ASIAEXAMPLEEXAMPLE09"}},
    },
    "an account that climbs": {"recipientAccountId": "../../../outside"},
    "an account with a slash": {"recipientAccountId": "a/b"},
    "an account with a null byte": {"recipientAccountId": "1111\x002222"},
    "an account that is very long": {"recipientAccountId": "1" * 5000},
    "an account that is an equals sign": {"recipientAccountId": "day=2026"},
    "an account with a line end": {"recipientAccountId": "1\n2"},
    "a name of a target that is no UTF-8": {"requestParameters": {"bucketName": "BAD"}},
    "a name of a trail that is no UTF-8": {"requestParameters": {"name": "BAD"}},
    "a region that is a path": {"awsRegion": "../x"},
    "an id that is very long": {"eventID": "x" * 100_000},
    "an id that is a path": {"eventID": "../../x"},
    "a duration that is very long": {"requestParameters": {"durationSeconds": 2**80}},
    "a duration below nothing": {"requestParameters": {"durationSeconds": -(2**70)}},
    "an answer that is a list": {"responseElements": [1]},
    "credentials that are a string": {"responseElements": {"credentials": "x"}},
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("name", ["exchange", "write", "blinding"])
def test_nothing_that_a_record_holds_makes_a_scan_raise_or_write_elsewhere(
    tmp_path: Path, case: str, name: str
) -> None:
    event = {
        "exchange": exchanges.web_identity(CHANCE, pipeline(), cast.PAYMENTS_SUBJECT),
        "write": call("s3:PutBucketPolicy", person()),
        "blinding": call("cloudtrail:StopLogging", person()),
    }[name]
    change = dict(HOSTILE[case])
    if "creationDate" in change:
        identity = person().identity()
        identity["sessionContext"]["attributes"] = change
        change = {"userIdentity": identity}
    hostile = compact({**event, **change}).replace(b'"BAD"', b'"\xff\xfe"')
    found = scanned(tmp_path, log_file(hostile, MIXED[2]))
    assert MIXED[2]["eventID"] in [e.id for e in found.events]
    assert {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*")} == {"logs", "kept"}
    for part in found.parts:
        account, day, file = part.path.split("/")
        assert account.startswith("account=")
        assert day.startswith("day=")
        assert file.endswith(".parquet")
