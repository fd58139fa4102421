"""Allow and deny policies and roles: who holds what where, and that nothing unread looks like no right."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.decode import gcp_deny, gcp_policy
from monitor.decode.gcp_policy import Account, Role
from monitor.facts.policy import Condition, Policy, Statement
from monitor.model import Unknown
from tests.unit.gcp_iam import samples
from tests.unit.gcp_iam.samples import DEPLOY, LOST, NOW, NUMBER, PROJECT, RUNTIME, TOKENS

RUN = "roles/run.admin"
HERE = f"projects/{PROJECT}"
ACCOUNT = Account(email=DEPLOY, places=(HERE, f"projects/{NUMBER}", "folders/2", "organizations/1"))
ROLES = {RUN: Role(name=RUN, permissions=("run.services.update", "run.services.get"))}
MEMBER = f"serviceAccount:{DEPLOY}"


def held(*bindings: dict[str, Any], where: str = HERE, roles: dict[str, Role] = ROLES) -> tuple[Policy, ...]:
    return gcp_policy.policies(
        ACCOUNT, {where: gcp_policy.bindings(samples.policy(*bindings), where)}, roles, NOW
    )  # fmt: skip


def statements(*bindings: dict[str, Any], where: str = HERE) -> tuple[Statement, ...]:
    (found,) = held(*bindings, where=where)
    assert not isinstance(found.statements, Unknown)
    return found.statements


def test_a_binding_gives_the_roles_permissions_on_its_place_and_all_below():
    (found,) = held(samples.binding(RUN, "user:alice@example.com", MEMBER))

    assert found == Policy(
        name=RUN,
        kind="role",
        statements=(
            Statement(
                n=1,
                sid=HERE,
                allow=True,
                actions=("run.services.update", "run.services.get"),
                resources=(
                    "//cloudresourcemanager.googleapis.com/projects/example-prod",
                    "//iam.googleapis.com/projects/example-prod",
                ),
            ),
        ),
    )


@pytest.mark.parametrize(
    ("where", "resources"),
    [
        ("organizations/1", ("*",)),
        ("folders/2", ("*",)),
        (f"{HERE}/serviceAccounts/{RUNTIME}", (f"//iam.googleapis.com/{HERE}/serviceAccounts/{RUNTIME}",)),
    ],
)
def test_what_is_bound_above_holds_everywhere_and_on_an_account_there_alone(where: str, resources: tuple[str, ...]):
    (found,) = statements(samples.binding(RUN, MEMBER), where=where)

    assert found.resources == resources
    assert found.sid == where


@pytest.mark.parametrize(
    ("member", "bears"),
    [
        (MEMBER, True),
        (f"serviceAccount:{DEPLOY.upper()}", True),
        ("allUsers", True),
        ("allAuthenticatedUsers", True),
        (f"principalSet://cloudresourcemanager.googleapis.com/projects/{NUMBER}/type/ServiceAccount", True),
        ("principalSet://cloudresourcemanager.googleapis.com/organizations/1/type/ServiceAccount", True),
        ("principalSet://cloudresourcemanager.googleapis.com/organizations/9/type/ServiceAccount", False),
        (f"principalSet://cloudresourcemanager.googleapis.com/projects/{NUMBER}/type/ServiceAgent", False),
        (f"serviceAccount:{RUNTIME}", False),
        (f"deleted:serviceAccount:{DEPLOY}?uid=1", False),
        (f"user:{DEPLOY}", False),
        ("group:deployers@example.com", False),
        ("", False),
    ],
)
def test_only_what_surely_holds_the_account_bears_on_it(member: str, bears: bool):
    assert gcp_policy.bears_on(member, ACCOUNT) is bears


def test_a_condition_stays_with_its_statement():
    (found,) = statements(samples.binding(RUN, MEMBER, when="resource.name.startsWith('x')"))

    assert found.conditions == (Condition(operator="cel", values=("resource.name.startsWith('x')",)),)


def test_a_condition_that_has_run_out_gives_nothing():
    assert held(samples.binding(RUN, MEMBER, when="request.time < timestamp('2020-10-01T00:00:00Z')")) == ()


@pytest.mark.parametrize("condition", [{}, "x", {"expression": 3}, {"title": "only so"}])
def test_a_condition_that_cannot_be_read_is_still_a_condition(condition: object):
    (found,) = statements({**samples.binding(RUN, MEMBER), "condition": condition})

    assert found.conditions[0].values == (gcp_policy.UNREAD_CONDITION,)


def test_a_condition_that_an_answer_of_an_old_version_hides_is_one():
    (found,) = statements(samples.binding(f"{RUN}_withcond_2b17cc25d2cd9e2c54d8", MEMBER))

    assert found.conditions[0].values == (gcp_policy.UNREAD_CONDITION,)


def test_bindings_of_one_role_are_one_policy_with_a_statement_each():
    twice = (samples.binding(RUN, MEMBER), samples.binding(RUN, "allUsers", when="true"))

    assert [one.n for one in statements(*twice)] == [1, 2]


@pytest.mark.parametrize("name", ["roles/owner", "roles/editor", "projects/example-prod/roles/own"])
def test_a_role_that_was_not_read_keeps_its_name_and_says_what_to_grant(name: str):
    (found,) = held(samples.binding(name, MEMBER))

    assert found.name == name
    assert isinstance(found.statements, Unknown)
    assert found.statements.grant == "iam.roles.get"


@pytest.mark.parametrize(
    ("body", "permissions"),
    [
        (samples.role(RUN, "run.services.get"), ("run.services.get",)),
        (samples.role(RUN, "run.services.get", deleted=True), ()),
        (samples.role(RUN, "run.services.get", stage="DISABLED"), ()),
        (samples.role(RUN), ()),
    ],
)
def test_a_role_gives_its_permissions_unless_it_is_gone(body: object, permissions: tuple[str, ...]):
    assert gcp_policy.role(body, RUN).permissions == permissions


@pytest.mark.parametrize(
    "body", [None, LOST, {}, [], "x", {"name": RUN}, {"includedPermissions": "x"}, {"includedPermissions": [1]}]
)
def test_a_role_without_its_permissions_is_unknown(body: object):
    assert isinstance(gcp_policy.role(body, RUN).permissions, Unknown)


@pytest.mark.parametrize(
    "broken",
    [
        None, 3, {}, {"role": RUN}, {"members": [MEMBER]}, {"role": RUN, "members": [3]}, {"role": RUN, "members": MEMBER},
        {"role": "", "members": [MEMBER]},
    ],
)  # fmt: skip
def test_a_binding_that_cannot_be_read_may_give_anything(broken: Any):
    found = held(samples.binding(RUN, MEMBER), broken)

    assert [isinstance(one.statements, Unknown) for one in found] == [False, True]


def test_a_policy_that_was_not_read_may_give_anything():
    (found,) = gcp_policy.policies(ACCOUNT, {HERE: LOST}, ROLES, NOW)

    assert found.statements == LOST


def test_an_empty_policy_gives_nothing_and_one_that_is_no_object_is_unknown():
    assert gcp_policy.bindings({"etag": "ACAB"}, HERE) == ()
    assert gcp_policy.bindings({"bindings": None}, HERE) == ()
    assert isinstance(gcp_policy.bindings([], HERE), Unknown)
    assert isinstance(gcp_policy.bindings({"bindings": {}}, HERE), Unknown)


def test_the_roles_to_be_read_are_named_once():
    two = gcp_policy.bindings(samples.policy(samples.binding(RUN, MEMBER), samples.binding(TOKENS, MEMBER)), HERE)

    assert gcp_policy.roles_of([two, two, LOST]) == (TOKENS, RUN)


ALL = "principalSet://goog/public:all"
SELF = f"principal://iam.googleapis.com/projects/-/serviceAccounts/{DEPLOY}"
GROUP = "principalSet://goog/group/deployers@example.com"


def denied(where: str = "projects%2Fexample-prod", **rule: Any) -> tuple[Statement, ...]:
    full = {"deniedPrincipals": [ALL], "deniedPermissions": ["iam.googleapis.com/roles.delete"], **rule}
    name = f"policies/cloudresourcemanager.googleapis.com%2F{where}/denypolicies/guard"
    found = gcp_deny.denies(ACCOUNT, [{"name": name, "kind": "DenyPolicy", "rules": [{"denyRule": full}]}])
    for one in found:
        assert not isinstance(one.statements, Unknown)
        return one.statements
    return ()


def test_a_deny_policy_denies_permissions_as_roles_spell_them():
    (found,) = denied()

    assert (found.allow, found.actions, found.conditions) == (False, ("iam.roles.delete",), ())
    assert "//cloudresourcemanager.googleapis.com/projects/example-prod" in found.resources
    assert denied("organizations%2F1")[0].resources == ("*",)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("cloudresourcemanager.googleapis.com/projects.delete", "resourcemanager.projects.delete"),
        ("run.googleapis.com/services.delete", "run.services.delete"),
        ("compute.googleapis.com/*", "compute.*"),
        ("iam.googleapis.com/workloadIdentityPools.create", "iam.googleapis.com/workloadIdentityPools.create"),
        ("odd", "odd"),
    ],
)
def test_services_of_deny_policies_are_those_of_roles(written: str, meant: str):
    assert denied(deniedPermissions=[written])[0].actions == (meant,)


@pytest.mark.parametrize(
    ("rule", "certain"),
    [
        ({"deniedPrincipals": [SELF]}, True),
        ({"deniedPrincipals": [GROUP, SELF]}, True),
        ({"deniedPrincipals": [GROUP]}, False),
        ({"exceptionPrincipals": [GROUP]}, False),
        ({"exceptionPrincipals": ["principal://goog/subject/alice@example.com"]}, True),
        ({"denialCondition": {"expression": "resource.matchTag('1/env', 'prod')"}}, False),
        ({"denialCondition": {}}, False),
        ({"deniedPermissions": ["iam.googleapis.com/*"], "exceptionPermissions": ["iam.googleapis.com/roles.get"]}, False),
    ],
)  # fmt: skip
def test_a_deny_that_is_not_certain_has_a_condition(rule: dict[str, Any], certain: bool):
    (found,) = denied(**rule)

    assert (not found.conditions) is certain


@pytest.mark.parametrize(
    "rule",
    [
        {"deniedPrincipals": ["principal://goog/subject/alice@example.com"]},
        {"deniedPrincipals": []},
        {"exceptionPrincipals": [SELF]},
        {"exceptionPermissions": ["iam.googleapis.com/roles.delete"]},
        {"exceptionPermissions": ["iam.googleapis.com/*"]},
        {"deniedPermissions": []},
    ],
)
def test_a_deny_that_does_not_concern_the_account_says_nothing(rule: dict[str, Any]):
    assert denied(**rule) == ()


@pytest.mark.parametrize("body", [None, {}, {"rules": None}, {"rules": [{}]}, {"name": "policies/x", "rules": [3]}])
def test_a_deny_policy_without_its_rules_is_unknown(body: object):
    (found,) = gcp_deny.denies(ACCOUNT, [body])

    assert isinstance(found.statements, Unknown)
    assert found.statements.grant == "iam.denypolicies.get"
