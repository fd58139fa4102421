"""The page about paths of escalation says what the rules say."""

from __future__ import annotations

from pathlib import Path

from monitor.iam.escalation_aws import AWS_RULES
from monitor.iam.escalation_gcp import GCP_RULES
from monitor.iam.escalation_table import page
from monitor.sources.catalogue import aws_catalogue

PAGE = Path(__file__).parents[3] / "docs" / "escalation.md"
NEWER_THAN_THE_CATALOGUE = {"bedrock-agentcore:CreateHarness"}


def test_the_page_is_made_of_the_rules() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


def test_the_page_names_every_rule_with_its_source_and_test() -> None:
    text = page()
    for rule in AWS_RULES + GCP_RULES:
        (row,) = (line for line in text.splitlines() if line.startswith(f"| `{rule.id}` |"))
        assert rule.source in row
        assert f"[{rule.id}-0]" in row
        assert all(f"`{action}`" in row for alternatives in rule.demands for action in alternatives)


def test_the_catalogue_knows_the_actions_of_all_rules_but_those_that_are_newer() -> None:
    catalogue = aws_catalogue()
    unknown = {a for rule in AWS_RULES for one in rule.demands for a in one if not catalogue.bit(a)}
    assert unknown == NEWER_THAN_THE_CATALOGUE
