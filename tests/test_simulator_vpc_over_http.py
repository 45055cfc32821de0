"""What the embedded simulator says of VPCs and what belongs to them, in status, code and text, to admins and to users."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from cs_matrix_pytest.simulator import Simulator
from simulator_over_http import FAR_END, SignedClient, signed_by

NEXT = itertools.count(1)
TIER = "DefaultIsolatedNetworkOfferingForVpcNetworks"
BALANCED_TIER = "DefaultIsolatedNetworkOfferingForVpcNetworksWithInternalLB"
FORBIDDEN = "Caller does not have permission to operate with provided resource."
HIDDEN = "Internal error executing command, please contact your system administrator"
BEHIND = {"gateway": "172.16.9.1", "ipaddress": "172.16.9.2", "netmask": "255.255.255.0", "vlan": 678}


class Cloud:
    """One simulator, its admin and two users, and what they start from."""

    def __init__(self, simulator: Simulator) -> None:
        self.admin = SignedClient(simulator)
        self.owner, self.stranger = (signed_by(self.admin, self.admin.account(name)) for name in ("owner", "stranger"))
        self.zone = self.admin.one("listZones")["id"]
        self.offering = self.admin.rows("listVPCOfferings", name="Default VPC offering")[0]["id"]
        self.tiers = {row["name"]: row["id"] for row in self.admin.rows("listNetworkOfferings")}

    def vpc(self, client: SignedClient | None = None, **params: Any) -> dict[str, Any]:
        where = {"zoneid": self.zone, "vpcofferingid": self.offering}
        given = {"name": f"vpc{next(NEXT)}", "cidr": "10.9.0.0/16", **params}
        return (client or self.owner).one("createVPC", **where, **given)

    def removed_vpc(self) -> str:
        vpc: str = self.vpc()["id"]
        self.owner.run("deleteVPC", id=vpc)
        return vpc

    def tier(self, vpc: str, offering: str = TIER, **params: Any) -> dict[str, Any]:
        return self.owner.one("createNetwork", **self.tier_of(vpc, offering, **params))

    def tier_of(self, vpc: str, offering: str = TIER, **params: Any) -> dict[str, Any]:
        address = {"gateway": "10.9.1.1", "netmask": "255.255.255.0"}
        where = {"zoneid": self.zone, "networkofferingid": self.tiers[offering], "vpcid": vpc}
        return {"name": f"tier{next(NEXT)}", "displaytext": "a tier", **where, **address, **params}

    def router(self, vpc: str) -> dict[str, Any]:
        return self.admin.one("listRouters", vpcid=vpc, listall=True)

    def source_nat(self, vpc: str) -> str:
        ip: str = self.owner.one("listPublicIpAddresses", vpcid=vpc, issourcenat=True)["id"]
        return ip

    def clear(self) -> None:
        """Take back every VPC."""
        for listing, deletion in (("listNetworks", "deleteNetwork"), ("listVPCs", "deleteVPC")):
            for row in self.admin.rows(listing, listall=True):
                self.admin.run(deletion, id=row["id"])


@pytest.fixture(scope="module")
def shared_cloud() -> Iterator[Cloud]:
    with Simulator(networking="advanced") as simulator:
        yield Cloud(simulator)


@pytest.fixture
def cloud(shared_cloud: Cloud) -> Iterator[Cloud]:
    yield shared_cloud
    shared_cloud.clear()


# VPCs and their offerings


def test_whoever_makes_a_vpc_cannot_hide_it(cloud: Cloud) -> None:
    vpc = cloud.vpc(cloud.admin, fordisplay=False)
    assert vpc["fordisplay"] is True
    assert cloud.admin.one("updateVPC", id=vpc["id"], fordisplay=False)["fordisplay"] is False


def test_what_is_hidden_is_listed_only_where_it_is_asked_for(cloud: Cloud) -> None:
    vpc = cloud.vpc()["id"]
    acl = cloud.admin.one("createNetworkACLList", vpcid=vpc, name="x", fordisplay=False)["id"]
    ip = cloud.source_nat(vpc)
    for command, id in (("updateVPC", vpc), ("updateIpAddress", ip)):
        cloud.admin.run(command, id=id, fordisplay=False)
    for listing, id in (("listVPCs", vpc), ("listNetworkACLLists", acl), ("listPublicIpAddresses", ip)):
        assert cloud.owner.rows(listing, id=id) == []
        assert cloud.admin.rows(listing, id=id) == []
        assert cloud.admin.one(listing, id=id, fordisplay=False)["fordisplay"] is False
        # Users cannot ask for it: of them the parameter is ignored.
        assert cloud.owner.rows(listing, id=id, fordisplay=False) == []
    cloud.admin.run("updateVPC", id=vpc, fordisplay=True)
    tier = cloud.tier(vpc)["id"]
    cloud.admin.run("updateNetwork", id=tier, displaynetwork=False)
    assert cloud.admin.rows("listNetworks", id=tier) == []
    assert cloud.admin.one("listNetworks", id=tier, displaynetwork=False)["id"] == tier
    cloud.admin.run("updateNetwork", id=tier, displaynetwork=True)


def test_a_removed_vpc_is_told_by_its_number(cloud: Cloud) -> None:
    vpc = cloud.removed_vpc()
    code, text = cloud.owner.refused("updateVPC", id=vpc, name="x")
    assert (code, text.startswith("Unable to find vpc by id ")) == (431, True)
    assert cloud.owner.refused("restartVPC", id=vpc) == (431, "Unable to find Enabled VPC by id specified")
    assert cloud.owner.refused("createNetwork", **cloud.tier_of(vpc)) == (431, "Unable to find Enabled VPC ")
    assert cloud.owner.refused("createStaticRoute", vpcid=vpc, cidr="11.0.0.0/8", nexthop="10.9.1.5") == (
        431,
        "Invalid vpc id is specified",
    )
    code, text = cloud.owner.refused("createNetworkACLList", vpcid=vpc, name="x")
    assert (code, text.startswith("Invalid VPC ID ["), text.endswith("] provided.")) == (431, True, True)


def test_what_goes_wrong_inside_is_told_to_admins_only(cloud: Cloud) -> None:
    vpc = cloud.removed_vpc()
    assert cloud.admin.refused("createVpnGateway", vpcid=vpc) == (
        530,
        'Cannot invoke "com.cloud.network.vpc.Vpc.getAccountId()" because "vpc" is null',
    )
    assert cloud.owner.refused("createVpnGateway", vpcid=vpc) == (530, HIDDEN)


def test_a_removed_offering_makes_no_vpc_and_frees_its_name(cloud: Cloud) -> None:
    asked = {"name": "For a while", "displaytext": "x", "supportedservices": "Dhcp,Dns,SourceNat"}
    offering = cloud.admin.one("createVPCOffering", **asked)["id"]
    where = {"name": "v", "cidr": "10.9.0.0/16", "zoneid": cloud.zone, "vpcofferingid": offering}
    disabled = "Unable to find vpc offering in Enabled state by specified id"
    refusal = cloud.owner.ask("createVPC", **where)
    assert (refusal["errorcode"], refusal["errortext"]) == (431, disabled)
    assert refusal["uuidList"] == [{"uuid": offering, "description": "vpcOfferingId"}]
    assert cloud.admin.refused("createVPCOffering", **{**asked, "name": "FOR A WHILE"}) == (
        530,
        "Entity already exists ",
    )
    cloud.admin.run("updateVPCOffering", id=offering, name="Otherwise")
    # The name that counts is the one that it was made by.
    assert cloud.admin.refused("createVPCOffering", **asked)[0] == 530
    cloud.admin.run("deleteVPCOffering", id=offering)
    code, text = cloud.admin.refused("updateVPCOffering", id=offering, name="x")
    assert (code, text.startswith("Unable to find VPC offering ")) == (431, True)
    assert cloud.owner.refused("createVPC", **where) == (431, disabled)
    cloud.admin.run("deleteVPCOffering", id=cloud.admin.one("createVPCOffering", **asked)["id"])


def capability(service: str, name: str, value: str) -> dict[str, str]:
    at = "servicecapabilitylist[0]"
    return {f"{at}.service": service, f"{at}.capabilitytype": name, f"{at}.capabilityvalue": value}


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"specifyasnumber": True}, "SpecifyAsNumber can only be true for VPC offerings for NSX"),
        (capability("Lb", "Nonsense", "true"), "Invalid capability:Nonsense capability value:true"),
        (capability("SourceNat", "RedundantRouter", "maybe"), "Invalid Capability value:maybe specified."),
        (
            capability("Lb", "RedundantRouter", "true"),
            "Invalid Service: Lb specified. Capability SourceNat can be specified only for service RedundantRouter",
        ),
        (
            {"supportedservices": "Connectivity", **capability("Connectivity", "DistributedRouter", "true")},
            "Provider NiciraNvp does not support DistributedRouter  capability.",
        ),
    ],
)
def test_an_offering_is_asked_for_what_it_can(cloud: Cloud, params: dict[str, Any], text: str) -> None:
    asked = {"name": "x", "displaytext": "x", "supportedservices": "SourceNat,Lb"}
    assert cloud.admin.refused("createVPCOffering", **{**asked, **params}) == (431, text)


def test_no_router_no_other_mtu(cloud: Cloud) -> None:
    vpc = cloud.vpc()["id"]
    cloud.admin.run("stopRouter", id=cloud.router(vpc)["id"])
    assert cloud.owner.refused("updateVPC", id=vpc, publicmtu=1400) == (530, "Failed to update MTU on the network")
    cloud.owner.run("restartVPC", id=vpc)
    assert cloud.owner.one("updateVPC", id=vpc, publicmtu=1400)["publicmtu"] == 1400


# ACLs


def test_icmp_is_all_of_it_unless_said_otherwise(cloud: Cloud) -> None:
    acl = cloud.owner.one("createNetworkACLList", vpcid=cloud.vpc()["id"], name="x")
    assert "fordisplay" not in acl
    rule = cloud.owner.one("createNetworkACL", aclid=acl["id"], protocol="1")
    assert (rule["protocol"], rule["icmptype"], rule["icmpcode"]) == ("icmp", -1, -1)
    assert cloud.owner.refused("updateNetworkACLItem", id=rule["id"], protocol="tcp") == (
        431,
        "Can specify icmpCode and icmpType for ICMP protocol only",
    )
    whole = {"partialupgrade": False, "cidrlist": "10.0.0.0/8", "traffictype": "egress"}
    changed = cloud.owner.one("updateNetworkACLItem", id=rule["id"], protocol="udp", icmptype=8, **whole)
    assert ("icmptype" in changed, changed["action"], changed["traffictype"]) == (False, "Allow", "Egress")
    back = cloud.owner.one("updateNetworkACLItem", id=rule["id"], protocol="icmp", **whole)
    assert (back["icmptype"], back["icmpcode"]) == (-1, -1)


def test_a_removed_network_has_no_list(cloud: Cloud) -> None:
    network = cloud.tier(cloud.vpc()["id"])["id"]
    cloud.owner.run("deleteNetwork", id=network)
    for command, method in (("createNetworkACL", "getVpcId"), ("listNetworkACLs", "getNetworkACLId")):
        said = f'Cannot invoke "com.cloud.network.Network.{method}()" because "network" is null'
        assert cloud.admin.refused(command, networkid=network, protocol="all") == (530, said)
        assert cloud.owner.refused(command, networkid=network, protocol="all") == (530, HIDDEN)


def test_one_end_of_a_rules_ports_is_changed_alone(cloud: Cloud) -> None:
    acl = cloud.owner.one("createNetworkACLList", vpcid=cloud.vpc()["id"], name="x")["id"]
    rule = cloud.owner.one("createNetworkACL", aclid=acl, protocol="tcp", startport=80)["id"]
    changed = cloud.owner.one("updateNetworkACLItem", id=rule, endport=90, traffictype="sideways")
    assert (changed["startport"], changed["endport"], changed["traffictype"]) == ("80", "90", "Ingress")
    assert cloud.owner.refused("updateNetworkACLItem", id=rule, startport=100) == (
        431,
        "Start port can't be bigger than end port [startport=100,endport=90]",
    )


def test_a_changed_list_is_the_answer(cloud: Cloud) -> None:
    acl = cloud.owner.one("createNetworkACLList", vpcid=cloud.vpc()["id"], name="x")["id"]
    changed = cloud.owner.one("updateNetworkACLList", id=acl, name="y", description="d")
    assert (changed["id"], changed["name"], changed["description"]) == (acl, "y", "d")
    assert cloud.stranger.refused("updateNetworkACLList", id=acl, name="z") == (530, FORBIDDEN)


def test_rules_are_imported_where_all_is_said(cloud: Cloud) -> None:
    acl = cloud.owner.one("createNetworkACLList", vpcid=cloud.vpc()["id"], name="x")["id"]
    incomplete = {"rules[0].protocol": "tcp", "rules[0].startport": "80"}
    assert cloud.admin.refused("importNetworkACL", aclid=acl, **incomplete) == (530, "Failed to import any ACL rules.")
    wrong = {"rules[1].protocol": "nonsense", "rules[1].traffictype": "egress"}
    made = cloud.admin.run("importNetworkACL", aclid=acl, **{**incomplete, "rules[0].traffictype": "egress", **wrong})
    (rule,) = made["null"]["responses"]
    assert (rule["protocol"], rule["action"], rule["traffictype"], rule["number"]) == ("tcp", "Deny", "Egress", 1.0)
    assert [row["id"] for row in cloud.owner.rows("listNetworkACLs", aclid=acl)] == [rule["id"]]


# Private gateways and static routes


@pytest.mark.parametrize(
    ("params", "code", "text"),
    [
        ({"vlan": "abc"}, 530, "string 'abc' has an unknown BroadcastDomainType."),
        ({"vlan": ""}, 530, "Expected VLAN or VXLAN but got a null isolation method"),
        ({"vlan": "vxlan://7"}, 431, "unsupported type of broadcastUri specified: vxlan://7"),
        ({"ipaddress": "x"}, 431, "Invalid format for the ip address parameter"),
        ({"netmask": "x"}, 431, "Invalid netmask"),
    ],
)
def test_a_private_gateway_that_cannot_be(cloud: Cloud, params: dict[str, Any], code: int, text: str) -> None:
    vpc = cloud.vpc()["id"]
    assert cloud.admin.refused("createPrivateGateway", vpcid=vpc, **{**BEHIND, **params}) == (code, text)
    assert cloud.admin.rows("listPrivateGateways", vpcid=vpc, listall=True) == []


def test_the_list_of_a_gateway_is_of_its_vpc(cloud: Cloud) -> None:
    vpc = cloud.vpc()["id"]
    other = cloud.owner.one("createNetworkACLList", vpcid=cloud.vpc()["id"], name="x")["id"]
    # Nothing of the gateway's network is looked at before.
    assert cloud.admin.refused("createPrivateGateway", vpcid=vpc, aclid=other, **{**BEHIND, "netmask": "x"}) == (
        431,
        "Private gateway and network acl are not in the same vpc.",
    )


def test_routes_are_for_the_owner_of_the_vpc(cloud: Cloud) -> None:
    vpc = cloud.vpc()["id"]
    assert cloud.stranger.refused("createStaticRoute", vpcid=vpc, cidr="11.0.0.0/8") == (531, FORBIDDEN)
    assert cloud.owner.refused("createStaticRoute", vpcid=vpc, cidr="11.0.0.0/8") == (
        431,
        "one of gatewayId and nextHop must be specified",
    )
    route = cloud.owner.one("createStaticRoute", vpcid=vpc, cidr="11.0.0.0/8", nexthop="10.9.1.5")
    # The list takes no notice of a keyword.
    assert [row["id"] for row in cloud.owner.rows("listStaticRoutes", vpcid=vpc, keyword="zz")] == [route["id"]]


# VPNs


def test_a_vpn_waits_for_its_router(cloud: Cloud) -> None:
    vpc = cloud.vpc()["id"]
    ip, router = cloud.source_nat(vpc), cloud.router(vpc)["id"]
    cloud.admin.run("stopRouter", id=router)
    assert cloud.owner.refused("createRemoteAccessVpn", publicipid=ip) == (
        534,
        "Resource [DataCenter:1] is unreachable: Unable to apply remote access VPN configuration, "
        "virtual router is not in the right state",
    )
    assert cloud.owner.rows("listRemoteAccessVpns", publicipid=ip) == []
    cloud.admin.run("startRouter", id=router)
    vpn = cloud.owner.one("createRemoteAccessVpn", publicipid=ip)
    assert (vpn["state"], "fordisplay" in vpn) == ("Running", False)
    assert cloud.owner.one("listRemoteAccessVpns", publicipid=ip)["id"] == vpn["id"]
    # An id alone does not widen an admin's list.
    assert cloud.admin.rows("listRemoteAccessVpns", id=vpn["id"]) == []
    assert cloud.admin.one("listRemoteAccessVpns", id=vpn["id"], listall=True)["fordisplay"] is True
    assert cloud.stranger.refused("listRemoteAccessVpns", publicipid=ip) == (531, FORBIDDEN)


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ("", "IP range [] is an invalid IP range."),
        ("a-b", "One or both IPs sets in the range [a-b] are invalid IPs."),
        ("10.1.2.9-10.1.2.1", "Range of IPs [10.1.2.9-10.1.2.1] is invalid."),
        (
            "10.9.0.1-10.9.0.9",
            "Invalid ip range: 10.9.0.1-10.9.0.9 overlaps with guest ip range 10.9.0.1-10.9.255.254",
        ),
    ],
)
def test_the_addresses_of_a_vpns_users_are_a_range_of_their_own(cloud: Cloud, asked: str, text: str) -> None:
    ip = cloud.source_nat(cloud.vpc()["id"])
    assert cloud.owner.refused("createRemoteAccessVpn", publicipid=ip, iprange=asked) == (431, text)


def test_a_vpns_user_is_the_callers_unless_somebody_is_named(cloud: Cloud) -> None:
    person = {"username": "somebody", "password": "secret"}
    half = (431, "Account must be specified with domainId parameter")
    assert cloud.owner.refused("addVpnUser", **person, account="owner") == half
    other = {"account": "stranger", "domainid": cloud.admin.one("listDomains")["id"]}
    assert cloud.owner.refused("addVpnUser", **person, **other) == (531, FORBIDDEN)
    assert cloud.owner.one("addVpnUser", **person)["account"] == "owner"
    assert cloud.owner.refused("removeVpnUser", username="somebody", account="owner") == half
    cloud.owner.run("removeVpnUser", username="somebody")


def test_the_networks_at_the_far_end_are_kept_clean(cloud: Cloud) -> None:
    gateway = cloud.owner.one("createVpnCustomerGateway", **{**FAR_END, "cidrlist": "10.200.1.2/16"})
    assert (gateway["cidrlist"], gateway["account"]) == ("10.200.0.0/16", "owner")
    assert cloud.owner.refused("createVpnCustomerGateway", **FAR_END, account="owner") == (
        431,
        "Account must be specified with domainId parameter",
    )
    cloud.owner.run("deleteVpnCustomerGateway", id=gateway["id"])
    for command, text in (
        ("updateVpnCustomerGateway", "Find to find customer gateway with id"),
        ("deleteVpnCustomerGateway", "Unable to find specified Site to Site VPN customer gateway"),
    ):
        code, said = cloud.owner.refused(command, id=gateway["id"], **FAR_END)
        assert (code, said.startswith(text)) == (431, True)


def test_settings_say_which_ciphers_are_not_to_be_used(cloud: Cloud) -> None:
    setting = "vpn.customer.gateway.{}.hashing.algorithms".format
    gateway = cloud.owner.one("createVpnCustomerGateway", **FAR_END)["id"]
    cloud.admin.run("updateConfiguration", name=setting("excluded"), value="md5, SHA1")
    assert cloud.owner.refused("createVpnCustomerGateway", **{**FAR_END, "name": "another"}) == (
        431,
        "The following excluded cryptographic parameter(s) cannot be used in a VPN Customer Gateway: [sha1]",
    )
    cloud.admin.run("updateConfiguration", name=setting("excluded"), value="")
    cloud.admin.run("updateConfiguration", name=setting("obsolete"), value="sha1")
    shown = cloud.owner.one("listVpnCustomerGateways", id=gateway)
    assert (shown["obsoleteparameters"], "excludedparameters" in shown) == ("[sha1]", False)
    cloud.admin.run("updateConfiguration", name=setting("obsolete"), value="")
    cloud.owner.run("deleteVpnCustomerGateway", id=gateway)


def test_a_connection_is_interrupted_with_its_router(cloud: Cloud) -> None:
    vpc = cloud.vpc()["id"]
    gateway = cloud.owner.one("createVpnGateway", vpcid=vpc)["id"]
    customer = cloud.owner.one("createVpnCustomerGateway", **FAR_END)["id"]
    connection = cloud.owner.one("createVpnConnection", s2svpngatewayid=gateway, s2scustomergatewayid=customer)["id"]

    def state() -> str:
        shown: str = cloud.owner.one("listVpnConnections", id=connection)["state"]
        return shown

    assert state() == "Connecting"
    router = cloud.router(vpc)["id"]
    cloud.admin.run("stopRouter", id=router)
    assert state() == "Disconnected"
    wrong = (
        "Resource [DataCenter:1] is unreachable: Unable to apply site 2 site VPN configuration, "
        "virtual router is not in the right state"
    )
    for command in ("resetVpnConnection", "deleteVpnConnection"):
        assert cloud.owner.refused(command, id=connection) == (534, wrong)
    cloud.admin.run("startRouter", id=router)
    assert cloud.owner.one("resetVpnConnection", id=connection)["state"] == "Connecting"
    cloud.owner.run("restartVPC", id=vpc, cleanup=True)
    assert state() == "Disconnected"
    cloud.owner.run("updateVpnCustomerGateway", id=customer, **FAR_END)
    assert state() == "Connecting"
    cloud.owner.run("deleteVpnConnection", id=connection)
    for command, purpose in (("resetVpnConnection", " to reset!"), ("deleteVpnConnection", " to delete!")):
        code, text = cloud.owner.refused(command, id=connection)
        assert (code, text.startswith("Fail to find site to site VPN connection "), text.endswith(purpose)) == (
            431,
            True,
            True,
        )
    cloud.owner.run("deleteVpnCustomerGateway", id=customer)


# Routers


def test_a_router_that_is_gone_is_refused_by_each_command_in_its_words(cloud: Cloud) -> None:
    router = cloud.router(cloud.vpc()["id"])
    number = router["name"].split("-")[1]
    size = cloud.admin.rows("listServiceOfferings")[0]
    code, text = cloud.admin.refused("changeServiceForRouter", id=router["id"], serviceofferingid=size["id"])
    assert code == 431
    assert text.startswith("Cannot upgrade router vm to a non system service offering Service offering {")
    cloud.admin.run("destroyRouter", id=router["id"])
    for command, refusal in {
        "startRouter": (431, "Can't find router by id"),
        "stopRouter": (431, "Can't find router by id"),
        "rebootRouter": (431, f"Unable to find domain router with id {number}."),
        "destroyRouter": (530, "Failed to destroy router"),
    }.items():
        assert cloud.admin.refused(command, id=router["id"]) == refusal
    assert cloud.admin.refused("changeServiceForRouter", id=router["id"], serviceofferingid=size["id"]) == (
        431,
        f"Unable to find router with id {number}",
    )
    assert cloud.admin.refused("getRouterHealthCheckResults", routerid=router["id"]) == (
        431,
        "Can't find router by routerId",
    )


def test_a_stopped_router_is_not_rebooted(cloud: Cloud) -> None:
    router = cloud.router(cloud.vpc()["id"])["id"]
    assert cloud.admin.one("stopRouter", id=router)["state"] == "Stopped"
    assert cloud.admin.refused("rebootRouter", id=router) == (
        530,
        "Resource [DataCenter:1] is unreachable: Unable to reboot domR, it is not in right state Stopped",
    )
    assert cloud.admin.one("startRouter", id=router)["state"] == "Running"


def test_nobody_checks_a_routers_health(cloud: Cloud) -> None:
    router = cloud.router(cloud.vpc()["id"])["id"]
    assert cloud.admin.one("listRouters", id=router, fetchhealthcheckresults=True)["healthcheckresults"] == []
    code, text = cloud.admin.refused("getRouterHealthCheckResults", routerid=router)
    assert (code, "No health check results found for the router." in text) == (530, True)
    assert cloud.admin.refused("getRouterHealthCheckResults", routerid=router, performfreshchecks=True) == (
        530,
        "Failed to get health check results due to: Unable to perform fresh checks on router - "
        "Basic tests failed - null",
    )
    known = cloud.admin.run("getRouterHealthCheckResults", routerid=router)["routerhealthchecks"]["healthchecks"]
    assert [(row["checkname"], row["success"], row["status"]) for row in known] == [
        ("connectivity.test", False, "FAILED"),
        ("filesystem.writable.test", False, "UNKNOWN"),
    ]
    shown = cloud.admin.one("listRouters", id=router, fetchhealthcheckresults=True)
    assert (shown["healthcheckresults"], shown["healthchecksfailed"]) == (known, False)


def test_routers_are_found_by_what_they_serve(cloud: Cloud) -> None:
    vpc = cloud.vpc(name="The one with a name")
    router = cloud.router(vpc["id"])
    assert [row["id"] for row in cloud.admin.rows("listRouters", listall=True, keyword="WITH A NAME")] == [router["id"]]
    assert router["id"] in [row["id"] for row in cloud.admin.rows("listRouters", listall=True, version="4.10")]


def test_domain_admins_do_not_see_where_a_router_runs(cloud: Cloud) -> None:
    domain = cloud.admin.one("createDomain", name="department")["id"]
    head = signed_by(cloud.admin, cloud.admin.account("head", domain=domain, type=2))
    vpc = cloud.vpc(head)
    router = head.one("listRouters", vpcid=vpc["id"], listall=True)
    assert (router["nic"], {"hostid", "podid", "publicip", "linklocalip"} & router.keys()) == ([], set())
    assert cloud.router(vpc["id"])["hostid"]


# Load balancers inside of tiers


def test_balancers_inside_of_a_tier_are_listed_and_refused(cloud: Cloud) -> None:
    tier = cloud.tier(cloud.vpc()["id"], BALANCED_TIER)["id"]
    where = {"networkid": tier, "sourceipaddressnetworkid": tier, "instanceport": 80, "scheme": "internal"}
    asked = {**where, "algorithm": "RoundRobin", "sourceport": 80, "sourceipaddress": "10.9.1.50"}
    first = cloud.owner.one("createLoadBalancer", name="first", description="the one", **asked)
    code, text = cloud.owner.refused("createLoadBalancer", name="again", **asked)
    conflict = f'ApplicationLoadBalancerRule {{"id":1,"name":"first","purpose":"LoadBalancing","state":"Add","uuid":"{first["id"]}"}}'
    assert (code, text) == (537, f"The range specified, 80-80, conflicts with rule {conflict} which has 80-80")
    second = cloud.owner.one("createLoadBalancer", name="second", **{**asked, "sourceport": 81})
    listed = cloud.owner.rows("listLoadBalancers", networkid=tier)
    assert [row["id"] for row in listed] == [first["id"], second["id"]]
    assert cloud.owner.one("listLoadBalancers", keyword="the one")["id"] == first["id"]
    only = (431, "Invalid value for scheme. Supported value is internal")
    assert cloud.owner.refused("listLoadBalancers", scheme="public") == only
    assert cloud.owner.refused("createLoadBalancer", name="x", **{**asked, "scheme": "public"}) == only
    # What the command itself says of a want of addresses is not hidden from users.
    code, text = cloud.owner.refused("createLoadBalancer", name="x", **{**asked, "sourceipaddress": "10.9.1.1"})
    assert (code, text.startswith("Unable to acquire IP address for network ")) == (533, True)
