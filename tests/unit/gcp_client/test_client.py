"""The client: what is sent and kept, addresses, replay, and the gate of quotas."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.errors import ConfigError, Malformed, SourceError, Throttled, Unavailable
from monitor.sources.gcp import calls, transport
from monitor.sources.gcp.client import GcpConnection, connect
from monitor.sources.gcp.limits import Gate
from monitor.sources.gcp.seam import in_order
from monitor.sources.gcp.transport import address
from tests.fakes.gcp import faults
from tests.fakes.gcp.server import GcpFake
from tests.fakes.gcp.sweeping import AT, Time, client
from tests.fakes.gcp.world import PROJECT, example

SCOPE = f"gcp:{PROJECT}"
HERE = calls.place(f"projects/{PROJECT}", SCOPE)


@pytest.fixture(autouse=True)
def no_proxy_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://user:proxy-password@127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def fake() -> Iterator[GcpFake]:
    with GcpFake(example()) as server:
        yield server


def test_an_answer_is_kept_byte_for_byte(fake: GcpFake, tmp_path: Path) -> None:
    body = b'{ "state" : "\\u00e9" }\n'
    fake.faults = faults.always(faults.answer(body), "/v3/")
    with client(fake, tmp_path) as one:
        answer = one.ask(HERE)
    (kept,) = one.captures
    assert answer.content == {"state": "é"}
    assert answer.evidence == kept.ref
    assert (kept.body, kept.status, kept.at, kept.name) == (body, 200, AT, "cloudresourcemanager.projects.get")
    assert one.requests == 1


def test_a_compressed_answer_is_kept_as_what_it_says(fake: GcpFake, tmp_path: Path) -> None:
    fake.faults = faults.always((200, {"Content-Encoding": "gzip"}, gzip.compress(b'{"state": "ACTIVE"}')), "/v3/")
    with client(fake, tmp_path) as one:
        assert one.ask(HERE).content == {"state": "ACTIVE"}
    assert one.captures[0].body == b'{"state": "ACTIVE"}'


def test_a_refusal_is_kept_too_and_replays_as_itself(fake: GcpFake, tmp_path: Path) -> None:
    fake.world.denied.add("resourcemanager.projects.get")
    with client(fake, tmp_path) as one, pytest.raises(SourceError) as first:
        one.ask(HERE)
    with client(None, tmp_path, replay=one.captures) as again, pytest.raises(SourceError) as second:
        again.ask(HERE)
    assert (type(first.value), first.value.what) == (type(second.value), second.value.what)
    assert one.captures[0].status == 403


def test_a_broken_answer_is_kept_before_it_is_told(fake: GcpFake, tmp_path: Path) -> None:
    fake.faults = faults.always(faults.html(), "/v3/")
    with client(fake, tmp_path) as one, pytest.raises(Malformed):
        one.ask(HERE)
    assert b"Sign in" in one.captures[0].body


def test_a_bomb_is_refused(fake: GcpFake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_BODY", 2**20)
    bomb = gzip.compress(b"[" + b" " * 2**22)
    fake.faults = faults.always((200, {"Content-Encoding": "gzip"}, bomb), "/v3/")
    with client(fake, tmp_path) as one, pytest.raises(Malformed, match="larger than"):
        one.ask(HERE)
    assert one.captures == []


def test_a_redirect_is_not_followed_with_the_credential(fake: GcpFake, tmp_path: Path) -> None:
    fake.faults = faults.first(1, (302, {"Location": f"{fake.url}/stolen"}, b""), "/v3/")
    with client(fake, tmp_path) as one, pytest.raises(Unavailable):
        one.ask(HERE)
    assert len(fake.requests) == 1


def test_one_root_serves_all_services(fake: GcpFake, tmp_path: Path) -> None:
    with client(fake, tmp_path, api=f"{fake.url}/cloudresourcemanager") as one:
        assert one.ask(HERE).content["projectId"] == PROJECT


@pytest.mark.parametrize(
    ("api", "iam"),
    [
        ("https://{service}.googleapis.com", "https://iam.googleapis.com"),
        ("https://{service}-monitor.p.googleapis.com/", "https://iam-monitor.p.googleapis.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost:8080/{service}", "http://localhost:8080/iam"),
    ],
)
def test_addresses_that_are_right(api: str, iam: str) -> None:
    assert str(address(api, "iam")) == iam


@pytest.mark.parametrize(
    "api",
    [
        "",
        "iam.googleapis.com",
        "ftp://iam.googleapis.com",
        "http://iam.googleapis.com",
        "http://{service}.googleapis.com",
        "https://user:hunter2@iam.googleapis.com",
        "https://iam.googleapis.com?x=1",
        "https://iam.googleapis.com#x",
        "https://",
        "https://a b",
        "https://[::1",
        "https://iam.googleapis.com:99999",
    ],
)
def test_addresses_that_are_not_are_mistakes_of_the_settings(api: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        connect(GcpConnection(api=api), clock=lambda: AT, sleep=lambda s: None, told=print, replay=None)
    assert "hunter2" not in caught.value.what


def test_what_is_not_there_is_told_apart_from_what_is_denied(fake: GcpFake, tmp_path: Path) -> None:
    with client(fake, tmp_path) as one, pytest.raises(SourceError) as caught:
        one.ask(calls.role("roles/not.there", SCOPE))
    assert type(caught.value).__name__ == "Missing"


def test_replay_takes_the_newest_and_does_not_mind_the_host(fake: GcpFake, tmp_path: Path) -> None:
    time = Time()
    with client(fake, tmp_path, time) as one:
        one.ask(HERE)
        time.now += timedelta(days=1)
        fake.world.projects[PROJECT]["state"] = "DELETE_REQUESTED"
        one.ask(HERE)
    for captures in (one.captures, one.captures[::-1]):
        with client(None, tmp_path, replay=captures) as again:
            assert again.ask(HERE).content["state"] == "DELETE_REQUESTED"
        assert again.requests == 0


def test_replay_without_the_capture_names_the_question(tmp_path: Path) -> None:
    with client(None, tmp_path, replay=[]) as one, pytest.raises(Unavailable, match="not among the captures"):
        one.ask(HERE)


def test_captures_have_one_order_whatever_thread_was_first(fake: GcpFake, tmp_path: Path) -> None:
    asks = [calls.keys(PROJECT, email, SCOPE) for email in fake.world.accounts[PROJECT]] * 3
    with client(fake, tmp_path) as one, ThreadPoolExecutor(8) as pool:
        list(pool.map(one.ask, asks))
    assert one.captured == in_order(one.captures[::-1])
    assert len(fake.asked_for_tokens) == 1


# The gate.


def gate(time: Time, patience: float = 600.0) -> Gate:
    return Gate(clock=time.clock, sleep=time.sleep, told=time.told.append, patience=patience)


def test_a_wait_that_is_not_told_grows_up_to_a_minute() -> None:
    time = Time()
    one = gate(time)
    for _ in range(7):
        ticket = one.enter(SCOPE)
        one.limited(ticket, None, SCOPE)
    one.enter(SCOPE)
    waits = [5.0, 10.0, 20.0, 40.0, 64.0, 64.0, 64.0]
    assert sum(time.slept) == sum(waits)


def test_a_success_ends_the_growing() -> None:
    time = Time()
    one = gate(time)
    for _ in range(3):
        one.limited(one.enter(SCOPE), None, SCOPE)
        one.passed(one.enter(SCOPE))
    assert time.slept == [5.0, 5.0, 5.0]


def test_waiting_together_counts_once() -> None:
    time = Time()
    one = gate(time, patience=20.0)
    tickets = [one.enter(SCOPE) for _ in range(8)]
    for ticket in tickets:
        one.limited(ticket, 15.0, SCOPE)
    one.enter(SCOPE)
    assert time.slept == [15.0]


def test_a_shut_gate_refuses_at_once_until_the_quota_is_back() -> None:
    time = Time()
    one = gate(time, patience=10.0)
    with pytest.raises(Throttled) as caught:
        one.limited(one.enter(SCOPE), 60.0, SCOPE)
    assert "2026-03-14T02:01:00Z" in caught.value.todo
    with pytest.raises(Throttled):
        one.enter(SCOPE)
    time.now += timedelta(seconds=61)
    one.enter(SCOPE)
    assert time.slept == []


def test_a_clock_that_stands_still_keeps_nobody_for_ever() -> None:
    slept: list[float] = []
    one = Gate(clock=lambda: AT, sleep=slept.append, told=lambda text: None, patience=600.0)
    one.limited(one.enter(SCOPE), 45.0, SCOPE)
    one.enter(SCOPE)
    assert slept == [30.0, 15.0]
