"""Domains: the tree under ROOT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import check_domain
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue, PermissionDenied
from cs_matrix_pytest.simulator.models.iam import Account, AccountType, Domain, Role, User
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.views import when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("domains")


@family.on_fresh_install
def root_domain(cloud: Cloud, fresh: Mapping[str, Any]) -> None:
    store = cloud.store
    root = store.add(Domain(name="ROOT"))
    admin_role = store.add(Role(name="Root Admin", type="Admin", is_default=True))
    system = store.add(Account(name="system", domain=root, type=AccountType.ADMIN, role=admin_role, is_default=True))
    admin = store.add(Account(name="admin", domain=root, type=AccountType.ADMIN, role=admin_role, is_default=True))
    cloud.system_user = store.add(_first_user("system", system))
    cloud.admin_user = store.add(_first_user("admin", admin))


def _first_user(name: str, account: Account) -> User:
    return User(
        username=name,
        password="password",
        account=account,
        first_name=name.capitalize(),
        last_name="User",
        email=f"{name}@example.org",
        is_default=True,
    )


@family.view(Domain)
def domain_view(domain: Domain, call: Call) -> dict[str, Any]:
    children = call.cloud.store.table(Domain).first(parent=domain)
    return {
        "id": domain.id,
        "name": domain.name,
        "level": domain.level,
        "parentdomainid": domain.parent.id if domain.parent else None,
        "parentdomainname": domain.parent.name if domain.parent else None,
        "haschild": children is not None,
        "networkdomain": domain.network_domain,
        "path": domain.path,
        "state": domain.state,
        "created": when(domain.created) if domain.parent else None,
        "hasannotations": False,
    }


@family.command("createDomain")
def create_domain(call: Call) -> Answer:
    name, domains = call["name"], call.cloud.store.table(Domain)
    parent = call.maybe(Domain, "parentdomainid") or call.account.domain
    check_domain(call.account, parent)
    if "/" in name:
        raise InvalidParameterValue("Domain name should not contain '/'")
    if domains.first(parent=parent, name=name):
        raise InvalidParameterValue(
            f"Domain with name [{name}] already exists for the parent with ID [{parent.number}]."
        )
    domain = Domain(name=name, parent=parent, network_domain=call.get("networkdomain"))
    if "domainid" in call:
        domain.id = call["domainid"]
    return call.cloud.store.add(domain)


@family.command("deleteDomain")
def delete_domain(call: Call) -> Answer:
    domain, store = call.one(Domain), call.cloud.store
    if domain.parent is None:
        raise PermissionDenied("Can't delete ROOT domain")
    check_domain(call.account, domain)
    below = [row for row in store.table(Domain) if domain.contains(row)]
    owners = store.table(Account).where(lambda account: account.domain in below)
    if not call.flag("cleanup") and (len(below) > 1 or owners):
        raise InternalError(f"Failed to delete domain {domain.name}")
    for row in reversed(below):
        store.remove(row)
    return Success()
