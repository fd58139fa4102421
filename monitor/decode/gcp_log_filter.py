"""How much of one log a filter of Cloud Logging lets through: all, some, none, or that it cannot be told. Pure.

https://cloud.google.com/logging/docs/view/logging-query-language: NOT binds most, then OR, then AND, which may be left out;
`-` is NOT; `--` begins a comment; all but the operators and regular expressions is without case; at most 20,000 characters.
Only what concerns the log's name is reckoned with; a comparison of anything else that an entry holds narrows. Where several
such might add up to everything, and where the text is not understood, the answer is UNCLEAR, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from urllib.parse import quote, unquote

LONGEST = 20_000
DEEPEST = 40
ENTRY = "type.googleapis.com/google.cloud.audit.auditlog"
"""The kind of payload of every audit log entry: https://cloud.google.com/logging/docs/audit/understanding-audit-logs"""
_TOKEN = re.compile(
    r"""(?P<blank>\s+|--[^\n]*)
    |(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<operator>>=|<=|!=|=~|!~|[=:<>])
    |(?P<mark>[(),-])
    |(?P<word>[^\s"'()=<>!:,~-](?:[^\s"'()=<>!:,~]|"(?:[^"\\]|\\.)*")*)""",
    re.VERBOSE | re.DOTALL,
)
# What entries hold beside the log's name: https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry
_CONTENT = (
    *("severity", "resource", "protopayload", "jsonpayload", "textpayload", "httprequest", "labels", "timestamp"),
    *("receivetimestamp", "insertid", "operation", "trace", "spanid", "sourcelocation", "errorgroups"),
)


class Extent(StrEnum):
    """How much of a log passes. SOME: not all of it."""

    ALL = "all"
    SOME = "some"
    NONE = "none"
    UNCLEAR = "unclear"


class _NotUnderstood(Exception):
    pass


def extent(text: str, log: str, project: str) -> Extent:
    """Return how much of a project's log, named as `cloudaudit.googleapis.com/activity`, a filter lets through.

    An empty filter lets everything through. Never raises.
    """
    if len(text) > LONGEST:
        return Extent.UNCLEAR
    try:
        tokens = tuple(_tokens(text))
        return _Parser(tokens, log, project).whole() if tokens else Extent.ALL
    except _NotUnderstood:
        return Extent.UNCLEAR


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _NotUnderstood
        at = match.end()
        kind = match.lastgroup or ""
        if kind == "text":
            yield kind, re.sub(r"\\(.)", r"\1", match[0][1:-1], flags=re.DOTALL)
        elif kind != "blank":
            yield kind, match[0]


class _Parser:
    """Reads a filter once, from left to right, and reckons as it goes."""

    def __init__(self, tokens: tuple[tuple[str, str], ...], log: str, project: str) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._log = log.lower()
        self._project = project.lower()
        # https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry: the id in logName is URL-encoded.
        self._name = f"projects/{self._project}/logs/{quote(log, safe='')}".lower()

    def whole(self) -> Extent:
        found = self._all(self._term)
        if self._at < len(self._tokens):
            raise _NotUnderstood
        return found

    def _next(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _take(self, *tokens: tuple[str, str]) -> bool:
        if self._next() not in tokens:
            return False
        self._at += 1
        return True

    def _all(self, term: Callable[[], Extent]) -> Extent:
        """Read what AND joins, written or not."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise _NotUnderstood
        found = self._any(term)
        while self._take(("word", "AND")) or self._next() not in (("end", ""), ("mark", ")"), ("mark", ",")):
            found = _both(found, self._any(term))
        self._depth -= 1
        return found

    def _any(self, term: Callable[[], Extent]) -> Extent:
        found = self._one(term)
        while self._take(("word", "OR")):
            found = _either(found, self._one(term))
        return found

    def _one(self, term: Callable[[], Extent]) -> Extent:
        turned = False
        while self._take(("word", "NOT"), ("mark", "-")):
            turned = not turned
        if self._take(("mark", "(")):
            found = self._all(term)
            if not self._take(("mark", ")")):
                raise _NotUnderstood
        else:
            found = term()
        return _reverse(found) if turned else found

    def _term(self) -> Extent:
        kind, text = self._next()
        if kind not in ("word", "text") or (kind, text) in (("word", "AND"), ("word", "OR")):
            raise _NotUnderstood
        self._at += 1
        if kind == "word" and self._take(("mark", "(")):
            return self._function(text.lower())
        sort, operator = self._next()
        if sort != "operator":
            return Extent.UNCLEAR  # a word to be found anywhere in the entry
        self._at += 1
        field = text.lower().replace("_", "") if text.lower() == "log_name" else text.lower()
        if self._take(("mark", "(")):
            if operator not in ("=", ":"):
                raise _NotUnderstood
            found = self._all(lambda: self._compared(field, operator, self._value()))
            if not self._take(("mark", ")")):
                raise _NotUnderstood
            return found
        return self._compared(field, operator, self._value())

    def _value(self) -> str:
        sign = "-" if self._take(("mark", "-")) else ""
        kind, text = self._next()
        if kind not in ("word", "text"):
            raise _NotUnderstood
        self._at += 1
        return sign + text.lower()

    def _function(self, name: str) -> Extent:
        given: list[str] = []
        while not self._take(("mark", ")")):
            given.append(self._value())
            if not self._take(("mark", ",")) and self._next() != ("mark", ")"):
                raise _NotUnderstood
        if name == "log_id" and len(given) == 1:
            return Extent.ALL if given[0] == self._log else Extent.NONE
        return Extent.SOME if name == "sample" else Extent.UNCLEAR

    def _compared(self, field: str, operator: str, value: str) -> Extent:
        if operator == "!=":
            return _reverse(self._compared(field, "=", value))
        if operator in ("=~", "!~"):
            return Extent.UNCLEAR
        if field == "logname":
            return self._named(operator, value)
        if field == "protopayload.@type" and operator in ("=", ":"):
            return Extent.ALL if value == ENTRY or (operator == ":" and value in ENTRY) else Extent.NONE
        if (field, operator, value) in (("severity", ">=", "default"), ("severity", ">=", "0")):
            return Extent.ALL
        if value in ("", "*") or field.partition(".")[0] not in _CONTENT:
            return Extent.UNCLEAR
        # A sink above may name the very project that is looked at.
        return Extent.UNCLEAR if field == "resource.labels.project_id" and value == self._project else Extent.SOME

    def _named(self, operator: str, value: str) -> Extent:
        if operator not in ("=", ":") or re.search(r"projects/\d", value):
            return Extent.UNCLEAR  # the number may be this project's
        if value == self._name or (operator == ":" and (value == "*" or value in self._name)):
            return Extent.ALL
        plain, name = unquote(value), unquote(self._name)
        # Written without its encoding, it is not told whether it is taken for the log all the same.
        return Extent.UNCLEAR if plain == name or (operator == ":" and plain in name) else Extent.NONE


def _both(one: Extent, other: Extent) -> Extent:
    for found in (Extent.NONE, Extent.SOME, Extent.UNCLEAR):
        if found in (one, other):
            return found
    return Extent.ALL


def _either(one: Extent, other: Extent) -> Extent:
    if Extent.ALL in (one, other):
        return Extent.ALL
    if Extent.NONE in (one, other):
        return other if one is Extent.NONE else one
    return Extent.UNCLEAR


def _reverse(one: Extent) -> Extent:
    return {Extent.ALL: Extent.NONE, Extent.NONE: Extent.ALL}.get(one, one)
