"""Waivers, `config/waivers.yaml`: approved exceptions, each for some checks, of a stated reach, until a stated moment.

A waiver never changes an outcome. It says that somebody other than who asked for it knows of the failure and has
accepted it for a time. Git and its review are the approval; this file is what they approved.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo, field_validator

from monitor.expected.controls import CheckId
from monitor.expected.document import Document
from monitor.expected.fields import Id, Moment, Text, shown
from monitor.expected.load import read, validated
from monitor.expected.mistakes import Mistake, did_you_mean, raised
from monitor.expected.patterns import LONGEST, MOST_WILDCARDS, STOPS
from monitor.expected.reach import within, within_repository
from monitor.expected.repositories import RepositoryPattern
from monitor.model import Expectation, Outcome, Result, Severity

FILE = "waivers.yaml"
MAX_DAYS = 90
"""Days that a waiver may last when the settings do not say."""
KINDS = ("subjects", "scopes", "repositories", "identities")
"""The ways to say what a waiver reaches: each has one of them."""
NEVER = frozenset({"waiver-governance"})
"""Checks that cannot be waived: a waiver that excuses the rules of waivers would last for ever."""

_WAIVED = frozenset((Outcome.FAIL, Outcome.UNKNOWN))


@dataclass(frozen=True)
class Terms:
    """What the file alone cannot tell: days that a waiver may last, and the checks there are (None: not looked up)."""

    max_days: int = MAX_DAYS
    checks: Collection[str] | None = None


def _reach_mistake(text: str) -> str:
    if not text or len(text) > LONGEST:
        return f"has {len(text)} characters; a pattern has 1 to {LONGEST}"
    if text != text.strip() or not text.isprintable():
        return "begins or ends with a blank, or holds a character that cannot be shown; remove it"
    if sum(map(text.count, "*?")) > MOST_WILDCARDS:
        return f"has more than {MOST_WILDCARDS} wildcards; nobody can tell what it covers: write several patterns"
    if set(text) <= set("*?") | set(STOPS):
        return "covers whatever comes; write what is meant, at least the start of it"
    return ""


def _reaching(text: str) -> str:
    if wrong := _reach_mistake(text):
        raise ValueError(f"{shown(text)} {wrong}")
    return text


def _person(text: str) -> str:
    # Two names that look alike must not pass for two people.
    if any(unicodedata.category(letter) in ("Cc", "Cf", "Co", "Cn", "Zl", "Zp") for letter in text):
        raise ValueError(f"{shown(text)} holds a character that cannot be seen; remove it")
    return text


def same_person(left: str, right: str) -> bool:
    """Return whether two names are one, whatever their case, width, blanks and a leading @."""
    return _folded(left) == _folded(right)


def _folded(name: str) -> str:
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join(text.split()).removeprefix("@").strip()


Reach = Annotated[str, AfterValidator(_reaching), Field(json_schema_extra={"minLength": 1, "maxLength": LONGEST})]
"""An anchored pattern of subjects, scopes or identities."""
Person = Annotated[Text, AfterValidator(_person)]


class Waiver(Expectation):
    """One approved exception: for these checks, within this reach, from then (counts) until then (no longer counts)."""

    model_config = ConfigDict(populate_by_name=True)

    id: Id = Field(description="Its name in your records, as W-2026-007; findings and evidence name it")
    checks: tuple[CheckId, ...] = Field(min_length=1, description="Ids of the checks whose failures it covers")
    subjects: tuple[Reach, ...] = Field(
        default=(), description="Patterns of whole subjects; '*' never crosses ':' or '/'. Or scopes, or …: one of them"
    )
    scopes: tuple[Reach, ...] = Field(
        default=(), description="Patterns of scopes, as aws:111122223333; what lies within a scope is covered too"
    )
    repositories: tuple[RepositoryPattern, ...] = Field(
        default=(), description="Patterns of repositories, as example-org/payments or example-org/legacy-*"
    )
    identities: tuple[Reach, ...] = Field(
        default=(), description="Patterns of identities, whole: the ARN or e-mail that acted, or that was judged"
    )
    severity_at_most: Severity | None = Field(
        default=None, description="Failures that are more severe than this are not covered"
    )
    reason: Text = Field(description="Why the failure is accepted for the time")
    ticket: Text = Field(description="The ticket in which it was asked for and approved")
    requester: Person = Field(description="Who asked for it")
    approver: Person = Field(description="Who approved it: somebody else")
    from_: Moment = Field(alias="from", description="From when it counts, with its zone, as 2026-03-14T00:00:00Z")
    until: Moment = Field(description="Until when it counts; the moment itself no longer does")

    @field_validator("checks")
    @classmethod
    def _known(cls, checks: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        known = info.context.checks if isinstance(info.context, Terms) else None
        for check in checks:
            if check in NEVER:
                raise ValueError(f"{shown(check)} cannot be waived; mend the waiver that it speaks of")
            if known is not None and check not in known:
                raise ValueError(f"there is no check {shown(check)}{did_you_mean(check, known)}")
        return checks

    @field_validator("approver")
    @classmethod
    def _somebody_else(cls, approver: str, info: ValidationInfo) -> str:
        requester = info.data.get("requester")
        if requester is not None and same_person(requester, approver):
            raise ValueError(f"{shown(approver)} is the requester too; somebody else must approve")
        return approver

    @field_validator("until")
    @classmethod
    def _for_a_time(cls, until: datetime, info: ValidationInfo) -> datetime:
        start = info.data.get("from_")
        if start is None:
            return until
        if until <= start:
            raise ValueError(f"{until.isoformat()} is not after 'from' ({start.isoformat()}); write the later moment")
        longest = info.context.max_days if isinstance(info.context, Terms) else MAX_DAYS
        if until - start > timedelta(days=longest):
            days = -((start - until) // timedelta(days=1))
            raise ValueError(
                f"{until.isoformat()} is {days} days after 'from'; a waiver lasts at most {longest}: write "
                f"{_later(start, longest)} or sooner, and renew it then"
            )
        return until

    @property
    def kind(self) -> str:
        """Return which of the ways its reach is written in."""
        return next((kind for kind in KINDS if getattr(self, kind)), "")

    @property
    def patterns(self) -> tuple[str, ...]:
        """Return the patterns of its reach."""
        found: tuple[str, ...] = getattr(self, self.kind) if self.kind else ()
        return found

    def in_force(self, at: datetime) -> bool:
        """Return whether it counts at a moment (UTC): from <= at < until."""
        return self.from_ <= at < self.until

    def reaches(self, result: Result) -> bool:
        """Return whether it is meant for this failure or unknown, whenever it is."""
        if result.outcome not in _WAIVED or result.check not in self.checks:
            return False
        if self.severity_at_most is not None and _rank(result.severity) < _rank(self.severity_at_most):
            return False
        return any(_fits(self.kind, pattern, result) for pattern in self.patterns)


class WaiverFile(Expectation):
    """The waivers of an organisation."""

    waivers: tuple[Waiver, ...] = Field(default=(), description="Approved exceptions, each until a stated moment")


@dataclass(frozen=True)
class Waivers:
    """All waivers, in the order of the file. `sha256` (hex) is of its bytes; empty if there is no file."""

    all: tuple[Waiver, ...] = ()
    sha256: str = ""

    def __iter__(self) -> Iterator[Waiver]:
        return iter(self.all)

    def get(self, waiver: str) -> Waiver | None:
        """Return the waiver with this id, or None."""
        return next((one for one in self.all if one.id == waiver), None)

    def covering(self, result: Result, at: datetime) -> Waiver | None:
        """Return the waiver that covers a failure or unknown at a moment (UTC): the first of the file, or None."""
        return next((one for one in self.all if one.in_force(at) and one.reaches(result)), None)


def examine_waivers(path: Path, terms: Terms) -> tuple[Waivers | None, str, tuple[Mistake, ...]]:
    """Return the waivers of a file, the SHA-256 (hex) of its bytes, and what is wrong with it."""
    if not path.exists() and not path.is_symlink():
        return Waivers(), "", ()
    file = read(path, path.name)
    found, mistakes = validated(WaiverFile, file.document, terms)
    mistakes = (*mistakes, *_between(file.document)) if file.document.sound else mistakes
    if mistakes or not isinstance(found, WaiverFile):
        return None, file.sha256, mistakes
    return Waivers(found.waivers, file.sha256), file.sha256, ()


def load_waivers(folder: Path, max_days: int = MAX_DAYS, checks: Collection[str] | None = None) -> Waivers:
    """Return the waivers in `waivers.yaml` of the configuration's folder; none if there is no file.

    Raises ConfigError with every mistake. `checks` are the ids of those there are.
    """
    waivers, _, mistakes = examine_waivers(folder / FILE, Terms(max_days, checks))
    if waivers is None:
        raise raised(mistakes, folder)
    return waivers


def _between(document: Document) -> Iterator[Mistake]:
    """Yield what is wrong between the keys and entries of a file, whatever else is wrong in them."""
    data = document.data
    entries = data.get("waivers") if isinstance(data, dict) else None
    first: dict[str, int] = {}
    for number, entry in enumerate(entries if isinstance(entries, list) else ()):
        if not isinstance(entry, dict):
            continue
        path = ("waivers", number)
        given = [kind for kind in KINDS if entry.get(kind) not in (None, [])]
        if len(given) != 1:
            told = f"has {' and '.join(given)}; write one of them, and a second waiver for the other"
            missing = f"does not say what it covers; write one of {', '.join(KINDS)}"
            yield Mistake(document.name, document.line(path), path, told if given else missing)
        name = entry.get("id")
        if isinstance(name, str):
            line = document.line((*path, "id"))
            if name.casefold() in first:
                message = f"{shown(name)} is given before, in line {first[name.casefold()]}; each needs its own"
                yield Mistake(document.name, line, (*path, "id"), message)
            first.setdefault(name.casefold(), line)


def _fits(kind: str, pattern: str, result: Result) -> bool:
    if kind == "repositories":
        return within_repository(pattern, result.scope)
    if kind == "scopes":
        return within(pattern, result.scope)
    texts: Iterable[str] = (result.subject,)
    if kind == "identities":
        named = result.observed.get("identity")
        texts = (text for text in (result.actor, named) if isinstance(text, str) and text)
    return any(within(pattern, text, whole=True) for text in texts)


def _rank(severity: Severity) -> int:
    return tuple(Severity).index(severity)


def _later(start: datetime, days: int) -> str:
    try:
        return (start + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
    except OverflowError:
        return "a moment within the calendar"
