"""A folder with a trail's log, sweeps over it, and what they leave behind, in memory."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from monitor.example import cast
from monitor.example.records import Record
from monitor.expected.models import AwsEstate
from monitor.facts.log_object import RetainedPart
from monitor.facts.remembered import Remembered
from monitor.model import ScopeCoverage
from monitor.sources.aws.trail_logs import TrailLogs
from monitor.sources.aws.trail_scopes import NAME, Reading
from monitor.sources.objects import FolderObjects, Location
from monitor.sources.ports import Collected, Request
from monitor.sources.retained import ids
from tests.unit.decode.samples import AT, CHANCE, log_file

HERE = f"aws:{cast.PAYMENTS}:{cast.EAST}"
START = AT.replace(hour=0, minute=0)
ESTATE = AwsEstate.model_validate(
    {
        "accounts": [{"id": cast.PAYMENTS, "name": "payments-prod", "regions": [cast.EAST, cast.WEST]}],
        "watched": [{"id": cast.TOOLING, "name": "tooling", "regions": [cast.EAST]}],
    }
)


class Kept:
    """What earlier sweeps left behind, in memory."""

    def __init__(self) -> None:
        self.marked: dict[str, datetime] = {}
        self.read: dict[str, str] = {}
        self.damaged: set[str] = set()
        self.kept: list[RetainedPart] = []
        self.things: dict[tuple[str, str], Remembered] = {}

    def marks(self) -> Mapping[str, datetime]:
        return self.marked

    def read_keys(self, source: str, scope: str | None = None) -> Collection[str]:
        return [key for key, where in self.read.items() if scope in (None, where)]

    def damaged_keys(self, source: str, scope: str) -> Collection[str]:
        return [key for key in self.damaged if self.read[key] == scope]

    def content_hashes(self, keys: Collection[str]) -> Mapping[str, str]:
        return {}

    def parts(self, account: str, day_from: str, day_to: str) -> Sequence[RetainedPart]:
        return [p for p in self.kept if p.account == account and day_from <= p.day <= day_to]

    def remembered(self, kind: str, subject: str | None = None, since: datetime | None = None) -> Sequence[Remembered]:
        found = (item for item in self.things.values() if item.kind == kind and subject in (None, item.subject))
        return sorted(
            (item for item in found if since is None or item.at >= since), key=lambda item: (item.at, item.id)
        )

    def latest(self, kind: str) -> Mapping[str, Remembered]:
        return {item.subject: item for item in self.remembered(kind)}

    def remember(self, found: Collected) -> None:
        self.marked.update(found.marks)
        for one in found.objects:
            self.read[one.key] = one.scope
            (self.damaged.add if one.damage else self.damaged.discard)(one.key)
        self.kept += found.parts
        for item in found.remember:
            self.things.setdefault((item.kind, item.id), item)


class Trail:
    """A folder with a trail's log, and sweeps over it."""

    def __init__(self, folder: Path, workers: int = 1, **reading: Any) -> None:
        self.store = FolderObjects(folder / "logs")
        self.kept = FolderObjects(folder / "kept")
        self.memory = Kept()
        self.sweeps = 0
        self.store.root.mkdir(parents=True)
        whole = Reading(
            logs=Location(folder=str(self.store.root)),
            retained=Location(folder=str(self.kept.root)),
            start=START,
            workers=workers,
            **reading,
        )
        self.pool: Callable[[], Executor] = lambda: ThreadPoolExecutor(2)
        self.source = TrailLogs(ESTATE, whole, lambda: self.pool(), None, frozenset({cast.BUCKET}))

    def deliver(
        self, *records: Record | bytes, at: datetime = AT, account: str = cast.PAYMENTS, region: str = cast.EAST,
        body: bytes | None = None,
    ) -> str:  # fmt: skip
        name = CHANCE.text(16)
        key = (
            f"AWSLogs/{account}/CloudTrail/{region}/{at:%Y/%m/%d}/"
            f"{account}_CloudTrail_{region}_{at:%Y%m%dT%H%MZ}_{name}.json.gz"
        )
        self.store.write(key, gzip.compress(log_file(*records), mtime=0) if body is None else body)
        return key

    def sweep(self, at: datetime = AT + timedelta(hours=3), since: datetime | None = None) -> Collected:
        self.sweeps += 1
        request = Request(sweep=f"s{self.sweeps}", at=at, since=since)
        found = self.source.collect(request, self.memory, lambda step, done, whole: None)
        self.memory.remember(found)
        return found

    def retained(self) -> list[str]:
        return sorted(event for p in self.memory.kept for event, _ in ids(self.kept, [p]))

    def rows(self) -> int:
        return sum(p.rows for p in self.memory.kept)

    def mark(self, scope: str = HERE) -> datetime | None:
        return self.memory.marked.get(f"{NAME}|{scope}")


def written(found: Collected) -> list[str]:
    return sorted(fact.id for fact in found.facts)


def coverage_of(found: Collected, scope: str = HERE) -> ScopeCoverage:
    (one,) = [c for c in found.coverage if c.scope == scope]
    return one
