"""Pieces that many answers share: dates, owners, tags."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from cs_matrix_pytest.simulator.models.iam import Account, AccountType
from cs_matrix_pytest.simulator.store import Resource


def when(moment: datetime | None) -> str | None:
    """A date as answers write it: ``2026-11-21T00:01:01+0000``."""
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S%z")


def owner_fields(account: Account) -> dict[str, Any]:
    """The owner of a resource: its account or project, and the domain."""
    if account.type == AccountType.PROJECT and account.project is not None:
        whose = {"projectid": account.project.id, "project": account.project.name}
    else:
        whose = {"account": account.name}
    domain = account.domain
    return {**whose, "domainid": domain.id, "domain": domain.name, "domainpath": domain.path}


def tag_fields(resource: Resource) -> list[dict[str, Any]]:
    """The tags of a resource, each with the resource's owner."""
    account = resource if isinstance(resource, Account) else getattr(resource, "account", None)
    owner = owner_fields(account) if isinstance(account, Account) else {}
    return [
        {"key": key, "value": value, "resourcetype": resource.resource_type, "resourceid": resource.id, **owner}
        for key, value in resource.tags.items()
    ]


def comma(values: Iterable[object]) -> str:
    """A list as CloudStack often writes it: joined by commas."""
    return ",".join(str(value) for value in values)
