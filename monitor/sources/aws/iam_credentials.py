"""The long-lived credentials of users: from the credential report, or key by key where that may not be read.

Needs iam:GenerateCredentialReport, iam:GetCredentialReport; else iam:ListAccessKeys, iam:GetAccessKeyLastUsed. What the report
does not tell of, SSH keys and service-specific credentials, is asked of the users that the pipeline uses alone:
iam:ListSSHPublicKeys, iam:ListServiceSpecificCredentials.
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from monitor.decode.aws_iam_credentials import credential_report, listed, with_report
from monitor.errors import Malformed, SourceError, Unavailable
from monitor.facts.identity import Credential, Identity
from monitor.model import EvidenceRef, Unknown
from monitor.sources.aws.iam_asking import SOURCE, Questions, Reply

PAUSES = (1.0, 1.0, 2.0, 2.0, 4.0, 5.0, 5.0, 10.0)
"""Seconds between looks at a report that is not done: it takes a few seconds, longer where there are many users."""
# https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetCredentialReport.html
_NOT_READY = ("ReportInProgress", "ReportNotPresent", "ReportExpired")


def told(
    identities: Sequence[Identity], account: str, questions: Questions, sleep: Callable[[float], None]
) -> tuple[tuple[Identity, ...], list[Reply]]:
    """Return the identities of one account with the credentials of its users, and the calls that failed.

    The account's root user is among them if it has keys.
    """
    report = _report(account, questions, sleep)
    if report.denied:
        return _one_by_one(identities, account, questions, report)
    if report.error is None:
        content = report.answer.get("Content")
        try:
            rows = credential_report(content if isinstance(content, (bytes, str)) else b"")
        except Malformed as broken:
            report = Reply(account=account, error=broken, evidence=report.evidence)
        else:
            return with_report(identities, rows, account, questions.at, report.evidence), []
    return with_report(identities, report.unknown(), account, questions.at, report.evidence), [report]


def besides(user: Identity, account: str, questions: Questions) -> Identity:
    """Return a user with the credentials that no report tells of; one whose list cannot be read may be active."""
    if user.kind != "user" or not isinstance(user.credentials, tuple) or user.id == "root":
        return user
    found: list[Credential] = []
    evidence = list(user.evidence)
    for operation, kind in (("ListSSHPublicKeys", "ssh-key"), ("ListServiceSpecificCredentials", "service-credential")):
        for page in questions.pages("iam", operation, account, UserName=user.short):
            evidence += page.evidence
            try:
                if page.error is not None:
                    raise page.error
                found += listed(page.answer, {})
            except SourceError:
                unread = page.unknown()
                found.append(Credential(kind=kind, id=kind, active=unread, created_at=unread, used_at=unread))
    credentials = tuple(dict.fromkeys((*user.credentials, *found)))
    return msgspec.structs.replace(user, credentials=credentials, evidence=tuple(dict.fromkeys(evidence)))


def _report(account: str, questions: Questions, sleep: Callable[[float], None]) -> Reply:
    """Return the report, once it is made. One that was made in the last four hours is given again."""
    asked = questions.ask("iam", "GenerateCredentialReport", account)
    if asked.error is not None:
        # Somebody else may have had one made.
        made = questions.ask("iam", "GetCredentialReport", account, _NOT_READY)
        return made if made.answer else asked
    for pause in (0.0, *PAUSES):
        if pause:
            sleep(pause)
        made = questions.ask("iam", "GetCredentialReport", account, _NOT_READY)
        if made.error is not None or made.answer:
            return made
    what = f"iam:GetCredentialReport: the report was not ready within {int(sum(PAUSES))} seconds"
    late = Unavailable(what, source=SOURCE, todo="sweep again later")
    return Reply(account=account, error=late, evidence=made.evidence)


def _one_by_one(
    identities: Sequence[Identity], account: str, questions: Questions, report: Reply
) -> tuple[tuple[Identity, ...], list[Reply]]:
    failed = [report]
    found = []
    for one in identities:
        if one.kind == "user":
            # Who may not list the keys of one user may list nobody's: asking on would only cost calls.
            stopped = next((reply for reply in failed[1:] if reply.denied), None)
            one, more = _keys(one, account, questions, report, stopped)
            failed += more
        found.append(one)
    return tuple(found), failed


def _keys(
    user: Identity, account: str, questions: Questions, report: Reply, stopped: Reply | None
) -> tuple[Identity, list[Reply]]:
    """Return a user with its access keys; whether it has a password or a second factor only the report tells."""
    unread = report.unknown()
    pages = [stopped] if stopped else list(questions.pages("iam", "ListAccessKeys", account, UserName=user.short))
    broken = next((page for page in pages if page.error), None)
    evidence = [*user.evidence, *report.evidence, *(ref for page in pages for ref in page.evidence)]
    failed = [broken] if broken and broken is not stopped else []
    credentials: tuple[Credential, ...] | Unknown = broken.unknown() if broken else ()
    if not broken:
        keys = {"AccessKeyMetadata": [key for page in pages for key in page.answer.get("AccessKeyMetadata") or ()]}
        last: dict[str, Any] = {}
        for key in keys["AccessKeyMetadata"]:
            used = questions.ask("iam", "GetAccessKeyLastUsed", account, AccessKeyId=str(key.get("AccessKeyId")))
            evidence += used.evidence
            failed += [used] if used.error else []
            last[str(key.get("AccessKeyId"))] = used.answer
        credentials = (*listed(keys, last), Credential(kind="password", id="password", active=unread))
    refs: tuple[EvidenceRef, ...] = tuple(dict.fromkeys(evidence))
    return msgspec.structs.replace(user, credentials=credentials, mfa=unread, evidence=refs), failed
