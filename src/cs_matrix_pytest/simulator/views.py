"""Pieces that many answers share: dates, owners, tags."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from cs_matrix_pytest.simulator.models.iam import Account, AccountType
from cs_matrix_pytest.simulator.store import Resource


def when(moment: datetime | None) -> str | None:
    """A date, aware of its time zone, as answers write it: ``2026-11-21T00:01:01+0000``."""
    if moment is None:
        return None
    text = moment.isoformat(timespec="seconds")
    return text[:-3] + text[-2:]


def owner_fields(account: Account) -> dict[str, Any]:
    """The owner of a resource: its account or project, and the domain."""
    if account.type == AccountType.PROJECT and account.project is not None:
        whose = {"projectid": account.project.id, "project": account.project.name}
    else:
        whose = {"account": account.name}
    domain = account.domain
    return {**whose, "domainid": domain.id, "domain": domain.name, "domainpath": domain.path}


def account_fields(account: Account) -> dict[str, Any]:
    """The owner of a resource whose answer names a project's account as well as the project (populateAccount)."""
    return {"account": account.name, **owner_fields(account)}


BARE_TAGS = frozenset(
    [
        "Domain",
        "FirewallRule",
        "LoadBalancer",
        "Network",
        "NetworkACL",
        "PortForwardingRule",
        "PublicIpAddress",
        "StaticRoute",
        "Vpc",
    ]
)
"""Types of resources whose answers show only key and value of their tags (ApiResponseHelper)."""


def tag_fields(resource: Resource) -> list[dict[str, Any]]:
    """The tags of a resource as its own answer shows them: of some types key and value, of others all fields."""
    if resource.resource_type in BARE_TAGS:
        return bare_tags(resource)
    account = getattr(resource, "account", None)
    return full_tags(resource, account if isinstance(account, Account) else None)


def bare_tags(resource: Resource) -> list[dict[str, Any]]:
    """The tags of a resource, key and value."""
    return [{"key": key, "value": value} for key, value in resource.tags.items()]


def full_tags(resource: Resource, owner: Account | None) -> list[dict[str, Any]]:
    """The tags of a resource, each with its type, id and owner."""
    if not resource.tags:
        return []
    whose = {} if owner is None else owner_fields(owner)
    more = {"resourcetype": resource.resource_type, "resourceid": resource.id, **whose}
    return [tag | more for tag in bare_tags(resource)]


def comma(values: Iterable[object]) -> str:
    """A list as CloudStack often writes it: joined by commas."""
    return ",".join(str(value) for value in values)
