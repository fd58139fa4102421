"""Trust in an environment of a repository on GitHub, joined with what protects that environment. Pure.

A job has an environment's token by naming it. If there is none of that name, the forge makes it, without any protection:
https://docs.github.com/en/actions/how-tos/deploy/configure-and-manage-deployments/manage-environments
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import msgspec

from monitor.facts.admitting import Token
from monitor.facts.issuers import Form, pattern_of
from monitor.facts.language import Pattern, glob, witness
from monitor.facts.narrowing import stands_for
from monitor.facts.repository import Environment, Repository, RepositoryList
from monitor.facts.subjects import ENVIRONMENT, Known, Named, demand, subjects, subjects_of
from monitor.facts.trust import TrustPath
from monitor.facts.trust_judging import Fault, plain
from monitor.model import Severity, Unknown

_MARK = "environment:"
MOST_TOLD = 10
"""Environments of one way that are told."""


class Forge:
    """What is known of the forge: watched organisations, their repositories by name, and how subjects are made."""

    def __init__(
        self,
        watched: Iterable[str],
        repositories: Iterable[Repository],
        known: Known,
        lists: Iterable[RepositoryList] = (),
    ) -> None:
        self.whole = {one.organisation.lower() for one in lists if isinstance(one.ids, tuple) and one.unseen is None}
        """Organisations of which every repository is known."""
        self.watched = {name.lower() for name in watched}
        self.known = known
        self.by_name = {one.name.lower(): one for one in repositories}

    def strength(self, path: TrustPath) -> tuple[Fault | Unknown, ...]:
        """Return what is wrong with, or not known of, the environments that a way rests on; () if it rests on none."""
        made = subjects(path.issuer, path.tests, self.known, (ENVIRONMENT,))
        way = Token(path, self.known)
        forms = _of_environments(made.forms)
        if _reached(way, forms) is None:
            return ()
        found = self._told(way, made.named) if made.named else self._of_all(way, forms)
        return tuple(dict.fromkeys(islice(found, MOST_TOLD)))

    def _told(self, way: Token, named: Iterable[Named]) -> Iterator[Fault | Unknown]:
        for one in named:
            forms = _of_environments(subjects_of(way.path.issuer, one, way.path.tests, (ENVIRONMENT,)))
            repository = self.by_name.get(one.full.lower())
            watched = one.owner.lower() in self.watched
            if watched and repository is not None:
                yield from _joined(way, repository, forms)
            elif _reached(way, forms) is None:
                continue
            elif watched and one.owner.lower() in self.whole:
                told = f"there is no repository {plain(one.full)}: whoever makes it is let in"
                yield Fault(Severity.HIGH, told)
            elif watched:
                why = f"environment {_shown(way, forms)} of {plain(one.full)}: the repository was not read"
                yield Unknown(why, f"see why {plain(one.full)} was not read, or mend its name in the trust")
            else:
                yield _unwatched(one.owner, f"environment {_shown(way, forms)} of {plain(one.full)}")

    def _of_all(self, way: Token, forms: tuple[Form, ...]) -> Iterator[Fault | Unknown]:
        """Yield the same where a way does not name its repositories: of all that are known, and of those that are not."""
        names = [self.known.named(self.by_name[name].name) for name in sorted(self.by_name)]
        yield from self._told(way, names)
        ours: list[Pattern] = [
            glob(f"repo:{owner}{end}", cased=False) for owner in sorted(self.watched) for end in ("/*", "@*")
        ]
        ours += [
            pattern_of(form)
            for one in names
            if one.keys[0] != "repo"
            for form in subjects_of(way.path.issuer, one, way.path.tests, (ENVIRONMENT,))
        ]
        other = _reached(way, forms, ours)
        if other is not None:
            yield (
                other
                if isinstance(other, Unknown)
                else Unknown(f"environments that are not watched are trusted, as in {plain(other)}", _WATCH)
            )
        if not names:
            yield Unknown("no repository was read that its environments could be of", _WATCH)


def _shown(way: Token, forms: Iterable[Form]) -> str:
    """Return the environment in an example of what a way lets in."""
    example = _reached(way, forms)
    return plain(example.partition(_MARK)[2].partition(":")[0]) if isinstance(example, str) else ""


def _unwatched(owner: str, environment: str) -> Unknown:
    return Unknown(
        f"what protects {environment} is not known: its organisation on GitHub is not watched",
        f"watch it: add {plain(owner)} to production.github.organizations",
    )


_WATCH = "watch it: add the organisation to production.github.organizations"


def _of_environments(forms: Iterable[Form]) -> tuple[Form, ...]:
    return tuple(form for form in forms if _MARK in form)


def _reached(way: Token, forms: Iterable[Form], besides: Sequence[Pattern] = ()) -> str | Unknown | None:
    """Return a subject of these forms that a way lets in, besides these patterns; None if there is none."""
    made = tuple(map(pattern_of, forms))
    if way.exact is None:
        return witness(made, way.asked, besides)
    return next((text for text in way.exact if _fit(made, text) and not _fit(besides, text)), None)


def _fit(patterns: Iterable[Pattern], text: str) -> bool:
    return any(stands_for(pattern, text) for pattern in patterns)


def _joined(way: Token, repository: Repository, forms: tuple[Form, ...]) -> Iterator[Fault | Unknown]:
    lost = repository.blind or repository.environments
    if isinstance(lost, Unknown):
        if _reached(way, forms) is None:
            return
        yield Unknown(f"environments of {repository.name}: {lost.reason}", lost.grant)
        return
    environments = repository.environments if isinstance(repository.environments, tuple) else ()
    # Names of environments have no case to the forge; a job's token has the name as its workflow writes it.
    loose = tuple(demand(one if one.negated else msgspec.structs.replace(one, ignores_case=True)) for one in way.tests)
    there: list[Pattern] = []
    for one in sorted(environments, key=lambda one: (one.name, one.id)):
        mine = tuple(_loose(pattern_of(form)) for form in _named(forms, one.name))
        there += mine
        if (
            any(_fit(mine, text) for text in way.exact)
            if way.exact is not None
            else witness(mine, loose, ()) is not None
        ):
            yield from _keeps(one, repository)
    missing = _reached(way, forms, there)
    if isinstance(missing, str):
        name = missing.partition(_MARK)[2].partition(":")[0]
        told = (
            f"{repository.name} has no environment {plain(name)}: any branch that names it gets it, without protection"
        )
        yield Fault(Severity.HIGH, told)
    elif missing is not None:
        yield missing


def _named(forms: tuple[Form, ...], name: str) -> Iterator[Form]:
    """Yield the forms with just this environment."""
    value = name.replace(":", "%3A")
    for form in forms:
        at = form.index(_MARK)
        end = next((n for n in range(at + 1, len(form)) if form[n] == ":"), len(form))
        yield (*form[: at + 1], value, *form[end:])


def _loose(pattern: Pattern) -> Pattern:
    return tuple(
        (kind, "".join(dict.fromkeys(chars.lower() + chars.upper())) if kind == "=" else chars)
        for kind, chars in pattern
    )


def _keeps(one: Environment, repository: Repository) -> Iterator[Fault | Unknown]:
    """Yield why an environment keeps nobody out, or why that is not known; nothing if it keeps somebody out."""
    told = f"environment {plain(one.name)} of {repository.name}"
    policy = _branches_kept(one, repository)
    keeps = (
        policy,
        one.reviewers if isinstance(one.reviewers, Unknown) else bool(one.reviewers),
        one.custom_rules if isinstance(one.custom_rules, Unknown) else bool(one.custom_rules),
    )
    if any(keep is True for keep in keeps):
        return
    lost = next((keep for keep in keeps if isinstance(keep, Unknown)), None)
    if lost is not None:
        yield Unknown(f"{told}: {lost.reason}", lost.grant)
    else:
        yield Fault(Severity.HIGH, f"{told} is not protected: any branch may deploy to it, and nobody reviews")


def _branches_kept(one: Environment, repository: Repository) -> bool | Unknown:
    """Return whether the branch policy keeps out any branch that somebody who may push can make."""
    if one.branch_policy == "protected":
        # "If no branch protection rules are defined for any branch in the repository, then all branches can deploy."
        # https://docs.github.com/en/actions/reference/workflows-and-actions/deployments-and-environments
        return repository.rules if isinstance(repository.rules, Unknown) else bool(repository.rules)
    if one.branch_policy == "custom":
        return one.deploys_from if isinstance(one.deploys_from, Unknown) else not any(map(_any_name, one.deploys_from))
    return one.branch_policy if isinstance(one.branch_policy, Unknown) else False


def _any_name(pattern: str) -> bool:
    """Return whether a pattern of branches (or `tag:` of tags) says nothing of the name but how many parts it has."""
    name = pattern.removeprefix("tag:")
    return "*" in name and not name.strip("*?/")


def unlooked(paths: Iterable[TrustPath]) -> str:
    """Return what is said where ways of a document name an environment, which is as strong as its own protection."""
    named = any(":environment:" in pattern for path in paths for test in path.tests for pattern in test.patterns)
    return "; what protects its environment is not in the document" if named else ""
