"""What AWS answers about the example's trail: CloudTrail in JSON 1.1, S3 in XML; stored as a replay folder.

https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_Operations.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitor.example import captures_iam, cast
from monitor.example.digest import SigningKey
from monitor.example.layout import write
from monitor.example.records import Record, dump, stamp

TRAIL_ARN = f"arn:aws:cloudtrail:{cast.EAST}:{cast.TOOLING}:trail/{cast.TRAIL}"
ACCOUNTS = (cast.PAYMENTS, cast.DATA, cast.TOOLING)
AT = cast.MONTH_END + timedelta(minutes=30)
KEYS_FROM = datetime(2026, 2, 1, tzinfo=UTC)
KEYS_UNTIL = datetime(2026, 5, 1, tzinfo=UTC)
ASKED_FROM, ASKED_UNTIL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
"""The span of the captured ListPublicKeys: wide, so that it answers for any sweep of the example."""
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


@dataclass(frozen=True)
class Answer:
    """One answer: operation, scope, parameters, and body."""

    name: str
    scope: str
    request: dict[str, str]
    body: bytes


def _json(value: Record) -> bytes:
    return dump(value).encode()


def _xml(root: str, inner: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{NAMESPACE}">{inner}</{root}>'.encode()


def describe_trails() -> bytes:
    """Return the trails of an account: the organisation's, which its members see as a shadow of the one in tooling."""
    trail = {
        "Name": cast.TRAIL,
        "S3BucketName": cast.BUCKET,
        "IncludeGlobalServiceEvents": True,
        "IsMultiRegionTrail": True,
        "HomeRegion": cast.EAST,
        "TrailARN": TRAIL_ARN,
        "LogFileValidationEnabled": True,
        "HasCustomEventSelectors": True,
        "HasInsightSelectors": True,
        "IsOrganizationTrail": True,
    }
    return _json({"trailList": [trail]})


def trail_status() -> bytes:
    """Return the status of the trail: it logs, after root had stopped it for four minutes on 27 March."""
    started = cast.MONTH_START + timedelta(days=26, hours=4, minutes=6)
    stopped = started - timedelta(minutes=4)
    delivered = cast.MONTH_END + timedelta(minutes=20)
    return _json(
        {
            "IsLogging": True,
            "LatestDeliveryTime": delivered.timestamp(),
            "StartLoggingTime": started.timestamp(),
            "StopLoggingTime": stopped.timestamp(),
            "LatestDigestDeliveryTime": (cast.MONTH_END + timedelta(minutes=19)).timestamp(),
            "LatestDeliveryAttemptTime": stamp(delivered),
            "LatestNotificationAttemptTime": "",
            "LatestNotificationAttemptSucceeded": "",
            "LatestDeliveryAttemptSucceeded": stamp(delivered),
            "TimeLoggingStarted": stamp(started),
            "TimeLoggingStopped": stamp(stopped),
        }
    )


def event_selectors() -> bytes:
    """Return the trail's selectors: all management events, and writes of S3 objects."""
    equal: list[tuple[str, list[Record]]] = [
        ("Management events", [{"Field": "eventCategory", "Equals": ["Management"]}]),
        (
            "S3 objects",
            [
                {"Field": "eventCategory", "Equals": ["Data"]},
                {"Field": "resources.type", "Equals": ["AWS::S3::Object"]},
            ],
        ),
    ]
    selectors = [{"Name": name, "FieldSelectors": fields} for name, fields in equal]
    return _json({"TrailARN": TRAIL_ARN, "AdvancedEventSelectors": selectors})


def public_keys(key: SigningKey) -> bytes:
    """Return the region's public keys that signed digests in the month."""
    entry = {
        "Value": base64.b64encode(key.public).decode(),
        "ValidityStartTime": KEYS_FROM.timestamp(),
        "ValidityEndTime": KEYS_UNTIL.timestamp(),
        "Fingerprint": key.fingerprint,
    }
    return _json({"PublicKeyList": [entry]})


def bucket_answers() -> dict[str, bytes]:
    """Return what S3 says of the log bucket: private, versioned, kept for seven years."""
    blocked = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    rule = (
        "<Rule><ID>keep-seven-years</ID><Filter><Prefix></Prefix></Filter><Status>Enabled</Status>"
        "<Expiration><Days>2557</Days></Expiration></Rule>"
    )
    return {
        "GetBucketPolicyStatus": _xml("PolicyStatus", "<IsPublic>false</IsPublic>"),
        "GetPublicAccessBlock": _xml("PublicAccessBlockConfiguration", "".join(f"<{b}>true</{b}>" for b in blocked)),
        "GetBucketLifecycleConfiguration": _xml("LifecycleConfiguration", rule),
        "GetBucketVersioning": _xml("VersioningConfiguration", "<Status>Enabled</Status>"),
    }


def answers(keys: Mapping[str, SigningKey]) -> Iterator[Answer]:
    """Yield every answer of the example; `keys` has the signing key of each region."""
    for account in ACCOUNTS:
        scope = f"aws:{account}:{cast.EAST}"
        yield Answer("cloudtrail:GetTrailStatus", scope, {"Name": TRAIL_ARN}, trail_status())
        yield Answer("cloudtrail:GetEventSelectors", scope, {"TrailName": TRAIL_ARN}, event_selectors())
        for name, body in bucket_answers().items():
            yield Answer(f"s3:{name}", scope, {"Bucket": cast.BUCKET}, body)
    for chain in cast.CHAINS:
        span = {"StartTime": stamp(ASKED_FROM), "EndTime": stamp(ASKED_UNTIL)}
        scope = f"aws:{chain.account}:{chain.region}"
        yield Answer("cloudtrail:DescribeTrails", scope, {"includeShadowTrails": "true"}, describe_trails())
        yield Answer("cloudtrail:ListPublicKeys", scope, span, public_keys(keys[chain.region]))
    for name, scope, request, body in captures_iam.answers(ACCOUNTS):
        yield Answer(name, scope, request, body)


def write_captures(root: Path, keys: Mapping[str, SigningKey]) -> None:
    """Write the replay folder: `index.jsonl`, and each body under `objects/sha256/`."""
    lines = []
    for answer in answers(keys):
        digest = hashlib.sha256(answer.body).hexdigest()
        write(root, f"objects/sha256/{digest[:2]}/{digest}", answer.body)
        line = {
            "source": "aws",
            "name": answer.name,
            "scope": answer.scope,
            "request": answer.request,
            "status": 200,
            "at": stamp(AT),
            "sha256": digest,
        }
        lines.append(dump(line) + "\n")
    write(root, "index.jsonl", "".join(lines).encode())
