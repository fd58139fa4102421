"""The buttons of Slack messages, over Socket Mode: acknowledge a finding, and get the draft of a waiver for it.

Neither changes how a finding stands. An acknowledgement is noted and said in the thread; a waiver is asked for by a change
to `config/waivers.yaml`, whose review is the approval. Socket Mode needs no address that Slack could call: the app connects
outwards (https://docs.slack.dev/apis/events-api/using-socket-mode). Slack sends an envelope again that was not acknowledged
within three seconds, so each is acknowledged first, and what it does is safe to do twice.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol, Self

from slack_sdk import WebClient
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from monitor.alerts.blocks import ACKNOWLEDGE, WAIVE, moment
from monitor.alerts.escaping import code, link, mention, words
from monitor.alerts.notes import FindingView
from monitor.alerts.slack import EVENT, SlackSink
from monitor.alerts.waiver_draft import DAYS, draft, edit_address
from monitor.errors import MonitorError

_DRAFT = 2900


class Findings(Protocol):
    """What the buttons need to know and to note of findings."""

    def finding(self, finding_id: str) -> FindingView | None:
        """Return a finding, or None if there is none by that id."""

    def acknowledge(self, finding_id: str, user: str, at: datetime) -> None:
        """Note that a Slack user (id) has acknowledged a finding at a moment (UTC). Noting it twice changes nothing."""


class Buttons:
    """What each button does.

    `edit` is the address at which `waivers.yaml` is edited, `{entry}` standing for the entry; `told` is told, in one line,
    what goes wrong: whoever pressed a button sees it too.
    """

    def __init__(
        self,
        sink: SlackSink,
        findings: Findings,
        *,
        clock: Callable[[], datetime],
        edit: str = "",
        max_days: int = DAYS,
        told: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._sink = sink
        self._findings = findings
        self._clock = clock
        self._edit = edit
        self._max_days = max_days
        self._told = told

    def pressed(self, payload: Mapping[str, Any]) -> None:
        """Act on what Slack sends when buttons are pressed (`block_actions`). Never raises: what goes wrong is told."""
        for action in _mappings(payload.get("actions")):
            press = _press(payload, action)
            if press is None:
                continue
            try:
                self._act(str(action.get("action_id", "")), press)
            except MonitorError as error:
                self._told(f"a button in Slack: {error.what}")
                self._whisper(press, f"That did not work: {words(error.what, 300)}")
            except Exception as fault:  # noqa: BLE001  # What Slack sends must not end the listener.
                self._told(f"a button in Slack: {type(fault).__name__}: {fault}")
                self._whisper(press, "That did not work; the monitor's log says why.")

    def _act(self, action: str, press: _Press) -> None:
        if action not in (ACKNOWLEDGE, WAIVE):
            return
        finding = self._findings.finding(press.finding)
        if finding is None:
            self._whisper(press, f"There is no finding {code(press.finding, 80)} any more.")
        elif action == ACKNOWLEDGE:
            self._acknowledge(press)
        else:
            self._draft(press, finding)

    def _acknowledge(self, press: _Press) -> None:
        at = self._clock()
        self._findings.acknowledge(press.finding, press.user, at)
        identity = f"acknowledged:{press.finding}:{press.user}:{press.thread}"
        if self._sink.has_reply(press.channel, press.thread, identity):
            return
        self._sink.calls.call(
            "chat.postMessage",
            paced=press.channel,
            channel=press.channel,
            thread_ts=press.thread,
            text=f"👀 {mention(press.user)} acknowledged this, {moment(at)}",
            parse="none",
            link_names=False,
            metadata={"event_type": EVENT, "event_payload": {"id": identity, "finding": press.finding}},
        )

    def _draft(self, press: _Press, finding: FindingView) -> None:
        entry = draft(finding, press.name, self._clock(), max_days=self._max_days)
        where = edit_address(self._edit, entry)
        to_edit = link(where, "Edit config/waivers.yaml") if where else "Edit `config/waivers.yaml`"
        how = f"{to_edit}, add this entry with reason, ticket and approver, and have the change reviewed."
        if len(entry) > _DRAFT:
            self._whisper(
                press, f"{how} The finding's names are too long to be shown here: `monitor findings show` has them."
            )
            return
        view = {
            "type": "modal",
            "title": {"type": "plain_text", "text": "Request a waiver"},
            "close": {"type": "plain_text", "text": "Close"},
            "blocks": [
                {"type": "section", "text": {"type": "mrkdwn", "text": how, "verbatim": True}},
                # Of rich text Slack shows every character as it is: https://docs.slack.dev/reference/block-kit/blocks/rich-text-block
                {
                    "type": "rich_text",
                    "elements": [{"type": "rich_text_preformatted", "elements": [{"type": "text", "text": entry}]}],
                },
                {
                    "type": "context",
                    "elements": [
                        {"type": "mrkdwn", "text": "Nothing is waived until that change is merged.", "verbatim": True}
                    ],
                },
            ],
        }
        self._sink.calls.call("views.open", trigger_id=press.trigger, view=view)

    def _whisper(self, press: _Press, text: str) -> None:
        """Tell whoever pressed the button, and nobody else; that it cannot be told is told to the log."""
        try:
            self._sink.calls.call(
                "chat.postEphemeral",
                channel=press.channel,
                user=press.user,
                thread_ts=press.thread,
                text=text,
                parse="none",
                link_names=False,
            )
        except MonitorError as error:
            self._told(f"a button in Slack: {error.what}")


class Listener:
    """Listens over Socket Mode until it is stopped; use it as a context manager. It reconnects by itself."""

    def __init__(self, app_token: str, base_url: str, buttons: Buttons, *, told: Callable[[str], None]) -> None:
        quiet = logging.getLogger("monitor.alerts.slack_socket")  # it would log payloads, with names of people
        quiet.setLevel(logging.CRITICAL + 1)
        web = WebClient(base_url=base_url, logger=quiet)
        self._buttons = buttons
        self._told = told
        self._client = SocketModeClient(app_token=app_token, logger=quiet, web_client=web, concurrency=2)
        self._client.socket_mode_request_listeners.append(self._received)
        self._stopped = threading.Event()
        self.connected = False
        """Whether the first connection came about; the client mends later ones by itself."""

    def start(self) -> None:
        """Connect. What goes wrong is told, not raised: buttons are optional, alerts are not."""
        try:
            self._client.connect()
            self.connected = True
        except Exception as fault:  # noqa: BLE001  # Whatever the library raises.
            self._told(f"Slack's buttons do not work: {type(fault).__name__}; check the app-level token (xapp-…)")

    def stop(self) -> None:
        """Disconnect, and end the library's threads."""
        if not self._stopped.is_set():
            self._stopped.set()
            self._client.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _received(self, client: BaseSocketModeClient, request: SocketModeRequest) -> None:
        client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))
        if request.type == "interactive" and request.payload.get("type") == "block_actions":
            self._buttons.pressed(request.payload)


class _Press:
    """One press of a button: by whom, on which message, for which finding."""

    def __init__(self, *, finding: str, user: str, name: str, channel: str, thread: str, trigger: str) -> None:
        self.finding = finding
        self.user = user
        self.name = name
        self.channel = channel
        self.thread = thread
        self.trigger = trigger


def _press(payload: Mapping[str, Any], action: Mapping[str, Any]) -> _Press | None:
    """Return what the payload says, or None where it lacks what every press has."""
    user, channel, message = (_mapping(payload.get(name)) for name in ("user", "channel", "message"))
    press = _Press(
        finding=str(action.get("value") or ""),
        user=str(user.get("id") or ""),
        name=str(user.get("username") or user.get("name") or user.get("id") or "")[:100],
        channel=str(channel.get("id") or ""),
        thread=str(message.get("thread_ts") or message.get("ts") or ""),
        trigger=str(payload.get("trigger_id") or ""),
    )
    return press if press.finding and mention(press.user) and press.channel and press.thread else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
