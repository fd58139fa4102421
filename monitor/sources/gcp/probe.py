"""Probes of Google Cloud: each permission of config/access/gcp-read-only-role.yaml, asked for once in each project."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from monitor.errors import Denied, SourceError
from monitor.sources.gcp import calls, log_calls
from monitor.sources.gcp.client import GcpClient, GcpConnection, connect
from monitor.sources.gcp.iam_places import DEEPEST
from monitor.sources.gcp.transport import address
from monitor.sources.gcp.wire import Question
from monitor.sources.probe import SECONDS, Probed, State, failed, reached


def project(connection: GcpConnection, name: str, clock: Callable[[], datetime]) -> Iterator[Probed]:
    """Yield what the credential may see of a project and of what is above it. Raises ConfigError for one that is none."""
    part = f"Google Cloud {name}"
    yield reached(part, f"{str(address(connection.api, 'iam')).rstrip('/')}/", clock)
    quick = msgspec.structs.replace(connection, patience=0.0, timeout=SECONDS, attempts=1)
    client = connect(quick, clock=clock, sleep=lambda seconds: None, told=lambda text: None, replay=None)
    with client:
        yield from _Project(client, name, part).all()


class _Project:
    def __init__(self, client: GcpClient, name: str, part: str) -> None:
        self._client = client
        self._name = name
        self._part = part
        self._scope = f"gcp:{name}"
        self._lines: dict[str, Probed] = {}

    def all(self) -> Iterator[Probed]:
        """Yield one line a permission, the worst of its answers; one line only where no token is to be had."""
        here = f"projects/{self._name}"
        found = self._ask("resourcemanager.projects.get", partial(calls.place, here, self._scope))
        first = self._lines["resourcemanager.projects.get"]
        if first.state is not State.GOOD and "resourcemanager" not in first.grant:
            # Not a permission that lacks, but a credential, an API that is off, or the network.
            yield msgspec.structs.replace(first, asked="credentials")
            return
        bindings = self._place(here)
        self._above(found.get("parent"))
        self._accounts()
        self._pools()
        self._logs(here)
        for role in self._custom(bindings):
            self._ask("iam.roles.get", partial(calls.role, role, self._scope))
        yield from self._lines.values()

    def _place(self, name: str) -> list[Any]:
        kind = name.partition("/")[0]
        policy = self._ask(f"resourcemanager.{kind}.getIamPolicy", partial(calls.policy, name, self._scope))
        denies = self._ask("iam.denypolicies.list", partial(calls.deny_policies, name, self._scope))
        for one in _each(denies.get(calls.DENIES))[:1]:
            self._ask("iam.denypolicies.get", partial(calls.deny_policy, name, str(one.get("name")), self._scope))
        return _each(policy.get(calls.BINDINGS))

    def _above(self, parent: object) -> None:
        for _ in range(DEEPEST):
            if not isinstance(parent, str):
                return
            self._place(parent)
            if parent.startswith("organizations/"):
                return
            parent = self._ask("resourcemanager.folders.get", partial(calls.place, parent, self._scope)).get("parent")

    def _accounts(self) -> None:
        listed = self._ask("iam.serviceAccounts.list", partial(calls.accounts, self._name, self._scope))
        for one in _each(listed.get(calls.ACCOUNTS))[:1]:
            email = str(one.get("email"))
            self._ask("iam.serviceAccounts.getIamPolicy", partial(calls.account_policy, self._name, email, self._scope))
            self._ask("iam.serviceAccountKeys.list", partial(calls.keys, self._name, email, self._scope))

    def _pools(self) -> None:
        listed = self._ask("iam.workloadIdentityPools.list", partial(calls.pools, self._name, self._scope))
        for one in _each(listed.get(calls.POOLS))[:1]:
            self._ask(
                "iam.workloadIdentityPoolProviders.list",
                partial(calls.providers, self._name, str(one.get("name")), self._scope),
            )

    def _logs(self, here: str) -> None:
        self._ask("logging.sinks.list", partial(log_calls.sinks, here, self._scope))
        self._ask("logging.exclusions.list", partial(log_calls.exclusions, here, self._scope))
        self._ask("logging.buckets.list", partial(log_calls.buckets, here, self._scope))
        wanted = log_calls.READING_ENTRIES
        held = self._ask(wanted[0], partial(log_calls.granted, self._name, wanted, self._scope)).get("permissions")
        asked = self._lines[wanted[0]]
        for one in wanted:
            # Entries that are not granted are left out, and are no error.
            answered = asked.state is State.GOOD
            self._lines[one] = self._held(one, held) if answered else msgspec.structs.replace(asked, asked=one)

    def _held(self, permission: str, held: object) -> Probed:
        if isinstance(held, list) and permission in held:
            return Probed(part=self._part, asked=permission, state=State.GOOD)
        grant = f"{permission} on projects/{self._name}"
        return Probed(part=self._part, asked=permission, state=State.BAD, told="not granted", grant=grant)

    def _custom(self, bindings: list[Any]) -> list[str]:
        """Return a custom role that the project's policy names: whoever may not read roles may still read Google's own."""
        roles = [str(one.get("role")) for one in bindings]
        return [role for role in roles if not role.startswith("roles/")][:1]

    def _ask(self, permission: str, question: Callable[[], Question]) -> dict[str, Any]:
        try:
            answer = self._client.ask(question()).content
            told = Probed(part=self._part, asked=permission, state=State.GOOD)
        except SourceError as error:
            answer, told = {}, failed(self._part, permission, error)
            if isinstance(error, Denied) and not told.told:
                told = msgspec.structs.replace(told, told="denied")
        before = self._lines.get(permission)
        if before is None or before.state is State.GOOD:
            self._lines[permission] = told
        return answer


def _each(listed: object) -> list[dict[str, Any]]:
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
