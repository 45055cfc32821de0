"""The root disks of virtual routers and system VMs, as listVolumes shows them to root admins who ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.families.templates import system_template
from cs_matrix_pytest.simulator.families.volumes import volume_view
from cs_matrix_pytest.simulator.models.infra import Host, StoragePool
from cs_matrix_pytest.simulator.models.networks import Router
from cs_matrix_pytest.simulator.models.offerings import ServiceOffering
from cs_matrix_pytest.simulator.models.storage import GIB
from cs_matrix_pytest.simulator.models.system_volumes import SystemVolume
from cs_matrix_pytest.simulator.models.vm import SystemVm
from cs_matrix_pytest.simulator.registry import Family
from cs_matrix_pytest.simulator.store import new_uuid

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("system_volumes")

VM_TYPES = {"consoleproxy": "ConsoleProxy", "secondarystoragevm": "SecondaryStorageVm"}
SIZE = 2 * GIB
"""Bytes of the system VM template's disk."""
NO_FIELDS_OF_USERS = ("diskkbsread", "diskkbswrite", "diskioread", "diskiowrite", "miniops", "maxiops")


@family.view(SystemVolume)
def system_volume_view(volume: SystemVolume, call: Call) -> dict[str, Any]:
    machine = volume.machine
    shown = volume_view(volume, call)
    for name in NO_FIELDS_OF_USERS:
        shown.pop(name, None)
    return {
        **shown,
        "virtualmachineid": machine.id,
        "vmname": machine.name,
        "vmdisplayname": machine.name,
        "vmstate": machine.state,
        "vmtype": VM_TYPES[machine.type] if isinstance(machine, SystemVm) else "DomainRouter",
        "hypervisor": volume.hypervisor,
        "serviceofferingid": str(volume.offering.number),
        "serviceofferingname": volume.offering.name,
        "physicalsize": volume.size,
        "virtualsize": volume.size,
        "utilization": "100.0%",
    }


def system_volumes(cloud: Cloud) -> list[SystemVolume]:
    """The root disk of every router and system VM that is there. It is kept from when it is first looked at, on the pool
    that it was on then."""
    machines: list[Router | SystemVm] = [*cloud.store.table(Router), *cloud.store.table(SystemVm)]
    known = {volume.machine: volume for volume in cloud.store.table(SystemVolume)}
    for machine, volume in known.items():
        if machine not in cloud.store:
            cloud.store.remove(volume)
        elif volume.pool is not None and volume.pool not in cloud.store:
            volume.pool = _pool_for(cloud, machine)
    for machine in machines:
        if machine not in known:
            made = _root_of(cloud, machine)
            if made is not None:
                known[machine] = made
    return [known[machine] for machine in machines if machine in known]


def _root_of(cloud: Cloud, machine: Router | SystemVm) -> SystemVolume | None:
    offering = machine.service_offering
    if not isinstance(offering, ServiceOffering):
        return None
    host = machine.host
    hypervisor = host.hypervisor if host else cloud.hypervisor
    pool = _pool_for(cloud, machine)
    volume = SystemVolume(
        account=machine.account if isinstance(machine, Router) else cloud.system_account,
        name=f"ROOT-{machine.number}",
        zone=machine.zone,
        type="ROOT",
        size=SIZE,
        disk_offering=offering.disk_offering,
        state="Ready" if pool else "Allocated",
        device_id=0,
        pool=pool,
        template=system_template(cloud, machine.zone, hypervisor),
        path=new_uuid() if pool else None,
        hypervisor=hypervisor,
        created=machine.created,
        machine=machine,
        offering=offering,
    )
    return cloud.store.add(volume)


def _pool_for(cloud: Cloud, machine: Router | SystemVm) -> StoragePool | None:
    """The pool of a machine that says it, or the first shared one that its host reaches."""
    if isinstance(machine, SystemVm) and machine.pool is not None:
        return machine.pool
    host: Host | None = machine.host
    return cloud.store.table(StoragePool).first(
        lambda pool: (
            pool.zone is machine.zone
            and pool.scope != "HOST"
            and (pool.cluster is None or host is None or pool.cluster is host.cluster)
        )
    )
