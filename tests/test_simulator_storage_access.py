"""Who may use which storage, and stores that the server only knows of: access groups, selectors, repositories, S3."""

from __future__ import annotations

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
def zone(client: Client) -> str:
    return str(client.rows("listZones")[0]["id"])


def deploy(client: Client, zone: str, **where: Any) -> dict[str, Any]:
    return client.ask(
        "deployVirtualMachine",
        zoneid=zone,
        templateid=client.rows("listTemplates", templatefilter="featured")[0]["id"],
        serviceofferingid=client.rows("listServiceOfferings")[0]["id"],
        account="owner",
        domainid=client.rows("listDomains")[0]["id"],
        **where,
    )


# Access groups


def test_groups_stand_at_one_level(client: Client, zone: str) -> None:
    pod, cluster = client.rows("listPods")[0]["id"], client.rows("listClusters")[0]["id"]
    host = client.rows("listHosts", type="Routing")[0]["id"]
    client.run("configureStorageAccess", zoneid=zone, storageaccessgroups="a,b")
    assert client.refused("configureStorageAccess", podid=pod, storageaccessgroups="b,c") == (
        530,
        "Failed to configure storage access, access groups already exist on the zone: [b]",
    )
    client.run("configureStorageAccess", podid=pod, storageaccessgroups="c")
    client.run("configureStorageAccess", clusterid=cluster, storageaccessgroups="d")
    assert client.refused("configureStorageAccess", hostid=host, storageaccessgroups="a,c,d,e") == (
        530,
        "Failed to configure storage access, access groups already exist on the cluster: [d], on the pod: [c], "
        "on the zone: [a]",
    )
    client.run("configureStorageAccess", hostid=host, storageaccessgroups="e")
    names = [row["name"] for row in client.rows("listStorageAccessGroups")]
    assert sorted(names) == ["a", "b", "c", "d", "e"]
    assert [row["name"] for row in client.rows("listStorageAccessGroups", keyword="d")] == ["d"]
    named = client.one("listStorageAccessGroups", name="e")
    assert [row["id"] for row in named["hosts"]["responses"]] == [host]
    assert named["zones"] == {"responses": []}
    # What a higher level takes, the lower ones lose.
    client.run("configureStorageAccess", zoneid=zone, storageaccessgroups="a,c,d,e")
    assert "storageaccessgroups" not in client.rows("listPods", id=pod)[0]
    assert "storageaccessgroups" not in client.rows("listHosts", id=host)[0]
    client.run("configureStorageAccess", zoneid=zone, storageaccessgroups="")
    assert client.rows("listStorageAccessGroups") == []


@pytest.mark.parametrize(
    ("named", "groups", "refusal"),
    [
        ((), "a", "Exactly one of zoneid, podid, clusterid, hostid or storagepoolid is required"),
        (("zoneid", "podid"), "a", "Exactly one of zoneid, podid, clusterid, hostid or storagepoolid is required"),
        (("zoneid",), None, "storageaccessgroups parameter is required"),
    ],
)
def test_requests_that_are_refused(
    client: Client, zone: str, named: tuple[str, ...], groups: str | None, refusal: str
) -> None:
    ids = {"zoneid": zone, "podid": client.rows("listPods")[0]["id"]}
    params = {name: ids[name] for name in named} | ({} if groups is None else {"storageaccessgroups": groups})
    assert client.refused("configureStorageAccess", **params) == (530, f"Failed to configure storage access, {refusal}")


def test_a_pool_with_groups_serves_only_their_hosts(client: Client, zone: str) -> None:
    client.account("owner")
    pools, hosts = client.rows("listStoragePools"), client.rows("listHosts", type="Routing")
    for pool in pools:
        client.run("configureStorageAccess", storageid=pool["id"], storageaccessgroups="fast")
    assert deploy(client, zone)["errorcode"] == 533
    client.run("configureStorageAccess", hostid=hosts[0]["id"], storageaccessgroups="fast")
    vm = deploy(client, zone)["virtualmachine"]
    assert vm["hostid"] == hosts[0]["id"]
    used = client.one("listVolumes", virtualmachineid=vm["id"], listall=True)["storageid"]
    assert client.refused("configureStorageAccess", storageid=used, storageaccessgroups="slow") == (
        530,
        "Failed to configure storage access, Storage access groups cannot be updated as they are currently in use by "
        "some hosts. Please check the logs.",
    )
    assert client.refused("configureStorageAccess", hostid=hosts[0]["id"], storageaccessgroups="") == (
        530,
        "Failed to configure storage access, There are volumes in storage pools with the Storage Access Groups that "
        "need to be deleted or in the storage pools which are already connected to the host",
    )


# Selectors


def test_selectors_of_secondary_storage(client: Client, zone: str) -> None:
    wanted = {"name": "s", "description": "d", "zoneid": zone, "type": "Volume", "heuristicrule": "x"}
    off = (
        "'heuristicrule' cannot be set because JavaScript interpretation is disabled in setting "
        "'js.interpretation.enabled'."
    )
    assert client.refused("createSecondaryStorageSelector", **wanted) == (431, off)
    client.run("updateConfiguration", name="js.interpretation.enabled", value=True)
    made = client.one("createSecondaryStorageSelector", **wanted)
    assert (made["type"], made["heuristicrule"]) == ("VOLUME", "x")
    code, text = client.refused("createSecondaryStorageSelector", **wanted)
    assert code == 530
    assert text.startswith("There is already a heuristic rule in the specified Zone {")
    assert client.refused("createSecondaryStorageSelector", **wanted | {"type": "disk"}) == (
        431,
        "The given heuristic type [disk] is not valid for creating a new secondary storage selector. "
        "The valid options are [ISO, SNAPSHOT, TEMPLATE, VOLUME, BACKUP].",
    )
    assert client.one("updateSecondaryStorageSelector", id=made["id"], heuristicrule="y")["heuristicrule"] == "y"
    client.run("removeSecondaryStorageSelector", id=made["id"])
    assert client.rows("listSecondaryStorageSelectors", zoneid=zone) == []
    (gone,) = client.rows("listSecondaryStorageSelectors", zoneid=zone, showremoved=True)
    assert "removed" in gone
    assert client.refused("removeSecondaryStorageSelector", id=made["id"]) == (
        530,
        "Unable to find an active heuristic with the specified UUID.",
    )


# Backups


def test_backup_repositories(client: Client, zone: str) -> None:
    made = client.one(
        "addBackupRepository",
        name="r",
        zoneid=zone,
        provider="nas",
        type="nfs",
        address="192.0.2.1:/r",
        mountopts="ro",
        capacitybytes=1000,
    )
    assert (made["provider"], made["mountopts"], made["capacitybytes"]) == ("nas", "ro", 1000)
    changed = client.one("updateBackupRepository", id=made["id"], name="s", mountopts="")
    assert (changed["name"], "mountopts" in changed) == ("s", False)
    assert client.rows("listBackupRepositories", provider="veeam") == []
    assert [row["id"] for row in client.rows("listBackupRepositories", keyword="NAS")] == [made["id"]]
    client.run("deleteBackupRepository", id=made["id"])
    assert client.rows("listBackupRepositories") == []
    assert client.refused("updateBackupRepository", id=made["id"], name="t") == (
        530,
        "Failed to update the backup repository",
    )


def test_there_are_no_backup_jobs(client: Client) -> None:
    assert client.run("listBackupServiceJobs", type="BackupValidation") == {}
    assert client.refused("listBackupServiceJobs") == (530, "Name is null")


# Traffic monitors


def test_a_zone_has_one_traffic_monitor(client: Client, zone: str) -> None:
    made = client.one("addTrafficMonitor", zoneid=zone, url="http://192.0.2.7:8080/x")
    assert made["ipaddress"] == "192.0.2.7"
    code, text = client.refused("addTrafficMonitor", zoneid=zone, url="http://192.0.2.8")
    assert code == 431
    assert text.startswith("Already added an traffic monitor in zone: Zone {")
    assert [row["id"] for row in client.rows("listTrafficMonitors", zoneid=zone)] == [made["id"]]
    assert client.refused("reconnectHost", id=made["id"])[0] in (431, 530)
    client.run("deleteTrafficMonitor", id=made["id"])
    assert client.rows("listTrafficMonitors", zoneid=zone) == []
    assert client.refused("addTrafficMonitor", zoneid=zone, url="nowhere") == (530, "Unable to find IP")


# Object storage as secondary storage


def test_object_storage_is_not_mixed_with_files(client: Client) -> None:
    mixed = (431, "You can only add new image stores from the same provider NFS already added")
    s3 = {"accesskey": "a", "secretkey": "hidden", "endpoint": "s3.example.org", "bucket": "b"}
    assert client.refused("addSwift", url="http://swift.example.org") == mixed
    assert client.refused("addImageStoreS3", **s3) == mixed


def test_swift() -> None:
    with Simulator(ready=False) as simulator:
        client = Client(simulator)
        made = client.run("addSwift", url="http://swift.example.org", account="a", username="u", key="hidden")
        store = made["secondarystorage"]
        assert (store["providername"], store["scope"], store["protocol"]) == ("Swift", "REGION", "http")
        assert [row["id"] for row in client.rows("listSwifts")] == [store["id"]]
        assert "hidden" not in str(client.run("listImageStores"))


def test_s3() -> None:
    with Simulator(ready=False) as simulator:
        client = Client(simulator)
        s3 = {"accesskey": "a", "secretkey": "hidden", "endpoint": "s3.example.org", "bucket": "b"}
        stores = [client.one("addImageStoreS3", **s3, usehttps=https) for https in (True, False)]
        assert [row["protocol"] for row in stores] == ["https", "http"]
        assert {(row["providername"], row["scope"], "name" in row) for row in stores} == {("S3", "REGION", False)}
        assert client.rows("listSwifts") == []
        assert "hidden" not in str(client.run("listImageStores"))
