"""Laws of judging whole documents that were mangled: nothing raises, and nothing passes that did not pass before."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.example import cast, exchanges
from monitor.example.records import root_identity, user_identity
from monitor.model import Outcome
from monitor.sweep.documents import documents, judge_cloudtrail
from tests.unit.decode.samples import AT, CHANCE, by_service, call, compact, person, pipeline, read, session
from tests.unit.sweep.cases import CHECKS, expected, judged

RUN, BUILD, CHEN = pipeline(), session("codebuild-release", "AWSCodeBuild-0f1e2d3c"), person(cast.CHEN)
TOKEN = exchanges.web_identity(CHANCE, RUN, cast.PAYMENTS_SUBJECT)
ACCUSED: dict[str, list[dict[str, Any]]] = {
    "a developer": [call()],
    "a person": [call("s3:PutBucketPolicy", person())],
    "a person at the console": [call("ec2:RunInstances", person(), sessionCredentialFromConsole="true")],
    "a user": [call("iam:CreateUser", user_identity(cast.DATA, "admin", "AKIAEXAMPLEEXAMPLE01"), account=cast.DATA)],
    "root": [call("s3:DeleteBucket", root_identity(cast.PAYMENTS, "ASIAEXAMPLEEXAMPLE02", AT))],
    "an unknown call": [call("quantumledger:EntangleLedger", person())],
    "a pull request": [exchanges.web_identity(CHANCE, RUN, cast.PULL_REQUEST_SUBJECT), call(who=RUN)],
    "the pipeline at the console": [TOKEN, call(who=RUN, sessionCredentialFromConsole="true", agent=cast.BROWSER)],
    "a person as CodeBuild": [*exchanges.by_role(CHANCE, BUILD, CHEN), call(who=BUILD)],
    "a person as the pipeline": [exchanges.saml(CHANCE, CHEN, cast.CHEN), *exchanges.by_role(CHANCE, RUN, CHEN), call(who=RUN)],
}  # fmt: skip
EXCUSED: dict[str, list[dict[str, Any]]] = {
    "a service": [by_service()],
    "a read": [read()],
    "the pipeline": [TOKEN, call(who=RUN)],
    "CodeBuild": [exchanges.by_service(CHANCE, BUILD, "codebuild"), call(who=BUILD)],
    "an operator": [call("ecs:UpdateService", session("operator"))],
}


def paths(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to everything in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inner:
        yield (*before, key)
        yield from paths(below, (*before, key))


def changed(document: dict[str, Any], path: tuple[Any, ...], *value: Any) -> dict[str, Any]:
    """Return the document with what is at the path replaced, or taken out where no value is given."""
    whole = copy.deepcopy(document)
    place: Any = whole
    for key in path[:-1]:
        place = place[key]
    if value:
        place[path[-1]] = value[0]
    else:
        del place[path[-1]]
    return whole


def outcomes(found: list[Any]) -> list[Outcome]:
    return [v.outcome for v in judged(*found)]


@pytest.mark.parametrize("case", [*ACCUSED, *EXCUSED])
def test_the_samples_are_what_they_are_called(case: str) -> None:
    last = outcomes({**ACCUSED, **EXCUSED}[case])[-1]
    assert last is Outcome.FAIL if case in ACCUSED else last in (Outcome.PASS, Outcome.NOT_APPLICABLE)


JUNK: list[Any] = [
    None, True, False, 0, -1, 2**70, 1e308, "", " ", "x", "*", "?", "null", "true", [], {}, [[]], ["x"], {"x": 1}, "\u202e",
    "x" * 3000, "\x00",
]  # fmt: skip


@pytest.mark.parametrize("case", ACCUSED)
def test_nothing_that_is_taken_out_of_a_write_excuses_it(case: str) -> None:
    *before, write = ACCUSED[case]
    for path in paths(write):
        outcome = outcomes([*before, changed(write, path)])[-1]
        assert outcome in (Outcome.FAIL, Outcome.UNKNOWN, Outcome.ERROR), path


@pytest.mark.parametrize("case", ACCUSED)
def test_nothing_that_is_taken_out_of_what_came_before_makes_a_write_pass(case: str) -> None:
    documents = ACCUSED[case]
    for n, document in enumerate(documents[:-1]):
        for path in paths(document):
            mangled = [*documents[:n], changed(document, path), *documents[n + 1 :]]
            assert outcomes(mangled)[-1] is not Outcome.PASS, path


@pytest.mark.parametrize("case", ACCUSED)
def test_no_junk_in_any_place_makes_a_write_pass(case: str) -> None:
    *before, write = ACCUSED[case]
    for n, path in enumerate(paths(write)):
        for junk in JUNK[n % 4 :: 4]:
            assert outcomes([*before, changed(write, path, junk)])[-1] is not Outcome.PASS, (path, junk)


@pytest.mark.parametrize("case", EXCUSED)
def test_no_junk_in_any_place_raises(case: str) -> None:
    found = EXCUSED[case]
    for document in found:
        for n, path in enumerate(paths(document)):
            for junk in JUNK[n % 5 :: 5]:
                outcomes([*[d for d in found if d is not document], changed(document, path, junk)])


@pytest.mark.parametrize("case", ACCUSED)
def test_letters_in_another_case_excuse_nobody(case: str) -> None:
    *before, write = ACCUSED[case]
    for path in paths(write):
        value: Any = write
        for key in path:
            value = value[key]
        for other in {str(value).upper(), str(value).lower(), str(value).title()} if isinstance(value, str) else ():
            assert outcomes([*before, changed(write, path, other)])[-1] is not Outcome.PASS, (path, other)


texts = st.text(max_size=20) | st.sampled_from([junk for junk in JUNK if isinstance(junk, str)])
values = st.recursive(
    st.sampled_from(JUNK) | texts | st.integers() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def mangled(draw: st.DrawFn, samples: dict[str, list[dict[str, Any]]]) -> list[bytes]:
    """Return the documents of a sample, of which some were mangled in structure, then perhaps in bytes."""
    found = copy.deepcopy(samples[draw(st.sampled_from(sorted(samples)))])
    for _ in range(draw(st.integers(1, 4))):
        n = draw(st.integers(0, len(found) - 1))
        ways = list(paths(found[n]))
        if not ways:
            continue
        path = draw(st.sampled_from(ways))
        how = draw(st.sampled_from(["take out", "replace", "add"]))
        if how == "take out":
            found[n] = changed(found[n], path)
        elif how == "replace":
            found[n] = changed(found[n], path, draw(values))
        else:
            found[n] = changed(found[n], (draw(texts),), draw(values))
    bodies = [bytearray(compact(document)) for document in found]
    if draw(st.booleans()):
        body = bodies[draw(st.integers(0, len(bodies) - 1))]
        at = draw(st.integers(0, len(body)))
        how = draw(st.sampled_from(["flip", "cut", "take out", "put in"]))
        if how == "flip" and at < len(body):
            body[at] ^= 1 << draw(st.integers(0, 7))
        elif how == "cut":
            del body[at:]
        elif how == "take out":
            del body[at : at + draw(st.integers(1, 30))]
        else:
            body[at:at] = draw(
                st.sampled_from([b'"', b"}", b"{", b",", b"\\", b"\xff", b"\\ud800", b"NaN", b"null", b"\n"])
            )
    return [bytes(body) for body in bodies]


@settings(max_examples=300)
@given(mangled(ACCUSED))
def test_no_mangled_write_passes(bodies: list[bytes]) -> None:
    verdicts = list(judge_cloudtrail(bodies, CHECKS, expected()))
    assert len(verdicts) == len(bodies)
    assert all(v.outcome is not Outcome.PASS for v in verdicts)
    assert all(v.reason for v in verdicts)


@settings(max_examples=200)
@given(mangled(EXCUSED))
def test_no_mangled_document_raises(bodies: list[bytes]) -> None:
    verdicts = list(judge_cloudtrail(bodies, CHECKS, expected()))
    assert [v.n for v in verdicts] == list(range(1, len(bodies) + 1))


@given(st.binary(max_size=100) | st.lists(st.sampled_from(["{", "}", "[", "]", ",", ":", '"', "\\", "\n", '"Records"', "\ufeff", "1"]), max_size=30).map(lambda parts: "".join(parts).encode()))  # fmt: skip
def test_any_bytes_are_split_and_judged_without_raising(content: bytes) -> None:
    found = documents(content)
    assert all(found), "an empty document"
    verdicts = list(judge_cloudtrail(found, CHECKS, expected()))
    assert all(v.outcome is not Outcome.PASS for v in verdicts)
    nothing = not content.removeprefix(b"\xef\xbb\xbf").strip()
    assert not nothing or not found


@given(st.permutations([0, 1, 2, 3]), st.integers(1, 4))
def test_the_order_of_documents_changes_no_verdict(order: list[int], cut: int) -> None:
    material = [*ACCUSED["a person as CodeBuild"], *EXCUSED["the pipeline"]]
    kept = [material[n] for n in order[:cut]]
    ordered = [material[n] for n in sorted(order[:cut])]
    told = [{json.dumps(d): v.outcome for d, v in zip(docs, judged(*docs), strict=True)} for docs in (kept, ordered)]
    assert told[0] == told[1]
