"""NICs of guests: their addresses, listNics, secondary addresses (NetworkServiceImpl, GuestNetworkGuru)."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_OID, uuid5

from cs_matrix_pytest.simulator import ipv4
from cs_matrix_pytest.simulator.access import check_access
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import (
    ApiError,
    InsufficientCapacity,
    InvalidParameterValue,
    as_internal_errors,
)
from cs_matrix_pytest.simulator.families.addresses import bounds, mac, netmask_of
from cs_matrix_pytest.simulator.families.ipv6_prefixes import nic_ip6_fields
from cs_matrix_pytest.simulator.indexes import Runs
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
from cs_matrix_pytest.simulator.registry import Answer, Family, Listing, Success
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.texts import fields_text

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("nics")


def nics_in(cloud: Cloud, network: Network) -> list[Nic]:
    """Every interface in a network, routers' included."""
    return cloud.store.table(Nic).where(network=network)


def vms_in(cloud: Cloud, network: Network) -> list[UserVm]:
    """The VMs that have a NIC in a network."""
    return cloud.store.table(UserVm).having("nics", *nics_in(cloud, network))


def vm_of(cloud: Cloud, nic: Nic) -> UserVm | None:
    """The VM that a NIC belongs to; None for a router's."""
    return next(iter(cloud.store.table(UserVm).having("nics", nic)), None)


def ranges_of(cloud: Cloud, network: Network, pod: Pod | None = None) -> list[IpRange]:
    """The address ranges of a network (in a pod, if one is named), oldest first."""
    return [
        row
        for row in cloud.store.table(IpRange)
        if row.network is network and not row.for_virtual_network and (pod is None or row.pod in (None, pod))
    ]


def in_use(cloud: Cloud, network: Network) -> Runs:
    """The addresses, as numbers, that guests and routers of a network have."""
    return cloud.store.table(Nic).numbers_in_use("addresses", network)


def has_mac(cloud: Cloud, network: Network, mac_address: str) -> bool:
    """True where an interface in a network has this MAC address."""
    return cloud.store.table(Nic).first(network=network, mac_address=mac_address) is not None


def spans(cloud: Cloud, network: Network, pod: Pod | None = None) -> Iterator[tuple[int, int, IpRange | None]]:
    """The addresses that guests could have, in order: first and last as numbers, and their range."""
    if network.specify_ip_ranges:
        for row in ranges_of(cloud, network, pod):
            if row.start_ip:
                yield ipv4.to_int(row.start_ip), ipv4.to_int(row.end_ip or row.start_ip), row
    elif network.cidr:
        first, last = bounds(network.cidr)
        yield first + 1, last - 1, None


def has_room(cloud: Cloud, network: Network) -> bool:
    """True where a VM can be deployed in a network (NetworkModelImpl.canUseForDeploy)."""
    if network.traffic_type != "Guest":
        return False
    if network.guest_type == "L2" or not network.offering.services:
        return True
    return address_for(cloud, network) is not None


def address_for(
    cloud: Cloud, network: Network, requested: str | None = None, pod: Pod | None = None
) -> tuple[str, IpRange | None] | None:
    """The first free address of a network, or the requested one; None where there is none."""
    used = in_use(cloud, network)
    gateway = ipv4.to_int(network.gateway) if network.gateway and ipv4.is_address(network.gateway) else None
    if requested is None:
        for first, last, row in spans(cloud, network, pod):
            number = used.first_missing(first)
            if number == gateway:
                number = used.first_missing(number + 1)
            if number <= last:
                return ipv4.to_text(number), row
        return None
    if not ipv4.is_address(requested):
        return None
    wanted = ipv4.to_int(requested)
    if wanted in used or wanted == gateway:
        return None
    return next(((requested, row) for first, last, row in spans(cloud, network, pod) if first <= wanted <= last), None)


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
    number = cloud.store.table(Nic).last_number + 1
    mac_address = mac_address or mac(0x02, number)
    return cloud.store.add(
        Nic(network=network, ip_address=address, mac_address=mac_address, gateway=gateway, netmask=netmask)
    )


def release(cloud: Cloud, nic: Nic) -> None:
    """Give back a NIC and its addresses; what leads to them (forwarding, static NAT, balancing) goes with it."""
    for address in nic.addresses:
        forget_address(cloud, nic.network, address)
    for secondary in nic.secondary:
        cloud.store.remove(secondary)
    nic.secondary = ()
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


def describe_nic(cloud: Cloud, nic: Nic) -> str:
    """A guest's NIC as error texts name it."""
    vm = vm_of(cloud, nic)
    up = vm is not None and vm.host is not None
    text = fields_text(
        id=nic.number,
        uuid=nic.id,
        instanceId=vm.number if vm else None,
        deviceId=nic.device_id,
        broadcastUri=nic.broadcast_uri if up else None,
        # The server reserves it anew at every start.
        reservationId=str(uuid5(NAMESPACE_OID, f"{nic.id}{vm.last_updated}")) if vm and up else None,
        iPv4Address=nic.ip_address,
    )
    return f"Nic {text}"


@family.view(Nic)
def nic_view(nic: Nic, call: Call) -> dict[str, Any]:
    vm = vm_of(call.cloud, nic)
    # The server looks at the first row that joins the VM with its NICs.
    vpc = vm.nics[0].network.vpc if vm and vm.nics else None
    return nic_fields(nic, up=vm is not None and vm.host is not None) | {
        "extradhcpoption": [],
        "deviceid": str(nic.device_id),
        "virtualmachineid": vm.id if vm else None,
        "vpcid": vpc.id if vpc else None,
        "vpcname": vpc.name if vpc else None,
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
    # Whatever is wrong is an internal error of ListNicsCmd, and no page of it is ever made.
    with as_internal_errors():
        vm = call.maybe(UserVm, "virtualmachineid", missing="Virtual machine id does not exist")
        if vm is None or (call.account.is_normal and not vm.display):
            raise InvalidParameterValue("Virtual machine id does not exist")
        check_access(call.cloud, call.account, vm)
    nic, network, keyword = call.params.get("nicid"), call.params.get("networkid"), call.get("keyword", "")
    if keyword and nic is not None:
        # Not the NICs, but those of its secondary addresses that the keyword is in, in one row.
        found = [each for each in getattr(nic, "secondary", ()) if keyword in each.address]
        shown = [
            {name: value for name, value in secondary_view(each, call).items() if value is not None} for each in found
        ]
        return {"count": 1, "nic": [{"secondaryip": shown}]} if found else {"count": 1, "null": [{}]}
    rows = [
        row
        for row in vm.nics
        if (nic is None or row is nic)
        and (network is None or row.network is network)
        and keyword in (row.ip_address or "")
    ]
    return Listing(rows, len(rows))


family.must_name("addIpToNic", "nicid", Nic, "Can't find NIC for id specified")


@family.command("addIpToNic")
def add_ip_to_nic(call: Call) -> Generator[Resource, None, Answer]:
    nic, requested = call.one(Nic, "nicid"), call.get("ipaddress")
    cloud, network = call.cloud, nic.network
    vm = vm_of(cloud, nic)
    if vm is None:
        raise InvalidParameterValue(f"The NIC [{nic.id}] does not belong to a user Instance")
    check_access(cloud, call.account, vm)
    if len(nic.secondary) >= cloud.configuration.number("vm.network.nic.max.secondary.ipaddresses", default=10):
        raise InvalidParameterValue(
            "Allocating guest IP for NIC failed : Maximum Number of IPs per NIC has been crossed."
        )
    found = None
    if requested and requested.strip() and not ipv4.is_address(requested) and network.guest_type == "Isolated":
        # Whatever is no IPv4 address is taken for one of IPv6.
        raise InvalidParameterValue(
            "Allocating guest IP for NIC failed : There is no IPv6 address available in the network "
            f"[name={network.name}, id={network.number}, uuid={network.id}]"
        )
    if network.guest_type != "L2":
        requested = requested if requested and ipv4.is_address(requested) else None
        found = address_for(cloud, network, requested, vm.pod if network.zone.is_basic else None)
    if found is None:
        raise ApiError("Failed to assign secondary IP to NIC")
    secondary = cloud.store.add(SecondaryAddress(nic=nic, address=found[0], description=call.get("description")))
    nic.secondary = (*nic.secondary, secondary)
    yield secondary
    return secondary


@family.command("removeIpFromNic")
def remove_ip_from_nic(call: Call) -> Answer:
    secondary = call.params["id"]
    if not isinstance(secondary, SecondaryAddress) or secondary not in call.cloud.store:
        raise ApiError("Invalid IP id is passed")
    cloud, nic, address = call.cloud, secondary.nic, secondary.address
    vm = vm_of(cloud, nic)
    if vm is not None:
        check_access(cloud, call.account, vm)
    if vm is None or is_used(cloud, nic.network, address):
        # RemoveIpFromVmNicCmd keeps the reason to itself.
        raise InvalidParameterValue("Removing guest IP from NIC failed")
    nic.secondary = tuple(each for each in nic.secondary if each is not secondary)
    cloud.store.remove(secondary)
    return Success()


def is_used(cloud: Cloud, network: Network, address: str) -> bool:
    """True where a rule of an isolated network leads to a guest's secondary address."""
    return network.guest_type == "Isolated" and bool(
        cloud.store.table(PortForwardingRule).first(network=network, vm_ip=address)
        or cloud.store.table(PublicIp).first(network=network, vm_ip=address)
        or any(
            member[1] == address
            for rule in cloud.store.table(LoadBalancerRule).where(network=network)
            for member in rule.members
        )
    )
