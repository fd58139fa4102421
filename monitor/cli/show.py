"""What a person or a program sees: tables and JSON, with everything from outside made harmless."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any


class Format(StrEnum):
    """How a list is printed."""

    TABLE = "table"
    JSON = "json"


def clean(text: object, limit: int = 200) -> str:
    """Return text that comes from outside as one harmless line of at most `limit` characters."""
    line = str(text)
    if not line.isprintable():
        # Control, format, direction, surrogate, private and unassigned characters, and separators other than the space.
        line = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in line)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def moment(when: datetime | None) -> str:
    """Return a time as `2026-03-14 02:05Z`."""
    return when.strftime("%Y-%m-%d %H:%MZ") if when else "-"


def number(value: float) -> str:
    """Return a count with separators."""
    return f"{value:,}"


def print_json(value: Any) -> None:
    """Print one JSON document on standard output, in ASCII, so that nothing in it can reach the terminal."""
    sys.stdout.write(to_json(value, indent=2) + "\n")


def to_json(value: Any, indent: int | None = None) -> str:
    """Return JSON in ASCII; structs and times in their JSON form, lone surrogates escaped."""
    import msgspec

    plain = msgspec.to_builtins(value, str_keys=True)
    separators = None if indent else (",", ":")
    return json.dumps(plain, indent=indent, separators=separators, ensure_ascii=True, default=str)


def complain(text: str) -> None:
    """Print an error for a person on standard error, each line made harmless."""
    for line in text.split("\n"):
        sys.stderr.write(clean(line, 500) + "\n")


def say(text: str = "") -> None:
    """Print a line for a person on standard output. Rich markup is honoured; give `safe` text from outside."""
    console().print(text, highlight=False, soft_wrap=True)


def safe(text: object, limit: int = 200) -> str:
    """Return text from outside for use within Rich markup."""
    from rich.markup import escape

    return escape(clean(text, limit))


def console() -> Any:
    """Return the console for standard output."""
    from rich.console import Console

    return Console(file=sys.stdout, emoji=False)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, flexible: Sequence[str] = ()) -> None:
    """Print a table that fits the terminal; `flexible` columns give way. Cells are taken as Rich markup."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    drawn = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        if column in flexible:
            drawn.add_column(column, overflow="fold", ratio=1)
        else:
            drawn.add_column(column, no_wrap=True)
    for row in rows:
        drawn.add_row(*row)
    console().print(drawn)


COLOURS = {
    "critical": "bold red",
    "high": "red",
    "medium": "yellow",
    "low": "dim",
    "pass": "green",
    "complete": "green",
    "fail": "bold red",
    "unknown": "magenta",
    "error": "magenta",
    "partial": "magenta",
    "denied": "magenta",
}


def coloured(word: str) -> str:
    """Return one of our own words in its colour."""
    style = COLOURS.get(word)
    return f"[{style}]{word}[/]" if style else word
