"""The identity providers of one account: whose tokens and assertions its roles can trust at all.

Needs iam:ListOpenIDConnectProviders, iam:GetOpenIDConnectProvider, iam:ListSAMLProviders.
"""

from __future__ import annotations

from typing import Any

import msgspec

from monitor.decode.aws_iam import oidc_provider
from monitor.decode.aws_trust import OidcProvider
from monitor.facts.identity import Identity
from monitor.model import EvidenceRef, Unknown
from monitor.sources.aws.iam_asking import Questions, Reply


class Providers(msgspec.Struct, frozen=True, kw_only=True):
    """The OIDC providers by ARN, the ARNs of the SAML providers, what failed, and the captures that tell of each kind."""

    tokens: dict[str, OidcProvider] | Unknown
    saml: frozenset[str] | Unknown
    failed: tuple[Reply, ...] = ()
    evidence: dict[str, tuple[EvidenceRef, ...]] = {}
    """By ARN of an OIDC provider; what lists each kind under `token` and `saml`."""

    def told(self, one: Identity) -> Identity:
        """Return an identity that cites the captures of the providers it trusts, and whose gone SAML providers are dead."""
        if not isinstance(one.trust, tuple):
            return one
        evidence = [*one.evidence]
        trust = []
        for path in one.trust:
            evidence += (*self.evidence.get(path.kind, ()), *self.evidence.get(path.principal, ()))
            # Roles trust the SAML providers of their own account only.
            # https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_saml.html
            gone = isinstance(self.saml, frozenset) and path.principal not in self.saml
            if path.kind == "saml" and gone and not path.dead:
                path = msgspec.structs.replace(path, dead=f"the account has no identity provider {path.principal}")
            trust.append(path)
        return msgspec.structs.replace(one, trust=tuple(trust), evidence=tuple(dict.fromkeys(evidence)))


def read(account: str, questions: Questions) -> Providers:
    """Return the providers of an account. One that is listed but cannot be read is there all the same."""
    signed = questions.ask("iam", "ListSAMLProviders", account)
    listed = questions.ask("iam", "ListOpenIDConnectProviders", account)
    failed = [reply for reply in (signed, listed) if reply.error]
    evidence = {"saml": signed.evidence, "token": listed.evidence}
    found: dict[str, OidcProvider] = {}
    for arn in _arns(listed, "OpenIDConnectProviderList"):
        reply = questions.ask("iam", "GetOpenIDConnectProvider", account, OpenIDConnectProviderArn=arn)
        evidence[arn] = reply.evidence
        found[arn] = oidc_provider(reply.answer, arn)
        if reply.error is not None:
            # Its ARN names its issuer; whose tokens it accepts is not known.
            found[arn] = msgspec.structs.replace(found[arn], client_ids=reply.unknown())
            failed.append(reply)
    return Providers(
        tokens=listed.unknown() if listed.error else found,
        saml=signed.unknown() if signed.error else frozenset(_arns(signed, "SAMLProviderList")),
        failed=tuple(failed),
        evidence=evidence,
    )


def _arns(reply: Reply, name: str) -> list[str]:
    listed: Any = reply.answer.get(name)
    entries = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return [arn for one in entries if isinstance(arn := one.get("Arn"), str)]
