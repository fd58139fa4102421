"""Where the GitHub source is made: credentials from the environment, the clock that its limits run by, the spool."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from pydantic import ValidationError

from monitor.cli.clock import now
from monitor.cli.show import complain
from monitor.decode.github_trust import repositories_of
from monitor.errors import ConfigError
from monitor.expected.models import GitHubEstate, RepositoryExpectation, TokenProof
from monitor.settings import GITHUB_APP_KEY, GITHUB_TOKEN, Config
from monitor.settings.sections import GitHubSettings
from monitor.sources.github.client import GitHub, GitHubConnection, connect
from monitor.sources.github.source import GitHubSource, Watch
from monitor.sources.ports import Request
from monitor.sources.replay import read as read_captures


def github_source(config: Config, settings: GitHubSettings, estate: GitHubEstate, replay: Path | None) -> GitHubSource:
    """Return the source that reads GitHub; nothing is asked yet. Raises ConfigError for credentials that are missing."""
    folder = replay / "github" if replay else settings.replay
    captures = read_captures(folder) if folder else None
    connection = GitHubConnection(api=settings.api) if captures is not None else connection_of(settings)
    spools = config.settings.state / "spool"

    def client(organisation: str, request: Request) -> GitHub:
        return connect(
            connection,
            organisation,
            clock=now,
            sleep=time.sleep,
            told=complain,
            replay=captures,
            spool=spools / f"github-{organisation}" if captures is None else None,
        )

    watch = Watch(
        organisations=estate.organizations,
        entries=(*config.expected.sections.repositories, *_trusted_places(config)),
        start=settings.start,
        until=settings.end,
        settle=timedelta(minutes=settings.settle_minutes),
        workers=settings.concurrency,
        replayed=captures is not None,
        trusted=repositories_of(subjects_of(config)),
    )
    return GitHubSource(watch, client)


def subjects_of(config: Config) -> list[str]:
    """Return the subjects of tokens that deploy identities are declared with."""
    sections = config.expected.sections
    proofs = [one.proof for one in sections.deploy_identities] if sections.identities.watched else []
    return [subject for proof in proofs if isinstance(proof, TokenProof) for subject in proof.subjects]


def _trusted_places(config: Config) -> Iterator[RepositoryExpectation]:
    """Yield entries that expect nothing, but let the environments be read that declared proofs name."""
    for subject in subjects_of(config):
        _, found, environment = subject.partition(":environment:")
        for name in repositories_of([subject]) if found and environment else ():
            entry = {"match": [name], "environments": [{"match": [environment.partition(":")[0]]}]}
            with contextlib.suppress(ValidationError):  # a pattern that expected state has no words for
                yield RepositoryExpectation.model_validate(entry)


def connection_of(settings: GitHubSettings) -> GitHubConnection:
    """Return how GitHub is reached. Raises ConfigError if neither an app's key nor a token is given, or both are."""
    token = os.environ.get(GITHUB_TOKEN, "").strip()
    key = os.environ.get(GITHUB_APP_KEY, "").encode()
    if settings.app_key is not None:
        try:
            key = settings.app_key.read_bytes()
        except OSError as refused:
            raise ConfigError(
                f"the app's private key cannot be read: {settings.app_key}: {refused.strerror}",
                todo="name the PEM file in github.app_key, and let this user read it",
            ) from None
    if settings.app_id and not key:
        raise ConfigError(
            "github.app_id is given without the app's private key",
            todo=f"name its file in github.app_key, or give the key itself in {GITHUB_APP_KEY}",
        )
    if settings.app_id and token:
        raise ConfigError(f"both github.app_id and {GITHUB_TOKEN} are given", todo="give one of the two")
    if not settings.app_id and not token:
        raise ConfigError(
            "GitHub is to be read, but there is no credential",
            todo=f"set github.app_id with its key (recommended), or a token in {GITHUB_TOKEN}; config/access/README.md "
            "says what to grant",
        )
    return GitHubConnection(
        api=settings.api,
        token=token,
        app_id=settings.app_id or 0,
        app_key=key if settings.app_id else b"",
        patience=settings.patience_minutes * 60,
    )
