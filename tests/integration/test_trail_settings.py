"""Trail settings read over HTTP: from a moto server, from servers that refuse, and again from what was captured."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import botocore.session
import pytest
from moto.server import ThreadedMotoServer

from monitor.errors import ConfigError, Denied, IntegrityError, Malformed, SourceError, Unavailable
from monitor.facts.audit_log import LogStore, LogTrail
from monitor.model import CoverageStatus, Unknown, Window
from monitor.sources import replay
from monitor.sources.aws.http_seam import record_into
from monitor.sources.aws.session import LiveClients, ReplayClients
from monitor.sources.aws.trail_settings import TrailCollection, TrailSettings

AT = datetime(2026, 3, 14, 2, 0, tzinfo=UTC)
ACCOUNT, OTHER, REGION, BUCKET = "111122223333", "444455556666", "us-east-1", "example-org-trail"
BLOCK = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)


@pytest.fixture(autouse=True)
def own_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "example")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(moto: str) -> Iterator[Callable[[str], Any]]:
    """An account with a good trail; gives clients by service name."""
    session = botocore.session.Session()

    def client(service: str, **keys: Any) -> Any:
        return session.create_client(service, region_name=REGION, endpoint_url=moto, **keys)

    role = f"arn:aws:iam::{ACCOUNT}:role/setup"
    given = client("sts").assume_role(RoleArn=role, RoleSessionName="setup")["Credentials"]
    keys = {
        "aws_access_key_id": given["AccessKeyId"],
        "aws_secret_access_key": given["SecretAccessKey"],
        "aws_session_token": given["SessionToken"],
    }
    s3, cloudtrail = client("s3", **keys), client("cloudtrail", **keys)
    s3.create_bucket(Bucket=BUCKET)
    s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=BLOCK)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    cloudtrail.create_trail(
        Name="org-trail", S3BucketName=BUCKET, IsMultiRegionTrail=True, EnableLogFileValidation=True
    )
    cloudtrail.start_logging(Name="org-trail")
    cloudtrail.put_event_selectors(
        TrailName="org-trail", EventSelectors=[{"ReadWriteType": "All", "IncludeManagementEvents": True}]
    )
    yield lambda service: {"s3": s3, "cloudtrail": cloudtrail}[service]
    cloudtrail.delete_trail(Name="org-trail")
    s3.delete_bucket(Bucket=BUCKET)


def live(endpoint: str, *accounts: str, role: str | None = "monitor-read") -> TrailSettings:
    clients = LiveClients(role, endpoint_url=endpoint, attempts=1)
    return TrailSettings([(account, (REGION,)) for account in accounts or (ACCOUNT,)], clients)


def only_trail(collected: TrailCollection) -> LogTrail:
    (fact,) = collected.facts
    assert isinstance(fact.trails, tuple)
    (trail,) = fact.trails
    return trail


def store_of(trail: LogTrail) -> LogStore:
    assert trail.store is not None
    return trail.store


def test_a_good_trail_is_read_whole(moto: str, aws: Callable[[str], Any]) -> None:
    collected = live(moto).collect(AT)
    trail = only_trail(collected)
    assert (trail.name, trail.account, trail.home_region) == ("org-trail", ACCOUNT, REGION)
    assert (trail.logging, trail.all_regions, trail.validated, trail.management_writes) == (True, True, True, True)
    store = store_of(trail)
    assert (store.name, store.public, store.expires_after_days, store.versioned) == (BUCKET, False, None, True)
    (coverage,) = collected.coverage
    assert (coverage.status, coverage.scope, coverage.gaps) == (CoverageStatus.COMPLETE, f"aws:{ACCOUNT}", ())
    captured = {capture.sha256 for capture in collected.captures}
    cited = {ref.sha256 for ref in (*trail.evidence, *store.evidence)}
    assert cited <= captured
    assert len(collected.captures) == 7


def test_a_stopped_trail_is_seen(moto: str, aws: Callable[[str], Any]) -> None:
    aws("cloudtrail").stop_logging(Name="org-trail")
    assert only_trail(live(moto).collect(AT)).logging is False


def test_a_trail_without_validation_is_seen(moto: str, aws: Callable[[str], Any]) -> None:
    aws("cloudtrail").update_trail(Name="org-trail", EnableLogFileValidation=False)
    assert only_trail(live(moto).collect(AT)).validated is False


def test_a_short_lifecycle_is_seen(moto: str, aws: Callable[[str], Any]) -> None:
    rule = {"ID": "short", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 30}}
    aws("s3").put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [rule]})
    assert store_of(only_trail(live(moto).collect(AT))).expires_after_days == 30


def test_a_bucket_without_block_is_not_called_closed(moto: str, aws: Callable[[str], Any]) -> None:
    aws("s3").delete_public_access_block(Bucket=BUCKET)
    assert isinstance(store_of(only_trail(live(moto).collect(AT))).public, Unknown)
    rules = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    aws("s3").put_bucket_ownership_controls(Bucket=BUCKET, OwnershipControls=rules)
    assert store_of(only_trail(live(moto).collect(AT))).public is False


def test_an_account_without_trails_has_an_empty_list(moto: str) -> None:
    (fact,) = live(moto, OTHER).collect(AT).facts
    assert fact.trails == ()


def test_what_was_captured_replays_to_the_same_facts(moto: str, aws: Callable[[str], Any], tmp_path: Path) -> None:
    collected = live(moto, ACCOUNT, OTHER).collect(AT)
    replay.write(tmp_path, collected.captures)
    stored = replay.read(tmp_path)
    assert tuple(stored) == collected.captures
    accounts = [(ACCOUNT, (REGION,)), (OTHER, (REGION,))]
    assert TrailSettings(accounts, ReplayClients(stored)).collect(AT) == collected
    whole = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert all(secret not in whole for secret in (b"Authorization", b"Signature=", b"SessionToken"))


def test_what_was_not_captured_is_unavailable(moto: str, aws: Callable[[str], Any]) -> None:
    captures = live(moto).collect(AT).captures
    here = TrailSettings([(ACCOUNT, (REGION,))], ReplayClients(captures[:2]))
    trail = only_trail(here.collect(AT))
    assert isinstance(trail.management_writes, Unknown)
    assert "not among the captures" in trail.management_writes.reason
    elsewhere = TrailSettings([(OTHER, (REGION,))], ReplayClients(captures)).collect(AT)
    assert isinstance(elsewhere.facts[0].trails, Unknown)
    assert elsewhere.coverage[0].status is CoverageStatus.PARTIAL


def test_own_credentials_say_nothing_of_another_account(moto: str) -> None:
    collected = live(moto, OTHER, role=None).collect(AT)
    (fact,) = collected.facts
    assert isinstance(fact.trails, Unknown)
    assert "own credentials are of account" in fact.trails.reason
    assert collected.coverage[0].status is CoverageStatus.DENIED


Answer = Callable[[str, bytes], tuple[int, str]]


@contextmanager
def server(answer: Answer) -> Iterator[str]:
    """An HTTP server that answers by target (CloudTrail's header, or the path) and body."""

    class Handler(BaseHTTPRequestHandler):
        def reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            target = self.headers.get("X-Amz-Target", self.path).rpartition(".")[2]
            status, text = answer(target, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_HEAD = reply

        def log_message(self, format: str, *args: Any) -> None:
            return

    fake = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=fake.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{fake.server_address[1]}"
    finally:
        fake.shutdown()
        thread.join()
        fake.server_close()


IDENTITY = (
    f"<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::{ACCOUNT}:user/monitor</Arn>"
    f"<Account>{ACCOUNT}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
)
ARN = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/org-trail"
TRAIL = {
    "Name": "org-trail",
    "TrailARN": ARN,
    "HomeRegion": REGION,
    "S3BucketName": BUCKET,
    "IsMultiRegionTrail": True,
    "IsOrganizationTrail": True,
    "LogFileValidationEnabled": True,
}
DENIED_JSON = json.dumps({"__type": "AccessDeniedException", "message": "not authorized"})
DENIED_XML = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"


def answering(**answers: tuple[int, Any]) -> Answer:
    """Answer the named CloudTrail operations; refuse all else."""

    def answer(target: str, body: bytes) -> tuple[int, str]:
        if b"GetCallerIdentity" in body:
            return 200, IDENTITY
        if target in answers:
            status, value = answers[target]
            return status, value if isinstance(value, str) else json.dumps(value)
        return 403, DENIED_XML if target.startswith("/") else DENIED_JSON

    return answer


def test_a_denied_account_names_the_permission() -> None:
    with server(answering()) as endpoint:
        collected = live(endpoint, role=None).collect(AT)
    (fact,), (coverage,) = collected.facts, collected.coverage
    assert isinstance(fact.trails, Unknown)
    assert fact.trails.grant == f"cloudtrail:DescribeTrails in account {ACCOUNT}"
    assert (coverage.status, coverage.grant) == (CoverageStatus.DENIED, fact.trails.grant)
    assert [(c.name, c.status) for c in collected.captures] == [("cloudtrail:DescribeTrails", 403)]
    assert fact.evidence == (collected.captures[0].ref,)


def test_a_denied_call_leaves_unknown_in_just_its_field() -> None:
    status = {"IsLogging": True}
    with server(answering(DescribeTrails=(200, {"trailList": [TRAIL]}), GetTrailStatus=(200, status))) as endpoint:
        collected = live(endpoint, role=None).collect(AT)
    trail = only_trail(collected)
    assert (trail.logging, trail.all_regions, trail.validated) == (True, True, True)
    assert isinstance(trail.management_writes, Unknown)
    assert trail.management_writes.grant == f"cloudtrail:GetEventSelectors in account {ACCOUNT}"
    store = store_of(trail)
    assert all(isinstance(field, Unknown) for field in (store.public, store.expires_after_days, store.versioned))
    (coverage,) = collected.coverage
    assert coverage.status is CoverageStatus.PARTIAL
    for permission in ("GetBucketPublicAccessBlock", "GetLifecycleConfiguration", "GetBucketVersioning"):
        assert f"s3:{permission} in account {ACCOUNT}" in coverage.grant


def test_one_accounts_failure_does_not_stop_another() -> None:
    with server(answering(DescribeTrails=(200, {"trailList": []}))) as endpoint:
        collected = live(endpoint, OTHER, ACCOUNT, role=None).collect(AT)
    assert [type(fact.trails) for fact in collected.facts] == [Unknown, tuple]
    assert [coverage.status for coverage in collected.coverage] == [CoverageStatus.DENIED, CoverageStatus.COMPLETE]


@pytest.mark.parametrize(
    "body", ["", "{}", "[]", "null", '"x"', '{"trailList": 5}', '{"trailList": [3]}', "<xml/>", "[" * 9000]
)
def test_an_answer_that_is_no_list_of_trails_is_unknown(body: str) -> None:
    with server(answering(DescribeTrails=(200, body))) as endpoint:
        collected = live(endpoint, role=None).collect(AT)
    assert isinstance(collected.facts[0].trails, Unknown)
    assert collected.coverage[0].status is CoverageStatus.PARTIAL


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [(400, "ThrottlingException", CoverageStatus.THROTTLED), (500, "InternalFailure", CoverageStatus.PARTIAL)],
)
def test_throttled_and_broken_are_told_apart(status: int, code: str, expected: CoverageStatus) -> None:
    with server(answering(DescribeTrails=(status, {"__type": code}))) as endpoint:
        collected = live(endpoint, role=None).collect(AT)
    assert isinstance(collected.facts[0].trails, Unknown)
    assert collected.coverage[0].status is expected
    replayed = TrailSettings([(ACCOUNT, (REGION,))], ReplayClients(collected.captures)).collect(AT)
    assert replayed == collected


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with server(answering()) as endpoint:
        pass
    collected = live(endpoint, role=None).collect(AT)
    assert isinstance(collected.facts[0].trails, Unknown)
    assert collected.coverage[0].status is CoverageStatus.PARTIAL


MARCH = Window(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
DER = b"\x30\x82 example"


def key(fingerprint: str) -> dict[str, str]:
    return {"Fingerprint": fingerprint, "Value": base64.b64encode(DER).decode()}


def test_public_keys_are_read_to_the_last_page() -> None:
    def answer(target: str, body: bytes) -> tuple[int, str]:
        if target == "ListPublicKeys":
            page = {"PublicKeyList": [key("bb")]}
            first = {"PublicKeyList": [key("aa")], "NextToken": "more"}
            return 200, json.dumps(page if b"more" in body else first)
        return answering()(target, body)

    with server(answer) as endpoint:
        keys, captures = live(endpoint, role=None).public_keys(ACCOUNT, REGION, MARCH, AT)
    assert keys == {"aa": DER, "bb": DER}
    assert [capture.at for capture in captures] == [AT, AT]
    assert captures[0].request == {"StartTime": "2026-03-01T00:00:00Z", "EndTime": "2026-04-01T00:00:00Z"}
    again = TrailSettings([], ReplayClients(captures))
    assert again.public_keys(ACCOUNT, REGION, MARCH, AT) == (keys, captures)


def test_keys_of_a_wider_span_answer_for_a_narrower_one() -> None:
    with server(answering(ListPublicKeys=(200, {"PublicKeyList": [key("aa")]}))) as endpoint:
        _, captures = live(endpoint, role=None).public_keys(ACCOUNT, REGION, MARCH)
    replayed = TrailSettings([], ReplayClients(captures))
    week = Window(datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC))
    assert replayed.public_keys(ACCOUNT, REGION, week)[0] == {"aa": DER}
    with pytest.raises(Unavailable, match="not among the captures"):
        replayed.public_keys(ACCOUNT, REGION, Window(week.start, datetime(2026, 4, 2, tzinfo=UTC)))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((200, {"PublicKeyList": [{"Fingerprint": "aa"}]}), Malformed),
        ((200, {}), Malformed),
        ((200, {"PublicKeyList": [key("aa")], "NextToken": "again"}), Malformed),
        ((403, DENIED_JSON), Denied),
    ],
)
def test_public_keys_that_cannot_be_read_raise(answer: tuple[int, Any], expected: type[SourceError]) -> None:
    with server(answering(ListPublicKeys=answer)) as endpoint, pytest.raises(expected):
        live(endpoint, role=None).public_keys(ACCOUNT, REGION, MARCH)


def test_answers_that_hold_credentials_are_never_captured() -> None:
    client = ReplayClients(())("sts", ACCOUNT, REGION)
    with pytest.raises(ValueError, match="credentials"):
        record_into(client, lambda _: None, "aws", lambda: AT)


def test_a_changed_capture_is_refused(tmp_path: Path) -> None:
    with server(answering()) as endpoint:
        replay.write(tmp_path, live(endpoint, role=None).collect(AT).captures)
    (stored,) = [path for path in (tmp_path / "objects").rglob("*") if path.is_file()]
    stored.write_bytes(stored.read_bytes() + b" ")
    with pytest.raises(IntegrityError):
        replay.read(tmp_path)
    stored.unlink()
    with pytest.raises(IntegrityError):
        replay.read(tmp_path)


ESCAPING = {
    "source": "aws",
    "name": "n",
    "scope": "s",
    "request": {},
    "status": 200,
    "at": "2026-03-01T00:00:00Z",
    "sha256": "../../../etc/passwd",
}


@pytest.mark.parametrize("line", [b"{}", b"junk", b"[" * 9000, json.dumps(ESCAPING).encode()])
def test_a_broken_index_names_its_line(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "index.jsonl").write_bytes(b"\n" + line + b"\n")
    with pytest.raises(Malformed, match="line 2"):
        replay.read(tmp_path)


def test_a_folder_without_captures_is_a_mistake_of_the_settings(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        replay.read(tmp_path / "none")


def test_replay_needs_no_settings_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with server(answering(DescribeTrails=(200, {"trailList": []}))) as endpoint:
        collected = live(endpoint, role=None).collect(AT)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "broken"))
    (tmp_path / "broken").write_text("[broken")
    assert TrailSettings([(ACCOUNT, (REGION,))], ReplayClients(collected.captures)).collect(AT) == collected
    unread = live(endpoint, role=None).collect(AT)
    assert isinstance(unread.facts[0].trails, Unknown)


def test_a_role_that_may_not_be_assumed_is_named() -> None:
    with server(answering()) as endpoint:
        collected = live(endpoint, OTHER, role="monitor-read").collect(AT)
    (coverage,) = collected.coverage
    assert coverage.status is CoverageStatus.DENIED
    assert "sts:AssumeRole" in coverage.grant
