"""The simulator: how soon it is ready, how many calls it answers, what a machine costs through Marvin, and one of many."""

from __future__ import annotations

import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from benchmarks.figures import report
from cs_matrix_pytest.marvin_bridge import activate
from cs_matrix_pytest.marvin_bridge.connect import connect
from cs_matrix_pytest.simulator import Simulator
from cs_matrix_pytest.simulator.virtual_time import VirtualTime
from cs_matrix_pytest.simulator.wire.authentication import signature

STARTS = 15
CALLS = 10_000
LIVES = 100
MACHINES, PAGE, LONGEST_PAGE = 10_000, 100, 500
SERVE = """\
import sys
from cs_matrix_pytest.simulator import Simulator

simulator = Simulator().start()
print(simulator.api_port, *simulator.admin_keys(), flush=True)
sys.stdin.read()
"""


def measure() -> bool:
    times = []
    for _ in range(STARTS):
        started = time.perf_counter()
        with Simulator():
            times.append(time.perf_counter() - started)
    ready = report("from nothing to answering, with a ready zone", statistics.median(times) * 1000, "ms", at_most=100)
    return all([ready, list_zones(), lives_by_marvin(), many_in_one_network()])


def list_zones() -> bool:
    """The server in a process of its own, as a client of `cs-matrix simulator` has it."""
    server = subprocess.Popen([sys.executable, "-c", SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        port, api_key, secret = server.stdout.readline().split()
        params = {"command": "listZones", "response": "json", "apiKey": api_key}
        path = "/client/api?" + urlencode({**params, "signature": signature(params, secret)})
        client = http.client.HTTPConnection("127.0.0.1", int(port))
        for _ in range(200):
            ask(client, path)
        started = time.perf_counter()
        for _ in range(CALLS):
            ask(client, path)
        rate = CALLS / (time.perf_counter() - started)
    finally:
        server.stdin.close()
        server.wait(10)
    return report("signed listZones on one kept-alive connection", rate, "calls a second", at_least=2500)


def ask(client: http.client.HTTPConnection, path: str) -> None:
    client.request("GET", path)
    answer = client.getresponse()
    body = answer.read()
    assert answer.status == 200, body


def lives_by_marvin() -> bool:
    """Virtual machines deployed and destroyed by Marvin 4.4.0, over HTTP, each job asked for until it is done."""
    with Simulator() as simulator, tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "lab.cfg"
        config.write_text(json.dumps(simulator.marvin_config()))
        client = connect(activate(), config, log_folder=Path(folder)).test_client.getApiClient()
        from marvin.integration.lib.base import VirtualMachine

        ids = {
            "templateid": simulator.run("listTemplates", templatefilter="featured")["template"][0]["id"],
            "zoneid": simulator.run("listZones")["zone"][0]["id"],
            "serviceofferingid": small_offering(simulator),
        }
        deploying, destroying = [], []
        with VirtualTime(simulator.cloud):
            for number in range(LIVES):
                services = {
                    "displayname": f"vm{number}",
                    "hypervisor": "Simulator",
                    "username": "root",
                    "password": "x",
                }
                taken, machine = timed(
                    lambda services=services: VirtualMachine.create(client, services, mode="none", **ids)
                )
                deploying.append(taken)
                destroying.append(timed(lambda machine=machine: machine.delete(client))[0])
    return all(
        [
            report("deploying a machine through Marvin", statistics.median(deploying) * 1000, "ms", at_most=15),
            report("destroying it", statistics.median(destroying) * 1000, "ms", at_most=15),
        ]
    )


def many_in_one_network() -> bool:
    """Virtual machines deployed over HTTP into one isolated /16, and pages of listVirtualMachines where there are so many."""
    with Simulator() as simulator:
        zone = simulator.run("listZones")["zone"][0]["id"]
        offering = "DefaultIsolatedNetworkOfferingWithSourceNatService"
        (isolated,) = simulator.run("listNetworkOfferings", name=offering)["networkoffering"]
        given = {"networkofferingid": isolated["id"], "gateway": "10.1.0.1", "netmask": "255.255.0.0"}
        machine = {
            "command": "deployVirtualMachine",
            "response": "json",
            "zoneid": zone,
            "templateid": simulator.run("listTemplates", templatefilter="featured")["template"][0]["id"],
            "serviceofferingid": small_offering(simulator),
            "networkids": simulator.run("createNetwork", name="n", zoneid=zone, **given)["network"]["id"],
            "startvm": "false",
        }
        client = http.client.HTTPConnection("127.0.0.1", simulator.integration_port)
        path = "/client/api?" + urlencode(machine)
        deploying, _ = timed(lambda: [ask(client, path) for _ in range(MACHINES)])
        page, longest = (statistics.median(pages(client, size)) * 1000 for size in (PAGE, LONGEST_PAGE))
    what = f"of {MACHINES:,} virtual machines"
    return all(
        [
            report(f"deploying {MACHINES:,} virtual machines into one network", deploying, "s", at_most=40),
            report(f"a page of {PAGE} {what}", page, "ms of CPU", at_most=30),
            report(f"a page of {LONGEST_PAGE} {what}", longest, "ms of CPU", at_most=30),
        ]
    )


def pages(client: http.client.HTTPConnection, size: int) -> Iterator[float]:
    """Seconds of CPU time that each of some pages takes."""
    asked = {"command": "listVirtualMachines", "response": "json", "listall": "true", "pagesize": size}
    for page in range(1, 1 + MACHINES // LONGEST_PAGE):
        path = "/client/api?" + urlencode({**asked, "page": page})
        started = time.process_time()
        ask(client, path)
        yield time.process_time() - started


def small_offering(simulator: Simulator) -> str:
    given = {"name": "small", "displaytext": "small", "cpunumber": 1, "cpuspeed": 100, "memory": 128}
    return str(simulator.run("createServiceOffering", **given)["serviceoffering"]["id"])


def timed(what: Callable[[], object]) -> tuple[float, Any]:
    """Seconds of wall time, and what was given."""
    started = time.perf_counter()
    given = what()
    return time.perf_counter() - started, given
