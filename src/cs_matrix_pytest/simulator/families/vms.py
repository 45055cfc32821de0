"""Virtual machines: their states, how answers show them, listing (VirtualMachine.State, UserVmJoinDaoImpl)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator import listing
from cs_matrix_pytest.simulator.access import ADMINS, check_access, scoping
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue, ParameterError
from cs_matrix_pytest.simulator.families import gpu
from cs_matrix_pytest.simulator.families.annotations import has_annotations
from cs_matrix_pytest.simulator.families.images import vnf_fields
from cs_matrix_pytest.simulator.families.nics import nic_fields, vms_in
from cs_matrix_pytest.simulator.families.vm_leases import lease_fields
from cs_matrix_pytest.simulator.hypervisors import HYPERVISORS
from cs_matrix_pytest.simulator.models.access_keys import SshKeyPair
from cs_matrix_pytest.simulator.models.autoscale import AutoScaleVmGroup
from cs_matrix_pytest.simulator.models.backups import BackupOffering
from cs_matrix_pytest.simulator.models.jobs import IN_PROGRESS
from cs_matrix_pytest.simulator.models.networks import Network, Nic, PublicIp
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.parameters import NO_ID
from cs_matrix_pytest.simulator.registry import Answer, Family, Listing, ListSpec, Scope
from cs_matrix_pytest.simulator.views import comma, owner_fields, tag_fields, when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("virtual machines")

TRANSITIONS: dict[str, dict[str, str]] = {
    "Stopped": {
        "start": "Starting",
        "stop": "Stopped",
        "destroy": "Destroyed",
        "expunge": "Expunging",
        "give up": "Error",
        "migrate storage": "Migrating",
        "restore": "Restoring",
    },
    "Starting": {"done": "Running", "failed": "Stopped"},
    "Running": {"stop": "Stopping", "migrate": "Migrating", "reported off": "Stopped"},
    "Stopping": {"done": "Stopped", "failed": "Running", "stop": "Stopping"},
    "Migrating": {"done": "Running", "failed": "Running", "storage done": "Stopped"},
    "Restoring": {"done": "Stopped", "failed": "Stopped"},
    "Destroyed": {"recover": "Stopped", "expunge": "Expunging", "restore": "Restoring"},
    "Expunging": {"expunge": "Expunging", "give up": "Error"},
    "Error": {"destroy": "Expunging", "expunge": "Expunging"},
}
"""The next state by state and event; what is not here is refused."""

ARCHITECTURES = ("i686", "x86_64", "aarch64", "s390x")
GONE = ("Destroyed", "Expunging")
UP = ("Running", "Starting", "Stopping", "Migrating")
"""The states in which a VM's NICs are on their VLANs."""
CAPACITY_FLAG = "Message.ReservedCapacityFreed.Flag"
"""The detail that every stop of a user's VM leaves (CapacityManagerImpl.postStateTransitionEvent)."""
DEPLOYING = "deployvm"
"""The detail of a VM that was never started."""
HIDDEN_DETAILS = f"rootdisksize, cpuOvercommitRatio, memoryOvercommitRatio, {CAPACITY_FLAG}"
READ_ONLY_DETAILS = "dataDiskController, rootDiskController"

NICS_ONLY = frozenset({"nics"})
SHOWN_BY = {
    "addNicToVirtualMachine": NICS_ONLY,
    "removeNicFromVirtualMachine": NICS_ONLY,
    "updateDefaultNicForVirtualMachine": NICS_ONLY,
    "updateVmNicIp": NICS_ONLY,
    "updateVmNic": NICS_ONLY,
    "updateVMAffinityGroup": frozenset({"affgrp"}),
}
"""The parts of a VM that a command's answer has, where not all but statistics."""

RESTRICTED = frozenset({"updateVmNicIp", "updateVmNic"})
"""Commands that show even to admins no more of a VM than its owner sees."""

TELLS_PASSWORD = frozenset(
    {
        "deployVirtualMachine",
        "deployVnfAppliance",
        "startVirtualMachine",
        "resetPasswordForVirtualMachine",
        "resetSSHKeyForVirtualMachine",
        "restoreVirtualMachine",
    }
)


def transit(cloud: Cloud, vm: UserVm, event: str) -> None:
    """Move a VM to the state that an event leads to; raise InternalError where its state has no such event."""
    state = TRANSITIONS.get(vm.state, {}).get(event)
    if state is None:
        raise InternalError(f"Unable to transition to a new state from {vm.state} via {event}")
    vm.state = state
    vm.last_updated = cloud.clock.datetime()
    if state == "Stopped":
        vm.host = None
        if event not in ("failed", "recover"):
            vm.details[CAPACITY_FLAG] = "false"


def nic_of_vm(nic: Nic, vm: UserVm, addresses: dict[int, PublicIp]) -> dict[str, Any]:
    """One NIC as its VM shows it; ``addresses``: the VM's static NAT addresses by network number."""
    vpc, public = nic.network.vpc, addresses.get(nic.network.number)
    return {
        **nic_fields(nic, up=vm.state in UP),
        "secondaryip": [
            {
                "id": each.id,
                "ipaddress": each.address,
                **({"description": each.description} if each.description else {}),
            }
            for each in nic.secondary
        ],
        "extradhcpoption": [],
        "deviceid": str(nic.device_id),
        **({"vpcid": vpc.id, "vpcname": vpc.name} if vpc else {}),
        **({"publicip": public.address, "publicipid": public.id} if public else {}),
    }


def static_nat_addresses(vm: UserVm, cloud: Cloud) -> list[PublicIp]:
    """The public addresses that lead to a VM."""
    return cloud.store.table(PublicIp).where(vm=vm, static_nat=True)


def _nics(vm: UserVm, call: Call) -> dict[str, Any]:
    public = static_nat_addresses(vm, call.cloud)
    addresses = {ip.network.number: ip for ip in public if ip.network}
    return {"nic": [nic_of_vm(nic, vm, addresses) for nic in vm.nics], **_public(public)}


def _public(addresses: Iterable[PublicIp]) -> dict[str, Any]:
    shown = {}
    for ip in addresses:
        shown = {"publicip": ip.address, "publicipid": ip.id}
    return shown


def _group(vm: UserVm, _call: Call) -> dict[str, Any]:
    return {"groupid": vm.group.id, "group": vm.group.name} if vm.group else {}


def _template(vm: UserVm, _call: Call) -> dict[str, Any]:
    template = vm.template
    return {
        "templateid": template.id,
        "templatename": template.name,
        "templatedisplaytext": template.display_text,
        "templatetype": template.template_type,
        "templateformat": template.format,
        "passwordenabled": template.password_enabled,
    }


def _iso(vm: UserVm, _call: Call) -> dict[str, Any]:
    iso = vm.iso
    attached = []
    if iso is not None:
        attached = [
            {
                "id": iso.id,
                "name": iso.name,
                "displaytext": iso.display_text,
                "deviceseq": 3,
                "bootable": iso.bootable,
            }
        ]
    return {
        "isoid": iso.id if iso else None,
        "isoname": iso.name if iso else None,
        "isodisplaytext": iso.display_text if iso else None,
        "isos": attached,
        "isomaxcount": 1,
    }


def _offering(vm: UserVm, call: Call) -> dict[str, Any]:
    offering = vm.service_offering
    return {
        "serviceofferingid": offering.id,
        "serviceofferingname": offering.name,
        **_size(vm),
        **gpu.vm_fields(call.cloud, vm),
    }


def _size(vm: UserVm) -> dict[str, Any]:
    return {"cpunumber": vm.cpu_number, "cpuspeed": vm.cpu_speed, "memory": vm.memory}


def _disk_offering(vm: UserVm, _call: Call) -> dict[str, Any]:
    # The server joins VMs with their volumes: the last one with an offering of its own is shown.
    chosen = [volume.disk_offering for volume in vm.volumes if not volume.disk_offering.compute_only]
    return {"diskofferingid": chosen[-1].id, "diskofferingname": chosen[-1].name} if chosen else {}


def _volume(vm: UserVm, _call: Call) -> dict[str, Any]:
    root = vm.root_volume
    return {"rootdeviceid": root.device_id, "rootdevicetype": root.type} if root else {}


def _security_groups(vm: UserVm, _call: Call) -> dict[str, Any]:
    return {
        "securitygroup": [
            {"id": group.id, "name": group.name, "description": group.description, **_whose(group.account)}
            for group in vm.security_groups
        ]
    }


def _affinity_groups(vm: UserVm, _call: Call) -> dict[str, Any]:
    return {
        "affinitygroup": [
            {
                "id": group.id,
                "name": group.name,
                "account": vm.account.name,
                **({"description": group.description} if group.description else {}),
            }
            for group in vm.affinity_groups
        ]
    }


def _vnf(vm: UserVm, _call: Call) -> dict[str, Any]:
    return vnf_fields(vm.template) if vm.template.template_type == "VNF" else {}


def _whose(account: Any) -> dict[str, Any]:
    owner = owner_fields(account)
    return {name: owner[name] for name in ("account", "project", "projectid") if name in owner}


def _stats(vm: UserVm, call: Call) -> dict[str, Any]:
    """What the simulator's hosts say of a VM, once they were asked (``vm.stats.interval``, milliseconds)."""
    interval = call.cloud.configuration.number("vm.stats.interval", default=60000) / 1000
    since = vm.last_updated
    if vm.state != "Running" or since is None or call.cloud.clock.now() - since.timestamp() < interval:
        return _size(vm)
    return {
        **_size(vm),
        "cpuused": "10%",
        "networkkbsread": 32768,
        "networkkbswrite": 16384,
        "diskkbsread": 0,
        "diskkbswrite": 0,
        "memorykbs": 0,
        "memoryintfreekbs": 0,
        "memorytargetkbs": 0,
        "diskioread": 0,
        "diskiowrite": 0,
    }


def _backup_offering(vm: UserVm, _call: Call) -> dict[str, Any]:
    offering = vm.backup_offering
    if not isinstance(offering, BackupOffering):
        return {}
    return {
        "backupofferingid": offering.id,
        "backupofferingname": offering.name,
        "backupprovider": offering.provider,
    }


def _nothing(_vm: UserVm, _call: Call) -> dict[str, Any]:
    return {}


PARTS: dict[str, Callable[[UserVm, Call], dict[str, Any]]] = {
    "group": _group,
    "nics": _nics,
    "stats": _stats,
    "secgrp": _security_groups,
    "tmpl": _template,
    "servoff": _offering,
    "diskoff": _disk_offering,
    "backoff": _backup_offering,
    "iso": _iso,
    "volume": _volume,
    "min": _nothing,
    "affgrp": _affinity_groups,
    "vnfnics": _vnf,
}
"""The parts of a VM that a list can be asked for (ApiConstants.VMDetails)."""
ALL_PARTS = frozenset(PARTS)
WITHOUT_STATS = ALL_PARTS - {"stats"}


def parts_of(call: Call) -> frozenset[str]:
    """The parts of VMs that the answer to a call shows."""
    if not call.command.lists:
        return SHOWN_BY.get(call.command.name, WITHOUT_STATS)
    wanted = call.get("details")
    if not wanted:
        with_stats = call.cloud.configuration.flag("list.vm.default.details.stats", default=True)
        return ALL_PARTS if with_stats else WITHOUT_STATS
    if any(part != "all" and part not in PARTS for part in wanted):
        raise InvalidParameterValue(
            "The details parameter contains a non permitted value. "
            f"The allowed values are [{', '.join(['all', *PARTS])}]"
        )
    return ALL_PARTS if "all" in wanted else frozenset(wanted)


REPEATED: dict[str, Callable[[UserVm], Sequence[object]]] = {
    "nics": lambda vm: vm.nics,
    "secgrp": lambda vm: vm.security_groups,
    "affgrp": lambda vm: vm.affinity_groups,
}
"""Parts that a VM has several of. The server joins each with the others, and with volumes and tags; of the rows of a VM
it leaves out what was not asked for in the first one only (UserVmJoinDaoImpl.setUserVmResponse)."""


def _of_later_rows(part: str, vm: UserVm, call: Call) -> dict[str, Any]:
    """What is shown of a part that was not asked for."""
    others = [len(all_of(vm)) for name, all_of in REPEATED.items() if name != part]
    repeated = max([*others, len(vm.volumes), len(vm.tags)]) > 1
    ((name, rows),) = PARTS[part](vm, call).items()
    return {name: rows if repeated else rows[1:]}


@family.view(UserVm)
def vm_view(vm: UserVm, call: Call) -> dict[str, Any]:
    cloud, host = call.cloud, vm.host
    nic, os_type, root = vm.default_nic, vm.os_type or vm.template.os_type, vm.root_volume
    shown: dict[str, Any] = {
        "id": vm.id,
        "name": vm.name,
        "displayname": vm.display_name or vm.name,
        **owner_fields(vm.account),
        "userid": vm.user.id if vm.user else None,
        "username": vm.user.username if vm.user else None,
        "created": when(vm.created),
        "lastupdated": when(vm.last_updated),
        "state": vm.state,
        "haenable": vm.ha_enabled,
        "zoneid": vm.zone.id,
        "zonename": vm.zone.name,
        "hostcontrolstate": _control_state(vm) if host else None,
        "guestosid": os_type.id,
        "ostypeid": os_type.id,
        "osdisplayname": os_type.name,
        "hypervisor": vm.hypervisor,
        "ipaddress": nic.ip_address if nic else None,
        "keypairs": comma(vm.key_pairs) or None,
        "securitygroup": [],
        "affinitygroup": [],
        "nic": [],
        "isdynamicallyscalable": vm.dynamically_scalable,
        "deleteprotection": vm.delete_protection,
        "pooltype": root.pool.type if root and root.pool else None,
        "receivedbytes": 0,
        "sentbytes": 0,
        "tags": tag_fields(vm),
        "hasannotations": has_annotations(vm, call),
        "details": shown_details(vm, call),
    }
    if not vm.details:
        shown |= {"boottype": "Bios", "bootmode": "legacy"}
    elif "UEFI" in vm.details:
        shown |= {"boottype": "Uefi", "bootmode": vm.details["UEFI"].lower()}
    if call.is_root_admin:
        shown["displayvm"] = vm.display
    if call.is_root_admin and call.command.name not in RESTRICTED:
        shown |= {
            "instancename": vm.instance_name,
            "hostid": host.id if host else None,
            "hostname": host.name if host else None,
            "arch": vm.template.arch,
        }
    if not call.is_root_admin:
        settings = cloud.configuration
        shown["readonlydetails"] = settings.text("user.vm.readonly.details", default=READ_ONLY_DETAILS)
    if vm.registered_user_data is not None:
        shown |= {
            "userdataid": vm.registered_user_data.id,
            "userdataname": getattr(vm.registered_user_data, "name", None),
            "userdatadetails": vm.user_data_details,
            "userdatapolicy": vm.template.user_data_policy,
        }
    if call.flag("userdata") and call.command.lists:
        shown["userdata"] = vm.user_data
    if vm.password and call.command.name in TELLS_PASSWORD:
        shown["password"] = vm.password
    group = cloud.store.table(AutoScaleVmGroup).first(lambda group: vm in group.balanced)
    if group is not None:
        shown |= {"autoscalevmgroupid": group.id, "autoscalevmgroupname": group.name}
    shown |= lease_fields(cloud, vm)
    wanted = parts_of(call)
    if "nics" not in wanted:
        shown |= _public(static_nat_addresses(vm, cloud))
    for part, show in PARTS.items():
        if part in wanted:
            shown |= show(vm, call)
        elif part in REPEATED:
            shown |= _of_later_rows(part, vm, call)
    if call.command.name == "listVirtualMachinesMetrics":
        shown |= metrics(vm)
    return shown


def whole(vm: UserVm, call: Call) -> dict[str, Any]:
    """The answer of a command whose metadata declare no fields of a VM, but that shows one all the same."""
    declared = call.cloud.api.get("deployVirtualMachine")
    assert declared is not None
    shown = {name: value for name, value in vm_view(vm, call).items() if value is not None}
    works_on_it = call.job is not None and call.command.instance_type == "VirtualMachine"
    job = {"jobid": call.job.id, "jobstatus": IN_PROGRESS} if call.job is not None and works_on_it else {}
    return {"virtualmachine": {name: value for name, value in shown.items() if name in declared.response} | job}


def _control_state(vm: UserVm) -> str:
    host = vm.host
    assert host is not None
    if host.state == "Up" and host.resource_state == "Enabled":
        return "Enabled"
    return "Maintenance" if "Maintenance" in host.resource_state else "Disabled"


def shown_details(vm: UserVm, call: Call) -> dict[str, str]:
    """A VM's details; what is for admins alone is left out for others."""
    if call.account.is_root_admin:
        return dict(vm.details)
    hidden = call.cloud.configuration.text("user.vm.denied.details", default=HIDDEN_DETAILS)
    names = {name.strip() for name in hidden.split(",")}
    return {name: value for name, value in vm.details.items() if name not in names}


def metrics(vm: UserVm) -> dict[str, Any]:
    """What listVirtualMachinesMetrics adds (MetricsServiceImpl.listVmMetrics)."""
    return {
        "cputotal": f"{vm.cpu_number * vm.cpu_speed / 1000:.2f} GHz",
        "memorytotal": f"{vm.memory / 1024:.2f} GB",
    }


def visible(vm: UserVm, call: Call) -> bool:
    """What everybody but admins does not see: hidden VMs, and destroyed ones unless a setting shows them."""
    account = call.account
    if not account.is_root_admin and not vm.display:
        return False
    if account.type in ADMINS or vm.state not in GONE:
        return True
    return call.cloud.configuration.flag("allow.user.view.destroyed.vm", account)


def _in_state(vm: UserVm, value: str, _call: Call) -> bool:
    if value.lower() == "present":
        return vm.state not in GONE
    return vm.state.lower() == value.lower()


def _of_hypervisor(vm: UserVm, value: str, _call: Call) -> bool:
    if value.lower() not in HYPERVISORS:
        raise InvalidParameterValue(f"Invalid HypervisorType {value}")
    return vm.hypervisor.lower() == value.lower()


def _admin_only(test: Callable[[UserVm, Any], bool]) -> Callable[[UserVm, Any, Call], bool]:
    return lambda vm, value, call: not call.is_root_admin or test(vm, value)


def _in_pod(vm: UserVm, pod: Any, call: Call) -> bool:
    if not call.is_root_admin:
        return True
    # Destroyed ones are shown to who asks for them.
    return vm.pod is pod and ("state" in call or vm.state != "Destroyed")


def _of_arch(vm: UserVm, value: str, _call: Call) -> bool:
    return not value.strip() or vm.template.arch == value


def _with_key_pair(vm: UserVm, name: str, call: Call) -> bool:
    """As the server joins its tables: the VM's account has a pair of this name that some VM was given, whichever it was,
    and the VM has details."""
    store = call.cloud.store
    given = {each.details.get("SSH.PublicKey") for each in store.table(UserVm)}
    pairs = store.table(SshKeyPair).where(lambda pair: pair.name.lower() == name.lower(), account=vm.account)
    return bool(vm.details) and any(pair.public_key in given for pair in pairs)


FILTERS: dict[str, Callable[[UserVm, Any, Call], bool]] = {
    "state": _in_state,
    "hypervisor": _of_hypervisor,
    "hostid": _admin_only(lambda vm, host: vm.host is host),
    "podid": _in_pod,
    "clusterid": _admin_only(
        lambda vm, cluster: (
            vm.cluster is cluster
            or (vm.state == "Stopped" and vm.last_host is not None and vm.last_host.cluster is cluster)
        )
    ),
    "storageid": _admin_only(lambda vm, pool: any(volume.pool is pool for volume in vm.volumes)),
    "networkid": lambda vm, network, _call: network in vm.networks,
    "vpcid": lambda vm, vpc, _call: any(network.vpc is vpc for network in vm.networks),
    "groupid": lambda vm, group, _call: group == NO_ID or vm.group is group,
    "affinitygroupid": lambda vm, group, _call: group == NO_ID or group in vm.affinity_groups,
    "securitygroupid": lambda vm, group, _call: group == NO_ID or group in vm.security_groups,
    "keypair": _with_key_pair,
    "displayvm": lambda vm, value, _call: vm.display is value,
    "haenable": lambda vm, value, _call: vm.ha_enabled is value,
    "userdataid": lambda vm, value, _call: vm.registered_user_data is value,
    "forvirtualnetwork": lambda _vm, _value, _call: True,
    "isvnf": lambda vm, value, _call: (vm.template.template_type == "VNF") is value,
    "arch": _of_arch,
    "userdata": lambda _vm, _value, _call: True,
    "leased": lambda vm, value, _call: not value or (vm.lease is not None and vm.lease.execution == "PENDING"),
    "backupofferingid": lambda vm, offering, _call: vm.backup_offering is offering,
    "autoscalevmgroupid": lambda vm, group, _call: vm in group.balanced,
    "extensionid": lambda vm, extension, _call: vm.template.extension is extension,
    "gpuenabled": lambda vm, value, _call: bool(gpu.wanted(vm)[0]) is value,
}

SPEC = ListSpec(UserVm, scope=Scope.OWNER, filters=FILTERS, keyword=("display_name", "name"))


@family.command("listVirtualMachines", "listVirtualMachinesMetrics", object_name="virtualmachine")
def list_virtual_machines(call: Call) -> Answer:
    if "id" in call and call.get("ids"):
        raise InvalidParameterValue("Specify either id or ids but not both parameters")
    if call.flag("leased") and not call.cloud.configuration.flag("instance.lease.enabled"):
        raise InvalidParameterValue(
            " Cannot list leased instances because the Instance Lease feature is disabled, "
            "please enable it to list leased instances"
        )
    parts_of(call)
    arch = call.get("arch", "")
    if arch.strip() and arch not in ARCHITECTURES:
        raise ParameterError(f"Unsupported arch type: {arch}")
    scope = scoping(call)
    network = call.get("networkid")
    rows: Iterable[UserVm]
    if isinstance(network, Network):
        rows = (vm for vm in vms_in(call.cloud, network) if scope.admits(vm.account))
    else:
        rows = listing.owned(call, UserVm, scope)
    if not call.is_root_admin:
        rows = (vm for vm in rows if visible(vm, call))
    keyword = call.params.pop("keyword", None)
    chosen: list[Any] = listing.filtered(call, SPEC, rows)
    call.params["keyword"] = keyword
    if keyword:
        chosen = [vm for vm in chosen if _mentions(vm, keyword.lower(), call)]
    if call.flag("retrieveonlyresourcecount"):
        return Listing([], len(chosen))
    return listing.page(call, chosen)


def _mentions(vm: UserVm, keyword: str, call: Call) -> bool:
    texts = [vm.display_name, vm.name, *(nic.ip_address or "" for nic in vm.nics)]
    texts += [ip.address for ip in static_nat_addresses(vm, call.cloud)]
    if call.is_root_admin:
        texts.append(vm.instance_name)
    return vm.state.lower() == keyword or any(keyword in text.lower() for text in texts)


@family.command("getVirtualMachineUserData")
def get_user_data(call: Call) -> Answer:
    vm = call.one(UserVm, "virtualmachineid", missing="Unable to find virtual machine with id {}")
    check_access(call.cloud, call.account, vm)
    given = {"userdata": vm.user_data} if vm.user_data is not None else {}
    return {"virtualmachineuserdata": {"virtualmachineid": vm.id, **given}}
