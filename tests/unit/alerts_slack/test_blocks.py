"""Notes as Slack messages: what a person must see, and that no text breaks out of its place or over a limit."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.alerts.blocks import ACKNOWLEDGE, WAIVE, bar, blocks, fallback, plain, reply
from monitor.alerts.escaping import address
from monitor.alerts.notes import Note
from monitor.alerts.words import NoteKind
from monitor.model import Outcome, Severity
from tests.fakes.slack.reading import INVISIBLE, Read, read, texts
from tests.fakes.slack.saying import AT, finding, note, summary
from tests.fakes.slack.validity import wrong
from tests.unit.alerts_slack.test_escaping import HOSTILE, TEXTS

PEOPLE = {"AWSReservedSSO_Admin_0123/jo@example.com": "U0123ABC", "payments": "S0123ABC"}
NAMES = {"PS019-1.1": "Direct production changes"}
LABELS = {
    "Where", "Who", "Since", "From", "Owner", "Waiver", "Change class", "What", "What would fix it", "Controls"
}  # fmt: skip


def seen(built: tuple[str, list[dict[str, Any]]]) -> str:
    """Return all that a person sees of the blocks, as text."""
    return "\n".join(read(text["text"]).shown if text["type"] == "mrkdwn" else text["text"] for text in texts(built[1]))


def acted_on(built: tuple[str, list[dict[str, Any]]]) -> Read:
    """Return all that Slack acts on in the text and the blocks."""
    whole = Read()
    for text in [{"type": "mrkdwn", "text": built[0]}, *texts(built[1])]:
        found = read(text["text"])
        for name in ("mentions", "links", "formats", "emoji", "names"):
            getattr(whole, name).extend(getattr(found, name))
        if text["type"] == "mrkdwn" and text is not None and "verbatim" in text:
            assert text["verbatim"] is True
        if text["type"] == "plain_text":
            assert text["emoji"] is False
            assert not (found.mentions or found.links or found.formats)
    return whole


def test_a_finding_says_what_where_who_since_when_which_control_and_what_would_fix_it() -> None:
    built = blocks(note(), people=PEOPLE, controls=NAMES)
    shown = seen(built)
    for said in (
        "CRITICAL",
        "direct production change",
        "aws:111122223333:eu-west-1",
        "jo@example.com",
        "2026-03-29 01:00 UTC (3 days, seen in 4 sweeps)",
        "PS019-1.1 Direct production changes",
        "3 writes by a person",
        "Undo the change and bring it in by a pull request",
        "payments",
        "Console",
        "check direct-production-change · finding F-0a1b2c3d · 2026-04-01 01:00 UTC",
    ):
        assert said in shown
    assert acted_on(built).mentions == ["@U0123ABC", "!subteam^S0123ABC"]
    assert [text for text, _ in acted_on(built).links][0].startswith("https://eu-west-1.console.aws.amazon.com/")
    assert wrong({"text": built[0], "blocks": built[1]}) == ("", "")


def test_an_unknown_actor_is_plain_text() -> None:
    assert acted_on(blocks(note())).mentions == []
    assert "jo@example.com" in seen(blocks(note()))


def test_the_notification_says_severity_what_and_where() -> None:
    text = fallback(note(title="Back again: direct production change"))
    assert "CRITICAL" in text
    assert "Back again: direct production change" in text
    assert "aws∶111122223333:eu-west-1" in text


def test_a_resolved_finding_is_struck_through_and_asks_for_nothing() -> None:
    built = blocks(note(NoteKind.RESOLVED, view=finding(standing="resolved", outcome=Outcome.PASS)), buttons=True)
    struck = [text for kind, text in acted_on(built).formats if kind == "strike"]
    assert len(struck) == 1
    assert "direct production change" in struck[0]
    assert "What would fix it" not in seen(built)
    assert not [block for block in built[1] if block["type"] == "actions"]
    assert "2026-03-29 01:00 UTC to 2026-04-01 01:00 UTC" in seen(built)


@pytest.mark.parametrize("standing", ["reopened", "waived"])
def test_the_head_says_how_the_finding_stands(standing: str) -> None:
    built = blocks(note(view=finding(standing=standing, waiver="W-2026-007" if standing == "waived" else "")))
    assert f"CRITICAL · {standing}" in seen(built)
    assert ("W-2026-007" in seen(built)) is (standing == "waived")


def test_unknown_is_told_apart_from_failing() -> None:
    assert ("italic", "unknown") in acted_on(blocks(note(view=finding(outcome=Outcome.UNKNOWN)))).formats


def test_buttons_are_there_only_where_somebody_listens() -> None:
    assert not [block for block in blocks(note())[1] if block["type"] == "actions"]
    actions = [block for block in blocks(note(), buttons=True)[1] if block["type"] == "actions"]
    assert [one["action_id"] for one in actions[0]["elements"]] == [ACKNOWLEDGE, WAIVE]
    assert {one["value"] for one in actions[0]["elements"]} == {"F-0a1b2c3d"}


def test_a_summary_shows_coverage_the_trend_and_what_is_open() -> None:
    built = blocks(summary())
    shown = seen(built)
    assert "Coverage complete: 12 of 12 reads are whole" in shown
    assert "Trend █▇▆▁ 9, 8, 6, 0" in shown
    assert "🔴 ██ 1 critical" in shown
    assert "🟠 ████████████ 5 high" in shown
    assert wrong({"text": built[0], "blocks": built[1]}) == ("", "")


@pytest.mark.parametrize(
    ("counts", "drawn"), [((), ""), ((0, 0), "▁▁"), ((1,), "█"), ((0, 1, 1000), "▁▂█"), ((-3, 4), "▁█")]
)
def test_a_bar_has_a_step_for_whatever_is_not_nothing(counts: tuple[int, ...], drawn: str) -> None:
    assert bar(counts) == drawn


def test_a_note_in_a_thread_says_what_has_changed() -> None:
    built = reply(note(NoteKind.RESOLVED, title="Resolved: direct change", lines=(("Was open for", "3 days"),)))
    assert "Resolved: direct change" in seen(built)
    assert "Was open for 3 days" in seen(built)
    assert acted_on(built).mentions == []


def test_what_is_left_out_is_told() -> None:
    lines = tuple(("high", f"finding {n} " + "x" * 500) for n in range(400))
    links = tuple((f"link {n}", f"https://example.com/{n}") for n in range(40))
    built = blocks(summary(lines=lines, links=links))
    assert wrong({"text": built[0], "blocks": built[1]}) == ("", "")
    assert "more lines" in seen(built)
    assert "… and 28 more links" in seen(built)
    assert built[1][-1]["type"] == "context"


FIELDS = st.fixed_dictionaries(
    {
        name: st.one_of(TEXTS, st.sampled_from(HOSTILE), st.sampled_from(["x" * 5000, "&" * 5000, "😀" * 3000]))
        for name in ("id", "check", "subject", "scope", "place", "actor", "owner", "reason", "remedy", "waiver")
    }
)
PAIRS = st.lists(
    st.tuples(TEXTS, st.one_of(TEXTS, TEXTS.map(lambda text: "https://example.com/" + text))), max_size=4
).map(tuple)


@settings(max_examples=150, deadline=None)
@given(
    FIELDS, PAIRS, PAIRS, TEXTS,
    st.lists(TEXTS, max_size=3).map(tuple),
    st.sampled_from(["open", "reopened", "waived", "resolved"]),
    st.sampled_from(Severity), st.sampled_from(NoteKind), st.booleans(),
)  # fmt: skip
def test_no_hostile_field_acts_or_breaks_a_limit(
    fields: dict[str, str],
    lines: tuple[tuple[str, str], ...],
    links: tuple[tuple[str, str], ...],
    title: str,
    controls: tuple[str, ...],
    standing: str,
    severity: Severity,
    kind: NoteKind,
    single: bool,
) -> None:
    view = finding(**fields, standing=standing, severity=severity, links=links, controls=controls)
    told = Note(
        kind=kind, key="k", at=AT + timedelta(hours=1), title=title, severity=severity, lines=lines, links=links,
        finding=view if single else None,
    )  # fmt: skip
    allowed = {where for _, url in links if (where := address(url))}
    for built in (
        blocks(told, people={}, controls=dict.fromkeys(controls, title), buttons=True),
        reply(told),
        plain(told),
    ):
        assert wrong({"text": built[0], "blocks": built[1]}) == ("", "")
        assert built[0]
        found = acted_on(built)
        assert not (found.mentions or found.emoji or found.names)
        assert {where for where, _ in found.links} <= allowed
        assert {kind for kind, _ in found.formats} <= {"code", "bold", "italic", "strike"}
        for what, text in found.formats:
            if what == "italic":
                assert text in ("unknown", "error")
            if what == "strike":
                assert standing == "resolved"
        for text in texts(built[1]):
            assert not INVISIBLE.search(text["text"])
