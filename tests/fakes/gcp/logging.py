"""Cloud Logging on the fake: entries:list with its filter, which is parsed and judged, order, pages, and tokens that run out.

https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries/list
https://cloud.google.com/logging/docs/view/logging-query-language
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tests.fakes.gcp.faults import Fault, answer, denied, told

if TYPE_CHECKING:
    from tests.fakes.gcp.server import GcpFake

Entry = dict[str, Any]
Test = Callable[[Entry], bool]
AUDIT = "cloudaudit.googleapis.com"
_TOKEN = re.compile(r'\s*(AND\b|OR\b|[()]|log_id\b|[A-Za-z_.]+|>=|<=|=|<|>|:|"(?:[^"\\]|\\.)*")')
_ARGUMENTS = ("resourceNames", "filter", "orderBy")
_MOMENTS = ("timestamp", "receiveTimestamp")


def entry(project: str, log: str, id: str, at: datetime, *, late: timedelta = timedelta(0), **payload: Any) -> Entry:
    """Return an entry of a project's audit log, received `late` after its own time."""
    return {
        "logName": f"projects/{project}/logs/{AUDIT}%2F{log}",
        "insertId": id,
        "timestamp": stamp(at),
        "receiveTimestamp": stamp(at + late),
        "resource": {"type": "project", "labels": {"project_id": project}},
        "protoPayload": {"@type": "type.googleapis.com/google.cloud.audit.AuditLog", **payload},
    }


def stamp(at: datetime) -> str:
    """Write a moment as the API does, with nanoseconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


def entries(fake: GcpFake, body: bytes) -> Fault:
    asked = json.loads(body)
    names, size = asked.get("resourceNames", ()), asked.get("pageSize", 50)
    if not names or not 0 <= size <= 1000 or asked.get("orderBy") not in ("timestamp asc", "timestamp desc"):
        return told(400, "Request contains an invalid argument.")
    for name in names:
        if refused := fake.refused("logging.logEntries.list", name):
            return refused
        above = name in fake.world.folders or name.startswith("organizations/")
        if name.removeprefix("projects/") not in fake.world.projects and not above:
            return denied("logging.logEntries.list", name)
    try:
        wanted = _Filter(asked.get("filter", "")).whole()
    except (ValueError, IndexError) as wrong:
        return told(400, f"Unparseable filter: {wrong}")
    mark = hashlib.sha256(json.dumps([asked.get(one) for one in _ARGUMENTS]).encode()).hexdigest()[:16]
    start = -fake.hollow
    if token := asked.get("pageToken"):
        match = re.fullmatch(r"(\d+)\.(-?\d+)\.([0-9a-f]{16})", token)
        if not match or int(match[1]) != fake.generation:
            return told(400, "page_token is not valid")
        if match[3] != mark:
            return told(400, "page_token doesn't match arguments from the request")
        start = int(match[2])
    private = not fake.refused("logging.privateLogEntries.list", names[0])
    listed = sorted(
        (
            one
            for one in fake.world.entries
            if one["logName"].partition("/logs/")[0] in names
            and (private or not one["logName"].endswith("data_access"))
            and wanted(one)
        ),
        key=lambda one: (_moment(one["timestamp"]), one["insertId"]),
        reverse=asked["orderBy"].endswith("desc"),
    )
    size = min(size or 50, fake.page or 1000)
    following = start + 1 if start < 0 else start + size
    page: dict[str, Any] = {}
    if start >= 0 and (part := listed[start:following]):
        page["entries"] = part
    if start < 0 or following < len(listed):
        page["nextPageToken"] = f"{fake.generation}.{following}.{mark}"
    return answer(page)


class _Filter:
    """As much of the query language as is used: AND, OR, parentheses, comparisons, lists of values, log_id."""

    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        at = 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if not match:
                raise ValueError(text[at:])
            self.tokens.append(match[1])
            at = match.end()

    def whole(self) -> Test:
        if not self.tokens:
            return lambda one: True
        found = self._all()
        if self.tokens:
            raise ValueError(self.tokens)
        return found

    # OR binds more tightly than AND here: see "Boolean operators" of the query language.
    def _all(self) -> Test:
        tests = [self._any()]
        while self.tokens[:1] == ["AND"]:
            self.tokens.pop(0)
            tests.append(self._any())
        return lambda one: all(test(one) for test in tests)

    def _any(self) -> Test:
        tests = [self._one()]
        while self.tokens[:1] == ["OR"]:
            self.tokens.pop(0)
            tests.append(self._one())
        return lambda one: any(test(one) for test in tests)

    def _one(self) -> Test:
        token = self.tokens.pop(0)
        if token == "(":
            found = self._all()
            self._expect(")")
            return found
        if token == "log_id":
            self._expect("(")
            (id,) = self._value()
            self._expect(")")
            return lambda one: unquote(one["logName"].partition("/logs/")[2]) == id
        sign = self.tokens.pop(0)
        if sign not in _SIGNS:
            raise ValueError(sign)
        if self.tokens[0] == "(":
            self.tokens.pop(0)
            values = self._value()
            while self.tokens[0] == "OR":
                self.tokens.pop(0)
                values += self._value()
            self._expect(")")
        else:
            values = self._value()
        return lambda one: any(_SIGNS[sign](_read(one, token), _typed(token, value)) for value in values)

    def _value(self) -> list[str]:
        token = self.tokens.pop(0)
        if not token.startswith('"'):
            raise ValueError(token)
        return [json.loads(token)]

    def _expect(self, token: str) -> None:
        if (found := self.tokens.pop(0)) != token:
            raise ValueError(found)


_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    ":": lambda a, b: a is not None and str(b).lower() in str(a).lower(),
    "<": lambda a, b: a is not None and a < b,
    ">": lambda a, b: a is not None and a > b,
    "<=": lambda a, b: a is not None and a <= b,
    ">=": lambda a, b: a is not None and a >= b,
}


def _read(one: Entry, path: str) -> Any:
    found: Any = one
    for step in path.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return None if found is None else _typed(path, found)


def _typed(path: str, value: str) -> Any:
    # Strings are compared without regard to case.
    return _moment(value) if path in _MOMENTS else str(value).lower()


def _moment(text: str) -> tuple[datetime, int]:
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z", text)
    if not match:
        raise ValueError(text)
    return datetime.fromisoformat(match[1] + "+00:00"), int((match[2] or "0").ljust(9, "0"))
