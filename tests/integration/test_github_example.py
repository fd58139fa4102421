"""The GitHub side of the example organisation: captured as it would be now, and judged as its truth says."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.model import Outcome, Result
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


def test_every_planted_case_comes_out_and_nothing_else_needs_a_person(results: list[Result]) -> None:
    ids = {one.full_name: one.id for one in example.build().repositories}
    left = {r.subject: r for r in results if r.outcome not in (Outcome.PASS, Outcome.NOT_APPLICABLE) or r.change_class}
    for name, rows in example.TRUTH.items():
        for check, what, outcome, why in rows:
            kind = "environment" if check == "environment-protection" else "branch"
            subject = f"github:repository:{ids[name]}:{kind}:{what}"
            found = [
                r
                for r in results
                if r.check == check
                and r.outcome == outcome
                and r.subject.startswith(subject)
                and ("history@" not in r.subject)
                and (check != "protection-lapse" or ":lapse@" in r.subject or ":bypass@" in r.subject)
            ]
            assert found, (name, check, what, why)
            for result in found:
                left.pop(result.subject, None)
    # The push in the declared emergency belongs to the same case.
    assert [r.subject for r in left.values() if r.change_class != "emergency"] == []


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


def test_a_second_sweep_finds_nothing_new_on_github(swept: Installation, results: list[Result]) -> None:
    assert swept.sweep().code == 3
    again = {r.subject for r in swept.results(1) if r.check in CHECKS and r.outcome not in ("pass", "not-applicable")}
    before = {r.subject for r in results if r.outcome not in ("pass", "not-applicable")}
    assert again <= before


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
