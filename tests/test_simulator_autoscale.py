"""Automatic scaling in the simulator: what may be combined, and groups that grow and shrink as time passes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from cs_matrix_pytest.simulator import Simulator
from simulator_over_http import Client


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Simulator() as simulator:
        yield Client(simulator)


@dataclass
class Lab:
    """A load balancer of an account, and what makes a group behind it."""

    client: Client
    owner: dict[str, Any]
    rule: dict[str, Any]
    profile: dict[str, Any]
    policies: list[dict[str, Any]] = field(default_factory=list)

    def condition(self, operator: str, threshold: int, source: str = "CPU") -> dict[str, Any]:
        counters = self.client.rows("listCounters", source=source, provider="VirtualRouter")
        return self.client.one(
            "createCondition",
            counterid=counters[0]["id"],
            relationaloperator=operator,
            threshold=threshold,
            account=self.owner["name"],
            domainid=self.owner["domainid"],
        )

    def policy(self, action: str, operator: str, threshold: int) -> str:
        condition = self.condition(operator, threshold)["id"]
        policy = self.client.one(
            "createAutoScalePolicy", action=action, duration=60, quiettime=30, conditionids=condition
        )
        return str(policy["id"])

    def group(self, up: str, down: str, **change: Any) -> dict[str, Any]:
        return {
            "lbruleid": self.rule["id"],
            "vmprofileid": self.profile["id"],
            "minmembers": 1,
            "maxmembers": 3,
            "interval": 30,
            "name": "web",
            "scaleuppolicyids": up,
            "scaledownpolicyids": down,
        } | change

    def members(self, group: dict[str, Any]) -> list[dict[str, Any]]:
        return self.client.rows("listVirtualMachines", autoscalevmgroupid=group["id"], listall=True)


@pytest.fixture
def lab(client: Client) -> Iterator[Lab]:
    domain = client.one("createDomain", name="scaling")
    owner = client.account("scaler", domain=domain["id"])
    whose = {"account": owner["name"], "domainid": domain["id"]}
    zone = client.rows("listZones")[0]["id"]
    offering = client.rows(
        "listNetworkOfferings", name="DefaultIsolatedNetworkOfferingWithSourceNatService", state="Enabled"
    )[0]
    network = client.one("createNetwork", name="n", zoneid=zone, networkofferingid=offering["id"], **whose)
    address = client.one("associateIpAddress", networkid=network["id"], zoneid=zone, **whose)
    rule = client.one(
        "createLoadBalancerRule",
        name="lb",
        algorithm="roundrobin",
        publicport=80,
        privateport=8080,
        publicipid=address["id"],
        networkid=network["id"],
        **whose,
    )
    size = client.one("createServiceOffering", name="o", displaytext="o", cpunumber=1, cpuspeed=100, memory=128)
    profile = client.one(
        "createAutoScaleVmProfile",
        zoneid=zone,
        serviceofferingid=size["id"],
        templateid=client.rows("listTemplates", templatefilter="featured")[0]["id"],
        expungevmgraceperiod=10,
        **whose,
    )
    yield Lab(client, owner, rule, profile)
    for group in client.rows("listAutoScaleVmGroups", listall=True):
        client.run("deleteAutoScaleVmGroup", id=group["id"], cleanup=True)
    client.run("deleteDomain", id=domain["id"], cleanup=True)


def test_a_group_grows_to_its_most_members(lab: Lab) -> None:
    group = lab.client.one(
        "createAutoScaleVmGroup", **lab.group(lab.policy("ScaleUp", "GE", 5), lab.policy("ScaleDown", "GE", 5))
    )
    assert (group["state"], group["lbprovider"], group["publicport"]) == ("ENABLED", "VirtualRouter", "80")
    (first,) = lab.members(group)
    assert first["name"].startswith("autoScaleVm-web-1-")
    lab.client.pass_time(600)
    assert len(lab.members(group)) == 3
    balanced = lab.client.rows("listLoadBalancerRuleInstances", id=lab.rule["id"])
    assert {row["id"] for row in balanced} == {row["id"] for row in lab.members(group)}
    assert lab.client.one("listAutoScaleVmGroups", id=group["id"])["availablevirtualmachinecount"] == 3


def test_a_group_shrinks_to_its_fewest_members(lab: Lab) -> None:
    group = lab.client.one(
        "createAutoScaleVmGroup",
        **lab.group(lab.policy("ScaleUp", "GT", 50), lab.policy("ScaleDown", "LT", 50), minmembers=3),
    )
    assert len(lab.members(group)) == 3
    lab.client.run("updateAutoScaleVmGroup", id=group["id"], minmembers=1)
    lab.client.pass_time(600)
    (left,) = lab.members(group)
    machines = lab.client.rows("listVirtualMachines", account=lab.owner["name"], domainid=lab.owner["domainid"])
    assert [row["id"] for row in machines] == [left["id"]]


def test_a_lost_member_is_replaced_while_enabled(lab: Lab) -> None:
    group = lab.client.one(
        "createAutoScaleVmGroup", **lab.group(lab.policy("ScaleUp", "GT", 50), lab.policy("ScaleDown", "GT", 50))
    )
    lab.client.run("disableAutoScaleVmGroup", id=group["id"])
    lab.client.run("destroyVirtualMachine", id=lab.members(group)[0]["id"], expunge=True)
    lab.client.pass_time(120)
    assert lab.members(group) == []
    lab.client.run("enableAutoScaleVmGroup", id=group["id"])
    lab.client.pass_time(60)
    assert len(lab.members(group)) == 1


def test_a_schedule_moves_the_bounds(lab: Lab) -> None:
    group = lab.client.one(
        "createAutoScaleVmGroup", **lab.group(lab.policy("ScaleUp", "GT", 50), lab.policy("ScaleDown", "GT", 50))
    )
    plan = {
        "resourcetype": "AutoScaleVmGroup",
        "resourceid": group["id"],
        "action": "update",
        "schedule": "0 * * * *",
        "timezone": "UTC",
    }
    assert lab.client.refused("createResourceSchedule", **plan) == (
        431,
        "Details are required for AutoScaleVmGroup schedule",
    )
    bounds = {"details[0].minmembers": "2", "details[0].maxmembers": "2"}
    row = lab.client.one("createResourceSchedule", **plan, **bounds)
    assert row["details"] == {"minmembers": "2", "maxmembers": "2"}
    lab.client.pass_time(2 * 3600)
    assert len(lab.members(group)) == 2


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"minmembers": 4}, "minmembers (4) cannot be greater than maxmembers (3)"),
        ({"minmembers": -1}, "minmembers is an invalid value: -1"),
        ({"interval": 0}, "interval is an invalid value: 0"),
        ({"interval": 90}, "duration : 60 specified in a policy cannot be less than vm group's interval : 90"),
    ],
)
def test_bad_groups(lab: Lab, change: dict[str, Any], text: str) -> None:
    group = lab.group(lab.policy("ScaleUp", "GE", 5), lab.policy("ScaleDown", "LE", 1), **change)
    assert lab.client.refused("createAutoScaleVmGroup", **group) == (431, text)


def test_what_is_in_use_stays(lab: Lab) -> None:
    up, down = lab.policy("ScaleUp", "GT", 50), lab.policy("ScaleDown", "GT", 50)
    made = lab.client.one("createAutoScaleVmGroup", **lab.group(up, down))
    assert lab.client.refused("createAutoScaleVmGroup", **lab.group(down, up, name="x"))[0] == 431
    condition = lab.client.one("listConditions", policyid=up, listall=True)
    assert lab.client.refused("deleteCondition", id=condition["id"])[0] == 536
    assert lab.client.refused("deleteCounter", id=condition["counterid"]) == (536, "Counter is in use.")
    assert lab.client.refused("deleteAutoScalePolicy", id=up)[0] == 431
    assert lab.client.refused("updateAutoScalePolicy", id=up, duration=90)[0] == 431
    assert lab.client.refused("deleteAutoScaleVmProfile", id=lab.profile["id"])[0] == 431
    assert lab.client.refused("deleteAutoScaleVmGroup", id=made["id"])[0] == 431
    lab.client.run("disableAutoScaleVmGroup", id=made["id"])
    assert lab.client.one("updateAutoScalePolicy", id=up, duration=90)["duration"] == 90
    lab.client.run("deleteAutoScaleVmGroup", id=made["id"], cleanup=True)
    lab.client.run("deleteAutoScalePolicy", id=up)
    lab.client.run("deleteCondition", id=condition["id"])


def test_conditions_and_counters(lab: Lab) -> None:
    assert len(lab.client.rows("listCounters")) == 20
    same = ",".join(lab.condition("GE", number)["id"] for number in (1, 2))
    assert lab.client.refused("createAutoScalePolicy", action="ScaleUp", duration=60, conditionids=same)[0] == 431
    counter = {"name": "c", "source": "snmp", "value": "1.3.6", "provider": "netscaler"}
    made = lab.client.one("createCounter", **counter)
    assert (made["source"], made["provider"]) == ("SNMP", "Netscaler")
    assert lab.client.refused("createCounter", **counter)[0] == 431
    assert lab.client.refused("createCounter", **counter | {"source": "moon"}) == (
        431,
        "The Source moon does not exist; Unable to create Counter",
    )
    lab.client.run("deleteCounter", id=made["id"])
