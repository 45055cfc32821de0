"""What belongs to VPCs besides their tiers: private gateways, static routes, VPNs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from cs_matrix_pytest.simulator.indexes import Changes
from cs_matrix_pytest.simulator.models.iam import Owned
from cs_matrix_pytest.simulator.models.networks import AclList, Network, Nic, PublicIp, Vpc
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True, repr=False)
class PrivateNetwork(Network):
    """The network behind a private gateway. It has a table of its own, as no list, limit or deployment counts it."""

    uri: str
    """``vlan://678``."""

    @property
    def broadcast_uri(self) -> str | None:
        return self.uri


@dataclass(eq=False, kw_only=True, repr=False)
class PrivateGateway(Owned):
    """A VPC router's way into a network outside of the cloud."""

    label: ClassVar[str] = "private gateway"
    entities: ClassVar[tuple[str, ...]] = ("PrivateGatewayResponse",)
    resource_type: ClassVar[str] = "PrivateGateway"

    vpc: Vpc
    network: PrivateNetwork
    ip_address: str
    gateway: str
    netmask: str
    acl: AclList
    source_nat: bool = False
    state: str = "Creating"
    """``Creating``, ``Ready`` or ``Deleting``."""


@dataclass(eq=False, kw_only=True, repr=False)
class StaticRoute(Owned):
    label: ClassVar[str] = "static route"
    entities: ClassVar[tuple[str, ...]] = ("StaticRouteResponse",)
    resource_type: ClassVar[str] = "StaticRoute"
    leaves_row: ClassVar[bool] = False

    vpc: Vpc
    cidr: str
    gateway: PrivateGateway | None = None
    next_hop: str | None = None
    """Where packets go, if not through a private gateway."""
    state: str = "Add"


@dataclass(eq=False, kw_only=True, repr=False)
class RemoteAccessVpn(Owned):
    """A VPN server on an address, that users of the account dial into."""

    label: ClassVar[str] = "remote access VPN"
    entities: ClassVar[tuple[str, ...]] = ("RemoteAccessVpnResponse",)
    resource_type: ClassVar[str] = "RemoteAccessVpn"
    leaves_row: ClassVar[bool] = False

    ip: PublicIp
    ip_range: str
    """The addresses that clients get: ``10.1.2.2-10.1.2.8``."""
    preshared_key: str
    network: Network | None = None
    vpc: Vpc | None = None
    state: str = "Added"
    display: bool = True


@dataclass(eq=False, kw_only=True, repr=False)
class VpnUser(Owned):
    label: ClassVar[str] = "VPN user"
    entities: ClassVar[tuple[str, ...]] = ("VpnUsersResponse",)
    leaves_row: ClassVar[bool] = False
    indexes = (Changes("usage"),)

    username: str
    state: str = "Add"
    """``Active`` once a VPN of the account knows the user."""


@dataclass(eq=False, kw_only=True, repr=False)
class CustomerGateway(Owned):
    """The far end of a site-to-site VPN."""

    label: ClassVar[str] = "VPN customer gateway"
    entities: ClassVar[tuple[str, ...]] = ("Site2SiteCustomerGatewayResponse",)
    resource_type: ClassVar[str] = "CustomerGateway"

    name: str
    gateway: str
    cidr_list: list[str]
    psk: str
    ike_policy: str
    esp_policy: str
    ike_lifetime: int = 86400
    """Seconds, as ``esp_lifetime``."""
    esp_lifetime: int = 3600
    dpd: bool = False
    force_encap: bool = False
    split_connections: bool = False
    ike_version: str = "ike"


@dataclass(eq=False, kw_only=True, repr=False)
class VpnGateway(Owned):
    """The near end of a VPC's site-to-site VPNs: its source NAT address."""

    label: ClassVar[str] = "VPN gateway"
    entities: ClassVar[tuple[str, ...]] = ("Site2SiteVpnGatewayResponse",)
    resource_type: ClassVar[str] = "VpnGateway"

    vpc: Vpc
    ip: PublicIp
    display: bool = True


@dataclass(eq=False, kw_only=True, repr=False)
class VpnConnection(Owned):
    label: ClassVar[str] = "VPN connection"
    entities: ClassVar[tuple[str, ...]] = ("Site2SiteVpnConnectionResponse",)
    resource_type: ClassVar[str] = "VpnConnection"

    gateway: VpnGateway
    customer: CustomerGateway
    passive: bool = False
    state: str = "Pending"
    display: bool = True


@dataclass(eq=False, kw_only=True, repr=False)
class InternalLoadBalancer(Owned):
    """A load balancer on an address inside a tier."""

    label: ClassVar[str] = "load balancer"
    entities: ClassVar[tuple[str, ...]] = ("FirewallRuleResponse", "LoadBalancerResponse")
    resource_type: ClassVar[str] = "LoadBalancer"
    indexes = (Changes("usage"),)

    name: str
    algorithm: str
    network: Network
    source_network: Network
    nic: Nic
    """The interface that answers at its address; load balancers of one address share it."""
    source_port: int
    instance_port: int
    description: str | None = None
    members: list[tuple[Resource, str]] = field(default_factory=list)
    """VMs and the addresses of theirs that are balanced."""
    state: str = "Add"
    display: bool = True

    @property
    def source_ip(self) -> str:
        return self.nic.ip_address or ""
