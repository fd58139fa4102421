"""Escalation in Google Cloud: every rule opens with exactly its permissions, on the accounts that they reach."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from monitor.facts.identity import Identity
from monitor.facts.policy import Condition
from monitor.facts.trust import TrustPath
from monitor.iam.analysis import analyse
from monitor.iam.escalation_gcp import GCP_RULES
from monitor.iam.escalation_rule import Rule
from monitor.iam.wildcards import wild
from monitor.model import Severity
from tests.unit.iam.made import PROJECT, account_of, allow, deny, policy

PROJECT_NAME = f"//cloudresourcemanager.googleapis.com/projects/{PROJECT}"
ME = f"me@{PROJECT}.iam.gserviceaccount.com"
OWNER = allow("*", on=PROJECT_NAME)


def place(name: str) -> str:
    return f"//iam.googleapis.com/projects/{PROJECT}/serviceAccounts/{name}"


def choices(rule: Rule) -> list[tuple[str, ...]]:
    """Return sets of permissions that each suffice: each alternative is in one of them."""
    longest = max(len(one) for one in rule.demands)
    made = [tuple(one[n % len(one)] for one in rule.demands) for n in range(longest)]
    return [tuple("storage.buckets.setIamPolicy" if wild(one) else one for one in each) for each in made]


CASES = [pytest.param(rule, each, id=f"{rule.id}-{n}") for rule in GCP_RULES for n, each in enumerate(choices(rule))]


def world(*statements: dict[str, Any]) -> tuple[Identity, ...]:
    me = replace(account_of("me"), policies=(policy(f"projects/{PROJECT}/roles/deployer", *statements, kind="role"),))
    return me, account_of("chief", allow("*", on=PROJECT_NAME))


def escalations(identities: tuple[Identity, ...], name: str = ME) -> tuple[Any, ...]:
    (found,) = (one for one in analyse(identities, {}) if one.identity.name == name)
    assert isinstance(found.powers, tuple)
    return tuple(one for one in found.powers if one.kind == "escalation")


def opened(rule: Rule, *statements: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(one for one in escalations(world(*statements)) if one.rule == rule.id)


@pytest.mark.parametrize(("rule", "permissions"), CASES)
def test_a_rule_opens_with_its_permissions(rule: Rule, permissions: tuple[str, ...]) -> None:
    found = opened(rule, allow(*permissions, on=PROJECT_NAME))
    assert found, f"{rule.id} is closed"
    assert found[0].source == rule.source
    for alternatives in rule.demands:
        assert wild(alternatives[0]) or set(alternatives) & set(found[0].actions)


@pytest.mark.parametrize(("rule", "permissions"), CASES)
def test_a_rule_is_closed_with_one_of_its_permissions_missing(rule: Rule, permissions: tuple[str, ...]) -> None:
    for missing in range(len(permissions)):
        rest = tuple(one for n, one in enumerate(permissions) if n != missing)
        assert not opened(rule, allow("storage.objects.list", *rest, on=PROJECT_NAME)), permissions[missing]


@pytest.mark.parametrize(("rule", "permissions"), CASES)
def test_a_rule_is_closed_with_one_of_its_permissions_denied(rule: Rule, permissions: tuple[str, ...]) -> None:
    for denied in permissions:
        assert not opened(rule, allow(*permissions, on=PROJECT_NAME), deny(denied)), denied


@pytest.mark.parametrize(("rule", "permissions"), CASES)
def test_a_condition_is_told(rule: Rule, permissions: tuple[str, ...]) -> None:
    where = Condition(operator="cel", values=("request.time < timestamp('2026-12-31T00:00:00Z')",))
    found = opened(rule, allow(*permissions, on=PROJECT_NAME, where=(where,)))
    assert found
    assert all(where.words() in " ".join(one.conditions) for one in found)
    assert all(one.severity is not Severity.CRITICAL for one in found)


def test_every_rule_has_a_source_and_an_id_of_its_own() -> None:
    assert len({rule.id for rule in GCP_RULES}) == len(GCP_RULES)
    assert all(rule.id.startswith("gcp-") and rule.source.startswith("https://") for rule in GCP_RULES)


def test_a_token_of_one_account_reaches_that_account_alone() -> None:
    chief, worker = account_of("chief", OWNER), account_of("worker", allow("run.services.update", on=PROJECT_NAME))
    me = account_of("me", allow("iam.serviceAccounts.getAccessToken", on=place(worker.name)))
    found = escalations((me, chief, worker))
    assert [(one.rule, one.reaches, one.severity) for one in found] == [
        ("gcp-get-access-token", worker.name, Severity.HIGH)
    ]


def test_acting_as_an_owner_by_a_service_reaches_administrator_through_it() -> None:
    chief = account_of("chief", OWNER)
    me = account_of(
        "me",
        allow("run.services.create", on=PROJECT_NAME),
        allow("iam.serviceAccounts.actAs", on=place(chief.name)),
    )
    (found,) = escalations((me, chief))
    assert found.rule == "gcp-create-run-service"
    assert found.through == (chief.name,)


def test_an_account_that_names_another_in_its_policy_can_be_become_by_it() -> None:
    way = TrustPath(kind="identity", principal=ME, action="roles/iam.serviceAccountTokenCreator", by="binding#1")
    chief = account_of("chief", OWNER, trust=(way,))
    (found,) = (one for one in analyse((account_of("me"), chief), {}) if one.identity.name == ME)
    assert found.assumes == (chief.name,)
    assert [one.rule for one in found.powers if one.kind == "escalation"] == ["gcp-get-access-token"]  # type: ignore[union-attr]


def test_no_custom_role_of_its_own_means_none_to_change() -> None:
    me = account_of("me", allow("iam.roles.update", on=PROJECT_NAME))
    assert not escalations((me, account_of("chief", OWNER)))


def test_all_permissions_to_share_resources_are_told_together() -> None:
    shares = ("pubsub.topics.setIamPolicy", "storage.buckets.setIamPolicy")
    (found,) = escalations((account_of("me", allow(*shares, on=PROJECT_NAME)), account_of("other")))
    assert (found.rule, found.actions, found.severity) == ("gcp-set-resource-policy", shares, Severity.MEDIUM)
