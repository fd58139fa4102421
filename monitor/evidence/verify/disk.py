"""Reading files that may be hostile: only regular files are opened, no link is followed, nothing is unbounded."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from monitor.errors import IntegrityError
from monitor.evidence.objects import object_path

_BLOCK = 1 << 20
_WHOLE = 1 << 29


def read(root: Path, relative: str, limit: int) -> bytes:
    """Return a file's bytes. Raises IntegrityError when it is missing, irregular, unreadable or above the limit."""
    with _open(root, relative) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise IntegrityError(f"{relative} is larger than such a file can be")
    return data


def read_object(root: Path, sha256: str) -> bytes:
    """Return an object's bytes. Raises IntegrityError unless they have the digest."""
    relative = object_path(sha256)
    data = read(root, relative, _WHOLE)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise IntegrityError(f"{relative} does not have the digest that names it")
    return data


def measure(root: Path, relative: str) -> tuple[str, int]:
    """Return a file's SHA-256 in hex and its size in bytes. Raises IntegrityError when it cannot be read."""
    sha256, size = hashlib.sha256(), 0
    with _open(root, relative) as file:
        while block := file.read(_BLOCK):
            sha256.update(block)
            size += len(block)
    return sha256.hexdigest(), size


def files(root: Path) -> Iterator[str]:
    """Yield the path below `root` of everything in it that is no folder; a folder that cannot be listed, too."""
    todo = [""]
    while todo:
        folder = todo.pop()
        try:
            entries = sorted(os.scandir(root / folder), key=lambda entry: entry.name)
        except OSError:
            yield folder or "."
            continue
        for entry in entries:
            relative = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                todo.append(relative)
            else:
                yield relative


def is_inside(relative: str) -> bool:
    """Return whether a path that evidence cites stays below the folder that it is relative to."""
    path = PurePosixPath(relative)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\0" not in relative


@contextmanager
def _open(root: Path, relative: str) -> Iterator[BinaryIO]:
    try:
        # A pipe would block for ever, a link could lead anywhere.
        fd = os.open(root / relative, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise IntegrityError(f"{relative} is missing") from None
    except OSError as error:
        raise IntegrityError(f"{relative} cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise IntegrityError(f"{relative} is no regular file")
    with os.fdopen(fd, "rb") as file:
        try:
            yield file
        except OSError as error:
            raise IntegrityError(f"{relative} cannot be read: {error.strerror}") from None
