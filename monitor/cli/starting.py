"""The files of a new configuration, as text. Pure: what depends on the day or on a person comes in.

Each line that must be made one's own ends in `# change me`. What is written is valid as it stands, so that
`monitor config check` finds mistakes of the person who edits, never ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

CHANGE = "# change me"
ACCOUNT, BUCKET, TRAIL = "111122223333", "change-me-trail-logs", "change-me-trail"
ROLE = "monitor-read"
_LOOK_BACK = timedelta(days=7)
_HISTORY = timedelta(days=30)


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What a person said of their organisation; empty where they did not. `at` is the clock, UTC."""

    at: datetime
    organisation: str = ""
    accounts: tuple[str, ...] = ()
    bucket: str = ""
    github: str = ""
    project: str = ""
    aws_wanted: bool = False
    github_wanted: bool = False

    @property
    def aws(self) -> bool:
        """Return whether AWS is to be read."""
        return bool(self.accounts) or self.aws_wanted

    @property
    def forge(self) -> bool:
        """Return whether GitHub is to be read."""
        return bool(self.github) or self.github_wanted


def files(answers: Answers) -> dict[str, str]:
    """Return the text of each file that depends on the answers, by its path in the configuration's folder."""
    found = {
        "monitor.yaml": _settings(answers),
        "waivers.yaml": _WAIVERS,
        "expected/production.yaml": _production(answers),
        "expected/identities.yaml": _IDENTITIES,
        "expected/changes.yaml": _CHANGES,
    }
    if answers.aws:
        found["expected/audit-logs.yaml"] = _audit_logs(answers)
    if answers.forge:
        found["expected/repositories.yaml"] = _repositories(answers)
    return found


def policy(text: str, answers: Answers) -> str:
    """Return the read-only policy of AWS made out to these accounts and this bucket."""
    document: dict[str, Any] = json.loads(text)
    accounts = answers.accounts or (ACCOUNT,)
    for statement in document["Statement"]:
        if statement["Sid"] == "TakeReadingRole":
            statement["Resource"] = [f"arn:aws:iam::{account}:role/{ROLE}" for account in accounts]
        elif statement["Sid"] == "DecryptLogObjects":
            statement["Resource"] = f"arn:aws:kms:us-east-1:{accounts[0]}:key/*"
        else:
            # Objects lie below the prefix; everything else is of the bucket as a whole.
            place = answers.bucket if statement["Sid"] == "ReadLogObjects" else _bucket(answers)
            statement["Resource"] = statement["Resource"].replace("example-org-trail", place or BUCKET)
    return json.dumps(document, indent=2) + "\n"


def marked(texts: Mapping[str, str]) -> list[str]:
    """Return `file:line` of each line that is still to be made one's own, in order."""
    return [
        f"{name}:{number}"
        for name in sorted(texts)
        for number, line in enumerate(texts[name].splitlines(), 1)
        if line.rstrip().endswith(CHANGE)
    ]


def _bucket(answers: Answers) -> str:
    """Return the bucket without its prefix; empty if nothing was said."""
    return answers.bucket.partition("/")[0]


def _told(value: str, instead: str) -> str:
    """Return a value as YAML, marked if it is only a placeholder."""
    return json.dumps(value) if value else f"{json.dumps(instead)}  {CHANGE}"


def _settings(answers: Answers) -> str:
    parts = [_HEAD.format(organisation=_told(answers.organisation or answers.github, "Your organisation"))]
    if answers.aws:
        location = _told(f"s3://{answers.bucket}" if answers.bucket else "", f"s3://{BUCKET}")
        parts.append(_AWS.format(location=location, role=ROLE, start=_day(answers.at - _LOOK_BACK)))
    if answers.forge:
        parts.append(_GITHUB.format(start=_day(answers.at - _HISTORY)))
    if answers.project:
        parts.append(_GCP.format(start=_day(answers.at - _LOOK_BACK)))
    return "\n".join((*parts, _TAIL))


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}T00:00:00Z"


def _production(answers: Answers) -> str:
    lines = [_PRODUCTION]
    if answers.aws:
        lines.append(_ESTATE)
        for number, account in enumerate(answers.accounts or ("",), 1):
            name = f"production {number}" if len(answers.accounts) > 1 else "production"
            lines.append(f"      - id: {_told(account, ACCOUNT)}\n")
            lines.append(f"        name: {name}  {CHANGE}\n        regions: [us-east-1]  {CHANGE}\n")
        lines.append(_WATCHED)
    if answers.forge:
        lines.append(_FORGE.format(github=_told(answers.github, "change-me")))
    if answers.project:
        lines.append(_PROJECTS.format(project=json.dumps(answers.project)))
    return "".join(lines)


def _audit_logs(answers: Answers) -> str:
    account = answers.accounts[0] if len(answers.accounts) == 1 else ""
    owner = _told(account, answers.accounts[0] if answers.accounts else ACCOUNT)
    return _AUDIT_LOGS.format(trail=TRAIL, account=owner, bucket=_told(_bucket(answers), BUCKET), change=CHANGE)


def _repositories(answers: Answers) -> str:
    pattern = json.dumps(f"{answers.github or 'change-me'}/*")
    return _REPOSITORIES.format(match=f"[{pattern}]" + ("" if answers.github else f"  {CHANGE}"))


_HEAD = """\
# yaml-language-server: $schema=schema/settings.json
#
# Settings. Relative paths are relative to this folder; {{state}} stands for the state folder below.
# Lines that end in "# change me" are placeholders: valid, but not yours. Check with `monitor config check`.

organisation: {organisation}

# Database, keys, evidence and retained events. Keep it out of version control and in your backups (docs/backup.md).
state: var

# For several processes or machines: postgresql://user@host/database, best in MONITOR_DATABASE of the environment.
database: sqlite:///{{state}}/monitor.db

evidence:
  # The evidence log's name, for ever: it is part of every signature. A host that you own, and a path.
  origin: evidence.change-me.example/controls  # change me
"""
_AWS = """\
aws:
  trail_logs:
    # What holds AWSLogs/: the bucket and prefix of your trail.
    location: {location}
  # The role that is taken in each account to read settings. Make it with access/aws-read-only-policy.json. With one account
  # and its own credentials, take these two lines out.
  trail_settings:
    role: {role}
  # Where the first sweep begins. A week is read in minutes; go further back when it has worked.
  start: {start}
"""
_GITHUB = """\
github:
  # https://HOST/api/v3 for GitHub Enterprise Server.
  api: https://api.github.com
  # Best: a GitHub App made from access/github-app-manifest.json. Write its id and its private key here:
  #   app_id: 123456
  #   app_key: "{{state}}/keys/github-app.pem"
  # Without them, a token is taken from MONITOR_GITHUB_TOKEN of the environment.
  # From when the history of protection is read at first. GitHub keeps its audit log for 180 days.
  start: {start}
"""
_GCP = """\
# The credentials of the environment are used, or a file, and with `impersonate` a service account of its own:
#   credentials: /etc/monitor/google.json
#   impersonate: monitor@your-project.iam.gserviceaccount.com
gcp:
  concurrency: 4
  logs:
    # Cloud Logging is asked. For many entries, let a sink of the organisation fill a bucket, and read that:
    #   location: gs://your-audit-bucket
    # Where the first sweep begins. A week is read in minutes; go further back when it has worked.
    start: {start}
"""
_TAIL = """\
# When `monitor schedule` sweeps (UTC), and where it answers /healthz, /readyz and /metrics:
#   schedules:
#     sweeps:
#       - {name: nightly, cron: "0 2 * * *"}
#     listen: 127.0.0.1:9464

# Processes that read logs. 0 is one a core.
workers: 0
"""
_WAIVERS = """\
# yaml-language-server: $schema=schema/waivers.json
#
# Approved exceptions. Each names what it covers, why, the ticket, who asked, who approved (somebody else), and until when:
# without an end there is no waiver. git and its review are their approval.
waivers: []
"""
_PRODUCTION = """\
# yaml-language-server: $schema=../schema/expected.json
#
# What production is. Every successful write in `accounts` must be accounted for: by the pipeline, a declared emergency, a
# standard change, or a service.

production:
"""
_ESTATE = """\
  aws:
    # Only when one trail covers the whole organisation: its logs then lie under AWSLogs/o-…/ACCOUNT/.
    #   organization: o-yourorgid1
    # Account numbers in quotes. IAM and other global services are logged in us-east-1: keep it among the regions.
    accounts:
"""
_WATCHED = """\
    # Not production, but read as well: the account that owns the trail's bucket, those that the pipeline passes through.
    #   watched:
    #     - {id: "444455556666", name: tooling, regions: [us-east-1]}
"""
_FORGE = """\
  github:
    organizations:
      - {github}
"""
_PROJECTS = """\
  gcp:
    projects:
      - id: {project}
        name: production  # change me
        # Its number, from `gcloud projects describe`: number: "123456789012"
"""
_IDENTITIES = """\
# yaml-language-server: $schema=../schema/expected.json
#
# Who may write in production, and what proves it. `monitor adopt --identities` writes a first declaration from what is there;
# docs/expected-state.md takes you through it. An entry looks like this:
#
#   - id: payments-deploy
#     principals: ["arn:aws:iam::111122223333:role/payments-deploy"]
#     proof:
#       token:
#         issuer: token.actions.githubusercontent.com
#         subjects: ["repo:example-org/payments:environment:production"]
#         audience: sts.amazonaws.com
deploy_identities: []

identities:
  unused_after_days: 90
  key_max_days: 90

# Machines whose writes are part of their work.
trusted_services: []

# The documented emergency path. An identity counts only while an entry of emergency_changes covers the time.
break_glass: []
"""
_CHANGES = """\
# yaml-language-server: $schema=../schema/expected.json
#
# Changes that were declared in an emergency, and the catalogue of those approved beforehand.
emergency_changes: []
standard_changes: []
"""
_AUDIT_LOGS = """\
# yaml-language-server: $schema=../schema/expected.json
#
# The audit logs that must be on and whole; everything else that the monitor says rests on them.
audit_logs:
  aws:
    # Nothing may delete log objects earlier. A yearly audit looks back 12 months, and takes place after them.
    retention_days: 365
    trails:
      - name: {trail}  {change}
        account: {account}
        bucket: {bucket}
"""
_REPOSITORIES = """\
# yaml-language-server: $schema=../schema/expected.json
#
# How branches must be protected. `monitor adopt --repositories` writes what is there today; make it what it should be.
repositories:
  - match: {match}
    branches:
      - match: ["~DEFAULT_BRANCH"]
        pull_request: true
        approvals: 1
        block_force_push: true
        block_deletion: true
"""
