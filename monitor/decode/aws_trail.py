"""What AWS says of trails and their buckets, to facts. Pure; an answer that says nothing clear gives Unknown, never a guess."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from monitor.errors import Malformed
from monitor.facts.audit_log import LogStore, LogTrail
from monitor.model import EvidenceRef, Unknown

PROVIDER = "aws"
Answer = Mapping[str, Any] | None
"""A parsed answer; None where AWS said that there is no such setting."""

# Events of the RDS Data API run SQL and change no resource; all other sources that can be left out (today AWS KMS) hold
# changes, such as ScheduleKeyDeletion. https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_EventSelector.html
_MAY_BE_LEFT_OUT = frozenset({"rdsdata.amazonaws.com"})
_READ_ANEW = "read it again, and report it if it stays: AWS answered in a form that the monitor does not know"


class TrailDescription(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of DescribeTrails; `owner` is the account in the ARN, which for a shadow trail is another account."""

    name: str
    arn: str
    owner: str
    home_region: str
    bucket: str
    prefix: str
    all_regions: bool | Unknown
    organisation_wide: bool | Unknown
    validated: bool | Unknown


def trail_descriptions(answer: Answer) -> tuple[TrailDescription, ...]:
    """Return the trails of an answer to DescribeTrails; raises Malformed if it is none.

    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_DescribeTrails.html
    """
    listed = (answer or {}).get("trailList")
    if not isinstance(listed, list) or not all(isinstance(entry, Mapping) for entry in listed):
        raise Malformed("the answer to cloudtrail:DescribeTrails holds no list of trails", todo=_READ_ANEW)
    return tuple(_description(entry) for entry in listed)


def trail_fact(
    description: TrailDescription,
    account: str,
    status: Answer | Unknown,
    selectors: Answer | Unknown,
    store: LogStore | None,
    evidence: tuple[EvidenceRef, ...] = (),
) -> LogTrail:
    """Return the trail as a fact; `account` is where it was seen, and stands in where the ARN names no owner."""
    return LogTrail(
        account=description.owner or account,
        provider=PROVIDER,
        name=description.name,
        identifier=description.arn,
        home_region=description.home_region,
        logging=is_logging(status),
        all_regions=description.all_regions,
        organisation_wide=description.organisation_wide,
        validated=description.validated,
        management_writes=records_management_writes(selectors),
        store=store,
        evidence=evidence,
    )


def is_logging(status: Answer | Unknown) -> bool | Unknown:
    """Return whether GetTrailStatus says that the trail is on; a trail that is on but cannot deliver is Unknown.

    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetTrailStatus.html
    """
    if isinstance(status, Unknown):
        return status
    logging = _flag(status, "IsLogging", "cloudtrail:GetTrailStatus")
    trouble = (status or {}).get("LatestDeliveryError") or (status or {}).get("LatestDigestDeliveryError")
    if logging is True and trouble:
        return Unknown(
            f"it is on, but its last delivery failed: {str(trouble)[:200]}", "mend the trail's bucket and its policy"
        )
    return logging


def records_management_writes(selectors: Answer | Unknown) -> bool | Unknown:
    """Return whether GetEventSelectors says that every management event that writes is recorded.

    A selector that is narrowed by anything but "not read-only" does not count, so several narrow ones never add up.
    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html
    """
    if isinstance(selectors, Unknown):
        return selectors
    classic, advanced = ((selectors or {}).get(name) for name in ("EventSelectors", "AdvancedEventSelectors"))
    if classic is None and advanced is None:
        return Unknown("the answer to cloudtrail:GetEventSelectors names no selectors", _READ_ANEW)
    if not all(
        isinstance(one, list | None) and all(isinstance(s, Mapping) for s in one or ()) for one in (classic, advanced)
    ):
        return Unknown("the answer to cloudtrail:GetEventSelectors cannot be read", _READ_ANEW)
    return any(_classic_writes(one) for one in classic or ()) or any(_advanced_writes(one) for one in advanced or ())


def store_fact(
    bucket: str,
    prefix: str,
    *,
    policy_status: Answer | Unknown,
    access_block: Answer | Unknown,
    ownership: Answer | Unknown,
    lifecycle: Answer | Unknown,
    versioning: Answer | Unknown,
    evidence: tuple[EvidenceRef, ...] = (),
) -> LogStore:
    """Return the bucket as a fact; `prefix` is the trail's S3KeyPrefix. `ownership` matters only if ACLs are not ignored."""
    return LogStore(
        name=bucket,
        public=is_public(policy_status, access_block, ownership),
        expires_after_days=expires_after_days(lifecycle, f"{prefix.rstrip('/')}/AWSLogs/" if prefix else "AWSLogs/"),
        versioned=_versioned(versioning),
        evidence=evidence,
    )


def blocks_public_acls(access_block: Answer | Unknown) -> bool:
    """Return whether the bucket's own public access block is known to ignore public ACLs."""
    return not isinstance(access_block, Unknown) and _blocked(access_block, "IgnorePublicAcls") is True


def is_public(
    policy_status: Answer | Unknown, access_block: Answer | Unknown, ownership: Answer | Unknown
) -> bool | Unknown:
    """Return whether anybody can read the bucket, as far as its settings prove it.

    Not public takes two proofs. Policy: it is not public (or there is none), or public policies are restricted. ACLs: they
    are ignored (IgnorePublicAcls) or disabled (BucketOwnerEnforced). ACLs themselves are not read, so without that proof
    it is Unknown; and so it is where only the account's own block, which is not read either, shuts the public out.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
    """
    restricted = _unless_unknown(access_block, "RestrictPublicBuckets")
    if restricted is not True:
        if isinstance(policy_status, Unknown):
            return policy_status
        by_policy = _policy_public(policy_status)
        if by_policy is not False:
            return by_policy
    if blocks_public_acls(access_block) or _owner_enforced(ownership):
        return False
    for unread in (access_block, ownership):
        if isinstance(unread, Unknown):
            return unread
    return Unknown(
        "its policy is not public, but nothing at the bucket shuts out public ACLs",
        "turn on the bucket's public access block (IgnorePublicAcls), or disable ACLs (BucketOwnerEnforced)",
    )


def expires_after_days(lifecycle: Answer | Unknown, log_prefix: str) -> int | None | Unknown:
    """Return after how many days the lifecycle deletes logs below the prefix; None if never, 0 if at a set date.

    The shortest enabled expiration that can hit the prefix counts. Transitions delete nothing. A rule for tagged objects
    hits no log: CloudTrail sets no tags.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html
    """
    if isinstance(lifecycle, Unknown):
        return lifecycle
    if lifecycle is None:
        return None
    rules = lifecycle.get("Rules")
    if not isinstance(rules, list) or not all(isinstance(rule, Mapping) for rule in rules):
        return Unknown("the answer to s3:GetLifecycleConfiguration holds no list of rules", _READ_ANEW)
    found = [_rule_days(rule) for rule in rules if rule.get("Status") == "Enabled" and _hits(rule, log_prefix)]
    known = [days for days in found if isinstance(days, int)]
    # An unreadable rule may be the shortest, unless a known one already deletes at once.
    unread = next((days for days in found if isinstance(days, Unknown)), None)
    if unread is not None and min(known, default=1) > 0:
        return unread
    return min(known, default=None)


def public_key_bytes(answer: Answer) -> dict[str, bytes]:
    """Return fingerprint → DER of an answer to ListPublicKeys; raises Malformed if it holds anything else.

    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_ListPublicKeys.html
    """
    keys: dict[str, bytes] = {}
    listed = (answer or {}).get("PublicKeyList")
    for entry in listed if isinstance(listed, list) else (None,):
        fingerprint, value = (
            (entry.get(name) for name in ("Fingerprint", "Value")) if isinstance(entry, Mapping) else (0, 0)
        )
        if not isinstance(fingerprint, str) or not isinstance(value, bytes):
            raise Malformed("the answer to cloudtrail:ListPublicKeys holds no list of keys", todo=_READ_ANEW)
        keys[fingerprint] = value
    return keys


def _description(entry: Mapping[str, Any]) -> TrailDescription:
    arn = _words(entry.get("TrailARN"))
    parts = arn.split(":")
    known = len(parts) >= 6 and parts[2] == "cloudtrail"
    return TrailDescription(
        name=_words(entry.get("Name")),
        arn=arn,
        owner=parts[4] if known else "",
        home_region=_words(entry.get("HomeRegion")) or (parts[3] if known else ""),
        bucket=_words(entry.get("S3BucketName")),
        prefix=_words(entry.get("S3KeyPrefix")),
        all_regions=_flag(entry, "IsMultiRegionTrail", "cloudtrail:DescribeTrails"),
        organisation_wide=_flag(entry, "IsOrganizationTrail", "cloudtrail:DescribeTrails"),
        validated=_flag(entry, "LogFileValidationEnabled", "cloudtrail:DescribeTrails"),
    )


def _words(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _flag(answer: Answer, name: str, operation: str) -> bool | Unknown:
    value = (answer or {}).get(name)
    return value if isinstance(value, bool) else Unknown(f"the answer to {operation} does not say {name}", _READ_ANEW)


def _classic_writes(selector: Mapping[str, Any]) -> bool:
    if selector.get("IncludeManagementEvents", True) is not True:
        return False
    left_out = selector.get("ExcludeManagementEventSources") or []
    everything = isinstance(left_out, list) and all(source in _MAY_BE_LEFT_OUT for source in map(str, left_out))
    return everything and selector.get("ReadWriteType", "All") in ("All", "WriteOnly")


def _advanced_writes(selector: Mapping[str, Any]) -> bool:
    fields = selector.get("FieldSelectors")
    if not isinstance(fields, list) or not all(isinstance(field, Mapping) for field in fields):
        return False
    return any(_is_management(field) for field in fields) and all(_keeps_writes(field) for field in fields)


def _is_management(field: Mapping[str, Any]) -> bool:
    return field.get("Field") == "eventCategory" and "Management" in _values(field, "Equals")


def _keeps_writes(field: Mapping[str, Any]) -> bool:
    operators = {name for name, value in field.items() if name != "Field" and value}
    if field.get("Field") == "eventCategory":
        return operators == {"Equals"}
    if field.get("Field") == "readOnly":
        return (operators == {"Equals"} and "false" in _values(field, "Equals")) or (
            operators == {"NotEquals"} and "false" not in _values(field, "NotEquals")
        )
    left_out = set(map(str, _values(field, "NotEquals")))
    return field.get("Field") == "eventSource" and operators == {"NotEquals"} and left_out <= _MAY_BE_LEFT_OUT


def _values(field: Mapping[str, Any], operator: str) -> Sequence[Any]:
    values = field.get(operator)
    return values if isinstance(values, list) else []


def _unless_unknown(answer: Answer | Unknown, name: str) -> bool | None:
    return None if isinstance(answer, Unknown) else _blocked(answer, name)


def _blocked(access_block: Answer, name: str) -> bool | None:
    block = (access_block or {}).get("PublicAccessBlockConfiguration")
    value = block.get(name) if isinstance(block, Mapping) else None
    return value if isinstance(value, bool) else None


def _policy_public(policy_status: Answer) -> bool | Unknown:
    if policy_status is None:
        return False
    status = policy_status.get("PolicyStatus")
    return _flag(status if isinstance(status, Mapping) else {}, "IsPublic", "s3:GetBucketPolicyStatus")


def _owner_enforced(ownership: Answer | Unknown) -> bool:
    controls = None if isinstance(ownership, Unknown) else (ownership or {}).get("OwnershipControls")
    rules = controls.get("Rules") if isinstance(controls, Mapping) else None
    return (
        isinstance(rules, list)
        and bool(rules)
        and all(isinstance(rule, Mapping) and rule.get("ObjectOwnership") == "BucketOwnerEnforced" for rule in rules)
    )


def _versioned(versioning: Answer | Unknown) -> bool | Unknown:
    return versioning if isinstance(versioning, Unknown) else (versioning or {}).get("Status") == "Enabled"


def _hits(rule: Mapping[str, Any], log_prefix: str) -> bool:
    narrowed = rule.get("Filter")
    narrowed = narrowed if isinstance(narrowed, Mapping) else {}
    both = narrowed.get("And")
    both = both if isinstance(both, Mapping) else {}
    if narrowed.get("Tag") or both.get("Tags"):
        return False
    prefix = _words(both.get("Prefix") or narrowed.get("Prefix") or rule.get("Prefix"))
    return prefix.startswith(log_prefix) or log_prefix.startswith(prefix)


def _rule_days(rule: Mapping[str, Any]) -> int | None | Unknown:
    expiration = rule.get("Expiration")
    if not expiration:
        return None
    if isinstance(expiration, Mapping):
        if expiration.get("Date"):
            return 0  # on that day all is deleted, however young
        days = expiration.get("Days")
        if isinstance(days, int) and not isinstance(days, bool) and days > 0:
            return days
        if "Days" not in expiration and "ExpiredObjectDeleteMarker" in expiration:
            return None
    return Unknown("a rule of the bucket's lifecycle cannot be read", _READ_ANEW)
