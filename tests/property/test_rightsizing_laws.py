"""Laws of the smaller policy: it never gives more than the policies that it replaces, and what was used stays allowed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.decode.aws_policy import policy as decoded
from monitor.facts.access import Access
from monitor.facts.identity import Identity, Use
from monitor.facts.policy import Condition, Policy, Statement
from monitor.facts.rightsizing import UNSEEN, Unused, sufficing, unused
from monitor.iam.catalogue import Catalogue
from monitor.iam.rights import Answer, Rights, rights

AT = datetime(2026, 3, 14, tzinfo=UTC)
SINCE = AT - timedelta(days=90)
NAMES = (
    "s3:GetObject",
    "s3:PutObject",
    "s3:DeleteBucket",
    "iam:PassRole",
    "iam:CreateUser",
    "iam:GetRole",
    "ec2:RunInstances",
    "ecs:UpdateService",
)
PATTERNS = ("*", "*:*", "s3:*", "S3:put*", "iam:*", "IAM:passrole", "*:*Object", "e??:*", "e*:Run*", "quantum:*", "quantum:Leap", "s3:New*")  # fmt: skip
CATALOGUE = Catalogue.of("aws", "1", {name: "Read" if ":Get" in name else "Write" for name in NAMES})
WHERE = ("*", "arn:aws:s3:::a/*", "arn:aws:s3:::b", "arn:aws:iam::111122223333:role/app")
ASKED = (*NAMES, "quantum:Leap", "quantum:Jump", "s3:NewThing", "ecs:Other")
RANK = {Answer.NO: 0, Answer.CONDITIONAL: 1, Answer.YES: 2}
LAW = settings(max_examples=100, deadline=None)

actions = st.lists(st.sampled_from((*NAMES, *PATTERNS)), min_size=1, max_size=3).map(tuple)
places = st.lists(st.sampled_from(WHERE), min_size=1, max_size=2).map(tuple)
conditions = st.lists(
    st.sampled_from(
        (
            Condition(operator="StringEquals", key="aws:requestedregion", values=("eu-west-1",)),
            Condition(operator="StringEquals", key="aws:requestedregion", values=("us-east-1",)),
            Condition(operator="StringLike", key="aws:principaltag/x", values=("a*",), qualifier="ForAllValues"),
            Condition(operator="Bool", key="aws:securetransport", values=("true",), if_exists=True),
        )
    ),
    max_size=2,
).map(tuple)


@st.composite
def statements(draw: st.DrawFn) -> Statement:
    what, where = draw(actions), draw(places)
    negated, elsewhere = draw(st.integers(0, 3)) == 0, draw(st.integers(0, 5)) == 0
    return Statement(
        n=draw(st.integers(1, 9)),
        allow=draw(st.integers(0, 3)) > 0,
        sid=draw(st.sampled_from(("", "Same"))),
        conditions=draw(conditions),
        **{"not_actions" if negated else "actions": what},
        **{"not_resources" if elsewhere else "resources": where},
    )


def numbered(found: list[Statement]) -> tuple[Statement, ...]:
    return tuple(msgspec.structs.replace(one, n=n) for n, one in enumerate(found, 1))


policies = st.lists(
    st.builds(
        Policy, name=st.sampled_from(("own", "own", "other")), kind=st.just("inline"),
        statements=st.lists(statements(), max_size=4).map(numbered),
    ),
    max_size=2,
).map(tuple)  # fmt: skip
SERVICES = ("s3", "iam", "ec2", "ecs", "quantum")
times = st.sampled_from((None, AT - timedelta(days=3), AT - timedelta(days=200)))
uses = st.lists(
    st.one_of(
        st.builds(Use, service=st.sampled_from(SERVICES), at=times),
        st.sampled_from(ASKED).flatmap(lambda name: st.builds(Use, service=st.just(name.partition(":")[0]), action=st.just(name), at=times)),
    ),
    max_size=6,
).map(tuple)  # fmt: skip
regions = st.sampled_from(({}, {"aws:requestedregion": "eu-west-1"}, {"aws:requestedregion": "us-east-1"}))


def of(held: tuple[Policy, ...], used: tuple[Use, ...] = ()) -> tuple[Rights, Access]:
    identity = Identity(
        provider="aws", account="111122223333", id="A", name="arn:aws:iam::111122223333:role/me", kind="role", at=AT,
        policies=held, uses=used,
    )  # fmt: skip
    found = rights(identity, CATALOGUE)
    return found, Access(identity=identity, granted=found.granted())


def smaller(access: Access) -> tuple[Unused, dict[str, Any], Rights]:
    found = unused(access, SINCE)
    assert isinstance(found, Unused)
    document = sufficing(access, found)
    made = decoded(json.dumps(document), "smaller", "inline")
    assert isinstance(made.statements, tuple), made.statements
    return found, document, of((made,))[0]


@LAW
@given(policies, uses)
def test_no_action_is_possible_that_was_not(held: tuple[Policy, ...], used: tuple[Use, ...]) -> None:
    before, access = of(held, used)
    _, _, after = smaller(access)
    assert {one for one in ASKED if before.catalogue.bit(one) and before.possible & before.catalogue.bit(one)} >= {
        one for one in ASKED if after.catalogue.bit(one) and after.possible & after.catalogue.bit(one)
    }


@settings(max_examples=100, deadline=None)
@given(policies, uses, st.sampled_from(ASKED), st.sampled_from((*WHERE, "arn:aws:s3:::a/x")), regions)
def test_no_answer_is_better_than_it_was(
    held: tuple[Policy, ...], used: tuple[Use, ...], action: str, where: str, context: dict[str, str]
) -> None:
    before, access = of(held, used)
    _, document, after = smaller(access)
    asked = before.ask(action, where, context), after.ask(action, where, context)
    assert RANK[asked[1]] <= RANK[asked[0]], (asked, document)


@settings(max_examples=100, deadline=None)
@given(policies, uses, st.sampled_from(ASKED), st.sampled_from(WHERE), regions)
def test_what_was_used_stays_as_allowed_as_it_was(
    held: tuple[Policy, ...], used: tuple[Use, ...], action: str, where: str, context: dict[str, str]
) -> None:
    before, access = of(held, used)
    found, document, after = smaller(access)
    service = action.partition(":")[0]
    kept = service in found.used or (found.used and action.lower() in UNSEEN)
    if kept and action in NAMES and action not in found.actions:
        asked = before.ask(action, where, context), after.ask(action, where, context)
        assert asked[1] is asked[0], (asked, document)


@LAW
@given(policies, uses)
def test_the_smaller_policy_is_one_that_can_be_put_in_and_is_its_own_smaller_policy(
    held: tuple[Policy, ...], used: tuple[Use, ...]
) -> None:
    _, access = of(held, used)
    _, document, after = smaller(access)
    sids = [one["Sid"] for one in document["Statement"] if "Sid" in one]
    assert len(sids) == len(set(sids))
    again = Access(
        identity=msgspec.structs.replace(access.identity, policies=after.identity.policies), granted=after.granted()
    )
    _, second, _ = smaller(again)
    allowed = [one for one in document["Statement"] if one["Effect"] == "Allow"]
    assert len([one for one in second["Statement"] if one["Effect"] == "Allow"]) <= len(allowed)


@LAW
@given(policies, uses, st.randoms(use_true_random=False))
def test_neither_the_order_of_uses_nor_that_of_policies_changes_what_is_unused(
    held: tuple[Policy, ...], used: tuple[Use, ...], random: Any
) -> None:
    first = unused(of(held, used)[1], SINCE)
    mixed, other = list(used), list(held)
    random.shuffle(mixed)
    random.shuffle(other)
    assert unused(of(tuple(other), tuple(mixed))[1], SINCE) == first
