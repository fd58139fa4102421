"""Links lead where the settings say, whatever the values are."""

from __future__ import annotations

from urllib.parse import urlsplit

from hypothesis import given
from hypothesis import strategies as st

from monitor.alerts.links import SHAPES, fill, links, values_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"
EVENT = "12345678-1234-1234-1234-123456789abc"
TEMPLATES = {
    "finding": ("https://monitor.example.com/findings/{finding}",),
    "commit": ("https://github.com/{repository}/commit/{commit}",),
    "run": ("https://github.com/{repository}/actions/runs/{run}",),
    "repository": ("https://github.com/{repository}",),
    "console": (
        "https://{region}.console.aws.amazon.com/cloudtrailv2/home?region={region}#/events/{event}",
        "https://console.cloud.google.com/logs/query?project={project}",
    ),
}


def test_links_are_filled_from_scope_and_observation():
    observed = {"updates": [{"after": COMMIT}], "log": "https://github.com/example-org/payments/actions/runs/77"}
    values = values_of("F-ABCDEFGHIJ", "direct-push", "github:example-org/payments", observed)

    assert links(TEMPLATES, values) == (
        ("finding", "https://monitor.example.com/findings/F-ABCDEFGHIJ"),
        ("commit", f"https://github.com/example-org/payments/commit/{COMMIT}"),
        ("run", "https://github.com/example-org/payments/actions/runs/77"),
        ("repository", "https://github.com/example-org/payments"),
    )


def test_the_first_template_that_can_be_filled_is_the_link():
    aws = values_of("F-ABCDEFGHIJ", "x", "aws:111122223333", {"writes": [{"id": EVENT, "region": "eu-west-1"}]})
    gcp = values_of("F-ABCDEFGHIJ", "x", "gcp:example-prod", {})

    assert dict(links(TEMPLATES, aws))["console"].startswith("https://eu-west-1.console.aws.amazon.com/")
    assert dict(links(TEMPLATES, gcp))["console"] == "https://console.cloud.google.com/logs/query?project=example-prod"
    assert "console" not in dict(links(TEMPLATES, values_of("F-ABCDEFGHIJ", "x", "aws:111122223333", {})))


def test_a_value_of_another_shape_gives_no_link():
    for scope in ("github:../../evil", "github:a/..", "github:a/b/../c", "github:a@evil.example.com/b", "aws:1 2"):
        assert set(dict(links(TEMPLATES, values_of("F-ABCDEFGHIJ", "x", scope, {})))) <= {"finding"}
    assert fill("https://example.com/{run}", {"run": "1?x=2"}) == ""
    assert fill("https://example.com/{other}", {"other": "1"}) == ""


@given(
    values=st.dictionaries(st.sampled_from(sorted(SHAPES)), st.text() | st.from_regex(r"[a-z0-9/@.:-]+")),
    name=st.sampled_from(sorted(TEMPLATES)),
)
def test_no_value_moves_a_link_to_another_host(values: dict[str, str], name: str):
    for template in TEMPLATES[name]:
        if address := fill(template, values):
            host = urlsplit(address).hostname or ""
            assert host in {"github.com", "monitor.example.com", "console.cloud.google.com"} or host.endswith(
                ".console.aws.amazon.com"
            )
            assert urlsplit(address).username is None


@given(
    scope=st.text(),
    observed=st.recursive(
        st.none() | st.text() | st.integers() | st.booleans() | st.floats(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["run", "id", "sha"]), inner),
    ),
)
def test_no_observation_makes_it_fail(scope: str, observed: object):
    links(TEMPLATES, values_of("F-ABCDEFGHIJ", "x", scope, {"all": observed}))
