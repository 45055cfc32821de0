"""Changes of system VMs: their offering, their scripts (ManagementServerImpl, VirtualMachineManagerImpl.checkIfCanUpgrade)."""

from __future__ import annotations

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue, PermissionDenied
from cs_matrix_pytest.simulator.families.vm_deploy import size_of
from cs_matrix_pytest.simulator.hypervisors import hypervisor_facts
from cs_matrix_pytest.simulator.models.networks import Router
from cs_matrix_pytest.simulator.models.offerings import ServiceOffering
from cs_matrix_pytest.simulator.models.vm import SystemVm
from cs_matrix_pytest.simulator.registry import Answer, Family, Success

family = Family("system_vm_changes")

TYPES = {"consoleproxy": "ConsoleProxy", "secondarystoragevm": "SecondaryStorageVm"}


def machine_type(machine: Router | SystemVm) -> str:
    """What the server calls a machine's type."""
    return TYPES[machine.type] if isinstance(machine, SystemVm) else "DomainRouter"


def describe(machine: Router | SystemVm) -> str:
    """A system VM or a router as error texts name it."""
    return (
        f'VM instance {{"id":{machine.number},"instanceName":"{machine.name}","state":"{machine.state}",'
        f'"type":"{machine_type(machine)}","uuid":"{machine.id}"}}'
    )


def hypervisor_of(call: Call, machine: Router | SystemVm) -> str:
    """The hypervisor that a machine runs on, or is for."""
    return machine.host.hypervisor if machine.host else call.cloud.hypervisor


def _check_upgrade(call: Call, vm: SystemVm, offering: ServiceOffering) -> None:
    old = vm.service_offering
    if offering.customized:
        size_of(offering, call.map("details"), call.cloud)
    if offering.state == "Inactive":
        raise InvalidParameterValue(f"New service offering is inactive: [{offering.id}].")
    if vm.state not in ("Stopped", "Running"):
        raise InvalidParameterValue(
            f"Unable to upgrade virtual machine {describe(vm)}  in state {vm.state}; "
            "make sure the virtual machine is stopped/running"
        )
    if offering is old and not offering.customized:
        raise InvalidParameterValue(
            f"Not upgrading vm {describe(vm)} since it already has the requested service offering ({offering.name})"
        )
    is_local = vm.pool is not None and vm.pool.scope == "HOST"
    for storage, other, wanted in (("local", "shared", True), ("shared", "local", False)):
        if (offering.storage_type == "local") is wanted and is_local is not wanted:
            raise InvalidParameterValue(
                f"Unable to upgrade virtual machine {describe(vm)}, target offering use {storage} storage but the storage "
                f"pool where the volume is allocated is a {other} storage."
            )
    if not offering.is_system:
        raise InvalidParameterValue(
            "isSystem property is different for current service offering and new service offering"
        )
    current = old.storage_tags if old else []
    if call.cloud.configuration.flag("match.storage.pool.tags.with.disk.offering", vm.zone) and not (
        set(current) <= set(offering.storage_tags)
    ):
        raise InvalidParameterValue(
            "Unable to upgrade virtual machine; the current service offering  should have tags as subset of the new service "
            f"offering tags. Current service offering tags: [{', '.join(current)}]; new service offering tags: "
            f"[{', '.join(offering.storage_tags)}]"
        )


def _offering(call: Call) -> ServiceOffering:
    return call.one(ServiceOffering, "serviceofferingid", missing="Unable to find service offering: {}")


@family.command("changeServiceForSystemVm")
def change_service(call: Call) -> Answer:
    offering, vm = _offering(call), call.one(SystemVm, missing="Unable to find SystemVm with id {}")
    _check_upgrade(call, vm, offering)
    vm.service_offering = offering
    return vm


@family.command("scaleSystemVm")
def scale(call: Call) -> Answer:
    offering, vm = _offering(call), call.one(SystemVm)
    running = vm.state == "Running"
    if running and hypervisor_of(call, vm) == "XenServer":
        raise InvalidParameterValue("Dynamic Scaling operation is not permitted for this hypervisor on system vm")
    _check_upgrade(call, vm, offering)
    if running:
        _check_scaling(call, vm, offering)
    vm.service_offering = offering
    return vm


def _check_scaling(call: Call, vm: SystemVm, offering: ServiceOffering) -> None:
    """A running system VM never gets through: it has no tools to be scaled with."""
    old = vm.service_offering
    if old is not None and old.dynamic_scaling != offering.dynamic_scaling:
        raise InvalidParameterValue(
            "Unable to Scale VM: since dynamic scaling enabled flag is not same for new service offering and old service "
            "offering"
        )
    new = [offering.memory or 0, offering.cpu_speed or 0, offering.cpu_number or 0]
    now = [old.memory or 0, old.cpu_speed or 0, old.cpu_number or 0] if old else new
    if any(mine < before for mine, before in zip(new, now, strict=True)):
        shown = ['"memory": {}, "CPU speed": {}, "vCPUs": {}'.format(*values) for values in (new, now)]
        raise InvalidParameterValue(
            "Scaling down is not supported while the VM is running. The new service offering attributes "
            f"{{{shown[0]}}} must not be lower than the current values {{{shown[1]}}}."
        )
    if new == now:
        raise InvalidParameterValue(
            "While the VM is running, scaling to a service offering with the same attributes (memory, CPU speed and vCPUs) "
            "is only allowed when the CPU cap is changed."
        )
    if not call.cloud.configuration.flag("enable.dynamic.scale.vm", vm.zone):
        raise PermissionDenied("Dynamically scaling Instances is disabled for this zone, please contact your admin.")
    raise InternalError(f"Unable to scale {describe(vm)} as it does not have tools to support dynamic scaling.")


@family.command("patchSystemVm")
def patch(call: Call) -> Answer:
    if "id" not in call:
        raise InvalidParameterValue("Please provide a valid ID of a system VM to be patched")
    vm = call.params["id"]
    if not isinstance(vm, (SystemVm, Router)) or vm not in call.cloud.store:
        raise InvalidParameterValue(
            f"Unable to find SystemVm with id {vm.number}. patchSystemVm API can be used to patch CPVM / SSVM only."
        )
    if vm.state != "Running":
        raise InternalError(
            f"Unable to patch SystemVM: {describe(vm)} as it is not in Running state. Please destroy and recreate the "
            "SystemVM."
        )
    if hypervisor_facts(hypervisor_of(call, vm)).simulated:
        # Hosts of the simulator plugin do not know the command, and the server trips over their answer.
        raise InternalError(
            "class com.cloud.agent.api.UnsupportedAnswer cannot be cast to class "
            "com.cloud.agent.api.PatchSystemVmAnswer"
        )
    if call.flag("forced"):
        return Success(text=f"Successfully patched systemVM {vm.name} ")
    return Success(text=f"No change in the scripts checksum, not patching systemVM {vm.name}")
