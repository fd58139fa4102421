"""The live half of `monitor doctor`: what each source that is asked may see now, and what is blind without the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from monitor.sources.probe import Probed, State, together

if TYPE_CHECKING:
    from monitor.settings import Config

Probe = Callable[[], Iterable[Probed]]
_NOT_PERMISSIONS = ("clock", "retention")


def looked(loaded: Config, clock: Callable[[], datetime]) -> list[dict[str, Any]]:
    """Return a line a question, those of one source together: part, asked, state, told, next, grant, blind.

    Sources whose answers were captured are not asked.
    """
    from monitor.cli.blindness import Blindness
    from monitor.cli.init import packaged
    from monitor.sources.aws.probe import organization
    from monitor.sweep import registry

    marks = _marks(loaded)
    probes = [*_aws(loaded, marks, clock), *_github(loaded, marks, clock), *_gcp(loaded, clock), *_gcp_bucket(loaded)]
    guide = packaged() / "access/README.md"
    blindness = Blindness(registry.discover(), guide.read_text() if guide.is_file() else "")
    return [_line(one, blindness) for one in organization(together(probes))]


def _line(one: Probed, blindness: Any) -> dict[str, Any]:
    blind: tuple[str, ...] = ()
    if one.state is not State.GOOD and one.asked not in _NOT_PERMISSIONS:
        permission = "organization_administration:read" if one.asked == "audit log" else one.asked
        blind = blindness.of(one.part) if one.asked == "credentials" else blindness.without(permission, one.part)
    return {
        "part": one.part,
        "asked": one.asked,
        "state": one.state.value,
        "told": one.told,
        "next": one.todo,
        "grant": one.grant,
        "blind": blind,
    }


def _marks(loaded: Config) -> dict[str, datetime]:
    from monitor.errors import MonitorError
    from monitor.store.migrate import state
    from monitor.store.store import Store

    url = loaded.settings.database
    try:
        if state(url)[0] is None:
            return {}
        with Store.open(url) as store:
            return store.marks()
    except MonitorError:
        return {}  # The line about the database says so.


def _owed(marks: dict[str, datetime], source: str, start: datetime) -> datetime:
    """Return from when (UTC) a source is still to be read: where its oldest mark stands, else the start."""
    return min((until for name, until in marks.items() if name.startswith(f"{source}|")), default=start)


def _aws(loaded: Config, marks: dict[str, datetime], clock: Callable[[], datetime]) -> list[Probe]:
    from monitor.sources.aws import probe
    from monitor.sources.aws.trail_scopes import NAME
    from monitor.sources.objects import Location

    settings, sections = loaded.settings.aws, loaded.expected.sections
    estate = sections.production.aws
    if settings is None or estate is None:
        return []
    where = settings.trail_settings
    location = Location.parse(settings.trail_logs.location)
    found: list[Probe] = [lambda: probe.bucket(location, clock)] if location.bucket else []
    if where is not None and where.replay is not None:
        return found
    audit = sections.audit_logs.aws
    watched = probe.Watched(
        accounts={one.id: one.regions[0] for one in (*estate.accounts, *estate.watched)},
        buckets={trail.bucket: trail.account for trail in audit.trails} if audit else {},
        logs=location.bucket,
        prefix=location.prefix,
        owed_from=_owed(marks, NAME, settings.start),
        identities=sections.identities.watched,
    )
    role = where.role if where else None
    return [*found, *probe.accounts(watched, lambda: probe.QuickClients(role), clock)]


def _github(loaded: Config, marks: dict[str, datetime], clock: Callable[[], datetime]) -> list[Probe]:
    from monitor.cli.compose_github import connection_of
    from monitor.sources.github import probe
    from monitor.sources.github.history import AUDIT_LOG

    settings, estate = loaded.settings.github, loaded.expected.sections.production.github
    if settings is None or estate is None or settings.replay is not None:
        return []
    owed = _owed(marks, AUDIT_LOG, settings.start)

    def one(name: str) -> Probe:
        return lambda: probe.organization(connection_of(settings), name, owed, clock)

    return [one(name) for name in estate.organizations]


def _gcp_bucket(loaded: Config) -> list[Probe]:
    from monitor.sources.connect import connect
    from monitor.sources.gcp import bucket_probe
    from monitor.sources.objects import GoogleAccess, Location

    settings = loaded.settings.gcp
    where = settings.logs.location if settings and settings.logs else None
    if settings is None or where is None or not where.startswith("gs://"):
        return []
    google = GoogleAccess(
        api=settings.api, credentials=str(settings.credentials or ""), impersonate=settings.impersonate or ""
    )
    location = Location.parse(where, google=google)
    return [lambda: bucket_probe.bucket(location, connect(location))]


def _gcp(loaded: Config, clock: Callable[[], datetime]) -> list[Probe]:
    from monitor.sources.gcp import probe
    from monitor.sources.gcp.client import GcpConnection

    settings, estate = loaded.settings.gcp, loaded.expected.sections.production.gcp
    if settings is None or estate is None or settings.replay is not None:
        return []
    if not loaded.expected.sections.identities.watched:
        return []
    connection = GcpConnection(
        api=settings.api, credentials=settings.credentials, impersonate=settings.impersonate or ""
    )

    def one(name: str) -> Probe:
        return lambda: probe.project(connection, name, clock)

    return [one(project.id) for project in estate.projects]
