"""Who made a call, as CloudTrail tells it: `userIdentity` to an actor. Pure.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import msgspec

from monitor.decode import aws_catalogue as names
from monitor.decode.cloudtrail_wire import Slim
from monitor.errors import Malformed
from monitor.facts.change import Actor, ChangeEvent
from monitor.facts.session import session_id


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
    ec2RoleDelivery: str | None = None


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

    def session(self, holder: Holder, event: ChangeEvent) -> str:
        """Return the name of the session that made a write; worked out once for credentials that end."""
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


def _is_instance(identity: Identity) -> bool:
    """Return whether the session is one that EC2 gave to an instance: EC2 names it after the instance."""
    # Whoever takes a role chooses the session's name; `ec2RoleDelivery` is AWS's own mark of credentials that an
    # instance was handed. https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
    context = identity.sessionContext
    marked = context is not None and bool(context.ec2RoleDelivery)
    return identity.type == "AssumedRole" and marked and bool(_INSTANCE.fullmatch(_session_name(identity)))


_INSTANCE = re.compile(r"i-[0-9a-f]{8,17}")
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


def moment(text: str) -> datetime | None:
    """Return the time that a text names, UTC; None where it names none or has no zone."""
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is UTC:
            return found
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None
