"""Design 6.1, fourth to sixth question: break-glass, standard changes, and what none of it explains."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from checks.direct_production_change import Expect
from monitor.example import cast, exchanges
from monitor.example.records import root_identity, stamp, user_identity
from monitor.model import ChangeClass, Expectation, Outcome, Severity
from tests.unit.decode.samples import AT, CHANCE, call, person, session
from tests.unit.sweep.cases import (
    DIRECT,
    PASS,
    Case,
    at,
    direct,
    expected,
    holds,
    judged,
    table,
)

START, END = at(14, 1), at(14, 4)
SECOND = timedelta(seconds=1)


def glass(moment: datetime, role: str = "BreakGlass", name: str = "maria.santos", **over: Any) -> dict[str, Any]:
    who = session(role, name, at=moment - timedelta(minutes=5), **over)
    return call("ec2:AuthorizeSecurityGroupIngress", who, time=stamp(moment))


def emergency(name: str, *documents: Any) -> Case:
    return Case(name, documents, PASS, ChangeClass.EMERGENCY, DIRECT, "EC-2026-014")


OUTSIDE = "outside any emergency change"


@table(
    emergency("in the middle", glass(at(14, 2, 30))),
    emergency("at the very beginning", glass(START)),
    emergency("a second before the end", glass(END - SECOND)),
    emergency("its session began before the emergency", call(who=session("BreakGlass", at=START - timedelta(hours=2)), time=stamp(START))),
    emergency("a person at the console", call(who=session("BreakGlass", at=START), sessionCredentialFromConsole="true")),
    emergency("a name that nobody knows", call("quantumledger:EntangleLedger", session("BreakGlass", at=START))),
    direct("at the very end", glass(END), reason=OUTSIDE),
    direct("a second before the beginning", glass(START - SECOND), reason=OUTSIDE),
    direct("a day later", glass(START + timedelta(days=1)), reason=OUTSIDE),
    direct("another role, in the emergency", glass(at(14, 2), "operator")),
    direct("a role whose name begins alike", glass(at(14, 2), "BreakGlass2")),
    direct("the role in another case", glass(at(14, 2), "breakglass")),
    direct("that role in a path", glass(at(14, 2), path="/team/")),
    direct("that role of the other account", glass(at(14, 2), account=cast.DATA)),
    direct("a session of that name", glass(at(14, 2), "developer", "BreakGlass")),
    direct("a user of that name", call(who=user_identity(cast.PAYMENTS, "BreakGlass", "AKIA"), time=stamp(at(14, 2)))),
    direct("root, in the emergency", call(who=root_identity(cast.PAYMENTS, "ASIA", START), time=stamp(at(14, 2))), reason="root user"),
)  # fmt: skip
def test_break_glass_needs_an_emergency_change_that_covers_the_time(case: Case) -> None:
    holds(case)


def test_a_time_in_another_zone_is_the_same_moment() -> None:
    inside = {**glass(START), "eventTime": "2026-03-14T02:00:00+01:00"}
    outside = {**glass(START), "eventTime": "2026-03-14T02:00:00+02:00"}
    assert [v.outcome for v in judged(inside, outside)] == [Outcome.PASS, Outcome.FAIL]


def operated(action: str, moment: datetime = AT, role: str = "operator", **over: Any) -> dict[str, Any]:
    return call(action, session(role, at=moment - timedelta(minutes=5), **over), time=stamp(moment))


def standard(name: str, *documents: Any, reason: str) -> Case:
    return Case(name, documents, PASS, ChangeClass.STANDARD, DIRECT, reason)


RESTART, REBOOT = "ecs:UpdateService", "elasticache:RebootCacheCluster"
LAST, LATE = at(31, 23, 59, 59, month=12), at(1, month=1, year=2027)


@table(
    standard("a pre-approved action", operated(RESTART), reason="restart-worker"),
    standard("on the last second of its review day", operated(RESTART, LAST), reason="restart-worker"),
    standard("the other one, on its review day", operated(REBOOT, at(31, 12, month=1)), reason="rotate-cache"),
    direct("the day after its review day", operated(RESTART, LATE), reason="to be reviewed by 2026-12-31"),
    direct("the other one, the day after", operated(REBOOT, at(1, month=2)), reason="to be reviewed by 2026-01-31"),
    direct("long after its review day", operated(REBOOT), reason="rotate-cache was to be reviewed"),
    direct("another action", operated("ecs:DeleteService")),
    direct("a longer action", operated("ecs:UpdateServicePrimaryTaskSet")),
    direct("the action in another case", operated("ecs:updateservice")),
    direct("the action of another service", operated("xecs:UpdateService")),
    direct("the action of a service that begins alike", operated("ecs-x:UpdateService")),
    direct("the action by another role", operated(RESTART, role="developer")),
    direct("the action by a role that begins alike", operated(RESTART, role="operator-2")),
    direct("the action by that role in a path", operated(RESTART, path="/ops/")),
    direct("the action by that role of the other account", operated(RESTART, account=cast.DATA)),
    direct("the action by a session of that name", operated(RESTART, role="developer", name="operator")),
)
def test_standard_changes_are_pre_approved_actions_by_allowed_identities(case: Case) -> None:
    holds(case)


@table(
    direct("a person", call(who=person()), reason="by a person (single sign-on)"),
    direct("root", call(who=root_identity(cast.PAYMENTS, "ASIA", AT)), reason="root user"),
    direct("a user's keys", call(who=user_identity(cast.PAYMENTS, "x", "AKIA")), reason="user with keys of its own"),
    direct("an instance", call(who=session("ec2-worker", "i-0abc12345678def90"))),
    direct("a federated user", call(who={"type": "FederatedUser", "arn": f"arn:aws:sts::{cast.PAYMENTS}:federated-user/x", "accountId": cast.PAYMENTS})),
    direct("a SAML user", call(who={"type": "SAMLUser", "userName": "x"})),
    direct("a web identity", call(who={"type": "WebIdentityUser", "userName": cast.PAYMENTS_SUBJECT, "identityProvider": cast.ISSUER})),
    direct("a session whose sign-in is known", exchanges.saml(CHANCE, person(), cast.ADA), call(who=person())),
    direct("an unheard-of call of an unheard-of service", call("quantumledger:EntangleLedger", person())),
    direct("an empty identity", call(who={})),
)  # fmt: skip
def test_whatever_nothing_explains_is_a_direct_change(case: Case) -> None:
    holds(case)


@pytest.mark.parametrize(
    ("action", "severity"),
    [
        ("iam:CreateAccessKey", Severity.CRITICAL),
        ("s3:PutBucketPolicy", Severity.CRITICAL),
        ("lambda:UpdateFunctionCode20150331v2", Severity.HIGH),
        ("lambda:CreateFunction20150331", Severity.HIGH),
        ("ec2:RunInstances", Severity.HIGH),
        ("ec2:StopInstances", Severity.MEDIUM),
        ("quantumledger:EntangleLedger", Severity.MEDIUM),
    ],
)
def test_the_catalogue_of_names_sets_the_severity_and_never_the_outcome(action: str, severity: Severity) -> None:
    verdict = judged(call(action, person()))[0]
    assert (verdict.outcome, verdict.observed["writes"][0]["severity"]) == (Outcome.FAIL, severity.value)


class Other:
    """The example's expected state with some sections replaced."""

    def __init__(self, **sections: Any) -> None:
        self.sections = sections

    def build(self, cls: type[Expectation]) -> Any:
        whole = {name: getattr(expected().sections, name) for name in cls.model_fields}
        return cls.model_validate({**whole, **{n: v for n, v in self.sections.items() if n in cls.model_fields}})


def role(name: str, account: str = cast.PAYMENTS) -> str:
    return f"arn:aws:iam::{account}:role/{name}"


GLASS = [{"id": "glass", "principals": [role("operator")], "reason": "x"}]


@pytest.mark.parametrize(
    ("name", "over", "allowed"),
    [
        ("ops-a", {}, True),
        ("ops-", {}, True),
        ("ops", {}, False),
        ("Ops-a", {}, False),
        ("a", {"path": "/ops-x/"}, False),
        ("ops-a", {"path": "/ops-x/"}, False),
        ("developer", {"name": "ops-a"}, False),
    ],
)
def test_a_wildcard_ends_at_the_end_of_a_roles_name(name: str, over: dict[str, Any], allowed: bool) -> None:
    catalogue = [{**expected().sections.standard_changes[0].model_dump(mode="json"), "principals": [role("ops-*")]}]
    state = Other(standard_changes=catalogue)
    (verdict,) = judged(operated(RESTART, role=name, **over), state=state)
    assert (verdict.outcome is Outcome.PASS) is allowed


def test_a_wildcard_of_a_session_never_reaches_into_the_role() -> None:
    pattern = f"arn:aws:sts::{cast.PAYMENTS}:assumed-role/ops/*"
    state = Other(break_glass=[{"id": "platform-oncall", "principals": [pattern], "reason": "x"}])
    roles = [glass(at(14, 2), r, n) for r, n in (("ops", "maria"), ("ops", "a/b"), ("x", "ops"), ("ops-2", "maria"))]
    assert [v.outcome is Outcome.PASS for v in judged(*roles, state=state)] == [True, False, False, False]


def test_an_emergency_change_covers_only_the_identities_that_it_names() -> None:
    state = Other(break_glass=[*expected().sections.break_glass, *GLASS])
    verdicts = judged(glass(at(14, 2)), glass(at(14, 2), "operator"), state=state)
    assert [v.outcome for v in verdicts] == [Outcome.PASS, Outcome.FAIL]


def test_a_break_glass_identity_outside_an_emergency_may_still_make_standard_changes() -> None:
    # The fourth question asks for an identity and an emergency; without one of them the fifth question is asked.
    (verdict,) = judged(operated(RESTART), state=Other(break_glass=GLASS))
    assert (verdict.outcome, verdict.change_class) == (Outcome.PASS, ChangeClass.STANDARD)


def test_the_first_question_that_explains_a_write_gives_its_class() -> None:
    change = expected().sections.emergency_changes[0].model_dump(mode="json", by_alias=True)
    state = Other(break_glass=GLASS, emergency_changes=[{**change, "identities": ["glass"]}])
    (verdict,) = judged(operated(RESTART, at(14, 2)), state=state)
    assert (verdict.outcome, verdict.change_class) == (Outcome.PASS, ChangeClass.EMERGENCY)


def test_nothing_is_production_where_nothing_is_declared() -> None:
    assert Expect.model_fields.keys() >= {"production"}
    (verdict,) = judged(call(who=person()), state=Other(production={}))
    assert verdict.outcome is Outcome.NOT_APPLICABLE
