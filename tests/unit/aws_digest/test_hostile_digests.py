"""Laws: whatever the digests hold, verification never raises, and only a genuine chain comes out clean."""

from __future__ import annotations

import gzip
import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.decode.cloudtrail_digest import DigestObject, expected_hashes
from tests.unit.aws_digest.chain import content, digest_key, good, verify

CHAIN = good()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = sorted(content(CHAIN.digests[3]))


def with_third(body: bytes, signature: str | None) -> list[DigestObject]:
    spoilt = msgspec.structs.replace(CHAIN.digests[3], body=body, signature=signature)
    return [*CHAIN.digests[:3], spoilt, *CHAIN.digests[4:]]


@given(st.binary() | JSON.map(lambda value: gzip.compress(json.dumps(value).encode())), st.none() | st.text())
def test_any_bytes_in_place_of_a_digest_never_raise_and_never_pass(body: bytes, signature: str | None) -> None:
    verified = verify(CHAIN, digests=with_third(body, signature))
    assert verified.problems
    expected_hashes(with_third(body, signature))


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), JSON, min_size=1), st.booleans())
def test_any_change_of_a_digest_is_a_problem(change: dict[str, Any], signed: bool) -> None:
    before = content(CHAIN.digests[3])
    after = before | change
    if json.dumps(before, sort_keys=True) == json.dumps(after, sort_keys=True):
        return
    body = gzip.compress(json.dumps(after).encode())
    assert verify(CHAIN, digests=with_third(body, CHAIN.digests[3].signature if signed else None)).problems


@given(st.integers(min_value=0), st.integers(0, 7))
def test_any_flipped_bit_of_a_digest_is_a_problem(place: int, bit: int) -> None:
    raw = bytearray(gzip.decompress(CHAIN.digests[3].body))
    raw[place % len(raw)] ^= 1 << bit
    assert verify(CHAIN, digests=with_third(gzip.compress(bytes(raw)), CHAIN.digests[3].signature)).problems


@given(
    st.lists(
        st.builds(DigestObject, bucket=st.text(), key=st.text() | st.just(digest_key(CHAIN.end)), body=st.binary())
    )
)
def test_strangers_alone_never_pass(digests: list[DigestObject]) -> None:
    assert verify(CHAIN, digests=digests).problems


@given(st.sets(st.integers(0, 4), min_size=1))
def test_any_digests_taken_away_before_the_newest_hour_leave_a_problem(lost: set[int]) -> None:
    kept = [digest for number, digest in enumerate(CHAIN.digests) if number not in lost]
    assert verify(CHAIN, digests=kept).problems


@given(st.dictionaries(st.sampled_from(sorted(CHAIN.logs)), st.none() | st.text(), min_size=1))
def test_no_changed_log_hash_counts_as_verified(changed: dict[str, str | None]) -> None:
    verified = verify(CHAIN, logs=CHAIN.logs | changed)
    same = sum(value is not None and value.lower() == CHAIN.logs[key] for key, value in changed.items())
    assert verified.files_verified == len(CHAIN.logs) - len(changed) + same
    assert bool(verified.problems or verified.unproven) == (same < len(changed))
