"""The settings of audit logs as a source of a sweep: sinks, exclusions, log buckets and audit configs of each declared project.

Needs on each project, and on the folders and the organisation above it: logging.sinks.list, logging.exclusions.list,
logging.buckets.list, resourcemanager.{projects,folders,organizations}.getIamPolicy; and what iam_places says of finding them.
One place's failure never stops another; what could not be read is Unknown in just its field.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import partial

from monitor.decode.gcp_log_settings import PROVIDER, Entries, PlaceLogs, ProjectLogs, log_state, other_owners
from monitor.errors import Denied, SourceError, Throttled, Unavailable
from monitor.facts.audit_log import LogState
from monitor.facts.change import ChangeEvent
from monitor.facts.log_object import RetainedPart
from monitor.model import CoverageStatus, EvidenceRef, ScopeCoverage, Unknown, Window
from monitor.sources.gcp import calls, log_calls
from monitor.sources.gcp.client import GcpClient, Listed
from monitor.sources.gcp.iam import Watch
from monitor.sources.gcp.iam_asking import Failures, Questions, Reply, grant, unknown
from monitor.sources.gcp.iam_places import Above, Place, Places
from monitor.sources.gcp.wire import Question
from monitor.sources.ports import Collected, Memory, Progress, Request

SOURCE = "gcp.log-settings"
_LISTS: tuple[tuple[str, Callable[[str, str], Question]], ...] = (
    (log_calls.SINKS, log_calls.sinks),
    (log_calls.EXCLUSIONS, log_calls.exclusions),
    (log_calls.BUCKETS, log_calls.buckets),
)


class LogSettingsSource:
    """Reads the log settings of all projects that are watched. `connect` gives a client for a sweep."""

    name = SOURCE
    provides = (LogState,)
    once = ()

    def __init__(self, watch: Watch, connect: Callable[[Request], GcpClient]) -> None:
        self.watch = watch
        self._connect = connect

    def scopes(self) -> dict[str, tuple[str, ...]]:
        """Return the projects whose log settings are to be read."""
        return {SOURCE: tuple(f"{PROVIDER}:{project}" for project in self._projects)}

    def due(self, request: Request, memory: Memory) -> Window | None:
        """Return None: settings are read as they are at the moment of the sweep."""
        return None

    def collect(self, request: Request, memory: Memory, progress: Progress) -> Collected:
        """Return the log settings of every project as they are now. Never raises for what Google Cloud does."""
        whole = Collected()
        with self._connect(request) as client:
            reading = _Reading(Questions(client), self.watch.as_of or request.at)
            for done, project in enumerate(self._projects):
                progress("reading log settings", done, len(self._projects))
                state, coverage = reading.project(project)
                whole.facts.append(state)
                whole.coverage.append(coverage)
            progress("reading log settings", len(self._projects), len(self._projects))
            whole.captures = list(client.captured)
        return whole

    def recall(self, parts: Sequence[RetainedPart], sessions: Collection[str]) -> list[ChangeEvent]:
        """Return nothing: settings hold no events."""
        return []

    @property
    def _projects(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.watch.projects))


class _Reading:
    """One reading of all projects: each place's lists are read once, however many projects are below it."""

    def __init__(self, questions: Questions, at: datetime) -> None:
        self._questions = questions
        self._places = Places(questions)
        self._at = at
        self._lists: dict[tuple[str, str], Listed] = {}

    def project(self, project: str) -> tuple[LogState, ScopeCoverage]:
        """Return what holds for a project, and how much of it was read."""
        scope = f"{PROVIDER}:{project}"
        failures = Failures()
        what = self._questions.ask(partial(calls.place, f"projects/{project}", scope))
        above = self._above(what, scope)
        failures.note((what.error, *above.errors))
        found = (self._places.place(f"projects/{project}", scope), *above.places)
        places = tuple(self._logs(one, scope, failures) for one in found)
        number = _number(what)
        elsewhere, refs = self._elsewhere(other_owners(places, project, number), scope)
        state = log_state(
            ProjectLogs(
                project=project,
                number=number,
                at=self._at,
                places=places,
                broken=above.broken,
                elsewhere=elsewhere,
                evidence=(*what.evidence, *above.evidence, *refs),
            )
        )
        return state, _coverage(scope, failures, places, len(state.routes))

    def _above(self, what: Reply, scope: str) -> Above:
        if what.content is None:
            return Above(broken=unknown(what.error))
        # A project outside of any organisation has no parent.
        return self._places.above(what.content.get("parent"), scope)

    def _logs(self, place: Place, scope: str, failures: Failures) -> PlaceLogs:
        listed = {field: self._listed(field, ask, place.name, scope) for field, ask in _LISTS}
        failures.note(one.error for one in listed.values())
        if isinstance(place.policy, Unknown):
            # The first failure is the allow policy's; what is denied by deny policies does not matter here.
            failures.note(place.errors[:1])
        return PlaceLogs(
            name=place.name,
            sinks=_entries(listed[log_calls.SINKS]),
            exclusions=_entries(listed[log_calls.EXCLUSIONS]),
            buckets=_entries(listed[log_calls.BUCKETS]),
            policy=place.policy,
            evidence=(*place.evidence, *(ref for one in listed.values() for ref in one.evidence)),
        )

    def _elsewhere(self, owners: Sequence[str], scope: str) -> tuple[dict[str, Entries], tuple[EvidenceRef, ...]]:
        """Return the log buckets of those to whom sinks lead.

        They are of others, so what cannot be read of them is no gap of this scope: it is Unknown where it matters.
        """
        listed = {one: self._listed(log_calls.BUCKETS, log_calls.buckets, one, scope) for one in owners}
        refs = tuple(ref for one in listed.values() for ref in one.evidence)
        return {name: _entries(one) for name, one in listed.items()}, refs

    def _listed(self, field: str, ask: Callable[[str, str], Question], place: str, scope: str) -> Listed:
        kept = self._lists.get((field, place))
        if kept is None:
            kept = self._questions.pages(partial(ask, place, scope), field)
            if not isinstance(kept.error, Throttled | Unavailable):
                # The next project would meet the same; what was only too slow or too busy is asked again.
                self._lists[field, place] = kept
        return kept


def _entries(listed: Listed) -> Entries:
    return unknown(listed.error) if listed.error else listed.entries


def _number(what: Reply) -> str:
    """Return a project's number: its name is `projects/415104041262`, whatever it was asked by."""
    name = what.content.get("name") if what.content else None
    number = name.removeprefix("projects/") if isinstance(name, str) else ""
    return number if number.isascii() and number.isdigit() else ""


def _coverage(scope: str, failures: Failures, places: Sequence[PlaceLogs], routes: int) -> ScopeCoverage:
    errors: tuple[SourceError, ...] = failures.all
    here = places[0]
    nothing = all(isinstance(one, Unknown) for one in (here.sinks, here.exclusions, here.buckets))
    status = CoverageStatus.PARTIAL if errors else CoverageStatus.COMPLETE
    if nothing and any(isinstance(one, Denied) for one in errors):
        status = CoverageStatus.DENIED
    elif any(isinstance(one, Throttled) for one in errors):
        status = CoverageStatus.THROTTLED
    return ScopeCoverage(
        scope=scope,
        source=SOURCE,
        status=status,
        reason=errors[0].what if errors else "",
        grant=", ".join(dict.fromkeys(grant(one) for one in errors if isinstance(one, Denied))),
        counts={"places": len(places), "sinks": routes, "failed": len(errors)},
        gaps=tuple(one.what for one in errors),
    )
