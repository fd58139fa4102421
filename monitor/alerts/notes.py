"""What is told (a note), of which finding, and to whom (a message). Pure records, independent of any sink."""

from __future__ import annotations

import hashlib
from datetime import datetime

import msgspec

from monitor.alerts.words import NoteKind
from monitor.model import ChangeClass, Outcome, Severity


class Target(msgspec.Struct, frozen=True, order=True):
    """Where a message goes: a sink (`slack`, `webhook`, `smtp`) and a place of it (channel, endpoint's name, address)."""

    sink: str
    target: str


class FindingView(msgspec.Struct, frozen=True, kw_only=True):
    """A finding as a reader of an alert sees it. Times are UTC; `links` are (label, address). All texts may be hostile.

    `place` is what people call the scope.
    """

    id: str
    check: str
    subject: str
    standing: str
    outcome: Outcome
    severity: Severity
    scope: str = ""
    actor: str = ""
    owner: str = ""
    reason: str = ""
    remedy: str = ""
    controls: tuple[str, ...] = ()
    first_seen: datetime
    last_seen: datetime
    times_seen: int = 1
    waiver: str = ""
    change_class: ChangeClass | None = None
    links: tuple[tuple[str, str], ...] = ()
    place: str = ""

    @property
    def provider(self) -> str:
        """Return the provider that the scope names: `aws`, `gcp`, `github`."""
        return self.scope.partition(":")[0]

    @property
    def account(self) -> str:
        """Return the account, project or organisation that the scope names, or an empty text."""
        return self.scope.partition(":")[2].partition(":")[0].partition("/")[0]

    @property
    def repository(self) -> str:
        """Return the repository, `owner/name`, that the scope names, or an empty text."""
        place = self.scope.partition(":")[2].partition(":")[0]
        return place if "/" in place else ""


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell.

    `key` is what makes it one: the same key to the same target is told once. `lines` are (label, text) and `links`
    (label, address), in the order in which they are shown. `findings` are the ids of all findings that a digest tells of;
    `counts` are the numbers of a summary, by severity. `at` is UTC: as of when it is so.
    """

    kind: NoteKind
    key: str
    at: datetime
    title: str
    severity: Severity = Severity.LOW
    finding: FindingView | None = None
    lines: tuple[tuple[str, str], ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    findings: tuple[str, ...] = ()
    counts: dict[str, int] = {}


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A note on its way to one target. Times are UTC.

    `due` is when it may first go; `next_at` when it is tried next. `attempts` counts the tries so far; with `sending` the
    last of them may have arrived, so that the sink must look before it posts again. One that `follows` says
    something only to who got the finding's first message.
    """

    id: str
    sink: str
    target: str
    kind: NoteKind
    finding_id: str = ""
    created_at: datetime
    next_at: datetime
    due: datetime
    body: Note
    attempts: int = 0
    sending: bool = False
    follows: bool = False
    error: str = ""

    @property
    def to(self) -> Target:
        """Return where it goes."""
        return Target(self.sink, self.target)


def message_id(to: Target, key: str) -> str:
    """Return the id of a note's message to a target: the SHA-256 (hex) of both, the same for ever."""
    parts = (to.sink, to.target, key)
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def message(note: Note, to: Target, due: datetime, *, follows: bool = False) -> Message:
    """Return the message of a note to a target, which may go from then (UTC) on."""
    return Message(
        id=message_id(to, note.key),
        sink=to.sink,
        target=to.target,
        kind=note.kind,
        finding_id=note.finding.id if note.finding else "",
        created_at=note.at,
        next_at=due,
        due=due,
        body=note,
        follows=follows,
    )
