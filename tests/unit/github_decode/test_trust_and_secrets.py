"""Templates of token subjects, secrets' names and deploy keys, as GitHub's REST API sends them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.decode.github_secrets import deploy_keys, secrets
from monitor.decode.github_trust import organisation_template, repositories_of, repository_template
from monitor.errors import Malformed
from monitor.facts.trust import SubjectTemplate
from monitor.model import EvidenceRef, Unknown

NOW = datetime(2026, 3, 10, 2, 0, tzinfo=UTC)
MINE = (EvidenceRef(kind="capture", name="GET /repos/example-org/shop/actions/oidc/customization/sub"),)
THEIRS = (EvidenceRef(kind="capture", name="GET /orgs/example-org/actions/oidc/customization/sub"),)
ORG = SubjectTemplate(organisation="example-org", keys=("repository_owner", "environment"), at=NOW, evidence=THEIRS)


def body(value: Any) -> bytes:
    return json.dumps(value).encode()


def of_organisation(value: Any) -> SubjectTemplate:
    return organisation_template(body(value), "example-org", NOW, THEIRS)


def of_repository(value: Any, organisation: SubjectTemplate = ORG) -> SubjectTemplate:
    return repository_template(body(value), organisation, 7, "example-org/shop", NOW, MINE)


# Templates.


def test_an_organisation_has_the_keys_that_it_names():
    found = of_organisation({"include_claim_keys": ["repo", "job_workflow_ref"]})
    assert found.keys == ("repo", "job_workflow_ref")
    assert (found.organisation, found.repository_id, found.immutable) == ("example-org", 0, None)


@pytest.mark.parametrize("value", [{}, {"include_claim_keys": []}, {"include_claim_keys": None}])
def test_an_organisation_that_names_no_keys_has_the_default(value: Any):
    assert of_organisation(value).keys == ("repo", "context")


def test_a_repository_with_the_default_ignores_its_keys_and_its_organisations():
    found = of_repository({"use_default": True, "include_claim_keys": ["actor"]})
    assert (found.keys, found.evidence) == (("repo", "context"), MINE)


def test_a_repository_that_left_the_default_has_its_own_keys():
    assert of_repository({"use_default": False, "include_claim_keys": ["actor"]}).keys == ("actor",)


def test_a_repository_that_left_the_default_and_names_none_has_its_organisations():
    found = of_repository({"use_default": False})
    assert found.keys == ("repository_owner", "environment")
    assert found.evidence == (*MINE, *THEIRS)


def test_keys_of_an_organisation_that_was_not_read_stay_unknown():
    lost = Unknown("may not be seen", "organization_administration:read")
    unread = SubjectTemplate(organisation="example-org", keys=lost, at=NOW)
    assert of_repository({"use_default": False}, unread).keys == lost
    assert of_repository({"use_default": True}, unread).keys == ("repo", "context")


@pytest.mark.parametrize("value", [{}, {"use_default": None}, {"use_default": "true"}, {"use_default": 1}])
def test_a_repository_that_does_not_tell_whether_it_has_the_default_is_unknown(value: Any):
    assert isinstance(of_repository(value).keys, Unknown)


@pytest.mark.parametrize("keys", ["repo", [1], ["repo", ""], ["repo", None], {"a": 1}, ["x"] * 65, 7, False])
def test_keys_that_cannot_be_read_are_unknown(keys: Any):
    assert isinstance(of_organisation({"include_claim_keys": keys}).keys, Unknown)
    assert isinstance(of_repository({"use_default": False, "include_claim_keys": keys}).keys, Unknown)


@pytest.mark.parametrize(
    ("prefix", "opted", "immutable"),
    [
        ("repo:example-org@900/shop@7", True, True),
        ("repo:example-org@900/shop@7:", True, True),
        ("repo:example-org@900/shop@7", False, True),
        ("repo:example-org@900/shop@7", None, True),
        ("repo:example-org/shop", False, False),
        ("repo:example-org/shop", None, False),
        ("repo:example-org/shop", True, None),
        ("repo:example-org@900/shop", False, None),
        ("repository_id:7", True, True),
        (None, True, True),
        (None, False, None),
        (None, None, None),
        (None, "yes", None),
        ("", None, None),
        (["repo:a@1/b@2"], None, None),
    ],
)
def test_the_prefix_of_real_tokens_tells_of_the_immutable_form_before_the_switch_does(
    prefix: Any, opted: Any, immutable: bool | None
):
    value = {"use_default": True, "sub_claim_prefix": prefix, "use_immutable_subject": opted}
    found = {name: one for name, one in value.items() if one is not None}
    assert of_repository(found).immutable is immutable


@pytest.mark.parametrize("wrong", [b"", b"[]", b"null", b"3", b"{", b"\xff", b"[" * 20000])
def test_what_is_no_object_is_malformed(wrong: bytes):
    with pytest.raises(Malformed):
        organisation_template(wrong, "example-org", NOW, ())
    with pytest.raises(Malformed):
        repository_template(wrong, ORG, 7, "example-org/shop", NOW, ())
    with pytest.raises(Malformed):
        secrets(wrong, "repository")


# Which repositories subjects speak of.


@pytest.mark.parametrize(
    ("subject", "found"),
    [
        ("repo:example-org/shop:environment:production", ("example-org/shop",)),
        ("repo:Example-Org/Shop:ref:refs/heads/main", ("example-org/shop",)),
        ("repo:example-org@900/shop@7:environment:production", ("example-org/shop",)),
        ("repo:example-org/*:environment:production", ("example-org/*",)),
        ("repository:example-org/shop:actor:x", ("example-org/shop",)),
        ("repository_owner:example-org:repository:example-org/shop", ("example-org/shop",)),
        ("job_workflow_ref:example-org/flows/.github/workflows/d.yml@refs/heads/main", ("example-org/flows",)),
        ("repo:example-org/shop:job_workflow_ref:example-org/flows/.github/workflows/d.yml@v1",
         ("example-org/flows", "example-org/shop")),
        ("repository_owner:example-org", ()),
        ("organization:acme:project:x:workspace:y:run_phase:apply", ()),
        ("project_path:group/project:ref_type:branch:ref:main", ()),
        ("repo:", ()),
        ("repo:x", ()),
        ("repo:/x", ()),
        ("repo:x/", ()),
        ("repo:@1/@2", ()),
        ("", ()),
    ],
)  # fmt: skip
def test_subjects_speak_of_repositories(subject: str, found: tuple[str, ...]):
    assert repositories_of((subject,)) == found


def test_repositories_of_many_subjects_come_once_and_in_order():
    subjects = ("repo:b/b:x", "repo:a/a:y", "repo:B/B:z")
    assert repositories_of(subjects) == repositories_of(reversed(subjects)) == ("a/a", "b/b")


# Secrets and deploy keys.


def test_a_secret_has_a_name_and_dates_and_nothing_else():
    value = {
        "total_count": 1,
        "secrets": [
            {"name": "AWS_KEY", "created_at": "2024-01-02T03:04:05Z", "updated_at": "2025-01-02T05:04:05+02:00", "value": "s3"}
        ],
    }  # fmt: skip
    (found,) = secrets(body(value), "environment", "production")
    assert (found.name, found.level, found.environment) == ("AWS_KEY", "environment", "production")
    assert found.created_at == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert found.updated_at == datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert "s3" not in repr(found)


def test_dates_that_cannot_be_read_are_none():
    (found,) = secrets(body({"secrets": [{"name": "A", "created_at": 7, "updated_at": "soon"}]}), "repository")
    assert (found.created_at, found.updated_at) == (None, None)


@pytest.mark.parametrize(
    "value", [{}, {"secrets": None}, {"secrets": {}}, {"secrets": [1]}, {"secrets": [{"name": ""}]}]
)
def test_a_list_of_secrets_that_lost_a_name_is_malformed_and_not_short(value: Any):
    with pytest.raises(Malformed):
        secrets(body(value), "repository")


def test_a_deploy_key_is_read_with_its_last_use():
    value = [
        {"id": 5, "title": "ci", "read_only": True, "verified": True, "key": "ssh-ed25519 AAAA", "added_by": "dev",
         "created_at": "2024-01-02T03:04:05Z", "last_used": "2025-01-02T03:04:05Z"},
        {"id": 6, "title": None, "read_only": False, "last_used": None},
    ]  # fmt: skip
    first, second = deploy_keys(body(value))
    assert (first.id, first.title, first.read_only, first.added_by) == (5, "ci", True, "dev")
    assert first.used_at == datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert (second.title, second.read_only, second.used_at) == ("", False, None)


@pytest.mark.parametrize("told", [None, "true", 1, "absent"])
def test_a_key_that_is_not_told_to_only_read_is_taken_for_one_that_can_write(told: Any):
    value = {"id": 5} if told == "absent" else {"id": 5, "read_only": told}
    assert deploy_keys(body([value]))[0].read_only is False


@pytest.mark.parametrize("value", [{}, None, [{}], [{"id": 0}], [{"id": True}], [{"id": "5"}], [5]])
def test_a_list_of_keys_that_lost_an_id_is_malformed(value: Any):
    with pytest.raises(Malformed):
        deploy_keys(body(value))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(
        ["secrets", "name", "id", "read_only", "use_default", "include_claim_keys", "sub_claim_prefix", "created_at"]
    ), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=100)
@given(values)
def test_no_answer_raises_anything_but_malformed(value: Any):
    for decode in (
        of_organisation,
        of_repository,
        lambda one: secrets(body(one), "x"),
        lambda one: deploy_keys(body(one)),
    ):
        try:
            decode(value)
        except Malformed:
            pass


@settings(max_examples=100)
@given(st.lists(st.text(alphabet="repo:/@*1aA.\n", max_size=40)))
def test_no_subject_raises(subjects: list[str]):
    for found in repositories_of(subjects):
        assert found == found.lower()
        assert "/" in found
