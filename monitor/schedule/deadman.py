"""The dead-man switch: an address that is called after each complete sweep, and raises an alarm when it no longer is.

It is asked with GET and told nothing: the call itself is the message. Its address often is its secret, so that it is never
shown; only its host is.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import httpx2

_TRIES = 3
_TIMEOUT = 10.0
_DELAYS = (1.0, 4.0)


def ping(url: str, sleep: Callable[[float], None]) -> str:
    """Call the address, up to three times; return why it could not be, empty if it could. Never raises."""
    reason = ""
    for number in range(_TRIES):
        if number:
            sleep(_DELAYS[number - 1])
        try:
            with httpx2.Client(timeout=_TIMEOUT, follow_redirects=False) as client:
                status = client.get(url).status_code
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as failed:
            reason = type(failed).__name__
            continue
        if 200 <= status < 300:
            return ""
        reason = f"it answered {status}"
    return reason


def host(url: str) -> str:
    """Return the host of the address, which may be shown."""
    return urlsplit(url).hostname or "?"
