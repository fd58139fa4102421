"""Laws of the two checks on sessions, over any sessions that can be made."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from checks import direct_production_change, pipeline_session_proof
from monitor.expected.load import load
from monitor.facts.change import Actor, ChangeEvent, ChangeSession, TokenExchange
from monitor.facts.session import Exchanges, join
from monitor.model import CoverageStatus, Outcome, Result, ScopeCoverage, Severity, Sweep, Unknown, Window
from tests.unit.facts.made import (
    AT,
    DATA,
    ISSUER,
    PAYMENTS,
    PERSON,
    SUBJECT,
    TOOLING,
    exchange,
    one,
    role_actor,
    user_actor,
    write,
)
from tests.unit.sweep.cases import CONFIG

STATE = load(CONFIG)
CHECKS = [(module.CHECK, STATE.build(module.Expect)) for module in (direct_production_change, pipeline_session_proof)]
WINDOW = Window(AT, AT + timedelta(days=1))
SCOPES = [f"aws:{PAYMENTS}:us-east-1", f"aws:{PAYMENTS}:eu-west-1", f"aws:{DATA}:us-east-1"]

texts = st.text(max_size=8) | st.sampled_from(["\ud800", "\x00", "=1+1", "<b>", "\u202e", "../x", "a\nb", "*"])
moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)) | st.sampled_from(
    [
        AT,
        datetime(2026, 3, 14, 1, tzinfo=UTC),
        datetime(2026, 3, 14, 4, tzinfo=UTC),
        datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC),
    ]
)
accounts = st.sampled_from([PAYMENTS, PAYMENTS, PAYMENTS, DATA, TOOLING, "", "999900001111"]) | texts
humans = st.sampled_from(["", "", "", "single sign-on"]) | texts


def arns(role: str, name: str = "run-1") -> tuple[str, ...]:
    return (f"arn:aws:sts::{PAYMENTS}:assumed-role/{role}/{name}", f"arn:aws:iam::{PAYMENTS}:role/{role}")


principals = st.sampled_from(
    [
        (),
        arns("payments-deploy"),
        arns("codebuild-release", "AWSCodeBuild-1"),
        arns("codebuild-release"),
        arns("log-forwarder"),
        arns("BreakGlass"),
        arns("operator"),
        arns("developer"),
    ]
) | st.lists(texts, max_size=3).map(tuple)
keys = st.sampled_from(["ASIA1", "ASIA2", "ASIA3", "AKIA1", ""])
actors = st.builds(
    Actor,
    kind=st.sampled_from(["AssumedRole", "IAMUser", "Root", "AWSService", "unknown"]) | texts,
    name=texts,
    account=accounts,
    principals=principals,
    principal_id=st.sampled_from(["AROA1:run-1", ""]) | texts,
    access_key=keys,
    session_name=texts,
    session_started=st.none() | st.just(AT) | moments,
    service=st.sampled_from(["", "", "", "codebuild.amazonaws.com"]) | texts,
    human=humans,
    mfa=st.none() | st.booleans(),
)
events = st.builds(
    ChangeEvent,
    id=texts,
    time=moments,
    provider=st.sampled_from(["aws", "aws", "aws", "gcp", ""]),
    account=accounts,
    region=texts,
    action=st.sampled_from(["ecs:UpdateService", "elasticache:RebootCacheCluster", "logs:CreateLogStream", "x:Y"])
    | texts,
    actor=actors,
    what=st.lists(texts, max_size=2).map(tuple),
    source_ip=texts,
    user_agent=texts,
    severity=st.sampled_from(Severity),
)
exchanges = st.builds(
    TokenExchange,
    id=texts,
    time=moments,
    account=accounts,
    kind=st.sampled_from(["web-identity", "saml", "role", "session", "federation", "service", "certificate", "x"]),
    issuer=st.sampled_from([ISSUER, f"https://{ISSUER}", "x"]) | texts,
    subject=st.sampled_from([SUBJECT, SUBJECT + "x"]) | texts,
    audience=st.sampled_from(["sts.amazonaws.com", ""]) | texts,
    session_name=texts,
    source=actors,
    access_key=keys,
)
unknowns = st.none() | st.builds(Unknown, texts, texts)
any_session = st.builds(
    ChangeSession,
    id=st.uuids().map(lambda u: f"aws:{PAYMENTS}:session:{u.hex[:16]}") | texts,
    provider=st.sampled_from(["aws", "aws", "gcp"]),
    account=accounts,
    actor=actors,
    writes=st.lists(events, max_size=3).map(tuple),
    chain=st.lists(exchanges, max_size=3).map(tuple),
    chain_end=unknowns,
    exchange_visible=st.booleans(),
)
sessions = st.lists(any_session, max_size=4, unique_by=lambda s: s.id)
statuses = st.sampled_from(CoverageStatus)
covered = st.builds(
    lambda scope, status, source, grant, count: ScopeCoverage(
        scope=scope, source=source, status=status, window=WINDOW, grant=grant, counts={"events": count}
    ),
    st.sampled_from(SCOPES) | st.sampled_from([f"aws:{PAYMENTS}", f"aws:{DATA}", "aws"]) | texts,
    statuses,
    st.sampled_from(["aws.logs", "aws.logs", "aws.digests", "aws.trails"]),
    texts,
    st.integers(0, 9),
)
coverages = st.lists(covered, max_size=5, unique_by=lambda c: (c.scope, c.source)).map(tuple)


def judge(
    found: list[ChangeSession] | tuple[ChangeSession, ...], coverage: tuple[ScopeCoverage, ...] = ()
) -> list[Result]:
    sweep = Sweep(id="s1", planned_for=AT, at=AT, window=WINDOW, coverage=coverage)
    return [result for check, expect in CHECKS for result in check.evaluate(found, expect, sweep)]


def said_of(session: ChangeSession) -> set[Outcome]:
    return {result.outcome for result in judge([session]) if result.subject == session.id}


@settings(max_examples=200)
@given(sessions, coverages, st.randoms(use_true_random=False))
def test_checks_are_total_deterministic_and_indifferent_to_order(
    found: list[ChangeSession], coverage: tuple[ScopeCoverage, ...], chance: random.Random
) -> None:
    first = judge(found, coverage)
    assert judge(found, coverage) == first
    sweep = Sweep(id="s1", planned_for=AT, at=AT, window=WINDOW, coverage=coverage)
    assert [r for check, expect in CHECKS for r in check.evaluate(iter(found), expect, sweep)] == first
    mixed, other = list(found), list(coverage)
    chance.shuffle(mixed)
    chance.shuffle(other)
    assert judge(mixed, tuple(other)) == first
    subjects = [(result.check, result.subject) for result in first]
    assert len(set(subjects)) == len(subjects)
    assert all(result.reason and result.subject for result in first if result.subject not in {s.id for s in found})


@given(sessions)
def test_every_session_of_production_gets_a_verdict_and_no_other(found: list[ChangeSession]) -> None:
    results = judge(found)
    for session in found:
        mine = [r for r in results if r.subject == session.id]
        production = session.provider == "aws" and session.account in (PAYMENTS, DATA)
        assert bool(mine) is (production or not session.account)
        if not session.account:
            assert {r.outcome for r in mine} == {Outcome.UNKNOWN}


@given(coverages, sessions)
def test_no_scope_passes_whose_log_was_not_read_and_proven_whole(
    coverage: tuple[ScopeCoverage, ...], found: list[ChangeSession]
) -> None:
    logs = {r.scope: r.outcome for r in judge(found, coverage) if ":log@" in r.subject}
    for scope in SCOPES:
        told = [c for c in coverage if f"{scope}:".startswith(f"{c.scope}:") and c.source != "aws.trails"]
        read = any(c.source == "aws.logs" for c in told)
        passes = read and all(c.status is CoverageStatus.COMPLETE for c in told)
        assert (logs[scope] is Outcome.PASS) is passes


HUBS = [role_actor("hub", f"ASIAHUB{n}", f"hub-{n}", account=TOOLING) for n in range(4)]


@st.composite
def proven(draw: st.DrawFn) -> tuple[list[ChangeEvent], list[TokenExchange]]:
    """Return writes of a session that is proven, through any number of hubs, and the exchanges that prove it."""
    length = draw(st.integers(0, 4))
    steps = [role_actor(), *HUBS[:length]]
    links = [
        exchange(a.access_key, "role", b, id=f"x{n}") for n, (a, b) in enumerate(zip(steps, steps[1:], strict=False))
    ]
    links.append(exchange(steps[-1].access_key))
    return [write(f"w{n}") for n in range(draw(st.integers(1, 3)))], links


@given(proven(), st.data())
def test_a_proven_session_without_all_of_its_exchanges_does_not_pass(
    made: tuple[list[ChangeEvent], list[TokenExchange]], data: st.DataObject
) -> None:
    writes, links = made
    assert said_of(one(*writes, exchanges=links)) == {Outcome.PASS}
    gone = data.draw(st.sets(st.integers(0, len(links) - 1), min_size=1))
    left = [link for n, link in enumerate(links) if n not in gone]
    for visible in (True, False):
        assert Outcome.PASS not in said_of(one(*writes, exchanges=left, visible=visible))


@given(proven(), st.data())
def test_a_proven_session_with_a_person_in_its_chain_fails(
    made: tuple[list[ChangeEvent], list[TokenExchange]], data: st.DataObject
) -> None:
    writes, links = made
    n = data.draw(st.integers(0, len(links) - 1))
    human = msgspec.structs.replace(links[n].source, human="from the console")
    links[n] = msgspec.structs.replace(links[n], source=human)
    assert said_of(one(*writes, exchanges=links)) == {Outcome.FAIL}


@settings(max_examples=200)
@given(any_session, st.data())
def test_a_person_in_the_chain_never_turns_anything_into_a_pass(session: ChangeSession, data: st.DataObject) -> None:
    before = said_of(session)
    person = data.draw(exchanges.map(lambda e: msgspec.structs.replace(e, source=PERSON)))
    at = data.draw(st.integers(0, len(session.chain)))
    with_person = msgspec.structs.replace(session, chain=(*session.chain[:at], person, *session.chain[at:]))
    after = said_of(with_person)
    assert not (Outcome.PASS in after and Outcome.PASS not in before)
    if session.actor.principals == arns("payments-deploy"):
        assert Outcome.PASS not in after


@given(any_session, humans)
def test_a_person_behind_a_session_never_turns_anything_into_a_pass(session: ChangeSession, human: str) -> None:
    actor = msgspec.structs.replace(session.actor, human=human or "x")
    after = said_of(msgspec.structs.replace(session, actor=actor))
    assert not (Outcome.PASS in after and Outcome.PASS not in said_of(session))


RUNS = [role_actor(key=key) for key in ("ASIA1", "ASIA2", "")]
WRITERS: list[Any] = [
    *RUNS,
    role_actor(human="from the console"),
    role_actor("codebuild-release", name="AWSCodeBuild-1"),
    PERSON,
]
ISSUED = [
    exchange("ASIA1"),
    exchange("ASIA2"),
    exchange("ASIA1", subject="repo:example-org/payments:pull_request"),
    exchange("ASIA2", "role", PERSON),
    exchange("ASIA2", "role", user_actor()),
    exchange("ASIA1", "role", HUBS[0]),
    exchange("ASIAHUB0", subject="x"),
    exchange("ASIA1", "service", Actor(service="codebuild.amazonaws.com")),
]


@settings(max_examples=200)
@given(
    st.lists(st.sampled_from(WRITERS), min_size=1, max_size=4),
    st.lists(st.sampled_from(ISSUED), max_size=4, unique_by=lambda e: e.access_key),
)
def test_a_write_that_fails_alone_fails_in_company(writers: list[Any], issued: list[TokenExchange]) -> None:
    writes = [write(f"w{n}", actor) for n, actor in enumerate(writers)]
    found = join(writes, Exchanges(issued), lambda account, moment: False)
    for session in found:
        alone = [said_of(one(member, exchanges=issued)) for member in session.writes]
        if any(Outcome.FAIL in said for said in alone):
            assert Outcome.FAIL in said_of(session)
        if all(said == {Outcome.PASS} for said in alone):
            assert said_of(session) == {Outcome.PASS}
