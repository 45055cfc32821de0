"""Snapshots of whole virtual machines (VMSnapshotManagerImpl, VMSnapshot.State)."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import check_access, scoping
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, InvalidParameterValue, PermissionDenied
from cs_matrix_pytest.simulator.families import snapshots
from cs_matrix_pytest.simulator.families.annotations import has_annotations
from cs_matrix_pytest.simulator.listing import filtered, page
from cs_matrix_pytest.simulator.models.storage import Snapshot, Volume
from cs_matrix_pytest.simulator.models.vm import UserVm, VmSnapshot
from cs_matrix_pytest.simulator.registry import Answer, Family, ListSpec, Success
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.views import owner_fields, tag_fields, when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("snapshots of virtual machines")
SPEC = ListSpec(
    VmSnapshot,
    newest_first=True,
    filters={
        "vmsnapshotid": lambda row, value, _call: row is value,
        "vmsnapshotids": lambda row, value, _call: row in value,
        "virtualmachineid": lambda row, value, _call: row.vm is value,
        "name": lambda row, value, _call: row.display_name.lower() == value.lower(),
    },
    keyword=("display_name", "description", "name"),
)

STATES = {
    "Allocated": {"create": "Creating"},
    "Creating": {"done": "Ready", "failed": "Error"},
    "Ready": {"revert": "Reverting", "expunge": "Expunging"},
    "Reverting": {"done": "Ready", "failed": "Ready"},
    "Error": {"expunge": "Expunging"},
}
"""The next state by state and event."""
UNFINISHED = ("Creating", "CreatedOnPrimary", "BackingUp")
"""The states of a volume's snapshot that is not there yet."""
ENABLED = ("simulator", "kvm", "vmware", "xenserver")
"""Hypervisors that can take them (hypervisor_capabilities.vm_snapshot_enabled)."""


@family.command("listVMSnapshot")
def list_snapshots(call: Call) -> Answer:
    if "vmsnapshotid" in call and call.get("vmsnapshotids"):
        raise InvalidParameterValue("Specify either id or ids but not both parameters")
    scope = scoping(call, by_id="vmsnapshotid" in call)
    rows = [row for row in call.cloud.store.table(VmSnapshot) if scope.admits(row.account)]
    return page(call, filtered(call, SPEC, rows))


@family.view(VmSnapshot)
def view(snapshot: VmSnapshot, call: Call) -> dict[str, Any]:
    vm, parent = snapshot.vm, snapshot.parent
    return {
        "id": snapshot.id,
        "name": snapshot.name,
        "state": snapshot.state,
        "description": snapshot.description,
        "displayname": snapshot.display_name,
        "zoneid": vm.zone.id,
        "zonename": vm.zone.name,
        "virtualmachineid": vm.id,
        "virtualmachinename": vm.display_name or vm.name,
        "parent": parent.id if parent else None,
        "parentName": parent.display_name if parent else None,
        "current": vm.current_snapshot is snapshot,
        "type": snapshot.type,
        "created": when(snapshot.created),
        **owner_fields(snapshot.account),
        "hypervisor": vm.hypervisor,
        "tags": tag_fields(snapshot),
        "hasannotations": has_annotations(snapshot, call),
    }


NO_VM = 'Cannot invoke "com.cloud.uservm.UserVm.getAccountId()" because "userVM" is null'
"""What the server trips over where there is no such VM."""


@family.before("createVMSnapshot")
def check_known(call: Call) -> None:
    """Raise as the server does, which stumbles over a VM that is gone."""
    vm = call.params["virtualmachineid"]
    if not isinstance(vm, UserVm) or vm not in call.cloud.store:
        raise ApiError('Cannot invoke "com.cloud.uservm.UserVm.getAccountId()" because "userVM" is null')


@family.command("createVMSnapshot")
def create(call: Call) -> Generator[Resource, None, Answer]:
    try:
        snapshot = _allocated(call)
    except (InvalidParameterValue, PermissionDenied, InternalError) as error:
        raise ApiError(f"Failed to create Instance Snapshot: {error.text}", cs_code=error.cs_code) from error
    try:
        yield snapshot
    except ApiError:
        snapshot.state = "Error"
        raise
    snapshot.state = "Ready"
    snapshot.vm.current_snapshot = snapshot
    return snapshot


def _allocated(call: Call) -> VmSnapshot:
    """A snapshot that is still to be taken (allocVMSnapshot)."""
    cloud, vm, memory = call.cloud, call.params["virtualmachineid"], call.flag("snapshotmemory")
    assert isinstance(vm, UserVm)
    if vm.hypervisor.lower() not in ENABLED:
        raise InvalidParameterValue(f"Instance Snapshot is not enabled for hypervisor type: {vm.hypervisor}")
    name = f"{vm.instance_name}_VS_{cloud.clock.datetime():%Y%m%d%H%M%S}"
    display_name = call.get("name", name)
    mine = cloud.store.table(VmSnapshot).where(vm=vm)
    if any(row.display_name.lower() == display_name.lower() for row in mine):
        raise InvalidParameterValue(
            f"Creating Instance Snapshot failed because Instance Snapshot with name{display_name}  already exists"
        )
    if vm.state not in ("Running", "Stopped"):
        raise InvalidParameterValue(
            f"Creating Instance Snapshot failed because Instance:{vm.number} is not in Running or Stopped state"
        )
    if memory and vm.state != "Running":
        raise InvalidParameterValue("Can not Snapshot memory when the Instance is not in Running state")
    root = vm.root_volume
    if root is None or root.state != "Ready":
        raise InternalError(f"Unable to find root volume for the user Instance:{vm.id}")
    if vm.hypervisor.lower() == "kvm" and vm.state == "Running" and not memory:
        raise InternalError(f"No strategy was able to handle requested snapshot for Instance [{vm.id}].")
    check_access(cloud, call.account, vm)
    most = int(cloud.configuration.number("vmsnapshot.max", vm.account, default=10))
    if len(mine) >= most:
        raise InternalError(f"Each VM can have at most [{most}] VM snapshots.")
    if any(row.volume in vm.volumes and row.state in UNFINISHED for row in cloud.store.table(Snapshot)):
        raise InternalError(
            "There are other active volume Snapshot tasks on the Instance to which the volume is attached, please try again "
            "later."
        )
    return cloud.store.add(
        VmSnapshot(
            account=vm.account,
            name=name,
            display_name=display_name,
            description=call.get("description"),
            vm=vm,
            type="DiskAndMemory" if memory else "Disk",
            parent=vm.current_snapshot,
        )
    )


def _one(call: Call) -> VmSnapshot:
    snapshot = call.params["vmsnapshotid"]
    if not isinstance(snapshot, VmSnapshot) or snapshot not in call.cloud.store:
        number = getattr(snapshot, "number", snapshot)
        raise InvalidParameterValue(f"Unable to find the Instance Snapshot with id {number}")
    check_access(call.cloud, call.account, snapshot)
    return snapshot


@family.command("deleteVMSnapshot")
def delete(call: Call) -> Answer:
    snapshot = _one(call)
    if snapshot.state not in ("Ready", "Expunging", "Error"):
        raise InvalidParameterValue(
            f"Can't delete the Instance Snapshotshot {snapshot.name} due to it is not in Created or Error, or Expunging State"
        )
    remove(call.cloud, snapshot)
    return Success()


def remove(cloud: Cloud, snapshot: VmSnapshot) -> None:
    """Delete a snapshot; those made after it become its parent's."""
    for row in cloud.store.table(VmSnapshot).where(parent=snapshot):
        row.parent = snapshot.parent
    if snapshot.vm.current_snapshot is snapshot:
        snapshot.vm.current_snapshot = snapshot.parent
    cloud.store.remove(snapshot)


@family.command("revertToVMSnapshot")
def revert(call: Call) -> Answer:
    snapshot = _one(call)
    vm = snapshot.vm
    if vm.state not in ("Running", "Stopped"):
        raise InvalidParameterValue(
            "Instance Snapshot reverting failed because the Instance is not in Running or Stopped state."
        )
    if vm.state == "Running" and snapshot.type == "Disk":
        raise InvalidParameterValue(
            "Reverting to the Instance Snapshot is not allowed for running Instances as this would result in an Instance "
            "state change. For running Instances only Snapshots with memory can be reverted. "
            "In order to revert to a Snapshot without memory you need to first stop the Instance."
        )
    if vm.state == "Stopped" and snapshot.type == "DiskAndMemory":
        raise InvalidParameterValue(
            "Reverting to the Instance Snapshot is not allowed for stopped Instances when the Snapshot contains memory as "
            "this would result in an Instance state change. "
            "In order to revert to a Snapshot with memory you need to first start the Instance."
        )
    if snapshot.state != "Ready":
        raise InvalidParameterValue(
            "Instance Snapshot reverting failed because the Instance Snapshot is not in Created state."
        )
    vm.current_snapshot = snapshot
    return vm


family.must_name("createSnapshotFromVMSnapshot", "vmsnapshotid", VmSnapshot, "Unable to find vmsnapshot by id={}")


@family.command("createSnapshotFromVMSnapshot")
def create_volume_snapshot(call: Call) -> Generator[Resource, None, Answer]:
    source, volume = _one(call), call.one(Volume, "volumeid")
    if (hypervisor := source.vm.hypervisor).lower() != "kvm":
        raise InvalidParameterValue(f"Unsupported hypervisor type {hypervisor}. This supports KVM only")
    if volume.vm is not source.vm:
        raise InvalidParameterValue("The volume does not belong to the VM of the VM snapshot")
    snapshot = snapshots.new_snapshot(call.cloud, volume, call.get("name"))
    try:
        yield snapshot
    except ApiError:
        snapshot.state = "Error"
        raise
    snapshot.state = "BackedUp"
    return snapshot
