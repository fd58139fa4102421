"""A moto server of IAM on a port of its own: populated, paged as AWS pages, and refusing what it is told to refuse."""

from __future__ import annotations

import io
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import parse_qsl
from xml.etree import ElementTree as ET

import botocore.session
from moto.iam.models import AWSManagedPolicy, get_account_id_from, iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from tests.fakes.iam_account import ACCOUNT, BORN, GITHUB, GITLAB, GROUPS, MANAGED, PLANTED, PROVIDED, Planted

DETAILS = "GetAccountAuthorizationDetails"
_LISTS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
_REASONS = {
    400: "400 Bad Request",
    403: "403 Forbidden",
    404: "404 Not Found",
    410: "410 Gone",
    500: "500 Internal Server Error",
}


class Fault(NamedTuple):
    """What is refused: an operation, in one account or in all, at every call or at the nth (from 1) alone."""

    operation: str
    status: int = 403
    code: str = "AccessDenied"
    account: str = ""
    nth: int = 0


class Gate:
    """Stands before the server. `asked` lists (account, operation, parameters); `page` is how many entries a page has.

    `faults` are refused; `answers` gives an operation's answer in place of moto: from its parameters, status and body.
    """

    def __init__(self, behind: Callable[..., Iterable[bytes]]) -> None:
        self.behind = behind
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.faults: list[Fault] = []
        self.answers: dict[str, Callable[[dict[str, str]], tuple[int, str]]] = {}
        self.page = 0
        self._counts: Counter[tuple[str, str]] = Counter()

    def reset(self) -> None:
        """Refuse nothing, page nothing, and forget what was asked."""
        self.__init__(self.behind)  # type: ignore[misc]

    def calls(self, operation: str, account: str = "") -> list[dict[str, str]]:
        """Return the parameters of each call of an operation, in order."""
        return [sent for who, called, sent in self.asked if called == operation and account in ("", who)]

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        target = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        sent = {
            name: str(value)
            for name, value in (json.loads(body or b"{}") if target else dict(parse_qsl(body.decode()))).items()
        }
        operation = target or sent.get("Action", "")
        key = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].partition("/")[0]
        account = get_account_id_from(key) if operation != "AssumeRole" else ""
        self.asked.append((account, operation, sent))
        self._counts[account, operation] += 1
        for fault in self.faults:
            if self._strikes(fault, account, operation):
                return _refused(fault, bool(target), start)
        if operation in self.answers:
            status, text = self.answers[operation](sent)
            return _plain(start, _REASONS.get(status, "200 OK"), text.encode())
        if operation == DETAILS and self.page:
            return self._paged(environ, start, int(sent.get("Marker", "0")))
        return self.behind(environ, start)

    def _strikes(self, fault: Fault, account: str, operation: str) -> bool:
        there = fault.operation == operation and fault.account in ("", account)
        return there and fault.nth in (0, self._counts[account, operation])

    def _paged(self, environ: dict[str, Any], start: Callable[..., Any], first: int) -> list[bytes]:
        """Answer one page of what moto answers whole: entries first to first + page, in the order of the lists."""
        whole = ET.fromstring(b"".join(self.behind(environ, lambda *_: None)))
        space = whole.tag.partition("}")[0] + "}"
        (result,) = whole.findall(f"{space}{DETAILS}Result")
        entries = [(parent, one) for name in _LISTS for parent in result.findall(space + name) for one in parent]
        for n, (parent, one) in enumerate(entries):
            if not first <= n < first + self.page:
                parent.remove(one)
        more = first + self.page < len(entries)
        for told in result.findall(f"{space}IsTruncated"):
            told.text = "true" if more else "false"
        if more:
            ET.SubElement(result, f"{space}Marker").text = str(first + self.page)
        return _plain(start, "200 OK", ET.tostring(whole))


def _plain(start: Callable[..., Any], status: str, body: bytes) -> list[bytes]:
    start(status, [("Content-Type", "text/xml"), ("Content-Length", str(len(body)))])
    return [body]


def _refused(fault: Fault, is_json: bool, start: Callable[..., Any]) -> list[bytes]:
    text = f"<ErrorResponse><Error><Code>{fault.code}</Code><Message>as told</Message></Error></ErrorResponse>"
    if is_json:
        text = json.dumps({"__type": fault.code, "message": "as told"})
    return _plain(start, _REASONS[fault.status], text.encode())


class Server(NamedTuple):
    """A running server: its address, and its gate."""

    url: str
    gate: Gate

    def client(self, name: str, account: str = ACCOUNT) -> Any:
        """Return a client that acts in an account."""
        session = botocore.session.Session()
        where = {"region_name": "us-east-1", "endpoint_url": self.url}
        own = session.create_client("sts", **where, aws_access_key_id="example", aws_secret_access_key="example")
        given = own.assume_role(RoleArn=f"arn:aws:iam::{account}:role/setup", RoleSessionName="setup")["Credentials"]
        return session.create_client(
            name,
            **where,
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )


@contextmanager
def serving() -> Iterator[Server]:
    """Yield a server, gone afterwards."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    gate = Gate(DomainDispatcherApplication(create_backend_app))
    running = make_server("127.0.0.1", 0, gate, threaded=True, request_handler=MotoRequestHandler)
    thread = Thread(target=running.serve_forever, daemon=True)
    thread.start()
    host, port = running.server_address[:2]
    try:
        yield Server(f"http://{host!s}:{port}", gate)
    finally:
        running.shutdown()
        thread.join()
        running.server_close()


def populate(server: Server) -> None:
    """Plant all identities of iam_account, with their providers, policies and groups, in its account."""
    iam = server.client("iam")
    for issuer in (GITHUB, GITLAB):
        iam.create_open_id_connect_provider(
            Url=f"https://{issuer}", ClientIDList=["sts.amazonaws.com"], ThumbprintList=["0" * 40]
        )
    iam.create_saml_provider(Name="example-idp", SAMLMetadataDocument="<example/>" * 200)
    for name, content in MANAGED.items():
        iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(content))
    backend = iam_backends[ACCOUNT]["aws"]
    for arn, content in PROVIDED.items():
        # Of its own policies AWS lists those that are attached, moto lists all or none.
        data = {"DefaultVersionId": "v1", "Path": "/", "Document": content}
        made = dict.fromkeys(("CreateDate", "UpdateDate"), BORN.isoformat())
        name = arn.rpartition("/")[2]
        backend.managed_policies[arn] = AWSManagedPolicy.from_data(name, ACCOUNT, "us-east-1", data | made)
    for name, policies in GROUPS.items():
        iam.create_group(GroupName=name)
        for policy, content in policies.items():
            iam.put_group_policy(GroupName=name, PolicyName=policy, PolicyDocument=json.dumps(content))
    iam.attach_group_policy(GroupName="admins", PolicyArn=next(iter(PROVIDED)))
    for one in PLANTED:
        _plant(iam, one)
    for thing in (*backend.users.values(), *backend.roles.values(), *backend.access_keys.values()):
        thing.create_date = BORN


def _plant(iam: Any, one: Planted) -> None:
    kind, who = ("role", {"RoleName": one.name}) if one.trust else ("user", {"UserName": one.name})
    more = {"PermissionsBoundary": _managed(one.boundary)} if one.boundary else {}
    if one.trust:
        more["AssumeRolePolicyDocument"] = json.dumps(one.trust)
    getattr(iam, f"create_{kind}")(**who, Path=one.path, **more)
    for name, content in one.policies.items():
        put = getattr(iam, f"put_{kind}_policy")
        put(**who, PolicyName=name, PolicyDocument=json.dumps(content))
    for name in one.attached:
        getattr(iam, f"attach_{kind}_policy")(**who, PolicyArn=_managed(name))
    for group in one.groups:
        iam.add_user_to_group(GroupName=group, **who)
    for active in one.keys:
        key = iam.create_access_key(**who)["AccessKey"]["AccessKeyId"]
        if not active:
            iam.update_access_key(**who, AccessKeyId=key, Status="Inactive")
    if one.password:
        iam.create_login_profile(**who, Password="example-Password-1")
    if one.mfa:
        iam.enable_mfa_device(
            **who,
            SerialNumber=f"arn:aws:iam::{ACCOUNT}:mfa/{one.name}",
            AuthenticationCode1="123456",
            AuthenticationCode2="654321",
        )
    if one.profile:
        iam.create_instance_profile(InstanceProfileName=one.name)
        iam.add_role_to_instance_profile(InstanceProfileName=one.name, **who)


def _managed(name: str) -> str:
    return name if name.startswith("arn:") else f"arn:aws:iam::{ACCOUNT}:policy/{name}"
