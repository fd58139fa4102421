"""Whether the issuing of credentials is logged in a project, by the audit configs of its allow policy and of those above. Pure.

https://cloud.google.com/iam/docs/reference/rest/Shared.Types/Policy (AuditConfig, AuditLogConfig: for a service, the configs of
all services and of itself are joined, the log types and the exempted members both) and, for inheritance from above, which
nothing below can switch off: https://cloud.google.com/logging/docs/audit/configure-data-access
"""

from __future__ import annotations

from collections.abc import Mapping

from monitor.decode.github_wire import objects, text
from monitor.model import Unknown

ALL_SERVICES = "allServices"
ISSUERS = {"sts.googleapis.com": ("ADMIN_READ",), "iam.googleapis.com": ("ADMIN_READ", "DATA_READ")}
"""The services that issue credentials, and the log types that show all of it.

ExchangeToken is ADMIN_READ: https://cloud.google.com/iam/docs/audit-logging/audit-logging-sts
GenerateAccessToken is of iamcredentials.googleapis.com, which is not configured by itself but with iam.googleapis.com:
https://docs.cloud.google.com/iam/docs/audit-logging/audit-logging-iamcreds. That page has had it as ADMIN_READ, as
https://cloud.google.com/iam/docs/audit-logging/examples-workload-identity still does, and as DATA_READ: only both are sure.
"""
_READ_ANEW = "see the captured bytes; report it if it stays"


def issuing(
    policies: Mapping[str, object], broken: Unknown | None
) -> tuple[tuple[str, ...] | Unknown, tuple[str, ...], tuple[str, ...] | Unknown]:
    """Return the services whose issuing is logged, those whose is not, and who is exempted (`member: log type of service at …`).

    `policies` are allow policies by place, each maybe Unknown; `broken` says why there may be more above. What is logged by
    any of them is logged; that something is not takes all of them.
    """
    on: set[tuple[str, str]] = set()
    exempted: set[str] = set()
    unread = [broken] if broken else []
    for place, policy in policies.items():
        lacking = _read(place, policy, on, exempted)
        unread += [lacking] if lacking else []
    whole: list[str] = []
    without: list[str] = []
    doubts = list(unread)
    for service, kinds in ISSUERS.items():
        lacking_kinds = [kind for kind in kinds if not {(service, kind), (ALL_SERVICES, kind)} & on]
        if not lacking_kinds:
            whole.append(service)
        elif unread:
            continue
        elif len(lacking_kinds) == len(kinds):
            without.append(service)
        else:
            lack = ", ".join(lacking_kinds)
            doubts.append(Unknown(f"{service} is logged without {lack}", f"log {lack} of {service} as well"))
    members = tuple(sorted(exempted))
    known = len(whole) + len(without) == len(ISSUERS)
    return (
        tuple(whole) if known else doubts[0],
        tuple(without),
        members if members or not unread else unread[0],
    )


def _read(place: str, policy: object, on: set[tuple[str, str]], exempted: set[str]) -> Unknown | None:
    """Add what a policy switches on and whom it exempts; return why it could not be read."""
    if isinstance(policy, Unknown):
        return policy
    configs = policy.get("auditConfigs") if isinstance(policy, dict) else 0
    if not isinstance(configs, list | None):
        return Unknown(f"the audit configs of {place} cannot be read", _READ_ANEW)
    for config in objects(configs):
        service = text(config.get("service"))
        for one in objects(config.get("auditLogConfigs")):
            kind = text(one.get("logType"))
            if not any(service in (ALL_SERVICES, name) and kind in kinds for name, kinds in ISSUERS.items()):
                continue
            on.add((service, kind))
            members = one.get("exemptedMembers")
            if not isinstance(members, list | None) or not all(isinstance(member, str) for member in members or ()):
                return Unknown(f"whom the audit configs of {place} exempt cannot be read", _READ_ANEW)
            exempted |= {f"{member[:200]}: {kind} of {service} at {place}" for member in members or ()}
    return None
