"""`monitor alerts`: try the targets, see what waits in the outbox, deliver it, and let what was given up be tried again."""

from __future__ import annotations

import re
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli import exits
from monitor.cli.options import ConfigDir, OutputFormat, configuration
from monitor.cli.show import Format, clean, complain, moment, print_json, safe, say

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.alerts.notes import Message, Target
    from monitor.alerts.port import Sink
    from monitor.settings.alerts import AlertSettings
    from monitor.store.messages import Outgoing

app = typer.Typer(help="Alerts: their outbox, and how it is delivered.", no_args_is_help=True)

_STATES = ("pending", "sending", "sent", "failed", "dropped")


@app.command("test")
def try_out(
    sink: Annotated[str | None, typer.Option(help="Only this sink: slack, webhook or smtp.")] = None,
    target: Annotated[
        str | None, typer.Option(help="Only this target of it (a channel's id, an endpoint's name, an address).")
    ] = None,
    config: ConfigDir = Path("config"),
    output: OutputFormat = Format.TABLE,
) -> None:
    """Send a test message to every target that the settings name, or to some, and tell what came of each.

    Example: monitor alerts test --sink smtp --target oncall@example.com
    """
    from monitor.cli.clock import now
    from monitor.cli.compose_alerts import alert_settings, sinks

    loaded = configuration(config)
    chosen = _targets(alert_settings(loaded), sink, target)
    told: list[dict[str, Any]] = []
    with sinks(loaded, now, time.sleep) as found:
        by_name = {one.name: one for one in found}
        for to in chosen:
            wrong = _tried(by_name[to.sink], _test_message(to, now()))
            told.append({"sink": to.sink, "target": to.target, "delivered": not wrong, "error": wrong})
    if output is Format.JSON:
        print_json(told)
    else:
        for one in told:
            said = (
                "[green]delivered[/]" if one["delivered"] else f"[bold red]not delivered[/]: {safe(one['error'], 400)}"
            )
            say(f"{one['sink']} {safe(one['target'])}  {said}")
    raise typer.Exit(exits.CLEAN if all(one["delivered"] for one in told) else exits.FINDINGS)


@app.command("list")
def show_list(
    state: Annotated[str | None, typer.Option(help=f"Only these: {', '.join(_STATES)}.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many, the newest first.")] = 200,
    config: ConfigDir = Path("config"),
    output: OutputFormat = Format.TABLE,
) -> None:
    """List the messages of the outbox, newest first: what waits, what was sent, what was given up and why.

    Example: monitor alerts list --state failed
    """
    from monitor.errors import ConfigError
    from monitor.store.messages import Messages
    from monitor.store.store import Store
    from monitor.store.words import MessageState

    if state is not None and state not in _STATES:
        raise ConfigError(f"no message is ever {state!r}", todo=f"write one of {', '.join(_STATES)}")
    loaded = configuration(config)
    with Store.open(loaded.settings.database) as store:
        messages = Messages(store)
        rows = messages.listed(MessageState(state) if state else None, limit)
        counts = messages.counts()
    if output is Format.JSON:
        print_json([_told(row) for row in rows])
        return
    for row in rows:
        when = moment(row.sent_at or row.next_at)
        about = safe(row.finding_id or "-", 12)
        say(
            f"{row.id[:10]}  {row.state.value:<7}  {clean(row.kind, 15):<15}  {about:<12}  {when}  {row.sink} {safe(row.target)}"
        )
        if row.error:
            say(f"            after {row.attempts}: {safe(row.error, 300)}")
    say(" · ".join(f"{counts.get(one, 0):,} {one.value}" for one in MessageState))
    if counts.get(MessageState.FAILED):
        say("Try again what was given up: monitor alerts retry --failed")


@app.command("retry")
def retry(
    messages: Annotated[list[str] | None, typer.Argument(metavar="[ID]…", help="Ids, or their first letters.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All that were given up.")] = False,
    config: ConfigDir = Path("config"),
    output: OutputFormat = Format.TABLE,
) -> None:
    """Let messages that were given up be tried again, in the next round.

    Example: monitor alerts retry --failed
    """
    from monitor.cli.clock import now
    from monitor.errors import ConfigError
    from monitor.store.messages import Messages
    from monitor.store.store import Store

    if bool(messages) is failed:
        raise ConfigError("which messages?", todo="give their ids, or --failed for all that were given up")
    for one in messages or ():
        if not re.fullmatch(r"[0-9a-f]{6,64}", one):
            raise ConfigError(
                f"{one!r} is no id of a message, nor 6 of its letters or more", todo="see monitor alerts list"
            )
    loaded = configuration(config)
    with Store.open(loaded.settings.database) as store:
        tried = Messages(store).retry(now(), messages or None)
    if output is Format.JSON:
        print_json(tried)
    else:
        say(f"{len(tried)} to be tried again" + (": monitor alerts deliver" if tried else ""))
    if messages and not tried:
        raise ConfigError(
            "none of these was given up, or their findings were told of later already", todo="see monitor alerts list"
        )


@app.command("deliver")
def deliver(config: ConfigDir = Path("config"), output: OutputFormat = Format.TABLE) -> None:
    """Deliver what is due, once: for a machine without the scheduler.

    Example: monitor alerts deliver
    """
    from monitor.cli.clock import now
    from monitor.cli.compose_alerts import delivering
    from monitor.store.store import Store

    loaded = configuration(config)
    with Store.open(loaded.settings.database) as store, delivering(loaded, store, now, time.sleep) as deliverer:
        counts = deliverer.run_once(now())
    if output is Format.JSON:
        print_json(counts)
    else:
        say(
            f"{counts.sent} sent, {counts.later} to be tried again, {counts.failed} given up, {counts.moved} to the fallback"
        )
        for error in counts.errors[:20]:
            say(f"  {safe(error, 300)}")
        for name in counts.busy:
            say(f"  {safe(name)} is slow, and goes on")
    raise typer.Exit(exits.FINDINGS if counts.errors or counts.failed else exits.CLEAN)


@app.command("listen")
def listen(config: ConfigDir = Path("config")) -> None:
    """Answer the buttons of Slack's messages until SIGTERM or Ctrl-C: for a machine without the scheduler, which does it too.

    Example: monitor alerts listen
    """
    import signal
    import threading

    from monitor.cli.clock import now
    from monitor.cli.compose_alerts import alert_settings, listening
    from monitor.errors import ConfigError
    from monitor.store.store import Store

    loaded = configuration(config)
    alert_settings(loaded)
    stop = threading.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda number, frame: stop.set())
    with (
        Store.open(loaded.settings.database) as store,
        listening(loaded, store, now, time.sleep, complain) as listener,
    ):
        if listener is None:
            raise ConfigError(
                "Slack's buttons are not set up",
                todo="name the file of the app's token (xapp-…) in alerts.slack.app_token_file",
            )
        if not listener.connected:
            raise typer.Exit(exits.EVIDENCE)
        complain("listening to Slack's buttons")
        stop.wait()


def _targets(settings: AlertSettings, sink: str | None, target: str | None) -> list[Target]:
    from monitor.errors import ConfigError

    if target is not None and sink is None:
        raise ConfigError("a target is of some sink", todo="give --sink too: slack, webhook or smtp")
    if sink is not None and target is not None:
        try:
            return [settings.target(f"{sink}:{target}")]
        except ValueError as error:
            raise ConfigError(str(error), todo="see `alerts` in monitor.yaml") from error
    rules = settings.rules()
    named = [to for route in rules.routes for to in route.to]
    named += [*rules.operations, *rules.summary, *settings.fallbacks().values()]
    found = [to for to in dict.fromkeys(named) if sink is None or to.sink == sink]
    if not found:
        raise ConfigError(f"no target is of the sink {sink!r}", todo="see `alerts` in monitor.yaml")
    return found


def _test_message(to: Target, at: datetime) -> Message:
    from monitor.alerts.notes import Note, message
    from monitor.alerts.words import NoteKind

    note = Note(
        kind=NoteKind.TEST,
        key=f"test:{at.isoformat()}:{secrets.token_hex(4)}",
        at=at,
        title="A test of the control monitor's alerts: nothing has happened",
        lines=(("Target", f"{to.sink} {to.target}"), ("Sent by", "monitor alerts test")),
    )
    return message(note, to, at)


def _tried(sink: Sink, message: Message) -> str:
    """Return what stood in the way of a message, and what to do; nothing if it was delivered."""
    from monitor.errors import AlertError

    try:
        sink.deliver(message, None)
    except AlertError as error:
        return f"{error.what}; {error.todo}" if error.todo else error.what
    return ""


def _told(row: Outgoing) -> dict[str, Any]:
    from monitor.sweep.alerting import read

    message = read(row)
    return {
        "id": row.id,
        "state": row.state,
        "kind": row.kind,
        "sink": row.sink,
        "target": row.target,
        "finding_id": row.finding_id,
        "title": message.body.title if message else "",
        "created_at": row.created_at,
        "next_at": row.next_at,
        "sent_at": row.sent_at,
        "attempts": row.attempts,
        "reference": row.reference,
        "error": row.error,
    }
