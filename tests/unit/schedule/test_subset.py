"""A schedule of some sources: which checks it judges, and what it may not take from the others."""

from __future__ import annotations

import pytest

from monitor.errors import ConfigError
from monitor.sources.aws.iam import IamSource
from monitor.sources.aws.trail_logs import TrailLogs
from monitor.sources.aws.trail_source import TrailSource
from monitor.sources.gcp.iam import GcpIamSource
from monitor.sources.github.source import GitHubSource
from monitor.sweep import registry
from monitor.sweep.subset import givers, subset

SOURCES = (TrailLogs, TrailSource, IamSource, GcpIamSource, GitHubSource)
"""Classes do for sources: only what they declare is asked."""
CHECKS = registry.discover()


def judged(*names: str, sources: tuple[type, ...] = SOURCES) -> set[str]:
    return {check.id for check in subset(sources, CHECKS, names)[1]}  # type: ignore[arg-type]


def test_without_names_all_is_read_and_judged() -> None:
    assert subset(SOURCES, CHECKS, ()) == (SOURCES, CHECKS)  # type: ignore[arg-type]


def test_the_audit_log_goes_with_the_settings_of_its_trails() -> None:
    found = judged("aws.logs", "aws.trail-settings")
    assert {"audit-log-integrity", "direct-production-change", "pipeline-session-proof"} == found


def test_what_is_read_once_may_not_be_read_without_all_that_judges_it() -> None:
    with pytest.raises(ConfigError, match="audit-log-integrity would not judge it") as raised:
        judged("aws.logs")
    assert "add aws.trail-settings" in raised.value.todo


def test_a_check_that_needs_a_source_too_that_is_not_read_is_left_out() -> None:
    assert "deploy-trust" not in judged("aws.iam", "gcp.iam")
    assert "deploy-privilege" in judged("aws.iam", "gcp.iam")
    assert {"deploy-trust", "deploy-credentials", "branch-protection"} <= judged("aws.iam", "gcp.iam", "github")


def test_a_source_that_is_not_configured_is_not_waited_for() -> None:
    without = (TrailLogs, TrailSource, IamSource, GitHubSource)
    assert "deploy-privilege" in judged("aws.iam", sources=without)


def test_a_name_that_is_no_sources_is_told_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no source is called aws\.trail") as raised:
        judged("aws.trail")
    assert "aws.trail-settings" in raised.value.todo


def test_sources_with_which_nothing_can_be_judged_are_refused() -> None:
    with pytest.raises(ConfigError, match="no check can be judged"):
        judged("aws.trail-settings")


def test_every_check_that_judges_the_world_gets_its_facts_from_a_declared_source() -> None:
    governing = {check.id for check in CHECKS if not givers(check, SOURCES)}  # type: ignore[arg-type]
    assert all("monitor.facts.governance" in {fact.__module__ for fact in c.facts} for c in CHECKS if c.id in governing)
