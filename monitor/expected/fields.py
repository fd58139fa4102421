"""The kinds of value that expected state and settings are written in. Each says what would be right when it is wrong.

A message begins with the value (quoted, shortened); its place in the file is added by the loader.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from monitor.expected import patterns

_LONGEST_SHOWN = 120


def shown(value: object) -> str:
    """Return the value for a message: quoted, with control characters escaped, cut when it is long."""
    if not isinstance(value, (str, int, float, bool, date, type(None))):
        return f"a {'list' if isinstance(value, (list, tuple)) else 'mapping' if isinstance(value, dict) else 'value'}"
    text = repr(value[: _LONGEST_SHOWN + 1] if isinstance(value, str) else value)
    return text if len(text) <= _LONGEST_SHOWN + 2 else f"{text[:_LONGEST_SHOWN]}…'"


def _spelled(mistake: Callable[[str], str]) -> AfterValidator:
    def check(text: str) -> str:
        if wrong := mistake(text) if text else "is empty; write it or remove the entry":
            raise ValueError(f"{shown(text)} {wrong}")
        return text

    return AfterValidator(check)


def shaped(shape: str, right: str) -> AfterValidator:
    """Return the validator of a text that must have this shape as a whole; `right` says what would be right."""
    form = re.compile(shape)
    return _spelled(lambda text: "" if form.fullmatch(text) else right)


def _text_mistake(text: str) -> str:
    if not text.strip():
        return "is blank; write it, since a reader of the evidence will ask"
    return "" if len(text) <= 2000 else f"is {len(text)} characters long; at most 2000 are kept"


_REGION = r"[a-z]{2,4}(-[a-z]+){1,2}-[0-9]{1,2}"


def _region_mistake(text: str) -> str:
    if re.fullmatch(_REGION, text):
        return ""
    if re.fullmatch(_REGION + "[a-z]", text):
        return f"is a zone; write its region, {text[:-1]}"
    if re.fullmatch(_REGION, text.lower()):
        return f"has capitals; write {text.lower()}"
    return "is not a region; write it as eu-west-1"


def _bucket_mistake(text: str) -> str:
    if text.startswith("s3:"):
        name = text.removeprefix("s3:").strip("/").partition("/")[0]
        return f"is an address; write the bucket's name alone: {shown(name)}"
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    right = "is not the name of a bucket; write 3 to 63 lower-case letters, digits, '-' and '.'"
    return "" if re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", text) else right


def bucket_mistake(text: str) -> str:
    """Return what is wrong with the name of a bucket and what would be right; empty when nothing is."""
    return _bucket_mistake(text) if text else "is empty; write the bucket's name"


_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?([Zz]|[+-]\d{2}:\d{2})?", re.ASCII)

_MOMENT_RIGHT = "write it with its zone, as 2026-03-14T01:00:00Z"


def moment(value: object) -> datetime:
    """Return the moment in UTC that a text or an aware datetime stands for; raises ValueError saying what would be."""
    found = value
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        try:
            found = datetime.fromisoformat(value.upper())
        except ValueError as error:
            raise ValueError(f"{shown(value)} is no moment ({error}); {_MOMENT_RIGHT}") from error
    if isinstance(found, datetime):
        return _in_utc(found)
    raise ValueError(f"{shown(value)} is not a date and time; {_MOMENT_RIGHT}")


def _in_utc(found: datetime) -> datetime:
    written = shown(found.isoformat())
    if found.utcoffset() is None:
        raise ValueError(f"{written} has no zone; write UTC as 2026-03-14T01:00:00Z, or an offset as +01:00")
    try:
        return found.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{written} lies outside the calendar; {_MOMENT_RIGHT}") from error


def day(value: object) -> date:
    """Return the day that a text or a date stands for; raises ValueError with what would be right."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            raise ValueError(f"{shown(value)} is no day ({error}); write it as 2026-12-31") from error
    raise ValueError(f"{shown(str(value))} is not a day; write it as 2026-12-31")


def _pattern(regex: str, example: str) -> Any:
    return Field(json_schema_extra={"pattern": regex, "examples": [example]})


Text = Annotated[str, _spelled(_text_mistake), Field(json_schema_extra={"minLength": 1})]
"""Words for a reader; never blank."""
_ID = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
Id = Annotated[
    str,
    shaped(_ID, "is not an id; write up to 64 letters, digits, '.', '_' and '-', beginning with a letter or digit"),
    _pattern(f"^{_ID}$", "payments-deploy"),
]
"""A name by which other sections, results and waivers refer to an entry."""
AccountId = Annotated[str, _spelled(patterns.account_mistake), _pattern("^[0-9]{12}$", "111122223333")]
"""An AWS account number: 12 digits, as text."""
ProjectId = Annotated[
    str, _spelled(patterns.project_mistake), _pattern("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", "example-prod")
]
"""The id of a project of GCP."""
Region = Annotated[str, _spelled(_region_mistake), _pattern(f"^{_REGION}$", "eu-west-1")]
"""A region's code."""
OrganizationId = Annotated[
    str,
    shaped(r"o-[a-z0-9]{10,32}", "is not an organisation's id; write it as o-exampleorgid"),
    _pattern("^o-[a-z0-9]{10,32}$", "o-exampleorgid"),
]
"""The id of an AWS organisation."""
OrganizationName = Annotated[
    str,
    shaped(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}", "is not an organisation's name; write it as example-org"),
    _pattern("^[A-Za-z0-9][A-Za-z0-9-]{0,38}$", "example-org"),
]
"""The login of an organisation on a forge."""
PrincipalPattern = Annotated[
    str,
    _spelled(patterns.principal_mistake),
    _pattern(
        r"^(arn:(aws|aws-cn|aws-us-gov):(iam|sts)::[0-9]{12}:((role|user|assumed-role|federated-user)/[!-~]+|root)"
        r"|[a-z0-9*?-]+@([a-z0-9-]+\.iam|developer|cloudbuild|appspot)\.gserviceaccount\.com"
        r"|(user|principal|system):[!-~]+)$",
        "arn:aws:iam::111122223333:role/payments-deploy",
    ),
]
"""An anchored pattern of role, user or session ARNs, of the e-mails of service accounts, or of members that call."""
SubjectPattern = Annotated[
    str, _spelled(patterns.subject_mistake), Field(json_schema_extra={"minLength": 1, "maxLength": patterns.LONGEST})
]
"""An anchored pattern of token subjects."""
ActionPattern = Annotated[
    str,
    _spelled(patterns.action_mistake),
    _pattern(r"^[a-z0-9]+([.-][a-z0-9]+)*:[A-Za-z0-9_.*?-]+$", "ecs:UpdateService"),
]
"""An anchored pattern of actions, `service:Name`."""
ServiceAccount = Annotated[
    str,
    shaped(
        r"[a-z0-9-]+@[a-z0-9-]+\.iam\.gserviceaccount\.com",
        "is not a service account; write it as reader@example-prod.iam.gserviceaccount.com",
    ),
    _pattern(r"^[a-z0-9-]+@[a-z0-9-]+\.iam\.gserviceaccount\.com$", "reader@example-prod.iam.gserviceaccount.com"),
]
"""The e-mail of a service account."""
RightPattern = Annotated[
    str,
    shaped(r"[A-Za-z0-9*?.:_-]{1,256}", "is not an action; write service:Name as ecs:Update*, or a permission of GCP"),
    _pattern(r"^[A-Za-z0-9*?.:_-]{1,256}$", "ecs:Update*"),
]
"""A pattern of what policies grant: an action of AWS, without case, or a permission of GCP."""
ServiceName = Annotated[
    str,
    shaped(
        r"[a-z0-9]+([.-][a-z0-9]+)*\.amazonaws\.com(\.cn)?",
        "is not a service that takes roles; write it as codebuild.amazonaws.com",
    ),
    _pattern(r"^[a-z0-9]+([.-][a-z0-9]+)*\.amazonaws\.com(\.cn)?$", "codebuild.amazonaws.com"),
]
"""A service of AWS as a role's trust policy names it."""
BucketName = Annotated[
    str, _spelled(_bucket_mistake), _pattern("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", "example-org-trail")
]
"""The name of a bucket."""
TrailName = Annotated[
    str,
    shaped(
        # https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-trail-naming-requirements.html
        r"[A-Za-z0-9][A-Za-z0-9._-]{2,127}",
        "is not the name of a trail; write its name alone, 3 to 128 letters, digits, '.', '_' and '-'",
    ),
    _pattern("^[A-Za-z0-9][A-Za-z0-9._-]{2,127}$", "org-trail"),
]
"""The name of a trail, not its ARN."""
Moment = Annotated[datetime, BeforeValidator(moment, json_schema_input_type=datetime)]
"""A date and time with its zone; kept in UTC."""
Day = Annotated[date, BeforeValidator(day, json_schema_input_type=date)]
"""A whole day, UTC."""
