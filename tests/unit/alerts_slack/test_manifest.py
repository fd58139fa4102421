"""The app's manifest grants what is asked of Slack, and no more."""

from __future__ import annotations

from pathlib import Path

import yaml

from monitor.alerts.slack import SCOPES
from tests.fakes.slack.methods import NEEDS

MANIFEST = Path(__file__).parents[3] / "config" / "access" / "slack-app-manifest.yaml"
USED = (
    "chat.postMessage",
    "chat.postEphemeral",
    "chat.update",
    "conversations.history",
    "conversations.replies",
    "conversations.info",
)


def test_the_manifest_grants_what_each_method_needs_and_no_more() -> None:
    granted = set(yaml.safe_load(MANIFEST.read_text())["oauth_config"]["scopes"]["bot"])
    assert granted == {scope for method in USED for scope in NEEDS[method]}
    assert all(granted & set(any_of) for any_of in SCOPES)


def test_the_manifest_is_within_slacks_limits() -> None:
    shown = yaml.safe_load(MANIFEST.read_text())["display_information"]
    assert len(shown["name"]) <= 35
    assert len(shown["description"]) <= 140
