"""Who asks: any credential that google-auth knows, kept valid, one thread renewing while the others wait.

A service account's key, a workload identity's configuration (external_account), a person's own, another service account by
impersonation, or what the environment has (application default credentials, the metadata server).
https://cloud.google.com/docs/authentication/application-default-credentials
https://googleapis.dev/python/google-auth/latest/reference/google.auth.html
"""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec

from monitor.errors import ConfigError, Denied, SourceError
from monitor.sources.gcp.wire import SOURCE, Again, Limited, plain

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
"""IAM's methods take no narrower scope; what may be done is narrowed by the roles that are granted."""
FIRST = "a credential of Google Cloud"
_ENDPOINT = "/v1/projects/-/serviceAccounts/{}:generateAccessToken"
_SECRET = re.compile(r"\S{40,}")


class Credential(Protocol):
    """What a client asks with."""

    def headers(self, scope: str) -> Mapping[str, str]:
        """Return the headers that authorise a request now. Raises SourceError, Again and Limited among them."""

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Say that these headers were refused (401); return whether the next ones may be others."""

    def close(self) -> None:
        """Close what it asks for tokens with."""


class GoogleCredential:
    """A credential of google-auth. Thread-safe; loaded when it is first needed, so that nothing is imported for a replay."""

    def __init__(self, load: Callable[[], tuple[Any, Any]], who: str) -> None:
        """`load` returns a google-auth credential and what it asks for tokens with; `who` is for messages."""
        self._load = load
        self._who = who
        self._lock = threading.Lock()
        self._loaded: tuple[Any, Any] | None = None
        self._refused: Denied | None = None

    def headers(self, scope: str) -> Mapping[str, str]:
        """Return the headers with a token that is good for some minutes more, a new one if need be.

        Denied for a credential that is not there or not accepted; it is not tried again. Again and Limited for what may be
        better later.
        """
        with self._lock:
            if self._refused:
                raise _denied(self._refused.what, scope, self._refused.permission)
            found: dict[str, str] = {}
            failed = self._attempt(found, scope)
            if isinstance(failed, Denied):
                self._refused = failed
        if failed:
            # Outside of the handler, so that what google-auth knows does not hang on the error's context.
            raise failed
        return found

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Forget the refused token, unless another thread did already; return whether there may be another."""
        with self._lock:
            if self._loaded is None or self._refused:
                return False
            credential = self._loaded[0]
            sent = refused.get("authorization", "").partition(" ")[2]
            if sent and sent == credential.token:
                credential.token = None
            return True

    def close(self) -> None:
        """Close the connections to whoever gives tokens."""
        with self._lock:
            if self._loaded:
                self._loaded[1].close()

    def _attempt(self, into: dict[str, str], scope: str) -> SourceError | None:
        from google.auth import exceptions

        try:
            if self._loaded is None:
                self._loaded = self._load()
            credential, requests = self._loaded
            credential.before_request(requests, "GET", "", into)
        except exceptions.GoogleAuthError as failed:
            return _translated(failed, self._who, scope)
        except (ValueError, OSError, KeyError, TypeError, AttributeError) as failed:
            # google-auth reads files and answers of others, and does not foresee everything that these may hold.
            what = f"{self._who} cannot be used: {type(failed).__name__}"
            return _denied(what, scope)
        return None


def _translated(failed: Any, who: str, scope: str) -> SourceError:
    from google.auth import exceptions

    from monitor.sources.gcp.auth_http import Busy

    if isinstance(failed, Busy):
        what = f"{who} gets no token: {failed}"
        seconds = float(failed.retry_after) if re.fullmatch(r"\d{1,9}", failed.retry_after, re.ASCII) else None
        if failed.status == 429:
            limited = Limited(what, source=SOURCE, scope=scope)
            limited.seconds = seconds
            return limited
        again = Again(what, source=SOURCE, scope=scope)
        again.seconds = seconds or 0.0
        return again
    if isinstance(failed, exceptions.TransportError) or getattr(failed, "retryable", False):
        what = f"{who} gets no token: {_said(failed)}"
        return Again(what, source=SOURCE, scope=scope, todo="see whether the token endpoint can be reached")
    said = _said(failed)
    if "impersonated" in said:
        return _denied(f"{who} gets no token: {said}", scope, "roles/iam.serviceAccountTokenCreator on it to who asks")
    return _denied(f"{who} gets no token: {said}", scope)


def _said(failed: Any) -> str:
    """Return the first thing that an error of google-auth says, without whatever in it is long enough to be a secret."""
    first = failed.args[0] if failed.args else ""
    return plain(_SECRET.sub("…", first if isinstance(first, str) else type(failed).__name__))


def _denied(what: str, scope: str, permission: str = FIRST) -> Denied:
    denied = Denied(what, permission=permission, source=SOURCE, scope=scope)
    if permission == FIRST:
        denied.todo = "name a file of credentials, or set up application default credentials where the monitor runs"
    return denied


def load(file: Path | None, impersonate: str, iam_root: str, timeout: float) -> GoogleCredential:
    """Return the credential of a file, or the environment's; another service account through it if `impersonate` names one.

    `iam_root` is the address of the API that impersonates. ConfigError for a file that holds no credential; whether it is
    accepted shows when it is first used.
    """
    info = _read(file) if file else None
    who = str(file) if file else "the environment"
    if impersonate:
        who = f"{impersonate} through {who}"

    def loaded() -> tuple[Any, Any]:
        from google.auth import credentials

        from monitor.sources.gcp.auth_http import TokenRequests

        # google-auth's functions are not typed.
        scoped: Any = credentials.with_scopes_if_required
        requests = TokenRequests(timeout)
        with warnings.catch_warnings():
            # It warns of any file (of ours the operator knows), and of a person's own credentials.
            warnings.simplefilter("ignore")
            found = _of_file(info) if info is not None else _of_environment(requests)
        found = scoped(found, SCOPES)
        return (_impersonated(found, impersonate, iam_root) if impersonate else found), requests

    if info is not None:
        _try_out(info, file)
    return GoogleCredential(loaded, who)


def _of_file(info: dict[str, Any]) -> Any:
    import google.auth

    from_dict: Any = google.auth.load_credentials_from_dict
    # Without scopes yet: with them, an external account would be asked for the name of its project.
    return from_dict(info)[0]


def _of_environment(requests: Any) -> Any:
    import google.auth

    default: Any = google.auth.default
    return default(scopes=SCOPES, request=requests)[0]


def _impersonated(source: Any, principal: str, iam_root: str) -> Any:
    from google.auth import impersonated_credentials

    made: Any = impersonated_credentials.Credentials
    return made(
        source_credentials=source,
        target_principal=principal,
        target_scopes=list(SCOPES),
        iam_endpoint_override=iam_root + _ENDPOINT.format(principal),
    )


def _read(file: Path) -> dict[str, Any]:
    todo = (
        "name a key of a service account or the configuration of a workload identity, as Google Cloud gives it (JSON)"
    )
    try:
        found = msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except OSError as missing:
        why = missing.strerror or type(missing).__name__
    except (ValueError, RecursionError) as broken:
        why = f"it is no JSON object ({type(broken).__name__})"
    else:
        return found
    raise ConfigError(f"the credentials of Google Cloud cannot be read: {file}: {why}", todo=todo)


def _try_out(info: dict[str, Any], file: Path | None) -> None:
    """Raise ConfigError if google-auth takes the file for no credential. Nothing goes over the network."""
    from google.auth import exceptions

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _of_file(info)
    except (exceptions.GoogleAuthError, ValueError, TypeError, KeyError, AttributeError) as broken:
        # The text may quote the file, and the file holds a key.
        kind = type(broken).__name__
    else:
        return
    raise ConfigError(
        f"{file} holds no credential of Google Cloud that can be used ({kind})",
        todo="get the file anew: a key of a service account, or the configuration of a workload identity",
    )
