"""Writing files so that they survive a crash: each appears whole or not at all, and is on the disk when we say so.

One process writes at a time (the log's writer lock), so the name of a temporary file needs no luck: it is the file's
own with `.tmp` after it, and whoever takes the lock next knows what to clear.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

TEMPORARY = ".tmp"


def write(path: Path, data: bytes) -> None:
    """Write or replace one file, atomically and durably. Raises OSError."""
    _put(path, data)
    sync_folder(path.parent)


def write_all(root: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Write many files by their path below `root`; all are durable on return. Raises OSError."""
    folders: set[Path] = set()
    for relative, data in files:
        path = root / relative
        if path.parent not in folders:
            make_folder(path.parent)
            folders.add(path.parent)
        _put(path, data)
    for folder in folders:
        sync_folder(folder)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, durably. Raises OSError."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for one in reversed(missing):
        one.mkdir(exist_ok=True)
        sync_folder(one.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def remove(root: Path, relative: str) -> None:
    """Remove a file below `root`, its temporary twin, and its folder if that was for partial tiles and is empty now."""
    path = root / relative
    path.unlink(missing_ok=True)
    path.with_name(path.name + TEMPORARY).unlink(missing_ok=True)
    if path.parent.name.endswith(".p") and path.parent.is_dir() and not any(path.parent.iterdir()):
        path.parent.rmdir()


def _put(path: Path, data: bytes) -> None:
    temporary = path.with_name(path.name + TEMPORARY)
    with temporary.open("wb", buffering=0) as file:
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
        os.fsync(file.fileno())
    temporary.replace(path)
