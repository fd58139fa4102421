"""The webhook sink against a real HTTP receiver: what is posted, and what each answer comes to."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from monitor.alerts.notes import Message, Note, Target, message
from monitor.alerts.port import Undelivered
from monitor.alerts.rules import AlertRules, Route
from monitor.alerts.webhook import Endpoint, WebhookSink, seconds
from monitor.alerts.words import NoteKind
from monitor.store.store import Store
from tests.fakes.receiver import Answer, Receiver
from tests.integration.alerts.world import START, World, result
from tests.unit.alerts.material import finding

SECRET = b"an example of a secret"
SIEM = Target("webhook", "siem")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


def sink(receiver: Receiver, timeout: float = 5.0, path: str = "/in?key=1") -> WebhookSink:
    return WebhookSink({"siem": Endpoint(receiver.url + path, SECRET)}, clock=lambda: START, timeout=timeout)


def told(text: str = "a finding") -> Message:
    return message(Note(kind=NoteKind.OPENED, key="k", at=START, title=text, finding=finding(reason=text)), SIEM, START)


def test_a_message_is_posted_signed_and_under_its_id(receiver: Receiver):
    sent = told()
    delivered = sink(receiver).deliver(sent, None)
    (posted,) = receiver.posted

    assert delivered.reference == delivered.thread_reference == sent.id
    assert (posted.path, posted.key) == ("/in?key=1", sent.id)
    assert posted.headers["content-type"] == "application/json"
    stamp, _, signed = posted.headers["monitor-signature"].partition(",v1=")
    assert stamp == f"t={int(START.timestamp())}"
    expected = hmac.new(SECRET, stamp[2:].encode() + b"." + posted.body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(signed, expected)
    assert posted.json["note"]["finding"]["check"] == "branch-protection"
    assert {"version", "id", "kind", "finding_id", "note"} == set(posted.json)


def test_what_is_posted_again_is_the_same_byte_for_byte(receiver: Receiver):
    for _ in range(2):
        sink(receiver).deliver(told(), None)

    first, second = receiver.posted
    assert (first.key, first.body) == (second.key, second.body)
    assert len(receiver.taken) == 1


@pytest.mark.parametrize(
    ("answer", "retry_after", "permanent"),
    [
        (Answer(429, headers={"Retry-After": "17"}), 17.0, False),
        (Answer(429), 60.0, False),
        (Answer(429, headers={"Retry-After": "Sat, 14 Mar 2026 02:01:00 GMT"}), 60.0, False),
        (Answer(503, headers={"Retry-After": "5"}), 5.0, False),
        (Answer(503), None, False),
        (Answer(500), None, False),
        (Answer(408), None, False),
        (Answer(409), None, False),
        (Answer(401), None, False),
        (Answer(302, headers={"Location": "https://elsewhere.example.com/"}), None, False),
        (Answer(404), None, True),
        (Answer(410), None, True),
        (Answer(413), None, True),
        (Answer(422), None, True),
        (Answer(cut=True), None, False),
    ],
)
def test_each_answer_comes_to_what_it_means(answer: Answer, retry_after: float | None, permanent: bool):
    with Receiver(lambda number, posted: answer) as receiver, pytest.raises(Undelivered) as raised:
        sink(receiver).deliver(told(), None)

    assert (raised.value.retry_after, raised.value.permanent) == (retry_after, permanent)
    assert "key=1" not in str(raised.value)
    assert len(receiver.posted) == 1


def test_a_receiver_that_does_not_answer_is_not_waited_for_long():
    with Receiver(lambda number, posted: Answer(slow=30)) as receiver:
        with pytest.raises(Undelivered, match="ReadTimeout"):
            sink(receiver, timeout=0.2).deliver(told(), None)
        receiver.released.set()


def test_an_endpoint_that_is_not_there_can_be_mended_and_one_that_is_not_named_cannot(receiver: Receiver):
    nobody = WebhookSink({"siem": Endpoint("http://127.0.0.1:9/", SECRET)}, clock=lambda: START)
    with pytest.raises(Undelivered, match="ConnectError") as raised:
        nobody.deliver(told(), None)
    assert not raised.value.permanent
    with pytest.raises(Undelivered, match="no webhook"):
        WebhookSink({}, clock=lambda: START).deliver(told(), None)


@pytest.mark.parametrize("text", ["\r\nX-Evil: 1", "\0\u202e", "é 🏴‍☠️", "</script>", "x" * 100_000])
def test_hostile_text_is_posted_as_json_and_nothing_else(receiver: Receiver, text: str):
    sink(receiver).deliver(told(text), None)
    (posted,) = receiver.posted

    assert json.loads(posted.body)["note"]["title"] == text
    assert "x-evil" not in posted.headers


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Sat, 14 Mar 2026 02:01:00 GMT", 60.0),
        ("Sat, 14 Mar 2020 02:01:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1e9", None),
        ("٣", None),
        ("9" * 40, None),
    ],
)
def test_retry_after_is_read_in_both_its_forms(text: str, wait: float | None):
    assert seconds(text, START) == wait


def test_nothing_is_lost_or_taken_twice_over_a_bad_hour(sqlite_url: str):
    """429, 500 and silence, each after having taken the message or not."""
    kinds = [
        Answer(429, takes=False, headers={"Retry-After": "20"}),
        Answer(500, takes=True),
        Answer(500, takes=False),
        Answer(cut=True, takes=True),
        Answer(cut=True, takes=False),
        Answer(),
    ]
    rules = AlertRules(routes=(Route(to=(SIEM,), burst=0),), summary_at=None)
    chance = random.Random(19)
    with Receiver(lambda number, posted: chance.choice(kinds)) as receiver, Store.open(sqlite_url) as store:
        world = World(store, rules)
        for number in range(6):
            world.sweep(*(result(f"s{number}-{n}") for n in range(3)))
        hook = sink(receiver)
        for _ in range(200):
            world.round(hook, after=timedelta(minutes=5))
            if world.states() == {"sent": 18}:
                break

        assert world.states() == {"sent": 18}
        assert len(receiver.taken) == len({posted.key for posted in receiver.taken}) == 18
        assert {posted.json["finding_id"] for posted in receiver.taken} == {f.id for f in store.findings()}


def test_the_clock_of_the_signature_is_the_one_that_is_passed_in(receiver: Receiver):
    moments = iter([datetime(2030, 1, 1, tzinfo=UTC)])
    WebhookSink({"siem": Endpoint(receiver.url, SECRET)}, clock=lambda: next(moments)).deliver(told(), None)

    assert receiver.posted[0].headers["monitor-signature"].startswith("t=1893456000,")
