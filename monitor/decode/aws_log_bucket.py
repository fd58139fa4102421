"""What AWS says of the bucket that holds an audit log, to facts. Pure; what proves nothing gives Unknown, never a guess."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monitor.decode.aws_trail import READ_ANEW, Answer, flag, words
from monitor.facts.audit_log import LogStore
from monitor.model import EvidenceRef, Unknown


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
        return Unknown("the answer to s3:GetLifecycleConfiguration holds no list of rules", READ_ANEW)
    found = [_rule_days(rule) for rule in rules if rule.get("Status") == "Enabled" and _hits(rule, log_prefix)]
    known = [days for days in found if isinstance(days, int)]
    unread = [days for days in found if isinstance(days, Unknown)]  # it may be the shortest
    return unread[0] if unread else min(known, default=None)


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
    return flag(status if isinstance(status, Mapping) else {}, "IsPublic", "s3:GetBucketPolicyStatus")


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
    prefix = words(both.get("Prefix") or narrowed.get("Prefix") or rule.get("Prefix"))
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
    return Unknown("a rule of the bucket's lifecycle cannot be read", READ_ANEW)
