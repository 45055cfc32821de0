"""What virtual machines and volumes used over time (MetricsServiceImpl, StatsCollector).

Running virtual machines are measured every ``vm.stats.interval``; a simulated one always uses the same. Of disks nothing
is measured, as ``vm.disk.stats.interval`` is 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import Scoping
from cs_matrix_pytest.simulator.background import keep_looking
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.clock import timed
from cs_matrix_pytest.simulator.errors import InvalidParameterValue
from cs_matrix_pytest.simulator.families.system_volumes import system_volumes
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.iam import AccountType, Project
from cs_matrix_pytest.simulator.models.networks import Router
from cs_matrix_pytest.simulator.models.storage import Volume
from cs_matrix_pytest.simulator.models.vm import SystemVm, UserVm
from cs_matrix_pytest.simulator.models.vm_statistics import VmStatistics
from cs_matrix_pytest.simulator.registry import Answer, Family, Listing
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.views import when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("usage_history")

MEASURED = {
    "cpuused": "10%",
    "diskioread": 0,
    "diskiowrite": 0,
    "diskiopstotal": 0,
    "diskkbsread": 0,
    "diskkbswrite": 0,
    "memoryintfreekbs": -1,
    "memorykbs": 0,
    "memorytargetkbs": 0,
    "networkkbsread": 32768,
    "networkkbswrite": 16384,
    "networkread": "32.00 MiB",
    "networkwrite": "16.00 MiB",
}
"""What every simulated virtual machine uses (MockVmManagerImpl.getVmStats)."""
KINDS = (UserVm, Router, SystemVm)
SYSTEM_KINDS = (Router, SystemVm)


@family.on_fresh_install
def measure(cloud: Cloud, _fresh: object) -> None:
    """Measure from now on."""
    seconds = cloud.configuration.number("vm.stats.interval", default=60000) / 1000
    if seconds > 0:
        keep_looking(cloud, "vm statistics", seconds, partial(_look, step=seconds))


@timed
def _look(cloud: Cloud, now: float, step: float) -> bool:
    table = cloud.store.table(VmStatistics)
    known = {row.vm: row for row in table}
    kept = cloud.configuration.number("vm.stats.max.retention.time", default=720) * 3600
    users_only = cloud.configuration.flag("vm.stats.user.vm.only")
    for vm in _vms(cloud, (UserVm,) if users_only else KINDS):
        host = vm.host
        if vm.state == "Running" and host is not None and host.state == "Up":
            row = known.get(vm) or cloud.store.add(VmStatistics(vm=vm))
            row.add(now, step)
    for row in known.values():
        if row.vm in cloud.store:
            if kept > 0:
                row.forget_before(now - kept)
        else:
            cloud.store.forget(row)
    return True


def _vms(cloud: Cloud, kinds: Iterable[type[Resource]]) -> list[Any]:
    return [vm for kind in kinds for vm in cloud.store.table(kind)]


def _scope(call: Call, ids: list[Any]) -> Scoping:
    """Whose are shown: the caller's own, an admin's domain and all below it; those of projects where they are named."""
    caller, projects = call.account, None if ids else False
    if caller.is_root_admin:
        return Scoping(projects=projects)
    if caller.type in (AccountType.DOMAIN_ADMIN, AccountType.RESOURCE_DOMAIN_ADMIN):
        return Scoping(domain=caller.domain, recursive=True, projects=projects)
    table = call.cloud.store.table(Project)
    joined = [row.account for row in table if any(member.account is caller for member in row.members)]
    return Scoping((caller, *joined), projects=projects)


def _named(call: Call) -> list[Any]:
    return [*call.get("ids", ()), *([call["id"]] if "id" in call else [])]


def _in_state(row: Any, keyword: str) -> bool:
    return bool(row.state.lower() == keyword)


@family.command("listVirtualMachinesUsageHistory")
def list_vms(call: Call) -> Answer:
    ids, name, keyword = _named(call), call.get("name", "").lower(), call.get("keyword", "").lower()
    scope = _scope(call, ids)
    vms = [
        vm
        for vm in call.cloud.store.table(UserVm)
        if scope.admits(vm.account)
        and (not ids or vm in ids)
        and name in vm.display_name.lower()
        and (keyword in vm.display_name.lower() or _in_state(vm, keyword))
    ]
    return _histories(call, vms)


@family.command("listSystemVmsUsageHistory")
def list_system_vms(call: Call) -> Answer:
    ids, keyword = _named(call), call.get("keyword", "").lower()
    vms = [
        vm
        for vm in _vms(call.cloud, SYSTEM_KINDS)
        if (not ids or vm in ids) and (keyword in vm.name.lower() or _in_state(vm, keyword))
    ]
    return _histories(call, vms)


def _histories(call: Call, vms: list[Any]) -> Answer:
    start, end = _dates(call)
    known = {row.vm: row for row in call.cloud.store.table(VmStatistics)}
    found = page(call, vms)
    rows = []
    for vm in found.rows:
        row = known.get(vm)  # type: ignore[call-overload]
        times = [datetime.fromtimestamp(int(moment), timezone.utc) for moment in (row.moments() if row else ())]
        rows.append(
            {
                "id": vm.id,  # type: ignore[union-attr]
                "name": vm.name,  # type: ignore[union-attr]
                **({"displayname": vm.display_name} if isinstance(vm, UserVm) else {}),
                "stats": [
                    {"timestamp": when(time), **MEASURED}
                    for time in times
                    if (start is None or time >= start) and (end is None or time <= end)
                ],
            }
        )
    return Listing(rows, len(rows))


def _dates(call: Call) -> tuple[datetime | None, datetime | None]:
    start, end = call.get("startdate"), call.get("enddate")
    if start is not None and end is not None and start > end:
        raise InvalidParameterValue("startDate cannot be after endDate.")
    return start, end


@family.command("listVolumesUsageHistory")
def list_volumes(call: Call) -> Answer:
    _dates(call)
    ids, name, keyword = _named(call), call.get("name"), call.get("keyword", "").lower()
    scope, cloud = _scope(call, ids), call.cloud
    volumes: list[Volume] = [row for row in cloud.store.table(Volume) if scope.admits(row.account)]
    if call.is_root_admin:
        volumes += [row for row in system_volumes(cloud) if scope.admits(row.account)]
    found = page(
        call,
        [
            row
            for row in volumes
            if (not ids or row in ids)
            # The real server compares a name as a whole with the pattern that it makes of the parameter.
            and (name is None or row.name.lower() == f"%{name}%".lower())
            and (keyword in row.name.lower() or _in_state(row, keyword))
        ],
    )
    rows = [{"id": row.id, "name": row.name, "stats": []} for row in found.rows]  # type: ignore[union-attr]
    return Listing(rows, len(rows))
