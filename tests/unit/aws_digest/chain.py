"""A synthetic CloudTrail digest chain, signed with a key of our own: for tests of the verification."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from monitor.decode.cloudtrail_digest import DigestObject, verify_chain
from monitor.facts.audit_log import LogChain
from monitor.model import Window

ACCOUNT, REGION, BUCKET = "111122223333", "us-east-1", "example-org-trail"
SCOPE = f"aws:{ACCOUNT}:{REGION}"
START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
FINGERPRINT = "31e8b5433410dfb61a9dc45cc65b22ff"
DIGESTS = f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/{REGION}"


@cache
def signing_key(number: int = 0) -> RSAPrivateKey:
    """Return a private key; the same number gives the same key within a run."""
    return generate_private_key(public_exponent=65537, key_size=2048)


def public_der(number: int = 0) -> bytes:
    """Return the public key as ListPublicKeys gives it: PKCS#1, DER."""
    return signing_key(number).public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)


def zulu(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def digest_key(end: datetime, trail: str = "org-trail", backfill: bool = False) -> str:
    name = f"{ACCOUNT}_CloudTrail-Digest_{REGION}_{trail}_{REGION}_{end:%Y%m%dT%H%M%SZ}"
    return f"{DIGESTS}/{end:%Y/%m/%d}/{name}{'_backfill' if backfill else ''}.json.gz"


def log_key(moment: datetime, unique: str = "AbCdEf0123456789") -> str:
    name = f"{ACCOUNT}_CloudTrail_{REGION}_{moment:%Y%m%dT%H%MZ}_{unique}.json.gz"
    return f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/{moment:%Y/%m/%d}/{name}"


def content(digest: DigestObject) -> dict[str, Any]:
    """Return a digest's JSON."""
    parsed: dict[str, Any] = json.loads(gzip.decompress(digest.body))
    return parsed


def altered(digest: DigestObject, change: Callable[[dict[str, Any]], None]) -> DigestObject:
    """Return the digest with its JSON changed, the signature as it was."""
    parsed = content(digest)
    change(parsed)
    return msgspec.structs.replace(digest, body=gzip.compress(json.dumps(parsed).encode(), mtime=0))


def unsigned(digest: DigestObject) -> DigestObject:
    """Return the digest as a copy that lost its object metadata."""
    return msgspec.structs.replace(digest, signature=None)


@dataclass
class Chain:
    """A growing chain of digests of one trail, and the log files that they name."""

    trail: str = "org-trail"
    key: int = 0
    backfill: bool = False
    end: datetime = START
    digests: list[DigestObject] = field(default_factory=list)
    logs: dict[str, str | None] = field(default_factory=dict)
    _last: tuple[str, str, str] | None = None

    def restart(self, at: datetime) -> Chain:
        """Let the next digest start anew at that time."""
        self._last, self.end = None, at
        return self

    def hours(self, count: int, files: int = 2) -> Chain:
        """Append so many hourly digests that name so many log files each."""
        for _ in range(count):
            self._hour(files)
        return self

    def _hour(self, files: int) -> None:
        start, self.end = self.end, self.end + HOUR
        named = []
        for number in range(files):
            key = log_key(start + timedelta(minutes=5 * number + 5), f"{self.trail[:4]}{number:012d}")
            self.logs[key] = hashlib.sha256(key.encode()).hexdigest()
            named.append({"s3Bucket": BUCKET, "s3Object": key, "hashValue": self.logs[key], "hashAlgorithm": "SHA-256"})
        previous = self._last or (None, None, None)
        key = digest_key(self.end, self.trail, self.backfill)
        body = {
            "awsAccountId": ACCOUNT,
            "digestStartTime": zulu(start),
            "digestEndTime": zulu(self.end),
            "digestS3Bucket": BUCKET,
            "digestS3Object": key,
            "digestPublicKeyFingerprint": FINGERPRINT,
            "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": None,
            "oldestEventTime": None,
            "previousDigestS3Bucket": BUCKET if self._last else None,
            "previousDigestS3Object": previous[0],
            "previousDigestHashValue": previous[1],
            "previousDigestHashAlgorithm": "SHA-256" if self._last else None,
            "previousDigestSignature": previous[2],
            "logFiles": named,
        }
        raw = json.dumps(body).encode()
        sha256 = hashlib.sha256(raw).hexdigest()
        signed = "\n".join((zulu(self.end), f"{BUCKET}/{key}", sha256, previous[2] or "null")).encode()
        signature = signing_key(self.key).sign(signed, PKCS1v15(), SHA256()).hex()
        self._last = (key, sha256, signature)
        self.digests.append(DigestObject(bucket=BUCKET, key=key, body=gzip.compress(raw, mtime=0), signature=signature))


def good(hours: int = 6) -> Chain:
    """Return a whole chain from START, two log files an hour."""
    return Chain().hours(hours)


def window(hours: float = 6, start: datetime = START) -> Window:
    return Window(start, start + timedelta(hours=hours))


def verify(
    chain: Chain,
    *,
    digests: list[DigestObject] | None = None,
    logs: dict[str, str | None] | None = None,
    over: Window | None = None,
    keys: dict[str, bytes] | None = None,
) -> LogChain:
    """Verify the chain, with some of it replaced."""
    return verify_chain(
        SCOPE,
        over or window(),
        chain.digests if digests is None else digests,
        {FINGERPRINT: public_der()} if keys is None else keys,
        chain.logs if logs is None else logs,
    )


def kinds(verified: LogChain) -> list[str]:
    return sorted({problem.kind for problem in verified.problems})
