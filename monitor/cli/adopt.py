"""`monitor adopt`: expected state from what is there today, for review."""

from __future__ import annotations

import sys
from datetime import UTC
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli import exits
from monitor.cli.options import ConfigDir, configuration
from monitor.cli.show import complain


def adopt(
    repositories: Annotated[bool, typer.Option("--repositories", help="The protection of branches on GitHub.")] = False,
    identities: Annotated[
        bool, typer.Option("--identities", help="The identities that a pipeline can become, in AWS and Google Cloud.")
    ] = False,
    config: ConfigDir = Path("config"),
) -> None:
    """Write expected state from what is there today, as YAML on standard output, for review.

    Of repositories: the strictest rule that holds for all; what falls short of it is listed in comments. Of identities: who may
    become each, and what it can do that needs a reason. Nothing is stored.

    Example: monitor adopt --repositories > adopted.yaml
    """
    from monitor.errors import ConfigError

    if repositories == identities:
        raise ConfigError("say what to adopt", todo="give --repositories or --identities, one of the two")
    if identities:
        _identities(config)
    else:
        _repositories(config)


def _repositories(config: Path) -> None:
    from monitor.cli.clock import now
    from monitor.cli.compose_github import github_source
    from monitor.cli.sweep import progress_bar
    from monitor.errors import ConfigError
    from monitor.expected.models import RepositoryExpectation
    from monitor.model import CoverageStatus
    from monitor.sources.github.repositories import read
    from monitor.sources.ports import Request
    from monitor.sweep.adopt import adopt as adopted
    from monitor.sweep.adopt import written

    loaded = configuration(config)
    estate = loaded.expected.sections.production.github
    if loaded.settings.github is None or estate is None:
        raise ConfigError(
            "GitHub is not watched", todo="write `github` in monitor.yaml and `production.github` in expected state"
        )
    source = github_source(loaded, loaded.settings.github, estate, None)
    at = now().astimezone(UTC)
    incomplete = False
    for organisation in estate.organizations:
        # Everything is expected of every environment, so that each is read.
        every = RepositoryExpectation.model_validate(
            {
                "match": [f"{organisation}/*"],
                "branches": [{"match": ["~DEFAULT_BRANCH"]}],
                "environments": [{"match": ["*"]}],
            }
        )
        with source.client(organisation, Request(sweep="adopt", at=at)) as forge, progress_bar() as progress:
            found = read(forge, organisation, (every,), at, loaded.settings.github.concurrency, progress)
        for gap in found.coverage:
            if gap.status is not CoverageStatus.COMPLETE:
                incomplete = True
                complain(
                    f"{gap.scope}: {gap.status.value}: {gap.reason}" + (f"; grant {gap.grant}" if gap.grant else "")
                )
        sys.stdout.write(written(adopted(organisation, found.repositories)))
    raise typer.Exit(exits.INCOMPLETE if incomplete else exits.CLEAN)


def _identities(config: Path) -> None:
    from monitor.cli.clock import now
    from monitor.cli.compose import catalogues
    from monitor.cli.compose_identities import identity_sources
    from monitor.cli.sweep import progress_bar
    from monitor.errors import ConfigError
    from monitor.facts.identity import Identity
    from monitor.iam.analysis import analyse
    from monitor.model import CoverageStatus
    from monitor.sources.forgetful import Forgetful
    from monitor.sources.ports import Request
    from monitor.sweep.adopt_identities import adopt as adopted
    from monitor.sweep.adopt_identities import written

    loaded = configuration(config)
    sources = identity_sources(loaded, None)
    if not sources:
        raise ConfigError(
            "no cloud is watched", todo="write `aws` or `gcp` in monitor.yaml and in `production` of expected state"
        )
    found: list[Identity] = []
    incomplete = False
    for source in sources:
        with progress_bar() as progress:
            collected = source.collect(Request(sweep="adopt", at=now().astimezone(UTC)), Forgetful(), progress)
        found += [fact for fact in collected.facts if isinstance(fact, Identity)]
        for gap in collected.coverage:
            if gap.status is not CoverageStatus.COMPLETE:
                incomplete = True
                complain(
                    f"{gap.scope}: {gap.status.value}: {gap.reason}" + (f"; grant {gap.grant}" if gap.grant else "")
                )
    sys.stdout.write(written(adopted(analyse(found, catalogues()))))
    raise typer.Exit(exits.INCOMPLETE if incomplete else exits.CLEAN)
