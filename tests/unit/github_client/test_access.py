"""What can be said of a credential's rights, and which connections are refused."""

import traceback

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from monitor.errors import ConfigError
from monitor.sources.github.client import Access, GitHubConnection
from tests.unit.github_client.forge import TOKEN, client

OK = "https://api.github.com"


@pytest.mark.parametrize(
    ("permissions", "permission", "level", "may"),
    [
        ({"administration": "read"}, "administration", "read", True),
        ({"administration": "read"}, "administration", "write", False),
        ({"administration": "write"}, "administration", "read", True),
        ({"administration": "write"}, "administration", "admin", False),
        ({"administration": "everything"}, "administration", "read", False),
        ({}, "administration", "read", False),
        ({}, "metadata", "read", True),
        ({"administration": "admin"}, "administration", "own", False),
        (None, "administration", "read", None),
    ],
)
def test_an_apps_permissions_are_what_it_was_granted(permissions, permission, level, may):
    assert Access(kind="app", permissions=permissions).may(permission, level) is may


@pytest.mark.parametrize(
    ("scopes", "permission", "may"),
    [
        (("repo",), "administration", None),
        (("public_repo",), "administration", None),
        (("read:org",), "administration", False),
        (("repo",), "organization_administration", False),
        (("read:audit_log",), "organization_administration", None),
        ((), "metadata", None),
    ],
)
def test_a_classic_tokens_scopes_can_only_rule_out(scopes, permission, may):
    assert Access(kind="classic-token", permissions=None, scopes=scopes).may(permission) is may


def test_of_a_fine_grained_token_nobody_can_tell():
    assert Access(kind="token", permissions=None).may("administration") is None


def pem(key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


@pytest.mark.parametrize(
    "settings",
    [
        {"token": ""},
        {"token": "two words"},
        {"token": "line\r\nX-Other: y"},
        {"token": "ünïcode"},
        {"token": TOKEN, "app_id": 7},
        {"token": "", "app_id": 7},
        {"token": "", "app_key": b"x"},
        {
            "token": "",
            "app_id": 7,
            "app_key": b"-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0\n-----END RSA PRIVATE KEY-----",
        },
        {"token": "", "app_id": 7, "app_key": pem(ec.generate_private_key(ec.SECP256R1()))},
        {"token": "", "app_id": 7, "app_key": pem(rsa.generate_private_key(65537, 1024))},
    ],
)
def test_a_credential_that_cannot_be_one_is_an_error_that_does_not_show_it(settings):
    with pytest.raises(ConfigError) as error:
        client(OK, **settings)

    shown = "".join(traceback.format_exception(error.value)) + error.value.diagnostics()
    assert "c2VjcmV0" not in shown
    assert error.value.todo


@pytest.mark.parametrize(
    "api",
    [
        "http://api.github.com",
        "http://10.0.0.1/api/v3",
        "http://localhost.example.com",
        "ftp://api.github.com",
        "api.github.com",
        "",
        "https://",
        "https://me:hunter2@api.github.com",
        "https://api.github.com/?x=1",
        "https://[bad",
        "file:///etc/passwd",
    ],
)
def test_an_address_that_is_not_safe_to_ask_is_refused_unshown(api: str):
    with pytest.raises(ConfigError) as error:
        client(api)

    assert "hunter2" not in error.value.diagnostics()


@pytest.mark.parametrize(
    "api",
    [OK, OK + "/", "https://git.example.com/api/v3", "http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1"],
)
def test_addresses_that_are_fine(api: str):
    client(api).close()


def test_a_connection_does_not_show_its_secrets():
    settings = GitHubConnection(token=TOKEN, app_id=7, app_key=b"PEM")

    assert TOKEN not in repr(settings) + str(settings) + repr(settings.__rich_repr__())
    assert "PEM" not in repr(settings) + repr(settings.__rich_repr__())
