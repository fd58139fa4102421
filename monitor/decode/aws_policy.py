"""AWS policy documents to statements, by the grammar of the policy language. Pure, total; one reading for each text.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html

What AWS would refuse is not guessed at: one statement that cannot be read makes all statements of its policy Unknown, with
the reason and the place. IAM hands documents out URL-encoded; boto3 and the CLI decode them to objects. All forms are read.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import unquote

import msgspec

from monitor.facts.policy import Condition, Policy, Statement
from monitor.model import Unknown

_Texts = str | tuple[str, ...]
_Value = str | bool | int | float
_Named = str | dict[Literal["AWS", "Federated", "Service", "CanonicalUser"], _Texts]
ANY = (("*", "*"),)
"""The principal that stands for everybody."""
READ_ANEW = "correct the policy; AWS does not accept it as it stands"
_LEARNT = 4096
"""Documents kept read: many roles of an account share theirs."""
_OPERATORS = {
    name.lower(): name
    for name in (
        "StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike",
        "StringNotLike", "NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals",
        "NumericGreaterThan", "NumericGreaterThanEquals", "DateEquals", "DateNotEquals", "DateLessThan",
        "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals", "Bool", "BinaryEquals", "IpAddress",
        "NotIpAddress", "ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike", "Null",
    )
}  # fmt: skip
"""https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html"""
_QUALIFIERS = {"foranyvalue": "ForAnyValue", "forallvalues": "ForAllValues"}


class _Statement(msgspec.Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    """One statement as AWS writes it. Of elements with a Not- form, None is the one that is not there."""

    Effect: Literal["Allow", "Deny"]
    Sid: str = ""
    Principal: _Named | None = None
    NotPrincipal: _Named | None = None
    Action: _Texts | None = None
    NotAction: _Texts | None = None
    Resource: _Texts | None = None
    NotResource: _Texts | None = None
    Condition: dict[str, dict[str, _Value | tuple[_Value, ...]]] = {}


class _Document(msgspec.Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    Statement: _Statement | tuple[_Statement, ...]
    Version: Literal["2012-10-17", "2008-10-17"] = "2008-10-17"
    Id: str = ""


class Told(msgspec.Struct, frozen=True, gc=False):
    """A statement that names principals.

    `principals` are pairs of a kind (AWS, Federated, Service, CanonicalUser, or `*` for everybody) and a value. `negated`:
    it is about all but these. `variables`: `${…}` in its values stands for something, as it does since version 2012-10-17.
    """

    statement: Statement
    principals: tuple[tuple[str, str], ...]
    negated: bool = False
    variables: bool = True


class _Wrong(ValueError):
    """The statement is none; the message says where and why."""


_decode = msgspec.json.Decoder(_Document).decode
_encode = msgspec.json.Encoder().encode
_UNREADABLE = (msgspec.MsgspecError, ValueError, TypeError, RecursionError, OverflowError, NotImplementedError)


def policy(document: object, name: str, kind: str) -> Policy:
    """Return the policy: a parsed document, its JSON, or its JSON URL-encoded. What is malformed has Unknown statements."""
    text = written(document)
    if isinstance(text, Unknown):
        return Policy(name=name, kind=kind, statements=text)
    parsed = isinstance(document, dict)  # then no key can stand twice any more
    return Policy(name=name, kind=kind, statements=_statements(text, kind == "rcp", parsed))


def statements(document: object) -> tuple[Told, ...] | Unknown:
    """Return the statements of a trust policy, with their principals; Unknown, with reason and place, if it is malformed."""
    text = written(document)
    return text if isinstance(text, Unknown) else _trust(text, isinstance(document, dict))


def written(document: object) -> bytes | Unknown:
    """Return a document as JSON, the same bytes for the same document; Unknown if it is none."""
    if isinstance(document, str):
        text = document if document.lstrip()[:1] != "%" else unquote(document)
        return text.encode("utf-8", "surrogatepass")  # what is no Unicode fails in decoding, with a reason
    if isinstance(document, bytes):
        return document if document.lstrip()[:1] != b"%" else unquote(document.decode("utf-8", "replace")).encode()
    if not isinstance(document, dict):
        return _malformed("the document is no object")
    try:
        return _encode(document)
    except _UNREADABLE as wrong:
        return _malformed(str(wrong))


def _malformed(why: str) -> Unknown:
    return Unknown(f"the policy is malformed: {why[:300]}", READ_ANEW)


@lru_cache(maxsize=_LEARNT)
def _statements(text: bytes, of_resources: bool, parsed: bool) -> tuple[Statement, ...] | Unknown:
    """Return the statements of a policy that is attached to somebody; `of_resources`: it names everybody as its principal."""
    try:
        return tuple(
            [
                one
                for n, found in enumerate(_listed(_loaded(text, parsed)), 1)
                if (one := _statement(n, found, True)) is not None and _attached(n, found, of_resources)
            ]
        )
    except _UNREADABLE as wrong:
        return _malformed(str(wrong))


@lru_cache(maxsize=_LEARNT)
def _trust(text: bytes, parsed: bool) -> tuple[Told, ...] | Unknown:
    try:
        document = _loaded(text, parsed)
        variables = document.Version == "2012-10-17"
        return tuple(
            Told(one, *_principals(n, found), variables)
            for n, found in enumerate(_listed(document), 1)
            if (one := _statement(n, found, False)) is not None
        )
    except _UNREADABLE as wrong:
        return _malformed(str(wrong))


def _listed(document: _Document) -> tuple[_Statement, ...]:
    return document.Statement if isinstance(document.Statement, tuple) else (document.Statement,)


def _loaded(text: bytes, parsed: bool) -> _Document:
    found = _decode(text)
    # "Individual elements must not contain multiple instances of the same key." A decoder takes the last of them, so that
    # a Deny could hide behind an Allow. Every key is followed by a colon: only where there are more colons than keys can one
    # stand twice, and only then is it looked for slowly.
    if not parsed and len(_KEY.findall(text)) != _keys(found):
        json.loads(text, object_pairs_hook=_once)
    return found


_KEY = re.compile(rb'"\s*:')


def _keys(document: _Document) -> int:
    """Return how many keys the document has at least, of those that the structures tell."""
    count = 1 + (document.Version != "2008-10-17") + bool(document.Id)
    for one in _listed(document):
        count += 1 + bool(one.Sid) + bool(one.Condition)
        for element in (one.Action, one.NotAction, one.Resource, one.NotResource):
            count += element is not None
        for named in (one.Principal, one.NotPrincipal):
            count += (named is not None) + (len(named) if isinstance(named, dict) else 0)
        if one.Condition:
            count += len(one.Condition) + sum(map(len, one.Condition.values()))
    return count


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Wrong(f"the key {twice[:80]!r} stands twice in one element")
    return found


def _statement(n: int, found: _Statement, of_what: bool) -> Statement | None:
    """Return the statement; None if it is about nothing. `of_what`: it must name resources; else it must not."""
    actions, not_actions = _either(n, "Action", found.Action, found.NotAction)
    for one in actions or not_actions:
        if ":" not in one and one.strip("*"):
            raise _Wrong(f"an action of statement {n} names no service")
    resources: tuple[str, ...] = ()
    not_resources: tuple[str, ...] = ()
    if of_what:
        resources, not_resources = _either(n, "Resource", found.Resource, found.NotResource)
        if not resources and not not_resources:
            return None
    elif found.Resource is not None or found.NotResource is not None:
        raise _Wrong(f"statement {n} of a trust policy names a resource")
    if not actions and not not_actions:
        return None
    return Statement(
        n=n,
        allow=found.Effect == "Allow",
        sid=found.Sid,
        actions=actions,
        not_actions=not_actions,
        resources=resources,
        not_resources=not_resources,
        conditions=_conditions(found.Condition) if found.Condition else (),
    )


def _either(n: int, name: str, yes: _Texts | None, no: _Texts | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the patterns of an element and of its Not- form. An empty list is allowed: of nothing, or of all but nothing."""
    if (yes is None) == (no is None):
        raise _Wrong(f"statement {n} has {'neither' if yes is None else 'both'} {name} and Not{name}")
    if yes is not None:
        return ((yes,) if isinstance(yes, str) else yes), ()
    shut = (no,) if isinstance(no, str) else no or ()
    return (("*",), ()) if not shut else ((), shut)


def _conditions(found: dict[str, dict[str, _Value | tuple[_Value, ...]]]) -> tuple[Condition, ...]:
    return tuple(
        [
            _condition(name, key, tuple(map(_text, values)) if isinstance(values, tuple) else (_text(values),))
            for name, keys in found.items()
            for key, values in keys.items()
        ]
    )


@lru_cache(maxsize=_LEARNT)
def _condition(name: str, key: str, values: tuple[str, ...]) -> Condition:
    operator, qualifier, if_exists = _operator(name)
    return Condition(operator=operator, key=key.lower(), values=values, qualifier=qualifier, if_exists=if_exists)


def _text(value: _Value) -> str:
    """Return a value as text. AWS takes numbers and booleans without quotation marks for the same as with them."""
    if isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)


@lru_cache(maxsize=_LEARNT)
def _operator(name: str) -> tuple[str, str, bool]:
    """Return an operator's name, qualifier, and whether it ends in IfExists. One that is not known stays as it is written."""
    rest, qualifier = name, ""
    head, colon, tail = name.partition(":")
    if colon and head.lower() in _QUALIFIERS:
        rest, qualifier = tail, _QUALIFIERS[head.lower()]
    plain = rest.lower().removesuffix("ifexists")
    if plain not in _OPERATORS or (plain == "null" and plain != rest.lower()):  # Null has no IfExists
        return name, "", False
    return _OPERATORS[plain], qualifier, plain != rest.lower()


def _attached(n: int, found: _Statement, of_resources: bool) -> bool:
    """Return True. Raises _Wrong if a statement names principals that it must not name, or lacks them."""
    if found.NotPrincipal is not None:
        raise _Wrong(f"statement {n} has NotPrincipal, which this kind of policy cannot have")
    if of_resources:
        # https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps_syntax.html
        if found.Principal is None or _pairs(found.Principal) != ANY:
            raise _Wrong(f"statement {n} of a resource control policy has a principal other than '*'")
    elif found.Principal is not None:
        raise _Wrong(f"statement {n} names a principal, which this kind of policy cannot do")
    return True


def _principals(n: int, found: _Statement) -> tuple[tuple[tuple[str, str], ...], bool]:
    if (found.Principal is None) == (found.NotPrincipal is None):
        raise _Wrong(f"statement {n} has {'neither' if found.Principal is None else 'both'} Principal and NotPrincipal")
    named = found.Principal if found.Principal is not None else found.NotPrincipal
    if isinstance(named, str) and named != "*":
        raise _Wrong(f"the principal of statement {n} is a text other than '*'")
    return _pairs(named), found.NotPrincipal is not None


def _pairs(named: _Named | None) -> tuple[tuple[str, str], ...]:
    if not isinstance(named, dict):
        return ANY
    pairs = tuple(
        (kind, value) for kind, values in named.items() for value in ((values,) if isinstance(values, str) else values)
    )
    # {"AWS": "*"} and "*" are the same.
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-anonymous
    return ANY if ("AWS", "*") in pairs else pairs
