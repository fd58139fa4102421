"""The entry for `config/waivers.yaml` that a request for a waiver begins with. Pure; it approves nothing.

Reason, ticket and approver are left blank, which `monitor config check` refuses: an entry that nobody has thought about
cannot be merged by accident. All that comes from the finding is quoted, so that it stays one value of the entry.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from urllib.parse import quote

from monitor.alerts.escaping import address
from monitor.alerts.notes import FindingView

DAYS = 30
"""Days that a draft asks for, where that many are allowed."""

# What a pattern of a waiver may be: monitor.expected.waivers.
_LONGEST = 1024
_MOST_WILDCARDS = 12


def draft(finding: FindingView, requester: str, at: datetime, *, max_days: int = DAYS) -> str:
    """Return the entry, as lines of YAML, for a finding from today (UTC) on; it covers this finding's subject alone."""
    start = at.replace(hour=0, minute=0, second=0, microsecond=0)
    until = start + timedelta(days=max(1, min(DAYS, max_days)))
    tail = re.sub(r"[^A-Za-z0-9]", "", finding.id)[-8:]
    lines = [
        f"  - id: W-{start:%Y-%m-%d}{'-' if tail else ''}{tail}",
        f"    checks: [{quoted(finding.check)}]",
        *_reach(finding),
        '    reason: ""      # why it is accepted for the time',
        '    ticket: ""      # where it is asked for and approved',
        f"    requester: {quoted(requester)}",
        '    approver: ""    # somebody else',
        f"    from: {start:%Y-%m-%dT%H:%M:%SZ}",
        f"    until: {until:%Y-%m-%dT%H:%M:%SZ}",
    ]
    return "\n".join(lines) + "\n"


def edit_address(template: str, entry: str) -> str:
    """Return where the file is edited, `{entry}` of the template filled in; empty if the template is no address.

    Where the address would be too long for a link, the entry is left out of it.
    """
    filled = address(template.replace("{entry}", quote(entry, safe="", errors="replace")))
    return filled or address(template.replace("{entry}", ""))


def quoted(text: str) -> str:
    """Return the text as a double-quoted scalar of YAML: what cannot be seen is written as an escape."""
    # https://yaml.org/spec/1.2.2/#57-escaped-characters
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in ('"', "\\"):
        return "\\" + character
    if "\ud800" <= character <= "\udfff":
        return "\ufffd"  # no YAML can hold it
    if character == " " or character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02X}" if code < 0x100 else f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


def _reach(finding: FindingView) -> list[str]:
    for kind, text in (("subjects", finding.subject), ("scopes", finding.scope)):
        if _is_pattern(text):
            note = "  # '*' and '?' are wildcards: see what else it would cover" if set(text) & set("*?") else ""
            return [f"    {kind}: [{quoted(text)}]{note}"]
    return ["    subjects: []    # the subject cannot be written as a pattern: say what is meant"]


def _is_pattern(text: str) -> bool:
    named = set(text) - set("*?:/")
    wildcards = text.count("*") + text.count("?")
    return (
        bool(named)
        and len(text) <= _LONGEST
        and text == text.strip()
        and text.isprintable()
        and wildcards <= _MOST_WILDCARDS
    )
