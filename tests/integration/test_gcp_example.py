"""The example's project on Google Cloud, swept from its sink's files, against what is true of each planted case."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.example.google import entry, line, person, subject, through
from monitor.example.google_logs import key, write_project
from monitor.example.google_plan import DEPLOY, delivery, update
from monitor.model import CoverageStatus, Outcome, Result, ScopeCoverage
from tests.fakes.installation import ROOT, Installation

LOGS = ROOT / "config/captured/gcp-logs"
FIREWALL = ("compute.googleapis.com", "v1.compute.firewalls.insert", "projects/example-prod/global/firewalls/x")
SESSION = "gcp:example-prod:session:"
TRUTH = json.loads((LOGS / "truth.json").read_text())


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Google Cloud alone, in two sweeps: the second has nothing new."""
    made = alone(tmp_path_factory.mktemp("google") / "installation", LOGS)
    made.sweep()
    made.sweep()
    return made


def alone(folder: Path, logs: Path) -> Installation:
    made = Installation(folder, github=True)
    (made.config / "captured" / "gcp-logs").unlink()
    (made.config / "captured" / "gcp-logs").symlink_to(logs, target_is_directory=True)
    settings = made.config / "monitor.yaml"
    text = settings.read_text()
    head, aws = text.index("\naws:\n"), text.index("\n# Identities of Google Cloud,")
    forge, rest = text.index("\ngithub:\n"), text.index("# Processes that read logs.")
    settings.write_text(text[:head] + text[aws:forge] + "\n" + text[rest:])
    production = made.config / "expected/production.yaml"
    text = production.read_text()
    google = text.index("\n  # Projects of Google Cloud")
    production.write_text("production:\n" + text[google : text.index("\n  # Organisations on GitHub")] + "\n")
    (made.config / "expected/repositories.yaml").unlink()
    logs_file = made.config / "expected/audit-logs.yaml"
    text = logs_file.read_text()
    logs_file.write_text("audit_logs:\n" + text[text.index("\n  gcp:") :])
    return made


def verdicts(results: list[Result]) -> dict[str, dict[str, str]]:
    """Return, by entry, the outcome of each check over the session that holds it."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for result in results:
        if result.subject.startswith(SESSION):
            for write in result.observed["writes"]:
                found[write["id"].rpartition("/")[2]][result.check] = result.outcome.value
    return found


@pytest.mark.parametrize("case", TRUTH, ids=[case["name"] for case in TRUTH])
def test_each_planted_case_is_judged_as_it_is(swept: Installation, case: dict[str, object]) -> None:
    found = verdicts(swept.results(0))
    seen: dict[str, str] = {}
    for one in case["ids"]:  # type: ignore[attr-defined]
        seen |= found.get(one, {})
    assert seen == case["verdicts"]


def test_nothing_else_fails(swept: Installation) -> None:
    planted = {entry for case in TRUTH for entry in case["ids"]}
    found = verdicts(swept.results(0))
    assert {
        entry for entry, checks in found.items() if entry not in planted and set(checks.values()) != {"pass"}
    } == set()
    assert len(found) > 100


def test_an_operation_of_two_entries_is_one_change(swept: Installation) -> None:
    truth = next(case for case in TRUTH if case["name"] == "pipeline")
    (result,) = (
        r
        for r in swept.results(0)
        if r.check == "direct-production-change"
        and truth["ids"][2] in {w["id"].rpartition("/")[2] for w in r.observed.get("writes", ())}
    )
    assert len(truth["ids"]) == 5
    assert [write["action"].rpartition(".")[2] for write in result.observed["writes"]] == [
        "UpdateService",
        "SetIamPolicy",
    ]
    assert [step["kind"] for step in result.observed["credentials"]] == ["role", "web-identity"]


def test_the_log_is_read_whole_and_once(swept: Installation) -> None:
    first, second = swept.manifests()
    read = {(c.source, c.scope): c for c in first.coverage()}
    assert {c.status for c in read.values()} == {CoverageStatus.COMPLETE}
    assert read["gcp.logs", "gcp:example-prod"].counts["objects"] == sum(1 for _ in (LOGS / "logs").rglob("*.json"))
    again = {c.source: c for c in second.coverage()}
    assert again["gcp.logs"].counts["objects"] == 0
    subjects = {r.subject for r in swept.results(0) if r.outcome is not Outcome.PASS and r.subject.startswith(SESSION)}
    assert {f.subject for f in swept.findings().values() if f.subject.startswith(SESSION)} == subjects
    again = {r.subject for r in swept.results(1) if r.subject.startswith(SESSION)}
    assert subjects <= again, "open ones are judged again"


def test_how_the_log_is_kept_passes_as_declared(swept: Installation) -> None:
    (log,) = (r for r in swept.results(0) if r.subject == "gcp:example-prod:log")
    assert log.outcome is Outcome.PASS, log.reason


def test_the_evidence_verifies(swept: Installation) -> None:
    ran = swept("evidence", "verify")
    assert ran.code == 0, ran


def test_the_story_of_a_finding_tells_who_and_how(swept: Installation) -> None:
    by_case = {case["name"]: case["ids"] for case in TRUTH}
    found = {
        write["id"].rpartition("/")[2]: r
        for r in swept.results(0)
        for write in r.observed.get("writes", ())
        if r.check == "pipeline-session-proof"
    }
    person = found[by_case["person-becomes-the-pipeline"][1]]
    assert "maria@example.com" in person.observed["person"]
    assert "a user impersonates" in person.reason
    unseen = found[by_case["exchange-not-logged"][0]]
    assert "data access logs" in unseen.remedy


def test_a_declaration_made_since_explains_a_kept_session(swept: Installation) -> None:
    identities = swept.config / "expected/identities.yaml"
    text = identities.read_text()
    swept.edit(
        "expected/identities.yaml",
        'subjects: ["repo:example-org/accounts:ref:refs/heads/main"]\n        # Google',
        'subjects: ["repo:example-org/accounts:ref:refs/heads/main", "repo:example-org/accounts:ref:refs/heads/try"]\n        # Google',
    )
    try:
        swept.sweep()
    finally:
        identities.write_text(text)
    entry = next(case for case in TRUTH if case["name"] == "another-branch")["ids"][2]
    assert verdicts(swept.results(-1))[entry]["pipeline-session-proof"] == "pass"


def test_the_example_is_what_the_generator_makes(tmp_path: Path) -> None:
    write_project(tmp_path)
    made = {str(f.relative_to(tmp_path)): f.read_bytes() for f in tmp_path.rglob("*.json")}
    assert made == {str(f.relative_to(LOGS)): f.read_bytes() for f in LOGS.rglob("*.json")}


@pytest.fixture
def copied(tmp_path: Path) -> Iterator[Installation]:
    shutil.copytree(LOGS, tmp_path / "logs")
    yield alone(tmp_path / "installation", tmp_path / "logs")


def test_what_cannot_be_read_is_a_gap_and_the_rest_is_judged(copied: Installation, tmp_path: Path) -> None:
    files = sorted((tmp_path / "logs/logs").rglob("*/activity/*/*/*/*.json"))
    files[3].write_bytes(files[3].read_bytes() + b'{"protoPayload": \n')
    files[7].write_bytes(b"\x1f\x8b\x08broken")
    copied.sweep()
    (read,) = (c for c in copied.manifests()[0].coverage() if c.source == "gcp.logs")
    assert read.status is CoverageStatus.PARTIAL
    assert [gap.rpartition("/")[2].partition(".json")[0] for gap in read.gaps] == [files[n].name[:-5] for n in (3, 7)]
    (log,) = (r for r in copied.results(0) if r.subject.startswith("gcp:example-prod:log@"))
    assert log.outcome is Outcome.UNKNOWN
    # Mended, it is read when its window is looked at again, and nothing else.
    for n in (3, 7):
        files[n].write_bytes((LOGS / files[n].relative_to(tmp_path / "logs")).read_bytes())
    copied.sweep("--since", "2026-03-01T00:00:00Z")
    (read,) = (c for c in copied.manifests()[1].coverage() if c.source == "gcp.logs")
    assert (read.status, read.counts["objects"]) == (CoverageStatus.COMPLETE, 2)


def test_a_late_file_is_read_exactly_once(copied: Installation, tmp_path: Path) -> None:
    late = next((tmp_path / "logs/logs").rglob("*_A0:*.json"))
    body = late.read_bytes()
    late.unlink()
    copied.edit("monitor.yaml", "    end: 2026-04-01T01:00:00Z", "    end: 2026-03-22T00:00:00Z")
    copied.sweep()
    late.write_bytes(body)
    copied.edit("monitor.yaml", "    end: 2026-03-22T00:00:00Z", "    end: 2026-03-22T00:30:00Z")
    copied.sweep()
    (read,) = (c for c in copied.manifests()[1].coverage() if c.source == "gcp.logs")
    assert read.counts["objects"] == 1
    entry = next(case for case in TRUTH if case["name"] == "late")["ids"][0]
    assert verdicts(copied.results(1))[entry] == {"direct-production-change": "fail"}


def added(folder: Path, *entries: dict[str, object]) -> None:
    """Put entries into the hourly files where a sink would put them."""
    for made in entries:
        path = folder / "logs/logs" / key(made)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((path.read_bytes() if path.exists() else b"") + line(made))


def gcp_logs(of: Installation, number: int = -1) -> dict[str, ScopeCoverage]:
    return {c.scope: c for c in of.manifests()[number].coverage() if c.source == "gcp.logs"}


def test_a_project_that_is_declared_later_is_read_from_the_start(copied: Installation, tmp_path: Path) -> None:
    when = datetime(2026, 3, 3, 11, tzinfo=UTC)
    made = entry(when, *FIREWALL, person("maria@example.com"), project="example-new")
    added(tmp_path, made)
    copied.sweep()
    assert made["insertId"] not in verdicts(copied.results(0))
    copied.edit("expected/production.yaml", "    projects:\n", "    projects:\n      - {id: example-new, name: new}\n")
    copied.sweep()
    found = [r for r in copied.results(1) if r.scope == "gcp:example-new" and r.observed.get("writes")]
    assert [r.outcome for r in found] == [Outcome.FAIL]
    assert gcp_logs(copied)["gcp:example-new"].status is CoverageStatus.COMPLETE
    subjects = [r.subject for r in copied.results(1) if r.subject.startswith(SESSION) and r.outcome is Outcome.PASS]
    before = {r.subject for r in copied.results(0)}
    assert set(subjects) <= before, "what was known is not new"


def test_a_file_of_another_name_is_a_gap(copied: Installation, tmp_path: Path) -> None:
    day = next((tmp_path / "logs/logs/cloudaudit.googleapis.com/activity").rglob("*_S0.json")).parent
    (day / "08:00:00_08:59:59_S0.json.part").write_bytes(b"{}\n")
    copied.sweep()
    (read,) = gcp_logs(copied).values()
    assert read.status is CoverageStatus.PARTIAL
    assert "_S0.json.part" in read.gaps[0]


def test_silence_of_the_activity_log_alone_is_no_quiet(copied: Installation, tmp_path: Path) -> None:
    for file in (tmp_path / "logs/logs/cloudaudit.googleapis.com/activity/2026/03").glob("2[3-9]/*.json"):
        file.unlink()
    for file in (tmp_path / "logs/logs/cloudaudit.googleapis.com/activity/2026/03").glob("3*/*.json"):
        file.unlink()
    copied.sweep()
    (read,) = gcp_logs(copied).values()
    assert read.status is CoverageStatus.PARTIAL
    assert "no file of changes (activity) was delivered since 2026-03-22" in read.reason


def test_an_operation_that_ends_in_a_later_sweep_is_one_change_and_ends_once(
    copied: Installation, tmp_path: Path
) -> None:
    first, last = update(datetime(2026, 3, 30, 20, tzinfo=UTC), person("maria@example.com"), "long")
    later = datetime(2026, 3, 31, 20, tzinfo=UTC)
    ends = [json.loads(json.dumps(last)) for _ in range(2)]
    for number, end in enumerate(ends):
        end |= {
            "timestamp": f"{later:%Y-%m-%dT%H}:0{number}:00Z",
            "receiveTimestamp": f"{later:%Y-%m-%dT%H}:0{number}:01Z",
        }
        end["insertId"] = f"end{number}"
    copied.edit("monitor.yaml", "    end: 2026-04-01T01:00:00Z", "    end: 2026-03-31T00:00:00Z")
    added(tmp_path, first)
    copied.sweep()
    assert verdicts(copied.results(0))[first["insertId"]] == {"direct-production-change": "fail"}
    added(tmp_path, ends[0])
    copied.edit("monitor.yaml", "    end: 2026-03-31T00:00:00Z", "    end: 2026-03-31T23:00:00Z")
    copied.sweep()
    assert "end0" not in verdicts(copied.results(1))
    again = datetime(2026, 3, 31, 23, 30, tzinfo=UTC)
    ends[1] |= {"timestamp": f"{again:%Y-%m-%dT%H:%M:%SZ}", "receiveTimestamp": f"{again:%Y-%m-%dT%H:%M:%SZ}"}
    added(tmp_path, ends[1])
    copied.edit("monitor.yaml", "    end: 2026-03-31T23:00:00Z", "    end: 2026-04-01T01:00:00Z")
    copied.sweep()
    found = verdicts(copied.results(2))
    assert found["end1"] == {"direct-production-change": "fail"}
    assert "end0" not in found, "judged anew, it is still one change"


def test_an_operation_is_one_change_however_often_its_window_is_read(copied: Installation) -> None:
    copied.sweep()
    once = writes_of(copied, 0)
    copied.edit(
        "expected/production.yaml",
        "    projects:\n",
        "    projects:\n      - {id: example-new, name: new, number: '7'}\n",
    )
    copied.sweep()  # the files are read again, for the sake of the new project
    again = writes_of(copied, 1)
    assert set(again) <= set(once), "no entry that ended an operation came back as a change"


def writes_of(of: Installation, number: int) -> list[str]:
    return [w["id"] for r in of.results(number) if r.subject.startswith(SESSION) for w in r.observed["writes"]]


def test_a_session_is_listed_with_all_its_writes_over_sweeps(copied: Installation, tmp_path: Path) -> None:
    when = datetime(2026, 3, 30, 20, 30, tzinfo=UTC)
    entries = delivery(when)
    copied.edit("monitor.yaml", "    end: 2026-04-01T01:00:00Z", "    end: 2026-03-30T21:00:00Z")
    added(tmp_path, *entries)
    copied.sweep()
    more = update(when + timedelta(minutes=45), through(DEPLOY, subject("accounts")))[0]
    added(tmp_path, more)
    copied.edit("monitor.yaml", "    end: 2026-03-30T21:00:00Z", "    end: 2026-03-30T22:00:00Z")
    copied.sweep()
    rows = copied("changes", "list", "--format", "json", "--from", "2026-03-30T20:00", "--to", "2026-03-30T22:00").json
    (row,) = (row for row in rows if row["actor"] == DEPLOY)
    assert row["writes"] == 3
    assert (row["class"], row["outcome"]) == ("normal", "pass")
