"""Zones and what stands in them: pods, clusters, hosts, primary and secondary storage, physical networks, address ranges."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from cs_matrix_pytest.simulator.models.iam import Account, Domain
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True)
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
    guest_cidr: str | None = None
    domain: str | None = None
    security_groups_enabled: bool = False
    local_storage_enabled: bool = False
    allocation_state: str = "Disabled"
    is_edge: bool = False
    owner_domain: Domain | None = None
    """The domain that the zone is private to."""


@dataclass(eq=False, kw_only=True)
class Pod(Resource):
    entities: ClassVar[tuple[str, ...]] = ("PodResponse",)
    label: ClassVar[str] = "pod"
    resource_type: ClassVar[str] = "Pod"

    name: str
    zone: Zone
    gateway: str
    netmask: str
    ranges: list[tuple[str, str]] = field(default_factory=list)
    """Management address ranges: first and last."""
    allocation_state: str = "Enabled"


@dataclass(eq=False, kw_only=True)
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
    cpu_overcommit: float = 1.0
    memory_overcommit: float = 1.0

    @property
    def zone(self) -> Zone:
        return self.pod.zone


@dataclass(eq=False, kw_only=True)
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


@dataclass(eq=False, kw_only=True)
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
    storage_tags: list[str] = field(default_factory=list)
    capacity: int = 1024**4
    """Bytes."""


@dataclass(eq=False, kw_only=True)
class ImageStore(Resource):
    entities: ClassVar[tuple[str, ...]] = ("ImageStoreResponse",)
    label: ClassVar[str] = "image store"
    resource_type: ClassVar[str] = "SecondaryStorage"

    name: str
    zone: Zone | None
    url: str
    protocol: str = "nfs"
    provider: str = "NFS"
    read_only: bool = False


@dataclass(eq=False, kw_only=True)
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


@dataclass(eq=False, kw_only=True)
class TrafficType(Resource):
    entities: ClassVar[tuple[str, ...]] = ("TrafficTypeResponse",)
    label: ClassVar[str] = "traffic type"

    traffic_type: str
    physical_network: PhysicalNetwork
    labels: dict[str, str] = field(default_factory=dict)
    """Network label by hypervisor parameter (``kvmnetworklabel`` …)."""


@dataclass(eq=False, kw_only=True)
class ServiceProvider(Resource):
    """A network service provider on a physical network (VirtualRouter, VpcVirtualRouter, SecurityGroupProvider …)."""

    entities: ClassVar[tuple[str, ...]] = ("ProviderResponse",)
    label: ClassVar[str] = "network service provider"

    name: str
    physical_network: PhysicalNetwork
    services: list[str] = field(default_factory=list)
    state: str = "Disabled"
    can_enable_services: bool = True


@dataclass(eq=False, kw_only=True)
class ProviderElement(Resource):
    """The element behind a provider: a virtual router element or an internal load balancer element."""

    entities: ClassVar[tuple[str, ...]] = ("VirtualRouterProviderResponse", "InternalLoadBalancerElementResponse")
    label: ClassVar[str] = "provider element"

    provider: ServiceProvider
    kind: str
    """``virtualrouterelement`` or ``internalloadbalancerelement``."""
    enabled: bool = False


@dataclass(eq=False, kw_only=True)
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
