"""Whether every text that some patterns let in is allowed by others; if not, a shortest text that is let in. Exact and bounded.

Patterns are sequences of elements, each of which takes one character, any one, or a run. The search walks all patterns at once,
character by character, over the few characters that make a difference, so that the answer is a proof and not a guess.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from functools import lru_cache

import msgspec

from monitor.model import Unknown

Element = tuple[str, str]
"""`=` and the characters of which one is taken, `1` for any one and `*` for any run, with the characters that they never take."""
Pattern = tuple[Element, ...]
MOST_STEPS = 20_000
"""Combinations that are looked at before the answer is that it cannot be told."""
LONGEST = 4096
"""Characters of all patterns together that are compared at all."""
_LETTERS = "xyzwvutsrqponmlkjihgfedcba0123456789_"
ANY: Pattern = (("*", ""),)


@lru_cache(maxsize=16384)
def glob(pattern: str, stops: str = "", *, cased: bool = True) -> Pattern:
    """Return a pattern in which `*` is any run and `?` any one character, but for those of `stops`."""
    found: list[Element] = []
    for c in pattern:
        if c == "*":
            if not found or found[-1] != ("*", stops):
                found.append(("*", stops))
        else:
            found.append(("1", stops) if c == "?" else _one(c, cased=cased))
    return tuple(found)


@lru_cache(maxsize=16384)
def literal(text: str, *, cased: bool = True) -> Pattern:
    """Return the pattern of just this text."""
    return tuple(_one(c, cased=cased) for c in text)


def some(stops: str) -> Pattern:
    """Return the pattern of any text of at least one character, without those of `stops`."""
    return (("1", stops), ("*", stops))


def _one(c: str, *, cased: bool) -> Element:
    return "=", c if cased else "".join(dict.fromkeys((c.lower(), c.upper())))


class Demand(msgspec.Struct, frozen=True):
    """The text must be one of these patterns; with `negated`, none of them."""

    patterns: tuple[Pattern, ...]
    negated: bool = False


def witness(universe: Sequence[Pattern], demands: Sequence[Demand], allowed: Sequence[Pattern]) -> str | Unknown | None:
    """Return a shortest text of the universe that meets all demands and is not allowed; None if there is none.

    Unknown where the patterns are too large to be compared to the end. Deterministic.
    """
    key = (tuple(universe), tuple(demands), tuple(allowed))
    return _witness(*key)


@lru_cache(maxsize=4096)
def _witness(
    universe: tuple[Pattern, ...], demands: tuple[Demand, ...], allowed: tuple[Pattern, ...]
) -> str | Unknown | None:
    everything = [*universe, *(p for one in demands for p in one.patterns), *allowed]
    if sum(map(len, everything)) > LONGEST:
        return _UNTOLD
    machines = [_Machine(universe), *(_Machine(one.patterns) for one in demands), _Machine(allowed)]
    must = [True, *(not one.negated for one in demands), False]
    other = _other(everything)
    start = tuple(machine.start for machine in machines)
    seen = {start}
    waiting: deque[tuple[tuple[int, ...], str]] = deque([(start, "")])
    while waiting:
        states, text = waiting.popleft()
        if all(machine.accepts(state) is wanted for machine, state, wanted in zip(machines, states, must, strict=True)):
            return text
        for c in _next(machines, states, other):
            after = tuple(machine.step(state, c) for machine, state in zip(machines, states, strict=True))
            # Where one that must fit is dead, no longer text will do.
            if after in seen or any(wanted and not state for state, wanted in zip(after, must, strict=True)):
                continue
            if len(seen) >= MOST_STEPS:
                return _UNTOLD
            seen.add(after)
            waiting.append((after, text + c))
    return None


_UNTOLD = Unknown("its patterns are too large to be compared with what is allowed", "write them narrower, or fewer")


def _other(patterns: Iterable[Pattern]) -> str:
    """Return a character that no pattern names: it stands for all of those."""
    named = {c for pattern in patterns for kind, chars in pattern for c in chars}
    return next((c for c in _LETTERS if c not in named), "\ue000")


def _next(machines: Sequence[_Machine], states: Sequence[int], other: str) -> list[str]:
    """Return the characters that can make a difference here: the other one first, so that examples are easy to read."""
    named: dict[str, None] = {other: None}
    for machine, state in zip(machines, states, strict=True):
        named |= dict.fromkeys(machine.named(state))
    return list(named)


class _Machine:
    """Several patterns read at once. A state is a set of places, as bits; place `n` of a pattern is before its element n."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self._elements: list[Element | None] = []
        starts = []
        for pattern in patterns:
            starts.append(len(self._elements))
            self._elements += [*pattern, None]
        self._steps: dict[tuple[int, str], int] = {}
        self._names: dict[int, str] = {}
        self.start = self._closed(starts)
        self._ends = sum(1 << n for n, element in enumerate(self._elements) if element is None)

    def _closed(self, places: Iterable[int]) -> int:
        bits = 0
        for place in places:
            bits |= 1 << place
            # A run may be empty.
            while (element := self._elements[place]) is not None and element[0] == "*":
                place += 1
                bits |= 1 << place
        return bits

    def accepts(self, state: int) -> bool:
        return bool(state & self._ends)

    def step(self, state: int, c: str) -> int:
        found = self._steps.get((state, c))
        if found is None:
            found = self._steps[state, c] = self._closed(self._after(state, c))
        return found

    def _after(self, state: int, c: str) -> Iterable[int]:
        for place in self._places(state):
            element = self._elements[place]
            if element is None:
                continue
            kind, chars = element
            if (kind == "=" and c in chars) or (kind == "1" and c not in chars):
                yield place + 1
            elif kind == "*" and c not in chars:
                yield place

    def named(self, state: int) -> str:
        """Return the characters that are named at the places of a state."""
        found = self._names.get(state)
        if found is None:
            elements = (self._elements[place] for place in self._places(state))
            chars = dict.fromkeys(c for element in elements if element is not None for c in element[1])
            found = self._names[state] = "".join(chars)
        return found

    def _places(self, state: int) -> Iterable[int]:
        while state:
            low = state & -state
            yield low.bit_length() - 1
            state ^= low
