"""Guest networks and their NICs, public addresses, routers, the rules on them, VPCs and security groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from cs_matrix_pytest.simulator import ipv4
from cs_matrix_pytest.simulator.indexes import Changes, Lookup, NumbersInUse
from cs_matrix_pytest.simulator.models.iam import Account, Domain, Owned
from cs_matrix_pytest.simulator.models.infra import Host, IpRange, PhysicalNetwork, Pod, SystemNetwork, Zone
from cs_matrix_pytest.simulator.models.offerings import NetworkOffering, VpcOffering
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True, repr=False)
class Network(Owned):
    entities: ClassVar[tuple[str, ...]] = ("NetworkResponse",)
    label: ClassVar[str] = "network"
    resource_type: ClassVar[str] = "Network"
    indexes = (Changes("usage"),)

    name: str
    display_text: str
    zone: Zone
    offering: NetworkOffering
    physical_network: PhysicalNetwork | None = None
    gateway: str | None = None
    netmask: str | None = None
    cidr: str | None = None
    """Where guests get their addresses; smaller than ``network_cidr`` where a part is reserved."""
    network_cidr: str | None = None
    """The whole network, once a part of it is reserved for machines that CloudStack does not know."""
    vlan: str | None = None
    """The VLAN id (or ``untagged``), once implemented or given."""
    pvlan: str | None = None
    """The secondary VLAN id of a private VLAN."""
    pvlan_type: str | None = None
    state: str = "Allocated"
    """A state of `families.networks.STATES`."""
    traffic_type: str = "Guest"
    acl_type: str = "Account"
    """``Account`` or ``Domain``."""
    shared_domain: Domain | None = None
    """The domain that a network with ``acl_type`` Domain is for; the system account owns it."""
    subdomain_access: bool = True
    network_domain: str | None = None
    restart_required: bool = False
    redundant: bool = False
    display: bool = True
    vpc: Vpc | None = None
    acl_list: AclList | None = None
    ip_ranges: list[IpRange] = field(default_factory=list)
    """Where the addresses of its guests come from, if not from its CIDR."""
    permitted: list[Account] = field(default_factory=list)
    """Accounts that may use it besides its owner (network permissions)."""
    dns1: str | None = None
    dns2: str | None = None
    associated_network: Network | None = None
    """The isolated or L2 network whose VLAN this shared network lies on."""
    external_id: str | None = None
    ip6_gateway: str | None = None
    ip6_cidr: str | None = None
    ip6_dns1: str | None = None
    ip6_dns2: str | None = None
    public_mtu: int = 1500
    private_mtu: int = 1500
    keep_mac: bool = True
    """Whether the public NIC keeps its MAC address when its router is made anew."""
    idle_since: float | None = None
    """When the garbage collector first saw it without running VMs, in seconds of the simulated clock."""

    @property
    def guest_type(self) -> str | None:
        return self.offering.guest_type

    @property
    def specify_ip_ranges(self) -> bool:
        return self.offering.specify_ip_ranges

    @property
    def is_system(self) -> bool:
        return self.offering.is_system

    @property
    def broadcast_uri(self) -> str | None:
        """``vlan://131``, or ``pvlan://131-i200`` for a private VLAN."""
        if self.vlan is None:
            return None
        if self.pvlan:
            return f"pvlan://{self.vlan}-{(self.pvlan_type or 'Isolated')[0].lower()}{self.pvlan}"
        return f"vlan://{self.vlan}"

    def supports(self, *services: str) -> bool:
        """True where its offering has every one of these services."""
        return all(service in self.offering.service_providers for service in services)


@dataclass(eq=False, kw_only=True, repr=False)
class Nic(Resource):
    """One interface of a VM or a router in a network."""

    entities: ClassVar[tuple[str, ...]] = ("NicResponse",)
    label: ClassVar[str] = "nic"
    resource_type: ClassVar[str] = "Nic"
    indexes = (
        Lookup("network"),
        Lookup("mac_address"),
        NumbersInUse(
            "addresses",
            by="network",
            numbers=lambda nic: map(ipv4.to_int, filter(ipv4.is_address, nic.addresses)),
            of=("ip_address", "secondary"),
        ),
    )

    network: Network
    ip_address: str | None
    mac_address: str
    gateway: str | None = None
    netmask: str | None = None
    device_id: int = 0
    is_default: bool = False
    enabled: bool = True
    secondary: tuple[SecondaryAddress, ...] = ()

    @property
    def broadcast_uri(self) -> str | None:
        return self.network.broadcast_uri

    @property
    def secondary_ips(self) -> dict[str, str]:
        """Secondary addresses: id → address."""
        return {each.id: each.address for each in self.secondary}

    @property
    def addresses(self) -> list[str]:
        """Every address of it."""
        return [address for address in (self.ip_address, *(each.address for each in self.secondary)) if address]


@dataclass(frozen=True)
class SystemNic:
    """A router's interface in the zone's public or control network."""

    id: str
    network: SystemNetwork
    ip_address: str
    mac_address: str
    gateway: str
    netmask: str
    vlan: str | None = None
    ip6_cidr: str | None = None
    ip6_gateway: str | None = None


@dataclass(eq=False, kw_only=True, repr=False)
class SecondaryAddress(Resource):
    """A further address of a NIC."""

    entities: ClassVar[tuple[str, ...]] = ("NicSecondaryIpResponse",)
    label: ClassVar[str] = "secondary ip"
    leaves_row: ClassVar[bool] = False

    nic: Nic
    address: str
    description: str | None = None


@dataclass(eq=False, kw_only=True, repr=False)
class PublicIp(Owned):
    """An allocated address of a range. Free addresses are not kept; they follow from the range."""

    entities: ClassVar[tuple[str, ...]] = ("IPAddressResponse",)
    label: ClassVar[str] = "public IP address"
    resource_type: ClassVar[str] = "PublicIpAddress"
    indexes = (Lookup("account"), Lookup("network"), Lookup("vpc"), Lookup("vm"), Lookup("vm_ip"), Changes("usage"))

    address: str
    zone: Zone
    range: IpRange
    network: Network | None = None
    """The guest network that it is associated with."""
    vpc: Vpc | None = None
    source_nat: bool = False
    static_nat: bool = False
    state: str = "Allocated"
    """``Allocating``, ``Allocated``, ``Reserved`` or ``Releasing``."""
    is_system: bool = False
    is_portable: bool = False
    display: bool = True
    vm: Resource | None = None
    """The VM that static NAT leads to, or the system VM that has it."""
    vm_ip: str | None = None


@dataclass(eq=False, kw_only=True, repr=False)
class QuarantinedIp(Resource):
    """An address that was given back and that only its last owner gets until ``end``."""

    label: ClassVar[str] = "quarantined IP"
    entities: ClassVar[tuple[str, ...]] = ("IpQuarantineResponse",)

    address: str
    previous_owner: Account
    end: datetime
    removal_reason: str | None = None
    remover: Account | None = None


@dataclass(eq=False, kw_only=True, repr=False)
class Router(Owned):
    """A virtual router VM (DomainRouterVO)."""

    entities: ClassVar[tuple[str, ...]] = ("DomainRouterResponse", "UserVmResponse")
    label: ClassVar[str] = "router"
    resource_type: ClassVar[str] = "DomainRouter"

    name: str
    zone: Zone
    pod: Pod | None = None
    host: Host | None = None
    state: str = "Running"
    """A state of `families.routers.STATES`."""
    role: str = "VIRTUAL_ROUTER"
    vpc: Vpc | None = None
    is_redundant: bool = False
    redundant_state: str = "UNKNOWN"
    nics: list[Nic] = field(default_factory=list)
    """Its interfaces in guest networks."""
    public: SystemNic | None = None
    control: SystemNic | None = None
    service_offering: Resource | None = None
    software_version: str = "4.23.0.0"
    scripts_version: str = ""
    checked: datetime | None = None
    """When somebody last had its health checked."""
    was_reached: bool = False
    """Whether its host was there to be asked then."""

    @property
    def networks(self) -> list[Network]:
        """The guest networks that it serves."""
        return [nic.network for nic in self.nics]

    @property
    def network_names(self) -> str:
        """The names of its guest networks, one per line, for lists to look into."""
        return "\n".join(network.name for network in self.networks)

    @property
    def vpc_name(self) -> str | None:
        return self.vpc.name if self.vpc else None


@dataclass(eq=False, kw_only=True, repr=False)
class FirewallRule(Owned):
    """A firewall rule on an address (ingress) or on a network (egress)."""

    label: ClassVar[str] = "firewall rule"
    entities: ClassVar[tuple[str, ...]] = ("FirewallRuleResponse", "FirewallResponse")
    resource_type: ClassVar[str] = "FirewallRule"
    indexes = (Lookup("network"), Lookup("ip"), Lookup("related"))

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
    purpose: str = "Firewall"
    """``Firewall`` or ``Ipv6Firewall``."""
    state: str = "Add"
    display: bool = True
    type: str = "User"
    """``User`` or ``System``."""
    related: Resource | None = None
    """The port forwarding or load balancer rule that it was opened for."""


@dataclass(eq=False, kw_only=True, repr=False)
class PortForwardingRule(Owned):
    label: ClassVar[str] = "port forwarding rule"
    entities: ClassVar[tuple[str, ...]] = ("FirewallRuleResponse",)
    resource_type: ClassVar[str] = "PortForwardingRule"
    indexes = (Lookup("network"), Lookup("ip"), Lookup("vm"), Lookup("vm_ip"), Changes("usage"))

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
    state: str = "Add"
    display: bool = True


@dataclass(eq=False, kw_only=True, repr=False)
class StaticNatRule(Owned):
    """An IP forwarding rule: ports of an address with static NAT (createIpForwardingRule)."""

    label: ClassVar[str] = "static NAT rule"
    entities: ClassVar[tuple[str, ...]] = ("FirewallRuleResponse",)
    resource_type: ClassVar[str] = "FirewallRule"
    indexes = (Changes("usage"),)

    protocol: str
    ip: PublicIp
    network: Network
    start_port: int
    end_port: int
    cidr_list: list[str] = field(default_factory=list)
    state: str = "Add"


@dataclass(eq=False, kw_only=True, repr=False)
class LoadBalancerRule(Owned):
    label: ClassVar[str] = "load balancer rule"
    entities: ClassVar[tuple[str, ...]] = ("FirewallRuleResponse", "LoadBalancerResponse")
    resource_type: ClassVar[str] = "LoadBalancer"
    indexes = (Lookup("network"), Lookup("ip"), Changes("usage"))

    name: str
    description: str | None
    algorithm: str
    ip: PublicIp
    network: Network
    public_port: int
    private_port: int
    protocol: str = "tcp"
    lb_protocol: str | None = None
    cidr_list: list[str] = field(default_factory=list)
    cidr_separator: str = " "
    """What stands between its CIDRs where they are shown: a comma once they were updated."""
    certificate: SslCertificate | None = None
    members: list[tuple[Resource, str]] = field(default_factory=list)
    """VMs and the addresses of theirs that are balanced."""
    state: str = "Add"
    display: bool = True


@dataclass(eq=False, kw_only=True, repr=False)
class SslCertificate(Owned):
    """A server certificate that load balancers can answer with."""

    label: ClassVar[str] = "SSL certificate"
    entities: ClassVar[tuple[str, ...]] = ("SslCertResponse",)
    leaves_row: ClassVar[bool] = False

    name: str
    certificate: str
    """As it was uploaded, as is ``chain``. The private key is checked and not kept."""
    fingerprint: str
    chain: str | None = None


@dataclass(eq=False, kw_only=True, repr=False)
class StickinessPolicy(Resource):
    label: ClassVar[str] = "stickiness policy"
    entities: ClassVar[tuple[str, ...]] = ("LBStickinessResponse",)
    resource_type: ClassVar[str] = "LBStickinessPolicy"

    rule: LoadBalancerRule
    name: str
    method: str
    description: str | None = None
    params: dict[str, str] = field(default_factory=dict)
    display: bool = True


@dataclass(eq=False, kw_only=True, repr=False)
class HealthCheckPolicy(Resource):
    label: ClassVar[str] = "health check policy"
    entities: ClassVar[tuple[str, ...]] = ("LBHealthCheckResponse",)

    rule: LoadBalancerRule
    ping_path: str = "/"
    description: str | None = None
    response_timeout: int = 5
    interval: int = 5
    """Seconds, both."""
    healthy_threshold: int = 2
    unhealthy_threshold: int = 1
    display: bool = True


@dataclass(eq=False, kw_only=True, repr=False)
class Vpc(Owned):
    label: ClassVar[str] = "VPC"
    entities: ClassVar[tuple[str, ...]] = ("VpcResponse",)
    resource_type: ClassVar[str] = "Vpc"
    indexes = (Changes("usage"),)

    name: str
    display_text: str
    zone: Zone
    offering: VpcOffering
    cidr: str
    network_domain: str | None = None
    state: str = "Enabled"
    restart_required: bool = False
    display: bool = True
    dns1: str | None = None
    dns2: str | None = None
    ip6_dns1: str | None = None
    ip6_dns2: str | None = None
    public_mtu: int = 1500
    redundant: bool = False
    keep_mac: bool = True
    use_router_ip_resolver: bool = False


@dataclass(eq=False, kw_only=True, repr=False)
class AclList(Resource):
    """A list of network ACL rules; those without a VPC are everybody's (default_allow, default_deny)."""

    label: ClassVar[str] = "network ACL"
    entities: ClassVar[tuple[str, ...]] = ("NetworkACLResponse",)
    resource_type: ClassVar[str] = "NetworkACLList"
    leaves_row: ClassVar[bool] = False

    name: str
    description: str | None = None
    vpc: Vpc | None = None
    display: bool = True


@dataclass(eq=False, kw_only=True, repr=False)
class AclRule(Resource):
    label: ClassVar[str] = "network ACL item"
    entities: ClassVar[tuple[str, ...]] = ("NetworkACLItemResponse",)
    resource_type: ClassVar[str] = "NetworkACL"
    leaves_row: ClassVar[bool] = False

    acl: AclList
    position: int
    """Its place in the list; rules are tried in this order."""
    protocol: str
    cidr_list: list[str]
    action: str = "Allow"
    traffic_type: str = "Ingress"
    start_port: int | None = None
    end_port: int | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None
    reason: str | None = None
    state: str = "Active"
    display: bool = True


@dataclass(eq=False, kw_only=True, repr=False)
class SecurityGroup(Owned):
    label: ClassVar[str] = "security group"
    entities: ClassVar[tuple[str, ...]] = ("SecurityGroupResponse",)
    resource_type: ClassVar[str] = "SecurityGroup"
    leaves_row: ClassVar[bool] = False

    name: str
    description: str | None = None


@dataclass(eq=False, kw_only=True, repr=False)
class SecurityGroupRule(Resource):
    label: ClassVar[str] = "security group rule"
    entities: ClassVar[tuple[str, ...]] = ("SecurityGroupRuleResponse",)
    resource_type: ClassVar[str] = "SecurityGroupRule"
    leaves_row: ClassVar[bool] = False

    group: SecurityGroup
    egress: bool
    protocol: str
    start_port: int | None = None
    end_port: int | None = None
    """ICMP type and code where the protocol is icmp."""
    cidr: str | None = None
    allowed_group: SecurityGroup | None = None
    """The group whose members are allowed, instead of a CIDR."""


@dataclass(eq=False, kw_only=True, repr=False)
class PortableRange(Resource):
    """Addresses of the region that may move from zone to zone."""

    label: ClassVar[str] = "portable IP range"
    entities: ClassVar[tuple[str, ...]] = ("PortableIpRangeResponse",)
    resource_type: ClassVar[str] = "PortableIpAddress"
    leaves_row: ClassVar[bool] = False

    region: int
    gateway: str
    netmask: str
    start_ip: str
    end_ip: str
    vlan: str = "untagged"
