"""Inflate a gzip object in bounded memory. Pure; what cannot be read to its very end is Malformed, never shorter.

Every member is read to its end, its CRC and size are checked, and nothing may follow the last one. The size that the last
member claims is given as the first bound: an output buffer of the right size saves a third of the time.

Small objects, the common case, go through libdeflate, which has no set-up cost. It does not tell where the first member
ends; but its CRC and size, which it has checked, are the trailer, and if these eight bytes stand nowhere but at the very end
of the object, then that is where it ends.
"""

from __future__ import annotations

import deflate
from isal import igzip_lib

from monitor.errors import Malformed

MAGIC = b"\x1f\x8b\x08"
MEMBERS = 1000
_GUESS = 1 << 16
_SMALL = 1 << 16


def inflate(data: bytes, limit: int) -> bytes | bytearray:
    """Return the whole uncompressed content, all members joined; at most `limit` bytes.

    Raises Malformed for anything that is not gzip, is cut short, fails its CRC, has trailing bytes, or would pass the limit.
    """
    if not data.startswith(MAGIC):
        raise Malformed("not gzip" if data else "empty object")
    # https://www.rfc-editor.org/rfc/rfc1952 section 2.3.1: ISIZE is the last member's size modulo 2^32. It is a hint only.
    hint = int.from_bytes(data[-4:], "little")
    if len(data) < _SMALL and hint <= limit:
        content = _whole(data, hint)
        if content:
            return content
    first, rest = _member(data, limit, limit, hint)
    if not rest:
        return first
    parts = [first]
    left = limit - len(first)
    while rest:
        # Each member costs a copy of all that follows it: without a bound, small members would cost the square.
        if len(parts) >= MEMBERS:
            raise Malformed(f"more than {MEMBERS} gzip members")
        part, rest = _member(rest, left, limit, _GUESS)
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _whole(data: bytes, claimed: int) -> bytes | bytearray:
    """Return the content if the object is one member and nothing else; empty if that is not certain."""
    try:
        content: bytearray = deflate.gzip_decompress(data)
    except (deflate.DeflateError, ValueError):
        return b""
    trailer = data[-8:]
    exact = len(content) == claimed and deflate.crc32(content) == int.from_bytes(trailer[:4], "little")
    return content if exact and data.find(trailer) == len(data) - len(trailer) else b""


def _member(data: bytes, left: int, limit: int, hint: int) -> tuple[bytes, bytes]:
    """Return the content of the first member, at most `left` bytes, and what follows it."""
    if not data.startswith(MAGIC):
        raise Malformed("bytes after the end of the gzip stream")
    reader = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    try:
        parts = [reader.decompress(data, max_length=min(max(hint, 1), left + 1))]
        size = len(parts[0])
        while not reader.eof and size <= left:
            more = reader.decompress(b"", max_length=min(max(size, _GUESS), left + 1 - size))
            if not more and not reader.eof:
                raise Malformed("gzip cut short")
            parts.append(more)
            size += len(more)
    except igzip_lib.IsalError as broken:  # type: ignore[misc]
        raise Malformed(f"damaged gzip: {broken}") from broken
    if size > left:
        raise Malformed(f"inflates to more than {limit} bytes")
    return (parts[0] if len(parts) == 1 else b"".join(parts)), reader.unused_data
