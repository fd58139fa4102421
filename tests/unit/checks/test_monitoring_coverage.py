"""The check `monitoring-coverage`: silence is no pass, and what nobody could look at for days fails by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from checks.monitoring_coverage import CHECK, Nothing, subject_of
from monitor.facts.governance import Former, LongUnknown, StoreAsked, is_window, looked_at
from monitor.model import Outcome, Result, Severity, Sweep, Window

NOW = datetime(2026, 4, 20, tzinfo=UTC)
SWEEP = Sweep(id="s", planned_for=NOW, at=NOW, window=Window(NOW - timedelta(days=1), NOW))
ASKED = StoreAsked(at=NOW, open=3, waived=1, unknown_days=3)
LONG = LongUnknown(
    check="branch-protection",
    subject="github:repository:7:branch:main",
    scope="github:example-org/payments",
    since=NOW - timedelta(days=5),
    days=5,
    reason="bypass actors could not be read",
    grant="administration:read",
    findings=("F-AAAAAAAAAA",),
)
SUBJECT = "monitoring:branch-protection:github:repository:7:branch:main"


def judged(*facts: Any) -> dict[str, Result]:
    found = list(CHECK.evaluate(facts, Nothing(), SWEEP))
    assert len({one.subject for one in found}) == len(found)
    return {one.subject: one for one in found}


def test_all_that_could_be_looked_at_is_a_pass_once_the_record_was_asked():
    (one,) = judged(ASKED).values()
    assert (one.subject, one.outcome) == ("monitoring:coverage", Outcome.PASS)
    assert one.reason == "every control could be looked at within 3 days"


def test_a_record_that_was_not_asked_is_unknown():
    (one,) = judged().values()
    assert (one.subject, one.outcome) == ("monitoring:coverage", Outcome.UNKNOWN)
    assert judged(LONG)["monitoring:coverage"].outcome is Outcome.UNKNOWN


def test_each_long_unknown_fails_by_itself_and_names_what_to_grant():
    found = judged(ASKED, LONG)
    assert found["monitoring:coverage"].outcome is Outcome.NOT_APPLICABLE
    one = found[SUBJECT]
    assert (one.outcome, one.severity, one.scope) == (Outcome.FAIL, Severity.HIGH, LONG.scope)
    assert "nobody could look at github:repository:7:branch:main for 5 days" in one.reason
    assert one.remedy == "grant or mend: administration:read"
    assert one.observed["unknown_since"] == "2026-04-15T00:00:00+00:00"
    assert judged(ASKED, msgspec.structs.replace(LONG, grant=""))[SUBJECT].remedy == CHECK.remedy


def test_what_is_seen_again_passes_and_what_is_merely_over_does_not():
    seen = Former(check=CHECK.id, subject=SUBJECT, scope="s", why="seen", seen=True)
    over = Former(check=CHECK.id, subject="monitoring:x:y", scope="s", why="over")
    other = Former(check="waiver-governance", subject="waiver:W-1", scope="", why="gone")
    found = judged(ASKED, seen, over, other)
    assert [found[s].outcome for s in (SUBJECT, "monitoring:x:y")] == [Outcome.PASS, Outcome.NOT_APPLICABLE]
    assert len(found) == 3
    assert judged(ASKED, seen, LONG)[SUBJECT].outcome is Outcome.FAIL


def test_a_window_stands_for_its_log_and_a_session_for_its_account():
    log = "aws:111122223333:eu-west-1:log@2026-04-01T00:00Z"
    assert is_window(log)
    assert looked_at(log, "s") == "aws:111122223333:eu-west-1:log"
    assert looked_at("github:repository:7:branch:main:updates@2026-04-01:eve", "s") == (
        "github:repository:7:branch:main:updates:eve"
    )
    session = "aws:111122223333:session:ASIA@2026-04-01"
    assert not is_window(session)
    assert looked_at(session, "aws:111122223333") == "aws:111122223333:sessions"
    assert looked_at(session, "") == "aws:111122223333:sessions"
    assert looked_at("github:repository:7", "s") == "github:repository:7"


TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
FACTS = st.lists(
    st.one_of(
        st.just(ASKED),
        st.builds(
            lambda check, subject, days: msgspec.structs.replace(LONG, check=check, subject=subject, days=days),
            TEXT,
            TEXT,
            st.integers(0, 9_999),
        ),
        st.builds(
            lambda check, what, seen: Former(
                check=CHECK.id, subject=subject_of(check, what), scope="", why="", seen=seen
            ),
            TEXT,
            TEXT,
            st.booleans(),
        ),
    ),
    max_size=8,
)


@given(FACTS, st.randoms())
def test_it_is_total_and_indifferent_to_order_and_never_passes_what_is_unknown(facts, chance):
    shuffled = list(facts)
    chance.shuffle(shuffled)
    found = judged(*facts)
    assert judged(*shuffled) == found
    for fact in facts:
        if isinstance(fact, LongUnknown):
            assert found[subject_of(fact.check, fact.subject)].outcome is Outcome.FAIL
