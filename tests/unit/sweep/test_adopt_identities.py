"""Expected state from the identities that there are: it loads, and tight ones that it was made from do not fail by it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from monitor.decode import aws_iam
from monitor.decode.aws_iam import OidcProvider
from monitor.expected.document import parse
from monitor.expected.models import Sections
from monitor.facts.access import Access
from monitor.facts.identity import Identity
from monitor.facts.trust import ClaimTest, TrustPath
from monitor.iam.analysis import analyse
from monitor.model import Result, Sweep, Unknown, Window
from monitor.sources.catalogue import aws_catalogue
from monitor.sweep import registry
from monitor.sweep.adopt_identities import MOST_ACTIONS, Adopted, adopt, written
from monitor.sweep.evaluate import run

AT = datetime(2026, 3, 14, tzinfo=UTC)
SWEEP = Sweep(id="s1", planned_for=AT, at=AT, window=Window(AT, AT))
ACCOUNT, GITHUB = "111122223333", "token.actions.githubusercontent.com"
MAIN = "repo:example-org/web:ref:refs/heads/main"
AUDIENCE = "sts.amazonaws.com"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB}"
CHECKS = registry.chosen(registry.discover(), ("deploy-trust", "deploy-privilege"))
HOSTILE = [
    "\n  - id: evil",
    "\r\nbreak_glass: []",
    '"\n',
    "' # '",
    "# comment",
    "a: b",
    "\\",
    '\\"',
    "\x1b[31m",
    "\x00",
    "\u2028- id: evil",
    "\x85x",
    "\u202eright to left",
    "\ufeff",
    "*anchor",
    "&anchor",
    "!!python/object",
    "{{ x }}",
    "%TAG",
    "\ud800",
    "\U0001f600",
    "---",
    "x" * 5000,
]


def allow(*actions: str, on: str | list[str] = "*", **conditions: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"Effect": "Allow", "Action": list(actions), "Resource": on}
    return found | ({"Condition": conditions} if conditions else {})


def trusting(sub: Any = MAIN, operator: str = "StringLike", *, audience: Any = AUDIENCE) -> dict[str, Any]:
    conditions: dict[str, Any] = {"StringEquals": {f"{GITHUB}:aud": audience}} if audience else {}
    if sub is not None:
        conditions.setdefault(operator, {})[f"{GITHUB}:sub"] = sub
    found = {"Effect": "Allow", "Principal": {"Federated": PROVIDER}, "Action": "sts:AssumeRoleWithWebIdentity"}
    return found | ({"Condition": conditions} if conditions else {})


def role(
    name: str, *rights: dict[str, Any], trust: Iterable[dict[str, Any]] | None = None, **more: Any
) -> dict[str, Any]:
    document = {"Version": "2012-10-17", "Statement": list(rights)}
    return {
        "RoleName": name,
        "RoleId": f"AROA{name.upper()}",
        "Arn": f"arn:aws:iam::{ACCOUNT}:role/{name}",
        "Path": "/",
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": list(trust or (trusting(),))},
        "RolePolicyList": [{"PolicyName": "own", "PolicyDocument": document}] if rights else [],
        "AttachedManagedPolicies": [],
        **more,
    }


def read(*roles: dict[str, Any]) -> tuple[Access, ...]:
    providers = {PROVIDER: OidcProvider(arn=PROVIDER, issuer=GITHUB, client_ids=(AUDIENCE,))}
    found = aws_iam.authorization({"RoleDetailList": list(roles)}, ACCOUNT, AT, providers)
    return analyse(found, {"aws": aws_catalogue()})


def sections(found: Iterable[Adopted]) -> Sections:
    document = parse(written(found).encode(), "identities.yaml")
    assert document.mistakes == ()
    assert document.sound
    made = Sections.model_validate(document.data)
    assert set(document.data) == {"deploy_identities"}
    return made


class Stated:
    """Expected state with these sections."""

    def __init__(self, made: Sections) -> None:
        self.sections = made

    def build(self, cls: Any) -> Any:
        return cls(**{name: getattr(self.sections, name) for name in cls.model_fields})


def taken(*roles: dict[str, Any]) -> tuple[dict[str, Adopted], dict[str, str]]:
    """Return what was adopted by name, and the worst outcome of each identity that is judged by it."""
    accesses = read(*roles)
    found = adopt(accesses)
    assert adopt(accesses[::-1]) == found
    results = [result for check in CHECKS for result in run(check, accesses, Stated(sections(found)), SWEEP)]
    short = {access.identity.subject(): access.identity.short for access in accesses}
    return {one.name.rpartition("/")[2]: one for one in found}, _worst(results, short)


def _worst(results: Iterable[Result], short: dict[str, str]) -> dict[str, str]:
    order = ("fail", "error", "unknown", "pass", "not-applicable")
    found: dict[str, str] = {}
    for result in results:
        name = short.get(":".join(result.subject.split(":")[:4]))
        if name and not result.subject.endswith(":unused"):
            known = (result.outcome.value, found.get(name, "not-applicable"))
            found[name] = min(known, key=order.index)
    return found


TIGHT = {
    "reads": (allow("s3:GetObject"),),
    "writes": (allow("s3:PutObject", "ecs:UpdateService", on="*"),),
    "whole-service": (allow("sqs:*"), allow("s3:PutObject")),
    "destroys": (
        allow("dynamodb:DeleteTable", on=f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/x"),
        allow("ecs:Update*"),
    ),
    "passes": (allow("iam:PassRole", "ecs:RegisterTaskDefinition", "ecs:RunTask"),),
    "blinds": (allow("logs:*", "cloudtrail:*"), allow("s3:Put*", "s3:Delete*")),
    "narrowed": (allow("s3:*"), {**allow("s3:DeleteObject*"), "Effect": "Deny"}),
    "not-resource": ({"Effect": "Allow", "Action": ["s3:*"], "NotResource": "arn:aws:s3:::secret/*"},),
    "with-mfa": (allow("iam:CreateAccessKey", Bool={"aws:MultiFactorAuthPresent": "true"}), allow("s3:PutObject")),
    "in-a-region": (allow("kms:DisableKey", StringEquals={"aws:RequestedRegion": "us-east-1"}),),
    "unknown-actions": (allow("newservice:*", "other:DoIt", "kms:ScheduleKeyDeletion"),),
}


@pytest.mark.parametrize("rights", TIGHT.values(), ids=TIGHT)
def test_a_tight_identity_does_not_fail_by_what_was_adopted_of_it(rights: tuple[dict[str, Any], ...]) -> None:
    found, outcomes = taken(role("web", *rights))
    assert found["web"].doubts == ()
    assert outcomes == {"web": "pass"}


def test_what_alarms_nobody_is_adopted_without_allowances() -> None:
    found, outcomes = taken(role("web", allow("s3:GetObject", "s3:PutObject")))
    assert found["web"].entry == {
        "id": "web",
        "principals": [f"arn:aws:iam::{ACCOUNT}:role/web"],
        "proof": {"token": {"issuer": GITHUB, "subjects": [MAIN], "audience": AUDIENCE}},
    }
    assert outcomes == {"web": "pass"}


def test_what_alarms_is_adopted_with_a_reason_to_review_and_so_is_what_stands_beside_it() -> None:
    found, _ = taken(role("web", allow("dynamodb:DeleteTable", "s3:PutObject")))
    entry = found["web"].entry
    assert entry is not None
    assert [one["actions"] for one in entry["allows"]] == [["dynamodb:DeleteTable"], ["s3:PutObject"]]
    assert all(one["reason"].startswith("REVIEW: ") for one in entry["allows"])


def test_many_actions_are_adopted_by_the_patterns_of_the_policy() -> None:
    found, _ = taken(role("web", allow("ec2:*", "rds:*")))
    entry = found["web"].entry
    assert entry is not None
    assert all(len(one["actions"]) <= MOST_ACTIONS for one in entry["allows"])
    assert {"ec2:*"} <= {action for one in entry["allows"] for action in one["actions"]}


@pytest.mark.parametrize(
    "rights", [allow("*"), {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, allow("iam:*")]
)
def test_administrators_are_told_and_go_on_failing(rights: dict[str, Any]) -> None:
    found, outcomes = taken(role("web", rights))
    assert any("nearly everything" in doubt for doubt in found["web"].doubts)
    assert found["web"].entry is not None
    assert "allows" not in found["web"].entry
    assert outcomes == {"web": "fail"}


WIDE: list[tuple[Any, str]] = [
    (trusting(None), "no subject"),
    (trusting("*"), "narrow the trust"),
    (trusting("repo:*"), "narrow the trust"),
    (trusting("repo:example-org*"), ""),
    (trusting("repo:example-org/*"), ""),
    (trusting("repo:example-org/web:*"), "narrow the trust"),
    (trusting("repo:example-org/*:ref:refs/heads/main"), "narrow the trust"),
    (trusting("repo:example-org/web:ref:refs/heads/*"), "narrow the trust"),
    (trusting("repo:example-org/web:pull_request"), "before any review"),
    (trusting("repo:example-org/web:*", "StringEquals"), "literally"),
    (trusting(MAIN, "StringEqualsIgnoreCase"), "in any case"),
    (trusting("repo:evil-org/*", "StringNotLike"), "no subject"),
]


@pytest.mark.parametrize(("statement", "told"), WIDE)
def test_trust_that_is_too_wide_is_listed_apart(statement: dict[str, Any], told: str) -> None:
    found, outcomes = taken(role("web", trust=[statement]), role("api"))
    assert found["web"].entry is None
    assert any(told in doubt for doubt in found["web"].doubts), found["web"].doubts
    assert "# arn:aws:iam::111122223333:role/web\n" in written(found.values())
    assert outcomes["web"] in ("fail", "pass") and outcomes["api"] != "fail"


def test_of_several_subjects_the_tight_ones_are_taken_and_the_others_told() -> None:
    found, outcomes = taken(role("web", trust=[trusting([MAIN, "repo:example-org/*"])]))
    entry = found["web"].entry
    assert entry is not None
    assert entry["proof"]["token"]["subjects"] == [MAIN]
    assert "# To decide: trust#1 lets in repo:example-org/*" in written(found.values())
    assert outcomes == {"web": "fail"}


def test_of_two_demands_that_must_both_hold_the_tight_one_is_taken() -> None:
    both = trusting("repo:example-org/*")
    both["Condition"]["StringEquals"][f"{GITHUB}:sub"] = MAIN
    found, outcomes = taken(role("web", trust=[both]))
    assert found["web"].doubts == ()
    assert outcomes["web"] != "fail"


def test_others_who_can_become_it_are_told() -> None:
    people = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    found, _ = taken(role("web", trust=[trusting(), people]))
    assert any("assumable_by" in doubt for doubt in found["web"].doubts)


def test_statements_that_differ_in_their_audience_are_told() -> None:
    found, _ = taken(role("web", trust=[trusting(), trusting(audience="other")]))
    entry = found["web"].entry
    assert entry is not None
    assert "audience" not in entry["proof"]["token"]
    assert any("audience" in doubt for doubt in found["web"].doubts)


def test_identities_that_no_pipeline_uses_are_left_out() -> None:
    task = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    assert taken(role("task", allow("*"), trust=[task]))[0] == {}
    assert written(()).endswith("deploy_identities: []\n")


def test_an_issuer_that_could_not_be_read_is_told() -> None:
    path = TrustPath(kind="token", principal="pool", action="a", by="b#1", unclear=(Unknown("the pool is another's"),))
    found = adopt([Access(identity=_account("x@example-prod.iam.gserviceaccount.com", path))])
    assert (found[0].entry, found[0].doubts[0]) == (None, "b#1: the pool is another's")
    sections(found)


def test_names_that_are_alike_get_ids_of_their_own() -> None:
    names = ["web", "a/web", "b/web", "web-2", "web@x", "-", "_", "." * 80, "x" * 90, "x" * 91]
    found = adopt(Access(identity=_role(name)) for name in names)
    ids = [one.id for one in sections(found).deploy_identities]
    assert len(set(ids)) == len(ids) == len(names)


def _account(name: str, *paths: TrustPath) -> Identity:
    return Identity(
        provider="gcp", account="example-prod", id=name, name=name, kind="service-account", at=AT, trust=paths
    )


def _role(name: str, subject: str = MAIN, by: str = "trust#1", issuer: str = GITHUB) -> Identity:
    tests = (ClaimTest(claim="sub", patterns=(subject,)), ClaimTest(claim="aud", patterns=(AUDIENCE,)))
    path = TrustPath(kind="token", principal=PROVIDER, action="a", by=by, issuer=issuer, tests=tests)
    arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
    return Identity(provider="aws", account=ACCOUNT, id=name, name=arn, kind="role", at=AT, trust=(path,))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_cannot_break_out_of_the_yaml(text: str) -> None:
    """Whatever is adopted reads as it is, and what is not stays in its comment."""
    power = msgspec.structs.replace(
        read(role("web", allow("dynamodb:DeleteTable")))[0].powers[0],  # type: ignore[index]
        actions=(f"s3:{text}",),
        resources=(f"arn:aws:s3:::{text}",),
        rule=text,
    )
    accesses = [
        Access(identity=_role(f"web{text}")),
        Access(identity=_role("subject", f"repo:example-org/web:environment:{text}")),
        Access(identity=_role("wide", f"repo:example-org/{text}:*", by=f"trust{text}#1")),
        Access(identity=_role("issuer", issuer=f"{GITHUB}/{text}")),
        Access(identity=_role("powers"), powers=(power,)),
        Access(identity=_account(f"{text}@example-prod.iam.gserviceaccount.com")),
        Access(identity=_role("zz")),
    ]
    found = adopt(accesses)
    text_out = written(found)
    text_out.encode()
    made = sections(found)
    expected = {one.entry["id"]: one.entry for one in found if one.entry is not None}
    assert {one.id for one in made.deploy_identities} == set(expected)
    assert "zz" in expected
    for one in made.deploy_identities:
        token = expected[one.id]["proof"]["token"]
        assert (list(one.principals), list(one.proof.subjects)) == (  # type: ignore[union-attr]
            expected[one.id]["principals"],
            token["subjects"],
        )
        assert [list(allowed.resources) for allowed in one.allows or ()] == [
            entry["resources"] for entry in expected[one.id].get("allows", ())
        ]


@pytest.mark.parametrize("text", ["*", "web-*", "?"])
def test_a_name_that_would_be_a_pattern_is_never_declared(text: str) -> None:
    (found,) = adopt([Access(identity=_role(text))])
    assert found.entry is None
