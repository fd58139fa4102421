"""Google Cloud's workload identity pools: which outside tokens are taken, and what is known of their bearers. Pure.

https://cloud.google.com/iam/docs/reference/rest/v1/projects.locations.workloadIdentityPools.providers
https://cloud.google.com/iam/docs/workload-identity-federation
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from monitor.decode.gcp_cel import Term, claim_of, disjuncts
from monitor.decode.github_wire import dig, objects, text
from monitor.facts.trust import ClaimTest
from monitor.model import Unknown

FULL = "//iam.googleapis.com/"
READING_PROVIDERS = "iam.workloadIdentityPoolProviders.list"
AWS_ISSUER = "sts.amazonaws.com"
# What AWS providers map when nothing is set; Google documents it with the field attributeMapping.
_AWS_ROLE = (
    "assertion.arn.contains('assumed-role')?assertion.arn.extract('{account_arn}assumed-role/')+'assumed-role/'"
    "+assertion.arn.extract('assumed-role/{role_name}/'):assertion.arn"
)
_AWS_MAPPING = {"google.subject": "assertion.arn", "attribute.aws_role": _AWS_ROLE}
_FEDERATING = ("", "MODE_UNSPECIFIED", "FEDERATION_ONLY")
_BLANKS = re.compile(r"\s+")


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """One provider. `kind` token or saml; `terms` what its condition demands, in the token's own claims.

    `tests` hold in every alternative: the audience, or the account. `dead` says why it takes no token at all. `unclear` is what
    narrows it and cannot be evaluated.
    """

    name: str
    kind: str
    issuer: str = ""
    mapping: dict[str, str] = {}
    tests: tuple[ClaimTest, ...] = ()
    terms: tuple[Term, ...] | Unknown = (Term(),)
    dead: str = ""
    unclear: tuple[Unknown, ...] = ()

    def alternatives(self, *more: ClaimTest) -> tuple[Term, ...]:
        """Return what must hold of a token for it to be taken and to pass these tests of mapped attributes too."""
        terms = (Term(unclear=(self.terms,)),) if isinstance(self.terms, Unknown) else self.terms
        return tuple(
            _resolved(Term(tests=(*self.tests, *term.tests, *more), unclear=(*term.unclear, *self.unclear)), self)
            for term in terms
        )


class Pools:
    """The pools of one project, found by their names (`projects/NUMBER/locations/global/workloadIdentityPools/POOL`)."""

    def __init__(
        self,
        number: str,
        pools: Iterable[object] | Unknown,
        providers: Mapping[str, Iterable[object] | Unknown] | Unknown,
    ) -> None:
        self.number = number
        self.pools = pools if isinstance(pools, Unknown) else {text(dig(one, "name")): one for one in objects([*pools])}
        self.read: dict[str, tuple[Provider, ...] | Unknown] = {}
        self.providers = providers

    def of(self, pool: str) -> tuple[Provider, ...] | Unknown | str:
        """Return the providers of a pool; Unknown where they could not be read; a text that says why there are none."""
        if isinstance(self.pools, Unknown):
            return self.pools
        if not self.number or not pool.startswith(f"projects/{self.number}/"):
            return Unknown("the pool is another project's", READING_PROVIDERS)
        if pool not in self.pools:
            return "its pool is gone"  # lists leave deleted pools out
        if gone := _gone(self.pools[pool]):
            return f"its pool {gone}"
        if text(dig(self.pools[pool], "mode")) not in _FEDERATING:
            return Unknown("what the pool's own workloads are is not judged")  # a trust domain attests them itself
        if pool not in self.read:
            self.read[pool] = self._listed(pool)
        return self.read[pool] or "its pool has no provider"

    def _listed(self, pool: str) -> tuple[Provider, ...] | Unknown:
        if isinstance(self.providers, Unknown):
            return self.providers
        listed = self.providers.get(pool)
        if listed is None:
            return Unknown(f"the providers of {pool} were not read", READING_PROVIDERS)
        return listed if isinstance(listed, Unknown) else tuple(map(provider, listed))


def provider(body: object) -> Provider:
    """Return a provider, from its object as the API sends it. What cannot be read is unclear, never fine."""
    name = FULL + text(dig(body, "name"))
    mapping = dig(body, "attributeMapping")
    mapped = {key: one for key, one in mapping.items() if isinstance(one, str)} if isinstance(mapping, dict) else {}
    condition = dig(body, "attributeCondition")
    terms: tuple[Term, ...] | Unknown = (Term(),)
    if condition:
        terms = disjuncts(condition) if isinstance(condition, str) else Unknown("the condition cannot be read")
    gone = _gone(body)
    dead = f"its provider {gone}" if gone else ""
    if terms == ():
        dead = dead or "its provider's condition never holds"
    found = Provider(name=name, kind="token", mapping=mapped, terms=terms, dead=dead)
    oidc, aws = dig(body, "oidc"), dig(body, "aws")
    if isinstance(oidc, dict):
        return _oidc(found, oidc)
    if isinstance(aws, dict):
        account = text(aws.get("accountId"))
        test = ClaimTest(claim="account", patterns=(account,))
        return msgspec.structs.replace(
            found, issuer=AWS_ISSUER, mapping=mapped or _AWS_MAPPING, tests=(test,) if account else ()
        )
    if isinstance(dig(body, "saml"), dict):
        return msgspec.structs.replace(found, kind="saml")
    what = "whose certificates it takes" if isinstance(dig(body, "x509"), dict) else "whom the provider believes"
    return msgspec.structs.replace(found, unclear=(Unknown(f"{what} is not judged"),))


def _oidc(found: Provider, oidc: dict[str, object]) -> Provider:
    issuer = text(oidc.get("issuerUri"))
    listed = oidc.get("allowedAudiences")
    unclear: tuple[Unknown, ...] = ()
    if not issuer:
        unclear = (Unknown("the provider's issuer cannot be read"),)
    if isinstance(listed, list) and listed and all(isinstance(one, str) for one in listed):
        audiences = tuple(listed)
    elif listed:
        audiences, unclear = (), (*unclear, Unknown("the provider's audiences cannot be read"))
    else:
        # Without any, the audience must be the provider's own name, with or without https:
        audiences = (f"https:{found.name}", found.name)
    tests = (ClaimTest(claim="aud", patterns=audiences),) if audiences else ()
    return msgspec.structs.replace(
        found, issuer=issuer.removeprefix("https://").rstrip("/"), tests=tests, unclear=unclear
    )


def _gone(body: object) -> str:
    if dig(body, "state") == "DELETED":
        return "was deleted"
    return "is disabled" if dig(body, "disabled") is True else ""


def _resolved(term: Term, source: Provider) -> Term:
    """Return the alternative with each mapped attribute replaced by the claim that it is made of."""
    tests: list[ClaimTest] = []
    unclear = list(term.unclear)
    for test in term.tests:
        found = _claim_test(test, source) if test.claim.startswith(("google.", "attribute.")) else test
        if isinstance(found, Unknown):
            unclear.append(found)
        else:
            tests.append(found)
    return Term(tests=tuple(dict.fromkeys(tests)), unclear=tuple(dict.fromkeys(unclear)))


def _claim_test(test: ClaimTest, source: Provider) -> ClaimTest | Unknown:
    expression = source.mapping.get(test.claim, "")
    if claim := claim_of(expression):
        return msgspec.structs.replace(test, claim=claim)
    literal = not (test.wild or test.negated or any(set(one) & set("*?") for one in test.patterns))
    if literal and _BLANKS.sub("", expression).replace('"', "'") == _AWS_ROLE:
        # The role's ARN is the session's without the session's name.
        patterns = tuple(f"{one}/*" if ":assumed-role/" in one else one for one in test.patterns)
        return msgspec.structs.replace(test, claim="arn", patterns=patterns, wild=True)
    if not expression:
        return Unknown(f"{test.words()}: the provider does not map {test.claim}")
    return Unknown(f"{test.words()}: {test.claim} is made of {expression[:200]}")
