"""The lives of findings: what a sweep's results do to them."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import Outcome, Result
from monitor.store.reconcile import FindingState, Step, finding_id, latest, reconcile, restand, tally
from monitor.store.record import SealedResult, Standing

FAILING = (Outcome.FAIL, Outcome.ERROR, Outcome.UNKNOWN)
FINE = (Outcome.PASS, Outcome.NOT_APPLICABLE)
SUBJECTS = ("a", "b", "c", "d")

STATES = st.dictionaries(
    st.sampled_from([finding_id("check", subject) for subject in SUBJECTS]), st.sampled_from(FindingState)
)
RESULTS = st.lists(
    st.builds(
        lambda subject, outcome, index: sealed(subject, outcome, index),
        st.sampled_from(SUBJECTS),
        st.sampled_from(Outcome),
        st.integers(0, 50),
    ),
    unique_by=lambda one: one.index,
)


def sealed(subject: str, outcome: Outcome, index: int = 0) -> SealedResult:
    return SealedResult(Result(check="check", subject=subject, outcome=outcome, reason=""), index, f"{index:064x}")


def steps(known: dict[str, FindingState], *results: SealedResult) -> list[tuple[Step, FindingState]]:
    return [(move.step, move.state) for move in reconcile(known, latest(results))]


@pytest.mark.parametrize("outcome", FAILING)
@pytest.mark.parametrize(
    ("before", "step", "after"),
    [
        (None, Step.OPENED, FindingState.OPEN),
        (FindingState.OPEN, Step.KEPT, FindingState.OPEN),
        (FindingState.REOPENED, Step.KEPT, FindingState.REOPENED),
        (FindingState.RESOLVED, Step.REOPENED, FindingState.REOPENED),
    ],
)
def test_a_failing_subject_has_an_open_finding(
    outcome: Outcome, before: FindingState | None, step: Step, after: FindingState
) -> None:
    known = {finding_id("check", "a"): before} if before else {}
    assert steps(known, sealed("a", outcome)) == [(step, after)]


@pytest.mark.parametrize("outcome", FINE)
@pytest.mark.parametrize("before", [FindingState.OPEN, FindingState.REOPENED])
def test_a_fine_subject_resolves_its_open_finding(outcome: Outcome, before: FindingState) -> None:
    assert steps({finding_id("check", "a"): before}, sealed("a", outcome)) == [(Step.RESOLVED, FindingState.RESOLVED)]


@pytest.mark.parametrize("outcome", FINE)
@pytest.mark.parametrize("known", [{}, {finding_id("check", "a"): FindingState.RESOLVED}])
def test_a_fine_subject_without_an_open_finding_is_no_news(outcome: Outcome, known: dict[str, FindingState]) -> None:
    assert steps(known, sealed("a", outcome)) == []


@pytest.mark.parametrize("before", [FindingState.OPEN, FindingState.REOPENED])
@pytest.mark.parametrize("outcome", FAILING)
@pytest.mark.parametrize(
    ("was", "now", "step"),
    [(False, "", Step.KEPT), (False, "W", Step.KEPT), (True, "W", Step.KEPT), (True, "", Step.REOPENED)],
)
def test_a_finding_is_open_again_when_its_waiver_is_over(
    before: FindingState, outcome: Outcome, was: bool, now: str, step: Step
) -> None:
    known = {finding_id("check", "a"): before}
    result = Result(check="check", subject="a", outcome=outcome, reason="", waiver=now)
    (move,) = reconcile(known, latest([SealedResult(result, 0, "0")]), known.keys() if was else ())
    state = FindingState.REOPENED if step is Step.REOPENED else before
    assert (move.step, move.state) == (step, state)
    assert restand(before, "W" if was else "", Standing(waiver=now)) == (step, state)


@given(STATES)
def test_a_sweep_without_results_leaves_every_finding_as_it_is(known: dict[str, FindingState]) -> None:
    assert reconcile(known, {}) == ()


@given(STATES, RESULTS, st.randoms())
def test_the_order_of_results_does_not_matter(
    known: dict[str, FindingState], results: list[SealedResult], random: object
) -> None:
    shuffled = list(results)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert reconcile(known, latest(shuffled)) == reconcile(known, latest(results))


@given(STATES, RESULTS)
def test_the_same_results_again_change_no_state(known: dict[str, FindingState], results: list[SealedResult]) -> None:
    after = known | {move.finding: move.state for move in reconcile(known, latest(results))}
    again = reconcile(after, latest(results))
    assert all(move.step is Step.KEPT and move.state is after[move.finding] for move in again)


@given(STATES, RESULTS)
def test_no_pass_hides_a_failure_of_the_same_subject(
    known: dict[str, FindingState], results: list[SealedResult]
) -> None:
    after = known | {move.finding: move.state for move in reconcile(known, latest(results))}
    failing = {finding_id("check", one.result.subject) for one in results if one.result.outcome in FAILING}
    assert all(after[finding] is not FindingState.RESOLVED for finding in failing)


@given(STATES, RESULTS)
def test_every_move_is_told_once_and_sorted(known: dict[str, FindingState], results: list[SealedResult]) -> None:
    moves = reconcile(known, latest(results))
    told = tally((move.finding, move.step) for move in reversed(moves))
    groups = (told.opened, told.kept, told.reopened, told.resolved)
    assert sorted(finding for group in groups for finding in group) == [move.finding for move in moves]
    assert all(list(group) == sorted(group) for group in groups)


@given(st.text(), st.text(st.characters(exclude_categories=())))
def test_the_id_is_the_first_characters_of_the_digest_in_base32(check: str, subject: str) -> None:
    digest = hashlib.sha256(f"{check}\n{subject}".encode("utf-8", "surrogatepass")).digest()
    assert finding_id(check, subject) == "F-" + base64.b32encode(digest).decode()[:10]
