"""The fake's lists of what happened: audit log, rule suites, repository activity; filtered as GitHub documents.

What looks back does so from `World.now`; without it, everything is recent.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from tests.fakes.github.world import World

PERIODS = {"hour": 1, "day": 24, "week": 168, "month": 24 * 31, "quarter": 24 * 92, "year": 24 * 366}
GIT_KEPT, DEFAULT_SPAN, KEPT = timedelta(days=7), timedelta(days=92), timedelta(days=180)
Event = dict[str, Any]


def audit(world: World, query: dict[str, str]) -> list[Event]:
    """Return the audit log's events for a phrase: https://docs.github.com/en/rest/orgs/orgs#get-the-audit-log-for-an-organization

    Git events are left out unless asked for, and older than seven days never there; without `created:`, three months are.
    """
    include, phrase = query.get("include", "web"), query.get("phrase", "")
    found = [e for e in world.audit if include == "all" or (include == "git") == e["action"].startswith("git.")]
    terms = re.findall(r"(-?)(\w+):(\S+)", phrase)
    for negated, name, wanted in terms:
        keeps = _term(name, wanted)
        found = [e for e in found if keeps(e) != bool(negated)]
    if world.now is not None:
        dated = any(name == "created" for _, name, _ in terms)
        oldest = _ms(world.now - (KEPT if dated else DEFAULT_SPAN))
        git = _ms(world.now - GIT_KEPT)
        found = [e for e in found if e["@timestamp"] >= (git if e["action"].startswith("git.") else oldest)]
    return sorted(found, key=lambda e: e["@timestamp"], reverse=query.get("order", "desc") != "asc")


def _term(name: str, wanted: str) -> Callable[[Event], bool]:
    if name == "created":
        low, high = _span(wanted)
        return lambda event: low <= event["@timestamp"] <= high
    if name == "action":
        return lambda event: event["action"] == wanted or event["action"].startswith(f"{wanted}.")
    return lambda event: event.get(name) == wanted


def _span(text: str) -> tuple[float, float]:
    """Read `A..B`, `>=A`, `<=A`, or a day, as milliseconds; a day without a time reaches to its end."""
    low, dots, high = text.partition("..")
    if dots:
        return _start(low), _end(high)
    if found := re.fullmatch(r"([<>])(=?)(.+)", text):
        more, equal, at = found.groups()
        if more == ">":
            return (_start(at) if equal else _end(at) + 1), float("inf")
        return 0, (_end(at) if equal else _start(at) - 1)
    return _start(text), _end(text)


def _start(text: str) -> float:
    return _ms(datetime.fromisoformat(text if "T" in text else f"{text}T00:00:00Z"))


def _end(text: str) -> float:
    return _start(text) if "T" in text else _start(text) + 86_399_999


def _ms(at: datetime) -> float:
    return at.timestamp() * 1000


def suites(world: World, query: dict[str, str], repository_id: int | None = None) -> list[Event]:
    """Return rule suites without their evaluations: https://docs.github.com/en/rest/orgs/rule-suites"""
    found = [s for s in world.suites if repository_id in (None, s["repository_id"])]
    result, ref, actor = query.get("rule_suite_result", "all"), query.get("ref"), query.get("actor_name")
    if result != "all":
        found = [s for s in found if s["result"] == result]
    if ref:
        found = [s for s in found if s["ref"].removeprefix("refs/heads/") == ref.removeprefix("refs/heads/")]
    if actor:
        found = [s for s in found if s["actor_name"] == actor]
    if name := query.get("repository_name"):
        found = [s for s in found if s["repository_name"] == name]
    found = _recent(world, found, "pushed_at", query.get("time_period", "day"))
    return [{k: v for k, v in s.items() if k != "rule_evaluations"} for s in found]


def activity(world: World, found: list[Event], query: dict[str, str]) -> list[Event]:
    """Return moves of branches, newest first: https://docs.github.com/en/rest/repos/repos#list-repository-activities"""
    if ref := query.get("ref"):
        found = [a for a in found if a["ref"].removeprefix("refs/heads/") == ref.removeprefix("refs/heads/")]
    if kind := query.get("activity_type"):
        found = [a for a in found if a["activity_type"] == kind]
    if actor := query.get("actor"):
        found = [a for a in found if a["actor"] and a["actor"]["login"] == actor]
    if period := query.get("time_period"):
        found = _recent(world, found, "timestamp", period)
    return sorted(found, key=lambda a: a["timestamp"], reverse=query.get("direction", "desc") == "desc")


def _recent(world: World, found: list[Event], name: str, period: str) -> list[Event]:
    if world.now is None or period not in PERIODS:
        return found
    since = world.now - timedelta(hours=PERIODS[period])
    return [one for one in found if datetime.fromisoformat(one[name]) >= since]
