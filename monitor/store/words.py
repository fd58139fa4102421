"""The closed sets of words of the schedule and the outbox."""

from __future__ import annotations

from enum import StrEnum


class SlotState(StrEnum):
    """Where a slot stands. One without a row is owed; `failed` is owed again; `lost` can never be made up for."""

    CLAIMED = "claimed"
    DONE = "done"
    FAILED = "failed"
    LOST = "lost"


class MessageState(StrEnum):
    """Where a message stands. `sending` may or may not have arrived; `failed` is given up, and told."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    DROPPED = "dropped"
