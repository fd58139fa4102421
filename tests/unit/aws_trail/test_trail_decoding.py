"""What AWS's answers about trails and buckets come to, and that unclear answers come to Unknown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.decode import aws_log_bucket, aws_trail
from monitor.errors import Malformed
from monitor.model import Unknown

DENIED = Unknown("denied", "s3:GetBucketPolicyStatus")
BLOCK = {"PublicAccessBlockConfiguration": {"IgnorePublicAcls": True, "RestrictPublicBuckets": True}}
ACLS_ONLY = {"PublicAccessBlockConfiguration": {"IgnorePublicAcls": True, "RestrictPublicBuckets": False}}
ENFORCED = {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}}
WRITER = {"OwnershipControls": {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}}
OPEN, CLOSED = {"PolicyStatus": {"IsPublic": True}}, {"PolicyStatus": {"IsPublic": False}}


@pytest.mark.parametrize(
    ("policy", "block", "ownership", "expected"),
    [
        (CLOSED, BLOCK, None, False),
        (None, BLOCK, None, False),
        (OPEN, BLOCK, None, False),
        (OPEN, ACLS_ONLY, None, True),
        (OPEN, None, None, True),
        (OPEN, DENIED, None, True),
        (CLOSED, ACLS_ONLY, None, False),
        (CLOSED, None, ENFORCED, False),
        (None, None, ENFORCED, False),
    ],
)
def test_whether_a_bucket_is_public_is_proven(policy: Any, block: Any, ownership: Any, expected: bool) -> None:
    assert aws_log_bucket.is_public(policy, block, ownership) is expected


@pytest.mark.parametrize(
    ("policy", "block", "ownership"),
    [
        (CLOSED, None, None),
        (CLOSED, None, WRITER),
        (CLOSED, DENIED, None),
        (CLOSED, None, DENIED),
        (DENIED, ACLS_ONLY, ENFORCED),
        ({}, ACLS_ONLY, None),
        ({"PolicyStatus": {"IsPublic": "no"}}, ACLS_ONLY, None),
    ],
)
def test_what_does_not_prove_a_bucket_closed_is_unknown(policy: Any, block: Any, ownership: Any) -> None:
    assert isinstance(aws_log_bucket.is_public(policy, block, ownership), Unknown)


def rule(expiration: Any, status: str = "Enabled", **rest: Any) -> dict[str, Any]:
    return {"Status": status, "Expiration": expiration, **rest}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([], None),
        ([rule({"Days": 30})], 30),
        ([rule({"Days": 400}), rule({"Days": 90}, Filter={"Prefix": "AWSLogs/"})], 90),
        ([rule({"Days": 30}, status="Disabled")], None),
        ([rule({"Days": 30}, Filter={"Prefix": "other/"})], None),
        ([rule({"Days": 30}, Filter={"Prefix": "AWS"})], 30),
        ([rule({"Days": 30}, Filter={"Prefix": "AWSLogs/111122223333/"})], 30),
        ([rule({"Days": 30}, Prefix="")], 30),
        ([rule({"Days": 30}, Prefix="tmp/")], None),
        ([rule({"Days": 30}, Filter={"Tag": {"Key": "a", "Value": "b"}})], None),
        ([rule({"Days": 30}, Filter={"And": {"Prefix": "AWSLogs/", "Tags": [{"Key": "a"}]}})], None),
        ([rule({"Days": 30}, Filter={"And": {"Prefix": "AWSLogs/", "ObjectSizeGreaterThan": 1}})], 30),
        ([rule({"Days": 30}, Filter={"ObjectSizeLessThan": 10_000})], 30),
        ([rule({"ExpiredObjectDeleteMarker": True})], None),
        ([rule({"Date": "2027-01-01T00:00:00Z"}), rule({"Days": 400})], 0),
        ([{"Status": "Enabled", "Transitions": [{"Days": 30, "StorageClass": "GLACIER"}]}], None),
        ([{"Status": "Enabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 30}}], None),
    ],
)
def test_the_shortest_expiration_that_hits_the_logs_counts(rules: Any, expected: int | None) -> None:
    assert aws_log_bucket.expires_after_days({"Rules": rules}, "AWSLogs/") == expected


def test_a_prefix_of_the_trail_is_considered() -> None:
    lifecycle = {"Rules": [rule({"Days": 30}, Filter={"Prefix": "AWSLogs/"})]}
    told: dict[str, Any] = {"policy_status": None, "access_block": None, "ownership": None, "versioning": None}
    store = aws_log_bucket.store_fact("b", "audit", lifecycle=lifecycle, **told)
    assert store.expires_after_days is None
    assert aws_log_bucket.store_fact("b", "", lifecycle=lifecycle, **told).expires_after_days == 30


@pytest.mark.parametrize(
    "rules", [None, 5, [5], [rule({"Days": "30"})], [rule({"Days": 0})], [rule({"Days": True})], [rule(5)]]
)
def test_a_lifecycle_that_cannot_be_read_is_unknown(rules: Any) -> None:
    assert isinstance(aws_log_bucket.expires_after_days({"Rules": rules}, "AWSLogs/"), Unknown)


def test_no_lifecycle_deletes_nothing_and_a_denied_one_is_unknown() -> None:
    assert aws_log_bucket.expires_after_days(None, "AWSLogs/") is None
    assert aws_log_bucket.expires_after_days(DENIED, "AWSLogs/") is DENIED


def classic(**selector: Any) -> dict[str, Any]:
    return {"EventSelectors": [selector]}


def advanced(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"AdvancedEventSelectors": [{"Name": "x", "FieldSelectors": list(fields)}]}


MANAGEMENT = {"Field": "eventCategory", "Equals": ["Management"]}


@pytest.mark.parametrize(
    ("selectors", "expected"),
    [
        (classic(ReadWriteType="All", IncludeManagementEvents=True), True),
        (classic(ReadWriteType="WriteOnly", IncludeManagementEvents=True), True),
        (classic(), True),
        (classic(ReadWriteType="ReadOnly", IncludeManagementEvents=True), False),
        (classic(ReadWriteType="All", IncludeManagementEvents=False), False),
        (classic(ExcludeManagementEventSources=["kms.amazonaws.com"]), False),
        (classic(ExcludeManagementEventSources=["rdsdata.amazonaws.com"]), True),
        ({"EventSelectors": []}, False),
        ({"EventSelectors": [], "AdvancedEventSelectors": []}, False),
        (advanced(MANAGEMENT), True),
        (advanced(MANAGEMENT, {"Field": "readOnly", "Equals": ["false"]}), True),
        (advanced(MANAGEMENT, {"Field": "readOnly", "Equals": ["true"]}), False),
        (advanced(MANAGEMENT, {"Field": "readOnly", "NotEquals": ["true"]}), True),
        (advanced(MANAGEMENT, {"Field": "eventSource", "NotEquals": ["rdsdata.amazonaws.com"]}), True),
        (advanced(MANAGEMENT, {"Field": "eventSource", "NotEquals": ["kms.amazonaws.com"]}), False),
        (advanced(MANAGEMENT, {"Field": "eventSource", "Equals": ["iam.amazonaws.com"]}), False),
        (advanced(MANAGEMENT, {"Field": "eventName", "NotEquals": ["CreateUser"]}), False),
        (advanced({"Field": "eventCategory", "Equals": ["Data"]}), False),
        (advanced({"Field": "readOnly", "Equals": ["false"]}), False),
        (
            {
                "AdvancedEventSelectors": [
                    *advanced()["AdvancedEventSelectors"],
                    *advanced(MANAGEMENT)["AdvancedEventSelectors"],
                ]
            },
            True,
        ),
    ],
)
def test_whether_all_management_writes_are_recorded(selectors: dict[str, Any], expected: bool) -> None:
    assert aws_trail.records_management_writes(selectors) is expected


@pytest.mark.parametrize("selectors", [None, {}, {"EventSelectors": 5}, {"AdvancedEventSelectors": [5]}, DENIED])
def test_unclear_selectors_are_unknown(selectors: Any) -> None:
    assert isinstance(aws_trail.records_management_writes(selectors), Unknown)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"IsLogging": True}, True),
        ({"IsLogging": True, "LatestDeliveryError": ""}, True),
        ({"IsLogging": False, "LatestDeliveryError": "NoSuchBucket"}, False),
    ],
)
def test_whether_a_trail_logs(status: dict[str, Any], expected: bool) -> None:
    assert aws_trail.is_logging(status) is expected


@pytest.mark.parametrize(
    "status",
    [
        None,
        {},
        {"IsLogging": "yes"},
        DENIED,
        {"IsLogging": True, "LatestDeliveryError": "NoSuchBucket"},
        {"IsLogging": True, "LatestDigestDeliveryError": "AccessDenied"},
    ],
)
def test_a_trail_of_which_it_is_not_clear_that_it_delivers_is_unknown(status: Any) -> None:
    assert isinstance(aws_trail.is_logging(status), Unknown)


def test_a_shadow_trail_belongs_to_the_account_in_its_arn() -> None:
    arn = "arn:aws:cloudtrail:eu-west-1:777788889999:trail/org-trail"
    (described,) = aws_trail.trail_descriptions({"trailList": [{"Name": "org-trail", "TrailARN": arn}]})
    assert (described.owner, described.home_region) == ("777788889999", "eu-west-1")
    fact = aws_trail.trail_fact(described, "111122223333", None, None, None)
    assert fact.account == "777788889999"
    assert isinstance(fact.all_regions, Unknown)


@pytest.mark.parametrize("answer", [None, {}, {"trailList": None}, {"trailList": ["x"]}])
def test_what_is_no_list_of_trails_is_malformed(answer: Any) -> None:
    with pytest.raises(Malformed):
        aws_trail.trail_descriptions(answer)


@pytest.mark.parametrize("keys", [None, 5, [5], [{}], [{"Fingerprint": "a", "Value": "text"}]])
def test_what_is_no_list_of_keys_is_malformed(keys: Any) -> None:
    with pytest.raises(Malformed):
        aws_trail.public_key_bytes({"PublicKeyList": keys})


NAMES = [
    "AdvancedEventSelectors",
    "And",
    "Date",
    "Days",
    "Equals",
    "EventSelectors",
    "Expiration",
    "Field",
    "FieldSelectors",
    "Filter",
    "IsLogging",
    "IsPublic",
    "ObjectOwnership",
    "OwnershipControls",
    "PolicyStatus",
    "Prefix",
    "PublicAccessBlockConfiguration",
    "Rules",
    "Status",
    "Tag",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)


@given(st.none() | st.dictionaries(st.sampled_from(NAMES), JSON))
def test_any_answer_gives_facts_and_never_raises(answer: Any) -> None:
    store = aws_log_bucket.store_fact(
        "b", "", policy_status=answer, access_block=answer, ownership=answer, lifecycle=answer, versioning=answer
    )
    assert store.name == "b"
    aws_trail.is_logging(answer)
    aws_trail.records_management_writes(answer)
