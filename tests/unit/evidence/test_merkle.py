"""The tree against RFC 6962's definition, written again here in its own words."""

from __future__ import annotations

from hashlib import sha256

import pytest

from monitor.evidence import merkle

LEAVES = [merkle.leaf_hash(b"rec-%d" % n) for n in range(70)]


def defined_root(leaves: list[bytes]) -> bytes:
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + defined_root(leaves[:split]) + defined_root(leaves[split:])).digest()


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert merkle.root_of([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_leaf_and_node_hashes_are_told_apart() -> None:
    assert merkle.leaf_hash(b"x") == sha256(b"\x00x").digest()
    assert merkle.node_hash(b"l", b"r") == sha256(b"\x01lr").digest()


@pytest.mark.parametrize("size", range(71))
def test_roots_are_as_defined_however_they_are_reached(size: int) -> None:
    nodes = merkle.nodes_of(LEAVES)
    assert merkle.root_of(LEAVES[:size]) == defined_root(LEAVES[:size]) == merkle.range_root(0, size, nodes)
    compact = merkle.CompactRange.of(size, nodes)
    for leaf in LEAVES[size:]:
        compact.push(leaf)
    assert (compact.size, compact.root()) == (70, defined_root(LEAVES))


def test_a_compact_range_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="2 full subtrees"):
        merkle.CompactRange(3, [b""])


def test_every_inclusion_proof_up_to_70_holds_and_no_other() -> None:
    nodes = merkle.nodes_of(LEAVES)
    for size in range(1, 71):
        root = merkle.root_of(LEAVES[:size])
        for index in range(size):
            proof = merkle.inclusion_proof(index, size, nodes)
            assert merkle.verify_inclusion(LEAVES[index], index, size, proof, root)
            assert not merkle.verify_inclusion(LEAVES[index] + b"x", index, size, proof, root)
            assert not merkle.verify_inclusion(LEAVES[index], index, size, [*proof, root], root)
            assert not merkle.verify_inclusion(LEAVES[index], index, size, proof, proof[0] if proof else b"")
            if proof:
                assert not merkle.verify_inclusion(LEAVES[index], index, size, proof[1:], root)


def test_every_consistency_proof_up_to_70_holds_and_no_other() -> None:
    nodes = merkle.nodes_of(LEAVES)
    roots = [merkle.root_of(LEAVES[:size]) for size in range(71)]
    for new in range(71):
        for old in range(new + 1):
            proof = merkle.consistency_proof(old, new, nodes)
            assert merkle.verify_consistency(old, new, proof, roots[old], roots[new])
            assert not merkle.verify_consistency(old, new, [*proof, roots[1]], roots[old], roots[new])
            assert not merkle.verify_consistency(old, new, proof, b"\0" * 32, roots[new])
            if old != new and old:
                assert not merkle.verify_consistency(old, new, proof, roots[old], roots[old])
                assert not merkle.verify_consistency(old, new, proof[:-1], roots[old], roots[new])


def test_what_cannot_be_proven_is_refused() -> None:
    nodes = merkle.nodes_of(LEAVES)
    for bad in (-1, 70):
        with pytest.raises(ValueError, match="not in a tree"):
            merkle.inclusion_proof(bad, 70, nodes)
    with pytest.raises(ValueError, match="no prefix"):
        merkle.consistency_proof(71, 70, nodes)
    assert not merkle.verify_inclusion(LEAVES[0], 1, 1, [], LEAVES[0])
    assert not merkle.verify_consistency(2, 1, [], LEAVES[0], LEAVES[0])
