"""What is wrong with the configuration: each mistake with its file, its line, its key and what would be right. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path as FolderPath
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from monitor.errors import ConfigError
from monitor.expected.fields import shown

Path = tuple[str | int, ...]
"""Keys and positions from the top of a file, as ("production", "aws", "accounts", 1, "id")."""

MOST_SHOWN = 200
"""Mistakes that one report lists."""

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_.-]{1,80}")


class Misread(str):
    """The text of a number that is reported already (it begins with 0), so that no second mistake need follow."""


@dataclass(frozen=True, order=True)
class Mistake:
    """One thing that is wrong. A line of 0 stands for the file as a whole."""

    file: str
    line: int
    path: Path
    message: str

    def text(self) -> str:
        """Return it as one line: `expected/production.yaml:7: production.aws.accounts[1].id: …`."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (place, dotted(self.path), self.message) if part)


def dotted(path: Path) -> str:
    """Return a path as people write it: `production.aws.accounts[1].id`."""
    out = ""
    for part in path:
        if isinstance(part, int):
            out += f"[{part}]"
        else:
            out += f"{'.' if out else ''}{part if _PLAIN_KEY.fullmatch(part) else shown(part)}"
    return out


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the end of a message: `; did you mean 'x'?` for the nearest known word, else the known words."""
    words = sorted(set(known))[:500]
    # Long words are cut: the comparison takes time with the square of their length.
    near = get_close_matches(word[:80].lower(), words, n=1, cutoff=0.6) or get_close_matches(
        word[:80], words, n=1, cutoff=0.6
    )
    if near:
        return f"; did you mean {shown(near[0])}?"
    return f"; known here: {', '.join(map(shown, words[:20]))}" if words else ""


def raised(mistakes: Iterable[Mistake], where: FolderPath) -> ConfigError:
    """Return the error that lists every mistake, in the order of files and lines."""
    ordered = sorted(set(mistakes), key=lambda m: (m.file, m.line, dotted(m.path), m.message))
    problems = tuple(mistake.text() for mistake in ordered[:MOST_SHOWN])
    if len(ordered) > MOST_SHOWN:
        problems = (*problems, f"… and {len(ordered) - MOST_SHOWN} more")
    count = "one mistake" if len(ordered) == 1 else f"{len(ordered)} mistakes"
    return ConfigError(
        f"{count} in the configuration in {where}",
        todo="correct them, then run `monitor config check`",
        problems=problems,
    )


def translated(
    error: ValidationError, at: Path, model: type[BaseModel], place: Callable[[Path], tuple[str, int]]
) -> list[Mistake]:
    """Return the mistakes that a model found in what stands at a path.

    `place` gives file and line of a path; `model` gives the keys that would have been right.
    """
    schema = _schema(model)
    return [_mistake(detail, at, schema, place) for detail in error.errors(include_url=False) if not _follows(detail)]


@lru_cache(maxsize=64)
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(mode="validation", by_alias=True)


def _follows(detail: ErrorDetails) -> bool:
    """Return whether this only follows from a mistake that is reported anyway."""
    value = detail["input"]
    # pydantic counts only the entries that are right, so that a list of wrong ones is "too short" besides.
    emptied = detail["type"] == "too_short" and isinstance(value, list) and len(value) >= detail["ctx"]["min_length"]
    return emptied or isinstance(value, Misread)


def _mistake(
    detail: ErrorDetails, at: Path, schema: dict[str, Any], place: Callable[[Path], tuple[str, int]]
) -> Mistake:
    within: Path = tuple(detail["loc"])
    file, line = place((*at, *within))
    return Mistake(file, line, (*at, *within), _message(detail, within, schema))


def _message(detail: ErrorDetails, within: Path, schema: dict[str, Any]) -> str:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "extra_forbidden":
        key = str(within[-1])
        return f"is not a key here{did_you_mean(key, _properties(schema, within[:-1]))}"
    if kind == "missing":
        about = _properties(schema, within[:-1]).get(str(within[-1]), {}).get("description", "")
        return f"is missing; write it: {about}" if about else "is missing; write it"
    if value is None:
        return "is empty; write it, or remove the key"
    return _EXPECTED.get(kind, _otherwise)(value, context, detail["msg"])


def _properties(schema: dict[str, Any], path: Path) -> Mapping[str, Any]:
    node = _resolved(schema, schema)
    for part in path:
        below = node.get("items") if isinstance(part, int) else node.get("properties", {}).get(part)
        if not isinstance(below, dict):
            return {}
        node = _resolved(below, schema)
    found = node.get("properties", {})
    return found if isinstance(found, dict) else {}


def _resolved(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    for choice in node.get("anyOf", ()):
        if choice.get("type") != "null":
            return _resolved(choice, schema)
    reference = node.get("$ref", "")
    return schema["$defs"][reference.rpartition("/")[2]] if reference else node


def _otherwise(value: object, context: Mapping[str, Any], message: str) -> str:
    return f"{shown(value)} is not right: {message}"


def _text(value: object, context: Mapping[str, Any], message: str) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return f"is {shown(value)}; write text here"
    return f'{value} stands without quotes, so YAML reads a number; quote it, as "{value}"'


def _whole(value: object, context: Mapping[str, Any], message: str) -> str:
    return f"{shown(value)} is not a whole number; write digits without quotes"


def _list(value: object, context: Mapping[str, Any], message: str) -> str:
    return f"is {shown(value)}; write a list: [one, two], or a line with '- ' for each"


def _mapping(value: object, context: Mapping[str, Any], message: str) -> str:
    return f"is {shown(value)}; write keys and values: {{key: value}}, or a line 'key: value' for each"


def _short(value: object, context: Mapping[str, Any], message: str) -> str:
    return f"is an empty list; at least {context.get('min_length', 1)} is needed"


def _low(value: object, context: Mapping[str, Any], message: str) -> str:
    return f"{shown(value)} is too small; write at least {context.get('ge')}"


def _high(value: object, context: Mapping[str, Any], message: str) -> str:
    return f"{shown(value)} is too large; write at most {context.get('le')}"


_EXPECTED: Mapping[str, Callable[[object, Mapping[str, Any], str], str]] = {
    "string_type": _text,
    "path_type": _text,
    "int_type": _whole,
    "int_parsing": _whole,
    "int_from_float": _whole,
    "tuple_type": _list,
    "list_type": _list,
    "model_type": _mapping,
    "model_attributes_type": _mapping,
    "dict_type": _mapping,
    "too_short": _short,
    "greater_than_equal": _low,
    "less_than_equal": _high,
}
