"""The migrations travel in the wheel: an installed monitor upgrades a database far from the repository."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from monitor.store.tables import HEAD

REPOSITORY = Path(__file__).parents[3]
UPGRADE = """
import json, sys
from pathlib import Path
import monitor
from monitor.store import migrate
from monitor.store.store import Store
before, after = migrate.upgrade(sys.argv[1])
Store.open(sys.argv[1]).close()
print(json.dumps([before, after, str(Path(monitor.__file__).parent), str(migrate.migrations())]))
"""


@pytest.fixture(scope="module")
def installed_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of a fresh environment with the wheel in it; the libraries are lent by this environment."""
    folder = tmp_path_factory.mktemp("wheel")
    # With the build backend at hand nothing is fetched.
    isolation = ["--no-build-isolation"] if importlib.util.find_spec("hatchling") else []
    _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", *isolation, "-w", str(folder), str(REPOSITORY))
    (wheel,) = folder.glob("*.whl")
    environment = folder / "environment"
    venv.create(environment, with_pip=False, symlinks=True)
    python = environment / "bin" / "python"
    _run(sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", str(wheel))
    purelib = _run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    (Path(purelib) / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def test_a_monitor_installed_from_the_wheel_upgrades_a_database(
    installed_python: Path, empty_url: str, tmp_path: Path
) -> None:
    before, after, package, migrations = json.loads(_run(str(installed_python), "-c", UPGRADE, empty_url, cwd=tmp_path))
    assert (before, after) == (None, HEAD)
    assert Path(package).is_relative_to(installed_python.parents[1])
    assert migrations == f"{package}/_migrations"


def _run(*command: str, cwd: Path | None = None) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
