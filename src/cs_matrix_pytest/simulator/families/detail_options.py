"""Which details resources can have, with the values that they know (QueryManagerImpl.listDetailOptions)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.families.tags import RESOURCE_TYPES
from cs_matrix_pytest.simulator.models.iam import AccountType
from cs_matrix_pytest.simulator.models.images import Iso, Template
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family

family = Family("detail options")

Options = Mapping[str, Sequence[str]]

SWITCH = ("true", "false")
KVM_DISKS = ("osdefault", "ide", "scsi", "virtio", "virtio-blk")
VMWARE_DISKS = ("osdefault", "ide", "scsi", "lsilogic", "lsisas1068", "buslogic", "pvscsi")

OF_ALL: Options = {
    "UEFI": ("LEGACY", "SECURE"),
    "keyboard": ("uk", "us", "jp", "fr", "es-latam"),
    "cpu.corespersocket": (),
    "rootdisksize": (),
}
BY_HYPERVISOR: dict[str, Options] = {
    "KVM": {
        "cpu.threadspercore": (),
        "nicAdapter": ("e1000", "virtio", "rtl8139", "vmxnet3", "ne2k_pci"),
        "rootDiskController": KVM_DISKS,
        "dataDiskController": KVM_DISKS,
        "video.hardware": ("cirrus", "vga", "qxl", "virtio"),
        "video.ram": (),
        "io.policy": ("threads", "native", "io_uring", "storage_specific"),
        "iothreads": ("enabled",),
        "nic.multiqueue.number": (),
        "nic.packed.virtqueues.enabled": SWITCH,
        "virtual.tpm.model": ("tpm-tis", "tpm-crb"),
        "virtual.tpm.version": ("1.2", "2.0"),
        "guest.cpu.mode": ("custom", "host-model", "host-passthrough"),
        "guest.cpu.model": (),
        "kvm.guest.os.machine.type": (),
        "skip.force.disk.controller": SWITCH,
        "backupValidationCommand": (),
        "backupValidationCommandArguments": (),
        "backupValidationCommandExpectedResult": (),
        "backupValidationCommandTimeout": (),
        "backupValidationBootTimeout": (),
        "backupValidationScreenshotWait": (),
    },
    "VMware": {
        "nicAdapter": ("E1000", "PCNet32", "Vmxnet2", "Vmxnet3"),
        "rootDiskController": VMWARE_DISKS,
        "dataDiskController": VMWARE_DISKS,
        "nestedVirtualizationFlag": SWITCH,
        "svga.vramSize": (),
        "ramReservation": (),
        "virtual.tpm.enabled": SWITCH,
    },
    "XenServer": {"virtual.tpm.enabled": SWITCH},
}
OF_VNF: Options = {
    "access_methods": ("console", "http", "https", "ssh-key", "ssh-password"),
    **dict.fromkeys(
        (
            "username",
            "password",
            "ssh_user",
            "ssh_password",
            "ssh_port",
            "web_user",
            "web_password",
            "http_path",
            "http_port",
            "https_path",
            "https_port",
            "version",
            "vendor",
            "maintainer",
        ),
        (),
    ),
}
ADMINS_ONLY = ("guest.cpu.mode", "guest.cpu.model")

KINDS: dict[str, tuple[tuple[type[Template] | type[UserVm], ...], str]] = {
    "Template": ((Template, Iso), "com.cloud.storage.VMTemplateVO|com.cloud.storage.dao.VMTemplateDao"),
    "UserVm": ((UserVm,), "com.cloud.vm.VMInstanceVO|com.cloud.vm.dao.VMInstanceDao"),
}
"""The classes of each resource type whose options depend on a hypervisor, and the server's classes for them."""


@family.command("listDetailOptions")
def list_detail_options(call: Call) -> Answer:
    resource_type = RESOURCE_TYPES.get(call["resourcetype"].lower())
    if resource_type is None:
        raise InvalidParameterValue(f"Invalid resource type {call['resourcetype']}")
    if resource_type == "VnfTemplate":
        return {"detailoptions": {"details": {name: list(values) for name, values in OF_VNF.items()}}}
    if resource_type not in KINDS:
        raise InternalError("Resource type not supported.")
    options = {**OF_ALL, **BY_HYPERVISOR.get(_hypervisor_of(call, resource_type), {})}
    if call.account.type != AccountType.ADMIN:
        denied = call.cloud.configuration.text("user.vm.denied.details").split(",")
        for name in (*(each.strip() for each in denied), *ADMINS_ONLY):
            options.pop(name, None)
    return {"detailoptions": {"details": {name: list(values) for name, values in options.items()}}}


def _hypervisor_of(call: Call, resource_type: str) -> str:
    """The hypervisor of the resource that is named; empty where none is."""
    id = call.get("resourceid")
    if not id:
        return ""
    kinds, classes = KINDS[resource_type]
    for kind in kinds:
        table = call.cloud.store.table(kind)
        found = table.by_number(int(id)) if id.isdecimal() else table.get(id)
        if found is not None:
            return str(found.hypervisor)
    row, dao = classes.split("|")
    raise InternalError(
        f'Cannot invoke "{row}.getHypervisorType()" because the return value of "{dao}.findByUuid(String)" is null'
    )
