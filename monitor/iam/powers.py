"""What an identity can do that needs a reason: everything, nearly so, whole services, destroying data, blinding the logs. Pure.

Of a power that conditions or exceptions narrow, they are told; where any statement gives it without, it stands without.
Escalation is judged elsewhere (monitor.iam.escalation).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from monitor.facts.access import Power
from monitor.iam.catalogue import GCP, Catalogue
from monitor.iam.powers_lists import GIVES, LISTS, SOURCES, told
from monitor.iam.powers_parts import (
    all_bits,
    cited,
    conditions_of,
    enough,
    resources_of,
    service_of,
    short,
    wide_for,
)  # fmt: skip
from monitor.iam.rights import Rights
from monitor.iam.rights_clauses import Actions, acts
from monitor.iam.rights_pieces import Piece
from monitor.iam.rights_places import EVERYWHERE
from monitor.model import Severity

ADMIN, NEAR_ADMIN, SERVICE_WIDE = "admin", "near-admin", "service-wide"
NEARLY = 0.8
"""The part of all writes from which on an identity is nearly an administrator."""
_LEAST_WRITES = {GCP: 5}
"""Writes that a service must have to be called wide; of GCP the catalogue may hold only what was seen."""
_POLICIES = "https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html#grant-least-privilege"
_BASIC = "https://cloud.google.com/iam/docs/roles-overview#basic"
_SET_POLICY = (
    "resourcemanager.folders.setIamPolicy",
    "resourcemanager.organizations.setIamPolicy",
    "resourcemanager.projects.setIamPolicy",
)


def powers(rights: Rights) -> tuple[Power, ...]:
    """Return the powers that an identity's policies give by themselves, the worst kinds first."""
    if rights.everything:
        return (_admin(rights),)
    near = tuple(_near_admin_gcp(rights) if rights.identity.provider == GCP else _near_admin(rights))
    wide = () if any(power.rule != "iam" for power in near) else _service_wide(rights)
    taken = {power.rule for power in near}
    return (
        *near,
        *(power for power in wide if power.rule not in taken),
        # Who has all of IAM, or nearly everything, needs no list of what gives rights.
        *(power for power in _listed(rights) if not (near and power.kind == GIVES)),
    )


def _admin(rights: Rights) -> Power:
    if rights.identity.provider == GCP:
        by = [piece for piece in rights.wide if piece.clause.basic == "owner" and piece.plain]
    else:
        by = enough([piece for piece in rights.wide if piece.plain], rights.catalogue.everything)
    return Power(
        kind=ADMIN,
        rule=ADMIN,
        severity=Severity.CRITICAL,
        actions=EVERYWHERE,
        by=cited(by),
        source=_BASIC if rights.identity.provider == GCP else _POLICIES,
        told="It can do anything, on everything, always.",
    )


def _near_admin(rights: Rights) -> Iterator[Power]:
    """Yield that it has most writes, or all of the service that gives rights."""
    catalogue = rights.catalogue
    writes = catalogue.everything & ~catalogue.reads
    wide: Sequence[Piece] = rights.wide
    iam = catalogue.services.get("iam", 0) & writes
    for pieces in ([piece for piece in wide if piece.plain], wide):
        bits = all_bits(pieces) & writes
        if writes and bits.bit_count() >= NEARLY * writes.bit_count():
            who = enough(pieces, writes, NEARLY)
            rules = bool(iam) and (bits & iam).bit_count() >= NEARLY * iam.bit_count()
            yield _wide_power(
                NEAR_ADMIN,
                "most-writes",
                Severity.CRITICAL if rules else Severity.HIGH,
                short(acts(bits, catalogue)),
                who,
                f"It can do {100 * bits.bit_count() // writes.bit_count()} % of all that changes anything"
                + (", and give itself the rest." if rules else "."),
            )
            return
    if not iam or iam & ~rights.possible:
        return
    pieces = wide_for(rights, "iam")
    always = [piece for piece in pieces if piece.plain]
    if not iam & ~all_bits(pieces):
        yield _wide_power(
            NEAR_ADMIN,
            "iam",
            Severity.CRITICAL,
            ("iam:*",),
            enough(pieces if iam & ~all_bits(always) else always, iam),
            "It can do all of IAM, and so give itself and others any right.",
        )


def _near_admin_gcp(rights: Rights) -> Iterator[Power]:
    """Yield the basic roles on a whole project, and the right to set who may what on it."""
    wide = rights.wide
    basic = [piece for piece in wide if piece.clause.basic in ("owner", "editor")]
    if basic:
        owner = any(piece.clause.basic == "owner" for piece in basic)
        yield _wide_power(
            NEAR_ADMIN,
            "owner" if owner else "editor",
            Severity.CRITICAL if owner else Severity.HIGH,
            EVERYWHERE,
            basic,
            "A basic role changes nearly all that there is in the project.",
            _BASIC,
        )
    names = [name for name in _SET_POLICY if rights.catalogue.bit(name)]
    mask = sum(rights.catalogue.bit(name) for name in names)
    setters = [piece for piece in wide if piece.actions.bits & mask and piece not in basic]
    if setters:
        yield _wide_power(
            NEAR_ADMIN,
            "set-policy",
            Severity.CRITICAL,
            rights.catalogue.named(all_bits(setters) & mask),
            setters,
            "It sets who may do what in the project, and so gives itself and others any right.",
            "https://cloud.google.com/iam/docs/granting-changing-revoking-access",
        )


def _service_wide(rights: Rights) -> Iterator[Power]:
    """Yield each service of which it has every write on everything."""
    catalogue = rights.catalogue
    found: dict[str, list[Piece]] = {}
    for piece in rights.pieces:
        reached = {service_of(one, rights.identity.account) for one in piece.resources} - {""}
        if "*" in reached or rights.everywhere(piece.resources):
            reached = set(piece.actions.write_services)
        for service in reached:
            found.setdefault(service, []).append(piece)
    for service in sorted(found):
        mask = _writes_of(service, catalogue)
        pieces = found[service]
        if not mask or mask & ~all_bits(pieces):
            continue
        always = [piece for piece in pieces if piece.plain]
        pieces = pieces if mask & ~all_bits(always) else always
        yield _wide_power(
            SERVICE_WIDE,
            service,
            Severity.MEDIUM,
            (f"{service}.*" if catalogue.provider == GCP else f"{service}:*",),
            enough(pieces, mask),
            f"It can do all that {service} has, on everything.",
        )


def _listed(rights: Rights) -> Iterator[Power]:
    """Yield what it has of the lists of destroying and blinding actions, one power a service."""
    found: dict[tuple[str, str], list[tuple[Piece, tuple[str, ...]]]] = {}
    for piece in rights.pieces:
        for kind, service, names in _of_lists(piece.actions):
            found.setdefault((kind, service), []).append((piece, names))
    order = {kind: n for n, kind in enumerate(LISTS["aws"])}
    for (kind, service), hits in sorted(found.items(), key=lambda one: (order[one[0][0]], one[0][1])):
        pieces = [piece for piece, _ in hits]
        yield Power(
            kind=kind,
            rule=service,
            severity=Severity.HIGH if any(rights.everywhere(piece.resources) for piece in pieces) else Severity.MEDIUM,
            actions=hits[0][1] if len(hits) == 1 else tuple(sorted({name for _, names in hits for name in names})),
            resources=resources_of(pieces),
            by=cited(pieces),
            conditions=conditions_of(pieces),
            source=SOURCES[rights.identity.provider, kind],
            told=told(kind),
        )


def _wide_power(
    kind: str,
    rule: str,
    severity: Severity,
    actions: tuple[str, ...],
    pieces: Sequence[Piece],
    meaning: str,
    source: str = _POLICIES,
) -> Power:
    return Power(
        kind=kind,
        rule=rule,
        severity=severity,
        actions=actions,
        resources=resources_of(pieces),
        by=cited(pieces),
        conditions=conditions_of(pieces, every=True),
        source=source,
        told=meaning,
    )


def _of_lists(actions: Actions) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    found: tuple[tuple[str, str, tuple[str, ...]], ...] | None = actions.memory.get("lists")
    if found is None:
        found = tuple(
            (kind, service, actions.catalogue.named(bits))
            for kind, service, mask in _masks(actions.catalogue)
            if (bits := actions.bits & mask)
        )
        actions.memory["lists"] = found
    return found


def _masks(catalogue: Catalogue) -> tuple[tuple[str, str, int], ...]:
    found: tuple[tuple[str, str, int], ...] | None = catalogue.memory.get("lists")
    if found is None:
        found = tuple(
            (kind, service, sum(catalogue.bit(name) for name in names))
            for kind, services in LISTS.get(catalogue.provider, {}).items()
            for service, names in services.items()
        )
        catalogue.memory["lists"] = found
    return found


def _writes_of(service: str, catalogue: Catalogue) -> int:
    """Return the bits of a service's writes; 0 for one with so few that to have them all says nothing."""
    mask = catalogue.services.get(service, 0) & ~catalogue.reads
    least = _LEAST_WRITES.get(catalogue.provider, 2)
    if mask.bit_count() >= least or (mask and "*" in catalogue.named(mask)[0]):
        return mask
    return 0
