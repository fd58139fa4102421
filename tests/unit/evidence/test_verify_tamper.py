"""The tamper matrix: whatever is done to a sealed log, the level that is there for it fails."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from monitor.evidence import statement
from monitor.evidence.log import EvidenceLog, archive_path
from monitor.model import Outcome
from tests.unit.evidence.sample import (
    ORIGIN,
    build,
    day,
    entries_of,
    failed,
    forge,
    levels,
    run,
    signer,
)

THOROUGH = bool(os.environ.get("EVIDENCE_EVERY_BYTE"))
"""Set to flip every byte of the large files too (minutes); else every byte of the small, and a sample of the large."""
LEVEL = {
    "checkpoint": "signatures",
    "checkpoints": "signatures",
    "log.vkey": "signatures",
    "tile": "log",
    "objects": "bytes",
    "events": "bytes",
}
BY_LOCK = {".lock"}


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sealed") / "evidence"
    build(folder)
    return folder


@pytest.fixture
def folder(sealed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sealed, tmp_path / "evidence"))


def files(folder: Path) -> list[str]:
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    return sorted(name for name in names if name not in BY_LOCK)


def expected_level(name: str) -> str:
    return LEVEL[name.partition("/")[0]]


def places(size: int) -> Iterator[int]:
    step = 1 if THOROUGH or size <= 400 else max(1, size // 150)
    yield from range(0, size, step)
    if step > 1:
        yield from range(size - 20, size)


def test_the_sealed_log_passes_every_level(sealed: Path) -> None:
    found = levels(sealed)
    assert list(found) == ["bytes", "log", "signatures", "consistency", "coverage"]
    assert {name: level.problems for name, level in found.items() if level.outcome is not Outcome.PASS} == {}
    assert failed(sealed, retained=sealed / "events", period=day(0, 2)) == set()
    kinds = {name.partition("/")[0] for name in files(sealed)}
    assert kinds == set(LEVEL), "each kind of file is in the sample"
    assert max((sealed / name).stat().st_size for name in files(sealed)) > 48 * 1024


@pytest.mark.parametrize("kind", LEVEL)
def test_a_flipped_byte_fails_the_level_of_its_file(folder: Path, kind: str) -> None:
    flipped = 0
    for name in (name for name in files(folder) if name.partition("/")[0] == kind):
        path = folder / name
        data = path.read_bytes()
        with path.open("r+b") as file:
            for place in places(len(data)):
                changes = (1, 0x20, 0x80) if place % 97 == 0 else (1,)
                for change in changes:
                    os.pwrite(file.fileno(), bytes([data[place] ^ change]), place)
                    found = failed(folder)
                    assert expected_level(name) in found, f"{name}: byte {place} ^ {change} gave {found}"
                    flipped += 1
                os.pwrite(file.fileno(), data[place : place + 1], place)
    assert flipped > 70
    assert failed(folder) == set()


def test_a_dropped_file_fails_and_is_named(folder: Path) -> None:
    for name in files(folder):
        path = folder / name
        data = path.read_bytes()
        path.unlink()
        found = levels(folder)
        wanted = "consistency" if name.startswith("checkpoints/") else expected_level(name)
        assert found[wanted].outcome is Outcome.FAIL, name
        assert any(name in problem for problem in found[wanted].problems), name
        path.write_bytes(data)


def test_a_truncated_or_emptied_file_fails(folder: Path) -> None:
    for name in files(folder):
        path = folder / name
        data = path.read_bytes()
        for cut in (data[:-1], b"", data + b"\n"):
            path.write_bytes(cut)
            assert expected_level(name) in failed(folder), name
        path.write_bytes(data)


@pytest.mark.parametrize(
    "name",
    [
        "stranger",
        "objects/sha256/ab/stranger",
        "objects/sha256/e3/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "tile/entries/001.p/3",
        "tile/0/000",
        "checkpoints/latest",
        "events/account=111122223333/day=2026-03-01/sweep-0-1.parquet",
        "checkpoint.tmp",
        ".pending",
    ],
)
def test_a_file_that_no_record_accounts_for_fails(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"")
    found = levels(folder)["bytes"]
    assert found.outcome is Outcome.FAIL
    assert any(name in problem for problem in found.problems)


def test_an_archived_checkpoint_where_no_append_ended_fails(folder: Path) -> None:
    (folder / archive_path(4)).write_bytes((folder / archive_path(2)).read_bytes())
    assert "consistency" in failed(folder)


def test_swapped_objects_and_archives_fail(folder: Path) -> None:
    objects = [name for name in files(folder) if name.startswith("objects/")]
    archives = [name for name in files(folder) if name.startswith("checkpoints/")]
    for names, level in ((objects, "bytes"), (archives, "consistency")):
        for one, other in pairwise(names):
            first, second = (folder / one).read_bytes(), (folder / other).read_bytes()
            (folder / one).write_bytes(second)
            (folder / other).write_bytes(first)
            assert level in failed(folder)
            (folder / one).write_bytes(first)
            (folder / other).write_bytes(second)


def test_an_object_with_the_bytes_of_a_record_that_moved_it_is_read_by_digest(folder: Path) -> None:
    large = max(
        (name for name in files(folder) if name.startswith("objects/")), key=lambda n: (folder / n).stat().st_size
    )
    (folder / large).unlink()
    found = levels(folder)
    assert {name for name, level in found.items() if level.outcome is not Outcome.PASS} == {"bytes", "log"}


# The entries: key, start, 3 results, manifest, start, 3 results, manifest.
ENDS = (1, 2, 6, 7)


def test_a_dropped_record_with_everything_rewritten_by_another_key_fails(folder: Path) -> None:
    entries = entries_of(folder)
    for dropped in range(len(entries)):
        forge(folder, [*entries[:dropped], *entries[dropped + 1 :]], signer(9), ENDS)
        found = failed(folder)
        assert "signatures" in found
        assert "log" in found or dropped == len(entries) - 1


def test_a_dropped_record_rewritten_by_the_signer_itself_fails(folder: Path) -> None:
    entries = entries_of(folder)
    for dropped in range(len(entries)):
        forge(folder, [*entries[:dropped], *entries[dropped + 1 :]], signer(), ENDS)
        assert "log" in failed(folder), dropped


def test_reordered_records_fail_whoever_signs(folder: Path) -> None:
    entries = entries_of(folder)
    for place in range(len(entries) - 1):
        swapped = [*entries[:place], entries[place + 1], entries[place], *entries[place + 2 :]]
        forge(folder, swapped, signer(), ENDS)
        assert "log" in failed(folder), place


def test_a_dropped_sweep_in_the_middle_fails(folder: Path) -> None:
    with EvidenceLog.open(folder, ORIGIN, signer()) as log:
        run(log, 2)
    entries = entries_of(folder)
    forge(folder, [*entries[:6], *entries[11:]], signer(), ENDS)
    found = levels(folder)
    assert {"log", "bytes", "coverage"} <= {name for name, level in found.items() if level.outcome is Outcome.FAIL}


def test_an_invented_record_fails(folder: Path) -> None:
    entries = entries_of(folder)
    for invented in (
        b"",
        b"{}",
        b"\xff" * 10,
        entries[2],
        entries[5],
        statement.key_record("v", ORIGIN, "1"),
        b"[" * 60_000,
    ):
        forge(folder, [*entries, invented], signer(), (*ENDS, 11))
        assert "log" in failed(folder)


def test_a_start_that_nothing_follows_is_a_sweep_that_did_not_end(folder: Path) -> None:
    entries = entries_of(folder)
    forge(folder, [*entries, entries[6]], signer(), (*ENDS, 11))
    assert failed(folder) == {"coverage"}


def test_a_manifest_signed_by_another_key_fails(folder: Path) -> None:
    build(folder.parent / "other", seed=9)
    entries, others = entries_of(folder), entries_of(folder.parent / "other", seed=9)
    forge(folder, [*entries[:5], others[5], *entries[6:]], signer(), ENDS)
    assert "signatures" in failed(folder)


def test_rolling_back_is_seen_only_from_a_checkpoint_kept_elsewhere(tmp_path: Path) -> None:
    folder, older = tmp_path / "evidence", tmp_path / "older"
    build(folder, sweeps=1)
    shutil.copytree(folder, older)
    with EvidenceLog.open(folder, ORIGIN, signer()) as log:
        kept = run(log, 1).checkpoint
    assert failed(older) == set()
    assert "would not be noticed" in levels(older)["consistency"].summary
    found = levels(older, known=kept)["consistency"]
    assert found.outcome is Outcome.FAIL
    assert any(problem.startswith("rolled back: the log had 11 entries") for problem in found.problems)
    assert failed(folder, known=kept) == set()
    assert failed(folder, known=(older / "checkpoint").read_text()) == set()


def test_only_the_checkpoint_put_back_is_seen_without_help(folder: Path) -> None:
    (folder / "checkpoint").write_bytes((folder / archive_path(6)).read_bytes())
    found = levels(folder)
    assert any("rolled back" in problem for problem in found["consistency"].problems)
    assert found["bytes"].outcome is Outcome.FAIL


def test_a_log_rewritten_by_its_own_signer_is_seen_as_a_fork(tmp_path: Path) -> None:
    build(tmp_path / "one")
    with EvidenceLog.open(tmp_path / "two", ORIGIN, signer(), tool_version="0.0.9") as log:
        run(log, 0)
        run(log, 1)
    assert failed(tmp_path / "two") == set()
    found = levels(tmp_path / "two", known=(tmp_path / "one" / "checkpoint").read_text())
    assert any(problem.startswith("forked") for problem in found["consistency"].problems)
