"""Facts about credentials that a forge keeps: secrets (names and ages, never values) and deploy keys."""

from __future__ import annotations

from datetime import datetime

import msgspec

from monitor.model import EvidenceRef, Unknown


class StoredSecret(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One secret. `level` is organisation, repository or environment; times are UTC; its value is never read."""

    name: str
    level: str
    environment: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None


class DeployKey(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One deploy key of a repository: an SSH key that is no person's. Times are UTC; `used_at` None: never, or not told."""

    id: int
    title: str
    read_only: bool
    created_at: datetime | None = None
    used_at: datetime | None = None
    added_by: str = ""


class KeptCredentials(msgspec.Struct, frozen=True, kw_only=True):
    """The credentials that one repository keeps, or (with `repository_id` 0) an organisation, as read at `at` (UTC)."""

    organisation: str
    repository_id: int = 0
    repository: str = ""
    at: datetime
    secrets: tuple[StoredSecret, ...] | Unknown = ()
    deploy_keys: tuple[DeployKey, ...] | Unknown = ()
    evidence: tuple[EvidenceRef, ...] = ()

    @property
    def scope(self) -> str:
        """Return the scope that its results bear."""
        return f"github:{self.repository or self.organisation}"

    @property
    def subject(self) -> str:
        """Return the subject of a result about it: `github:repository:ID:credentials`, or of the organisation."""
        owner = f"repository:{self.repository_id}" if self.repository_id else f"organisation:{self.organisation}"
        return f"github:{owner}:credentials"
