"""The lists of infrastructure with what is used beside what is there: listZonesMetrics and its like (MetricsServiceImpl)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator import listing
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.families.capacity_reports import (
    Area,
    allocated_on,
    cpu_counts,
    memory_counts,
    percent,
    pool_allocated,
)
from cs_matrix_pytest.simulator.families.out_of_band import power_fields
from cs_matrix_pytest.simulator.models.infra import Cluster, Host, ManagementServer, StoragePool, Zone
from cs_matrix_pytest.simulator.models.networks import Router
from cs_matrix_pytest.simulator.models.vm import SystemVm, UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family, Listing
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.views import when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("infra_metrics")

GIB = 1024**3


def gigabytes(size: float) -> str:
    """``8.00 GB``."""
    return f"{size / GIB:.2f} GB"


def gigahertz(megahertz: float) -> str:
    """``32.00 Ghz``."""
    return f"{megahertz / 1000:.2f} Ghz"


def thresholds(cloud: Cloud, scope: Resource | None, cpu_share: float, memory_share: float) -> dict[str, bool]:
    """Whether what is allocated is above the levels for an alert and for taking no more; nothing simulated is busy."""
    shown: dict[str, bool] = {}
    for what, used in (("cpu", cpu_share), ("memory", memory_share)):
        prefix = f"cluster.{what}.allocated.capacity"
        alert = cloud.configuration.number(f"{prefix}.notificationthreshold", scope, default=0.75)
        disable = cloud.configuration.number(f"{prefix}.disablethreshold", scope, default=0.85)
        shown |= {
            f"{what}threshold": False,
            f"{what}disablethreshold": False,
            f"{what}allocatedthreshold": used > alert,
            f"{what}allocateddisablethreshold": used > disable,
        }
    return shown


def share(part: float, whole: float) -> float:
    """A part of a whole; 0 of nothing."""
    return part / whole if whole else 0.0


def host_metrics(cloud: Cloud, host: Host) -> dict[str, Any]:
    """What listHostsMetrics adds to a host."""
    cluster, used = host.cluster, allocated_on(cloud, host)
    cpu = host.cpu_number * host.cpu_speed * (cluster.cpu_overcommit if cluster else 1)
    memory = host.memory * (cluster.memory_overcommit if cluster else 1)
    guests = [vm for vm in cloud.store.table(UserVm) if vm.host is host]
    systems = [vm for vm in (*cloud.store.table(Router), *cloud.store.table(SystemVm)) if vm.host is host]
    return {
        "powerstate": power_fields(cloud, host)["powerstate"],
        "instances": running_of(guests),
        "systeminstances": running_of(systems),
        "cputotalghz": gigahertz(cpu),
        "cpuusedghz": gigahertz(0),
        "cpuallocatedghz": gigahertz(used.cpu_mhz),
        "memorytotalgb": gigabytes(memory),
        "memoryusedgb": gigabytes(0),
        "memoryallocatedgb": gigabytes(used.memory),
        "networkread": "0.03 GB",
        "networkwrite": "0.02 GB",
        **thresholds(cloud, cluster, share(used.cpu_mhz, cpu), share(used.memory, memory)),
    }


def running_of(vms: list[Any]) -> str:
    """``2 / 3``: how many run of how many there are."""
    return f"{sum(vm.state == 'Running' for vm in vms)} / {len(vms)}"


def area_metrics(cloud: Cloud, area: Area, scope: Resource) -> dict[str, Any]:
    """What zones and clusters share."""
    (cpu_used, cpu), (memory_used, memory) = cpu_counts(area), memory_counts(area)
    return {
        "cputotal": gigahertz(cpu),
        "cpuallocated": percent(cpu_used, cpu),
        "memorytotal": gigabytes(memory),
        "memoryallocated": percent(memory_used, memory),
        **thresholds(cloud, scope, share(cpu_used, cpu), share(memory_used, memory)),
    }


def cluster_metrics(cloud: Cloud, cluster: Cluster) -> dict[str, Any]:
    """What listClustersMetrics adds to a cluster."""
    hosts = cloud.store.table(Host).where(cluster=cluster)
    managed = cluster.managed_state == "Managed"
    shares = [share(allocated_on(cloud, host).memory, host.memory) for host in hosts]
    return {
        "state": cluster.allocation_state if managed else cluster.managed_state,
        "hosts": f"{sum(host.state == 'Up' for host in hosts)} / {len(hosts)}",
        "drsimbalance": percent(imbalance(shares), 1) if len(shares) > 1 else None,
        **area_metrics(cloud, Area(cloud, cluster.zone, cluster.pod, cluster), cluster),
    }


def imbalance(shares: list[float]) -> float:
    """How unevenly hosts are used: the deviation over the mean, 0 where nothing is used (ClusterDrsAlgorithm)."""
    mean = sum(shares) / len(shares)
    if not mean:
        return 0.0
    deviation: float = (sum((each - mean) ** 2 for each in shares) / len(shares)) ** 0.5
    return deviation / mean


def zone_metrics(cloud: Cloud, zone: Zone) -> dict[str, Any]:
    """What listZonesMetrics adds to a zone."""
    clusters = cloud.store.table(Cluster).where(zone=zone)
    enabled = sum(row.allocation_state == "Enabled" and row.managed_state == "Managed" for row in clusters)
    return {
        "state": zone.allocation_state,
        "clusters": f"{enabled} / {len(clusters)}",
        **area_metrics(cloud, Area(cloud, zone), zone),
    }


def pool_metrics(cloud: Cloud, pool: StoragePool) -> dict[str, Any]:
    """What listStoragePoolsMetrics adds to a pool."""
    factor = cloud.configuration.number("storage.overprovisioning.factor", pool, default=2)
    allocated = pool_allocated(cloud, pool)
    alert = cloud.configuration.number("cluster.storage.allocated.capacity.notificationthreshold", pool, default=0.75)
    disable = cloud.configuration.number("pool.storage.allocated.capacity.disablethreshold", pool, default=0.85)
    return {
        "disksizeusedgb": gigabytes(0),
        "disksizetotalgb": f"{gigabytes(pool.capacity)} (x{factor})",
        "disksizeallocatedgb": gigabytes(allocated),
        "disksizeunallocatedgb": gigabytes(pool.capacity * factor - allocated),
        "storageusagethreshold": False,
        "storageusagedisablethreshold": False,
        "storageallocatedthreshold": share(allocated, pool.capacity * factor) > alert,
        "storageallocateddisablethreshold": share(allocated, pool.capacity * factor) > disable,
    }


def server_metrics(cloud: Cloud, server: ManagementServer) -> dict[str, Any]:
    """What listManagementServersMetrics adds to a management server; this one measures nothing of its machine."""
    threads = ("blocked", "daemon", "runnable", "terminated", "total", "waiting")
    names = {"terminated": "threadsteminatedcount"}
    return {
        "availableprocessors": 1,
        "agentcount": len([host for host in cloud.store.table(Host) if host.state == "Up"]),
        "sessions": 0,
        "heapmemoryused": 0,
        "heapmemorytotal": 0,
        **{names.get(name, f"threads{name}count"): 0 for name in threads},
        "systemmemorytotal": gigabytes(0),
        "systemmemoryfree": gigabytes(0),
        "systemmemoryvirtualsize": gigabytes(0),
        "loginfo": "",
        "systemtotalcpucycles": 0.0,
        "systemloadaverages": [0.0, 0.0, 0.0],
        "systemcycleusage": [0, 0, 0],
        "dbislocal": True,
        "usageislocal": False,
        "cpuload": "0.00 %",
        "kernelversion": "",
        "collectiontime": when(cloud.clock.datetime()),
        "id": server.id,
    }


def is_routing(row: Resource) -> bool:
    """True for what listHostsMetrics shows: hypervisor hosts."""
    return not isinstance(row, Host) or row.is_routing


def _lister(base: str, metrics: Callable[[Cloud, Any], dict[str, Any]]) -> Callable[[Call], Answer]:
    def list_with_metrics(call: Call) -> Answer:
        cloud, spec = call.cloud, call.cloud.registry.lists[base]
        candidates = cloud.store.table(spec.kind) if spec.rows is None else spec.rows(call)
        rows = listing.filtered(call, spec, filter(is_routing, candidates))
        found = listing.page(call, rows)
        shown = []
        for row in found.rows:
            added = metrics(cloud, row)
            # Metrics come first, as in real answers; they win where a row has a field of the same name.
            shown.append({**added, **cloud.view(row, call), **added})  # type: ignore[arg-type]
        return Listing(shown, found.total)

    return list_with_metrics


for _base, _metrics in (
    ("listZones", zone_metrics),
    ("listClusters", cluster_metrics),
    ("listHosts", host_metrics),
    ("listStoragePools", pool_metrics),
    ("listManagementServers", server_metrics),
):
    family.handlers[f"{_base}Metrics"] = _lister(_base, _metrics)


@family.command("listUsageServerMetrics", object_name="usageMetrics")
def list_usage_server_metrics(call: Call) -> Answer:
    return {
        "usageMetrics": {
            "collectiontime": when(call.cloud.clock.datetime()),
            "hostname": "N/A",
            "state": "Down",
            "lastsuccessfuljob": "1970-01-01T00:00:00+0000",
        }
    }


@family.command("listDbMetrics", object_name="dbMetrics")
def list_db_metrics(call: Call) -> Answer:
    now = call.cloud.clock.datetime()
    return {
        "dbMetrics": {
            "collectiontime": when(now),
            "hostname": "localhost",
            "replicas": ["localhost", "localhost"],
            "connections": 1,
            "uptime": int((now - call.cloud.admin_user.created).total_seconds()),
            "version": "",
            "versioncomment": "",
            "queries": 0,
            "dbloadaverages": [0.0, 0.0, 0.0],
        }
    }
