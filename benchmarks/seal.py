"""What a sweep costs apart from the scan: begin, seal and record 10,000 results, on SQLite, in a scratch folder."""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitor.evidence.keys import signing_key
from monitor.evidence.log import EvidenceLog
from monitor.evidence.seal import begin, seal
from monitor.model import CoverageStatus, Outcome, Result, ScopeCoverage, Sweep, Window
from monitor.store.migrate import upgrade
from monitor.store.record import SealedResult, Sealing, SweepRecord
from monitor.store.store import Store

AT = datetime(2026, 3, 1, tzinfo=UTC)


def results(count: int) -> list[Result]:
    return [
        Result(
            check="direct-production-change",
            subject=f"aws:111122223333:session:{n:016x}",
            outcome=Outcome.FAIL,
            reason="3 writes by a person (single sign-on): direct change",
            actor="arn:aws:sts::111122223333:assumed-role/operator/someone@example.org",
            scope="aws:111122223333",
            observed={
                "account": "111122223333",
                "writes": [{"time": AT, "action": "ec2:RunInstances", "id": f"{n}-{w}"} for w in range(3)],
            },
        )
        for n in range(count)
    ]


def main(count: int = 10_000) -> None:
    found = results(count)
    window = Window(AT - timedelta(days=1), AT)
    with tempfile.TemporaryDirectory() as scratch:
        url = f"sqlite:///{scratch}/monitor.db"
        upgrade(url)
        key = signing_key(Path(scratch) / "key.pem", "evidence.example.com/bench")
        with (
            Store.open(url) as store,
            EvidenceLog.open(Path(scratch) / "evidence", "evidence.example.com/bench", key.signer) as log,
        ):
            coverage = (
                ScopeCoverage(
                    scope="aws:111122223333:us-east-1", source="aws.logs", status=CoverageStatus.COMPLETE, window=window
                ),
            )
            sweep = Sweep(id="bench", planned_for=AT, at=AT, window=window, coverage=coverage)
            record = SweepRecord(sweep=sweep, object_source="logs")
            began = time.perf_counter()
            begin(log, sweep, {"aws.logs": ("aws:111122223333:us-east-1",)})
            started = time.perf_counter()
            sealed = seal(log, sweep, found, (), {"sweep-record.json": record.encode()}, (), "", "", "bench")
            closed = time.perf_counter()
            sealing = Sealing(
                manifest_index=sealed.manifest, log_size=sealed.size, root=sealed.root, checkpoint=sealed.checkpoint
            )
            store.record(record, [SealedResult(*one) for one in sealed.results], sealing)
            ended = time.perf_counter()
    print(
        f"{count:,} results apart from the scan: begin {started - began:.2f} s, seal {closed - started:.2f} s, "
        f"record {ended - closed:.2f} s, in all {ended - began:.2f} s (goal 1 s)"
    )


if __name__ == "__main__":
    main()
