"""Volumes: how they come and go, how answers show them, listing (VolumeJoinDaoImpl, VolumeOrchestrator)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator import listing
from cs_matrix_pytest.simulator.access import Scoping, scoping
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InvalidParameterValue
from cs_matrix_pytest.simulator.families.annotations import has_annotations
from cs_matrix_pytest.simulator.hypervisors import hypervisor_facts
from cs_matrix_pytest.simulator.models.iam import Account
from cs_matrix_pytest.simulator.models.images import Template
from cs_matrix_pytest.simulator.models.infra import StoragePool, Zone
from cs_matrix_pytest.simulator.models.keys import KmsKey
from cs_matrix_pytest.simulator.models.offerings import DiskOffering, ServiceOffering
from cs_matrix_pytest.simulator.models.storage import GIB, Snapshot, SnapshotPolicy, Volume
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family, Listing, ListSpec, Scope
from cs_matrix_pytest.simulator.store import Resource, new_uuid
from cs_matrix_pytest.simulator.views import owner_fields, tag_fields, when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("volumes")

CDROM_DEVICE = 3
"""The device id that no disk can have."""


@family.view(Volume)
def volume_view(volume: Volume, call: Call) -> dict[str, Any]:
    vm, pool, offering = volume.vm, volume.pool, volume.disk_offering
    attached = vm is not None and volume.state != "Destroy"
    template, snapshot = volume.template, volume.snapshot
    image = {}
    if template is not None:
        kind = "iso" if template.is_iso else "template"
        image = {
            f"{kind}id": template.id,
            f"{kind}name": template.name,
            f"{kind}displaytext": template.display_text,
        }
    shown: dict[str, Any] = {
        "id": volume.id,
        "name": volume.name,
        "zoneid": volume.zone.id,
        "zonename": volume.zone.name,
        "type": volume.type,
        "deviceid": volume.device_id,
        "vmtype": "User" if vm else None,
        "provisioningtype": offering.provisioning_type,
        "size": volume.size,
        "miniops": volume.min_iops,
        "maxiops": volume.max_iops,
        "deleteprotection": volume.delete_protection,
        **key_fields(volume),
        "created": when(volume.created),
        "state": volume.state,
        **owner_fields(volume.account),
        "attached": when(volume.attached),
        "destroyed": volume.state == "Destroy",
        "isextractable": is_extractable(volume),
        "chaininfo": volume.chain_info,
        "snapshotid": snapshot.id if snapshot else None,
        "quiescevm": False,
        "supportsstoragesnapshot": False,
        "tags": tag_fields(volume),
        "hasannotations": has_annotations(volume, call),
        **image,
    }
    if attached and vm is not None:
        shown |= {
            "virtualmachineid": vm.id,
            "vmname": vm.name,
            "vmdisplayname": vm.display_name or vm.name,
            "vmstate": vm.state,
        }
        if volume.ever_attached:
            shown |= {"diskkbsread": 0, "diskkbswrite": 0, "diskioread": 0, "diskiowrite": 0}
    service = _service_offering(call.cloud, volume)
    if service is not None:
        shown |= {
            "serviceofferingid": str(service.number),
            "serviceofferingname": service.name,
            "serviceofferingdisplaytext": service.display_text or None,
        }
    else:
        shown |= {
            "diskofferingid": offering.id,
            "diskofferingname": offering.name,
            "diskofferingdisplaytext": offering.display_text,
        }
    if call.is_root_admin:
        cluster, pod = (pool.cluster, pool.pod) if pool else (None, None)
        shown |= {
            "clusterid": cluster.id if cluster else None,
            "clustername": cluster.name if cluster else None,
            "podid": pod.id if pod else None,
            "podname": pod.name if pod else None,
            "path": volume.path,
            "storage": pool.name if pool else None,
            "storageid": pool.id if pool else None,
            "storagetype": ("local" if pool.scope == "HOST" else "shared") if pool else offering.storage_type,
            "hypervisor": volume.hypervisor or (vm.hypervisor if vm else "None"),
            "displayvolume": volume.display,
        }
    return shown


def key_fields(volume: Volume) -> dict[str, Any]:
    """The key that encrypts a volume; its version once the volume is on a pool."""
    key = volume.kms_key
    if not isinstance(key, KmsKey):
        return {}
    return {"kmskeyid": key.id, "kmskey": key.name, "kmskeyversion": key.version if volume.pool else None}


def volume_metrics(volume: Volume, call: Call) -> dict[str, Any]:
    """A volume as listVolumesMetrics shows it (VolumeMetricsResponse)."""
    shown = {**call.cloud.view(volume, call), "sizegb": f"{volume.size / GIB:.2f} GiB"}
    if "diskioread" in shown:
        shown["diskiopstotal"] = shown["diskioread"] + shown["diskiowrite"]
    if "storagetype" in shown:
        shown["storagetype"] = f"{shown['storagetype'].capitalize()} ({volume.type})"
    return shown


def _service_offering(cloud: Cloud, volume: Volume) -> ServiceOffering | None:
    offering, vm = volume.disk_offering, volume.vm
    if not offering.compute_only:
        return None
    if vm is not None and vm.service_offering.disk_offering is offering:
        return vm.service_offering
    return cloud.store.table(ServiceOffering).first(disk_offering=offering)


def is_extractable(volume: Volume) -> bool:
    """False for disks of templates that nobody may download."""
    template = volume.template
    if not volume.is_root or template is None:
        return True
    return template.is_extractable and template.template_type != "SYSTEM"


def has_passphrase(volume: Volume) -> bool:
    """True for disks that are encrypted, or will be: by a key of their own, or by their offering once they are placed."""
    return volume.kms_key is not None or (volume.disk_offering.encrypt and volume.pool is not None)


def describe(volume: Volume) -> str:
    """A volume as some error texts name it, by name and id alone."""
    return f'{{"name":"{volume.name}","uuid":"{volume.id}"}}'


def describe_in_full(volume: Volume) -> str:
    """A volume as most error texts name it (VolumeVO.toString)."""
    vm = volume.vm.number if volume.vm is not None else "null"
    return (
        f'Volume {{"id":{volume.number},"instanceId":{vm},"name":"{volume.name}","uuid":"{volume.id}",'
        f'"volumeType":"{volume.type}"}}'
    )


def describe_snapshot(snapshot: Snapshot) -> str:
    """A snapshot as error texts name it (SnapshotVO.toString)."""
    return (
        f'Snapshot {{"id":{snapshot.number},"name":"{snapshot.name}","state":"{snapshot.state}","uuid":"{snapshot.id}",'
        f'"version":"2.2","volumeId":{snapshot.volume.number}}}'
    )


def disk_size(cloud: Cloud, offering: DiskOffering, size: int | None) -> int:
    """The bytes of a new disk: the offering's size, or the one asked for (GiB) where it is customised.

    Raises InvalidParameterValue (UserVmManagerImpl.verifyAndGetDiskSize).
    """
    if not offering.customized or offering.compute_only:
        check_size(cloud, offering.disk_size * GIB)
        return offering.disk_size * GIB
    if size is None:
        raise InvalidParameterValue("This disk offering requires a custom size specified")
    check_custom_size(cloud, size)
    check_size(cloud, size * GIB)
    return size * GIB


def check_custom_size(cloud: Cloud, size: int) -> None:
    """Raise InvalidParameterValue for a custom size (GiB) out of ``custom.diskoffering.size.min`` and ``max``."""
    least = int(cloud.configuration.number("custom.diskoffering.size.min", default=1))
    most = int(cloud.configuration.number("custom.diskoffering.size.max", default=1024))
    if size < least or size > most:
        raise InvalidParameterValue(f"Volume size: {size} GB is out of allowed range. Min: {least}. Max: {most}")


def check_size(cloud: Cloud, size: int) -> None:
    """Raise InvalidParameterValue for bytes beyond ``storage.max.volume.size`` (GiB)."""
    most = int(cloud.configuration.number("storage.max.volume.size", default=2000))
    if size < 0 or (0 < size < GIB):
        raise InvalidParameterValue("Please specify a size of at least 1 GB.")
    if size > most * GIB:
        raise InvalidParameterValue(
            f"Requested volume size is {size / GIB:.2f} GB, but the maximum size allowed is {most} GB."
        )


def new_volume(
    cloud: Cloud,
    account: Account,
    *,
    name: str,
    zone: Zone,
    type: str,
    size: int,
    disk_offering: DiskOffering,
    vm: UserVm | None = None,
    device_id: int | None = None,
    template: Template | None = None,
    snapshot: Snapshot | None = None,
    display: bool = True,
    iops: tuple[int | None, int | None] | None = None,
    id: str | None = None,
) -> Volume:
    """Allocate a volume; it is on no pool yet. ``id``: the one that an admin chose for it."""
    least, most = iops or (disk_offering.min_iops, disk_offering.max_iops)
    volume = cloud.store.add(
        Volume(
            id=id or new_uuid(),
            account=account,
            name=name,
            zone=zone,
            type=type,
            size=size,
            disk_offering=disk_offering,
            template=template,
            snapshot=snapshot,
            display=display,
            min_iops=least,
            max_iops=most,
        )
    )
    if vm is not None:
        attach(volume, vm, device_id or 0)
    return volume


def attach(volume: Volume, vm: UserVm, device_id: int) -> None:
    """Make a volume a VM's."""
    volume.vm, volume.device_id = vm, device_id
    vm.volumes.append(volume)
    vm.volumes.sort(key=lambda each: each.device_id or 0)


def detach(volume: Volume) -> None:
    """Make a volume nobody's."""
    if volume.vm is not None:
        volume.vm.volumes.remove(volume)
    volume.vm = volume.device_id = volume.attached = None


def put_on(volume: Volume, pool: StoragePool, hypervisor: str) -> None:
    """Make a volume on a pool."""
    volume.pool, volume.hypervisor, volume.state = pool, hypervisor, "Ready"
    blank = volume.template is None and volume.snapshot is None
    # The simulator plugin's agent names a new disk as its volume is named.
    volume.path = volume.path or (volume.name if blank and hypervisor_facts(hypervisor).simulated else new_uuid())


def destroy(volume: Volume) -> None:
    """Mark a volume destroyed; it keeps its place until it is expunged."""
    volume.state = "Destroy"


def expunge(cloud: Cloud, volume: Volume) -> None:
    """Have a volume gone for good, and its snapshot policies with it; its snapshots stay. What is left of it still tells
    where it was; one that was nowhere yet is but destroyed."""
    for policy in cloud.store.table(SnapshotPolicy).where(volume=volume):
        cloud.store.remove(policy)
    detach(volume)
    volume.state = "Destroy" if volume.state == "Allocated" else "Expunged"
    cloud.store.remove(volume)


def machine_of(volume: Volume) -> Resource | None:
    """The VM that a volume is attached to; of the system's disks, the router or system VM."""
    return getattr(volume, "machine", None) or volume.vm


def free_device_id(_cloud: Cloud, vm: UserVm) -> int:
    """The first device id that a VM has no disk at."""
    taken = {volume.device_id for volume in vm.volumes} | {CDROM_DEVICE}
    device_id = 1
    while device_id in taken:
        device_id += 1
    return device_id


FILTERS = {
    "type": lambda volume, value, _call: value.lower() in volume.type.lower(),
    "virtualmachineid": lambda volume, vm, _call: machine_of(volume) is vm,
    "hostid": lambda volume, host, _call: getattr(machine_of(volume), "host", None) is host,
    "podid": lambda volume, pod, _call: volume.pool is not None and volume.pool.pod is pod,
    "clusterid": lambda volume, cluster, _call: volume.pool is not None and volume.pool.cluster is cluster,
    "storageid": lambda volume, value, _call: volume.pool is not None and volume.pool.id == value,
    "displayvolume": lambda volume, value, _call: volume.display is value,
    "diskofferingid": lambda volume, offering, _call: volume.disk_offering is offering,
    "serviceofferingid": lambda volume, offering, call: (
        "diskofferingid" in call or volume.disk_offering is offering.disk_offering
    ),
    "isencrypted": lambda volume, value, _call: (has_passphrase(volume) and volume.hypervisor == "KVM") is value,
    "kmskeyid": lambda volume, key, _call: volume.kms_key is key,
}


def _candidates(call: Call, scope: Scoping) -> list[Volume]:
    """The volumes that a list may have; those of the system too where a root admin asks for them."""
    if call.is_root_admin and call.flag("listsystemvms"):
        from cs_matrix_pytest.simulator.families.system_volumes import system_volumes

        every = [*call.cloud.store.table(Volume), *system_volumes(call.cloud)]
        return sorted((row for row in every if scope.admits(row.account)), key=lambda volume: volume.created)
    vm = call.get("virtualmachineid")
    if isinstance(vm, UserVm):
        rows = [row for row in vm.volumes if row in call.cloud.store and scope.admits(row.account)]
        return sorted(rows, key=lambda volume: volume.number)
    return listing.owned(call, Volume, scope)


SPEC = ListSpec(Volume, scope=Scope.OWNER, filters=FILTERS, keyword=("name", "type", "state"), newest_first=True)


@family.command("listVolumes", "listVolumesMetrics", object_name="volume")
def list_volumes(call: Call) -> Answer:
    cloud = call.cloud
    if "storageid" in call and cloud.store.table(StoragePool).get(call["storageid"]) is None:
        raise InvalidParameterValue(f"Unable to find storage pool by uuid {call['storageid']}")
    if "id" in call and call.get("ids"):
        raise InvalidParameterValue("Specify either id or ids but not both parameters")
    rows: Iterable[Volume] = _candidates(call, scoping(call))
    if not call.is_root_admin:
        rows = (row for row in rows if row.display)
    chosen: list[Any] = listing.filtered(call, SPEC, rows)
    if call.flag("retrieveonlyresourcecount"):
        return Listing([], len(chosen))
    found = listing.page(call, chosen)
    # A page has the newest, but shows them oldest first: they are looked up by their ids again.
    page: list[Any] = sorted(found.rows, key=lambda row: (row.created, row.number))
    if call.command.name == "listVolumesMetrics":
        page = [volume_metrics(row, call) for row in page]
    return Listing(page, found.total)
