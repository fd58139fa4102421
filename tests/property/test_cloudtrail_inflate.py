"""Law of inflating: the exact content that gzip gives, or Malformed, whatever the bytes."""

from __future__ import annotations

import gzip
import zlib

from hypothesis import example, given
from hypothesis import strategies as st

from monitor.decode.inflate import inflate
from monitor.errors import Malformed

LIMIT = 4096
contents = st.binary(max_size=200) | st.integers(0, 3 * LIMIT).map(lambda n: b"ab" * (n // 2))
members = st.builds(lambda content, level: gzip.compress(content, level, mtime=0), contents, st.integers(0, 9))
streams = st.lists(members, min_size=1, max_size=4).map(b"".join)


def by_gzip(data: bytes) -> bytes | None:
    """Return the content, or None for what Python's own reader refuses, or is more than the limit."""
    try:
        found = gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return None
    return found if data and len(found) <= LIMIT else None


def agrees(data: bytes, stored: bytes | None = None) -> None:
    """Hold the law for some bytes. `stored` is content that is right as well, although gzip refuses the bytes."""
    try:
        found = inflate(data, LIMIT)
    except Malformed:
        return
    assert found == by_gzip(data) or (stored is not None and found == stored)


@given(st.binary(max_size=300) | st.binary(max_size=200).map(lambda tail: b"\x1f\x8b\x08" + tail))
def test_any_bytes(data: bytes) -> None:
    agrees(data)


@given(streams)
@example(gzip.compress(b"x" * LIMIT, mtime=0))
def test_a_whole_stream_is_read_exactly(data: bytes) -> None:
    whole = by_gzip(data)
    if whole is None:
        agrees(data)
    else:
        assert inflate(data, LIMIT) == whole


@given(streams, st.data())
def test_a_damaged_stream(data: bytes, draw: st.DataObject) -> None:
    damaged = bytearray(data)
    for _ in range(draw.draw(st.integers(1, 4))):
        at = draw.draw(st.integers(0, len(damaged)))
        how = draw.draw(st.sampled_from(["flip", "cut", "insert", "drop", "repeat tail"]))
        if how == "flip" and at < len(damaged):
            damaged[at] ^= 1 << draw.draw(st.integers(0, 7))
        elif how == "cut":
            del damaged[at:]
        elif how == "insert":
            damaged[at:at] = draw.draw(st.binary(min_size=1, max_size=8))
        elif how == "drop":
            del damaged[at : at + draw.draw(st.integers(1, 8))]
        else:
            damaged += damaged[-draw.draw(st.integers(1, 16)) :]
    # Some flipped bits do not matter: the content is whole, by length and checksum, though a stricter reader objects.
    agrees(bytes(damaged), by_gzip(data) if len(damaged) == len(data) else None)


@given(streams, st.binary(min_size=1, max_size=40))
def test_nothing_may_follow_the_last_member_unseen(data: bytes, tail: bytes) -> None:
    agrees(data + tail)
    agrees(data + tail + data[-4:])


@given(contents, contents, st.integers(0, 9), st.integers(0, 7))
def test_a_flipped_bit_in_the_head_of_a_second_member_hides_none_of_it(
    one: bytes, two: bytes, at: int, bit: int
) -> None:
    second = bytearray(gzip.compress((two + one)[: len(one)], mtime=0))
    second[at] ^= 1 << bit
    agrees(gzip.compress(one, mtime=0) + bytes(second))
