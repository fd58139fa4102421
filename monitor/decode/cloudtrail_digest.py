"""CloudTrail digest files: is an audit log whole and unaltered. Pure; bytes and keys in, a LogChain out, never an exception.

Every hour CloudTrail delivers, for each account, region and trail, a signed digest that names each log file with its SHA-256,
and its own predecessor with hash and signature; so a log file, or a digest, that was altered or taken away shows.
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html

Beyond what `aws cloudtrail validate-logs` does: both links and the algorithms are checked, the digests must tile the window,
and it all works on copies, where the object metadata with the signature may be lost: the successor carries it too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from monitor.decode.cloudtrail_digest_wire import (
    Digest,
    DigestObject,
    LogFile,
    load_key,
    log_time,
    named_end,
    place,
    read,
    signature_holds,
)
from monitor.facts.audit_log import ChainProblem, LogChain
from monitor.model import EvidenceRef, Unknown, Window

__all__ = ["DigestObject", "expected_hashes", "judged_until", "verify_chain"]
MAX_LISTED = 1000
DELIVERY = timedelta(hours=1)
_READ = "make the object readable (s3:GetObject, and kms:Decrypt where it is encrypted), then sweep again"


def expected_hashes(digests: Iterable[DigestObject]) -> dict[str, str]:
    """Return, for each log file that a readable digest names, the SHA-256 (lower-case hex) of its uncompressed bytes."""
    expected: dict[str, str] = {}
    for stored in sorted(digests, key=lambda d: d.key):
        digest = None if stored.error else read(stored)
        if isinstance(digest, Digest):
            for entry in digest.wire.log_files:
                expected.setdefault(entry.key, entry.hash_value.lower())
    return expected


def verify_chain(
    scope: str,
    window: Window,
    digests: Sequence[DigestObject],
    public_keys: Mapping[str, bytes],
    log_hashes: Mapping[str, str | None],
) -> LogChain:
    """Return what holds of one scope's (`aws:account:region`) digest chain over the window (UTC), what not, what is unproven.

    Digests from before and after the window may be given too: they serve the links at its edges. `public_keys` maps a
    fingerprint to DER, and must hold all keys of the region over the time of the digests. `log_hashes` maps the key of each
    log file that was read to the SHA-256 (hex) of its uncompressed bytes, None where it could not be read; a log file that a
    digest names and that is absent is missing. What lies after judged_until(window) is not demanded: it may still come.
    """
    return _Judge(scope, window, public_keys, log_hashes).judge(digests)


def judged_until(window: Window) -> datetime:
    """Return up to when (UTC) verify_chain demands digests: the next window must begin here, or an hour is never judged."""
    return max(window.start, (window.end - DELIVERY).replace(minute=0, second=0, microsecond=0))


def _ref(stored: DigestObject) -> EvidenceRef:
    return EvidenceRef(kind="log-object", name=stored.key, sha256=hashlib.sha256(stored.body).hexdigest())


class _Judge:
    """One run over one scope: what is looked up again and again, and what was found so far."""

    def __init__(
        self, scope: str, window: Window, public_keys: Mapping[str, bytes], log_hashes: Mapping[str, str | None]
    ) -> None:
        self.scope, self.window = scope, window
        self.keys = {fingerprint: load_key(der) for fingerprint, der in public_keys.items()}
        self.hashes = {place(key): value for key, value in log_hashes.items()} | dict(log_hashes)
        self.key_grant = f"cloudtrail:ListPublicKeys in {scope}"
        self.problems: list[ChainProblem] = []
        self.unproven: list[Unknown] = []
        self.restarts: set[tuple[datetime, datetime]] = set()
        self.files = self.verified = self.unlisted = 0

    def judge(self, digests: Sequence[DigestObject]) -> LogChain:
        spans: list[tuple[datetime, datetime]] = []
        stored = self._distinct(digests)
        chain = sorted(self._readable(stored.values(), spans), key=lambda d: (d.start, d.end, d.stored.key))
        by_place = {place(d.stored.key): d for d in chain}
        carried: dict[str, set[str]] = {}
        for digest in chain:
            if digest.wire.previous_key is not None and digest.wire.previous_digest_signature is not None:
                carried.setdefault(place(digest.wire.previous_key), set()).add(digest.wire.previous_digest_signature)
        judged, newest = [], dict[str, Digest]()
        for digest in chain:
            before = newest.get(digest.series)
            newest[digest.series] = digest
            if not digest.backfill:
                spans.append((digest.start, digest.end))
            if digest.start >= self.window.end or digest.end <= self.window.start:
                continue
            signatures = carried.get(place(digest.stored.key), set())
            if digest.stored.signature is None and not signatures and digest.start >= judged_until(self.window):
                continue  # a copy's newest digest cannot be proven yet, nor is it demanded: the next window judges it
            judged.append(digest)
            proven = self._signature(digest, signatures)
            self._links(digest, before, by_place, stored)
            self._log_files(digest, proven)
        if judged and not self.keys:
            self._doubt("no public keys were read, so no digest's signature could be checked", self.key_grant)
        self._tiling(spans)
        # A digest pins all before it by its links, so the newest of each trail stands for the chain.
        last = {digest.series: digest.stored for digest in judged}
        return LogChain(
            scope=self.scope,
            source="aws-cloudtrail-digest",
            window=self.window,
            digests=len(judged),
            files=self.files,
            files_verified=self.verified,
            problems=tuple(self.problems) + self._rest(),
            unproven=tuple(self.unproven),
            evidence=tuple(_ref(last[series]) for series in sorted(last)),
        )

    def _problem(
        self, kind: str, name: str, detail: str, start: datetime | None = None, end: datetime | None = None
    ) -> None:
        if len(self.problems) < MAX_LISTED:
            self.problems.append(ChainProblem(kind=kind, name=name, detail=detail, start=start, end=end))
        else:
            self.unlisted += 1

    def _doubt(self, reason: str, grant: str) -> None:
        if len(self.unproven) < MAX_LISTED:
            self.unproven.append(Unknown(reason, grant))

    def _rest(self) -> tuple[ChainProblem, ...]:
        more = f"and {self.unlisted} more problems that are not listed"
        return (ChainProblem(kind=self.problems[-1].kind, name=self.scope, detail=more),) if self.unlisted else ()

    def _distinct(self, digests: Sequence[DigestObject]) -> dict[str, DigestObject]:
        """Return the objects by place; the same one twice is one, two different ones under one key are a problem."""
        distinct: dict[str, DigestObject] = {}
        for stored in sorted(set(digests), key=lambda d: (d.key, d.error, d.bucket, d.body, d.signature or "")):
            first = distinct.setdefault(place(stored.key), stored)
            if first is not stored and not stored.error and stored.body != first.body:
                self._problem("unreadable-digest", stored.key, "two different objects bear this key")
        return distinct

    def _readable(self, stored: Iterable[DigestObject], spans: list[tuple[datetime, datetime]]) -> Iterable[Digest]:
        for one in stored:
            digest: Digest | str = "" if one.error else read(one)
            if isinstance(digest, Digest):
                if not (stranger := self._stranger(digest)):
                    yield digest
                    continue
                digest = stranger
            end = named_end(one.key)
            if end is not None and end <= self.window.start:
                continue
            if one.error:
                self._doubt(f"digest {one.key} could not be fetched: {one.error}", _READ)
                if end is not None and "_backfill" not in one.key:
                    spans.append((end - DELIVERY, end))  # it exists, so this hour is unproven and not a gap
            else:
                self._problem("unreadable-digest", one.key, digest, None, end)

    def _stranger(self, digest: Digest) -> str:
        _, account, region = (*self.scope.split(":"), "", "", "")[:3]
        if account and digest.wire.aws_account_id != account:
            return f"is of account {digest.wire.aws_account_id[:20]}, not {account}"
        if region and f"/CloudTrail-Digest/{region}/" not in digest.wire.key:
            return f"is not of region {region}"
        return ""

    def _signature(self, digest: Digest, carried: set[str]) -> bool:
        """Return whether the provider's key proves the digest; say so where it does not."""
        key, wire = digest.stored.key, digest.wire
        fingerprint = wire.digest_public_key_fingerprint
        public = self.keys.get(fingerprint)
        signatures = carried if digest.stored.signature is None else {digest.stored.signature}
        fault = ""
        if place(wire.key) != place(key):
            fault = f"is signed for another place: {wire.key[:300]}"
        elif wire.digest_signature_algorithm != "SHA256withRSA":
            fault = f"names signature algorithm {wire.digest_signature_algorithm[:50]}, not SHA256withRSA"
        elif self.keys and fingerprint not in self.keys:
            fault = f"is signed with key {fingerprint[:64]}, which is none of the provider's in this region and time"
        elif public and signatures and not any(signature_holds(digest, one, public) for one in sorted(signatures)):
            fault = "its signature does not hold: the digest was altered or forged"
        if fault:
            self._problem("bad-signature", key, fault, digest.start, digest.end)
        elif self.keys and not public:
            self._doubt(f"public key {fingerprint[:64]} is not an RSA key that can be read", self.key_grant)
        elif public and not signatures:
            mend = "keep the object metadata `signature` when copying, or wait for the next digest"
            self._doubt(f"digest {key} has lost its signature, and no later digest carries it", mend)
        return bool(public and signatures and not fault)

    def _links(
        self,
        digest: Digest,
        before: Digest | None,
        by_place: Mapping[str, Digest],
        stored: Mapping[str, DigestObject],
    ) -> None:
        key, wire = digest.stored.key, digest.wire
        named = (wire.previous_key, wire.previous_digest_hash_value, wire.previous_digest_signature)
        if named == (None, None, None):
            if before is not None and not digest.backfill:
                self.restarts.add((before.end, digest.start))
                what = "the chain starts anew here: logging, or its validation, was stopped and started again"
                self._problem("gap", key, what, before.end, digest.start)
            return
        if (
            wire.previous_key is None
            or wire.previous_digest_hash_value is None
            or wire.previous_digest_signature is None
        ):
            self._problem("broken-link", key, "names its predecessor only in part", digest.start, digest.end)
            return
        previous = by_place.get(place(wire.previous_key))
        if previous is None:
            if place(wire.previous_key) in stored or digest.start <= self.window.start:
                return  # reported as unreadable or unproven; or before the window, where nothing is demanded
            if digest.backfill:
                self._doubt(f"backfill digest {key} follows {wire.previous_key[:300]}, which was not read", _READ)
            else:
                since = before.end if before else self.window.start
                self._problem("missing-digest", wire.previous_key[:300], f"{key} follows it", since, digest.start)
            return
        faults = []
        if wire.previous_digest_hash_algorithm not in (None, "SHA-256"):
            faults.append(f"names hash algorithm {wire.previous_digest_hash_algorithm[:50]}")
        if wire.previous_digest_hash_value.lower() != previous.sha256:
            faults.append("the hash it names is not that of the digest before it")
        held = previous.stored.signature
        if held is not None and held.lower() != wire.previous_digest_signature.lower():
            faults.append("the signature it names is not that of the digest before it")
        if previous.start >= digest.start:
            faults.append("the digest that it follows is not earlier")
        if faults:
            self._problem("broken-link", key, f"{'; '.join(faults)}: {previous.stored.key}", digest.start, digest.end)

    def _log_files(self, digest: Digest, proven: bool) -> None:
        for entry in dict.fromkeys(digest.wire.log_files):
            name = entry.key if entry.key in self.hashes else place(entry.key)
            if name not in self.hashes and not self._demanded(entry, digest):
                continue
            self.files += 1
            found = self.hashes.get(name)
            if name not in self.hashes:
                what = f"{digest.stored.key} names it, and it is not there"
                self._problem("missing-file", entry.key[:1000], what, digest.start, digest.end)
            elif found is None:
                self._doubt(f"log file {entry.key[:1000]} could not be read", _READ)
            elif entry.hash_algorithm != "SHA-256":
                self._doubt(f"log file {entry.key[:1000]} has a hash of unknown kind", "report it: update the monitor")
            elif found.lower() != entry.hash_value.lower():
                what = f"its SHA-256 is {found[:64]}, {digest.stored.key} says {entry.hash_value[:64]}"
                self._problem("altered-file", entry.key[:1000], what, digest.start, digest.end)
            elif proven:
                self.verified += 1

    def _demanded(self, entry: LogFile, digest: Digest) -> bool:
        """A digest may reach over an edge of the window: the window in which a log file was delivered must have it."""
        delivered = log_time(entry.key)
        if delivered is None:
            return digest.end <= self.window.end
        return delivered + timedelta(minutes=1) > self.window.start and delivered < self.window.end

    def _tiling(self, spans: list[tuple[datetime, datetime]]) -> None:
        covered, demanded = self.window.start, judged_until(self.window)
        if not spans:
            if covered < demanded:
                self._problem("gap", self.scope, "no digest at all covers this time", covered, self.window.end)
            else:
                self._doubt("the window is too short for an hourly digest to be there already", "sweep a longer window")
            return
        for start, end in sorted(spans):
            if covered < min(start, demanded) and (covered, start) not in self.restarts:
                self._problem("gap", self.scope, "no digest covers this time", covered, min(start, demanded))
            covered = max(covered, end)
        if covered < demanded:
            self._problem("gap", self.scope, "no digest covers this time, up to its end", covered, demanded)
