"""What is told of an identity, box by box: each way in and each power with its verdict, from the results of the checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from monitor.cli.identity_graph import Box
from monitor.facts.access import Access, Power
from monitor.facts.identity import Identity
from monitor.facts.trust import ClaimTest, TrustPath
from monitor.model import Result, Unknown

MOST = 24
"""Boxes on one side; the rest is told as a number."""
_ALIKE = ("destroys-data", "blinds-logs", "service-wide")
"""Kinds of powers of which there is one a service: several of them are told together."""
_SERVICES = 24
"""Services that one box names."""
_ORDER = ("fail", "unknown", "pass", "plain")


def boxes_of_ways(access: Access, results: Sequence[Result]) -> tuple[Box, ...]:
    """Return a box for each way to become the identity, be it by its trust or by a credential, those that fail first."""
    holders = _holders(access.identity, results)
    if isinstance(access.paths, Unknown):
        return (Box(title="It could not be read", detail=access.paths.reason, verdict="unknown"), *holders)
    # The check tells the ways in their own order, the first of them only where there are very many.
    judged = _told(results, "deploy-trust", "paths")
    ways = [
        _way(path, judged[n] if n < len(judged) else {}, access.identity.account) for n, path in enumerate(access.paths)
    ]
    return _most([*ways, *holders])


def _holders(identity: Identity, results: Sequence[Result]) -> list[Box]:
    """Return a box for each lasting credential that can be used: who holds it is the identity."""
    outcome = next((one.outcome.value for one in results if one.check == "deploy-credentials"), "")
    verdict = outcome if outcome in _ORDER else "plain"
    if isinstance(identity.credentials, Unknown):
        unread = "unknown" if verdict == "unknown" else "plain"
        return [Box(title="Whoever holds a lasting credential", detail=identity.credentials.reason, verdict=unread)]
    return [
        Box(title=f"Whoever holds its {one.kind.replace('-', ' ')}", detail=one.id, verdict=verdict)
        for one in identity.credentials
        if one.active is not False
    ]


def boxes_of_rights(access: Access, results: Sequence[Result]) -> tuple[Box, ...]:
    """Return a box for each power, and one for the services that it may write to."""
    if isinstance(access.granted, Unknown) or isinstance(access.powers, Unknown):
        why = access.granted if isinstance(access.granted, Unknown) else access.powers
        assert isinstance(why, Unknown)
        return (Box(title="It could not be read", detail=why.reason, verdict="unknown"),)
    identity = access.identity
    declared = {_of_power(one) for one in _told(results, "deploy-privilege", "declared")}
    judged = any(one.check == "deploy-privilege" and one.subject.endswith(":privilege") for one in results)
    powers = [(one, _verdict(one, declared) if judged else "plain") for one in access.powers]
    boxes = [*_powers(powers, identity.account)]
    told = _most(boxes)
    counts = Counter(_service(name) for name in {name for one in access.granted for name in one.writes})
    if access.everything or not counts:
        return told
    ranked = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    services = [f"{name} {count}" for name, count in ranked[:_SERVICES]]
    rest = [f"and {len(counts) - _SERVICES} more"] if len(counts) > _SERVICES else []
    title = "Writes in " + (f"{len(counts)} services" if len(counts) > 1 else "one service")
    return (*told, Box(title=title, detail=", ".join(services + rest)))


def short(name: str, account: str) -> str:
    """Return what people call an identity that stands by its ARN: kind and name, and the account if it is another."""
    parts = name.split(":", 5)
    if len(parts) != 6 or parts[2] not in ("iam", "sts"):
        return name
    kind, slash, last = parts[5].partition("/")
    called = kind + slash + last.rpartition("/")[2]
    return called if parts[4] in (account, "") else f"{called} in {parts[4]}"


def _service(action: str) -> str:
    return action.partition(":" if ":" in action else ".")[0]


def _told(results: Sequence[Result], check: str, key: str) -> list[dict[str, Any]]:
    for result in results:
        if result.check == check and isinstance(result.observed.get(key), (list, tuple)):
            return [one for one in result.observed[key] if isinstance(one, dict)]
    return []


def _way(path: TrustPath, judged: dict[str, Any], account: str) -> Box:
    same = (judged.get("kind"), judged.get("by")) == (path.kind, path.by)
    outcome = str(judged.get("verdict", "")) if same else ""
    verdict = "plain" if path.dead or outcome not in _ORDER else outcome
    through = ", then ".join(short(one, account) for one in path.via)
    tests = [test.words() for test in sorted(path.tests, key=_by_weight)]
    doubts = [f"not evaluated: {one.reason}" for one in path.unclear]
    detail = "; ".join(([f"through {through}"] if through else []) + (tests or ["without a condition"]) + doubts)
    why = ""
    if verdict in ("fail", "unknown"):  # who it is stands in the title already
        why = str(judged.get("why", "")).replace(str(judged.get("who") or "\0"), "", 1)
        why = why.removeprefix(" can become it, and ").strip(" :,")
    if path.dead:
        detail = f"can never be used: {path.dead}"
    title = _who(path, account)
    who, where = path.issuer or path.principal, "; ".join([*tests, *doubts]) or "no condition"
    whole = f"{who} by {path.action}: {where} ({path.by})"
    whole += f", through {', then '.join(path.via)}" if path.via else ""
    return Box(title=title, detail=detail, why=why, verdict=verdict, whole=f"{whole} {why}".strip())


def _by_weight(test: ClaimTest) -> tuple[bool, str]:
    """Return the order in which tests are told: whom they are about first."""
    return test.claim != "sub", test.claim


def _who(path: TrustPath, account: str) -> str:
    name = short(path.principal, account)
    if path.kind == "token":
        return f"A token of {path.issuer or 'an issuer that is not known'}"
    if path.kind == "saml":
        return f"People who sign in through {name.partition('/')[2] or name}"
    if path.kind == "account":
        return (
            f"Whoever in {path.principal.split(':')[4:5][0] if ':' in path.principal else name} may by its own rights"
        )
    return {"service": f"The service {name}", "anyone": "Everybody"}.get(path.kind, name)


def _of_power(shown: dict[str, Any]) -> tuple[Any, ...]:
    return (shown.get("kind"), shown.get("rule"), shown.get("reaches", ""), tuple(shown.get("resources", ())))


def _verdict(power: Power, declared: set[tuple[Any, ...]]) -> str:
    if (power.kind, power.rule, power.reaches, power.resources) in declared:
        return "pass"
    return "unknown" if power.conditions else "fail"


def _powers(powers: Iterable[tuple[Power, str]], account: str) -> list[Box]:
    """Return a box for each power; those that differ by their service only are one, if there are many."""
    boxes: list[Box] = []
    alike: dict[tuple[str, str], list[Power]] = {}
    for power, verdict in powers:
        if power.kind in _ALIKE:
            alike.setdefault((power.kind, verdict), []).append(power)
        else:
            boxes.append(_power(power, verdict, account))
    for (kind, verdict), some in alike.items():
        if len(some) < 4:
            boxes += [_power(one, verdict, account) for one in some]
            continue
        rules = sorted(one.rule for one in some)
        rest = [f"and {len(rules) - _SERVICES} more"] if len(rules) > _SERVICES else []
        actions = ", ".join(action for one in some for action in one.actions)
        title, told = f"{kind}: {len(rules)} services", ", ".join(rules[:_SERVICES] + rest)
        boxes.append(Box(title=title, detail=told, verdict=verdict, whole=f"{title}: {actions}"))
    return boxes


def _power(power: Power, verdict: str, account: str) -> Box:
    goal = f" → {short(power.reaches, account)}" if power.reaches else ""
    title = (power.kind if power.rule == power.kind else f"{power.kind}: {power.rule}") + goal
    actions = ", ".join(power.actions[:6]) + (f" and {len(power.actions) - 6} more" if len(power.actions) > 6 else "")
    where = (
        "" if power.resources in ((), ("*",)) else " on " + ", ".join(short(one, account) for one in power.resources)
    )
    through = f", through {', then '.join(short(one, account) for one in power.through)}" if power.through else ""
    why = f"only where {' and '.join(power.conditions)}" if power.conditions else ""
    whole = (
        f"{title}: {power.told} {', '.join(power.actions)} on {', '.join(power.resources)}, by {', '.join(power.by)}"
    )
    return Box(title=title, detail=actions + where + through, why=why, verdict=verdict, whole=f"{whole} {why}".strip())


def _most(boxes: list[Box]) -> tuple[Box, ...]:
    kept = sorted(boxes, key=lambda box: _ORDER.index(box.verdict))
    if len(kept) <= MOST:
        return tuple(kept)
    return (*kept[:MOST], Box(title=f"and {len(kept) - MOST} more", detail="all of them with --format json"))
