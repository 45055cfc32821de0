"""Volumes of the embedded simulator: creating, attaching, resizing, migrating, destroying, listing."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from cs_matrix_pytest.simulator.call import Caller
from cs_matrix_pytest.simulator.families.volume_changes import max_data_disks
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.simulator import Simulator
from simulator_in_process import CloudUser

GIB = 1024**3


class Client(CloudUser):
    """Runs commands as one user of a cloud with one VM."""

    def __init__(self, simulator: Simulator, caller: Caller | None = None) -> None:
        super().__init__(simulator, caller)
        self.zone = self("listZones")["zone"][0]["id"]
        self.disks = {row["name"]: row["id"] for row in self("listDiskOfferings")["diskoffering"]}

    def deploy(self) -> dict[str, Any]:
        template = self("listTemplates", templatefilter="featured")["template"][0]["id"]
        offering = self("listServiceOfferings")["serviceoffering"][0]["id"]
        given = {"zoneid": self.zone, "templateid": template, "serviceofferingid": offering}
        vm: dict[str, Any] = self("deployVirtualMachine", **given)["virtualmachine"]
        return vm

    def create(self, **params: Any) -> dict[str, Any]:
        given = {"name": "data", "zoneid": self.zone, "diskofferingid": self.disks["Small"]}
        volume: dict[str, Any] = self("createVolume", **{**given, **params})["volume"]
        return volume

    def volume(self, id: str) -> dict[str, Any]:
        row: dict[str, Any] = self("listVolumes", id=id)["volume"][0]
        return row


@pytest.fixture
def client() -> Client:
    return Client(Simulator())


def test_a_volume_is_created_over_http() -> None:
    with Simulator() as simulator:
        client = Client(simulator)
        url = f"http://127.0.0.1:{simulator.integration_port}/client/api"
        params = {
            "command": "createVolume",
            "response": "json",
            "name": "data",
            "zoneid": client.zone,
            "diskofferingid": client.disks["Small"],
            "account": "admin",
            "domainid": client("listDomains")["domain"][0]["id"],
        }
        started = requests.get(url, params=params, timeout=5).json()["createvolumeresponse"]
        query = {"command": "queryAsyncJobResult", "response": "json", "jobid": started["jobid"]}
        job = requests.get(url, params=query, timeout=5).json()["queryasyncjobresultresponse"]
    volume = job["jobresult"]["volume"]
    assert volume["id"] == started["id"]
    assert (volume["state"], volume["type"], volume["size"]) == ("Allocated", "DATADISK", 5 * GIB)
    assert volume["hypervisor"] == "None"
    assert volume["storagetype"] == "shared"
    assert "storage" not in volume


def test_it_is_attached_once_and_made_on_the_vms_storage(client: Client) -> None:
    vm, id = client.deploy(), client.create()["id"]
    attached = client("attachVolume", id=id, virtualmachineid=vm["id"])["volume"]
    root = client("listVolumes", virtualmachineid=vm["id"], type="ROOT")["volume"][0]
    assert (attached["state"], attached["deviceid"], attached["vmstate"]) == ("Ready", 1, "Running")
    assert attached["clusterid"] == root["clusterid"]
    assert attached["attached"]
    assert client.fails("attachVolume", id=id, virtualmachineid=vm["id"]) == (
        431,
        "Please specify a volume that is not attached to any VM.",
    )
    assert client.fails("deleteVolume", id=id)[0] == 431
    detached = client("detachVolume", id=id)["volume"]
    assert not {"virtualmachineid", "deviceid", "attached"} & set(detached)
    assert detached["state"] == "Ready"
    assert client.fails("detachVolume", id=id) == (431, "The specified volume is not attached to a VM.")


def test_volume_and_vm_are_of_one_account(client: Client) -> None:
    person = {"password": "password", "firstname": "A", "lastname": "B", "email": "a@example.org"}
    owner = client("createAccount", username="ann", accounttype=0, **person)["account"]
    volume, vm = client.create(account="ann", domainid=owner["domainid"]), client.deploy()
    code, text = client.fails("attachVolume", id=volume["id"], virtualmachineid=vm["id"])
    assert code == 530
    assert text.startswith(f'Entity VM instance {{"id":1,"instanceName":"{vm["instancename"]}"')
    assert text.endswith('"volumeType":"DATADISK"} belong to different accounts')


@pytest.mark.parametrize("hypervisor", ["simulator", "kvm"])
def test_encrypted_volumes_are_for_kvm(hypervisor: str) -> None:
    client = Client(Simulator(hypervisor=hypervisor))
    offering = client("createDiskOffering", name="e", displaytext="e", disksize=1, encrypt=True)["diskoffering"]["id"]
    vm, id = client.deploy(), client.create(diskofferingid=offering)["id"]
    assert client("listVolumes", isencrypted=True) == {}
    if hypervisor == "simulator":
        assert client.fails("attachVolume", id=id, virtualmachineid=vm["id"]) == (
            431,
            "Volume's disk offering has encryption enabled, but volume encryption is not supported for hypervisor type "
            "Simulator",
        )
        return
    client("attachVolume", id=id, virtualmachineid=vm["id"])
    assert [row["id"] for row in client("listVolumes", isencrypted=True)["volume"]] == [id]
    snapshot = client("createSnapshot", volumeid=id)["snapshot"]["id"]
    client("detachVolume", id=id)
    assert client.fails("extractVolume", id=id, mode="HTTP_DOWNLOAD", zoneid=client.zone) == (
        431,
        "Extraction of encrypted volumes is unsupported",
    )
    pool = next(row for row in client("listStoragePools")["storagepool"] if row["id"] != client.volume(id)["storageid"])
    assert client.fails("migrateVolume", volumeid=id, storageid=pool["id"]) == (
        431,
        "Migration of encrypted volumes is unsupported",
    )
    assert client.fails("createVolume", name="copy", snapshotid=snapshot) == (
        530,
        "Cannot create new volumes from encrypted volume snapshots",
    )


def test_device_ids(client: Client) -> None:
    vm = client.deploy()
    devices = []
    for wanted in (None, None, None, 5):
        params = {} if wanted is None else {"deviceid": wanted}
        row = client("attachVolume", id=client.create()["id"], virtualmachineid=vm["id"], **params)["volume"]
        devices.append(row["deviceid"])
    assert devices == [1, 2, 4, 5]  # 3 is the CD-ROM's.
    other = client.create()["id"]
    for wanted in (3, 99):
        code, text = client.fails("attachVolume", id=other, virtualmachineid=vm["id"], deviceid=wanted)
        assert (code, text.split("-")[0]) == (530, "deviceId should be 0,1,2,4")
    assert client.fails("attachVolume", id=other, virtualmachineid=vm["id"], deviceid=5)[1].startswith(
        "deviceId 5 is used"
    )
    by_tuple = client("detachVolume", virtualmachineid=vm["id"], deviceid=5)["volume"]
    assert "deviceid" not in by_tuple
    assert client.fails("detachVolume", deviceid=5)[0] == 431


def test_a_vm_has_only_so_many_data_disks(client: Client) -> None:
    vm = client.deploy()
    row = client.cloud.store.table(UserVm).get(vm["id"])
    assert row is not None
    for _ in range(max_data_disks(client.cloud, row)):
        client("attachVolume", id=client.create()["id"], virtualmachineid=vm["id"])
    code, text = client.fails("attachVolume", id=client.create()["id"], virtualmachineid=vm["id"])
    assert code == 431
    assert "already has the maximum number of data disks" in text


def test_the_root_disk_leaves_a_stopped_vm_only(client: Client) -> None:
    vm = client.deploy()
    root = client("listVolumes", virtualmachineid=vm["id"])["volume"][0]["id"]
    assert client.fails("detachVolume", id=root)[1].startswith(
        "Root volume detach can happen only when vm is in states"
    )
    client("stopVirtualMachine", id=vm["id"])
    client("detachVolume", id=root)
    back = client("attachVolume", id=root, virtualmachineid=vm["id"], deviceid=0)["volume"]
    assert back["deviceid"] == 0
    assert client("startVirtualMachine", id=vm["id"])["virtualmachine"]["state"] == "Running"


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"diskofferingid": "Custom"}, "This disk offering requires a custom size specified"),
        ({"diskofferingid": "Custom", "size": 5000}, "Volume size: 5000 GB is out of allowed range. Min: 1. Max: 1024"),
        ({"diskofferingid": "Small", "size": 3}, "This disk offering does not allow custom size"),
        ({"diskofferingid": "Custom", "size": 0}, "Disk size must be larger than 0"),
    ],
)
def test_sizes_that_an_offering_does_not_allow(client: Client, params: dict[str, Any], text: str) -> None:
    given = {**params, "diskofferingid": client.disks[params["diskofferingid"]]}
    assert client.fails("createVolume", name="x", zoneid=client.zone, **given) == (431, text)


def test_a_volume_needs_an_offering_or_a_snapshot(client: Client) -> None:
    assert client.fails("createVolume", name="x", zoneid=client.zone)[0] == 431


def test_resizing(client: Client) -> None:
    id = client.create(diskofferingid=client.disks["Custom"], size=4)["id"]
    vm = client.deploy()
    client("attachVolume", id=id, virtualmachineid=vm["id"])
    assert client("resizeVolume", id=id, size=6)["volume"]["size"] == 6 * GIB
    code, text = client.fails("resizeVolume", id=id, size=5)
    assert code == 431
    assert text.startswith(f"Going from existing size of {6 * GIB} to size of {5 * GIB} would shrink the volume.")
    assert client("resizeVolume", id=id, size=5, shrinkok=True)["volume"]["size"] == 5 * GIB
    grown = client("resizeVolume", id=id, diskofferingid=client.disks["Medium"])["volume"]
    assert (grown["size"], grown["diskofferingname"]) == (20 * GIB, "Medium")


def test_destroying_and_recovering(client: Client) -> None:
    fresh = client.create()["id"]
    assert client.fails("destroyVolume", id=fresh) == (
        431,
        "The volume in Allocated/Uploaded state can only be expunged not destroyed/recovered",
    )
    gone = client("destroyVolume", id=fresh, expunge=True)["volume"]
    assert (gone["state"], gone["destroyed"]) == ("Destroy", True)
    vm, id = client.deploy(), client.create()["id"]
    placed = client("attachVolume", id=id, virtualmachineid=vm["id"])["volume"]
    assert placed["path"] == placed["name"]
    client("detachVolume", id=id)
    assert client("destroyVolume", id=id)["volume"]["destroyed"]
    assert client("recoverVolume", id=id)["volume"]["state"] == "Ready"
    assert client.fails("recoverVolume", id=id) == (431, "Please specify a volume in Destroy state.")
    gone = client("destroyVolume", id=id, expunge=True)["volume"]
    assert (gone["state"], gone["destroyed"]) == ("Expunged", False)
    assert (gone["storageid"], gone["path"]) == (placed["storageid"], placed["path"])
    assert client("listVolumes", id=id) == {}


@pytest.mark.parametrize(
    ("command", "params", "expected"),
    [
        ("attachVolume", {"id": "", "virtualmachineid": "vm"}, (431, "Please specify a volume that is not destroyed.")),
        ("detachVolume", {"id": ""}, (431, "Unable to find volume with ID: 2")),
        ("deleteVolume", {"id": ""}, (431, "Unable to find volume with ID: 2")),
        (
            "extractVolume",
            {"id": "", "mode": "HTTP_DOWNLOAD", "zoneid": "zone"},
            (431, "Unable to find volume with specified volumeId"),
        ),
        ("migrateVolume", {"volumeid": "", "storageid": "pool"}, (431, "Failed to find the volume id: 2")),
        ("assignVolume", {"volumeid": ""}, (431, "No volume was found with UUID [{}].")),
        ("findStoragePoolsForMigration", {"id": ""}, (431, "Unable to find volume with specified id.")),
        ("updateVolume", {"id": "", "name": "x"}, (431, "The volume id doesn't exist")),
        ("resizeVolume", {"id": "", "size": 9}, (431, "Unable to find volume by id=2")),
        (
            "checkVolume",
            {"id": ""},
            (530, 'Cannot invoke "org.apache.cloudstack.acl.ControlledEntity.getAccountId()" because "entity" is null'),
        ),
    ],
)
def test_what_is_said_of_a_volume_that_is_gone(
    client: Client, command: str, params: dict[str, Any], expected: tuple[int, str]
) -> None:
    vm, id = client.deploy()["id"], client.create()["id"]
    client("deleteVolume", id=id)
    named = {"": id, "vm": vm, "zone": client.zone, "pool": client("listStoragePools")["storagepool"][0]["id"]}
    code, text = expected
    assert client.fails(command, **{key: named.get(value, value) for key, value in params.items()}) == (
        code,
        text.format(id) if "{}" in text else text,
    )


def test_destroyed_volumes_are_cleaned_up(client: Client) -> None:
    vm, id = client.deploy(), client.create()["id"]
    client("attachVolume", id=id, virtualmachineid=vm["id"])
    client("detachVolume", id=id)
    client("destroyVolume", id=id)
    client.cloud.clock.advance(2 * 86400)
    assert client("listVolumes", id=id) == {}


def test_destroying_a_vm_frees_its_data_disks_or_takes_those_named(client: Client) -> None:
    vm = client.deploy()
    kept, doomed = client.create()["id"], client.create()["id"]
    for id in (kept, doomed):
        client("attachVolume", id=id, virtualmachineid=vm["id"])
    stray = client.create()["id"]
    assert client.fails("destroyVirtualMachine", id=vm["id"], volumeids=stray)[1].startswith(
        "The following supplied volumes are not DATADISK attached to the VM: "
    )
    client("destroyVirtualMachine", id=vm["id"], volumeids=doomed)
    assert (client.volume(kept)["state"], client.volume(doomed)["state"]) == ("Ready", "Destroy")
    assert "virtualmachineid" not in client.volume(kept)


def test_limits(client: Client) -> None:
    user = client.user("jane")
    domain = user.caller.account.domain.id
    client("updateResourceLimit", resourcetype=2, account="jane", domainid=domain, max=1)
    user.create()
    code, text = user.fails("createVolume", name="b", zoneid=user.zone, diskofferingid=user.disks["Small"])
    assert code == 535
    assert text.startswith("Maximum amount of resources of Type = 'volume'")


def test_migrating(client: Client) -> None:
    vm = client.deploy()
    volume = client("listVolumes", virtualmachineid=vm["id"])["volume"][0]
    pools = {row["id"]: row["clusterid"] for row in client("listStoragePools")["storagepool"]}
    far = next(id for id, cluster in pools.items() if cluster != volume["clusterid"])
    near = [id for id, cluster in pools.items() if cluster == volume["clusterid"] and id != volume["storageid"]]
    assert client.fails("migrateVolume", volumeid=volume["id"], storageid=volume["storageid"])[0] == 431
    for id in near:
        assert client.fails("migrateVolume", volumeid=volume["id"], storageid=id, livemigrate=True) == (
            431,
            "Volume needs to be detached from VM",
        )
    client("stopVirtualMachine", id=vm["id"])
    for id in near:
        assert client("migrateVolume", volumeid=volume["id"], storageid=id)["volume"]["storageid"] == id
    assert client("migrateVolume", volumeid=volume["id"], storageid=far)["volume"]["storageid"] == far


def test_running_disks_move_where_the_hypervisor_can() -> None:
    client = Client(Simulator(hypervisor="xenserver"))
    vm = client.deploy()
    volume = client("listVolumes", virtualmachineid=vm["id"])["volume"][0]
    pools = {row["id"]: row["clusterid"] for row in client("listStoragePools")["storagepool"]}
    far = next(id for id, cluster in pools.items() if cluster != volume["clusterid"])
    near = [id for id, cluster in pools.items() if cluster == volume["clusterid"] and id != volume["storageid"]]
    assert "livemigrate" in client.fails("migrateVolume", volumeid=volume["id"], storageid=far)[1]
    for id in near:
        moved = client("migrateVolume", volumeid=volume["id"], storageid=id, livemigrate=True)["volume"]
        assert moved["storageid"] == id
    assert client.fails("migrateVolume", volumeid=volume["id"], storageid=far, livemigrate=True) == (
        431,
        "Cannot migrate a volume of a virtual machine to a storage pool in a different cluster",
    )


def test_storage_tags_choose_the_pool(client: Client) -> None:
    vm = client.deploy()
    root = client("listVolumes", virtualmachineid=vm["id"])["volume"][0]
    tagged = client("createDiskOffering", name="t", displaytext="t", disksize=1, tags="ssd")["diskoffering"]["id"]
    id = client.create(diskofferingid=tagged)["id"]
    code, text = client.fails("attachVolume", id=id, virtualmachineid=vm["id"])
    assert code == 530
    assert text.startswith("Unable to find suitable primary storage when creating volume [")
    client("updateStoragePool", id=root["storageid"], tags="ssd")
    assert client("attachVolume", id=id, virtualmachineid=vm["id"])["volume"]["storageid"] == root["storageid"]


def test_extracting(client: Client) -> None:
    vm = client.deploy()
    root = client("listVolumes", virtualmachineid=vm["id"])["volume"][0]["id"]
    wanted = {"id": root, "zoneid": client.zone, "mode": "HTTP_DOWNLOAD"}
    assert client.fails("extractVolume", **wanted)[1].startswith("Invalid state of the volume with specified ID.")
    client("stopVirtualMachine", id=vm["id"])
    assert client.fails("extractVolume", **{**wanted, "mode": "POST"})[0] == 431
    assert client("extractVolume", **wanted)["volume"]["url"].startswith("http")


def test_uploading() -> None:
    client = Client(Simulator(hypervisor="kvm"))
    url = "http://example.org/disk.qcow2"
    uploaded = client("uploadVolume", name="u", zoneid=client.zone, format="QCOW2", url=url)["volume"]
    assert uploaded["state"] == "Uploaded"
    vm = client.deploy()
    assert client("attachVolume", id=uploaded["id"], virtualmachineid=vm["id"])["volume"]["state"] == "Ready"


def test_updating_and_assigning(client: Client) -> None:
    id, user = client.create()["id"], client.user("jane")
    changed = client("updateVolume", id=id, name="n", displayvolume=False)["volume"]
    assert (changed["name"], changed["displayvolume"]) == ("n", False)
    account = user.caller.account.id
    assert client("assignVolume", volumeid=id, accountid=account)["volume"]["account"] == "jane"
    assert user("listVolumes") == {}  # It is hidden from its new owner.
    client("updateVolume", id=id, displayvolume=True)
    assert user("listVolumes")["count"] == 1
    # Users may not hide volumes: that the parameter was given goes unseen.
    hidden = {"name": "x", "zoneid": user.zone, "diskofferingid": user.disks["Small"], "displayvolume": False}
    assert user("createVolume", **hidden)["volume"]["name"] == "x"
    assert user("listVolumes")["count"] == 2


def test_a_volume_is_updated_by_its_id(client: Client) -> None:
    assert client.fails("updateVolume", name="x") == (431, "Invalid volume id was provided")


def test_the_state_that_a_volume_is_given_is_one_of_volumes(client: Client) -> None:
    id = client.create()["id"]
    assert client.fails("updateVolume", id=id, state="Bogus") == (431, "Invalid volume state specified")
    client("updateVolume", id=id, state="Ready")
    assert client.volume(id)["state"] == "Ready"
    twin = "11111111-2222-3333-4444-555555555555"
    assert client("updateVolume", id=id, customid=twin)["volume"]["id"] == twin


def test_changing_the_offering(client: Client) -> None:
    id = client.create()["id"]
    same = client.fails("changeOfferingForVolume", id=id, diskofferingid=client.disks["Small"])
    assert same[0] == 431
    changed = client("changeOfferingForVolume", id=id, diskofferingid=client.disks["Medium"])["volume"]
    assert (changed["diskofferingid"], changed["size"]) == (client.disks["Medium"], 20 * GIB)


def test_lists_filter(client: Client) -> None:
    vm, data = client.deploy(), client.create(name="findme")["id"]

    def names(**params: Any) -> list[str]:
        return [row["name"] for row in client("listVolumes", **params).get("volume", [])]

    assert names() == ["ROOT-1", "findme"]
    assert names(type="ROOT") == ["ROOT-1"]
    assert names(virtualmachineid=vm["id"]) == ["ROOT-1"]
    assert names(keyword="find") == ["findme"]
    assert names(state="Allocated") == ["findme"]
    assert names(diskofferingid=client.disks["Small"]) == ["findme"]
    assert names(hostid=vm["hostid"]) == ["ROOT-1"]
    root = client("listVolumes", type="ROOT")["volume"][0]
    assert names(storageid=root["storageid"]) == ["ROOT-1"]
    assert client.fails("listVolumes", storageid="00000000-0000-0000-0000-000000000000")[0] == 431
    client("createTags", resourceids=data, resourcetype="Volume", **{"tags[0].key": "k", "tags[0].value": "v"})
    assert names(**{"tags[0].key": "k", "tags[0].value": "v"}) == ["findme"]
    shown = client.user("jane")("listVolumes")
    assert shown == {}
