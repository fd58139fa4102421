"""The fake GitHub holds to what docs.github.com says: pages, permissions, limits, refused queries, traces of edits."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from monitor.decode.github_queries import LISTS, REPOSITORIES
from tests.fakes.github import edits, faults
from tests.fakes.github.matching import fnmatch, refs
from tests.fakes.github.scale import organisation
from tests.fakes.github.server import INSTALLATION, TOKEN, GitHubFake
from tests.fakes.github.world import ClassicRule, Environment, World

AT = datetime(2026, 3, 9, 12, 0, tzinfo=UTC)
ORG, REPO = "/orgs/example-org", "/repos/example-org/payments"
REVIEW = {"type": "pull_request", "parameters": {
    "required_approving_review_count": 2, "dismiss_stale_reviews_on_push": True, "require_code_owner_review": False,
    "require_last_push_approval": False, "required_review_thread_resolution": False, "allowed_merge_methods": ["squash"],
}}  # fmt: skip
ADMIN = {"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "pull_request"}


class Asker:
    def __init__(self, fake: GitHubFake) -> None:
        self.fake, self.token = fake, "example-token-classic"
        self.client = httpx2.Client(base_url=fake.url, timeout=10)

    def get(self, path: str, token: str | None = None) -> httpx2.Response:
        return self.client.get(path, headers={"Authorization": f"Bearer {token or self.token}"})

    def query(self, text: str, **variables: Any) -> dict[str, Any]:
        asked = {"query": text, "variables": variables}
        answer = self.client.post("/graphql", json=asked, headers={"Authorization": f"Bearer {self.token}"})
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found

    def repository(self, fields: str) -> Any:
        found = self.query(f'{{ repository(owner: "example-org", name: "payments") {{ {fields} }} }}')
        assert "errors" not in found, found
        return found["data"]["repository"]

    def refused(self, text: str) -> dict[str, Any]:
        found: dict[str, Any] = self.query(text)["errors"][0]
        return found


@pytest.fixture
def world() -> World:
    world = World()
    one = world.add("payments", branches=["main", "release/1", "feature/x"])
    one.classic.append(ClassicRule(world.number(), pattern="release/*", skip_reviews=[("User", "eve", 3)]))
    one.rulesets.append(world.ruleset("own", [REVIEW], bypass=[ADMIN]))
    one.environments.append(Environment(world.number(), "production", reviewers=[("Team", "release", 31)], wait=5))
    world.rulesets.append(
        world.ruleset("all", [{"type": "deletion"}], include=["~ALL"], exclude=["refs/heads/feature/**/*"])
    )
    return world


@pytest.fixture
def ask(world: World) -> Iterator[Asker]:
    with GitHubFake(world) as fake:
        asker = Asker(fake)
        with asker.client:
            yield asker


def links(answer: httpx2.Response) -> dict[str, str]:
    return {rel: url for url, rel in re.findall(r'<([^>]*)>; rel="(\w+)"', answer.headers.get("Link", ""))}


# Pages.


def test_a_list_is_cut_into_pages_whose_links_name_the_repository_by_id(ask: Asker, world: World):
    one = world.repositories[0]
    one.environments += [Environment(world.number(), f"stage-{n}") for n in range(69)]
    names, path, sizes = [], f"{REPO}/environments", []
    while path:
        answer = ask.get(path)
        assert answer.json()["total_count"] == 70
        page = [place["name"] for place in answer.json()["environments"]]
        names += page
        sizes.append(len(page))
        path = links(answer).get("next", "").removeprefix(ask.fake.url)
        assert path == "" or path.startswith(f"/repositories/{one.id}/environments?")

    assert sizes == [30, 30, 10]
    assert names == [place.name for place in one.environments]


def test_the_last_page_is_named_and_no_page_is_longer_than_a_hundred(ask: Asker, world: World):
    world.repositories[0].branches = [f"b{n}" for n in range(250)]
    answer = ask.get(f"{REPO}/branches?per_page=500")

    assert len(answer.json()) == 100
    assert "page=3" in links(answer)["last"]
    assert not links(ask.get(f"{REPO}/branches?per_page=100&page=3"))


def test_audit_log_and_activity_have_cursors_and_no_last_page(ask: Asker, world: World):
    for n in range(3):
        world.log("repo.access", AT + timedelta(minutes=n), "eve", world.repositories[0])
        world.move(world.repositories[0], AT + timedelta(minutes=n), "eve")
    for path in (f"{ORG}/audit-log?per_page=2", f"{REPO}/activity?per_page=2"):
        first = ask.get(path)
        assert list(links(first)) == ["next"]
        assert "after=" in links(first)["next"]
        assert len(ask.get(links(first)["next"].removeprefix(ask.fake.url)).json()) == 1


def test_the_layout_of_an_enterprise_server_is_there_and_its_links_stay_in_it(ask: Asker, world: World):
    answer = ask.get(f"/api/v3{REPO}/branches?per_page=1")
    assert links(answer)["next"].startswith(f"{ask.fake.url}/api/v3/repositories/")
    assert len(ask.get(links(answer)["next"].removeprefix(ask.fake.url)).json()) == 1
    asked = {"query": "{ rateLimit { cost } }"}
    found = ask.client.post("/api/graphql", json=asked, headers={"Authorization": "Bearer x"})
    assert found.json() == {"data": {"rateLimit": {"cost": 1}}}


# Permissions.


@pytest.mark.parametrize("level", ["read", "write"])
def test_bypass_actors_are_there_only_for_who_may_write(level: str, ask: Asker, world: World):
    world.permissions |= {"administration": level, "organization_administration": level}
    own, whole = world.repositories[0].rulesets[0].id, world.rulesets[0].id
    told = [
        ask.get(f"{REPO}/rulesets/{own}").json(),
        ask.get(f"{REPO}/rulesets/{whole}").json(),
        ask.get(f"{ORG}/rulesets/{whole}").json(),
    ]
    assert ["bypass_actors" in one for one in told] == [level == "write"] * 3
    assert ["current_user_can_bypass" in one for one in told] == [True, True, False]
    if level == "write":
        assert [one["bypass_actors"] for one in told] == [[ADMIN], [], []]

    nodes = ask.repository("rulesets(first: 9) { nodes { bypassActors(first: 9) { totalCount } } }")["rulesets"][
        "nodes"
    ]
    assert [node["bypassActors"] is None for node in nodes] == [level == "read"] * 2


def test_lists_of_rulesets_hold_no_rules_and_parents_can_be_left_out(ask: Asker):
    found = ask.get(f"{REPO}/rulesets").json()
    assert [(one["name"], one["source_type"]) for one in found] == [("own", "Repository"), ("all", "Organization")]
    assert not {"rules", "bypass_actors", "conditions"} & set(found[0])
    assert [one["name"] for one in ask.get(f"{REPO}/rulesets?includes_parents=false").json()] == ["own"]


def test_without_administration_classic_rules_are_silently_gone_and_protection_is_not_found(ask: Asker, world: World):
    fields = "branchProtectionRules(first: 9) { totalCount nodes { pattern } }"
    assert ask.repository(fields)["branchProtectionRules"]["totalCount"] == 1
    assert ask.get(f"{REPO}/branches/release/1/protection").json()["enforce_admins"]["enabled"] is True
    bare = ask.get(f"{REPO}/branches/main/protection")
    assert (bare.status_code, bare.json()["message"]) == (404, "Branch not protected")

    del world.permissions["administration"]
    hidden = ask.get(f"{REPO}/branches/release/1/protection")
    assert (hidden.status_code, hidden.json()["message"]) == (404, "Not Found")
    assert hidden.headers["X-Accepted-GitHub-Permissions"] == "administration=read"
    assert ask.repository(fields)["branchProtectionRules"] == {"totalCount": 0, "nodes": []}


def test_a_token_may_do_less_than_another_and_a_revoked_one_nothing(ask: Asker, world: World):
    ask.fake.tokens["weak"] = {"metadata": "read"}
    assert ask.get(f"{REPO}/environments", "weak").status_code == 404
    assert ask.get(f"{REPO}/environments").status_code == 200
    ask.fake.revoked.add("weak")
    refused = ask.get(f"{REPO}/environments", "weak")
    assert (refused.status_code, refused.json()["message"]) == (401, "Bad credentials")
    assert ask.client.get(REPO).status_code == 401


def test_an_installation_on_selected_repositories_does_not_see_the_others(ask: Asker, world: World):
    world.add("secret")
    world.hidden.add("secret")
    assert ask.get("/repos/example-org/secret").status_code == 404
    found = ask.get("/installation/repositories").json()
    assert ([one["name"] for one in found["repositories"]], found["repository_selection"]) == (["payments"], "selected")
    listed = ask.query('{ organization(login: "example-org") { repositories(first: 9) { totalCount } } }')
    assert listed["data"]["organization"]["repositories"]["totalCount"] == 1
    assert ask.refused('{ repository(owner: "example-org", name: "secret") { name } }')["type"] == "NOT_FOUND"


def test_classic_tokens_have_scopes_and_an_installation_is_nobody(ask: Asker):
    assert "repo" in ask.get("/user").headers["X-OAuth-Scopes"]
    assert ask.get("/user", TOKEN).status_code == 403
    assert ask.fake.kinds == ["token", "installation"]


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.mark.parametrize(
    ("change", "status", "told"),
    [
        ({}, 201, ""),
        ({"exp": AT + timedelta(minutes=12)}, 401, "too far in the future"),
        ({"exp": AT - timedelta(minutes=2)}, 401, "must be a numeric value representing the future time"),
        ({"iat": AT + timedelta(minutes=5)}, 401, "Issued at"),
        ({"key": "other"}, 401, "could not be decoded"),
    ],
    ids=["good", "too long", "expired", "not yet", "other key"],
)
def test_an_app_gets_a_token_for_a_good_assertion_alone(change: Any, status: int, told: str, key: Any, world: World):
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = {"iss": "7", "iat": AT - timedelta(minutes=1), "exp": AT + timedelta(minutes=9), **change}
    signer = rsa.generate_private_key(65537, 2048) if claims.pop("key", "") else key
    headers = {"Authorization": f"Bearer {jwt.encode(claims, signer, algorithm='RS256')}"}
    with GitHubFake(world, app_key=public, clock=lambda: AT) as fake, httpx2.Client(base_url=fake.url) as client:
        answer = client.post(f"/app/installations/{INSTALLATION}/access_tokens", headers=headers)
        plain = client.post(f"/app/installations/{INSTALLATION}/access_tokens", headers={"Authorization": "Bearer x"})

    assert plain.status_code == 401
    assert answer.status_code == status
    if status == 201:
        assert answer.json()["token"].startswith("ghs_")
        assert answer.json()["permissions"] == world.permissions
        assert answer.json()["repository_selection"] == "all"
    else:
        assert told in answer.json()["message"]


# Limits and faults.


def test_the_budget_is_told_with_each_answer_and_its_end_is_403(ask: Asker):
    ask.fake.budget = 2
    left = [ask.get(REPO) for _ in range(3)]
    assert [one.headers["X-RateLimit-Remaining"] for one in left] == ["1", "0", "0"]
    assert [one.status_code for one in left] == [200, 200, 403]
    assert left[0].headers["X-RateLimit-Resource"] == "core"
    assert ask.get("/rate_limit").json()["rate"]["remaining"] == 0


@pytest.mark.parametrize(
    ("fault", "status", "told"),
    [
        (faults.secondary(7), 403, "secondary rate limit"),
        (faults.secondary(status=429), 429, "secondary rate limit"),
        (faults.broken(502), 502, "Server Error"),
        (faults.denied(), 403, "not accessible"),
        (faults.missing(), 404, "Not Found"),
        (faults.html(), 200, "<html>"),
        (faults.used_up(2000), 403, "rate limit exceeded"),
    ],
)
def test_faults_come_as_often_as_they_are_wanted_and_then_the_truth(fault: Any, status: int, told: str, ask: Asker):
    ask.fake.faults = faults.first(1, fault, part="/environments")
    assert ask.get(REPO).status_code == 200
    wrong = ask.get(f"{REPO}/environments")
    assert wrong.status_code == status
    assert told in wrong.text
    assert wrong.headers.get("Retry-After") == ("7" if fault == faults.secondary(7) else None)
    assert ask.get(f"{REPO}/environments").status_code == 200


def test_a_body_can_be_cut_off_late_or_garbage(ask: Asker):
    ask.fake.faults = faults.first(1, faults.cut())
    with pytest.raises(httpx2.RemoteProtocolError):
        ask.get(REPO)
    ask.fake.faults = faults.first(1, faults.slow(2))
    with pytest.raises(httpx2.ReadTimeout):
        ask.client.get(REPO, headers={"Authorization": "Bearer x"}, timeout=0.1)
    ask.fake.faults = faults.first(1, faults.garbage())
    with pytest.raises(ValueError):
        json.loads(ask.get(REPO).content)


def test_faults_by_chance_are_the_same_for_the_same_seed():
    hooks = [faults.sometimes(seed, 0.3, faults.broken(), faults.denied()) for seed in (1, 1, 2)]
    rows = [[hook("GET", "/x", n) for n in range(200)] for hook in hooks]
    assert rows[0] == rows[1] != rows[2]
    assert 30 < sum(one is not None for one in rows[0]) < 90


# GraphQL.


@pytest.mark.parametrize(
    "text",
    [
        "{ organization(login: 7) { login } }",
        '{ organization(login: "example-org") { nothing } }',
        "{ organization { login } }",
        "{ organization(",
        '{ repository(owner: "a", name: "b") { visibility { name } } }',
        '{ repository(owner: "a", name: "b") { refs(first: 1) { totalCount } } }',
        '{ repository(owner: "a", name: "b") { rulesets(first: 1) { nodes { source { login } } } } }',
    ],
)
def test_a_query_that_is_not_of_the_schema_is_refused(text: str, ask: Asker):
    found = ask.query(text)
    assert "data" not in found
    assert found["errors"]


def test_pages_must_be_bounded_and_nodes_are_limited(ask: Asker):
    def asked(fields: str) -> str:
        return f'{{ organization(login: "example-org") {{ repositories({fields}) {{ totalCount }} }} }}'

    assert ask.refused(asked("after: null"))["type"] == "MISSING_PAGINATION_BOUNDARIES"
    assert ask.refused(asked("first: 101"))["type"] == "EXCESSIVE_PAGINATION"
    assert ask.query(asked("first: 100"))["data"]
    deep = "{ nodes { rulesets(first: 100) { nodes { rules(first: 100) { totalCount } } } } }"
    many = f'{{ organization(login: "example-org") {{ repositories(first: 100) {deep} }} }}'
    assert ask.refused(many)["type"] == "MAX_NODE_LIMIT_EXCEEDED"
    assert ask.query(many.replace("rules(first: 100)", "rules(first: 48)"))["data"]


def test_a_query_is_priced_by_the_lists_that_it_asks(ask: Asker):
    inner = '{ nodes { refs(refPrefix: "refs/heads/", first: 50) { totalCount } rulesets(first: 5) { totalCount } } }'
    text = f'{{ rateLimit {{ cost nodeCount }} organization(login: "example-org") {{ repositories(first: 100) {inner} }} }}'
    assert ask.query(text)["data"]["rateLimit"]["cost"] == 1
    ask.fake.priced, ask.fake.budget = True, 10
    assert ask.query(text)["data"]["rateLimit"] == {"cost": 2, "nodeCount": 100 + 100 * 50 + 100 * 5}
    assert ask.fake.budget == 8


def test_the_queries_of_the_monitor_are_within_the_limits_and_pages_join(ask: Asker, world: World):
    for n in range(5):
        world.add(f"service-{n}")
    names, after = [], None
    while True:
        found = ask.query(REPOSITORIES, organization="example-org", first=2, after=after, **dict.fromkeys(LISTS))
        assert "errors" not in found
        page = found["data"]["organization"]["repositories"]
        names += [one["nameWithOwner"] for one in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert names == [one.full_name for one in world.repositories]


def test_partial_failures_come_beside_the_rest(ask: Asker):
    found = ask.query('{ a: repository(owner: "example-org", name: "payments") { name } '
                      'b: repository(owner: "example-org", name: "nothing") { name } }')  # fmt: skip
    assert found["data"] == {"a": {"name": "payments"}, "b": None}
    assert [(one["type"], one["path"]) for one in found["errors"]] == [("NOT_FOUND", ["b"])]


def test_rules_bypasses_and_environments_are_told_with_their_contents(ask: Asker):
    found = ask.repository("""
      refs(refPrefix: "refs/heads/", first: 9) { nodes { name branchProtectionRule { pattern } } }
      branchProtectionRules(first: 1) { nodes { requiredApprovingReviewCount pushAllowances(first: 1) { totalCount }
        bypassPullRequestAllowances(first: 1) { nodes { actor { ... on User { login } } } } } }
      rulesets(first: 1, targets: [BRANCH]) { nodes { conditions { refName { include } } source { __typename }
        rules(first: 9) { nodes { type parameters { ... on PullRequestParameters { requiredApprovingReviewCount allowedMergeMethods } } } }
        bypassActors(first: 9) { nodes { bypassMode repositoryRoleName repositoryRoleDatabaseId actor { __typename } } } } }
      environments(first: 1) { nodes { name protectionRules(first: 9) { nodes { type timeout
        reviewers(first: 9) { nodes { ... on Team { slug } } } } } } }
    """)
    assert [(ref["name"], ref["branchProtectionRule"]) for ref in found["refs"]["nodes"]] == [
        ("main", None), ("release/1", {"pattern": "release/*"}), ("feature/x", None),
    ]  # fmt: skip
    rule = found["branchProtectionRules"]["nodes"][0]
    assert rule["bypassPullRequestAllowances"]["nodes"] == [{"actor": {"login": "eve"}}]
    ruleset = found["rulesets"]["nodes"][0]
    assert ruleset["rules"]["nodes"] == [
        {"type": "PULL_REQUEST", "parameters": {"requiredApprovingReviewCount": 2, "allowedMergeMethods": ["SQUASH"]}}
    ]
    assert ruleset["bypassActors"]["nodes"] == [
        {"bypassMode": "PULL_REQUEST", "repositoryRoleName": "admin", "repositoryRoleDatabaseId": 5, "actor": None}
    ]
    kinds = {one["type"]: one for one in found["environments"]["nodes"][0]["protectionRules"]["nodes"]}
    assert set(kinds) == {"WAIT_TIMER", "REQUIRED_REVIEWERS", "BRANCH_POLICY"}
    assert kinds["WAIT_TIMER"]["timeout"] == 5
    assert kinds["REQUIRED_REVIEWERS"]["reviewers"]["nodes"] == [{"slug": "release"}]


def test_a_node_is_found_again_by_its_id(ask: Asker):
    found = ask.repository("id")["id"]
    text = "query($id: ID!) { node(id: $id) { __typename ... on Repository { name } } }"
    assert ask.query(text, id=found)["data"]["node"] == {"__typename": "Repository", "name": "payments"}
    assert ask.query(text, id="R_none")["errors"][0]["type"] == "NOT_FOUND"


# Which rules apply.


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("release/*", "release/1", True), ("release/*", "release/1/2", False), ("*", "release/1", False),
        ("**/*", "a/b/c", True), ("**/main", "main", True), ("a?c", "abc", True), ("a?c", "a/c", False),
        ("v[0-9]", "v7", True), ("v[!0-9]", "v7", False), ("x[!y]z", "x/z", False), ("[z-a]", "b", False),
    ],
)  # fmt: skip
def test_patterns_are_matched_as_ruby_matches_paths(pattern: str, name: str, fits: bool):
    assert fnmatch(pattern, name) is fits


def test_excludes_win_and_nothing_applies_to_nothing():
    assert refs(["~ALL"], ["main"], "dev", "main")
    assert not refs(["~ALL"], ["~DEFAULT_BRANCH"], "main", "main")
    assert refs([], ["dev"], "main", "main")
    assert not refs([], [], "main", "main")


def test_effective_rules_are_those_of_active_rulesets_that_take_the_branch_in(ask: Asker, world: World):
    def effective(branch: str) -> list[tuple[str, str]]:
        return [(r["type"], r["ruleset_source_type"]) for r in ask.get(f"{REPO}/rules/branches/{branch}").json()]

    assert effective("main") == [("pull_request", "Repository"), ("deletion", "Organization")]
    assert effective("feature/x") == []
    world.edit_ruleset(world.repositories[0], world.repositories[0].rulesets[0], AT, "eve", enforcement="evaluate")
    assert effective("main") == [("deletion", "Organization")]
    assert [b["protected"] for b in ask.get(f"{REPO}/branches").json()] == [True, True, False]


# Edits leave traces.


def events(ask: Asker, phrase: str = "", **more: str) -> list[dict[str, Any]]:
    query = "&".join(
        f"{name}={value}" for name, value in {"phrase": phrase, "order": "asc", "per_page": "100", **more}.items()
    )
    answer = ask.get(f"{ORG}/audit-log?{query}")
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()
    return found


def test_a_ruleset_switched_off_is_in_audit_log_history_and_settings(ask: Asker, world: World):
    one = world.repositories[0]
    rule = one.rulesets[0]
    world.edit_ruleset(one, rule, AT, "eve", enforcement="disabled")

    event = events(ask)[-1]
    assert (event["action"], event["actor"], event["ruleset_id"]) == ("repository_ruleset.update", "eve", rule.id)
    assert (event["ruleset_old_enforcement"], event["ruleset_enforcement"]) == ("enabled", "disabled")
    path = f"{REPO}/rulesets/{rule.id}"
    versions = ask.get(f"{path}/history").json()
    assert all("state" not in one for one in versions)
    states = [ask.get(f"{path}/history/{one['version_id']}").json()["state"]["enforcement"] for one in versions]
    assert states == ["disabled", "active"]
    assert ask.get(path).json()["enforcement"] == "disabled"
    assert ask.get(path).json()["updated_at"] == versions[0]["updated_at"] == "2026-03-09T12:00:00Z"


@pytest.mark.parametrize(
    ("change", "actions"),
    [
        ({"admins": False}, {"update_admin_enforced": ("admin_enforced", False)}),
        ({"force_push": True}, {"update_allow_force_pushes_enforcement_level": ("allow_force_pushes_enforcement_level", 2)}),
        ({"approvals": 3}, {"update_required_approving_review_count": ("required_approving_review_count", 3)}),
        ({"approvals": None}, {"update_pull_request_reviews_enforcement_level": ("pull_request_reviews_enforcement_level", 0)}),
        ({"pattern": "rel/*"}, {"update_name": ("name", "rel/*")}),
        ({"admins": True}, {}),
        ({"strict": False, "lock": True}, {
            "update_strict_required_status_checks_policy": ("strict_required_status_checks_policy", False),
            "update_lock_branch_enforcement_level": ("lock_branch_enforcement_level", 2),
        }),
    ],
    ids=str,
)  # fmt: skip
def test_an_edit_of_a_classic_rule_appends_an_event_for_each_change(
    change: Any, actions: Any, ask: Asker, world: World
):
    one = world.repositories[0]
    edits.edit_classic(world, one, one.classic[0], AT, "release-bot[bot]", **change)

    found = {e["action"].removeprefix("protected_branch."): e for e in events(ask)}
    assert set(found) == set(actions)
    for action, (field, value) in actions.items():
        assert found[action][field] == value
        assert found[action]["actor_is_bot"] is True
        assert found[action]["repo"] == "example-org/payments"


def test_other_mutators_append_events_too(ask: Asker, world: World):
    one = world.repositories[0]
    edits.switch_classic(world, one, False, AT, "eve")
    made = edits.add_ruleset(world, one, AT, "eve", "new", [{"type": "deletion"}])
    edits.remove_ruleset(world, one, made, AT, "eve")
    head = edits.override(world, one, AT, "eve")
    world.restore_classic(one, world.remove_classic(one, AT, "eve"), AT, "eve")

    found = events(ask)
    assert [e["action"] for e in found] == [
        "repository_branch_protection_evaluation.disable", "repository_ruleset.create", "repository_ruleset.destroy",
        "protected_branch.policy_override", "protected_branch.destroy", "protected_branch.create",
    ]  # fmt: skip
    assert found[3]["after"] == head == ask.get(f"{REPO}/activity").json()[0]["after"]
    assert len({e["_document_id"] for e in found}) == len(found)
    assert ask.get(f"{REPO}/rulesets/{made.id}").status_code == 404


# What looks back.


def test_the_audit_log_honours_created_include_and_how_long_it_is_kept(ask: Asker, world: World):
    for days, action in ((0, "a.one"), (10, "git.push"), (100, "a.old"), (200, "a.gone")):
        world.log(action, AT - timedelta(days=days), "eve")
    world.log("git.push", AT - timedelta(days=1), "eve")

    def actions(phrase: str = "", **more: str) -> list[str]:
        return [e["action"] for e in events(ask, phrase, **more)]

    assert actions(include="all") == ["a.gone", "a.old", "git.push", "git.push", "a.one"]
    world.now = AT + timedelta(hours=1)
    assert actions() == ["a.one"]
    assert actions("created:2025-01-01..2026-03-31") == ["a.old", "a.one"]
    assert actions(include="git") == ["git.push"]
    assert actions("created:2026-03-09T11:59:59Z..2026-03-09T12:00:00Z") == ["a.one"]
    assert actions("created:2026-03-09T12:00:01Z..2026-03-09T13:00:00Z") == []
    assert actions("created:%3E=2026-03-10") == []
    assert actions("action:a") == ["a.one"]
    assert actions("-action:a", include="all") == ["git.push"]


def test_an_audit_log_is_for_enterprise_cloud_and_for_who_may(ask: Asker, world: World):
    del world.permissions["organization_administration"]
    denied = ask.get(f"{ORG}/audit-log")
    assert (denied.status_code, denied.headers["X-Accepted-GitHub-Permissions"]) == (
        403,
        "organization_administration=read",
    )
    world.has_audit_log = False
    assert ask.get(f"{ORG}/audit-log").status_code == 404


def test_rule_suites_look_back_a_day_unless_told_and_tell_evaluations_singly(ask: Asker, world: World):
    one = world.repositories[0]
    for days in (0, 3):
        world.bypassed(one, AT - timedelta(days=days), "eve", "a" * 40, ("pull_request",))
    world.now = AT + timedelta(hours=1)

    for path in (ORG, REPO):
        found = ask.get(f"{path}/rulesets/rule-suites?rule_suite_result=bypass").json()
        assert len(found) == 1
        assert "rule_evaluations" not in found[0]
        assert len(ask.get(f"{path}/rulesets/rule-suites?time_period=week").json()) == 2
        assert ask.get(f"{path}/rulesets/rule-suites?time_period=week&rule_suite_result=fail").json() == []
        whole = ask.get(f"{path}/rulesets/rule-suites/{found[0]['id']}").json()
        assert whole["rule_evaluations"][0]["rule_type"] == "pull_request"


def test_activity_is_filtered_by_ref_type_and_actor(ask: Asker, world: World):
    one = world.repositories[0]
    world.move(one, AT, "eve", "push", "main")
    world.move(one, AT + timedelta(minutes=1), "bob", "force_push", "release/1")

    def heads(query: str) -> list[str]:
        return [a["actor"]["login"] for a in ask.get(f"{REPO}/activity?{query}").json()]

    assert heads("") == ["bob", "eve"]
    assert heads("direction=asc") == ["eve", "bob"]
    assert heads("ref=main") == heads("ref=refs/heads/main") == heads("actor=eve") == ["eve"]
    assert heads("activity_type=force_push") == ["bob"]


# The bench's world.


def test_a_generated_organisation_is_half_classic_half_rulesets_and_the_same_each_time():
    world, again = organisation(200), organisation(200)
    assert [one.id for one in world.repositories] == [one.id for one in again.repositories]
    assert sum(bool(one.classic) for one in world.repositories) == 100
    assert sum(len(world.parents(one)) for one in world.repositories) == 100
    assert sum(bool(one.rulesets) for one in world.repositories) == 50
    assert {place.policy for one in world.repositories for place in one.environments} == {"protected", "custom"}
    assert all(len(one.branches) == 2 and len(one.environments) == 1 for one in world.repositories)
