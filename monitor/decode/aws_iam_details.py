"""The entries of authorization details: roles, users, groups, and the managed policies that they refer to. Pure, total.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from monitor.decode.aws_iam_credentials import moment
from monitor.decode.aws_policy import policy, written
from monitor.decode.aws_trust import Providers, trust_paths
from monitor.facts.identity import Identity, Use
from monitor.facts.policy import Policy
from monitor.facts.trust import TrustPath
from monitor.model import EvidenceRef, Unknown

NO_ACCOUNT = "unknown"
"""The account of a saved document that names none."""
ASK = "iam:GetAccountAuthorizationDetails"
_ANYTHING = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
_KNOWN = {"AdministratorAccess": _ANYTHING}
"""AWS's own policies whose document is told in their documentation and is short enough to be known here.
https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AdministratorAccess.html"""
_UNREAD_REPORT = Unknown("the credential report was not read", "iam:GenerateCredentialReport, iam:GetCredentialReport")
_UNREAD_USES = Unknown("what it used was not read", "iam:GenerateServiceLastAccessedDetails")


class Details:
    """The lists of one account, and what is known of its policies by then; each document is read once."""

    def __init__(
        self,
        body: Mapping[str, Any],
        account: str,
        at: datetime,
        providers: Providers,
        evidence: tuple[EvidenceRef, ...],
    ) -> None:
        self._body = body
        self._account = account
        self._at = at
        self._providers = providers
        self._evidence = evidence
        self._documents = {arn: entry for entry in listing(body.get("Policies")) if (arn := text(_get(entry, "Arn")))}
        self._groups = {
            name: entry for entry in listing(body.get("GroupDetailList")) if (name := text(_get(entry, "GroupName")))
        }
        self._policies: dict[tuple[str, str], Policy] = {}
        self._trusts: dict[tuple[bytes, str], tuple[TrustPath, ...] | Unknown] = {}

    def identities(self) -> Iterator[Identity]:
        """Yield the roles, then the users. What should be a list and is none is one identity that is not known."""
        for kind, name in (("role", "RoleDetailList"), ("user", "UserDetailList")):
            listed = self._body.get(name)
            if listed is not None and not isinstance(listed, list):
                yield self.identity(kind, listed, name)
            for n, entry in enumerate(listing(listed), 1):
                yield self.identity(kind, entry, f"{name}[{n}]")

    def identity(self, kind: str, entry: object, place: str) -> Identity:
        """Return the identity of one entry; `place` names it where it has no name of its own."""
        noun = kind.capitalize()
        arn = text(_get(entry, "Arn"))
        account = self._account or _account_of(arn) or NO_ACCOUNT
        short = text(_get(entry, f"{noun}Name")) or place
        path = text(_get(entry, "Path")) or "/"
        last = _get(entry, "RoleLastUsed")
        return Identity(
            provider="aws",
            account=account,
            id=text(_get(entry, f"{noun}Id")) or arn or short,
            name=arn or f"arn:aws:iam::{account}:{kind}{path}{short}",
            kind=kind,
            at=self._at,
            created_at=moment(_get(entry, "CreateDate")),
            policies=(self._managed_entry(entry),) if kind == "policy" else self._policies_of(kind, entry),
            boundary=self._boundary(entry),
            trust=self._trust(entry, account) if kind == "role" else (),
            credentials=_UNREAD_REPORT if kind == "user" else (),
            mfa=_UNREAD_REPORT if kind == "user" else None,
            uses=_last_used(last) if isinstance(last, Mapping) else _UNREAD_USES,
            evidence=self._evidence,
        )

    def _policies_of(self, kind: str, entry: object) -> tuple[Policy, ...] | Unknown:
        noun = kind.capitalize()
        inline, attached = _get(entry, f"{noun}PolicyList"), _get(entry, "AttachedManagedPolicies")
        # IAM leaves a list out where it is empty, but never both.
        if inline is None and attached is None:
            return Unknown(f"the entry of the {kind} lists no policies", ASK)
        group = text(_get(entry, "GroupName")) if kind == "group" else ""
        found = [*self._inline(inline, group), *self._attached(attached, "group" if group else "")]
        if kind == "user":
            groups = _get(entry, "GroupList")
            found += [one for name in several(groups) for one in self._of_group(name)]
        return tuple(found)

    def _of_group(self, name: object) -> Iterator[Policy]:
        entry = self._groups.get(text(name))
        found = self._policies_of("group", entry) if entry is not None else Unknown("the group was not read", ASK)
        if isinstance(found, Unknown):
            yield Policy(name=text(name) or "a group without a name", kind="group", statements=found)
        else:
            yield from found

    def _inline(self, listed: object, group: str) -> Iterator[Policy]:
        for entry in several(listed):
            name = text(_get(entry, "PolicyName")) or "an inline policy without a name"
            document = _get(entry, "PolicyDocument")
            yield policy(document, f"{group}/{name}" if group else name, "group" if group else "inline")

    def _attached(self, listed: object, kind: str) -> Iterator[Policy]:
        for entry in several(listed):
            arn = text(_get(entry, "PolicyArn")) or text(_get(entry, "PolicyName"))
            yield self._managed(arn or "a managed policy without a name", kind)

    def _managed(self, arn: str, kind: str) -> Policy:
        """Return a managed policy by its ARN; `kind` is what it is to the identity, if not just attached to it."""
        ours = kind or ("provider-managed" if arn.split(":")[4:5] == ["aws"] else "managed")
        key = (arn, ours)
        if key not in self._policies:
            self._policies[key] = _default_version(arn, ours, self._documents.get(arn))
        return self._policies[key]

    def _managed_entry(self, entry: object) -> Policy:
        arn = text(_get(entry, "Arn")) or text(_get(entry, "PolicyName")) or "document"
        return _default_version(arn, "managed", entry)

    def _boundary(self, entry: object) -> Policy | Unknown | None:
        told = _get(entry, "PermissionsBoundary")
        if told is None:
            return None if isinstance(entry, Mapping) else Unknown("the entry cannot be read", ASK)
        arn = text(_get(told, "PermissionsBoundaryArn"))
        if not arn:
            return Unknown("the permissions boundary cannot be read", ASK)
        found = self._managed(arn, "boundary")
        if isinstance(found.statements, Unknown):
            return Unknown(f"the permissions boundary {arn}: {found.statements.reason}", found.statements.grant)
        return found

    def _trust(self, entry: object, account: str) -> tuple[TrustPath, ...] | Unknown:
        document = _get(entry, "AssumeRolePolicyDocument")
        if document is None:
            return Unknown("the entry has no trust policy", ASK)
        found = written(document)
        if isinstance(found, Unknown):
            return found
        key = (found, account)
        if key not in self._trusts:
            self._trusts[key] = trust_paths(document, self._providers, account)
        return self._trusts[key]


def _default_version(arn: str, kind: str, entry: object) -> Policy:
    versions = several(_get(entry, "PolicyVersionList"))
    wanted = _get(entry, "DefaultVersionId")
    document = next((_get(one, "Document") for one in versions if _get(one, "IsDefaultVersion") is True), None)
    if document is None and wanted is not None:
        document = next((_get(one, "Document") for one in versions if _get(one, "VersionId") == wanted), None)
    if document is None:
        document = _get(entry, "Document")  # of GetPolicyVersion, or of a policy saved by itself
    if document is None and arn.split(":")[4:5] == ["aws"]:
        document = _KNOWN.get(arn.rpartition("/")[2])
    if document is None:
        unread = Unknown(f"the document of {arn} is not in the answer", f"{ASK}, iam:GetPolicyVersion")
        return Policy(name=arn, kind=kind, statements=unread)
    return policy(document, arn, kind)


def _last_used(told: Mapping[str, Any]) -> tuple[Use, ...] | Unknown:
    if told.get("LastUsedDate") is None:
        return (Use(service=""),)
    at = moment(told["LastUsedDate"])
    return (Use(service="", at=at),) if at else Unknown("the role's last use is no time", ASK)


def _account_of(arn: str) -> str:
    part = arn.split(":")[4:5]
    return part[0] if part and len(part[0]) == 12 and part[0].isascii() and part[0].isdigit() else ""


def _get(entry: object, name: str) -> Any:
    return entry.get(name) if isinstance(entry, Mapping) else None


def text(value: object) -> str:
    """Return the value if it is a text, else an empty one."""
    return value if isinstance(value, str) else ""


def listing(value: object) -> list[Any]:
    """Return the value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def several(value: object) -> list[Any]:
    """Return the items of a list; what should be one and is not counts as one item that cannot be read."""
    return [] if value is None else value if isinstance(value, list) else [value]
