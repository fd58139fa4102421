"""One CloudTrail digest file as it is stored: read, placed in time, and its signature checked. Pure; hostile bytes never raise.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from monitor.decode.inflate import inflate
from monitor.errors import Malformed

MAX_DIGEST = 32 * 2**20
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)
_NAME = re.compile(r"_(\d{8}T\d{6}Z)(_backfill)?\.json\.gz$", re.ASCII)
_LOG_NAME = re.compile(r"_(\d{8}T\d{4})Z_[^/]*$", re.ASCII)


class DigestObject(msgspec.Struct, frozen=True, kw_only=True):
    """A digest as it is stored: gzip bytes, and the signature (hex) of its metadata, None where a copy lost it.

    `error` tells why the object could not be fetched; then `body` is empty.
    """

    bucket: str
    key: str
    body: bytes = b""
    signature: str | None = None
    error: str = ""


class LogFile(msgspec.Struct, frozen=True, rename="camel"):
    """One log file as a digest names it; the hash is of its uncompressed bytes."""

    hash_value: str
    hash_algorithm: str
    key: str = msgspec.field(name="s3Object")


class Wire(msgspec.Struct, frozen=True, rename="camel"):
    """The JSON of a digest, every field an unproven claim. All `previous…` are null in the first one of a chain."""

    aws_account_id: str
    digest_start_time: str
    digest_end_time: str
    digest_public_key_fingerprint: str
    digest_signature_algorithm: str
    previous_digest_hash_value: str | None
    previous_digest_signature: str | None
    log_files: list[LogFile]
    bucket: str = msgspec.field(name="digestS3Bucket")
    key: str = msgspec.field(name="digestS3Object")
    previous_key: str | None = msgspec.field(name="previousDigestS3Object")
    previous_digest_hash_algorithm: str | None = None


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """A digest that could be read: [start, end) in UTC, and the SHA-256 (hex) of its uncompressed bytes."""

    stored: DigestObject
    wire: Wire
    start: datetime
    end: datetime
    sha256: str

    @property
    def backfill(self) -> bool:
        """Return whether it belongs to the second chain, which CloudTrail makes afterwards."""
        return self.stored.key.endswith("_backfill.json.gz")

    @property
    def series(self) -> str:
        """Return the name of its chain: one for each trail, and one for that trail's backfill."""
        return _NAME.sub(r"\2", self.stored.key.rpartition("/")[2])


def _moment(text: str) -> datetime:
    """Return the UTC time of a digest's field or name; ValueError for anything else, or a year that no arithmetic could bear."""
    if _TIME.fullmatch(text):
        moment = datetime.fromisoformat(text)
    else:
        moment = datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if not 2000 <= moment.year < 9999:
        raise ValueError(f"unlikely time {text}")
    return moment


def log_time(key: str) -> datetime | None:
    """Return the minute (UTC) that a log file's name gives for its delivery, None where it gives none."""
    found = _LOG_NAME.search(key)
    try:
        return _moment(f"{found[1]}00Z") if found else None
    except ValueError:
        return None


def named_end(key: str) -> datetime | None:
    """Return the end (UTC) that a digest's name gives, None where it gives none."""
    found = _NAME.search(key)
    try:
        return _moment(found[1]) if found else None
    except ValueError:
        return None


def place(key: str) -> str:
    """Return the key from `AWSLogs/` on: what stays of it when a bucket is copied below another prefix."""
    head, mark, tail = key.partition("AWSLogs/")
    return mark + tail if mark and (not head or head.endswith("/")) else key


def read(stored: DigestObject) -> Digest | str:
    """Return the digest, or why it is not one."""
    try:
        content = bytes(inflate(stored.body, MAX_DIGEST))
        wire = msgspec.json.decode(content, type=Wire)
        start, end = _moment(wire.digest_start_time), _moment(wire.digest_end_time)
    except Malformed as broken:
        return broken.what
    except RecursionError:
        return "nested too deep"
    except ValueError as broken:
        return f"not a digest: {str(broken)[:200]}"
    if end <= start:
        return f"ends ({wire.digest_end_time}) before it starts ({wire.digest_start_time})"
    return Digest(stored=stored, wire=wire, start=start, end=end, sha256=hashlib.sha256(content).hexdigest())


def load_key(der: bytes) -> RSAPublicKey | None:
    """Return the RSA public key (PKCS#1 or SubjectPublicKeyInfo, DER), None for anything else."""
    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPublicKey) else None


def signature_holds(digest: Digest, signature: str, key: RSAPublicKey) -> bool:
    """Return whether the signature (hex) is the key's over what CloudTrail signs; never raises."""
    wire = digest.wire
    lines = (wire.digest_end_time, f"{wire.bucket}/{wire.key}", digest.sha256, wire.previous_digest_signature or "null")
    try:
        key.verify(bytes.fromhex(signature), "\n".join(lines).encode("utf-8", "replace"), PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True
