"""VNF templates and appliances, and CNI configurations."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from cs_matrix_pytest.simulator import Simulator
from simulator_over_http import Client, signed_by

NICS = {
    "vnfnics[0].deviceid": 0,
    "vnfnics[0].name": "wan",
    "vnfnics[0].management": True,
    "vnfnics[0].description": "outside",
    "vnfnics[1].deviceid": 1,
    "vnfnics[1].name": "lan",
    "vnfnics[1].required": False,
    "vnfnics[1].management": False,
}
DETAILS = {"vnfdetails[0].ACCESS_METHODS": "ssh-password,https", "vnfdetails[0].https_port": 8443}


@pytest.fixture
def client() -> Iterator[Client]:
    with Simulator(hypervisor="kvm") as simulator:
        yield Client(simulator)


@pytest.fixture
def owner(client: Client) -> dict[str, Any]:
    return client.account("appliances")


def registration(client: Client) -> dict[str, Any]:
    return {
        "name": "router",
        "displaytext": "r",
        "format": "QCOW2",
        "hypervisor": "KVM",
        "zoneid": client.rows("listZones")[0]["id"],
        "ostypeid": client.rows("listOsTypes")[0]["id"],
        "url": "http://example.org/router.qcow2",
        "ispublic": True,
    }


@pytest.fixture
def template(client: Client) -> dict[str, Any]:
    return client.one("registerVnfTemplate", **registration(client), **NICS, **DETAILS)


def network(client: Client, owner: dict[str, Any], name: str) -> dict[str, Any]:
    offerings = client.rows("listNetworkOfferings")
    source_nat = next(row for row in offerings if row["name"] == "DefaultIsolatedNetworkOfferingWithSourceNatService")
    return client.one(
        "createNetwork",
        name=name,
        zoneid=client.rows("listZones")[0]["id"],
        networkofferingid=source_nat["id"],
        account=owner["name"],
        domainid=owner["domainid"],
    )


def request(
    client: Client, owner: dict[str, Any], template: dict[str, Any], *networks: dict[str, Any]
) -> dict[str, Any]:
    return {
        "account": owner["name"],
        "domainid": owner["domainid"],
        "zoneid": client.rows("listZones")[0]["id"],
        "templateid": template["id"],
        "serviceofferingid": client.rows("listServiceOfferings")[0]["id"],
        "networkids": ",".join(row["id"] for row in networks),
    }


def test_a_vnf_template(client: Client, template: dict[str, Any]) -> None:
    assert template["templatetype"] == "VNF"
    assert template["vnfnics"] == [
        {"deviceid": 0, "name": "wan", "required": True, "management": True, "description": "outside"},
        {"deviceid": 1, "name": "lan", "required": False, "management": False},
    ]
    assert template["vnfdetails"] == {"access_methods": "https,ssh-password", "https_port": "8443"}
    assert [row["id"] for row in client.rows("listVnfTemplates", templatefilter="all")] == [template["id"]]
    plain = client.rows("listTemplates", templatefilter="featured")[0]
    assert client.refused("updateVnfTemplate", id=plain["id"], name="x")[1].endswith(
        "is not a VNF template. The template type is BUILTIN."
    )
    assert client.refused("deleteVnfTemplate", id=plain["id"])[1].endswith(
        "is not a VNF template. The template type is BUILTIN."
    )
    client.run(
        "updateVnfTemplate", id=template["id"], name="firewall", cleanupvnfnics=True, **{"vnfdetails[0].vendor": "V"}
    )
    (changed,) = client.rows("listVnfTemplates", templatefilter="all")
    assert (changed["name"], changed["vnfdetails"], "vnfnics" in changed) == ("firewall", {"vendor": "V"}, False)
    client.run("deleteVnfTemplate", id=template["id"])
    assert client.rows("listVnfTemplates", templatefilter="all") == []


@pytest.mark.parametrize(
    ("params", "refusal"),
    [
        ({"templatetype": "USER"}, "The template type must be VNF for VNF templates."),
        ({"vnfdetails[0].access_methods": "telnet"}, "Invalid VNF access method found: telnet. Valid values are "),
        (
            {"vnfdetails[0].colour": "red"},
            "Invalid VNF detail found: colour. Valid values are ACCESS_METHODS, USERNAME",
        ),
        ({"vnfnics[0].deviceid": 0}, "VNF nic name and deviceid cannot be null"),
        (
            {"vnfnics[0].deviceid": 1, "vnfnics[0].name": "a"},
            "deviceid must be consecutive and start from 0. Nic deviceid should be 0 but actual is 1.",
        ),
        (
            {
                "vnfnics[0].deviceid": 0,
                "vnfnics[0].name": "a",
                "vnfnics[0].required": False,
                "vnfnics[1].deviceid": 1,
                "vnfnics[1].name": "b",
            },
            "required cannot be true if a preceding nic is optional. Nic with deviceid 1 should be required but actual is "
            "optional.",
        ),
    ],
)
def test_vnf_templates_that_are_refused(client: Client, params: dict[str, Any], refusal: str) -> None:
    code, text = client.refused("registerVnfTemplate", **registration(client), **params)
    assert code == 431
    assert text.startswith(refusal)
    assert client.rows("listVnfTemplates", templatefilter="all") == []


def test_an_appliance_can_be_managed_from_outside(
    client: Client, owner: dict[str, Any], template: dict[str, Any]
) -> None:
    wan, lan = network(client, owner, "wan"), network(client, owner, "lan")
    wanted = request(client, owner, template, wan, lan)
    vm = client.one("deployVnfAppliance", **wanted, vnfcidrlist="192.0.2.0/24")
    assert vm["state"] == "Running"
    assert [row["id"] for row in client.rows("listVnfAppliances", listall=True)] == [vm["id"]]
    (listed,) = client.rows("listVnfAppliances", listall=True)
    assert [nic["name"] for nic in listed["vnfnics"]] == ["wan", "lan"]
    addresses = client.rows("listPublicIpAddresses", listall=True)
    (public,) = [row for row in addresses if row.get("isstaticnat")]
    assert (public["virtualmachineid"], public["associatednetworkid"]) == (vm["id"], wan["id"])
    rules = client.rows("listFirewallRules", ipaddressid=public["id"], listall=True)
    assert {(row["startport"], row["cidrlist"]) for row in rules} == {(22, "192.0.2.0/24"), (8443, "192.0.2.0/24")}
    (source,) = [row for row in addresses if row["issourcenat"] and row["associatednetworkid"] == wan["id"]]
    assert source["id"] != public["id"]


def test_appliances_that_are_refused(client: Client, owner: dict[str, Any], template: dict[str, Any]) -> None:
    wan = network(client, owner, "wan")
    plain = client.rows("listTemplates", templatefilter="featured")[0]
    for command, params, refusal in (
        (
            "deployVnfAppliance",
            request(client, owner, plain, wan),
            "Can't deploy VNF appliance from a non-VNF template",
        ),
        ("deployVnfAppliance", request(client, owner, template), "VNF nics list is empty"),
        ("deployVirtualMachine", request(client, owner, template), "VNF nics list is empty"),
        (
            "deployVnfAppliance",
            request(client, owner, template, wan) | {"vnfcidrlist": "here"},
            "Invalid cidr for VNF appliance: here",
        ),
    ):
        assert client.refused(command, **params) == (431, refusal)
    client.run(
        "updateVnfTemplate",
        id=template["id"],
        **{name: value for name, value in NICS.items() if "required" not in name},
    )
    code, text = client.refused("deployVnfAppliance", **request(client, owner, template, wan))
    assert code == 431
    assert text.startswith("VNF nic is required but not found: Template {")


def test_cni_configurations_are_no_user_data(client: Client, owner: dict[str, Any]) -> None:
    user, text = signed_by(client, owner), base64.b64encode(b"apiVersion: v1").decode()
    made = user.one("registerCniConfiguration", name="calico", cniconfig=text, params="AS_NUMBER")
    assert (made["name"], made["userdata"], made["params"]) == ("calico", text, "AS_NUMBER")
    assert user.refused("registerCniConfiguration", name="calico", cniconfig=text) == (
        431,
        "A userdata with name calico already exists for this account.",
    )
    assert [row["id"] for row in user.rows("listCniConfiguration")] == [made["id"]]
    assert user.rows("listUserData") == []
    user.run("deleteCniConfiguration", id=made["id"])
    assert user.rows("listCniConfiguration") == []
