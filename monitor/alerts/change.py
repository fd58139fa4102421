"""What a recorded sweep hands to the plan of alerts. Pure records; times are UTC."""

from __future__ import annotations

from datetime import datetime

import msgspec

from monitor.alerts.notes import FindingView, Target
from monitor.alerts.words import Step
from monitor.model import Severity


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """What a finding was before the sweep."""

    severity: Severity
    reason: str = ""
    waiver: str = ""


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """What a sweep did to a finding, and where it was told of by itself before (and may be followed up)."""

    step: Step
    finding: FindingView
    before: Earlier | None = None
    told: tuple[Target, ...] = ()


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A scope that a source could not read whole: why, and what to grant or mend."""

    scope: str
    source: str
    status: str
    reason: str = ""
    grant: str = ""


class WaiverEnd(msgspec.Struct, frozen=True, kw_only=True):
    """A waiver that ends, and who may act on it."""

    id: str
    until: datetime
    owner: str = ""
    reason: str = ""


class Previous(msgspec.Struct, frozen=True, kw_only=True):
    """What the last summary told, and when: the findings that were open then, by severity."""

    at: datetime
    open: dict[str, int] = {}


class Unseen(msgspec.Struct, frozen=True, kw_only=True):
    """A finding about what nobody could look at, and since when."""

    id: str
    check: str
    subject: str
    since: datetime


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where everything stands, for a summary. `steps` counts what sweeps did since the previous one, by step."""

    open: dict[str, int] = {}
    waived: int = 0
    previous: Previous | None = None
    steps: dict[str, int] = {}
    unknown: tuple[Unseen, ...] = ()
    given_up: int = 0


class SweepChange(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded sweep. `at` is its reading of the clock, `recorded_at` when it is recorded: much later after a loss.

    `reads` counts the scopes that were to be read, of which `gaps` were not read whole. `summary` is the time of summary
    that this sweep is the first to pass, and None if it tells none.
    """

    sweep: str
    at: datetime
    recorded_at: datetime
    moves: tuple[Move, ...] = ()
    reads: int = 0
    gaps: tuple[Gap, ...] = ()
    waivers: tuple[WaiverEnd, ...] = ()
    summary: datetime | None = None
    standing: Standing = Standing()
