"""A Slack workspace that tests change under the monitor's hands."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

TOKEN = "xoxb-1-fake"
APP_TOKEN = "xapp-1-fake"
BOT = "B0000000001"
SCOPES = ("chat:write", "channels:history", "groups:history", "channels:read", "groups:read", "users:read.email")


@dataclass
class Channel:
    id: str
    name: str
    archived: bool = False
    member: bool = True
    messages: list[dict[str, Any]] = field(default_factory=list)

    def heads(self) -> list[dict[str, Any]]:
        return [one for one in self.messages if one.get("thread_ts", one["ts"]) == one["ts"]]

    def replies(self, ts: str) -> list[dict[str, Any]]:
        return [one for one in self.messages if one.get("thread_ts") == ts and one["ts"] != ts]

    def message(self, ts: str) -> dict[str, Any] | None:
        return next((one for one in self.messages if one["ts"] == ts), None)


@dataclass
class World:
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    channels: dict[str, Channel] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)
    scopes: tuple[str, ...] = SCOPES
    token: str = TOKEN
    ephemeral: list[dict[str, Any]] = field(default_factory=list)
    views: list[dict[str, Any]] = field(default_factory=list)
    paced: bool = False
    """Whether a second message to a channel within a second of the world's clock is answered with 429."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    _count: int = 0

    def channel(self, id: str, name: str = "alerts", **more: Any) -> Channel:
        self.channels[id] = Channel(id, name, **more)
        return self.channels[id]

    def ts(self) -> str:
        """Return the next timestamp: no two are the same, and they grow."""
        self._count += 1
        return f"{int(self.clock().timestamp())}.{self._count:06d}"

    def say(self, channel: str, text: str, thread: str | None = None, **more: Any) -> dict[str, Any]:
        """Let somebody else say something."""
        with self.lock:
            message = {"type": "message", "user": "U0000000099", "text": text, "ts": self.ts(), **more}
            if thread:
                message["thread_ts"] = thread
            self.channels[channel].messages.append(message)
            return message
