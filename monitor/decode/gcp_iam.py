"""Google Cloud's service accounts as identities: with the roles bound to them, who can become them, and their keys. Pure.

https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts (accounts, getIamPolicy)
https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts.keys (keys)
https://cloud.google.com/resource-manager/reference/rest/v3/projects (getIamPolicy; folders and organizations likewise)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from monitor.decode.gcp_deny import denies
from monitor.decode.gcp_documents import policy_document, provider_document, role_document
from monitor.decode.gcp_policy import Account, Binding, Role, bindings, policies, role, roles_of
from monitor.decode.gcp_pools import Pools
from monitor.decode.gcp_trust import paths, unread
from monitor.decode.github_wire import dig, moment, objects, text
from monitor.facts.identity import Credential, Identity
from monitor.facts.policy import Policy
from monitor.facts.trust import TrustPath
from monitor.model import EvidenceRef, Unknown

__all__ = ["ProjectMaterial", "credentials", "identities", "policy_document", "provider_document", "role_document"]
READING_POLICY = "iam.serviceAccounts.getIamPolicy"
READING_KEYS = "iam.serviceAccountKeys.list"
_USE = Unknown(
    "when the key was last used was not read", "policyanalyzer.serviceAccountKeyLastAuthenticationActivities.query"
)


class ProjectMaterial(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of one project at `at` (UTC): parsed JSON as the APIs answer, or Unknown where it could not be read.

    `number` is the project's number; without it its pools cannot be told from others'. `ancestors` are the policies of all
    folders and the organisation above (`folders/2`, `organizations/1`). `denies` are the deny policies of the project and of
    all above, each as policies.get answers. `roles` are the roles by name, as roles.get answers; `roles_needed` names them.
    `accounts` are all pages of serviceAccounts.list, one after the other; `account_policies` and `keys` are by e-mail.
    `pools` are those of workloadIdentityPools.list; `providers` those of each pool, by the pool's name.
    `evidence` is cited by every identity, `account_evidence` (by e-mail) by one.
    """

    project: str
    at: datetime
    number: str = ""
    policy: object = None
    ancestors: Mapping[str, object] | Unknown = {}
    denies: tuple[object, ...] | Unknown = ()
    roles: Mapping[str, object] = {}
    accounts: tuple[object, ...] | Unknown = ()
    account_policies: Mapping[str, object] = {}
    keys: Mapping[str, tuple[object, ...] | Unknown] = {}
    pools: tuple[object, ...] | Unknown = ()
    providers: Mapping[str, tuple[object, ...] | Unknown] | Unknown = {}
    evidence: tuple[EvidenceRef, ...] = ()
    account_evidence: Mapping[str, tuple[EvidenceRef, ...]] = {}

    def roles_needed(self) -> tuple[str, ...]:
        """Return the names of all roles that any of the policies binds, sorted."""
        own = (bindings(policy, _account_name(self.project, email)) for email, policy in self.account_policies.items())
        return roles_of([*_above(self).values(), *own])


def identities(project: ProjectMaterial) -> tuple[Identity, ...]:
    """Return the project's service accounts, in the order of their names; none where they could not be listed.

    An account that lacks its e-mail is left out. Never raises.
    """
    if isinstance(project.accounts, Unknown):
        return ()
    found = {text(one.get("email")): one for one in objects(list(project.accounts)) if text(one.get("email"))}
    reader = _Reader(project, tuple(found))
    return tuple(reader.identity(email, found[email]) for email in sorted(found))


class _Reader:
    """Holds what is the same for all service accounts of a project, read once."""

    def __init__(self, project: ProjectMaterial, emails: tuple[str, ...]) -> None:
        self.project = project
        self.roles: Mapping[str, Role] = {name: role(body, name) for name, body in project.roles.items()}
        self.pools = Pools(project.number, project.pools, project.providers)
        self.above = _above(project)
        self.own = {email: _own(project, email) for email in emails}
        places = [project.project, project.number] if project.number else [project.project]
        higher = () if isinstance(project.ancestors, Unknown) else project.ancestors
        self.places = (*(f"projects/{one}" for one in places), *higher)
        self.inherited = tuple(
            path for where, some in self.above.items() for path in self.paths(where, some)
        )  # the same for all accounts
        self.general: dict[str, tuple[Binding, ...] | Unknown] = {}
        self.named: dict[str, dict[str, list[Binding]]] = {}
        self.index()

    def paths(self, where: str, found: tuple[Binding, ...] | Unknown) -> tuple[TrustPath, ...]:
        if isinstance(found, Unknown):
            return (unread(where, found),)
        return paths(found, self.roles, self.pools, self.project.at)

    def identity(self, email: str, body: dict[str, object]) -> Identity:
        project = self.project
        account = Account(email=email, places=self.places)
        own_name = _account_name(project.project, email)
        trust = (*self.paths(own_name, self.own[email]), *self.inherited)
        denied: tuple[Policy, ...] = ()
        if not isinstance(project.denies, Unknown):
            denied = denies(account, project.denies)
        return Identity(
            provider="gcp",
            account=project.project,
            id=text(body.get("uniqueId")) or email,
            name=email,
            kind="service-account",
            at=project.at,
            disabled=body.get("disabled") is True,
            policies=(*self.bound(account), *denied),
            # A deny policy that could not be read may narrow what it can do, as a ceiling does.
            ceilings=project.denies if isinstance(project.denies, Unknown) else (),
            trust=tuple(dict.fromkeys(path for path in trust if not _itself(path, email))),
            credentials=credentials(project.keys.get(email), project.at),
            evidence=(*project.evidence, *project.account_evidence.get(email, ())),
        )

    def bound(self, account: Account) -> tuple[Policy, ...]:
        mine = self.named.get(account.email.lower(), {})
        sources = {
            where: _together(self.general.get(where, ()), mine.get(where, ())) for where in (*self.general, *mine)
        }
        return policies(account, sources, self.roles, self.project.at)

    def index(self) -> None:
        """Sort all bindings by whom they name, so that each account meets its own and the general ones only."""
        # What other accounts' policies bind to this one is a right of it; those that could not be read are those accounts'
        # own trouble, or each would make every other unclear.
        own = {
            _account_name(self.project.project, email): some
            for email, some in self.own.items()
            if not isinstance(some, Unknown)
        }
        for where, some in (*self.above.items(), *own.items()):
            if isinstance(some, Unknown):
                self.general[where] = some
                continue
            general = tuple(one for one in some if one.unread or not all(map(_names_one, one.members)))
            if general:
                self.general[where] = general
            for binding in some:
                for name in {member.partition(":")[2].lower() for member in binding.members if _names_one(member)}:
                    self.named.setdefault(name, {}).setdefault(where, []).append(binding)


def _names_one(member: str) -> bool:
    return member.startswith(("serviceAccount:", "user:", "group:", "domain:", "deleted:"))


def _together(general: Iterable[Binding] | Unknown, named: Iterable[Binding]) -> tuple[Binding, ...] | Unknown:
    if isinstance(general, Unknown):
        return general
    return tuple(sorted({one.n: one for one in (*general, *named)}.values(), key=lambda one: one.n))


def _itself(path: TrustPath, email: str) -> bool:
    return path.kind == "identity" and path.principal.lower() == email.lower()


def _account_name(project: str, email: str) -> str:
    return f"projects/{project}/serviceAccounts/{email}"


def _above(project: ProjectMaterial) -> dict[str, tuple[Binding, ...] | Unknown]:
    """Return the bindings that hold for every service account of the project, by place."""
    where = f"projects/{project.project}"
    found = {where: bindings(_known(project.policy, where, "resourcemanager.projects.getIamPolicy"), where)}
    if isinstance(project.ancestors, Unknown):
        return {**found, "the folders and the organisation above": project.ancestors}
    for place, policy in project.ancestors.items():
        grant = f"resourcemanager.{place.partition('/')[0]}.getIamPolicy"
        found[place] = bindings(_known(policy, place, grant), place)
    return found


def _own(project: ProjectMaterial, email: str) -> tuple[Binding, ...] | Unknown:
    where = _account_name(project.project, email)
    return bindings(_known(project.account_policies.get(email), where, READING_POLICY), where)


def _known(policy: object, where: str, grant: str) -> object:
    return Unknown(f"the policy of {where} was not read", grant) if policy is None else policy


def credentials(listed: Iterable[object] | Unknown | None, at: datetime) -> tuple[Credential, ...] | Unknown:
    """Return the keys that people keep, from the answers of keys.list; Google's own rotate by themselves and are left out."""
    if listed is None:
        return Unknown("the account's keys were not read", READING_KEYS)
    if isinstance(listed, Unknown):
        return listed
    found = list(listed)
    if not all(text(dig(one, "name")) for one in found):
        return Unknown("the account's keys cannot be read", READING_KEYS)
    made = (_key(one, at) for one in objects(found) if one.get("keyType") != "SYSTEM_MANAGED")
    return tuple(sorted(made, key=lambda one: (one.id, str(one))))  # fields that are Unknown have no order


def _key(body: dict[str, object], at: datetime) -> Credential:
    disabled, until = body.get("disabled"), moment(body.get("validBeforeTime"))
    active: bool | Unknown = not disabled
    if disabled is not None and not isinstance(disabled, bool):
        active = Unknown("whether the key is disabled cannot be read", READING_KEYS)
    elif until is not None and until <= at:
        active = False
    return Credential(
        kind="service-account-key",
        id=text(body.get("name")).rpartition("/")[2],
        active=active,
        created_at=moment(body.get("validAfterTime")) or Unknown("when the key was made cannot be read", READING_KEYS),
        used_at=_USE,
    )
