"""Answers of Google Cloud's APIs, in the shapes that they are documented to have."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from monitor.decode.gcp_iam import ProjectMaterial
from monitor.model import Unknown

NOW = datetime(2026, 3, 14, tzinfo=UTC)
PROJECT, NUMBER = "example-prod", "415104041262"
DEPLOY = "deploy@example-prod.iam.gserviceaccount.com"
RUNTIME = "runtime@example-prod.iam.gserviceaccount.com"
POOL = f"projects/{NUMBER}/locations/global/workloadIdentityPools/github"
GITHUB = "token.actions.githubusercontent.com"
EVERY_TOKEN = f"principalSet://iam.googleapis.com/{POOL}/*"
REPOSITORY = f"principalSet://iam.googleapis.com/{POOL}/attribute.repository/example-org/payments"
SUBJECT = f"principal://iam.googleapis.com/{POOL}/subject/repo:example-org/payments:environment:production"
LOST = Unknown("denied", "grant it")
TOKENS = "roles/iam.serviceAccountTokenCreator"
WORKLOAD = "roles/iam.workloadIdentityUser"


def account(email: str = DEPLOY, **more: Any) -> dict[str, Any]:
    return {
        "name": f"projects/{PROJECT}/serviceAccounts/{email}",
        "projectId": PROJECT,
        "uniqueId": "1" + str(sum(map(ord, email))),
        "email": email,
        "etag": "MDEwMjE5MjA=",
        "oauth2ClientId": "1",
        **more,
    }


def binding(role: str, *members: str, when: str = "") -> dict[str, Any]:
    made: dict[str, Any] = {"role": role, "members": list(members)}
    return {**made, "condition": {"title": "only so", "expression": when}} if when else made


def policy(*bindings: dict[str, Any]) -> dict[str, Any]:
    return {"version": 3, "etag": "BwWWja0YfJA=", "bindings": list(bindings)}


def role(name: str, *permissions: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "title": "a role", "stage": "GA", "includedPermissions": list(permissions), **more}


def provider(condition: str = "", pool: str = POOL, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": f"{pool}/providers/actions",
        "state": "ACTIVE",
        "attributeMapping": {
            "google.subject": "assertion.sub",
            "attribute.repository": "assertion.repository",
            "attribute.place": "assertion.repository + '/' + assertion.ref",
        },
        "oidc": {"issuerUri": f"https://{GITHUB}"},
    }
    return {**made, **({"attributeCondition": condition} if condition else {}), **more}


def pool(name: str = POOL, **more: Any) -> dict[str, Any]:
    return {"name": name, "state": "ACTIVE", **more}


def key(id: str = "ab12", **more: Any) -> dict[str, Any]:
    return {
        "name": f"projects/{PROJECT}/serviceAccounts/{DEPLOY}/keys/{id}",
        "keyType": "USER_MANAGED",
        "keyOrigin": "GOOGLE_PROVIDED",
        "validAfterTime": "2025-01-02T03:04:05Z",
        "validBeforeTime": "9999-12-31T23:59:59Z",
        **more,
    }


def material(**more: Any) -> ProjectMaterial:
    """Return a project with one service account, which nothing is bound to, and one pool with GitHub's provider."""
    made: dict[str, Any] = {
        "project": PROJECT,
        "number": NUMBER,
        "at": NOW,
        "policy": policy(),
        "accounts": (account(),),
        "account_policies": {DEPLOY: {"etag": "ACAB"}},
        "keys": {DEPLOY: ()},
        "pools": (pool(),),
        "providers": {POOL: (provider(),)},
    }
    return ProjectMaterial(**{**made, **more})
