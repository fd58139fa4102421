"""What verification says: a level a line, with its problems. Pure."""

from __future__ import annotations

import msgspec

from monitor.model import Outcome

_SHOWN = 20


class Level(msgspec.Struct, frozen=True):
    """One level's verdict. Only `pass` means that it holds; `problems` are the first 20, and how many more."""

    name: str
    outcome: Outcome
    summary: str
    problems: tuple[str, ...] = ()


class Problems:
    """Problems as they are found: the first 20 are kept, the others counted."""

    def __init__(self) -> None:
        self.count = 0
        self._shown: list[str] = []

    def add(self, text: str) -> None:
        """Add a problem; what a terminal could take for a command is escaped."""
        self.count += 1
        if len(self._shown) < _SHOWN:
            self._shown.append(printable(text))

    def extend(self, others: Problems) -> None:
        """Add the problems found elsewhere."""
        room = _SHOWN - len(self._shown)
        self._shown += others._shown[:room]
        self.count += others.count

    def lines(self) -> tuple[str, ...]:
        """Return the lines to show."""
        more = self.count - len(self._shown)
        return (*self._shown, f"and {more} more") if more else tuple(self._shown)

    def level(self, name: str, summary: str, otherwise: Outcome = Outcome.PASS) -> Level:
        """Return the level: fail where there are problems, else what it is otherwise."""
        return Level(name, Outcome.FAIL if self.count else otherwise, printable(summary), self.lines())


def printable(text: str) -> str:
    """Return the text on one line, with control, format and other unprintable characters escaped, and cut at 500."""
    clean = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:500])
    return clean if len(text) <= 500 else f"{clean}…"
