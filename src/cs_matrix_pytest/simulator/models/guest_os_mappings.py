"""What hypervisors call guest operating systems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cs_matrix_pytest.simulator.models.images import OsType
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True, repr=False)
class GuestOsMapping(Resource):
    entities: ClassVar[tuple[str, ...]] = ("GuestOsMappingResponse",)
    label: ClassVar[str] = "guest OS mapping"
    resource_type: ClassVar[str] = "GuestOsMapping"

    os_type: OsType
    hypervisor: str
    hypervisor_version: str
    name: str
    """What this hypervisor calls the OS."""
    user_defined: bool = True
