"""Who can become a role: through every statement that allows it, with the operators' real meaning."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.decode.aws_trust import OidcProvider, trust_paths
from monitor.facts.trust import ClaimTest, TrustPath
from monitor.model import Unknown

ACCOUNT = "111122223333"
OTHER = "444455556666"
GITHUB = "token.actions.githubusercontent.com"
ARN = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB}"
ROLE = f"arn:aws:iam::{OTHER}:role/deploy"
KNOWN = {ARN: OidcProvider(arn=ARN, issuer=GITHUB, client_ids=("sts.amazonaws.com",))}
NOT_READ = Unknown("the providers were not read", "iam:ListOpenIDConnectProviders")
WEB = "sts:AssumeRoleWithWebIdentity"
AUD = ClaimTest(claim="aud", patterns=("sts.amazonaws.com",))


def paths(*statements: Any, providers: Any = KNOWN, version: str = "2012-10-17") -> tuple[TrustPath, ...]:
    found = trust_paths({"Version": version, "Statement": list(statements)}, providers, ACCOUNT)
    assert not isinstance(found, Unknown), found
    return found


def allow(principal: Any, action: Any = "sts:AssumeRole", condition: Any = None, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal, "Action": action, "Condition": condition or {}, **more}


def deny(principal: Any = "*", action: Any = "sts:*", condition: Any = None) -> dict[str, Any]:
    return {**allow(principal, action, condition), "Effect": "Deny"}


def github(condition: Any = None, action: Any = WEB, providers: Any = KNOWN) -> TrustPath:
    (path,) = paths(allow({"Federated": ARN}, action, condition), providers=providers)
    return path


def on(claim: str, operator: str, value: Any) -> dict[str, Any]:
    return {operator: {f"{GITHUB}:{claim}": value}}


def subject(operator: str, value: Any) -> ClaimTest:
    path = github(on("sub", operator, value))
    assert not path.dead
    return next(one for one in path.tests if one.claim == "sub")


def test_a_usual_trust_in_github() -> None:
    condition = {
        "StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com"},
        "StringLike": {f"{GITHUB}:sub": ["repo:example-org/b:*", "repo:example-org/a:ref:refs/heads/main"]},
    }
    (path,) = paths(allow({"Federated": ARN}, WEB, condition, Sid="Deploy"))
    assert path == TrustPath(
        kind="token",
        principal=ARN,
        action=WEB,
        by="trust#1 (Deploy)",
        issuer=GITHUB,
        tests=(
            AUD,
            ClaimTest(
                claim="sub", patterns=("repo:example-org/a:ref:refs/heads/main", "repo:example-org/b:*"), wild=True
            ),
        ),
    )


@pytest.mark.parametrize(
    "action",
    [
        WEB,
        [WEB, "sts:TagSession"],
        "STS:assumerolewithwebidentity",
        "sts:*",
        "*",
        "sts:AssumeRoleWith*",
        "*:Assume?oleWithWeb*",
    ],
)
def test_the_action_may_be_a_text_a_list_or_a_pattern_in_any_case(action: Any) -> None:
    assert github(action=action).action == WEB


@pytest.mark.parametrize(
    "action", ["sts:AssumeRole", "sts:TagSession", ["sts:SetSourceIdentity"], "iam:*", "sts:AssumeRoleWithSAML"]
)
def test_other_actions_give_no_way(action: Any) -> None:
    assert paths(allow({"Federated": ARN}, action)) == ()


def test_not_action_allows_all_others() -> None:
    statement = {"Effect": "Allow", "Principal": {"Federated": ARN}, "NotAction": "sts:AssumeRole"}
    assert [one.action for one in paths(statement)] == [WEB]
    assert paths({**statement, "NotAction": ["STS:AssumeRoleWith*"]}) == ()


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("StringEquals", ClaimTest(claim="sub", patterns=("a*",))),
        ("StringLike", ClaimTest(claim="sub", patterns=("a*",), wild=True)),
        ("StringEqualsIgnoreCase", ClaimTest(claim="sub", patterns=("a*",), ignores_case=True)),
        ("StringNotEquals", ClaimTest(claim="sub", patterns=("a*",), negated=True, absent_passes=True)),
        ("StringNotLike", ClaimTest(claim="sub", patterns=("a*",), wild=True, negated=True, absent_passes=True)),
        ("StringLikeIfExists", ClaimTest(claim="sub", patterns=("a*",), wild=True, absent_passes=True)),
        ("ForAllValues:StringLike", ClaimTest(claim="sub", patterns=("a*",), wild=True, absent_passes=True)),
        ("ForAnyValue:StringLike", ClaimTest(claim="sub", patterns=("a*",), wild=True)),
        ("ForAnyValue:StringNotEquals", ClaimTest(claim="sub", patterns=("a*",), negated=True)),
        ("forallvalues:stringequals", ClaimTest(claim="sub", patterns=("a*",), absent_passes=True)),
    ],
)
def test_operators_have_their_real_meaning(operator: str, expected: ClaimTest) -> None:
    assert subject(operator, "a*") == expected


def test_null_false_demands_a_claim_and_null_true_forbids_it() -> None:
    assert subject("Null", "false") == ClaimTest(claim="sub", patterns=("*",), wild=True)
    assert "Null" in github(on("sub", "Null", True)).dead
    absent = next(one for one in github(on("environment", "Null", "true")).tests if one.claim == "environment")
    assert absent.negated
    assert absent.absent_passes
    assert github(on("sub", "Null", ["true", "false"])).tests == (AUD,)


def test_several_conditions_must_all_hold() -> None:
    path = github(
        {"StringLike": {f"{GITHUB}:sub": "a*", f"{GITHUB}:ref": "b"}, "StringNotLike": {f"{GITHUB}:SUB": "ab*"}}
    )
    assert [one.claim for one in path.tests] == ["aud", "ref", "sub", "sub"]


def test_several_statements_and_principals_are_alternatives() -> None:
    found = paths(allow({"AWS": [OTHER, ROLE]}), allow({"Service": "ecs-tasks.amazonaws.com"}))
    assert [(one.kind, one.principal, one.by) for one in found] == [
        ("account", f"arn:aws:iam::{OTHER}:root", "trust#1"),
        ("identity", ROLE, "trust#1"),
        ("service", "ecs-tasks.amazonaws.com", "trust#2"),
    ]


def test_a_key_of_another_issuer_is_absent() -> None:
    assert "gitlab.com:sub" in github({"StringEquals": {"gitlab.com:sub": "x"}}).dead
    assert not github({"StringNotEquals": {"gitlab.com:sub": "x"}}).dead
    assert github({"StringEqualsIfExists": {"gitlab.com:sub": "x"}}).tests == (AUD,)
    assert github({"ForAllValues:StringEquals": {"gitlab.com:sub": "x"}}).tests == (AUD,)
    assert github({"Null": {"gitlab.com:sub": "true"}}).tests == (AUD,)
    assert github({"Null": {"gitlab.com:sub": "false"}}).dead


def test_a_claim_that_sts_does_not_hand_on_lets_everybody_pass_where_absence_does() -> None:
    assert github(on("repository_owner", "StringEqualsIfExists", "example-org")).tests == (AUD,)
    assert [one.claim for one in github(on("repository_owner", "StringEquals", "example-org")).tests] == [
        "aud",
        "repository_owner",
    ]
    assert [one.claim for one in github(on("repository_id", "StringEqualsIfExists", "1")).tests] == [
        "aud",
        "repository_id",
    ]


def test_keys_have_no_case_and_values_do() -> None:
    path = github({"StringEquals": {f"{GITHUB.upper()}:Sub": "Repo:X"}})
    assert ClaimTest(claim="sub", patterns=("Repo:X",)) in path.tests


@pytest.mark.parametrize(
    "condition",
    [
        {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
        {"DateLessThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}},
        {"StringEquals": {"aws:PrincipalTag/team": "x"}},
        {"StringEquals": {"aws:RequestTag/team": "x"}},
        {"StringResembles": {f"{GITHUB}:sub": "x"}},
        {"StringEquals": {f"{GITHUB}:sub": "${aws:username}"}},
        {"NumericEquals": {f"{GITHUB}:repository_id": "1"}},
        {"StringEquals": {f"{GITHUB}:sub": []}},
        {"Null": {f"{GITHUB}:sub": "maybe"}},
        {"Bool": {"aws:MultiFactorAuthPresent": "yes"}},
        {"ForAnyValue:StringNotEquals": {f"{GITHUB}:amr": "x"}},
    ],
)
def test_what_cannot_be_evaluated_is_told_and_narrows_nothing(condition: Any) -> None:
    path = github(condition)
    assert path.tests == (AUD,)
    assert not path.dead
    assert len(path.unclear) == 1


def test_variables_stand_for_themselves_in_the_old_version() -> None:
    (path,) = paths(allow({"Federated": ARN}, WEB, on("sub", "StringEquals", "${x}")), version="2008-10-17")
    assert ClaimTest(claim="sub", patterns=("${x}",)) in path.tests


def test_the_providers_audiences_hold_where_the_policy_names_none() -> None:
    assert github().tests == (AUD,)
    assert github(on("aud", "StringEquals", "mine")).tests == (ClaimTest(claim="aud", patterns=("mine",)),)
    assert AUD in github(on("aud", "StringLike", "*")).tests
    assert AUD in github(on("aud", "ForAllValues:StringEquals", "x")).tests


@pytest.mark.parametrize("clients", [(), Unknown("AWS told none")])
def test_audiences_that_are_not_told_are_unclear(clients: Any) -> None:
    path = github(providers={ARN: OidcProvider(arn=ARN, issuer=GITHUB, client_ids=clients)})
    assert path.tests == ()
    assert "audiences" in path.unclear[0].reason


def test_a_provider_that_is_not_in_the_account_makes_the_way_dead() -> None:
    assert ARN in github(providers={}).dead
    assert not github(providers={ARN.upper(): KNOWN[ARN]}).dead


def test_without_knowledge_of_providers_only_a_missing_audience_is_unclear() -> None:
    assert "not read" in github(providers=NOT_READ).unclear[0].reason
    path = github(on("aud", "StringEquals", "sts.amazonaws.com"), providers=NOT_READ)
    assert (path.tests, path.unclear, path.dead) == ((AUD,), (), "")


@pytest.mark.parametrize(
    "issuer",
    [
        "ghes.example.com/_services/token",
        f"{GITHUB}/example",
        "token.actions.example.ghe.com",
        "gitlab.com",
        "agent.buildkite.com",
        "oidc.circleci.com/org/1",
        "app.terraform.io",
        "host.example.com:8443/x",
    ],
)
def test_issuers_of_all_kinds(issuer: str) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"
    provider = {arn: OidcProvider(arn=arn, issuer=issuer, client_ids=("x",))}
    (path,) = paths(allow({"Federated": arn}, WEB, {"StringEquals": {f"{issuer}:sub": "s"}}), providers=provider)
    assert (path.issuer, path.dead) == (issuer, "")
    assert ClaimTest(claim="sub", patterns=("s",)) in path.tests


def test_public_providers_need_none_in_the_account() -> None:
    statement = allow(
        {"Federated": "cognito-identity.amazonaws.com"},
        WEB,
        {
            "StringEquals": {"cognito-identity.amazonaws.com:aud": "eu-west-1:1"},
            "ForAnyValue:StringLike": {"cognito-identity.amazonaws.com:amr": "authenticated"},
        },
    )
    (path,) = paths(statement, providers={})
    assert (path.kind, path.issuer, path.dead, path.unclear) == ("token", "cognito-identity.amazonaws.com", "", ())
    assert [one.claim for one in path.tests] == ["amr", "aud"]


def test_saml() -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:saml-provider/corp"
    (path,) = paths(
        allow(
            {"Federated": arn},
            ["sts:AssumeRoleWithSAML", WEB],
            {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}},
        )
    )
    assert (path.kind, path.principal, path.action) == ("saml", arn, "sts:AssumeRoleWithSAML")
    assert path.tests == (ClaimTest(claim="saml:aud", patterns=("https://signin.aws.amazon.com/saml",)),)


@pytest.mark.parametrize(
    ("value", "kind", "principal"),
    [
        (OTHER, "account", f"arn:aws:iam::{OTHER}:root"),
        (f"arn:aws:iam::{OTHER}:root", "account", f"arn:aws:iam::{OTHER}:root"),
        (f"arn:aws-us-gov:iam::{OTHER}:root", "account", f"arn:aws-us-gov:iam::{OTHER}:root"),
        (ROLE, "identity", ROLE),
        (f"arn:aws:sts::{OTHER}:assumed-role/deploy/ci", "identity", f"arn:aws:sts::{OTHER}:assumed-role/deploy/ci"),
        ("", "identity", ""),
    ],
)
def test_principals_of_aws(value: str, kind: str, principal: str) -> None:
    (path,) = paths(allow({"AWS": value}))
    assert (path.kind, path.principal, path.dead) == (kind, principal, "")


def test_a_deleted_principal_makes_the_way_dead() -> None:
    (path,) = paths(allow({"AWS": "AROAEXAMPLEID12345678"}))
    assert "deleted" in path.dead


def test_keys_of_the_request_become_tests() -> None:
    condition = {
        "StringEquals": {"sts:ExternalId": "x", "aws:PrincipalOrgID": "o-1"},
        "ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{OTHER}:role/ci-*"},
        "ArnEquals": {"aws:SourceArn": ROLE},
        "BoolIfExists": {"aws:MultiFactorAuthPresent": True},
    }
    (path,) = paths(allow({"AWS": OTHER}, "sts:AssumeRole", condition))
    assert path.unclear == ()
    assert path.tests == (
        ClaimTest(claim="aws:multifactorauthpresent", patterns=("true",), absent_passes=True),
        ClaimTest(claim="aws:principalarn", patterns=(f"arn:aws:iam::{OTHER}:role/ci-*",), wild=True),
        ClaimTest(claim="aws:principalorgid", patterns=("o-1",)),
        ClaimTest(claim="aws:sourcearn", patterns=(ROLE,)),
        ClaimTest(claim="sts:externalid", patterns=("x",)),
    )


def test_a_token_never_comes_with_an_external_id() -> None:
    assert "sts:externalid" in github({"StringEquals": {"sts:ExternalId": "x"}}).dead


@pytest.mark.parametrize("principal", ["*", {"AWS": "*"}])
def test_everybody_is_anyone_and_every_token_too(principal: Any) -> None:
    found = paths(allow(principal, "sts:*"))
    assert {(one.kind, one.action) for one in found} == {
        ("anyone", "sts:AssumeRole"),
        ("saml", "sts:AssumeRoleWithSAML"),
        ("token", WEB),
    }
    assert {GITHUB, "accounts.google.com"} <= {one.issuer for one in found}
    assert [one.kind for one in paths(allow(principal))] == ["anyone"]


def test_everybody_with_a_claim_of_one_issuer_is_only_that_issuer() -> None:
    statement = allow("*", WEB, on("sub", "StringLike", "repo:example-org/*"))
    assert [one.principal for one in paths(statement)] == [ARN]
    assert [(one.issuer, bool(one.unclear)) for one in paths(statement, providers=NOT_READ)] == [(GITHUB, True)]
    assert "" in [one.issuer for one in paths(allow("*", WEB), providers=NOT_READ)]


def test_not_principal_with_allow_is_anyone() -> None:
    statement = {"Effect": "Allow", "NotPrincipal": {"AWS": ROLE}, "Action": "sts:AssumeRole"}
    (path,) = paths(statement)
    assert path.kind == "anyone"
    assert ROLE in path.by
    assert path.unclear == ()


def test_a_malformed_policy_is_unknown() -> None:
    assert isinstance(trust_paths({"Statement": [allow("*"), {}]}, KNOWN, ACCOUNT), Unknown)
    assert isinstance(trust_paths(None, KNOWN, ACCOUNT), Unknown)
    assert trust_paths({"Statement": []}, KNOWN, ACCOUNT) == ()


def denied(denial: Any, base: Any = None) -> tuple[TrustPath, ...]:
    return paths(base or allow({"Federated": ARN}, WEB, on("sub", "StringLike", "repo:example-org/*")), denial)


def test_a_deny_without_conditions_ends_the_way() -> None:
    for denial in (deny(), deny({"Federated": ARN}), deny(action=["STS:assumeRoleWithWebIdentity"])):
        (path,) = denied(denial)
        assert "trust#2" in path.dead


def test_a_deny_of_another_action_or_principal_changes_nothing() -> None:
    plain = paths(allow({"Federated": ARN}, WEB, on("sub", "StringLike", "repo:example-org/*")))
    for denial in (
        deny(action="sts:AssumeRole"),
        deny({"AWS": OTHER}),
        deny({"Federated": "other"}),
        deny(condition={"StringEquals": {"gitlab.com:sub": "x"}}),
    ):
        assert denied(denial) == plain


def test_a_deny_with_conditions_leaves_who_escapes_one_of_them() -> None:
    condition = {
        "StringLike": {f"{GITHUB}:sub": "*:pull_request"},
        "StringNotEquals": {f"{GITHUB}:ref": "refs/heads/main"},
    }
    found = denied(deny(condition=condition))
    assert len(found) == 2
    added = [
        set(one.tests) - {AUD, ClaimTest(claim="sub", patterns=("repo:example-org/*",), wild=True)} for one in found
    ]
    assert {ClaimTest(claim="sub", patterns=("*:pull_request",), wild=True, negated=True, absent_passes=True)} in added
    assert {ClaimTest(claim="ref", patterns=("refs/heads/main",))} in added


def test_a_deny_of_all_but_what_is_allowed_changes_nothing() -> None:
    base = allow({"Federated": ARN}, WEB, on("sub", "StringEquals", "s"))
    assert denied(deny(condition=on("sub", "StringNotEquals", "s")), base) == paths(base)


def test_a_deny_of_all_that_is_allowed_ends_the_way() -> None:
    base = allow({"Federated": ARN}, WEB, on("sub", "StringEquals", "s"))
    (path,) = denied(deny(condition=on("sub", "StringEquals", "s")), base)
    assert path.dead


@pytest.mark.parametrize(
    "condition",
    [
        {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
        {"StringEquals": {f"{GITHUB}:sub": "x", "aws:PrincipalTag/a": "b"}},
        {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/x"}},
        {"StringNotEquals": {f"{GITHUB}:repository_owner": "example-org"}},
    ],
)
def test_a_deny_that_cannot_be_evaluated_is_a_note_and_ends_nothing(condition: Any) -> None:
    (path,) = denied(deny(condition=condition))
    assert not path.dead
    assert "trust#2" in path.unclear[0].reason


def test_a_deny_of_one_identity_of_an_account() -> None:
    (path,) = paths(allow({"AWS": OTHER}), deny({"AWS": ROLE}))
    assert path.tests == (ClaimTest(claim="aws:principalarn", patterns=(ROLE,), negated=True, absent_passes=True),)
    (path,) = paths(allow({"AWS": ROLE}), deny({"AWS": OTHER}))
    assert path.dead
    (path,) = paths(allow("*"), deny({"AWS": [OTHER, ROLE]}))
    assert [one.claim for one in path.tests] == ["aws:principalaccount", "aws:principalarn"]


def test_a_deny_of_sessions_is_a_note_on_their_role() -> None:
    session = f"arn:aws:sts::{OTHER}:assumed-role/deploy/ci"
    (path,) = paths(allow({"AWS": ROLE}), deny({"AWS": session}))
    assert path.unclear
    assert not path.dead
    (path,) = paths(allow({"AWS": session}), deny({"AWS": ROLE}))
    assert path.dead


def test_a_deny_of_all_but_some_ends_all_other_ways() -> None:
    statement = {"Effect": "Deny", "NotPrincipal": {"AWS": [OTHER, ROLE]}, "Action": "sts:*"}
    found = paths(allow({"AWS": [ROLE, "777788889999"], "Service": "ec2.amazonaws.com"}), statement)
    assert [(one.principal, bool(one.dead)) for one in found] == [
        (ROLE, False),
        ("arn:aws:iam::777788889999:root", True),
        ("ec2.amazonaws.com", True),
    ]


def test_many_denies_do_not_explode() -> None:
    denials = [
        deny(
            condition={"StringEquals": {f"{GITHUB}:sub": f"a{n}", f"{GITHUB}:ref": f"b{n}", f"{GITHUB}:actor": f"c{n}"}}
        )
        for n in range(30)
    ]
    found = paths(allow({"Federated": ARN}, WEB), *denials)
    assert len(found) <= 64
    assert all(one.unclear for one in found)


def test_wildcards_in_actions_take_no_time() -> None:
    assert paths(allow({"Federated": ARN}, "*a" * 2000 + ":x")) == ()
