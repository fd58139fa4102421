"""The Slack sink against Slack's Web API over HTTP: told at least once, shown once, in one thread a finding."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from monitor.alerts.port import Delivered, Thread, Undelivered
from monitor.alerts.slack import EVENT, SlackSink
from monitor.alerts.words import NoteKind
from monitor.model import Outcome
from tests.fakes.slack.reading import read, texts
from tests.fakes.slack.saying import AT, CHANNEL, OTHER, finding, note, summary, to
from tests.fakes.slack.server import (
    DROPS,
    DROPS_AFTER_ACCEPTING,
    HANGS_AFTER_ACCEPTING,
    Fault,
    SlackFake,
    broken,
    limited,
    told,
)
from tests.fakes.slack.world import TOKEN, Channel, World


class Clock:
    """A clock that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = AT
        self.slept: list[float] = []

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
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
def channel(slack: SlackFake) -> Channel:
    return slack.world.channels[CHANNEL]


def sink(slack: SlackFake, clock: Clock, **more: object) -> SlackSink:
    given = {"base_url": slack.api, "clock": clock, "sleep": clock.sleep, **more}
    return SlackSink(TOKEN, **given)  # type: ignore[arg-type]


def shown(message: dict) -> str:  # type: ignore[type-arg]
    return "\n".join(read(one["text"]).shown for one in texts(message["blocks"]))


def failed(slack: SlackSink, *given: object) -> Undelivered:
    with pytest.raises(Undelivered) as caught:
        slack.deliver(*given)  # type: ignore[arg-type]
    return caught.value


RESOLVED = finding(standing="resolved", outcome=Outcome.PASS, reason="nothing of it is left")


def test_a_finding_begins_a_thread(slack: SlackFake, channel: Channel, clock: Clock) -> None:
    message = to(note())
    got = sink(slack, clock).deliver(message, None)
    (head,) = channel.messages
    assert got == Delivered(head["ts"], head["ts"])
    assert head["metadata"]["event_type"] == EVENT
    assert head["metadata"]["event_payload"]["id"] == message.id
    assert head["metadata"]["event_payload"]["finding"] == "F-0a1b2c3d"
    assert "CRITICAL" in head["text"]
    (asked,) = slack.called("chat.postMessage")
    assert asked["parse"] == "none"
    assert asked["link_names"] is False
    assert asked["unfurl_links"] is False


def test_the_resolution_goes_into_the_thread_and_the_head_is_struck_through(
    slack: SlackFake, channel: Channel, clock: Clock
) -> None:
    told_by = sink(slack, clock)
    head = told_by.deliver(to(note()), None)
    thread = Thread(CHANNEL, head.thread_reference)
    message = to(note(NoteKind.RESOLVED, AT + timedelta(days=1), RESOLVED, title="Resolved: it"))
    got = told_by.deliver(message, thread)
    first, second = channel.messages
    assert got == Delivered(second["ts"], first["ts"])
    assert second["thread_ts"] == first["ts"]
    assert "Resolved: it" in shown(second)
    assert "nothing of it is left" in shown(second)
    assert "~" in texts(first["blocks"])[0]["text"]
    assert first["metadata"]["event_payload"]["id"] == to(note()).id
    assert first["edits"] == 1
    assert slack.called("chat.update")[0]["parse"] == "none"


def test_a_finding_that_is_back_is_told_in_its_thread_and_in_the_channel(
    slack: SlackFake, channel: Channel, clock: Clock
) -> None:
    told_by = sink(slack, clock)
    thread = Thread(CHANNEL, told_by.deliver(to(note()), None).thread_reference)
    told_by.deliver(to(note(NoteKind.RESOLVED, AT + timedelta(days=1), RESOLVED)), thread)
    told_by.deliver(to(note(NoteKind.REOPENED, AT + timedelta(days=2), finding(standing="reopened"))), thread)
    assert len(channel.heads()) == 1
    assert len(channel.replies(thread.reference)) == 2
    assert channel.messages[-1]["subtype"] == "thread_broadcast"
    assert "reopened" in shown(channel.messages[0])
    assert "~" not in channel.messages[0]["blocks"][0]["text"]["text"]


def test_a_note_that_was_held_up_does_not_turn_the_head_back(slack: SlackFake, channel: Channel, clock: Clock) -> None:
    told_by = sink(slack, clock)
    thread = Thread(CHANNEL, told_by.deliver(to(note()), None).thread_reference)
    told_by.deliver(to(note(NoteKind.RESOLVED, AT + timedelta(days=2), RESOLVED)), thread)
    told_by.deliver(to(note(NoteKind.WAIVED, AT + timedelta(days=1), finding(standing="waived"))), thread)
    assert "resolved" in shown(channel.messages[0])
    assert len(channel.replies(thread.reference)) == 2


def test_a_head_that_somebody_deleted_is_posted_anew(slack: SlackFake, channel: Channel, clock: Clock) -> None:
    told_by = sink(slack, clock)
    thread = Thread(CHANNEL, told_by.deliver(to(note()), None).thread_reference)
    channel.messages.clear()
    got = told_by.deliver(to(note(NoteKind.RESOLVED, AT + timedelta(days=1), RESOLVED)), thread)
    assert got.thread_reference == got.reference == channel.messages[0]["ts"]
    channel.messages[0]["subtype"] = "tombstone"
    again = told_by.deliver(to(note(NoteKind.REOPENED, AT + timedelta(days=2))), Thread(CHANNEL, got.reference))
    assert again.thread_reference == again.reference != got.reference


def test_a_head_that_may_not_be_edited_any_more_does_not_hold_the_news_up(
    slack: SlackFake, channel: Channel, clock: Clock
) -> None:
    told_by = sink(slack, clock)
    thread = Thread(CHANNEL, told_by.deliver(to(note()), None).thread_reference)
    slack.fault("chat.update", told("edit_window_closed"))
    told_by.deliver(to(note(NoteKind.RESOLVED, AT + timedelta(days=1), RESOLVED)), thread)
    assert len(channel.replies(thread.reference)) == 1


def test_a_thread_in_another_channel_is_begun_anew_here(slack: SlackFake, channel: Channel, clock: Clock) -> None:
    told_by = sink(slack, clock)
    thread = Thread(CHANNEL, told_by.deliver(to(note()), None).thread_reference)
    channel.archived = True
    got = told_by.deliver(to(note(NoteKind.REOPENED), OTHER), thread)
    assert slack.world.channels[OTHER].messages[0]["ts"] == got.thread_reference


def test_a_digest_begins_no_thread(slack: SlackFake, channel: Channel, clock: Clock) -> None:
    got = sink(slack, clock).deliver(to(summary()), None)
    assert got == Delivered(channel.messages[0]["ts"], "")


# What goes wrong


def test_429_is_told_with_the_time_to_wait_and_slack_is_left_alone_until_then(
    slack: SlackFake, channel: Channel, clock: Clock
) -> None:
    told_by = sink(slack, clock)
    slack.fault("chat.postMessage", limited(7))
    error = failed(told_by, to(note()), None)
    assert error.retry_after == 7
    assert not error.permanent
    clock.now += timedelta(seconds=3)
    assert failed(told_by, to(note()), None).retry_after == pytest.approx(4)
    assert len(slack.called("chat.postMessage")) == 1
    clock.now += timedelta(seconds=4)
    told_by.deliver(to(note()), None)
    assert len(channel.messages) == 1


@pytest.mark.parametrize(
    ("said", "waits"), [(None, 30), ("0", 1), ("nan", 30), ("-5", 1), ("1e99", 3600), ("soon", 30), ("2.5", 2.5)]
)
def test_a_senseless_time_to_wait_is_bounded(slack: SlackFake, clock: Clock, said: str | None, waits: float) -> None:
    headers = {} if said is None else {"Retry-After": said}
    slack.fault("chat.postMessage", Fault(429, b"{}", headers))
    assert failed(sink(slack, clock), to(note()), None).retry_after == waits


def test_a_clock_set_back_does_not_bar_slack_for_ever(slack: SlackFake, channel: Channel, clock: Clock) -> None:
    told_by = sink(slack, clock)
    slack.fault("chat.postMessage", limited(7))
    failed(told_by, to(note()), None)
    clock.now -= timedelta(days=2)
    told_by.deliver(to(note()), None)
    assert len(channel.messages) == 1
    assert sum(clock.slept) <= 60


@pytest.mark.parametrize(
    "fault",
    [
        broken(500),
        broken(503),
        Fault(200, b"<html>"),
        Fault(200, b"[]"),
        Fault(200, b"null"),
        Fault(200, b'"ok"'),
        Fault(200, b""),
        Fault(200, b"\xff\xfe"),
        Fault(200, b'{"ok": "'),
        Fault(204, b""),
        Fault(502, b"\xff\xfe"),
        Fault(403, b"proxy says no", {"Content-Type": "text/plain"}),
        DROPS,
        told("internal_error"),
        told("fatal_error"),
        told("<!channel> something new"),
        told(""),
    ],
)
def test_a_failure_of_slack_is_for_later_and_tried_once(
    slack: SlackFake, channel: Channel, clock: Clock, fault: Fault
) -> None:
    told_by = sink(slack, clock)
    slack.fault("chat.postMessage", fault)
    error = failed(told_by, to(note()), None)
    assert not error.permanent
    assert "<" not in error.what
    assert len(slack.called("chat.postMessage")) == 1
    told_by.deliver(to(note()), None)
    assert len(channel.messages) == 1


def test_slack_that_is_not_there_is_for_later(clock: Clock) -> None:
    nowhere = SlackSink(TOKEN, base_url="http://127.0.0.1:9/api/", clock=clock, sleep=clock.sleep, timeout=2)
    error = failed(nowhere, to(note()), None)
    assert not error.permanent
    assert TOKEN not in str(error)


@pytest.mark.parametrize("fault", [HANGS_AFTER_ACCEPTING, DROPS_AFTER_ACCEPTING, broken(500, accepted=True)])
def test_a_post_that_was_accepted_and_not_answered_is_found_and_shown_once(
    slack: SlackFake, channel: Channel, clock: Clock, fault: Fault
) -> None:
    told_by = sink(slack, clock, timeout=1)
    slack.world.say(CHANNEL, "good morning")
    slack.fault("chat.postMessage", fault)
    failed(told_by, to(note()), None)
    assert len(slack.called("chat.postMessage")) == 1
    slack.world.say(CHANNEL, "what was that?")
    got = told_by.find(to(note()), None)
    assert got == Delivered(channel.messages[1]["ts"], channel.messages[1]["ts"])


def test_an_update_that_was_accepted_is_found_in_its_thread(slack: SlackFake, channel: Channel, clock: Clock) -> None:
    told_by = sink(slack, clock)
    thread = Thread(CHANNEL, told_by.deliver(to(note()), None).thread_reference)
    message = to(note(NoteKind.RESOLVED, AT + timedelta(days=1), RESOLVED))
    assert told_by.find(message, thread) is None
    slack.fault("chat.postMessage", DROPS_AFTER_ACCEPTING)
    failed(told_by, message, thread)
    assert told_by.find(message, thread) == Delivered(channel.messages[1]["ts"], thread.reference)
    # The edit came first, so that nothing is left to be done.
    assert "resolved" in shown(channel.messages[0])


def test_a_message_is_found_behind_many_others(slack: SlackFake, channel: Channel, clock: Clock) -> None:
    told_by = sink(slack, clock)
    got = told_by.deliver(to(note()), None)
    for number in range(450):
        slack.world.say(CHANNEL, f"chat {number}")
    assert told_by.find(to(note()), None) == got
    assert len(slack.called("conversations.history")) == 3


def test_what_was_said_long_before_is_not_looked_through(slack: SlackFake, clock: Clock) -> None:
    for number in range(450):
        slack.world.say(CHANNEL, f"chat {number}")
    clock.now += timedelta(days=30)
    late = to(note(at=clock.now))
    assert sink(slack, clock).find(late, None) is None
    assert len(slack.called("conversations.history")) == 1


def test_another_app_cannot_pass_its_message_off_as_ours(slack: SlackFake, channel: Channel, clock: Clock) -> None:
    message = to(note())
    forged = {"event_type": EVENT, "event_payload": {"id": message.id}}
    slack.world.say(CHANNEL, "all is well", metadata=forged, bot_id="B0000000666")
    slack.world.say(CHANNEL, "odd", metadata="no object")
    slack.world.say(CHANNEL, "odd", metadata={"event_type": EVENT, "event_payload": ["id"]})
    assert sink(slack, clock).find(message, None) is None


def test_a_search_that_fails_is_told_and_not_taken_for_not_found(slack: SlackFake, clock: Clock) -> None:
    slack.fault("conversations.history", limited(5), broken(500))
    told_by = sink(slack, clock)
    for _ in range(2):
        with pytest.raises(Undelivered) as caught:
            told_by.find(to(note()), None)
        # Of the earlier post it says nothing, so that it must be looked for again.
        assert caught.value.retry_after is None
        clock.now += timedelta(seconds=6)


def test_a_channel_that_is_gone_is_for_good(slack: SlackFake, channel: Channel, clock: Clock) -> None:
    told_by = sink(slack, clock)
    channel.archived = True
    error = failed(told_by, to(note()), None)
    assert error.permanent
    assert "is_archived" in error.what
    assert "unarchive" in error.todo
    channel.archived, channel.member = False, False
    assert failed(told_by, to(note()), None).permanent
    del slack.world.channels[CHANNEL]
    error = failed(told_by, to(note()), None)
    assert error.permanent
    assert "/invite" in error.todo


@pytest.mark.parametrize("name", ["#alerts", "alerts", "", "c0000000001", "C0000000001\n", "<!channel>"])
def test_a_channels_name_is_refused_with_what_to_write(slack: SlackFake, clock: Clock, name: str) -> None:
    error = failed(sink(slack, clock), to(note(), name), None)
    assert error.permanent
    assert "write the id" in error.todo
    assert slack.calls == []


@pytest.mark.parametrize(
    ("error", "todo"),
    [
        ("invalid_auth", "bot token"),
        ("token_revoked", "install the app again"),
        ("account_inactive", "install it again"),
        ("missing_scope", "slack-app-manifest.yaml"),
        ("ekm_access_denied", "administrators"),
    ],
)
def test_what_an_operator_can_mend_is_kept_and_says_how(slack: SlackFake, clock: Clock, error: str, todo: str) -> None:
    slack.fault("chat.postMessage", told(error, needed="chat:write"))
    raised = failed(sink(slack, clock), to(note()), None)
    assert not raised.permanent
    assert raised.retry_after == 300
    assert todo in raised.todo
    assert TOKEN not in raised.diagnostics()


def test_blocks_that_slack_refuses_are_told_as_text(slack: SlackFake, channel: Channel, clock: Clock) -> None:
    slack.fault("chat.postMessage", told("invalid_blocks", response_metadata={"messages": ["[ERROR] <x>"]}))
    sink(slack, clock).deliver(to(note()), None)
    (message,) = channel.messages
    assert "blocks" not in message
    assert "CRITICAL" in message["text"]
    slack.fault("chat.postMessage", told("invalid_blocks"), told("msg_too_long"))
    assert failed(sink(slack, clock), to(summary()), None).permanent


def test_a_channel_gets_one_message_a_second(slack: SlackFake, channel: Channel, clock: Clock) -> None:
    slack.world.paced = True
    told_by = sink(slack, clock)
    for number in range(5):
        told_by.deliver(to(note(view=finding(id=f"F-{number}"))), None)
    told_by.deliver(to(note(), OTHER), None)
    assert len(channel.messages) == 5
    assert clock.slept == [1.0, 1.0, 1.0, 1.0]


# Who


def test_the_actor_is_mentioned_by_the_settings_or_by_address(slack: SlackFake, channel: Channel, clock: Clock) -> None:
    slack.world.users["jo@example.com"] = "U0000000042"
    told_by = sink(slack, clock, look_up=True, users={"payments": "S0000000007"})
    told_by.deliver(to(note()), None)
    text = channel.messages[0]["blocks"][1]["fields"]
    assert any("<@U0000000042> `AWSReservedSSO" in field["text"] for field in text)
    assert any("<!subteam^S0000000007>" in field["text"] for field in text)
    told_by.deliver(to(note(view=finding(id="F-2"))), None)
    assert len(slack.called("users.lookupByEmail")) == 1


def test_without_the_scope_or_the_person_the_name_stays_text(slack: SlackFake, channel: Channel, clock: Clock) -> None:
    told_by = sink(slack, clock, look_up=True)
    slack.fault("users.lookupByEmail", told("missing_scope"))
    told_by.deliver(to(note()), None)
    slack.fault("users.lookupByEmail", limited(30))
    told_by.deliver(to(note(view=finding(id="F-2", actor="kim@example.com"))), None)
    told_by.deliver(to(note(view=finding(id="F-3", actor="x <!channel> @example.com"))), None)
    assert len(channel.messages) == 3
    assert not any("<@" in str(message) or "<!" in str(message) for message in channel.messages)


def test_nobody_is_looked_up_unless_it_is_asked_for(slack: SlackFake, clock: Clock) -> None:
    sink(slack, clock).deliver(to(note()), None)
    assert slack.called("users.lookupByEmail") == []


# Before anything is to be told


def test_examine_says_what_stands_in_the_way(slack: SlackFake, channel: Channel, clock: Clock) -> None:
    told_by = sink(slack, clock)
    assert told_by.examine(CHANNEL) == ()
    channel.archived, channel.member = True, False
    archived, absent = told_by.examine(CHANNEL)
    assert "unarchive" in archived
    assert "/invite" in absent
    assert "no Slack channel's id" in told_by.examine("#alerts")[0]
    assert "channel_not_found" in told_by.examine("C0000000009")[0]
    slack.world.scopes = ("chat:write",)
    assert "channels:history or groups:history" in told_by.examine(CHANNEL)[0]
    slack.world.token = "xoxb-another"
    assert "bot token" in told_by.examine(CHANNEL)[0]
