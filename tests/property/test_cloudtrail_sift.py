"""Laws of sifting, over files that were mangled in structure and in bytes.

It never raises; the fast pass tells what the slow one tells; and a judge that only knows json.loads finds no record that
had to be looked at and was lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.decode.cloudtrail_identity import Holders
from monitor.decode.cloudtrail_wire import Slim, sift, sift_slowly
from monitor.example import cast, exchanges
from monitor.example.records import root_identity, stamp, user_identity
from tests.unit.decode.independent import lost, plainly_read, shown
from tests.unit.decode.samples import AT, CHANCE, by_service, call, compact, log_file, person, pipeline, read, session

HUB = session("pipeline-hub", account=cast.TOOLING, federated=True)
REAL = [
    read(),
    read(who=person()),
    call(),
    call("ecs:UpdateService", pipeline()),
    call("ecs:RegisterTaskDefinition", request={"containers": [{"mountPoints": [{"readOnly": True}]}]}),
    call("s3:PutObject", managementEvent=False, eventCategory="Data"),
    call("ssm:UpdateInstanceInformation", session("ec2-worker", "i-0abc12345678def90")),
    call("iam:CreateUser", user_identity(cast.PAYMENTS, "admin", "AKIAEXAMPLEEXAMPLE01")),
    call("s3:DeleteBucket", root_identity(cast.PAYMENTS, "ASIAEXAMPLEEXAMPLE02", AT)),
    call("ec2:RunInstances", errorCode="UnauthorizedOperation"),
    by_service(),
    by_service("kms:RotateKey", eventType="AwsServiceEvent"),
    exchanges.web_identity(CHANCE, pipeline(), cast.PAYMENTS_SUBJECT),
    exchanges.saml(CHANCE, person(), cast.ADA),
    exchanges.by_service(CHANCE, session("codebuild-release"), "codebuild"),
    *exchanges.by_role(CHANCE, session("data-deploy", account=cast.DATA), HUB),
    exchanges.console_login(CHANCE, person()),
    exchanges.session_token(CHANCE, cast.DATA, user_identity(cast.DATA, "ops", "AKIAEXAMPLEEXAMPLE03"), stamp(AT)),
]
KEYS = sorted({key for record in REAL for key in record} | {"readonly", "Records", "unheardOf"})
files = st.lists(st.sampled_from(REAL), max_size=6)
junk = st.recursive(
    st.sampled_from([None, True, False, 0, -1, 2**70, 1.5, "", "x", "true", "AWSService", "AssumeRole", "\u4e16", "]}"])
    | st.sampled_from([REAL[0], REAL[2], REAL[0]["userIdentity"], {"Records": [REAL[0]]}, {"eventVersion": "1.11"}]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)
        | inner.map(
            lambda value: {"eventVersion": "1.11", "eventID": "x", "readOnly": True, "requestParameters": value}
        )
    ),
    max_leaves=4,
)
PIECES = [
    b'{"eventVersion":', b'"readOnly":true', b'"readOnly":false,', b'"userIdentity":{}', b',"userIdentity":null', b'"Records":[',
    b"]", b"}", b"{", b"[", b",", b":", b'"', b"\\", b" ", b"\n", b"\xef\xbb\xbf", b"\xff", b"\x00", b"null", b"NaN", b"1e999",
    b'"\\ud800"', b'\\u0072eadOnly', b"]}", b"},{", b'{"eventVersion":"1.11","userIdentity":{},"readOnly":true}',
]  # fmt: skip


@st.composite
def structures(draw: st.DrawFn) -> bytes:
    """Return a file of valid JSON whose records were mangled: keys lost, renamed, doubled, moved, values replaced."""
    bodies: list[bytes] = []
    for original in draw(files):
        items: list[tuple[str, Any]] = list(original.items())
        for _ in range(draw(st.integers(0, 3))):
            if not items:
                break
            at = draw(st.integers(0, len(items) - 1))
            key, value = items[at]
            how = draw(st.sampled_from(["lose", "rename", "double", "move", "replace", "nest", "spoil"]))
            if how == "lose":
                del items[at]
            elif how == "rename":
                items[at] = (draw(st.sampled_from(KEYS)), value)
            elif how == "double":
                items.insert(draw(st.integers(0, len(items))), (key, draw(junk)))
            elif how == "move":
                items.insert(draw(st.integers(0, len(items) - 1)), items.pop(at))
            elif how == "nest":
                items[at] = (key, {"eventVersion": "1.11", key: value, "readOnly": draw(st.booleans())})
            else:
                items[at] = (key, draw(junk))
        bodies.append(b"{" + b",".join(compact(key) + b":" + compact(value) for key, value in items) + b"}")
    if draw(st.booleans()):
        bodies.insert(draw(st.integers(0, len(bodies))), compact(draw(junk)))
    content = log_file(*bodies, between=draw(st.sampled_from([b",", b",", b", ", b" ,", b",\n"])))
    how = draw(
        st.sampled_from(["as it is", "as it is", "as it is", "indented", "spaced", "sorted", "more keys", "mark"])
    )
    if how == "indented":
        content = json.dumps(json.loads(content), indent=draw(st.integers(0, 3))).encode()
    elif how == "spaced":
        content = json.dumps(json.loads(content)).encode()
    elif how == "sorted":
        content = json.dumps(json.loads(content), sort_keys=True, separators=(",", ":")).encode()
    elif how == "more keys":
        content = b'{"a":' + compact(draw(junk)) + b"," + content[1:-1] + b',"z":' + compact(draw(junk)) + b"}"
    elif how == "mark":
        content = b"\xef\xbb\xbf" + content
    return content


@st.composite
def broken_bytes(draw: st.DrawFn) -> bytes:
    """Return a file whose bytes were mangled: pieces put in, taken out, swapped, flipped, repeated; most are not JSON."""
    content = bytearray(draw(structures()))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        to = min(len(content), at + draw(st.integers(1, 60)))
        how = draw(st.sampled_from(["put in", "put in", "take out", "cut", "flip", "repeat", "at a quote"]))
        if how == "put in":
            content[at:at] = draw(st.sampled_from(PIECES))
        elif how == "take out":
            del content[at:to]
        elif how == "cut":
            del content[at:]
        elif how == "flip" and at < len(content):
            content[at] ^= 1 << draw(st.integers(0, 7))
        elif how == "repeat":
            content[at:at] = content[at:to]
        elif how == "at a quote":
            quote = content.find(b'"', at)
            if quote >= 0:
                content[quote:quote] = draw(st.sampled_from(PIECES))
    return bytes(content)


def everything(slim: Slim) -> str:
    return ""


def holds(content: bytes) -> None:
    plain = Holders().plain
    elsewhere = Holders()
    elsewhere.elsewhere = True
    rules: list[Callable[[Slim], str]] = [everything, plain, elsewhere.plain]
    for rule in rules:
        fast, slow = sift(content, rule), sift_slowly(content, rule)
        assert shown(fast) == shown(slow)
        counted = len(fast.flagged) + sum(fast.plain.values())
        assert counted <= fast.records
        if rule is everything:
            assert lost(content, fast) == []
            assert not fast.plain
    assert shown(sift(bytearray(content), everything)) == shown(sift_slowly(content, everything))


@settings(max_examples=400)
@given(structures())
def test_files_with_mangled_records(content: bytes) -> None:
    holds(content)


@settings(max_examples=400)
@given(broken_bytes())
def test_files_with_mangled_bytes(content: bytes) -> None:
    holds(content)


@given(st.binary(max_size=200) | st.lists(st.sampled_from(PIECES), max_size=20).map(b"".join))
def test_any_bytes(content: bytes) -> None:
    holds(content)
    holds(b'{"Records":[' + content)
    holds(log_file(content, REAL[2]))


@given(files, st.integers(0, 5), st.data())
def test_a_break_never_makes_a_record_before_it_disappear(records: list[Any], at: int, data: st.DataObject) -> None:
    at = min(at, len(records))
    damage = data.draw(st.sampled_from([b"{", b'{"eventVersion":', b"\xff", b'"', b"nul", b'{"a" 1}', b",", b"!"]))
    content = log_file(*records[:at], damage, *records[at:])
    found = sift(content, everything)
    assert found.damage
    before = [compact(record) for record in records[:at] if not plainly_read(record)]
    flagged = [f.body for f in found.flagged if f.trusted and not f.broken]
    assert flagged[: len(before)] == before
