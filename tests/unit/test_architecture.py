"""The house keeps its own rules, where a program can tell."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from monitor.model import Check
from monitor.sweep import registry

ROOT = Path(__file__).parents[2]
CHECKS = registry.discover()
PRODUCT = sorted([*ROOT.glob("monitor/**/*.py"), *ROOT.glob("checks/*.py")])


def test_arrows_run_one_way():
    done = subprocess.run([Path(sys.executable).parent / "lint-imports"], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.id)
def test_a_checks_module_is_its_control_statement(check: Check):
    module = importlib.import_module(check.evaluate.__module__)

    assert module.CHECK is check
    assert module.__name__ == f"checks.{check.id.replace('-', '_')}"
    assert len(registry.control_statement(check).split()) > 40
    assert check.needs
    assert check.remedy


def test_every_check_tests_a_control_of_the_standard_that_names_it():
    controls = yaml.safe_load((ROOT / "config/controls.yaml").read_text())["controls"]
    named = {(control["id"], check) for control in controls for check in control.get("checks", ())}

    assert {(control, check.id) for check in CHECKS for control in check.controls} <= named


def test_alembic_is_no_package():
    assert not (ROOT / "alembic/__init__.py").exists()


@pytest.mark.parametrize("path", PRODUCT, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_room_is_small_and_says_what_it_is(path: Path):
    source = path.read_text()

    assert ast.get_docstring(ast.parse(source))
    assert len(source.splitlines()) <= 300
    assert path.stem not in {"utils", "helpers", "base", "common", "manager"}


def test_nothing_reads_the_clock_but_the_command_line():
    readers = [
        str(path.relative_to(ROOT))
        for path in PRODUCT
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr in {"now", "utcnow", "today"}
        and not (isinstance(node.value, ast.Name) and node.value.id == "clock")
    ]

    assert readers == ["monitor/cli/clock.py"]
