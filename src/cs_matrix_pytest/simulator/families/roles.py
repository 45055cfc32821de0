"""Roles and their rules (RoleManagerImpl)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import rule_book
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import (
    ApiError,
    InternalError,
    InvalidParameterValue,
    ParameterError,
    PermissionDenied,
)
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.iam import ROLE_TYPES, Account, Role, RolePermission
from cs_matrix_pytest.simulator.registry import Answer, Family, Listing, Success

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("roles")

RULE = re.compile(r"[a-zA-Z0-9*]+")
REORDERED = (
    "The role's rule permissions list has changed while you were making updates, aborted re-ordering of rules. "
    "Please try again."
)


@family.on_fresh_install
def default_roles(cloud: Cloud, fresh: Mapping[str, Any]) -> None:
    for shown in fresh["lists"]["listRoles"]["role"]:
        role = cloud.store.add(
            Role(
                name=shown["name"],
                type=shown["type"],
                description=f"{shown['name']} role",
                is_default=shown["isdefault"],
                is_public=shown["ispublic"],
            )
        )
        rules = fresh["role_permissions"][role.name]
        if role.is_default:
            role.default_rules = tuple(rules)
        else:
            for rule in rules:
                add_permission(cloud, role, rule.removeprefix("!"), not rule.startswith("!"))


@family.view(Role)
def role_view(role: Role, call: Call) -> dict[str, Any]:
    return {
        "id": role.id,
        "name": role.name,
        "type": role.type,
        "description": role.description,
        # Only a list says whether a role is a default one (RoleCmd.setupResponse).
        "isdefault": role.is_default if call.command.name == "listRoles" else None,
        "ispublic": role.is_public,
        "state": role.state,
    }


@family.view(RolePermission)
def permission_view(permission: RolePermission, call: Call) -> dict[str, Any]:
    return {
        "id": permission.id,
        "roleid": permission.role.id,
        "rolename": permission.role.name if call.command.name == "listRolePermissions" else None,
        "rule": permission.rule,
        "permission": "allow" if permission.allow else "deny",
        "description": permission.description,
    }


def add_permission(cloud: Cloud, role: Role, rule: str, allow: bool, description: str | None = None) -> RolePermission:
    """Append a rule to a role."""
    permission = cloud.store.add(RolePermission(role=role, rule=rule, allow=allow, description=description))
    role.permissions.append(permission)
    return permission


def permissions_of(cloud: Cloud, role: Role) -> list[RolePermission]:
    """The rules of a role as resources; those of a default role become resources when first asked for."""
    if role.default_rules and not role.permissions:
        for rule in role.default_rules:
            add_permission(cloud, role, rule.removeprefix("!"), not rule.startswith("!"))
    return role.permissions


def check_rule(rule: str) -> str:
    """A rule that may be one: command names and wildcards."""
    if not RULE.fullmatch(rule):
        raise InvalidParameterValue(f"Only API names and wildcards are allowed, invalid rule provided: {rule}")
    return rule


def is_allow(permission: str) -> bool:
    """Whether ``allow`` or ``deny`` was given."""
    if permission.lower() not in ("allow", "deny"):
        raise ParameterError("Values for permission parameter should be: allow or deny")
    return permission.lower() == "allow"


def role_type(text: str) -> str:
    """A role type by name."""
    if text not in ROLE_TYPES:
        raise ParameterError("Invalid role type provided")
    return text


def check_caller(call: Call) -> None:
    """Raise unless roles decide, and the caller's is of type Admin (checkCallerAccess)."""
    if not call.cloud.configuration.flag("dynamic.apichecker.enabled", default=True):
        raise PermissionDenied("Dynamic api checker is not enabled, aborting role operation")
    role = call.account.role
    if role is None:
        raise PermissionDenied("Restricted API called by an invalid user account")
    if role.type != "Admin":
        raise PermissionDenied("Restricted API called by a user account of non-Admin role type")


def find_role(call: Call, name: str, missing: str, *, public_only: bool = False) -> Role:
    """The role that a parameter names, if the caller may know of it; raises ``missing``."""
    role = call.get(name)
    if not isinstance(role, Role) or role not in call.cloud.store:
        raise ParameterError(missing)
    if not call.is_root_admin and (role.type == "Admin" or (public_only and not role.is_public)):
        raise ParameterError(missing)
    return role


def explicitly_allowed(cloud: Cloud, role: Role) -> frozenset[str]:
    """The commands that the rules of a role allow."""
    book = rule_book(role.rules)
    return frozenset(name for name in cloud.api if book.decides(name))


def visible_roles(call: Call, roles: Iterable[Role]) -> list[Role]:
    """Roles that allow nothing beyond the caller's own (removeRolesIfNeeded); private and admin ones for root admins."""
    if call.is_root_admin:
        return list(roles)
    mine = call.account.role
    allowed = explicitly_allowed(call.cloud, mine) if mine else frozenset()
    return [
        role
        for role in roles
        if role.is_public and role.type != "Admin" and (role is mine or explicitly_allowed(call.cloud, role) <= allowed)
    ]


def check_name_is_free(call: Call, name: str, role: Role | None = None) -> None:
    """Raise what the database says of a second role of this name."""
    if call.cloud.store.table(Role).first(lambda other: other is not role, name=name):
        raise ApiError("Entity already exists ", code=530)


@family.command("createRole")
def create_role(call: Call) -> Answer:
    has_type, has_role = "type" in call, "roleid" in call
    if not has_type and not has_role:
        raise ParameterError("Neither role type nor role ID is provided")
    if has_type and has_role:
        raise ParameterError("Both role type and role ID should not be specified")
    source = find_role(call, "roleid", "Invalid role id provided") if has_role else None
    check_caller(call)
    kind = source.type if source else role_type(call["type"])
    check_name_is_free(call, call["name"])
    role = call.cloud.store.add(
        Role(
            name=call["name"],
            type=kind,
            description=call.get("description"),
            is_public=call.flag("ispublic", True),
        )
    )
    for rule in source.rules if source else ():
        add_permission(call.cloud, role, rule.removeprefix("!"), not rule.startswith("!"))
    if source:
        for mine, theirs in zip(role.permissions, source.permissions, strict=False):
            mine.description = theirs.description
    return role


@family.command("importRole")
def import_role(call: Call) -> Answer:
    if "type" not in call:
        raise ParameterError("Invalid role type provided")
    kind = role_type(call["type"])
    rules = [imported_rule(entry) for entry in call.entries("rules")]
    check_caller(call)
    store, name = call.cloud.store, call["name"]
    same_name = store.table(Role).where(name=name)
    if same_name and not call.flag("forced"):
        raise InternalError("Role already exists")
    role = next((row for row in same_name if row.type == kind), None)
    if role is None:
        check_name_is_free(call, name)
        role = store.add(Role(name=name, type=kind))
    elif role.is_default:
        raise InternalError(f"Failed to import the role: {name}, default role cannot be overriden")
    for permission in list(role.permissions):
        remove_permission(call.cloud, permission)
    role.description, role.is_public = call.get("description"), call.flag("ispublic", True)
    for rule, allow, description in rules:
        add_permission(call.cloud, role, rule, allow, description)
    return role


def imported_rule(entry: Mapping[str, str]) -> tuple[str, bool, str | None]:
    """One rule of `importRole` or of new keys: the rule, whether it allows, its description."""
    if not entry.get("rule"):
        raise ParameterError("Empty rule provided in rules param")
    if not entry.get("permission"):
        raise ParameterError(f"Invalid permission: {entry.get('permission', 'null')} provided in rules param")
    return check_rule(entry["rule"]), is_allow(entry["permission"]), entry.get("description")


@family.command("updateRole")
def update_role(call: Call) -> Answer:
    role = find_role(call, "id", "Invalid role id provided")
    check_caller(call)
    name, kind, description, public = (call.get(key) for key in ("name", "type", "description", "ispublic"))
    if role.is_default:
        if public is None or kind is not None or name or description:
            raise PermissionDenied("Default roles cannot be updated (with the exception of making it private/public).")
        role.is_public = public
        return role
    if kind is not None and in_use(call.cloud, role):
        raise PermissionDenied("Found accounts that have role in use, won't allow to change role type")
    if kind is not None:
        role.type = role_type(kind)
    if name:
        check_name_is_free(call, name, role)
        role.name = name
    role.description = description or role.description
    role.is_public = role.is_public if public is None else public
    return role


def in_use(cloud: Cloud, role: Role) -> bool:
    """True where an account has the role."""
    return cloud.store.table(Account).first(role=role) is not None


@family.command("deleteRole")
def delete_role(call: Call) -> Answer:
    role = find_role(call, "id", "Cannot find the role with provided id")
    check_caller(call)
    if role.is_default:
        raise PermissionDenied("Default roles cannot be deleted")
    if in_use(call.cloud, role):
        raise PermissionDenied("Found accounts that have role in use, won't allow to delete role")
    for permission in list(role.permissions):
        remove_permission(call.cloud, permission)
    call.cloud.store.remove(role)
    return Success()


@family.command("enableRole", "disableRole")
def set_role_state(call: Call) -> Answer:
    role = find_role(call, "id", "Cannot find the role with provided id")
    check_caller(call)
    state = call.command.name.removesuffix("Role") + "d"
    if role.state == state:
        raise PermissionDenied(f"Role is already {state}")
    role.state = state
    return Success()


@family.command("listRoles")
def list_roles(call: Call) -> Answer:
    table = call.cloud.store.table(Role)
    if "id" in call:
        known = [role for role in table if role is call["id"] and (call.is_root_admin or role.type != "Admin")]
        # The server counts the role that was asked for even where there is none.
        return Listing([role for role in known if call.is_root_admin or role.is_public], 1)
    name, keyword, kind, state = (call.get(key) for key in ("name", "keyword", "type", "state"))
    if state is not None and state.upper() not in ("ENABLED", "DISABLED"):
        raise InvalidParameterValue("Unrecognized role state value")
    roles: Iterable[Role] = table
    if name or keyword:
        roles = (
            role
            for role in roles
            if (not name or role.name.lower() == name.lower()) and (not keyword or keyword.lower() in role.name.lower())
        )
    elif kind:
        roles = (role for role in roles if role.type == kind)
    if state:
        roles = (role for role in roles if role.state == state.lower())
    return page(call, visible_roles(call, roles))


@family.command("createRolePermission")
def create_role_permission(call: Call) -> Answer:
    role = find_role(call, "roleid", "Invalid role id provided")
    rule, allow = check_rule(call["rule"]), is_allow(call["permission"])
    check_caller(call)
    if role.is_default:
        raise PermissionDenied("Role permission cannot be added for Default roles")
    if any(permission.rule.lower() == rule.lower() for permission in role.permissions):
        raise PermissionDenied(f"Rule already exists for the role: {role.name}")
    return add_permission(call.cloud, role, rule, allow, call.get("description"))


@family.command("updateRolePermission")
def update_role_permission(call: Call) -> Answer:
    role = find_role(call, "roleid", "Invalid role id provided")
    order, rule, permission = call.get("ruleorder"), call.get("ruleid"), call.get("permission")
    store = call.cloud.store
    if order is not None:
        if rule is not None or permission is not None:
            raise ParameterError("Parameters permission and ruleid must be mutually exclusive with ruleorder")
        if any(not isinstance(row, RolePermission) or row not in store for row in order):
            raise ParameterError("Provided role permission(s) do not exist")
        check_may_change(call, role)
        if not order:
            return Success(False)
        if len(order) != len(role.permissions) or set(map(id, order)) != set(map(id, role.permissions)):
            raise InternalError(REORDERED)
        role.permissions = list(order)
        return Success()
    if rule is None or permission is None:
        return Success(False)
    allow = is_allow(permission)
    if not isinstance(rule, RolePermission) or rule not in store:
        raise ParameterError("Invalid rule id provided")
    check_may_change(call, role)
    rule.allow = allow
    return Success()


def check_may_change(call: Call, role: Role) -> None:
    """Raise unless the caller may change the rules of this role."""
    check_caller(call)
    if role.is_default:
        raise PermissionDenied("Role permission cannot be updated for Default roles")


@family.command("deleteRolePermission")
def delete_role_permission(call: Call) -> Answer:
    permission = call.get("id")
    if not isinstance(permission, RolePermission) or permission not in call.cloud.store:
        raise ParameterError("Invalid role permission id provided")
    check_caller(call)
    if permission.role.is_default:
        raise PermissionDenied("Role permission cannot be deleted for Default roles")
    remove_permission(call.cloud, permission)
    return Success()


def remove_permission(cloud: Cloud, permission: RolePermission) -> None:
    """Take a rule out of its role."""
    permission.role.permissions.remove(permission)
    cloud.store.forget(permission)


@family.command("listRolePermissions")
def list_role_permissions(call: Call) -> Answer:
    if "roleid" in call:
        role = call.get("roleid")
        return permissions_of(call.cloud, role) if isinstance(role, Role) and role in call.cloud.store else []
    return [row for role in call.cloud.store.table(Role) for row in permissions_of(call.cloud, role)]
