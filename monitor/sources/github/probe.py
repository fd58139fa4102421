"""Probes of GitHub: each permission of config/access/github-app-manifest.json.

Of an app its installation tells what it may; of a token nobody does, so each endpoint is asked once.
https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec

from monitor.errors import SourceError
from monitor.sources.github.access import Access
from monitor.sources.github.client import GitHub, GitHubConnection, connect
from monitor.sources.github.transport import address
from monitor.sources.probe import SECONDS, Probed, State, failed, kept, reached

AUDIT_LOG_DAYS = 180
"""https://docs.github.com/en/organizations/keeping-your-organization-secure/managing-security-settings-for-your-organization/reviewing-the-audit-log-for-your-organization"""
_ONE = {"per_page": "1"}
_QUERY = """query($organization: String!) { organization(login: $organization) {
repositories(first: 1, isArchived: false, orderBy: {field: PUSHED_AT, direction: DESC}) {
totalCount nodes { nameWithOwner environments(first: 1) { nodes { name } } } } } }"""
_AUDIT = "organization_administration:read"


class _Name(msgspec.Struct):
    name: str


class _Names(msgspec.Struct):
    nodes: list[_Name] = []


class _Repository(msgspec.Struct, rename="camel"):
    name_with_owner: str
    environments: _Names = msgspec.field(default_factory=_Names)


class _Repositories(msgspec.Struct, rename="camel"):
    total_count: int
    nodes: list[_Repository] = []


def organization(
    connection: GitHubConnection, name: str, owed_from: datetime, clock: Callable[[], datetime]
) -> Iterator[Probed]:
    """Yield what the credential may see of an organisation. `owed_from` (UTC): from when the audit log is still to be read.

    Raises ConfigError for a credential that is none.
    """
    part = f"GitHub {name}"
    yield reached(part, str(address(connection.api)), clock)
    quick = msgspec.structs.replace(connection, patience=0.0, timeout=SECONDS, attempts=1)
    forge = connect(
        quick, name, clock=clock, sleep=lambda seconds: None, told=lambda text: None, replay=None, spool=None
    )
    with forge:
        try:
            access = forge.access()
        except SourceError as error:
            yield failed(part, "credentials", error)
            return
        yield Probed(part=part, asked="credentials", state=State.GOOD, told=_who(access))
        yield from _Organization(forge, name, access, owed_from, clock()).all()


def _who(access: Access) -> str:
    kind = {"app": "the app", "classic-token": "a classic token of"}.get(access.kind, "a token of")
    return f"{kind} {access.login or '(not told)'}"


class _Organization:
    def __init__(self, forge: GitHub, name: str, access: Access, owed_from: datetime, now: datetime) -> None:
        self._forge = forge
        self._name = name
        self._access = access
        self._owed_from = owed_from
        self._now = now
        self._part = f"GitHub {name}"
        self._org = f"/orgs/{quote(name, safe='')}"

    def all(self) -> Iterator[Probed]:
        repository = None
        try:
            found = self._repositories()
            repository = found.nodes[0] if found.nodes else None
            yield self._listed(found.total_count)
        except SourceError as error:
            yield failed(self._part, "metadata:read", error)
        base = f"/repos/{quote(repository.name_with_owner, safe='/')}" if repository else ""
        yield from self._one("administration:read", base and f"{base}/keys")
        yield from self._one("actions:read", base and f"{base}/environments")
        yield from self._one("contents:read", base and f"{base}/activity")
        yield from self._one("pull_requests:read", self._commit(base))
        yield from self._one("secrets:read", base and f"{base}/actions/secrets")
        places = repository.environments.nodes if repository else []
        place = f"{base}/environments/{quote(places[0].name, safe='')}/secrets" if places else ""
        yield from self._one("environments:read", place)
        yield from self._one("organization_secrets:read", f"{self._org}/actions/secrets")
        yield from self._audit_log()
        if self._access.may("administration", "write") is False:
            yield Probed(
                part=self._part,
                asked="administration:write",
                state=State.UNKNOWN,
                told="who may pass a ruleset by is shown only to who may write the ruleset",
                grant="administration:write and organization_administration:write",
                todo="weigh it: access/README.md; classic protection and the audit log show their part without it",
            )

    def _repositories(self) -> _Repositories:
        answer = self._forge.graphql(_QUERY, {"organization": self._name}, scope=f"github:{self._name}")
        with contextlib.suppress(msgspec.MsgspecError, KeyError, TypeError):
            told: Any = msgspec.json.decode(answer.body)
            return msgspec.convert(told["data"]["organization"]["repositories"], _Repositories)
        return _Repositories(total_count=0)

    def _listed(self, count: int) -> Probed:
        if self._access.selected:
            return Probed(
                part=self._part,
                asked="metadata:read",
                state=State.BAD,
                told=f"the app is installed on selected repositories only ({count}); the others are not seen",
                grant="the app on all repositories",
                todo="let an owner install it on all repositories of the organisation",
            )
        if not count:
            told = "no repository is seen, so what may be read of one was not tried"
            todo = "install the app on all repositories, or check the organisation's name"
            return Probed(part=self._part, asked="metadata:read", state=State.UNKNOWN, told=told, todo=todo)
        return Probed(part=self._part, asked="metadata:read", state=State.GOOD, told=f"{count:,} repositories")

    def _one(self, permission: str, path: str) -> Iterator[Probed]:
        """Yield whether a permission is held: told by the installation, or else by asking the path, if there is one."""
        held = self._access.may(permission.partition(":")[0])
        if held is None and path:
            try:
                self._forge.get(path, scope=f"github:{self._name}", permission=permission, params=_ONE)
            except SourceError as error:
                yield failed(self._part, permission, error)
                return
            held = True
        if held:
            yield Probed(part=self._part, asked=permission, state=State.GOOD)
        elif held is False:
            what = "the app was not granted it" if self._access.kind == "app" else "the token lacks the scope"
            yield Probed(
                part=self._part,
                asked=permission,
                state=State.BAD,
                told=what,
                grant=permission,
                todo=f"grant {permission}"
                + (", and accept it where the app is installed" if self._access.kind == "app" else ""),
            )
        else:
            yield Probed(part=self._part, asked=permission, state=State.UNKNOWN, told="there was nothing to try it on")

    def _commit(self, base: str) -> str:
        """Return the path that asks for the pull requests of a commit, empty if no commit is known."""
        if not base or self._access.may("pull_requests") is not None:
            return ""
        with contextlib.suppress(SourceError, msgspec.MsgspecError, KeyError, TypeError, IndexError):
            answer = self._forge.get(
                f"{base}/activity", scope=f"github:{self._name}", permission="contents:read", params=_ONE
            )
            commit = str(msgspec.json.decode(answer.body)[0]["after"])
            return f"{base}/commits/{quote(commit, safe='')}/pulls"
        return ""

    def _audit_log(self) -> Iterator[Probed]:
        yield from self._one(_AUDIT, f"{self._org}/rulesets/rule-suites")
        asked = "audit log"
        try:
            self._forge.get(
                f"{self._org}/audit-log",
                scope=f"github:{self._name}",
                permission=f"{_AUDIT} (Enterprise Cloud)",
                params=_ONE,
            )
        except SourceError as error:
            told = failed(self._part, asked, error)
            more = "only Enterprise Cloud has it; without it lapses are told by rulesets' history and samples"
            yield msgspec.structs.replace(told, told=f"{told.told}; {more}")
            return
        yield Probed(part=self._part, asked=asked, state=State.GOOD, told="it answers")
        yield kept(self._part, "retention", AUDIT_LOG_DAYS, self._owed_from, self._now)
