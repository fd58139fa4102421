"""Who can become an identity in the end: ways are followed through the identities that can go them, to their origins."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.facts.identity import Identity
from monitor.facts.trust import ClaimTest, TrustPath
from monitor.iam.analysis import analyse
from monitor.iam.chains import DEPTH, MOST
from monitor.model import Unknown
from tests.unit.iam.made import (
    ACCOUNT,
    OTHER,
    accesses,
    allow,
    arn,
    by_account,
    by_identity,
    by_token,
    catalogues,
    deny,
    equals,
    identity,
    policy,
    role,
    served,
    user,
)

TAKE = allow("sts:AssumeRole")


def paths(*identities: Identity) -> tuple[TrustPath, ...]:
    """Return the ways to become the first."""
    found = accesses(identities)[identities[0].name].paths
    assert isinstance(found, tuple)
    return found


def told(*identities: Identity) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(one.kind, one.principal, one.via) for one in paths(*identities)]


def test_a_direct_way_stays_as_it_is() -> None:
    assert paths(role("app", trust=(by_token(),))) == (by_token(),)


def test_a_way_through_a_role_ends_at_that_roles_token_and_keeps_its_tests() -> None:
    hub = role("hub", TAKE, trust=(by_token("repo:example-org/shop:*"),))
    (path,) = paths(role("app", trust=(by_identity(hub.name),)), hub)
    assert (path.kind, path.via) == ("token", (hub.name,))
    assert path.tests == by_token("repo:example-org/shop:*").tests
    assert path.by == "trust#1, then trust#1"


def test_via_is_told_nearest_first() -> None:
    first = role("first", TAKE, trust=(by_token(),))
    second = role("second", TAKE, trust=(by_identity(first.name),))
    (path,) = paths(role("app", trust=(by_identity(second.name),)), second, first)
    assert path.via == (second.name, first.name)


def test_an_external_id_in_between_is_told_in_words() -> None:
    hub = role("hub", TAKE, trust=(by_token(),))
    test = ClaimTest(claim="sts:externalid", patterns=("shop",))
    (path,) = paths(role("app", trust=(by_identity(hub.name, tests=(test,)),)), hub)
    assert "sts:externalid is shop" in path.by
    assert test not in path.tests


def test_a_user_is_an_origin() -> None:
    ops = user("ops", TAKE)
    assert told(role("app", trust=(by_identity(ops.name),)), ops) == [("identity", ops.name, ())]


def test_somebody_who_is_not_known_is_an_origin() -> None:
    stranger = arn("role", "stranger", OTHER)
    assert told(role("app", trust=(by_identity(stranger),))) == [("identity", stranger, ())]


def test_an_account_is_followed_to_those_of_it_who_may() -> None:
    hub, ops = role("hub", TAKE, trust=(by_token(),)), user("ops", TAKE)
    idle = role("idle", allow("s3:Get*"), trust=served("ec2.amazonaws.com"))
    found = told(role("app", trust=(by_account(),)), hub, ops, idle)
    assert sorted(found) == [("identity", ops.name, ()), ("token", by_token().principal, (hub.name,))]


def test_an_account_that_is_not_known_is_an_origin() -> None:
    assert told(role("app", trust=(by_account(OTHER),))) == [("account", f"arn:aws:iam::{OTHER}:root", ())]


def test_a_role_that_may_not_take_it_leads_nowhere() -> None:
    hub = role("hub", deny("sts:AssumeRole"), trust=(by_token(),))
    assert told(role("app", trust=(by_identity(hub.name),)), hub) == [("identity", hub.name, ())]


def test_a_role_of_another_account_leads_on() -> None:
    hub = identity("hub", TAKE, account=OTHER, trust=(by_token(),))
    (path,) = paths(role("app", trust=(by_identity(hub.name),)), hub)
    assert path.via == (hub.name,)


def test_a_circle_of_roles_ends_and_has_no_origin_of_its_own() -> None:
    a = role("a", TAKE, trust=(by_identity(arn("role", "b")), by_token()))
    b = role("b", TAKE, trust=(by_identity(arn("role", "a")),))
    assert told(a, b) == [("token", by_token().principal, ())]
    assert told(b, a) == [("token", by_token().principal, (a.name,))]


def test_a_dead_way_is_told_as_dead_and_not_followed() -> None:
    hub = role("hub", TAKE, trust=(by_token(dead="gone"),))
    (path,) = paths(role("app", trust=(by_identity(hub.name, dead="deleted"),)), hub)
    assert (path.principal, path.dead, path.via) == (hub.name, "deleted", ())


def test_a_trust_that_could_not_be_read_is_unknown_at_its_end() -> None:
    hub = role("hub", TAKE, trust=Unknown("denied", "iam:GetRole"))
    (path,) = paths(role("app", trust=(by_identity(hub.name),)), hub)
    assert path.unclear == (Unknown("denied", "iam:GetRole"),)
    assert isinstance(accesses((hub,))[hub.name].paths, Unknown)


def test_a_long_chain_ends_with_a_note() -> None:
    chain = [role("r0", trust=(by_identity(arn("role", "r1")),))]
    chain += [role(f"r{n}", TAKE, trust=(by_identity(arn("role", f"r{n + 1}")),)) for n in range(1, 30)]
    (path,) = paths(*chain)
    assert len(path.via) == DEPTH - 1
    assert f"{DEPTH} identities" in path.unclear[0].reason


def test_too_many_ways_end_with_a_note_on_the_last() -> None:
    ways = tuple(by_token(f"repo:example-org/shop:ref:refs/heads/b{n}") for n in range(MOST + 50))
    found = paths(role("app", trust=ways))
    assert len(found) == MOST
    assert "more than" in found[-1].unclear[0].reason
    assert not any(one.unclear for one in found[:-1])


def test_a_deny_of_the_organisation_on_resources_closes_the_way() -> None:
    closing = policy("rcp", deny("sts:AssumeRoleWithWebIdentity"), kind="rcp")
    assert paths(
        role("app", trust=(by_token(), *served("ec2.amazonaws.com")), resource_ceilings=((closing,),))
    ) == served("ec2.amazonaws.com")


def test_a_deny_of_the_organisation_with_conditions_is_noted() -> None:
    where = equals("aws:principalorgid", "o-1", operator="StringNotEquals")
    perhaps = policy("rcp", deny("sts:*", where=(where,)), kind="rcp")
    (path,) = paths(role("app", trust=(by_token(),), resource_ceilings=((perhaps,),)))
    assert where.words() in path.unclear[0].reason
    elsewhere = policy("rcp", deny("sts:*", on=arn("role", "other")), deny("s3:*"), kind="rcp")
    assert paths(role("app", trust=(by_token(),), resource_ceilings=((elsewhere,),))) == (by_token(),)


def test_policies_of_the_organisation_that_could_not_be_read_are_noted() -> None:
    (path,) = paths(role("app", trust=(by_token(),), resource_ceilings=Unknown("denied", "organizations:ListPolicies")))
    assert path.unclear[0].grant == "organizations:ListPolicies"


_NAMES = [arn("role", f"r{n}") for n in range(5)]
_WAYS = st.one_of(st.sampled_from([by_identity(name) for name in _NAMES]), st.just(by_account()), st.just(by_token()))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.lists(_WAYS, max_size=3), min_size=5, max_size=5), st.sampled_from(range(5)))
def test_another_way_in_never_takes_an_origin_away(ways: list[list[TrustPath]], which: int) -> None:
    def origins(more: bool) -> set[tuple[str, str]]:
        identities = []
        for n, own in enumerate(ways):
            own = [*own, by_token()] if more and n == which else own
            identities.append(role(f"r{n}", TAKE, trust=tuple(own)))
        return {(one.kind, one.principal) for one in paths(*identities)}

    narrow: Any = origins(False)
    assert {one for one in narrow if one[0] == "token"} <= origins(True)
    assert ACCOUNT in _NAMES[0]


def test_an_account_that_was_not_read_to_its_end_may_have_others_who_take_it() -> None:
    target = role("deploy", trust=(by_account(),))
    taker = role("ci", allow("sts:AssumeRole"), trust=(by_token(),))
    whole = analyse((target, taker), catalogues())[0].paths
    part = analyse((target, taker), catalogues(), {ACCOUNT})[0].paths
    assert isinstance(whole, tuple)
    assert isinstance(part, tuple)
    assert [path.kind for path in whole] == ["token"]
    (further,) = [path for path in part if path.kind == "account"]
    assert "not all identities" in further.unclear[0].reason
