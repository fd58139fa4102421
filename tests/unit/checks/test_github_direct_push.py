"""The check `direct-push`: how a branch may move, who is told, what excuses a push, and what is never passed over."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from checks.direct_push import CHECK, PushExpectations
from monitor.facts.protection import BranchUpdate, ForgeActor
from monitor.facts.repository import HistoryCoverage, Repository
from monitor.model import ChangeClass, EvidenceRef, Outcome, Result, Sweep, Unknown, Window

NOW = datetime(2026, 3, 14, tzinfo=UTC)
SWEEP = Sweep(id="s1", planned_for=NOW, at=NOW, window=Window(NOW - timedelta(days=4), NOW))
REF = EvidenceRef(kind="capture", name="activity", sha256="cd" * 32)
LOST = Unknown("denied", "pull_requests:read")
HOME = Repository(
    organisation="example-org",
    id=7,
    name="example-org/payments",
    at=NOW,
    default_branch="main",
    branches=("main", "dev", "release/1"),
)
MOVE = BranchUpdate(
    id="u1",
    at=datetime(2026, 3, 10, 9, 14, tzinfo=UTC),
    organisation="example-org",
    repository_id=7,
    repository="example-org/payments",
    branch="main",
    before="a" * 40,
    after="b" * 40,
    kind="push",
    actor=ForgeActor(name="dev", kind="person"),
    change_requests=(),
    evidence=(REF,),
)
EMERGENCY = {
    "id": "EC-1",
    "ticket": "OPS-1",
    "approver": "manager",
    "repositories": ["example-org/payments"],
    "from": "2026-03-10T09:00:00Z",
    "to": "2026-03-10T10:00:00Z",
    "reason": "outage",
}


def expecting(*emergencies: dict[str, Any], **terms: Any) -> PushExpectations:
    branch = {"match": ["~DEFAULT_BRANCH", "release/*"], **(terms or {"pull_request": True})}
    return PushExpectations.model_validate(
        {
            "repositories": [{"match": ["example-org/*"], "branches": [branch]}],
            "emergency_changes": list(emergencies),
        }
    )


EXPECT = expecting()


def move(number: int = 1, **change: Any) -> BranchUpdate:
    return msgspec.structs.replace(MOVE, id=f"u{number}", **change)


def judge(*facts: Any, expect: PushExpectations = EXPECT) -> list[Result]:
    found = list(CHECK.evaluate(facts, expect, SWEEP))
    for order in itertools.islice(itertools.permutations(facts), 24):
        assert list(CHECK.evaluate(order, expect, SWEEP)) == found
    assert len({one.subject for one in found}) == len(found)
    return found


def one(*facts: Any, expect: PushExpectations = EXPECT) -> Result:
    (found,) = judge(HOME, *facts, expect=expect)
    return found


@pytest.mark.parametrize(
    ("change", "outcome", "told"),
    [
        ({"kind": "merge"}, Outcome.PASS, "merged by pull request"),
        ({"kind": "merge-queue"}, Outcome.PASS, "merged by pull request"),
        ({"change_requests": (12, 13)}, Outcome.PASS, "#12, #13"),
        ({}, Outcome.FAIL, "pushed without a pull request"),
        ({"change_requests": LOST}, Outcome.UNKNOWN, "denied"),
        ({"kind": "force-push", "change_requests": (12,)}, Outcome.FAIL, "forced push"),
        ({"kind": "force-push", "change_requests": LOST}, Outcome.FAIL, "forced push"),
        ({"kind": "deletion", "after": ""}, Outcome.FAIL, "deleted (aaaaaaa)"),
        ({"kind": "creation"}, Outcome.NOT_APPLICABLE, "was made"),
        ({"kind": "a word of tomorrow"}, Outcome.FAIL, "without a pull request"),
        ({"actor": ForgeActor(name="merge-bot[bot]", kind="bot")}, Outcome.FAIL, "merge-bot[bot]"),
        ({"actor": ForgeActor()}, Outcome.FAIL, "somebody"),
    ],
)
def test_a_move_is_judged_by_how_it_arrived(change: dict[str, Any], outcome: Outcome, told: str) -> None:
    result = one(move(**change))
    assert result.outcome is outcome
    assert told in result.reason
    assert result.evidence == (REF,)
    assert bool(result.remedy) is (outcome in (Outcome.FAIL, Outcome.UNKNOWN))


def test_a_result_is_of_a_branch_a_person_and_a_day() -> None:
    other = ForgeActor(name="ops")
    found = judge(
        HOME,
        move(1),
        move(2, at=MOVE.at + timedelta(hours=1)),
        move(3, actor=other),
        move(4, at=MOVE.at + timedelta(days=1)),
        move(5, branch="release/1"),
    )
    assert {r.subject: r.observed["count"] for r in found} == {
        "github:repository:7:branch:main:updates@2026-03-10:dev": 2,
        "github:repository:7:branch:main:updates@2026-03-10:ops": 1,
        "github:repository:7:branch:main:updates@2026-03-11:dev": 1,
        "github:repository:7:branch:release/1:updates@2026-03-10:dev": 1,
    }
    assert {(r.scope, r.actor) for r in found} == {
        ("github:example-org/payments", "dev"),
        ("github:example-org/payments", "ops"),
    }


@pytest.mark.parametrize(
    ("kinds", "outcome"),
    [
        (("merge", "creation"), Outcome.PASS),
        (("merge", "unknown"), Outcome.UNKNOWN),
        (("unknown", "push", "merge"), Outcome.FAIL),
        (("creation", "creation"), Outcome.NOT_APPLICABLE),
    ],
)
def test_the_worst_move_of_the_day_decides(kinds: tuple[str, ...], outcome: Outcome) -> None:
    moves = [
        move(n, kind="push" if kind == "unknown" else kind, change_requests=LOST if kind == "unknown" else ())
        for n, kind in enumerate(kinds)
    ]
    assert one(*moves).outcome is outcome


def test_an_unknown_names_the_grant() -> None:
    assert one(move(change_requests=LOST)).remedy == "pull_requests:read"


@pytest.mark.parametrize(
    ("terms", "told"),
    [({"pull_request": True}, 1), ({"approvals": 1}, 1), ({"approvals": 0}, 0), ({"pull_request": False}, 0), ({"signatures": True}, 0)],
)  # fmt: skip
def test_only_where_pull_requests_are_expected_a_push_is_told(terms: dict[str, Any], told: int) -> None:
    assert len(judge(HOME, move(), expect=expecting(**terms))) == told


@pytest.mark.parametrize(
    ("home", "update"),
    [
        (HOME, move(branch="dev")),
        (msgspec.structs.replace(HOME, archived=True), move()),
        (msgspec.structs.replace(HOME, name="other-org/payments"), move()),
        (HOME, move(repository_id=8)),
    ],
)
def test_moves_of_what_nobody_speaks_of_are_not_told(home: Repository, update: BranchUpdate) -> None:
    assert judge(home, update) == []


def test_a_renamed_repository_is_judged_as_what_it_is_now() -> None:
    renamed = msgspec.structs.replace(HOME, name="example-org/money")
    (found,) = judge(renamed, move())
    assert (found.subject.split(":branch")[0], found.scope) == ("github:repository:7", "github:example-org/money")


def test_a_move_that_two_sources_tell_is_one() -> None:
    assert one(move(), move(), move(kind="force-push")).observed["count"] == 1


def test_a_declared_emergency_makes_a_push_a_change_of_class_emergency() -> None:
    found = one(move(), expect=expecting(EMERGENCY))
    assert (found.outcome, found.change_class, found.remedy) == (Outcome.PASS, ChangeClass.EMERGENCY, "")
    assert "in a declared emergency" in found.reason


@pytest.mark.parametrize(
    "change",
    [
        {"from": "2026-03-10T09:14:01Z"},
        {"to": "2026-03-10T09:14:00Z"},
        {"repositories": ["example-org/other"]},
        {"repositories": [], "identities": ["root"]},
    ],
)
def test_an_emergency_of_another_time_or_place_excuses_nothing(change: dict[str, Any]) -> None:
    found = one(move(), expect=expecting({**EMERGENCY, **change}))
    assert (found.outcome, found.change_class) == (Outcome.FAIL, None)


@pytest.mark.parametrize(
    ("other", "outcome"),
    [
        (move(2, kind="merge"), Outcome.PASS),
        (move(2, at=MOVE.at + timedelta(hours=2)), Outcome.FAIL),
        (move(2, at=MOVE.at + timedelta(hours=2), change_requests=LOST), Outcome.UNKNOWN),
        (move(2, change_requests=LOST), Outcome.UNKNOWN),
    ],
)
def test_an_emergency_hides_no_other_move_of_the_day(other: BranchUpdate, outcome: Outcome) -> None:
    found = one(move(1), other, expect=expecting(EMERGENCY))
    assert found.outcome is outcome
    assert found.change_class is (ChangeClass.EMERGENCY if outcome is Outcome.PASS else None)


def test_what_could_not_be_read_is_unknown_for_its_window_and_names_the_grant() -> None:
    unread = HistoryCoverage(
        organisation="example-org",
        repository_id=7,
        source="activity",
        shows=("updates",),
        unknown=Unknown("denied", "contents:read"),
    )
    (found,) = judge(HOME, unread, msgspec.structs.replace(unread, source="rule-suites"))
    assert (found.outcome, found.remedy) == (Outcome.UNKNOWN, "contents:read")
    assert found.subject == "github:repository:7:updates@2026-03-10T00:00Z"
    assert {r.outcome for r in judge(HOME, unread, move(kind="merge"))} == {Outcome.UNKNOWN, Outcome.PASS}


def test_names_from_outside_stay_text() -> None:
    hostile = "x:\x1b[31m\n<script>" + "é" * 500
    result = one(move(actor=ForgeActor(name=hostile)))
    assert result.actor == hostile
    assert result.outcome is Outcome.FAIL
    msgspec.json.encode(result.observed)


def test_many_moves_are_counted_and_the_first_are_shown() -> None:
    found = list(CHECK.evaluate([HOME, *(move(n) for n in range(60))], EXPECT, SWEEP))
    assert (found[0].observed["count"], len(found[0].observed["updates"])) == (60, 50)
