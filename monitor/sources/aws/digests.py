"""The trail's digest files: read those that are due, and judge the chain against the log objects that were read."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from monitor.decode.cloudtrail_digest import DigestObject, expected_hashes, judged_until, verify_chain
from monitor.errors import SourceError
from monitor.facts.audit_log import ChainProblem, LogChain
from monitor.model import Capture, CoverageStatus, ScopeCoverage, Unknown, Window
from monitor.sources.aws import layout
from monitor.sources.connect import connect
from monitor.sources.objects import Location
from monitor.sources.ports import Collected, Memory, Progress

NAME = "aws.digests"
PublicKeys = Callable[[str, str, Window], tuple[Mapping[str, bytes], Sequence[Capture]]]
"""Given account, region and window: the keys by fingerprint, as DER, and what was captured. Raises SourceError."""


class Due(Protocol):
    """What is asked of a scope here."""

    name: str
    account: str
    region: str
    window: Window
    failed: list[tuple[str, str, str, str]]


class DigestReader:
    """Reads the digests of the hours that ended since the last sweep, and one before them for the link."""

    def __init__(self, logs: Location, organization: str | None, public_keys: PublicKeys, source: str = "") -> None:
        self.logs = logs
        self.source = source
        self.awaited: list[tuple[str, datetime, datetime]] = []
        """Spans after the newest digest that is there: nothing may be concluded from them now; their digests may come."""
        self.organization = organization
        self.public_keys = public_keys

    def collect(
        self,
        scopes: Sequence[Due],
        marks: Mapping[str, datetime],
        memory: Memory,
        answer: Collected,
        progress: Progress,
    ) -> dict[str, datetime]:
        """Add a LogChain, coverage, captures and marks of every scope; return when each one's newest digest ends."""
        self.awaited.clear()
        read: dict[str, str | None] = {o.key: o.content_sha256 or None for o in answer.objects}
        read |= {key: None for scope in scopes for _, key, _, _ in scope.failed}
        newest: dict[str, datetime] = {}
        for number, scope in enumerate(scopes):
            progress("verifying the digest chain", number, len(scopes))
            end = self._scope(scope, marks, memory, read, answer)
            if end:
                newest[scope.name] = end
        progress("verifying the digest chain", len(scopes), len(scopes))
        # Credentials outlive the sweep in which their object was found out.
        answer.distrusted |= {name.partition("|")[2] for name in marks if name.startswith(f"{_DISTRUSTED}|")}
        for scope in scopes[:1]:
            answer.marks |= {f"{_DISTRUSTED}|{key}": scope.window.end for key in sorted(answer.distrusted)}
        answer.exchanges[:] = [
            e for e in answer.exchanges if not e.evidence or e.evidence.name not in answer.distrusted
        ]
        return newest

    def _scope(
        self,
        scope: Due,
        marks: Mapping[str, datetime],
        memory: Memory,
        read: Mapping[str, str | None],
        answer: Collected,
    ) -> datetime | None:
        start = marks.get(f"{NAME}|{scope.name}") or _hour(scope.window.start)
        window = Window(start, max(start, _hour(scope.window.end)))
        try:
            digests = self._read(scope, window)
        except SourceError as failed:
            unread = (Unknown(failed.what, failed.todo),)
            answer.facts.append(LogChain(scope=scope.name, source=NAME, window=window, unproven=unread))
            status = CoverageStatus.DENIED if type(failed).__name__ == "Denied" else CoverageStatus.PARTIAL
            answer.coverage.append(
                ScopeCoverage(
                    scope=scope.name, source=NAME, status=status, window=window, reason=failed.what, grant=failed.todo
                )
            )
            return None
        newest = max((end for d in digests if (end := layout.digest_end(d.key))), default=None)
        if window.end <= window.start:
            # No hour has ended since: what the last sweep said still stands.
            answer.facts.append(LogChain(scope=scope.name, source=NAME, window=window))
            answer.coverage.append(
                ScopeCoverage(scope=scope.name, source=NAME, status=CoverageStatus.COMPLETE, window=window)
            )
            return newest
        keys: Mapping[str, bytes] = {}
        reason, unasked = "", False
        if digests:
            try:
                span = Window(window.start - 2 * _AROUND, window.end + 2 * _AROUND)
                keys, captures = self.public_keys(scope.account, scope.region, span)
                answer.captures += captures
            except SourceError as failed:
                reason, unasked = failed.what, True
        named = expected_hashes(digests)
        known = _by_place(named, read)
        lacking = [key for key in named if key not in known]
        if lacking:
            known |= {
                key: digest or None for key, digest in memory.content_hashes([_place(k) for k in lacking]).items()
            }
        chain = verify_chain(scope.name, window, digests, keys, known)
        strangers = self._unnamed(scope, window, named, read, memory, chain)
        chain = msgspec.structs.replace(chain, problems=(*chain.problems, *strangers))
        answer.distrusted |= {_place(p.name) for p in chain.problems if p.kind in ("altered-file", "unnamed-file")}
        body = b"".join(map(_archived, digests))
        if digests:
            capture = Capture(
                source=NAME,
                name="cloudtrail:digests",
                scope=scope.name,
                request={"from": window.start.isoformat(), "to": window.end.isoformat()},
                status=200,
                at=window.end,
                body=body,
            )
            answer.captures.append(capture)
            chain = msgspec.structs.replace(chain, evidence=(*chain.evidence, capture.ref))
        answer.facts.append(chain)
        broken = [f"{p.name}: {p.kind}: {p.detail}" for p in chain.problems]
        if broken:
            reason = f"the chain is broken in {len(broken)} place{'s' if len(broken) > 1 else ''}"
        reason = reason or "; ".join(doubt.reason for doubt in chain.unproven)
        answer.coverage.append(
            ScopeCoverage(
                scope=scope.name,
                source=NAME,
                status=CoverageStatus.PARTIAL if reason else CoverageStatus.COMPLETE,
                window=window,
                reason=reason,
                grant="" if broken else next((doubt.grant for doubt in chain.unproven if doubt.grant), ""),
                counts={"digests": chain.digests, "files": chain.files, "files_verified": chain.files_verified},
                gaps=tuple(broken),
            )
        )
        for one in chain.problems:
            if one.start and one.end:
                blind = answer.blind if newest and one.end <= newest else self.awaited
                blind.append((scope.account, one.start, one.end))
        # What could not be read may be readable tomorrow, and what is not there yet may come: then it stays owed. So the mark
        # moves no further than the newest digest that is there, wherever the clock stands.
        owed = scope.failed or unasked or newest is None or any(digest.error for digest in digests)
        mark = window.start if owed or newest is None else min(judged_until(window), _hour(newest))
        answer.marks[f"{NAME}|{scope.name}"] = max(window.start, mark)
        return newest

    def _unnamed(
        self,
        scope: Due,
        window: Window,
        named: Mapping[str, str],
        read: Mapping[str, str | None],
        memory: Memory,
        chain: LogChain,
    ) -> list[ChainProblem]:
        """Return the objects that nobody signed for: read, made in the window, and named by no digest.

        A file is named by the digest of the hour in which it was delivered, soon after it was made; the last hour that is
        judged may still lack it. Where a digest is missing that is the problem, not the files it would have named.
        """
        places = {_place(key) for key in named}
        prefix = f"{layout.logs(self.organization, scope.account)}{scope.region}/"
        keys = {*memory.read_keys(self.source, scope.name), *(key for key in read if key.startswith(prefix))}
        first, last = window.start - _DELIVERY, judged_until(window) - _DELIVERY
        gaps = [(p.start - _DELIVERY, p.end) for p in chain.problems if p.start and p.end and p.kind in _HOLES]
        found = []
        for key in sorted(keys - places):
            made = layout.log_time(key)
            if made and first <= made < last and not any(start <= made <= end for start, end in gaps):
                detail = "no digest names it: AWS did not sign for this file"
                found.append(ChainProblem(kind="unnamed-file", name=key, detail=detail, start=made, end=made))
        return found

    def _read(self, scope: Due, window: Window) -> list[DigestObject]:
        store = connect(self.logs)
        prefix = f"{layout.digests(self.organization, scope.account)}{scope.region}/"
        found: list[DigestObject] = []
        # A digest stands in the folder of the day on which it was delivered, up to an hour or so after its end.
        for day in layout.days((window.start - _AROUND).date(), (window.end + 2 * _AROUND).date()):
            for info in store.walk(prefix + day):
                end = layout.digest_end(info.key)
                if end is None or not window.start - _AROUND <= end <= window.end + _AROUND:
                    continue
                try:
                    body, metadata = store.read_with_metadata(info.key)
                    signature = metadata.get("signature")
                    found.append(DigestObject(bucket=self.logs.bucket, key=info.key, body=body, signature=signature))
                except SourceError as failed:
                    found.append(DigestObject(bucket=self.logs.bucket, key=info.key, error=failed.what))
        return found


_DISTRUSTED = "aws.distrusted"
_HOLES = ("gap", "missing-digest", "unreadable-digest")
_DELIVERY = timedelta(hours=1)
_AROUND = timedelta(hours=2)
"""Digests around the window are read too: the first one in it links to the one before, and the one after carries the
signature of the last."""


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _place(key: str) -> str:
    return key[max(0, key.find("AWSLogs/")) :]


def _by_place(named: Mapping[str, str], read: Mapping[str, str | None]) -> dict[str, str | None]:
    return {key: read[_place(key)] for key in named if _place(key) in read}


def _archived(digest: DigestObject) -> bytes:
    line = {
        "key": digest.key,
        "signature": digest.signature,
        "error": digest.error,
        "body": base64.b64encode(digest.body).decode(),
    }
    return msgspec.json.encode(line) + b"\n"
