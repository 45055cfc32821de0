"""The simulator plugin's orders to its hosts: an agent command fails, waits or answers as told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cs_matrix_pytest.simulator import Simulator
from simulator_over_http import Client


@pytest.fixture
def client() -> Iterator[Client]:
    with Simulator() as simulator:
        yield Client(simulator)


@pytest.fixture
def vm(client: Client) -> dict[str, Any]:
    return deploy(client)


def deploy(client: Client, **more: Any) -> dict[str, Any]:
    return client.one("deployVirtualMachine", **request(client), **more)


def request(client: Client) -> dict[str, str]:
    return {
        "zoneid": client.rows("listZones")[0]["id"],
        "templateid": client.rows("listTemplates", templatefilter="featured")[0]["id"],
        "serviceofferingid": client.rows("listServiceOfferings")[0]["id"],
    }


def place(client: Client, host: str) -> dict[str, str]:
    """A mock for one host names all that it is in as well."""
    row = client.one("listHosts", id=host)
    return {"hostid": host} | {name: row[name] for name in ("zoneid", "podid", "clusterid")}


def mock(client: Client, name: str, value: str, **more: Any) -> int:
    return int(client.one("configureSimulator", name=name, value=value, **more)["id"])


def test_life_of_a_mock(client: Client, vm: dict[str, Any]) -> None:
    made = mock(client, "StopCommand", "result:fail")
    assert client.refused("stopVirtualMachine", id=vm["id"])[0] == 530
    assert client.one("listVirtualMachines", id=vm["id"], listall=True)["state"] == "Running"
    assert client.one("querySimulatorMock", id=made) == {"id": made, "name": "StopCommand"}
    assert client.run("cleanupSimulatorMock", id=made) == {"success": True}
    assert client.refused("querySimulatorMock", id=made) == (530, "Failed to query mock")
    assert client.refused("cleanupSimulatorMock", id=made) == (530, "Failed to cleanup mock")
    assert client.one("stopVirtualMachine", id=vm["id"])["state"] == "Stopped"


def test_a_mock_is_for_so_many_times(client: Client, vm: dict[str, Any]) -> None:
    made = mock(client, "RebootCommand", "result:fault", count=1)
    assert client.refused("rebootVirtualMachine", id=vm["id"])[0] == 530
    assert client.one("querySimulatorMock", id=made)["count"] == 0
    client.run("rebootVirtualMachine", id=vm["id"])


def test_another_host_is_tried(client: Client) -> None:
    first = client.rows("listHosts", type="Routing")[0]["id"]
    mock(client, "StartCommand", "result:fail", **place(client, first))
    assert {deploy(client)["hostid"] for _ in range(4)}.isdisjoint({first})


def test_a_host_alone_is_no_place(client: Client, vm: dict[str, Any]) -> None:
    mock(client, "StopCommand", "result:fail", hostid=vm["hostid"])
    assert client.one("stopVirtualMachine", id=vm["id"])["state"] == "Stopped"


def test_no_host_starts_it(client: Client) -> None:
    mock(client, "StartCommand", "result:fail", count=99)
    body = client.ask("deployVirtualMachine", **request(client))
    assert body["errorcode"] == 533
    (machine,) = client.rows("listVirtualMachines", listall=True)
    assert machine["state"] == "Error"


def test_waiting_takes_simulated_time(client: Client, vm: dict[str, Any]) -> None:
    mock(client, "StopCommand", "wait:5000")
    before = client.simulator.clock.now()
    client.run("stopVirtualMachine", id=vm["id"])
    assert client.simulator.clock.now() - before >= 5


def test_an_answer_is_given(client: Client, vm: dict[str, Any]) -> None:
    answer = {"com.cloud.agent.api.StopAnswer": {"result": False, "details": "no power button"}}
    mock(client, "StopCommand", ":", jsonresponse=json.dumps(answer))
    assert client.refused("stopVirtualMachine", id=vm["id"])[0] == 530


def test_a_silent_host_goes_down(client: Client, vm: dict[str, Any]) -> None:
    host = vm["hostid"]
    pings = mock(client, "PingCommand", "result:fail", **place(client, host))
    mock(client, "CheckHealthCommand", "result:fail", **place(client, host))
    for _ in range(8):
        client.pass_time(60)
    assert client.one("listHosts", id=host)["state"] in ("Down", "Alert")
    client.run("cleanupSimulatorMock", id=pings)
    for _ in range(4):
        client.pass_time(60)
    assert client.one("listHosts", id=host)["state"] == "Up"


def test_a_host_tells_that_a_machine_is_off(client: Client, vm: dict[str, Any]) -> None:
    name = vm["instancename"]
    report = {"PingRoutingWithNwGroupsCommand": {"_hostVmStateReport": {name: {"state": "PowerOff"}}}}
    mock(client, "PingRoutingWithNwGroupsCommand", ":", jsonresponse=json.dumps(report), **place(client, vm["hostid"]))
    client.pass_time(120)
    assert client.one("listVirtualMachines", id=vm["id"], listall=True)["state"] == "Stopped"
