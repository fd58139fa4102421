"""Who has taken a finding up: noted once for each time that it opened. In both databases."""

from __future__ import annotations

from monitor.model import Outcome
from monitor.store.acknowledging import Acknowledgements
from monitor.store.reconcile import finding_id
from monitor.store.store import Store
from tests.integration.store.material import CHECK, DAY, HOSTILE, START, judged, record, sealing

A = finding_id(CHECK, "a")


def test_it_is_noted_once_until_the_finding_is_reopened(store_url: str) -> None:
    with Store.open(store_url) as store:
        taken = Acknowledgements(store)
        store.record(record(0), judged({"a": Outcome.FAIL}), sealing(0))
        assert taken.add(A, "slack:U1", START)
        assert not taken.add(A, "slack:U1", START + DAY)
        assert taken.add(A, "slack:U2", START + DAY)
        store.record(record(1), judged({"a": Outcome.PASS}), sealing(1))
        store.record(record(2), judged({"a": Outcome.FAIL}), sealing(2))
        assert [(one.who, one.at, one.reopened_since) for one in taken.of(A)] == [
            ("slack:U1", START, True),
            ("slack:U2", START + DAY, True),
        ]
        assert taken.add(A, "slack:U1", START + 2 * DAY)
        assert [one.reopened_since for one in taken.of(A)] == [True, True, False]


def test_what_is_no_finding_is_not_noted(store_url: str) -> None:
    with Store.open(store_url) as store:
        assert not Acknowledgements(store).add("F-NOBODY", "slack:U1", START)
        assert Acknowledgements(store).of("F-NOBODY") == []


def test_a_name_from_outside_is_kept_as_it_was(store_url: str) -> None:
    with Store.open(store_url) as store:
        taken = Acknowledgements(store)
        store.record(record(0), judged({"a": Outcome.FAIL}), sealing(0))
        for who in HOSTILE:
            assert taken.add(A, who, START)
        assert {one.who for one in taken.of(A)} == {who[:200] for who in HOSTILE}
