"""Powers: what an identity can do that needs a reason."""

from datetime import UTC, datetime

import pytest

from monitor.facts.identity import Identity
from monitor.facts.policy import Condition, Policy, Statement
from monitor.iam.catalogue import Catalogue
from monitor.iam.powers import powers
from monitor.iam.powers_lists import LISTS, SOURCES, told
from monitor.iam.rights import rights
from monitor.model import Severity, Unknown
from monitor.sources.catalogue import aws_catalogue

ACCOUNT = "111122223333"
REGION = Condition(operator="StringEquals", key="aws:requestedregion", values=("eu-west-1",))
PROJECT = "//cloudresourcemanager.googleapis.com/projects/example-prod"


def allow(*actions, on=("*",), **more):
    return Statement(n=1, allow=True, actions=actions, **{"resources": on, **more})


def deny(*actions, on=("*",), **more):
    return Statement(n=2, allow=False, actions=actions, **{"resources": on, **more})


def of(*statements, policy="deploy", provider="aws", catalogue=None, **more):
    identity = Identity(
        **{
            "provider": provider,
            "account": ACCOUNT if provider == "aws" else "example-prod",
            "id": "1",
            "name": "arn:aws:iam::111122223333:role/deploy",
            "kind": "role",
            "at": datetime(2026, 11, 1, tzinfo=UTC),
            "policies": (Policy(name=policy, kind="inline", statements=statements),),
            **more,
        }
    )
    return powers(rights(identity, catalogue or aws_catalogue()))


def kinds(found):
    return {(one.kind, one.rule) for one in found}


def one(found, kind, rule=""):
    (power,) = [power for power in found if power.kind == kind and rule in ("", power.rule)]
    return power


def test_all_actions_on_all_resources_is_admin_and_says_it_all():
    (power,) = of(allow("s3:GetObject"), Statement(n=2, allow=True, actions=("*",), resources=("*",), sid="All"))

    assert (power.kind, power.rule, power.severity) == ("admin", "admin", Severity.CRITICAL)
    assert power.actions == ("*",)
    assert power.by == ("deploy#2 (All)",)
    assert power.source.startswith("https://")


def test_statements_combine_to_admin():
    power = one(
        of(
            Statement(n=1, allow=True, not_actions=("iam:*",), resources=("*",)),
            Statement(n=2, allow=True, actions=("iam:*",), resources=("*",)),
        ),
        "admin",
    )

    assert power.by == ("deploy#1", "deploy#2")


def test_admin_under_a_condition_is_nearly_admin_and_tells_it():
    power = one(of(allow("*", conditions=(REGION,))), "near-admin")

    assert (power.rule, power.severity) == ("most-writes", Severity.CRITICAL)
    assert power.conditions == (REGION.words(),)


def test_admin_but_for_some_resources_is_nearly_admin():
    power = one(of(allow("*"), deny("*", on=("arn:aws:s3:::vault/*",))), "near-admin")

    assert power.severity is Severity.CRITICAL
    assert power.conditions == ("not on arn:aws:s3:::vault/*",)


def test_all_but_identities_is_nearly_admin():
    found = of(
        Statement(n=1, allow=True, not_actions=("iam:*", "organizations:*", "account:*"), resources=("*",)),
        allow("iam:CreateServiceLinkedRole"),
    )
    power = one(found, "near-admin")

    assert (power.rule, power.severity) == ("most-writes", Severity.HIGH)
    assert power.by == ("deploy#1",)
    assert "ec2:*" in power.actions
    assert "iam:*" not in power.actions
    assert not any(kind == "service-wide" for kind, _ in kinds(found))
    assert ("destroys-data", "rds") in kinds(found)


def test_all_of_iam_is_nearly_admin():
    found = of(allow("iam:*"))

    assert one(found, "near-admin").rule == "iam"
    assert one(found, "near-admin").severity is Severity.CRITICAL
    assert ("service-wide", "iam") not in kinds(found)


def test_all_of_iam_by_its_own_arns_is_nearly_admin_too():
    assert one(of(allow("iam:*", on=("arn:aws:iam::111122223333:*",))), "near-admin").rule == "iam"
    assert kinds(of(allow("iam:*", on=("arn:aws:iam::111122223333:role/app-*",)))) == {("gives-rights", "iam")}


def test_a_boundary_that_leaves_little_leaves_no_admin():
    edge = Policy(name="edge", kind="boundary", statements=(allow("s3:Get*", "sqs:SendMessage"),))

    assert of(allow("*"), boundary=edge) == ()


def test_every_write_of_a_service_is_service_wide_however_it_is_put_together():
    found = of(
        allow("sqs:*", "logs:GetLogEvents"),
        allow("sns:[!G]*", "ecs:C*", "ecs:D*"),
        allow("ecs:*", on=("arn:aws:ecs:*:*:cluster/x",)),
    )

    power = one(found, "service-wide")
    assert (power.rule, power.severity, power.actions) == ("sqs", Severity.MEDIUM, ("sqs:*",))


def test_a_service_is_wide_by_its_own_arns():
    assert ("service-wide", "s3") in kinds(of(allow("s3:*", on=("arn:aws:s3:::*",))))
    assert ("service-wide", "sqs") in kinds(of(allow("sqs:*", on=(f"arn:aws:sqs:*:{ACCOUNT}:*",))))
    assert ("service-wide", "sqs") not in kinds(of(allow("sqs:*", on=(f"arn:aws:sqs:eu-west-1:{ACCOUNT}:*",))))
    assert ("service-wide", "sqs") not in kinds(of(allow("sqs:*", on=("arn:aws:s3:::*",))))


def test_a_service_is_wide_under_conditions_unless_something_gives_it_without():
    assert one(of(allow("sqs:*", conditions=(REGION,))), "service-wide").conditions == (REGION.words(),)
    assert one(of(allow("sqs:*", conditions=(REGION,)), allow("sqs:*")), "service-wide").conditions == ()


def test_reading_a_whole_service_is_no_power():
    assert of(allow("sqs:Get*", "sqs:List*", "ec2:Describe*")) == ()


def test_a_service_that_nobody_knows_counts_by_its_wildcard():
    assert kinds(of(allow("quantum:*"))) == {("service-wide", "quantum")}
    assert kinds(of(allow("quantum:Entangle"))) == set()


def test_destroying_data_is_told_by_service_with_where_and_when():
    found = of(
        allow("s3:DeleteObject", "kms:ScheduleKeyDeletion", on=("arn:aws:s3:::a/*",), conditions=(REGION,)),
        allow("S3:deletebucket", on=("arn:aws:s3:::b",)),
    )

    s3 = one(found, "destroys-data", "s3")
    assert s3.actions == ("s3:DeleteBucket", "s3:DeleteObject")
    assert s3.resources == ("arn:aws:s3:::a/*", "arn:aws:s3:::b")
    assert s3.conditions == ()  # something of it is open without
    assert s3.severity is Severity.MEDIUM  # on two buckets, not on all
    assert one(found, "destroys-data", "kms").conditions == (REGION.words(),)


def test_blinding_the_logs_is_told():
    found = of(allow("cloudtrail:StopLogging", "logs:DeleteLogGroup"))

    assert kinds(found) == {("blinds-logs", "cloudtrail"), ("blinds-logs", "logs"), ("destroys-data", "logs")}
    assert one(found, "blinds-logs", "cloudtrail").source.startswith("https://attack.mitre.org/")


def test_a_deny_takes_powers_away():
    assert of(allow("cloudtrail:*"), deny("cloudtrail:*")) == ()
    assert one(of(allow("cloudtrail:StopLogging"), deny("*", conditions=(REGION,))), "blinds-logs").conditions == (
        f"unless {REGION.words()}",
    )


def test_one_power_a_kind_and_rule():
    found = of(
        allow("s3:*"), allow("s3:Delete*", on=("arn:aws:s3:::b",)), allow("rds:*", "ec2:*", conditions=(REGION,))
    )

    assert len(kinds(found)) == len(found)


def test_policies_that_could_not_be_read_give_no_powers():
    assert of(policies=Unknown("denied")) == ()


@pytest.mark.parametrize("kind", list(LISTS["aws"]))
def test_every_action_of_the_lists_is_in_the_catalogue_and_no_read(kind):
    catalogue = aws_catalogue()
    listed = [name for names in LISTS["aws"][kind].values() for name in names]

    assert [name for name in listed if name not in catalogue.names] == []
    assert [name for name in listed if catalogue.bit(name) & catalogue.reads] == []
    assert [
        service
        for service, names in LISTS["aws"][kind].items()
        if any(not name.startswith(f"{service}:") for name in names)
    ] == []


@pytest.mark.parametrize("kind", list(LISTS["gcp"]))
def test_every_permission_of_the_lists_is_of_its_service_and_no_read(kind):
    gcp = Catalogue.of("gcp", "", {name: "" for names in LISTS["gcp"][kind].values() for name in names})

    assert gcp.reads == 0
    assert all(
        name.count(".") == 2 and name.startswith(f"{service}.")
        for service, names in LISTS["gcp"][kind].items()
        for name in names
    )


def test_every_list_has_a_source_and_a_meaning():
    assert set(SOURCES) == {(provider, kind) for provider, kinds_ in LISTS.items() for kind in kinds_}
    assert all(source.startswith("https://") for source in SOURCES.values())
    assert all(told(kind) for kind in LISTS["aws"])


PERMISSIONS = (
    "run.services.create",
    "run.services.delete",
    "run.services.get",
    "run.services.setIamPolicy",
    "run.services.update",
    "run.jobs.run",
    "storage.objects.delete",
    "resourcemanager.projects.setIamPolicy",
)
GCP = Catalogue.of("gcp", "", dict.fromkeys(PERMISSIONS, ""))


def gcp(*statements, role):
    return of(
        *statements,
        policy=role,
        provider="gcp",
        catalogue=GCP,
        kind="service-account",
        name="deploy@example-prod.iam.gserviceaccount.com",
    )


def test_the_owner_of_a_project_is_admin():
    assert kinds(gcp(allow(*PERMISSIONS, on=(PROJECT,)), role="roles/owner")) == {("admin", "admin")}


def test_an_owner_under_a_condition_is_nearly_admin():
    cel = Condition(operator="cel", values=("request.time < timestamp('2027-01-01T00:00:00Z')",))
    power = one(gcp(allow(*PERMISSIONS, on=(PROJECT,), conditions=(cel,)), role="roles/owner"), "near-admin")

    assert (power.rule, power.severity) == ("owner", Severity.CRITICAL)
    assert power.conditions == (cel.words(),)


def test_the_editor_of_a_project_is_nearly_admin():
    power = one(
        gcp(allow("run.services.update", "storage.objects.delete", on=(PROJECT,)), role="roles/editor"), "near-admin"
    )

    assert (power.rule, power.severity) == ("editor", Severity.HIGH)


def test_setting_the_policy_of_a_project_is_nearly_admin():
    found = gcp(
        allow("resourcemanager.projects.setIamPolicy", on=(PROJECT,)), role="roles/resourcemanager.projectIamAdmin"
    )

    assert one(found, "near-admin").rule == "set-policy"
    assert one(found, "near-admin").severity is Severity.CRITICAL
    assert one(found, "blinds-logs").rule == "resourcemanager"


def test_a_basic_role_on_one_resource_is_not():
    on = ("//iam.googleapis.com/projects/example-prod/serviceAccounts/a@b",)

    assert kinds(gcp(allow("run.services.update", on=on), role="roles/editor")) == set()


def test_a_service_of_gcp_is_wide_if_it_has_all_that_was_seen_of_it():
    found = gcp(
        allow(*(name for name in PERMISSIONS if name.startswith("run.")), on=(PROJECT,)), role="roles/run.admin"
    )

    assert one(found, "service-wide").actions == ("run.*",)
    assert kinds(gcp(allow("storage.objects.delete", on=(PROJECT,)), role="roles/storage.custom")) == {
        ("destroys-data", "storage")
    }


def test_the_example_of_two_thousand_roles_shares_its_names():
    shared = Policy(name="m", kind="managed", statements=(allow("s3:*", "ec2:*"),))
    found = [of(policies=(shared,), name=f"arn:aws:iam::{ACCOUNT}:role/r{n}") for n in range(2)]

    assert one(found[0], "destroys-data", "s3").actions is one(found[1], "destroys-data", "s3").actions
