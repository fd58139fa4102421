"""What is remembered of identities from sweep to sweep, whichever cloud they are of: their last state, and which are gone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from monitor.facts.identity import Identity, IdentityList
from monitor.facts.remembered import Remembered
from monitor.model import ScopeCoverage, Unknown
from monitor.sources.ports import Collected

ROOT = "root"
"""The id of an account's root user: it shows only while it has keys, so it never vanishes."""
_PASSING = ("at", "evidence", "uses")
"""Fields that change from one reading to the next though nothing was set otherwise."""


def add(
    whole: Collected,
    listing: IdentityList,
    identities: Sequence[Identity],
    coverage: ScopeCoverage,
    known: Mapping[str, Remembered],
    kind: str,
    *,
    ended: bool,
) -> None:
    """Add what was read of one account. Only a list that was read to its end (`ended`) says what is gone, or is remembered.

    `known` are the states that were remembered, by subject, and `kind` under which they are.
    """
    if ended:
        listing = msgspec.structs.replace(listing, vanished=_vanished(listing, identities, known))
        whole.remember += [_state(one, kind) for one in identities if _changed(one, known.get(one.subject()), kind)]
    whole.facts += [listing, *identities]
    whole.coverage.append(coverage)


def _vanished(listing: IdentityList, identities: Sequence[Identity], known: Mapping[str, Remembered]) -> dict[str, str]:
    """Return, by id, the last known name of each identity that was seen once and is not there now."""
    here = {one.subject() for one in identities}
    start = f"{listing.provider}:identity:{listing.account}:"
    gone = [_plain(kept) for subject, kept in known.items() if subject.startswith(start) and subject not in here]
    names = {str(one.get("id")): str(one.get("name")) for one in gone}
    return {number: names[number] for number in sorted(names) if number != ROOT}


def _changed(now: Identity, kept: Remembered | None, kind: str) -> bool:
    """Return whether an identity is new, or not what it was when it was last seen to have changed.

    What could not be read now is taken to be as it was: it says nothing of a change.
    """
    if kept is None:
        return True
    here, before = _plain(_state(now, kind)), _plain(kept)
    unread = {name for name in here if isinstance(getattr(now, name), Unknown)}
    return _bare(here, unread) != _bare(before, unread)


def _plain(kept: Remembered) -> dict[str, Any]:
    """Return what was remembered as plain data; nothing if it is not an identity."""
    found = msgspec.json.decode(kept.body)
    return found if isinstance(found, dict) else {}


def _bare(identity: dict[str, Any], unread: Collection[str]) -> dict[str, Any]:
    lasting = {name: value for name, value in identity.items() if name not in _PASSING and name not in unread}
    credentials = lasting.get("credentials")
    if isinstance(credentials, list):
        lasting["credentials"] = [{**one, "used_at": None} for one in credentials]
    return lasting


def _state(identity: Identity, kind: str) -> Remembered:
    return Remembered(
        kind=kind,
        id=f"{identity.subject()}@{identity.at.isoformat()}",
        subject=identity.subject(),
        at=identity.at,
        body=msgspec.Raw(msgspec.json.encode(identity)),
    )
