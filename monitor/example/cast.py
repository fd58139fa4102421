"""The example organisation: its accounts, roles and people, and the expected state that matches them. All of it is made up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

PAYMENTS = "111122223333"
DATA = "444455556666"
TOOLING = "777788889999"
PRODUCTION = (PAYMENTS, DATA)
EAST, WEST = "us-east-1", "eu-west-1"

ORGANISATION = "o-exampleorgid"
BUCKET = "example-org-trail"
TRAIL = "org-trail"
MONTH_START = datetime(2026, 3, 1, tzinfo=UTC)
MONTH_END = datetime(2026, 4, 1, tzinfo=UTC)

ISSUER = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"
PAYMENTS_SUBJECT = "repo:example-org/payments:environment:production"
DATA_SUBJECT = "repo:example-org/data-platform:ref:refs/heads/main"
PULL_REQUEST_SUBJECT = "repo:example-org/payments:pull_request"


@dataclass(frozen=True)
class Chain:
    """One account and region: its log objects and its digests. `offset` is when in the hour its digests end (seconds)."""

    account: str
    region: str
    share: float
    offset: int


CHAINS = (
    Chain(PAYMENTS, EAST, 0.30, 13 * 60 + 52),
    Chain(PAYMENTS, WEST, 0.10, 41 * 60 + 7),
    Chain(DATA, EAST, 0.20, 27 * 60 + 30),
    Chain(TOOLING, EAST, 0.40, 5 * 60 + 19),
)


@dataclass(frozen=True)
class Person:
    """Someone fictional, who signs in through single sign-on."""

    name: str
    mail: str
    address: str


PEOPLE = (
    Person("Ada Ruiz", "ada.ruiz@example.org", "198.51.100.23"),
    Person("Ben Osei", "ben.osei@example.org", "198.51.100.57"),
    Person("Chen Li", "chen.li@example.org", "203.0.113.18"),
    Person("Dora Novak", "dora.novak@example.org", "203.0.113.77"),
    Person("Emil Haug", "emil.haug@example.org", "198.51.100.140"),
    Person("Maria Santos", "maria.santos@example.org", "203.0.113.201"),
)
ADA, BEN, CHEN, DORA, EMIL, MARIA = PEOPLE

SSO_PATH = "/aws-reserved/sso.amazonaws.com/"
SSO_POWER = "AWSReservedSSO_PowerUser_0f1e2d3c4b5a6978"
SSO_READER = "AWSReservedSSO_ReadOnly_8897a6b5c4d3e2f1"
SSO_ADMIN = "AWSReservedSSO_Administrator_1a2b3c4d5e6f7089"

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/134.0.0.0 Safari/537.36"
TERRAFORM = (
    "APN/1.0 HashiCorp/1.0 Terraform/1.11.2 (+https://www.terraform.io) terraform-provider-aws/5.91.0 "
    "(+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.36.3 ua/2.1 os/linux lang/go#1.23.7 md/GOARCH#amd64 "
    "api/ecs#1.54.2"
)
CLI = "aws-cli/2.24.20 md/awscrt#0.23.8 ua/2.1 os/linux#6.8.0-1021 md/arch#x86_64 lang/python#3.12.9 md/pyimpl#CPython cfg/retry-mode#standard"
SDK = "Boto3/1.37.12 md/Botocore#1.37.12 ua/2.1 os/linux#6.1.129-138.220.amzn2023.x86_64 md/arch#x86_64 lang/python#3.12.9 md/pyimpl#CPython Botocore/1.37.12"
AGENT = "aws-sdk-go/1.55.5 (go1.23.6; linux; amd64) amazon-ssm-agent/3.3.1957.0"


def role_arn(account: str, role: str, path: str = "/") -> str:
    """Return the ARN of an IAM role; `path` begins and ends with a slash."""
    return f"arn:aws:iam::{account}:role{path}{role}"


def expected_state() -> dict[str, Any]:
    """Return the sections of expected state that the example's truth is told against, as `config/expected/` spells them."""
    token = {"issuer": ISSUER, "audience": AUDIENCE}
    codebuild = f"arn:aws:sts::{PAYMENTS}:assumed-role/codebuild-release/AWSCodeBuild-*"
    return {
        "production": {
            "aws": {
                "organization": ORGANISATION,
                "accounts": [
                    {"id": PAYMENTS, "name": "payments-prod", "regions": [EAST, WEST]},
                    {"id": DATA, "name": "data-prod", "regions": [EAST]},
                ],
                "watched": [{"id": TOOLING, "name": "tooling", "regions": [EAST]}],
            }
        },
        "deploy_identities": [
            {
                "id": "payments-deploy",
                "principals": [role_arn(PAYMENTS, "payments-deploy")],
                "proof": {"token": {**token, "subjects": [PAYMENTS_SUBJECT]}},
            },
            {
                "id": "data-deploy",
                "principals": [role_arn(DATA, "data-deploy")],
                "proof": {"token": {**token, "subjects": [DATA_SUBJECT]}},
            },
            {
                "id": "legacy-build",
                "principals": [role_arn(PAYMENTS, "codebuild-release")],
                "proof": {"session": {"pattern": codebuild, "assumed_by": ["codebuild.amazonaws.com"]}},
            },
        ],
        "trusted_services": [
            {
                "id": "log-forwarder",
                "principals": [role_arn(PAYMENTS, "log-forwarder")],
                "actions": ["logs:CreateLogStream"],
                "reason": "Ships application logs; opens one stream an hour",
            }
        ],
        "break_glass": [
            {
                "id": "platform-oncall",
                "principals": [role_arn(PAYMENTS, "BreakGlass")],
                "reason": "On-call repairs when the pipeline itself is down",
            }
        ],
        "emergency_changes": [
            {
                "id": "EC-2026-014",
                "ticket": "OPS-4711",
                "approver": "release-manager",
                "identities": ["platform-oncall"],
                "from": datetime(2026, 3, 14, 1, tzinfo=UTC),
                "to": datetime(2026, 3, 14, 4, tzinfo=UTC),
                "reason": "Payments failed after the connection pool of the ledger database was exhausted",
            }
        ],
        "standard_changes": [
            {
                "id": "restart-worker",
                "actions": ["ecs:UpdateService"],
                "principals": [role_arn(PAYMENTS, "operator")],
                "runbook": "https://runbooks.example.com/restart-worker",
                "approved_by": "change-advisory-board",
                "review_by": "2026-12-31",
            },
            {
                "id": "rotate-cache",
                "actions": ["elasticache:RebootCacheCluster"],
                "principals": [role_arn(PAYMENTS, "operator")],
                "runbook": "https://runbooks.example.com/rotate-cache",
                "approved_by": "change-advisory-board",
                "review_by": "2026-01-31",
            },
        ],
        "audit_logs": {
            "aws": {"retention_days": 365, "trails": [{"name": TRAIL, "account": TOOLING, "bucket": BUCKET}]},
        },
    }
