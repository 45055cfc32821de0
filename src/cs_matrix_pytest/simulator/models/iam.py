"""Who may do what: domains, roles, accounts, users, keys, projects."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import ClassVar

from cs_matrix_pytest.simulator.indexes import Lookup
from cs_matrix_pytest.simulator.store import Resource

LimitKey = tuple[str, str | None]
"""What a resource limit is set for: the name of a `limits.ResourceType`, and a host or storage tag or None."""


class AccountType(IntEnum):
    """Account.Type of CloudStack."""

    NORMAL = 0
    ADMIN = 1
    DOMAIN_ADMIN = 2
    RESOURCE_DOMAIN_ADMIN = 3
    READ_ONLY_ADMIN = 4
    PROJECT = 5


ROLE_TYPES = {
    "Admin": AccountType.ADMIN,
    "ResourceAdmin": AccountType.RESOURCE_DOMAIN_ADMIN,
    "DomainAdmin": AccountType.DOMAIN_ADMIN,
    "User": AccountType.NORMAL,
}
"""Account types by role type, the most powerful first (RoleType)."""


@dataclass(eq=False, kw_only=True, repr=False)
class Domain(Resource):
    entities: ClassVar[tuple[str, ...]] = ("DomainResponse",)
    label: ClassVar[str] = "domain"
    resource_type: ClassVar[str] = "Domain"

    name: str
    parent: Domain | None = None
    network_domain: str | None = None
    state: str = "Active"
    limits: dict[LimitKey, int] = field(default_factory=dict)
    """Resource limits as set, in the unit that is counted (storage: bytes); absent: the default."""

    @property
    def level(self) -> int:
        return 0 if self.parent is None else self.parent.level + 1

    @property
    def path(self) -> str:
        """As answers show it: ``ROOT/a/b``."""
        return self.name if self.parent is None else f"{self.parent.path}/{self.name}"

    def contains(self, other: Domain | None) -> bool:
        """True for itself and everything below it."""
        while other is not None:
            if other is self:
                return True
            other = other.parent
        return False


@dataclass(eq=False, kw_only=True, repr=False)
class RolePermission(Resource):
    """One rule of a role: a command name with ``*`` wildcards, allowed or denied."""

    entities: ClassVar[tuple[str, ...]] = ("RolePermissionResponse",)
    label: ClassVar[str] = "role permission"

    role: Role
    rule: str
    allow: bool
    description: str | None = None


@dataclass(eq=False, kw_only=True, repr=False)
class Role(Resource):
    entities: ClassVar[tuple[str, ...]] = ("RoleResponse",)
    label: ClassVar[str] = "role"
    resource_type: ClassVar[str] = "Role"

    name: str
    type: str
    """A key of `ROLE_TYPES`."""
    description: str | None = None
    is_default: bool = False
    is_public: bool = True
    state: str = "enabled"
    permissions: list[RolePermission] = field(default_factory=list)
    """The rules in order: the first that matches decides."""
    default_rules: tuple[str, ...] = ()
    """The rules of a default role until somebody lists them: they cannot be changed, and they are many. ``!`` denies."""

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules in order, as ``listHosts`` or ``!listHosts``."""
        return self.default_rules or rule_texts(self.permissions)


@dataclass(eq=False, kw_only=True, repr=False)
class Account(Resource):
    entities: ClassVar[tuple[str, ...]] = ("AccountResponse",)
    label: ClassVar[str] = "account"
    resource_type: ClassVar[str] = "Account"

    name: str
    domain: Domain
    type: AccountType
    role: Role | None = None
    state: str = "enabled"
    is_default: bool = False
    network_domain: str | None = None
    limits: dict[LimitKey, int] = field(default_factory=dict)
    """As `Domain.limits`."""
    project: Project | None = None
    """The project whose resources this account owns, for an account of type PROJECT."""
    api_key_access: str = "INHERIT"
    """``ENABLED``, ``DISABLED`` or ``INHERIT``."""
    default_zone: Resource | None = None

    @property
    def role_type(self) -> str:
        """The key of `ROLE_TYPES` that the account's type stands for; ``User`` for a project's."""
        return next((name for name, type in ROLE_TYPES.items() if type == self.type), "User")

    @property
    def is_root_admin(self) -> bool:
        return self.type == AccountType.ADMIN

    @property
    def is_normal(self) -> bool:
        return self.type == AccountType.NORMAL


@dataclass(eq=False, kw_only=True, repr=False)
class User(Resource):
    entities: ClassVar[tuple[str, ...]] = ("UserResponse",)
    label: ClassVar[str] = "user"
    resource_type: ClassVar[str] = "User"

    username: str
    password: str
    account: Account
    first_name: str
    last_name: str
    email: str | None
    timezone: str | None = None
    state: str = "enabled"
    source: str = "native"
    is_default: bool = False
    api_key_access: str = "INHERIT"
    keys: list[ApiKeyPair] = field(default_factory=list)
    """Oldest first."""
    two_factor: bool = False
    """Two-factor authentication is demanded of this user."""
    two_factor_provider: str | None = None
    two_factor_code: str | None = None
    two_factor_proven: bool = False
    """A right code has completed the set-up."""
    failed_logins: int = 0
    must_change_password: bool = False


@dataclass(eq=False, kw_only=True, repr=False)
class ApiKeyPair(Resource):
    """Keys of a user; the newest pair is the one that answers show."""

    entities: ClassVar[tuple[str, ...]] = ("ApiKeyPairResponse",)
    label: ClassVar[str] = "key pair"
    indexes = (Lookup("api_key"),)

    user: User
    api_key: str
    secret_key: str
    name: str
    description: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    permissions: list[KeyRule] = field(default_factory=list)
    """What the keys may be used for; empty: whatever the role of the account allows."""

    @property
    def account(self) -> Account:
        return self.user.account


@dataclass(frozen=True)
class KeyRule:
    """One rule of a key pair."""

    rule: str
    allow: bool
    description: str | None = None


@dataclass(eq=False, kw_only=True, repr=False)
class ProjectRole(Resource):
    """What members of a project may do in it, beyond their account's role."""

    entities: ClassVar[tuple[str, ...]] = ("ProjectRoleResponse",)
    label: ClassVar[str] = "project role"

    name: str
    project: Project
    description: str | None = None
    permissions: list[ProjectRolePermission] = field(default_factory=list)


@dataclass(eq=False, kw_only=True, repr=False)
class ProjectRolePermission(Resource):
    entities: ClassVar[tuple[str, ...]] = ("ProjectRolePermissionResponse",)
    label: ClassVar[str] = "project role permission"

    role: ProjectRole
    rule: str
    allow: bool
    description: str | None = None


@dataclass(eq=False, kw_only=True, repr=False)
class ProjectMember:
    """An account (or one of its users) in a project."""

    account: Account
    user: User | None = None
    role: str = "Regular"
    """``Admin`` or ``Regular``."""
    project_role: ProjectRole | None = None


@dataclass(eq=False, kw_only=True, repr=False)
class Project(Resource):
    entities: ClassVar[tuple[str, ...]] = ("ProjectResponse",)
    label: ClassVar[str] = "project"
    resource_type: ClassVar[str] = "Project"

    name: str
    display_text: str
    account: Account
    """The account of type PROJECT that owns the project's resources."""
    domain: Domain
    state: str = "Active"
    """``Active``, ``Disabled`` or ``Suspended``."""
    members: list[ProjectMember] = field(default_factory=list)

    def member(self, account: Account, user: User | None = None) -> ProjectMember | None:
        """The membership of an account as a whole, or of one of its users."""
        return next((row for row in self.members if row.account is account and row.user is user), None)

    @property
    def admins(self) -> list[ProjectMember]:
        return [member for member in self.members if member.role == "Admin"]


@dataclass(eq=False, kw_only=True, repr=False)
class ProjectInvitation(Resource):
    entities: ClassVar[tuple[str, ...]] = ("ProjectInvitationResponse",)
    label: ClassVar[str] = "project invitation"

    project: Project
    account: Account | None = None
    user: User | None = None
    email: str | None = None
    token: str | None = None
    role: str = "Regular"
    project_role: ProjectRole | None = None
    state: str = "Pending"
    """``Pending``, ``Completed``, ``Expired`` or ``Declined``."""


@dataclass(eq=False, kw_only=True, repr=False)
class Owned(Resource):
    """A resource that belongs to an account (ControlledEntity)."""

    account: Account

    @property
    def domain(self) -> Domain:
        return self.account.domain


def rule_texts(permissions: list[RolePermission] | list[ProjectRolePermission] | list[KeyRule]) -> tuple[str, ...]:
    """Rules as ``listHosts`` or ``!listHosts``, in their order."""
    return tuple(row.rule if row.allow else f"!{row.rule}" for row in permissions)
