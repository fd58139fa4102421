"""The ceilings over an account, level by level."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monitor.decode.aws_organizations import ancestry, ceilings, enabled
from monitor.facts.policy import Statement
from monitor.model import Unknown

ACCOUNT, MANAGEMENT = "111122223333", "777788889999"
PARENTS: dict[str, object] = {
    ACCOUNT: {"Parents": [{"Id": "ou-1", "Type": "ORGANIZATIONAL_UNIT"}]},
    "ou-1": {"Parents": [{"Id": "r-1", "Type": "ROOT"}]},
}
FULL = {
    "Id": "p-FullAWSAccess",
    "Arn": "arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess",
    "Type": "SERVICE_CONTROL_POLICY",
}
DENY = {
    "Id": "p-1",
    "Arn": f"arn:aws:organizations::{MANAGEMENT}:policy/o-1/service_control_policy/p-1",
    "Type": "SERVICE_CONTROL_POLICY",
}
ATTACHED: dict[str, object] = {
    "r-1": {"Policies": [FULL]},
    "ou-1": {"Policies": [FULL, DENY]},
    ACCOUNT: {"Policies": [FULL]},
}
CONTENT = json.dumps({"Statement": {"Effect": "Deny", "Action": "cloudtrail:*", "Resource": "*"}})
DESCRIBED: dict[str, object] = {"p-1": {"Policy": {"PolicySummary": DENY, "Content": CONTENT}}}
ANYTHING = (Statement(n=1, allow=True, actions=("*",), resources=("*",)),)


def read(
    kind: str = "scp",
    account: str = ACCOUNT,
    parents: Any = PARENTS,
    attached: Any = ATTACHED,
    described: Any = DESCRIBED,
) -> Any:
    return ceilings(kind, account, MANAGEMENT, parents, attached, described)


def test_levels_lead_from_the_root_to_the_account() -> None:
    root, unit, account = read()
    assert root == account
    assert root[0].statements == ANYTHING
    assert [(one.name.rpartition("/")[2], one.kind) for one in unit] == [("p-1", "scp"), ("p-FullAWSAccess", "scp")]
    assert unit[0].statements == (Statement(n=1, allow=False, actions=("cloudtrail:*",), resources=("*",)),)


def test_the_management_account_has_none() -> None:
    assert read(account=MANAGEMENT, parents={}) == ()


def test_resource_control_policies_alike() -> None:
    full = {"Id": "p-RCPFullAWSAccess", "Type": "RESOURCE_CONTROL_POLICY"}
    levels = read("rcp", attached={name: {"Policies": [full, DENY]} for name in ATTACHED})
    assert [[one.statements for one in level] for level in levels] == [[ANYTHING]] * 3


@pytest.mark.parametrize(
    "change",
    [
        {"parents": {}},
        {"parents": {ACCOUNT: {"Parents": []}}},
        {"parents": {ACCOUNT: {"Parents": [{"Id": ACCOUNT, "Type": "ORGANIZATIONAL_UNIT"}]}}},
        {"attached": {**ATTACHED, "ou-1": None}},
        {"attached": {**ATTACHED, "ou-1": {"Policies": [1]}}},
        {"attached": {**ATTACHED, "ou-1": {"Policies": "x"}}},
    ],
)
def test_a_level_that_was_not_read_makes_all_unknown(change: Any) -> None:
    found = read(**change)
    assert isinstance(found, Unknown)
    assert found.grant


def test_a_document_that_was_not_read_or_is_malformed_is_unknown() -> None:
    for described in ({}, {"p-1": {}}, {"p-1": {"Policy": {"Content": "{"}}}, {"p-1": 5}):
        levels = read(described=described)
        assert isinstance(levels[1][0].statements, Unknown)
        assert levels[0][0].statements == ANYTHING


def test_a_level_without_policies_allows_nothing_and_is_kept() -> None:
    assert read(attached={**ATTACHED, ACCOUNT: {"Policies": []}})[2] == ()


def test_ancestry() -> None:
    assert ancestry(ACCOUNT, PARENTS) == ("r-1", "ou-1", ACCOUNT)


def test_which_kinds_count() -> None:
    roots = {
        "Roots": [
            {
                "Id": "r-1",
                "PolicyTypes": [
                    {"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"},
                    {"Type": "RESOURCE_CONTROL_POLICY", "Status": "PENDING_ENABLE"},
                ],
            }
        ]
    }
    assert enabled(roots, "scp") is True
    assert enabled(roots, "rcp") is False
    assert isinstance(enabled(None, "scp"), Unknown)
