"""Volumes, snapshots and their policies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from cs_matrix_pytest.simulator.models.iam import Owned
from cs_matrix_pytest.simulator.models.images import Template
from cs_matrix_pytest.simulator.models.infra import StoragePool, Zone
from cs_matrix_pytest.simulator.models.offerings import DiskOffering
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True)
class Volume(Owned):
    entities: ClassVar[tuple[str, ...]] = ("VolumeResponse",)
    label: ClassVar[str] = "volume"
    resource_type: ClassVar[str] = "Volume"

    name: str
    zone: Zone
    type: str
    """``ROOT`` or ``DATADISK``."""
    size: int
    """Bytes."""
    state: str = "Allocated"
    """``Allocated``, ``Ready``, ``Expunged``, ``Destroy`` …"""
    disk_offering: DiskOffering | None = None
    vm: UserVm | None = None
    """The VM it is attached to."""
    device_id: int | None = None
    attached: datetime | None = None
    pool: StoragePool | None = None
    template: Template | None = None
    """What a root disk was made from."""
    snapshot: Resource | None = None
    """What a data disk was made from."""
    display: bool = True
    min_iops: int | None = None
    max_iops: int | None = None
    path: str | None = None
    chain_info: str | None = None
    custom_id: str | None = None


@dataclass(eq=False, kw_only=True)
class Snapshot(Owned):
    entities: ClassVar[tuple[str, ...]] = ("SnapshotResponse",)
    label: ClassVar[str] = "snapshot"
    resource_type: ClassVar[str] = "Snapshot"

    name: str
    volume: Volume
    zone: Zone
    state: str = "Allocated"
    """``Allocated``, ``BackedUp``, ``Error`` …"""
    type: str = "MANUAL"
    """``MANUAL``, ``HOURLY``, ``DAILY`` …"""
    size: int = 0
    """Bytes."""
    location_type: str | None = None
    policy_id: str | None = None


@dataclass(eq=False, kw_only=True)
class SnapshotPolicy(Owned):
    entities: ClassVar[tuple[str, ...]] = ("SnapshotPolicyResponse",)
    label: ClassVar[str] = "snapshot policy"
    resource_type: ClassVar[str] = "SnapshotPolicy"

    volume: Volume
    schedule: str
    timezone: str
    interval: str
    max_snaps: int
    display: bool = True
