"""Ending a sweep at a safe point: nothing is sealed yet, and what was begun is cleared by whoever comes next."""

from __future__ import annotations

from collections.abc import Callable

from monitor.errors import MonitorError

Stop = Callable[[], bool]
"""Whether the sweep is to end at its next safe point."""


class Stopped(MonitorError):
    """The sweep ended at a safe point because it was asked to. Nothing was sealed."""


def never() -> bool:
    """Return False: nobody asks."""
    return False


def go_on(stop: Stop) -> None:
    """Raise Stopped if the sweep is to end here."""
    if stop():
        raise Stopped("the sweep was asked to end, and did so before it sealed anything", todo="sweep again")
