"""Which accounts may use a network besides its owner (NetworkServiceImpl)."""

from __future__ import annotations

from cs_matrix_pytest.simulator.access import ADMINS, active_account, check_access, describe, in_project
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InvalidParameterValue
from cs_matrix_pytest.simulator.models.iam import Account, AccountType, Project
from cs_matrix_pytest.simulator.models.networks import Network
from cs_matrix_pytest.simulator.registry import Answer, Family, Success

family = Family("network permissions")


def changeable(call: Call) -> Network:
    """The network that a request is about, if its permissions can be changed by the caller."""
    network, caller = call.one(Network, "networkid"), call.account
    if network.acl_type == "Domain":
        raise InvalidParameterValue("network is already shared in domain")
    if network.vpc is not None:
        raise InvalidParameterValue("VPC tiers cannot be shared")
    check_access(call.cloud, caller, network, "OperateEntry")
    owner = network.account
    if owner.type == AccountType.PROJECT:
        raise InvalidParameterValue(
            f"Update network permissions is an invalid operation on network {network.name}. "
            "Project owned networks cannot be shared outside network."
        )
    if caller is not owner and caller.type not in ADMINS:
        raise InvalidParameterValue(
            f"Unable to grant permission to account {caller.name} as it is neither admin nor owner or the network"
        )
    return network


def named_accounts(call: Call, network: Network) -> list[Account]:
    """The accounts that a request names, by id, by project and by name, all of the network's domain."""
    domain, accounts = network.account.domain, call.many(Account, "accountids")
    if "accounts" in call and "accountids" in call:
        raise InvalidParameterValue("Accounts and accountNames can't be specified together")
    for project in call.many(Project, "projectids"):
        if not in_project(call.account, project):
            raise InvalidParameterValue(f"Account {describe(call.account)} can't access project id={project.id}")
        accounts.append(project.account)
    for name in call.get("accounts", []):
        found = active_account(call.cloud, name, domain)
        if found is None:
            raise InvalidParameterValue(f"Unable to find account by name {name}")
        if found is not call.account:
            accounts.append(found)
    for account in accounts:
        if account.domain is not domain:
            raise InvalidParameterValue(
                f"Unable to find account {account.number} in domain id={domain.id}. No permissions is removed"
            )
    return accounts


@family.command("createNetworkPermissions")
def create_network_permissions(call: Call) -> Answer:
    network = changeable(call)
    for account in named_accounts(call, network):
        if account is not network.account and account not in network.permitted:
            network.permitted.append(account)
    return Success()


@family.command("removeNetworkPermissions")
def remove_network_permissions(call: Call) -> Answer:
    network = changeable(call)
    going = named_accounts(call, network)
    network.permitted = [account for account in network.permitted if account not in going]
    return Success()


@family.command("resetNetworkPermissions")
def reset_network_permissions(call: Call) -> Answer:
    changeable(call).permitted = []
    return Success()


@family.command("listNetworkPermissions")
def list_network_permissions(call: Call) -> Answer:
    network = call.one(Network, "networkid")
    check_access(call.cloud, call.account, network, "OperateEntry")
    rows = [
        {
            "networkid": network.id,
            "accountid": account.id,
            "account": account.name,
            "domainid": account.domain.id,
            "domain": account.domain.name,
            **({"projectid": account.project.id, "project": account.project.name} if account.project else {}),
        }
        for account in network.permitted
    ]
    return {"count": len(rows), "networkpermission": rows} if rows else {}
