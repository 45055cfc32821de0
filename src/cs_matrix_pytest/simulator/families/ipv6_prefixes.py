"""IPv6 prefixes of zones, of which guest networks get a /64 each (ConfigurationManagerImpl, Ipv6ServiceImpl)."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv6Network, NetmaskValueError
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, InvalidParameterValue, ResourceLimitExceeded
from cs_matrix_pytest.simulator.models.infra import IpRange, Zone
from cs_matrix_pytest.simulator.models.ipv6 import GuestIpv6Prefix
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.views import when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud
    from cs_matrix_pytest.simulator.models.networks import Network
    from cs_matrix_pytest.simulator.store import Resource

family = Family("IPv6 prefixes")

SUBNET_LENGTH = 64


def used_subnets(cloud: Cloud, row: GuestIpv6Prefix) -> dict[Resource, IPv6Network]:
    """The subnets of a prefix by the networks that have them."""
    return {network: subnet for network, subnet in row.subnets.items() if network in cloud.store}


def take_subnet(cloud: Cloud, network: Network) -> None:
    """Give a new network a free subnet of its zone. Raises ResourceLimitExceeded where there is none."""
    prefixes = cloud.store.table(GuestIpv6Prefix).where(zone=network.zone)
    if not prefixes:
        raise ResourceLimitExceeded("Unable to allocate IPv6 network")
    for row in prefixes:
        row.subnets = used_subnets(cloud, row)
        taken = set(row.subnets.values())
        if len(taken) < row.total:
            start, step = int(row.network.network_address), 1 << (128 - SUBNET_LENGTH)
            # CloudStack takes any; here it is the first, so that a run can be repeated.
            free = (IPv6Network((start + number * step, SUBNET_LENGTH)) for number in range(row.total))
            subnet = next(each for each in free if each not in taken)
            row.subnets[network] = subnet
            network.ip6_cidr, network.ip6_gateway = str(subnet), str(subnet.network_address + 1)
            return
    raise ResourceLimitExceeded("Unable to allocate IPv6 guest subnet for the network")


def eui64(cidr: str, mac: str) -> str:
    """The address that an interface gives itself in a subnet of /64 (RFC 4291, appendix A)."""
    octets = bytes.fromhex(mac.replace(":", ""))
    own = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
    return str(IPv6Network(cidr, strict=False).network_address + int.from_bytes(own, "big"))


def nic_ip6_fields(cidr: str | None, gateway: str | None, mac: str) -> dict[str, str]:
    """What an interface with an address in an IPv6 subnet shows of it; nothing where there is no subnet."""
    if cidr is None or gateway is None:
        return {}
    return {"ip6address": eui64(cidr, mac), "ip6cidr": cidr, "ip6gateway": gateway}


def public_range(cloud: Cloud, zone: Zone) -> IpRange | None:
    """The range that gives routers of a zone their public IPv6 addresses."""
    return cloud.store.table(IpRange).first(
        lambda row: row.zone is zone and row.for_virtual_network and row.ip6_cidr is not None
    )


@family.view(GuestIpv6Prefix)
def prefix_view(row: GuestIpv6Prefix, call: Call) -> dict[str, Any]:
    used = len(used_subnets(call.cloud, row))
    return {
        "id": row.id,
        "prefix": row.prefix,
        "zoneid": row.zone.id,
        "usedsubnets": used,
        "availablesubnets": row.total - used,
        "totalsubnets": row.total,
        "created": when(row.created),
    }


@family.command("createGuestNetworkIpv6Prefix")
def create_prefix(call: Call) -> Answer:
    zone, text = call.one(Zone, "zoneid"), call["prefix"]
    try:
        if "/" not in text:
            raise ValueError(text)
        network = IPv6Network(text, strict=False)
    except (AddressValueError, NetmaskValueError, ValueError):
        raise ApiError(f"can not parse [{text}]") from None
    if network.prefixlen > SUBNET_LENGTH:
        raise InvalidParameterValue(f"IPv6 prefix must be /{SUBNET_LENGTH} or less")
    for other in call.cloud.store.table(GuestIpv6Prefix).where(zone=zone):
        if other.network.overlaps(network):
            raise InvalidParameterValue(f"IPv6 prefix {network} overlaps with the existing IPv6 prefix {other.network}")
    return call.cloud.store.add(GuestIpv6Prefix(zone=zone, prefix=text))


@family.command("deleteGuestNetworkIpv6Prefix")
def delete_prefix(call: Call) -> Answer:
    row = call.one(GuestIpv6Prefix)
    if used_subnets(call.cloud, row):
        raise InternalError(f"Unable to delete guest network IPv6 prefix ID: {row.id}. Prefix subnets are in use.")
    call.cloud.store.remove(row)
    return Success()


family.listing("listGuestNetworkIpv6Prefixes", GuestIpv6Prefix, keyword=("prefix",))
