"""The section `alerts` of the settings: who is told of what, when not, and by what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, time, timedelta, tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from monitor.alerts.links import PLACEHOLDER, SHAPES
from monitor.alerts.notes import Target
from monitor.alerts.rules import AlertRules, Quiet, Route
from monitor.expected.fields import Text, shown
from monitor.model import Severity
from monitor.settings.alert_sinks import SlackSettings, SmtpSettings, WebhookSettings
from monitor.settings.section import Section

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TARGET_RIGHT = "write slack:C0123456789, webhook:NAME or smtp:oncall@example.com; `slack` alone is its default channel"


def _target(text: str) -> str:
    if text != "slack" and not re.fullmatch(r"(slack|webhook|smtp):[!-~]{1,320}", text, re.ASCII):
        raise ValueError(f"{shown(text)} is no target; {_TARGET_RIGHT}")
    return text


def _time(value: object) -> object:
    # YAML 1.1 reads 22:00 without quotes as a number to the base of 60: https://yaml.org/type/int.html
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 24 * 60:
        return time(value // 60, value % 60)
    if isinstance(value, time):
        return value
    if not isinstance(value, str) or not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value, re.ASCII):
        raise ValueError(f"{shown(value)} is no time of the day; write it in quotes, as '22:00'")
    return time.fromisoformat(value)


def _zone(text: str) -> str:
    zone_of(text)
    return text


def zone_of(name: str) -> tzinfo:
    """Return the zone of a name. Raises ValueError if this machine knows none of it."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{shown(name)} is no zone known here; write it as Europe/Berlin, or UTC") from error


def _template(text: str) -> str:
    if not re.fullmatch(r"https?://[!-~]{3,2000}", text, re.ASCII):
        raise ValueError(f"{shown(text)} is no address; write https://host/path/{{finding}}")
    unknown = [name for name in PLACEHOLDER.findall(text) if name not in SHAPES]
    if unknown or set("{}") & set(PLACEHOLDER.sub("", text)):
        known = ", ".join(f"{{{name}}}" for name in SHAPES)
        raise ValueError(f"{shown(text)} has a placeholder that is not known; there are {known}")
    return text


def _several(value: object) -> object:
    return [value] if isinstance(value, str) else value


TargetName = Annotated[str, AfterValidator(_target)]
"""A sink, and a place of it: `slack:C0123456789`."""
DayTime = Annotated[time, BeforeValidator(_time, json_schema_input_type=str)]
ZoneName = Annotated[str, AfterValidator(_zone)]
Template = Annotated[str, AfterValidator(_template)]
Templates = Annotated[tuple[Template, ...], BeforeValidator(_several, json_schema_input_type=str | list[str])]


class RouteSettings(Section):
    """Which findings go where. All that is given must match; of a list one pattern. `*` does not cross a `/`, `**` does."""

    to: tuple[TargetName, ...] = Field(min_length=1, description="Targets, as slack:C0123456789")
    at_least: Severity | None = Field(default=None, description="This severity, or a more urgent one")
    owners: tuple[Text, ...] = Field(default=(), description="Patterns of owners")
    checks: tuple[Text, ...] = Field(default=(), description="Patterns of checks' ids")
    repositories: tuple[Text, ...] = Field(
        default=(), description="Patterns of repositories, as example-org/payments-*"
    )
    accounts: tuple[Text, ...] = Field(default=(), description="Account numbers, project ids, organisations")
    scopes: tuple[Text, ...] = Field(default=(), description="Patterns of scopes, as aws:111122223333:*")
    also: bool = Field(default=False, description="Whether the routes below are asked too")
    burst: int | None = Field(
        default=None, strict=True, ge=0, le=1000, description="`burst.more_than` for these targets; 0: never a digest"
    )


class QuietSettings(Section):
    """When only what is critical is told. The clock on the wall counts, on the nights when it changes too."""

    start: DayTime = Field(default=time(22), alias="from", description="Time of the day, in quotes: '22:00'")
    until: DayTime = Field(default=time(7), description="Time of the day, in quotes: '07:00'")
    zone: ZoneName = Field(default="UTC", description="Zone of these times, as Europe/Berlin")
    days: tuple[Annotated[str, Field(pattern="^(mon|tue|wed|thu|fri|sat|sun)$")], ...] = Field(
        default=(), max_length=6, description="Days that are quiet as a whole, as [sat, sun]"
    )


class BurstSettings(Section):
    """When many findings become one message."""

    more_than: int = Field(
        default=10, strict=True, ge=0, le=1000, description="New findings of a sweep to one target; 0: never"
    )
    listed: int = Field(default=20, strict=True, ge=1, le=100, description="Findings that a digest names")
    critical: int = Field(
        default=50, strict=True, ge=0, le=1000, description="Critical ones that are told one by one besides, at most"
    )


class SummarySettings(Section):
    """The summary, told once a day by the first sweep after a time of the day."""

    at: DayTime = Field(default=time(6), description="Time of the day, in quotes: '06:00'")
    zone: ZoneName = Field(default="UTC", description="Zone of that time")
    to: tuple[TargetName, ...] = Field(default=(), description="Targets; without, those of the last route")


class LinkSettings(Section):
    """Addresses, with placeholders. Several may be given for one link: the first that can be filled is shown."""

    finding: Templates = Field(default=(), description="As https://monitor.example.com/findings/{finding}")
    commit: Templates = Field(default=(), description="As https://github.com/{repository}/commit/{commit}")
    run: Templates = Field(default=(), description="As https://github.com/{repository}/actions/runs/{run}")
    repository: Templates = Field(default=(), description="As https://github.com/{repository}")
    console: Templates = Field(
        default=(),
        description="As https://{region}.console.aws.amazon.com/cloudtrailv2/home?region={region}#/events/{event}",
    )


class AlertSettings(Section):
    """Alerts: routes, quiet hours, bursts, the summary, links, and what delivers them."""

    routes: tuple[RouteSettings, ...] = Field(
        min_length=1, description="Asked in order; the first that matches decides"
    )
    operations: tuple[TargetName, ...] = Field(
        default=(), description="Who is told of the monitor itself: slots overdue, targets gone, waivers that end"
    )
    fallback: TargetName | None = Field(
        default=None, description="Where a message goes whose target refuses it for good"
    )
    quiet: QuietSettings | None = Field(default=None, description="When only what is critical is told")
    burst: BurstSettings = Field(default=BurstSettings(), description="When many findings become one message")
    summary: SummarySettings | None = Field(default=SummarySettings(), description="The daily summary; null: none")
    links: LinkSettings = Field(default=LinkSettings(), description="Where alerts lead to")
    give_up_hours: int = Field(
        default=24,
        strict=True,
        ge=1,
        le=720,
        description="Hours that a message is tried before it is given up, and told",
    )
    stale_days: int = Field(
        default=7, strict=True, ge=1, le=90, description="Sweeps recorded so many days late (after a loss) tell nothing"
    )
    waiver_warnings: tuple[Annotated[int, Field(strict=True, ge=1, le=90)], ...] = Field(
        default=(14, 3), description="Days before its end that a waiver is told"
    )
    slack: SlackSettings | None = Field(default=None, description="How Slack is reached")
    webhook: WebhookSettings | None = Field(default=None, description="Webhooks")
    smtp: SmtpSettings | None = Field(default=None, description="The server that takes e-mail")

    @model_validator(mode="after")
    def _reachable(self) -> AlertSettings:
        for place, text in self._named():
            self._resolved(text, place)
        return self

    def target(self, text: str) -> Target:
        """Return the target that a name stands for. Raises ValueError if it is none, or its sink is not set up."""
        return self._resolved(_target(text), "target")

    def rules(self) -> AlertRules:
        """Return the rules that these settings are."""
        quiet, summary = self.quiet, self.summary
        return AlertRules(
            routes=tuple(self._route(route) for route in self.routes),
            operations=self._targets(self.operations),
            summary=self._targets(summary.to if summary else ()),
            quiet=Quiet(
                start=quiet.start,
                end=quiet.until,
                zone=zone_of(quiet.zone),
                days=tuple(_WEEKDAYS.index(day) for day in quiet.days),
            )
            if quiet
            else None,
            burst=self.burst.more_than,
            listed=self.burst.listed,
            heads=self.burst.critical,
            summary_at=summary.at if summary else None,
            zone=zone_of(summary.zone) if summary else UTC,
            stale=timedelta(days=self.stale_days),
            warnings=self.waiver_warnings,
        )

    def fallbacks(self) -> dict[str, Target]:
        """Return, by sink, where a message goes that its target refuses for good."""
        general = self.target(self.fallback) if self.fallback else None
        found = {sink: general for sink in ("slack", "webhook", "smtp") if general}
        if self.slack and self.slack.fallback_channel:
            found["slack"] = Target("slack", self.slack.fallback_channel)
        return found

    def templates(self) -> dict[str, tuple[str, ...]]:
        """Return the templates of links by name."""
        return {name: getattr(self.links, name) for name in LinkSettings.model_fields}

    def _route(self, route: RouteSettings) -> Route:
        names = ("at_least", "owners", "checks", "repositories", "accounts", "scopes", "also", "burst")
        return Route(to=self._targets(route.to), **{name: getattr(route, name) for name in names})

    def _targets(self, names: tuple[str, ...]) -> tuple[Target, ...]:
        return tuple(self.target(name) for name in names)

    def _named(self) -> Iterator[tuple[str, str]]:
        for number, route in enumerate(self.routes):
            yield from ((f"routes[{number}]", text) for text in route.to)
        yield from (("operations", text) for text in self.operations)
        yield from (("summary", text) for text in (self.summary.to if self.summary else ()))
        if self.fallback:
            yield "fallback", self.fallback

    def _resolved(self, text: str, place: str) -> Target:
        sink, _, name = text.partition(":")
        set_up = {"slack": self.slack, "webhook": self.webhook, "smtp": self.smtp}[sink]
        if set_up is None:
            raise ValueError(f"{place} names {shown(text)}, and there is no '{sink}:' section in 'alerts'; add it")
        if sink == "slack":
            name = name or (self.slack.default_channel or "" if self.slack else "")
            if not re.fullmatch(r"[CGD][A-Z0-9]{6,30}", name, re.ASCII):
                raise ValueError(
                    f"{place}: {shown(text)} has no channel's id; write slack:C0123456789, or default_channel"
                )
        elif sink == "webhook" and self.webhook and name not in self.webhook.endpoints:
            raise ValueError(f"{place}: there is no webhook {shown(name)} in alerts.webhook.endpoints")
        elif sink == "smtp" and "@" not in name:
            raise ValueError(f"{place}: {shown(name)} is no e-mail address; write smtp:oncall@example.com")
        return Target(sink, name)
