"""What a digest chain proves, and each way in which it fails to."""

from __future__ import annotations

import gzip
import random
from datetime import timedelta

import msgspec
import pytest

from monitor.decode.cloudtrail_digest import DigestObject, expected_hashes, judged_until
from monitor.model import Unknown, Window
from tests.unit.aws_digest.chain import (
    ACCOUNT,
    DIGESTS,
    FINGERPRINT,
    HOUR,
    START,
    Chain,
    altered,
    digest_key,
    good,
    kinds,
    public_der,
    unsigned,
    verify,
    window,
)


def test_a_whole_chain_has_no_problem_and_verifies_every_file() -> None:
    verified = verify(good())
    assert (verified.problems, verified.unproven) == ((), ())
    assert (verified.digests, verified.files, verified.files_verified) == (6, 12, 12)
    assert verified.source == "aws-cloudtrail-digest"
    assert [ref.name for ref in verified.evidence] == [digest_key(START + 6 * HOUR)]


def test_the_order_in_which_digests_come_does_not_matter() -> None:
    chain = good()
    shuffled = random.Random(1).sample(chain.digests, len(chain.digests))
    assert verify(chain, digests=[*shuffled, *chain.digests]) == verify(chain)


def test_an_altered_log_file_is_named() -> None:
    chain = good()
    key = sorted(chain.logs)[3]
    verified = verify(chain, logs=chain.logs | {key: "0" * 64})
    assert [(p.kind, p.name) for p in verified.problems] == [("altered-file", key)]
    assert verified.files_verified == 11


def test_a_missing_log_file_is_named() -> None:
    chain = good()
    key = sorted(chain.logs)[3]
    verified = verify(chain, logs={k: v for k, v in chain.logs.items() if k != key})
    assert [(p.kind, p.name) for p in verified.problems] == [("missing-file", key)]


def test_a_log_file_that_could_not_be_read_is_unproven_not_a_problem() -> None:
    chain = good()
    verified = verify(chain, logs=chain.logs | {min(chain.logs): None})
    assert verified.problems == ()
    assert [type(doubt) for doubt in verified.unproven] == [Unknown]
    assert verified.files_verified == 11


def test_hashes_are_compared_without_regard_to_case() -> None:
    chain = good()
    assert verify(chain, logs={key: (value or "").upper() for key, value in chain.logs.items()}).problems == ()


def test_a_missing_digest_inside_is_a_gap_and_is_named() -> None:
    chain = good()
    verified = verify(chain, digests=chain.digests[:2] + chain.digests[3:])
    assert {(p.kind, p.start, p.end) for p in verified.problems} == {
        ("gap", START + 2 * HOUR, START + 3 * HOUR),
        ("missing-digest", START + 2 * HOUR, START + 3 * HOUR),
    }
    assert chain.digests[2].key in [p.name for p in verified.problems]


def test_a_missing_digest_at_the_start_is_a_gap() -> None:
    chain = good()
    verified = verify(chain, digests=chain.digests[1:])
    assert [(p.start, p.end) for p in verified.problems if p.kind == "gap"] == [(START, START + HOUR)]


def test_missing_digests_at_the_end_are_a_gap_but_the_newest_hour_may_still_come() -> None:
    chain = good()
    assert verify(chain, digests=chain.digests[:5]).problems == ()
    verified = verify(chain, digests=chain.digests[:4])
    assert [(p.kind, p.start, p.end) for p in verified.problems] == [("gap", START + 4 * HOUR, START + 5 * HOUR)]


def test_no_digest_at_all_is_a_gap_over_the_whole_window() -> None:
    verified = verify(good(), digests=[])
    assert [(p.kind, p.start, p.end) for p in verified.problems] == [("gap", START, START + 6 * HOUR)]


def test_without_public_keys_nothing_is_proven() -> None:
    verified = verify(good(), keys={})
    assert verified.problems == ()
    assert verified.files_verified == 0
    assert ["cloudtrail:ListPublicKeys" in doubt.grant for doubt in verified.unproven] == [True]


def test_a_chain_signed_with_another_key_is_refused() -> None:
    assert kinds(verify(Chain(key=1).hours(6))) == ["bad-signature"]


def test_a_key_that_the_provider_does_not_list_is_refused() -> None:
    assert kinds(verify(good(), keys={"ff" * 16: public_der()})) == ["bad-signature"]


@pytest.mark.parametrize("der", [b"", b"\x30\x03\x02\x01\x05", b"garbage"])
def test_an_unreadable_public_key_leaves_the_chain_unproven(der: bytes) -> None:
    verified = verify(good(), keys={FINGERPRINT: der})
    assert verified.problems == ()
    assert len(verified.unproven) == 6
    assert verified.files_verified == 0


def test_an_altered_digest_breaks_its_signature_and_the_link_to_it() -> None:
    chain = good()
    forged = altered(chain.digests[2], lambda body: body["logFiles"].clear())
    verified = verify(chain, digests=[*chain.digests[:2], forged, *chain.digests[3:]])
    assert [(p.kind, p.name) for p in verified.problems] == [
        ("bad-signature", chain.digests[2].key),
        ("broken-link", chain.digests[3].key),
    ]


def test_an_altered_digest_without_signature_is_caught_by_the_one_its_successor_carries() -> None:
    chain = good()
    forged = unsigned(altered(chain.digests[2], lambda body: body["logFiles"].clear()))
    verified = verify(chain, digests=[*chain.digests[:2], forged, *chain.digests[3:]])
    assert kinds(verified) == ["bad-signature", "broken-link"]


def test_two_digests_swapped_are_both_refused() -> None:
    chain = good()
    first, second = chain.digests[1], chain.digests[2]
    swapped = [
        msgspec.structs.replace(first, body=second.body, signature=second.signature),
        msgspec.structs.replace(second, body=first.body, signature=first.signature),
    ]
    verified = verify(chain, digests=[chain.digests[0], *swapped, *chain.digests[3:]])
    assert {p.name for p in verified.problems if p.kind == "bad-signature"} == {first.key, second.key}


@pytest.mark.parametrize("signature", ["", "zz", "00" * 256, "é"])
def test_a_worthless_signature_is_refused(signature: str) -> None:
    chain = good()
    spoilt = msgspec.structs.replace(chain.digests[5], signature=signature)
    assert kinds(verify(chain, digests=[*chain.digests[:5], spoilt])) == ["bad-signature"]


def test_a_signature_that_differs_from_the_one_its_successor_names_is_a_broken_link() -> None:
    chain = good()
    spoilt = msgspec.structs.replace(chain.digests[2], signature=chain.digests[1].signature)
    verified = verify(chain, digests=[*chain.digests[:2], spoilt, *chain.digests[3:]])
    assert kinds(verified) == ["bad-signature", "broken-link"]


def test_another_signature_algorithm_is_refused() -> None:
    chain = good()
    other = altered(chain.digests[5], lambda body: body.update(digestSignatureAlgorithm="SHA1withRSA"))
    assert kinds(verify(chain, digests=[*chain.digests[:5], other])) == ["bad-signature"]


def test_a_copy_without_metadata_is_proven_by_the_successors_but_for_the_newest() -> None:
    chain = good(5)
    verified = verify(chain, digests=[unsigned(digest) for digest in chain.digests])
    assert verified.problems == ()
    assert len(verified.unproven) == 1
    assert chain.digests[-1].key in verified.unproven[0].reason
    assert verified.files_verified == 8


def test_the_newest_digest_of_a_copy_is_left_to_the_next_window_if_it_is_not_demanded_yet() -> None:
    chain = good(6)
    copies = [unsigned(digest) for digest in chain.digests]
    verified = verify(chain, digests=copies)
    assert (verified.problems, verified.unproven) == ((), ())
    assert (verified.digests, verified.files, verified.files_verified) == (5, 10, 10)
    forged = unsigned(altered(chain.digests[5], lambda body: body["logFiles"].clear()))
    seventh = unsigned(good(7).digests[6])
    over = Window(judged_until(window()), START + 8 * HOUR)
    assert kinds(verify(good(7), digests=[*copies[:5], forged, seventh], over=over)) == ["bad-signature", "broken-link"]


def test_windows_that_begin_where_the_last_was_judged_up_to_leave_no_hour_out() -> None:
    chain, first = good(12), window(6)
    without = [digest for number, digest in enumerate(chain.digests) if number != 5]
    assert verify(chain, digests=without[:5], over=first).problems == ()
    second = Window(judged_until(first), START + 12 * HOUR)
    assert kinds(verify(chain, digests=without, over=second)) == ["gap", "missing-digest"]


def test_a_digest_after_the_window_carries_the_signature_of_the_last_one_in_it() -> None:
    chain = good(7)
    verified = verify(chain, digests=[unsigned(digest) for digest in chain.digests], over=window(6))
    assert (verified.problems, verified.unproven, verified.digests) == ((), (), 6)


def test_a_restarted_chain_is_a_gap_from_its_stop_to_its_start() -> None:
    chain = Chain().hours(2).restart(START + 2.5 * HOUR).hours(4)
    verified = verify(chain)
    assert [(p.kind, p.start, p.end) for p in verified.problems] == [("gap", START + 2 * HOUR, START + 2.5 * HOUR)]


def test_a_chain_that_starts_anew_without_a_pause_is_still_a_gap() -> None:
    verified = verify(Chain().hours(2).restart(START + 2 * HOUR).hours(4))
    assert [(p.kind, p.start, p.end) for p in verified.problems] == [("gap", START + 2 * HOUR, START + 2 * HOUR)]


def test_a_first_digest_is_no_problem_at_the_start_of_the_window_and_a_gap_before_it() -> None:
    assert verify(good(8), over=window(6, START)).problems == ()
    verified = verify(good(8), over=window(7, START - HOUR))
    assert [(p.kind, p.start, p.end) for p in verified.problems] == [("gap", START - HOUR, START)]


def test_backfill_is_a_chain_of_its_own_that_makes_no_gap_and_fills_none() -> None:
    chain, late = good(), Chain(backfill=True, trail="org-trail")
    late.restart(START + HOUR).hours(1).restart(START + 4 * HOUR).hours(1)
    both = verify(chain, digests=chain.digests + late.digests)
    assert (both.problems, both.unproven, both.digests, both.files_verified) == ((), (), 8, 16)
    only = verify(chain, digests=late.digests)
    assert [(p.kind, p.start, p.end) for p in only.problems] == [("gap", START, START + 6 * HOUR)]


def test_an_altered_backfill_digest_is_refused() -> None:
    chain, late = good(), Chain(backfill=True).restart(START + HOUR).hours(1)
    forged = altered(late.digests[0], lambda body: body["logFiles"].clear())
    assert kinds(verify(chain, digests=[*chain.digests, forged])) == ["bad-signature"]


def test_two_trails_in_one_bucket_are_two_chains() -> None:
    one, two = good(), Chain(trail="team-trail").hours(6)
    verified = verify(one, digests=one.digests + two.digests, logs=one.logs | two.logs)
    assert (verified.problems, verified.files_verified) == ((), 24)
    assert len(verified.evidence) == 2


def test_digests_from_before_the_window_serve_the_link_and_are_not_judged() -> None:
    chain = good()
    forged = altered(chain.digests[0], lambda body: body["logFiles"].clear())
    over = window(4, START + 2 * HOUR)
    assert verify(chain, digests=[forged, *chain.digests[1:]], over=over).problems == ()
    spoilt = altered(chain.digests[1], lambda body: body["logFiles"].clear())
    assert kinds(verify(chain, digests=[chain.digests[0], spoilt, *chain.digests[2:]], over=over)) == ["broken-link"]


def test_a_log_file_is_demanded_in_the_window_in_which_it_was_delivered() -> None:
    chain = good(7)
    ends_inside = window(5.5)
    delivered_after = {key for key in chain.logs if "T05" in key.rpartition("/")[2]}
    read = {key: value for key, value in chain.logs.items() if key not in delivered_after}
    assert kinds(verify(chain, logs=read, over=ends_inside)) == ["missing-file"]
    later = {key: value for key, value in chain.logs.items() if "T05" in key or "T06" in key}
    assert verify(chain, logs=later, over=window(1.5, START + 5 * HOUR)).problems == ()
    assert verify(chain, logs={}, over=window(0.9, START + 5.5 * HOUR)).problems != ()


def test_a_digest_that_could_not_be_fetched_is_unproven_and_no_gap() -> None:
    chain = good()
    denied = DigestObject(bucket="b", key=chain.digests[2].key, error="AccessDenied")
    verified = verify(chain, digests=[*chain.digests[:2], denied, *chain.digests[3:]])
    assert verified.problems == ()
    assert ["AccessDenied" in doubt.reason for doubt in verified.unproven] == [True]


def test_a_digest_of_another_account_or_region_is_a_stranger() -> None:
    chain = good()
    other = altered(chain.digests[5], lambda body: body.update(awsAccountId="444455556666"))
    assert kinds(verify(chain, digests=[*chain.digests[:5], other])) == ["unreadable-digest"]
    moved = altered(chain.digests[5], lambda body: body.update(digestS3Object=f"AWSLogs/{ACCOUNT}/x.json.gz"))
    assert kinds(verify(chain, digests=[*chain.digests[:5], moved])) == ["unreadable-digest"]


def test_a_copy_in_another_bucket_below_another_prefix_still_verifies() -> None:
    chain = good()
    copies = [msgspec.structs.replace(d, bucket="archive", key=f"2026/{d.key}") for d in chain.digests]
    logs = {f"2026/{key}": value for key, value in chain.logs.items()}
    verified = verify(chain, digests=copies, logs=logs)
    assert (verified.problems, verified.unproven, verified.files_verified) == ((), (), 12)


def test_two_different_objects_under_one_key_are_a_problem() -> None:
    chain = good()
    twin = altered(chain.digests[2], lambda body: body["logFiles"].clear())
    assert "unreadable-digest" in kinds(verify(chain, digests=[*chain.digests, twin]))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        gzip.compress(b"", mtime=0),
        gzip.compress(b"{}", mtime=0),
        gzip.compress(b"[" * 100_000, mtime=0),
        gzip.compress(b'{"x":' * 50_000, mtime=0),
        gzip.compress(b"\xff\xfe", mtime=0),
        gzip.compress(bytes(40 * 2**20), mtime=0),
        gzip.compress(b"{}", mtime=0)[:-4],
    ],
)
def test_what_is_not_a_digest_is_unreadable_and_leaves_a_gap(body: bytes) -> None:
    chain = good()
    broken = msgspec.structs.replace(chain.digests[2], body=body)
    verified = verify(chain, digests=[*chain.digests[:2], broken, *chain.digests[3:]])
    assert kinds(verified) == ["gap", "unreadable-digest"]
    assert all(p.kind != "broken-link" for p in verified.problems)


def test_a_digest_in_two_gzip_members_is_read() -> None:
    chain = good()
    raw = gzip.decompress(chain.digests[2].body)
    split = msgspec.structs.replace(chain.digests[2], body=gzip.compress(raw[:100]) + gzip.compress(raw[100:]))
    assert verify(chain, digests=[*chain.digests[:2], split, *chain.digests[3:]]).problems == ()


def test_a_flood_of_problems_is_counted_not_kept() -> None:
    chain = Chain().hours(6, files=0)
    entry = {"s3Bucket": "b", "hashValue": "0" * 64, "hashAlgorithm": "SHA-256"}
    flood = altered(
        chain.digests[5],
        lambda body: body.update(logFiles=[entry | {"s3Object": f"log/{n}"} for n in range(5000)]),
    )
    verified = verify(chain, digests=[*chain.digests[:5], flood])
    assert len(verified.problems) == 1001
    assert "more problems" in verified.problems[-1].detail


def test_a_window_shorter_than_an_hour_without_digest_is_unproven() -> None:
    verified = verify(good(), digests=[], over=window(0.5))
    assert verified.problems == ()
    assert len(verified.unproven) == 1


def test_expected_hashes_are_those_of_all_readable_digests() -> None:
    chain = good()
    junk = DigestObject(bucket="b", key=f"{DIGESTS}/junk.json.gz", body=b"junk")
    failed = DigestObject(bucket="b", key=f"{DIGESTS}/other.json.gz", error="timeout")
    assert expected_hashes([junk, failed, *chain.digests]) == chain.logs


def test_digests_off_the_full_hour_tile_as_well() -> None:
    chain = Chain(end=START - timedelta(minutes=58, seconds=29)).hours(8)
    assert verify(chain).problems == ()
