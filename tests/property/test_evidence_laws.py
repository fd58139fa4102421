"""Laws of the evidence room: of the tree, of records, and of a sealed log under any single change."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.errors import EvidenceError
from monitor.evidence import checkpoint, dsse, merkle, note, tiles
from monitor.evidence.log import EvidenceLog
from monitor.evidence.record import decode_result, encode_result
from monitor.evidence.seal import begin, history, seal
from monitor.evidence.statement import digest
from monitor.evidence.tiles import MAX_ENTRY
from monitor.model import ChangeClass, EvidenceRef, Outcome, Result, Severity
from tests.unit.evidence.sample import EXPECTED, ORIGIN, build, failed, signer, sweep

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(st.text(max_size=12), json_values, max_size=5)
texts = st.text(max_size=60) | st.integers(0, 70_000).map(lambda n: "é" * n)
results = st.builds(
    Result,
    check=st.text(max_size=20),
    subject=texts,
    outcome=st.sampled_from(Outcome),
    reason=texts,
    severity=st.sampled_from(Severity),
    change_class=st.none() | st.sampled_from(ChangeClass),
    actor=st.text(max_size=20),
    scope=st.text(max_size=20),
    expected=objects,
    observed=objects | st.integers(0, 60_000).map(lambda n: {"large": "x" * n, "n": 2**70}),
    remedy=st.text(max_size=20),
    evidence=st.lists(
        st.builds(EvidenceRef, kind=st.just("event"), name=st.text(max_size=20), sha256=st.just("a" * 64)), max_size=3
    ).map(tuple),
)


@given(results, st.integers(0, 2**31))
def test_a_result_comes_back_from_its_record(result: Result, seq: int) -> None:
    data, kept = encode_result(result, sweep(0), seq)
    store = {digest(payload): payload for payload in kept}
    assert len(data) <= MAX_ENTRY
    record = decode_result(data, store.__getitem__)
    assert record.result == result
    assert (record.sweep, record.seq, record.window, record.collected) == ("sweep-0", seq, sweep(0).window, sweep(0).at)


@given(st.lists(st.binary(max_size=40), max_size=600), st.data())
def test_a_tree_has_one_root_however_it_grew(entries: list[bytes], data: st.DataObject) -> None:
    leaves = [merkle.leaf_hash(entry) for entry in entries]
    nodes = merkle.nodes_of(leaves)
    old = data.draw(st.integers(0, len(leaves)))
    tree = merkle.CompactRange.of(old, nodes)
    before = tree.root()
    for leaf in leaves[old:]:
        tree.push(leaf)
    assert tree.root() == merkle.root_of(leaves) == merkle.range_root(0, len(leaves), nodes)
    proof = merkle.consistency_proof(old, len(leaves), nodes)
    assert merkle.verify_consistency(old, len(leaves), proof, before, tree.root())
    if proof:
        place = data.draw(st.integers(0, len(proof) - 1))
        proof[place] = bytes([proof[place][0] ^ 1]) + proof[place][1:]
        assert not merkle.verify_consistency(old, len(leaves), proof, before, tree.root())


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 300), min_size=1, max_size=4))
def test_a_log_is_the_same_however_its_entries_were_appended(tmp_path: Path, splits: list[int]) -> None:
    entries = [b"rec-%d" % n for n in range(sum(splits))]
    for name, sizes in (("one", [len(entries)]), ("many", splits)):
        shutil.rmtree(tmp_path / name, ignore_errors=True)
        with EvidenceLog.open(tmp_path / name, ORIGIN, signer()) as log:
            at = 0
            for size in sizes:
                log.append(entries[at : at + size])
                at += size
    tree = [
        {path.relative_to(folder): path.read_bytes() for path in (folder / "tile").rglob("*") if path.is_file()}
        for folder in (tmp_path / "one", tmp_path / "many")
    ]
    assert tree[0] == tree[1]
    assert (tmp_path / "one/checkpoint").read_bytes() == (tmp_path / "many/checkpoint").read_bytes()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(results, max_size=4), st.lists(st.binary(max_size=50), max_size=3))
def test_whatever_is_sealed_verifies_and_comes_back(tmp_path: Path, found: list[Result], extra: list[bytes]) -> None:
    folder = tmp_path / "evidence"
    shutil.rmtree(folder, ignore_errors=True)
    with EvidenceLog.open(folder, ORIGIN, signer()) as log:
        begin(log, sweep(0), EXPECTED)
        attachments = {f"\x1b{n}": data for n, data in enumerate(extra)}
        seal(log, sweep(0), found, [], attachments, (), "0" * 64, "0" * 64, "1")
        (manifest,) = history(log)
    assert [result for result, _, _ in manifest.results()] == found
    assert {name: manifest.attachment(name) for name in attachments} == attachments
    assert failed(folder) == set()


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("laws") / "evidence"
    build(folder)
    return folder


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_any_single_change_of_any_file_fails(sealed: Path, data: st.DataObject) -> None:
    names = sorted(path for path in sealed.rglob("*") if path.is_file() and path.name != ".lock")
    path = data.draw(st.sampled_from(names))
    content = path.read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    kind = data.draw(st.sampled_from(["change", "cut", "insert", "drop"]))
    changed = {
        "change": content[:place] + bytes([content[place] ^ data.draw(st.integers(1, 255))]) + content[place + 1 :],
        "cut": content[:place],
        "insert": content[:place] + data.draw(st.binary(min_size=1, max_size=3)) + content[place:],
        "drop": content[:place] + content[place + 1 :],
    }[kind]
    try:
        path.write_bytes(changed)
        assert failed(sealed) or changed == content
    finally:
        path.write_bytes(content)


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_raise_anything_but_an_evidence_error(data: bytes) -> None:
    key = [signer().verifier]
    for read in (
        lambda: checkpoint.verify(data, key),
        lambda: note.verify(note.parse(data), key),
        lambda: dsse.verify(dsse.parse(data), key),
        lambda: decode_result(data, lambda _: data),
    ):
        with pytest.raises(EvidenceError):
            read()


@given(st.lists(st.binary(max_size=300), max_size=300))
def test_a_bundle_holds_its_entries(entries: list[bytes]) -> None:
    assert tiles.unpack(tiles.pack(entries)) == entries


@given(st.integers(0, 10**7), st.integers(0, 3 * 10**4))
def test_tiles_hold_every_leaf_once(old: int, more: int) -> None:
    new = old + more
    fresh = [tile for tile in tiles.tiles_of(new, old) if tile.level == 0]
    assert all(tile.path and 0 < tile.width <= 256 for tile in fresh)
    if more:
        assert sum(tile.width for tile in fresh) == new - old // 256 * 256
    else:
        assert fresh == []
