"""What AWS tells of credentials and of use: the credential report, listings of keys, last-accessed data. Pure.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from monitor.errors import Malformed
from monitor.facts.identity import Credential, Identity, Use
from monitor.model import EvidenceRef, Unknown

ROOT = "<root_account>"
"""What the report calls the account's root user."""
_ASK = "read the credential report again"
_NOTHING = frozenset({"", "n/a", "no_information", "not_supported"})
"""Words for 'there is none', 'not since it is recorded', and 'the root user has no such thing'."""
_LISTS = {
    "AccessKeyMetadata": ("access-key", "AccessKeyId", "CreateDate"),
    "SSHPublicKeys": ("ssh-key", "SSHPublicKeyId", "UploadDate"),
    "ServiceSpecificCredentials": ("service-credential", "ServiceSpecificCredentialId", "CreateDate"),
    "Certificates": ("certificate", "CertificateId", "UploadDate"),
}
"""Lists of credentials that AWS answers with: ListAccessKeys, ListSSHPublicKeys, ListServiceSpecificCredentials,
ListSigningCertificates."""


class UserCredentials(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the credential report. The report tells no key's id: keys are called access_key_1 and access_key_2.

    `mfa` None: the user has neither a password nor a second factor, so is no person's.
    """

    user: str
    arn: str
    created_at: datetime | None = None
    credentials: tuple[Credential, ...] = ()
    mfa: bool | Unknown | None = None


def credential_report(report: bytes | str) -> dict[str, UserCredentials]:
    """Return the rows by the users' ARNs. The report may be Base64-encoded. Raises Malformed if it is no such report."""
    reader = csv.DictReader(io.StringIO(_report_text(report), newline=""))
    try:
        if not {"user", "arn"} <= set(reader.fieldnames or ()):
            raise Malformed("the credential report has no columns 'user' and 'arn'", todo=_ASK)
        rows = [_row(one) for one in reader]
    except csv.Error as wrong:
        raise Malformed(f"the credential report is no CSV: {wrong}", todo=_ASK) from None
    return {row.arn: row for row in rows if row.arn}


def _report_text(report: bytes | str) -> str:
    body = report.encode("utf-8", "replace") if isinstance(report, str) else report
    if b"," not in body:
        try:
            body = base64.b64decode(body, validate=False)
        except (binascii.Error, ValueError):
            raise Malformed("the credential report is neither CSV nor Base64", todo=_ASK) from None
    return body.decode("utf-8-sig", "replace")


def _row(found: Mapping[str | Any, Any]) -> UserCredentials:
    cells = {str(name): value for name, value in found.items() if isinstance(value, str)}
    password = _switch(cells, "password_enabled")
    mfa = _switch(cells, "mfa_active")
    root = cells.get("user") == ROOT
    person = root or password is not False or mfa is not False
    return UserCredentials(
        user=cells.get("user", ""),
        arn=cells.get("arn", ""),
        created_at=moment(cells.get("user_creation_time")),
        credentials=tuple(_of_row(cells, password)),
        mfa=mfa if person else None,
    )


def _of_row(cells: Mapping[str, str], password: bool | Unknown) -> Iterator[Credential]:
    if password is not False:
        yield Credential(
            kind="password",
            id="password",
            active=password,
            created_at=_date(cells, "password_last_changed"),
            used_at=_date(cells, "password_last_used"),
        )
    for kind, column in (
        ("access-key", "access_key_1"),
        ("access-key", "access_key_2"),
        ("certificate", "cert_1"),
        ("certificate", "cert_2"),
    ):
        active, made = _switch(cells, f"{column}_active"), _date(cells, f"{column}_last_rotated")
        if active is False and made is None:
            continue
        # Of certificates the report tells no use.
        used = None if kind == "access-key" else Unknown("AWS does not tell when a certificate was used")
        if kind == "access-key":
            used = _date(cells, f"{column}_last_used_date")  # type: ignore[assignment]
        yield Credential(kind=kind, id=column, active=active, created_at=made, used_at=used)


def _switch(cells: Mapping[str, str], name: str) -> bool | Unknown:
    value = cells.get(name)
    if value is not None and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if value is not None and value.lower() in _NOTHING:
        return False
    return Unknown(f"the credential report does not tell {name}", _ASK)


def _date(cells: Mapping[str, str], name: str) -> datetime | Unknown | None:
    value = cells.get(name)
    if value is None:
        return Unknown(f"the credential report does not tell {name}", _ASK)
    if value.lower() in _NOTHING:
        return None
    return moment(value) or Unknown(f"{name} in the credential report is no time", _ASK)


def moment(value: object) -> datetime | None:
    """Return a time in UTC, given as text or as boto3 gives it; None where there is none that can be read."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else value
        if not isinstance(found, datetime):
            return None
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def listed(answer: object, last_used: Mapping[str, object] | Unknown) -> tuple[Credential, ...]:
    """Return the credentials of a listing of one user's, of any kind. Raises Malformed if it is no such listing.

    `last_used` are the answers to GetAccessKeyLastUsed by the key's id. AWS tells the use of access keys only.
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_AccessKeyLastUsed.html
    """
    found = answer if isinstance(answer, dict) else {}
    named = next((name for name in _LISTS if isinstance(found.get(name), list)), None)
    if named is None:
        raise Malformed("the answer holds no list of credentials", todo="read it again")
    kind, identity, made = _LISTS[named]
    return tuple(
        Credential(
            kind=kind,
            id=_word(one.get(identity)),
            active=_active(one.get("Status")),
            created_at=moment(one.get(made)) or Unknown("AWS does not tell when it was made"),
            used_at=_used(_word(one.get(identity)), kind, last_used),
        )
        for one in found[named]
        if isinstance(one, dict)
    )


def _active(status: object) -> bool | Unknown:
    if status in ("Active", "Inactive", "Expired"):
        return status == "Active"
    return Unknown("AWS does not tell whether it is active")


def _used(identity: str, kind: str, last_used: Mapping[str, object] | Unknown) -> datetime | Unknown | None:
    if kind != "access-key":
        return Unknown("AWS does not tell when it was used")
    if isinstance(last_used, Unknown):
        return last_used
    answer = last_used.get(identity)
    found = answer.get("AccessKeyLastUsed") if isinstance(answer, dict) else None
    if not isinstance(found, dict):
        return Unknown("the last use of the key was not read", "iam:GetAccessKeyLastUsed")
    if found.get("LastUsedDate") is None:
        return None
    return moment(found["LastUsedDate"]) or Unknown("the last use of the key is no time")


def last_accessed(answer: object) -> tuple[Use, ...]:
    """Return the uses in an answer to GetServiceLastAccessedDetails, or in a page of it, in order.

    Raises Malformed if it holds none because it is no such answer, or the job is not complete.
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetServiceLastAccessedDetails.html
    """
    found = answer if isinstance(answer, dict) else {}
    services = found.get("ServicesLastAccessed")
    if found.get("JobStatus", "COMPLETED") != "COMPLETED" or not isinstance(services, list):
        raise Malformed("the answer does not tell when services were used", todo="ask again when the job is complete")
    return tuple(sorted(set(_uses(services)), key=lambda one: (one.service, one.action)))


def _uses(services: Iterable[object]) -> Iterator[Use]:
    for one in services:
        service = _word(one.get("ServiceNamespace")) if isinstance(one, dict) else ""
        if not isinstance(one, dict) or not service:
            continue
        yield Use(service=service, at=moment(one.get("LastAuthenticated")))
        tracked = one.get("TrackedActionsLastAccessed")
        for action in tracked if isinstance(tracked, list) else ():
            name = _word(action.get("ActionName")) if isinstance(action, dict) else ""
            if name:
                yield Use(service=service, action=f"{service}:{name}", at=moment(action.get("LastAccessedTime")))


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""


def with_report(
    identities: Iterable[Identity],
    report: Mapping[str, UserCredentials] | Unknown,
    account: str,
    at: datetime,
    evidence: tuple[EvidenceRef, ...] = (),
) -> tuple[Identity, ...]:
    """Return the identities of one account, its users with what the report tells; the root user too, if it has keys."""
    found = list(identities)
    if isinstance(report, Unknown):
        unread = {"credentials": report, "mfa": report}
        return tuple(msgspec.structs.replace(one, **unread) if one.kind == "user" else one for one in found)
    missing = Unknown("the credential report does not tell of the user; it may be newer than the report", _ASK)
    told = []
    for one in found:
        if one.kind == "user":
            row = report.get(one.name)
            one = msgspec.structs.replace(
                one,
                credentials=row.credentials if row else missing,
                mfa=row.mfa if row else missing,
                evidence=tuple(dict.fromkeys((*one.evidence, *evidence))),
            )
        told.append(one)
    return (*told, *_roots(report, account, at, evidence))


def _roots(
    report: Mapping[str, UserCredentials], account: str, at: datetime, evidence: tuple[EvidenceRef, ...]
) -> Iterator[Identity]:
    """Yield the account's root user where it has keys: it can do anything, and no policy of the account narrows it."""
    for row in report.values():
        if row.user == ROOT and any(one.kind != "password" for one in row.credentials):
            yield Identity(
                provider="aws",
                account=account,
                id="root",
                name=row.arn,
                kind="user",
                at=at,
                created_at=row.created_at,
                credentials=row.credentials,
                mfa=row.mfa,
                uses=Unknown("AWS keeps no uses of the root user"),
                evidence=evidence,
            )
