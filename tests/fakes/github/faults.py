"""What else GitHub answers: faults by name, for `GitHubFake(world, faults=…)`, and hooks that choose among them.

https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable

Fault = tuple[int, dict[str, str], bytes]
Hook = Callable[[str, str, int], "Fault | None"]
CUT, SLOW = "Cut", "Slow"
"""Headers that the server keeps to itself: `Cut: off` sends half of the body, `Slow: 1.5` waits as many seconds first."""


def _told(status: int, message: str, **headers: str) -> Fault:
    return (
        status,
        {name.replace("_", "-"): value for name, value in headers.items()},
        json.dumps({"message": message}).encode(),
    )


def broken(status: int = 502) -> Fault:
    return _told(status, "Server Error")


def secondary(retry_after: int | None = None, status: int = 403) -> Fault:
    """Too much at once; GitHub does not always tell for how long."""
    told = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    return _told(status, told, **({} if retry_after is None else {"Retry_After": str(retry_after)}))


def used_up(reset: int) -> Fault:
    """The budget of the hour is gone until `reset` (seconds since 1970)."""
    return _told(403, "API rate limit exceeded.", X_RateLimit_Remaining="0", X_RateLimit_Reset=str(reset))


def denied() -> Fault:
    return _told(403, "Resource not accessible by integration")


def missing() -> Fault:
    return _told(404, "Not Found")


def slow(seconds: float, then: Fault | None = None) -> Fault:
    """Wait first: for a client whose patience is to end."""
    status, headers, body = then or (200, {}, b"[]")
    return status, {**headers, SLOW: str(seconds)}, body


def cut(body: bytes = b'[{"id": 1, "name": "main", "padding": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}]') -> Fault:
    """The connection ends in the middle of the body."""
    return 200, {CUT: "off"}, body


def garbage() -> Fault:
    return 200, {}, b'{"id": 1, "name": \xff\x00'


def html() -> Fault:
    """What a proxy says in GitHub's place."""
    return 200, {"Content-Type": "text/html"}, b"<html><title>Sign in</title></html>"


def first(count: int, fault: Fault, part: str = "") -> Hook:
    """Answer the first requests whose path holds `part` so, and all others truly."""
    left, lock = [count], threading.Lock()

    def hook(method: str, path: str, number: int) -> Fault | None:
        with lock:
            if part not in path or not left[0]:
                return None
            left[0] -= 1
        return fault

    return hook


def sometimes(seed: int, rate: float, *faults: Fault, part: str = "") -> Hook:
    """Answer by chance so: the same for the same seed, whatever the order in which requests arrive."""

    def hook(method: str, path: str, number: int) -> Fault | None:
        chance = random.Random(f"{seed} {method} {path} {number}")
        return chance.choice(faults) if part in path and chance.random() < rate else None

    return hook
