"""Bulk traffic: the same bytes for the same seed, the promised shares, and token exchanges that writes can be joined to."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from monitor.example.__main__ import main
from monitor.example.layout import gzipped
from monitor.example.plan import plan, sizes
from monitor.example.records import KEY_ORDER
from monitor.example.traffic import bulk, make, write_bulk

EVENTS = 40_000
PRODUCTION = {"111122223333", "444455556666"}


@pytest.fixture(scope="module")
def objects() -> list[tuple[str, bytes]]:
    return list(bulk(7, EVENTS, 40))


@pytest.fixture(scope="module")
def records(objects: list[tuple[str, bytes]]) -> list[dict[str, Any]]:
    return [record for _, raw in objects for record in json.loads(raw)["Records"]]


def by_aws(record: dict[str, Any]) -> bool:
    identity = record["userIdentity"]
    issuer = identity.get("sessionContext", {}).get("sessionIssuer", {}).get("arn", "")
    service = identity.get("type") == "AWSService" or record["eventType"] == "AwsServiceEvent"
    return service or ":role/aws-service-role/" in issuer


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(objects: list[tuple[str, bytes]]) -> None:
    assert list(bulk(7, EVENTS, 40)) == objects
    assert next(bulk(8, EVENTS, 40)) != objects[0]


def test_the_bytes_are_the_same_on_every_python_and_machine() -> None:
    content = b"".join(key.encode() + raw for key, raw in bulk(7, 500, 5, spread=1.0))
    assert hashlib.sha256(content).hexdigest() == "0cf31d54c0ac09ee726149343b4df106e52774390341fc21b52408a6f7a37e2a"


def test_two_processes_write_what_one_writes(tmp_path: Path) -> None:
    one = write_bulk(tmp_path / "one", seed=3, events=3000, objects=12)
    two = write_bulk(tmp_path / "two", seed=3, events=3000, objects=12, processes=2)
    assert one == two
    first, second = (
        {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.gz")}
        for name in ("one", "two")
    )
    assert first == second and len(first) == 12


def test_shares_are_near_those_that_are_promised(records: list[dict[str, Any]]) -> None:
    total = len(records)
    assert total == EVENTS
    reads = sum(record.get("readOnly") is True for record in records)
    data = [r for r in records if r["eventCategory"] == "Data" and not r["readOnly"]]
    writes = [r for r in records if r["eventCategory"] == "Management" and not r["readOnly"]]
    exchanges = sum(record["eventName"].startswith("AssumeRole") for record in records)
    production = sum(record["recipientAccountId"] in PRODUCTION for record in records)
    assert 0.925 < reads / total < 0.935
    assert 0.008 < len(data) / total < 0.012
    assert 0.055 < len(writes) / total < 0.065
    assert 0.45 < sum(map(by_aws, writes)) / len(writes) < 0.6
    assert 0.005 < exchanges / total < 0.0075
    assert 0.58 < production / total < 0.62
    assert len({record["awsRegion"] for record in records}) > 1


def test_a_record_is_about_1400_bytes_and_packs_well(objects: list[tuple[str, bytes]]) -> None:
    raw = sum(len(content) for _, content in objects)
    packed = sum(len(gzipped(content)) for _, content in objects)
    assert 1300 < raw / EVENTS < 1500
    assert 7 < raw / packed < 11


def test_event_ids_are_unique_and_keys_stand_in_aws_order(records: list[dict[str, Any]]) -> None:
    assert len({record["eventID"] for record in records}) == EVENTS
    place = {key: number for number, key in enumerate(KEY_ORDER)}
    for record in records:
        numbers = [place[key] for key in record]
        assert numbers == sorted(numbers)


def test_every_pipeline_write_carries_an_access_key_that_an_earlier_exchange_gave(
    records: list[dict[str, Any]],
) -> None:
    issued = {
        r["responseElements"]["credentials"]["accessKeyId"]: r
        for r in records
        if r["eventName"] == "AssumeRoleWithWebIdentity"
    }
    joined = 0
    for record in records:
        context = record["userIdentity"].get("sessionContext", {})
        if context.get("webIdFederationData"):
            exchange = issued[record["userIdentity"]["accessKeyId"]]
            assert exchange["eventTime"] <= record["eventTime"]
            assert exchange["eventTime"] == context["attributes"]["creationDate"]
            assert exchange["recipientAccountId"] == record["recipientAccountId"]
            assert exchange["responseElements"]["assumedRoleUser"]["arn"] == record["userIdentity"]["arn"]
            joined += 1
    assert joined > 1000


def test_counts_tell_what_an_object_holds() -> None:
    slot = plan(5, 4000, 4)[0]
    made = make(5, slot)
    held = json.loads(made.raw)["Records"]
    assert made.counts.total() == len(held) == slot.size
    assert made.counts["telemetry"] == sum(
        r["eventSource"] == "ssm.amazonaws.com" and "amazon-ssm-agent" in r["userAgent"] for r in held
    )
    assert made.counts["exchanges"] == sum(r["eventName"].startswith("AssumeRole") for r in held)


@pytest.mark.parametrize(
    ("events", "objects", "spread"), [(1, 1, 0.0), (10, 10, 2.0), (1000, 7, 0.0), (5000, 300, 1.5)]
)
def test_sizes_add_up_and_no_object_is_empty(events: int, objects: int, spread: float) -> None:
    made = sizes(1, events, objects, spread)
    assert sum(made) == events and len(made) == objects and min(made) >= 1
    held = [len(json.loads(raw)["Records"]) for _, raw in bulk(1, events, objects, spread=spread)]
    assert held == made


def test_log_normal_sizes_differ_widely() -> None:
    made = sizes(7, 100_000, 200, 1.2)
    assert max(made) > 10 * sorted(made)[100]


def test_some_writes_hold_a_read_only_flag_inside_their_request(records: list[dict[str, Any]]) -> None:
    nested = [r for r in records if r["readOnly"] is False and '"readOnly": true' in json.dumps(r["requestParameters"])]
    assert Counter(r["eventName"] for r in nested).keys() == {"RegisterTaskDefinition"}
    assert len(nested) > 100


def test_the_command_refuses_a_folder_that_is_not_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    given = ["bulk", "--out", str(tmp_path), "--events", "20", "--objects", "2", "--layout"]
    assert main(given) == 2
    assert "--force" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    assert main([*given, "--force"]) == 0
    written = list(tmp_path.rglob("*.json.gz"))
    assert len(written) == 2
    assert all(path.relative_to(tmp_path).parts[:2] == ("AWSLogs", "o-exampleorgid") for path in written)
    assert sum(len(json.loads(gzip.decompress(path.read_bytes()))["Records"]) for path in written) == 20


def test_the_command_says_what_is_wrong_with_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bulk", "--out", str(tmp_path), "--events", "2", "--objects", "5"]) == 2
    assert "at least one event an object" in capsys.readouterr().err
