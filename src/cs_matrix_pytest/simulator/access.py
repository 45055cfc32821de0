"""Who may see and use what (AccountManagerImpl.checkAccess, DomainChecker, buildACLSearchParameters, finalizeOwner)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from cs_matrix_pytest.simulator.errors import (
    ApiError,
    InvalidParameterValue,
    PermissionDenied,
    UnsupportedCommand,
)
from cs_matrix_pytest.simulator.metadata import Command
from cs_matrix_pytest.simulator.models.iam import (
    ROLE_TYPES,
    Account,
    AccountType,
    Domain,
    Owned,
    Project,
    ProjectMember,
    Role,
    User,
    rule_texts,
)
from cs_matrix_pytest.simulator.parameters import NO_ID, UnknownNumber
from cs_matrix_pytest.simulator.store import Resource

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.call import Call, Caller
    from cs_matrix_pytest.simulator.cloud import Cloud

DOMAIN_ADMINS = (AccountType.DOMAIN_ADMIN, AccountType.RESOURCE_DOMAIN_ADMIN)
ADMINS = (AccountType.ADMIN, *DOMAIN_ADMINS)
NO_PERMISSION = "Caller does not have permission to operate with provided resource."
ROOT_ADMIN_ROLE = 1
"""The number of the role that may do everything whatever its rules say."""

PROJECT_COMMANDS = frozenset({"suspendProject", "updateProject", "activateProject", "deleteProject"})
"""Commands whose ``id`` is the project they run in."""

OWNER_NAMED = frozenset(
    [
        "addVpnUser",
        "createTemplate",
        "createVPC",
        "createVolume",
        "createVpnCustomerGateway",
        "deployVirtualMachine",
        "deployVnfAppliance",
        "getUploadParamsForIso",
        "getUploadParamsForTemplate",
        "getUploadParamsForVolume",
        "registerIso",
        "registerTemplate",
        "registerVnfTemplate",
        "registerUserData",
        "uploadVolume",
    ]
)
"""Commands whose new resource is simply the named account's (getEntityOwnerId), if the caller has access to it; the
others go by `owner_of_new`'s own rules (finalizeOwner)."""


# Commands: what a role allows


@dataclass(frozen=True)
class RuleBook:
    """Rules ready to be asked. ``exact`` and ``wild`` hold a rule's place in the order, which decides."""

    exact: Mapping[str, tuple[int, bool]]
    wild: tuple[tuple[int, tuple[str, ...], bool], ...]

    def decides(self, command: str) -> bool | None:
        """What the first rule that matches says, None where none does."""
        name = command.lower()
        place, verdict = self.exact.get(name, (len(self.exact) + len(self.wild), None))
        for other, parts, allow in self.wild:
            if other > place:
                break
            if matches(parts, name):
                return allow
        return verdict


def matches(parts: tuple[str, ...], name: str) -> bool:
    """True where a name fits a rule that was split at its ``*``, both in lower case."""
    first, *between, last = parts
    if len(name) < len(first) + len(last) or not name.startswith(first) or not name.endswith(last):
        return False
    at, end = len(first), len(name) - len(last)
    for part in between:
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


@lru_cache(maxsize=512)
def rule_book(rules: tuple[str, ...]) -> RuleBook:
    """The rules ``listHosts``, ``!listHosts`` or ``list*`` in the form that answers fast."""
    exact: dict[str, tuple[int, bool]] = {}
    wild = []
    for place, text in enumerate(rules):
        rule, allow = text.removeprefix("!").lower(), not text.startswith("!")
        if "*" in rule:
            wild.append((place, tuple(rule.split("*")), allow))
        else:
            exact.setdefault(rule, (place, allow))
    return RuleBook(exact, tuple(wild))


def role_allows(role: Role | None, command: Command) -> bool:
    """What a role says of a command: the first rule that matches decides, else whether the command is for that type
    of role by default (DynamicRoleBasedAPIAccessChecker)."""
    if role is None:
        return False
    if role.number == ROOT_ADMIN_ROLE:
        return True
    verdict = rule_book(role.rules).decides(command.name)
    return role.type in command.authorized if verdict is None else verdict


def command_allowed(caller: Caller, command: Command) -> bool:
    """True where the caller's role, and the rules of the keys that signed the request, allow a command."""
    if not role_allows(caller.account.role, command):
        return False
    pair = next((pair for pair in caller.user.keys if pair.api_key == caller.keys), None) if caller.keys else None
    if pair is None or not pair.permissions:
        return True
    return rule_book(rule_texts(pair.permissions)).decides(command.name) is True


def denied(caller: Caller, name: str) -> UnsupportedCommand:
    """What is said of a command that a caller's role does not allow, or that there is not."""
    return UnsupportedCommand(
        f"The API [{name}] does not exist or is not available for the account {caller.account.name}."
    )


def check_command(cloud: Cloud, caller: Caller, command: Command, raw: Mapping[str, str]) -> None:
    """Raise what the server answers for a command that the caller's role or role in the project denies."""
    if caller.user is cloud.system_user:
        return
    if not command_allowed(caller, command):
        raise denied(caller, command.name)
    cloud.throttling.check(caller.account)
    if caller.account.type in (AccountType.ADMIN, AccountType.DOMAIN_ADMIN):
        return
    project = cloud.store.table(Project).get(
        raw.get("id" if command.name in PROJECT_COMMANDS else "projectid", ""), removed=False
    )
    if project is None:
        return
    member = membership(project, caller.user)
    if member is not None:
        if not project_role_allows(member, command.name):
            raise ApiError(
                f"The given command '{command.name}' either does not exist, is not available for user.", code=401
            )
    elif command.name != "updateProjectInvitation":
        raise UnsupportedCommand(
            f"The API [{command.name}] does not exist or is not available for this account/user in project "
            f"[{project.id}]."
        )


def api_key_access(cloud: Cloud, user: User) -> bool:
    """Whether a user may sign requests: their own setting, else their account's, else their domain's."""
    for setting in (user.api_key_access, user.account.api_key_access):
        if setting != "INHERIT":
            return setting == "ENABLED"
    return cloud.configuration.flag("api.key.access", user.account.domain, default=True)


def allowed_commands(cloud: Cloud, role: Role | None) -> frozenset[str]:
    """The names of all commands that a role allows."""
    commands = (cloud.api.get(name) for name in cloud.api)
    return frozenset(command.name for command in commands if command and command.served and role_allows(role, command))


def check_no_escalation(cloud: Cloud, caller: Account, wanted: Role | None) -> None:
    """Raise PermissionDenied if a role allows more than the caller's own (checkRoleEscalation)."""
    mine = caller.role
    if mine is wanted or mine is None or mine.number == ROOT_ADMIN_ROLE:
        return
    if not allowed_commands(cloud, wanted) <= allowed_commands(cloud, mine):
        raise PermissionDenied(
            f"User of Account {describe(caller)} and domain {describe_domain(caller.domain)} can not create an account "
            "with access to more privileges they have themself."
        )


def check_may_manage(call: Call, account: Account, user: User | None = None) -> None:
    """Raise PermissionDenied unless the caller's type of role is above the account's
    (verifyCallerPrivilegeForUserOrAccountOperations)."""
    cloud, caller = call.cloud, call.account
    if account.type == AccountType.PROJECT:
        return
    ranks = list(ROLE_TYPES.values())
    mine, other = ranks.index(caller.type), ranks.index(account.type)
    me, them = f"[{caller.name}, {caller.id}]", f"[{account.name}, {account.id}]"
    if caller not in (cloud.system_account, cloud.admin_user.account):
        if mine > other:
            raise PermissionDenied(f"The calling account {me} has a lower role type than the user account {them}")
        if mine == other and caller is not account:
            name = "role.types.allowed.for.operations.on.accounts.of.same.role.type"
            allowed = cloud.configuration.text(name, caller.domain, default="Admin, DomainAdmin, ResourceAdmin")
            if list(ROLE_TYPES)[mine] not in [role.strip() for role in allowed.split(",")]:
                raise PermissionDenied(
                    f"The calling account {me} is not allowed to perform this operation on users from other accounts "
                    "of the same role type within the domain"
                )
        if caller is account and user is not None and user is not call.caller.user:
            name = "allow.operations.on.users.in.same.account"
            if not cloud.configuration.flag(name, caller.domain, default=True):
                raise PermissionDenied("The user operations are not allowed by the users in the same account")
    if caller.is_root_admin:
        return
    if account.is_root_admin:
        raise PermissionDenied(f"Account {me} cannot perform this operation for user account {them} ")
    check_no_escalation(cloud, caller, account.role)


# Projects


def membership(project: Project, user: User) -> ProjectMember | None:
    """How a user belongs to a project: for themselves, else with their account."""
    return project.member(user.account, user) or project.member(user.account)


def project_role_allows(member: ProjectMember, command: str) -> bool:
    """What a member's project role says of a command; admins of a project, and what no rule names, are allowed."""
    if member.role == "Admin" or member.project_role is None:
        return True
    return rule_book(rule_texts(member.project_role.permissions)).decides(command) is not False


def in_project(account: Account, project: Project | None) -> bool:
    """True for accounts with a membership, their own or a user's, and for the admins above a project
    (canAccessProjectAccount). Raises PermissionDenied for an admin of another domain."""
    if project is None:
        return False
    if account.is_root_admin:
        return True
    if account.type == AccountType.DOMAIN_ADMIN:
        check_domain(account, project.domain)
        return True
    return any(member.account is account for member in project.members)


def check_may_modify(call: Call, project: Project) -> None:
    """Raise PermissionDenied unless the caller may change a project itself (AccessType.ModifyProject)."""
    caller, user = call.account, call.caller.user
    if caller.is_root_admin or (caller.type in DOMAIN_ADMINS and caller.domain.contains(project.domain)):
        return
    mine = project.member(caller, user)
    members = [mine] if mine else [member for member in project.members if member.account is caller]
    if not any(member.role == "Admin" for member in members):
        raise PermissionDenied(NO_PERMISSION)


# Resources


def describe(account: Account) -> str:
    """An account as error texts name it."""
    return f'Account [{{"accountName":{_quoted(account.name)},"id":{account.number},"uuid":"{account.id}"}}]'


def describe_domain(domain: Domain) -> str:
    """A domain as error texts name it."""
    return (
        f'Domain {{"id":{domain.number},"name":{_quoted(domain.name)},"path":{_quoted(database_path(domain))},'
        f'"uuid":"{domain.id}"}}'
    )


def _quoted(text: str) -> str:
    # As the server's JSON writer: a slash is escaped.
    return json.dumps(text, ensure_ascii=False).replace("/", "\\/")


def database_path(domain: Domain) -> str:
    """A domain's path as the database has it: ``/`` for ROOT, ``/a/b/`` below."""
    return "/" if domain.parent is None else f"{database_path(domain.parent)}{domain.name}/"


def check_domain(account: Account, domain: Domain) -> None:
    """Raise PermissionDenied unless the account may operate within the domain."""
    if account.state != "enabled":
        raise PermissionDenied(f"Account {describe(account)} is disabled.")
    allowed = account.domain is domain if account.is_normal else account.domain.contains(domain)
    if not allowed:
        raise PermissionDenied(
            f"Account {describe(account)} does not have permission to operate within domain id={domain.id}"
        )


def check_owner(account: Account, owner: Account) -> None:
    """Raise PermissionDenied unless the account is, or stands above, the owner of a resource."""
    if account.is_root_admin or account is owner:
        return
    if account.type in DOMAIN_ADMINS and account.domain.contains(owner.domain):
        return
    if owner.type == AccountType.PROJECT and in_project(account, owner.project):
        return
    raise PermissionDenied(NO_PERMISSION)


def check_access(cloud: Cloud, account: Account, resource: Resource, access: str | None = None) -> None:
    """Raise PermissionDenied unless the account may use a resource.

    ``access`` is None, ``ListEntry``, ``UseEntry`` or ``OperateEntry`` (SecurityChecker.AccessType). Families decide for
    their own classes (public templates, shared networks).
    """
    if account.is_root_admin:
        return
    for kind in type(resource).__mro__:
        checker: Callable[..., None] | None = cloud.registry.access.get(kind)
        if checker is not None:
            checker(cloud, account, resource, access)
            return
    if isinstance(resource, Account):
        check_owner(account, resource)
    elif isinstance(resource, Domain):
        check_domain(account, resource)
    elif isinstance(resource, Owned):
        check_owner(account, resource.account)


def active_account(cloud: Cloud, name: str, domain: Domain) -> Account | None:
    """The account of this name, in whatever case, in exactly this domain."""
    return cloud.store.table(Account).first(lambda account: account.name.lower() == name.lower(), domain=domain)


def range_owner(call: Call, domain: Domain | None, unknown: str) -> Account | None:
    """Whose ranges a list is asked for, by project or by account and domain; ``unknown`` is said of an account's name."""
    name, owner = call.get("account"), None
    if name is not None and domain is not None:
        if "projectid" in call:
            raise InvalidParameterValue("Account and projectId can't be specified together")
        owner = active_account(call.cloud, name, domain)
        if owner is None:
            raise InvalidParameterValue(unknown.format(name), named={"domainId": domain.id})
    project = call.maybe(Project, "projectid", missing="Unable to find project by id {}")
    return project.account if project else owner


# Whose a new resource is


def named_account(call: Call, *, enabled_only: bool = True) -> Account | None:
    """The account that ``account`` with ``domainid``, or ``projectid``, names; None where neither is given
    (finalizeAccountId)."""
    name, domain = call.get("account"), call.maybe(Domain, "domainid")
    if name is not None:
        if domain is None:
            raise InvalidParameterValue("Account must be specified with domainId parameter")
        owner = active_account(call.cloud, name, domain)
        if owner is None or owner.type == AccountType.PROJECT:
            raise InvalidParameterValue(f"Unable to find account by name {name} in domain with specified id")
        if enabled_only and owner.state != "enabled":
            raise PermissionDenied(
                f"Can't add resources to the account {describe(owner)} in state={owner.state.upper()} as it's no longer "
                "active"
            )
        return owner
    project = given_project(call, "Unable to find project by id")
    if project is None:
        return None
    if enabled_only and project.state != "Active":
        raise PermissionDenied(
            f"Can't add resources to the project with specified projectId in state={project.state} as it's no longer "
            "active",
            named={"projectId": project.id},
        )
    return project.account


def given_project(call: Call, unknown: str) -> Project | None:
    """The live project of ``projectid``; raises ``unknown`` where there is no such project."""
    project = call.get("projectid")
    if project is None or project == NO_ID:
        return None
    if not isinstance(project, Project) or project not in call.cloud.store:
        raise InvalidParameterValue(unknown)
    return project


def owner_of_new(call: Call) -> Account:
    """Whose a new resource is: ``projectid``, or ``account`` with ``domainid``, else the caller's."""
    caller = call.account
    if call.command.name in OWNER_NAMED:
        owner = named_account(call) or caller
        check_owner(caller, owner)
        return owner
    name = call.get("account")
    domain, project = call.maybe(Domain, "domainid"), call.maybe(Project, "projectid")
    if caller is call.cloud.system_account and project is None and (name is None or domain is None):
        raise InvalidParameterValue("Account and domainId are needed for resource creation")
    if name is not None and domain is not None and project is not None:
        raise InvalidParameterValue("ProjectId and account/domainId can't be specified together")
    if project is not None:
        if not in_project(caller, project):
            raise PermissionDenied(f"Account {describe(caller)} is unauthorised to use project id={project.number}")
        return project.account
    if name is not None and domain is None:
        raise InvalidParameterValue("AccountName and domainId must be specified together")
    if name is None or domain is None:
        return caller
    return owner_by_name(call, name, domain)


def owner_by_name(call: Call, name: str, domain: Domain) -> Account:
    """The account that a caller names as the owner of what is made (finalizeOwner)."""
    caller = call.account
    if caller.type not in ADMINS:
        if caller.name != name or caller.domain is not domain:
            raise PermissionDenied(
                f"Can't create/list resources for account {name} in domain {domain.number}, permission denied"
            )
        return caller
    owner = active_account(call.cloud, name, domain)
    if owner is None:
        raise InvalidParameterValue(f"Unable to find account {name} in domain {describe_domain(domain)}")
    check_domain(caller, domain)
    return owner


# Whose resources a list shows


@dataclass(frozen=True)
class Scoping:
    """Whose resources a list request means: these accounts, else this domain (and below), else everybody's."""

    accounts: tuple[Account, ...] = ()
    domain: Domain | None = None
    recursive: bool = False
    projects: bool | None = None
    """True: resources of projects only; False: none of projects; None: both."""
    _known: dict[str, bool] = field(default_factory=dict, repr=False, compare=False)

    def admits(self, owner: Account) -> bool:
        """True where the list shows what this account owns."""
        known = self._known.get(owner.id)
        if known is None:
            known = self._known[owner.id] = self._admits(owner)
        return known

    def _admits(self, owner: Account) -> bool:
        if self.projects is not None and (owner.type == AccountType.PROJECT) is not self.projects:
            return False
        if self.accounts:
            return owner in self.accounts
        if self.domain is None:
            return True
        return self.domain.contains(owner.domain) if self.recursive else owner.domain is self.domain


def scoping(call: Call, *, by_id: bool | None = None) -> Scoping:
    """The scope of a list request (AccountManagerImpl.buildACLSearchParameters)."""
    caller, cloud = call.account, call.cloud
    domain, name = call.maybe(Domain, "domainid"), call.get("account")
    project, list_all = call.get("projectid"), call.flag("listall")
    recursive = call.flag("isrecursive")
    by_id = "id" in call if by_id is None else by_id
    accounts: list[Account] = []
    if domain is not None:
        check_domain(caller, domain)
    if name is not None:
        if project is not None:
            raise InvalidParameterValue("Account and projectId can't be specified together")
        where = domain or caller.domain
        owner = active_account(cloud, name, where)
        if owner is None:
            raise InvalidParameterValue(f"could not find account {name} in domain {describe_domain(where)}")
        check_owner(caller, owner)
        accounts.append(owner)
    if project == NO_ID:
        if not caller.is_root_admin:
            accounts += [
                row.account
                for row in cloud.store.table(Project)
                if any(member.account is caller for member in row.members)
            ]
            if not accounts or list_all:
                accounts.append(caller)
        return Scoping(tuple(accounts), domain, recursive, projects=None if list_all else True)
    if project is not None:
        if isinstance(project, UnknownNumber) or project not in cloud.store:
            raise InvalidParameterValue(f"Unable to find project by id {project.number}")
        if not in_project(caller, project):
            raise PermissionDenied(f"Account {describe(caller)} can't access project id={project.number}")
        return Scoping((*accounts, project.account), domain, recursive)
    projects = None if by_id else False
    if domain is not None:
        if caller.is_normal:
            accounts.append(caller)
    elif not accounts:
        if caller.is_normal or not (list_all or by_id):
            accounts.append(caller)
        elif caller.type == AccountType.DOMAIN_ADMIN or not (list_all or caller.is_root_admin):
            domain, recursive = caller.domain, True
    return Scoping(tuple(accounts), domain, recursive, projects)
