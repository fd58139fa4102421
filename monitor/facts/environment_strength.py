"""Whether an environment that trust names keeps anybody out: joined from what is known of its repository. Pure.

A job gets an environment's token by naming it. If there is none of that name, the forge makes one, without any protection:
https://docs.github.com/en/actions/how-tos/deploy/configure-and-manage-deployments/manage-environments
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from monitor.facts.language import Demand, glob, witness
from monitor.facts.protection import ProtectionRule
from monitor.facts.repository import Environment, Repository, RepositoryList
from monitor.facts.subjects import demand
from monitor.facts.trust import TrustPath
from monitor.model import Outcome, Unknown


class Strength(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of one environment: what it is called, whether it keeps anybody out, and why."""

    told: str
    outcome: Outcome
    why: str
    grant: str = ""


def named_environments(paths: Iterable[TrustPath], subjects: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Yield repository (OWNER/NAME), its id (or nothing) and the environment of each declared subject that a way lets in."""
    ways = [tuple(demand(test) for test in path.tests if test.claim == "sub") for path in paths]
    for subject in sorted(set(subjects)):
        claim, _, rest = subject.partition(":")
        name, _, context = rest.partition(":")
        kind, _, environment = context.partition(":")
        if claim != "repo" or kind != "environment":
            continue
        form = glob(subject, ":")
        if any(_meets(form, way) for way in ways):
            owner, _, repository = name.partition("/")
            repository, _, number = repository.partition("@")
            yield f"{owner.partition('@')[0]}/{repository}", number, environment.partition(":")[0]


def _meets(form: tuple[tuple[str, str], ...], way: Sequence[Demand]) -> bool:
    return witness((form,), tuple(way), ()) is not None


class Places:
    """The repositories that are known, with their environments, and the organisations that are watched."""

    def __init__(
        self, organisations: Iterable[str], repositories: Iterable[Repository], lists: Iterable[RepositoryList]
    ) -> None:
        self.organisations = {name.lower() for name in organisations}
        self._by_name = {one.name.lower(): one for one in sorted(repositories, key=lambda one: (one.at, one.id))}
        self._by_id = {str(one.id): one for one in self._by_name.values()}
        self._listed = {one.organisation.lower() for one in lists if isinstance(one.ids, tuple) and one.unseen is None}

    def strength(self, repository: str, number: str, environment: str) -> Strength:
        """Return what keeps jobs of a repository out of an environment."""
        told = f"environment {environment} of {repository}"
        owner = repository.partition("/")[0].lower()
        if owner not in self.organisations:
            why = "its organisation is not watched on GitHub, so what protects it is not known"
            return Strength(told=told, outcome=Outcome.UNKNOWN, why=why, grant=f"watch {owner} in production.github")
        if set("*?") & set(repository + environment):
            why = "a pattern stands for several, of which it is not known which there are"
            return Strength(told=told, outcome=Outcome.UNKNOWN, why=why, grant="declare each environment by its name")
        known = self._by_id.get(number) if number else self._by_name.get(repository.lower())
        if known is None:
            if owner in self._listed:
                return Strength(
                    told=told, outcome=Outcome.FAIL, why="there is no such repository: whoever makes it, is trusted"
                )
            return Strength(
                told=told, outcome=Outcome.UNKNOWN, why="the repository was not read", grant="see its coverage"
            )
        places = known.environments
        if isinstance(places, Unknown):
            return Strength(told=told, outcome=Outcome.UNKNOWN, why=places.reason, grant=places.grant)
        # Names of environments have no case: https://docs.github.com/en/rest/deployments/environments
        mine = next((one for one in places if one.name.lower() == environment.lower()), None)
        if mine is None:
            return Strength(
                told=told,
                outcome=Outcome.FAIL,
                why="there is none: any branch that names it makes one without protection",
            )
        return _of(mine, told, known.rules)


def _of(place: Environment, told: str, rules: tuple[ProtectionRule, ...] | Unknown) -> Strength:
    branches = _branches_kept(place, rules)
    keeps = [
        branches is True,
        not isinstance(place.reviewers, Unknown) and bool(place.reviewers),
        not isinstance(place.custom_rules, Unknown) and bool(place.custom_rules),
    ]
    if any(keeps):
        words = ("certain branches only", "reviewers", "a gate of an app")
        return Strength(
            told=told,
            outcome=Outcome.PASS,
            why=f"kept by {', '.join(w for w, k in zip(words, keeps, strict=True) if k)}",
        )
    fields = (branches, place.reviewers, place.custom_rules)
    lost = next((one for one in fields if isinstance(one, Unknown)), None)
    if lost is not None:
        return Strength(told=told, outcome=Outcome.UNKNOWN, why=lost.reason, grant=lost.grant)
    return Strength(told=told, outcome=Outcome.FAIL, why="any branch may deploy to it, and nobody reviews")


def _branches_kept(place: Environment, rules: tuple[ProtectionRule, ...] | Unknown) -> bool | Unknown:
    """Return whether the branch policy keeps any branch out that somebody who may push can make."""
    policy = place.branch_policy
    if policy == "protected":
        # "If no branch protection rules are defined for any branch in the repository, then all branches can deploy."
        # https://docs.github.com/en/actions/reference/workflows-and-actions/deployments-and-environments
        return rules if isinstance(rules, Unknown) else bool(rules)
    if policy == "custom":
        names = place.deploys_from
        return names if isinstance(names, Unknown) else not any(map(_any_name, names))
    return policy if isinstance(policy, Unknown) else False


def _any_name(pattern: str) -> bool:
    """Return whether a pattern of branches (or `tag:` of tags) says nothing of the name but how many parts it has."""
    name = pattern.removeprefix("tag:")
    return "*" in name and not name.strip("*?/")
