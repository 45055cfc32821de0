"""Pods and their management addresses (ConfigurationManagerImpl)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator import ipv4
from cs_matrix_pytest.simulator.access import describe
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import (
    InternalError,
    InvalidParameterValue,
    PermissionDenied,
    as_internal_errors,
)
from cs_matrix_pytest.simulator.families.annotations import has_annotations
from cs_matrix_pytest.simulator.families.zones import check_allocation_state
from cs_matrix_pytest.simulator.models.infra import Cluster, Host, IpRange, Pod, PodRange, Zone
from cs_matrix_pytest.simulator.models.pod_addresses import PodAddress
from cs_matrix_pytest.simulator.models.storage import Volume
from cs_matrix_pytest.simulator.models.vm import SystemVm, UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.texts import described

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("pods")


@family.view(Pod)
def pod_view(pod: Pod, call: Call) -> dict[str, Any]:
    ranges = [
        {
            "startip": row.start_ip,
            "endip": row.end_ip,
            "forsystemvms": "1" if row.for_system_vms else "0",
            "vlanid": f"vlan://{row.vlan}",
        }
        for row in pod.ranges
    ]
    capacities = None
    if call.flag("showcapacities"):
        from cs_matrix_pytest.simulator.families.capacity_reports import capacities_of

        capacities = capacities_of(call.cloud, pod.zone, pod=pod)
    return {
        "id": pod.id,
        "name": pod.name,
        "zoneid": pod.zone.id,
        "zonename": pod.zone.name,
        "gateway": pod.gateway,
        "netmask": pod.netmask,
        "ipranges": ranges,
        "startip": [row["startip"] for row in ranges],
        "endip": [row["endip"] for row in ranges],
        "forsystemvms": [row["forsystemvms"] for row in ranges],
        "vlanid": [row["vlanid"] for row in ranges],
        "allocationstate": pod.allocation_state,
        "storageaccessgroups": ",".join(pod.storage_access_groups) or None,
        "zonestorageaccessgroups": ",".join(pod.zone.storage_access_groups) or None,
        "capacity": capacities,
        "hasannotations": has_annotations(pod, call),
    }


def taken_addresses(cloud: Cloud, pod: Pod) -> set[str]:
    """The management addresses of a pod that hosts, system VMs and others have."""
    taken = {host.ip_address for host in cloud.store.table(Host) if host.pod is pod}
    taken |= {vm.private_ip for vm in cloud.store.table(SystemVm) if vm.pod is pod and vm.private_ip}
    taken |= {row.address for row in cloud.store.table(PodAddress).where(pod=pod)}
    return taken


def free_address(cloud: Cloud, pod: Pod, *, for_system_vm: bool = False) -> str | None:
    """The first management address of a pod that nobody has; system VMs prefer the ranges kept for them."""
    taken = taken_addresses(cloud, pod)
    ranges = sorted((row for row in pod.ranges if for_system_vm or not row.for_system_vms), key=_kept_last)
    for row in reversed(ranges):
        for address in ipv4.addresses(row.start_ip, row.end_ip):
            if address not in taken:
                return address
    return None


def _kept_last(row: PodRange) -> bool:
    return row.for_system_vms


def check_attributes(call: Call, zone: Zone, pod: Pod, *, new: bool) -> None:
    """Raise InvalidParameterValue where a pod's addresses cannot be (checkPodAttributesForNonEdgeZone)."""
    cloud = call.cloud
    for row in pod.ranges:
        if not ipv4.same_network(row.start_ip, pod.gateway, pod.netmask):
            raise InvalidParameterValue("The start address of the IP range is not in the CIDR subnet.")
        if not ipv4.same_network(row.end_ip, pod.gateway, pod.netmask):
            raise InvalidParameterValue("The end address of the IP range is not in the CIDR subnet.")
        if ipv4.to_int(row.start_ip) > ipv4.to_int(row.end_ip):
            raise InvalidParameterValue("The start IP address must have a lower value than the end IP address.")
        public = _public_overlap(cloud, zone, row.start_ip, row.end_ip) if new else None
        if public:
            raise InvalidParameterValue(f"The Start IP and endIP address range overlap with Public IP :{public}")
        if ipv4.ranges_overlap(row.start_ip, row.end_ip, pod.gateway, pod.gateway):
            some = "" if new else "some "
            raise InvalidParameterValue(f"The gateway shouldn't overlap {some}start/end IP addresses")
    if not cloud.configuration.flag("check.pod.cidrs", default=True):
        return
    mine = ipv4.cidr(pod.gateway, pod.netmask)
    if zone.guest_cidr and ipv4.cidrs_overlap(mine, zone.guest_cidr):
        if not new:
            raise InvalidParameterValue(
                f"Warning: The subnet of pod {pod.name} in zone {zone.name} conflicts with the subnet of the Guest IP "
                "Network. Please change either the pod's CIDR or the Guest IP Network's subnet, and re-run "
                "install-vmops-management."
            )
        raise InvalidParameterValue(
            "The subnet of the pod you are adding conflicts with the subnet of the Guest IP Network. "
            "Please specify a different CIDR."
        )
    for other in cloud.store.table(Pod).where(zone=zone):
        if other is pod or not other.gateway or not ipv4.cidrs_overlap(mine, ipv4.cidr(other.gateway, other.netmask)):
            continue
        if not new:
            raise InvalidParameterValue(
                f"Warning: The pods {pod.name} and {other.name} in zone {zone.name} have conflicting CIDR subnets. "
                "Please change the CIDR of one of these pods."
            )
        raise InvalidParameterValue(
            f"The subnet of the pod you are adding conflicts with the subnet of pod {other.name} in zone "
            f"{zone.name}. Please specify a different CIDR."
        )


def _public_overlap(cloud: Cloud, zone: Zone, start: str, end: str) -> str | None:
    for row in cloud.store.table(IpRange).where(zone=zone):
        if row.start_ip and row.end_ip and ipv4.ranges_overlap(start, end, row.start_ip, row.end_ip):
            return ipv4.to_text(max(ipv4.to_int(start), ipv4.to_int(row.start_ip)))
    return None


@family.command("createPod")
def create_pod(call: Call) -> Answer:
    zone = call.one(Zone, "zoneid", missing="Please specify a valid zone.")
    name, netmask = call["name"], call.get("netmask")
    start, end, gateway = call.get("startip"), call.get("endip"), call.get("gateway")
    if zone.is_edge and (start or end or gateway or netmask):
        raise InvalidParameterValue("IP range parameters can not be specified for a pod in an edge zone")
    if not zone.is_edge:
        for valid, text in (
            (ipv4.is_address(start), "The start IP is invalid"),
            (end is None or ipv4.is_address(end), "The end IP is invalid"),
            (ipv4.is_address(gateway), "The gateway is invalid"),
            (ipv4.is_netmask(netmask), "The netmask is invalid"),
        ):
            if not valid:
                raise InvalidParameterValue(text)
    _check_name(call, zone, name)
    check_allocation_state(call.get("allocationstate"))
    pod = Pod(
        name=name,
        zone=zone,
        gateway=gateway or "",
        netmask=netmask or "",
        allocation_state=call.get("allocationstate") or "Enabled",
        storage_access_groups=call.get("storageaccessgroups", []),
    )
    if not zone.is_edge:
        pod.ranges = [PodRange(start, end or ipv4.last_of(gateway, netmask))]
        check_attributes(call, zone, pod, new=True)
    return call.cloud.store.add(pod)


def _check_name(call: Call, zone: Zone, name: str) -> None:
    if call.cloud.store.table(Pod).first(zone=zone, name=name):
        raise InvalidParameterValue(
            f"A pod with name: {name} already exists in zone {described(zone)}. Please specify a different pod name. "
        )


@family.command("updatePod")
def update_pod(call: Call) -> Answer:
    pod = call.one(Pod, missing="Unable to find pod by id {}")
    name, gateway, netmask = call.get("name", pod.name), call.get("gateway", pod.gateway), call.get("netmask")
    if netmask and not ipv4.is_netmask(netmask):
        raise InvalidParameterValue("The netmask is invalid")
    if netmask and taken_addresses(call.cloud, pod) and ipv4.prefix_length(netmask) > ipv4.prefix_length(pod.netmask):
        raise InternalError(
            "The specified pod has allocated private IP addresses, so its IP address range can be extended only"
        )
    if not ipv4.is_address(gateway):
        raise InvalidParameterValue("The gateway is not a valid IP address.")
    if name != pod.name:
        _check_name(call, pod.zone, name)
    check_allocation_state(call.get("allocationstate"))
    before = pod.gateway, pod.netmask
    pod.gateway, pod.netmask = gateway, netmask or pod.netmask
    try:
        check_attributes(call, pod.zone, pod, new=False)
    except InvalidParameterValue:
        pod.gateway, pod.netmask = before
        raise
    pod.name = name
    pod.allocation_state = call.get("allocationstate") or pod.allocation_state
    return pod


@family.command("deletePod")
def delete_pod(call: Call) -> Answer:
    pod = call.one(Pod, missing="A pod with ID: {} does not exist.")
    store = call.cloud.store
    blockers = (
        (any(map(ipv4.is_address, taken_addresses(call.cloud, pod))), "there are private IP addresses allocated"),
        (any(volume.pool and volume.pool.pod is pod for volume in store.table(Volume)), "there are storage volumes"),
        (store.table(Host).first(pod=pod) is not None, "there are servers"),
        (
            any(store.table(kind).first(pod=pod) for kind in (UserVm, SystemVm)),
            "there are Instances",
        ),
        (store.table(Cluster).first(pod=pod) is not None, "there are clusters"),
    )
    for blocked, why in blockers:
        if blocked:
            raise InternalError(f"The pod cannot be deleted because {why} in this pod.")
    for row in store.table(IpRange).where(pod=pod):
        store.remove(row)
    store.remove(pod)
    return Success()


def by_zone(call: Call) -> list[Pod]:
    """All pods, those of the older zones first."""
    return sorted(call.cloud.store.table(Pod), key=lambda pod: pod.zone.number)


family.listing(
    "listPods",
    Pod,
    rows=by_zone,
    keyword=("name", "description"),
    filters={"storageaccessgroup": lambda pod, value, _call: value in pod.storage_access_groups},
)


@family.command("createManagementNetworkIpRange")
def create_management_range(call: Call) -> Answer:
    if not call.is_root_admin:
        raise PermissionDenied(
            f"Cannot perform this operation, Calling Account is not root admin: {describe(call.account)}"
        )
    vlan = call.get("vlan") or "untagged"
    scheme, given, value = vlan.partition("://")
    if given and scheme.lower() != "vlan":
        raise InternalError(f"Vlan parameter : {vlan} is not in valid format")
    pod = call.one(Pod, "podid", missing="Unable to find pod by ID: {}")
    start, gateway, netmask = call["startip"], call["gateway"], call["netmask"]
    if not ipv4.is_address(gateway):
        raise InvalidParameterValue("The gateway IP address is invalid.")
    if not ipv4.is_netmask(netmask):
        raise InvalidParameterValue("The netmask IP address is invalid.")
    end = call.get("endip", start)
    if gateway != pod.gateway:
        raise InvalidParameterValue(
            f"Multiple gateways for the POD: {described(pod)} are not allowed. "
            f"The Gateway should be same as the existing Gateway {pod.gateway}"
        )
    if netmask != pod.netmask:
        raise InvalidParameterValue(
            f"Multiple subnets for the POD: {described(pod)} are not allowed. "
            f"The Netmask should be same as the existing Netmask {pod.netmask}"
        )
    check_range(start, end, (pod.gateway, pod.netmask))
    public = _public_overlap(call.cloud, pod.zone, start, end)
    if public:
        raise InvalidParameterValue(f"The Start IP and endIP address range overlap with Public IP :{public}")
    if ipv4.ranges_overlap(start, end, gateway, gateway):
        raise InvalidParameterValue("The gateway shouldn't overlap start/end IP addresses")
    if any(ipv4.ranges_overlap(start, end, row.start_ip, row.end_ip) for row in pod.ranges):
        raise InvalidParameterValue(
            "The new range overlaps with existing range. Please add a mutually exclusive range."
        )
    pod.ranges.append(PodRange(start, end, call.flag("forsystemvms"), value or vlan))
    return pod


def check_range(start: str, end: str, subnet: tuple[str, str] | None = None, *, current: bool = False) -> None:
    """Raise InvalidParameterValue unless start and end are addresses, in order, and of the subnet (gateway and netmask)
    if one is given. ``current``: texts are to name the address."""
    for address, called in ((start, "start"), (end, "end")):
        if not ipv4.is_address(address):
            which = (
                f"current {called} address of the IP range {address}"
                if current
                else f"{called} address of the IP range"
            )
            raise InvalidParameterValue(f"The {which} is not a valid IP address.")
        if subnet is not None and not ipv4.same_network(address, *subnet):
            raise InvalidParameterValue(f"The {called} address of the IP range is not in the CIDR subnet.")
    if ipv4.to_int(start) > ipv4.to_int(end):
        raise InvalidParameterValue("The start IP address must have a lower value than the end IP address.")


def check_unused(cloud: Cloud, pod: Pod, start: str, end: str, text: str) -> None:
    """Raise InternalError where somebody has an address between start and end."""
    if any(
        ipv4.is_address(each) and ipv4.ranges_overlap(start, end, each, each) for each in taken_addresses(cloud, pod)
    ):
        raise InternalError(text)


@family.command("deleteManagementNetworkIpRange")
@as_internal_errors()
def delete_management_range(call: Call) -> Answer:
    pod = call.one(Pod, "podid", missing="Unable to find pod by id {}")
    start, end = call["startip"], call["endip"]
    vlan = call["vlan"].removeprefix("vlan://")
    check_range(start, end)
    check_unused(call.cloud, pod, start, end, "Some IPs of the range has been allocated, so it cannot be deleted.")
    row = next((row for row in pod.ranges if (row.start_ip, row.end_ip, row.vlan) == (start, end, vlan)), None)
    if row is None:
        raise InvalidParameterValue(
            f"The input IP range: {start}-{end} of pod: {described(pod)}is not present. Please input an existing range."
        )
    pod.ranges.remove(row)
    return Success()


@family.command("updatePodManagementNetworkIpRange")
def update_management_range(call: Call) -> Answer:
    if "newstartip" not in call and "newendip" not in call:
        raise InvalidParameterValue("Either new starting IP address or new ending IP address must be specified")
    with as_internal_errors():
        change_range(call)
    return Success()


def change_range(call: Call) -> None:
    """Give a management range another start or end."""
    pod = call.one(Pod, "podid", missing="Unable to find pod by id: {}")
    start, end = call["currentstartip"], call["currentendip"]
    new_start, new_end = call.get("newstartip", start), call.get("newendip", end)
    if (new_start, new_end) == (start, end):
        raise InvalidParameterValue(
            "New starting and ending IP address are the same as current starting and ending IP address"
        )
    check_range(start, end, current=True)
    check_range(new_start, new_end, current=True)
    for address in taken_addresses(call.cloud, pod):
        inside = ipv4.is_address(address) and ipv4.ranges_overlap(start, end, address, address)
        if inside and not ipv4.ranges_overlap(new_start, new_end, address, address):
            raise InvalidParameterValue(
                "The IP range does not contain some IP addresses that have already been taken. Please adjust your IP "
                "range to include all IP addresses already taken."
            )
    row = next((row for row in pod.ranges if (row.start_ip, row.end_ip) == (start, end)), None)
    if row is None:
        raise InvalidParameterValue(
            f"The input IP range: {start}-{end} of pod: {pod.number} is not present. Please input an existing range."
        )
    for other in pod.ranges:
        if other is not row and ipv4.ranges_overlap(new_start, new_end, other.start_ip, other.end_ip):
            raise InvalidParameterValue(
                f"The Start and End IP address range: ({new_start}-{new_end}) overlap with the pod IP range: "
                f"{other.start_ip}-{other.end_ip}-{int(other.for_system_vms)}-{other.vlan}"
            )
    pod.ranges[pod.ranges.index(row)] = replace(row, start_ip=new_start, end_ip=new_end)
