"""Checkpoints: the text that a log signs about its size and root. Pure.

https://c2sp.org/tlog-checkpoint
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence

import msgspec

from monitor.errors import IntegrityError
from monitor.evidence import note
from monitor.evidence.note import Signer, Verifier, decode_base64

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class Checkpoint(msgspec.Struct, frozen=True):
    """The tree that was signed: the log's name, the number of entries, and the root (32 bytes)."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """Return the three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def parse(text: str) -> Checkpoint:
    """Return the checkpoint that a note's text holds. Raises IntegrityError when it holds none.

    Extension lines are refused: this log writes none, and nobody audits them.
    """
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] or not lines[0] or not _SIZE.fullmatch(lines[1]):
        raise IntegrityError("not a checkpoint: it must be the origin, the size and the root, a line each")
    root = decode_base64(lines[2])
    if len(root) != 32:
        raise IntegrityError("not a checkpoint: the root is not 32 bytes in base64")
    return Checkpoint(lines[0], int(lines[1]), root)


def sign(checkpoint: Checkpoint, signer: Signer) -> str:
    """Return the signed note of the checkpoint."""
    return note.sign(checkpoint.text, signer)


def verify(data: bytes, keys: Sequence[Verifier]) -> Checkpoint:
    """Return the checkpoint in the bytes. Raises IntegrityError unless one of the keys signed it in the log's name."""
    parsed = note.parse(data)
    found = parse(parsed.text)
    if not any(key.name == found.origin for key in note.verify(parsed, keys)):
        raise IntegrityError("the checkpoint is not signed in the name of its own log")
    return found
