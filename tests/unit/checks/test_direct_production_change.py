"""The check `direct-production-change`: sessions as a whole, and what is said of the log of each scope."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from checks.direct_production_change import CHECK, Expect
from monitor.facts.change import ChangeSession
from monitor.model import ChangeClass, CoverageStatus, Outcome, Result, ScopeCoverage, Severity, Sweep, Window
from tests.unit.facts.made import (
    AT,
    DATA,
    ISSUER,
    PAYMENTS,
    PERSON,
    SUBJECT,
    TOOLING,
    exchange,
    joined,
    minute,
    one,
    role_actor,
    user_actor,
    write,
)

WINDOW = Window(AT, AT + timedelta(days=1))
SCOPES = (f"aws:{PAYMENTS}:us-east-1", f"aws:{PAYMENTS}:eu-west-1", f"aws:{DATA}:us-east-1")


def arn(role: str) -> str:
    return f"arn:aws:iam::{PAYMENTS}:role/{role}"


EXPECT = Expect.model_validate(
    {
        "production": {
            "aws": {
                "accounts": [
                    {"id": PAYMENTS, "name": "payments-prod", "regions": ["us-east-1", "eu-west-1"]},
                    {"id": DATA, "name": "data-prod", "regions": ["us-east-1"]},
                ],
                "watched": [{"id": TOOLING, "name": "tooling", "regions": ["us-east-1"]}],
            }
        },
        "deploy_identities": [
            {
                "id": "payments-deploy",
                "principals": [arn("payments-deploy")],
                "proof": {"token": {"issuer": ISSUER, "subjects": [SUBJECT], "audience": "sts.amazonaws.com"}},
            }
        ],
        "trusted_services": [
            {"id": "forwarder", "principals": [arn("forwarder")], "actions": ["logs:CreateLogStream"], "reason": "x"}
        ],
        "break_glass": [{"id": "oncall", "principals": [arn("BreakGlass")], "reason": "x"}],
        "emergency_changes": [
            {
                "id": "EC-1",
                "ticket": "OPS-1",
                "approver": "manager",
                "identities": ["oncall"],
                "from": minute(0),
                "to": minute(60),
                "reason": "x",
            }
        ],
        "standard_changes": [
            {
                "id": "restart",
                "actions": ["ecs:UpdateService"],
                "principals": [arn("operator")],
                "runbook": "x",
                "approved_by": "cab",
                "review_by": "2026-12-31",
            }
        ],
    }
)


def covered(scope: str, status: CoverageStatus = CoverageStatus.COMPLETE, **over: Any) -> ScopeCoverage:
    values: dict[str, Any] = {"scope": scope, "source": "aws.logs", "status": status, "window": WINDOW, **over}
    return ScopeCoverage(**values)


COMPLETE = tuple(covered(scope) for scope in SCOPES)


def judge(
    *sessions: ChangeSession, coverage: Sequence[ScopeCoverage] = COMPLETE, expect: Expect = EXPECT
) -> dict[str, Result]:
    sweep = Sweep(id="s1", planned_for=AT, at=AT, window=WINDOW, coverage=tuple(coverage))
    results = list(CHECK.evaluate(sessions, expect, sweep))
    assert len({result.subject for result in results}) == len(results)
    return {result.subject: result for result in results}


def of(session: ChangeSession) -> Result:
    return judge(session)[session.id]


def log_of(scope: str, coverage: Sequence[ScopeCoverage]) -> Result:
    (result,) = [r for s, r in judge(coverage=coverage).items() if s.startswith(f"{scope}:log@")]
    return result


def outcomes(coverage: Sequence[ScopeCoverage]) -> dict[str, Outcome]:
    """Return what is said of the log of each scope."""
    return {s.partition(":log@")[0]: r.outcome for s, r in judge(coverage=coverage).items() if ":log@" in s}


OPERATOR, GLASS, FORWARDER = role_actor("operator"), role_actor("BreakGlass"), role_actor("forwarder")
OPERATOR_HUB = role_actor("hub", "ASIAHUB", account=TOOLING)
STREAM = "logs:CreateLogStream"


class TestSessions:
    def test_four_hundred_writes_of_a_person_are_one_finding_that_lists_them(self) -> None:
        session = one(*(write(f"w{n}", PERSON, time=minute(n)) for n in range(400)))
        result = of(session)
        assert (result.outcome, result.change_class) == (Outcome.FAIL, ChangeClass.DIRECT)
        assert len(result.observed["writes"]) == 400
        assert all(w["accused"] for w in result.observed["writes"])
        assert result.reason.startswith("400 writes by a person (single sign-on)")
        assert result.remedy
        assert len(result.evidence) == 400

    def test_a_session_that_is_partly_explained_fails_for_the_rest_alone(self) -> None:
        session = one(
            write("a", GLASS, time=minute(59)), write("b", GLASS, time=minute(60)), write("c", GLASS, time=minute(61))
        )
        result = of(session)
        assert (result.outcome, result.change_class) == (Outcome.FAIL, ChangeClass.DIRECT)
        assert [(w["id"], w["accused"]) for w in result.observed["writes"]] == [("a", False), ("b", True), ("c", True)]
        assert result.observed["classes"] == {"emergency": 1, "direct": 2}

    def test_one_write_outside_the_catalogue_is_accused_and_the_pre_approved_ones_are_not(self) -> None:
        session = one(write("a", OPERATOR), write("b", OPERATOR, action="ecs:DeleteService", severity=Severity.HIGH))
        result = of(session)
        assert [(w["id"], w["accused"]) for w in result.observed["writes"]] == [("a", False), ("b", True)]
        assert result.severity is Severity.HIGH

    @pytest.mark.parametrize(
        ("session", "change_class"),
        [
            (one(exchanges=[exchange()]), ChangeClass.NORMAL),
            (one(write(actor=GLASS)), ChangeClass.EMERGENCY),
            (one(write(actor=OPERATOR)), ChangeClass.STANDARD),
            (one(write(actor=FORWARDER, action="logs:CreateLogStream")), None),
            (one(write(actor=role_actor("x", service="ecs.amazonaws.com"))), None),
        ],
        ids=["pipeline", "emergency", "standard", "forwarder", "service"],
    )
    def test_each_way_of_changing_production_passes_with_its_class(
        self, session: ChangeSession, change_class: ChangeClass | None
    ) -> None:
        result = of(session)
        assert (result.outcome, result.change_class, result.remedy) == (Outcome.PASS, change_class, "")
        assert not any(w["accused"] for w in result.observed["writes"])

    def test_severity_is_that_of_the_worst_accused_write(self) -> None:
        writes = [write(f"w{n}", PERSON, severity=s) for n, s in enumerate(Severity)]
        assert of(one(*writes)).severity is Severity.CRITICAL
        assert of(one(*writes[2:])).severity is Severity.MEDIUM

    @pytest.mark.parametrize(
        "session",
        [
            one(),
            one(exchanges=[exchange(subject="repo:example-org/payments:pull_request")]),
            one(write(actor=role_actor(human="from the console")), exchanges=[exchange()]),
        ],
        ids=["unknown", "wrong subject", "console"],
    )
    def test_an_unproven_pipeline_session_is_left_to_the_other_check(self, session: ChangeSession) -> None:
        assert session.id not in judge(session)

    def test_accounts_that_are_not_production_are_passed_over(self) -> None:
        elsewhere = [one(write(actor=PERSON, account=account)) for account in (TOOLING, "999900001111")]
        assert not {s.id for s in elsewhere} & judge(*elsewhere).keys()

    def test_another_providers_account_of_the_same_number_is_not_production(self) -> None:
        session = one(write(actor=PERSON, provider="gcp"))
        assert session.id not in judge(session)

    def test_a_write_without_account_is_unknown_and_cites_its_object(self) -> None:
        result = of(one(write(actor=PERSON, account="")))
        assert result.outcome is Outcome.UNKNOWN
        assert result.evidence

    def test_every_result_says_where_it_is_and_cites_its_objects(self) -> None:
        session = one(exchanges=[exchange()])
        result = of(session)
        assert (result.scope, result.evidence) == (f"aws:{PAYMENTS}", session.references())

    @pytest.mark.parametrize(
        "session",
        [
            one(write(actor=FORWARDER, action=STREAM), exchanges=[exchange(kind="role", source=PERSON)]),
            one(write(actor=FORWARDER, action=STREAM), exchanges=[exchange(kind="role", source=user_actor())]),
            one(write(actor=role_actor("forwarder", human="from the console"), action=STREAM)),
            one(
                write(actor=FORWARDER, action=STREAM),
                exchanges=[exchange(kind="role", source=OPERATOR_HUB), exchange("ASIAHUB", "role", PERSON)],
            ),
        ],
        ids=["person", "user", "console", "person behind a role"],
    )
    def test_a_trusted_service_that_a_person_took_is_not_excused(self, session: ChangeSession) -> None:
        result = of(session)
        assert (result.outcome, result.change_class) == (Outcome.FAIL, ChangeClass.DIRECT)

    def test_a_trusted_service_that_a_machine_took_is(self) -> None:
        chain = [exchange(kind="role", source=OPERATOR_HUB), exchange("ASIAHUB", "service")]
        assert of(one(write(actor=FORWARDER, action=STREAM), exchanges=chain)).outcome is Outcome.PASS

    @pytest.mark.parametrize("seed", range(4))
    def test_the_order_of_sessions_and_of_coverage_does_not_matter(self, seed: int) -> None:
        actors = [PERSON, OPERATOR, GLASS, FORWARDER, user_actor(), role_actor(), role_actor("x")]
        sessions = list(joined([write(f"w{n}", actor) for n, actor in enumerate(actors)], [exchange()]))
        coverage = [*COMPLETE[:2], covered(SCOPES[2], CoverageStatus.DENIED, reason="no", grant="s3:GetObject")]
        expected = judge(*sessions, coverage=coverage)
        random.Random(seed).shuffle(sessions)
        random.Random(seed).shuffle(coverage)
        assert judge(*sessions, coverage=coverage) == expected


WHOLE = dict.fromkeys(SCOPES, Outcome.PASS)


class TestTheLogOfAScope:
    def test_a_scope_whose_log_was_read_whole_passes_with_its_counts(self) -> None:
        session = one(*(write(f"w{n}", OPERATOR) for n in range(3)))
        coverage = [covered(s, counts={"events": 5 + n, "writes": 3}) for n, s in enumerate(SCOPES)]
        coverage += [covered(s, source="aws.digests", counts={"digests": 24}) for s in SCOPES]
        results = judge(session, coverage=coverage)
        (result,) = [r for s, r in results.items() if s.startswith(f"{SCOPES[1]}:log@")]
        assert (result.outcome, result.remedy, result.scope) == (Outcome.PASS, "", SCOPES[1])
        assert "3 writes" in result.reason
        assert result.observed["counts"] == {"digests": 24, "events": 6, "writes": 3}

    @pytest.mark.parametrize("source", ["aws.logs", "aws.digests"])
    @pytest.mark.parametrize("status", [s for s in CoverageStatus if s is not CoverageStatus.COMPLETE])
    @pytest.mark.parametrize("scope", SCOPES[:2])
    def test_a_region_that_was_not_read_or_proven_whole_is_unknown_and_no_other(
        self, status: CoverageStatus, scope: str, source: str
    ) -> None:
        broken = covered(
            scope, status, source=source, reason="two objects", grant="s3:GetObject on it", gaps=("a.json.gz: cut",)
        )
        both = [*COMPLETE, *(covered(s, source="aws.digests") for s in SCOPES)]
        coverage = [broken, *(c for c in both if (c.scope, c.source) != (scope, source))]
        result = log_of(scope, coverage)
        assert result.outcome is Outcome.UNKNOWN
        assert f"{source} {status.value}: two objects" in result.reason
        assert "s3:GetObject on it" in result.remedy
        assert result.observed["gaps"] == ["a.json.gz: cut"]
        assert outcomes(coverage) == WHOLE | {scope: Outcome.UNKNOWN}

    @pytest.mark.parametrize("scope", SCOPES[:2])
    def test_a_declared_region_of_which_nothing_is_told_is_unknown(self, scope: str) -> None:
        coverage = [c for c in COMPLETE if c.scope != scope]
        assert outcomes(coverage) == WHOLE | {scope: Outcome.UNKNOWN}
        assert "nothing was read" in log_of(scope, coverage).reason

    def test_no_coverage_at_all_is_unknown(self) -> None:
        assert outcomes([]) == dict.fromkeys(SCOPES, Outcome.UNKNOWN)

    def test_a_region_that_is_not_declared_counts_too(self) -> None:
        there = f"aws:{PAYMENTS}:ap-southeast-2"
        stranger = covered(there, CoverageStatus.PARTIAL, reason="damaged")
        assert outcomes([*COMPLETE, stranger]) == WHOLE | {there: Outcome.UNKNOWN}

    def test_proof_without_events_says_nothing_of_the_log(self) -> None:
        assert set(outcomes([covered(scope, source="aws.digests") for scope in SCOPES]).values()) == {Outcome.UNKNOWN}

    def test_other_sources_say_nothing_of_the_log(self) -> None:
        for status in (CoverageStatus.DENIED, CoverageStatus.COMPLETE):
            settings = [covered(scope, status, source="aws.trails") for scope in SCOPES]
            assert outcomes([*COMPLETE, *settings]) == WHOLE
            assert set(outcomes(settings).values()) == {Outcome.UNKNOWN}

    @pytest.mark.parametrize("complete_first", [True, False])
    def test_of_two_readings_of_a_region_the_lacking_one_counts(self, complete_first: bool) -> None:
        again = covered(SCOPES[0], CoverageStatus.PARTIAL, reason="damaged")
        coverage = [*COMPLETE, again] if complete_first else [again, *COMPLETE]
        assert outcomes(coverage) == WHOLE | {SCOPES[0]: Outcome.UNKNOWN}

    @pytest.mark.parametrize("source", ["aws.logs", "aws.digests"])
    def test_what_is_told_of_a_whole_account_or_provider_holds_for_each_of_its_scopes(self, source: str) -> None:
        # A scope may be a prefix of provider:account:region.
        account = covered(f"aws:{PAYMENTS}", CoverageStatus.DENIED, source=source, reason="cannot list")
        assert outcomes([*COMPLETE, account]) == WHOLE | dict.fromkeys(SCOPES[:2], Outcome.UNKNOWN)
        provider = covered("aws", CoverageStatus.DENIED, source=source, reason="cannot list")
        assert outcomes([*COMPLETE, provider]) == dict.fromkeys(SCOPES, Outcome.UNKNOWN)
        assert outcomes([covered("aws"), *COMPLETE[:1]]) == WHOLE

    @pytest.mark.parametrize("account_first", [True, False])
    def test_it_holds_for_a_region_that_is_not_declared_too_in_any_order(self, account_first: bool) -> None:
        there = covered(f"aws:{PAYMENTS}:ap-southeast-2")
        account = covered(f"aws:{PAYMENTS}", CoverageStatus.DENIED, reason="cannot list")
        found = outcomes([*COMPLETE, *([account, there] if account_first else [there, account])])
        assert found[there.scope] is Outcome.UNKNOWN

    def test_an_account_whose_number_begins_alike_is_another(self) -> None:
        other = covered(f"aws:{PAYMENTS}4:us-east-1", CoverageStatus.DENIED)
        assert outcomes([*COMPLETE, other]) == WHOLE

    def test_each_window_is_a_subject_of_its_own_so_that_a_gap_stays_on_record(self) -> None:
        later = Window(WINDOW.end, WINDOW.end + timedelta(days=1))
        first = log_of(SCOPES[0], COMPLETE)
        second = log_of(SCOPES[0], [covered(s, window=later) for s in SCOPES])
        assert first.subject == f"{SCOPES[0]}:log@2026-03-09T10:00Z"
        assert second.subject == f"{SCOPES[0]}:log@2026-03-10T10:00Z"

    def test_there_is_one_for_each_scope_of_production_even_without_any_write(self) -> None:
        assert outcomes(COMPLETE) == WHOLE
