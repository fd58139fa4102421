"""The example organisation, written once, and installations that sweep it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from monitor.example.organisation import write_organisation
from tests.fakes.buckets import Buckets, serving
from tests.fakes.installation import Installation, Truth

_buckets = count(1)


@pytest.fixture(scope="session")
def organisation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the example organisation: logs/, api/ and truth.json. Nobody may write into it."""
    folder = tmp_path_factory.mktemp("organisation")
    write_organisation(folder, 19)
    return folder


@pytest.fixture(scope="session")
def truth(organisation: Path) -> Truth:
    """Return what is true of the example organisation."""
    return Truth(organisation)


@pytest.fixture
def install(tmp_path: Path) -> Callable[[Path | None], Installation]:
    """Return what makes an installation that sweeps a folder of captured material, one a test."""
    return lambda captured: Installation(tmp_path / "installation", captured)


@pytest.fixture(scope="session")
def buckets() -> Iterator[Buckets]:
    """Return a server of buckets, one for all tests."""
    with serving() as found:
        yield found


@pytest.fixture
def bucket(buckets: Buckets, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the name of a bucket of this test alone, on a server that this process takes for AWS."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "example")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", buckets.url)
    name = f"example-org-trail-{next(_buckets)}"
    buckets.client.create_bucket(Bucket=name)
    buckets.gate.asked.clear()
    yield name
    buckets.gate.refused.clear()
    buckets.gate.unlisted.clear()
