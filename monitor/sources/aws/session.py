"""Clients for AWS: live ones with sane retries, in a role of each account; replayed ones that know no network.

Every error of boto3 becomes one of ours in `call`, and nowhere else.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import partial
from typing import Any, Protocol

import botocore.session
from botocore import UNSIGNED
from botocore.client import BaseClient
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    Credentials,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from botocore.parsers import ResponseParserError

from monitor.errors import Denied, Malformed, SourceError, Throttled, Unavailable
from monitor.model import Capture
from monitor.sources.aws.http_seam import SOURCE, replay

ATTEMPTS = 5
_SESSION_NAME = "control-monitor"
# https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/CommonErrors.html
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "NotAuthorized",
        "OptInRequired",
        "SignatureDoesNotMatch",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
    }
)
_THROTTLED = frozenset(
    {
        "RequestLimitExceeded",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
# What botocore's parser raises on an answer whose types are not those of the service's model.
_UNREADABLE = (ResponseParserError, ValueError, TypeError, AttributeError, LookupError, RecursionError)


class ClientFactory(Protocol):
    """Gives a fresh client for a service in an account and region; raises SourceError where there can be none."""

    def __call__(self, service: str, account: str, region: str) -> BaseClient: ...


class LiveClients:
    """Clients that ask AWS: in the named role of each account, or with own credentials, which must be that account's."""

    def __init__(self, role: str | None = None, *, endpoint_url: str | None = None, attempts: int = ATTEMPTS) -> None:
        self._role = role
        self._endpoint_url = endpoint_url
        self._config = Config(
            retries={"mode": "standard", "total_max_attempts": attempts},
            connect_timeout=5,
            read_timeout=30,
            user_agent_extra=_SESSION_NAME,
        )
        self._own = botocore.session.Session()
        self._identity: dict[str, Any] | None = None
        self._sessions: dict[str, botocore.session.Session] = {}

    def __call__(self, service: str, account: str, region: str) -> BaseClient:
        session = self._sessions.get(account)
        if session is None:
            session = self._sessions[account] = self._session(account, region)
        return self._client(session, service, region)

    def _client(self, session: botocore.session.Session, service: str, region: str) -> BaseClient:
        try:
            client: BaseClient = session.create_client(
                service, region_name=region, endpoint_url=self._endpoint_url, config=self._config
            )
        except (BotoCoreError, ValueError) as broken:
            raise Unavailable(f"no client for {service} in {region}: {broken}", source=SOURCE) from broken
        return client

    def _session(self, account: str, region: str) -> botocore.session.Session:
        scope = f"aws:{account}"
        if self._identity is None:
            sts = self._client(self._own, "sts", region)
            self._identity = call(sts, "get_caller_identity", "sts:GetCallerIdentity", scope) or {}
        own = self._identity
        if not self._role:
            if own.get("Account") != account:
                raise Denied(
                    f"own credentials are of account {own.get('Account')}, so they say nothing of account {account}",
                    permission=f"a role to read account {account} (setting aws.trail_settings.role)",
                    source=SOURCE,
                    scope=scope,
                )
            return self._own
        partition = str(own.get("Arn", "arn:aws:")).split(":")[1]
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=partial(
                self._own.create_client, region_name=region, endpoint_url=self._endpoint_url, config=self._config
            ),
            source_credentials=self._own.get_credentials(),
            role_arn=f"arn:{partition}:iam::{account}:role/{self._role}",
            extra_args={"RoleSessionName": _SESSION_NAME},
        )
        session = botocore.session.Session()
        assumed = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")
        session.register_component("credential_provider", CredentialResolver([_Given(assumed)]))
        return session


class _Given(CredentialProvider):
    """Hands a session credentials that refresh themselves."""

    METHOD = CANONICAL_NAME = "control-monitor"

    def __init__(self, credentials: DeferredRefreshableCredentials) -> None:
        super().__init__()
        self._credentials = credentials

    def load(self) -> Credentials:
        return self._credentials


class ReplayClients:
    """Clients that captures answer: no network, no credentials, no settings of this machine's user."""

    def __init__(self, captures: Iterable[Capture]) -> None:
        self._captures = tuple(captures)
        nowhere = {"config_file": (None, None, os.devnull, None), "credentials_file": (None, None, os.devnull, None)}
        self._session = botocore.session.Session(session_vars={"profile": (None, None, None, None), **nowhere})
        self._config = Config(signature_version=UNSIGNED, retries={"mode": "standard", "total_max_attempts": 1})

    def __call__(self, service: str, account: str, region: str) -> BaseClient:
        client: BaseClient = self._session.create_client(service, region_name=region, config=self._config)
        replay(client, self._captures, f"aws:{account}:{region}")
        return client


def call(
    client: BaseClient, operation: str, permission: str, scope: str, absent: Iterable[str] = (), **params: Any
) -> dict[str, Any] | None:
    """Return what the operation answers, parsed; None where it says by one of the `absent` codes that there is nothing.

    Raises Denied (naming the permission), Throttled, Unavailable or Malformed.
    """
    try:
        answer: dict[str, Any] = getattr(client, operation)(**params)
    except ClientError as refused:
        if refused.response.get("Error", {}).get("Code") in tuple(absent):
            return None
        raise _translated(refused, permission, scope) from refused
    except NoCredentialsError as missing:
        todo = "give the monitor AWS credentials: environment, profile, or a role of the machine"
        raise Unavailable("there are no AWS credentials", source=SOURCE, scope=scope, todo=todo) from missing
    except BotoCoreError as broken:
        todo = "check the network, then sweep again"
        raise Unavailable(f"{permission}: {broken}", source=SOURCE, scope=scope, todo=todo) from broken
    except _UNREADABLE as broken:
        what = f"the answer to {permission} cannot be read: {type(broken).__name__}: {str(broken)[:200]}"
        raise Malformed(what, source=SOURCE, scope=scope, todo="see the captured bytes") from broken
    return answer


def _translated(error: ClientError, permission: str, scope: str) -> SourceError:
    said = error.response.get("Error", {})
    code, message = str(said.get("Code", "")), str(said.get("Message", ""))[:300]
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if error.operation_name == "AssumeRole":
        permission = f"sts:AssumeRole on the monitor's role in {scope}"
    what = f"{permission}: {code}: {message}"
    if code in _THROTTLED or status == 429:
        return Throttled(what, source=SOURCE, scope=scope, todo="sweep again later")
    if code in _DENIED or status in (401, 403):
        return Denied(what, permission=permission, source=SOURCE, scope=scope)
    return Unavailable(what, source=SOURCE, scope=scope, todo="see what AWS says, then sweep again")
