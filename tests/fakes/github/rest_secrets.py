"""The fake's secrets (names and dates, never values), deploy keys and templates of token subjects, as docs.github.com/en/rest has them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.fakes.github.world import BORN, Environment, Repository, World, stamp

Found = tuple[int, Any]
NOT_FOUND: Found = (404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"})
FORBIDDEN: Found = (
    403,
    {"message": "Resource not accessible by integration", "documentation_url": "https://docs.github.com/rest"},
)


@dataclass
class Secret:
    """A secret of an organisation, a repository or an environment. `repositories`: who gets an organisation's; None: all."""

    name: str
    created_at: datetime = BORN
    updated_at: datetime = BORN
    repositories: list[str] | None = None


@dataclass
class Key:
    """A deploy key."""

    id: int
    title: str
    read_only: bool = True
    created_at: datetime = BORN
    last_used: datetime | None = None
    added_by: str = "dev-one"


@dataclass
class Template:
    """How subjects of tokens are made: `keys` None where none were set; `default` is of repositories only."""

    default: bool = True
    keys: list[str] | None = None
    immutable: bool = False


@dataclass
class Vault:
    """What one place keeps."""

    secrets: list[Secret] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    template: Template = field(default_factory=Template)


def vault(of: World | Repository | Environment) -> Vault:
    """Return what a place keeps; it is made when it is first asked for, and may be changed while the fake serves."""
    found = of.kept
    if found is None:
        found = of.kept = Vault()
    assert isinstance(found, Vault)
    return found


def routes(world: World, of: Callable[[str], Repository | None]) -> tuple[tuple[str, Callable[..., Found]], ...]:
    """Return patterns of paths and what answers them; `of` finds a repository that may be seen."""

    def guarded(permission: str, found: Repository | Environment | None, answer: Callable[[], Any]) -> Found:
        if found is None:
            return NOT_FOUND
        return (200, answer()) if world.may(permission) else FORBIDDEN

    def organisation_secrets(query: dict[str, str], name: str) -> Found:
        if name.lower() != world.organisation.lower():
            return NOT_FOUND
        if not world.may("organization_secrets"):
            return FORBIDDEN
        return 200, _listed([_shown(one, wide=True) for one in vault(world).secrets])

    def repository_secrets(query: dict[str, str], name: str) -> Found:
        one = of(name)
        return guarded("secrets", one, lambda: _listed([_shown(s) for s in vault(one).secrets] if one else []))

    def shared_secrets(query: dict[str, str], name: str) -> Found:
        one = of(name)
        mine = [s for s in vault(world).secrets if one and (s.repositories is None or one.name in s.repositories)]
        return guarded("secrets", one, lambda: _listed([_shown(s) for s in mine]))

    def environment_secrets(query: dict[str, str], name: str, place: str) -> Found:
        one = of(name)
        found = next((e for e in one.environments if e.name == place), None) if one else None
        return guarded(
            "environments", found, lambda: _listed([_shown(s) for s in vault(found).secrets] if found else [])
        )

    def keys(query: dict[str, str], name: str) -> Found:
        one = of(name)
        if one is None or not world.may("administration"):
            return NOT_FOUND
        return 200, [_key(key, one) for key in vault(one).keys]

    def organisation_template(query: dict[str, str], name: str) -> Found:
        if not world.may("organization_administration"):
            return FORBIDDEN
        return 200, {"include_claim_keys": vault(world).template.keys or ["repo", "context"]}

    def repository_template(query: dict[str, str], name: str) -> Found:
        one = of(name)
        return guarded("actions", one, lambda: _template(one) if one else None)

    return (
        (r"/orgs/([^/]+)/actions/secrets", organisation_secrets),
        (r"/orgs/([^/]+)/actions/oidc/customization/sub", organisation_template),
        (r"/repos/([^/]+/[^/]+)/actions/secrets", repository_secrets),
        (r"/repos/([^/]+/[^/]+)/actions/organization-secrets", shared_secrets),
        (r"/repos/([^/]+/[^/]+)/actions/oidc/customization/sub", repository_template),
        (r"/repos/([^/]+/[^/]+)/environments/([^/]+)/secrets", environment_secrets),
        (r"/repos/([^/]+/[^/]+)/keys", keys),
    )


def _listed(secrets: list[dict[str, Any]]) -> dict[str, Any]:
    return {"total_count": len(secrets), "secrets": secrets}


def _shown(one: Secret, *, wide: bool = False) -> dict[str, Any]:
    shown = {"name": one.name, "created_at": stamp(one.created_at), "updated_at": stamp(one.updated_at)}
    return shown | ({"visibility": "all" if one.repositories is None else "selected"} if wide else {})


def _key(one: Key, repository: Repository) -> dict[str, Any]:
    return {
        "id": one.id,
        "key": "ssh-ed25519 AAAAexample",
        "url": f"https://api.github.com/repos/{repository.full_name}/keys/{one.id}",
        "title": one.title,
        "verified": True,
        "created_at": stamp(one.created_at),
        "read_only": one.read_only,
        "added_by": one.added_by,
        "last_used": stamp(one.last_used) if one.last_used else None,
        "enabled": True,
    }


def _template(one: Repository) -> dict[str, Any]:
    template = vault(one).template
    owner, name = (f"{one.owner}@900", f"{one.name}@{one.id}") if template.immutable else (one.owner, one.name)
    shown: dict[str, Any] = {
        "use_default": template.default,
        "use_immutable_subject": template.immutable,
        "sub_claim_prefix": f"repo:{owner}/{name}",
    }
    return shown | ({"include_claim_keys": template.keys} if template.keys is not None else {})
