"""Records of credentials being issued: by web identity, SAML, role to role, and by a service; and of signing in.

https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from monitor.example.cast import AUDIENCE, EAST, Person
from monitor.example.chance import Chance
from monitor.example.records import Record, Session, expiration, provider_arn, record, stamp

TOKEN_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def _answer(chance: Chance, session: Session) -> Record:
    return {
        "credentials": {
            "accessKeyId": session.key,
            "sessionToken": "IQoJb3JpZ2luX2VjE" + chance.text(24, TOKEN_ALPHABET) + "==",
            "expiration": expiration(session.started + session.ends),
        },
        "assumedRoleUser": {"assumedRoleId": session.principal, "arn": session.arn},
    }


def _resources(session: Session) -> list[Record]:
    return [{"accountId": session.account, "type": "AWS::IAM::Role", "ARN": session.role_arn}]


def _record(chance: Chance, name: str, session: Session, identity: Record, **more: Any) -> Record:
    request = {
        "roleArn": session.role_arn,
        "roleSessionName": session.name,
        "durationSeconds": int(session.ends / timedelta(seconds=1)),
        **more.pop("request", {}),
    }
    values: dict[str, Any] = {
        "time": stamp(session.started),
        "account": session.account,
        "region": EAST,
        "event_id": chance.uuid(),
        "request_id": chance.uuid(),
        "address": session.address,
        "agent": session.agent,
        "read_only": True,
        "resources": _resources(session),
        **more,
    }
    return record(("sts", name), identity=identity, request=request, **values)


def web_identity(chance: Chance, session: Session, subject: str, **more: Any) -> Record:
    """Return the exchange of a GitHub Actions token with this subject for the session's credentials."""
    provider = provider_arn(session.account)
    identity = {
        "type": "WebIdentityUser",
        "principalId": f"{provider}:{AUDIENCE}:{subject}",
        "userName": subject,
        "identityProvider": provider,
    }
    answer = _answer(chance, session)
    response = {
        "credentials": answer["credentials"],
        "subjectFromWebIdentityToken": subject,
        "assumedRoleUser": answer["assumedRoleUser"],
        "provider": provider,
        "audience": AUDIENCE,
    }
    return _record(chance, "AssumeRoleWithWebIdentity", session, identity, response=response, **more)


def saml(chance: Chance, session: Session, person: Person, **more: Any) -> Record:
    """Return the exchange by which single sign-on gave a person the session's credentials."""
    provider = f"arn:aws:iam::{session.account}:saml-provider/AWSSSO_3f9d1c2b4a5e6f70_DO_NOT_DELETE"
    qualifier = "Q2VudHJlRXhhbXBsZTAwMDAwMDA="
    identity = {
        "type": "SAMLUser",
        "principalId": f"{qualifier}:{person.mail}",
        "userName": person.mail,
        "identityProvider": qualifier,
    }
    response = {
        **_answer(chance, session),
        "subject": person.mail,
        "subjectType": "persistent",
        "issuer": "https://portal.sso.us-east-1.amazonaws.com/saml/assertion/example",
        "audience": "https://signin.aws.amazon.com/saml",
        "nameQualifier": qualifier,
    }
    request = {"principalArn": provider, "sAMLAssertionID": f"_{chance.uuid()}"}
    return _record(chance, "AssumeRoleWithSAML", session, identity, request=request, response=response, **more)


def by_service(chance: Chance, session: Session, service: str, **more: Any) -> Record:
    """Return the exchange by which an AWS service took the role."""
    host = f"{service}.amazonaws.com"
    more = {"address": host, "agent": host, **more}
    identity = {"type": "AWSService", "invokedBy": host}
    return _record(chance, "AssumeRole", session, identity, response=_answer(chance, session), **more)


def by_role(chance: Chance, session: Session, source: Session, **more: Any) -> list[Record]:
    """Return the exchange by which one session took another role: the caller's record, then the other account's if it differs.

    Both records share `sharedEventID`; the second knows the caller only as an AWSAccount with a principal id.
    """
    more = {"address": source.address, "agent": source.agent, **more}
    answer = _answer(chance, session)
    if source.account == session.account:
        return [_record(chance, "AssumeRole", session, source.identity(), response=answer, **more)]
    shared = chance.uuid()
    caller = _record(
        chance,
        "AssumeRole",
        session,
        source.identity(),
        response=answer,
        sharedEventID=shared,
        **{**more, "account": source.account},
    )
    stranger = {"type": "AWSAccount", "principalId": source.principal, "accountId": source.account}
    other = _record(chance, "AssumeRole", session, stranger, response=answer, sharedEventID=shared, **more)
    return [caller, other]


def by_user(chance: Chance, session: Session, identity: Record, **more: Any) -> Record:
    """Return the exchange by which an IAM user took the role."""
    return _record(chance, "AssumeRole", session, identity, response=_answer(chance, session), **more)


def console_login(chance: Chance, session: Session, **more: Any) -> Record:
    """Return the sign-in of the session's holder at the console. CloudTrail marks it as no read, and as AwsConsoleSignIn."""
    values: dict[str, Any] = {
        "time": stamp(session.started),
        "account": session.account,
        "region": EAST,
        "event_id": chance.uuid(),
        "request_id": "",
        "address": session.address,
        "agent": session.agent,
        "response": {"ConsoleLogin": "Success"},
        "additionalEventData": {"MobileVersion": "No", "MFAUsed": "No"},
        "eventType": "AwsConsoleSignIn",
        "requestID": ...,
        **more,
    }
    return record(("signin", "ConsoleLogin"), identity=session.identity(accessKeyId=...), **values)


def session_token(chance: Chance, account: str, identity: Record, moment: str, **more: Any) -> Record:
    """Return an IAM user's GetSessionToken."""
    user = str(identity.get("userName", ""))
    response = {
        "credentials": {
            "accessKeyId": chance.access_key(),
            "sessionToken": "FwoGZXIvYXdzE" + chance.text(24, TOKEN_ALPHABET) + "==",
            "expiration": "Mar 31, 2026, 11:00:00 PM",
        }
    }
    values: dict[str, Any] = {
        "time": moment,
        "account": account,
        "region": EAST,
        "event_id": chance.uuid(),
        "request_id": chance.uuid(),
        "read_only": True,
        "request": {"durationSeconds": 3600, "serialNumber": f"arn:aws:iam::{account}:mfa/{user}"},
        "response": response,
        **more,
    }
    return record(("sts", "GetSessionToken"), identity=identity, **values)
