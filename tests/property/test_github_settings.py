"""Laws of GitHub's settings that were mangled: facts or Malformed, and never more protection than the whole answer told."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from monitor.decode import github_environments, github_graphql, github_rules
from monitor.errors import Malformed
from monitor.facts.protection import DEMANDS, ProtectionRule
from monitor.facts.repository import Environment
from monitor.model import Unknown
from tests.unit.github_decode import samples
from tests.unit.github_decode.samples import AT, ORGANISATION, actor, allowance, graphql_rule, listed, raw, ref

GONE = object()
OTHER = st.sampled_from(
    [GONE, None, "", "yes", "true", "ACTIVE", 0, 1, -1, 2**70, 1.5, [], {}, [None], {"enabled": "x"}, {"nodes": []}]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
# Nothing tells that these were there: GitHub leaves them out where nobody is named.
OPTIONAL = {"bypass_pull_request_allowances", "users", "teams", "apps"}


def weak_rule(**more: Any) -> dict[str, Any]:
    """Return a rule of GraphQL that demands nothing that it can leave out, and that many may pass by."""
    return graphql_rule(
        **{
            **{k: False for k, v in graphql_rule().items() if v is True},
            "requiredApprovingReviewCount": 0,
            "requiredStatusChecks": [],
            "allowsForcePushes": True,
            "allowsDeletions": True,
            "bypassPullRequestAllowances": listed(allowance("Team", "release-managers", 21)),
            **more,
        }
    )


PEOPLE = {"users": [{"login": "asha", "id": 11}], "teams": [{"slug": "release-managers", "id": 21}], "apps": []}
WEAK_REVIEW = {
    "required_approving_review_count": 0,
    "dismiss_stale_reviews": False,
    "require_code_owner_reviews": False,
    "require_last_push_approval": False,
    "bypass_pull_request_allowances": PEOPLE,
}
WEAK_CLASSIC = samples.classic(
    **{
        k: {"enabled": k.startswith("allow_")}
        for k, v in samples.classic().items()
        if isinstance(v, dict) and "enabled" in v
    },
    required_status_checks=None,
    required_pull_request_reviews=WEAK_REVIEW,
)
BYPASSED = samples.ruleset(bypass_actors=[actor("RepositoryRole", 5), actor("Team", 21, "pull_request")])
Decode = Callable[[bytes], tuple[ProtectionRule, ...]]


def of_graphql(body: bytes) -> tuple[ProtectionRule, ...]:
    page = github_graphql.repositories_page(body, ORGANISATION, AT, (), admin=True)
    return tuple(
        rule for node in page.nodes if isinstance(node.repository.rules, tuple) for rule in node.repository.rules
    )


def of_ruleset(body: bytes) -> tuple[ProtectionRule, ...]:
    return (github_rules.ruleset(body, ()),)


def of_classic(body: bytes) -> tuple[ProtectionRule, ...]:
    return (github_rules.classic(body, "main", ()),)


def of_effective(body: bytes) -> tuple[ProtectionRule, ...]:
    return github_rules.effective(body, "main", ())


def page(*rules: dict[str, Any]) -> dict[str, Any]:
    refs = listed(ref("feature", 72), ref("main", 71))
    return samples.repositories(samples.repository(refs=refs, branchProtectionRules=listed(*rules)))


TAGS = {"ref_name": {"include": ["~ALL"], "exclude": ["refs/heads/main"]}}
ANSWERS: dict[str, tuple[Decode, Any]] = {
    "a page": (of_graphql, page(graphql_rule(), weak_rule(databaseId=72, pattern="feature"))),
    "a ruleset": (of_ruleset, BYPASSED),
    "a ruleset that excludes": (of_ruleset, samples.ruleset(conditions=TAGS)),
    "a ruleset of tags": (of_ruleset, samples.ruleset(target="tag", conditions=TAGS)),
    "a ruleset that is off": (of_ruleset, samples.ruleset(enforcement="disabled", rules=[{"type": "deletion"}])),
    "strict protection": (of_classic, samples.classic()),
    "weak protection": (of_classic, WEAK_CLASSIC),
    "rules in effect": (of_effective, samples.effective()),
}


def paths(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inner:
        yield (*before, key)
        yield from paths(below, (*before, key))


def mangled(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return the document with what is at the path replaced, or its key taken out. An entry of a list is made null."""
    whole = copy.deepcopy(document)
    place = whole
    for key in path[:-1]:
        place = place[key]
    if value is not GONE:
        place[path[-1]] = value
    elif isinstance(place, dict):
        del place[path[-1]]
    else:
        place[path[-1]] = None
    return whole


def alike(old: Any, new: Any) -> bool:
    """Return whether the new value is of the old one's type: that may be another answer, and a true one."""
    named = old is None and type(new) is int  # no app became some app
    return named or (type(old) is type(new) and new not in ({}, [None], [[]]))


def at(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


def worth(rule: ProtectionRule, name: str) -> Any:
    """Return what a rule surely demands; nothing where it is Unknown, or where it does not count."""
    value = getattr(rule.demands, name)
    zero: Any = () if name == "status_checks" else 0
    return zero if isinstance(value, Unknown) or rule.enforced is not True else value


def assert_no_stronger(before: tuple[ProtectionRule, ...], after: tuple[ProtectionRule, ...], path: Any) -> None:
    old = {rule.key: rule for rule in before}
    for rule in after:
        named = old.get(rule.key)
        if named is None and rule.key.startswith("classic:") and rule.branches == ():
            continue  # a rule whose key was lost applies nowhere
        if named is None:
            assert not any(worth(rule, name) for name in DEMANDS), path
            continue
        assert set(rule.branches or ()) <= set(named.branches or ()), path
        if rule.enforced is True:
            assert named.enforced is True, path
            assert (rule.targets.include, set(rule.targets.exclude)) == (
                named.targets.include,
                set(named.targets.exclude),
            ) or (rule.targets.include == ()), path
        for name in DEMANDS:
            mine, theirs = worth(rule, name), worth(named, name)
            if name == "status_checks":
                known = {check.name: check.app for check in theirs}
                assert all(check.name in known and check.app in (0, known[check.name]) for check in mine), path
            else:
                assert mine <= theirs, (path, name)
        if isinstance(rule.bypass, Unknown):
            continue
        # Whoever could pass it by still can, or somebody whom nobody knows.
        assert isinstance(named.bypass, tuple), path
        stranger = any(one.kind == "unknown" for one in rule.bypass)
        able = [one for one in named.bypass if not one.only or any(getattr(rule.demands, name) for name in one.only)]
        assert stranger or len(rule.bypass) >= len(able), path


def read(decode: Decode, document: Any) -> tuple[ProtectionRule, ...] | None:
    try:
        return decode(json.dumps(document, default=str).encode())
    except Malformed:
        return None


@given(st.data())
def test_a_mangled_answer_never_tells_of_more_protection(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(ANSWERS)))
    decode, document = ANSWERS[name]
    before = decode(raw(document))
    changed = document
    first: dict[tuple[Any, ...], Any] = {}
    for _ in range(data.draw(st.integers(1, 3))):
        spots = [path for path in paths(changed) if not (OPTIONAL & set(path))]
        if not spots:
            break
        path, value = data.draw(st.sampled_from(spots)), data.draw(OTHER)
        # Two steps, as 42 to '' to 1, would else make another answer of the same type, and a true one.
        if value is GONE or not alike(first.setdefault(path, at(changed, path)), value):
            changed = mangled(changed, path, value)
    after = read(decode, changed)
    if after is not None:
        assert_no_stronger(before, after, (name, changed))


def test_no_single_loss_tells_of_more_protection() -> None:
    for name, (decode, document) in ANSWERS.items():
        before = decode(raw(document))
        assert before
        for path in paths(document):
            if OPTIONAL & set(path):
                continue
            for value in (GONE, None, "yes", 7, 2**70, [], {}, {"a": 1}, [[]], True, False):
                if value is not GONE and alike(at(document, path), value):
                    continue
                if isinstance(at(document, path), bool) and isinstance(value, bool):
                    continue
                after = read(decode, mangled(document, path, value))
                if after is not None:
                    assert_no_stronger(before, after, (name, path, value))


BODIES: tuple[Callable[[bytes], Any], ...] = (
    of_graphql,
    of_ruleset,
    of_classic,
    of_effective,
    lambda body: github_graphql.repository_page(body, ORGANISATION, AT, (), admin=True),
    lambda body: github_environments.environments(body, ()),
    github_environments.branch_policies,
    github_environments.custom_rules,
)


@given(st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_give_facts_or_malformed(body: bytes) -> None:
    for decode in BODIES:
        try:
            decode(body)
        except Malformed:
            continue


@given(st.data(), VALUES)
def test_any_value_anywhere_gives_facts_or_malformed(data: st.DataObject, value: Any) -> None:
    for decode, document in (
        *ANSWERS.values(),
        (lambda body: github_environments.environments(body, ()), samples.environments(samples.environment())),
        (github_environments.branch_policies, samples.POLICIES),
        (github_environments.custom_rules, samples.GATES),
    ):
        path = data.draw(st.sampled_from(sorted(paths(document), key=str)))
        read(decode, mangled(document, path, value))


def test_no_loss_makes_an_environment_safer() -> None:
    def guarded(one: Environment) -> tuple[bool, ...]:
        return (
            one.prevent_self_review is True,
            one.admins_may_bypass is False,
            one.branch_policy in ("protected", "custom"),
            isinstance(one.wait_minutes, int) and one.wait_minutes > 0,
            isinstance(one.reviewers, tuple) and len(one.reviewers) > 0,
        )

    open_one = samples.environment(
        can_admins_bypass=True,
        deployment_branch_policy=None,
        protection_rules=[{"type": "required_reviewers", "prevent_self_review": False, "reviewers": []}, {"type": "wait_timer", "wait_timer": 0}],
    )  # fmt: skip
    for document in (samples.environment(), open_one):
        (before,) = github_environments.environments(raw(samples.environments(document)), ())
        for path in paths(document):
            for value in (GONE, None, "yes", 7, [], {}, [None]):
                if value is not GONE and alike(at(document, path), value):
                    continue
                try:
                    body = raw(samples.environments(mangled(document, path, value)))
                    (after,) = github_environments.environments(body, ())
                except Malformed:
                    continue
                assert all(new <= old for new, old in zip(guarded(after), guarded(before), strict=True)), (path, value)
