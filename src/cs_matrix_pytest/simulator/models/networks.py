"""Guest networks, public addresses, routers, and the rules on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from cs_matrix_pytest.simulator.models.iam import Account, Owned
from cs_matrix_pytest.simulator.models.infra import Host, IpRange, PhysicalNetwork, Pod, Zone
from cs_matrix_pytest.simulator.models.offerings import NetworkOffering
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True)
class Network(Owned):
    entities: ClassVar[tuple[str, ...]] = ("NetworkResponse",)
    label: ClassVar[str] = "network"
    resource_type: ClassVar[str] = "Network"

    name: str
    display_text: str
    zone: Zone
    offering: NetworkOffering
    physical_network: PhysicalNetwork | None = None
    gateway: str | None = None
    netmask: str | None = None
    cidr: str | None = None
    vlan: str | None = None
    """The VLAN id, once implemented or given."""
    state: str = "Allocated"
    """``Allocated``, ``Implemented`` …; shared networks are ``Setup``."""
    traffic_type: str = "Guest"
    acl_type: str = "Account"
    """``Account`` or ``Domain``."""
    subdomain_access: bool = True
    network_domain: str | None = None
    restart_required: bool = False
    specify_ip_ranges: bool = False
    is_system: bool = False
    can_use_for_deploy: bool = True
    display: bool = True
    vpc: Resource | None = None
    acl_list: Resource | None = None
    permitted: list[Account] = field(default_factory=list)
    ip_ranges: list[IpRange] = field(default_factory=list)
    dns1: str | None = None
    dns2: str | None = None
    associated_network: Network | None = None

    @property
    def guest_type(self) -> str:
        return self.offering.guest_type


@dataclass(eq=False, kw_only=True)
class PublicIp(Owned):
    """An allocated address of a range. Free addresses are not kept; they follow from the range."""

    entities: ClassVar[tuple[str, ...]] = ("IPAddressResponse",)
    label: ClassVar[str] = "public IP address"
    resource_type: ClassVar[str] = "PublicIpAddress"

    address: str
    zone: Zone
    range: IpRange
    network: Network | None = None
    vpc: Resource | None = None
    source_nat: bool = False
    static_nat: bool = False
    state: str = "Allocated"
    is_system: bool = False
    is_portable: bool = False
    display: bool = True
    vm: Resource | None = None
    """The VM that static NAT leads to."""
    vm_ip: str | None = None
    purpose: str | None = None
    """``PortForwarding``, ``LoadBalancing`` or ``Vpn`` where the address is bound to one use."""


@dataclass(eq=False, kw_only=True)
class Router(Owned):
    """A virtual router VM (DomainRouterVO)."""

    entities: ClassVar[tuple[str, ...]] = ("DomainRouterResponse",)
    label: ClassVar[str] = "router"
    resource_type: ClassVar[str] = "DomainRouter"

    name: str
    zone: Zone
    pod: Pod | None = None
    host: Host | None = None
    state: str = "Running"
    role: str = "VIRTUAL_ROUTER"
    networks: list[Network] = field(default_factory=list)
    vpc: Resource | None = None
    is_redundant: bool = False
    redundant_state: str = "UNKNOWN"
    public_ip: str | None = None
    guest_ip: str | None = None
    link_local_ip: str | None = None
    version: str = "4.23.0"
    requires_upgrade: bool = False
    service_offering: Resource | None = None


@dataclass(eq=False, kw_only=True)
class FirewallRule(Owned):
    """A rule of any purpose on an address or (egress) on a network."""

    label: ClassVar[str] = "rule"
    entities: ClassVar[tuple[str, ...]] = ("FirewallResponse", "FirewallRuleResponse")
    resource_type: ClassVar[str] = "FirewallRule"

    protocol: str
    network: Network
    ip: PublicIp | None = None
    start_port: int | None = None
    end_port: int | None = None
    cidr_list: list[str] = field(default_factory=list)
    dest_cidr_list: list[str] = field(default_factory=list)
    icmp_type: int | None = None
    icmp_code: int | None = None
    egress: bool = False
    state: str = "Active"
    display: bool = True
    related: Resource | None = None
    """The port forwarding or load balancer rule that it was opened for."""


@dataclass(eq=False, kw_only=True)
class PortForwardingRule(Owned):
    label: ClassVar[str] = "port forwarding rule"
    entities: ClassVar[tuple[str, ...]] = ("FirewallRuleResponse",)
    resource_type: ClassVar[str] = "PortForwardingRule"

    protocol: str
    ip: PublicIp
    network: Network
    public_port: int
    public_end_port: int
    private_port: int
    private_end_port: int
    vm: Resource
    vm_ip: str
    cidr_list: list[str] = field(default_factory=list)
    state: str = "Active"
    display: bool = True


@dataclass(eq=False, kw_only=True)
class LoadBalancerRule(Owned):
    label: ClassVar[str] = "load balancer rule"
    entities: ClassVar[tuple[str, ...]] = ("LoadBalancerResponse", "FirewallRuleResponse")
    resource_type: ClassVar[str] = "LoadBalancer"

    name: str
    description: str | None
    algorithm: str
    ip: PublicIp
    network: Network
    public_port: int
    private_port: int
    protocol: str = "tcp"
    cidr_list: list[str] = field(default_factory=list)
    members: list[tuple[Resource, str]] = field(default_factory=list)
    """VMs and the addresses of theirs that are balanced."""
    state: str = "Add"
    display: bool = True
