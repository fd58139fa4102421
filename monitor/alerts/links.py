"""Links from an alert to where one goes on: templates of the settings, filled with what a result observed.

Pure. What fills a template comes from outside: it must have the shape of what it is said to be, and is URL-quoted besides,
so that it can lead nowhere else. A template that cannot be filled gives no link.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

SHAPES = {
    "finding": re.compile(r"F-[A-Z2-7]{10}", re.ASCII),
    "check": re.compile(r"[a-z0-9-]{1,64}", re.ASCII),
    "account": re.compile(r"[0-9]{12}", re.ASCII),
    "project": re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", re.ASCII),
    "region": re.compile(r"[a-z]{2,4}(-[a-z]+){1,2}-[0-9]{1,2}", re.ASCII),
    "repository": re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}", re.ASCII),
    "commit": re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.ASCII),
    "run": re.compile(r"[0-9]{1,20}", re.ASCII),
    "event": re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII),
}
"""What each placeholder of a template stands for, as a whole."""

NAMES = ("finding", "commit", "run", "repository", "console")
"""The links that there may be, in the order in which they are shown."""

PLACEHOLDER = re.compile(r"\{([a-z]+)\}")
_KEYS = {
    "commit": ("commit", "sha", "head_sha", "after"),
    "run": ("run", "run_id"),
    "event": ("event", "event_id", "id"),
    "region": ("region",),
    "repository": ("repository",),
}
_RUN_ADDRESS = re.compile(r"/actions/runs/([0-9]{1,20})", re.ASCII)
_MOST_LOOKED_AT = 2000


def links(templates: Mapping[str, Sequence[str]], values: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return (name, address) of each link whose template can be filled: of several the first that can."""
    found = []
    for name in NAMES:
        filled = (address for template in templates.get(name, ()) if (address := fill(template, values)))
        if address := next(filled, ""):
            found.append((name, address))
    return tuple(found)


def fill(template: str, values: Mapping[str, str]) -> str:
    """Return the template with its placeholders filled, or an empty text if one has no value, or not one of its shape."""
    for name in PLACEHOLDER.findall(template):
        if name not in SHAPES or not SHAPES[name].fullmatch(values.get(name, "")):
            return ""
    return PLACEHOLDER.sub(
        lambda found: quote(values[found[1]], safe="/" if found[1] == "repository" else ""), template
    )


def values_of(finding: str, check: str, scope: str, observed: Mapping[str, Any]) -> dict[str, str]:
    """Return what placeholders stand for, from a finding's scope and what its result observed: the first of each."""
    provider, _, place = scope.partition(":")
    account, _, region = place.partition(":")
    found = {"finding": finding, "check": check}
    if provider == "aws":
        found |= {"account": account, "region": region}
    elif provider == "gcp":
        found["project"] = account
    elif "/" in account:
        found["repository"] = account
    for key, text in _texts(observed):
        for name, keys in _KEYS.items():
            if key in keys and not SHAPES[name].fullmatch(found.get(name, "")) and SHAPES[name].fullmatch(text):
                found[name] = text
        if "run" not in found and (address := _RUN_ADDRESS.search(text[:2000])):
            found["run"] = address[1]
    return found


def _texts(observed: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield texts and numbers with their keys, in order; of a large observation the first part only."""
    waiting: list[tuple[str, Any]] = [("", observed)]
    for _ in range(_MOST_LOOKED_AT):
        if not waiting:
            return
        key, value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += [(str(k), v) for k, v in reversed(list(value.items())[:_MOST_LOOKED_AT])]
        elif isinstance(value, list | tuple):
            waiting += [(key, v) for v in reversed(value[:_MOST_LOOKED_AT])]
        elif isinstance(value, str):
            yield key, value
        elif isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**20:
            yield key, str(value)
