"""Physical networks, their guest VLANs and traffic types (NetworkServiceImpl)."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator import vlans
from cs_matrix_pytest.simulator.access import active_account, range_owner
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, InvalidParameterValue, PermissionDenied
from cs_matrix_pytest.simulator.families.network_providers import NO_NETWORK, add_default_providers, remove_provider
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.iam import Account, Domain, Project
from cs_matrix_pytest.simulator.models.infra import (
    GuestVlanRange,
    IpRange,
    PhysicalNetwork,
    ServiceProvider,
    StorageNetworkRange,
    TrafficType,
    Zone,
)
from cs_matrix_pytest.simulator.models.networks import Network, PublicIp
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.texts import described
from cs_matrix_pytest.simulator.views import owner_fields

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("physical_networks")

TRAFFIC_TYPES = ("None", "Public", "Guest", "Storage", "Management", "Control", "Vpn")
ONE_PER_ZONE = ("Public", "Storage", "Management", "Control")
LABELS = (
    "xennetworklabel",
    "kvmnetworklabel",
    "vmwarenetworklabel",
    "hypervnetworklabel",
    "ovm3networklabel",
)
LARGEST_ID = {"GRE": 2**32 - 1, "VXLAN": 2**24 - 2}
"""The greatest virtual network id by isolation method; 4095 for VLAN."""


@family.view(PhysicalNetwork)
def physical_network_view(network: PhysicalNetwork, _call: Call) -> dict[str, Any]:
    domain = network.owner_domain
    return {
        "id": network.id,
        "name": network.name,
        "broadcastdomainrange": network.broadcast_domain_range,
        "zoneid": network.zone.id,
        "zonename": network.zone.name,
        "state": network.state,
        "vlan": network.vlan or None,
        "networkspeed": network.speed,
        "tags": ",".join(network.network_tags) or None,
        "isolationmethods": ",".join(network.isolation_methods),
        "domainid": domain.id if domain else None,
    }


@family.command("createPhysicalNetwork")
def create_physical_network(call: Call) -> Generator[Resource, None, Answer]:
    zone, store = call.one(Zone, "zoneid", missing="Please specify a valid zone."), call.cloud.store
    if zone.allocation_state == "Enabled":
        raise PermissionDenied(
            f"Cannot create PhysicalNetwork since the Zone is currently enabled, zone: {described(zone)}"
        )
    if zone.is_basic and store.table(PhysicalNetwork).first(zone=zone):
        raise InternalError(
            f"Cannot add the physical network to basic zone: {described(zone)}, "
            "there is a physical network already existing in this basic Zone"
        )
    for parameter, called in (("tags", "tag"), ("isolationmethods", "isolationMethod")):
        if len(call.get(parameter, [])) > 1:
            raise InvalidParameterValue(f"Only one {called} can be specified for a physical network at this time")
    if "vlan" in call and zone.is_basic:
        raise InvalidParameterValue("Can't add vnet range to the physical network in the Basic zone")
    network = store.add(
        PhysicalNetwork(
            name=call["name"],
            zone=zone,
            isolation_methods=call.get("isolationmethods", []),
            broadcast_domain_range=_broadcast_range(call, zone),
            network_tags=call.get("tags", []),
            speed=call.get("networkspeed"),
        )
    )
    try:
        if "vlan" in call:
            try:
                set_vlans(call.cloud, network, call["vlan"])
            except ApiError:
                raise InternalError("Fail to create a physical network") from None
        add_default_providers(call.cloud, network)
        yield network
    except ApiError:
        remove_physical_network(call.cloud, network)
        raise
    return network


def _broadcast_range(call: Call, zone: Zone) -> str:
    wanted, given = ("POD" if zone.is_basic else "ZONE"), call.get("broadcastdomainrange")
    if not given:
        return wanted
    if given.upper() not in ("POD", "ZONE"):
        raise InvalidParameterValue(
            f"Unable to resolve broadcastDomainRange '{given}' to a supported value {{Pod or Zone}}"
        )
    if given.upper() != wanted:
        kind = "Basic" if zone.is_basic else "Advance"
        raise InvalidParameterValue(f"{kind} zone can have broadcast domain type of value {wanted} only")
    return wanted


def set_vlans(cloud: Cloud, network: PhysicalNetwork, text: str) -> None:
    """Replace the guest VLANs of a physical network; raises InvalidParameterValue for ids that cannot be."""
    method = network.isolation_methods[0].upper() if network.isolation_methods else "VLAN"
    least, most = 0, LARGEST_ID.get(method, 4095)
    between = f" between {least} and {most}"
    wanted = []
    for part in text.split(",") if text else []:
        first, dash, last = part.strip().partition("-")
        if not dash:
            raise InvalidParameterValue(
                "Please provide valid vnet range. vnet range should be a comma separated list of vlan ranges. "
                f"example 500-500,600-601{between}"
            )
        if not (first.strip().isdecimal() and last.strip().isdecimal()):
            raise InvalidParameterValue(
                "Please provide valid vnet range. The vnet range should be a comma separated list example "
                f"2001-2012,3000-3005.{between}"
            )
        if int(first) < least or int(last) > most:
            raise InvalidParameterValue(f"Vnet range has to be{between}")
        if int(first) > int(last):
            raise InvalidParameterValue(
                f"Vnet range has to be{between} and start range should be lesser than or equal to stop range"
            )
        wanted.append((int(first), int(last)))
    _check_vlans_can_go(cloud, network, wanted)
    network.vlan = vlans.format_ranges(wanted)


def _check_vlans_can_go(cloud: Cloud, network: PhysicalNetwork, wanted: list[tuple[int, int]]) -> None:
    """Raise InvalidParameterValue where a VLAN that is to go is in use or dedicated (getVnetsToremove)."""
    before = vlans.parse_ranges(network.vlan)
    used = [number for number in map(int, used_vlans(cloud, network)) if vlans.contains(before, number)]
    if not wanted:
        if used:
            raise InvalidParameterValue(f"physicalnetwork {described(network)} has {len(used)} vnets in use")
        return
    going = [(number, number) for number in vlans.ids(before) if not vlans.contains(wanted, number)]
    for start, end in vlans.parse_ranges(vlans.format_ranges(going)):
        if any(start <= number <= end for number in used):
            raise InvalidParameterValue(
                f"physicalnetwork {described(network)} has allocated vnets in the range {start}-{end}"
            )
        for row in cloud.store.table(GuestVlanRange).where(physical_network=network):
            if row.start <= start <= row.end or row.start <= end <= row.end:
                raise InvalidParameterValue(
                    f"Vnet range {row.start}-{row.end} is dedicated to an account. The specified range {start}-{end} "
                    "overlaps with the dedicated range  Please release the overlapping dedicated range before deleting "
                    "the range"
                )


def used_vlans(cloud: Cloud, network: PhysicalNetwork) -> dict[str, Network]:
    """The guest VLANs of a physical network that networks have, with the network."""
    return {
        row.vlan: row
        for row in cloud.store.table(Network)
        if row.physical_network is network and row.vlan and row.vlan.isdecimal()
    }


@family.command("updatePhysicalNetwork")
def update_physical_network(call: Call) -> Answer:
    network, state = call.one(PhysicalNetwork, missing=NO_NETWORK), call.get("state")
    if "vlan" in call and network.zone.is_basic:
        raise InvalidParameterValue("Can't add vnet range to the physical network in the Basic zone")
    if len(call.get("tags", [])) > 1:
        raise InvalidParameterValue("Unable to support more than one tag on network yet")
    if state and state not in ("Enabled", "Disabled"):
        raise InvalidParameterValue(f"Unable to resolve state '{state}' to a supported value {{Enabled or Disabled}}")
    if "vlan" in call:
        set_vlans(call.cloud, network, call["vlan"])
    network.state = state or network.state
    network.network_tags = call.get("tags", network.network_tags)
    network.speed = call.get("networkspeed", network.speed)
    return network


@family.command("deletePhysicalNetwork")
def delete_physical_network(call: Call) -> Answer:
    network, store = call.one(PhysicalNetwork, missing=NO_NETWORK), call.cloud.store
    for blocked, why in (
        (used_vlans(call.cloud, network), "there are allocated vnets for this physical network"),
        (
            store.table(Network).first(physical_network=network),
            "there are networks associated to this physical network",
        ),
        (
            store.table(PublicIp).first(lambda ip: ip.range.physical_network is network),
            "there are public IP addresses allocated for this physical network",
        ),
    ):
        if blocked:
            raise InternalError(f"The Physical Network is not deletable because {why}")
    remove_physical_network(call.cloud, network)
    return Success()


def remove_physical_network(cloud: Cloud, network: PhysicalNetwork) -> None:
    """Remove a physical network with its providers, traffic types and ranges."""
    store = cloud.store
    for provider in store.table(ServiceProvider).where(physical_network=network):
        remove_provider(cloud, provider)
    for kind in (TrafficType, IpRange, GuestVlanRange):
        for row in store.table(kind).where(physical_network=network):
            if kind is IpRange:
                store.remove(row)
            else:
                store.forget(row)
    store.remove(network)


family.listing(
    "listPhysicalNetworks",
    PhysicalNetwork,
    filters={"name": lambda network, value, _call: value.lower() in network.name.lower()},
)


NO_TRAFFIC_TYPE = "Traffic Type with id={}doesn't exist in the system"


@family.view(TrafficType)
def traffic_type_view(row: TrafficType, _call: Call) -> dict[str, Any]:
    return {
        "id": row.id,
        "traffictype": row.traffic_type,
        "physicalnetworkid": row.physical_network.id,
        "isolationmethods": ",".join(row.physical_network.isolation_methods),
        "vlan": row.vlan,
        **row.labels,
    }


def physical_network_for(cloud: Cloud, zone: Zone, traffic_type: str) -> PhysicalNetwork:
    """The physical network of a zone that carries a traffic type, the first that has no tags.

    Raises InvalidParameterValue where there is none.
    """
    found = [
        row.physical_network
        for row in cloud.store.table(TrafficType)
        if row.traffic_type == traffic_type and row.physical_network.zone is zone
    ]
    if not found:
        raise InvalidParameterValue(
            f"Unable to find the default physical network with traffic=[{traffic_type}] in zone id={zone.number}. "
        )
    return next((network for network in found if not network.network_tags), found[0])


@family.command("addTrafficType")
def add_traffic_type(call: Call) -> Generator[Resource, None, Answer]:
    lost = "Physical Network id={}doesn't exist in the system"
    network, kind = call.one(PhysicalNetwork, "physicalnetworkid", missing=lost), call["traffictype"]
    store = call.cloud.store
    if kind not in TRAFFIC_TYPES:
        raise InvalidParameterValue(f"Unable to resolve trafficType '{kind}' to a supported value")
    same = [row for row in store.table(TrafficType) if row.traffic_type == kind]
    if any(row.physical_network is network for row in same):
        raise InternalError(f"This physical network already supports the traffic type: {kind}")
    in_zone = [row for row in same if row.physical_network.zone is network.zone]
    if in_zone and kind in ONE_PER_ZONE:
        raise InternalError(
            "Fail to add the traffic type to physical network because Zone already has a physical network with this "
            f"traffic type: {kind}"
        )
    if not network.network_tags and any(not row.physical_network.network_tags for row in in_zone):
        raise InternalError(
            f"There are more than 1 physical network without tags in the zone: {described(network.zone)}"
        )
    row = store.add(
        TrafficType(
            traffic_type=kind,
            physical_network=network,
            labels={label: call[label] for label in LABELS if label in call},
            vlan=call.get("vlan"),
            isolation_method=call.get("isolationmethod"),
        )
    )
    try:
        yield row
    except ApiError:
        store.forget(row)
        raise
    return row


@family.command("updateTrafficType")
def update_traffic_type(call: Call) -> Answer:
    row = call.one(TrafficType, missing=NO_TRAFFIC_TYPE)
    given = {label: call[label] for label in LABELS if label in call}
    row.labels = {label: text for label, text in {**row.labels, **given}.items() if text}
    return row


@family.command("deleteTrafficType")
def delete_traffic_type(call: Call) -> Answer:
    row, store = call.one(TrafficType, missing=NO_TRAFFIC_TYPE), call.cloud.store
    if row.traffic_type == "Guest" and store.table(Network).first(physical_network=row.physical_network):
        raise InternalError(
            f"The Traffic Type is not deletable because there are existing networks with this traffic type:{row.traffic_type}"
        )
    if row.traffic_type == "Storage" and store.table(StorageNetworkRange).first(
        lambda each: each.zone is row.physical_network.zone
    ):
        raise InternalError(
            "The Traffic Type is not deletable because there are still some storage network IP addresses in use:"
            f"{row.traffic_type}"
        )
    store.forget(row)
    return Success()


def _of_network(call: Call) -> list[TrafficType]:
    lost = "Physical Network with specified id doesn't exist in the system"
    network = call.one(PhysicalNetwork, "physicalnetworkid", missing=lost)
    return call.cloud.store.table(TrafficType).where(physical_network=network)


family.listing("listTrafficTypes", TrafficType, rows=_of_network, keyword=())


@family.command("listGuestVlans")
def list_guest_vlans(call: Call) -> Answer:
    zone, wanted = call.maybe(Zone, "zoneid"), call.maybe(PhysicalNetwork, "physicalnetworkid")
    rows: list[dict[str, Any]] = []
    number = 0
    for network in call.cloud.store.table(PhysicalNetwork):
        dedicated = call.cloud.store.table(GuestVlanRange).where(physical_network=network)
        used = used_vlans(call.cloud, network)
        for vlan in vlans.ids(vlans.parse_ranges(network.vlan)):
            number += 1
            holder = used.get(str(vlan))
            if (
                (zone not in (None, network.zone))
                or (wanted not in (None, network))
                or call.get("vnet", str(vlan)) != str(vlan)
                or call.get("id", number) != number
                or (call.flag("allocatedonly") and holder is None)
                or (call.get("keyword") or "") not in str(vlan)
            ):
                continue
            owner = next((row for row in dedicated if row.start <= vlan <= row.end), None)
            rows.append(
                {
                    "id": number,
                    "vlan": str(vlan),
                    "zoneid": network.zone.id,
                    "zonename": network.zone.name,
                    "physicalnetworkid": network.id,
                    "physicalnetworkname": network.name,
                    "isdedicated": owner is not None,
                    "allocationstate": "Allocated" if holder else "Free",
                    **(owner_fields(holder.account) if holder else {}),
                    "network": [{"id": holder.id, "name": holder.name}] if holder else [],
                }
            )
    return page(call, rows)


@family.view(GuestVlanRange)
def guest_vlan_range_view(row: GuestVlanRange, _call: Call) -> dict[str, Any]:
    # The real server shows internal numbers of network and zone here.
    return {
        "id": row.id,
        **owner_fields(row.account),
        "guestvlanrange": f"{row.start}-{row.end}",
        "physicalnetworkid": row.physical_network.number,
        "zoneid": row.zone.number,
    }


def _dedicated_owner(call: Call) -> Account:
    name, domain = call.get("account"), call.maybe(Domain, "domainid")
    if "projectid" in call and name is not None:
        raise InvalidParameterValue("accountName and projectId are mutually exclusive")
    project = call.maybe(Project, "projectid", missing="Unable to find project by id {}")
    owner = project.account if project else None
    if name is not None and domain is not None:
        owner = active_account(call.cloud, name, domain)
    if owner is None:
        raise InvalidParameterValue(f"Unable to find account by name {name or 'null'}")
    return owner


@family.command("dedicateGuestVlanRange")
def dedicate_guest_vlan_range(call: Call) -> Answer:
    text, store = call["vlanrange"], call.cloud.store
    owner = _dedicated_owner(call)
    network = call.one(PhysicalNetwork, "physicalnetworkid", missing="Unable to find physical network by id {}")
    if network.isolation_methods and not {"VLAN", "VXLAN"} & {each.upper() for each in network.isolation_methods}:
        raise InvalidParameterValue(
            f"Cannot dedicate guest VLAN range. Physical isolation type of Network {described(network)} is not VLAN nor "
            "VXLAN"
        )
    first, dash, last = text.partition("-")
    if not dash:
        raise InvalidParameterValue(
            f"Invalid format for parameter value vlan {text} .VLAN should be specified as 'startvlan-endvlan'"
        )
    if not (first.isdecimal() and last.isdecimal()):
        raise InvalidParameterValue("Please provide valid guest vlan range")
    start, end = int(first), int(last)
    if not any(low <= start <= end <= high for low, high in vlans.parse_ranges(network.vlan)):
        raise InvalidParameterValue(f"Unable to find guest vlan by range {text}")
    for vlan, holder in sorted(used_vlans(call.cloud, network).items(), key=lambda item: int(item[0])):
        if start <= int(vlan) <= end and holder.account is not owner:
            raise InvalidParameterValue(
                f"Guest VLAN from this range {vlan} is allocated to a different Account. Can only dedicate a range which "
                "has no allocated VLANs or has VLANs allocated to the same Account "
            )
    taken = store.table(GuestVlanRange).where(physical_network=network)
    if any(row.start <= end and start <= row.end for row in taken):
        raise InvalidParameterValue(f"Vlan range is already dedicated. Cannot dedicate guest vlan range {text}")
    for row in taken:
        if row.account is owner and (row.end + 1 == start or end + 1 == row.start):
            row.start, row.end = min(row.start, start), max(row.end, end)
            return row
    return store.add(GuestVlanRange(account=owner, physical_network=network, start=start, end=end))


@family.command("releaseDedicatedGuestVlanRange")
def release_guest_vlan_range(call: Call) -> Answer:
    lost = "Dedicated guest vlan with specified id doesn't exist in the system"
    call.cloud.store.forget(call.one(GuestVlanRange, missing=lost))
    return Success()


def _dedicated(call: Call) -> list[GuestVlanRange]:
    owner = range_owner(call, call.maybe(Domain, "domainid"), "Unable to find account {}")
    return call.cloud.store.table(GuestVlanRange).where(lambda row: owner is None or row.account is owner)


family.listing(
    "listDedicatedGuestVlanRanges",
    GuestVlanRange,
    rows=_dedicated,
    keyword=(),
    filters={
        "guestvlanrange": lambda row, value, _call: f"{row.start}-{row.end}" == value,
        "zoneid": lambda row, zone, _call: row.physical_network.zone is zone,
    },
)
