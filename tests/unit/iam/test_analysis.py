"""One Access for each identity, whatever comes in."""

from __future__ import annotations

from monitor.iam.analysis import analyse
from monitor.model import Unknown
from tests.unit.iam.made import (
    EVERYTHING,
    accesses,
    account_of,
    allow,
    by_token,
    catalogues,
    deny,
    equals,
    policy,
    role,
    user,
)


def test_each_identity_gets_one_access_in_order() -> None:
    identities = (role("b", *EVERYTHING), user("a", allow("s3:Get*")), role("c"))
    assert [one.identity for one in analyse(identities, catalogues())] == list(identities)


def test_everything_is_told_only_without_conditions_and_denies() -> None:
    found = accesses(
        (
            role("all", *EVERYTHING),
            role("asked", allow("*", where=(equals("aws:sourcevpc", "vpc-1"),))),
            role("less", *EVERYTHING, deny("s3:*")),
        )
    )
    assert [one.everything for one in found.values()] == [True, False, False]


def test_rights_powers_and_ways_are_all_there() -> None:
    (found,) = analyse((role("app", allow("ecs:UpdateService"), trust=(by_token(),)),), catalogues())
    assert found.granted[0].writes == ("ecs:UpdateService",)  # type: ignore[union-attr]
    assert found.paths == (by_token(),)
    assert found.powers == ()
    assert found.unclear == ()


def test_policies_that_could_not_be_read_are_unknown_and_never_empty() -> None:
    lost = Unknown("denied", "iam:GetAccountAuthorizationDetails")
    (found,) = analyse((role("app", policies=lost, trust=(by_token(),)),), catalogues())
    assert found.granted == found.powers == lost
    assert found.paths == (by_token(),)
    assert lost in found.unclear
    assert not found.everything


def test_a_policy_that_could_not_be_read_is_told() -> None:
    hidden = policy("arn:aws:iam::aws:policy/hidden", kind="provider-managed")
    hidden = type(hidden)(name=hidden.name, kind=hidden.kind, statements=Unknown("gone"))
    (found,) = analyse((role("app", policies=(hidden,)),), catalogues())
    assert "gone" in found.unclear[0].reason


def test_an_action_that_no_catalogue_knows_is_a_write() -> None:
    (found,) = analyse((role("app", allow("newservice:ListThings")),), catalogues())
    assert found.granted[0].writes == ("newservice:ListThings",)  # type: ignore[union-attr]


def test_a_provider_without_a_catalogue_is_judged_by_what_its_policies_name() -> None:
    (found,) = analyse((account_of("app", allow("run.services.update")),), {})
    assert found.granted[0].writes == ("run.services.update",)  # type: ignore[union-attr]


def test_nothing_in_gives_nothing_out() -> None:
    assert analyse((), catalogues()) == ()


def test_an_unknown_provider_is_judged_without_rules() -> None:
    from msgspec.structs import replace

    (found,) = analyse((replace(role("app", *EVERYTHING), provider="azure"),), catalogues())
    assert found.identity.provider == "azure"
