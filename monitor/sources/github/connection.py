"""How GitHub is reached: an address, one of two kinds of credential, and how long to put up with it."""

from __future__ import annotations

from typing import Any

import msgspec


class GitHubConnection(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach GitHub: with a token, or as an app (its id and its private key in PEM).

    `patience`: seconds that may be waited for limits in all. `timeout`: seconds of silence. `attempts`: tries in all of what
    the network or the server failed at.
    """

    api: str = "https://api.github.com"
    token: str = ""
    app_id: int = 0
    app_key: bytes = b""
    patience: float = 3900.0
    timeout: float = 30.0
    attempts: int = 5

    def __repr__(self) -> str:
        """Return it without what is secret."""
        return f"GitHubConnection(app_id={self.app_id})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Return no more for a traceback either."""
        return [("app_id", self.app_id)]
