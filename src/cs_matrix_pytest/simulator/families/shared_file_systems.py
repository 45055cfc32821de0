"""Shared file systems (SharedFSServiceImpl, StorageVmSharedFSLifeCycle)."""

from __future__ import annotations

import math
import re
import secrets
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import check_owner, database_path, named_account
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.clock import timed
from cs_matrix_pytest.simulator.errors import (
    ApiError,
    InsufficientCapacity,
    InternalError,
    InvalidParameterValue,
    PermissionDenied,
    ResourceLimitExceeded,
    ResourceUnavailable,
)
from cs_matrix_pytest.simulator.families import vm_changes, vm_lifecycle, volume_changes, volumes
from cs_matrix_pytest.simulator.families.templates import system_template
from cs_matrix_pytest.simulator.families.vm_deploy import check_usable, deploy
from cs_matrix_pytest.simulator.models.iam import Account, AccountType, Domain
from cs_matrix_pytest.simulator.models.infra import Cluster, Zone
from cs_matrix_pytest.simulator.models.networks import Network
from cs_matrix_pytest.simulator.models.offerings import DiskOffering, ServiceOffering
from cs_matrix_pytest.simulator.models.shared_file_systems import SharedFileSystem
from cs_matrix_pytest.simulator.models.storage import GIB
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family, Scope, Success
from cs_matrix_pytest.simulator.store import Resource

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("shared file systems")

OBJECT = "sharedfs"
PROVIDER = "SHAREDFSVM"
FORMATS = ("EXT4", "XFS")
PATH = "/export"
PREFIX = "sharedfs"
LONGEST_NAME = 63

TRANSITIONS = {
    ("Allocated", "failed"): "Error",
    ("Allocated", "succeeded"): "Ready",
    ("Stopped", "start"): "Starting",
    ("Starting", "succeeded"): "Ready",
    ("Starting", "failed"): "Stopped",
    ("Ready", "stop"): "Stopping",
    ("Stopping", "succeeded"): "Stopped",
    ("Stopping", "failed"): "Ready",
    ("Stopped", "destroy"): "Destroyed",
    ("Error", "destroy"): "Destroyed",
    ("Destroyed", "recover"): "Stopped",
    ("Destroyed", "expunge"): "Expunging",
    ("Error", "expunge"): "Expunging",
    ("Expunging", "expunge"): "Expunging",
    ("Expunging", "succeeded"): "Expunged",
}
"""States by state and event (SharedFS.State)."""


def transit(shared: SharedFileSystem, event: str) -> None:
    shared.state = TRANSITIONS[shared.state, event]


@contextmanager
def operation(shared: SharedFileSystem, event: str | None = None) -> Iterator[None]:
    """Go through the state of an operation to the one after it; back, or into Error, where it fails."""
    if event:
        transit(shared, event)
    try:
        yield
    except ApiError:
        transit(shared, "failed")
        raise
    transit(shared, "succeeded")


@contextmanager
def told_as(doing: str) -> Iterator[None]:
    """Errors of machines, as these commands tell them."""
    try:
        yield
    except (InsufficientCapacity, ResourceUnavailable) as error:
        raise ApiError(f"{doing}{error.text}", code=error.code) from error
    except ResourceLimitExceeded as error:
        raise ApiError(error.text, code=ResourceUnavailable.code) from error


STARTING = "Shared FileSystem start failed with exception: "
RESTARTING = "Shared FileSystem restart failed with exception"


@family.view(SharedFileSystem)
def shared_view(shared: SharedFileSystem, call: Call) -> dict[str, Any]:
    vm, volume, account = shared.vm, shared.volume, shared.account
    shown: dict[str, Any] = {
        "id": shared.id,
        "name": shared.name,
        "description": shared.description,
        "state": shared.state,
        "provider": shared.provider,
        "filesystem": shared.format,
        "path": PATH,
        "zoneid": shared.zone.id,
        "zonename": shared.zone.name,
        "account": account.name,
        "domainid": account.domain.id,
        # Its path in fact: the server overwrites the name.
        "domain": database_path(account.domain),
        "serviceofferingid": shared.offering.id,
        "serviceofferingname": shared.offering.name,
    }
    if account.type == AccountType.PROJECT and account.project is not None:
        shown |= {"projectid": account.project.id, "project": account.project.name}
    if vm is not None and vm in call.cloud.store:
        shown |= {
            "virtualmachineid": vm.id,
            "vmstate": vm.state,
            "nic": [
                {
                    "id": nic.id,
                    "networkid": nic.network.id,
                    "networkname": nic.network.name,
                    "ipaddress": nic.ip_address,
                }
                for nic in vm.nics
            ],
        }
    if volume is not None:
        offering, pool = volume.disk_offering, volume.pool
        shown |= {
            "volumeid": volume.id,
            "volumename": volume.name,
            "storageid": pool.id if pool else None,
            "storage": pool.name if pool else None,
            "diskofferingid": offering.id,
            "diskofferingname": offering.name,
            "diskofferingdisplaytext": offering.display_text,
            "iscustomdiskoffering": offering.customized,
            "size": volume.size if offering.customized else offering.disk_size * GIB,
            "sizegb": f"{volume.size / GIB:.2f} GiB",
            "provisioningtype": offering.provisioning_type,
        }
        if volume.ever_attached:
            shown |= dict.fromkeys(("diskioread", "diskiowrite", "diskkbsread", "diskkbswrite"), 0)
    return shown


@family.command("listSharedFileSystemProviders")
def list_providers(call: Call) -> Answer:
    return {"count": 1, "sharedfilesystemprovider": [{"name": PROVIDER}]}


family.listing(
    "listSharedFileSystems",
    SharedFileSystem,
    scope=Scope.OWNER,
    newest_first=True,
    filters={
        "serviceofferingid": lambda shared, offering, _call: shared.offering is offering,
        "diskofferingid": lambda shared, offering, _call: (
            shared.volume is not None and shared.volume.disk_offering is offering
        ),
        "networkid": lambda shared, network, _call: shared.vm is not None and network in shared.vm.networks,
    },
)
for _command in ("list", "create", "update", "start", "stop"):
    family.object_names[f"{_command}SharedFileSystem{'s' if _command == 'list' else ''}"] = OBJECT
for _what in ("Disk", "Service"):
    family.object_names[f"changeSharedFileSystem{_what}Offering"] = OBJECT


# Checks


def check_zone(zone: Zone) -> None:
    if zone.allocation_state == "Disabled":
        raise PermissionDenied(f"Cannot perform this operation, zone ID: {zone.id} is currently disabled")
    if zone.is_basic or zone.security_groups_enabled:
        raise PermissionDenied("This feature is supported only on Advanced Zone without security groups")


def check_disk_offering(call: Call, offering: DiskOffering, zone: Zone) -> None:
    check_usable(call.account, offering, zone)
    if not offering.customized and "size" in call:
        raise InvalidParameterValue("Size provided with a non-custom disk offering")
    if not offering.custom_iops and ("miniops" in call or "maxiops" in call):
        raise InvalidParameterValue("Iops provided with a non-custom-iops disk offering")


def check_offering(cloud: Cloud, offering: ServiceOffering, zone: Zone) -> None:
    settings = cloud.configuration
    if (offering.cpu_number or 0) < settings.number("sharedfsvm.min.cpu.count", zone, default=2):
        raise InvalidParameterValue(
            "Service offering's number of cpu should be greater than or equal to sharedfsvm.min.cpu.count"
        )
    if (offering.memory or 0) < settings.number("sharedfsvm.min.ram.size", zone, default=1024):
        raise InvalidParameterValue(
            "Service offering's ram size should be greater than or equal to sharedfsvm.min.ram.size"
        )
    if not offering.offer_ha:
        raise InvalidParameterValue("Service offering's should be HA enabled")


def check_network(network: Network, owner: Account, domain: Domain | None) -> None:
    if network.guest_type != "Shared":
        return
    foreign = domain is not None and network.account.domain is not domain
    if network.acl_type != "Account" or foreign or network.account is not owner:
        raise InvalidParameterValue(
            "Shared network which is not Account scoped and not belonging to the same account can not be used to create a "
            "Shared FileSystem"
        )


def shared_of(call: Call) -> SharedFileSystem:
    shared = call.one(SharedFileSystem)
    check_owner(call.account, shared.account)
    return shared


def check_state(shared: SharedFileSystem, states: tuple[str, ...], refusal: str) -> None:
    """Raise InvalidParameterValue with ``refusal``, which names the states, outside of them."""
    if shared.state not in states:
        raise InvalidParameterValue(refusal.format(f"[{', '.join(states)}]"))


def as_command(call: Call, name: str, params: dict[str, Any]) -> Call:
    """Another command of the same caller."""
    command = call.cloud.api.get(name)
    assert command is not None
    return Call(call.cloud, command, call.caller, {key: value for key, value in params.items() if value is not None})


# Creating


@family.command("createSharedFileSystem")
def create(call: Call) -> Generator[Resource, None, Answer]:
    cloud, name = call.cloud, call["name"]
    owner, zone = named_account(call) or call.account, call.one(Zone, "zoneid")
    check_owner(call.account, owner)
    check_zone(zone)
    check_disk_offering(call, call.one(DiskOffering, "diskofferingid"), zone)
    provider = call.get("provider", PROVIDER)
    if provider != PROVIDER:
        raise InternalError("Invalid Shared FileSystem provider name!")
    offering = call.one(ServiceOffering, "serviceofferingid")
    check_offering(cloud, offering, zone)
    domain = call.maybe(Domain, "domainid")
    check_network(call.one(Network, "networkid"), owner, domain)
    format = call["filesystem"].upper()
    if format not in FORMATS:
        raise InvalidParameterValue("Invalid File system format specified. Supported formats are EXT4 and XFS")
    # The name is looked for in the domain that the request names, and nowhere where it names none.
    if domain is owner.domain and cloud.store.table(SharedFileSystem).first(name=name, account=owner):
        raise InvalidParameterValue(
            "There already exists a Shared FileSystem with this name for the given account and domain."
        )
    shared = cloud.store.add(
        SharedFileSystem(
            account=owner,
            name=name,
            description=call.get("description"),
            zone=zone,
            format=format,
            offering=offering,
            provider=provider,
        )
    )
    try:
        yield shared
    except ApiError:
        transit(shared, "failed")
        raise
    with told_as(STARTING), operation(shared):
        shared.vm = make_machine(call, shared)
        for volume in shared.vm.volumes:
            volume.name = f"{PREFIX}-{volume.name}"
            if not volume.is_root:
                shared.volume = volume
    return shared


def machine_name(name: str) -> str:
    prefix = f"{PREFIX}-{name}"
    if not re.fullmatch(r"[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?", prefix):
        prefix = re.sub(r"[^a-zA-Z0-9-]", "", prefix)
    suffix = secrets.token_hex(6)[:11]
    return f"{prefix[: LONGEST_NAME - len(suffix) - len(PREFIX)]}-{suffix}"


def make_machine(call: Call, shared: SharedFileSystem) -> UserVm:
    """Deploy and start the machine that serves a file system."""
    cloud, owner, zone = call.cloud, shared.account, shared.zone
    hypervisors = dict.fromkeys(row.hypervisor for row in cloud.store.table(Cluster) if row.zone is zone)
    templates = [system_template(cloud, zone, hypervisor) for hypervisor in hypervisors]
    if not templates:
        raise InternalError(f"No supported hypervisor found for zone {zone.name}.")
    template = next((each for each in templates if each is not None), None)
    if template is None:
        raise InternalError(
            f"Unable to find the systemvm template for {next(iter(hypervisors))} or it was not downloaded in {zone.name}."
        )
    if owner not in template.permitted:
        template.permitted.append(owner)
    name = machine_name(shared.name)
    params = {
        "name": name,
        "displayname": name,
        "zoneid": zone,
        "serviceofferingid": shared.offering,
        "diskofferingid": call["diskofferingid"],
        "size": call.get("size"),
        "templateid": template,
        "networkids": [call["networkid"]],
    }
    if owner.type == AccountType.PROJECT:
        params["projectid"] = owner.project
    else:
        params |= {"account": owner.name, "domainid": owner.domain}
    making = as_command(call, "createSharedFileSystem", params)
    making.caller = cloud.system_caller
    steps = deploy(making)
    vm = next(steps)
    for _ in steps:
        pass
    assert isinstance(vm, UserVm)
    return vm


# Running


@family.command("startSharedFileSystem")
def start(call: Call) -> Answer:
    shared = shared_of(call)
    check_state(shared, ("Stopped",), "Shared FileSystem can be started only if it is in the {} state")
    with told_as(STARTING), operation(shared, "start"):
        _start_machine(call, shared)
    return shared


def _start_machine(call: Call, shared: SharedFileSystem) -> None:
    if shared.vm is not None and shared.vm.state != "Running":
        vm_lifecycle.start(call, shared.vm)


@family.command("stopSharedFileSystem")
def stop(call: Call) -> Answer:
    shared = shared_of(call)
    if shared.state != "Ready":
        raise InvalidParameterValue("Shared FileSystem can be stopped only if it is in the Ready state")
    _stop(call.cloud, shared)
    return shared


def _stop(cloud: Cloud, shared: SharedFileSystem) -> None:
    with operation(shared, "stop"):
        if shared.vm is not None:
            vm_lifecycle.stop(cloud, shared.vm)


@family.command("restartSharedFileSystem")
def restart(call: Call) -> Answer:
    shared = shared_of(call)
    check_state(
        shared,
        ("Ready", "Stopped"),
        "Restart Shared FileSystem can be done only if the shared filesystem is in {} states",
    )
    with told_as(RESTARTING):
        if not call.flag("cleanup"):
            if shared.state == "Ready":
                _stop(call.cloud, shared)
            with operation(shared, "start"):
                _start_machine(call, shared)
        elif shared.vm is not None:
            vm_lifecycle.restore(as_command(call, "restoreVirtualMachine", {"expunge": True}), shared.vm)
    # The answer is a file system, though the command declares none.
    return {OBJECT: {key: value for key, value in shared_view(shared, call).items() if value is not None}}


@family.command("updateSharedFileSystem")
def update(call: Call) -> Answer:
    shared = shared_of(call)
    shared.name = call.get("name", shared.name)
    shared.description = call.get("description", shared.description)
    return shared


@family.command("changeSharedFileSystemDiskOffering")
def change_disk_offering(call: Call) -> Answer:
    shared = shared_of(call)
    check_state(
        shared,
        ("Ready", "Stopped"),
        "Disk offering of the Shared FileSystem can be changed only if it is in {} states",
    )
    check_zone(shared.zone)
    check_disk_offering(call, call.one(DiskOffering, "diskofferingid"), shared.zone)
    names = ("diskofferingid", "size", "miniops", "maxiops")
    params = {"id": shared.volume, "automigrate": True, **{name: call.get(name) for name in names}}
    volume_changes.change_offering(as_command(call, "changeOfferingForVolume", params))
    return shared


@family.command("changeSharedFileSystemServiceOffering")
def change_offering(call: Call) -> Answer:
    shared, offering = shared_of(call), call.one(ServiceOffering, "serviceofferingid")
    check_state(
        shared, ("Stopped",), "Service offering of the Shared FileSystem can be changed only if it is in {} state"
    )
    check_zone(shared.zone)
    check_offering(call.cloud, offering, shared.zone)
    params = {"id": shared.vm, "serviceofferingid": offering}
    with told_as(RESTARTING):
        vm_changes.change_service(as_command(call, "changeServiceForVirtualMachine", params))
    shared.offering = offering
    return shared


# Going


@family.command("destroySharedFileSystem")
def destroy(call: Call) -> Answer:
    cloud, shared = call.cloud, shared_of(call)
    if shared.state == "Ready" and call.flag("forced"):
        _stop(cloud, shared)
    check_state(shared, ("Stopped", "Error"), "Shared FileSystem can be destroyed only if it is in the {} states")
    transit(shared, "destroy")
    shared.destroyed = cloud.clock.datetime()
    if call.flag("expunge"):
        delete(cloud, shared)
    else:
        _expunge_in_time(cloud, shared)
    return Success()


@family.command("recoverSharedFileSystem")
def recover(call: Call) -> Answer:
    shared = shared_of(call)
    if shared.state != "Destroyed":
        raise InvalidParameterValue("The Shared FileSystem should be in the Destroyed state to be recovered")
    transit(shared, "recover")
    shared.destroyed = None
    return Success()


@family.command("expungeSharedFileSystem")
def expunge(call: Call) -> Answer:
    try:
        shared = shared_of(call)
        check_state(
            shared,
            ("Destroyed", "Expunging", "Error"),
            "Shared FileSystem can be expunged only if it is in the {} states",
        )
        delete(call.cloud, shared)
    except ApiError as error:
        raise ApiError("Failed to expunge Shared FileSystem") from error
    return Success()


def delete(cloud: Cloud, shared: SharedFileSystem) -> None:
    """Have a file system gone for good: its machine, and its disk as far as disks go when they are deleted."""
    transit(shared, "expunge")
    vm, volume = shared.vm, shared.volume
    if vm is not None and vm in cloud.store:
        vm_lifecycle.stop(cloud, vm)
        vm_lifecycle.destroy(cloud, vm)
        vm_lifecycle.expunge(cloud, vm)
    if volume is not None and volume in cloud.store:
        if volume.state == "Allocated":
            volumes.expunge(cloud, volume)
        else:
            volumes.destroy(volume)
    transit(shared, "succeeded")
    cloud.store.remove(shared)


def _expunge_in_time(cloud: Cloud, shared: SharedFileSystem) -> None:
    """Have it expunged by the first run of the cleanup after its delay."""
    delay = cloud.configuration.number("sharedfs.cleanup.delay", default=86400) * 1.024
    interval = max(cloud.configuration.number("sharedfs.cleanup.interval", default=14400), 1)
    due = math.ceil((cloud.clock.now() + delay) / interval) * interval
    cloud.clock.call_at(due, expunge_if_still_destroyed, cloud, shared, delay)


@timed
def expunge_if_still_destroyed(cloud: Cloud, shared: SharedFileSystem, delay: float) -> None:
    """Expunge a file system unless it was recovered meanwhile, or destroyed anew."""
    since = shared.destroyed
    if shared in cloud.store and since is not None and cloud.clock.now() - since.timestamp() >= delay:
        delete(cloud, shared)


@family.on_account_removal
def remove_file_systems(cloud: Cloud, account: Account) -> None:
    # Its machines and disks go with the account by themselves.
    for shared in cloud.owned_by(SharedFileSystem, account):
        cloud.store.remove(shared)
