"""All sections of expected state in one place: what checks import, and what a file of `config/expected/` may hold."""

from __future__ import annotations

from pydantic import Field

from monitor.expected.audit_logs import AuditLogs, AwsAuditLogs, ExpectedTrail
from monitor.expected.changes import EmergencyChange, StandardChange
from monitor.expected.identities import (
    Allowance,
    BreakGlass,
    DeployIdentity,
    IdentityRules,
    SessionProof,
    TokenProof,
    TrustedService,
)
from monitor.expected.production import AwsAccount, AwsEstate, GcpEstate, GcpProject, GitHubEstate, Production
from monitor.expected.repositories import (
    AllowedBypass,
    BranchExpectation,
    EnvironmentExpectation,
    RepositoryExpectation,
    RequiredCheck,
    branch_expectation,
    environment_expectation,
)
from monitor.model import Expectation

__all__ = [
    "Allowance",
    "AllowedBypass",
    "AuditLogs",
    "AwsAccount",
    "AwsAuditLogs",
    "AwsEstate",
    "BranchExpectation",
    "BreakGlass",
    "DeployIdentity",
    "EmergencyChange",
    "EnvironmentExpectation",
    "ExpectedTrail",
    "GcpEstate",
    "GcpProject",
    "GitHubEstate",
    "IdentityRules",
    "Production",
    "RepositoryExpectation",
    "RequiredCheck",
    "Sections",
    "SessionProof",
    "StandardChange",
    "TokenProof",
    "TrustedService",
    "branch_expectation",
    "environment_expectation",
]


class Sections(Expectation):
    """Expected state: what production is, and who may change it how. Sections may be spread over several files."""

    production: Production = Field(
        default=Production(), description="The accounts where every write must be accounted for"
    )
    deploy_identities: tuple[DeployIdentity, ...] = Field(
        default=(), description="Identities that the pipeline uses, with what proves that it was the pipeline"
    )
    identities: IdentityRules = Field(
        default=IdentityRules(), description="What holds for every identity: ages, and whom to trust"
    )
    trusted_services: tuple[TrustedService, ...] = Field(
        default=(), description="Machines whose writes are part of their work and no changes"
    )
    break_glass: tuple[BreakGlass, ...] = Field(default=(), description="Identities of the emergency path")
    emergency_changes: tuple[EmergencyChange, ...] = Field(
        default=(), description="Declared emergencies, during which break-glass identities may write"
    )
    standard_changes: tuple[StandardChange, ...] = Field(
        default=(), description="The catalogue of pre-approved, low-risk, repeatable changes"
    )
    audit_logs: AuditLogs = Field(default=AuditLogs(), description="Audit logs that must be on, and for how long kept")
    repositories: tuple[RepositoryExpectation, ...] = Field(
        default=(), description="How branches and environments must be protected; later entries override by field"
    )
