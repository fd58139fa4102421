"""Which subjects the tokens can have that a way to become an identity asks for: by issuer, templates, and tests of other claims.

What is not known only makes this wider, so that whatever is proven of all of them holds. Pure; nothing here raises.

GitHub's forms: https://docs.github.com/en/actions/reference/security/oidc
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

import msgspec

from monitor.facts.issuers import GITHUB, GITHUB_SERVER, Form, Slot, forms_of, kind_of, pattern_of
from monitor.facts.language import Demand, Pattern, glob
from monitor.facts.narrowing import WILD, demand, narrowed, owned
from monitor.facts.repository import Repository
from monitor.facts.trust import ClaimTest, SubjectTemplate
from monitor.model import Unknown

ENVIRONMENT, PULL_REQUEST, BRANCH, TAG = "environment", "pull-request", "branch", "tag"
CONTEXTS = (ENVIRONMENT, PULL_REQUEST, BRANCH, TAG)
"""What a job of GitHub runs for: its environment comes before all else, then the pull request, then the ref."""
_DEFAULT = ("repo", "context")
_MOST_NAMED = 64
_STOPS = ":/@"
"""What is in no name of an owner or a repository on GitHub, and in no id."""


_WHOSE = frozenset({"repository", "repository_id", "repository_owner", "repository_owner_id"})
_STARTS = (
    "actor", "actor_id", "base_ref", "enterprise", "enterprise_id", "environment", "event_name", "head_ref",
    "job_workflow_ref", "ref", "ref_type", "repository", "repository_id", "repository_owner", "repository_owner_id",
    "repository_visibility", "runner_environment", "sha", "workflow", "workflow_ref",
)  # fmt: skip
"""Claims of a token with which a customised subject can start, besides `repo`."""
_REST = Slot(stops="", least=0)
NOT_TWICE = Demand(tuple(glob(f"repo:*:*:{one}") for one in ("ref:*", "environment:*", "pull_request*")), negated=True)
"""A context is told once: no template puts another before or after it."""


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """A repository on GitHub of which subjects are made. `id` 0: not known. `keys` and `immutable` as in its template."""

    owner: str
    name: str
    id: int = 0
    keys: tuple[str, ...] = _DEFAULT
    immutable: bool | None = None
    doubt: Unknown | None = None

    @property
    def full(self) -> str:
        """Return OWNER/NAME."""
        return f"{self.owner}/{self.name}"


class Known:
    """What is known of repositories on GitHub: their ids, and how their subjects are made. Names have no case."""

    def __init__(self, repositories: Iterable[Repository] = (), templates: Iterable[SubjectTemplate] = ()) -> None:
        self.repositories = {one.name.lower(): one for one in sorted(repositories, key=lambda one: (one.at, repr(one)))}
        ordered = sorted(templates, key=lambda one: (one.at, repr(one)))
        self.templates = {one.repository.lower(): one for one in ordered if one.repository}

    def named(self, full: str) -> Named:
        """Return what is known of a repository (OWNER/NAME), which is called as it is given here."""
        owner, _, name = full.partition("/")
        template, repository = self.templates.get(full.lower()), self.repositories.get(full.lower())
        number = repository.id if repository else template.repository_id if template else 0
        if template is None:
            return Named(owner=owner, name=name, id=number)
        lost = template.keys if isinstance(template.keys, Unknown) else None
        keys = template.keys if isinstance(template.keys, tuple) and template.keys else _DEFAULT
        return Named(owner=owner, name=name, id=number, keys=keys, immutable=template.immutable, doubt=lost)

    def told(self, one: Named) -> bool:
        """Return whether it was read how the subjects of a repository are made."""
        return one.full.lower() in self.templates and one.doubt is None

    def customised(self) -> tuple[Named, ...]:
        """Return the repositories whose subjects are not made as by default."""
        found = (self.named(one.repository) for one in self.templates.values())
        return tuple(one for one in found if one.keys != _DEFAULT)


class Subjects(msgspec.Struct, frozen=True, kw_only=True):
    """The subjects that are possible. `named`: the only repositories that they can speak of; () where there may be others.

    With `doubt`, the forms are only the usual ones: how they are really made could not be read.
    """

    kind: str
    forms: tuple[Form, ...]
    named: tuple[Named, ...] = ()
    doubt: Unknown | None = None

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """Return the forms as patterns."""
        return tuple(pattern_of(form) for form in self.forms)


def subjects(issuer: str, tests: Iterable[ClaimTest], known: Known, contexts: Iterable[str] = CONTEXTS) -> Subjects:
    """Return the subjects of an issuer that tests on other claims leave. `contexts`: only those (of GitHub)."""
    kind = kind_of(issuer)
    asked = tuple(one for one in tests if not one.negated and not one.absent_passes)
    if kind not in (GITHUB, GITHUB_SERVER):
        return Subjects(kind=kind, forms=narrowed(forms_of(issuer), asked))
    chosen, server = tuple(contexts), kind == GITHUB_SERVER
    named = tuple(known.named(full) for full in _pinned(asked))
    if named:
        fitting = tuple(one for one in named if _id_fits(one, asked))
        forms = tuple(form for one in fitting for form in of_repository(one, chosen, server=server))
        doubt = next((one.doubt for one in fitting if one.doubt), None)
        return Subjects(kind=kind, forms=narrowed(forms, asked), named=fitting, doubt=doubt)
    forms = (
        *_generic(chosen, server),
        *(f for one in known.customised() for f in of_repository(one, chosen, server=server)),
    )
    return Subjects(kind=kind, forms=narrowed(owned(forms, asked), asked))


def subjects_of(
    issuer: str, one: Named, tests: Iterable[ClaimTest], contexts: Iterable[str] = CONTEXTS
) -> tuple[Form, ...]:
    """Return the forms of one repository's subjects that tests on other claims leave."""
    asked = tuple(test for test in tests if not test.negated and not test.absent_passes)
    return narrowed(of_repository(one, tuple(contexts), server=kind_of(issuer) == GITHUB_SERVER), asked)


@lru_cache(maxsize=4096)
def of_repository(one: Named, contexts: tuple[str, ...] = CONTEXTS, *, server: bool = False) -> tuple[Form, ...]:
    """Return the forms of the subjects of one repository's jobs. `server`: of GitHub Enterprise Server, without ids."""
    number: str | Slot = str(one.id) if one.id else Slot(claim="repository_id", stops=_STOPS)
    heads: list[Form] = []
    if one.immutable is not True or server:
        heads.append((f"repo:{one.full}",))
    if one.immutable is not False and not server:
        heads.append((f"repo:{one.owner}@", Slot(claim="repository_owner_id", stops=_STOPS), f"/{one.name}@", number))
    values: dict[str, str | Slot] = {
        "repository_owner": one.owner,
        "repository": one.full,
        "repository_id": number,
        "repository_owner_id": Slot(claim="repository_owner_id", stops=_STOPS),
    }
    found: list[Form] = []
    for head in heads:
        for context in _contexts(contexts, server):
            form: list[str | Slot] = []
            for key in one.keys:
                form += [":"] if form else []
                if key == "repo":
                    form += head
                elif key == "context":
                    form += context
                else:
                    form += [f"{key}:", values.get(key, Slot(claim=key, least=0))]
            found.append(tuple(form))
    return tuple(dict.fromkeys(found))


def _contexts(contexts: tuple[str, ...], server: bool) -> Iterator[Form]:
    # Until version 3.18 a server does not write `%3A` for the colon in an environment's name.
    made: dict[str, Form] = {
        PULL_REQUEST: ("pull_request",),
        ENVIRONMENT: ("environment:", Slot(claim="environment", stops="" if server else ":")),
        BRANCH: ("ref:", "refs/heads/", Slot(claim="branch")),
        TAG: ("ref:", "refs/tags/", Slot(claim="tag")),
    }
    return (made[one] for one in contexts)


@lru_cache(maxsize=64)
def _generic(contexts: tuple[str, ...], server: bool) -> tuple[Form, ...]:
    owner, name = Slot(claim="repository_owner", stops=_STOPS), Slot(claim="repository_name", stops=_STOPS)
    owner_id, number = Slot(claim="repository_owner_id", stops=_STOPS), Slot(claim="repository_id", stops=_STOPS)
    heads: list[Form] = [("repo:", owner, "/", name)]
    if not server:
        heads.append(("repo:", owner, "@", owner_id, "/", name, "@", number))
    return tuple((*head, ":", *context) for head in heads for context in _contexts(contexts, server))


def otherwise(issuer: str, tests: Iterable[ClaimTest]) -> tuple[Pattern, ...]:
    """Return what subjects of GitHub can be besides, where repositories that are not known have templates of their own.

    Everybody may choose the claims of which the own subjects are made. None where other claims tell whose they are; where
    they tell something else, only those that do not start with a repository.
    https://docs.github.com/en/actions/reference/security/oidc#customizing-the-subject-claims-for-an-organization-or-repository
    """
    kind = kind_of(issuer)
    claims = {one.claim for one in tests if not one.negated and not one.absent_passes} - {"sub", "aud"}
    if claims & _WHOSE or kind not in (GITHUB, GITHUB_SERVER):
        return ()
    return _started() if claims else (*_started(), *_longer(kind == GITHUB_SERVER))


@lru_cache(maxsize=1)
def _started() -> tuple[Pattern, ...]:
    forms = (form for key in _STARTS for form in ((f"{key}:", Slot(least=0)), (f"{key}:", Slot(), ":", _REST)))
    return tuple(map(pattern_of, forms))


@lru_cache(maxsize=2)
def _longer(server: bool) -> tuple[Pattern, ...]:
    usual = _generic(CONTEXTS, server)
    heads = dict.fromkeys(form[: form.index(":")] for form in usual)
    return tuple(pattern_of((*form, ":", Slot(stops=_STOPS), ":", _REST)) for form in (*heads, *usual))


def _pinned(tests: tuple[ClaimTest, ...]) -> tuple[str, ...]:
    """Return the repositories (OWNER/NAME) that are the only ones which these tests let in; () where there may be others."""
    for one in sorted(tests, key=repr):
        if one.ignores_case or one.claim not in ("sub", "repository"):
            continue
        read = [_full(pattern, one) for pattern in one.patterns]
        names = tuple(dict.fromkeys(name for name in read if name))
        if read and all(read) and len(names) <= _MOST_NAMED:
            return names
    return ()


def _full(pattern: str, test: ClaimTest) -> str:
    """Return the repository that a pattern names in full, without ids; empty if it does not."""
    if test.claim == "sub":
        start, colon, rest = pattern.partition(":")
        if start != "repo" or not colon:
            return ""
        pattern = rest.partition(":")[0]
        if test.wild and (":" not in rest or not pattern):
            return ""
    owner, slash, name = pattern.partition("/")
    ids = (owner.partition("@")[2], name.partition("@")[2]) if test.claim == "sub" else ("", "")
    owner, name = owner.partition("@")[0], name.partition("@")[0]
    if test.wild and WILD & set(f"{owner}{name}"):
        return ""
    # A run in the place of an id could go on over the rest: `repo:octo@*/x@1:…` names nothing for certain.
    if test.wild and any(WILD & set(one) for one in ids[:1]):
        return ""
    return f"{owner}/{name}" if slash and owner and name and "/" not in name else ""


def _id_fits(one: Named, tests: tuple[ClaimTest, ...]) -> bool:
    return not one.id or all(
        str(one.id) in test.patterns for test in tests if test.claim == "repository_id" and not test.wild
    )


__all__ = [
    "BRANCH", "CONTEXTS", "ENVIRONMENT", "NOT_TWICE", "PULL_REQUEST", "TAG", "Known", "Named", "Subjects", "demand",
    "of_repository", "otherwise", "subjects", "subjects_of",
]  # fmt: skip
