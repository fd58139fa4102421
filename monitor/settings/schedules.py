"""The section `schedules` of the settings: when to sweep what, where to answer for one's health, whom to ping."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator

from monitor.expected.fields import Text, shaped, shown
from monitor.settings.section import Section

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FIELDS = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("weekday", 0, 6, _WEEKDAYS),
)
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_PART = re.compile(r"(\*|[a-z0-9]+)(?:-([a-z0-9]+))?(?:/([0-9]{1,4}))?")


def cron_sets(text: str) -> tuple[frozenset[int], ...]:
    """Return the values of each of the five fields; weekdays count from Monday, 0. Raises ValueError saying what is wrong.

    Numbers of weekdays are refused: 0 is Sunday to cron and Monday to APScheduler. So are a day of the month and a weekday
    together: cron takes either, APScheduler both.
    https://apscheduler.readthedocs.io/en/3.x/modules/triggers/cron.html
    """
    parts = text.split()
    if len(parts) != len(_FIELDS):
        raise ValueError(
            f"{shown(text)} has {len(parts)} fields; write minute, hour, day, month and weekday: 0 2 * * *"
        )
    sets = tuple(_field(part, *field) for part, field in zip(parts, _FIELDS, strict=True))
    if parts[2] != "*" and parts[4] != "*":
        raise ValueError(f"{shown(text)} names days of the month and weekdays; write two schedules, one for each")
    if min(sets[2]) > max(_LONGEST[month - 1] for month in sets[3]):
        raise ValueError(f"{shown(text)} names a day that none of its months has")
    return sets


def _field(text: str, name: str, low: int, high: int, names: tuple[str, ...]) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"{shown(part)} is no {name}; write a number, *, */15, 1-5 or a list of these")
        first, last, step = match.groups()
        if first == "*":
            if last:
                raise ValueError(f"{shown(part)} is no {name}; write * or a range")
            start, end = low, high
        else:
            start = _number(first, name, low, high, names)
            end = _number(last, name, low, high, names) if last else start
            if step and not last:
                raise ValueError(f"{shown(part)} steps from one {name}; write {first}-{high}/{step}")
        if start > end:
            raise ValueError(f"{shown(part)} ends before it begins; write two ranges, with a comma")
        if step == "0" or (step and int(step) > high - low + 1):
            raise ValueError(f"{shown(part)} has a step that leads nowhere")
        found.update(range(start, end + 1, int(step or 1)))
    return frozenset(found)


def _number(text: str, name: str, low: int, high: int, names: tuple[str, ...]) -> int:
    if text in names:
        return names.index(text) + low
    if name == "weekday":
        raise ValueError(f"{shown(text)} is no name of a weekday; write mon, tue, wed, thu, fri, sat or sun")
    if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
        raise ValueError(f"{shown(text)} is no {name}; write {low} to {high}")
    return int(text)


def _cron(text: str) -> str:
    lowered = " ".join(text.lower().split())
    cron_sets(lowered)
    return lowered


def _listen(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise ValueError(f"{shown(text)} is no host and port; write 127.0.0.1:9464")
    return text


def _ping(text: str) -> str:
    # The address of a dead-man switch often is its secret, so that no message repeats it.
    if not re.fullmatch(r"https?://[^\s/@?#]+(/[^\s#]*)?", text):
        raise ValueError("is no address; write https://… as your dead-man service gives it, without a user or password")
    return text


class ScheduledSweep(Section):
    """One schedule. Its slots are in UTC, so that no night is longer or shorter than another."""

    name: Annotated[
        str, shaped(r"[a-z][a-z0-9-]{0,39}", "is no name; write up to 40 small letters, digits and -, as nightly")
    ] = Field(description="Name of the schedule, for ever: the ledger and the evidence log know it by this")
    cron: Annotated[Text, AfterValidator(_cron)] = Field(
        description="Minute, hour, day, month, weekday, in UTC; weekdays by name only, as in 0 2 * * mon-fri"
    )
    sources: tuple[Text, ...] = Field(
        default=(), description="Names of the sources that it reads; empty: all. `monitor schedule status` names them"
    )
    keeps_days: int = Field(
        default=30,
        strict=True,
        ge=1,
        le=400,
        description="A missed slot is made up for so many days; an older one is recorded as lost",
    )
    grace_minutes: int = Field(
        default=60, strict=True, ge=1, le=10080, description="A slot that is not done so many minutes later is overdue"
    )


class SchedulesSettings(Section):
    """When the scheduler sweeps, and how it is watched."""

    sweeps: tuple[ScheduledSweep, ...] = Field(default=(), description="The schedules, most important first")
    listen: Annotated[Text, AfterValidator(_listen)] | None = Field(
        default=None, description="Host and port of /healthz, /readyz and /metrics; absent: not served"
    )
    ping: Annotated[Text, AfterValidator(_ping)] | None = Field(
        default=None, repr=False, description="Address of a dead-man switch that is called after each complete sweep"
    )
    ping_partial: bool = Field(
        default=False, strict=True, description="Call it after a sweep too that could not read every scope whole"
    )

    @field_validator("sweeps")
    @classmethod
    def _once(cls, sweeps: tuple[ScheduledSweep, ...]) -> tuple[ScheduledSweep, ...]:
        names = [one.name for one in sweeps]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two schedules are called {shown(twice[0])}; give each a name of its own")
        return sweeps
