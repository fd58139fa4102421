"""The example's project on Google Cloud as a sink's hourly files, with truth.json; and bulk traffic of any size."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitor.example.chance import Chance
from monitor.example.google import DATA_ACCESS, NUMBER, PROJECT, Json, account, alone, entry, line, person
from monitor.example.google_plan import background, delivery, planted

_LATE = timedelta(hours=3)


def key(made: Json) -> str:
    """Return in which hourly file an entry stands: that of its hour, or an addendum if it came late."""
    when = datetime.fromisoformat(made["timestamp"][:19] + "+00:00")
    received = datetime.fromisoformat(made["receiveTimestamp"][:19] + "+00:00")
    shard = f"A0:{int(received.timestamp())}" if received - when > _LATE else "S0"
    log = made["logName"].rpartition("%2F")[2]
    return f"cloudaudit.googleapis.com/{log}/{when:%Y/%m/%d}/{when:%H}:00:00_{when:%H}:59:59_{shard}.json"


def write_files(out: Path, entries: list[Json]) -> int:
    """Write entries as hourly files; return how many there are."""
    files: dict[str, list[Json]] = {}
    for made in entries:
        files.setdefault(key(made), []).append(made)
    for name, found in files.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(line(one) for one in sorted(found, key=lambda one: str(one["timestamp"]))))
    return len(files)


def write_project(out: Path, seed: int = 19) -> int:
    """Write the month into `logs/`, and what is true of it into truth.json; return how many files there are."""
    cases = planted()
    entries = [*background(Chance("google", seed)), *(one for case in cases for one in case.entries)]
    truth = [{"name": c.name, "verdicts": c.verdicts, "ids": [e["insertId"] for e in c.entries]} for c in cases]
    files = write_files(out / "logs", entries)
    (out / "truth.json").write_text(json.dumps(truth, indent=1) + "\n")
    return files


def write_bulk(out: Path, *, seed: int = 7, events: int = 400_000, hours: int = 100) -> tuple[Counter[str], int]:
    """Write bulk traffic in hourly files: 93 % reads, 6 % Google's own agents, the rest writes; return counts and bytes.

    As in the bulk of CloudTrail, about one entry in fifty is kept.
    """
    start = datetime(2026, 3, 1, tzinfo=UTC)
    chance = Chance("google-bulk", seed)
    counts: Counter[str] = Counter()
    size = 0
    agents = [
        alone(f"service-{NUMBER}@{name}.iam.gserviceaccount.com")
        for name in ("compute-system", "container-engine-robot", "gcp-sa-pubsub")
    ]
    for hour in range(hours):
        began = start + timedelta(hours=hour)
        files: dict[str, list[bytes]] = {}
        made: list[Json] = []
        for number in range(events // hours):
            when = began + timedelta(seconds=number % 3600)
            draw = chance.fraction()
            project = PROJECT if chance.fraction() < 0.6 else "example-test"
            if draw < 0.93:
                counts["reads"] += 1
                made.append(
                    entry(
                        when, "storage.googleapis.com", "storage.objects.get",
                        f"projects/_/buckets/receipts-{number % 7}/objects/{hour}/{number}.json", alone(account("runtime", project)),
                        log=DATA_ACCESS, permission="storage.objects.get", reads=True, project=project, ip=f"10.0.{number % 256}.{hour % 256}",
                        metadata={"audience": "x" * (300 + chance.below(400))},
                    )
                )  # fmt: skip
            elif draw < 0.9856:
                counts["agents"] += 1
                made.append(
                    entry(
                        when, "compute.googleapis.com", "v1.compute.instances.insert", f"projects/{project}/zones/europe-west1-b/instances/n{number}",
                        chance.pick(agents), project=project, request={"name": f"n{number}", "disks": ["d" * chance.below(600)]},
                    )
                )  # fmt: skip
            elif draw < 0.9956:
                counts["writes"] += 1
                made.append(
                    entry(
                        when, "compute.googleapis.com", "v1.compute.firewalls.patch", f"projects/{project}/global/firewalls/f{number}",
                        person(f"user{number % 50}@example.com"), project=project, request={"name": f"f{number}", "allowed": ["a" * chance.below(600)]},
                    )
                )  # fmt: skip
            else:
                found = delivery(when)[:3]
                counts["pipeline"] += len(found)
                made += found
        for one in made:
            files.setdefault(key(one), []).append(line(one))
        for name, found_lines in files.items():
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            body = b"".join(found_lines)
            size += len(body)
            path.write_bytes(body)
    return counts, size
