"""Probes of AWS: each permission of config/access/aws-read-only-policy.json, asked for once in each account.

Service and operation names: https://docs.aws.amazon.com/service-authorization/latest/reference/
Nothing is changed. A credential report may be made, as each sweep has one made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import botocore.session
import msgspec
from botocore.client import BaseClient
from botocore.config import Config

from monitor.decode.aws_log_bucket import expires_after_days
from monitor.errors import Denied, SourceError
from monitor.sources.aws.iam_asking import REGION
from monitor.sources.aws.session import ClientFactory, LiveClients, call
from monitor.sources.objects import Location
from monitor.sources.probe import SECONDS, Probed, State, failed, kept, skew

_QUICK = Config(
    retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=SECONDS / 2, read_timeout=SECONDS
)
_NO_REPORT = ("ReportNotPresent", "ReportInProgress", "ReportExpired")
_ALONE = ("AWSOrganizationsNotInUseException",)


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """What is watched in AWS: account to its first region, and bucket of a trail to the account that has it.

    Logs lie below `prefix` of the bucket `logs`, and are still to be read from `owed_from` (UTC) on.
    """

    accounts: dict[str, str]
    buckets: dict[str, str] = {}
    logs: str = ""
    prefix: str = ""
    owed_from: datetime | None = None
    identities: bool = True


class QuickClients(LiveClients):
    """Live clients that ask once, and wait some seconds at most. One for each thread: sessions are not shared."""

    def __init__(self, role: str | None) -> None:
        super().__init__(role, attempts=1)
        self._config = self._config.merge(_QUICK)


def accounts(
    watched: Watched, clients: Callable[[], ClientFactory], clock: Callable[[], datetime]
) -> list[Callable[[], Iterator[Probed]]]:
    """Return a probe for each account; `clients` makes the clients of one thread, `clock` is ours (UTC)."""
    return [
        lambda account=account, region=region: _Account(watched, account, region, clients(), clock).all()  # type: ignore[misc]
        for account, region in watched.accounts.items()
    ]


def organization(found: list[Probed]) -> list[Probed]:
    """Return the probes with those of the organisation's policies judged together: one account that may read them is enough."""
    mine = [one for one in found if one.asked.startswith("organizations:")]
    good = {one.asked for one in mine if one.state is State.GOOD}
    rest: list[Probed] = []
    seen: set[str] = set()
    for one in found:
        if one not in mine:
            rest.append(one)
        elif one.asked in good and one.state is not State.GOOD:
            continue
        elif one.asked not in seen:
            seen.add(one.asked)
            rest.append(one)
    return rest


def bucket(location: Location, clock: Callable[[], datetime]) -> Iterator[Probed]:
    """Yield what own credentials may do with the trail's bucket: list it, and read (and decrypt) an object of it."""
    part, where = f"AWS bucket {location.bucket}", f"s3://{location.bucket}"
    session = botocore.session.Session()
    region = location.region or session.get_config_variable("region") or REGION
    client = session.create_client("s3", region_name=region, config=_QUICK)
    before = clock()
    prefix = f"{location.prefix}AWSLogs/"
    try:
        listed = _answer(
            client,
            "list_objects_v2",
            f"s3:ListBucket on {where}",
            where,
            Bucket=location.bucket,
            Prefix=prefix,
            MaxKeys=50,
        )
    except SourceError as error:
        yield failed(part, "s3:ListBucket", error)
        return
    yield _good(part, "s3:ListBucket")
    yield skew(part, _date(listed), before, clock())
    keys = [str(one.get("Key")) for one in listed.get("Contents", ()) if not str(one.get("Key")).endswith("/")]
    if not keys:
        yield Probed(
            part=part,
            asked="s3:GetObject",
            state=State.UNKNOWN,
            told=f"there is no object under {prefix}, so nothing could be read to see whether it may be",
            todo="check the bucket and prefix in aws.trail_logs.location: it is what holds AWSLogs/",
        )
        return
    try:
        permission = f"s3:GetObject on {where}/{location.prefix}AWSLogs/*, and kms:Decrypt on the bucket's key"
        got = _answer(client, "get_object", permission, where, Bucket=location.bucket, Key=keys[0], Range="bytes=0-0")
        got["Body"].close()
        yield _good(part, "s3:GetObject")
    except SourceError as error:
        yield failed(part, "s3:GetObject", error)


class _Account:
    """The probe of one account, in one thread."""

    def __init__(
        self, watched: Watched, account: str, region: str, clients: ClientFactory, clock: Callable[[], datetime]
    ) -> None:
        self._watched = watched
        self._account = account
        self._region = region
        self._factory = clients
        self._clock = clock
        self._clients: dict[str, BaseClient] = {}
        self._part = f"AWS {account}"
        self._scope = f"aws:{account}"

    def all(self) -> Iterator[Probed]:
        """Yield what may be read in the account; one line only where there is no way in."""
        before = self._clock()
        try:
            trails = self._ask("cloudtrail", "describe_trails", "cloudtrail:DescribeTrails")
            yield _good(self._part, "cloudtrail:DescribeTrails")
            yield skew(self._part, _date(trails), before, self._clock())
        except SourceError as error:
            # A refusal tells the time too, and a clock that is wrong may be why it was refused.
            if date := _date(getattr(error.__cause__, "response", {})):
                yield skew(self._part, date, before, self._clock())
            if not (isinstance(error, Denied) and error.permission == "cloudtrail:DescribeTrails"):
                asked = "sts:AssumeRole" if isinstance(error, Denied) else "credentials"
                yield failed(self._part, asked, error)
                return
            trails = {}
            yield self._failed("cloudtrail:DescribeTrails", error)
        yield from self._trails(trails)
        if self._watched.identities:
            yield from self._identities()
        for name, owner in self._watched.buckets.items():
            if owner == self._account:
                yield from self._bucket(name)

    def _trails(self, listed: dict[str, Any]) -> Iterator[Probed]:
        mine = [one for one in listed.get("trailList", ()) if f":{self._account}:" in str(one.get("TrailARN"))]
        for one in mine[:1]:
            name = str(one["TrailARN"])
            yield self._tried("cloudtrail", "get_trail_status", "cloudtrail:GetTrailStatus", Name=name)[1]
            yield self._tried("cloudtrail", "get_event_selectors", "cloudtrail:GetEventSelectors", TrailName=name)[1]
        end = self._clock()
        start = end - timedelta(days=1)
        yield self._tried("cloudtrail", "list_public_keys", "cloudtrail:ListPublicKeys", StartTime=start, EndTime=end)[
            1
        ]

    def _identities(self) -> Iterator[Probed]:
        details, told = self._tried(
            "iam", "get_account_authorization_details", "iam:GetAccountAuthorizationDetails", MaxItems=1
        )
        yield told
        listed, told = self._tried("iam", "list_open_id_connect_providers", "iam:ListOpenIDConnectProviders")
        yield told
        for one in listed.get("OpenIDConnectProviderList", ())[:1]:
            yield self._tried(
                "iam",
                "get_open_id_connect_provider",
                "iam:GetOpenIDConnectProvider",
                OpenIDConnectProviderArn=str(one.get("Arn")),
            )[1]
        yield self._tried("iam", "list_saml_providers", "iam:ListSAMLProviders")[1]
        yield self._tried("iam", "generate_credential_report", "iam:GenerateCredentialReport")[1]
        yield self._tried("iam", "get_credential_report", "iam:GetCredentialReport", _NO_REPORT)[1]
        yield from self._usage(details)
        yield from self._organization()

    def _usage(self, details: dict[str, Any]) -> Iterator[Probed]:
        arns = [
            str(one.get("Arn"))
            for name in ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
            for one in details.get(name, ())
        ]
        if not arns:
            return
        made, told = self._tried(
            "iam",
            "generate_service_last_accessed_details",
            "iam:GenerateServiceLastAccessedDetails",
            Arn=arns[0],
        )
        yield told
        if made.get("JobId"):
            yield self._tried(
                "iam",
                "get_service_last_accessed_details",
                "iam:GetServiceLastAccessedDetails",
                JobId=made["JobId"],
                MaxItems=1,
            )[1]

    def _organization(self) -> Iterator[Probed]:
        described, told = self._tried(
            "organizations", "describe_organization", "organizations:DescribeOrganization", _ALONE
        )
        yield told
        if not described:
            return
        yield self._tried("organizations", "list_roots", "organizations:ListRoots")[1]
        yield self._tried("organizations", "list_parents", "organizations:ListParents", ChildId=self._account)[1]
        attached, told = self._tried(
            "organizations",
            "list_policies_for_target",
            "organizations:ListPoliciesForTarget",
            TargetId=self._account,
            Filter="SERVICE_CONTROL_POLICY",
        )
        yield told
        for one in attached.get("Policies", ())[:1]:
            yield self._tried(
                "organizations", "describe_policy", "organizations:DescribePolicy", PolicyId=str(one.get("Id"))
            )[1]

    def _bucket(self, name: str) -> Iterator[Probed]:
        for operation, action, absent in _BUCKET:
            answer, told = self._tried("s3", operation, f"s3:{action}", (absent,) if absent else (), Bucket=name)
            yield told
            if operation == "get_bucket_lifecycle_configuration" and told.state is State.GOOD:
                yield from self._kept(name, answer)

    def _kept(self, name: str, answer: dict[str, Any]) -> Iterator[Probed]:
        days = expires_after_days(answer or None, f"{self._watched.prefix}AWSLogs/")
        if isinstance(days, int) and self._watched.owed_from and name == self._watched.logs:
            yield kept(f"AWS bucket {name}", "retention", days, self._watched.owed_from, self._clock())

    def _tried(
        self, service: str, operation: str, permission: str, absent: tuple[str, ...] = (), **params: Any
    ) -> tuple[dict[str, Any], Probed]:
        try:
            return self._ask(service, operation, permission, absent, **params), _good(self._part, permission)
        except SourceError as error:
            return {}, self._failed(permission, error)

    def _failed(self, permission: str, error: SourceError) -> Probed:
        told = failed(self._part, permission, error)
        return msgspec.structs.replace(told, grant=f"{told.grant} in account {self._account}") if told.grant else told

    def _ask(
        self, service: str, operation: str, permission: str, absent: tuple[str, ...] = (), **params: Any
    ) -> dict[str, Any]:
        if service not in self._clients:
            self._clients[service] = self._factory(service, self._account, self._region)
        return _answer(self._clients[service], operation, permission, self._scope, absent, **params)


# Operation, action (which is not always called as the operation is), and the code that says that there is none.
_BUCKET = (
    ("get_bucket_policy_status", "GetBucketPolicyStatus", "NoSuchBucketPolicy"),
    ("get_public_access_block", "GetBucketPublicAccessBlock", "NoSuchPublicAccessBlockConfiguration"),
    ("get_bucket_ownership_controls", "GetBucketOwnershipControls", "OwnershipControlsNotFoundError"),
    ("get_bucket_lifecycle_configuration", "GetLifecycleConfiguration", "NoSuchLifecycleConfiguration"),
    ("get_bucket_versioning", "GetBucketVersioning", ""),
)


def _answer(
    client: BaseClient, operation: str, permission: str, scope: str, absent: tuple[str, ...] = (), **params: Any
) -> dict[str, Any]:
    return call(client, operation, permission, scope, absent, **params) or {}


def _good(part: str, permission: str) -> Probed:
    return Probed(part=part, asked=permission, state=State.GOOD)


def _date(answer: dict[str, Any]) -> str:
    return str(answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", ""))
