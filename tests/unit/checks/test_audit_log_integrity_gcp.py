"""The check `audit-log-integrity` of projects: what passes, what fails, and what must never pass."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from checks.audit_log_integrity import CHECK, LogExpectations
from monitor.facts.audit_log import LogRoute, LogState, LogStore
from monitor.model import EvidenceRef, Outcome, Result, Severity, Sweep, Unknown, Window

NOW = datetime(2026, 3, 14, tzinfo=UTC)
SWEEP = Sweep(id="s1", planned_for=NOW, at=NOW, window=Window(NOW - timedelta(days=1), NOW))
PROJECT, HERE, ABOVE = "example-prod", "projects/example-prod", "organizations/123456789012"
SINK = {
    "name": "audit",
    "parent": ABOVE,
    "destination": "logging.googleapis.com/projects/logs-1/locations/eu/buckets/audit",
}
DENIED = Unknown("denied", "logging.sinks.list on organizations/123456789012")
REF = EvidenceRef(kind="capture", name="logging.projects.sinks.list", sha256="ab" * 32)
STORE = LogStore(name="audit", public=DENIED, expires_after_days=730, versioned=DENIED, locked=True)
ROUTE = LogRoute(
    name="audit",
    identifier=f"{ABOVE}/sinks/audit",
    owner=ABOVE,
    destination=SINK["destination"],
    disabled=False,
    covers_children=True,
    narrowed_by=(),
    issuing_narrowed_by=(),
    store=STORE,
)
DEFAULT = msgspec.structs.replace(
    ROUTE,
    name="_Default",
    identifier=f"{HERE}/sinks/_Default",
    owner=HERE,
    covers_children=False,
    narrowed_by=("filter",),
    built_in=True,
    store=None,
)
STATE = LogState(
    provider="gcp",
    account=PROJECT,
    at=NOW,
    places=(HERE, "folders/2", ABOVE),
    routes=(ROUTE, DEFAULT),
    always_on=True,
    kept_days=400,
    data_access=("sts.googleapis.com", "iam.googleapis.com"),
    exempted=(),
    evidence=(REF,),
)


def expect(gcp: dict[str, Any] | None) -> LogExpectations:
    projects = [{"id": PROJECT, "name": "shop"}]
    return LogExpectations.model_validate(
        {"production": {"gcp": {"projects": projects}}, "audit_logs": {} if gcp is None else {"gcp": gcp}}
    )


WHOLE = {"retention_days": 365, "sinks": [SINK]}
NO_SINKS = {"retention_days": 400}


def of(*facts: Any, gcp: dict[str, Any] | None = WHOLE) -> Result:
    (result,) = CHECK.evaluate(facts, expect(gcp), SWEEP)
    assert (result.subject, result.scope) == (f"gcp:{PROJECT}:log", f"gcp:{PROJECT}")
    return result


def state(**change: Any) -> LogState:
    return msgspec.structs.replace(STATE, **change)


def route(**change: Any) -> LogState:
    return state(routes=(msgspec.structs.replace(ROUTE, **change), DEFAULT))


def store(**change: Any) -> LogState:
    return route(store=msgspec.structs.replace(STORE, **change))


def test_a_log_as_declared_passes_and_cites_what_it_saw() -> None:
    result = of(STATE)
    assert (result.outcome, result.remedy, result.evidence) == (Outcome.PASS, "", (REF,))
    assert result.reason.startswith("shop: ")
    assert result.expected["retention_days"] == 365
    assert [one["sink"] for one in result.observed["sinks"]] == [ROUTE.identifier, DEFAULT.identifier]


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (state(routes=(DEFAULT,)), "sink organizations/123456789012/sinks/audit is missing"),
        (route(disabled=True), "is disabled"),
        (route(narrowed_by=("filter severity>=ERROR",)), "leaves records of changes out: filter severity>=ERROR"),
        (route(destination="storage.googleapis.com/mine"), "goes to storage.googleapis.com/mine, not to logging"),
        (route(covers_children=False), "does not cover what is below it"),
        (store(expires_after_days=30), "keeps 30 days, not 365"),
        (state(places=(HERE, "organizations/9")), "none of the declared sinks is set on it or above it"),
        (state(data_access=(), unlogged=("sts.googleapis.com",)), "sts.googleapis.com is not logged"),
        (state(exempted=("user:a@example.com: ADMIN_READ",)), "exempted from the log of issuing credentials: user:a@"),
        (
            state(
                routes=(
                    msgspec.structs.replace(ROUTE, issuing_narrowed_by=("f",)),
                    msgspec.structs.replace(DEFAULT, disabled=True),
                )
            ),
            "no sink keeps the records of issuing credentials whole",
        ),
    ],
)
def test_each_fault_fails(bad: LogState, told: str) -> None:
    result = of(bad)
    assert (result.outcome, result.severity) == (Outcome.FAIL, Severity.HIGH)
    assert told in result.reason
    assert result.remedy


@pytest.mark.parametrize(
    "unclear",
    [
        route(disabled=DENIED),
        route(narrowed_by=DENIED),
        route(covers_children=DENIED),
        store(expires_after_days=DENIED),
        state(routes=(DEFAULT,), unread=((ABOVE, DENIED),)),
        state(places=(HERE,), routes=(DEFAULT,), unread=(("", DENIED),)),
        state(data_access=DENIED),
        state(exempted=DENIED),
        state(
            routes=(
                msgspec.structs.replace(ROUTE, issuing_narrowed_by=DENIED),
                msgspec.structs.replace(DEFAULT, disabled=True),
            )
        ),
    ],
)
def test_what_could_not_be_read_never_passes(unclear: LogState) -> None:
    result = of(unclear)
    assert result.outcome is Outcome.UNKNOWN
    assert DENIED.grant in result.remedy


def test_no_fact_is_unknown() -> None:
    assert of().outcome is Outcome.UNKNOWN
    assert of(gcp=None).outcome is Outcome.UNKNOWN
    assert of(state(account="other")).outcome is Outcome.UNKNOWN


def test_a_definite_fault_outranks_an_unknown() -> None:
    result = of(msgspec.structs.replace(route(disabled=True), data_access=DENIED))
    assert result.outcome is Outcome.FAIL
    assert "is disabled" in result.reason
    assert result.observed["unknown"]


def test_without_sinks_the_log_that_is_always_on_is_enough_for_as_long_as_it_is_kept() -> None:
    only = state(routes=(DEFAULT,))
    assert of(only, gcp=NO_SINKS).outcome is Outcome.PASS
    longer = of(only, gcp={"retention_days": 401})
    assert longer.outcome is Outcome.FAIL
    assert "less than 401 days" in longer.reason
    assert of(state(routes=(DEFAULT,), always_on=DENIED), gcp=NO_SINKS).outcome is Outcome.UNKNOWN
    assert of(state(routes=(DEFAULT,), always_on=False), gcp=NO_SINKS).outcome is Outcome.FAIL


def test_a_destination_that_is_not_read_leans_on_the_log_that_is_always_on() -> None:
    assert of(route(store=None)).outcome is Outcome.PASS
    assert of(route(store=None), gcp={**WHOLE, "retention_days": 730}).outcome is Outcome.UNKNOWN
    assert of(msgspec.structs.replace(route(store=None), always_on=DENIED)).outcome is Outcome.UNKNOWN


def test_session_proof_is_judged_where_it_is_demanded() -> None:
    off = state(data_access=(), unlogged=("sts.googleapis.com",), exempted=("user:a@example.com",))
    assert of(off).outcome is Outcome.FAIL
    assert of(off, gcp={**WHOLE, "session_proof": False}).outcome is Outcome.PASS


def test_a_missing_section_demands_only_what_needs_no_declaration() -> None:
    off = state(routes=(), data_access=(), unlogged=("sts.googleapis.com",))
    assert of(off, gcp=None).outcome is Outcome.PASS
    assert of(state(always_on=DENIED), gcp=None).outcome is Outcome.UNKNOWN


def test_a_sink_of_another_project_is_not_asked_of_this_one() -> None:
    mine = {"name": "mine", "parent": HERE, "destination": "storage.googleapis.com/mine"}
    others = {**mine, "parent": "projects/example-batch"}
    own = msgspec.structs.replace(
        ROUTE, name="mine", identifier="x", owner=HERE, destination=mine["destination"], covers_children=False
    )
    assert of(state(routes=(own, DEFAULT)), gcp={**WHOLE, "sinks": [mine, others]}).outcome is Outcome.PASS
    # Nothing above could be it.
    alone = of(state(places=(HERE,), unread=(("", DENIED),)), gcp={**WHOLE, "sinks": [others]})
    assert alone.outcome is Outcome.FAIL


def test_order_of_facts_does_not_matter_and_two_of_a_project_are_one_result() -> None:
    facts: list[Any] = [STATE, route(disabled=True), state(account="other"), route(narrowed_by=DENIED)]
    first = of(*facts)
    for _ in range(5):
        random.shuffle(facts)
        assert of(*facts) == first
    assert first.outcome is Outcome.FAIL
