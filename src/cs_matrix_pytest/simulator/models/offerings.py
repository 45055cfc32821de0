"""What can be ordered: service, disk, network and VPC offerings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from cs_matrix_pytest.simulator.models.iam import Domain
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True, repr=False)
class Offering(Resource):
    """What offerings share. ``domains`` and ``zones`` empty: public, everywhere."""

    name: str
    display_text: str
    state: str = "Active"
    domains: list[Domain] = field(default_factory=list)
    zones: list[Zone] = field(default_factory=list)
    sort_key: int = 0

    @property
    def is_public(self) -> bool:
        return not self.domains


@dataclass(eq=False, kw_only=True, repr=False)
class DiskOffering(Offering):
    entities: ClassVar[tuple[str, ...]] = ("DiskOfferingResponse",)
    label: ClassVar[str] = "disk offering"
    resource_type: ClassVar[str] = "DiskOffering"

    disk_size: int = 0
    """GiB; 0 where customised."""
    customized: bool = False
    custom_iops: bool | None = None
    storage_type: str = "shared"
    provisioning_type: str = "thin"
    storage_tags: list[str] = field(default_factory=list)
    min_iops: int | None = None
    max_iops: int | None = None
    cache_mode: str | None = None
    display: bool = True
    encrypt: bool = False
    strict: bool = False
    """True: a volume's size cannot change after it was made."""
    compute_only: bool = False
    """True for the disk part of a service offering, which no list of disk offerings shows."""
    snapshot_reserve: int | None = None
    rates: dict[str, int] = field(default_factory=dict)
    """Limits of bytes and operations per second, by response field (``diskBytesReadRate`` …)."""


@dataclass(eq=False, kw_only=True, repr=False)
class ServiceOffering(Offering):
    """A compute offering; what it says of root disks is its disk offering's."""

    entities: ClassVar[tuple[str, ...]] = ("ServiceOfferingResponse",)
    label: ClassVar[str] = "service offering"
    resource_type: ClassVar[str] = "ServiceOffering"

    disk_offering: DiskOffering
    cpu_number: int | None = None
    cpu_speed: int | None = None
    """MHz."""
    memory: int | None = None
    """MiB. None here and in ``cpu_number``: the VM's own choice."""
    offer_ha: bool = False
    limit_cpu_use: bool = False
    is_volatile: bool = False
    default_use: bool = False
    is_system: bool = False
    system_vm_type: str | None = None
    """``domainrouter``, ``consoleproxy``, ``secondarystoragevm``, ``internalloadbalancervm`` or ``elasticloadbalancervm``."""
    unique_name: str | None = None
    """What the server finds a default one by (``Cloud.Com-SoftwareRouter``)."""
    host_tags: list[str] = field(default_factory=list)
    network_rate: int | None = None
    deployment_planner: str | None = None
    disk_offering_strict: bool = False
    dynamic_scaling: bool = True
    fields: dict[str, Any] = field(default_factory=dict)
    """Values that are only shown, by response field."""

    @property
    def customized(self) -> bool:
        """True where each VM says (some of) its own numbers (ServiceOfferingVO.isDynamic)."""
        return self.cpu_number is None or self.memory is None or self.cpu_speed is None

    @property
    def storage_type(self) -> str:
        return self.disk_offering.storage_type

    @property
    def provisioning_type(self) -> str:
        return self.disk_offering.provisioning_type

    @property
    def storage_tags(self) -> list[str]:
        return self.disk_offering.storage_tags

    @property
    def root_disk_size(self) -> int | None:
        """GiB; None: as large as the template."""
        return self.disk_offering.disk_size or None

    @property
    def encrypt_root(self) -> bool:
        return self.disk_offering.encrypt


@dataclass(eq=False, kw_only=True, repr=False)
class NetworkOffering(Offering):
    entities: ClassVar[tuple[str, ...]] = ("NetworkOfferingResponse",)
    label: ClassVar[str] = "network offering"
    resource_type: ClassVar[str] = "NetworkOffering"

    state: str = "Disabled"
    guest_type: str | None = "Isolated"
    """``Isolated``, ``Shared`` or ``L2``; None for the system's own networks."""
    traffic_type: str = "Guest"
    availability: str = "Optional"
    is_default: bool = False
    is_system: bool = False
    """True for the offerings of public, management, control and storage networks and private gateways: never listed."""
    conserve_mode: bool = True
    specify_vlan: bool = False
    specify_ip_ranges: bool = False
    is_persistent: bool = False
    egress_default_policy: bool = False
    for_vpc: bool = False
    for_nsx: bool = False
    for_tungsten: bool = False
    service_providers: dict[str, list[str]] = field(default_factory=dict)
    """Provider names by service name (``Dhcp`` → ``["VirtualRouter"]``)."""
    capabilities: dict[str, dict[str, str]] = field(default_factory=dict)
    """Capability values by service name."""
    service_offering: ServiceOffering | None = None
    network_rate: int | None = None
    """Mbit/s; None: as the setting ``network.throttling.rate`` has it."""
    max_connections: int | None = None
    keep_alive: bool = False
    internal_lb: bool = False
    """True where its load balancing is between guest networks (LbSchemes internal)."""
    supports_strech_l2: bool = False
    supports_public_access: bool = False
    internet_protocol: str = "IPv4"
    """``IPv4``, ``IPv6`` or ``DualStack``."""
    network_mode: str | None = None
    """``NATTED`` or ``ROUTED``."""
    routing_mode: str | None = None
    specify_as_number: bool = False
    tags_text: str | None = None
    """The tag of physical networks that it asks for."""

    @property
    def services(self) -> list[str]:
        return list(self.service_providers)

    @property
    def is_redundant(self) -> bool:
        """True where its networks have two routers."""
        return self.capabilities.get("SourceNat", {}).get("RedundantRouter") == "true"


@dataclass(eq=False, kw_only=True, repr=False)
class VpcOffering(Offering):
    entities: ClassVar[tuple[str, ...]] = ("VpcOfferingResponse",)
    label: ClassVar[str] = "VPC offering"
    resource_type: ClassVar[str] = "VpcOffering"

    state: str = "Disabled"
    is_default: bool = False
    service_providers: dict[str, list[str]] = field(default_factory=dict)
    """Provider names by service name."""
    service_offering: ServiceOffering | None = None
    redundant_router: bool = False
    distributed_router: bool = False
    region_level: bool = False
    for_nsx: bool = False
    conserve_mode: bool = False
    internet_protocol: str = "IPv4"
    network_mode: str | None = None
    routing_mode: str | None = None
    specify_as_number: bool = False
    unique_name: str | None = None
    """The name that it was made by, which no other may be made by while it lives."""

    @property
    def services(self) -> list[str]:
        return list(self.service_providers)
