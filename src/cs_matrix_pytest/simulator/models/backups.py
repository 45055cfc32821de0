"""Backups of VMs: the offerings, what was saved, and when it is saved again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from cs_matrix_pytest.simulator.models.iam import Domain, Owned
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.models.networks import Network
from cs_matrix_pytest.simulator.models.offerings import DiskOffering
from cs_matrix_pytest.simulator.models.storage import Volume
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True, repr=False)
class BackupOffering(Resource):
    entities: ClassVar[tuple[str, ...]] = ("BackupOfferingResponse",)
    label: ClassVar[str] = "backup offering"
    resource_type: ClassVar[str] = "BackupOffering"

    name: str
    description: str
    zone: Zone
    external_id: str
    provider: str
    user_driven: bool = True
    """Users may take backups themselves, and plan them."""
    domains: list[Domain] = field(default_factory=list)
    """Whose accounts may use it; empty: all."""


@dataclass(frozen=True)
class SavedVolume:
    """One volume as it was when a backup was taken."""

    volume: Volume
    type: str
    size: int
    """Bytes."""
    path: str
    device_id: int
    offering: DiskOffering


@dataclass(eq=False, kw_only=True, repr=False)
class Backup(Owned):
    entities: ClassVar[tuple[str, ...]] = ("BackupResponse",)
    label: ClassVar[str] = "backup"
    resource_type: ClassVar[str] = "Backup"

    name: str
    vm: UserVm
    zone: Zone
    offering: BackupOffering
    volumes: list[SavedVolume]
    networks: list[Network]
    description: str | None = None
    interval: str = "MANUAL"
    schedule: BackupSchedule | None = None
    status: str = "BackedUp"

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(row.size for row in self.volumes)


@dataclass(eq=False, kw_only=True, repr=False)
class BackupSchedule(Owned):
    entities: ClassVar[tuple[str, ...]] = ("BackupScheduleResponse",)
    label: ClassVar[str] = "backup schedule"

    vm: UserVm
    interval: str
    """``HOURLY``, ``DAILY``, ``WEEKLY`` or ``MONTHLY``."""
    schedule: str
    """As it was given: ``minute:hour:day``, as much of it as the interval needs."""
    timezone: str
    max_backups: int = 0
    """How many backups of this schedule are kept; 0: all."""
