"""Taking virtual machines out of CloudStack's hands, and others into them (UnmanagedVMsManagerImpl).

It is for KVM and VMware. A simulated host of these has nothing that CloudStack does not know, as nothing but CloudStack puts
anything there; and one that CloudStack has made stays in its hands.
"""

from __future__ import annotations

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, InvalidParameterValue, ParameterError
from cs_matrix_pytest.simulator.models.infra import Cluster, Host, Zone
from cs_matrix_pytest.simulator.models.storage import Snapshot
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.texts import described

family = Family("vm_import")

SUPPORTED = ("VMware", "KVM")
SOURCES = ("UNMANAGED", "VMWARE", "EXTERNAL", "SHARED", "LOCAL")
TASK_STATES = ("running", "completed", "failed")
NO_BEHAVIOUR = "{} of a {} virtual machine has no behaviour in this simulator yet"


def _supported_cluster(call: Call) -> Cluster:
    cluster = call.one(Cluster, "clusterid", missing="Cluster with ID [{}] cannot be found.")
    if cluster.hypervisor not in SUPPORTED:
        raise InvalidParameterValue(f"VM import is currently not supported for hypervisor [{cluster.hypervisor}].")
    return cluster


@family.command("listUnmanagedInstances")
def list_unmanaged(call: Call) -> Answer:
    _supported_cluster(call)
    return None


def _check_names(call: Call) -> None:
    if not call["name"]:
        raise InvalidParameterValue("Instance name cannot be empty")
    if "domainid" in call and not call.get("account"):
        raise InvalidParameterValue("domainid parameter must be specified with account parameter")


def _check_import(call: Call) -> Cluster:
    """What every import begins with. Raises InvalidParameterValue."""
    _check_names(call)
    cluster = _supported_cluster(call)
    if cluster.allocation_state != "Enabled":
        raise InvalidParameterValue(f"Cluster [{described(cluster)}] is not enabled.")
    return cluster


@family.command("importUnmanagedInstance")
def import_unmanaged(call: Call) -> Answer:
    cluster = _check_import(call)
    raise ApiError(f"Failed to find unmanaged vm with name: {call['name']} in cluster: {cluster.id}")


@family.command("importVm")
def import_vm(call: Call) -> Answer:
    source = call["importsource"].upper()
    if source not in SOURCES:
        raise ApiError(f"No enum constant org.apache.cloudstack.vm.ImportSource.{source}")
    if source in ("UNMANAGED", "VMWARE"):
        cluster = _check_import(call)
        if source == "UNMANAGED":
            raise ApiError(f"Failed to find unmanaged vm with name: {call['name']} in cluster: {cluster.id}")
    else:
        zone = call.one(Zone, "zoneid", missing="Please specify a valid zone.")
        _check_kvm(call, "VM import is currently not supported for hypervisor: {}")
        _check_names(call)
        if source == "EXTERNAL":
            if not (call.get("username") or "").strip():
                raise InvalidParameterValue("Username need to be provided.")
            _remote(call, zone)
        for name, what in (("diskpath", "Disk Path"), ("networkid", "Network"), ("storageid", "Storage Pool")):
            if name not in call:
                raise InvalidParameterValue(f"{what} is required for Import from shared/local storage")
    raise InternalError(NO_BEHAVIOUR.format("importVm", source.lower()))


def _check_kvm(call: Call, refusal: str) -> None:
    if call["hypervisor"].lower() != "kvm":
        raise InvalidParameterValue(refusal.format(call["hypervisor"]))


def _remote(call: Call, zone: Zone) -> None:
    """Ask a KVM host of a zone for what is on another host; nothing is asked outside of this process."""
    hosts = call.cloud.store.table(Host).where(lambda host: host.takes_vms, zone=zone, hypervisor="KVM")
    if not hosts:
        raise InternalError(f"No hosts available to list VMs on remote host {call.get('host')}")
    raise InternalError(f"Failed to list VMs, due to: {call.get('host')}: Network is unreachable")


@family.command("listVmsForImport")
def list_for_import(call: Call) -> Answer:
    zone = call.one(Zone, "zoneid", missing="Please specify a valid zone.")
    _check_kvm(call, "VM Import is currently not supported for hypervisor: {}")
    _remote(call, zone)
    return None


@family.command("listImportVmTasks")
def list_tasks(call: Call) -> Answer:
    """The imports from VMware, of which there are none."""
    wanted = call.get("tasksfilter") or ""
    if wanted.strip() and wanted.lower() != "all" and wanted.lower() not in TASK_STATES:
        raise ParameterError(f"Invalid value for task state: {wanted}")
    return None


@family.command("unmanageVirtualMachine")
def unmanage(call: Call) -> Answer:
    raise ApiError(_why_not(call))


def _why_not(call: Call) -> str:
    cloud, vm = call.cloud, call.params["id"]
    if not isinstance(vm, UserVm) or vm not in cloud.store:
        return "Could not find VM to unmanage, it is either removed or not existing VM"
    if vm.state not in ("Running", "Stopped"):
        return f"VM with id = {vm.id} must be running or stopped to be unmanaged"
    if vm.hypervisor not in SUPPORTED:
        return f"Unmanage VM is currently not allowed for hypervisor {vm.hypervisor}"
    if "hostid" in call and (vm.hypervisor != "KVM" or vm.state != "Stopped"):
        return "Param hostid is only supported for KVM hypervisor for stopped Instances."
    disks: list[Resource] = list(vm.volumes)
    begin = f"Cannot unmanage VM with id = {vm.id} as there "
    if cloud.store.table(Snapshot).first(lambda row: row.volume in disks and row.state != "Destroyed") is not None:
        return f"{begin}are volume snapshots for its volume(s). Please remove snapshots before unmanaging."
    if vm.iso is not None:
        return f"{begin}is an ISO attached. Please detach ISO before unmanaging."
    return NO_BEHAVIOUR.format("unmanageVirtualMachine", vm.hypervisor)
