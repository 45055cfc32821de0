"""Public IP addresses: getting, associating, listing and giving them back (IpAddressManagerImpl, NetworkServiceImpl)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from cs_matrix_pytest.simulator import ipv4, parameters
from cs_matrix_pytest.simulator.access import DOMAIN_ADMINS, check_access, owner_of_new, scoping
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import (
    ApiError,
    InsufficientCapacity,
    InternalError,
    InvalidParameterValue,
    ParameterError,
    PermissionDenied,
    ResourceLimitExceeded,
)
from cs_matrix_pytest.simulator.families import quarantine
from cs_matrix_pytest.simulator.listing import page, tag_filter
from cs_matrix_pytest.simulator.models.iam import Account, Domain, Project
from cs_matrix_pytest.simulator.models.infra import IpRange, SystemNetwork, Zone
from cs_matrix_pytest.simulator.models.networks import (
    FirewallRule,
    HealthCheckPolicy,
    LoadBalancerRule,
    Network,
    Nic,
    PortForwardingRule,
    PublicIp,
    StaticNatRule,
    StickinessPolicy,
    Vpc,
)
from cs_matrix_pytest.simulator.models.vm import SystemVm, UserVm
from cs_matrix_pytest.simulator.models.vpc import RemoteAccessVpn
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.views import owner_fields, tag_fields, when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("public IPs")

RULES_ON_ADDRESS: tuple[type[FirewallRule | PortForwardingRule | LoadBalancerRule | StaticNatRule], ...] = (
    FirewallRule,
    PortForwardingRule,
    LoadBalancerRule,
    StaticNatRule,
)
PUBLIC_SERVICES = ("SourceNat", "StaticNat", "Firewall", "PortForwarding", "Lb")
"""A shared network with one of these can have public addresses."""


def serves_public_ips(network: Network) -> bool:
    """True for a shared network whose offering does something with public addresses (isSharedNetworkOfferingWithServices)."""
    return network.guest_type == "Shared" and any(network.supports(service) for service in PUBLIC_SERVICES)


def address_id(range: IpRange, address: str) -> str:
    """The uuid of an address: the same whoever has it, as the server keeps one row per address."""
    return str(uuid5(UUID(range.id), address))


def taken(cloud: Cloud, zone: Zone) -> set[str]:
    """The public addresses of a zone that somebody has."""
    store = cloud.store
    addresses = {ip.address for ip in store.table(PublicIp) if ip.zone is zone}
    return addresses | {vm.public_ip for vm in store.table(SystemVm) if vm.zone is zone and vm.public_ip}


def public_ranges(cloud: Cloud, zone: Zone) -> list[IpRange]:
    """The public ranges of a zone, oldest first."""
    return [range for range in cloud.store.table(IpRange) if range.zone is zone and range.for_virtual_network]


def addresses_of(range: IpRange) -> Iterator[str]:
    """Every IPv4 address of a range."""
    if range.start_ip is None:
        return iter(())
    return ipv4.addresses(range.start_ip, range.end_ip or range.start_ip)


def ranges_for(cloud: Cloud, zone: Zone, owner: Account) -> list[IpRange]:
    """The ranges that an owner's addresses come from, in order: those dedicated to it, then everybody's.

    Everybody's are left out for an owner with ranges of its own where ``use.system.public.ips`` says so.
    """
    everywhere = [
        range for range in cloud.store.table(IpRange) if range.for_virtual_network and not range.for_system_vms
    ]
    dedicated = [range for range in everywhere if range.account is owner or range.domain is owner.domain]
    system = [range for range in everywhere if range.account is None and range.domain is None]
    # A range of its own in one zone keeps an owner from the others' system ranges as well.
    if dedicated and not cloud.configuration.flag("use.system.public.ips", owner, default=True):
        system = []
    return [range for range in dedicated + system if range.zone is zone]


def acquire(
    cloud: Cloud,
    owner: Account,
    zone: Zone,
    *,
    network: Network | None = None,
    vpc: Vpc | None = None,
    source_nat: bool = False,
    requested: str | None = None,
    display: bool = True,
    state: str = "Allocated",
    is_system: bool = False,
    for_system_vm: bool = False,
) -> PublicIp:
    """Give an owner the first free public address of a zone, or the one it asks for.

    ``for_system_vm`` prefers the ranges that are kept for system VMs. Raises InsufficientCapacity where there is none,
    and the account limit's error.
    """
    used = taken(cloud, zone) | quarantine.kept_from(cloud, owner)
    ranges = ranges_for(cloud, zone, owner)
    if for_system_vm:
        ranges = [range for range in public_ranges(cloud, zone) if range.for_system_vms] + ranges
    for range in ranges:
        for address in addresses_of(range):
            if address not in used and requested in (None, address):
                if not (is_system or for_system_vm or range.account):
                    check_limit(cloud, owner)
                quarantine.end(cloud, address, owner)
                return cloud.store.add(
                    PublicIp(
                        id=address_id(range, address),
                        account=owner,
                        address=address,
                        zone=zone,
                        range=range,
                        network=network,
                        vpc=vpc,
                        source_nat=source_nat,
                        display=display,
                        state=state,
                        is_system=is_system,
                    )
                )
    raise InsufficientCapacity("Insufficient address capacity")


def check_limit(cloud: Cloud, owner: Account) -> None:
    """Raise AccountLimitException's error where an account may have no further address."""
    try:
        cloud.limits.check(owner, "public_ip")
    except ResourceLimitExceeded:
        raise ApiError(
            f"Maximum number of public IP addresses for account: {owner.name} has been exceeded.", code=532
        ) from None


def rules_of(cloud: Cloud, ip: PublicIp) -> list[Resource]:
    """Every rule on an address."""
    return [rule for kind in RULES_ON_ADDRESS for rule in cloud.store.table(kind) if rule.ip is ip]


def remove_rule(cloud: Cloud, rule: Resource) -> None:
    """Remove a rule with the policies of a load balancer rule and the firewall rule that was opened for it."""
    store = cloud.store
    if isinstance(rule, LoadBalancerRule):
        for kind in (StickinessPolicy, HealthCheckPolicy):
            for policy in store.table(kind).where(rule=rule):
                store.remove(policy)
    for opened in store.table(FirewallRule).where(related=rule):
        store.remove(opened)
    store.remove(rule)


def release(cloud: Cloud, ip: PublicIp, domain: Domain | None = None) -> None:
    """Give an address back, with every rule and the VPN on it.

    ``domain``: of who gives back an address that no network has; its setting decides whether the address is quarantined.
    """
    if ip.state != "Reserved" and not ip.is_portable:
        quarantine.begin(cloud, ip, ip.network.account.domain if ip.network else domain or ip.account.domain)
    for served in (*rules_of(cloud, ip), *cloud.store.table(RemoteAccessVpn).where(ip=ip)):
        remove_rule(cloud, served)
    cloud.store.remove(ip)


def source_nat_of(cloud: Cloud, network: Network) -> PublicIp | None:
    """The address that a network's (or its VPC's) guests appear as outside."""
    return cloud.store.table(PublicIp).first(
        lambda ip: ip.source_nat and (ip.network is network or (ip.vpc is not None and ip.vpc is network.vpc))
    )


@family.finder("IPAddressResponse")
def find_address(cloud: Cloud, id: str) -> PublicIp | None:
    """The address of this id, whoever has it; one that nobody has is made up, and in no table."""
    found = cloud.store.table(PublicIp).get(id)
    if found is not None or not parameters.UUID.fullmatch(id):
        return found
    addresses = (
        (range, address)
        for range in cloud.store.table(IpRange)
        if range.for_virtual_network
        for address in addresses_of(range)
    )
    for number, (range, address) in enumerate(addresses, 1):
        if address_id(range, address) == id:
            nobody = cloud.system_account
            return PublicIp(
                id=id, number=number, account=nobody, address=address, zone=range.zone, range=range, state="Free"
            )
    return None


def named_ip(call: Call, name: str = "ipaddressid") -> PublicIp:
    """The address that a parameter names, whether somebody has it or not."""
    ip = call.params[name]
    if not isinstance(ip, PublicIp):
        raise InvalidParameterValue(f"Unable to find IP address by ID={getattr(ip, 'number', ip)}")
    return ip


@family.view(PublicIp)
def public_ip_view(ip: PublicIp, call: Call) -> dict[str, Any]:
    has_rules = any(rule.ip is ip for kind in RULES_ON_ADDRESS for rule in call.cloud.store.table(kind))
    vm = ip.vm
    shown = address_fields(ip.range, ip.address, ip.state, call) | {
        "id": ip.id,
        "allocated": when(ip.created),
        "issourcenat": ip.source_nat,
        "isstaticnat": ip.static_nat,
        "issystem": ip.is_system,
        **owner_fields(ip.account),
        "associatednetworkid": ip.network.id if ip.network else None,
        "associatednetworkname": ip.network.name if ip.network else None,
        "vpcid": ip.vpc.id if ip.vpc else None,
        "vpcname": ip.vpc.name if ip.vpc else None,
        "fordisplay": ip.display if call.is_root_admin else None,
        "isportable": ip.is_portable,
        "tags": tag_fields(ip),
        "hasrules": has_rules,
        "vmipaddress": ip.vm_ip,
    }
    if isinstance(vm, UserVm):
        shown |= {
            "virtualmachineid": vm.id,
            "virtualmachinename": vm.name,
            "virtualmachinedisplayname": vm.display_name or vm.name,
            "virtualmachinetype": "User",
        }
    elif isinstance(vm, SystemVm):
        shown |= {"virtualmachineid": vm.id, "virtualmachinename": vm.name}
        shown["virtualmachinetype"] = {"consoleproxy": "ConsoleProxy"}.get(vm.type, "SecondaryStorageVm")
    if ip.is_system:
        shown["purpose"] = "StaticNat" if ip.static_nat else "Lb"
    return shown


def address_fields(range: IpRange, address: str, state: str, call: Call) -> dict[str, Any]:
    """What a listed address shows whoever has it, or nobody."""
    network = range.network
    if network is None and range.for_virtual_network:
        network = call.cloud.store.table(SystemNetwork).first(zone=range.zone, traffic_type="Public")
    root = call.is_root_admin
    return {
        "id": address_id(range, address),
        "ipaddress": address,
        "zoneid": range.zone.id,
        "zonename": range.zone.name,
        "issourcenat": False,
        "isstaticnat": False,
        "issystem": False,
        "forvirtualnetwork": range.for_virtual_network,
        "vlanid": range.id if root else None,
        "vlanname": (range.vlan if range.for_virtual_network else range.vlan.removeprefix("vlan://")) if root else None,
        "networkid": network.id if network else None,
        "networkname": network.name if isinstance(network, Network) else None,
        "state": state,
        "physicalnetworkid": range.physical_network.id,
        "fordisplay": True if root else None,
        "isportable": False,
        "forsystemvms": range.for_system_vms,
        "forprovider": False,
        "hasannotations": False,
        "hasrules": False,
        "tags": [],
    }


def owner_of_address(call: Call) -> Account:
    """Whose a new address is (AssociateIPAddrCmd.getEntityOwnerId)."""
    if "account" in call and "domainid" in call:
        return owner_of_new(call)
    project, network, vpc = call.maybe(Project, "projectid"), call.maybe(Network, "networkid"), call.maybe(Vpc, "vpcid")
    if project is not None:
        if project.state != "Active":
            raise PermissionDenied(
                "Can't add resources to the project with specified projectId in state="
                f"{project.state} as it's no longer active"
            )
        return project.account
    if network is not None:
        return network.account
    return call.account if vpc is None else vpc.account


def zone_of_address(call: Call) -> Zone:
    zone, vpc, network = call.maybe(Zone, "zoneid"), call.maybe(Vpc, "vpcid"), call.maybe(Network, "networkid")
    found = zone or (vpc.zone if vpc else None) or (network.zone if network else None)
    if found is None:
        raise InvalidParameterValue(
            "Unable to figure out zone to assign IP to. Please specify either zoneId, or networkId, or vpcId in the call"
        )
    return found


def network_of_address(call: Call, owner: Account, zone: Zone) -> Network | None:
    """The network that a new address is for: the one that is named, or the owner's only isolated one."""
    if "vpcid" in call:
        return None
    named = call.maybe(Network, "networkid")
    if named is not None:
        return named
    networks = call.cloud.store.table(Network)
    if zone.is_basic:
        default = networks.first(zone=zone, traffic_type="Guest")
        if default is None:
            raise InvalidParameterValue(
                f"Unable to find a default guest Network for Account {owner.name} in domain ID={owner.domain.number}"
            )
        return default
    mine = networks.where(lambda row: row.guest_type == "Isolated" and row.vpc is None, account=owner, zone=zone)
    if not mine:
        raise InvalidParameterValue(
            f"Account name={call.get('account', call.account.name)} "
            f"domain={owner.domain.name} doesn't have virtual Networks in zone={zone.name}"
        )
    if len(mine) > 1:
        raise InvalidParameterValue("Account has more than one isolated Network in the zone")
    return mine[0]


family.must_name("associateIpAddress", "networkid", Network, "Unable to find Network by network id specified")
family.must_name("associateIpAddress", "vpcid", Vpc, "Can't find enabled VPC by ID specified")


@family.command("associateIpAddress")
def associate_ip_address(call: Call) -> Generator[Resource, None, Answer]:
    owner, zone = owner_of_address(call), zone_of_address(call)
    network, vpc = network_of_address(call, owner, zone), call.maybe(Vpc, "vpcid")
    cloud = call.cloud
    if network is not None and network.guest_type == "Shared" and not zone.is_basic:
        if not serves_public_ips(network):
            raise InvalidParameterValue(
                "Associate IP address can only be called on the shared networks in the advanced zone"
                " with Firewall/Source Nat/Static Nat/Port Forwarding/Load balancing services enabled"
            )
        check_access(cloud, call.account, network, "UseEntry")
    else:
        check_access(cloud, call.account, owner)
    if zone.allocation_state == "Disabled" and not call.is_root_admin:
        raise PermissionDenied(f"Cannot allocate IP addresses, Zone is currently disabled {describe_zone(zone)}")
    if call.flag("isportable"):
        from cs_matrix_pytest.simulator.families import portable_ips

        ip = portable_ips.acquire(cloud, owner, zone)
    else:
        reserved = cloud.store.table(PublicIp).first(
            account=owner, zone=zone, state="Reserved", address=call.get("ipaddress")
        )
        ip = reserved or acquire(
            cloud,
            owner,
            zone,
            requested=call.get("ipaddress"),
            display=call.flag("fordisplay", True),
            state="Allocating",
        )
    try:
        yield ip
        shown = associate(call, ip, network, vpc)
    except ApiError:
        release(cloud, ip)
        raise
    return shown


def associate(call: Call, ip: PublicIp, network: Network | None, vpc: Vpc | None) -> Answer:
    """Bind a new address to a network or a VPC. Its state is answered as it was before."""
    if vpc is not None:
        from cs_matrix_pytest.simulator.families import vpcs

        check_access(call.cloud, call.account, vpc)
        ip.source_nat = vpcs.needs_source_nat(vpc.offering) and vpcs.source_nat_of(call.cloud, vpc) is None
        ip.vpc = vpc
    elif network is not None:
        check_associable(call, ip, network)
        ip.network = network
        ip.source_nat = (
            network.guest_type == "Isolated" and not ip.is_portable and source_nat_of(call.cloud, network) is None
        )
    shown = {"ipaddress": call.cloud.view(ip, call)}
    ip.state = "Allocated"
    return shown


def check_associable(call: Call, ip: PublicIp, network: Network) -> None:
    """Raise where an address cannot belong to a network (IpAddressManagerImpl.associateIPToGuestNetwork)."""
    if network.vpc is not None:
        raise InvalidParameterValue(
            "Can't assign ip to the network directly when network belongs to VPC.Specify vpcId to associate ip address "
            "to VPC"
        )
    owner, zone = ip.account, network.zone
    if owner is not network.account or network.guest_type == "Shared":
        check_access(call.cloud, owner, network, "UseEntry")
    advanced = not zone.is_basic
    if network.account is not owner and advanced and network.guest_type != "Shared":
        raise InvalidParameterValue("The owner of the network is not the same as owner of the IP")
    if advanced and network.guest_type == "Isolated" and not network.supports("SourceNat"):
        raise InvalidParameterValue(
            "In zone of type Advanced ip address can be associated only to the network of guest type "
            "Isolated with the SourceNat enabled"
        )


def describe_zone(zone: Zone) -> str:
    """A zone as error texts name it."""
    return f'Zone {{"id": "{zone.number}", "name": "{zone.name}", "uuid": "{zone.id}"}}'


def named_address(call: Call) -> PublicIp:
    """The address that ``id`` or ``ipaddress`` names."""
    if "id" in call and "ipaddress" in call:
        raise InvalidParameterValue("id parameter is mutually exclusive with ipaddress parameter")
    if "id" in call:
        return named_ip(call, "id")
    if "ipaddress" not in call:
        raise InvalidParameterValue("Please specify either IP address or IP address ID")
    wanted = call["ipaddress"]
    found = call.cloud.store.table(PublicIp).first(address=wanted)
    for range in call.cloud.store.table(IpRange) if found is None else ():
        if range.for_virtual_network and wanted in addresses_of(range):
            found = find_address(call.cloud, address_id(range, wanted))
    if found is None:
        raise InvalidParameterValue(f"Unable to find IP address by IP address={wanted}")
    return found


family.before("disassociateIpAddress")(named_address)


@family.command("disassociateIpAddress")
def disassociate_ip_address(call: Call) -> Answer:
    ip = named_address(call)
    if ip.state == "Free":
        return Success()
    check_access(call.cloud, call.account, ip)
    if ip.source_nat and ((ip.network is not None and ip.network.state != "Allocated") or ip.vpc is not None):
        raise InternalError("IP address is used for source nat purposes and can not be disassociated.")
    if ip.is_system:
        raise InvalidParameterValue("Can't release system IP address with specified id")
    release(call.cloud, ip, call.account.domain)
    return Success()


def rename(call: Call, resource: Resource) -> None:
    """Give a resource the uuid that ``customid`` asks for (UUIDManagerImpl.checkUuid)."""
    if "customid" in call:
        check_may_customize(call)
        check_custom_id(call.cloud, type(resource), call["customid"])
        call.cloud.store.forget(resource)
        resource.id = call["customid"]
        call.cloud.store.add(resource)


def check_may_customize(call: Call) -> None:
    """Raise PermissionDenied for those who may not choose uuids."""
    if not call.is_root_admin:
        raise PermissionDenied("Please check your permissions, you are not allowed to create/update custom id")


def check_custom_id(cloud: Cloud, kind: type[Resource], id: str) -> None:
    """Raise InvalidParameterValue unless ``id`` is a uuid that no resource of the class has or had."""
    if parameters.UUID.fullmatch(id) is None or id != id.lower():
        raise InvalidParameterValue(f"UUID: {id} doesn't follow the UUID format")
    if cloud.store.table(kind).get(id, removed=True) is not None:
        raise InvalidParameterValue(f"UUID: {id} already exists so can't create/update with custom id")


@family.before("updateIpAddress")
def check_there(call: Call) -> None:
    named_ip(call, "id")


@family.command("updateIpAddress")
def update_ip_address(call: Call) -> Answer:
    ip = call.one(PublicIp)
    check_access(call.cloud, call.account, ip)
    rename(call, ip)
    if "fordisplay" in call:
        ip.display = call.flag("fordisplay")
    return ip


@family.command("reserveIpAddress")
def reserve_ip_address(call: Call) -> Answer:
    ip, cloud = named_ip(call, "id"), call.cloud
    owner = owner_of_address(call)
    check_access(cloud, call.account, owner)
    if not ip.range.for_virtual_network:
        raise ParameterError("Only IP addresses that belong to a virtual network may be reserved.")
    if ip.is_portable:
        raise InvalidParameterValue("Unable to reserve a portable IP.")
    if ip.state == "Reserved":
        if ip.account is owner:
            return ip
        raise InvalidParameterValue("Unable to reserve a IP because it has already been reserved for another Account.")
    if ip.state != "Free":
        raise InvalidParameterValue(f"Unable to reserve a IP in {ip.state} state.")
    if ip.range.domain not in (None, owner.domain):
        raise InvalidParameterValue("Unable to reserve a IP because it is dedicated to another domain.")
    if ip.range.account not in (None, owner):
        raise InvalidParameterValue("Unable to reserve a IP because it is dedicated to another Account.")
    if ip.range.account is None:
        check_limit(cloud, owner)
    ip.account, ip.state, ip.display, ip.number = owner, "Reserved", call.flag("fordisplay", True), 0
    return cloud.store.add(ip)


@family.command("releaseIpAddress")
def release_ip_address(call: Call) -> Answer:
    ip = named_ip(call, "id")
    if ip.state == "Free":
        return Success()
    if ip.is_portable:
        raise InvalidParameterValue("Unable to release a portable IP, please use disassociateIpAddress instead")
    if ip.state == "Allocated":
        raise InvalidParameterValue(
            "Unable to release a public IP in Allocated state, please use disassociateIpAddress instead"
        )
    check_access(call.cloud, call.account, ip)
    release(call.cloud, ip)
    return Success()


# listPublicIpAddresses

STATES = ("Allocating", "Allocated", "Releasing", "Free", "Reserved")


@family.command("listPublicIpAddresses")
def list_public_ip_addresses(call: Call) -> Answer:
    wanted = [state.strip().capitalize() for state in call.get("state", "").split(",") if state.strip()]
    for state in wanted:
        if state not in STATES:
            raise InvalidParameterValue(f"Invalid state: {call['state']}")
    free_wanted = "Free" in wanted or "Reserved" in wanted
    allocated_only = call.flag("allocatedonly", not free_wanted)
    if "allocatedonly" in call and allocated_only and free_wanted:
        raise InvalidParameterValue("Conflict: allocatedonly is true but state is Free")
    if not call.flag("forvirtualnetwork", True):
        shown = [row for row in guest_addresses(call, allocated_only) if not wanted or row["state"] in wanted]
    else:
        shown = [
            call.cloud.view(ip, call)
            for ip in allocated(call, allocated_only or wanted == ["Reserved"])
            if not wanted or ip.state in wanted
        ]
        if not allocated_only and (not wanted or "Free" in wanted):
            shown += free(call)
    given = [{name: value for name, value in row.items() if value is not None} for row in shown]
    return page(call, sorted(given, key=lambda row: ipv4.to_int(row["ipaddress"])))


def allocated(call: Call, scoped: bool) -> Iterable[PublicIp]:
    """The addresses that somebody has and that the request asks for."""
    rows: Iterable[PublicIp] = call.cloud.store.table(PublicIp)
    if scoped or not call.is_root_admin or "domainid" in call:
        scope = scoping(call)
        rows = [ip for ip in rows if scope.admits(ip.account)]
    network, vpc = call.maybe(Network, "associatednetworkid"), call.maybe(Vpc, "vpcid")
    for resource in (network, vpc):
        if resource is not None:
            check_access(call.cloud, call.account, resource)
    tagged = tag_filter(call)
    tests: dict[str, Callable[[PublicIp, Any], bool]] = {
        "id": lambda ip, value: ip is value,
        "associatednetworkid": lambda ip, value: ip.network is value,
        "vpcid": lambda ip, value: ip.vpc is value,
        "issourcenat": lambda ip, value: ip.source_nat is value,
        "isstaticnat": lambda ip, value: ip.static_nat is value,
        "forloadbalancing": lambda ip, value: not value or is_balanced(call.cloud, ip),
    }
    return [
        ip
        for ip in rows
        if all(test(ip, call[name]) for name, test in tests.items() if name in call)
        and ip.display is call.flag("fordisplay", True)
        and in_range(call, ip.range, ip.address)
        and tagged(ip)
    ]


def is_balanced(cloud: Cloud, ip: PublicIp) -> bool:
    return cloud.store.table(LoadBalancerRule).first(ip=ip) is not None


def in_range(call: Call, range: IpRange, address: str) -> bool:
    """True where an address passes the filters that free addresses have as well."""
    tests: dict[str, Callable[[Any], bool]] = {
        "zoneid": lambda value: range.zone is value,
        "vlanid": lambda value: range is value,
        "physicalnetworkid": lambda value: range.physical_network is value,
        "networkid": lambda value: range.network is value or is_public_network(value, range),
        "ipaddress": lambda value: address == value,
        "forsystemvms": lambda value: range.for_system_vms is value,
        "forprovider": lambda value: not value,
        "keyword": lambda value: "ipaddress" in call or value in address,
    }
    return all(test(call[name]) for name, test in tests.items() if name in call)


def is_public_network(network: Resource, range: IpRange) -> bool:
    return isinstance(network, SystemNetwork) and network.zone is range.zone and range.for_virtual_network


def free(call: Call) -> Iterator[dict[str, Any]]:
    """The addresses that nobody has and that the request's owner could get."""
    for name in ("issourcenat", "isstaticnat", "forloadbalancing"):
        if call.flag(name):
            return
    if call.map("tags"):
        return
    network = call.maybe(Network, "associatednetworkid")
    owner = network.account if network else owner_of_new(call)
    cloud, zone = call.cloud, call.maybe(Zone, "zoneid") or (network.zone if network else None)
    for each in [zone] if zone else cloud.store.table(Zone):
        used = taken(cloud, each)
        for range in ranges_for(cloud, each, owner):
            for address in addresses_of(range):
                if address not in used and in_range(call, range, address):
                    row = address_fields(range, address, "Free", call)
                    if "id" not in call or row["id"] == call["id"].id:
                        yield row


def guest_addresses(call: Call, allocated_only: bool) -> Iterator[dict[str, Any]]:
    """The addresses of shared networks' ranges."""
    network = call.maybe(Network, "networkid")
    scoped = allocated_only
    if network is None:
        scoped = scoped or not call.is_root_admin
    elif not may_see_addresses(call, network):
        return
    elif not owns_addresses(call, network):
        scoped = True
    # Who sees no more than the own addresses of a network may be let see what is free in it.
    free_too = not allocated_only and (
        not scoped
        or (
            network is not None
            and (call.is_root_admin or call.cloud.configuration.flag("allow.user.list.available.ips.on.shared.network"))
        )
    )
    owners: dict[tuple[str, str | None], UserVm] = {
        (nic.network.id, address): vm
        for vm in call.cloud.store.table(UserVm)
        for nic in vm.nics
        for address in (nic.ip_address, *nic.secondary_ips.values())
    }
    nics = {(nic.network.id, nic.ip_address): nic for nic in call.cloud.store.table(Nic)}
    scope = scoping(call) if scoped else None
    for range in call.cloud.store.table(IpRange):
        if range.for_virtual_network or not isinstance(range.network, Network):
            continue
        for address in addresses_of(range):
            key = (range.network.id, address)
            vm, nic = owners.get(key), nics.get(key)
            if not in_range(call, range, address):
                continue
            if vm is None and nic is None:
                if free_too:
                    yield address_fields(range, address, "Free", call)
                continue
            owner = vm.account if vm is not None else range.network.account
            if scope is not None and not scope.admits(owner):
                continue
            row = address_fields(range, address, "Allocated", call)
            if vm is not None:
                row |= {
                    **owner_fields(vm.account),
                    "allocated": when(vm.created),
                    "virtualmachineid": vm.id,
                    "virtualmachinename": vm.name,
                    "virtualmachinedisplayname": vm.display_name or vm.name,
                }
            yield row


def owns_addresses(call: Call, network: Network) -> bool:
    """True for who sees all of a shared network's addresses: the admins above it, and the account that it is for."""
    caller = call.account
    if caller.is_root_admin:
        return True
    if network.acl_type == "Account":
        return may_use(call, network.account)
    above = network.shared_domain is not None and caller.domain.contains(network.shared_domain)
    return above and caller.type in DOMAIN_ADMINS


def may_see_addresses(call: Call, network: Network) -> bool:
    """False for whom a shared network is not there. Raises PermissionDenied for one of another account."""
    if owns_addresses(call, network):
        return True
    if network.acl_type == "Account":
        check_access(call.cloud, call.account, network, "UseEntry")
        return True
    domain = network.shared_domain
    return (
        domain is None
        or domain is call.account.domain
        or (network.subdomain_access and domain.contains(call.account.domain))
    )


def may_use(call: Call, account: Account) -> bool:
    try:
        check_access(call.cloud, call.account, account)
    except PermissionDenied:
        return False
    return True
