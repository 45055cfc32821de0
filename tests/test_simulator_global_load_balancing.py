"""Load balancing between zones: rules are kept, but no zone has a device for them."""

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


@pytest.fixture
def owner(client: Client) -> dict[str, Any]:
    return client.account("global")


RULE = {"name": "g", "gslbdomainname": "shop", "gslbservicetype": "tcp", "regionid": 1}


def test_the_service_needs_a_name_of_its_own(client: Client, owner: dict[str, Any]) -> None:
    user = signed_by(client, owner)
    assert user.refused("createGlobalLoadBalancerRule", **RULE) == (
        431,
        "GSLB service is not enabled in region : Local",
    )
    client.run("updateConfiguration", name="cloud.dns.name", value="cloud.example.org")
    made = user.one("createGlobalLoadBalancerRule", **RULE)
    assert (made["gslbdomainname"], made["gslblbmethod"], made["gslbstickysessionmethodname"]) == (
        "shop.cloud.example.org",
        "RoundRobin",
        "sourceip",
    )
    assert (made["account"], made["regionid"], made["loadbalancerrule"]) == ("global", 1, [])
    assert user.refused("createGlobalLoadBalancerRule", **RULE) == (431, "Domain name shopis in use")
    assert [row["id"] for row in user.rows("listGlobalLoadBalancerRules", regionid=1)] == [made["id"]]
    assert client.rows("listGlobalLoadBalancerRules", regionid=1) == []
    assert [row["id"] for row in client.rows("listGlobalLoadBalancerRules", id=made["id"])] == [made["id"]]
    changed = user.one("updateGlobalLoadBalancerRule", id=made["id"], gslblbmethod="proximity", description="d")
    assert (changed["gslblbmethod"], changed["description"]) == ("proximity", "d")
    stranger = signed_by(client, client.account("stranger"))
    assert stranger.refused("deleteGlobalLoadBalancerRule", id=made["id"])[0] in (530, 531)
    user.run("deleteGlobalLoadBalancerRule", id=made["id"])
    assert user.rows("listGlobalLoadBalancerRules", regionid=1) == []


@pytest.mark.parametrize(
    ("params", "refusal"),
    [
        ({"gslblbmethod": "best"}, "Invalid Algorithm: best"),
        ({"gslbstickysessionmethodname": "cookie"}, "Invalid persistence: cookie"),
        ({"gslbservicetype": "icmp"}, "Invalid service type: icmp"),
        ({"gslbdomainname": "a b"}, "Invalid domain name : a b"),
        ({"regionid": 9}, "Invalid region ID: 9"),
    ],
)
def test_rules_that_are_refused(client: Client, owner: dict[str, Any], params: dict[str, Any], refusal: str) -> None:
    assert signed_by(client, owner).refused("createGlobalLoadBalancerRule", **RULE | params) == (431, refusal)


def test_lists_ask_for_a_region_or_a_rule(client: Client) -> None:
    assert client.refused("listGlobalLoadBalancerRules") == (
        431,
        "Invalid arguments. At least one of region id, rule id must be specified",
    )


def test_no_zone_takes_part(client: Client, owner: dict[str, Any]) -> None:
    client.run("updateConfiguration", name="cloud.dns.name", value="cloud.example.org")
    user, zone = signed_by(client, owner), client.rows("listZones")[0]["id"]
    rule = user.one("createGlobalLoadBalancerRule", **RULE)["id"]
    offerings = client.rows("listNetworkOfferings")
    source_nat = next(row for row in offerings if row["name"] == "DefaultIsolatedNetworkOfferingWithSourceNatService")
    network = user.one("createNetwork", name="n", zoneid=zone, networkofferingid=source_nat["id"])
    address = user.one("associateIpAddress", networkid=network["id"])
    balancer = user.one(
        "createLoadBalancerRule",
        name="l",
        algorithm="roundrobin",
        publicport=80,
        privateport=80,
        publicipid=address["id"],
        openfirewall=False,
    )
    assert user.refused("assignToGlobalLoadBalancerRule", id=rule, loadbalancerrulelist=balancer["id"]) == (
        431,
        "GSLB service is not enabled in the Zone:1 and physical network 1",
    )
    assert user.refused("removeFromGlobalLoadBalancerRule", id=rule, loadbalancerrulelist=balancer["id"]) == (
        431,
        f"Load balancer ID {balancer['id']} is not assigned to global load balancer rule: {rule}",
    )
    client.run("deleteAccount", id=owner["id"])
    assert client.refused("listGlobalLoadBalancerRules", id=rule) == (431, "Invalid gslb rule id specified")
