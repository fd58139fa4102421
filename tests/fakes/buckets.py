"""Buckets over HTTP: a moto server on a port of its own that counts what is asked, and refuses what it is told to."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote

import botocore.session
from botocore.config import Config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

_CODES = {403: "AccessDenied", 500: "InternalError"}
_STATUS = {403: "403 Forbidden", 500: "500 Internal Server Error"}


class Gate:
    """Stands before the server.

    `asked` lists (method, path); `refused` maps a path to the status that it gets; `unlisted` holds the prefixes whose
    folders may not be listed, as under a bucket policy with a condition on `s3:delimiter`.
    """

    def __init__(self, behind: Callable[..., Iterable[bytes]]) -> None:
        self.behind = behind
        self.asked: list[tuple[str, str]] = []
        self.refused: dict[str, int] = {}
        self.unlisted: set[str] = set()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        path = unquote(environ["PATH_INFO"])
        self.asked.append((environ["REQUEST_METHOD"], path))
        status = self.refused.get(path)
        query = parse_qs(environ["QUERY_STRING"])
        if "delimiter" in query and self.unlisted.intersection(query.get("prefix", ())):
            status = 403
        if status is None:
            return self.behind(environ, start)
        answer = f"<Error><Code>{_CODES[status]}</Code><Message>as told</Message></Error>".encode()
        start(_STATUS[status], [("Content-Type", "application/xml"), ("Content-Length", str(len(answer)))])
        return [answer]


class Buckets:
    """A running server: its address, and its gate."""

    def __init__(self, url: str, gate: Gate) -> None:
        self.url = url
        self.gate = gate
        self.client: Any = botocore.session.Session().create_client(
            "s3",
            region_name="us-east-1",
            endpoint_url=url,
            aws_access_key_id="example",
            aws_secret_access_key="example",
            config=Config(max_pool_connections=8),
        )

    def put(self, bucket: str, objects: Iterable[tuple[str, bytes, dict[str, str]]], **more: Any) -> None:
        """Store objects: key, bytes, metadata."""

        def one(entry: tuple[str, bytes, dict[str, str]]) -> None:
            self.client.put_object(Bucket=bucket, Key=entry[0], Body=entry[1], Metadata=entry[2], **more)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(one, objects))

    def gets(self, bucket: str, within: str = "") -> list[str]:
        """Return the keys of the objects that were fetched and whose key holds a text, in order."""
        start = f"/{bucket}/"
        paths = [path for method, path in self.gate.asked if method == "GET" and path.startswith(start)]
        return [path[len(start) :] for path in paths if within in path and path != start]


@contextmanager
def serving() -> Iterator[Buckets]:
    """Yield buckets, gone afterwards."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    gate = Gate(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, gate, threaded=True, request_handler=MotoRequestHandler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    host, port = server.server_address[:2]
    found = Buckets(f"http://{host!s}:{port}", gate)
    try:
        yield found
    finally:
        found.client.close()
        server.shutdown()
        thread.join()
        server.server_close()
