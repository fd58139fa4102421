"""What is told of an identity, box by box: each way in and each power with its verdict, from the results of the checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from monitor.cli.identity_graph import Box
from monitor.facts.access import Access, Power
from monitor.facts.trust import TrustPath
from monitor.model import Result, Unknown

MOST = 24
"""Boxes on one side; the rest is told as a number."""
_WHO = {
    "token": "A token of {issuer}",
    "saml": "Whoever {principal} vouches for",
    "identity": "{principal}",
    "account": "Anyone in {principal} whom its policies allow it",
    "service": "The service {principal}",
    "group": "{principal}",
    "anyone": "Everybody",
}


def boxes_of_ways(access: Access, results: Sequence[Result]) -> tuple[Box, ...]:
    """Return a box for each way to become the identity, those that fail first."""
    if isinstance(access.paths, Unknown):
        return (Box(title="It could not be read", detail=access.paths.reason, verdict="unknown"),)
    judged = _told(results, "deploy-trust", "paths")
    boxes = [_way(path, judged[n] if n < len(judged) else {}) for n, path in enumerate(access.paths)]
    return _most(boxes)


def boxes_of_rights(access: Access, results: Sequence[Result]) -> tuple[Box, ...]:
    """Return a box for each power and each kind of credential, and one for each service that it may write to."""
    if isinstance(access.granted, Unknown) or isinstance(access.powers, Unknown):
        why = access.granted if isinstance(access.granted, Unknown) else access.powers
        assert isinstance(why, Unknown)
        return (Box(title="It could not be read", detail=why.reason, verdict="unknown"),)
    declared = {(one.get("kind"), one.get("rule")) for one in _told(results, "deploy-privilege", "declared")}
    judged = any(result.check == "deploy-privilege" for result in results)
    boxes = [_power(one, judged=judged, declared=(one.kind, one.rule) in declared) for one in access.powers]
    identity = access.identity
    for credential in identity.credentials if isinstance(identity.credentials, tuple) else ():
        if credential.active is not False:
            boxes.append(
                Box(title=f"Long-lived: {credential.kind}", detail=credential.id, verdict="fail" if judged else "plain")
            )
    told = _most(boxes)
    counts = Counter(name.partition(":")[0] for name in {name for one in access.granted for name in one.writes})
    services = [f"{name} {count}" for name, count in counts.most_common(40)]
    if access.everything:
        return told
    lines = [", ".join(services[n : n + 6]) for n in range(0, len(services), 6)]
    return (*told, *(Box(title="Writes" if n == 0 else "", detail=line) for n, line in enumerate(lines)))


def _told(results: Sequence[Result], check: str, key: str) -> list[dict[str, Any]]:
    for result in results:
        if result.check == check and isinstance(result.observed.get(key), list):
            return [one for one in result.observed[key] if isinstance(one, dict)]
    return []


def _way(path: TrustPath, judged: dict[str, Any]) -> Box:
    title = _WHO.get(path.kind, "{principal}").format(issuer=path.issuer, principal=path.principal)
    tests = "; ".join(test.words() for test in path.tests) or "no condition"
    via = f"through {', '.join(path.via)}; " if path.via else ""
    verdict = (
        "plain"
        if path.dead
        else {"pass": "pass", "fail": "fail", "unknown": "unknown"}.get(
            str(judged.get("verdict", judged.get("outcome", ""))), "plain"
        )
    )
    detail = f"dead: {path.dead}" if path.dead else f"{via}{tests}"
    return Box(title=title, detail=detail, verdict=verdict, whole=f"{title} | {detail} | {path.action} by {path.by}")


def _power(power: Power, *, judged: bool, declared: bool) -> Box:
    goal = f" → {power.reaches}" if power.reaches else ""
    name = power.kind if power.rule == power.kind else f"{power.kind}: {power.rule}"
    verdict = "pass" if declared else "unknown" if power.conditions else "fail"
    where = f" on {', '.join(power.resources)}" if power.resources not in ((), ("*",)) else ""
    detail = ", ".join(power.actions[:6]) + where
    if power.conditions:
        detail += f" where {' and '.join(power.conditions)}"
    return Box(
        title=name + goal,
        detail=detail,
        verdict=verdict if judged else "plain",
        whole=f"{name}{goal}: {power.told} {detail} by {', '.join(power.by)}",
    )


def _most(boxes: list[Box]) -> tuple[Box, ...]:
    order = ("fail", "unknown", "pass", "plain")
    kept = sorted(boxes, key=lambda box: order.index(box.verdict))
    if len(kept) <= MOST:
        return tuple(kept)
    return (*kept[:MOST], Box(title=f"and {len(kept) - MOST} more", detail="all of them with --format json"))
