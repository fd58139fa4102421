"""Who made a call, as Google Cloud's audit log tells it: `authenticationInfo` to an actor. Pure.

https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog#AuthenticationInfo
"""

from __future__ import annotations

import re

from google.cloud.audit.audit_log_pb2 import AuthenticationInfo  # type: ignore[import-untyped]

from monitor.decode.gcp_catalogue import AGENT_NAME, AGENTS, APIS_AGENT, CLUSTER
from monitor.facts.change import Actor

_DOMAIN = ".gserviceaccount.com"
_FEDERATED = ("principal://", "principalSet://")
# gcloud says of itself which command runs, whether a person answers its questions, and where it runs.
_CONSOLE = re.compile(r"Mozilla/", re.ASCII)
_SHELL = re.compile(r"environment/devshell", re.ASCII)
_INTERACTIVE = re.compile(r"(?:google-cloud-sdk|gcloud)\b.* interactive/True", re.ASCII)


def agent(email: str) -> str:
    """Return whose a caller is where Google Cloud itself acted, or a cluster's own part; empty if it is neither."""
    return email if agent_number(email) or CLUSTER.fullmatch(email) else ""


def agent_number(email: str) -> str:
    """Return the number of the project for which an agent of Google acts; empty for what is none."""
    name, at, domain = email.rpartition("@")
    found = APIS_AGENT.fullmatch(email) or (AGENT_NAME.fullmatch(name) if at and domain in AGENTS else None)
    return found[1] if found else ""


def actor_of(caller: AuthenticationInfo, user_agent: str) -> Actor:
    """Return who acted, in neutral words. A user agent may incriminate, never exculpate.

    Of several who passed a service account on, the first is who began: "the real authority".
    """
    email, subject = caller.principal_email, caller.principal_subject
    if not email and subject.startswith("user:"):
        email = subject.removeprefix("user:")
    origin, person = _origin(caller)
    key = caller.service_account_key_name
    named = email or subject
    kind = _kind(email, subject)
    holder = ""
    if kind == "ServiceAccount" and origin:
        holder = f"{email} through {origin}"
    elif kind == "Federated":
        holder = f"{subject} through its token"
    return Actor(
        kind=kind,
        name=named or "unknown",
        account=agent_number(email) or _project(email),
        principals=_principals(kind, email, subject),
        principal_id=subject,
        access_key=key,
        session_name=origin,
        federated_by=_pool(origin if kind == "ServiceAccount" else subject),
        service=agent(email),
        via=origin,
        on_behalf_of=person,
        human=_human(kind, person, subject if kind == "Federated" else origin, user_agent),
        holder=holder,
    )


def _principals(kind: str, email: str, subject: str) -> tuple[str, ...]:
    """Return what patterns of expected state are matched against: service accounts by their e-mails, users as members."""
    if kind == "User":
        return (f"user:{email}",)
    named = email or (subject if subject.startswith(_FEDERATED) else "")
    return (named,) if named else ()


def _origin(caller: AuthenticationInfo) -> tuple[str, str]:
    """Return who began a delegation, and the person if it is one; both empty where there is none. It can be `[{}]`."""
    for step in caller.service_account_delegation_info:
        email, subject = step.first_party_principal.principal_email, step.principal_subject
        if subject.startswith("user:"):
            email = email or subject.removeprefix("user:")
        if email or subject:
            person = email if email and not email.endswith(_DOMAIN) and "@" in email else ""
            return email or subject, person or (subject if _WORKFORCE in subject else "")
        if step.HasField("third_party_principal"):
            return "a third party", ""
    return ("a third party", "") if caller.HasField("third_party_principal") else ("", "")


_WORKFORCE = "/workforcePools/"
"""People of an identity provider of one's own: https://cloud.google.com/iam/docs/workforce-identity-federation"""


def _kind(email: str, subject: str) -> str:
    if email.startswith("system:"):
        return "ClusterAccount"
    if agent(email):
        return "ServiceAgent"
    if email.endswith(_DOMAIN):
        return "ServiceAccount"
    if "@" in email:
        return "User"
    if subject.startswith(_FEDERATED):
        return "Federated"
    return "unknown"


def _project(email: str) -> str:
    """Return the project that a service account belongs to, as its e-mail tells; empty if it does not."""
    domain = email.rpartition("@")[2]
    return domain.removesuffix(f".iam{_DOMAIN}") if domain.endswith(f".iam{_DOMAIN}") else ""


def _pool(principal: str) -> str:
    """Return the pool that a federated principal is of."""
    if not principal.startswith(_FEDERATED):
        return ""
    return principal.partition("/subject/")[0].partition("://iam.googleapis.com/")[2]


def _human(kind: str, person: str, who: str, user_agent: str) -> str:
    """Return why a person is to be seen behind a call, or nothing."""
    if person:
        return "a user impersonates the service account"
    if _WORKFORCE in who:
        return "a person of the workforce"
    if kind == "User":
        if _CONSOLE.search(user_agent):
            return "user at the console"
        return "user in Cloud Shell" if _SHELL.search(user_agent) else "user"
    if kind in ("ServiceAgent", "ClusterAccount"):
        return ""
    if _CONSOLE.search(user_agent):
        return "console user agent"
    if _SHELL.search(user_agent):
        return "from Cloud Shell"
    return "interactive gcloud" if _INTERACTIVE.search(user_agent) else ""
