"""The example organisation: every case is planted, every object is as it should be, and the digests verify on their own."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from monitor.example.__main__ import main
from monitor.example.organisation import write_organisation
from monitor.example.records import KEY_ORDER

MONTH = (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
BUCKET = "example-org-trail"
CASES = {
    "read-only", "read-only-denied", "read-only-no-flag", "sign-in", "credential-issuing", "s3-data-event",
    "kms-encryption", "network-activity", "ssm-telemetry", "telemetry-by-person", "dry-run", "attempt",
    "not-production", "aws-service-event", "aws-service", "service-linked-role", "service-linked-name-only",
    "trusted-forwarder", "trusted-forwarder-other-action", "pipeline-web-identity", "pipeline-other-region",
    "pipeline-started-day-before", "pipeline-nested-read-only", "pipeline-role-chain", "pipeline-codebuild",
    "pipeline-codebuild-by-person", "pipeline-assumed-by-person", "pipeline-pull-request-subject",
    "pipeline-exchange-absent", "pipeline-before-window", "pipeline-exchange-in-damaged-object",
    "cloudformation-for-pipeline", "cloudformation-for-pipeline-keyless", "cloudformation-for-person",
    "session-name-as-pipeline", "role-name-other-case", "console-forty-writes", "console-invoked-by-signin",
    "root-write", "iam-user-key", "user-agent-terraform", "person-nested-read-only", "break-glass-in-emergency",
    "break-glass-outside", "standard-change", "standard-change-expired", "standard-change-other-action",
    "event-without-arn", "event-without-type", "user-identity-null", "write-without-read-only", "unknown-event-name",
    "hostile-strings", "stop-logging-by-root", "event-selectors-by-pipeline", "duplicate-delivery", "late-object",
    "damaged-object", "bad-record", "digest-gap", "altered-log-file", "strangers",
}  # fmt: skip


class Example:
    """The written example, read back with nothing but the standard library."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.truth: list[dict[str, Any]] = json.loads((root / "truth.json").read_text())
        self.logs = {
            path.relative_to(root / "logs").as_posix(): path for path in (root / "logs").rglob("*_CloudTrail_*.gz")
        }
        self.damaged = self.told("damaged-object")[0]["objects"][0]
        self.records: dict[str, list[dict[str, Any]]] = {}
        for key, path in self.logs.items():
            if key != self.damaged:
                self.records[key] = json.loads(gzip.decompress(path.read_bytes()))["Records"]
        self.events = {r["eventID"]: r for held in self.records.values() for r in held}

    def told(self, case: str) -> list[dict[str, Any]]:
        return [entry for entry in self.truth if entry["case"] == case]

    def event(self, case: str) -> dict[str, Any]:
        return self.events[self.told(case)[0]["event_ids"][0]]


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Example:
    root = tmp_path_factory.mktemp("organisation")
    write_organisation(root, 19)
    return Example(root)


def test_truth_covers_every_case(example: Example) -> None:
    assert {e["case"] for e in example.truth if not e["case"].startswith("background-")} == CASES
    outcomes = {(entry["check"], entry["outcome"]) for entry in example.truth}
    for outcome in ("pass", "fail", "not-applicable"):
        assert ("direct-production-change", outcome) in outcomes
    for outcome in ("pass", "fail", "unknown"):
        assert ("pipeline-session-proof", outcome) in outcomes
    assert {"normal", "standard", "emergency", "direct"} <= {entry["class"] for entry in example.truth}


def test_the_events_and_objects_that_truth_names_are_there(example: Example) -> None:
    for entry in example.truth:
        assert all(event_id in example.events for event_id in entry["event_ids"]), entry["case"]
        assert all((example.root / "logs" / key).is_file() for key in entry["objects"]), entry["case"]
        for event_id in entry["event_ids"]:
            held = {key for key, records in example.records.items() for r in records if r["eventID"] == event_id}
            assert held <= set(entry["objects"])


def test_every_log_object_parses_but_the_one_that_is_cut_short(example: Example) -> None:
    with pytest.raises(EOFError):
        gzip.decompress(example.logs[example.damaged].read_bytes())
    assert all(example.records.values())
    assert 9_000 < sum(map(len, example.records.values())) < 14_000
    assert 900 < len(example.logs) < 1_400


def test_objects_stand_where_aws_puts_them(example: Example) -> None:
    for key, records in example.records.items():
        parts = key.split("/")
        account, region, moment, _ = parts[-1].replace("_CloudTrail", "").split("_")
        assert parts[:5] == ["AWSLogs", "o-exampleorgid", account, "CloudTrail", region]
        assert "".join(parts[5:8]) == moment[:8]
        for record in records:
            if isinstance(record["eventID"], str):
                assert (record["recipientAccountId"], record["awsRegion"]) == (account, region)


def test_keys_stand_in_aws_order(example: Example) -> None:
    place = {key: number for number, key in enumerate(KEY_ORDER)}
    for record in example.events.values():
        if isinstance(record["eventID"], str):
            numbers = [place[key] for key in record]
            assert numbers == sorted(numbers)


def test_only_the_duplicate_is_delivered_twice(example: Example) -> None:
    seen = Counter(r["eventID"] for records in example.records.values() for r in records)
    assert [event_id for event_id, times in seen.items() if times > 1] == example.told("duplicate-delivery")[0][
        "event_ids"
    ]
    assert len(example.told("duplicate-delivery")[0]["objects"]) == 2


def test_only_planted_people_write_in_production(example: Example) -> None:
    told = {event_id for entry in example.truth for event_id in entry["event_ids"]}
    for event_id, record in example.events.items():
        identity = record.get("userIdentity")
        if not isinstance(identity, dict):
            continue
        role = identity.get("sessionContext", {}).get("sessionIssuer", {}).get("userName", "")
        person = role.startswith("AWSReservedSSO") or identity.get("type") in ("Root", "IAMUser")
        if person and record.get("readOnly") is False:
            assert event_id in told or record["eventName"] == "ConsoleLogin"


def test_traps_are_as_the_cases_say(example: Example) -> None:
    assert "arn" not in example.event("event-without-arn")["userIdentity"]
    assert "type" not in example.event("event-without-type")["userIdentity"]
    assert example.event("user-identity-null")["userIdentity"] is None
    assert "readOnly" not in example.event("write-without-read-only")
    assert "type" not in example.event("aws-service-event")["userIdentity"]
    assert example.event("late-object")["eventTime"].startswith("2026-03-05")
    assert "/2026/03/07/" in example.told("late-object")[0]["objects"][0]
    assert len(example.told("console-forty-writes")[0]["event_ids"]) == 40
    assert (
        len(
            {
                example.events[i]["userIdentity"]["accessKeyId"]
                for i in example.told("console-forty-writes")[0]["event_ids"]
            }
        )
        == 1
    )
    hostile = example.event("hostile-strings")
    assert len(hostile["userAgent"]) == 5120
    for text in ("=HYPERLINK", "<script>", "<!channel>", "\x1b[2J", "\u202e"):
        assert text in hostile["userAgent"]
    chain = example.event("pipeline-role-chain")["userIdentity"]
    shared = defaultdict(set)
    for record in example.events.values():
        if record["eventName"] == "AssumeRole" and record.get("sharedEventID"):
            assert record["responseElements"]["credentials"]["accessKeyId"] == chain["accessKeyId"]
            shared[record["sharedEventID"]].add(record["recipientAccountId"])
    assert list(shared.values()) == [{"777788889999", "444455556666"}]


def test_a_session_from_the_day_before_is_near_its_twelve_hours(example: Example) -> None:
    event = example.event("pipeline-started-day-before")
    began = datetime.fromisoformat(event["userIdentity"]["sessionContext"]["attributes"]["creationDate"])
    lasted = datetime.fromisoformat(event["eventTime"]) - began
    assert timedelta(hours=11, minutes=30) < lasted < timedelta(hours=12)


def test_unseen_exchanges_are_not_in_the_log(example: Example) -> None:
    text = {key: path.read_bytes() for key, path in example.logs.items()}
    assert example.damaged in text
    for case in ("pipeline-exchange-absent", "pipeline-before-window", "pipeline-exchange-in-damaged-object"):
        access_key = example.event(case)["userIdentity"]["accessKeyId"]
        issued = [r for r in example.events.values() if str(r["eventName"]).startswith("AssumeRole")]
        assert issued
        assert not any(r["responseElements"]["credentials"]["accessKeyId"] == access_key for r in issued)


def verify(digest: dict[str, Any], raw: bytes, signature: str, key: rsa.RSAPublicKey) -> bool:
    """Judge a digest by AWS's documentation, with no code of the generator."""
    previous = digest["previousDigestSignature"] or "null"
    place = f"{digest['digestS3Bucket']}/{digest['digestS3Object']}"
    text = "\n".join((digest["digestEndTime"], place, hashlib.sha256(raw).hexdigest(), previous))
    try:
        key.verify(bytes.fromhex(signature), text.encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def public_keys(root: Path) -> dict[tuple[str, str], rsa.RSAPublicKey]:
    found = {}
    for line in (root / "api" / "index.jsonl").read_text().splitlines():
        capture = json.loads(line)
        if capture["name"] == "cloudtrail:ListPublicKeys":
            body = (root / "api/objects/sha256" / capture["sha256"][:2] / capture["sha256"]).read_bytes()
            _, account, region = capture["scope"].split(":")
            der = base64.b64decode(json.loads(body)["PublicKeyList"][0]["Value"])
            key = serialization.load_der_public_key(der)
            assert isinstance(key, rsa.RSAPublicKey)
            found[account, region] = key
    return found


def test_digests_tile_the_month_and_verify_by_an_independent_reading(example: Example) -> None:
    logs = example.root / "logs"
    keys = public_keys(example.root)
    chains: dict[tuple[str, str], list[tuple[str, bytes, dict[str, Any]]]] = defaultdict(list)
    for path in logs.rglob("*_CloudTrail-Digest_*.json.gz"):
        raw = gzip.decompress(path.read_bytes())
        digest = json.loads(raw)
        key = path.relative_to(logs).as_posix()
        assert (digest["digestS3Object"], digest["digestS3Bucket"]) == (key, BUCKET)
        chains[digest["awsAccountId"], key.split("/")[4]].append((key, raw, digest))
    assert len(chains) == 4
    listed: dict[str, str] = {}
    gaps = []
    for scope, chain in chains.items():
        chain.sort(key=lambda one: one[2]["digestEndTime"])
        assert datetime.fromisoformat(chain[0][2]["digestStartTime"]) <= MONTH[0]
        assert datetime.fromisoformat(chain[-1][2]["digestEndTime"]) >= MONTH[1]
        for number, (key, raw, digest) in enumerate(chain):
            listed |= {file["s3Object"]: file["hashValue"] for file in digest["logFiles"]}
            follower = chain[number + 1][2] if number + 1 < len(chain) else None
            sidecar = logs / f"{key}.metadata.json"
            if follower and follower["digestStartTime"] == digest["digestEndTime"]:
                assert follower["previousDigestS3Object"] == key
                assert follower["previousDigestHashValue"] == hashlib.sha256(raw).hexdigest()
                assert sidecar.exists() == (number + 2 == len(chain))
                signature = follower["previousDigestSignature"]
            else:
                signature = json.loads(sidecar.read_text())["signature"]
                if follower:
                    gaps.append((scope, digest["digestEndTime"], follower["digestStartTime"]))
            assert verify(digest, raw, signature, keys[scope])
            assert not verify(digest, raw + b" ", signature, keys[scope])
    assert gaps == [(("444455556666", "us-east-1"), "2026-03-11T01:27:30Z", "2026-03-11T03:27:30Z")]
    uncovered = set(example.logs) - set(listed)
    assert uncovered == set(example.told("digest-gap")[0]["objects"])
    assert set(listed) <= set(example.logs)
    altered = [
        key
        for key, value in listed.items()
        if key != example.damaged
        and hashlib.sha256(gzip.decompress(example.logs[key].read_bytes())).hexdigest() != value
    ]
    assert altered == example.told("altered-log-file")[0]["objects"]


def test_captures_are_stored_by_their_digest_and_cover_every_scope(example: Example) -> None:
    api = example.root / "api"
    asked: Counter[str] = Counter()
    for line in (api / "index.jsonl").read_text().splitlines():
        capture = json.loads(line)
        assert list(capture) == ["source", "name", "scope", "request", "status", "at", "sha256"]
        body = (api / "objects/sha256" / capture["sha256"][:2] / capture["sha256"]).read_bytes()
        assert hashlib.sha256(body).hexdigest() == capture["sha256"]
        asked[capture["name"]] += 1
    assert asked["cloudtrail:DescribeTrails"] == asked["cloudtrail:ListPublicKeys"] == 4
    for name in (
        "cloudtrail:GetTrailStatus",
        "cloudtrail:GetEventSelectors",
        "s3:GetBucketPolicyStatus",
        "s3:GetBucketVersioning",
    ):
        assert asked[name] == 3


def test_all_of_it_is_a_few_megabytes(example: Example) -> None:
    assert sum(path.stat().st_size for path in example.root.rglob("*") if path.is_file()) < 4_400_000


def test_the_same_seed_gives_the_same_logs_and_truth(example: Example, tmp_path: Path) -> None:
    assert main(["organisation", "--out", str(tmp_path), "--seed", "19"]) == 0
    again = Example(tmp_path)
    assert again.truth == example.truth
    assert {key: path.read_bytes() for key, path in again.logs.items()} == {
        key: path.read_bytes() for key, path in example.logs.items()
    }
