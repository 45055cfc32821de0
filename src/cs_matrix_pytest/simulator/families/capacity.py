"""Where VMs and volumes can be: free CPU and memory of hosts, free space on pools (CapacityManagerImpl, the planners)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cs_matrix_pytest.simulator.errors import InsufficientCapacity
from cs_matrix_pytest.simulator.models.infra import Cluster, Host, Pod, StoragePool, Zone
from cs_matrix_pytest.simulator.models.networks import Router
from cs_matrix_pytest.simulator.models.offerings import DiskOffering, ServiceOffering
from cs_matrix_pytest.simulator.models.storage import Volume
from cs_matrix_pytest.simulator.models.vm import SystemVm, UserVm

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

MIB = 1024**2

ON_POOL = frozenset({"Ready", "Destroy", "Migrating", "Resizing", "Snapshotting", "Attaching", "Creating"})
"""States of volumes that take space."""


@dataclass
class Load:
    """What VMs take of a host."""

    cpu: int = 0
    """MHz."""
    memory: int = 0
    """Bytes."""

    def add(self, cpu: int, memory: int) -> None:
        self.cpu += cpu
        self.memory += memory


@dataclass(frozen=True)
class Demand:
    """What a VM asks of a host."""

    zone: Zone
    hypervisor: str
    cpu: int
    """MHz in all."""
    memory: int
    """Bytes."""
    tags: frozenset[str] = frozenset()
    arch: str = "x86_64"


@dataclass(frozen=True)
class Within:
    """The part of a zone that a placement is bound to."""

    pod: Pod | None = None
    cluster: Cluster | None = None
    host: Host | None = None

    def admits(self, host: Host) -> bool:
        return (
            (self.pod is None or host.pod is self.pod)
            and (self.cluster is None or host.cluster is self.cluster)
            and (self.host is None or host is self.host)
        )


ANYWHERE = Within()


@dataclass(frozen=True)
class Destination:
    """Where a VM goes, and the pools of those of its volumes that are on none yet."""

    host: Host
    pools: Mapping[Volume, StoragePool] = field(default_factory=dict)


def demand_of(vm: UserVm) -> Demand:
    tags = set(vm.service_offering.host_tags)
    if vm.template.template_tag:
        tags.add(vm.template.template_tag)
    return Demand(
        zone=vm.zone,
        hypervisor=vm.hypervisor,
        cpu=vm.cpu_number * vm.cpu_speed,
        memory=vm.memory * MIB,
        tags=frozenset(tags),
        arch=vm.template.arch,
    )


def loads(cloud: Cloud, *, without: UserVm | None = None) -> dict[Host, Load]:
    """What every host carries: VMs on it, and VMs that stopped on it and still have their place reserved.

    A place is kept for ``capacity.skipcounting.hours`` (in fact seconds) after the stop
    (CapacityManagerImpl.updateCapacityForHost). ``without``: a VM that is not counted.
    """
    carried: dict[Host, Load] = {}
    kept_since = cloud.clock.now() - cloud.configuration.number("capacity.skipcounting.hours", default=3600)
    vms = cloud.store.table(UserVm)
    for host, parts in vms.totals("load").items():
        if host is not None:
            for (speed,), (_, cpus, memory) in parts.items():
                carried.setdefault(host, Load()).add(cpus * speed, memory * MIB)
    for vm in vms.having("left", *cloud.store.table(Host)):
        host, stopped = vm.last_host, vm.last_updated
        if host and vm.state == "Stopped" and stopped and stopped.timestamp() >= kept_since and vm is not without:
            carried.setdefault(host, Load()).add(vm.cpu_number * vm.cpu_speed, vm.memory * MIB)
    if without is not None and without.host is not None and without in vms:
        carried[without.host].add(-without.cpu_number * without.cpu_speed, -without.memory * MIB)
    machines: list[SystemVm | Router] = [*cloud.store.table(SystemVm), *cloud.store.table(Router)]
    for machine in machines:
        offering = machine.service_offering
        if machine.host is not None and machine.state == "Running" and isinstance(offering, ServiceOffering):
            cpu, speed, memory = offering.cpu_number or 1, offering.cpu_speed or 0, offering.memory or 0
            carried.setdefault(machine.host, Load()).add(cpu * speed, memory * MIB)
    return carried


def room(host: Host) -> Load:
    """What a host can carry in all, overcommit included."""
    cpu, memory = host.cpu_number * host.cpu_speed, host.memory
    cluster = host.cluster
    if cluster is None:
        return Load(cpu, memory)
    return Load(int(cpu * cluster.cpu_overcommit), int(memory * cluster.memory_overcommit))


NOTHING = Load()


def fits(host: Host, load: Load, demand: Demand) -> bool:
    """True where a host has the CPUs, the memory and the speed that are asked for; nobody knows an external one's."""
    if host.hypervisor == "External":
        return True
    whole = room(host)
    return load.cpu + demand.cpu <= whole.cpu and load.memory + demand.memory <= whole.memory


def suits(host: Host, demand: Demand) -> bool:
    """True where a host is of the right kind and takes VMs now, whatever it carries."""
    cluster, pod = host.cluster, host.pod
    return (
        host.zone is demand.zone
        and host.takes_vms
        and host.hypervisor.lower() == demand.hypervisor.lower()
        and demand.tags <= set(host.host_tags)
        and (cluster is None or (cluster.allocation_state == "Enabled" and cluster.managed_state == "Managed"))
        and (pod is None or pod.allocation_state == "Enabled")
    )


def pick_hosts(
    hosts: Iterable[Host],
    carried: Mapping[Host, Load],
    demand: Demand,
    *,
    within: Within = ANYWHERE,
    avoid: Collection[Host] = (),
    prefer: Sequence[Host] = (),
) -> list[Host]:
    """The hosts that can take a VM, best first: preferred ones, then those that carry least."""
    able = [
        host
        for host in hosts
        if within.admits(host)
        and host not in avoid
        and suits(host, demand)
        and fits(host, carried.get(host, NOTHING), demand)
    ]
    return sorted(
        able,
        key=lambda host: (
            prefer.index(host) if host in prefer else len(prefer),
            carried.get(host, NOTHING).memory / max(room(host).memory, 1),
            host.number,
        ),
    )


def full_clusters(cloud: Cloud, carried: Mapping[Host, Load], demand: Demand) -> set[Cluster]:
    """Clusters that one more VM would bring over the threshold at which no new ones go there.

    ``cluster.cpu.allocated.capacity.disablethreshold`` and its twin for memory, of what all hosts of the cluster have
    (FirstFitPlanner.removeClustersCrossingThreshold).
    """
    if not cloud.configuration.flag("cluster.threshold.enabled", default=True):
        return set()
    used: dict[Cluster, Load] = {}
    whole: dict[Cluster, Load] = {}
    for host in cloud.store.table(Host):
        cluster = host.cluster
        if cluster is not None and host.is_routing and host.zone is demand.zone and host.hypervisor != "External":
            mine, all_of_it = carried.get(host, NOTHING), room(host)
            used.setdefault(cluster, Load()).add(mine.cpu, mine.memory)
            whole.setdefault(cluster, Load()).add(all_of_it.cpu, all_of_it.memory)
    most = {kind: f"cluster.{kind}.allocated.capacity.disablethreshold" for kind in ("cpu", "memory")}
    return {
        cluster
        for cluster, load in used.items()
        if load.cpu + demand.cpu > whole[cluster].cpu * cloud.configuration.number(most["cpu"], cluster, default=0.85)
        or load.memory + demand.memory
        > whole[cluster].memory * cloud.configuration.number(most["memory"], cluster, default=0.85)
    }


def access_groups_of(host: Host) -> set[str]:
    """The storage access groups of a host, with those of what it stands in."""
    holders = (host, host.cluster, host.pod, host.zone)
    return {group for holder in holders if holder is not None for group in holder.storage_access_groups}


def reaches(pool: StoragePool, host: Host) -> bool:
    """True where a host can use a pool."""
    if pool.scope == "HOST":
        return pool.host is host
    if pool.storage_access_groups and access_groups_of(host).isdisjoint(pool.storage_access_groups):
        return False
    if pool.scope == "ZONE":
        return pool.zone is host.zone and (pool.hypervisor or host.hypervisor).lower() == host.hypervisor.lower()
    return pool.cluster is host.cluster


def holds(pool: StoragePool, offering: DiskOffering) -> bool:
    """True where a pool is of the kind that a disk offering asks for: local or shared, with its tags."""
    is_local = pool.scope == "HOST"
    return (
        pool.state == "Up"
        and is_local == (offering.storage_type == "local")
        and set(offering.storage_tags) <= set(pool.storage_tags)
    )


def space_taken(cloud: Cloud) -> dict[StoragePool, int]:
    """Bytes that volumes take, by pool."""
    taken: dict[StoragePool, int] = {}
    for pool, parts in cloud.store.table(Volume).totals("space").items():
        if pool is not None:
            taken[pool] = sum(size for (state,), (_, size) in parts.items() if state in ON_POOL)
    return taken


def space_of(cloud: Cloud, pool: StoragePool) -> int:
    """Bytes that may be allocated on a pool: overprovisioned, up to the threshold that disables it."""
    settings = cloud.configuration
    factor = settings.number("storage.overprovisioning.factor", pool, default=2.0)
    threshold = settings.number("pool.storage.allocated.capacity.disablethreshold", pool, pool.zone, default=0.85)
    return int(pool.capacity * factor * threshold)


def pick_pool(
    pools: Iterable[StoragePool],
    taken: Mapping[StoragePool, int],
    space: Callable[[StoragePool], int],
    *,
    size: int,
    offering: DiskOffering,
    host: Host,
) -> StoragePool | None:
    """The pool with the least on it that can hold a volume and that a host can use."""
    able = [
        pool
        for pool in pools
        if reaches(pool, host) and holds(pool, offering) and taken.get(pool, 0) + size <= space(pool)
    ]
    return min(able, key=lambda pool: (taken.get(pool, 0), pool.number), default=None)


def pool_for(cloud: Cloud, volume: Volume, host: Host) -> StoragePool | None:
    """Where a volume can be made so that a host can use it."""
    return pick_pool(
        cloud.store.table(StoragePool),
        space_taken(cloud),
        lambda pool: space_of(cloud, pool),
        size=volume.size,
        offering=volume.disk_offering,
        host=host,
    )


def describe(vm: UserVm) -> str:
    """A VM as error texts name it."""
    return (
        f'VM instance {{"id":{vm.number},"instanceName":"{vm.instance_name}","state":"{vm.state}","type":"User",'
        f'"uuid":"{vm.id}"}}'
    )


def strict_tags(cloud: Cloud) -> set[str]:
    """The tags that a host must have if a VM asks for them, whoever chooses the host (UserVmManager.getStrictHostTags)."""
    names = ["vm.strict.host.tags"]
    if cloud.configuration.flag("vm.strict.resource.limit.host.tag.check", default=True):
        names.append("resource.limit.host.tags")
    return {tag.strip() for name in names for tag in cloud.configuration.text(name).split(",") if tag.strip()}


def place(cloud: Cloud, vm: UserVm, *, within: Within = ANYWHERE, avoid: Collection[Host] = ()) -> Destination:
    """Where a VM can start: on its last host if possible, else where there is most room.

    Raises InsufficientCapacity (533) where nothing fits.
    """
    from cs_matrix_pytest.simulator.families.affinity_groups import wishes

    wish, demand = wishes(cloud, vm), demand_of(vm)
    carried = loads(cloud, without=vm)
    allowed = [host for host in cloud.store.table(Host) if wish.only is None or host in wish.only]
    unwanted = {*avoid, *wish.avoid}
    prefer = [*wish.prefer, *([vm.last_host] if vm.last_host else [])]
    hosts = pick_hosts(allowed, carried, demand, within=within, avoid=unwanted, prefer=prefer)
    # A host that was named, and the last one, need the strict tags only (checkVmProfileAndHost).
    known = [host for host in (within.host, vm.last_host) if host is not None and host in allowed and host not in hosts]
    lenient = replace(demand, tags=demand.tags & strict_tags(cloud))
    hosts = pick_hosts(known, carried, lenient, within=within, avoid=unwanted, prefer=prefer) + hosts
    if within.host is None:
        full = full_clusters(cloud, carried, demand)
        hosts = [host for host in hosts if host is vm.last_host or host.cluster not in full]
    hosts.sort(key=lambda host: host in wish.shun)
    homeless = [volume for volume in vm.volumes if volume.pool is None]
    housed = [volume.pool for volume in vm.volumes if volume.pool is not None]
    taken = space_taken(cloud) if homeless else {}
    for host in hosts:
        if not all(pool.state == "Up" and reaches(pool, host) for pool in housed):
            continue
        pools = _pools_for(cloud, homeless, dict(taken), host)
        if pools is not None:
            return Destination(host, pools)
    hint = (
        ", Please check the affinity groups provided, there may not be sufficient capacity to follow them"
        if vm.affinity_groups
        else ""
    )
    raise InsufficientCapacity(f"No destination found for a deployment for {describe(vm)}{hint}")


def _pools_for(
    cloud: Cloud, volumes: Sequence[Volume], taken: dict[StoragePool, int], host: Host
) -> dict[Volume, StoragePool] | None:
    chosen: dict[Volume, StoragePool] = {}
    for volume in volumes:
        pool = pick_pool(
            cloud.store.table(StoragePool),
            taken,
            lambda pool: space_of(cloud, pool),
            size=volume.size,
            offering=volume.disk_offering,
            host=host,
        )
        if pool is None:
            return None
        taken[pool] = taken.get(pool, 0) + volume.size
        chosen[volume] = pool
    return chosen


def migration_targets(cloud: Cloud, vm: UserVm) -> list[tuple[Host, bool]]:
    """Hosts that a running VM can migrate to, best first, and whether its volumes would have to move as well."""
    from cs_matrix_pytest.simulator.families.affinity_groups import wishes

    source, wish = vm.host, wishes(cloud, vm)
    hosts = pick_hosts(
        [host for host in cloud.store.table(Host) if wish.only is None or host in wish.only],
        loads(cloud, without=vm),
        demand_of(vm),
        avoid={*wish.avoid, *([source] if source else [])},
        prefer=wish.prefer,
    )
    pools = [volume.pool for volume in vm.volumes if volume.pool is not None]
    return sorted(
        ((host, not all(reaches(pool, host) for pool in pools)) for host in hosts), key=lambda choice: choice[1]
    )


def evacuate(cloud: Cloud, host: Host) -> bool:
    """Migrate every VM away from a host; False where one of them fits nowhere else."""
    done = True
    for vm in cloud.store.table(UserVm).where(host=host):
        target = next((other for other, moves_storage in migration_targets(cloud, vm) if not moves_storage), None)
        if target is None:
            done = False
        else:
            vm.last_host, vm.host = target, target
    return done


def load_of(cloud: Cloud, host: Host) -> Load:
    """What one host carries."""
    return loads(cloud).get(host, Load())
