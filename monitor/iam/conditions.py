"""Whether a condition holds for a request, with the operators' documented meaning. Pure; never raises.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html

A key that the context does not name is not known; one that it names without a value is known to be absent. Each comparison
answers True, False or None (it cannot be told), and so does the whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address, ip_network

from monitor.facts.policy import Condition
from monitor.iam.wildcards import fits, wild

Compared = Callable[[str, str], bool | None]
"""Tells whether a value of the policy (first) is met by one of the request (second)."""
VARIABLE = re.compile(r"\$\{([^},]*)[^}]*\}")
"""A policy variable: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html"""
_LITERAL = {"*": "*", "?": "?", "$": "$"}
_LITERALLY = ("stringequals", "stringequalsignorecase")
_NEGATIONS = {
    "stringnotequals": "stringequals",
    "stringnotequalsignorecase": "stringequalsignorecase",
    "stringnotlike": "stringlike",
    "numericnotequals": "numericequals",
    "datenotequals": "dateequals",
    "notipaddress": "ipaddress",
    "arnnotequals": "arnequals",
    "arnnotlike": "arnlike",
}


def holds(condition: Condition, context: Mapping[str, Sequence[str]]) -> bool | None:
    """Return whether the condition holds where the request's keys (in lower case) have these values.

    None: it cannot be told, as its key is not in the context, or the operator or a value cannot be evaluated.
    """
    operator = condition.operator.lower()
    given = context.get(condition.key)
    if operator == "null":
        return None if given is None else _null(condition, given)
    positive = _NEGATIONS.get(operator, operator)
    compared = _OPERATORS.get(positive)
    if compared is None or given is None:
        return None
    negated = positive != operator
    qualifier = condition.qualifier.lower()
    if qualifier not in ("", "foranyvalue", "forallvalues"):
        return None
    if not given:
        return _absent(condition, qualifier, negated)
    met = [_met(condition.values, value, compared, context, positive) for value in given]
    if qualifier == "foranyvalue":
        return _any(_not(one) if negated else one for one in met)
    if qualifier == "forallvalues":
        return _all(_not(one) if negated else one for one in met)
    return _not(_any(met)) if negated else _any(met)


def all_hold(conditions: Iterable[Condition], context: Mapping[str, Sequence[str]]) -> bool | None:
    """Return whether all conditions hold: False if one is known not to, None if it cannot be told."""
    return _all(holds(condition, context) for condition in conditions)


def filled(text: str, context: Mapping[str, Sequence[str]], *, pattern: bool = False) -> str | None:
    """Return a text with its policy variables replaced by what the context tells; None where one is not known.

    What a variable stands for is literal. A `pattern` has no way to say so: there, `*` or `?` in it is not known either.
    """
    if "${" not in text:
        return text
    lost = False

    def value(found: re.Match[str]) -> str:
        nonlocal lost
        name = found[1].strip().lower()
        known = _LITERAL.get(name) or next(iter(context.get(name, ())), None)
        lost = lost or known is None or (pattern and wild(known))
        return known or ""

    text = VARIABLE.sub(value, text)
    return None if lost else text


def _absent(condition: Condition, qualifier: str, negated: bool) -> bool:
    if qualifier == "foranyvalue":
        return condition.if_exists
    return condition.if_exists or negated or qualifier == "forallvalues"


def _null(condition: Condition, given: Sequence[str]) -> bool | None:
    wanted = {value.lower() for value in condition.values}
    if not wanted <= {"true", "false"}:
        return None
    return ("false" if given else "true") in wanted


def _met(
    values: Sequence[str], value: str, compared: Compared, context: Mapping[str, Sequence[str]], operator: str
) -> bool | None:
    def one(written: str) -> bool | None:
        if "${" in written and operator.startswith(("string", "arn")):
            known = filled(written, context, pattern=operator not in _LITERALLY)
            return None if known is None else compared(known, value)
        return compared(written, value)

    return _any(one(written) for written in values)


def _any(found: Iterable[bool | None]) -> bool | None:
    doubt = False
    for one in found:
        if one:
            return True
        doubt = doubt or one is None
    return None if doubt else False


def _all(found: Iterable[bool | None]) -> bool | None:
    return _not(_any(_not(one) for one in found))


def _not(found: bool | None) -> bool | None:
    return None if found is None else not found


def _arn(pattern: str, value: str) -> bool | None:
    """Compare part by part, as AWS does; a pattern with fewer than six parts is one whose meaning is not documented."""
    written, given = pattern.split(":", 5), value.split(":", 5)
    if len(given) < 6:
        return False
    if len(written) < 6:
        return None if fits(pattern, value) else False
    return all(fits(one, other) for one, other in zip(written, given, strict=True))


def _bool(written: str, value: str) -> bool:
    return written.lower() == value.lower()


def _ip(written: str, value: str) -> bool | None:
    try:
        return ip_address(value) in ip_network(written, strict=False)
    except ValueError:
        return None


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if found == found else None  # NaN is no number: it is not even itself


@lru_cache(maxsize=1024)
def _moment(text: str) -> float | None:
    """Return a date of the forms that AWS takes (ISO 8601, or seconds since 1970) as seconds."""
    if (seconds := _number(text)) is not None and len(text) > 4:
        return seconds
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    try:
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError):
        return None


def _ordered(read: Callable[[str], float | None], test: Callable[[float, float], bool]) -> Compared:
    def compared(written: str, value: str) -> bool | None:
        left, right = read(written), read(value)
        return None if left is None or right is None else test(right, left)

    return compared


_ORDERS: dict[str, Callable[[float, float], bool]] = {
    "equals": lambda given, written: given == written,
    "lessthan": lambda given, written: given < written,
    "lessthanequals": lambda given, written: given <= written,
    "greaterthan": lambda given, written: given > written,
    "greaterthanequals": lambda given, written: given >= written,
}
_OPERATORS: dict[str, Compared] = {
    "stringequals": lambda written, value: written == value,
    "stringequalsignorecase": lambda written, value: written.lower() == value.lower(),
    "stringlike": fits,
    "arnequals": _arn,  # "The ArnEquals and ArnLike condition operators behave identically."
    "arnlike": _arn,
    "bool": _bool,
    "binaryequals": lambda written, value: written == value,
    "ipaddress": _ip,
    **{f"numeric{name}": _ordered(_number, test) for name, test in _ORDERS.items()},
    **{f"date{name}": _ordered(_moment, test) for name, test in _ORDERS.items()},
}
