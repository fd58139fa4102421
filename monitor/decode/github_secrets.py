"""What GitHub keeps: secrets, of which it never tells more than names and dates, and deploy keys. Pure.

https://docs.github.com/en/rest/actions/secrets
https://docs.github.com/en/rest/deploy-keys/deploy-keys

Whether a key can only read is believed where it is told; any other key is taken for one that can write.
"""

from __future__ import annotations

from typing import Any

from monitor.decode.github_wire import dig, listing, loaded, mapping, moment, number, text
from monitor.errors import Malformed
from monitor.facts.stored_secret import DeployKey, StoredSecret

ORGANISATION, REPOSITORY, ENVIRONMENT = "organisation", "repository", "environment"


def secrets(body: bytes, level: str, environment: str = "") -> tuple[StoredSecret, ...]:
    """Return the secrets of one page of `GET …/secrets`. Raises Malformed if one of them has no name."""
    found = listing(mapping(loaded(body, "a list of secrets"), "a list of secrets").get("secrets"), "secrets")
    return tuple(_secret(one, level, environment) for one in found)


def _secret(one: Any, level: str, environment: str) -> StoredSecret:
    name = text(dig(one, "name"))
    if not name:
        raise Malformed("a secret in the list has no name", source="github")
    return StoredSecret(
        name=name,
        level=level,
        environment=environment,
        created_at=moment(dig(one, "created_at")),
        updated_at=moment(dig(one, "updated_at")),
    )


def deploy_keys(body: bytes) -> tuple[DeployKey, ...]:
    """Return the deploy keys of one page of `GET /repos/{owner}/{repo}/keys`. Raises Malformed if one of them has no id."""
    return tuple(_deploy_key(one) for one in listing(loaded(body, "a list of deploy keys"), "deploy keys"))


def _deploy_key(one: Any) -> DeployKey:
    identity = number(dig(one, "id"))
    if not identity:
        raise Malformed("a deploy key in the list has no id", source="github")
    return DeployKey(
        id=identity,
        title=text(dig(one, "title")),
        read_only=dig(one, "read_only") is True,
        created_at=moment(dig(one, "created_at")),
        used_at=moment(dig(one, "last_used")),
        added_by=text(dig(one, "added_by")),
    )
