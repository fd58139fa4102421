"""The questions to Cloud Storage: a page of a list, what is told of an object, its bytes, storing it and removing it.

List: https://cloud.google.com/storage/docs/json_api/v1/objects/list
Get, `alt=media` too: https://cloud.google.com/storage/docs/json_api/v1/objects/get
Upload: https://cloud.google.com/storage/docs/json_api/v1/objects/insert and https://cloud.google.com/storage/docs/uploading-objects
Delete: https://cloud.google.com/storage/docs/json_api/v1/objects/delete
Names in paths: https://cloud.google.com/storage/docs/request-endpoints#encoding

What an object holds is no JSON, and what it is called comes from outside: a name is one step of a path, whatever it holds.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from monitor.errors import Malformed
from monitor.sources.gcp.wire import Again, Question, Reply, plain

SOURCE = "gcp.storage"
MOST_LISTED = "1000"
"""Objects and folders of one page; the API gives no more."""
MAX_OBJECT = 2**30
_SERVICE = "storage"
_LIST_FIELDS = "items(name,size),prefixes,nextPageToken"


class ObjectQuestion(Question, frozen=True, kw_only=True):
    """A question to Cloud Storage, whose answer is read by whoever asks."""

    where: str

    @property
    def told(self) -> str:
        """Return how it is named to a person."""
        return f"{self.name} {self.where}"

    def found(self, reply: Reply) -> dict[str, Any]:
        """Return nothing: the body is read elsewhere."""
        return {}


class Media(ObjectQuestion, frozen=True, kw_only=True):
    """Asks for an object's bytes as they are stored."""

    most: ClassVar[int] = MAX_OBJECT
    stored: ClassVar[bool] = True

    @property
    def headers(self) -> Mapping[str, str]:
        """Ask for what is stored: without this, an object with `Content-Encoding: gzip` comes unpacked.

        https://cloud.google.com/storage/docs/transcoding#decompressive_transcoding
        """
        return {"Accept": "*/*", "Accept-Encoding": "gzip"}

    def found(self, reply: Reply) -> dict[str, Any]:
        """Return nothing, once the bytes are those that are stored. Raises Again: what was damaged on its way may come whole.

        A composite object has no MD5: https://cloud.google.com/storage/docs/hashes-etags
        """
        for one in reply.headers.get("x-goog-hash", "").split(","):
            kind, _, value = one.strip().partition("=")
            if kind == "md5" and value != md5(reply.body):
                what = f"{self.told}: the bytes are not those that are stored (MD5)"
                raise Again(what, source=SOURCE, scope=self.scope, todo="see what lies between here and Cloud Storage")
        return {}


class Upload(ObjectQuestion, frozen=True, kw_only=True):
    """Asks to store an object."""

    body: bytes

    @property
    def sent(self) -> bytes:
        """Return the bytes of the object."""
        return self.body

    @property
    def headers(self) -> Mapping[str, str]:
        """Say that the bytes are nothing but bytes."""
        return {"Content-Type": "application/octet-stream"}


def listed(bucket: str, prefix: str, *, delimiter: str = "") -> ObjectQuestion:
    """Return the question for what is under a prefix, sorted by name; with a delimiter, for the folders."""
    where = _where(bucket, prefix)
    asked = {"prefix": prefix, "delimiter": delimiter, "fields": _LIST_FIELDS, "maxResults": MOST_LISTED}
    return ObjectQuestion(
        **_ask("list", "GET", f"/storage/v1/b/{_step(bucket, where)}/o", asked, "storage.objects.list", where)
    )


def described(bucket: str, key: str) -> ObjectQuestion:
    """Return the question for the metadata of an object, and which generation of it has them."""
    return ObjectQuestion(**_object("get", "GET", bucket, key, {"fields": "generation,metadata"}))


def media(bucket: str, key: str, *, generation: str = "") -> Media:
    """Return the question for an object's bytes, those of one generation if it is given."""
    return Media(**_object("get", "GET", bucket, key, {"alt": "media", "generation": generation}))


def upload(bucket: str, key: str, body: bytes) -> Upload:
    """Return the question that stores an object."""
    where = _where(bucket, key)
    _step(key, where)
    path = f"/upload/storage/v1/b/{_step(bucket, where)}/o"
    asked = {"uploadType": "media", "name": key, "fields": "md5Hash"}
    # To replace an object takes the permission to delete it too.
    permission = "storage.objects.create (and storage.objects.delete to replace)"
    return Upload(**_ask("insert", "POST", path, asked, permission, where), body=body)


def removal(bucket: str, key: str) -> ObjectQuestion:
    """Return the question that removes an object."""
    return ObjectQuestion(**_object("delete", "DELETE", bucket, key, {}))


def md5(body: bytes) -> str:
    """Return the MD5 as Cloud Storage writes it. It tells damage, and proves nothing."""
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def _object(verb: str, method: str, bucket: str, key: str, asked: dict[str, str]) -> dict[str, Any]:
    where = _where(bucket, key)
    path = f"/storage/v1/b/{_step(bucket, where)}/o/{_step(key, where)}"
    return _ask(verb, method, path, asked, f"storage.objects.{verb}", where)


def _ask(verb: str, method: str, path: str, asked: dict[str, str], permission: str, where: str) -> dict[str, Any]:
    pairs = sorted((name, value) for name, value in asked.items() if value)
    return {
        "name": f"storage.objects.{verb}",
        "service": _SERVICE,
        "method": method,
        "path": f"{path}?{urlencode(pairs)}" if pairs else path,
        "scope": where,
        "permission": f"{permission} on {where}",
        "where": where,
    }


def _where(bucket: str, key: str) -> str:
    """Return the address of an object or a prefix, for people. Malformed for a name that no object can have.

    Names are UTF-8 (https://cloud.google.com/storage/docs/objects#naming), and not every text of ours is.
    """
    where = f"gs://{bucket}/{key}"
    try:
        where.encode()
    except UnicodeEncodeError as broken:
        raise Malformed(f"{where[:200]!a} is not the name of an object", source=SOURCE) from broken
    return plain(where)


def _step(name: str, where: str) -> str:
    """Return a name as one step of a path. No object is called `.` or `..`: a step so called leads elsewhere."""
    if name in ("", ".", ".."):
        raise Malformed(f"{where[:200]!a} is not the name of an object", source=SOURCE, scope=where)
    return quote(name, safe="")
