"""The numbers of the scheduler as Prometheus reads them: the text format, version 0.0.4.

https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice

import msgspec

from monitor.model import CoverageStatus, ScopeCoverage, Severity
from monitor.schedule.runner import Runner
from monitor.schedule.slots import owed
from monitor.store.gauges import gauges
from monitor.store.store import Store
from monitor.store.words import MessageState, SlotState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_MOST_OWED = 10_000
_REQUESTS = ("requests", "calls")
"""Under which names sources count what they asked."""


class Family(msgspec.Struct, frozen=True):
    """One metric: its name, type (`gauge` or `counter`), what it says, and its samples, each with its labels."""

    name: str
    kind: str
    help: str
    samples: Sequence[tuple[Mapping[str, str], float]]


def exposition(families: Iterable[Family]) -> str:
    """Return the text that Prometheus reads. A metric without samples is left out."""
    lines = []
    for family in families:
        if not family.samples:
            continue
        lines.append(f"# HELP {family.name} {_escaped(family.help)}")
        lines.append(f"# TYPE {family.name} {family.kind}")
        for labels, value in family.samples:
            named = ",".join(f'{name}="{_label(text)}"' for name, text in labels.items())
            lines.append(f"{family.name}{{{named}}} {_number(value)}" if named else f"{family.name} {_number(value)}")
    return "".join(line + "\n" for line in lines)


def collect(runner: Runner, store: Store, now: datetime) -> str:
    """Return the metrics as of now (UTC). Raises LedgerError."""
    counted = gauges(store)
    names = [schedule.name for schedule in runner.schedules]
    waiting = {}
    late = {}
    for schedule in runner.schedules:
        slots = list(islice(owed(schedule, runner.ledger(schedule, now), now), _MOST_OWED))
        waiting[schedule.name] = len(slots)
        late[schedule.name] = (now - slots[0].planned_for).total_seconds() if slots else 0.0
    read = {name: store.coverage(done.sweep_id) for name, done in counted.done.items() if done.sweep_id}
    ended = [({"schedule": n}, d.ended_at.timestamp()) for n, d in sorted(counted.done.items()) if d.ended_at]
    states = [state for state in SlotState if state is not SlotState.CLAIMED]
    return exposition(
        (
            Family("monitor_last_success_timestamp_seconds", "gauge", "When the newest done slot ended.", ended),
            Family(
                "monitor_last_done_slot_timestamp_seconds",
                "gauge",
                "The newest slot that is done.",
                [({"schedule": name}, done.planned_for.timestamp()) for name, done in sorted(counted.done.items())],
            ),
            Family("monitor_slots_owed", "gauge", "Slots that are owed now.", _by("schedule", waiting)),
            Family("monitor_oldest_owed_slot_seconds", "gauge", "Age of the oldest owed slot.", _by("schedule", late)),
            Family(
                "monitor_slots",
                "gauge",
                "Slots of the ledger by how they ended.",
                [
                    ({"schedule": name, "state": state.value}, counted.slots.get((name, state.value), 0))
                    for name in names
                    for state in states
                ],
            ),
            Family("monitor_sweeps_total", "counter", "Sweeps that are recorded.", [({}, counted.sweeps)]),
            Family(
                "monitor_coverage_scopes",
                "gauge",
                "Scopes by how much of them the last sweep of the schedule read.",
                [
                    ({"schedule": name, "status": status.value}, sum(1 for c in coverage if c.status is status))
                    for name, coverage in sorted(read.items())
                    for status in CoverageStatus
                ],
            ),
            Family(
                "monitor_sweep_api_requests",
                "gauge",
                "Requests of the last sweep of the schedule, as far as sources count them.",
                [
                    ({"schedule": name, "provider": provider}, count)
                    for name, coverage in sorted(read.items())
                    for provider, count in sorted(requests(coverage).items())
                ],
            ),
            Family(
                "monitor_sweep_api_points",
                "gauge",
                "What the last sweep of the schedule took of the provider's allowance, in its points.",
                [
                    ({"schedule": name, "provider": provider}, count)
                    for name, coverage in sorted(read.items())
                    for provider, count in sorted(requests(coverage, ("points",)).items())
                ],
            ),
            Family(
                "monitor_unknown", "gauge", "Open findings that nobody could look at.", _by("check", counted.unknowns)
            ),
            Family(
                "monitor_findings_open",
                "gauge",
                "Findings that are open or reopened.",
                [
                    (
                        {"severity": severity.value, "waived": str(waived).lower()},
                        counted.findings.get((severity, waived), 0),
                    )
                    for severity in Severity
                    for waived in (False, True)
                ],
            ),
            Family(
                "monitor_outbox_messages",
                "gauge",
                "Messages of the outbox by state; pending and sending wait.",
                [({"state": state.value}, counted.outbox.get(state.value, 0)) for state in MessageState],
            ),
        )
    )


def requests(coverage: Iterable[ScopeCoverage], names: Sequence[str] = _REQUESTS) -> dict[str, int]:
    """Return how many requests, or what else goes by the names, the sources have counted, by provider."""
    found: Counter[str] = Counter()
    for one in coverage:
        for name in names:
            found[one.scope.partition(":")[0]] += one.counts.get(name, 0)
    return {provider: count for provider, count in found.items() if count}


def _by(label: str, counts: Mapping[str, float]) -> list[tuple[Mapping[str, str], float]]:
    return [({label: name}, count) for name, count in sorted(counts.items())]


def _label(text: str) -> str:
    safe = text.encode("utf-8", "backslashreplace").decode()
    return _escaped(safe).replace('"', '\\"')


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
