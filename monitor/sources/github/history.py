"""How protection changed, was passed by, and what moved the branches: from whichever source the plan offers.

The audit log tells every edit, on Enterprise Cloud alone; without it the history of each ruleset does, and for classic rules
nothing does but the samples of two sweeps. Rule suites tell who passed a rule by, one month back at most. Activity tells what
moved a branch. Each says of itself which window it covers, and what it cannot show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import msgspec

from monitor.decode import github_audit, github_history
from monitor.decode.github_graphql import RulesetRef
from monitor.errors import Denied, Malformed, SourceError
from monitor.expected.models import RepositoryExpectation
from monitor.facts.protection import BranchUpdate, ProtectionRule
from monitor.facts.repository import HistoryCoverage, Repository
from monitor.model import CoverageStatus, ScopeCoverage, Unknown, Window
from monitor.sources.github.arrival import arrived
from monitor.sources.github.client import GitHub
from monitor.sources.github.shortfall import status_of
from monitor.sources.ports import Progress

AUDIT_LOG = "github.audit-log"
RULE_SUITES = "github.rule-suites"
RULESET_HISTORY = "github.ruleset-history"
ACTIVITY = "github.activity"
SOURCES = (AUDIT_LOG, RULE_SUITES, ACTIVITY)
# https://docs.github.com/en/organizations/keeping-your-organization-secure/managing-security-settings-for-your-organization/reviewing-the-audit-log-for-your-organization
_KEPT = {AUDIT_LOG: timedelta(days=180), RULE_SUITES: timedelta(days=30), ACTIVITY: timedelta(days=3650)}
_SHOWS = {AUDIT_LOG: ("changes",), RULE_SUITES: ("bypasses",), RULESET_HISTORY: ("changes",), ACTIVITY: ("updates",)}
_PERIODS = (("hour", timedelta(hours=1)), ("day", timedelta(days=1)), ("week", timedelta(days=7)))
OVERLAP = timedelta(hours=1)
"""Before its mark, a source is asked again for so long: events arrive late, and each counts once by its id."""
_AUDIT_PERMISSION = (
    "organization_administration:read (an app), or read:audit_log (an owner's token), on Enterprise Cloud"
)


class History(msgspec.Struct, kw_only=True):
    """What was read: facts, coverage for people and for checks, and up to when each source is read (UTC)."""

    facts: list[Any] = []
    coverage: list[ScopeCoverage] = []
    marks: dict[str, datetime] = {}


class HistoryReader:
    """Reads one organisation's history over a window. `since` tells, by source, from when (UTC) it is owed."""

    def __init__(
        self,
        forge: GitHub,
        organisation: str,
        entries: tuple[RepositoryExpectation, ...],
        since: Mapping[str, datetime],
        until: datetime,
        at: datetime,
        workers: int,
        progress: Progress,
        *,
        replayed: bool = False,
    ) -> None:
        self.forge = forge
        self.organisation = organisation
        self.scope = f"github:{organisation}"
        self.entries = entries
        self.since = since
        self.until = until
        self.at = at
        self.workers = workers
        self.progress = progress
        self.replayed = replayed
        self.found = History()

    def read(self, repositories: Sequence[Repository], edited: Mapping[str, tuple[RulesetRef, str]]) -> History:
        """Return the history of these repositories. Never raises for what the forge does."""
        told = self._windowed(AUDIT_LOG, self._audit_log)
        if not told:
            self._ruleset_history(repositories, edited)
        self._windowed(RULE_SUITES, self._rule_suites)
        self._activity(repositories)
        return self.found

    def _windowed(self, source: str, ask: Callable[[Window], Iterable[Any]]) -> bool:
        """Read one source of the whole organisation to its end; return whether it was there to be read."""
        window = self._window(source)
        if window is None:
            return True
        self.progress(f"reading {source.partition('.')[2]} of {self.organisation}", 0, 1)
        try:
            asked = Window(window.start - OVERLAP, window.end)
            self.found.facts += [fact for fact in ask(asked) if asked.covers(fact.at)]
        except SourceError as failed:
            self._failed(source, window, [failed])
            return False
        self._covered(source, window)
        self.found.marks[f"{source}|{self.scope}"] = window.end
        return True

    def _window(self, source: str) -> Window | None:
        """Return what is owed of a source; what it no longer keeps is told as lost. None: nothing is owed."""
        start, end = self.since[source], self.until
        if end <= start:
            return None
        kept_from = self.at - _KEPT[source]
        if start < kept_from and not self.replayed:
            lost = Window(start, min(kept_from, end))
            reason = f"{source} keeps {_KEPT[source].days} days only"
            self.found.coverage.append(
                ScopeCoverage(
                    scope=self.scope,
                    source=source,
                    status=CoverageStatus.LOST,
                    window=lost,
                    reason=reason,
                    grant="sweep more often",
                )
            )
            self._shown(source, lost, Unknown(reason, "sweep more often"))
            start = kept_from
        return Window(start, end) if start < end else None

    def _audit_log(self, window: Window) -> Iterable[Any]:
        params = {
            "phrase": f"created:{window.start:%Y-%m-%dT%H:%M:%SZ}..{window.end:%Y-%m-%dT%H:%M:%SZ}",
            "include": "web",
            "order": "asc",
            "per_page": "100",
        }
        pages = self.forge.pages(
            f"/orgs/{self.organisation}/audit-log", scope=self.scope, permission=_AUDIT_PERMISSION, params=params
        )
        unread: list[str] = []
        facts: dict[str, Any] = {}
        for answer in pages:
            for event in github_audit.events(answer.body):
                try:
                    fact = github_audit.fact(event, answer.evidence)
                except Malformed as wrong:
                    unread.append(wrong.what)
                    continue
                if fact is not None:
                    facts.setdefault(fact.id, fact)
        if unread:
            self.found.facts += facts.values()
            raise Malformed(f"{len(unread)} audit log events cannot be read ({unread[0]})", source=AUDIT_LOG)
        return facts.values()

    def _rule_suites(self, window: Window) -> Iterable[Any]:
        # https://docs.github.com/en/rest/orgs/rule-suites#list-organization-rule-suites
        age = self.at - window.start
        period = next((name for name, span in _PERIODS if age <= span), "month") if not self.replayed else "month"
        params = {"time_period": period, "rule_suite_result": "bypass", "per_page": "100"}
        pages = self.forge.pages(
            f"/orgs/{self.organisation}/rulesets/rule-suites",
            scope=self.scope,
            permission="organization_administration:read",
            params=params,
        )
        return [
            fact for answer in pages for fact in github_history.suites(answer.body, self.organisation, answer.evidence)
        ]

    def _ruleset_history(
        self, repositories: Sequence[Repository], edited: Mapping[str, tuple[RulesetRef, str]]
    ) -> None:
        """Read the versions of each ruleset that was edited inside the window: the way without an audit log."""
        since = self.since[AUDIT_LOG]
        names = {one.name: one for one in repositories}
        failures: list[SourceError] = []
        for key, (ref, repository) in sorted(edited.items()):
            if ref.updated_at is not None and ref.updated_at < since:
                continue
            own = ref.source_type == "Repository"
            path = f"/repos/{repository}/rulesets" if own else f"/orgs/{self.organisation}/rulesets"
            try:
                self._versions(f"{path}/{key.partition(':')[2]}/history", names.get(repository) if own else None, since)
            except SourceError as failed:
                failures.append(failed)
        window = Window(since, self.until) if since < self.until else None
        if failures:
            self._failed(RULESET_HISTORY, window, failures)
        elif window:
            self._covered(RULESET_HISTORY, window)

    def _versions(self, path: str, repository: Repository | None, since: datetime) -> None:
        permission = "administration:read" if repository else "organization_administration:read"
        listed = [
            version
            for answer in self.forge.pages(path, scope=self.scope, permission=permission, params={"per_page": "100"})
            for version in github_history.versions(answer.body)
        ]
        listed.sort(key=lambda version: (version.updated_at, version.id))
        if not listed or listed[0].updated_at >= since:
            lost = Unknown(f"{path}: the ruleset was made inside the window; what protected before it is not told")
            self._shown(RULESET_HISTORY, None, lost, repository)
        before: ProtectionRule | None = None
        for number, version in enumerate(listed):
            following = listed[number + 1].updated_at if number + 1 < len(listed) else None
            if following is not None and following < since:
                continue
            answer = self.forge.get(f"{path}/{version.id}", scope=self.scope, permission=permission)
            rule = github_history.version_state(answer.body, answer.evidence)
            if before is not None and since <= version.updated_at < self.until:
                self.found.facts.append(
                    github_history.changes(
                        repository, self.organisation, before, rule, version.updated_at, version.actor, answer.evidence
                    )
                )
            before = rule

    def _activity(self, repositories: Sequence[Repository]) -> None:
        """Read what moved the branches of each repository that was pushed to inside the window."""
        window = self._window(ACTIVITY)
        if window is None:
            return
        moved = [one for one in repositories if self._moved(one, window.start)]
        failures: list[SourceError] = []
        with ThreadPoolExecutor(self.workers, thread_name_prefix="github") as pool:
            for number, (one, answer) in enumerate(
                zip(moved, pool.map(lambda each: self._moves(each, window), moved), strict=True), 1
            ):
                self.progress(f"reading activity of {self.organisation}", number, len(moved))
                if isinstance(answer, SourceError):
                    failures.append(answer)
                    self._failed(ACTIVITY, window, [answer], one)
                else:
                    self.found.facts += answer
        if not failures:
            self._covered(ACTIVITY, window)
            self.found.marks[f"{ACTIVITY}|{self.scope}"] = window.end

    def _moved(self, repository: Repository, since: datetime) -> bool:
        """Return whether a repository may have been pushed to since then, and whether anything is expected of it."""
        pushed = repository.pushed_at
        expected = any(entry.branches and entry.fits(repository.name) for entry in self.entries)
        return expected and bool(repository.default_branch) and (pushed is None or pushed >= since)

    def _moves(self, repository: Repository, window: Window) -> list[BranchUpdate] | SourceError:
        found: list[BranchUpdate] = []
        params = {"per_page": "100"}
        try:
            # https://docs.github.com/en/rest/repos/repos#list-repository-activities : newest first
            for answer in self.forge.pages(
                f"/repos/{repository.name}/activity", scope=repository.scope, permission="contents:read", params=params
            ):
                page = github_history.activity(answer.body, repository, answer.evidence)
                found += [update for update in page if window.start - OVERLAP <= update.at < window.end]
                if page and min(update.at for update in page) < window.start - OVERLAP:
                    break
            return [arrived(self.forge, self.entries, repository, update) for update in found]
        except SourceError as failed:
            return failed

    def _covered(self, source: str, window: Window) -> None:
        self.found.coverage.append(
            ScopeCoverage(scope=self.scope, source=source, status=CoverageStatus.COMPLETE, window=window)
        )
        self._shown(source, window)

    def _shown(
        self, source: str, window: Window | None, unknown: Unknown | None = None, repository: Repository | None = None
    ) -> None:
        """Tell checks what of the history is known, or is not."""
        self.found.facts.append(
            HistoryCoverage(
                organisation=self.organisation,
                repository_id=repository.id if repository else 0,
                source=source.partition(".")[2],
                shows=_SHOWS[source],
                window=window,
                unknown=unknown,
            )
        )

    def _failed(
        self, source: str, window: Window | None, failures: Sequence[SourceError], repository: Repository | None = None
    ) -> None:
        first = failures[0]
        status = status_of(failures)
        grant = "; ".join(dict.fromkeys(f.permission for f in failures if isinstance(f, Denied))) or first.todo
        self.found.coverage.append(
            ScopeCoverage(
                scope=repository.scope if repository else self.scope,
                source=source,
                status=status,
                window=window,
                reason=first.what,
                grant=grant,
                gaps=tuple(dict.fromkeys(failed.what for failed in failures)),
            )
        )
        self._shown(source, window, Unknown(first.what, grant), repository)
