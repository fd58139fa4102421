"""One pass over a log's entries and hash tiles: the tree they give, and every place where one contradicts the other."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from monitor.errors import IntegrityError
from monitor.evidence import merkle
from monitor.evidence.tiles import HASH, MAX_BUNDLE, WIDTH, Tile, tile_at, tiles_of, unpack
from monitor.evidence.verify import disk
from monitor.evidence.verify.records import Records
from monitor.evidence.verify.report import Problems


class Scan:
    """What the entries on disk are: their number (`size`), the roots at the sizes asked for, and what is wrong.

    `tiles` are the paths of the tiles and bundles that a log of this size has, and no others.
    """

    def __init__(self, folder: Path, records: Records) -> None:
        self.folder = folder
        self.records = records
        self.problems = Problems()
        self.roots: dict[int, bytes] = {0: merkle.EMPTY_ROOT}
        self.size = 0
        self.tiles: set[str] = set()
        self._rows: list[list[bytes]] = []
        self._numbers: list[int] = []

    def run(self, sizes: Collection[int], signed: int | None) -> None:
        """Read the log up to its signed size, or where that is unknown, all that is there."""
        tree = merkle.CompactRange()
        for data in self._entries(signed):
            leaf = merkle.leaf_hash(data)
            self.records.take(tree.size, data)
            tree.push(leaf)
            self._add(0, leaf)
            if tree.size in sizes:
                self.roots[tree.size] = tree.root()
        self.size = tree.size
        self.roots[tree.size] = tree.root()
        for level, row in enumerate(self._rows):
            if row:
                self._compare(Tile(level, self._numbers[level], len(row)), row)
        self.tiles = {tile.path for tile in tiles_of(self.size)}
        self.records.finish()

    def _entries(self, signed: int | None) -> Iterator[bytes]:
        number = 0
        while signed is None or number * WIDTH < signed:
            tile = tile_at(-1, number, signed) if signed is not None else self._widest(number)
            if tile is None:
                return
            try:
                entries = unpack(disk.read(self.folder, tile.path, MAX_BUNDLE))
            except IntegrityError as error:
                self.problems.add(f"{tile.path}: {error.what}; the entries from {number * WIDTH} on cannot be read")
                return
            if len(entries) != tile.width:
                self.problems.add(f"{tile.path}: {len(entries)} entries, where there should be {tile.width}")
            yield from entries
            if len(entries) != WIDTH:
                return
            number += 1

    def _widest(self, number: int) -> Tile | None:
        """Return the fullest bundle of this number that is there."""
        for width in range(WIDTH, 0, -1):
            tile = Tile(-1, number, width)
            if (self.folder / tile.path).is_file():
                return tile
        return None

    def _add(self, level: int, digest: bytes) -> None:
        if level == len(self._rows):
            self._rows.append([])
            self._numbers.append(0)
        row = self._rows[level]
        row.append(digest)
        if len(row) == WIDTH:
            self._compare(Tile(level, self._numbers[level]), row)
            self._rows[level] = []
            self._numbers[level] += 1
            self._add(level + 1, merkle.full_root(row))

    def _compare(self, tile: Tile, row: list[bytes]) -> None:
        try:
            data = disk.read(self.folder, tile.path, WIDTH * HASH)
        except IntegrityError as error:
            self.problems.add(error.what)
            return
        if data != b"".join(row):
            self.problems.add(f"{tile.path}: not the hashes that the entries give")
