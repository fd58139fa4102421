"""Where CloudTrail puts things in a bucket. Pure.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html#cloudtrail-find-log-files
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

_LOG = re.compile(
    r"AWSLogs/(?:o-[a-z0-9]{10,32}/)?(\d{12})/CloudTrail/([a-z]{2}(?:-[a-z]+)+-\d)/(\d{4})/(\d\d)/(\d\d)/"
    r"\1_CloudTrail_\2_(\d{8}T\d{4}Z)_[A-Za-z0-9]{16}\.json\.gz"
)
_DIGEST = re.compile(
    r"AWSLogs/(?:o-[a-z0-9]{10,32}/)?(\d{12})/CloudTrail-Digest/([a-z]{2}(?:-[a-z]+)+-\d)/(\d{4})/(\d\d)/(\d\d)/"
    r"\1_CloudTrail-Digest_\2_.+_(\d{8}T\d{6}Z)(?:_backfill)?\.json\.gz"
)
REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")


def root(organization: str | None) -> str:
    """Return the prefix under which accounts stand: of an organisation's trail, or of a trail of one account."""
    return f"AWSLogs/{organization}/" if organization else "AWSLogs/"


def logs(organization: str | None, account: str) -> str:
    """Return the prefix of one account's log files; its regions stand under it."""
    return f"{root(organization)}{account}/CloudTrail/"


def digests(organization: str | None, account: str) -> str:
    """Return the prefix of one account's digest files; its regions stand under it."""
    return f"{root(organization)}{account}/CloudTrail-Digest/"


def log_time(key: str) -> datetime | None:
    """Return when a trail's log file was made, from its key under the trail's prefix; None if it is not a log file's."""
    return _named(_LOG.fullmatch(key), "%Y%m%dT%H%MZ%z")


def digest_end(key: str) -> datetime | None:
    """Return the moment at which a digest's hour ends, from its key; None if the key is not a digest's."""
    return _named(_DIGEST.fullmatch(key), "%Y%m%dT%H%M%SZ%z")


def _named(matched: re.Match[str] | None, form: str) -> datetime | None:
    if not matched:
        return None
    try:
        return datetime.strptime(matched[6] + "+0000", form)
    except ValueError:
        return None


def days(first: date, last: date) -> list[str]:
    """Return `YYYY/MM/DD/` for each day from first to last, both included."""
    return [(first + timedelta(days=n)).strftime("%Y/%m/%d/") for n in range((last - first).days + 1)]
