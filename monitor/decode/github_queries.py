"""What GraphQL is asked of repositories: the text of the queries. Pure.

Names of fields: https://docs.github.com/en/graphql/reference/repos#object-repository. A query may ask for 500,000 nodes at most,
and each list costs a hundredth of a point:
https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
"""

from __future__ import annotations

from collections.abc import Mapping

LISTS = ("refs", "branchProtectionRules", "rulesets", "environments")
"""The lists of a repository that may go on; each is the name of the variable that holds its cursor, too."""
_ALLOWANCE = (
    "{ nodes { actor { __typename ... on User { login databaseId } ... on Team { slug databaseId } "
    "... on App { slug databaseId } } } pageInfo { hasNextPage } }"
)
_FIELDS = """
    databaseId nameWithOwner isArchived isFork isEmpty visibility createdAt pushedAt viewerCanAdminister
    defaultBranchRef { name }
    refs(refPrefix: "refs/heads/", first: 100, after: $refs) {
      nodes { name branchProtectionRule { databaseId pattern } } pageInfo { hasNextPage endCursor }
    }
    branchProtectionRules(first: 20, after: $branchProtectionRules) {
      nodes {
        databaseId pattern isAdminEnforced requiresApprovingReviews requiredApprovingReviewCount
        requiresCodeOwnerReviews dismissesStaleReviews requireLastPushApproval requiresConversationResolution
        requiresStatusChecks requiresStrictStatusChecks requiredStatusChecks { context app { databaseId } }
        requiresCommitSignatures requiresLinearHistory allowsForcePushes allowsDeletions lockBranch
        bypassPullRequestAllowances(first: 50) ALLOWANCE
        bypassForcePushAllowances(first: 50) ALLOWANCE
      }
      pageInfo { hasNextPage endCursor }
    }
    rulesets(first: 50, includeParents: true, after: $rulesets) {
      nodes {
        databaseId name target enforcement updatedAt
        source { __typename ... on Repository { nameWithOwner } ... on Organization { login } }
      }
      pageInfo { hasNextPage endCursor }
    }
    environments(first: 100, after: $environments) { nodes { name } pageInfo { hasNextPage endCursor } }
""".replace("ALLOWANCE", _ALLOWANCE)
_CURSORS = ", ".join(f"${name}: String" for name in LISTS)
_RATE = "rateLimit { cost remaining resetAt limit }"
REPOSITORIES = (
    f"query($organization: String!, $first: Int!, $after: String, {_CURSORS}) {{ {_RATE} organization(login: $organization) {{ "
    "repositories(first: $first, after: $after, orderBy: {field: CREATED_AT, direction: ASC}) "
    f"{{ totalCount pageInfo {{ hasNextPage endCursor }} nodes {{ {_FIELDS} }} }} }} }}"
)
"""Asks a page of an organisation's repositories (oldest first) with the first page of each of their lists."""
REPOSITORY = (
    f"query($owner: String!, $name: String!, {_CURSORS}) {{ {_RATE} "
    f"repository(owner: $owner, name: $name) {{ {_FIELDS} }} }}"
)
"""Asks the further pages of one repository's lists; a list without a cursor is asked from its start again."""


def cursors(more: Mapping[str, str]) -> dict[str, str | None]:
    """Return the variables that continue these lists."""
    return {name: more.get(name) for name in LISTS}
