"""Verification of what nobody sealed: keys, files and folders as hostile as they come. It judges, and never raises."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from monitor.evidence.verify import verify
from monitor.model import Outcome
from tests.unit.evidence.sample import VKEY, build, failed, levels, signer


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sealed") / "evidence"
    build(folder)
    return folder


@pytest.fixture
def folder(sealed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sealed, tmp_path / "evidence"))


def files(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"
    )


@pytest.mark.parametrize("known", ["", "garbage", "a\n1\nAAAA\n\n— a AAAA\n", "\ud800"])
def test_a_known_checkpoint_that_cannot_be_read_fails(sealed: Path, known: str) -> None:
    assert failed(sealed, known=known) == {"consistency"}


def test_a_known_checkpoint_by_another_key_fails(sealed: Path, tmp_path: Path) -> None:
    build(tmp_path, sweeps=1, seed=9)
    assert failed(sealed, known=(tmp_path / "checkpoint").read_text()) == {"consistency"}


def test_a_key_from_beside_the_log_is_not_enough(sealed: Path) -> None:
    found = levels(sealed, vkeys=())["signatures"]
    assert found.outcome is Outcome.UNKNOWN
    assert "beside the log" in found.summary
    assert "that was given" in levels(sealed)["signatures"].summary


@pytest.mark.parametrize("vkeys", [(signer(9).verifier.vkey,), ("garbage",), (VKEY, "garbage")])
def test_an_unknown_or_garbled_key_fails(sealed: Path, vkeys: tuple[str, ...]) -> None:
    assert "signatures" in failed(sealed, vkeys=vkeys)


def test_one_of_several_keys_is_enough(sealed: Path) -> None:
    assert failed(sealed, vkeys=(signer(9).verifier.vkey, VKEY)) == set()


def test_retained_events_elsewhere_are_checked_where_they_are(folder: Path, tmp_path: Path) -> None:
    (folder / "events").rename(tmp_path / "elsewhere")
    assert levels(folder)["bytes"].outcome is Outcome.UNKNOWN
    assert failed(folder, retained=tmp_path / "elsewhere") == set()
    assert failed(folder, retained=tmp_path / "nowhere") == {"bytes"}
    (tmp_path / "elsewhere" / "extra.parquet").write_bytes(b"")
    assert failed(folder, retained=tmp_path / "elsewhere") == {"bytes"}


def test_links_and_pipes_are_neither_followed_nor_read(folder: Path) -> None:
    for name in files(folder):
        path = folder / name
        kept = path.rename(folder.parent / "kept")
        path.symlink_to(kept)
        assert failed(folder), name
        path.unlink()
        os.mkfifo(path)
        assert failed(folder), name
        path.unlink()
        kept.rename(path)


def test_garbage_anywhere_never_raises(folder: Path) -> None:
    for name in files(folder):
        path = folder / name
        data = path.read_bytes()
        for garbage in (b"\0" * 40, b"\xff" * 9000, b'{"a":' * 30_000, "— \n\n".encode() * 100, b"[" * 65_537):
            path.write_bytes(garbage)
            assert failed(folder), name
        path.unlink()
        path.mkdir()
        assert failed(folder), name
        path.rmdir()
        path.write_bytes(data)


def test_problems_are_escaped_and_counted(folder: Path) -> None:
    for number in range(30):
        (folder / f"\x1b[31mstranger\n{number}\u202e").write_bytes(b"")
    found = levels(folder)["bytes"]
    assert len(found.problems) == 21
    assert found.problems[-1] == "and 10 more"
    assert all(problem.isprintable() for problem in found.problems)


def test_no_folder_fails_every_level(tmp_path: Path) -> None:
    outcomes = {level.name: level.outcome for level in verify(tmp_path / "nowhere", (VKEY,))}
    assert Outcome.PASS not in outcomes.values()
