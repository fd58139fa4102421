"""Clients and sweeps of the fake: a clock that only sleeping moves, a key of its own, a memory."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from monitor.facts.identity import Identity, IdentityList
from monitor.model import Capture, ScopeCoverage, Unknown
from monitor.sources.gcp.client import GcpClient, GcpConnection, connect
from monitor.sources.gcp.iam import GcpIamSource, Watch
from monitor.sources.ports import Collected, Request
from tests.fakes.gcp.server import GcpFake
from tests.fakes.gcp.world import PROJECT
from tests.fakes.github.memory import Nothing

AT = datetime(2026, 3, 14, 2, 0, tzinfo=UTC)


@dataclass
class Time:
    """Thread-safe; `slept` has each pause, `told` each message, in order."""

    now: datetime = AT
    slept: list[float] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def clock(self) -> datetime:
        with self.lock:
            return self.now

    def sleep(self, seconds: float) -> None:
        with self.lock:
            self.now += timedelta(seconds=seconds)
            if seconds:
                self.slept.append(seconds)


def client(
    fake: GcpFake | None,
    folder: Path,
    time: Time | None = None,
    replay: Iterable[Capture] | None = None,
    **settings: Any,
) -> GcpClient:
    """Return a client of the fake, by the key of its reader unless other settings are given; or of captures."""
    time = time or Time()
    if fake:
        settings = {"api": fake.api, "credentials": fake.key(folder), **settings}
    return connect(
        GcpConnection(**settings),
        clock=time.clock,
        sleep=time.sleep,
        told=time.told.append,
        replay=None if replay is None else list(replay),
    )


class Sweeps:
    """Sweeps projects again and again, remembering; each time a day later."""

    def __init__(
        self,
        fake: GcpFake | None,
        folder: Path,
        *projects: str,
        workers: int = 4,
        replay: Iterable[Capture] | None = None,
        **settings: Any,
    ) -> None:
        self.time = Time()
        self.memory = Nothing()
        self.at = AT
        self.told: list[tuple[str, int, int]] = []
        kept = None if replay is None else list(replay)
        watch = Watch(projects=projects or (PROJECT,), workers=workers, replayed=kept is not None)
        self.source = GcpIamSource(watch, lambda request: client(fake, folder, self.time, kept, **settings))

    def __call__(self) -> Collected:
        found = self.source.collect(
            Request(sweep="s", at=self.at), self.memory, lambda *told: self.told.append((*told,))
        )
        self.memory.keep(found)
        self.at += timedelta(days=1)
        return found


def by_name(found: Collected) -> dict[str, Identity]:
    """Return the identities by the name before the e-mail's @."""
    return {one.name.partition("@")[0]: one for one in found.facts if isinstance(one, Identity)}


def listing(found: Collected, project: str = PROJECT) -> IdentityList:
    (one,) = [fact for fact in found.facts if isinstance(fact, IdentityList) and fact.account == project]
    return one


def coverage(found: Collected, project: str = PROJECT) -> ScopeCoverage:
    (one,) = [told for told in found.coverage if told.scope == f"gcp:{project}"]
    return one


def unknown(value: object) -> Unknown:
    assert isinstance(value, Unknown)
    return value
