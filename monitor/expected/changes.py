"""Sections `emergency_changes` and `standard_changes`: what was approved beforehand, or declared in an emergency."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator

from monitor.expected.fields import ActionPattern, Day, Id, Moment, Text
from monitor.expected.identities import Principals
from monitor.expected.patterns import any_matches, compiled
from monitor.expected.repositories import RepositoryPattern
from monitor.model import Expectation


class EmergencyChange(Expectation):
    """A declared emergency: these break-glass identities may write from then to then (UTC, half-open)."""

    model_config = ConfigDict(populate_by_name=True)

    id: Id = Field(description="Its number in your records")
    ticket: Text = Field(description="The ticket that tells what happened")
    approver: Text = Field(description="Who approved it: a role or a person, not the one who made the change")
    identities: tuple[Id, ...] = Field(default=(), description="Ids of break_glass that it allows")
    repositories: tuple[RepositoryPattern, ...] = Field(
        default=(), description="Repositories whose protection may be off meanwhile"
    )
    from_: Moment = Field(alias="from", description="When it began, with its zone, as 2026-03-14T01:00:00Z")
    to: Moment = Field(description="When it ended; the moment itself no longer counts")
    reason: Text = Field(description="What made it an emergency")
    review: Text | None = Field(default=None, description="Where the review that followed it is written, once it is")

    @field_validator("to")
    @classmethod
    def _after_from(cls, to: datetime, info: ValidationInfo) -> datetime:
        start = info.data.get("from_")
        if start is not None and to <= start:
            raise ValueError(f"{to.isoformat()} is not after 'from' ({start.isoformat()}); write the later moment here")
        return to

    @model_validator(mode="after")
    def _of_something(self) -> EmergencyChange:
        if not self.identities and not self.repositories:
            raise ValueError("allows nothing; write identities: (of break_glass), repositories:, or both")
        return self

    def frees(self, repository: str) -> bool:
        """Return whether the protection of this repository (OWNER/NAME) may be off meanwhile."""
        return any(compiled(pattern.lower()).fullmatch(repository.lower()) for pattern in self.repositories)

    def covers(self, moment: datetime) -> bool:
        """Return whether the moment (UTC) lies in the emergency: from <= moment < to."""
        return self.from_ <= moment < self.to

    def names(self, identity: str) -> bool:
        """Return whether it allows the break-glass identity with this id."""
        return identity in self.identities


class StandardChange(Expectation):
    """A pre-approved, low-risk, repeatable change: these actions, by these principals, until its next review."""

    id: Id = Field(description="Its name in the catalogue of standard changes")
    actions: tuple[ActionPattern, ...] = Field(
        min_length=1, description="What it does, as service:Name. '*' is allowed in the name"
    )
    principals: Principals
    runbook: Text = Field(description="Where the steps are written")
    approved_by: Text = Field(description="Who took it into the catalogue")
    review_by: Day = Field(description="Last day on which it counts without being reviewed again, as 2026-12-31")

    def matches(self, principals: Iterable[str]) -> bool:
        """Return whether any of the principals may make this change."""
        return any_matches(self.principals, tuple(principals))

    def allows(self, action: str) -> bool:
        """Return whether this action (`service:Name`) is part of the change."""
        return any_matches(self.actions, (action,))

    def in_date(self, moment: datetime) -> bool:
        """Return whether the moment lies on or before the day (UTC) by which the change must be reviewed."""
        return moment.astimezone(UTC).date() <= self.review_by
