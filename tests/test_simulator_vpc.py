"""VPCs of the embedded simulator: tiers, addresses, ACLs, private gateways, static routes, VPNs."""

from __future__ import annotations

import hashlib
import itertools
from typing import Any

import pytest
import requests

from cs_matrix_pytest.simulator import Simulator
from cs_matrix_pytest.simulator.call import Caller
from cs_matrix_pytest.simulator.errors import ApiError
from cs_matrix_pytest.simulator.models.iam import User
from cs_matrix_pytest.simulator.models.networks import AclRule, PublicIp, Router, Vpc
from simulator_over_http import FAR_END

TIER = "DefaultIsolatedNetworkOfferingForVpcNetworks"
TIER_WITHOUT_LB = "DefaultIsolatedNetworkOfferingForVpcNetworksNoLB"
ISOLATED = "DefaultIsolatedNetworkOfferingWithSourceNatService"
EVERYBODYS = {"default_allow", "default_deny"}


class Lab:
    """One simulator with an advanced zone, and short ways to ask it."""

    def __init__(self) -> None:
        self.simulator = Simulator(networking="advanced")
        self.cloud = self.simulator.cloud
        self.cloud.clock.is_virtual = True
        self.admin = Caller(self.cloud.admin_user)
        self._serial = itertools.count(1)
        self.zone = self("listZones")["zone"][0]["id"]
        self.offerings = {row["name"]: row["id"] for row in self("listNetworkOfferings")["networkoffering"]}
        self.vpc_offerings = {row["name"]: row["id"] for row in self("listVPCOfferings")["vpcoffering"]}
        self.template = self("listTemplates", templatefilter="featured")["template"][0]["id"]
        self.size = self("listServiceOfferings")["serviceoffering"][0]["id"]
        self.root = self("listDomains")["domain"][0]["id"]
        physical = self("listPhysicalNetworks")["physicalnetwork"][0]["id"]
        self("updatePhysicalNetwork", id=physical, vlan="100-200")

    def __call__(self, command: str, caller: Caller | None = None, /, **params: Any) -> dict[str, Any]:
        return self.cloud.run(command, caller or self.admin, **params)

    def refused(self, command: str, caller: Caller | None = None, /, **params: Any) -> tuple[int, str]:
        with pytest.raises(ApiError) as refusal:
            self(command, caller, **params)
        return refusal.value.code, refusal.value.text

    def user(self) -> Caller:
        name = f"account{next(self._serial)}"
        names = {"username": name, "password": "p", "firstname": "a", "lastname": "b", "email": "a@example.org"}
        made = self("createAccount", accounttype=0, **names)["account"]
        user = self.cloud.store.table(User).get(made["user"][0]["id"])
        assert user is not None
        return Caller(user)

    def vpc(
        self, caller: Caller | None = None, offering: str = "Default VPC offering", **params: Any
    ) -> dict[str, Any]:
        given = {"name": f"vpc{next(self._serial)}", "displaytext": "a VPC", "cidr": "10.9.0.0/16", **params}
        made: dict[str, Any] = self(
            "createVPC", caller, zoneid=self.zone, vpcofferingid=self.vpc_offerings[offering], **given
        )["vpc"]
        return made

    def tier_of(self, vpc: dict[str, Any], subnet: int = 1, offering: str = TIER, **params: Any) -> dict[str, Any]:
        return {
            "name": f"tier{next(self._serial)}",
            "zoneid": self.zone,
            "networkofferingid": self.offerings[offering],
            "vpcid": vpc["id"],
            "gateway": f"10.9.{subnet}.1",
            "netmask": "255.255.255.0",
            **params,
        }

    def tier(
        self, vpc: dict[str, Any], subnet: int = 1, offering: str = TIER, caller: Caller | None = None, **params: Any
    ) -> dict[str, Any]:
        made: dict[str, Any] = self("createNetwork", caller, **self.tier_of(vpc, subnet, offering, **params))["network"]
        return made

    def vm(self, network: dict[str, Any], caller: Caller | None = None) -> dict[str, Any]:
        where = {"zoneid": self.zone, "templateid": self.template, "serviceofferingid": self.size}
        made: dict[str, Any] = self("deployVirtualMachine", caller, networkids=network["id"], **where)["virtualmachine"]
        return made

    def routers(self, vpc: dict[str, Any]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self("listRouters", vpcid=vpc["id"], listall=True).get("router", [])
        return rows

    def ips(self, vpc: dict[str, Any], **params: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self("listPublicIpAddresses", vpcid=vpc["id"], listall=True, **params).get(
            "publicipaddress", []
        )
        return rows

    def clear(self) -> None:
        """Take back every VPC."""
        for vm in self("listVirtualMachines", listall=True).get("virtualmachine", []):
            self("destroyVirtualMachine", id=vm["id"], expunge=True)
        for network in self("listNetworks", listall=True).get("network", []):
            self("deleteNetwork", id=network["id"])
        for gateway in self("listPrivateGateways", listall=True).get("privategateway", []):
            for route in self("listStaticRoutes", gatewayid=gateway["id"], listall=True).get("staticroute", []):
                self("deleteStaticRoute", id=route["id"])
            self("deletePrivateGateway", id=gateway["id"])
        for vpc in self("listVPCs", listall=True).get("vpc", []):
            self("deleteVPC", id=vpc["id"])


@pytest.fixture(scope="module")
def shared_lab() -> Lab:
    return Lab()


@pytest.fixture
def lab(shared_lab: Lab) -> Any:
    yield shared_lab
    shared_lab.clear()


# VPCs


def test_a_vpc_starts_with_a_router_and_a_source_nat_address(lab: Lab) -> None:
    vpc = lab.vpc()
    (router,) = lab.routers(vpc)
    (ip,) = lab.ips(vpc)
    assert (vpc["state"], vpc["network"], vpc["publicmtu"], vpc["fordisplay"]) == ("Enabled", [], 1500, True)
    assert {"name": "NetworkACL", "provider": [{"name": "VpcVirtualRouter"}]} in vpc["service"]
    assert vpc["networkdomain"].startswith("cs2")
    assert (ip["issourcenat"], ip["vpcname"], router["publicip"]) == (True, vpc["name"], ip["ipaddress"])
    assert [nic["traffictype"] for nic in router["nic"]] == ["Control", "Public"]
    assert router["vpcid"] == vpc["id"]


def test_a_vpc_that_is_not_started_gets_its_router_with_the_first_vm(lab: Lab) -> None:
    vpc = lab.vpc(start=False)
    assert lab.routers(vpc) == lab.ips(vpc) == []
    tier = lab.tier(vpc)
    assert (tier["state"], tier["vpcid"], tier["networkdomain"]) == ("Allocated", vpc["id"], vpc["networkdomain"])
    lab.vm(tier)
    (router,) = lab.routers(vpc)
    assert router["guestipaddress"] == "10.9.1.1"
    assert [ip["issourcenat"] for ip in lab.ips(vpc)] == [True]


def test_a_redundant_vpc_has_two_routers(lab: Lab) -> None:
    vpc = lab.vpc(offering="Redundant VPC offering")
    lab.vm(lab.tier(vpc))
    assert vpc["redundantvpcrouter"] is True
    assert sorted(row["redundantstate"] for row in lab.routers(vpc)) == ["BACKUP", "PRIMARY"]


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"cidr": ""}, "Invalid CIDR specified "),
        ({"cidr": "10.9.0.0/33"}, "Invalid CIDR specified 10.9.0.0/33"),
        ({"cidr": "8.8.0.0/16"}, "Guest Cidr 8.8.0.0/16 is not RFC1918 compliant"),
        ({"cidrsize": 24}, "VPC cidr and cidr size are mutually exclusive"),
        ({"dns2": "8.8.8.8"}, "Second IPv4 DNS can be specified only with the first IPv4 DNS"),
    ],
)
def test_a_vpc_that_cannot_be_is_refused_at_once(lab: Lab, params: dict[str, Any], text: str) -> None:
    given = {"name": "v", "displaytext": "v", "cidr": "10.9.0.0/16", **params}
    offering = lab.vpc_offerings["Default VPC offering"]
    assert lab.refused("createVPC", zoneid=lab.zone, vpcofferingid=offering, **given) == (431, text)
    assert "vpc" not in lab("listVPCs", listall=True)


def test_a_vpc_needs_a_cidr_and_an_enabled_offering(lab: Lab) -> None:
    offering = lab.vpc_offerings["Default VPC offering"]
    asked = {"name": "v", "displaytext": "v", "zoneid": lab.zone}
    assert lab.refused("createVPC", vpcofferingid=offering, **asked) == (431, "VPC cidr or cidr size must be specified")
    services = "Dhcp,Dns,SourceNat"
    disabled = lab("createVPCOffering", name="off", displaytext="off", supportedservices=services)["vpcoffering"]
    assert lab.refused("createVPC", vpcofferingid=disabled["id"], cidr="10.9.0.0/16", **asked) == (
        431,
        "Unable to find vpc offering in Enabled state by specified id",
    )


def test_vpcs_count_for_the_limit_of_their_owner(lab: Lab) -> None:
    owner = lab.user()
    lab("updateResourceLimit", account=owner.account.name, domainid=lab.root, resourcetype=7, max=1)
    vpc = lab.vpc(owner)
    with pytest.raises(ApiError) as refusal:
        lab.vpc(owner)
    assert refusal.value.code == 535
    lab("deleteVPC", owner, id=vpc["id"])
    lab.vpc(owner)


def test_vpcs_are_listed_by_their_attributes(lab: Lab) -> None:
    first, second = lab.vpc(name="one", displaytext="the first"), lab.vpc(name="another", cidr="10.10.0.0/16")

    def found(**params: Any) -> list[str]:
        return [row["id"] for row in lab("listVPCs", listall=True, **params).get("vpc", [])]

    assert found() == [second["id"], first["id"]]
    assert found(name="ne") == [first["id"]]
    assert found(displaytext="FIRST") == found(keyword="first") == found(id=first["id"]) == [first["id"]]
    assert found(cidr="10.10.0.0/16") == [second["id"]]
    assert found(supportedservices="Vpn,Lb") == [second["id"], first["id"]]
    assert found(supportedservices="SecurityGroup") == found(state="Inactive") == found(restartrequired=True) == []
    lab("createTags", resourcetype="Vpc", resourceids=first["id"], **{"tags[0].key": "a", "tags[0].value": "b"})
    assert found(**{"tags[0].key": "a", "tags[0].value": "b"}) == [first["id"]]
    assert lab.refused("listVPCs", supportedservices="Nonsense") == (431, "Invalid service specified Nonsense")


def test_users_see_and_change_their_own_vpcs_only(lab: Lab) -> None:
    owner, other = lab.user(), lab.user()
    vpc = lab.vpc(owner)
    assert "fordisplay" not in vpc
    assert lab("listVPCs", other) == {}
    for command in ("deleteVPC", "restartVPC"):
        assert lab.refused(command, other, id=vpc["id"])[0] == 531
    assert lab("listVPCs", owner)["vpc"][0]["account"] == owner.account.name


def test_a_vpc_is_renamed_and_its_source_nat_changes(lab: Lab) -> None:
    vpc = lab.vpc()
    assert lab("updateVPC", id=vpc["id"], name="new", displaytext="text")["vpc"]["name"] == "new"
    assert lab.refused("updateVPC", id=vpc["id"]) == (530, "Failed to update VPC")
    new = lab("associateIpAddress", vpcid=vpc["id"])["ipaddress"]
    assert new["issourcenat"] is False
    lab("updateVPC", id=vpc["id"], sourcenatipaddress=new["ipaddress"])
    assert [ip["id"] for ip in lab.ips(vpc, issourcenat=True)] == [new["id"]]
    assert lab.routers(vpc)[0]["publicip"] == new["ipaddress"]


def test_a_restart_with_cleanup_makes_the_routers_anew(lab: Lab) -> None:
    vpc = lab.vpc()
    lab.vm(lab.tier(vpc))
    (before,) = lab.routers(vpc)
    lab("restartVPC", id=vpc["id"])
    assert [row["id"] for row in lab.routers(vpc)] == [before["id"]]
    lab("restartVPC", id=vpc["id"], cleanup=True)
    (after,) = lab.routers(vpc)
    assert after["id"] != before["id"]
    assert after["guestipaddress"] == "10.9.1.1"
    lab("restartVPC", id=vpc["id"], makeredundant=True)
    assert len(lab.routers(vpc)) == 2
    assert lab("listVPCs", id=vpc["id"])["vpc"][0]["vpcofferingname"] == "Redundant VPC offering"


def test_networks_keep_a_vpc_and_vms_keep_networks(lab: Lab) -> None:
    vpc = lab.vpc()
    tier = lab.tier(vpc)
    vm = lab.vm(tier)
    number = lab.cloud.store.table(Vpc).get(vpc["id"]).number  # type: ignore[union-attr]
    shown = f'VPC {{"id":{number},"name":"{vpc["name"]}","uuid":"{vpc["id"]}"}}'
    assert lab.refused("deleteVPC", id=vpc["id"]) == (431, f"Can't delete VPC {shown} as its used by 1 networks")
    assert lab.refused("deleteNetwork", id=tier["id"]) == (530, "Failed to delete network")
    lab("destroyVirtualMachine", id=vm["id"], expunge=True)
    lab("deleteNetwork", id=tier["id"])
    assert lab("deleteVPC", id=vpc["id"]) == {"success": True}
    assert "vpc" not in lab("listVPCs", listall=True)
    assert lab.cloud.store.table(Router).first() is None
    assert lab.cloud.store.table(PublicIp).first(account=lab.admin.account) is None


def test_an_account_takes_its_vpcs_with_it(lab: Lab) -> None:
    owner = lab.user()
    vpc = lab.vpc(owner)
    acl = lab("createNetworkACLList", owner, name="mine", vpcid=vpc["id"])["networkacllist"]
    lab.vm(lab.tier(vpc, caller=owner, aclid=acl["id"]), owner)
    lab("addVpnUser", owner, username="somebody", password="secret")
    lab("deleteAccount", id=owner.account.id)
    assert "vpc" not in lab("listVPCs", listall=True)
    assert "vpnuser" not in lab("listVpnUsers", listall=True)
    assert {row["name"] for row in lab("listNetworkACLLists", listall=True)["networkacllist"]} == EVERYBODYS
    assert lab.cloud.store.table(Router).first() is None


# Tiers and addresses


def test_tiers_that_do_not_fit_their_vpc_are_refused(lab: Lab) -> None:
    vpc = lab.vpc()
    number = lab.cloud.store.table(Vpc).get(vpc["id"]).number  # type: ignore[union-attr]
    shown = f'VPC {{"id":{number},"name":"{vpc["name"]}","uuid":"{vpc["id"]}"}}'
    lab.tier(vpc, 1)
    good = lab.tier_of(vpc, 2)
    for changes, text in (
        ({"gateway": "10.8.1.1"}, f"Network cidr 10.8.1.0/24 is not within vpc {shown} cidr"),
        ({"networkdomain": "other"}, f"Network domain of the new network should match network domain of vpc {shown}"),
        ({"networkofferingid": lab.offerings[ISOLATED]}, "Network offering can't be used for VPC networks"),
        ({"dns1": "8.8.8.8"}, "DNS can not be specified for a VPC tier"),
    ):
        assert lab.refused("createNetwork", **{**good, **changes}) == (431, text)
    code, text = lab.refused("createNetwork", **lab.tier_of(vpc, 1))
    assert code == 431
    assert text.startswith("Network cidr 10.9.1.0/24 crosses other network cidr Network {")
    del good["gateway"], good["netmask"]
    assert lab.refused("createNetwork", **good) == (
        431,
        "Gateway/netmask are required when create network for VPC",
    )
    outside = {**lab.tier_of(vpc, 2)}
    del outside["vpcid"]
    assert lab.refused("createNetwork", **outside) == (431, "Network offering can be used for VPC networks only")


def test_a_vpc_has_so_many_tiers_and_one_kind_with_a_public_load_balancer(lab: Lab) -> None:
    vpc = lab.vpc()
    services = ("Dhcp", "Dns", "Lb", "SourceNat", "StaticNat", "PortForwarding", "NetworkACL", "UserData")
    providers = {}
    for index, service in enumerate(services):
        providers[f"serviceproviderlist[{index}].service"] = service
        providers[f"serviceproviderlist[{index}].provider"] = "VpcVirtualRouter"
    other = lab(
        "createNetworkOffering",
        name="other",
        displaytext="other",
        guestiptype="Isolated",
        traffictype="GUEST",
        supportedservices=",".join(services),
        forvpc=True,
        **providers,
    )["networkoffering"]
    lab("updateNetworkOffering", id=other["id"], state="Enabled")
    lab.tier(vpc, 1)
    code, text = lab.refused("createNetwork", **lab.tier_of(vpc, 2, networkofferingid=other["id"]))
    assert code == 431
    assert text.startswith("Public LB service is already supported by network Network {")
    lab.tier(vpc, 2)
    lab.tier(vpc, 3, TIER_WITHOUT_LB)
    assert lab.refused("createNetwork", **lab.tier_of(vpc, 4)) == (
        530,
        "Number of networks per VPC cannot surpass [3].",
    )


def test_addresses_of_a_vpc_serve_its_tiers(lab: Lab) -> None:
    vpc = lab.vpc()
    tier, other = lab.tier(vpc), lab.tier(vpc, 2, TIER_WITHOUT_LB)
    vm = lab.vm(tier)
    assert lab.refused("associateIpAddress", networkid=tier["id"]) == (
        431,
        "Can't assign ip to the network directly when network belongs to VPC.Specify vpcId to associate ip address to VPC",
    )
    ip = lab("associateIpAddress", vpcid=vpc["id"])["ipaddress"]
    ports = {"protocol": "tcp", "publicport": 80, "privateport": 80}
    assert lab.refused("createFirewallRule", ipaddressid=ip["id"], protocol="tcp")[1].startswith(
        "Firewall service is not supported in VPC"
    )
    rule = lab(
        "createPortForwardingRule", ipaddressid=ip["id"], virtualmachineid=vm["id"], networkid=tier["id"], **ports
    )["portforwardingrule"]
    assert lab.ips(vpc, id=ip["id"])[0]["associatednetworkid"] == tier["id"]
    lab("deletePortForwardingRule", id=rule["id"])
    assert "associatednetworkid" not in lab.ips(vpc, id=ip["id"])[0]
    balanced = {"name": "lb", "algorithm": "roundrobin", "publicipid": ip["id"], "publicport": 80, "privateport": 80}
    assert lab.refused("createLoadBalancerRule", networkid=other["id"], **balanced)[0] == 431
    lab("createLoadBalancerRule", networkid=tier["id"], **balanced)
    source_nat = lab.ips(vpc, issourcenat=True)[0]
    assert lab.refused("disassociateIpAddress", id=source_nat["id"])[0] == 530


def test_a_tier_balances_at_an_address_of_its_own(lab: Lab) -> None:
    vpc = lab.vpc()
    tier = lab.tier(vpc, 1, "DefaultIsolatedNetworkOfferingForVpcNetworksWithInternalLB")
    plain = lab.tier(vpc, 2, TIER_WITHOUT_LB)
    vm = lab.vm(tier)
    asked = {"name": "lb", "algorithm": "roundrobin", "sourceport": 80, "instanceport": 80, "scheme": "Internal"}
    where = {"networkid": tier["id"], "sourceipaddressnetworkid": tier["id"]}
    balancer = lab("createLoadBalancer", **asked, **where, sourceipaddress="10.9.1.77")["loadbalancer"]
    assert (balancer["sourceipaddress"], balancer["loadbalancerinstance"]) == ("10.9.1.77", [])
    assert lab.refused("createLoadBalancer", **asked, **where, sourceipaddress="10.9.1.77")[0] == 537
    assert lab.refused("createLoadBalancer", **asked, **where, sourceipaddress="10.9.2.77")[0] == 431
    assert lab.refused("createLoadBalancer", **asked, networkid=plain["id"], sourceipaddressnetworkid=plain["id"]) == (
        431,
        "LB service is not supported in specified network id",
    )
    lab("assignToLoadBalancerRule", id=balancer["id"], virtualmachineids=vm["id"])
    (listed,) = lab("listLoadBalancers", networkid=tier["id"], listall=True)["loadbalancer"]
    assert [row["id"] for row in listed["loadbalancerinstance"]] == [vm["id"]]
    assert lab("updateLoadBalancer", id=balancer["id"], fordisplay=False)["loadbalancer"]["fordisplay"] is False
    lab("deleteLoadBalancer", id=balancer["id"])
    assert lab.refused("updateLoadBalancer", id=balancer["id"]) == (431, "Can't find load balancer by ID specified")
    assert lab("createLoadBalancer", **asked, **where, sourceipaddress="10.9.1.77")["loadbalancer"]["name"] == "lb"


def test_a_vm_of_its_own_balances_inside_a_tier(lab: Lab) -> None:
    vpc = lab.vpc()
    tier = lab.tier(vpc, 1, "DefaultIsolatedNetworkOfferingForVpcNetworksWithInternalLB")
    vm = lab.vm(tier)
    asked = {"name": "lb", "algorithm": "source", "sourceport": 80, "instanceport": 80, "scheme": "Internal"}
    where = {"networkid": tier["id"], "sourceipaddressnetworkid": tier["id"], "sourceipaddress": "10.9.1.77"}
    balancer = lab("createLoadBalancer", **asked, **where)["loadbalancer"]
    inside = {"networkid": tier["id"], "listall": True}
    assert lab("listInternalLoadBalancerVMs", **inside) == {}
    lab("assignToLoadBalancerRule", id=balancer["id"], virtualmachineids=vm["id"])
    (running,) = lab("listInternalLoadBalancerVMs", **inside)["internalloadbalancervm"]
    assert (running["role"], running["state"], running["guestipaddress"]) == ("INTERNAL_LB_VM", "Running", "10.9.1.77")
    assert running["name"].startswith("b-")
    assert running["id"] not in [row["id"] for row in lab("listRouters", listall=True)["router"]]
    for command, state in (("stopInternalLoadBalancerVM", "Stopped"), ("startInternalLoadBalancerVM", "Running")):
        assert lab(command, id=running["id"])["internalloadbalancervm"]["state"] == state
    router = lab("listRouters", vpcid=vpc["id"], listall=True)["router"][0]["id"]
    assert lab.refused("stopInternalLoadBalancerVM", id=router) == (431, "Unable to find Internal LB Instance by ID")
    lab("deleteLoadBalancer", id=balancer["id"])
    assert lab("listInternalLoadBalancerVMs", **inside) == {}


# ACLs


def test_two_lists_are_everybodys_and_cannot_be_changed(lab: Lab) -> None:
    lists = {row["name"]: row for row in lab("listNetworkACLLists")["networkacllist"]}
    assert lists.keys() == EVERYBODYS
    allow = lists["default_allow"]
    rules = lab("listNetworkACLs", aclid=allow["id"])["networkacl"]
    assert [(row["number"], row["traffictype"], row["action"]) for row in rules] == [
        (2, "Egress", "Allow"),
        (1, "Ingress", "Allow"),
    ]
    assert lab.refused("deleteNetworkACLList", id=allow["id"]) == (431, "Default ACL cannot be removed")
    assert lab.refused("createNetworkACL", aclid=allow["id"], protocol="all") == (431, "Default ACL cannot be modified")
    assert lab.refused("deleteNetworkACL", id=rules[0]["id"]) == (431, "ACL Items in default ACL cannot be deleted")


def test_only_root_admins_make_lists_for_everybody(lab: Lab) -> None:
    user = lab.user()
    assert lab.refused("createNetworkACLList", user, name="x") == (531, "Only Root Admin can create global ACLs.")
    acl = lab("createNetworkACLList", name="x", description="for all")["networkacllist"]
    assert "vpcid" not in acl
    assert acl["id"] in [row["id"] for row in lab("listNetworkACLLists", user)["networkacllist"]]
    assert lab.refused("createNetworkACL", user, aclid=acl["id"], protocol="all") == (
        531,
        "Only Root Admins can create rules for a global ACL.",
    )
    # The job of a refused permission fails as any other.
    assert lab.refused("deleteNetworkACLList", user, id=acl["id"]) == (530, "Only Root Admin can delete global ACLs.")
    lab("deleteNetworkACLList", id=acl["id"])


def test_a_tier_gets_its_own_list_with_its_first_rule(lab: Lab) -> None:
    vpc = lab.vpc()
    tier = lab.tier(vpc)
    assert "aclid" not in tier
    rule = lab("createNetworkACL", networkid=tier["id"], protocol="tcp", startport=22, cidrlist="10.0.0.0/8")[
        "networkacl"
    ]
    assert rule["aclname"] == f"VPC_{vpc['name']}_Tier_{tier['name']}_ACL_{tier['id']}"
    assert (rule["number"], rule["startport"], rule["endport"], rule["state"]) == (1, "22", "22", "Active")
    everywhere = lab("createNetworkACL", networkid=tier["id"], protocol="1", traffictype="egress", action="deny")
    assert {
        name: everywhere["networkacl"][name] for name in ("number", "protocol", "traffictype", "action", "cidrlist")
    } == {
        "number": 2,
        "protocol": "icmp",
        "traffictype": "Egress",
        "action": "Deny",
        "cidrlist": "0.0.0.0/0,::/0",
    }
    assert lab("listNetworks", id=tier["id"])["network"][0]["aclid"] == rule["aclid"]
    assert [row["number"] for row in lab("listNetworkACLs", networkid=tier["id"])["networkacl"]] == [2, 1]
    assert lab("listNetworkACLs", networkid=tier["id"], traffictype="egress")["count"] == 1


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"protocol": "nonsense"}, "Invalid protocol [nonsense]. Expected one of: [tcp,udp,icmp,all]"),
        ({"protocol": "300"}, "Invalid protocol number: 300"),
        ({"action": "maybe"}, "Invalid action [maybe]. Permitted actions are Allow and Deny"),
        ({"traffictype": "sideways"}, "Invalid traffic type sideways"),
        ({"number": 0}, "Invalid number [0]. Number cannot be < 1"),
        ({"startport": 90, "endport": 80}, "Start port can't be bigger than end port [startport=90,endport=80]"),
        ({"startport": 70000}, "Start public port is an invalid value: 70000"),
        ({"icmptype": 8}, "Can specify icmpCode and icmpType for ICMP protocol only"),
        ({"protocol": "icmp", "startport": 1}, "Can't specify start/end port when protocol is ICMP"),
        ({"protocol": "all", "startport": 1}, "start port and end port must be null if protocol = 'all'"),
        ({"cidrlist": "nowhere"}, "Source cidrs formatting error nowhere"),
    ],
)
def test_rules_that_make_no_sense_are_refused(lab: Lab, params: dict[str, Any], text: str) -> None:
    acl = lab("createNetworkACLList", name="x", vpcid=lab.vpc()["id"])["networkacllist"]
    assert lab.refused("createNetworkACL", aclid=acl["id"], **{"protocol": "tcp", **params}) == (431, text)
    assert lab.cloud.store.table(AclRule).first(lambda rule: rule.acl.id == acl["id"]) is None


def test_rules_are_changed_moved_and_deleted(lab: Lab) -> None:
    acl = lab("createNetworkACLList", name="x", vpcid=lab.vpc()["id"])["networkacllist"]
    ids = [
        lab("createNetworkACL", aclid=acl["id"], protocol="tcp", startport=port)["networkacl"]["id"]
        for port in (1, 2, 3)
    ]

    def order() -> list[str]:
        rows = lab("listNetworkACLs", aclid=acl["id"]).get("networkacl", [])
        return [row["id"] for row in sorted(rows, key=lambda row: row["number"])]

    assert lab.refused("createNetworkACL", aclid=acl["id"], protocol="tcp", number=2) == (
        431,
        f"ACL item with number 2 already exists in ACL: {acl['id']}",
    )
    changed = lab("updateNetworkACLItem", id=ids[0], action="deny", reason="because")["networkacl"]
    assert (changed["action"], changed["startport"], changed["reason"]) == ("Deny", "1", "because")
    whole = lab("updateNetworkACLItem", id=ids[0], partialupgrade=False, protocol="udp", cidrlist="10.0.0.0/8")
    assert "startport" not in whole["networkacl"]
    first, second, third = ids
    lab("moveNetworkAclItem", id=third, nextaclruleid=first)
    assert order() == [third, first, second]
    lab("moveNetworkAclItem", id=third, previousaclruleid=second)
    assert order() == [first, second, third]
    lab("moveNetworkAclItem", id=third, previousaclruleid=first, nextaclruleid=second)
    assert order() == [first, third, second]
    seen = hashlib.md5("".join(order()).encode()).hexdigest()
    lab("moveNetworkAclItem", id=second, nextaclruleid=first, aclconsistencyhash=seen)
    assert lab.refused("moveNetworkAclItem", id=second, previousaclruleid=first, aclconsistencyhash=seen)[0] == 431
    lab("deleteNetworkACL", id=second)
    assert order() == [first, third]


def test_a_list_is_replaced_on_a_tier_and_kept_while_it_is_used(lab: Lab) -> None:
    vpc, other = lab.vpc(), lab.vpc()
    mine, theirs = (
        lab("createNetworkACLList", name="x", vpcid=each["id"])["networkacllist"]["id"] for each in (vpc, other)
    )
    code, text = lab.refused("createNetwork", **lab.tier_of(vpc, aclid=theirs))
    assert (code, text.startswith("ACL [NetworkACLVO {")) == (431, True)
    tier = lab.tier(vpc, aclid=mine)
    assert tier["aclname"] == "x"
    assert lab.refused("deleteNetworkACLList", id=mine) == (
        530,
        f"ACL is still associated with 1 tier(s). Cannot delete network ACL: {mine}",
    )
    assert (
        "do not belong to the same VPC" in lab.refused("replaceNetworkACLList", aclid=theirs, networkid=tier["id"])[1]
    )
    deny = next(row["id"] for row in lab("listNetworkACLLists")["networkacllist"] if row["name"] == "default_deny")
    lab("replaceNetworkACLList", aclid=deny, networkid=tier["id"])
    assert lab("listNetworkACLLists", networkid=tier["id"])["networkacllist"][0]["id"] == deny
    lab("updateNetworkACLList", id=mine, name="renamed")
    listed = lab("listNetworkACLLists", vpcid=vpc["id"])["networkacllist"]
    assert {row["name"] for row in listed} == {"renamed"} | EVERYBODYS
    assert lab("deleteNetworkACLList", id=mine) == {"success": True}


# Private gateways and static routes

BEHIND = {"gateway": "172.16.9.1", "ipaddress": "172.16.9.2", "netmask": "255.255.255.0"}


def test_a_private_gateway_gives_the_router_another_leg(lab: Lab) -> None:
    vpc = lab.vpc()
    gateway = lab("createPrivateGateway", vpcid=vpc["id"], vlan="678", **BEHIND)["privategateway"]
    assert (gateway["vlan"], gateway["aclname"], gateway["state"]) == ("vlan://678", "default_deny", "Ready")
    assert lab.routers(vpc)[0]["nic"][-1]["ipaddress"] == "172.16.9.2"
    assert lab("listNetworks", listall=True) == {}
    assert lab("listPrivateGateways", vlan="678", listall=True)["count"] == 1
    assert lab.refused("createPrivateGateway", vpcid=vpc["id"], vlan="678", **BEHIND) == (
        431,
        "Private ip address 172.16.9.2 already used for private gateway in zone " + lab("listZones")["zone"][0]["name"],
    )
    assert (
        "already being used for dynamic vlan"
        in lab.refused("createPrivateGateway", vpcid=vpc["id"], vlan="150", **BEHIND)[1]
    )
    lab("restartVPC", id=vpc["id"], cleanup=True)
    assert lab.routers(vpc)[0]["nic"][-1]["ipaddress"] == "172.16.9.2"
    lab("deletePrivateGateway", id=gateway["id"])
    assert len(lab.routers(vpc)[0]["nic"]) == 2


def test_users_put_private_gateways_on_networks_of_theirs(lab: Lab) -> None:
    user = lab.user()
    vpc = lab.vpc(user)
    assert lab.refused("createPrivateGateway", user, vpcid=vpc["id"], vlan="678", **BEHIND) == (
        431,
        "One of vlanId and associatedNetworkId must be specified",
    )
    offering = {"zoneid": lab.zone, "networkofferingid": lab.offerings[ISOLATED]}
    network = lab("createNetwork", user, name="mine", **offering)["network"]
    others = lab("createNetwork", name="others", **offering)["network"]
    asked = {"vpcid": vpc["id"], **BEHIND}
    assert lab.refused("createPrivateGateway", associatednetworkid=others["id"], **asked) == (
        431,
        "The new network and associated network MUST be owned by same account",
    )
    gateway = lab("createPrivateGateway", user, associatednetworkid=network["id"], **asked)["privategateway"]
    assert (gateway["associatednetworkid"], "vlan" in gateway) == (network["id"], False)
    by_vlan = lab("createPrivateGateway", vpcid=vpc["id"], vlan="679", **{**BEHIND, "gateway": "172.16.9.3"})
    assert lab.refused("deletePrivateGateway", user, id=by_vlan["privategateway"]["id"]) == (
        431,
        "Unable to delete private gateway with specified vlan by non-ROOT accounts",
    )
    assert lab("deletePrivateGateway", user, id=gateway["id"]) == {"success": True}


def test_static_routes_lead_out_of_a_vpc(lab: Lab) -> None:
    vpc = lab.vpc()
    gateway = lab("createPrivateGateway", vpcid=vpc["id"], vlan="678", **BEHIND)["privategateway"]["id"]
    route = lab("createStaticRoute", gatewayid=gateway, cidr="11.1.1.0/24")["staticroute"]
    assert (route["state"], route["vpcid"], route["vpcgatewayip"]) == ("Active", vpc["id"], "172.16.9.2")
    for params, code, text in (
        ({"cidr": "10.9.3.0/24"}, 431, "CIDR should be outside of VPC cidr 10.9.0.0/16"),
        ({"cidr": "169.254.3.0/24"}, 431, "CIDR should be outside of link local cidr 169.254.0.0/16"),
        ({"cidr": "nowhere"}, 431, "Invalid format for cidr nowhere"),
        (
            {"cidr": "11.1.0.0/16"},
            537,
            f"New static route cidr conflicts with existing route StaticRoute[{route['id']}|11.1.1.0/24|1]",
        ),
    ):
        number = lab.cloud.find(("PrivateGatewayResponse",), gateway).number  # type: ignore[union-attr]
        assert lab.refused("createStaticRoute", gatewayid=gateway, **params) == (
            code,
            text.replace("|1]", f"|{number}]"),
        )
    hop = lab("createStaticRoute", vpcid=vpc["id"], nexthop="10.9.1.5", cidr="12.0.0.0/8")["staticroute"]
    assert hop["nexthop"] == "10.9.1.5"
    assert lab.refused("createStaticRoute", vpcid=vpc["id"], nexthop="1.1.1.1", cidr="13.0.0.0/8")[0] == 431
    assert "1 static routes applied. Remove the routes first" in lab.refused("deletePrivateGateway", id=gateway)[1]
    lab("deleteStaticRoute", id=route["id"])
    assert [row["id"] for row in lab("listStaticRoutes", vpcid=vpc["id"], listall=True)["staticroute"]] == [hop["id"]]
    lab("deletePrivateGateway", id=gateway)


# VPNs


def test_users_dial_into_a_vpc_at_its_source_nat_address(lab: Lab) -> None:
    vpc = lab.vpc()
    user = lab("addVpnUser", username="somebody", password="secret")["vpnuser"]
    assert user["state"] == "Add"
    other = lab("associateIpAddress", vpcid=vpc["id"])["ipaddress"]
    code, text = lab.refused("createRemoteAccessVpn", publicipid=other["id"])
    assert (code, text.startswith("Vpn service can only be configured on the Source NAT IP of VPC")) == (431, True)
    ip = lab.ips(vpc, issourcenat=True)[0]
    overlap = lab.refused("createRemoteAccessVpn", publicipid=ip["id"], iprange="10.9.1.1-10.9.1.9")
    assert overlap[1].startswith("Invalid ip range: 10.9.1.1-10.9.1.9 overlaps with guest ip range")
    vpn = lab("createRemoteAccessVpn", publicipid=ip["id"])["remoteaccessvpn"]
    assert (vpn["iprange"], vpn["state"], len(vpn["presharedkey"])) == ("10.1.2.2-10.1.2.8", "Running", 24)
    assert lab("listVpnUsers")["vpnuser"][0]["state"] == "Add"
    lab("addVpnUser", username="another", password="secret")
    assert [(row["username"], row["state"]) for row in lab("listVpnUsers")["vpnuser"]] == [
        ("another", "Active"),
        ("somebody", "Active"),
    ]
    assert lab.refused("createRemoteAccessVpn", publicipid=ip["id"])[0] == 431
    assert lab("listRemoteAccessVpns", publicipid=ip["id"])["count"] == 1
    lab("deleteRemoteAccessVpn", publicipid=ip["id"])
    assert lab("listRemoteAccessVpns", listall=True) == {}
    assert lab.refused("addVpnUser", username="somebody", password="secret")[0] == 431
    assert lab.refused("addVpnUser", username="x", password="secret")[0] == 431
    assert lab("removeVpnUser", username="somebody") == {"success": True}
    assert lab.refused("removeVpnUser", username="somebody")[1].startswith("Could not find VPN user=[somebody].")


def test_a_vpn_of_a_network_opens_and_closes_the_firewall(lab: Lab) -> None:
    network = lab("createNetwork", name="n", zoneid=lab.zone, networkofferingid=lab.offerings[ISOLATED])["network"]
    lab.vm(network)
    (ip,) = lab("listPublicIpAddresses", associatednetworkid=network["id"])["publicipaddress"]
    router = lab("listRouters", networkid=network["id"])["router"][0]["id"]
    lab("stopRouter", id=router)
    assert lab.refused("createRemoteAccessVpn", publicipid=ip["id"]) == (
        534,
        "Resource [DataCenter:1] is unreachable: Failed to start remote access VPN: router not in right state Stopped",
    )
    lab("startRouter", id=router)
    lab("createRemoteAccessVpn", publicipid=ip["id"])
    rules = lab("listFirewallRules", ipaddressid=ip["id"], listall=True)["firewallrule"]
    assert {int(row["startport"]) for row in rules} == {500, 1701, 4500}
    lab("deleteRemoteAccessVpn", publicipid=ip["id"])
    assert lab("listFirewallRules", ipaddressid=ip["id"], listall=True) == {}


def test_vpcs_are_connected_site_to_site(lab: Lab) -> None:
    vpc = lab.vpc()
    gateway = lab("createVpnGateway", vpcid=vpc["id"])["vpngateway"]
    assert gateway["publicip"] == lab.ips(vpc, issourcenat=True)[0]["ipaddress"]
    assert lab.refused("createVpnGateway", vpcid=vpc["id"])[1].endswith("already exists!")
    customer = lab("createVpnCustomerGateway", **FAR_END)["vpncustomergateway"]
    assert (customer["name"], customer["ikelifetime"], customer["ikeversion"]) == ("VPN-203.0.113.9", 86400, "ike")
    assert lab.refused("createVpnCustomerGateway", **FAR_END)[1].endswith("already exists!")
    assert lab.refused("createVpnCustomerGateway", **{**FAR_END, "ikepolicy": "aes128-sha1"})[0] == 431
    inside = lab("createVpnCustomerGateway", **{**FAR_END, "name": "in", "cidrlist": "10.9.1.0/24"})[
        "vpncustomergateway"
    ]
    ends = {"s2svpngatewayid": gateway["id"]}
    assert (
        "is overlapped with VPC cidr"
        in lab.refused("createVpnConnection", s2scustomergatewayid=inside["id"], **ends)[1]
    )
    connection = lab("createVpnConnection", s2scustomergatewayid=customer["id"], **ends)["vpnconnection"]
    assert (connection["state"], connection["cidrlist"]) == ("Connecting", "10.200.0.0/16")
    assert lab("listVpnConnections", vpcid=vpc["id"], listall=True)["count"] == 1
    for command, row in (("deleteVpnGateway", gateway), ("deleteVpnCustomerGateway", customer)):
        assert "still related VPN connections" in lab.refused(command, id=row["id"])[1]
    lab("deleteVpnConnection", id=connection["id"])
    for command, row in (("deleteVpnGateway", gateway), ("deleteVpnCustomerGateway", customer)):
        assert lab(command, id=row["id"]) == {"success": True}
    lab("deleteVpnCustomerGateway", id=inside["id"])


# Over HTTP


def test_a_vpc_is_made_over_http_by_a_job() -> None:
    with Simulator(networking="advanced") as simulator:
        url = f"http://127.0.0.1:{simulator.integration_port}/client/api"

        def ask(command: str, **params: str) -> dict[str, Any]:
            reply = requests.get(url, params={"command": command, "response": "json", **params}, timeout=10)
            body: dict[str, Any] = next(iter(reply.json().values()))
            return body

        zone = ask("listZones")["zone"][0]["id"]
        offering = ask("listVPCOfferings", isdefault="true")["vpcoffering"][0]["id"]
        account = {"account": "admin", "domainid": ask("listDomains")["domain"][0]["id"]}
        asked = {"name": "v", "displaytext": "v", "cidr": "10.9.0.0/16", "zoneid": zone, "vpcofferingid": offering}
        started = ask("createVPC", **asked, **account)
        job = ask("queryAsyncJobResult", jobid=started["jobid"])
        assert (job["jobstatus"], job["jobresult"]["vpc"]["id"]) == (1, started["id"])
        assert ask("listVPCs", listall="true")["vpc"][0]["id"] == started["id"]
