"""An account's authorization details, as IAM gives them, to identities with their policies and trust. Pure.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html

Documents may be objects, JSON, or URL-encoded JSON; times may be texts or what boto3 makes of them. What is missing or cannot be
read is Unknown; nothing is left out, so that a broken entry cannot hide an identity.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from monitor.decode.aws_iam_credentials import last_accessed
from monitor.decode.aws_iam_details import ASK, Details, several, text
from monitor.decode.aws_trust import OidcProvider, Providers
from monitor.errors import Malformed
from monitor.facts.identity import Identity
from monitor.facts.policy import Policy
from monitor.model import EvidenceRef, Unknown

__all__ = ["LISTS", "OidcProvider", "authorization", "last_accessed", "oidc_provider", "one"]
LISTS = ("RoleDetailList", "UserDetailList", "GroupDetailList", "Policies")
Levels = tuple[tuple[Policy, ...], ...] | Unknown


def authorization(
    body: object,
    account: str,
    at: datetime,
    providers: Providers,
    ceilings: Levels = (),
    resource_ceilings: Levels = (),
    evidence: tuple[EvidenceRef, ...] = (),
) -> tuple[Identity, ...]:
    """Return the roles and users of account authorization details: one answer, its pages merged, or a list of its pages.

    `providers` are the account's OIDC providers; `ceilings` and `resource_ceilings` what its organisation sets. Groups are part
    of their users. Raises Malformed if the body is no object.
    """
    details = Details(_merged(body), account, at, providers, evidence)
    return tuple(
        identity if "/aws-service-role/" in identity.name  # no such policy binds them
        # https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html
        else msgspec.structs.replace(identity, ceilings=ceilings, resource_ceilings=resource_ceilings)
        for identity in details.identities()
    )  # fmt: skip


def one(document: object, at: datetime) -> tuple[Identity, ...]:
    """Return what a saved document tells of: a role, user, group or managed policy; or all of account authorization details.

    An entry may be wrapped as the CLI prints it ({"Role": …}). Raises Malformed if it is none of these.
    """
    if not isinstance(document, dict):
        raise Malformed("the document is no object", todo="give account authorization details, or one entry of them")
    if any(name in document for name in LISTS):
        return tuple(
            msgspec.structs.replace(found, document=True)
            for found in authorization(document, "", at, Unknown("the document tells no identity providers"))
        )
    for wrapper in ("Role", "User", "Group", "Policy", "PolicyVersion"):
        if isinstance(document.get(wrapper), dict):
            document = {**document[wrapper], **{name: document[name] for name in document if name != wrapper}}
    unread = Unknown("the document tells no identity providers")
    details = Details({}, "", at, unread, ())
    for kind, marks in _MARKS.items():
        if any(name in document for name in marks):
            return (msgspec.structs.replace(details.identity(kind, document, "document"), document=True),)
    raise Malformed("the document is no role, user, group or managed policy", todo=f"give an entry of {ASK}")


_MARKS = {
    "role": ("RoleName", "RoleId", "AssumeRolePolicyDocument", "RolePolicyList"),
    "user": ("UserName", "UserId", "UserPolicyList"),
    "group": ("GroupName", "GroupId", "GroupPolicyList"),
    "policy": ("PolicyName", "PolicyId", "PolicyVersionList", "Document"),
}


def oidc_provider(answer: object, arn: str) -> OidcProvider:
    """Return the provider of an answer to GetOpenIDConnectProvider, which does not repeat its ARN.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetOpenIDConnectProvider.html
    """
    found = answer if isinstance(answer, Mapping) else {}
    clients = found.get("ClientIDList")
    told = isinstance(clients, list) and all(isinstance(one, str) for one in clients)
    url = text(found.get("Url"))
    return OidcProvider(
        arn=arn,
        issuer=url.removeprefix("https://") or arn.partition(":oidc-provider/")[2],
        client_ids=tuple(clients)
        if told and isinstance(clients, list)
        else Unknown("AWS told none", "iam:GetOpenIDConnectProvider"),
    )


def _merged(body: object) -> Mapping[str, Any]:
    pages: list[Any] = body if isinstance(body, list) else [body]
    if not pages or not all(isinstance(page, Mapping) for page in pages):
        raise Malformed("account authorization details are no object", todo=f"read {ASK} again")
    if len(pages) == 1:
        return dict(pages[0])
    return {name: [entry for page in pages for entry in several(page.get(name))] for name in LISTS}
