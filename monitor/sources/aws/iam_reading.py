"""One account's identities: who there is and what bears on them, with each failure in the field that it leaves unknown.

Needs iam:GetAccountAuthorizationDetails, and what iam_providers, iam_credentials, iam_usage and iam_organization say.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from monitor.decode.aws_iam import authorization
from monitor.errors import Denied, Malformed, Throttled
from monitor.facts.identity import Identity, IdentityList
from monitor.model import CoverageStatus, ScopeCoverage, Unknown
from monitor.sources.aws import iam_credentials, iam_pages, iam_providers, iam_usage
from monitor.sources.aws.iam_asking import PROVIDER, SOURCE, Questions, Reply
from monitor.sources.aws.iam_organization import Organization


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of one account. `whole`: its identities were listed to the end."""

    listing: IdentityList
    identities: tuple[Identity, ...]
    coverage: ScopeCoverage
    whole: bool


class Reader:
    """Reads accounts one after the other. `wanted` says of which identities the use is asked."""

    def __init__(
        self,
        questions: Questions,
        organization: Organization,
        wanted: Callable[[Identity], bool],
        sleep: Callable[[float], None],
    ) -> None:
        self._questions = questions
        self._organization = organization
        self._wanted = wanted
        self._sleep = sleep

    def account(self, account: str) -> Account:
        """Return an account's identities. Never raises for what the account does."""
        details = iam_pages.read(account, self._questions)
        failed: list[Reply] = []
        identities: tuple[Identity, ...] = ()
        if details.pages:
            identities, failed = self._identities(account, details)
        if details.failed:
            failed = [details.failed, *failed]
        whole = details.failed is None
        ids: tuple[str, ...] | Unknown = tuple(sorted(one.id for one in identities))
        if details.failed:
            ids = details.failed.unknown()
        listing = IdentityList(
            provider=PROVIDER, account=account, at=self._questions.at, ids=ids, evidence=tuple(details.evidence)
        )
        counts = {"identities": len(identities), "pages": details.pages, "failed": len(failed)}
        coverage = _coverage(account, failed, counts, listed=bool(details.pages))
        return Account(listing=listing, identities=identities, coverage=coverage, whole=whole)

    def _identities(self, account: str, details: iam_pages.Details) -> tuple[tuple[Identity, ...], list[Reply]]:
        questions = self._questions
        providers = iam_providers.read(account, questions)
        over = self._organization.over(account)
        try:
            found = authorization(details.body, account, questions.at, providers.tokens, over.actions, over.resources)
        except Malformed as broken:
            details.failed = Reply(account=account, error=broken)
            return (), [*providers.failed]
        details.body.clear()  # it is large, and all is decoded
        found = tuple(
            providers.told(msgspec.structs.replace(one, evidence=(*details.behind(one), *over.evidence)))
            for one in found
        )
        found, refused = iam_credentials.told(found, account, questions, self._sleep)
        found = tuple(iam_credentials.besides(one, account, questions) if self._wanted(one) else one for one in found)
        used = iam_usage.read([one for one in found if self._wanted(one)], account, questions, self._sleep)
        found = tuple(_used(one, used.get(one.name)) for one in found)
        return tuple(sorted(found, key=lambda one: (one.kind, one.name, one.id))), [*providers.failed, *refused]


def _used(one: Identity, used: iam_usage.Usage | None) -> Identity:
    """Return an identity with its uses, where they were asked; what its entry tells of its last use is kept beside them."""
    if used is None:
        return one
    uses = used.uses
    if isinstance(uses, tuple) and isinstance(one.uses, tuple):
        uses = tuple(sorted({*one.uses, *uses}, key=lambda use: (use.service, use.action)))
    evidence = tuple(dict.fromkeys((*one.evidence, *used.evidence)))
    return msgspec.structs.replace(one, uses=uses, evidence=evidence)


def _coverage(account: str, failed: list[Reply], counts: dict[str, int], *, listed: bool) -> ScopeCoverage:
    """Return what was read of an account; `listed` is whether anything could be had of its identities."""
    errors = [reply.error for reply in failed if reply.error]
    status = CoverageStatus.PARTIAL if errors or not listed else CoverageStatus.COMPLETE
    if not listed and any(isinstance(error, Denied) for error in errors):
        status = CoverageStatus.DENIED
    elif not listed and any(isinstance(error, Throttled) for error in errors):
        status = CoverageStatus.THROTTLED
    return ScopeCoverage(
        scope=f"{PROVIDER}:{account}",
        source=SOURCE,
        status=status,
        reason=errors[0].what if errors else "",
        grant=", ".join(dict.fromkeys(reply.grant for reply in failed if reply.denied)),
        counts=counts,
        gaps=tuple(dict.fromkeys(error.what for error in errors)),
    )
