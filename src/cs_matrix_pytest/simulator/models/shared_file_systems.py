"""Shared file systems: an NFS server in a virtual machine, with a data disk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from cs_matrix_pytest.simulator.models.iam import Owned
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.models.offerings import ServiceOffering
from cs_matrix_pytest.simulator.models.storage import Volume
from cs_matrix_pytest.simulator.models.vm import UserVm


@dataclass(eq=False, kw_only=True, repr=False)
class SharedFileSystem(Owned):
    entities: ClassVar[tuple[str, ...]] = ("SharedFSResponse",)
    label: ClassVar[str] = "shared file system"
    resource_type: ClassVar[str] = "SharedFS"

    name: str
    zone: Zone
    format: str
    """``EXT4`` or ``XFS``."""
    offering: ServiceOffering
    provider: str
    description: str | None = None
    state: str = "Allocated"
    """A state of `families.shared_file_systems.TRANSITIONS`."""
    vm: UserVm | None = None
    volume: Volume | None = None
    destroyed: datetime | None = None
