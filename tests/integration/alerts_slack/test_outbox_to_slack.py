"""From the outbox to Slack, over everything that goes wrong in between: nothing lost, nothing twice, one thread a finding."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import msgspec
import pytest

from monitor.alerts.deliver import Counts, Deliverer
from monitor.alerts.notes import Message, Target
from monitor.alerts.port import Delivered
from monitor.alerts.slack import SlackSink
from monitor.alerts.words import NoteKind
from monitor.errors import LedgerError
from monitor.model import Outcome
from monitor.store.messages import Messages
from monitor.store.store import Store
from monitor.store.words import MessageState
from monitor.sweep.alerting import StoreOutbox, outgoing
from tests.fakes.slack.saying import AT, CHANNEL, OTHER, finding, note, summary, to
from tests.fakes.slack.server import (
    DROPS,
    DROPS_AFTER_ACCEPTING,
    HANGS_AFTER_ACCEPTING,
    SlackFake,
    broken,
    limited,
    told,
)
from tests.fakes.slack.world import TOKEN, World

MINUTE = timedelta(minutes=1)


class Clock:
    def __init__(self) -> None:
        self.now = AT
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def slack(clock: Clock) -> Iterator[SlackFake]:
    with SlackFake(World(clock)) as fake:
        fake.world.channel(CHANNEL)
        fake.world.channel(OTHER, "other")
        yield fake


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with Store.open(store_url) as opened:
        yield opened


def deliverer(store: Store, slack: SlackFake, clock: Clock, outbox: StoreOutbox | None = None) -> Deliverer:
    sink = SlackSink(TOKEN, base_url=slack.api, clock=clock, sleep=clock.sleep, timeout=2)
    return Deliverer(outbox or StoreOutbox(store), [sink], clock, fallbacks={"slack": Target("slack", OTHER)})


def put(store: Store, *messages: Message) -> None:
    Messages(store).add([outgoing(one) for one in messages])


def until_settled(rounds: Callable[[datetime], Counts], store: Store, clock: Clock, most: int = 400) -> None:
    for _ in range(most):
        rounds(clock.now)
        if not Messages(store).waiting():
            return
        clock.now += MINUTE
    pytest.fail(f"not settled: {[(one.kind, one.state, one.error) for one in Messages(store).listed()]}")


def posted(slack: SlackFake, channel: str = CHANNEL) -> Counter[str]:
    """Return how often each message is in a channel, by its id."""
    return Counter(one["metadata"]["event_payload"]["id"] for one in slack.world.channels[channel].messages)


def lives(number: int, at: datetime = AT) -> list[Message]:
    """Return the messages of a finding that opens, is resolved and comes back."""
    view = finding(id=f"F-{number:04d}")
    resolved = msgspec.structs.replace(view, standing="resolved", outcome=Outcome.PASS)
    back = msgspec.structs.replace(view, standing="reopened")
    return [
        to(note(NoteKind.OPENED, at, view)),
        to(note(NoteKind.RESOLVED, at + timedelta(hours=1), resolved), follows=True),
        to(note(NoteKind.REOPENED, at + timedelta(hours=2), back)),
    ]


@pytest.mark.parametrize("seed", range(3))
def test_over_any_faults_each_message_is_shown_once_and_each_finding_has_one_thread(
    store: Store, slack: SlackFake, clock: Clock, seed: int
) -> None:
    chance = random.Random(seed)
    messages = [one for number in range(12) for one in lives(number)]
    put(store, *messages, to(summary()))
    kinds = [
        limited(7),
        limited(90),
        broken(500),
        broken(500, accepted=True),
        DROPS,
        DROPS_AFTER_ACCEPTING,
        told("fatal_error"),
    ]
    for method, most in (
        ("chat.postMessage", 30),
        ("chat.update", 10),
        ("conversations.history", 6),
        ("conversations.replies", 6),
    ):
        slack.fault(method, *(chance.choice(kinds) for _ in range(most)))
    with deliverer(store, slack, clock) as delivering:
        until_settled(delivering.run_once, store, clock)
    assert posted(slack) == Counter(one.id for one in [*messages, to(summary())])
    heads = slack.world.channels[CHANNEL].heads()
    assert len(heads) == 13
    for head in heads:
        if head["metadata"]["event_payload"]["finding"]:
            assert len(slack.world.channels[CHANNEL].replies(head["ts"])) == 2
            assert "reopened" in str(head["blocks"][0])
    assert Messages(store).counts() == {MessageState.SENT: 37}


def test_a_search_that_slack_puts_off_does_not_make_a_second_message(
    store: Store, slack: SlackFake, clock: Clock
) -> None:
    put(store, to(note()))
    slack.fault("chat.postMessage", HANGS_AFTER_ACCEPTING)
    slack.fault("conversations.history", limited(120), broken(503), told("invalid_auth"), limited(1))
    with deliverer(store, slack, clock) as delivering:
        until_settled(delivering.run_once, store, clock)
    assert posted(slack) == Counter([to(note()).id])
    assert len(slack.called("chat.postMessage")) == 1


def test_two_processes_deliver_each_message_once(store_url: str, slack: SlackFake, clock: Clock) -> None:
    with Store.open(store_url) as first, Store.open(store_url) as second:
        messages = [one for number in range(8) for one in lives(number)]
        put(first, *messages)
        slack.fault("chat.postMessage", DROPS_AFTER_ACCEPTING, limited(3), broken(500, accepted=True), DROPS)
        with deliverer(first, slack, clock) as one, deliverer(second, slack, clock) as other:

            def both(at: datetime) -> Counts:
                beside = threading.Thread(target=other.run_once, args=(at,))
                beside.start()
                counts = one.run_once(at)
                beside.join()
                return counts

            until_settled(both, first, clock)
        assert posted(slack) == Counter(one.id for one in messages)
        assert len(slack.world.channels[CHANNEL].heads()) == 8


class DiesAfterPosting(StoreOutbox):
    """An outbox whose process ends between Slack's answer and the note of it."""

    def sent(self, message: Message, at: datetime, delivered: Delivered) -> bool:
        raise LedgerError("killed")


def test_what_a_killed_process_had_posted_is_found_by_the_next(store: Store, slack: SlackFake, clock: Clock) -> None:
    put(store, *lives(1))
    with deliverer(store, slack, clock, DiesAfterPosting(store)) as killed:
        killed.run_once(clock.now)
    assert len(slack.world.channels[CHANNEL].messages) == 1
    clock.now += timedelta(minutes=6)
    with deliverer(store, slack, clock) as delivering:
        until_settled(delivering.run_once, store, clock)
    assert posted(slack) == Counter(one.id for one in lives(1))
    assert len(slack.world.channels[CHANNEL].heads()) == 1


def test_what_is_for_an_archived_channel_goes_to_the_fallback_which_is_told_why(
    store: Store, slack: SlackFake, clock: Clock
) -> None:
    slack.world.channels[CHANNEL].archived = True
    put(store, to(note()), to(note(view=finding(id="F-2"))))
    with deliverer(store, slack, clock) as delivering:
        until_settled(delivering.run_once, store, clock)
    shown = slack.world.channels[OTHER].messages
    assert sum("direct production change" in str(one["blocks"]) for one in shown) == 2
    gone = [one for one in shown if "come here instead" in one["text"]]
    assert len(gone) == 1
    assert "is" in str(gone[0]["blocks"])
    assert "archived" in str(gone[0]["blocks"])


def test_a_wrong_token_loses_nothing(store: Store, slack: SlackFake, clock: Clock) -> None:
    slack.world.token = "xoxb-rotated"
    put(store, to(note()))
    with deliverer(store, slack, clock) as delivering:
        for _ in range(20):  # within the day after which a message is given up
            counts = delivering.run_once(clock.now)
            clock.now += timedelta(hours=1)
        assert "invalid_auth" in counts.errors[0]
        slack.world.token = TOKEN
        until_settled(delivering.run_once, store, clock)
    assert len(slack.world.channels[CHANNEL].messages) == 1
