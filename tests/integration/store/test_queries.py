"""What a sweep and a person ask of the store."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.errors import ConfigError
from monitor.model import CoverageStatus, Outcome, ScopeCoverage, Severity, Window
from monitor.store.reconcile import FindingState, finding_id
from monitor.store.record import SealedResult, SweepRecord
from monitor.store.store import Store
from tests.integration.store.material import (
    CHECK,
    DAY,
    KIND,
    REPOSITORY,
    SCOPE,
    SOURCE,
    START,
    exchange,
    judged,
    log_object,
    part,
    record,
    sealed,
    sealing,
    sweep,
)

ELSEWHERE = "aws:444455556666:us-east-1"


def test_an_empty_store_answers_with_nothing(store_url: str) -> None:
    with Store.open(store_url) as store:
        assert store.sweeps() == [] and store.sweep("s") is None and store.recorded_sweeps() == set()
        assert store.findings() == [] and store.open_findings() == [] and store.finding("F-AAAAAAAAAA") is None
        assert store.sightings("F-AAAAAAAAAA") == [] and store.coverage("s") == [] and store.parts() == []
        assert store.read_keys(SOURCE) == set() and store.content_hashes(["k"]) == {} and store.content_hashes([]) == {}
        assert (
            store.remembered(KIND) == []
            and store.remembered(KIND, REPOSITORY, START) == []
            and store.latest(KIND) == {}
        )
        assert store.marks() == {} and store.exchanges(START) == [] and store.last_sealing() is None


def test_keys_are_known_by_source_and_scope(store_url: str) -> None:
    both = (log_object("one"), log_object("two", ELSEWHERE))
    other = SweepRecord(sweep=sweep(1), object_source="gcp-logs", objects=(log_object("one"),))
    with Store.open(store_url) as store:
        store.record(record(0, objects=both), [], sealing(0))
        store.record(other, [], sealing(1))
        assert store.read_keys(SOURCE) == {"one", "two"}
        assert store.read_keys(SOURCE, SCOPE) == {"one"}
        assert store.read_keys("gcp-logs") == {"one"}
        assert store.read_keys("nobody") == set()


def test_an_object_read_again_replaces_what_was_known_of_it(store_url: str) -> None:
    with Store.open(store_url) as store:
        store.record(record(0, objects=(log_object("k", damage="cut short"),)), [], sealing(0))
        assert store.content_hashes(["k"]) == {}
        again = (log_object("k"), log_object("k", content_sha256="34" * 32))
        store.record(record(1, objects=again), [], sealing(1))
        assert store.content_hashes(["k", "unknown"]) == {"k": "34" * 32}


def test_content_hashes_are_found_for_any_number_of_keys(store_url: str) -> None:
    keys = [f"key {number}" for number in range(2_500)]
    objects = tuple(log_object(key, content_sha256=f"{number:064x}") for number, key in enumerate(keys))
    with Store.open(store_url) as store:
        store.record(record(0, objects=objects), [], sealing(0))
        assert store.content_hashes(keys) == {key: f"{number:064x}" for number, key in enumerate(keys)}


def test_a_mark_moves_forward_and_never_back(store_url: str) -> None:
    with Store.open(store_url) as store:
        store.record(record(0, marks={"cloudtrail|a": START, "cloudtrail|b": START}), [], sealing(0))
        store.record(record(1, marks={"cloudtrail|a": START + DAY, "cloudtrail|b": START - DAY}), [], sealing(1))
        assert store.marks() == {"cloudtrail|a": START + DAY, "cloudtrail|b": START}


def test_exchanges_are_kept_while_their_credentials_may_be_in_use(store_url: str) -> None:
    hour = timedelta(hours=1)
    given = (
        exchange("expired", expires=START),
        exchange("alive", expires=START + hour, time=START - 5 * DAY),
        exchange("old", time=START - 36 * hour - timedelta(microseconds=1)),
        exchange("recent", time=START - 36 * hour),
        exchange("later", time=START + hour),
    )
    with Store.open(store_url) as store:
        store.record(record(0, exchanges=given), [], sealing(0))
        assert [one.id for one in store.exchanges(START)] == ["alive", "recent", "later"]
        assert store.exchanges(START)[0] == given[1]


def test_an_exchange_seen_twice_is_known_once_but_not_across_accounts(store_url: str) -> None:
    first, other = exchange("1"), exchange("1", account="444455556666")
    with Store.open(store_url) as store:
        store.record(record(0, exchanges=(first, first)), [], sealing(0))
        store.record(record(1, exchanges=(exchange("1", subject="changed"), other)), [], sealing(1))
        assert sorted(store.exchanges(START), key=lambda one: one.account) == [first, other]


def test_findings_are_listed_most_urgent_first_and_can_be_narrowed(store_url: str) -> None:
    results = [
        sealed("a", severity=Severity.LOW, index=0),
        sealed("b", severity=Severity.CRITICAL, index=1),
        sealed("c", severity=Severity.HIGH, index=2, check="audit-log-integrity"),
    ]
    with Store.open(store_url) as store:
        store.record(record(0), results, sealing(0))
        store.record(record(1), [sealed("a", Outcome.PASS)], sealing(1))
        assert [one.subject for one in store.findings()] == ["b", "c", "a"]
        assert [one.subject for one in store.findings(state=FindingState.RESOLVED)] == ["a"]
        assert [one.subject for one in store.findings(severity=Severity.HIGH)] == ["c"]
        assert [one.subject for one in store.findings(check=CHECK, state=FindingState.OPEN)] == ["b"]
        assert [one.subject for one in store.open_findings()] == ["b", "c"]
        assert [one.subject for one in store.open_findings(["audit-log-integrity", "unheard-of"])] == ["c"]
        assert store.open_findings([]) == []


def test_a_finding_is_found_by_the_beginning_of_its_id(store_url: str) -> None:
    with Store.open(store_url) as store:
        store.record(record(0), _two_that_begin_alike(), sealing(0))
        one, other = sorted(finding.id for finding in store.findings())
        for written in (one, one.lower(), one[2:], f" {one[:-1]} "):
            found = store.finding(written)
            assert found is not None and found.id == one
        with pytest.raises(ConfigError, match="several") as raised:
            store.finding(one[:3])
        assert one in raised.value.what and other in raised.value.what


@pytest.mark.parametrize("written", ["", "F-", "F-%", "_", "F-0", "F-AAAAAAAAAAA", "x'; --", "\0", "F-ſ"])
def test_what_is_no_id_finds_nothing(store_url: str, written: str) -> None:
    with Store.open(store_url) as store:
        store.record(record(0), judged({"a": Outcome.FAIL}), sealing(0))
        assert store.finding(written) is None


def test_sweeps_are_listed_newest_first_with_where_they_were_sealed(store_url: str) -> None:
    with Store.open(store_url) as store:
        for number in (0, 2, 1):
            store.record(record(number, notes={"checks": ["a"], "number": number}), [], sealing(number))
        assert [one.id for one in store.sweeps()] == ["sweep-0002", "sweep-0001", "sweep-0000"]
        assert [one.id for one in store.sweeps(limit=1)] == ["sweep-0002"]
        assert store.recorded_sweeps() == {"sweep-0000", "sweep-0001", "sweep-0002"}
        assert store.last_sealing() == sealing(2)
        one = store.sweep("sweep-0001")
        assert one is not None
        assert (one.at, one.planned_for, one.window) == (START + DAY, START + DAY, Window(START, START + DAY))
        assert (one.sealing, one.notes) == (sealing(1), {"checks": ["a"], "number": 1})


def test_coverage_comes_back_whole_and_in_order(store_url: str) -> None:
    covered = (
        ScopeCoverage(scope=SCOPE, source=SOURCE, status=CoverageStatus.COMPLETE, window=Window(START, START + DAY)),
        ScopeCoverage(
            scope=ELSEWHERE,
            source=SOURCE,
            status=CoverageStatus.DENIED,
            reason="refused",
            grant="s3:ListBucket",
            counts={"objects": 3},
            gaps=("one", "two"),
        ),
    )
    with Store.open(store_url) as store:
        store.record(SweepRecord(sweep=sweep(0, coverage=covered), object_source=SOURCE), [], sealing(0))
        assert store.coverage("sweep-0000") == list(covered)


def test_retained_parts_are_found_by_account_and_day(store_url: str) -> None:
    parts = (part("2026-03-13"), part("2026-03-14"), part("2026-03-14", "444455556666"), part("2026-03-15"))
    with Store.open(store_url) as store:
        store.record(record(0, parts=parts), [], sealing(0))
        assert store.parts() == list(parts)
        assert store.parts("111122223333", "2026-03-14", "2026-03-15") == [parts[1], parts[3]]
        assert store.parts(day_to="2026-03-13") == [parts[0]]


def _two_that_begin_alike() -> list[SealedResult]:
    seen: dict[str, str] = {}
    for number in range(100):
        subject = f"subject {number}"
        beginning = finding_id(CHECK, subject)[:3]
        if beginning in seen:
            return judged({seen[beginning]: Outcome.FAIL, subject: Outcome.FAIL})
        seen[beginning] = subject
    raise AssertionError("no two of a hundred ids begin alike")
