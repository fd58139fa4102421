"""The key that signs evidence: made at first need, kept in a PEM file that only its owner may read."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from monitor.errors import EvidenceError
from monitor.evidence import durable
from monitor.evidence.note import Ed25519Signer


class SigningKey(msgspec.Struct, frozen=True):
    """A signer, its public half as text, whether it was made just now, and a warning (empty when all is well)."""

    signer: Ed25519Signer
    vkey: str
    made: bool = False
    warning: str = ""


def signing_key(
    path: Path, name: str, *, generate: Callable[[], Ed25519PrivateKey] = Ed25519PrivateKey.generate
) -> SigningKey:
    """Return the key in the file, under this name (the log's origin); make file and folders where there is none.

    Raises EvidenceError when the file cannot be read, written, or holds no unencrypted Ed25519 private key.
    """
    try:
        made = not path.exists() and _make(path, generate())
        pem, mode = path.read_bytes(), path.stat().st_mode
    except OSError as error:
        raise EvidenceError(
            f"the signing key {path} cannot be read or made: {error.strerror}",
            todo=f"let the account that runs the monitor read {path}, or set evidence.signing_key to another file",
        ) from error
    signer = Ed25519Signer(name, _private(path, pem))
    warning = ""
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        warning = f"the signing key {path} is open to other accounts (mode {stat.S_IMODE(mode):04o}): chmod 600 {path}"
    return SigningKey(signer, signer.verifier.vkey, made, warning)


def _make(path: Path, key: Ed25519PrivateKey) -> bool:
    """Write the key where no file is. Return whether it was written: another process may have been first."""
    durable.make_folder(path.parent)
    temporary = path.with_name(f"{path.name}.{os.getpid()}{durable.TEMPORARY}")
    temporary.unlink(missing_ok=True)
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.flush()
        os.fsync(file.fileno())
    try:
        # A hard link fails where the name is taken, so that of two first runs one key wins, whole.
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        temporary.unlink()
    durable.sync_folder(path.parent)
    return True


def _private(path: Path, pem: bytes) -> Ed25519PrivateKey:
    todo = (
        f"restore {path} from its backup; to start a new log with a new key, move {path} and the evidence folder away"
    )
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise EvidenceError(f"{path} holds no unencrypted private key in PEM form", todo=todo) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise EvidenceError(f"{path} holds a private key, but not an Ed25519 one", todo=todo)
    return key
