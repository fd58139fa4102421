"""CloudTrail digest files: their JSON, and the chain of signatures that each carries of the one before.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from monitor.example.cast import BUCKET, Chain
from monitor.example.layout import digest_key
from monitor.example.records import Record, dump, stamp

ALGORITHM = "SHA256withRSA"


class SigningKey:
    """An RSA key that lives only as long as the generator runs."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.public = self._key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
        """The public half, DER PKCS #1, as ListPublicKeys gives it."""

    @property
    def fingerprint(self) -> str:
        """Return the 32 hex digits by which digests name this key."""
        return hashlib.md5(self.public, usedforsecurity=False).hexdigest()

    def sign(self, text: str) -> str:
        """Return the signature of the text, RSA PKCS #1 v1.5 over SHA-256, in hex."""
        return self._key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()).hex()


@dataclass(frozen=True)
class Delivered:
    """A log object as the digest knows it: its key, content hash, moment of delivery, first and last event time."""

    key: str
    sha256: str
    at: datetime
    oldest: str
    newest: str


@dataclass(frozen=True)
class Digest:
    """One digest file: its key, uncompressed content, span, and the signature that S3 keeps beside it."""

    key: str
    content: bytes
    start: datetime
    end: datetime
    signature: str


def signed_text(end: str, bucket: str, key: str, content: bytes, previous_signature: str | None) -> str:
    """Return the text whose signature vouches for a digest."""
    return f"{end}\n{bucket}/{key}\n{hashlib.sha256(content).hexdigest()}\n{previous_signature or 'null'}"


def digest_content(
    chain: Chain, start: datetime, end: datetime, files: Iterable[Delivered], key: SigningKey, previous: Digest | None
) -> bytes:
    """Return the uncompressed JSON of one digest."""
    listed = sorted(files, key=lambda file: file.key)
    content: Record = {
        "awsAccountId": chain.account,
        "digestStartTime": stamp(start),
        "digestEndTime": stamp(end),
        "digestS3Bucket": BUCKET,
        "digestS3Object": digest_key(chain, end),
        "digestPublicKeyFingerprint": key.fingerprint,
        "digestSignatureAlgorithm": ALGORITHM,
        "newestEventTime": max((file.newest for file in listed), default=None),
        "oldestEventTime": min((file.oldest for file in listed), default=None),
        "previousDigestS3Bucket": BUCKET if previous else None,
        "previousDigestS3Object": previous.key if previous else None,
        "previousDigestHashValue": hashlib.sha256(previous.content).hexdigest() if previous else None,
        "previousDigestHashAlgorithm": "SHA-256" if previous else None,
        "previousDigestSignature": previous.signature if previous else None,
        "logFiles": [
            {
                "s3Bucket": BUCKET,
                "s3Object": file.key,
                "hashValue": file.sha256,
                "hashAlgorithm": "SHA-256",
                "newestEventTime": file.newest,
                "oldestEventTime": file.oldest,
            }
            for file in listed
        ],
    }
    return dump(content).encode()


def chain_of_digests(
    chain: Chain, since: datetime, until: datetime, files: Iterable[Delivered], key: SigningKey
) -> Iterator[Digest]:
    """Yield hourly digests, oldest first, that tile [since, until) and list every file in the hour of its delivery.

    They begin at the last `chain.offset` before `since`, as a chain's hours are never the clock's.
    """
    waiting = sorted(files, key=lambda file: file.at)
    start = since + timedelta(seconds=chain.offset - 3600)
    previous: Digest | None = None
    position = 0
    while start < until:
        end = start + timedelta(hours=1)
        first = position
        while position < len(waiting) and waiting[position].at < end:
            position += 1
        content = digest_content(chain, start, end, waiting[first:position], key, previous)
        name = digest_key(chain, end)
        text = signed_text(stamp(end), BUCKET, name, content, previous.signature if previous else None)
        previous = Digest(name, content, start, end, key.sign(text))
        yield previous
        start = end
