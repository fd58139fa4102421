"""One CloudTrail record to facts: what kind of record it is, who acted, what was written, which credentials were issued.

Pure. The order of questions is design section 6.1: not a change; failed; the provider's own service; else a write.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import msgspec

from monitor.decode import aws_catalogue as names
from monitor.decode.cloudtrail_wire import ABSENT, Slim, Wide, wide
from monitor.errors import Malformed
from monitor.facts.change import Actor, ChangeEvent, TokenExchange
from monitor.facts.session import session_id
from monitor.model import EvidenceRef

PROVIDER = "aws"


class Kind(StrEnum):
    """What a record is. Only `write` is judged; `service` passes; the rest are not changes."""

    READ = "read"
    CREDENTIALS = "credentials"
    DATA = "data"
    TELEMETRY = "telemetry"
    DRY_RUN = "dry-run"
    ATTEMPT = "attempt"
    SERVICE = "service"
    WRITE = "write"


WHY = {
    Kind.READ: "read-only call",
    Kind.CREDENTIALS: "sign-in or issuing of credentials",
    Kind.DATA: "data-plane call",
    Kind.TELEMETRY: "telemetry that an agent reports of its own instance",
    Kind.DRY_RUN: "dry run",
    Kind.ATTEMPT: "failed: an attempt, not a change",
    Kind.SERVICE: "the provider's own service acted",
    Kind.WRITE: "write",
}


class Issuer(msgspec.Struct, gc=False):
    """The role or user whose credentials a session carries."""

    type: str | None = None
    arn: str | None = None
    userName: str | None = None


class Attributes(msgspec.Struct, gc=False):
    """When a session began and whether with a second factor."""

    creationDate: str | None = None
    mfaAuthenticated: str | None = None


class Federation(msgspec.Struct, gc=False):
    """By which provider a session was federated; present and empty on most sessions."""

    federatedProvider: str | None = None


class SessionContext(msgspec.Struct, gc=False):
    """https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html"""

    sessionIssuer: Issuer | None = None
    webIdFederationData: Federation | None = None
    attributes: Attributes | None = None
    sourceIdentity: str | None = None


class OnBehalfOf(msgspec.Struct, gc=False):
    """The Identity Center user on whose behalf a session acts."""

    userId: str | None = None


class Identity(msgspec.Struct, gc=False):
    """`userIdentity`. Every member can be missing."""

    type: str | None = None
    principalId: str | None = None
    arn: str | None = None
    accountId: str | None = None
    accessKeyId: str | None = None
    userName: str | None = None
    sessionContext: SessionContext | None = None
    invokedBy: str | None = None
    identityProvider: str | None = None
    onBehalfOf: OnBehalfOf | None = None


_identity = msgspec.json.Decoder(Identity | None).decode
_any = msgspec.json.Decoder().decode
_ERRORS = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
_MEMORY = 1 << 16


class Holder(msgspec.Struct, gc=False):
    """One `userIdentity`, decoded: who held the credentials, and whether that was AWS itself. `wrong` tells what is off."""

    identity: Identity
    service: bool = False
    instance: bool = False
    actor: Actor | None = None
    wrong: str = ""
    session: tuple[str, str] = ("", "")
    """The account and name of the session whose writes were met last."""


class Holders:
    """Every `userIdentity` once: all calls of one session carry the same bytes, so most of them were met before."""

    def __init__(self) -> None:
        self.elsewhere = False
        """Whether the records at hand are of an account that is not production: the trail files them by account."""
        self._met: dict[bytes, Holder] = {}

    def of(self, raw: msgspec.Raw | bytes) -> Holder:
        """Return the holder that these bytes describe; never raises."""
        body = bytes(raw)
        found = self._met.get(body)
        if found is None:
            if len(self._met) >= _MEMORY:
                self._met.clear()
            found = self._met[body] = _holder(body)
        return found

    def session(self, item: Record, event: ChangeEvent) -> str:
        """Return the name of the session that made a write; worked out once for credentials that end."""
        holder = item.holder
        if event.actor.session_started is None:
            return session_id(event)
        if holder.session[0] != event.account:
            holder.session = (event.account, session_id(event))
        return holder.session[1]

    def plain(self, slim: Slim) -> str:
        """Tell of a record that is not plainly a read whether it can be counted without a look at the rest of it."""
        name = slim.eventName
        if name in names.ALWAYS_READ:
            return ""
        if slim.managementEvent is False:
            return "data_events"
        if self.elsewhere:
            return "elsewhere"
        return "service_writes" if self.of(slim.userIdentity).service else ""


def _holder(body: bytes) -> Holder:
    try:
        identity = (_identity(body) if body else None) or Identity()
    except _ERRORS as wrong:
        return Holder(Identity(), wrong=f"userIdentity: {str(wrong)[:160]}")
    try:
        return Holder(identity, is_service(identity), _is_instance(identity), actor_of(identity))
    except Malformed as wrong:
        return Holder(identity, wrong=wrong.what)


class Record(msgspec.Struct, gc=False):
    """A record with its holder and its kind told."""

    body: bytes
    wide: Wide
    holder: Holder
    kind: Kind
    account: str


def record(body: bytes, decoded: Wide | None = None, account: str = "", holders: Holders | None = None) -> Record:
    """Return one record, classified. `account` is used where the record names none. Raises Malformed."""
    decoded = decoded or wide(body)
    if (not decoded.eventName or not decoded.eventSource) and decoded.eventCategory != "Insight":
        raise Malformed("eventName or eventSource is missing")
    holder = (holders or Holders()).of(decoded.userIdentity)
    if holder.wrong:
        raise Malformed(holder.wrong)
    # CloudTrail files records by the account whose they are, so the folder knows better than the caller's identity.
    where = decoded.recipientAccountId or account or holder.identity.accountId or ""
    if where and not _ACCOUNT.fullmatch(where):
        raise Malformed("recipientAccountId is not an account number")
    return Record(body, decoded, holder, kind_of(decoded, holder), where)


def kind_of(decoded: Wide, holder: Holder) -> Kind:
    """Return what kind of record this is; the first question that is answered with yes decides."""
    name, source = decoded.eventName, decoded.eventSource
    if decoded.eventCategory == "Insight":
        return Kind.DATA
    issuing = name in names.ISSUING and source in names.ISSUERS
    if issuing or (name in names.SIGN_IN_NAMES and source in names.SIGN_IN):
        return Kind.CREDENTIALS
    if decoded.readOnly or (decoded.readOnly is None and _reads(name)):
        return Kind.READ
    if _is_data(decoded):
        return Kind.DATA
    if decoded.errorCode:
        return Kind.DRY_RUN if decoded.errorCode.endswith("DryRunOperation") else Kind.ATTEMPT
    if holder.instance and name in names.TELEMETRY.get(source, ()):
        return Kind.TELEMETRY
    if decoded.eventType == "AwsServiceEvent" or holder.service:
        return Kind.SERVICE
    return Kind.WRITE


def _reads(name: str) -> bool:
    return any(name.startswith(first) and not name[len(first) : len(first) + 1].islower() for first in names.READS)


def _is_data(decoded: Wide) -> bool:
    # eventCategory is Management, Data or NetworkActivity. https://docs.aws.amazon.com/awscloudtrail/latest/userguide/
    # cloudtrail-event-reference-record-contents.html
    category, management = decoded.eventCategory, decoded.managementEvent
    if management is False or (decoded.eventName in names.CRYPTOGRAPHY and decoded.eventSource == "kms.amazonaws.com"):
        return True
    if management is None and not category:
        return decoded.eventName in names.DATA.get(decoded.eventSource, ()) or decoded.eventType == "AwsVpceEvent"
    return management is None and category in ("Data", "NetworkActivity")


def _is_instance(identity: Identity) -> bool:
    """Return whether the session is one that EC2 gave to an instance: EC2 names it after the instance."""
    return identity.type == "AssumedRole" and bool(_INSTANCE.fullmatch(_session_name(identity)))


_ACCOUNT = re.compile(r"[0-9]{12}")
_INSTANCE = re.compile(r"m?i-[0-9a-f]{8,17}")
_SERVICE_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/aws-service-role/[^/]+/[^/]+")


def is_service(identity: Identity) -> bool:
    """Return whether AWS itself acted: as a service, or through a service-linked role, known by its reserved path.

    `invokedBy` excuses nobody. https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create-service-linked-role.html
    """
    if identity.type == "AWSService":
        return True
    issuer = identity.sessionContext and identity.sessionContext.sessionIssuer
    return bool(
        identity.type == "AssumedRole"
        and issuer
        and issuer.type == "Role"
        and issuer.arn
        and _SERVICE_ROLE.fullmatch(issuer.arn)
    )


_ROLE = re.compile(r"arn:(aws[a-z-]*):iam::(\d{12}):role/(?:[^/]+/)*([^/]+)")
_SESSION = re.compile(r"arn:(aws[a-z-]*):sts::(\d{12}):assumed-role/([^/]+)/(.+)", re.DOTALL)
_CONSOLE = re.compile(
    r"console\.(?:[a-z0-9.-]+\.)?amazonaws\.com|signin\.amazonaws\.com|\[?S3Console|AWS CloudWatch Console|Mozilla/|AWS Internal"
)


def _session_name(identity: Identity) -> str:
    matched = _SESSION.fullmatch(identity.arn or "")
    if matched:
        return matched[4]
    return (identity.principalId or "").partition(":")[2]


def actor_of(identity: Identity) -> Actor:
    """Return who acted, in neutral words. Raises Malformed where the identity contradicts itself."""
    context = identity.sessionContext or SessionContext()
    issuer = context.sessionIssuer or Issuer()
    attributes = context.attributes or Attributes()
    principals: list[str] = []
    if identity.arn:
        principals.append(identity.arn)
    role = issuer.arn if issuer.type == "Role" and issuer.arn else ""
    if identity.type == "AssumedRole" and role:
        one, other = _ROLE.fullmatch(role), _SESSION.fullmatch(identity.arn or "")
        if identity.arn and (not one or not other or one.groups() != other.groups()[:3]):
            raise Malformed("userIdentity: the session and its role do not belong together")
        principals.append(role)
    return Actor(
        kind=identity.type or "unknown",
        name=identity.arn or identity.userName or identity.principalId or identity.invokedBy or "unknown",
        account=identity.accountId or "",
        principals=tuple(principals),
        principal_id=identity.principalId or "",
        access_key=identity.accessKeyId or "",
        session_name=_session_name(identity),
        session_started=moment(attributes.creationDate) if attributes.creationDate else None,
        federated_by=(context.webIdFederationData and context.webIdFederationData.federatedProvider) or "",
        service=(identity.invokedBy or "aws") if is_service(identity) else "",
        via=identity.invokedBy or "",
        source_identity=context.sourceIdentity or "",
        on_behalf_of=(identity.onBehalfOf and identity.onBehalfOf.userId) or "",
        human=_human(identity, role),
        mfa={"true": True, "false": False}.get(attributes.mfaAuthenticated or ""),
    )


def _human(identity: Identity, role: str) -> str:
    """Return why a person is to be seen behind an identity, or nothing."""
    if identity.type == "Root":
        return "root user"
    if identity.invokedBy == "signin.amazonaws.com":
        return "from the console"
    if "/aws-reserved/sso.amazonaws.com/" in role or "/AWSReservedSSO_" in role:
        return "single sign-on"
    if identity.onBehalfOf and identity.onBehalfOf.userId:
        return "on behalf of an Identity Center user"
    if identity.type == "IAMUser":
        return "user with keys of its own"
    return ""


def _acted(item: Record) -> Actor:
    """Return who acted in this call. A user agent may incriminate, never exculpate."""
    actor = item.holder.actor or Actor()
    if item.kind is Kind.SERVICE and not actor.service:
        return msgspec.structs.replace(actor, service=item.holder.identity.invokedBy or "aws")
    if actor.human:
        return actor
    decoded = item.wide
    console = decoded.sessionCredentialFromConsole
    if console is not ABSENT and bytes(console).strip(b'"') == b"true":
        return msgspec.structs.replace(actor, human="from the console")
    if not actor.via and decoded.userAgent and _CONSOLE.match(decoded.userAgent):
        return msgspec.structs.replace(actor, human="console user agent")
    return actor


def moment(text: str) -> datetime | None:
    """Return the time that a text names, UTC; None where it names none or has no zone."""
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is UTC:
            return found
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _when(decoded: Wide) -> datetime:
    found = moment(decoded.eventTime)
    if found is None:
        raise Malformed("eventTime is missing or not a time in UTC")
    return found


def event_id(item: Record) -> str:
    """Return the record's id by which deliveries are deduplicated; a digest of what it says where AWS gave none."""
    if item.wide.eventID:
        return item.wide.eventID
    try:
        body = msgspec.json.encode(_any(item.body), order="deterministic")
    except (*_ERRORS, ValueError):
        body = item.body
    return "sha256:" + hashlib.sha256(body).hexdigest()


def event(
    item: Record, *, region: str = "", log_object: EvidenceRef | None = None, blinds: str | None = None
) -> ChangeEvent:
    """Return a write as a fact. Raises Malformed where who or when cannot be told apart from nonsense."""
    decoded = item.wide
    service = decoded.eventSource.removesuffix(".amazonaws.com")
    return ChangeEvent(
        id=event_id(item),
        time=_when(decoded),
        provider=PROVIDER,
        account=item.account,
        region=decoded.awsRegion or region,
        action=f"{service}:{decoded.eventName}",
        actor=_acted(item),
        what=targets(decoded),
        source_ip=decoded.sourceIPAddress or "",
        user_agent=decoded.userAgent or "",
        severity=names.severity(service, decoded.eventName),
        blinds=blinding(decoded) if blinds is None else blinds,
        evidence=log_object,
    )


def blinding(decoded: Wide, log_buckets: frozenset[str] = frozenset()) -> str:
    """Return how a call can blind the audit log, or nothing."""
    direct = names.BLINDING.get(decoded.eventSource, {}).get(decoded.eventName, "")
    if direct or not log_buckets or decoded.eventSource != "s3.amazonaws.com":
        return direct
    effect = names.BLINDING_BUCKET.get(decoded.eventName, "")
    return effect if effect and not log_buckets.isdisjoint(targets(decoded)) else ""


class _Targets(msgspec.Struct, gc=False):
    """Members of requests that name what is acted upon, over all services."""

    bucketName: msgspec.Raw = ABSENT
    functionName: msgspec.Raw = ABSENT
    cluster: msgspec.Raw = ABSENT
    service: msgspec.Raw = ABSENT
    roleName: msgspec.Raw = ABSENT
    userName: msgspec.Raw = ABSENT
    groupName: msgspec.Raw = ABSENT
    groupId: msgspec.Raw = ABSENT
    policyArn: msgspec.Raw = ABSENT
    policyName: msgspec.Raw = ABSENT
    instanceId: msgspec.Raw = ABSENT
    stackName: msgspec.Raw = ABSENT
    family: msgspec.Raw = ABSENT
    name: msgspec.Raw = ABSENT
    trailName: msgspec.Raw = ABSENT
    keyId: msgspec.Raw = ABSENT
    secretId: msgspec.Raw = ABSENT
    parameterName: msgspec.Raw = ABSENT
    dBInstanceIdentifier: msgspec.Raw = ABSENT
    cacheClusterId: msgspec.Raw = ABSENT
    tableName: msgspec.Raw = ABSENT
    repositoryName: msgspec.Raw = ABSENT
    hostedZoneId: msgspec.Raw = ABSENT
    resourceArn: msgspec.Raw = ABSENT
    queueUrl: msgspec.Raw = ABSENT
    topicArn: msgspec.Raw = ABSENT
    dBClusterIdentifier: msgspec.Raw = ABSENT
    loadBalancerArn: msgspec.Raw = ABSENT
    logGroupName: msgspec.Raw = ABSENT
    autoScalingGroupName: msgspec.Raw = ABSENT
    openIDConnectProviderArn: msgspec.Raw = ABSENT
    instancesSet: msgspec.Raw = ABSENT


class _Instance(msgspec.Struct, gc=False):
    instanceId: str = ""


class _Instances(msgspec.Struct, gc=False):
    items: list[_Instance] = []


_instances = msgspec.json.Decoder(_Instances).decode
_targets = msgspec.json.Decoder(_Targets | None).decode


def targets(decoded: Wide) -> tuple[str, ...]:
    """Return the names of what a call was aimed at, as its request gives them; each at most 256 characters."""
    if not decoded.requestParameters:
        return ()
    try:
        request = _targets(decoded.requestParameters)
        if request is None:
            return ()
        *given, instances = msgspec.structs.astuple(request)
        texts = [bytes(raw) for raw in given if raw is not ABSENT]
        named = [str(_any(text))[:256] for text in texts if text[:1] == b'"']
        if instances is not ABSENT:
            named += [item.instanceId[:256] for item in _instances(instances).items if item.instanceId]
        return tuple(named)
    except _ERRORS:
        return ()


class _Credentials(msgspec.Struct, gc=False):
    accessKeyId: str = ""
    expiration: str = ""


class _AssumedUser(msgspec.Struct, gc=False):
    assumedRoleId: str = ""
    arn: str = ""


class _Answer(msgspec.Struct, gc=False):
    credentials: _Credentials | None = None
    assumedRoleUser: _AssumedUser | None = None
    subjectFromWebIdentityToken: str = ""
    audience: str = ""
    provider: str = ""
    subject: str = ""
    issuer: str = ""


class _Request(msgspec.Struct, gc=False):
    roleArn: str = ""
    roleSessionName: str = ""
    durationSeconds: int | None = None
    name: str = ""


_answer = msgspec.json.Decoder(_Answer | None).decode
_request = msgspec.json.Decoder(_Request | None).decode
_KINDS = {
    "AssumeRoleWithWebIdentity": "web-identity",
    "AssumeRoleWithSAML": "saml",
    "AssumeRole": "role",
    "AssumeRoot": "role",
    "GetSessionToken": "session",
    "GetFederationToken": "federation",
    "CreateSession": "certificate",
}


def exchange(item: Record, *, log_object: EvidenceRef | None = None) -> TokenExchange | None:
    """Return the issuing of credentials as a fact; None for sign-ins, failures, and answers without an access key.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html. Raises Malformed.
    """
    decoded = item.wide
    kind = _KINDS.get(decoded.eventName)
    if kind is None or decoded.eventSource not in names.ISSUERS or decoded.errorCode or not decoded.responseElements:
        return None
    try:
        answer = _answer(decoded.responseElements) or _Answer()
        request = (_request(decoded.requestParameters) if decoded.requestParameters else None) or _Request()
    except _ERRORS as wrong:
        raise Malformed(f"{decoded.eventName}: {str(wrong)[:160]}") from wrong
    if answer.credentials is None or not answer.credentials.accessKeyId:
        return None
    when = _when(decoded)
    source = item.holder.identity
    if kind == "role" and item.holder.service:
        kind = "service"
    user = answer.assumedRoleUser or _AssumedUser()
    expires = _expiry(answer.credentials.expiration, when, request.durationSeconds)
    return TokenExchange(
        id=event_id(item),
        time=when,
        account=item.account,
        kind=kind,
        target=request.roleArn,
        issuer=_issuer(kind, source, answer),
        subject=_subject(kind, source, answer),
        audience=answer.audience,
        session_name=request.roleSessionName or request.name,
        source=_acted(item),
        source_ip=decoded.sourceIPAddress or "",
        user_agent=decoded.userAgent or "",
        access_key=answer.credentials.accessKeyId,
        principal_id=user.assumedRoleId,
        expires=expires,
        evidence=log_object,
    )


_MONTHS = {
    month: n
    for n, month in enumerate(["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], 1)
}
_EXPIRATION = re.compile(r"([A-Z][a-z]{2}) (\d{1,2}), (\d{4}),? (\d{1,2}):(\d\d):(\d\d)\s([AP])M", re.ASCII)


def _expiry(text: str, when: datetime, seconds: int | None) -> datetime:
    """Return when credentials end (UTC): as CloudTrail writes it (`Mar 1, 2026, 1:02:03 PM`), else as was asked for."""
    written = _EXPIRATION.fullmatch(text)
    if written and written[1] in _MONTHS:
        day, year, hour, minute, second = (int(written[n]) for n in range(2, 7))
        try:
            return datetime(
                year, _MONTHS[written[1]], day, hour % 12 + 12 * (written[7] == "P"), minute, second, tzinfo=UTC
            )
        except ValueError:
            pass
    try:
        return moment(text) or when + timedelta(seconds=min(max(seconds or 43200, 900), 129600))
    except OverflowError:
        return when


def _subject(kind: str, source: Identity, answer: _Answer) -> str:
    if kind == "web-identity":
        # The answer's claim is AWS's own reading of the token; userName is the same for GitHub, and the fall-back.
        return answer.subjectFromWebIdentityToken or source.userName or ""
    if kind == "saml":
        return answer.subject or source.userName or ""
    return ""


def _issuer(kind: str, source: Identity, answer: _Answer) -> str:
    if kind == "web-identity":
        # The first mark alone: whoever names a provider may write another into its path.
        name = answer.provider or source.identityProvider or ""
        return (name.partition(":oidc-provider/")[2] if name.startswith("arn:") else name).removeprefix("https://")
    if kind == "saml":
        return answer.issuer or source.identityProvider or ""
    return ""
