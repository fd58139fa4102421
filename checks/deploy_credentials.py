"""PS019-3.2: build and deployment jobs run under managed identities, and no long-lived credential stands beside them.

On an identity of the pipeline every active access key, service-account key, password, SSH key, service credential or certificate
fails: a managed identity needs none, and whoever has a copy is the pipeline. One that is older than `key_max_days`, or a password
without MFA, is critical. On the forge, secrets that are cloud keys by their name fail, at the level of organisation, repository
or environment, and so do deploy keys that can write; a deploy key that can only read fails, low, once it is too old. Inactive
credentials and names that `may_keep` allows are listed and pass. What could not be read is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from monitor.expected.models import DeployIdentity, IdentityRules, Production
from monitor.facts import credential_words as words
from monitor.facts.access import Access
from monitor.facts.cloud_keys import is_cloud_key, may_stay
from monitor.facts.identity import Credential, Identity, IdentityList
from monitor.facts.pipeline import concerned, one_each, unwatched
from monitor.facts.stored_secret import DeployKey, KeptCredentials, StoredSecret
from monitor.model import Check, Expectation, Outcome, Result, Severity, Sweep, Unknown, cited

ID = "deploy-credentials"
MOST_SHOWN = 100
"""Entries that one list in a result holds at most; how many there are is told beside it."""
_URGENCY = list(Severity)
Fact = Access | IdentityList | KeptCredentials


class CredentialExpectations(Expectation):
    """Which identities the pipeline uses, how old a key may be, and which names of secrets are no cloud keys."""

    production: Production = Production()
    deploy_identities: tuple[DeployIdentity, ...] = ()
    identities: IdentityRules = IdentityRules()


def evaluate(facts: Iterable[Fact], expect: CredentialExpectations, sweep: Sweep) -> Iterator[Result]:
    """Yield a result for each identity of the pipeline, each place that keeps secrets, and each account not read whole."""
    if not expect.identities.watched:
        yield from unwatched(ID, expect.production.identity_scopes())
        return
    found = tuple(facts)
    for access in one_each(found):
        if _declared(access.identity.name, expect) or concerned(access):
            yield _identity(access.identity, expect.identities, sweep.as_of(access.identity.at))
    yield from _lacking(found, one_each(found), expect)
    kept = [fact for fact in found if isinstance(fact, KeptCredentials)]
    for subject in sorted({fact.subject for fact in kept}):
        mine = sorted((fact for fact in kept if fact.subject == subject), key=repr)
        yield _kept(mine, expect.identities, sweep.as_of(max(one.at for one in mine)))


class _Weighed(msgspec.Struct, kw_only=True):
    """What one subject shows: what is wrong and how badly, what is not known, and what is only listed."""

    wrong: list[tuple[int, str]] = []
    doubts: list[Unknown] = []
    notes: list[str] = []

    def fail(self, told: str, severity: Severity) -> None:
        self.wrong.append((_URGENCY.index(severity), told))


# Identities.


def _identity(identity: Identity, rules: IdentityRules, sweep: Sweep) -> Result:
    found = _Weighed()
    observed: dict[str, Any] = {"identity": identity.name, "kind": identity.kind}
    if isinstance(identity.credentials, Unknown):
        found.doubts.append(identity.credentials)
    else:
        credentials = sorted(set(identity.credentials), key=repr)
        _listed(observed, "credentials", [words.credential_shown(one, sweep.at) for one in credentials])
        for one in credentials:
            _credential(one, identity, rules, sweep, found)
    if isinstance(identity.mfa, bool):
        observed["mfa"] = identity.mfa
    return _result(
        found,
        subject=identity.subject("credentials"),
        scope=identity.scope,
        what=words.plain(identity.short),
        good="it has no long-lived credential that can be used",
        expected={"active_credentials": [], "key_max_days": rules.key_max_days},
        observed=observed,
        remedy=_REMEDY_IDENTITY,
        evidence=identity.evidence,
    )


def _credential(one: Credential, identity: Identity, rules: IdentityRules, sweep: Sweep, found: _Weighed) -> None:
    name, age = words.credential(one), words.days(one.created_at, sweep.at)
    if one.active is False or identity.disabled:
        found.notes.append(f"{name} {'is inactive' if one.active is False else 'is of an identity that is disabled'}")
        return
    if isinstance(one.active, Unknown):
        found.doubts.append(Unknown(f"whether {name} is active: {one.active.reason}", one.active.grant))
        return
    told = f"{name}, {words.aged(age)}{words.idle(one.used_at, sweep.at, rules.unused_after_days)}"
    severity = Severity.CRITICAL if age is not None and age > rules.key_max_days else Severity.HIGH
    if one.kind == "password":
        if not isinstance(identity.mfa, bool):
            why = identity.mfa or Unknown("nothing tells of it")
            found.doubts.append(Unknown(f"whether {name} is used with MFA: {why.reason}", why.grant))
        elif not identity.mfa:
            told, severity = f"{told}, without MFA", Severity.CRITICAL
    found.fail(told, severity)


def _lacking(facts: Sequence[Fact], accesses: Sequence[Access], expect: CredentialExpectations) -> Iterator[Result]:
    """Yield what of an account's identities is not known, and which identities of the pipeline are gone."""
    lists: dict[tuple[str, str], list[IdentityList]] = {}
    for one in facts:
        if isinstance(one, IdentityList):
            lists.setdefault((one.provider, one.account), []).append(one)
    for place in _expected_accounts(expect):
        lists.setdefault(place, [])
    read: dict[tuple[str, str], set[str]] = {}
    for access in accesses:
        read.setdefault((access.identity.provider, access.identity.account), set()).add(access.identity.id)
    for (provider, account), mine in sorted(lists.items()):
        there = read.get((provider, account), set())
        doubts = [one.ids for one in mine if isinstance(one.ids, Unknown)]
        unread = {number for one in mine if isinstance(one.ids, tuple) for number in one.ids} - there
        if not mine and not there:
            doubts.append(Unknown("no list of its identities was read"))
        if unread:
            doubts.append(Unknown(f"{len(unread)} identities are listed, and were not read"))
        if doubts:
            yield _result(
                _Weighed(doubts=sorted(doubts, key=repr)),
                subject=f"{provider}:account:{account}:credentials",
                scope=f"{provider}:{account}",
                what=f"identities of {words.plain(account)}",
                good="",
                expected={},
                observed={"unread": len(unread)},
                remedy="",
                evidence=cited(*mine),
            )
        gone = {
            number: name
            for one in sorted(mine, key=repr)
            if isinstance(one.ids, tuple)
            for number, name in sorted(one.vanished.items())
            if number not in there | unread and _declared(name, expect)
        }
        for number, name in sorted(gone.items()):
            yield Result(
                check=ID,
                subject=f"{provider}:identity:{account}:{number}:credentials",
                scope=f"{provider}:{account}",
                outcome=Outcome.NOT_APPLICABLE,
                severity=Severity.LOW,
                reason=f"{words.plain(name)}: it is gone since the last sweep, and its credentials with it",
                observed={"identity": name},
                evidence=cited(*mine),
            )


def _declared(name: str, expect: CredentialExpectations) -> bool:
    return any(one.matches((name,)) for one in expect.deploy_identities)


def _expected_accounts(expect: CredentialExpectations) -> Iterator[tuple[str, str]]:
    """Yield the production accounts in which an identity of the pipeline is declared."""
    estate = expect.production
    patterns = [pattern for one in expect.deploy_identities for pattern in one.principals]
    for account in estate.aws.accounts if estate.aws else ():
        if any(f":{account.id}:" in pattern for pattern in patterns):
            yield "aws", account.id
    for project in estate.gcp.projects if estate.gcp else ():
        if any(pattern.endswith(f"@{project.id}.iam.gserviceaccount.com") for pattern in patterns):
            yield "gcp", project.id


# What the forge keeps.


def _kept(facts: Sequence[KeptCredentials], rules: IdentityRules, sweep: Sweep) -> Result:
    """Return the result about one place. Several facts may tell of it, each of a part; together they are all."""
    found, last = _Weighed(), max(facts, key=lambda one: (one.at, repr(one)))
    secrets = {one for fact in facts if isinstance(fact.secrets, tuple) for one in fact.secrets}
    keys = {one for fact in facts if isinstance(fact.deploy_keys, tuple) for one in fact.deploy_keys}
    for fact in facts:
        found.doubts += [lost for lost in (fact.secrets, fact.deploy_keys) if isinstance(lost, Unknown)]
    alike = sorted((one for one in secrets if is_cloud_key(one.name)), key=repr)
    allowed = [one for one in alike if may_stay(one.name, rules.may_keep)]
    wrong = [one for one in alike if not may_stay(one.name, rules.may_keep)]
    for one in wrong:
        _secret(one, rules, sweep, found)
    for key in sorted(keys, key=repr):
        _deploy_key(key, rules, sweep, found)
    observed: dict[str, Any] = {"secrets_in_all": len(secrets), "deploy_keys_in_all": len(keys)}
    _listed(observed, "cloud_keys", [words.secret_shown(one, sweep.at) for one in wrong])
    _listed(observed, "may_keep", [words.secret_shown(one, sweep.at) for one in allowed])
    _listed(observed, "deploy_keys", [words.key_shown(one, sweep.at) for one in sorted(keys, key=repr)])
    if allowed:
        found.notes.append(f"{len(allowed)} names that are like a cloud key's are allowed")
    return _result(
        found,
        subject=last.subject,
        scope=last.scope,
        what=words.plain(last.repository or last.organisation),
        good="none of its secrets is a cloud key by its name, and no deploy key can write or is too old",
        expected={"cloud_keys": [], "key_max_days": rules.key_max_days, "may_keep": list(rules.may_keep)},
        observed=observed,
        remedy=_REMEDY_KEPT,
        evidence=cited(*facts),
    )


def _secret(one: StoredSecret, rules: IdentityRules, sweep: Sweep, found: _Weighed) -> None:
    age = words.days(words.changed(one), sweep.at)
    told = f"{words.plain(one.name)} ({words.place(one)}) is a long-lived cloud key by its name, {words.aged(age)}"
    found.fail(told, Severity.CRITICAL if age is not None and age > rules.key_max_days else Severity.HIGH)


def _deploy_key(one: DeployKey, rules: IdentityRules, sweep: Sweep, found: _Weighed) -> None:
    age = words.days(one.created_at, sweep.at)
    idle = words.idle(one.used_at, sweep.at, rules.unused_after_days)
    told = f"deploy key {words.plain(one.title)} ({one.id}), {words.aged(age)}{idle}"
    if not one.read_only:
        found.fail(f"{told}, can write", Severity.HIGH)
    elif age is not None and age > rules.key_max_days:
        found.fail(f"{told}, is too old", Severity.LOW)


_AGAIN = "see the coverage of this scope, and sweep again"
_REMEDY_IDENTITY = "delete the credential, and let the pipeline take the identity with the token of its job (OIDC)"
_REMEDY_KEPT = (
    "revoke the key at the cloud, delete the secret, and let the job take an identity with its token (OIDC); where the name "
    "misleads, write it in identities.may_keep by review. In the place of a deploy key that can write, use an app"
)


def _result(
    found: _Weighed,
    *,
    subject: str,
    scope: str,
    what: str,
    good: str,
    expected: dict[str, Any],
    observed: dict[str, Any],
    remedy: str,
    evidence: tuple[Any, ...],
) -> Result:
    doubts = sorted({(one.reason, one.grant) for one in found.doubts})
    grants = "; ".join(dict.fromkeys(grant for _, grant in doubts if grant))
    if found.wrong:
        outcome, told, todo = Outcome.FAIL, [one for _, one in sorted(found.wrong)], remedy
    elif doubts:
        outcome, told, todo = Outcome.UNKNOWN, [reason for reason, _ in doubts], grants or _AGAIN
    else:
        outcome, told, todo = Outcome.PASS, [good, *found.notes], ""
    if doubts:
        observed["unknown"] = [reason for reason, _ in doubts[:MOST_SHOWN]]
    return Result(
        check=ID,
        subject=subject,
        scope=scope,
        outcome=outcome,
        severity=_URGENCY[min(found.wrong)[0]] if found.wrong else Severity.HIGH,
        reason=f"{what}: {'; '.join(told[:5])}{f'; and {len(told) - 5} more' if len(told) > 5 else ''}",
        expected=expected,
        observed=observed,
        remedy=todo,
        evidence=evidence,
    )


def _listed(observed: dict[str, Any], name: str, entries: list[dict[str, Any]]) -> None:
    observed |= {name: entries[:MOST_SHOWN]}
    if len(entries) > MOST_SHOWN:
        observed[f"{name}_in_all"] = len(entries)


CHECK = Check(
    id=ID,
    title="Deploy identities have no long-lived credentials, and the forge keeps no cloud keys",
    severity=Severity.HIGH,
    controls=("PS019-3.2",),
    facts=(Access, IdentityList, KeptCredentials),
    expects=CredentialExpectations,
    evaluate=evaluate,
    needs=(
        "iam:GenerateCredentialReport, iam:GetCredentialReport and iam:GetAccountAuthorizationDetails in each account",
        "iam.serviceAccountKeys.list on GCP",
        "secrets:read, environments:read and administration:read on repositories, for names of secrets and deploy keys",
        "organization_secrets:read, for names of the organisation's secrets",
    ),
    remedy=_REMEDY_IDENTITY,
)
