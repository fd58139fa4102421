"""Delivering alerts beside a sweep: one round after it, or round after round while the scheduler runs. Never fails a sweep."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from monitor.cli.clock import now
from monitor.cli.show import complain
from monitor.errors import MonitorError

if TYPE_CHECKING:
    from monitor.alerts.notes import Note
    from monitor.settings import Config
    from monitor.store.store import Store

PAUSE = 15.0
"""Seconds between two rounds of the scheduler."""


def deliver(config: Config, store: Store, say: Callable[[str], None] = complain) -> None:
    """Deliver what is due once. What cannot be delivered waits in the outbox, and is told."""
    if config.settings.alerts is None:
        return
    from monitor.cli.compose_alerts import delivering

    try:
        with delivering(config, store, now, time.sleep) as deliverer:
            counts = deliverer.run_once(now())
    except MonitorError as refused:
        say(f"alerts wait in the outbox: {refused.diagnostics()}")
        return
    for error in counts.errors[:5]:
        say(f"an alert waits in the outbox: {error}")


@contextmanager
def keeps_delivering(config: Config, store: Store, say: Callable[[str], None]) -> Iterator[None]:
    """Deliver what is due in a thread of its own, until the end; nothing where no alerts are set up."""
    if config.settings.alerts is None:
        yield
        return
    from monitor.cli.compose_alerts import delivering

    ended = threading.Event()

    def rounds() -> None:
        while not ended.is_set():
            # A thread that dies would be silence: whatever goes wrong is told, and tried again.
            try:
                with delivering(config, store, now, time.sleep) as deliverer:
                    while not ended.is_set():
                        for error in deliverer.run_once(now()).errors[:5]:
                            say(f"an alert waits in the outbox: {error}")
                        ended.wait(PAUSE)
            except MonitorError as refused:
                say(f"alerts wait in the outbox: {refused.diagnostics()}")
            except Exception as fault:  # noqa: BLE001
                say(f"alerts wait in the outbox: {type(fault).__name__}: {fault}")
            ended.wait(PAUSE)

    thread = threading.Thread(target=rounds, name="alerts", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=60)


@contextmanager
def listens(config: Config, store: Store, say: Callable[[str], None]) -> Iterator[None]:
    """Answer the buttons of Slack's messages until the end; buttons are optional, so what stands in the way is only said."""
    if config.settings.alerts is None:
        yield
        return
    from monitor.cli.compose_alerts import listening

    with ExitStack() as stack:
        try:
            listener = stack.enter_context(listening(config, store, now, time.sleep, say))
            if listener is not None and listener.connected:
                say("Slack's buttons are listened to")
        except MonitorError as refused:
            say(f"Slack's buttons do not work: {refused.diagnostics()}")
        yield


def teller(config: Config, store: Store, say: Callable[[str], None]) -> Callable[[Note], None]:
    """Return what takes notes about the monitor itself: to the record of the service, and to whom operations go."""
    from monitor.cli.compose_alerts import alerting
    from monitor.sweep import registry

    alerts = alerting(config, registry.discover())

    def tell(note: Note) -> None:
        say(f"{note.title}: " + "; ".join(f"{label}: {text}" for label, text in note.lines))
        if alerts is not None:
            try:
                alerts.tell(store, [note])
            except MonitorError as refused:
                say(f"this could not be put into the outbox: {refused.diagnostics()}")

    return tell
