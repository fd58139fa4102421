"""The settings of audit log trails and of the buckets that they fill, read from every declared account.

Needs, in each account: cloudtrail:DescribeTrails, GetTrailStatus, GetEventSelectors, ListPublicKeys; and where the bucket
is: s3:GetBucketPolicyStatus, GetBucketPublicAccessBlock, GetBucketOwnershipControls, GetLifecycleConfiguration,
GetBucketVersioning. One account's failure never stops another; what is denied becomes Unknown in just that field.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from botocore.client import BaseClient

from monitor.decode.aws_log_bucket import blocks_public_acls, store_fact
from monitor.decode.aws_trail import (
    PROVIDER,
    Answer,
    TrailDescription,
    public_key_bytes,
    trail_descriptions,
    trail_fact,
)
from monitor.errors import Denied, Malformed, SourceError, Throttled
from monitor.facts.audit_log import LogStore, LogTrail, TrailList
from monitor.model import Capture, CoverageStatus, EvidenceRef, ScopeCoverage, Unknown, Window
from monitor.sources.aws.http_seam import record_into
from monitor.sources.aws.session import ClientFactory, call

SOURCE = "aws.trail-settings"
MAX_PAGES = 50
MAX_ASKED_FOR_A_BUCKET = 10


class TrailCollection(msgspec.Struct, frozen=True, kw_only=True):
    """What one reading gave: a TrailList and a coverage an account, and the bytes behind them."""

    facts: tuple[TrailList, ...]
    captures: tuple[Capture, ...]
    coverage: tuple[ScopeCoverage, ...]


class TrailSettings:
    """Reads the trails of an estate: accounts (production and watched) with the regions that are declared for each."""

    def __init__(self, estate_accounts: Sequence[tuple[str, Sequence[str]]], clients: ClientFactory) -> None:
        self._accounts = {account: tuple(regions) for account, regions in estate_accounts}
        self._clients = clients

    def collect(self, at: datetime) -> TrailCollection:
        """Return the trails of all accounts as they are now; `at` (UTC) is the time that the captures bear."""
        reading = _Reading(self._accounts, self._clients, at)
        try:
            read = [reading.account(account) for account in self._accounts]
        finally:
            reading.close()
        return TrailCollection(
            facts=tuple(fact for fact, _ in read),
            captures=tuple(reading.captures),
            coverage=tuple(coverage for _, coverage in read),
        )

    def public_keys(
        self, account: str, region: str, window: Window, at: datetime | None = None
    ) -> tuple[dict[str, bytes], tuple[Capture, ...]]:
        """Return the keys (fingerprint → DER) that signed the region's digests in the window, and the captures.

        `at` (UTC) is the time that the captures bear, the window's end if not given. Raises SourceError.
        """
        reading = _Reading(self._accounts, self._clients, at or window.end)
        keys: dict[str, bytes] = {}
        params: dict[str, Any] = {"StartTime": window.start, "EndTime": window.end}
        try:
            for _ in range(MAX_PAGES):
                answer = reading.ask("cloudtrail", "ListPublicKeys", account, region, **params).known() or {}
                keys |= public_key_bytes(answer)
                if not answer.get("NextToken"):
                    return keys, tuple(reading.captures)
                params["NextToken"] = answer["NextToken"]
        finally:
            reading.close()
        raise Malformed(f"cloudtrail:ListPublicKeys goes on for more than {MAX_PAGES} pages", source=SOURCE)


class _Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one call: its answer or its error, where it was asked, and the capture."""

    account: str
    answer: Answer = None
    error: SourceError | None = None
    evidence: tuple[EvidenceRef, ...] = ()

    def known(self) -> Answer:
        if self.error:
            raise self.error
        return self.answer

    @property
    def value(self) -> Answer | Unknown:
        if not self.error:
            return self.answer
        grant = self.error.todo
        if isinstance(self.error, Denied):
            grant = f"{self.error.permission} in account {self.account}"
        return Unknown(self.error.what, grant)


# The permission that an operation needs, where it is not called as the operation is.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
_PERMISSIONS = {
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
}
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_ABSENT = {
    "GetBucketLifecycleConfiguration": ("NoSuchLifecycleConfiguration",),
    "GetBucketOwnershipControls": ("OwnershipControlsNotFoundError",),
    "GetBucketPolicyStatus": ("NoSuchBucketPolicy",),
    "GetPublicAccessBlock": ("NoSuchPublicAccessBlockConfiguration",),
}


class _Reading:
    """One reading of the whole estate: each question is asked once, whoever needs the answer."""

    def __init__(self, accounts: dict[str, tuple[str, ...]], clients: ClientFactory, at: datetime) -> None:
        self._accounts = accounts
        self._factory = clients
        self._at = at
        self._clients: dict[tuple[str, str, str], BaseClient] = {}
        self._stops: list[Callable[[], None]] = []
        self._replies: dict[tuple[Any, ...], _Reply] = {}
        self._stores: dict[tuple[str, str], tuple[LogStore, tuple[_Reply, ...]]] = {}
        self.captures: list[Capture] = []

    def close(self) -> None:
        for stop in self._stops:
            stop()

    def account(self, account: str) -> tuple[TrailList, ScopeCoverage]:
        """Return an account's trails and what of it was read."""
        trails: tuple[LogTrail, ...] | Unknown = Unknown(
            "no region is declared", f"declare regions of account {account}"
        )
        replies: list[_Reply] = []
        evidence: list[EvidenceRef] = []
        # A trail for all regions, the only kind that can be good, shows in each of them: the first that answers will do.
        for region in self._accounts[account]:
            listing, described = self._listed(account, region)
            replies.append(listing)
            evidence += listing.evidence
            if isinstance(listing.value, Unknown):
                trails = trails if len(replies) > 1 else listing.value
                continue
            found = [self._trail(account, region, one, listing, replies) for one in described]
            trails = tuple(sorted(found, key=lambda trail: trail.identifier))
            break
        fact = TrailList(account=account, provider=PROVIDER, trails=trails, evidence=tuple(evidence))
        return fact, _coverage(account, replies, None if isinstance(trails, Unknown) else len(trails))

    def ask(self, service: str, operation: str, account: str, region: str, **params: Any) -> _Reply:
        """Return what came of the call; the same question is asked once."""
        question = (service, operation, account, region, *sorted(params.items()))
        if question not in self._replies:
            self._replies[question] = self._asked(service, operation, account, region, params)
        return self._replies[question]

    def _asked(self, service: str, operation: str, account: str, region: str, params: dict[str, Any]) -> _Reply:
        permission = f"{service}:{_PERMISSIONS.get(operation, operation)}"
        scope = f"{PROVIDER}:{account}:{region}"
        before = len(self.captures)
        answer, error = None, None
        try:
            client = self._client(service, account, region)
            method = next(name for name, called in client.meta.method_to_api_mapping.items() if called == operation)
            answer = call(client, method, permission, scope, _ABSENT.get(operation, ()), **params)
        except SourceError as failed:
            error = failed
        # The last one is the answer itself; S3 may have asked on the way in which region the bucket is.
        evidence = tuple(one.ref for one in self.captures[before:][-1:])
        return _Reply(account=account, answer=answer, error=error, evidence=evidence)

    def _client(self, service: str, account: str, region: str) -> BaseClient:
        key = (service, account, region)
        if key not in self._clients:
            client = self._clients[key] = self._factory(service, account, region)
            scope = f"{PROVIDER}:{account}:{region}"
            self._stops.append(record_into(client, self.captures.append, scope, lambda: self._at))
        return self._clients[key]

    def _listed(self, account: str, region: str) -> tuple[_Reply, tuple[TrailDescription, ...]]:
        listing = self.ask("cloudtrail", "DescribeTrails", account, region, includeShadowTrails=True)
        if listing.error:
            return listing, ()
        try:
            return listing, trail_descriptions(listing.answer)
        except Malformed as broken:
            return msgspec.structs.replace(listing, error=broken), ()

    def _trail(
        self, account: str, region: str, one: TrailDescription, listing: _Reply, replies: list[_Reply]
    ) -> LogTrail:
        """Return the trail; its owner is asked if it is declared, since others may not see all of a shadow trail."""
        who, where = (one.owner, one.home_region or region) if one.owner in self._accounts else (account, region)
        name = one.arn or one.name
        status = self.ask("cloudtrail", "GetTrailStatus", who, where, Name=name)
        selectors = self.ask("cloudtrail", "GetEventSelectors", who, where, TrailName=name)
        store = None
        replies += [status, selectors]
        if one.bucket:
            store, asked = self._store(one, dict.fromkeys((who, account, *self._accounts)), one.home_region or where)
            replies += asked
        evidence = (*listing.evidence, *status.evidence, *selectors.evidence)
        return trail_fact(one, account, status.value, selectors.value, store, evidence)

    def _store(
        self, one: TrailDescription, accounts: dict[str, None], region: str
    ) -> tuple[LogStore, tuple[_Reply, ...]]:
        """Return the bucket. It may belong to another account than the trail: the first that is not denied is believed."""
        key = (one.bucket, one.prefix)
        if key not in self._stores:
            asked = list(accounts)[:MAX_ASKED_FOR_A_BUCKET]
            allowed = (who for who in asked if not self._refused(one.bucket, who, region))
            self._stores[key] = self._read_store(one, next(allowed, asked[0]), region)
        return self._stores[key]

    def _refused(self, bucket: str, account: str, region: str) -> bool:
        return isinstance(self.ask("s3", "GetBucketPolicyStatus", account, region, Bucket=bucket).error, Denied)

    def _read_store(self, one: TrailDescription, account: str, region: str) -> tuple[LogStore, tuple[_Reply, ...]]:
        def ask(operation: str) -> _Reply:
            return self.ask("s3", operation, account, region, Bucket=one.bucket)

        policy, block = ask("GetBucketPolicyStatus"), ask("GetPublicAccessBlock")
        replies = [policy, block, ask("GetBucketLifecycleConfiguration"), ask("GetBucketVersioning")]
        ownership = _Reply(account=account)
        if not blocks_public_acls(block.value):
            ownership = ask("GetBucketOwnershipControls")
            replies.append(ownership)
        store = store_fact(
            one.bucket,
            one.prefix,
            policy_status=policy.value,
            access_block=block.value,
            ownership=ownership.value,
            lifecycle=replies[2].value,
            versioning=replies[3].value,
            evidence=tuple(ref for reply in replies for ref in reply.evidence),
        )
        return store, tuple(replies)


def _coverage(account: str, replies: Sequence[_Reply], trails: int | None) -> ScopeCoverage:
    """Return what was read of an account; `trails` is None where not even a list of them could be had."""
    failed = [(reply.account, reply.error) for reply in replies if reply.error]
    errors = [error for _, error in failed]
    status = CoverageStatus.PARTIAL if errors or trails is None else CoverageStatus.COMPLETE
    if trails is None and any(isinstance(error, Denied) for error in errors):
        status = CoverageStatus.DENIED
    elif trails is None and any(isinstance(error, Throttled) for error in errors):
        status = CoverageStatus.THROTTLED
    denied = [f"{error.permission} in account {who}" for who, error in failed if isinstance(error, Denied)]
    return ScopeCoverage(
        scope=f"{PROVIDER}:{account}",
        source=SOURCE,
        status=status,
        reason=errors[0].what if errors else "",
        grant=", ".join(dict.fromkeys(denied)),
        counts={"calls": len(replies), "failed": len(failed), "trails": trails or 0},
        gaps=tuple(dict.fromkeys(error.what for error in errors)),
    )
