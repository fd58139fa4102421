"""`monitor doctor` against servers that let it see all, and then take one permission after the other away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from moto.iam.models import iam_backends
from moto.organizations.models import organizations_backends

from monitor.cli import doctor_parts, doctor_slack, init
from monitor.cli.blindness import Blindness
from monitor.cli.starting import Answers
from monitor.settings import load_config
from monitor.sources.probe import State, kept, skew
from monitor.sweep import registry
from tests.fakes.aws_gate import Aws, serving
from tests.fakes.gcp.faults import Fault
from tests.fakes.gcp.server import GcpFake
from tests.fakes.gcp.world import PROJECT
from tests.fakes.gcp.world import World as Cloud
from tests.fakes.github.server import GitHubFake
from tests.fakes.github.sweeping import app_key
from tests.fakes.github.world import World
from tests.fakes.terminal import monitor

ACCOUNT, BUCKET = "111122223333", "example-org-trail"
NOW = datetime.now(UTC).replace(microsecond=0)
GUIDE = (init.packaged() / "access/README.md").read_text()
POLICY = json.loads((init.packaged() / "access/aws-read-only-policy.json").read_text())
ACTIONS = sorted(
    action
    for one in POLICY["Statement"]
    for action in ([one["Action"]] if isinstance(one["Action"], str) else one["Action"])
)
MANIFEST = json.loads((init.packaged() / "access/github-app-manifest.json").read_text())
PERMISSIONS = sorted(f"{name}:{level}" for name, level in MANIFEST["default_permissions"].items())
ROLE = (init.packaged() / "access/gcp-read-only-role.yaml").read_text()
GOOGLE = sorted(line.strip("- ") for line in ROLE.partition("includedPermissions:")[2].split("\n") if line.strip())
SECRETS = ("example-secret-of-aws", "ghp_exampletokenclassic", "BEGIN RSA")


class Here:
    """A configuration of one's own, made by `monitor init`, and what `monitor doctor` says of it."""

    def __init__(self, folder: Path, **answers: Any) -> None:
        self.folder = folder / "config"
        init.write(self.folder, Answers(at=NOW, **answers), force=False)
        for path in self.folder.rglob("*.yaml"):
            path.write_text(path.read_text().replace("  # change me", ""))

    def edit(self, old: str, new: str, file: str = "monitor.yaml") -> None:
        path = self.folder / file
        assert path.read_text().count(old) == 1, (file, old)
        path.write_text(path.read_text().replace(old, new))

    def __call__(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        ran = monitor("doctor", "--config", str(self.folder), "--format", "json", *arguments)
        assert ran.code in (0, 3), ran
        assert not any(secret in ran.text + ran.errors for secret in SECRETS)
        return ran.code, ran.json

    def asked(self) -> dict[str, dict[str, Any]]:
        return {one["asked"]: one for one in self()[1]["asked"]}


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with serving() as server:
        s3, trail = server.client("s3", ACCOUNT), server.client("cloudtrail", ACCOUNT)
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        s3.put_object(Bucket=BUCKET, Key=f"AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/one.json.gz", Body=b"x")
        trail.create_trail(Name="org-trail", S3BucketName=BUCKET, IsMultiRegionTrail=True)
        iam = server.client("iam", ACCOUNT)
        iam.create_open_id_connect_provider(
            Url="https://token.actions.githubusercontent.com",
            ClientIDList=["sts.amazonaws.com"],
            ThumbprintList=["0" * 40],
        )
        iam.create_role(RoleName="deploy", AssumeRolePolicyDocument="{}")
        server.client("organizations", ACCOUNT).create_organization(FeatureSet="ALL")
        yield server
        # All servers of this process share what they hold: whatever was made here would be there for others.
        for entry in s3.list_object_versions(Bucket=BUCKET).get("Versions", ()):
            s3.delete_object(Bucket=BUCKET, Key=entry["Key"], VersionId=entry["VersionId"])
        s3.delete_bucket(Bucket=BUCKET)
        trail.delete_trail(Name="org-trail")
        iam_backends[ACCOUNT]["aws"].reset()
        organizations_backends[ACCOUNT]["aws"].reset()
        organizations_backends.master_accounts.clear()


@pytest.fixture
def amazon(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "example")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example-secret-of-aws")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    aws.gate.asked.clear()
    yield Here(tmp_path, accounts=(ACCOUNT,), bucket=BUCKET)
    aws.gate.denied.clear()
    aws.gate.date = ""


NOT_TRIED = {
    "iam:ListAccessKeys", "iam:GetAccessKeyLastUsed", "iam:ListSSHPublicKeys", "iam:ListServiceSpecificCredentials", "kms:Decrypt",
}  # fmt: skip
"""They stand in for others, or show only in another call."""


def test_an_account_that_lets_everything_be_seen_is_good_in_few_requests(amazon: Here, aws: Aws) -> None:
    code, told = amazon()
    assert [one for one in told["asked"] if one["state"] != "good"] == []
    assert [one for one in told["parts"] if one["state"] != "good"] == []
    assert code == 0
    asked = {one["asked"] for one in told["asked"]}
    assert asked == set(ACTIONS) - NOT_TRIED - {"sts:AssumeRole"} | {"clock"}
    assert len(aws.gate.asked) < 30


@pytest.mark.parametrize("action", sorted(set(ACTIONS) - NOT_TRIED))
def test_each_permission_of_aws_that_is_taken_away_is_named(amazon: Here, aws: Aws, action: str) -> None:
    aws.gate.denied.add(action)
    code, told = amazon()
    (bad,) = [one for one in told["asked"] if one["state"] != "good"]
    assert (code, bad["asked"], bad["state"]) == (3, action, "bad")
    assert action in bad["grant"]
    assert bad["blind"], action
    known = {check.id for check in registry.discover()}
    assert set(bad["blind"]) <= known


def test_a_clock_that_is_off_is_bad_also_where_aws_refuses_for_it(amazon: Here, aws: Aws) -> None:
    aws.gate.date = format_datetime(NOW + timedelta(minutes=7), usegmt=True)
    clocks = [one for one in amazon()[1]["asked"] if one["asked"] == "clock"]
    assert {one["state"] for one in clocks} == {"bad"}
    aws.gate.denied.add("cloudtrail:DescribeTrails")
    assert amazon.asked()["clock"]["state"] == "bad"


def test_a_bucket_that_forgets_before_the_sweep_reads_is_bad(amazon: Here, aws: Aws) -> None:
    s3 = aws.client("s3", ACCOUNT)
    rule = {"ID": "short", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 3}}
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [rule]})
    try:
        found = amazon.asked()["retention"]
    finally:
        s3.delete_bucket_lifecycle(Bucket=BUCKET)
    assert found["state"] == "bad"
    assert "3 days only" in found["told"]
    assert found["blind"] == []


def test_nobody_is_asked_offline(amazon: Here, aws: Aws) -> None:
    code, told = amazon("--offline")
    assert (code, told["asked"], aws.gate.asked) == (0, [], [])


def test_a_server_that_is_not_there_is_unknown_and_says_so_in_seconds(
    amazon: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    code, told = amazon()
    assert code == 3
    assert {one["state"] for one in told["asked"]} == {"unknown"}


def test_without_credentials_it_says_what_to_give(amazon: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    code, told = amazon()
    assert code == 3
    assert all("credentials" in one["next"] for one in told["asked"])


# GitHub.


def world() -> World:
    made = World()
    one = made.add("payments")
    one.environment("production") if hasattr(one, "environment") else None
    return made


@pytest.fixture
def forge() -> Iterator[GitHubFake]:
    with GitHubFake(world()) as fake:
        yield fake


@pytest.fixture
def github(forge: GitHubFake, tmp_path: Path) -> Here:
    here = Here(tmp_path, github="example-org")
    key = tmp_path / "app.pem"
    key.write_bytes(app_key())
    here.edit("api: https://api.github.com", f"api: {forge.url}\n  app_id: 7\n  app_key: {key}")
    return here


def test_an_app_with_all_permissions_is_good_in_few_requests(github: Here, forge: GitHubFake) -> None:
    code, told = github()
    assert [one for one in told["asked"] if one["state"] != "good"] == []
    assert code == 0
    assert set(PERMISSIONS) <= {one["asked"] for one in told["asked"]}
    assert len(forge.requests) < 10


@pytest.mark.parametrize("permission", sorted(set(PERMISSIONS) - {"metadata:read"}))
def test_each_permission_of_the_app_that_is_taken_away_is_named(
    github: Here, forge: GitHubFake, permission: str
) -> None:
    del forge.world.permissions[permission.partition(":")[0]]
    found = github.asked()[permission]
    assert (found["state"], found["grant"]) == ("bad", permission)
    assert found["blind"], permission


def test_an_app_that_cannot_write_rulesets_is_told_what_stays_hidden(github: Here, forge: GitHubFake) -> None:
    forge.world.permissions["administration"] = "read"
    found = github.asked()["administration:write"]
    assert found["state"] == "unknown"
    assert "branch-protection" in found["blind"]


def test_an_app_on_selected_repositories_is_bad(github: Here, forge: GitHubFake) -> None:
    forge.world.selected = True
    assert github.asked()["metadata:read"]["state"] == "bad"


def test_an_organisation_without_an_audit_log_says_what_it_costs(github: Here, forge: GitHubFake) -> None:
    forge.world.has_audit_log = False
    found = github.asked()
    assert found["audit log"]["state"] == "bad"
    assert "protection-lapse" in found["audit log"]["blind"]
    assert "retention" not in found


def test_history_that_github_no_longer_has_is_bad(github: Here) -> None:
    (line,) = [one for one in (github.folder / "monitor.yaml").read_text().split("\n") if one.startswith("  start:")]
    github.edit(line, f"  start: {NOW - timedelta(days=200):%Y-%m-%d}T00:00:00Z")
    assert github.asked()["retention"]["state"] == "bad"


@pytest.mark.parametrize(
    ("path", "permission"),
    [
        ("/keys", "administration:read"),
        ("/environments", "actions:read"),
        ("/repos/example-org/payments/actions/secrets", "secrets:read"),
        ("/orgs/example-org/actions/secrets", "organization_secrets:read"),
        ("/rule-suites", "organization_administration:read"),
        ("/activity", "contents:read"),
    ],
)
def test_a_token_is_tried_at_each_endpoint(
    github: Here, forge: GitHubFake, path: str, permission: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (github.folder / "monitor.yaml").read_text()
    kept_lines = [one for one in text.split("\n") if not one.startswith(("  app_id", "  app_key"))]
    (github.folder / "monitor.yaml").write_text("\n".join(kept_lines))
    monkeypatch.setenv("MONITOR_GITHUB_TOKEN", "ghp_exampletokenclassic")
    assert github.asked()[permission]["state"] == "good"
    forge.faults = lambda method, asked, number: (
        (403, {}, b'{"message": "Must have admin rights"}') if asked.partition("?")[0].endswith(path) else None
    )
    found = github.asked()[permission]
    assert (found["state"], found["grant"].partition(" ")[0]) == ("bad", permission)
    assert found["blind"]


def test_a_credential_that_is_refused_is_one_line_that_names_all_checks_of_github(
    github: Here, forge: GitHubFake
) -> None:
    forge.faults = lambda method, path, number: (401, {}, b'{"message": "Bad credentials"}')
    found = github.asked()
    assert set(found) == {"clock", "credentials"}
    assert found["credentials"]["state"] == "bad"
    assert {"branch-protection", "direct-push"} <= set(found["credentials"]["blind"])


def test_a_key_that_is_none_is_told_and_not_shown(github: Here, tmp_path: Path) -> None:
    (tmp_path / "app.pem").write_text("-----BEGIN RSA PRIVATE KEY-----\nnone\n")
    code, told = github()
    assert code == 3
    (bad,) = [one for one in told["asked"] if one["asked"] == "credentials"]
    assert bad["state"] == "bad"


# Google Cloud.


def cloud() -> Cloud:
    made = Cloud()
    folder = made.folder("200000000002", "organizations/100000000001")
    made.project(PROJECT, "415104041262", folder)
    email = made.account(PROJECT, "deploy")
    made.key(email, "0123")
    pool = f"projects/{PROJECT}/locations/global/workloadIdentityPools/github"
    made.pools[PROJECT] = [{"name": pool, "state": "ACTIVE"}]
    role = f"projects/{PROJECT}/roles/deployer"
    made.roles[role] = {"name": role, "includedPermissions": ["run.services.update"]}
    made.policies[f"projects/{PROJECT}"] = {"bindings": [{"role": role, "members": [f"serviceAccount:{email}"]}]}
    made.denies[f"projects/{PROJECT}"] = {
        "guard": {
            "name": f"policies/cloudresourcemanager.googleapis.com%2Fprojects%2F{PROJECT}/denypolicies/guard",
            "rules": [],
        }
    }
    return made


@pytest.fixture
def google() -> Iterator[GcpFake]:
    with GcpFake(cloud()) as fake:
        yield fake


@pytest.fixture
def gcp(google: GcpFake, tmp_path: Path) -> Here:
    here = Here(tmp_path, project=PROJECT)
    here.edit("  concurrency: 4", f'  concurrency: 4\n  api: "{google.api}"\n  credentials: {google.key(tmp_path)}')
    google.faults = _timed
    return here


def _timed(method: str, path: str, number: int) -> Fault | None:
    """The front of Google's servers tells the time, the fake does not."""
    return (404, {"Date": format_datetime(datetime.now(UTC), usegmt=True)}, b"{}") if path == "/iam/" else None


def test_a_project_that_lets_everything_be_seen_is_good(gcp: Here, google: GcpFake) -> None:
    code, told = gcp()
    assert [one for one in told["asked"] if one["state"] != "good"] == []
    assert code == 0
    assert {one["asked"] for one in told["asked"]} == {*GOOGLE, "clock"}
    assert len(google.requests) < 25


@pytest.mark.parametrize("permission", GOOGLE)
def test_each_permission_of_google_that_is_taken_away_is_named(gcp: Here, google: GcpFake, permission: str) -> None:
    google.world.denied.add(permission)
    found = gcp.asked()[permission]
    assert found["state"] == "bad"
    assert permission in found["grant"]
    assert found["blind"], permission


def test_a_credential_that_google_refuses_is_one_line(gcp: Here, google: GcpFake) -> None:
    google.faults = lambda method, path, number: (401, {}, b"{}")
    found = gcp.asked()
    assert found["credentials"]["state"] == "bad"
    identities = {"deploy-credentials", "deploy-privilege", "deploy-trust"}
    logs = {"audit-log-integrity", "direct-production-change", "pipeline-session-proof"}
    assert set(found["credentials"]["blind"]) == identities | logs


# What no server is needed for.


def test_every_permission_that_is_granted_is_said_to_serve_a_check() -> None:
    blindness = Blindness(registry.discover(), GUIDE)
    providers = [("AWS", ACTIONS), ("GitHub", PERMISSIONS), ("Google", GOOGLE)]
    lacking = [one for provider, asked in providers for one in asked if not blindness.without(one, provider)]
    assert lacking == []
    assert blindness.without("iam:GetCredentialReport") == ("deploy-credentials",)
    assert blindness.without("nobody:Asks") == ()


def test_the_clock_is_good_to_a_minute_and_bad_beyond() -> None:
    def off(seconds: float) -> State:
        theirs = format_datetime(NOW, usegmt=True)
        return skew("x", theirs, NOW + timedelta(seconds=seconds), NOW + timedelta(seconds=seconds + 0.1)).state

    assert [off(s) for s in (0, 60, -60, 75, -75)] == [State.GOOD, State.GOOD, State.GOOD, State.BAD, State.BAD]
    # A slow answer is no skew.
    assert skew("x", format_datetime(NOW, usegmt=True), NOW - timedelta(seconds=90), NOW).state is State.GOOD
    for nonsense in ("", "soon", "Sat, 99 Foo 2026 25:61:61 GMT"):
        assert skew("x", nonsense, NOW, NOW).state is State.UNKNOWN


def test_what_is_kept_for_so_long_is_compared_with_what_is_still_to_be_read() -> None:
    assert kept("x", "retention", 180, NOW - timedelta(days=179), NOW).state is State.GOOD
    assert kept("x", "retention", 180, NOW - timedelta(days=181), NOW).state is State.BAD


def test_a_configuration_with_placeholders_is_bad_and_names_the_lines(tmp_path: Path) -> None:
    init.write(tmp_path, Answers(at=NOW, github="example-org"), force=False)
    ran = monitor("doctor", "--config", str(tmp_path), "--offline", "--format", "json")
    assert ran.code == 3
    (one,) = [part for part in ran.json["parts"] if part["part"] == "configuration"]
    assert one["state"] == "bad"
    assert "monitor.yaml:" in one["told"]


def test_captured_answers_are_not_asked_for(tmp_path: Path) -> None:
    ran = monitor("doctor", "--format", "json")
    assert ran.json["asked"] == []
    assert "nobody is asked" in json.dumps(ran.json["parts"])


def test_slack_is_asked_about_the_token_its_scopes_and_each_channel() -> None:
    from monitor.alerts.slack import SlackSink
    from tests.fakes.slack.server import SlackFake
    from tests.fakes.slack.world import TOKEN

    def told(fake: SlackFake, *channels: str, token: str = TOKEN) -> list[dict[str, Any]]:
        sink = SlackSink(token, clock=lambda: datetime.now(UTC), sleep=lambda s: None, base_url=fake.api, timeout=5)
        return doctor_slack.examined(sink, channels, token)

    with SlackFake() as fake:
        fake.world.channel("C0000001")
        fake.world.channel("C0000002", archived=True)
        fake.world.channel("C0000003", member=False)
        assert [one["state"] for one in told(fake, "C0000001")] == ["good"]
        assert len(told(fake, "C0000001", "C0000002", "C0000003", "C0000004")) == 3
        (refused,) = told(fake, "C0000001", token="xoxb-revoked")
        assert (refused["state"], bool(refused["next"])) == ("bad", True)
        fake.world.scopes = ("channels:read",)
        (lacking,) = told(fake, "C0000001", "C0000002")
        assert "chat:write" in lacking["told"]
        assert not any(call.method.startswith("chat.") for call in fake.calls)


def test_the_role_in_postgresql_is_compared_with_what_is_needed(
    empty_postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from monitor.store import migrate
    from tests.integration.store.test_roles import as_role, run_sql

    here = Here(tmp_path, github="example-org")

    def told(role: str) -> dict[str, Any]:
        monkeypatch.setenv("MONITOR_DATABASE", as_role(empty_postgres_url, role))
        return {one["part"]: one for one in here("--offline")[1]["parts"]}

    run_sql(empty_postgres_url)
    assert told("monitor_owner")["database"]["next"] == "run `monitor db upgrade`"
    migrate.upgrade(as_role(empty_postgres_url, "monitor_owner"))
    # The grants of the new tables are not made yet.
    assert told("monitor_run")["database role"]["state"] == "bad"
    run_sql(empty_postgres_url)
    assert "cannot be altered" in told("monitor_run")["database role"]["told"]
    assert "UPDATE" in told("monitor_owner")["database role"]["told"]
    assert told("monitor_prune")["database role"]["state"] == "bad"


def test_a_key_that_is_open_to_others_or_gone_is_bad(tmp_path: Path) -> None:
    here = Here(tmp_path, github="example-org")
    evidence, key = here.folder / "var/evidence", here.folder / "var/keys/evidence.pem"
    evidence.mkdir(parents=True)
    key.parent.mkdir()
    (evidence / "checkpoint").write_text("as if\n")

    def told() -> dict[str, Any]:
        return doctor_parts.evidence(load_config(here.folder, {}))

    assert told()["state"] == "bad"
    key.touch(mode=0o644)
    assert "open to other accounts" in told()["told"]
    key.chmod(0o600)
    assert told()["state"] == "good"
