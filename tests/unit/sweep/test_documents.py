"""Splitting saved material into documents, and one verdict for each, in order."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monitor.example import cast, exchanges
from monitor.facts.change import ChangeSession
from monitor.model import Check, Outcome, Severity
from monitor.sweep.documents import documents, judge_cloudtrail
from tests.unit.decode.samples import CHANCE, by_service, call, compact, log_file, person, pipeline, read
from tests.unit.sweep.cases import CHECKS, ERROR, FAIL, NOT_APPLICABLE, PASS, expected, judged

ONE, TWO, THREE = call(who=person()), read(), call("ecs:UpdateService", person(cast.BEN))
BODIES = [compact(event) for event in (ONE, TWO, THREE)]
MARK = b"\xef\xbb\xbf"
ARRAY = b"[" + b",".join(BODIES) + b"]"
LINES = b"\n".join(BODIES)
FILE = log_file(ONE, TWO, THREE)

SHAPES: dict[str, tuple[bytes, list[bytes]]] = {
    "one document": (BODIES[0], BODIES[:1]),
    "one document and a line end": (BODIES[0] + b"\n", BODIES[:1]),
    "an array": (ARRAY, BODIES),
    "an array of one": (b"[" + BODIES[0] + b"]", BODIES[:1]),
    "a CloudTrail file": (FILE, BODIES),
    "one document a line": (LINES, BODIES),
    "a line end at the end": (LINES + b"\n", BODIES),
    "Windows' line ends": (b"\r\n".join(BODIES) + b"\r\n", BODIES),
    "old line ends": (b"\r".join(BODIES), BODIES),
    "blank lines": (b"\n\n" + b"\n \t\n\n".join(BODIES) + b"\n\n", BODIES),
    "blanks around lines": (b"  " + b" \n\t".join(BODIES) + b" ", BODIES),
    "a mark before one document": (MARK + BODIES[0], BODIES[:1]),
    "a mark before lines": (MARK + LINES, BODIES),
    "a mark before a file": (MARK + FILE, BODIES),
    "a mark before an array": (MARK + ARRAY, BODIES),
    "a file a line": (FILE + b"\n" + log_file(THREE) + b"\n", [*BODIES, BODIES[2]]),
    "files, arrays and documents, a line each": (FILE + b"\n" + BODIES[1] + b"\n" + ARRAY, [*BODIES, BODIES[1], *BODIES]),
    "an empty array": (b"[]", []),
    "a file without records": (b'{"Records":[]}', []),
    "nothing": (b"", []),
    "only blanks": (b" \n\r\n\t ", []),
    "only a mark": (MARK, []),
    "a record that names Records": (compact({**ONE, "requestParameters": {"Records": [1]}}), [compact({**ONE, "requestParameters": {"Records": [1]}})]),
    "a file with more keys": (b'{"owner":"x",' + FILE[1:-1] + b',"next":null}', BODIES),
    "a value that is no object": (b"7", [b"7"]),
    "an array of other things": (b'[1,"x",null]', [b"1", b'"x"', b"null"]),
    "Records that is no list": (b'{"Records":{}}', [b'{"Records":{}}']),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_gives_its_documents(shape: str) -> None:
    content, bodies = SHAPES[shape]
    assert documents(content) == bodies
    assert documents(bytearray(content)) == bodies


def test_a_record_that_also_holds_records_is_one_document() -> None:
    # Else whoever can put a key into a record would choose what is judged.
    whole = {**ONE, "Records": [THREE]}
    assert [json.loads(body) for body in documents(compact(whole))] == [whole]
    assert [json.loads(body) for body in documents(compact({"Records": [TWO], **ONE}))] == [{"Records": [TWO], **ONE}]
    assert [v.outcome for v in judge_cloudtrail(documents(compact(whole)), CHECKS, expected())] == [FAIL]


@pytest.mark.parametrize("indent", [0, 1, 4, "\t"])
def test_indented_material_gives_its_documents(indent: Any) -> None:
    for whole, events in ((ONE, [ONE]), ([ONE, TWO], [ONE, TWO]), ({"Records": [ONE, TWO]}, [ONE, TWO])):
        found = documents(json.dumps(whole, indent=indent).encode())
        assert [json.loads(body) for body in found] == events


BAD: dict[str, bytes] = {
    "no JSON": b"oops",
    "cut short": BODIES[1][:50],
    "an open string": b'{"a":"',
    "two documents on a line": BODIES[1] + BODIES[1],
    "a trailing comma": BODIES[1] + b",",
    "invalid UTF-8": b'{"eventName":"\xff"}',
    "a lone surrogate": b'{"eventName":"\\ud800"}',
    "no record": b'{"a":1}',
    "a number": b"7",
    "null": b"null",
    "deep": b"[" * 100_000,
    "deep and closed": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "a huge number": b"9" * 5000,
    "NaN": b'{"a":NaN}',
    "a line of zeros": b"\0\0",
    "a comment": b"# no document",
}


@pytest.mark.parametrize("bad", BAD)
def test_a_malformed_line_is_an_error_with_a_reason_and_the_lines_after_it_are_judged(bad: str) -> None:
    found = documents(b"\n".join([BODIES[0], BAD[bad], BODIES[1], BODIES[2]]))
    verdicts = list(judge_cloudtrail(found, CHECKS, expected()))
    assert [(v.n, v.outcome) for v in verdicts] == [(1, FAIL), (2, ERROR), (3, NOT_APPLICABLE), (4, FAIL)]
    assert verdicts[1].reason


@pytest.mark.parametrize("bad", BAD)
def test_malformed_material_alone_is_one_error(bad: str) -> None:
    verdicts = list(judge_cloudtrail(documents(BAD[bad]), CHECKS, expected()))
    assert [v.outcome for v in verdicts] == [ERROR]


def test_malformed_lines_first_and_last() -> None:
    verdicts = list(judge_cloudtrail(documents(b"x\n" + LINES + b"\n{"), CHECKS, expected()))
    assert [v.outcome for v in verdicts] == [ERROR, FAIL, NOT_APPLICABLE, FAIL, ERROR]


def test_records_of_a_file_that_cannot_be_understood_are_errors_of_their_own() -> None:
    verdicts = list(
        judge_cloudtrail(documents(log_file(ONE, b"null", b"7", {**ONE, "readOnly": "x"}, THREE)), CHECKS, expected())
    )
    assert [v.outcome for v in verdicts] == [FAIL, ERROR, ERROR, ERROR, FAIL]


@pytest.mark.parametrize(
    "text",
    [b'"\\ud800"', b'"\\udc00\\ud800"', b'"\xff\xfe"', b'"\xc0\x80"', b'"\xed\xa0\x80"', b'"\x01"', b"9" * 5000, b"1e999999", b"NaN", b'{"a":' * 5000 + b"1" + b"}" * 5000],
    ids=["surrogate", "surrogates", "utf-8", "overlong", "utf-8 surrogate", "control", "integer", "float", "nan", "deep"],
)  # fmt: skip
@pytest.mark.parametrize("place", ["bucketName", "userAgent", "userIdentity", "principalId", "errorCode", "unheardOf"])
def test_bad_text_anywhere_in_a_record_never_raises_and_never_excuses(text: bytes, place: str) -> None:
    event = {**ONE, "eventName": "DeleteBucket", "eventSource": "s3.amazonaws.com"}
    if place == "bucketName":
        event["requestParameters"] = {"bucketName": "PLACE"}
    elif place == "principalId":
        event["userIdentity"] = {**event["userIdentity"], "principalId": "PLACE"}
    else:
        event[place] = "PLACE"
    (verdict,) = judge_cloudtrail([compact(event).replace(b'"PLACE"', text)], CHECKS, expected())
    assert verdict.outcome in (FAIL, ERROR) or (place == "errorCode" and verdict.outcome is NOT_APPLICABLE)


def test_verdicts_come_in_order_and_tell_who_and_why() -> None:
    first, second, third = judged(ONE, by_service(), TWO)
    assert (first.n, first.outcome, first.actor) == (1, FAIL, ONE["userIdentity"]["arn"])
    assert (second.outcome, second.change_class) == (PASS, None)
    assert (third.outcome, third.subject, third.actor) == (NOT_APPLICABLE, TWO["eventID"], TWO["userIdentity"]["arn"])
    assert all(v.reason and v.check for v in (first, second, third))
    assert first.observed["writes"][0]["id"] == ONE["eventID"]


def test_the_same_document_twice_is_judged_twice() -> None:
    assert [v.outcome for v in judged(ONE, ONE)] == [FAIL, FAIL]


def test_each_document_is_judged_by_itself() -> None:
    run = pipeline()
    exchange = exchanges.web_identity(CHANCE, run, cast.PAYMENTS_SUBJECT)
    proven = call(who=run)
    browsed = call(who=run, agent=cast.BROWSER)
    assert [v.outcome for v in judged(proven, browsed, exchange)] == [PASS, FAIL, NOT_APPLICABLE]


def test_a_check_that_fails_is_an_error_of_that_document_and_hides_no_failure() -> None:
    def broken(facts: Any, expect: Any, sweep: Any) -> Any:
        raise ZeroDivisionError("boom")

    base = CHECKS[0]
    faulty = Check(
        id="faulty", title="x", severity=Severity.LOW, controls=("x",), facts=(ChangeSession,), expects=base.expects,
        evaluate=broken,
    )  # fmt: skip
    alone = list(judge_cloudtrail(BODIES[:1], [faulty], expected()))
    assert (alone[0].outcome, "boom" in alone[0].reason) == (Outcome.ERROR, True)
    both = list(judge_cloudtrail([BODIES[0], compact(by_service())], [faulty, *CHECKS], expected()))
    assert [v.outcome for v in both] == [FAIL, ERROR]


def test_no_documents_give_no_verdicts() -> None:
    assert list(judge_cloudtrail([], CHECKS, expected())) == []
