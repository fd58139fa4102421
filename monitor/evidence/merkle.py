"""The Merkle tree of RFC 6962 over SHA-256: roots, proofs, and their verification. Pure.

A proof is built from `Nodes`, a function that gives the hash of the full subtree at (level, index): the subtree over
the leaves [index * 2^level, (index + 1) * 2^level). So the same code proves from a list in memory and from tiles on disk.
https://www.rfc-editor.org/rfc/rfc6962#section-2.1 and, for verification, https://www.rfc-editor.org/rfc/rfc9162#section-2.1
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

Nodes = Callable[[int, int], bytes]

EMPTY_ROOT = hashlib.sha256(b"").digest()
_sha256 = hashlib.sha256
_CHUNK = 256


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf: SHA-256 over 0x00 and the entry's bytes."""
    return _sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node: SHA-256 over 0x01 and both children."""
    return _sha256(b"\x01" + left + right).digest()


class CompactRange:
    """The roots of the full subtrees that make up a tree, largest first: all that appending needs of the past."""

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        self.size = size
        self.hashes = list(hashes)
        if len(self.hashes) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} full subtrees, not {len(self.hashes)}")

    @classmethod
    def of(cls, size: int, nodes: Nodes) -> CompactRange:
        """Return the compact range of the tree of `size` leaves whose inner hashes `nodes` gives."""
        bits = [level for level in reversed(range(size.bit_length())) if size >> level & 1]
        return cls(size, [nodes(level, (size >> level) - 1) for level in bits])

    def push(self, leaf: bytes) -> None:
        """Append one leaf hash."""
        self._push(leaf, 0)

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Append many leaf hashes; full subtrees of them are hashed as a whole, which is faster."""
        at, end = 0, len(leaves)
        while at < end:
            if self.size % _CHUNK == 0 and end - at >= _CHUNK:
                self._push(full_root(leaves[at : at + _CHUNK]), _CHUNK.bit_length() - 1)
                at += _CHUNK
            else:
                self._push(leaves[at], 0)
                at += 1

    def _push(self, digest: bytes, level: int) -> None:
        """Append a full subtree of 2^level leaves; the size so far is a multiple of that."""
        hashes, carry = self.hashes, self.size >> level
        while carry & 1:
            digest = node_hash(hashes.pop(), digest)
            carry >>= 1
        hashes.append(digest)
        self.size += 1 << level

    def root(self) -> bytes:
        """Return the root of the tree so far."""
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Return the root over these leaf hashes."""
    tree = CompactRange()
    tree.extend(list(leaves))
    return tree.root()


def full_root(hashes: Sequence[bytes]) -> bytes:
    """Return the root of a full subtree from its 2^k lowest hashes."""
    row = list(hashes)
    while len(row) > 1:
        row = [_sha256(b"\x01" + left + right).digest() for left, right in zip(row[::2], row[1::2], strict=True)]
    return row[0]


def nodes_of(leaves: Sequence[bytes]) -> Nodes:
    """Return the inner hashes of a tree that is in memory, given as its leaf hashes."""

    def node(level: int, index: int) -> bytes:
        return full_root(leaves[index << level : (index + 1) << level])

    return node


def range_root(start: int, end: int, nodes: Nodes) -> bytes:
    """Return the root over leaves [start, end), where `start` is a multiple of the largest power of two within it."""
    if start == end:
        return EMPTY_ROOT
    width = end - start
    if width & (width - 1) == 0:
        level = width.bit_length() - 1
        return nodes(level, start >> level)
    split = start + _split(width)
    return node_hash(range_root(start, split, nodes), range_root(split, end, nodes))


def inclusion_proof(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """Return the proof that leaf `index` is in the tree of `size` leaves. Raises ValueError when it cannot be."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    proof: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        split = start + _split(end - start)
        if index < split:
            proof.append(range_root(split, end, nodes))
            end = split
        else:
            proof.append(range_root(start, split, nodes))
            start = split
    return proof[::-1]


def consistency_proof(old: int, new: int, nodes: Nodes) -> list[bytes]:
    """Return the proof that the tree of `old` leaves is a prefix of that of `new`. Raises ValueError if it cannot be."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {old} is no prefix of one of {new}")
    if old in (0, new):
        return []
    proof: list[bytes] = []
    start, end, whole = 0, new, True
    while old != end:
        split = start + _split(end - start)
        if old <= split:
            proof.append(range_root(split, end, nodes))
            end = split
        else:
            proof.append(range_root(start, split, nodes))
            start, whole = split, False
    if not whole:
        proof.append(range_root(start, end, nodes))
    return proof[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Return whether the proof shows the leaf hash at `index` of the tree with this size and root."""
    if not 0 <= index < size:
        return False
    place, last, digest = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            digest = node_hash(sibling, digest)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            digest = node_hash(digest, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and digest == root


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Return whether the proof shows that the tree (old, old_root) is a prefix of (new, new_root)."""
    if not 0 <= old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    first = second = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            second = node_hash(second, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root


def _split(width: int) -> int:
    """Return the largest power of two below `width` (which is 2 or more)."""
    return 1 << (width - 1).bit_length() - 1
