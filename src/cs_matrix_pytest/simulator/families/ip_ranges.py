"""Ranges of public and direct addresses, and of storage networks (ConfigurationManagerImpl, StorageNetworkManagerImpl)."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator import ipv4, vlans
from cs_matrix_pytest.simulator.access import active_account, range_owner
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue, as_internal_errors
from cs_matrix_pytest.simulator.families.physical_networks import physical_network_for
from cs_matrix_pytest.simulator.families.pods import check_range
from cs_matrix_pytest.simulator.families.zones import system_network
from cs_matrix_pytest.simulator.models.iam import Account, Domain, Project
from cs_matrix_pytest.simulator.models.infra import (
    IpRange,
    PhysicalNetwork,
    Pod,
    StorageNetworkRange,
    SystemNetwork,
    Zone,
)
from cs_matrix_pytest.simulator.models.networks import Network, PublicIp
from cs_matrix_pytest.simulator.models.vm import SystemVm, UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family, Filter, Success
from cs_matrix_pytest.simulator.texts import described
from cs_matrix_pytest.simulator.views import owner_fields

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("ip_ranges")

NO_RANGE = "Please specify a valid IP range id."


@family.view(IpRange)
def range_view(row: IpRange, _call: Call) -> dict[str, Any]:
    owner = row.account
    if owner is None and isinstance(row.network, Network):
        owner = row.network.account
    if owner is not None:
        whose: dict[str, Any] = owner_fields(owner)
    elif row.domain is not None:
        domain = row.domain
        whose = {"domainid": domain.id, "domain": domain.name, "domainpath": domain.path}
    else:
        whose = {}
    first6, _, last6 = (row.ip6_range or "").partition("-")
    return {
        "id": row.id,
        "forvirtualnetwork": row.for_virtual_network,
        "zoneid": row.zone.id,
        "vlan": row.vlan,
        "podid": row.pod.id if row.pod else None,
        "podname": row.pod.name if row.pod else None,
        "gateway": row.gateway,
        "netmask": row.netmask,
        "cidr": ipv4.cidr(row.gateway, row.netmask) if row.gateway and row.netmask else None,
        "startip": row.start_ip,
        "endip": row.end_ip,
        "ip6gateway": row.ip6_gateway,
        "ip6cidr": row.ip6_cidr,
        "startipv6": first6 or None,
        "endipv6": last6 or first6 or None,
        "networkid": row.network.id if row.network else None,
        "physicalnetworkid": row.physical_network.id,
        "forsystemvms": row.for_system_vms,
        **whose,
    }


def vlan_uri(text: str | None) -> str | None:
    """A VLAN as ranges show it: ``vlan://50`` for ``50``; other schemes stay as they are."""
    if not text:
        return None
    return text if "://" in text else f"vlan://{text}"


def taken_in(cloud: Cloud, row: IpRange) -> set[str]:
    """The addresses of a range that somebody has: allocated public addresses, system VMs, guests' NICs."""
    taken = {ip.address for ip in cloud.store.table(PublicIp) if ip.range is row and ip.state != "Free"}
    taken |= {vm.public_ip for vm in cloud.store.table(SystemVm) if vm.public_ip and vm.zone is row.zone}
    if row.network is not None and not row.for_virtual_network:
        taken |= {
            nic.ip_address
            for vm in cloud.store.table(UserVm)
            for nic in vm.nics
            if nic.network is row.network and nic.ip_address
        }
    return taken


def free_address_in(cloud: Cloud, row: IpRange) -> str | None:
    """The first free address of a range."""
    if row.start_ip is None or row.end_ip is None:
        return None
    taken = taken_in(cloud, row)
    return next((each for each in ipv4.addresses(row.start_ip, row.end_ip) if each not in taken), None)


def free_system_address(cloud: Cloud, zone: Zone) -> tuple[IpRange, str] | None:
    """An address that a system VM of a zone can have: of ranges for system VMs first, of dedicated ones never."""
    rows = [
        row
        for row in cloud.store.table(IpRange).where(zone=zone)
        if row.account is None
        and (row.domain is None or row.for_system_vms)
        and (row.for_virtual_network or not zone.has_public_traffic)
    ]
    for row in sorted(rows, key=lambda each: not each.for_system_vms):
        address = free_address_in(cloud, row)
        if address is not None:
            return row, address
    return None


@family.command("createVlanIpRange")
def create_vlan_ip_range(call: Call) -> Answer:
    cloud, account_name = call.cloud, call.get("account")
    network = call.params.get("networkid")
    if isinstance(network, Network):
        network = call.maybe(Network, "networkid", missing="Unable to find network by id {}")
    elif not isinstance(network, SystemNetwork):
        network = None
    start, ip6_cidr = call.get("startip"), call.get("ip6cidr")
    end = call.get("endip", start)
    if call.flag("forsystemvms") and account_name is not None:
        raise InvalidParameterValue("Account name should not be provided when ForSystemVMs is enabled")
    if start is None and ip6_cidr is None:
        raise InvalidParameterValue("StartIP or IPv6 CIDR is missing in the parameters!")
    if ip6_cidr is not None and ip6_network(ip6_cidr).prefixlen > 64:
        raise InvalidParameterValue("For IPv6 range, prefix must be /64 or less")
    owner, domain = _dedicated_to(call)
    physical = call.maybe(PhysicalNetwork, "physicalnetworkid", missing="Unable to find Physical Network with id={}")
    zone = network.zone if network is not None else call.maybe(Zone, "zoneid", missing="Unable to find zone by id {}")
    if zone is None and physical is not None:
        zone = physical.zone
    if zone is None:
        raise InvalidParameterValue("Unable to find zone by id null")
    public = call.flag("forvirtualnetwork", True)
    if isinstance(network, Network) and network.physical_network is not None:
        physical = network.physical_network
    if physical is None:
        physical = _default_physical_network(cloud, zone, public)
    if zone.security_groups_enabled and not zone.is_basic and public:
        raise InvalidParameterValue("Can't add virtual IP range into a zone with security group enabled")
    network = _network_of_range(cloud, zone, network, public)
    vlan = vlan_uri(call.get("vlan"))
    others = [row for row in cloud.store.table(IpRange) if row.network is network]
    if isinstance(network, Network):
        vlan = _guest_vlan(network, vlan, others)
    gateway, netmask = call.get("gateway"), call.get("netmask")
    if isinstance(network, Network) and start and end:
        gateway, netmask = _subnet(network, others, gateway, netmask, start, end)
    pod = call.maybe(Pod, "podid", missing="Please specify a valid pod.")
    if pod is not None and pod.zone is not zone:
        raise InvalidParameterValue(f"Pod {described(pod)} doesn't belong to zone id={zone.number}")
    if pod is not None and (not zone.is_basic or public):
        raise InvalidParameterValue("Pod id can be specified only for the networks of type Guest in zone of type Basic")
    if (owner or domain) and zone.is_basic:
        raise InvalidParameterValue("Vlan owner can be defined only in the zone of type Advanced")
    row = IpRange(
        zone=zone,
        physical_network=physical,
        gateway=gateway,
        netmask=netmask,
        start_ip=start,
        end_ip=end,
        vlan=vlan or "vlan://untagged",
        for_virtual_network=public,
        pod=pod,
        network=network,
        account=owner,
        domain=domain,
        for_system_vms=call.flag("forsystemvms"),
        ip6_gateway=call.get("ip6gateway"),
        ip6_cidr=ip6_cidr,
        ip6_range="-".join(filter(None, (call.get("startipv6"), call.get("endipv6", call.get("startipv6"))))) or None,
    )
    if start is not None:
        check_pods(cloud, row)
        check_new_range(cloud, row)
    if ip6_cidr is not None:
        _check_ip6(cloud, row)
    number = row.vlan.removeprefix("vlan://")
    if public and vlans.contains(vlans.parse_ranges(physical.vlan), number):
        raise InvalidParameterValue(
            f"The VLAN tag {row.vlan} is already being used for dynamic vlan allocation for the guest network in zone "
            f"{zone.name}"
        )
    if owner is not None and start is not None and end is not None:
        cloud.limits.check(owner, "public_ip", ipv4.count(start, end))
    cloud.store.add(row)
    if isinstance(network, Network):
        network.ip_ranges.append(row)
        if gateway and netmask:
            network.gateway, network.netmask = network.gateway or gateway, network.netmask or netmask
            network.cidr = network.cidr or ipv4.cidr(gateway, netmask)
    from cs_matrix_pytest.simulator.families.system_vms import expect_system_vms

    expect_system_vms(cloud, zone)
    return row


def _dedicated_to(call: Call) -> tuple[Account | None, Domain | None]:
    name = call.get("account")
    if "projectid" in call and name is not None:
        raise InvalidParameterValue("Account and projectId are mutually exclusive")
    domain = call.maybe(Domain, "domainid", missing="Please specify a valid domain id")
    project = call.maybe(Project, "projectid", missing="Unable to find project by id {}")
    if project is not None:
        return project.account, None
    if name is not None and domain is not None:
        owner = active_account(call.cloud, name, domain)
        if owner is None:
            raise InvalidParameterValue("Please specify a valid account.")
        return (None if owner is call.cloud.system_account else owner), None
    return None, domain


def _default_physical_network(cloud: Cloud, zone: Zone, public: bool) -> PhysicalNetwork:
    if public:
        return physical_network_for(cloud, zone, "Public")
    if zone.is_basic or zone.security_groups_enabled:
        return physical_network_for(cloud, zone, "Guest")
    raise InvalidParameterValue("Physical Network Id is null, please provide the Network id for Direct vlan creation ")


def _network_of_range(
    cloud: Cloud, zone: Zone, network: Network | SystemNetwork | None, public: bool
) -> Network | SystemNetwork | None:
    if public:
        if isinstance(network, Network):
            raise InvalidParameterValue(f"Can't find Public network {described(network)}")
        return network or system_network(cloud, zone, "Public")
    if isinstance(network, Network):
        if network.guest_type == "Isolated" and "SourceNat" in network.offering.service_providers:
            raise InvalidParameterValue(
                f"Can't create direct vlan for network {described(network)} with type: {network.guest_type}"
            )
        if not network.offering.specify_ip_ranges:
            raise InvalidParameterValue(f"Network {described(network)} doesn't support adding IP ranges")
        if network.guest_type != "Shared" and not zone.is_basic:
            raise InvalidParameterValue(
                "Can execute createVLANIpRanges on shared guest Network, but type of this guest Network "
                f"{described(network)} is {network.guest_type}"
            )
        return network
    found = cloud.store.table(Network).first(
        lambda each: each.zone is zone and (zone.is_basic or "SecurityGroup" in each.offering.service_providers)
    )
    if found is None:
        raise InvalidParameterValue("Network id is required for Direct vlan creation ")
    return found


def _subnet(
    network: Network, others: list[IpRange], gateway: str | None, netmask: str | None, start: str, end: str
) -> tuple[str | None, str | None]:
    """The gateway and netmask of a new range of a guest network: those of a subnet that it has, or its own
    (validateIpRange)."""
    known = [(row.gateway, row.netmask) for row in others if row.gateway and row.netmask]
    if not known and network.gateway and network.netmask:
        known = [(network.gateway.split(",")[0], network.netmask)]
    if (gateway is None) is not (netmask is None) and known:
        raise InvalidParameterValue("either both netmask and gateway should be passed or both should me omited.")
    for old_gateway, old_netmask in known:
        if old_gateway is None or old_netmask is None:
            continue
        if gateway is None or netmask is None:
            if all(
                ipv4.is_address(each) and ipv4.same_network(each, old_gateway, old_netmask) for each in (start, end)
            ):
                return _outside(old_gateway, old_netmask, start, end)
            continue
        for each, called in ((start, "start"), (end, "end")):
            if not (ipv4.is_address(each) and ipv4.is_netmask(netmask) and ipv4.same_network(each, gateway, netmask)):
                raise InvalidParameterValue(f"The {called} IP and gateway do not belong to the same subnet")
        mine, theirs = ipv4.cidr(gateway, netmask), ipv4.cidr(old_gateway, old_netmask)
        if mine == theirs:
            if gateway != old_gateway:
                raise InvalidParameterValue(
                    f"The gateway of the subnet should be unique. The subnet already has a gateway {old_gateway}"
                )
            return _outside(old_gateway, old_netmask, start, end)
        if ipv4.cidrs_overlap(mine, theirs):
            wider = ipv4.prefix_length(netmask) < ipv4.prefix_length(old_netmask)
            raise InvalidParameterValue(
                f"The subnet you are trying to add is a {'superset' if wider else 'subset'} of the existing subnet having "
                f"gateway {old_gateway} and netmask {old_netmask}"
            )
    if gateway is None and netmask is None:
        raise InvalidParameterValue(
            "The IP range dose not belong to any of the existing subnets, Provide the netmask and gateway if you want to "
            "add new subnet"
        )
    return gateway, netmask


def _outside(gateway: str, netmask: str, start: str, end: str) -> tuple[str, str]:
    if ipv4.ranges_overlap(start, end, gateway, gateway):
        raise InvalidParameterValue("The gateway ip should not be the part of the ip range being added.")
    return gateway, netmask


def _guest_vlan(network: Network, vlan: str | None, others: list[IpRange]) -> str | None:
    mine = others[0].vlan if others else vlan_uri(network.vlan)
    if vlan is None or "untagged" in vlan:
        return mine or vlan
    if others and mine != vlan:
        raise InvalidParameterValue(
            f"there is already one vlan {mine} on network :{described(network)}, only one vlan is allowed on guest network"
        )
    if mine is not None and mine != vlan:
        raise InvalidParameterValue("Vlan doesn't match vlan of the network")
    return vlan


def check_pods(cloud: Cloud, row: IpRange) -> None:
    """Raise InvalidParameterValue where a range overlaps with a pod's; only `createVlanIpRange` asks."""
    if not (row.start_ip and row.end_ip and ipv4.is_address(row.start_ip) and ipv4.is_address(row.end_ip)):
        return
    for pod in cloud.store.table(Pod).where(zone=row.zone):
        for kept in pod.ranges:
            if ipv4.ranges_overlap(row.start_ip, row.end_ip, kept.start_ip, kept.end_ip):
                raise InvalidParameterValue(
                    f"The Start IP and EndIP address range overlap with private IP :{kept.start_ip}:{kept.end_ip}"
                )


def check_new_range(cloud: Cloud, row: IpRange) -> None:
    """Raise InvalidParameterValue where a new IPv4 range cannot be, or overlaps with what is there."""
    gateway, netmask, start, end = row.gateway, row.netmask, row.start_ip or "", row.end_ip or ""
    if gateway is None or not ipv4.is_address(gateway):
        raise InvalidParameterValue("Please specify a valid gateway")
    if netmask is None or not ipv4.is_netmask(netmask):
        raise InvalidParameterValue("Please specify a valid netmask")
    if not ipv4.is_address(start):
        raise InvalidParameterValue("Please specify a valid start IP")
    if not ipv4.is_address(end):
        raise InvalidParameterValue("Please specify a valid end IP")
    if not (ipv4.same_network(start, gateway, netmask) and ipv4.same_network(end, gateway, netmask)):
        raise InvalidParameterValue("Please specify a valid IP range or valid netmask or valid gateway")
    if ipv4.to_int(start) > ipv4.to_int(end):
        raise InvalidParameterValue("Please specify a valid IP range.")
    if ipv4.ranges_overlap(start, end, gateway, gateway):
        raise InvalidParameterValue("The gateway ip should not be the part of the ip range being added.")
    mine = ipv4.cidr(gateway, netmask)
    for other in cloud.store.table(IpRange).where(zone=row.zone):
        if other is row or not (other.gateway and other.netmask and other.start_ip and other.end_ip):
            continue
        if not ipv4.cidrs_overlap(mine, ipv4.cidr(other.gateway, other.netmask)):
            continue
        if "untagged" in row.vlan or row.vlan == other.vlan:
            if (gateway, netmask) != (other.gateway, other.netmask):
                raise InvalidParameterValue(
                    f"The IP range has already been added with gateway {other.gateway} ,and netmask {other.netmask}, "
                    "Please specify the gateway/netmask if you want to extend ip range"
                )
            if ipv4.ranges_overlap(start, end, other.start_ip, other.end_ip):
                raise InvalidParameterValue(
                    "The IP range already has IPs that overlap with the new range. "
                    "Please specify a different start IP/end IP."
                )
        elif row.for_virtual_network or other.for_virtual_network:
            raise InvalidParameterValue(
                f"The IP range with tag: {other.vlan} in zone {row.zone.name} has overlapped with the subnet. "
                "Please specify a different gateway/netmask."
            )


def _check_ip6(cloud: Cloud, row: IpRange) -> None:
    if row.ip6_gateway is None:
        raise InvalidParameterValue(
            "Gateway, netmask and zoneId have to be passed in for virtual and direct untagged networks"
        )
    try:
        ipaddress.IPv6Address(row.ip6_gateway)
    except ValueError:
        raise InvalidParameterValue("Please specify a valid IPv6 gateway") from None
    mine = ip6_network(row.ip6_cidr or "")
    for other in cloud.store.table(IpRange).where(zone=row.zone):
        if other.ip6_cidr and ipaddress.IPv6Network(other.ip6_cidr, strict=False).overlaps(mine):
            raise InvalidParameterValue(
                f"The IPv6 range with tag: {other.vlan} already has IPs that overlap with the new range."
            )


def ip6_network(cidr: str) -> ipaddress.IPv6Network:
    """An IPv6 CIDR; raises InvalidParameterValue where it is none."""
    try:
        return ipaddress.IPv6Network(cidr, strict=False)
    except ValueError:
        raise InvalidParameterValue("Please specify a valid IPv6 CIDR") from None


@family.command("updateVlanIpRange")
def update_vlan_ip_range(call: Call) -> Answer:
    row, cloud = call.one(IpRange, missing=NO_RANGE), call.cloud
    if row.start_ip is None and any(name in call for name in ("startip", "endip", "gateway", "netmask")):
        raise InvalidParameterValue("IPv4 is not support in this IP range.")
    if row.ip6_cidr is None and any(name in call for name in ("startipv6", "endipv6", "ip6gateway", "ip6cidr")):
        raise InvalidParameterValue("IPv6 is not support in this IP range.")
    for_system_vms = call.flag("forsystemvms", row.for_system_vms)
    if for_system_vms != row.for_system_vms:
        if not row.for_virtual_network:
            raise InvalidParameterValue(
                "forSystemVms is not available for this IP range with vlan type: DirectAttached"
            )
        if row.account is not None:
            raise InvalidParameterValue("Specified Public IP range has already been dedicated to an account")
        if row.domain is not None:
            raise InvalidParameterValue("Specified Public IP range has already been dedicated to a domain")
    if row.start_ip is not None and row.end_ip is not None:
        taken = {each for each in taken_in(cloud, row) if ipv4.ranges_overlap(row.start_ip, row.end_ip, each, each)}
        for name, current in (("gateway", row.gateway), ("netmask", row.netmask)):
            if taken and call.get(name, current) != current:
                raise InvalidParameterValue(f"Unable to change {name} to {call[name]} because some IPs are in use")
        start, end = call.get("startip", row.start_ip), call.get("endip", row.end_ip)
        gateway, netmask = call.get("gateway", row.gateway), call.get("netmask", row.netmask)
        if not (ipv4.is_address(gateway) and ipv4.is_netmask(netmask)):
            raise InvalidParameterValue(f"Invalid gateway ({gateway}) or netmask ({netmask})")
        check_range(start, end, (gateway, netmask))
        if ipv4.ranges_overlap(start, end, gateway, gateway):
            raise InvalidParameterValue("The gateway shouldn't overlap the new start/end ip addresses")
        if any(not ipv4.ranges_overlap(start, end, each, each) for each in taken):
            first, last = min(taken, key=ipv4.to_int), max(taken, key=ipv4.to_int)
            raise InvalidParameterValue(
                f"The start IP address must be less than or equal to {first} which is already in use. The end IP address "
                f"must be greater than or equal to {last} which is already in use. There are {len(taken)} IPs already "
                "allocated in this range."
            )
        row.gateway, row.netmask, row.start_ip, row.end_ip = gateway, netmask, start, end
    row.for_system_vms = for_system_vms
    row.ip6_gateway, row.ip6_cidr = call.get("ip6gateway", row.ip6_gateway), call.get("ip6cidr", row.ip6_cidr)
    if "startipv6" in call:
        row.ip6_range = f"{call['startipv6']}-{call.get('endipv6', call['startipv6'])}"
    return row


@family.command("deleteVlanIpRange")
def delete_vlan_ip_range(call: Call) -> Answer:
    row, cloud = call.one(IpRange, missing=NO_RANGE), call.cloud
    start, end = row.start_ip, row.end_ip
    if start is not None and end is not None:
        used = [each for each in taken_in(cloud, row) if ipv4.ranges_overlap(start, end, each, each)]
        if used:
            raise InvalidParameterValue(f"{len(used)}  Ips are in use. Cannot delete this vlan")
    for ip in cloud.store.table(PublicIp):
        if ip.range is row:
            cloud.store.remove(ip)
    if isinstance(row.network, Network) and row in row.network.ip_ranges:
        row.network.ip_ranges.remove(row)
    cloud.store.remove(row)
    return Success()


@family.command("dedicatePublicIpRange")
def dedicate_public_ip_range(call: Call) -> Answer:
    name, owner = call.get("account"), None
    if "projectid" in call and name is not None:
        raise InvalidParameterValue("accountName and projectId are mutually exclusive")
    project = call.maybe(Project, "projectid", missing="Unable to find project by id {}")
    domain = call.maybe(Domain, "domainid", missing="Please specify a valid domain id")
    row = call.one(IpRange, missing="Unable to find vlan by id {}")
    if project is not None:
        owner = project.account
    elif name is not None and domain is not None:
        owner = active_account(call.cloud, name, domain)
        if owner is None:
            raise InvalidParameterValue(f"Unable to find account by name {name}")
        if owner is call.cloud.system_account:
            raise InvalidParameterValue("Please specify a valid account. Cannot dedicate IP range to system account")
    if row.account is not None:
        raise InvalidParameterValue("Specified Public IP range has already been dedicated")
    if row.domain is not None:
        raise InvalidParameterValue("Specified Public IP range has already been dedicated to a domain")
    if row.zone.is_basic:
        raise InvalidParameterValue("Public IP range can be dedicated to an account only in the zone of type Advanced")
    for ip in call.cloud.store.table(PublicIp):
        if ip.range is not row:
            continue
        if row.for_system_vms:
            raise InvalidParameterValue(f"{ip.address} Public IP address in range is dedicated to system vms ")
        if owner is not None and ip.account is not owner:
            raise InvalidParameterValue(f"{ip.address} Public IP address in range is allocated to another account ")
        if owner is None and ip.account.domain is not domain:
            raise InvalidParameterValue(
                f"{ip.address} Public IP address in range is allocated to another domain/account "
            )
    if owner is not None:
        if row.start_ip and row.end_ip:
            call.cloud.limits.check(owner, "public_ip", ipv4.count(row.start_ip, row.end_ip))
        row.account = owner
    else:
        row.domain = domain
    return row


@family.command("releasePublicIpRange")
def release_public_ip_range(call: Call) -> Answer:
    row = call.one(IpRange, missing=NO_RANGE)
    if row.account is None and row.domain is None:
        raise InvalidParameterValue(
            f"Can't release Public IP range {row.number} as it not dedicated to any domain and any account"
        )
    row.account = row.domain = None
    return Success()


def _listed_ranges(call: Call) -> list[IpRange]:
    """The ranges of the account or project that a request names, those of the domain itself (searchForVlans)."""
    domain = call.maybe(Domain, "domainid", missing="Unable to find domain with id {}")
    owner = range_owner(call, domain, "Unable to find account {} in specified domain")
    return call.cloud.store.table(IpRange).where(
        lambda row: (
            (owner is None or row.account is owner)
            and (domain is None or (row.domain is domain and row.account is None))
        )
    )


def _unless_keyword(test: Filter) -> Filter:
    # A keyword is all that counts where there is one.
    return lambda row, value, call: "keyword" in call or test(row, value, call)


family.listing(
    "listVlanIpRanges",
    IpRange,
    rows=_listed_ranges,
    keyword=("vlan", "start_ip", "end_ip"),
    filters={
        "id": _unless_keyword(lambda row, value, _call: row is value),
        "vlan": _unless_keyword(lambda row, value, _call: row.vlan.lower() == value.lower()),
        "zoneid": _unless_keyword(lambda row, zone, _call: row.zone is zone),
        "podid": _unless_keyword(lambda row, pod, _call: row.pod is pod),
        "networkid": _unless_keyword(lambda row, network, _call: row.network is network),
        "physicalnetworkid": _unless_keyword(lambda row, network, _call: row.physical_network is network),
        "forvirtualnetwork": _unless_keyword(lambda row, value, _call: row.for_virtual_network is value),
    },
)


@family.view(StorageNetworkRange)
def storage_range_view(row: StorageNetworkRange, _call: Call) -> dict[str, Any]:
    return {
        "id": row.id,
        "vlan": row.vlan,
        "podid": row.pod.id,
        "startip": row.start_ip,
        "endip": row.end_ip,
        "zoneid": row.zone.id,
        "networkid": row.network.id,
        "netmask": row.netmask,
        "gateway": row.gateway,
    }


def _check_storage_range(call: Call, pod: Pod, start: str, end: str) -> None:
    """Raise where a storage network's range overlaps with what its pod has; one that changes is no exception."""
    check_range(start, end)
    text = "The Storage network Start IP and endIP address range overlap with private IP :"
    for kept in pod.ranges:
        if ipv4.ranges_overlap(start, end, kept.start_ip, kept.end_ip):
            raise InvalidParameterValue(f"{text}{kept.start_ip}:{kept.end_ip}")
    for other in call.cloud.store.table(StorageNetworkRange).where(pod=pod):
        if ipv4.ranges_overlap(start, end, other.start_ip, other.end_ip):
            raise InvalidParameterValue(f"{text}{other.start_ip} - {other.end_ip}")


@family.command("createStorageNetworkIpRange")
@as_internal_errors()
def create_storage_range(call: Call) -> Answer:
    start, cloud = call["startip"], call.cloud
    end = call.get("endip", start)
    if not ipv4.is_netmask(call["netmask"]):
        raise InternalError(f"Invalid netmask:{call['netmask']}")
    pod = call.one(Pod, "podid", missing="Cannot find pod {}")
    _check_storage_range(call, pod, start, end)
    network = system_network(cloud, pod.zone, "Storage")
    assert network is not None
    return cloud.store.add(
        StorageNetworkRange(
            pod=pod,
            network=network,
            gateway=call["gateway"],
            netmask=call["netmask"],
            start_ip=start,
            end_ip=end,
            vlan=call.get("vlan"),
        )
    )


@family.command("updateStorageNetworkIpRange")
@as_internal_errors()
def update_storage_range(call: Call) -> Answer:
    if "netmask" in call and not ipv4.is_netmask(call["netmask"]):
        raise InternalError(f"Invalid netmask:{call['netmask']}")
    row = call.one(StorageNetworkRange, missing="Cannot find storage ip range {}")
    start, end = call.get("startip", row.start_ip), call.get("endip", row.end_ip)
    if "startip" in call or "endip" in call:
        _check_storage_range(call, row.pod, start, end)
    row.start_ip, row.end_ip = start, end
    row.netmask, row.vlan = call.get("netmask", row.netmask), call.get("vlan", row.vlan)
    return row


@family.command("deleteStorageNetworkIpRange")
@as_internal_errors()
def delete_storage_range(call: Call) -> Answer:
    lost = "Can not find storage network ip range {}"
    call.cloud.store.forget(call.one(StorageNetworkRange, missing=lost, error=InternalError))
    return Success()


family.listing("listStorageNetworkIpRange", StorageNetworkRange, keyword=())
