"""Effective permissions: what policies give, and what denies, boundary and the organisation's levels leave of it."""

from datetime import UTC, datetime

import pytest

from monitor.facts.identity import Identity
from monitor.facts.policy import Condition, Policy, Statement
from monitor.iam.catalogue import Catalogue
from monitor.iam.rights import Answer, Rights, rights
from monitor.model import Unknown

YES, CONDITIONAL, NO, UNKNOWN = Answer.YES, Answer.CONDITIONAL, Answer.NO, Answer.UNKNOWN
CATALOGUE = Catalogue.of(
    "aws",
    "1",
    {
        "s3:GetObject": "Read",
        "s3:PutObject": "Write",
        "s3:DeleteObject": "Write",
        "ec2:RunInstances": "Write",
        "ec2:DescribeInstances": "List",
        "iam:PassRole": "Write",
        "sts:AssumeRole": "Write",
    },
)
BUCKET = "arn:aws:s3:::releases"
REGION = Condition(operator="StringEquals", key="aws:requestedregion", values=("eu-west-1",))
MFA = Condition(operator="Bool", key="aws:multifactorauthpresent", values=("true",))


def allow(*actions, on=("*",), **more):
    return Statement(n=1, allow=True, actions=actions, **{"resources": on, **more})


def deny(*actions, on=("*",), **more):
    return Statement(n=1, allow=False, actions=actions, **{"resources": on, **more})


def policy(*statements, name="deploy", kind="inline"):
    if len(statements) == 1 and isinstance(statements[0], Unknown):
        return Policy(name=name, kind=kind, statements=statements[0])
    numbered = tuple(
        Statement(**{name: getattr(one, name) for name in one.__struct_fields__} | {"n": n})
        for n, one in enumerate(statements, 1)
    )
    return Policy(name=name, kind=kind, statements=numbered)


def identity(*policies, **more):
    given = {
        "provider": "aws",
        "account": "111122223333",
        "id": "AROA1",
        "name": "arn:aws:iam::111122223333:role/deploy",
        "kind": "role",
        "at": datetime(2026, 11, 1, tzinfo=UTC),
        "policies": policies,
    }
    return Identity(**{**given, **more})


def of(*statements, catalogue=CATALOGUE, **more) -> Rights:
    return rights(identity(policy(*statements), **more), catalogue)


def names(found: Rights) -> set[str]:
    return set(found.catalogue.named(found.possible))


def test_an_action_is_allowed_by_any_statement_of_any_policy():
    found = rights(
        identity(policy(allow("s3:Get*")), policy(allow("EC2:runinstances"), kind="group", name="g")), CATALOGUE
    )

    assert names(found) == {"s3:GetObject", "ec2:RunInstances"}
    assert found.ask("S3:getobject", f"{BUCKET}/a") is YES
    assert found.ask("s3:PutObject", f"{BUCKET}/a") is NO


def test_not_action_allows_all_others():
    found = of(Statement(n=1, allow=True, not_actions=("IAM:*", "sts:*"), resources=("*",)))

    assert names(found) == {name for name in CATALOGUE.names if not name.startswith(("iam:", "sts:"))}


def test_not_resource_allows_all_but_these():
    found = of(Statement(n=1, allow=True, actions=("s3:*",), not_resources=(f"{BUCKET}/secret/*",)))

    assert found.ask("s3:GetObject", f"{BUCKET}/a") is YES
    assert found.ask("s3:GetObject", f"{BUCKET}/secret/a") is NO
    assert found.ask("s3:GetObject", f"{BUCKET}/*") is CONDITIONAL
    assert found.ask("s3:GetObject", "*") is CONDITIONAL
    (granted,) = found.granted()
    assert (granted.resources, granted.except_resources) == (("*",), (f"{BUCKET}/secret/*",))


def test_not_resource_of_everything_allows_nothing():
    found = of(Statement(n=1, allow=True, actions=("s3:*",), not_resources=("*",)))

    assert found.possible == 0
    assert found.holds("s3:GetObject") == ()
    assert found.granted() == ()


def test_a_deny_everywhere_takes_the_action_away():
    found = of(allow("s3:*"), deny("S3:DELETE*"))

    assert names(found) == {"s3:GetObject", "s3:PutObject"}
    assert found.ask("s3:DeleteObject", f"{BUCKET}/a") is NO
    (granted,) = found.granted()
    assert granted.writes == ("s3:PutObject",)


def test_a_deny_on_some_resources_is_an_exception_for_those_actions_alone():
    found = of(allow("s3:*"), deny("s3:PutObject", on=(f"{BUCKET}/*",)))

    assert {one.writes: one.except_resources for one in found.granted()} == {
        ("s3:DeleteObject",): (),
        ("s3:PutObject",): (f"{BUCKET}/*",),
    }
    assert found.ask("s3:PutObject", f"{BUCKET}/a") is NO
    assert found.ask("s3:PutObject", "arn:aws:s3:::other/a") is YES
    assert found.ask("s3:PutObject", "*") is CONDITIONAL
    assert found.conditions("s3:PutObject", "*") == (f"unless on {BUCKET}/*",)


def test_a_deny_on_all_that_is_allowed_leaves_nothing():
    found = of(allow("s3:PutObject", on=(f"{BUCKET}/a/*",)), deny("s3:*", on=(f"{BUCKET}/*",)))

    assert found.possible == 0
    assert found.granted() == ()


def test_a_deny_elsewhere_changes_nothing():
    (granted,) = of(allow("s3:PutObject", on=(f"{BUCKET}/a/*",)), deny("s3:*", on=("arn:aws:s3:::other/*",))).granted()

    assert (granted.resources, granted.except_resources, granted.conditions) == ((f"{BUCKET}/a/*",), (), ())


def test_a_deny_on_all_other_resources_narrows_to_these():
    found = of(allow("s3:PutObject"), Statement(n=2, allow=False, actions=("s3:*",), not_resources=(f"{BUCKET}/*",)))

    (granted,) = found.granted()
    assert granted.resources == (f"{BUCKET}/*",)
    assert found.ask("s3:PutObject", f"{BUCKET}/a") is YES
    assert found.ask("s3:PutObject", "arn:aws:s3:::other/a") is NO


def test_a_deny_with_a_condition_makes_the_right_conditional():
    found = of(allow("s3:PutObject"), deny("*", conditions=(MFA,)))

    (granted,) = found.granted()
    assert granted.conditions == ("unless Bool aws:multifactorauthpresent true",)
    assert found.ask("s3:PutObject", f"{BUCKET}/a") is CONDITIONAL
    assert found.ask("s3:PutObject", f"{BUCKET}/a", {"aws:MultiFactorAuthPresent": "true"}) is NO
    assert found.ask("s3:PutObject", f"{BUCKET}/a", {"aws:multifactorauthpresent": "false"}) is YES


def test_conditions_of_an_allow_are_told_and_evaluated():
    found = of(allow("ec2:RunInstances", conditions=(REGION, MFA)))

    assert found.granted()[0].conditions == (REGION.words(), MFA.words())
    assert found.conditions("ec2:RunInstances", "*", {"aws:requestedregion": "eu-west-1"}) == (MFA.words(),)
    assert found.ask("ec2:RunInstances", "*", {"aws:requestedregion": "us-east-1"}) is NO
    assert found.conditions("ec2:RunInstances", "*", {"aws:requestedregion": "us-east-1"}) == ()


def test_of_several_allows_one_without_conditions_is_enough():
    found = of(allow("ec2:*", conditions=(REGION,)), allow("ec2:RunInstances"))

    assert found.ask("ec2:RunInstances", "*") is YES
    assert found.ask("ec2:DescribeInstances", "*") is CONDITIONAL


def test_alternatives_are_told_as_such():
    found = of(allow("ec2:*", conditions=(REGION,)), allow("ec2:*", conditions=(MFA,)))

    assert found.conditions("ec2:RunInstances", "*") == (f"{MFA.words()} or {REGION.words()}",)


def test_a_right_on_some_resources_is_no_right_on_any():
    found = of(allow("iam:PassRole", on=("arn:aws:iam::111122223333:role/app-*",)))

    assert found.ask("iam:PassRole", "arn:aws:iam::111122223333:role/app-web") is YES
    assert found.ask("iam:PassRole", "arn:aws:iam::111122223333:role/app-*") is YES
    assert found.ask("iam:PassRole", "arn:aws:iam::111122223333:role/other") is NO
    assert found.ask("iam:PassRole", "*") is CONDITIONAL
    (hold,) = found.holds("iam:passrole")
    assert hold.resources == ("arn:aws:iam::111122223333:role/app-*",)
    assert hold.by == "deploy#1"


def test_a_boundary_keeps_only_what_it_allows_too():
    found = of(allow("*"), boundary=policy(allow("s3:*", "ec2:Describe*"), kind="boundary", name="edge"))

    assert names(found) == {"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "ec2:DescribeInstances"}
    assert found.ask("ec2:RunInstances", "*") is NO
    assert not found.everything


def test_a_boundary_gives_nothing_by_itself():
    assert of(allow("s3:GetObject"), boundary=policy(allow("*"))).granted()[0].writes == ()
    assert names(of(boundary=policy(allow("*")))) == set()


def test_a_deny_of_the_boundary_counts():
    assert names(of(allow("s3:*"), boundary=policy(allow("*"), deny("s3:Put*")))) == {"s3:GetObject", "s3:DeleteObject"}


@pytest.mark.parametrize(
    ("mine", "edge", "left"),
    [
        ("*", f"{BUCKET}/*", (f"{BUCKET}/*",)),
        (f"{BUCKET}/*", "*", (f"{BUCKET}/*",)),
        (f"{BUCKET}/a/*", f"{BUCKET}/*", (f"{BUCKET}/a/*",)),
        (f"{BUCKET}/*", f"{BUCKET}/a/*", (f"{BUCKET}/a/*",)),
        (f"{BUCKET}/*", "arn:aws:s3:::other/*", None),
    ],
)
def test_where_one_pattern_holds_the_other_the_narrower_is_left(mine, edge, left):
    found = of(allow("s3:PutObject", on=(mine,)), boundary=policy(allow("s3:*", on=(edge,))))

    assert [one.resources for one in found.granted()] == ([left] if left else [])
    assert all(one.conditions == () for one in found.granted())


def test_where_patterns_overlap_words_tell_it():
    found = of(allow("s3:PutObject", on=("arn:aws:s3:::*/live",)), boundary=policy(allow("s3:*", on=(f"{BUCKET}/*",))))

    (granted,) = found.granted()
    assert granted.resources == ("arn:aws:s3:::*/live",)
    assert granted.conditions == (f"within the boundary: on {BUCKET}/*",)
    assert found.ask("s3:PutObject", f"{BUCKET}/live") is YES
    assert found.ask("s3:PutObject", "arn:aws:s3:::other/live") is NO


def test_conditions_of_a_boundary_are_told():
    found = of(allow("ec2:RunInstances"), boundary=policy(allow("ec2:*", conditions=(REGION,))))

    assert found.granted()[0].conditions == (f"within the boundary: {REGION.words()}",)
    assert found.conditions("ec2:RunInstances", "*") == (f"within the boundary: {REGION.words()}",)


def test_alternatives_of_a_boundary_are_told_together():
    edge = policy(allow("ec2:*", conditions=(REGION,)), allow("ec2:RunInstances", on=("arn:aws:ec2:*:*:instance/*",)))

    (granted,) = of(allow("ec2:RunInstances"), boundary=edge).granted()
    assert granted.conditions == (f"within the boundary: {REGION.words()} or on arn:aws:ec2:*:*:instance/*",)


def test_a_boundary_by_not_resource_excepts():
    edge = policy(Statement(n=1, allow=True, actions=("s3:*",), not_resources=(f"{BUCKET}/*",)))

    (granted,) = of(allow("s3:PutObject"), boundary=edge).granted()
    assert granted.except_resources == (f"{BUCKET}/*",)


def test_every_level_must_allow_and_none_may_deny():
    root = (policy(allow("*"), kind="scp", name="full"),)
    unit = (
        policy(allow("s3:*"), kind="scp", name="s3 only"),
        policy(allow("ec2:*"), deny("s3:Delete*"), kind="scp", name="more"),
    )

    found = of(allow("*"), ceilings=(root, unit))

    assert names(found) == {"s3:GetObject", "s3:PutObject", "ec2:RunInstances", "ec2:DescribeInstances"}
    assert of(allow("*"), ceilings=(root, root)).everything


def test_what_the_identity_itself_tells_decides_conditions():
    stranger = Condition(operator="ArnNotLike", key="aws:principalarn", values=("arn:aws:iam::*:role/deploy",))
    guard = ((policy(allow("*"), deny("iam:*", conditions=(stranger,)), kind="scp"),),)

    assert of(allow("*"), ceilings=guard).everything
    other = of(allow("*"), ceilings=guard, name="arn:aws:iam::111122223333:role/other")
    assert "iam:PassRole" not in names(other)
    assert other.ask("iam:PassRole", "*") is NO


def test_a_statement_for_users_gives_a_role_nothing():
    anna = Condition(operator="StringEquals", key="aws:username", values=("anna",))

    assert of(allow("s3:*", conditions=(anna,))).possible == 0
    user = of(allow("s3:*", conditions=(anna,)), kind="user", name="arn:aws:iam::111122223333:user/people/anna")
    assert user.granted()[0].conditions == ()


def test_a_variable_in_a_resource_stands_for_something_unknown():
    home = allow("s3:PutObject", on=(f"{BUCKET}/${{aws:username}}/*",))

    assert of(home).ask("s3:PutObject", f"{BUCKET}/anna/x") is CONDITIONAL
    assert of(home).ask("s3:PutObject", "arn:aws:s3:::other/x") is NO
    anna = of(home, kind="user", name="arn:aws:iam::111122223333:user/anna")
    assert anna.ask("s3:PutObject", f"{BUCKET}/anna/x") is YES
    assert anna.ask("s3:PutObject", f"{BUCKET}/bert/x") is NO


def test_policies_that_could_not_be_read_are_unclear_and_never_no():
    found = rights(identity(policies=Unknown("denied", "iam:GetRolePolicy")), CATALOGUE)

    assert found.possible == 0
    assert found.unclear == (Unknown("denied", "iam:GetRolePolicy"),)
    assert found.ask("s3:PutObject", "*") is UNKNOWN
    assert found.granted() == ()


def test_a_malformed_policy_may_give_more():
    found = rights(
        identity(
            policy(allow("s3:*")), policy(Unknown("no JSON"), name="odd"), boundary=policy(allow("s3:*", "iam:*"))
        ),
        CATALOGUE,
    )

    assert found.unclear == (Unknown("odd: no JSON; it may give more rights"),)
    assert found.ask("s3:PutObject", "*") is YES
    assert found.ask("iam:PassRole", "*") is UNKNOWN
    assert found.ask("ec2:RunInstances", "*") is NO


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"boundary": Unknown("denied")}, "the boundary: denied; rights may be fewer"),
        ({"boundary": policy(Unknown("no JSON"), name="edge")}, "edge: no JSON; rights may be fewer"),
        ({"ceilings": Unknown("denied")}, "the organisation's policies: denied; rights may be fewer"),
        ({"ceilings": ((policy(Unknown("cut"), name="scp"),),)}, "scp: cut; rights may be fewer"),
        ({"ceilings": ((),)}, "the organisation's policies: one level has none; rights may be fewer"),
    ],
)
def test_what_could_not_be_read_above_is_unclear_and_takes_nothing(more, told):
    found = of(allow("s3:*"), **more)

    assert [one.reason for one in found.unclear] == [told]
    assert found.ask("s3:PutObject", "*") is YES


def test_denies_of_a_level_count_though_its_other_policy_could_not_be_read():
    level = (policy(Unknown("cut"), name="scp", kind="scp"), policy(deny("s3:Put*"), kind="scp"))

    assert names(of(allow("s3:*"), ceilings=(level,))) == {"s3:GetObject", "s3:DeleteObject"}


def test_an_action_that_the_catalogue_lacks_counts_as_a_write():
    found = of(allow("quantum:Entangle", "newborn:*"))

    (granted,) = found.granted()
    assert granted.writes == ("newborn:*", "quantum:Entangle")
    assert granted.services == ("newborn", "quantum")
    assert found.ask("QUANTUM:entangle", "*") is YES
    assert found.ask("newborn:Cry", "*") is YES
    assert found.ask("newborn2:Cry", "*") is NO
    assert of(allow("quantum:*"), deny("quantum:*")).possible == 0


def test_an_action_that_nobody_wrote_is_compared_with_the_patterns():
    found = of(Statement(n=1, allow=True, not_actions=("quantum:*",), resources=("*",)), deny("odd:*"))

    assert found.ask("quantum:Entangle", "*") is NO
    assert found.ask("odd:Thing", "*") is NO
    assert found.ask("even:Thing", "*") is YES


def test_granted_tells_writes_and_all_services():
    found = of(allow("s3:*", "ec2:Describe*", on=(BUCKET,), sid="Ship"))

    (granted,) = found.granted()
    assert granted.writes == ("s3:DeleteObject", "s3:PutObject")
    assert granted.services == ("ec2", "s3")
    assert granted.by == "deploy#1 (Ship)"


def test_what_identities_share_is_worked_out_once():
    shared = policy(allow("s3:*"), kind="managed")
    one, other = (rights(identity(shared, name=f"arn:aws:iam::111122223333:role/{n}"), CATALOGUE) for n in "ab")

    assert one.granted()[0] is other.granted()[0]


def test_everything_is_all_actions_on_all_resources_without_conditions():
    assert of(allow("*")).everything
    assert of(allow("*", on=("**",))).everything
    assert not of(allow("*", on=(BUCKET,))).everything
    assert not of(allow("*", conditions=(MFA,))).everything
    assert not of(allow("*"), deny("s3:*", on=(BUCKET,))).everything


def test_a_statement_without_actions_or_resources_gives_and_takes_nothing():
    found = of(
        Statement(n=1, allow=True),
        allow("s3:*", on=()),
        allow("ec2:*"),
        Statement(n=4, allow=False),
        deny("ec2:*", on=()),
    )

    assert names(found) == {"ec2:RunInstances", "ec2:DescribeInstances"}
    assert found.ask("ec2:RunInstances", "*") is YES


GCP = Catalogue.of(
    "gcp", "", dict.fromkeys(("run.services.update", "run.services.get", "iam.serviceAccounts.actAs"), "")
)
PROJECT = "//cloudresourcemanager.googleapis.com/projects/example-prod"
ACCOUNTS = "//iam.googleapis.com/projects/example-prod/serviceAccounts/"


def gcp(*statements, name="roles/custom") -> Rights:
    return rights(
        identity(
            policy(*statements, name=name, kind="role"),
            provider="gcp",
            account="example-prod",
            kind="service-account",
            name="d@e",
        ),
        GCP,
    )


def test_a_resource_of_gcp_covers_all_below_it():
    found = gcp(allow("iam.serviceAccounts.actAs", on=(f"{ACCOUNTS}a@b",)), allow("run.services.update", on=(PROJECT,)))

    assert found.ask("iam.serviceAccounts.actAs", f"{ACCOUNTS}a@b") is YES
    assert found.ask("iam.serviceAccounts.actAs", f"{ACCOUNTS}a@b/keys/1") is YES
    assert found.ask("iam.serviceAccounts.actAs", f"{ACCOUNTS}a@bc") is NO
    assert found.ask("iam.serviceAccounts.actAs", "*") is CONDITIONAL
    assert found.ask("run.services.update", "//run.googleapis.com/projects/example-prod/locations/x/services/y") is YES
    assert found.ask("run.services.update", "//run.googleapis.com/projects/example-production/locations/x") is NO
    assert found.ask("run.services.update", "//storage.googleapis.com/projects/_/buckets/b") is CONDITIONAL
    assert found.ask("run.services.update", "*") is YES
    assert found.ask("Run.services.update", "*") is NO


def test_what_stands_above_the_project_covers_everything():
    found = gcp(allow("run.services.update", on=("//cloudresourcemanager.googleapis.com/folders/1",)))

    assert found.ask("run.services.update", "*") is YES
    assert found.ask("run.services.update", f"{ACCOUNTS}x") is YES


def test_an_expression_is_a_condition_that_is_not_evaluated():
    cel = Condition(operator="cel", values=("request.time < timestamp('2027-01-01T00:00:00Z')",))

    assert (
        gcp(allow("run.services.update", on=(PROJECT,), conditions=(cel,))).ask("run.services.update", PROJECT)
        is CONDITIONAL
    )


def test_owning_a_project_is_everything_but_holding_all_permissions_that_were_seen_is_not():
    assert gcp(allow(*GCP.names, on=(PROJECT,)), name="roles/owner").everything
    assert not gcp(allow(*GCP.names, on=(PROJECT,)), name="roles/run.admin").everything
    assert not gcp(allow(*GCP.names, on=(f"{ACCOUNTS}a@b",)), name="roles/owner").everything
    assert gcp(allow("*")).everything


def test_many_denies_and_a_wild_boundary_end_in_time():
    denies = [
        deny(f"*{a}*", on=(f"arn:*{a}*{b}*",), conditions=(MFA,) if a < b else ())
        for a in "abcdefgh"
        for b in "abcdefgh"
    ]
    edge = policy(*(allow(f"*{a}*", on=(f"*{a}*",), conditions=(REGION,)) for a in "abcdefghijkl"))

    found = of(allow("*", on=("arn:*a*b*c*",)), *denies, boundary=edge)

    assert found.possible
    assert len(found.granted()) <= len(CATALOGUE.names)
