"""Going on after a crash: the database gets what was sealed, and what a sweep that was cut off has left lying is cleared."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from monitor.errors import EvidenceError, IntegrityError
from monitor.evidence import checkpoint, statement
from monitor.evidence.history import Manifest, history, last_manifest
from monitor.evidence.log import EvidenceLog, archive_path
from monitor.store.record import SealedResult, Sealing, SweepRecord

if TYPE_CHECKING:
    from monitor.sweep.run import Ports

LEDGER = "sweep-record.json"
_ASKED = 20


def resume(ports: Ports, at: datetime) -> tuple[str, ...]:
    """Bring database and log together at a moment (UTC), and clear up; return the ids of the sweeps that had to be recorded.

    Raises IntegrityError unless the log is the one that the database knows, and as new.
    """
    _same_log(ports)
    recovered = recover(ports, at)
    ports.tidy(_cut_off(ports))
    return recovered


def recover(ports: Ports, at: datetime) -> tuple[str, ...]:
    """Record sealed sweeps that the database does not know, oldest first; return their ids.

    Sweeps are recorded in the order in which they were sealed, so that one that is known ends the search.
    """
    known = ports.store.recorded_sweeps()
    missing: list[Manifest] = []
    for manifest in history(ports.log, newest_first=True):
        if manifest.predicate.sweep in known:
            break
        missing.append(manifest)
    for manifest in reversed(missing):
        record = SweepRecord.decode(manifest.attachment(LEDGER))
        results = [SealedResult(*sealed) for sealed in manifest.results()]
        planner = ports.planner(at) if ports.planner else None
        ports.store.record(record, results, _sealing(ports.log, manifest.index), planner)
    return tuple(manifest.predicate.sweep for manifest in reversed(missing))


def _same_log(ports: Ports) -> None:
    """Raise IntegrityError unless the log holds every sweep that the database knows: an older copy must not go on."""
    for known in ports.store.sweeps(_ASKED):
        sealing = known.sealing
        try:
            held = _sealing(ports.log, sealing.log_size - 1).root if sealing.log_size <= ports.log.size else ""
        except (OSError, EvidenceError):
            held = ""
        if held != sealing.root:
            raise IntegrityError(
                f"the evidence log does not hold sweep {known.id}, which the database knows: it is an older copy, or another",
                todo="restore the newest copy of the evidence folder; or begin anew with an empty database and folder",
            )


def _cut_off(ports: Ports) -> set[str]:
    """Return the ids of sweeps that began after the last sealed one and were never sealed."""
    reader = ports.log.reader()
    last = last_manifest(reader, reader.size)
    begun = set()
    for data in reader.read_range(last.index + 1 if last else 0, reader.size):
        try:
            found = statement.parse(data)
            if found.predicate_type == statement.SWEEP_START:
                begun.add(statement.from_json(found.predicate, statement.SweepStart).sweep)
        except IntegrityError:
            continue
    return begun


def _sealing(log: EvidenceLog, manifest: int) -> Sealing:
    """Return where a manifest was sealed: it is the last entry of its append, whose checkpoint is archived."""
    signed = (log.folder / archive_path(manifest + 1)).read_text()
    found = checkpoint.verify(signed.encode(), [log.signer.verifier])
    return Sealing(manifest_index=manifest, log_size=found.size, root=found.root.hex(), checkpoint=signed)
