"""How much of the audit log a filter of Cloud Logging lets through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.decode.gcp_log_filter import DEEPEST, LONGEST, Extent, extent
from tests.fakes.gcp.log_settings import ACTIVITY, DATA_ACCESS, DEFAULT, REQUIRED

ALL, SOME, NONE, UNCLEAR = Extent
P = "example-prod"
NAMED = f"projects/{P}/logs/cloudaudit.googleapis.com%2Factivity"


@pytest.mark.parametrize(
    ("text", "changes", "issuing"),
    [
        ("", ALL, ALL),
        ("  \n -- everything\n", ALL, ALL),
        (REQUIRED, ALL, NONE),
        (DEFAULT, NONE, ALL),
        ('logName:"cloudaudit.googleapis.com"', ALL, ALL),
        ("logName:cloudaudit.googleapis.com", ALL, ALL),
        ("LOGNAME : 'CloudAudit.GoogleAPIs.com'", ALL, ALL),
        ('log_name:"cloudaudit.googleapis.com%2Factivity"', ALL, NONE),
        ('log_id("cloudaudit.googleapis.com/activity")', ALL, NONE),
        (f'LOG_ID("{ACTIVITY}") OR LOG_ID("{DATA_ACCESS}")', ALL, ALL),
        (f'(LOG_ID("{ACTIVITY}")) OR (LOG_ID("{DATA_ACCESS}"))', ALL, ALL),
        (f'logName="{NAMED}"', ALL, NONE),
        (f'logName="{NAMED}" OR severity>=ERROR', ALL, SOME),
        (f'logName=("{NAMED}" OR "projects/{P}/logs/other")', ALL, NONE),
        (f'logName!="{NAMED}"', NONE, ALL),
        ('logName="projects/another-one/logs/cloudaudit.googleapis.com%2Factivity"', NONE, NONE),
        ('protoPayload.@type="type.googleapis.com/google.cloud.audit.AuditLog"', ALL, ALL),
        ('LOG_ID("syslog")', NONE, NONE),
        # Narrowed plainly.
        ("severity>=ERROR", SOME, SOME),
        ('logName:"cloudaudit.googleapis.com" severity>=ERROR', SOME, SOME),
        ('logName:"cloudaudit.googleapis.com" AND resource.type="gce_instance"', SOME, SOME),
        ('logName:"cloudaudit.googleapis.com" -protoPayload.methodName:"Delete"', SOME, SOME),
        ('logName:"cloudaudit.googleapis.com" NOT protoPayload.methodName:"Delete"', SOME, SOME),
        ('labels."compute.googleapis.com/x"=y', SOME, SOME),
        ("sample(insertId, 0.5)", SOME, SOME),
        ('NOT logName:"cloudaudit.googleapis.com"', NONE, NONE),
        # OR binds more than AND does.
        (f'severity>=ERROR AND LOG_ID("{ACTIVITY}") OR LOG_ID("{DATA_ACCESS}")', SOME, SOME),
        (f'LOG_ID("{ACTIVITY}") OR severity>=ERROR LOG_ID("{ACTIVITY}")', ALL, NONE),
        ("severity>=DEFAULT", ALL, ALL),
        # It may be all or nothing.
        ('"cloudaudit.googleapis.com"', UNCLEAR, UNCLEAR),
        ("severity>=ERROR OR severity<ERROR", UNCLEAR, UNCLEAR),
        ('logName=~"cloudaudit.*"', UNCLEAR, UNCLEAR),
        ('logName:"cloudaudit.googleapis.com/activity"', UNCLEAR, NONE),
        ('logName="projects/415104041262/logs/cloudaudit.googleapis.com%2Factivity"', UNCLEAR, UNCLEAR),
        (f'resource.labels.project_id="{P}"', UNCLEAR, UNCLEAR),
        ("unheard.of=1", UNCLEAR, UNCLEAR),
        ("protoPayload.methodName:*", UNCLEAR, UNCLEAR),
        ('SEARCH("activity")', UNCLEAR, UNCLEAR),
        # Not understood.
        ("((", UNCLEAR, UNCLEAR),
        ("NOT", UNCLEAR, UNCLEAR),
        ("a AND OR b", UNCLEAR, UNCLEAR),
        ("logName:", UNCLEAR, UNCLEAR),
        (f'LOG_ID("{ACTIVITY}"', UNCLEAR, UNCLEAR),
        ('"unended', UNCLEAR, UNCLEAR),
        ("(" * (DEEPEST + 1) + "severity=ERROR" + ")" * (DEEPEST + 1), UNCLEAR, UNCLEAR),
        (" " * (LONGEST + 1), UNCLEAR, UNCLEAR),
    ],
)
def test_what_a_filter_lets_through(text: str, changes: Extent, issuing: Extent) -> None:
    assert (extent(text, ACTIVITY, P), extent(text, DATA_ACCESS, P)) == (changes, issuing)


PIECES = (
    "AND",
    "OR",
    "NOT",
    "-",
    "(",
    ")",
    ",",
    '"',
    "'",
    "\\",
    "=",
    ":",
    "severity",
    "LOG_ID",
    f'"{ACTIVITY}"',
    "--",
    "\n",
)


@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=30).map(" ".join)))
def test_no_text_makes_it_raise(text: str) -> None:
    assert extent(text, ACTIVITY, P) in set(Extent)
    if extent(text, ACTIVITY, P) is ALL and text.strip():
        assert extent(f"NOT ({text})", ACTIVITY, P) in (NONE, UNCLEAR)
