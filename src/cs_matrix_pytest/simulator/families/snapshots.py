"""Volume snapshots and their policies (SnapshotManagerImpl, SnapshotSchedulerImpl, SnapshotJoinDaoImpl)."""

from __future__ import annotations

import calendar
from collections.abc import Generator
from contextlib import suppress
from datetime import datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from cs_matrix_pytest.simulator import listing
from cs_matrix_pytest.simulator.access import check_access, scoping
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, InvalidParameterValue, PermissionDenied
from cs_matrix_pytest.simulator.families import volumes
from cs_matrix_pytest.simulator.families.annotations import has_annotations
from cs_matrix_pytest.simulator.models.iam import Account
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.models.storage import Snapshot, SnapshotPolicy, Volume
from cs_matrix_pytest.simulator.models.vm import VmSnapshot
from cs_matrix_pytest.simulator.registry import Answer, Family, ListSpec, Scope, Success
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.views import owner_fields, tag_fields, when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("snapshots")

INTERVALS = {"HOURLY": 0, "DAILY": 1, "WEEKLY": 2, "MONTHLY": 3}
"""The number that answers have for a policy's interval."""
TYPES = ("MANUAL", "RECURRING", "TEMPLATE", *INTERVALS, "GROUP", "FROM_GROUP")


@family.view(Snapshot)
def snapshot_view(snapshot: Snapshot, call: Call) -> dict[str, Any]:
    volume = snapshot.volume
    vm = volume.vm if volume.is_root else None
    os_type = (vm.os_type or vm.template.os_type) if vm else None
    shown: dict[str, Any] = {
        "id": snapshot.id,
        **owner_fields(snapshot.account),
        "snapshottype": snapshot.type,
        "volumeid": volume.id,
        "volumename": volume.name,
        "volumetype": volume.type,
        "volumestate": volume.state,
        "created": when(snapshot.created),
        "name": snapshot.name,
        "intervaltype": snapshot.type,
        "state": snapshot.state,
        "locationtype": snapshot.location_type,
        "physicalsize": snapshot.physical_size,
        "virtualsize": snapshot.size,
        "zoneid": snapshot.zone.id,
        "zonename": snapshot.zone.name,
        "revertable": False,
        "ostypeid": os_type.id if os_type else None,
        "tags": tag_fields(snapshot),
        "hasannotations": has_annotations(snapshot, call),
    }
    if call.command.lists:
        del shown["snapshottype"]
    else:
        shown["osdisplayname"] = os_type.name if os_type else None
    return shown


def _snapshot(call: Call) -> Snapshot:
    snapshot = call.params.get("id")
    if isinstance(snapshot, Snapshot) and snapshot in call.cloud.store:
        return snapshot
    raise InvalidParameterValue(f"unable to find a snapshot with id {getattr(snapshot, 'number', snapshot)}")


@family.command("createSnapshot")
def create_snapshot(call: Call) -> Generator[Resource, None, Answer]:
    cloud, volume = call.cloud, call.params.get("volumeid")
    if not isinstance(volume, Volume) or volume not in cloud.store:
        number = getattr(volume, "number", volume)
        raise InvalidParameterValue(f"Creating snapshot failed due to volume:{number} doesn't exist")
    if volume.zone.allocation_state == "Disabled" and not call.is_root_admin:
        raise PermissionDenied(f"Cannot perform this operation, Zone is currently disabled: {volume.zone.name}")
    check_ready(volume)
    if "locationtype" in call:
        raise InvalidParameterValue(f"VolumeId: {volume.number} LocationType is supported only for managed storage")
    check_access(cloud, call.account, volume)
    zones = call.many(Zone, "zoneids")
    if zones and "policyid" in call:
        raise InvalidParameterValue("zoneids parameter can not be specified with policyId parameter")
    snapshot = new_snapshot(cloud, volume, call.get("name"))
    snapshot.more_zones = [zone for zone in zones if zone is not volume.zone]
    snapshot.tags = call.map("tags")
    try:
        yield snapshot
        if volume not in cloud.store or volume.state != "Ready":
            raise InternalError(
                f"Failed to create snapshot due to an internal error creating snapshot for volume {volume.id}"
            )
    except ApiError:
        snapshot.state = "Error"
        raise
    snapshot.state = "BackedUp"
    return snapshot


def check_ready(volume: Volume) -> None:
    """Raise InvalidParameterValue unless a snapshot can be taken of a volume."""
    if volume.state != "Ready":
        raise InvalidParameterValue(
            f"Volume: {volumes.describe(volume)} is not in Ready state but {volume.state}. Cannot take snapshot."
        )


def new_snapshot(
    cloud: Cloud, volume: Volume, name: str | None = None, policy: SnapshotPolicy | None = None
) -> Snapshot:
    """Allocate a snapshot, by default named after the VM, the volume and the time; raises where the limit is reached."""
    cloud.limits.check(volume.account, "snapshot")
    cloud.limits.check(volume.account, "secondary_storage", volume.size)
    moment = cloud.clock.datetime()
    whose = volume.vm.name if volume.vm else "detached"
    return cloud.store.add(
        Snapshot(
            account=volume.account,
            name=name or f"{whose}_{volume.name}_{moment:%Y%m%d%H%M%S}",
            volume=volume,
            zone=volume.zone,
            size=volume.size,
            type=policy.interval if policy else "MANUAL",
            policy=policy,
            state="Allocated",
        )
    )


@family.command("deleteSnapshot")
def delete_snapshot(call: Call) -> Answer:
    snapshot, zone = _snapshot(call), call.maybe(Zone, "zoneid")
    if snapshot.state == "Destroyed":
        raise InvalidParameterValue(f"Snapshot [{snapshot.name}] is already destroyed")
    check_access(call.cloud, call.account, snapshot)
    if zone is not None and zone in snapshot.more_zones:
        snapshot.more_zones.remove(zone)
    else:
        remove(call.cloud, snapshot)
    return Success()


def remove(cloud: Cloud, snapshot: Snapshot) -> None:
    """Delete a snapshot for good."""
    snapshot.state = "Destroyed"
    cloud.store.remove(snapshot)


@family.command("revertSnapshot")
def revert_snapshot(call: Call) -> Answer:
    cloud, snapshot = call.cloud, _snapshot(call)
    volume = snapshot.volume
    if volume not in cloud.store or volume.state != "Ready":
        raise InvalidParameterValue("The volume is not in Ready state.")
    vm = volume.vm
    if vm is not None and vm.state != "Stopped":
        raise InvalidParameterValue("The Instance the specified disk is attached to is not in the shutdown state.")
    if vm is not None and cloud.store.table(VmSnapshot).first(vm=vm):
        raise InvalidParameterValue(
            "Unable to revert Snapshot for Instance, please remove Instance Snapshots before reverting Instance from Snapshot"
        )
    volume.size = snapshot.size
    return Success()


SPEC = ListSpec(
    Snapshot,
    scope=Scope.OWNER,
    newest_first=True,
    filters={
        "volumeid": lambda row, volume, _call: row.volume is volume,
        "snapshottype": lambda row, value, _call: _of_type(row, value),
        "intervaltype": lambda row, value, _call: row.type.lower() == value.lower(),
        "zoneid": lambda row, zone, _call: row.zone is zone or zone in row.more_zones,
        "name": lambda row, value, _call: value.lower() in row.name.lower(),
        "showunique": lambda _row, _value, _call: True,
        "locationtype": lambda _row, _value, _call: True,
        "storageid": lambda row, value, _call: row.volume.pool is value,
    },
)


def _of_type(snapshot: Snapshot, wanted: str) -> bool:
    if wanted.upper() not in TYPES:
        raise InvalidParameterValue(f"Unsupported snapshot type {wanted}")
    if wanted.upper() == "RECURRING":
        return snapshot.type in INTERVALS
    return snapshot.type == wanted.upper()


@family.command("listSnapshots")
def list_snapshots(call: Call) -> Answer:
    volume = call.get("volumeid")
    if isinstance(volume, Volume):
        check_access(call.cloud, call.account, volume)
    if "id" in call and call.get("ids"):
        raise InvalidParameterValue("Specify either id or ids but not both parameters")
    scope = scoping(call)
    rows = [row for row in call.cloud.store.table(Snapshot) if scope.admits(row.account)]
    return listing.page(call, listing.filtered(call, SPEC, rows))


@family.view(SnapshotPolicy)
def policy_view(policy: SnapshotPolicy, _call: Call) -> dict[str, Any]:
    return {
        "id": policy.id,
        "volumeid": policy.volume.id,
        "volumename": policy.volume.name,
        "schedule": policy.schedule,
        "intervaltype": INTERVALS[policy.interval],
        "maxsnaps": policy.max_snaps,
        "timezone": policy.timezone,
        "fordisplay": policy.display,
        "zone": [{"id": zone.id, "name": zone.name} for zone in policy.more_zones],
        "storage": [],
        "tags": tag_fields(policy),
        **owner_fields(policy.account),
    }


@family.command("createSnapshotPolicy")
def create_policy(call: Call) -> Answer:
    cloud, volume, schedule, most = call.cloud, call.params["volumeid"], call["schedule"], call["maxsnaps"]
    if not isinstance(volume, Volume) or volume not in cloud.store:
        raise InvalidParameterValue(
            f"Failed to create snapshot policy, unable to find a volume with id {getattr(volume, 'number', volume)}"
        )
    check_access(cloud, call.account, volume)
    display = call.flag("fordisplay", True)
    if display:
        check_ready(volume)
    interval = call["intervaltype"].upper()
    if interval not in INTERVALS:
        raise InvalidParameterValue(f"Unsupported interval type {call['intervaltype']}")
    zone = _timezone(call["timezone"])
    try:
        next_run(interval, schedule, zone, cloud.clock.datetime())
    except (ValueError, IndexError):
        raise InvalidParameterValue(
            f"{volumes.describe(volume)} has an invalid schedule [{schedule}] for interval type [{call['intervaltype']}]."
        ) from None
    if most <= 0:
        raise InvalidParameterValue(
            f"maxSnaps [{most}] for volume {volumes.describe(volume)} should be greater than 0."
        )
    limit = int(cloud.configuration.number(f"snapshot.max.{interval.lower()}", default=8))
    if most > limit:
        raise InvalidParameterValue(
            f"maxSnaps [{most}] for volume {volumes.describe(volume)} exceeds limit [{limit}] for interval type "
            f"[{call['intervaltype']}]."
        )
    owner = volume.account
    if display and not owner.is_root_admin:
        limits = [cloud.limits.limit(each, "snapshot") for each in (owner, owner.domain)]
        if any(each != -1 and most > each for each in limits):
            level = "domain/project" if owner.project is not None else "domain/account"
            raise InvalidParameterValue(f"Max number of snapshots shouldn't exceed the {level} level snapshot limit")
    policy = cloud.store.table(SnapshotPolicy).first(volume=volume, interval=interval)
    if policy is None:
        policy = cloud.store.add(
            SnapshotPolicy(
                account=owner,
                volume=volume,
                schedule=schedule,
                timezone=call["timezone"],
                interval=interval,
                max_snaps=most,
                display=display,
            )
        )
    policy.schedule, policy.timezone, policy.max_snaps, policy.display = schedule, call["timezone"], most, display
    policy.more_zones = call.many(Zone, "zoneids")
    policy.tags |= call.map("tags")
    schedule_next(cloud, policy)
    return policy


def _timezone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return timezone.utc  # As Java's TimeZone.getTimeZone: what it does not know is GMT.


def next_run(interval: str, schedule: str, zone: tzinfo, after: datetime) -> datetime:
    """When a schedule is next due; raises ValueError or IndexError where it does not fit its interval type.

    ``MM`` for HOURLY, ``MM:HH`` for DAILY, ``MM:HH:D`` for WEEKLY (1: Sunday) and MONTHLY (DateUtil.getNextRunTime).
    """
    parts = [int(part) for part in schedule.split(":")]
    if len(parts) < {"HOURLY": 1, "DAILY": 2}.get(interval, 3):
        raise ValueError(schedule)
    local = after.astimezone(zone)
    if interval == "HOURLY":
        due = local.replace(minute=parts[0], second=0, microsecond=0)
        return due if due > local else due + timedelta(hours=1)
    due = local.replace(hour=parts[1], minute=parts[0], second=0, microsecond=0)
    if interval == "DAILY":
        return due if due > local else due + timedelta(days=1)
    if interval == "WEEKLY":
        if not 1 <= parts[2] <= 7:
            raise ValueError(schedule)
        due += timedelta(days=(parts[2] - 2 - due.weekday()) % 7)
        return due if due > local else due + timedelta(days=7)
    if not 1 <= parts[2] <= 28:
        raise ValueError(schedule)
    due = due.replace(day=parts[2])
    if due > local:
        return due
    return due + timedelta(days=calendar.monthrange(due.year, due.month)[1])


def schedule_next(cloud: Cloud, policy: SnapshotPolicy) -> None:
    """Have a policy's next snapshot taken when it is due."""
    due = next_run(policy.interval, policy.schedule, _timezone(policy.timezone), cloud.clock.datetime())
    cloud.clock.call_at(due.timestamp(), take_scheduled, cloud, policy, policy.schedule)


def take_scheduled(cloud: Cloud, policy: SnapshotPolicy, schedule: str) -> None:
    """Take a policy's snapshot, and delete its oldest beyond the number that it keeps."""
    if policy not in cloud.store or policy.schedule != schedule:
        return
    volume = policy.volume
    if policy.display and volume in cloud.store and volume.state == "Ready":
        # Where the limit is reached, the server sends an alert and waits for the next time.
        with suppress(ApiError):
            new_snapshot(cloud, volume, policy=policy).state = "BackedUp"
        kept = cloud.store.table(Snapshot).where(policy=policy, state="BackedUp")
        for snapshot in kept[: max(len(kept) - policy.max_snaps, 0)]:
            remove(cloud, snapshot)
    schedule_next(cloud, policy)


@family.command("updateSnapshotPolicy")
def update_policy(call: Call) -> Answer:
    policy = call.one(SnapshotPolicy)
    check_access(call.cloud, call.account, policy.volume)
    policy.display = call.flag("fordisplay", policy.display)
    return policy


@family.command("deleteSnapshotPolicies")
def delete_policies(call: Call) -> Answer:
    if "id" not in call and not call.get("ids"):
        raise InvalidParameterValue("No policy id (or list of ids) specified.")
    policies = call.many(SnapshotPolicy, "ids") or [call.one(SnapshotPolicy)]
    for policy in policies:
        check_access(call.cloud, call.account, policy.volume)
    for policy in policies:
        call.cloud.store.remove(policy)
    return Success()


@family.command("listSnapshotPolicies")
def list_policies(call: Call) -> Answer:
    rows = call.cloud.store.table(SnapshotPolicy).where()
    volume, policy = call.maybe(Volume, "volumeid"), call.maybe(SnapshotPolicy, "id")
    for resource in (volume, policy.volume if policy else None):
        if resource is not None:
            check_access(call.cloud, call.account, resource)
    if volume is not None:
        rows = [row for row in rows if row.volume is volume]
    if policy is not None:
        rows = [row for row in rows if row is policy]
    if "fordisplay" in call:
        rows = [row for row in rows if row.display is call["fordisplay"]]
    scope = scoping(call)
    return listing.page(call, [row for row in rows if scope.admits(row.account)])


@family.on_account_removal
def remove_snapshots(cloud: Cloud, account: Account) -> None:
    for kind in (SnapshotPolicy, Snapshot):
        for row in cloud.owned_by(kind, account):
            cloud.store.remove(row)
