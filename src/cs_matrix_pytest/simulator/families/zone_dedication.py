"""Resources of a zone that are dedicated to one domain or account (RoutedIpv4ManagerImpl)."""

from __future__ import annotations

from typing import Any

from cs_matrix_pytest.simulator.access import named_account
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.models.iam import Account, AccountType, Domain
from cs_matrix_pytest.simulator.models.routing import Dedicatable
from cs_matrix_pytest.simulator.parameters import NO_ID


def asked_account(call: Call) -> Account | None:
    """The account or project that a request names; None for none."""
    if "account" not in call and call.get("projectid", NO_ID) == NO_ID:
        return None
    return named_account(call, enabled_only=False)


def asked_owner(call: Call) -> tuple[Domain | None, Account | None]:
    """Whose a request says that something is: an account and its domain, or a whole domain."""
    account = asked_account(call)
    return (account.domain if account else call.maybe(Domain, "domainid")), account


def dedication_fields(row: Dedicatable) -> dict[str, Any]:
    """Zone, domain and account of such a resource in an answer."""
    shown: dict[str, Any] = {"zoneid": row.zone.id, "zonename": row.zone.name}
    if row.domain is not None:
        shown |= {"domainid": row.domain.id, "domain": row.domain.name}
    if row.account is not None and row.account.type == AccountType.PROJECT and row.account.project is not None:
        shown |= {"projectid": row.account.project.id, "project": row.account.project.name}
    elif row.account is not None:
        shown["account"] = row.account.name
    return shown
