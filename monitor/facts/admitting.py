"""A way by tokens against what is declared: whether it lets in any other, with an example and what makes it do so. Pure.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html
https://docs.github.com/en/actions/how-tos/secure-your-work/security-harden-deployments/oidc-in-aws
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

import msgspec

from monitor.facts.issuers import GITHUB, GITHUB_SERVER, name_of
from monitor.facts.language import ANY, Demand, Pattern, glob, witness
from monitor.facts.narrowing import WILD, meets, stands_for
from monitor.facts.subjects import NOT_TWICE, Known, Subjects, demand, otherwise, subjects
from monitor.facts.trust import ClaimTest, TrustPath
from monitor.facts.trust_judging import Fault, Way, plain
from monitor.model import Severity, Unknown

# Issuers whose tokens everybody can get for code of their own; the others are one organisation's, or one server's.
# https://docs.cloud.google.com/iam/docs/workload-identity-federation-with-deployment-pipelines#conditions
SHARED = frozenset({"token.actions.githubusercontent.com", "gitlab.com", "agent.buildkite.com", "app.terraform.io"})
_OWNING = ("repo", "repository", "repository_owner", "job_workflow_ref", "workflow_ref", "project_path", "organization")
"""Claims that a subject may begin with, whose value begins with the name of an organisation."""
_BY_ID = frozenset({"repository_id", "repository_owner_id", "enterprise_id"})


_ON: Pattern = (("=", ":"), *ANY)


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """What a declaration accepts: subjects (`*` and `?` never cross a colon) of an issuer, for an audience (None: any)."""

    issuer: str
    subjects: tuple[str, ...]
    audience: str | None = None


class Token:
    """One way by tokens: which subjects there can be, and what of them it asks for."""

    def __init__(self, path: TrustPath, known: Known) -> None:
        self.path = path
        self.made: Subjects = subjects(path.issuer, path.tests, known)
        self.tests = tuple(one for one in path.tests if one.claim == "sub")
        self.asked = tuple(demand(one) for one in self.tests)
        self.patterns = self.made.patterns
        made = self.made.named
        self.others = () if made and all(map(known.told, made)) else otherwise(path.issuer, path.tests)
        """What can be besides, where a repository that is not known chooses how its subjects are made."""

    @cached_property
    def exact(self) -> tuple[str, ...] | None:
        """The subjects that it lets in, where it names each in full; None where it does not."""
        naming = next((one for one in self.tests if not one.negated and not one.ignores_case and _in_full(one)), None)
        if naming is None:
            return None
        return tuple(one for one in naming.patterns if self._possible(one) and all(meets(one, d) for d in self.asked))

    def lets_in(self, *more: Demand, besides: Sequence[Pattern] = ()) -> str | Unknown | None:
        """Return an example of what it lets in, besides these patterns; None if there is none."""
        if self.exact is None:
            found = witness(self.patterns, (*self.asked, *more), besides)
            if found is not None or not self.others:
                return found
            # What goes on after a subject tells more of the same job.
            longer = tuple((*pattern, *_ON) for pattern in besides)
            return witness(self.others, (*self.asked, NOT_TWICE, *more), (*besides, *longer))
        # Most trust names its subjects in full: then there is nothing to search.
        fitting = (one for one in self.exact if all(meets(one, demand) for demand in more))
        return next((one for one in fitting if not any(stands_for(pattern, one) for pattern in besides)), None)

    def _possible(self, subject: str) -> bool:
        if any(stands_for(pattern, subject) for pattern in self.patterns):
            return True
        return meets(subject, NOT_TWICE) and any(stands_for(pattern, subject) for pattern in self.others)

    def impossible(self) -> str:
        """Return why it lets nobody in; empty if it does."""
        if self.lets_in() is not None:
            return ""
        exact = [p for one in self.tests if not one.wild for p in one.patterns if WILD & set(p)]
        if exact:
            return f"no token has the subject {plain(exact[0])}: the operator takes * and ? as they are written"
        return "no token of this issuer can have a subject that it asks for any more"


def token(
    path: TrustPath, accepted: Iterable[Accepted], known: Known, watched: Iterable[str], *, document: bool = False
) -> Way:
    """Return the judgement of a way by tokens. `watched`: organisations on the forge that are ours.

    `document`: it is a policy alone, of which the account's provider, and what it demands, are not to be known.
    """
    one = Token(path, known)
    if dead := one.impossible():
        return Way(path=path, dead=dead)
    everything = tuple(accepted)
    issuer = name_of(path.issuer)
    mine = tuple(entry for entry in everything if name_of(entry.issuer) == issuer)
    hearing = tuple(entry for entry in mine if _heard(path, entry, mine))
    besides = tuple(dict.fromkeys(glob(p, ":") for entry in hearing or mine for p in entry.subjects))
    beyond = one.lets_in(besides=besides)
    faults: list[Fault] = []
    doubts: list[Unknown] = []
    if isinstance(beyond, str):
        owners = [*watched, *_owners(p for entry in everything for p in entry.subjects)]
        faults.append(_too_much(one, beyond, besides, owners, declared=bool(mine)))
    elif beyond is not None:
        doubts.append(beyond)
    elif one.made.doubt is not None and one.exact is None:
        doubts.append(one.made.doubt)
    unread = tuple(one for one in path.unclear if one.reason.startswith(_UNREAD))
    if unread:  # what the provider demands narrows no subject
        left = tuple(one for one in path.unclear if one not in unread)
        path = msgspec.structs.replace(path, unclear=left)
    if mine and not hearing:
        if unread and not document:
            doubts += unread
        else:
            faults.append(_unheard(path, mine))
    return Way(path=path, faults=tuple(faults), doubts=tuple(doubts), notes=() if faults else tuple(_notes(one)))


def alone(path: TrustPath, known: Known, watched: Iterable[str]) -> Way:
    """Return the judgement of a way by tokens where nothing is declared: only what is wrong with it in itself."""
    one = Token(path, known)
    if dead := one.impossible():
        return Way(path=path, dead=dead)
    faults: list[Fault] = []
    # Where none of the forge is watched, whom it names is taken for one's own.
    owners = [*watched] or [*_owners(p for test in one.tests if not test.negated for p in test.patterns)]
    foreign = _foreign(one, (), owners)
    if isinstance(foreign, str):
        faults.append(_too_much(one, foreign, (), owners, declared=True))
    elif one.made.kind in (GITHUB, GITHUB_SERVER):
        for context, words in (("pull_request", "every pull request"), ("ref:refs/heads/some-branch-", "every branch")):
            example = one.lets_in(Demand((glob(f"*:{context}"),)))
            if isinstance(example, str):
                faults.append(Fault(Severity.HIGH, f"{words} is let in, as {plain(example)}"))
    if not _audiences(path):
        faults.append(Fault(Severity.MEDIUM, _NO_AUDIENCE))
    return Way(path=path, faults=tuple(faults), notes=tuple(_notes(one)))


# Audiences.

_UNREAD = "the audiences of the provider"
"""How a reason begins that tells that a provider's list of audiences could not be read."""
_NO_AUDIENCE = "no audience is demanded, so that tokens made for others are taken"


def _audiences(path: TrustPath) -> tuple[ClaimTest, ...]:
    asking = (one for one in path.tests if one.claim == "aud" and not one.negated)
    return tuple(one for one in asking if not (one.wild and any(set(p) <= {"*"} for p in one.patterns)))


def _heard(path: TrustPath, entry: Accepted, mine: Iterable[Accepted]) -> bool:
    tests = _audiences(path)
    if entry.audience is None:
        return bool(tests)
    all_wanted, wanted = {_audience(one.audience or "") for one in mine}, _audience(entry.audience)
    found = [{_audience(pattern) for pattern in one.patterns} for one in tests]
    return any(wanted in one and one <= all_wanted for one in found)


def _audience(name: str) -> str:
    """Return an audience as it is compared: Google takes a provider's name with and without its scheme."""
    return name.removeprefix("https:") if name.startswith("https://iam.googleapis.com/projects/") else name


def _unheard(path: TrustPath, mine: Sequence[Accepted]) -> Fault:
    found = sorted({plain(pattern) for one in _audiences(path) for pattern in one.patterns})
    if not found:
        return Fault(Severity.MEDIUM, _NO_AUDIENCE)
    wanted = " or ".join(sorted({plain(one.audience) for one in mine if one.audience}))
    return Fault(Severity.MEDIUM, f"it takes tokens for the audience {' or '.join(found)}; declared is {wanted}")


# What is too much.


def _owners(patterns: Iterable[str]) -> Iterator[str]:
    """Yield the organisations that patterns of subjects name in full."""
    for pattern in patterns:
        claim, _, rest = pattern.partition(":")
        value, colon, _ = rest.partition(":")
        owner = value.partition("/")[0].partition("@")[0]
        if (
            claim in _OWNING
            and owner
            and ("/" in value or colon or claim == "repository_owner")
            and not WILD & set(owner)
        ):
            yield owner


def _foreign(one: Token, besides: Sequence[Pattern], owners: Iterable[str]) -> str | Unknown | None:
    """Return an example that is nobody's of ours; None if there is none, or nobody else can have tokens of the issuer."""
    ours = {owner.lower() for owner in owners}
    if name_of(one.path.issuer) not in SHARED:
        return None
    if one.made.named and {name.owner.lower() for name in one.made.named} <= ours:
        return None
    own = tuple(
        glob(f"{claim}:{owner}{end}", cased=False)
        for owner in sorted(ours)
        for claim in _OWNING
        for end in ("/*", "@*", ":*", "")
    )
    return one.lets_in(besides=(*besides, *own))


def _too_much(one: Token, beyond: str, besides: Sequence[Pattern], owners: Iterable[str], *, declared: bool) -> Fault:
    foreign = _foreign(one, besides, owners)
    example = foreign if isinstance(foreign, str) else beyond
    severity = Severity.CRITICAL if isinstance(foreign, str) else Severity.HIGH
    issuer = plain(one.path.issuer or one.path.principal)
    why = _weakness(one, example)
    if declared:
        told = (
            f"{why}: it lets in, for example, {plain(example)}"
            if why
            else f"lets in {plain(example)}, which is not declared"
        )
    else:
        told = f"a token of {issuer} can become it, and no deploy identity with that proof is declared; {why or 'it lets in'}"
        told += f", for example, {plain(example)}"
    return Fault(severity, told + (" (anybody can make such a token)" if isinstance(foreign, str) else ""))


def _weakness(one: Token, example: str) -> str:
    """Return which pattern lets an example in, and what it means; empty if it is just this subject."""
    tests = [test for test in one.tests if not test.negated]
    if not tests:
        return "subjects are only excluded" if one.tests else "no subject is demanded"
    test = tests[0]
    fitting = ((p, demand(msgspec.structs.replace(test, patterns=(p,)))) for p in test.patterns)
    pattern = next((p for p, asked in fitting if meets(example, asked)), "")
    if not pattern or pattern == example:
        return ""
    entry = f"the entry {plain(pattern)}" if len(test.patterns) > 1 else plain(pattern)
    return f"{entry} {_means(pattern, wild=test.wild)}"


def _means(pattern: str, *, wild: bool) -> str:
    """Return what a pattern of subjects that lets in too much stands for."""
    if not wild or not WILD & set(pattern):
        return "is taken whatever its case"
    if set(pattern) <= WILD:
        return "is every token of the issuer"
    claim, _, rest = pattern.partition(":")
    owner, slash, tail = rest.partition("/")
    name, _, context = tail.partition(":")
    if claim != "repo":
        return "lets in more than is declared"
    if owner[:1] in WILD or not rest:
        return "is every repository of everybody"
    if WILD & set(owner.partition("@")[0]):
        return "fits other organisations too, as no '/' ends the name"
    if not slash or WILD & set(name):
        return f"is more than one repository of {plain(owner)}"
    if set(context) <= WILD:
        return "is every branch, tag, environment and pull request of the repository"
    return "lets in more than is declared"


def _in_full(test: ClaimTest) -> bool:
    return not (test.wild and any(WILD & set(pattern) for pattern in test.patterns))


def _notes(one: Token) -> Iterator[str]:
    """Yield what an auditor may want to know, and what is no fault by itself."""
    tests = one.path.tests
    for test in tests:
        if test.absent_passes and not test.negated and test.claim not in ("sub", "aud"):
            yield f"the demand on {plain(test.claim)} passes for tokens without it"
    if one.made.kind not in (GITHUB, GITHUB_SERVER):
        return
    by_id = any(test.claim in _BY_ID and not test.negated and not test.absent_passes for test in tests)
    plainly = Demand((glob("repo:*"),)), Demand((glob("repo:*@*/*@*"),), negated=True)
    if name_of(one.path.issuer) in SHARED and not by_id and one.lets_in(*plainly) is not None:
        yield "it names a repository without ids: whoever gets that name later is let in"
    if one.lets_in(Demand((glob("*:ref:refs/tags/*"),))) is not None:
        yield "tags are let in: whoever may push a tag decides what runs"
    for test in tests:
        if (
            test.claim == "job_workflow_ref"
            and test.wild
            and any(p.endswith("@*") or "@" not in p for p in test.patterns)
        ):
            yield "the reusable workflow is not pinned to a ref"
