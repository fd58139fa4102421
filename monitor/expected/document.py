"""One YAML file of the configuration, as plain data that knows the line of every key. Pure: bytes in, document out.

A small, safe part of YAML is read: mappings, lists and scalars. Anchors, aliases and tags are refused, since nothing
here needs them and they are how a small file grows to gigabytes or makes objects. Scalars follow YAML 1.2 (`yes` and
`on` are text, times are text), except that a number with a leading zero is refused: many readers take it as octal.
Reading goes on after a mistake as far as it can, so that all mistakes of a file are reported together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import yaml

from monitor.expected.fields import shown
from monitor.expected.mistakes import Misread, Mistake, Path

LARGEST = 1_000_000
"""Bytes that a file may have."""
DEEPEST = 50
"""Levels of nesting that a file may have."""

_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+")
_FRACTION = re.compile(r"[-+]?[0-9]{1,18}\.[0-9]{1,18}")
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
# Characters that YAML forbids, and those that make text read differently from what it says (bidirectional controls):
# https://yaml.org/spec/1.2.2/#51-character-set and https://trojansource.codes
_FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u202a-\u202e\u2066-\u2069\ufeff]"
)


@dataclass(frozen=True)
class Document:
    """What a file says. `lines` count from 1; `mistakes` are YAML's own; `sound`: the file was read to its end."""

    name: str
    data: object = None
    lines: Mapping[Path, int] = field(default_factory=dict)
    mistakes: tuple[Mistake, ...] = ()
    sound: bool = True

    def line(self, path: Path) -> int:
        """Return the line of the key or item at the path, or of the nearest thing around it; 0 when there is none."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)


def parse(content: bytes, name: str) -> Document:
    """Return the document in the bytes. Raises nothing: what is wrong is in its mistakes."""
    try:
        text = _decoded(content)
    except _Refused as refused:
        return Document(name, mistakes=(Mistake(name, refused.line, (), refused.message),), sound=False)
    reading = _Reading(name)
    try:
        reading.take(yaml.parse(text, Loader=yaml.SafeLoader))
    except _Refused as refused:
        reading.refuse(refused)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reading.refuse(_Refused(_explained(error), mark.line + 1 if mark else 0))
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # PyYAML lets these two through for an escape such as "\UFFFFFFFF" and a version such as 1.(a thousand digits).
        reading.refuse(_Refused(f"is not YAML: {shown(str(error))}", reading.last))
    return Document(name, reading.root, reading.lines, tuple(reading.mistakes), reading.sound)


class _Refused(Exception):
    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


def _decoded(content: bytes) -> str:
    if len(content) > LARGEST:
        raise _Refused(f"is larger than {LARGEST:,} bytes; split it into several files", 0)
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise _Refused("is UTF-16; save it as UTF-8", 1)
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _Refused(f"is not UTF-8 (byte 0x{content[error.start]:02x}); save it as UTF-8", line) from error
    if found := _FORBIDDEN.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise _Refused(f"holds the character U+{ord(found[0]):04X}, which cannot be seen; remove it", line)
    return text


def _explained(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or error.context or "cannot be read"
    if "'\\t'" in problem:
        return "is not YAML: a tab indents the line; use spaces"
    if "mapping values are not allowed" in problem:
        return "is not YAML: a second ': ' in one line; put the text in quotes, or mend the indentation"
    return f"is not YAML: {shown(problem)}; mind indentation, quotes and brackets"


@dataclass
class _Open:
    """A list or a mapping that is being read. `key` is the key whose value comes next."""

    path: Path
    value: list[object] | dict[str, object]
    key: str | None = None
    skip: bool = False


class _Reading:
    def __init__(self, name: str) -> None:
        self.name = name
        self.root: object = None
        self.lines: dict[Path, int] = {}
        self.mistakes: list[Mistake] = []
        self.sound = True
        self.last = 1
        self._open: list[_Open] = []
        self._begun = False

    def refuse(self, refused: _Refused) -> None:
        self.sound = False
        self._say(refused.line, (), refused.message)

    def take(self, events: Iterator[yaml.Event]) -> None:
        for event in events:
            self.last = event.start_mark.line + 1 if event.start_mark else self.last
            if isinstance(event, yaml.DocumentStartEvent):
                if self._begun:
                    raise _Refused("holds a second document ('---'); use one file for each", self.last)
                self._begun = True
            elif isinstance(event, yaml.NodeEvent):
                self._node(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._open.pop()

    def _node(self, event: yaml.NodeEvent) -> None:
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _Refused("has an anchor or an alias ('&' or '*'); write it out, or put the text in quotes", self.last)
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise _Refused(f"has the tag {shown(tag)}; remove it", self.last)
        around = self._open[-1] if self._open else None
        if around is not None and isinstance(around.value, dict) and around.key is None:
            self._key(around, event)
            return
        path = self._place(around)
        if isinstance(event, yaml.ScalarEvent):
            self._put(around, self._scalar(event, path))
            return
        value: list[object] | dict[str, object] = {} if isinstance(event, yaml.MappingStartEvent) else []
        if len(self._open) >= DEEPEST:
            raise _Refused(f"nests deeper than {DEEPEST} levels", self.last)
        self._put(around, value)
        self._open.append(_Open(path, value))

    def _key(self, around: _Open, event: yaml.NodeEvent) -> None:
        if not isinstance(event, yaml.ScalarEvent):
            raise _Refused("has a list or a mapping where a key should be; put a text in braces into quotes", self.last)
        around.key = self._whole(event.value)
        path = (*around.path, event.value)
        around.skip = event.value in around.value
        if around.skip:
            self._say(self.last, path, f"is given twice, first in line {self.lines.get(path, 0)}; keep one")
        else:
            self.lines[path] = self.last

    def _place(self, around: _Open | None) -> Path:
        if around is None:
            return ()
        if isinstance(around.value, dict):
            # The values of a repeated key must not lend their lines to those of the first.
            return (*around.path, f"{around.key} (again)" if around.skip else str(around.key))
        path = (*around.path, len(around.value))
        self.lines[path] = self.last
        return path

    def _put(self, around: _Open | None, value: object) -> None:
        if around is None:
            self.root = value
        elif isinstance(around.value, list):
            around.value.append(value)
        else:
            if not around.skip:
                around.value[str(around.key)] = value
            around.key = None

    def _scalar(self, event: yaml.ScalarEvent, path: Path) -> object:
        text: str = event.value
        if event.style is not None:
            return self._whole(text)
        if text in _NULL:
            return None
        if text in _TRUTH:
            return _TRUTH[text]
        if _LEADING_ZERO.fullmatch(text):
            right = text.lstrip("+-").lstrip("0_") or "0"
            self._say(
                self.last,
                path,
                f'{shown(text)[1:-1]} begins with 0: YAML may read it as octal or lose the zero; quote it, as "{text}"'
                f", or, if it is a number, write {right}",
            )
            return Misread(text)
        if _INTEGER.fullmatch(text):
            return int(text)
        return float(text) if _FRACTION.fullmatch(text) else text

    def _whole(self, text: str) -> str:
        # PyYAML makes half a character of an escape such as "\uD800", which no file or terminal takes.
        if any("\ud800" <= c <= "\udfff" for c in text):
            raise _Refused("has an escape that stands for no character; remove it", self.last)
        return text

    def _say(self, line: int, path: Path, message: str) -> None:
        self.mistakes.append(Mistake(self.name, line, path, message))
