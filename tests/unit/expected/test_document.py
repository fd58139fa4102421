"""Reading one YAML file: plain data, lines, and what is refused."""

import time

import pytest

from monitor.expected.document import DEEPEST, LARGEST, parse


def told(content: bytes) -> list[str]:
    return [mistake.text() for mistake in parse(content, "x.yaml").mistakes]


def test_every_key_and_item_knows_its_line():
    document = parse(b"# note\na:\n  - b: 1\n    c: two\n\n  - [x,\n     y]\nd: {e: null}\n", "x.yaml")

    assert document.data == {"a": [{"b": 1, "c": "two"}, ["x", "y"]], "d": {"e": None}}
    assert document.line(("a",)) == 2
    assert document.line(("a", 0)) == 3
    assert document.line(("a", 0, "c")) == 4
    assert document.line(("a", 1)) == 6
    assert document.line(("a", 1, 1)) == 7
    assert document.line(("d", "e")) == 8
    assert document.line(("a", 0, "missing", 3)) == 3
    assert document.line(("nowhere",)) == 0


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("on", "on"),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        ("1:30", "1:30"),
        ("1.50", 1.5),
        (".inf", ".inf"),
        ("2026-03-14T01:00:00Z", "2026-03-14T01:00:00Z"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("9" * 30, "9" * 30),
        ("<<", "<<"),
    ],
)
def test_scalars_are_read_as_in_yaml_1_2(text, value):
    document = parse(f"a: {text}\n".encode(), "x.yaml")

    assert document.mistakes == ()
    assert document.data == {"a": value}
    assert type(document.data["a"]) is type(value)


def test_number_with_a_leading_zero_is_told_to_be_quoted():
    assert told(b"a:\n- id: 012345670123\n") == [
        (
            "x.yaml:2: a[0].id: 012345670123 begins with 0: YAML may read it as octal or lose the zero; "
            'quote it, as "012345670123", or, if it is a number, write 12345670123'
        )
    ]


def test_repeated_key_is_reported_with_both_lines_and_reading_goes_on():
    document = parse(b"a: 1\nb:\n  c: 1\n  c: {d: 1, d: 2}\na: 2\n", "x.yaml")

    assert [m.text() for m in document.mistakes] == [
        "x.yaml:4: b.c: is given twice, first in line 3; keep one",
        "x.yaml:4: b.'c (again)'.d: is given twice, first in line 4; keep one",
        "x.yaml:5: a: is given twice, first in line 1; keep one",
    ]
    assert document.data == {"a": 1, "b": {"c": 1}}
    assert document.sound


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a: &x 1\nb: *x\n", "x.yaml:1: has an anchor or an alias"),
        (b"a: *x\n", "x.yaml:1: has an anchor or an alias"),
        (b"a:\n  <<: *x\n", "x.yaml:2: has an anchor or an alias"),
        (
            b"a: !!python/object/apply:os.system [id]\n",
            "x.yaml:1: has the tag 'tag:yaml.org,2002:python/object/apply:os.system'",
        ),
        (b"a: !mine 1\n", "x.yaml:1: has the tag '!mine'"),
        (b"a: 1\n---\nb: 2\n", "x.yaml:2: holds a second document"),
        (b"{[a]: b}\n", "x.yaml:1: has a list or a mapping where a key should be"),
        (b"a: {{b}}\n", "x.yaml:1: has a list or a mapping where a key should be"),
        (b"a: b: c\n", "x.yaml:1: is not YAML: a second ': ' in one line"),
        (b"a:\n\t- b\n", "x.yaml:2: is not YAML: a tab indents the line"),
        (b"a: [b\nc: d\n", "x.yaml:2: is not YAML"),
        (b"a: 'b\n", "x.yaml:2: is not YAML"),
        (b"a: 1\nb: \xff\n", "x.yaml:2: is not UTF-8 (byte 0xff); save it as UTF-8"),
        ("a: 1\n".encode("utf-16"), "x.yaml:1: is UTF-16; save it as UTF-8"),
        (b"a: 1\nb: \x00\n", "x.yaml:2: holds the character U+0000"),
        (b"a: 1\nb: \x1b[31m\n", "x.yaml:2: holds the character U+001B"),
        ("a: 1\nb: x\u202ey\n".encode(), "x.yaml:2: holds the character U+202E, which cannot be seen"),
        (b'a: "\\UFFFFFFFF"\n', "x.yaml:1: is not YAML"),
        (b'a: "\\uD800"\n', "x.yaml:1: has an escape that stands for no character"),
        (b'"\\uD800": 1\n', "x.yaml:1: has an escape that stands for no character"),
        (b"%YAML 1." + b"9" * 5000 + b"\n---\na: 1\n", "x.yaml:1: is not YAML"),
        (b"[" * (DEEPEST + 1), f"x.yaml:1: nests deeper than {DEEPEST} levels"),
        (b"- " * 100_000, f"x.yaml:1: nests deeper than {DEEPEST} levels"),
        (b"a: b\n" + b"#" * LARGEST, "x.yaml: is larger than 1,000,000 bytes"),
    ],
)
def test_what_is_not_plain_yaml_is_refused_with_its_line(content, said):
    document = parse(content, "x.yaml")

    assert document.mistakes[-1].text().startswith(said)
    assert not document.sound


def test_bomb_of_aliases_is_refused_at_once():
    bomb = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
        b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in range(ord("b"), ord("z"))
    )

    begun = time.perf_counter()

    assert not parse(bomb, "x.yaml").sound
    assert time.perf_counter() - begun < 1


def test_nesting_up_to_the_limit_is_read():
    assert parse(b"[" * DEEPEST + b"]" * DEEPEST, "x.yaml").sound


def test_byte_order_mark_and_empty_files_are_read():
    assert parse(b"\xef\xbb\xbfa: 1\n", "x.yaml").data == {"a": 1}
    assert parse(b"", "x.yaml").data is None
    assert parse(b"# nothing\n", "x.yaml").mistakes == ()
