"""`make fake-github`: a GitHub to try the monitor against, until Ctrl-C."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from tests.fakes.github.scale import organisation
from tests.fakes.github.server import GitHubFake


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, default=8390)
    options.add_argument("--repositories", type=int, default=40)
    options.add_argument(
        "--app-key", type=Path, help="file with the app's public key (PEM): its assertions are checked"
    )
    options.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    given = options.parse_args()
    key = given.app_key.read_bytes() if given.app_key else None
    world = organisation(given.repositories)
    with GitHubFake(world, port=given.port, latency=given.latency, app_key=key) as fake:
        print(f"example-org with {given.repositories} repositories. In monitor.yaml:\n")
        print(f"github:\n  api: {fake.url}\n  start: 2026-03-01T00:00:00Z\n")
        print("and in the environment: MONITOR_GITHUB_TOKEN=example-token-classic\nCtrl-C ends it.", flush=True)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
