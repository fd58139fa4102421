"""Write `deploy_identities` of expected state from the identities that a pipeline can become today. Pure.

What is tight is taken as it is; what is too wide to be declared is listed apart, for a person to decide. What comes out is meant
to be reviewed as a pull request: it says what is, not what should be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import count
from typing import Any

import msgspec
from pydantic import ValidationError

from monitor.expected.models import DeployIdentity
from monitor.facts.access import Access
from monitor.facts.allowing import Allowed
from monitor.facts.pipeline import concerned, is_pipeline
from monitor.facts.trust import ClaimTest, TrustPath

MOST_ACTIONS = 60
"""Actions that one adopted allowance names at most; beyond, it has the patterns of the policies."""

_TOO_MUCH = ("admin", "near-admin")
"""Powers that are never adopted: with them declared, nothing that the identity can do would be told any more."""


class Adopted(msgspec.Struct, frozen=True, kw_only=True):
    """One entry as data, what is to be decided about it in words, and what it can do that needs a reason."""

    name: str
    entry: dict[str, Any] | None
    doubts: tuple[str, ...]
    powers: tuple[str, ...]


def adopt(accesses: Iterable[Access]) -> tuple[Adopted, ...]:
    """Return an entry for each identity that a token of a pipeline can become directly, by name."""
    found = sorted((one for one in accesses if concerned(one)), key=lambda one: one.identity.name)
    taken: set[str] = set()
    return tuple(_one(access, taken) for access in found)


def _one(access: Access, taken: set[str]) -> Adopted:
    identity = access.identity
    doubts: list[str] = []
    subjects: set[str] = set()
    issuers: set[str] = set()
    audiences: list[tuple[str, ...]] = []
    for path in identity.trust if isinstance(identity.trust, tuple) else ():
        if path.dead:
            continue
        if path.kind != "token" or not is_pipeline(path.issuer):
            who = path.issuer or path.principal
            doubts.append(f"{path.kind} {who} can become it too: add it to assumable_by, or take it away")
        elif not path.issuer:
            doubts += [f"{path.by}: {one.reason}" for one in path.unclear] or [f"{path.by} names no issuer"]
        else:
            issuers.add(path.issuer)
            mine, why = _subjects(path)
            subjects |= set(mine)
            doubts += why
            audiences.append(_audiences(path))
    if len(set(audiences)) > 1 or not all(audiences):
        doubts.append("not every statement demands the same audience")
    if len(issuers) > 1:
        doubts.append(f"tokens of several issuers can become it ({', '.join(sorted(issuers))}): one entry declares one")
    allows, powers = _allows(access)
    much = next((one for one in powers if one.startswith(tuple(f"{kind}:" for kind in _TOO_MUCH))), "")
    if much:
        doubts.append(
            f"it can do nearly everything ({much}), which is not adopted: narrow it, or say what it is allowed"
        )
    entry = None
    if not subjects:
        doubts.append("its trust demands no subject that could be declared")
    elif len(issuers) == 1:
        token: dict[str, Any] = {"issuer": min(issuers), "subjects": sorted(subjects)}
        if len(set(audiences)) == 1 and len(audiences[0]) == 1:
            token["audience"] = audiences[0][0]
        entry = {"principals": [identity.name], "proof": {"token": token}} | ({"allows": allows} if allows else {})
        wrong = _wrong(entry)
        doubts += wrong
        entry = None if wrong else {"id": _id(identity.short, taken)} | entry
    return Adopted(name=identity.name, entry=entry, doubts=tuple(dict.fromkeys(doubts)), powers=powers)


def _wrong(entry: dict[str, Any]) -> list[str]:
    """Return why an entry cannot be one of expected state; none if it can."""
    if set("*?") & set(entry["principals"][0]):
        return ["its name would be read as a pattern"]
    try:
        DeployIdentity.model_validate(entry | {"id": "any"})
        json.dumps(entry, ensure_ascii=False).encode()
    except ValidationError as wrong:
        # A list whose items are wrong is also called too short, which tells nobody anything.
        told = [one for one in wrong.errors() if one["type"] != "too_short"] or wrong.errors()
        return [str(one["msg"]).removeprefix("Value error, ") for one in told]
    except UnicodeEncodeError:
        return ["it holds characters that are none"]
    return []


def _audiences(path: TrustPath) -> tuple[str, ...]:
    """Return the audiences that a path demands; none where it may demand none."""
    tests = [test for test in path.tests if test.claim == "aud" and not test.negated and not test.absent_passes]
    plain = [test.patterns for test in tests if not (test.wild and any(set("*?") & set(p) for p in test.patterns))]
    return min(plain, key=len, default=())


def _subjects(path: TrustPath) -> tuple[list[str], list[str]]:
    """Return the subjects that one path lets in, as far as they can be declared, and what is in doubt."""
    tests = [test for test in path.tests if test.claim == "sub" and not test.negated]
    if not tests:
        return [], [f"{path.by} demands no subject: any token of {path.issuer} does"]
    # All of them must hold: the one that leaves no doubt says it.
    told = [_declarable(path, test) for test in tests]
    return min(told, key=lambda one: len(one[1]))


def _declarable(path: TrustPath, test: ClaimTest) -> tuple[list[str], list[str]]:
    found, doubts = [], []
    for pattern in test.patterns:
        if not test.wild and set("*?") & set(pattern):
            doubts.append(f"{path.by} takes {pattern} literally, so that it lets in nobody: take it away")
        elif test.ignores_case:
            doubts.append(f"{path.by} lets in {pattern} in any case: demand it as it is written")
        elif test.wild and _wide(pattern):
            doubts.append(f"{path.by} lets in {pattern}: write what is meant, and narrow the trust")
        elif pattern.endswith(":pull_request"):
            doubts.append(f"{path.by} lets in {pattern}, which is before any review: take it away")
        else:
            found.append(pattern)
    return found, doubts


def _wide(pattern: str) -> bool:
    """Return whether a pattern lets in more than a person would declare, or means another thing in expected state.

    In a policy `*` crosses ':', in expected state it does not: only one in the last part means the same, and a subject of
    two parts names no more than a repository.
    """
    head, _, last = pattern.rpartition(":")
    if not set("*?") & set(pattern):
        return False
    return (
        bool(set("*?") & set(head)) or ":" not in head or last.strip("*?") in ("", "refs/", "refs/heads/", "refs/tags/")
    )


def _allows(access: Access) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Return allowances for what the identity can do, none where nothing of it alarms; and its powers in words.

    An allowance makes every further write one that must be declared too, so that those are listed with it. It knows no
    conditions: those under which a power holds stand in its reason.
    """
    powers = access.powers if isinstance(access.powers, tuple) else ()
    written_as = _written_as(access)
    entries: list[dict[str, Any]] = []
    for power in powers:
        allowed = _allowed(entries)
        if power.kind in _TOO_MUCH or allowed.covers(power.actions, power.resources):
            continue
        where = f", where {' and '.join(power.conditions)}" if power.conditions else ""
        because = _short(f"REVIEW: {power.kind} ({power.rule}){where}")
        entries.append(_allowance(power.actions, power.resources, because, [written_as.get(by, ()) for by in power.by]))
    told = tuple(f"{one.kind}: {one.rule}" + (f" reaches {one.reaches}" if one.reaches else "") for one in powers)
    if not entries or any(power.kind in _TOO_MUCH for power in powers):
        return [], told
    for given in access.granted if isinstance(access.granted, tuple) else ():
        missing = _allowed(entries).missing(given.writes, given.resources)
        if missing:
            because = _short(f"REVIEW: it may do this today ({given.by})")
            entries.append(_allowance(missing, given.resources, because, [written_as.get(given.by, ())]))
    return entries, told


def _short(text: str) -> str:
    """Return a reason on one line, for a person."""
    return "".join(c if c.isprintable() else " " for c in text)[:300].strip()


def _allowed(entries: Iterable[dict[str, Any]]) -> Allowed:
    return Allowed((tuple(one["actions"]), tuple(one["resources"]), "-") for one in entries)


def _allowance(
    actions: Iterable[str], resources: Iterable[str], reason: str, as_written: Iterable[tuple[str, ...]]
) -> dict[str, Any]:
    names = sorted(set(actions))
    if len(names) > MOST_ACTIONS:
        patterns = {pattern for some in as_written for pattern in some}
        names = sorted(patterns) if patterns else sorted({f"{name.partition(':')[0]}:*" for name in names})
    return {"actions": names, "resources": sorted(resources) or ["*"], "reason": reason}


def _written_as(access: Access) -> dict[str, tuple[str, ...]]:
    """Return, by how a statement is cited, the patterns of actions in it."""
    policies = access.identity.policies
    return {
        policy.told(statement): statement.actions
        for policy in (policies if isinstance(policies, tuple) else ())
        for statement in (policy.statements if isinstance(policy.statements, tuple) else ())
        if statement.actions
    }


def _id(name: str, taken: set[str]) -> str:
    base = re.sub(r"[^A-Za-z0-9._-]", "-", name.partition("@")[0]).lstrip("._-")[:56] or "identity"
    found = next(one for n in count(1) if (one := base if n == 1 else f"{base}-{n}") not in taken)
    taken.add(found)
    return found


def written(found: Iterable[Adopted]) -> str:
    """Return it as YAML for `config/expected/identities.yaml`; what a person must decide stands in comments."""
    lines = [
        "# yaml-language-server: $schema=../schema/expected.json",
        "#",
        "# Adopted from the identities that a pipeline can become today. Review it: it says what is, not what should be.",
        "# Every allowance is something that would alarm elsewhere, or stands beside it; take out what has no reason.",
        "",
    ]
    body: list[str] = []
    apart: list[str] = []
    for one in found:
        if one.entry is None:
            apart += [f"# {_line(one.name)}", *(f"#   {_line(doubt)}" for doubt in one.doubts)]
            continue
        token = one.entry["proof"]["token"]
        body += [f"  # To decide: {_line(doubt)}" for doubt in one.doubts]
        body += [
            f"  - id: {_quoted(one.entry['id'])}",
            f"    principals: [{_quoted(one.name)}]",
            "    proof:",
            "      token:",
        ]
        body += [f"        issuer: {_quoted(token['issuer'])}", "        subjects:"]
        body += [f"          - {_quoted(subject)}" for subject in token["subjects"]]
        body += [f"        audience: {_quoted(token['audience'])}"] if "audience" in token else []
        body += ["    allows:"] if "allows" in one.entry else []
        for allowance in one.entry.get("allows", ()):
            for n, key in enumerate(("actions", "resources")):
                values = ", ".join(_quoted(value) for value in allowance[key])
                body.append(f"      {'- ' if n == 0 else '  '}{key}: [{values}]")
            body.append(f"        reason: {_quoted(allowance['reason'])}")
    lines += ["deploy_identities:" if body else "deploy_identities: []", *body]
    if apart:
        lines += [
            "",
            "# Tokens of a pipeline can become these too, in ways that cannot be declared as they are:",
            *apart,
        ]
    return "\n".join(lines) + "\n"


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)[:300]


def _quoted(text: str) -> str:
    """Return a text as YAML that reads as exactly that text."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(c: str) -> str:
    if c in '"\\':
        return "\\" + c
    if c.isprintable():
        return c
    return f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}"
