"""Forgetting virtual machines that are gone: their rows leave the database (ResourceCleanupServiceImpl)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.clock import timed
from cs_matrix_pytest.simulator.errors import ApiError
from cs_matrix_pytest.simulator.models.networks import Router
from cs_matrix_pytest.simulator.models.storage import Snapshot
from cs_matrix_pytest.simulator.models.vm import SystemVm, UserVm, VmSnapshot
from cs_matrix_pytest.simulator.registry import Answer, Family, Success

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("purging")

LEAST_DELAY = 180.0
"""Seconds that an expunged virtual machine is kept at least, where its offering has it purged."""


@family.command("purgeExpungedResources")
def purge(call: Call) -> Answer:
    kind, start, end = call.get("resourcetype"), call.get("startdate"), call.get("enddate")
    if kind and kind.strip() and kind.lower() != "virtualmachine":
        raise ApiError("Invalid resource type specified")
    if call.get("batchsize", 1) <= 0:
        raise ApiError("Invalid batchsize specified")
    if start is not None and end is not None and end < start:
        raise ApiError("Invalid enddate specified")
    gone = [vm for vm in _removed(call.cloud) if _is_between(vm.removed, start, end) and _is_loose(call.cloud, vm)]
    for vm in gone:
        call.cloud.store.forget(vm)
    return {"purgeexpungedresourcesresponse": {"resourcecount": len(gone)}}


def _removed(cloud: Cloud) -> list[UserVm | Router | SystemVm]:
    return [
        *cloud.store.table(UserVm).removed(),
        *cloud.store.table(Router).removed(),
        *cloud.store.table(SystemVm).removed(),
    ]


def _is_between(moment: datetime | None, start: datetime | None, end: datetime | None) -> bool:
    return moment is not None and (start is None or moment >= start) and (end is None or moment <= end)


def _is_loose(cloud: Cloud, vm: UserVm | Router | SystemVm) -> bool:
    """False while snapshots or backups of a virtual machine are left."""
    if cloud.store.table(VmSnapshot).first(vm=vm) is not None:
        return False
    backups = [row for kind in cloud.registry.kinds.get("BackupResponse", ()) for row in cloud.store.table(kind)]
    snapshots = cloud.store.table(Snapshot)
    root = f"ROOT-{vm.number}"
    return not any(getattr(row, "vm", None) is vm for row in backups) and not any(
        row.volume.is_root and row.volume.name == root for row in snapshots
    )


def expect_purge(cloud: Cloud, vm: UserVm) -> None:
    """Have a virtual machine that was expunged purged later, where its offering wants that."""
    if vm.service_offering.fields.get("purgeresources"):
        delay = cloud.configuration.number("expunged.resource.purge.job.delay", default=LEAST_DELAY)
        cloud.clock.call_later(max(delay, LEAST_DELAY), purge_one, cloud, vm)


@timed
def purge_one(cloud: Cloud, vm: UserVm) -> None:
    """Forget a virtual machine, unless something of it is left."""
    if vm.removed is not None and _is_loose(cloud, vm):
        cloud.store.forget(vm)


@family.command("cleanVMReservations")
def clean_reservations(_call: Call) -> Answer:
    """Give up what deployments reserved and never used; here a deployment ends with its job."""
    return Success()
