"""Whole documents, judged against the example organisation's expected state: what the judgement table is made of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from checks import direct_production_change, pipeline_session_proof
from monitor.expected.load import ExpectedState, load
from monitor.model import ChangeClass, Outcome
from monitor.sweep.documents import Judged, judge_cloudtrail
from tests.unit.decode.samples import compact

CONFIG = Path(__file__).parents[3] / "config" / "expected"
CHECKS = (direct_production_change.CHECK, pipeline_session_proof.CHECK)
DIRECT, PROOF = (check.id for check in CHECKS)
PASS, FAIL, UNKNOWN, ERROR, NOT_APPLICABLE = (
    Outcome.PASS,
    Outcome.FAIL,
    Outcome.UNKNOWN,
    Outcome.ERROR,
    Outcome.NOT_APPLICABLE,
)


@cache
def expected() -> ExpectedState:
    return load(CONFIG)


def judged(*documents: Any, state: Any = None) -> list[Judged]:
    """Return one verdict a document; a dict is written as JSON first, bytes are taken as they are."""
    bodies = [d if isinstance(d, bytes) else compact(d) for d in documents]
    verdicts = list(judge_cloudtrail(bodies, CHECKS, state or expected()))
    assert [v.n for v in verdicts] == list(range(1, len(bodies) + 1))
    return verdicts


class Case(NamedTuple):
    """The last of some documents, with the verdict on it."""

    name: str
    documents: Sequence[Any]
    outcome: Outcome
    change_class: ChangeClass | None = None
    check: str = DIRECT
    reason: str = ""


def table(*cases: Case) -> pytest.MarkDecorator:
    names = [case.name for case in cases]
    assert len(set(names)) == len(names)
    return pytest.mark.parametrize("case", cases, ids=names)


def holds(case: Case) -> None:
    verdict = judged(*case.documents)[-1]
    told = (verdict.outcome.value, verdict.change_class, verdict.check, verdict.reason)
    assert (verdict.outcome, verdict.change_class) == (case.outcome, case.change_class), told
    assert verdict.check == case.check, told
    assert case.reason in verdict.reason


def not_a_change(name: str, *documents: Any, reason: str = "") -> Case:
    return Case(name, documents, NOT_APPLICABLE, reason=reason)


def direct(name: str, *documents: Any, reason: str = "direct change") -> Case:
    return Case(name, documents, FAIL, ChangeClass.DIRECT, DIRECT, reason)


def service(name: str, *documents: Any, reason: str = "service") -> Case:
    return Case(name, documents, PASS, None, DIRECT, reason)


def proven(name: str, *documents: Any, reason: str = "deploy identity") -> Case:
    return Case(name, documents, PASS, ChangeClass.NORMAL, DIRECT, reason)


def unproven(name: str, *documents: Any, reason: str = "") -> Case:
    return Case(name, documents, FAIL, ChangeClass.DIRECT, PROOF, reason)


def unseen(name: str, *documents: Any, reason: str = "") -> Case:
    return Case(name, documents, UNKNOWN, None, PROOF, reason)


def at(day: int, hour: int = 0, minute: int = 0, second: int = 0, month: int = 3, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


def minutes(n: float) -> timedelta:
    return timedelta(minutes=n)


def plain(verdict: Judged) -> str:
    """Return a verdict as text, for comparison."""
    return json.dumps([str(part) for part in (verdict.outcome, verdict.change_class, verdict.check, verdict.reason)])
