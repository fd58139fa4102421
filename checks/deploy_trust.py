"""PS019-3.2: nobody can become a deploy identity but the pipeline, by the proof that is declared for it.

Every way to become it is followed to its origin: each statement of its trust, and each identity that may take it. Tokens are
compared as languages: whatever subject the trust lets in must be one that is declared, for the declared audience; if not, an
example is told. Trust in an environment is as strong as that environment, which must exist and be protected. Services, accounts,
people and others count only where `assumable_by` or the proof names them. An identity that a token of a pipeline, or anybody, can
become without being declared fails too. A declared proof by which nobody can become it any more is dead trust, and fails, low.
What cannot be read or evaluated is unknown. A saved document that names no declared identity is compared with all that is
declared, apart from environments; where nothing is, it fails only for what is wrong in itself: everybody's tokens, pull requests,
no audience.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from monitor.expected.models import BreakGlass, DeployIdentity, IdentityRules, Production, SessionProof, TokenProof
from monitor.facts.access import Access
from monitor.facts.admitting import Accepted, alone, token
from monitor.facts.askers import Declared, asker
from monitor.facts.environment_strength import Forge, unlooked
from monitor.facts.identity import IdentityList
from monitor.facts.issuers import name_of
from monitor.facts.pipeline import at_large, one_each, unwatched
from monitor.facts.population import one_each as one_each_repository
from monitor.facts.repository import Repository, RepositoryList
from monitor.facts.subjects import Known
from monitor.facts.trust import SubjectTemplate, TrustPath
from monitor.facts.trust_judging import ALLOWED, ASIDE, DEAD, REFUSED, UNKNOWN, Fault, Way, account_of, in_order, plain
from monitor.model import Check, Expectation, Outcome, Result, Severity, Sweep, Unknown, cited

ID = "deploy-trust"
MOST_SHOWN = 200  # ways that one result lists at most; how many there are is told beside them
_URGENCY = list(Severity)


class TrustExpectations(Expectation):
    """Which identities the pipeline uses, with what proof, and whose accounts are ours."""

    production: Production = Production()
    deploy_identities: tuple[DeployIdentity, ...] = ()
    identities: IdentityRules = IdentityRules()
    break_glass: tuple[BreakGlass, ...] = ()


def evaluate(facts: Iterable[Any], expect: TrustExpectations, sweep: Sweep) -> Iterator[Result]:
    """Yield a result for each identity, for each account not read whole, and for each that is declared and not there."""
    if not expect.identities.watched:
        yield from unwatched(ID, expect.production.identity_scopes())
        return
    found = tuple(facts)
    accesses = one_each(found)
    repositories = one_each_repository(fact for fact in found if isinstance(fact, Repository))
    known = Known(repositories, (fact for fact in found if isinstance(fact, SubjectTemplate)))
    watched = expect.production.github.organizations if expect.production.github else ()
    lists = [fact for fact in found if isinstance(fact, RepositoryList)]
    forge = Forge(watched, repositories, known, lists)
    declarations = _Declarations(expect.deploy_identities)
    for access in accesses:
        yield _Judgement(access, declarations.of(access.identity.name), expect, forge).result()
    yield from _missing([fact for fact in found if isinstance(fact, IdentityList)], accesses, expect)


class _Declarations:
    """The declared identities, found by name: those without a wildcard at once, as there may be thousands."""

    def __init__(self, entries: Iterable[DeployIdentity]) -> None:
        self.exact: dict[str, list[DeployIdentity]] = {}
        self.wild: list[DeployIdentity] = []
        for one in entries:
            if any(set("*?") & set(pattern) for pattern in one.principals):
                self.wild.append(one)
            else:
                for pattern in dict.fromkeys(one.principals):
                    self.exact.setdefault(pattern, []).append(one)

    def of(self, name: str) -> list[DeployIdentity]:
        """Return those that this identity is."""
        return [*self.exact.get(name, ()), *(one for one in self.wild if one.matches((name,)))]


class _Judgement:
    """One identity, with what is declared of it, and what is known around it."""

    def __init__(self, access: Access, declared: list[DeployIdentity], expect: TrustExpectations, forge: Forge) -> None:
        self.access, self.identity, self.forge = access, access.identity, forge
        # A document that stands for no declared identity is compared with all of them.
        self.stranger = access.identity.document and not declared
        self.declared = list(expect.deploy_identities) if self.stranger else declared
        aws = expect.production.aws
        estate = {one.id for one in (*aws.accounts, *aws.watched)} if aws else set()
        self.others = Declared(
            assumable=tuple(pattern for one in self.declared for pattern in one.assumable_by),
            services=tuple(
                s for one in self.declared if isinstance(one.proof, SessionProof) for s in one.proof.assumed_by
            ),
            ours=frozenset(estate | {self.identity.account}),
            trusted=frozenset(expect.identities.trusted_accounts),
            emergency=tuple(pattern for one in expect.break_glass for pattern in one.principals),
        )
        self.accepted = [_accepted(one.proof) for one in self.declared if isinstance(one.proof, TokenProof)]

    def result(self) -> Result:
        paths = self.access.paths
        if isinstance(paths, Unknown):
            why = f"who can become it is not known: {paths.reason}"
            return self._told(Outcome.UNKNOWN, Severity.HIGH, why, remedy=paths.grant or _AGAIN)
        known = bool(self.declared) and not self.stranger
        ways = [self._way(path) if known or self._concerns(path) else Way(path=path, aside=_ASIDE) for path in paths]
        if not known and all(way.standing in (DEAD, ASIDE) for way in ways):
            if self.stranger and any(_dead(way) for way in ways):
                told = "; ".join(_cited(way, way.dead) for way in ways if _dead(way))
                return self._told(Outcome.PASS, Severity.HIGH, f"nobody can become it: {told}", ways)
            why = "it is not declared, and no token of a pipeline, nor anybody at large, can become it"
            return self._told(Outcome.NOT_APPLICABLE, Severity.LOW, why, ways)
        return self._whole(ways)

    def _way(self, path: TrustPath) -> Way:
        if path.dead:
            return Way(path=path, dead=path.dead)
        if path.kind != "token":
            return asker(path, self.others)
        known, watched = self.forge.known, self.forge.watched
        if self.stranger and not self.accepted:
            return alone(path, known, watched)
        found = token(path, self.accepted, known, watched, document=self.identity.document)
        if found.standing != ALLOWED or self.stranger:
            return found
        strength = self.forge.strength(path)
        faults = tuple(one for one in strength if isinstance(one, Fault))
        doubts = tuple(one for one in strength if isinstance(one, Unknown))
        return msgspec.structs.replace(found, faults=faults, doubts=(*found.doubts, *doubts))

    def _concerns(self, path: TrustPath) -> bool:
        """Return whether a way is of concern though the identity is not declared."""
        if path.kind in ("identity", "account"):
            account, ours = account_of(path.principal), self.others.ours
            return self.stranger and account.isdigit() and account not in ours and any(map(_real, ours))
        return not path.via and at_large(path)

    def _whole(self, ways: list[Way]) -> Result:
        faults = [
            (fault.severity, _cited(way, fault.told)) for way in ways if way.standing == REFUSED for fault in way.faults
        ]
        if not self.identity.document:
            faults += [(Severity.LOW, told) for told in self._dead(ways)]
        doubtful = [way for way in ways if way.standing == UNKNOWN]
        if faults:
            faults.sort(key=lambda fault: (_URGENCY.index(fault[0]), fault[1]))
            return self._told(Outcome.FAIL, faults[0][0], _some([told for _, told in faults]), ways, _REMEDY)
        if doubtful:
            grants = dict.fromkeys(one.grant for way in doubtful for one in way.unsettled if one.grant)
            why = _some([_cited(way, way.told()) for way in doubtful])
            return self._told(Outcome.UNKNOWN, Severity.HIGH, why, ways, "; ".join(grants) or _PLAINLY)
        why = in_order(ways, compared=bool(self.declared)) + (unlooked(w.path for w in ways) if self.stranger else "")
        return self._told(Outcome.PASS, Severity.HIGH, why, ways)

    def _dead(self, ways: list[Way]) -> Iterator[str]:
        tokens = [way for way in ways if way.path.kind == "token"]
        live = {name_of(way.path.issuer) for way in tokens if way.standing != DEAD}
        for issuer in sorted({name_of(one.issuer) for one in self.accepted} - live):
            why = next((way.dead for way in tokens if name_of(way.path.issuer) == issuer), "")
            if why or not any(way.standing == ALLOWED for way in ways):
                told = f"dead trust: no token of {plain(issuer)} can become it, though that is declared"
                yield f"{told}: {why or 'its trust has no such way'}"

    def _told(
        self, outcome: Outcome, severity: Severity, reason: str, ways: Sequence[Way] = (), remedy: str = ""
    ) -> Result:
        observed: dict[str, Any] = {"identity": self.identity.name}
        if ways:
            # In their own order, by which they are found again; the reason tells those that matter first.
            observed |= {"paths": [way.shown() for way in ways[:MOST_SHOWN]], "paths_in_all": len(ways)}
        expected = {
            "deploy_identities": [one.id for one in self.declared],
            "proofs": [one.proof.model_dump(mode="json", exclude_none=True) for one in self.declared],
            "assumable_by": sorted(set(self.others.assumable)),
        }
        return Result(
            check=ID,
            subject=self.identity.subject("trust"),
            scope=self.identity.scope,
            outcome=outcome,
            severity=severity,
            reason=f"{plain(self.identity.short)}: {reason}",
            expected=expected if self.declared else {},
            observed=observed,
            remedy=remedy,
            evidence=self.identity.evidence,
        )


def _dead(way: Way) -> bool:
    return way.standing == DEAD and not way.path.dead


def _real(account: str) -> bool:
    return bool(account.strip("0"))


def _accepted(proof: TokenProof) -> Accepted:
    # An issuer may be written as the ARN of its provider, which ends in it.
    issuer = proof.issuer.partition(":oidc-provider/")[2] if proof.issuer.startswith("arn:") else proof.issuer
    return Accepted(issuer=issuer or proof.issuer, subjects=proof.subjects, audience=proof.audience)


def _cited(way: Way, told: str) -> str:
    through = f", through {', then '.join(map(plain, way.path.via))}" if way.path.via else ""
    return f"{told} ({plain(way.path.by)}{through})"


def _some(told: Sequence[str]) -> str:
    once = list(dict.fromkeys(told))
    return "; ".join(once[:5]) + (f"; and {len(once) - 5} more" if len(once) > 5 else "")


_ASIDE = "not judged, as the identity is not declared"
_AGAIN = "see the coverage of this scope, and sweep again"
_PLAINLY = "write the trust so that it can be evaluated"
_REMEDY = "narrow the trust to the proof that is declared; whoever else must become it is declared in `assumable_by`, by review"


# What is not there.


def _missing(lists: Sequence[IdentityList], accesses: Sequence[Access], expect: TrustExpectations) -> Iterator[Result]:
    listed: dict[tuple[str, str], list[IdentityList]] = {}
    for one in sorted(lists, key=repr):
        listed.setdefault((one.provider, one.account), []).append(one)
    read = {access.identity.subject() for access in accesses}
    names = {access.identity.name for access in accesses}
    wanted: dict[tuple[str, str], set[str]] = {}
    for entry in expect.deploy_identities:
        wild = any(set("*?") & set(pattern) for pattern in entry.principals)
        absent = not (any(entry.matches((name,)) for name in names) if wild else names & set(entry.principals))
        for pattern in entry.principals if absent else ():
            aws = pattern.startswith("arn:")
            place = ("aws", account_of(pattern)) if aws else ("gcp", pattern.partition("@")[2].partition(".")[0])
            if ":assumed-role/" not in pattern:
                wanted.setdefault(place, set()).add(pattern)
    estate = expect.production
    watched = {("aws", one.id) for one in (estate.aws.accounts if estate.aws else ())}
    watched |= {("gcp", one.id) for one in (estate.gcp.projects if estate.gcp else ())}
    for place in sorted(watched | set(wanted) | set(listed)):
        mine, scope = listed.get(place, []), ":".join(place)
        lost = [one.ids for one in mine if isinstance(one.ids, Unknown)]
        ids = {number for one in mine if isinstance(one.ids, tuple) for number in one.ids}
        unread = sorted(number for number in ids if f"{place[0]}:identity:{place[1]}:{number}" not in read)
        if not mine:
            lost = [Unknown("no list of them was read")]
        elif unread:
            lost.append(Unknown(f"{len(unread)} are listed, and were not read ({', '.join(map(plain, unread[:3]))})"))
        if lost:
            grants = "; ".join(sorted({one.grant for one in lost} - {""}))
            told = "; ".join(sorted({one.reason for one in lost}))
            yield _absent(
                scope, f"{scope}:identities", f"identities of {plain(place[1])}: {told}", grants or _AGAIN, mine
            )
            continue
        for pattern in sorted(wanted.get(place, ())):
            told = f"{plain(pattern)} is declared, and there is no such identity"
            todo = "" if set("*?") & set(pattern) else "mend the name in deploy_identities, or take the entry out"
            yield _absent(scope, f"{scope}:declared:{pattern}", told, todo, mine)


def _absent(scope: str, subject: str, reason: str, remedy: str, lists: Sequence[IdentityList]) -> Result:
    return Result(
        check=ID,
        subject=subject,
        scope=scope,
        outcome=Outcome.UNKNOWN if remedy else Outcome.NOT_APPLICABLE,
        severity=Severity.HIGH if remedy else Severity.LOW,
        reason=reason,
        remedy=remedy,
        evidence=cited(*lists),
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
        "actions:read on the repositories that tokens are trusted from, for their environments and subjects",
    ),
    remedy=_REMEDY,
)
