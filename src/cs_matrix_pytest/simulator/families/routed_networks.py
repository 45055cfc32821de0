"""What routed networks and VPCs get when they are made, show, and give back: subnet, AS number, BGP peers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InvalidParameterValue
from cs_matrix_pytest.simulator.families import as_numbers, bgp_peers, ipv4_subnets
from cs_matrix_pytest.simulator.models.iam import Account
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.models.networks import Network, PublicIp, Vpc
from cs_matrix_pytest.simulator.models.offerings import NetworkOffering, VpcOffering
from cs_matrix_pytest.simulator.models.routing import BgpPeer
from cs_matrix_pytest.simulator.registry import Family
from cs_matrix_pytest.simulator.store import Resource

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("routed networks")


def check_size(call: Call, owner: Account, offering: NetworkOffering, cidr: str | None) -> None:
    """Raise where CIDR and CIDR size of a new routed network are not what they must be (validateNetworkCidrSize)."""
    size, settings = call.get("cidrsize"), call.cloud.configuration
    if cidr is not None:
        if not offering.for_vpc and not call.is_root_admin:
            raise InvalidParameterValue(
                "Only root admin can set the gateway/netmask of Isolated networks with ROUTED mode"
            )
        return
    if size is None:
        raise InvalidParameterValue("network cidr or cidr size is required for Isolated networks with ROUTED mode")
    most = int(settings.number("routed.network.ipv4.max.cidr.size", owner, default=30))
    least = int(settings.number("routed.network.ipv4.min.cidr.size", owner, default=24))
    if size > most:
        raise InvalidParameterValue(f"network cidr size cannot be bigger than maximum cidr size {most}")
    if size < least:
        raise InvalidParameterValue(f"network cidr size cannot be smaller than minimum cidr size {least}")


def cidr_for(call: Call, owner: Account, zone: Zone, cidr: str | None) -> str:
    """The CIDR of a new routed network: the one that was chosen, else one of the size that was."""
    if cidr is not None:
        ipv4_subnets.reserve(call.cloud, owner, zone, cidr)
        return cidr
    found = ipv4_subnets.take(call.cloud, owner, zone, call["cidrsize"])
    if found is None:
        raise InvalidParameterValue("Failed to allocate a CIDR with requested size.")
    return found


def asked_peers(call: Call, owner: Account, zone: Zone) -> list[BgpPeer]:
    """The BGP peers that a new network or VPC is to use."""
    peers = call.many(BgpPeer, "bgppeerids")
    bgp_peers.check_peers(owner, zone, peers)
    return peers


def equip(cloud: Cloud, user: Network | Vpc, peers: list[BgpPeer]) -> None:
    """Give a new routed network or VPC its subnet, its peers and, with dynamic routing, an AS number.

    Raises InternalError where the zone has no AS number left.
    """
    if is_routed(user.offering):
        ipv4_subnets.assign(cloud, user)
        bgp_peers.use(cloud, user, peers)
    if user.offering.routing_mode == "Dynamic" and not (isinstance(user, Network) and user.vpc):
        as_numbers.allocate(cloud, user)


def release(cloud: Cloud, user: Network | Vpc) -> None:
    """Give back what a removed network or VPC had."""
    ipv4_subnets.release(cloud, user)
    bgp_peers.use(cloud, user, [])
    as_numbers.release_all(cloud, user)


def is_routed(offering: NetworkOffering | VpcOffering) -> bool:
    return offering.network_mode == "ROUTED"


@family.on_view
def add_routing(resource: Resource, call: Call) -> dict[str, Any]:
    """What routed networks and VPCs show besides."""
    if not isinstance(resource, (Network, Vpc)) or not is_routed(resource.offering):
        return {}
    cloud, number = call.cloud, as_numbers.number_of(call.cloud, resource)
    is_vpc = isinstance(resource, Vpc)
    dynamic = number is not None if is_vpc else bgp_peers.is_dynamic(resource.offering)
    peers = bgp_peers.peers_of(cloud, resource) if call.is_root_admin else []
    return {
        "asnumberid": number.id if number else None,
        "asnumber": number.value if number else None,
        "ip4routing": "Dynamic" if dynamic else "Static",
        "ip4routes": _routes(cloud, resource),
        "bgppeers": [bgp_peers.bgp_peer_view(peer, call) for peer in peers] or None,
    }


def _routes(cloud: Cloud, user: Network | Vpc) -> list[dict[str, Any]]:
    """Which public address leads to which network."""
    vpc = user if isinstance(user, Vpc) else user.vpc
    networks = cloud.store.table(Network).where(vpc=vpc) if user is vpc else [user]
    addresses = cloud.store.table(PublicIp).where(
        lambda ip: ip.source_nat and (ip.vpc is vpc if vpc is not None else ip.network is user)
    )
    return [{"subnet": network.cidr, "gateway": ip.address} for network in networks for ip in addresses]
