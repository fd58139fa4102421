"""The pages of an account's authorization details as one answer, and which page tells of which identity.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
"""

from __future__ import annotations

from typing import Any

from monitor.errors import Malformed, SourceError
from monitor.facts.identity import Identity
from monitor.facts.policy import Policy
from monitor.model import EvidenceRef
from monitor.sources.aws.iam_asking import SOURCE, Questions, Reply

OPERATION = "GetAccountAuthorizationDetails"
PAGE = 1000
"""The most entries that IAM gives in one page."""
_LISTS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")


class Details:
    """What was read of one account's details: `body` is one answer, `failed` the page that could not be read, if any."""

    def __init__(self) -> None:
        self.body: dict[str, list[Any]] = {name: [] for name in _LISTS}
        self.pages = 0
        self.failed: Reply | None = None
        self.evidence: list[EvidenceRef] = []
        self._told: dict[str, dict[EvidenceRef, None]] = {}
        self._groups: dict[str, list[str]] = {}

    @property
    def error(self) -> SourceError | None:
        """Return why the account was not read to the end."""
        return self.failed.error if self.failed else None

    def add(self, page: Reply) -> None:
        """Take in a page, or what there was in its place."""
        self.evidence += page.evidence
        if page.error is None and not any(isinstance(page.answer.get(name), list) for name in _LISTS):
            what = f"iam:{OPERATION} answers with something else than identities and policies"
            page = Reply(account=page.account, error=Malformed(what, source=SOURCE, todo="see the captured bytes"))
        if page.error is not None:
            self.failed = page
            return
        self.pages += 1
        for name in _LISTS:
            entries = page.answer.get(name)
            for one in entries if isinstance(entries, list) else ():
                self.body[name].append(one)
                if isinstance(one, dict):
                    self._note(one, page)

    def behind(self, identity: Identity) -> tuple[EvidenceRef, ...]:
        """Return the pages that hold the identity, its groups and its managed policies."""
        named = [identity.boundary] if isinstance(identity.boundary, Policy) else []
        named += identity.policies if isinstance(identity.policies, tuple) else ()
        names = [identity.name, *self._groups.get(identity.name, ()), *(policy.name for policy in named)]
        return tuple(dict.fromkeys(ref for name in names for ref in self._told.get(name, ())))

    def _note(self, one: dict[str, Any], page: Reply) -> None:
        arn, groups = one.get("Arn"), one.get("GroupList")
        # Users name their groups, so a group is found by its name; no ARN is a name.
        for key in (arn, one.get("GroupName")):
            if isinstance(key, str):
                self._told.setdefault(key, {}).update(dict.fromkeys(page.evidence))
        if isinstance(arn, str) and isinstance(groups, list):
            self._groups[arn] = [name for name in groups if isinstance(name, str)]


def read(account: str, questions: Questions) -> Details:
    """Return an account's details, as far as they could be read."""
    details = Details()
    for page in questions.pages("iam", OPERATION, account, MaxItems=PAGE):
        details.add(page)
    return details
