"""Maintenance of KVM hosts one after the other (RollingMaintenanceManagerImpl).

What is done on a host is in scripts that its operator puts there. Simulated hosts have none, so that all are looked at and
then left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError
from cs_matrix_pytest.simulator.families.hosts import vms_on
from cs_matrix_pytest.simulator.models.infra import Cluster, Host, Pod, Zone
from cs_matrix_pytest.simulator.registry import Answer, Family

family = Family("rolling_maintenance")

SCOPES = (
    ("podids", Pod, "Pod", "POD.ROLLING.MAINTENANCE"),
    ("clusterids", Cluster, "Cluster", "CLUSTER.ROLLING.MAINTENANCE"),
    ("zoneids", Zone, "Zone", "ZONE.ROLLING.MAINTENANCE"),
    ("hostids", Host, "Host", "HOST.ROLLING.MAINTENANCE"),
)
"""Parameters that say which hosts, in the order in which they count: class, what reports call it, event."""
UNSETTLED = ("Starting", "Stopping", "Migrating", "Error", "Unknown")


@dataclass
class Report:
    """What became of the hosts. ``error``: why it ended early."""

    skipped: list[tuple[Host, str]] = field(default_factory=list)
    error: str | None = None

    def shown(self) -> dict[str, Any]:
        """As the answer shows it."""
        return {
            "success": self.error is None,
            "details": self.error or "OK",
            "hostsupdated": [],
            "hostsskipped": [
                {"hostid": host.id, "hostname": host.name, "reason": reason} for host, reason in self.skipped
            ],
        }


@family.command("startRollingMaintenance")
def start(call: Call) -> Answer:
    chosen = next((scope for scope in SCOPES if call.get(scope[0])), None)
    if chosen is None:
        raise InternalError(
            "Parameters podId, clusterId, zoneId, hostId are mutually exclusive, please set only one of them"
        )
    parameter, kind, word, event = chosen
    places: list[Any] = call.many(kind, parameter)
    settings, report = call.cloud.configuration, Report()
    timeout = call.get("timeout") or settings.number("kvm.rolling.maintenance.stage.timeout", default=1800)
    if timeout <= settings.number("kvm.rolling.maintenance.ping.interval", default=10):
        report.error = (
            "The timeout value provided must be greater or equal than the ping interval defined in "
            "'kvm.rolling.maintenance.ping.interval'"
        )
        return {"rollingmaintenance": report.shown()}
    try:
        for cluster, hosts in _by_cluster(call, places).items():
            if not _look_at(call, cluster, hosts, report):
                break
    except InternalError as error:
        report.error = f"Error starting rolling maintenance: {error.text}"
    numbers = ", ".join(str(place.number) for place in places)
    call.cloud.events.record(
        call,
        event,
        f"Completed rolling maintenance for entity {word} with IDs: [{numbers}] - Success: false, details: "
        f"{report.error or 'null'}, hosts updated: 0, hosts skipped: {len(report.skipped)}",
        resource=places[0],
    )
    return {"rollingmaintenance": report.shown()}


def _by_cluster(call: Call, places: Iterable[Any]) -> dict[Cluster, list[Host]]:
    found: dict[Cluster, list[Host]] = {}
    for host in call.cloud.store.table(Host):
        inside = (host, host.cluster, host.pod, host.zone)
        if host.hypervisor == "KVM" and host.cluster is not None and any(place in inside for place in places):
            found.setdefault(host.cluster, []).append(host)
    return found


def _look_at(call: Call, cluster: Cluster, hosts: list[Host], report: Report) -> bool:
    """Look at the hosts of one cluster; False where that is the end of it. Raises InternalError, which is so too."""
    forced = call.flag("forced")
    for host in hosts:
        if any(vm.state in UNSETTLED for vm in vms_on(call.cloud, host)):
            reason = (
                "There are VMs in starting/stopping/migrating/error/unknown state, not allowing rolling maintenance in the "
                "cluster"
            )
            report.skipped.append((host, reason))
            if not forced:
                report.error = f"VMs in invalid states in cluster: {cluster.id}"
            return forced
    left = []
    for host in hosts:
        problem = _problem_of(host)
        if problem is None:
            left.append(host)
        elif forced:
            report.skipped.append((host, problem))
        else:
            raise InternalError(problem)
    for host in left:
        others = call.cloud.store.table(Host).where(lambda other: other.takes_vms, cluster=cluster)
        if not any(other is not host for other in others):
            raise InternalError(
                f"No host available in cluster {cluster.id} ({cluster.name}) to support host {host.id} ({host.name}) in "
                "maintenance"
            )
    report.skipped += [(host, "There is no maintenance script on the host") for host in left]
    return True


def _problem_of(host: Host) -> str | None:
    if host.state != "Up":
        return f"Host {host.id} is not connected, state = {host.state}"
    if host.resource_state != "Enabled":
        return f"Host {host.id} is not enabled, state = {host.resource_state}"
    return None
