"""One identity as a picture: who can become it on the left, what it can do on the right, as SVG. Nothing is loaded from outside.

All text from outside is escaped, and cut to what a column holds; the whole of it stands in the tooltip.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import msgspec

from monitor.cli.show import clean

WIDTH, ROW, COLUMN, TOP = 1180, 46, 400, 96
_COLOURS = {"fail": "#b3261e", "unknown": "#7b4bb3", "pass": "#1e7d45", "plain": "#54606c"}
_MARKS = {"fail": "✗", "unknown": "?", "pass": "✓", "plain": "·"}
# The generic name after these keeps the picture readable where none is installed.
_FONT = "font-family=\"'Inter','Segoe UI','Helvetica Neue',Arial,sans-serif\""


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """One box: what it says in two lines, how it is judged (fail, unknown, pass, plain), and all of it for the tooltip."""

    title: str
    detail: str = ""
    verdict: str = "plain"
    whole: str = ""


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """What is drawn: the identity, and its two sides."""

    title: str
    subtitle: str
    verdict: str
    ways_in: tuple[Box, ...]
    rights: tuple[Box, ...]


def svg(picture: Picture) -> str:
    """Return the picture as an SVG document."""
    rows = max(len(picture.ways_in), len(picture.rights), 2)
    height = TOP + rows * (ROW + 12) + 48
    middle = TOP + (rows * (ROW + 12) - 12) / 2
    left, right, centre = 24, WIDTH - COLUMN - 24, WIDTH / 2
    size = f'viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" height="{height:.0f}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{_text(picture.title, 300)}">',
        f'<rect width="{WIDTH}" height="{height:.0f}" fill="#ffffff"/>',
        _heading(left, "Who can become it", len(picture.ways_in)),
        _heading(right, "What it can do", len(picture.rights)),
    ]
    parts += _links(picture.ways_in, left + COLUMN, centre - 74, middle, inward=True)
    parts += _links(picture.rights, right, centre + 74, middle, inward=False)
    parts += [part for n, box in enumerate(picture.ways_in) for part in _box(box, left, _y(n))]
    parts += [part for n, box in enumerate(picture.rights) for part in _box(box, right, _y(n))]
    parts += _identity(picture, centre, middle)
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _y(row: int) -> float:
    return TOP + row * (ROW + 12)


def _heading(x: float, text: str, count: int) -> str:
    return (
        f'<text x="{x}" y="{TOP - 28}" {_FONT} font-size="15" font-weight="600" fill="#1f2933">{text} '
        f'<tspan font-weight="400" fill="#7b8794">{count}</tspan></text>'
    )


def _box(box: Box, x: float, y: float) -> list[str]:
    colour = _COLOURS[box.verdict]
    whole = box.whole or f"{box.title} {box.detail}"
    return [
        f"<g><title>{_text(whole, 1500)}</title>",
        f'<rect x="{x}" y="{y:.0f}" width="{COLUMN}" height="{ROW}" rx="6" fill="#f8fafb" stroke="#d5dbe1"/>',
        f'<rect x="{x}" y="{y:.0f}" width="5" height="{ROW}" rx="2" fill="{colour}"/>',
        f'<text x="{x + 16}" y="{y + 19:.0f}" {_FONT} font-size="13" fill="{colour}">{_MARKS[box.verdict]}</text>',
        _line(x + 34, y + 19, 'font-size="13" font-weight="600" fill="#1f2933"', _text(box.title, 50)),
        _line(x + 34, y + 36, 'font-size="11.5" fill="#54606c"', _text(box.detail, 62)),
        "</g>",
    ]


def _links(boxes: Sequence[Box], outer: float, inner: float, middle: float, *, inward: bool) -> list[str]:
    made = []
    for n, box in enumerate(boxes):
        y = _y(n) + ROW / 2
        half = (outer + inner) / 2
        dashes = "" if box.verdict != "unknown" else ' stroke-dasharray="5 4"'
        made.append(
            f'<path d="M{outer} {y:.0f} C{half:.0f} {y:.0f} {half:.0f} {middle:.0f} {inner:.0f} {middle:.0f}" fill="none" '
            f'stroke="{_COLOURS[box.verdict]}" stroke-opacity="0.55" stroke-width="1.6"{dashes}/>'
        )
    return made


def _identity(picture: Picture, x: float, y: float) -> list[str]:
    colour = _COLOURS[picture.verdict]
    frame = f'x="{x - 74:.0f}" y="{y - 40:.0f}" width="148" height="80" rx="10"'
    centred = 'text-anchor="middle"'
    return [
        f"<g><title>{_text(f'{picture.title} {picture.subtitle}', 600)}</title>",
        f'<rect {frame} fill="#ffffff" stroke="{colour}" stroke-width="2.5"/>',
        _line(x, y - 6, f'font-size="14" font-weight="600" {centred} fill="#1f2933"', _text(picture.title, 19)),
        _line(x, y + 16, f'font-size="11" {centred} fill="#54606c"', _text(picture.subtitle, 25)),
        "</g>",
    ]


def _line(x: float, y: float, style: str, text: str) -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" {_FONT} {style}>{text}</text>'


def _text(text: str, limit: int) -> str:
    return escape(clean(text, limit))
