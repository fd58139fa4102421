"""The check `waiver-governance`: one result for each waiver and emergency, in any order, whatever they say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.waiver_governance import CHECK, Nothing
from monitor.facts.governance import Covered, EmergencyUse, Former, StoreAsked, WaiverUse
from monitor.model import Outcome, Result, Severity, Sweep, Window

NOW = datetime(2026, 4, 20, tzinfo=UTC)
DAY = timedelta(days=1)
SWEEP = Sweep(id="s", planned_for=NOW, at=NOW, window=Window(NOW - DAY, NOW))
ASKED = StoreAsked(at=NOW, open=1, waived=1, unknown_days=3)
COVERED = Covered("branch-protection", "github:repository:7:branch:main", Outcome.FAIL, "F-AAAAAAAAAA")


def use(name: str = "W-1", **more: Any) -> WaiverUse:
    values: dict[str, Any] = {
        "checks": ("branch-protection",),
        "kind": "repositories",
        "patterns": ("example-org/legacy-*",),
        "reason": "replaced in June",
        "ticket": "CHG-1",
        "requester": "maria",
        "approver": "boss",
        "start": NOW - 30 * DAY,
        "until": NOW + 30 * DAY,
        "covers": (COVERED,),
    }
    return WaiverUse(id=name, **(values | more))


def emergency(name: str = "EC-1", **more: Any) -> EmergencyUse:
    values: dict[str, Any] = {
        "ticket": "OPS-1",
        "approver": "boss",
        "start": NOW - 3 * DAY,
        "end": NOW - 2 * DAY,
        "used": True,
        "read": True,
        "review_due": NOW + 5 * DAY,
    }
    return EmergencyUse(id=name, **(values | more))


def judged(*facts: Any) -> dict[str, Result]:
    found = list(CHECK.evaluate(facts, Nothing(), SWEEP))
    assert len({one.subject for one in found}) == len(found)
    return {one.subject: one for one in found}


def test_nothing_declared_is_a_pass_once_the_record_was_asked():
    assert judged(ASKED)["waivers:register"].outcome is Outcome.PASS
    assert judged()["waivers:register"].outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("more", "outcome", "severity", "words"),
    [
        ({}, "pass", "medium", "covers 1 failure; 30 days left"),
        (
            {"until": NOW + 14 * DAY},
            "pass",
            "medium",
            "covers 1 failure, and expires at 2026-05-04 00:00Z: 14 days left",
        ),
        ({"until": NOW + timedelta(seconds=1)}, "pass", "medium", "0 days left"),
        ({"until": NOW}, "fail", "medium", "expired at 2026-04-20 00:00Z, and 1 failure that it covered still stands"),
        ({"covers": ()}, "fail", "low", "matches nothing: take it out"),
        ({"covers": (), "until": NOW}, "fail", "low", "expired at 2026-04-20 00:00Z and matches nothing: take it out"),
        ({"covers": (), "judged": False}, "pass", "medium", "covers 0 failures; 30 days left"),
        ({"covers": (), "judged": False, "idle_before": True}, "fail", "low", "matches nothing: take it out"),
        ({"covers": (), "judged": False, "until": NOW}, "pass", "medium", "expired at 2026-04-20 00:00Z"),
        ({"start": NOW + DAY, "covers": ()}, "pass", "medium", "counts from 2026-04-21 00:00Z"),
    ],
)
def test_a_waiver(more, outcome, severity, words):
    one = judged(ASKED, use(**more))["waiver:W-1"]
    assert (one.outcome, one.severity) == (outcome, severity)
    assert one.reason.endswith(words)


def test_the_use_of_a_waiver_is_evidence_of_all_that_it_is():
    observed = judged(ASKED, use())["waiver:W-1"].observed
    assert observed["covers"] == [
        {
            "finding": "F-AAAAAAAAAA",
            "check": "branch-protection",
            "subject": "github:repository:7:branch:main",
            "outcome": "fail",
        }
    ]
    assert {observed[key] for key in ("requester", "approver", "ticket")} == {"maria", "boss", "CHG-1"}
    assert observed["repositories"] == ["example-org/legacy-*"]


@pytest.mark.parametrize(
    ("more", "outcome", "severity"),
    [
        ({}, "pass", "medium"),
        ({"review_due": NOW}, "fail", "medium"),
        ({"review_due": NOW, "review": "R-1"}, "pass", "medium"),
        ({"used": False}, "fail", "low"),
        ({"used": False, "read": False}, "pass", "medium"),
        ({"used": False, "review_due": NOW}, "fail", "medium"),
    ],
)
def test_an_emergency(more, outcome, severity):
    one = judged(ASKED, emergency(**more))["emergency:EC-1"]
    assert (one.outcome, one.severity) == (outcome, severity)
    assert bool(one.remedy) == (outcome == "fail")


def test_what_is_no_longer_declared_is_resolved_and_what_is_stays():
    gone = Former(check=CHECK.id, subject="waiver:W-9", scope="", why="gone")
    kept = msgspec.structs.replace(gone, subject="waiver:W-1")
    other = msgspec.structs.replace(gone, check="monitoring-coverage", subject="monitoring:x:y")
    found = judged(ASKED, gone, kept, other, use())
    assert found["waiver:W-9"].outcome is Outcome.NOT_APPLICABLE
    assert found["waiver:W-1"].outcome is Outcome.PASS
    assert len(found) == 3


TEXT = st.text(st.characters(exclude_categories=()), max_size=30)
FACTS = st.lists(
    st.one_of(
        st.just(ASKED),
        st.builds(
            lambda name, text, days, covers: use(
                name, reason=text, kind=text, patterns=(text,), until=NOW + days * DAY, covers=covers
            ),
            TEXT,
            TEXT,
            st.integers(-400, 400),
            st.lists(st.just(COVERED), max_size=3).map(tuple),
        ),
        st.builds(
            lambda name, text, used: emergency(name, ticket=text, review=text, used=used), TEXT, TEXT, st.booleans()
        ),
        st.builds(lambda subject, why: Former(check=CHECK.id, subject=subject, scope="", why=why), TEXT, TEXT),
    ),
    max_size=8,
)


@given(FACTS, st.randoms())
def test_it_is_total_and_indifferent_to_order(facts, chance):
    shuffled = list(facts)
    chance.shuffle(shuffled)
    found = judged(*facts)
    assert judged(*shuffled) == found
    assert all(one.check == CHECK.id and one.severity in Severity for one in found.values())
