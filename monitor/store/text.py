"""Outside text in a database column: every string goes in, comes out as it was, and fits an index where it must.

PostgreSQL refuses U+0000 in text (https://www.postgresql.org/docs/current/datatype-character.html), and neither driver
takes a lone surrogate. Both are written visibly, behind the symbol for null, and read back exactly: a log object whose
key holds such a character must not be mistaken for another, or read twice.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import msgspec

_SIGN = "\u2400"
_UNSAFE = re.compile("[\0\u2400\ud800-\udfff]")
_WRITTEN = re.compile(_SIGN + "(?:0|" + _SIGN + "|u([0-9A-F]{4}))")
_DIGEST_CHARACTERS = 32
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_REPLACEMENT = "\ufffd"
_ENCODER = msgspec.json.Encoder(order="deterministic")
_SYNTAX = msgspec.json.Decoder(msgspec.Raw)
_BLANKS = b" \t\r\n"

INDEXED_CHARACTERS = 200
"""The longest text in an indexed column. A B-tree entry of PostgreSQL holds about 2,700 bytes; two such columns fit."""


def stored(text: str) -> str:
    """Return the text as it is written: U+0000, lone surrogates and the sign itself are escaped, and nothing else."""
    return _UNSAFE.sub(_written, text) if _UNSAFE.search(text) else text


def restored(text: str) -> str:
    """Return the text that `stored` wrote, as it was."""
    return _WRITTEN.sub(_read, text) if _SIGN in text else text


def indexed(text: str) -> str:
    """Return the text as it is written to an indexed column: if too long it is cut, and ends in a digest of it all."""
    safe = stored(text)
    if len(safe) <= INDEXED_CHARACTERS:
        return safe
    return safe[: INDEXED_CHARACTERS - _DIGEST_CHARACTERS - 1] + "…" + digest(text)[:_DIGEST_CHARACTERS]


def digest(*parts: str) -> str:
    """Return the SHA-256 (hex) of the parts, each on a line: the identity of outside text of any length."""
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def encode_json(value: Any) -> bytes:
    """Return the value as JSON, the same bytes for the same value. A lone surrogate becomes U+FFFD: UTF-8 lacks it."""
    try:
        return _ENCODER.encode(value)
    except UnicodeEncodeError:
        return _ENCODER.encode(_encodable(value))


def clean_json(data: bytes) -> bytes:
    """Return JSON that any reader takes: as it was, without blanks around it.

    Where it holds lone surrogates or bare control characters it is written anew: those become U+FFFD, these are escaped.
    Raises ValueError if it is no JSON, or nested too deep to be read.
    """
    try:
        return data.strip(_BLANKS) if _is_json(data) else encode_json(_read_leniently(data))
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def _is_json(data: bytes) -> bool:
    try:
        _SYNTAX.decode(data)
        data.decode()  # which msgspec does not look at in what it passes over
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return True


def _read_leniently(data: bytes) -> Any:
    """Return the value of JSON that msgspec refuses even to pass over. Raises ValueError if it is none."""

    def refused(word: str) -> Any:
        raise ValueError(f"{word} is no JSON")

    return json.loads(data.decode("utf-8", "surrogatepass"), strict=False, parse_constant=refused)


def _encodable(value: Any) -> Any:
    """Return the value without lone surrogates; what is JSON already (`msgspec.Raw`) stays as it is."""
    if isinstance(value, msgspec.Struct):
        fields = {name: _encodable(getattr(value, name)) for name in value.__struct_fields__}
        return msgspec.structs.replace(value, **fields)
    if isinstance(value, str):
        return _LONE_SURROGATE.sub(_REPLACEMENT, value)
    if isinstance(value, dict):
        return {_encodable(key): _encodable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(item) for item in value]
    return value


def _written(found: re.Match[str]) -> str:
    character = found[0]
    if character == "\0":
        return _SIGN + "0"
    if character == _SIGN:
        return _SIGN + _SIGN
    return f"{_SIGN}u{ord(character):04X}"


def _read(found: re.Match[str]) -> str:
    if found[1]:
        return chr(int(found[1], 16))
    return "\0" if found[0][1] == "0" else _SIGN
