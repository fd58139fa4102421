"""The level `bytes`: every file is what a record says, and every record's bytes are there."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from monitor.errors import IntegrityError
from monitor.evidence import journal
from monitor.evidence.objects import object_path
from monitor.evidence.verify import disk
from monitor.evidence.verify.report import Level, Problems
from monitor.evidence.verify.scan import Scan
from monitor.evidence.verify.signed import SignedFile
from monitor.facts.log_object import RetainedPart
from monitor.model import Outcome

RETAINED = "events"
"""The folder of retained events inside the evidence folder, where they are kept there."""
_PLAIN = frozenset({"checkpoint", "log.vkey", ".lock"})
_OBJECT = re.compile(r"objects/sha256/([0-9a-f]{2})/(\1[0-9a-f]{62})")


def contents(folder: Path, retained: Path | None, archive: Sequence[SignedFile], scan: Scan) -> Level:
    """Judge objects, retained parts and strangers. Unknown where the retained events are not at hand."""
    problems = Problems()
    if not folder.is_dir():
        problems.add(f"{folder}: no such folder")
        return problems.level("bytes", "there is no evidence")
    beside = folder / RETAINED
    root = retained if retained is not None else beside
    absent = retained is None and not beside.is_dir()
    inside = f"{root.resolve().relative_to(folder.resolve())}/" if _is_below(root, folder) else ""
    accounted = _PLAIN | scan.tiles | {file.path for file in archive}
    objects = 0
    for path in disk.files(folder):
        if inside and path.startswith(inside):
            continue
        if path == journal.NAME:
            problems.add(f"{path}: an append is under way, or was cut off; the next sweep clears up after it")
        elif match := _OBJECT.fullmatch(path):
            objects += 1
            _object(folder, path, match[2], scan, problems)
        elif path not in accounted:
            problems.add(f"{path}: no record accounts for this file")
    for sha256 in scan.records.objects:
        _cited(folder, sha256, problems)
    parts = scan.records.parts
    left = 0
    if not absent:
        left = _parts(root, inside, scan, problems)
    summary = f"{objects} objects and {len(parts)} files of retained events"
    if left:
        summary += f"; {left} files of events were left by sweeps that crashed, and count for nothing"
    if scan.records.withdrawn:
        days = sorted(set(scan.records.withdrawn.values()))
        summary += f"; {len(scan.records.withdrawn)} of them withdrawn after {days[0]} days, as the log says"
    if absent and parts:
        return problems.level("bytes", f"{summary}; the latter are not here and were not checked", Outcome.UNKNOWN)
    return problems.level("bytes", summary)


def _object(folder: Path, path: str, sha256: str, scan: Scan, problems: Problems) -> None:
    if sha256 not in scan.records.objects:
        problems.add(f"{path}: no record accounts for this file")
    try:
        found, size = disk.measure(folder, path)
    except IntegrityError as error:
        problems.add(error.what)
        return
    if found != sha256:
        problems.add(f"{path}: does not have the digest that names it")
    elif scan.records.objects.get(sha256) not in (None, size):
        problems.add(f"{path}: {size} bytes, where the record says {scan.records.objects[sha256]}")


def _cited(folder: Path, sha256: str, problems: Problems) -> None:
    try:
        path = object_path(sha256)
    except IntegrityError:
        problems.add(f"a record cites {sha256!r}, which is no digest")
        return
    if not (folder / path).is_file():
        problems.add(f"{path}: missing, and a record cites it")


def _parts(root: Path, inside: str, scan: Scan, problems: Problems) -> int:
    """Judge the retained events; return how many files of crashed sweeps lie among them."""
    parts, left = scan.records.parts, 0
    for part in parts.values():
        if not disk.is_inside(part.path):
            problems.add(f"{part.path}: a record cites a file outside the folder of retained events")
        elif part.path not in scan.records.withdrawn or os.path.lexists(root / part.path):
            _part(root, part, inside, problems)
    sealed = {one.manifest.started for one in scan.records.sealed}
    crashed = {start.sweep for index, start in scan.records.starts.items() if index not in sealed}
    crashed -= {one.manifest.sweep for one in scan.records.sealed}
    for path in disk.files(root) if root.is_dir() else ():
        name = path.rpartition("/")[2]
        if path in parts:
            continue
        if name.endswith((".parquet", ".parquet.writing")) and name.rpartition("-")[0] in crashed:
            left += 1
        else:
            problems.add(f"{inside}{path}: no record accounts for this file")
    return left


def _part(root: Path, part: RetainedPart, inside: str, problems: Problems) -> None:
    try:
        found, size = disk.measure(root, part.path)
    except IntegrityError as error:
        problems.add(f"{inside}{error.what}")
        return
    if (found, size) != (part.sha256, part.size):
        problems.add(f"{inside}{part.path}: not the bytes that were sealed")


def _is_below(root: Path, folder: Path) -> bool:
    return root.resolve() != folder.resolve() and root.resolve().is_relative_to(folder.resolve())
