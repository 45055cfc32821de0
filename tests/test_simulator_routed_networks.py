"""Routed networks and VPCs: AS numbers, BGP peers, IPv4 subnets, and what takes and gives them back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs_matrix_pytest.simulator import Simulator, ipv4
from cs_matrix_pytest.simulator.families.ipv4_subnets import blocks
from simulator_over_http import Client, signed_by


@pytest.fixture
def client() -> Iterator[Client]:
    with Simulator() as simulator:
        yield Client(simulator)


@pytest.fixture
def zone(client: Client) -> str:
    return str(client.rows("listZones")[0]["id"])


@pytest.fixture
def owner(client: Client) -> Iterator[dict[str, Any]]:
    """An account of a domain of its own."""
    domain = client.one("createDomain", name="routed")
    yield client.account("router", domain=domain["id"])
    client.run("deleteDomain", id=domain["id"], cleanup=True)


def whose(owner: dict[str, Any]) -> dict[str, str]:
    return {"account": owner["name"], "domainid": owner["domainid"]}


def network_offering(client: Client, name: str, **options: Any) -> str:
    services = ("Dhcp", "Dns", "Firewall", "UserData")
    providers = {
        f"serviceproviderlist[{number}].{key}": value
        for number, service in enumerate(services)
        for key, value in (("service", service), ("provider", "VirtualRouter"))
    }
    offering = client.one(
        "createNetworkOffering",
        name=name,
        displaytext=name,
        traffictype="GUEST",
        guestiptype="Isolated",
        networkmode="ROUTED",
        supportedservices=",".join(services),
        enable=True,
        **options,
        **providers,
    )
    return str(offering["id"])


@pytest.fixture
def static(client: Client) -> str:
    return network_offering(client, "static routes")


@pytest.fixture
def dynamic(client: Client) -> str:
    return network_offering(client, "dynamic routes", routingmode="Dynamic")


# AS numbers


def test_a_range_of_as_numbers(client: Client, zone: str) -> None:
    made = client.one("createASNRange", zoneid=zone, startasn=65000, endasn=65003)
    assert (made["startasn"], made["endasn"], made["zoneid"]) == (65000, 65003, zone)
    numbers = client.rows("listASNumbers", asnrangeid=made["id"])
    assert [row["asnumber"] for row in numbers] == [65000, 65001, 65002, 65003]
    assert {row["allocationstate"] for row in numbers} == {"Free"}
    assert {row["asnrange"] for row in numbers} == {"65000-65003"}
    assert client.refused("createASNRange", zoneid=zone, startasn=65003, endasn=65009) == (
        530,
        "Cannot create AS Number Range 65003-65009 for zone 1: New AS number range (65003-65009) has conflict with an "
        "existing AS number range (65000-65003)",
    )
    assert client.refused("createASNRange", zoneid=zone, startasn=9, endasn=8) == (
        530,
        "Cannot create AS Number Range 9-8 for zone 1: Please specify a valid AS Number range",
    )
    assert client.run("releaseASNumber", zoneid=zone, asnumber=65001) == {
        "success": True,
        "displaytext": "AS Number 65001 is released successfully",
    }
    code, text = client.refused("releaseASNumber", zoneid=zone, asnumber=7)
    assert (code, text.partition(" on zone ")[0]) == (
        530,
        "Error releasing AS Number 7: Cannot release AS Number 7: Cannot find AS Number 7",
    )
    client.run("deleteASNRange", id=made["id"])
    assert client.rows("listASNumbers") == client.rows("listASNRanges") == []


def test_a_dynamic_network_takes_an_as_number(client: Client, zone: str, owner: dict[str, Any], dynamic: str) -> None:
    subnet = client.one("createIpv4SubnetForZone", zoneid=zone, subnet="10.20.0.0/16")
    wanted = {"name": "n", "zoneid": zone, "networkofferingid": dynamic, "cidrsize": 25, **whose(owner)}
    assert client.refused("createNetwork", **wanted) == (530, "Cannot allocate AS number in zone with ID 1")
    assert client.rows("listNetworks", listall=True, **whose(owner)) == []
    made = client.one("createASNRange", zoneid=zone, startasn=100, endasn=101)
    network = client.one("createNetwork", **wanted)
    assert (network["asnumber"], network["ip4routing"], network["cidr"]) == (100, "Dynamic", "10.20.0.0/25")
    (taken,) = client.rows("listASNumbers", isallocated=True)
    assert (taken["associatednetworkid"], taken["account"], taken["asnumber"]) == (network["id"], owner["name"], 100)
    code, text = client.refused("deleteASNRange", id=made["id"])
    assert (code, text) == (530, "There are 1 AS numbers in use from the range 100-101, cannot remove the range")
    mine, other = signed_by(client, owner), signed_by(client, client.account("another"))
    assert [row["asnumber"] for row in mine.rows("listASNumbers")] == [100, 101]
    assert [row["asnumber"] for row in other.rows("listASNumbers")] == [101]
    client.run("deleteNetwork", id=network["id"])
    assert client.rows("listASNumbers", isallocated=True) == []
    client.run("deleteASNRange", id=made["id"])
    client.run("deleteIpv4SubnetForZone", id=subnet["id"])


# BGP peers


def test_bgp_peers(client: Client, zone: str, owner: dict[str, Any]) -> None:
    peer = client.one(
        "createBgpPeer",
        zoneid=zone,
        asnumber=9000,
        ipaddress="192.0.2.1",
        password="hidden",
        **{"details[0].ebgp_multihop": "2"},
    )
    assert (peer["asnumber"], peer["ipaddress"], peer["details"]) == (9000, "192.0.2.1", {"EBGP_MultiHop": "2"})
    assert "password" not in peer
    same = {"zoneid": zone, "asnumber": 9000}
    assert client.refused("createBgpPeer", **same, ipaddress="192.0.2.1") == (
        431,
        "There is already a BGP peer with same IPv4 address and AS number in the zone.",
    )
    assert client.refused("createBgpPeer", **same) == (
        431,
        "At least one of IPv4 and IPv6 address must be specified.",
    )
    assert client.refused("createBgpPeer", **same, ip6address="192.0.2.1") == (431, "IPv6 address is not valid.")
    changed = client.one("updateBgpPeer", id=peer["id"], ip6address="2001:db8::1", ipaddress=" ", cleanupdetails=True)
    assert (changed["ip6address"], "ipaddress" in changed, "details" in changed) == ("2001:db8::1", False, False)
    assert client.refused("updateBgpPeer", id=peer["id"], ip6address=" ") == (
        431,
        "At least one of IPv4 and IPv6 address must be specified.",
    )
    dedicated = client.one("dedicateBgpPeer", id=peer["id"], **whose(owner))
    assert (dedicated["account"], dedicated["domainid"]) == (owner["name"], owner["domainid"])
    assert [row["id"] for row in client.rows("listBgpPeers", isdedicated=True)] == [peer["id"]]
    assert client.rows("listBgpPeers", isdedicated=False) == []
    assert client.refused("listBgpPeers", **whose(owner)) == (
        431,
        "zoneId is required when list BGP peers for an account.",
    )
    assert [row["id"] for row in client.rows("listBgpPeers", zoneid=zone, **whose(owner))] == [peer["id"]]
    assert "domainid" not in client.one("releaseBgpPeer", id=peer["id"])
    client.run("deleteBgpPeer", id=peer["id"])
    assert client.rows("listBgpPeers") == []


def test_networks_and_vpcs_use_peers(
    client: Client, zone: str, owner: dict[str, Any], static: str, dynamic: str
) -> None:
    subnet = client.one("createIpv4SubnetForZone", zoneid=zone, subnet="10.30.0.0/16")
    numbers = client.one("createASNRange", zoneid=zone, startasn=200, endasn=210)
    one, other = (
        client.one("createBgpPeer", zoneid=zone, asnumber=9, ipaddress=f"192.0.2.{last}")["id"] for last in (1, 2)
    )
    network = client.one(
        "createNetwork",
        name="n",
        zoneid=zone,
        networkofferingid=dynamic,
        cidrsize=26,
        bgppeerids=one,
        **whose(owner),
    )
    assert [peer["id"] for peer in network["bgppeers"]] == [one]
    assert client.refused("deleteBgpPeer", id=one) == (431, "The BGP peer is being used by 1 guest networks.")
    changed = client.one("changeBgpPeersForNetwork", networkid=network["id"], bgppeerids=f"{one},{other}")
    assert {"id", "asnumber"} <= changed.keys()
    (listed,) = client.rows("listNetworks", id=network["id"], listall=True)
    assert [peer["id"] for peer in listed["bgppeers"]] == [one, other]
    assert "bgppeers" not in signed_by(client, owner).rows("listNetworks", id=network["id"])[0]
    stranger = client.account("stranger")
    assert client.refused("dedicateBgpPeer", id=one, **whose(stranger)) == (
        431,
        "The subnet is being used by 1 guest networks of other domains.",
    )
    plain = client.one("createNetwork", name="p", zoneid=zone, networkofferingid=static, cidrsize=26, **whose(owner))
    assert (plain["ip4routing"], "asnumber" in plain) == ("Static", False)
    assert client.refused("changeBgpPeersForNetwork", networkid=plain["id"], bgppeerids=one) == (
        431,
        "The network does not support Dynamic routing",
    )
    client.run("dedicateBgpPeer", id=other, domainid=owner["domainid"])
    foreign = client.account("foreign")
    assert client.refused(
        "createNetwork",
        name="f",
        zoneid=zone,
        networkofferingid=dynamic,
        cidrsize=26,
        bgppeerids=other,
        **whose(foreign),
    ) == (431, f"BGP peer (ID: {other}) belongs to a different domain")
    for each in (network, plain):
        client.run("deleteNetwork", id=each["id"])
    for peer in (one, other):
        client.run("deleteBgpPeer", id=peer)
    client.run("deleteASNRange", id=numbers["id"])
    client.run("deleteIpv4SubnetForZone", id=subnet["id"])


# IPv4 subnets


def test_subnets_of_a_zone(client: Client, zone: str, owner: dict[str, Any]) -> None:
    subnet = client.one("createIpv4SubnetForZone", zoneid=zone, subnet="10.40.7.9/16")
    assert (subnet["subnet"], subnet["zoneid"]) == ("10.40.0.0/16", zone)
    assert client.refused("createIpv4SubnetForZone", zoneid=zone, subnet="10.40.1.0/24") == (
        431,
        "Existing zone subnet 10.40.0.0/16 has overlap with: 10.40.1.0/24",
    )
    assert client.refused("createIpv4SubnetForZone", zoneid=zone, subnet="10.41.0.0") == (
        431,
        "Invalid IPv4 subnet: 10.41.0.0",
    )
    dedicated = client.one("dedicateIpv4SubnetForZone", id=subnet["id"], **whose(owner))
    assert dedicated["account"] == owner["name"]
    assert [row["id"] for row in client.rows("listIpv4SubnetsForZone", **whose(owner))] == [subnet["id"]]
    assert "account" not in client.one("releaseIpv4SubnetForZone", id=subnet["id"])
    part = client.one("createIpv4SubnetForGuestNetwork", parentid=subnet["id"], subnet="10.40.8.0/24")
    assert (part["state"], part["parentsubnet"], part["subnet"]) == ("Free", "10.40.0.0/16", "10.40.8.0/24")
    assert client.refused("updateIpv4SubnetForZone", id=subnet["id"], subnet="10.40.0.0/21") == (
        431,
        "Used subnet for guest network 10.40.8.0/24 is not within new cidr: 10.40.0.0/21",
    )
    assert client.one("updateIpv4SubnetForZone", id=subnet["id"], subnet="10.40.0.0/20")["subnet"] == "10.40.0.0/20"
    client.run("deleteIpv4SubnetForZone", id=subnet["id"])
    assert client.rows("listIpv4SubnetsForZone") == client.rows("listIpv4SubnetsForGuestNetwork") == []


def test_parts_of_a_subnet_fill_its_gaps(client: Client, zone: str) -> None:
    parent = client.one("createIpv4SubnetForZone", zoneid=zone, subnet="10.50.0.0/24")["id"]
    client.run("createIpv4SubnetForGuestNetwork", parentid=parent, subnet="10.50.0.64/26")
    for size, expected in ((27, "10.50.0.0/27"), (26, "10.50.0.128/26"), (27, "10.50.0.32/27"), (26, "10.50.0.192/26")):
        assert client.one("createIpv4SubnetForGuestNetwork", parentid=parent, cidrsize=size)["subnet"] == expected
    assert client.refused("createIpv4SubnetForGuestNetwork", parentid=parent, cidrsize=30) == (
        431,
        "Failed to automatically allocate a subnet with specified cidrsize",
    )
    assert client.refused("createIpv4SubnetForGuestNetwork", parentid=parent, subnet="10.50.0.0/25") == (
        431,
        "Existing subnet 10.50.0.64/26 has overlap with: 10.50.0.0/25",
    )
    assert client.refused("createIpv4SubnetForGuestNetwork", parentid=parent, subnet="10.51.0.0/25") == (
        431,
        "networkCidr 10.51.0.0/25 is not within parent cidr: 10.50.0.0/24",
    )
    both = {"parentid": parent, "subnet": "10.50.0.0/27", "cidrsize": 27}
    assert client.refused("createIpv4SubnetForGuestNetwork", **both) == (
        431,
        "subnet and cidrsize are mutually exclusive",
    )
    first = client.rows("listIpv4SubnetsForGuestNetwork", parentid=parent, subnet="10.50.0.0/27")[0]
    client.run("deleteIpv4SubnetForGuestNetwork", id=first["id"])
    client.run("deleteIpv4SubnetForZone", id=parent)


def test_a_routed_network_has_its_subnet(client: Client, zone: str, owner: dict[str, Any], static: str) -> None:
    wanted = {"name": "n", "zoneid": zone, "networkofferingid": static, **whose(owner)}
    assert client.refused("createNetwork", **wanted) == (
        431,
        "network cidr or cidr size is required for Isolated networks with ROUTED mode",
    )
    for size, refusal in (
        (31, "network cidr size cannot be bigger than maximum cidr size 30"),
        (23, "network cidr size cannot be smaller than minimum cidr size 24"),
        (24, "Failed to allocate a CIDR with requested size."),
    ):
        assert client.refused("createNetwork", **wanted, cidrsize=size) == (431, refusal)
    parent = client.one("createIpv4SubnetForZone", zoneid=zone, subnet="10.60.0.0/22")
    network = client.one("createNetwork", **wanted, cidrsize=24)
    assert (network["cidr"], network["gateway"], network["ip4routing"]) == ("10.60.0.0/24", "10.60.0.1", "Static")
    (part,) = client.rows("listIpv4SubnetsForGuestNetwork", networkid=network["id"])
    assert (part["state"], part["parentid"], part["subnet"]) == ("Allocated", parent["id"], "10.60.0.0/24")
    assert client.refused("deleteIpv4SubnetForGuestNetwork", id=part["id"]) == (
        431,
        "Cannot delete the subnet which is in use",
    )
    assert client.refused("deleteIpv4SubnetForZone", id=parent["id"]) == (
        431,
        "The subnet is being used by 1 guest networks.",
    )
    chosen = {"gateway": "10.60.1.1", "netmask": "255.255.255.0"}
    user = signed_by(client, owner)
    own = {name: value for name, value in wanted.items() if name not in ("account", "domainid")}
    assert user.refused("createNetwork", **own, **chosen) == (
        431,
        "Only root admin can set the gateway/netmask of Isolated networks with ROUTED mode",
    )
    second = client.one("createNetwork", **wanted, **chosen)
    assert client.refused("createNetwork", **wanted, **chosen) == (431, "The subnet is in use")
    for each in (network, second):
        client.run("deleteNetwork", id=each["id"])
    assert client.rows("listIpv4SubnetsForGuestNetwork") == []
    client.run("deleteIpv4SubnetForZone", id=parent["id"])


def test_a_routed_vpc_has_its_subnet_and_as_number(client: Client, zone: str, owner: dict[str, Any]) -> None:
    services = ("Dhcp", "Dns", "NetworkACL", "UserData")
    offering = client.one(
        "createVPCOffering",
        name="routed VPCs",
        displaytext="r",
        supportedservices=",".join(services),
        networkmode="ROUTED",
        routingmode="Dynamic",
        enable=True,
    )
    parent = client.one("createIpv4SubnetForZone", zoneid=zone, subnet="10.70.0.0/16")
    wanted = {"name": "v", "displaytext": "v", "zoneid": zone, "vpcofferingid": offering["id"], **whose(owner)}
    assert client.refused("createVPC", **wanted, cidrsize=24)[0] == 530
    numbers = client.one("createASNRange", zoneid=zone, startasn=300, endasn=300)
    vpc = client.one("createVPC", **wanted, cidrsize=24, start=False)
    assert (vpc["cidr"], vpc["asnumber"], vpc["ip4routing"]) == ("10.70.0.0/24", 300, "Dynamic")
    assert client.one("listIpv4SubnetsForGuestNetwork", vpcid=vpc["id"])["vpcname"] == "v"
    assert client.one("listASNumbers", vpcid=vpc["id"])["asnumber"] == 300
    peer = client.one("createBgpPeer", zoneid=zone, asnumber=9, ipaddress="192.0.2.9")["id"]
    client.run("changeBgpPeersForVpc", vpcid=vpc["id"], bgppeerids=peer)
    assert [row["id"] for row in client.one("listVPCs", id=vpc["id"], listall=True)["bgppeers"]] == [peer]
    client.run("deleteVPC", id=vpc["id"])
    client.run("deleteBgpPeer", id=peer)
    client.run("deleteASNRange", id=numbers["id"])
    client.run("deleteIpv4SubnetForZone", id=parent["id"])


def test_what_is_dedicated_goes_with_its_owner(client: Client, zone: str) -> None:
    domain = client.one("createDomain", name="leaving")["id"]
    account = client.account("leaver", domain=domain)
    client.run("createIpv4SubnetForZone", zoneid=zone, subnet="10.80.0.0/16", **whose(account))
    client.run("createBgpPeer", zoneid=zone, asnumber=5, ipaddress="192.0.2.5", **whose(account))
    client.run("createIpv4SubnetForZone", zoneid=zone, subnet="10.81.0.0/16", domainid=domain)
    client.run("deleteAccount", id=account["id"])
    assert [row["subnet"] for row in client.rows("listIpv4SubnetsForZone")] == ["10.81.0.0/16"]
    assert client.rows("listBgpPeers") == []
    client.run("deleteDomain", id=domain, cleanup=True)
    assert client.rows("listIpv4SubnetsForZone") == []


def test_nothing_where_routed_networks_are_off(client: Client, zone: str) -> None:
    client.run("updateConfiguration", name="routed.network.vpc.enabled", value=False, zoneid=zone)
    off = "Routed networks and VPCs are not enabled for the zone."
    assert client.refused("createIpv4SubnetForZone", zoneid=zone, subnet="10.90.0.0/16") == (431, off)
    assert client.refused("createBgpPeer", zoneid=zone, asnumber=1, ipaddress="192.0.2.1") == (431, off)
    assert client.refused("createASNRange", zoneid=zone, startasn=1, endasn=2) == (
        530,
        "Cannot create AS Number Range 1-2 for zone 1: Cannot create ASN range as Routed networks and VPCs are not "
        "enabled for the zone.",
    )
    client.run("updateConfiguration", name="routed.network.vpc.enabled", value=True, zoneid=zone)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_blocks_cover_a_range_exactly(one: int, other: int) -> None:
    first, last = sorted((one, other))
    found = blocks(first, last)
    assert found[0][0] == first
    for (start, length), (following, _) in zip(found, [*found[1:], (last + 1, 32)], strict=True):
        size = 1 << (32 - length)
        assert start % size == 0
        assert start + size == following
        assert ipv4.to_int(ipv4.to_text(start)) == start
