"""What there is on the fake Google Cloud, in the shapes that its APIs document. Everything may be changed while it serves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.fakes.gcp.storage import Stored

ORGANISATION, NUMBER = "organizations/100000000001", "415104041262"
PROJECT = "example-prod"
GITHUB = "https://token.actions.githubusercontent.com"
Body = dict[str, Any]


@dataclass
class World:
    """`policies` are allow policies by the name of what they are on; `denies` deny policies by place and id.

    `denied` are permissions that who asks lacks: everywhere (`iam.roles.get`), or on a resource (`iam.roles.get on projects/x`).
    """

    projects: dict[str, Body] = field(default_factory=dict)
    folders: dict[str, Body] = field(default_factory=dict)
    policies: dict[str, Body] = field(default_factory=dict)
    roles: dict[str, Body] = field(default_factory=dict)
    denies: dict[str, dict[str, Body]] = field(default_factory=dict)
    accounts: dict[str, dict[str, Body]] = field(default_factory=dict)
    """By project and e-mail."""
    keys: dict[str, list[Body]] = field(default_factory=dict)
    """By e-mail."""
    pools: dict[str, list[Body]] = field(default_factory=dict)
    """By project."""
    providers: dict[str, list[Body]] = field(default_factory=dict)
    """By the pool's name."""
    denied: set[str] = field(default_factory=set)
    entries: list[Body] = field(default_factory=list)
    """Log entries of all projects, in any order; `logName` tells whose each is."""
    buckets: dict[str, dict[str, Stored]] = field(default_factory=dict)
    """Objects by bucket and name."""
    log_settings: dict[str, dict[str, list[Body]]] = field(default_factory=dict)
    """By list (sinks, exclusions, buckets) and by what they are set on: what there is beside Google's own."""

    def project(self, id: str, number: str, parent: str | None) -> Body:
        made = {
            "name": f"projects/{number}",
            "projectId": id,
            "state": "ACTIVE",
            "displayName": id,
            "createTime": "2024-01-08T09:00:00Z",
            "etag": 'W/"1"',
        }
        self.projects[id] = {**made, "parent": parent} if parent else made
        self.accounts.setdefault(id, {})
        return self.projects[id]

    def folder(self, number: str, parent: str) -> str:
        name = f"folders/{number}"
        self.folders[name] = {"name": name, "parent": parent, "displayName": number, "state": "ACTIVE", "etag": 'W/"2"'}
        return name

    def account(self, project: str, name: str, **more: Any) -> str:
        email = f"{name}@{project}.iam.gserviceaccount.com"
        self.accounts[project][email] = {
            "name": f"projects/{project}/serviceAccounts/{email}",
            "projectId": project,
            "uniqueId": str(10**20 + sum(ord(c) * 131**n for n, c in enumerate(email)) % 10**20),
            "email": email,
            "displayName": name,
            "etag": "MDEwMjE5MjA=",
            "oauth2ClientId": "1",
            **more,
        }
        return email

    def key(self, email: str, id: str, **more: Any) -> None:
        project = next(name for name, held in self.accounts.items() if email in held)
        self.keys.setdefault(email, []).append(
            {
                "name": f"projects/{project}/serviceAccounts/{email}/keys/{id}",
                "keyAlgorithm": "KEY_ALG_RSA_2048",
                "keyType": "USER_MANAGED",
                "keyOrigin": "GOOGLE_PROVIDED",
                "validAfterTime": "2025-01-02T03:04:05Z",
                "validBeforeTime": "9999-12-31T23:59:59Z",
                **more,
            }
        )

    def bind(self, where: str, role: str, *members: str, when: str = "") -> None:
        policy = self.policies.setdefault(where, {"version": 1, "etag": "BwWWja0YfJA=", "bindings": []})
        made: Body = {"role": role, "members": list(members)}
        if when:
            policy["version"] = 3
            made["condition"] = {"title": "only so", "expression": when}
        policy["bindings"].append(made)

    def role(self, name: str, *permissions: str, **more: Any) -> None:
        # An empty list is left out, as all empty fields are.
        held = {"includedPermissions": list(permissions)} if permissions else {}
        self.roles[name] = {"name": name, "title": name, "stage": "GA", "etag": "AA==", **held, **more}

    def pool(self, project: str, id: str) -> str:
        name = (
            f"projects/{self.projects[project]['name'].rpartition('/')[2]}/locations/global/workloadIdentityPools/{id}"
        )
        self.pools.setdefault(project, []).append({"name": name, "displayName": id, "state": "ACTIVE"})
        return name

    def provider(self, pool: str, id: str, condition: str = "", **more: Any) -> None:
        made: Body = {
            "name": f"{pool}/providers/{id}",
            "state": "ACTIVE",
            "attributeMapping": {"google.subject": "assertion.sub", "attribute.repository": "assertion.repository"},
            "oidc": {"issuerUri": GITHUB},
        }
        self.providers.setdefault(pool, []).append(
            {**made, **({"attributeCondition": condition} if condition else {}), **more}
        )

    def deny(self, where: str, id: str, *permissions: str, principal: str = "principalSet://goog/public:all") -> None:
        # Names have the number of a project, whatever it was asked by.
        project = self.projects.get(where.removeprefix("projects/"))
        place = project["name"] if project else where
        point = f"cloudresourcemanager.googleapis.com%2F{place.replace('/', '%2F')}"
        self.denies.setdefault(where, {})[id] = {
            "name": f"policies/{point}/denypolicies/{id}",
            "uid": id,
            "kind": "DenyPolicy",
            "etag": "MTc=",
            "rules": [{"denyRule": {"deniedPrincipals": [principal], "deniedPermissions": list(permissions)}}],
        }


def example(accounts: int = 0) -> World:
    """Return an organisation with two folders, one project below both, four service accounts and some more."""
    world = World()
    outer = world.folder("200000000002", ORGANISATION)
    inner = world.folder("300000000003", outer)
    world.project(PROJECT, NUMBER, inner)
    deploy = world.account(PROJECT, "deploy")
    runtime = world.account(PROJECT, "runtime")
    auditor = world.account(PROJECT, "auditor")
    world.account(PROJECT, "idle", disabled=True)
    for n in range(accounts):
        world.account(PROJECT, f"batch-{n:04}")
    pool = world.pool(PROJECT, "github")
    world.provider(pool, "actions", "assertion.repository_owner_id == '4242'")
    world.bind(
        f"projects/{PROJECT}/serviceAccounts/{deploy}",
        "roles/iam.workloadIdentityUser",
        f"principalSet://iam.googleapis.com/{pool}/attribute.repository/example-org/payments",
    )
    world.bind(
        f"projects/{PROJECT}/serviceAccounts/{runtime}", "roles/iam.serviceAccountUser", f"serviceAccount:{deploy}"
    )
    world.bind(f"projects/{PROJECT}", "roles/run.admin", f"serviceAccount:{deploy}")
    world.bind(f"projects/{PROJECT}", f"projects/{PROJECT}/roles/reader", f"serviceAccount:{runtime}")
    world.bind(
        inner,
        "roles/logging.viewer",
        f"serviceAccount:{auditor}",
        when="request.time < timestamp('2030-01-01T00:00:00Z')",
    )
    world.bind(outer, f"{ORGANISATION}/roles/auditor", f"serviceAccount:{auditor}")
    world.bind(ORGANISATION, "roles/iam.securityReviewer", f"serviceAccount:{auditor}", "group:security@example.com")
    world.role("roles/run.admin", "run.services.create", "run.services.setIamPolicy")
    world.role(
        "roles/iam.workloadIdentityUser", "iam.serviceAccounts.getAccessToken", "iam.serviceAccounts.getOpenIdToken"
    )
    world.role("roles/iam.serviceAccountUser", "iam.serviceAccounts.actAs", "iam.serviceAccounts.get")
    world.role("roles/logging.viewer", "logging.logEntries.list")
    world.role("roles/iam.securityReviewer", "iam.roles.list", "iam.serviceAccounts.getIamPolicy")
    world.role(f"projects/{PROJECT}/roles/reader", "storage.objects.get", etag="BwXhqDzQ0Jc=")
    world.role(f"{ORGANISATION}/roles/auditor", "logging.sinks.list")
    world.key(deploy, "ab12")
    world.key(runtime, "cd34", keyType="SYSTEM_MANAGED")
    world.deny(ORGANISATION, "no-keys", "iam.googleapis.com/serviceAccountKeys.create")
    world.deny(f"projects/{PROJECT}", "no-deletion", "cloudresourcemanager.googleapis.com/projects.delete")
    return world
