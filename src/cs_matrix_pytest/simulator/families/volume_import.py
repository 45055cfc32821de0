"""Taking volumes out of CloudStack's hands, and back into them (VolumeImportUnmanageManagerImpl). For KVM and VMware."""

from __future__ import annotations

from typing import Any

from cs_matrix_pytest.simulator.access import check_owner, owner_of_new
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, ResourceLimitExceeded
from cs_matrix_pytest.simulator.families import volumes
from cs_matrix_pytest.simulator.families.volumes import describe_in_full
from cs_matrix_pytest.simulator.hypervisors import hypervisor_facts
from cs_matrix_pytest.simulator.models.iam import Account
from cs_matrix_pytest.simulator.models.infra import Host, StoragePool
from cs_matrix_pytest.simulator.models.loose_volumes import LooseVolume
from cs_matrix_pytest.simulator.models.offerings import DiskOffering
from cs_matrix_pytest.simulator.models.storage import GIB, Volume
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.texts import described

family = Family("volume_import")

SUPPORTED = ("KVM", "VMware")
POOLS_OF_KVM = ("NetworkFilesystem", "Filesystem", "RBD", "SharedMountPoint")
DEFAULT_OFFERING = "Default Custom Offering for Volume Import"
IN_MAINTENANCE = ("Maintenance", "PrepareForMaintenance", "CancelMaintenance", "ErrorInMaintenance")


def _available(pool: Any, number: object, call: Call) -> StoragePool:
    if not isinstance(pool, StoragePool) or pool not in call.cloud.store:
        raise InternalError(f"Storage pool (ID: {number}) does not exist")
    if pool.state in IN_MAINTENANCE:
        raise InternalError(f"Storage pool {described(pool)} is in maintenance")
    if pool.state != "Up":
        raise InternalError(f"Storage pool {described(pool)} is not Up: {pool.state}")
    return pool


def _pool(call: Call) -> StoragePool:
    pool = call["storageid"]
    return _available(pool, getattr(pool, "number", pool), call)


def _check_host(call: Call, pool: StoragePool) -> str:
    """The hypervisor of the hosts that a pool is on. Raises InternalError where it is not supported."""
    hosts = call.cloud.store.table(Host)
    host = hosts.first(
        lambda host: (
            host.is_routing
            and host.zone is pool.zone
            and pool.cluster in (None, host.cluster)
            and pool.host in (None, host)
            and pool.hypervisor in (None, "Any", host.hypervisor)
        )
    )
    if host is None:
        raise InternalError("No host found to perform volume import")
    if host.hypervisor not in SUPPORTED:
        raise InternalError(f"Importing and unmanaging volume are not supported for hypervisor: {host.hypervisor}")
    if host.hypervisor == "KVM" and pool.type not in POOLS_OF_KVM:
        raise InternalError(
            f"Importing and unmanaging volume are not supported for pool type {pool.type} on hypervisor KVM"
        )
    return host.hypervisor


@family.command("listVolumesForImport")
def list_for_import(call: Call) -> Answer:
    pool, path, keyword = _pool(call), call.get("path"), (call.get("keyword") or "").strip()
    _check_host(call, pool)
    loose = call.cloud.store.table(LooseVolume).where(pool=pool)
    rows = [row for row in loose if path in (None, row.path) and keyword in row.path]
    if not rows:
        return None
    return {"count": len(rows), "volumeforimport": [_shown(row) for row in rows]}


def _shown(row: LooseVolume) -> dict[str, Any]:
    return {
        "path": row.path,
        "name": row.path.rpartition("/")[2],
        "fullpath": f"/mnt/{row.pool.id}/{row.path}",
        "format": row.format.lower(),
        "size": row.size,
        "virtualsize": row.size,
        "storageid": row.pool.id,
        "storage": row.pool.name,
        "storagetype": row.pool.type,
        "details": {"IS_LOCKED": "false", "IS_ENCRYPTED": "false"},
    }


@family.command("importVolume")
def import_volume(call: Call) -> Answer:
    cloud, owner, path = call.cloud, owner_of_new(call), call["path"]
    pool = _pool(call)
    if not path.strip():
        raise InternalError(f"Volume path is null or blank: {path}")
    if cloud.store.table(Volume).first(pool=pool, path=path) is not None:
        raise InternalError(f"Volume is already managed by CloudStack: {path}")
    hypervisor = _check_host(call, pool)
    loose = cloud.store.table(LooseVolume).first(pool=pool, path=path)
    if loose is None:
        raise InternalError(f"Cannot find volume on storage pool: {path}")
    offering = _offering(call, owner, pool)
    if offering.customized:
        volumes.check_custom_size(cloud, loose.size // GIB)
    if not set(offering.storage_tags) <= set(pool.storage_tags):
        raise InternalError(
            f"Disk offering: {described(offering)} storage tags are not compatible with selected storage pool: "
            f"{described(pool)}"
        )
    tags = cloud.limits.storage_tags(offering)
    try:
        cloud.limits.check(owner, "volume", tags=tags)
        cloud.limits.check(owner, "primary_storage", loose.size, tags=tags)
    except ResourceLimitExceeded as error:
        raise ApiError(f"VM resource allocation error for account: {owner.id}. {error.text}") from None
    volume = volumes.new_volume(
        cloud,
        owner,
        name=(call.get("name") or "").strip() or path,
        zone=pool.zone,
        type="DATADISK",
        size=loose.size,
        disk_offering=offering,
    )
    volume.path = path
    volumes.put_on(volume, pool, hypervisor)
    cloud.store.remove(loose)
    return volume


def _offering(call: Call, owner: Account, pool: StoragePool) -> DiskOffering:
    storage = "local" if pool.scope == "HOST" else "shared"
    if "diskofferingid" not in call:
        return _default_offering(call, storage)
    offering = call.one(DiskOffering, "diskofferingid", missing="Disk offering {} does not exist", error=InternalError)
    problem = None
    if offering.state != "Active":
        problem = "is not active"
    elif offering.storage_type != storage:
        problem = f"should use {storage} storage"
    elif offering.encrypt:
        problem = "should not support volume encryption"
    elif offering.domains and not any(domain.contains(owner.domain) for domain in offering.domains):
        problem = f"is not accessible by owner Account [{owner.name}]"
    if problem is not None:
        raise InternalError(f"Disk offering {described(offering)} {problem}")
    return offering


def _default_offering(call: Call, storage: str) -> DiskOffering:
    name = DEFAULT_OFFERING + (" - Local Storage" if storage == "local" else "")
    table = call.cloud.store.table(DiskOffering)
    return table.first(name=name, storage_type=storage) or call.cloud.store.add(
        DiskOffering(name=name, display_text=name, customized=True, storage_type=storage)
    )


@family.command("unmanageVolume")
def unmanage(call: Call) -> Answer:
    try:
        volume = _unmanageable(call)
        pool = _available(volume.pool, volume.pool, call)
        hypervisor = _check_host(call, pool)
    except InternalError as error:
        raise ApiError(error.text) from None
    loose = LooseVolume(
        pool=pool, path=volume.path or volume.id, size=volume.size, format=hypervisor_facts(hypervisor).image_format
    )
    call.cloud.store.add(loose)
    volume.state = "Destroy"
    call.cloud.store.remove(volume)
    return Success()


def _unmanageable(call: Call) -> Volume:
    volume = call.one(Volume, missing="Volume (ID: {}) does not exist", error=InternalError)
    check_owner(call.account, volume.account)
    if volume.state != "Ready":
        raise InternalError(f"Volume {describe_in_full(volume)} is not ready")
    if volume.disk_offering.encrypt:
        raise InternalError(f"Volume {describe_in_full(volume)} is encrypted")
    if volume.vm is not None:
        raise InternalError(f"Volume {describe_in_full(volume)} is attached to VM (ID: {volume.vm.number})")
    return volume
