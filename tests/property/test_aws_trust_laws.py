"""Laws of reading IAM: nothing raises on any JSON; a wider condition never ends a way; order is all one."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.decode import aws_iam
from monitor.decode.aws_iam import authorization, oidc_provider
from monitor.decode.aws_iam_credentials import credential_report, last_accessed, listed
from monitor.decode.aws_organizations import ceilings, enabled
from monitor.decode.aws_policy import policy, statements
from monitor.decode.aws_trust import OidcProvider, trust_paths
from monitor.errors import Malformed
from monitor.facts.trust import ClaimTest, TrustPath
from monitor.model import Unknown

AT = datetime(2026, 3, 10, tzinfo=UTC)
ACCOUNT = "111122223333"
GITHUB = "token.actions.githubusercontent.com"
ARN = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB}"
EVERY = f"arn:aws:iam::{ACCOUNT}:oidc-provider/*"
PROVIDERS = {ARN: OidcProvider(arn=ARN, issuer=GITHUB, client_ids=("sts.amazonaws.com",))}

keys_seen = st.sampled_from(
    [
        "Statement", "Effect", "Action", "Principal", "Condition", "Version", "AWS", "Federated", "RoleDetailList",
        "UserDetailList", "Policies", "PolicyVersionList", "Document", "AssumeRolePolicyDocument", "RolePolicyList",
        "AttachedManagedPolicies", "PermissionsBoundary", "GroupList", "Roots", "Parents", "ServicesLastAccessed",
    ]
)  # fmt: skip
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["*", "Allow", ARN, "%7B", "sts:*"])
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys_seen | st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)

operators = st.sampled_from(
    [
        "StringEquals", "StringLike", "StringNotEquals", "StringNotLike", "StringEqualsIgnoreCase", "StringEqualsIfExists",
        "ForAnyValue:StringLike", "ForAllValues:StringEquals", "ForAnyValue:StringNotEquals", "ArnLike", "ArnNotLike", "Bool",
        "Null", "IpAddress", "NumericEquals", "NotIpAddressIfExists", "Other",
    ]
)  # fmt: skip
claims = st.sampled_from(
    [
        f"{GITHUB}:sub", f"{GITHUB}:aud", f"{GITHUB}:ref", f"{GITHUB}:repository_owner", f"{GITHUB}:amr", "gitlab.com:sub",
        "sts:ExternalId", "aws:PrincipalArn", "aws:SourceIp", "saml:aud", "odd",
    ]
)  # fmt: skip
values = st.lists(
    st.sampled_from(["a", "a*", "true", "false", "${x}", "arn:aws:iam::1:role/*"]), min_size=1, max_size=3, unique=True
)
conditions = st.dictionaries(operators, st.dictionaries(claims, values, min_size=1, max_size=2), max_size=3)
principals = st.sampled_from(
    [
        "*", {"AWS": "*"}, {"Federated": ARN}, {"Federated": "gone"}, {"Federated": "*"}, {"AWS": ["444455556666", "arn:aws:iam::444455556666:role/x"]},
        {"Service": "ecs-tasks.amazonaws.com"}, {"Federated": f"arn:aws:iam::{ACCOUNT}:saml-provider/x"},
    ]
)  # fmt: skip
actions = st.sampled_from(
    ["sts:*", "sts:AssumeRole", ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"], "sts:TagSession", "*"]
)
statement = st.builds(
    lambda effect, who, what, condition: {"Effect": effect, "Principal": who, "Action": what, "Condition": condition},
    st.sampled_from(["Allow", "Allow", "Deny"]), principals, actions, conditions,
)  # fmt: skip
known = st.sampled_from([PROVIDERS, {}, Unknown("not read")])


def read(found: list[dict[str, Any]], providers: Any = PROVIDERS) -> tuple[TrustPath, ...]:
    paths = trust_paths({"Version": "2012-10-17", "Statement": found}, providers, ACCOUNT)
    assert not isinstance(paths, Unknown)
    return paths


def live(paths: tuple[TrustPath, ...]) -> set[tuple[str, str, str, str]]:
    return {(one.kind, one.principal, one.action, one.by) for one in paths if not one.dead}


@settings(max_examples=100, deadline=None)
@given(anything)
def test_nothing_raises_on_any_json(found: Any) -> None:
    policy(found, "n", "inline")
    policy(found, "n", "rcp")
    statements(found)
    trust_paths(found, PROVIDERS, ACCOUNT)
    oidc_provider(found, ARN)
    enabled(found, "scp")
    ceilings("scp", ACCOUNT, "", {ACCOUNT: found}, {ACCOUNT: found}, {"x": found})
    for attempt in (
        lambda: authorization(found, ACCOUNT, AT, PROVIDERS),
        lambda: authorization(
            {"RoleDetailList": found, "UserDetailList": [found], "Policies": found, "GroupDetailList": found},
            ACCOUNT,
            AT,
            PROVIDERS,
        ),
        lambda: aws_iam.one(found, AT),
        lambda: listed(found, {}),
        lambda: last_accessed(found),
        lambda: credential_report(str(found)),
    ):
        try:
            attempt()
        except Malformed as malformed:
            assert malformed.what


@settings(max_examples=100, deadline=None)
@given(st.lists(statement, max_size=4), known)
def test_nothing_raises_on_any_trust_policy_and_ways_are_told_once(found: list[Any], providers: Any) -> None:
    paths = read(found, providers)
    assert len(set(paths)) == len(paths)
    assert all(msgspec.json.decode(msgspec.json.encode(one), type=TrustPath) == one for one in paths)


@settings(max_examples=100, deadline=None)
@given(st.lists(statement, min_size=1, max_size=3), known, st.data())
def test_widening_a_condition_never_ends_a_way(found: list[Any], providers: Any, data: st.DataObject) -> None:
    before = live(read(found, providers))
    allows = [n for n, one in enumerate(found) if one["Effect"] == "Allow" and one["Condition"]]
    if not allows:
        return
    at = data.draw(st.sampled_from(allows))
    wider = msgspec.json.decode(msgspec.json.encode(found))
    condition = wider[at]["Condition"]
    operator = data.draw(st.sampled_from(sorted(condition)))
    key = data.draw(st.sampled_from(sorted(condition[operator])))
    if data.draw(st.booleans()):
        del condition[operator][key]
    else:
        condition[operator][key].append("more")
    if found[at]["Condition"][operator][key] and operator == "Null" and key in condition[operator]:
        return  # a third value of Null has no meaning
    after = live(read(wider, providers))
    # Where it is not known which providers there are, those that are named may become part of all that there may be.
    assert {path for path in before - after if (path[0], EVERY, *path[2:]) not in after} == set()


@settings(max_examples=100, deadline=None)
@given(st.lists(statement, max_size=4), known, st.integers(0, 99))
def test_order_of_statements_and_values_is_all_one(found: list[Any], providers: Any, seed: int) -> None:
    chance = random.Random(seed)
    mixed = msgspec.json.decode(msgspec.json.encode(found))
    chance.shuffle(mixed)
    for one in mixed:
        one["Condition"] = {
            operator: {key: chance.sample(entries, len(entries)) for key, entries in reversed(named.items())}
            for operator, named in reversed(one["Condition"].items())
        }
    assert told(read(found, providers)) == told(read(mixed, providers))


def told(paths: tuple[TrustPath, ...]) -> set[Any]:
    return {
        (one.kind, one.principal, one.action, one.issuer, one.tests, len(one.unclear), bool(one.dead)) for one in paths
    }


plain_operators = st.builds(
    lambda qualifier, name, suffix: qualifier + name + suffix,
    st.sampled_from(["", "", "ForAnyValue:", "ForAllValues:"]),
    st.sampled_from(
        [
            "StringEquals",
            "StringNotEquals",
            "StringLike",
            "StringNotLike",
            "StringEqualsIgnoreCase",
            "StringNotEqualsIgnoreCase",
        ]
    ),
    st.sampled_from(["", "", "IfExists"]),
)
plain_keys = st.sampled_from([f"{GITHUB}:sub", f"{GITHUB}:ref", f"{GITHUB}:actor", "gitlab.com:sub"])
plain_values = st.lists(st.sampled_from(["a", "A", "a*", "*b", "ab", "b", "*"]), min_size=1, max_size=2)
plain_conditions = st.dictionaries(
    plain_operators, st.dictionaries(plain_keys, plain_values, min_size=1, max_size=2), max_size=2
) | st.fixed_dictionaries(
    {"Null": st.dictionaries(plain_keys, st.sampled_from(["true", "false"]), min_size=1, max_size=2)}
)
plain_statement = st.builds(
    lambda effect, who, condition: {"Effect": effect, "Principal": who, "Action": "sts:*", "Condition": condition},
    st.sampled_from(["Allow", "Allow", "Deny"]),
    st.sampled_from(["*", {"Federated": ARN}, {"Federated": "other"}]),
    plain_conditions,
)
tokens = st.fixed_dictionaries(
    {"sub": st.sampled_from(["a", "ab", "b", "A"])},
    optional={"ref": st.sampled_from(["a", "b"]), "actor": st.just("a*")},
)


@settings(max_examples=100, deadline=None)
@given(st.lists(plain_statement, min_size=1, max_size=4), st.lists(tokens, min_size=1, max_size=4))
def test_a_token_gets_in_by_a_way_just_if_the_policy_as_written_lets_it_in(
    found: list[Any], asking: list[dict[str, str]]
) -> None:
    ways = [path for path in read(found) if path.principal == ARN and not path.dead]
    assert not any(path.unclear for path in ways)
    for token in asking:
        claims = {**token, "aud": "sts.amazonaws.com"}
        request = {f"{GITHUB}:{name}": value for name, value in claims.items()}
        applying = [
            one["Effect"]
            for one in found
            if one["Principal"] in ("*", {"Federated": ARN}) and holds(one["Condition"], request)
        ]
        expected = "Allow" in applying and "Deny" not in applying
        assert any(all(passes(test, claims.get(test.claim)) for test in way.tests) for way in ways) == expected


def holds(condition: dict[str, dict[str, Any]], request: dict[str, str]) -> bool:
    """Evaluate a condition block by the words of the documentation, knowing nothing of the code under test."""
    for written, named in condition.items():
        for key, wanted in named.items():
            value = request.get(key)
            if written == "Null":
                if (value is None) != (wanted == "true"):
                    return False
                continue
            qualifier, _, operator = written.rpartition(":")
            name = operator.removesuffix("IfExists")
            if value is None:
                absent = (
                    operator != name or qualifier == "ForAllValues" or ("Not" in name and qualifier != "ForAnyValue")
                )
                if not absent:
                    return False
                continue
            if "IgnoreCase" in name:
                same = value.lower() in [one.lower() for one in wanted]
            elif "Like" in name:
                same = any(like(one, value) for one in wanted)
            else:
                same = value in wanted
            if same == ("Not" in name):
                return False
    return True


def passes(test: ClaimTest, value: str | None) -> bool:
    if value is None:
        return test.absent_passes
    if test.ignores_case:
        hit = value.lower() in [one.lower() for one in test.patterns]
    else:
        hit = any(like(one, value) if test.wild else one == value for one in test.patterns)
    return hit != test.negated


def like(pattern: str, value: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), value) is not None
