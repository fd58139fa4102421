"""The example's project swept over HTTP: asked of Cloud Logging, and from a sink's bucket; quotas, late entries, lost pages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.example.chance import Chance
from monitor.example.google import entry, person
from monitor.example.google_logs import key
from monitor.example.google_plan import background, planted
from monitor.model import CoverageStatus, Outcome, ScopeCoverage
from tests.fakes.gcp import faults
from tests.fakes.gcp.example import build
from tests.fakes.gcp.server import GcpFake
from tests.fakes.gcp.storage import Stored
from tests.fakes.installation import Installation
from tests.integration.test_gcp_example import LOGS, TRUTH, alone, verdicts

END = "2026-04-01T01:00:00Z"
FIREWALL = ("compute.googleapis.com", "v1.compute.firewalls.insert", "projects/example-prod/global/firewalls/late")


def everything() -> list[dict[str, Any]]:
    return [*background(Chance("google", 19)), *(one for case in planted() for one in case.entries)]


@pytest.fixture
def fake() -> Iterator[GcpFake]:
    with GcpFake(build()) as found:
        yield found


def connected(folder: Path, fake: GcpFake, location: str = "", end: str = END) -> Installation:
    made = alone(folder / "installation", LOGS)
    settings = made.config / "monitor.yaml"
    text = settings.read_text()
    text = text.replace("  replay: captured/gcp\n", f'  api: "{fake.api}"\n  credentials: "{fake.key(folder)}"\n')
    text = text.replace("    location: captured/gcp-logs/logs\n", f"    location: {location}\n" if location else "")
    settings.write_text(text.replace(f"    end: {END}\n", f"    end: {end}\n"))
    return made


def read(of: Installation, number: int = -1) -> ScopeCoverage:
    (found,) = (c for c in of.manifests()[number].coverage() if c.source == "gcp.logs")
    return found


def judged_as_planted(of: Installation, number: int = 0) -> None:
    found = verdicts(of.results(number))
    for case in TRUTH:
        seen: dict[str, str] = {}
        for one in case["ids"]:
            seen |= found.get(one, {})
        assert seen == case["verdicts"], case["name"]


def test_the_log_is_asked_for_in_pages_and_judged_as_from_files(fake: GcpFake, tmp_path: Path) -> None:
    fake.world.entries = everything()
    fake.page = 60
    fake.faults = faults.first(2, faults.told(503, "try again"), "entries:list")
    here = connected(tmp_path, fake)
    here.sweep()
    assert read(here).status is CoverageStatus.COMPLETE
    assert read(here).counts["objects"] > 3
    judged_as_planted(here)
    assert here("evidence", "verify").code == 0
    here.sweep()
    assert read(here).counts["events"] == 0


def test_an_entry_that_comes_late_is_read_in_the_window_in_which_it_was_received(fake: GcpFake, tmp_path: Path) -> None:
    first = datetime(2026, 3, 20, tzinfo=UTC)
    fake.world.entries = [one for one in everything() if one["receiveTimestamp"] < f"{first:%Y-%m-%dT%H}"]
    here = connected(tmp_path, fake, end=f"{first:%Y-%m-%dT%H:%M:%SZ}")
    here.sweep()
    late = entry(first - timedelta(days=2), *FIREWALL, person("lea@example.com"), late=timedelta(days=2, hours=1))
    fake.world.entries.append(late)
    here.edit("monitor.yaml", f"    end: {first:%Y-%m-%dT%H:%M:%SZ}\n", "    end: 2026-03-20T02:00:00Z\n")
    here.sweep()
    assert read(here).counts["events"] == 1
    assert verdicts(here.results(1))[late["insertId"]] == {"direct-production-change": "fail"}
    here.edit("monitor.yaml", "    end: 2026-03-20T02:00:00Z\n", "    end: 2026-03-20T03:00:00Z\n")
    here.sweep()
    assert read(here).counts["events"] == 0


def test_pages_that_run_out_midway_count_each_entry_once(fake: GcpFake, tmp_path: Path) -> None:
    fake.world.entries = everything()
    fake.page = 60
    asked = 0

    def faulty(method: str, path: str, number: int) -> faults.Fault | None:
        nonlocal asked
        if "entries:list" in path:
            asked += 1
            if asked == 3:
                fake.expire()
        return None

    fake.faults = faulty
    here = connected(tmp_path, fake)
    here.sweep()
    assert asked > 5
    judged_as_planted(here)
    writes = [
        w["id"] for r in here.results(0) if r.check == "direct-production-change" for w in r.observed.get("writes", ())
    ]
    assert len(writes) == len(set(writes))


def test_a_refusal_leaves_the_log_unread_and_says_what_to_grant(fake: GcpFake, tmp_path: Path) -> None:
    fake.world.entries = everything()
    fake.world.denied |= {"logging.logEntries.list"}
    here = connected(tmp_path, fake)
    ran = here.sweep()
    assert ran.code == 3
    assert read(here).status is CoverageStatus.DENIED
    assert "logging.logEntries.list" in read(here).grant
    (log,) = (r for r in here.results(0) if r.subject.startswith("gcp:example-prod:log@"))
    assert log.outcome is Outcome.UNKNOWN
    # Granted, the same window is read.
    fake.world.denied.clear()
    here.sweep()
    judged_as_planted(here, 1)


def test_data_access_that_is_left_out_in_silence_is_a_gap(fake: GcpFake, tmp_path: Path) -> None:
    fake.world.entries = everything()
    fake.world.denied |= {"logging.privateLogEntries.list"}
    here = connected(tmp_path, fake)
    here.sweep()
    assert read(here).status is CoverageStatus.DENIED
    assert "logging.privateLogEntries.list" in read(here).grant


def test_a_call_above_the_projects_that_blinds_the_log_is_told(fake: GcpFake, tmp_path: Path) -> None:
    above = "organizations/100000000001"
    made = entry(
        datetime(2026, 3, 5, 10, tzinfo=UTC),
        "logging.googleapis.com",
        "google.logging.v2.ConfigServiceV2.DeleteSink",
        f"{above}/sinks/audit",
        person("maria@example.com"),
    )
    made["logName"] = f"{above}/logs/cloudaudit.googleapis.com%2Factivity"
    fake.world.entries = [*everything(), made]
    here = connected(tmp_path, fake)
    here.edit("expected/production.yaml", "  gcp:\n", f"  gcp:\n    above: [{above}]\n")
    here.sweep()
    read = {c.scope: c for c in here.manifests()[0].coverage() if c.source == "gcp.logs"}
    assert read["gcp:organization-100000000001"].status is CoverageStatus.COMPLETE
    (told,) = (r for r in here.results(0) if r.scope == "gcp:organization-100000000001" and "blinding" in r.subject)
    assert told.outcome is Outcome.FAIL
    assert told.severity.value == "critical"


def test_a_bucket_is_read_once_and_a_late_file_then(fake: GcpFake, tmp_path: Path) -> None:
    bucket = fake.world.buckets.setdefault("example-org-audit", {})
    for file in sorted((LOGS / "logs").rglob("*.json")):
        bucket["audit/" + str(file.relative_to(LOGS / "logs"))] = Stored(file.read_bytes())
    here = connected(tmp_path, fake, "gs://example-org-audit/audit")
    here.sweep()
    assert read(here).status is CoverageStatus.COMPLETE
    judged_as_planted(here)
    here.sweep()
    assert read(here).counts["objects"] == 0
    late = entry(datetime(2026, 3, 30, 23, tzinfo=UTC), *FIREWALL, person("lea@example.com"), late=timedelta(hours=9))
    bucket[f"audit/{key(late)}"] = Stored(json.dumps(late).encode() + b"\n")
    here.edit("monitor.yaml", f"    end: {END}\n", "    end: 2026-04-01T02:00:00Z\n")
    here.sweep()
    assert read(here).counts["objects"] == 1
    assert verdicts(here.results(2))[late["insertId"]] == {"direct-production-change": "fail"}


def test_the_doctor_says_whether_the_bucket_may_be_read_and_holds_files(fake: GcpFake, tmp_path: Path) -> None:
    here = connected(tmp_path, fake, "gs://example-org-audit/audit")

    def said() -> str:
        return json.dumps(here("doctor", "--format", "json").json)

    fake.world.buckets["example-org-audit"] = {}
    assert "there is no file of the audit log under gs://example-org-audit/audit/" in said()
    file = next((LOGS / "logs").rglob("*_S0.json"))
    key = f"audit/{file.relative_to(LOGS / 'logs')}"
    fake.world.buckets["example-org-audit"][key] = Stored(file.read_bytes())
    assert f"the newest file is {file.relative_to(LOGS / 'logs')}" in said()
    fake.world.denied |= {"storage.objects.get"}
    assert "storage.objects.get on gs://example-org-audit" in said()
