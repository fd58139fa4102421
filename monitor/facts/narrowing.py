"""Forms of subjects, narrowed by what tests on other claims of the same token say. Pure; nothing here raises.

A test narrows only where it surely implies something; whatever it says besides is left out, which makes the forms wider.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from monitor.facts.issuers import Form, Slot
from monitor.facts.language import Demand, Pattern, glob, literal, witness
from monitor.facts.trust import ClaimTest

MOST_FORMS = 512
"""Forms that narrowing may make; where it would be more, they stay as they are."""
WILD = frozenset("*?")


def demand(test: ClaimTest) -> Demand:
    """Return what a test demands of a claim that is there."""
    cased = not test.ignores_case
    patterns = (glob(one, cased=cased) if test.wild else literal(one, cased=cased) for one in test.patterns)
    return Demand(tuple(patterns), negated=test.negated)


@lru_cache(maxsize=65536)
def stands_for(pattern: Pattern, text: str) -> bool:
    """Return whether a pattern stands for a whole text. Time is at most the product of their lengths."""
    runs = 0
    for n, (kind, _) in enumerate(pattern):
        runs |= (kind == "*") << n
    places = _spread(1, runs)
    for letter in text:
        after, left = 0, places & ~(1 << len(pattern))
        while left:
            bit = left & -left
            left ^= bit
            kind, chars = pattern[bit.bit_length() - 1]
            if (letter in chars) == (kind == "="):
                after |= bit if kind == "*" else bit << 1
        places = _spread(after, runs)
        if not places:
            return False
    return bool(places >> len(pattern) & 1)


def _spread(places: int, runs: int) -> int:
    while more := ((places & runs) << 1) & ~places:
        places |= more
    return places


def meets(text: str, one: Demand) -> bool:
    """Return whether a text meets a demand."""
    return any(stands_for(pattern, text) for pattern in one.patterns) is not one.negated


def owned(forms: tuple[Form, ...], tests: tuple[ClaimTest, ...]) -> tuple[Form, ...]:
    """Return the forms with owner and name as a test of `repository` leaves them."""
    test = _together("repository", tests)
    # There is one '/' in a repository's name, so that one in the pattern can only stand for it.
    if test is None or any(pattern.count("/") != 1 for pattern in test.patterns):
        return forms
    pairs = [pattern.partition("/") for pattern in test.patterns]
    found = [
        whole
        for owner, _, name in pairs
        for form in forms
        if (own := _filled(form, "repository_owner", owner, wild=test.wild)) is not None
        if (whole := _filled(own, "repository_name", name, wild=test.wild)) is not None
    ]
    return tuple(dict.fromkeys(found)) if len(pairs) * len(forms) <= MOST_FORMS else forms


def narrowed(forms: tuple[Form, ...], tests: tuple[ClaimTest, ...]) -> tuple[Form, ...]:
    """Return the forms whose slots hold what tests on the same claims leave."""
    wanted: dict[str, ClaimTest] = {}
    for claim in sorted({one.claim for one in tests} - {"sub", "aud"}):
        test = _together(claim, tests)
        if test is not None:
            wanted[claim] = test
    if "ref" in wanted:
        forms = _of_ref(forms, wanted.pop("ref"))
    for claim, test in wanted.items():
        if claim == "environment":  # a job with this claim runs in an environment, and its subject says so
            forms = tuple(form for form in forms if _has(form, claim) or not _has_context(form))
        forms = _with(forms, claim, test)
    return forms


def _together(claim: str, tests: tuple[ClaimTest, ...]) -> ClaimTest | None:
    """Return what all tests of a claim leave of it, as one test; None if that cannot be said, or there is none."""
    mine = sorted((one for one in tests if one.claim == claim), key=repr)
    exact = [one for one in mine if not one.wild and not one.ignores_case]
    if exact:
        every = tuple(demand(one) for one in mine)
        left = (value for value in exact[0].patterns if witness((literal(value),), every, ()) is not None)
        return msgspec.structs.replace(exact[0], patterns=tuple(sorted(set(left))))
    # Of two patterns that must both fit, neither alone is as narrow, so that none of them is taken.
    return mine[0] if len(mine) == 1 and not mine[0].ignores_case else None


def _of_ref(forms: tuple[Form, ...], test: ClaimTest) -> tuple[Form, ...]:
    """Return the forms that a test of `ref` leaves: if all that it asks for are branches, none of tags, and so on."""
    for claim, start, other in (("branch", "refs/heads/", "tag"), ("tag", "refs/tags/", "branch")):
        if all(pattern.startswith(start) for pattern in test.patterns):
            names = tuple(pattern.removeprefix(start) for pattern in test.patterns)
            kept = tuple(form for form in forms if not _has(form, other))
            return _with(kept, claim, msgspec.structs.replace(test, claim=claim, patterns=names))
    return forms


def _with(forms: tuple[Form, ...], claim: str, test: ClaimTest) -> tuple[Form, ...]:
    """Return the forms with the patterns of a test in the place of the slot of its claim; others as they are."""
    hit = [form for form in forms if _has(form, claim)]
    if len(hit) * len(test.patterns) > MOST_FORMS:
        return forms
    rest = [form for form in forms if not _has(form, claim)]
    made = (_filled(form, claim, pattern, wild=test.wild) for form in hit for pattern in test.patterns)
    return tuple(dict.fromkeys([*rest, *(form for form in made if form is not None)]))


def _has(form: Form, claim: str) -> bool:
    return any(isinstance(piece, Slot) and piece.claim == claim for piece in form)


def _has_context(form: Form) -> bool:
    return "pull_request" in form or _has(form, "branch") or _has(form, "tag")


def _filled(form: Form, claim: str, pattern: str, *, wild: bool) -> Form | None:
    """Return the form with a pattern in the place of a slot; None if it stands for nothing that the slot can hold."""
    pieces: list[str | Slot] = []
    for piece in form:
        if not isinstance(piece, Slot) or piece.claim != claim:
            pieces.append(piece)
            continue
        if wild and pattern and set(pattern) <= {"*"}:
            pieces.append(piece)
            continue
        if not pattern and piece.least:
            return None
        for letter in pattern:
            if wild and letter in WILD:
                pieces.append(msgspec.structs.replace(piece, least=0 if letter == "*" else 1))
            elif letter in piece.stops and (letter != ":" or piece.stops != ":"):
                return None
            else:
                pieces.append("%3A" if letter in piece.stops else letter)
    return tuple(pieces)
