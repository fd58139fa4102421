"""When identities last used what they may do, as AWS remembers it: asked as a job, one for each identity, bounded.

Needs iam:GenerateServiceLastAccessedDetails, iam:GetServiceLastAccessedDetails.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_GenerateServiceLastAccessedDetails.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from monitor.decode.aws_iam import last_accessed
from monitor.errors import Malformed
from monitor.facts.identity import Identity, Use
from monitor.model import EvidenceRef, Unknown
from monitor.sources.aws.iam_asking import Questions, Reply

PAUSES = (1.0, 1.0, 2.0, 2.0, 4.0, 5.0, 5.0, 10.0, 10.0, 20.0)
"""Seconds between looks at jobs that are not done. All jobs of an account run side by side."""

PATIENCE = 3
"""After so many failures in a row no further job is started; after one refusal, neither."""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """The uses of one identity, and the captures that tell of them."""

    uses: tuple[Use, ...] | Unknown
    evidence: tuple[EvidenceRef, ...] = ()


def read(
    identities: Iterable[Identity], account: str, questions: Questions, sleep: Callable[[float], None]
) -> dict[str, Usage]:
    """Return, by name, the uses of these identities of one account; Unknown where AWS does not tell."""
    found: dict[str, Usage] = {}
    jobs: dict[str, str] = {}
    refused: list[Reply] = []
    for identity in identities:
        stopped = bool(refused) and (refused[-1].denied or len(refused) == PATIENCE)
        started = refused[-1] if stopped else _start(identity, account, questions)
        if not stopped:
            refused = [*refused, started] if started.error else []
        job = started.answer.get("JobId")
        if isinstance(job, str) and job:
            jobs[identity.name] = job
        else:
            found[identity.name] = _unknown(started, "no job was started that tells of its use")
    for pause in (0.0, *PAUSES):
        if not jobs:
            break
        if pause:
            sleep(pause)
        for name, job in list(jobs.items()):
            told = _look(job, account, questions)
            if told is not None:
                found[name] = told
                del jobs[name]
    for name in jobs:
        waited = int(sum(PAUSES))
        found[name] = Usage(uses=Unknown(f"AWS did not tell of its use within {waited} seconds", "sweep again"))
    return found


def _start(identity: Identity, account: str, questions: Questions) -> Reply:
    return questions.ask(
        "iam", "GenerateServiceLastAccessedDetails", account, Arn=identity.name, Granularity="ACTION_LEVEL"
    )


def _look(job: str, account: str, questions: Questions) -> Usage | None:
    """Return what a job found; None while it runs."""
    uses: dict[tuple[str, str], Use] = {}
    evidence: list[EvidenceRef] = []
    for page in questions.pages("iam", "GetServiceLastAccessedDetails", account, JobId=job):
        state = page.answer.get("JobStatus")
        if page.error is None and state == "IN_PROGRESS":
            return None
        evidence += page.evidence
        if page.error is not None or state != "COMPLETED":
            said = page.answer.get("Error") or {}
            return _unknown(page, f"AWS could not tell of its use: {said.get('Message', state)}")
        try:
            uses |= {(use.service, use.action): use for use in last_accessed(page.answer)}
        except Malformed as broken:
            return Usage(uses=Unknown(broken.what, "see the captured bytes"), evidence=tuple(evidence))
    return Usage(uses=tuple(uses[key] for key in sorted(uses)), evidence=tuple(evidence))


def _unknown(reply: Reply, what: str) -> Usage:
    return Usage(uses=reply.unknown(what), evidence=reply.evidence)
