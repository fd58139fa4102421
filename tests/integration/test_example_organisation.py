"""The example organisation, swept as a person sweeps it, against what is true of it."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from monitor.model import Result
from tests.fakes.github import example
from tests.fakes.installation import Installation, Truth

DIRECT, PROOF, LOG = "direct-production-change", "pipeline-session-proof", "audit-log-integrity"
CLEAN = ("pass", "not-applicable")
# By check: what stands in a subject after the repository, around the branch or environment.
GITHUB = {
    "branch-protection": r"branch:([^:]+)",
    "protection-lapse": r"branch:([^:]+):(?:lapse|bypass)@.+",
    "direct-push": r"branch:([^:]+):updates@.+",
    "environment-protection": r"environment:([^:]+)",
    "deploy-credentials": r"(credentials)",
}
IDENTITIES = ("deploy-trust", "deploy-privilege", "deploy-credentials")
EMERGENCY = """
  - id: EC-2026-099
    ticket: OPS-4799
    approver: release-manager
    identities: [platform-oncall]
    from: {start}
    to: {end}
    reason: Declared afterwards
    review: https://reviews.example.com/EC-2026-099
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, organisation: Path) -> Installation:
    """The whole month, swept once; tests of this module that sweep again come after those that look."""
    made = Installation(tmp_path_factory.mktemp("swept") / "installation", organisation, github=True)
    assert made.sweep().code == 3
    return made


def is_github(result: Result) -> bool:
    return result.subject.startswith("github:") or result.scope.startswith("github:")


def is_identity(result: Result) -> bool:
    return result.check in IDENTITIES and not is_github(result)


@pytest.fixture(scope="module")
def month(swept: Installation) -> list[Result]:
    """What was judged of the audit log of AWS: all that is neither of Google Cloud, nor of GitHub, nor of identities."""
    return [r for r in swept.results(0) if not is_github(r) and not is_identity(r) and not r.scope.startswith("gcp:")]


@pytest.fixture(scope="module")
def github(swept: Installation) -> list[Result]:
    """What was judged of GitHub."""
    return [result for result in swept.results(0) if is_github(result)]


@pytest.fixture(scope="module")
def records(organisation: Path, truth: Truth) -> dict[str, dict[str, Any]]:
    """Every event that a log object holds whole, by id."""
    damaged = set(truth.of("damaged-object")["objects"])
    found = {}
    for path in (organisation / "logs").rglob("*_CloudTrail_*.json.gz"):
        if path.relative_to(organisation / "logs").as_posix() not in damaged:
            for record in json.loads(gzip.decompress(path.read_bytes()))["Records"]:
                found[str(record["eventID"])] = record
    return found


def writes(results: list[Result]) -> dict[tuple[str, str], list[tuple[Result, dict[str, Any]]]]:
    """By check and event: the results that list it as a write."""
    found: dict[tuple[str, str], list[tuple[Result, dict[str, Any]]]] = defaultdict(list)
    for result in results:
        for write in result.observed.get("writes", ()):
            found[result.check, write["id"]].append((result, write))
    return found


def test_every_planted_event_has_its_outcome_class_and_check(month: list[Result], truth: Truth) -> None:
    listed = writes(month)
    wrong = []
    for event, case in truth.planted:
        found = listed.get((case["check"], event), [])
        if case["case"] in ("digest-gap", "altered-log-file"):
            continue
        if case["outcome"] == "not-applicable":
            good = not found
        elif case["outcome"] == "pass" and case["class"] is None:
            # What a service does is counted, not kept; nobody may be accused of it.
            good = all(not write["accused"] for _, write in found)
        else:
            got = [(r.outcome.value, r.change_class.value if r.change_class else None) for r, _ in found]
            want = (case["outcome"], None if case["check"] == LOG else case["class"])
            good = got == [want]
            if case["outcome"] == "fail" and case["check"] != PROOF:
                good = good and found[0][1]["accused"]
            if "severity" in case:
                good = good and found[0][0].severity.value == case["severity"]
        if not good:
            wrong.append(
                (case["case"], case["check"], event, case["outcome"], [(r.outcome, r.reason) for r, _ in found])
            )
    assert wrong == []


def test_nothing_else_fails_or_is_unknown(month: list[Result], truth: Truth) -> None:
    planted = {(case["check"], event) for event, case in truth.planted if case["outcome"] in ("fail", "unknown")}
    lost = truth.of("damaged-object")["objects"] + truth.of("bad-record")["objects"]
    extra = []
    for result in month:
        if result.outcome.value in CLEAN:
            continue
        accused = [w["id"] for w in result.observed.get("writes", ()) if w["accused"] or result.check == PROOF]
        if accused:
            extra += [(result.check, event) for event in accused if (result.check, event) not in planted]
        elif ":chain@" in result.subject:
            assert result.outcome.value == "fail"
            assert result.scope.split(":")[1] in ("111122223333", "444455556666")
        elif ":log@" in result.subject:
            assert result.outcome.value == "unknown"
            assert any(f"/{result.scope.split(':')[1]}/" in key for key in lost)
        else:
            extra.append((result.check, result.subject))
    assert extra == []


def planted_on_github() -> dict[str, list[tuple[str, str, str]]]:
    """By outcome: (check, repository's subject, branch or environment) of every planted row."""
    subjects = {one.full_name: f"github:repository:{one.id}" for one in example.build().repositories}
    rows: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for name, planted in example.TRUTH.items():
        for check, what, outcome, _ in planted:
            rows[outcome].append((check, subjects[name], what))
    return rows


def told_on_github(results: list[Result]) -> list[tuple[str, str, str]]:
    """The same of results; the whole subject where its shape is none that the check has."""
    rows = []
    for r in results:
        match = re.fullmatch(rf"(github:repository:\d+):{GITHUB.get(r.check, '(?!)')}", r.subject)
        rows.append((r.check, match[1], match[2]) if match else (r.check, r.subject, r.outcome.value))
    return rows


def test_exactly_what_is_planted_on_github_fails_and_nothing_is_unknown(github: list[Result]) -> None:
    planted = planted_on_github()
    assert set(planted) == {"fail", "pass"}
    assert {check for check, _, _ in planted["fail"]} == set(GITHUB)
    unclean = [r for r in github if r.outcome.value not in CLEAN]
    assert sorted(told_on_github(unclean)) == sorted(planted["fail"])
    assert {r.outcome.value for r in unclean} == {"fail"}


def test_what_a_declared_emergency_covers_on_github_passes_as_such(github: list[Result]) -> None:
    excused = [r for r in github if r.outcome == "pass" and r.change_class == "emergency"]
    lapses = [r for r in excused if r.check == "protection-lapse"]
    assert told_on_github(lapses) == planted_on_github()["pass"]
    # The push inside that lapse is the only other thing that an emergency covers.
    pushes = [r for r in excused if r.check != "protection-lapse"]
    assert [(r.check, r.subject.partition(":updates@")[0]) for r in pushes] == [
        ("direct-push", lapses[0].subject.partition(":lapse@")[0])
    ]


def test_one_person_at_the_console_with_forty_writes_is_one_finding(month: list[Result], truth: Truth) -> None:
    forty = set(truth.of("console-forty-writes")["event_ids"])
    found = [r for r in month if forty & {w["id"] for w in r.observed.get("writes", ())}]
    assert [len(r.observed["writes"]) for r in found if r.outcome == "fail"] == [40]
    assert "40 writes" in found[0].reason


def test_an_altered_file_and_a_gap_of_digests_fail_the_chain_of_their_scope(month: list[Result], truth: Truth) -> None:
    failed = {r.scope: r for r in month if ":chain@" in r.subject and r.outcome == "fail"}
    assert sorted(failed) == ["aws:111122223333:us-east-1", "aws:444455556666:us-east-1"]
    (altered,) = truth.of("altered-log-file")["objects"]
    problems = failed["aws:111122223333:us-east-1"].observed["problems"]
    assert [(p["kind"], p["name"]) for p in problems] == [("altered-file", altered)]
    problems = failed["aws:444455556666:us-east-1"].observed["problems"]
    assert {p["kind"] for p in problems} == {"gap", "missing-digest"}


def test_coverage_names_exactly_the_objects_that_cannot_be_read_whole(swept: Installation, truth: Truth) -> None:
    coverage = [c for c in swept.manifests()[0].coverage() if c.source == "aws.logs"]
    named = sorted(gap.partition(": ")[0] for c in coverage for gap in c.gaps)
    lost = [key for case in truth.cases if case["outcome"] == "partial" for key in case["objects"]]
    assert named == sorted(lost)
    assert {c.scope for c in coverage if c.status == "partial"} == {
        f"aws:{key.split('/')[2]}:{key.split('/')[4]}" for key in lost
    }
    strangers = sum(c.counts.get("strangers", 0) for c in coverage)
    assert strangers == sum("/CloudTrail/" in key for key in truth.of("strangers")["objects"])
    assert not set(truth.of("strangers")["objects"]) & swept.read_keys()


def test_every_event_is_counted_once(swept: Installation, records: dict[str, dict[str, Any]], truth: Truth) -> None:
    counts: Counter[str] = Counter()
    for found in (c for c in swept.manifests()[0].coverage() if c.source == "aws.logs"):
        counts.update(found.counts)
    delivered_twice = len(truth.of("duplicate-delivery")["event_ids"])
    assert counts["events"] == len(records) + delivered_twice
    kinds = ("reads", "attempts", "data_events", "service_writes", "telemetry", "writes", "exchanges", "elsewhere")
    assert sum(counts[kind] for kind in kinds) == counts["events"] - 1, "all but the bad record"


def test_every_write_and_exchange_is_retained_once_with_its_exact_bytes(
    swept: Installation, month: list[Result], records: dict[str, dict[str, Any]]
) -> None:
    kept = [row for row in swept.retained() if row["account"].isdigit()]
    assert [i for i, n in Counter((row["account"], row["event_id"]) for row in kept).items() if n > 1] == []
    assert {write["id"] for r in month for write in r.observed.get("writes", ())} <= {row["event_id"] for row in kept}
    issued = {e.id for e in swept.record(0).exchanges if e.account.isdigit()}
    assert issued <= {row["event_id"] for row in kept if row["kind"] == "exchange"}
    for row in kept:
        assert json.loads(row["raw"]) == records[row["event_id"]]
        assert row["event_time"].strftime("%Y-%m-%d") == row["day"] == records[row["event_id"]]["eventTime"][:10]


def test_an_event_delivered_twice_in_one_sweep_is_kept_once(swept: Installation, truth: Truth) -> None:
    (twice,) = truth.of("duplicate-delivery")["event_ids"]
    assert [row["event_id"] for row in swept.retained()].count(twice) == 1


def test_evidence_holds_and_its_coverage_tells_the_gaps(swept: Installation) -> None:
    levels = swept.verify()
    assert {name: level["outcome"] for name, level in levels.items()} == {
        "bytes": "pass",
        "log": "pass",
        "signatures": "pass",
        "consistency": "pass",
        "coverage": "fail",
    }


# From here on the tests sweep again, in this order.


def test_a_second_sweep_reads_nothing_anew_and_opens_nothing(swept: Installation) -> None:
    before = swept.findings()
    ran = swept.sweep()
    assert swept.record().objects == ()
    assert swept.record().exchanges == ()
    assert swept.record().parts == ()
    assert (ran.json["findings"]["opened"], ran.json["findings"]["resolved"]) == ([], [])
    after = swept.findings()
    assert {i: f.state for i, f in after.items()} == {i: f.state for i, f in before.items()}


def test_a_second_sweep_finds_nothing_new_on_github_and_keeps_what_is_open(
    swept: Installation, github: list[Result]
) -> None:
    def unclean(results: list[Result]) -> set[tuple[str, str, str]]:
        return {(r.check, r.subject, r.outcome.value) for r in results if r.outcome.value not in CLEAN}

    first, second = unclean(github), unclean([r for r in swept.results(1) if is_github(r)])
    assert second == first
    found = [f for f in swept.findings().values() if f.subject.startswith("github:")]
    assert sorted((f.check, f.subject) for f in found) == sorted((check, subject) for check, subject, _ in first)
    assert all(f.is_open for f in found)


def test_sessions_with_open_findings_are_judged_again(swept: Installation) -> None:
    sessions = {f.subject for f in swept.findings().values() if f.is_open and ":session:" in f.subject}
    assert sessions - {r.subject for r in swept.results()} == set()


def test_an_emergency_declared_afterwards_resolves_exactly_what_it_covers(
    swept: Installation, truth: Truth, records: dict[str, dict[str, Any]]
) -> None:
    case = truth.of("break-glass-outside")
    hours = sorted(records[event]["eventTime"] for event in case["event_ids"])
    entry = EMERGENCY.format(start=hours[0], end=hours[-1].replace("Z", ".5Z"))
    swept.edit("expected/changes.yaml", "emergency_changes:\n", f"emergency_changes:{entry}")
    ran = swept.sweep()
    (resolved,) = ran.json["findings"]["resolved"]
    assert ran.json["findings"]["opened"] == []
    finding = swept.findings()[resolved]
    (result,) = [r for r in swept.results() if (r.check, r.subject) == (finding.check, finding.subject)]
    assert {w["id"] for w in result.observed["writes"]} == set(case["event_ids"])
    assert (result.outcome, result.change_class) == ("pass", "emergency")
    assert swept.broken() == {"coverage"}
