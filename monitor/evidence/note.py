"""Signed notes as C2SP defines them, with their keys. Pure.

https://c2sp.org/signed-note

The kind of key is pluggable: a `Signer` signs and names its `Verifier`; `ALGORITHMS` maps the algorithm byte of a
public key to the function that checks a signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from monitor.errors import EvidenceError, IntegrityError

ED25519 = 0x01
_DASH = "\u2014 "


def _ed25519_holds(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


ALGORITHMS: Mapping[int, Callable[[bytes, bytes, bytes], bool]] = {ED25519: _ed25519_holds}


class Verifier(msgspec.Struct, frozen=True):
    """A public key with its name: what an auditor is handed. `algorithm` is the type byte of C2SP signed-note."""

    name: str
    algorithm: int
    public: bytes

    @property
    def key_id(self) -> bytes:
        """Return the 4 bytes that signature lines name the key by."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.algorithm]) + self.public).digest()[:4]

    @property
    def vkey(self) -> str:
        """Return the key as text: name+id+base64."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(bytes([self.algorithm]) + self.public).decode()}"

    def holds(self, message: bytes, signature: bytes) -> bool:
        """Return whether the signature over the message is by this key."""
        return ALGORITHMS[self.algorithm](self.public, message, signature)

    @classmethod
    def parse(cls, vkey: str) -> Verifier:
        """Return the key that the text gives. Raises EvidenceError when it is not a vkey, or of an unknown kind."""
        todo = "give the public key as it was printed when it was made: name+8 hex digits+base64"
        name, _, rest = vkey.partition("+")
        key_id, _, key = rest.partition("+")
        raw = decode_base64(key)
        if not is_name(name) or not raw:
            raise EvidenceError("not a public key in vkey form", todo=todo)
        found = cls(name, raw[0], raw[1:])
        if found.algorithm not in ALGORITHMS:
            raise EvidenceError(f"the key's algorithm {found.algorithm:#04x} is not known here", todo=todo)
        if found.key_id.hex() != key_id:
            raise EvidenceError("the public key does not have the id it claims", todo=todo)
        return found


class Signer(Protocol):
    """What signs: a key in memory now, a key in a KMS or HSM elsewhere."""

    @property
    def verifier(self) -> Verifier:
        """Return the public half."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the signature over the message."""
        ...


class Ed25519Signer:
    """A Signer whose Ed25519 key is in memory."""

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        if not is_name(name):
            raise EvidenceError(
                f"{name!r} cannot name a key", todo="set evidence.origin to a name without spaces and plus signs"
            )
        self._private = private
        self.verifier = Verifier(name, ED25519, private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature over the message."""
        return self._private.sign(message)


class Signature(msgspec.Struct, frozen=True):
    """One signature line of a note."""

    name: str
    key_id: bytes
    signature: bytes


class Note(msgspec.Struct, frozen=True):
    """A note taken apart; nothing in it is verified yet."""

    text: str
    signatures: tuple[Signature, ...]


def is_name(name: str) -> bool:
    """Return whether the name may name a key: not empty, no space, no plus, printable."""
    return bool(name) and name.isprintable() and not any(c.isspace() or c == "+" for c in name)


def decode_base64(text: str) -> bytes:
    """Return the bytes, or b"" where the text is not canonical base64 (so that no two texts mean the same bytes)."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return raw if base64.b64encode(raw).decode() == text else b""


def sign(text: str, signer: Signer) -> str:
    """Return the note: the text (which must end in a newline), a blank line, and the signature line."""
    if not text.endswith("\n"):
        raise ValueError("the text of a note ends in a newline")
    key = signer.verifier
    line = base64.b64encode(key.key_id + signer.sign(text.encode())).decode()
    return f"{text}\n{_DASH}{key.name} {line}\n"


def parse(data: bytes) -> Note:
    """Return the note that the bytes hold. Raises IntegrityError when they do not hold one."""
    try:
        whole = data.decode()
    except UnicodeDecodeError:
        raise IntegrityError("not a signed note: not UTF-8") from None
    if any(ord(c) < 0x20 and c != "\n" for c in whole):
        raise IntegrityError("not a signed note: it holds control characters")
    text, blank, tail = whole.rpartition("\n\n")
    if not blank or not tail.endswith("\n"):
        raise IntegrityError("not a signed note: no signature after a blank line")
    return Note(text + "\n", tuple(_signature(line) for line in tail[:-1].split("\n")))


def verify(note: Note, keys: Sequence[Verifier]) -> tuple[Verifier, ...]:
    """Return those of the keys that signed. Raises IntegrityError when none did, or one's signature is wrong."""
    message = note.text.encode()
    signed = []
    for line in note.signatures:
        for key in keys:
            if (key.name, key.key_id) != (line.name, line.key_id):
                continue
            if not key.holds(message, line.signature):
                raise IntegrityError(f"the signature of {key.name} does not hold")
            signed.append(key)
    if not signed:
        raise IntegrityError("not signed by a key that was asked for")
    return tuple(signed)


def _signature(line: str) -> Signature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    raw = decode_base64(encoded)
    if not line.startswith(_DASH) or not is_name(name) or len(raw) < 5:
        raise IntegrityError("not a signed note: a signature line cannot be read")
    return Signature(name, raw[:4], raw[4:])
