"""Outside text goes into a column and comes out as it was."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from monitor.store.text import INDEXED_CHARACTERS, digest, encode_json, indexed, restored, stored

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
