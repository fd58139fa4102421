"""Live probes of what a source may see: few requests, none of which changes anything, each answer a line for a person.

A probe never raises for what the world does. What it says is about now: a sweep proves again what it reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum

import httpx2
import msgspec

from monitor.errors import ConfigError, Denied, SourceError

SECONDS = 8.0
"""How long one request of a probe may take."""
MOST_SKEW = timedelta(seconds=60)
"""How far the clock may be off. An app's assertion is refused beyond that, and AWS's signatures some minutes later:
https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
"""


class State(StrEnum):
    """How something stands. Only `good` is good."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"


class Probed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one question: to whom (`part`), what it takes (`asked`), how it stands, what to grant and to do.

    `grant` is the exact permission in the provider's own words, empty where granting mends nothing.
    """

    part: str
    asked: str
    state: State
    told: str = ""
    grant: str = ""
    todo: str = ""


def failed(part: str, asked: str, error: SourceError) -> Probed:
    """Return what an error says: bad where it was refused, unknown where nobody answered."""
    if isinstance(error, Denied):
        return Probed(part=part, asked=asked, state=State.BAD, told=error.what, grant=error.permission, todo=error.todo)
    return Probed(part=part, asked=asked, state=State.UNKNOWN, told=error.what, todo=error.todo)


def skew(part: str, date: str, before: datetime, after: datetime) -> Probed:
    """Return how far this machine's clock is from the provider's, by its header `Date` and our clock before and after (UTC)."""
    theirs = _moment(date)
    if theirs is None:
        return Probed(part=part, asked="clock", state=State.UNKNOWN, told="it does not tell its time")
    # The header has whole seconds, and was written between the two readings of ours.
    early, late = before - theirs - timedelta(seconds=1), after - theirs
    off = early if early > timedelta(0) else min(timedelta(0), late)
    if abs(off) <= MOST_SKEW:
        return Probed(part=part, asked="clock", state=State.GOOD, told="this machine's clock agrees with its")
    way = "ahead of" if off > timedelta(0) else "behind"
    return Probed(
        part=part,
        asked="clock",
        state=State.BAD,
        told=f"this machine's clock is {abs(off).total_seconds():,.0f} s {way} its",
        todo="synchronise the clock (NTP): signatures are refused, and windows of sweeps are wrong",
    )


def reached(part: str, url: str, clock: Callable[[], datetime]) -> Probed:
    """Return whether an address answers, and by its header how far our clock is off. No credential is sent."""
    before = clock()
    try:
        at_home = httpx2.URL(url).scheme == "http"
        answer = httpx2.get(url, timeout=SECONDS, follow_redirects=False, trust_env=not at_home)
    except (httpx2.TransportError, httpx2.InvalidURL, httpx2.DecodingError) as lost:
        # Only the kind is told: the text may hold the address of a proxy with its password.
        what = f"{httpx2.URL(url).host} does not answer: {type(lost).__name__}"
        return Probed(part=part, asked="clock", state=State.UNKNOWN, told=what, todo="check network, proxy and address")
    return skew(part, answer.headers.get("date", ""), before, clock())


def kept(part: str, asked: str, days: int, owed_from: datetime, now: datetime) -> Probed:
    """Return whether what is still to be read, from then on (UTC), is kept so long. `days` is how long it is kept."""
    oldest = now - timedelta(days=days)
    if owed_from >= oldest:
        left = (owed_from - oldest).days
        told = f"kept for {days} days; the next sweep reads from {owed_from:%Y-%m-%d}, {left} days before that is gone"
        return Probed(part=part, asked=asked, state=State.GOOD, told=told)
    return Probed(
        part=part,
        asked=asked,
        state=State.BAD,
        told=f"kept for {days} days only, and the next sweep is to read from {owed_from:%Y-%m-%d}: what is older is gone",
        todo=f"sweep more often; or let `start` be {oldest:%Y-%m-%d} or later, and the gap stays on record",
    )


def together(probes: Sequence[Callable[[], Iterable[Probed]]], workers: int = 8) -> list[Probed]:
    """Return what all probes say, in their order, asked at the same time.

    A ConfigError of one (a key that is none, say) is told as bad: the others say what they can.
    """
    if not probes:
        return []
    with ThreadPoolExecutor(min(workers, len(probes))) as pool:
        return [one for found in pool.map(_guarded, probes) for one in found]


def _guarded(probe: Callable[[], Iterable[Probed]]) -> list[Probed]:
    try:
        return list(probe())
    except ConfigError as wrong:
        return [Probed(part="configuration", asked="credentials", state=State.BAD, told=wrong.what, todo=wrong.todo)]
    except SourceError as error:
        return [failed(error.scope or error.source, "credentials", error)]


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
