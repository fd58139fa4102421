"""Find the checks: the `checks` package, and other people's under the entry point group `monitor.checks`."""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
from collections.abc import Iterable
from importlib.metadata import entry_points
from pathlib import Path

import checks
from monitor.errors import ConfigError
from monitor.model import Check

GROUP = "monitor.checks"


def discover() -> tuple[Check, ...]:
    """Return every check, sorted by id. Raises ConfigError where a module has no CHECK or an id stands twice."""
    found: dict[str, Check] = {}
    for module in pkgutil.iter_modules(checks.__path__):
        _add(
            found, getattr(importlib.import_module(f"checks.{module.name}"), "CHECK", None), f"checks/{module.name}.py"
        )
    for entry in entry_points(group=GROUP):
        _add(found, entry.load(), f"entry point {entry.name} of {GROUP}")
    return tuple(found[name] for name in sorted(found))


def _add(found: dict[str, Check], check: object, where: str) -> None:
    if not isinstance(check, Check):
        raise ConfigError(f"{where} has no CHECK", todo="end the module with CHECK = Check(…), as the others do")
    if check.id in found:
        raise ConfigError(
            f"{where} declares check {check.id!r}, which is declared already", todo="give it an id of its own"
        )
    found[check.id] = check


def chosen(available: Iterable[Check], ids: Iterable[str]) -> tuple[Check, ...]:
    """Return the checks with these ids, or all if none is asked for. Raises ConfigError for an id that is not known."""
    known = {check.id: check for check in available}
    wanted = list(dict.fromkeys(ids))
    strange = [name for name in wanted if name not in known]
    if strange:
        raise ConfigError(f"no check is called {', '.join(strange)}", todo=f"choose from: {', '.join(known)}")
    return tuple(known[name] for name in wanted) if wanted else tuple(known.values())


def control_statement(check: Check) -> str:
    """Return the text that the auditor reads: the docstring of the check's module."""
    module = importlib.import_module(check.evaluate.__module__)
    return (module.__doc__ or "").strip()


def code_sha256() -> str:
    """Return a digest (hex) over the source of the checks and of everything that judges, so that a change of rule shows."""
    total = hashlib.sha256()
    package = Path(__file__).parent.parent
    folders = [Path(checks.__path__[0]), *(package / room for room in ("decode", "expected", "facts", "iam"))]
    for path in sorted(path for folder in folders for path in folder.rglob("*.py")):
        total.update(f"{path.parent.name}/{path.name}\n".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()
