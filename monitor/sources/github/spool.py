"""Answers kept on disk while an organisation is read, so that a sweep that was cut off goes on where it was.

One file an answer, named by the SHA-256 of the request and of what the credential may see: with other rights the same
question may have another answer. The first line is the SHA-256 of the rest; a file that is not whole is as good as none.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from monitor.model import Capture

KEPT_FOR = timedelta(hours=6)
_LARGEST = 96 * 2**20
_NAME = re.compile(r"[0-9a-f]{64}|\.partial-.*", re.ASCII)


class Spool:
    """The answers of one organisation, in a folder of its own. Thread-safe; only its owner can read what is in it.

    It saves time, and is no evidence: a disk that is full or a folder that cannot be made never fails a sweep.
    """

    def __init__(
        self, folder: Path, *, host: str, organisation: str, clock: Callable[[], datetime], told: Callable[[str], None]
    ) -> None:
        own = hashlib.sha256(f"{host}\n{organisation.lower()}".encode()).hexdigest()[:16]
        self._folder = folder / own
        self._clock = clock
        self._told = told
        self._broken = False

    def find(self, request: Mapping[str, str], access: bytes) -> Capture | None:
        """Return the answer to this request if it is here, whole, and younger than six hours."""
        try:
            path = self._path(request, access)
            if path.stat().st_size > _LARGEST:
                return None
            digest, _, content = path.read_bytes().partition(b"\n")
        except OSError:
            return None
        if hashlib.sha256(content).hexdigest().encode() != digest:
            return None
        try:
            found = msgspec.json.decode(content, type=Capture)
        except (ValueError, RecursionError):
            return None
        at = found.at if found.at.tzinfo else found.at.replace(tzinfo=UTC)
        same = {name: text for name, text in found.request.items() if name != "next"} == dict(request)
        return found if same and timedelta() <= self._clock() - at < KEPT_FOR else None

    def keep(self, request: Mapping[str, str], access: bytes, answer: Capture) -> None:
        """Write the answer at once: a reader sees the whole file or none."""
        content = msgspec.json.encode(answer, order="sorted")
        partial = ""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # A file made this way is the owner's alone (0600) from its first byte on.
            handle, partial = tempfile.mkstemp(prefix=".partial-", dir=self._folder)
            with open(handle, "wb") as file:
                file.write(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
            os.replace(partial, self._path(request, access))
        except OSError as failed:
            if partial:
                with contextlib.suppress(OSError):
                    Path(partial).unlink()
            if not self._broken:
                self._broken = True
                self._told(f"github: answers cannot be kept for a later sweep: {failed.strerror}")

    def empty(self) -> None:
        """Remove every answer: the organisation was read to the end."""
        try:
            for path in self._folder.iterdir():
                if _NAME.fullmatch(path.name):
                    path.unlink(missing_ok=True)
            self._folder.rmdir()
        except OSError:
            return

    def _path(self, request: Mapping[str, str], access: bytes) -> Path:
        key = hashlib.sha256(msgspec.json.encode(request, order="sorted") + b"\n" + access)
        return self._folder / key.hexdigest()
