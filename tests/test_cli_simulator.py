"""``cs-matrix simulator`` as a process, with a client that knows nothing of this project."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from cs import CloudStack, CloudStackApiException

from cs_matrix_pytest.simulator import Simulator

ZONE = {
    "name": "small",
    "networktype": "Basic",
    "dns1": "10.0.0.1",
    "internaldns1": "10.0.0.1",
    "securitygroupenabled": "true",
    "physical_networks": [
        {
            "name": "pnet",
            "isolationmethods": ["L2"],
            "providers": [
                {"name": "VirtualRouter", "broadcastdomainrange": "ZONE"},
                {"name": "SecurityGroupProvider", "broadcastdomainrange": "ZONE"},
            ],
            "traffictypes": [{"typ": "Guest"}, {"typ": "Management"}],
        }
    ],
    "pods": [
        {
            "name": "pod",
            "gateway": "172.16.1.1",
            "netmask": "255.255.255.0",
            "startip": "172.16.1.2",
            "endip": "172.16.1.99",
            "guestIpRanges": [
                {
                    "gateway": "172.16.1.1",
                    "netmask": "255.255.255.0",
                    "startip": "172.16.1.100",
                    "endip": "172.16.1.199",
                }
            ],
            "clusters": [
                {
                    "clustername": "c1",
                    "hypervisor": "Simulator",
                    "clustertype": "CloudManaged",
                    "hosts": [{"url": "http://sim/c1/h1", "username": "root", "password": "password"}],
                    "primaryStorages": [{"name": "ps1", "url": "nfs://10.0.0.9/export/ps1"}],
                }
            ],
        }
    ],
    "secondaryStorages": [{"url": "nfs://10.0.0.9/export/ss", "provider": "NFS"}],
}


@contextmanager
def simulator(*options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """The program on free ports, and what it says: where it listens, and keys."""
    command = [sys.executable, "-m", "cs_matrix_pytest", "simulator", "--port", "0", "--api-port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        said: dict[str, str] = {}
        while "CLOUDSTACK_SECRET" not in said:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            if found := re.search(r"integration port\s+(\S+?)\?", line):
                said["integration"] = found[1]
            if found := re.search(r"export (\w+)=(\S+)", line):
                said[found[1]] = found[2]
        yield process, said
    finally:
        process.kill()
        process.communicate()


def client(said: dict[str, str]) -> CloudStack:
    return CloudStack(
        endpoint=said["CLOUDSTACK_ENDPOINT"], key=said["CLOUDSTACK_KEY"], secret=said["CLOUDSTACK_SECRET"], timeout=10
    )


def test_a_client_of_pypi_deploys_and_destroys_a_vm() -> None:
    with simulator("--hypervisor", "kvm") as (process, said):
        cloud = client(said)
        zone = cloud.listZones()["zone"][0]
        wanted = {
            "zoneid": zone["id"],
            "templateid": cloud.listTemplates(templatefilter="featured")["template"][0]["id"],
            "serviceofferingid": cloud.listServiceOfferings()["serviceoffering"][0]["id"],
        }
        vm = cloud.deployVirtualMachine(**wanted, fetch_result=True)["virtualmachine"]
        assert (vm["state"], vm["hypervisor"]) == ("Running", "KVM")
        cloud.destroyVirtualMachine(id=vm["id"], expunge=True, fetch_result=True)
        assert cloud.listVirtualMachines(id=vm["id"]) == {}
        with pytest.raises(CloudStackApiException, match="does not exist"):
            cloud.deployVirtualMachine(**{**wanted, "zoneid": "nowhere"})
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_the_zones_of_a_marvin_config(tmp_path: Path) -> None:
    config = tmp_path / "small.cfg"
    config.write_text("# a small zone\n" + json.dumps({"zones": [ZONE], "mgtSvr": [{"mgtSvrIp": "elsewhere"}]}))
    with simulator("--config", str(config)) as (_, said):
        url = f"{said['integration']}?command=listZones&response=json"
        (zone,) = requests.get(url, timeout=10).json()["listzonesresponse"]["zone"]
        assert (zone["name"], zone["networktype"], zone["allocationstate"]) == ("small", "Basic", "Enabled")
        assert len(client(said).listHosts(type="Routing")["host"]) == 1


def test_a_port_that_is_taken_is_told_in_a_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "cs_matrix_pytest", "simulator", "--port", "0", "--api-port", port],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "--api-port" in done.stderr


def test_libcloud_deploys_changes_and_destroys() -> None:
    providers = pytest.importorskip("libcloud.compute.providers")
    with Simulator() as simulator:
        key, secret = simulator.admin_keys()
        address = {"host": "127.0.0.1", "port": simulator.api_port, "path": "/client/api", "secure": False}
        driver = providers.get_driver("cloudstack")(key, secret, **address)
        size, image, zone = driver.list_sizes()[0], driver.list_images()[0], driver.list_locations()[0]
        node = driver.create_node(name="web", size=size, image=image, location=zone)
        assert [each.name for each in driver.list_nodes()] == ["web"]
        driver.ex_stop(node)
        assert simulator.run("listVirtualMachines", listall=True)["virtualmachine"][0]["state"] == "Stopped"
        driver.ex_start(node)
        volume = driver.create_volume(size=5, name="data", location=zone)
        assert driver.attach_volume(node, volume)
        assert driver.detach_volume(volume)
        assert driver.destroy_volume(volume)
        assert driver.destroy_node(node, ex_expunge=True)
        assert driver.list_nodes() == []
