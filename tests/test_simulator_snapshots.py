"""Snapshots of volumes in the embedded simulator, and the policies that take them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from cs_matrix_pytest.environments.model import Fault
from cs_matrix_pytest.simulator.families.snapshots import next_run
from cs_matrix_pytest.simulator.simulator import Simulator
from simulator_in_process import CloudUser


class Client(CloudUser):
    """Runs commands as admin in a cloud with one VM, whose root disk is ``volume``."""

    def __init__(self, simulator: Simulator) -> None:
        super().__init__(simulator)
        zone = self("listZones")["zone"][0]["id"]
        template = self("listTemplates", templatefilter="featured")["template"][0]["id"]
        offering = self("listServiceOfferings")["serviceoffering"][0]["id"]
        given = {"zoneid": zone, "templateid": template, "serviceofferingid": offering, "name": "web"}
        self.vm: dict[str, Any] = self("deployVirtualMachine", **given)["virtualmachine"]
        self.volume: str = self("listVolumes", virtualmachineid=self.vm["id"])["volume"][0]["id"]
        self.zone = zone


@pytest.fixture
def client() -> Client:
    return Client(Simulator())


def test_a_snapshot_is_named_after_vm_volume_and_time(client: Client) -> None:
    snapshot = client("createSnapshot", volumeid=client.volume)["snapshot"]
    assert snapshot["name"].startswith("web_ROOT-1_20")
    assert (snapshot["state"], snapshot["intervaltype"], snapshot["snapshottype"]) == ("BackedUp", "MANUAL", "MANUAL")
    assert (snapshot["virtualsize"], snapshot["physicalsize"]) == (2 * 1024**3, 0)
    (listed,) = client("listSnapshots", volumeid=client.volume)["snapshot"]
    assert listed["id"] == snapshot["id"]
    assert "osdisplayname" not in listed


def test_lists_show_where_copies_are_that_are_not_to_be_unique(client: Client) -> None:
    id = client("createSnapshot", volumeid=client.volume)["snapshot"]["id"]
    store = client("listImageStores")["imagestore"][0]
    (row,) = client("listSnapshots", id=id, showunique=False)["snapshot"]
    assert (row["datastoreid"], row["datastoretype"], row["datastorestate"]) == (store["id"], "Image", "Ready")
    assert (row["status"], row["downloaddetails"]) == ("BackedUp", {"downloadPercent": "0", "downloadState": ""})
    (unique,) = client("listSnapshots", id=id)["snapshot"]
    assert unique.keys() == row.keys() - {
        "datastoreid",
        "datastorename",
        "datastorestate",
        "datastoretype",
        "downloaddetails",
        "status",
    }
    for location, found in (("secondary", 1), ("PRIMARY", None)):
        assert client("listSnapshots", id=id, showunique=False, locationtype=location).get("count") == found
    assert client("listSnapshots", imagestoreid=store["id"])["count"] == 1


def test_a_volume_that_is_not_ready_has_none(client: Client) -> None:
    small = next(row["id"] for row in client("listDiskOfferings")["diskoffering"] if row["name"] == "Small")
    id = client("createVolume", name="d", zoneid=client.zone, diskofferingid=small)["volume"]["id"]
    code, text = client.fails("createSnapshot", volumeid=id)
    assert code == 431
    assert text.endswith("is not in Ready state but Allocated. Cannot take snapshot.")


def test_a_failed_one_stays_in_error() -> None:
    client = Client(Simulator(faults={"createSnapshot": Fault(fail=True, error=(530, "no space"))}))
    assert client.fails("createSnapshot", volumeid=client.volume) == (530, "no space")
    assert client("listSnapshots")["snapshot"][0]["state"] == "Error"


def test_a_volume_is_made_from_a_snapshot_and_attached(client: Client) -> None:
    snapshot = client("createSnapshot", volumeid=client.volume)["snapshot"]["id"]
    volume = client("createVolume", name="copy", snapshotid=snapshot, virtualmachineid=client.vm["id"])["volume"]
    assert (volume["state"], volume["type"], volume["size"]) == ("Ready", "DATADISK", 2 * 1024**3)
    assert volume["virtualmachineid"] == client.vm["id"]


def test_deleting(client: Client) -> None:
    id = client("createSnapshot", volumeid=client.volume)["snapshot"]["id"]
    assert client("deleteSnapshot", id=id) == {"success": True}
    assert client("listSnapshots") == {}
    assert client.fails("deleteSnapshot", id=id) == (431, "unable to find a snapshot with id 1")


def test_kvm_alone_reverts(client: Client) -> None:
    id = client("createSnapshot", volumeid=client.volume)["snapshot"]["id"]
    client("stopVirtualMachine", id=client.vm["id"])
    code, text = client.fails("revertSnapshot", id=id)
    assert code == 530
    assert text.endswith("because this command is supported only for KVM hypervisor")


def test_reverting_needs_a_stopped_vm() -> None:
    client = Client(Simulator(hypervisor="KVM"))
    id = client("createSnapshot", volumeid=client.volume)["snapshot"]["id"]
    assert client.fails("revertSnapshot", id=id)[1] == (
        "The Instance the specified disk is attached to is not in the shutdown state."
    )
    client("stopVirtualMachine", id=client.vm["id"])
    assert client("revertSnapshot", id=id)["snapshot"]["id"] == id


@pytest.mark.parametrize(
    ("given", "kept"),
    [("Europe/Berlin", None), ("PST", None), ("GMT+2", "GMT+02:00"), ("GMT-0330", "GMT-03:30"), ("GMT+99", "GMT")],
)
def test_time_zones_are_those_that_java_knows(client: Client, given: str, kept: str | None) -> None:
    schedule = {"intervaltype": "HOURLY", "schedule": "5", "maxsnaps": 2}
    policy = client("createSnapshotPolicy", volumeid=client.volume, timezone=given, **schedule)["snapshotpolicy"]
    assert policy["timezone"] == (kept or given)


def test_a_copy_needs_secondary_storage_in_its_zone(client: Client) -> None:
    zone = client("createZone", name="bare", dns1="8.8.8.8", internaldns1="8.8.8.8", networktype="Advanced")["zone"][
        "id"
    ]
    unreachable = (
        534,
        "Resource [DataCenter:2] is unreachable: Destination zone is not ready, no image store associated",
    )
    id = client("createSnapshot", volumeid=client.volume)["snapshot"]["id"]
    assert client.fails("copySnapshot", id=id, destzoneids=zone) == unreachable
    template = client("listTemplates", templatefilter="featured")["template"][0]["id"]
    assert client.fails("copyTemplate", id=template, destzoneid=zone) == unreachable
    client("addImageStore", provider="NFS", url="nfs://192.0.2.1/more", zoneid=zone)
    copied = client("copySnapshot", id=id, destzoneids=zone)["snapshot"]
    assert (copied["zonename"], copied["status"], copied["datastoretype"]) == ("bare", "BackedUp", "Image")
    assert not {"snapshottype", "osdisplayname"} & copied.keys()
    assert client("listSnapshots", id=id, showunique=False)["count"] == 2
    (there,) = client("listSnapshots", id=id, zoneid=zone)["snapshot"]
    assert there["zonename"] == "bare"
    code, text = client.fails("createVolume", name="far", snapshotid=id, zoneid=zone)
    assert code == 530
    assert text.startswith("Failed to create volume: Volume ")


def test_a_policy_is_updated_by_its_id(client: Client) -> None:
    assert client.fails("updateSnapshotPolicy") == (431, "Invalid Snapshot policy ID was provided")


def test_what_happens_to_snapshots_later(client: Client) -> None:
    id = client("createSnapshot", volumeid=client.volume)["snapshot"]["id"]
    url = client("extractSnapshot", id=id, zoneid=client.zone)["snapshot"]["url"]
    assert url.startswith("http")
    assert client.fails("copySnapshot", id=id, destzoneids=client.zone)[0] in (431, 530)


def test_snapshots_are_listed_as_they_were_made(client: Client) -> None:
    ids = [client("createSnapshot", volumeid=client.volume, name=name)["snapshot"]["id"] for name in ("one", "two")]
    assert [row["id"] for row in client("listSnapshots")["snapshot"]] == ids
    assert client("listSnapshots", name="tw") == {}
    assert client("listSnapshots", keyword="tw")["count"] == 1


def test_policies_in_no_time_zone_are_in_gmt(client: Client) -> None:
    given = {"intervaltype": "DAILY", "schedule": "30:02", "maxsnaps": 2}
    policy = client("createSnapshotPolicy", volumeid=client.volume, timezone="Mars/Phobos", **given)["snapshotpolicy"]
    assert policy["timezone"] == "GMT"


def test_snapshots_have_the_tags_and_zones_of_their_policy(client: Client) -> None:
    zone = client("createZone", name="far", dns1="8.8.8.8", internaldns1="8.8.8.8", networktype="Advanced")["zone"][
        "id"
    ]
    client("addImageStore", provider="NFS", url="nfs://192.0.2.1/more", zoneid=zone)
    schedule = {"intervaltype": "HOURLY", "schedule": "5", "timezone": "UTC", "maxsnaps": 2, "zoneids": zone}
    tag = {"tags[0].key": "a", "tags[0].value": "b"}
    client("createSnapshotPolicy", volumeid=client.volume, **schedule, **tag)
    client.cloud.clock.advance(3601)
    rows = client("listSnapshots", showunique=False)["snapshot"]
    assert {row["zoneid"] for row in rows} == {client.zone, zone}
    assert [(tag["key"], tag["value"]) for tag in rows[0]["tags"]] == [("a", "b")]


def test_policies_take_snapshots_and_keep_the_newest(client: Client) -> None:
    policy = client(
        "createSnapshotPolicy", volumeid=client.volume, intervaltype="HOURLY", schedule="15", timezone="UTC", maxsnaps=2
    )["snapshotpolicy"]
    assert (policy["intervaltype"], policy["maxsnaps"], policy["schedule"]) == (0, 2, "15")
    client.cloud.clock.advance(3601)
    (first,) = client("listSnapshots", snapshottype="RECURRING")["snapshot"]
    assert (first["intervaltype"], first["state"]) == ("HOURLY", "BackedUp")
    client.cloud.clock.advance(3 * 3600)
    rows = client("listSnapshots")["snapshot"]
    assert len(rows) == 2
    assert first["id"] not in [row["id"] for row in rows]
    assert client("listSnapshotPolicies", volumeid=client.volume)["count"] == 1
    assert client("deleteSnapshotPolicies", id=policy["id"]) == {"success": True}
    client.cloud.clock.advance(2 * 3600)
    assert len(client("listSnapshots")["snapshot"]) == 2
    assert client("listSnapshotPolicies", volumeid=client.volume) == {}


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"intervaltype": "YEARLY"}, "Unsupported interval type YEARLY"),
        ({"schedule": "x"}, "has an invalid schedule [x] for interval type [DAILY]."),
        ({"schedule": "30"}, "has an invalid schedule [30] for interval type [DAILY]."),
        ({"maxsnaps": 0}, "should be greater than 0."),
        ({"maxsnaps": 99}, "exceeds limit [8] for interval type [DAILY]."),
    ],
)
def test_policies_that_cannot_be(client: Client, params: dict[str, Any], text: str) -> None:
    good = {"intervaltype": "DAILY", "schedule": "30:02", "timezone": "UTC", "maxsnaps": 2}
    code, said = client.fails("createSnapshotPolicy", volumeid=client.volume, **{**good, **params})
    assert code == 431
    assert text in said


NOW = datetime(2026, 11, 21, 12, 30, tzinfo=timezone.utc)  # A Saturday.


@pytest.mark.parametrize(
    ("interval", "schedule", "due"),
    [
        ("HOURLY", "15", "2026-11-21T13:15"),
        ("HOURLY", "45", "2026-11-21T12:45"),
        ("DAILY", "30:12", "2026-11-22T12:30"),
        ("DAILY", "0:23", "2026-11-21T23:00"),
        ("WEEKLY", "0:3:1", "2026-11-22T03:00"),
        ("WEEKLY", "0:3:7", "2026-11-28T03:00"),
        ("MONTHLY", "0:3:1", "2026-12-01T03:00"),
        ("MONTHLY", "0:3:28", "2026-11-28T03:00"),
    ],
)
def test_when_a_schedule_is_due(interval: str, schedule: str, due: str) -> None:
    assert next_run(interval, schedule, timezone.utc, NOW).strftime("%Y-%m-%dT%H:%M") == due


def test_a_schedule_keeps_its_time_zone() -> None:
    due = next_run("DAILY", "0:3", timezone(timedelta(hours=9)), NOW)
    assert due.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M") == "2026-11-21T18:00"
