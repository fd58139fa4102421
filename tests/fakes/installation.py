"""An installation of the monitor in a folder: the project's own configuration, pointed at captured material."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from monitor.evidence.history import Manifest, history
from monitor.model import Result
from monitor.store.record import SweepRecord
from monitor.store.store import Store
from monitor.store.views import Finding
from monitor.sweep.run import LEDGER
from tests.fakes.terminal import Ran, monitor

ROOT = Path(__file__).parents[2]
_compiled = tempfile.mkdtemp(prefix="compiled-")
atexit.register(shutil.rmtree, _compiled, ignore_errors=True)


def environment(**more: str) -> dict[str, str]:
    """Return the environment for a process that runs this project's code, which is compiled once for all of them."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": _compiled} | more


LEVELS = ("bytes", "log", "signatures", "consistency", "coverage")


class Judged(NamedTuple):
    """What must be the same however a sweep came about."""

    check: str
    subject: str
    outcome: str


class Installation:
    """A copy of `config/` with state of its own beside it: the audit log of AWS alone, or with `github` all of it.

    Identities are watched where GitHub is: their trust leads there.
    """

    def __init__(self, folder: Path, captured: Path | None = None, *, github: bool = False) -> None:
        self.folder = folder
        self.config = folder / "config"
        shutil.copytree(ROOT / "config", self.config, ignore=shutil.ignore_patterns("captured"))
        if captured:
            (self.config / "captured").mkdir()
            (self.config / "captured" / "aws").symlink_to(captured, target_is_directory=True)
        if github:
            (self.config / "captured").mkdir(exist_ok=True)
            for forge in ("github", "gcp", "gcp-logs"):
                (self.config / "captured" / forge).symlink_to(
                    ROOT / "config/captured" / forge, target_is_directory=True
                )
        else:
            self._without_github()
        self.state = folder / "var"
        self.evidence = self.state / "evidence"
        self.key = self.state / "keys" / "evidence.pem"
        self.database = self.state / "monitor.db"

    def _without_github(self) -> None:
        settings = self.config / "monitor.yaml"
        head, _, rest = settings.read_text().partition("\n# Identities of Google Cloud,")
        settings.write_text(head + "\n" + rest[rest.index("# Processes that read logs.") :])
        production = self.config / "expected/production.yaml"
        production.write_text(production.read_text().partition("\n  # Projects of Google Cloud")[0] + "\n")
        identities = self.config / "expected/identities.yaml"
        text = identities.read_text()
        assert text.count("\nidentities:\n") == 1
        text = text[: text.index("\n  # On Google Cloud:")] + text[text.index("\n# What holds for all of them.") :]
        identities.write_text(text.replace("\nidentities:\n", "\nidentities:\n  watched: false\n"))
        (self.config / "expected/repositories.yaml").unlink()

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Ran:
        """Run a command with this configuration."""
        return monitor(*arguments, "--config", str(self.config), stdin=stdin)

    def sweep(self, *arguments: str) -> Ran:
        """Sweep, and require that it came to its end: 0, 1 or 3."""
        ran = self("sweep", "--format", "json", *arguments)
        assert ran.code in (0, 1, 3), ran
        return ran

    def edit(self, file: str, old: str, new: str) -> int:
        """Replace a text that stands once in a file of the configuration; return its line, from 1."""
        path = self.config / file
        text = path.read_text()
        assert text.count(old) == 1, (file, old, text.count(old))
        path.write_text(text.replace(old, new))
        return text[: text.index(old)].count("\n") + 1

    def manifests(self) -> list[Manifest]:
        """Return the sealed sweeps, oldest first."""
        return list(history(self.evidence))

    def results(self, number: int = -1) -> list[Result]:
        """Return all results of a sealed sweep, the passes too."""
        return [result for result, _, _ in self.manifests()[number].results()]

    def judged(self, number: int = -1) -> list[Judged]:
        """Return what a sealed sweep judged, sorted."""
        return sorted(Judged(r.check, r.subject, r.outcome.value) for r in self.results(number))

    def record(self, number: int = -1) -> SweepRecord:
        """Return what a sealed sweep read."""
        return SweepRecord.decode(self.manifests()[number].attachment(LEDGER))

    def findings(self) -> dict[str, Finding]:
        """Return all findings by id."""
        with self.store() as store:
            return {found.id: found for found in store.findings()}

    def read_keys(self) -> set[str]:
        """Return the keys of all log objects that count as read, at the place that the last sealed sweep read."""
        with self.store() as store:
            return set(store.read_keys(self.record().object_source))

    def store(self) -> Store:
        """Return the database, opened."""
        return Store.open(f"sqlite:///{self.database}")

    def retained(self) -> list[dict[str, Any]]:
        """Return every retained event of every Parquet file that lies there, with its account."""
        return list(retained_in(self.evidence / "events"))

    def verify(self, *arguments: str) -> dict[str, Any]:
        """Return the verdicts of `monitor evidence verify` by level, and require that its exit code agrees with them."""
        ran = self("evidence", "verify", "--format", "json", *arguments)
        levels = {level["name"]: level for level in ran.json}
        assert tuple(levels) == LEVELS
        broken = {name for name, level in levels.items() if level["outcome"] != "pass"}
        assert ran.code == (4 if broken - {"coverage"} else 3 if broken else 0), (ran.code, levels)
        return levels

    def broken(self, *arguments: str) -> set[str]:
        """Return the names of the levels that do not hold."""
        return {name for name, level in self.verify(*arguments).items() if level["outcome"] != "pass"}


def retained_in(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield every retained event below a folder, with its account and day."""
    for path in sorted(folder.rglob("*.parquet")):
        account = path.parent.parent.name.removeprefix("account=")
        for row in pq.ParquetFile(path).read().to_pylist():
            yield {**row, "account": account, "day": path.parent.name.removeprefix("day=")}


class Truth:
    """What is true of the example organisation."""

    def __init__(self, folder: Path) -> None:
        self.cases: list[dict[str, Any]] = json.loads((folder / "truth.json").read_text())

    def of(self, case: str) -> dict[str, Any]:
        """Return the first entry of a case."""
        return next(entry for entry in self.cases if entry["case"] == case)

    @cached_property
    def planted(self) -> list[tuple[str, dict[str, Any]]]:
        """Return (event id, case) of every event that is named."""
        return [(event, case) for case in self.cases for event in case["event_ids"]]
