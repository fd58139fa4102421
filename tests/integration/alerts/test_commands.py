"""`monitor alerts`: what a person types, over a real store, receiver and mailbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from monitor.cli import alerts
from monitor.errors import MonitorError
from monitor.store.store import Store
from tests.fakes.mailbox import Mailbox
from tests.fakes.receiver import Answer, Receiver
from tests.integration.alerts.world import World, fid, result

SETTINGS = """
organisation: Example Organisation
evidence: {{origin: evidence.example.com/controls}}
alerts:
  summary: null
  routes:
    - to: [webhook:siem, smtp:oncall@example.com]
  webhook:
    endpoints:
      siem: {{url: {url}, secret_file: secret}}
  smtp: {{host: localhost, port: {port}, security: none, sender: monitor@example.com}}
"""


class Place:
    def __init__(self, folder: Path, url: str, receiver: Receiver, mailbox: Mailbox) -> None:
        from monitor.settings.alerts import AlertSettings

        self.url, self.receiver, self.mailbox = url, receiver, mailbox
        (folder / "secret").write_text("an example of a secret\n")
        import yaml

        text = SETTINGS.format(url=receiver.url, port=mailbox.port)
        given = yaml.safe_load(text)["alerts"]
        given["webhook"]["endpoints"]["siem"]["secret_file"] = str(folder / "secret")
        self.settings = AlertSettings.model_validate(given)

    def __call__(self, *arguments: str) -> tuple[int, str]:
        ran = CliRunner().invoke(alerts.app, list(arguments))
        if isinstance(ran.exception, MonitorError):
            return 2, ran.exception.diagnostics()
        assert ran.exception is None or isinstance(ran.exception, SystemExit | typer.Exit), ran.exception
        return ran.exit_code, ran.stdout


@pytest.fixture
def place(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with Receiver() as receiver, Mailbox() as mailbox:
        found = Place(tmp_path, sqlite_url, receiver, mailbox)

        class Loaded:
            controls = None

            class settings:
                database = sqlite_url
                alerts = found.settings

        monkeypatch.setattr(alerts, "configuration", lambda folder: Loaded)
        yield found


def test_a_test_goes_to_every_target_and_says_what_came_of_each(place: Place):
    code, text = place("test")
    assert code == 0
    assert "webhook siem  delivered" in text
    assert "smtp oncall@example.com  delivered" in text
    assert place.receiver.taken[0].json["kind"] == "test"
    assert "A test of the control monitor" in place.mailbox.mails[0]["Subject"]

    place.receiver.answers = lambda number, posted: Answer(404)
    code, text = place("test", "--sink", "webhook")
    assert code == 1
    assert "not delivered: answered 404" in text
    assert len(place.mailbox.taken) == 1


def test_a_test_may_go_to_a_target_that_no_route_names(place: Place):
    assert place("test", "--sink", "smtp", "--target", "other@example.com")[0] == 0
    assert place.mailbox.to == ["<other@example.com>"]
    code, text = place("test", "--sink", "slack", "--target", "C0123456789")
    assert code == 2
    assert "no 'slack:' section" in text
    assert place("test", "--target", "x")[0] == 2


def test_the_outbox_is_listed_delivered_and_tried_again(place: Place):
    with Store.open(place.url) as store:
        world = World(store, place.settings.rules())
        world.sweep(result("a"))
    code, text = place("list")
    assert code == 0
    assert fid("a") in text
    assert "2 pending" in text

    place.receiver.answers = lambda number, posted: Answer(410)
    code, text = place("deliver")
    assert code == 1
    assert "1 sent, 0 to be tried again, 1 given up" in text
    code, text = place("list", "--state", "failed", "--format", "json")
    assert '"error": "answered 410"' in text

    place.receiver.answers = lambda number, posted: Answer()
    assert place("retry", "--failed")[1].startswith("1 to be tried again")
    assert place("deliver")[0] == 0
    assert [posted.json["kind"] for posted in place.receiver.posted] == ["opened", "opened"]


@pytest.mark.parametrize(
    "arguments",
    [["retry"], ["retry", "abcdef", "--failed"], ["retry", "a"], ["retry", "abcdef"], ["list", "--state", "x"]],
)
def test_what_is_asked_wrongly_is_said(place: Place, arguments: list[str]):
    code, text = place(*arguments)

    assert code == 2
    assert "next:" in text
