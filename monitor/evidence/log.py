"""The evidence log in its folder: one writer, appends that are whole or not at all, signed checkpoints.

Layout: `checkpoint`, `checkpoints/<20-digit size>` (every checkpoint ever signed), `tile/…` (C2SP tlog-tiles),
`objects/sha256/aa/…`, `log.vkey`, `.lock` (the writer's), and `.pending` while an append is under way.
"""

from __future__ import annotations

import fcntl
import os
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import monitor
from monitor.errors import EvidenceError, IntegrityError
from monitor.evidence import checkpoint, durable, journal, merkle
from monitor.evidence.checkpoint import Checkpoint
from monitor.evidence.journal import Pending
from monitor.evidence.note import Signer
from monitor.evidence.objects import ObjectStore, object_path
from monitor.evidence.reader import LogReader, read_checkpoint
from monitor.evidence.statement import key_record
from monitor.evidence.tiles import WIDTH, Tile, edge_of, pack, tiles_of

_VERIFY = "run `monitor evidence verify`, and restore the evidence folder from a copy"
_open_logs: weakref.WeakSet[EvidenceLog] = weakref.WeakSet()


class LogBusy(EvidenceError):
    """Another process writes to the log; it can be tried again."""


def archive_path(size: int) -> str:
    """Return where the checkpoint of a log of this size is archived, below the log's folder."""
    return f"checkpoints/{size:020}"


class EvidenceLog:
    """A log that is open for writing; holds the folder's writer lock until it is closed.

    `size` is the number of entries, `root` the tree's root (32 bytes), `checkpoint_text` the signed note about both.
    """

    def __init__(self, folder: Path, origin: str, signer: Signer, lock: int) -> None:
        self.folder = folder
        self.origin = origin
        self.signer = signer
        self.objects = ObjectStore(folder)
        self.size = 0
        self.root = merkle.EMPTY_ROOT
        self.checkpoint_text = ""
        self._lock = lock
        _open_logs.add(self)

    @classmethod
    def open(cls, folder: Path, origin: str, signer: Signer, *, tool_version: str = monitor.__version__) -> EvidenceLog:
        """Return the log, clearing up after an append that was cut off; a new log gets its key record as first entry.

        Raises LogBusy when another process writes, EvidenceError when the folder or key is of another log; IntegrityError when
        the log is not as it was left.
        """
        if signer.verifier.name != origin:
            raise EvidenceError(
                f"the key is named {signer.verifier.name!r}, the log {origin!r}",
                todo="give the key the log's origin as its name",
            )
        try:
            durable.make_folder(folder)
            log = cls(folder, origin, signer, _take_lock(folder))
        except OSError as error:
            raise _unwritable(folder, error) from error
        try:
            log._load()
            if log.size == 0:
                durable.write(folder / "log.vkey", f"{signer.verifier.vkey}\n".encode())
                log.append([key_record(signer.verifier.vkey, origin, tool_version)])
        except OSError as error:
            log.close()
            raise _unwritable(folder, error) from error
        except BaseException:
            log.close()
            raise
        return log

    def close(self) -> None:
        """Release the writer lock."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def append(self, entries: Sequence[bytes], objects: Sequence[bytes] = ()) -> int:
        """Append entries, with the objects they cite, under one new checkpoint; return the index of the first.

        All is durable on return. When it raises, or the process dies, nothing was appended: the next append or open
        clears up. Raises EvidenceError when it cannot be written, IntegrityError when what is stored was altered.
        """
        if not entries:
            raise ValueError("nothing to append")
        try:
            return self._append(entries, objects)
        except OSError as error:
            raise _unwritable(self.folder, error) from error

    def read(self, index: int) -> bytes:
        """Return one entry's bytes. Raises IndexError beyond the log, IntegrityError when it is damaged."""
        return self.reader().read(index)

    def read_range(self, first: int, end: int) -> Iterator[bytes]:
        """Yield the entries [first, end). Raises as `read` does."""
        return self.reader().read_range(first, end)

    def reader(self) -> LogReader:
        """Return a reader of the log as it is now."""
        return LogReader(self.folder, self.size)

    def _load(self) -> None:
        """Read the checkpoint, clear up after a crash, and check that this key signed it and that it is the newest."""
        if found := read_checkpoint(self.folder):
            key = self.signer.verifier
            self.checkpoint_text = found[0]
            try:
                signed = checkpoint.verify(found[0].encode(), [key])
            except IntegrityError as error:
                raise IntegrityError(
                    f"the log in {self.folder} cannot go on with this key: {error.what}",
                    todo="use the key and the origin that the log was begun with (log.vkey names both)",
                ) from None
            self.size, self.root = signed.size, signed.root
            if _read(self.folder / "log.vkey") != f"{key.vkey}\n".encode():
                raise IntegrityError(f"{self.folder / 'log.vkey'} is not the key that signs this log", todo=_VERIFY)
        journal.finish(self.folder, self.size)
        for name in ("checkpoint", "log.vkey"):
            (self.folder / (name + durable.TEMPORARY)).unlink(missing_ok=True)
        if self.size == 0 and any(path.is_file() for path in (self.folder / "tile").rglob("*")):
            raise IntegrityError(f"{self.folder} holds a log's tiles, but no checkpoint", todo=_VERIFY)
        archive = self.folder / "checkpoints"
        newest = max((path.name for path in archive.iterdir()), default="") if archive.is_dir() else ""
        if newest != (f"{self.size:020}" if self.size else ""):
            raise IntegrityError(
                f"the checkpoint in {self.folder} is of {self.size} entries, the newest archived one is"
                f" {newest or 'none'}: the log was rolled back",
                todo=_VERIFY,
            )

    def _append(self, entries: Sequence[bytes], objects: Sequence[bytes]) -> int:
        if self._lock < 0:
            raise EvidenceError("the evidence log is closed", todo="open it before appending")
        journal.finish(self.folder, self.size)
        if self.size and _read(self.folder / "checkpoint") != self.checkpoint_text.encode():
            raise IntegrityError(f"{self.folder / 'checkpoint'} changed under the writer", todo=_VERIFY)
        tree, first = self._edge(), self.size
        leaves, size = [merkle.leaf_hash(entry) for entry in entries], self.size + len(entries)
        files = self._tiles_with(entries, leaves)
        tree.extend(leaves)
        new = self.objects.missing(objects)
        kept = {tile.path for tile in edge_of(size)}
        pending = Pending(
            size=first,
            new_size=size,
            added=(*map(object_path, new), *files, archive_path(size)),
            superseded=tuple(tile.path for tile in edge_of(first) if tile.path not in kept),
        )
        journal.begin(self.folder, pending)
        self.objects.write_all(new)
        durable.write_all(self.folder, files.items())
        self._commit(Checkpoint(self.origin, size, tree.root()))
        journal.finish(self.folder, size)
        return first

    def _edge(self) -> merkle.CompactRange:
        """Return the tree's right edge from the tiles on disk. Raises IntegrityError unless they give the signed root."""
        reader = self.reader()
        tree = reader.edge()
        if tree.root() != self.root:
            raise IntegrityError(f"the hash tiles in {self.folder} do not give the signed root", todo=_VERIFY)
        edge = self.size // WIDTH * WIDTH
        for index, entry in enumerate(reader.read_range(edge, self.size), edge):
            if merkle.leaf_hash(entry) != reader.node(0, index):
                raise IntegrityError(f"entry {index} of the log in {self.folder} is not what was sealed", todo=_VERIFY)
        return tree

    def _tiles_with(self, entries: Sequence[bytes], leaves: Sequence[bytes]) -> dict[str, bytes]:
        """Return the tiles and bundles, by path, that the log gets with these entries, whose hashes are `leaves`."""
        reader = self.reader()
        size = self.size + len(entries)
        start = self.size // WIDTH * WIDTH
        edge = [*reader.read_range(start, self.size), *entries]
        rows: dict[int, tuple[int, list[bytes]]] = {}
        hashes = [*(reader.node(0, index) for index in range(start, self.size)), *leaves]
        files: dict[str, bytes] = {}
        for tile in tiles_of(size, self.size):
            if tile.level < 0:
                at = tile.number * WIDTH - start
                files[tile.path] = pack(edge[at : at + tile.width])
                continue
            if tile.level not in rows:
                rows[tile.level] = self._row(tile, reader, rows.get(tile.level - 1), start, hashes)
            base, row = rows[tile.level]
            at = tile.number * WIDTH - base
            files[tile.path] = b"".join(row[at : at + tile.width])
        return files

    def _row(
        self,
        tile: Tile,
        reader: LogReader,
        below: tuple[int, list[bytes]] | None,
        start: int,
        leaves: list[bytes],
    ) -> tuple[int, list[bytes]]:
        """Return the hashes of one level from its last unfull tile on, and the index of the first of them."""
        if below is None:
            return start, leaves
        old = self.size >> 8 * tile.level
        base = old // WIDTH * WIDTH
        row = [reader.node(8 * tile.level, index) for index in range(base, old)]
        first, hashes = below
        for index in range(old * WIDTH - first, len(hashes) // WIDTH * WIDTH, WIDTH):
            row.append(merkle.full_root(hashes[index : index + WIDTH]))
        return base, row

    def _commit(self, new: Checkpoint) -> None:
        """Prove from what is on disk that the new tree continues the old one; then sign, archive, publish it."""
        nodes = LogReader(self.folder, new.size).node
        proof = merkle.consistency_proof(self.size, new.size, nodes)
        whole = merkle.range_root(0, new.size, nodes)
        if whole != new.root or not merkle.verify_consistency(self.size, new.size, proof, self.root, new.root):
            raise IntegrityError(f"the tiles just written to {self.folder} do not continue the log", todo=_VERIFY)
        text = checkpoint.sign(new, self.signer)
        durable.write_all(self.folder, [(archive_path(new.size), text.encode())])
        durable.write(self.folder / "checkpoint", text.encode())
        self.size, self.root, self.checkpoint_text = new.size, new.root, text


def _take_lock(folder: Path) -> int:
    """Return the descriptor that holds the folder's writer lock. Raises EvidenceError when another process has it."""
    fd = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise LogBusy(
            f"another sweep is running: it holds {folder / '.lock'}",
            todo="wait until it has ended; the lock goes with the process that holds it",
        ) from None
    return fd


def _forget_locks() -> None:
    # A flock lives as long as any copy of its descriptor: a worker that outlives a killed sweep must not keep it.
    for log in list(_open_logs):
        log.close()


os.register_at_fork(after_in_child=_forget_locks)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _unwritable(folder: Path, error: OSError) -> EvidenceError:
    return EvidenceError(
        f"the evidence log in {folder} cannot be written: {error}",
        todo="make room and grant write access to the evidence folder",
    )
