"""deploy-privilege: what an identity can do, against what its declaration allows, and against what it used."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from checks.deploy_privilege import PrivilegeExpectations, evaluate
from monitor.expected.models import DeployIdentity
from monitor.facts.access import Access, Granted, Power
from monitor.facts.identity import Identity, Use
from monitor.facts.policy import Policy, Statement
from monitor.facts.trust import TrustPath
from monitor.model import Outcome, Result, Severity, Sweep, Unknown, Window

AT = datetime(2026, 4, 1, tzinfo=UTC)
SWEEP = Sweep(id="s", planned_for=AT, at=AT, window=Window(AT, AT))
NAME = "arn:aws:iam::111122223333:role/payments-deploy"
TOKEN = TrustPath(
    kind="token",
    principal="p",
    action="sts:AssumeRoleWithWebIdentity",
    by="trust#1",
    issuer="token.actions.githubusercontent.com",
)
RUNNER = "arn:aws:iam::111122223333:role/runner"


def identity(**more: Any) -> Identity:
    given: dict[str, Any] = {
        "provider": "aws",
        "account": "111122223333",
        "id": "AROA1",
        "name": NAME,
        "kind": "role",
        "at": AT,
    }
    return Identity(**(given | more))


def access(*powers: Power, granted: Any = (), **more: Any) -> Access:
    return Access(identity=more.pop("identity", identity()), powers=powers, granted=granted, **more)


def power(kind: str = "escalation", **more: Any) -> Power:
    given: dict[str, Any] = {
        "rule": "pass-role-lambda",
        "severity": Severity.CRITICAL,
        "actions": ("iam:PassRole", "lambda:CreateFunction"),
        "resources": ("*",),
        "reaches": "admin",
        "by": ("deploy#1",),
    }
    return Power(kind=kind, **(given | more))


def declared(*allowances: dict[str, Any] | None) -> PrivilegeExpectations:
    entry: dict[str, Any] = {
        "id": "payments",
        "principals": [NAME],
        "proof": {
            "token": {
                "issuer": "token.actions.githubusercontent.com",
                "subjects": ["repo:example-org/payments:pull_request"],
            }
        },
    }
    if allowances and allowances[0] is not None:
        entry["allows"] = [{"reason": "it deploys", **one} for one in allowances]  # type: ignore[dict-item]
    elif not allowances:
        entry["allows"] = []
    return PrivilegeExpectations(deploy_identities=(DeployIdentity.model_validate(entry),))


def judged(fact: Access, expect: PrivilegeExpectations | None = None, part: str = "privilege") -> Result:
    found = [one for one in evaluate([fact], expect or declared(None), SWEEP) if one.subject.endswith(f":{part}")]
    assert len(found) == 1
    return found[0]


def test_a_power_that_nobody_declared_fails_with_its_severity():
    found = judged(access(power(), power("destroys-data", rule="s3", severity=Severity.HIGH, reaches="")))

    assert found.outcome is Outcome.FAIL
    assert found.severity is Severity.CRITICAL
    assert "escalation (pass-role-lambda) reaches admin" in found.reason
    assert "destroys-data (s3)" in found.reason


def test_what_is_declared_passes_and_is_listed_with_its_reason():
    found = judged(access(power()), declared({"actions": ["iam:PassRole", "lambda:*"]}))

    assert found.outcome is Outcome.PASS
    assert found.observed["declared"][0]["rule"] == "pass-role-lambda"
    assert found.observed["declared"][0]["why"] == "it deploys"


@pytest.mark.parametrize(
    "allowance",
    [
        {"actions": ["iam:PassRole"]},
        {"actions": ["iam:PassRole", "lambda:*"], "resources": ["arn:aws:iam::111122223333:role/task-*"]},
    ],
)
def test_a_declaration_of_less_does_not_cover_it(allowance):
    assert judged(access(power()), declared(allowance)).outcome is Outcome.FAIL


def test_a_resource_that_is_declared_covers_the_right_on_it():
    narrow = power(resources=("arn:aws:iam::111122223333:role/task-a",))
    allowance = {"actions": ["iam:PassRole", "lambda:*"], "resources": ["arn:aws:iam::111122223333:role/task-*"]}

    assert judged(access(narrow), declared(allowance)).outcome is Outcome.PASS


def test_what_is_open_only_under_a_condition_is_unknown_and_says_which():
    found = judged(access(power(conditions=("StringEquals aws:principaltag/team platform",))))

    assert found.outcome is Outcome.UNKNOWN
    assert "aws:principaltag/team" in found.reason


def test_a_condition_that_leaves_the_right_as_strong_excuses_nothing():
    found = judged(access(power(conditions=("StringEquals aws:requestedregion eu-west-1",))))

    assert found.outcome is Outcome.FAIL


def test_a_write_beyond_the_declaration_fails():
    granted = (Granted(writes=("ecs:UpdateService", "sqs:DeleteQueue"), services=("ecs", "sqs"), by="deploy#1"),)
    found = judged(access(granted=granted), declared({"actions": ["ecs:Update*"]}))

    assert found.outcome is Outcome.FAIL
    assert found.severity is Severity.MEDIUM
    assert found.observed["beyond"] == ["sqs:DeleteQueue"]


def test_without_a_declaration_of_rights_only_what_alarms_anywhere_is_judged():
    granted = (Granted(writes=("sqs:DeleteQueue",), services=("sqs",), by="deploy#1"),)

    assert judged(access(granted=granted), declared(None)).outcome is Outcome.PASS
    assert judged(access(granted=granted), declared()).outcome is Outcome.FAIL


def test_action_names_have_no_case():
    granted = (Granted(writes=("ECS:UpdateService",), services=("ecs",), by="deploy#1"),)

    assert judged(access(granted=granted), declared({"actions": ["ecs:updateservice"]})).outcome is Outcome.PASS


def test_rights_that_could_not_be_read_are_unknown_with_what_to_grant():
    lost = Unknown("denied", "iam:GetAccountAuthorizationDetails")
    found = judged(Access(identity=identity(), powers=lost, granted=lost))

    assert found.outcome is Outcome.UNKNOWN
    assert found.remedy == "iam:GetAccountAuthorizationDetails"


def test_a_policy_that_cannot_be_read_leaves_it_unknown_but_hides_no_failure():
    broken = Policy(name="inline/x", kind="inline", statements=Unknown("statement 2 is malformed"))
    one = identity(policies=(broken,))

    assert judged(access(identity=one)).outcome is Outcome.UNKNOWN
    assert judged(access(power(), identity=one)).outcome is Outcome.FAIL


def test_an_unread_ceiling_takes_no_pass_away_and_excuses_nothing():
    one = identity(ceilings=Unknown("not readable from here", "organizations:ListPoliciesForTarget"))
    unclear = (Unknown("the organisation's policies were not read"),)

    assert judged(access(identity=one, unclear=unclear)).outcome is Outcome.PASS
    found = judged(access(power(), identity=one, unclear=unclear))
    assert found.outcome is Outcome.FAIL
    assert found.observed["unclear"] == ["the organisation's policies were not read"]


def test_an_identity_of_no_pipeline_is_no_subject():
    assert list(evaluate([access(power())], PrivilegeExpectations(), SWEEP)) == []


def test_an_identity_that_a_token_can_become_is_judged_though_nobody_declared_it():
    found = judged(access(power(), identity=identity(trust=(TOKEN,))), PrivilegeExpectations())

    assert found.outcome is Outcome.FAIL


USED = (
    Granted(
        writes=("ecs:DeleteService", "ecs:UpdateService"), reads=("ecs:ListServices",), services=("ecs",), by="deploy#1"
    ),
    Granted(writes=("sqs:DeleteQueue",), services=("sqs",), by="deploy#2"),
)
POLICY = Policy(
    name="deploy",
    kind="inline",
    statements=(
        Statement(n=1, allow=True, actions=("ecs:*Service*",), resources=("*",)),
        Statement(n=2, allow=True, actions=("sqs:DeleteQueue",), resources=("*",)),
    ),
)
RECENT, OLD = AT - timedelta(days=3), AT - timedelta(days=200)


def test_rights_that_were_not_used_fail_with_the_policy_that_would_have_sufficed():
    uses = (
        Use(service="ecs", at=RECENT),
        Use(service="ecs", action="ecs:UpdateService", at=RECENT),
        Use(service="ecs", action="ecs:DeleteService", at=OLD),
        Use(service="sqs"),
    )
    one = identity(uses=uses, policies=(POLICY,), created_at=OLD)
    found = judged(access(granted=USED, identity=one), part="unused")

    assert found.outcome is Outcome.FAIL
    assert found.severity is Severity.LOW
    assert found.observed["unused_services"] == ("sqs",)
    assert found.observed["unused_actions"] == ("ecs:DeleteService",)
    assert found.observed["smaller_policy"] == {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Resource": ["*"], "Action": ["ecs:ListServices", "ecs:UpdateService"]}],
    }


def test_rights_that_were_all_used_pass():
    uses = (Use(service="ecs", at=RECENT), Use(service="sqs", at=RECENT))

    assert (
        judged(access(granted=USED, identity=identity(uses=uses, policies=(POLICY,))), part="unused").outcome
        is Outcome.PASS
    )


def test_an_identity_that_is_young_is_not_called_unused():
    one = identity(created_at=RECENT, uses=())

    assert judged(access(granted=USED, identity=one), part="unused").outcome is Outcome.NOT_APPLICABLE


def test_use_that_is_not_known_is_unknown():
    one = identity(uses=Unknown("denied", "iam:GenerateServiceLastAccessedDetails"))

    assert judged(access(granted=USED, identity=one), part="unused").outcome is Outcome.UNKNOWN


def test_hostile_names_are_told_as_they_are_and_lists_are_bounded():
    names = tuple(f"svc:{n}\x1b[31m=cmd" for n in range(1000))
    found = judged(access(granted=(Granted(writes=names, services=("svc",), by="x#1"),)), declared())

    assert found.outcome is Outcome.FAIL
    assert len(found.observed["beyond"]) == 200
    assert found.observed["beyond_in_all"] == 1000


def test_the_order_of_facts_and_powers_changes_nothing():
    first, second = power(), power("blinds-logs", rule="cloudtrail", severity=Severity.HIGH, reaches="")
    other = access(identity=identity(id="AROA2", name=RUNNER, trust=(TOKEN,)))

    one = list(evaluate([access(first, second), other], declared(None), SWEEP))
    two = list(evaluate([other, access(second, first)], declared(None), SWEEP))
    assert one == two
