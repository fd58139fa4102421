"""Who gives tokens on the fake: OAuth 2.0 for keys, the security token service, impersonation, the metadata server.

https://developers.google.com/identity/protocols/oauth2/service-account#httprest
https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token
https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken
https://cloud.google.com/compute/docs/metadata/querying-metadata
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.fakes.gcp.faults import Fault, answer, denied, told

KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
READER = "reader@example-tools.iam.gserviceaccount.com"
SUBJECT_TOKEN = "eyJ-subject-token-of-another-cloud-that-nobody-may-see-0123456789"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
IAM_SCOPE = "https://www.googleapis.com/auth/iam"
_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


@dataclass
class Tokens:
    """`given` are the tokens that are good, and for what they were given."""

    given: dict[str, str] = field(default_factory=dict)
    life: int = 3600
    accepted: bool = True
    impersonable: set[str] = field(default_factory=set)

    def new(self, how: str) -> str:
        token = f"ya29.secret-token-{how}-{len(self.given):04}-0123456789abcdef0123456789abcdef"
        self.given[token] = how
        return token

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Fault | None:
        """Return what is answered to a request for a token; None if it is none."""
        if path == "/token":
            return self._bearer(body)
        if path == "/sts/v1/token":
            return self._exchange(body)
        if path.endswith(":generateAccessToken"):
            return self._impersonated(path, headers, body)
        if path.startswith("/computeMetadata/") or path == "/":
            return self._metadata(path, headers)
        return None

    def _bearer(self, body: bytes) -> Fault:
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        try:
            assert form["grant_type"] == _BEARER
            claims: dict[str, Any] = jwt.decode(
                form["assertion"], KEY.public_key(), algorithms=["RS256"], options={"verify_aud": False}
            )
            assert claims["iss"] == READER
            assert claims["aud"].endswith("/token")
            # Who is to become another asks for the scope of IAM alone.
            assert claims["scope"] in (SCOPE, IAM_SCOPE)
            assert self.accepted
        except (KeyError, AssertionError, jwt.InvalidTokenError):
            return _oauth("invalid_grant", f"Invalid JWT Signature for {form.get('assertion', '')}")
        return answer({"access_token": self.new("key"), "expires_in": self.life, "token_type": "Bearer"})

    def _exchange(self, body: bytes) -> Fault:
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        if form.get("grant_type") != _EXCHANGE or form.get("subject_token") != SUBJECT_TOKEN or not self.accepted:
            return _oauth("invalid_grant", "The subject token is not accepted")
        return answer(
            {
                "access_token": self.new("federated"),
                "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
                "token_type": "Bearer",
                "expires_in": self.life,
            }
        )

    def _impersonated(self, path: str, headers: dict[str, str], body: bytes) -> Fault:
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        name = path.rpartition("/")[2].partition(":")[0]
        if bearer not in self.given or name not in self.impersonable:
            return denied("iam.serviceAccounts.getAccessToken", f"iam.googleapis.com/{name}")
        assert json.loads(body)["scope"] == [SCOPE]
        return answer({"accessToken": self.new(f"as-{name.partition('@')[0]}"), "expireTime": "2099-01-01T00:00:00Z"})

    def _metadata(self, path: str, headers: dict[str, str]) -> Fault:
        if headers.get("metadata-flavor") != "Google":
            return told(403, "Missing Metadata-Flavor")
        flavour = {"Metadata-Flavor": "Google"}
        if path.endswith("/token"):
            body = {"access_token": self.new("metadata"), "expires_in": self.life, "token_type": "Bearer"}
            return 200, {**flavour, "Content-Type": "application/json"}, json.dumps(body).encode()
        if path.endswith("/project-id"):
            return 200, {**flavour, "Content-Type": "application/text"}, b"example-tools"
        if "universe" in path:
            return 404, flavour, b""
        if "service-accounts" in path:
            body = {"email": READER, "scopes": [SCOPE]}
            return 200, {**flavour, "Content-Type": "application/json"}, json.dumps(body).encode()
        return 200, flavour, b""


def key_file(token_uri: str, key: str = PEM) -> dict[str, str]:
    """Return the key of a service account, as Google gives it."""
    return {
        "type": "service_account",
        "project_id": "example-tools",
        "private_key_id": "0123456789abcdef",
        "private_key": key,
        "client_email": READER,
        "client_id": "1",
        "token_uri": token_uri,
    }


def federation_file(token_url: str, subject_file: str) -> dict[str, Any]:
    """Return the configuration of a workload identity, as Google gives it."""
    return {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/415104041262/locations/global/workloadIdentityPools/ci/providers/ci",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": token_url,
        "credential_source": {"file": subject_file},
    }


def _oauth(error: str, description: str) -> Fault:
    return 400, {}, json.dumps({"error": error, "error_description": description}).encode()
