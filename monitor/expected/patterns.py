"""Anchored, case-exact patterns of principals, token subjects and actions: how they match, and what is wrong with one.

`*` stands for any run of characters and `?` for one character, except the separators: `/` and `:` for principals and
actions, `:` alone for token subjects. So a `*` never crosses from a role's name into a session name. Nothing else is
special, and nothing here raises on any text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import product

STOPS = "/:"
"""What a wildcard of a principal or an action never matches."""
SUBJECT_STOPS = ":"
"""What a wildcard of a token subject never matches."""

LONGEST = 1024
"""Characters that a pattern may have."""
MOST_WILDCARDS = 12
"""Wildcards that a pattern of principals may have."""


@lru_cache(maxsize=8192)
def compiled(pattern: str, stops: str = STOPS) -> re.Pattern[str]:
    """Return the regular expression that fully matches what the pattern stands for.

    Every run but the last is an atomic group that takes the first fit, so that no text makes it backtrack through
    combinations of runs: time is at most the product of the two lengths. Taking the first fit loses no match, as a run
    cannot cross a separator: a piece that holds one has a single place to be, any other may as well lie leftmost.
    """
    one = f"[^{re.escape(stops)}]"
    first, *rest = ("".join(one if c == "?" else re.escape(c) for c in piece) for piece in pattern.split("*"))
    if not rest:
        return re.compile(first)
    middle = "".join(f"(?>{one}*?{piece})" for piece in rest[:-1] if piece)
    return re.compile(f"{first}{middle}{one}*{rest[-1]}")


def matches(pattern: str, text: str) -> bool:
    """Return whether the whole text is what a pattern of principals or actions stands for."""
    return compiled(pattern).fullmatch(text) is not None


def subject_matches(pattern: str, subject: str) -> bool:
    """Return whether the whole subject is what a pattern of token subjects stands for."""
    return compiled(pattern, SUBJECT_STOPS).fullmatch(subject) is not None


def any_matches(patterns: Iterable[str], texts: Iterable[str]) -> bool:
    """Return whether any of the patterns (of principals or actions) matches any of the texts."""
    return any(compiled(pattern).fullmatch(text) for pattern, text in product(patterns, texts))


def account_of(principal: str) -> str:
    """Return the account number in a pattern of principals, or an empty text when it has none."""
    parts = principal.split(":", 5)
    return parts[4] if len(parts) == 6 and _ACCOUNT.fullmatch(parts[4]) else ""


def overlap(left: str, right: str) -> bool:
    """Return whether some principal is matched by both patterns.

    A role and a session of that role are the same identity, so there the names of the roles are compared.
    """
    kinds = {_kind(left), _kind(right)}
    if kinds == {"role", "assumed-role"}:
        return account_of(left) == account_of(right) and _common(_role_name(left), _role_name(right))
    return _common(left, right)


def _kind(principal: str) -> str:
    return principal.rpartition(":")[2].partition("/")[0]


def _role_name(principal: str) -> str:
    # A role's ARN holds its path, a session's does not: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
    parts = principal.rpartition(":")[2].split("/")
    return parts[-1] if parts[0] == "role" else parts[1] if len(parts) > 1 else ""


def _common(left: str, right: str) -> bool:
    head = min(len(left.partition("*")[0].partition("?")[0]), len(right.partition("*")[0].partition("?")[0]))
    if left[:head] != right[:head]:
        return False
    left, right = left[head:], right[head:]
    # reach[j]: the pieces of `left` so far and the first j of `right` stand for a common text.
    reach = [True]
    for letter in right:
        reach.append(reach[-1] and letter == "*")
    for mine in left:
        row = [reach[0] and mine == "*"]
        for j, theirs in enumerate(right):
            both = reach[j] and _same(mine, theirs)
            mine_runs = mine == "*" and (reach[j + 1] or (row[j] and theirs not in STOPS))
            theirs_run = theirs == "*" and (row[j] or (reach[j + 1] and mine not in STOPS))
            row.append(both or mine_runs or theirs_run)
        reach = row
    return reach[-1]


def _same(mine: str, theirs: str) -> bool:
    if "*" in (mine, theirs):
        return False
    return mine == theirs or (mine == "?" and theirs not in STOPS) or (theirs == "?" and mine not in STOPS)


_ACCOUNT = re.compile(r"[0-9]{12}")
_PROJECT = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
# https://docs.cloud.google.com/iam/docs/service-account-types
_SERVICE_ACCOUNT = re.compile(r"[a-z0-9*?][a-z0-9*?-]*@([a-z][a-z0-9-]{4,28}[a-z0-9])\.iam\.gserviceaccount\.com")
# Accounts that a project has from the start, and which its own people act through:
# https://docs.cloud.google.com/iam/docs/service-account-types#default
_OWN_ACCOUNT = re.compile(
    r"(?:[0-9]{1,20}-compute@developer|[0-9]{1,20}@cloudbuild|[a-z][a-z0-9-]{4,28}[a-z0-9]@appspot)\.gserviceaccount\.com"
)
_MEMBERS = (
    re.compile(r"user:[A-Za-z0-9._%+*?-]{1,64}@[a-z0-9-]+(?:\.[a-z0-9-]+)+"),
    re.compile(r"system:serviceaccount:[a-z0-9-]{1,63}:[a-z0-9.*?-]{1,253}"),
    # https://docs.cloud.google.com/iam/docs/principal-identifiers
    re.compile(
        r"principal://iam\.googleapis\.com/projects/[0-9]{1,20}/locations/global/workloadIdentityPools/[a-z0-9-]{4,32}"
        r"/subject/[!-~]{1,512}"
    ),
)
_SERVICE = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*")
_EVENT_NAME = re.compile(r"[A-Za-z0-9_.*?-]+")
_WILD = frozenset("*?")
_PARTITIONS = ("aws", "aws-cn", "aws-us-gov")
_KINDS = {"role": "iam", "user": "iam", "assumed-role": "sts", "federated-user": "sts"}


def account_mistake(text: str) -> str:
    """Return what is wrong with an account number and what would be right; empty when it is 12 digits."""
    if _ACCOUNT.fullmatch(text):
        return ""
    if _WILD & set(text):
        return "has a wildcard in the account; write its 12 digits, since a wildcard would let every account in"
    if _ACCOUNT.fullmatch(text.replace("-", "").replace(" ", "")):
        return f'is written in groups; write "{text.replace("-", "").replace(" ", "")}"'
    return 'is not an account number; write 12 digits in quotes, as "111122223333"'


def project_of(principal: str) -> str:
    """Return the project of a service account's e-mail, or an empty text when it is no such e-mail."""
    found = _SERVICE_ACCOUNT.fullmatch(principal)
    return found[1] if found else ""


def project_mistake(text: str) -> str:
    """Return what is wrong with the id of a project of GCP and what would be right; empty when nothing is."""
    # https://docs.cloud.google.com/resource-manager/docs/creating-managing-projects
    if _PROJECT.fullmatch(text):
        return ""
    if text.isdigit():
        return "is a project's number; write its id, as example-prod"
    return "is not the id of a project; write 6 to 30 lower-case letters, digits and '-', beginning with a letter"


def principal_mistake(text: str) -> str:
    """Return what is wrong with a pattern of principals and what would be right; empty when nothing is."""
    right = "as arn:aws:iam::111122223333:role/NAME"
    if text.startswith(("user:", "principal:", "principalSet:", "system:")):
        return _member_mistake(text)
    if "@" in text and not text.startswith("arn:"):
        if project_of(text) or _OWN_ACCOUNT.fullmatch(text):
            return ""
        return "is not the e-mail of a service account; write it as deploy@example-prod.iam.gserviceaccount.com"
    if len(text) > LONGEST:
        return f"is {len(text)} characters long; an ARN has at most {LONGEST}"
    if not all("!" <= c <= "~" for c in text):
        return "holds a blank or another character that no ARN has; remove it"
    if sum(map(text.count, _WILD)) > MOST_WILDCARDS:
        return f"has more than {MOST_WILDCARDS} wildcards; nobody can tell whom it lets in: write several patterns"
    if text.lower().startswith(("http:", "https:")):
        return f"is a web address; write the ARN, {right}"
    parts = text.split(":", 5)
    if parts[0] != "arn":
        return "must begin with arn in lower case" if parts[0].lower() == "arn" else f"is not an ARN; write it {right}"
    if len(parts) > 3 and _ACCOUNT.fullmatch(parts[3]):
        return f"lacks a colon: two stand before the account; write it {right}"
    if len(parts) < 6:
        return f"is not a whole ARN; write it {right}"
    _, partition, service, region, account, resource = parts
    if partition not in _PARTITIONS:
        return f"has the partition '{partition}'; write one of {', '.join(_PARTITIONS)}"
    if service not in ("iam", "sts"):
        return f"has the service '{service}'; principals are written with iam (role, user, root) or sts (sessions)"
    if region:
        return f"has the region '{region}'; identities have none: write arn:{partition}:{service}::{account}:…"
    wrong = account_mistake(account)
    return (
        f"has the account '{account}', which {wrong}"
        if wrong
        else _resource_mistake(partition, service, account, resource)
    )


def _member_mistake(text: str) -> str:
    if len(text) > LONGEST or sum(map(text.count, _WILD)) > MOST_WILDCARDS:
        return (
            f"is longer than {LONGEST} characters or has more than {MOST_WILDCARDS} wildcards; write several patterns"
        )
    if any(shape.fullmatch(text) for shape in _MEMBERS):
        return ""
    return (
        "is no member that can call; write user:maria@example.com, system:serviceaccount:NAMESPACE:NAME, or "
        "principal://iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/subject/SUBJECT"
    )


def _resource_mistake(partition: str, service: str, account: str, resource: str) -> str:
    start = f"arn:{partition}"
    if resource == "root":
        return "" if service == "iam" else f"names root under sts; write {start}:iam::{account}:root"
    kind, slash, name = resource.partition("/")
    if kind not in _KINDS:
        if kind.lower() in _KINDS or kind.lower() == "root":
            return f"has '{kind}'; write it in lower case: {kind.lower()}"
        return f"has '{kind}' after the account; write one of role/, user/, assumed-role/, federated-user/ or root"
    if _KINDS[kind] != service:
        return f"has {service} with {kind}; write {start}:{_KINDS[kind]}::{account}:{resource}"
    names = name.split("/")
    if not slash or "" in names:
        return f"lacks a name after {kind}/; write {start}:{service}::{account}:{kind}/NAME"
    if kind == "assumed-role" and len(names) != 2:
        right = f"{start}:sts::{account}:assumed-role/ROLE/SESSION"
        return f"must name one role, without its path, and one session; write {right}"
    # A role's path may be wild, and so may a session's name: what must be told is the role or the user itself.
    if set(names[0] if kind == "assumed-role" else names[-1]) <= _WILD:
        return f"names every {kind} of the account; write the name, or at least the start of it"
    return ""


def subject_mistake(text: str) -> str:
    """Return what is wrong with a pattern of token subjects and what would be right; empty when nothing is."""
    if len(text) > LONGEST:
        return f"is {len(text)} characters long; a subject has at most {LONGEST}"
    if text != text.strip() or not text.isprintable():
        return "begins or ends with a blank, or holds a character that cannot be shown; remove it"
    if set(text) <= _WILD | set(STOPS):
        return (
            "accepts every token of the issuer; write the subject, as repo:example-org/payments:environment:production"
        )
    claim, _, rest = text.partition(":")
    return _repository_mistake(rest) if claim == "repo" else ""


def _repository_mistake(rest: str) -> str:
    # GitHub's subjects: https://docs.github.com/actions/reference/security/oidc
    repository, colon, context = rest.partition(":")
    owner, slash, name = repository.partition("/")
    if not owner or _WILD & set(owner):
        return "must name the organisation in full, before the '/': a wildcard there lets other organisations in"
    if not slash or not name:
        return "must name organisation and repository; write repo:ORGANISATION/REPOSITORY:environment:NAME"
    if colon and context and set(context) <= _WILD:
        return (
            "fits only repo:…:pull_request, as '*' never crosses ':'; write what is meant, "
            f"as repo:{repository}:environment:production or repo:{repository}:ref:refs/heads/main"
        )
    return ""


def action_mistake(text: str) -> str:
    """Return what is wrong with a pattern of actions and what would be right; empty when nothing is."""
    service, colon, name = text.partition(":")
    if len(text) > LONGEST:
        return f"is {len(text)} characters long; an action has at most {LONGEST}"
    if not all("!" <= c <= "~" for c in text):
        return "holds a blank or another character that no action has; remove it"
    if not colon:
        return "lacks its service; write service:Name, as ecs:UpdateService"
    if service.lower().endswith(".amazonaws.com"):
        return f"has the service's full name; write {service.lower().removesuffix('.amazonaws.com')}:{name}"
    if _WILD & set(service):
        return "has a wildcard in the service; only the name after ':' may have one"
    if service != service.lower():
        return f"has capitals in the service; write {service.lower()}:{name}"
    if not _SERVICE.fullmatch(service) or not _EVENT_NAME.fullmatch(name):
        return "is not an action; write service:Name as the audit log names it, as ecs:UpdateService"
    return ""
