"""Zones and what stands in them: pods, clusters, hosts, primary and secondary storage, physical networks, address ranges."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from cs_matrix_pytest.simulator.models.iam import Account, Domain
from cs_matrix_pytest.simulator.store import Resource, new_uuid


@dataclass(eq=False, kw_only=True, repr=False)
class Zone(Resource):
    entities: ClassVar[tuple[str, ...]] = ("ZoneResponse",)
    label: ClassVar[str] = "zone"
    resource_type: ClassVar[str] = "Zone"

    name: str
    network_type: str
    """``Basic`` or ``Advanced``."""
    dns1: str
    internal_dns1: str
    dns2: str | None = None
    internal_dns2: str | None = None
    ip6_dns1: str | None = None
    ip6_dns2: str | None = None
    guest_cidr: str | None = None
    domain: str | None = None
    security_groups_enabled: bool = False
    local_storage_enabled: bool = False
    allocation_state: str = "Disabled"
    is_edge: bool = False
    owner_domain: Domain | None = None
    """The domain that the zone is private to."""
    dhcp_provider: str = "VirtualRouter"
    token: str = field(default_factory=new_uuid)
    sort_key: int = 0
    storage_access_groups: list[str] = field(default_factory=list)

    @property
    def is_basic(self) -> bool:
        return self.network_type == "Basic"

    @property
    def has_public_traffic(self) -> bool:
        """True where guests reach the outside through public addresses: an advanced zone without security groups."""
        return not self.is_basic and not self.security_groups_enabled


@dataclass(frozen=True)
class PodRange:
    """Management addresses of a pod, first and last; some ranges are kept for system VMs."""

    start_ip: str
    end_ip: str
    for_system_vms: bool = False
    vlan: str = "untagged"


@dataclass(eq=False, kw_only=True, repr=False)
class Pod(Resource):
    entities: ClassVar[tuple[str, ...]] = ("PodResponse",)
    label: ClassVar[str] = "pod"
    resource_type: ClassVar[str] = "Pod"

    name: str
    zone: Zone
    gateway: str
    netmask: str
    ranges: list[PodRange] = field(default_factory=list)
    allocation_state: str = "Enabled"
    storage_access_groups: list[str] = field(default_factory=list)

    @property
    def description(self) -> str:
        """The ranges as the server keeps them: ``10.0.0.2-10.0.0.9-0-untagged,…``."""
        return ",".join(f"{row.start_ip}-{row.end_ip}-{int(row.for_system_vms)}-{row.vlan}" for row in self.ranges)


@dataclass(eq=False, kw_only=True, repr=False)
class Cluster(Resource):
    entities: ClassVar[tuple[str, ...]] = ("ClusterResponse",)
    label: ClassVar[str] = "cluster"
    resource_type: ClassVar[str] = "Cluster"

    name: str
    pod: Pod
    hypervisor: str
    """As the API writes it: ``Simulator``, ``KVM``, ``VMware``, ``XenServer`` …"""
    cluster_type: str = "CloudManaged"
    allocation_state: str = "Enabled"
    managed_state: str = "Managed"
    arch: str = "x86_64"
    url: str | None = None
    """Where a vCenter's cluster is (``http://vcenter/datacenter/cluster``)."""
    guid: str = field(default_factory=new_uuid)
    storage_access_groups: list[str] = field(default_factory=list)

    @property
    def zone(self) -> Zone:
        return self.pod.zone

    @property
    def cpu_overcommit(self) -> float:
        return float(self.details.get("cpuOvercommitRatio", 1))

    @property
    def memory_overcommit(self) -> float:
        return float(self.details.get("memoryOvercommitRatio", 1))


@dataclass(eq=False, kw_only=True, repr=False)
class Host(Resource):
    """A hypervisor host (type ``Routing``), or the agent of a system VM (``ConsoleProxy``, ``SecondaryStorageVM``)."""

    entities: ClassVar[tuple[str, ...]] = ("HostResponse",)
    label: ClassVar[str] = "host"
    resource_type: ClassVar[str] = "Host"

    name: str
    zone: Zone
    pod: Pod | None = None
    cluster: Cluster | None = None
    url: str = ""
    type: str = "Routing"
    state: str = "Up"
    resource_state: str = "Enabled"
    ip_address: str = ""
    hypervisor: str = "Simulator"
    hypervisor_version: str | None = None
    cpu_number: int = 4
    cpu_speed: int = 8000
    """MHz of one CPU."""
    memory: int = 8 * 1024**3
    """Bytes."""
    host_tags: list[str] = field(default_factory=list)
    tag_is_rule: bool = False
    guest_os_rule: str | None = None
    os_category: Resource | None = None
    username: str | None = None
    vm: Resource | None = None
    """The system VM whose agent this is."""
    storage_access_groups: list[str] = field(default_factory=list)
    connected: float = 0.0
    """When its agent last connected, in simulated seconds."""

    @property
    def is_routing(self) -> bool:
        return self.type == "Routing"

    @property
    def takes_vms(self) -> bool:
        """True for a hypervisor host that is up and enabled."""
        return self.is_routing and self.state == "Up" and self.resource_state == "Enabled"


@dataclass(eq=False, kw_only=True, repr=False)
class StoragePool(Resource):
    entities: ClassVar[tuple[str, ...]] = ("StoragePoolResponse",)
    label: ClassVar[str] = "storage pool"
    resource_type: ClassVar[str] = "PrimaryStorage"

    name: str
    zone: Zone
    pod: Pod | None = None
    cluster: Cluster | None = None
    url: str = ""
    type: str = "NetworkFilesystem"
    scope: str = "CLUSTER"
    """``CLUSTER``, ``ZONE`` or ``HOST``."""
    host: Host | None = None
    """The host whose local storage it is."""
    ip_address: str = ""
    path: str = ""
    state: str = "Up"
    hypervisor: str | None = None
    provider: str = "DefaultPrimary"
    managed: bool = False
    tag_is_rule: bool = False
    capacity_iops: int | None = None
    storage_access_groups: list[str] = field(default_factory=list)
    storage_tags: list[str] = field(default_factory=list)
    capacity: int = 1024**4
    """Bytes."""


@dataclass(eq=False, kw_only=True, repr=False)
class ImageStore(Resource):
    entities: ClassVar[tuple[str, ...]] = ("ImageStoreResponse",)
    label: ClassVar[str] = "image store"
    resource_type: ClassVar[str] = "SecondaryStorage"

    name: str
    zone: Zone | None
    url: str
    protocol: str = "nfs"
    provider: str = "NFS"
    scope: str = "ZONE"
    """``ZONE`` or, for object storage, ``REGION``."""
    read_only: bool = False
    capacity: int | None = None
    """Bytes, where it was given."""


@dataclass(eq=False, kw_only=True, repr=False)
class StagingStore(ImageStore):
    """NFS of a zone in front of object storage."""

    label: ClassVar[str] = "secondary staging store"


@dataclass(eq=False, kw_only=True, repr=False)
class PhysicalNetwork(Resource):
    entities: ClassVar[tuple[str, ...]] = ("PhysicalNetworkResponse",)
    label: ClassVar[str] = "physical network"
    resource_type: ClassVar[str] = "PhysicalNetwork"

    name: str
    zone: Zone
    isolation_methods: list[str] = field(default_factory=list)
    state: str = "Disabled"
    vlan: str | None = None
    """Guest VLAN ranges as written: ``100-200,300-310``."""
    broadcast_domain_range: str = "ZONE"
    network_tags: list[str] = field(default_factory=list)
    speed: str | None = None
    owner_domain: Domain | None = None


@dataclass(eq=False, kw_only=True, repr=False)
class SystemNetwork(Resource):
    """A zone's network of one system traffic type (Public, Management, Control, Storage); ranges and NICs name it."""

    entities: ClassVar[tuple[str, ...]] = ("NetworkResponse",)
    label: ClassVar[str] = "network"
    resource_type: ClassVar[str] = "Network"

    zone: Zone
    traffic_type: str


@dataclass(eq=False, kw_only=True, repr=False)
class TrafficType(Resource):
    entities: ClassVar[tuple[str, ...]] = ("TrafficTypeResponse",)
    label: ClassVar[str] = "traffic type"

    traffic_type: str
    physical_network: PhysicalNetwork
    labels: dict[str, str] = field(default_factory=dict)
    """Network label by hypervisor parameter (``kvmnetworklabel`` …)."""
    vlan: str | None = None
    isolation_method: str | None = None


@dataclass(eq=False, kw_only=True, repr=False)
class ServiceProvider(Resource):
    """A network service provider on a physical network (VirtualRouter, VpcVirtualRouter, SecurityGroupProvider …)."""

    entities: ClassVar[tuple[str, ...]] = ("ProviderResponse",)
    label: ClassVar[str] = "network service provider"

    name: str
    physical_network: PhysicalNetwork
    services: list[str] = field(default_factory=list)
    state: str = "Disabled"
    can_enable_services: bool = True


@dataclass(eq=False, kw_only=True, repr=False)
class ProviderElement(Resource):
    """The element behind a provider: a virtual router element or an internal load balancer element."""

    entities: ClassVar[tuple[str, ...]] = ("VirtualRouterProviderResponse", "InternalLoadBalancerElementResponse")
    label: ClassVar[str] = "provider element"

    provider: ServiceProvider
    kind: str
    """``virtualrouterelement`` or ``internalloadbalancerelement``."""
    enabled: bool = False


@dataclass(eq=False, kw_only=True, repr=False)
class IpRange(Resource):
    """A VLAN with addresses (VlanVO): public, or of a shared or basic guest network."""

    entities: ClassVar[tuple[str, ...]] = ("VlanIpRangeResponse",)
    label: ClassVar[str] = "IP range"

    zone: Zone
    physical_network: PhysicalNetwork
    gateway: str | None
    netmask: str | None
    start_ip: str | None
    end_ip: str | None
    vlan: str = "vlan://untagged"
    for_virtual_network: bool = True
    """True for public ranges, False for guest ranges."""
    pod: Pod | None = None
    network: Resource | None = None
    account: Account | None = None
    """The account or domain that the range is dedicated to."""
    domain: Domain | None = None
    for_system_vms: bool = False
    ip6_gateway: str | None = None
    ip6_cidr: str | None = None
    ip6_range: str | None = None


@dataclass(eq=False, kw_only=True, repr=False)
class StorageNetworkRange(Resource):
    """Addresses of a pod's storage network."""

    entities: ClassVar[tuple[str, ...]] = ("StorageNetworkIpRangeResponse",)
    label: ClassVar[str] = "storage network IP range"

    pod: Pod
    network: SystemNetwork
    gateway: str
    netmask: str
    start_ip: str
    end_ip: str
    vlan: int | None = None

    @property
    def zone(self) -> Zone:
        return self.pod.zone


@dataclass(eq=False, kw_only=True, repr=False)
class GuestVlanRange(Resource):
    """Guest VLANs of a physical network that are dedicated to an account."""

    entities: ClassVar[tuple[str, ...]] = ("GuestVlanRangeResponse",)
    label: ClassVar[str] = "guest VLAN range"

    account: Account
    physical_network: PhysicalNetwork
    start: int
    end: int

    @property
    def zone(self) -> Zone:
        return self.physical_network.zone


@dataclass(eq=False, kw_only=True, repr=False)
class ManagementServer(Resource):
    entities: ClassVar[tuple[str, ...]] = ("ManagementServerResponse",)
    label: ClassVar[str] = "management server"
    resource_type: ClassVar[str] = "ManagementServer"

    name: str
    state: str = "Up"
    version: str


@dataclass(eq=False, kw_only=True, repr=False)
class HypervisorCapabilities(Resource):
    entities: ClassVar[tuple[str, ...]] = ("HypervisorCapabilitiesResponse",)
    label: ClassVar[str] = "hypervisor capabilities"

    hypervisor: str
    version: str
    facts: dict[str, Any] = field(default_factory=dict)
    """Limits and abilities by response field."""


@dataclass(eq=False, kw_only=True, repr=False)
class Alert(Resource):
    """What the management server told its operators (`families.capabilities`: alert types)."""

    entities: ClassVar[tuple[str, ...]] = ("AlertResponse",)
    label: ClassVar[str] = "alert"

    name: str
    type: int
    description: str
    zone: Zone | None = None
    pod: Pod | None = None
    archived: bool = False
