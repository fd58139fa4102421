"""How an app proves itself to the fake, and which permission an endpoint accepts."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import jwt

LONGEST = 600
"""Seconds that an assertion may live: https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app"""
SKEW = 60
ACCEPTED = (
    (r"/repos/[^/]+/[^/]+/branches/.+/protection", "administration=read"),
    (r"/repos/[^/]+/[^/]+/rulesets/(rule-suites|\d+/history).*", "administration=read"),
    (r"/repos/[^/]+/[^/]+/environments/[^/]+/secrets", "environments=read"),
    (r"/repos/[^/]+/[^/]+/actions/(organization-)?secrets", "secrets=read"),
    (r"/repos/[^/]+/[^/]+/actions/oidc/customization/sub", "actions=read"),
    (r"/repos/[^/]+/[^/]+/keys", "administration=read"),
    (r"/orgs/[^/]+/actions/secrets", "organization_secrets=read"),
    (r"/orgs/[^/]+/actions/oidc/customization/sub", "organization_administration=read"),
    (r"/repos/[^/]+/[^/]+/(environments|deployments).*", "actions=read"),
    (r"/repos/[^/]+/[^/]+/commits/[^/]+/pulls", "pull_requests=read"),
    (r"/repos/[^/]+/[^/]+/(activity|branches|commits).*", "contents=read"),
    (r"/orgs/[^/]+/rulesets.*", "organization_administration=write"),
    (r"/orgs/[^/]+/audit-log", "organization_administration=read"),
    (r"/orgs/[^/]+/properties/values", "organization_custom_properties=read"),
    (r"/repos/.*", "metadata=read"),
)


class Refused(Exception):
    """The assertion is not accepted; the text is GitHub's."""


def asked_for(path: str) -> bool:
    """Return whether only an app itself may ask this."""
    return path == "/app" or path.startswith("/app/") or re.fullmatch(r"/orgs/[^/]+/installation", path) is not None


def accepted(path: str) -> str:
    """Return what X-Accepted-GitHub-Permissions says for a path, empty if nothing."""
    return next((needed for pattern, needed in ACCEPTED if re.fullmatch(pattern, path)), "")


def claims_of(token: str, key: bytes, now: datetime) -> dict[str, Any]:
    """Return the claims of an app's assertion; raise Refused if it is not signed by the key, or not of now."""
    options: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "require": ["iss", "exp", "iat"]}
    try:
        claims: dict[str, Any] = jwt.decode(token, key, algorithms=["RS256"], options=options)
    except jwt.InvalidTokenError:
        raise Refused("A JSON web token could not be decoded") from None
    seconds = now.timestamp()
    if claims["exp"] <= seconds - SKEW:
        told = "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires"
        raise Refused(told)
    if claims["exp"] > seconds + LONGEST + SKEW:
        raise Refused("'Expiration time' claim ('exp') is too far in the future")
    if claims["iat"] > seconds + SKEW:
        raise Refused(
            "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
        )
    return claims
