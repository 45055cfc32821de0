"""Changes of virtual machines: names, size, passwords, keys, owner, ISO (UserVmManagerImpl, TemplateManagerImpl)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cs_matrix_pytest.simulator.access import ADMINS, check_access, check_domain, check_owner, describe, owner_of_new
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import (
    ApiError,
    InternalError,
    InvalidParameterValue,
    ParameterError,
    PermissionDenied,
    ResourceLimitExceeded,
)
from cs_matrix_pytest.simulator.families import capacity, nics, volumes
from cs_matrix_pytest.simulator.families.extra_config import add_extra_config
from cs_matrix_pytest.simulator.families.public_ips import check_custom_id, check_may_customize, rename
from cs_matrix_pytest.simulator.families.user_data_texts import user_data_of
from cs_matrix_pytest.simulator.families.vm_deploy import (
    Disk,
    Size,
    check_limits,
    check_name,
    check_name_free,
    check_usable,
    public_keys,
    size_of,
    whole_number,
)
from cs_matrix_pytest.simulator.families.vm_groups import group_named
from cs_matrix_pytest.simulator.families.vm_leases import change_lease, is_enabled
from cs_matrix_pytest.simulator.families.vm_lifecycle import new_password
from cs_matrix_pytest.simulator.families.vm_networks import (
    Wanted,
    asked_groups,
    check_network,
    default_network,
    uses_groups,
)
from cs_matrix_pytest.simulator.families.vms import HIDDEN_DETAILS, READ_ONLY_DETAILS, whole
from cs_matrix_pytest.simulator.models.iam import Account
from cs_matrix_pytest.simulator.models.images import Iso, OsType
from cs_matrix_pytest.simulator.models.networks import (
    LoadBalancerRule,
    Network,
    PortForwardingRule,
    PublicIp,
    SecurityGroup,
)
from cs_matrix_pytest.simulator.models.offerings import ServiceOffering
from cs_matrix_pytest.simulator.models.storage import GIB, Snapshot
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("changes of virtual machines")

SIZE_DETAILS = {"cpuNumber": "cpu_number", "cpuSpeed": "cpu_speed", "memory": "memory"}
"""The details that say a VM's own numbers, and where the VM keeps them."""
NOT_RIGHT = ("Error", "Expunging")
ROOT_ADMIN_DETAILS = {"guest.cpu.mode", "guest.cpu.model"}
LEASE_DETAILS = ("leaseactionexecution", "leaseexpirydate", "leaseexpiryaction")


def _named_settings(text: str) -> set[str]:
    return {name.strip() for name in text.split(",") if name.strip()}


@family.command("updateVirtualMachine")
def update(call: Call) -> Answer:
    if "customid" in call:
        check_may_customize(call)
        check_custom_id(call.cloud, UserVm, call["customid"])
    try:
        return _update(call)
    except (InvalidParameterValue, PermissionDenied, InternalError) as error:
        # UpdateVMCmd makes one kind of error of all.
        raise InternalError(f"Failed to update Instance, due to: {error.text}") from error


def _update(call: Call) -> UserVm:
    cloud, vm = call.cloud, call.params["id"]
    if not isinstance(vm, UserVm) or vm not in cloud.store:
        raise InvalidParameterValue(f"unable to find virtual machine with id: {getattr(vm, 'number', vm)}")
    os_type = call.params.get("ostypeid")
    if os_type is not None and (not isinstance(os_type, OsType) or os_type not in cloud.store):
        raise InvalidParameterValue("Please specify a valid guest OS ID.")
    check_access(cloud, call.account, vm)
    regroups = "securitygroupids" in call or "securitygroupnames" in call
    security_groups = asked_groups(call, vm.account)
    user_data, registered, values = user_data_of(call, vm.template)
    if "displayvm" in call:
        vm.display = call.flag("displayvm")
        for volume in vm.volumes:
            volume.display = vm.display
    _update_details(call, vm)
    if call.flag("cleanupextraconfig"):
        vm.details = {name: value for name, value in vm.details.items() if not name.startswith("extraconfig")}
    else:
        add_extra_config(call, vm, vm.account)
    if is_enabled(cloud) and "leaseduration" in call:
        change_lease(call, vm)
    instance_name = call.get("instancename")
    if instance_name is not None:
        other = cloud.store.table(UserVm).first(instance_name=instance_name)
        if other is not None and other is not vm:
            raise InternalError(f"Instance name : {instance_name} is not unique")
    if vm.state in NOT_RIGHT:
        raise InvalidParameterValue(f"Vm {capacity.describe(vm)} is not in the right state")
    ha = call.flag("haenable", vm.ha_enabled)
    if ha and not vm.service_offering.offer_ha:
        raise InvalidParameterValue(
            "Can't enable ha for the vm as it's created from the Service offering having HA disabled"
        )
    if "group" in call:
        vm.group = group_named(cloud, vm.account, call["group"])
    _check_dynamic_scaling(call, vm)
    name, display_name = call.get("name"), call.get("displayname")
    if name is not None:
        check_name(name)
        if name != vm.name:
            check_name_free(cloud, name, vm.networks, but=vm)
    if regroups:
        _update_security_groups(cloud, vm, security_groups)
    if display_name is None or not display_name.strip():
        # Who changes the name alone changes what is displayed too (UpdateVMCmd.getDisplayName).
        display_name = name
    vm.name = name or vm.name
    vm.display_name = vm.display_name if display_name is None else display_name
    vm.ha_enabled = ha
    vm.delete_protection = call.flag("deleteprotection", vm.delete_protection)
    vm.dynamically_scalable = call.flag("isdynamicallyscalable", vm.dynamically_scalable)
    vm.os_type, vm.instance_name = os_type or vm.os_type, instance_name or vm.instance_name
    vm.user_data, vm.registered_user_data = user_data or vm.user_data, registered or vm.registered_user_data
    vm.user_data_details = values or vm.user_data_details
    rename(call, vm)
    if user_data is not None:
        check_user_data_handed_out(vm)
    return vm


def check_user_data_handed_out(vm: UserVm) -> None:
    """Raise InternalError where no network of a VM hands out user data (UserVmManagerImpl.updateUserData)."""
    if not any(network.supports("UserData") for network in vm.networks):
        raise InternalError("Failed to reset userdata for the virtual machine ")


def _update_details(call: Call, vm: UserVm) -> None:
    """Replace a VM's details by those given, or remove them; what is for admins alone stays with others' VMs."""
    # Of several maps, it is the first that counts (UpdateVMCmd.getDetails).
    settings, details = call.cloud.configuration, dict(next(iter(call.entries("details")), {}))
    is_admin = call.is_root_admin
    denied = _named_settings(settings.text("user.vm.denied.details", default=HIDDEN_DETAILS)) | ROOT_ADMIN_DETAILS
    read_only = _named_settings(settings.text("user.vm.readonly.details", default=READ_ONLY_DETAILS))
    if call.flag("cleanupdetails"):
        vm.details = {
            name: value
            for name, value in vm.details.items()
            if name.startswith("extraconfig") or (not is_admin and name in denied | read_only)
        }
        return
    if not details:
        return
    if any(name in details for name in LEASE_DETAILS):
        raise InvalidParameterValue("lease parameters should not be included in details as key")
    if "extraconfig" in details:
        raise InvalidParameterValue("'extraconfig' should not be included in details as key")
    if not is_admin:
        for name in details:
            if name in denied:
                raise InvalidParameterValue(f"You're not allowed to add or edit the restricted setting: {name}")
            if name in read_only:
                raise InvalidParameterValue(f"You're not allowed to add or edit the read-only setting: {name}")
        details |= {name: value for name, value in vm.details.items() if name in denied | read_only}
    details = {name: value for name, value in details.items() if not name.startswith("extraconfig")}
    details |= {name: value for name, value in vm.details.items() if name.startswith("extraconfig")}
    if not vm.service_offering.customized and any(name in details for name in SIZE_DETAILS):
        raise InvalidParameterValue("CPU number, Memory and CPU speed cannot be updated for a non-dynamic offering")
    if vm.service_offering.customized:
        size_of(vm.service_offering, {"cpuNumber": "0", "memory": "0"} | details, call.cloud)
        _check_custom_numbers(call, vm, details)
        for name, attribute in SIZE_DETAILS.items():
            number = whole_number(details.get(name))
            if number is not None:
                setattr(vm, attribute, number)
    vm.details = details


def _check_custom_numbers(call: Call, vm: UserVm, details: dict[str, str]) -> None:
    """Raise where new numbers of a VM with a customised offering are more than its owner may have (verifyVmLimits)."""
    tags = call.cloud.limits.host_tags(vm.service_offering, vm.template)
    for name, kind, now in (("cpuNumber", "cpu", vm.cpu_number), ("memory", "memory", vm.memory)):
        number = whole_number(details.get(name))
        if number is not None and number > now:
            try:
                call.cloud.limits.check(vm.account, kind, number - now, tags=tags)
            except ResourceLimitExceeded as error:
                raise InvalidParameterValue(error.text) from error


def _check_dynamic_scaling(call: Call, vm: UserVm) -> None:
    if not call.flag("isdynamicallyscalable"):
        return
    if not vm.template.dynamically_scalable:
        raise InvalidParameterValue(
            "Dynamic Scaling cannot be enabled for the Instance since its Template does not have dynamic scaling enabled"
        )
    if not vm.service_offering.dynamic_scaling:
        raise InvalidParameterValue(
            "Dynamic Scaling cannot be enabled for the Instance since its service offering does not have dynamic scaling "
            "enabled"
        )
    if not call.cloud.configuration.flag("enable.dynamic.scale.vm", vm.zone):
        raise InvalidParameterValue(
            "Dynamic Scaling cannot be enabled for the VM since corresponding global setting is set to false"
        )


def _update_security_groups(cloud: Cloud, vm: UserVm, groups: list[SecurityGroup]) -> None:
    if vm.hypervisor.lower() == "vmware":
        raise InvalidParameterValue("Security group feature is not supported for VMware hypervisor")
    if not uses_groups(cloud, vm.account, vm.zone, vm.networks, bool(groups)):
        return
    if vm.state != "Stopped":
        raise InvalidParameterValue(f"VM {vm.id} must be stopped prior to update security groups")
    vm.security_groups = tuple(groups)


def _with_current(vm: UserVm, offering: ServiceOffering, details: dict[str, str]) -> dict[str, str]:
    """The details of a change of offering; numbers that are not given stay as they are."""
    if not offering.customized:
        return details
    fixed = {"cpuNumber": offering.cpu_number, "cpuSpeed": offering.cpu_speed, "memory": offering.memory}
    current = {"cpuNumber": vm.cpu_number, "cpuSpeed": vm.cpu_speed, "memory": vm.memory}
    for name, value in current.items():
        if fixed[name] is None:
            details.setdefault(name, str(value))
    return details


def _new_size(call: Call, vm: UserVm, offering: ServiceOffering) -> Size:
    """A VM's size with an offering; raises InvalidParameterValue where it cannot be that."""
    return size_of(offering, _with_current(vm, offering, call.map("details")), call.cloud)


def _check_upgradable(cloud: Cloud, vm: UserVm, offering: ServiceOffering) -> None:
    """Raise InvalidParameterValue unless a VM can have an offering (VirtualMachineManagerImpl.checkIfCanUpgrade)."""
    old, named = vm.service_offering, capacity.describe(vm)
    if offering.state == "Inactive":
        raise InvalidParameterValue(f"New service offering is inactive: [{offering.id}].")
    if vm.state not in ("Stopped", "Running"):
        raise InvalidParameterValue(
            f"Unable to upgrade virtual machine {named}  in state {vm.state}; "
            "make sure the virtual machine is stopped/running"
        )
    if not offering.customized and offering is old:
        raise InvalidParameterValue(
            f"Not upgrading vm {named} since it already has the requested service offering ({offering.name})"
        )
    root = vm.root_volume
    here = "local" if root is not None and root.pool is not None and root.pool.scope == "HOST" else "shared"
    if offering.storage_type != here:
        raise InvalidParameterValue(
            f"Unable to upgrade virtual machine {named}, target offering use {offering.storage_type} storage but the storage "
            f"pool where the volume is allocated is a {here} storage."
        )
    if offering.is_system != old.is_system:
        raise InvalidParameterValue(
            "isSystem property is different for current service offering and new service offering"
        )
    tags_count = cloud.configuration.flag("match.storage.pool.tags.with.disk.offering", vm.zone, default=True)
    if tags_count and not set(old.storage_tags) <= set(offering.storage_tags):
        raise InvalidParameterValue(
            "Unable to upgrade virtual machine; the current service offering  should have tags as subset of the new service "
            f"offering tags. Current service offering tags: [{', '.join(old.storage_tags)}]; new service offering tags: "
            f"[{', '.join(offering.storage_tags)}]"
        )


def _check_disk_offerings(old: ServiceOffering, offering: ServiceOffering) -> None:
    """Raise InvalidParameterValue where two offerings bind disks in different ways (validateDiskOfferingChecks)."""
    if old.disk_offering_strict != offering.disk_offering_strict:
        raise InvalidParameterValue(
            "Unable to Scale VM, since disk offering strictness flag is not same for new service offering and old service "
            "offering"
        )
    if old.disk_offering_strict and old.disk_offering is not offering.disk_offering:
        raise InvalidParameterValue(
            "Unable to Scale VM, since disk offering id associated with the old service offering is not same for new service "
            "offering"
        )


def _check_growth(cloud: Cloud, vm: UserVm, offering: ServiceOffering, size: Size) -> None:
    if cloud.configuration.flag("resource.count.running.vms.only") and vm.state != "Running":
        return
    tags = cloud.limits.host_tags(offering, vm.template)
    cloud.limits.check(vm.account, "cpu", size.cpus - vm.cpu_number, tags=tags)
    cloud.limits.check(vm.account, "memory", size.memory - vm.memory, tags=tags)


def _give(vm: UserVm, offering: ServiceOffering, size: Size) -> None:
    vm.service_offering = offering
    vm.cpu_number, vm.cpu_speed, vm.memory = size.cpus, size.speed, size.memory
    for name, value in (("cpuNumber", size.cpus), ("cpuSpeed", size.speed), ("memory", size.memory)):
        own = {"cpuNumber": offering.cpu_number, "cpuSpeed": offering.cpu_speed, "memory": offering.memory}[name]
        vm.details.pop(name, None)
        if own is None:
            vm.details[name] = str(value)
    vm.ha_enabled = offering.offer_ha
    vm.dynamically_scalable = vm.dynamically_scalable and offering.dynamic_scaling


def _follow(call: Call, vm: UserVm, offering: ServiceOffering) -> None:
    """Give the root disk what a new offering says of it (changeDiskOfferingForRootVolume)."""
    if not call.cloud.configuration.flag("allow.diskoffering.change.during.scale.vm", vm.zone):
        return
    root = vm.root_volume
    if root is None or vm.service_offering.disk_offering_strict or root.disk_offering is offering.disk_offering:
        return
    size = (offering.root_disk_size or 0) * GIB
    if 0 < size < root.size and not call.flag("shrinkok"):
        raise InvalidParameterValue(
            f"Going from existing size of {root.size} to size of {size} would shrink the volume."
            "Need to sign off by supplying the shrinkok parameter with value of true."
        )
    if size > root.size:
        tags = call.cloud.limits.storage_tags(offering.disk_offering)
        call.cloud.limits.check(vm.account, "primary_storage", size - root.size, tags=tags)
    if size:
        volumes.check_size(call.cloud, size)
        root.size = size
    root.disk_offering = offering.disk_offering


def _change_stopped(call: Call, vm: UserVm, offering: ServiceOffering) -> None:
    if offering.state == "Inactive":
        raise InvalidParameterValue(
            f"Unable to upgrade Instance {vm.id} with an inactive service offering {offering.id}"
        )
    size = _new_size(call, vm, offering)
    _check_disk_offerings(vm.service_offering, offering)
    _check_growth(call.cloud, vm, offering, size)
    _check_upgradable(call.cloud, vm, offering)
    check_usable(vm.account, offering, vm.zone)
    _follow(call, vm, offering)
    _give(vm, offering, size)


@family.command("changeServiceForVirtualMachine")
def change_service(call: Call) -> Answer:
    offering = call.one(ServiceOffering, "serviceofferingid", missing="Unable to find service offering: {}")
    vm = call.one(UserVm, missing="unable to find an Instance with id {}")
    if vm.state != "Stopped":
        raise InvalidParameterValue(
            f"Unable to upgrade Instance {capacity.describe(vm)}  in state {vm.state}; make sure the Instance is stopped"
        )
    _change_stopped(call, vm, offering)
    return vm


@family.command("scaleVirtualMachine")
def scale(call: Call) -> Answer:
    vm = call.one(UserVm, missing="Unable to find VM's UUID")
    offering = call.one(ServiceOffering, "serviceofferingid")
    check_not_external(vm)
    try:
        if vm.state == "Stopped":
            _change_stopped(call, vm, offering)
        else:
            _scale_running(call, vm, offering)
    except ResourceLimitExceeded as error:
        # To ScaleVMCmd a limit is one more error of the server's.
        raise ApiError(error.text) from error
    return whole(vm, call)


def _scale_running(call: Call, vm: UserVm, offering: ServiceOffering) -> None:
    cloud, host = call.cloud, vm.host
    size, old = _new_size(call, vm, offering), vm.service_offering
    _check_upgradable(cloud, vm, offering)
    if offering.dynamic_scaling != old.dynamic_scaling:
        raise InvalidParameterValue(
            "Unable to Scale VM: since dynamic scaling enabled flag is not same for new service offering and old service "
            "offering"
        )
    _check_disk_offerings(old, offering)
    if size.speed < vm.cpu_speed or size.memory < vm.memory or size.cpus < vm.cpu_number:
        raise InvalidParameterValue(
            "Scaling down is not supported while the VM is running. The new service offering attributes "
            f'{{"memory": {size.memory}, "CPU speed": {size.speed}, "vCPUs": {size.cpus}}} must not be lower than the '
            f'current values {{"memory": {vm.memory}, "CPU speed": {vm.cpu_speed}, "vCPUs": {vm.cpu_number}}}.'
        )
    same = (size.speed, size.memory, size.cpus) == (vm.cpu_speed, vm.memory, vm.cpu_number)
    if same and (vm.hypervisor.lower() != "kvm" or old.limit_cpu_use == offering.limit_cpu_use):
        raise InvalidParameterValue(
            "While the VM is running, scaling to a service offering with the same attributes (memory, CPU speed and vCPUs) "
            "is only allowed when the CPU cap is changed."
        )
    _check_growth(cloud, vm, offering, size)
    if not cloud.configuration.flag("enable.dynamic.scale.vm", vm.zone):
        raise PermissionDenied("Dynamically scaling Instances is disabled for this zone, please contact your admin.")
    if not vm.dynamically_scalable:
        raise InternalError(
            f"Unable to scale {capacity.describe(vm)} as it does not have tools to support dynamic scaling."
        )
    assert host is not None
    before = vm.cpu_number, vm.cpu_speed, vm.memory
    vm.cpu_number, vm.cpu_speed, vm.memory = size.cpus, size.speed, size.memory
    demand, carried = capacity.demand_of(vm), capacity.loads(cloud, without=vm)
    target = host if capacity.fits(host, carried.get(host, capacity.Load()), demand) else None
    if target is None and cloud.configuration.flag("auto.migrate.vm.on.live.scale.insufficient.capacity", host.cluster):
        target = next(
            (each for each, moves_storage in capacity.migration_targets(cloud, vm) if not moves_storage), None
        )
    vm.cpu_number, vm.cpu_speed, vm.memory = before
    if target is None:
        raise InternalError("Failed to scale the VM")
    _follow(call, vm, offering)
    vm.host = vm.last_host = target
    _give(vm, offering, size)


def check_not_external(vm: UserVm) -> None:
    """Raise InvalidParameterValue for machines that an extension orchestrates."""
    if vm.hypervisor == "External":
        raise InvalidParameterValue(f"Operation not supported for instance: {vm.name}")


@family.command("resetPasswordForVirtualMachine")
def reset_password(call: Call) -> Answer:
    vm = call.one(UserVm, missing="unable to find an Instance with id {}")
    if not vm.template.password_enabled:
        raise InvalidParameterValue("Fail to reset password for the Instance, the Template is not password enabled")
    if vm.state in NOT_RIGHT:
        raise InvalidParameterValue(f"Vm {capacity.describe(vm)} is not in the right state")
    if vm.state != "Stopped":
        raise InvalidParameterValue(f"Vm {capacity.describe(vm)} should be stopped to do password reset")
    check_access(call.cloud, call.account, vm)
    check_handed_out(vm, "password", "password reset")
    vm.password = call.get("password") or new_password(call.cloud)
    return vm


@family.command("resetSSHKeyForVirtualMachine")
def reset_ssh_key(call: Call) -> Answer:
    owner, cloud = owner_of_new(call), call.cloud
    vm = call.one(UserVm, missing="unable to find an Instance by id{}")
    check_not_external(vm)
    if vm.state in NOT_RIGHT:
        raise InvalidParameterValue("Vm with specified id is not in the right state")
    if vm.state != "Stopped":
        raise InvalidParameterValue(f"Vm {capacity.describe(vm)} should be stopped to do SSH Key reset")
    names = [*call.get("keypairs", []), *([call["keypair"]] if call.get("keypair") else [])]
    if not names:
        raise InvalidParameterValue("'keypair' or 'keypairs' must be specified")
    keys = public_keys(cloud, owner, names)
    check_access(cloud, call.account, vm)
    check_handed_out(vm, "SSH Key", "SSH Key reset")
    vm.key_pairs = names
    vm.details |= {"SSH.PublicKey": "\n".join(keys), "SSH.KeyPairNames": ",".join(names)}
    # A password that the old key encrypted is of no use any more.
    vm.password = None
    return vm


def check_handed_out(vm: UserVm, what: str, operation: str) -> None:
    """Raise InternalError where nobody in a VM's default network would hand out what is reset."""
    nic = vm.default_nic
    if nic is None:
        raise InternalError(f"Failed to reset {what} for the Instance ")
    if not nic.network.supports("UserData"):
        raise InternalError(f"Can't find network element for UserData provider needed for {operation}")


@family.command("resetUserDataForVirtualMachine")
def reset_user_data(call: Call) -> Answer:
    vm = call.one(UserVm, missing="unable to find an Instance by id{}")
    check_not_external(vm)
    check_access(call.cloud, call.account, vm)
    if vm.state != "Stopped":
        raise InvalidParameterValue(f"VM {capacity.describe(vm)} should be stopped to do UserData reset")
    vm.user_data, vm.registered_user_data, vm.user_data_details = user_data_of(call, vm.template)
    check_user_data_handed_out(vm)
    return vm


@family.command("getVMPassword")
def get_password(call: Call) -> Answer:
    vm = call.one(UserVm, missing="No instance found with id [{}].")
    check_access(call.cloud, call.account, vm)
    if vm.password is None or "SSH.PublicKey" not in vm.details:
        raise InvalidParameterValue(
            f"No password found for Instance [{capacity.describe(vm)}]. When the Instance's SSH keypair is changed, the "
            "current encrypted password is removed due to inconsistency in the encryption, as the new SSH keypair is "
            "different from which the password was encrypted. To get a new password, it must be reseted."
        )
    return {"password": {"encryptedpassword": vm.password}}


for command in ("attachIso", "detachIso"):
    family.must_name(command, "virtualmachineid", UserVm, "Unable to find Instance by ID {}")


@family.command("attachIso")
def attach_iso(call: Call) -> Answer:
    cloud, vm = call.cloud, call.one(UserVm, "virtualmachineid")
    if vm.hypervisor == "External":
        raise InvalidParameterValue("Attach ISO operation is not allowed for External hypervisor type")
    iso = call.one(Iso, missing="Unable to find an ISO with id {}")
    if iso.template_type != "PERHOST" and iso.copy_in(vm.zone) is None:
        raise InvalidParameterValue("ISO is not available in the zone the instance is in.")
    for account in (call.account, vm.account):
        check_access(cloud, account, iso)
    check_access(cloud, call.account, vm)
    if vm.state not in ("Running", "Stopped"):
        raise InvalidParameterValue("Please specify an instance that is either Stopped or Running.")
    for name, hypervisor, label in (
        ("xs-tools.iso", "xenserver", "Xenserver PV drivers"),
        ("vmware-tools.iso", "vmware", "VMware tools drivers"),
    ):
        if iso.name == name and vm.hypervisor.lower() != hypervisor:
            raise InvalidParameterValue(f"Cannot attach {label} to incompatible hypervisor {vm.hypervisor}")
    if vm.iso is iso:
        raise InvalidParameterValue("The specified ISO is already attached to this Instance.")
    if vm.iso is not None:
        raise InvalidParameterValue(
            "Instance has reached the maximum of 1 attached CD-ROM(s); detach one before attaching another."
        )
    vm.iso = iso
    return vm


@family.command("detachIso")
def detach_iso(call: Call) -> Answer:
    vm = call.one(UserVm, "virtualmachineid")
    check_access(call.cloud, call.account, vm)
    if "id" in call and call["id"] is not vm.iso:
        raise InvalidParameterValue("The specified ISO is not attached to this Instance.")
    if vm.iso is None:
        raise InvalidParameterValue("The specified instance has no ISO attached to it.")
    if vm.state not in ("Running", "Stopped"):
        raise InvalidParameterValue("Please specify an instance that is either Stopped or Running.")
    vm.iso = None
    return vm


@family.command("assignVirtualMachine")
def assign(call: Call) -> Answer:
    vm = call.params["virtualmachineid"]
    text = f"Failed to move Instance due to [{getattr(vm, 'number', vm)}]."
    if not isinstance(vm, UserVm) or vm not in call.cloud.store:
        raise ParameterError(text)
    try:
        _assign(call, vm)
    except ApiError as error:
        # AssignVMCmd says no more than this of whatever went wrong.
        if isinstance(error, InvalidParameterValue):
            raise ParameterError(text) from error
        raise InternalError(text, cs_code=9999) from error
    return vm


def _assign(call: Call, vm: UserVm) -> None:
    cloud = call.cloud
    if call.account.type not in ADMINS:
        raise InvalidParameterValue(
            f"Only root or domain admins are allowed to assign VMs. Caller {describe(call.account)}"
        )
    if vm.state == "Running":
        raise InvalidParameterValue(f"Unable to move VM [{capacity.describe(vm)}] in [{vm.state}] state.")
    owner = owner_of_new(call)
    if owner.state.lower() == "disabled":
        raise InvalidParameterValue(f"The new account owner [{describe(owner)}] is disabled.")
    if owner is vm.account:
        raise InvalidParameterValue(f"The new account [{describe(owner)}] is the same as the old account.")
    for each in (vm.account, owner):
        check_owner(call.account, each)
    if "projectid" in call and "domainid" not in call:
        raise InvalidParameterValue(
            "Please provide a valid domain ID; cannot assign VM to a project if domain ID is NULL."
        )
    _check_no_rules(cloud, vm)
    for volume in vm.volumes:
        if any(row.volume is volume and row.state not in ("Destroyed", "Error") for row in cloud.store.table(Snapshot)):
            raise InvalidParameterValue(
                f"Snapshots exist for volume [{volume.name}]. Detach volume or remove snapshots for the volume before "
                "assigning VM to another user."
            )
    check_access(cloud, owner, vm.template, "UseEntry")
    check_domain(owner, owner.domain)
    disks = [Disk(volume.disk_offering, volume.size) for volume in vm.volumes]
    check_limits(cloud, owner, vm.service_offering, vm.template, Size(vm.cpu_number, vm.cpu_speed, vm.memory), disks)
    wanted = _networks_of_new_owner(call, vm, owner)
    for nic in vm.nics:
        nics.release(cloud, nic)
    vm.nics = ()
    for device_id, wish in enumerate(wanted):
        nic = nics.allocate(cloud, wish.network, wish.ip, wish.mac)
        nic.device_id, nic.is_default = device_id, device_id == 0
        vm.nics = (*vm.nics, nic)
    vm.account, vm.group, vm.affinity_groups = owner, None, ()
    vm.security_groups = tuple(_groups_of_new_owner(call, vm, owner))
    for volume in vm.volumes:
        volume.account = owner


def _check_no_rules(cloud: Cloud, vm: UserVm) -> None:
    store, named = cloud.store, capacity.describe(vm)
    if store.table(PortForwardingRule).first(vm=vm):
        raise InvalidParameterValue(
            f"Remove any Port Forwarding rules for VM [{named}] before assigning it to another user."
        )
    if any(member[0] is vm for rule in store.table(LoadBalancerRule) for member in rule.members):
        raise InvalidParameterValue(
            f"Remove the Load Balancing rules for VM [{named}] before assigning it to another user."
        )
    nat = store.table(PublicIp).first(vm=vm)
    if nat is not None:
        raise InvalidParameterValue(f"Remove the One to One Nat rule for VM [{named}] for IP [{nat.address}].")


def _networks_of_new_owner(call: Call, vm: UserVm, owner: Account) -> list[Wanted]:
    """The networks that a VM has with its new owner: those named, shared ones that it keeps, else the owner's own."""
    cloud, named = call.cloud, call.many(Network, "networkids")
    if vm.zone.is_basic:
        if named:
            raise InvalidParameterValue("Cannot move VM with Network IDs; this is a basic zone VM.")
        return [Wanted(nic.network) for nic in vm.nics]
    for network in named:
        check_network(cloud, owner, network, vm.zone)
    wanted = [Wanted(network) for network in named]
    for nic in vm.nics:
        kept = nic.network.guest_type in ("Shared", "L2") and (not named or nic.network in named)
        if kept and nic.network not in [each.network for each in wanted] and _may_use(cloud, owner, nic.network):
            wanted.append(Wanted(nic.network))
    return wanted or [Wanted(default_network(call, owner, vm.zone))]


def _may_use(cloud: Cloud, owner: Account, network: Network) -> bool:
    try:
        check_access(cloud, owner, network, "UseEntry")
    except ApiError:
        return False
    return True


def _groups_of_new_owner(call: Call, vm: UserVm, owner: Account) -> list[SecurityGroup]:
    groups = call.many(SecurityGroup, "securitygroupids")
    has_groups = any(network.supports("SecurityGroup") for network in vm.networks)
    if groups and not has_groups:
        raise InvalidParameterValue(
            "Cannot move VM with security groups; security group feature is not enabled in this zone."
        )
    if has_groups and not groups:
        from cs_matrix_pytest.simulator.families.security_groups import default_group

        groups = [default_group(call.cloud, owner)]
    return groups
