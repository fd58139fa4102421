"""The buttons over Socket Mode: they note and draft, and change nothing by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from monitor.alerts.blocks import ACKNOWLEDGE, WAIVE
from monitor.alerts.notes import FindingView
from monitor.alerts.slack import SlackSink
from monitor.alerts.socket import Buttons, Listener
from monitor.errors import LedgerError
from tests.fakes.slack.reading import read
from tests.fakes.slack.saying import AT, CHANNEL, finding, note, to
from tests.fakes.slack.server import SlackFake, told
from tests.fakes.slack.world import APP_TOKEN, TOKEN, World


class Known:
    """Findings that the buttons ask about."""

    def __init__(self) -> None:
        self.all = {"F-0a1b2c3d": finding()}
        self.acknowledged: list[tuple[str, str]] = []
        self.fails: Exception | None = None

    def finding(self, finding_id: str) -> FindingView | None:
        if self.fails:
            raise self.fails
        return self.all.get(finding_id)

    def acknowledge(self, finding_id: str, user: str, at: datetime) -> None:
        self.acknowledged.append((finding_id, user))


@pytest.fixture
def slack() -> Iterator[SlackFake]:
    with SlackFake(World(lambda: AT)) as fake:
        fake.world.channel(CHANNEL)
        yield fake


@pytest.fixture
def known() -> Known:
    return Known()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def buttons(slack: SlackFake, known: Known, said: list[str]) -> Buttons:
    sink = SlackSink(TOKEN, base_url=slack.api, clock=lambda: AT, sleep=lambda seconds: None, buttons=True)
    sink.deliver(to(note()), None)
    edit = "https://github.com/example-org/controls/edit/main/config/waivers.yaml"
    return Buttons(sink, known, clock=lambda: AT, edit=edit, told=said.append)


def press(slack: SlackFake, action: str, **more: Any) -> dict[str, Any]:
    head = slack.world.channels[CHANNEL].messages[0]
    return {
        "type": "block_actions",
        "trigger_id": "1.2.3",
        "user": {"id": "U0000000042", "username": "jo"},
        "channel": {"id": CHANNEL},
        "message": {"ts": head["ts"]},
        "actions": [{"type": "button", "action_id": action, "value": "F-0a1b2c3d"}],
        **more,
    }


def test_an_acknowledgement_is_noted_and_said_in_the_thread_once(
    slack: SlackFake, buttons: Buttons, known: Known
) -> None:
    for _ in range(2):  # Slack sends it again where it missed the answer
        buttons.pressed(press(slack, ACKNOWLEDGE))
    head, reply = slack.world.channels[CHANNEL].messages
    assert reply["thread_ts"] == head["ts"]
    assert read(reply["text"]).mentions == ["@U0000000042"]
    assert "2026-04-01 01:00 UTC" in reply["text"]
    assert known.acknowledged == [("F-0a1b2c3d", "U0000000042")] * 2
    assert "edits" not in head


def test_a_request_for_a_waiver_opens_the_draft_and_writes_nothing(
    slack: SlackFake, buttons: Buttons, known: Known
) -> None:
    buttons.pressed(press(slack, WAIVE))
    (opened,) = slack.world.views
    shown = opened["view"]["blocks"]
    assert opened["trigger_id"] == "1.2.3"
    assert "/edit/main/config/waivers.yaml|" in shown[0]["text"]["text"]
    entry = shown[1]["elements"][0]["elements"][0]["text"]
    assert 'checks: ["direct-production-change"]' in entry
    assert 'requester: "jo"' in entry
    assert len(slack.world.channels[CHANNEL].messages) == 1
    assert known.acknowledged == []


def test_a_finding_too_long_to_draft_is_told_to_who_asked(slack: SlackFake, buttons: Buttons, known: Known) -> None:
    known.all["F-0a1b2c3d"] = finding(subject="x", check="y" * 4000)
    buttons.pressed(press(slack, WAIVE))
    assert slack.world.views == []
    assert "monitor findings show" in slack.world.ephemeral[0]["text"]


def test_a_finding_that_is_gone_is_told_to_who_asked(slack: SlackFake, buttons: Buttons, known: Known) -> None:
    known.all.clear()
    buttons.pressed(press(slack, ACKNOWLEDGE))
    (whisper,) = slack.world.ephemeral
    assert whisper["user"] == "U0000000042"
    assert "no finding `F-0a1b2c3d`" in whisper["text"]


def test_what_goes_wrong_is_told_and_raises_nothing(
    slack: SlackFake, buttons: Buttons, known: Known, said: list[str]
) -> None:
    known.fails = LedgerError("the database <!channel> is away")
    buttons.pressed(press(slack, ACKNOWLEDGE))
    known.fails = RuntimeError("odd")
    buttons.pressed(press(slack, ACKNOWLEDGE))
    known.fails = None
    slack.fault("views.open", told("expired_trigger_id"))
    buttons.pressed(press(slack, WAIVE))
    slack.fault("chat.postEphemeral", told("internal_error"))
    known.all.clear()
    buttons.pressed(press(slack, WAIVE))
    assert [line.partition(": ")[2][:12] for line in said] == [
        "the database",
        "RuntimeError",
        "Slack refuse",
        "Slack refuse",
    ]
    assert len(slack.world.ephemeral) == 3
    assert not any(read(one["text"]).mentions for one in slack.world.ephemeral)


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"actions": None},
        {"actions": ["x", {"action_id": ACKNOWLEDGE}]},
        {"actions": [{"action_id": ACKNOWLEDGE, "value": "F-1"}], "user": "U1"},
        {"actions": [{"action_id": ACKNOWLEDGE, "value": "F-1"}], "user": {"id": "<!channel>"}},
        {"actions": [{"action_id": "another", "value": "F-0a1b2c3d"}]},
    ],
)
def test_a_payload_of_another_shape_does_nothing(
    slack: SlackFake, buttons: Buttons, known: Known, said: list[str], payload: dict[str, Any]
) -> None:
    buttons.pressed({**press(slack, ACKNOWLEDGE), **payload} if payload else payload)
    assert known.acknowledged == []
    assert said == []
    assert len(slack.world.channels[CHANNEL].messages) == 1


def test_a_press_comes_over_the_socket_and_is_answered_first(
    slack: SlackFake, buttons: Buttons, said: list[str]
) -> None:
    with Listener(APP_TOKEN, slack.api, buttons, told=said.append):
        assert slack.socket.connected.wait(10)
        payload = press(slack, WAIVE)
        slack.socket.send(
            {"type": "interactive", "envelope_id": "e-1", "accepts_response_payload": False, "payload": payload}
        )
        assert slack.socket.received.get(timeout=10)["envelope_id"] == "e-1"
        slack.socket.send({"type": "slash_commands", "envelope_id": "e-2", "payload": {"text": "x"}})
        assert slack.socket.received.get(timeout=10)["envelope_id"] == "e-2"
        assert slack.await_call("views.open")
    assert len(slack.world.views) == 1
    assert said == []


def test_a_socket_that_cannot_be_had_is_told_and_stops_nothing(
    slack: SlackFake, buttons: Buttons, said: list[str]
) -> None:
    with Listener("xapp-wrong", slack.api, buttons, told=said.append):
        pass
    assert "xapp-" in said[0]
    assert "xapp-wrong" not in said[0]
