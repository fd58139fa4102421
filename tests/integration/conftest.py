"""The example organisation, written once, and installations that sweep it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.example.organisation import write_organisation
from tests.fakes.installation import Installation, Truth


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
