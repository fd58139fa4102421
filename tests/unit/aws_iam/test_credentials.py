"""Credentials and their use, as the credential report and the listings tell of them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from monitor.decode.aws_iam_credentials import credential_report, last_accessed, listed, with_report
from monitor.errors import Malformed
from monitor.facts.identity import Credential, Identity, Use
from monitor.model import Unknown

AT = datetime(2026, 3, 10, tzinfo=UTC)
ACCOUNT = "111122223333"
COLUMNS = (
    "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,mfa_active,"
    "access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,"
    "access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,"
    "access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,cert_1_last_rotated,cert_2_active,"
    "cert_2_last_rotated"
)
BOT = f"arn:aws:iam::{ACCOUNT}:user/bot"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
BOT_ROW = (
    f"bot,{BOT},2024-01-01T00:00:00+00:00,false,N/A,N/A,N/A,false,true,2024-02-01T00:00:00+00:00,"
    "2026-03-01T00:00:00+00:00,eu-west-1,ecs,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A"
)
PERSON_ROW = (
    f"ann,arn:aws:iam::{ACCOUNT}:user/ann,2024-01-01T00:00:00+00:00,true,no_information,2024-05-01T00:00:00+00:00,N/A,false,"
    "false,2024-02-01T00:00:00+00:00,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,true,2024-06-01T00:00:00+00:00,false,N/A"
)


def root_row(key: str) -> str:
    return (
        f"<root_account>,{ROOT},2020-01-01T00:00:00+00:00,not_supported,2025-01-01T00:00:00+00:00,not_supported,"
        f"not_supported,false,{key},N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A"
    )


def report(*rows: str) -> bytes:
    return "\n".join((COLUMNS, *rows)).encode()


def when(year: int, month: int, day: int = 1) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)


def test_a_machine_has_a_key_and_no_second_factor_to_speak_of() -> None:
    found = credential_report(report(BOT_ROW))[BOT]
    assert found.mfa is None
    assert found.created_at == when(2024, 1)
    assert found.credentials == (
        Credential(kind="access-key", id="access_key_1", active=True, created_at=when(2024, 2), used_at=when(2026, 3)),
    )


def test_a_person_has_a_password_an_inactive_key_and_a_certificate() -> None:
    (found,) = credential_report(report(PERSON_ROW)).values()
    assert found.mfa is False
    password, key, certificate = found.credentials
    assert password == Credential(kind="password", id="password", active=True, created_at=when(2024, 5), used_at=None)
    assert (key.active, key.created_at, key.used_at) == (False, when(2024, 2), None)
    assert (certificate.kind, certificate.active, isinstance(certificate.used_at, Unknown)) == (
        "certificate",
        True,
        True,
    )


def test_the_report_may_be_encoded() -> None:
    plain = report(BOT_ROW)
    for form in (base64.b64encode(plain), b"\xef\xbb\xbf" + plain, plain.replace(b"\n", b"\r\n"), plain.decode()):
        assert credential_report(form) == credential_report(plain)


@pytest.mark.parametrize(
    "body", [b"", b"x", b"a,b\n1,2", b"\xff\xfe,", "a,b", b'user,arn\n"' + b"x" * 200_000, b"====", "é"]
)
def test_what_is_no_report_is_malformed(body: Any) -> None:
    with pytest.raises(Malformed):
        credential_report(body)


def test_what_the_report_does_not_tell_is_unknown() -> None:
    (found,) = credential_report(f"user,arn,access_key_1_active\nbot,{BOT},true").values()
    assert isinstance(found.mfa, Unknown)
    key = next(one for one in found.credentials if one.id == "access_key_1")
    assert key.active is True
    assert isinstance(key.created_at, Unknown)
    assert isinstance(key.used_at, Unknown)
    (odd,) = credential_report(
        report(BOT_ROW.replace("2024-02-01T00:00:00+00:00", "yesterday").replace("N/A,false,true", "N/A,perhaps,true"))
    ).values()
    assert isinstance(odd.mfa, Unknown)
    assert isinstance(odd.credentials[0].created_at, Unknown)


def test_short_and_long_rows_do_not_raise() -> None:
    assert set(credential_report(report(f"bot,{BOT}", BOT_ROW.replace("bot", "b2") + ",more,and,more", ""))) == {
        BOT,
        BOT.replace("bot", "b2"),
    }


def identity(kind: str = "user", name: str = BOT) -> Identity:
    return Identity(
        provider="aws", account=ACCOUNT, id="AIDA1", name=name, kind=kind, at=AT, credentials=Unknown("not read")
    )


def test_users_get_their_credentials_and_roles_keep_theirs() -> None:
    rows = credential_report(report(BOT_ROW))
    bot, gone, role = with_report([identity(), identity(name="new"), identity("role", "r")], rows, ACCOUNT, AT)
    assert bot.credentials == rows[BOT].credentials
    assert isinstance(gone.credentials, Unknown)
    assert role == identity("role", "r")


def test_without_a_report_users_are_unknown() -> None:
    (found,) = with_report([identity()], Unknown("denied", "iam:GetCredentialReport"), ACCOUNT, AT)
    assert isinstance(found.credentials, Unknown)
    assert isinstance(found.mfa, Unknown)


def test_the_root_user_is_an_identity_if_it_has_keys() -> None:
    assert with_report([], credential_report(report(root_row("false,N/A"))), ACCOUNT, AT) == ()
    (root,) = with_report([], credential_report(report(root_row("true,2021-01-01T00:00:00+00:00"))), ACCOUNT, AT)
    assert (root.name, root.kind, root.id, root.mfa) == (ROOT, "user", "root", False)
    assert isinstance(root.credentials, tuple)
    assert root.credentials[0].active is True


def test_listed_keys_and_their_last_use() -> None:
    answer = {
        "AccessKeyMetadata": [
            {"UserName": "bot", "AccessKeyId": "AKIA1", "Status": "Active", "CreateDate": "2024-01-01T00:00:00Z"},
            {"UserName": "bot", "AccessKeyId": "AKIA2", "Status": "Inactive", "CreateDate": when(2024, 2)},
            {"UserName": "bot", "AccessKeyId": "AKIA3", "Status": "?"},
            "x",
        ]
    }
    used = {
        "AKIA1": {"AccessKeyLastUsed": {"LastUsedDate": when(2026, 3)}},
        "AKIA2": {"AccessKeyLastUsed": {"ServiceName": "N/A"}},
    }
    one, two, three = listed(answer, used)
    assert one == Credential(
        kind="access-key", id="AKIA1", active=True, created_at=when(2024, 1), used_at=when(2026, 3)
    )
    assert two == Credential(kind="access-key", id="AKIA2", active=False, created_at=when(2024, 2), used_at=None)
    assert all(isinstance(value, Unknown) for value in (three.active, three.created_at, three.used_at))
    denied = Unknown("denied", "iam:GetAccessKeyLastUsed")
    assert listed(answer, denied)[0].used_at == denied


def test_other_listings() -> None:
    (key,) = listed(
        {"SSHPublicKeys": [{"SSHPublicKeyId": "APKA1", "Status": "Active", "UploadDate": "2024-01-01T00:00:00Z"}]}, {}
    )
    assert (key.kind, key.id, isinstance(key.used_at, Unknown)) == ("ssh-key", "APKA1", True)
    assert listed({"Certificates": []}, {}) == ()
    for answer in (None, {}, {"AccessKeyMetadata": None}):
        with pytest.raises(Malformed):
            listed(answer, {})


def test_services_and_actions_last_used() -> None:
    answer = {
        "JobStatus": "COMPLETED",
        "ServicesLastAccessed": [
            {
                "ServiceNamespace": "s3",
                "LastAuthenticated": "2026-03-01T00:00:00Z",
                "TrackedActionsLastAccessed": [
                    {"ActionName": "PutObject", "LastAccessedTime": when(2026, 2)},
                    {"ActionName": "GetObject"},
                    1,
                ],
            },
            {"ServiceNamespace": "ecs", "TotalAuthenticatedEntities": 0},
            {"ServiceName": "nameless"},
            7,
        ],
    }
    assert last_accessed(answer) == (
        Use(service="ecs"),
        Use(service="s3", at=when(2026, 3)),
        Use(service="s3", action="s3:GetObject"),
        Use(service="s3", action="s3:PutObject", at=when(2026, 2)),
    )


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        {"JobStatus": "IN_PROGRESS", "ServicesLastAccessed": []},
        {"JobStatus": "FAILED"},
        {"JobStatus": "COMPLETED", "ServicesLastAccessed": {}},
    ],
)
def test_a_job_that_is_not_complete_tells_nothing(answer: Any) -> None:
    with pytest.raises(Malformed):
        last_accessed(answer)
