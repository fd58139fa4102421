"""Laws of escalation: a deny never opens a path, order and case change nothing, nothing raises."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.facts.identity import Identity
from monitor.facts.policy import Policy, Statement
from tests.unit.iam.made import (
    AT,
    EVERYTHING,
    accesses,
    allow,
    arn,
    by_account,
    by_identity,
    by_token,
    deny,
    escalations,
    role,
    served,
)

LAMBDA, TASKS = "lambda.amazonaws.com", "ecs-tasks.amazonaws.com"
ME = arn("role", "me")


# Laws

_ACTIONS = ("iam:PassRole", "iam:PutRolePolicy", "lambda:*", "sts:AssumeRole", "ecs:RunTask", "iam:*", "s3:*")
_WHERE = ("*", ME, arn("role", "chief"), arn("role", "c*"))
_STATEMENTS = st.builds(
    lambda action, where: allow(action, on=where), st.sampled_from(_ACTIONS), st.sampled_from(_WHERE)
)


def _told(statements: list[dict[str, Any]]) -> set[tuple[str, str]]:
    others = (
        role("chief", *EVERYTHING, trust=(*served(LAMBDA, TASKS), by_account())),
        role("worker", allow("dynamodb:*"), trust=(*served(LAMBDA), by_token())),
    )
    return {(one.rule, one.reaches) for one in escalations((role("me", *statements), *others), ME)}


@settings(max_examples=60, deadline=None)
@given(st.lists(_STATEMENTS, min_size=1, max_size=4), st.sampled_from(_ACTIONS), st.sampled_from(_WHERE))
def test_a_deny_never_opens_a_path(statements: list[dict[str, Any]], action: str, where: str) -> None:
    before, after = _told(statements), _told([*statements, deny(action, on=where)])
    lifted = {"iam-remove-role-deny"}  # that path is about the deny itself
    assert {rule for rule, _ in after} <= {rule for rule, _ in before} | lifted


@settings(max_examples=40, deadline=None)
@given(st.lists(_STATEMENTS, min_size=2, max_size=4), st.randoms(use_true_random=False))
def test_order_and_case_change_nothing(statements: list[dict[str, Any]], chance: Any) -> None:
    other = [{**one, "actions": tuple(action.upper() for action in one["actions"])} for one in statements]
    chance.shuffle(other)
    assert _told(statements) == _told(other)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=12), st.text(max_size=12), st.text(max_size=12))
def test_nothing_raises_on_any_text(action: str, resource: str, name: str) -> None:
    statement = Statement(n=1, allow=True, actions=(action, "iam:PassRole", "*"), resources=(resource,))
    me = Identity(
        provider="aws",
        account=name,
        id=name,
        name=name,
        kind="role",
        at=AT,
        policies=(Policy(name=name, kind="inline", statements=(statement,)),),
        trust=(by_identity(resource), by_account(name)),
    )
    assert len(accesses((me, role("other")))) == 2
