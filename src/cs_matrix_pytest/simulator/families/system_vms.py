"""System VMs: the console proxy and the secondary storage VM that every enabled zone starts and keeps.

As ConsoleProxyManagerImpl and SecondaryStorageManagerImpl: a zone that is enabled and has what they need (a host that
takes VMs, primary storage, secondary storage with the system template, free addresses) gets one of each; a destroyed
one is replaced.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.clock import timed
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.families.annotations import has_annotations
from cs_matrix_pytest.simulator.families.capacity_reports import allocated_on
from cs_matrix_pytest.simulator.families.ip_ranges import free_system_address
from cs_matrix_pytest.simulator.families.pods import free_address
from cs_matrix_pytest.simulator.families.service_offerings import system_offering
from cs_matrix_pytest.simulator.families.templates import install_builtin_templates, system_template
from cs_matrix_pytest.simulator.hypervisors import hypervisor_facts
from cs_matrix_pytest.simulator.models.infra import Host, ImageStore, IpRange, StoragePool, Zone
from cs_matrix_pytest.simulator.models.networks import PublicIp
from cs_matrix_pytest.simulator.models.vm import SystemVm
from cs_matrix_pytest.simulator.registry import Answer, Family
from cs_matrix_pytest.simulator.views import when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("system_vms")

for _command in ("startSystemVm", "stopSystemVm", "rebootSystemVm", "destroySystemVm"):
    family.must_name(_command, "id", SystemVm, "Unable to find a system vm of specified instanceId")

REPLACED_AFTER = 1.0
"""How soon after a zone can have its system VMs they run."""


@dataclass(frozen=True)
class Kind:
    """One type of system VM. ``prefix`` starts its name (``v-1-VM``), ``agent`` is the type of its host entry."""

    type: str
    prefix: str
    agent: str
    simulated_agent: bool
    """True where the simulator plugin has an agent for it."""


KINDS = (
    Kind("consoleproxy", "v", "ConsoleProxy", simulated_agent=False),
    Kind("secondarystoragevm", "s", "SecondaryStorageVM", simulated_agent=True),
)
TRANSITIONS = {
    ("Stopped", "start"): "Running",
    ("Running", "start"): "Running",
    ("Running", "stop"): "Stopped",
    ("Stopped", "stop"): "Stopped",
    ("Running", "reboot"): "Running",
}
"""The state after an action; what is not here cannot be done."""


def expect_system_vms(cloud: Cloud, zone: Zone, seconds: float = 0.0) -> None:
    """Have a zone's missing system VMs started in so many simulated seconds, if it can have them by then."""
    if zone.allocation_state == "Enabled" and not zone.is_edge and _missing(cloud, zone):
        cloud.clock.call_later(seconds, start_system_vms, cloud, zone)


def _missing(cloud: Cloud, zone: Zone) -> list[Kind]:
    present = {vm.type for vm in cloud.store.table(SystemVm) if vm.zone is zone}
    return [kind for kind in KINDS if kind.type not in present]


@timed
def start_system_vms(cloud: Cloud, zone: Zone) -> None:
    """Start the system VMs that a zone has not got; nothing happens where it cannot have them yet."""
    if zone not in cloud.store or zone.allocation_state != "Enabled":
        return
    if cloud.store.table(ImageStore).first(lambda row: row.zone in (zone, None)) is None:
        return
    install_builtin_templates(cloud, zone)
    for kind in _missing(cloud, zone):
        place = _place(cloud, zone)
        address = free_system_address(cloud, zone)
        if place is None or address is None:
            return
        host, pool = place
        vm = SystemVm(
            name="",
            type=kind.type,
            zone=zone,
            service_offering=system_offering(cloud, kind.type),
            template=system_template(cloud, zone, host.hypervisor),
            state="Stopped",
        )
        cloud.store.add(vm)
        vm.name = f"{kind.prefix}-{vm.number}-{cloud.configuration.text('instance.name', default='VM')}"
        _take_addresses(cloud, vm, *address)
        _run_on(cloud, vm, host, pool)


def _place(cloud: Cloud, zone: Zone, avoid: StoragePool | None = None) -> tuple[Host, StoragePool] | None:
    pools = [pool for pool in cloud.store.table(StoragePool) if pool.zone is zone and pool.state == "Up"]
    hosts = [host for host in cloud.store.table(Host) if host.zone is zone and host.takes_vms]
    for host in sorted(hosts, key=lambda each: allocated_on(cloud, each).memory):
        for pool in pools:
            if pool is not avoid and (pool.host in (None, host)) and pool.cluster in (None, host.cluster):
                return host, pool
    return None


def _take_addresses(cloud: Cloud, vm: SystemVm, row: IpRange, address: str) -> None:
    vm.public_ip, vm.gateway, vm.public_netmask = address, row.gateway, row.netmask
    if row.for_virtual_network:
        cloud.store.add(
            PublicIp(
                account=cloud.system_account,
                address=address,
                zone=vm.zone,
                range=row,
                is_system=True,
                vm=vm,
            )
        )


def _run_on(cloud: Cloud, vm: SystemVm, host: Host, pool: StoragePool | None) -> None:
    kind = _kind_of(vm)
    facts = hypervisor_facts(host.hypervisor)
    if vm.pod is not host.pod or vm.private_ip is None:
        vm.pod = host.pod
        vm.private_ip = free_address(cloud, host.pod, for_system_vm=True) if host.pod else None
    vm.link_local_ip = f"169.254.{vm.number >> 8 & 255}.{vm.number % 254 + 1}"
    vm.host, vm.pool, vm.state = host, pool, "Running"
    if vm.agent is None and (kind.simulated_agent or not facts.simulated):
        vm.agent = cloud.store.add(
            Host(
                name=vm.name,
                zone=vm.zone,
                pod=vm.pod,
                type=kind.agent,
                ip_address=vm.private_ip or "",
                hypervisor=host.hypervisor,
                vm=vm,
            )
        )
    if vm.agent is not None:
        vm.agent.state, vm.agent.pod, vm.agent.ip_address = "Up", vm.pod, vm.private_ip or ""
        vm.agent.connected = cloud.clock.now()


def _kind_of(vm: SystemVm) -> Kind:
    return next(kind for kind in KINDS if kind.type == vm.type)


def _mac(prefix: str, zone: Zone, address: str | None) -> str | None:
    if address is None:
        return None
    third, fourth = address.split(".")[2:]
    return f"{prefix}:{zone.number & 255:02x}:{int(fourth):02x}:00:{int(third):02x}:{int(fourth):02x}"


def _link_local_mac(address: str | None) -> str | None:
    return None if address is None else "0e:00:" + ":".join(f"{int(part):02x}" for part in address.split("."))


@family.view(SystemVm)
def system_vm_view(vm: SystemVm, call: Call) -> dict[str, Any]:
    zone, pod, host, running = vm.zone, vm.pod, vm.host, vm.state == "Running"
    offering, template, agent = vm.service_offering, vm.template, vm.agent
    return {
        "id": vm.id,
        "systemvmtype": vm.type,
        "zoneid": zone.id,
        "zonename": zone.name,
        "dns1": zone.dns1,
        "dns2": zone.dns2,
        "gateway": vm.gateway,
        "name": vm.name,
        "podid": pod.id if pod else None,
        "podname": pod.name if pod else None,
        "hostid": host.id if host else None,
        "hostname": host.name if host else None,
        "hostcontrolstate": _control_state(host) if host else None,
        "hypervisor": host.hypervisor if host else template.hypervisor if template else call.cloud.hypervisor,
        "privateip": vm.private_ip if running else None,
        "privatemacaddress": _mac("1e:01", zone, vm.private_ip),
        "privatenetmask": pod.netmask if pod and running else None,
        "linklocalip": vm.link_local_ip if running else None,
        "linklocalmacaddress": _link_local_mac(vm.link_local_ip),
        "linklocalnetmask": "255.255.0.0" if running else None,
        "publicip": vm.public_ip,
        "publicmacaddress": _mac("1e:02", zone, vm.public_ip),
        "publicnetmask": vm.public_netmask,
        "templateid": template.id if template else None,
        "templatename": template.name if template else None,
        "created": when(vm.created),
        "state": vm.state,
        "agentstate": agent.state if agent else None,
        "version": call.cloud.api.acs_version if agent else None,
        "activeviewersessions": 0 if vm.type == "consoleproxy" else None,
        "isdynamicallyscalable": False,
        "serviceofferingid": offering.id if offering else None,
        "serviceofferingname": offering.name if offering else None,
        "arch": template.arch if template else "x86_64",
        "hasannotations": has_annotations(vm, call),
    }


def _control_state(host: Host) -> str:
    if host.state != "Up":
        return "Offline"
    if host.resource_state in ("Enabled", "Disabled"):
        return host.resource_state
    return "Maintenance"


family.listing(
    "listSystemVms",
    SystemVm,
    keyword=("name", "state"),
    filters={
        "systemvmtype": lambda vm, value, _call: vm.type == value.lower(),
        "storageid": lambda vm, pool, _call: vm.pool is pool,
        "arch": lambda vm, value, _call: (vm.template.arch if vm.template else "x86_64") == value,
    },
)


def _next(vm: SystemVm, action: str) -> str:
    following = TRANSITIONS.get((vm.state, action))
    if following is None:
        raise InternalError(f"Fail to {action} system vm {vm.name} in state {vm.state}")
    return following


@family.command("startSystemVm")
def start_system_vm(call: Call) -> Answer:
    vm, cloud = call.one(SystemVm), call.cloud
    _next(vm, "start")
    if vm.state != "Running":
        place = _place(cloud, vm.zone)
        if place is None:
            raise InternalError(f"Fail to start system vm {vm.name}")
        _run_on(cloud, vm, *place)
    return vm


@family.command("stopSystemVm")
def stop_system_vm(call: Call) -> Answer:
    vm = call.one(SystemVm)
    stop(vm, _next(vm, "stop"))
    return vm


def stop(vm: SystemVm, state: str = "Stopped") -> None:
    """Take a system VM off its host; its agent disconnects."""
    vm.state, vm.host = state, None
    if vm.agent is not None:
        vm.agent.state = "Disconnected"


@family.command("rebootSystemVm")
def reboot_system_vm(call: Call) -> Answer:
    vm = call.one(SystemVm)
    vm.state = _next(vm, "reboot")
    if vm.agent is not None:
        vm.agent.state, vm.agent.connected = "Up", call.cloud.clock.now()
    return vm


@family.command("destroySystemVm")
def destroy_system_vm(call: Call) -> Answer:
    vm, cloud = call.one(SystemVm), call.cloud
    destroy(cloud, vm)
    expect_system_vms(cloud, vm.zone, REPLACED_AFTER)
    return vm


def destroy(cloud: Cloud, vm: SystemVm) -> None:
    """Remove a system VM with its agent; its addresses are free again."""
    stop(vm, "Expunging")
    if vm.agent is not None:
        cloud.store.remove(vm.agent)
    for ip in cloud.store.table(PublicIp):
        if ip.vm is vm:
            cloud.store.remove(ip)
    cloud.store.remove(vm)


@family.command("migrateSystemVm")
def migrate_system_vm(call: Call) -> Answer:
    cloud = call.cloud
    if "hostid" in call and "storageid" in call:
        raise InvalidParameterValue("Only one of hostId and storageId can be specified")
    pool = call.maybe(StoragePool, "storageid", missing="Unable to find the storage pool to migrate the Instance")
    host = call.maybe(Host, "hostid", missing="Unable to find the host to migrate the Instance, host id={}")
    if host is not None and not host.is_routing:
        raise InvalidParameterValue(
            f"The specified host({host.name}) is not suitable to migrate the Instance, please specify another one"
        )
    if host is None and pool is None and not call.flag("autoselect", True):
        raise InvalidParameterValue(
            "Please specify a host or storage as destination, or pass 'autoselect=true' to automatically select a "
            "destination host which do not require storage migration"
        )
    vm = call.one(SystemVm, "virtualmachineid", missing="Unable to find the VM by id={}")
    if pool is not None:
        if vm.state != "Stopped":
            raise InvalidParameterValue(f"VM is not Stopped, unable to migrate the vm {vm.name}")
        vm.pool = pool
        return vm
    if vm.state != "Running":
        raise InvalidParameterValue(f"VM is not Running, unable to migrate the vm {vm.name}")
    if host is None:
        others = [
            each for each in cloud.store.table(Host) if each.takes_vms and each.pod is vm.pod and each is not vm.host
        ]
        host = min(others, key=lambda each: allocated_on(cloud, each).memory, default=None)
    if host is None:
        raise InvalidParameterValue("Unable to find a suitable host to migrate the VM to")
    if host is vm.host:
        raise InvalidParameterValue(f"Cannot migrate VM, VM is already present on this host: {host.name}")
    if not host.takes_vms:
        raise InvalidParameterValue(
            f"Cannot migrate VM, destination host is not in correct state, has status: {host.state}, "
            f"state: {host.resource_state}"
        )
    vm.host = host
    return vm


def restart_elsewhere(cloud: Cloud, pool: StoragePool) -> None:
    """Stop the system VMs on a pool that leaves service, and have others started where there is storage."""
    for vm in cloud.store.table(SystemVm):
        if vm.pool is pool:
            destroy(cloud, vm)
            expect_system_vms(cloud, vm.zone, REPLACED_AFTER)
