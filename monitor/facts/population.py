"""The repositories that were to be read against those that were: one fact for each, and what is missing with the reason."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from monitor.facts.repository import Repository, RepositoryList
from monitor.model import EvidenceRef, Unknown


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """What was to be judged and cannot be: the subject and scope of its result, what it is to a reader, and why."""

    subject: str
    scope: str
    what: str
    why: Unknown
    evidence: tuple[EvidenceRef, ...] = ()


def one_each(repositories: Iterable[Repository]) -> tuple[Repository, ...]:
    """Return one fact for each repository, by id: the latest, in whatever order they came."""
    kept: dict[int, Repository] = {}
    for fact in repositories:
        other = kept.get(fact.id)
        if other is None or (other.at, repr(other)) < (fact.at, repr(fact)):
            kept[fact.id] = fact
    return tuple(kept[number] for number in sorted(kept))


def missing(
    organisations: Iterable[str], lists: Iterable[RepositoryList], repositories: Iterable[Repository]
) -> tuple[Missing, ...]:
    """Return what is missing, one for each subject: organisations, and repositories that were not read or are gone.

    An organisation is missing if no list of its repositories came, or one that may lack some. A repository of which there
    is a fact is never missing. Names of organisations are compared without case, as the forge does.
    """
    read = {fact.id for fact in repositories}
    named = {name.lower(): name for name in sorted(organisations)}
    listed: dict[str, list[RepositoryList]] = {name: [] for name in named}
    found: dict[str, list[Missing]] = {}

    def tell(subject: str, scope: str, what: str, why: Unknown, source: RepositoryList | None) -> None:
        evidence = source.evidence if source else ()
        found.setdefault(subject, []).append(
            Missing(subject=subject, scope=scope, what=what, why=why, evidence=evidence)
        )

    for one in sorted(lists, key=repr):
        listed.setdefault(one.organisation.lower(), []).append(one)
        name = named.setdefault(one.organisation.lower(), one.organisation)
        organisation, scope = f"github:organisation:{name}", f"github:{name}"
        for lost in (one.ids, one.unseen):
            if isinstance(lost, Unknown):
                tell(organisation, scope, f"repositories of {name}", lost, one)
        for number in sorted({*one.ids} - read) if isinstance(one.ids, tuple) else ():
            why = Unknown(f"it is listed in {name}, and was not read")
            tell(f"github:repository:{number}", scope, f"repository {number}", why, one)
        for number in sorted({*one.vanished} - read):
            was = one.vanished[number]
            told = f"was watched at the last sweep as {was} and is no longer listed"
            why = Unknown(
                f"{told}: deleted, moved away, or no longer visible",
                f"say what became of {was}, or let it be seen again",
            )
            tell(f"github:repository:{number}", f"github:{was}", f"repository {number}", why, one)
    for key, name in named.items():
        if not listed[key]:
            why = Unknown("no list of its repositories was read")
            tell(f"github:organisation:{name}", f"github:{name}", f"repositories of {name}", why, None)
    return tuple(_as_one(found[subject]) for subject in sorted(found))


def _as_one(words: list[Missing]) -> Missing:
    refs = {ref for word in words for ref in word.evidence}
    return msgspec.structs.replace(
        min(words, key=lambda word: (word.scope, word.what)),
        why=Unknown(
            "; ".join(sorted({word.why.reason for word in words})),
            "; ".join(sorted({word.why.grant for word in words} - {""})),
        ),
        evidence=tuple(sorted(refs, key=lambda ref: (ref.kind, ref.name, ref.sha256))),
    )
