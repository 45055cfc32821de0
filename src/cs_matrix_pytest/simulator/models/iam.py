"""Who may do what: domains, roles, accounts, users, keys, projects."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import ClassVar

from cs_matrix_pytest.simulator.store import Resource


class AccountType(IntEnum):
    """Account.Type of CloudStack."""

    NORMAL = 0
    ADMIN = 1
    DOMAIN_ADMIN = 2
    RESOURCE_DOMAIN_ADMIN = 3
    READ_ONLY_ADMIN = 4
    PROJECT = 5


@dataclass(eq=False, kw_only=True)
class Domain(Resource):
    entities: ClassVar[tuple[str, ...]] = ("DomainResponse",)
    label: ClassVar[str] = "domain"
    resource_type: ClassVar[str] = "Domain"

    name: str
    parent: Domain | None = None
    network_domain: str | None = None
    state: str = "Active"
    limits: dict[str, int] = field(default_factory=dict)
    """Resource limits by `limits.ResourceType` name, as set; absent: the default."""

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


@dataclass(frozen=True)
class Rule:
    """One rule of a role: a command name with ``*`` wildcards."""

    id: str
    rule: str
    allow: bool
    description: str | None = None


@dataclass(eq=False, kw_only=True)
class Role(Resource):
    entities: ClassVar[tuple[str, ...]] = ("RoleResponse",)
    label: ClassVar[str] = "role"
    resource_type: ClassVar[str] = "Role"

    name: str
    type: str
    """``Admin``, ``ResourceAdmin``, ``DomainAdmin`` or ``User``."""
    description: str | None = None
    is_default: bool = False
    is_public: bool = True
    state: str = "enabled"
    rules: list[Rule] = field(default_factory=list)


@dataclass(eq=False, kw_only=True)
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
    limits: dict[str, int] = field(default_factory=dict)
    project: Project | None = None
    """The project whose resources this account owns, for an account of type PROJECT."""
    api_key_access: str = "INHERIT"

    @property
    def is_root_admin(self) -> bool:
        return self.type == AccountType.ADMIN

    @property
    def is_normal(self) -> bool:
        return self.type == AccountType.NORMAL


@dataclass(eq=False, kw_only=True)
class ApiKeyPair:
    """A user's keys."""

    id: str
    api_key: str
    secret_key: str
    name: str | None = None


@dataclass(eq=False, kw_only=True)
class User(Resource):
    entities: ClassVar[tuple[str, ...]] = ("UserResponse",)
    label: ClassVar[str] = "user"
    resource_type: ClassVar[str] = "User"

    username: str
    password: str
    account: Account
    first_name: str
    last_name: str
    email: str
    timezone: str | None = None
    state: str = "enabled"
    source: str = "native"
    is_default: bool = False
    keys: list[ApiKeyPair] = field(default_factory=list)
    api_key_access: str = "INHERIT"


@dataclass(eq=False, kw_only=True)
class ProjectMember:
    """An account (or one of its users) in a project."""

    account: Account
    user: User | None = None
    role: str = "Regular"
    """``Admin`` or ``Regular``."""
    project_role_id: str | None = None


@dataclass(eq=False, kw_only=True)
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
    members: list[ProjectMember] = field(default_factory=list)


@dataclass(eq=False, kw_only=True)
class Owned(Resource):
    """A resource that belongs to an account (ControlledEntity)."""

    account: Account

    @property
    def domain(self) -> Domain:
        return self.account.domain
