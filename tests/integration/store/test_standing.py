"""Where findings stand: waived, owned, unknown since when; judged by the sweep or not. In both databases."""

from __future__ import annotations

from datetime import datetime

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.evidence.record import decode_result, encode_result
from monitor.model import Outcome
from monitor.store.reconcile import FindingState, Step, finding_id
from monitor.store.record import Reconciliation, SealedResult, Standing, SweepRecord
from monitor.store.store import Store
from monitor.store.views import Finding
from tests.integration.store.material import CHECK, DAY, HOSTILE, START, judged, record, sealed, sealing, sweep

A, B = (finding_id(CHECK, subject) for subject in "ab")


def under(waiver: str, owner: str = "", outcome: Outcome = Outcome.FAIL, subject: str = "a") -> SealedResult:
    one = sealed(subject, outcome)
    return SealedResult(msgspec.structs.replace(one.result, waiver=waiver, owner=owner), one.index, one.sha256)


def one(store: Store, identity: str = A) -> Finding:
    found = store.finding(identity)
    assert found is not None
    return found


def test_unknown_is_told_from_the_first_sweep_that_could_not_look_until_one_can(store_url: str) -> None:
    outcomes = (Outcome.FAIL, Outcome.UNKNOWN, Outcome.ERROR, Outcome.FAIL, Outcome.UNKNOWN, Outcome.PASS)
    outcomes = (*outcomes, Outcome.UNKNOWN, Outcome.NOT_APPLICABLE)
    since: list[datetime | None] = []
    with Store.open(store_url) as store:
        for number, outcome in enumerate(outcomes):
            store.record(record(number), judged({"a": outcome}), sealing(number))
            since.append(one(store).unknown_since)
        store.record(record(9), judged({"b": Outcome.FAIL}), sealing(9))
        assert one(store).unknown_since is None
    at = [START + number * DAY for number in range(8)]
    assert since == [None, at[1], at[1], None, at[4], None, at[6], None]


def test_a_sweep_that_does_not_judge_it_leaves_it_unknown_since_then(store_url: str) -> None:
    with Store.open(store_url) as store:
        store.record(record(0), judged({"a": Outcome.UNKNOWN}), sealing(0))
        store.record(record(1), judged({"b": Outcome.FAIL}), sealing(1))
        assert one(store).unknown_since == START


def test_a_waived_finding_stands_so_until_it_passes_or_its_waiver_is_over(store_url: str) -> None:
    with Store.open(store_url) as store:
        store.record(record(0), [under("W-1", "team-a")], sealing(0))
        assert (one(store).standing, one(store).waiver, one(store).owner) == ("waived", "W-1", "team-a")
        assert store.record(record(1), [under("", "team-b")], sealing(1)) == Reconciliation(reopened=(A,))
        assert (one(store).standing, one(store).state, one(store).owner) == (
            "reopened",
            FindingState.REOPENED,
            "team-b",
        )
        assert store.record(record(2), [under("", "team-b")], sealing(2)) == Reconciliation(kept=(A,))
        store.record(record(3), [under("W-2")], sealing(3))
        assert one(store).standing == "waived"
        store.record(record(4), [under("", outcome=Outcome.PASS)], sealing(4))
        assert (one(store).standing, one(store).waiver) == ("resolved", "")


def test_the_owner_of_what_was_wrong_is_kept_when_it_passes(store_url: str) -> None:
    with Store.open(store_url) as store:
        store.record(record(0), [under("", "team-a")], sealing(0))
        store.record(record(1), [under("", "", Outcome.PASS)], sealing(1))
        assert one(store).owner == "team-a"


def test_what_a_sweep_does_not_judge_may_be_waived_and_come_back(store_url: str) -> None:
    with Store.open(store_url) as store:
        store.record(record(0), judged({"a": Outcome.UNKNOWN, "b": Outcome.PASS}), sealing(0))
        waived = record(1, standing={A: Standing("W-1", "team-a"), B: Standing("W-1")})
        assert store.record(waived, [], sealing(1)) == Reconciliation(kept=(A,))
        assert (one(store).standing, one(store).owner, one(store).times_seen) == ("waived", "team-a", 1)
        assert (one(store).last_seen, one(store).unknown_since, one(store).last_sweep) == (START, START, "sweep-0001")
        over = record(2, standing={A: Standing(owner="team-a")})
        assert store.record(over, [], sealing(2)) == Reconciliation(reopened=(A,))
        assert store.record(SweepRecord.decode(over.encode()), [], sealing(2)) == Reconciliation(reopened=(A,))
        assert one(store).standing == "reopened"
        assert [(s.step, s.outcome) for s in store.sightings(A)] == [
            (Step.OPENED, Outcome.UNKNOWN),
            (Step.KEPT, Outcome.UNKNOWN),
            (Step.REOPENED, Outcome.UNKNOWN),
        ]


def test_what_was_judged_after_all_or_resolved_meanwhile_is_left_alone(store_url: str) -> None:
    with Store.open(store_url) as store:
        store.record(record(0), judged({"a": Outcome.FAIL, "b": Outcome.FAIL}), sealing(0))
        store.record(record(1), judged({"b": Outcome.PASS}), sealing(1))
        both = record(2, standing={A: Standing("W-1"), B: Standing("W-1"), "F-NONE": Standing("W-1")})
        assert store.record(both, [under("", subject="a")], sealing(2)) == Reconciliation(kept=(A,))
        assert (one(store).waiver, one(store, B).waiver, one(store, B).standing) == ("", "", "resolved")


def test_a_thousand_findings_that_were_not_judged_are_all_moved(store_url: str) -> None:
    subjects = [f"subject {number}" for number in range(2_500)]
    with Store.open(store_url) as store:
        store.record(record(0), judged(dict.fromkeys(subjects, Outcome.FAIL)), sealing(0))
        standing = {finding_id(CHECK, subject): Standing("W-1") for subject in subjects}
        assert len(store.record(record(1, standing=standing), [], sealing(1)).kept) == 2_500
        assert {found.standing for found in store.findings()} == {"waived"}


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_comes_back_as_it_was(store_url: str, text: str) -> None:
    with Store.open(store_url) as store:
        store.record(record(0), [under(text, text)], sealing(0))
        assert (one(store).waiver, one(store).owner) == (text, text)
        store.record(record(1, standing={A: Standing(text + "x", text)}), [], sealing(1))
        assert (one(store).waiver, one(store).owner) == (text + "x", text)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(Outcome), st.booleans()),
            st.tuples(st.none(), st.booleans()),
        ),
        max_size=7,
    )
)
def test_a_waiver_is_on_an_open_finding_or_nowhere(store_url: str, life: list[tuple[Outcome | None, bool]]) -> None:
    with Store.open(store_url) as store:
        base = len(store.sweeps(10_000))
        subject = f"life {base}"
        identity = finding_id(CHECK, subject)
        for number, (outcome, waived) in enumerate(life, start=base):
            before = store.finding(identity)
            name = "W-1" if waived else ""
            if outcome is None:
                done = store.record(record(number, standing={identity: Standing(name)}), [], sealing(number))
            else:
                mine = name if outcome not in (Outcome.PASS, Outcome.NOT_APPLICABLE) else ""
                done = store.record(record(number), [under(mine, outcome=outcome, subject=subject)], sealing(number))
            after = store.finding(identity)
            if after is None:
                continue
            assert not after.waiver or after.is_open
            lapsed = bool(before and before.waiver and after.is_open and not after.waiver)
            again = bool(before and not before.is_open and after.is_open)
            assert (identity in done.reopened) == (lapsed or again)


def test_a_result_that_was_sealed_before_there_were_waivers_is_still_read() -> None:
    data, _ = encode_result(sealed("a").result, sweep(0), 0)
    assert b'"waiver":""' in data
    old = data.replace(b',"waiver":""', b"").replace(b',"owner":""', b"")
    assert b"waiver" not in old
    assert decode_result(old, lambda digest: b"").result == sealed("a").result


def test_a_record_that_was_sealed_before_there_were_waivers_is_still_read() -> None:
    data = record(0).encode()
    old = data.replace(b',"standing":{}', b"").replace(b'"standing":{},', b"")
    assert b"standing" not in old
    assert SweepRecord.decode(old) == record(0)
