"""Write `deploy_identities` of expected state from the identities that a pipeline can become today. Pure.

What is tight is taken as it is; what is too wide to be declared is listed apart, for a person to decide. What comes out is meant
to be reviewed as a pull request: it says what is, not what should be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec
from pydantic import ValidationError

from monitor.expected.models import DeployIdentity
from monitor.facts.access import Access, Power
from monitor.facts.pipeline import concerned, is_pipeline
from monitor.facts.trust import ClaimTest, TrustPath

MOST_ACTIONS = 60
"""Actions that one adopted allowance names at most; beyond, it is told in a comment."""


class Adopted(msgspec.Struct, frozen=True, kw_only=True):
    """One entry as data, what is to be decided about it in words, and what it can do that needs a reason."""

    name: str
    entry: dict[str, Any] | None
    doubts: tuple[str, ...]
    powers: tuple[str, ...]


def adopt(accesses: Iterable[Access]) -> tuple[Adopted, ...]:
    """Return an entry for each identity that a token of a pipeline can become directly, by name."""
    found = sorted((one for one in accesses if concerned(one)), key=lambda one: one.identity.name)
    taken: dict[str, int] = {}
    return tuple(_one(access, taken) for access in found)


def _one(access: Access, taken: dict[str, int]) -> Adopted:
    identity = access.identity
    doubts: list[str] = []
    subjects: list[str] = []
    issuers: set[str] = set()
    audiences: set[str] = set()
    for path in identity.trust if isinstance(identity.trust, tuple) else ():
        if path.kind == "token" and is_pipeline(path.issuer) and not path.dead:
            issuers.add(path.issuer)
            mine, why = _subjects(path)
            subjects += mine
            doubts += why
            audiences |= {
                value for test in path.tests if test.claim == "aud" and _plain(test) for value in test.patterns
            }
        elif not path.dead:
            doubts.append(f"{path.kind} {path.principal} can become it too: add it to assumable_by, or take it away")
    allows, powers = _allows(access.powers if isinstance(access.powers, tuple) else ())
    if len(issuers) > 1:
        doubts.append(f"tokens of several issuers can become it ({', '.join(sorted(issuers))}): one entry declares one")
    entry = None
    if subjects and len(issuers) == 1:
        token: dict[str, Any] = {"issuer": min(issuers), "subjects": sorted(set(subjects))}
        if len(audiences) == 1:
            token["audience"] = min(audiences)
        entry = {
            "id": _id(identity.short, taken),
            "principals": [identity.name],
            "proof": {"token": token},
            "allows": allows,
        }
        try:
            DeployIdentity.model_validate(entry)
        except ValidationError as wrong:
            doubts += [str(one["msg"]).removeprefix("Value error, ") for one in wrong.errors()]
            entry = None
    elif not subjects:
        doubts.append("its trust demands no subject that could be declared")
    return Adopted(name=identity.name, entry=entry, doubts=tuple(dict.fromkeys(doubts)), powers=powers)


def _plain(test: ClaimTest) -> bool:
    return (
        not test.negated
        and not test.absent_passes
        and not (test.wild and any(set("*?") & set(p) for p in test.patterns))
    )


def _subjects(path: TrustPath) -> tuple[list[str], list[str]]:
    """Return the subjects that one path lets in, as far as they can be declared, and what is in doubt."""
    tests = [test for test in path.tests if test.claim == "sub" and not test.negated]
    if not tests:
        return [], [f"{path.by} demands no subject: any token of {path.issuer} does"]
    found, doubts = [], []
    for pattern in tests[0].patterns:
        # In a policy `*` crosses ':', in expected state it does not: only one in the last part means the same.
        head, _, _last = pattern.rpartition(":")
        if (tests[0].wild and set("*?") & set(head)) or (tests[0].wild and _last in ("*", "?")):
            doubts.append(f"{path.by} lets in {pattern}: write what is meant, and narrow the trust")
        else:
            found.append(pattern)
    return found, doubts


def _allows(powers: Iterable[Power]) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    entries: list[dict[str, Any]] = []
    told = []
    for power in powers:
        if power.conditions:
            continue
        told.append(f"{power.kind}: {power.rule}" + (f" reaches {power.reaches}" if power.reaches else ""))
        entry = {
            "actions": sorted(power.actions)[:MOST_ACTIONS],
            "resources": sorted(power.resources) or ["*"],
            "reason": f"REVIEW: {power.kind} ({power.rule})",
        }
        if entry not in entries:
            entries.append(entry)
    return entries, tuple(told)


def _id(name: str, taken: dict[str, int]) -> str:
    base = re.sub(r"[^A-Za-z0-9._-]", "-", name.partition("@")[0]).lstrip("._-")[:56] or "identity"
    taken[base] = taken.get(base, 0) + 1
    return base if taken[base] == 1 else f"{base}-{taken[base]}"


def written(found: Iterable[Adopted]) -> str:
    """Return it as YAML for `config/expected/identities.yaml`; what a person must decide stands in comments."""
    lines = [
        "# yaml-language-server: $schema=../schema/expected.json",
        "#",
        "# Adopted from the identities that a pipeline can become today. Review it: it says what is, not what should be.",
        "# Every allowance is something that would alarm elsewhere; take out those that have no reason.",
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
        body.append("    allows:" if one.entry["allows"] else "    allows: []")
        for allowance in one.entry["allows"]:
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
    return msgspec.json.encode(_line(text)).decode()
