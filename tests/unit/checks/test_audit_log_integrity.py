"""The check `audit-log-integrity`: what passes, what fails, and what must never pass."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.audit_log_integrity import CHECK, LogExpectations
from monitor.facts.audit_log import ChainProblem, LogChain, LogStore, LogTrail, TrailList
from monitor.facts.change import Actor, ChangeEvent, ChangeSession
from monitor.model import EvidenceRef, Outcome, Result, Severity, Sweep, Unknown, Window

NOW = datetime(2026, 3, 14, tzinfo=UTC)
WINDOW = Window(NOW - timedelta(days=1), NOW)
SWEEP = Sweep(id="s1", planned_for=NOW, at=NOW, window=WINDOW)
PAYMENTS, TOOLING = "111122223333", "777788889999"
DENIED = Unknown("denied", "cloudtrail:GetTrailStatus in account 111122223333")
EXPECT = LogExpectations.model_validate(
    {
        "production": {
            "aws": {
                "accounts": [{"id": PAYMENTS, "name": "payments-prod", "regions": ["us-east-1", "eu-west-1"]}],
                "watched": [{"id": TOOLING, "name": "tooling", "regions": ["us-east-1"]}],
            }
        },
        "audit_logs": {
            "aws": {
                "retention_days": 365,
                "trails": [{"name": "org-trail", "account": TOOLING, "bucket": "example-org-trail"}],
            }
        },
    }
)
STORE = LogStore(name="example-org-trail", public=False, expires_after_days=None, versioned=True)
REF = EvidenceRef(kind="capture", name="cloudtrail:DescribeTrails", sha256="ab" * 32)
TRAIL = LogTrail(
    account=TOOLING,
    provider="aws",
    name="org-trail",
    identifier=f"arn:aws:cloudtrail:us-east-1:{TOOLING}:trail/org-trail",
    logging=True,
    all_regions=True,
    organisation_wide=True,
    validated=True,
    management_writes=True,
    store=STORE,
    evidence=(REF,),
)
CHAIN = LogChain(
    scope=f"aws:{PAYMENTS}:us-east-1", source="digests", window=WINDOW, digests=24, files=48, files_verified=48
)


def trail(**change: Any) -> LogTrail:
    return msgspec.structs.replace(TRAIL, **change)


def store(**change: Any) -> LogTrail:
    return trail(store=msgspec.structs.replace(STORE, **change))


def chain(**change: Any) -> LogChain:
    return msgspec.structs.replace(CHAIN, **change)


def trails(*found: LogTrail, account: str = PAYMENTS) -> TrailList:
    return TrailList(account=account, provider="aws", trails=found)


def judge(*facts: Any, expect: LogExpectations = EXPECT) -> dict[str, Result]:
    results = list(CHECK.evaluate(facts, expect, SWEEP))
    assert len({result.subject for result in results}) == len(results)
    return {result.subject: result for result in results}


def of_trail(*facts: Any) -> Result:
    return judge(*facts)[f"aws:{PAYMENTS}:trail"]


def of_chain(*facts: Any) -> Result:
    return undated(judge(*facts))[f"aws:{PAYMENTS}:us-east-1:chain"]


def undated(results):
    """Results by subject without the window that the subject of a chain names."""
    return {subject.partition("@")[0]: result for subject, result in results.items()}


def test_a_good_trail_passes_and_cites_what_it_saw() -> None:
    result = of_trail(trails(TRAIL))
    assert (result.outcome, result.remedy, result.evidence) == (Outcome.PASS, "", (REF,))
    assert result.reason.startswith("payments-prod: ")
    assert result.expected["retention_days"] == 365


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (trail(logging=False), "is stopped"),
        (trail(management_writes=False), "leaves out"),
        (trail(all_regions=False), "all regions"),
        (trail(validated=False), "validation"),
        (trail(organisation_wide=False), "another account"),
        (trail(name="other"), "not declared"),
        (store(name="elsewhere"), "fills bucket elsewhere, not example-org-trail"),
        (store(public=True), "open to the public"),
        (store(expires_after_days=30), "before 365 days (after 30)"),
        (store(expires_after_days=0), "before 365 days (after 0)"),
    ],
)
def test_each_fault_of_the_only_trail_fails(bad: LogTrail, told: str) -> None:
    result = of_trail(trails(bad))
    assert result.outcome is Outcome.FAIL
    assert told in result.reason
    assert result.remedy


@pytest.mark.parametrize(
    "unclear",
    [
        *(
            trail(**{f: DENIED})
            for f in ("logging", "management_writes", "all_regions", "organisation_wide", "validated")
        ),
        store(public=DENIED),
        store(expires_after_days=DENIED),
        trail(store=None),
    ],
)
def test_an_unknown_field_never_passes(unclear: LogTrail) -> None:
    assert of_trail(trails(unclear)).outcome is Outcome.UNKNOWN


def test_a_definite_fault_outranks_an_unknown() -> None:
    result = of_trail(trails(trail(logging=False, validated=DENIED)))
    assert result.outcome is Outcome.FAIL
    assert "is stopped" in result.reason


def test_one_good_trail_is_enough() -> None:
    assert of_trail(trails(trail(logging=False, identifier="a"), TRAIL)).outcome is Outcome.PASS


def test_a_trail_that_may_be_good_keeps_a_bad_one_from_being_the_verdict() -> None:
    assert of_trail(trails(trail(logging=False, identifier="a"), trail(logging=DENIED))).outcome is Outcome.UNKNOWN


def test_an_account_without_a_trail_fails_and_one_that_was_not_read_is_unknown() -> None:
    assert of_trail(trails()).outcome is Outcome.FAIL
    unread = of_trail(TrailList(account=PAYMENTS, provider="aws", trails=DENIED))
    assert (unread.outcome, unread.remedy) == (Outcome.UNKNOWN, DENIED.grant)
    assert of_trail().outcome is Outcome.UNKNOWN


def test_watched_accounts_are_judged_too_and_others_are_not() -> None:
    results = judge(trails(TRAIL, account="444455556666"))
    assert results[f"aws:{TOOLING}:trail"].outcome is Outcome.UNKNOWN
    assert "aws:444455556666:trail" not in results


def test_an_account_keeps_its_own_trail_without_an_organisation() -> None:
    assert (
        judge(trails(trail(organisation_wide=False), account=TOOLING))[f"aws:{TOOLING}:trail"].outcome is Outcome.PASS
    )


def test_without_declared_logs_any_trail_that_keeps_its_log_will_do() -> None:
    expect = LogExpectations(production=EXPECT.production)
    results = judge(trails(trail(name="any")), expect=expect)
    assert results[f"aws:{PAYMENTS}:trail"].outcome is Outcome.PASS


def test_a_whole_chain_passes() -> None:
    assert of_chain(CHAIN).outcome is Outcome.PASS


GAP = ChainProblem(kind="gap", name="x", detail="no digest", start=NOW - timedelta(hours=3), end=NOW)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (chain(problems=(GAP,)), Outcome.FAIL),
        (chain(problems=(GAP,), unproven=(DENIED,)), Outcome.FAIL),
        (chain(unproven=(DENIED,)), Outcome.UNKNOWN),
        (chain(files_verified=47), Outcome.UNKNOWN),
        (chain(digests=0, files=0, files_verified=0), Outcome.UNKNOWN),
    ],
)
def test_a_chain_that_is_not_whole_never_passes(found: LogChain, expected: Outcome) -> None:
    result = of_chain(found)
    assert result.outcome is expected
    assert result.remedy


def test_a_declared_scope_without_chain_is_unknown() -> None:
    outcomes = {subject: r.outcome for subject, r in undated(judge(CHAIN)).items() if subject.endswith(":chain")}
    assert outcomes == {
        f"aws:{PAYMENTS}:us-east-1:chain": Outcome.PASS,
        f"aws:{PAYMENTS}:eu-west-1:chain": Outcome.UNKNOWN,
        f"aws:{TOOLING}:us-east-1:chain": Outcome.UNKNOWN,
    }


def test_a_scope_of_which_nothing_was_due_is_left_as_the_last_sweep_judged_it() -> None:
    nothing_due = chain(window=Window(NOW, NOW), digests=0, files=0, files_verified=0)
    assert f"aws:{PAYMENTS}:us-east-1:chain" not in undated(judge(nothing_due))
    assert of_chain(nothing_due, CHAIN).outcome is Outcome.PASS


def test_a_broken_chain_outside_the_declared_scopes_is_told() -> None:
    subject = "aws:444455556666:us-east-1:chain"
    assert undated(judge(chain(scope="aws:444455556666:us-east-1", problems=(GAP,))))[subject].outcome is Outcome.FAIL


def write(number: int, action: str, blinds: str = "") -> ChangeEvent:
    return ChangeEvent(
        id=f"e{number}",
        time=NOW + timedelta(minutes=number),
        provider="aws",
        account="444455556666",
        region="us-east-1",
        action=action,
        actor=Actor(name="root"),
        blinds=blinds,
        evidence=EvidenceRef(kind="log-object", name=f"log/{number}"),
    )


def session(*writes: ChangeEvent, id: str = "aws:444455556666:session:1") -> ChangeSession:
    actor = Actor(kind="Root", name="root", human="root")
    return ChangeSession(id=id, provider="aws", account="444455556666", actor=actor, writes=writes)


STOP = write(2, "cloudtrail:StopLogging", "stops the log")
START = write(6, "cloudtrail:StartLogging", "starts the log")
OTHER = write(4, "iam:CreateUser")


def test_a_session_that_blinds_the_log_fails_wherever_it_comes_from_and_names_the_calls_in_order() -> None:
    result = judge(session(START, OTHER, STOP))["aws:444455556666:session:1:blinding"]
    assert (result.outcome, result.severity, result.actor) == (Outcome.FAIL, Severity.CRITICAL, "root")
    assert result.reason.index("StopLogging") < result.reason.index("StartLogging")
    assert [w["action"] for w in result.observed["writes"] if w["accused"]] == [
        "cloudtrail:StopLogging",
        "cloudtrail:StartLogging",
    ]
    assert [ref.name for ref in result.evidence] == ["log/2", "log/4", "log/6"]


def test_a_session_that_blinds_nothing_is_no_subject_here() -> None:
    assert not [subject for subject in judge(session(OTHER)) if subject.endswith(":blinding")]


def test_one_session_told_twice_is_one_subject() -> None:
    together, apart = judge(session(STOP, START)), judge(session(START), session(STOP), session(STOP))
    assert together == apart


MAYBE = st.booleans() | st.just(DENIED)
TRAILS = st.builds(
    trail,
    account=st.sampled_from([PAYMENTS, TOOLING, "444455556666"]),
    name=st.sampled_from(["org-trail", "other"]),
    identifier=st.text(max_size=2),
    logging=MAYBE,
    all_regions=MAYBE,
    organisation_wide=MAYBE,
    validated=MAYBE,
    management_writes=MAYBE,
    store=st.none()
    | st.builds(
        LogStore,
        name=st.sampled_from(["example-org-trail", "x"]),
        public=MAYBE,
        expires_after_days=st.none() | st.integers(0, 800) | st.just(DENIED),
        versioned=MAYBE,
    ),
)
PROBLEMS = st.builds(ChainProblem, kind=st.sampled_from(["gap", "altered-file"]), name=st.text(), detail=st.text())
FACTS = (
    st.builds(
        TrailList,
        account=st.sampled_from([PAYMENTS, TOOLING]),
        provider=st.just("aws"),
        trails=st.lists(TRAILS, max_size=3).map(tuple) | st.just(DENIED),
    )
    | st.builds(
        chain,
        scope=st.sampled_from([*EXPECT.production.scopes(), "aws:1:x", ""]),
        digests=st.integers(0, 3),
        files=st.integers(0, 3),
        files_verified=st.integers(0, 3),
        problems=st.lists(PROBLEMS, max_size=2).map(tuple),
        unproven=st.lists(st.builds(Unknown, st.text(), st.text()), max_size=2).map(tuple),
    )
    | st.builds(
        session,
        st.builds(write, st.integers(0, 3), st.text(), st.text(max_size=3)),
        id=st.sampled_from(["a", "b"]),
    )
)


@given(st.lists(FACTS, max_size=6), st.randoms(use_true_random=False))
def test_results_do_not_depend_on_the_order_of_facts(facts: list[Any], shuffle: random.Random) -> None:
    # Two events that share an id and differ in content do not happen: the decoder keeps one an id.
    if len({w.id for f in facts if isinstance(f, ChangeSession) for w in f.writes}) != sum(
        isinstance(f, ChangeSession) for f in facts
    ):
        return
    first = list(CHECK.evaluate(facts, EXPECT, SWEEP))
    shuffled = facts[:]
    shuffle.shuffle(shuffled)
    assert list(CHECK.evaluate(shuffled, EXPECT, SWEEP)) == first
    assert len({result.subject for result in first}) == len(first)


@given(TRAILS)
def test_only_a_trail_that_is_known_to_be_good_in_all_passes(found: LogTrail) -> None:
    kept = found.store and found.store.expires_after_days
    good = (
        found.name == "org-trail"
        and found.account == TOOLING
        and all(
            field is True
            for field in (
                found.logging,
                found.all_regions,
                found.organisation_wide,
                found.validated,
                found.management_writes,
            )
        )
        and found.store is not None
        and found.store.name == "example-org-trail"
        and found.store.public is False
        and (kept is None or (isinstance(kept, int) and kept >= 365))
    )
    assert (of_trail(trails(found)).outcome is Outcome.PASS) == good


def test_the_gap_of_one_window_is_another_subject_than_the_next_window() -> None:
    later = Window(CHAIN.window.end, CHAIN.window.end + timedelta(days=1))

    gap, whole = (
        next(subject for subject in judge(fact) if subject.startswith(f"aws:{PAYMENTS}:us-east-1:chain"))
        for fact in (chain(problems=(GAP,)), chain(window=later))
    )

    assert gap != whole
    assert gap.startswith(f"aws:{PAYMENTS}:us-east-1:chain@")
