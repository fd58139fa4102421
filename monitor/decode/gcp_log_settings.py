"""What Google Cloud says of a project's audit log, to facts: sinks, exclusions, log buckets, audit configs. Pure.

Sinks: https://cloud.google.com/logging/docs/reference/v2/rest/v2/projects.sinks
Exclusions, which are of the sink `_Default`: https://cloud.google.com/logging/docs/reference/v2/rest/v2/projects.exclusions
Log buckets: https://cloud.google.com/logging/docs/reference/v2/rest/v2/projects.locations.buckets
Admin Activity is always written and kept for 400 days in `_Required`, which nobody can change; Data Access goes to `_Default`:
https://cloud.google.com/logging/docs/audit#storing
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

import msgspec

from monitor.decode.gcp_issuing_log import issuing
from monitor.decode.gcp_log_filter import Extent, extent
from monitor.decode.github_wire import integer, objects, text
from monitor.facts.audit_log import LogRoute, LogState, LogStore
from monitor.model import EvidenceRef, Unknown

PROVIDER = "gcp"
REQUIRED, DEFAULT = "_Required", "_Default"
CHANGES, ISSUING = "cloudaudit.googleapis.com/activity", "cloudaudit.googleapis.com/data_access"
DELETED_AFTER = 7
"""Days after which a bucket whose deletion was asked for is gone: https://cloud.google.com/logging/docs/buckets#delete-bucket"""
_BUCKET = re.compile(r"logging\.googleapis\.com/([a-zA-Z]+/[^/]+)/locations/([^/]+)/buckets/([^/]+)")
_SINK = re.compile(r"((?:organizations|folders|projects|billingAccounts)/[^/]+)/sinks/[^/]+")
_LONGEST = 300
_PUBLIC = Unknown("who may read a log bucket is not asked")
_VERSIONED = Unknown("log buckets have no versions")
_ANEW = "see the captured bytes; report it if it stays"

Entries = tuple[object, ...] | Unknown
"""The entries of a list, or why it could not be read."""


class PlaceLogs(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of a project, a folder or an organisation: lists as the API gives their entries, and its allow policy."""

    name: str
    sinks: Entries
    exclusions: Entries
    buckets: Entries
    policy: object
    evidence: tuple[EvidenceRef, ...] = ()


class ProjectLogs(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of one project at `at` (UTC): itself, then what is above it, the nearest first.

    `number` is the project's; `broken` says why there may be more above; `elsewhere` has the log buckets of others, by owner.
    """

    project: str
    at: datetime
    places: tuple[PlaceLogs, ...]
    number: str = ""
    broken: Unknown | None = None
    elsewhere: Mapping[str, Entries] = {}
    evidence: tuple[EvidenceRef, ...] = ()


def other_owners(places: Iterable[PlaceLogs], project: str, number: str) -> tuple[str, ...]:
    """Return whose log buckets sinks lead to, beside those of the places themselves; sorted."""
    places = tuple(places)
    ends = (text(sink.get("destination")) for one in places for sink in _objects(one.sinks))
    found = {match[1] for end in ends if (match := _BUCKET.fullmatch(_by_id(end, project, number)))}
    return tuple(sorted(found - {one.name for one in places}))


def log_state(logs: ProjectLogs) -> LogState:
    """Return the fact. Never raises; what is not as documented is Unknown."""
    reader = _Reader(logs)
    routes, unread = reader.routes()
    always_on, kept = reader.always_on()
    data_access, unlogged, exempted = issuing({one.name: one.policy for one in logs.places}, logs.broken)
    return LogState(
        provider=PROVIDER,
        account=logs.project,
        at=logs.at,
        places=tuple(one.name for one in logs.places),
        unread=unread,
        routes=routes,
        always_on=always_on,
        kept_days=kept,
        data_access=data_access,
        unlogged=unlogged,
        exempted=exempted,
        evidence=tuple(dict.fromkeys((*logs.evidence, *(ref for one in logs.places for ref in one.evidence)))),
    )


class _Sink(msgspec.Struct, frozen=True, kw_only=True):
    owner: str
    body: dict[str, object]
    evidence: tuple[EvidenceRef, ...]

    @property
    def name(self) -> str:
        return text(self.body.get("name"))

    @property
    def identifier(self) -> str:
        return f"{self.owner}/sinks/{self.name}"


class _Reader:
    def __init__(self, logs: ProjectLogs) -> None:
        self._logs = logs
        self._rank = {one.name: n for n, one in enumerate(logs.places)}
        self._buckets = {one.name: one.buckets for one in logs.places} | dict(logs.elsewhere)
        self._exclusions = {one.name: one.exclusions for one in logs.places}

    def routes(self) -> tuple[tuple[LogRoute, ...], tuple[tuple[str, Unknown], ...]]:
        """Return the routes by owner, nearest first, and name; and the places whose routes could not be read."""
        sinks: dict[str, _Sink] = {}
        unread: list[tuple[str, Unknown]] = []
        for place in self._logs.places:
            bodies = _objects(place.sinks)
            if isinstance(place.sinks, Unknown):
                unread.append((place.name, place.sinks))
            elif len(bodies) < len(place.sinks) or not all(text(one.get("name")) for one in bodies):
                unread.append((place.name, Unknown(f"a sink of {place.name} is listed without its name", _ANEW)))
            for body in bodies:
                one = _Sink(owner=self._owner(body, place.name), body=body, evidence=place.evidence)
                # A sink that takes from what is below is listed there too; its owner's word comes later, and counts.
                sinks[one.identifier] = one
        if self._logs.broken:
            unread.append(("", self._logs.broken))
        ordered = sorted(sinks.values(), key=lambda one: (self._rank.get(one.owner, len(self._rank)), one.name))
        return tuple(self._route(one, ordered) for one in ordered if one.name), tuple(unread)

    def always_on(self) -> tuple[bool | Unknown, int | Unknown]:
        """Return whether the log that nobody can change is there, and for how many days it keeps."""
        here = self._logs.places[0]
        if isinstance(here.buckets, Unknown):
            return here.buckets, here.buckets
        end = f"/buckets/{REQUIRED}"
        found = [one for one in _objects(here.buckets) if text(one.get("name")).endswith(end)]
        if not found:
            lacking = Unknown(f"{REQUIRED} is not among the log buckets of {here.name}", _ANEW)
            return lacking, lacking
        days = integer(found[0].get("retentionDays"))
        return True, days or Unknown(f"{REQUIRED} of {here.name} does not tell its retentionDays", _ANEW)

    def _owner(self, body: dict[str, object], listed_at: str) -> str:
        match = _SINK.fullmatch(text(body.get("resourceName")))
        return _by_id(match[1], self._logs.project, self._logs.number) if match else listed_at

    def _route(self, sink: _Sink, all_sinks: list[_Sink]) -> LogRoute:
        destination = _by_id(text(sink.body.get("destination")), self._logs.project, self._logs.number)
        return LogRoute(
            name=sink.name,
            identifier=sink.identifier,
            owner=sink.owner,
            destination=destination,
            disabled=_switch(sink.body, "disabled", sink.identifier),
            covers_children=_switch(sink.body, "includeChildren", sink.identifier),
            narrowed_by=self._narrowed(sink, CHANGES, all_sinks),
            issuing_narrowed_by=self._narrowed(sink, ISSUING, all_sinks),
            built_in=sink.name in (REQUIRED, DEFAULT),
            store=self._store(destination),
            evidence=sink.evidence,
        )

    def _narrowed(self, sink: _Sink, log: str, all_sinks: list[_Sink]) -> tuple[str, ...] | Unknown:
        """Return what keeps entries of a log from a sink."""
        found: list[str] = []
        unclear: list[Unknown] = []
        wanted = sink.body.get("filter")
        passes = self._extent(wanted, log)
        told = f"filter {_short(wanted)}"
        if passes is Extent.UNCLEAR:
            unclear.append(_untold(sink.identifier, told))
        elif passes is not Extent.ALL:
            found.append(told)
        for told, excluded in self._excluded(sink, log, unclear):
            if excluded is Extent.UNCLEAR:
                unclear.append(_untold(sink.identifier, told))
            elif excluded is not Extent.NONE:
                found.append(told)
        for other in all_sinks:
            # https://cloud.google.com/logging/docs/export/aggregated_sinks: an intercepting sink above takes what it matches
            # from all sinks below but _Required.
            if sink.name == REQUIRED or self._above(other) <= self._above(sink) or not _on(other, "interceptChildren"):
                continue
            taken = self._extent(other.body.get("filter"), log)
            if taken is Extent.UNCLEAR:
                unclear.append(_untold(other.identifier, f"filter {_short(other.body.get('filter'))}"))
            elif taken is not Extent.NONE:
                found.append(f"taken before it by {other.identifier}")
        return tuple(dict.fromkeys(found)) if found or not unclear else unclear[0]

    def _excluded(self, sink: _Sink, log: str, unclear: list[Unknown]) -> Iterator[tuple[str, Extent]]:
        own = sink.body.get("exclusions")
        if not isinstance(own, list | None):
            unclear.append(Unknown(f"the exclusions of {sink.identifier} are no list", _ANEW))
        listed = self._exclusions.get(sink.owner, ()) if sink.name == DEFAULT else ()
        if isinstance(listed, Unknown):
            unclear.append(listed)
        for one in (*objects(own), *_objects(listed)):
            if one.get("disabled") is not True:
                name = text(one.get("name")) or "without a name"
                yield f"exclusion {name[:100]}: {_short(one.get('filter'))}", self._extent(one.get("filter"), log)

    def _extent(self, wanted: object, log: str) -> Extent:
        if wanted is None:
            return Extent.ALL
        return extent(wanted, log, self._logs.project) if isinstance(wanted, str) else Extent.UNCLEAR

    def _above(self, sink: _Sink) -> int:
        """Return how high a sink's owner is. One that is not known is none of the project's own, so it is above."""
        return self._rank.get(sink.owner, len(self._rank))

    def _store(self, destination: str) -> LogStore | None:
        match = _BUCKET.fullmatch(destination)
        if not match:
            return None
        listed = self._buckets.get(match[1], Unknown("not asked for"))
        name = destination.partition("/")[2]
        found: dict[str, object] = {}
        lacking = (
            listed if isinstance(listed, Unknown) else Unknown(f"{name} is not among the log buckets of {match[1]}")
        )
        for one in _objects(listed):
            if _by_id(text(one.get("name")), self._logs.project, self._logs.number) == name:
                found = one
        days: int | Unknown = lacking
        if found:
            days = integer(found.get("retentionDays")) or Unknown(f"{name} does not tell its retentionDays", _ANEW)
        if found.get("lifecycleState") == "DELETE_REQUESTED":
            days = min(days, DELETED_AFTER) if isinstance(days, int) else DELETED_AFTER
        locked = _switch(found, "locked", name) if found else lacking
        return LogStore(name=name, public=_PUBLIC, expires_after_days=days, versioned=_VERSIONED, locked=locked)


def _on(sink: _Sink, field: str) -> bool:
    return sink.body.get(field) is True and sink.body.get("disabled") is not True


def _objects(listed: Entries) -> tuple[dict[str, object], ...]:
    return () if isinstance(listed, Unknown) else tuple(objects(list(listed)))


def _by_id(name: str, project: str, number: str) -> str:
    """Return a name with the project's id where its number stands."""
    return re.sub(rf"(^|/)projects/{number}(?=/|$)", rf"\1projects/{project}", name) if number else name


def _switch(body: Mapping[str, object], field: str, of: str) -> bool | Unknown:
    value = body.get(field)  # false is left out, as all empty fields are
    known = value is None or isinstance(value, bool)
    return bool(value) if known else Unknown(f"{field} of {of} is neither true nor false", _ANEW)


def _short(wanted: object) -> str:
    return " ".join(wanted.split())[:_LONGEST] if isinstance(wanted, str) else "that is no text"


def _untold(sink: str, told: str) -> Unknown:
    return Unknown(
        f"cannot tell what {sink} leaves out: {told}",
        "write the filter so that it names logs alone, as LOG_ID(…) or logName:…, joined by OR",
    )
