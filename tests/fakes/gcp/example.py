"""The Google side of the example organisation: one project with service accounts, good and bad.

`TRUTH` tells, by account, what each check must say. `python -m tests.fakes.gcp.example --out config/captured/gcp` captures it
through the real client.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from monitor.model import Capture
from tests.fakes.gcp import log_settings
from tests.fakes.gcp.world import ORGANISATION, PROJECT, World

AT = datetime(2026, 4, 1, 0, 40, tzinfo=UTC)
"""When the example was captured."""
NUMBER = "100000000042"
TRUTH: dict[str, dict[str, str]] = {
    "accounts-deploy": {"trust": "pass", "privilege": "pass", "credentials": "pass"},
    "media-deploy": {"trust": "fail", "privilege": "fail", "credentials": "pass"},
    "sandbox-deploy": {"trust": "fail", "privilege": "pass", "credentials": "pass"},
    "legacy-deploy": {"trust": "fail", "privilege": "fail", "credentials": "fail"},
}
RUN = ("run.services.create", "run.services.get", "run.services.list", "run.services.update")


def build() -> World:
    """Return the project as it is on 1 April 2026."""
    world = World()
    folder = world.folder("100000000007", ORGANISATION)
    world.project(PROJECT, NUMBER, folder)
    names = ("accounts-deploy", "media-deploy", "sandbox-deploy", "legacy-deploy", "runtime")
    accounts, media, sandbox, legacy, runtime = (world.account(PROJECT, name) for name in names)
    pool = world.pool(PROJECT, "github")
    mapped = {"google.subject": "assertion.sub", "attribute.repository": "assertion.repository"}
    world.provider(pool, "actions", "assertion.repository_owner == 'example-org'", attributeMapping=mapped)
    members = f"principalSet://iam.googleapis.com/{pool}"

    def trusts(account: str, member: str) -> None:
        world.bind(f"projects/{PROJECT}/serviceAccounts/{account}", "roles/iam.workloadIdentityUser", member)

    # Exactly one subject, and no more rights than it is declared with.
    main = "repo:example-org/accounts:ref:refs/heads/main"
    trusts(accounts, f"principal://iam.googleapis.com/{pool}/subject/{main}")
    world.bind(f"projects/{PROJECT}", "roles/run.developer", f"serviceAccount:{accounts}")
    # Every job of the repository, those of pull requests too; and it makes keys of the account that serves.
    trusts(media, f"{members}/attribute.repository/example-org/media")
    keys = f"projects/{PROJECT}/roles/keyMaker"
    world.bind(f"projects/{PROJECT}/serviceAccounts/{runtime}", keys, f"serviceAccount:{media}")
    # A pool of its own whose provider asks for nothing: every repository there is.
    loose = world.pool(PROJECT, "sandbox")
    world.provider(loose, "actions", attributeMapping=mapped)
    trusts(sandbox, f"principalSet://iam.googleapis.com/{loose}/*")
    # From before there was federation: a key, and all of storage. It is declared with a token that cannot become it.
    world.key(legacy, "9f31", validAfterTime="2024-11-05T08:00:00Z")
    world.bind(f"projects/{PROJECT}", "roles/storage.admin", f"serviceAccount:{legacy}")
    world.bind(f"projects/{PROJECT}", "roles/logging.logWriter", f"serviceAccount:{runtime}")
    world.role(
        "roles/iam.workloadIdentityUser", "iam.serviceAccounts.getAccessToken", "iam.serviceAccounts.getOpenIdToken"
    )
    world.role("roles/run.developer", *RUN)
    world.role("roles/logging.logWriter", "logging.logEntries.create")
    stored = (
        "buckets.create",
        "buckets.delete",
        "buckets.update",
        "objects.create",
        "objects.delete",
        "objects.update",
    )
    world.role("roles/storage.admin", *(f"storage.{one}" for one in stored))
    world.role(f"projects/{PROJECT}/roles/keyMaker", "iam.serviceAccountKeys.create")
    # The organisation's sink takes all audit logs to a bucket; what issues credentials is logged.
    destination = "storage.googleapis.com/example-org-audit"
    log_settings.sink(
        world, ORGANISATION, "audit", destination, filter='logName:"cloudaudit.googleapis.com"', includeChildren=True
    )
    log_settings.audited(world, ORGANISATION)
    return world


def capture(out: Path) -> int:
    """Write the captures of one reading of the example; return how many."""
    from monitor.sources.gcp.client import GcpClient, GcpConnection, connect
    from monitor.sources.gcp.iam import GcpIamSource, Watch
    from monitor.sources.gcp.log_settings import LogSettingsSource
    from monitor.sources.ports import Request
    from monitor.sources.replay import write
    from tests.fakes.gcp.server import GcpFake
    from tests.fakes.github.memory import Nothing

    with GcpFake(build()) as fake, tempfile.TemporaryDirectory() as scratch:
        connection = GcpConnection(api=fake.api, credentials=fake.key(Path(scratch)))

        def reached(request: Request) -> GcpClient:
            return connect(connection, clock=lambda: AT, sleep=lambda seconds: None, told=print, replay=None)

        watch = Watch(projects=(PROJECT,), workers=1)
        asked: dict[tuple[str, str], Capture] = {}
        for source in (GcpIamSource(watch, reached), LogSettingsSource(watch, reached)):
            found = source.collect(Request(sweep="example", at=AT), Nothing(), lambda *step: None)
            incomplete = [c for c in found.coverage if c.status != "complete"]
            assert not incomplete, incomplete
            for one in found.captures:
                # Both ask for some of the same.
                asked.setdefault((one.name, str({k: v for k, v in one.request.items() if k != "host"})), one)
    shutil.rmtree(out, ignore_errors=True)
    # The port of the fake is another in each run; what is captured is not.
    captures = [msgspec.structs.replace(c, request={**c.request, "host": "googleapis.com"}) for c in asked.values()]
    write(out, captures)
    return len(captures)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--out", type=Path, required=True)
    print(f"{capture(options.parse_args().out)} answers captured")
