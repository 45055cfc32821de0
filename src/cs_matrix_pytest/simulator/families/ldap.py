"""LDAP: servers, what is linked to their groups, and their users (LdapManagerImpl). No server can be reached.

A server is bound to before it is kept, so that none is ever configured; links are only written down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import active_account
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, InvalidParameterValue, ParameterError
from cs_matrix_pytest.simulator.models.iam import ROLE_TYPES, Account, AccountType, Domain, Role
from cs_matrix_pytest.simulator.models.logins import LdapLink
from cs_matrix_pytest.simulator.registry import Answer, Family, Success

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("LDAP")

LINK_TYPES = ("GROUP", "OU")
UNREACHABLE = "Unable to bind to the given LDAP server"
JAVA_NAME = "com.cloud.exception.InvalidParameterValueException: "
NO_ACCOUNT_TYPE = "Both account type and role ID are not provided"
RESOURCE_UNAVAILABLE = 534


# Servers


@family.command("addLdapConfiguration")
def add_server(_call: Call) -> Answer:
    raise ApiError(JAVA_NAME + UNREACHABLE)


@family.command("listLdapConfigurations", "listLdapUsers", "searchLdap")
def list_nothing(_call: Call) -> Answer:
    return {}


@family.command("deleteLdapConfiguration")
def delete_server(call: Call) -> Answer:
    if "id" in call:
        raise ApiError(f"{JAVA_NAME}Cannot find configuration with id {call.raw.get('id')}")
    if not call.get("hostname"):
        raise ApiError(f"{JAVA_NAME}Either id or hostname must be specified")
    raise ApiError(f"{JAVA_NAME}Cannot find configuration with hostname {call['hostname']}")


@family.command("ldapConfig")
def configure(call: Call) -> Answer:
    if call.flag("listall"):
        return {}
    if "hostname" not in call:
        raise InvalidParameterValue("You need to provide hostname, port to configure your LDAP server")
    if "port" not in call:
        raise ApiError('Cannot invoke "java.lang.Integer.intValue()" because "this.port" is null')
    raise InvalidParameterValue(UNREACHABLE)


@family.command("ldapRemove")
def remove_servers(_call: Call) -> Answer:
    return {"ldapremove": {}}


# Users


def account_type(call: Call, role: Role | None) -> AccountType | None:
    """The type of account that a role stands for, else ``accounttype``; None where neither says any."""
    if role is not None:
        return ROLE_TYPES[role.type]
    number = call.get("accounttype")
    return AccountType(number) if number in set(AccountType) else None


def check_account_type(call: Call) -> None:
    if account_type(call, call.maybe(Role, "roleid")) is None:
        raise ParameterError(NO_ACCOUNT_TYPE)


@family.command("importLdapUsers")
def import_users(call: Call) -> Answer:
    check_account_type(call)
    return {}


@family.command("ldapCreateAccount")
def create_account(call: Call) -> Answer:
    check_account_type(call)
    raise ApiError(f"No LDAP user exists with the username of {call['username']}", code=RESOURCE_UNAVAILABLE)


# Links


def base_dn(call: Call, domain: Domain) -> str | None:
    """Where in the directory the users of a domain are looked for; None where that is not set."""
    return call.cloud.configuration.text("ldap.basedn", domain) or None


def link_type(text: str) -> str:
    if text.upper() not in LINK_TYPES:
        raise ParameterError(f"No enum constant org.apache.cloudstack.ldap.LdapManager.LinkType.{text.upper()}")
    return text.upper()


def link_fields(link: LdapLink) -> dict[str, Any]:
    return {
        "domainid": link.domain.id,
        "ldapdomain": link.name,
        "type": link.type,
        "accounttype": int(link.account_type),
    }


@family.command("linkDomainToLdap")
def link_domain(call: Call) -> Answer:
    domain, kind = call.one(Domain, "domainid"), call["accounttype"]
    if base_dn(call, domain) is None:
        raise ParameterError(
            f"can not link a domain (with id = {domain.number}) unless a basedn (null) is configured for it."
        )
    if not call["ldapdomain"]:
        raise ParameterError("ldapDomain cannot be empty, please supply a GROUP or OU name")
    if kind not in (AccountType.NORMAL, AccountType.DOMAIN_ADMIN):
        raise ParameterError("accountype should be either 0(normal user) or 2(domain admin)")
    type = link_type(call["type"])
    if call.cloud.store.table(LdapLink).first(domain=domain, account=None):
        raise ApiError("Entity already exists ")
    link = call.cloud.store.add(
        LdapLink(domain=domain, type=type, name=call["ldapdomain"], account_type=AccountType(kind))
    )
    # The admin that may be named is one of the directory: nobody is found there.
    return {"LinkDomainToLdap": link_fields(link) | {"name": link.name}}


@family.command("unlinkDomainFromLdap")
def unlink_domain(call: Call) -> Answer:
    link = call.cloud.store.table(LdapLink).first(domain=call.one(Domain, "domainid"))
    if link is None:
        return Success(ok=False, text="Failed to unlink domain from LDAP")
    call.cloud.store.forget(link)
    return Success(text="Domain unlinked from LDAP successfully")


@family.command("linkAccountToLdap")
def link_account(call: Call) -> Answer:
    cloud, domain, name = call.cloud, call.one(Domain, "domainid"), call["account"]
    if base_dn(call, domain) is None:
        raise ApiError("can not link an account to ldap in a domain for which no basdn is configured")
    if not name:
        raise ParameterError("accountName cannot be empty.")
    if not call["ldapdomain"]:
        raise ParameterError("ldapDomain cannot be empty, please supply a GROUP or OU name")
    if "type" not in call:
        raise ApiError("type cannot be null. It should either be GROUP or OU")
    role = call.maybe(Role, "roleid")
    kind = account_type(call, role)
    if kind is None:
        raise ParameterError("Either account type or role ID must be given")
    type = link_type(call["type"])
    old = cloud.store.table(LdapLink).first(domain=domain, name=call["ldapdomain"])
    if old is not None and old.account is None:
        raise InternalError(
            f"group {old.name} is mapped to the current domain ({domain.number}) for autoimport and can not be used for "
            "autosync"
        )
    if old is not None and old.account is not None:
        raise InternalError(
            f"group {old.name} is mapped to account {old.account.number} in the current domain ({domain.number}), delete "
            "the old map before mapping a new account to the same group."
        )
    account = active_account(cloud, name, domain)
    if account is None:
        # The default roles have the numbers of their types' order.
        order = list(ROLE_TYPES.values())
        default = cloud.store.table(Role).by_number(order.index(kind) + 1) if kind in order else None
        account = cloud.store.add(Account(name=name, domain=domain, type=kind, role=role or default))
    elif cloud.store.table(LdapLink).first(account=account):
        raise ApiError("Entity already exists ")
    link = cloud.store.add(
        LdapLink(domain=domain, type=type, name=call["ldapdomain"], account_type=kind, account=account)
    )
    return {"linkAccountToLdap": link_fields(link) | {"accountid": account.id, "account": account.name}}


@family.on_account_removal
def remove_link(cloud: Cloud, account: Account) -> None:
    for link in cloud.store.table(LdapLink).where(account=account):
        cloud.store.forget(link)


@family.on_domain_removal
def remove_links(cloud: Cloud, domain: Domain) -> None:
    for link in cloud.store.table(LdapLink).where(domain=domain):
        cloud.store.forget(link)
