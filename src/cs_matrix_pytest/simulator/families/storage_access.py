"""Storage access groups: which hosts may use which shared storage (StorageManagerImpl, ResourceManagerImpl)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError
from cs_matrix_pytest.simulator.families.capacity import access_groups_of
from cs_matrix_pytest.simulator.models.infra import Cluster, Host, Pod, StoragePool, Zone
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family, Listing, Success

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("storage access groups")

Holder = Zone | Pod | Cluster | Host | StoragePool
KINDS: dict[str, tuple[str, type[Holder]]] = {
    "hosts": ("hostid", Host),
    "clusters": ("clusterid", Cluster),
    "pods": ("podid", Pod),
    "zones": ("zoneid", Zone),
    "storagepools": ("storageid", StoragePool),
}
"""What has groups, by response field: the parameter that names one, and its class."""
IN_USE = (
    "There are volumes in storage pools with the Storage Access Groups that need to be deleted or in the storage pools "
    "which are already connected to the host"
)


def _levels(holder: Holder) -> list[tuple[str, Holder]]:
    """What stands above a host, cluster or pod, the nearest first."""
    names = {Host: ("cluster", "pod", "zone"), Cluster: ("pod", "zone"), Pod: ("zone",)}.get(type(holder), ())
    return [(name, above) for name in names if (above := getattr(holder, name)) is not None]


def _hosts_in(cloud: Cloud, holder: Holder) -> list[Host]:
    return cloud.store.table(Host).where(
        lambda host: host.type == "Routing" and holder in (host, host.cluster, host.pod, host.zone)
    )


def _uses(cloud: Cloud, host: Host, pools: Iterable[StoragePool]) -> bool:
    """True where a machine on a host has a volume on one of these pools."""
    wanted = set(pools)
    return any(volume.pool in wanted for vm in cloud.store.table(UserVm).where(host=host) for volume in vm.volumes)


def _pools_with(cloud: Cloud, groups: Sequence[str]) -> list[StoragePool]:
    return cloud.store.table(StoragePool).where(lambda pool: not set(groups).isdisjoint(pool.storage_access_groups))


@family.command("configureStorageAccess")
def configure_storage_access(call: Call) -> Answer:
    try:
        _configure(call)
    except ApiError as error:
        # Whatever is wrong, the command says so in these words.
        raise ApiError(f"Failed to configure storage access, {error.text}") from None
    return Success()


def _configure(call: Call) -> None:
    named = [(parameter, kind) for parameter, kind in KINDS.values() if parameter in call]
    if len(named) != 1:
        raise ApiError("Exactly one of zoneid, podid, clusterid, hostid or storagepoolid is required")
    groups = call.get("storageaccessgroups")
    if groups is None:
        raise ApiError("storageaccessgroups parameter is required")
    parameter, kind = named[0]
    holder: Holder = call.one(kind, parameter)
    if isinstance(holder, StoragePool):
        _check_pool(call.cloud, holder, groups)
    else:
        _check_apart(holder, groups)
        if set(groups) != set(holder.storage_access_groups):
            _check_users(call.cloud, holder, groups)
            _clear_below(call.cloud, holder, groups)
    holder.storage_access_groups = list(groups)


def _check_apart(holder: Holder, groups: Sequence[str]) -> None:
    """Raise where a group is already that of what stands above."""
    taken = [
        f"on the {level}: [{', '.join(shared)}]"
        for level, above in _levels(holder)
        if (shared := [group for group in groups if group in above.storage_access_groups])
    ]
    if taken:
        raise ApiError(f"access groups already exist {', '.join(taken)}")


def _check_users(cloud: Cloud, holder: Holder, groups: Sequence[str]) -> None:
    """Raise where machines would lose the storage that they are on."""
    gone = [group for group in holder.storage_access_groups if group not in groups]
    pools = _pools_with(cloud, gone)
    if isinstance(holder, Host):
        kept = {*groups, *(holder.cluster.storage_access_groups if holder.cluster else ())}
        lost = [pool for pool in pools if kept.isdisjoint(pool.storage_access_groups)]
        if _uses(cloud, holder, lost):
            raise ApiError(IN_USE)
        return
    hosts = _hosts_in(cloud, holder)
    if gone and hosts and all(_uses(cloud, host, pools) for host in hosts):
        raise ApiError(f"All hosts in the {type(holder).__name__.lower()} are using the storage access groups")


def _clear_below(cloud: Cloud, holder: Holder, groups: Sequence[str]) -> None:
    """What stands above has groups for all below it: they lose the same ones, and what is taken away. A host that still
    uses a group that is taken away keeps it as its own."""
    gone = [group for group in holder.storage_access_groups if group not in groups]
    pools = _pools_with(cloud, gone)
    for host in [] if isinstance(holder, Host) else _hosts_in(cloud, holder):
        kept = [group for group in host.storage_access_groups if group not in (*groups, *gone)]
        host.storage_access_groups = [*kept, *gone] if _uses(cloud, host, pools) else kept
    below: list[Pod | Cluster] = []
    if isinstance(holder, Zone):
        below += cloud.store.table(Pod).where(zone=holder)
    if isinstance(holder, Zone | Pod):
        below += cloud.store.table(Cluster).where(lambda cluster: holder in (cluster.pod, cluster.zone))
    for each in below:
        each.storage_access_groups = [group for group in each.storage_access_groups if group not in groups]


def _check_pool(cloud: Cloud, pool: StoragePool, groups: Sequence[str]) -> None:
    if pool.scope == "HOST":
        raise ApiError("Storage Access Groups are not suitable for local storage")
    hosts = _hosts_in(cloud, pool.cluster or pool.zone)
    cut_off = [host for host in hosts if groups and access_groups_of(host).isdisjoint(groups)]
    if any(_uses(cloud, host, [pool]) for host in cut_off):
        raise ApiError(
            "Storage access groups cannot be updated as they are currently in use by some hosts. Please check the logs."
        )


@family.command("listStorageAccessGroups", object_name="storageaccessgroup")
def list_storage_access_groups(call: Call) -> Answer:
    name, keyword = call.get("name", ""), call.get("keyword", "")
    holders: list[Holder] = [row for _, kind in KINDS.values() for row in call.cloud.store.table(kind)]
    groups = dict.fromkeys(group for holder in holders for group in holder.storage_access_groups)
    found = [group for group in groups if (not name or group == name) and keyword in group]
    rows = [{"name": group, **(_members(call.cloud, group) if name else {})} for group in found]
    return Listing(rows, len(rows))


def _members(cloud: Cloud, group: str) -> dict[str, Any]:
    return {
        field: {
            "responses": [
                {"id": row.id, "name": row.name}
                for row in cloud.store.table(kind)
                if group in row.storage_access_groups
            ]
        }
        for field, (_, kind) in KINDS.items()
    }
