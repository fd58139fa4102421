"""Whatever is altered, dropped or put back in the evidence of a swept example, `monitor evidence verify` names the level."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.evidence.keys import signing_key
from monitor.evidence.log import EvidenceLog
from monitor.evidence.reader import LogReader
from tests.fakes.installation import Installation

UNTIL = ("2026-03-03", "2026-03-04", "2026-03-05")
ORIGIN = "evidence.example.com/controls"


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, organisation: Path) -> Installation:
    """Three sweeps; the state after the first is kept in `first`, that after the last in `last`."""
    made = Installation(tmp_path_factory.mktemp("tampered") / "installation", organisation)
    for number, until in enumerate(UNTIL):
        made.sweep("--until", until)
        if number == 0:
            shutil.copytree(made.state, made.folder / "first")
    assert len(made.manifests()) == len(UNTIL)
    shutil.copytree(made.state, made.folder / "last")
    assert made.broken() == set()
    return made


@pytest.fixture
def here(swept: Installation) -> Iterator[Installation]:
    """The swept example, put back as it was after each test."""
    yield swept
    shutil.rmtree(swept.state)
    shutil.copytree(swept.folder / "last", swept.state)


def level_of(path: str) -> set[str]:
    """Return the levels that must not hold when this file of the evidence folder is altered or gone: any one will do."""
    if path.startswith("objects/"):
        return {"bytes"}
    if path.startswith("events/"):
        return {"bytes"}
    if path.startswith("tile/"):
        return {"log"}
    if path == "log.vkey":
        return {"signatures"}
    return {"signatures", "consistency"}


def files(of: Installation) -> list[str]:
    """Return every file of the evidence folder that has bytes."""
    found = (path for path in of.evidence.rglob("*") if path.is_file() and path.stat().st_size)
    return sorted(path.relative_to(of.evidence).as_posix() for path in found)


def test_one_flipped_bit_in_any_file_is_found_at_its_level(here: Installation) -> None:
    chance = random.Random(19)
    unseen = []
    names = files(here)
    assert len(names) > 30
    for name in names:
        path = here.evidence / name
        whole = path.read_bytes()
        at = chance.randrange(len(whole))
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << chance.randrange(8)]) + whole[at + 1 :])
        broken = here.broken()
        path.write_bytes(whole)
        if not broken & level_of(name):
            unseen.append((name, at, broken))
    assert unseen == []
    assert here.broken() == set()


def test_any_file_that_is_gone_is_found_at_its_level(here: Installation) -> None:
    unseen = []
    for name in files(here):
        path = here.evidence / name
        whole = path.read_bytes()
        path.unlink()
        broken = here.broken()
        path.write_bytes(whole)
        if not broken & level_of(name):
            unseen.append((name, broken))
    assert unseen == []


def test_any_file_that_is_put_in_is_found(here: Installation) -> None:
    for name in ("objects/sha256/00/" + "0" * 64, "events/account=111122223333/day=2026-03-03/x.parquet", "note.txt"):
        path = here.evidence / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"put in")
        levels = here.verify()
        path.unlink()
        assert levels["bytes"]["outcome"] == "fail", name
        assert any(name in problem for problem in levels["bytes"]["problems"])


def entries(of: Installation) -> list[bytes]:
    reader = LogReader.open(of.evidence)
    return list(reader.read_range(0, reader.size))


def rewritten(of: Installation, groups: list[list[bytes]]) -> None:
    """Write the log anew with other entries, as someone who holds the signing key can."""
    old = of.evidence.with_name("old")
    of.evidence.rename(old)
    with EvidenceLog.open(of.evidence, ORIGIN, signing_key(of.key, ORIGIN).signer) as log:
        for group in groups:
            log.append(group)
    for kept in ("objects", "events"):
        shutil.copytree(old / kept, of.evidence / kept, dirs_exist_ok=True)
    shutil.rmtree(old)


def appended(of: Installation) -> list[list[bytes]]:
    """Return the log's entries as they were appended, without the key's."""
    sizes = sorted(int(path.name) for path in (of.evidence / "checkpoints").iterdir())
    whole = entries(of)
    return [whole[start:end] for start, end in zip(sizes, sizes[1:], strict=False)]


def test_a_log_rewritten_as_it_was_holds_but_for_its_old_states(here: Installation) -> None:
    # What follows shows something only if the rewriting itself is not what is found.
    rewritten(here, appended(here))
    assert here.broken() <= {"consistency"}


def test_a_sweep_taken_out_of_the_middle_is_found_even_under_the_right_key(here: Installation) -> None:
    groups = appended(here)
    assert len(groups) == 2 * len(UNTIL)
    rewritten(here, groups[:2] + groups[4:])
    assert here.broken() >= {"log", "consistency"}


@pytest.mark.parametrize("which", range(3))
def test_a_result_taken_out_of_a_sweep_is_found_even_under_the_right_key(here: Installation, which: int) -> None:
    groups = appended(here)
    rewritten(here, [g[:-2] + g[-1:] if number == 2 * which + 1 else g for number, g in enumerate(groups)])
    assert "log" in here.broken()


def test_the_last_sweep_cut_away_under_the_right_key_is_told_from_the_database(here: Installation) -> None:
    rewritten(here, appended(here)[:4])
    levels = here.verify()
    assert levels["consistency"]["outcome"] == "fail"
    assert any("rolled back" in problem for problem in levels["consistency"]["problems"])


def test_evidence_put_back_to_an_older_state_is_rolled_back(here: Installation) -> None:
    shutil.rmtree(here.evidence)
    shutil.copytree(here.folder / "first" / "evidence", here.evidence)
    levels = here.verify()
    assert {name for name, level in levels.items() if level["outcome"] != "pass"} == {"consistency"}
    assert any("rolled back" in problem for problem in levels["consistency"]["problems"])


def test_everything_put_back_is_told_by_a_checkpoint_that_was_kept_elsewhere(here: Installation) -> None:
    elsewhere = here.folder / "kept-elsewhere"
    shutil.copyfile(here.evidence / "checkpoint", elsewhere)
    shutil.rmtree(here.state)
    shutil.copytree(here.folder / "first", here.state)
    assert here.broken() == set()
    assert here.broken("--checkpoint", str(elsewhere)) == {"consistency"}


def test_an_older_checkpoint_put_in_place_of_the_newest(here: Installation) -> None:
    for older in sorted((here.evidence / "checkpoints").iterdir())[:-1]:
        shutil.copyfile(older, here.evidence / "checkpoint")
        assert "consistency" in here.broken(), older.name
        # Nor does the next sweep go on from there as if nothing was.
        ran = here("sweep", "--until", "2026-03-06")
        assert ran.code == 4, ran
        assert "next:" in ran.errors


def test_another_key_is_not_the_one_that_was_handed_over(here: Installation, tmp_path: Path) -> None:
    other = signing_key(tmp_path / "other.pem", ORIGIN).vkey
    own = (here.evidence / "log.vkey").read_text().strip()
    assert here.broken("--vkey", own) == set()
    assert "signatures" in here.broken("--vkey", other)


def test_a_period_that_was_not_swept_is_a_gap_of_coverage(here: Installation) -> None:
    assert here.broken("--from", "2026-03-01", "--to", "2026-03-05") == set()
    assert here.broken("--from", "2026-03-01", "--to", "2026-03-06") == {"coverage"}
    assert here.broken("--from", "2026-02-27", "--to", "2026-03-05") == {"coverage"}
    assert here("evidence", "verify", "--from", "2026-03-01").code == 2


@pytest.mark.parametrize("what", ["empty", "garbage"])
@pytest.mark.parametrize("name", ["checkpoint", "log.vkey"])
def test_a_file_of_garbage_is_named_and_never_a_traceback(here: Installation, name: str, what: str) -> None:
    (here.evidence / name).write_bytes(b"" if what == "empty" else bytes(range(256)))
    levels = here.verify()
    assert any(name in problem for level in levels.values() for problem in level["problems"])
    assert here("sweep", "--until", "2026-03-06").code == 4


@pytest.mark.parametrize("how", ["gone", "altered"])
def test_a_sweep_that_needs_a_retained_file_which_is_not_as_it_was_ends_in_words(here: Installation, how: str) -> None:
    # The session with an open finding is to be judged again from this file.
    for path in (here.evidence / "events").rglob("*.parquet"):
        if how == "gone":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:-1] + b"?")
    ran = here("sweep", "--until", "2026-03-06")
    assert (ran.code, ran.output) == (4, b""), ran
    assert "monitor evidence verify" in ran.errors
