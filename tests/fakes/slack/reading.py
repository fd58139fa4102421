"""What Slack makes of mrkdwn: a small reader of its own, stricter than Slack, which finds more markup rather than less.

https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

INVISIBLE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff\ud800-\udfff]"
)


@dataclass
class Read:
    """`shown` is what a person sees; the lists are what Slack acts upon."""

    shown: str = ""
    mentions: list[str] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    formats: list[tuple[str, str]] = field(default_factory=list)
    emoji: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


def read(text: str) -> Read:
    """Return what mrkdwn says. Raises AssertionError where it holds what Slack may take either way."""
    found = Read()
    shown: list[str] = []
    for number, line in enumerate(text.split("\n")):
        if number:
            shown.append("\n")
        if line.startswith(("&gt;", ">")):
            found.formats.append(("quote", line))
        for part in re.split(r"(`[^`]*`)", line):
            if len(part) > 1 and part.startswith("`") and part.endswith("`"):
                found.formats.append(("code", decoded(part[1:-1])))
                shown.append(decoded(part[1:-1]))
                assert "<" not in part
                assert ">" not in part
            else:
                shown.append(_prose(part, found))
    found.shown = "".join(shown)
    return found


def _prose(text: str, found: Read) -> str:
    if "`" in text:
        found.formats.append(("code", text))
    shown: list[str] = []
    for part in re.split(r"(<[^>]*>)", text):
        if part.startswith("<"):
            target, _, label = part[1:-1].partition("|")
            if target.startswith(("@", "#", "!")):
                found.mentions.append(target)
            else:
                found.links.append((decoded(target), decoded(label)))
            part = label
        else:
            assert "<" not in part
            assert ">" not in part
            found.names += re.findall(r"@(?:here|channel|everyone|group)\b", part, re.IGNORECASE)
            found.links += [(one, "") for one in re.findall(r"[A-Za-z][A-Za-z0-9+.-]*://\S*", part)]
        shown.append(decoded(part))
    whole = re.sub(r"<[^>]*>", "<>", text)
    found.emoji += re.findall(r":[^\s:]+:", whole)
    for mark, kind in (("*", "bold"), ("_", "italic"), ("~", "strike")):
        sign = re.escape(mark)
        # A pair of marks anywhere formats, unless letters or digits stand on both sides of one of them.
        for piece in re.findall(rf"(?<![A-Za-z0-9]){sign}(.+?){sign}(?![A-Za-z0-9])", whole):
            found.formats.append((kind, decoded(piece)))
    return re.sub(r"(?<![A-Za-z0-9])([*_~])(.+?)\1(?![A-Za-z0-9])", r"\2", "".join(shown))


def decoded(text: str) -> str:
    assert not re.search(r"&(?!amp;|lt;|gt;)", text), text
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def texts(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return all text objects of the blocks."""
    found: list[dict[str, Any]] = []
    for block in blocks:
        for holder in (block, *block.get("elements", [])):
            if isinstance(holder.get("text"), dict):
                found.append(holder["text"])
            elif "text" in holder:
                found.append(holder)
        found += block.get("fields", [])
    return found
