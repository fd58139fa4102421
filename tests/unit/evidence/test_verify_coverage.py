"""The coverage level: what was not read never counts as read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.evidence.log import EvidenceLog
from monitor.evidence.seal import begin, seal
from monitor.evidence.spans import Spans
from monitor.evidence.verify import Level
from monitor.facts.log_object import RetainedPart
from monitor.model import CoverageStatus, Outcome, ScopeCoverage, Window
from tests.unit.evidence.sample import ORIGIN, SCOPES, START, covered, day, levels, signer, sweep

ZEROS = "0" * 64
ONE = SCOPES[0]
Step = tuple[Window, Sequence[ScopeCoverage] | None]
"""A sweep: its window, and its reports; None for one that crashed."""


def judged(
    folder: Path, steps: Sequence[Step], expected: Sequence[Sequence[str]] = (), period: Window | None = None
) -> Level:
    """Seal the sweeps and return the coverage level."""
    with EvidenceLog.open(folder, ORIGIN, signer()) as log:
        for number, (window, reports) in enumerate(steps):
            scopes = expected[number] if expected else [ONE]
            one = sweep(number, window, reports or ())
            begin(log, one, {"cloudtrail": scopes})
            if reports is not None:
                seal(log, one, [], [], {}, (), ZEROS, ZEROS, "1")
    found = levels(folder, period=period)
    assert all(found[name].outcome is Outcome.PASS for name in ("bytes", "log", "signatures", "consistency"))
    return found["coverage"]


def whole(number: int, days: int = 1, scope: str = ONE) -> Step:
    window = day(number, days)
    return window, [covered(window, scope)]


def status(number: int, of: CoverageStatus, reason: str = "") -> Step:
    window = day(number)
    return window, [covered(window, status=of, reason=reason)]


def test_windows_that_tile_pass(tmp_path: Path) -> None:
    level = judged(tmp_path, [whole(0), whole(1), whole(2)])
    assert (level.outcome, level.problems) == (Outcome.PASS, ())
    assert "3 sweeps" in level.summary


def test_overlapping_windows_pass(tmp_path: Path) -> None:
    assert judged(tmp_path, [whole(0, 3), whole(1, 3), whole(2, 3)]).outcome is Outcome.PASS


def test_a_missed_day_is_a_gap(tmp_path: Path) -> None:
    level = judged(tmp_path, [whole(0), whole(2)])
    assert level.problems == (f"{ONE} (cloudtrail): not read from 2026-03-02T00:00:00Z to 2026-03-03T00:00:00Z",)


def test_a_missed_day_that_a_later_sweep_reads_is_none(tmp_path: Path) -> None:
    assert judged(tmp_path, [whole(0), whole(2), whole(1)]).outcome is Outcome.PASS


@pytest.mark.parametrize("lacking", [one for one in CoverageStatus if one is not CoverageStatus.COMPLETE])
def test_what_was_not_read_whole_is_a_gap_unless_made_good_later(tmp_path: Path, lacking: CoverageStatus) -> None:
    level = judged(tmp_path / "gap", [whole(0), status(1, lacking, "why"), whole(2)])
    assert level.outcome is Outcome.FAIL
    assert f"{lacking.value} (why)" in level.problems[0]
    assert judged(tmp_path / "good", [whole(0), status(1, lacking), whole(1, 2)]).outcome is Outcome.PASS


def test_an_earlier_reading_does_not_make_good_a_later_one(tmp_path: Path) -> None:
    # A late log object may have been the one that could not be read.
    assert judged(tmp_path, [whole(0), status(0, CoverageStatus.PARTIAL), whole(1)]).outcome is Outcome.FAIL


def test_a_scope_denied_without_a_window_is_a_gap(tmp_path: Path) -> None:
    denied = ScopeCoverage(scope=ONE, source="cloudtrail", status=CoverageStatus.DENIED)
    assert judged(tmp_path / "gap", [whole(0), (day(1), [denied]), whole(2)]).outcome is Outcome.FAIL
    assert judged(tmp_path / "last", [whole(0), (day(1), [denied])]).outcome is Outcome.FAIL
    assert judged(tmp_path / "good", [whole(0), (day(1), [denied]), whole(1, 2)]).outcome is Outcome.PASS


def test_an_expected_scope_that_was_never_seen_fails(tmp_path: Path) -> None:
    level = judged(tmp_path, [whole(0), whole(1)], [SCOPES, SCOPES])
    assert level.outcome is Outcome.FAIL
    assert all(SCOPES[1] in problem for problem in level.problems)


def test_a_scope_that_was_seen_again_later_still_has_its_gap(tmp_path: Path) -> None:
    both = (day(0), [covered(day(0)), covered(day(0), SCOPES[1])])
    again = (day(2), [covered(day(2)), covered(day(2), SCOPES[1])])
    level = judged(tmp_path, [both, whole(1), again], [SCOPES] * 3)
    assert level.outcome is Outcome.FAIL


def test_a_scope_added_later_is_owed_from_then_on(tmp_path: Path) -> None:
    grown = (day(1), [covered(day(1)), covered(day(1), SCOPES[1])])
    steps = [whole(0), grown]
    assert judged(tmp_path, steps, [[ONE], SCOPES]).outcome is Outcome.PASS
    assert levels(tmp_path, period=day(0, 2))["coverage"].outcome is Outcome.PASS


def test_a_scope_no_longer_watched_is_told(tmp_path: Path) -> None:
    both = (day(0), [covered(day(0)), covered(day(0), SCOPES[1])])
    level = judged(tmp_path, [both, whole(1)], [SCOPES, [ONE]])
    assert level.outcome is Outcome.PASS
    assert f"{SCOPES[1]} (cloudtrail) is no longer watched" in level.summary


def test_a_period_must_be_covered_to_both_ends(tmp_path: Path) -> None:
    judged(tmp_path, [whole(1), whole(2)])
    assert levels(tmp_path, period=day(1, 2))["coverage"].outcome is Outcome.PASS
    for number, days in ((0, 3), (1, 3), (5, 1)):
        assert levels(tmp_path, period=day(number, days))["coverage"].outcome is Outcome.FAIL


def test_a_gap_outside_the_period_is_not_asked_about(tmp_path: Path) -> None:
    judged(tmp_path, [whole(0), status(1, CoverageStatus.LOST), whole(2)])
    assert levels(tmp_path, period=day(2))["coverage"].outcome is Outcome.PASS
    assert levels(tmp_path, period=day(0, 2))["coverage"].outcome is Outcome.FAIL


def test_a_crashed_sweep_fails_until_a_later_one_covers_its_window(tmp_path: Path) -> None:
    level = judged(tmp_path, [whole(0), (day(1), None)])
    assert "sweep-1, begun 2026-03-03T02:00:00Z, did not end" in level.problems[0]
    with EvidenceLog.open(tmp_path, ORIGIN, signer()) as log:
        one = sweep(5, day(1, 2), [covered(day(1, 2))])
        begin(log, one, {"cloudtrail": [ONE]})
        seal(log, one, [], [], {}, (), ZEROS, ZEROS, "1")
    level = levels(tmp_path)["coverage"]
    assert level.outcome is Outcome.PASS
    assert "sweep-1 crashed, a later one covers its window" in level.summary


def test_events_left_by_a_crashed_sweep_are_told_and_count_for_nothing(tmp_path: Path) -> None:
    judged(tmp_path, [whole(0), (day(1), None), whole(1)])
    left = tmp_path / "events/account=111122223333/day=2026-03-02/sweep-1-0.parquet"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"PAR1")
    level = levels(tmp_path)["bytes"]
    assert level.outcome is Outcome.PASS
    assert "1 files of events were left by sweeps that crashed" in level.summary
    left.rename(left.with_name("sweep-0-0.parquet"))
    assert levels(tmp_path)["bytes"].outcome is Outcome.FAIL


def test_a_state_source_must_have_been_readable_at_last(tmp_path: Path) -> None:
    def state(of: CoverageStatus) -> ScopeCoverage:
        return ScopeCoverage(scope="aws:111122223333", source="settings", status=of)

    def step(number: int, of: CoverageStatus) -> Step:
        return day(number), [covered(day(number)), state(of)]

    fine, denied = CoverageStatus.COMPLETE, CoverageStatus.DENIED
    assert judged(tmp_path / "fine", [step(0, fine), step(1, fine)]).outcome is Outcome.PASS
    assert judged(tmp_path / "good", [step(0, denied), step(1, fine)]).outcome is Outcome.PASS
    assert judged(tmp_path / "gap", [step(0, fine), step(1, denied)]).outcome is Outcome.FAIL


def test_nothing_sealed_is_unknown_and_fails_a_period(tmp_path: Path) -> None:
    level = judged(tmp_path, [])
    assert (level.outcome, level.summary) == (Outcome.UNKNOWN, "no sweep is sealed yet")
    assert levels(tmp_path, period=day(0))["coverage"].outcome is Outcome.FAIL


def test_a_part_outside_its_folder_is_not_read(tmp_path: Path) -> None:
    with EvidenceLog.open(tmp_path / "log", ORIGIN, signer()) as log:
        begin(log, sweep(0), {})
        (tmp_path / "secret").write_bytes(b"")
        outside = RetainedPart(path="../../secret", sha256=ZEROS, rows=0, size=0, account="1", day="d")
        seal(log, sweep(0), [], [], {}, (outside,), ZEROS, ZEROS, "1")
    found = levels(tmp_path / "log", retained=tmp_path / "log" / "events")["bytes"]
    assert any("outside the folder" in problem for problem in found.problems)


def test_reversed_and_naive_windows_in_coverage_are_gaps(tmp_path: Path) -> None:
    backwards = Window(day(0).end, day(0).start)
    level = judged(tmp_path, [(day(0), [covered(backwards)])])
    assert any("no proper window" in problem for problem in level.problems)
    assert level.outcome is Outcome.FAIL


def test_spans_merge_and_tell_their_holes() -> None:
    spans = Spans()
    for number, days in ((0, 1), (4, 1), (1, 1), (6, 2), (5, 0)):
        spans.add(day(number, days))
    assert spans.holes(day(0, 9)) == [day(2, 2), day(5), day(8)]
    assert spans.holes(day(0, 2)) == []
    assert spans.holes(Window(START, START)) == []
    spans.add(Window(datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)))
    assert spans.holes(day(0, 100)) == []
