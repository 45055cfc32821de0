"""deployVirtualMachine: what is asked for, checked and made (DeployVMCmd, UserVmManagerImpl.createVirtualMachine)."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cs_matrix_pytest.simulator.access import check_access, describe, owner_of_new
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import (
    ApiError,
    InsufficientCapacity,
    InternalError,
    InvalidParameterValue,
    PermissionDenied,
    ResourceLimitExceeded,
)
from cs_matrix_pytest.simulator.families import nics, offering_scope, public_ips, volumes
from cs_matrix_pytest.simulator.families.affinity_groups import check_groups, named_groups
from cs_matrix_pytest.simulator.families.extra_config import add_extra_config
from cs_matrix_pytest.simulator.families.kms_keys import key_for_volume
from cs_matrix_pytest.simulator.families.security_groups import default_group
from cs_matrix_pytest.simulator.families.ssh_keys import key_pair_named
from cs_matrix_pytest.simulator.families.user_data_texts import user_data_of
from cs_matrix_pytest.simulator.families.vm_groups import group_named
from cs_matrix_pytest.simulator.families.vm_leases import is_enabled, lease_of_new, terms_of
from cs_matrix_pytest.simulator.families.vm_lifecycle import check_planner, give_up, start, within_of
from cs_matrix_pytest.simulator.families.vm_networks import (
    Wanted,
    asked_groups,
    asked_networks,
    check_networks,
    check_networks_with_groups,
    check_user_data_served,
    checked_mac,
    default_network,
    placed,
    uses_groups,
)
from cs_matrix_pytest.simulator.families.vms import DEPLOYING
from cs_matrix_pytest.simulator.hypervisors import HYPERVISORS, api_name
from cs_matrix_pytest.simulator.models.iam import Account, User
from cs_matrix_pytest.simulator.models.images import Template
from cs_matrix_pytest.simulator.models.infra import StoragePool, Zone
from cs_matrix_pytest.simulator.models.networks import Network, SecurityGroup
from cs_matrix_pytest.simulator.models.offerings import DiskOffering, Offering, ServiceOffering
from cs_matrix_pytest.simulator.models.storage import GIB
from cs_matrix_pytest.simulator.models.vm import AffinityGroup, UserVm
from cs_matrix_pytest.simulator.parameters import HOST_LABEL
from cs_matrix_pytest.simulator.registry import Answer, Family
from cs_matrix_pytest.simulator.store import Resource, new_uuid
from cs_matrix_pytest.simulator.texts import fields_text

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("deploying virtual machines")

INT_MAX = 2**31 - 1
SIZE_DETAILS = ("cpunumber", "cpuspeed", "memory")
BOOT_TYPES = ("UEFI", "BIOS")
BOOT_MODES = ("LEGACY", "SECURE")
IO_POLICIES = ("NATIVE", "THREADS", "IO_URING", "STORAGE_SPECIFIC")
OF_KVM = ("iothreads", "io.policy")
"""Details that only VMs on KVM keep."""
FROM_SYSTEM_TEMPLATES = frozenset({"createKubernetesCluster", "createSharedFileSystem", "restartSharedFileSystem"})
"""Commands that make machines from the template of system VMs."""


@dataclass(frozen=True)
class Size:
    """How big a VM is."""

    cpus: int
    speed: int
    """MHz of one CPU."""
    memory: int
    """MiB."""


@dataclass(frozen=True)
class Disk:
    """One data disk that is asked for."""

    offering: DiskOffering
    size: int
    """Bytes."""
    device_id: int | None = None


def size_of(offering: ServiceOffering, details: Mapping[str, str], cloud: Cloud) -> Size:
    """A VM's size by its offering and the details that customise it (UserVmManagerImpl.validateCustomParameters)."""
    settings = cloud.configuration
    most_cpus = int(settings.number("vm.serviceoffering.cpu.cores.max")) or INT_MAX
    most_memory = int(settings.number("vm.serviceoffering.ram.size.max")) or INT_MAX
    if not offering.customized:
        if (offering.cpu_number or 0) > most_cpus:
            raise InvalidParameterValue(
                "Invalid cpu cores value, please choose another service offering with cpu cores between 1 and "
                f"{most_cpus}"
            )
        if (offering.memory or 0) > most_memory:
            raise InvalidParameterValue(
                "Invalid memory value, please choose another service offering with memory between 32 and "
                f"{most_memory} MB"
            )
        return Size(offering.cpu_number or 1, offering.cpu_speed or 0, offering.memory or 0)
    if not details:
        raise InvalidParameterValue(
            "Need to specify custom parameter values cpu, cpu speed and memory when using custom offering"
        )
    cpus = _custom(
        offering,
        offering.cpu_number,
        details.get("cpuNumber"),
        (_bound(offering, "mincpunumber", 1), min(most_cpus, _bound(offering, "maxcpunumber", INT_MAX))),
        "Invalid CPU cores value, specify a value between {} and {}",
        f"The CPU cores of this offering id:{offering.id} is not customizable. This is predefined in the Template.",
    )
    speed = _custom(
        offering,
        offering.cpu_speed,
        details.get("cpuSpeed"),
        (1, INT_MAX),
        "Invalid CPU speed value, specify a value between {} and {}",
        f"The CPU speed of this offering id:{offering.id} is not customizable. "
        f"This is predefined as {offering.cpu_speed} MHz.",
    )
    memory = _custom(
        offering,
        offering.memory,
        details.get("memory"),
        (_bound(offering, "minmemory", 32), min(most_memory, _bound(offering, "maxmemory", INT_MAX))),
        "Invalid memory value, specify a value between {} and {}",
        f"The memory of this offering id:{offering.id} is not customizable. This is predefined in the Template.",
    )
    return Size(cpus, speed, memory)


def _bound(offering: ServiceOffering, detail: str, default: int) -> int:
    return int(offering.details.get(detail) or default)


def _custom(
    _offering: ServiceOffering,
    fixed: int | None,
    given: str | None,
    allowed: tuple[int, int],
    out_of_range: str,
    not_custom: str,
) -> int:
    if fixed is not None:
        if given is not None:
            raise InvalidParameterValue(not_custom)
        return fixed
    value = whole_number(given)
    if value is None or not allowed[0] <= value <= allowed[1]:
        raise InvalidParameterValue(out_of_range.format(*allowed))
    return value


def whole_number(text: str | None) -> int | None:
    """A detail's value as a number; None where it is none."""
    return int(text) if text is not None and re.fullmatch(r"-?\d{1,18}", text.strip()) else None


def details_of(call: Call) -> dict[str, str]:
    """The details that a request gives, in whatever parameter (BaseDeployVMCmd.getDetails)."""
    details = call.map("details")
    details |= boot_of(call)
    if "rootdisksize" in call:
        details.setdefault("rootdisksize", str(call["rootdisksize"]))
    policy = call.get("iodriverpolicy", "").strip()
    if policy:
        if policy.upper() not in IO_POLICIES:
            raise InvalidParameterValue(
                f"Invalid io policy {call['iodriverpolicy']} specified for vm {call.get('name', 'null')}. "
                f"Valid values are: [{', '.join(IO_POLICIES).lower()}]"
            )
        details["io.policy"] = policy.lower()
    if "nicmultiqueuenumber" in call:
        details["nic.multiqueue.number"] = str(call["nicmultiqueuenumber"])
    for parameter, detail in (
        ("iothreadsenabled", "iothreads"),
        ("nicpackedvirtqueuesenabled", "nic.packed.virtqueues.enabled"),
    ):
        if call.flag(parameter):
            details[detail] = "true"
    return details | call.map("externaldetails")


def boot_of(call: Call) -> dict[str, str]:
    """How a VM boots as a detail of it, where a request says so."""
    name, given_type, given_mode = call.get("name", "null"), call.get("boottype", ""), call.get("bootmode", "")
    boot_type, boot_mode = given_type.strip().upper(), given_mode.strip().upper()
    if not boot_type:
        return {}
    if boot_type not in BOOT_TYPES:
        raise InvalidParameterValue(
            f"Invalid bootType {given_type}Specified for vm {name} Valid values are: [{', '.join(BOOT_TYPES)}]"
        )
    modes = f"Valid values are: [{', '.join(BOOT_MODES)}]"
    if boot_mode and boot_mode not in BOOT_MODES:
        raise InvalidParameterValue(f"Invalid bootmode: {given_mode} specified for VM: {name}. {modes}")
    if not boot_mode and boot_type == "UEFI":
        raise InvalidParameterValue(f"bootmode must be specified for the VM with boot type: UEFI. {modes}")
    if not boot_mode:
        # The server stumbles here.
        raise ApiError(
            'Cannot invoke "org.apache.cloudstack.api.ApiConstants$BootMode.toString()" because the return value of '
            '"org.apache.cloudstack.api.command.user.vm.BaseDeployVMCmd.getBootMode()" is null'
        )
    return {boot_type: boot_mode}


def check_details(details: Mapping[str, str]) -> None:
    """Raise InvalidParameterValue for details that no VM can have (UserVmManagerImpl.verifyDetails)."""
    for least_name, most_name in (("minIops", "maxIops"), ("minIopsDo", "maxIopsDo")):
        given_least, given_most = details.get(least_name), details.get(most_name)
        if (given_least is None) != (given_most is None):
            raise InvalidParameterValue(
                "Either 'Min IOPS' and 'Max IOPS' must both be specified or neither be specified."
            )
        numbers = []
        for label, given in (("Min", given_least), ("Max", given_most)):
            number = 0 if given is None else whole_number(given)
            if number is None:
                raise InvalidParameterValue(f"'{label} IOPS' must be a whole number.")
            numbers.append(number)
        if numbers[0] > numbers[1]:
            raise InvalidParameterValue("'Min IOPS' must be less than or equal to 'Max IOPS'.")
    if "extraconfig" in details:
        raise InvalidParameterValue("'extraconfig' should not be included in details as key")
    if any(name.startswith("extraconfig") for name in details):
        raise InvalidParameterValue("detail name should not start with extraconfig")


def check_offering(offering: ServiceOffering, details: Mapping[str, str], override: DiskOffering | None) -> None:
    """Raise InvalidParameterValue where a request cannot use an offering (UserVmManagerImpl.verifyServiceOffering)."""
    if offering.state == "Inactive":
        raise InvalidParameterValue(f"Service offering is inactive: [{offering.id}].")
    if offering.disk_offering_strict and override is not None:
        raise InvalidParameterValue(
            f"Cannot override disk offering id {override.number} since provided service offering is strictly mapped to its "
            "disk offering"
        )
    if not offering.customized and any(name.lower() in SIZE_DETAILS for name in details):
        raise InvalidParameterValue(
            "cpuNumber or cpuSpeed or memory should not be specified for static service offering"
        )


def check_usable(owner: Account, offering: Offering | None, zone: Zone) -> None:
    """Raise PermissionDenied unless an owner may use an offering in a zone (DomainChecker.checkAccess)."""
    if offering is None:
        return
    if not offering_scope.usable_by(owner, offering) or not offering_scope.in_zone(offering, zone):
        raise PermissionDenied(
            f"There's no way to confirm {describe(owner)} has access to {offering_scope.describe(offering)}"
        )


def check_own_disk_offering(offering: DiskOffering | None) -> None:
    if offering is not None and offering.compute_only:
        raise InvalidParameterValue(
            f"The disk offering {offering_scope.describe(offering)} provided is directly mapped to a service offering, "
            "please provide an individual disk offering"
        )


def disks_of(call: Call) -> list[Disk]:
    """The data disks of ``datadisksdetails``."""
    disks = []
    for entry in call.entries("datadisksdetails"):
        entry = {name.lower(): value for name, value in entry.items()}
        if "diskofferingid" not in entry:
            raise InvalidParameterValue("diskofferingid parameter is required for datadiskdetails")
        offering = call.cloud.store.table(DiskOffering).get(entry["diskofferingid"])
        if offering is None:
            raise InvalidParameterValue(f"Unable to find disk offering {entry['diskofferingid']}")
        check_own_disk_offering(offering)
        device_id = whole_number(entry.get("deviceid"))
        if device_id is None:
            raise InvalidParameterValue("deviceid parameter is required for datadiskdetails")
        if offering.customized and "size" not in entry:
            raise InvalidParameterValue("Size is required for custom disk offering")
        if offering.custom_iops:
            for name, label in (("miniops", "Min"), ("maxiops", "Max")):
                if name not in entry:
                    raise InvalidParameterValue(f"{label} IOPS is required for custom disk offering")
        size = volumes.disk_size(call.cloud, offering, whole_number(entry.get("size")))
        disks.append(Disk(offering, size, device_id))
    return disks


def check_name(name: str) -> None:
    """Raise InvalidParameterValue unless a name can be a host's."""
    if not HOST_LABEL.fullmatch(name) or name[0].isdecimal():
        raise InvalidParameterValue(
            "Invalid name. Vm name can contain ASCII letters 'a' through 'z', the digits '0' through '9', and the hyphen "
            "('-'), must be between 1 and 63 characters long, and can't start or end with \"-\" and can't start with digit"
        )


def check_name_free(cloud: Cloud, name: str, networks: list[Network], *, but: UserVm | None = None) -> None:
    """Raise InvalidParameterValue where a VM of the networks, or of their VPCs, has this host name."""
    vpcs = {network.vpc for network in networks if network.vpc is not None}
    for vm in cloud.store.table(UserVm).where(name=name):
        if vm is not but:
            for nic in vm.nics:
                network = nic.network
                if network in networks or network.vpc in vpcs:
                    raise InvalidParameterValue(
                        f"The vm with hostName {name} already exists in the network domain: {network.network_domain}; "
                        f"network={network.name}"
                    )


def public_keys(cloud: Cloud, owner: Account, names: list[str]) -> list[str]:
    """The public keys of an account's key pairs; raises InvalidParameterValue where one of them does not exist."""
    pairs = [key_pair_named(cloud, owner, name) for name in names]
    if None in pairs or len(set(pairs)) < len(names):
        raise InvalidParameterValue("Not all specified keypairs exist")
    # In the order in which the server's query gives them.
    return [pair.public_key for pair in sorted(filter(None, pairs), key=lambda pair: pair.name.lower(), reverse=True)]


def hypervisor_of(call: Call, template: Template) -> str:
    """The hypervisor of a new VM: its template's, or for ISOs the one asked for."""
    asked = call.get("hypervisor")
    if asked is not None and asked.lower() not in HYPERVISORS:
        asked = None
    if template.hypervisor in ("", "None"):
        if asked is None:
            raise InvalidParameterValue(
                "Hypervisor parameter is needed to deploy VM or the hypervisor parameter value passed is invalid"
            )
        return api_name(asked)
    if asked is not None and asked.lower() != template.hypervisor.lower():
        raise InvalidParameterValue(
            "Hypervisor passed to the deployVm call, is different from the hypervisor type of the Template"
        )
    return template.hypervisor


def check_template(call: Call, owner: Account, template: Template, zone: Zone) -> None:
    """Raise unless an owner's VM can be made from a template or ISO in a zone."""
    if template.template_type == "SYSTEM" and call.command.name not in FROM_SYSTEM_TEMPLATES:
        raise InvalidParameterValue(f"Unable to use system template {_named(template)} to deploy a user vm")
    if not template.is_iso and template.copy_in(zone) is None:
        raise InvalidParameterValue(f"The template {template.number} is not available for use")
    if template.is_iso and not template.bootable:
        raise InvalidParameterValue(f"Installing from ISO requires an ISO that is bootable: {_named(template)}")
    check_access(call.cloud, owner, template, "UseEntry")


def _named(template: Template) -> str:
    return (
        f'Template {{"id":{template.number},"format":"{template.format}","name":"{template.name}",'
        f'"uniqueName":"{template.name}","uuid":"{template.id}"}}'
    )


def root_disk(cloud: Cloud, template: Template, offering: DiskOffering, details: dict[str, str]) -> int:
    """The bytes of a root disk; what the offering says goes before what is asked for, and is put into ``details``.

    UserVmManagerImpl.configureCustomRootDiskSize and validateRootDiskResize.
    """
    asked: int | None = None
    if "rootdisksize" in details:
        asked = whole_number(details["rootdisksize"]) or -1
        if asked <= 0:
            raise InvalidParameterValue("Root disk size should be a positive number.")
    size = volumes.disk_size(cloud, offering, asked)
    if size == 0 and asked is not None:
        size = asked * GIB
        volumes.check_size(cloud, size)
    if size == 0:
        return template.size
    if size == template.size:
        details.pop("rootdisksize", None)
    else:
        details["rootdisksize"] = str(size // GIB)
    return size


def check_root_size(template: Template, root: Disk) -> None:
    """Raise InvalidParameterValue for a root disk smaller than its template (validateRootDiskResize)."""
    if not template.is_iso and root.size < template.size:
        raise InvalidParameterValue(
            f"Unsupported: rootdisksize override ({root.size // GIB} GB) is smaller than template size "
            f"({template.size / GIB:.2f} GB) {template.size}"
        )


def check_limits(
    cloud: Cloud, owner: Account, offering: ServiceOffering, template: Template, size: Size, disks: list[Disk]
) -> None:
    """Raise ResourceLimitExceeded where a new VM with these disks is more than its owner may have."""
    try:
        tags = cloud.limits.host_tags(offering, template)
        if not cloud.configuration.flag("resource.count.running.vms.only"):
            cloud.limits.check(owner, "user_vm", 1, tags=tags)
            cloud.limits.check(owner, "cpu", size.cpus, tags=tags)
            cloud.limits.check(owner, "memory", size.memory, tags=tags)
        for disk in disks:
            limited = cloud.limits.storage_tags(disk.offering)
            cloud.limits.check(owner, "volume", 1, tags=limited)
            cloud.limits.check(owner, "primary_storage", disk.size, tags=limited)
    except ResourceLimitExceeded as error:
        # DeployVMCmd.create turns it into a plain ServerApiException.
        raise ResourceLimitExceeded(error.text, cs_code=9999) from None


def check_sources(call: Call) -> list[str]:
    """What a request wants its VM to be made from; raises InternalError unless it is one thing."""
    named = [name for name in ("templateid", "volumeid", "snapshotid") if name in call]
    if len(named) != 1 and not call.flag("blankinstance"):
        raise InternalError(
            "Please provide only one of the following parameters - template ID, volume ID or snapshot ID"
        )
    return named


def image_of(call: Call) -> Template:
    """The template or ISO that a VM is made from."""
    named = check_sources(call)
    if named != ["templateid"]:
        raise InvalidParameterValue(
            "Deploying a virtual machine with existing volume/snapshot is supported only from KVM hypervisors"
        )
    template = call.get("templateid")
    if not isinstance(template, Template) or template not in call.cloud.store:
        raise InvalidParameterValue(f"Unable to use template {getattr(template, 'number', template)}")
    return template


def check_vnf_nics(call: Call, template: Template) -> None:
    """Raise InvalidParameterValue where a VM of a VNF template would lack networks (validateVnfApplianceNics)."""
    if template.template_type != "VNF":
        if call.command.name == "deployVnfAppliance":
            raise InvalidParameterValue("Can't deploy VNF appliance from a non-VNF template")
        return
    networks = call.get("networkids") or call.entries("iptonetworklist")
    if not networks:
        raise InvalidParameterValue("VNF nics list is empty")
    for nic in template.vnf_nics:
        if nic.required and len(networks) <= nic.device_id:
            text = fields_text(deviceId=nic.device_id, required=True, templateId=template.number)
            raise InvalidParameterValue(f"VNF nic is required but not found: Template {text}")


def _only_user_of(owner: Account, call: Call) -> User:
    if call.account is owner:
        return call.caller.user
    first = call.cloud.store.table(User).first(account=owner)
    return first or call.caller.user


@family.command("deployVirtualMachine")
def deploy(call: Call) -> Generator[Resource, None, Answer]:
    cloud, owner = call.cloud, owner_of_new(call)
    check_sources(call)
    details = details_of(call)
    check_details(details)
    zone = call.one(Zone, "zoneid", missing="Unable to find zone by id={}")
    offering = call.one(ServiceOffering, "serviceofferingid")
    override = call.maybe(DiskOffering, "overridediskofferingid")
    check_offering(offering, details, override)
    template = image_of(call)
    check_vnf_nics(call, template)
    if template.deploy_as_is and "rootdisksize" in details:
        raise InvalidParameterValue(
            "Overriding root disk size isn't supported for VMs deployed from deploy as-is Templates"
        )
    disk_offering = call.maybe(DiskOffering, "diskofferingid", missing="Unable to find disk offering {}")
    check_own_disk_offering(disk_offering)
    data_disks = disks_of(call)
    if not zone.local_storage_enabled:
        for used, how in ((offering.disk_offering, " mapped in service offering"), (disk_offering, "")):
            if used is not None and used.storage_type == "local":
                raise InvalidParameterValue(
                    f"Zone is not configured to use local storage but disk offering {used.name}{how} uses it"
                )
    asked = asked_networks(call)
    lease = terms_of(call) if is_enabled(cloud) else None
    user_data, registered, values = user_data_of(call, template)
    within = within_of(call)
    checked_mac(call.get("macaddress"))
    wanted, security_groups, groups = _belongings(call, owner, zone, template, asked)
    if owner.state.lower() == "disabled":
        raise PermissionDenied(f"The owner of vm to deploy is disabled: {describe(owner)}")
    hypervisor = hypervisor_of(call, template)
    if zone.allocation_state == "Disabled" and not call.is_root_admin:
        raise PermissionDenied(
            f"Cannot perform this operation, Zone is currently disabled: {public_ips.describe_zone(zone)}"
        )
    check_access(cloud, owner, zone)
    size = size_of(offering, details, cloud)
    root_offering = offering.disk_offering
    if template.is_iso:
        if disk_offering is None:
            if root_offering.compute_only:
                raise InvalidParameterValue(
                    "Installing from ISO requires a disk offering to be specified for the root disk."
                )
        else:
            root_offering, disk_offering = disk_offering, None
        if "size" in call:
            details.setdefault("rootdisksize", str(call["size"]))
    if override is not None and not offering.disk_offering_strict:
        root_offering = override
    root = Disk(root_offering, root_disk(cloud, template, root_offering, details))
    key = key_for_volume(call, "rootdiskkmskeyid", owner, zone)
    if disk_offering is not None:
        data_disks.insert(0, Disk(disk_offering, volumes.disk_size(cloud, disk_offering, call.get("size"))))
    check_limits(cloud, owner, offering, template, size, [root, *data_disks])
    for group in security_groups:
        for account in (call.account, owner):
            check_access(cloud, account, group)
    check_groups(call, owner, groups)
    if not any(pool.state == "Up" for pool in cloud.store.table(StoragePool)):
        raise unexpected(
            "Resource [StoragePool:-1] is unreachable: There are no available pools in the UP state for vm deployment"
        )
    check_template(call, owner, template, zone)
    key_names = [*call.get("keypairs", []), *([call["keypair"]] if call.get("keypair") else [])]
    keys = public_keys(cloud, owner, key_names)
    wanted = placed(call, owner, zone, wanted)
    networks = [each.network for each in wanted]
    if networks:
        check_user_data_served(networks[0], user_data, bool(keys), template)
    if security_groups and not any(network.supports("SecurityGroup") for network in networks):
        raise InvalidParameterValue(
            "Unable to deploy vm with security groups as SecurityGroup service is not enabled for the vm's network"
        )
    name, custom_id = call.get("name"), call.get("customid")
    if name is not None:
        check_name(name)
    uuid = _custom_id(cloud, custom_id) if custom_id is not None else new_uuid()
    if name is None:
        name = f"{cloud.configuration.text('instance.name', default='VM')}-{uuid}"
    check_name_free(cloud, name, networks)
    check_root_size(template, root)
    vm = UserVm(
        id=uuid,
        account=owner,
        name=name,
        display_name=call.get("displayname") or name,
        zone=zone,
        service_offering=offering,
        template=template,
        cpu_number=size.cpus,
        cpu_speed=size.speed,
        memory=size.memory,
        user=_only_user_of(owner, call),
        hypervisor=hypervisor,
        iso=template if template.is_iso else None,
        ha_enabled=offering.offer_ha,
        display=call.flag("displayvm", True),
        dynamically_scalable=(
            call.flag("dynamicscalingenabled", True)
            and offering.dynamic_scaling
            and template.dynamically_scalable
            and cloud.configuration.flag("enable.dynamic.scale.vm", zone)
        ),
        key_pairs=key_names,
        user_data=user_data,
        registered_user_data=registered,
        user_data_details=values,
        affinity_groups=tuple(groups),
        security_groups=tuple(security_groups),
        os_type=template.os_type,
        details={**template.details, **kept_details(details, hypervisor)},
    )
    if "BIOS" in details:
        vm.details.pop("UEFI", None)
    if keys:
        vm.details |= {"SSH.PublicKey": "\n".join(keys), "SSH.KeyPairNames": ",".join(key_names)}
    if call.get("keyboard"):
        vm.details["keyboard"] = call["keyboard"]
    vm.details[DEPLOYING] = "true"
    _plug_in(cloud, vm, wanted)
    cloud.store.add(vm)
    vm.instance_name = f"i-{owner.number}-{vm.number}-{cloud.configuration.text('instance.name', default='VM')}"
    _allocate_disks(cloud, vm, root, data_disks, details)
    if vm.root_volume is not None:
        vm.root_volume.kms_key = key
    if call.get("group"):
        vm.group = group_named(cloud, owner, call["group"])
    add_extra_config(call, vm, call.account)
    if call.flag("copyimagetags"):
        vm.tags.update(template.tags)
    if lease is not None:
        lease_of_new(cloud, vm, lease)
    try:
        yield vm
    except ApiError:
        give_up(cloud, vm)
        raise
    if call.flag("startvm", True) and not call.flag("blankinstance"):
        try:
            check_planner(call)
            start(call, vm, within, password=call.get("password"))
        except ApiError:
            give_up(cloud, vm)
            raise
    return vm


def kept_details(details: Mapping[str, str], hypervisor: str) -> dict[str, str]:
    """What of a request's details a VM keeps (UserVmManagerImpl.commitUserVm)."""
    unkept = ("BIOS", *(() if hypervisor == "KVM" else OF_KVM))
    return {name: value for name, value in details.items() if name not in unkept}


def _belongings(
    call: Call, owner: Account, zone: Zone, template: Template, asked: list[Wanted] | None
) -> tuple[list[Wanted], list[SecurityGroup], list[AffinityGroup]]:
    """The NICs, the security groups and the affinity groups of a new VM, in the three ways of making one: in a basic zone,
    with security groups, and without."""
    cloud = call.cloud
    hypervisors = {template.hypervisor.lower(), (call.get("hypervisor") or "").lower()}
    wanted = asked or []
    networks = [each.network for each in wanted]
    if zone.is_basic and asked is not None:
        raise InvalidParameterValue("Can't specify network Ids in Basic zone")
    with_groups = zone.is_basic or uses_groups(cloud, owner, zone, networks, bool(call.get("securitygroupids")))
    if not with_groups and call.get("securitygroupids"):
        raise InvalidParameterValue(
            "Can't create vm with security groups; security group feature is not enabled per zone"
        )
    security_groups = asked_groups(call, owner) if with_groups else []
    groups = named_groups(call, owner)
    check_access(cloud, call.account, owner)
    for each in (call.one(ServiceOffering, "serviceofferingid"), call.maybe(DiskOffering, "diskofferingid")):
        check_usable(owner, each, zone)
    if not wanted:
        wanted = [Wanted(default_network(call, owner, zone, with_groups))]
    elif with_groups:
        check_networks_with_groups(call, owner, networks, groups=bool(security_groups), hypervisors=hypervisors)
    else:
        check_networks(call, owner, zone, networks)
    if zone.is_basic and "vmware" in hypervisors and ("securitygroupids" in call or "securitygroupnames" in call):
        raise InvalidParameterValue("Security group feature is not supported for VMware hypervisor")
    by_default = with_groups and not security_groups and "vmware" not in hypervisors
    if by_default and any(each.network.supports("SecurityGroup") for each in wanted):
        security_groups = [default_group(cloud, owner)]
    return wanted, security_groups, groups


def unexpected(text: str) -> InternalError:
    """A checked exception of the server where it expects none: it is wrapped, and has no code of its own."""
    return InternalError(text, cs_code=0)


def _custom_id(cloud: Cloud, custom_id: str) -> str:
    public_ips.check_custom_id(cloud, UserVm, custom_id)
    return custom_id


def _plug_in(cloud: Cloud, vm: UserVm, wanted: list[Wanted]) -> None:
    """Give a VM its NICs, or none of them where one cannot be had."""
    try:
        for device_id, each in enumerate(wanted):
            nic = nics.allocate(cloud, each.network, each.ip, each.mac, vm.pod)
            nic.device_id, nic.is_default = device_id, device_id == 0
            vm.nics = (*vm.nics, nic)
    except InsufficientCapacity as error:
        for nic in vm.nics:
            nics.release(cloud, nic)
        raise unexpected(error.text) from None


def _allocate_disks(cloud: Cloud, vm: UserVm, root: Disk, disks: list[Disk], details: Mapping[str, str]) -> None:
    if vm.hypervisor == "External":
        # Its disks are the extension's business.
        return
    least, most = whole_number(details.get("minIops")), whole_number(details.get("maxIops"))
    volumes.new_volume(
        cloud,
        vm.account,
        name=f"ROOT-{vm.number}",
        zone=vm.zone,
        type="ROOT",
        size=root.size,
        disk_offering=root.offering,
        vm=vm,
        device_id=0,
        template=vm.template,
        display=vm.display,
        iops=(least, most) if least is not None else None,
    )
    for index, disk in enumerate(disks):
        device_id = disk.device_id if disk.device_id is not None else volumes.free_device_id(cloud, vm)
        volumes.new_volume(
            cloud,
            vm.account,
            name=f"DATA-{vm.number}" + (f"-{index}" if index else ""),
            zone=vm.zone,
            type="DATADISK",
            size=disk.size,
            disk_offering=disk.offering,
            vm=vm,
            device_id=device_id,
            display=vm.display,
        )
