"""The simulator: how soon it is ready, and how many calls it answers on one kept-alive connection."""

from __future__ import annotations

import http.client
import statistics
import subprocess
import sys
import time
from urllib.parse import urlencode

from benchmarks.figures import report
from cs_matrix_pytest.simulator import Simulator
from cs_matrix_pytest.simulator.wire.authentication import signature

STARTS = 15
CALLS = 10_000
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
    return list_zones() and ready


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
