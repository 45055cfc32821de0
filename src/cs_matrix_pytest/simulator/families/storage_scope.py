"""Changing the scope of primary storage, and what it can do (StorageManagerImpl)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, InvalidParameterValue, PermissionDenied
from cs_matrix_pytest.simulator.families.storage_pools import ZONE_WIDE
from cs_matrix_pytest.simulator.families.system_vm_changes import machine_type
from cs_matrix_pytest.simulator.families.system_volumes import system_volumes
from cs_matrix_pytest.simulator.models.infra import Cluster, StoragePool
from cs_matrix_pytest.simulator.models.networks import Router
from cs_matrix_pytest.simulator.models.vm import SystemVm, UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family, Success

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("storage_scope")

USING_A_HOST = ("Starting", "Running", "Stopping", "Migrating", "Restoring")
NO_POOL = "Unable to find storage pool with ID: {}"


@family.command("changeStoragePoolScope")
def change_scope(call: Call) -> Answer:
    wanted = call["scope"].upper()
    if wanted not in ("ZONE", "CLUSTER"):
        raise InvalidParameterValue(f"Invalid scope {call['scope']}for Primary storage")
    pool = call.one(StoragePool, missing=NO_POOL, error=ApiError)
    if pool.scope == wanted:
        raise InvalidParameterValue("New scope must be different than the current scope")
    if pool.scope not in ("ZONE", "CLUSTER"):
        raise InvalidParameterValue(
            "This operation is supported only for Primary storages having scope CLUSTER or ZONE"
        )
    if pool.state != "Disabled":
        raise InvalidParameterValue(
            f"Scope of the Primary storage with id {pool.id} cannot be changed, as it is not in the Disabled state"
        )
    if pool.zone.allocation_state == "Disabled":
        raise PermissionDenied(f"Cannot perform this operation, Zone is currently disabled: {pool.zone.number}")
    (_to_zone if wanted == "ZONE" else _to_cluster)(call, pool)
    return Success()


def _to_zone(_call: Call, pool: StoragePool) -> None:
    hypervisor = pool.cluster.hypervisor if pool.cluster else None
    if hypervisor not in ZONE_WIDE:
        raise InvalidParameterValue(
            f"Primary storage scope change to Zone is not supported for hypervisor type {hypervisor}"
        )
    pool.scope, pool.pod, pool.cluster, pool.hypervisor = "ZONE", None, None, hypervisor


def _to_cluster(call: Call, pool: StoragePool) -> None:
    if "clusterid" not in call:
        raise InvalidParameterValue("Cluster ID not provided")
    cluster = call.one(Cluster, "clusterid", missing="Unable to find cluster by id {}")
    if cluster.allocation_state == "Disabled":
        raise PermissionDenied(f"Cannot perform this operation, Cluster is currently disabled: {cluster.number}")
    elsewhere = _used_elsewhere(call.cloud, pool, cluster)
    if elsewhere:
        raise InternalError(
            f"Cannot change scope of the storage pool [{pool.name}] to cluster [{cluster.name}] as there are "
            f"{len(elsewhere)} VMs with volumes in this pool that are running on other clusters. All such User VMs must be "
            "stopped and System VMs must be destroyed before proceeding. Please use the API "
            "listAffectedVmsForStorageScopeChange to get the list."
        )
    pool.scope, pool.pod, pool.cluster, pool.hypervisor = "CLUSTER", cluster.pod, cluster, None


def _used_elsewhere(cloud: Cloud, pool: StoragePool, cluster: Cluster) -> list[UserVm | Router | SystemVm]:
    """The virtual machines with a disk on a pool that are on hosts of other clusters."""
    users = [vm for vm in cloud.store.table(UserVm) if any(volume.pool is pool for volume in vm.volumes)]
    machines = [volume.machine for volume in system_volumes(cloud) if volume.pool is pool]
    return [
        vm
        for vm in (*users, *machines)
        if vm.state in USING_A_HOST and vm.host is not None and vm.host.cluster is not cluster
    ]


@family.command("listAffectedVmsForStorageScopeChange", object_name="virtualmachine")
def list_affected(call: Call) -> Answer:
    pool = call.one(StoragePool, "storageid", missing=NO_POOL, error=ApiError)
    cluster = call.one(Cluster, "clusterid")
    found = _used_elsewhere(call.cloud, pool, cluster) if pool.scope == "ZONE" else []
    return {"count": len(found), "virtualmachine": [_affected(vm) for vm in found]} if found else None


def _affected(vm: UserVm | Router | SystemVm) -> dict[str, Any]:
    host = vm.host
    cluster = host.cluster if host else None
    return {
        "id": vm.id,
        "type": "User" if isinstance(vm, UserVm) else machine_type(vm),
        "name": vm.display_name if isinstance(vm, UserVm) else vm.name,
        **({"hostid": host.id, "hostname": host.name} if host else {}),
        **({"clusterid": cluster.id, "clustername": cluster.name} if cluster else {}),
    }


@family.command("updateStorageCapabilities", object_name="storagepool")
def update_capabilities(call: Call) -> Answer:
    pool = call.one(StoragePool, missing="Primary storage not found for id: {}", error=InternalError)
    if pool.type != "NetworkFilesystem":
        raise InternalError("Storage capabilities update only supported on NFS storage mounted.")
    if pool.state not in ("Initialized", "Up"):
        raise InternalError("Primary storage is not in the right state to update capabilities")
    if (pool.hypervisor or (pool.cluster.hypervisor if pool.cluster else None)) != "VMware":
        raise InternalError("Storage capabilities update only supported on VMWare.")
    # What an NFS datastore without the vendor's plugin for it tells.
    shown = call.cloud.view(pool, call)
    capabilities = {**shown.get("storagecapabilities", {}), "HARDWARE_ACCELERATION": "false"}
    return {"count": 1, "storagepool": [{**shown, "storagecapabilities": capabilities}]}
