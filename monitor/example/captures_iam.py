"""What AWS answers about the example's identities: IAM in the XML of its query protocol, Organizations in JSON 1.1.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_Operations.html
https://docs.aws.amazon.com/organizations/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid5
from xml.sax.saxutils import escape

from monitor.example import cast, identities
from monitor.example.identities import Document

NAMESPACE = "https://iam.amazonaws.com/doc/2010-05-08/"
_SPACE = UUID("6f2d3b1a-0c55-4b39-9c8e-3a1d6f0e7b42")
USED_AT = "2026-03-30T16:20:00Z"
Named = tuple[str, str, dict[str, str], bytes]
"""Operation, scope, parameters and body of one answer."""
_COLUMNS = (
    "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,"
    "mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,"
    "access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,"
    "access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,cert_1_last_rotated,cert_2_active,"
    "cert_2_last_rotated"
)


def answers(accounts: tuple[str, ...]) -> Iterator[Named]:
    """Yield every answer about identities that a sweep of the example asks for."""
    for account in accounts:
        scope = f"aws:{account}:{cast.EAST}"
        yield "iam:GetAccountAuthorizationDetails", scope, {"MaxItems": "1000"}, details(account)
        yield "iam:ListOpenIDConnectProviders", scope, {}, _providers(account)
        if _trusts_tokens(account):
            arn = f"arn:aws:iam::{account}:{identities.PROVIDER}"
            yield "iam:GetOpenIDConnectProvider", scope, {"OpenIDConnectProviderArn": arn}, _provider()
        yield "iam:ListSAMLProviders", scope, {}, _saml(account)
        state = "<State>COMPLETE</State>"
        yield "iam:GenerateCredentialReport", scope, {}, _xml("GenerateCredentialReport", state)
        yield "iam:GetCredentialReport", scope, {}, _report(account)
        for one in (*identities.ROLES[account], *identities.USERS.get(account, ())):
            name = one.get("RoleName", one.get("UserName"))
            if name in identities.USED:
                job = str(uuid5(_SPACE, one["Arn"]))
                asked = {"Arn": one["Arn"], "Granularity": "ACTION_LEVEL"}
                started = _xml("GenerateServiceLastAccessedDetails", f"<JobId>{job}</JobId>")
                yield "iam:GenerateServiceLastAccessedDetails", scope, asked, started
                yield "iam:GetServiceLastAccessedDetails", scope, {"JobId": job}, _used(name, one["Arn"])
        for user in identities.USERS.get(account, ()):
            for kind in ("SSHPublicKeys", "ServiceSpecificCredentials"):
                body = _xml(f"List{kind}", f"<{kind}/><IsTruncated>false</IsTruncated>")
                yield f"iam:List{kind}", scope, {"UserName": user["UserName"]}, body
        yield "organizations:DescribeOrganization", scope, {}, _organization()
    yield from _ceilings(accounts)


def details(account: str) -> bytes:
    """Return the account authorization details: users, roles, and the managed policies that are attached."""
    roles, users = identities.ROLES[account], identities.USERS.get(account, [])
    attached = {one["PolicyArn"] for role in roles for one in role["AttachedManagedPolicies"]}
    parts = [
        "<IsTruncated>false</IsTruncated>",
        _members("UserDetailList", [_entry(user) for user in users]),
        "<GroupDetailList/>",
        _members("RoleDetailList", [_entry(role) for role in roles]),
        _members("Policies", [_managed(arn) for arn in sorted(attached)]),
    ]
    return _xml("GetAccountAuthorizationDetails", "".join(parts))


def _entry(one: Document) -> str:
    """Return a role or user: documents are URL-encoded JSON, lists are of `member`."""
    parts = []
    for name, value in one.items():
        if name.endswith("PolicyDocument"):
            parts.append(_tag(name, _encoded(value)))
        elif isinstance(value, list):
            parts.append(_members(name, [_entry(inner) for inner in value]))
        else:
            parts.append(_tag(name, value))
    return "".join(parts)


def _managed(arn: str) -> str:
    version = "<member>" + "".join(
        (
            _tag("Document", _encoded(identities.MANAGED[arn])),
            _tag("IsDefaultVersion", "true"),
            _tag("VersionId", "v1"),
            _tag("CreateDate", "2015-02-06T18:39:46Z"),
        )
    )
    shown = {
        "PolicyName": arn.rpartition("/")[2],
        "PolicyId": f"ANPAEXAMPLE{len(arn):010d}",
        "Arn": arn,
        "Path": "/",
        "DefaultVersionId": "v1",
        "AttachmentCount": "1",
        "IsAttachable": "true",
    }
    listed = "".join(_tag(name, value) for name, value in shown.items())
    return f"{listed}<PolicyVersionList>{version}</member></PolicyVersionList>"


def _trusts_tokens(account: str) -> bool:
    return identities.PROVIDER in json.dumps(identities.ROLES[account])


def _providers(account: str) -> bytes:
    arns = [f"arn:aws:iam::{account}:{identities.PROVIDER}"] if _trusts_tokens(account) else []
    return _xml("ListOpenIDConnectProviders", _members("OpenIDConnectProviderList", [_tag("Arn", arn) for arn in arns]))


def _provider() -> bytes:
    inner = (
        _tag("Url", cast.ISSUER)
        + f"<ClientIDList><member>{cast.AUDIENCE}</member></ClientIDList>"
        + "<ThumbprintList><member>6938fd4d98bab03faadb97b34396831e3780aea1</member></ThumbprintList>"
        + _tag("CreateDate", identities.CREATED)
    )
    return _xml("GetOpenIDConnectProvider", inner)


def _saml(account: str) -> bytes:
    arn = f"arn:aws:iam::{account}:saml-provider/AWSSSO_example_DO_NOT_DELETE"
    entry = _tag("Arn", arn) + _tag("ValidUntil", "2124-02-11T09:30:00Z") + _tag("CreateDate", identities.CREATED)
    return _xml("ListSAMLProviders", _members("SAMLProviderList", [entry]))


def _report(account: str) -> bytes:
    root = [
        "<root_account>",
        f"arn:aws:iam::{account}:root",
        "2023-05-02T10:00:00+00:00",
        "not_supported",
        "no_information",
    ]
    lines = [
        _COLUMNS,
        ",".join(
            [*root, "not_supported", "not_supported", "true", *["false", *["N/A"] * 4] * 2, *["false", "N/A"] * 2]
        ),
    ]
    for user in identities.USERS.get(account, ()):
        key = ["true", "2025-02-20T11:00:00+00:00", "2026-03-29T02:10:00+00:00", cast.EAST, "s3"]
        start = [user["UserName"], user["Arn"], "2024-01-15T08:00:00+00:00", "false", *["N/A"] * 3, "false"]
        lines.append(",".join([*start, *key, "false", *["N/A"] * 4, *["false", "N/A"] * 2]))
    content = base64.b64encode("\n".join(lines).encode()).decode()
    inner = _tag("Content", content) + _tag("ReportFormat", "text/csv") + _tag("GeneratedTime", "2026-04-01T00:40:00Z")
    return _xml("GetCredentialReport", inner)


def _used(name: str, arn: str) -> bytes:
    entries = []
    for service in sorted((*identities.USED[name], *identities.UNUSED.get(name, ()))):
        used = service in identities.USED[name]
        entry = _tag("ServiceName", service) + _tag("ServiceNamespace", service)
        if used:
            entry += _tag("LastAuthenticated", USED_AT) + _tag("LastAuthenticatedEntity", arn)
            entry += _tag("LastAuthenticatedRegion", cast.EAST)
        entries.append(entry + _tag("TotalAuthenticatedEntities", "1" if used else "0"))
    inner = (
        _tag("JobStatus", "COMPLETED")
        + _tag("JobType", "ACTION_LEVEL")
        + _tag("JobCreationDate", "2026-04-01T00:41:00Z")
        + _tag("JobCompletionDate", "2026-04-01T00:41:02Z")
        + _members("ServicesLastAccessed", entries)
        + _tag("IsTruncated", "false")
    )
    return _xml("GetServiceLastAccessedDetails", inner)


def _organization() -> bytes:
    arn = f"arn:aws:organizations::{identities.MANAGEMENT}:organization/{cast.ORGANISATION}"
    told = {"Id": cast.ORGANISATION, "Arn": arn, "FeatureSet": "ALL", "MasterAccountId": identities.MANAGEMENT}
    return _json({"Organization": told})


def _ceilings(accounts: tuple[str, ...]) -> Iterator[Named]:
    scope = f"aws:{identities.MANAGEMENT}:{cast.EAST}"
    kinds = [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}]
    yield (
        "organizations:ListRoots",
        scope,
        {},
        _json({"Roots": [{"Id": identities.ROOT_ID, "Name": "Root", "PolicyTypes": kinds}]}),
    )
    unit, root = {"Id": identities.UNIT_ID, "Type": "ORGANIZATIONAL_UNIT"}, {"Id": identities.ROOT_ID, "Type": "ROOT"}
    yield "organizations:ListParents", scope, {"ChildId": identities.UNIT_ID}, _json({"Parents": [root]})
    members = [account for account in accounts if account != identities.MANAGEMENT]
    for account in members:
        yield "organizations:ListParents", scope, {"ChildId": account}, _json({"Parents": [unit]})
    for target in (identities.ROOT_ID, identities.UNIT_ID, *members):
        ids = [identities.FULL, *([identities.GUARD] if target == identities.UNIT_ID else [])]
        asked = {"TargetId": target, "Filter": "SERVICE_CONTROL_POLICY"}
        yield "organizations:ListPoliciesForTarget", scope, asked, _json({"Policies": [_summary(one) for one in ids]})
    for one, (_, content) in identities.CEILINGS.items():
        told = {"Policy": {"PolicySummary": _summary(one), "Content": json.dumps(content)}}
        yield "organizations:DescribePolicy", scope, {"PolicyId": one}, _json(told)


def _summary(policy: str) -> dict[str, Any]:
    name = identities.CEILINGS[policy][0]
    return {"Id": policy, "Name": name, "Type": "SERVICE_CONTROL_POLICY", "AwsManaged": policy == identities.FULL}


def _encoded(content: Document) -> str:
    return quote(json.dumps(content, separators=(",", ":")), safe="")


def _tag(name: str, value: Any) -> str:
    return f"<{name}>{escape(str(value))}</{name}>"


def _members(name: str, entries: list[str]) -> str:
    return f"<{name}>{''.join(f'<member>{entry}</member>' for entry in entries)}</{name}>"


def _xml(operation: str, inner: str) -> bytes:
    request = uuid5(_SPACE, operation)
    return (
        f'<{operation}Response xmlns="{NAMESPACE}"><{operation}Result>{inner}</{operation}Result>'
        f"<ResponseMetadata><RequestId>{request}</RequestId></ResponseMetadata></{operation}Response>"
    ).encode()


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
