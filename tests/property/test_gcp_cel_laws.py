"""Laws of attribute conditions: what their alternatives let pass is what CEL lets pass, and no text or JSON raises."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.decode import gcp_deny, gcp_policy
from monitor.decode.gcp_cel import Term, claim_of, disjuncts, expired
from monitor.decode.gcp_iam import (
    ProjectMaterial,
    identities,
    policy_document,
    provider_document,
    role_document,
)
from monitor.errors import Malformed
from monitor.facts.trust import ClaimTest
from monitor.model import Unknown
from tests.unit.gcp_iam import samples
from tests.unit.gcp_iam.samples import DEPLOY, LOST, NOW, POOL

CLAIMS = ("a", "b", "c")
VALUES = (None, "", "x", "xy", "yx", "y.x", "yzx")
TOKENS = [
    {claim: value for claim, value in zip(CLAIMS, values, strict=True) if value is not None}
    for values in product(VALUES, repeat=3)
]
TEXTS = ("", "x", "y", "xy", "y.x")

# An independent evaluator over trees that the tests make themselves: True, False, or None for an error.
Tree = tuple[Any, ...]


def meaning(tree: Tree, token: Mapping[str, str]) -> bool | None:
    kind, *rest = tree
    if kind == "constant":
        return bool(rest[0])
    if kind == "has":
        return rest[0] in token
    if kind == "not":
        inner = meaning(rest[0], token)
        return None if inner is None else not inner
    if kind in ("and", "or"):
        sides = [meaning(one, token) for one in rest]
        settling = kind == "or"
        return settling if settling in sides else None if None in sides else not settling
    if kind == "if":
        chosen = meaning(rest[0], token)
        return None if chosen is None else meaning(rest[1] if chosen else rest[2], token)
    claim, text = rest
    if claim not in token:
        return None
    value = token[claim]
    return {
        "==": lambda: value == text,
        "!=": lambda: value != text,
        "in": lambda: value in text,
        "startsWith": lambda: value.startswith(text),
        "endsWith": lambda: value.endswith(text),
        "contains": lambda: text in value,
        "matches": lambda: re.search(text, value) is not None,
    }[kind]()


def written(tree: Tree) -> str:
    kind, *rest = tree
    if kind == "constant":
        return "true" if rest[0] else "false"
    if kind == "has":
        return f"has(assertion.{rest[0]})"
    if kind == "not":
        return f"!({written(rest[0])})"
    if kind in ("and", "or"):
        return (" && " if kind == "and" else " || ").join(f"({written(one)})" for one in rest)
    if kind == "if":
        return " ? ".join((f"({written(rest[0])})", " : ".join(f"({written(one)})" for one in rest[1:])))
    claim, text = rest
    if kind == "in":
        return f"assertion.{claim} in [{', '.join(map(repr, text))}]"
    if kind in ("==", "!="):
        return f"assertion['{claim}'] {kind} {text!r}"
    return f"assertion.{claim}.{kind}(r'{text}')"


NAMED = st.sampled_from(CLAIMS)
LEAVES = (
    st.tuples(st.just("constant"), st.booleans())
    | st.tuples(st.just("has"), NAMED)
    | st.tuples(st.sampled_from(["==", "!=", "startsWith", "endsWith", "contains"]), NAMED, st.sampled_from(TEXTS))
    | st.tuples(st.just("in"), NAMED, st.lists(st.sampled_from(TEXTS), max_size=3))
    | st.tuples(
        st.just("matches"), NAMED, st.sampled_from(["x", "^x", "x$", "^xy$", "^(x|y.x)$", "^x$|^y", "^y.*x$", r"y\.x"])
    )
)
TREES: st.SearchStrategy[Tree] = st.recursive(
    LEAVES,
    lambda inner: (
        st.tuples(st.just("not"), inner)
        | st.tuples(st.sampled_from(["and", "or"]), inner, inner)
        | st.tuples(st.just("if"), inner, inner, inner)
    ),
    max_leaves=6,
)
ODD = st.sampled_from(
    ["size(assertion.a) > 1", "assertion.a == assertion.b", "assertion.a.contains('*')", "assertion.a < 'b'"]
)


def glob(pattern: str, value: str) -> bool:
    parts = {"*": ".*", "?": "."}
    return re.fullmatch("".join(parts.get(one, re.escape(one)) for one in pattern), value, re.DOTALL) is not None


def passes(test: ClaimTest, token: Mapping[str, str]) -> bool:
    if test.claim not in token:
        return test.absent_passes
    value = token[test.claim]
    hit = any(glob(one, value) if test.wild else one == value for one in test.patterns)
    return hit is not test.negated


def lets(found: tuple[Term, ...] | Unknown, token: Mapping[str, str]) -> bool:
    """Return whether the token may pass: what is unclear may let it."""
    return isinstance(found, Unknown) or any(all(passes(test, token) for test in term.tests) for term in found)


def passing(expression: str) -> list[bool]:
    found = disjuncts(expression)
    return [lets(found, token) for token in TOKENS]


@settings(max_examples=100, deadline=None)
@given(TREES)
def test_the_alternatives_let_pass_what_cel_lets_pass(tree: Tree):
    found = disjuncts(written(tree))
    clear = not isinstance(found, Unknown) and not any(term.unclear for term in found)

    for token in TOKENS:
        passed = meaning(tree, token) is True
        assert lets(found, token) is passed if clear else lets(found, token) >= passed


@settings(max_examples=60, deadline=None)
@given(TREES.map(written) | ODD, TREES.map(written) | ODD)
def test_an_alternative_never_narrows_and_a_demand_never_widens(one: str, other: str):
    before = passing(one)

    assert all(after >= was for after, was in zip(passing(f"({one}) || ({other})"), before, strict=True))
    assert all(after <= was for after, was in zip(passing(f"({one}) && ({other})"), before, strict=True))


@settings(max_examples=60, deadline=None)
@given(TREES.map(written) | ODD)
def test_double_negation_and_parentheses_change_nothing(expression: str):
    plain = disjuncts(expression)

    assert disjuncts(f"(({expression}))") == plain
    assert disjuncts(f"!!({expression})") == plain
    assert disjuncts(f"  {expression} // told") == plain


PIECES = st.lists(
    st.sampled_from(
        [
            "assertion", ".", "sub", "[", "]", "'", '"', "\\", "(", ")", "&&", "||", "!", "==", "!=", "in", "?", ":", "x",
            "startsWith", "matches", "has", "true", ",", "r'", "'''", "//", "\n", "*", "^", "$", "1", "-", "{", "\\u00e9", "ß",
            "timestamp", "request.time", "<", "|", "[^/]+", "+",
        ]
    ),
    max_size=30,
).map("".join)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60) | PIECES)
def test_no_text_raises(text: str):
    for expression in (text, f"assertion.sub.matches(r'{text}')", f"assertion.sub == '{text}'"):
        assert isinstance(disjuncts(expression), tuple | Unknown)
        assert isinstance(claim_of(expression), str)
        assert isinstance(expired(expression, NOW), bool)


def test_the_longest_and_deepest_texts_do_not_raise():
    for expression in (
        "(" * 4096, "!" * 4096, "[" * 4096, "a." * 2048, "a(" * 2048, "a?" * 2048, "a||" * 1365, "a==" * 1365, "-" * 4096,
        "a.f()" * 800, "a[" * 2048, "assertion.a.matches('" + "(" * 4000 + "')", "assertion.a.matches('" + "(a|" * 1000 + "')",
        "assertion.a.matches('" + "(a|b)" * 700 + "')", "assertion.a.matches('" + "[" * 4000 + "')",
    ):  # fmt: skip
        assert isinstance(disjuncts(expression), tuple | Unknown)


WORDS = st.sampled_from(
    [
        f"serviceAccount:{DEPLOY}", "allUsers", samples.EVERY_TOKEN, samples.REPOSITORY, samples.SUBJECT, samples.WORKLOAD,
        samples.TOKENS, "roles/owner", POOL, DEPLOY, "", "deleted:", "deleted:deleted:user:a", "assertion.sub", "ACTIVE",
        "principalSet://goog/public:all", "iam.googleapis.com/*", "2026-01-01T00:00:00Z", "USER_MANAGED", "?", "\x00",
    ]
)  # fmt: skip
KEYS = st.sampled_from(
    [
        "bindings", "role", "members", "condition", "expression", "name", "email", "uniqueId", "disabled", "keyType", "oidc",
        "issuerUri", "allowedAudiences", "attributeMapping", "attributeCondition", "google.subject", "attribute.repository",
        "includedPermissions", "rules", "denyRule", "deniedPrincipals", "deniedPermissions", "exceptionPermissions", "mode",
        "exceptionPrincipals", "denialCondition", "validAfterTime", "validBeforeTime", "aws", "accountId", "state", POOL, DEPLOY,
    ]
)  # fmt: skip
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
MANGLED = st.one_of(
    st.just(LOST),
    JSON,
    st.builds(
        lambda *some: samples.policy(*some), st.builds(lambda who: samples.binding(samples.WORKLOAD, who), WORDS)
    ),
    st.builds(lambda some: {"bindings": some}, st.lists(st.dictionaries(KEYS, JSON, max_size=4), max_size=2)),
)
LISTED = st.just(LOST) | st.lists(st.dictionaries(KEYS, JSON, max_size=5) | JSON, max_size=2).map(tuple)


@settings(max_examples=100, deadline=None)
@given(
    st.builds(
        ProjectMaterial,
        project=st.sampled_from(["example-prod", ""]),
        number=st.sampled_from([samples.NUMBER, ""]),
        at=st.just(NOW),
        policy=MANGLED,
        ancestors=st.just(LOST) | st.dictionaries(st.sampled_from(["folders/2", "organizations/1", ""]), MANGLED),
        denies=LISTED,
        roles=st.dictionaries(WORDS, MANGLED, max_size=2),
        accounts=LISTED | st.just((samples.account(),)),
        account_policies=st.dictionaries(st.just(DEPLOY), MANGLED),
        keys=st.dictionaries(st.just(DEPLOY), LISTED),
        pools=LISTED | st.just((samples.pool(),)),
        providers=st.just(LOST) | st.dictionaries(st.just(POOL), LISTED),
    )
)
def test_no_answers_raise(project: ProjectMaterial):
    for identity in identities(project):
        assert identity.id
        assert hash(identity.trust) is not None
    assert isinstance(project.roles_needed(), tuple)


@settings(max_examples=100, deadline=None)
@given(MANGLED)
def test_documents_are_read_or_malformed(body: Any):
    for read in (policy_document, role_document, provider_document):
        try:
            assert all(one.document for one in read(body))
        except Malformed:
            pass
    assert isinstance(gcp_deny.denies(gcp_policy.Account(email=DEPLOY), [body]), tuple)
