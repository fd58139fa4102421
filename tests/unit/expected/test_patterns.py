"""Patterns of principals, token subjects and actions: what they match, and what is said of a wrong one."""

import time

import pytest

from monitor.expected.patterns import (
    account_of,
    action_mistake,
    any_matches,
    matches,
    overlap,
    principal_mistake,
    subject_matches,
    subject_mistake,
)

ROLE = "arn:aws:iam::111122223333:role"
SESSION = "arn:aws:sts::111122223333:assumed-role"


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (f"{ROLE}/deploy", f"{ROLE}/deploy", True),
        (f"{ROLE}/deploy", f"{ROLE}/deploy2", False),
        (f"{ROLE}/deploy", f"x{ROLE}/deploy", False),
        (f"{ROLE}/deploy", f"{ROLE}/Deploy", False),
        (f"{ROLE}/deploy", f"{ROLE}/deploy\n", False),
        (f"{ROLE}/deploy-*", f"{ROLE}/deploy-", True),
        (f"{ROLE}/deploy-*", f"{ROLE}/deploy-a/b", False),
        (f"{ROLE}/*/deploy", f"{ROLE}/team/deploy", True),
        (f"{ROLE}/*/deploy", f"{ROLE}/a/b/deploy", False),
        (f"{SESSION}/ci-*", f"{SESSION}/ci-x/human", False),
        (f"{SESSION}/ci/*", f"{SESSION}/ci/job-1", True),
        (f"{SESSION}/ci/run?", f"{SESSION}/ci/run", False),
        (f"{SESSION}/ci/run?", f"{SESSION}/ci/run7", True),
        (f"{ROLE}/a.b", f"{ROLE}/axb", False),
        (f"{ROLE}/[ab]", f"{ROLE}/a", False),
        (f"{ROLE}/a*b*a", f"{ROLE}/abba", True),
        (f"{ROLE}/a**b", f"{ROLE}/ab", True),
        ("ecs:Update*", "ecs:UpdateService", True),
        ("ecs:Update*", "ecr:UpdateService", False),
    ],
)
def test_pattern_matches_the_whole_text_in_its_case_and_stays_within_its_part(pattern, text, expected):
    assert matches(pattern, text) is expected


@pytest.mark.parametrize(
    ("pattern", "subject", "expected"),
    [
        ("repo:example-org/*:environment:production", "repo:example-org/payments:environment:production", True),
        (
            "repo:example-org/payments:ref:refs/heads/release/*",
            "repo:example-org/payments:ref:refs/heads/release/1/x",
            True,
        ),
        ("repo:example-org/payments:*", "repo:example-org/payments:environment:production", False),
        ("repo:example-org/*:environment:production", "repo:example-org-evil/x:environment:production", False),
        ("repo:example-org/pay*:ref:x", "repo:example-org/pay:environment:e:ref:x", False),
    ],
)
def test_wildcard_of_a_subject_crosses_slashes_but_no_colon(pattern, subject, expected):
    assert subject_matches(pattern, subject) is expected


def test_any_pattern_may_match_any_text():
    patterns = (f"{ROLE}/deploy", f"{SESSION}/deploy/*")

    assert any_matches(patterns, ["other", f"{SESSION}/deploy/run"])
    assert not any_matches(patterns, [])
    assert not any_matches((), ["other"])


def test_pattern_with_many_wildcards_takes_no_time():
    pattern = "a*" * 400 + "b"

    begun = time.perf_counter()

    assert not matches(pattern, "a" * 5000)
    assert not subject_matches("*a" * 400 + ":", "a" * 5000)
    assert time.perf_counter() - begun < 2


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (f"{ROLE}/a*", f"{ROLE}/*b", True),
        (f"{ROLE}/a", f"{ROLE}/b", False),
        (f"{ROLE}/a?", f"{ROLE}/ab", True),
        (f"{ROLE}/*", f"{ROLE}/x/y", False),
        (f"{ROLE}/path/Deploy", f"{SESSION}/Deploy/*", True),
        (f"{ROLE}/Deploy", f"{SESSION}/Other/*", False),
        (f"{ROLE}/Deploy", "arn:aws:sts::444455556666:assumed-role/Deploy/*", False),
        (f"{SESSION}/Deploy/ci-*", f"{SESSION}/Deploy/oncall-*", False),
        ("arn:aws:iam::111122223333:user/Deploy", f"{ROLE}/Deploy", False),
    ],
)
def test_overlap_tells_whether_one_principal_fits_both(left, right, expected):
    assert overlap(left, right) is expected
    assert overlap(right, left) is expected


@pytest.mark.parametrize(
    "right",
    [
        f"{ROLE}/payments-deploy",
        f"{ROLE}/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_Deploy_*",
        f"{SESSION}/codebuild-release/AWSCodeBuild-*",
        "arn:aws-us-gov:iam::111122223333:user/deploy",
        "arn:aws-cn:sts::111122223333:federated-user/deploy",
        "arn:aws:iam::111122223333:root",
    ],
)
def test_right_principal_is_no_mistake(right):
    assert principal_mistake(right) == ""
    assert account_of(right) == "111122223333"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("arn:aws:iam::12345:role/x", "has the account '12345', which is not an account number; write 12 digits"),
        ("arn:aws:iam::1111-2222-3333:role/x", 'is written in groups; write "111122223333"'),
        ("arn:aws:iam::*:role/x", "has a wildcard in the account"),
        ("arn:aws:iam::11112222333?:role/x", "has a wildcard in the account"),
        ("arn:aws:iam:111122223333:role/x", "lacks a colon"),
        ("arn:aws:iam:us-east-1:111122223333:role/x", "has the region 'us-east-1'"),
        ("arn:aws:iam::111122223333", "is not a whole ARN"),
        ("https://console.aws.amazon.com/iam/home#/roles/x", "is a web address; write the ARN"),
        ("payments-deploy", "is not an ARN; write it as arn:aws:iam::111122223333:role/NAME"),
        ("ARN:aws:iam::111122223333:role/x", "must begin with arn in lower case"),
        ("arn:aws:iam::111122223333:Role/x", "has 'Role'; write it in lower case: role"),
        ("arn:aws:iam::111122223333:roles/x", "has 'roles' after the account; write one of role/"),
        ("arn:aws:iam::111122223333:role", "lacks a name after role/"),
        ("arn:aws:iam::111122223333:role/", "lacks a name after role/"),
        ("arn:aws:iam::111122223333:role/*", "names every role of the account"),
        ("arn:aws:sts::111122223333:assumed-role/*/ci-1", "names every assumed-role of the account"),
        ("arn:aws:sts::111122223333:assumed-role/deploy", "must name one role, without its path, and one session"),
        ("arn:aws:sts::111122223333:assumed-role/a/b/c", "must name one role, without its path, and one session"),
        ("arn:aws:iam::111122223333:assumed-role/a/b", "write arn:aws:sts::111122223333:assumed-role/a/b"),
        ("arn:aws:sts::111122223333:role/a", "write arn:aws:iam::111122223333:role/a"),
        ("arn:aws:sts::111122223333:root", "names root under sts"),
        ("arn:amazon:iam::111122223333:role/a", "has the partition 'amazon'; write one of aws, aws-cn, aws-us-gov"),
        ("arn:aws:s3::111122223333:role/a", "has the service 's3'"),
        ("arn:aws:iam::111122223333:role/a b", "holds a blank"),
        ("arn:aws:iam::111122223333:role/\N{CYRILLIC SMALL LETTER A}", "another character that no ARN has"),
        ("arn:aws:iam::111122223333:role/" + "a*" * 13, "has more than 12 wildcards"),
        ("arn:aws:iam::111122223333:role/" + "a" * 1024, "characters long"),
    ],
)
def test_wrong_principal_is_told_what_would_be_right(wrong, said):
    assert said in principal_mistake(wrong)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("*", "accepts every token of the issuer"),
        ("*:*", "accepts every token of the issuer"),
        ("repo:*", "must name the organisation in full"),
        ("repo:example-org*:environment:production", "must name the organisation in full"),
        ("repo:example-*/payments:environment:production", "must name the organisation in full"),
        ("repo:example-org:environment:production", "must name organisation and repository"),
        ("repo:example-org/payments:*", "fits only repo:…:pull_request"),
        (" repo:example-org/payments:pull_request", "begins or ends with a blank"),
        ("a" * 2000, "characters long"),
    ],
)
def test_wrong_subject_is_told_what_would_be_right(wrong, said):
    assert said in subject_mistake(wrong)


@pytest.mark.parametrize(
    "right",
    [
        "repo:example-org/payments:environment:production",
        "repo:example-org/*:ref:refs/heads/main",
        "repo:example-org@1/payments@2:environment:production eu",
        "system:serviceaccount:deploy:runner",
        "job_workflow_ref:example-org/ci/.github/workflows/deploy.yml@refs/heads/main",
    ],
)
def test_right_subject_is_no_mistake(right):
    assert subject_mistake(right) == ""


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("UpdateService", "lacks its service"),
        ("ecs.amazonaws.com:UpdateService", "write ecs:UpdateService"),
        ("*:UpdateService", "has a wildcard in the service"),
        ("ECS:UpdateService", "write ecs:UpdateService"),
        ("ecs:", "is not an action"),
        ("ecs:Update Service", "holds a blank"),
        ("ecs.amazonaws.com:\x1b[2J", "holds a blank or another character"),
        ("ecs:a" + "a" * 1024, "characters long"),
    ],
)
def test_wrong_action_is_told_what_would_be_right(wrong, said):
    assert said in action_mistake(wrong)


@pytest.mark.parametrize(
    "right", ["ecs:UpdateService", "lambda:UpdateFunctionCode*", "runtime.sagemaker:Invoke", "ecs:*"]
)
def test_right_action_is_no_mistake(right):
    assert action_mistake(right) == ""
