"""Slack as `monitor doctor` sees it: is the token good, has it its scopes, is the app in each channel. Posts nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from monitor.cli.doctor_parts import part

if TYPE_CHECKING:
    from monitor.settings import Config

_SECONDS = 8
_MOST = 20


class Examiner(Protocol):
    """What can tell what stands in the way of a channel."""

    def examine(self, channel: str) -> tuple[str, ...]:
        """Return what stands in the way, each with what to do; nothing if all is well."""


def looked(loaded: Config, *, offline: bool) -> list[dict[str, Any]]:
    """Return a line about Slack for each thing that is wrong, one if all is well, none where it is not configured."""
    from monitor.alerts.slack import SlackSink
    from monitor.cli.clock import now

    alerts: Any = getattr(loaded.settings, "alerts", None)
    slack = getattr(alerts, "slack", None)
    if slack is None:
        return []
    token = _token(slack.token_file)
    if not token:
        told = f"the bot's token cannot be read from {slack.token_file}"
        return [part("Slack", "bad", told, "write the token (xoxb-…) there, for this user alone")]
    if offline:
        return [part("Slack", "good", "configured; not asked")]
    base = slack.base_url.rstrip("/") + "/"
    sink = SlackSink(token, clock=now, sleep=time.sleep, base_url=base, timeout=_SECONDS)
    return examined(sink, sorted(_channels(alerts)), token)


def examined(sink: Examiner, channels: Iterable[str], secret: str) -> list[dict[str, Any]]:
    """Return what stands in the way of each channel, the same thing once; what is told never holds the secret."""
    asked = list(channels)[:_MOST]
    wrong = dict.fromkeys(problem for channel in asked for problem in sink.examine(channel))
    if not wrong:
        return [part("Slack", "good", f"the token is good, and the app is in {len(asked)} channels")]
    lines = [problem.replace(secret, "…").partition("; ") for problem in wrong]
    return [part("Slack", "bad", what, todo) for what, _, todo in lines]


def _channels(alerts: Any) -> set[str]:
    rules = alerts.rules()
    targets = [target for route in rules.routes for target in route.to]
    targets += [*rules.operations, *rules.summary, *alerts.fallbacks().values()]
    return {target.target for target in targets if target.sink == "slack"}


def _token(file: Path) -> str:
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""
