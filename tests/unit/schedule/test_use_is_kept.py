"""A sweep of the audit log alone reads events once: what they tell of the use of identities is kept for the nightly sweep."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from monitor.facts.remembered import Remembered
from monitor.sources.ports import Collected
from monitor.sweep.identities import USAGE, accesses
from tests.unit.facts.test_usage import AT, ROLE, SESSION, event, identity


class Memory:
    """What sweeps remember, in a list."""

    def __init__(self, *kept: Remembered) -> None:
        self.kept = list(kept)

    def latest(self, kind: str) -> dict[str, Remembered]:
        return {one.subject: one for one in self.kept if one.kind == kind}


def seen() -> Remembered:
    known = identity()
    return Remembered(
        kind="aws.identity", id="1", subject=known.subject(), at=AT, body=msgspec.Raw(msgspec.json.encode(known))
    )


def swept(memory: Memory, *facts: object) -> list[Remembered]:
    """Return what a sweep that collected these facts asks to be remembered of use."""
    collected = Collected(facts=list(facts))
    accesses(collected, memory, dict, AT)  # type: ignore[arg-type]
    memory.kept += collected.remember
    return [one for one in collected.remember if one.kind == USAGE]


def used(one: Remembered) -> dict[str, datetime]:
    return msgspec.json.decode(one.body, type=dict[str, datetime])


def test_the_use_of_a_known_identity_is_remembered_though_identities_are_not_read() -> None:
    memory = Memory(seen())
    (kept,) = swept(memory, event("ecs:UpdateService", SESSION))
    assert (kept.subject, used(kept)) == (identity().subject(), {"ecs:UpdateService": AT - timedelta(days=1)})
    assert swept(memory, event("ecs:UpdateService", ROLE, days=3)) == [], "it is known to have been used later"
    (more,) = swept(memory, event("s3:PutObject", ROLE, days=2))
    assert used(more).keys() == {"ecs:UpdateService", "s3:PutObject"}


def test_strangers_and_quiet_sweeps_leave_nothing() -> None:
    assert swept(Memory(seen())) == []
    assert swept(Memory(), event("ecs:UpdateService", SESSION)) == []
    assert swept(Memory(seen()), event("ecs:UpdateService", "arn:aws:iam::111122223333:user/maria")) == []
