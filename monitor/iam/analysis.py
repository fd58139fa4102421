"""One Access for each identity: what it can do in effect, and who can become it in the end. Pure; never raises."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from monitor.facts.access import Access, Power
from monitor.facts.identity import Identity
from monitor.facts.policy import Policy
from monitor.iam import chains
from monitor.iam.catalogue import Catalogue
from monitor.iam.escalation import RULES, Graph
from monitor.iam.powers_lists import GIVES
from monitor.iam.rights import Rights, rights
from monitor.iam.wildcards import wild
from monitor.model import Unknown


def analyse(
    identities: Iterable[Identity], catalogues: Mapping[str, Catalogue], unlisted: Collection[str] = ()
) -> tuple[Access, ...]:
    """Return one Access for each identity, in their order; of several with one name the last is taken.

    `unlisted` are accounts of which not all identities are here: whoever trusts such an account may trust others too.
    `catalogues` are by provider. Where one is missing, it is made of the actions that the policies name.
    """
    found = {one.name: one for one in identities}
    known = {provider: _catalogue(provider, found.values(), catalogues) for provider in _providers(found.values())}
    held = {name: rights(one, known[one.provider]) for name, one in found.items()}
    graph = Graph(held, unlisted)
    return tuple(_access(one, held[name], graph) for name, one in found.items())


def _access(identity: Identity, own: Rights, graph: Graph) -> Access:
    paths = chains.paths(identity, graph)
    assumes = graph.assumes(identity.name)
    if isinstance(identity.policies, Unknown):
        lost = identity.policies
        return Access(identity=identity, granted=lost, powers=lost, paths=paths, assumes=assumes, unclear=own.unclear)
    powers = graph.powers(identity.name)
    return Access(
        identity=identity,
        everything=any(one.kind == "admin" and not one.conditions for one in powers),
        granted=own.granted(),
        powers=_told_once(powers, graph.escalations(identity.name)),
        paths=paths,
        assumes=assumes,
        unclear=own.unclear,
    )


def _told_once(powers: tuple[Power, ...], escalations: tuple[Power, ...]) -> tuple[Power, ...]:
    """Return both, without what gives rights where a way is told by which these rights become its own."""
    told = {action for one in escalations for action in one.actions}
    kept = []
    for power in powers:
        if power.kind == GIVES:
            rest = tuple(action for action in power.actions if action not in told)
            if not rest:
                continue
            power = msgspec.structs.replace(power, actions=rest)
        kept.append(power)
    return (*kept, *escalations)


def _providers(identities: Iterable[Identity]) -> tuple[str, ...]:
    return tuple(sorted({one.provider for one in identities}))


def _catalogue(provider: str, identities: Iterable[Identity], catalogues: Mapping[str, Catalogue]) -> Catalogue:
    """Return the provider's catalogue with all actions that it lacks: those of policies, and those of the rules."""
    written = _written(one for one in identities if one.provider == provider)
    asked = {action for rule in RULES.get(provider, ()) for demands in rule.demands for action in demands}
    given = catalogues.get(provider)
    if given is None:
        plain = {one for one in written | asked if not wild(one)}
        given = Catalogue.of(provider, "from the policies", dict.fromkeys(plain, ""))
    return given.extended(written | {one for one in asked if not wild(one)})


def _written(identities: Iterable[Identity]) -> set[str]:
    found: set[str] = set()
    seen: set[int] = set()
    for one in identities:
        for policy in one.policies if isinstance(one.policies, tuple) else ():
            if id(policy) not in seen:  # many identities share the same policy
                seen.add(id(policy))
                found |= _of_policy(policy)
    return found


def _of_policy(policy: Policy) -> set[str]:
    if isinstance(policy.statements, Unknown):
        return set()
    return {action for one in policy.statements for action in one.actions + one.not_actions}
