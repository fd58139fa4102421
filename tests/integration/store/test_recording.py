"""Recording sweeps: all or nothing, once, and findings that live as the rules say."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.errors import LedgerError
from monitor.model import ChangeClass, Outcome, Severity
from monitor.store.reconcile import FindingState, Step, finding_id, latest, reconcile
from monitor.store.record import Reconciliation, SweepRecord
from monitor.store.store import Store
from tests.integration.store.material import (
    CHECK,
    HOSTILE,
    KIND,
    SCOPE,
    SOURCE,
    START,
    exchange,
    hostile_record,
    judged,
    log_object,
    part,
    record,
    remembered,
    sealed,
    sealing,
)

A, B, C = (finding_id(CHECK, subject) for subject in "abc")
_NUMBERS = count(1)


def test_findings_are_opened_kept_resolved_and_reopened_over_sweeps(store_url: str) -> None:
    with Store.open(store_url) as store:
        first = store.record(
            record(0), judged({"a": Outcome.FAIL, "b": Outcome.UNKNOWN, "c": Outcome.PASS}), sealing(0)
        )
        second = store.record(record(1), judged({"a": Outcome.PASS, "b": Outcome.FAIL}), sealing(1))
        third = store.record(record(2), judged({"a": Outcome.ERROR, "c": Outcome.FAIL}), sealing(2))
        assert first == Reconciliation(opened=tuple(sorted((A, B))))
        assert second == Reconciliation(kept=(B,), resolved=(A,))
        assert third == Reconciliation(opened=(C,), reopened=(A,))
        states = {finding.id: finding.state for finding in store.findings()}
        assert states == {A: FindingState.REOPENED, B: FindingState.OPEN, C: FindingState.OPEN}
        assert [(one.sweep, one.step, one.outcome) for one in store.sightings(A)] == [
            ("sweep-0000", Step.OPENED, Outcome.FAIL),
            ("sweep-0001", Step.RESOLVED, Outcome.PASS),
            ("sweep-0002", Step.REOPENED, Outcome.ERROR),
        ]


def test_a_finding_tells_its_latest_judgement_and_its_whole_life(store_url: str) -> None:
    with Store.open(store_url) as store:
        store.record(record(0), [sealed("a", index=4, severity=Severity.LOW)], sealing(0))
        store.record(record(1), [sealed("a", Outcome.UNKNOWN, index=7, severity=Severity.CRITICAL)], sealing(1))
        finding = store.finding(A)
        assert finding is not None
        assert (finding.check, finding.subject, finding.scope, finding.actor) == (CHECK, "a", SCOPE, "maria")
        assert (finding.outcome, finding.severity) == (Outcome.UNKNOWN, Severity.CRITICAL)
        assert finding.change_class is ChangeClass.DIRECT
        assert (finding.first_seen, finding.last_seen) == (START, START + timedelta(days=1))
        assert (finding.opened_by, finding.last_sweep, finding.last_step) == ("sweep-0000", "sweep-0001", Step.KEPT)
        assert (finding.result_index, finding.times_seen, finding.is_open) == (7, 2, True)
        assert finding.result_sha256 == sealed("a", index=7).sha256


def test_a_pass_does_not_wipe_out_what_was_wrong(store_url: str) -> None:
    fine = sealed("a", Outcome.PASS, index=9, severity=Severity.LOW, actor="", change_class=None, reason="approved")
    with Store.open(store_url) as store:
        store.record(record(0), [sealed("a", severity=Severity.CRITICAL)], sealing(0))
        store.record(record(1), [fine], sealing(1))
        finding = store.finding(A)
        assert finding is not None and not finding.is_open
        assert (finding.severity, finding.actor, finding.change_class) == (
            Severity.CRITICAL,
            "maria",
            ChangeClass.DIRECT,
        )
        assert (finding.last_seen, finding.times_seen) == (START, 1)
        assert (finding.outcome, finding.reason, finding.result_index) == (Outcome.PASS, "approved", 9)
        assert (finding.last_sweep, finding.last_step) == ("sweep-0001", Step.RESOLVED)


def test_a_sweep_recorded_again_changes_nothing_and_is_answered_as_before(store_url: str) -> None:
    whole = record(
        1,
        objects=(log_object("k"),),
        exchanges=(exchange("1"),),
        marks={f"{SOURCE}|{SCOPE}": START},
        parts=(part("2026-03-14"),),
        remembered=(remembered("1"), remembered("1", "met again")),
    )
    results = judged({"a": Outcome.PASS, "b": Outcome.FAIL, "c": Outcome.FAIL})
    with Store.open(store_url) as store:
        store.record(record(0), judged({"a": Outcome.FAIL, "b": Outcome.FAIL}), sealing(0))
        first = store.record(whole, results, sealing(1))
        before = _everything(store)
        assert store.record(SweepRecord.decode(whole.encode()), results, sealing(1)) == first
        assert store.record(whole, [], sealing(7)) == first
        assert store.reconciliation(whole.sweep.id) == first
        assert _everything(store) == before


def test_a_sweep_recorded_by_several_at_once_is_recorded_once(store_url: str) -> None:
    results = judged({f"subject {number}": Outcome.FAIL for number in range(200)})

    def one(_: int) -> Reconciliation:
        with Store.open(store_url) as store:
            return store.record(record(0), results, sealing(0))

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(one, range(4)))
    assert answers == [answers[0]] * 4
    with Store.open(store_url) as store:
        assert len(store.sweeps()) == 1
        assert {finding.times_seen for finding in store.findings()} == {1}


def test_different_sweeps_recorded_at_once_open_a_finding_once(store_url: str) -> None:
    def one(number: int) -> Reconciliation:
        with Store.open(store_url) as store:
            return store.record(record(number), judged({"a": Outcome.FAIL}), sealing(number))

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(one, range(4)))
    assert sorted(len(answer.opened) for answer in answers) == [0, 0, 0, 1]
    with Store.open(store_url) as store:
        assert [finding.times_seen for finding in store.findings()] == [4]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(st.sampled_from("abcd"), st.sampled_from(Outcome)), max_size=5))
def test_the_database_lives_by_the_rules(store_url: str, sweeps: list[dict[str, Outcome]]) -> None:
    check = f"check-{next(_NUMBERS)}"
    expected: dict[str, FindingState] = {}
    seen: dict[str, int] = {}
    with Store.open(store_url) as store:
        for outcomes in sweeps:
            number = next(_NUMBERS)
            results = [
                sealed(subject, outcome, check=check, index=index)
                for index, (subject, outcome) in enumerate(outcomes.items())
            ]
            moves = reconcile(expected, latest(results))
            expected |= {move.finding: move.state for move in moves}
            for move in moves:
                seen[move.finding] = seen.get(move.finding, 0) + (move.step is not Step.RESOLVED)
            answer = store.record(record(number), results, sealing(number))
            assert answer == store.record(record(number), results, sealing(number))
        found = store.findings(check=check)
        assert {finding.id: finding.state for finding in found} == expected
        assert {finding.id: finding.times_seen for finding in found} == seen


def test_more_results_than_fit_one_statement_are_all_recorded(store_url: str) -> None:
    results = judged({f"subject {number}": Outcome.FAIL for number in range(1_201)})
    objects = tuple(log_object(f"key {number}") for number in range(1_201))
    with Store.open(store_url) as store:
        assert len(store.record(record(0, objects=objects), results, sealing(0)).opened) == 1_201
        assert len(store.read_keys(SOURCE)) == 1_201
        assert len(store.record(record(1), results, sealing(1)).kept) == 1_201


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_text_is_recorded_and_comes_back_as_it_was(store_url: str, number: int) -> None:
    text = HOSTILE[number]
    visible = text.replace("\ud800", "\ufffd").replace("\udfff", "\ufffd")
    given = hostile_record(text, number)
    results = [sealed(text, reason=text, actor=text)]
    with Store.open(store_url) as store:
        opened = store.record(given, results, sealing(number)).opened
        assert opened == (finding_id(CHECK, text),)
        finding = store.finding(opened[0])
        assert finding is not None
        assert (finding.subject, finding.reason, finding.actor) == (text, text, text)
        assert store.read_keys(SOURCE) == {text} == store.read_keys(SOURCE, text)
        assert store.content_hashes([text]) == {text: "12" * 32}
        assert store.marks() == given.marks
        covered = store.coverage(given.sweep.id)[0]
        assert (covered.scope, covered.source, covered.reason, covered.grant) == (text,) * 4
        known = store.exchanges(START)
        assert len(known) == 1 and (known[0].time, known[0].expires) == (
            given.exchanges[0].time,
            given.exchanges[0].expires,
        )
        assert [one.path for one in store.parts()] == [text]
        noted = store.sweep(given.sweep.id)
        assert noted is not None
        if visible == text:
            assert known == list(given.exchanges)
            assert covered == given.sweep.coverage[0]
            assert noted.notes == given.notes
            assert store.remembered(text, text, START) == list(given.remembered)
        (kept,) = store.remembered(text)
        assert store.latest(text) == {text: kept}
        assert (kept.kind, kept.id, kept.subject, kept.at) == (text, text, text, given.remembered[0].at)
        assert msgspec.json.decode(kept.body) == {visible: visible}
        assert store.record(given, results, sealing(number)).opened == opened


def test_log_objects_whose_keys_look_alike_once_written_stay_apart(store_url: str) -> None:
    alike = ("a\0", "a␀0", "a␀", "a␀␀", "a\ud800", "a␀uD800", "a\ufffd", "a")
    with Store.open(store_url) as store:
        store.record(record(0, objects=tuple(log_object(key) for key in alike)), [], sealing(0))
        assert store.read_keys(SOURCE) == set(alike)


def test_a_record_that_cannot_be_written_leaves_nothing_behind(store_url: str) -> None:
    naive = log_object("k", first=START.replace(tzinfo=None))
    with Store.open(store_url) as store:
        with pytest.raises(LedgerError, match="recording the sweep failed"):
            store.record(record(0, objects=(naive,)), judged({"a": Outcome.FAIL}), sealing(0))
        assert store.sweeps() == [] and store.findings() == []
        assert store.record(record(0), judged({"a": Outcome.FAIL}), sealing(0)).opened == (A,)


def _everything(store: Store) -> list[object]:
    return [
        store.sweeps(),
        store.findings(),
        [store.sightings(finding.id) for finding in store.findings()],
        store.read_keys(SOURCE),
        store.exchanges(START),
        store.marks(),
        store.parts(),
        store.remembered(KIND),
        store.last_sealing(),
    ]
