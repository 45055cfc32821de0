"""NICs of guests: their addresses, listNics, secondary addresses (NetworkServiceImpl, GuestNetworkGuru)."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator import ipv4
from cs_matrix_pytest.simulator.access import check_access
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InsufficientCapacity, InvalidParameterValue
from cs_matrix_pytest.simulator.families.addresses import hosts, is_edge, mac, netmask_of, within
from cs_matrix_pytest.simulator.families.ipv6_prefixes import nic_ip6_fields
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.infra import IpRange, Pod
from cs_matrix_pytest.simulator.models.networks import (
    FirewallRule,
    LoadBalancerRule,
    Network,
    Nic,
    PortForwardingRule,
    PublicIp,
    SecondaryAddress,
)
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.models.vpc import InternalLoadBalancer
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.store import Resource

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("nics")


def nics_in(cloud: Cloud, network: Network) -> list[Nic]:
    """Every interface in a network, routers' included."""
    return cloud.store.table(Nic).where(network=network)


def vms_in(cloud: Cloud, network: Network) -> list[UserVm]:
    """The VMs that have a NIC in a network."""
    return [vm for vm in cloud.store.table(UserVm) if any(nic.network is network for nic in vm.nics)]


def vm_of(cloud: Cloud, nic: Nic) -> UserVm | None:
    """The VM that a NIC belongs to; None for a router's."""
    return cloud.store.table(UserVm).first(lambda vm: nic in vm.nics)


def ranges_of(cloud: Cloud, network: Network, pod: Pod | None = None) -> list[IpRange]:
    """The address ranges of a network (in a pod, if one is named), oldest first."""
    return [
        row
        for row in cloud.store.table(IpRange)
        if row.network is network and not row.for_virtual_network and (pod is None or row.pod in (None, pod))
    ]


def taken(cloud: Cloud, network: Network) -> set[str]:
    """The addresses of a network that its gateway, guests and routers have."""
    used = {address for nic in nics_in(cloud, network) for address in nic.addresses}
    return used | {network.gateway} if network.gateway else used


def candidates(cloud: Cloud, network: Network, pod: Pod | None = None) -> Iterator[tuple[str, IpRange | None]]:
    """Every address that a guest could have, with its range, in order."""
    if network.specify_ip_ranges:
        for row in ranges_of(cloud, network, pod):
            if row.start_ip:
                for address in ipv4.addresses(row.start_ip, row.end_ip or row.start_ip):
                    yield address, row
    elif network.cidr:
        for address in hosts(network.cidr):
            yield address, None


def has_room(cloud: Cloud, network: Network) -> bool:
    """True where a VM can be deployed in a network (NetworkModelImpl.canUseForDeploy)."""
    if network.traffic_type != "Guest":
        return False
    if network.guest_type == "L2" or not network.offering.services:
        return True
    used = taken(cloud, network)
    return any(address not in used for address, _ in candidates(cloud, network))


def address_for(
    cloud: Cloud, network: Network, requested: str | None = None, pod: Pod | None = None
) -> tuple[str, IpRange | None] | None:
    """The first free address of a network, or the requested one; None where there is none."""
    used = taken(cloud, network)
    if requested is None:
        return next(((address, row) for address, row in candidates(cloud, network, pod) if address not in used), None)
    if requested in used:
        return None
    if network.specify_ip_ranges:
        return next((found for found in candidates(cloud, network, pod) if found[0] == requested), None)
    if network.cidr is None or not within(requested, network.cidr) or is_edge(requested, network.cidr):
        return None
    return requested, None


def allocate(
    cloud: Cloud, network: Network, ip: str | None = None, mac_address: str | None = None, pod: Pod | None = None
) -> Nic:
    """A new NIC in a network, with a free address (or the one asked for) where the network has addresses.

    Raises InsufficientCapacity where there is none left, or the one asked for is not free.
    """
    gateway, netmask, address = network.gateway, None, None
    if network.guest_type != "L2" and (network.cidr or network.specify_ip_ranges):
        found = address_for(cloud, network, ip, pod)
        if found is None and network.specify_ip_ranges:
            raise InsufficientCapacity("Insufficient address capacity")
        if found is None and network.offering.services:
            raise InsufficientCapacity(f"Unable to acquire Guest IP address for network {describe(network)}")
        if found is not None:
            address, row = found
            if row is not None:
                gateway, netmask = row.gateway, row.netmask
    if netmask is None and address is not None and network.cidr:
        netmask = netmask_of(network.network_cidr or network.cidr)
    return plug(cloud, network, address, mac_address, gateway, netmask)


def plug(
    cloud: Cloud,
    network: Network,
    address: str | None,
    mac_address: str | None,
    gateway: str | None,
    netmask: str | None,
) -> Nic:
    """A new NIC with an address that was chosen before."""
    nic = cloud.store.add(
        Nic(network=network, ip_address=address, mac_address=mac_address or "", gateway=gateway, netmask=netmask)
    )
    nic.mac_address = nic.mac_address or mac(0x02, nic.number)
    return nic


def release(cloud: Cloud, nic: Nic) -> None:
    """Give back a NIC and its addresses; what leads to them (forwarding, static NAT, balancing) goes with it."""
    for address in nic.addresses:
        forget_address(cloud, nic.network, address)
    for secondary in nic.secondary:
        cloud.store.remove(secondary)
    nic.secondary = []
    cloud.store.remove(nic)


def forget_address(cloud: Cloud, network: Network, address: str) -> None:
    """Remove the rules that lead to a guest's address."""
    store = cloud.store
    for rule in store.table(PortForwardingRule).where(network=network, vm_ip=address):
        for opened in store.table(FirewallRule).where(related=rule):
            store.remove(opened)
        store.remove(rule)
    balancers: list[LoadBalancerRule | InternalLoadBalancer] = [
        *store.table(LoadBalancerRule).where(network=network),
        *store.table(InternalLoadBalancer).where(network=network),
    ]
    for balanced in balancers:
        left = [member for member in balanced.members if member[1] != address]
        if len(left) < len(balanced.members):
            balanced.members, balanced.state = left, "Active" if left else "Add"
    for ip in store.table(PublicIp).where(network=network, vm_ip=address):
        ip.static_nat, ip.vm, ip.vm_ip = False, None, None


def describe(network: Network) -> str:
    """A network as error texts name it."""
    return (
        f'Network {{"id": {network.number}, "name": "{network.name}", "uuid": "{network.id}", '
        f'"networkofferingid": {network.offering.number}}}'
    )


@family.view(Nic)
def nic_view(nic: Nic, call: Call) -> dict[str, Any]:
    vm = vm_of(call.cloud, nic)
    return nic_fields(nic) | {
        "extradhcpoption": [],
        "deviceid": str(nic.device_id),
        "virtualmachineid": vm.id if vm else None,
    }


def nic_fields(nic: Nic, *, up: bool = True) -> dict[str, Any]:
    """A NIC as every answer shows it; ``up``: its VM runs, so that it is on its VLAN."""
    network = nic.network
    uri = nic.broadcast_uri if up else None
    isolated = network.guest_type == "Isolated"
    shown = {
        "id": nic.id,
        "networkid": network.id,
        "networkname": network.name,
        "netmask": nic.netmask,
        "gateway": nic.gateway,
        "ipaddress": nic.ip_address,
        "isolationuri": uri,
        "broadcasturi": uri,
        "traffictype": network.traffic_type,
        "type": network.guest_type,
        "isdefault": nic.is_default,
        "macaddress": nic.mac_address,
        "secondaryip": [{"id": id, "ipaddress": address} for id, address in nic.secondary_ips.items()] or None,
        "enabled": nic.enabled,
        **(nic_ip6_fields(network.ip6_cidr, network.ip6_gateway, nic.mac_address) if isolated else {}),
    }
    return {name: value for name, value in shown.items() if value is not None}


@family.view(SecondaryAddress)
def secondary_view(secondary: SecondaryAddress, call: Call) -> dict[str, Any]:
    return {
        "id": secondary.id,
        "ipaddress": secondary.address,
        "nicid": secondary.nic.id,
        "networkid": secondary.nic.network.id,
        "description": secondary.description,
    }


@family.command("listNics")
def list_nics(call: Call) -> Answer:
    vm = call.maybe(UserVm, "virtualmachineid")
    if vm is None:
        raise InvalidParameterValue("Virtual machine id does not exist")
    check_access(call.cloud, call.account, vm)
    network, nic = call.maybe(Network, "networkid"), call.maybe(Nic, "nicid")
    rows: Iterable[Nic] = vm.nics
    if network is not None:
        rows = [row for row in rows if row.network is network]
    if nic is not None:
        rows = [row for row in rows if row is nic]
    return page(call, list(rows))


family.must_name("addIpToNic", "nicid", Nic, "Can't find NIC for id specified")


@family.command("addIpToNic")
def add_ip_to_nic(call: Call) -> Generator[Resource, None, Answer]:
    nic, requested = call.one(Nic, "nicid"), call.get("ipaddress")
    cloud, network = call.cloud, nic.network
    vm = vm_of(cloud, nic)
    if vm is None:
        raise InvalidParameterValue(f"The NIC [{nic.id}] does not belong to a user Instance")
    if requested is not None and not ipv4.is_address(requested) and ":" not in requested:
        raise InvalidParameterValue(f"Invalid ip address {requested}")
    check_access(cloud, call.account, vm)
    if len(nic.secondary) >= cloud.configuration.number("vm.network.nic.max.secondary.ipaddresses", default=10):
        raise InvalidParameterValue(
            "Allocating guest IP for NIC failed : Maximum Number of IPs per NIC has been crossed."
        )
    found = None
    if network.guest_type != "L2":
        found = address_for(cloud, network, requested, vm.pod if network.zone.is_basic else None)
    if found is None:
        raise ApiError("Failed to assign secondary IP to NIC")
    secondary = cloud.store.add(SecondaryAddress(nic=nic, address=found[0], description=call.get("description")))
    nic.secondary.append(secondary)
    yield secondary
    return secondary


@family.command("removeIpFromNic")
def remove_ip_from_nic(call: Call) -> Answer:
    secondary = call.maybe(SecondaryAddress, "id")
    if secondary is None:
        raise InvalidParameterValue("Unable to find secondary IP address by id")
    cloud, nic, address = call.cloud, secondary.nic, secondary.address
    vm = vm_of(cloud, nic)
    if vm is None:
        raise InvalidParameterValue("There is no Instance with the given secondary ip")
    check_access(cloud, call.account, vm)
    check_unused(cloud, nic.network, address)
    nic.secondary.remove(secondary)
    cloud.store.remove(secondary)
    return Success()


def check_unused(cloud: Cloud, network: Network, address: str) -> None:
    """Raise InvalidParameterValue where a rule leads to a guest's secondary address."""
    if network.guest_type != "Isolated":
        return
    if cloud.store.table(PortForwardingRule).first(network=network, vm_ip=address):
        raise InvalidParameterValue(
            f"Can't remove the secondary IP {address} is associate with the port forwarding rule"
        )
    nat = cloud.store.table(PublicIp).first(network=network, vm_ip=address)
    if nat is not None:
        raise InvalidParameterValue(
            f"Can't remove the IP {address} is associate with static NAT rule public IP address ID: {nat.id}"
        )
    for rule in cloud.store.table(LoadBalancerRule).where(network=network):
        if any(member[1] == address for member in rule.members):
            raise InvalidParameterValue(f"Can't remove the secondary IP {address} is mapped to load balancing rule")
