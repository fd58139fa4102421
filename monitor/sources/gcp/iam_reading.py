"""One project's service accounts: who there is and what bears on them, with each failure in the field that it leaves unknown.

Needs in each project: resourcemanager.projects.get, iam.serviceAccounts.list, iam.serviceAccounts.getIamPolicy,
iam.serviceAccountKeys.list, iam.workloadIdentityPools.list, iam.workloadIdentityPoolProviders.list; and what iam_places says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial

import msgspec

from monitor.decode.gcp_iam import ProjectMaterial, identities
from monitor.errors import Denied, Malformed, SourceError, Throttled
from monitor.facts.identity import Identity, IdentityList
from monitor.facts.policy import Policy
from monitor.model import CoverageStatus, EvidenceRef, ScopeCoverage, Unknown
from monitor.sources.gcp import calls
from monitor.sources.gcp.iam_asking import Failures, Questions, Reply, grant, unknown
from monitor.sources.gcp.iam_places import Above, Place, Places
from monitor.sources.gcp.wire import SOURCE
from monitor.sources.ports import Progress

PROVIDER = "gcp"
HIGHER = "all that is above"
"""The name of the ancestors that are not known, among the policies of those that are."""


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of one project. `whole`: its service accounts were listed to the end."""

    listing: IdentityList
    identities: tuple[Identity, ...]
    coverage: ScopeCoverage
    whole: bool


class _Account(msgspec.Struct, frozen=True, kw_only=True):
    email: str
    policy: Reply
    keys: Reply

    @property
    def gone(self) -> bool:
        return self.policy.missing and self.keys.missing


class Reader:
    """Reads projects one after the other; `workers` requests for a project's service accounts are under way at once."""

    def __init__(self, questions: Questions, at: datetime, workers: int, progress: Progress) -> None:
        self._questions = questions
        self._places = Places(questions)
        self._at = at
        self._workers = max(1, workers)
        self._progress = progress

    def project(self, project: str) -> Project:
        """Return a project's service accounts. Never raises for what Google Cloud does."""
        scope = f"{PROVIDER}:{project}"
        failures = Failures()
        what = self._questions.ask(partial(calls.place, f"projects/{project}", scope))
        here = self._places.place(f"projects/{project}", scope)
        above = self._above(what, scope)
        failures.note((what.error, *here.errors, *above.errors, *(e for one in above.places for e in one.errors)))
        listed = self._questions.pages(partial(calls.accounts, project, scope), calls.ACCOUNTS)
        pages = {_text(one, "email"): ref for entries, ref in listed.pages for one in entries}
        emails = tuple(sorted(email for email in pages if email))
        nameless = Malformed(f"a service account of {project} is listed without its e-mail", source=SOURCE, scope=scope)
        unlisted = listed.error or (nameless if "" in pages else None)
        failures.note([unlisted])
        read = self._accounts(project, emails, scope)
        gone = {one.email for one in read if one.gone}
        failures.note(error for one in read if not one.gone for error in (one.policy.error, one.keys.error))
        pools, providers, federation = self._pools(project, scope, failures)
        material = ProjectMaterial(
            project=project,
            at=self._at,
            number=_number(what),
            policy=here.policy,
            ancestors=_ancestors(above),
            denies=_denies([here, *above.places], above.broken),
            accounts=tuple(one for one in listed.entries if _text(one, "email") not in gone),
            account_policies={one.email: one.policy.body for one in read},
            keys={one.email: _keys(one.keys) for one in read},
            pools=pools,
            providers=providers,
            evidence=(
                *what.evidence,
                *here.evidence,
                *above.evidence,
                *(ref for one in above.places for ref in one.evidence),
                *federation,
            ),
            account_evidence={one.email: (pages[one.email], *one.policy.evidence, *one.keys.evidence) for one in read},
        )
        material, roles = self._with_roles(material, scope, failures)
        found = _cited(identities(material), roles, {one.email: one.policy.evidence for one in read}, project)
        return Project(
            listing=self._listing(project, found, unlisted, listed.evidence),
            identities=found,
            coverage=_coverage(scope, failures, unlisted, {"identities": len(found), "gone": len(gone)}),
            whole=unlisted is None,
        )

    def _above(self, what: Reply, scope: str) -> Above:
        if what.content is None:
            return Above(broken=unknown(what.error))
        # A project outside of any organisation has no parent.
        return self._places.above(what.content.get("parent"), scope)

    def _accounts(self, project: str, emails: tuple[str, ...], scope: str) -> tuple[_Account, ...]:
        step = f"reading service accounts of {project}"
        found: list[_Account] = []
        with ThreadPoolExecutor(max_workers=self._workers, thread_name_prefix="gcp") as pool:
            for one in pool.map(lambda email: self._account(project, email, scope), emails):
                found.append(one)
                self._progress(step, len(found), len(emails))
        return tuple(found)

    def _account(self, project: str, email: str, scope: str) -> _Account:
        return _Account(
            email=email,
            policy=self._questions.ask(partial(calls.account_policy, project, email, scope), calls.BINDINGS),
            keys=self._questions.ask(partial(calls.keys, project, email, scope), calls.KEYS),
        )

    def _pools(
        self, project: str, scope: str, failures: Failures
    ) -> tuple[tuple[object, ...] | Unknown, Mapping[str, tuple[object, ...] | Unknown], tuple[EvidenceRef, ...]]:
        listed = self._questions.pages(partial(calls.pools, project, scope), calls.POOLS)
        failures.note([listed.error])
        evidence = [*listed.evidence]
        found: dict[str, tuple[object, ...] | Unknown] = {}
        for name in dict.fromkeys(_text(one, "name") for one in listed.entries):
            inside = self._questions.pages(partial(calls.providers, project, name, scope), calls.PROVIDERS)
            failures.note([inside.error])
            evidence += inside.evidence
            found[name] = unknown(inside.error) if inside.error else inside.entries
        return (unknown(listed.error) if listed.error else listed.entries), found, tuple(evidence)

    def _with_roles(
        self, material: ProjectMaterial, scope: str, failures: Failures
    ) -> tuple[ProjectMaterial, Mapping[str, tuple[EvidenceRef, ...]]]:
        read = {name: self._places.role(name, scope) for name in material.roles_needed()}
        failures.note(one.error for one in read.values())
        roles = {name: one.body for name, one in read.items()}
        return msgspec.structs.replace(material, roles=roles), {name: one.evidence for name, one in read.items()}

    def _listing(
        self,
        project: str,
        found: tuple[Identity, ...],
        error: SourceError | None,
        evidence: tuple[EvidenceRef, ...],
    ) -> IdentityList:
        ids: tuple[str, ...] | Unknown = unknown(error) if error else tuple(sorted(one.id for one in found))
        return IdentityList(provider=PROVIDER, account=project, at=self._at, ids=ids, evidence=evidence)


def _text(one: object, field: str) -> str:
    found = one.get(field) if isinstance(one, dict) else None
    return found if isinstance(found, str) else ""


def _number(what: Reply) -> str:
    """Return a project's number: its name is `projects/415104041262`, whatever it was asked by."""
    number = _text(what.content, "name").removeprefix("projects/")
    return number if number.isascii() and number.isdigit() else ""


def _ancestors(above: Above) -> Mapping[str, object] | Unknown:
    if above.broken and not above.places:
        return above.broken
    found: dict[str, object] = {one.name: one.policy for one in above.places}
    return {**found, f"{HIGHER} {above.places[-1].name}": above.broken} if above.broken else found


def _denies(places: list[Place], broken: Unknown | None) -> tuple[object, ...] | Unknown:
    """Return the deny policies of all places; Unknown if there may be others than those that were read."""
    found: list[object] = []
    for one in places:
        if isinstance(one.denies, Unknown):
            return one.denies
        found += one.denies
    return broken or tuple(found)


def _keys(reply: Reply) -> tuple[object, ...] | Unknown:
    if reply.content is None:
        return unknown(reply.error)
    return tuple(reply.content.get(calls.KEYS) or ())


def _cited(
    found: tuple[Identity, ...],
    roles: Mapping[str, tuple[EvidenceRef, ...]],
    own: Mapping[str, tuple[EvidenceRef, ...]],
    project: str,
) -> tuple[Identity, ...]:
    """Return the identities, each with the captures of the roles that it holds, and of other accounts' policies that bind it."""
    start = f"projects/{project}/serviceAccounts/"
    return tuple(
        msgspec.structs.replace(
            one,
            evidence=tuple(
                dict.fromkeys(
                    (
                        *one.evidence,
                        *(ref for policy in _policies(one) for ref in roles.get(policy.name, ())),
                        *(ref for where in _where(one) for ref in own.get(where.removeprefix(start), ())),
                    )
                )
            ),
        )
        for one in found
    )


def _policies(one: Identity) -> tuple[Policy, ...]:
    return one.policies if isinstance(one.policies, tuple) else ()


def _where(one: Identity) -> Iterator[str]:
    for policy in _policies(one):
        if isinstance(policy.statements, tuple):
            yield from (statement.sid for statement in policy.statements)


def _coverage(scope: str, failures: Failures, unlisted: SourceError | None, counts: dict[str, int]) -> ScopeCoverage:
    errors = failures.all
    status = CoverageStatus.PARTIAL if errors else CoverageStatus.COMPLETE
    if not counts["identities"] and isinstance(unlisted, Denied):
        status = CoverageStatus.DENIED
    elif any(isinstance(one, Throttled) for one in errors):
        status = CoverageStatus.THROTTLED
    first = unlisted or (errors[0] if errors else None)
    return ScopeCoverage(
        scope=scope,
        source=SOURCE,
        status=status,
        reason=first.what if first else "",
        grant=", ".join(dict.fromkeys(grant(one) for one in errors if isinstance(one, Denied))),
        counts={**counts, "failed": len(errors)},
        gaps=tuple(one.what for one in errors),
    )
