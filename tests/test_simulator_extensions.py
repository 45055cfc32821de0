"""Extensions of the simulator: their life, external clusters with machines on them, custom actions."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cs_matrix_pytest.simulator import Simulator
from cs_matrix_pytest.simulator.models.extensions import Extension
from simulator_over_http import Client


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Simulator() as simulator:
        yield Client(simulator)


@pytest.fixture
def extension(client: Client) -> Iterator[dict[str, Any]]:
    made = client.one("createExtension", name="My Ext", type="Orchestrator")
    yield made
    for row in client.rows("listExtensions", id=made["id"]):
        for resource in row.get("resources", ()):
            client.run(
                "unregisterExtension",
                extensionid=made["id"],
                resourceid=resource["id"],
                resourcetype=resource["type"],
            )
        for action in client.rows("listCustomActions", extensionid=made["id"]):
            client.run("deleteCustomAction", id=action["id"])
        client.run("deleteExtension", id=made["id"])


@pytest.fixture
def cluster(client: Client) -> Iterator[dict[str, Any]]:
    pod = client.rows("listPods")[0]
    made = client.one(
        "addCluster",
        clustername="external",
        clustertype="CloudManaged",
        hypervisor="External",
        podid=pod["id"],
        zoneid=pod["zoneid"],
    )
    yield made
    for host in client.rows("listHosts", clusterid=made["id"]):
        client.run("deleteHost", id=host["id"], forced=True)
    client.run("deleteCluster", id=made["id"])


def register(client: Client, extension: dict[str, Any], cluster: dict[str, Any], **details: str) -> dict[str, Any]:
    return client.one(
        "registerExtension",
        extensionid=extension["id"],
        resourceid=cluster["id"],
        resourcetype="Cluster",
        **{f"details[0].{key}": value for key, value in details.items()},
    )


def test_a_fresh_install_has_its_own(client: Client) -> None:
    rows = client.rows("listExtensions")
    assert [(row["name"], row["isuserdefined"]) for row in rows] == [
        ("MaaS", False),
        ("HyperV", False),
        ("Proxmox", False),
    ]
    assert client.refused("deleteExtension", id=rows[0]["id"]) == (431, "System extension can not be deleted")


def test_life_of_an_extension(client: Client) -> None:
    made = client.one("createExtension", name="Ext 1", type="Orchestrator", state="Disabled", **{"details[0].a": "b"})
    assert made["path"].endswith("/extensions/ext_1/ext_1.sh")
    assert (made["pathready"], made["details"]) == (False, {"a": "b"})
    changed = client.one("updateExtension", id=made["id"], state="Enabled", description="x", **{"details[0].c": "d"})
    assert (changed["state"], changed["pathready"], changed["details"]) == ("Enabled", False, {"c": "d"})
    listed = client.one("listExtensions", id=made["id"])
    assert (listed["pathready"], listed["description"]) == (True, "x")
    assert "details" not in client.one("listExtensions", id=made["id"], details="resource")
    assert client.run("deleteExtension", id=made["id"]) == {"success": True}
    assert client.rows("listExtensions", id=made["id"]) == []


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"type": "Random"}, (530, "Invalid type specified - Random")),
        ({"name": "Proxmox"}, (530, "Extension by name already exists")),
        ({"state": "enabled"}, (431, "Invalid state specified")),
        (
            {"type": "NetworkOrchestrator", "orchestratorrequirespreparevm": "true"},
            (431, "orchestratorrequirespreparevm is applicable only with NetworkOrchestrator type"),
        ),
        ({"path": "a/b/c/d.sh"}, (530, "Entry point path cannot be nested more than two sub-directories deep")),
    ],
)
def test_bad_extensions(client: Client, change: dict[str, str], refusal: tuple[int, str]) -> None:
    assert client.refused("createExtension", **{"name": "e", "type": "Orchestrator"} | change) == refusal


def test_registration(client: Client, extension: dict[str, Any], cluster: dict[str, Any]) -> None:
    (resource,) = register(client, extension, cluster, url="u", password="p")["resources"]
    assert (resource["name"], resource["type"], resource["details"]) == ("external", "Cluster", {"url": "u"})
    again = {"resourceid": cluster["id"], "resourcetype": "Cluster"}
    assert client.refused("registerExtension", extensionid=extension["id"], **again) == (
        530,
        "Extension: My Ext is already registered with this cluster: external",
    )
    other = client.one("createExtension", name="Other", type="Orchestrator")["id"]
    assert client.refused("registerExtension", extensionid=other, **again) == (
        530,
        "An extension is already registered with this cluster: external",
    )
    client.run("deleteExtension", id=other)
    assert client.refused("deleteExtension", id=extension["id"]) == (
        530,
        "Extension has associated resources, unregister them to delete the extension",
    )
    changed = client.one("updateRegisteredExtension", extensionid=extension["id"], cleanupdetails=True, **again)
    assert "details" not in changed["resources"][0]
    assert "resources" not in client.one("unregisterExtension", extensionid=extension["id"], **again)


def test_only_external_clusters(client: Client, extension: dict[str, Any]) -> None:
    simulated = client.rows("listClusters", hypervisor="Simulator")[0]
    code, text = client.refused(
        "registerExtension", extensionid=extension["id"], resourceid=simulated["id"], resourcetype="Cluster"
    )
    assert code == 530
    assert text.endswith("is not of Simulator hypervisor type")
    assert client.refused(
        "registerExtension", extensionid=extension["id"], resourceid=simulated["id"], resourcetype="Pod"
    ) == (431, "Currently only [Cluster, PhysicalNetwork] can be used to register an extension")


def test_a_machine_on_an_external_host(client: Client, extension: dict[str, Any], cluster: dict[str, Any]) -> None:
    register(client, extension, cluster)
    host = client.one(
        "addHost",
        clusterid=cluster["id"],
        podid=cluster["podid"],
        zoneid=cluster["zoneid"],
        hypervisor="External",
        username="External",
        password="External",
        url="rack-7",
    )
    assert (host["name"], host["ipaddress"], host["cpunumber"], host["state"]) == ("rack-7", "External", 0, "Up")
    template = client.one(
        "registerTemplate",
        name="t",
        url="image-7",
        format="External",
        hypervisor="External",
        zoneid=cluster["zoneid"],
        ostypeid=client.rows("listOsTypes")[0]["id"],
        extensionid=extension["id"],
        ispublic=True,
    )
    assert (template["extensionname"], template["isready"]) == ("My Ext", True)
    offering = client.one("createServiceOffering", name="o", displaytext="o", cpunumber=1, cpuspeed=100, memory=128)
    l2 = client.one("createNetworkOffering", name="l2", displaytext="l2", guestiptype="L2", traffictype="GUEST")
    client.run("updateNetworkOffering", id=l2["id"], state="Enabled")
    domain = client.one("listDomains", name="ROOT")["id"]
    owner = {"account": "admin", "domainid": domain, "zoneid": cluster["zoneid"]}
    network = client.one("createNetwork", name="n", networkofferingid=l2["id"], **owner)
    vm = client.one(
        "deployVirtualMachine",
        serviceofferingid=offering["id"],
        templateid=template["id"],
        networkids=network["id"],
        **owner,
    )
    assert (vm["state"], vm["hostname"], vm["hypervisor"]) == ("Running", "rack-7", "External")
    assert client.rows("listVolumes", virtualmachineid=vm["id"], listall=True) == []
    assert client.one("stopVirtualMachine", id=vm["id"])["state"] == "Stopped"
    assert client.one("startVirtualMachine", id=vm["id"])["hostname"] == "rack-7"
    assert client.refused("deleteExtension", id=extension["id"])[0] == 530

    action = client.one(
        "addCustomAction",
        extensionid=extension["id"],
        name="wake",
        enabled=True,
        errormessage="{{actionName}} of {{resourceName}} by {{extensionName}} failed",
        **{"parameters[0].name": "Count", "parameters[0].type": "number", "parameters[0].required": "true"},
    )
    assert action["parameters"] == [{"name": "Count", "type": "NUMBER", "validationformat": "NONE", "required": True}]
    on_vm = {"customactionid": action["id"], "resourceid": vm["id"]}
    assert client.refused("runCustomAction", **on_vm) == (431, "Missing or empty required parameter: Count")
    assert client.refused("runCustomAction", **on_vm, **{"parameters[0].Count": " "})[0] == 431
    result = client.one("runCustomAction", **on_vm, **{"parameters[0].Count": "2"})
    assert result["success"] is False
    assert result["result"] == {
        "details": 'Exit code: 1, Output: {"error":"Invalid action"}',
        "message": f"wake of {vm['name']} by My Ext failed",
    }
    by_resource = {"resourcetype": "VirtualMachine", "resourceid": vm["id"]}
    assert [row["name"] for row in client.rows("listCustomActions", **by_resource)] == ["wake"]
    client.run("destroyVirtualMachine", id=vm["id"], expunge=True)
    client.run("deleteNetwork", id=network["id"])
    client.run("deleteTemplate", id=template["id"])


def test_life_of_a_custom_action(client: Client, extension: dict[str, Any]) -> None:
    action = client.one(
        "addCustomAction",
        extensionid=extension["id"],
        name="snap",
        allowedroletypes="User",
        **{"details[0].a": "b"},
    )
    assert (action["resourcetype"], action["allowedroletypes"], action["enabled"], action["timeout"]) == (
        "VirtualMachine",
        ["Admin", "User"],
        False,
        3,
    )
    changed = client.one(
        "updateCustomAction", id=action["id"], enabled=True, timeout=9, cleanupdetails=True, resourcetype="network"
    )
    assert (changed["enabled"], changed["timeout"], changed["details"], changed["resourcetype"]) == (
        True,
        9,
        {},
        "Network",
    )
    assert client.refused("deleteExtension", id=extension["id"]) == (
        530,
        "Extension has 1 custom actions, delete them to delete the extension",
    )
    assert client.refused("addCustomAction", extensionid=extension["id"], name="snap") == (
        530,
        "Action by name already exists",
    )
    assert client.run("deleteCustomAction", id=action["id"]) == {"success": True}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            {"name": "a;b"},
            "Invalid action name: a;b. It can contain only alphabets, numbers, hyphen, underscore and space",
        ),
        (
            {"resourcetype": "Host"},
            "Invalid resource type specified: Host. Valid values are: [VirtualMachine, Network, Vpc]",
        ),
        ({"allowedroletypes": "King"}, "Invalid role specified - King"),
        ({"parameters[0].name": "p"}, "No type specified for parameter: p"),
        ({"parameters[0].type": "STRING"}, "Invalid parameter specified with empty name"),
        (
            {"parameters[0].name": "p", "parameters[0].type": "COLOUR"},
            "Invalid type: COLOUR specified for parameter: p",
        ),
        (
            {"parameters[0].name": "p", "parameters[0].type": "NUMBER", "parameters[0].validationformat": "EMAIL"},
            "Invalid validation format: EMAIL specified for type: NUMBER",
        ),
        (
            {"parameters[0].name": "p", "parameters[0].type": "NUMBER", "parameters[0].valueoptions": "1,two"},
            "Invalid value options with validation format: NONE for parameter: p",
        ),
        (
            {"parameters[0].name": "p", "parameters[0].type": "DATE", "parameters[0].valueoptions": "1"},
            "Options not supported for type: DATE for parameter: p",
        ),
    ],
)
def test_bad_actions(client: Client, extension: dict[str, Any], change: dict[str, str], text: str) -> None:
    params = {"extensionid": extension["id"], "name": "act"} | change
    assert client.refused("addCustomAction", **params) == (431, text)


SCRIPT = """#!/bin/sh
echo "$1" >> "$(dirname "$0")/log"
case "$1" in
    reboot) echo "no such button"; exit 3 ;;
    wake) grep -o '"Count": *[0-9]*' "$2" ;;
    sleepy) sleep 60 ;;
    *) echo '{"status": "success"}' ;;
esac
"""


@pytest.fixture
def machine(client: Client, extension: dict[str, Any], cluster: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A virtual machine that SCRIPT made."""
    path = Path(extension["path"])
    path.write_text(SCRIPT)
    register(client, extension, cluster)
    place = {name: cluster[name] for name in ("podid", "zoneid")}
    who = {"hypervisor": "External", "username": "External", "password": "External"}
    client.run("addHost", clusterid=cluster["id"], url="rack-9", **who, **place)
    template = client.one(
        "registerTemplate",
        name="t",
        url="image-9",
        format="External",
        hypervisor="External",
        zoneid=cluster["zoneid"],
        ostypeid=client.rows("listOsTypes")[0]["id"],
        extensionid=extension["id"],
    )
    offering = client.one("createServiceOffering", name="s", displaytext="s", cpunumber=1, cpuspeed=100, memory=128)
    l2 = client.one("createNetworkOffering", name="l2s", displaytext="l2", guestiptype="L2", traffictype="GUEST")
    client.run("updateNetworkOffering", id=l2["id"], state="Enabled")
    domain = client.one("listDomains", name="ROOT")["id"]
    owner = {"account": "admin", "domainid": domain, "zoneid": cluster["zoneid"]}
    network = client.one("createNetwork", name="n9", networkofferingid=l2["id"], **owner)
    vm = client.one(
        "deployVirtualMachine",
        serviceofferingid=offering["id"],
        templateid=template["id"],
        networkids=network["id"],
        **owner,
    )
    yield vm
    client.run("destroyVirtualMachine", id=vm["id"], expunge=True)
    client.run("deleteNetwork", id=network["id"])
    client.run("deleteTemplate", id=template["id"])


def asked(extension: dict[str, Any]) -> list[str]:
    """What the script was asked for so far."""
    return (Path(extension["path"]).parent / "log").read_text().split()


def test_the_script_is_run(client: Client, extension: dict[str, Any], machine: dict[str, Any]) -> None:
    assert asked(extension)[-1] == "create"
    client.run("stopVirtualMachine", id=machine["id"])
    client.run("startVirtualMachine", id=machine["id"])
    assert asked(extension)[-2:] == ["stop", "start"]
    assert client.refused("rebootVirtualMachine", id=machine["id"])[0] == 530
    assert asked(extension)[-1] == "reboot"


def test_a_custom_action_is_what_the_script_says(
    client: Client, extension: dict[str, Any], machine: dict[str, Any]
) -> None:
    of = {"extensionid": extension["id"], "enabled": True}
    count = {"parameters[0].name": "Count", "parameters[0].type": "NUMBER"}
    wake = client.one("addCustomAction", name="wake", **of, **count)["id"]
    done = client.one("runCustomAction", customactionid=wake, resourceid=machine["id"], **{"parameters[0].Count": "7"})
    assert done["success"] is True
    assert "7" in done["result"]["details"]
    sleepy = client.one("addCustomAction", name="sleepy", timeout=1, **of)["id"]
    late = client.one("runCustomAction", customactionid=sleepy, resourceid=machine["id"])
    assert (late["success"], late["result"]["details"]) == (False, "Timeout")


def test_scripts_are_private_and_go_with_the_cloud() -> None:
    simulator = Simulator()
    directory = simulator.cloud.extension_scripts.directory
    assert directory.parent.stat().st_mode & 0o077 == 0
    del simulator
    gc.collect()
    assert not directory.exists()


@pytest.mark.parametrize(
    "path", ["/{outside}", "../{name}", "x/../../{name}", "../extensions/../{name}", "..", ".", "{name}"]
)
def test_nothing_outside_of_the_extensions_directories_is_run_or_deleted(tmp_path: Path, path: str) -> None:
    scripts = Simulator().cloud.extension_scripts
    home = scripts.directory.parent
    outside = [home / "evil.sh", scripts.directory / "evil.sh", tmp_path / "evil.sh"]
    for each in outside:
        each.write_text(f"#!/bin/sh\ntouch {tmp_path}/run\n")
        each.chmod(0o755)
    extension = Extension(name="..", type="Orchestrator", path=path.format(name="evil.sh", outside=outside[-1]))
    outcome = scripts.run(extension, "start", {})
    assert (outcome.ok, outcome.output) == (False, "Extension: .. not configured")
    assert not (tmp_path / "run").exists()
    scripts.prepare(extension)
    scripts.remove(extension)
    assert [each.read_text() for each in outside] == [f"#!/bin/sh\ntouch {tmp_path}/run\n"] * 3


def test_a_name_that_leads_out_of_the_directory_makes_no_script(client: Client) -> None:
    made = client.one("createExtension", name="..", type="Orchestrator")
    client.run("deleteExtension", id=made["id"], cleanup=True)
    scripts = client.simulator.cloud.extension_scripts
    assert scripts.directory.is_dir()
    assert [path.name for path in scripts.directory.parent.iterdir() if path.suffix] == []
