"""Backup and recovery with the provider "dummy", which keeps no data (BackupManagerImpl, DummyBackupProvider)."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator import cron
from cs_matrix_pytest.simulator.access import check_access, check_owner, describe
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.clock import timed
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, InvalidParameterValue, PermissionDenied
from cs_matrix_pytest.simulator.families import capacity, volumes
from cs_matrix_pytest.simulator.families.schedules import zone_named
from cs_matrix_pytest.simulator.families.vm_deploy import deploy
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.backups import Backup, BackupOffering, BackupSchedule, SavedVolume
from cs_matrix_pytest.simulator.models.iam import Account, Domain
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.models.offerings import ServiceOffering
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family, Scope, Success
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.texts import fields_text
from cs_matrix_pytest.simulator.views import owner_fields, when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("backups")

PROVIDERS = {
    "dummy": "Dummy Backup Plugin",
    "kboss": "KVM Backup on Secondary Storage",
    "nas": "NAS Backup Plugin",
    "networker": "EMC Networker Backup Plugin",
    "veeam": "Veeam Backup Plugin",
}
DUMMY = "dummy"
POLICIES = (
    ("gold-policy", "Golden Policy", "Gold description"),
    ("silver-policy", "Silver Policy", "Silver description"),
)
"""The external id, name and description of what the dummy provider offers."""
INTERVALS = {"HOURLY": 1, "DAILY": 2, "WEEKLY": 3, "MONTHLY": 3}
"""How many fields a schedule of each interval has."""
NO_BACKUP = "Backup {} does not exist"


def check_zone(cloud: Cloud, zone: Zone) -> None:
    """Raise InternalError where a zone has no backups."""
    if not cloud.configuration.flag("backup.framework.enabled", zone):
        raise InternalError("Backup and Recovery feature is disabled for the zone")


def check_provider(cloud: Cloud, zone: Zone) -> str:
    """The provider of a zone. Raises InternalError for those that need a server of their own, as nothing answers."""
    name = cloud.configuration.text("backup.framework.provider.plugin", zone, default=DUMMY)
    if name not in PROVIDERS:
        raise InternalError(f"Failed to find backup provider by the name: {name}")
    if name != DUMMY:
        raise InternalError(f"Failed to connect to the backup provider {name}")
    return name


@family.view(BackupOffering)
def offering_view(offering: BackupOffering, call: Call) -> dict[str, Any]:
    return {
        "id": offering.id,
        "name": offering.name,
        "description": offering.description,
        "provider": offering.provider,
        "externalid": offering.external_id,
        "allowuserdrivenbackups": offering.user_driven,
        "zoneid": offering.zone.id,
        "zonename": offering.zone.name,
        "domainid": ",".join(domain.id for domain in offering.domains) or None,
        "domain": ",".join(domain.path for domain in offering.domains) or None,
        "created": when(offering.created),
    }


@family.view(Backup)
def backup_view(backup: Backup, call: Call) -> dict[str, Any]:
    vm, removed = backup.vm, backup.vm not in call.cloud.store
    saved = [
        {
            "uuid": row.volume.id,
            "type": row.type,
            "size": row.size,
            "path": row.path,
            "deviceId": row.device_id,
            "diskOfferingId": row.offering.id,
        }
        for row in backup.volumes
    ]
    owner = owner_fields(backup.account)
    owner.pop("domainpath")
    return {
        "id": backup.id,
        "name": backup.name,
        "description": backup.description,
        "virtualmachineid": vm.id,
        "virtualmachinename": vm.name,
        "externalid": "dummy-external-id",
        "type": "FULL",
        "created": when(backup.created),
        "size": backup.size,
        "virtualsize": backup.size,
        "status": backup.status,
        "volumes": json.dumps(saved, separators=(",", ":")),
        "backupofferingid": backup.offering.id,
        "backupofferingname": backup.offering.name,
        "accountid": backup.account.id,
        **owner,
        "zoneid": backup.zone.id,
        "zone": backup.zone.name,
        "intervaltype": backup.interval,
        "vmbackupofferingremoved": True if vm.backup_offering is not backup.offering else None,
        "isbackupvmexpunged": True if removed else None,
    }


@family.view(BackupSchedule)
def schedule_view(schedule: BackupSchedule, call: Call) -> dict[str, Any]:
    return {
        "id": schedule.id,
        "virtualmachineid": schedule.vm.id,
        "virtualmachinename": schedule.vm.name,
        "intervaltype": schedule.interval,
        "schedule": schedule.schedule,
        "timezone": schedule.timezone,
        "maxbackups": schedule.max_backups,
    }


# Offerings


@family.command("listBackupProviders")
def list_providers(call: Call) -> Answer:
    name = call.get("name")
    rows = [{"name": key, "description": text} for key, text in PROVIDERS.items() if name in (None, key)]
    return {"count": len(rows), "providers": rows} if rows else {}


@family.command("listBackupProviderOfferings")
def list_provider_offerings(call: Call) -> Answer:
    zone = call.one(Zone, "zoneid")
    check_zone(call.cloud, zone)
    if not call.is_root_admin:
        raise PermissionDenied("Parameter external can only be specified by a Root Admin, permission denied")
    provider = check_provider(call.cloud, zone)
    created = call.cloud.clock.datetime()
    return page(
        call,
        [
            BackupOffering(name=name, description=text, zone=zone, external_id=id, provider=provider, created=created)
            for id, name, text in POLICIES
        ],
    )


@family.command("importBackupOffering")
def import_offering(call: Call) -> Answer:
    zone, name, external = call.one(Zone, "zoneid"), call["name"], call["externalid"]
    check_zone(call.cloud, zone)
    table = call.cloud.store.table(BackupOffering)
    if table.first(external_id=external, zone=zone):
        raise InternalError(f"A backup offering with external ID {external} already exists")
    if table.first(name=name, zone=zone):
        raise InternalError("A backup offering with the same name already exists in this zone")
    return call.cloud.store.add(
        BackupOffering(
            name=name,
            description=call["description"],
            zone=zone,
            external_id=external,
            provider=check_provider(call.cloud, zone),
            user_driven=call.flag("allowuserdrivenbackups"),
            domains=call.many(Domain, "domainid"),
        )
    )


@family.command("updateBackupOffering", object_name="backupoffering")
def update_offering(call: Call) -> Answer:
    offering = call.one(BackupOffering)
    if not any(name in call for name in ("name", "description", "allowuserdrivenbackups", "domainid")):
        raise InvalidParameterValue("Can't update Backup Offering because there are no parameters to be updated.")
    offering.name, offering.description = call.get("name", offering.name), call.get("description", offering.description)
    offering.user_driven = call.flag("allowuserdrivenbackups", offering.user_driven)
    return offering


@family.command("deleteBackupOffering")
def delete_offering(call: Call) -> Answer:
    offering, store = call.params["id"], call.cloud.store
    if not isinstance(offering, BackupOffering) or offering not in store:
        raise InternalError(f"Could not find a backup offering with id: {call.raw.get('id')}")
    if store.table(Backup).first(offering=offering):
        raise InternalError("Backup Offering cannot be removed as it has backups associated with it.")
    if store.table(UserVm).first(backup_offering=offering):
        raise InternalError(
            "Backup offering is assigned to VMs, remove the assignment(s) in order to remove the offering."
        )
    check_zone(call.cloud, offering.zone)
    store.remove(offering)
    return Success()


def usable(account: Account, offering: BackupOffering) -> bool:
    """True where an account may use an offering."""
    allowed = offering.domains
    return account.is_root_admin or not allowed or any(domain.contains(account.domain) for domain in allowed)


@family.access_check(BackupOffering)
def check_offering(cloud: Cloud, account: Account, offering: BackupOffering, access: str | None) -> None:
    if not usable(account, offering):
        raise PermissionDenied(
            f"There's no way to confirm {describe(account)} has access to Backup offering "
            f"{fields_text(id=offering.number, name=offering.name, uuid=offering.id)}."
        )


family.listing(
    "listBackupOfferings",
    BackupOffering,
    rows=lambda call: [row for row in call.cloud.store.table(BackupOffering) if usable(call.account, row)],
    filters={"domainid": lambda offering, domain, _call: not offering.domains or domain in offering.domains},
)


# Assigning


def vm_of(call: Call) -> UserVm:
    vm = call.one(UserVm, "virtualmachineid")
    check_owner(call.account, vm.account)
    return vm


@family.command("assignVirtualMachineToBackupOffering")
def assign(call: Call) -> Answer:
    vm = vm_of(call)
    if vm.state not in ("Running", "Stopped"):
        raise InternalError("Instance is not in running or stopped state")
    check_zone(call.cloud, vm.zone)
    if vm.backup_offering is not None:
        raise InternalError(
            "Instance already is assigned to a backup offering, please remove the Instance from its previous offering"
        )
    offering = call.get("backupofferingid")
    if not isinstance(offering, BackupOffering) or offering not in call.cloud.store:
        raise InternalError("Provided backup offering does not exist")
    check_access(call.cloud, vm.account, offering)
    check_provider(call.cloud, vm.zone)
    vm.backup_offering = offering
    return Success()


@family.command("removeVirtualMachineFromBackupOffering")
def unassign(call: Call) -> Answer:
    vm = vm_of(call)
    check_zone(call.cloud, vm.zone)
    if vm.backup_offering is None:
        raise InternalError("No previously configured backup offering found for the VM")
    vm.backup_offering = None
    for schedule in call.cloud.store.table(BackupSchedule).where(vm=vm):
        call.cloud.store.remove(schedule)
    return Success()


# Backups


def offering_of(vm: UserVm) -> BackupOffering:
    offering = vm.backup_offering
    if not isinstance(offering, BackupOffering):
        raise InternalError("Cannot create backup as the Instance doesn't have a Backup Offering assigned")
    return offering


def take(cloud: Cloud, vm: UserVm, name: str | None = None, schedule: BackupSchedule | None = None) -> Backup:
    """Back a VM up, within the limits of its owner."""
    offering = offering_of(vm)
    saved = [
        SavedVolume(
            volume=volume,
            type=volume.type,
            size=volume.size,
            path=volume.id,
            device_id=volume.device_id or 0,
            offering=volume.disk_offering,
        )
        for volume in vm.volumes
        if volume.state == "Ready"
    ]
    cloud.limits.check(vm.account, "backup", 1)
    cloud.limits.check(vm.account, "backup_storage", sum(row.size for row in saved))
    return cloud.store.add(
        Backup(
            account=vm.account,
            name=name or f"{vm.name}-{when(cloud.clock.datetime())}",
            vm=vm,
            zone=vm.zone,
            offering=offering,
            volumes=saved,
            networks=[nic.network for nic in vm.nics],
            interval=schedule.interval if schedule else "MANUAL",
            schedule=schedule,
        )
    )


@family.command("createBackup")
def create_backup(call: Call) -> Generator[Resource, None, Answer]:
    vm = vm_of(call)
    check_zone(call.cloud, vm.zone)
    # The entity that is created, for the answer and for its job, is the VM.
    yield vm
    offering = offering_of(vm)
    if not offering.user_driven:
        raise InternalError("The assigned backup offering does not allow ad-hoc user backup")
    if "quiescevm" in call:
        raise InvalidParameterValue("Quiesce VM option is supported only by NAS and KBOSS backup providers")
    backup = take(call.cloud, vm, call.get("name"))
    backup.description = call.get("description")
    return Success()


family.listing("listBackups", Backup, scope=Scope.OWNER, filters={"listvmdetails": lambda _row, _value, _call: True})


def backup_of(call: Call, name: str = "id") -> Backup:
    """The live backup of a parameter, whole, which the caller may use."""
    backup = call.get(name)
    if not isinstance(backup, Backup) or backup not in call.cloud.store:
        raise InternalError(NO_BACKUP.format(call.raw.get(name)))
    check_owner(call.account, backup.account)
    check_zone(call.cloud, backup.zone)
    return backup


@family.command("deleteBackup")
def delete_backup(call: Call) -> Answer:
    call.cloud.store.remove(backup_of(call))
    return Success()


@family.command("restoreBackup")
def restore_backup(call: Call) -> Answer:
    backup = backup_of(call)
    vm = backup.vm
    if "hostid" in call and not call.is_root_admin:
        raise PermissionDenied("Parameter hostid can only be specified by a Root Admin")
    if vm not in call.cloud.store:
        raise InternalError("The Instance from which the backup was taken could not be found.")
    if vm.state not in ("Stopped", "Destroyed"):
        raise InternalError("Existing Instance should be stopped before being restored from Backup")
    if len(vm.volumes) != len(backup.volumes):
        raise InternalError(
            "Unable to restore Instance with the current Backup as the Backup has different number of disks to the "
            "Instance"
        )
    for volume, saved in zip(vm.volumes, backup.volumes, strict=True):
        volume.size = saved.size
    return Success()


@family.command("restoreVolumeFromBackupAndAttachToVM")
def restore_volume(call: Call) -> Answer:
    backup, vm, cloud = backup_of(call, "backupid"), vm_of(call), call.cloud
    saved = next((row for row in backup.volumes if row.volume.id == call["volumeid"]), None)
    if saved is None:
        raise InternalError("Failed to find volume with Id " + call["volumeid"] + " in the backed-up volumes metadata")
    volume = volumes.new_volume(
        cloud,
        vm.account,
        name=f"RestoredVol-{saved.volume.name}",
        zone=vm.zone,
        type="DATADISK",
        size=saved.size,
        disk_offering=saved.offering,
        vm=vm,
        device_id=volumes.free_device_id(cloud, vm),
    )
    host = vm.host or vm.last_host
    pool = capacity.pool_for(cloud, volume, host) if host is not None else None
    if pool is not None:
        volumes.put_on(volume, pool, vm.hypervisor)
    return Success()


@family.command("createVMFromBackup")
def create_vm(call: Call) -> Generator[Resource, None, Answer]:
    backup = call.get("backupid")
    if not isinstance(backup, Backup) or backup not in call.cloud.store:
        raise InternalError(NO_BACKUP.format(call.raw.get("backupid")))
    check_zone(call.cloud, backup.zone)
    vm, store = backup.vm, call.cloud.store
    offering: ServiceOffering = vm.service_offering
    call.params.setdefault("serviceofferingid", offering)
    call.params.setdefault("templateid", vm.template)
    if "networkids" not in call and not call.get("iptonetworklist"):
        networks = [network for network in backup.networks if network in store]
        if not networks:
            raise InternalError(
                "Backup doesn't contain network information. Please specify at least one valid network while creating "
                "instance"
            )
        call.params["networkids"] = networks
    data = [row for row in backup.volumes if row.type == "DATADISK"]
    if data and not call.get("datadisksdetails") and "diskofferingid" not in call:
        call.params["datadisksdetails"] = {
            str(index): {
                "diskofferingid": row.offering.id,
                "deviceid": str(row.device_id),
                **({"size": str(max(1, row.size // 1024**3))} if row.offering.customized else {}),
            }
            for index, row in enumerate(data)
        }
    return (yield from deploy(call))


# Schedules


def read_schedule(interval: str, text: str) -> cron.Cron:
    """What a schedule means. Raises InvalidParameterValue where it means nothing (DateUtil.getNextRunTime)."""
    fields = text.split(":")
    try:
        if len(fields) != INTERVALS[interval]:
            raise ValueError(text)
        minute, hour, day = (*fields, "*", "*")[:3]
        # A week begins with Sunday, number 1.
        weekday = str(int(day) - 1) if interval == "WEEKLY" else "*"
        return cron.parse(f"{minute} {hour} {day if interval == 'MONTHLY' else '*'} * {weekday}")
    except ValueError:
        raise InvalidParameterValue(f"Invalid schedule: {text} for interval type: {interval}") from None


@family.command("createBackupSchedule", "updateBackupSchedule", object_name="backupschedule")
def set_schedule(call: Call) -> Answer:
    vm, cloud, interval = vm_of(call), call.cloud, call["intervaltype"].upper()
    if interval not in INTERVALS:
        raise InternalError("Invalid interval type provided")
    check_zone(cloud, vm.zone)
    if vm.backup_offering is None:
        raise InternalError(
            "Cannot configure Backup Schedule for the Instance as it is not assigned any Backup Offering"
        )
    if not offering_of(vm).user_driven:
        raise InternalError("The selected backup offering does not allow user-defined backup schedule")
    most = call.get("maxbackups", 0)
    if most < 0:
        raise InvalidParameterValue("maxbackups value for backup schedule must be a non-negative integer.")
    if "isolated" in call and call.flag("isolated"):
        raise InvalidParameterValue("Isolated backups are only supported by KBOSS backup provider.")
    if "quiescevm" in call:
        raise InvalidParameterValue("Quiesce VM option is supported only by NAS and KBOSS backup providers.")
    read_schedule(interval, call["schedule"])
    zone = zone_named(call["timezone"])[0]
    schedule = cloud.store.table(BackupSchedule).first(vm=vm, interval=interval)
    if schedule is not None:
        # Planned anew: the timer of the old one finds nothing.
        cloud.store.forget(schedule)
    new = BackupSchedule(
        account=vm.account, vm=vm, interval=interval, schedule=call["schedule"], timezone=zone, max_backups=most
    )
    if schedule is not None:
        new.id, new.number = schedule.id, schedule.number
    expect_next(cloud, cloud.store.add(new))
    return new


def expect_next(cloud: Cloud, schedule: BackupSchedule) -> None:
    """Have a schedule's next backup taken when simulated time gets there."""
    now = datetime.fromtimestamp(cloud.clock.now(), zone_named(schedule.timezone)[1])
    following = read_schedule(schedule.interval, schedule.schedule).after(now)
    if following is not None:
        cloud.clock.call_at(following.timestamp(), run_schedule, cloud, schedule)


@timed
def run_schedule(cloud: Cloud, schedule: BackupSchedule) -> None:
    table = cloud.store.table(BackupSchedule)
    if table.get(schedule.id) is not schedule or schedule.vm not in cloud.store:
        return
    # No backup this time where a limit is reached, or the VM has no offering any more.
    with suppress(ApiError):
        take(cloud, schedule.vm, schedule=schedule)
    kept = cloud.store.table(Backup).where(lambda row: row.schedule is not None and row.schedule.id == schedule.id)
    for old in kept[: max(0, len(kept) - schedule.max_backups)] if schedule.max_backups else ():
        cloud.store.remove(old)
    expect_next(cloud, schedule)


family.listing(
    "listBackupSchedule",
    BackupSchedule,
    scope=Scope.OWNER,
    filters={
        "virtualmachineid": lambda schedule, vm, _call: schedule.vm is vm,
    },
)


@family.command("deleteBackupSchedule")
def delete_schedule(call: Call) -> Answer:
    schedule, table = call.get("id"), call.cloud.store.table(BackupSchedule)
    if schedule is None and "virtualmachineid" not in call:
        raise InvalidParameterValue("Either instance ID or ID of backup schedule needs to be specified.")
    rows = table.where(vm=vm_of(call)) if schedule is None else [schedule]
    if any(row not in table for row in rows) or (schedule is None and not rows):
        raise InvalidParameterValue("Could not find the requested backup schedule.")
    for row in rows:
        check_owner(call.account, row.account)
        call.cloud.store.remove(row)
    return Success()


@family.on_account_removal
def remove_backups(cloud: Cloud, account: Account) -> None:
    for row in (*cloud.owned_by(BackupSchedule, account), *cloud.owned_by(Backup, account)):
        cloud.store.remove(row)
