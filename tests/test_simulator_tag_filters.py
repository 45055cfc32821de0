"""The parameter ``tags`` of list commands, and how much of a tag the answers of each resource show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cs_matrix_pytest.simulator import Simulator
from simulator_over_http import Client, SignedClient

FILTERED = {
    "listDomains": "Domain",
    "listEgressFirewallRules": "FirewallRule",
    "listFirewallRules": "FirewallRule",
    "listLoadBalancerRules": "LoadBalancer",
    "listNetworkACLs": "NetworkACL",
    "listNetworks": "Network",
    "listPortForwardingRules": "PortForwardingRule",
    "listPublicIpAddresses": "PublicIpAddress",
    "listSecurityGroups": "SecurityGroup",
    "listSnapshots": "Snapshot",
    "listTemplates": "Template",
    "listVMSnapshot": "VMSnapshot",
    "listVPCs": "Vpc",
    "listVirtualMachines": "UserVm",
    "listVolumes": "Volume",
}
"""Lists that filter by tags, and the type of what they list."""
BARE = {
    "Domain",
    "FirewallRule",
    "LoadBalancer",
    "Network",
    "NetworkACL",
    "PortForwardingRule",
    "PublicIpAddress",
    "Vpc",
}


def tags(*pairs: tuple[str, str]) -> dict[str, str]:
    written: dict[str, str] = {}
    for index, (key, value) in enumerate(pairs):
        written |= {f"tags[{index}].key": key, f"tags[{index}].value": value}
    return written


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Simulator() as simulator:
        yield SignedClient(simulator)


@pytest.fixture(scope="module")
def made(client: Client) -> dict[str, str]:
    """One resource for every filtered list, by the list; each has the tags env=prod and tier=web."""
    zone = client.rows("listZones")[0]["id"]
    named = {"name": "DefaultIsolatedNetworkOfferingWithSourceNatService"}
    network = client.one(
        "createNetwork", name="n", zoneid=zone, networkofferingid=client.one("listNetworkOfferings", **named)["id"]
    )
    vm = client.one(
        "deployVirtualMachine",
        zoneid=zone,
        networkids=network["id"],
        templateid=client.rows("listTemplates", templatefilter="featured")[0]["id"],
        serviceofferingid=client.rows("listServiceOfferings")[0]["id"],
    )
    address = client.one("associateIpAddress", networkid=network["id"])["id"]
    ports = {"publicport": 80, "privateport": 80}
    volume = client.one("listVolumes", virtualmachineid=vm["id"])["id"]
    vpc = client.one(
        "createVPC",
        name="v",
        cidr="10.9.0.0/16",
        zoneid=zone,
        vpcofferingid=client.one("listVPCOfferings", name="Default VPC offering")["id"],
    )["id"]
    acl = client.one("createNetworkACLList", name="a", vpcid=vpc)["id"]
    rule = {"protocol": "tcp", "startport": 1, "endport": 2}
    ids = {
        "listDomains": client.one("createDomain", name="d")["id"],
        "listEgressFirewallRules": client.one("createEgressFirewallRule", networkid=network["id"], **rule)["id"],
        "listFirewallRules": client.one("createFirewallRule", ipaddressid=address, **rule)["id"],
        "listLoadBalancerRules": client.one(
            "createLoadBalancerRule", name="lb", publicipid=address, algorithm="roundrobin", openfirewall=False, **ports
        )["id"],
        "listNetworkACLs": client.one("createNetworkACL", aclid=acl, **rule)["id"],
        "listNetworks": network["id"],
        "listPortForwardingRules": client.one(
            "createPortForwardingRule",
            ipaddressid=address,
            virtualmachineid=vm["id"],
            protocol="tcp",
            openfirewall=False,
            publicport=22,
            privateport=22,
        )["id"],
        "listPublicIpAddresses": address,
        "listSecurityGroups": client.one("createSecurityGroup", name="s")["id"],
        "listSnapshots": client.one("createSnapshot", volumeid=volume)["id"],
        "listTemplates": vm["templateid"],
        "listVMSnapshot": client.one("createVMSnapshot", virtualmachineid=vm["id"])["id"],
        "listVPCs": vpc,
        "listVirtualMachines": vm["id"],
        "listVolumes": volume,
    }
    for command, id in ids.items():
        client.run(
            "createTags", resourcetype=FILTERED[command], resourceids=id, **tags(("env", "prod"), ("tier", "web"))
        )
    return ids


def listed(client: Client, command: str, *pairs: tuple[str, str]) -> list[dict[str, Any]]:
    which = {"templatefilter": "all"} if command == "listTemplates" else {}
    return client.rows(command, listall=True, **which, **tags(*pairs))


@pytest.mark.parametrize("command", sorted(FILTERED))
def test_one_tag_of_many_is_enough_in_whatever_case(client: Client, made: dict[str, str], command: str) -> None:
    for pairs in (
        [("env", "prod")],
        [("ENV", "Prod")],
        [("env", "prod"), ("tier", "db")],
        [("a", "b"), ("tier", "web")],
    ):
        assert [row["id"] for row in listed(client, command, *pairs)] == [made[command]]
    assert listed(client, command, ("env", "test"), ("prod", "env")) == []


@pytest.mark.parametrize("command", sorted(FILTERED))
def test_what_an_answer_shows_of_a_tag(client: Client, made: dict[str, str], command: str) -> None:
    (row,) = listed(client, command, ("env", "prod"))
    (tag,) = (tag for tag in row["tags"] if tag["key"] == "env")
    if FILTERED[command] in BARE:
        assert tag == {"key": "env", "value": "prod"}
    else:
        assert tag.keys() > {"key", "value", "resourcetype", "resourceid", "account", "domainid", "domain"}
        assert (tag["resourcetype"], tag["resourceid"]) == (FILTERED[command], made[command])


def test_a_new_snapshot_shows_key_and_value(client: Client, made: dict[str, str]) -> None:
    snapshot = client.one("createSnapshot", volumeid=made["listVolumes"], **tags(("a", "b")))
    assert snapshot["tags"] == [{"key": "a", "value": "b"}]


def test_projects_are_listed_whatever_their_tags(client: Client) -> None:
    project = client.one("createProject", name="p", displaytext="p")["id"]
    assert [row["id"] for row in client.rows("listProjects", listall=True, **tags(("no", "such")))] == [project]


def test_a_key_needs_a_value(client: Client) -> None:
    assert client.refused("listVolumes", **{"tags[0].key": "env"}) == (431, "No value is passed in for key env")
