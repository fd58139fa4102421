"""Running the checks: their results in order, and a fault of one is that one's error and nobody else's."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from monitor.errors import ConfigError
from monitor.facts.change import ChangeEvent, ChangeSession
from monitor.model import Check, Expectation, Outcome, Result, Severity, Sweep, Window
from monitor.sweep.evaluate import evaluate, run
from tests.unit.facts.made import AT, one, write

SWEEP = Sweep(id="s1", planned_for=AT, at=AT, window=Window(AT, AT))


class Nothing(Expectation):
    """No expectation at all."""


class Expected:
    def build(self, cls: type[Any]) -> Any:
        return cls()


class Wrong:
    def build(self, cls: type[Any]) -> Any:
        raise ConfigError("no such section")


Evaluate = Callable[[Any, Any, Sweep], Iterator[Result]]


def check(name: str, evaluate: Evaluate, facts: tuple[type, ...] = (ChangeSession,)) -> Check:
    return Check(
        id=name, title=name, severity=Severity.HIGH, controls=("x",), facts=facts, expects=Nothing, evaluate=evaluate
    )


def result(subject: str, name: str = "good") -> Result:
    return Result(check=name, subject=subject, outcome=Outcome.PASS, reason="x")


def of(*subjects: str) -> Evaluate:
    def found(facts: Any, expect: Any, sweep: Sweep) -> Iterator[Result]:
        yield from map(result, subjects)

    return found


def breaking(fault: BaseException, *before: str) -> Evaluate:
    def found(facts: Any, expect: Any, sweep: Sweep) -> Iterator[Result]:
        yield from map(result, before)
        raise fault

    return found


GOOD = check("good", of("b", "a"))


def test_results_are_sorted_by_check_and_subject() -> None:
    found = evaluate([check("z", of("a")), GOOD], [], Expected(), SWEEP)
    assert [r.subject for r in found] == ["a", "b", "a"]


@pytest.mark.parametrize(
    "fault", [ZeroDivisionError("boom"), KeyError("x"), RecursionError(), ConfigError("x"), StopIteration()], ids=repr
)
def test_a_check_that_raises_is_one_error_and_the_others_go_on(fault: Exception) -> None:
    found = evaluate([check("bad", breaking(fault, "a")), GOOD], [], Expected(), SWEEP)
    assert [(r.check, r.subject, r.outcome) for r in found] == [
        ("bad", "check:bad", Outcome.ERROR),
        ("good", "a", Outcome.PASS),
        ("good", "b", Outcome.PASS),
    ]
    assert found[0].severity is Severity.HIGH
    assert found[0].remedy


def test_an_expectation_that_cannot_be_built_is_an_error_of_the_check() -> None:
    (found,) = run(GOOD, [], Wrong(), SWEEP)
    assert (found.outcome, "no such section" in found.reason) == (Outcome.ERROR, True)


def test_a_subject_that_is_judged_twice_is_an_error_of_the_check() -> None:
    (found,) = run(check("twice", of("a", "b", "a")), [], Expected(), SWEEP)
    assert (found.outcome, "a" in found.reason) == (Outcome.ERROR, True)


def test_a_check_sees_only_the_facts_that_it_asks_for() -> None:
    seen: list[Any] = []

    def looking(facts: Any, expect: Any, sweep: Sweep) -> Iterator[Result]:
        seen.extend(facts)
        yield result("a")

    facts = [one(), write(), "x", None]
    run(check("looks", looking, (ChangeSession, str)), facts, Expected(), SWEEP)
    assert seen == [facts[0], "x"]
    assert not isinstance(seen[0], ChangeEvent)


def test_an_interruption_is_not_swallowed() -> None:
    with pytest.raises(KeyboardInterrupt):
        run(check("bad", breaking(KeyboardInterrupt())), [], Expected(), SWEEP)


def test_a_very_long_fault_is_cut() -> None:
    (found,) = run(check("bad", breaking(ValueError("x" * 10_000))), [], Expected(), SWEEP)
    assert len(found.reason) < 1000


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_checks_does_not_matter(seed: int) -> None:
    checks = [check(name, of(*"cab")) for name in "xyz"]
    expected = evaluate(checks, [], Expected(), SWEEP)
    random.Random(seed).shuffle(checks)
    assert evaluate(checks, [], Expected(), SWEEP) == expected
