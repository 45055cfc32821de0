"""Who may see and use what (AccountManagerImpl.checkAccess, DomainChecker, buildACLSearchParameters, finalizeOwner)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from cs_matrix_pytest.simulator.errors import InvalidParameterValue, PermissionDenied
from cs_matrix_pytest.simulator.models.iam import Account, AccountType, Domain, Owned, Project, User
from cs_matrix_pytest.simulator.parameters import NO_ID, UnknownNumber
from cs_matrix_pytest.simulator.store import Resource

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.call import Call
    from cs_matrix_pytest.simulator.cloud import Cloud

ADMINS = (AccountType.ADMIN, AccountType.DOMAIN_ADMIN, AccountType.RESOURCE_DOMAIN_ADMIN)


def command_allowed(user: User, command: str) -> bool:
    """What the caller's role says of a command: the first rule that matches decides, no match denies."""
    role = user.account.role
    if role is None or (user.account.is_root_admin and role.is_default):
        return True
    for rule in role.rules:
        if fnmatchcase(command.lower(), rule.rule.lower()):
            return rule.allow
    return False


def check_domain(account: Account, domain: Domain) -> None:
    """Raise PermissionDenied unless the account may operate within the domain."""
    allowed = account.domain is domain if account.is_normal else account.domain.contains(domain)
    if not allowed:
        raise PermissionDenied(
            f"Account {describe(account)} does not have permission to operate within domain id={domain.id}"
        )


def describe(account: Account) -> str:
    """An account as error texts name it."""
    return f'Account [{{"accountName":"{account.name}","id":{account.number},"uuid":"{account.id}"}}]'


def in_project(account: Account, project: Project | None) -> bool:
    """True for members of a project and for the admins above it."""
    if project is None:
        return False
    if account.is_root_admin or (account.type == AccountType.DOMAIN_ADMIN and account.domain.contains(project.domain)):
        return True
    return any(member.account is account for member in project.members)


def check_owner(account: Account, owner: Account) -> None:
    """Raise PermissionDenied unless the account is, or stands above, the owner of a resource."""
    if account.is_root_admin or account is owner:
        return
    if account.type in ADMINS and account.domain.contains(owner.domain):
        return
    if owner.type == AccountType.PROJECT and in_project(account, owner.project):
        return
    raise PermissionDenied("Caller does not have permission to operate with provided resource.")


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
    """The account of this name in exactly this domain."""
    return cloud.store.table(Account).first(name=name, domain=domain)


def owner_of_new(call: Call) -> Account:
    """Whose a new resource is: ``projectid``, or ``account`` with ``domainid``, else the caller's."""
    caller, name = call.account, call.get("account")
    domain, project = call.maybe(Domain, "domainid"), call.maybe(Project, "projectid")
    if caller is call.cloud.system_account and project is None and (name is None or domain is None):
        raise InvalidParameterValue("Account and domainId are needed for resource creation")
    if name is not None and domain is not None and project is not None:
        raise InvalidParameterValue("ProjectId and account/domainId can't be specified together")
    if project is not None:
        if not in_project(caller, project):
            raise PermissionDenied(f"Account {describe(caller)} is unauthorised to use project id={project.id}")
        return project.account
    if name is not None and domain is None:
        raise InvalidParameterValue("AccountName and domainId must be specified together")
    if name is None or domain is None:
        return caller
    if caller.type not in ADMINS:
        if caller.name != name or caller.domain is not domain:
            raise PermissionDenied(
                f"Can't create/list resources for account {name} in domain {domain.id}, permission denied"
            )
        return caller
    owner = active_account(call.cloud, name, domain)
    if owner is None:
        raise InvalidParameterValue(f"Unable to find account {name} in domain {domain.number}")
    check_domain(caller, domain)
    return owner


@dataclass(frozen=True)
class Scoping:
    """Whose resources a list request means: these accounts, else this domain (and below), else everybody's."""

    accounts: tuple[Account, ...] = ()
    domain: Domain | None = None
    recursive: bool = False
    projects: bool | None = None
    """True: resources of projects only; False: none of projects; None: both."""

    def admits(self, owner: Account) -> bool:
        """True where the list shows what this account owns."""
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
    recursive = call.flag("isrecursive", list_all)
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
            raise InvalidParameterValue(
                f'could not find account {name} in domain Domain {{"id":{where.number},'
                f'"name":"{where.name}","path":"{database_path(where)}","uuid":"{where.id}"}}'
            )
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
            raise InvalidParameterValue(f"Unable to find project by id {getattr(project, 'number', project)}")
        if not in_project(caller, project):
            raise PermissionDenied(f"Account {describe(caller)} can't access project id={project.number}")
        return Scoping((*accounts, project.account), domain, recursive)
    projects = None if by_id else False
    if not accounts and domain is None:
        if caller.is_normal or (not list_all and not by_id):
            accounts.append(caller)
        elif not caller.is_root_admin and (by_id or caller.type == AccountType.DOMAIN_ADMIN):
            domain, recursive = caller.domain, True
    elif domain is not None and caller.is_normal:
        accounts.append(caller)
    return Scoping(tuple(accounts), domain, recursive, projects)


def database_path(domain: Domain) -> str:
    """A domain's path as the database has it: ``/`` for ROOT, ``/a/b/`` below."""
    return "/" if domain.parent is None else f"{database_path(domain.parent)}{domain.name}/"
