"""How much of a zone is used: what listCapacity and the capacities of zones, pods, clusters and hosts show.

Everything is counted from the store when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator import ipv4, vlans
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InvalidParameterValue
from cs_matrix_pytest.simulator.families.gpu import counts
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.gpu import GpuDevice
from cs_matrix_pytest.simulator.models.infra import Cluster, Host, IpRange, PhysicalNetwork, Pod, StoragePool, Zone
from cs_matrix_pytest.simulator.models.networks import PublicIp, Router
from cs_matrix_pytest.simulator.models.storage import Volume
from cs_matrix_pytest.simulator.models.vm import SystemVm, UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("capacity_reports")

SYSTEM_VM_ROOT = 100
"""Bytes that the root disk of a system VM takes of its pool on simulated storage."""


@dataclass(frozen=True)
class Allocation:
    """What the VMs of one or more hosts have been given."""

    cpu_mhz: int = 0
    memory: int = 0
    """Bytes."""
    cores: int = 0


def allocated_on(cloud: Cloud, host: Host) -> Allocation:
    """What the VMs on a host have been given, or have reserved there (`capacity.loads`)."""
    from cs_matrix_pytest.simulator.families.capacity import load_of

    load = load_of(cloud, host)
    cores = sum(cpus for _, cpus, _ in cloud.store.table(UserVm).totals("load").get(host, {}).values())
    for machine in (*cloud.store.table(Router), *cloud.store.table(SystemVm)):
        if machine.host is host and machine.service_offering is not None:
            cores += getattr(machine.service_offering, "cpu_number", None) or 1
    return Allocation(load.cpu, load.memory, cores)


def pool_allocated(cloud: Cloud, pool: StoragePool) -> int:
    """Bytes of a pool that its volumes have been given."""
    volumes = sum(size for _, size in cloud.store.table(Volume).totals("space").get(pool, {}).values())
    return volumes + SYSTEM_VM_ROOT * sum(vm.pool is pool for vm in cloud.store.table(SystemVm))


def percent(part: float, whole: float) -> str:
    """``1.56%``; two decimals, as answers about hosts have it."""
    return f"{part / whole * 100 if whole else 0:.2f}%"


def plain_percent(part: float, whole: float) -> str:
    """``4.69``, ``12.5`` or ``0``: as listCapacity has it (DecimalFormat ####.##)."""
    return f"{part / whole * 100 if whole else 0:.2f}".rstrip("0").rstrip(".") or "0"


@dataclass(frozen=True)
class Area:
    """What is counted: a zone, one of its pods, or one of their clusters."""

    cloud: Cloud
    zone: Zone
    pod: Pod | None = None
    cluster: Cluster | None = None
    tag: str | None = None
    """Only hosts and pools with this tag."""

    def hosts(self) -> list[Host]:
        """The hypervisor hosts of the area."""
        return [
            host
            for host in self.cloud.store.table(Host)
            if host.is_routing
            and host.cluster is not None
            and self.covers(host.zone, host.pod, host.cluster)
            and self.tag in (None, *host.host_tags)
        ]

    def pools(self) -> list[StoragePool]:
        """The primary storage of the area that is not out of service."""
        return [
            pool
            for pool in self.cloud.store.table(StoragePool)
            if pool.state == "Up"
            and self.covers(pool.zone, pool.pod, pool.cluster)
            and self.tag in (None, *pool.storage_tags)
        ]

    def covers(self, zone: Zone, pod: Pod | None, cluster: Cluster | None) -> bool:
        """True for what stands in the area."""
        return (
            zone is self.zone
            and (self.pod is None or pod is self.pod)
            and (self.cluster is None or cluster is self.cluster)
        )


Counts = tuple[float, float]
"""Used and total."""


def memory_counts(area: Area) -> Counts:
    """Bytes of memory."""
    hosts = area.hosts()
    used = sum(allocated_on(area.cloud, host).memory for host in hosts)
    return used, sum(host.memory * (host.cluster.memory_overcommit if host.cluster else 1) for host in hosts)


def cpu_counts(area: Area) -> Counts:
    """MHz."""
    hosts = area.hosts()
    used = sum(allocated_on(area.cloud, host).cpu_mhz for host in hosts)
    total = sum(
        host.cpu_number * host.cpu_speed * (host.cluster.cpu_overcommit if host.cluster else 1) for host in hosts
    )
    return used, total


def _cores(area: Area) -> Counts:
    hosts = area.hosts()
    used = sum(allocated_on(area.cloud, host).cores for host in hosts)
    return used, sum(host.cpu_number * (host.cluster.cpu_overcommit if host.cluster else 1) for host in hosts)


def _storage(area: Area) -> Counts:
    return 0, sum(pool.capacity for pool in area.pools())


def _storage_allocated(area: Area) -> Counts:
    pools, factor = area.pools(), area.cloud.configuration
    total = sum(pool.capacity * factor.number("storage.overprovisioning.factor", pool, default=2) for pool in pools)
    return sum(pool_allocated(area.cloud, pool) for pool in pools), total


def _addresses(area: Area, public: bool) -> Counts:
    store = area.cloud.store
    rows = [
        row
        for row in store.table(IpRange).where(zone=area.zone, for_virtual_network=public)
        if row.start_ip and row.end_ip and (area.pod is None or row.pod is area.pod)
    ]
    total = sum(ipv4.count(row.start_ip or "", row.end_ip or "") for row in rows)
    used = sum(ip.range in rows for ip in store.table(PublicIp))
    return used, total


def _public_addresses(area: Area) -> Counts:
    return _addresses(area, True)


def _direct_addresses(area: Area) -> Counts:
    return _addresses(area, False)


def _private_addresses(area: Area) -> Counts:
    from cs_matrix_pytest.simulator.families.pods import taken_addresses

    used = total = 0
    for pod in area.cloud.store.table(Pod).where(zone=area.zone):
        if area.pod in (None, pod):
            total += sum(ipv4.count(row.start_ip, row.end_ip) for row in pod.ranges)
            used += sum(
                ipv4.ranges_overlap(row.start_ip, row.end_ip, address, address)
                for address in taken_addresses(area.cloud, pod)
                if ipv4.is_address(address)
                for row in pod.ranges
            )
    return used, total


def _vlans(area: Area) -> Counts:
    from cs_matrix_pytest.simulator.families.physical_networks import used_vlans

    networks = area.cloud.store.table(PhysicalNetwork).where(zone=area.zone)
    total = sum(len(vlans.ids(vlans.parse_ranges(network.vlan))) for network in networks)
    return sum(len(used_vlans(area.cloud, network)) for network in networks), total


def _gpus(area: Area) -> Counts:
    hosts = set(area.hosts())
    return counts(area.cloud, (device for device in area.cloud.store.table(GpuDevice) if device.host in hosts))


def _nothing(_area: Area) -> Counts:
    return 0, 0


@dataclass(frozen=True)
class CapacityType:
    """One type of capacity (Capacity.java). ``level``: the smallest area it is kept for."""

    number: int
    name: str
    count: Callable[[Area], Counts]
    level: str = "cluster"
    shows_allocated: bool = False


CAPACITY_TYPES = (
    CapacityType(0, "MEMORY", memory_counts, shows_allocated=True),
    CapacityType(1, "CPU", cpu_counts, shows_allocated=True),
    CapacityType(2, "STORAGE", _storage),
    CapacityType(3, "STORAGE_ALLOCATED", _storage_allocated),
    CapacityType(4, "VIRTUAL_NETWORK_PUBLIC_IP", _public_addresses, level="zone"),
    CapacityType(5, "PRIVATE_IP", _private_addresses, level="pod"),
    CapacityType(6, "SECONDARY_STORAGE", _nothing, level="zone"),
    CapacityType(7, "VLAN", _vlans, level="zone"),
    CapacityType(8, "DIRECT_ATTACHED_PUBLIC_IP", _direct_addresses, level="zone"),
    CapacityType(19, "GPU", _gpus, shows_allocated=True),
    CapacityType(90, "CPU_CORE", _cores, shows_allocated=True),
)


def kept_for(kind: CapacityType, area: Area) -> bool:
    """True where a type of capacity is counted for an area; what a zone cannot have is left out."""
    if area.cluster is not None and kind.level != "cluster":
        return False
    if area.pod is not None and kind.level == "zone":
        return False
    advanced = area.zone.has_public_traffic
    return {
        "VIRTUAL_NETWORK_PUBLIC_IP": advanced,
        "VLAN": not area.zone.is_basic,
        "DIRECT_ATTACHED_PUBLIC_IP": not advanced,
    }.get(kind.name, True)


def measured(kind: CapacityType, area: Area) -> dict[str, Any]:
    """One capacity as answers show it, without the names of its area."""
    used, total = kind.count(area)
    return {
        "type": kind.number,
        "name": kind.name,
        "capacityused": int(used),
        "capacitytotal": int(total),
        "percentused": plain_percent(used, total),
    }


def capacities_of(
    cloud: Cloud, zone: Zone, *, pod: Pod | None = None, cluster: Cluster | None = None
) -> list[dict[str, Any]]:
    """The capacities that ``showcapacities`` adds to a zone, pod or cluster."""
    area = Area(cloud, zone, pod, cluster)
    return [measured(kind, area) for kind in CAPACITY_TYPES if kept_for(kind, area)]


NO_PLACE = 'Cannot invoke "com.cloud.dc.{}.getDataCenterId()" because the return value of "com.cloud.api.ApiDBUtils.{}" is null'
"""What the server trips over where there is no such cluster or pod."""


def _areas(call: Call) -> Iterable[Area]:
    cloud, zone = call.cloud, call.maybe(Zone, "zoneid")
    cluster = call.maybe(
        Cluster, "clusterid", missing=NO_PLACE.format("ClusterVO", "findClusterById(long)"), error=ApiError
    )
    pod = call.maybe(Pod, "podid", missing=NO_PLACE.format("HostPodVO", "findPodById(java.lang.Long)"), error=ApiError)
    if cluster is not None:
        return [Area(cloud, cluster.zone, cluster.pod, cluster)]
    if pod is not None:
        return [Area(cloud, pod.zone, pod)]
    if call.get("sortby"):
        # Sorted by use, the fullest pods (or clusters) are what is asked for.
        return [
            Area(cloud, each.zone, each.pod, each) for each in cloud.store.table(Cluster) if zone in (None, each.zone)
        ]
    return [Area(cloud, each) for each in ([zone] if zone else cloud.store.table(Zone))]


OF_HOSTS = ("MEMORY", "CPU", "CPU_CORE")
OF_POOLS = ("STORAGE", "STORAGE_ALLOCATED")


def _tags_listed(call: Call) -> list[str | None]:
    """The tag that was asked for; else none, and each that limits are counted by."""
    if call.get("tag"):
        return [call["tag"]]
    settings = ("resource.limit.host.tags", "resource.limit.storage.tags")
    texts = (text for name in settings for text in call.cloud.configuration.text(name).split(","))
    return [None, *dict.fromkeys(text.strip() for text in texts if text.strip())]


def _has_tagged(kind: CapacityType, area: Area) -> bool:
    """True where an area without a tag is asked for, or one that has something of a kind with its tag."""
    if area.tag is None:
        return True
    return bool((kind.name in OF_HOSTS and area.hosts()) or (kind.name in OF_POOLS and area.pools()))


@family.command("listCapacity", object_name="capacity")
def list_capacity(call: Call) -> Answer:
    if call.get("sortby", "usage").lower() != "usage":
        raise InvalidParameterValue("Only value supported for sortBy parameter is : usage")
    rows = []
    for area in (replace(each, tag=tag) for tag in _tags_listed(call) for each in _areas(call)):
        for kind in CAPACITY_TYPES:
            if call.get("type", kind.number) != kind.number or not kept_for(kind, area):
                continue
            if not _has_tagged(kind, area):
                continue
            row = measured(kind, area)
            if kind.shows_allocated:
                row["capacityallocated"] = row["capacityused"]
            row |= {"zoneid": area.zone.id, "zonename": area.zone.name}
            if area.pod is not None:
                row |= {"podid": area.pod.id, "podname": area.pod.name}
            if area.cluster is not None:
                row |= {"clusterid": area.cluster.id, "clustername": area.cluster.name}
            if area.tag is not None:
                row["tag"] = area.tag
            rows.append(row)
    if call.get("sortby"):
        rows.sort(key=lambda row: float(row["percentused"]), reverse=True)
    return page(call, rows)
