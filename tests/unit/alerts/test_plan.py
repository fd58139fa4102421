"""What a sweep gives to tell, to whom, and what it does not."""

from __future__ import annotations

import random
from datetime import timedelta

import msgspec
import pytest

from monitor.alerts.change import Gap, Move, Previous, Standing, Unseen, WaiverEnd
from monitor.alerts.notes import Note
from monitor.alerts.plan import messages_of, plan
from monitor.alerts.rules import AlertRules, Route
from monitor.alerts.words import NoteKind, Step
from monitor.model import Severity
from tests.unit.alerts.material import (
    EVERYTHING,
    HOOK,
    HOSTILE,
    NOON,
    PAGER,
    TEAM,
    change,
    finding,
    kept,
    opened,
    resolved,
    told,
)

A = finding(0).id


def test_an_opened_finding_is_told_once_to_the_target_of_its_route():
    assert told(plan(change(opened()), EVERYTHING)) == [("opened", A, TEAM.target)]


def test_the_same_sweep_gives_the_same_ids_whatever_the_order_of_its_moves():
    moves = [opened(n, severity) for n, severity in enumerate([*Severity] * 4)]
    first = plan(change(*moves), EVERYTHING)
    random.Random(3).shuffle(moves)

    assert plan(change(*moves), EVERYTHING) == first
    assert len({one.id for one in first}) == len(first)


def test_the_first_route_that_matches_decides_unless_it_says_also():
    critical = Route(to=(PAGER,), at_least=Severity.CRITICAL, also=True)
    payments = Route(to=(TEAM,), repositories=("example-org/payments",))
    rest = Route(to=(HOOK,))
    rules = AlertRules(routes=(critical, payments, rest))

    assert set(rules.targets(finding(severity=Severity.CRITICAL))) == {PAGER, TEAM}
    assert set(rules.targets(finding())) == {TEAM}
    assert set(rules.targets(finding(scope="github:example-org/other"))) == {HOOK}
    assert set(rules.targets(finding(severity=Severity.CRITICAL, scope="aws:111122223333"))) == {PAGER, HOOK}


@pytest.mark.parametrize(
    ("route", "scope", "owner", "goes"),
    [
        (Route(to=(TEAM,), accounts=("111122223333",)), "aws:111122223333:eu-west-1", "", True),
        (Route(to=(TEAM,), accounts=("111122223333",)), "aws:444455556666:eu-west-1", "", False),
        (Route(to=(TEAM,), accounts=("example-org",)), "github:example-org/payments", "", True),
        (Route(to=(TEAM,), scopes=("aws:*",)), "aws:111122223333:eu-west-1", "", True),
        (Route(to=(TEAM,), scopes=("github:example-org/pay*",)), "github:example-org/payments", "", True),
        (Route(to=(TEAM,), scopes=("github:*",)), "github:example-org/payments", "", False),
        (Route(to=(TEAM,), owners=("payments", "core*")), "aws:111122223333", "core-team", True),
        (Route(to=(TEAM,), owners=("payments",)), "aws:111122223333", "Payments", False),
        (Route(to=(TEAM,), checks=("branch-*",)), "aws:111122223333", "", True),
        (Route(to=(TEAM,), checks=("branch",)), "aws:111122223333", "", False),
        (Route(to=(TEAM,), checks=("branch-*",), accounts=("444455556666",)), "aws:111122223333", "", False),
        (Route(to=(TEAM,), repositories=("example-org/*",)), "gcp:example-prod", "", False),
    ],
)
def test_all_that_a_route_says_must_match(route: Route, scope: str, owner: str, goes: bool):
    assert route.matches(finding(scope=scope, owner=owner)) is goes


def test_more_than_a_burst_becomes_one_digest_and_the_critical_ones_are_told_singly():
    moves = [opened(n, Severity.CRITICAL if n in (3, 7) else Severity.HIGH) for n in range(30)]
    messages = plan(change(*moves), EVERYTHING)

    assert [one.kind for one in messages] == [NoteKind.DIGEST, NoteKind.OPENED, NoteKind.OPENED]
    digest = messages[0].body
    assert {one.finding_id for one in messages[1:]} == {finding(3).id, finding(7).id}
    assert set(digest.findings) == {finding(n).id for n in range(30)} - {finding(3).id, finding(7).id}
    assert digest.title == "28 findings opened at once: 28 high"
    assert ("And", "8 more: monitor findings list") in digest.lines
    assert ("Besides", "2 critical findings told one by one") in digest.lines


def test_a_burst_of_critical_ones_is_bounded_and_the_rest_are_in_the_digest():
    moves = [opened(n, Severity.CRITICAL) for n in range(60)]
    messages = plan(change(*moves), AlertRules(routes=(Route(to=(TEAM,)),), heads=5, summary_at=None))

    assert [one.kind for one in messages].count(NoteKind.OPENED) == 5
    assert len(messages[0].body.findings) == 55
    assert messages[0].body.severity is Severity.CRITICAL


def test_a_route_may_want_every_finding_by_itself():
    rules = AlertRules(routes=(Route(to=(HOOK,), burst=0, also=True), Route(to=(TEAM,))), summary_at=None)
    messages = plan(change(*(opened(n) for n in range(30))), rules)

    assert [one.target for one in messages].count(HOOK.target) == 30
    assert [one.target for one in messages].count(TEAM.target) == 1


def test_a_finding_that_stays_as_it_is_is_not_told_again():
    assert plan(change(kept()), EVERYTHING) == ()


def test_another_reason_is_told_once_a_day_and_only_where_the_finding_was_told():
    first = plan(change(kept(before="other"), sweep="sweep-1"), EVERYTHING)
    second = plan(change(kept(before="another"), sweep="sweep-2", at=NOON + timedelta(hours=3)), EVERYTHING)
    tomorrow = plan(change(kept(before="other"), sweep="sweep-3", at=NOON + timedelta(days=1)), EVERYTHING)

    assert told(first) == [("kept-digest", A, TEAM.target)]
    assert first[0].follows
    assert first[0].id == second[0].id != tomorrow[0].id
    assert plan(change(kept(before="other", told=())), EVERYTHING) == ()


def test_what_becomes_more_urgent_is_told_where_its_new_severity_leads_the_same_day_too():
    rules = AlertRules(routes=(Route(to=(PAGER,), at_least=Severity.CRITICAL), Route(to=(TEAM,))), summary_at=None)
    less = plan(change(kept(severity=Severity.HIGH, was=Severity.MEDIUM)), rules)
    most = plan(change(kept(severity=Severity.CRITICAL, was=Severity.HIGH), sweep="sweep-2"), rules)

    assert told(less) == [("kept-digest", A, TEAM.target)]
    assert {(one.target, one.follows) for one in most} == {(TEAM.target, False), (PAGER.target, False)}
    assert not {one.id for one in less} & {one.id for one in most}
    assert most[0].body.title.startswith("Now critical, was high: ")


def test_a_resolution_goes_where_the_finding_was_told_even_if_routes_now_lead_elsewhere():
    messages = plan(change(resolved(told=(PAGER,))), AlertRules(routes=(Route(to=(PAGER,)),), summary_at=None))
    elsewhere = plan(change(resolved(told=(PAGER,))), AlertRules(routes=(), summary_at=None))

    assert told(messages) == told(elsewhere) == [("resolved", A, PAGER.target)]
    assert messages[0].follows
    assert ("Was open for", "3 days") in messages[0].body.lines


def test_what_a_digest_told_is_resolved_by_a_digest():
    messages = plan(change(*(resolved(n, told=()) for n in range(3))), EVERYTHING)

    assert [one.kind for one in messages] == [NoteKind.DIGEST]
    assert messages[0].body.title == "3 findings resolved: 3 high"


def test_a_waived_finding_is_not_alerted_but_its_waiving_is_told_once():
    waived = opened(waiver="W-1", standing="waived")
    under = finding(waiver="W-1", standing="waived")
    still = msgspec.structs.replace(kept(waiver="W-1"), finding=under)
    begun = msgspec.structs.replace(kept(told=(PAGER,)), finding=under)
    first = plan(change(waived), EVERYTHING)

    assert told(first) == [("waived", A, TEAM.target)]
    assert plan(change(still), EVERYTHING) == ()
    assert told(plan(change(begun, sweep="sweep-9"), EVERYTHING)) == [("waived", A, PAGER.target)]
    back = msgspec.structs.replace(begun, step=Step.REOPENED)
    assert told(plan(change(back), EVERYTHING)) == [("kept-digest", A, PAGER.target)]


def test_a_finding_whose_waiver_has_ended_is_news_again():
    messages = plan(change(kept(waiver="W-1")), EVERYTHING)

    assert told(messages) == [("waiver-expired", A, TEAM.target)]
    assert not messages[0].follows


def test_a_sweep_that_is_recorded_long_after_tells_nothing():
    late = change(opened(), recorded_at=NOON + timedelta(days=8))

    assert plan(late, EVERYTHING) == ()
    assert plan(change(opened(), recorded_at=NOON + timedelta(days=6)), EVERYTHING)


def test_a_waiver_that_is_about_to_end_is_told_once_at_each_warning():
    rules = AlertRules(routes=(Route(to=(TEAM,)),), operations=(PAGER,), summary_at=None)

    def ids(days: float) -> list[str]:
        end = WaiverEnd(id="W-1", until=NOON + timedelta(days=20), reason="legacy", owner="maria")
        return [m.id for m in plan(change(at=NOON + timedelta(days=20 - days), waivers=(end,)), rules)]

    assert ids(15) == []
    assert ids(14) == ids(10) == ids(3.5)
    assert ids(3) == ids(0.1) != ids(14)
    assert ids(0) == ids(-1) == []


def test_the_summary_tells_coverage_the_trend_and_what_waits():
    rules = AlertRules(routes=(Route(to=(TEAM,)),), summary=(PAGER,))
    standing = Standing(
        open={"critical": 1, "high": 2},
        waived=4,
        previous=Previous(at=NOON - timedelta(days=1), open={"high": 5}),
        steps={"opened": 2, "resolved": 4, "kept": 9},
        unknown=(Unseen(id=A, check="deploy-trust", subject="x", since=NOON - timedelta(days=5)),),
        given_up=3,
    )
    gaps = tuple(
        Gap(scope=f"aws:11112222333{n}", source="trail", status="denied", reason="no", grant="s3:GetObject")
        for n in "345"
    )
    ends = (WaiverEnd(id="W-1", until=NOON + timedelta(days=2), reason="legacy"),)
    (message,) = plan(
        change(reads=10, gaps=gaps, standing=standing, waivers=ends, summary=NOON - timedelta(hours=6)), rules
    )[1:]
    note = message.body

    assert message.to == PAGER
    assert note.title == "Summary: 3 findings open, coverage incomplete"
    assert dict(note.lines) == {
        "Coverage": "incomplete: 7 of 10 reads are whole",
        "Not read": "aws:111122223333 and 2 more, trail: denied: no; grant or mend: s3:GetObject",
        "Open now": "1 critical, 2 high",
        "Open then": "5 high (2026-03-13 12:00Z)",
        "Since then": "2 opened, 0 reopened, 4 resolved",
        "Waived": "4 findings",
        "Nobody could look": f"{A} for 5 days: deploy-trust, x",
        "Waiver ends": "W-1 on 2026-03-16: legacy",
        "Not delivered": "3 messages given up: monitor alerts list --state failed",
    }
    assert note.counts == {"critical": 1, "high": 2}


def test_notes_about_the_monitor_go_to_its_operators():
    note = Note(kind=NoteKind.SLOT_OVERDUE, key="slot-overdue:nightly:1", at=NOON, title="late", severity=Severity.HIGH)

    assert [m.to for m in messages_of(note, AlertRules(routes=(Route(to=(TEAM,)),), operations=(PAGER, PAGER)))] == [
        PAGER
    ]
    assert [m.to for m in messages_of(note, EVERYTHING)] == [TEAM]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_makes_planning_fail_or_a_line_endless(text: str):
    hostile = dict.fromkeys(("subject", "scope", "actor", "owner", "reason", "remedy", "place"), text)
    moves = [opened(n, **hostile) for n in range(12)] + [kept(20, before=text, **hostile), resolved(21)]
    end = WaiverEnd(id=text, until=NOON + timedelta(days=1), reason=text, owner=text)
    gap = Gap(scope=text, source=text, status=text, reason=text, grant=text)
    unknown = Unseen(id=A, check=text, subject=text, since=NOON)
    rules = AlertRules(routes=(Route(to=(TEAM,), owners=("**",)), Route(to=(TEAM,))))
    messages = plan(
        change(*moves, waivers=(end,), gaps=(gap,), reads=1, summary=NOON, standing=Standing(unknown=(unknown,))), rules
    )

    assert len({one.id for one in messages}) == len(messages) >= 3
    assert all(len(line) <= 600 for one in messages for _, line in one.body.lines)
    assert all(len(one.body.title) <= 400 for one in messages)


def test_what_comes_back_in_a_burst_is_told_in_its_thread_too():
    def back(n: int) -> Move:
        return msgspec.structs.replace(kept(n, told=(TEAM,) if n == 4 else ()), step=Step.REOPENED)

    digest, again = plan(change(*(back(n) for n in range(12))), EVERYTHING)

    assert len(digest.body.findings) == 12
    assert (again.kind, again.finding_id, again.follows) == (NoteKind.KEPT, finding(4).id, True)
    assert again.body.title.startswith("Back again: ")
