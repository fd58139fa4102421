"""Mangled entries of Google Cloud's audit log: nothing raises, nothing passes by accident, and the fast way agrees."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from monitor.decode import gcp_audit
from monitor.decode import gcp_audit_wire as wire
from monitor.decode.gcp_audit_exchange import exchange
from monitor.decode.gcp_audit_identity import agent
from monitor.errors import Malformed
from monitor.example.google import NUMBER, became, entry, exchanged, line, person, subject, through
from monitor.example.google_plan import DEPLOY, planted, update
from monitor.model import Outcome
from monitor.sweep.documents import KINDS, judge_events
from tests.unit.sweep.cases import CHECKS, expected

AT = datetime(2026, 3, 5, 10, tzinfo=UTC)
SAMPLES: list[dict[str, Any]] = [one for case in planted() for one in case.entries]
junk = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def paths(value: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [before] if before else []
    if isinstance(value, dict):
        for name, inner in value.items():
            found += paths(inner, (*before, name))
    if isinstance(value, list):
        for number, inner in enumerate(value):
            found += paths(inner, (*before, number))
    return found


@st.composite
def mangled(draw: st.DrawFn) -> dict[str, Any]:
    """An entry of which one to three values are gone, or are something else."""
    made = json.loads(json.dumps(draw(st.sampled_from(SAMPLES))))
    for _ in range(draw(st.integers(1, 3))):
        found = paths(made)
        path = draw(st.sampled_from(found))
        inner = made
        for step in path[:-1]:
            inner = inner[step]
        if draw(st.booleans()) and isinstance(inner, dict):
            del inner[path[-1]]
        else:
            inner[path[-1]] = draw(junk)
    return made


def outcomes(*bodies: bytes) -> list[Outcome]:
    return [one.outcome for one in judge_events(list(bodies), KINDS["gcp-audit"], CHECKS, expected())]


@given(mangled())
def test_a_mangled_entry_raises_nothing(made: dict[str, Any]) -> None:
    body = line(made)
    outcomes(body)
    wire.sift_lines(body, lambda *asked: "")
    try:
        item = gcp_audit.record(body)
        exchange(item)
        gcp_audit.event(item)
    except Malformed:
        pass


@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_any_bytes_raise_nothing(body: bytes) -> None:
    assert set(outcomes(body)) <= {Outcome.ERROR}
    wire.sift_lines(body, lambda *asked: "")


@given(mangled())
def test_a_mangled_entry_passes_only_where_google_itself_is_the_caller(made: dict[str, Any]) -> None:
    (outcome,) = outcomes(line(made))
    if outcome is Outcome.PASS:
        payload = made["protoPayload"]
        caller = (payload.get("authenticationInfo") or {}).get("principalEmail") or ""
        assert agent(caller) or str(made["logName"]).endswith("system_event")


@given(mangled(), st.sampled_from(["authenticationInfo", "serviceAccountDelegationInfo", "insertId", "timestamp"]))
def test_a_mangled_exchange_never_proves_what_the_whole_one_does_not(made: dict[str, Any], field: str) -> None:
    write = line(update(AT, through(DEPLOY, subject("accounts")))[0])
    (_, found) = outcomes(line(made), write)
    assert found is not Outcome.PASS


@given(st.lists(mangled() | st.sampled_from(SAMPLES), max_size=12), st.integers(0, 3))
def test_the_fast_way_agrees_with_line_by_line(entries: list[dict[str, Any]], spaces: int) -> None:
    bodies = [line(one).strip() for one in entries]
    content = b"\n".join(body + b" " * spaces for body in bodies) + b"\n"

    def plain(place: str, service: str, caller: str) -> str:
        return "service_writes" if agent(caller) else ""

    slow = wire.sift(wire.lines(content), plain)
    hinted = wire.sift_lines(content, plain, data=True)
    assert hinted.records == slow.records
    assert {one.number for one in slow.flagged} <= {one.number for one in hinted.flagged}
    fast = wire.sift_lines(content, plain)
    assert (fast.records, fast.plain, fast.first, fast.last) == (slow.records, slow.plain, slow.first, slow.last)
    assert sorted((one.number, one.body.strip(), one.broken) for one in fast.flagged) == sorted(
        (one.number, one.body.strip(), one.broken) for one in slow.flagged
    )


@given(st.permutations(range(4)))
def test_order_changes_no_verdict(order: list[int]) -> None:
    who = subject("accounts")
    entries = [
        exchanged(AT, who),
        became(AT, DEPLOY, {"principalSubject": who}),
        update(AT, through(DEPLOY, who))[0],
        entry(AT, "run.googleapis.com", "google.cloud.run.v2.Services.DeleteService", "x", person("maria@example.com")),
    ]
    found = outcomes(*(line(entries[n]) for n in order))
    assert [found[order.index(n)] for n in range(4)] == [
        Outcome.NOT_APPLICABLE,
        Outcome.NOT_APPLICABLE,
        Outcome.PASS,
        Outcome.FAIL,
    ]


@given(st.text(max_size=60))
def test_nobody_is_an_agent_by_a_name_that_he_can_choose(name: str) -> None:
    assert not agent(f"{name}@example-prod.iam.gserviceaccount.com")
    assert not agent(f"service-{NUMBER}@{name}.example.com")
    assert not agent(f"system:serviceaccount:shop:{name}")
