"""The root disks of virtual routers and system VMs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cs_matrix_pytest.simulator.models.networks import Router
from cs_matrix_pytest.simulator.models.offerings import ServiceOffering
from cs_matrix_pytest.simulator.models.storage import Volume
from cs_matrix_pytest.simulator.models.vm import SystemVm


@dataclass(eq=False, kw_only=True, repr=False)
class SystemVolume(Volume):
    """A disk that is CloudStack's own: lists have it only where a root admin asks for those."""

    label: ClassVar[str] = "system volume"

    machine: Router | SystemVm
    offering: ServiceOffering
