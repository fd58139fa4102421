"""Credentials of every kind, over real HTTP: keys, federation, impersonation, the environment, the metadata server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from monitor.errors import ConfigError, Denied, SourceError, Throttled, Unavailable
from monitor.sources.gcp import calls
from monitor.sources.gcp.client import GcpClient
from tests.fakes.gcp import faults
from tests.fakes.gcp.server import GcpFake
from tests.fakes.gcp.sweeping import Time, client
from tests.fakes.gcp.tokens import READER, SUBJECT_TOKEN, federation_file, key_file
from tests.fakes.gcp.world import PROJECT, example

SCOPE = f"gcp:{PROJECT}"
OTHER = f"monitor@{PROJECT}.iam.gserviceaccount.com"


@pytest.fixture(autouse=True)
def nothing_of_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://user:proxy-password@127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "no-gcloud"))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "example-tools")


@pytest.fixture
def fake() -> Iterator[GcpFake]:
    with GcpFake(example()) as server:
        yield server


def ask(one: GcpClient) -> str:
    """Ask for the project, and return its state."""
    with one:
        return str(one.ask(calls.place(f"projects/{PROJECT}", SCOPE)).content["state"])


def refusal(one: GcpClient) -> SourceError:
    with one, pytest.raises(SourceError) as caught:
        one.ask(calls.place(f"projects/{PROJECT}", SCOPE))
    return caught.value


def everything(error: BaseException) -> str:
    """Return what a traceback could show of an error and of all that it hangs on."""
    texts, one = [], error
    while one is not None:
        texts.append(repr(one) + repr(one.args) + repr(getattr(one, "__dict__", "")))
        one = one.__cause__ or one.__context__
    return " ".join(texts)


def test_a_key_signs_for_one_token_that_all_requests_share(fake: GcpFake, tmp_path: Path) -> None:
    one = client(fake, tmp_path)
    with one:
        for _ in range(3):
            one.ask(calls.place(f"projects/{PROJECT}", SCOPE))
    assert list(fake.tokens.given.values()) == ["key"]
    assert fake.asked_for_tokens == ["/token"]


def test_a_token_that_ends_is_renewed_before_it_does(fake: GcpFake, tmp_path: Path) -> None:
    fake.tokens.life = 60
    with client(fake, tmp_path) as one:
        for _ in range(3):
            one.ask(calls.place(f"projects/{PROJECT}", SCOPE))
    # google-auth renews so early that a token of a minute serves once.
    assert len(fake.tokens.given) == 3


def test_a_workload_identity_exchanges_the_token_of_another_cloud(fake: GcpFake, tmp_path: Path) -> None:
    subject = tmp_path / "subject"
    subject.write_text(SUBJECT_TOKEN)
    file = tmp_path / "federation.json"
    file.write_text(json.dumps(federation_file(f"{fake.url}/sts/v1/token", str(subject))))
    assert ask(client(fake, tmp_path, credentials=file)) == "ACTIVE"
    assert list(fake.tokens.given.values()) == ["federated"]
    assert len(fake.requests) == 1, "nothing is asked but what was to be asked"


def test_a_refused_exchange_is_denied_without_the_subject_token(fake: GcpFake, tmp_path: Path) -> None:
    subject = tmp_path / "subject"
    subject.write_text("another-secret-subject-token-0123456789abcdef0123456789")
    file = tmp_path / "federation.json"
    file.write_text(json.dumps(federation_file(f"{fake.url}/sts/v1/token", str(subject))))
    error = refusal(client(fake, tmp_path, credentials=file))
    assert isinstance(error, Denied)
    assert "another-secret" not in everything(error)


def test_a_subject_token_that_is_not_there_is_denied(fake: GcpFake, tmp_path: Path) -> None:
    file = tmp_path / "federation.json"
    file.write_text(json.dumps(federation_file(f"{fake.url}/sts/v1/token", str(tmp_path / "nowhere"))))
    assert isinstance(refusal(client(fake, tmp_path, credentials=file)), Denied)


def test_another_service_account_is_become(fake: GcpFake, tmp_path: Path) -> None:
    fake.tokens.impersonable.add(OTHER)
    assert ask(client(fake, tmp_path, impersonate=OTHER)) == "ACTIVE"
    assert list(fake.tokens.given.values()) == ["key", "as-monitor"]
    assert fake.asked_for_tokens[-1] == f"/iamcredentials/v1/projects/-/serviceAccounts/{OTHER}:generateAccessToken"


def test_an_impersonation_that_is_not_granted_names_the_role(fake: GcpFake, tmp_path: Path) -> None:
    error = refusal(client(fake, tmp_path, impersonate=OTHER))
    assert isinstance(error, Denied)
    assert "roles/iam.serviceAccountTokenCreator" in error.permission
    assert OTHER in error.what
    assert "ya29" not in everything(error)


def test_the_environment_names_a_file(fake: GcpFake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(fake.key(tmp_path)))
    assert ask(client(fake, tmp_path, credentials=None)) == "ACTIVE"
    assert list(fake.tokens.given.values()) == ["key"]


def test_the_environment_has_a_metadata_server(fake: GcpFake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from google.auth.compute_engine import _metadata

    host = fake.url.removeprefix("http://")
    monkeypatch.setenv("GCE_METADATA_IP", host)
    monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", host)
    monkeypatch.setattr(_metadata, "_NO_GCE_CHECK", False)
    assert ask(client(fake, tmp_path, credentials=None)) == "ACTIVE"
    assert "metadata" in fake.tokens.given.values()


def test_an_environment_without_any_credential_is_denied_and_says_what_to_do(
    fake: GcpFake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from google.auth.compute_engine import _metadata

    monkeypatch.setattr(_metadata, "_NO_GCE_CHECK", True)
    error = refusal(client(fake, tmp_path, credentials=None))
    assert isinstance(error, Denied)
    assert "application default credentials" in error.todo
    assert fake.requests == []


def test_a_key_that_is_not_accepted_is_denied_without_what_was_signed(fake: GcpFake, tmp_path: Path) -> None:
    stranger = rsa.generate_private_key(65537, 2048)
    pem = stranger.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    file = tmp_path / "stranger.json"
    file.write_text(json.dumps(key_file(f"{fake.url}/token", pem)))
    error = refusal(client(fake, tmp_path, credentials=file))
    assert isinstance(error, Denied)
    assert "invalid_grant: Invalid JWT Signature" in error.what
    # The endpoint of the fake repeats the assertion.
    assert "eyJ" not in everything(error)
    assert pem[40:80] not in everything(error)


def test_a_token_endpoint_that_is_busy_is_waited_for_by_the_one_who_waits(fake: GcpFake, tmp_path: Path) -> None:
    fake.faults = faults.first(1, faults.spent(21), "/token")
    time = Time()
    assert ask(client(fake, tmp_path, time)) == "ACTIVE"
    assert time.slept == [21.0]


def test_a_token_endpoint_that_fails_is_tried_again(fake: GcpFake, tmp_path: Path) -> None:
    fake.faults = faults.first(2, faults.broken(503), "/token")
    time = Time()
    assert ask(client(fake, tmp_path, time)) == "ACTIVE"
    assert len(time.slept) == 2


def test_a_token_endpoint_that_always_fails_is_unavailable(fake: GcpFake, tmp_path: Path) -> None:
    fake.faults = faults.always(faults.broken(500), "/token")
    error = refusal(client(fake, tmp_path, attempts=3))
    assert isinstance(error, Unavailable)
    assert len(fake.asked_for_tokens) == 3


def test_a_token_endpoint_that_stays_busy_ends_as_throttled(fake: GcpFake, tmp_path: Path) -> None:
    fake.faults = faults.always(faults.spent(500), "/token")
    assert isinstance(refusal(client(fake, tmp_path, patience=10.0)), Throttled)


@pytest.mark.parametrize(
    "body",
    [b"[]", b"{}", b"null", b"<html>", b'{"access_token": 7}', b'{"access_token": "x", "expires_in": []}', b"\xff"],
)
def test_a_token_endpoint_that_says_something_else_never_raises_another_error(
    fake: GcpFake, tmp_path: Path, body: bytes
) -> None:
    fake.faults = faults.always(faults.answer(body), "/token")
    assert isinstance(refusal(client(fake, tmp_path)), SourceError)


def test_an_endless_answer_of_a_token_endpoint_is_cut(fake: GcpFake, tmp_path: Path) -> None:
    fake.faults = faults.always(faults.answer(b"x" * (2**20 + 1)), "/token")
    assert isinstance(refusal(client(fake, tmp_path, attempts=1)), Unavailable)


def test_a_token_endpoint_out_of_reach_is_unavailable(tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    file.write_text(json.dumps(key_file("http://127.0.0.1:1/token")))
    error = refusal(client(None, tmp_path, api="http://127.0.0.1:1", credentials=file, attempts=1))
    assert isinstance(error, Unavailable)


def test_nothing_signed_goes_over_an_open_wire(fake: GcpFake, tmp_path: Path) -> None:
    file = tmp_path / "open.json"
    file.write_text(json.dumps(key_file("http://token.example.com/token")))
    error = refusal(client(fake, tmp_path, credentials=file))
    assert isinstance(error, Denied)
    assert "http://" in error.what


def test_a_file_that_holds_no_credential_is_a_mistake_of_the_settings(fake: GcpFake, tmp_path: Path) -> None:
    broken = {
        "missing.json": None,
        "text.json": b"not json",
        "list.json": b"[]",
        "empty.json": b"{}",
        "kind.json": b'{"type": "something"}',
        "half.json": json.dumps({**key_file("x"), "private_key": "-----BEGIN PRIVATE KEY-----\nsecret"}).encode(),
        "bare.json": json.dumps({"type": "external_account"}).encode(),
        "odd.json": json.dumps({"type": "service_account", "client_email": 7, "private_key": 8}).encode(),
    }
    for name, content in broken.items():
        file = tmp_path / name
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(ConfigError) as caught:
            client(fake, tmp_path, credentials=file)
        assert name in caught.value.what
        assert "secret" not in everything(caught.value), name


def test_credentials_are_not_imported_for_a_replay() -> None:
    program = (
        "import sys\n"
        "from monitor.sources.gcp.client import GcpConnection, connect\n"
        "import monitor.sources.gcp.iam\n"
        "connect(GcpConnection(), clock=None, sleep=None, told=None, replay=[])\n"
        "assert not [name for name in sys.modules if name.startswith('google')]"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[3])


def test_the_reader_is_who_the_fake_takes_it_for(fake: GcpFake, tmp_path: Path) -> None:
    assert json.loads(fake.key(tmp_path).read_text())["client_email"] == READER
