"""A trail that is delivered by hand: log objects, the hourly digests that sign them, and a clock that the test sets."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from monitor.cli import compose
from monitor.example.cast import Chain
from monitor.example.digest import Delivered, SigningKey, chain_of_digests
from monitor.model import Result
from monitor.settings import load_config
from monitor.sources.ports import Progress
from monitor.sweep import registry
from monitor.sweep.run import Plan, Swept, run
from tests.fakes import trail
from tests.fakes.installation import Installation

START = datetime(2026, 3, 1, tzinfo=UTC)
"""Where the project's own configuration begins."""
EAST = "us-east-1"
SCOPES = ((trail.PAYMENTS, EAST), (trail.PAYMENTS, "eu-west-1"), (trail.DATA, EAST), (trail.TOOLING, EAST))
_key = SigningKey()
_numbers = count(1)


def hours(number: float) -> datetime:
    """Return the moment so many hours after the start."""
    return START + timedelta(hours=number)


class Delivery:
    """A folder of captured material, logs/ and api/, filled as AWS fills a bucket. A digest ends at every full hour."""

    def __init__(self, folder: Path, organisation: Path, start: datetime = START) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.start = start
        self.files: dict[tuple[str, str], list[Delivered]] = {scope: [] for scope in SCOPES}
        self.logs.mkdir(parents=True)
        shutil.copytree(organisation / "api", folder / "api")
        self._index = folder / "api" / "index.jsonl"
        kept = [line for line in self._index.read_text().splitlines() if "ListPublicKeys" not in line]
        self._index.write_text("\n".join(kept) + "\n")

    def tell_keys(self, *more: tuple[str, str]) -> None:
        """Let AWS answer for the key that signs the digests of every scope; until then nobody can be asked."""
        listed = {"Fingerprint": _key.fingerprint, "Value": base64.b64encode(_key.public).decode()}
        span = {"ValidityStartTime": 1767225600, "ValidityEndTime": 1893456000}
        body = json.dumps({"PublicKeyList": [listed | span]}).encode()
        digest = hashlib.sha256(body).hexdigest()
        stored = self.folder / "api" / "objects" / "sha256" / digest[:2] / digest
        stored.parent.mkdir(parents=True, exist_ok=True)
        stored.write_bytes(body)
        with self._index.open("a") as index:
            for account, region in (*SCOPES, *more):
                line = {
                    "source": "aws",
                    "name": "cloudtrail:ListPublicKeys",
                    "scope": f"aws:{account}:{region}",
                    "request": {"StartTime": "2026-01-01T00:00:00Z", "EndTime": "2030-01-01T00:00:00Z"},
                    "status": 200,
                    "at": "2026-04-01T00:30:00Z",
                    "sha256": digest,
                }
                index.write(json.dumps(line) + "\n")

    def put(
        self,
        made: datetime,
        *records: dict[str, Any],
        account: str = trail.PAYMENTS,
        region: str = EAST,
        signed: bool = True,
        key: str = "",
    ) -> str:
        """Deliver one object of these records, which the next digest names if it is `signed`; return its key."""
        key = key or trail.key(made, account=account, region=region)
        content = json.dumps({"Records": records}).encode()
        self.write(key, trail.body(records))
        if signed:
            digest, at = hashlib.sha256(content).hexdigest(), trail.stamp(made)
            self.files.setdefault((account, region), []).append(Delivered(key, digest, made, at, at))
        return key

    def write(self, key: str, body: bytes) -> Path:
        """Put bytes at a key, whatever they are."""
        path = self.logs / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        return path

    def sign(self, until: datetime) -> None:
        """Deliver the digests of every scope, up to this moment; those that are there stay as they are."""
        for (account, region), files in self.files.items():
            for digest in chain_of_digests(Chain(account, region, 1, 0), self.start, until, files, _key):
                path = self.logs / digest.key
                if not path.exists():
                    self.write(digest.key, trail.body_of(digest.content))
                    metadata = json.dumps({"signature": digest.signature})
                    path.with_name(f"{path.name}.metadata.json").write_text(metadata)

    def objects(self) -> Iterator[tuple[str, bytes, dict[str, str]]]:
        """Yield all that was delivered as a bucket holds it: key, bytes, metadata."""
        for path in sorted(self.logs.rglob("*.json.gz")):
            beside = path.with_name(f"{path.name}.metadata.json")
            metadata = json.loads(beside.read_text()) if beside.exists() else {}
            yield path.relative_to(self.logs).as_posix(), path.read_bytes(), metadata


class Watched(Installation):
    """An installation that sweeps a delivery at moments that the test chooses."""

    def __init__(self, folder: Path, delivery: Delivery) -> None:
        super().__init__(folder, delivery.folder)
        self.edit("monitor.yaml", "  end: 2026-04-01T01:00:00Z\n", "")

    def sweep_at(
        self, at: datetime, *, since: datetime | None = None, progress: Progress = lambda step, done, total: None
    ) -> Swept:
        """Sweep as if the clock stood there."""
        plan = Plan(id=f"{at:%Y%m%dT%H%M%SZ}-{next(_numbers):06}", planned_for=at, at=at, since=since)
        with compose.ports(load_config(self.config, {}), registry.discover(), None) as (ports, _):
            return run(plan, ports, progress)

    def open_subjects(self) -> set[str]:
        """Return the subjects of all open findings."""
        return {found.subject for found in self.findings().values() if found.is_open}


def of_write(results: Iterable[Result], record: dict[str, Any]) -> list[tuple[str, str]]:
    """Return (check, outcome) of each result that lists a write."""
    found = (r for r in results if record["eventID"] in {w["id"] for w in r.observed.get("writes", ())})
    return sorted((r.check, r.outcome.value) for r in found)


def of_subject(results: Iterable[Result], start: str) -> Result:
    """Return the one result whose subject begins so."""
    (found,) = [r for r in results if r.subject.startswith(start)]
    return found
