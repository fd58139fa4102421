"""Who asks: a token as it is, or a GitHub App by a token for its installation, renewed before it ends.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/authenticating-as-a-github-app-installation
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol
from urllib.parse import quote

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from monitor.errors import ConfigError, Denied
from monitor.sources.github.access import APP, CLASSIC, TOKEN, Access
from monitor.sources.github.wire import SOURCE, Question, Reply, decoded, question

Ask = Callable[[Question, Callable[[], str]], Reply]
"""Asks (again, if need be), with the Authorization header that is called for each time, and keeps no trace of the answer."""

BACKDATED = timedelta(seconds=60)
JWT_LIFE = timedelta(minutes=9)
RENEW_BEFORE = timedelta(minutes=5)
MIN_KEY_BITS = 2048


class Credential(Protocol):
    """What a connection asks with."""

    def header(self, ask: Ask) -> str:
        """Return the Authorization header for now. Raises SourceError if none is to be had."""

    def renew(self, refused: str) -> bool:
        """Say that this header was refused (401); return whether the next one may be another."""

    def access(self, ask: Ask) -> Access:
        """Return what the credential may see. Raises SourceError."""


class TokenCredential:
    """A personal access token, classic or fine-grained."""

    def __init__(self, token: str, scope: str) -> None:
        """ConfigError for a token that cannot be one."""
        token = token.strip()
        if not re.fullmatch(r"[!-~]{1,4096}", token, re.ASCII):
            raise ConfigError("the GitHub token holds spaces or other characters that no token has", todo="set it anew")
        self._header = f"Bearer {token}"
        self._scope = scope

    def header(self, ask: Ask) -> str:
        """Return the token's header."""
        return self._header

    def renew(self, refused: str) -> bool:
        """Return False: there is only this one."""
        return False

    def access(self, ask: Ask) -> Access:
        """Return the scopes of a classic token; of another nothing is told.

        https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps
        """
        # A token of a workflow or an app is no user's: for it 403 is the answer, and as good as silence.
        whoami = question("GET", "/user", scope=self._scope, permission="a valid token", absent=(403, 404))
        reply = ask(whoami, lambda: self._header)
        login = decoded(whoami, reply.body, _User).login if reply.status == 200 else ""
        scopes = reply.headers.get("x-oauth-scopes")
        if scopes is None:
            return Access(kind=TOKEN, permissions=None, login=login)
        named = tuple(sorted(one.strip() for one in scopes.split(",") if one.strip()))
        return Access(kind=CLASSIC, permissions=None, scopes=named, login=login)


class AppCredential:
    """A GitHub App in one organisation. Thread-safe: one thread renews, the others wait for it."""

    def __init__(
        self, app_id: int, key: bytes, organisation: str, *, scope: str, clock: Callable[[], datetime]
    ) -> None:
        """ConfigError for a key that is no RSA private key in PEM."""
        self._app_id = app_id
        self._key = _private_key(key)
        self._organisation = organisation
        self._scope = scope
        self._clock = clock
        self._lock = threading.Lock()
        self._installation: _Installation | None = None
        self._grant: _Grant | None = None

    def header(self, ask: Ask) -> str:
        """Return the header with a token that is good for five minutes more, a new one if need be."""
        return f"Bearer {self._granted(ask).token}"

    def renew(self, refused: str) -> bool:
        """Forget the refused token, unless another thread did already; return True."""
        with self._lock:
            if self._grant and refused == f"Bearer {self._grant.token}":
                self._grant = None
        return True

    def access(self, ask: Ask) -> Access:
        """Return what the installation was granted."""
        grant = self._granted(ask)
        login = self._installation.app_slug if self._installation else ""
        return Access(
            kind=APP, permissions=grant.permissions, selected=grant.repository_selection != "all", login=login
        )

    def _granted(self, ask: Ask) -> _Grant:
        with self._lock:
            if self._grant is None or self._grant.expires_at - self._clock() < RENEW_BEFORE:
                self._grant = None
                self._grant = self._new_grant(ask)
            return self._grant

    def _new_grant(self, ask: Ask) -> _Grant:
        if self._installation is None:
            self._installation = self._found(ask)
        grant = question(
            "POST",
            f"/app/installations/{self._installation.id}/access_tokens",
            scope=self._scope,
            permission="the app's installation (it may be suspended)",
        )
        answer: _Grant = decoded(grant, ask(grant, self._jwt).body, _Grant)
        return answer

    def _found(self, ask: Ask) -> _Installation:
        """https://docs.github.com/en/rest/apps/apps#get-an-organization-installation-for-the-authenticated-app."""
        name = quote(self._organisation, safe="")
        where = question(
            "GET",
            f"/orgs/{name}/installation",
            scope=self._scope,
            permission="the app's installation",
            absent=(404,),
        )
        reply = ask(where, self._jwt)
        if reply.status == 404:
            missing = Denied(
                f"the GitHub App {self._app_id} is not installed on {self._organisation}",
                permission=f"the installation of the app on {self._organisation}",
                source=SOURCE,
                scope=self._scope,
            )
            missing.todo = f"have an owner of {self._organisation} install the app, for all repositories"
            raise missing
        found: _Installation = decoded(where, reply.body, _Installation)
        return found

    def _jwt(self) -> str:
        now = self._clock()
        claims = {
            "iat": int((now - BACKDATED).timestamp()),
            "exp": int((now + JWT_LIFE).timestamp()),
            "iss": str(self._app_id),
        }
        return f"Bearer {jwt.encode(claims, self._key, algorithm='RS256')}"


class _User(msgspec.Struct):
    login: str = ""


class _Installation(msgspec.Struct, frozen=True):
    id: int
    app_slug: str = ""


class _Grant(msgspec.Struct, frozen=True):
    token: str
    expires_at: datetime
    permissions: dict[str, str] | None = None
    repository_selection: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[!-~]{1,8192}", self.token, re.ASCII):
            raise ValueError("not a token")
        if self.expires_at.tzinfo is None:
            msgspec.structs.force_setattr(self, "expires_at", self.expires_at.replace(tzinfo=UTC))

    def __repr__(self) -> str:
        return f"_Grant(expires_at={self.expires_at})"


def _private_key(pem: bytes) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as broken:
        why = type(broken).__name__
    else:
        if isinstance(key, RSAPrivateKey) and key.key_size >= MIN_KEY_BITS:
            return key
        why = f"not an RSA key of {MIN_KEY_BITS} bits or more"
    raise ConfigError(
        f"the private key of the GitHub App cannot be used: {why}", todo="set the PEM file that GitHub gave for the app"
    )
