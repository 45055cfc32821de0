"""Projects, who is in them, and what their members may do (ProjectManagerImpl, ProjectRoleManagerImpl)."""

from __future__ import annotations

import secrets
from collections.abc import Generator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from cs_matrix_pytest.simulator.access import (
    DOMAIN_ADMINS,
    active_account,
    check_domain,
    check_may_modify,
    check_owner,
    describe,
    membership,
    owner_by_name,
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
from cs_matrix_pytest.simulator.families.accounts import remove_account, stop_account
from cs_matrix_pytest.simulator.families.resource_limits import Count, Tally, account_limit_fields, wants_limits
from cs_matrix_pytest.simulator.families.roles import REORDERED, check_rule, is_allow
from cs_matrix_pytest.simulator.families.users import user_fields, users_of
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.iam import (
    Account,
    AccountType,
    Domain,
    Project,
    ProjectInvitation,
    ProjectMember,
    ProjectRole,
    ProjectRolePermission,
    User,
)
from cs_matrix_pytest.simulator.models.images import Iso, Template
from cs_matrix_pytest.simulator.models.networks import Network, Vpc
from cs_matrix_pytest.simulator.models.storage import Volume
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family, Listing, Success
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.texts import fields_text
from cs_matrix_pytest.simulator.views import tag_fields, when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("projects")

ROLES = ("Admin", "Regular")
NO_PROJECT = "Unable to find project with specified id"
TOKEN_BYTES = 5


# Views


@family.view(Project)
def project_view(project: Project, call: Call) -> dict[str, Any]:
    return project_fields(project, call, call.cloud.limits.count)


def project_fields(project: Project, call: Call, count: Count) -> dict[str, Any]:
    """A project as answers show it; ``count`` counts what it owns."""
    return {
        "id": project.id,
        "name": project.name,
        "displaytext": project.display_text,
        "domainid": project.domain.id,
        "domain": project.domain.name,
        "owner": [_owner(member) for member in project.admins],
        "projectaccountname": project.account.name,
        "state": project.state,
        "tags": tag_fields(project),
        "created": when(project.created),
        **(account_limit_fields(call.cloud, project.account, count) if wants_limits(call) else {}),
    }


def _owner(member: ProjectMember) -> dict[str, Any]:
    user = {"user": member.user.username, "userid": member.user.id} if member.user else {}
    return {"account": member.account.name, **user}


@family.view(ProjectInvitation)
def invitation_view(invitation: ProjectInvitation, _call: Call) -> dict[str, Any]:
    project = invitation.project
    return {
        "id": invitation.id,
        "projectid": project.id,
        "project": project.name,
        "account": invitation.account.name if invitation.account else None,
        "userid": invitation.user.id if invitation.user else None,
        "email": invitation.email,
        "domainid": project.domain.id,
        "domain": project.domain.name,
        "domainpath": project.domain.path,
        "state": invitation.state,
    }


@family.view(ProjectRole)
def project_role_view(role: ProjectRole, _call: Call) -> dict[str, Any]:
    return {
        "id": role.id,
        "projectid": role.project.id,
        "name": role.name,
        "description": role.description,
        "ispublic": True,
    }


@family.view(ProjectRolePermission)
def project_permission_view(permission: ProjectRolePermission, call: Call) -> dict[str, Any]:
    role = permission.role
    listed = call.command.name == "listProjectRolePermissions"
    return {
        "id": permission.id,
        "projectroleid": role.id,
        "projectrolename": role.name if listed else None,
        "projectid": role.project.id,
        "rule": permission.rule,
        "permission": "allow" if permission.allow else "deny",
        "description": permission.description,
    }


def live_project(call: Call, name: str, missing: str) -> Project:
    """The project that a parameter names; ``missing`` may say ``{}`` for its number."""
    project = call.get(name)
    if not isinstance(project, Project) or project not in call.cloud.store:
        raise InvalidParameterValue(missing.format(getattr(project, "number", project)))
    return project


MISSING = {
    "activateProject": ("id", "Unable to find project by id {}"),
    "addAccountToProject": ("projectid", "Unable to find project with specified ID"),
    "deleteAccountFromProject": ("projectid", "Unable to find project by ID {}"),
    "deleteProject": ("id", "Unable to find project by id {}"),
    "deleteUserFromProject": ("projectid", "Unable to find project by ID {}"),
    "suspendProject": ("id", "Unable to find project by id {}"),
    "updateProject": ("id", "Unable to find project by id {}"),
}
"""What is said at once of a project that is not there: command, parameter and text."""
for _command, (_parameter, _refusal) in MISSING.items():
    family.must_name(_command, _parameter, Project, _refusal)


def described(project: Project) -> str:
    """A project as error texts name it."""
    shown = fields_text(domainId=project.domain.number, id=project.number, name=project.name, uuid=project.id)
    return f"Project {shown}."


# The projects themselves


@family.command("createProject")
def create_project(call: Call) -> Generator[Resource, None, Answer]:
    caller, cloud, name = call.account, call.cloud, call["name"]
    if caller.is_normal and not cloud.configuration.flag("allow.user.create.projects", default=True):
        raise PermissionDenied("Regular user is not permitted to create a project")
    owner, user = _owner_of_new_project(call)
    if cloud.store.table(Project).first(lambda row: row.name.lower() == name.lower(), domain=owner.domain):
        raise InvalidParameterValue(f"Project with name {name} already exists in domain id={owner.domain.number}")
    cloud.limits.check(owner, "project")
    account = cloud.store.add(
        Account(name=f"PrjAcct-{name}-{owner.domain.number}", domain=owner.domain, type=AccountType.PROJECT)
    )
    project = cloud.store.add(
        Project(name=name, display_text=call.get("displaytext") or name, account=account, domain=owner.domain)
    )
    account.project = project
    project.members.append(ProjectMember(account=owner, user=user, role="Admin"))
    yield project
    project.state = "Active"
    return project


def _owner_of_new_project(call: Call) -> tuple[Account, User | None]:
    caller, name = call.account, call.get("account")
    domain, user, account = call.maybe(Domain, "domainid"), call.get("userid"), call.maybe(Account, "accountid")
    if name is not None and domain is None:
        raise InvalidParameterValue("Account name and domain id must be specified together")
    if user is not None and (account is None or domain is None):
        raise InvalidParameterValue("Account ID and Domain ID must be specified with userID")
    owner = owner_by_name(call, name or caller.name, domain or caller.domain) if name or domain else caller
    if user is None:
        return owner, None
    if not isinstance(user, User) or user not in call.cloud.store:
        raise InvalidParameterValue("Invalid user ID provided")
    if user.account is not account or user.account.domain is not domain:
        raise InvalidParameterValue("User doesn't belong to the specified account or domain")
    return user.account, user


@family.command("updateProject")
def update_project(call: Call) -> Answer:
    name, user = call.get("account"), call.get("userid")
    if name is not None and user is not None:
        raise InvalidParameterValue(
            "Account name and User ID are mutually exclusive. Provide either Account nameto update Account or user ID "
            "to update the user of the project"
        )
    project = call.one(Project)
    check_may_modify(call, project)
    if call.flag("swapowner", True):
        if name is not None:
            _swap_owner(call, project, name)
    else:
        role = project_role_type(call) or "Regular"
        if name is not None:
            _set_role(call, project, _member_account(call, project, name), role)
        elif user is not None:
            _set_role(call, project, _member_user(call, project, user), role)
    project.name = call.get("name") or project.name
    project.display_text = call.get("displaytext") or project.display_text
    return project


def project_role_type(call: Call) -> str | None:
    """``Admin`` or ``Regular``, None where a request names neither."""
    text = call.get("roletype")
    if not text:
        return None
    if text.capitalize() not in ROLES:
        raise InvalidParameterValue("Only Admin or Regular project role types are valid")
    return str(text.capitalize())


def _swap_owner(call: Call, project: Project, name: str) -> None:
    account = active_account(call.cloud, name, project.domain)
    if account is None:
        raise InvalidParameterValue(f"Unable to find account name={name} in domain id={project.domain.number}")
    current = project.admins[0]
    if current.account is account:
        return
    future = project.member(account)
    if future is None:
        raise _not_a_member(name)
    call.cloud.limits.check(account, "project")
    current.role, future.role = "Regular", "Admin"


def _not_a_member(name: str) -> InvalidParameterValue:
    return InvalidParameterValue(
        f"Account {name} doesn't belong to the project. Add it to the project first and then change the project's "
        "ownership"
    )


def _member_account(call: Call, project: Project, name: str) -> ProjectMember:
    account = active_account(call.cloud, name, project.domain)
    if account is None:
        raise InvalidParameterValue(f"Unable to find account name={name} in domain id={project.domain.number}")
    member = project.member(account)
    if member is None:
        raise _not_a_member(name)
    return member


def _member_user(call: Call, project: Project, user: Any) -> ProjectMember:
    if not isinstance(user, User) or user not in call.cloud.store:
        raise InvalidParameterValue("Invalid user ID provided")
    if user.account.domain is not project.domain:
        raise InvalidParameterValue("User doesn't belong to the specified account or domain")
    member = project.member(user.account, user)
    if member is None:
        raise InvalidParameterValue(
            f"User {user.username} doesn't belong to the project. Add it to the project first and then change the "
            "project's ownership"
        )
    return member


def _set_role(call: Call, project: Project, member: ProjectMember, role: str) -> None:
    if project.admins == [member] and role != "Admin":
        raise InvalidParameterValue("Cannot demote the only admin of the project")
    if role == "Admin":
        call.cloud.limits.check(member.account, "project")
    member.role = role


@family.command("activateProject")
def activate_project(call: Call) -> Answer:
    project = call.one(Project)
    check_may_modify(call, project)
    if project.state not in ("Active", "Suspended"):
        raise InvalidParameterValue(f"Can't activate the project in {project.state} state")
    project.state = "Active"
    project.account.state = "enabled"
    return project


@family.command("suspendProject")
def suspend_project(call: Call) -> Answer:
    project = call.one(Project)
    check_may_modify(call, project)
    project.state = "Suspended"
    stop_account(call.cloud, project.account)
    return project


@family.command("deleteProject")
def delete_project(call: Call) -> Answer:
    project = call.one(Project)
    check_may_modify(call, project)
    if not call.flag("cleanup"):
        left = left_in(call.cloud, project.account)
        if left:
            raise InternalError(f"Can't delete the project yet because it has {left} to clean up")
    remove_project(call.cloud, project)
    return Success()


def left_in(cloud: Cloud, account: Account) -> str | None:
    """What an account still has, of the first kind that it has any of."""
    kinds: tuple[tuple[type[Any], str], ...] = (
        (Template, "VirtualMachineTemplate"),
        (Iso, "VirtualMachineTemplate"),
        (UserVm, "VirtualMachine"),
        (Volume, "Volume"),
        (Network, "Network"),
        (Vpc, "Vpc"),
    )
    for kind, name in kinds:
        rows = cloud.owned_by(kind, account)
        if rows:
            return f"{len(rows)} {name}"
    return None


def remove_project(cloud: Cloud, project: Project) -> None:
    """Remove a project with everything in it."""
    project.state = "Disabled"
    remove_account(cloud, project.account)
    project.members.clear()
    for invitation in cloud.store.table(ProjectInvitation).where(project=project):
        cloud.store.forget(invitation)
    for role in cloud.store.table(ProjectRole).where(project=project):
        remove_project_role(cloud, role)
    cloud.store.remove(project)


@family.command("listProjects")
def list_projects(call: Call) -> Answer:
    rows = [row for row in call.cloud.store.table(Project) if _in_scope(call)(row) and _matches(call, row)]
    listing = page(call, rows[::-1])
    count = Tally(call.cloud.limits).count
    fields = [project_fields(row, call, count) for row in listing.rows if isinstance(row, Project)]
    return Listing([{k: v for k, v in row.items() if v is not None} for row in fields], listing.total)


def _matches(call: Call, project: Project) -> bool:
    name, text, state, keyword = (call.get(key) for key in ("name", "displaytext", "state", "keyword"))
    return (
        ("id" not in call or project is call["id"])
        and (name is None or project.name.lower() == name.lower())
        and (text is None or project.display_text.lower() == text.lower())
        and (state is None or project.state.lower() == state.lower())
        and (not keyword or keyword.lower() in f"{project.name}\n{project.display_text}".lower())
    )


def _in_scope(call: Call) -> Any:
    """Which projects a request means (listProjectsInternal), as a test."""
    caller, user = call.account, call.caller.user
    domain, name, username = call.maybe(Domain, "domainid"), call.get("account"), call.get("username")
    account: Account | None = None
    member: User | None = None
    if not caller.is_normal:
        account, member = _asked_member(call, domain, name, username)
    else:
        if name is not None and name != caller.name:
            raise PermissionDenied(f"Can't list account {name} projects; unauthorized")
        if domain is not None and domain is not caller.domain:
            raise PermissionDenied(f"Can't list domain ID = {domain.number} projects; unauthorized")
        if username and username != user.username:
            raise PermissionDenied(f"Can't list user {username} projects; unauthorized")
        account, member = caller, user
    above: Domain | None = None
    list_all, recursive = call.flag("listall"), call.flag("isrecursive")
    if domain is None and account is None and not list_all:
        account, member = caller, user
    elif caller.type == AccountType.DOMAIN_ADMIN or (recursive and not list_all):
        above = caller.domain

    def test(project: Project) -> bool:
        if above is not None and not above.contains(project.domain):
            return False
        if domain is not None and not recursive and project.domain is not domain:
            return False
        return (account is None and member is None) or any(
            (account is None or row.account is account) and row.user in (None, member) for row in project.members
        )

    return test


def _asked_member(
    call: Call, domain: Domain | None, name: str | None, username: str | None
) -> tuple[Account | None, User | None]:
    if domain is None:
        if name is not None:
            raise InvalidParameterValue(f"could not find account {name} because domain is not specified")
        if username:
            raise InvalidParameterValue(f"could not find user {username} because domain is not specified")
        return None, None
    check_domain(call.account, domain)
    account = active_account(call.cloud, name, domain) if name is not None else None
    if name is not None and account is None:
        raise InvalidParameterValue(f"Unable to find account {name} in domain {domain.number}")
    if not username:
        return account, None
    user = call.cloud.store.table(User).first(lambda row: row.account.domain is domain, username=username)
    if user is None:
        raise InvalidParameterValue(f"Unable to find user {username} in domain {domain.number}")
    return account or user.account, user


# Members


@family.command("addAccountToProject")
def add_account_to_project(call: Call) -> Answer:
    name, email, role = call.get("account"), call.get("email"), project_role_type(call)
    if name is None and email is None:
        raise InvalidParameterValue("Either accountName or email is required")
    project = live_project(call, "projectid", NO_PROJECT)
    if project.state != "Active":
        raise InvalidParameterValue(
            f"Can't add account to the specified project id in state={project.state} as it's no longer active"
        )
    account: Account | None = None
    if name is not None:
        account = active_account(call.cloud, name, project.domain)
        if account is None:
            raise InvalidParameterValue(f"Unable to find account name={name} in specified domain id")
        check_may_modify(call, project)
        if project.member(account):
            return Success()
    project_role = _given_role(call, project)
    if call.cloud.configuration.flag("project.invite.required"):
        _invite(call, ProjectInvitation(project=project, account=account, role=role or "Regular"), project_role, email)
        return Success()
    if account is None:
        raise InvalidParameterValue("Account information is required for assigning account to the project")
    _join(call.cloud, project, ProjectMember(account=account, role=role or "Regular", project_role=project_role))
    return Success()


@family.command("addUserToProject")
def add_user_to_project(call: Call) -> Answer:
    name, role = call["username"], project_role_type(call)
    project = live_project(call, "projectid", NO_PROJECT)
    if project.state != "Active":
        raise InvalidParameterValue(
            f"Can't add user to the specified project id in state={project.state} as it isn't currently active"
        )
    user = call.cloud.store.table(User).first(lambda row: row.account.domain is project.domain, username=name)
    if user is None:
        raise InvalidParameterValue("Invalid user ID provided")
    check_may_modify(call, project)
    if project.member(user.account):
        raise InvalidParameterValue(
            f"User belongs to account {user.account.number} which is already part of the project"
        )
    if project.member(user.account, user):
        return Success()
    project_role = _given_role(call, project)
    if call.cloud.configuration.flag("project.invite.required"):
        invitation = ProjectInvitation(project=project, account=user.account, user=user, role=role or "Regular")
        _invite(call, invitation, project_role, call.get("email"))
        return Success()
    member = ProjectMember(account=user.account, user=user, role=role or "Regular", project_role=project_role)
    _join(call.cloud, project, member)
    return Success()


def _given_role(call: Call, project: Project) -> ProjectRole | None:
    role = call.get("projectroleid")
    if role is None:
        return None
    if not isinstance(role, ProjectRole) or role not in call.cloud.store or role.project is not project:
        raise InvalidParameterValue("Invalid project role ID for the given project")
    return role


def _join(cloud: Cloud, project: Project, member: ProjectMember) -> None:
    if member.role == "Admin":
        cloud.limits.check(member.account, "project")
    project.members.append(member)


@family.command("deleteAccountFromProject")
def delete_account_from_project(call: Call) -> Answer:
    project, name = live_project(call, "projectid", NO_PROJECT), call["account"]
    account = active_account(call.cloud, name, project.domain)
    if account is None:
        raise InvalidParameterValue(f"Unable to find account name={name} in domain id={project.domain.number}")
    check_may_modify(call, project)
    member = project.member(account)
    if member is None:
        raise InvalidParameterValue(f"Account {name} is not assigned to the project with specified id")
    if project.admins == [member]:
        raise InvalidParameterValue(
            f"Unable to delete account {name} from the project with specified id as the account is the owner of the "
            "project"
        )
    _leave(call.cloud, project, member)
    return Success()


@family.command("deleteUserFromProject")
def delete_user_from_project(call: Call) -> Answer:
    project, user = live_project(call, "projectid", NO_PROJECT), call.get("userid")
    if not isinstance(user, User) or user not in call.cloud.store:
        raise InvalidParameterValue("Invalid userId provided")
    if user.account.domain is not project.domain:
        raise InvalidParameterValue(f"Unable to find user {user.username} in domain id={project.domain.number}")
    check_may_modify(call, project)
    member = project.member(user.account, user)
    if member is None:
        raise InvalidParameterValue(f"User {user.username} is not assigned to the project with specified id")
    _leave(call.cloud, project, member)
    return Success()


def _leave(cloud: Cloud, project: Project, member: ProjectMember) -> None:
    project.members = [row for row in project.members if row is not member]
    for invitation in cloud.store.table(ProjectInvitation).where(
        project=project, account=member.account, user=member.user
    ):
        cloud.store.forget(invitation)


@family.command("listProjectAccounts")
def list_project_accounts(call: Call) -> Answer:
    project = live_project(call, "projectid", "Unable to find the project id={}")
    caller = call.account
    if caller.is_normal and membership(project, call.caller.user) is None:
        raise PermissionDenied(
            f"Account {describe(caller)} is not authorized to list users of the project id={project.number}"
        )
    name, role, user, wanted = (call.get(key) for key in ("account", "role", "userid", "projectroleid"))
    members = [
        member
        for member in reversed(project.members)
        if (name is None or member.account.name.lower() == name.lower())
        and (role is None or member.role.lower() == role.lower())
        and (user is None or member.user is user)
        and (wanted is None or member.project_role is wanted)
    ]
    return page(call, [_member_row(call, project, member) for member in members])


def _member_row(call: Call, project: Project, member: ProjectMember) -> dict[str, Any]:
    account, user = member.account, member.user
    shown: dict[str, Any] = {
        "projectid": project.id,
        "project": project.name,
        "projectroleid": member.project_role.id if member.project_role else None,
        "accountid": account.id,
        "account": account.name,
        "userid": user.id if user else None,
        "username": user.username if user else None,
        "accounttype": int(account.type),
        "role": member.role,
        "domainid": account.domain.id,
        "domain": account.domain.name,
        "domainpath": account.domain.path,
    }
    if not call.account.is_normal:
        users = [user] if user else users_of(call.cloud, account)
        shown["user"] = [
            {key: value for key, value in user_fields(row, call, nested=True).items() if value is not None}
            for row in users
        ]
    return {key: value for key, value in shown.items() if value is not None}


# Invitations


def is_active(cloud: Cloud, invitation: ProjectInvitation) -> bool:
    """True while an invitation can still be accepted."""
    seconds = cloud.configuration.number("project.invite.timeout", default=86400)
    return cloud.clock.datetime() < invitation.created + timedelta(seconds=seconds)


def _invite(call: Call, invitation: ProjectInvitation, project_role: ProjectRole | None, email: str | None) -> None:
    store, project = call.cloud.store, invitation.project
    if email is not None and (invitation.account is None or invitation.user is not None):
        invitation.account, invitation.email = None, email
        invitation.token = secrets.token_hex(TOKEN_BYTES).upper()
    for other in store.table(ProjectInvitation).where(
        project=project, account=invitation.account, user=invitation.user, email=invitation.email
    ):
        if other.state == "Completed" or (other.state == "Pending" and is_active(call.cloud, other)):
            which = f"project {described(project)}" if invitation.email else f"project id={described(project)}"
            whose = f"email {email}" if invitation.email else f"account id={cast(Account, invitation.account).number}"
            raise InvalidParameterValue(f"There is already a pending invitation for {whose} to the {which}")
        store.forget(other)
    invitation.project_role = project_role
    store.add(invitation)


@family.command("listProjectInvitations")
def list_project_invitations(call: Call) -> Answer:
    caller, store = call.caller, call.cloud.store
    project, state = call.get("projectid"), call.get("state")
    scope = scoping(_without_project(call))

    def listed(row: ProjectInvitation) -> bool:
        return (
            (row.account is None or scope.admits(row.account))
            and ("id" not in call or row is call["id"])
            and (project is None or row.project is project)
            and (state is None or row.state.lower() == state.lower())
            and (not call.flag("activeonly") or (row.state == "Pending" and is_active(call.cloud, row)))
            and (row.user is None or row.user is caller.user)
        )

    return page(call, store.table(ProjectInvitation).where(listed))


def _without_project(call: Call) -> Call:
    # The project of an invitation is not the owner of it.
    params = {name: value for name, value in call.params.items() if name != "projectid"}
    return Call(call.cloud, call.command, call.caller, params, call.raw)


@family.command("updateProjectInvitation")
def update_project_invitation(call: Call) -> Answer:
    project = live_project(call, "projectid", "Unable to find the project id={}")
    name, token, accept = call.get("account"), call.get("token"), call.flag("accept", True)
    invitation = _pending_invitation(call, project)
    if invitation is None:
        raise InvalidParameterValue(
            f"Unable to find invitation for account name={name or 'null'} to the project={described(project)}"
        )
    if accept and not is_active(call.cloud, invitation):
        invitation.state = "Expired"
        raise InvalidParameterValue(
            f"Invitation is expired for account id={name or 'null'} to the project {described(project)}"
        )
    invitation.state = "Completed" if accept else "Declined"
    if accept:
        account = invitation.account or (call.account if token else None)
        if account is not None and project.member(account, invitation.user) is None:
            _join(
                call.cloud,
                project,
                ProjectMember(
                    account=account,
                    user=invitation.user,
                    role=invitation.role,
                    project_role=invitation.project_role,
                ),
            )
    return Success()


def _pending_invitation(call: Call, project: Project) -> ProjectInvitation | None:
    name, token, user = call.get("account"), call.get("token"), call.get("userid")
    table = call.cloud.store.table(ProjectInvitation)
    if name is not None:
        account = active_account(call.cloud, name, project.domain)
        if account is None:
            raise InvalidParameterValue(f"Unable to find account name={name} in domain id={project.domain.number}")
        check_owner(call.account, account)
    else:
        account = call.account
        if user is not None and (not isinstance(user, User) or user not in call.cloud.store):
            raise InvalidParameterValue(
                "Invalid user ID provided. Please provide a valid user ID or account name whose invitation is to be "
                "updated"
            )
    if token is not None:
        return table.first(project=project, token=token, state="Pending")
    if name is not None:
        return table.first(project=project, account=account, state="Pending")
    someone = user or call.caller.user
    return table.first(project=project, user=someone, state="Pending") or table.first(
        project=project, account=someone.account, user=None, state="Pending"
    )


@family.command("deleteProjectInvitation")
def delete_project_invitation(call: Call) -> Answer:
    invitation = call.one(ProjectInvitation)
    check_may_modify(call, invitation.project)
    call.cloud.store.forget(invitation)
    return Success()


# Roles in projects


def check_may_set_roles(call: Call) -> Project:
    """The project of a request; raises unless the caller may decide what its members may do."""
    project = call.get("projectid")
    if not isinstance(project, Project) or project not in call.cloud.store:
        raise InternalError("Invalid project id provided")
    caller = call.account
    if caller.is_root_admin or caller.type in DOMAIN_ADMINS:
        return project
    member = membership(project, call.caller.user)
    if member is None:
        raise PermissionDenied("User/Account not part of project")
    if member.role != "Admin":
        raise PermissionDenied("User unauthorized to perform operation in the project")
    return project


def find_project_role(call: Call, name: str, missing: str) -> ProjectRole:
    """The role of the request's project that a parameter names."""
    role = call.get(name)
    if not isinstance(role, ProjectRole) or role not in call.cloud.store or role.project is not call.get("projectid"):
        raise ParameterError(missing)
    return role


@family.command("createProjectRole")
def create_project_role(call: Call) -> Answer:
    project, store = check_may_set_roles(call), call.cloud.store
    if store.table(ProjectRole).first(name=call["name"], project=project):
        raise ApiError("Entity already exists ", code=530)
    return store.add(ProjectRole(name=call["name"], project=project, description=call.get("description")))


@family.command("updateProjectRole")
def update_project_role(call: Call) -> Answer:
    role = find_project_role(call, "id", "Invalid project role id provided")
    check_may_set_roles(call)
    role.name = call.get("name") or role.name
    role.description = call.get("description") or role.description
    return role


@family.command("deleteProjectRole")
def delete_project_role(call: Call) -> Answer:
    role = find_project_role(call, "id", "Cannot find project role with provided id")
    project = check_may_set_roles(call)
    if any(member.project_role is role for member in project.members):
        raise PermissionDenied("Found users that have the project role in use, cannot delete the Project Role")
    remove_project_role(call.cloud, role)
    return Success()


def remove_project_role(cloud: Cloud, role: ProjectRole) -> None:
    """Remove a project's role and its rules."""
    for permission in role.permissions:
        cloud.store.forget(permission)
    role.permissions.clear()
    cloud.store.remove(role)


@family.command("listProjectRoles")
def list_project_roles(call: Call) -> Answer:
    project, wanted = call.get("projectid"), call.get("projectroleid")
    name, keyword = call.get("name"), call.get("keyword")
    return page(
        call,
        [
            role
            for role in call.cloud.store.table(ProjectRole)
            if role.project is project
            and (wanted is None or role is wanted)
            and (not name or role.name.lower() == name.lower())
            and (not keyword or keyword.lower() in role.name.lower())
        ],
    )


@family.command("createProjectRolePermission")
def create_project_role_permission(call: Call) -> Answer:
    role = find_project_role(call, "projectroleid", "Invalid project role ID provided")
    rule, allow = check_rule(call["rule"]), is_allow(call["permission"])
    check_may_set_roles(call)
    if any(permission.rule.lower() == rule.lower() for permission in role.permissions):
        raise InternalError(f"Project role permission for {rule} seems to already exist.")
    permission = ProjectRolePermission(role=role, rule=rule, allow=allow, description=call.get("description"))
    role.permissions.append(call.cloud.store.add(permission))
    return permission


@family.command("updateProjectRolePermission")
def update_project_role_permission(call: Call) -> Answer:
    role = find_project_role(call, "projectroleid", "Invalid role id provided")
    order, rule, permission = (call.get(key) for key in ("ruleorder", "projectrolepermissionid", "permission"))
    if order is not None:
        if rule is not None or permission is not None:
            raise ParameterError("Parameters permission and ruleid must be mutually exclusive with ruleorder")
        check_may_set_roles(call)
        if len(order) != len(role.permissions) or set(map(id, order)) != set(map(id, role.permissions)):
            raise InternalError(REORDERED)
        role.permissions = list(order)
        return Success()
    if rule is None and permission is None:
        return Success(False)
    if not isinstance(rule, ProjectRolePermission) or rule.role is not role or permission is None:
        raise ParameterError("Invalid rule id provided")
    allow = is_allow(permission)
    check_may_set_roles(call)
    rule.allow = allow
    return Success()


@family.command("deleteProjectRolePermission")
def delete_project_role_permission(call: Call) -> Answer:
    permission = call.get("id")
    if not isinstance(permission, ProjectRolePermission) or permission.role.project is not call.get("projectid"):
        raise ParameterError("Invalid role permission id provided for the project")
    check_may_set_roles(call)
    permission.role.permissions.remove(permission)
    call.cloud.store.forget(permission)
    return Success()


@family.command("listProjectRolePermissions")
def list_project_role_permissions(call: Call) -> Answer:
    project, wanted = call.get("projectid"), call.get("projectroleid")
    roles: Mapping[str, ProjectRole] = {
        role.id: role for role in call.cloud.store.table(ProjectRole) if role.project is project
    }
    return [row for role in roles.values() if wanted is None or role is wanted for row in role.permissions]
