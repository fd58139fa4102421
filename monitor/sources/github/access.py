"""What a credential may see, as far as the forge tells."""

from __future__ import annotations

import msgspec

APP = "app"
CLASSIC = "classic-token"
TOKEN = "token"

_LEVELS = {"read": 1, "write": 2, "admin": 3}
_REPOSITORY_SCOPES = ("repo",)
# https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps
_SCOPES = {
    "metadata": (),
    "organization_administration": ("admin:org", "write:org", "read:org", "read:audit_log", "admin:enterprise"),
    "members": ("admin:org", "write:org", "read:org"),
}


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """Whose credential it is and what it may do; nothing in it is secret.

    `kind` is app, classic-token or token (fine-grained, or not known). `permissions` are those of an app's installation,
    None where the forge does not say. `scopes` are those of a classic token. `selected` tells that the app is installed on
    selected repositories only, so that the others cannot be seen.
    """

    kind: str
    permissions: dict[str, str] | None
    scopes: tuple[str, ...] = ()
    selected: bool = False
    login: str = ""

    def may(self, permission: str, level: str = "read") -> bool | None:
        """Return whether this permission of an app is held (`administration`, …) at this level; None where nobody can tell.

        A classic token never yields True: its scopes only bound what its owner may do. Without the scope it is False.
        https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps
        """
        if self.permissions is not None:
            held = _LEVELS.get(self.permissions.get(permission, ""), 0)
            if permission == "metadata":
                held = max(held, _LEVELS["read"])
            return held >= _LEVELS.get(level, len(_LEVELS) + 1)
        if self.kind == CLASSIC:
            enough = _SCOPES.get(permission, _REPOSITORY_SCOPES)
            # Of public repositories `public_repo` shows a part, which of them is not known here.
            if enough and not {*enough, "public_repo"} & set(self.scopes):
                return False
        return None
