"""Laws of effective permissions: what a deny, an allow, a boundary, order and case may and may not change."""

import re
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.facts.identity import Identity
from monitor.facts.policy import Condition, Policy, Statement
from monitor.iam.catalogue import Catalogue
from monitor.iam.conditions import all_hold
from monitor.iam.powers import powers
from monitor.iam.rights import Answer, Rights, own_keys, rights
from monitor.model import Unknown

NAMES = (
    "s3:GetObject",
    "s3:PutObject",
    "s3:DeleteBucket",
    "iam:PassRole",
    "iam:GetRole",
    "ec2:RunInstances",
    "cloudtrail:StopLogging",
)
CATALOGUE = Catalogue.of("aws", "1", {name: "Read" if ":Get" in name else "Write" for name in NAMES})
RESOURCES = ("arn:aws:s3:::a", "arn:aws:s3:::a/x", "arn:aws:s3:::b/x", "arn:aws:iam::111122223333:role/app")
ME = "arn:aws:iam::111122223333:role/app"
FEW = settings(max_examples=100, deadline=None)

EITHER = st.booleans()
actions = st.lists(
    st.sampled_from(
        (*NAMES, "*", "s3:*", "S3:get*", "iam:*", "*:*Object", "IAM:PASSROLE", "quantum:*", "?am:*", "ec2:Run")
    ),
    min_size=1,
    max_size=3,
).map(tuple)
resources = st.lists(
    st.sampled_from(
        (
            *RESOURCES,
            "*",
            "arn:aws:s3:::a*",
            "arn:aws:s3:::*/x",
            "arn:aws:s3:::?",
            "arn:aws:iam::*",
            "arn:aws:s3:::${aws:username}",
        )
    ),
    min_size=1,
    max_size=3,
).map(tuple)
conditions = st.lists(
    st.sampled_from(
        (
            Condition(operator="StringEquals", key="aws:requestedregion", values=("eu-west-1",)),
            Condition(operator="ArnLike", key="aws:principalarn", values=(ME,)),
            Condition(operator="ArnNotLike", key="aws:principalarn", values=(ME,)),
            Condition(operator="Null", key="aws:username", values=("true",)),
            Condition(operator="Odd", key="x", values=("y",)),
        )
    ),
    max_size=1,
).map(tuple)


def statements(allow=EITHER):
    def made(n, allow, what, which, where, others, conditions):
        return Statement(
            n=n,
            allow=allow,
            conditions=conditions,
            **{"not_actions" if which else "actions": what},
            **{"not_resources" if others else "resources": where},
        )

    return st.builds(
        made,
        st.integers(1, 9),
        allow,
        actions,
        st.integers(0, 9).map(lambda n: n == 0),
        resources,
        st.integers(0, 9).map(lambda n: n == 0),
        conditions,
    )


lists = st.lists(statements(), max_size=6)
asked = st.tuples(
    st.sampled_from((*NAMES, "quantum:Entangle", "odd:One")),
    st.sampled_from((*RESOURCES, "arn:aws:ec2:::i", "*", "arn:aws:s3:::a*")),
)
contexts = st.sampled_from(({}, {"aws:requestedregion": "eu-west-1"}, {"aws:RequestedRegion": "us-east-1"}))
levels = st.lists(lists, max_size=2)


def of(found, boundary=None, ceilings=(), catalogue=CATALOGUE, own=None, **more) -> Rights:
    given_ = {
        "provider": "aws",
        "account": "111122223333",
        "id": "A",
        "name": ME,
        "kind": "role",
        "at": datetime(2026, 1, 1, tzinfo=UTC),
        "policies": own if own is not None else (Policy(name="p", kind="inline", statements=tuple(found)),),
        "boundary": None if boundary is None else Policy(name="b", kind="boundary", statements=tuple(boundary)),
        "ceilings": tuple((Policy(name="c", kind="scp", statements=tuple(one)),) for one in ceilings),
    }
    return rights(Identity(**{**given_, **more}), catalogue)


def names(found: Rights) -> set[str]:
    return set(found.catalogue.named(found.possible))


RANK = {Answer.NO: 0, Answer.CONDITIONAL: 1, Answer.YES: 2}


def fits(pattern: str, text: str, ignore=0) -> bool:
    return (
        re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text, ignore | re.DOTALL) is not None
    )


def reference(found: Rights, groups, action, resource, context) -> set[bool]:
    """Answer by the documented words alone, for a concrete resource: the answers that are possible."""
    known = {**own_keys(found.identity), **{key.lower(): (value,) for key, value in context.items()}}

    def applies(one) -> bool | None:
        if one.actions:
            does = any(fits(a, action, re.IGNORECASE) for a in one.actions)
        else:
            does = not any(fits(a, action, re.IGNORECASE) for a in one.not_actions)
        where = one.resources or one.not_resources
        sure = [fits(r, resource) for r in where if "${" not in r]
        loose = [fits(re.sub(r"\$\{.*?\}", "*", r), resource) for r in where if "${" in r]
        there = True if any(sure) else None if any(loose) else False
        if not one.resources:
            there = None if there is None else not there
        holds = all_hold(one.conditions, known)
        if not does or there is False or holds is False:
            return False
        return True if there and holds else None

    statements_ = [one for group in groups for one in group]
    denied = {applies(one) for one in statements_ if not one.allow}
    if True in denied:
        return {False}
    possible = {True, False} if None in denied else {True}
    for group in groups:
        told = {applies(one) for one in group if one.allow}
        if True in told:
            continue
        if None not in told:
            return {False}
        possible |= {False}
    return possible


@FEW
@given(lists, st.none() | lists, levels, asked, contexts)
def test_an_answer_is_what_the_documentation_says(found, boundary, ceilings, question, context):
    it = of(found, boundary, ceilings)
    if "*" in question[1]:
        return
    groups = (found, *([boundary] if boundary is not None else []), *ceilings)

    wanted = {
        frozenset({True}): Answer.YES,
        frozenset({False}): Answer.NO,
        frozenset({True, False}): Answer.CONDITIONAL,
    }
    assert it.ask(*question, context) is wanted[frozenset(reference(it, groups, *question, context))]


@FEW
@given(lists, st.none() | lists, levels, statements(st.just(False)), asked, contexts)
def test_a_deny_never_adds_a_right(found, boundary, ceilings, deny, question, context):
    before, after = of(found, boundary, ceilings), of([*found, deny], boundary, ceilings)

    assert names(after) <= names(before)
    assert RANK[after.ask(*question, context)] <= RANK[before.ask(*question, context)]


@FEW
@given(lists, st.none() | lists, levels, statements(st.just(True)), asked, contexts)
def test_an_allow_never_takes_a_right(found, boundary, ceilings, allow, question, context):
    before, after = of(found, boundary, ceilings), of([*found, allow], boundary, ceilings)

    assert names(after) >= names(before)
    assert RANK[after.ask(*question, context)] >= RANK[before.ask(*question, context)]


@FEW
@given(lists, lists, levels, asked, contexts)
def test_a_boundary_or_a_level_never_adds_a_right(found, boundary, ceilings, question, context):
    free, bound = of(found), of(found, boundary, ceilings)

    assert names(bound) <= names(free)
    assert RANK[bound.ask(*question, context)] <= RANK[free.ask(*question, context)]


def shape(found: Rights) -> set:
    """What is granted, but for how it is cited."""
    return {
        (one.writes, one.services, frozenset(one.resources), one.except_resources, frozenset(one.conditions))
        for one in found.granted()
    }


def swapped(pattern: str) -> str:
    return pattern.swapcase()


@FEW
@given(lists, lists, st.none() | lists, levels, asked, contexts, st.randoms(use_true_random=False))
def test_order_and_case_change_nothing(found, more, boundary, ceilings, question, context, chance):
    policies = [
        Policy(name="p", kind="inline", statements=tuple(found)),
        Policy(name="q", kind="managed", statements=tuple(more)),
    ]
    above = None if boundary is None else chance.sample(boundary, len(boundary))
    levels_ = [chance.sample(one, len(one)) for one in ceilings]
    mixed = []
    for one in policies:
        shuffled = [
            Statement(
                n=n,
                allow=s.allow,
                actions=tuple(map(swapped, s.actions)),
                not_actions=tuple(map(swapped, s.not_actions)),
                resources=s.resources,
                not_resources=s.not_resources,
                conditions=s.conditions,
            )
            for n, s in enumerate(one.statements, 1)
        ]
        chance.shuffle(shuffled)
        mixed.append(Policy(name=one.name, kind=one.kind, statements=tuple(shuffled)))
    chance.shuffle(mixed)
    known = CATALOGUE.extended(["quantum:*", "ec2:Run"])
    before, after = (
        of((), boundary, ceilings, own=tuple(policies), catalogue=known),
        of((), above, levels_, own=tuple(mixed), catalogue=known),
    )

    assert before.possible == after.possible
    assert before.always == after.always
    assert shape(before) == shape(after)
    assert before.ask(*question, context) is after.ask(swapped(question[0]), question[1], context)
    assert {(p.kind, p.rule, p.severity, p.actions, bool(p.conditions)) for p in powers(before)} == {
        (p.kind, p.rule, p.severity, p.actions, bool(p.conditions)) for p in powers(after)
    }


@FEW
@given(lists, st.none() | lists, levels, asked, contexts)
def test_what_is_allowed_is_possible_and_what_is_possible_is_held(found, boundary, ceilings, question, context):
    it = of(found, boundary, ceilings)

    if it.ask(*question, context) in (Answer.YES, Answer.CONDITIONAL):
        assert it.holds(question[0])
    if it.ask(*question, context) is Answer.YES:
        assert it.catalogue.bit(question[0]) & it.possible == it.catalogue.bit(question[0])
    for name in names(it):
        assert it.holds(name) or "*" in name
    assert (it.ask(*question, context) is Answer.CONDITIONAL) == bool(it.conditions(*question, context))


@FEW
@given(lists, st.none() | lists, levels, st.sampled_from(RESOURCES))
def test_what_is_granted_without_conditions_is_allowed(found, boundary, ceilings, resource):
    it = of(found, boundary, ceilings)

    for piece in it.pieces:
        if piece.conditions or not any(fits(one, resource) for one in piece.resources):
            continue
        if any(fits(re.sub(r"\$\{.*?\}", "*", one), resource) for one in piece.excepts):
            continue
        for name in it.catalogue.named(piece.actions.bits):
            assert it.ask(name, resource) in ((Answer.YES,) if "*" not in name else (Answer.YES, Answer.CONDITIONAL))


@FEW
@given(lists, st.none() | lists, levels, st.sampled_from(RESOURCES), contexts)
def test_what_is_allowed_is_granted(found, boundary, ceilings, resource, context):
    it = of(found, boundary, ceilings)

    for name in NAMES:
        if it.ask(name, resource, context) is Answer.YES:
            bit = it.catalogue.bit(name)
            assert any(
                piece.actions.bits & bit
                and any(fits(re.sub(r"\$\{.*?\}", "*", one), resource) for one in piece.resources)
                and not any(fits(one, resource) for one in piece.excepts)
                for piece in it.pieces
            )


texts = st.text(max_size=12) | st.sampled_from(("*", "?", "${", "${a}", "arn:", ":", "//", "s3:*", "\ud800"))
many = st.lists(texts, max_size=3).map(tuple)
wild_conditions = st.builds(Condition, operator=texts, key=texts, values=many, qualifier=texts, if_exists=st.booleans())
wild_statements = st.builds(
    Statement,
    n=st.integers(),
    allow=st.booleans(),
    sid=texts,
    actions=many,
    not_actions=many,
    resources=many,
    not_resources=many,
    conditions=st.lists(wild_conditions, max_size=2).map(tuple),
)
wild_policies = st.builds(
    Policy,
    name=texts,
    kind=texts,
    statements=st.lists(wild_statements, max_size=4).map(tuple) | st.just(Unknown("lost")),
)


@FEW
@given(
    st.sampled_from(("aws", "gcp", "odd")),
    st.lists(wild_policies, max_size=3).map(tuple) | st.just(Unknown("lost")),
    st.none() | wild_policies | st.just(Unknown("lost")),
    st.lists(st.lists(wild_policies, max_size=2).map(tuple), max_size=2).map(tuple) | st.just(Unknown("lost")),
    texts,
    texts,
)
def test_nothing_raises_on_any_statement(provider, own, boundary, ceilings, action, resource):
    catalogue = Catalogue.of(provider, "1", dict.fromkeys(NAMES, ""))
    it = of((), own=own, provider=provider, catalogue=catalogue)
    bound = rights(
        Identity(
            provider=provider,
            account="x",
            id="",
            name=resource,
            kind="user",
            at=datetime(2026, 1, 1, tzinfo=UTC),
            policies=own,
            boundary=boundary,
            ceilings=ceilings,
        ),
        catalogue,
    )

    for one in (it, bound):
        one.granted()
        powers(one)
        one.holds(action)
        one.conditions(action, resource, {resource: action})
        assert one.ask(action, resource, {"aws:requestedregion": resource}) in Answer
