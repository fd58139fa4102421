"""Judge saved documents of GitHub, as its API, its audit log and its webhooks send them. Stores nothing.

A document alone does not show its repository: what it does not say is told as what was assumed. `~DEFAULT_BRANCH` is taken for
the branch `main`, unless the document is of a branch, which is then taken for the default one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

from monitor.decode import github_audit, github_environments, github_rules, github_webhook
from monitor.decode.github_wire import dig, loaded, mapping, text
from monitor.errors import Malformed
from monitor.facts.protection import BranchUpdate, ProtectionBypass, ProtectionChange, ProtectionRule
from monitor.facts.repository import EnvironmentChange, Repository
from monitor.model import Check, Outcome, Result, Severity, Sweep, Window
from monitor.sweep.documents import ORDER, Built, Judged
from monitor.sweep.evaluate import Expected, run

_UNTIMED = datetime(1970, 1, 1, tzinfo=UTC)
_PLACE = re.compile(r"/repos/([^/]+/[^/]+)(?:/(branches|environments)/(.+?)(?:/protection)?$)?")
_ASSUMED = "main"
Made = tuple[str, list[Any]]
"""The check that judges it, and the facts of a document."""


def judge(kind: str, found: Sequence[bytes], checks: Sequence[Check], expected: Expected) -> Iterator[Judged]:
    """Yield one verdict a document, in order; a document that cannot be read is an error, and the rest is still judged."""
    built = Built(expected)
    by_id = {check.id: check for check in checks}
    for n, body in enumerate(found, 1):
        try:
            check, facts = KINDS[kind](body)
        except Malformed as wrong:
            yield Judged(n=n, outcome=Outcome.ERROR, check=_FIRST[kind], reason=wrong.what)
            continue
        yield _judged(n, by_id[check], facts, built)


def _judged(n: int, check: Check, facts: list[Any], built: Built) -> Judged:
    if not facts:
        reason = "neither protection nor an environment is concerned"
        return Judged(n=n, outcome=Outcome.NOT_APPLICABLE, check=check.id, reason=reason)
    at = max((getattr(fact, "at", _UNTIMED) for fact in facts), default=_UNTIMED)
    sweep = Sweep(id="evaluate", planned_for=at, at=at, window=Window(at, at))
    results = [one for one in run(check, facts, built, sweep) if _of_document(one)]
    if not results:
        reason = "nothing that is expected was weakened, or no expectation speaks of it"
        return Judged(n=n, outcome=Outcome.NOT_APPLICABLE, check=check.id, reason=reason)
    first = min(results, key=lambda one: (ORDER.index(one.outcome), list(Severity).index(one.severity), one.subject))
    return Judged(
        n=n,
        outcome=first.outcome,
        check=first.check,
        subject=first.subject,
        change_class=first.change_class.value if first.change_class else None,
        actor=first.actor,
        reason=first.reason,
        expected=first.expected,
        observed=first.observed,
    )


def _of_document(result: Result) -> bool:
    """Return whether a result speaks of the document, not of an organisation or of a history that it does not hold."""
    return ":organisation:" not in result.subject and ":history@" not in result.subject


def _protection(body: bytes) -> Made:
    found = mapping(loaded(body, "branch protection"), "branch protection")
    name, _, branch = _place(found)
    rule = github_rules.classic(body, branch or _ASSUMED, ())
    return "branch-protection", [_repository(name, branch or _ASSUMED, (rule,))]


def _ruleset(body: bytes) -> Made:
    found = mapping(loaded(body, "a ruleset"), "a ruleset")
    rule = github_rules.ruleset(body, ())
    source = text(found.get("source"))
    name = source if "/" in source else f"{source or _place(found)[0].partition('/')[0]}/any"
    return "branch-protection", [_repository(name, _ASSUMED, (rule,))]


def _environment(body: bytes) -> Made:
    found = mapping(loaded(body, "an environment"), "an environment")
    listed = found.get("environments")
    each = listed if isinstance(listed, list) else [found]
    environments = tuple(github_environments.environment(one, ()) for one in each)
    name = _place(each[0] if each else found)[0]
    return "environment-protection", [_repository(name, _ASSUMED, (), environments)]


def _audit(body: bytes) -> Made:
    return _event(github_audit.fact(mapping(loaded(body, "an audit event"), "an audit event")))


def _webhook(body: bytes) -> Made:
    return _event(github_webhook.webhook(body))


def _event(fact: Any) -> Made:
    if isinstance(fact, EnvironmentChange):
        return "environment-protection", [_home(fact), fact]
    if isinstance(fact, BranchUpdate):
        return "direct-push", [_home(fact), fact]
    if isinstance(fact, ProtectionChange | ProtectionBypass):
        return "protection-lapse", [_home(fact), fact]
    return "protection-lapse", []


def _home(fact: Any) -> Repository:
    """Return the repository of an event, before it, as far as the event tells: its rules are not in the document."""
    name = fact.repository or f"{fact.organisation}/any"
    branch = getattr(fact, "branch", "") or _ASSUMED
    found = _repository(name, branch, (), at=fact.at - timedelta(microseconds=1))
    return Repository(**{**{f: getattr(found, f) for f in found.__struct_fields__}, "id": fact.repository_id})


def _repository(
    name: str,
    branch: str,
    rules: tuple[ProtectionRule, ...],
    environments: tuple[Any, ...] = (),
    *,
    at: datetime = _UNTIMED,
) -> Repository:
    return Repository(
        organisation=name.partition("/")[0],
        id=0,
        name=name,
        at=at,
        default_branch=branch,
        branches=(branch,),
        rules=rules,
        environments=environments,
    )


def _place(found: Any) -> tuple[str, str, str]:
    """Return OWNER/NAME, and what of it, from the document's own address. Raises Malformed if it does not say."""
    for address in (text(dig(found, "url")), text(dig(found, "_links", "self", "href")), text(dig(found, "html_url"))):
        place = _PLACE.search(urlsplit(address).path) if address else None
        if place:
            return place[1], place[2] or "", unquote(place[3] or "")
    if name := text(dig(found, "repository", "full_name")):
        return name, "", ""
    raise Malformed("the document has no `url` that tells its repository")


KINDS: dict[str, Callable[[bytes], Made]] = {
    "github-branch-protection": _protection,
    "github-ruleset": _ruleset,
    "github-environment": _environment,
    "github-audit": _audit,
    "github-webhook": _webhook,
}
"""What each kind of document is read by."""
_FIRST = {
    "github-branch-protection": "branch-protection",
    "github-ruleset": "branch-protection",
    "github-environment": "environment-protection",
    "github-audit": "protection-lapse",
    "github-webhook": "protection-lapse",
}
