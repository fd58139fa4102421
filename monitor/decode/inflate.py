"""Inflate a gzip object in bounded memory. Pure; what cannot be read to its very end is Malformed, never shorter.

Speed: libdeflate first, since it is the fastest that was measured; but it stops after the first member and answers some
damage with empty output, so it is believed only where nothing of that kind can have happened. The rest goes member by
member through ISA-L, with a bound on the output.
"""

from __future__ import annotations

import deflate
from isal import igzip_lib

from monitor.errors import Malformed

MAGIC = b"\x1f\x8b\x08"
_TRAILER = 4


def inflate(data: bytes, limit: int) -> bytes | bytearray:
    """Return the whole uncompressed content, all members joined; at most `limit` bytes.

    Raises Malformed for anything that is not gzip, is cut short, fails its CRC, has trailing bytes, or would pass the limit.
    """
    if not data.startswith(MAGIC):
        raise Malformed("not gzip" if data else "empty object")
    claimed = int.from_bytes(data[-_TRAILER:], "little")
    # https://www.rfc-editor.org/rfc/rfc1952 section 2.3.1: ISIZE is the last member's size modulo 2^32. A second member
    # begins with the magic, so without a second magic there is one member only, and its size is known before it is inflated.
    if claimed <= limit and _single(data):
        try:
            content: bytearray = deflate.gzip_decompress(data)
        except (deflate.DeflateError, ValueError):
            content = bytearray()
        if content and len(content) == claimed:
            return content
    return _members(data, limit)


def _single(data: bytes) -> bool:
    """Return whether no second member can begin anywhere: a magic whose reserved flags are set begins none."""
    at = data.rfind(MAGIC)
    while at > 0:
        if at + 3 < len(data) and data[at + 3] & _RESERVED == 0:
            return False
        at = data.rfind(MAGIC, 0, at)
    return True


_RESERVED = 0xE0


def _members(data: bytes, limit: int) -> bytes:
    parts: list[bytes] = []
    left = limit
    rest = data
    while rest:
        member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        try:
            part = member.decompress(rest, max_length=left + 1)
        except igzip_lib.IsalError as broken:  # type: ignore[misc]
            raise Malformed(f"damaged gzip: {broken}") from broken
        if len(part) > left:
            raise Malformed(f"inflates to more than {limit} bytes")
        if not member.eof:
            raise Malformed("gzip cut short")
        parts.append(part)
        left -= len(part)
        rest = member.unused_data
        if rest and not rest.startswith(MAGIC):
            raise Malformed("bytes after the end of the gzip stream")
    return b"".join(parts)
