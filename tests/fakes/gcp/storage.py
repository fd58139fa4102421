"""Cloud Storage on the fake: lists by page, prefix and delimiter, bytes with and without transcoding, uploads, deletions.

https://cloud.google.com/storage/docs/json_api/v1/objects and https://cloud.google.com/storage/docs/transcoding
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tests.fakes.gcp.faults import Fault, answer, told

if TYPE_CHECKING:
    from tests.fakes.gcp.server import GcpFake

_GENERATIONS = count(1700000000000001)
_ROUTES = (
    ("GET", r"/storage/v1/b/([^/]+)/o", "listed"),
    ("GET", r"/storage/v1/b/([^/]+)/o/([^/]+)", "got"),
    ("DELETE", r"/storage/v1/b/([^/]+)/o/([^/]+)", "deleted"),
    ("POST", r"/upload/storage/v1/b/([^/]+)/o", "inserted"),
)


@dataclass
class Stored:
    """`body` is what is stored, packed if `encoding` says so. A `composite` object has no MD5."""

    body: bytes
    encoding: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    composite: bool = False
    generation: int = field(default_factory=lambda: next(_GENERATIONS))


def reply(fake: GcpFake, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes) -> Fault:
    for verb, pattern, name in _ROUTES:
        match = re.fullmatch(pattern, path)
        if match and verb == method:
            one = _Bucket(fake, unquote(match[1]), query, headers, body)
            how: Callable[..., Fault] = getattr(one, name)
            return how(*(unquote(group) for group in match.groups()[1:]))
    return 404, {"Content-Type": "text/html"}, b"Not Found"


@dataclass
class _Bucket:
    fake: GcpFake
    bucket: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def listed(self) -> Fault:
        prefix, delimiter = self.query.get("prefix", ""), self.query.get("delimiter", "")
        if refused := self._refused("list", prefix):
            return refused
        if self.bucket not in self.fake.world.buckets:
            return _error(404, "notFound", "The specified bucket does not exist.")
        rows: dict[str, dict[str, Any] | None] = {}
        for name, stored in self.fake.world.buckets[self.bucket].items():
            if not name.startswith(prefix):
                continue
            inner, found, _ = name[len(prefix) :].partition(delimiter) if delimiter else (name, "", "")
            if found:
                rows[prefix + inner + delimiter] = None
            else:
                rows[name] = self._resource(name, stored)
        names = sorted(rows, key=str.encode)
        start = 0
        if token := self.query.get("pageToken"):
            match = re.fullmatch(r"(\d+)\.(\d+)", token)
            if not match or int(match[1]) != self.fake.generation:
                return _error(400, "invalid", "Invalid argument.")
            start = int(match[2])
        size = min(int(self.query.get("maxResults", 1000)), self.fake.page or 1000)
        part = names[start : start + size]
        page: dict[str, Any] = {"kind": "storage#objects"}
        if start + size < len(names):
            page["nextPageToken"] = f"{self.fake.generation}.{start + size}"
        if prefixes := [name for name in part if rows[name] is None]:
            page["prefixes"] = prefixes
        if items := [row for name in part if (row := rows[name])]:
            page["items"] = items
        return answer(page)

    def got(self, name: str) -> Fault:
        media = self.query.get("alt") == "media"
        if refused := self._refused("get", name):
            return refused
        stored = self.fake.world.buckets.get(self.bucket, {}).get(name)
        if stored is None or self.query.get("generation", str(stored.generation)) != str(stored.generation):
            gone = f"No such object: {self.bucket}/{name}"
            return (404, {"Content-Type": "text/html"}, gone.encode()) if media else _error(404, "notFound", gone)
        if not media:
            return answer(self._resource(name, stored))
        hashes = "crc32c=AAAAAA==" if stored.composite else f"crc32c=AAAAAA==,md5={_md5(stored.body)}"
        told = {
            "Content-Type": "application/octet-stream",
            "x-goog-generation": str(stored.generation),
            "x-goog-hash": hashes,
            "x-goog-stored-content-encoding": stored.encoding or "identity",
        }
        if stored.encoding == "gzip" and "gzip" not in self.headers.get("accept-encoding", ""):
            return 200, told, gzip.decompress(stored.body)
        return 200, {**told, "Content-Encoding": stored.encoding} if stored.encoding else told, stored.body

    def inserted(self) -> Fault:
        name = self.query["name"]
        objects = self.fake.world.buckets.get(self.bucket)
        for verb in ("create", "delete") if objects is not None and name in objects else ("create",):
            if refused := self._refused(verb, name):
                return refused
        if objects is None:
            return _error(404, "notFound", "The specified bucket does not exist.")
        assert self.query["uploadType"] == "media"
        objects[name] = Stored(self.body)
        return answer(self._resource(name, objects[name]))

    def deleted(self, name: str) -> Fault:
        if refused := self._refused("delete", name):
            return refused
        if self.fake.world.buckets.get(self.bucket, {}).pop(name, None) is None:
            return _error(404, "notFound", f"No such object: {self.bucket}/{name}")
        return 204, {}, b""

    def _refused(self, verb: str, name: str) -> Fault | None:
        permission, where = f"storage.objects.{verb}", f"gs://{self.bucket}/{name}"
        if not {permission, f"{permission} on {where}"} & self.fake.world.denied:
            return None
        what = f"reader@example does not have {permission} access to the Google Cloud Storage object."
        return _error(403, "forbidden", what)

    def _resource(self, name: str, stored: Stored) -> dict[str, Any]:
        found: dict[str, Any] = {
            "kind": "storage#object",
            "name": name,
            "bucket": self.bucket,
            "generation": str(stored.generation),
            "size": str(len(stored.body)),
        }
        if not stored.composite:
            found["md5Hash"] = _md5(stored.body)
        if stored.encoding:
            found["contentEncoding"] = stored.encoding
        if stored.metadata:
            found["metadata"] = stored.metadata
        return found


def _error(status: int, reason: str, message: str) -> Fault:
    """https://cloud.google.com/storage/docs/json_api/v1/status-codes"""
    code, headers, body = told(status, message)
    error = {**json.loads(body)["error"], "errors": [{"message": message, "domain": "global", "reason": reason}]}
    return code, headers, json.dumps({"error": error}).encode()


def _md5(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body).digest()).decode()
