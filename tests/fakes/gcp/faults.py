"""What else Google Cloud answers: faults by name, for `GcpFake(world, faults=…)`, and hooks that choose among them.

https://google.aip.dev/193 and https://cloud.google.com/service-infrastructure/docs/error-reasons
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

Fault = tuple[int, dict[str, str], bytes]
Hook = Callable[[str, str, int], "Fault | None"]
CUT = "Cut"
"""A header that the server keeps to itself: `Cut: off` sends half of the body."""
_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


def told(status: int, message: str, *details: dict[str, Any], **headers: str) -> Fault:
    error = {"code": status, "message": message, "status": _STATUS.get(status, "UNKNOWN")}
    body = {"error": {**error, "details": list(details)} if details else error}
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, json.dumps(body).encode()


def info(reason: str, **metadata: str) -> dict[str, Any]:
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    return {"@type": kind, "reason": reason, "domain": "googleapis.com", "metadata": metadata}


def broken(status: int = 503) -> Fault:
    return told(status, "The service is currently unavailable.")


def spent(retry_after: int | None = None) -> Fault:
    """The quota of the minute is spent; Google seldom tells for how long."""
    what = "Quota exceeded for quota metric 'Read requests' and limit 'Read requests per minute'"
    said = {} if retry_after is None else {"Retry_After": str(retry_after)}
    return told(429, what, info("RATE_LIMIT_EXCEEDED", quota_limit="ReadRequestsPerMinutePerProject"), **said)


def spent_the_old_way() -> Fault:
    body = {
        "error": {
            "code": 403,
            "message": "Rate Limit Exceeded",
            "errors": [{"domain": "usageLimits", "reason": "rateLimitExceeded"}],
        }
    }
    return 403, {}, json.dumps(body).encode()


def delayed(seconds: str) -> Fault:
    return told(429, "Slow down", {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": seconds})


def denied(permission: str = "", resource: str = "") -> Fault:
    if not permission:
        return told(403, "The caller does not have permission")
    what = f"Permission '{permission}' denied on resource '//{resource}' (or it may not exist)."
    return told(403, what, info("IAM_PERMISSION_DENIED", permission=permission, resource=resource))


def disabled(service: str = "iam.googleapis.com") -> Fault:
    what = f"{service} has not been used in project 1 before or it is disabled."
    return told(403, what, info("SERVICE_DISABLED", service=service, consumer="projects/1"))


def missing(what: str = "Requested entity was not found.") -> Fault:
    return told(404, what)


def rejected() -> Fault:
    return told(401, "Request had invalid authentication credentials.", info("ACCESS_TOKEN_EXPIRED"))


def html() -> Fault:
    """What a proxy says in Google's place."""
    return 200, {"Content-Type": "text/html"}, b"<html><title>Sign in</title></html>"


def cut() -> Fault:
    """The connection ends in the middle of the body."""
    return 200, {CUT: "off"}, b'{"accounts": [{"email": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}]}'


def answer(body: object) -> Fault:
    return 200, {}, body if isinstance(body, bytes) else json.dumps(body).encode()


def always(fault: Fault, part: str) -> Hook:
    """Answer every request whose path holds `part` so, and all others truly."""
    return lambda method, path, number: fault if part in path else None


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
