"""Object storage in the simulator: pools, buckets and their limits; looking into other storage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cs_matrix_pytest.simulator import Simulator
from simulator_over_http import Client, signed_by

GIB = 1024**3


@pytest.fixture
def client() -> Iterator[Client]:
    with Simulator() as simulator:
        yield Client(simulator)


@pytest.fixture
def pool(client: Client) -> dict[str, Any]:
    return client.one("addObjectStoragePool", name="pool", url="http://192.168.0.1", provider="Simulator", size=10)


@pytest.fixture
def owner(client: Client) -> dict[str, str]:
    return {"account": "bob", "domainid": client.account("bob")["domainid"]}


def test_life_of_a_pool(client: Client, pool: dict[str, Any]) -> None:
    assert pool == {"id": pool["id"], "name": "pool", "providername": "Simulator"}
    listed = client.one("listObjectStoragePools", provider="simulator", keyword="poo")
    assert (listed["url"], listed["storagetotal"], listed["storageallocated"]) == ("http://192.168.0.1", 10 * GIB, 0)
    client.run("updateObjectStoragePool", id=pool["id"], name="other", url="https://s3.example.org", size=0)
    listed = client.one("listObjectStoragePools", id=pool["id"])
    assert (listed["name"], listed["url"], "storagetotal" in listed) == ("other", "https://s3.example.org", False)
    client.run("deleteObjectStoragePool", id=pool["id"])
    assert client.rows("listObjectStoragePools") == []


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"name": "pool"}, "The object store with name pool already exists, try creating with another name"),
        ({"url": "http://192.168.0.1"}, "The object store with url http://192.168.0.1 already exists"),
        ({"provider": "Floppy"}, "can't find object store provider: Floppy"),
        ({"url": "ftp://192.168.0.2"}, "Unsupported scheme for url: ftp://192.168.0.2"),
        ({"url": "http://127.0.0.1"}, "Illegal host specified in URL."),
        ({"url": "http://[::2]"}, "IPv6 addresses are not supported (0000:0000:0000:0000:0000:0000:0000:0002)."),
        ({"url": "http://[x"}, "Invalid URL: http://[x"),
        ({"provider": "MinIO"}, "Failed to add object store: MinIO credentials are missing"),
        (
            {"provider": "Ceph", "details[0].accesskey": "a"},
            "Failed to add object store: Error while initializing Ceph RGW Object Store. Invalid credentials or URL",
        ),
    ],
)
def test_pools_that_are_refused(client: Client, pool: dict[str, Any], params: dict[str, str], text: str) -> None:
    given = {"name": "new", "url": "http://192.168.0.2", "provider": "Simulator", **params}
    assert client.refused("addObjectStoragePool", **given) == (530, text)


def test_life_of_a_bucket(client: Client, pool: dict[str, Any], owner: dict[str, str]) -> None:
    given = {"name": "my-bucket", "objectstorageid": pool["id"], "quota": 4, "encryption": True, "policy": "private"}
    made = client.one("createBucket", **given, **owner)
    assert (made["state"], made["quota"], made["encryption"], made["versioning"]) == ("Created", 4, True, False)
    # What its driver makes of it is told by lists only.
    assert "url" not in made
    listed = client.one("listBuckets", listall=True)
    assert (listed["url"], listed["account"]) == ("http://192.168.0.1/my-bucket", "bob")
    assert client.one("listObjectStoragePools")["storageallocated"] == 4 * GIB
    client.run("updateBucket", id=made["id"], quota=6, versioning=True, encryption=False)
    listed = client.one("listBuckets", id=made["id"])
    assert (listed["quota"], listed["versioning"], listed["encryption"]) == (6, True, False)
    assert client.refused("deleteObjectStoragePool", id=pool["id"]) == (431, "Cannot delete object store with buckets")
    client.run("deleteBucket", id=made["id"])
    assert client.rows("listBuckets", listall=True) == []
    assert client.one("listObjectStoragePools")["storageallocated"] == 0


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("ab", "should be between 3 and 63 characters long"),
        ("10.0.0.1", "must not be formatted as an IP Address"),
        ("Bucket", "should not contain uppercase characters"),
        ("a bucket", "should not contain white space"),
        (".bucket", "should not begin with a period"),
        ("a..b", "should not contain two adjacent periods"),
        ("a-.b", "should not contain dashes next to periods"),
        ("-bucket", "should not begin with a '-'"),
        ("buck_et", "should not contain '_'"),
        ("bucket-", "should not end with '-' or '.'"),
    ],
)
def test_names_of_buckets(client: Client, pool: dict[str, Any], name: str, problem: str) -> None:
    refusal = client.refused("createBucket", name=name, objectstorageid=pool["id"], quota=1)
    assert refusal == (431, f"Invalid Bucket Name: Bucket name {problem}")


def test_buckets_are_limited(client: Client, pool: dict[str, Any], owner: dict[str, str]) -> None:
    given = {"objectstorageid": pool["id"], **owner}
    client.run("updateResourceLimit", resourcetype=14, max=1, **owner)
    client.run("updateResourceLimit", resourcetype=15, max=5, **owner)
    bucket = client.one("createBucket", name="first", quota=3, **given)
    code, text = client.refused("createBucket", name="second", quota=1, **given)
    assert (code, "Type = 'bucket'" in text) == (535, True)
    code, text = client.refused("updateBucket", id=bucket["id"], quota=6)
    assert (code, text.startswith("Error while updating bucket. Error while updating bucket: first. Maximum")) == (
        530,
        True,
    )
    assert client.one("listBuckets", id=bucket["id"])["quota"] == 3
    account = client.one("listAccounts", name="bob", listall=True)
    assert (account["buckettotal"], account["objectstoragetotal"]) == (1, 3)


def test_a_full_pool_takes_no_bucket(client: Client, pool: dict[str, Any]) -> None:
    admin = {"account": "admin", "domainid": client.one("listDomains", name="ROOT", listall=True)["id"]}
    client.run("createBucket", name="first", objectstorageid=pool["id"], quota=8, **admin)
    assert client.refused("createBucket", name="second", objectstorageid=pool["id"], quota=3, **admin) == (
        530,
        "Failed to create bucket with name: second. Not enough space in object store to create the bucket",
    )
    assert len(client.rows("listBuckets", listall=True)) == 1


def test_buckets_are_their_owners(client: Client, pool: dict[str, Any], owner: dict[str, str]) -> None:
    bucket = client.one("createBucket", name="mine", objectstorageid=pool["id"], quota=1, **owner)
    eve = signed_by(client, client.account("eve"))
    assert eve.rows("listBuckets", listall=True) == []
    assert eve.refused("deleteBucket", id=bucket["id"])[0] == 531


# Other storage


def test_simulated_storage_cannot_be_looked_into(client: Client) -> None:
    refusal = (530, "Failed to list datastore objects")
    assert client.refused("listStoragePoolObjects", id=client.rows("listStoragePools")[0]["id"]) == refusal
    assert client.refused("listImageStoreObjects", id=client.one("listImageStores")["id"]) == refusal


def test_an_object_of_an_image_store_has_one_url(client: Client) -> None:
    store = client.one("listImageStores")["id"]
    made = client.one("downloadImageStoreObject", id=store, path="template/tmpl/1/a.qcow2")
    assert (made["name"], made["state"], made["url"].rpartition(".")[2]) == ("a.qcow2", "DOWNLOAD_URL_CREATED", "qcow2")
    again = client.one("downloadImageStoreObject", id=store, path="/template/tmpl/1/a.qcow2")
    assert again["url"] == made["url"]
    refusal = (530, "Failed to create download url for image store object")
    assert client.refused("downloadImageStoreObject", id=store, path="a.txt") == refusal
