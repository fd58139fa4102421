"""A settings sweep of 1,000 repositories against the fake GitHub with 50 ms of latency: requests, seconds, memory."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
REQUESTS, SECONDS = 1.3, 60.0


def measured(count: int, url: str) -> None:
    """Read an organisation of this size, and print what it took; in a process of its own, so that memory is its own."""
    from monitor.expected.load import load
    from monitor.sources.github.client import GitHubConnection, connect
    from monitor.sources.github.repositories import read

    entries = load(ROOT / "config/expected").sections.repositories
    began = time.perf_counter()
    with connect(
        GitHubConnection(api=url, token="example-token-classic"),
        "example-org",
        clock=lambda: datetime.now(UTC),
        sleep=time.sleep,
        told=print,
        replay=None,
        spool=None,
    ) as forge:
        found = read(forge, "example-org", entries, datetime.now(UTC), 4, lambda *step: None)
        took = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        each = forge.requests / len(found.repositories)
    print(
        f"{len(found.repositories):,} repositories: {forge.requests:,} requests, {each:.2f} a repository; {took:.1f} s; {peak} MB at the peak"
    )
    if count >= 1000:
        for what, value, goal in (("requests a repository", each, REQUESTS), ("seconds", took, SECONDS)):
            print(f"  {what:24} {value:6.2f}  (goal at most {goal})  {'met' if value <= goal else 'NOT MET'}")


def main() -> None:
    from tests.fakes.github.scale import organisation
    from tests.fakes.github.server import GitHubFake

    print("\nsettings of an organisation on GitHub, 50 ms of latency, 4 requests at once", flush=True)
    for count in (100, 1000):
        with GitHubFake(organisation(count), latency=0.05) as fake:
            subprocess.run([sys.executable, "-m", "benchmarks.github", str(count), fake.url], cwd=ROOT, check=True)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        measured(int(sys.argv[1]), sys.argv[2])
    else:
        main()
