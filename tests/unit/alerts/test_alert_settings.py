"""The section `alerts`: what it says becomes rules, and what is wrong is told in words."""

from __future__ import annotations

from datetime import UTC, time
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from monitor.alerts.notes import Target
from monitor.model import Severity
from monitor.settings.alerts import AlertSettings

WHOLE = """
routes:
  - at_least: critical
    to: [smtp:oncall@example.com, slack]
    also: true
  - owners: [payments]
    repositories: [example-org/payments-*]
    to: [slack:C0123456789]
    burst: 0
  - to: [webhook:siem]
operations: [smtp:oncall@example.com]
fallback: smtp:oncall@example.com
quiet: {from: 22:00, until: "07:00", zone: Europe/Berlin, days: [sat, sun]}
burst: {more_than: 5, listed: 7, critical: 9}
summary: {at: "06:30", zone: Europe/Berlin, to: [slack]}
links:
  finding: https://monitor.example.com/findings/{finding}
  console: ["https://example.com/{region}/{event}", "https://example.com/{project}"]
slack: {token_file: /run/secrets/slack, default_channel: C9876543210, fallback_channel: C1111111111}
webhook: {endpoints: {siem: {url: "https://siem.example.com/in?key=1", secret_file: /run/secrets/siem}}}
smtp: {host: mail.example.com, sender: monitor@example.com, user: monitor, password_file: /run/secrets/smtp}
"""


def read(text: str) -> AlertSettings:
    return AlertSettings.model_validate(yaml.safe_load(text))


def changed(**more: Any) -> AlertSettings:
    return AlertSettings.model_validate(yaml.safe_load(WHOLE) | more)


def test_what_is_written_becomes_rules():
    settings = read(WHOLE)
    rules = settings.rules()

    assert [route.to for route in rules.routes] == [
        (Target("smtp", "oncall@example.com"), Target("slack", "C9876543210")),
        (Target("slack", "C0123456789"),),
        (Target("webhook", "siem"),),
    ]
    assert rules.routes[0].at_least is Severity.CRITICAL
    assert rules.routes[0].also
    assert rules.routes[1].burst == 0
    assert rules.quiet is not None
    assert (rules.quiet.start, rules.quiet.end, str(rules.quiet.zone)) == (time(22), time(7), "Europe/Berlin")
    assert rules.quiet.days == (5, 6)
    assert (rules.burst, rules.listed, rules.heads) == (5, 7, 9)
    assert (rules.summary_at, str(rules.zone)) == (time(6, 30), "Europe/Berlin")
    assert rules.summary == (Target("slack", "C9876543210"),)
    assert rules.operations == (Target("smtp", "oncall@example.com"),)
    assert settings.templates()["console"] == ("https://example.com/{region}/{event}", "https://example.com/{project}")


def test_each_sink_has_its_fallback_and_slack_its_own():
    assert read(WHOLE).fallbacks() == {
        "slack": Target("slack", "C1111111111"),
        "webhook": Target("smtp", "oncall@example.com"),
        "smtp": Target("smtp", "oncall@example.com"),
    }


def test_little_is_enough():
    settings = read("routes: [{to: [slack:C0123456789]}]\nslack: {token_file: /run/secrets/slack}")
    rules = settings.rules()

    assert rules.readers() == rules.operators() == (Target("slack", "C0123456789"),)
    assert rules.quiet is None
    assert rules.zone is UTC


def test_no_summary_is_wanted_where_it_is_null():
    assert changed(summary=None).rules().summary_at is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"routes": []}, "at least 1"),
        ({"routes": [{"to": ["slack:#general"]}]}, "has no channel's id; write slack:C0123456789"),
        ({"routes": [{"to": ["telegram:x"]}]}, "is no target; write slack:C0123456789"),
        ({"routes": [{"to": ["webhook:other"]}]}, "there is no webhook 'other' in alerts.webhook.endpoints"),
        ({"routes": [{"to": ["smtp:nobody"]}]}, "is no e-mail address"),
        ({"slack": None}, "there is no 'slack:' section in 'alerts'"),
        ({"routes": [{"to": ["slack"], "severity": "high"}]}, "severity"),
        ({"quiet": {"from": "25:00"}}, "is no time of the day; write it in quotes, as '22:00'"),
        ({"quiet": {"zone": "Mars/Olympus"}}, "is no zone known here"),
        ({"quiet": {"zone": "../../etc/passwd"}}, "is no zone known here"),
        ({"quiet": {"days": ["sat", "someday"]}}, "pattern"),
        ({"links": {"finding": "https://example.com/{password}"}}, "placeholder that is not known"),
        ({"links": {"finding": "https://example.com/{finding"}}, "placeholder that is not known"),
        ({"links": {"finding": "javascript:alert(1)"}}, "is no address"),
        ({"smtp": {"host": "mail.example.com", "sender": "a@example.com", "security": "none"}}, "in the clear"),
        ({"smtp": {"host": "mail.example.com", "sender": "a@example.com\r\nBcc: b"}}, "is no e-mail address"),
        ({"smtp": {"host": "mail.example.com", "sender": "a@example.com", "user": "x"}}, "belong together"),
        ({"webhook": {"endpoints": {"siem": {"url": "http://example.com/", "secret_file": "x"}}}}, "not encrypted"),
        ({"webhook": {"endpoints": {"siem": {"secret_file": "x"}}}}, "'url:' or 'url_file:'"),
        ({"give_up_hours": 0}, "greater than or equal to 1"),
    ],
)
def test_what_is_wrong_is_said_in_words(wrong: dict[str, Any], said: str):
    with pytest.raises(ValidationError) as raised:
        changed(**wrong)

    assert said in str(raised.value)


def test_an_address_that_may_be_a_secret_is_not_repeated():
    endpoint = {"url": "http://example.com/token-of-mine", "secret_file": "x"}
    with pytest.raises(ValidationError) as raised:
        changed(webhook={"endpoints": {"siem": endpoint}})

    assert "token-of-mine" not in str(raised.value)
    assert "key=1" not in repr(read(WHOLE))


def test_the_example_in_the_documentation_is_right():
    document = (Path(__file__).parents[3] / "docs/alerts.md").read_text()
    for block in document.split("```yaml\n")[1:]:
        found = yaml.safe_load(block.partition("```")[0])
        AlertSettings.model_validate(found["alerts"]).rules()
