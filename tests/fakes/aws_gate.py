"""A moto server of AWS on a port of its own, in front of which a gate refuses single permissions, as IAM would."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import botocore.session
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

_S3 = {
    "policyStatus": "GetBucketPolicyStatus",
    "publicAccessBlock": "GetBucketPublicAccessBlock",
    "ownershipControls": "GetBucketOwnershipControls",
    "lifecycle": "GetLifecycleConfiguration",
    "versioning": "GetBucketVersioning",
    "list-type": "ListBucket",
}
_MADE = {
    # Moto does not know these.
    "ListPublicKeys": {"PublicKeyList": []},
    "GenerateServiceLastAccessedDetails": "<GenerateServiceLastAccessedDetailsResponse><GenerateServiceLastAccessedDetailsResult>"
    "<JobId>11111111-2222-3333-4444-555555555555</JobId></GenerateServiceLastAccessedDetailsResult>"
    "</GenerateServiceLastAccessedDetailsResponse>",
    "GetServiceLastAccessedDetails": "<GetServiceLastAccessedDetailsResponse><GetServiceLastAccessedDetailsResult>"
    "<JobStatus>COMPLETED</JobStatus></GetServiceLastAccessedDetailsResult></GetServiceLastAccessedDetailsResponse>",
}


class Gate:
    """`denied` holds actions (`iam:ListSAMLProviders`) that are refused; `asked` lists what was asked; `date` replaces the clock."""

    def __init__(self, behind: Callable[..., Iterable[bytes]]) -> None:
        self.behind = behind
        self.denied: set[str] = set()
        self.asked: list[str] = []
        self.date = ""

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        service, operation = _called(environ, body)
        action = f"{service}:{operation}"
        self.asked.append(action)

        is_json = bool(environ.get("HTTP_X_AMZ_TARGET"))
        if action in self.denied:
            text = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>as told</Message></Error></ErrorResponse>"
            if service == "s3":
                text = "<Error><Code>AccessDenied</Code><Message>as told</Message></Error>"
            if is_json:
                text = json.dumps({"__type": "AccessDeniedException", "message": "as told"})
            return _sent(start, "403 Forbidden", text)
        made = _MADE.get(operation)
        if made is not None:
            return _sent(start, "200 OK", made if isinstance(made, str) else json.dumps(made))
        return self.behind(environ, start)


def _called(environ: dict[str, Any], body: bytes) -> tuple[str, str]:
    # The scope of the signature names the service: KEY/20260314/us-east-1/iam/aws4_request
    service = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].partition(",")[0].split("/")[3:4]
    target = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
    if target:
        return service[0], target
    if service != ["s3"]:
        return (service or [""])[0], dict(parse_qsl(body.decode())).get("Action", "")
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    return "s3", next((name for key, name in _S3.items() if key in query), "GetObject")


def _sent(start: Callable[..., Any], status: str, text: str) -> list[bytes]:
    start(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(text.encode())))])
    return [text.encode()]


class Aws:
    """A running server: its address and its gate."""

    def __init__(self, url: str, gate: Gate) -> None:
        self.url = url
        self.gate = gate

    def client(self, service: str, account: str) -> Any:
        """Return a client that acts in an account."""
        session = botocore.session.Session()
        where = {"region_name": "us-east-1", "endpoint_url": self.url}
        own = session.create_client("sts", **where, aws_access_key_id="example", aws_secret_access_key="example")
        given = own.assume_role(RoleArn=f"arn:aws:iam::{account}:role/setup", RoleSessionName="setup")["Credentials"]
        return session.create_client(
            service,
            **where,
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )


@contextmanager
def serving() -> Iterator[Aws]:
    """Yield a server, gone afterwards."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    gate = Gate(DomainDispatcherApplication(create_backend_app))

    class Handler(MotoRequestHandler):
        def date_time_string(self, timestamp: float | None = None) -> str:
            return gate.date or super().date_time_string(timestamp)

    running = make_server("127.0.0.1", 0, gate, threaded=True, request_handler=Handler)
    thread = Thread(target=running.serve_forever, daemon=True)
    thread.start()
    host, port = running.server_address[:2]
    try:
        yield Aws(f"http://{host!s}:{port}", gate)
    finally:
        running.shutdown()
        thread.join()
        running.server_close()
