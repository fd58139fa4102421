"""What is wrong between the entries of expected state: repeated ids, names of nothing, undeclared accounts.

Works on the plain data, before and apart from the models, so that these mistakes are reported together with theirs;
whatever has the wrong shape is passed over here, since the models report it. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from monitor.expected.fields import shown
from monitor.expected.mistakes import Path, did_you_mean
from monitor.expected.models import Sections, SessionProof
from monitor.expected.patterns import (
    account_mistake,
    account_of,
    overlap,
    principal_mistake,
    project_mistake,
    project_of,
)

Wrong = tuple[Path, str]
"""A path in the data, and what is wrong there."""

LONG_EMERGENCY = timedelta(days=7)
"""How long an emergency change may last before a reader is told."""

_WITH_PRINCIPALS = ("deploy_identities", "trusted_services", "break_glass", "standard_changes")
_WITH_IDS = (*_WITH_PRINCIPALS, "emergency_changes")


def between(data: Mapping[str, object]) -> Iterator[Wrong]:
    """Yield what is wrong between entries. `data` holds the sections as they were read, of any shape."""
    production = data.get("production")
    if isinstance(production, dict) and all(production.get(name) is None for name in ("aws", "gcp", "github")):
        yield (
            ("production",),
            "declares nothing, so that nothing is watched; write aws:, gcp: or github: with what there is to watch",
        )
    for section in _WITH_IDS:
        yield from _repeated(_texts(data.get(section), (section,), "id"), "the id")
    accounts = [*_accounts(data, "accounts"), *_accounts(data, "watched")]
    yield from _repeated(accounts, "the account")
    yield from _repeated_regions(data)
    yield from _repeated_trails(data)
    if accounts:
        yield from _undeclared(data, {account for _, account in accounts})
    at = ("production", "gcp", "projects")
    projects = list(_texts(_dig(data, *at), at, "id"))
    yield from _repeated(projects, "the project")
    yield from _undeclared_projects(data, {project for _, project in projects})
    yield from _unknown_identities(data)
    yield from _two_faced(data)


def warnings(sections: Sections) -> Iterator[Wrong]:
    """Yield what is allowed, but is likely not meant."""
    accounts = sections.production.aws.accounts if sections.production.aws else ()
    for n, account in enumerate(accounts):
        commercial = not any(region.startswith(("cn-", "us-gov-", "us-iso", "eusc-")) for region in account.regions)
        if commercial and "us-east-1" not in account.regions:
            # https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-concepts.html#cloudtrail-concepts-global-service-events
            yield (
                ("production", "aws", "accounts", n, "regions"),
                "IAM and other global services are logged in us-east-1, which is not listed: their changes go unseen",
            )
    for n, project in enumerate(sections.production.gcp.projects if sections.production.gcp else ()):
        if project.number is None:
            yield (
                ("production", "gcp", "projects", n),
                f"{project.id} has no number: agents of Google that act for strangers' projects are not told from its own",
            )
    for n, identity in enumerate(sections.deploy_identities):
        if isinstance(identity.proof, SessionProof) and not identity.proof.assumed_by:
            yield (
                ("deploy_identities", n, "proof"),
                f"{identity.id} is proven by a name that whoever takes the role chooses; say in assumed_by who takes it",
            )
    for n, change in enumerate(sections.emergency_changes):
        if change.to - change.from_ > LONG_EMERGENCY:
            lasts = (change.to - change.from_).days
            yield ("emergency_changes", n), f"{change.id} lasts {lasts} days; break-glass is open all that time"


def _repeated(found: Iterable[Wrong], what: str) -> Iterator[Wrong]:
    seen: set[str] = set()
    for path, value in found:
        if value in seen:
            yield path, f"{what} {shown(value)} is given before; each may be used once"
        seen.add(value)


def _repeated_regions(data: Mapping[str, object]) -> Iterator[Wrong]:
    for part in ("accounts", "watched"):
        for path, account in _entries(_dig(data, "production", "aws", part), ("production", "aws", part)):
            yield from _repeated(_listed(account.get("regions"), (*path, "regions")), "the region")


def _repeated_trails(data: Mapping[str, object]) -> Iterator[Wrong]:
    at = ("audit_logs", "aws", "trails")
    seen: set[tuple[object, object]] = set()
    for path, trail in _entries(_dig(data, *at), at):
        name, account = trail.get("name"), trail.get("account")
        if isinstance(name, str) and isinstance(account, str):
            if (name, account) in seen:
                yield path, f"the trail {shown(name)} of account {shown(account)} is given before; remove one"
            seen.add((name, account))


def _undeclared(data: Mapping[str, object], declared: set[str]) -> Iterator[Wrong]:
    known = ", ".join(sorted(account for account in declared if not account_mistake(account))[:20])
    right = f"which is in neither production.aws.accounts nor watched ({known}); declare it there or mend the number"
    for section in _WITH_PRINCIPALS:
        for path, entry in _entries(data.get(section), (section,)):
            patterns = list(_listed(entry.get("principals"), (*path, "principals")))
            session = _dig(entry, "proof", "session", "pattern")
            if isinstance(session, str):
                patterns.append(((*path, "proof", "session", "pattern"), session))
            for at, pattern in patterns:
                account = account_of(pattern)
                if account and account not in declared:
                    yield at, f"{shown(pattern)} is of account {account}, {right}"
    trails = ("audit_logs", "aws", "trails")
    for path, account in _texts(_dig(data, *trails), trails, "account"):
        if not account_mistake(account) and account not in declared:
            yield path, f"{shown(account)} is an account {right}"


def _undeclared_projects(data: Mapping[str, object], declared: set[str]) -> Iterator[Wrong]:
    known = ", ".join(sorted(project for project in declared if not project_mistake(project))[:20])
    right = f"which is not in production.gcp.projects ({known}); declare it there or mend the name"
    for section in _WITH_PRINCIPALS:
        for path, entry in _entries(data.get(section), (section,)):
            for at, pattern in _listed(entry.get("principals"), (*path, "principals")):
                project = project_of(pattern)
                if project and project not in declared:
                    yield at, f"{shown(pattern)} is of project {project}, {right}"


def _unknown_identities(data: Mapping[str, object]) -> Iterator[Wrong]:
    known = [value for _, value in _texts(data.get("break_glass"), ("break_glass",), "id")]
    for path, entry in _entries(data.get("emergency_changes"), ("emergency_changes",)):
        for at, name in _listed(entry.get("identities"), (*path, "identities")):
            if name not in known:
                end = did_you_mean(name, known) or "; declare it there first"
                yield at, f"{shown(name)} is no id of break_glass{end}"


def _two_faced(data: Mapping[str, object]) -> Iterator[Wrong]:
    deploy: dict[str, list[tuple[str, str]]] = {}
    for _, theirs, owner in _principals(data, "deploy_identities"):
        deploy.setdefault(account_of(theirs), []).append((theirs, owner))
    for path, mine, _ in _principals(data, "break_glass"):
        for theirs, owner in deploy.get(account_of(mine), ()):
            if overlap(mine, theirs):
                yield (
                    path,
                    (
                        f"{shown(mine)} is also the deploy identity {shown(owner)} ({shown(theirs)}); "
                        "a person's emergency path and the pipeline need identities of their own"
                    ),
                )
                break


def _principals(data: Mapping[str, object], section: str) -> Iterator[tuple[Path, str, str]]:
    for path, entry in _entries(data.get(section), (section,)):
        for at, pattern in _listed(entry.get("principals"), (*path, "principals")):
            if not principal_mistake(pattern):
                yield at, pattern, str(entry.get("id", ""))


def _accounts(data: Mapping[str, object], part: str) -> list[Wrong]:
    at = ("production", "aws", part)
    return list(_texts(_dig(data, *at), at, "id"))


def _dig(data: object, *keys: str) -> object:
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _entries(value: object, at: Path) -> Iterator[tuple[Path, dict[str, object]]]:
    for n, entry in enumerate(value if isinstance(value, list) else ()):
        if isinstance(entry, dict):
            yield (*at, n), entry


def _texts(value: object, at: Path, key: str) -> Iterator[Wrong]:
    for path, entry in _entries(value, at):
        text = entry.get(key)
        # A number without quotes is reported by the models; here it still declares what it was meant to declare.
        if isinstance(text, (str, int)) and not isinstance(text, bool):
            yield (*path, key), str(text)


def _listed(value: object, at: Path) -> Iterator[Wrong]:
    for n, text in enumerate(value if isinstance(value, list) else ()):
        if isinstance(text, str):
            yield (*at, n), text
