"""A note as a Slack message that a person can act on: what, where, who, since when, which control, and what would fix it.

Pure. Every text of a note is taken to be hostile and goes through `escaping`; only labels, marks and links are ours. What is
too long is cut visibly, so that a note always fits (https://docs.slack.dev/reference/block-kit/blocks). Texts are `verbatim`:
Slack makes no link or mention of its own out of them (https://docs.slack.dev/reference/block-kit/composition-objects/text-object).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from monitor.alerts.escaping import CUT, code, length, link, mention, words
from monitor.alerts.notes import FindingView, Note
from monitor.alerts.telling import heading, lasting
from monitor.model import Severity

Block = dict[str, Any]
Built = tuple[str, list[Block]]

MOST_BLOCKS = 50
LONGEST_TEXT = 3000
LONGEST_FIELD = 2000
LONGEST_HEADER = 150
MOST_FIELDS = 10
ACKNOWLEDGE = "monitor-acknowledge"
WAIVE = "monitor-request-waiver"

# Shorter than Slack allows: a message is to be read on a telephone.
_FALLBACK = 400
_PROSE = 1200
_NAME = 400
_LINE = 600
_MOST_LINKS = 12
_MOST_SECTIONS = 12
_MARKS = {Severity.CRITICAL: "🔴", Severity.HIGH: "🟠", Severity.MEDIUM: "🟡", Severity.LOW: "🔵"}
_PRESSABLE = re.compile(r"[A-Za-z0-9._:-]{1,200}")
_BARS = "▁▂▃▄▅▆▇█"
_WIDEST = 12


def blocks(
    note: Note,
    *,
    people: Mapping[str, str] | None = None,
    controls: Mapping[str, str] | None = None,
    buttons: bool = False,
) -> Built:
    """Return the text for notifications and the blocks of a note that stands by itself: the head of a thread, a digest.

    `people` are Slack ids (of users, U…, or groups, S…) by actor and owner; `controls` titles by control id; `buttons` adds
    those that Socket Mode answers. The head of a finding is shown as it stands now: struck through once it is resolved.
    """
    finding = note.finding
    body = (
        _card(note, finding, people or {}, controls or {})
        if finding is not None
        else [_header(_headline(note)), *_sections([*_counts(note.counts), *_lines(note.lines)])]
    )
    body += _sections(_links(note))
    if finding is not None and buttons and finding.standing != "resolved" and _PRESSABLE.fullmatch(finding.id):
        body.append(_buttons(finding.id))
    return fallback(note), _fitting([*body, _context(note)])


def reply(note: Note) -> Built:
    """Return the text and the blocks of a note that goes into the thread of its finding: what has changed, and when."""
    finding = note.finding
    lines = [f"*{words(note.title, _LINE) or note.kind.value}*"]
    if finding is not None and finding.reason:
        lines.append(words(finding.reason, _PROSE))
    return fallback(note), _fitting([*_sections([*lines, *_lines(note.lines), *_links(note)]), _context(note)])


def plain(note: Note) -> Built:
    """Return a note as text alone, for when Slack refuses its blocks."""
    lines = [fallback(note), *_lines(note.lines)]
    return _stacked(lines, LONGEST_TEXT)[0], []


def fallback(note: Note) -> str:
    """Return the note in one line: what a notification and a screen reader say."""
    if note.finding is None:
        return _cut(_headline(note), _FALLBACK)
    parts = [f"{_MARKS[note.severity]} {note.severity.upper()}", words(note.title, _LINE // 2)]
    where = words(note.finding.scope, _NAME)
    return _cut(" · ".join([*parts, where] if where and where not in parts[1] else parts), _FALLBACK)


def bar(counts: Sequence[int]) -> str:
    """Return the counts, oldest first, as a small bar of text: nothing is lowest, the largest is full height."""
    most = max(counts, default=0)
    return "".join(_BARS[0 if count <= 0 or most <= 0 else max(1, round(7 * count / most))] for count in counts)


def _headline(note: Note) -> str:
    """Return severity and standing in words, for those who see no colours, and what it is about."""
    finding, severity = note.finding, note.severity
    parts = []
    if finding is not None or severity in (Severity.CRITICAL, Severity.HIGH):
        parts.append(f"{_MARKS[severity]} {severity.upper()}")
    if finding is not None and finding.standing in ("reopened", "waived"):
        parts.append(finding.standing)
    return " · ".join(
        [*parts, words(note.title if finding is None else heading(finding), LONGEST_HEADER) or note.kind.value]
    )


def _card(note: Note, finding: FindingView, people: Mapping[str, str], controls: Mapping[str, str]) -> list[Block]:
    resolved = finding.standing == "resolved"
    head = _header(_headline(note))
    if resolved:
        head = _text_section(f"✅ ~{finding.severity.upper()} · {words(heading(finding), _LINE)}~ resolved")
    fields = [
        _field("Where", _place(finding)),
        _field("Who", _person(finding.actor, people)),
        _field("Since" if not resolved else "From", _since(finding, note.at, resolved)),
        _field("Owner", _person(finding.owner, people)),
        _field("Waiver", code(finding.waiver, _NAME)),
        _field("Change class", words(str(finding.change_class or ""), _NAME)),
    ]
    body = [head, {"type": "section", "fields": [field for field in fields if field][:MOST_FIELDS]}]
    body += _sections(_labelled("What", "\n".join(filter(None, [code(finding.subject, _NAME), _reason(finding)]))))
    if not resolved:
        body += _sections(_labelled("What would fix it", words(finding.remedy, _PROSE)))
    named = [
        f"{code(control, 80)} {words(controls.get(control, ''), 160)}".strip() for control in finding.controls[:20]
    ]
    body += _sections([*_labelled("Controls", "\n".join(named)), *_lines(note.lines)])
    return body


def _place(finding: FindingView) -> str:
    called = words(finding.place, _NAME) if finding.place != finding.scope else ""
    return " ".join(part for part in (called, code(finding.scope, _NAME)) if part)


def _reason(finding: FindingView) -> str:
    outcome = f"_{finding.outcome}_ " if finding.outcome in ("unknown", "error") else ""
    return outcome + words(finding.reason, _PROSE)


def _since(finding: FindingView, at: datetime, resolved: bool) -> str:
    first, last = finding.first_seen, finding.last_seen if resolved else at
    seen = f"seen in {finding.times_seen} sweep{'s' if finding.times_seen != 1 else ''}"
    if resolved:
        return f"{moment(first)} to {moment(last)}, {seen}"
    return f"{moment(first)} ({lasting(last - first)}, {seen})"


def moment(at: datetime) -> str:
    """Return a moment as people and logs write it, in UTC and to the minute."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _person(name: str, people: Mapping[str, str]) -> str:
    known = mention(people.get(name, "")) if name else ""
    return " ".join(part for part in (known, code(name, _NAME)) if part)


def _field(label: str, value: str) -> Block | None:
    return _mrkdwn(f"*{label}*\n{value}") if value else None


def _labelled(label: str, value: str) -> list[str]:
    return [f"*{label}*\n{value}"] if value else []


def _lines(lines: Iterable[tuple[str, str]]) -> list[str]:
    return [f"*{words(label, 80)}* {_counted(text)}" for label, text in lines]


def _counted(text: str) -> str:
    """Return a line's text; a row of counts (`3, 5, 2`) gets its bar in front."""
    counts = re.fullmatch(r"\d{1,7}(?:[,\s]+\d{1,7}){2,59}", text)
    return f"{bar([int(one) for one in re.findall(r'[0-9]+', text)])} {text}" if counts else words(text, _LINE)


def _counts(counts: Mapping[str, int]) -> list[str]:
    """Return the counts by severity as bars side by side, the longest of full width."""
    most = max(counts.values(), default=0)
    drawn = [(severity, counts.get(severity, 0)) for severity in Severity if counts.get(severity, 0) > 0]
    return [f"{_MARKS[one]} {'█' * max(1, round(_WIDEST * count / most))} {count:,} {one}" for one, count in drawn]


def _links(note: Note) -> list[str]:
    known = dict.fromkeys([*(note.finding.links if note.finding is not None else ()), *note.links])
    shown = [link(url, label, LONGEST_FIELD) for label, url in known]
    lines = _stacked([one for one in shown[:_MOST_LINKS] if one.startswith("<")], LONGEST_TEXT, " · ")
    more = len(shown) - _MOST_LINKS
    return [*lines, f"{CUT} and {more} more links"] if more > 0 else lines


def _context(note: Note) -> Block:
    finding = note.finding
    parts = (
        [moment(note.at)]
        if finding is None
        else [f"check {code(finding.check, 120)}", f"finding {code(finding.id, 80)}"]
    )
    parts = [*parts, moment(note.at)] if finding is not None else parts
    sweep = getattr(note, "sweep", "")
    return {
        "type": "context",
        "elements": [_mrkdwn(" · ".join([*parts, *([f"sweep {code(sweep, 80)}"] if sweep else [])]))],
    }


def _buttons(finding: str) -> Block:
    def button(label: str, action: str) -> Block:
        return {"type": "button", "action_id": action, "value": finding, "text": _plain(label)}

    return {"type": "actions", "elements": [button("Acknowledge", ACKNOWLEDGE), button("Request waiver", WAIVE)]}


def _header(text: str) -> Block:
    return {"type": "header", "text": _plain(_cut(text, LONGEST_HEADER))}


def _text_section(text: str) -> Block:
    return {"type": "section", "text": _mrkdwn(text)}


def _sections(lines: Sequence[str]) -> list[Block]:
    """Return the lines in as few sections as they fit in; of too many, the last says how many are left out."""
    stacked = _stacked(lines, LONGEST_TEXT)
    shown = [_text_section(text) for text in stacked[:_MOST_SECTIONS]]
    if left := sum(text.count("\n") + 1 for text in stacked[_MOST_SECTIONS:]):
        shown.append(_text_section(f"{CUT} and {left} more lines"))
    return shown


def _stacked(lines: Sequence[str], limit: int, between: str = "\n") -> list[str]:
    stacked: list[str] = []
    for line in lines:
        if stacked and length(stacked[-1]) + len(between) + length(line) <= limit:
            stacked[-1] += between + line
        else:
            stacked.append(line)
    return stacked


def _fitting(built: list[Block]) -> list[Block]:
    """Return the blocks that are not empty, as many as a message holds, the last (the context) always among them."""
    held = [block for block in built if block.get("type") != "section" or block.get("text") or block.get("fields")]
    if len(held) <= MOST_BLOCKS:
        return held
    told = _text_section(f"{CUT} and {len(held) - MOST_BLOCKS + 1} more parts")
    return [*held[: MOST_BLOCKS - 2], told, held[-1]]


def _cut(text: str, limit: int) -> str:
    """Return our own text, in which pieces from outside are bounded already, cut at a character that ends no entity."""
    if length(text) <= limit:
        return text
    kept = text[: limit - 1]
    while length(kept) > limit - 1 or re.search(r"&[a-z]*\Z", kept):
        kept = kept[:-1]
    return kept + CUT


def _mrkdwn(text: str) -> Block:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}
