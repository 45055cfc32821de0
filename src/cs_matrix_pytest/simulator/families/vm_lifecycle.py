"""Virtual machines' lives: start, stop, reboot, migrate, restore, destroy, recover, expunge (UserVmManagerImpl)."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator import ipv4
from cs_matrix_pytest.simulator.access import ADMINS, check_access, command_allowed, describe
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.clock import timed
from cs_matrix_pytest.simulator.errors import (
    ApiError,
    InsufficientCapacity,
    InternalError,
    InvalidParameterValue,
    PermissionDenied,
)
from cs_matrix_pytest.simulator.families import capacity, gpu, guest_networks, hypervisor_hosts, nics, volumes
from cs_matrix_pytest.simulator.families.autoscale import check_action
from cs_matrix_pytest.simulator.families.capacity import Within
from cs_matrix_pytest.simulator.families.managed_machines import check_destroyable, let_go
from cs_matrix_pytest.simulator.families.purging import expect_purge
from cs_matrix_pytest.simulator.families.service_offerings import PLANNERS
from cs_matrix_pytest.simulator.families.storage_pools import moves_disks
from cs_matrix_pytest.simulator.families.vms import DEPLOYING, transit
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.backups import Backup, BackupSchedule
from cs_matrix_pytest.simulator.models.iam import Account
from cs_matrix_pytest.simulator.models.images import Template
from cs_matrix_pytest.simulator.models.infra import Cluster, Host, Pod, StoragePool
from cs_matrix_pytest.simulator.models.networks import PublicIp
from cs_matrix_pytest.simulator.models.offerings import DiskOffering
from cs_matrix_pytest.simulator.models.storage import GIB, Snapshot, Volume
from cs_matrix_pytest.simulator.models.vm import UserVm, VmSnapshot
from cs_matrix_pytest.simulator.registry import Answer, Family, Success

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("life of virtual machines")

PASSWORD_LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def new_password(cloud: Cloud) -> str:
    """A random password of ``vm.password.length`` characters."""
    length = int(cloud.configuration.number("vm.password.length", default=6))
    return "".join(secrets.choice(PASSWORD_LETTERS) for _ in range(max(length, 6)))


def within_of(call: Call) -> Within:
    """The host, cluster or pod that a root admin puts a VM on."""
    for name in ("podid", "clusterid", "hostid"):
        if name in call and not call.is_root_admin:
            raise PermissionDenied(f"Parameter {name} can only be specified by a Root Admin, permission denied")
    pod = call.maybe(Pod, "podid", missing="Unable to find the pod to deploy the VM, pod id={}")
    cluster = call.maybe(Cluster, "clusterid", missing="Unable to find the cluster to deploy the VM, cluster id={}")
    host = call.maybe(Host, "hostid", missing="Unable to find the host to deploy the VM, host id={}")
    if host is not None and not (host.resource_state == "Enabled" and host.state == "Up"):
        raise InvalidParameterValue(f"Unable to deploy the VM as the host: {host.name} is not in the right state")
    if host is not None:
        return Within(host=host)
    return Within(cluster=cluster) if cluster is not None else Within(pod=pod)


def check_host(cloud: Cloud, vm: UserVm, host: Host) -> None:
    """Raise InvalidParameterValue where a VM cannot run on the host that was named for it."""
    check_strict_tags(cloud, vm, host)
    load, demand = capacity.loads(cloud, without=vm).get(host, capacity.Load()), capacity.demand_of(vm)
    if host.cpu_speed < vm.cpu_speed or host.cpu_number < vm.cpu_number:
        raise InvalidParameterValue(
            f"Cannot deploy the VM to specified host {describe_host(host)}, requested CPU and speed is more than the host "
            "capability"
        )
    if not capacity.fits(host, load, demand):
        raise InvalidParameterValue(
            f"Cannot deploy the VM to specified host {describe_host(host)}, host does not have enough free CPU or RAM, "
            "please check the logs"
        )


def check_strict_tags(cloud: Cloud, vm: UserVm, host: Host) -> None:
    """Raise InvalidParameterValue where a host lacks a strict tag that a VM asks for."""
    if not capacity.demand_of(vm).tags & capacity.strict_tags(cloud) <= set(host.host_tags):
        raise InvalidParameterValue(f"Cannot deploy VM, destination host: {host.name} is not compatible for the VM")


def describe_host(host: Host) -> str:
    """A host as error texts name it."""
    return f'Host {{"id":{host.number},"name":"{host.name}","type":"{host.type}","uuid":"{host.id}"}}'


def check_startable(vm: UserVm) -> None:
    """Raise where a VM runs already, or its owner is disabled."""
    if vm.state == "Running":
        raise InvalidParameterValue(f"The virtual machine {vm.id} ({vm.display_name}) is already running")
    if vm.account.state.lower() == "disabled":
        raise PermissionDenied(f"The owner of {capacity.describe(vm)} is disabled: {describe(vm.account)}")


def start(call: Call, vm: UserVm, within: Within = capacity.ANYWHERE, *, password: str | None = None) -> None:
    """Start a stopped VM: a place, its disks, its networks; it runs when this returns.

    Raises what kept it from starting, and then it is stopped as before.
    """
    cloud = call.cloud
    check_startable(vm)
    if cloud.configuration.flag("resource.count.running.vms.only"):
        tags = cloud.limits.host_tags(vm.service_offering, vm.template)
        cloud.limits.check(vm.account, "user_vm", 1, tags=tags)
        cloud.limits.check(vm.account, "cpu", vm.cpu_number, tags=tags)
        cloud.limits.check(vm.account, "memory", vm.memory, tags=tags)
    if within.host is not None:
        check_host(cloud, vm, within.host)
    password = password if password and password.strip() else None
    if password is not None and " " in password and DEPLOYING in vm.details and vm.template.password_enabled:
        raise InvalidParameterValue("A valid password for this virtual machine was not provided.")
    if vm.zone.is_basic and within == capacity.ANYWHERE:
        within = Within(pod=_pod_of_addresses(cloud, vm))
    cannot = InternalError(
        f'Unable to orchestrate the start of VM instance {{"instanceName":"{vm.instance_name}","uuid":"{vm.id}"}}.'
    )
    if vm.state != "Stopped":
        raise cannot
    root = vm.root_volume
    failed: list[Host] = []
    while True:
        try:
            place = capacity.place(cloud, vm, within=within, avoid=failed)
        except InsufficientCapacity:
            if failed:
                raise InsufficientCapacity(f"Unable to create a deployment for {capacity.describe(vm)}") from None
            # Where the root disk holds a VM to a cluster the reservation is skipped, and the start itself fails.
            if within.host is None and root is not None and root.pool is not None and root.pool.cluster is not None:
                raise cannot from None
            raise
        transit(cloud, vm, "start")
        try:
            for network in dict.fromkeys(vm.networks):
                guest_networks.implement(cloud, network)
        except ApiError:
            transit(cloud, vm, "failed")
            raise
        if hypervisor_hosts.start(cloud, vm, place) is None:
            break
        transit(cloud, vm, "failed")
        failed.append(place.host)
    for volume, pool in place.pools.items():
        volumes.put_on(volume, pool, vm.hypervisor)
    for volume in vm.volumes:
        volume.ever_attached = True
    vm.host = vm.last_host = place.host
    gpu.give(cloud, vm, place.host)
    first = vm.details.pop(DEPLOYING, None) is not None
    vm.password = (password or new_password(cloud)) if first and vm.template.password_enabled else None
    transit(cloud, vm, "done")


def _pod_of_addresses(cloud: Cloud, vm: UserVm) -> Pod | None:
    """The pod whose addresses a VM of a basic zone has."""
    for nic in vm.nics:
        for row in nics.ranges_of(cloud, nic.network):
            first, last = row.start_ip, row.end_ip or row.start_ip
            if row.pod is not None and nic.ip_address and first and last and _between(first, nic.ip_address, last):
                return row.pod
    return None


def _between(first: str, address: str, last: str) -> bool:
    return ipv4.to_int(first) <= ipv4.to_int(address) <= ipv4.to_int(last)


def stop(cloud: Cloud, vm: UserVm) -> None:
    """Stop a VM; one that does not run stays as it is."""
    vm.password = None
    if vm.state == "Running":
        vm.last_host = vm.host
        transit(cloud, vm, "stop")
        transit(cloud, vm, "done")


def give_up(cloud: Cloud, vm: UserVm) -> None:
    """What is left of a VM that could not be deployed: an entry in state Error, its disks destroyed."""
    if vm.state != "Stopped":
        return
    transit(cloud, vm, "give up")
    for volume in vm.volumes:
        volumes.destroy(volume)
    _expunge_in_time(cloud, vm)


@family.command("startVirtualMachine")
def start_command(call: Call) -> Answer:
    vm = _one(call, "unable to find a virtual machine with id {}")
    check_startable(vm)
    within = within_of(call)
    if "bootintosetup" in call and vm.hypervisor.lower() != "vmware":
        raise InvalidParameterValue(f"bootintosetup makes no sense for {vm.hypervisor}")
    check_planner(call)
    start(call, vm, within)
    return vm


def check_planner(call: Call) -> None:
    """Raise InvalidParameterValue for a planner that there is not."""
    planner = call.get("deploymentplanner")
    if planner is not None and planner not in PLANNERS:
        raise InvalidParameterValue(f"Can't find a planner by name {planner}")


@family.command("stopVirtualMachine")
def stop_command(call: Call) -> Answer:
    vm = _one(call, "unable to find a virtual machine with id {}")
    check_action(call.cloud, vm)
    if call.flag("forced") and not call.cloud.configuration.flag(
        "allow.user.force.stop.vm", call.account, default=True
    ):
        raise PermissionDenied("Account does not have the permission to force stop the vm.")
    if vm.state == "Running":
        reason = hypervisor_hosts.stop(call.cloud, vm)
        if reason is not None and not call.flag("forced"):
            raise InternalError(f"Unable to stop the Instance due to {reason}")
    stop(call.cloud, vm)
    return vm


def _one(call: Call, text: str) -> UserVm:
    """The VM that ``id`` names; an error with its number where it is gone."""
    vm = call.params.get("id")
    if isinstance(vm, UserVm) and vm in call.cloud.store:
        return vm
    raise InvalidParameterValue(text.format(getattr(vm, "number", vm)))


@family.command("rebootVirtualMachine")
def reboot(call: Call) -> Answer:
    vm = _one(call, "Unable to find a Instance with ID {}")
    if vm.state != "Running":
        raise InvalidParameterValue(f"The Instance {vm.id} ({vm.display_name}) is not running, unable to reboot it")
    check_not_preparing(vm, "Reboot")
    if vm.service_offering.is_volatile:
        restore(call, vm)
        return vm
    if call.flag("bootintosetup") and vm.hypervisor.lower() != "vmware":
        raise InvalidParameterValue(f"Booting into a hardware setup menu is not implemented on {vm.hypervisor}")
    for network in dict.fromkeys(vm.networks):
        guest_networks.implement(call.cloud, network)
    reason = hypervisor_hosts.reboot(call.cloud, vm)
    if reason is not None and vm.host is not None:
        raise InternalError(f"Unable to reboot VM {capacity.describe(vm)} on {describe_host(vm.host)} due to {reason}")
    vm.last_updated = call.cloud.clock.datetime()
    return vm


def check_not_preparing(vm: UserVm, operation: str) -> None:
    """Raise InvalidParameterValue while a VM's host is being emptied for maintenance."""
    if vm.host is not None and vm.host.resource_state == "PrepareForMaintenance":
        raise InvalidParameterValue(
            f"{operation} VM operation on the VM: {capacity.describe(vm)} is not allowed as host is preparing for "
            "maintenance mode"
        )


def may_expunge(call: Call) -> bool:
    """True for admins, and for everybody where ``allow.user.expunge.recover.vm`` says so."""
    return call.account.type in ADMINS or call.cloud.configuration.flag("allow.user.expunge.recover.vm", call.account)


@family.command("destroyVirtualMachine")
def destroy_command(call: Call) -> Answer:
    cloud, expunge_now = call.cloud, call.flag("expunge")
    expunging = cloud.api.get("expungeVirtualMachine")
    assert expunging is not None
    if expunge_now and not (may_expunge(call) and command_allowed(call.caller, expunging)):
        raise PermissionDenied("Account does not have permission for expunging.")
    vm = _one(call, "unable to find a virtual machine with id {}")
    if vm.state in ("Destroyed", "Expunging") and not expunge_now:
        return vm
    if not call.flag("forced"):
        if vm.delete_protection:
            raise InvalidParameterValue(
                f"Instance [id = {vm.id}, name = {vm.instance_name}] has delete protection enabled and cannot be deleted."
            )
        check_action(cloud, vm)
        check_destroyable(cloud, vm)
    check_no_running_snapshots(cloud, vm, "Snapshot(s) on ROOT volume, Instance destroy")
    doomed = [_doomed_volume(call, each) for each in call.get("volumeids", ())]
    stray = "".join(
        f"{volumes.describe_in_full(volume)}; " for volume in doomed if volume.vm is not vm or volume.type != "DATADISK"
    )
    if stray:
        raise InvalidParameterValue(f"The following supplied volumes are not DATADISK attached to the VM: {stray}")
    for volume in doomed:
        if volume.delete_protection:
            raise InvalidParameterValue(
                f"Volume [id = {volume.id}, name = {volume.name}] has delete protection enabled and cannot be deleted"
            )
        check_access(cloud, call.account, volume)
    if vm.state == "Running":
        hypervisor_hosts.stop(cloud, vm)
    if expunge_now:
        leave_offering(cloud, vm)
    stop(cloud, vm)
    for volume in [volume for volume in vm.volumes if not volume.is_root]:
        volumes.detach(volume)
    destroy(cloud, vm)
    if expunge_now:
        expunge(cloud, vm)
    for volume in doomed:
        if expunge_now:
            volumes.expunge(cloud, volume)
        else:
            volumes.destroy(volume)
    root = vm.root_volume
    if root is not None and cloud.configuration.flag("destroy.root.volume.on.vm.destruction", vm.domain):
        volumes.destroy(root)
    # An expunged VM is in no view any more: what is answered holds nothing of it.
    return {"virtualmachine": dict(GONE_FOR_GOOD)} if expunge_now else vm


def _doomed_volume(call: Call, volume: object) -> Volume:
    if isinstance(volume, Volume) and volume in call.cloud.store:
        return volume
    raise InvalidParameterValue(f"Unable to find volume with ID: {getattr(volume, 'number', volume)}")


GONE_FOR_GOOD: Mapping[str, Any] = {
    "securitygroup": [],
    "nic": [],
    "affinitygroup": [],
    "deleteprotection": False,
    "tags": [],
}


def check_no_running_snapshots(cloud: Cloud, vm: UserVm, operation: str) -> None:
    """Raise InternalError while a snapshot of a root volume is not backed up yet."""
    for snapshot in cloud.store.table(Snapshot):
        if snapshot.volume is vm.root_volume and snapshot.state in ("Creating", "CreatedOnPrimary", "BackingUp"):
            raise InternalError(f"There is/are unbacked up {operation} is not permitted, please try again later.")


def destroy(cloud: Cloud, vm: UserVm) -> None:
    """Destroy a stopped VM, or one that could not be deployed; it can be recovered until it is expunged."""
    if vm.state in ("Stopped", "Error"):
        transit(cloud, vm, "destroy")
    if vm.state == "Destroyed":
        _expunge_in_time(cloud, vm)
    else:
        expunge(cloud, vm)


def _expunge_in_time(cloud: Cloud, vm: UserVm) -> None:
    """Have a VM expunged on the first run of the expunge thread after its delay."""
    delay = cloud.configuration.number("expunge.delay", default=86400)
    interval = max(cloud.configuration.number("expunge.interval", default=86400), 1)
    due = math.ceil((cloud.clock.now() + delay) / interval) * interval
    cloud.clock.call_at(due, expunge_if_still_destroyed, cloud, vm, delay)


@timed
def expunge_if_still_destroyed(cloud: Cloud, vm: UserVm, delay: float) -> None:
    """Expunge a VM unless it was recovered meanwhile, or destroyed anew."""
    since = vm.last_updated
    if vm not in cloud.store or vm.state not in ("Destroyed", "Expunging", "Error") or since is None:
        return
    if cloud.clock.now() - since.timestamp() >= delay:
        expunge(cloud, vm)


def expunge(cloud: Cloud, vm: UserVm) -> None:
    """Have a VM gone for good, with its NICs, rules, root disk and snapshots; data disks stay."""
    if vm not in cloud.store:
        return
    hypervisor_hosts.delete(cloud, vm)
    transit(cloud, vm, "expunge")
    for snapshot in cloud.store.table(VmSnapshot).where(vm=vm):
        cloud.store.remove(snapshot)
    vm.current_snapshot = None
    for nic in vm.nics:
        nics.release(cloud, nic)
    vm.nics = ()
    for ip in cloud.store.table(PublicIp).where(vm=vm):
        ip.static_nat, ip.vm, ip.vm_ip = False, None, None
    vm.group, vm.security_groups, vm.affinity_groups = None, (), ()
    for volume in list(vm.volumes):
        if volume.is_root or volume.state == "Destroy":
            volumes.expunge(cloud, volume)
        else:
            volumes.detach(volume)
    vm.host = None
    let_go(cloud, vm)
    cloud.store.remove(vm)
    expect_purge(cloud, vm)


def leave_offering(cloud: Cloud, vm: UserVm) -> None:
    """Take a VM that is to be expunged out of its backup offering; raises InternalError while it has backups by it."""
    offering = vm.backup_offering
    if offering is None:
        return
    count = len(cloud.store.table(Backup).where(vm=vm, offering=offering))
    if count:
        raise InternalError(
            f"This Instance [uuid: {vm.id}, name: {vm.instance_name}] has a Backup Offering [id: {offering.number}, external "
            f"id: dummy-external-backup-id] with {count} backups. Please, remove the backup offering before proceeding to VM "
            "exclusion!"
        )
    vm.backup_offering = None
    for schedule in cloud.store.table(BackupSchedule).where(vm=vm):
        cloud.store.remove(schedule)


@family.command("expungeVirtualMachine")
def expunge_command(call: Call) -> Answer:
    vm = call.params.get("id")
    if not isinstance(vm, UserVm):
        raise InvalidParameterValue("Unable to find a virtual machine with specified vmId")
    if vm not in call.cloud.store:
        return Success()
    if vm.state not in ("Destroyed", "Expunging", "Error"):
        raise InternalError("Please destroy vm with specified vmId before expunge")
    if not may_expunge(call):
        raise PermissionDenied(
            "Expunging a vm can only be done by an Admin. Or when the allow.user.expunge.recover.vm key is set."
        )
    leave_offering(call.cloud, vm)
    expunge(call.cloud, vm)
    return Success()


@family.command("recoverVirtualMachine")
def recover(call: Call) -> Answer:
    cloud, vm = call.cloud, call.params.get("id")
    if not isinstance(vm, UserVm):
        raise InvalidParameterValue(f"Unable to find an Instance with id {getattr(vm, 'number', vm)}")
    if not may_expunge(call):
        raise PermissionDenied(
            "Recovering a vm can only be done by an Admin. Or when the allow.user.expunge.recover.vm key is set."
        )
    if vm not in cloud.store:
        raise InvalidParameterValue(f"Unable to find vm by id {vm.id}")
    if vm.state != "Destroyed":
        raise InvalidParameterValue(f"Vm with id {vm.id} is not in the right state")
    if not cloud.configuration.flag("resource.count.running.vms.only"):
        tags = cloud.limits.host_tags(vm.service_offering, vm.template)
        cloud.limits.check(vm.account, "user_vm", 1, tags=tags)
        cloud.limits.check(vm.account, "cpu", vm.cpu_number, tags=tags)
        cloud.limits.check(vm.account, "memory", vm.memory, tags=tags)
    transit(cloud, vm, "recover")
    root = vm.root_volume
    if root is not None and root.state == "Destroy":
        root.state = "Ready" if root.pool else "Allocated"
    return vm


def check_migratable(call: Call, vm: UserVm) -> None:
    """Raise unless a root admin migrates a VM that runs and can be moved."""
    if not call.is_root_admin:
        raise PermissionDenied("No permission to migrate VM, Only Root Admin can migrate a VM!")
    if vm.state != "Running":
        raise InvalidParameterValue("VM is not Running, unable to migrate the vm with specified id")
    check_not_preparing(vm, "Migrate")
    if any(volume.pool is not None and volume.pool.scope == "HOST" for volume in vm.volumes):
        raise InvalidParameterValue("Unsupported operation, VM uses Local storage, cannot migrate")


def check_destination(cloud: Cloud, vm: UserVm, host: Host) -> None:
    """Raise InvalidParameterValue where a running VM cannot move to a host."""
    if host is vm.host:
        raise InvalidParameterValue(
            "Cannot migrate VM, VM is already present on this host, please specify valid destination host to migrate the VM"
        )
    if host.state != "Up" or host.resource_state != "Enabled":
        raise InvalidParameterValue(
            f"Cannot migrate VM, destination host is not in correct state, has status: {host.state}, state: "
            f"{host.resource_state}"
        )
    check_strict_tags(cloud, vm, host)


@family.command("migrateVirtualMachine")
def migrate(call: Call) -> Answer:
    if "hostid" in call and "storageid" in call:
        raise InvalidParameterValue("Only one of hostId and storageId can be specified")
    cloud, vm = call.cloud, call.one(UserVm, "virtualmachineid", missing="Unable to find the Instance by id={}")
    if vm.hypervisor == "External":
        raise InvalidParameterValue("Migrate VM instance operation is not allowed for External hypervisor type")
    pool = call.maybe(StoragePool, "storageid", missing="Unable to find the storage pool to migrate the Instance")
    host = call.maybe(Host, "hostid", missing="Unable to find the host to migrate the Instance, host id={}")
    if host is not None and not host.is_routing:
        raise InvalidParameterValue(
            f"The specified host({host.name}) is not suitable to migrate the Instance, please specify another one"
        )
    if pool is not None:
        _move_disks(call, vm, dict.fromkeys(vm.volumes, pool))
        return vm
    if host is None and not call.flag("autoselect", True):
        raise InvalidParameterValue(
            "Please specify a host or storage as destination, or pass 'autoselect=true' to automatically select a "
            "destination host which do not require storage migration"
        )
    check_migratable(call, vm)
    if host is None:
        host = next((each for each, moves_storage in capacity.migration_targets(cloud, vm) if not moves_storage), None)
        if host is None:
            raise InternalError(f"Unable to find suitable destination to migrate VM {vm.instance_name}")
    check_destination(cloud, vm, host)
    if any(volume.pool is not None and not capacity.reaches(volume.pool, host) for volume in vm.volumes):
        raise InternalError(
            "Source and destination host are not in same cluster and all volumes are not on zone wide primary store, unable to "
            f"migrate to host: {describe_host(host)}"
        )
    _move(cloud, vm, host)
    return vm


def _move_disks(call: Call, vm: UserVm, pools: Mapping[Volume, StoragePool]) -> None:
    """Put disks of a stopped VM on other pools (UserVmManagerImpl.vmStorageMigration)."""
    if not call.is_root_admin:
        raise PermissionDenied("No permission to migrate VM, Only Root Admin can migrate a VM!")
    if vm.state != "Stopped":
        raise InvalidParameterValue("VM is not Stopped, unable to migrate the vm having the specified id")
    if len(vm.volumes) > 1 and vm.hypervisor.lower() not in ("vmware", "kvm"):
        raise InvalidParameterValue("Data disks attached to the vm, can not migrate. Need to detach data disks first")
    if call.cloud.store.table(VmSnapshot).first(vm=vm):
        raise InvalidParameterValue(
            "Instance's disk cannot be migrated, please remove all the Instance Snapshots for this Instance"
        )
    for pool in pools.values():
        hypervisor = pool.cluster.hypervisor if pool.cluster is not None else pool.hypervisor
        if hypervisor not in (None, "Any", vm.hypervisor):
            raise InvalidParameterValue(f"hypervisor is not compatible: dest: {hypervisor}, vm: {vm.hypervisor}")
    for volume, pool in pools.items():
        volumes.put_on(volume, pool, vm.hypervisor)


def _move(cloud: Cloud, vm: UserVm, host: Host) -> None:
    transit(cloud, vm, "migrate")
    vm.host = vm.last_host = host
    transit(cloud, vm, "done")


@family.command("migrateVirtualMachineWithVolume")
def migrate_with_volume(call: Call) -> Answer:
    cloud, chosen = call.cloud, call.entries("migrateto")
    auto = call.get("autoselect")
    if "hostid" not in call and not chosen and not auto:
        raise InvalidParameterValue(
            "Either hostid or migrateto must be passed or autoselect must be true for migrating the Instance."
        )
    vm = call.params["virtualmachineid"]
    if not isinstance(vm, UserVm) or vm not in cloud.store:
        # The server stumbles here.
        raise ApiError('Cannot invoke "com.cloud.vm.VirtualMachine.getState()" because "virtualMachine" is null')
    if vm.state != "Running" and ("hostid" in call or auto):
        raise InvalidParameterValue(
            f"{capacity.describe(vm)} is not in the Running state to migrate it to the new host."
        )
    if vm.state != "Stopped" and "hostid" not in call and auto is False:
        raise InvalidParameterValue(
            f"{capacity.describe(vm)} is not in the Stopped state to migrate, use the hostid or autoselect parameter to "
            "migrate it to a new host."
        )
    host = call.maybe(Host, "hostid", missing="Unable to find the specified host to migrate the Instance.")
    if host is None and not auto:
        _move_disks(call, vm, _chosen_pools(call, vm, chosen))
        return vm
    if not call.is_root_admin:
        raise PermissionDenied("No permission to migrate VM, Only Root Admin can migrate a VM!")
    if cloud.store.table(VmSnapshot).first(vm=vm) and vm.hypervisor.lower() != "vmware":
        raise InvalidParameterValue(
            "Instance with Instance Snapshots cannot be migrated with storage, please remove all Instance Snapshots"
        )
    _check_motion(cloud, vm, host)
    pools = _chosen_pools(call, vm, chosen)
    if host is None:
        host = next((each for each, _ in capacity.migration_targets(cloud, vm)), None)
        if host is None:
            raise InternalError(f"Unable to find suitable destination to migrate VM {vm.instance_name}")
    for volume in vm.volumes:
        if volume in pools or volume.pool is None or capacity.reaches(volume.pool, host):
            continue
        found = capacity.pool_for(cloud, volume, host)
        if found is None:
            raise InternalError(f"Cannot find target pool for volume {volume.name}")
        pools[volume] = found
    for volume, pool in pools.items():
        if not capacity.reaches(pool, host):
            raise InternalError(f"Destination pool {pool.name} for the volume {volume.name} cannot be used by the host")
    _move(cloud, vm, host)
    for volume, pool in pools.items():
        volumes.put_on(volume, pool, vm.hypervisor)
    return vm


def _check_motion(cloud: Cloud, vm: UserVm, host: Host | None) -> None:
    """Raise unless a running VM can move to a host with its disks (getHostsForMigrateVmWithStorage)."""
    source = vm.host
    assert source is not None
    if host is None:
        return
    if host is source:
        raise InvalidParameterValue(
            f"Cannot migrate VM as it is already present on host {host.name} (ID: {host.id}), please specify valid "
            "destination host to migrate the VM"
        )
    if host.hypervisor != source.hypervisor:
        raise InternalError(
            "The source and destination hosts are not of the same type and version. Source hypervisor type and version: "
            f"{source.hypervisor} {source.hypervisor_version}, Destination hypervisor type and version: "
            f"{host.hypervisor} {host.hypervisor_version}"
        )
    if not moves_disks(cloud, vm):
        raise InternalError(
            f"Migration with storage isn't supported for source host {source.name} (ID: {source.id}) on hypervisor "
            f"{source.hypervisor} with version {source.hypervisor_version}"
        )
    if host.state != "Up" or host.resource_state != "Enabled":
        raise InternalError(
            f"Cannot migrate VM, destination host {host.name} (ID: {host.id}) is not in correct state, has status: "
            f"{host.state}, state: {host.resource_state}"
        )


def _chosen_pools(call: Call, vm: UserVm, entries: list[dict[str, str]]) -> dict[Volume, StoragePool]:
    """Where a request wants each disk of a VM (getVolumePoolMappingForMigrateVmWithStorage)."""
    store, pools = call.cloud.store, {}
    for entry in entries:
        volume, pool = (
            store.table(Volume).get(entry.get("volume", "")),
            store.table(StoragePool).get(entry.get("pool", "")),
        )
        if volume is None:
            raise InvalidParameterValue(f"There is no volume present with the given id {entry.get('volume', 'null')}")
        if pool is None:
            raise InvalidParameterValue(
                f"There is no storage pool present with the given id {entry.get('pool', 'null')}"
            )
        if "Maintenance" in pool.state:
            raise InvalidParameterValue(
                f"Cannot migrate volume {volumes.describe_in_full(volume)}to the destination storage pool {pool.name} as the "
                "storage pool is in maintenance mode."
            )
        if volume.vm is not vm:
            raise InvalidParameterValue(
                f"Volume {volumes.describe_in_full(volume)} doesn't belong to the VM {vm.instance_name} (ID: {vm.id}) that "
                "has to be migrated"
            )
        pools[volume] = pool
    return pools


@family.command("findHostsForMigration", object_name="host")
def find_hosts(call: Call) -> Answer:
    cloud = call.cloud
    if not call.is_root_admin:
        raise PermissionDenied("No permission to migrate instance, Only Root Admin can migrate an instance!")
    vm = call.one(UserVm, "virtualmachineid", missing="Unable to find the Instance with given ID")
    if vm.state != "Running":
        raise InvalidParameterValue(
            "Instance is not Running, cannot migrate the instance with specified id", named={"vmId": vm.id}
        )
    moves = moves_disks(cloud, vm)
    targets = {host: storage for host, storage in capacity.migration_targets(cloud, vm) if moves or not storage}
    keyword, source = call.get("keyword", "").lower(), vm.host
    # Every other host within reach is shown, those that could take the VM as suitable.
    others = [
        host
        for host in cloud.store.table(Host)
        if source is not None
        and host.is_routing
        and host is not source
        and (
            host.zone is source.zone and host.hypervisor == source.hypervisor
            if moves
            else host.cluster is source.cluster
        )
        and keyword in host.name.lower()
    ]
    others.sort(key=lambda host: host not in targets)
    shown = page(call, others)
    rows = [
        {
            **cloud.view(host, call),
            "suitableformigration": host in targets,
            "requiresStorageMotion": targets.get(host, False),
        }
        for host in shown.rows
        if isinstance(host, Host)
    ]
    return {"count": shown.total, **({"host": rows} if rows else {})} if shown.total else {}


@family.command("restoreVirtualMachine")
def restore_command(call: Call) -> Answer:
    vm = call.one(UserVm, "virtualmachineid", missing="Cannot find VM with ID {}")
    if vm.hypervisor == "External":
        raise InvalidParameterValue(f"Operation not supported for instance: {vm.name}")
    restore(call, vm, call.maybe(Template, "templateid", missing="Cannot find template with ID {}"))
    return vm


def restore(call: Call, vm: UserVm, template: Template | None = None) -> None:
    """Make a VM's root disk anew, from its template or another; it runs again if it ran before."""
    cloud, details, offering = call.cloud, call.map("details"), call.maybe(DiskOffering, "diskofferingid")
    image = template or vm.template
    asked = details.get("rootdisksize") or (str(call["rootdisksize"]) if "rootdisksize" in call else None)
    if asked is not None and asked.isdecimal():
        if int(asked) * GIB < image.size:
            raise InvalidParameterValue(f"Root disk size [{asked}] is smaller than the template size [{image.size}]")
    elif offering is not None and offering.disk_size * GIB < image.size and not offering.customized:
        raise InvalidParameterValue(
            f"Disk size for selected offering [{offering.disk_size * GIB}] is less than the template's size [{image.size}]"
        )
    check_no_running_snapshots(cloud, vm, "snapshot(s) on ROOT volume, Re-install VM")
    if vm.account.state.lower() == "disabled":
        raise PermissionDenied(f"The owner of {capacity.describe(vm)} is disabled: {describe(vm.account)}")
    if vm.state not in ("Running", "Stopped"):
        raise InternalError(
            f"Vm {vm.id} currently in {vm.state} state, restore vm can only execute when VM in Running or Stopped"
        )
    old = vm.root_volume
    if old is None:
        raise InvalidParameterValue(f"Can not find root volume for VM {vm.id}")
    if cloud.store.table(VmSnapshot).first(vm=vm):
        raise InvalidParameterValue(
            "Unable to restore Instance, please remove Instance Snapshots before restoring Instance"
        )
    if template is not None:
        check_access(cloud, call.account, template, "UseEntry")
        if vm.template.is_iso and not template.is_iso:
            raise InvalidParameterValue(
                "VM has been created using an ISO therefore it can not be re-installed with a template"
            )
        if template.is_iso and not vm.template.is_iso:
            raise InvalidParameterValue("Invalid template id provided to restore the VM ")
    was_running = vm.state == "Running"
    stop(cloud, vm)
    if old.pool is None and template is None and offering is None:
        # A disk that is not there yet needs no other in its place.
        return
    size = int(asked) * GIB if asked is not None and asked.isdecimal() else old.size
    if offering is not None and asked is None:
        size = offering.disk_size * GIB
    if template is not None:
        size = max(size, template.size) if asked is not None or offering is not None else template.size
        vm.template, vm.os_type = template, template.os_type
        if template.is_iso:
            vm.iso = template
    if asked is not None:
        vm.details["rootdisksize"] = str(size // GIB)
    device_id, pool = old.device_id or 0, old.pool
    volumes.detach(old)
    if pool is None or call.flag("expunge"):
        volumes.expunge(cloud, old)
    else:
        volumes.destroy(old)
    volumes.new_volume(
        cloud,
        vm.account,
        name=old.name,
        zone=vm.zone,
        type="ROOT",
        size=size,
        disk_offering=offering or old.disk_offering,
        vm=vm,
        device_id=device_id,
        template=image,
        display=old.display,
    )
    if not was_running:
        return
    try:
        start(call, vm)
    except ApiError as error:
        why = error.text
        if isinstance(error, InsufficientCapacity):
            shown = capacity.describe(vm).replace('"Stopped"', '"Starting"')
            why = f"Unable to create a deployment for {shown} after 1 attempts"
        raise InternalError(
            f"Unable to start VM with specified idUnable to start a VM [{vm.id}] due to [{why}]."
        ) from None
    if vm.template.password_enabled:
        vm.password = new_password(cloud)


@family.on_account_removal
def remove_vms(cloud: Cloud, account: Account) -> None:
    """Destroy and expunge everything that runs for an account."""
    for vm in cloud.owned_by(UserVm, account):
        remove(cloud, vm)


def remove(cloud: Cloud, vm: UserVm) -> None:
    """Stop, destroy and expunge a VM in one go."""
    stop(cloud, vm)
    if vm.state in ("Stopped", "Error"):
        transit(cloud, vm, "destroy")
    expunge(cloud, vm)
