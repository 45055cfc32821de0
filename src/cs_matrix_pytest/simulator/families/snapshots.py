"""Volume snapshots and their policies (SnapshotManagerImpl, SnapshotSchedulerImpl, SnapshotJoinDaoImpl)."""

from __future__ import annotations

import calendar
from collections.abc import Generator
from contextlib import suppress
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator import listing
from cs_matrix_pytest.simulator.access import check_access, describe, scoping
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.clock import timed
from cs_matrix_pytest.simulator.errors import (
    ApiError,
    InternalError,
    InvalidParameterValue,
    ParameterError,
    PermissionDenied,
)
from cs_matrix_pytest.simulator.families import capacity, volumes
from cs_matrix_pytest.simulator.families.annotations import has_annotations
from cs_matrix_pytest.simulator.families.images import check_image_store
from cs_matrix_pytest.simulator.families.public_ips import rename
from cs_matrix_pytest.simulator.families.schedules import zone_named
from cs_matrix_pytest.simulator.models.iam import Account
from cs_matrix_pytest.simulator.models.infra import ImageStore, Zone
from cs_matrix_pytest.simulator.models.storage import Snapshot, SnapshotPolicy, Volume
from cs_matrix_pytest.simulator.models.vm import VmSnapshot
from cs_matrix_pytest.simulator.registry import Answer, Family, ListSpec, Scope, Success
from cs_matrix_pytest.simulator.store import Resource, new_uuid
from cs_matrix_pytest.simulator.views import bare_tags, owner_fields, tag_fields, when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("snapshots")
for command in ("createSnapshot", "createSnapshotPolicy"):
    family.must_name(command, "volumeid", Volume, "Unable to find volume by id={}")

LOCATIONS = ("PRIMARY", "SECONDARY")
INTERVALS = {"HOURLY": 0, "DAILY": 1, "WEEKLY": 2, "MONTHLY": 3}
"""The number that answers have for a policy's interval."""
TYPES = ("MANUAL", "RECURRING", "TEMPLATE", *INTERVALS, "GROUP", "FROM_GROUP")


@family.before("updateSnapshotPolicy")
def check_policy_given(call: Call) -> None:
    call.one(SnapshotPolicy, missing="Invalid Snapshot policy ID was provided")


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
        "virtualsize": volume.size,
        "zoneid": snapshot.zone.id,
        "zonename": snapshot.zone.name,
        "revertable": is_revertable(snapshot),
        "ostypeid": os_type.id if os_type else None,
        "tags": tag_fields(snapshot),
        "hasannotations": has_annotations(snapshot, call),
    }
    if call.command.lists or call.command.name == "copySnapshot":
        del shown["snapshottype"]
    else:
        shown |= {"osdisplayname": os_type.name if os_type else None, "tags": bare_tags(snapshot)}
    return shown


def is_revertable(snapshot: Snapshot) -> bool:
    """True for snapshots of disks in the format QCOW2, which is KVM's (DefaultSnapshotStrategy.canHandle)."""
    return (snapshot.volume.hypervisor or "").lower() == "kvm" and snapshot.volume.state != "Expunged"


def check_owner_active(volume: Volume) -> None:
    """Raise PermissionDenied where a volume's owner is not to make anything new (CreateSnapshotCmd.getEntityOwnerId)."""
    owner = volume.account
    if owner.project is not None and owner.project.state != "Active":
        raise PermissionDenied(
            f"Can't add resources to the project id={owner.project.number} in state={owner.project.state} as it's no longer "
            "active"
        )
    if owner.state == "disabled":
        raise PermissionDenied(f"The owner of Template is disabled: {describe(owner)}")


@family.command("createSnapshot")
def create_snapshot(call: Call) -> Generator[Resource, None, Answer]:
    cloud, volume = call.cloud, call.one(Volume, "volumeid")
    check_owner_active(volume)
    check_access(cloud, call.account, volume.account)
    location = call.get("locationtype")
    if location is not None and location.strip().upper() not in LOCATIONS:
        raise InternalError(
            f"Invalid locationType {location}Specified for volume {volume.number} Valid values are: primary,secondary "
        )
    if volume.zone.allocation_state == "Disabled" and not call.is_root_admin:
        raise PermissionDenied(f"Cannot perform this operation, Zone is currently disabled: {volume.zone.name}")
    check_ready(volume)
    if location is not None:
        raise InvalidParameterValue(f"VolumeId: {volume.number} LocationType is supported only for managed storage")
    if volume.pool is None:
        raise InvalidParameterValue(
            f"Volume: {volumes.describe_in_full(volume)} please attach this volume to a VM before create snapshot for it"
        )
    zones, policy = call.many(Zone, "zoneids"), call.maybe(SnapshotPolicy, "policyid")
    if zones and policy is not None:
        raise InvalidParameterValue("zoneids parameter can not be specified with policyid parameter")
    check_copy_zones(call, volume, zones)
    vm = volume.vm
    if vm is not None and vm.state in ("Destroyed", "Expunging"):
        raise InternalError(
            f"Creating snapshot failed due to volume: {volumes.describe_in_full(volume)} is associated with vm: "
            f"{capacity.describe(vm)} is in {vm.state} state"
        )
    check_access(cloud, call.account, volume)
    snapshot = new_snapshot(cloud, volume, call.get("name"), policy)
    snapshot.more_zones += [zone for zone in zones if zone is not volume.zone]
    snapshot.tags = call.map("tags")
    try:
        yield snapshot
        if volume not in cloud.store or volume.state != "Ready":
            raise InternalError(
                f"Failed to create Snapshot due to an internal error creating Snapshot for volume {volume.id}"
            )
    except ApiError:
        snapshot.state = "Error"
        raise
    snapshot.state = "BackedUp"
    return snapshot


def check_copy_zones(call: Call, volume: Volume, zones: list[Zone]) -> None:
    """Raise where a volume's snapshots cannot be copied to other zones."""
    if not zones:
        return
    if not call.cloud.configuration.flag("snapshot.backup.to.secondary", volume.zone, default=True):
        raise InvalidParameterValue(
            "Backing up of snapshot has been disabled. Snapshot can not be taken for multiple zones"
        )
    for zone in zones:
        check_destination(call, zone)


def check_destination(call: Call, zone: Zone) -> None:
    """Raise unless a snapshot can be copied to a zone (getCheckedDestinationZoneForSnapshotCopy)."""
    if zone.allocation_state == "Disabled" and not call.is_root_admin:
        raise PermissionDenied(f"Cannot perform this operation, Zone is currently disabled: {zone.name}")
    if zone.is_edge:
        raise InvalidParameterValue(f"Snapshot copy is not supported by zone {zone.name}")


def check_ready(volume: Volume) -> None:
    """Raise InvalidParameterValue unless a snapshot can be taken of a volume."""
    if volume.state != "Ready":
        raise InvalidParameterValue(
            f"Volume: {volumes.describe_in_full(volume)} is not in Ready state but {volume.state}. Cannot take snapshot."
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
            more_zones=[zone for zone in (policy.more_zones if policy else ()) if zone is not volume.zone],
            state="Allocated",
        )
    )


def _snapshot(call: Call, missing: str = "unable to find a snapshot with id {}") -> Snapshot:
    return call.one(Snapshot, missing=missing)


@family.command("deleteSnapshot")
def delete_snapshot(call: Call) -> Answer:
    snapshot, zone = _snapshot(call), call.maybe(Zone, "zoneid")
    check_access(call.cloud, call.account, snapshot)
    if zone is None or (zone is snapshot.zone and not snapshot.more_zones):
        remove(call.cloud, snapshot)
    elif zone in snapshot.more_zones:
        snapshot.more_zones.remove(zone)
    elif zone is snapshot.zone:
        snapshot.zone = snapshot.more_zones.pop(0)
    else:
        raise ApiError("Failed to delete Snapshot")
    return Success()


def remove(cloud: Cloud, snapshot: Snapshot) -> None:
    """Delete a snapshot for good."""
    snapshot.state = "Destroyed"
    cloud.store.remove(snapshot)


@family.command("revertSnapshot")
def revert_snapshot(call: Call) -> Answer:
    cloud, snapshot = call.cloud, _snapshot(call, "No such snapshot")
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
    if not is_revertable(snapshot):
        raise InternalError(
            f"Revert snapshot command failed for snapshot {volumes.describe_snapshot(snapshot)}, because this command is "
            "supported only for KVM hypervisor"
        )
    volume.size = snapshot.size
    return snapshot


@family.command("archiveSnapshot")
def archive_snapshot(call: Call) -> Answer:
    snapshot = call.params.get("id")
    if not isinstance(snapshot, Snapshot) or snapshot not in call.cloud.store or snapshot.location_type == "SECONDARY":
        raise InternalError(
            "Can only archive snapshots present on primary storage. Cannot find snapshot "
            f"{getattr(snapshot, 'number', snapshot)} on primary storage"
        )
    snapshot.location_type = "SECONDARY"
    return snapshot


@family.command("copySnapshot")
def copy_snapshot(call: Call) -> Answer:
    if "destzoneid" in call and call.get("destzoneids"):
        raise ParameterError("Both destzoneid and destzoneids cannot be specified at the same time.")
    snapshot = _snapshot(call, "Unable to find snapshot with id")
    targets = call.many(Zone, "destzoneids") or [zone for zone in [call.maybe(Zone, "destzoneid")] if zone is not None]
    source = call.maybe(Zone, "sourcezoneid") or snapshot.volume.zone
    if snapshot.state != "BackedUp" or snapshot.location_type == "PRIMARY":
        raise InvalidParameterValue("Snapshot is not backed up")
    if not targets:
        raise InvalidParameterValue("Please specify valid destination zone(s).")
    if source in targets:
        raise InvalidParameterValue("Please specify different source and destination zones.")
    for zone in targets:
        check_destination(call, zone)
    check_access(call.cloud, call.account, snapshot, "OperateEntry")
    if source not in (snapshot.zone, *snapshot.more_zones):
        raise InvalidParameterValue(f"There is no snapshot ID: {snapshot.id} ready on image store")
    for zone in targets:
        check_image_store(call.cloud, zone)
    new = [zone for zone in targets if zone not in (snapshot.zone, *snapshot.more_zones)]
    call.cloud.limits.check(snapshot.account, "secondary_storage", snapshot.physical_size * len(new))
    snapshot.more_zones += new
    return {"snapshot": next(row for row in per_copy(call, snapshot) if row["zoneid"] == targets[0].id)}


@family.command("extractSnapshot")
def extract_snapshot(call: Call) -> Answer:
    cloud, zone = call.cloud, call.maybe(Zone, "zoneid")
    if not call.is_root_admin and cloud.configuration.flag("disable.extraction"):
        raise PermissionDenied("Extraction could not be completed.")
    snapshot = _snapshot(call, "Unable to find active snapshot.")
    check_access(cloud, call.account, snapshot)
    if not any(zone in (None, store.zone) for store in cloud.store.table(ImageStore)):
        raise InvalidParameterValue("Extraction could not be completed")
    if snapshot.state != "BackedUp" or zone not in (None, snapshot.zone, *snapshot.more_zones):
        raise InvalidParameterValue(
            f"Snapshot [{snapshot.id}] not found in any secondary storage. The snapshot may be on primary storage, where it "
            "cannot be downloaded."
        )
    snapshot.extract_url = snapshot.extract_url or f"http://127.0.0.1/userdata/{new_uuid()}.vhd"
    return {
        "snapshot": {
            "id": snapshot.id,
            "name": snapshot.name,
            "accountid": snapshot.account.id,
            "state": "DOWNLOAD_URL_CREATED",
            "url": snapshot.extract_url,
            **({"zoneid": zone.id, "zonename": zone.name} if zone is not None else {}),
        }
    }


SPEC = ListSpec(
    Snapshot,
    scope=Scope.OWNER,
    filters={
        "volumeid": lambda row, volume, _call: row.volume is volume,
        "snapshottype": lambda row, value, _call: _of_type(row, value),
        "intervaltype": lambda row, value, call: _of_interval(row, value, call),
        "zoneid": lambda row, zone, _call: row.zone is zone or zone in row.more_zones,
        "locationtype": lambda _row, value, call: (
            call.get("showunique") is not False or value.strip().upper() != LOCATIONS[0]
        ),
        "imagestoreid": lambda row, store, call: any(copy is store for _zone, copy in copies_of(call, row)),
        # The server compares the pool's number with that of the secondary storage.
        "storageid": lambda row, pool, call: any(
            copy is not None and copy.number == pool.number for _zone, copy in copies_of(call, row)
        ),
    },
)


def _of_interval(snapshot: Snapshot, wanted: str, call: Call) -> bool:
    # The interval's type counts only for one volume, and where no type is asked for.
    if "volumeid" not in call or "snapshottype" in call:
        return True
    if wanted.upper() not in TYPES:
        raise InvalidParameterValue(f"Unsupported snapshot interval type {wanted}")
    return snapshot.type == wanted.upper()


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
    if call.get("showunique") is False and call.get("locationtype", LOCATIONS[0]).strip().upper() not in LOCATIONS:
        raise InvalidParameterValue(f"Invalid locationtype specified, {call['locationtype']}")
    scope = scoping(call)
    rows = [row for row in call.cloud.store.table(Snapshot) if scope.admits(row.account)]
    chosen: list[Any] = listing.filtered(call, SPEC, rows)
    # Its order is that of texts: a snapshot's number, and its store's.
    chosen.sort(key=lambda row: f"{row.number}_")
    if call.get("showunique") is False:
        chosen = [fields for row in chosen for fields in per_copy(call, row)]
    elif "zoneid" in call:
        here = {"zoneid": call["zoneid"].id, "zonename": call["zoneid"].name}
        chosen = [call.cloud.view(row, call) | here for row in chosen]
    return listing.page(call, chosen)


def copies_of(call: Call, snapshot: Snapshot) -> list[tuple[Zone, ImageStore | None]]:
    """The zones where a snapshot is, each with the secondary storage that has it; None as long as there is no copy."""
    stores = call.cloud.store.table(ImageStore)
    zones = [snapshot.zone, *snapshot.more_zones]
    if snapshot.state != "BackedUp":
        return [(snapshot.zone, None)]
    return [(zone, stores.first(lambda store, zone=zone: store.zone in (None, zone))) for zone in zones]  # type: ignore[misc]


def per_copy(call: Call, snapshot: Snapshot) -> list[dict[str, Any]]:
    """A snapshot as a list shows it that is not to be unique: once for every copy, with where it is."""
    shown = call.cloud.view(snapshot, call)
    rows = []
    for zone, store in copies_of(call, snapshot):
        if call.get("zoneid", zone) is not zone or call.get("imagestoreid", store) is not store:
            continue
        row = {**shown, "zoneid": zone.id, "zonename": zone.name, "revertable": False, "physicalsize": 0}
        if store is not None:
            row["datastorestate"] = "Ready"
        if call.is_root_admin or snapshot.account is call.account or snapshot.account.project is not None:
            row["status"] = snapshot.state
        if call.is_root_admin and store is not None:
            row |= {"datastoreid": store.id, "datastorename": store.name, "datastoretype": "Image"}
        # A copy was downloaded from where the snapshot was taken.
        percent, state = ("0", "") if zone is snapshot.zone else ("100", "DOWNLOADED")
        rows.append(row | {"downloaddetails": {"downloadPercent": percent, "downloadState": state}})
    return rows


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
    cloud, volume, schedule, most = call.cloud, call.one(Volume, "volumeid"), call["schedule"], call["maxsnaps"]
    check_owner_active(volume)
    check_access(cloud, call.account, volume)
    display = call.flag("fordisplay", True)
    if display:
        check_ready(volume)
    interval = call["intervaltype"].upper()
    if interval not in INTERVALS:
        raise InvalidParameterValue(f"Unsupported interval type {call['intervaltype']}")
    zone_name, zone = zone_named(call["timezone"])
    try:
        next_run(interval, schedule, zone, cloud.clock.datetime())
    except (ValueError, IndexError):
        raise InvalidParameterValue(
            f"{volumes.describe_in_full(volume)} has an invalid schedule [{schedule}] for interval type [{call['intervaltype']}]."
        ) from None
    if most <= 0:
        raise InvalidParameterValue(
            f"maxSnaps [{most}] for volume {volumes.describe_in_full(volume)} should be greater than 0."
        )
    limit = int(cloud.configuration.number(f"snapshot.max.{interval.lower()}", default=8))
    if most > limit:
        raise InvalidParameterValue(
            f"maxSnaps [{most}] for volume {volumes.describe_in_full(volume)} exceeds limit [{limit}] for interval type "
            f"[{call['intervaltype']}]."
        )
    owner = volume.account
    if display and not owner.is_root_admin:
        limits = [cloud.limits.limit(each, "snapshot") for each in (owner, owner.domain)]
        if any(each != -1 and most > each for each in limits):
            level = "domain/project" if owner.project is not None else "domain/account"
            raise InvalidParameterValue(f"Max number of snapshots shouldn't exceed the {level} level snapshot limit")
    zones = call.many(Zone, "zoneids")
    check_copy_zones(call, volume, zones)
    policy = cloud.store.table(SnapshotPolicy).first(volume=volume, interval=interval)
    if policy is None:
        policy = cloud.store.add(
            SnapshotPolicy(
                account=owner,
                volume=volume,
                schedule=schedule,
                timezone=zone_name,
                interval=interval,
                max_snaps=most,
                display=display,
            )
        )
    policy.schedule, policy.timezone, policy.max_snaps, policy.display = schedule, zone_name, most, display
    policy.more_zones = zones or policy.more_zones
    policy.tags = call.map("tags")
    schedule_next(cloud, policy)
    return policy


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
    due = next_run(policy.interval, policy.schedule, zone_named(policy.timezone)[1], cloud.clock.datetime())
    cloud.clock.call_at(due.timestamp(), take_scheduled, cloud, policy, policy.schedule)


@timed
def take_scheduled(cloud: Cloud, policy: SnapshotPolicy, schedule: str) -> None:
    """Take a policy's snapshot, and delete its oldest beyond the number that it keeps."""
    if policy not in cloud.store or policy.schedule != schedule:
        return
    volume = policy.volume
    if policy.display and volume in cloud.store and volume.state == "Ready":
        # Where the limit is reached, the server sends an alert and waits for the next time.
        with suppress(ApiError):
            snapshot = new_snapshot(cloud, volume, policy=policy)
            snapshot.state, snapshot.tags = "BackedUp", dict(policy.tags)
        kept = cloud.store.table(Snapshot).where(policy=policy, state="BackedUp")
        for snapshot in kept[: max(len(kept) - policy.max_snaps, 0)]:
            remove(cloud, snapshot)
    schedule_next(cloud, policy)


@family.command("updateSnapshotPolicy")
def update_policy(call: Call) -> Answer:
    policy = call.one(SnapshotPolicy)
    check_access(call.cloud, call.account, policy.volume)
    policy.display = call.flag("fordisplay", policy.display)
    rename(call, policy)
    return policy


@family.command("deleteSnapshotPolicies")
def delete_policies(call: Call) -> Answer:
    if "id" not in call and not call.get("ids"):
        raise InvalidParameterValue("No policy id (or list of ids) specified.")
    policies: list[SnapshotPolicy] = []
    for given in call.get("ids") or [call.get("id")]:
        if not isinstance(given, SnapshotPolicy) or given not in call.cloud.store:
            raise InvalidParameterValue(f"Policy id given: {getattr(given, 'number', given)} does not exist")
        policies.append(given)
    for policy in policies:
        check_access(call.cloud, call.account, policy.volume)
    for policy in policies:
        call.cloud.store.remove(policy)
    return Success()


@family.command("listSnapshotPolicies")
def list_policies(call: Call) -> Answer:
    volume, policy, keyword = call.get("volumeid"), call.get("id"), call.get("keyword", "").lower()
    for resource in (volume, policy):
        if isinstance(resource, Volume | SnapshotPolicy) and resource in call.cloud.store:
            check_access(call.cloud, call.account, resource)
    scope = scoping(call)
    rows = [
        row
        for row in call.cloud.store.table(SnapshotPolicy)
        if volume in (None, row.volume)
        and policy in (None, row)
        and keyword in row.volume.name.lower()
        and scope.admits(row.account)
    ]
    return listing.page(call, rows[::-1])


@family.on_account_removal
def remove_snapshots(cloud: Cloud, account: Account) -> None:
    for kind in (SnapshotPolicy, Snapshot):
        for row in cloud.owned_by(kind, account):
            cloud.store.remove(row)
