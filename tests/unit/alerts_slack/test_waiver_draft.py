"""The draft of a waiver: it covers the finding and nothing more, and cannot be merged unread."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from monitor.alerts.notes import FindingView
from monitor.alerts.waiver_draft import draft, edit_address, quoted
from monitor.errors import ConfigError
from monitor.expected.waivers import Waivers, load_waivers
from monitor.model import Result
from tests.fakes.slack.saying import AT, finding
from tests.unit.alerts_slack.test_escaping import HOSTILE, TEXTS, all_examples


def loaded(folder: Path, entry: str, **filled: str) -> Waivers:
    for name, value in filled.items():
        entry = entry.replace(f'{name}: ""', f'{name}: "{value}"')
    (folder / "waivers.yaml").write_text("waivers:\n" + entry)
    return load_waivers(folder)


def result(view: FindingView) -> Result:
    return Result(
        check=view.check,
        subject=view.subject,
        outcome=view.outcome,
        reason=view.reason,
        severity=view.severity,
        scope=view.scope,
    )


def test_a_draft_is_refused_until_somebody_has_filled_it_in(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, draft(finding(), "jo", AT))
    said = " ".join(caught.value.problems)
    assert "reason" in said
    assert "ticket" in said
    assert "approver" in said


def test_a_filled_draft_covers_its_finding_for_its_time_and_no_other(tmp_path: Path) -> None:
    view = finding()
    waivers = loaded(tmp_path, draft(view, "jo", AT), reason="moved in June", ticket="CHG-1", approver="maria")
    (waiver,) = waivers
    assert waiver.requester == "jo"
    assert waivers.covering(result(view), AT) is waiver
    assert waivers.covering(result(view), AT + timedelta(days=30)) is None
    assert waivers.covering(result(finding(subject=view.subject + "x")), AT) is None
    assert waivers.covering(result(finding(check="branch-protection")), AT) is None


@all_examples
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXTS)
def test_no_text_of_a_finding_adds_anything_to_the_entry(text: str) -> None:
    view = finding(id=text, check=text, subject=text, scope=text)
    entry = yaml.safe_load("waivers:\n" + draft(view, text, AT))["waivers"]
    assert len(entry) == 1
    assert set(entry[0]) - {"subjects", "scopes"} == {
        "id", "checks", "reason", "ticket", "requester", "approver", "from", "until"
    }  # fmt: skip
    assert entry[0]["approver"] == entry[0]["reason"] == entry[0]["ticket"] == ""
    assert entry[0]["requester"] == "".join("\ufffd" if "\ud800" <= one <= "\udfff" else one for one in text)


@given(TEXTS)
def test_a_quoted_text_is_read_back_as_it_was(text: str) -> None:
    whole = text.encode("utf-8", "replace").decode()
    assert yaml.safe_load(quoted(whole)) == whole


@pytest.mark.parametrize("subject", ["", " x", "x\u200b", "*", "?:/", "a" * 2000, "*a" * 13])
def test_a_subject_that_is_no_pattern_gives_way_to_the_scope(subject: str) -> None:
    entry = draft(finding(subject=subject), "jo", AT)
    assert 'scopes: ["aws:111122223333:eu-west-1"]' in entry
    assert "subjects: []" in draft(finding(subject=subject, scope=subject), "jo", AT)


def test_wildcards_in_a_subject_are_pointed_out() -> None:
    assert "wildcards" in draft(finding(subject="role/*"), "jo", AT)


@pytest.mark.parametrize(("most", "days"), [(7, 7), (90, 30), (0, 1)])
def test_a_draft_lasts_no_longer_than_is_allowed(most: int, days: int) -> None:
    entry = yaml.safe_load(draft(finding(), "jo", AT, max_days=most))[0]
    assert entry["until"] - entry["from"] == timedelta(days=days)


def test_the_address_holds_the_entry_where_it_fits() -> None:
    template = "https://github.com/example-org/controls/edit/main/config/waivers.yaml?entry={entry}"
    entry = draft(finding(), "jo", AT)
    assert unquote(edit_address(template, entry)).endswith(entry)
    assert edit_address(template, entry * 20) == template.replace("{entry}", "")
    assert edit_address("", entry) == ""
    assert edit_address("javascript:alert(1)", entry) == ""
    for text in HOSTILE:
        assert "<" not in edit_address(template, text)
