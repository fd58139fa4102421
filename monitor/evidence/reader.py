"""Reading a log from its folder, as its checkpoint has it. Takes no lock, writes nothing, verifies no signature."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from monitor.errors import EvidenceError, IntegrityError
from monitor.evidence import checkpoint, merkle, note
from monitor.evidence.checkpoint import Checkpoint
from monitor.evidence.tiles import WIDTH, Tile, split_hashes, tile_at, unpack

_TODO = "run `monitor evidence verify`, and restore the file from a copy of the evidence folder"


def read_checkpoint(folder: Path) -> tuple[str, Checkpoint] | None:
    """Return the text of the folder's checkpoint and what it says, or None where there is none.

    Raises IntegrityError when it cannot be understood, EvidenceError when it cannot be read.
    """
    path = folder / "checkpoint"
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise EvidenceError(f"{path} cannot be read: {error.strerror}", todo="grant read access to it") from error
    try:
        parsed = note.parse(data)
        return data.decode(), checkpoint.parse(parsed.text)
    except IntegrityError as error:
        raise IntegrityError(f"{path}: {error.what}", todo=_TODO) from None


class LogReader:
    """The entries and hashes of a log of `size` entries below a folder."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        self.size = size
        # A tile never changes within one size; a few stay at hand, since neighbours are read one after another.
        self._tile = lru_cache(maxsize=16)(self._read_hashes)
        self._bundle = lru_cache(maxsize=4)(self._read_bundle)

    @classmethod
    def open(cls, folder: Path) -> LogReader:
        """Return a reader of what the folder's checkpoint covers. Raises IntegrityError, EvidenceError."""
        found = read_checkpoint(folder)
        return cls(folder, found[1].size if found else 0)

    def read(self, index: int) -> bytes:
        """Return one entry's bytes. Raises IndexError beyond the log, IntegrityError when the bundle is damaged."""
        if not 0 <= index < self.size:
            raise IndexError(f"the log has no entry {index}")
        return self._bundle(index // WIDTH)[index % WIDTH]

    def read_range(self, first: int, end: int) -> Iterator[bytes]:
        """Yield the entries [first, end). Raises as `read` does."""
        for index in range(first, end):
            yield self.read(index)

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of the full subtree at (level, index). Raises IntegrityError when its tile is damaged."""
        row, depth = divmod(level, 8)
        number, at = divmod(index << depth, WIDTH)
        return merkle.full_root(self._tile(row, number)[at : at + (1 << depth)])

    def edge(self) -> merkle.CompactRange:
        """Return what appending needs of the tree, from the hash tiles. Raises IntegrityError when one is damaged."""
        return merkle.CompactRange.of(self.size, self.node)

    def _read_hashes(self, level: int, number: int) -> list[bytes]:
        tile = tile_at(level, number, self.size)
        hashes = list(split_hashes(self._bytes(tile)))[: tile.width]
        if len(hashes) < tile.width:
            raise IntegrityError(f"{self.folder / tile.path} holds fewer hashes than the log", todo=_TODO)
        return hashes

    def _read_bundle(self, number: int) -> list[bytes]:
        tile = tile_at(-1, number, self.size)
        entries = unpack(self._bytes(tile))[: tile.width]
        if len(entries) < tile.width:
            raise IntegrityError(f"{self.folder / tile.path} holds fewer entries than the log", todo=_TODO)
        return entries

    def _bytes(self, tile: Tile) -> bytes:
        """Return the tile's bytes; where an append has superseded it, those of the fuller one, which begin alike."""
        path = self.folder / tile.path
        try:
            return path.read_bytes()
        except FileNotFoundError:
            for fuller in self._fuller(tile):
                try:
                    return (self.folder / fuller.path).read_bytes()
                except FileNotFoundError:
                    continue
            raise IntegrityError(f"{path} is missing", todo=_TODO) from None
        except OSError as error:
            raise EvidenceError(f"{path} cannot be read: {error.strerror}", todo="grant read access to it") from error

    def _fuller(self, tile: Tile) -> Iterator[Tile]:
        for width in range(tile.width + 1, WIDTH + 1):
            yield Tile(tile.level, tile.number, width)
