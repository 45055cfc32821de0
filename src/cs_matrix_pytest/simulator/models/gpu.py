"""Graphics processors: cards, the profiles that they can be shared by, and the devices of hosts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cs_matrix_pytest.simulator.models.infra import Host
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True, repr=False)
class GpuCard(Resource):
    entities: ClassVar[tuple[str, ...]] = ("GpuCardResponse",)
    label: ClassVar[str] = "GPU card"

    name: str
    device_id: str
    device_name: str
    vendor_id: str
    vendor_name: str


@dataclass(eq=False, kw_only=True, repr=False)
class VgpuProfile(Resource):
    entities: ClassVar[tuple[str, ...]] = ("VgpuProfileResponse",)
    label: ClassVar[str] = "vGPU profile"

    name: str
    card: GpuCard
    description: str | None = None
    video_ram: int | None = None
    """MiB."""
    heads: int | None = None
    width: int | None = None
    height: int | None = None
    per_card: int | None = None
    """How many of it one card can be at once."""


@dataclass(eq=False, kw_only=True, repr=False)
class GpuDevice(Resource):
    entities: ClassVar[tuple[str, ...]] = ("GpuDeviceResponse",)
    label: ClassVar[str] = "GPU device"

    host: Host
    profile: VgpuProfile
    bus_address: str
    type: str = "PCI"
    """``PCI``, ``MDEV`` or, where only its parts can be used, ``VGPUOnly``."""
    numa_node: str = "-1"
    parent: GpuDevice | None = None
    managed: bool = True
    vm: UserVm | None = None
    """The VM that it was given to; `families.gpu.holder` says whether it still has it."""

    @property
    def card(self) -> GpuCard:
        return self.profile.card
