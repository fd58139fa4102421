"""Where alerting is made from the configuration: its rules, its sinks with their secrets, and what delivers."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.errors import ConfigError

if TYPE_CHECKING:
    from monitor.alerts.deliver import Deliverer
    from monitor.alerts.port import Sink
    from monitor.alerts.slack import SlackSink
    from monitor.alerts.socket import Listener
    from monitor.model import Check
    from monitor.settings import Config
    from monitor.settings.alerts import AlertSettings
    from monitor.store.store import Store
    from monitor.sweep.alerting import Alerting

_SHORTEST_SECRET = 16
_LARGEST_FILE = 10_000


def alert_settings(config: Config) -> AlertSettings:
    """Return the section `alerts`. Raises ConfigError if there is none."""
    found: AlertSettings | None = getattr(config.settings, "alerts", None)
    if found is None:
        raise ConfigError("there is no `alerts` in monitor.yaml", todo="docs/alerts.md shows how alerts are set up")
    return found


def alerting(config: Config, checks: Sequence[Check]) -> Alerting | None:
    """Return what alerts are made with, or None where the settings have no `alerts`."""
    from monitor.cli.sweep import name_of
    from monitor.sweep.alerting import Alerting, waiver_ends

    if getattr(config.settings, "alerts", None) is None:
        return None
    settings = alert_settings(config)
    production = config.expected.sections.production
    return Alerting(
        rules=settings.rules(),
        checks=tuple(checks),
        templates=settings.templates(),
        places=lambda scope: name_of(scope, production.name_of),
        waivers=waiver_ends(config.waivers),
    )


@contextmanager
def sinks(config: Config, clock: Callable[[], datetime], sleep: Callable[[float], None]) -> Iterator[list[Sink]]:
    """Yield the sinks that are set up, with their secrets. Raises ConfigError for a secret that cannot be read."""
    settings = alert_settings(config)
    found: list[Sink] = []
    with ExitStack() as stack:
        if settings.slack:
            found.append(_slack(config, settings.slack, clock, sleep))
        if settings.webhook:
            from monitor.alerts.webhook import WebhookSink

            endpoints = {name: _endpoint(name, one) for name, one in settings.webhook.endpoints.items()}
            webhook = WebhookSink(endpoints, clock=clock, timeout=settings.webhook.timeout_seconds)
            stack.callback(webhook.close)
            found.append(webhook)
        if settings.smtp:
            from monitor.alerts.smtp import MailServer, SmtpSink

            smtp = settings.smtp
            server = MailServer(
                host=smtp.host,
                port=smtp.port,
                security=smtp.security,
                sender=smtp.sender,
                user=smtp.user or "",
                password=secret(smtp.password_file, "alerts.smtp.password_file") if smtp.password_file else "",
                timeout=smtp.timeout_seconds,
            )
            found.append(SmtpSink(server))
        yield found


@contextmanager
def delivering(
    config: Config, store: Store, clock: Callable[[], datetime], sleep: Callable[[float], None]
) -> Iterator[Deliverer]:
    """Yield what delivers from a store's outbox, by all sinks that are set up."""
    from monitor.alerts.deliver import Deliverer
    from monitor.sweep.alerting import StoreOutbox

    settings = alert_settings(config)
    with (
        sinks(config, clock, sleep) as found,
        Deliverer(
            StoreOutbox(store),
            found,
            clock,
            fallbacks=settings.fallbacks(),
            give_up=timedelta(hours=settings.give_up_hours),
            jitter=random.random,
        ) as deliverer,
    ):
        yield deliverer


@contextmanager
def listening(
    config: Config,
    store: Store,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None],
    told: Callable[[str], None],
) -> Iterator[Listener | None]:
    """Answer the buttons of Slack's messages until the end; yields None where no buttons are set up.

    Raises ConfigError for a secret that cannot be read. What goes wrong later is told, for buttons are optional.
    """
    slack = config.settings.alerts.slack if config.settings.alerts else None
    if slack is None or slack.app_token_file is None:
        yield None
        return
    from monitor.alerts.socket import Buttons, Listener
    from monitor.sweep import registry
    from monitor.sweep.pressing import PressedFindings

    alerts = alerting(config, registry.discover())
    assert alerts
    buttons = Buttons(
        _slack(config, slack, clock, sleep),
        PressedFindings(store, alerts.view),
        clock=clock,
        edit=slack.edit_waivers or "",
        max_days=config.settings.findings.waiver_max_days,
        told=told,
    )
    token = secret(slack.app_token_file, "alerts.slack.app_token_file")
    with Listener(token, slack.base_url.rstrip("/") + "/", buttons, told=told) as listener:
        yield listener


def secret(file: Path, key: str) -> str:
    """Return what a secret's file holds, without blanks around it. Raises ConfigError, which never repeats it."""
    todo = f"put the secret there, readable for this user alone, or name another file in {key}"
    try:
        if file.stat().st_size > _LARGEST_FILE:
            raise ConfigError(f"{file} is too large to be a secret", todo=todo)
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        kind = type(error).__name__
        raise ConfigError(f"the secret in {file} cannot be read ({kind})", todo=todo) from error
    if not text:
        raise ConfigError(f"{file} is empty", todo=todo)
    return text


def _slack(config: Config, slack: Any, clock: Callable[[], datetime], sleep: Callable[[float], None]) -> SlackSink:
    from monitor.alerts.slack import SlackSink

    known = config.controls.controls if config.controls else ()
    return SlackSink(
        secret(slack.token_file, "alerts.slack.token_file"),
        clock=clock,
        sleep=sleep,
        base_url=slack.base_url.rstrip("/") + "/",
        users=slack.users,
        controls={control.id: control.title for control in known},
        buttons=slack.app_token_file is not None,
        look_up=slack.look_up,
    )


def _endpoint(name: str, settings: Any) -> Any:
    from monitor.alerts.webhook import Endpoint
    from monitor.settings.alert_sinks import webhook_mistake

    place = f"alerts.webhook.endpoints.{name}"
    url = settings.url or secret(settings.url_file, f"{place}.url_file")
    if wrong := webhook_mistake(url):
        raise ConfigError(f"what stands in {settings.url_file} {wrong}", todo=f"mend it, or {place}.url_file")
    key = secret(settings.secret_file, f"{place}.secret_file")
    if len(key) < _SHORTEST_SECRET:
        raise ConfigError(
            f"the secret in {settings.secret_file} has fewer than {_SHORTEST_SECRET} characters",
            todo="make one: openssl rand -hex 32",
        )
    return Endpoint(url, key.encode())
