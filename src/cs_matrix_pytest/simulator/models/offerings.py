"""What can be ordered: service, disk and network offerings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from cs_matrix_pytest.simulator.models.iam import Domain
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True)
class Offering(Resource):
    """What offerings share. ``domains`` and ``zones`` empty: public, everywhere."""

    name: str
    display_text: str
    state: str = "Active"
    domains: list[Domain] = field(default_factory=list)
    zones: list[Zone] = field(default_factory=list)


@dataclass(eq=False, kw_only=True)
class DiskOffering(Offering):
    entities: ClassVar[tuple[str, ...]] = ("DiskOfferingResponse",)
    label: ClassVar[str] = "disk offering"
    resource_type: ClassVar[str] = "DiskOffering"

    disk_size: int = 0
    """GiB; 0 where customised."""
    customized: bool = False
    custom_iops: bool = False
    storage_type: str = "shared"
    provisioning_type: str = "thin"
    storage_tags: list[str] = field(default_factory=list)
    min_iops: int | None = None
    max_iops: int | None = None
    cache_mode: str = "none"
    display: bool = True
    encrypt: bool = False
    strict: bool = False
    fields: dict[str, Any] = field(default_factory=dict)
    """Rates and other values that are only shown, by response field."""


@dataclass(eq=False, kw_only=True)
class ServiceOffering(Offering):
    entities: ClassVar[tuple[str, ...]] = ("ServiceOfferingResponse",)
    label: ClassVar[str] = "service offering"
    resource_type: ClassVar[str] = "ServiceOffering"

    cpu_number: int | None = None
    cpu_speed: int | None = None
    memory: int | None = None
    """MiB. None in all three: customised by the VM."""
    customized: bool = False
    offer_ha: bool = False
    limit_cpu_use: bool = False
    is_volatile: bool = False
    storage_type: str = "shared"
    provisioning_type: str = "thin"
    default_use: bool = False
    is_system: bool = False
    system_vm_type: str | None = None
    host_tags: list[str] = field(default_factory=list)
    storage_tags: list[str] = field(default_factory=list)
    network_rate: int | None = None
    deployment_planner: str | None = None
    root_disk_size: int | None = None
    """GiB."""
    disk_offering: DiskOffering | None = None
    disk_offering_strict: bool = False
    dynamic_scaling: bool = True
    encrypt_root: bool = False
    fields: dict[str, Any] = field(default_factory=dict)
    """Values that are only shown, by response field."""


@dataclass(eq=False, kw_only=True)
class NetworkOffering(Offering):
    entities: ClassVar[tuple[str, ...]] = ("NetworkOfferingResponse",)
    label: ClassVar[str] = "network offering"
    resource_type: ClassVar[str] = "NetworkOffering"

    guest_type: str = "Isolated"
    """``Isolated``, ``Shared`` or ``L2``."""
    traffic_type: str = "Guest"
    availability: str = "Optional"
    is_default: bool = False
    conserve_mode: bool = True
    specify_vlan: bool = False
    specify_ip_ranges: bool = False
    is_persistent: bool = False
    egress_default_policy: bool = False
    for_vpc: bool = False
    service_providers: dict[str, list[str]] = field(default_factory=dict)
    """Provider names by service name (``Dhcp`` → ``["VirtualRouter"]``)."""
    capabilities: dict[str, dict[str, str]] = field(default_factory=dict)
    """Capability values by service name."""
    service_offering: ServiceOffering | None = None
    network_rate: int | None = None
    max_connections: int | None = None
    supports_strech_l2: bool = False
    supports_public_access: bool = False
    tags_text: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    """Values that are only shown, by response field."""

    @property
    def services(self) -> list[str]:
        return list(self.service_providers)
