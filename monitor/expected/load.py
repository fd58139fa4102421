"""Reads expected state from its folder, and reports every mistake of all files at once, with file and line.

The only file of this room that reads from disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path as FolderPath
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from monitor.errors import ConfigError
from monitor.expected import crosscheck
from monitor.expected.document import LARGEST, Document, parse
from monitor.expected.mistakes import Mistake, Path, did_you_mean, raised, translated
from monitor.expected.models import Sections
from monitor.model import Expectation

Place = Callable[[Path], tuple[str, int]]
"""Gives the file and the line of a path."""

E = TypeVar("E", bound=Expectation)


@dataclass(frozen=True)
class FileRead:
    """One file of the configuration: its name, the SHA-256 (hex) of its bytes, and what it says."""

    name: str
    sha256: str
    document: Document


@dataclass(frozen=True)
class ExpectedState:
    """What should be, validated as a whole. `files` maps the name of each file to the SHA-256 (hex) of its bytes."""

    sections: Sections
    files: Mapping[str, str]
    warnings: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """Return the hex digest over names and bytes, as `LC_ALL=C sha256sum expected/*.yaml | sha256sum` prints it."""
        return digest(self.files)

    def section(self, name: str) -> Any:
        """Return one section; raises ConfigError when there is no section of this name."""
        if name not in Sections.model_fields:
            raise ConfigError(
                f"'{name}' is no section of expected state{did_you_mean(name, Sections.model_fields)}",
                todo="name the check's expectations after sections of expected state",
            )
        return getattr(self.sections, name)

    def build(self, cls: type[E]) -> E:
        """Return a check's expectations, its fields filled from the sections of the same names.

        Raises ConfigError when a field names no section or is not of the section's type.
        """
        values = {name: self.section(name) for name in cls.model_fields}
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ConfigError(
                f"{cls.__name__} does not take the sections as they are: {error}",
                todo="give the fields of the check's expectations the types of monitor.expected.models",
            ) from error


def digest(files: Mapping[str, str]) -> str:
    """Return the hex digest over files (name to SHA-256), as `sha256sum FILES | sha256sum` makes it."""
    lines = "".join(
        f"{files[name]}  {name}\n" for name in sorted(files, key=lambda n: n.encode("utf-8", "surrogateescape"))
    )
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


def load(folder: FolderPath) -> ExpectedState:
    """Return the expected state in a folder's `*.yaml`; raises ConfigError that lists every mistake."""
    state, mistakes = examine(folder)
    if state is None:
        raise raised(mistakes, folder)
    return state


def examine(folder: FolderPath) -> tuple[ExpectedState | None, tuple[Mistake, ...]]:
    """Return the expected state in a folder, or, when anything is wrong, None and every mistake."""
    label = folder.name or folder.resolve().name
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        return None, (Mistake(label, 0, (), _no_folder(folder, error)),)
    mistakes = [m for path in found if (m := _stranger(path, label))]
    reads = [read(path, f"{label}/{path.name}") for path in found if path.suffix == ".yaml" and _wanted(path)]
    home, data, wrong = _merged(reads)
    mistakes += [m for one in reads for m in one.document.mistakes] + wrong

    def place(path: Path) -> tuple[str, int]:
        document = home.get(str(path[0])) if path else None
        return (document.name, document.line(path)) if document else (label, 0)

    values, wrong = _validated(data, place)
    mistakes += wrong
    if all(one.document.sound for one in reads):
        mistakes += [Mistake(*place(path), path, message) for path, message in crosscheck.between(data)]
        if data.get("production") is None and not any(m.path[:1] == ("production",) for m in mistakes):
            message = (
                "no file declares 'production'; write it, with the accounts to watch, as docs/expected-state.md shows"
            )
            mistakes.append(Mistake(label, 0, (), message))
    if mistakes:
        return None, tuple(mistakes)
    sections = Sections(**values)
    warnings = tuple(Mistake(*place(path), path, text).text() for path, text in crosscheck.warnings(sections))
    return ExpectedState(sections, {one.name: one.sha256 for one in reads}, warnings), ()


def read(path: FolderPath, name: str) -> FileRead:
    """Return one YAML file; what is wrong with it is in its document's mistakes. Never blocks on a pipe."""
    try:
        if not path.is_file():
            return _unread(
                name, "is not a file" if path.exists() else "is missing; write it, or copy it from the example"
            )
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        return _unread(name, f"cannot be read ({error.strerror or error})")
    return FileRead(name, hashlib.sha256(content).hexdigest(), parse(content, name))


def validated(model: type[BaseModel], document: Document, context: object = None) -> tuple[Any, tuple[Mistake, ...]]:
    """Return a whole file as this model, or None and what is wrong with it, YAML's own mistakes first."""

    def place(path: Path) -> tuple[str, int]:
        return document.name, document.line(path)

    if not document.sound:
        return None, document.mistakes
    data = document.data if document.data is not None else {}
    try:
        value = model.model_validate(data, context=context)
    except ValidationError as error:
        return None, (*document.mistakes, *translated(error, (), model, place))
    return (None, document.mistakes) if document.mistakes else (value, ())


def _unread(name: str, message: str) -> FileRead:
    return FileRead(name, "", Document(name, mistakes=(Mistake(name, 0, (), message),), sound=False))


def _wanted(path: FolderPath) -> bool:
    return not path.name.startswith(".")


def _stranger(path: FolderPath, folder: str) -> Mistake | None:
    """Return the mistake of a thing that a person would think is read, and is not."""
    if not _wanted(path) or path.suffix == ".yaml":
        return None
    name = f"{folder}/{path.name}"
    if path.suffix.lower() in (".yml", ".yaml", ".json"):
        return Mistake(name, 0, (), f"is not read; name it {path.stem}.yaml, or move it elsewhere")
    if path.is_dir():
        return Mistake(name, 0, (), "is a folder, and folders are not read; move its files up, or move it elsewhere")
    return None


def _no_folder(folder: FolderPath, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"there is no folder {folder}; copy the example's config/expected there and make it yours"
    return f"the folder {folder} cannot be read ({error.strerror or error})"


def _merged(reads: Iterable[FileRead]) -> tuple[dict[str, Document], dict[str, object], list[Mistake]]:
    """Return each section's file, the sections as plain data, and what is wrong at the top of the files."""
    home: dict[str, Document] = {}
    data: dict[str, object] = {}
    wrong: list[Mistake] = []
    for document in (one.document for one in reads):
        if not isinstance(document.data, dict):
            if document.data is not None:
                sections = ", ".join(Sections.model_fields)
                wrong.append(Mistake(document.name, 1, (), f"must begin with a section: {sections}, each with its ':'"))
            continue
        for section, value in document.data.items():
            line = document.line((section,))
            if section not in Sections.model_fields:
                message = f"is no section of expected state{did_you_mean(section, Sections.model_fields)}"
                wrong.append(Mistake(document.name, line, (section,), message))
            elif section in home:
                first = f"{home[section].name}:{home[section].line((section,))}"
                message = f"is given before, in {first}; keep the section in one file"
                wrong.append(Mistake(document.name, line, (section,), message))
            else:
                home[section] = document
                data[section] = value
    return home, {name: value for name, value in data.items() if home[name].sound}, wrong


def _validated(data: Mapping[str, object], place: Place) -> tuple[dict[str, Any], list[Mistake]]:
    """Return the sections as models, and what is wrong in them. Entries are judged singly: none hides another."""
    values: dict[str, Any] = {}
    wrong: list[Mistake] = []
    for name, value in data.items():
        kind = Sections.model_fields[name].annotation
        entry = get_args(kind)[0] if get_args(kind) else None
        if value is None:
            continue
        if entry is None:
            values[name], found = _one(kind, value, (name,), place)
        elif isinstance(value, list):
            several = [_one(entry, item, (name, n), place) for n, item in enumerate(value)]
            values[name], found = tuple(item for item, _ in several), [m for _, found in several for m in found]
        else:
            found = [Mistake(*place((name,)), (name,), "must be a list: begin each entry with '- '")]
        wrong += found
    return values, wrong


def _one(model: Any, value: object, at: Path, place: Place) -> tuple[Any, list[Mistake]]:
    try:
        return model.model_validate(value), []
    except ValidationError as error:
        return None, translated(error, at, model, place)
