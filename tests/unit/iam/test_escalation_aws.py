"""Escalation in AWS: every rule opens with exactly its actions, and where the resources, trust and limits let it."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from monitor.facts.identity import Identity
from monitor.iam.escalation_aws import AWS_RULES
from monitor.iam.escalation_rule import Reach, Rule
from monitor.iam.wildcards import wild
from monitor.model import Severity
from tests.unit.iam import made
from tests.unit.iam.made import ACCOUNT, EVERYTHING, allow, deny, equals, escalations, policy, role, served, user

MANAGED = f"arn:aws:iam::{ACCOUNT}:policy/team"


def choices(rule: Rule) -> list[tuple[str, ...]]:
    """Return the sets of actions that each suffice: each alternative is in one of them."""
    longest = max(len(one) for one in rule.demands)
    return [tuple(one[n % len(one)] for one in rule.demands) for n in range(longest)]


CASES = [
    pytest.param(rule, actions, id=f"{rule.id}-{n}") for rule in AWS_RULES for n, actions in enumerate(choices(rule))
]


def world(rule: Rule, *statements: dict[str, Any]) -> tuple[Identity, ...]:
    """Return an account in which a rule leads to something, and the identity `me` that has these statements."""
    wants_user = rule.of in ("user", "group", "user-policy", "any-group") and rule.reaches in (
        Reach.OWN,
        Reach.UNBOUND,
        Reach.GROUP,
    )
    held = policy("own", *statements)
    more: dict[str, Any] = {"policies": (held,)}
    if rule.of == "policy":
        more["policies"] = (held, policy(MANAGED, allow("s3:GetObject"), kind="managed"))
    if rule.of.endswith("-policy"):
        kind = (
            "inline"
            if any("Delete" in one["actions"][0] for one in statements if one.get("allow", True))
            else "managed"
        )
        more["policies"] = (held, policy(MANAGED, allow("s3:*"), deny("s3:DeleteBucket"), kind=kind))
        more["policies"] = (*more["policies"], policy("all", allow("s3:*")))
    if rule.reaches is Reach.UNBOUND and not rule.of.endswith("-policy"):
        more["boundary"] = policy(f"arn:aws:iam::{ACCOUNT}:policy/limit", allow("iam:*", "s3:Get*"), kind="boundary")
        more["policies"] = (held, policy("all", allow("s3:*")))
    me = (user if wants_user else role)("me", **more)
    services = rule.services or ("ec2.amazonaws.com",)
    trust = served(*services) + ((made.by_account(),) if rule.of == "trusting-role" else ())
    return (
        me,
        role("chief", *EVERYTHING, trust=trust),
        user("boss", *EVERYTHING),
    )


def opened(rule: Rule, *statements: dict[str, Any]) -> tuple[Any, ...]:
    me = world(rule, *statements)[0].name
    return tuple(one for one in escalations(world(rule, *statements), me) if one.rule == rule.id)


@pytest.mark.parametrize(("rule", "actions"), CASES)
def test_a_rule_opens_with_its_actions(rule: Rule, actions: tuple[str, ...]) -> None:
    found = opened(rule, allow(*actions))
    assert found, f"{rule.id} is closed"
    assert all(one.kind == "escalation" and one.source == rule.source and one.told for one in found)
    assert set(actions) <= set(found[0].actions) | set(actions)
    for alternatives in rule.demands:
        assert set(alternatives) & set(found[0].actions), alternatives


@pytest.mark.parametrize(("rule", "actions"), CASES)
def test_a_rule_is_closed_with_one_of_its_actions_missing(rule: Rule, actions: tuple[str, ...]) -> None:
    for missing in range(len(actions)):
        rest = tuple(one for n, one in enumerate(actions) if n != missing)
        assert not opened(rule, allow("s3:ListBucket", *rest)), actions[missing]


@pytest.mark.parametrize(("rule", "actions"), CASES)
def test_a_rule_is_closed_with_one_of_its_actions_denied(rule: Rule, actions: tuple[str, ...]) -> None:
    for denied in actions:
        assert not opened(rule, allow(*actions), deny(denied)), denied


@pytest.mark.parametrize(("rule", "actions"), CASES)
def test_a_rule_with_a_condition_tells_it_and_is_never_unconditional(rule: Rule, actions: tuple[str, ...]) -> None:
    where = equals("aws:requestedregion", "eu-west-1")
    found = opened(rule, allow(*actions, where=(where,)))
    assert found
    assert all(where.words() in " ".join(one.conditions) for one in found)
    assert all(one.severity is not Severity.CRITICAL for one in found)


def test_every_rule_has_a_source_and_an_id_of_its_own() -> None:
    assert len({rule.id for rule in AWS_RULES}) == len(AWS_RULES)
    assert all(rule.source.startswith("https://") for rule in AWS_RULES)
    assert all(rule.id == rule.id.lower() and " " not in rule.id for rule in AWS_RULES)
    assert not any(wild(action) for rule in AWS_RULES for one in rule.demands for action in one)
    assert all(choice for rule in AWS_RULES for choice in product(*rule.demands))
