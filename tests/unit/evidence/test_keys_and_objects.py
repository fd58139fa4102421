"""The signing key's file, and the content store."""

from __future__ import annotations

import os
import stat
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from monitor.errors import EvidenceError, IntegrityError
from monitor.evidence.keys import signing_key
from monitor.evidence.objects import ObjectStore
from tests.unit.evidence.sample import ORIGIN


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "keys" / "evidence.pem"
    first = signing_key(path, ORIGIN)
    assert first.made
    assert first.warning == ""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["evidence.pem"]
    again = signing_key(path, ORIGIN)
    assert (again.vkey, again.made) == (first.vkey, False)
    assert first.vkey.startswith(f"{ORIGIN}+")


def test_a_key_that_others_may_read_is_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "evidence.pem"
    signing_key(path, ORIGIN)
    path.chmod(0o640)
    assert "0640" in signing_key(path, ORIGIN).warning


def test_a_file_that_is_no_ed25519_key_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "evidence.pem"
    other = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for content in (b"", b"garbage", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", other):
        path.write_bytes(content)
        with pytest.raises(EvidenceError) as caught:
            signing_key(path, ORIGIN)
        assert "backup" in caught.value.todo
        assert path.read_bytes() == content


def test_a_key_that_cannot_be_read_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "evidence.pem").mkdir()
    with pytest.raises(EvidenceError, match="cannot be read"):
        signing_key(tmp_path / "evidence.pem", ORIGIN)


def test_an_object_is_kept_once_and_read_back(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path)
    name = store.write(b"bytes")
    assert name == store.write(b"bytes") == sha256(b"bytes").hexdigest()
    assert store.read(name) == b"bytes"
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()] == [
        f"objects/sha256/{name[:2]}/{name}"
    ]


def test_an_altered_object_is_neither_read_nor_written_over(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path)
    name = store.write(b"bytes")
    store.path(name).write_bytes(b"other")
    for attempt in (lambda: store.read(name), lambda: store.write(b"bytes")):
        with pytest.raises(IntegrityError, match="not what was sealed"):
            attempt()
    assert store.path(name).read_bytes() == b"other"


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 64 + "\n"])
def test_what_is_no_digest_names_no_object(tmp_path: Path, name: str) -> None:
    with pytest.raises(IntegrityError, match="64 lowercase hex digits"):
        ObjectStore(tmp_path).read(name)


def test_every_byte_of_an_object_is_covered_by_its_digest(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path)
    data = bytes(range(256)) * 12
    name = store.write(data)
    with store.path(name).open("r+b", buffering=0) as file:
        for place in range(len(data)):
            os.pwrite(file.fileno(), bytes([data[place] ^ 1]), place)
            with pytest.raises(IntegrityError):
                store.read(name)
            os.pwrite(file.fileno(), data[place : place + 1], place)
    assert store.read(name) == data


def test_a_missing_object_is_an_integrity_error(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="cannot be read"):
        ObjectStore(tmp_path).read("0" * 64)
