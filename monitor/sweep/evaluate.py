"""Run the checks over facts. Pure: what a check raises becomes one error result, and the rest go on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Protocol, TypeVar

from monitor.model import Check, Expectation, Outcome, Result, Sweep

E = TypeVar("E", bound=Expectation)


class Expected(Protocol):
    """Expected state, from which a check's own expectation is built."""

    def build(self, cls: type[E]) -> E:
        """Return the expectation that a check asks for."""


def evaluate(checks: Iterable[Check], facts: Sequence[Any], expected: Expected, sweep: Sweep) -> list[Result]:
    """Return every result, sorted by check and subject. A subject that a check judges twice is an error of the check."""
    results: list[Result] = []
    for check in sorted(checks, key=lambda c: c.id):
        results += run(check, facts, expected, sweep)
    return results


def run(check: Check, facts: Sequence[Any], expected: Expected, sweep: Sweep) -> list[Result]:
    """Return one check's results, sorted by subject."""
    mine = [fact for fact in facts if isinstance(fact, check.facts)]
    try:
        found = sorted(check.evaluate(mine, expected.build(check.expects), sweep), key=lambda r: r.subject)
    # A check is other people's code: whatever it raises is that check's error, and nobody else's.
    except Exception as fault:  # noqa: BLE001
        return [_error(check, f"{type(fault).__name__}: {fault}")]
    twice = sorted({a.subject for a, b in pairwise(found) if a.subject == b.subject})
    if twice:
        return [_error(check, f"judged more than once: {', '.join(twice[:5])}")]
    return found


def _error(check: Check, what: str) -> Result:
    return Result(
        check=check.id,
        subject=f"check:{check.id}",
        outcome=Outcome.ERROR,
        reason=f"the check itself failed: {what[:500]}",
        severity=check.severity,
        remedy="report this as a fault of the check; until it is mended its controls are not tested",
    )
