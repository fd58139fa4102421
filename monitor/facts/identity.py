"""Facts about identities: roles, users and service accounts as they were read, with their policies, trust and credentials."""

from __future__ import annotations

from datetime import datetime

import msgspec

from monitor.facts.policy import Policy
from monitor.facts.trust import TrustPath
from monitor.model import EvidenceRef, Unknown


class Credential(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One long-lived credential. Times are UTC; `used_at` None: never used, or not since the provider keeps track.

    `kind`: access-key, password, certificate, ssh-key, service-credential, service-account-key.
    """

    kind: str
    id: str
    active: bool | Unknown = True
    created_at: datetime | Unknown | None = None
    used_at: datetime | Unknown | None = None


class Use(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """When (UTC) a service (`ecs`), or one action of it (`ecs:UpdateService`), was last used. None: never in the time kept."""

    service: str
    action: str = ""
    at: datetime | None = None


class Identity(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One identity as it was when it was read (`at`, UTC).

    `provider` is aws or gcp; `account` the account number or project id; `id` permanent (AROA…, a service account's unique
    id); `name` the ARN or e-mail; `kind` role, user or service-account. `document`: it stands for a saved document that is
    judged as if it were a deploy identity's.

    `policies` are those that give rights: its own and those of its groups. `boundary` None: it has none. `ceilings` are the
    organisation's policies by level, from the root down to the account: an action must be allowed at every level, and denied
    at none; () where there are none or they do not apply. `resource_ceilings` likewise, on who may become it. `trust` are
    the ways to become it by its own trust policy, or by the policies that bear on it. `mfa` None: it is no person's.
    `uses` are what the provider remembers of its use.
    """

    provider: str
    account: str
    id: str
    name: str
    kind: str
    at: datetime
    created_at: datetime | None = None
    disabled: bool = False
    document: bool = False
    policies: tuple[Policy, ...] | Unknown = ()
    boundary: Policy | Unknown | None = None
    ceilings: tuple[tuple[Policy, ...], ...] | Unknown = ()
    resource_ceilings: tuple[tuple[Policy, ...], ...] | Unknown = ()
    trust: tuple[TrustPath, ...] | Unknown = ()
    credentials: tuple[Credential, ...] | Unknown = ()
    mfa: bool | Unknown | None = None
    uses: tuple[Use, ...] | Unknown = ()
    evidence: tuple[EvidenceRef, ...] = ()

    @property
    def scope(self) -> str:
        """Return the scope that its results bear: `aws:111122223333`."""
        return f"{self.provider}:{self.account}"

    def subject(self, *more: str) -> str:
        """Return the subject of a result about it, stable over renames: `aws:identity:111122223333:AROA…[:…]`."""
        return ":".join((self.provider, "identity", self.account, self.id, *more))

    @property
    def short(self) -> str:
        """Return what people call it: the last part of its ARN, or its e-mail."""
        return self.name.rpartition("/")[2] if self.provider == "aws" else self.name


class IdentityList(msgspec.Struct, frozen=True, kw_only=True):
    """The identities of one account that could be listed, and those of an earlier sweep that no longer are."""

    provider: str
    account: str
    at: datetime
    ids: tuple[str, ...] | Unknown
    vanished: dict[str, str] = {}
    """Id and last known name of each identity that was there at the last sweep and is not now."""
    evidence: tuple[EvidenceRef, ...] = ()
