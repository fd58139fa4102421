"""IAM as a source of a sweep: every identity of the declared accounts as it is now, and what is remembered of them.

Needs in each account what iam_reading, iam_credentials, iam_usage and iam_organization say. One account's failure never
stops another; what could not be read is Unknown in just its field.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from monitor.expected.models import AwsEstate
from monitor.facts.change import ChangeEvent
from monitor.facts.identity import Identity, IdentityList
from monitor.facts.log_object import RetainedPart
from monitor.facts.remembered import Remembered
from monitor.model import Unknown, Window
from monitor.sources.aws.iam_asking import PROVIDER, SOURCE, Questions
from monitor.sources.aws.iam_organization import Organization
from monitor.sources.aws.iam_reading import Account, Reader
from monitor.sources.aws.session import ClientFactory
from monitor.sources.ports import Collected, Memory, Progress, Request

STATE = "aws.identity"
ROOT = "root"
"""The id of the root user: it shows only while it has keys, so it never vanishes."""


class IamSource:
    """Reads the identities of all declared accounts.

    `wanted` says of which identities the use is asked; of none if `usage_days` is 0. `sleep` waits for jobs of AWS. `as_of`
    (UTC) is when captured answers were given: what they tell held then, not at the time of the sweep.
    """

    name = SOURCE
    provides = (Identity, IdentityList)
    once = ()

    def __init__(
        self,
        estate: AwsEstate,
        clients: ClientFactory,
        *,
        usage_days: int,
        wanted: Callable[[Identity], bool] = lambda identity: False,
        sleep: Callable[[float], None] = time.sleep,
        as_of: datetime | None = None,
    ) -> None:
        self.estate = estate
        self._clients = clients
        self._wanted = wanted if usage_days else lambda identity: False
        self._sleep = sleep
        self._as_of = as_of

    def scopes(self) -> dict[str, tuple[str, ...]]:
        """Return the accounts whose identities are to be read."""
        return {SOURCE: tuple(f"{PROVIDER}:{account}" for account in self._accounts)}

    def due(self, request: Request, memory: Memory) -> Window | None:
        """Return None: identities are read as they are at the moment of the sweep."""
        return None

    def collect(self, request: Request, memory: Memory, progress: Progress) -> Collected:
        """Return the identities of every account as they are now. Never raises for what AWS does."""
        whole = Collected()
        questions = Questions(self._clients, self._as_of or request.at)
        reader = Reader(questions, Organization(self._accounts, questions), self._wanted, self._sleep)
        known = memory.latest(STATE)
        try:
            for n, account in enumerate(self._accounts):
                progress("reading identities", n, len(self._accounts))
                _add(whole, reader.account(account), known)
        finally:
            questions.close()
        progress("reading identities", len(self._accounts), len(self._accounts))
        whole.captures = questions.captures
        return whole

    def recall(self, parts: Sequence[RetainedPart], sessions: Collection[str]) -> list[ChangeEvent]:
        """Return nothing: identities hold no events."""
        return []

    @property
    def _accounts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(account.id for account in (*self.estate.accounts, *self.estate.watched)))


def _add(whole: Collected, read: Account, known: Mapping[str, Remembered]) -> None:
    listing = read.listing
    if read.whole:
        listing = msgspec.structs.replace(listing, vanished=_vanished(read, known))
        whole.remember += [_state(one) for one in read.identities if _changed(one, known.get(one.subject()))]
    whole.facts += [listing, *read.identities]
    whole.coverage.append(read.coverage)


def _vanished(read: Account, known: Mapping[str, Remembered]) -> dict[str, str]:
    """Return, by id, the last known name of each identity of the account that was seen once and is not there now."""
    here = {one.subject() for one in read.identities}
    start = f"{PROVIDER}:identity:{read.listing.account}:"
    gone = [_plain(kept) for subject, kept in known.items() if subject.startswith(start) and subject not in here]
    names = {str(one.get("id")): str(one.get("name")) for one in gone}
    return {number: names[number] for number in sorted(names) if number != ROOT}


def _changed(now: Identity, kept: Remembered | None) -> bool:
    """Return whether an identity is new, or not what it was when it was last seen to have changed.

    What could not be read now is taken to be as it was: it says nothing of a change.
    """
    if kept is None:
        return True
    here, before = _plain(_state(now)), _plain(kept)
    unread = {name for name in here if isinstance(getattr(now, name), Unknown)}
    return _bare(here, unread) != _bare(before, unread)


def _plain(kept: Remembered) -> dict[str, Any]:
    """Return what was remembered as plain data; nothing if it is not an identity."""
    found = msgspec.json.decode(kept.body)
    return found if isinstance(found, dict) else {}


_PASSING = ("at", "evidence", "uses")
"""Fields that change from one reading to the next though nothing was set otherwise."""


def _bare(identity: dict[str, Any], unread: Collection[str]) -> dict[str, Any]:
    lasting = {name: value for name, value in identity.items() if name not in _PASSING and name not in unread}
    credentials = lasting.get("credentials")
    if isinstance(credentials, list):
        lasting["credentials"] = [{**one, "used_at": None} for one in credentials]
    return lasting


def _state(identity: Identity) -> Remembered:
    return Remembered(
        kind=STATE,
        id=f"{identity.subject()}@{identity.at.isoformat()}",
        subject=identity.subject(),
        at=identity.at,
        body=msgspec.Raw(msgspec.json.encode(identity)),
    )
