"""A bucket of Cloud Storage as a store of objects. Needs storage.objects.list and storage.objects.get.

Whoever writes there needs storage.objects.create too, and storage.objects.delete to replace or remove:
https://cloud.google.com/storage/docs/access-control/iam-json
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from monitor.errors import Malformed, SourceError, Throttled, Unavailable
from monitor.sources.gcp import gcs_wire
from monitor.sources.gcp.client import GcpClient, GcpConnection, connect
from monitor.sources.gcp.gcs_wire import SOURCE, ObjectQuestion
from monitor.sources.gcp.transport import API
from monitor.sources.gcp.wire import Missing, Reply, outward
from monitor.sources.objects import Location, ObjectInfo

T = TypeVar("T")


class _Item(msgspec.Struct, frozen=True):
    name: str
    size: str


class _Page(msgspec.Struct, frozen=True):
    """What of a page is read: https://cloud.google.com/storage/docs/json_api/v1/objects/list#response."""

    items: list[_Item] = []
    prefixes: list[str] = []
    nextPageToken: str = ""


class _Object(msgspec.Struct, frozen=True):
    """What of an object is read: https://cloud.google.com/storage/docs/json_api/v1/objects#resource."""

    generation: str = ""
    metadata: dict[str, str] = {}
    md5Hash: str = ""


class GcsObjects:
    """Objects under a prefix of a bucket; keys are relative to the prefix. Thread-safe."""

    def __init__(self, location: Location, client: GcpClient | None = None) -> None:
        """`client`: who asks; None: one of its own, by the location's credentials. Raises ConfigError."""
        self.location = location
        self.client = client or _client(location)

    def walk(self, prefix: str) -> Iterator[ObjectInfo]:
        """Yield every object under a prefix, sorted by key, over all pages."""
        start, cut = self.location.prefix + prefix, len(self.location.prefix)
        for ask, page in self._pages(start):
            for found in page.items:
                if not found.name.startswith(start) or not (found.size.isascii() and found.size.isdigit()):
                    raise self._foreign(ask)
                yield ObjectInfo(found.name[cut:], int(found.size))

    def folders(self, prefix: str) -> list[str]:
        """Return the names of the folders directly under a prefix."""
        start, names = self.location.prefix + prefix, []
        for ask, page in self._pages(start, "/"):
            if not all(one.startswith(start) and one.endswith("/") for one in page.prefixes):
                raise self._foreign(ask)
            names += [one[len(start) : -1] for one in page.prefixes]
        return names

    def read(self, key: str) -> bytes:
        """Return an object's exact bytes, as they are stored: compressed, if they were stored so."""
        return self._object(gcs_wire.media(self.location.bucket, self.location.prefix + key)).body

    def read_with_metadata(self, key: str) -> tuple[bytes, dict[str, str]]:
        """Return an object's exact bytes and the metadata of that very generation of it, names in lower case."""
        full = self.location.prefix + key
        ask = gcs_wire.described(self.location.bucket, full)
        told = self._decoded(ask, self._object(ask), _Object)
        body = self._object(gcs_wire.media(self.location.bucket, full, generation=told.generation)).body
        return body, {name.lower(): value for name, value in told.metadata.items()}

    def write(self, key: str, body: bytes) -> None:
        """Store an object; a bucket does so whole or not at all."""
        ask = gcs_wire.upload(self.location.bucket, self.location.prefix + key, body)
        told = self._decoded(ask, self._bucket(ask), _Object)
        if told.md5Hash not in ("", gcs_wire.md5(body)):
            what = f"{ask.told}: what is stored is not what was sent (MD5)"
            raise Unavailable(what, source=SOURCE, scope=ask.scope, todo="write it again")

    def delete(self, key: str) -> None:
        """Remove an object if it is there."""
        try:
            self._fetch(gcs_wire.removal(self.location.bucket, self.location.prefix + key))
        except Missing:
            pass

    def _pages(self, prefix: str, delimiter: str = "") -> Iterator[tuple[ObjectQuestion, _Page]]:
        first = gcs_wire.listed(self.location.bucket, prefix, delimiter=delimiter)
        ask, seen = first, set[str]()
        while True:
            page = self._decoded(ask, self._bucket(ask), _Page)
            yield ask, page
            token = page.nextPageToken
            if not token:
                return
            if token in seen:
                what = f"{ask.told}: the pages do not end (after {len(seen) + 1})"
                raise Malformed(what, source=SOURCE, scope=ask.scope, todo="sweep again")
            seen.add(token)
            ask = msgspec.structs.replace(ask, path=first.page(token).path)

    def _object(self, ask: ObjectQuestion) -> Reply:
        try:
            return self._fetch(ask)
        except Missing as gone:
            raise Unavailable(f"{ask.where} is gone", source=SOURCE, scope=ask.scope, todo="sweep again") from gone

    def _bucket(self, ask: ObjectQuestion) -> Reply:
        try:
            return self._fetch(ask)
        except Missing as gone:
            todo = "see whether the bucket is there, and spelt so"
            what = f"there is no bucket gs://{self.location.bucket}"
            raise Unavailable(what, source=SOURCE, scope=ask.scope, todo=todo) from gone

    def _fetch(self, ask: ObjectQuestion) -> Reply:
        try:
            return self.client.fetch(ask)
        except Throttled as limit:
            # Until when is told by a clock that only counts on, see below.
            what = f"{ask.told}: over the quota for longer than may be waited"
            todo = "sweep again later, or have the quota raised"
            raise Throttled(what, source=SOURCE, scope=ask.scope, todo=todo) from limit
        except Missing:
            raise
        except SourceError as failed:
            raise outward(failed, SOURCE) from failed

    def _decoded(self, ask: ObjectQuestion, reply: Reply, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(reply.body, type=kind)
        except (ValueError, RecursionError):
            broken = self._foreign(ask)
        # Outside of the handler, so that the body does not hang on the error's context.
        raise broken

    def _foreign(self, ask: ObjectQuestion) -> Malformed:
        what = f"{ask.told}: the answer is not what Cloud Storage documents"
        return Malformed(what, source=SOURCE, scope=ask.scope, todo="see what stands in Cloud Storage's place")


def _client(location: Location) -> GcpClient:
    access = location.google
    settings = GcpConnection(
        api=access.api or API,
        credentials=Path(access.credentials) if access.credentials else None,
        impersonate=access.impersonate,
    )
    return connect(settings, clock=_counting, sleep=time.sleep, told=lambda text: None, replay=None)


def _counting() -> datetime:
    """Return a moment of no calendar: only the time between two is asked for, and the clock is the command line's to read."""
    return datetime.fromtimestamp(time.monotonic(), UTC)
