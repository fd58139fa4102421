"""IAM as a source of a sweep: every identity of the declared accounts as it is now, and what is remembered of them.

Needs in each account what iam_reading, iam_credentials, iam_usage and iam_organization say. One account's failure never
stops another; what could not be read is Unknown in just its field.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from monitor.expected.models import AwsEstate
from monitor.facts.change import ChangeEvent
from monitor.facts.identity import Identity, IdentityList
from monitor.facts.log_object import RetainedPart
from monitor.model import Window
from monitor.sources.aws.iam_asking import PROVIDER, SOURCE, Questions
from monitor.sources.aws.iam_organization import Organization
from monitor.sources.aws.iam_reading import Reader
from monitor.sources.aws.session import ClientFactory
from monitor.sources.identities_seen import add
from monitor.sources.ports import Collected, Memory, Progress, Request

STATE = "aws.identity"


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
                read = reader.account(account)
                add(whole, read.listing, read.identities, read.coverage, known, STATE, ended=read.whole)
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
