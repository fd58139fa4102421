"""A trail's bucket swept over HTTP: each object is fetched once, late ones too, and what is refused is told."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

import botocore.session
import pyarrow.parquet as pq
import pytest
from botocore.config import Config

from monitor.cli import compose
from monitor.sources.aws import s3_objects
from monitor.sources.aws.session import LiveClients
from tests.fakes import trail
from tests.fakes.buckets import Buckets
from tests.fakes.delivery import Delivery
from tests.fakes.installation import Installation

FIRST, LAST = datetime(2026, 3, 13, tzinfo=UTC), datetime(2026, 3, 15, tzinfo=UTC)
PREFIX = "trails/organisation"
DIRECT, LOG = "direct-production-change", "audit-log-integrity"
Object = tuple[str, bytes, dict[str, str]]
_numbers = count(1)


@pytest.fixture(scope="module")
def delivered(organisation: Path) -> list[Object]:
    """Two days of the example, and the digests around them with their signatures, as a bucket holds them."""
    logs = organisation / "logs"
    signatures: dict[str, str] = {}
    digests = {}
    for path in logs.rglob("*_CloudTrail-Digest_*.json.gz"):
        digest = json.loads(gzip.decompress(path.read_bytes()))
        signatures[digest["previousDigestS3Object"]] = digest["previousDigestSignature"]
        digests[path.relative_to(logs).as_posix()] = path
    for path in logs.rglob("*.metadata.json"):
        name = path.relative_to(logs).as_posix().removesuffix(".metadata.json")
        signatures[name] = json.loads(path.read_text())["signature"]
    days = tuple(f"/2026/03/{day}/" for day in (12, 13, 14, 15))
    found = [
        (key, path.read_bytes(), {"signature": signatures[key]})
        for key, path in digests.items()
        if any(day in key for day in days)
    ]
    for day in days[1:3]:
        found += [
            (path.relative_to(logs).as_posix(), path.read_bytes(), {}) for path in logs.rglob(f"*{day[1:]}*.json.gz")
            if "_CloudTrail_" in path.name
        ]  # fmt: skip
    return found


@pytest.fixture
def delivery(tmp_path: Path, organisation: Path) -> Delivery:
    """Material delivered by hand, in the days of this module, whose keys are known."""
    made = Delivery(tmp_path / "delivered", organisation, FIRST)
    made.tell_keys()
    return made


def log_keys(objects: list[Object]) -> list[str]:
    return sorted(key for key, _, _ in objects if "_CloudTrail_" in key)


def under(prefix: str, objects: list[Object]) -> list[Object]:
    return [(f"{prefix}/{key}" if prefix else key, body, metadata) for key, body, metadata in objects]


@pytest.fixture
def sweeping(tmp_path: Path, organisation: Path) -> Callable[..., Installation]:
    """Return what makes an installation that reads logs at a location, in the days of this module."""

    def make(location: str, captured: Path = organisation) -> Installation:
        made = Installation(tmp_path / f"installation-{next(_numbers)}", captured)
        made.edit("monitor.yaml", "location: captured/aws/logs", f"location: {location}")
        made.edit("monitor.yaml", "start: 2026-03-01T00:00:00Z", f"start: {FIRST:%Y-%m-%dT%H:%M:%SZ}")
        made.edit("monitor.yaml", "end: 2026-04-01T01:00:00Z", f"end: {LAST:%Y-%m-%dT%H:%M:%SZ}")
        return made

    return make


def test_a_bucket_is_read_once_and_judged_as_a_folder_is(
    buckets: Buckets,
    bucket: str,
    delivered: list[Object],
    sweeping: Callable[[str], Installation],
    tmp_path: Path,
) -> None:
    buckets.put(bucket, under(PREFIX, delivered))
    here = sweeping(f"s3://{bucket}/{PREFIX}")
    here.sweep()
    assert sorted(buckets.gets(bucket, "_CloudTrail_")) == [f"{PREFIX}/{key}" for key in log_keys(delivered)]
    assert sorted(o.key for o in here.record().objects) == log_keys(delivered)
    read = [c for c in here.manifests()[0].coverage() if c.source == "aws.logs"]
    assert sum(c.counts["requests"] for c in read) == len(log_keys(delivered)), "what a sweep asks is counted"
    chains = [r for r in here.results() if ":chain@" in r.subject]
    assert [(r.outcome, r.reason) for r in chains if r.outcome != "pass"] == []
    assert len(chains) == 4

    for key, body, metadata in delivered:
        path = tmp_path / "logs" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        path.with_name(f"{path.name}.metadata.json").write_text(json.dumps(metadata))
    local = sweeping(str(tmp_path / "logs"))
    local.sweep()
    assert here.judged() == local.judged()

    # Again: nothing is fetched.
    before = here.findings()
    buckets.gate.asked.clear()
    here.sweep()
    assert buckets.gets(bucket, "_CloudTrail_") == []
    assert here.record().objects == ()
    assert here.findings().keys() == before.keys()

    # A late object, of an event two days before the mark: exactly that one.
    lately = FIRST + timedelta(hours=5)
    event = trail.event(lately)
    late = trail.key(lately + timedelta(minutes=5))
    buckets.put(bucket, under(PREFIX, [(late, trail.body([event]), {})]))
    buckets.gate.asked.clear()
    ran = here.sweep()
    assert buckets.gets(bucket, "_CloudTrail_") == [f"{PREFIX}/{late}"]
    assert [o.key for o in here.record().objects] == [late]
    (opened,) = ran.json["findings"]["opened"]
    accused = [r for r in here.results() if event["eventID"] in {w["id"] for w in r.observed.get("writes", ())}]
    assert [(r.check, r.outcome) for r in accused] == [(DIRECT, "fail")]
    assert here.findings()[opened].subject == accused[0].subject


@pytest.mark.parametrize("status", [403, 500])
def test_an_object_that_cannot_be_fetched_is_a_gap_until_it_can(
    buckets: Buckets,
    bucket: str,
    delivery: Delivery,
    sweeping: Callable[..., Installation],
    monkeypatch: pytest.MonkeyPatch,
    status: int,
) -> None:
    # One attempt: how long to wait for a server that may recover is not what is asked here.
    patient = Config(retries={"mode": "standard", "total_max_attempts": 1})
    monkeypatch.setattr(s3_objects, "_CONFIG", patient)
    scope = "aws:111122223333:eu-west-1"
    event = trail.event(FIRST + timedelta(hours=7), region="eu-west-1")
    logs = [
        delivery.put(FIRST + timedelta(hours=hour), trail.event(FIRST + timedelta(hours=hour)), region=region)
        for hour, region in ((3, "us-east-1"), (6, "eu-west-1"), (9, "eu-west-1"))
    ]
    closed = delivery.put(FIRST + timedelta(hours=7, minutes=5), event, region="eu-west-1")
    delivery.sign(LAST)
    buckets.put(bucket, delivery.objects())
    buckets.gate.refused[f"/{bucket}/{closed}"] = status
    here = sweeping(f"s3://{bucket}", delivery.folder)
    assert here.sweep().code == 3
    (gap,) = [c for c in here.manifests()[0].coverage() if c.source == "aws.logs" and c.status != "complete"]
    assert gap.scope == scope
    assert gap.gaps[0].startswith(f"{closed}: ")
    if status == 403:
        assert gap.status == "denied"
        assert "s3:GetObject" in gap.grant
        assert "kms:Decrypt" in gap.grant
    else:
        assert gap.status == "partial"
    assert sorted(o.key for o in here.record().objects) == sorted(logs)
    (lacking,) = [f for f in here.findings().values() if ":log@" in f.subject]
    assert lacking.subject.startswith(f"{scope}:log@")
    assert (lacking.check, lacking.outcome) == (DIRECT, "unknown")

    # While it stays so, the gap stays, and nothing else is fetched.
    buckets.gate.asked.clear()
    here.sweep()
    assert buckets.gets(bucket, "_CloudTrail_") == [closed]
    assert here.findings()[lacking.id].is_open

    buckets.gate.refused.clear()
    buckets.gate.asked.clear()
    ran = here.sweep()
    assert buckets.gets(bucket, "_CloudTrail_") == [closed]
    assert [o.key for o in here.record().objects] == [closed]
    assert lacking.id in ran.json["findings"]["resolved"]
    accused = [r for r in here.results() if event["eventID"] in {w["id"] for w in r.observed.get("writes", ())}]
    assert [(r.check, r.outcome) for r in accused] == [(DIRECT, "fail")]


def test_a_chain_is_not_broken_by_an_object_that_was_closed_for_a_while(
    buckets: Buckets, bucket: str, delivered: list[Object], sweeping: Callable[[str], Installation]
) -> None:
    mine = [entry for entry in delivered if "/111122223333/" in entry[0] and "eu-west-1" in entry[0]]
    closed = log_keys(mine)[3]
    buckets.put(bucket, mine)
    buckets.gate.refused[f"/{bucket}/{closed}"] = 403
    here = sweeping(f"s3://{bucket}")
    scope = "aws:111122223333:eu-west-1"
    here.sweep()
    (chain,) = [f for f in here.findings().values() if f.subject.startswith(f"{scope}:chain@")]
    outcome = chain.outcome
    buckets.gate.refused.clear()
    here.sweep()
    assert closed in here.read_keys()
    assert not here.findings()[chain.id].is_open, "what could be read after all is verified after all"
    assert outcome == "unknown", "what may not be read is not missing"


def test_a_bucket_that_cannot_be_listed_leaves_every_scope_denied(
    buckets: Buckets, bucket: str, sweeping: Callable[[str], Installation]
) -> None:
    buckets.gate.refused[f"/{bucket}"] = 403
    here = sweeping(f"s3://{bucket}/{PREFIX}")
    assert here.sweep().code == 3
    coverage = [c for c in here.manifests()[0].coverage() if c.source == "aws.logs"]
    assert {c.status.value for c in coverage} == {"denied"}
    assert {c.grant for c in coverage} == {f"grant s3:ListBucket on s3://{bucket}/{PREFIX}/AWSLogs/o-exampleorgid/"}
    # What passes is the trail's settings, which are read elsewhere, and that findings and waivers are in order.
    others = ("monitoring-coverage", "waiver-governance")
    passed = [r for r in here.results() if r.outcome == "pass" and r.check not in others]
    assert [r for r in passed if not r.subject.endswith(":trail")] == []


def test_objects_under_a_kms_key_and_the_layout_of_one_account(
    buckets: Buckets, bucket: str, sweeping: Callable[[str], Installation]
) -> None:
    at = FIRST + timedelta(hours=3)
    event = trail.event(at)
    key = trail.key(at + timedelta(minutes=5), organisation=None)
    buckets.put(bucket, [(key, trail.body([event]), {})], ServerSideEncryption="aws:kms", SSEKMSKeyId="alias/trail")
    here = sweeping(f"s3://{bucket}")
    here.edit("expected/production.yaml", "    organization: o-exampleorgid\n", "")
    here.sweep()
    assert [o.key for o in here.record().objects] == [key]
    accused = [r for r in here.results() if event["eventID"] in {w["id"] for w in r.observed.get("writes", ())}]
    assert [(r.check, r.outcome) for r in accused] == [(DIRECT, "fail")]


def test_a_region_and_an_account_that_nobody_declared_are_reported(
    buckets: Buckets, bucket: str, sweeping: Callable[[str], Installation]
) -> None:
    at = FIRST + timedelta(hours=3)
    elsewhere = trail.event(at, region="ap-southeast-2")
    made = at + timedelta(minutes=5)
    stranger = trail.key(made, account="999988887777")
    objects: list[Object] = [
        (trail.key(made, region="ap-southeast-2"), trail.body([elsewhere]), {}),
        (stranger, trail.body([trail.event(at, account="999988887777")]), {}),
    ]
    buckets.put(bucket, objects)
    here = sweeping(f"s3://{bucket}")
    ran = here.sweep()
    (region,) = [
        c for c in here.manifests()[0].coverage() if c.scope.endswith(":ap-southeast-2") and "logs" in c.source
    ]
    assert "not declared" in region.reason
    accused = [r for r in here.results() if elsewhere["eventID"] in {w["id"] for w in r.observed.get("writes", ())}]
    assert [(r.check, r.outcome) for r in accused] == [(DIRECT, "fail")]
    assert here.record().notes["undeclared_accounts"] == ["999988887777"]
    assert b"999988887777" in ran.output, "what a person reads of the sweep names the account"
    assert b"999988887777" in here("evidence", "coverage", "--sweeps", "0").output


def test_trail_settings_that_the_server_cannot_tell_never_pass(
    buckets: Buckets,
    bucket: str,
    delivered: list[Object],
    sweeping: Callable[[str], Installation],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compose, "LiveClients", partial(LiveClients, attempts=1))
    session = botocore.session.Session()
    sts: Any = session.create_client("sts", region_name="us-east-1")
    arn = f"arn:aws:iam::{trail.TOOLING}:role/setup"
    given = sts.assume_role(RoleArn=arn, RoleSessionName="setup")["Credentials"]
    cloudtrail: Any = session.create_client(
        "cloudtrail",
        region_name="us-east-1",
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )
    cloudtrail.create_trail(
        Name="org-trail",
        S3BucketName=bucket,
        IsMultiRegionTrail=True,
        EnableLogFileValidation=True,
        IsOrganizationTrail=True,
    )
    cloudtrail.start_logging(Name="org-trail")
    buckets.put(bucket, delivered)
    here = sweeping(f"s3://{bucket}")
    here.edit("monitor.yaml", "    replay: captured/aws/api", "    role: monitor-read")
    here.edit("expected/audit-logs.yaml", "bucket: example-org-trail", f"bucket: {bucket}")
    assert here.sweep().code == 3
    trails = {r.scope: r for r in here.results() if r.subject.endswith(":trail")}
    tooling = trails["aws:777788889999"]
    assert "org-trail" in tooling.reason
    assert "is stopped" not in tooling.reason
    assert "validation" not in tooling.reason
    chains = [r for r in here.results() if ":chain@" in r.subject]
    assert {r.outcome.value for r in chains} == {"unknown"}, [(r.outcome, r.reason) for r in chains]
    assert all("ListPublicKeys" in r.reason or "key" in r.reason for r in chains), [r.reason for r in chains]
    cloudtrail.delete_trail(Name="org-trail")
    sts.close()
    cloudtrail.close()


def test_retained_events_can_be_kept_in_a_bucket(
    buckets: Buckets, bucket: str, delivered: list[Object], sweeping: Callable[[str], Installation]
) -> None:
    logs = [entry for entry in delivered if "_CloudTrail_" in entry[0]]
    buckets.put(bucket, under("logs", logs))
    here = sweeping(f"s3://{bucket}/logs")
    here.edit("monitor.yaml", 'retained: "{state}/evidence/events"', f"retained: s3://{bucket}/retained")
    here.sweep()
    kept = {}
    for part in here.record().parts:
        body = buckets.client.get_object(Bucket=bucket, Key=f"retained/{part.path}")["Body"].read()
        kept[part.path] = pq.ParquetFile(BytesIO(body)).read().to_pylist()
    listed = buckets.client.list_objects_v2(Bucket=bucket, Prefix="retained/")["Contents"]
    assert sorted(found["Key"] for found in listed) == sorted(f"retained/{path}" for path in kept)
    events = [row["event_id"] for rows in kept.values() for row in rows]
    assert len(events) == len(set(events)) > 10
    assert {w["id"] for r in here.results() for w in r.observed.get("writes", ())} <= set(events)

    # Sessions with open findings are judged again from there.
    open_sessions = {f.subject for f in here.findings().values() if f.is_open and ":session:" in f.subject}
    here.sweep()
    assert open_sessions <= {r.subject for r in here.results()}
    assert len(open_sessions) > 1
