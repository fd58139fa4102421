"""GitHub as a source of a sweep: settings as they are now, their history since the last sweep, and what is remembered."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from monitor.decode import github_history
from monitor.expected.models import RepositoryExpectation
from monitor.facts.change import ChangeEvent
from monitor.facts.log_object import RetainedPart
from monitor.facts.protection import BranchUpdate, ProtectionBypass, ProtectionChange
from monitor.facts.remembered import Remembered
from monitor.facts.repository import EnvironmentChange, HistoryCoverage, Repository, RepositoryList
from monitor.facts.stored_secret import KeptCredentials
from monitor.facts.trust import SubjectTemplate
from monitor.model import CoverageStatus, Window
from monitor.sources.github.client import GitHub
from monitor.sources.github.history import SOURCES, HistoryReader
from monitor.sources.github.identities import Identities, concerned, unseen
from monitor.sources.github.identities import read as read_identities
from monitor.sources.github.repositories import read
from monitor.sources.github.shortfall import IDENTITIES, SETTINGS
from monitor.sources.ports import Collected, Memory, Progress, Request

RECALL = timedelta(days=90)
"""How far back edits of protection are judged again: an emergency may be declared, or a rule come back, later."""
_KINDS: Mapping[type[Any], str] = {
    ProtectionChange: "github.change",
    ProtectionBypass: "github.bypass",
    BranchUpdate: "github.update",
    EnvironmentChange: "github.environment-change",
}
STATE = "github.repository"
_TO_RESUME = (CoverageStatus.THROTTLED, CoverageStatus.PARTIAL)
"""Where a sweep ended so, the next one goes on from what was answered, and asks for the rest alone."""


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """What is watched and how. Times are UTC; `until` is set where the material ends for good.

    `trusted` are patterns of the repositories (OWNER/NAME) whose jobs become deploy identities. Without any, secrets, deploy
    keys and templates of subjects are not asked for.
    """

    organisations: tuple[str, ...]
    entries: tuple[RepositoryExpectation, ...]
    start: datetime
    until: datetime | None = None
    settle: timedelta = timedelta(minutes=10)
    workers: int = 4
    replayed: bool = False
    trusted: tuple[str, ...] = ()


class GitHubSource:
    """Reads all organisations that are watched. `connect` gives a client for one of them."""

    name = "github"
    provides = (
        Repository,
        RepositoryList,
        KeptCredentials,
        SubjectTemplate,
        HistoryCoverage,
        ProtectionChange,
        ProtectionBypass,
        BranchUpdate,
        EnvironmentChange,
    )
    once = (HistoryCoverage, ProtectionChange, ProtectionBypass, BranchUpdate, EnvironmentChange)

    def __init__(self, watch: Watch, connect: Callable[[str, Request], GitHub]) -> None:
        self.watch = watch
        self.client = connect

    def scopes(self) -> dict[str, tuple[str, ...]]:
        """Return the organisations whose repositories are to be read."""
        scopes = tuple(f"github:{name}" for name in self.watch.organisations)
        asked = (SETTINGS, *SOURCES, *((IDENTITIES,) if self.watch.trusted else ()))
        return dict.fromkeys(asked, scopes)

    def due(self, request: Request, memory: Memory) -> Window | None:
        """Return the span (UTC) of history that this sweep owes."""
        end = self._end(request)
        starts = [
            start for name in self.watch.organisations for start in self._since(name, request, memory.marks()).values()
        ]
        return Window(min(starts, default=end), end) if min(starts, default=end) < end else None

    def collect(self, request: Request, memory: Memory, progress: Progress) -> Collected:
        """Return settings, history and coverage of every organisation. Never raises for what the forge does."""
        whole = Collected()
        for organisation in self.watch.organisations:
            self._organisation(organisation, request, memory, progress, whole)
        return whole

    def recall(self, parts: Sequence[RetainedPart], sessions: Collection[str]) -> list[ChangeEvent]:
        """Return nothing: no sessions of a cloud are kept here."""
        return []

    def _end(self, request: Request) -> datetime:
        end = min(request.until or request.at, request.at - self.watch.settle)
        return min(end, self.watch.until) if self.watch.until else end

    def _as_of(self, request: Request) -> datetime:
        """Return when what is read held: captured answers are as old as the material."""
        return min(request.at, self.watch.until) if self.watch.replayed and self.watch.until else request.at

    def _since(self, organisation: str, request: Request, marks: Mapping[str, datetime]) -> dict[str, datetime]:
        """Return from when each source of history is owed."""
        if request.since:
            return dict.fromkeys(SOURCES, request.since)
        return {source: marks.get(f"{source}|github:{organisation}", self.watch.start) for source in SOURCES}

    def _organisation(
        self, organisation: str, request: Request, memory: Memory, progress: Progress, whole: Collected
    ) -> None:
        watch = self.watch
        with self.client(organisation, request) as forge:
            settings = read(forge, organisation, watch.entries, request.at, watch.workers, progress)
            reader = HistoryReader(
                forge,
                organisation,
                watch.entries,
                self._since(organisation, request, memory.marks()),
                self._end(request),
                request.at,
                watch.workers,
                progress,
                replayed=watch.replayed,
            )
            history = reader.read(settings.repositories, settings.edited)
            identities = Identities()
            if watch.trusted:
                matter = concerned(settings.repositories, watch.entries, watch.trusted)
                lacking = unseen(organisation, settings.repositories, watch.trusted, ended=settings.ended)
                identities = read_identities(
                    forge, organisation, matter, self._as_of(request), watch.workers, progress, lacking
                )
            coverage = (*settings.coverage, *history.coverage, *identities.coverage)
            if not any(c.status in _TO_RESUME for c in coverage):
                forge.done()
            whole.captures += forge.captured
        known = _states(memory, organisation)
        seen = {one.id for one in settings.repositories}
        vanished = {number: one.name for number, one in known.items() if number not in seen}
        listing = settings.listing
        if isinstance(listing.ids, tuple) and settings.ended:
            listing = msgspec.structs.replace(listing, vanished=vanished)
        sampled = [
            change
            for one in settings.repositories
            for change in _sampled(known.get(one.id), one, memory)
            if not _told(change, history.facts)
        ]
        ids = {one.name.lower(): one.id for one in settings.repositories}
        fresh = [_placed(fact, ids) for fact in (*history.facts, *sampled)]
        whole.facts += [
            listing,
            *settings.repositories,
            *fresh,
            *_recalled(memory, fresh, settings.repositories, self._end(request)),
        ]
        whole.facts += identities.facts
        whole.coverage += coverage
        whole.marks |= history.marks
        whole.marks |= {f"{SETTINGS}|{one.subject()}": one.at for one in settings.repositories if _whole(one)}
        whole.remember += _remembered(fresh, organisation)
        whole.remember += [
            _state(one)
            for one in settings.repositories
            if _whole(one) and (one.id not in known or _bare(known[one.id]) != _bare(one))
        ]


def _whole(repository: Repository) -> bool:
    return repository.blind is None and isinstance(repository.rules, tuple) and isinstance(repository.branches, tuple)


def _bare(repository: Repository) -> Repository:
    """Return a repository without what changes from one reading to the next though nothing was set otherwise."""
    rules = repository.rules
    if isinstance(rules, tuple):
        rules = tuple(msgspec.structs.replace(rule, evidence=()) for rule in sorted(rules, key=lambda rule: rule.key))
    places = repository.environments
    if isinstance(places, tuple):
        places = tuple(msgspec.structs.replace(one, evidence=()) for one in sorted(places, key=lambda one: one.name))
    return msgspec.structs.replace(repository, at=_EPOCH, pushed_at=None, rules=rules, environments=places, evidence=())


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _state(repository: Repository) -> Remembered:
    return Remembered(
        kind=STATE,
        id=f"{repository.subject()}@{repository.at.isoformat()}",
        subject=repository.subject(),
        at=repository.at,
        body=msgspec.Raw(msgspec.json.encode(repository)),
    )


def _states(memory: Memory, organisation: str) -> dict[int, Repository]:
    """Return, by id, how each repository of the organisation was when it was last seen to have changed."""
    found = [_read(Repository, kept) for kept in memory.latest(STATE).values()]
    return {one.id: one for one in found if isinstance(one, Repository) and one.organisation == organisation}


def _read(kind: type[Any], kept: Remembered) -> Any:
    return msgspec.json.decode(kept.body, type=kind)


def _sampled(before: Repository | None, now: Repository, memory: Memory) -> tuple[ProtectionChange, ...]:
    """Return what two samples of a repository show; the earlier one still held when it was last read."""
    if before is None or not _whole(now):
        return ()
    last = memory.marks().get(f"{SETTINGS}|{now.subject()}", before.at)
    found: tuple[ProtectionChange, ...] = github_history.sampled(
        msgspec.structs.replace(before, at=max(before.at, last)), now
    )
    return found


def _told(sampled: ProtectionChange, facts: Iterable[Any]) -> bool:
    """Return whether a log tells of the edit that two samples show: then it tells when, and by whom."""
    kind = sampled.rule.partition(":")[0]
    return any(
        fact.rule == sampled.rule or (kind == "classic" and fact.rule.startswith(("classic:", "repository:classic")))
        for fact in facts
        if isinstance(fact, ProtectionChange)
        and fact.repository_id in (0, sampled.repository_id)
        and (sampled.not_before is None or fact.at >= sampled.not_before)
        and fact.at <= sampled.at
    )


def _placed(fact: Any, ids: Mapping[str, int]) -> Any:
    """Give an event that names its repository, but not its id, that id: without one it would concern every repository."""
    if type(fact) not in _KINDS or fact.repository_id or fact.repository.lower() not in ids:
        return fact
    return msgspec.structs.replace(fact, repository_id=ids[fact.repository.lower()])


def _remembered(facts: Iterable[Any], organisation: str) -> list[Remembered]:
    return [
        Remembered(
            kind=_KINDS[type(fact)],
            id=fact.id,
            subject=_subject(fact, organisation),
            at=fact.at,
            body=msgspec.Raw(msgspec.json.encode(fact)),
        )
        for fact in facts
        if type(fact) in _KINDS
    ]


def _subject(fact: Any, organisation: str) -> str:
    return f"github:repository:{fact.repository_id}" if fact.repository_id else f"github:organisation:{organisation}"


def _recalled(memory: Memory, fresh: Sequence[Any], repositories: Sequence[Repository], until: datetime) -> list[Any]:
    """Return earlier edits, bypasses and pushes, to be judged again; and what else moved a branch while protection was edited."""
    new = {(type(fact), fact.id) for fact in fresh if type(fact) in _KINDS}
    mine = {one.id for one in repositories}

    def kept(kind: type[Any]) -> list[Any]:
        found = [_read(kind, one) for one in memory.remembered(_KINDS[kind], None, until - RECALL)]
        return [
            one for one in found if (kind, one.id) not in new and (not one.repository_id or one.repository_id in mine)
        ]

    changes = kept(ProtectionChange)
    first: dict[int, datetime] = {}
    for change in (*(fact for fact in fresh if isinstance(fact, ProtectionChange)), *changes):
        start = change.not_before or change.at
        first[change.repository_id] = min(first.get(change.repository_id, start), start)
    updates = [
        update
        for update in kept(BranchUpdate)
        # A merge passes by itself: it matters only as what landed while protection was off.
        if update.kind not in ("merge", "merge-queue")
        or update.at >= min(first.get(update.repository_id, until), first.get(0, until))
    ]
    return [*changes, *kept(ProtectionBypass), *updates]
