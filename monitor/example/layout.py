"""Where CloudTrail puts things in a bucket, and how they are written to a folder of the same layout.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html
"""

from __future__ import annotations

import struct
import zlib
from datetime import datetime
from pathlib import Path

from monitor.example.cast import EAST, ORGANISATION, TRAIL, Chain


def day(moment: datetime) -> str:
    """Return the folder of a day, YYYY/MM/DD."""
    return f"{moment.year:04d}/{moment.month:02d}/{moment.day:02d}"


def prefix(account: str, kind: str, region: str, organisation: str = ORGANISATION) -> str:
    """Return the prefix of one account, kind (`CloudTrail`, `CloudTrail-Digest` …) and region, with no slash at the end."""
    owner = f"{organisation}/" if organisation else ""
    return f"AWSLogs/{owner}{account}/{kind}/{region}"


def log_key(account: str, region: str, delivered: datetime, suffix: str, organisation: str = ORGANISATION) -> str:
    """Return the key of a log object; `suffix` is its 16 letters and digits."""
    moment = f"{delivered:%Y%m%d}T{delivered:%H%M}Z"
    name = f"{account}_CloudTrail_{region}_{moment}_{suffix}.json.gz"
    return f"{prefix(account, 'CloudTrail', region, organisation)}/{day(delivered)}/{name}"


def digest_key(chain: Chain, end: datetime) -> str:
    """Return the key of the digest that ends at this moment."""
    moment = f"{end:%Y%m%d}T{end:%H%M%S}Z"
    name = f"{chain.account}_CloudTrail-Digest_{chain.region}_{TRAIL}_{EAST}_{moment}.json.gz"
    return f"{prefix(chain.account, 'CloudTrail-Digest', chain.region)}/{day(end)}/{name}"


def gzipped(raw: bytes, level: int = 6) -> bytes:
    """Return the bytes as one gzip member with no time and no name, so that the same content is the same file."""
    packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, 9)
    packed = packer.compress(raw) + packer.flush()
    return (
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
        + packed
        + struct.pack("<II", zlib.crc32(raw), len(raw) & 0xFFFFFFFF)
    )


def write(root: Path, key: str, content: bytes) -> int:
    """Write one object under the root and return its size in bytes."""
    path = root / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return len(content)
