"""GitHub's API asked over real HTTP: limits, faults, pages, credentials, and a reading that goes on where it was cut off."""

from __future__ import annotations

import gzip
import json
import logging
import re
import socket
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from monitor.errors import Denied, Malformed, SourceError, Throttled, Unavailable
from monitor.sources import replay as folder
from monitor.sources.github import transport
from monitor.sources.github.client import Access, Answer, GitHub
from tests.unit.github_client.forge import AT, ORG, SCOPE, TOKEN, Asked, Sent, Time, client, forge, script

REPO = f"/repos/{ORG}/payments"
KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
APP = {"token": "", "app_id": 7, "app_key": PEM}


@pytest.fixture(autouse=True)
def no_proxy_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that answers nothing: what is asked of the loopback must not go there."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://user:proxy-password@127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


def get(one: GitHub, path: str = REPO, **more: Any) -> Answer:
    return one.get(path, scope=SCOPE, permission="administration:read", **more)


def pages(one: GitHub, path: str, **more: Any) -> list[Answer]:
    return list(one.pages(path, scope=SCOPE, permission="metadata:read", **more))


class Organisation:
    """Answers as an app's organisation does; `life` is how long a token lives, `now` its clock."""

    def __init__(self, time: Time, *, life: timedelta = timedelta(hours=1), installed: bool = True) -> None:
        self.time, self.life, self.installed = time, life, installed
        self.tokens: list[str] = []
        self.revoked: set[str] = set()
        self.permissions = {"administration": "read", "metadata": "read"}
        self.selection = "all"

    def __call__(self, asked: Asked) -> Sent:
        path = asked.path.partition("?")[0]
        bearer = asked.headers["authorization"].removeprefix("Bearer ")
        if path in (f"/orgs/{ORG}/installation", "/app/installations/42/access_tokens"):
            claims = jwt.decode(
                bearer, KEY.public_key(), algorithms=["RS256"], options={"verify_exp": False, "verify_iat": False}
            )
            now = self.time.clock().timestamp()
            assert claims["iss"] == "7"
            assert claims["iat"] <= now - 60
            assert now < claims["exp"] <= now + 600
            if not self.installed:
                return Sent(404, {"message": "Not Found"})
            if asked.method == "GET":
                return Sent(200, {"id": 42, "app_slug": "control-monitor"})
            self.tokens.append(f"ghs_secret{len(self.tokens)}")
            return Sent(
                201,
                {
                    "token": self.tokens[-1],
                    "expires_at": (self.time.clock() + self.life).strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "permissions": self.permissions,
                    "repository_selection": self.selection,
                },
            )
        if bearer not in self.tokens or bearer in self.revoked:
            return Sent(401, {"message": "Bad credentials"})
        return Sent(200, {"path": asked.path})


# What is sent, and what is kept.


def test_a_question_has_the_documented_headers_and_its_answer_is_kept_byte_for_byte():
    body = b'{ "b": 1,\n "a": "\\u00e9" }'
    with forge(script(Sent(200, body))) as server, client(server.api) as one:
        answer = get(one, params={"per_page": "100", "a": "x y"})

    asked = server.asked[0]
    assert asked.path == f"{REPO}?a=x+y&per_page=100"
    assert asked.headers["accept"] == "application/vnd.github+json"
    assert asked.headers["x-github-api-version"] == "2022-11-28"
    assert asked.headers["user-agent"] == "control-monitor"
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    kept = one.captures[0]
    assert (answer.status, answer.body, answer.at, answer.next) == (200, body, AT, "")
    assert answer.evidence == (kept.ref,)
    assert (kept.source, kept.name, kept.scope, kept.status, kept.at) == ("github", f"GET {REPO}", SCOPE, 200, AT)
    assert kept.request == {"host": server.api.removeprefix("http://"), "method": "GET", "path": asked.path}
    assert kept.body == body
    assert one.requests == 1


def test_a_compressed_answer_is_kept_as_what_it_says():
    sent = Sent(200, gzip.compress(b"[1]"), {"Content-Encoding": "gzip"})
    with forge(script(sent)) as server, client(server.api) as one:
        assert get(one).body == b"[1]"


def test_a_query_is_sent_with_its_variables_and_kept_by_its_digest():
    query = "query($o: String!) { organization(login: $o) { id } }"
    with forge(script(Sent(200, {"data": {"organization": {"id": "O_1"}}}))) as server, client(server.api) as one:
        answer = one.graphql(query, {"o": ORG, "after": None}, scope="github:example-org")

    asked, kept = server.asked[0], one.captures[0]
    assert (asked.method, asked.path, asked.headers["content-type"]) == ("POST", "/graphql", "application/json")
    assert json.loads(asked.body) == {"query": query, "variables": {"after": None, "o": ORG}}
    assert kept.name == "POST /graphql"
    assert kept.request["query_sha256"] == sha256(query.encode()).hexdigest()
    assert kept.request["variables"] == '{"after":null,"o":"example-org"}'
    assert answer.evidence == (kept.ref,)


def test_an_enterprise_server_is_asked_below_its_api_and_its_graphql_beside_it():
    def answer(asked: Asked) -> Sent:
        if asked.method == "POST":
            return Sent(200, {"data": {}})
        link = f'<http://{asked.headers["host"]}/api/v3/x?page=2>; rel="next"'
        return Sent(200, [], {} if "page=2" in asked.path else {"Link": link})

    with forge(answer) as server, client(f"{server.api}/api/v3/") as one:
        pages(one, "/x")
        one.graphql("query { viewer { login } }", {}, scope=SCOPE)

    assert server.paths() == ["/api/v3/x", "/api/v3/x?page=2", "/api/graphql"]
    assert [kept.request["path"] for kept in one.captures] == ["/x", "/x?page=2", "/graphql"]


# Pages.


def test_pages_are_read_to_the_last():
    def answer(asked: Asked) -> Sent:
        number = int((re.search(r"page=(\d+)", asked.path) or [0, "1"])[1])
        link = f'<http://{asked.headers["host"]}/x?page={number + 1}&q=a>; rel="next"'
        return Sent(200, [number], {"Link": link} if number < 4 else {})

    with forge(answer) as server, client(server.api) as one:
        found = pages(one, "/x", params={"q": "a"})

    assert [page.body for page in found] == [b"[1]", b"[2]", b"[3]", b"[4]"]
    assert [page.next for page in found] == ["/x?page=2&q=a", "/x?page=3&q=a", "/x?page=4&q=a", ""]


@pytest.mark.parametrize("circle", [True, False])
def test_pages_that_never_end_are_malformed(circle: bool):
    count = Counter[str]()

    def answer(asked: Asked) -> Sent:
        count["asked"] += 1
        link = "/x" if circle else f"/x?after={count['asked']}"
        return Sent(200, [], {"Link": f'<{link}>; rel="next"'})

    with forge(answer) as server, client(server.api) as one, pytest.raises(Malformed, match="do not end"):
        pages(one, "/x", most=20)

    assert len(server.asked) == (1 if circle else 20)


def test_a_next_page_that_leads_to_another_host_is_asked_of_ours():
    with forge(script(Sent())) as elsewhere:
        link = f'<{elsewhere.api}/x?page=2>; rel="next"'
        with forge(script(Sent(200, [], {"Link": link}), Sent())) as server, client(server.api) as one:
            pages(one, "/x")

    assert server.paths() == ["/x", "/x?page=2"]
    assert elsewhere.asked == []


# Limits.


def test_a_primary_limit_is_waited_out_and_told():
    time = Time()
    reset = str(int((AT + timedelta(seconds=89)).timestamp()))
    limit = Sent(
        403, {"message": "API rate limit exceeded"}, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
    )
    with forge(script(limit, Sent(200, b"[1]"))) as server, client(server.api, time) as one:
        answer = get(one)

    assert (answer.body, answer.at) == (b"[1]", AT + timedelta(seconds=90))
    assert time.told[0] == "github: waiting 90 s for the rate limit"
    assert len(time.told) == 3
    assert len(one.captures) == 1, "a limit is no answer"


def test_a_secondary_limit_is_a_minute_at_least_and_longer_each_time():
    time = Time()
    limit = Sent(403, {"message": "You have exceeded a secondary rate limit. Please wait."})
    with forge(script(limit, limit, limit, Sent())) as server, client(server.api, time) as one:
        get(one)

    assert time.passed == 60 + 120 + 240


def test_more_limits_than_attempts_are_no_reason_to_give_up():
    time = Time()
    limits = [Sent(429, b"", {"Retry-After": "100"})] * 9
    with forge(script(*limits, Sent())) as server, client(server.api, time, attempts=2) as one:
        get(one)

    assert time.passed >= 900


def test_a_limit_of_graphql_is_waited_out():
    time = Time()
    reset = str(int((AT + timedelta(seconds=9)).timestamp()))
    limit = Sent(
        200,
        {"data": None, "errors": [{"type": "RATE_LIMITED", "message": "x"}]},
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset},
    )
    with forge(script(limit, Sent(200, {"data": {}}))) as server, client(server.api, time) as one:
        one.graphql("query { viewer { login } }", {}, scope=SCOPE)

    assert time.passed == 10


def test_a_limit_that_outlasts_the_patience_is_throttled_and_nobody_asks_until_it_is_over():
    time = Time()
    limit = Sent(429, b"", {"Retry-After": "4000"})
    with forge(script(limit, Sent())) as server, client(server.api, time) as one:
        for path in (REPO, "/x", "/y"):
            with pytest.raises(Throttled) as error:
                get(one, path)
        assert len(server.asked) == 1
        assert time.slept == []
        time.now += timedelta(seconds=4000)
        get(one)

    assert error.value.scope == SCOPE
    assert error.value.source == "github"


def test_all_threads_wait_while_a_limit_holds():
    time = Time()
    asked_at: list[datetime] = []

    def answer(asked: Asked) -> Sent:
        asked_at.append(time.clock())
        return Sent(429, b"", {"Retry-After": "50"}) if len(asked_at) == 1 else Sent(200, {"path": asked.path})

    with forge(answer) as server, client(server.api, time) as one, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: get(one, f"/x{n}"), range(40)))

    assert [json.loads(answer.body)["path"] for answer in found] == [f"/x{n}" for n in range(40)]
    held = [at for at in asked_at[1:] if AT < at < AT + timedelta(seconds=50)]
    assert held == [], "nobody asked while the limit held"
    assert asked_at.count(AT) <= 8, "only those that were under way met it"
    assert len(one.captures) == 40


# Faults.


@pytest.mark.parametrize(
    "fault",
    [
        Sent(500, b"<html>"),
        Sent(502, b""),
        Sent(503, b"{}", {"Retry-After": "1"}),
        Sent(200, b'[{"id": 1}]', cut=True),
        Sent(200, b"no gzip", {"Content-Encoding": "gzip"}),
    ],
)
def test_a_fault_is_tried_again_with_growing_pauses(fault: Sent):
    time = Time()
    with forge(script(fault, fault, fault, fault, Sent(200, b"[1]"))) as server, client(server.api, time) as one:
        assert get(one).body == b"[1]"

    assert len(server.asked) == one.requests == 5
    assert [least <= pause <= least + 1 for least, pause in zip((1, 2, 4, 8), time.slept, strict=True)] == [True] * 4
    assert len(one.captures) == 1


def test_a_fault_that_stays_is_unavailable_and_its_last_answer_is_kept():
    with (
        forge(script(Sent(502, b"<html>bad gateway"))) as server,
        client(server.api) as one,
        pytest.raises(Unavailable, match=r"502.*5 attempts") as error,
    ):
        get(one)

    assert len(server.asked) == 5
    assert error.value.scope == SCOPE
    assert [(kept.status, kept.body) for kept in one.captures] == [(502, b"<html>bad gateway")]


def test_a_timeout_of_graphql_is_tried_again():
    went_wrong = Sent(200, {"data": None, "errors": [{"message": "Something went wrong while executing your query."}]})
    with forge(script(Sent(502, b""), went_wrong, Sent(200, {"data": {}}))) as server, client(server.api) as one:
        one.graphql("query { viewer { login } }", {}, scope=SCOPE)

    assert len(server.asked) == 3


def test_an_answer_that_is_always_cut_off_is_unavailable_and_not_kept():
    with (
        forge(script(Sent(200, b"[1,2,3]", cut=True))) as server,
        client(server.api, attempts=2) as one,
        pytest.raises(Unavailable),
    ):
        get(one)

    assert len(server.asked) == 2
    assert one.captures == []


def test_nobody_listens():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        api = f"http://127.0.0.1:{free.getsockname()[1]}"
        with client(api, attempts=3) as one, pytest.raises(Unavailable, match="ConnectError") as error:
            get(one)

    assert one.requests == 3
    assert "127.0.0.1" in error.value.todo


def test_silence_is_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        api = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with client(api, attempts=1, timeout=0.05) as one, pytest.raises(Unavailable, match="ReadTimeout"):
            get(one)


def test_where_the_forge_is_down_the_later_questions_do_not_wait_as_long_as_the_first():
    time = Time()
    down = [Sent(500, b"")] * (5 * 5 + 3)
    with forge(script(*down, Sent(200, b"[1]"))) as server, client(server.api, time) as one:
        for _ in range(8):
            with pytest.raises(Unavailable):
                get(one)
        assert get(one).body == b"[1]"

    assert len(server.asked) == 5 * 5 + 3 + 1


def test_an_answer_that_is_too_large_is_malformed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(transport, "MAX_BODY", 1000)
    with (
        forge(script(Sent(200, b"[" + b" " * 2000 + b"]"))) as server,
        client(server.api) as one,
        pytest.raises(Malformed, match="larger"),
    ):
        get(one)

    assert len(server.asked) == 1
    assert one.captures == []


def test_a_small_answer_that_swells_is_malformed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(transport, "MAX_BODY", 100_000)
    bomb = Sent(200, gzip.compress(b"[" + b" " * 10_000_000 + b"]"), {"Content-Encoding": "gzip"})
    with forge(script(bomb)) as server, client(server.api) as one, pytest.raises(Malformed, match="larger"):
        get(one)


def test_what_is_no_json_is_malformed_at_once_and_kept():
    with (
        forge(script(Sent(200, b"<html>sign in</html>"))) as server,
        client(server.api) as one,
        pytest.raises(Malformed),
    ):
        get(one)

    assert len(server.asked) == 1
    assert one.captures[0].body == b"<html>sign in</html>"


@pytest.mark.parametrize(
    ("sent", "kind"),
    [(Sent(403, {"message": "no"}), Denied), (Sent(404, {}), Denied), (Sent(422, {}), Unavailable)],
)
def test_a_refusal_is_not_tried_again_and_is_kept(sent: Sent, kind: type[SourceError]):
    time = Time()
    with forge(script(sent)) as server, client(server.api, time) as one, pytest.raises(kind):
        get(one)

    assert len(server.asked) == len(one.captures) == 1
    assert time.slept == []


def test_what_may_be_absent_is_an_answer():
    with forge(script(Sent(404, {"message": "Branch not protected"}))) as server, client(server.api) as one:
        assert get(one, absent=(404,)).status == 404


# Moves.


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_renamed_repository_is_followed_on_the_same_host(status: int):
    def answer(asked: Asked) -> Sent:
        if asked.path.startswith(REPO):
            return Sent(status, {}, {"Location": f"http://{asked.headers['host']}/repositories/9/branches?page=1"})
        assert asked.headers["authorization"] == f"Bearer {TOKEN}"
        return Sent(200, [9])

    with forge(answer) as server, client(server.api) as one:
        assert get(one, f"{REPO}/branches", params={"page": "1"}).body == b"[9]"

    assert one.requests == 2
    assert [kept.request["path"] for kept in one.captures] == [f"{REPO}/branches?page=1"]


def test_a_move_to_another_host_is_not_followed():
    with forge(script(Sent())) as elsewhere:
        places = (elsewhere.api + "/x", "https://api.github.example/x", "//other.example/x", "http://[", "", "/")
        for place in places:
            with forge(script(Sent(302, {}, {"Location": place}))) as server, client(server.api) as one:
                if place in ("", "/"):
                    with pytest.raises(Unavailable):
                        get(one)
                    continue
                with pytest.raises(Unavailable, match="not followed"):
                    get(one)
                assert len(server.asked) == 1
    assert elsewhere.asked == []


def test_moves_that_go_round_end():
    with (
        forge(script(Sent(301, {}, {"Location": "/x"}))) as server,
        client(server.api) as one,
        pytest.raises(Unavailable, match="moved more than 3 times"),
    ):
        get(one, "/x")

    assert len(server.asked) == 4


# Credentials.


def test_a_classic_token_tells_its_scopes_and_is_asked_once():
    headers = {"X-OAuth-Scopes": "repo, read:org, read:audit_log"}
    sent = Sent(200, {"login": "robot", "email": "robot@example.org"}, headers)
    with forge(script(sent)) as server, client(server.api) as one:
        access = one.access()
        assert one.access() is access

    assert access == Access(
        kind="classic-token", permissions=None, scopes=("read:audit_log", "read:org", "repo"), login="robot"
    )
    assert server.paths() == ["/user"]
    assert [kept.name for kept in one.captures] == ["access"]
    assert b"robot@example.org" not in one.captures[0].body


@pytest.mark.parametrize("sent", [Sent(200, {"login": "robot"}), Sent(403, {"message": "Resource not accessible"})])
def test_a_token_that_tells_nothing_is_taken_as_one_of_which_nobody_can_tell(sent: Sent):
    with forge(script(sent)) as server, client(server.api) as one:
        access = one.access()

    assert (access.kind, access.permissions, access.may("administration")) == ("token", None, None)


def test_a_token_that_is_refused_is_denied():
    with forge(script(Sent(401, {"message": "Bad credentials"}))) as server, client(server.api) as one:
        with pytest.raises(Denied, match="Bad credentials"):
            one.access()
        with pytest.raises(Denied):
            get(one)

    assert len(server.asked) == 2


def test_an_app_asks_with_a_token_of_its_installation_and_knows_what_it_may():
    time = Time()
    organisation = Organisation(time)
    organisation.selection = "selected"
    with forge(organisation) as server, client(server.api, time, **APP) as one:
        get(one)
        get(one, "/x")
        access = one.access()

    assert access == Access(
        kind="app",
        permissions={"administration": "read", "metadata": "read"},
        selected=True,
        login="control-monitor",
    )
    assert server.paths() == [f"/orgs/{ORG}/installation", "/app/installations/42/access_tokens", REPO, "/x"]
    assert [kept.name for kept in one.captures] == [f"GET {REPO}", "GET /x", "access"]


def test_a_token_is_renewed_before_it_ends():
    time = Time()
    organisation = Organisation(time)
    with forge(organisation) as server, client(server.api, time, **APP) as one:
        get(one)
        time.now += timedelta(minutes=54)
        get(one)
        assert len(organisation.tokens) == 1
        time.now += timedelta(minutes=2)
        get(one)

    assert len(organisation.tokens) == 2
    assert server.asked[-1].headers["authorization"] == f"Bearer {organisation.tokens[1]}"
    assert server.paths().count(f"/orgs/{ORG}/installation") == 1


def test_a_token_that_ends_while_a_limit_is_waited_out_is_renewed_first():
    time = Time()
    organisation = Organisation(time)
    limits = [Sent(429, b"", {"Retry-After": "3500"})]

    def answer(asked: Asked) -> Sent:
        return limits.pop() if asked.path == REPO and limits else organisation(asked)

    with forge(answer) as server, client(server.api, time, **APP) as one:
        get(one)

    assert len(organisation.tokens) == 2
    assert server.asked[-1].headers["authorization"] == f"Bearer {organisation.tokens[1]}"


def test_a_token_that_is_refused_is_renewed_once_whatever_the_threads():
    time = Time()
    organisation = Organisation(time)
    with forge(organisation) as server, client(server.api, time, **APP) as one:
        get(one)
        organisation.revoked.add(organisation.tokens[0])
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: get(one, f"/x{n}"), range(24)))

    assert len(organisation.tokens) == 2
    assert {kept.status for kept in one.captures} == {200}


def test_tokens_that_are_always_refused_are_denied():
    time = Time()
    organisation = Organisation(time)

    def answer(asked: Asked) -> Sent:
        return Sent(401, {"message": "Bad credentials"}) if asked.path == REPO else organisation(asked)

    with forge(answer) as server, client(server.api, time, **APP) as one, pytest.raises(Denied):
        get(one)

    assert server.paths().count(REPO) == 2


def test_an_app_that_is_not_installed_says_what_to_do():
    time = Time()
    with forge(Organisation(time, installed=False)) as server, client(server.api, time, **APP) as one:
        for ask in (one.access, lambda: get(one)):
            with pytest.raises(Denied, match="the GitHub App 7 is not installed on example-org") as error:
                ask()

    assert error.value.todo == "have an owner of example-org install the app, for all repositories"
    assert one.captures == []


def test_a_fault_while_a_token_is_fetched_is_tried_as_often_as_any_other_and_no_more():
    time = Time()
    with forge(script(Sent(500, b""))) as server, client(server.api, time, **APP) as one, pytest.raises(Unavailable):
        get(one)

    assert len(server.asked) == 5


@pytest.mark.parametrize(
    "grant",
    [
        b"<html>ghs_secret0",
        {"token": "ghs_secret0"},
        {"token": "ghs_secret0", "expires_at": "later"},
        {"token": "ghs_secret0\r\nX: y", "expires_at": "2026-03-14T03:00:00Z"},
        {"token": "ghs_secret0", "expires_at": "2026-03-14T03:00:00Z", "permissions": ["ghs_secret0"]},
        ["ghs_secret0"],
    ],
)
def test_a_grant_that_cannot_be_read_is_malformed_and_not_shown(grant: Any):
    time = Time()

    def answer(asked: Asked) -> Sent:
        return Sent(200, {"id": 42}) if asked.method == "GET" else Sent(201, grant)

    with forge(answer) as server, client(server.api, time, **APP) as one, pytest.raises(Malformed) as error:
        get(one)

    assert "ghs_secret0" not in "".join(traceback.format_exception(error.value))
    assert one.captures == []


def test_nothing_secret_is_captured_kept_told_or_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    time = Time()
    organisation = Organisation(time)

    def answer(asked: Asked) -> Sent:
        return Sent(403, {"message": "no"}) if asked.path == "/denied" else organisation(asked)

    errors = []
    with forge(answer) as server, client(server.api, time, spool=tmp_path, **APP) as one:
        get(one)
        for path in ("/denied",):
            with pytest.raises(Denied) as error:
                get(one, path)
            errors.append("".join(traceback.format_exception(error.value)))

    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    everything = repr(one.captures).encode() + written + "".join([*time.told, *errors, caplog.text]).encode()
    assert written
    bearers = {asked.headers["authorization"].removeprefix("Bearer ").encode() for asked in server.asked}
    assert len(bearers) >= 2
    for secret in (*bearers, *(token.encode() for token in organisation.tokens), b"PRIVATE KEY", b"Bearer"):
        assert secret not in everything


def test_the_password_of_a_proxy_is_not_told(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    time = Time()
    with client("https://api.github.example", time, attempts=1) as one, pytest.raises(Unavailable) as error:
        get(one)

    text = "".join(traceback.format_exception(error.value)) + error.value.diagnostics() + caplog.text
    assert "ConnectError" in text, "the proxy of the environment was asked"
    assert "proxy-password" not in text


# A reading that was cut off, and one that is replayed.


def paged(asked: Asked) -> Sent:
    if asked.path == "/user":
        return Sent(200, {"login": "robot"}, {"X-OAuth-Scopes": "repo"})
    if asked.method == "POST":
        return Sent(200, {"data": {"of": json.loads(asked.body)["variables"]["n"]}})
    if asked.path.endswith("/protection"):
        return Sent(404, {"message": "Branch not protected"})
    number = int((re.search(r"page=(\d+)", asked.path) or [0, "1"])[1])
    link = f'<http://{asked.headers["host"]}{asked.path.partition("?")[0]}?page={number + 1}>; rel="next"'
    return Sent(200, [number], {"Link": link} if number < 3 else {})


def reading(one: GitHub, workers: int = 1) -> list[Answer]:
    """Everything that a sweep would ask of four repositories."""

    def of(n: int) -> list[Answer]:
        query = one.graphql("query($n: Int!) { n }", {"n": n}, scope=SCOPE)
        protection = get(one, f"{REPO}{n}/branches/main/protection", absent=(404,))
        return [query, protection, *pages(one, f"{REPO}{n}/branches")]

    with ThreadPoolExecutor(workers) as pool:
        return [answer for found in pool.map(of, range(4)) for answer in found]


def without_host(one: GitHub) -> list[Any]:
    return [
        ({k: v for k, v in kept.request.items() if k != "host"}, kept.status, kept.body, kept.scope)
        for kept in one.captured
    ]


def test_a_reading_that_was_cut_off_goes_on_where_it_was(tmp_path: Path):
    time = Time()
    with forge(paged) as server, client(server.api) as one:
        one.access()
        whole, captured = reading(one), one.captured
    left = [9]

    def limited(asked: Asked) -> Sent:
        left[0] -= 1
        return paged(asked) if left[0] >= 0 else Sent(429, b"", {"Retry-After": "9999"})

    answered: list[str] = []
    with forge(lambda asked: limited(asked)) as server:
        with client(server.api, time, spool=tmp_path) as one, pytest.raises(Throttled):
            reading(one)
        answered = [f"{asked.path} {asked.body!r}" for asked in server.asked[:9]]
        left[0] = 10**6
        time.now += timedelta(hours=3)
        with client(server.api, time, spool=tmp_path) as one:
            again = reading(one)
            second = [f"{asked.path} {asked.body!r}" for asked in server.asked[10:]]
            captures = without_host(one)
            one.done()

    assert [(a.status, a.body, a.next, a.evidence) for a in again] == [
        (a.status, a.body, a.next, a.evidence) for a in whole
    ]
    assert len(captures) == len(captured)
    assert set(answered) & set(second) == {"/user b''"}, "only who we are is asked again"
    assert len(second) == len(whole) - 8 + 1
    assert [answer.at for answer in again[:8]] == [AT] * 8, "an answer is as old as it is"
    assert again[8].at == AT + timedelta(hours=3)
    assert list(tmp_path.iterdir()) == [], "done"


def test_answers_of_a_spool_and_of_a_replay_are_those_of_the_live_reading(tmp_path: Path):
    with forge(paged) as server:
        with client(server.api, spool=tmp_path / "spool") as one:
            one.access()
            live, kept = reading(one, workers=4), one.captured
        with client(server.api, spool=tmp_path / "spool") as one:
            one.access()
            assert reading(one, workers=4) == live
            assert one.captured == kept
            assert one.requests == 1
    folder.write(tmp_path / "captures", kept)
    with client("https://api.github.com", replay=folder.read(tmp_path / "captures"), token="") as one:
        assert one.access().login == "robot"
        assert reading(one, workers=4) == live
        assert one.captured == kept
        assert one.requests == 0


def test_an_answer_that_other_rights_gave_is_asked_again(tmp_path: Path):
    scopes = ["repo"]

    def answer(asked: Asked) -> Sent:
        return Sent(200, {"login": "robot"}, {"X-OAuth-Scopes": scopes[0]}) if asked.path == "/user" else Sent()

    with forge(answer) as server:
        for scopes[0] in ("repo", "repo", "repo, admin:org"):
            with client(server.api, spool=tmp_path) as one:
                get(one)

    assert server.paths().count(REPO) == 2


def test_a_refusal_is_not_kept_for_a_later_sweep(tmp_path: Path):
    with forge(script(Sent(200, {}), Sent(403, {"message": "no"}), Sent(200, {}), Sent(200, b"[1]"))) as server:
        with client(server.api, spool=tmp_path) as one, pytest.raises(Denied):
            get(one)
        with client(server.api, spool=tmp_path) as one:
            assert get(one).body == b"[1]"


def test_an_absence_that_was_kept_is_denied_to_who_does_not_expect_it(tmp_path: Path):
    with forge(paged) as server, client(server.api, spool=tmp_path) as one:
        path = f"{REPO}/branches/main/protection"
        assert get(one, path, absent=(404,)).status == 404
        with pytest.raises(Denied):
            get(one, path)


def test_a_damaged_answer_is_asked_again(tmp_path: Path):
    with forge(paged) as server:
        with client(server.api, spool=tmp_path) as one:
            get(one)
        for path in tmp_path.rglob("*"):
            if path.is_file():
                path.write_bytes(path.read_bytes()[:-1])
        with client(server.api, spool=tmp_path) as one:
            assert get(one).body == b"[1]"

    assert server.paths().count(REPO) == 2


def test_captures_are_in_one_order_however_many_threads_asked():
    orders = []
    with forge(paged) as server:
        for workers in (1, 4):
            with client(server.api) as one:
                reading(one, workers)
                orders.append(one.captured)

    assert orders[0] == orders[1]
