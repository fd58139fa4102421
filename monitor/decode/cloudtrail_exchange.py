"""The issuing of temporary credentials: who got which access key, for which token or credentials. Pure."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta

import msgspec

from monitor.decode import aws_catalogue as names
from monitor.decode.cloudtrail import Record, acted, event_id, happened
from monitor.decode.cloudtrail_identity import Identity, moment
from monitor.errors import Malformed
from monitor.facts.change import TokenExchange
from monitor.model import EvidenceRef

_ERRORS = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


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
    when = happened(decoded)
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
        source=acted(item),
        source_ip=decoded.sourceIPAddress or "",
        user_agent=decoded.userAgent or "",
        access_key=answer.credentials.accessKeyId,
        principal_id=user.assumedRoleId,
        expires=expires,
        sha256=hashlib.sha256(item.body).hexdigest(),
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
