"""The section `findings` of the settings: who owns what is found, how long unknown may last, how long waivers may."""

from __future__ import annotations

from pydantic import Field, model_validator

from monitor.expected.controls import CheckId
from monitor.expected.fields import Text
from monitor.expected.reach import account_of_scope, within, within_repository
from monitor.expected.repositories import RepositoryPattern
from monitor.expected.waivers import MAX_DAYS, Reach
from monitor.model import Result, Severity
from monitor.settings.section import Section


class OwnerMatch(Section):
    """What a rule speaks of: all that is given must fit, of each list one entry."""

    checks: tuple[CheckId, ...] = Field(default=(), description="Ids of checks")
    scopes: tuple[Reach, ...] = Field(default=(), description="Patterns of scopes, with all that lies within")
    repositories: tuple[RepositoryPattern, ...] = Field(default=(), description="Patterns of repositories")
    accounts: tuple[Text, ...] = Field(default=(), description="Account numbers or project ids")
    severity: tuple[Severity, ...] = Field(default=(), description="Severities, as [critical, high]")

    def fits(self, result: Result) -> bool:
        """Return whether the result is what the rule speaks of."""
        return (
            (not self.checks or result.check in self.checks)
            and (not self.severity or result.severity in self.severity)
            and (not self.accounts or account_of_scope(result.scope) in self.accounts)
            and (not self.scopes or any(within(one, result.scope) for one in self.scopes))
            and (not self.repositories or any(within_repository(one, result.scope) for one in self.repositories))
        )


class OwnerRule(Section):
    """Who is to act on what a rule speaks of."""

    match: OwnerMatch = Field(default=OwnerMatch(), description="What it speaks of; empty: everything that is left")
    owner: Text = Field(description="A team or a person, as alerts and reports name them")

    def fits(self, result: Result) -> bool:
        """Return whether the result is what the rule speaks of."""
        return self.match.fits(result)


class FindingSettings(Section):
    """Who owns what is found, and how long things may stay as they are."""

    owners: tuple[OwnerRule, ...] = Field(default=(), description="Rules of ownership; the first that fits decides")
    unknown_days: int = Field(
        default=3,
        strict=True,
        ge=1,
        le=90,
        description="Days that a control may stay unknown before monitoring-coverage fails",
    )
    waiver_max_days: int = Field(
        default=MAX_DAYS, strict=True, ge=1, le=366, description="Days that a waiver may last at most"
    )
    waiver_warning_days: int = Field(
        default=14, strict=True, ge=0, le=90, description="Days before its end from which a waiver is told to expire"
    )
    review_days: int = Field(
        default=7, strict=True, ge=1, le=90, description="Days after an emergency within which its review is due"
    )

    @model_validator(mode="after")
    def _reached(self) -> FindingSettings:
        for number, rule in enumerate(self.owners[:-1]):
            if rule.match == OwnerMatch():
                raise ValueError(f"owners[{number}] fits everything, so that no rule after it counts; write it last")
        return self
