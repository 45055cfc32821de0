"""A zone is there: ready from the start, or deployed by Marvin's own deployDataCenter; and described as Marvin has it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cs_matrix_pytest.marvin_bridge import activate, deactivate
from cs_matrix_pytest.marvin_bridge.connect import connect
from cs_matrix_pytest.marvin_bridge.locate import locate
from cs_matrix_pytest.simulator import Simulator
from cs_matrix_pytest.simulator.ready import PLANS, describe_zones
from cs_matrix_pytest.simulator.virtual_time import VirtualTime

HYPERVISORS = {"kvm": "KVM", "vmware": "VMware", "xenserver": "XenServer", "hyperv": "Hyperv", "simulator": "Simulator"}
EVERY_LIST = ("Zones", "Pods", "Clusters", "Hosts", "StoragePools", "ImageStores", "SystemVms", "VlanIpRanges")


@pytest.fixture(scope="module")
def marvin_44() -> Iterator[Any]:
    marvin = locate()
    if marvin.kind != "4.4.0":
        pytest.skip(f"needs Marvin 4.4.0; here is {marvin}")
    activate()
    yield marvin
    deactivate()


def deploy(marvin: Any, simulator: Simulator, zones: list[dict[str, Any]], folder: Path) -> None:
    """Have Marvin deploy zones; what it waits for takes simulated time."""
    config = folder / "deploy.cfg"
    config.write_text(json.dumps({**simulator.marvin_config(), "zones": zones}))
    with VirtualTime(simulator.cloud):
        connect(marvin, config, log_folder=folder, deploy=True).close(echo=lambda _: None)


def counts(simulator: Simulator) -> dict[str, int]:
    return {each: simulator.run(f"list{each}").get("count", 0) for each in EVERY_LIST}


@pytest.mark.parametrize("networking", PLANS)
class TestReady:
    def test_a_vm_could_be_deployed_at_once(self, networking: str) -> None:
        simulator = Simulator(hypervisor="kvm", networking=networking)
        (zone,) = simulator.run("listZones", available=True)["zone"]
        assert zone["allocationstate"] == "Enabled"
        assert zone["networktype"] == ("Basic" if networking == "basic" else "Advanced")
        assert zone["securitygroupsenabled"] is (networking != "advanced")
        hosts = simulator.run("listHosts", type="Routing", zoneid=zone["id"])["host"]
        assert len(hosts) == (4 if networking == "advanced" else 2)
        assert {(host["hypervisor"], host["state"], host["resourcestate"]) for host in hosts} == {
            ("KVM", "Up", "Enabled")
        }
        (template,) = simulator.run("listTemplates", templatefilter="featured", zoneid=zone["id"])["template"]
        assert (template["isready"], template["hypervisor"]) == (True, "KVM")

    def test_its_system_vms_run_on_its_addresses(self, networking: str) -> None:
        simulator = Simulator(hypervisor="kvm", networking=networking)
        vms = simulator.run("listSystemVms")["systemvm"]
        assert {(vm["systemvmtype"], vm["state"], vm["agentstate"]) for vm in vms} == {
            ("consoleproxy", "Running", "Up"),
            ("secondarystoragevm", "Running", "Up"),
        }
        assert len({vm["publicip"] for vm in vms}) == 2
        assert len({vm["privateip"] for vm in vms}) == 2

    def test_marvin_can_deploy_what_is_described(self, networking: str, marvin_44: Any, tmp_path: Path) -> None:
        ready = Simulator(networking=networking)
        with Simulator(ready=False) as simulator:
            deploy(marvin_44, simulator, describe_zones(ready.cloud), tmp_path)
            simulator.clock.advance(5)
            assert counts(simulator) == counts(ready)
            assert describe_zones(simulator.cloud) == describe_zones(ready.cloud)


@pytest.mark.parametrize(("given", "shown"), HYPERVISORS.items())
def test_hypervisors_are_spelled_as_the_api_spells_them(given: str, shown: str) -> None:
    simulator = Simulator(hypervisor=given)
    assert {row["hypervisortype"] for row in simulator.run("listClusters")["cluster"]} == {shown}
    assert {"name": shown} in simulator.run("listHypervisors")["hypervisor"]


def test_an_unknown_hypervisor_needs_no_code() -> None:
    simulator = Simulator(hypervisor="CloudHypervisor")
    assert {row["hypervisor"] for row in simulator.run("listHosts", type="Routing")["host"]} == {"CloudHypervisor"}


def test_a_zone_is_described_with_all_that_marvin_reads() -> None:
    (zone,) = describe_zones(Simulator(hypervisor="kvm").cloud)
    assert zone["name"] == "zone1"
    assert zone["pods"][0]["clusters"][0]["hosts"][0]["url"] == "http://172.16.15.11"
    assert {each["name"] for each in zone["physical_networks"][0]["providers"]} >= {"VirtualRouter", "VpcVirtualRouter"}
    assert [each["typ"] for each in zone["physical_networks"][0]["traffictypes"]][:3] == [
        "Guest",
        "Management",
        "Public",
    ]
    assert zone["ipranges"][0]["vlan"] == "50"
    assert zone["secondaryStorages"] == [{"url": "nfs://10.0.0.10/export/secondary", "provider": "NFS"}]


def test_a_zone_can_be_taken_down_again() -> None:
    simulator = Simulator()
    run = simulator.run
    (zone,) = run("listZones")["zone"]
    run("updateZone", id=zone["id"], allocationstate="Disabled")
    for vm in run("listSystemVms")["systemvm"]:
        run("destroySystemVm", id=vm["id"])
    run("deleteImageStore", id=run("listImageStores")["imagestore"][0]["id"])
    for pool in run("listStoragePools")["storagepool"]:
        run("enableStorageMaintenance", id=pool["id"])
        run("deleteStoragePool", id=pool["id"], forced=True)
    for host in run("listHosts", type="Routing")["host"]:
        run("prepareHostForMaintenance", id=host["id"])
        simulator.clock.advance(5)
        run("deleteHost", id=host["id"])
    for cluster in run("listClusters")["cluster"]:
        run("deleteCluster", id=cluster["id"])
    run("deletePod", id=run("listPods")["pod"][0]["id"])
    run("deletePhysicalNetwork", id=run("listPhysicalNetworks")["physicalnetwork"][0]["id"])
    run("deleteZone", id=zone["id"])
    assert set(counts(simulator).values()) == {0}
