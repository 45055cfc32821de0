"""Portable IP ranges of the region, and taking an address of one (ConfigurationManagerImpl, IpAddressManagerImpl)."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator import ipv4
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InsufficientCapacity, InvalidParameterValue
from cs_matrix_pytest.simulator.families.public_ips import check_limit, describe_zone
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.iam import Account
from cs_matrix_pytest.simulator.models.infra import IpRange, PhysicalNetwork, Zone
from cs_matrix_pytest.simulator.models.networks import PortableRange, PublicIp
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.views import when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("portable IPs")

LOCAL_REGION = 1


def in_use(cloud: Cloud) -> dict[str, PublicIp]:
    """The portable addresses that somebody has."""
    return {ip.address: ip for ip in cloud.store.table(PublicIp) if ip.is_portable}


def acquire(cloud: Cloud, owner: Account, zone: Zone) -> PublicIp:
    """Give an owner the first free portable address, in a zone. Raises InsufficientCapacity where there is none."""
    used = in_use(cloud)
    for row in cloud.store.table(PortableRange):
        for address in ipv4.addresses(row.start_ip, row.end_ip):
            if address not in used:
                check_limit(cloud, owner)
                return cloud.store.add(
                    PublicIp(
                        account=owner,
                        address=address,
                        zone=zone,
                        range=zone_range(cloud, row, zone),
                        is_portable=True,
                    )
                )
    raise InsufficientCapacity("Unable to find available portable IP addresses")


def zone_range(cloud: Cloud, row: PortableRange, zone: Zone) -> IpRange:
    """A portable range as if it were one of a zone's, which no list shows."""
    physical = cloud.store.table(PhysicalNetwork).first(zone=zone)
    assert physical is not None
    return IpRange(
        zone=zone,
        physical_network=physical,
        gateway=row.gateway,
        netmask=row.netmask,
        start_ip=row.start_ip,
        end_ip=row.end_ip,
        vlan=row.vlan,
    )


@family.view(PortableRange)
def portable_range_view(row: PortableRange, call: Call) -> dict[str, Any]:
    return {
        "id": row.id,
        "regionid": row.region,
        "gateway": row.gateway,
        "netmask": row.netmask,
        "vlan": row.vlan,
        "startip": row.start_ip,
        "endip": row.end_ip,
    }


def address_rows(row: PortableRange, used: dict[str, PublicIp]) -> list[dict[str, Any]]:
    """Every address of a range, with who has it."""
    rows: list[dict[str, Any]] = []
    for address in ipv4.addresses(row.start_ip, row.end_ip):
        ip = used.get(address)
        if ip is None:
            rows.append({"ipaddress": address, "state": "Free"})
        else:
            rows.append(
                {
                    "ipaddress": address,
                    "state": "Allocated",
                    "zoneid": ip.zone.id,
                    "accountid": ip.account.id,
                    "domainid": ip.account.domain.id,
                    "allocated": when(ip.created),
                    **({"networkid": ip.network.id} if ip.network else {}),
                    **({"vpcid": ip.vpc.id} if ip.vpc else {}),
                }
            )
    return rows


@family.command("createPortableIpRange")
def create_portable_ip_range(call: Call) -> Generator[Resource, None, Answer]:
    region, start, end = call["regionid"], call["startip"], call["endip"]
    gateway, netmask, cloud = call["gateway"], call["netmask"], call.cloud
    number = getattr(region, "number", region)
    if number != LOCAL_REGION:
        raise InvalidParameterValue(f"Invalid region ID: {number}")
    if not (ipv4.is_address(start) and ipv4.is_address(end)) or ipv4.to_int(start) > ipv4.to_int(end):
        raise InvalidParameterValue(f"Invalid portable ip  range: {start}-{end}")
    for called, address in (("start", start), ("end", end)):
        if not ipv4.same_network(address, gateway, netmask):
            raise InvalidParameterValue(
                f"Please ensure that your {called} IP is in the same subnet as your portable IP range's gateway and as "
                "per the IP range's netmask."
            )
    for other in cloud.store.table(PortableRange):
        if ipv4.ranges_overlap(start, end, other.start_ip, other.end_ip):
            raise InvalidParameterValue(
                f"Ip  range: {start}-{end} overlaps with a portable IP range already configured in the region {number}"
            )
    vlan = call.get("vlan", "untagged")
    if "vlan" in call:
        check_vlan(cloud, vlan)
    row = cloud.store.add(
        PortableRange(region=number, gateway=gateway, netmask=netmask, start_ip=start, end_ip=end, vlan=vlan)
    )
    try:
        yield row
    except ApiError:
        cloud.store.forget(row)
        raise
    return row


def check_vlan(cloud: Cloud, vlan: str) -> None:
    """Raise InvalidParameterValue for a VLAN that is none, or that a zone's range has."""
    if vlan != "untagged" and not (vlan.isdecimal() and int(vlan) <= 4095):
        raise InvalidParameterValue(f"Invalid vlan id {vlan}")
    for range in cloud.store.table(IpRange):
        if range.vlan.removeprefix("vlan://") == vlan:
            raise InvalidParameterValue(
                f"Found a VLAN id {range.id} already existing in zone {describe_zone(range.zone)} that conflicts with "
                "VLAN id of the portable ip range being configured"
            )


@family.command("deletePortableIpRange")
def delete_portable_ip_range(call: Call) -> Answer:
    row = call.maybe(PortableRange, "id")
    if row is None:
        raise InvalidParameterValue("Please specify a valid portable IP range id.")
    if any(address in in_use(call.cloud) for address in ipv4.addresses(row.start_ip, row.end_ip)):
        raise InvalidParameterValue("Can't delete portable IP range as there are IP's assigned.")
    call.cloud.store.forget(row)
    return Success()


@family.command("listPortableIpRanges")
def list_portable_ip_ranges(call: Call) -> Answer:
    wanted, region = call.maybe(PortableRange, "id"), call.get("regionid")
    rows = [
        row for row in call.cloud.store.table(PortableRange) if wanted in (None, row) and region in (None, row.region)
    ]
    shown = page(call, rows)
    used = in_use(call.cloud)
    answers = [
        portable_range_view(row, call) | {"portableipaddress": address_rows(row, used)}
        for row in shown.rows
        if isinstance(row, PortableRange)
    ]
    return {"count": shown.total, "portableiprange": answers} if shown.total else {}
