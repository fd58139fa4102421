"""The buttons, from a press in Slack to what `monitor findings show` says: over the command that listens to them."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitor.alerts.blocks import ACKNOWLEDGE, WAIVE
from monitor.alerts.slack import SlackSink
from monitor.store.store import Store
from tests.fakes.installation import ROOT, Installation, environment
from tests.fakes.slack.saying import AT, CHANNEL, note, to
from tests.fakes.slack.server import SlackFake
from tests.fakes.slack.world import APP_TOKEN, TOKEN

ALERTS = """
alerts:
  summary: null
  routes: [{{to: ["slack:{channel}"], burst: 100}}]
  slack:
    token_file: "{folder}/bot"
    app_token_file: "{folder}/app"
    base_url: {api}
    edit_waivers: https://github.com/example-org/controls/edit/main/config/waivers.yaml
"""


@pytest.fixture
def here(install: Callable[[Path | None], Installation], organisation: Path) -> Installation:
    made = install(organisation)
    made.edit("monitor.yaml", "start: 2026-03-01T", "start: 2026-03-30T")
    made.edit("monitor.yaml", "overlap_days: 3", "overlap_days: 0")
    return made


def alerted(here: Installation, slack: SlackFake, app_token: str = APP_TOKEN) -> None:
    (here.folder / "bot").write_text(TOKEN)
    (here.folder / "app").write_text(app_token)
    settings = here.config / "monitor.yaml"
    more = ALERTS.format(channel=CHANNEL, folder=here.folder, api=slack.api)
    settings.write_text(settings.read_text() + more)


def press(slack: SlackFake, action: str, finding: str, envelope: str) -> dict[str, Any]:
    payload = {
        "type": "block_actions",
        "trigger_id": "1.2.3",
        "user": {"id": "U0000000042", "username": "jo"},
        "channel": {"id": CHANNEL},
        "message": {"ts": slack.world.channels[CHANNEL].messages[0]["ts"]},
        "actions": [{"type": "button", "action_id": action, "value": finding}],
    }
    return {"type": "interactive", "envelope_id": envelope, "accepts_response_payload": False, "payload": payload}


@pytest.mark.parametrize("command", [("alerts", "listen"), ("schedule",)], ids=["listen", "schedule"])
def test_a_press_is_answered_and_told_of_the_finding(here: Installation, command: tuple[str, ...]) -> None:
    here.sweep()
    with Store.open(f"sqlite:///{here.database}") as store:
        finding = store.open_findings()[0].id
    with SlackFake() as slack:
        slack.world.channel(CHANNEL)
        SlackSink(TOKEN, base_url=slack.api, clock=lambda: AT, sleep=lambda seconds: None).deliver(to(note()), None)
        alerted(here, slack)
        if command == ("schedule",):
            settings = here.config / "monitor.yaml"
            settings.write_text(settings.read_text() + '\nschedules: {sweeps: [{name: leap, cron: "0 0 29 2 *"}]}\n')
        program = [
            sys.executable,
            "-c",
            "from monitor.cli.app import main; main()",
            *command,
            "--config",
            str(here.config),
        ]
        running = subprocess.Popen(program, cwd=ROOT, env=environment(), stderr=subprocess.PIPE, text=True)
        try:
            assert slack.socket.connected.wait(30)
            slack.socket.send(press(slack, ACKNOWLEDGE, finding, "e-1"))
            assert slack.socket.received.get(timeout=20)["envelope_id"] == "e-1"
            slack.socket.send(press(slack, ACKNOWLEDGE, finding, "e-2"))
            slack.socket.send(press(slack, WAIVE, finding, "e-3"))
            slack.socket.send(press(slack, ACKNOWLEDGE, finding[:4], "e-4"))
            assert slack.await_call("views.open", seconds=20)
            assert slack.await_call("chat.postEphemeral", seconds=20)
        finally:
            running.send_signal(signal.SIGTERM)
            _, errors = running.communicate(timeout=60)
        assert running.returncode in (0, -signal.SIGTERM), errors
        assert "Traceback" not in errors
        assert "listen" in errors
        assert "edit/main/config/waivers.yaml" in slack.world.views[0]["view"]["blocks"][0]["text"]["text"]
        assert "no finding" in slack.world.ephemeral[0]["text"]
    (taken,) = here("findings", "show", finding, "--format", "json").json["acknowledgements"]
    assert taken["who"] == "slack:U0000000042"
    assert taken["reopened_since"] is False
    assert "Taken up    by slack:U0000000042" in here("findings", "show", finding).text


def test_a_token_that_slack_refuses_is_told_and_ends_the_command(here: Installation) -> None:
    here("db", "upgrade")
    with SlackFake() as slack:
        alerted(here, slack, "xapp-wrong")
        ran = here("alerts", "listen")
    assert ran.code == 4, ran
    assert "check the app-level token" in ran.errors
    assert "xapp-wrong" not in ran.errors


def test_without_the_apps_token_the_command_says_what_to_write(here: Installation) -> None:
    here("db", "upgrade")
    with SlackFake() as slack:
        alerted(here, slack)
        here.edit("monitor.yaml", f'    app_token_file: "{here.folder}/app"\n', "")
        ran = here("alerts", "listen")
    assert ran.code == 2, ran
    assert "alerts.slack.app_token_file" in ran.errors
