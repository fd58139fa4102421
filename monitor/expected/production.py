"""Section `production`: the accounts where every write must be accounted for, and those that are read besides."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated

from pydantic import Field, StringConstraints

from monitor.expected.fields import AccountId, OrganizationId, OrganizationName, ProjectId, Region, Text
from monitor.model import Expectation


class AwsAccount(Expectation):
    """One AWS account, and the regions in which it may do anything."""

    id: AccountId = Field(description="The account number: 12 digits, in quotes")
    name: Text = Field(description="What people call it; shown in every result")
    regions: tuple[Region, ...] = Field(
        min_length=1, description="Regions that are watched. Global services such as IAM are logged in us-east-1"
    )


class AwsEstate(Expectation):
    """What there is in AWS."""

    organization: OrganizationId | None = Field(
        default=None, description="The organisation's id, when one trail covers all accounts (AWSLogs/o-…/ACCOUNT/…)"
    )
    accounts: tuple[AwsAccount, ...] = Field(
        min_length=1, description="Production accounts: every write in them must be accounted for"
    )
    watched: tuple[AwsAccount, ...] = Field(
        default=(),
        description="Accounts that are not production, but through which its credentials or its audit logs pass",
    )


class GitHubEstate(Expectation):
    """What there is on GitHub."""

    organizations: tuple[OrganizationName, ...] = Field(
        min_length=1, description="Organisations whose repositories are watched, all of them"
    )


class GcpProject(Expectation):
    """One project of Google Cloud."""

    id: ProjectId = Field(description="The project's id, not its number")
    number: Annotated[Text, StringConstraints(pattern="^[0-9]{1,20}$")] | None = Field(
        default=None,
        description="Its number, in quotes: logs name some projects by it, and only agents of numbers that are known pass",
    )
    name: Text = Field(description="What people call it; shown in every result")


class GcpEstate(Expectation):
    """What there is in Google Cloud."""

    projects: tuple[GcpProject, ...] = Field(
        min_length=1, description="Production projects: every write in them must be accounted for"
    )
    watched: tuple[GcpProject, ...] = Field(
        default=(),
        description="Projects that are not production, but through which its credentials pass, as those of pools",
    )
    above: tuple[Annotated[Text, StringConstraints(pattern="^(organizations|folders)/[0-9]{1,20}$")], ...] = Field(
        default=(),
        description="The organisation and folders above, as organizations/123456789012: calls on them can blind the log of all",
    )


class Production(Expectation):
    """What is production. A scope is `provider:account:region`, an account's scope `provider:account`."""

    aws: AwsEstate | None = Field(default=None, description="Accounts in AWS")
    gcp: GcpEstate | None = Field(default=None, description="Projects in Google Cloud")
    github: GitHubEstate | None = Field(default=None, description="Organisations on GitHub")

    def log_scopes(self) -> tuple[str, ...]:
        """Return the scopes whose logs must be read whole: each region of an account, each project."""
        projects = self.gcp.projects if self.gcp else ()
        return (*self.scopes(), *(f"gcp:{project.id}" for project in projects))

    def accounts(self) -> tuple[str, ...]:
        """Return the scopes of all production accounts, as `aws:111122223333`, in the order of the file."""
        return tuple(f"aws:{account.id}" for account in self._production)

    def identity_scopes(self) -> tuple[str, ...]:
        """Return the scopes of all accounts and projects of production, whose identities are to be judged."""
        projects = self.gcp.projects if self.gcp else ()
        return (*self.accounts(), *(f"gcp:{project.id}" for project in projects))

    def scopes(self) -> tuple[str, ...]:
        """Return the scopes of production, as `aws:111122223333:us-east-1`, in the order of the file."""
        return _scopes(self._production)

    def watched_accounts(self) -> tuple[str, ...]:
        """Return the scopes of the accounts that are read but are not production."""
        return tuple(f"aws:{account.id}" for account in self._watched)

    def watched_scopes(self) -> tuple[str, ...]:
        """Return the scopes, with region, that are read but are not production."""
        return _scopes(self._watched)

    def is_production(self, provider: str, account: str) -> bool:
        """Return whether writes in this account must be accounted for."""
        return (provider, account) in self._ids

    def name_of(self, provider: str, account: str) -> str:
        """Return what people call an account, production or watched; its number when it is not declared."""
        return self._names.get((provider, account), account)

    @property
    def _production(self) -> tuple[AwsAccount, ...]:
        return self.aws.accounts if self.aws else ()

    @property
    def _watched(self) -> tuple[AwsAccount, ...]:
        return self.aws.watched if self.aws else ()

    @cached_property
    def _ids(self) -> frozenset[tuple[str, str]]:
        projects = self.gcp.projects if self.gcp else ()
        return frozenset(("aws", account.id) for account in self._production) | {("gcp", one.id) for one in projects}

    @cached_property
    def _names(self) -> dict[tuple[str, str], str]:
        projects = (*self.gcp.watched, *self.gcp.projects) if self.gcp else ()
        return {("aws", account.id): account.name for account in (*self._watched, *self._production)} | {
            ("gcp", project.id): project.name for project in projects
        }


def _scopes(accounts: tuple[AwsAccount, ...]) -> tuple[str, ...]:
    return tuple(f"aws:{account.id}:{region}" for account in accounts for region in account.regions)
