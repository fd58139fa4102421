"""One CloudTrail record to facts: what kind of record it is, and what was written by whom.

Pure. The order of questions is design section 6.1: not a change; failed; the provider's own service; else a write.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime

import msgspec

from monitor.decode import aws_catalogue as names
from monitor.decode.cloudtrail_identity import Holder, Holders, moment
from monitor.decode.cloudtrail_targets import targets
from monitor.decode.cloudtrail_wire import ABSENT, Wide, wide
from monitor.decode.record_kind import Kind
from monitor.errors import Malformed
from monitor.facts.change import Actor, ChangeEvent
from monitor.model import EvidenceRef

PROVIDER = "aws"
_any = msgspec.json.Decoder().decode
_ERRORS = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


class Record(msgspec.Struct, gc=False):
    """A record with its holder and its kind told."""

    body: bytes
    wide: Wide
    holder: Holder
    kind: Kind
    account: str


def record(body: bytes, decoded: Wide | None = None, account: str = "", holders: Holders | None = None) -> Record:
    """Return one record, classified. `account` is used where the record names none. Raises Malformed."""
    decoded = decoded or wide(body)
    if (not decoded.eventName or not decoded.eventSource) and decoded.eventCategory != "Insight":
        raise Malformed("eventName or eventSource is missing")
    holder = (holders or Holders()).of(decoded.userIdentity)
    if holder.wrong:
        raise Malformed(holder.wrong)
    # CloudTrail files records by the account whose they are, so the folder knows better than the caller's identity.
    where = decoded.recipientAccountId or account or holder.identity.accountId or ""
    if where and where != account and not _ACCOUNT.fullmatch(where):
        raise Malformed("recipientAccountId is not an account number")
    return Record(body, decoded, holder, kind_of(decoded, holder), where)


def kind_of(decoded: Wide, holder: Holder) -> Kind:
    """Return what kind of record this is; the first question that is answered with yes decides."""
    name, source = decoded.eventName, decoded.eventSource
    if decoded.eventCategory == "Insight":
        return Kind.DATA
    issuing = name in names.ISSUING and source in names.ISSUERS
    if issuing or (name in names.SIGN_IN_NAMES and source in names.SIGN_IN):
        return Kind.CREDENTIALS
    if decoded.readOnly or (decoded.readOnly is None and _reads(name)):
        return Kind.READ
    if _is_data(decoded):
        return Kind.DATA
    if decoded.errorCode:
        return Kind.DRY_RUN if decoded.errorCode.endswith("DryRunOperation") else Kind.ATTEMPT
    if holder.instance and name in names.TELEMETRY.get(source, ()) and not _CONSOLE.match(decoded.userAgent or ""):
        return Kind.TELEMETRY
    if decoded.eventType == "AwsServiceEvent" or holder.service:
        return Kind.SERVICE
    return Kind.WRITE


def _reads(name: str) -> bool:
    return any(name.startswith(first) and not name[len(first) : len(first) + 1].islower() for first in names.READS)


def _is_data(decoded: Wide) -> bool:
    # eventCategory is Management, Data or NetworkActivity. https://docs.aws.amazon.com/awscloudtrail/latest/userguide/
    # cloudtrail-event-reference-record-contents.html
    category, management = decoded.eventCategory, decoded.managementEvent
    if management is False or (decoded.eventName in names.CRYPTOGRAPHY and decoded.eventSource == "kms.amazonaws.com"):
        return True
    if management is None and not category:
        return decoded.eventName in names.DATA.get(decoded.eventSource, ()) or decoded.eventType == "AwsVpceEvent"
    return management is None and category in ("Data", "NetworkActivity")


_FIRST_YEAR, _LAST_YEAR = 2013, 2100
"""CloudTrail began in 2013; a year far beyond today is no time either, and no arithmetic need bear it."""
_ACCOUNT = re.compile(r"[0-9]{12}")
_CONSOLE = re.compile(
    r"console\.(?:[a-z0-9.-]+\.)?amazonaws\.com|signin\.amazonaws\.com|\[?S3Console|AWS CloudWatch Console|Mozilla/|AWS Internal"
)


def acted(item: Record) -> Actor:
    """Return who acted in this call. A user agent may incriminate, never exculpate."""
    actor = item.holder.actor or Actor()
    if item.kind is Kind.SERVICE and not actor.service:
        return msgspec.structs.replace(actor, service=item.holder.identity.invokedBy or "aws")
    if actor.human:
        return actor
    decoded = item.wide
    console = decoded.sessionCredentialFromConsole
    if console is not ABSENT and bytes(console).strip(b'"') == b"true":
        return msgspec.structs.replace(actor, human="from the console")
    if not actor.via and decoded.userAgent and _CONSOLE.match(decoded.userAgent):
        return msgspec.structs.replace(actor, human="console user agent")
    return actor


def happened(decoded: Wide) -> datetime:
    """Return when the call was made (UTC). Raises Malformed where the record does not tell."""
    found = moment(decoded.eventTime)
    if found is None or not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise Malformed("eventTime is missing or not a time in UTC")
    return found


def event_id(item: Record) -> str:
    """Return the record's id by which deliveries are deduplicated; a digest of what it says where AWS gave none."""
    if item.wide.eventID:
        return item.wide.eventID
    try:
        body = msgspec.json.encode(_any(item.body), order="deterministic")
    except (*_ERRORS, ValueError):
        body = item.body
    return "sha256:" + hashlib.sha256(body).hexdigest()


def event(
    item: Record, *, region: str = "", log_object: EvidenceRef | None = None, blinds: str | None = None
) -> ChangeEvent:
    """Return a write as a fact. Raises Malformed where who or when cannot be told apart from nonsense."""
    decoded = item.wide
    service = decoded.eventSource.removesuffix(".amazonaws.com")
    return ChangeEvent(
        id=event_id(item),
        time=happened(decoded),
        provider=PROVIDER,
        account=item.account,
        region=decoded.awsRegion or region,
        action=f"{service}:{decoded.eventName}",
        actor=acted(item),
        what=targets(decoded),
        source_ip=decoded.sourceIPAddress or "",
        user_agent=decoded.userAgent or "",
        severity=names.severity(service, decoded.eventName),
        blinds=blinding(decoded) if blinds is None else blinds,
        sha256=hashlib.sha256(item.body).hexdigest(),
        evidence=log_object,
    )


def blinding(decoded: Wide, log_buckets: frozenset[str] = frozenset()) -> str:
    """Return how a call can blind the audit log, or nothing."""
    direct = names.BLINDING.get(decoded.eventSource, {}).get(decoded.eventName, "")
    if direct or not log_buckets or decoded.eventSource != "s3.amazonaws.com":
        return direct
    effect = names.BLINDING_BUCKET.get(decoded.eventName, "")
    return effect if effect and not log_buckets.isdisjoint(targets(decoded)) else ""
