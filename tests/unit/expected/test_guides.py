"""The guide to expected state, and the access policy, say what the code does."""

import json
import re
from pathlib import Path

import pytest
import yaml

from monitor.expected.document import parse
from monitor.expected.models import Sections
from monitor.expected.patterns import action_mistake, principal_mistake, subject_mistake

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs/expected-state.md").read_text()
MISTAKES = re.findall(r"^\| `((?:arn:|repo:|ecs)[^`]*)` \| `([^`]*)` \|$", GUIDE, re.MULTILINE)


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL))
def test_example_of_the_guide_is_right(block):
    document = parse(block.encode(), "guide.md")

    assert document.mistakes == ()
    assert Sections.model_validate(document.data)


def test_guide_shows_every_section():
    shown = {name for line in re.findall(r"^## (.*)$", GUIDE, re.MULTILINE) for name in re.findall(r"`(\w+)`", line)}

    assert shown == set(Sections.model_fields)


@pytest.mark.parametrize(("written", "said"), MISTAKES)
def test_guide_quotes_what_is_said_of_a_wrong_pattern(written, said):
    judge = {"a": principal_mistake, "r": subject_mistake, "e": action_mistake}[written[0]]

    assert judge(written) == said


def test_guide_has_mistakes_to_check():
    assert len(MISTAKES) >= 8


def test_access_policy_only_reads():
    policy = json.loads((ROOT / "config/access/aws-read-only-policy.json").read_text())
    actions = [a for s in policy["Statement"] for a in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])]

    reads = r"(s3|cloudtrail|iam|organizations):(Get|List|Describe)\w+|kms:Decrypt|sts:AssumeRole"
    # Reports that are generated change nothing in the account.
    reports = r"iam:Generate(CredentialReport|ServiceLastAccessedDetails)"
    assert all(re.fullmatch(f"{reads}|{reports}", a) for a in actions)
    assert all(s["Effect"] == "Allow" for s in policy["Statement"])


def test_access_guide_names_every_grant():
    policy = json.loads((ROOT / "config/access/aws-read-only-policy.json").read_text())
    guide = (ROOT / "config/access/README.md").read_text()

    for statement in policy["Statement"]:
        assert statement["Sid"] in guide
        actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        assert all(f"`{action}`" in guide for action in actions)


def test_gcp_role_only_reads_and_the_access_guide_names_every_grant():
    role = yaml.safe_load((ROOT / "config/access/gcp-read-only-role.yaml").read_text())
    guide = (ROOT / "config/access/README.md").read_text()

    assert all(
        permission.rpartition(".")[2] in ("get", "list", "getIamPolicy") for permission in role["includedPermissions"]
    )
    assert all(f"`{permission}`" in guide for permission in role["includedPermissions"])
