"""Exit codes, the same for every command."""

from __future__ import annotations

from monitor.errors import ConfigError, EvidenceError, LedgerError, MonitorError, SourceError

CLEAN = 0
FINDINGS = 1
USAGE = 2
INCOMPLETE = 3
EVIDENCE = 4


def code_of(error: MonitorError) -> int:
    """Return the exit code for an error that ended a command."""
    if isinstance(error, ConfigError):
        return USAGE
    if isinstance(error, EvidenceError | LedgerError):
        return EVIDENCE
    if isinstance(error, SourceError):
        return INCOMPLETE
    return FINDINGS


def verdict(*, findings: bool, incomplete: bool) -> int:
    """Return the exit code of what was judged: what could not be seen outranks what was found."""
    if incomplete:
        return INCOMPLETE
    return FINDINGS if findings else CLEAN
