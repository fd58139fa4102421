"""`monitor changes list`: what was written to production in both clouds, and what explains it."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path

import pytest

from tests.fakes.installation import Installation


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, organisation: Path) -> Installation:
    """Both clouds and GitHub, swept at once."""
    made = Installation(tmp_path_factory.mktemp("both") / "installation", organisation, github=True)
    made.sweep()
    return made


def test_both_clouds_are_swept_into_one_log_and_one_report(both: Installation) -> None:
    (manifest,) = both.manifests()
    read = {c.source: c.scope.partition(":")[0] for c in manifest.coverage()}
    assert (read["aws.logs"], read["gcp.logs"]) == ("aws", "gcp")
    judged = {r.subject.partition(":")[0] for r in both.results(0) if r.check == "direct-production-change"}
    assert judged == {"aws", "gcp"}
    assert {part.account for part in manifest.parts()} >= {"example-prod", "111122223333"}


def test_writes_of_google_cloud_stand_beside_those_of_aws(both: Installation) -> None:
    rows = both("changes", "list", "--format", "json").json
    assert [row["first"] for row in rows] == sorted(row["first"] for row in rows)
    counts = Counter((row["provider"], row["class"]) for row in rows)
    assert counts["gcp", "normal"] > 50
    assert counts["aws", "normal"] > 10
    assert counts["gcp", "unknown"] == 1
    maria = [row for row in rows if row["person"] == "maria@example.com"]
    assert {row["account_name"] for row in maria} == {"payments on Google Cloud"}


def test_filters_leave_what_they_name(both: Installation) -> None:
    def sessions(*options: str) -> set[str]:
        return {row["session"] for row in both("changes", "list", "--format", "json", *options).json}

    everything = sessions()
    assert sessions("--provider", "gcp") | sessions("--provider", "aws") == everything
    assert sessions("--account", "example-prod") == sessions("--provider", "gcp")
    assert sessions("--account", "payments on Google Cloud") == sessions("--provider", "gcp")
    early, late = sessions("--to", "2026-03-10"), sessions("--from", "2026-03-10")
    assert early | late == everything
    assert early
    assert late
    direct = sessions("--class", "direct")
    assert {row["outcome"] for row in both("changes", "list", "--class", "direct", "--format", "json").json} == {"fail"}
    assert direct < everything


def test_the_spreadsheet_has_the_same_rows_and_no_formulas(both: Installation) -> None:
    text = both("changes", "list", "--format", "csv").text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["session"] for row in rows] == [r["session"] for r in both("changes", "list", "--format", "json").json]
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())


def test_the_table_names_each_class_and_counts_them(both: Installation) -> None:
    text = both("changes", "list", "--provider", "gcp").text
    counts = Counter(row["class"] for row in both("changes", "list", "--provider", "gcp", "--format", "json").json)
    told = " · ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    assert f"{sum(counts.values())} sessions wrote: {told}" in text
    assert {"direct", "unknown", "normal"} <= set(counts)


def test_before_the_first_sweep_it_says_that_nothing_is_known(tmp_path: Path, organisation: Path) -> None:
    ran = Installation(tmp_path / "installation", organisation)("changes", "list")
    assert "nothing is known" in ran.errors
