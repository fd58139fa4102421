"""What Slack's buttons know and note of findings, over the store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from monitor.alerts.notes import FindingView
from monitor.store.acknowledging import Acknowledgements
from monitor.store.store import Store
from monitor.store.views import Finding


class PressedFindings:
    """The findings of a store. `view` gives a finding as a reader of an alert sees it. Raises LedgerError."""

    def __init__(self, store: Store, view: Callable[[Finding], FindingView]) -> None:
        self._store = store
        self._view = view
        self._acknowledgements = Acknowledgements(store)

    def finding(self, finding_id: str) -> FindingView | None:
        """Return a finding by its whole id, or None: what Slack sends is not trusted to name just one."""
        found = self._store.finding(finding_id)
        return self._view(found) if found is not None and found.id == finding_id else None

    def acknowledge(self, finding_id: str, user: str, at: datetime) -> None:
        """Note that a Slack user (id) has taken a finding up at a moment (UTC)."""
        self._acknowledgements.add(finding_id, f"slack:{user}", at)
