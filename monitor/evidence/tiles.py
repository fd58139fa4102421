"""Where a log's hashes and entries lie in files, and how entries are packed. Pure.

https://c2sp.org/tlog-tiles

A hash tile holds up to 256 hashes; tile N of level L holds the roots of the full subtrees over 256^L leaves. An entry
bundle holds the entries below one tile of level 0, each after its length in two bytes, big-endian.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from monitor.errors import EvidenceError, IntegrityError

WIDTH = 256
HASH = 32
MAX_ENTRY = 65_535
MAX_BUNDLE = WIDTH * (MAX_ENTRY + 2)


class Tile(msgspec.Struct, frozen=True):
    """One tile: its level (-1 for an entry bundle), its number, and how many hashes or entries it holds (1 to 256)."""

    level: int
    number: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Return the path relative to the log's folder."""
        level = "entries" if self.level < 0 else str(self.level)
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{level}/{number_path(self.number)}{partial}"


def number_path(number: int) -> str:
    """Return the tile number as path elements of three digits, all but the last after an x: x001/x234/067."""
    parts = [f"{number % 1000:03}"]
    while number := number // 1000:
        parts.append(f"x{number % 1000:03}")
    return "/".join(reversed(parts))


def tile_at(level: int, number: int, size: int) -> Tile:
    """Return tile `number` of a level as a log of `size` entries has it. The width is 0 where it has none."""
    hashes = size >> 8 * max(level, 0)
    return Tile(level, number, max(0, min(WIDTH, hashes - number * WIDTH)))


def tiles_of(size: int, since: int = 0) -> Iterator[Tile]:
    """Yield the tiles and bundles of a log of `size` entries that one of `since` entries does not have already."""
    level = -1
    while size >> 8 * max(level, 0):
        before, now = since >> 8 * max(level, 0), size >> 8 * max(level, 0)
        if before != now:
            for number in range(before // WIDTH, (now + WIDTH - 1) // WIDTH):
                yield tile_at(level, number, size)
        level += 1


def edge_of(size: int) -> Iterator[Tile]:
    """Yield the partial tiles and bundles of a log of `size` entries."""
    level = -1
    while hashes := size >> 8 * max(level, 0):
        if hashes % WIDTH:
            yield tile_at(level, hashes // WIDTH, size)
        level += 1


def pack(entries: Iterable[bytes]) -> bytes:
    """Return the entry bundle. Raises EvidenceError for an entry above 65,535 bytes."""
    out = bytearray()
    for entry in entries:
        if len(entry) > MAX_ENTRY:
            raise EvidenceError(
                f"a log entry of {len(entry)} bytes is above the limit of {MAX_ENTRY}",
                todo="store the payload as an object and cite its digest",
            )
        out += len(entry).to_bytes(2)
        out += entry
    return bytes(out)


def unpack(bundle: bytes) -> list[bytes]:
    """Return the entries of a bundle. Raises IntegrityError when it is cut short."""
    entries, at, end = [], 0, len(bundle)
    while at < end:
        stop = at + 2 + int.from_bytes(bundle[at : at + 2])
        if stop > end or at + 2 > end:
            raise IntegrityError("the entry bundle is cut short")
        entries.append(bundle[at + 2 : stop])
        at = stop
    return entries


def split_hashes(tile: bytes) -> Sequence[bytes]:
    """Return the hashes of a tile. Raises IntegrityError when it does not hold whole hashes."""
    if not tile or len(tile) % HASH or len(tile) > WIDTH * HASH:
        raise IntegrityError("the hash tile does not hold 1 to 256 whole hashes")
    return [tile[at : at + HASH] for at in range(0, len(tile), HASH)]
