"""Rules on the simulator's public addresses: firewall, forwarding, static NAT, load balancing; security groups; NICs."""

from __future__ import annotations

from typing import Any

import pytest

from cs_matrix_pytest.environments.model import Fault
from cs_matrix_pytest.simulator import Simulator
from cs_matrix_pytest.simulator.call import Caller
from cs_matrix_pytest.simulator.errors import ApiError
from cs_matrix_pytest.simulator.models.iam import User
from cs_matrix_pytest.simulator.models.networks import StickinessPolicy

ISOLATED = "DefaultIsolatedNetworkOfferingWithSourceNatService"


class Lab:
    """An account with a network, two VMs in it, and short ways to ask."""

    def __init__(self) -> None:
        self.cloud = Simulator(networking="advanced").cloud
        self.admin = Caller(self.cloud.admin_user)
        self.zone = self("listZones")["zone"][0]["id"]
        template = self("listTemplates", templatefilter="featured")["template"][0]["id"]
        size = self("listServiceOfferings")["serviceoffering"][0]["id"]
        self.owner = self.account("owner")
        self.whose = {"account": "owner", "domainid": self.owner["domainid"]}
        self("updateResourceLimit", resourcetype=1, max=-1, **self.whose)
        offering = self("listNetworkOfferings", name=ISOLATED)["networkoffering"][0]["id"]
        self.network = self("createNetwork", name="n", zoneid=self.zone, networkofferingid=offering, **self.whose)[
            "network"
        ]["id"]
        wanted = {"zoneid": self.zone, "templateid": template, "serviceofferingid": size, "networkids": self.network}
        self.vms = [self("deployVirtualMachine", **wanted, **self.whose)["virtualmachine"] for _ in range(2)]

    def __call__(self, command: str, caller: Caller | None = None, /, **params: Any) -> dict[str, Any]:
        return self.cloud.run(command, caller or self.admin, **params)

    def refused(self, command: str, caller: Caller | None = None, /, **params: Any) -> tuple[int, str]:
        with pytest.raises(ApiError) as refusal:
            self(command, caller, **params)
        return refusal.value.code, refusal.value.text

    def account(self, name: str) -> dict[str, Any]:
        names = {"username": name, "password": "p", "firstname": "a", "lastname": "b", "email": "a@example.org"}
        made: dict[str, Any] = self("createAccount", accounttype=0, **names)["account"]
        return made

    def caller(self, account: dict[str, Any]) -> Caller:
        user = self.cloud.store.table(User).get(account["user"][0]["id"])
        assert user is not None
        return Caller(user)

    def ip(self) -> str:
        made: str = self("associateIpAddress", networkid=self.network)["ipaddress"]["id"]
        return made

    def count(self, command: str, **params: Any) -> int:
        found: int = self(command, listall=True, **params).get("count", 0)
        return found


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab()


def forward(lab: Lab, ip: str, public: int, private: int = 22, **params: Any) -> dict[str, Any]:
    asked = {"ipaddressid": ip, "protocol": "TCP", "publicport": public, "privateport": private}
    made: dict[str, Any] = lab("createPortForwardingRule", **asked, **{"virtualmachineid": lab.vms[0]["id"], **params})[
        "portforwardingrule"
    ]
    return made


def balance(lab: Lab, ip: str, public: int, **params: Any) -> dict[str, Any]:
    asked = {"publicipid": ip, "name": "web", "algorithm": "roundrobin", "publicport": public, "privateport": 80}
    made: dict[str, Any] = lab("createLoadBalancerRule", **{**asked, "openfirewall": False, **params})["loadbalancer"]
    return made


def test_a_firewall_rule_lives_until_it_is_deleted(lab: Lab) -> None:
    ip = lab.ip()
    rule = lab("createFirewallRule", ipaddressid=ip, protocol="TCP", startport=22, cidrlist="10.0.0.0/8")[
        "firewallrule"
    ]
    assert (rule["protocol"], rule["startport"], rule["endport"], rule["state"]) == ("tcp", 22, 22, "Active")
    assert (rule["cidrlist"], rule["traffictype"]) == ("10.0.0.0/8", "Ingress")
    assert lab.count("listFirewallRules", id=rule["id"]) == 1
    lab("deleteFirewallRule", id=rule["id"])
    assert lab.count("listFirewallRules", ipaddressid=ip) == 0


def test_firewall_rules_conflict_by_ports_and_cidrs(lab: Lab) -> None:
    ip = lab.ip()
    lab("createFirewallRule", ipaddressid=ip, protocol="tcp", startport=20, endport=30, cidrlist="10.0.0.0/8")
    lab("createFirewallRule", ipaddressid=ip, protocol="tcp", startport=20, endport=30, cidrlist="11.0.0.0/8")
    lab("createFirewallRule", ipaddressid=ip, protocol="udp", startport=20, endport=30, cidrlist="10.0.0.0/8")
    code, text = lab.refused(
        "createFirewallRule", ipaddressid=ip, protocol="tcp", startport=25, endport=40, cidrlist="10.0.0.0/8"
    )
    assert code == 537
    assert text.startswith("The range specified, 25-40, conflicts with rule FirewallRule {")
    assert text.endswith("which has 20-30")


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"protocol": "tcp", "startport": 30, "endport": 20}, "Start port can't be bigger than end port"),
        ({"protocol": "tcp", "startport": 70000}, "publicPort is an invalid value: 70000"),
        ({"protocol": "tcp", "cidrlist": "nowhere"}, "Source CIDRs formatting error nowhere"),
        ({"protocol": "icmp", "startport": 1}, "Can't specify start/end port when protocol is ICMP"),
        ({"protocol": "tcp", "icmptype": 1}, "Can specify icmpCode and icmpType for ICMP protocol only"),
        ({"protocol": "gre"}, "Protocol gre is not supported in zone 1"),
    ],
)
def test_firewall_rules_that_make_no_sense(lab: Lab, params: dict[str, Any], text: str) -> None:
    assert lab.refused("createFirewallRule", ipaddressid=lab.ip(), **params) == (431, text)


def test_egress_rules_stay_within_the_network(lab: Lab) -> None:
    rule = lab("createEgressFirewallRule", networkid=lab.network, protocol="All", cidrlist="0.0.0.0/0")["firewallrule"]
    assert (rule["cidrlist"], rule["traffictype"]) == ("10.1.1.0/24", "Egress")
    assert lab.refused("createEgressFirewallRule", networkid=lab.network, protocol="All") == (
        537,
        "There is already a firewall rule specified with protocol = all and no ports",
    )
    assert lab.refused("createEgressFirewallRule", networkid=lab.network, protocol="tcp", cidrlist="10.2.0.0/24") == (
        431,
        "[10.2.0.0/24] is not within the guest CIDR [10.1.1.0/24]. ",
    )
    assert lab.count("listEgressFirewallRules") == 1
    # Either command deletes a rule of either direction, but each changes its own only.
    assert lab.refused("updateFirewallRule", id=rule["id"], fordisplay=False) == (
        431,
        "Unable to find firewall rule by ID",
    )
    lab("deleteFirewallRule", id=rule["id"])
    assert lab.count("listEgressFirewallRules") == 0


def test_port_forwarding_opens_and_closes_the_firewall(lab: Lab) -> None:
    ip = lab.ip()
    rule = forward(lab, ip, 2222)
    assert (rule["publicport"], rule["privateport"], rule["state"]) == ("2222", "22", "Active")
    assert rule["vmguestip"] == lab.vms[0]["nic"][0]["ipaddress"]
    assert lab.count("listFirewallRules", ipaddressid=ip) == 1
    lab("deletePortForwardingRule", id=rule["id"])
    assert lab.count("listFirewallRules", ipaddressid=ip) == 0
    assert lab.count("listPortForwardingRules", ipaddressid=ip) == 0


def test_port_forwarding_conflicts_and_matching_ports(lab: Lab) -> None:
    ip = lab.ip()
    forward(lab, ip, 22, openfirewall=False)
    with pytest.raises(ApiError, match="The range specified, 22-22, conflicts with rule"):
        forward(lab, ip, 22, 23, openfirewall=False)
    with pytest.raises(ApiError, match="Source port and destination port ranges should be of equal sizes"):
        forward(lab, ip, 100, 100, publicendport=110, privateendport=105)
    with pytest.raises(ApiError, match="Private port start should be equal to public port start"):
        forward(lab, ip, 100, 200, publicendport=110, privateendport=210)
    assert lab.count("listPortForwardingRules", ipaddressid=ip) == 1


def test_port_forwarding_moves_to_another_vm(lab: Lab) -> None:
    rule = forward(lab, lab.ip(), 22)
    changed = lab("updatePortForwardingRule", id=rule["id"], virtualmachineid=lab.vms[1]["id"], privateport=23)
    shown = changed["portforwardingrule"]
    assert (shown["virtualmachineid"], shown["privateport"]) == (lab.vms[1]["id"], "23")
    assert shown["vmguestip"] == lab.vms[1]["nic"][0]["ipaddress"]


def test_static_nat_takes_an_address_for_one_vm(lab: Lab) -> None:
    ip, other = lab.ip(), lab.ip()
    lab("enableStaticNat", ipaddressid=ip, virtualmachineid=lab.vms[0]["id"])
    shown = lab("listPublicIpAddresses", id=ip)["publicipaddress"][0]
    assert (shown["isstaticnat"], shown["virtualmachineid"]) == (True, lab.vms[0]["id"])
    with pytest.raises(ApiError, match="has static nat enabled"):
        forward(lab, ip, 22)
    with pytest.raises(ApiError, match="Can't do load balance on IP address"):
        balance(lab, ip, 80)
    code, text = lab.refused("enableStaticNat", ipaddressid=other, virtualmachineid=lab.vms[0]["id"])
    assert code == 431
    assert "is already associated with another public ip" in text
    opened = lab("createIpForwardingRule", ipaddressid=ip, protocol="tcp", startport=1, endport=10)["ipforwardingrule"]
    assert lab.count("listIpForwardingRules", id=opened["id"]) == 1
    lab("disableStaticNat", ipaddressid=ip)
    assert lab.count("listIpForwardingRules") == 0
    forward(lab, ip, 22)
    assert (
        "already has PortForwarding rules assigned"
        in lab.refused("enableStaticNat", ipaddressid=ip, virtualmachineid=lab.vms[0]["id"])[1]
    )
    assert "is not associated with any vm Id" in lab.refused("disableStaticNat", ipaddressid=other)[1]


def test_a_source_nat_address_has_no_static_nat(lab: Lab) -> None:
    source = lab("listPublicIpAddresses", issourcenat=True, associatednetworkid=lab.network, listall=True)
    ip = source["publicipaddress"][0]["id"]
    assert (
        "is a sourceNat ip address"
        in lab.refused("enableStaticNat", ipaddressid=ip, virtualmachineid=lab.vms[1]["id"])[1]
    )


def test_load_balancers_spread_over_members(lab: Lab) -> None:
    rule = balance(lab, lab.ip(), 80)
    first, second = (vm["id"] for vm in lab.vms)
    assert (rule["state"], rule["publicport"]) == ("Add", "80")
    lab("assignToLoadBalancerRule", id=rule["id"], virtualmachineids=f"{first},{second}")
    members = lab("listLoadBalancerRuleInstances", id=rule["id"])["loadbalancerruleinstance"]
    assert {vm["id"] for vm in members} == {first, second}
    assert lab("listLoadBalancerRules", id=rule["id"])["loadbalancerrule"][0]["state"] == "Active"
    assert (
        "is already mapped to load balancer"
        in lab.refused("assignToLoadBalancerRule", id=rule["id"], virtualmachineids=first)[1]
    )
    lab("removeFromLoadBalancerRule", id=rule["id"], virtualmachineids=first)
    rows = lab("listLoadBalancerRuleInstances", id=rule["id"], lbvmips=True)["lbrulevmidip"]
    assert [row["lbvmipaddresses"] for row in rows] == [[lab.vms[1]["nic"][0]["ipaddress"]]]
    assert lab.count("listLoadBalancerRules", virtualmachineid=second) == 1
    lab("deleteLoadBalancerRule", id=rule["id"])
    assert lab.count("listLoadBalancerRules", virtualmachineid=second) == 0


def test_load_balancer_refusals(lab: Lab) -> None:
    ip = lab.ip()
    balance(lab, ip, 80)
    with pytest.raises(ApiError, match="conflicts with rule LoadBalancer"):
        balance(lab, ip, 80)
    with pytest.raises(ApiError, match="Invalid algorithm: fair"):
        balance(lab, ip, 81, algorithm="fair")
    with pytest.raises(ApiError, match="conflicts with rule"):
        forward(lab, ip, 80, openfirewall=False)


def test_stickiness_policies_are_checked_against_the_method(lab: Lab) -> None:
    rule = balance(lab, lab.ip(), 80)["id"]
    made = lab("createLBStickinessPolicy", lbruleid=rule, methodname="lbcookie", name="sticky")["stickinesspolicies"]
    assert made["stickinesspolicy"][0]["methodname"] == "lbcookie"
    wrong = {"param[0].name": "colour", "param[0].value": "red"}
    assert (
        "does not support param name :colour"
        in lab.refused("createLBStickinessPolicy", lbruleid=rule, methodname="LbCookie", name="s", **wrong)[1]
    )
    assert (
        "Failed to match Stickiness method name"
        in lab.refused("createLBStickinessPolicy", lbruleid=rule, methodname="Glue", name="s")[1]
    )
    listed = lab("listLBStickinessPolicies", lbruleid=rule)["stickinesspolicies"][0]["stickinesspolicy"]
    lab("deleteLBStickinessPolicy", id=listed[0]["id"])
    assert lab("listLBStickinessPolicies", lbruleid=rule)["stickinesspolicies"][0]["stickinesspolicy"] == []


def test_an_address_that_is_given_back_takes_the_policies_of_its_rules_along(lab: Lab) -> None:
    ip = lab.ip()
    rule = balance(lab, ip, 80)["id"]
    lab("createLBStickinessPolicy", lbruleid=rule, methodname="LbCookie", name="sticky")
    (policy,) = lab.cloud.store.table(StickinessPolicy).where(lambda policy: policy.rule.id == rule)
    lab("disassociateIpAddress", id=ip)
    assert policy.rule not in lab.cloud.store
    assert policy not in lab.cloud.store


def test_without_conserve_mode_an_address_serves_one_purpose(lab: Lab) -> None:
    services = ("Dhcp", "Dns", "SourceNat", "PortForwarding", "Lb", "Firewall", "StaticNat", "UserData")
    providers = {
        f"serviceproviderlist[{index}].{key}": value
        for index, service in enumerate(services)
        for key, value in (("service", service), ("provider", "VirtualRouter"))
    }
    offering = lab(
        "createNetworkOffering",
        name="no conserve",
        displaytext="no conserve",
        guestiptype="Isolated",
        traffictype="GUEST",
        conservemode=False,
        supportedservices=",".join(services),
        **providers,
    )["networkoffering"]["id"]
    lab("updateNetworkOffering", id=offering, state="Enabled")
    network = lab("createNetwork", name="strict", zoneid=lab.zone, networkofferingid=offering, **lab.whose)["network"][
        "id"
    ]
    first = lab("associateIpAddress", networkid=network)["ipaddress"]
    assert first["issourcenat"] is True
    assert lab.refused(
        "createLoadBalancerRule", publicipid=first["id"], name="l", algorithm="source", publicport=80, privateport=80
    ) == (431, f"The IP {first['ipaddress']} is already used as SourceNat rather than Lb")
    second = lab("associateIpAddress", networkid=network)["ipaddress"]
    balance(lab, second["id"], 80)
    assert lab.refused(
        "createPortForwardingRule",
        ipaddressid=second["id"],
        protocol="tcp",
        publicport=22,
        privateport=22,
        virtualmachineid=lab.vms[0]["id"],
    ) == (431, f"The IP {second['ipaddress']} is already used as Lb rather than PortForwarding")


def test_releasing_an_address_takes_its_rules_along(lab: Lab) -> None:
    ip = lab.ip()
    rule = forward(lab, ip, 22)
    assert lab("listPublicIpAddresses", id=ip)["publicipaddress"][0]["hasrules"] is True
    lab("disassociateIpAddress", id=ip)
    assert lab.count("listPortForwardingRules", id=rule["id"]) == 0


def test_others_have_no_say(lab: Lab) -> None:
    stranger = lab.caller(lab.account("stranger"))
    ip = lab.ip()
    rule = forward(lab, ip, 22)
    nic = lab.vms[0]["nic"][0]["id"]
    assert lab.refused("createFirewallRule", stranger, ipaddressid=ip, protocol="tcp", startport=1)[0] == 531
    assert lab.refused("deletePortForwardingRule", stranger, id=rule["id"])[0] == 531
    assert lab.refused("addIpToNic", stranger, nicid=nic)[0] == 531
    assert lab.refused("disassociateIpAddress", stranger, id=ip)[0] == 530
    assert lab("listPortForwardingRules", stranger, listall=True) == {}


def test_a_nic_gets_and_loses_secondary_addresses(lab: Lab) -> None:
    vm, nic = lab.vms[1]["id"], lab.vms[1]["nic"][0]["id"]
    made = lab("addIpToNic", nicid=nic)["nicsecondaryip"]
    shown = lab("listNics", virtualmachineid=vm, nicid=nic)["nic"][0]
    assert shown["secondaryip"] == [{"id": made["id"], "ipaddress": made["ipaddress"]}]
    assert lab.refused("addIpToNic", nicid=nic, ipaddress=made["ipaddress"])[0] == 530
    rule = forward(lab, lab.ip(), 22, virtualmachineid=vm, vmguestip=made["ipaddress"])
    assert rule["vmguestip"] == made["ipaddress"]
    assert lab.refused("removeIpFromNic", id=made["id"]) == (431, "Removing guest IP from NIC failed")
    lab("deletePortForwardingRule", id=rule["id"])
    lab("removeIpFromNic", id=made["id"])
    assert "secondaryip" not in lab("listNics", virtualmachineid=vm)["nic"][0]


def test_every_account_has_a_default_security_group(lab: Lab) -> None:
    groups = lab("listSecurityGroups", account="owner", domainid=lab.owner["domainid"])["securitygroup"]
    assert [group["name"] for group in groups] == ["default"]
    assert lab.refused("deleteSecurityGroup", id=groups[0]["id"]) == (431, "The network group default is reserved")


def test_security_group_rules_come_and_go(lab: Lab) -> None:
    group = lab("createSecurityGroup", name="web", **lab.whose)["securitygroup"]["id"]
    assert "already exists" in lab.refused("createSecurityGroup", name="web", **lab.whose)[1]
    asked = {"securitygroupid": group, "protocol": "tcp", "startport": 80, "endport": 81, "cidrlist": "0.0.0.0/0"}
    rules = lab("authorizeSecurityGroupIngress", **asked)["securitygroup"]["ingressrule"]
    assert (rules[0]["startport"], rules[0]["endport"], rules[0]["cidr"]) == (80, 81, "0.0.0.0/0")
    assert lab.refused("authorizeSecurityGroupIngress", **asked)[0] == 530
    pinged = lab("authorizeSecurityGroupEgress", securitygroupid=group, protocol="1", cidrlist="10.0.0.0/8")
    assert pinged["securitygroup"]["egressrule"][0]["icmptype"] == -1
    assert "Mismatch in rule type" in lab.refused("revokeSecurityGroupEgress", id=rules[0]["ruleid"])[1]
    lab("revokeSecurityGroupIngress", id=rules[0]["ruleid"])
    shown = lab("listSecurityGroups", id=group)["securitygroup"][0]
    assert (shown["ingressrule"], len(shown["egressrule"])) == ([], 1)
    lab("deleteSecurityGroup", id=group)
    # The row is deleted: nothing has that uuid any more.
    code, text = lab.refused("listSecurityGroups", id=group)
    assert (code, f"Invalid parameter id value={group} due to incorrect long value format" in text) == (431, True)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"protocol": "tcp"}, "Invalid port range specified, startPort = null, endPort = null"),
        ({"protocol": "tcp", "startport": 9, "endport": 1}, "Invalid port range 9:1"),
        ({"protocol": "ftp"}, "Invalid protocol ftp"),
        ({"protocol": "300"}, "Invalid protocol number: 300"),
        ({"protocol": "tcp", "cidrlist": "x"}, "Invalid cidr x"),
    ],
)
def test_security_group_rules_that_make_no_sense(lab: Lab, params: dict[str, Any], text: str) -> None:
    group = lab("listSecurityGroups", account="owner", domainid=lab.owner["domainid"])["securitygroup"][0]["id"]
    asked = {"securitygroupid": group, "cidrlist": "0.0.0.0/0", **params}
    assert lab.refused("authorizeSecurityGroupIngress", **asked) == (431, text)


def test_an_injected_fault_leaves_no_rule_behind(lab: Lab) -> None:
    ip = lab.ip()
    lab.cloud.order_faults({"createFirewallRule": Fault(fail=True, error=(530, "no"))})
    assert lab.refused("createFirewallRule", ipaddressid=ip, protocol="tcp", startport=1)[0] == 530
    lab.cloud.order_faults({})
    assert lab.count("listFirewallRules", ipaddressid=ip) == 0
