"""The content store: bytes kept by their SHA-256, written once, checked at each reading."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from monitor.errors import EvidenceError, IntegrityError
from monitor.evidence import durable
from monitor.evidence.statement import digest

_HEX = re.compile(r"[0-9a-f]{64}")


def object_path(sha256: str) -> str:
    """Return an object's path below the folder that holds the store. Raises IntegrityError for what is no digest."""
    if not _HEX.fullmatch(sha256):
        raise IntegrityError("an object is named by 64 lowercase hex digits")
    return f"objects/sha256/{sha256[:2]}/{sha256}"


class ObjectStore:
    """The objects below one folder. Only one process may write at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, sha256: str) -> Path:
        """Return where the object lies. Raises IntegrityError for what is no digest."""
        return self.folder / object_path(sha256)

    def has(self, sha256: str) -> bool:
        """Return whether the object is there; its bytes are not checked."""
        return self.path(sha256).is_file()

    def write(self, data: bytes) -> str:
        """Keep the bytes durably and return their SHA-256 in hex. Raises EvidenceError, IntegrityError."""
        self.write_all(new := self.missing([data]))
        return next(iter(new), digest(data))

    def write_all(self, objects: dict[str, bytes]) -> None:
        """Keep objects, given by their digest, durably. Raises EvidenceError."""
        try:
            durable.write_all(self.folder, ((object_path(sha256), data) for sha256, data in objects.items()))
        except OSError as error:
            raise EvidenceError(
                f"the evidence objects in {self.folder} cannot be written: {error}",
                todo="make room and grant write access to the evidence folder",
            ) from error

    def missing(self, objects: Iterable[bytes]) -> dict[str, bytes]:
        """Return those of the objects that are not stored yet, by digest.

        Raises IntegrityError when one is stored with other bytes: an object is never written over.
        """
        new: dict[str, bytes] = {}
        for data in objects:
            sha256 = digest(data)
            if sha256 in new:
                continue
            if not self.has(sha256):
                new[sha256] = data
            else:
                self.read(sha256)
        return new

    def read(self, sha256: str) -> bytes:
        """Return the object's bytes. Raises IntegrityError when it is missing or altered."""
        path = self.path(sha256)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise IntegrityError(f"the evidence object {path} cannot be read: {error.strerror}", todo=_TODO) from error
        if digest(data) != sha256:
            raise IntegrityError(f"the evidence object {path} is not what was sealed", todo=_TODO)
        return data


_TODO = "run `monitor evidence verify`, and restore the file from a copy of the evidence folder"
