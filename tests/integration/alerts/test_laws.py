"""Laws that hold for any sweeps and any weather: told once, in order, in one thread; and nothing is lost."""

from __future__ import annotations

import random
import shutil
from collections import Counter, defaultdict
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.alerts.notes import Message
from monitor.alerts.rules import AlertRules, Route
from monitor.alerts.words import NoteKind
from monitor.model import Outcome, Severity
from monitor.store.store import Store
from tests.integration.alerts.world import PAGER, TEAM, Chat, World, fid, result

SUBJECTS = "abcdef"
RULES = AlertRules(
    routes=(Route(to=(PAGER,), at_least=Severity.CRITICAL, also=True), Route(to=(TEAM,))), burst=2, summary_at=None
)
NEWS = {NoteKind.OPENED, NoteKind.REOPENED, NoteKind.WAIVER_EXPIRED}

judgement = st.tuples(
    st.sampled_from([Outcome.FAIL, Outcome.FAIL, Outcome.PASS, Outcome.UNKNOWN]),
    st.sampled_from([Severity.CRITICAL, Severity.HIGH]),
    st.sampled_from(["", "", "", "W-1"]),
    st.sampled_from(["one reason", "another"]),
)
sweeps = st.lists(st.dictionaries(st.sampled_from(SUBJECTS), judgement, min_size=1), min_size=1, max_size=8)


@pytest.fixture(scope="module")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("laws")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(sequence=sweeps, weather=st.integers(0, 2**32), rounds=st.integers(0, 2))
def test_any_sweeps_in_any_weather_are_told_once_and_in_order(
    sqlite_template: Path, numbered: Path, sequence: list[dict[str, tuple]], weather: int, rounds: int
):
    file = numbered / "monitor.db"
    for old in numbered.iterdir():
        old.unlink()
    shutil.copyfile(sqlite_template, file)
    chance = random.Random(weather)

    def says(message: Message, number: int) -> str:
        return chance.choice(["", "", "lost", "broken", "wait 40"]) if number < 40 else ""

    expected: Counter[tuple[str, str]] = Counter()
    chat = Chat(says=says)
    with Store.open(f"sqlite:///{file}") as store:
        world = World(store, RULES)
        for judged in sequence:
            results = [
                result(s, outcome, severity, waiver if outcome is not Outcome.PASS else "", reason=reason)
                for s, (outcome, severity, waiver, reason) in judged.items()
            ]
            moved = world.sweep(*results)
            severities = {fid(one.subject): one for one in results}
            for finding in (*moved.opened, *moved.reopened):
                if not severities[finding].waiver:
                    expected[TEAM.target, finding] += 1
                    if severities[finding].severity is Severity.CRITICAL:
                        expected[PAGER.target, finding] += 1
            for _ in range(rounds):
                world.round(chat, after=timedelta(seconds=chance.randrange(200)))
        for _ in range(100):
            if set(world.states()) <= {"sent"}:
                break
            world.round(chat, after=timedelta(minutes=30))
        assert set(world.states()) <= {"sent"}

    news: Counter[tuple[str, str]] = Counter()
    heads: dict[tuple[str, str], set[str]] = defaultdict(set)
    written: dict[tuple[str, str], list[Message]] = defaultdict(list)
    for (message, target), thread in zip(chat.shown, chat.threads, strict=True):
        if message.kind in NEWS:
            news[target, message.finding_id] += 1
        elif message.kind is NoteKind.DIGEST and message.body.key.endswith(":opened"):
            news.update((target, finding) for finding in message.body.findings)
        if message.finding_id:
            written[target, message.finding_id].append(message)
            heads[target, message.finding_id].add(thread.reference if thread else f"ts-{message.id[:8]}")
    assert news == expected
    for place, told in written.items():
        assert [m.created_at for m in told] == sorted({m.created_at for m in told})
        assert told[0].kind is not NoteKind.RESOLVED
        assert all(
            a.kind is not b.kind or a.kind is not NoteKind.RESOLVED for a, b in zip(told, told[1:], strict=False)
        )
        assert len(heads[place]) == 1
