"""From a recorded sweep to what people see: in order, once, into threads, whatever a sink says."""

from __future__ import annotations

import threading
from datetime import time, timedelta

import msgspec
import pytest

from monitor.alerts.change import WaiverEnd
from monitor.alerts.notes import Message, Note, Target
from monitor.alerts.rules import AlertRules, Quiet, Route
from monitor.alerts.words import NoteKind
from monitor.model import CoverageStatus, Outcome, ScopeCoverage, Severity
from monitor.store.messages import Outgoing
from monitor.store.store import Store
from monitor.store.words import MessageState
from monitor.sweep.alerting import StoreOutbox, deliver, outgoing
from tests.fakes.receiver import wait_until
from tests.integration.alerts.world import PAGER, RULES, START, TEAM, Chat, World, fid, result

A, B = fid("a"), fid("b")
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
BOTH = AlertRules(
    routes=(Route(to=(PAGER,), at_least=Severity.CRITICAL, also=True), Route(to=(TEAM,))), summary_at=None
)


@pytest.fixture
def store(store_url: str):
    with Store.open(store_url) as opened:
        yield opened


@pytest.fixture
def lite(sqlite_url: str):
    with Store.open(sqlite_url) as opened:
        yield opened


def test_the_life_of_a_finding_is_told_in_one_thread(store: Store):
    world, chat = World(store), Chat()
    for one in (
        result("a"),
        result("a"),
        result("a", reason="more was written"),
        result("a", Outcome.PASS),
        result("a"),
    ):
        world.sweep(one)
        world.round(chat)

    assert chat.told() == [("team", kind, A) for kind in ("opened", "kept-digest", "resolved", "reopened")]
    first, *rest = chat.threads
    assert first is None
    assert {thread.reference for thread in rest if thread} == {f"ts-{chat.ids[0][:8]}"}
    assert world.states() == {"sent": 4}
    assert world.round(chat).sent == 0


def test_a_sweep_that_is_recorded_again_tells_nothing_again(store: Store):
    world, chat = World(store), Chat()
    world.sweep(result("a"))
    world.number -= 1
    world.sweep(result("a"), after=timedelta())
    world.round(chat)

    assert chat.told() == [("team", "opened", A)]


def test_messages_are_there_if_the_sweep_is_and_only_then(store: Store):
    world = World(store)

    def breaks(recorded: object) -> list[Outgoing]:
        raise RuntimeError("in the middle")

    planner = world.alerting.planner
    world.alerting = msgspec.structs.replace(world.alerting)
    object.__setattr__(world, "alerting", type("Broken", (), {"planner": lambda self, at: breaks})())
    with pytest.raises(RuntimeError):
        world.sweep(result("a"))
    assert store.recorded_sweeps() == set()
    assert world.states() == {}
    object.__setattr__(world, "alerting", type("Whole", (), {"planner": lambda self, at: planner(at)})())
    world.sweep(result("a"))
    assert world.states() == {"pending": 1}


def test_a_fault_of_planning_does_not_stop_the_recording_and_is_told(lite: Store):
    def places(scope: str) -> str:
        raise ZeroDivisionError(scope)

    world, chat = World(lite, places=places), Chat()
    done = world.sweep(result("a"))
    world.round(chat)

    assert done.opened == (A,)
    assert [kind for _, kind, _ in chat.told()] == ["plan-failed"]


def test_each_target_has_a_thread_of_its_own(store: Store):
    world, chat = World(store, BOTH), Chat()
    world.sweep(result("a", severity=Severity.CRITICAL))
    world.round(chat)
    world.sweep(result("a", Outcome.PASS))
    world.round(chat)

    assert sorted(chat.told()) == [
        ("pager", "opened", A),
        ("pager", "resolved", A),
        ("team", "opened", A),
        ("team", "resolved", A),
    ]
    heads = {target: f"ts-{m.id[:8]}" for m, target in chat.shown if m.kind is NoteKind.OPENED}
    for (_, target), thread in zip(chat.shown[2:], chat.threads[2:], strict=True):
        assert thread is not None
        assert thread.reference == heads[target]


def test_a_message_that_arrived_without_an_answer_is_looked_for_and_shown_once(store: Store):
    world, chat = World(store), Chat(says=lambda message, number: "lost" if number == 1 else "")
    world.sweep(result("a"))
    assert world.round(chat).later == 1
    assert world.states() == {"sending": 1}
    counts = world.round(chat, after=MINUTE)

    assert (counts.sent, counts.found) == (1, 1)
    assert chat.looked == chat.ids
    assert chat.calls == 1


def test_a_target_that_asks_for_time_gets_it_and_so_do_all_its_messages(store: Store):
    world, chat = World(store), Chat(says=lambda message, number: "wait 90" if number == 1 else "")
    world.sweep(result("a"), result("b"))
    world.round(chat)
    assert chat.calls == 1
    world.round(chat, after=timedelta(seconds=89))
    assert chat.calls == 1
    world.round(chat, after=timedelta(seconds=2))

    assert len(chat.shown) == 2
    assert chat.looked == []


def test_tries_are_twice_as_far_apart_each_time_and_end(lite: Store):
    world, chat = World(lite), Chat(says=lambda message, number: "broken")
    world.sweep(result("a"))
    tries = []
    for _ in range(30 * 60 * 2):
        before = chat.calls
        world.round(chat, after=timedelta(seconds=30), jitter=lambda: 0.0)
        if chat.calls > before:
            tries.append(world.at)
        if world.states() == {"failed": 1}:
            break
    apart = [round((later - earlier) / MINUTE, 1) for earlier, later in zip(tries, tries[1:], strict=False)]

    assert apart[:8] == [0.5, 1, 2, 4, 8, 16, 32, 60]
    assert set(apart[8:]) == {60}
    assert timedelta(hours=24) <= tries[-1] - tries[0] <= timedelta(hours=26)
    (row,) = world.messages.listed(MessageState.FAILED)
    assert row.error == "broken"


def test_a_message_that_poisons_its_target_does_not_starve_the_others(lite: Store):
    world, chat = World(lite), Chat(says=lambda message, number: "broken" if message.finding_id == A else "")
    world.sweep(result("a"), *(result(f"s{n}") for n in range(5)))
    for _ in range(4):
        world.round(chat, after=MINUTE)

    assert len(chat.shown) == 5


def test_what_follows_waits_for_what_came_before(store: Store):
    world, chat = World(store), Chat(says=lambda message, number: "broken" if number <= 3 else "")
    world.sweep(result("a"))
    world.round(chat)
    world.sweep(result("a", Outcome.PASS))
    world.sweep(result("a"))
    for _ in range(20):
        world.round(chat, after=5 * MINUTE)

    assert [kind for _, kind, _ in chat.told()] == ["opened", "resolved", "reopened"]


def test_sweeps_that_are_recorded_out_of_order_are_told_in_the_order_of_recording(lite: Store):
    world, chat = World(lite), Chat()
    world.sweep(result("a"))
    world.sweep(result("a", Outcome.PASS), after=-HOUR)
    world.sweep(result("a"), after=timedelta())
    world.at += 2 * HOUR
    world.round(chat)

    assert [kind for _, kind, _ in chat.told()] == ["opened", "resolved", "reopened"]


def test_a_resolution_is_not_told_where_its_head_was_given_up_and_retrying_tells_both_in_order(store: Store):
    well = threading.Event()
    world, chat = World(store), Chat(says=lambda message, number: "" if well.is_set() else "broken")
    world.sweep(result("a"))
    world.round(chat)
    world.sweep(result("a", Outcome.PASS))
    for _ in range(30):
        world.round(chat, after=HOUR)
    assert world.states() == {"failed": 2}
    well.set()
    assert len(world.messages.retry(world.at)) == 2
    world.round(chat)

    assert [kind for _, kind, _ in chat.told()] == ["opened", "resolved"]


def test_what_later_news_has_overtaken_is_not_tried_again(store: Store):
    world, chat = World(store), Chat(says=lambda message, number: "broken" if message.kind is NoteKind.OPENED else "")
    world.sweep(result("a"))
    for _ in range(30):
        world.round(chat, after=HOUR)
    world.sweep(result("a", Outcome.PASS))
    world.sweep(result("a"))
    world.round(chat)

    assert ("team", "reopened", A) in chat.told()
    assert world.messages.retry(world.at) == []


def test_a_target_that_is_gone_has_its_messages_told_to_the_fallback_and_says_so_once(store: Store):
    other = Target("chat", "fallback")
    world = World(store)
    chat = Chat(says=lambda message, number: "gone" if message.target == "team" else "")
    world.sweep(result("a"), result("b"))
    world.round(chat, fallbacks={"chat": other})
    world.sweep(result("a", Outcome.PASS))
    world.round(chat, fallbacks={"chat": other})

    kinds = sorted((kind, finding) for _, kind, finding in chat.told())
    assert kinds == sorted([("target-gone", ""), ("opened", A), ("opened", B), ("resolved", A)])
    assert {target for target, _, _ in chat.told()} == {"fallback"}
    about = [kind for _, kind, finding in chat.told() if finding == A]
    assert about == ["opened", "resolved"]
    assert world.states() == {"sent": 4, "dropped": 3}


def test_two_targets_that_are_gone_tell_the_fallback_one_thing_once(store: Store):
    world, chat = World(store, BOTH), Chat(says=lambda m, n: "gone" if m.target != "fallback" else "")
    world.sweep(result("a", severity=Severity.CRITICAL))
    for _ in range(3):
        world.round(chat, fallbacks={"chat": Target("chat", "fallback")})

    assert [kind for _, kind, _ in chat.told()].count("opened") == 1
    assert len(set(chat.ids)) == len(chat.ids)


def test_a_fallback_that_is_gone_too_ends_it(store: Store):
    world, chat = World(store), Chat(says=lambda message, number: "gone")
    world.sweep(result("a"))
    for _ in range(3):
        world.round(chat, fallbacks={"chat": Target("chat", "fallback")})

    assert world.states() == {"dropped": 1, "failed": 2}


def test_in_quiet_hours_only_what_is_critical_is_told_and_the_rest_when_they_end(store: Store):
    quiet = Quiet(start=time(22), end=time(7))
    world, chat = World(store, msgspec.structs.replace(RULES, quiet=quiet)), Chat()
    world.sweep(result("a"), result("b", severity=Severity.CRITICAL))
    world.round(chat)
    assert chat.told() == [("team", "opened", B)]
    world.sweep(result("a", Outcome.PASS))
    world.round(chat)
    assert len(chat.shown) == 1
    world.at = START.replace(hour=7)
    world.round(chat)

    assert chat.told()[1:] == [("team", "opened", A), ("team", "resolved", A)]


def test_what_becomes_critical_at_night_goes_at_once_and_what_was_held_back_of_it_first(store: Store):
    quiet = Quiet(start=time(22), end=time(7))
    world, chat = World(store, msgspec.structs.replace(RULES, quiet=quiet)), Chat()
    world.sweep(result("a"), result("b"))
    world.round(chat)
    world.sweep(result("a", severity=Severity.CRITICAL))
    world.round(chat)

    assert [(kind, f) for _, kind, f in chat.told()] == [("opened", A), ("kept-digest", A)]


def test_a_slow_sink_does_not_hold_up_the_others(lite: Store):
    slow_target = Target("slow", "x")
    world = World(lite, AlertRules(routes=(Route(to=(TEAM, slow_target)),), summary_at=None))
    released = threading.Event()

    def says(message: Message, number: int) -> str:
        return "" if released.wait(30) else "late"

    chat, slow = Chat(), Chat("slow", says)
    world.sweep(result("a"))
    with world.deliverer(chat, slow, patience=0.1) as deliverer:
        counts = deliverer.run_once(world.at)
        assert counts.busy == ("slow",)
        world.sweep(result("b"))
        assert deliverer.run_once(world.at).busy == ("slow",)
        assert [finding for _, _, finding in chat.told()] == [A, B]
        released.set()
        wait_until(lambda: deliverer.run_once(world.at) is not None and world.states() == {"sent": 4})


def test_a_sink_that_raises_anything_costs_only_its_message(lite: Store):
    class Faulty(Chat):
        def deliver(self, message: Message, thread: object) -> object:  # type: ignore[override]
            if message.finding_id == A:
                raise KeyError("ts")
            return super().deliver(message, None)

    world, chat = World(lite), Faulty()
    world.sweep(result("a"))
    assert world.round(chat).errors == ("chat team: KeyError: 'ts'",)
    world.sweep(result("b"))
    for _ in range(3):
        world.round(chat, after=MINUTE)

    assert [finding for _, _, finding in chat.told()] == [B]


def test_of_two_deliverers_one_takes_a_message(store: Store):
    world, chat = World(store), Chat()
    world.sweep(*(result(f"s{n}") for n in range(8)))
    barrier = threading.Barrier(2)

    def deliver_all() -> None:
        with world.deliverer(chat) as deliverer:
            barrier.wait()
            for _ in range(4):
                deliverer.run_once(world.at)

    threads = [threading.Thread(target=deliver_all) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert len(chat.shown) == chat.calls == 8
    assert world.states() == {"sent": 8}


def test_a_sink_that_the_settings_no_longer_name_keeps_its_messages_until_they_are_given_up(lite: Store):
    world, chat = World(lite), Chat()
    world.sweep(result("a"))
    assert world.round(Chat("other")).later == 1
    world.round(chat, after=HOUR)
    assert chat.told() == [("team", "opened", A)]
    world.sweep(result("b"))
    for _ in range(40):
        world.round(Chat("other"), after=HOUR)

    assert world.states() == {"sent": 1, "failed": 1}


def test_a_row_that_cannot_be_read_is_given_up_and_holds_nothing_up(lite: Store):
    world, chat = World(lite), Chat()
    note = Note(kind=NoteKind.TEST, key="x", at=START, title="x")
    from monitor.alerts.notes import message

    good = outgoing(message(note, TEAM, START))
    world.messages.add([msgspec.structs.replace(good, id="0" * 64, body="{"), good])
    world.round(chat)

    assert world.states() == {"failed": 1, "sent": 1}


def test_the_outbox_keeps_hostile_text_as_it_is(store: Store):
    text = "nul \0 lone \ud800 <!channel> ␀ 'quoted' \u202e"
    world, chat = World(store), Chat()
    world.sweep(result(text, reason=text, actor=text))
    world.round(chat)
    (message, _), *_ = chat.shown

    assert message.body.finding is not None
    assert message.body.finding.reason == text.replace("\ud800", "\ufffd")


def test_a_finding_under_a_waiver_is_silent_until_the_waiver_ends(store: Store):
    world, chat = World(store), Chat()
    for waiver in ("", "W-1", "W-1", "", ""):
        world.sweep(result("a", waiver=waiver))
        world.round(chat)

    assert [kind for _, kind, _ in chat.told()] == ["opened", "waived", "waiver-expired"]


def test_the_summary_is_told_once_a_day_with_the_trend(store: Store):
    rules = msgspec.structs.replace(RULES, summary_at=time(6))
    ends = (WaiverEnd(id="W-1", until=START + 30 * DAY),)
    world, chat = World(store, rules, waivers=ends), Chat()
    whole = ScopeCoverage(scope="aws:111122223333", source="trail", status=CoverageStatus.COMPLETE)
    part = ScopeCoverage(scope="aws:444455556666", source="trail", status=CoverageStatus.DENIED, reason="no")
    world.at = START.replace(hour=5)
    world.sweep(result("a"), result("b", waiver="W-1"), coverage=(whole,))
    world.sweep(result("a"), after=2 * HOUR, coverage=(whole,))
    world.sweep(result("a"), result("c", Outcome.UNKNOWN), after=HOUR, coverage=(whole,))
    world.sweep(result("a", Outcome.PASS), after=DAY, coverage=(whole, part))
    world.round(chat)
    summaries = [dict(m.body.lines) for m, _ in chat.shown if m.kind is NoteKind.NIGHTLY_SUMMARY]

    first, second, third = summaries
    assert first["Coverage"] == "complete: 1 of 1 reads are whole"
    assert (first["Open now"], first["So far"], first["Waived"]) == (
        "1 high",
        "2 opened, 0 reopened, 0 resolved",
        "1 finding",
    )
    assert second["Since then"] == "0 opened, 0 reopened, 0 resolved"
    assert third["Coverage"] == "incomplete: 1 of 2 reads are whole"
    assert third["Not read"] == "aws:444455556666, trail: denied: no"
    assert (third["Open then"].partition(" (")[0], third["Open now"]) == ("1 high", "1 high")
    assert third["Since then"] == "1 opened, 0 reopened, 1 resolved"
    assert third["Nobody could look"].startswith(f"{fid('c')} for 24 hours")


def test_notes_of_the_monitor_itself_are_told_once(store: Store):
    world, chat = World(store), Chat()
    note = Note(
        kind=NoteKind.SLOT_OVERDUE, key="slot-overdue:nightly:1", at=START, title="late", severity=Severity.HIGH
    )

    assert world.alerting.tell(store, [note]) == 1
    assert world.alerting.tell(store, [note]) == 0
    world.round(chat)
    assert chat.told() == [("team", "slot-overdue", "")]


def test_an_outbox_that_cannot_be_read_does_not_raise(lite: Store):
    class Closed(StoreOutbox):
        def waiting(self) -> dict[str, int]:
            from monitor.errors import LedgerError

            raise LedgerError("the database is away")

    from monitor.alerts.deliver import Deliverer

    with Deliverer(Closed(lite), [Chat()], lambda: START) as deliverer:
        assert deliver(deliverer, START).errors == ("the database is away",)
