"""Facts about trust: the ways in which somebody can become an identity, in one shape for all providers."""

from __future__ import annotations

from datetime import datetime

import msgspec

from monitor.model import EvidenceRef, Unknown


class ClaimTest(msgspec.Struct, frozen=True, kw_only=True, order=True, gc=False):
    """One demand on whoever asks: this claim of the token (or key of the request) must be one of these.

    `claim` is the token's own name for it (`sub`, `aud`, `repository`, `job_workflow_ref` …), without the issuer in front;
    for other requests the condition's key in lower case (`sts:externalid`, `aws:principalorgid` …). With `wild`, `*` and `?`
    in the patterns stand for anything, across `/` and `:`; without, each pattern is taken literally. `negated`: it must be
    none of them. `absent_passes`: a request without the claim passes too (IfExists, ForAllValues, negations).
    """

    claim: str
    patterns: tuple[str, ...]
    wild: bool = False
    negated: bool = False
    absent_passes: bool = False
    ignores_case: bool = False

    def words(self) -> str:
        """Return the demand as a person reads it, on one line."""
        verb = ("is not" if self.negated else "is") + (" like" if self.wild else "")
        return f"{self.claim} {verb} {' or '.join(self.patterns)}" + (" (or absent)" if self.absent_passes else "")


class TrustPath(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One way to become an identity: all `tests` must hold. The paths of an identity are alternatives.

    `kind` and `principal`:
      token      whoever has a token of `issuer` (no scheme, as `token.actions.githubusercontent.com`); principal: the
                 provider's ARN or full resource name
      saml       whoever the SAML provider (principal: its ARN) vouches for
      identity   an identity, by ARN or e-mail; or a session's ARN; a pattern where `*` stands for a part of it
      account    every identity of an account that its own policies allow it (principal: `arn:aws:iam::111122223333:root`)
      service    a service of the provider, as `ecs-tasks.amazonaws.com`
      group      a group, domain or other set of people (principal: the member as written)
      anyone     everybody (`*`, allUsers, allAuthenticatedUsers)
    `action` is how it is done: sts:AssumeRoleWithWebIdentity, sts:AssumeRole, roles/iam.workloadIdentityUser,
    iam.serviceAccounts.getAccessToken … `by` cites the statement or binding. `unclear`: demands that could not be evaluated;
    they may or may not narrow the path. `dead`: why it can never be used (its provider is gone); empty otherwise.
    `via` are the identities in between, nearest first, where a path leads through others.
    """

    kind: str
    principal: str
    action: str
    by: str
    issuer: str = ""
    tests: tuple[ClaimTest, ...] = ()
    unclear: tuple[Unknown, ...] = ()
    dead: str = ""
    via: tuple[str, ...] = ()


class SubjectTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """How the subject of tokens is made for jobs of a repository, or by default of an organisation (`repository_id` 0).

    `keys` are the claims in their order (`repo`, `context`, `job_workflow_ref` …); the default is ("repo", "context").
    `immutable`: names of owner and repository carry their ids (`repo:owner@1/name@2:…`); None: not told.
    """

    organisation: str
    repository_id: int = 0
    repository: str = ""
    keys: tuple[str, ...] | Unknown = ("repo", "context")
    immutable: bool | None = None
    at: datetime
    evidence: tuple[EvidenceRef, ...] = ()
