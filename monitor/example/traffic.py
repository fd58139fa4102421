"""Background traffic of any size, the same bytes for the same seed whatever the number of processes.

Each object is made by itself: its own choices are seeded by (seed, index), and the sessions it uses are found by arithmetic,
so that a write's token exchange stands in the object in which the session began.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from monitor.example.cast import CHAINS, ORGANISATION
from monitor.example.chance import ALNUM
from monitor.example.events import Weaver
from monitor.example.layout import gzipped, log_key, write
from monitor.example.plan import Slot, plan
from monitor.example.records import body


@dataclass(frozen=True)
class Made:
    """One log object: its key, its uncompressed content, and how many events of each kind are in it."""

    key: str
    raw: bytes
    counts: Counter[str]


def make(seed: int, slot: Slot, organisation: str = ORGANISATION) -> Made:
    """Return one object of the plan."""
    chain = CHAINS[slot.chain]
    weaver = Weaver(seed, slot)
    records = weaver.events()
    delivered = slot.at(slot.before + slot.size) + timedelta(minutes=4)
    key = log_key(chain.account, chain.region, delivered, weaver.chance.text(16, ALNUM), organisation)
    return Made(key, body(records), weaver.counts)


def bulk(
    seed: int,
    events: int,
    objects: int,
    *,
    spread: float = 0.0,
    hours: float | None = None,
    organisation: str = ORGANISATION,
) -> Iterator[tuple[str, bytes]]:
    """Yield (object key, uncompressed JSON) of background traffic.

    `spread` is the sigma of log-normal object sizes (0: all equal); an empty `organisation` gives a single account's layout.
    """
    for slot in plan(seed, events, objects, spread=spread, hours=hours):
        made = make(seed, slot, organisation)
        yield made.key, made.raw


def _written(seed: int, out: Path, layout: bool, slot: Slot) -> tuple[Counter[str], int, int]:
    made = make(seed, slot)
    packed = gzipped(made.raw)
    name = made.key if layout else f"{slot.index:06d}_{made.key.rsplit('/', 1)[1]}"
    write(out, name, packed)
    return made.counts, len(made.raw), len(packed)


def write_bulk(
    out: Path,
    *,
    seed: int,
    events: int,
    objects: int,
    spread: float = 0.0,
    layout: bool = True,
    processes: int = 1,
) -> tuple[Counter[str], int, int]:
    """Write background traffic as .json.gz under `out`, in the bucket's layout or flat.

    Returns the number of events of each kind, the uncompressed and the compressed bytes.
    """
    slots = plan(seed, events, objects, spread=spread)
    one = partial(_written, seed, out, layout)
    counts: Counter[str] = Counter()
    raw = packed = 0
    if processes > 1:
        with ProcessPoolExecutor(processes) as pool:
            done = list(pool.map(one, slots, chunksize=max(1, len(slots) // (processes * 16))))
    else:
        done = [one(slot) for slot in slots]
    for kinds, raw_size, size in done:
        counts.update(kinds)
        raw += raw_size
        packed += size
    return counts, raw, packed
