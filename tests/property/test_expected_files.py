"""Laws of reading configuration: nothing raises, and what is wrong is always told."""

import json
import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import ConfigError
from monitor.expected.document import parse
from monitor.expected.load import load

CONFIG = Path(__file__).parents[2] / "config/expected"
EXAMPLE = {path.name: path.read_bytes() for path in sorted(CONFIG.glob("*.yaml"))}
NASTY = [
    "111122223333\x1b",
    "\x1b[2J",
    "arn:aws:iam::111122223333:role/\u202e",
    "arn:aws:iam::\n:role/a",
    "ecs.amazonaws.com:\x1b",
    "s3://\x1b",
    "repo:a/\x1b:*",
    "2026-03-01T00:00:00\x1b",
]


def values(text: st.SearchStrategy[str]) -> st.SearchStrategy[object]:
    """Return plain data of any shape, with these texts."""
    return st.recursive(
        st.none() | st.booleans() | st.integers(-(10**12), 10**12) | text,
        lambda below: (
            st.lists(below, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=3), below, max_size=3)
        ),
        max_leaves=12,
    )


def paths(value: object, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the paths of everything within the data."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, part in below for path in paths(part, (*at, key)))]


def replaced(value: object, path: tuple[str | int, ...], by: object) -> object:
    """Return the data with what is at the path replaced."""
    if not path:
        return by
    if isinstance(value, dict):
        return {key: replaced(part, path[1:], by) if key == path[0] else part for key, part in value.items()}
    return [replaced(part, path[1:], by) if n == path[0] else part for n, part in enumerate(value)]


ASCII = st.text(st.characters(codec="ascii", min_codepoint=32), max_size=8)
# A text such as 08 is written without quotes by YAML 1.1's rules, and refused by ours.
NO_DIGITS = st.text(st.characters(codec="ascii", min_codepoint=58), max_size=8)
STATE = {key: part for name in EXAMPLE for key, part in parse(EXAMPLE[name], name).data.items()}


@given(st.binary(max_size=200))
def test_no_bytes_raise(content):
    document = parse(content, "x.yaml")

    assert document.sound or document.mistakes


@given(st.text("ab:-[]{}'\"&*!|>%@#?, \n\t\\u0", max_size=60))
def test_no_yaml_raises(text):
    document = parse(text.encode(), "x.yaml")

    assert document.sound or document.mistakes


@given(values(ASCII))
def test_json_is_read_as_json(value):
    document = parse(json.dumps(value).encode(), "x.json")

    assert document.mistakes == ()
    assert document.data == value


@given(values(NO_DIGITS))
def test_what_yaml_writes_is_read_back(value):
    assert parse(yaml.safe_dump(value).encode(), "x.yaml").data == value


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_example_with_any_part_replaced_is_read_or_refused_with_its_mistakes(data):
    state = STATE
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(paths(state)))
        state = replaced(state, path, data.draw(st.sampled_from(NASTY) | values(ASCII)))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "x.yaml").write_text(json.dumps(state))
        try:
            load(Path(folder))
        except ConfigError as error:
            assert error.problems
            assert all(line.isprintable() for line in error.problems)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(EXAMPLE)), st.data())
def test_mangled_example_is_read_or_refused_with_its_mistakes(name, data):
    content = bytearray(EXAMPLE[name])
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        for other, original in EXAMPLE.items():
            (Path(folder) / other).write_bytes(bytes(content) if other == name else original)
        try:
            load(Path(folder))
        except ConfigError as error:
            assert error.problems
            assert all(line.isprintable() for line in error.problems)


@pytest.mark.parametrize("name", sorted(EXAMPLE))
def test_example_needs_no_part_of_yaml_that_readers_take_differently(name):
    theirs = yaml.load(EXAMPLE[name], Loader=yaml.BaseLoader)
    ours = parse(EXAMPLE[name], name).data

    def spelled(value):
        """Numbers and switches as they are written; `true` and `false` are the same to every reader."""
        if isinstance(value, dict):
            return {key: spelled(one) for key, one in value.items()}
        if isinstance(value, list):
            return [spelled(one) for one in value]
        return str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, int) else value

    assert json.dumps(theirs) == json.dumps(spelled(ours))
