"""Verification of an evidence folder, offline and without trust in what wrote it: each level with its own verdict."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from monitor.evidence.verify.content import contents
from monitor.evidence.verify.coverage import coverage
from monitor.evidence.verify.disk import read_object
from monitor.evidence.verify.records import Records
from monitor.evidence.verify.report import Level, Problems
from monitor.evidence.verify.scan import Scan
from monitor.evidence.verify.signed import SignedFile, archived, consistency, read_signed, signatures, understood
from monitor.model import Outcome, Window

__all__ = ["Level", "verify"]


def verify(
    folder: Path,
    vkeys: tuple[str, ...] = (),
    retained: Path | None = None,
    period: Window | None = None,
    known: str | None = None,
) -> tuple[Level, ...]:
    """Return the verdict on each level: bytes, log, signatures, consistency, coverage. Only a pass is a pass.

    `vkeys` are the public keys as they came from their owner (none: the one beside the log is tried, and the level
    cannot pass); `retained` is the folder of retained events (none: `events` in the evidence folder); `period` (UTC)
    is what coverage must span (none: from the first sweep to the last); `known` is the text of a checkpoint that was
    kept elsewhere. Never raises for what a file holds: that becomes a problem, which names the file.
    """
    current = read_signed(folder, "checkpoint")
    archive = archived(folder)
    outside = (
        understood("the checkpoint kept elsewhere", known.encode("utf-8", "replace")) if known is not None else None
    )
    records = Records(partial(read_object, folder))
    scan = Scan(folder, records)
    sizes = {file.found.size for file in (current, *archive, *([outside] if outside else [])) if file.found}
    scan.run(sizes, current.found.size if current.found else None)
    return (
        contents(folder, retained, archive, scan),
        _log(current, scan),
        signatures(folder, vkeys, current, archive, scan),
        consistency(current, archive, outside, vkeys, scan),
        coverage(records, period),
    )


def _log(current: SignedFile, scan: Scan) -> Level:
    problems = Problems()
    if current.found is None:
        problems.add(f"{current.problem}: there is no root to compare with")
    elif scan.size != current.found.size:
        problems.add(f"{scan.size} entries, where the checkpoint says {current.found.size}")
    elif scan.roots[scan.size] != current.found.root:
        problems.add(f"the {scan.size} entries do not give the root that the checkpoint says")
    for found in (scan.problems, scan.records.problems):
        problems.extend(found)
    sealed = len(scan.records.sealed)
    return problems.level("log", f"{scan.size} entries, {sealed} sealed sweeps", Outcome.PASS)
