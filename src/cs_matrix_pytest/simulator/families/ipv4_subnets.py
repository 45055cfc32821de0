"""IPv4 subnets of zones, and their parts for routed networks and VPCs (RoutedIpv4ManagerImpl)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator import ipv4
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InvalidParameterValue, ParameterError
from cs_matrix_pytest.simulator.families.addresses import bounds
from cs_matrix_pytest.simulator.families.zone_dedication import asked_account, asked_owner, dedication_fields
from cs_matrix_pytest.simulator.models.iam import Account, Domain
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.models.networks import Network, Vpc
from cs_matrix_pytest.simulator.models.routing import GuestSubnet, ZoneSubnet
from cs_matrix_pytest.simulator.registry import Answer, Family, Listing, Success
from cs_matrix_pytest.simulator.views import when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("IPv4 subnets")


def canonical(cidr: str) -> str:
    """A network with its own address: ``10.1.0.0/16`` for ``10.1.2.3/16``."""
    return f"{ipv4.to_text(bounds(cidr)[0])}/{cidr.partition('/')[2]}"


def within(one: str, other: str) -> bool:
    """True where all of one network lies in another."""
    (first, last), (other_first, other_last) = bounds(one), bounds(other)
    return other_first <= first and last <= other_last


@family.view(ZoneSubnet)
def zone_subnet_view(subnet: ZoneSubnet, _call: Call) -> dict[str, Any]:
    return {
        "id": subnet.id,
        "subnet": subnet.cidr,
        **dedication_fields(subnet),
        "created": when(subnet.created),
    }


@family.view(GuestSubnet)
def guest_subnet_view(subnet: GuestSubnet, _call: Call) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": subnet.id,
        "subnet": subnet.cidr,
        "state": "Allocated" if subnet.user else "Free",
        "allocated": when(subnet.allocated),
        "created": when(subnet.created),
    }
    if isinstance(subnet.user, Network):
        shown |= {"networkid": subnet.user.id, "networkname": subnet.user.name}
    if isinstance(subnet.user, Vpc):
        shown |= {"vpcid": subnet.user.id, "vpcname": subnet.user.name}
    if subnet.parent is not None:
        shown |= {"parentid": subnet.parent.id, "parentsubnet": subnet.parent.cidr}
    if subnet.parent is not None or subnet.user is not None:
        shown |= {"zoneid": subnet.zone.id, "zonename": subnet.zone.name}
    return shown


# Of zones


def _check_apart(cloud: Cloud, zone: Zone, cidr: str, mine: ZoneSubnet | None = None) -> None:
    for row in cloud.store.table(ZoneSubnet).where(zone=zone):
        if row is not mine and ipv4.cidrs_overlap(row.cidr, cidr):
            raise InvalidParameterValue(f"Existing zone subnet {row.cidr} has overlap with: {cidr}")


@family.command("createIpv4SubnetForZone")
def create_zone_subnet(call: Call) -> Answer:
    zone, cidr = call.one(Zone, "zoneid"), call["subnet"]
    if not ipv4.is_cidr(cidr):
        raise InvalidParameterValue(f"Invalid IPv4 subnet: {cidr}")
    if not call.cloud.configuration.flag("routed.network.vpc.enabled", zone):
        raise InvalidParameterValue("Routed networks and VPCs are not enabled for the zone.")
    _check_apart(call.cloud, zone, cidr)
    domain, account = asked_owner(call)
    return call.cloud.store.add(ZoneSubnet(zone=zone, cidr=canonical(cidr), domain=domain, account=account))


@family.command("updateIpv4SubnetForZone")
def update_zone_subnet(call: Call) -> Answer:
    subnet, cidr = call.one(ZoneSubnet), call["subnet"]
    try:
        if not ipv4.is_cidr(cidr):
            raise InvalidParameterValue(f"Invalid IPv4 cidr: {cidr}")
        _check_apart(call.cloud, subnet.zone, cidr, subnet)
    except InvalidParameterValue as error:
        raise ParameterError(error.text) from None
    for part in parts_of(call.cloud, subnet):
        if not within(part.cidr, cidr):
            raise ParameterError(f"Used subnet for guest network {part.cidr} is not within new cidr: {cidr}")
    subnet.cidr = canonical(cidr)
    return subnet


@family.command("deleteIpv4SubnetForZone")
def delete_zone_subnet(call: Call) -> Answer:
    subnet = call.one(ZoneSubnet)
    used = sum(part.user is not None for part in parts_of(call.cloud, subnet))
    if used:
        raise ParameterError(f"The subnet is being used by {used} guest networks.")
    remove_with_parts(call.cloud, subnet)
    return Success()


def remove_with_parts(cloud: Cloud, subnet: ZoneSubnet) -> None:
    for part in parts_of(cloud, subnet):
        cloud.store.remove(part)
    cloud.store.remove(subnet)


@family.command("dedicateIpv4SubnetForZone")
def dedicate_zone_subnet(call: Call) -> Answer:
    subnet = call.one(ZoneSubnet)
    domain, account = asked_owner(call)
    users = [part.user for part in parts_of(call.cloud, subnet) if part.user is not None]
    foreign = sum(user.account.domain is not domain for user in users) if domain else 0
    if foreign:
        raise ParameterError(f"The subnet is being used by {foreign} guest networks of other domains.")
    foreign = sum(user.account is not account for user in users) if account else 0
    if foreign:
        raise ParameterError(f"The subnet is being used by {foreign} guest networks of other accounts.")
    subnet.domain, subnet.account = domain, account
    return subnet


@family.command("releaseIpv4SubnetForZone")
def release_zone_subnet(call: Call) -> Answer:
    subnet = call.one(ZoneSubnet)
    subnet.domain = subnet.account = None
    return subnet


@family.command("listIpv4SubnetsForZone")
def list_zone_subnets(call: Call) -> Answer:
    account, domain, zone = asked_account(call), call.maybe(Domain, "domainid"), call.maybe(Zone, "zoneid")
    rows = [
        subnet
        for subnet in call.cloud.store.table(ZoneSubnet)
        if ("id" not in call or call["id"] is subnet)
        and zone in (None, subnet.zone)
        and subnet.cidr == call.get("subnet", subnet.cidr)
        and domain in (None, subnet.domain)
        and account in (None, subnet.account)
    ]
    return Listing(rows, len(rows))


# Of networks and VPCs


def parts_of(cloud: Cloud, parent: ZoneSubnet | None) -> list[GuestSubnet]:
    return cloud.store.table(GuestSubnet).where(parent=parent)


def _check_parts(cloud: Cloud, parent: ZoneSubnet | None, cidr: str) -> None:
    for part in parts_of(cloud, parent):
        if ipv4.cidrs_overlap(part.cidr, cidr):
            raise InvalidParameterValue(f"Existing subnet {part.cidr} has overlap with: {cidr}")


@family.command("createIpv4SubnetForGuestNetwork")
def create_guest_subnet(call: Call) -> Answer:
    cidr, size = call.get("subnet"), call.get("cidrsize")
    if cidr is None and size is None:
        raise InvalidParameterValue("One of subnet and cidrsize must be specified")
    if cidr is not None and size is not None:
        raise InvalidParameterValue("subnet and cidrsize are mutually exclusive")
    parent = call.get("parentid")
    if not isinstance(parent, ZoneSubnet) or parent not in call.cloud.store:
        raise InvalidParameterValue("the parent subnet is invalid")
    if cidr is None:
        return part_of_size(call.cloud, parent, size)
    if not ipv4.is_cidr(cidr) or not within(cidr, parent.cidr):
        raise InvalidParameterValue(f"networkCidr {cidr} is not within parent cidr: {parent.cidr}")
    _check_parts(call.cloud, parent, cidr)
    return _keep(call.cloud, parent, cidr)


def _keep(cloud: Cloud, parent: ZoneSubnet, cidr: str) -> GuestSubnet:
    return cloud.store.add(GuestSubnet(zone=parent.zone, parent=parent, cidr=canonical(cidr)))


def blocks(first: int, last: int) -> list[tuple[int, int]]:
    """A range of addresses as aligned networks, in order: first address and prefix length of each."""
    found = []
    while first <= last:
        length = 32
        while length > 0:
            size = 1 << (33 - length)
            if first % size or first + size - 1 > last:
                break
            length -= 1
        found.append((first, length))
        first += 1 << (32 - length)
    return found


def part_of_size(cloud: Cloud, parent: ZoneSubnet, size: int) -> GuestSubnet:
    """Keep the free network of this prefix length that wastes least. Raises InvalidParameterValue where none is free."""
    start, end = bounds(parent.cidr)
    free: list[tuple[int, int]] = []
    for first, last in sorted(bounds(part.cidr) for part in parts_of(cloud, parent)):
        free += blocks(start, first - 1)
        start = last + 1
    free += blocks(start, end)
    for length in range(size, 0, -1):
        for first, block in free:
            cidr = f"{ipv4.to_text(first)}/{size}"
            if block == length and cloud.store.table(GuestSubnet).first(cidr=cidr) is None:
                return _keep(cloud, parent, cidr)
    raise InvalidParameterValue("Failed to automatically allocate a subnet with specified cidrsize")


@family.command("deleteIpv4SubnetForGuestNetwork")
def delete_guest_subnet(call: Call) -> Answer:
    subnet = call.get("id")
    if not isinstance(subnet, GuestSubnet) or subnet not in call.cloud.store:
        return Success()
    if subnet.user is not None:
        raise ParameterError("Cannot delete the subnet which is in use")
    call.cloud.store.remove(subnet)
    return Success()


@family.command("listIpv4SubnetsForGuestNetwork")
def list_guest_subnets(call: Call) -> Answer:
    zone, parent = call.maybe(Zone, "zoneid"), call.maybe(ZoneSubnet, "parentid")
    users = [user for user in (call.maybe(Network, "networkid"), call.maybe(Vpc, "vpcid")) if user is not None]
    rows = [
        subnet
        for subnet in call.cloud.store.table(GuestSubnet)
        if ("id" not in call or call["id"] is subnet)
        and (zone is None or (subnet.parent is not None and subnet.parent.zone is zone))
        and parent in (None, subnet.parent)
        and subnet.cidr == call.get("subnet", subnet.cidr)
        and all(subnet.user is user for user in users)
        and call.get("keyword", "") in subnet.cidr
    ]
    return Listing(rows, len(rows))


def take(cloud: Cloud, owner: Account, zone: Zone, size: int) -> str | None:
    """A free network of this prefix length for an account's new network or VPC, made if need be; None where the zone
    has none. Raises InvalidParameterValue where none may be made."""
    table = cloud.store.table(ZoneSubnet)
    parents = [
        *table.where(zone=zone, account=owner),
        *table.where(zone=zone, domain=owner.domain, account=None),
        *table.where(zone=zone, domain=None, account=None),
    ]
    for parent in parents:
        for part in parts_of(cloud, parent):
            if part.user is None and part.cidr.endswith(f"/{size}"):
                return part.cidr
    if not cloud.configuration.flag("routed.ipv4.network.cidr.auto.allocation.enabled", owner, default=True):
        raise InvalidParameterValue("CIDR auto-allocation is disabled for this account")
    for parent in parents:
        try:
            return part_of_size(cloud, parent, size).cidr
        except InvalidParameterValue:
            continue
    return None


def reserve(cloud: Cloud, owner: Account, zone: Zone, cidr: str) -> None:
    """Keep the network that an administrator chose for an account's new network or VPC."""
    kept = cloud.store.table(GuestSubnet).first(cidr=cidr)
    if kept is not None:
        if kept.user is not None:
            raise InvalidParameterValue("The subnet is in use")
        _check_access(kept.parent, owner)
        return
    parent = _parent_of(cloud, zone, cidr)
    _check_access(parent, owner)
    cloud.store.add(GuestSubnet(zone=zone, parent=parent, cidr=canonical(cidr)))


def _parent_of(cloud: Cloud, zone: Zone, cidr: str) -> ZoneSubnet | None:
    for row in cloud.store.table(ZoneSubnet).where(zone=zone):
        if within(cidr, row.cidr):
            _check_parts(cloud, row, cidr)
            return row
        if ipv4.cidrs_overlap(row.cidr, cidr):
            raise InvalidParameterValue(f"Existing zone subnet {row.cidr} has overlap with: {cidr}")
    _check_parts(cloud, None, cidr)
    return None


def _check_access(parent: ZoneSubnet | None, owner: Account) -> None:
    if parent is not None and (parent.domain not in (None, owner.domain) or parent.account not in (None, owner)):
        raise InvalidParameterValue("The owner of the network has no permission to access the subnet")


def assign(cloud: Cloud, user: Network | Vpc) -> None:
    """Say that a network or VPC now has the subnet of its CIDR."""
    subnet = cloud.store.table(GuestSubnet).first(cidr=user.cidr)
    if subnet is not None:
        subnet.user, subnet.allocated = user, cloud.clock.datetime()


def release(cloud: Cloud, user: Network | Vpc) -> None:
    """Give back the subnet of a removed network or VPC."""
    for subnet in cloud.store.table(GuestSubnet).where(user=user):
        cloud.store.remove(subnet)


@family.on_account_removal
def remove_subnets_of_account(cloud: Cloud, account: Account) -> None:
    for subnet in cloud.store.table(ZoneSubnet).where(account=account):
        remove_with_parts(cloud, subnet)


@family.on_domain_removal
def remove_subnets_of_domain(cloud: Cloud, domain: Domain) -> None:
    for subnet in cloud.store.table(ZoneSubnet).where(domain=domain):
        remove_with_parts(cloud, subnet)
