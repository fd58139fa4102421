"""Which identities the pipeline uses, as far as their trust shows it, and one fact for each. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from monitor.facts.access import Access
from monitor.facts.identity import Identity
from monitor.facts.trust import TrustPath
from monitor.model import Outcome, Result, Severity

_HOSTS = ("token.actions.githubusercontent.com", "gitlab.com", "agent.buildkite.com", "app.terraform.io")
_STARTS = ("token.actions.githubusercontent.com/", "oidc.circleci.com/", "api.bitbucket.org/", "vstoken.dev.azure.com/")

# Everybody can have an account there, and a token of an app of their own; no provider in the account is needed.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_oidc.html
_PUBLIC = ("accounts.google.com", "cognito-identity.amazonaws.com", "graph.facebook.com", "www.amazon.com")


def is_pipeline(issuer: str) -> bool:
    """Return whether an issuer (without its scheme) signs tokens for the jobs of a pipeline; one that is not known may."""
    name = issuer.lower().removeprefix("https://").rstrip("/")
    return (
        not name
        or name in _HOSTS
        or name.startswith(_STARTS)
        or name.endswith("/_services/token")  # GitHub Enterprise Server
        or (name.startswith("token.actions.") and name.endswith(".ghe.com"))
        or name.partition("/")[0].startswith("gitlab.")
    )


def at_large(path: TrustPath) -> bool:
    """Return whether a way is open to tokens of a pipeline, or to people at large: all, or whoever has an account there."""
    if path.kind != "token":
        return path.kind == "anyone"
    asked = any(one.claim in ("aud", "sub") and not one.negated for one in path.tests)
    return is_pipeline(path.issuer) or (path.issuer in _PUBLIC and not asked)


def trusted(identity: Identity) -> bool:
    """Return whether a token of a pipeline can become this identity directly."""
    paths = identity.trust if isinstance(identity.trust, tuple) else ()
    return any(path.kind == "token" and not path.via and is_pipeline(path.issuer) for path in paths)


def concerned(access: Access) -> bool:
    """Return whether an identity is judged as a deploy identity though nobody has declared it.

    It is if a token of a pipeline can become it directly, or if it stands for a saved document.
    """
    return access.identity.document or trusted(access.identity)


def one_each(facts: Iterable[object]) -> tuple[Access, ...]:
    """Return one fact for each identity, by its subject: the latest, in whatever order they came."""
    kept: dict[str, Access] = {}
    for fact in facts:
        if isinstance(fact, Access):
            subject = fact.identity.subject()
            other = kept.get(subject)
            if other is None or (other.identity.at, repr(other)) < (fact.identity.at, repr(fact)):
                kept[subject] = fact
    return tuple(kept[subject] for subject in sorted(kept))


def unwatched(check: str, accounts: Iterable[str]) -> Iterator[Result]:
    """Yield a result for each account (its scope) where expected state says that identities are not watched."""
    for scope in sorted(accounts):
        yield Result(
            check=check,
            subject=f"{scope}:identities",
            scope=scope,
            outcome=Outcome.NOT_APPLICABLE,
            severity=Severity.LOW,
            reason=f"expected state says that the identities of {scope} are not watched (identities.watched)",
        )
