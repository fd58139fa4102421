"""What an append is about to do, written down before it does it, so that whoever comes next can clear up after a crash.

The journal is `.pending` in the log's folder. While the checkpoint still has the size that the append started from, the
append did not happen: what it added goes. Once the checkpoint has the new size, it did: what it superseded goes.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from monitor.errors import IntegrityError
from monitor.evidence import durable
from monitor.evidence.statement import from_json, to_json

NAME = ".pending"
_OURS = re.compile(
    r"objects/sha256/[0-9a-f]{2}/[0-9a-f]{64}"
    r"|checkpoints/[0-9]{20}"
    r"|tile/(entries|[0-9]{1,2})/(x[0-9]{3}/)*[0-9]{3}(\.p/[0-9]{1,3})?"
)


class Pending(msgspec.Struct, frozen=True):
    """An append from one size to another: the paths it adds, and those that the new tree has no use for."""

    size: int
    new_size: int
    added: tuple[str, ...]
    superseded: tuple[str, ...]


def begin(folder: Path, pending: Pending) -> None:
    """Write down what is about to happen. Raises OSError."""
    durable.write(folder / NAME, to_json(pending))


def read(folder: Path) -> Pending | None:
    """Return the append that was begun and not ended. Raises OSError, IntegrityError when the journal is garbled."""
    try:
        data = (folder / NAME).read_bytes()
    except FileNotFoundError:
        return None
    try:
        found = from_json(data, Pending)
    except IntegrityError:
        found = None
    if found is None or not all(_OURS.fullmatch(path) for path in (*found.added, *found.superseded)):
        raise IntegrityError(
            f"{folder / NAME} is not a journal of this log",
            todo="run `monitor evidence verify`; remove the file if the log is whole without it",
        )
    return found


def finish(folder: Path, size: int) -> None:
    """Clear up after the append that the journal describes, for a log whose checkpoint has this size.

    Does nothing where there is no journal. Raises IntegrityError when the journal is of another append, OSError.
    """
    pending = read(folder)
    (folder / (NAME + durable.TEMPORARY)).unlink(missing_ok=True)
    if pending is None:
        return
    if size not in (pending.size, pending.new_size):
        raise IntegrityError(
            f"{folder / NAME} is of an append from {pending.size} to {pending.new_size} entries, the log has {size}",
            todo="run `monitor evidence verify`: the checkpoint may have been put back to an older one",
        )
    for path in pending.added if size == pending.size else pending.superseded:
        durable.remove(folder, path)
    (folder / NAME).unlink()
    durable.sync_folder(folder)
