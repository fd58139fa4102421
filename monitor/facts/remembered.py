"""What a source remembers from sweep to sweep: a state that was seen, an event that was read."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a later sweep will ask for: of which kind, about what, when (UTC), and its JSON.

    (`kind`, `id`) is unique: what is met again is kept once. `subject` is what it is about, as `github:repository:1042`.
    """

    kind: str
    id: str
    subject: str
    at: datetime
    body: msgspec.Raw
