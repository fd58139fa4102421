"""An answer of GraphQL: its errors and whom they concern, its lists and whether they are whole. Pure.

Errors bear the path of the field that they cost: https://spec.graphql.org/October2021/#sec-Errors
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from monitor.decode.github_wire import dig, text
from monitor.model import Unknown


def errors_of(answer: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return path (steps joined by dots; empty for the whole query) and message of each error."""
    found = answer.get("errors")
    if found is None:
        return ()
    if not isinstance(found, list):
        return (("", "errors that cannot be read"),)
    return tuple((_path(dig(one, "path")), text(dig(one, "message"))[:300] or "an error") for one in found)


def concerning(errors: Sequence[tuple[str, str]], place: str) -> dict[str, str]:
    """Return the messages that concern a place, by the rest of their path; that is empty for what costs all of the place."""
    found: dict[str, str] = {}
    for path, why in errors:
        if path.startswith(f"{place}."):
            found.setdefault(path.removeprefix(f"{place}."), why)
        elif not path or path == place or place.startswith(f"{path}."):
            found.setdefault("", why)
    return found


def following(connection: Any) -> str | Unknown:
    """Return the cursor of the next page; empty where this page is the last, Unknown where that is not told."""
    more, cursor = dig(connection, "pageInfo", "hasNextPage"), text(dig(connection, "pageInfo", "endCursor"))
    if more is False:
        return ""
    return cursor if more is True and cursor else Unknown("it is not told whether more follows")


class Lists:
    """The lists of one object, each whole or Unknown. `more` gathers the end cursors of those that go on."""

    def __init__(self, one: Mapping[str, Any], name: str, errors: Mapping[str, str]) -> None:
        self.more: dict[str, str] = {}
        self._one, self._name, self._errors = one, name, errors

    def hidden(self, place: str, spared: str = "") -> str:
        """Return why something of a place is hidden, empty if nothing is. Paths that hold what is spared do not count."""
        for path, why in self._errors.items():
            inside = not path or path == place or path.startswith(f"{place}.")
            if inside and not (spared and spared in path):
                return why
        return ""

    def read(
        self, part: str, known: str, told: Callable[[Any], Any] = text, spared: str = ""
    ) -> list[dict[str, Any]] | Unknown:
        """Return the entries of a list, in each of which the field `known` tells something (`told`); Unknown if one has not."""
        found = self._one.get(part)
        nodes, after = dig(found, "nodes"), following(found)
        why = self.hidden(part, spared)
        if not isinstance(nodes, list) or not all(told(dig(node, known)) for node in nodes):
            why = why or "not whole in the answer"
        elif isinstance(after, Unknown):
            why = why or after.reason
        elif not why:
            if after:
                self.more[part] = after
            return nodes
        return Unknown(f"{part} of {self._name}: {why}")


def _path(steps: Any) -> str:
    known = isinstance(steps, list) and all(isinstance(step, str | int) for step in steps)
    return ".".join(map(str, steps)) if known else ""
