"""Cluster DRS: plans of migrations that even out the load of hosts or gather it (ClusterDrsServiceImpl)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator import jobs
from cs_matrix_pytest.simulator.background import keep_looking
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.clock import timed
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.families.capacity import migration_targets
from cs_matrix_pytest.simulator.families.capacity_reports import allocated_on
from cs_matrix_pytest.simulator.families.infra_metrics import imbalance
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.drs import DrsMigration, DrsPlan
from cs_matrix_pytest.simulator.models.infra import Cluster, Host
from cs_matrix_pytest.simulator.models.jobs import FAILED, IN_PROGRESS, SUCCEEDED
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.parameters import UUID
from cs_matrix_pytest.simulator.registry import Answer, Family, Listing
from cs_matrix_pytest.simulator.store import NOT_YET, Resource
from cs_matrix_pytest.simulator.views import when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("cluster_drs")

FOLLOW_SECONDS = 60.0
"""How often plans under way are looked after."""
SKIP_DETAIL = "skip.drs"
"""The detail of a VM that is to stay where it is."""
JOB_STATES = {IN_PROGRESS: "IN_PROGRESS", SUCCEEDED: "SUCCEEDED", FAILED: "FAILED"}


@dataclass(frozen=True)
class Measure:
    """What is compared between the hosts of a cluster: its settings ``drs.metric…``."""

    metric: str
    """``memory`` or ``cpu``."""
    type: str
    """``used`` or ``free``."""
    as_ratio: bool

    def of(self, used: float, total: float, skip: float | None = None) -> float | None:
        """A host's value; None where more than the share ``skip`` of it is taken (or less than that is free)."""
        amount = used if self.type == "used" else total - used
        if skip is not None and (amount > skip * total if self.type == "used" else amount < skip * total):
            return None
        return amount / total if self.as_ratio and total else amount


Loads = dict[Host, float]
"""What is used on each host, of the measured metric."""

NEEDS: dict[str, Callable[[float, float], bool]] = {
    "condensed": lambda imbalance, threshold: imbalance < threshold,
    "balanced": lambda imbalance, threshold: imbalance > 1.0 - threshold,
}
"""Whether a cluster needs DRS, by algorithm, from its imbalance and the setting ``drs.imbalance``."""
GAINS: dict[str, Callable[[float, float], float]] = {
    "condensed": lambda before, after: after - before,
    "balanced": lambda before, after: before - after,
}
"""What a migration improves, by algorithm, from the imbalance before and after it."""


def measure_of(cloud: Cloud, cluster: Cluster) -> Measure:
    """The measure that a cluster's settings name. Raises InternalError for one that there is not."""
    settings = cloud.configuration
    metric = settings.text("drs.metric", cluster, default="memory")
    if metric not in ("memory", "cpu"):
        raise InternalError("Unable to schedule DRS")
    return Measure(
        metric,
        settings.text("drs.metric.type", cluster, default="used"),
        settings.flag("drs.metric.use.ratio", cluster, default=True),
    )


def imbalance_of(loads: Loads, totals: Loads, measure: Measure, skip: float | None = None) -> float:
    """How unevenly the hosts of a cluster are used."""
    values = [value for host in loads if (value := measure.of(loads[host], totals[host], skip)) is not None]
    return imbalance(values) if values else 0.0


def plan(cloud: Cloud, cluster: Cluster, most: int) -> list[DrsMigration]:
    """Up to ``most`` migrations, each the best there is after those before it."""
    algorithm = cloud.configuration.text("drs.algorithm", cluster, default="condensed")
    if algorithm not in NEEDS:
        raise InternalError("Invalid algorithm configured!")
    measure, threshold = measure_of(cloud, cluster), cloud.configuration.number("drs.imbalance", cluster, default=0.4)
    skip = cloud.configuration.number("drs.imbalance.condensed.skip.threshold", cluster, default=0.95)
    hosts = cloud.store.table(Host).where(cluster=cluster)
    loads = {host: float(_used(cloud, host, measure)) for host in hosts}
    totals = {
        host: float(host.memory if measure.metric == "memory" else host.cpu_number * host.cpu_speed) for host in hosts
    }
    places = {vm: vm.host for vm in cloud.store.table(UserVm) if vm.host in loads and _may_move(vm)}
    targets = {vm: [host for host, _ in migration_targets(cloud, vm) if host in loads] for vm in places}
    chosen: list[DrsMigration] = []
    while len(chosen) < most and NEEDS[algorithm](
        imbalance_of(loads, totals, measure, skip if algorithm == "condensed" else None), threshold
    ):
        before, best, gain = imbalance_of(loads, totals, measure), None, 0.0
        for vm, source in places.items():
            for target in targets[vm]:
                if source is None or target is source or totals[target] - loads[target] < _size(vm, measure):
                    continue
                after = imbalance_of(_moved(loads, vm, source, target, measure), totals, measure)
                if GAINS[algorithm](before, after) > gain:
                    best, gain = DrsMigration(vm, source, target), GAINS[algorithm](before, after)
        if best is None or best.destination is best.vm.host:
            break
        chosen.append(best)
        loads = _moved(loads, best.vm, best.source, best.destination, measure)
        places[best.vm] = best.destination
    return chosen


def _used(cloud: Cloud, host: Host, measure: Measure) -> float:
    used = allocated_on(cloud, host)
    return used.memory if measure.metric == "memory" else used.cpu_mhz


def _size(vm: UserVm, measure: Measure) -> float:
    return float(vm.memory * 1024**2 if measure.metric == "memory" else vm.cpu_number * vm.cpu_speed)


def _moved(loads: Loads, vm: UserVm, source: Host, target: Host, measure: Measure) -> Loads:
    size = _size(vm, measure)
    return {**loads, source: loads[source] - size, target: loads[target] + size}


def _may_move(vm: UserVm) -> bool:
    return vm.state == "Running" and vm.details.get(SKIP_DETAIL, "").lower() != "true"


@family.view(DrsPlan)
def plan_view(row: DrsPlan, call: Call) -> dict[str, Any]:
    return {
        "migrations": [migration_fields(migration) for migration in row.migrations],
        "id": row.id,
        "clusterid": row.cluster.id,
        "eventid": row.event.id if row.event else None,
        "type": row.type,
        "status": row.status,
        "created": when(row.created) if row.created is not NOT_YET else None,
    }


def migration_fields(migration: DrsMigration) -> dict[str, Any]:
    """A migration of a plan; its job only once there is one."""
    job = migration.job
    return {
        "virtualmachineid": migration.vm.id,
        "virtualmachinename": migration.vm.instance_name,
        "sourcehostid": migration.source.id,
        "sourcehostname": migration.source.name,
        "destinationhostid": migration.destination.id,
        "destinationhostname": migration.destination.name,
        **({"migrationjobid": job.number, "migrationjobstatus": JOB_STATES[job.status]} if job else {}),
    }


def _shown(row: DrsPlan, call: Call) -> dict[str, Any]:
    return {name: value for name, value in plan_view(row, call).items() if value is not None}


@family.command("generateClusterDrsPlan")
def generate(call: Call) -> Answer:
    cloud, cluster = call.cloud, call.params["id"]
    if not isinstance(cluster, Cluster) or cluster not in cloud.store:
        raise InvalidParameterValue(f"Unable to find the cluster by id={getattr(cluster, 'number', cluster)}")
    if cluster.allocation_state == "Disabled":
        raise InvalidParameterValue(f"Unable to execute DRS on the cluster {cluster.name} as it is disabled")
    most = call.get("migrations")
    if most is None:
        most = int(cloud.configuration.number("drs.max.migrations", cluster, default=50))
    if most <= 0:
        raise InvalidParameterValue(
            f"Unable to execute DRS on the cluster {cluster.name} as the number of migrations [{most}] is invalid"
        )
    migrations = plan(cloud, cluster, most)
    event = cloud.events.of_system("CLUSTER.DRS.GENERATE", f"Generating DRS plan for cluster {cluster.id}", cluster)
    # What was only generated is not kept: executing names its migrations again.
    return {
        "generateclusterdrsplanresponse": _shown(DrsPlan(cluster=cluster, event=event, migrations=migrations), call)
    }


def _named(cloud: Cloud, kind: type[Resource], text: str) -> Any:
    table = cloud.store.table(kind)
    if UUID.fullmatch(text):
        return table.get(text)
    found = table.by_number(int(text)) if text.isdecimal() else None
    return found if found is not None and found in table else None


@family.command("executeClusterDrsPlan")
def execute(call: Call) -> Answer:
    cloud, moves = call.cloud, []
    for entry in call.entries("migrateto"):
        vm = _named(cloud, UserVm, entry.get("vm", ""))
        host = _named(cloud, Host, entry.get("host", ""))
        if vm is None or host is None:
            raise InvalidParameterValue(
                f"Unable to find the vm/host for vmId={entry.get('vm')}, destHostId={entry.get('host')}"
            )
        moves.append((vm, host))
    if not moves:
        raise InvalidParameterValue("migrateto can not be empty.")
    cluster = call.params["id"]
    if not isinstance(cluster, Cluster) or cluster not in cloud.store:
        raise InvalidParameterValue("cluster not found")
    running = cloud.store.table(DrsPlan).first(cluster=cluster, status="IN_PROGRESS")
    if running is not None:
        raise InvalidParameterValue(
            f"Unable to execute DRS plan as there is already a plan [id={running.id}] in In Progress"
        )
    migrations = [DrsMigration(vm, vm.host or host, host) for vm, host in moves]
    row = cloud.store.add(DrsPlan(cluster=cluster, event=call.start_event, status="IN_PROGRESS", migrations=migrations))
    # The answer is of the moment before the jobs are there.
    shown = _shown(row, call)
    for migration in migrations:
        order(cloud, migration)
    keep_looking(cloud, "DRS plans", FOLLOW_SECONDS, follow)
    return {"drsPlan": shown}


def order(cloud: Cloud, migration: DrsMigration) -> None:
    """Start the job that migrates a VM, as SYSTEM."""
    command = cloud.api.get("migrateVirtualMachine")
    assert command is not None
    params = {"virtualmachineid": migration.vm, "hostid": migration.destination}
    migrating = Call(cloud, command, cloud.system_caller, params)
    handler = cloud.registry.handlers[command.name]
    migration.job = jobs.submit(migrating, migration.vm, partial(jobs.whole, handler, migrating), None, 0)


@timed
def follow(cloud: Cloud, _now: float) -> bool:
    """Complete the plans whose migrations are over; False where none is under way."""
    plans = cloud.store.table(DrsPlan).where(status="IN_PROGRESS")
    for row in plans:
        if all(move.job is not None and move.job.status != IN_PROGRESS for move in row.migrations):
            row.status = "COMPLETED"
    return any(row.status == "IN_PROGRESS" for row in plans)


@family.command("listClusterDrsPlan", object_name="drsPlan")
def list_plans(call: Call) -> Answer:
    if "id" in call and "clusterid" in call:
        raise InvalidParameterValue("Only one of clusterId or planId can be specified")
    wanted, cluster = call.get("id"), call.get("clusterid")
    if cluster is not None and (not isinstance(cluster, Cluster) or cluster not in call.cloud.store):
        raise InvalidParameterValue(f"Unable to find the cluster by id={getattr(cluster, 'number', cluster)}")
    rows = [row for row in call.cloud.store.table(DrsPlan) if wanted in (None, row) and cluster in (None, row.cluster)]
    found = page(call, rows[::-1])
    # As maps: the command declares no ``created``, and the real server answers it all the same.
    return Listing([_shown(row, call) for row in found.rows if isinstance(row, DrsPlan)], found.total)
