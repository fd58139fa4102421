"""How bulk traffic is spread over objects, chains, time and sessions: arithmetic alone, so any object can be made by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from monitor.example.cast import CHAINS
from monitor.example.chance import Chance

START = datetime(2026, 3, 2, tzinfo=UTC)


@dataclass(frozen=True)
class Sessions:
    """The sessions of one kind in a chain of `total` events: `count` of them, evenly spread, the first at `shift`."""

    total: int
    count: int
    shift: int = 0

    def begins(self, session: int) -> int:
        """Return the offset in the chain of the event that gave the session its credentials."""
        return (session * self.total // self.count + self.shift) % self.total

    def latest(self, offset: int) -> int:
        """Return the session that began last at or before the offset; -1 if none has begun."""
        return ((offset - self.shift + 1) * self.count - 1) // self.total if offset >= self.shift else -1


@dataclass(frozen=True)
class Slot:
    """One object: its chain, and which of the chain's events it holds. `span` is the seconds that the whole chain takes."""

    index: int
    chain: int
    before: int
    size: int
    total: int
    span: float

    def at(self, offset: int) -> datetime:
        """Return when the chain's event at this offset happened, to the second, UTC."""
        return START + timedelta(seconds=int(self.span * offset / self.total))

    def sessions(self, share: float, shift: float = 0.0) -> Sessions:
        """Return the sessions of a kind of which one begins every 1/share events, the first `shift` of that later."""
        count = max(1, round(self.total * share))
        return Sessions(self.total, count, min(self.total - 1, int(shift * self.total / count)))


def sizes(seed: int, events: int, objects: int, spread: float = 0.0) -> list[int]:
    """Return the sizes of the objects: equal for spread 0, else log-normal with that sigma. They add up to `events`."""
    if not 0 < objects <= events:
        raise ValueError(f"{events} events cannot fill {objects} objects: ask for at least one event an object")
    chance = Chance(seed, "sizes")
    weights = [math.exp(spread * chance.normal()) for _ in range(objects)] if spread else [1.0] * objects
    spare = events - objects
    total, reached, done, out = sum(weights), 0.0, 0, []
    for weight in weights:
        reached += weight
        upto = min(spare, round(spare * reached / total))
        out.append(1 + upto - done)
        done = upto
    out[-1] += spare - done
    return out


def plan(seed: int, events: int, objects: int, *, spread: float = 0.0, hours: float | None = None) -> list[Slot]:
    """Return what each object holds, in order. `hours` is the span of all; absent, it grows with the events up to a day."""
    span = 3600.0 * (hours if hours is not None else min(24.0, max(1.0, events / 5000)))
    given = [0] * len(CHAINS)
    placed: list[tuple[int, int, int]] = []
    reached = 0
    for size in sizes(seed, events, objects, spread):
        reached += size
        chain = max(range(len(CHAINS)), key=lambda c: (CHAINS[c].share * reached - given[c], CHAINS[c].share, -c))
        placed.append((chain, given[chain], size))
        given[chain] += size
    return [Slot(index, chain, before, size, given[chain], span) for index, (chain, before, size) in enumerate(placed)]
