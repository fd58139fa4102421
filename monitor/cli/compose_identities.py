"""Where the sources of identities are made, from the configuration."""

from __future__ import annotations

import time
from pathlib import Path

from monitor.expected.models import Sections
from monitor.facts.identity import Identity
from monitor.facts.pipeline import trusted
from monitor.settings import Config
from monitor.sources.aws.iam import IamSource
from monitor.sources.aws.session import LiveClients, ReplayClients
from monitor.sources.ports import Source
from monitor.sources.replay import read as read_captures


def identity_sources(config: Config, replay: Path | None) -> list[Source]:
    """Return the sources that read identities. With `replay`, they read captured material in that folder."""
    production = config.expected.sections.production
    found: list[Source] = []
    if not config.expected.sections.identities.watched:
        return found
    if config.settings.aws is not None and production.aws is not None:
        where = config.settings.aws.trail_settings
        captured = replay / "api" if replay else where.replay if where else None
        stored = read_captures(captured) if captured else []
        clients = ReplayClients(stored) if captured else LiveClients(where.role if where else None)
        as_of = max((one.at for one in stored if one.name.startswith("iam:")), default=None)
        days = config.expected.sections.identities.unused_after_days
        wanted = Wanted(config.expected.sections)
        # What was captured does not become ready by waiting.
        sleep = _at_once if captured else time.sleep
        found.append(IamSource(production.aws, clients, usage_days=days, wanted=wanted, sleep=sleep, as_of=as_of))
    if config.settings.gcp is not None and production.gcp is not None:
        from monitor.cli.compose_gcp import gcp_source

        found.append(gcp_source(config.settings.gcp, production.gcp, replay))
    return found


def _at_once(seconds: float) -> None:
    """Do not wait."""


class Wanted:
    """Tells of which identities the use is asked: those that the pipeline uses."""

    def __init__(self, sections: Sections) -> None:
        self._declared = sections.deploy_identities

    def __call__(self, identity: Identity) -> bool:
        """Return whether it is declared, or a token of a pipeline can become it directly."""
        return any(one.matches((identity.name,)) for one in self._declared) or trusted(identity)
