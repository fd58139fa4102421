"""Text from outside in Slack's markup: shown, never obeyed."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.alerts.escaping import CUT, address, code, length, link, mention, words
from tests.fakes.slack.reading import INVISIBLE, decoded, read

HOSTILE = (
    "<!channel> <!here> <@U123456> <#C123456|general> <!subteam^S123|ops>",
    "<https://evil.example.com|Approve here>",
    "&lt;!channel&gt; &amp;lt;",
    "*bold* _italic_ ~strike~ `code` ```block```",
    ":skull: arn:aws:iam::111122223333:role/x :x::y:",
    "> quote",
    "&gt; quote",
    "line\n> quote\n*Owner*\nnobody",
    "a\u2028> b\u2029> c\x0b> d\x85> e",
    "\u202egnp.exe \u200b\u2060\ufeff\u00ad \U000e0041",
    "https://evil.example.com javascript://x",
    "@here @channel @EVERYONE",
    "_a_b_ __init__ ** * ~~ __",
    "\ud800 \x00\x1b[31m",
    "e" + "\u0301" * 50,
    "<",
    ">",
    "&",
    "`",
    "``",
    "|",
)
SIGNS = st.lists(
    st.one_of(
        st.sampled_from(
            ["*", "_", "~", "`", "```", ":", "<", ">", "&", "|", "@", "!", "#", "\n", "\r", " ", "a", "1", "é", "://"]
        ),
        st.sampled_from(
            ["here", "channel", "amp;", "gt;", "lt;", ":x:", "<!here>", "\u202e", "\u200b", "\u2028", "\ufe0f"]
        ),
        st.characters(),
    ),
    max_size=40,
).map("".join)
TEXTS = st.one_of(SIGNS, st.text(max_size=200))


def all_examples(test):  # type: ignore[no-untyped-def]
    for text in HOSTILE:
        test = example(text)(test)
    return test


@all_examples
@given(TEXTS)
def test_no_text_mentions_links_or_formats(text: str) -> None:
    said = words(text)
    found = read(said)
    assert not (found.mentions or found.links or found.formats or found.emoji or found.names)
    assert not INVISIBLE.search(said)
    assert "\n" not in said


@all_examples
@given(TEXTS)
def test_a_name_in_code_is_one_span_and_nothing_else(text: str) -> None:
    said = code(text)
    found = read(said)
    assert not (found.mentions or found.links or found.emoji or found.names)
    assert [kind for kind, _ in found.formats] == (["code"] if said else [])
    assert found.formats == ([("code", found.shown)] if said else [])
    assert not INVISIBLE.search(said)


@given(TEXTS, TEXTS)
def test_texts_side_by_side_make_no_markup_together(left: str, right: str) -> None:
    found = read(f"*Label* {words(left)} · {words(right)}\n{code(left)} {words(right)}")
    assert [kind for kind, _ in found.formats if kind != "code"] == ["bold"]
    assert not (found.mentions or found.links or found.emoji or found.names)


@given(TEXTS, st.integers(1, 60))
def test_what_is_too_long_is_cut_visibly_and_never_within_an_entity(text: str, limit: int) -> None:
    for said in (words(text, limit), code(text, limit + 3)):
        assert length(said) <= limit + 3
        decoded(said)
    whole, said = words(text, 3000), words(text, limit)
    assert length(said) <= limit
    if length(whole) > limit:
        assert said.endswith(CUT)
    else:
        assert said == whole


@given(st.text(alphabet=st.characters(codec="ascii", categories=("L", "N", "P", "S")), max_size=80))
def test_a_name_in_code_can_be_copied_as_it_is_but_for_backticks(name: str) -> None:
    assert read(code(name)).shown == name.replace("`", "\u02cb")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("deploy_prod pushed to main", "deploy_prod pushed to main"),
        ("s3:PutObject & more", "s3:PutObject &amp; more"),
        ("  a \n\n b\t", "a b"),
        ("x\u202ey", "x\u2039U+202E\u203ay"),
        ("Zoë Müller, 東京", "Zoë Müller, 東京"),
        ("", ""),
    ],
)
def test_ordinary_text_stays_readable(text: str, shown: str) -> None:
    assert words(text) == shown


def test_names_that_differ_only_in_what_cannot_be_seen_look_different() -> None:
    assert words("main") != words("ma\u200bin")
    assert code("main") != code("main\ufe0f")


def test_a_megabyte_is_cut_without_being_looked_at() -> None:
    assert length(words("&" * 1_000_000, 100)) <= 100


@given(TEXTS, TEXTS)
def test_a_link_is_one_link_or_none(url: str, label: str) -> None:
    for target in (url, "https://example.com/" + url, "http://" + url):
        found = read(link(target, label))
        assert len(found.links) <= 1
        assert not (found.mentions or found.formats or found.emoji)
        for where, _ in found.links:
            assert where.startswith(("https://", "http://"))
            assert where == address(target)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "mailto:a@example.com",
        "slack://open",
        "//example.com/x",
        "https://",
        "https://user:secret@example.com/",
        "https://example.com@evil.example.net/",
        "https://example.com\\@evil.example.net/",
        "https://exa mple.com/",
        "https://example.com/\n<!channel>",
        "https://example.com/\u202e",
        "https://example.com:port/",
        "https://[::1/",
        "https://ex|ample.com",
        "https://" + "a" * 64 + ".example.com/",
        "https://example.com/" + "a" * 4000,
        "",
    ],
)
def test_an_address_that_misleads_is_no_link(url: str) -> None:
    assert address(url) == ""
    assert read(link(url, "label")).links == []


@pytest.mark.parametrize(
    ("url", "quoted"),
    [
        (
            "https://github.com/example-org/app/commit/abc?x=1&y=2#L3",
            "https://github.com/example-org/app/commit/abc?x=1&y=2#L3",
        ),
        ('https://example.com/a|b>c<d`e"f', "https://example.com/a%7Cb%3Ec%3Cd%60e%22f"),
        ("https://example.com/a*b", "https://example.com/a%2Ab"),
        ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"),
        ("HTTPS://Example.com:8443/x", "https://example.com:8443/x"),
        ("https://example.com/%2F", "https://example.com/%2F"),
    ],
)
def test_an_address_is_quoted(url: str, quoted: str) -> None:
    assert address(url) == quoted
    assert read(link(url, "x")).links == [(quoted, "x")]


@pytest.mark.parametrize(
    ("who", "said"), [("U0123ABC", "<@U0123ABC>"), ("W0123ABC", "<@W0123ABC>"), ("S0123ABC", "<!subteam^S0123ABC>")]
)
def test_people_and_groups_are_mentioned_by_id(who: str, said: str) -> None:
    assert mention(who) == said


@pytest.mark.parametrize("who", ["", "here", "!channel", "U1>", "u0123", "C0123ABC", "U0123ABC\n", "jo"])
def test_nothing_else_is_a_mention(who: str) -> None:
    assert mention(who) == ""


@given(TEXTS)
def test_what_is_sent_is_text_that_json_and_utf8_take(text: str) -> None:
    for said in (words(text), code(text), link(text, text)):
        assert json.loads(json.dumps(said)) == said
        said.encode()
