"""Sections `deploy_identities`, `trusted_services`, `break_glass`: who may write in production, and on what proof."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from monitor.expected.fields import (
    AccountId,
    ActionPattern,
    Id,
    PrincipalPattern,
    RightPattern,
    ServiceName,
    SubjectPattern,
    Text,
    shown,
)
from monitor.expected.patterns import any_matches, matches, subject_matches
from monitor.model import Expectation

Principals = Annotated[
    tuple[PrincipalPattern, ...],
    Field(
        min_length=1,
        description="Patterns of role, user or session ARNs. '*' stands for any run of characters but '/' and ':'",
    ),
]


def _issuer(text: str) -> str:
    if "*" in text or "?" in text or text != text.strip():
        raise ValueError(
            f"{shown(text)} has a wildcard or a blank; write the issuer in full, as token.actions.githubusercontent.com"
        )
    return text


def _session(pattern: str) -> str:
    if ":assumed-role/" not in pattern:
        raise ValueError(
            f"{shown(pattern)} is not a session; write arn:aws:sts::111122223333:assumed-role/ROLE/SESSION"
        )
    return pattern


def issuer_name(issuer: str) -> str:
    """Return an issuer without its scheme, be it written as an address or as the ARN of an identity provider."""
    # The ARN ends in the issuer's address: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_oidc.html
    name = issuer.partition(":oidc-provider/")[2] if issuer.startswith("arn:") else issuer
    return (name or issuer).removeprefix("https://")


class TokenProof(Expectation):
    """Proof by a token exchange: an allowed subject of this issuer was exchanged for the session's credentials."""

    issuer: Annotated[Text, AfterValidator(_issuer)] = Field(
        description="Who signed the token, as token.actions.githubusercontent.com"
    )
    subjects: tuple[SubjectPattern, ...] = Field(
        min_length=1, description="Patterns of the token's subject. '*' stands for any run of characters but ':'"
    )
    audience: Text | None = Field(default=None, description="Whom the token was made for; any when it is not given")
    providers: tuple[Text, ...] | None = Field(
        default=None,
        description="Names of identity providers that stand for the issuer where the log names them in its place, as "
        "projects/123456789012/locations/global/workloadIdentityPools/POOL/providers/PROVIDER",
    )

    def accepts(self, issuer: str, subject: str, audience: str) -> bool:
        """Return whether the token is one of those allowed. A demanded audience that was not recorded is refused."""
        return (
            (issuer_name(issuer) == issuer_name(self.issuer) or issuer in (self.providers or ()))
            and any(subject_matches(pattern, subject) for pattern in self.subjects)
            and (self.audience is None or audience == self.audience)
        )


class SessionProof(Expectation):
    """Proof by the session's form, for an identity that no token gives: its name, and the service that took it."""

    pattern: Annotated[PrincipalPattern, AfterValidator(_session)] = Field(
        description="Pattern of the session's ARN: arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION"
    )
    assumed_by: tuple[ServiceName, ...] = Field(
        default=(),
        description="Services that take the role. Without them the name alone counts, and whoever takes a role chooses it",
    )

    def matches(self, principals: Iterable[str]) -> bool:
        """Return whether any of the principals is such a session."""
        return any(matches(self.pattern, principal) for principal in principals)

    def allows(self, service: str) -> bool:
        """Return whether this service (as codebuild.amazonaws.com) may take the role."""
        return service in self.assumed_by


class Proof(Expectation):
    """How a proof is written: `token:` or `session:`, one of the two."""

    token: TokenProof | None = Field(default=None, description="By the token that was exchanged")
    session: SessionProof | None = Field(default=None, description="By the form of the session")

    @model_validator(mode="after")
    def _one(self) -> Proof:
        if (self.token is None) == (self.session is None):
            raise ValueError("a proof is either 'token:' or 'session:'; write one of them")
        return self


def _unwrapped(value: object) -> object:
    if not isinstance(value, (dict, Proof)):
        return value
    proof = Proof.model_validate(value)
    return proof.token or proof.session


class Allowance(Expectation):
    """What an identity may do although it would alarm elsewhere, and why."""

    actions: tuple[RightPattern, ...] = Field(
        min_length=1, description="Actions (ecs:Update*) or permissions (run.services.update); '*' stands for anything"
    )
    resources: tuple[Text, ...] = Field(
        default=("*",),
        min_length=1,
        description="Patterns of ARNs or resource names where it may; '*' stands for anything, ':' and '/' too",
    )
    reason: Text = Field(description="What it needs that for")


class DeployIdentity(Expectation):
    """An identity that the pipeline uses, and the proof that a session of it came from the pipeline."""

    id: Id = Field(description="Its name here")
    principals: Principals
    proof: Annotated[TokenProof | SessionProof, BeforeValidator(_unwrapped, json_schema_input_type=Proof)] = Field(
        description="What shows that a session really came from the pipeline"
    )
    assumable_by: tuple[Text, ...] = Field(
        default=(),
        description="Who else may become it: patterns of ARNs, names of services, or members as GCP writes them",
    )
    allows: tuple[Allowance, ...] | None = Field(
        default=None, description="What it may do; without it, only what would alarm anywhere is judged"
    )

    def matches(self, principals: Iterable[str]) -> bool:
        """Return whether any of the principals is this identity. Says nothing about its proof."""
        return any_matches(self.principals, tuple(principals))


class TrustedService(Expectation):
    """A machine that writes in production as part of its work, such as a log forwarder."""

    id: Id = Field(description="Its name here")
    principals: Principals
    actions: tuple[ActionPattern, ...] = Field(
        min_length=1, description="What it may do, as service:Name. '*' is allowed in the name"
    )
    reason: Text = Field(description="Why its writes are no changes")

    def matches(self, principals: Iterable[str]) -> bool:
        """Return whether any of the principals is this service."""
        return any_matches(self.principals, tuple(principals))

    def allows(self, action: str) -> bool:
        """Return whether this action (`service:Name`) is part of its work."""
        return any_matches(self.actions, (action,))


class BreakGlass(Expectation):
    """An identity of the documented emergency path; it counts only while an emergency change covers the time."""

    id: Id = Field(description="Its name here; emergency changes refer to it")
    principals: Principals
    reason: Text = Field(description="What it is for, and where its use is documented")

    def matches(self, principals: Iterable[str]) -> bool:
        """Return whether any of the principals is this identity."""
        return any_matches(self.principals, tuple(principals))


class IdentityRules(Expectation):
    """What holds for every deploy identity."""

    watched: bool = Field(
        default=True, strict=True, description="Whether identities are read and judged; if not, each account is told so"
    )
    unused_after_days: int = Field(
        default=90, strict=True, ge=1, le=400, description="Days after which a right that was not used is too much"
    )
    key_max_days: int = Field(
        default=90, strict=True, ge=1, le=3650, description="Days after which a long-lived key is too old anywhere"
    )
    trusted_accounts: tuple[AccountId, ...] = Field(
        default=(), description="Accounts of others whose identities may be trusted, with an external id"
    )
    may_keep: tuple[Text, ...] = Field(
        default=(),
        description="Names of secrets on the forge that may look like cloud keys: patterns, '*' for anything",
    )
