"""A sweep of the fake GitHub: the real source over HTTP, the real checks, a clock that only sleeping moves, and a memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from monitor.expected.load import load
from monitor.model import Check, Result, Sweep, Window
from monitor.sources.github.client import GitHubConnection, connect
from monitor.sources.github.source import GitHubSource, Watch
from monitor.sources.ports import Collected, Request
from monitor.sweep import registry
from monitor.sweep.evaluate import evaluate
from tests.fakes.github.memory import Nothing
from tests.fakes.github.server import GitHubFake
from tests.fakes.github.world import World
from tests.unit.github_client.forge import Time

ORG = "example-org"
CHECKS = ("branch-protection", "environment-protection", "protection-lapse", "direct-push")
START = datetime(2026, 3, 9, 2, 0, tzinfo=UTC)
"""From when history is owed, where nothing is remembered."""
NIGHT = datetime(2026, 3, 10, 2, 0, tzinfo=UTC)
"""When the first nightly sweep is."""
NEXT = NIGHT + timedelta(days=1)
Results = dict[tuple[str, str], Result]


@dataclass(frozen=True)
class Swept:
    """What one sweep collected, and what the checks said: by check and subject."""

    found: Collected
    results: Results

    def of(self, check: str, of: object = "") -> dict[str, Result]:
        """Return the results of a check by subject: all, or those about a repository (by its id)."""
        start = f"github:repository:{of}" if of else ""
        return {
            subject: result
            for (name, subject), result in self.results.items()
            if name == check and (not of or subject == start or subject.startswith(f"{start}:"))
        }

    def branch(self, of: int, branch: str = "main") -> Result:
        return self.results["branch-protection", f"github:repository:{of}:branch:{branch}"]

    def lapses(self, of: int) -> list[Result]:
        return [one for subject, one in sorted(self.of("protection-lapse", of).items()) if ":lapse@" in subject]

    def outcomes(self) -> dict[tuple[str, str], str]:
        return {key: result.outcome.value for key, result in self.results.items()}

    def incomplete(self) -> dict[str, str]:
        """Return the status of each scope of which not everything was read."""
        return {one.scope: one.status.value for one in self.found.coverage if one.status.value != "complete"}


@cache
def app_key() -> bytes:
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


@cache
def _state() -> tuple[object, tuple[Check, ...]]:
    return load(Path("config/expected")), tuple(one for one in registry.discover() if one.id in CHECKS)


def sweep(
    target: World | GitHubFake,
    memory: Nothing | None = None,
    at: datetime = NIGHT,
    *,
    start: datetime = START,
    token: str = "",
    spool: Path | None = None,
    patience: float = 10**7,
    progress: Callable[[str, int, int], None] = lambda *step: None,
    workers: int = 4,
) -> Swept:
    """Sweep as of `at` (UTC), as an app unless a token is given; what is to be remembered is."""
    if isinstance(target, World):
        with GitHubFake(target) as fake:
            return sweep(
                fake,
                memory,
                at,
                start=start,
                token=token,
                spool=spool,
                patience=patience,
                progress=progress,
                workers=workers,
            )
    memory = Nothing() if memory is None else memory
    state, checks = _state()
    time = Time(now=at)
    credential = {"token": token} if token else {"app_id": 7, "app_key": app_key()}
    watch = Watch(
        organisations=(ORG,), entries=state.sections.repositories, start=start, workers=workers, settle=timedelta()
    )
    source = GitHubSource(
        watch,
        lambda organisation, request: connect(
            GitHubConnection(api=target.url, patience=patience, **credential),
            organisation,
            clock=time.clock,
            sleep=time.sleep,
            told=time.told.append,
            replay=None,
            spool=spool,
        ),
    )
    request = Request(sweep=f"sweep-{at.isoformat()}", at=at)
    window = source.due(request, memory) or Window(at, at)
    found = source.collect(request, memory, progress)
    memory.keep(found)
    told = Sweep(id=request.sweep, planned_for=at, at=at, window=window, coverage=tuple(found.coverage))
    results = evaluate(checks, found.facts, state, told)
    return Swept(found, {(one.check, one.subject): one for one in results})
