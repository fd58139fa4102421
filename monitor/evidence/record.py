"""A result as an evidence record, and back without loss. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec

from monitor.errors import EvidenceError, IntegrityError
from monitor.evidence import statement
from monitor.evidence.statement import CHECK_RESULT, CheckResult, ObjectRef, Statement
from monitor.model import Result, Sweep

LARGEST = 48 * 1024
"""A statement in bytes above which what it observed lies in the content store: an entry holds 65,535."""
_EXACT = 2**53
_SHOWN = 500
_POINTERS = 4096
_TODO = "report this as a fault of the check: results hold JSON values"


def encode_result(result: Result, sweep: Sweep, seq: int) -> tuple[bytes, list[bytes]]:
    """Return the statement and the objects that it cites. Raises EvidenceError when the result holds what JSON cannot.

    The values in `expected` and `observed` are kept as their JSON form: a tuple comes back as a list, a date as text.
    """
    numbers: tuple[str, ...] = ()
    try:
        if _needs_care(result):
            result, numbers = _made_plain(result)
        data = _encode(result, sweep, seq, numbers, {})
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise EvidenceError(f"a result of check {result.check!r} cannot be written: {error}", todo=_TODO) from error
    if len(data) <= LARGEST:
        return data, []
    observed = statement.to_json(result.observed)
    moved = {"observed": _ref(observed)}
    objects = [observed]
    pointers = statement.to_json(numbers)
    if len(pointers) > _POINTERS:
        objects.append(pointers)
        moved["numbers"], numbers = _ref(pointers), ()
    small = msgspec.structs.replace(result, observed=_shown(result.observed, moved["observed"]))
    data = _encode(small, sweep, seq, numbers, moved)
    if len(data) <= LARGEST:
        return data, objects
    objects[0] = statement.to_json(result)
    moved["result"] = _ref(objects[0])
    del moved["observed"]
    return _encode(_cut(result, moved["result"]), sweep, seq, numbers, moved), objects


def decode_result(data: bytes, load: Callable[[str], bytes]) -> CheckResult:
    """Return the record with its result whole; `load` gives an object's bytes by digest.

    Raises IntegrityError when the bytes are no such record, and whatever `load` raises.
    """
    return read_result(statement.parse(data), load)


def read_result(found: Statement[msgspec.Raw], load: Callable[[str], bytes]) -> CheckResult:
    """Return the record that a parsed statement holds, its result whole. Raises as `decode_result` does."""
    if found.predicate_type != CHECK_RESULT:
        raise IntegrityError(f"not a check-result statement but {found.predicate_type}")
    record = statement.from_json(found.predicate, CheckResult)
    if not record.moved and not record.numbers:
        return record
    result = record.result
    if whole := record.moved.get("result"):
        result = statement.from_json(load(whole.object), Result)
    elif observed := record.moved.get("observed"):
        result = msgspec.structs.replace(result, observed=statement.from_json(load(observed.object), dict[str, Any]))
    numbers = record.numbers
    if moved := record.moved.get("numbers"):
        numbers = statement.from_json(load(moved.object), tuple[str, ...])
    for pointer in numbers:
        _restore({"expected": result.expected, "observed": result.observed}, pointer)
    return msgspec.structs.replace(record, result=result)


def _encode(result: Result, sweep: Sweep, seq: int, numbers: tuple[str, ...], moved: dict[str, ObjectRef]) -> bytes:
    # The subject's digest is that of the first bytes cited; where nothing is, that of what was observed.
    sha256 = next((ref.sha256 for ref in result.evidence if ref.sha256), "")
    if not sha256:
        moved_to = moved.get("observed") or moved.get("result")
        sha256 = moved_to.object if moved_to else statement.digest(statement.to_json(result.observed))
    record = CheckResult(
        sweep=sweep.id,
        seq=seq,
        window=sweep.window,
        collected=sweep.at,
        result=result,
        numbers=numbers,
        moved=moved,
    )
    return statement.encode(CHECK_RESULT, result.subject, sha256, record)


def _cut(result: Result, whole: ObjectRef) -> Result:
    """Return the head of each text, for people; the whole result is an object."""
    texts = {
        name: getattr(result, name)[:_SHOWN] for name in ("check", "subject", "reason", "actor", "scope", "remedy")
    }
    return msgspec.structs.replace(result, **texts, observed=_shown(result.observed, whole), expected={}, evidence=())


def _ref(data: bytes) -> ObjectRef:
    return ObjectRef(statement.digest(data), len(data))


def _shown(observed: dict[str, Any], ref: ObjectRef) -> dict[str, Any]:
    """Return where the observed payload lies, and those of its members that are short enough to show (16 at most)."""
    short = {
        key: value
        for key, value in observed.items()
        if len(key) <= 100 and (value is None or isinstance(value, int | float | str)) and len(str(value)) <= 100
    }
    return dict(list(short.items())[:16]) | {"object": ref.object, "bytes": ref.bytes}


def _needs_care(result: Result) -> bool:
    """Return whether `expected` or `observed` hold numbers that JSON readers lose, or values that are not JSON."""
    todo: list[Any] = [result.observed, result.expected]
    while todo:
        value = todo.pop()
        kind = type(value)
        if kind is str or kind is bool or value is None:
            continue
        if kind is dict:
            todo.extend(value.values())
        elif kind is list:
            todo.extend(value)
        elif kind is int:
            if not -_EXACT <= value <= _EXACT:
                return True
        elif kind is not float or not math.isfinite(value):
            return True
    return False


def _made_plain(result: Result) -> tuple[Result, tuple[str, ...]]:
    """Return the result with JSON values only, and the pointers to the numbers in it that became strings."""
    numbers: list[str] = []
    built = msgspec.to_builtins(result, str_keys=True)
    plain = {
        name: _plain(value, f"/{name}", numbers if name in ("expected", "observed") else [])
        for name, value in built.items()
    }
    return msgspec.convert(plain, Result), tuple(numbers)


def _plain(value: Any, at: str, numbers: list[str]) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return {key: _plain(member, f"{at}/{_escape(key)}", numbers) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member, f"{at}/{place}", numbers) for place, member in enumerate(value)]
    if isinstance(value, bool) or value is None:
        return value
    if (isinstance(value, int) and not -_EXACT <= value <= _EXACT) or not math.isfinite(value):
        numbers.append(at)
        # Python refuses to write an integer of thousands of digits in decimal, since that is slow.
        return hex(value) if isinstance(value, int) and value.bit_length() > 1024 else str(value)
    return value


def _escape(key: str) -> str:
    """Return a key as an element of a JSON pointer."""
    # https://www.rfc-editor.org/rfc/rfc6901#section-3
    return statement.utf8(key).replace("~", "~0").replace("/", "~1")


def _restore(root: dict[str, Any], pointer: str) -> None:
    """Turn the string at the pointer back to the number it was. Raises IntegrityError when there is none."""
    keys = [key.replace("~1", "/").replace("~0", "~") for key in pointer.split("/")[1:]]
    try:
        holder: Any = root
        for key in keys[:-1]:
            holder = holder[int(key)] if isinstance(holder, list) else holder[key]
        last: Any = int(keys[-1]) if isinstance(holder, list) else keys[-1]
        text = holder[last]
        holder[last] = float(text) if text.lstrip("-") in ("inf", "nan") else int(text, 0)
    except (LookupError, TypeError, ValueError, AttributeError):
        raise IntegrityError("a number that was written as a string is not where its record says") from None
