"""Sifting a log file: what the fast pass flags is what the slow one flags, and what json.loads sees."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from monitor.decode.cloudtrail_identity import Holders
from monitor.decode.cloudtrail_wire import Pass, Slim, sift, sift_slowly
from monitor.example import cast, exchanges
from monitor.example.records import Record, user_identity
from tests.unit.decode.independent import lost, records_of, shown
from tests.unit.decode.samples import (
    CHANCE,
    by_service,
    call,
    compact,
    log_file,
    person,
    pipeline,
    read,
    with_last,
    without,
)

USER = user_identity(cast.PAYMENTS, "report-export", "AKIAEXAMPLEEXAMPLE01")
READ, WRITE, OTHER = read(), call(), call("ecs:UpdateService", person())
SERVICE = by_service()
TOKEN = exchanges.web_identity(CHANCE, pipeline(), cast.PAYMENTS_SUBJECT)
DEEP = 100_000


def everything(slim: Slim) -> str:
    return ""


def both(content: bytes, plain: Callable[[Slim], str] = everything) -> Pass:
    """Return what the fast pass gave, after it was compared with the slow one and with json.loads."""
    fast, slow = sift(content, plain), sift_slowly(content, plain)
    assert shown(fast) == shown(slow)
    assert shown(sift(bytearray(content), plain)) == shown(fast)
    if plain is everything:
        assert lost(content, fast) == []
    return fast


def flagged(content: bytes) -> list[int]:
    found = both(content)
    assert not found.damage
    return [f.number for f in found.flagged]


def text(content: bytes, old: bytes, new: bytes, count: int = 1) -> bytes:
    """Return the content with a piece replaced, which must be there."""
    assert content.count(old) >= count
    return content.replace(old, new, count)


CANONICAL: dict[str, tuple[list[Record], list[int]]] = {
    "one write": ([WRITE], [0]),
    "one read": ([READ], []),
    "none": ([], []),
    "write first": ([WRITE, READ, READ], [0]),
    "write last": ([READ, READ, WRITE], [2]),
    "writes side by side": ([READ, WRITE, OTHER, READ], [1, 2]),
    "all": ([WRITE, OTHER, SERVICE, READ, TOKEN], [0, 1, 2, 4]),
    "token exchange marked as read": ([READ, TOKEN], [1]),
    "the same record twice": ([WRITE, WRITE], [0, 1]),
    "users": ([read(who=USER), call(who=USER)], [1]),
    "flag absent": ([READ, without(WRITE, "readOnly")], [1]),
    "flag null": ([READ, {**WRITE, "readOnly": None}], [1]),
    "without identity": ([READ, without(WRITE, "userIdentity"), READ], [1]),
    "without identity, last": ([READ, without(WRITE, "userIdentity")], [1]),
    "read without identity": ([without(READ, "userIdentity"), WRITE], [1]),
    "without any identity": ([without(READ, "userIdentity"), without(WRITE, "userIdentity")], [1]),
    "identity null": ([READ, {**WRITE, "userIdentity": None}, WRITE], [1, 2]),
    "identity a string": ([{**WRITE, "userIdentity": "someone"}], [0]),
    "identity a list": ([{**WRITE, "userIdentity": [WRITE]}, READ], [0]),
    "empty record": ([READ, {}, WRITE], [1, 2]),
    "many": ([WRITE if n % 7 == 0 else READ for n in range(200)], list(range(0, 200, 7))),
    "long": ([{**WRITE, "requestParameters": {"text": "x" * 300_000}}, READ], [0]),
    "non-ASCII": ([{**WRITE, "userAgent": "agent \u00fc \u4e16 \U0001f680 \u202e \x00"}], [0]),
}


@pytest.mark.parametrize("case", CANONICAL)
def test_writes_and_exchanges_of_a_canonical_file_are_flagged(case: str) -> None:
    records, expected = CANONICAL[case]
    content = log_file(*records)
    found = both(content)
    assert [f.number for f in found.flagged] == expected
    assert (found.records, found.damage) == (len(records), "")
    assert [f.body for f in found.flagged] == [compact(records[n]) for n in expected]
    times = [r["eventTime"] for r in records if "eventTime" in r]
    assert (found.first, found.last) == (min(times, default=""), max(times, default=""))


LOOK_ALIKE = with_last(without(READ, "eventVersion", "userIdentity"), eventVersion="1.11", userIdentity=USER)
NESTED: dict[str, dict[str, Any]] = {
    "readOnly true": {"containerDefinitions": [{"mountPoints": [{"containerPath": "/etc", "readOnly": True}]}]},
    "readOnly false": {"containerDefinitions": [{"mountPoints": [{"containerPath": "/etc", "readOnly": False}]}]},
    "a complete read": READ,
    "a complete write": OTHER,
    "a read with its identity last": LOOK_ALIKE,
    "a complete file": {"Records": [READ, WRITE]},
    "eventVersion first": {"eventVersion": "1.11", "detail": {"eventVersion": "1.0"}},
    "eventID and readOnly": {"eventID": CHANCE.uuid(), "readOnly": True, "managementEvent": False},
    "identity": {"userIdentity": {"type": "AWSService", "invokedBy": "ecs.amazonaws.com"}},
    "names of services": {"eventSource": "sts.amazonaws.com", "eventName": "DescribeInstances"},
    "bytes of a record in a string": {"body": compact(READ).decode(), "more": '{"eventVersion":'},
    "brackets in a string": {"body": ']}],[{"', "more": "}]}" * 20},
    "escapes": {"body": '\\"readOnly\\":true', "slash": "\\", "end": '\\"'},
}
PLACES = ("requestParameters", "responseElements", "additionalEventData", "serviceEventDetails", "tlsDetails")


@pytest.mark.parametrize("case", NESTED)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("flag", [False, True, None], ids=["write", "read", "no flag"])
def test_what_is_nested_in_a_record_decides_nothing(case: str, place: str, flag: bool | None) -> None:
    outer = {**WRITE, place: NESTED[case], "readOnly": flag}
    if flag is None:
        outer = without(outer, "readOnly")
    for order in (outer, with_last(outer, userIdentity=WRITE["userIdentity"]), dict(sorted(outer.items()))):
        content = log_file(READ, order, READ, order)
        assert flagged(content) == ([] if flag else [1, 3])
        assert [f.body for f in both(content).flagged] == ([] if flag else [compact(order)] * 2)


def test_a_record_without_flag_is_not_excused_by_a_nested_look_alike_of_both_keys() -> None:
    # The hole of byte filters: no flag of its own, and a hostile request that looks like the end of a record.
    bare = without(WRITE, "readOnly", "eventID")
    hostile = {**bare, "requestParameters": {"eventID": CHANCE.uuid(), "readOnly": True}}
    assert flagged(log_file(READ, hostile, READ)) == [1]


@pytest.mark.parametrize("nested", [True, False])
def test_an_identity_that_holds_a_record_is_no_record(nested: bool) -> None:
    hostile = {**WRITE, "userIdentity": {"type": "IAMUser", "sessionContext": {**READ, "readOnly": nested}}}
    assert flagged(log_file(hostile, READ, hostile)) == [0, 2]


ORDERS: dict[str, Callable[[Record], Record]] = {
    "sorted": lambda r: dict(sorted(r.items())),
    "reversed": lambda r: dict(reversed(r.items())),
    "identity last": lambda r: with_last(r, userIdentity=r["userIdentity"]),
    "version last": lambda r: with_last(r, eventVersion=r["eventVersion"]),
    "without version": lambda r: without(r, "eventVersion"),
    "identity before version": lambda r: {"userIdentity": r["userIdentity"], **without(r, "userIdentity")},
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("which", [[0], [1], [2], [0, 1, 2]], ids=str)
def test_other_orders_of_keys(order: str, which: list[int]) -> None:
    change = ORDERS[order]
    records = [change(r) if n in which else r for n, r in enumerate([WRITE, READ, OTHER])]
    content = log_file(*records)
    assert flagged(content) == [0, 2]
    assert [f.body for f in both(content).flagged] == [compact(records[0]), compact(records[2])]


SPACED: dict[str, bytes] = {
    "between records": log_file(WRITE, READ, OTHER, between=b", "),
    "before commas": log_file(WRITE, OTHER, READ, between=b" ,"),
    "lines": log_file(WRITE, READ, OTHER, between=b"\n,\r\n\t"),
    "before the end": log_file(READ, WRITE, end=b" ]}"),
    "after the end": log_file(READ, WRITE, end=b"]}\n\n"),
    "inside the envelope": log_file(WRITE, OTHER, start=b' { "Records" : [ ', end=b"\n ] \n } "),
    "one record a line": log_file(WRITE, READ, OTHER, between=b",\n"),
    "python's default": json.dumps({"Records": [WRITE, READ, OTHER]}).encode(),
    "indented": json.dumps({"Records": [WRITE, READ, OTHER]}, indent=2).encode(),
    "tabs": json.dumps({"Records": [WRITE, READ, OTHER]}, indent="\t").encode(),
    "sorted and indented": json.dumps({"Records": [WRITE, READ, OTHER]}, indent=1, sort_keys=True).encode(),
    "ASCII only": json.dumps({"Records": [{**WRITE, "userAgent": "\u4e16\U0001f680"}]}).encode(),
}


@pytest.mark.parametrize("case", SPACED)
def test_white_space_changes_nothing(case: str) -> None:
    records = records_of(SPACED[case])
    assert records is not None
    assert flagged(SPACED[case]) == [n for n, record in enumerate(records) if record["readOnly"] is False]


@pytest.mark.parametrize("case", ["between records", "before commas", "before the end", "inside the envelope", "lines"])
def test_a_body_is_the_record_alone_without_the_white_space_around_it(case: str) -> None:
    for found in (sift(SPACED[case], everything), sift_slowly(SPACED[case], everything)):
        assert all(f.body[:1] == b"{" and f.body[-1:] == b"}" for f in found.flagged)


ENVELOPES: dict[str, bytes] = {
    "more keys before": log_file(WRITE, READ, start=b'{"owner":"x","list":[1,2],"Records":['),
    "more keys after": log_file(READ, WRITE, end=b'],"next":[1,2],"more":{"Records":[]}}'),
    "a nested file before": log_file(READ, WRITE, start=b'{"more":{"Records":[{"readOnly":true}]},"Records":['),
    "Records twice, the last counts": log_file(READ, start=b'{"Records":[' + compact(WRITE) + b'],"Records":['),
    "Records twice, a write last": log_file(WRITE, start=b'{"Records":[' + compact(READ) + b'],"Records":['),
    "Records as an escape": log_file(WRITE, READ, start=b'{"\\u0052ecords":['),
}


@pytest.mark.parametrize("case", ENVELOPES)
def test_other_envelopes(case: str) -> None:
    both(ENVELOPES[case])
    assert flagged(ENVELOPES[case]) == [n for n, r in enumerate(records_of(ENVELOPES[case]) or ()) if not r["readOnly"]]


def test_a_byte_order_mark_is_passed_over() -> None:
    content = b"\xef\xbb\xbf" + log_file(WRITE, READ)
    assert flagged(content) == [0]


def key_as_escape(record: Record, key: str) -> bytes:
    return text(compact(record), f'"{key}":'.encode(), f'"\\u{ord(key[0]):04x}{key[1:]}":'.encode())


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([key_as_escape(READ, "readOnly"), key_as_escape(WRITE, "readOnly")], [1]),
        ([key_as_escape(READ, "userIdentity"), key_as_escape(WRITE, "userIdentity")], [1]),
        ([READ, key_as_escape(WRITE, "eventVersion"), WRITE], [1, 2]),
        ([key_as_escape(TOKEN, "eventName")], [0]),
        ([text(compact(TOKEN), b'"AssumeRole', b'"\\u0041ssumeRole')], [0]),
        ([text(compact(WRITE), b'"ec2.amazonaws.com"', b'"\\u0065c2.amazonaws.com"')], [0]),
    ],
    ids=["readOnly", "userIdentity", "eventVersion", "eventName", "name of an exchange", "source"],
)
def test_escapes_in_keys_and_names_are_read(records: list[Any], expected: list[int]) -> None:
    assert flagged(log_file(*records)) == expected


@pytest.mark.parametrize(
    ("first", "last", "expected"), [(b"true", b"false", [0]), (b"false", b"true", []), (b'"x"', b"false", [0])], ids=str
)
def test_of_duplicate_keys_the_last_counts_as_json_has_it(first: bytes, last: bytes, expected: list[int]) -> None:
    twice = text(compact(WRITE), b'"readOnly":false', b'"readOnly":' + first + b',"readOnly":' + last)
    found = both(log_file(twice, READ))
    assert [f.number for f in found.flagged] == expected


def test_a_duplicate_identity_moves_nothing() -> None:
    identity = b'"userIdentity":' + compact(USER) + b","
    twice = text(compact(WRITE), b'"requestParameters"', identity + b'"requestParameters"')
    assert flagged(log_file(twice, READ, twice)) == [0, 2]
    thrice = text(twice, b'{"eventVersion"', b"{" + identity + b'"eventVersion"')
    assert flagged(log_file(READ, thrice, thrice)) == [1, 2]


STRANGE: dict[str, tuple[list[Any], list[int]]] = {
    "readOnly 'false'": ([READ, {**WRITE, "readOnly": "false"}, OTHER], [1]),
    "readOnly 'true'": ([READ, {**WRITE, "readOnly": "true"}, OTHER], [1]),
    "readOnly 1": ([{**WRITE, "readOnly": 1}, READ], [0]),
    "readOnly a list": ([{**WRITE, "readOnly": [True]}, READ], [0]),
    "a name that is no string": ([READ, {**READ, "eventName": 7}], [1]),
    "a time that is no string": ([READ, {**READ, "eventTime": 1772445120}], [1]),
    "null": ([READ, None, WRITE], [1]),
    "numbers and strings": ([1, "x", READ, WRITE], [0, 1]),
    "a list of records": ([READ, [WRITE], OTHER], [1]),
    "true and false": ([True, False, WRITE], [0, 1]),
}


@pytest.mark.parametrize("case", STRANGE)
def test_a_record_that_cannot_be_understood_is_flagged_as_broken_and_the_rest_is_judged(case: str) -> None:
    records, broken = STRANGE[case]
    found = both(log_file(*records))
    assert [f.number for f in found.flagged if f.broken] == broken
    sound = [n for n, r in enumerate(records) if n not in broken and isinstance(r, dict) and r["readOnly"] is not True]
    assert [f.number for f in found.flagged if not f.broken] == sound
    assert f"{len(broken)} of {len(records)} records cannot be understood" in found.damage
    assert all(f.trusted for f in found.flagged)


NO_FILE: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \n",
    "null": b"null",
    "a list": b"[" + compact(WRITE) + b"]",
    "one record": compact(WRITE),
    "no Records": b"{}",
    "Records null": b'{"Records":null}',
    "Records an object": b'{"Records":{}}',
    "Records a string": b'{"Records":"[]"}',
    "records in lower case": log_file(WRITE, start=b'{"records":['),
    "a digest": compact({"awsAccountId": cast.PAYMENTS, "logFiles": []}),
    "zeros": b"\0" * 64,
    "gzip": b"\x1f\x8b\x08" + b"\0" * 20,
    "UTF-16": log_file(WRITE).decode().encode("utf-16"),
    "HTML": b"<html><body>403 Forbidden</body></html>",
}


@pytest.mark.parametrize("case", NO_FILE)
def test_what_is_no_log_file_is_damage_and_never_simply_empty(case: str) -> None:
    found = both(NO_FILE[case])
    assert found.damage
    assert not any(f.trusted and not f.broken for f in found.flagged)


@pytest.mark.parametrize("end", range(0, len(log_file(READ, WRITE, OTHER)), 97))
def test_a_file_cut_short_is_damage_and_what_stands_whole_before_is_judged(end: int) -> None:
    content = log_file(READ, WRITE, OTHER)
    found = both(content[:end])
    assert found.damage
    whole = [body for body in (compact(WRITE), compact(OTHER)) if body in content[:end]]
    assert [f.body for f in found.flagged if not f.broken] == whole


def test_a_broken_record_among_good_ones_takes_no_other_with_it() -> None:
    broken = text(compact(WRITE), b'"readOnly":', b'"readOnly"')
    found = both(log_file(WRITE, broken, OTHER, READ, TOKEN))
    assert found.damage
    assert [(f.body, f.trusted) for f in found.flagged] == [
        (compact(WRITE), True),
        (compact(OTHER), False),
        (compact(TOKEN), False),
    ]


BAD_TEXT: dict[str, bytes] = {
    "NaN": b"NaN",
    "Infinity": b"-Infinity",
    "lone surrogate": b'"\\ud800"',
    "surrogates the wrong way round": b'"\\udc00\\ud800"',
    "invalid UTF-8": b'"\xff\xfe"',
    "overlong UTF-8": b'"\xc0\x80"',
    "surrogate in UTF-8": b'"\xed\xa0\x80"',
    "control character": b'"\x01"',
    "bad escape": b'"\\x41"',
    "number with leading zero": b"007",
    "huge integer": b"9" * 10_000,
    "huge float": b"1e999999",
    "trailing comma": b"[1,]",
    "comment": b"/* x */ 1",
    "deep list": b"[" * DEEP + b"]" * DEEP,
    "deep object": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep and open": b"[" * DEEP,
}


@pytest.mark.parametrize("case", BAD_TEXT)
@pytest.mark.parametrize("key", ["requestParameters", "userAgent", "userIdentity", "unheardOf", "eventName"])
def test_text_that_is_bad_in_one_record_never_raises_and_the_record_before_it_is_judged(case: str, key: str) -> None:
    bad = compact({**WRITE, key: "PLACE"}).replace(b'"PLACE"', BAD_TEXT[case])
    found = both(log_file(OTHER, bad, READ))
    assert compact(OTHER) in [f.body for f in found.flagged]
    told = bool(found.damage) or [f.number for f in found.flagged] == [0, 1]
    assert told, "the record with bad text is neither flagged nor told as damage"


def test_records_without_a_time_do_not_hide_the_times_of_the_others() -> None:
    found = both(log_file(without(READ, "eventTime"), WRITE))
    assert (found.first, found.last) == (WRITE["eventTime"], WRITE["eventTime"])


class TestWhatCanBeCountedAsItStands:
    """What `Holders.plain` lets a pass count without a look at the whole record."""

    def test_services_data_and_telemetry_are_counted_and_people_are_not(self) -> None:
        beat = call("ssm:UpdateInstanceInformation", person())
        data = call("s3:PutObject", managementEvent=False, eventCategory="Data")
        found = both(log_file(SERVICE, data, beat, WRITE, READ), Holders().plain)
        assert found.plain == {"service_writes": 1, "data_events": 1}
        assert [f.number for f in found.flagged] == [2, 3]

    def test_a_service_that_blinds_the_log_or_hands_out_credentials_is_looked_at(self) -> None:
        events = [by_service("cloudtrail:StopLogging"), by_service("sts:AssumeRole"), by_service("s3:PutBucketPolicy")]
        found = both(log_file(*events), Holders().plain)
        assert (len(found.flagged), found.plain) == (3, {})

    @pytest.mark.parametrize(
        "identity",
        [
            None,
            "AWSService",
            {"type": "awsservice"},
            {"type": ["AWSService"]},
            {"type": "IAMUser", "invokedBy": "ecs.amazonaws.com"},
            {"type": "AssumedRole", "sessionContext": {"sessionIssuer": {"type": "AWSService"}}},
        ],
        ids=str,
    )
    def test_what_only_resembles_a_service_is_looked_at(self, identity: Any) -> None:
        found = both(log_file({**WRITE, "userIdentity": identity}), Holders().plain)
        assert (len(found.flagged), found.plain) == (1, {})

    @pytest.mark.parametrize(
        "moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "x", "", "2026-02-30"]
    )
    def test_an_impossible_start_of_a_session_never_raises(self, moment: str) -> None:
        identity = person().identity()
        identity["sessionContext"]["attributes"]["creationDate"] = moment
        assert both(log_file({**WRITE, "userIdentity": identity}), Holders().plain).records == 1
