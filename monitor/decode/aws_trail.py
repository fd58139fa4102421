"""What AWS says of trails, to facts. Pure; an answer that says nothing clear gives Unknown, never a guess."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from monitor.errors import Malformed
from monitor.facts.audit_log import LogStore, LogTrail
from monitor.model import EvidenceRef, Unknown

PROVIDER = "aws"
Answer = Mapping[str, Any] | None
"""A parsed answer; None where AWS said that there is no such setting."""

# Events of the RDS Data API run SQL and change no resource; all other sources that can be left out (today AWS KMS) hold
# changes, such as ScheduleKeyDeletion. https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_EventSelector.html
_MAY_BE_LEFT_OUT = frozenset({"rdsdata.amazonaws.com"})
READ_ANEW = "read it again, and report it if it stays: AWS answered in a form that the monitor does not know"


class TrailDescription(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of DescribeTrails; `owner` is the account in the ARN, which for a shadow trail is another account."""

    name: str
    arn: str
    owner: str
    home_region: str
    bucket: str
    prefix: str
    all_regions: bool | Unknown
    organisation_wide: bool | Unknown
    validated: bool | Unknown


def trail_descriptions(answer: Answer) -> tuple[TrailDescription, ...]:
    """Return the trails of an answer to DescribeTrails; raises Malformed if it is none.

    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_DescribeTrails.html
    """
    listed = (answer or {}).get("trailList")
    if not isinstance(listed, list) or not all(isinstance(entry, Mapping) for entry in listed):
        raise Malformed("the answer to cloudtrail:DescribeTrails holds no list of trails", todo=READ_ANEW)
    return tuple(_description(entry) for entry in listed)


def trail_fact(
    description: TrailDescription,
    account: str,
    status: Answer | Unknown,
    selectors: Answer | Unknown,
    store: LogStore | None,
    evidence: tuple[EvidenceRef, ...] = (),
) -> LogTrail:
    """Return the trail as a fact; `account` is where it was seen, and stands in where the ARN names no owner."""
    return LogTrail(
        account=description.owner or account,
        provider=PROVIDER,
        name=description.name,
        identifier=description.arn,
        home_region=description.home_region,
        logging=is_logging(status),
        all_regions=description.all_regions,
        organisation_wide=description.organisation_wide,
        validated=description.validated,
        management_writes=records_management_writes(selectors),
        store=store,
        evidence=evidence,
    )


def is_logging(status: Answer | Unknown) -> bool | Unknown:
    """Return whether GetTrailStatus says that the trail is on; a trail that is on but cannot deliver is Unknown.

    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetTrailStatus.html
    """
    if isinstance(status, Unknown):
        return status
    logging = flag(status, "IsLogging", "cloudtrail:GetTrailStatus")
    trouble = (status or {}).get("LatestDeliveryError") or (status or {}).get("LatestDigestDeliveryError")
    if logging is True and trouble:
        return Unknown(
            f"it is on, but its last delivery failed: {str(trouble)[:200]}", "mend the trail's bucket and its policy"
        )
    return logging


def records_management_writes(selectors: Answer | Unknown) -> bool | Unknown:
    """Return whether GetEventSelectors says that every management event that writes is recorded.

    A selector that is narrowed by anything but "not read-only" does not count, so several narrow ones never add up.
    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html
    """
    if isinstance(selectors, Unknown):
        return selectors
    classic, advanced = ((selectors or {}).get(name) for name in ("EventSelectors", "AdvancedEventSelectors"))
    if classic is None and advanced is None:
        return Unknown("the answer to cloudtrail:GetEventSelectors names no selectors", READ_ANEW)
    if not all(
        isinstance(one, list | None) and all(isinstance(s, Mapping) for s in one or ()) for one in (classic, advanced)
    ):
        return Unknown("the answer to cloudtrail:GetEventSelectors cannot be read", READ_ANEW)
    return any(_classic_writes(one) for one in classic or ()) or any(_advanced_writes(one) for one in advanced or ())


def public_key_bytes(answer: Answer) -> dict[str, bytes]:
    """Return fingerprint → DER of an answer to ListPublicKeys; raises Malformed if it holds anything else.

    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_ListPublicKeys.html
    """
    keys: dict[str, bytes] = {}
    listed = (answer or {}).get("PublicKeyList")
    for entry in listed if isinstance(listed, list) else (None,):
        fingerprint, value = (
            (entry.get(name) for name in ("Fingerprint", "Value")) if isinstance(entry, Mapping) else (0, 0)
        )
        if not isinstance(fingerprint, str) or not isinstance(value, bytes):
            raise Malformed("the answer to cloudtrail:ListPublicKeys holds no list of keys", todo=READ_ANEW)
        keys[fingerprint] = value
    return keys


def _description(entry: Mapping[str, Any]) -> TrailDescription:
    arn = words(entry.get("TrailARN"))
    parts = arn.split(":")
    known = len(parts) >= 6 and parts[2] == "cloudtrail"
    return TrailDescription(
        name=words(entry.get("Name")),
        arn=arn,
        owner=parts[4] if known else "",
        home_region=words(entry.get("HomeRegion")) or (parts[3] if known else ""),
        bucket=words(entry.get("S3BucketName")),
        prefix=words(entry.get("S3KeyPrefix")),
        all_regions=flag(entry, "IsMultiRegionTrail", "cloudtrail:DescribeTrails"),
        organisation_wide=flag(entry, "IsOrganizationTrail", "cloudtrail:DescribeTrails"),
        validated=flag(entry, "LogFileValidationEnabled", "cloudtrail:DescribeTrails"),
    )


def words(value: Any) -> str:
    """Return the value if it is text, else nothing."""
    return value if isinstance(value, str) else ""


def flag(answer: Answer, name: str, operation: str) -> bool | Unknown:
    """Return the field if it is true or false, else Unknown that names the operation."""
    value = (answer or {}).get(name)
    return value if isinstance(value, bool) else Unknown(f"the answer to {operation} does not say {name}", READ_ANEW)


def _classic_writes(selector: Mapping[str, Any]) -> bool:
    if selector.get("IncludeManagementEvents", True) is not True:
        return False
    left_out = selector.get("ExcludeManagementEventSources") or []
    everything = isinstance(left_out, list) and all(source in _MAY_BE_LEFT_OUT for source in map(str, left_out))
    return everything and selector.get("ReadWriteType", "All") in ("All", "WriteOnly")


def _advanced_writes(selector: Mapping[str, Any]) -> bool:
    fields = selector.get("FieldSelectors")
    if not isinstance(fields, list) or not all(isinstance(field, Mapping) for field in fields):
        return False
    return any(_is_management(field) for field in fields) and all(_keeps_writes(field) for field in fields)


def _is_management(field: Mapping[str, Any]) -> bool:
    return field.get("Field") == "eventCategory" and "Management" in _values(field, "Equals")


def _keeps_writes(field: Mapping[str, Any]) -> bool:
    operators = {name for name, value in field.items() if name != "Field" and value}
    if field.get("Field") == "eventCategory":
        return operators == {"Equals"}
    if field.get("Field") == "readOnly":
        return (operators == {"Equals"} and "false" in _values(field, "Equals")) or (
            operators == {"NotEquals"} and "false" not in _values(field, "NotEquals")
        )
    left_out = set(map(str, _values(field, "NotEquals")))
    return field.get("Field") == "eventSource" and operators == {"NotEquals"} and left_out <= _MAY_BE_LEFT_OUT


def _values(field: Mapping[str, Any], operator: str) -> Sequence[Any]:
    values = field.get(operator)
    return values if isinstance(values, list) else []
