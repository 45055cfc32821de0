"""Clones of offerings: what they take from their source, and what the server cannot clone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cs_matrix_pytest.simulator import Simulator
from simulator_over_http import Client, signed_by


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Simulator() as simulator:
        yield Client(simulator)


def named(client: Client, command: str, name: str) -> dict[str, Any]:
    return next(row for row in client.rows(command) if row["name"] == name)


def without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in ("id", "created", "name", "displaytext", *names)}


def test_a_service_offering_is_cloned_with_its_disk(client: Client) -> None:
    source = client.one(
        "createServiceOffering",
        name="source",
        displaytext="the source",
        cpunumber=2,
        cpuspeed=700,
        memory=512,
        offerha=True,
        hosttags="fast",
        tags="ssd",
        rootdisksize=7,
        **{"serviceofferingdetails[0].key": "colour", "serviceofferingdetails[0].value": "red"},
    )
    clone = client.one("cloneServiceOffering", name="clone", sourceofferingid=source["id"], memory=1024)
    assert without(clone, "memory") == without(source, "memory")
    assert (clone["name"], clone["displaytext"], clone["memory"]) == ("clone", "clone", 1024)
    assert clone["diskofferingid"] == source["diskofferingid"]
    other = client.one(
        "cloneServiceOffering",
        name="other",
        sourceofferingid=source["id"],
        offerha=False,
        **{"serviceofferingdetails[0].size": "big"},
    )
    assert (other["offerha"], other["serviceofferingdetails"]) == (False, {"size": "big"})


def test_a_customised_service_offering_keeps_its_ranges(client: Client) -> None:
    ranges = {"mincpunumber": 1, "maxcpunumber": 4, "minmemory": 256, "maxmemory": 1024}
    source = client.one(
        "createServiceOffering", name="custom", displaytext="c", customized=True, cpuspeed=500, **ranges
    )
    clone = client.one("cloneServiceOffering", name="custom-2", sourceofferingid=source["id"], maxmemory=2048)
    assert clone["iscustomized"] is True
    details = {name: str(value) for name, value in (ranges | {"maxmemory": 2048}).items()}
    assert clone["serviceofferingdetails"] == details


def test_disk_offerings_are_cloned_only_with_a_size(client: Client) -> None:
    """The server reads the source's bytes as GiB, so that a size must be given."""
    small, custom = named(client, "listDiskOfferings", "Small"), named(client, "listDiskOfferings", "Custom")
    assert client.refused("cloneDiskOffering", name="x", sourceofferingid=small["id"]) == (
        431,
        "The maximum size for a disk is 2000 GB.",
    )
    assert client.refused("cloneDiskOffering", name="x", sourceofferingid=custom["id"]) == (
        431,
        "Please specify a disk size of at least 1 GB.",
    )
    source = client.one(
        "createDiskOffering", name="d", displaytext="d", disksize=3, tags="ssd", bytesreadrate=5, cachemode="writeback"
    )
    clone = client.one("cloneDiskOffering", name="e", sourceofferingid=source["id"], disksize=4, iopswriterate=9)
    assert without(clone, "disksize", "diskIopsWriteRate") == without(source, "disksize")
    assert (clone["disksize"], clone["diskIopsWriteRate"], clone["displaytext"]) == (4, 9, "e")


def test_a_domain_admin_clones_for_domains_below(client: Client) -> None:
    domain = client.one("createDomain", name="cloners")
    admin = signed_by(client, client.account("cloner", domain=domain["id"], type=2))
    source = named(client, "listServiceOfferings", "Small Instance")
    code, text = admin.refused("cloneServiceOffering", name="mine", sourceofferingid=source["id"])
    assert code == 431
    assert text.startswith("Unable to create public service offering by admin: ")
    clone = admin.one("cloneServiceOffering", name="mine", sourceofferingid=source["id"], domainid=domain["id"])
    assert clone["domainid"] == domain["id"]
    again = client.one("cloneServiceOffering", name="again", sourceofferingid=clone["id"])
    assert again["domainid"] == domain["id"]


def test_network_offerings_are_cloned_with_services_added_and_dropped(client: Client) -> None:
    source = named(client, "listNetworkOfferings", "DefaultIsolatedNetworkOfferingWithSourceNatService")
    clone = client.one("cloneNetworkOffering", name="all of it", sourceofferingid=source["id"])
    assert clone["displaytext"] == source["displaytext"]
    for field in ("guestiptype", "conservemode", "state", "egressdefaultpolicy", "serviceofferingid"):
        assert clone[field] == source[field]
    services = {row["name"] for row in source["service"]}
    assert {row["name"] for row in clone["service"]} == services
    fewer = client.one(
        "cloneNetworkOffering", name="fewer", sourceofferingid=source["id"], dropservices="vpn,Lb", enable=False
    )
    assert {row["name"] for row in fewer["service"]} == services - {"Vpn", "Lb"}
    assert (fewer["state"], fewer["availability"]) == ("Disabled", "Optional")
    more = client.one(
        "cloneNetworkOffering",
        name="more",
        sourceofferingid=fewer["id"],
        addservices="Vpn",
        **{"serviceproviderlist[0].service": "Vpn", "serviceproviderlist[0].provider": "VirtualRouter"},
    )
    assert {row["name"] for row in more["service"]} >= {"Vpn"}


@pytest.mark.parametrize(
    ("source", "params", "refusal"),
    [
        (
            "DefaultIsolatedNetworkOffering",
            {"name": "DefaultL2NetworkOffering"},
            "Network offering with name 'DefaultL2NetworkOffering' already exists",
        ),
        (
            "DefaultIsolatedNetworkOffering",
            {"dropservices": "Cooking"},
            "Invalid service name in dropServices: Cooking",
        ),
        ("DefaultIsolatedNetworkOffering", {"addservices": "Cooking"}, "Invalid service name in addServices: Cooking"),
        (
            "DefaultNATNSXNetworkOffering",
            {"networkmode": "ROUTED"},
            "Cannot change network mode when cloning NSX provider network offerings. Source offering has network mode "
            "'NATTED', but 'ROUTED' was specified. ",
        ),
    ],
)
def test_network_offerings_that_cannot_be_cloned(
    client: Client, source: str, params: dict[str, str], refusal: str
) -> None:
    id = named(client, "listNetworkOfferings", source)["id"]
    request = {"name": "never", "sourceofferingid": id, **params}
    assert client.refused("cloneNetworkOffering", **request) == (431, refusal)


def test_vpc_offerings_are_cloned(client: Client) -> None:
    source = named(client, "listVPCOfferings", "Default VPC offering")
    clone = client.one("cloneVPCOffering", name="my VPCs", sourceofferingid=source["id"], dropservices="Vpn")
    assert clone["state"] == "Enabled"
    assert {row["name"] for row in clone["service"]} == {row["name"] for row in source["service"]} - {"Vpn"}
    assert clone["displaytext"] == "my VPCs"
    assert client.refused("cloneVPCOffering", name="my VPCs", sourceofferingid=source["id"]) == (
        431,
        "A VPC offering with name my VPCs already exists",
    )
    redundant = named(client, "listVPCOfferings", "Redundant VPC offering")
    code, text = client.refused("cloneVPCOffering", name="two routers", sourceofferingid=redundant["id"])
    assert code == 530
    assert text.startswith("class java.lang.String cannot be cast to class java.util.HashMap")
    assert "two routers" not in {row["name"] for row in client.rows("listVPCOfferings")}


def test_a_cloned_vpc_offering_makes_vpcs(client: Client) -> None:
    source = named(client, "listVPCOfferings", "Default VPC offering")
    clone = client.one("cloneVPCOffering", name="for VPCs", sourceofferingid=source["id"])
    admin = client.account("vpc-owner")
    vpc = client.one(
        "createVPC",
        name="v",
        displaytext="v",
        cidr="10.5.0.0/16",
        vpcofferingid=clone["id"],
        zoneid=client.rows("listZones")[0]["id"],
        account=admin["name"],
        domainid=admin["domainid"],
    )
    assert vpc["vpcofferingname"] == "for VPCs"


def test_backup_offerings(client: Client) -> None:
    zone = client.rows("listZones")[0]["id"]
    client.run("updateConfiguration", name="backup.framework.enabled", value=True)
    gold = client.one(
        "importBackupOffering",
        name="gold",
        description="g",
        zoneid=zone,
        externalid="gold-policy",
        allowuserdrivenbackups=True,
    )
    source = {"sourceofferingid": gold["id"]}
    assert client.refused("cloneBackupOffering", name="gold", **source) == (
        530,
        "A backup offering with the name 'gold' already exists in this zone",
    )
    assert client.refused("cloneBackupOffering", name="silver", **source) == (
        530,
        "A backup offering with external ID 'gold-policy' already exists in this zone",
    )
    clone = client.one("cloneBackupOffering", name="silver", externalid="silver-policy", **source)
    assert (clone["description"], clone["externalid"], clone["allowuserdrivenbackups"]) == ("g", "silver-policy", True)
    root = client.rows("listDomains")[0]["id"]
    assert client.refused("cloneBackupOffering", name="iron", externalid="iron", domainid=root, **source) == (
        530,
        f'For input string: "{root}"',
    )
    wanted = {"name": "mine", "description": "m", "zoneid": zone, "allowuserdrivenbackups": True}
    assert client.refused("createBackupOffering", **wanted) == (431, "Only KBOSS supports this API currently.")
