"""Outside text goes into a column and comes out as it was."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.store.text import INDEXED_CHARACTERS, clean_json, digest, encode_json, indexed, restored, stored

ANY_CHARACTER = st.characters(exclude_categories=())
ANY_TEXT = st.text(ANY_CHARACTER) | st.text(st.sampled_from("\0␀0u\ud800\udfffD8F"))
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(ANY_TEXT)
def test_what_is_stored_is_read_as_it_was(text: str) -> None:
    assert restored(stored(text)) == text


@given(ANY_TEXT)
def test_stored_text_is_taken_by_both_databases(text: str) -> None:
    assert "\0" not in stored(text)
    stored(text).encode()


@given(st.text(st.characters(exclude_characters="\0␀", codec="utf-8")))
def test_ordinary_text_is_stored_unchanged(text: str) -> None:
    assert stored(text) == text


def test_a_null_character_is_written_visibly() -> None:
    assert stored("a\0b\ud800") == "a␀0b␀uD800"


@given(ANY_TEXT, st.integers(0, 300))
def test_indexed_text_is_short_and_only_cut_when_too_long(text: str, times: int) -> None:
    long = text * times
    assert len(indexed(long)) <= INDEXED_CHARACTERS
    assert len(stored(long)) > INDEXED_CHARACTERS or indexed(long) == stored(long)


def test_long_texts_with_the_same_beginning_stay_apart_in_an_index() -> None:
    beginning = "x" * 1000
    assert indexed(beginning + "a") != indexed(beginning + "b")


@given(ANY_TEXT, ANY_TEXT)
def test_different_texts_have_different_digests(one: str, other: str) -> None:
    assert (digest(one) == digest(other)) == (one == other)


@given(JSON_VALUES)
def test_any_value_becomes_json_that_reads_back(value: Any) -> None:
    written = encode_json(value)
    assert encode_json(msgspec.json.decode(written)) == written


def test_a_lone_surrogate_in_json_is_replaced_visibly() -> None:
    assert msgspec.json.decode(encode_json({"key \udc80": ["\ud800!"]})) == {"key \ufffd": ["\ufffd!"]}


@given(JSON_VALUES)
def test_json_that_anyone_can_read_is_left_as_it_was(value: Any) -> None:
    written = encode_json(value)
    assert clean_json(written) == written == clean_json(b"\r\n " + written + b"\t")


@given(JSON_VALUES)
def test_any_json_of_python_is_cleaned_once_and_for_all(value: Any) -> None:
    written = json.dumps(value)
    cleaned = clean_json(written.encode())
    # Two surrogates side by side are one character once they are JSON.
    assert msgspec.json.decode(cleaned) == msgspec.json.decode(encode_json(json.loads(written)))
    assert clean_json(cleaned) == cleaned
    assert msgspec.json.decode(b"[" + cleaned + b"]", type=list[msgspec.Raw]) == [msgspec.Raw(cleaned)]


@pytest.mark.parametrize(
    ("dirty", "cleaned"),
    [
        (rb'{"b": "\ud800", "a": "\udc00\ud83d\ude00"}', '{"a":"\ufffd😀","b":"\ufffd"}'),
        (b'"\xed\xa0\x80"', '"\ufffd"'),
        (b'"nul \0 bell \x07 line \n"', r'"nul \u0000 bell \u0007 line \n"'),
        (rb'"\u0000 \u202e \\ud800"', r'"\u0000 \u202e \\ud800"'),
        (b'{"b":1.0, "a":[1e999]}', '{"b":1.0, "a":[1e999]}'),
    ],
)
def test_what_no_reader_takes_is_replaced_visibly(dirty: bytes, cleaned: str) -> None:
    assert clean_json(dirty) == cleaned.encode()


@pytest.mark.parametrize(
    "nonsense",
    [
        b"",
        b" ",
        b"nonsense",
        b"NaN",
        b'["\\ud800",-Infinity]',
        b"[1,]",
        b'"\xff"',
        b"\xef\xbb\xbf{}",
        b'{},"kind":1',
        b"[" * 9_999,
    ]
    + [b"[" * 9_999 + b"]" * 9_999, b'{"a":' * 600 + b'"\\ud800"' + b"}" * 600],
    ids=range(12),
)
def test_what_is_no_json_is_refused(nonsense: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        clean_json(nonsense)


def test_a_lone_surrogate_beside_raw_json_leaves_that_as_it_was() -> None:
    raw = msgspec.Raw(b'{"b": 1, "a": 2}')
    assert encode_json({"key \ud800": raw}) == '{"key \ufffd":{"b": 1, "a": 2}}'.encode()
