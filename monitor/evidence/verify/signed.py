"""The levels `signatures` and `consistency`: who signed, and whether every signed state is a prefix of the next."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from monitor.errors import EvidenceError, IntegrityError
from monitor.evidence import checkpoint, dsse, note
from monitor.evidence.checkpoint import Checkpoint
from monitor.evidence.log import archive_path
from monitor.evidence.note import Verifier
from monitor.evidence.verify import disk
from monitor.evidence.verify.report import Level, Problems
from monitor.evidence.verify.scan import Scan
from monitor.model import Outcome

_NOTE = 65_536
_ARCHIVED = re.compile(r"[0-9]{20}")


class SignedFile(msgspec.Struct, frozen=True):
    """A file that should hold a checkpoint: its bytes, and what it says (None where it cannot be understood)."""

    path: str
    data: bytes
    found: Checkpoint | None
    problem: str = ""


def read_signed(folder: Path, path: str) -> SignedFile:
    """Return the checkpoint in a file; its signature is not verified yet."""
    try:
        return understood(path, disk.read(folder, path, _NOTE))
    except IntegrityError as error:
        return SignedFile(path, b"", None, error.what)


def understood(path: str, data: bytes) -> SignedFile:
    """Return the checkpoint that the bytes hold; its signature is not verified yet."""
    try:
        return SignedFile(path, data, checkpoint.parse(note.parse(data).text))
    except IntegrityError as error:
        return SignedFile(path, data, None, f"{path}: {error.what}")


def archived(folder: Path) -> list[SignedFile]:
    """Return the archived checkpoints, by size."""
    names = sorted(name for name in disk.files(folder / "checkpoints") if _ARCHIVED.fullmatch(name))
    return [read_signed(folder, f"checkpoints/{name}") for name in names]


def signatures(
    folder: Path, vkeys: Sequence[str], current: SignedFile, archive: Sequence[SignedFile], scan: Scan
) -> Level:
    """Judge who signed the checkpoints and manifests. Unknown where the only key is the one beside the log."""
    problems = Problems()
    given = tuple(vkeys)
    try:
        beside = disk.read(folder, "log.vkey", _NOTE).decode()
    except (IntegrityError, UnicodeDecodeError):
        beside = ""
    keys = _keys(given or (beside.removesuffix("\n"),), problems)
    if beside not in [f"{key.vkey}\n" for key in keys]:
        problems.add("log.vkey: missing, or not the key that was asked for")
    key = scan.records.key
    if key is None or key.vkey not in [one.vkey for one in keys]:
        problems.add("entry 0: the log's key record does not name the key that was asked for")
    for file in (current, *archive):
        try:
            checkpoint.verify(file.data, keys)
        except IntegrityError as error:
            problems.add(f"{file.path}: {error.what}")
    for index, envelope in scan.records.envelopes:
        try:
            dsse.verify(envelope, keys)
        except IntegrityError as error:
            problems.add(f"entry {index}: {error.what}")
    counted = f"{len(archive) + 1} checkpoints and {len(scan.records.envelopes)} manifests"
    if given:
        return problems.level("signatures", f"{counted}, under the key that was given to verify with")
    summary = (
        f"{counted}, under the key found beside the log: whoever rewrote the log could have put it there;"
        " give the key as you received it from its owner"
    )
    return problems.level("signatures", summary, Outcome.UNKNOWN)


def consistency(
    current: SignedFile, archive: Sequence[SignedFile], known: SignedFile | None, vkeys: Sequence[str], scan: Scan
) -> Level:
    """Judge whether every checkpoint ever signed, here or kept elsewhere, is a prefix of the log."""
    problems = Problems()
    sizes = set()
    for file in archive:
        sizes.add(int(file.path.rpartition("/")[2]))
        problem = _prefix(file, scan)
        if problem:
            problems.add(problem)
        elif file.found and archive_path(file.found.size) != file.path:
            problems.add(f"{file.path}: holds the checkpoint of another size, {file.found.size}")
    for size in sorted(scan.records.ends - sizes):
        problems.add(f"{archive_path(size)}: missing; an append ended there")
    for size in sorted(sizes - scan.records.ends):
        problems.add(f"{archive_path(size)}: no append ended there")
    if problem := _prefix(current, scan):
        problems.add(problem)
    if not archive or archive[-1].data != current.data:
        problems.add("checkpoint: not the newest of the archived ones: rolled back, or an append was cut off")
    summary = f"{len(archive)} archived checkpoints, each a prefix of the log"
    if known is None:
        summary += (
            "; no checkpoint kept elsewhere was given, so a log rolled back to an older state would not be noticed"
        )
    else:
        _known(known, vkeys, scan, problems)
        summary += ", and so is the one to compare with"
    return problems.level("consistency", summary)


def _known(known: SignedFile, vkeys: Sequence[str], scan: Scan, problems: Problems) -> None:
    keys = _keys(vkeys, Problems())
    if known.found and keys:
        try:
            checkpoint.verify(known.data, keys)
        except IntegrityError as error:
            problems.add(f"{known.path}: {error.what}")
    if not known.found:
        problems.add(known.problem)
    elif known.found.size > scan.size:
        problems.add(f"rolled back: the log had {known.found.size} entries when {known.path} was kept, now {scan.size}")
    elif scan.roots.get(known.found.size) != known.found.root:
        problems.add(f"forked: {known.path} is of another log of {known.found.size} entries than this one")


def _prefix(file: SignedFile, scan: Scan) -> str:
    """Return why the checkpoint is no prefix of the log; empty when it is."""
    if file.found is None:
        return file.problem
    if file.found.size > scan.size:
        return f"{file.path}: of {file.found.size} entries, but the log has {scan.size}: rolled back"
    if scan.roots.get(file.found.size) != file.found.root:
        return f"{file.path}: not the root of the log's first {file.found.size} entries"
    return ""


def _keys(vkeys: Sequence[str], problems: Problems) -> list[Verifier]:
    keys = []
    for vkey in vkeys:
        try:
            keys.append(Verifier.parse(vkey))
        except EvidenceError as error:
            problems.add(f"the key {vkey!r}: {error.what}")
    return keys
