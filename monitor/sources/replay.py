"""A folder of captures: written once, read back with every digest checked.

`index.jsonl` has one JSON line a capture (source, name, scope, request, status, at, sha256);
`objects/sha256/aa/<64 hex>` has the exact bytes.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from monitor.errors import ConfigError, IntegrityError, Malformed
from monitor.model import Capture

INDEX = "index.jsonl"
MAX_OBJECT = 64 * 2**20
_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)


class _Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    source: str
    name: str
    scope: str
    request: dict[str, str]
    status: int
    at: datetime
    sha256: str


def read(folder: Path) -> list[Capture]:
    """Return the captures of the folder, in the order of its index.

    Raises ConfigError if there is no index, Malformed for a line that cannot be read, IntegrityError for an object that is
    missing or is not what the index says.
    """
    try:
        lines = (folder / INDEX).read_bytes().splitlines()
    except OSError as missing:
        todo = "name a folder that holds captures, or leave `replay` out to ask AWS itself"
        raise ConfigError(f"no captures at {folder}: {missing.strerror}", todo=todo) from missing
    return [_capture(folder, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def write(folder: Path, captures: Iterable[Capture]) -> None:
    """Write the captures, and an index of exactly these; objects that are there already stay. Raises OSError."""
    lines = []
    for one in captures:
        sha256 = one.sha256
        path = _object(folder, sha256)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _put(path, one.body)
        line = _Line(
            source=one.source,
            name=one.name,
            scope=one.scope,
            request=one.request,
            status=one.status,
            at=one.at,
            sha256=sha256,
        )
        lines.append(msgspec.json.encode(line, order="sorted") + b"\n")
    folder.mkdir(parents=True, exist_ok=True)
    _put(folder / INDEX, b"".join(lines))


def _object(folder: Path, sha256: str) -> Path:
    return folder / "objects" / "sha256" / sha256[:2] / sha256


def _put(path: Path, content: bytes) -> None:
    """A reader sees the whole file or the old one, never half."""
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    os.replace(partial, path)


def _capture(folder: Path, number: int, line: bytes) -> Capture:
    where = f"{folder / INDEX} line {number}"
    try:
        entry = msgspec.json.decode(line, type=_Line)
    except (ValueError, RecursionError) as broken:
        raise Malformed(f"{where}: {broken}", todo="restore the folder from where it was captured") from broken
    if not _HEX.fullmatch(entry.sha256):
        raise Malformed(f"{where}: sha256 is not 64 hex digits", todo="restore the folder from where it was captured")
    at = entry.at if entry.at.tzinfo else entry.at.replace(tzinfo=UTC)
    body = _body(_object(folder, entry.sha256), where)
    if hashlib.sha256(body).hexdigest() != entry.sha256:
        todo = "do not use this folder as evidence: find out who changed it"
        raise IntegrityError(f"{where}: the stored answer is not the one that was captured", todo=todo)
    return Capture(
        source=entry.source,
        name=entry.name,
        scope=entry.scope,
        request=entry.request,
        status=entry.status,
        at=at,
        body=body,
    )


def _body(path: Path, where: str) -> bytes:
    try:
        if path.stat().st_size > MAX_OBJECT:
            raise Malformed(f"{where}: {path.name} is larger than {MAX_OBJECT} bytes")
        return path.read_bytes()
    except OSError as missing:
        todo = "restore the folder from where it was captured"
        raise IntegrityError(f"{where}: the stored answer cannot be read: {missing.strerror}", todo=todo) from missing
