"""Users and their keys (AccountManagerImpl)."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import (
    active_account,
    allowed_commands,
    api_key_access,
    check_domain,
    check_may_manage,
    check_owner,
    describe,
    describe_domain,
    rule_book,
    scoping,
)
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import (
    ApiError,
    InternalError,
    InvalidParameterValue,
    ParameterError,
    PermissionDenied,
)
from cs_matrix_pytest.simulator.families.password_policy import check_password
from cs_matrix_pytest.simulator.families.roles import check_rule, is_allow
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.iam import (
    Account,
    AccountType,
    ApiKeyPair,
    Domain,
    KeyRule,
    Project,
    User,
    rule_texts,
)
from cs_matrix_pytest.simulator.registry import Answer, Family, Listing, Success
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.views import when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("users")

BAREMETAL = "baremetal-system-account"
PROVIDERS = {"totp": "Time-based one-time password", "staticpin": "Static PIN"}
"""Two-factor authentication providers, with what they are."""
KEY_BYTES = 64
"""As the server's HmacSHA1 key generator makes them."""
API_KEY_ACCESS = ("ENABLED", "DISABLED", "INHERIT")


# Views


@family.view(User)
def user_view(user: User, call: Call) -> dict[str, Any]:
    return user_fields(user, call)


def user_fields(user: User, call: Call, *, nested: bool = False) -> dict[str, Any]:
    """A user as answers show it; ``nested`` inside an account or a project's member."""
    account, config = user.account, call.cloud.configuration
    role, domain = account.role, account.domain
    listed = call.command.name == "listUsers" and not nested
    secret = config.flag("use.secret.key.in.response") and user.keys
    mandated = config.flag("enable.user.2fa", domain) and config.flag("mandate.user.2fa", domain)
    return {
        "id": user.id,
        "username": user.username,
        "firstname": user.first_name,
        "lastname": user.last_name,
        "email": user.email,
        "created": when(user.created),
        "state": user.state,
        "account": account.name,
        "accountid": account.id,
        "accounttype": int(account.type),
        "usersource": user.source,
        "roleid": role.id if role else None,
        "roletype": role.type if role else None,
        "rolename": role.name if role else None,
        "domainid": domain.id,
        "domain": domain.name,
        "timezone": user.timezone,
        "apikey": user.keys[-1].api_key if user.keys else None,
        "secretkey": user.keys[-1].secret_key if secret else None,
        "iscallerchilddomain": listed and domain is not call.account.domain,
        "isdefault": user.is_default,
        "is2faenabled": user.two_factor,
        "is2famandated": mandated,
        "apikeyaccess": user.api_key_access if listed and call.is_root_admin else None,
        **running_job(call, user),
    }


def running_job(call: Call, resource: Resource) -> dict[str, Any]:
    """The job that is at work on a resource, while it is."""
    job = call.job
    return {} if job is None or job.instance is not resource else {"jobid": job.id, "jobstatus": 0}


@family.view(ApiKeyPair)
def key_pair_view(pair: ApiKeyPair, call: Call) -> dict[str, Any]:
    user, account = pair.user, pair.account
    role, domain = account.role, account.domain
    expired = pair.end is not None and pair.end <= call.cloud.clock.datetime()
    return {
        "id": pair.id,
        "name": pair.name,
        "description": pair.description,
        "apikey": pair.api_key,
        "secretkey": pair.secret_key,
        "userid": user.id,
        "username": user.username,
        "created": when(pair.created),
        "startdate": when(pair.start),
        "enddate": when(pair.end),
        "accountid": account.id,
        "accountname": account.name,
        "accounttype": account.type.name,
        "roleid": role.id if role else None,
        "roletype": role.type if role else None,
        "rolename": role.name if role else None,
        "domainid": domain.id,
        "domain": domain.name,
        "domainpath": domain.path,
        "state": "EXPIRED" if expired else "ENABLED",
        "permissions": _rules(pair) if call.flag("showpermissions") else None,
    }


def _rules(pair: ApiKeyPair) -> list[dict[str, Any]]:
    rules = pair.permissions
    if not rules and pair.account.role is not None:
        rules = [KeyRule(text.removeprefix("!"), not text.startswith("!")) for text in pair.account.role.rules]
    return [
        {
            "rule": row.rule,
            "permission": "allow" if row.allow else "deny",
            **({"description": row.description} if row.description else {}),
        }
        for row in rules
    ]


# Users


def users_of(cloud: Cloud, account: Account) -> list[User]:
    """The users of an account, oldest first."""
    return cloud.store.table(User).where(account=account)


def check_username_is_free(cloud: Cloud, username: str, domain: Domain, taken: str) -> None:
    """Raise ``taken`` if a user of the domain has this name, unless the domain allows that."""
    if cloud.configuration.flag("user.allow.multiple.accounts", domain):
        return
    if cloud.store.table(User).first(lambda row: row.account.domain is domain, username=username):
        raise InvalidParameterValue(taken)


def new_user(call: Call, account: Account) -> User:
    """The user that a request describes, not yet in the store."""
    if call.caller.user is not call.cloud.system_user:
        check_password(call, call["password"], call["username"], account.domain)
    return User(
        username=call["username"],
        password=call["password"],
        account=account,
        first_name=call["firstname"],
        last_name=call["lastname"],
        email=call["email"],
        timezone=call.get("timezone"),
    )


SOURCES = ("native", "ldap", "saml2", "saml2disabled")
"""What lists can ask for of where users come from."""
LONGEST_ID = 40
"""Characters that the database has for the uuid of anything."""


def too_long(column: str) -> InternalError:
    """What the server answers for a text that is longer than its column."""
    return InternalError(
        f"Unable to persist on DB, due to: Data truncation: Data too long for column '{column}' at row 1"
    )


def give_id(call: Call, resource: Resource, parameter: str) -> None:
    """Give a new resource the uuid that the request asks for, if it does."""
    wanted = call.get(parameter)
    if wanted:
        if len(wanted) > LONGEST_ID:
            raise too_long("uuid")
        if call.cloud.store.table(type(resource)).get(wanted, removed=True) is not None:
            raise ApiError("Entity already exists ", code=530)
        resource.id = wanted


def api_key_access_value(text: str) -> str:
    """``ENABLED``, ``DISABLED`` or ``INHERIT``, in whatever case it was given."""
    if text.upper() not in API_KEY_ACCESS:
        raise InvalidParameterValue("ApiKeyAccess value can only be Enabled/Disabled/Inherit")
    return text.upper()


@family.command("createUser")
def create_user(call: Call) -> Answer:
    cloud, name = call.cloud, call["username"]
    domain = call.get("domainid", cloud.system_account.domain)
    if not isinstance(domain, Domain) or domain not in cloud.store:
        raise InternalError(f"The domain {getattr(domain, 'number', domain)} does not exist; unable to create user")
    if domain.state == "Inactive":
        raise InternalError(f"The user cannot be created as domain {domain.name} is being deleted")
    check_domain(call.account, domain)
    account = active_account(cloud, call["account"], domain)
    if account is None or account.state != "enabled" or account.type == AccountType.PROJECT:
        raise InvalidParameterValue(
            f"Unable to find account {call['account']} in domain {describe_domain(domain)} to create user"
        )
    if account is cloud.system_account:
        raise PermissionDenied(f"Account: {describe(account)} is a system account, can't add a user to it")
    taken = cloud.store.table(User).first(lambda row: row.account.domain is domain, username=name)
    if taken and not cloud.configuration.flag("user.allow.multiple.accounts", domain):
        raise InternalError(f"The user {name} already exists in domain {domain.number}")
    _check_not_in_account(cloud, name, account)
    check_may_manage(call, account)
    user = new_user(call, account)
    user.must_change_password = call.flag("passwordchangerequired") and not call.account.is_normal
    give_id(call, user, "userid")
    cloud.store.add(user)
    return user


def _check_not_in_account(cloud: Cloud, username: str, account: Account, user: User | None = None) -> None:
    if cloud.store.table(User).first(lambda row: row is not user, username=username, account=account):
        raise InvalidParameterValue(
            f"Username [{username}] already exists in account [id={account.id},name={account.name}]"
        )


def known_user(call: Call, missing: str) -> User:
    """The live user of ``id``, never the system's; ``missing`` may say ``{}`` for its number."""
    user = call.get("id")
    if not isinstance(user, User) or user not in call.cloud.store:
        raise InvalidParameterValue(missing.format(getattr(user, "number", user)))
    return user


@family.command("updateUser")
def update_user(call: Call) -> Answer:
    user = known_user(call, "Unable to find user with id: {}")
    account = user.account
    if account is call.cloud.system_account:
        raise PermissionDenied(f"user: {describe_user(user)} is a system account; update is not allowed.")
    check_owner(call.account, account)
    check_may_manage(call, account, user)
    _update_keys(call, user)
    access = call.get("apikeyaccess")
    if access is not None:
        user.api_key_access = api_key_access_value(access)
    for parameter, attribute, what in (("firstname", "first_name", "Firstname"), ("lastname", "last_name", "Lastname")):
        value = call.get(parameter)
        if value is not None:
            if not value.strip():
                raise InvalidParameterValue(f"{what} cannot be empty.")
            setattr(user, attribute, value)
    _update_name(call, user)
    _update_password(call, user)
    user.email = call.get("email") or user.email
    user.timezone = call.get("timezone") or user.timezone
    if call.flag("mandate2fa"):
        user.two_factor = True
    _update_password_change(call, user)
    return user


def _update_password_change(call: Call, user: User) -> None:
    """Admins may have others choose a new password; one that was given does otherwise away with that."""
    wanted = call.flag("passwordchangerequired")
    if wanted and (user.state != "enabled" or user.account.state != "enabled"):
        raise InternalError(
            "CloudStack does not support enforcing password change for locked/disabled User or Account."
        )
    if wanted and user.source.startswith(("saml2", "ldap")):
        raise InvalidParameterValue("CloudStack does not support enforcing password change for SAML or LDAP users.")
    demanded = wanted and user is not call.caller.user
    if demanded and call.account.type in (AccountType.ADMIN, AccountType.DOMAIN_ADMIN):
        user.must_change_password = True
    if call.get("password") and not demanded:
        user.must_change_password = False


def _update_keys(call: Call, user: User) -> None:
    api_key, secret_key = call.get("userapikey"), call.get("usersecretkey")
    if bool(api_key) is not bool(secret_key):
        raise InvalidParameterValue("Please provide a valid API and secret key pair.")
    if not api_key:
        return
    if not user.keys:
        raise InvalidParameterValue(f"User [{user.username}] has no active API key pairs to be updated.")
    table = call.cloud.store.table(ApiKeyPair)
    if table.first(api_key=api_key):
        raise InvalidParameterValue(
            f"The API key [{api_key}] already exists in the system. Please provide a unique key."
        )
    pair = user.keys[-1]
    pair.api_key, pair.secret_key = api_key, secret_key
    table.add(pair)


def _update_name(call: Call, user: User) -> None:
    name, account = call.get("username"), user.account
    if name is None:
        return
    if not name.strip():
        raise InvalidParameterValue("Username cannot be empty.")
    if not call.cloud.configuration.flag("user.allow.multiple.accounts", account.domain):
        other = call.cloud.store.table(User).first(
            lambda row: row is not user and row.account.domain is account.domain, username=name
        )
        if other is not None:
            domain, theirs = account.domain, other.account
            raise InvalidParameterValue(
                f"Username [{name}] already exists in domain [id={domain.id},name={domain.name}] user account "
                f"[id={theirs.id},name={theirs.name}]"
            )
    _check_not_in_account(call.cloud, name, account, user)
    user.username = name


def _update_password(call: Call, user: User) -> None:
    password = call.get("password")
    if password is None:
        return
    if not password.strip():
        raise InvalidParameterValue("Password cannot be empty or blank.")
    if user.source.startswith(("saml2", "ldap")):
        raise InvalidParameterValue(
            "CloudStack does not support updating passwords for SAML or LDAP users. Please contact your cloud "
            "administrator for assistance."
        )
    check_password(call, password, user.username, user.account.domain)
    if call.account.type not in (AccountType.ADMIN, AccountType.DOMAIN_ADMIN):
        current = call.get("currentpassword")
        if not current:
            raise InvalidParameterValue("To set a new password the current password must be provided.")
        if current != user.password:
            raise InvalidParameterValue("Current password is incorrect.")
    user.password = password


def describe_user(user: User) -> str:
    """A user as error texts name it."""
    return f'User {{"username":"{user.username}","uuid":"{user.id}"}}'


def state_changer(doing: str, missing: str) -> Callable[[Call], User]:
    """What enabling, disabling and locking check first; gives the user."""

    def find(call: Call) -> User:
        user = known_user(call, missing)
        if user.account is call.cloud.system_account:
            text = f"{describe_user(user)} is a system user, {doing} is not allowed"
            if doing == "locking":
                raise PermissionDenied(f"user: {text}")
            raise InvalidParameterValue(f"User: {text}")
        check_owner(call.account, user.account)
        check_may_manage(call, user.account, user)
        return user

    return find


find_to_disable = state_changer("disabling", "Unable to find active user by id {}")
find_to_enable = state_changer("enabling", "Unable to find active user by id {}")
find_to_lock = state_changer("locking", "Unable to find user by id")


@family.command("disableUser")
def disable_user(call: Call) -> Answer:
    user = find_to_disable(call)
    user.state = "disabled"
    return user


@family.command("enableUser")
def enable_user(call: Call) -> Answer:
    user = find_to_enable(call)
    user.state = user.account.state = "enabled"
    user.failed_logins = 0
    return user


@family.command("lockUser")
def lock_user(call: Call) -> Answer:
    user = find_to_lock(call)
    if user.state == "locked":
        return user
    if user.state == "disabled":
        raise InternalError(f"Unable to lock user {describe_user(user)}")
    user.state = "locked"
    if all(row.state != "enabled" for row in users_of(call.cloud, user.account)):
        user.account.state = "locked"
    return user


def _removable(call: Call) -> User:
    user = known_user(call, "The specified user doesn't exist in the system")
    if user.is_default:
        raise InvalidParameterValue("The user is default and can't be (re)moved")
    return user


@family.command("deleteUser")
def delete_user(call: Call) -> Answer:
    user = _removable(call)
    if user is call.caller.user:
        raise InvalidParameterValue(
            "The caller is requesting to delete itself. As a security measure, ACS will not allow this operation. To "
            f"delete user {user.username} (ID: {user.id}, Domain: {user.account.domain.id}), request to another user "
            "with permission to execute the operation."
        )
    check_owner(call.account, user.account)
    check_may_manage(call, user.account, user)
    remove_user(call.cloud, user)
    return Success()


def remove_user(cloud: Cloud, user: User) -> None:
    """Remove a user with the keys and the memberships of projects."""
    for pair in list(user.keys):
        remove_keys(cloud, pair)
    for project in cloud.store.table(Project):
        project.members = [member for member in project.members if member.user is not user]
    cloud.store.remove(user)


@family.command("moveUser")
def move_user(call: Call) -> Answer:
    user = _removable(call)
    old = user.account
    check_owner(call.account, old)
    check_may_manage(call, old, user)
    name, account = call.get("account"), None
    if name:
        account = active_account(call.cloud, name, old.domain)
        account = account if account is not None and account.state == "enabled" else None
    if account is None:
        account = call.maybe(Account, "accountid")
    if account is None:
        raise InternalError("no account name or account id. this should have been caught before this point")
    if account.domain is not old.domain:
        raise InvalidParameterValue(
            "moving a user from an account in one domain to an account in another domain is not supported!"
        )
    user.account = account
    return Success()


@family.command("listUsers")
def list_users(call: Call) -> Answer:
    caller, wanted = call.account, call.get("id")
    if caller.is_normal:
        if wanted is not None and wanted is not call.caller.user:
            raise PermissionDenied("Calling user is not authorized to see the user requested by id")
        wanted = call.caller.user
    if call.get("usersource", "native").lower() not in SOURCES:
        raise InvalidParameterValue(
            f"Invalid user source: {call['usersource']}. Valid values are: native, ldap, saml2 and saml2disabled."
        )
    scope = scoping(call, by_id=wanted is not None)
    name, kind, state, source, keyword, access = (
        call.get(key) for key in ("username", "accounttype", "state", "usersource", "keyword", "apikeyaccess")
    )

    def mentions(user: User) -> bool:
        texts = (user.username, user.first_name, user.last_name, user.email or "", user.state, user.account.name)
        return any(str(keyword).lower() in text.lower() for text in texts)

    rows = [
        user
        for user in call.cloud.store.table(User)
        if user is not call.cloud.system_user
        and scope.admits(user.account)
        and (wanted is None or user is wanted)
        and (name is None or user.username.lower() == name.lower())
        and (kind is None or user.account.type == kind)
        and (state is None or user.state == state.lower())
        and (source is None or user.source == source.lower())
        and (access is None or user.api_key_access == access.upper())
        and (not keyword or mentions(user))
    ]
    return page(call, rows)


@family.command("getUser")
def get_user(call: Call) -> Answer:
    pair = call.cloud.store.table(ApiKeyPair).first(api_key=call["userapikey"])
    if pair is None:
        raise InvalidParameterValue("User with specified API key does not exist")
    return pair.user


# Keys


@family.command("registerUserKeys")
def register_user_keys(call: Call) -> Answer:
    cloud = call.cloud
    user = known_user(call, "Unable to find user by ID: {}")
    check_owner(call.account, user.account)
    check_may_manage(call, user.account, user)
    if user is cloud.system_user or user.username == BAREMETAL:
        raise PermissionDenied(f"User ID: [{user.number}] is a system account and, thus, the operation is not allowed.")
    start, end = call.get("startdate"), call.get("enddate")
    if end is not None and end <= cloud.clock.datetime():
        raise InvalidParameterValue("Keypair cannot be created with expired date, please input a date in the future.")
    if start is not None and end is not None and start >= end:
        raise InvalidParameterValue("Please specify an end date that is after the start date.")
    rules = [key_rule(entry) for entry in call.entries("rules")]
    _check_rules(call, user, rules)
    pair = ApiKeyPair(
        user=user,
        api_key=secrets.token_urlsafe(KEY_BYTES),
        secret_key=secrets.token_urlsafe(KEY_BYTES),
        name=call.get("name") or f"{user.number} - API key pair",
        description=call.get("description"),
        start=start,
        end=end,
        permissions=rules,
    )
    user.keys.append(cloud.store.add(pair))
    return pair


def key_rule(entry: Mapping[str, str]) -> KeyRule:
    """One rule of new keys."""
    rule, permission, description = (entry.get(key, "") for key in ("rule", "permission", "description"))
    if not rule:
        raise ParameterError("Empty rule has been provided in the [rules] parameter.")
    if not permission:
        raise ParameterError(
            f"Rule [{rule}] has no permission associated with it, please specify if it is either [allow] or [deny]."
        )
    rule, allow = check_rule(rule), is_allow(permission)
    if len(description) > 255:
        raise ParameterError("Rule description cannot be longer than 255 characters.")
    return KeyRule(rule, allow, description or None)


def _check_rules(call: Call, user: User, rules: list[KeyRule]) -> None:
    """Raise if keys would allow more than the role of their account does."""
    if not rules:
        return
    book, allowed = rule_book(rule_texts(rules)), allowed_commands(call.cloud, user.account.role)
    if any(book.decides(name) and name not in allowed for name in call.cloud.api):
        raise InvalidParameterValue(
            f"The key pair being created has a bigger set of permissions than the account [{user.account.id}] that owns "
            "it. This is not allowed."
        )


@family.command("getUserKeys")
def get_user_keys(call: Call) -> Answer:
    user = known_user(call, "Unable to find active user with ID [{}].")
    check_owner(call.account, user.account)
    check_may_manage(call, user.account, user)
    used = next((pair for pair in user.keys if pair.api_key == call.caller.keys), None)
    pair = used or (user.keys[-1] if user.keys else None)
    keys = {"apikey": pair.api_key, "secretkey": pair.secret_key} if pair else {}
    return {"userkeys": {**keys, "apikeyaccess": api_key_access(call.cloud, user)}}


@family.command("listUserKeys", object_name="userapikey")
def list_user_keys(call: Call) -> Answer:
    table = call.cloud.store.table(ApiKeyPair)
    if "keypairid" in call or "apikeyfilter" in call:
        pair = call.get("keypairid") or table.first(api_key=call.get("apikeyfilter"))
        if not isinstance(pair, ApiKeyPair) or pair not in table:
            raise InvalidParameterValue("Could not complete request.")
        check_owner(call.account, pair.account)
        check_may_manage(call, pair.account, pair.user)
        return [pair]
    user = call.maybe(User, "userid")
    if user is not None:
        check_may_manage(call, user.account, user)
        return page(call, user.keys)
    if not call.flag("listall") or call.account.is_normal:
        return page(call, call.caller.user.keys)
    return page(call, [pair for pair in table if _may_see(call, pair)])


def _may_see(call: Call, pair: ApiKeyPair) -> bool:
    try:
        check_owner(call.account, pair.account)
        check_may_manage(call, pair.account, pair.user)
    except PermissionDenied:
        return False
    return True


@family.command("listUserKeyRules")
def list_user_key_rules(call: Call) -> Answer:
    pair = call.maybe(ApiKeyPair, "keypairid")
    if pair is None:
        raise InvalidParameterValue("Could not complete request.")
    check_may_manage(call, pair.account, pair.user)
    rows = _rules(pair)
    return Listing(rows, len(rows))


@family.command("deleteUserKeys")
def delete_user_keys(call: Call) -> Answer:
    pair = call.get("keypairid")
    if not isinstance(pair, ApiKeyPair) or pair not in call.cloud.store:
        raise InvalidParameterValue(f"No keypair found with the ID [{getattr(pair, 'number', pair)}].")
    check_may_manage(call, pair.account, pair.user)
    remove_keys(call.cloud, pair)
    return Success()


def remove_keys(cloud: Cloud, pair: ApiKeyPair) -> None:
    """Make keys invalid."""
    pair.user.keys.remove(pair)
    cloud.store.remove(pair)


# Two-factor authentication


@family.command("listUserTwoFactorAuthenticatorProviders")
def list_two_factor_providers(call: Call) -> Answer:
    name = call.get("name")
    known = [
        {"name": provider, "description": what}
        for provider, what in PROVIDERS.items()
        if name is None or provider == name.lower()
    ]
    if not known:
        raise InternalError(f"Failed to find two factor authentication provider by the name: {name}.")
    return Listing(known, len(known))


@family.command("setupUserTwoFactorAuthentication")
def set_up_two_factor(call: Call) -> Answer:
    config, user = call.cloud.configuration, call.caller.user
    if not call.flag("enable", True):
        user = call.maybe(User, "userid") or user
        check_owner(call.account, user.account)
        user.two_factor, user.two_factor_provider, user.two_factor_code = False, None, None
        return {"setup2fa": {"id": user.id, "username": user.username}}
    domain = user.account.domain
    if not config.flag("enable.user.2fa", domain) and not config.flag("mandate.user.2fa", domain):
        raise InternalError("2FA is not enabled for this domain or at global level")
    provider = (call.get("provider") or config.text("user.2fa.default.provider", domain, default="totp")).lower()
    if provider not in PROVIDERS:
        raise InternalError(f"Failed to find two factor authentication provider by the name: {provider}.")
    user.two_factor, user.two_factor_provider, user.two_factor_proven = True, provider, False
    user.two_factor_code = (
        f"{secrets.randbelow(10**6):06}"
        if provider == "staticpin"
        else base64.b32encode(secrets.token_bytes(20)).decode()
    )
    return {"setup2fa": {"id": user.id, "username": user.username, "secretcode": user.two_factor_code}}


@family.command("validateUserTwoFactorAuthenticationCode")
def validate_two_factor_code(_call: Call) -> Answer:
    """A session's own command (wire/second_factor.py); whoever has no session is told so."""
    raise ApiError("This is an authentication api, cannot be used directly", code=405)
