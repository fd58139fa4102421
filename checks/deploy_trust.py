"""PS019-3.2: nobody can become a deploy identity but the pipeline, by the proof that is declared for it.

Every way to become it is followed to its origin: each statement of its trust, each identity that may take it and who can become
that one. Tokens are compared as languages: whatever subject the trust lets in must be one that is declared, for the declared
audience; if not, an example is told. Trust in an environment is as strong as that environment, which must exist and be protected.
People, services, accounts and others count only where they are declared. An identity that the token of a pipeline, or anybody,
can become without being declared fails too. What cannot be read or evaluated is unknown. A saved document is compared with all
that is declared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from monitor.expected.models import DeployIdentity, IdentityRules, Production, SessionProof, TokenProof
from monitor.facts.access import Access
from monitor.facts.environment_strength import Places, named_environments
from monitor.facts.identity import IdentityList
from monitor.facts.pipeline import is_pipeline, one_each, unwatched
from monitor.facts.repository import Repository, RepositoryList
from monitor.facts.subjects import Known
from monitor.facts.trust import SubjectTemplate, TrustPath
from monitor.facts.trust_judging import Proof, Surroundings, Verdict, account_of, judge, sound
from monitor.model import Check, Expectation, Outcome, Result, Severity, Sweep, Unknown

ID = "deploy-trust"
MOST_SHOWN = 60
"""Ways that one result lists at most; how many there are is told beside them."""


class TrustExpectations(Expectation):
    """Which identities the pipeline uses, with what proof, and whose accounts are ours."""

    production: Production = Production()
    deploy_identities: tuple[DeployIdentity, ...] = ()
    identities: IdentityRules = IdentityRules()


def evaluate(facts: Iterable[Any], expect: TrustExpectations, sweep: Sweep) -> Iterator[Result]:
    """Yield a result for each identity, and for each that is declared and was not found."""
    if not expect.identities.watched:
        yield from unwatched(ID, expect.production.identity_scopes())
        return
    found = tuple(facts)
    accesses = one_each(found)
    estate = _estate(found, expect)
    for access in accesses:
        declared = [one for one in expect.deploy_identities if one.matches((access.identity.name,))]
        yield _judged(access, declared, expect, estate)
    yield from _missing([fact for fact in found if isinstance(fact, IdentityList)], accesses, expect)


class _Estate:
    """What is known besides the identities."""

    def __init__(self, places: Places, known: Known, ours: frozenset[str]) -> None:
        self.places = places
        self.known = known
        self.ours = ours


def _estate(facts: Sequence[Any], expect: TrustExpectations) -> _Estate:
    aws = expect.production.aws
    ours = frozenset(one.id for one in (*aws.accounts, *aws.watched)) if aws else frozenset()
    watched = expect.production.github.organizations if expect.production.github else ()
    templates = [one for one in facts if isinstance(one, SubjectTemplate)]
    repositories = [one for one in facts if isinstance(one, Repository)]
    lists = [one for one in facts if isinstance(one, RepositoryList)]
    return _Estate(Places(watched, repositories, lists), Known(repositories, templates), ours)


def _judged(access: Access, declared: list[DeployIdentity], expect: TrustExpectations, estate: _Estate) -> Result:
    identity = access.identity
    paths = access.paths
    if isinstance(paths, Unknown):
        if declared or identity.document:
            return _result(
                access, Outcome.UNKNOWN, Severity.HIGH, f"who can become it: {paths.reason}", remedy=paths.grant
            )
        return _result(access, Outcome.NOT_APPLICABLE, Severity.LOW, f"it is not declared; its trust: {paths.reason}")
    around = Surroundings(
        ours=estate.ours | {identity.account},
        trusted=frozenset(expect.identities.trusted_accounts),
        organisations=frozenset(estate.places.organisations),
        known=estate.known,
        assumable=tuple(pattern for one in declared for pattern in one.assumable_by),
        services=tuple(
            name for one in declared if isinstance(one.proof, SessionProof) for name in one.proof.assumed_by
        ),
    )
    if identity.document and not declared:
        proofs = _proofs(expect.deploy_identities)
        concerns = [path for path in paths if _alarming(path, around)]
        if not proofs:
            proofs = tuple(one for path in concerns for one in sound(path))
    else:
        proofs = _proofs(declared)
        concerns = list(paths) if declared else [path for path in paths if _alarming(path, around, foreign=False)]
    if not concerns and declared:
        return _result(access, Outcome.PASS, Severity.HIGH, "nobody can become it but who holds its credentials")
    if not concerns:
        why = "no token of a pipeline can become it, and it is not declared"
        return _result(access, Outcome.NOT_APPLICABLE, Severity.LOW, why)
    verdicts = [(path, judge(path, proofs, around)) for path in concerns]
    return _whole(access, declared, verdicts, estate)


def _proofs(declared: Iterable[DeployIdentity]) -> tuple[Proof, ...]:
    return tuple(
        Proof(issuer=_issuer(one.proof.issuer), subjects=one.proof.subjects, audience=one.proof.audience or "")
        for one in declared
        if isinstance(one.proof, TokenProof)
    )


def _issuer(text: str) -> str:
    name = text.partition(":oidc-provider/")[2] if text.startswith("arn:") else text
    return (name or text).removeprefix("https://")


def _alarming(path: TrustPath, around: Surroundings, *, foreign: bool = True) -> bool:
    """Return whether a way is of concern though the identity is not declared."""
    if path.dead:
        return False
    if path.kind == "anyone":
        return True
    if path.kind == "token":
        return is_pipeline(path.issuer) and not path.via
    account = account_of(path.principal) if path.kind in ("identity", "account") else ""
    return foreign and bool(account) and bool(around.ours - {"", "000000000000"}) and account not in around.ours


def _whole(
    access: Access, declared: list[DeployIdentity], verdicts: list[tuple[TrustPath, Verdict]], estate: _Estate
) -> Result:
    failed = [(path, one) for path, one in verdicts if one.outcome is Outcome.FAIL]
    doubtful = [(path, one) for path, one in verdicts if one.outcome is Outcome.UNKNOWN]
    passed = [path for path, one in verdicts if one.outcome is Outcome.PASS and path.kind == "token"]
    places = []
    if not access.identity.document or declared:
        subjects = [subject for one in declared if isinstance(one.proof, TokenProof) for subject in one.proof.subjects]
        places = [estate.places.strength(*place) for place in named_environments(passed, subjects)]
    wrong = [f"{one.why} ({path.by})" + _through(path) for path, one in failed]
    wrong += [f"{place.told}: {place.why}" for place in places if place.outcome is Outcome.FAIL]
    unclear = [f"{one.why} ({path.by})" for path, one in doubtful]
    unclear += [f"{place.told}: {place.why}" for place in places if place.outcome is Outcome.UNKNOWN]
    unused = bool(declared) and any(isinstance(one.proof, TokenProof) for one in declared) and not passed
    expected = {"deploy_identities": [one.id for one in declared], "proofs": [_shown_proof(one) for one in declared]}
    observed: dict[str, Any] = {
        "identity": access.identity.name,
        "paths": [_shown(path, one) for path, one in verdicts[:MOST_SHOWN]],
        "paths_in_all": len(verdicts),
        "environments": [{"environment": one.told, "outcome": one.outcome.value, "why": one.why} for one in places],
    }
    if wrong:
        severities = [one.severity for _, one in failed] + [Severity.HIGH] * any(
            p.outcome is Outcome.FAIL for p in places
        )
        severity = min(severities, key=list(Severity).index)
        return _result(access, Outcome.FAIL, severity, "; ".join(dict.fromkeys(wrong)), expected, observed, _REMEDY)
    if unclear:
        grants = [one.grant for _, one in doubtful] + [p.grant for p in places if p.outcome is Outcome.UNKNOWN]
        remedy = (
            "; ".join(dict.fromkeys(one for one in grants if one)) or "write what is meant so that it can be evaluated"
        )
        why = "; ".join(dict.fromkeys(unclear))
        return _result(access, Outcome.UNKNOWN, Severity.HIGH, why, expected, observed, remedy)
    if unused and not any(one.outcome is Outcome.PASS for _, one in verdicts):
        why = "its trust is dead: nobody can become it by the proof that is declared"
        return _result(
            access, Outcome.FAIL, Severity.LOW, why, expected, observed, "mend the trust, or remove the identity"
        )
    live = sum(one.outcome is Outcome.PASS for _, one in verdicts)
    why = f"each of {live} ways to become it is declared" if live else "nobody can become it"
    return _result(access, Outcome.PASS, Severity.HIGH, why, expected, observed)


def _missing(lists: Sequence[IdentityList], accesses: Sequence[Access], expect: TrustExpectations) -> Iterator[Result]:
    """Yield a result for each account that was not listed, and for each declared identity that is not there."""
    listed = {(one.provider, one.account): one for one in sorted(lists, key=lambda one: (one.at, repr(one)))}
    names = [access.identity.name for access in accesses]
    wanted: dict[tuple[str, str], list[str]] = {}
    for one in expect.deploy_identities:
        for pattern in one.principals:
            provider, account = (
                ("aws", account_of(pattern)) if pattern.startswith("arn:") else ("gcp", _project(pattern))
            )
            if ":assumed-role/" not in pattern and not any(one.matches((name,)) for name in names):
                wanted.setdefault((provider, account), []).append(pattern)
    watched = {("aws", one.id) for one in (expect.production.aws.accounts if expect.production.aws else ())}
    watched |= {("gcp", one.id) for one in (expect.production.gcp.projects if expect.production.gcp else ())}
    for provider, account in sorted(watched | set(wanted)):
        listing = listed.get((provider, account))
        scope = f"{provider}:{account}"
        if listing is None or isinstance(listing.ids, Unknown):
            lost = (
                listing.ids if listing is not None and isinstance(listing.ids, Unknown) else Unknown("no list was read")
            )
            yield Result(
                check=ID,
                subject=f"{scope}:identities",
                scope=scope,
                outcome=Outcome.UNKNOWN,
                severity=Severity.HIGH,
                reason=f"the identities of {account}: {lost.reason}",
                remedy=lost.grant or "see the coverage of this scope, and sweep again",
                evidence=listing.evidence if listing else (),
            )
            continue
        for pattern in sorted(set(wanted.get((provider, account), ()))):
            wild = bool(set("*?") & set(pattern))
            yield Result(
                check=ID,
                subject=f"{scope}:declared:{pattern}",
                scope=scope,
                outcome=Outcome.NOT_APPLICABLE if wild else Outcome.UNKNOWN,
                severity=Severity.LOW if wild else Severity.MEDIUM,
                reason=f"{pattern} is declared, and there is no such identity in {account}",
                remedy="" if wild else "mend the name in deploy_identities, or take the entry out",
                evidence=listing.evidence,
            )


def _project(pattern: str) -> str:
    return pattern.partition("@")[2].partition(".")[0]


def _through(path: TrustPath) -> str:
    return f", through {', then '.join(path.via)}" if path.via else ""


def _shown(path: TrustPath, verdict: Verdict) -> dict[str, Any]:
    found: dict[str, Any] = {
        "kind": path.kind,
        "who": path.issuer or path.principal,
        "how": path.action,
        "where": [test.words() for test in path.tests],
        "by": path.by,
        "outcome": verdict.outcome.value,
        "why": verdict.why,
    }
    return (
        found
        | ({"through": list(path.via)} if path.via else {})
        | ({"example": verdict.example} if verdict.example else {})
    )


def _shown_proof(one: DeployIdentity) -> dict[str, Any]:
    return one.proof.model_dump(mode="json", exclude_none=True)


_REMEDY = "narrow the trust to the proof that is declared; whoever else must become it is declared in `assumable_by`, by review"


def _result(
    access: Access,
    outcome: Outcome,
    severity: Severity,
    reason: str,
    expected: dict[str, Any] | None = None,
    observed: dict[str, Any] | None = None,
    remedy: str = "",
) -> Result:
    identity = access.identity
    return Result(
        check=ID,
        subject=identity.subject("trust"),
        scope=identity.scope,
        outcome=outcome,
        severity=severity,
        reason=f"{identity.short}: {reason}",
        expected=expected or {},
        observed=observed or {"identity": identity.name},
        remedy=remedy or ("see the coverage of this scope, and sweep again" if outcome is Outcome.UNKNOWN else ""),
        evidence=identity.evidence,
    )


CHECK = Check(
    id=ID,
    title="Only the pipeline can become a deploy identity",
    severity=Severity.HIGH,
    controls=("PS019-3.2",),
    facts=(Access, IdentityList, Repository, RepositoryList, SubjectTemplate),
    expects=TrustExpectations,
    evaluate=evaluate,
    needs=(
        "iam:GetAccountAuthorizationDetails, ListOpenIDConnectProviders and GetOpenIDConnectProvider, in each account",
        "iam.serviceAccounts.getIamPolicy and iam.workloadIdentityPoolProviders.list on Google Cloud",
        "actions:read and environments of the repositories that tokens are trusted from, on GitHub",
    ),
    remedy=_REMEDY,
)
