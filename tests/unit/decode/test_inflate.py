"""Inflating: exact content, or Malformed; never less than what was stored."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
import zlib

import pytest

from monitor.decode.inflate import MEMBERS, inflate
from monitor.errors import Malformed
from tests.unit.decode.samples import call, log_file, read

LIMIT = 1 << 20
CONTENT = log_file(*(read() if n % 5 else call() for n in range(40)))
OBJECT = gzip.compress(CONTENT, mtime=0)


def zipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def with_size(data: bytes, size: int) -> bytes:
    """Return the object with another ISIZE, its last four bytes."""
    return data[:-4] + struct.pack("<I", size)


def flipped(data: bytes, at: int, bit: int = 1) -> bytes:
    damaged = bytearray(data)
    damaged[at] ^= bit
    return bytes(damaged)


def test_a_whole_object_gives_its_exact_content() -> None:
    assert inflate(OBJECT, LIMIT) == CONTENT


@pytest.mark.parametrize("level", range(10))
def test_every_level_of_compression_is_read(level: int) -> None:
    assert inflate(gzip.compress(CONTENT, level, mtime=0), LIMIT) == CONTENT


@pytest.mark.parametrize(
    "content", [b"", b"x", b"\0" * 5000, bytes(range(256)) * 9], ids=["none", "one", "zeros", "all"]
)
def test_plain_content_comes_back(content: bytes) -> None:
    assert inflate(zipped(content), LIMIT) == content


@pytest.mark.parametrize(
    "members",
    [
        [b"A", b"B"],
        [b"A" * 90, b"B" * 90, b"A" * 90],
        [b"", b"B"],
        [b"A", b""],
        [b"", b"", b""],
        [CONTENT, CONTENT],
        [CONTENT, b"", CONTENT],
    ],
    ids=["AB", "ABA", "empty first", "empty last", "all empty", "same twice", "empty in the middle"],
)
def test_all_members_are_joined(members: list[bytes]) -> None:
    assert inflate(b"".join(map(zipped, members)), LIMIT) == b"".join(members)


def test_a_header_with_a_name_extra_field_comment_and_checksum_is_read() -> None:
    body = zipped(CONTENT)[10:]
    head = b"\x1f\x8b\x08" + bytes([2 | 4 | 8 | 16]) + b"\0\0\0\0\0\xff"
    head += struct.pack("<H", 3) + b"abc" + b"log.json\0" + b"a comment\0"
    head += struct.pack("<H", zlib.crc32(head) & 0xFFFF)
    assert inflate(head + body, LIMIT) == CONTENT


@pytest.mark.parametrize("end", range(0, len(OBJECT), 10))
def test_an_object_that_is_cut_short_is_malformed(end: int) -> None:
    with pytest.raises(Malformed):
        inflate(OBJECT[:end], LIMIT)


@pytest.mark.parametrize("lost", range(1, 12))
def test_a_lost_end_is_malformed(lost: int) -> None:
    with pytest.raises(Malformed):
        inflate(OBJECT[:-lost], LIMIT)


@pytest.mark.parametrize("end", range(1, len(OBJECT), 10))
def test_a_second_member_that_is_cut_short_is_malformed(end: int) -> None:
    with pytest.raises(Malformed):
        inflate(zipped(b"first") + OBJECT[:end], LIMIT)


@pytest.mark.parametrize("from_end", range(1, 9))
def test_a_wrong_checksum_or_size_is_malformed(from_end: int) -> None:
    with pytest.raises(Malformed):
        inflate(flipped(OBJECT, -from_end), LIMIT)


@pytest.mark.parametrize("size", [0, 1, len(CONTENT) - 1, len(CONTENT) + 1, LIMIT, LIMIT + 1, 2**32 - 1])
def test_a_lying_size_is_malformed(size: int) -> None:
    with pytest.raises(Malformed):
        inflate(with_size(OBJECT, size), LIMIT)


@pytest.mark.parametrize("at", range(12, len(OBJECT) - 8, 10))
def test_a_flipped_bit_gives_malformed_or_the_content(at: int) -> None:
    try:
        found = inflate(flipped(OBJECT, at, 0x10), LIMIT)
    except Malformed:
        return
    assert found == CONTENT


@pytest.mark.parametrize(
    "tail",
    [b"\0", b"\0\0\0\0", b"\n", b"junk", b"\x1f", b"\x1f\x8b", b"\x1f\x8b\x08", b"\0" * 512, OBJECT[-4:], OBJECT[-8:]],
    ids=["zero", "zeros", "newline", "junk", "1f", "1f8b", "1f8b08", "padding", "isize again", "trailer again"],
)
def test_bytes_after_the_end_are_malformed(tail: bytes) -> None:
    with pytest.raises(Malformed):
        inflate(OBJECT + tail, LIMIT)


@pytest.mark.parametrize(("at", "bit"), [(0, 1), (1, 1), (2, 1), (3, 0x20), (3, 0x40), (3, 0x80)], ids=str)
def test_a_second_member_with_a_damaged_head_is_never_passed_over(at: int, bit: int) -> None:
    # The last four bytes are the second member's size, and equal the first one's.
    first, second = log_file(call()), log_file(call())
    assert len(first) == len(second)
    try:
        found = inflate(zipped(first) + flipped(zipped(second), at, bit), LIMIT)
    except Malformed:
        return
    assert found == first + second


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x1f",
        b"{}",
        CONTENT,
        b"PK\x03\x04" + b"\0" * 30,
        b"BZh91AY",
        zlib.compress(CONTENT),
        OBJECT[1:],
        b" " + OBJECT,
    ],
    ids=["empty", "one byte", "json", "not compressed", "zip", "bzip2", "zlib", "head lost", "blank before"],
)
def test_what_is_not_gzip_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        inflate(data, LIMIT)


def test_the_reason_tells_an_empty_object_from_one_that_is_not_gzip() -> None:
    with pytest.raises(Malformed, match="empty object"):
        inflate(b"", LIMIT)
    with pytest.raises(Malformed, match="not gzip"):
        inflate(b"{}", LIMIT)


def test_the_limit_itself_is_allowed_and_one_byte_more_is_not() -> None:
    for data in (zipped(b"x" * 1000), zipped(b"x" * 400) + zipped(b"x" * 600)):
        assert len(inflate(data, 1000)) == 1000
        with pytest.raises(Malformed, match="999"):
            inflate(data, 999)


@pytest.mark.parametrize("lie", [0, 7, LIMIT - 1])
def test_a_bomb_is_stopped_at_the_limit_in_bounded_memory(lie: int) -> None:
    bomb = with_size(zipped(b"\0" * (64 << 20)), lie)
    tracemalloc.start()
    try:
        with pytest.raises(Malformed):
            inflate(bomb, LIMIT)
        assert tracemalloc.get_traced_memory()[1] < 8 * LIMIT
    finally:
        tracemalloc.stop()


def test_an_honest_bomb_is_stopped_at_the_limit() -> None:
    with pytest.raises(Malformed, match="more than"):
        inflate(zipped(b"\0" * (64 << 20)), LIMIT)


def test_many_members_that_pass_the_limit_together_are_malformed() -> None:
    with pytest.raises(Malformed, match="more than"):
        inflate(zipped(b"x" * 600) * 2, 1000)


def test_an_object_of_very_many_members_is_refused() -> None:
    # An object of empty members: 20 bytes each, so that a copy of the rest for each member would cost the square.
    member = zipped(b"")
    assert inflate(member * MEMBERS, LIMIT) == b""
    with pytest.raises(Malformed, match="members"):
        inflate(member * 100_000, LIMIT)
