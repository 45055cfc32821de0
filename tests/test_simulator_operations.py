"""What operators do: system VMs, diagnostics, maintenance, storage scope, certificates, purging; devices that are not there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cs_matrix_pytest.simulator import Simulator
from simulator_over_http import Client

NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Simulator() as simulator:
        yield Client(simulator)


@pytest.fixture
def system_vm(client: Client) -> dict[str, Any]:
    return client.rows("listSystemVms", systemvmtype="consoleproxy")[0]


def zone(client: Client) -> str:
    return str(client.rows("listZones")[0]["id"])


def deploy(client: Client, **more: Any) -> dict[str, Any]:
    wanted = {"serviceofferingid": client.rows("listServiceOfferings")[0]["id"]} | more
    template = client.rows("listTemplates", templatefilter="featured")[0]["id"]
    return client.one("deployVirtualMachine", zoneid=zone(client), templateid=template, **wanted)


# System VMs


def test_offering_of_a_system_vm(client: Client, system_vm: dict[str, Any]) -> None:
    other = client.one("listServiceOfferings", issystem=True, name="System Offering For Software Router")
    changed = client.one("changeServiceForSystemVm", id=system_vm["id"], serviceofferingid=other["id"])
    assert changed["serviceofferingname"] == other["name"]
    code, text = client.refused("scaleSystemVm", id=system_vm["id"], serviceofferingid=other["id"])
    assert code == 431
    assert text.endswith(f"since it already has the requested service offering ({other['name']})")


def test_patching(client: Client, system_vm: dict[str, Any]) -> None:
    assert client.refused("patchSystemVm") == (431, "Please provide a valid ID of a system VM to be patched")
    assert client.refused("patchSystemVm", id=system_vm["id"])[0] == 530


def test_diagnostics(client: Client, system_vm: dict[str, Any]) -> None:
    ask = {"targetid": system_vm["id"], "ipaddress": "192.0.2.1", "type": "ping", "params": "-c 3"}
    assert client.one("runDiagnostics", **ask) == {
        "stdout": f"PING 192.0.2.1 executed in {system_vm['name']}",
        "stderr": "",
        "exitcode": "0",
    }
    assert client.refused("runDiagnostics", **ask | {"type": "guess"}) == (
        530,
        "guess Is not a valid diagnostics command type. ",
    )
    assert client.refused("runDiagnostics", **ask | {"params": "-c 3;ls"}) == (
        530,
        "Optional parameters contain unwanted characters: -c 3;ls",
    )
    assert client.refused("getDiagnosticsData", targetid=system_vm["id"])[0] == 530


def test_rolling_maintenance(client: Client) -> None:
    done = client.one("startRollingMaintenance", zoneids=zone(client))
    assert (done["success"], done["hostsskipped"]) == (True, [])
    assert client.refused("startRollingMaintenance") == (
        530,
        "Parameters podId, clusterId, zoneId, hostId are mutually exclusive, please set only one of them",
    )


def test_usage_history(client: Client) -> None:
    vm = deploy(client)
    client.pass_time(200)
    history = client.one("listVirtualMachinesUsageHistory", id=vm["id"])
    assert len(history["stats"]) >= 2
    assert history["stats"][0]["cpuused"] == "10%"
    assert client.rows("listSystemVmsUsageHistory")
    (disk,) = client.rows("listVolumes", virtualmachineid=vm["id"], listall=True)
    assert client.one("listVolumesUsageHistory", id=disk["id"])["stats"] == []


# Storage


def test_scope_of_a_pool(client: Client) -> None:
    pool, cluster = client.rows("listStoragePools")[0]["id"], client.rows("listClusters")[0]["id"]
    code, text = client.refused("changeStoragePoolScope", id=pool, scope="ZONE")
    assert (code, text.endswith("as it is not in the Disabled state")) == (431, True)
    client.run("updateStoragePool", id=pool, enabled=False)
    try:
        client.run("changeStoragePoolScope", id=pool, scope="ZONE")
        assert client.one("listStoragePools", id=pool)["scope"] == "ZONE"
        affected = client.run("listAffectedVmsForStorageScopeChange", storageid=pool, clusterid=cluster)
        assert affected == {}
        assert client.refused("changeStoragePoolScope", id=pool, scope="CLUSTER") == (431, "Cluster ID not provided")
        client.run("changeStoragePoolScope", id=pool, scope="CLUSTER", clusterid=cluster)
        assert client.one("listStoragePools", id=pool)["scope"] == "CLUSTER"
        assert client.refused("updateStorageCapabilities", id=pool) == (
            530,
            "Primary storage is not in the right state to update capabilities",
        )
    finally:
        client.run("updateStoragePool", id=pool, enabled=True)


def test_what_the_storage_says_of_a_volume(client: Client) -> None:
    vm = deploy(client)
    (disk,) = client.rows("listVolumes", virtualmachineid=vm["id"], listall=True)
    assert client.one("getPathForVolume", volumeid=disk["id"]) == {"path": disk["path"]}
    unknown = (530, "Unable to find Volume for ID: x")
    assert client.refused("getPathForVolume", volumeid="x") == unknown
    assert client.refused("getSolidFireVolumeSize", volumeid=disk["id"]) == (
        530,
        "Unable to determine the size of the SolidFire volume",
    )
    assert client.refused("checkVolume", id=disk["id"]) == (
        431,
        f"VM to which the volume {disk['name']} is attached should be in stopped state",
    )


def test_purging(client: Client) -> None:
    offering = client.one(
        "createServiceOffering",
        name="p",
        displaytext="p",
        cpunumber=1,
        cpuspeed=100,
        memory=128,
        purgeresources=True,
    )
    vm = deploy(client, serviceofferingid=offering["id"])
    client.run("destroyVirtualMachine", id=vm["id"], expunge=True)
    assert client.run("cleanVMReservations") == {"success": True}
    assert client.refused("purgeExpungedResources", resourcetype="x") == (530, "Invalid resource type specified")
    client.pass_time(200)
    assert client.one("purgeExpungedResources", resourcetype="VirtualMachine") == {"resourcecount": 0}


def test_console_sessions(client: Client) -> None:
    vm = deploy(client)
    assert client.rows("listConsoleSessions", virtualmachineid=vm["id"]) == []
    client.run("createConsoleEndpoint", virtualmachineid=vm["id"])
    session = client.one("listConsoleSessions", virtualmachineid=vm["id"])
    assert (session["virtualmachineid"], session["user"]) == (vm["id"], "system")


# Network, accounts, certificates


def test_addresses_of_a_pod(client: Client) -> None:
    pod = client.rows("listPods")[0]["id"]
    taken = client.one("acquirePodIpAddress", zoneid=zone(client), podid=pod)
    other = client.one("acquirePodIpAddress", zoneid=zone(client), podid=pod)
    assert taken["ipaddress"] != other["ipaddress"]
    assert client.run("releasePodIpAddress", id=taken["id"])["success"] is True
    assert client.refused("releasePodIpAddress", id=taken["id"]) == (
        530,
        f"Ip Address {taken['ipaddress']} is not allocated, so do nothing.",
    )
    assert client.refused("acquirePodIpAddress", zoneid=zone(client)) == (535, "Please do not provide NULL podId")
    client.run("releasePodIpAddress", id=other["id"])


def test_default_zone(client: Client) -> None:
    domain = client.account("zoe")["domainid"]
    where = {"domainid": domain, "zoneid": zone(client)}
    marked = client.one("markDefaultZoneForAccount", account="zoe", **where)
    assert marked["defaultzoneid"] == zone(client)
    assert client.one("listAccounts", name="zoe", listall=True)["defaultzoneid"] == zone(client)
    assert client.refused("markDefaultZoneForAccount", account="zo", **where)[0] == 431


def test_migration_of_networks(client: Client) -> None:
    offerings = {row["name"]: row["id"] for row in client.rows("listNetworkOfferings", state="Enabled")}
    first = offerings["DefaultIsolatedNetworkOfferingWithSourceNatService"]
    domain = client.account("nora")["domainid"]
    network = client.one(
        "createNetwork", name="n", zoneid=zone(client), networkofferingid=first, account="nora", domainid=domain
    )
    same = client.one("migrateNetwork", networkid=network["id"], networkofferingid=first)
    assert same["networkofferingid"] == first
    lesser = offerings["DefaultIsolatedNetworkOffering"]
    code, text = client.refused("migrateNetwork", networkid=network["id"], networkofferingid=lesser)
    assert code == 431
    assert text.startswith("Can't upgrade from network offering ")


def test_certificates(client: Client) -> None:
    pytest.importorskip("cryptography")
    code, text = client.refused("uploadCustomCertificate", certificate="x", domainsuffix="d", id=1, name="root")
    assert code == 431
    assert text.startswith("Failed to pass certificate validation check with error: ")
    pem = client.one("listCaCertificate")["certificate"]
    done = client.one("uploadCustomCertificate", certificate=pem, domainsuffix="d", id=1, name="root")
    assert done["message"].startswith("Certificate has been successfully updated")
    of = {"certificate": pem, "name": "c1", "hypervisor": "KVM", "zoneid": zone(client)}
    uploaded = client.one("uploadTemplateDirectDownloadCertificate", **of)
    assert (uploaded["alias"], uploaded["hostsmap"]) == ("c1", [])
    assert client.one("listTemplateDirectDownloadCertificates")["id"] == uploaded["id"]
    assert client.refused("revokeTemplateDirectDownloadCertificate", zoneid=zone(client))[0] == 431


def test_plugins_that_are_off(client: Client) -> None:
    assert client.one("quotaIsEnabled") == {"isenabled": False}
    assert client.one("cloudianIsEnabled")["enabled"] is False


# Devices


@pytest.mark.parametrize(
    ("plugin", "text"),
    [
        ("listNiciraNvpDevices", "Either physical network Id or nicira device Id must be specified"),
        ("listBigSwitchBcfDevices", "Either physical network Id or bigswitch device Id must be specified"),
        ("listBrocadeVcsDevices", "Either physical network Id or brocade vcs switch Id must be specified"),
        ("listNetscalerLoadBalancers", "Either physical network Id or load balancer device Id must be specified"),
        ("listPaloAltoFirewalls", "Either physical network Id or load balancer device Id must be specified"),
    ],
)
def test_no_devices(client: Client, plugin: str, text: str) -> None:
    network = client.rows("listPhysicalNetworks")[0]["id"]
    assert client.refused(plugin) == (431, text)
    assert client.rows(plugin, physicalnetworkid=network) == []


@pytest.mark.parametrize(
    ("command", "provider", "more"),
    [
        ("addNiciraNvpDevice", "NiciraNvp", {"hostname": "192.0.2.1", "transportzoneuuid": NOBODY}),
        ("addBigSwitchBcfDevice", "BigSwitchBcf", {"hostname": "192.0.2.1", "nat": "true"}),
        ("addBrocadeVcsDevice", "BrocadeVcs", {"hostname": "192.0.2.1"}),
        (
            "addNetscalerLoadBalancer",
            "Netscaler",
            {"url": "https://192.0.2.1", "networkdevicetype": "NetscalerVPXLoadBalancer"},
        ),
        ("addPaloAltoFirewall", "PaloAlto", {"url": "https://192.0.2.1", "networkdevicetype": "PaloAltoFirewall"}),
        ("addOpenDaylightController", "Opendaylight", {"url": "https://192.0.2.1"}),
    ],
)
def test_no_device_is_added(client: Client, command: str, provider: str, more: dict[str, str]) -> None:
    network = client.rows("listPhysicalNetworks")[0]["id"]
    request = {"physicalnetworkid": network, "username": "u", "password": "p", **more}
    code, text = client.refused(command, **request)
    assert code == 530
    assert text.startswith(f"Network Service Provider: {provider} is not enabled in the physical network: ")
    client.run("addNetworkServiceProvider", name=provider, physicalnetworkid=network)
    code, text = client.refused(command, **request)
    assert (code, text[:10]) == (530, "Failed to ")


def test_devices_that_are_not_there(client: Client) -> None:
    assert client.refused("deleteNiciraNvpDevice", nvpdeviceid=7) == (431, "Could not find a nicira device with id 7")
    assert client.refused("listNetworkDevice") == (530, "Parameter list is null")
    assert client.refused("addNetworkDevice") == (530, "Parameter list is null")
    assert client.run("deleteNetworkDevice", id=1) == {"success": True}
    for name in ("listUcsManagers", "listBaremetalRct", "listOpenDaylightControllers", "listOvsElements"):
        assert client.rows(name) == []


@pytest.mark.parametrize(
    ("command", "more", "text"),
    [
        ("addUcsManager", {"url": "192.0.2.1", "username": "u", "password": "p"}, "Cannot get cookie"),
        ("listUcsProfiles", {"ucsmanagerid": 1}, "Cannot get cookie"),
        (
            "associateUcsProfileToBlade",
            {"ucsmanagerid": 1, "profiledn": "x", "bladeid": 2},
            "cannot find UCS blade[id:2, ucs manager id:1]",
        ),
        ("addBaremetalRct", {"baremetalrcturl": "rack"}, "rack is not a legal http url"),
        (
            "addBaremetalRct",
            {"baremetalrcturl": "http://192.0.2.1/"},
            'I/O error on GET request for "http://192.0.2.1/": Connection refused',
        ),
        ("notifyBaremetalProvisionDone", {"mac": "02:00"}, "cannot find host[mac:02:00]"),
    ],
)
def test_no_blades_and_no_bare_metal(client: Client, command: str, more: dict[str, Any], text: str) -> None:
    assert client.refused(command, zoneid=zone(client), **more) == (530, text)
