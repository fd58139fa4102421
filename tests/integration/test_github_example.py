"""The GitHub side of the example organisation: captured as it would be now, and judged as its truth says."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.model import Result
from tests.fakes.github import example
from tests.fakes.installation import ROOT, Installation

CHECKS = ("branch-protection", "protection-lapse", "environment-protection", "direct-push")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, organisation: Path) -> Installation:
    made = Installation(tmp_path_factory.mktemp("swept") / "installation", organisation, github=True)
    assert made.sweep().code == 3
    return made


@pytest.fixture(scope="module")
def results(swept: Installation) -> list[Result]:
    return [result for result in swept.results(0) if result.check in CHECKS]


def test_what_is_captured_is_what_the_fake_answers_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    example.capture(tmp_path / "github")
    files = [
        {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (tmp_path / "github", ROOT / "config/captured/github")
    ]
    assert files[0] == files[1]


def test_a_protection_that_a_bot_switched_off_for_ten_minutes_is_told_with_the_merge_inside(
    results: list[Result],
) -> None:
    (lapse,) = [
        r for r in results if r.check == "protection-lapse" and "payments-api" in r.reason and r.outcome == "fail"
    ]
    assert lapse.severity == "critical"
    assert lapse.actor == example.BOT
    assert lapse.observed["from"] == "2026-03-10T09:14:00+00:00"
    assert lapse.observed["to"] == "2026-03-10T09:24:00+00:00"
    assert [landed["kind"] for landed in lapse.observed["landed"]] == ["merge"]


def test_the_timeline_of_a_branch_is_drawn(swept: Installation) -> None:
    ran = swept("repositories", "timeline", "payments-api")
    text = ran.output.decode()
    assert ran.code == 1
    assert "\u2591" in text
    assert [line[:16] for line in text.splitlines() if line.startswith("2026-03-10")] == [
        "2026-03-10 09:14",
        "2026-03-10 09:18",
        "2026-03-10 09:24",
    ]


def test_adopted_state_is_valid_and_lists_those_that_fall_short(swept: Installation, tmp_path: Path) -> None:
    from monitor.expected.document import parse
    from monitor.expected.models import Sections

    ran = swept("adopt", "--repositories")
    document = parse(ran.output, "adopted.yaml")
    assert ran.code == 0
    assert document.mistakes == ()
    assert Sections.model_validate(document.data).repositories
    for name in ("notifications", "shipping", "checkout", "search"):
        assert f"#   example-org/{name}" in ran.output.decode()


def test_an_emergency_declared_afterwards_resolves_a_push_that_nobody_reviewed(swept: Installation) -> None:
    before = {f.id for f in swept.findings().values() if f.is_open and f.check == "direct-push"}
    entry = """emergency_changes:
  - id: EC-2026-098
    ticket: OPS-4798
    approver: release-manager
    repositories: ["example-org/metrics"]
    from: 2026-03-19T21:00:00Z
    to: 2026-03-19T23:00:00Z
    reason: Declared afterwards
"""
    swept.edit("expected/changes.yaml", "emergency_changes:\n", entry)
    (resolved,) = swept.sweep().json["findings"]["resolved"]
    assert resolved in before
    assert "metrics" in swept.findings()[resolved].reason
