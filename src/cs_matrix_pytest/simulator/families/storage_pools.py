"""Primary storage (StorageManagerImpl, CloudStackPrimaryDataStoreLifeCycleImpl, StoragePoolJoinDaoImpl)."""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import (
    InternalError,
    InvalidParameterValue,
    ParameterError,
    PermissionDenied,
    ResourceUnavailable,
    as_internal_errors,
)
from cs_matrix_pytest.simulator.families.annotations import has_annotations
from cs_matrix_pytest.simulator.families.capacity_reports import pool_allocated
from cs_matrix_pytest.simulator.families.hosts import check_scripts_allowed
from cs_matrix_pytest.simulator.hypervisors import api_name
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.infra import Cluster, Host, HypervisorCapabilities, Pod, StoragePool, Zone
from cs_matrix_pytest.simulator.models.jobs import IN_PROGRESS
from cs_matrix_pytest.simulator.models.storage import Volume
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.texts import described
from cs_matrix_pytest.simulator.urls import parts_of
from cs_matrix_pytest.simulator.views import when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("storage_pools")

POOL_TYPES = {
    "nfs": "NetworkFilesystem",
    "cifs": "SMB",
    "file": "Filesystem",
    "sharedmountpoint": "SharedMountPoint",
    "clvm": "CLVM",
    "clvm_ng": "CLVM_NG",
    "rbd": "RBD",
    "presetup": "PreSetup",
    "datastorecluster": "DatastoreCluster",
    "iscsi": "IscsiLUN",
    "iso": "ISO",
    "vmfs": "VMFS",
    "ocfs2": "OCFS2",
    "gluster": "Gluster",
}
"""Pool type by URL scheme."""
ZONE_WIDE = ("KVM", "VMware", "Hyperv", "LXC", "Any", "Simulator", "Custom", "External")
"""Hypervisors that can have storage of a whole zone."""
WITH_MOUNT_OPTIONS = ("KVM", "Simulator")
SCOPES = ("CLUSTER", "ZONE", "HOST")


@family.view(StoragePool)
def pool_view(pool: StoragePool, call: Call) -> dict[str, Any]:
    cloud, pod, cluster, name = call.cloud, pool.pod, pool.cluster, call.command.name
    shown: dict[str, Any] = {
        "id": pool.id,
        "zoneid": pool.zone.id,
        "zonename": pool.zone.name,
        "podid": pod.id if pod else None,
        "podname": pod.name if pod else None,
        "name": pool.name,
        "ipaddress": pool.ip_address,
        "path": pool.path,
        "created": when(pool.created),
        "type": pool.type,
        "clusterid": cluster.id if cluster else None,
        "clustername": cluster.name if cluster else None,
        "capacitybytes": pool.capacity,
        "disksizetotal": pool.capacity,
        "disksizeallocated": pool_allocated(cloud, pool),
        "disksizeused": 0,
        "tags": ",".join(pool.storage_tags) or None,
        "istagarule": pool.tag_is_rule,
        "state": pool.state,
        "scope": pool.scope,
        "overprovisionfactor": str(cloud.configuration.number("storage.overprovisioning.factor", pool, default=2.0)),
        "hypervisor": pool.hypervisor,
        "provider": pool.provider,
        "managed": pool.managed,
        "storageaccessgroups": ",".join(pool.storage_access_groups) or None,
        "details": dict(pool.details) if pool.details or name.startswith("listStoragePools") else None,
        "hasannotations": has_annotations(pool, call),
    }
    if name not in ("createStoragePool", "findStoragePoolsForMigration"):
        shown |= {"capacityiops": pool.capacity_iops or 1000000, "usediops": 500000}
    if name.startswith("listStoragePools"):
        shown["storagecapabilities"] = {"VOLUME_SNAPSHOT_QUIESCEVM": "false"}
    if call.job is not None and call.job.status == IN_PROGRESS:
        shown |= {"jobid": call.job.id, "jobstatus": call.job.status}
    return shown


def pool_uuid(host: str, path: str) -> str:
    """The id of a pool follows from its place, as Java's UUID.nameUUIDFromBytes."""
    digest = hashlib.md5(f"{host}{path}".encode(), usedforsecurity=False).digest()
    return str(uuid.UUID(bytes=digest, version=3))


def split_url(url: str) -> SplitResult:
    """The parts of a storage URL; raises InvalidParameterValue where it names no host or path."""
    parts = parts_of(url)
    if not parts.scheme:
        raise InvalidParameterValue(f"scheme is null {url}, add nfs:// (or cifs://) as a prefix")
    if parts.scheme == "nfs" and not (parts.netloc.split(":")[0] and parts.path):
        raise InvalidParameterValue("host or path is null, should be nfs://hostname/path")
    return parts


@family.command("createStoragePool")
@as_internal_errors()
def create_storage_pool(call: Call) -> Answer:
    check_scripts_allowed(call, "istagarule", wanted=call.flag("istagarule"))
    cloud, parts = call.cloud, split_url(call["url"])
    cluster, pod = call.maybe(Cluster, "clusterid"), call.maybe(Pod, "podid")
    local = parts.scheme == "file"
    scope = (call.get("scope") or ("HOST" if local else "CLUSTER")).upper()
    if scope not in SCOPES:
        raise InvalidParameterValue(f"invalid scope for pool {call['scope']}")
    if scope == "CLUSTER" and cluster is None:
        raise InvalidParameterValue("cluster id can't be null, if scope is cluster")
    if scope == "ZONE":
        hypervisor, cluster, pod = _zone_wide_hypervisor(call), None, None
    else:
        hypervisor = cluster.hypervisor if cluster else cloud.hypervisor
    if "nfsmountopts" in call.map("details"):
        _check_mount_options(hypervisor, parts.scheme)
    zone = call.one(Zone, "zoneid", missing="unable to find zone by id {}")
    if local and not zone.local_storage_enabled:
        raise InvalidParameterValue(f"Local storage is not enabled for zone: {described(zone)}")
    if cluster is not None and pod is None:
        raise InternalError("Failed to add data store: Cluster id requires pod id")
    if not any(_attachable(host, zone, cluster, hypervisor) for host in cloud.store.table(Host)):
        where = f"cluster {cluster.name}" if cluster else f"zone {zone.name}"
        raise InternalError(f"Failed to add data store: No host up to associate a storage pool with in {where}")
    for name in ("capacitybytes", "capacityiops"):
        if name in call and call[name] <= 0:
            shown = {"capacitybytes": "capacityBytes", "capacityiops": "capacityIops"}[name]
            raise InternalError(f"Failed to add data store: '{shown}' must be greater than 0.")
    pool = StoragePool(
        name=call["name"],
        zone=zone,
        pod=pod,
        cluster=cluster,
        url=call["url"],
        type=POOL_TYPES.get(parts.scheme.lower(), parts.scheme),
        scope=scope,
        ip_address="localhost" if local else parts.netloc.rpartition("@")[2].split(":")[0],
        path=unquote(parts.path),
        hypervisor=hypervisor,
        provider=call.get("provider") or "DefaultPrimary",
        managed=call.flag("managed"),
        tag_is_rule=call.flag("istagarule"),
        capacity_iops=call.get("capacityiops"),
        storage_tags=[tag for tag in call.get("tags", "").split(",") if tag],
        storage_access_groups=[group for group in call.get("storageaccessgroups", "").split(",") if group],
        capacity=call.get("capacitybytes") or 1024**4,
        details=call.map("details"),
    )
    for other in cloud.store.table(StoragePool):
        if (other.ip_address, other.path) == (pool.ip_address, pool.path) and parts.scheme != "sharedmountpoint":
            raise InternalError(
                f"Failed to add data store: Storage pool {pool.path} already in use by another pod "
                f"(id={other.pod.number if other.pod else 'null'})"
            )
    if parts.scheme.lower() != "sharedmountpoint":
        pool.id = pool_uuid(pool.ip_address, pool.path)
    cloud.store.add(pool)
    from cs_matrix_pytest.simulator.families.system_vms import expect_system_vms

    expect_system_vms(cloud, zone)
    return pool


def _check_mount_options(hypervisor: str, scheme: str) -> None:
    if hypervisor not in WITH_MOUNT_OPTIONS:
        raise InvalidParameterValue(f"NFS options can not be set for the hypervisor type {hypervisor}")
    if scheme != "nfs":
        raise InvalidParameterValue("NFS options can only be set on pool type NetworkFilesystem")


def _zone_wide_hypervisor(call: Call) -> str:
    if "hypervisor" not in call:
        raise InvalidParameterValue(
            "Missing parameter hypervisor. Hypervisor type is required to create zone wide primary storage."
        )
    hypervisor = api_name(call["hypervisor"])
    if hypervisor not in ZONE_WIDE:
        raise InvalidParameterValue(f"Zone wide storage pool is not supported for hypervisor type {call['hypervisor']}")
    return hypervisor


def _attachable(host: Host, zone: Zone, cluster: Cluster | None, hypervisor: str) -> bool:
    if not host.is_routing or host.state != "Up":
        return False
    return host.cluster is cluster if cluster else host.zone is zone and host.hypervisor in (hypervisor, "Any")


def add_local_storage(cloud: Cloud, host: Host) -> None:
    """A host's own disk becomes a pool where its zone has local storage enabled."""
    if not host.zone.local_storage_enabled:
        return
    cloud.store.add(
        StoragePool(
            name=f"{host.name} Local Storage",
            zone=host.zone,
            pod=host.pod,
            cluster=host.cluster,
            type="Filesystem",
            scope="HOST",
            host=host,
            ip_address=host.ip_address,
            path=f"/mnt/{host.id}",
            hypervisor=host.hypervisor,
        )
    )


@family.command("updateStoragePool")
def update_storage_pool(call: Call) -> Answer:
    check_scripts_allowed(call, "istagarule", wanted=call.flag("istagarule"))
    pool = call.one(StoragePool, missing="Unable to find storage pool with ID: {}", error=ParameterError)
    if "nfsmountopts" in call.map("details"):
        if pool.hypervisor not in WITH_MOUNT_OPTIONS:
            raise InvalidParameterValue("NFS options can only be set for the hypervisor type KVM")
        if pool.type != "NetworkFilesystem":
            raise InvalidParameterValue("NFS options can only be set on pool type NetworkFilesystem")
        if pool.state != "Maintenance":
            raise InvalidParameterValue("The storage pool should be in maintenance mode to edit nfs options")
    pool.name = (call.get("name") or "").strip() or pool.name
    if "tags" in call:
        pool.storage_tags = [tag for tag in call["tags"] if tag]
        pool.tag_is_rule = call.flag("istagarule")
    pool.capacity = call.get("capacitybytes", pool.capacity)
    pool.capacity_iops = call.get("capacityiops", pool.capacity_iops)
    pool.details.update(call.map("details"))
    if "enabled" in call:
        _enable(pool, call["enabled"])
    return pool


def _enable(pool: StoragePool, wanted: bool) -> None:
    before, after, verb = ("Disabled", "Up", "enabled") if wanted else ("Up", "Disabled", "disabled")
    if pool.state != before:
        raise InvalidParameterValue(
            f"Primary storage {described(pool)} cannot be {verb}. Storage pool state : {pool.state}"
        )
    pool.state = after


def volumes_on(cloud: Cloud, pool: StoragePool) -> list[Volume]:
    """The volumes that a pool holds."""
    return cloud.store.table(Volume).where(pool=pool)


@family.command("deleteStoragePool")
def delete_storage_pool(call: Call) -> Answer:
    pool, cloud = call.one(StoragePool, missing="Unable to find pool by id {}"), call.cloud
    if pool.state != "Maintenance":
        raise InvalidParameterValue(
            f"Unable to delete storage due to it is not in Maintenance state, pool: {described(pool)}"
        )
    volumes = volumes_on(cloud, pool)
    destroyed = [volume for volume in volumes if volume.state in ("Destroy", "Expunged")]
    if len(volumes) > (len(destroyed) if call.flag("forced") else 0):
        raise InternalError(
            f"Cannot delete pool {described(pool)} as there are non-destroyed volumes associated to this pool."
        )
    for volume in destroyed:
        cloud.store.remove(volume)
    cloud.store.remove(pool)
    return Success()


@family.command("enableStorageMaintenance")
def enable_maintenance(call: Call) -> Answer:
    lost = "Unable to obtain lock on the storage pool record in preparePrimaryStorageForMaintenance()"
    pool, cloud = call.one(StoragePool, missing=lost), call.cloud
    if pool.state not in ("Up", "ErrorInMaintenance"):
        raise InvalidParameterValue(
            f"Primary storage {described(pool)} is not ready for migration, as the status is:{pool.state}"
        )
    from cs_matrix_pytest.simulator.families.system_vms import restart_elsewhere

    pool.state = "Maintenance"
    for volume in volumes_on(cloud, pool):
        vm = volume.vm
        if isinstance(vm, UserVm) and vm.state == "Running":
            vm.state, vm.last_host, vm.host = "Stopped", vm.host, None
    restart_elsewhere(cloud, pool)
    return pool


@family.command("cancelStorageMaintenance")
def cancel_maintenance(call: Call) -> Answer:
    lost = "Unable to obtain lock on the storage pool in cancelPrimaryStorageForMaintenance()"
    pool = call.one(StoragePool, missing=lost)
    if pool.state in ("Up", "PrepareForMaintenance"):
        raise ResourceUnavailable(
            f"Primary storage {described(pool)} is not ready to complete migration, as the status is:{pool.state}"
        )
    pool.state = "Up"
    return pool


@family.command("syncStoragePool")
def sync_storage_pool(call: Call) -> Answer:
    lost = "Unable to find the storage pool with id {} record while syncing storage pool with management server"
    pool = call.one(StoragePool, missing=lost)
    if pool.type != "DatastoreCluster":
        raise InvalidParameterValue(
            "SyncStoragePool API is currently supported only for storage type of datastore cluster"
        )
    if pool.state != "Up":
        raise InvalidParameterValue(
            f"Primary storage {described(pool)} is not ready for syncing, as the status is {pool.state}"
        )
    return pool


POOL_STATES = (
    "Creating",
    "Created",
    "Attaching",
    "Initialized",
    "Initializing",
    "Up",
    "PrepareForMaintenance",
    "ErrorInMaintenance",
    "CancelMaintenance",
    "Maintenance",
    "Disabled",
    "Removed",
    "Error",
)


def listed_pools(call: Call) -> list[StoragePool]:
    """All pools; raises InvalidParameterValue where the request asks for a scope or status that there is not."""
    for parameter, known, called in (("scope", (*SCOPES, "REGION"), "scope type"), ("status", POOL_STATES, "status")):
        wanted = call.get(parameter)
        if wanted is not None and wanted.lower() not in [each.lower() for each in known]:
            raise InvalidParameterValue(f"Invalid {called}: {wanted}")
    return list(call.cloud.store.table(StoragePool))


family.listing(
    "listStoragePools",
    StoragePool,
    rows=listed_pools,
    keyword=("name", "type"),
    filters={
        "hostid": lambda pool, host, _call: _reaches(pool, host),
        "status": lambda pool, value, _call: pool.state.lower() == value.lower(),
        "ipaddress": lambda pool, value, _call: pool.ip_address == value,
        "storageaccessgroup": lambda pool, value, _call: value in pool.storage_access_groups,
        "storagecustomstats": lambda _pool, _value, _call: True,
    },
)


def _reaches(pool: StoragePool, host: Any) -> bool:
    if not isinstance(host, Host):
        return False
    if pool.host is not None:
        return pool.host is host
    return pool.cluster is host.cluster if pool.cluster else pool.zone is host.zone


@family.command("listStorageTags", object_name="storagetag")
def list_storage_tags(call: Call) -> Answer:
    keyword = call.get("keyword", "").lower()
    rows = [
        {"name": tag, "poolid": pool.number}
        for pool in call.cloud.store.table(StoragePool)
        for tag in pool.storage_tags
        if keyword in tag.lower()
    ]
    return page(call, rows)


@family.command("findStoragePoolsForMigration", object_name="storagepool")
def find_pools_for_migration(call: Call) -> Answer:
    cloud, keyword = call.cloud, call.get("keyword", "").lower()
    if not call.is_root_admin:
        raise PermissionDenied("No permission to migrate volume, only root admin can migrate a volume")
    volume = call["id"]
    if not isinstance(volume, Volume) or volume not in cloud.store:
        number = str(getattr(volume, "number", volume))
        raise InvalidParameterValue("Unable to find volume with specified id.", named={"volumeId": number})
    source, vm = volume.pool, volume.vm
    if (
        source is None
        or volume.state != "Ready"
        or (vm and vm.state == "Running" and not moves_disks(cloud, vm, exactly=True))
    ):
        return {}
    cluster = source.cluster or (vm.cluster if vm else None)
    rows = [
        {**cloud.view(pool, call), "suitableformigration": suits(pool, volume), "jobstatus": 0}
        for pool in cloud.store.table(StoragePool)
        if pool is not source
        and pool.zone is source.zone
        and pool.hypervisor == source.hypervisor
        and (pool.scope == "ZONE" or vm is None or pool.cluster is cluster)
        and keyword in pool.name.lower()
    ]
    rows.sort(key=lambda row: not row["suitableformigration"])
    return page(call, rows)


def moves_disks(cloud: Cloud, vm: UserVm, *, exactly: bool = False) -> bool:
    """True where a hypervisor can move the disks of a running VM (isStorageMotionSupported); ``exactly``: of its version,
    which counts for KVM too (findByHypervisorTypeAndVersion)."""
    rows = cloud.store.table(HypervisorCapabilities).where(hypervisor=vm.hypervisor)
    version = (vm.host.hypervisor_version if vm.host else None) or "default"
    known = [row for row in rows if row.version == version]
    if not known and vm.hypervisor == "KVM" and not exactly:
        known = rows
    elif not known and vm.hypervisor == "VMware":
        known = [row for row in rows if row.version == version.rpartition(".")[0]]
    return any(row.facts.get("storagemotionenabled") for row in known)


def suits(pool: StoragePool, volume: Volume) -> bool:
    """True where a pool has what a volume's disk offering asks for."""
    tags = volume.disk_offering.storage_tags if volume.disk_offering else []
    local = pool.scope == "HOST"
    return (
        pool.state == "Up"
        and set(tags) <= set(pool.storage_tags)
        and (not local or (volume.vm is not None and volume.vm.host is pool.host))
    )
