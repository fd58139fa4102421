"""Stores of objects by key: a folder on this machine, or a bucket. One port, so that both go through the same code."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import msgspec

from monitor.errors import ConfigError, Denied, Malformed, Unavailable


class ObjectInfo(msgspec.Struct, frozen=True, gc=False):
    """One object as a listing names it; the size is in bytes."""

    key: str
    size: int


class Objects(Protocol):
    """A store of objects. Every method raises a SourceError that names the key or prefix."""

    def walk(self, prefix: str) -> Iterator[ObjectInfo]:
        """Yield every object under a prefix that ends with `/`, sorted by key."""

    def folders(self, prefix: str) -> list[str]:
        """Return the names (without slash) of the folders directly under a prefix that ends with `/`."""

    def read(self, key: str) -> bytes:
        """Return an object's exact bytes."""

    def read_with_metadata(self, key: str) -> tuple[bytes, dict[str, str]]:
        """Return an object's exact bytes and the metadata kept beside it, names in lower case; empty where none is."""

    def write(self, key: str, body: bytes) -> None:
        """Store an object, whole or not at all."""

    def delete(self, key: str) -> None:
        """Remove an object if it is there."""


S3, GS = "s3", "gs"
"""The stores that buckets may be in: Amazon S3 and Google Cloud Storage."""
_BUCKETS = {
    S3: re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII),
    # https://cloud.google.com/storage/docs/buckets#naming
    GS: re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", re.ASCII),
}


class GoogleAccess(msgspec.Struct, frozen=True):
    """How Google Cloud is reached: its address, a file of credentials, and whom to become. Empty: as the environment has it."""

    api: str = ""
    credentials: str = ""
    impersonate: str = ""


class Location(msgspec.Struct, frozen=True):
    """Where objects are: `folder` on this machine, or `bucket` and `prefix` (empty or ending with `/`) in a `store`.

    `region` and `role` are for S3, `google` is for Google Cloud Storage.
    """

    folder: str = ""
    bucket: str = ""
    prefix: str = ""
    region: str = ""
    role: str = ""
    store: str = S3
    google: GoogleAccess = GoogleAccess()

    @classmethod
    def parse(cls, text: str, *, region: str = "", role: str = "", google: GoogleAccess | None = None) -> Location:
        """Return the location that a setting names: `s3://bucket/prefix`, `gs://…`, or a path. Raises ConfigError."""
        store, colon, rest = text.partition("://")
        if not colon or store not in _BUCKETS:
            return cls(folder=text)
        bucket, _, prefix = rest.partition("/")
        if not _BUCKETS[store].fullmatch(bucket):
            raise ConfigError(f"{text!r} does not name a bucket", todo=f"write it as {store}://bucket/prefix")
        prefix = prefix.rstrip("/") + "/" if prefix.strip("/") else ""
        if store == GS:
            return cls(bucket=bucket, prefix=prefix, store=GS, google=google or GoogleAccess())
        return cls(bucket=bucket, prefix=prefix, region=region, role=role)

    def __str__(self) -> str:
        return f"{self.store}://{self.bucket}/{self.prefix}" if self.bucket else self.folder


class FolderObjects:
    """A folder on this machine. Metadata of `KEY` is read from the JSON object in `KEY.metadata.json`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def _path(self, key: str) -> Path:
        path = self.root / key
        if ".." in key.split("/") or key.startswith("/"):
            raise Malformed(f"{key!r} is not a key inside the folder", source="folder")
        return path

    def walk(self, prefix: str) -> Iterator[ObjectInfo]:
        """Yield every object under a prefix, sorted by key; nothing where the folder does not exist."""
        self._exists()
        start = self._path(prefix)
        if not start.is_dir():
            return
        stack = [(str(start), prefix)]
        while stack:
            folder, name = stack.pop()
            try:
                with os.scandir(folder) as entries:
                    found = sorted(entries, key=lambda entry: entry.name, reverse=True)
            except OSError as refused:
                raise Denied(f"cannot list {folder}: {refused}", permission=f"read on {folder}") from refused
            files = []
            for entry in found:
                if entry.is_dir():
                    stack.append((entry.path, f"{name}{entry.name}/"))
                elif not entry.name.endswith(".metadata.json"):
                    try:
                        files.append(ObjectInfo(name + entry.name, entry.stat().st_size))
                    except OSError:
                        # A link to nothing, or a file that went meanwhile: it is listed, and reading it will tell.
                        files.append(ObjectInfo(name + entry.name, 0))
            yield from reversed(files)

    def folders(self, prefix: str) -> list[str]:
        """Return the names of the folders directly under a prefix."""
        self._exists()
        start = self._path(prefix)
        if not start.is_dir():
            return []
        try:
            return sorted(entry.name for entry in os.scandir(start) if entry.is_dir())
        except OSError as refused:
            raise Denied(f"cannot list {start}: {refused.strerror}", permission=f"read on {start}") from refused

    def _exists(self) -> None:
        if not self.root.is_dir():
            raise Unavailable(f"the folder {self.root} does not exist", todo="name the folder that holds AWSLogs/")

    def read(self, key: str) -> bytes:
        """Return an object's exact bytes."""
        try:
            # Half the cost of pathlib's way, and small objects are the common case.
            with open(f"{self.root}/{key}", "rb", buffering=0) as file:
                return file.read()
        except FileNotFoundError as gone:
            raise Unavailable(f"{key} is gone", source="folder") from gone
        except OSError as refused:
            raise Denied(f"cannot read {key}: {refused.strerror}", permission=f"read on {key}") from refused

    def read_with_metadata(self, key: str) -> tuple[bytes, dict[str, str]]:
        """Return an object's bytes and what its sidecar file says; nothing where there is none or it is damaged."""
        path = self._path(key + ".metadata.json")
        try:
            found = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
        except (OSError, msgspec.DecodeError):
            found = {}
        return self.read(key), {name.lower(): value for name, value in found.items()}

    def write(self, key: str, body: bytes) -> None:
        """Store an object through a temporary file, so that it is there whole or not at all."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_name(path.name + ".writing")
        with half.open("wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # The name is in the folder: without this it may be gone after a power cut.
        finally:
            os.close(folder)

    def delete(self, key: str) -> None:
        """Remove an object if it is there."""
        self._path(key).unlink(missing_ok=True)
