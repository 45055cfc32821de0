"""The simulator plugin's orders to its hosts, and hosts that were told to be silent (SimulatorManagerImpl, AgentManagerImpl)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator import agents
from cs_matrix_pytest.simulator.background import keep_looking
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.clock import timed
from cs_matrix_pytest.simulator.errors import ApiError
from cs_matrix_pytest.simulator.families.host_ha_states import come_back, take_down
from cs_matrix_pytest.simulator.families.vms import transit
from cs_matrix_pytest.simulator.models.infra import Cluster, Host, Pod, Zone
from cs_matrix_pytest.simulator.models.simulator_mocks import SimulatorMock, WatchedAgent
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family, Success

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("simulator_mocks")

PING, REPORT = "PingCommand", "PingRoutingWithNwGroupsCommand"
MISSED_AFTER = 2
"""After how many pings a virtual machine that no report has is taken for off."""


@family.command("configureSimulator")
def configure(call: Call) -> Answer:
    place: dict[str, Any] = {
        "zone": call.maybe(Zone, "zoneid"),
        "pod": call.maybe(Pod, "podid"),
        "cluster": call.maybe(Cluster, "clusterid"),
        "host": call.maybe(Host, "hostid"),
    }
    table = call.cloud.store.table(SimulatorMock)
    mock = table.first(command=call["name"], **place) or call.cloud.store.add(
        SimulatorMock(command=call["name"], values="", **place)
    )
    mock.values, mock.count, mock.response = call["value"], call.get("count"), call.get("jsonresponse")
    if mock.command in (PING, REPORT):
        seconds = call.cloud.configuration.number("ping.interval", default=60)
        keep_looking(call.cloud, "mocked pings", seconds, look_at_pings)
    return _shown(mock)


def _shown(mock: SimulatorMock) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": mock.number,
        "zoneid": mock.zone.number if mock.zone else None,
        "podid": mock.pod.number if mock.pod else None,
        "clusterid": mock.cluster.number if mock.cluster else None,
        "hostid": mock.host.number if mock.host else None,
        "name": mock.command,
        "count": mock.count,
    }
    return {"null": {name: value for name, value in fields.items() if value is not None}}


@family.command("querySimulatorMock")
def query(call: Call) -> Answer:
    mock = call.cloud.store.table(SimulatorMock).by_number(call.get("id", 0))
    if mock is None or mock.removed is not None:
        raise ApiError("Failed to query mock")
    return _shown(mock)


@family.command("cleanupSimulatorMock")
def clean_up(call: Call) -> Answer:
    mock = call.cloud.store.table(SimulatorMock).by_number(call.get("id", 0))
    if mock is None or mock.removed is not None:
        raise ApiError("Failed to cleanup mock")
    call.cloud.store.remove(mock)
    return Success()


@timed
def look_at_pings(cloud: Cloud, now: float) -> bool:
    """See which hosts ping, and what they report; False where no mock is about that any more."""
    for host in cloud.store.table(Host):
        if host.is_routing:
            _see(cloud, host, now)
    for watched in cloud.store.table(WatchedAgent).where(lambda row: row.host not in cloud.store):
        cloud.store.forget(watched)
    mocks = cloud.store.table(SimulatorMock)
    return bool(cloud.store.table(WatchedAgent)) or any(mock.command in (PING, REPORT) for mock in mocks)


def _see(cloud: Cloud, host: Host, now: float) -> None:
    silence, report = agents.mock_for(cloud, host, PING), agents.mock_for(cloud, host, REPORT)
    is_silent = silence is not None and agents.orders(silence).get("result", "").lower() == "fail"
    watched = cloud.store.table(WatchedAgent).first(host=host)
    if not is_silent and report is None:
        if watched is not None:
            cloud.store.remove(watched)
            come_back(cloud, host)
        return
    if watched is None:
        watched = cloud.store.add(WatchedAgent(host=host))
    watched.silent_since = (watched.silent_since or now) if is_silent else None
    watched.reporting_since = (watched.reporting_since or now) if report is not None else None
    if watched.silent_since is not None:
        patience = cloud.configuration.number("ping.timeout", default=2.5) * cloud.configuration.number(
            "ping.interval", default=60
        )
        late = now - watched.silent_since >= patience
        if late and host.state == "Up" and agents.problem(cloud, host, "CheckHealthCommand") is not None:
            take_down(cloud, host, returns=False)
    elif host.state == "Down":
        come_back(cloud, host)
    if report is not None and watched.reporting_since is not None:
        _believe(cloud, host, agents.response_of(report), now - watched.reporting_since)


def _believe(cloud: Cloud, host: Host, report: dict[str, Any], seconds: float) -> None:
    """Take a host's word for which of its virtual machines run."""
    states = report.get("_hostVmStateReport")
    if not isinstance(states, dict):
        return
    grace = MISSED_AFTER * cloud.configuration.number("ping.interval", default=60)
    for vm in cloud.store.table(UserVm):
        if vm.host is not host or vm.state != "Running":
            continue
        said = states.get(vm.instance_name)
        state = said.get("state") if isinstance(said, dict) else None
        if state == "PowerOff" or (state is None and seconds >= grace):
            vm.last_host = host
            transit(cloud, vm, "reported off")
