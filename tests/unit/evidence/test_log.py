"""The log in its folder: appends, the writer's lock, and what it refuses to go on from."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.errors import EvidenceError, IntegrityError
from monitor.evidence import merkle
from monitor.evidence.journal import Pending
from monitor.evidence.log import EvidenceLog, archive_path
from monitor.evidence.statement import to_json
from monitor.evidence.tiles import tiles_of
from tests.unit.evidence.sample import ORIGIN, VKEY, forge, signer


def open_log(folder: Path) -> EvidenceLog:
    return EvidenceLog.open(folder, ORIGIN, signer())


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_new_log_begins_with_its_key(tmp_path: Path) -> None:
    with open_log(tmp_path / "new") as log:
        record = json.loads(log.read(0))
        assert log.size == 1
    assert record["predicate"] == {"vkey": VKEY, "origin": ORIGIN, "tool_version": "0.1.0"}
    assert record["predicateType"] == "https://control-monitor.example/evidence/key/v1"
    assert (tmp_path / "new" / "log.vkey").read_text() == f"{VKEY}\n"


@pytest.mark.parametrize("splits", [[1], [254, 1, 1], [255], [256], [300, 300], [1000], [70, 65_800]])
def test_the_folder_holds_the_tiles_of_the_tree_and_no_others(tmp_path: Path, splits: list[int]) -> None:
    with open_log(tmp_path) as log:
        sizes = [1]
        for count in splits:
            assert log.append([b"rec-%d" % n for n in range(count)]) == sizes[-1]
            sizes.append(sizes[-1] + count)
        entries = list(log.read_range(0, log.size))
        nodes = log.reader().node
        assert log.root == merkle.root_of(map(merkle.leaf_hash, entries)) == merkle.range_root(0, log.size, nodes)
    assert files(tmp_path) == {
        "checkpoint",
        "log.vkey",
        ".lock",
        *map(archive_path, sizes),
        *(tile.path for tile in tiles_of(sizes[-1])),
    }


def test_a_reader_of_the_state_before_still_reads_after_an_append(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        log.append([b"one", b"two"])
        before = log.reader()
        log.append([b"three"] * 300)
        assert list(before.read_range(1, 3)) == [b"one", b"two"]
        assert before.edge().root() == merkle.root_of(map(merkle.leaf_hash, before.read_range(0, 3)))


def test_a_second_writer_is_told_that_a_sweep_is_running(tmp_path: Path) -> None:
    with open_log(tmp_path), pytest.raises(EvidenceError, match="another sweep is running"):
        open_log(tmp_path)
    open_log(tmp_path).close()


FORKED = """
import os, sys
from pathlib import Path
from tests.unit.evidence.test_log import open_log

log = open_log(Path(sys.argv[1]))
ready, started = os.pipe()
wait, release = os.pipe()
child = os.fork()
if child == 0:
    os.close(release)
    os.write(started, b"x")
    os.read(wait, 1)
    os._exit(0)
os.read(ready, 1)
log.close()
open_log(Path(sys.argv[1])).close()
os.close(release)
os.waitpid(child, 0)
"""


def test_a_worker_that_outlives_its_sweep_does_not_keep_the_lock(tmp_path: Path) -> None:
    # In a process of its own, since to fork this one would copy the threads of other tests.
    run = subprocess.run([sys.executable, "-c", FORKED, tmp_path], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_a_closed_log_takes_no_more(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.close()
    log.close()
    with pytest.raises(EvidenceError, match="closed"):
        log.append([b"x"])


def test_an_entry_too_large_appends_nothing(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        before = files(tmp_path)
        with pytest.raises(EvidenceError, match="above the limit"):
            log.append([b"x", b"x" * 65_536])
        assert files(tmp_path) == before
        assert log.append([b"y"]) == 1


@pytest.mark.parametrize("blocked", ["checkpoint.tmp", f"{archive_path(3)}.tmp", "tile/0/000.p/3.tmp", ".pending.tmp"])
def test_an_append_that_could_not_be_written_leaves_nothing_behind(tmp_path: Path, blocked: str) -> None:
    with open_log(tmp_path) as log:
        before = files(tmp_path)
        (tmp_path / blocked).mkdir(parents=True)
        with pytest.raises(EvidenceError, match="cannot be written"):
            log.append([b"a", b"b"], [b"an object"])
        assert (log.size, log.checkpoint_text) == (1, (tmp_path / "checkpoint").read_text())
        (tmp_path / blocked).rmdir()
        assert log.append([b"c"]) == 1
    with open_log(tmp_path) as log:
        assert files(tmp_path) == (before - {"tile/0/000.p/1", "tile/entries/000.p/1"}) | {
            archive_path(2),
            "tile/0/000.p/2",
            "tile/entries/000.p/2",
        }


def test_another_key_or_origin_does_not_go_on_with_the_log(tmp_path: Path) -> None:
    open_log(tmp_path).close()
    with pytest.raises(IntegrityError, match="cannot go on with this key"):
        EvidenceLog.open(tmp_path, ORIGIN, signer(2))
    with pytest.raises(EvidenceError, match="the key is named"):
        EvidenceLog.open(tmp_path, "other.example.com", signer())
    with pytest.raises(IntegrityError, match="cannot go on"):
        EvidenceLog.open(tmp_path, "other.example.com", signer(1, "other.example.com"))
    open_log(tmp_path).close()


def alter(path: Path) -> None:
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])


@pytest.mark.parametrize("name", ["tile/0/000.p/3", "tile/entries/000.p/3", "checkpoint", "log.vkey"])
def test_an_altered_edge_is_not_built_upon(tmp_path: Path, name: str) -> None:
    with open_log(tmp_path) as log:
        log.append([b"a", b"b"])
        alter(tmp_path / name)
        if name != "log.vkey":
            with pytest.raises(IntegrityError):
                log.append([b"c"])
    with pytest.raises(IntegrityError), open_log(tmp_path) as log:
        log.append([b"c"])
    assert archive_path(4) not in files(tmp_path)


@pytest.mark.parametrize("name", ["checkpoint", "tile/0/000.p/3", "tile/entries/000.p/3", "log.vkey"])
def test_a_missing_part_is_not_built_upon(tmp_path: Path, name: str) -> None:
    with open_log(tmp_path) as log:
        log.append([b"a", b"b"])
    (tmp_path / name).unlink()
    with pytest.raises(IntegrityError), open_log(tmp_path) as log:
        log.append([b"c"])


def test_a_log_put_back_to_an_older_checkpoint_is_refused(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        log.append([b"a", b"b"])
    (tmp_path / "checkpoint").write_bytes((tmp_path / archive_path(1)).read_bytes())
    with pytest.raises(IntegrityError, match="rolled back"):
        open_log(tmp_path)


def test_tiles_without_any_checkpoint_are_not_a_new_log(tmp_path: Path) -> None:
    open_log(tmp_path).close()
    (tmp_path / "checkpoint").unlink()
    (tmp_path / archive_path(1)).unlink()
    with pytest.raises(IntegrityError, match="no checkpoint"):
        open_log(tmp_path)


def test_a_rewritten_log_is_seen_even_when_signed_by_the_right_key(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        log.append([b"a", b"b"])
        forge(tmp_path, [b"x", b"y", b"z"], signer(), [1])
        with pytest.raises(IntegrityError, match="changed under the writer"):
            log.append([b"c"])


def test_a_journal_cannot_have_other_files_removed(tmp_path: Path) -> None:
    open_log(tmp_path / "log").close()
    (tmp_path / "precious").write_text("x")
    for path in ("../precious", "checkpoint", "objects/../../precious", "log.vkey"):
        (tmp_path / "log" / ".pending").write_bytes(to_json(Pending(1, 2, (path,), (path,))))
        with pytest.raises(IntegrityError, match="not a journal"):
            open_log(tmp_path / "log")
    assert (tmp_path / "precious").exists()
    assert (tmp_path / "log" / "checkpoint").exists()


def test_a_garbled_or_foreign_journal_is_refused(tmp_path: Path) -> None:
    open_log(tmp_path).close()
    for content in (b"", b"{", to_json(Pending(7, 9, (), ()))):
        (tmp_path / ".pending").write_bytes(content)
        with pytest.raises(IntegrityError, match="journal|of an append from 7"):
            open_log(tmp_path)


def test_a_folder_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EvidenceError) as caught:
        open_log(tmp_path / "file" / "log")
    assert "write access" in caught.value.todo


def test_reading_beyond_the_log_is_an_index_error(tmp_path: Path) -> None:
    with open_log(tmp_path) as log, pytest.raises(IndexError):
        log.read(1)
