"""One way to become an identity against what is declared: whether it lets in anybody else, with an example. Pure.

What may let in somebody else fails, and says who. A demand that could not be evaluated may narrow a way, so that what would fail
is then unknown; it never makes a pass of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import msgspec

from monitor.facts.issuers import GITHUB, kind_of
from monitor.facts.language import Demand, Pattern, glob, literal, witness
from monitor.facts.subjects import Known, demand, subjects
from monitor.facts.trust import ClaimTest, TrustPath
from monitor.model import Outcome, Severity, Unknown

PASS, FAIL, UNKNOWN, ASIDE = Outcome.PASS, Outcome.FAIL, Outcome.UNKNOWN, Outcome.NOT_APPLICABLE
_AUDIENCES = "the audiences of the provider"


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """Which tokens are declared: their issuer, patterns of their subjects (`*` never crosses ':'), and the audience, if any."""

    issuer: str
    subjects: tuple[str, ...]
    audience: str = ""


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What is known around an identity.

    `ours` are our accounts, `trusted` those of others that may be trusted with an external id, `organisations` those of the
    forge that are watched, in lower case; `assumable` patterns of who else may become it; `services` those that may.
    """

    ours: frozenset[str] = frozenset()
    trusted: frozenset[str] = frozenset()
    organisations: frozenset[str] = frozenset()
    known: Known = Known()
    assumable: tuple[str, ...] = ()
    services: tuple[str, ...] = ()


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of one way."""

    outcome: Outcome
    why: str
    severity: Severity = Severity.HIGH
    example: str = ""
    grant: str = ""


def judge(path: TrustPath, proofs: Sequence[Proof], around: Surroundings) -> Verdict:
    """Return what is to be said of a way to become an identity, of which these proofs are declared."""
    if path.dead:
        return Verdict(outcome=ASIDE, why=f"it can never be used: {path.dead}", severity=Severity.LOW)
    if _assumable(path, around):
        return Verdict(outcome=PASS, why="assumable_by names it")
    found = _token(path, proofs, around) if path.kind == "token" else _other(path, around)
    doubts = [one for one in path.unclear if not one.reason.startswith(_AUDIENCES)]
    if found.outcome is FAIL and doubts:
        why = (
            f"{found.why}, unless what could not be evaluated keeps them out: {'; '.join(one.reason for one in doubts)}"
        )
        grant = "; ".join(dict.fromkeys(one.grant for one in doubts if one.grant))
        return msgspec.structs.replace(found, outcome=UNKNOWN, why=why, grant=grant)
    return found


def sound(path: TrustPath) -> tuple[Proof, ...]:
    """Return the proof that a way would be declared with, as far as it is tight, where nothing is declared.

    Tight is a subject of one repository, with one environment, or a branch or tag that is named.
    """
    patterns = [one for test in path.tests if test.claim == "sub" and not test.negated for one in test.patterns]
    tight = []
    for pattern in patterns:
        claim, _, rest = pattern.partition(":")
        name, _, context = rest.partition(":")
        whole = claim == "repo" and name.count("/") == 1 and not set("*?") & set(name)
        kind, _, value = context.partition(":")
        if whole and value and kind in ("environment", "ref") and not set("*?") & set(value.partition("/")[0]):
            tight.append(pattern)
    if kind_of(path.issuer) != GITHUB:
        tight = [one for one in patterns if not set("*?") & set(one)]
    audiences = [one for test in path.tests if test.claim == "aud" and not test.negated for one in test.patterns]
    return (Proof(issuer=path.issuer, subjects=tuple(tight), audience=audiences[0] if audiences else _NONE),)


_NONE = "sts.amazonaws.com"
"""The audience that AWS is asked with: https://docs.github.com/en/actions/how-tos/secure-your-work/security-harden-deployments"""


def _assumable(path: TrustPath, around: Surroundings) -> bool:
    names = (path.principal, *((f"user:{path.principal}",) if "@" in path.principal else ()))
    return path.kind not in ("token", "anyone") and any(
        _compiled(pattern, "").fullmatch(name) for pattern in around.assumable for name in names
    )


def _token(path: TrustPath, proofs: Sequence[Proof], around: Surroundings) -> Verdict:
    mine = [one for one in proofs if one.issuer == path.issuer]
    if not mine:
        return _undeclared(path, around)
    about = tuple(test for test in path.tests if test.claim == "sub")
    allowed = tuple(pattern for one in mine for pattern in one.subjects)
    stranger = _stranger(path, about, allowed, around.known)
    if isinstance(stranger, Unknown):
        return Verdict(outcome=UNKNOWN, why=stranger.reason, grant=stranger.grant)
    if stranger is not None:
        return _lets_in(path, about, stranger, allowed, around)
    if _nobody(path, about, around.known):
        why = "no token has a subject that it lets in: it can never be used"
        return Verdict(outcome=ASIDE, why=why, severity=Severity.LOW)
    wanted = {one.audience for one in mine if one.audience}
    if wanted and len(wanted) == len({one.audience for one in mine}):
        return _audience(path, wanted)
    return Verdict(outcome=PASS, why="every token that it lets in is declared")


def _undeclared(path: TrustPath, around: Surroundings) -> Verdict:
    about = tuple(test for test in path.tests if test.claim == "sub")
    example = _stranger(path, about, (), around.known)
    if example is None:
        why = "no token has a subject that it lets in: it can never be used"
        return Verdict(outcome=ASIDE, why=why, severity=Severity.LOW)
    shown = example if isinstance(example, str) else ""
    wide = _outside(path, shown, (), around)
    told = f"a token of {path.issuer} can become it, and no deploy identity with that proof is declared"
    return Verdict(
        outcome=FAIL,
        why=told + (f"; it lets in, for example, {shown}" if shown else ""),
        severity=Severity.CRITICAL if wide else Severity.HIGH,
        example=shown,
    )


def _lets_in(
    path: TrustPath, about: tuple[ClaimTest, ...], stranger: str, allowed: Sequence[str], around: Surroundings
) -> Verdict:
    positive = [test for test in about if not test.negated]
    entries = [pattern for test in positive for pattern in test.patterns]
    what = "lets in"
    others = [test.words() for test in path.tests if test.claim not in ("sub", "aud")]
    if not positive and others and not about:
        what = f"{' and '.join(others)} alone lets in"
    elif not positive:
        what = "no subject is demanded: it lets in" if not about else "subjects are only excluded: it lets in"
    elif len(entries) > 1:
        bad = _entry(path, positive, stranger)
        what = f"the entry {bad} lets in" if bad and bad != stranger else what
    elif positive[0].wild:
        what = f"{entries[0]} lets in"
    wide = _outside(path, stranger, allowed, around)
    example = f" {stranger}" if stranger in entries else f", for example, {stranger}"
    return Verdict(
        outcome=FAIL,
        why=f"{what}{example}" + (", which anybody can make" if wide else ""),
        severity=Severity.CRITICAL if wide else Severity.HIGH,
        example=stranger,
    )


def _entry(path: TrustPath, positive: Sequence[ClaimTest], stranger: str) -> str:
    for test in positive:
        for pattern in test.patterns:
            one = Demand(((glob if test.wild else literal)(pattern, cased=not test.ignores_case),))
            if witness((literal(stranger),), (one,), ()) is not None:
                return pattern
    return ""


def _audience(path: TrustPath, wanted: set[str]) -> Verdict:
    about = [test for test in path.tests if test.claim == "aud"]
    if not about:
        return Verdict(outcome=FAIL, why="no audience is demanded", severity=Severity.MEDIUM)
    universe = ((("*", ""),),)
    other = witness(universe, tuple(demand(test) for test in about), tuple(literal(one) for one in sorted(wanted)))
    if other is None and not any(test.absent_passes and not test.negated for test in about):
        return Verdict(outcome=PASS, why="every token that it lets in is declared")
    shown = other if isinstance(other, str) and other else "any"
    return Verdict(outcome=FAIL, why=f"it also takes tokens for another audience ({shown})", severity=Severity.MEDIUM)


def _stranger(
    path: TrustPath, about: tuple[ClaimTest, ...], allowed: Sequence[str], known: Known
) -> str | Unknown | None:
    """Return a subject that the way lets in and that is not allowed."""
    plain = _plain(about)
    if plain is not None:
        # By far the most trust names subjects in full: nothing is to be searched.
        return next((one for one in plain if not any(_compiled(p, ":").fullmatch(one) for p in allowed)), None)
    return witness(
        _universe(path, known), tuple(demand(test) for test in about), tuple(glob(pattern, ":") for pattern in allowed)
    )


def _plain(about: tuple[ClaimTest, ...]) -> tuple[str, ...] | None:
    """Return the subjects that are named in full, if that is all that is demanded and each is one that there can be."""
    if len(about) != 1 or about[0].negated or about[0].ignores_case:
        return None
    patterns = about[0].patterns
    return None if any(set("*?") & set(pattern) for pattern in patterns) else patterns


def _nobody(path: TrustPath, about: tuple[ClaimTest, ...], known: Known) -> bool:
    if _plain(about) is not None:
        return False
    return witness(_universe(path, known), tuple(demand(test) for test in about), ()) is None


def _universe(path: TrustPath, known: Known) -> tuple[Pattern, ...]:
    return subjects(path.issuer, path.tests, known).patterns


def _outside(path: TrustPath, subject: str, allowed: Sequence[str], around: Surroundings) -> bool:
    """Return whether a subject is of an organisation that is neither watched nor declared: then anybody can make one."""
    if kind_of(path.issuer) != GITHUB:
        return False
    owner = owner_of(subject)
    known = {*around.organisations, *(owner_of(one) for one in allowed)} - {""}
    return bool(owner) and bool(known) and owner not in known


def owner_of(subject: str) -> str:
    """Return the organisation in a subject or a pattern of subjects of GitHub, in lower case; empty if it names none."""
    claim, _, rest = subject.partition(":")
    if claim == "repository_owner":
        return rest.partition(":")[0].lower()
    return rest.partition("/")[0].partition("@")[0].lower() if claim == "repo" and "/" in rest else ""


def _other(path: TrustPath, around: Surroundings) -> Verdict:
    if path.kind == "service":
        if path.principal in around.services:
            return Verdict(outcome=PASS, why="its proof names the service")
        return Verdict(
            outcome=FAIL,
            why=f"the service {path.principal} can become it, and is not declared",
            severity=Severity.MEDIUM,
        )
    if path.kind == "anyone":
        narrowed = [t for t in path.tests if t.claim in _WHO and not t.negated and not t.absent_passes]
        if narrowed:
            return Verdict(
                outcome=FAIL, why=f"everybody can become it for whom {' and '.join(t.words() for t in narrowed)}"
            )
        return Verdict(outcome=FAIL, why="everybody can become it", severity=Severity.CRITICAL)
    if path.kind == "saml":
        return Verdict(outcome=FAIL, why=f"people who sign in through {_last(path.principal)} can become it")
    if path.kind == "group":
        return Verdict(outcome=FAIL, why=f"{path.principal} can become it")
    return _principal(path, around)


_WHO = frozenset({"aws:principalorgid", "aws:principalaccount", "aws:principalarn", "aws:sourceaccount"})


def _principal(path: TrustPath, around: Surroundings) -> Verdict:
    account = account_of(path.principal)
    if account and account not in around.ours:
        if account not in around.trusted:
            why = f"account {account}, which is neither ours nor trusted, can become it ({_last(path.principal)})"
            return Verdict(outcome=FAIL, why=why, severity=Severity.CRITICAL)
        if not any(t.claim == "sts:externalid" and not t.negated and not t.absent_passes for t in path.tests):
            return Verdict(outcome=FAIL, why=f"account {account} of others can become it without an external id")
        return Verdict(outcome=PASS, why=f"account {account} is trusted, and an external id is demanded")
    if path.kind == "account":
        return Verdict(outcome=FAIL, why=f"every identity of account {account} that its own policies let can become it")
    return Verdict(outcome=FAIL, why=f"{path.principal} can become it, and is not declared")


def account_of(principal: str) -> str:
    """Return the account number in an ARN; empty if there is none."""
    parts = principal.split(":", 5)
    return parts[4] if len(parts) == 6 and parts[4].isdigit() else ""


def _last(principal: str) -> str:
    return principal.rpartition("/")[2] if "/" in principal else principal.rpartition(":")[2]


@lru_cache(maxsize=4096)
def _compiled(pattern: str, stops: str) -> re.Pattern[str]:
    one = f"[^{stops}]" if stops else "."
    pieces = [
        "".join(one if c == "?" else re.escape(c) for c in piece) for piece in re.sub(r"\*+", "*", pattern).split("*")
    ]
    first, *rest = pieces
    if not rest:
        return re.compile(first, re.DOTALL)
    middle = "".join(f"(?>{one}*?{piece})" for piece in rest[:-1] if piece)
    return re.compile(f"{first}{middle}{one}*{rest[-1]}", re.DOTALL)
