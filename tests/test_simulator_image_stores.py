"""Secondary storage: moving images between stores, and whose a template from a disk is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cs_matrix_pytest.simulator import Simulator
from simulator_over_http import Client

URLS = {"Iso": "http://example.org/image.iso", "Template": "http://example.org/image.qcow2"}


@pytest.fixture
def client() -> Iterator[Client]:
    with Simulator(api_port=0) as simulator:
        yield Client(simulator)


@pytest.fixture
def stores(client: Client) -> tuple[str, str]:
    """The ready zone's store, and a second one."""
    first = client.one("listImageStores")
    second = client.one(
        "addImageStore", provider="NFS", zoneid=first["zoneid"], url="nfs://10.0.0.9/second", name="two"
    )
    return first["id"], second["id"]


def migrate(client: Client, source: str, target: str, **options: str) -> dict[str, object]:
    answer = client.run("migrateSecondaryStorageData", srcpool=source, destpools=target, **options)
    return answer.get("imagestore", answer)


def register(client: Client, what: str, **options: str) -> str:
    """A template or an ISO of the caller's: its id."""
    zone, os_type = client.rows("listZones")[0]["id"], client.rows("listOsTypes")[0]["id"]
    given = {"name": "mine", "displaytext": "mine", "url": URLS[what], "zoneid": zone, "ostypeid": os_type}
    return str(client.one(f"register{what}", **given, **options)["id"])


def store_of(client: Client, what: str, id: str) -> str:
    (found,) = client.rows(f"list{what}s", **{f"{what.lower()}filter": "all"}, id=id)
    return str(found["downloaddetails"][0]["datastoreId"])


def test_all_images_but_simulated_ones_move_and_the_source_becomes_read_only(
    client: Client, stores: tuple[str, str]
) -> None:
    iso, simulated = register(client, "Iso"), register(client, "Template", format="QCOW2", hypervisor="Simulator")
    client.pass_time(600)
    source = store_of(client, "Iso", iso)
    target = next(store for store in stores if store != source)
    assert store_of(client, "Template", simulated) == source
    answer = migrate(client, source, target)
    assert (answer["migrationtype"], answer["success"]) == ("COMPLETE", True)
    assert str(answer["message"]).startswith("Migration completed. successful migrations: ")
    assert store_of(client, "Iso", iso) == target
    assert store_of(client, "Template", simulated) == source
    assert client.one("listImageStores", id=source)["readonly"] is True
    assert str(migrate(client, source, target)["message"]).startswith("No files in Image store")


@pytest.mark.parametrize("policy", ["complete", "balance"])
def test_nothing_moves_to_a_read_only_store(client: Client, stores: tuple[str, str], policy: str) -> None:
    first, second = stores
    client.run("updateImageStore", id=second, readonly=True)
    code, text = client.refused("migrateSecondaryStorageData", srcpool=first, destpools=second, migrationtype=policy)
    assert code == 530
    assert text.startswith("No destination valid store(s) available to migrate.")
    assert client.one("listImageStores", id=first)["readonly"] is False


def test_a_policy_that_is_none_is_refused(client: Client, stores: tuple[str, str]) -> None:
    first, second = stores
    refused = client.refused("migrateSecondaryStorageData", srcpool=first, destpools=second, migrationtype="some")
    assert refused == (530, "Not a valid migration policy")


def test_a_template_from_a_disk_is_the_callers_where_nobody_is_found(client: Client) -> None:
    zone, size = client.rows("listZones")[0]["id"], client.rows("listServiceOfferings")[0]["id"]
    template = client.rows("listTemplates", templatefilter="featured")[0]
    person = {"firstname": "a", "lastname": "b", "email": "a@example.org", "password": "p"}
    owner = client.one("createAccount", username="maker", accounttype=0, **person)
    whose = {"account": owner["name"], "domainid": owner["domainid"]}
    vm = client.one("deployVirtualMachine", zoneid=zone, serviceofferingid=size, templateid=template["id"], **whose)
    client.run("stopVirtualMachine", id=vm["id"])
    volume = client.one("listVolumes", virtualmachineid=vm["id"], listall=True)["id"]
    given = {"displaytext": "t", "ostypeid": template["ostypeid"], "volumeid": volume}
    assert client.one("createTemplate", name="one", **given, **whose)["account"] == owner["name"]
    unnamed = client.one("createTemplate", name="two", account=owner["name"], **given)
    assert unnamed["account"] == "system"
