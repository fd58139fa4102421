"""The check `branch-protection`: repositories and branches that cannot be judged are told, and never pass by silence."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from checks.branch_protection import RepositoryExpectations
from monitor.model import EvidenceRef, Outcome, Result, Unknown
from tests.unit.checks.test_branch_protection import DENIED, LIST, MAIN, NOW, expecting, judge, repository, wanting

EXPECT = wanting(approvals=2)
WHOLE = "github:repository:1042"
ORGANISATION = "github:organisation:example-org"


def outcomes(found: dict[str, Result]) -> dict[str, Outcome]:
    return {subject: result.outcome for subject, result in found.items()}


def listing(**change: Any) -> Any:
    return msgspec.structs.replace(LIST, **change)


@pytest.mark.parametrize("lost", [{"blind": DENIED}, {"branches": DENIED}])
def test_a_repository_that_could_not_be_read_is_unknown_and_names_the_grant(lost: dict[str, Any]) -> None:
    found = judge(EXPECT, LIST, repository(**lost))
    assert outcomes(found) == {WHOLE: Outcome.UNKNOWN}
    assert found[WHOLE].remedy == DENIED.grant
    assert "example-org/payments" in found[WHOLE].reason


def test_rules_that_could_not_be_read_make_each_expected_branch_unknown() -> None:
    found = judge(EXPECT, LIST, repository(rules=DENIED))
    assert outcomes(found) == {MAIN: Outcome.UNKNOWN}
    assert found[MAIN].remedy == DENIED.grant


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"archived": True}, "archived"),
        ({"default_branch": "", "branches": ()}, "empty"),
        ({"name": "a/b"}, "speaks of"),
    ],
)
def test_a_repository_with_nothing_to_judge_is_not_applicable(change: dict[str, Any], told: str) -> None:
    found = judge(EXPECT, LIST, repository(**change))
    assert outcomes(found) == {WHOLE: Outcome.NOT_APPLICABLE}
    assert told in found[WHOLE].reason


def test_a_named_branch_that_does_not_exist_is_told_only_if_branches_were_read() -> None:
    expect = expecting({"match": ["main", "stable", "rel/*"], "approvals": 2})
    found = judge(expect, LIST, repository())
    absent = "github:repository:1042:branch:stable"
    assert outcomes(found) == {MAIN: Outcome.PASS, absent: Outcome.NOT_APPLICABLE}
    assert "there is no stable" in found[absent].reason
    assert absent not in judge(expect, LIST, repository(branches=DENIED))


def test_patterns_that_no_branch_matches_leave_one_result() -> None:
    expect = expecting({"match": ["rel/*"], "approvals": 2})
    assert outcomes(judge(expect, LIST, repository())) == {WHOLE: Outcome.NOT_APPLICABLE}


@pytest.mark.parametrize(
    ("lists", "remedy"),
    [
        ((), "see the coverage of this scope, and sweep again"),
        ((listing(ids=DENIED),), DENIED.grant),
        ((listing(unseen=DENIED),), DENIED.grant),
        ((listing(unseen=DENIED), LIST), DENIED.grant),
    ],
)
def test_an_organisation_that_was_not_listed_whole_is_unknown(lists: tuple[Any, ...], remedy: str) -> None:
    found = judge(EXPECT, *lists, repository())
    assert outcomes(found) == {ORGANISATION: Outcome.UNKNOWN, MAIN: Outcome.PASS}
    assert found[ORGANISATION].remedy == remedy


def test_organisations_are_compared_without_case() -> None:
    found = judge(EXPECT, listing(organisation="Example-Org"), repository())
    assert outcomes(found) == {MAIN: Outcome.PASS}


def test_a_repository_that_is_listed_and_was_not_read_is_unknown() -> None:
    found = judge(EXPECT, listing(ids=(1042, 7)), repository())
    assert found["github:repository:7"].outcome is Outcome.UNKNOWN


def test_a_vanished_repository_is_unknown_under_its_own_subject() -> None:
    ref = EvidenceRef(kind="capture", name="list")
    found = judge(EXPECT, listing(vanished={7: "example-org/old"}, evidence=(ref,)), repository())
    gone = found["github:repository:7"]
    assert (gone.outcome, gone.scope, gone.evidence) == (Outcome.UNKNOWN, "github:example-org/old", (ref,))
    assert "was watched at the last sweep as example-org/old and is no longer listed" in gone.reason


def test_a_repository_that_was_read_has_not_vanished() -> None:
    assert WHOLE not in judge(EXPECT, listing(vanished={1042: "example-org/payments"}), repository())


def test_of_two_facts_of_a_repository_the_later_one_counts() -> None:
    later = repository(rules=(), at=NOW + timedelta(minutes=1))
    assert judge(EXPECT, LIST, repository(), later)[MAIN].outcome is Outcome.FAIL
    assert judge(EXPECT, LIST, later, repository())[MAIN].outcome is Outcome.FAIL


def test_without_facts_and_expectations_nothing_is_said_and_with_an_organisation_it_is_unknown() -> None:
    assert judge(RepositoryExpectations()) == {}
    assert outcomes(judge(EXPECT)) == {ORGANISATION: Outcome.UNKNOWN}


def test_no_results_grant_is_lost_where_two_lists_differ() -> None:
    other = Unknown("page 2 failed", "wait")
    found = judge(EXPECT, listing(unseen=DENIED), listing(unseen=other))
    assert found[ORGANISATION].remedy == "wait; write access to the ruleset"
