"""Shared file systems in the simulator: their machine and disk, their states, when they go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cs_matrix_pytest.simulator import Simulator
from simulator_over_http import Client, signed_by


@pytest.fixture
def client() -> Iterator[Client]:
    with Simulator() as simulator:
        yield Client(simulator)


def offering(client: Client, name: str, **params: Any) -> str:
    given = {"cpunumber": 2, "cpuspeed": 200, "memory": 1024, "offerha": True, **params}
    return str(client.one("createServiceOffering", name=name, displaytext=name, **given)["id"])


@pytest.fixture
def wanted(client: Client) -> dict[str, Any]:
    """The parameters of a file system that can be made."""
    owner = {"account": "bob", "domainid": client.account("bob")["domainid"]}
    zone = client.one("listZones")["id"]
    isolated = client.one("listNetworkOfferings", name="DefaultIsolatedNetworkOfferingWithSourceNatService")["id"]
    network = client.one("createNetwork", name="n", displaytext="n", zoneid=zone, networkofferingid=isolated, **owner)
    disk = next(row for row in client.rows("listDiskOfferings") if not row["iscustomized"])
    return {
        "name": "share 1",
        "zoneid": zone,
        "networkid": network["id"],
        "serviceofferingid": offering(client, "server"),
        "diskofferingid": disk["id"],
        "filesystem": "xfs",
        **owner,
    }


def state(client: Client, shared: str) -> str:
    return str(client.one("listSharedFileSystems", id=shared)["state"])


def test_providers(client: Client) -> None:
    assert client.rows("listSharedFileSystemProviders") == [{"name": "SHAREDFSVM"}]


def test_a_file_system_is_a_machine_with_a_disk(client: Client, wanted: dict[str, Any]) -> None:
    made = client.one("createSharedFileSystem", **wanted)
    assert (made["state"], made["filesystem"], made["path"], made["provider"]) == (
        "Ready",
        "XFS",
        "/export",
        "SHAREDFSVM",
    )
    # The server writes the path of the domain over its name.
    assert (made["account"], made["domain"]) == ("bob", "/")
    machine = client.one("listVirtualMachines", id=made["virtualmachineid"])
    assert (machine["state"], machine["name"].startswith("sharedfs-share1-")) == ("Running", True)
    assert made["nic"][0]["networkid"] == wanted["networkid"]
    volumes = {row["type"]: row for row in client.rows("listVolumes", listall=True)}
    assert volumes["DATADISK"]["id"] == made["volumeid"]
    assert all(row["name"].startswith("sharedfs-") for row in volumes.values())
    assert made["sizegb"] == f"{made['size'] / 1024**3:.2f} GiB"


def test_states(client: Client, wanted: dict[str, Any]) -> None:
    shared = client.one("createSharedFileSystem", **wanted)["id"]
    assert client.refused("startSharedFileSystem", id=shared) == (
        431,
        "Shared FileSystem can be started only if it is in the [Stopped] state",
    )
    stopped = client.one("stopSharedFileSystem", id=shared)
    assert (stopped["state"], stopped["vmstate"]) == ("Stopped", "Stopped")
    assert client.refused("stopSharedFileSystem", id=shared) == (
        431,
        "Shared FileSystem can be stopped only if it is in the Ready state",
    )
    assert client.one("startSharedFileSystem", id=shared)["vmstate"] == "Running"
    assert client.one("restartSharedFileSystem", id=shared)["state"] == "Ready"
    assert client.refused("expungeSharedFileSystem", id=shared) == (530, "Failed to expunge Shared FileSystem")
    assert client.refused("destroySharedFileSystem", id=shared) == (
        431,
        "Shared FileSystem can be destroyed only if it is in the [Stopped, Error] states",
    )
    client.run("destroySharedFileSystem", id=shared, forced=True)
    assert state(client, shared) == "Destroyed"
    client.run("recoverSharedFileSystem", id=shared)
    assert state(client, shared) == "Stopped"
    assert client.refused("recoverSharedFileSystem", id=shared) == (
        431,
        "The Shared FileSystem should be in the Destroyed state to be recovered",
    )


def test_a_clean_restart_makes_the_root_disk_anew(client: Client, wanted: dict[str, Any]) -> None:
    made = client.one("createSharedFileSystem", **wanted)

    def root() -> str:
        return str(
            client.one("listVolumes", virtualmachineid=made["virtualmachineid"], type="ROOT", listall=True)["id"]
        )

    before = root()
    after = client.one("restartSharedFileSystem", id=made["id"], cleanup=True)
    assert root() != before
    assert (after["volumeid"], after["vmstate"]) == (made["volumeid"], "Running")


def test_an_expunged_one_takes_its_machine_and_leaves_a_destroyed_disk(client: Client, wanted: dict[str, Any]) -> None:
    made = client.one("createSharedFileSystem", **wanted)
    client.run("destroySharedFileSystem", id=made["id"], forced=True, expunge=True)
    assert client.rows("listSharedFileSystems", listall=True) == []
    assert client.rows("listVirtualMachines", listall=True) == []
    assert [(row["id"], row["state"]) for row in client.rows("listVolumes", listall=True)] == [
        (made["volumeid"], "Destroy")
    ]


def test_a_destroyed_one_is_expunged_in_time(client: Client, wanted: dict[str, Any]) -> None:
    shared = client.one("createSharedFileSystem", **wanted)["id"]
    client.run("destroySharedFileSystem", id=shared, forced=True)
    client.pass_time(86400)
    assert state(client, shared) == "Destroyed"
    client.pass_time(86400 * 0.024 + 14400)
    assert client.rows("listSharedFileSystems", listall=True) == []


def test_a_recovered_one_is_not(client: Client, wanted: dict[str, Any]) -> None:
    shared = client.one("createSharedFileSystem", **wanted)["id"]
    client.run("destroySharedFileSystem", id=shared, forced=True)
    client.run("recoverSharedFileSystem", id=shared)
    client.pass_time(86400 * 3)
    assert state(client, shared) == "Stopped"


def test_what_can_be_changed(client: Client, wanted: dict[str, Any]) -> None:
    shared = client.one("createSharedFileSystem", **wanted)["id"]
    assert client.one("updateSharedFileSystem", id=shared, name="n2", description="d")["name"] == "n2"
    disk = next(
        row["id"]
        for row in client.rows("listDiskOfferings")
        if not row["iscustomized"] and row["id"] != wanted["diskofferingid"]
    )
    changed = client.one("changeSharedFileSystemDiskOffering", id=shared, diskofferingid=disk)
    assert changed["diskofferingid"] == disk
    other = offering(client, "other", memory=2048)
    change = {"id": shared, "serviceofferingid": other}
    assert client.refused("changeSharedFileSystemServiceOffering", **change) == (
        431,
        "Service offering of the Shared FileSystem can be changed only if it is in [Stopped] state",
    )
    client.run("stopSharedFileSystem", id=shared)
    assert client.one("changeSharedFileSystemServiceOffering", **change)["serviceofferingid"] == other
    listed = client.rows
    assert len(listed("listSharedFileSystems", listall=True, serviceofferingid=other, diskofferingid=disk)) == 1
    assert listed("listSharedFileSystems", listall=True, serviceofferingid=wanted["serviceofferingid"]) == []
    assert len(listed("listSharedFileSystems", listall=True, networkid=wanted["networkid"])) == 1


@pytest.mark.parametrize(
    ("params", "refusal"),
    [
        (
            {"filesystem": "fat"},
            (431, "Invalid File system format specified. Supported formats are EXT4 and XFS"),
        ),
        ({"provider": "NAS"}, (530, "Invalid Shared FileSystem provider name!")),
        ({"size": 3}, (431, "Size provided with a non-custom disk offering")),
        ({"miniops": 3}, (431, "Iops provided with a non-custom-iops disk offering")),
    ],
)
def test_file_systems_that_are_refused(
    client: Client, wanted: dict[str, Any], params: dict[str, Any], refusal: tuple[int, str]
) -> None:
    assert client.refused("createSharedFileSystem", **(wanted | params)) == refusal
    assert client.rows("listSharedFileSystems", listall=True) == []


@pytest.mark.parametrize(
    ("params", "text"),
    [
        (
            {"cpunumber": 1},
            "Service offering's number of cpu should be greater than or equal to sharedfsvm.min.cpu.count",
        ),
        ({"memory": 512}, "Service offering's ram size should be greater than or equal to sharedfsvm.min.ram.size"),
        ({"offerha": False}, "Service offering's should be HA enabled"),
    ],
)
def test_the_server_needs_a_fit_offering(
    client: Client, wanted: dict[str, Any], params: dict[str, Any], text: str
) -> None:
    small = wanted | {"serviceofferingid": offering(client, "small", **params)}
    assert client.refused("createSharedFileSystem", **small) == (431, text)


def test_a_name_is_one_accounts_once(client: Client, wanted: dict[str, Any]) -> None:
    client.run("createSharedFileSystem", **wanted)
    assert client.refused("createSharedFileSystem", **wanted) == (
        431,
        "There already exists a Shared FileSystem with this name for the given account and domain.",
    )


def test_where_its_machine_finds_no_place(client: Client, wanted: dict[str, Any]) -> None:
    lost = wanted | {"serviceofferingid": offering(client, "lost", hosttags="nowhere")}
    code, text = client.refused("createSharedFileSystem", **lost)
    assert (code, text.startswith("Shared FileSystem start failed with exception: ")) == (533, True)
    shared = client.one("listSharedFileSystems", listall=True)
    assert shared["state"] == "Error"
    client.run("expungeSharedFileSystem", id=shared["id"])
    assert client.rows("listSharedFileSystems", listall=True) == []


def test_its_machine_counts_for_its_owner(client: Client, wanted: dict[str, Any]) -> None:
    client.run("updateResourceLimit", resourcetype=0, max=0, account="bob", domainid=wanted["domainid"])
    code, text = client.refused("createSharedFileSystem", **wanted)
    assert (code, text.startswith("Maximum amount of resources of Type = 'user_vm'")) == (534, True)


def test_its_machine_goes_with_it_only(client: Client, wanted: dict[str, Any]) -> None:
    machine = client.one("createSharedFileSystem", **wanted)["virtualmachineid"]
    refusal = (431, "Operation not supported on Shared FileSystem Instance")
    assert client.refused("destroyVirtualMachine", id=machine) == refusal


def test_file_systems_are_their_owners(client: Client, wanted: dict[str, Any]) -> None:
    shared = client.one("createSharedFileSystem", **wanted)["id"]
    eve = signed_by(client, client.account("eve"))
    assert eve.rows("listSharedFileSystems", listall=True) == []
    assert eve.refused("updateSharedFileSystem", id=shared, name="hers")[0] == 531
