"""What is done with volumes: create, attach, detach, resize, migrate, extract, destroy (VolumeApiServiceImpl)."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from cs_matrix_pytest.simulator.access import check_access, check_owner, describe, owner_of_new
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.clock import timed
from cs_matrix_pytest.simulator.errors import (
    ApiError,
    InternalError,
    InvalidParameterValue,
    PermissionDenied,
    ResourceLimitExceeded,
    as_internal_errors,
)
from cs_matrix_pytest.simulator.families import capacity, volumes
from cs_matrix_pytest.simulator.families.annotations import HIDDEN
from cs_matrix_pytest.simulator.families.images import check_url, format_of
from cs_matrix_pytest.simulator.families.kms_keys import key_for_volume
from cs_matrix_pytest.simulator.families.public_ips import check_custom_id, describe_zone, rename
from cs_matrix_pytest.simulator.families.storage_pools import moves_disks
from cs_matrix_pytest.simulator.families.vm_deploy import check_usable
from cs_matrix_pytest.simulator.families.volumes import CDROM_DEVICE
from cs_matrix_pytest.simulator.hypervisors import hypervisor_facts
from cs_matrix_pytest.simulator.models.backups import Backup
from cs_matrix_pytest.simulator.models.iam import Account, Project
from cs_matrix_pytest.simulator.models.infra import Cluster, HypervisorCapabilities, StoragePool, Zone
from cs_matrix_pytest.simulator.models.offerings import DiskOffering
from cs_matrix_pytest.simulator.models.storage import GIB, Snapshot, Volume
from cs_matrix_pytest.simulator.models.vm import UserVm, VmSnapshot
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.store import Resource, new_uuid

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("changes of volumes")

STATES = (
    "Allocated",
    "Creating",
    "Ready",
    "Migrating",
    "Snapshotting",
    "RevertSnapshotting",
    "Resizing",
    "Expunging",
    "Expunged",
    "Destroy",
    "Destroying",
    "UploadOp",
    "Copying",
    "Uploaded",
    "NotUploaded",
    "UploadInProgress",
    "UploadError",
    "UploadAbandoned",
    "Attaching",
    "Restoring",
    "Consolidating",
    "RestoreError",
)
"""Every state of a volume (Volume.State)."""
MAX_DATA_DISKS = 6
"""Data disks of a VM where the hypervisor's capabilities say nothing."""
ROOT_DETACHABLE = ("simulator", "kvm", "vmware", "xenserver")
EXTRACT_MODES = ("FTP_UPLOAD", "HTTP_DOWNLOAD")
BACKED_UP = "backup.enable.attach.detach.of.volumes"
IN_MAINTENANCE = ("PrepareForMaintenance", "Maintenance", "ErrorInMaintenance")
"""States of a pool that is in maintenance (StoragePool.isInMaintenance)."""


def may_expunge(call: Call) -> bool:
    """True for admins, and for everybody where ``allow.user.expunge.recover.volume`` says so."""
    return not call.account.is_normal or call.cloud.configuration.flag(
        "allow.user.expunge.recover.volume", call.account, default=True
    )


def iops_of(call: Call, offering: DiskOffering) -> tuple[int | None, int | None]:
    """A new volume's operations per second: as asked for where the offering is customised."""
    if not offering.custom_iops:
        return offering.min_iops, offering.max_iops
    least, most = call.get("miniops"), call.get("maxiops")
    if least is None and most is None:
        return 0, 0
    if least is None or least <= 0:
        raise InvalidParameterValue("The min IOPS must be greater than 0.")
    if least > (most or 0):
        raise InvalidParameterValue("The min IOPS must be less than or equal to the max IOPS.")
    return least, most or 0


def size_by(call: Call, offering: DiskOffering) -> int:
    """A new data disk's bytes by its offering and ``size`` (GiB)."""
    asked = call.get("size")
    if asked is not None and asked <= 0:
        raise InvalidParameterValue("Disk size must be larger than 0")
    if offering.compute_only:
        raise InvalidParameterValue("Please specify a valid disk offering.")
    if not offering.customized and asked is not None:
        raise InvalidParameterValue("This disk offering does not allow custom size")
    return volumes.disk_size(call.cloud, offering, asked)


def check_room(call: Call, owner: Account, offering: DiskOffering, count: int, size: int) -> None:
    """Raise ResourceLimitExceeded where an owner may not have ``count`` more volumes of ``size`` more bytes."""
    tags = call.cloud.limits.storage_tags(offering)
    call.cloud.limits.check(owner, "volume", count, tags=tags)
    call.cloud.limits.check(owner, "primary_storage", size, tags=tags)


@family.command("createVolume")
def create_volume(call: Call) -> Generator[Resource, None, Answer]:
    cloud, owner = call.cloud, owner_of_new(call)
    check_access(cloud, call.account, owner)
    snapshot = _snapshot(call)
    offering = call.params.get("diskofferingid")
    if snapshot is None and offering is None:
        raise InvalidParameterValue(
            "At least one of disk Offering ID or snapshot ID must be passed whilst creating volume"
        )
    if snapshot is not None and offering is not None and not snapshot.volume.is_root:
        raise InvalidParameterValue(
            "Disk Offering ID cannot be passed whilst creating volume from snapshot other than ROOT disk snapshots"
        )
    zone = call.maybe(Zone, "zoneid")
    if zone is None and snapshot is None:
        raise InvalidParameterValue("Please specify a zone")
    zone = zone or (snapshot.zone if snapshot else None)
    assert zone is not None
    check_access(cloud, owner, zone)
    size = snapshot.size if snapshot else 0
    iops: tuple[int | None, int | None] | None = None
    if offering is not None:
        if not isinstance(offering, DiskOffering) or offering not in cloud.store:
            raise InvalidParameterValue("Please specify a valid disk offering.")
        size = size_by(call, offering)
        check_usable(owner, offering, zone)
        iops = iops_of(call, offering)
        if snapshot is not None and size < snapshot.size:
            raise InvalidParameterValue(
                f"Invalid size for volume creation: {size // GIB}GB, snapshot size is: {snapshot.size // GIB}GB"
            )
    elif snapshot is not None:
        offering = snapshot.volume.disk_offering
        if offering.compute_only:
            # The server keeps the offering of the root disk; the new disk is a data disk of it.
            iops = snapshot.volume.min_iops, snapshot.volume.max_iops
    vm = call.maybe(UserVm, "virtualmachineid") if snapshot is not None else None
    if vm is not None:
        if vm.zone is not zone:
            raise InvalidParameterValue("The specified zone is different than zone of the VM")
        if vm.state not in ("Running", "Stopped"):
            raise InvalidParameterValue("Please specify a VM that is either running or stopped.")
        check_access(cloud, call.account, vm)
    assert offering is not None
    check_room(call, owner, offering, 1, size)
    if zone.allocation_state == "Disabled" and not call.is_root_admin:
        raise PermissionDenied(f"Cannot perform this operation, Zone: {describe_zone(zone)} is currently disabled")
    if offering.storage_type == "local" and not zone.local_storage_enabled:
        raise InvalidParameterValue(
            f"Zone is not configured to use local storage but volume's disk offering {offering.name} uses it"
        )
    custom_id = call.get("customid")
    if custom_id is not None:
        check_custom_id(cloud, Volume, custom_id)
    name = (call.get("name", "").strip() and call["name"]) or new_uuid()
    key = key_for_volume(call, "kmskeyid", owner, zone)
    volume = volumes.new_volume(
        cloud,
        owner,
        name=name,
        zone=zone,
        type="DATADISK",
        size=size,
        disk_offering=offering,
        template=snapshot.volume.template if snapshot else None,
        snapshot=snapshot,
        display=call.flag("displayvolume", True),
        iops=iops,
        id=custom_id,
    )
    volume.kms_key = key
    try:
        yield volume
    except ApiError:
        volumes.destroy(volume)
        raise
    try:
        if snapshot is not None:
            _fill(call, volume, snapshot, vm)
        elif "storageid" in call:
            _make_on(call, volume, call.one(StoragePool, "storageid"))
    except ApiError as error:
        named = volumes.describe_in_full(volume)
        volumes.destroy(volume)
        raise InternalError(f"Failed to create volume: {named}") from error
    return volume


def _make_on(call: Call, volume: Volume, pool: StoragePool) -> None:
    """Make a new volume on the pool that an admin named."""
    if pool.state != "Up":
        raise InvalidParameterValue(
            f"Cannot create volume {volume.id} on storage pool {pool.name} as the storage pool is not in Up state."
        )
    if pool.zone is not volume.zone:
        raise InvalidParameterValue(
            f"Cannot create volume {volume.id} in zone {volume.zone.number} on storage pool {pool.id} in zone "
            f"{pool.zone.number}."
        )
    if not capacity.holds(pool, volume.disk_offering):
        raise InvalidParameterValue(f"Disk offering: {volume.disk_offering.id} is not compatible with the storage pool")
    volumes.put_on(volume, pool, call.cloud.hypervisor)


def _snapshot(call: Call) -> Snapshot | None:
    snapshot = call.params.get("snapshotid")
    if snapshot is None:
        return None
    if not isinstance(snapshot, Snapshot) or snapshot not in call.cloud.store:
        raise InvalidParameterValue(f"unable to find a snapshot with id {getattr(snapshot, 'number', snapshot)}")
    check_access(call.cloud, call.account, snapshot)
    if snapshot.state != "BackedUp":
        raise InvalidParameterValue(
            f"{volumes.describe_snapshot(snapshot)} is not in BackedUp state yet and can't be used for volume creation"
        )
    if volumes.has_passphrase(snapshot.volume):
        raise ApiError("Cannot create new volumes from encrypted volume snapshots" if call.is_root_admin else HIDDEN)
    return snapshot


def _fill(call: Call, volume: Volume, snapshot: Snapshot, vm: UserVm | None) -> None:
    """Have a volume made from a snapshot: on the pool of the VM that gets it, else on one that has room."""
    cloud = call.cloud
    hypervisor = snapshot.volume.hypervisor or cloud.hypervisor
    pool = snapshot.volume.pool
    if vm is not None and vm.root_volume is not None and vm.root_volume.pool is not None:
        pool = vm.root_volume.pool
    if (
        pool is None
        or pool not in cloud.store
        or pool.zone is not volume.zone
        or not capacity.holds(pool, volume.disk_offering)
    ):
        able = [each for each in call.cloud.store.table(StoragePool) if each.zone is volume.zone]
        pool = next((each for each in able if capacity.holds(each, volume.disk_offering)), None)
    if pool is None:
        raise InternalError(f"Failed to create volume: {volumes.describe_in_full(volume)}")
    volumes.put_on(volume, pool, hypervisor)
    if vm is not None:
        attach_to(call, volume, vm, None)


@family.command("attachVolume")
def attach_volume(call: Call) -> Answer:
    volume, vm, device_id = call["id"], call.params.get("virtualmachineid"), call.get("deviceid")
    if not isinstance(volume, Volume):
        raise InvalidParameterValue("Please specify a volume with the valid type: ROOT or DATADISK")
    if volume.vm is not None:
        raise InvalidParameterValue("Please specify a volume that is not attached to any VM.")
    if volume.state == "Destroy":
        raise InvalidParameterValue("Please specify a volume that is not destroyed.")
    if volume.state not in ("Allocated", "Ready", "Uploaded"):
        raise InvalidParameterValue("Volume state must be in Allocated, Ready or in Uploaded state")
    if not isinstance(vm, UserVm) or vm not in call.cloud.store:
        raise InvalidParameterValue("Please specify a valid User VM.")
    attach_to(call, volume, vm, device_id)
    return volume


def attach_to(call: Call, volume: Volume, vm: UserVm, device_id: int | None) -> None:
    """Attach a volume to a VM; one that is on no pool yet is made on the VM's."""
    cloud = call.cloud
    if vm.state not in ("Running", "Stopped"):
        raise InvalidParameterValue("Please specify a VM that is on of the following states: [Running, Stopped].")
    if vm.zone is not volume.zone:
        raise InvalidParameterValue("Please specify a VM that is in the same zone as the volume.")
    if device_id == 0:
        check_root_movable(vm)
        if vm.root_volume is not None:
            raise InvalidParameterValue("Vm already has root volume attached to it")
    else:
        most = max_data_disks(cloud, vm)
        if len([each for each in vm.volumes if not each.is_root]) >= most:
            raise InvalidParameterValue(
                f"The specified VM already has the maximum number of data disks ({most}) attached. "
                "Please specify another VM."
            )
    if volume.disk_offering.storage_type == "local" and not volume.zone.local_storage_enabled:
        raise InvalidParameterValue(
            f"Zone is not configured to use local storage but volume's disk offering {volume.disk_offering.name} uses it"
        )
    if cloud.store.table(VmSnapshot).first(vm=vm):
        raise InvalidParameterValue(
            f"Unable to attach volume to Instance {vm.name}/{vm.id}, please specify an Instance that does not have "
            "Instance Snapshots"
        )
    if has_protected_backups(cloud, vm):
        raise InvalidParameterValue(
            "Unable to attach volume, please specify a VM that does not have any backups or set the global configuration "
            f"'{BACKED_UP}' to true."
        )
    if volume.account is not vm.account:
        raise PermissionDenied(
            f"Entity {capacity.describe(vm)} and entity {volumes.describe_in_full(volume)} belong to different accounts"
        )
    for resource in (volume, vm):
        check_access(cloud, call.account, resource)
    if volume.pool is not None and volume.hypervisor and volume.hypervisor.lower() != vm.hypervisor.lower():
        raise InvalidParameterValue(f"Can't attach a volume created by: {volume.hypervisor} to a {vm.hypervisor} vm")
    if volume.disk_offering.encrypt and vm.hypervisor != "KVM":
        raise InvalidParameterValue(
            "Volume's disk offering has encryption enabled, but volume encryption is not supported for hypervisor type "
            f"{vm.hypervisor}"
        )
    root = vm.root_volume
    host = vm.host or vm.last_host
    if root is not None and root.pool is not None and volume.pool is None and host is not None:
        pool = capacity.pool_for(cloud, volume, host)
        if pool is None:
            raise InternalError(
                f"Unable to find suitable primary storage when creating volume [{volumes.describe(volume)}]."
            )
        volumes.put_on(volume, pool, vm.hypervisor)
    elif volume.pool is not None and host is not None and not capacity.reaches(volume.pool, host):
        if volume.pool.scope == "HOST":
            raise InternalError(
                f"Failed to attach local data volume {volume.name} to VM {vm.display_name} as migration of local data "
                "volume is not allowed"
            )
        pool = capacity.pool_for(cloud, volume, host)
        if pool is None:
            raise InternalError("move volume failed")
        volume.pool = pool
    device_id = _device_id(cloud, vm, device_id)
    if device_id == 0:
        volume.type = "ROOT"
    volumes.attach(volume, vm, device_id)
    volume.attached, volume.ever_attached = cloud.clock.datetime(), True


def has_protected_backups(cloud: Cloud, vm: UserVm) -> bool:
    """True where a VM's disks stay as they are because it has backups (validateIfVmHasBackups)."""
    return (
        vm.backup_offering is not None
        and cloud.store.table(Backup).first(vm=vm) is not None
        and not cloud.configuration.flag(BACKED_UP)
    )


def check_root_movable(vm: UserVm) -> None:
    """Raise InvalidParameterValue where a VM's root disk cannot be taken or given now."""
    if vm.hypervisor.lower() not in ROOT_DETACHABLE:
        raise InvalidParameterValue(f"Root volume detach is not supported for hypervisor type {vm.hypervisor}")
    if vm.state != "Stopped":
        raise InvalidParameterValue("Root volume detach can happen only when vm is in states: Stopped or Destroyed")


def max_data_disks(cloud: Cloud, vm: UserVm) -> int:
    """How many data disks the hypervisor of a VM's host can give it."""
    host = vm.host or vm.last_host
    version = (host.hypervisor_version if host else None) or hypervisor_facts(vm.hypervisor).version
    rows = [row for row in cloud.store.table(HypervisorCapabilities) if row.hypervisor.lower() == vm.hypervisor.lower()]
    row = next(
        (row for row in rows if row.version == version), next((row for row in rows if row.version == "default"), None)
    )
    most = int(row.facts.get("maxdatavolumeslimit") or 0) if row else 0
    return most or MAX_DATA_DISKS


def _device_id(cloud: Cloud, vm: UserVm, wanted: int | None) -> int:
    if wanted is None:
        return volumes.free_device_id(cloud, vm)
    greatest = max_data_disks(cloud, vm) + 1
    if not 0 <= wanted <= greatest or wanted == CDROM_DEVICE:
        raise InternalError(f"deviceId should be 0,1,2,4-{greatest}")
    for volume in vm.volumes:
        if volume.device_id == wanted:
            raise InternalError(
                f"deviceId {wanted} is used by vol {volumes.describe_in_full(volume)} on vm {capacity.describe(vm)}"
            )
    return wanted


@family.command("detachVolume")
def detach_volume(call: Call) -> Answer:
    by_id, device_id, vm = "id" in call, call.get("deviceid"), call.maybe(UserVm, "virtualmachineid")
    if by_id == (device_id is not None or vm is not None) or (not by_id and (device_id is None or vm is None)):
        raise InvalidParameterValue("Please provide either a volume id, or a tuple(device id, instance id)")
    if vm is not None:
        volume = next((each for each in vm.volumes if each.device_id == device_id), None)
        if volume is None:
            raise ApiError("Index 0 out of bounds for length 0")
    else:
        volume = call.one(Volume, missing="Unable to find volume with ID: {}")
    check_access(call.cloud, call.account, volume)
    vm = volume.vm
    if vm is None:
        raise InvalidParameterValue("The specified volume is not attached to a VM.")
    if vm.state not in ("Running", "Stopped", "Destroyed"):
        raise InvalidParameterValue("Please specify a VM that is either running or stopped.")
    if volume.is_root:
        check_root_movable(vm)
    if call.cloud.store.table(VmSnapshot).first(vm=vm):
        raise InvalidParameterValue(
            "Unable to detach volume, please specify an Instance that does not have Instance Snapshots"
        )
    if has_protected_backups(call.cloud, vm):
        raise InvalidParameterValue(
            "Unable to detach volume, cannot detach volume from a VM that has backups. First remove the VM from the backup "
            f"offering or set the global configuration '{BACKED_UP}' to true."
        )
    volumes.detach(volume)
    return volume


def check_removable(call: Call, volume: Volume) -> None:
    """Raise InvalidParameterValue unless a volume can be destroyed or deleted now."""
    if _snapshots_under_way(call.cloud, volume):
        raise InvalidParameterValue("There are snapshot operations in progress on the volume, unable to delete it")
    if volume.vm is not None and volume.vm in call.cloud.store:
        raise InvalidParameterValue("Please specify a volume that is not attached to any VM.")
    check_access(call.cloud, call.account, volume)
    if volume.delete_protection:
        raise InvalidParameterValue(
            f"Volume [id = {volume.id}, name = {volume.name}] has delete protection enabled and cannot be deleted."
        )


def _snapshots_under_way(cloud: Cloud, volume: Volume) -> bool:
    states = ("Creating", "CreatedOnPrimary", "BackingUp")
    return any(row.volume is volume and row.state in states for row in cloud.store.table(Snapshot))


@family.command("deleteVolume")
def delete_volume(call: Call) -> Answer:
    volume = _any(call, "Unable to find volume with ID: {}")
    check_removable(call, volume)
    volumes.expunge(call.cloud, volume)
    return Success()


def _any(call: Call, text: str) -> Volume:
    """The volume that ``id`` names; an error with its number where it is gone."""
    volume = call.params.get("id")
    if isinstance(volume, Volume) and volume in call.cloud.store:
        return volume
    raise InvalidParameterValue(text.format(getattr(volume, "number", volume)))


@family.command("destroyVolume")
def destroy_volume(call: Call) -> Answer:
    volume = _any(call, "Unable to find volume with ID: {}")
    check_removable(call, volume)
    if call.flag("expunge"):
        if not may_expunge(call):
            raise PermissionDenied(
                "Expunging a volume can only be done by an Admin. "
                "Or when the allow.user.expunge.recover.volume key is set."
            )
        volumes.expunge(call.cloud, volume)
    elif volume.state in ("Allocated", "Uploaded"):
        raise InvalidParameterValue(
            "The volume in Allocated/Uploaded state can only be expunged not destroyed/recovered"
        )
    else:
        volumes.destroy(volume)
        delay = call.cloud.configuration.number("storage.cleanup.delay", default=86400)
        call.cloud.clock.call_later(delay, expunge_if_still_destroyed, call.cloud, volume)
    return volume


@timed
def expunge_if_still_destroyed(cloud: Cloud, volume: Volume) -> None:
    """Expunge a destroyed volume unless it was recovered meanwhile (StorageManagerImpl.cleanupStorage)."""
    if volume in cloud.store and volume.state == "Destroy" and volume.vm is None:
        volumes.expunge(cloud, volume)


@family.command("recoverVolume")
def recover_volume(call: Call) -> Answer:
    volume = _any(call, "Unable to find a volume with id {}")
    if not may_expunge(call):
        raise PermissionDenied(
            "Recovering a volume can only be done by an Admin. Or when the allow.user.expunge.recover.volume key is set."
        )
    check_access(call.cloud, call.account, volume)
    if volume.state != "Destroy":
        raise InvalidParameterValue("Please specify a volume in Destroy state.")
    try:
        check_room(call, volume.account, volume.disk_offering, 1, volume.size)
    except ResourceLimitExceeded as error:
        raise InvalidParameterValue(error.text) from error
    volumes.detach(volume)
    volume.state = "Ready"
    return volume


family.must_name("resizeVolume", "id", Volume, "Unable to find volume by id={}")


@family.command("resizeVolume")
def resize_volume(call: Call) -> Answer:
    volume, cloud = _any(call, "No such volume"), call.cloud
    if _snapshots_under_way(cloud, volume):
        raise InternalError(
            "There is/are unbacked up snapshot(s) on this volume, resize volume is not permitted, please try again later."
        )
    check_access(cloud, call.account, volume)
    old, new = volume.disk_offering, call.maybe(DiskOffering, "diskofferingid")
    if volume.state not in ("Ready", "Allocated"):
        raise InvalidParameterValue(
            "Volume should be in ready or allocated state before attempting a resize. "
            f"Volume {volume.id} is in state {volume.state}."
        )
    if new is None:
        size, iops = _size_of_same(call, volume, old)
    else:
        size, iops = _size_of_new(call, volume, old, new)
    check_new_size(call, volume, size)
    offering = new or old
    check_room(call, volume.account, offering, 0, size - volume.size)
    pool = volume.pool
    if pool is not None:
        grown = capacity.space_taken(cloud).get(pool, 0) + size - volume.size
        if size > volume.size and grown > capacity.space_of(cloud, pool):
            raise InternalError(
                f"Failed to resize volume {volume.id} since the storage pool does not have enough space to accommodate new "
                f"size for the volume {volume.name}, try with automigrate set to true in order to check in the other "
                "suitable pools for the new size and then migrate & resize volume there."
            )
    resized = (size, *iops) != (volume.size, volume.min_iops, volume.max_iops)
    volume.size, (volume.min_iops, volume.max_iops) = size, iops
    if new is not None:
        volume.disk_offering = new
    if resized:
        note_root_size(volume)
    return volume


def _size_of_same(call: Call, volume: Volume, offering: DiskOffering) -> tuple[int, tuple[int | None, int | None]]:
    """The new bytes and IOPS where the offering stays."""
    asked, size = call.get("size"), volume.size
    if asked is not None:
        if offering.strict:
            raise InvalidParameterValue(
                f"Resize of volume {volume.id} is not allowed, since disk size is strictly fixed as per the disk offering"
            )
        if offering.customized and not offering.compute_only:
            volumes.check_custom_size(call.cloud, asked)
        template = volume.template
        if offering.compute_only and offering.disk_size and volume.is_root and template and not template.is_iso:
            raise InvalidParameterValue(
                "Failed to resize Root volume. The service offering of this Volume has been configured with a root disk "
                "size; on such case a Root Volume can only be resized when changing to another Service Offering with a Root "
                "disk size. For more details please check out the Official Resizing Volumes documentation."
            )
        size = asked * GIB
    least, most = call.get("miniops"), call.get("maxiops")
    for given, label in ((least, "Min"), (most, "Max")):
        if given is not None and not volume.is_root and not offering.custom_iops:
            raise InvalidParameterValue(
                f"The current disk offering does not support customization of the '{label} IOPS' parameter."
            )
    return size, _iops(volume.min_iops if least is None else least, volume.max_iops if most is None else most)


def _iops(least: int | None, most: int | None) -> tuple[int | None, int | None]:
    if (least is None) != (most is None):
        raise InvalidParameterValue("Either 'miniops' and 'maxiops' must both be provided or neither must be provided.")
    if least is not None and most is not None and least > most:
        raise InvalidParameterValue("The 'miniops' parameter must be less than or equal to the 'maxiops' parameter.")
    return least, most


def _size_of_new(
    call: Call, volume: Volume, old: DiskOffering, new: DiskOffering
) -> tuple[int, tuple[int | None, int | None]]:
    """The new bytes and IOPS under another offering."""
    if old.strict != new.strict:
        raise InvalidParameterValue("Disk offering size strictness does not match with new disk offering")
    if old.strict and old.disk_size != new.disk_size:
        raise InvalidParameterValue(
            f"Resize volume for {volume.name} is not allowed since disk offering's size is fixed"
        )
    vm = volume.vm
    if volume.is_root and vm is not None and vm.service_offering.disk_offering_strict:
        raise InvalidParameterValue(
            f"Cannot resize ROOT volume [{volume.name}] with new disk offering since existing disk offering is strictly "
            "assigned to the ROOT volume."
        )
    if old.storage_tags and set(old.storage_tags) != set(new.storage_tags):
        raise InvalidParameterValue("The tags on the new and old disk offerings must match.")
    if not old.storage_tags and new.storage_tags:
        raise InvalidParameterValue(
            "There are no tags on the current disk offering. The new disk offering needs to have no tags, as well."
        )
    check_usable(volume.account, new, volume.zone)
    asked = call.get("size")
    if new.disk_size > 0 and not new.compute_only:
        size = new.disk_size * GIB
    elif new.customized:
        if asked is None:
            raise InvalidParameterValue("The new disk offering requires that a size be specified.")
        volumes.check_custom_size(call.cloud, asked)
        size = asked * GIB
    else:
        if asked is not None:
            raise InvalidParameterValue("You cannot pass in a custom disk size to a non-custom disk offering.")
        size = new.disk_size * GIB
    _check_root_at_rest(volume, size)
    if not new.custom_iops:
        return size, (new.min_iops, new.max_iops)
    least, most = call.get("miniops", volume.min_iops), call.get("maxiops", volume.max_iops)
    return size, _iops(least, most)


def check_new_size(call: Call, volume: Volume, size: int) -> None:
    """Raise InvalidParameterValue where a volume cannot get this size (bytes)."""
    if size == volume.size:
        return
    if volume.vm is not None and call.cloud.store.table(VmSnapshot).first(vm=volume.vm):
        raise InvalidParameterValue(
            "The volume is attached to a VM with memory&disk VM snapshots; therefore, it cannot be resized."
        )
    volumes.check_size(call.cloud, size)
    if size >= volume.size:
        return
    hypervisor = (volume.hypervisor or "").lower()
    if hypervisor == "kvm" and volume.state != "Allocated":
        raise InvalidParameterValue("Unable to shrink volumes of type QCOW2")
    if not call.flag("shrinkok"):
        raise InvalidParameterValue(
            f"Going from existing size of {volume.size} to size of {size} would shrink the volume."
            "Need to sign off by supplying the shrinkok parameter with value of true."
        )
    if hypervisor == "xenserver":
        raise InvalidParameterValue("Shrink volume is not supported for the XenServer hypervisor.")


@family.command("changeOfferingForVolume")
def change_offering(call: Call) -> Answer:
    volume, new = _any(call, "No such volume"), call.one(DiskOffering, "diskofferingid")
    check_access(call.cloud, call.account, volume)
    size, iops = _size_by_new(call, volume, new)
    check_new_size(call, volume, size)
    check_room(call, volume.account, new, 0, size - volume.size)
    pool = volume.pool
    if volume.state != "Allocated" and pool is not None and not capacity.holds(pool, new):
        pool = _pool_for_new(call, volume, new)
    resized = size != volume.size
    volume.size, (volume.min_iops, volume.max_iops), volume.disk_offering, volume.pool = size, iops, new, pool
    if resized:
        note_root_size(volume)
    return volume


def _pool_for_new(call: Call, volume: Volume, new: DiskOffering) -> StoragePool:
    """Where a volume moves whose pool is none for its new offering."""
    if not call.flag("automigrate"):
        raise InvalidParameterValue(
            f"Failed to change offering for volume {volume.id} since automigrate is set to false but volume needs to migrated"
        )
    host = volume.vm.host if volume.vm is not None else None
    for pool in call.cloud.store.table(StoragePool):
        near = pool.zone is volume.zone and (host is None or capacity.reaches(pool, host))
        if near and pool is not volume.pool and capacity.holds(pool, new):
            return pool
    raise ApiError(
        f"Volume change offering operation failed for volume: {volumes.describe_in_full(volume)} as no suitable pool(s) "
        "found for migrating to support new disk offering"
    )


def note_root_size(volume: Volume) -> None:
    """Have a VM's details tell the size of its root disk, once that was resized on its pool."""
    if volume.is_root and volume.vm is not None and volume.state != "Allocated":
        volume.vm.details["rootdisksize"] = str(volume.size // GIB)


def _size_by_new(call: Call, volume: Volume, new: DiskOffering) -> tuple[int, tuple[int | None, int | None]]:
    """The bytes and IOPS of a volume whose offering changes (validateVolumeResizeWithNewDiskOfferingAndLoad)."""
    old, asked = volume.disk_offering, call.get("size")
    if old.encrypt != new.encrypt:
        raise InvalidParameterValue("Cannot change the encryption type of a volume, please check the selected offering")
    check_usable(volume.account, new, volume.zone)
    if new.disk_size > 0 and not new.compute_only:
        size = new.disk_size * GIB
    elif new.customized and not new.compute_only:
        if asked is None:
            raise InvalidParameterValue("The new disk offering requires that a size be specified.")
        size = asked * GIB
    else:
        if asked is not None:
            raise InvalidParameterValue("You cannot pass in a custom disk size to a non-custom disk offering.")
        size = new.disk_size * GIB or volume.size
    iops = new.min_iops, new.max_iops
    if new.custom_iops:
        iops = _iops(call.get("miniops", volume.min_iops), call.get("maxiops", volume.max_iops))
    fixed = InvalidParameterValue(f"Resize volume for {volume.name} is not allowed since disk offering's size is fixed")
    if old.strict and size != volume.size:
        raise fixed
    if old is new and not new.customized:
        raise InvalidParameterValue(
            f"Volume {volumes.describe_in_full(volume)} is already having disk offering {new.id}"
        )
    if old.strict != new.strict:
        raise InvalidParameterValue("Disk offering size strictness does not match with new disk offering.")
    matched = call.cloud.configuration.flag("match.storage.pool.tags.with.disk.offering", volume.zone, default=True)
    if matched and not set(old.storage_tags) <= set(new.storage_tags):
        raise InvalidParameterValue(
            f"Selected disk offering {new.id} does not have tags as in existing disk offering of volume {volume.id}"
        )
    vm = volume.vm
    if volume.is_root and vm is not None and vm.service_offering.disk_offering_strict:
        raise InvalidParameterValue(
            f"Cannot resize ROOT volume [{volume.name}] with new disk offering since existing disk offering is strictly "
            "assigned to the ROOT volume."
        )
    _check_root_at_rest(volume, size)
    return size, iops


def _check_root_at_rest(volume: Volume, size: int) -> None:
    """Raise InvalidParameterValue where a root disk is resized whose VM is not stopped."""
    vm = volume.vm
    if volume.is_root and vm is not None and size != volume.size and vm.state != "Stopped":
        raise InvalidParameterValue(
            f"Cannot resize ROOT volume [{volume.name}] when VM is not on Stopped State. VM {vm.instance_name} is in state "
            f"{vm.state}"
        )


@family.command("migrateVolume")
def migrate_volume(call: Call) -> Answer:
    cloud, volume = call.cloud, call.one(Volume, "volumeid", missing="Failed to find the volume id: {}")
    pool = call.one(StoragePool, "storageid")
    check_access(cloud, call.account, volume)
    if volume.state != "Ready":
        raise InvalidParameterValue("Volume must be in ready state")
    if volume.pool is pool:
        raise InvalidParameterValue(
            f"Volume {volumes.describe_in_full(volume)} is already on the destination storage pool"
        )
    vm = volume.vm
    if vm is not None and vm.state not in ("Running", "Stopped"):
        raise InternalError(
            f"Volume migration is not allowed when the VM is in the {vm.state} state. "
            "Supported states are: [Stopped, Running, Shutdown]."
        )
    if vm is not None and cloud.store.table(VmSnapshot).first(vm=vm):
        raise InvalidParameterValue(
            "Volume cannot be migrated, please remove all Instance Snapshots for Instance to which this volume is attached"
        )
    if vm is not None and vm.state == "Running":
        moves = moves_disks(cloud, vm, exactly=True)
        if moves and vm.hypervisor.lower() == "kvm":
            raise InvalidParameterValue(
                "KVM does not support volume live migration due to the limited possibility to refresh VM XML domain. "
                "Therefore, to live migrate a volume between storage pools, one must migrate the VM to a different host as "
                "well to force the VM XML domain update. Use 'migrateVirtualMachineWithVolumes' instead."
            )
        if not moves:
            raise InvalidParameterValue("Volume needs to be detached from VM")
        if not call.flag("livemigrate"):
            raise InvalidParameterValue(
                f"The volume {volumes.describe_in_full(volume)}is attached to a vm and for migrating it the parameter livemigrate "
                "should be specified"
            )
    if volumes.has_passphrase(volume):
        raise InvalidParameterValue("Migration of encrypted volumes is unsupported")
    if pool.state in IN_MAINTENANCE:
        raise InvalidParameterValue(
            f"Cannot migrate volume {volumes.describe_in_full(volume)}to the destination storage pool {pool.name} as the storage "
            "pool is in maintenance mode."
        )
    if capacity.space_taken(cloud).get(pool, 0) + volume.size > capacity.space_of(cloud, pool):
        raise InternalError(f"Storage pool {pool.name} does not have enough space to migrate volume {volume.name}")
    if vm is not None and vm.host is not None and not capacity.reaches(pool, vm.host):
        raise InvalidParameterValue(
            "Cannot migrate a volume of a virtual machine to a storage pool in a different cluster"
        )
    new = call.maybe(DiskOffering, "newdiskofferingid", missing="The disk offering informed is not valid [id={}].")
    check_usable(call.account, new, volume.zone)
    offering = new or (
        volume.disk_offering if cloud.configuration.flag("match.storage.pool.tags.with.disk.offering") else None
    )
    if offering is not None:
        check_replaceable(volume, offering, pool)
        volume.disk_offering = offering
    volume.pool = pool
    return volume


def check_replaceable(volume: Volume, offering: DiskOffering, pool: StoragePool) -> None:
    """Raise InvalidParameterValue where a volume cannot have an offering on a pool
    (validateConditionsToReplaceDiskOfferingOfVolume)."""
    is_local = pool.scope == "HOST"
    if not is_local and offering.storage_type == "local":
        raise InvalidParameterValue(
            "You cannot move the volume to shared storage, with the disk offering configured for local storage."
        )
    if is_local and offering.storage_type != "local":
        raise InvalidParameterValue(
            "You cannot move the volume to local storage, with the disk offering configured for shared storage."
        )
    if not set(offering.storage_tags) <= set(pool.storage_tags):
        raise InvalidParameterValue(
            f"Migration failed: target pool [{pool.name}, tags:[{', '.join(pool.storage_tags)}]] has no matching tags for "
            f"volume [{volume.name}, uuid:{volume.id}, tags:{','.join(offering.storage_tags)}]"
        )
    if volume.is_root and volume.vm is not None and volume.vm.service_offering.disk_offering_strict:
        raise InvalidParameterValue(
            f"Disk offering cannot be changed to the volume {volume.id} since existing disk offering is strictly associated "
            "with the volume"
        )


@family.before("updateVolume")
def check_volume_given(call: Call) -> None:
    if not isinstance(call.params.get("id"), Volume):
        raise InvalidParameterValue("Invalid volume id was provided")


@family.command("updateVolume")
def update_volume(call: Call) -> Answer:
    volume, cloud = _any(call, "The volume id doesn't exist"), call.cloud
    check_access(cloud, call.account, volume)
    if call.get("state", volume.state) not in STATES:
        raise InvalidParameterValue("Invalid volume state specified")
    pool = call.maybe(StoragePool, "storageid")
    if pool is not None and pool.zone is not volume.zone:
        raise InvalidParameterValue("Invalid storageId specified; refers to the pool outside of the volume's zone")
    volume.pool = pool or volume.pool
    volume.path, volume.chain_info = call.get("path", volume.path), call.get("chaininfo", volume.chain_info)
    volume.state, volume.name = call.get("state", volume.state), call.get("name", volume.name)
    rename(call, volume)
    volume.display = call.flag("displayvolume", volume.display)
    volume.delete_protection = call.flag("deleteprotection", volume.delete_protection)
    return volume


@family.command("extractVolume")
def extract_volume(call: Call) -> Answer:
    cloud, mode = call.cloud, call.get("mode")
    if not call.is_root_admin and cloud.configuration.flag("disable.extraction"):
        raise PermissionDenied("Extraction has been disabled by admin")
    volume = call.one(Volume, missing="Unable to find volume with specified volumeId")
    check_access(cloud, call.account, volume)
    if volume.pool is None:
        raise InvalidParameterValue("The volume doesn't belong to a storage pool so can't extract it")
    if volume.vm is not None and volume.vm.state != "Stopped":
        raise PermissionDenied(
            "Invalid state of the volume with specified ID. It should be either detached or the VM should be in stopped state."
        )
    if volumes.has_passphrase(volume):
        raise InvalidParameterValue("Extraction of encrypted volumes is unsupported")
    template = volume.template
    of_template = volume.is_root and template is not None
    if of_template and not call.is_root_admin and not volumes.is_extractable(volume):
        raise PermissionDenied("The volume with specified volumeId is not allowed to be extracted")
    if mode not in EXTRACT_MODES:
        raise InvalidParameterValue("Please specify a valid extract Mode ")
    volume.extract_url = volume.extract_url or f"http://127.0.0.1/userdata/{new_uuid()}.vhd"
    return {
        "volume": {
            "id": volume.id,
            "name": volume.name,
            "accountid": volume.account.id,
            "state": "DOWNLOAD_URL_CREATED",
            "zoneid": volume.zone.id,
            "zonename": volume.zone.name,
            "extractMode": mode,
            "url": volume.extract_url,
        }
    }


OF_FORMAT = {"QCOW2": "KVM", "RAW": "Ovm", "OVA": "VMware", "VHDX": "Hyperv"}
"""The hypervisor that volumes of a format are of; of VHD it is XenServer, or Hyperv where there is none."""
RAW_OF_KVM = ("RBD", "PowerFlex", "CLVM", "Linstor", "FiberChannel")
"""Types of pools that have volumes of KVM in the format RAW."""


def check_hypervisor(cloud: Cloud, format: str, zone: Zone) -> None:
    """Raise InvalidParameterValue unless a zone has the hypervisor of a volume's format
    (checkFormatWithSupportedHypervisorsInZone)."""
    there = {cluster.hypervisor for cluster in cloud.store.table(Cluster).where(zone=zone)}
    wanted = OF_FORMAT.get(format, "None")
    if format == "VHD":
        wanted = "XenServer" if "XenServer" in there else "Hyperv"
    if format == "RAW" and cloud.store.table(StoragePool).first(lambda pool: pool.type in RAW_OF_KVM, zone=zone):
        wanted = "KVM"
    if wanted not in there:
        raise InvalidParameterValue(
            f"The {wanted} hypervisor supported for {format} file format, is not found on the zone"
        )


@family.command("uploadVolume")
def upload_volume(call: Call) -> Answer:
    cloud, owner, zone, url = call.cloud, owner_of_new(call), call.one(Zone, "zoneid"), call["url"]
    with as_internal_errors():
        format = format_of(call["format"])
    check_owner(call.account, owner)
    offering = call.maybe(DiskOffering, "diskofferingid") or cloud.store.table(DiskOffering).first(
        customized=True, compute_only=False
    )
    if offering is None or offering.compute_only:
        raise InvalidParameterValue("Please specify a valid disk offering.")
    check_room(call, owner, offering, 1, 0)
    if zone.allocation_state == "Disabled" and not call.is_root_admin:
        raise PermissionDenied(f"Cannot perform this operation, Zone is currently disabled: {zone.number}")
    if "file://" in url.lower():
        raise InvalidParameterValue("File:// type urls are currently unsupported")
    with as_internal_errors():
        check_url(url, format)
    check_hypervisor(cloud, format, zone)
    if not offering.customized:
        raise InvalidParameterValue("Please specify a custom sized disk offering.")
    check_usable(owner, offering, zone)
    volume = volumes.new_volume(
        cloud, owner, name=call["name"], zone=zone, type="DATADISK", size=GIB, disk_offering=offering
    )
    volume.state, volume.url, volume.details["format"] = "Uploaded", url, format
    return volume


@family.command("assignVolume")
def assign_volume(call: Call) -> Answer:
    cloud = call.cloud
    volume = call.one(Volume, "volumeid", missing=f"No volume was found with UUID [{call.raw['volumeid']}].")
    account, project = call.maybe(Account, "accountid"), call.maybe(Project, "projectid")
    if volume.vm is not None:
        raise PermissionDenied(
            f"Volume [{volumes.describe(volume)}] is attached to [{capacity.describe(volume.vm)}], "
            "so it cannot be moved to a different account."
        )
    if any(row.volume is volume and row.state not in ("Destroyed", "Error") for row in cloud.store.table(Snapshot)):
        raise PermissionDenied(
            f"Volume [{volumes.describe(volume)}] has snapshots. "
            "Remove the volume's snapshots before assigning it to another account."
        )
    if account is not None and project is not None:
        raise InvalidParameterValue("Both 'accountid' and 'projectid' were informed. You must inform only one of them.")
    owner = project.account if project is not None else account
    if owner is None:
        raise InvalidParameterValue(
            "UUID of the destination account is invalid. No account was found with UUID [null]."
        )
    if owner.state.lower() in ("disabled", "locked"):
        raise InvalidParameterValue(
            f"Unable to assign volume to destination account [{describe(owner)}], as it is in [{owner.state.upper()}] state."
        )
    if owner is volume.account:
        raise InvalidParameterValue(f"The new account and the old account are the same [{describe(owner)}].")
    for each in (volume.account, owner):
        check_owner(call.account, each)
    check_room(call, owner, volume.disk_offering, 1, volume.size)
    volume.account = owner
    return volume


@family.on_account_removal
def remove_volumes(cloud: Cloud, account: Account) -> None:
    for volume in cloud.owned_by(Volume, account):
        volumes.expunge(cloud, volume)
