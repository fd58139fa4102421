"""Calls of Slack's Web API: one attempt each, at Slack's pace, every way to fail told as Undelivered.

The client's own retries are off. All of them, the default one for connection errors too: a post that timed out or lost its
connection may have been accepted, and chat.postMessage has no idempotency key, so a silent second attempt shows it twice.
Who retries looks first (https://docs.slack.dev/messaging/message-metadata). Slack takes about one message a second a channel
(https://docs.slack.dev/apis/web-api/rate-limits).
"""

from __future__ import annotations

import http.client
import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from monitor.alerts.escaping import words
from monitor.alerts.port import Undelivered

API = "https://slack.com/api/"
_SECOND = timedelta(seconds=1)
_LONGEST_WAIT = 3600.0
_WITHOUT_HINT = 30.0
_MENDING = 300.0

# https://docs.slack.dev/reference/methods/chat.postMessage#errors
_CHANNEL = {
    "channel_not_found": "the channel does not exist, or is private and the app is not in it; write another channel's id in "
    "the routes, or invite the app with /invite",
    "is_archived": "the channel is archived; unarchive it, or write another channel's id in the routes",
    "not_in_channel": "the app is not in the channel; invite it there with /invite",
    "restricted_action": "the workspace lets the app post nothing there; ask its administrator, or route elsewhere",
    "restricted_action_read_only_channel": "the channel is read-only; route elsewhere",
    "restricted_action_thread_only_channel": "the channel takes replies only; route elsewhere",
}
_ACCESS = {
    "invalid_auth": "the token is wrong; copy the bot token (xoxb-…) of the app again",
    "not_authed": "no token is given; give the bot token (xoxb-…) of the app",
    "account_inactive": "the app was removed from the workspace; install it again and give its new bot token",
    "token_revoked": "the token was revoked; install the app again and give its new bot token",
    "token_expired": "the token has expired; turn token rotation off for the app, or give a fresh token",
    "not_allowed_token_type": "the token is of another kind; give the bot token (xoxb-…)",
    "missing_scope": "the app lacks a scope; install it again from config/access/slack-app-manifest.yaml",
    "no_permission": "the app lacks a scope; install it again from config/access/slack-app-manifest.yaml",
    "access_denied": "the workspace refuses the app; ask its administrator",
    "team_access_not_granted": "the app is not granted this workspace; ask its administrator",
    "org_login_required": "the workspace is being migrated; try again once that is over",
    "ekm_access_denied": "the workspace's administrators have suspended posting",
    "enterprise_is_restricted": "the method may not be called from an Enterprise organisation; use a workspace's token",
}
REFUSED_BODY = frozenset(
    {"invalid_blocks", "invalid_blocks_format", "msg_too_long", "msg_blocks_too_long", "invalid_arguments", "no_text"}
)
"""Errors that say that Slack will never take this body, while it may take a plainer one."""


class SlackError(Undelivered):
    """Undelivered, with Slack's own word for why (`code`; empty where Slack said none)."""

    code = ""


class SlackCalls:
    """Calls with one token. Safe for several threads."""

    def __init__(
        self,
        token: str,
        *,
        base_url: str,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None],
        timeout: int = 15,
    ) -> None:
        quiet = logging.getLogger(
            "monitor.alerts.slack_sdk"
        )  # it would log bodies and tracebacks: errors are told as raised
        quiet.setLevel(logging.CRITICAL + 1)
        self._web = WebClient(token=token, base_url=base_url, timeout=timeout, retry_handlers=[], logger=quiet)
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next: dict[str, datetime] = {}
        self._barred: dict[str, datetime] = {}

    def call(self, method: str, *, paced: str = "", form: bool = False, **arguments: Any) -> dict[str, Any]:
        """Return Slack's answer to one call; arguments that are None are left out.

        `paced` names the channel whose turn is waited for. `form` sends a form, which methods that only read insist on.
        Raises SlackError: `retry_after` (seconds) where Slack said so, `permanent` where trying again cannot help.
        """
        self._heed(method)
        if paced:
            self._take_turn(paced)
        given = {name: value for name, value in arguments.items() if value is not None}
        try:
            answer = self._web.api_call(method, params=given) if form else self._web.api_call(method, json=given)
        except SlackApiError as error:
            raise self._told(method, error, str(arguments.get("channel", ""))) from error
        except (OSError, http.client.HTTPException, SlackClientError, ValueError, AttributeError) as error:
            # A URLError is an OSError. An answer that is no object of JSON ends as one of the last two.
            raise _error(f"Slack could not be reached for {method}: {type(error).__name__}") from error
        data = answer.data
        return data if isinstance(data, dict) else {}

    def scopes(self) -> frozenset[str]:
        """Return the scopes that the token has, as Slack says in its answer to auth.test. Raises SlackError."""
        self._heed("auth.test")
        try:
            answer = self._web.api_call("auth.test")
        except SlackApiError as error:
            raise self._told("auth.test", error, "") from error
        except (OSError, http.client.HTTPException, SlackClientError, ValueError, AttributeError) as error:
            raise _error(f"Slack could not be reached for auth.test: {type(error).__name__}") from error
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return frozenset(one.strip() for one in str(headers.get("x-oauth-scopes", "")).split(",") if one.strip())

    def _heed(self, method: str) -> None:
        """Raise while a 429 of this method lasts: asking again would only prolong it."""
        until = self._barred.get(method)
        left = (until - self._clock()).total_seconds() if until else 0.0
        if 0 < left <= _LONGEST_WAIT:  # a clock set back must not bar it for longer than any 429 does
            raise _error(f"Slack asked for a pause of {method}", retry_after=left, code="ratelimited")

    def _take_turn(self, channel: str) -> None:
        with self._lock:
            now = self._clock()
            turn = min(max(now, self._next.get(channel, now)), now + 60 * _SECOND)
            self._next[channel] = turn + _SECOND
        if turn > now:
            self._sleep((turn - now).total_seconds())

    def _told(self, method: str, error: SlackApiError, channel: str) -> SlackError:
        response = error.response
        status = getattr(response, "status_code", 0)
        data = response.data if isinstance(getattr(response, "data", None), dict) else {}
        code = str(data.get("error", ""))
        if status == 429 or code in ("ratelimited", "rate_limited"):
            pause = _seconds(getattr(response, "headers", {}))
            self._barred[method] = self._clock() + timedelta(seconds=pause)
            return _error(f"Slack asks to slow down with {method}", retry_after=pause, code="ratelimited")
        if status >= 500 or not data or " " in code:
            return _error(f"Slack answered {method} with status {status}")
        if todo := _CHANNEL.get(code, ""):
            return _error(f"Slack refuses channel {words(channel, 40)}: {code}", todo, permanent=True, code=code)
        if todo := _ACCESS.get(code, ""):
            needed = words(str(data.get("needed", "")), 80)
            what = f"Slack refuses {method}: {code}" + (f" ({needed})" if needed else "")
            # An operator can mend it, and nothing is lost until then. Asking every second would not help.
            return _error(what, todo, retry_after=_MENDING, code=code)
        what = f"Slack refuses {method}: {words(code, 80)}{_detail(data)}"
        return _error(what, permanent=code in REFUSED_BODY, code=code)


def _detail(data: Mapping[str, Any]) -> str:
    metadata = data.get("response_metadata")
    messages = metadata.get("messages") if isinstance(metadata, dict) else None
    return f" ({words(str(messages[0]), 160)})" if isinstance(messages, list) and messages else ""


def _seconds(headers: Mapping[str, Any]) -> float:
    """Return how long a 429 asks to wait, in seconds; half a minute where it does not say."""
    said = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    try:
        asked = float(said[0] if isinstance(said, list) else said)
    except (ValueError, TypeError, IndexError):
        return _WITHOUT_HINT
    return min(max(asked, 1.0), _LONGEST_WAIT) if asked == asked else _WITHOUT_HINT


def _error(
    what: str, todo: str = "", *, retry_after: float | None = None, permanent: bool = False, code: str = ""
) -> SlackError:
    error = SlackError(what, todo=todo, retry_after=retry_after, permanent=permanent)
    error.code = code
    return error
