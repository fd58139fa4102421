"""Where a sink puts its hourly files in a bucket: `LOG/YYYY/MM/DD/HH:MM:SS_HH:MM:SS_Sn.json`; `An:UNIXTIME` holds what came late.

https://cloud.google.com/logging/docs/export/storage
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from monitor.decode.gcp_catalogue import DATA_ACCESS, LOGS

_FILE = re.compile(
    r"cloudaudit\.googleapis\.com/(?:activity|data_access|system_event|policy)/(\d{4})/(\d\d)/(\d\d)/"
    r"(\d\d):(\d\d):(\d\d)_\d\d:\d\d:\d\d_(?:S\d{1,6}|A\d{1,6}(?::\d{1,20})?)\.json(?:\.gz)?",
    re.ASCII,
)
HOUR = timedelta(hours=1)


def hour_of(key: str) -> datetime | None:
    """Return when the hour of a file began (UTC); None for what is no hourly file of an audit log."""
    found = _FILE.fullmatch(key)
    if not found:
        return None
    try:
        year, month, day, hour, minute, second = map(int, found.groups())
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


def is_data_access(key: str) -> bool:
    """Return whether a file is one of the data access log, as its place says."""
    return key.startswith(f"{DATA_ACCESS}/")


def folders(first: date, last: date) -> Iterator[str]:
    """Yield the folder of each audit log and day, both days included."""
    day = first
    while day <= last:
        for log in LOGS:
            yield f"{log}/{day:%Y/%m/%d}/"
        day += timedelta(days=1)
