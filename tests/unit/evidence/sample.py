"""A small sealed log for the tests of the evidence room: two sweeps with everything that a sweep can carry."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from monitor.evidence import checkpoint, merkle
from monitor.evidence.checkpoint import Checkpoint
from monitor.evidence.log import EvidenceLog, archive_path
from monitor.evidence.note import Ed25519Signer
from monitor.evidence.seal import Sealed, begin, seal
from monitor.evidence.tiles import pack, tiles_of
from monitor.evidence.verify import Level, verify
from monitor.facts.log_object import RetainedPart
from monitor.model import (
    Capture,
    CoverageStatus,
    Outcome,
    Result,
    ScopeCoverage,
    Sweep,
    Window,
)

ORIGIN = "evidence.example.com/controls"
START = datetime(2026, 3, 1, tzinfo=UTC)
SCOPES = ("aws:111122223333:eu-west-1", "aws:111122223333:us-east-1")
EXPECTED = {"cloudtrail": SCOPES}


def signer(seed: int = 1, origin: str = ORIGIN) -> Ed25519Signer:
    """A key that is the same in each run."""
    return Ed25519Signer(origin, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


VKEY = signer().verifier.vkey


def day(number: int, days: int = 1) -> Window:
    return Window(START + timedelta(days=number), START + timedelta(days=number + days))


def covered(window: Window, scope: str = SCOPES[0], **changes: Any) -> ScopeCoverage:
    found = ScopeCoverage(scope=scope, source="cloudtrail", status=CoverageStatus.COMPLETE, window=window)
    return msgspec.structs.replace(found, **changes)


def sweep(number: int, window: Window | None = None, coverage: Sequence[ScopeCoverage] | None = None) -> Sweep:
    window = window or day(number)
    reports = tuple(covered(window, scope) for scope in SCOPES) if coverage is None else tuple(coverage)
    at = window.end + timedelta(hours=2)
    return Sweep(id=f"sweep-{number}", planned_for=at, at=at, window=window, coverage=reports)


def capture(number: int) -> Capture:
    return Capture(
        source="aws",
        name="cloudtrail:DescribeTrails",
        scope=SCOPES[0],
        request={"includeShadowTrails": "true"},
        status=200,
        at=START,
        body=b'{"trailList": [{"Name": "org-trail-%d"}]}' % number,
    )


def results(number: int) -> list[Result]:
    plain = Result(
        check="direct-production-change",
        subject="session/payments-deploy",
        outcome=Outcome.PASS,
        reason="a declared deploy identity",
        scope=SCOPES[1],
        observed={"writes": 12, "bytes": 2**60 + number},
    )
    large = msgspec.structs.replace(
        plain,
        subject="session/maria",
        outcome=Outcome.FAIL,
        reason="no deploy identity, no break-glass",
        observed={"sweep": number, "writes": [f"ecs:UpdateService {n} {'x' * 60}" for n in range(700)]},
    )
    cites = msgspec.structs.replace(
        plain, check="audit-log-integrity", subject="trail/org-trail", evidence=(capture(number).ref,)
    )
    return [plain, large, cites]


def part(retained: Path, number: int) -> RetainedPart:
    path = f"account=111122223333/day={START + timedelta(days=number):%Y-%m-%d}/sweep-{number}-0.parquet"
    data = b"PAR1 retained events of day %d PAR1" % number
    (retained / path).parent.mkdir(parents=True, exist_ok=True)
    (retained / path).write_bytes(data)
    return RetainedPart(
        path=path,
        sha256=sha256(data).hexdigest(),
        rows=3,
        size=len(data),
        account="111122223333",
        day=path.split("day=")[1][:10],
    )


def run(log: EvidenceLog, number: int, given: Sweep | None = None, expected: Any = None) -> Sealed:
    """Begin and seal one sweep."""
    given = given or sweep(number)
    begin(log, given, EXPECTED if expected is None else expected, checks=("audit-log-integrity",))
    return seal(
        log,
        given,
        results(number),
        [capture(number)],
        {"changes.json": b'{"sweep": %d}' % number},
        (part(log.folder / "events", number),),
        "c" * 64,
        "d" * 64,
        "0.1.0",
    )


def build(folder: Path, sweeps: int = 2, seed: int = 1) -> list[Sealed]:
    """Seal the given number of sweeps."""
    with EvidenceLog.open(folder, ORIGIN, signer(seed)) as log:
        return [run(log, number) for number in range(sweeps)]


def levels(folder: Path, *, vkeys: tuple[str, ...] = (VKEY,), **options: Any) -> dict[str, Level]:
    return {level.name: level for level in verify(folder, vkeys, **options)}


def failed(folder: Path, **options: Any) -> set[str]:
    """The names of the levels that do not pass."""
    return {name for name, level in levels(folder, **options).items() if level.outcome is not Outcome.PASS}


def entries_of(folder: Path, origin: str = ORIGIN, seed: int = 1) -> list[bytes]:
    with EvidenceLog.open(folder, origin, signer(seed)) as log:
        return list(log.read_range(0, log.size))


def forge(folder: Path, entries: Sequence[bytes], by: Ed25519Signer, archive: Sequence[int]) -> None:
    """Write the log anew with these entries and archived sizes, as someone would who holds `by` and the folder."""
    for old in [*folder.glob("tile/**/*"), *folder.glob("checkpoints/*")]:
        if old.is_file():
            old.unlink()
    nodes = merkle.nodes_of([merkle.leaf_hash(entry) for entry in entries])
    for tile in tiles_of(len(entries)):
        start = tile.number * 256
        path = folder / tile.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            pack(entries[start : start + tile.width])
            if tile.level < 0
            else b"".join(nodes(8 * tile.level, start + n) for n in range(tile.width))
        )
    for size in sorted({*archive, len(entries)}):
        root = merkle.range_root(0, size, nodes)
        text = checkpoint.sign(Checkpoint(by.verifier.name, size, root), by)
        (folder / archive_path(size)).write_text(text)
        (folder / "checkpoint").write_text(text)
