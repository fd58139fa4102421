"""The error tree: who must act, and may it be tried again.

MonitorError
├ ConfigError        the operator; exit 2
├ SourceError        the world; ends as unknown and a coverage gap, the sweep goes on
│  ├ Denied          names the permission
│  ├ Throttled       tried again, honouring Retry-After
│  ├ Unavailable     tried again (network, 5xx, timeout)
│  └ Malformed       what came back cannot be read
├ EvidenceError      stops the sweep; exit 4
│  └ IntegrityError  stored evidence is not what it was
├ LedgerError        database or claim lost; exit 4
└ AlertError         never fails a sweep
"""

from __future__ import annotations


class MonitorError(Exception):
    """Something a person can act on: what happened, and what to do next."""

    def __init__(self, what: str, *, todo: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.todo = todo

    def diagnostics(self) -> str:
        """Return what happened and what to do next, for a person at a terminal."""
        return f"{self.what}\n  next: {self.todo}" if self.todo else self.what


class ConfigError(MonitorError):
    """Settings or expected state are wrong; every mistake is listed with file and line."""

    def __init__(self, what: str, *, todo: str = "", problems: tuple[str, ...] = ()) -> None:
        super().__init__(what, todo=todo)
        self.problems = problems

    def diagnostics(self) -> str:
        """Return the headline, every problem on a line of its own, and what to do next."""
        lines = [self.what, *(f"  {p}" for p in self.problems)]
        if self.todo:
            lines.append(f"  next: {self.todo}")
        return "\n".join(lines)


class SourceError(MonitorError):
    """A source could not be read in one scope."""

    def __init__(self, what: str, *, source: str = "", scope: str = "", todo: str = "") -> None:
        super().__init__(what, todo=todo)
        self.source = source
        self.scope = scope


class Denied(SourceError):
    """The source refused; `permission` names what to grant."""

    def __init__(self, what: str, *, permission: str, source: str = "", scope: str = "") -> None:
        super().__init__(what, source=source, scope=scope, todo=f"grant {permission}")
        self.permission = permission


class Throttled(SourceError):
    """The source asked us to slow down, and went on asking."""


class Unavailable(SourceError):
    """The source could not be reached or broke."""


class Malformed(SourceError):
    """What the source answered cannot be read."""


class EvidenceError(MonitorError):
    """Evidence could not be written or read; nothing is shown or alerted before it is sealed."""


class IntegrityError(EvidenceError):
    """Stored evidence is not what was sealed."""


class LedgerError(MonitorError):
    """The database or a claim was lost; the slot stays owed."""


class AlertError(MonitorError):
    """A message could not be delivered; it stays in the outbox."""
