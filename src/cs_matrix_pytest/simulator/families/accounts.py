"""Accounts (AccountManagerImpl)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import (
    active_account,
    check_domain,
    check_may_manage,
    check_no_escalation,
    check_owner,
    describe,
    describe_domain,
)
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import (
    ApiError,
    InternalError,
    InvalidParameterValue,
    ParameterError,
    PermissionDenied,
)
from cs_matrix_pytest.simulator.families.addresses import is_domain_name
from cs_matrix_pytest.simulator.families.resource_limits import (
    Count,
    Tally,
    account_limit_fields,
    tagged_fields,
    wants_limits,
)
from cs_matrix_pytest.simulator.families.roles import visible_roles
from cs_matrix_pytest.simulator.families.users import (
    api_key_access_value,
    check_username_is_free,
    give_id,
    new_user,
    remove_user,
    running_job,
    too_long,
    user_fields,
    users_of,
)
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.iam import ROLE_TYPES, Account, AccountType, Domain, Project, Role, User
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family, Listing, Success
from cs_matrix_pytest.simulator.views import when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("accounts")

BAD_NETWORK_DOMAIN = (
    "Invalid network domain. Total length shouldn't exceed 190 chars. Each domain label must be between 1 and 63 "
    "characters long, can contain ASCII letters 'a' through 'z', the digits '0' through '9', and the hyphen ('-'); "
    'can\'t start or end with "-"'
)
BAD_CHANGED_NETWORK_DOMAIN = (
    "Invalid network domain or format. Total length shouldn't exceed 190 chars. Every domain part must be between 1 and "
    "63 characters long, can contain ASCII letters 'a' through 'z', the digits '0' through '9', and the hyphen ('-'); "
    'can\'t start or end with "-"'
)
LONGEST_NAME = 100
"""Characters that the database has for an account's name."""
NO_DOMAIN = ApiError('Cannot invoke "java.lang.Long.longValue()" because "domainId" is null', code=530)
"""What the server answers where it trips over a missing domain while it words an error."""


@family.on_fresh_install
def first_accounts(cloud: Cloud, fresh: Mapping[str, Any]) -> None:
    store = cloud.store
    root = store.table(Domain).by_number(1)
    admins = store.table(Role).by_number(1)
    assert root is not None
    system = Account(name="system", domain=root, type=AccountType.ADMIN, role=admins, is_default=True)
    cloud.system_user = store.add(
        User(
            username="system",
            password="",
            account=store.add(system),
            first_name="system",
            last_name="cloud",
            email=None,
            is_default=True,
        )
    )
    emails = {user["username"]: user.get("email") for user in fresh["lists"]["listUsers"]["user"]}
    for shown in fresh["lists"]["listAccounts"]["account"]:
        kind = AccountType(shown["accounttype"])
        role = store.table(Role).first(name=shown["rolename"])
        account = Account(name=shown["name"], domain=root, type=kind, role=role, is_default=shown["isdefault"])
        store.add(account)
        for user in shown["user"]:
            added = store.add(
                User(
                    username=user["username"],
                    password="password",
                    account=account,
                    first_name=user["firstname"],
                    last_name=user["lastname"],
                    email=emails.get(user["username"]),
                    is_default=user["isdefault"],
                )
            )
            if account.is_root_admin:
                cloud.admin_user = added


@family.view(Account)
def account_view(account: Account, call: Call) -> dict[str, Any]:
    return account_fields(account, call, call.cloud.limits.count)


def account_fields(account: Account, call: Call, count: Count) -> dict[str, Any]:
    """An account as answers show it; ``count`` counts what it owns."""
    role, domain = account.role, account.domain
    # updateAccount answers with the view for those who are not root admins.
    full = call.is_root_admin and call.command.name != "updateAccount"
    return {
        "id": account.id,
        "name": account.name,
        "accounttype": int(account.type),
        "defaultzoneid": account.default_zone.id if account.default_zone else None,
        "roleid": role.id if role else None,
        "roletype": role.type if role else None,
        "rolename": role.name if role else None,
        "domainid": domain.id,
        "domain": domain.name,
        "domainpath": domain.path,
        **(account_limit_fields(call.cloud, account, count) if wants_limits(call) else {}),
        **tagged_fields(call, account),
        "state": account.state,
        "created": None if account.is_default else when(account.created),
        "networkdomain": account.network_domain,
        "accountdetails": account.details or None,
        "user": [
            {key: value for key, value in user_fields(user, call, nested=True).items() if value is not None}
            for user in users_of(call.cloud, account)
        ],
        "isdefault": account.is_default,
        "groups": [],
        "apikeyaccess": account.api_key_access if full else None,
        **running_job(call, account),
    }


# Making and changing


@family.command("createAccount")
def create_account(call: Call) -> Answer:
    cloud, caller = call.cloud, call.account
    role, kind = _role_and_type(call)
    name, username = call.get("account", call["username"]), call["username"]
    domain = call.get("domainid", cloud.system_account.domain)
    if not isinstance(domain, Domain) or domain not in cloud.store:
        raise InvalidParameterValue(
            f"The domain {getattr(domain, 'number', domain)} does not exist; unable to create account"
        )
    check_domain(caller, domain)
    check_username_is_free(
        cloud, username, domain, f"The user {username} already exists in domain {describe_domain(domain)}"
    )
    network_domain = call.get("networkdomain")
    if network_domain and not is_domain_name(network_domain):
        raise InvalidParameterValue(BAD_NETWORK_DOMAIN)
    check_no_escalation(cloud, caller, role)
    _check_new_account(call, name, kind, domain)
    if network_domain == "":
        raise InvalidParameterValue(BAD_NETWORK_DOMAIN)
    if len(name) > LONGEST_NAME:
        raise too_long("account_name")
    account = Account(
        name=name,
        domain=domain,
        type=kind,
        role=role,
        network_domain=network_domain,
        details=next(iter(call.entries("accountdetails")), {}),
    )
    check_may_manage(call, account)
    give_id(call, account, "accountid")
    user = new_user(call, account)
    give_id(call, user, "userid")
    cloud.store.add(account)
    cloud.store.add(user)
    # The command tells of its account itself.
    cloud.events.record(call, "USER.CREATE", "Successfully completed creating User", resource=user)
    return account


def _role_and_type(call: Call) -> tuple[Role | None, AccountType]:
    role = call.maybe(Role, "roleid")
    if role is not None and role.type == "Admin" and not call.is_root_admin:
        role = None
    number = call.get("accounttype")
    if role is not None:
        return role, ROLE_TYPES[role.type]
    if number not in ROLE_TYPES.values():
        raise ParameterError("Neither account type and role ID are not provided")
    kind = AccountType(number)
    # The default roles have the numbers of their types' order.
    return call.cloud.store.table(Role).by_number(list(ROLE_TYPES.values()).index(kind) + 1), kind


def _check_new_account(call: Call, name: str, kind: AccountType, domain: Domain) -> None:
    cloud = call.cloud
    if domain.state == "Inactive":
        raise InternalError(f"The account cannot be created as domain {domain.name} is being deleted")
    if domain.parent is not None and kind == AccountType.ADMIN:
        raise InvalidParameterValue(
            f"Invalid account type {kind.name} given for an account in domain {describe_domain(domain)}; unable to "
            "create user of admin role type in non-ROOT domain."
        )
    if active_account(cloud, name, domain) is not None:
        raise InvalidParameterValue(f"The specified account: {name} already exists")
    if kind == AccountType.RESOURCE_DOMAIN_ADMIN and not cloud.store.table(Zone).first(owner_domain=domain):
        raise InvalidParameterValue(
            f"The account cannot be created as domain {describe_domain(domain)} is not associated with any private Zone"
        )


def find_account(call: Call, *, enabled_only: bool = False) -> Account | None:
    """The account that ``id``, else ``account`` with ``domainid``, names; not one of a project."""
    account = call.get("id")
    if account is None:
        domain = call.maybe(Domain, "domainid")
        account = active_account(call.cloud, call.get("account", ""), domain) if domain else None
    known = isinstance(account, Account) and account in call.cloud.store and account.type != AccountType.PROJECT
    return account if known and (account.state == "enabled" or not enabled_only or "id" in call) else None


def changed_account(call: Call, doing: str) -> Account:
    """The account that a command changes, with every check that such commands share."""
    account = find_account(call)
    if account is None:
        domain = call.maybe(Domain, "domainid")
        if domain is None:
            raise NO_DOMAIN
        number = getattr(call.get("id"), "number", "null")
        raise InvalidParameterValue(
            f"Unable to find account by accountId: {number} OR by name: {call.get('account', 'null')} in domain "
            f"{describe_domain(domain)}"
        )
    if account is call.cloud.system_account:
        raise PermissionDenied(f"Account: {describe(account)} is a system account, {doing} is not allowed")
    check_owner(call.account, account)
    check_may_manage(call, account)
    return account


@family.command("updateAccount")
def update_account(call: Call) -> Answer:
    account = find_account(call, enabled_only=True)
    if account is None:
        raise ApiError('Cannot invoke "com.cloud.user.Account.getId()" because "account" is null', code=530)
    if account is call.cloud.system_account:
        raise InvalidParameterValue("Can not modify system account")
    check_domain(call.account, account.domain)
    check_may_manage(call, account)
    access, name = call.get("apikeyaccess"), call.get("newname")
    if access is not None:
        access = api_key_access_value(access)
    if name is not None:
        _check_new_name(call, account, name)
    network_domain = call.get("networkdomain")
    if network_domain and not is_domain_name(network_domain):
        raise InvalidParameterValue(BAD_CHANGED_NETWORK_DOMAIN)
    role = call.get("roleid")
    if role is not None:
        _check_new_role(call, account, role)
        account.role, account.type = role, ROLE_TYPES[role.type]
    account.name = account.name if name is None else name
    account.api_key_access = access or account.api_key_access
    if network_domain is not None:
        account.network_domain = network_domain or None
    for details in call.entries("accountdetails")[:1]:
        account.details = dict(details)
    return account


def _check_new_name(call: Call, account: Account, name: str) -> None:
    domain = call.maybe(Domain, "domainid")
    if domain is None and not name:
        raise NO_DOMAIN
    if domain is None:
        return
    if not name:
        raise InvalidParameterValue(
            f"The new account name for account '{describe(account)}' within domain '{describe_domain(domain)}' is empty "
            "string. Account will be not renamed."
        )
    other = active_account(call.cloud, name, domain)
    if other is not None and other is not account:
        raise InvalidParameterValue(
            f"The account with the proposed name '{name}' exists in the domain '{describe_domain(domain)}' with existing "
            f"account {describe(other)}"
        )


def _check_new_role(call: Call, account: Account, role: Any) -> None:
    if not isinstance(role, Role) or role not in visible_roles(call, call.cloud.store.table(Role)):
        domain = call.maybe(Domain, "domainid")
        if domain is None:
            raise NO_DOMAIN
        raise InvalidParameterValue(
            f"Role with ID '{getattr(role, 'number', role)}' is not found or not available for the account "
            f"'{describe(account)}' in the domain '{describe_domain(domain)}'."
        )
    if role is account.role:
        return
    refused = f"Unable to update account role to {role.name}, "
    ranks = list(ROLE_TYPES)
    mine, now = call.account.role, account.role
    if mine is not None and mine.type != "Admin":
        rank = ranks.index(mine.type)
        if ranks.index(role.type) < rank or (now is not None and ranks.index(now.type) < rank):
            raise PermissionDenied(f"{refused} as either current or new role has higher privileges than the caller")
    if account.is_default:
        raise PermissionDenied(f"{refused} as the account is a default account")
    if role.type == "Admin" and account.domain.parent is not None:
        raise PermissionDenied(f"{refused} as the user does not belong to the ROOT domain")
    check_no_escalation(call.cloud, call.account, role)


@family.command("enableAccount")
def enable_account(call: Call) -> Answer:
    account = changed_account(call, "enable")
    account.state = "enabled"
    return account


@family.command("disableAccount")
def disable_account(call: Call) -> Answer:
    lock = call.flag("lock")
    account = changed_account(call, "lock" if lock else "disable")
    if lock:
        if account.state == "disabled":
            raise InternalError(
                f"Unable to lock account {describe(account)} by accountId: {account.number} OR by name: "
                f"{call.get('account', 'null')} in domain {describe_domain(account.domain)}"
            )
        account.state = "locked"
        return account
    if account is call.cloud.admin_user.account:
        raise InternalError(
            f"Unable to update account {describe(account)} by accountId: {account.number} OR by name: "
            f"{call.get('account', 'null')} in domain {describe_domain(account.domain)}"
        )
    stop_account(call.cloud, account)
    return account


def stop_account(cloud: Cloud, account: Account) -> None:
    """Disable an account: its VMs are stopped."""
    account.state = "disabled"
    for vm in cloud.store.table(UserVm).where(account=account, state="Running"):
        try:
            cloud.run("stopVirtualMachine", id=vm.id)
        except ApiError:
            # As the server: an account is disabled even where a VM of it cannot be stopped.
            continue


@family.command("lockAccount")
def lock_account(_call: Call) -> Answer:
    raise InternalError(
        "LockAccount does not lock Accounts. Its implementation is disabled. Use DisableAccount instead."
    )


@family.command("deleteAccount")
def delete_account(call: Call) -> Answer:
    account, cloud = call.get("id"), call.cloud
    if account is call.account:
        raise InvalidParameterValue(
            f"Deletion of your own account is not allowed. To delete account {account.name} (ID: {account.id}, Domain: "
            f"{account.domain.id}), request to another user with permissions to perform the operation."
        )
    if not isinstance(account, Account) or account not in cloud.store:
        return Success()
    if account.type == AccountType.PROJECT:
        raise InvalidParameterValue("The specified account does not exist in the system")
    check_owner(call.account, account)
    if account.is_default:
        raise InvalidParameterValue("The account is default and can't be removed")
    managed = [
        project.number
        for project in cloud.store.table(Project)
        if any(member.account is account for member in project.admins)
    ]
    if managed:
        raise InvalidParameterValue(
            f"Unable to delete account [{account.number}], because it manages the following project(s): {managed}. "
            "Please, remove the account from these projects or demote it to a regular project role first."
        )
    check_may_manage(call, account)
    if cloud.store.table(UserVm).first(account=account, delete_protection=True):
        raise InvalidParameterValue(
            f"Cannot delete Account '{account.name}'. One or more Instances have delete protection enabled."
        )
    remove_account(cloud, account)
    return Success()


def remove_account(cloud: Cloud, account: Account) -> None:
    """Remove an account with its users and everything that it owns, family by family."""
    account.state = "removed"
    cloud.store.remove(account)
    for user in users_of(cloud, account):
        remove_user(cloud, user)
    for project in cloud.store.table(Project):
        project.members = [member for member in project.members if member.account is not account]
    for owner in cloud.registry.families:
        for clean in owner.account_cleanup:
            clean(cloud, account)


# Looking


@family.command("listAccounts")
def list_accounts(call: Call) -> Answer:
    listing = page(call, [row for row in call.cloud.store.table(Account) if _passes(call, row, _scope(call))])
    count = Tally(call.cloud.limits).count
    fields = [
        account_fields(row, call, count) | call.cloud.additions(row, call)
        for row in listing.rows
        if isinstance(row, Account)
    ]
    return Listing([{k: v for k, v in row.items() if v is not None} for row in fields], listing.total)


def _scope(call: Call) -> tuple[Account | None, Domain | None, bool]:
    """The account, or the domain (with all below it), that a request may and wants to see (searchForAccounts)."""
    caller, store = call.account, call.cloud.store
    is_admin = not caller.is_normal
    domain, account = call.get("domainid"), call.get("id")
    if domain is not None:
        if not isinstance(domain, Domain) or domain not in store:
            raise InvalidParameterValue(f"Domain id={getattr(domain, 'number', domain)} doesn't exist")
        check_domain(caller, domain)
    recursive = call.flag("isrecursive")
    if account is None:
        everybody = call.cloud.configuration.flag("allow.user.view.all.domain.accounts", caller.domain)
        if (call.flag("listall") and is_admin) or everybody:
            return None, domain or caller.domain, True
        return (caller if not is_admin or domain is None else None), domain, recursive
    known = isinstance(account, Account) and account in store and account is not call.cloud.system_account
    if not known or (domain is not None and account.domain is not domain):
        where = f" in domain {domain.number}" if domain is not None else ""
        raise InvalidParameterValue(f"Unable to find account by id {getattr(account, 'number', account)}{where}")
    check_owner(caller, account)
    return account, domain, recursive


def _passes(call: Call, row: Account, scope: tuple[Account | None, Domain | None, bool]) -> bool:
    account, domain, recursive = scope
    if row.type == AccountType.PROJECT or row is call.cloud.system_account or (account not in (None, row)):
        return False
    if domain is not None and not (domain.contains(row.domain) if recursive else row.domain is domain):
        return False
    if call.account.is_normal and row.type == AccountType.DOMAIN_ADMIN:
        return False
    name, kind, state, keyword = (call.get(key) for key in ("name", "accounttype", "state", "keyword"))
    access = call.get("apikeyaccess")
    return (
        (name is None or row.name.lower() == name.lower())
        and (kind is None or row.type == kind)
        and (state is None or row.state == state.lower())
        and not call.flag("iscleanuprequired")
        and (not keyword or keyword.lower() in row.name.lower() or keyword.lower() in row.state)
        and (access is None or row.api_key_access == api_key_access_value(access))
    )


@family.command("isAccountAllowedToCreateOfferingsWithTags")
def may_tag_offerings(call: Call) -> Answer:
    account = call.one(Account)
    check_owner(call.account, account)
    setting = "allow.domain.admins.to.create.tagged.offerings"
    allowed = call.cloud.configuration.flag(setting, account, account.domain)
    return {"isallowed": {"isallowed": allowed}}
