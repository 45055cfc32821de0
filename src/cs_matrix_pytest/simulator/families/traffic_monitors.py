"""Traffic monitors of zones (NetworkUsageManagerImpl). The server keeps them without asking them anything."""

from __future__ import annotations

from typing import Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, ParameterError
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.models.traffic_monitors import TrafficMonitor
from cs_matrix_pytest.simulator.registry import Answer, Family, Listing, Success
from cs_matrix_pytest.simulator.texts import described
from cs_matrix_pytest.simulator.urls import parts_of

family = Family("traffic monitors")


@family.view(TrafficMonitor)
def monitor_view(monitor: TrafficMonitor, _call: Call) -> dict[str, Any]:
    return {"id": monitor.id, "ipaddress": monitor.ip_address}


@family.command("addTrafficMonitor")
def add_monitor(call: Call) -> Answer:
    zone, url = call.get("zoneid"), call["url"]
    if not isinstance(zone, Zone) or zone not in call.cloud.store:
        raise ParameterError(f"Could not find zone with ID: {getattr(zone, 'number', zone)}")
    if call.cloud.store.table(TrafficMonitor).first(zone=zone) is not None:
        raise ParameterError(f"Already added an traffic monitor in zone: {described(zone)}")
    host = parts_of(url).hostname
    if host is None:
        raise ApiError("Unable to find IP")
    return call.cloud.store.add(TrafficMonitor(zone=zone, url=url, ip_address=host))


@family.command("deleteTrafficMonitor")
def delete_monitor(call: Call) -> Answer:
    monitor = call.get("id")
    if not isinstance(monitor, TrafficMonitor) or monitor not in call.cloud.store:
        raise ParameterError("Failed to delete traffic monitor.")
    call.cloud.store.remove(monitor)
    return Success()


@family.command("listTrafficMonitors")
def list_monitors(call: Call) -> Answer:
    zone = call.get("zoneid")
    rows = call.cloud.store.table(TrafficMonitor).where(zone=zone)
    return Listing(rows, len(rows))
