"""A production write under a deploy identity comes from the pipeline run that it claims.

For every session of a declared deploy identity that wrote to production, the credentials are followed back, exchange by
exchange, to their origin. For a federated identity the origin must be a token whose issuer, subject and audience are
declared; for others the session must have the declared form and must have been opened by a declared service. A person
who takes the pipeline's role, a token with another subject, or use from a console is a failure. Where the exchange could
not be seen, the result is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from monitor.expected.models import DeployIdentity, Production, SessionProof, TokenProof
from monitor.facts.change import ChangeSession, TokenExchange
from monitor.model import ChangeClass, Check, Expectation, Outcome, Result, Severity, Sweep


class Expect(Expectation):
    """Which accounts are production, and which identities the pipeline uses."""

    production: Production
    deploy_identities: tuple[DeployIdentity, ...] = ()


class Proof(msgspec.Struct, frozen=True):
    """Whether a session of a deploy identity is proven to be the pipeline's, and why; `grant` is what would tell."""

    identity: DeployIdentity
    outcome: Outcome
    reason: str
    grant: str = ""


def proof_of(session: ChangeSession, identities: Iterable[DeployIdentity]) -> Proof | None:
    """Return the proof of a session that a deploy identity holds; None if no deploy identity holds it."""
    held = [identity for identity in identities if identity.matches(session.actor.principals)]
    proofs = [Proof(identity, *_judged(session, identity.proof)) for identity in held]
    # Two pipelines may share a role: the session is one of them if it proves to be.
    return next((proof for proof in proofs if proof.outcome is Outcome.PASS), proofs[0] if proofs else None)


def _judged(session: ChangeSession, proof: TokenProof | SessionProof) -> tuple[Outcome, str, str]:
    if session.behind:
        return Outcome.FAIL, session.behind, ""
    if isinstance(proof, SessionProof):
        return _by_form(session, proof)
    if session.chain and session.chain_end is None:
        origin = session.chain[-1]
        told = f"{origin.issuer or origin.kind} gave a token for {origin.subject or 'no subject'}"
        # A SAML provider names itself and its subjects as it likes: it is no token of the declared issuer.
        if origin.kind != "web-identity":
            return Outcome.FAIL, f"no token: {origin.source.name} took the role with {_call(origin)}", ""
        if proof.accepts(origin.issuer, origin.subject, origin.audience):
            return Outcome.PASS, f"token exchange at {origin.time:%Y-%m-%dT%H:%M:%SZ}: {told}", ""
        return Outcome.FAIL, f"{told}, which is not among the declared subjects", ""
    return _not_seen(session, "no token exchange gave these credentials")


def _by_form(session: ChangeSession, proof: SessionProof) -> tuple[Outcome, str, str]:
    if not proof.matches(session.actor.principals):
        return Outcome.FAIL, f"the session is not named as declared ({proof.pattern})", ""
    if not proof.assumed_by:
        return Outcome.PASS, f"the session is named as declared ({proof.pattern})", ""
    if session.chain:
        opener = session.chain[0]
        if opener.kind == "service" and proof.allows(opener.source.service):
            return Outcome.PASS, f"opened by {opener.source.service} at {opener.time:%Y-%m-%dT%H:%M:%SZ}", ""
        return Outcome.FAIL, f"opened by {opener.source.name}, not by {', '.join(proof.assumed_by)}", ""
    return _not_seen(session, f"no {', '.join(proof.assumed_by)} opened this session")


def _not_seen(session: ChangeSession, said: str) -> tuple[Outcome, str, str]:
    if session.chain_end is None:
        keyless = not session.actor.access_key
        own = "the identity's own, as of what it is attached to" if keyless else "long-lived keys"
        return Outcome.FAIL, f"{said}: they are {own}", ""
    if session.exchange_visible and not session.chain:
        return Outcome.FAIL, f"{said}, and the log of that time was read whole", ""
    return Outcome.UNKNOWN, session.chain_end.reason, session.chain_end.grant


def _call(exchange: TokenExchange) -> str:
    return f"{exchange.kind} credentials at {exchange.time:%Y-%m-%dT%H:%M:%SZ}"


def evaluate(facts: Iterable[ChangeSession], expect: Expect, sweep: Sweep) -> Iterator[Result]:
    """Yield one result for each session that a deploy identity held and that wrote to production."""
    for session in sorted(facts, key=lambda s: s.id):
        if not expect.production.is_production(session.provider, session.account):
            continue
        proof = proof_of(session, expect.deploy_identities)
        if proof is None:
            continue
        failed = proof.outcome is not Outcome.PASS
        observed: dict[str, Any] = {"identity": proof.identity.id, **session.story()}
        yield Result(
            check=CHECK.id,
            subject=session.id,
            outcome=proof.outcome,
            reason=f"deploy identity {proof.identity.id}: {proof.reason}",
            severity=max((w.severity for w in session.writes), key=_urgency, default=CHECK.severity)
            if failed
            else CHECK.severity,
            change_class=ChangeClass.DIRECT
            if proof.outcome is Outcome.FAIL
            else ChangeClass.NORMAL
            if not failed
            else None,
            actor=session.actor.name,
            scope=f"{session.provider}:{session.account}",
            expected={
                "identity": proof.identity.id,
                "proof": proof.identity.proof.model_dump(mode="json", exclude_none=True),
            },
            observed=observed,
            remedy="" if not failed else proof.grant or CHECK.remedy,
            evidence=session.references(),
        )


def _urgency(severity: Severity) -> int:
    return -list(Severity).index(severity)


CHECK = Check(
    id="pipeline-session-proof",
    title="Production writes of the pipeline are proven to be the pipeline's",
    severity=Severity.HIGH,
    controls=("PS019-1.1",),
    facts=(ChangeSession,),
    expects=Expect,
    evaluate=evaluate,
    needs=(
        "s3:GetObject on the trail's bucket, for every account that credentials pass through",
        "logging.privateLogEntries.list on each project that credentials pass, or storage.objects.get on the sink's bucket",
    ),
    remedy="deploy through the pipeline; or declare the subject in deploy_identities, if it is one that was approved",
)
