"""Volumes, snapshots and their policies."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from cs_matrix_pytest.simulator.indexes import Changes, Lookup, Tally
from cs_matrix_pytest.simulator.models.iam import Owned
from cs_matrix_pytest.simulator.models.images import Template
from cs_matrix_pytest.simulator.models.infra import StoragePool, Zone
from cs_matrix_pytest.simulator.models.offerings import DiskOffering
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.store import Resource

GIB = 1024**3


@dataclass(eq=False, kw_only=True, repr=False)
class Volume(Owned):
    entities: ClassVar[tuple[str, ...]] = ("VolumeResponse",)
    label: ClassVar[str] = "volume"
    resource_type: ClassVar[str] = "Volume"
    indexes = (
        Lookup("account"),
        Lookup("pool"),
        Tally("sizes", by="account", and_by=("state", "display"), sums=("size",)),
        Tally("space", by="pool", and_by=("state",), sums=("size",)),
        Changes("usage", of=("account", "state", "size", "attached", "vm")),
    )

    name: str
    zone: Zone
    type: str
    """``ROOT`` or ``DATADISK``."""
    size: int
    """Bytes."""
    disk_offering: DiskOffering
    state: str = "Allocated"
    """``Allocated``, ``Ready``, ``Destroy``, ``Expunged``, ``Uploaded`` …"""
    vm: UserVm | None = None
    """The VM that it is attached to; ``families.volumes`` keeps `UserVm.volumes` in step."""
    device_id: int | None = None
    attached: datetime | None = None
    """When a data disk was attached by attachVolume."""
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
    hypervisor: str | None = None
    """Whose format it has, once it is on a pool."""
    ever_attached: bool = False
    """True once a VM of which statistics are kept has had it."""
    delete_protection: bool = False
    url: str | None = None
    """Where an uploaded volume came from."""
    extract_url: str | None = None
    kms_key: Resource | None = None
    """What wraps the passphrase that encrypts it."""

    @property
    def is_root(self) -> bool:
        return self.type == "ROOT"


@dataclass(eq=False, kw_only=True, repr=False)
class Snapshot(Owned):
    entities: ClassVar[tuple[str, ...]] = ("SnapshotResponse",)
    label: ClassVar[str] = "snapshot"
    resource_type: ClassVar[str] = "Snapshot"
    indexes = (Lookup("volume"), Changes("usage"))

    name: str
    volume: Volume
    zone: Zone
    state: str = "Allocated"
    """``Allocated``, ``BackedUp``, ``Error``, ``Destroyed``."""
    type: str = "MANUAL"
    """``MANUAL``, ``HOURLY``, ``DAILY``, ``WEEKLY`` or ``MONTHLY``."""
    size: int = 0
    """Bytes, as the volume has them."""
    physical_size: int = 0
    """Bytes that its copy takes."""
    location_type: str | None = None
    policy: SnapshotPolicy | None = None
    more_zones: list[Zone] = field(default_factory=list)
    """The other zones that have a copy."""
    extract_url: str | None = None


@dataclass(eq=False, kw_only=True, repr=False)
class SnapshotPolicy(Owned):
    entities: ClassVar[tuple[str, ...]] = ("SnapshotPolicyResponse",)
    label: ClassVar[str] = "snapshot policy"
    resource_type: ClassVar[str] = "SnapshotPolicy"
    indexes = (Lookup("volume"),)

    volume: Volume
    schedule: str
    """``minute``, ``minute:hour`` or ``minute:hour:day``, as the interval type wants it."""
    timezone: str
    interval: str
    """``HOURLY``, ``DAILY``, ``WEEKLY`` or ``MONTHLY``."""
    max_snaps: int
    display: bool = True
    more_zones: list[Zone] = field(default_factory=list)
