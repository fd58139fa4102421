"""Text from outside in a Slack message: every character is shown, none is obeyed.

Pure. Branch names, titles, session names and the reasons that quote them are written by whoever made the change. In Slack's
mrkdwn `<…>` makes mentions and links, and `*_~` and backticks, `:name:` and a leading `>` make formatting; there is no escape
character but the three entities (https://docs.slack.dev/messaging/formatting-message-text). So the entities are used for
`& < >`, and a mark that could format is replaced by one that looks like it. `code` keeps every mark but the backtick, for
what a person copies. What cannot be seen (direction overrides, zero-width characters, controls) is spelt out, never dropped:
two names that differ must look different. The results are right in `mrkdwn` and in `plain_text` objects, which decode the
same entities.

Lengths are counted as sent, in UTF-16 units, which is never less than what Slack counts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from urllib.parse import quote, urlsplit

CUT = "…"
"""Stands where text was cut."""
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_LOOK_ALIKE = {"*": "\u2217", "`": "\u02cb", "~": "\u223c", "_": "\u02cd", ":": "\u2236", ">": "\u203a", "@": "\uff20"}
# All colons of a word but its last, since two make an emoji (`arn:aws:` where a workspace has one called aws); and a URL's.
_MARK = re.compile(
    r"[*`~]"
    r"|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"
    r"|:(?=[^\s:]*:)|:(?=//)"
    r"|\A>"
    r"|@(?=here\b|channel\b|everyone\b|group\b)",
    re.IGNORECASE,
)
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Co", "Cn", "Zl", "Zp"})
# Shown as nothing by most fonts, though Unicode calls them letters or marks: Default_Ignorable_Code_Point,
# https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt
_IGNORABLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_SPACES = re.compile(r"\s+")
_SAFE_IN_ADDRESS = "/:?#[]@!$&'()+,;=%~-._"
_MOST_MARKS = 4


def words(text: str, limit: int = 3000) -> str:
    """Return prose from outside for a message: on one line, without markup, at most `limit` long, cut visibly."""
    shown = _shown(text, limit)
    return _joined(_entities(_MARK.sub(_alike, shown)), limit)


def code(text: str, limit: int = 3000) -> str:
    """Return a name to be copied, in a code span of mrkdwn, with its marks as they are; empty when there is nothing."""
    shown = _shown(text, limit).replace("`", _LOOK_ALIKE["`"])
    return f"`{_joined(_entities(shown), limit - 2)}`" if shown else ""


def link(url: str, label: str, limit: int = 3000) -> str:
    """Return a link of mrkdwn, or the label alone where the address is none that `address` lets through."""
    target = address(url).replace("&", "&amp;")
    text = words(label.replace("|", "\u00a6"), max(1, limit - len(target) - 3))
    return f"<{target}|{text or target}>" if target and len(target) + 4 <= limit else text


def address(url: str) -> str:
    """Return the address, quoted; empty if it is not http(s), has no host, names a user, or hides a character."""
    if len(url) > 2900 or _shown(url, len(url) + 1) != url or " " in url:
        return ""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode()
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:  # UnicodeError is one: a host that is no name, a port that is no number
        return ""
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc or "\\" in url:
        return ""
    if not re.fullmatch(r"[a-z0-9.-]+", host):
        return ""
    rest = url.partition("://")[2][len(parts.netloc) :]
    quoted = f"{parts.scheme}://{host}{port}{quote(rest, safe=_SAFE_IN_ADDRESS)}"
    return quoted if len(quoted) <= 2900 else ""


def mention(who: str) -> str:
    """Return the mention of a Slack user (U… or W…) or a group of users (S…) by id; empty for anything else."""
    if not re.fullmatch(r"[UWS][A-Z0-9]{2,30}", who):
        return ""
    return f"<!subteam^{who}>" if who.startswith("S") else f"<@{who}>"


def length(text: str) -> int:
    """Return the text's length in UTF-16 units."""
    return len(text) + sum(1 for character in text if character > "\uffff")


def _shown(text: str, limit: int) -> str:
    """Return the text on one line with what is hidden spelt out, bounded, since more than `limit` is cut anyway."""
    # Spelling out and squeezing change lengths, and what follows this many characters is past any limit or padding.
    kept = text[: 4 * limit + 64]
    shown = _SPACES.sub(" ", "".join(_spelt(kept))).strip()
    return shown if len(kept) == len(text) else shown + CUT


def _spelt(text: str) -> Iterable[str]:
    marks = 0
    for character in text:
        if character.isascii() and character.isprintable():
            marks = 0
            yield character
            continue
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if character.isspace() and category != "Cf":
            yield " "
        elif category == "Cs":
            yield "\ufffd"
        elif category in _HIDDEN_CATEGORIES or _IGNORABLE.match(character) or marks > _MOST_MARKS:
            yield f"\u2039U+{ord(character):04X}\u203a"
        else:
            yield character


def _alike(found: re.Match[str]) -> str:
    return _LOOK_ALIKE[found[0]]


def _entities(text: str) -> Iterable[str]:
    get: Callable[[str, str], str] = _ENTITIES.get
    return (get(character, character) for character in text)


def _joined(pieces: Iterable[str], limit: int) -> str:
    """Return the pieces as long as they fit: an entity is never cut in two."""
    kept: list[str] = []
    size = 0
    last = 0
    for piece in pieces:
        size += length(piece)
        if size > limit:
            break
        if size <= limit - 1:
            last = len(kept) + 1
        kept.append(piece)
    else:
        return "".join(kept)
    return "".join(kept[:last]) + CUT
