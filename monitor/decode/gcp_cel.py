"""Which tokens a provider's attribute condition lets pass: a CEL expression turned into alternatives of demands. Pure.

https://cloud.google.com/iam/docs/workload-identity-federation (attribute conditions)
https://github.com/google/cel-spec/blob/master/doc/langdef.md (what `&&`, `||`, `!` and errors mean)

An expression that ends in an error refuses. So a claim that is absent passes no comparison, nor its negation, and only
`has()` can tell that one is absent. `&&` and `||` look past an error if the other side settles it, as De Morgan's laws do.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import msgspec

from monitor.decode.gcp_cel_parser import Call, Items, Literal, Name, Node, Operation, Unreadable, parse
from monitor.decode.gcp_cel_regex import globs
from monitor.facts.trust import ClaimTest
from monitor.model import Unknown

MOST = 64
"""Alternatives beyond these are not told apart."""
_MAPPED = ("google", "attribute")
_RESERVED = tuple(f"{root}." for root in _MAPPED)
_DOT = re.compile(r"(?<!\\)\.")
_PLAIN = re.compile(r"[^*?]*")
# Arguments are one literal text; what it becomes as a pattern.
_PARTS = {"startsWith": "{}*", "endsWith": "*{}", "contains": "*{}*"}


class Term(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One alternative: all tests must hold. `unclear` are demands that could not be evaluated; they may narrow it, or not.

    Tests of mapped attributes have the claim `google.subject`, `google.groups` or `attribute.x`.
    """

    tests: tuple[ClaimTest, ...] = ()
    unclear: tuple[Unknown, ...] = ()


ALWAYS: tuple[Term, ...] = (Term(),)
NEVER: tuple[Term, ...] = ()


class _TooMany(Exception):
    pass


def disjuncts(expression: str) -> tuple[Term, ...] | Unknown:
    """Return the alternatives of a condition; none if it never holds, one without demands if it always does.

    Unknown where it cannot be read, or has more than 64 alternatives. Never raises.
    """
    try:
        return _terms(parse(expression), True)
    except Unreadable as wrong:
        return Unknown(f"the condition cannot be evaluated: {wrong}")
    except _TooMany:
        return Unknown(f"the condition cannot be evaluated: it has more than {MOST} alternatives")


def claim_of(expression: str) -> str:
    """Return the claim that an attribute mapping takes as it is (`assertion.sub`); empty for any other expression."""
    try:
        found = parse(expression)
    except Unreadable:
        return ""
    return _claim(found) if isinstance(found, Name) and found.path[0] == "assertion" else ""


def expired(expression: str, at: datetime) -> bool:
    """Return whether a binding's condition can hold no more: one of its demands is a time that has passed."""
    try:
        found = parse(expression)
    except Unreadable:
        return False
    return _past(found, at)


def _past(node: Node, at: datetime) -> bool:
    if isinstance(node, Operation) and node.sign == "&&":
        return any(_past(part, at) for part in node.parts)
    if not isinstance(node, Operation) or node.sign not in ("<", "<=", ">", ">="):
        return False
    first, second = node.parts if node.sign in ("<", "<=") else node.parts[::-1]
    if first != Name(("request", "time")) or not isinstance(second, Call) or second.name != "timestamp":
        return False
    given = second.arguments[0] if len(second.arguments) == 1 and second.target is None else None
    try:
        end = datetime.fromisoformat(str(given.value)) if isinstance(given, Literal) else None
        return end is not None and end.tzinfo is not None and end.astimezone(UTC) < at
    except (ValueError, OverflowError):
        return False


def _terms(node: Node, wanted: bool) -> tuple[Term, ...]:
    """Return the alternatives in which the node is true (or, if that is wanted, false)."""
    if isinstance(node, Operation):
        if node.sign == "!":
            return _terms(node.parts[0], not wanted)
        if node.sign in ("&&", "||"):
            found = [_terms(part, wanted) for part in node.parts]
            return _both(found) if (node.sign == "&&") is wanted else _either(found)
        if node.sign == "?":
            condition, then, otherwise = node.parts
            return _either(
                [
                    _both([_terms(condition, True), _terms(then, wanted)]),
                    _both([_terms(condition, False), _terms(otherwise, wanted)]),
                ]
            )
        if node.sign == "!=":
            return _terms(Operation("==", node.parts), not wanted)
    if isinstance(node, Literal) and isinstance(node.value, bool):
        return ALWAYS if node.value is wanted else NEVER
    return _atom(node, wanted)


def _either(found: list[tuple[Term, ...]]) -> tuple[Term, ...]:
    merged: dict[tuple[object, ...], Term] = {}
    for term in (one for terms in found for one in terms):
        key: tuple[object, ...] = (term,)
        if len(term.tests) == 1 and not term.unclear and not term.tests[0].negated:
            # Alternatives for one claim are one demand with several patterns.
            test = term.tests[0]
            key = (test.claim, test.wild, test.absent_passes)
            if key in merged:
                known = merged[key].tests[0].patterns
                test = msgspec.structs.replace(test, patterns=tuple(dict.fromkeys((*known, *test.patterns))))
                term = Term(tests=(test,))
        merged[key] = term
    if Term() in merged.values():
        return ALWAYS
    if len(merged) > MOST:
        raise _TooMany
    return tuple(merged.values())


def _both(found: list[tuple[Term, ...]]) -> tuple[Term, ...]:
    made = ALWAYS
    # Shortest first: what is left when there are too many is then the least.
    for terms in sorted(found, key=len):
        if len(made) * len(terms) > MOST:
            # Leaving a demand out can only widen, and it is told.
            terms = (Term(unclear=(Unknown(f"a part of the condition makes more than {MOST} alternatives"),)),)
        made = tuple(dict.fromkeys(_joined(one, other) for one in made for other in terms))
    return made


def _joined(one: Term, other: Term) -> Term:
    return Term(
        tests=tuple(dict.fromkeys((*one.tests, *other.tests))),
        unclear=tuple(dict.fromkeys((*one.unclear, *other.unclear))),
    )


def _claim(node: Node) -> str:
    """Return how a test names what the node stands for; empty if it is nothing of the token."""
    if not isinstance(node, Name) or len(node.path) < 2:
        return ""
    root, *fields = node.path
    name = ".".join(fields)
    if root in _MAPPED:
        return f"{root}.{name}"
    # A claim of the token that is named like a mapped attribute could be taken for it.
    return name if root == "assertion" and fields[0] not in _MAPPED and not name.startswith(_RESERVED) else ""


def _demand(claim: str, patterns: tuple[str, ...], wanted: bool, wild: bool = False) -> tuple[Term, ...]:
    return (Term(tests=(ClaimTest(claim=claim, patterns=patterns, wild=wild, negated=not wanted),)),)


def _present(claim: str, wanted: bool) -> tuple[Term, ...]:
    test = ClaimTest(claim=claim, patterns=("*",), wild=True, negated=not wanted, absent_passes=not wanted)
    return (Term(tests=(test,)),)


def _unclear(what: str) -> tuple[Term, ...]:
    return (Term(unclear=(Unknown(f"a part of the condition cannot be evaluated: {what}"),)),)


def _atom(node: Node, wanted: bool) -> tuple[Term, ...]:
    """Return the alternatives of a node that no logic holds together."""
    if isinstance(node, Operation) and node.sign == "==":
        return _equal(*node.parts, wanted=wanted)
    if isinstance(node, Operation) and node.sign == "in":
        return _member(*node.parts, wanted=wanted)
    if isinstance(node, Operation):
        return _unclear(f"the operator {node.sign}")
    if isinstance(node, Call):
        return _call(node, wanted)
    if claim := _claim(node):
        return _demand(claim, ("true" if wanted else "false",), True)
    return _unclear("what is no comparison")


def _equal(one: Node, other: Node, *, wanted: bool) -> tuple[Term, ...]:
    if isinstance(one, Literal) and isinstance(other, Literal):
        same = type(one.value) is type(other.value) and one.value == other.value
        return ALWAYS if same is wanted else NEVER
    if isinstance(one, Literal):
        one, other = other, one
    claim = _claim(one)
    if not claim or not isinstance(other, Literal):
        return _unclear("a comparison of other things than a claim and a text")
    if isinstance(other.value, str):
        return _demand(claim, (other.value,), wanted)
    if other.value is not None and wanted:
        return _demand(claim, ("true" if other.value else "false",), True)
    return _unclear("a comparison with null, or that it is not true or false")


def _member(one: Node, many: Node, *, wanted: bool) -> tuple[Term, ...]:
    if isinstance(one, Literal) and isinstance(one.value, str):
        if many == Name(("assertion",)):
            claim = _claim(Name(("assertion", one.value)))
            return _present(claim, wanted) if claim else _unclear("a claim named like an attribute")
        if claim := _claim(many):  # a claim that is a list
            return _demand(claim, (one.value,), wanted)
    if not isinstance(many, Items) or not all(isinstance(item, Literal) for item in many.items):
        return _unclear("`in` of what is no list of texts")
    values = [item.value for item in many.items if isinstance(item, Literal)]
    texts = tuple(dict.fromkeys(value for value in values if isinstance(value, str)))
    if isinstance(one, Literal):
        inside = any(type(one.value) is type(value) and one.value == value for value in values)
        return ALWAYS if inside is wanted else NEVER
    claim = _claim(one)
    if not claim or not all(isinstance(value, str) for value in values):
        return _unclear("`in` of other things than a claim and texts")
    if not texts:
        return NEVER if wanted else _present(claim, True)
    return _demand(claim, texts, wanted)


def _call(node: Call, wanted: bool) -> tuple[Term, ...]:
    if node.name == "has" and node.target is None and len(node.arguments) == 1:
        asked = node.arguments[0]
        claim = _claim(asked) if isinstance(asked, Name) and asked.picked else ""
        return _present(claim, wanted) if claim else _unclear("has() of what is no claim")
    given = node.arguments[0] if len(node.arguments) == 1 else None
    if not isinstance(given, Literal) or not isinstance(given.value, str) or node.target is None:
        return _unclear(f"{node.name}()")
    text = given.value
    if isinstance(node.target, Literal) and isinstance(node.target.value, str) and node.name in _PARTS:
        own = node.target.value
        held = {"startsWith": own.startswith(text), "endsWith": own.endswith(text), "contains": text in own}
        return ALWAYS if held[node.name] is wanted else NEVER
    claim = _claim(node.target)
    if not claim:
        return _unclear(f"{node.name}() of what is no claim")
    if node.name in _PARTS and _PLAIN.fullmatch(text):
        pattern = _PARTS[node.name].format(text) if text else "*"
        return _demand(claim, (pattern,), wanted, wild=True)
    if node.name == "matches":
        return _matches(claim, text, wanted)
    return _unclear(f"{node.name}()" + (" with * or ? in its text" if node.name in _PARTS else ""))


def _matches(claim: str, expression: str, wanted: bool) -> tuple[Term, ...]:
    found = globs(expression)
    if found is None:
        return _unclear("a regular expression")
    patterns, wild, exact = found
    # A dot is no end of line, but `?` is: so a negation would refuse what the expression lets pass.
    if exact and (wanted or not _DOT.search(expression)):
        return _demand(claim, patterns, wanted, wild)
    # The patterns stand for more than the expression does: a demand, but not the whole of it; its negation says nothing.
    return (
        _both([_demand(claim, patterns, True, wild), _unclear("a regular expression")])
        if wanted
        else _unclear("a regular expression")
    )
