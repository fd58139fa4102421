"""One identity as a picture: who can become it on the left, what it can do on the right, as SVG. Nothing is loaded from outside.

All text from outside is escaped. It is broken into lines that fit their box in the widest of the usual fonts, and cut where there
would be too many; the whole of it stands in the tooltip.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from html import escape

import msgspec

from monitor.cli.show import clean

WIDTH, MARGIN, COLUMN, MIDDLE, GAP = 1360, 28, 460, 216, 14
TOP = 128
"""Where the columns begin: below the heading of the picture and their own."""
_COLOURS = {"fail": "#b3261e", "unknown": "#7b4bb3", "pass": "#1e7d45", "plain": "#6b7783"}
_INK, _GREY, _PALE = "#1f2933", "#54606c", "#7b8794"
_LEGEND = (
    ("fail", "more than is declared"),
    ("unknown", "cannot be told"),
    ("pass", "as it is declared"),
    ("plain", "not judged"),
)
# The generic name after these keeps the picture readable where none is installed.
_FONT = "font-family=\"'Inter','Segoe UI','Helvetica Neue',Arial,'DejaVu Sans',sans-serif\""
_WORDS = re.compile(r"\S+\s*")
_PARTS = re.compile(r"[^\s/:;,.@_-]*[\s/:;,.@_-]+|[^\s/:;,.@_-]+")
_LONGEST = 1500


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """One box: a title, what stands below it, how it is judged (fail, unknown, pass, plain) and why, and all of it."""

    title: str
    detail: str = ""
    why: str = ""
    verdict: str = "plain"
    whole: str = ""


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """What is drawn: the identity with its heading, and its two sides."""

    title: str
    subtitle: str
    verdict: str
    ways_in: tuple[Box, ...]
    rights: tuple[Box, ...]
    heading: str = ""
    note: str = ""


class _Line(msgspec.Struct, frozen=True, kw_only=True):
    text: str
    size: float
    colour: str
    bold: bool = False


class _Placed(msgspec.Struct, frozen=True, kw_only=True):
    box: Box
    lines: tuple[_Line, ...]
    height: float


def svg(picture: Picture) -> str:
    """Return the picture as an SVG document."""
    sides = [[_placed(box) for box in boxes] for boxes in (picture.ways_in, picture.rights)]
    name = _name(picture)
    body = max(*(_tall(side) for side in sides), _high(name) + 40, 90)
    height = TOP + body + 62
    centre, middle = WIDTH / 2, TOP + body / 2
    left, right = float(MARGIN), float(WIDTH - COLUMN - MARGIN)
    size = f'viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" height="{height:.0f}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{_text(picture.title, 300)}" {_FONT}>',
        f'<rect width="{WIDTH}" height="{height:.0f}" fill="#ffffff"/>',
        _words(
            left, 44, _cut(picture.heading or picture.title, 19, WIDTH - 2 * MARGIN, bold=True), 19, _INK, bold=True
        ),
        _words(left, 68, _cut(picture.note, 13, WIDTH - 2 * MARGIN), 13, _GREY),
    ]
    for side, x, words, inward in (
        (sides[0], left, "Who can become it", True),
        (sides[1], right, "What it can do", False),
    ):
        y = middle - _tall(side) / 2
        parts.append(_words(x, y - 14, words, 15, _INK, bold=True))
        if not side:
            parts.append(_words(x, y + 6, "nobody that is known" if inward else "nothing that is written", 13, _GREY))
        outer = x + COLUMN if inward else x
        inner = centre - MIDDLE / 2 if inward else centre + MIDDLE / 2
        for one in side:
            parts.append(_link(one.box, outer, y + one.height / 2, inner, middle))
            parts += _drawn(one, x, y)
            y += one.height + GAP
    parts += _identity(picture, name, centre, middle)
    parts += _legend(left, height - 26)
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _placed(box: Box) -> _Placed:
    room = COLUMN - 46
    lines = [_Line(text=one, size=14, colour=_INK, bold=True) for one in wrapped(box.title, 14, room, 2, bold=True)]
    lines += [_Line(text=one, size=12.5, colour=_GREY) for one in wrapped(box.detail, 12.5, room, 4)]
    lines += [_Line(text=one, size=12.5, colour=_COLOURS[box.verdict]) for one in wrapped(box.why, 12.5, room, 3)]
    return _Placed(box=box, lines=tuple(lines), height=_high(lines) + 18)


def _high(lines: Sequence[_Line]) -> float:
    return sum(line.size * 1.32 for line in lines)


def _tall(side: Sequence[_Placed]) -> float:
    return sum(one.height for one in side) + GAP * max(len(side) - 1, 0)


def _drawn(one: _Placed, x: float, y: float) -> list[str]:
    box, colour = one.box, _COLOURS[one.box.verdict]
    shape = f'x="{x:.0f}" y="{y:.0f}" height="{one.height:.0f}"'
    parts = [
        f"<g><title>{_text(box.whole or f'{box.title} {box.detail} {box.why}', _LONGEST)}</title>",
        f'<rect {shape} width="{COLUMN}" rx="7" fill="#f8fafb" stroke="#d5dbe1"/>',
        f'<rect {shape} width="5" rx="2.5" fill="{colour}"/>',
        _mark(box.verdict, x + 20, y + 18),
    ]
    baseline = y + 9
    for line in one.lines:
        baseline += line.size * 1.32
        parts.append(_words(x + 36, baseline - line.size * 0.3, line.text, line.size, line.colour, bold=line.bold))
    return [*parts, "</g>"]


def _mark(verdict: str, x: float, y: float) -> str:
    """Return the sign of a verdict, drawn: not every font has it."""
    colour = _COLOURS[verdict]
    stroke = 'stroke="#ffffff" stroke-width="1.8" stroke-linecap="round" fill="none"'
    inside = {
        "fail": f'<path d="M{x - 2.6:.1f} {y - 2.6:.1f} l5.2 5.2 m0 -5.2 l-5.2 5.2" {stroke}/>',
        "pass": f'<path d="M{x - 3.2:.1f} {y + 0.2:.1f} l2.3 2.4 l4.1 -4.9" {stroke}/>',
        "unknown": f'<text x="{x:.1f}" y="{y + 3.8:.1f}" font-size="11" font-weight="700" text-anchor="middle" '
        f'fill="#ffffff">?</text>',
        "plain": f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.8" fill="#ffffff"/>',
    }[verdict]
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" fill="{colour}"/>{inside}'


def _link(box: Box, outer: float, y: float, inner: float, middle: float) -> str:
    half = (outer + inner) / 2
    dashes = ' stroke-dasharray="5 4"' if box.verdict == "unknown" else ""
    return (
        f'<path d="M{outer:.0f} {y:.0f} C{half:.0f} {y:.0f} {half:.0f} {middle:.0f} {inner:.0f} {middle:.0f}" fill="none" '
        f'stroke="{_COLOURS[box.verdict]}" stroke-opacity="0.6" stroke-width="1.8"{dashes}/>'
    )


def _name(picture: Picture) -> list[_Line]:
    room = MIDDLE - 28
    lines = [_Line(text=one, size=15, colour=_INK, bold=True) for one in wrapped(picture.title, 15, room, 4, bold=True)]
    return lines + [_Line(text=one, size=12, colour=_GREY) for one in wrapped(picture.subtitle, 12, room, 2)]


def _identity(picture: Picture, lines: Sequence[_Line], x: float, y: float) -> list[str]:
    high = _high(lines) + 32
    frame = f'x="{x - MIDDLE / 2:.0f}" y="{y - high / 2:.0f}" width="{MIDDLE}" height="{high:.0f}" rx="10"'
    parts = [
        f"<g><title>{_text(f'{picture.title} {picture.subtitle}', 600)}</title>",
        f'<rect {frame} fill="#ffffff" stroke="{_COLOURS[picture.verdict]}" stroke-width="2.5"/>',
    ]
    baseline = y - high / 2 + 16
    for line in lines:
        baseline += line.size * 1.32
        parts.append(_words(x, baseline - line.size * 0.3, line.text, line.size, line.colour, bold=line.bold, mid=True))
    return [*parts, "</g>"]


def _legend(x: float, y: float) -> list[str]:
    parts = []
    for verdict, words in _LEGEND:
        parts += [_mark(verdict, x + 7, y - 4), _words(x + 20, y, words, 12.5, _PALE)]
        x += 52 + _wide(words, 12.5)
    return parts


def _words(x: float, y: float, text: str, size: float, colour: str, *, bold: bool = False, mid: bool = False) -> str:
    more = (' font-weight="600"' if bold else "") + (' text-anchor="middle"' if mid else "")
    # Names in scripts that run from right to left keep their place.
    isolated = ' style="unicode-bidi:isolate"' if not text.isascii() else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}"{more}{isolated}>{escape(text)}</text>'


def wrapped(text: str, size: float, room: float, most: int, *, bold: bool = False) -> list[str]:
    """Return the text, made harmless, as at most so many lines that fit the room; cut text ends in `…`."""

    def fits(line: str) -> bool:
        return _wide(line.rstrip(), size, bold=bold) <= room

    lines = [""]
    for word in _WORDS.findall(clean(text, _LONGEST)):
        # A long word is broken where it may be, unless that leaves most of a line empty.
        whole = fits(lines[-1] + word) or (fits(word) and not fits(lines[-1] + word[:12]))
        for piece in [word] if whole else _broken(word, fits):
            if not lines[-1] or fits(lines[-1] + piece):
                lines[-1] += piece
            else:
                lines.append(piece.lstrip())
            if len(lines) > most:
                return [one.rstrip() for one in lines[: most - 1]] + [_cut("".join(lines[-2:]), size, room, bold=bold)]
    return [line for line in (one.rstrip() for one in lines) if line]


def _broken(word: str, fits: Callable[[str], bool]) -> list[str]:
    """Return a word as pieces that fit: after a mark, else anywhere."""
    pieces: list[str] = []
    for part in _PARTS.findall(word):
        pieces.append("")
        for c in part:
            if not fits(pieces[-1] + c):
                pieces.append("")
            pieces[-1] += c
    return pieces


def _cut(text: str, size: float, room: float, *, bold: bool = False) -> str:
    line = clean(text, _LONGEST)
    if _wide(line, size, bold=bold) <= room:
        return line
    while line and _wide(line + "…", size, bold=bold) > room:
        line = line[:-1]
    return line.rstrip() + "…"


def _wide(text: str, size: float, *, bold: bool = False) -> float:
    """Return how wide a text is at most in the usual fonts."""
    return sum(map(_em, text)) * size * (1.1 if bold else 1)


def _em(c: str) -> float:
    """Return how wide a character is, in parts of its size, in DejaVu Sans, which is wider than most."""
    if c in "ijlI'|":
        return 0.3
    if c in "frt.,:;/!()[]- \\":
        return 0.41
    if c in "mwMW@%…":
        return 0.98
    if not c.isascii():
        return 1.05 if unicodedata.east_asian_width(c) in "WF" else 0.8
    return 0.74 if c.isupper() else 0.64


def _text(text: str, limit: int) -> str:
    return escape(clean(text, limit))
