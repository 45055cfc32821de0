"""Public addresses, load balancers, certificates and the rules of networks, asked over HTTP: what is refused, and when."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from cs_matrix_pytest.simulator import Simulator

ISOLATED = "DefaultIsolatedNetworkOfferingWithSourceNatService"
NO_ROW = "due to incorrect long value format, or entity does not exist"


class Client:
    """The integration port of one simulator, with a network of an account's and VMs in it."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.url = f"http://127.0.0.1:{simulator.integration_port}/client/api"
        self._ports = itertools.count(1000)
        self.zone = self("listZones")["zone"][0]["id"]
        self.owner, self.stranger = self.account("owner"), self.account("stranger")
        self.whose = {"account": "owner", "domainid": self.owner["domainid"]}
        self("updateResourceLimit", resourcetype=1, max=-1, **self.whose)
        self.network = self.new_network()
        self.vm, self.other_vm = self.deploy(), self.deploy()

    def ask(self, command: str, **params: Any) -> tuple[int, dict[str, Any]]:
        """The status of a request, and its answer's body."""
        given = {name: str(value).lower() if isinstance(value, bool) else value for name, value in params.items()}
        reply = requests.get(self.url, params={"command": command, "response": "json", **given}, timeout=30)
        body: dict[str, Any] = next(iter(reply.json().values()))
        return reply.status_code, body

    def job(self, body: dict[str, Any]) -> dict[str, Any]:
        result: dict[str, Any] = self.ask("queryAsyncJobResult", jobid=body["jobid"])[1]["jobresult"]
        return result

    def __call__(self, command: str, **params: Any) -> dict[str, Any]:
        status, body = self.ask(command, **params)
        assert status == 200, body
        result = self.job(body) if "jobid" in body else body
        assert "errorcode" not in result, result
        return result

    def refused(self, command: str, **params: Any) -> tuple[str, int, str]:
        """Whether a request is refused at once or by its job, with which code and text."""
        status, body = self.ask(command, **params)
        where = "at once" if status != 200 else "job"
        result = body if status != 200 else self.job(body)
        return where, result["errorcode"], result.get("errortext", "")

    def account(self, name: str) -> dict[str, Any]:
        names = {"username": name, "password": "p", "firstname": "a", "lastname": "b", "email": "a@example.org"}
        made: dict[str, Any] = self("createAccount", accounttype=0, **names)["account"]
        return made

    def new_network(self, **params: Any) -> str:
        offering = self("listNetworkOfferings", name=ISOLATED)["networkoffering"][0]["id"]
        asked = {"name": "n", "zoneid": self.zone, "networkofferingid": offering, **self.whose, **params}
        made: str = self("createNetwork", **asked)["network"]["id"]
        return made

    def deploy(self, **params: Any) -> dict[str, Any]:
        asked = {
            "zoneid": self.zone,
            "templateid": self("listTemplates", templatefilter="featured")["template"][0]["id"],
            "serviceofferingid": self("listServiceOfferings")["serviceoffering"][0]["id"],
            "networkids": self.network,
            **self.whose,
            **params,
        }
        made: dict[str, Any] = self("deployVirtualMachine", **asked)["virtualmachine"]
        return made

    def ip(self) -> dict[str, Any]:
        made: dict[str, Any] = self("associateIpAddress", networkid=self.network)["ipaddress"]
        return made

    def free(self) -> dict[str, Any]:
        """An address that nobody has or ever had, the last of its range."""
        rows = self("listPublicIpAddresses", state="Free", zoneid=self.zone, **self.whose)["publicipaddress"]
        found: dict[str, Any] = rows[-1]
        return found

    def balance(self, **params: Any) -> dict[str, Any]:
        """A new load balancer rule, on an address of its own unless one is given."""
        asked = {
            "publicipid": params.get("publicipid") or self.ip()["id"],
            "name": "web",
            "algorithm": "roundrobin",
            "publicport": next(self._ports),
            "privateport": 80,
            "openfirewall": False,
            **params,
        }
        made: dict[str, Any] = self("createLoadBalancerRule", **asked)["loadbalancer"]
        return made

    def rule_state(self, rule: dict[str, Any]) -> str:
        state: str = self("listLoadBalancerRules", id=rule["id"])["loadbalancerrule"][0]["state"]
        return state


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Simulator(networking="advanced", api_port=0) as simulator:
        yield Client(simulator)


# Addresses that nobody has


def test_a_free_address_is_reserved_for_one_account_until_it_is_released(client: Client) -> None:
    free = client.free()
    reserved = client("reserveIpAddress", id=free["id"], **client.whose)["ipaddress"]
    assert (reserved["id"], reserved["state"], reserved["account"]) == (free["id"], "Reserved", "owner")
    assert client("reserveIpAddress", id=free["id"], **client.whose)["ipaddress"]["state"] == "Reserved"
    strangers = {"account": "stranger", "domainid": client.stranger["domainid"]}
    assert client.refused("reserveIpAddress", id=free["id"], **strangers) == (
        "at once",
        431,
        "Unable to reserve a IP because it has already been reserved for another Account.",
    )
    listed = client("listPublicIpAddresses", state="Reserved", listall=True)["publicipaddress"]
    assert [row["id"] for row in listed] == [free["id"]]
    assert client("releaseIpAddress", id=free["id"]) == {"success": True}
    assert client("releaseIpAddress", id=free["id"]) == {"success": True}
    assert client("listPublicIpAddresses", state="Reserved", listall=True) == {}


def test_an_address_in_use_is_not_reserved(client: Client) -> None:
    ip = client.ip()
    assert client.refused("reserveIpAddress", id=ip["id"]) == (
        "at once",
        431,
        "Unable to reserve a IP in Allocated state.",
    )


UNBOUND = [
    ("createFirewallRule", {"protocol": "tcp"}, 431, "as IP is not associated with any network"),
    (
        "createPortForwardingRule",
        {"protocol": "tcp", "publicport": 1, "privateport": 1, "virtualmachineid": "VM"},
        431,
        "as ip is not associated with any network",
    ),
    ("enableStaticNat", {"virtualmachineid": "VM"}, 431, "as IP is not associated with any Network"),
    ("createIpForwardingRule", {"protocol": "tcp", "startport": 1}, 537, "Can't do static nat on ip address: "),
]


@pytest.mark.parametrize(("command", "params", "code", "text"), UNBOUND)
@pytest.mark.parametrize("released", [False, True])
def test_an_address_without_owner_is_known_and_of_no_use(
    client: Client, command: str, params: dict[str, Any], code: int, text: str, released: bool
) -> None:
    ip = client.ip() if released else client.free()
    if released:
        client("disassociateIpAddress", id=ip["id"])
    given = {name: client.vm["id"] if value == "VM" else value for name, value in params.items()}
    where, got, said = client.refused(command, ipaddressid=ip["id"], **given)
    assert (where, got) == ("at once", code)
    assert text in said


def test_giving_back_what_nobody_has_is_fine_and_naming_nothing_is_not(client: Client) -> None:
    assert client("disassociateIpAddress", id=client.free()["id"]) == {"success": True}
    assert client.refused("disassociateIpAddress") == (
        "at once",
        431,
        "Please specify either IP address or IP address ID",
    )
    assert client.refused("disassociateIpAddress", ipaddress="9.9.9.9") == (
        "at once",
        431,
        "Unable to find IP address by IP address=9.9.9.9",
    )


def test_a_quarantined_address_goes_to_its_last_owner_only(client: Client) -> None:
    client("updateConfiguration", name="public.ip.address.quarantine.duration", value=10)
    try:
        ip = client.ip()
        client("disassociateIpAddress", id=ip["id"])
        row = client("listQuarantinedIps")["quarantinedips"][0]
        assert (row["ipaddress"], row["previousownername"]) == (ip["ipaddress"], "owner")
        got = client("associateIpAddress", networkid=client.new_network(account="stranger"))["ipaddress"]
        assert got["ipaddress"] != ip["ipaddress"]
        mine = client("associateIpAddress", networkid=client.network, ipaddress=ip["ipaddress"])["ipaddress"]
        assert mine["id"] == ip["id"]
        assert client("listQuarantinedIps") == {}
        (ended,) = client("listQuarantinedIps", showremoved=True)["quarantinedips"]
        assert ended["removalreason"].endswith("it has been allocated by the previous owner")
    finally:
        client("updateConfiguration", name="public.ip.address.quarantine.duration", value=0)


def _isolated(client: Client) -> str:
    found: str = client("listNetworkOfferings", name=ISOLATED)["networkoffering"][0]["id"]
    return found


def test_a_quarantine_is_lengthened_and_ended(client: Client) -> None:
    client("updateConfiguration", name="public.ip.address.quarantine.duration", value=10)
    try:
        ip = client.ip()
        client("disassociateIpAddress", id=ip["id"])
    finally:
        client("updateConfiguration", name="public.ip.address.quarantine.duration", value=0)
    named = {"ipaddress": ip["ipaddress"]}
    assert client.refused("updateQuarantinedIp", enddate="2000-01-01", **named) == (
        "at once",
        431,
        "The given end date [Sat Jan 01 00:00:00 UTC 2000] is invalid as it is before the current date.",
    )
    assert client.refused("updateQuarantinedIp", enddate="2090-01-01") == (
        "at once",
        530,
        "Either the ID or the address of the IP in quarantine must be informed.",
    )
    longer = client("updateQuarantinedIp", enddate="2090-01-01", **named)["quarantinedips"]
    assert longer["enddate"].startswith("2090-01-01")
    assert client("removeQuarantinedIp", removalreason="enough", **named) == {"success": True}
    assert client.refused("removeQuarantinedIp", removalreason="enough", **named) == (
        "at once",
        530,
        "There is no active quarantine for the specified IP address.",
    )


# Load balancers


def test_a_balancer_is_active_as_long_as_it_has_members(client: Client) -> None:
    rule, vm = client.balance(), client.vm["id"]
    states = [client.rule_state(rule)]
    for command in ("assignToLoadBalancerRule", "removeFromLoadBalancerRule"):
        client(command, id=rule["id"], virtualmachineids=vm)
        states.append(client.rule_state(rule))
    assert states == ["Add", "Active", "Add"]


def test_why_a_vm_cannot_be_balanced_is_told_by_the_job_but_why_it_cannot_leave_is_not(client: Client) -> None:
    rule, vm = client.balance(), client.vm["id"]
    client("assignToLoadBalancerRule", id=rule["id"], virtualmachineids=vm)
    where, code, text = client.refused("assignToLoadBalancerRule", id=rule["id"], virtualmachineids=vm)
    assert (where, code) == ("job", 530)
    assert text.startswith("Failed to assign load balancer rule due to: VM ")
    assert text.endswith("is already mapped to load balancer.")
    pair = {"vmidipmap[0].vmid": vm, "vmidipmap[0].vmip": "10.1.1.250"}
    assert client.refused("removeFromLoadBalancerRule", id=rule["id"], **pair) == (
        "job",
        431,
        "Failed to remove Instance from load balancer rule",
    )
    assert client.rule_state(rule) == "Active"


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"publicport": 8081}, "LB service provider cannot support this rule"),
        ({"protocol": "udp"}, "LB service provider cannot support this rule"),
        ({"protocol": "quic"}, "protocol quic is not in valid protocols [tcp, udp, tcp-proxy, ssl]"),
        ({"algorithm": "fair"}, "Invalid algorithm: fair"),
    ],
)
def test_what_a_router_cannot_balance(client: Client, params: dict[str, Any], text: str) -> None:
    asked = {"publicipid": client.ip()["id"], "name": "x", "algorithm": "source", "publicport": 90, "privateport": 90}
    assert client.refused("createLoadBalancerRule", **{**asked, **params}) == ("at once", 431, text)


def test_an_update_stumbles_over_a_rule_without_a_protocol_after_it_was_made(client: Client) -> None:
    rule = client.balance()
    where, code, text = client.refused("updateLoadBalancerRule", id=rule["id"], name="renamed")
    assert (where, code) == ("job", 530)
    assert "getLbProtocol()" in text
    assert client("listLoadBalancerRules", id=rule["id"])["loadbalancerrule"][0]["name"] == "renamed"
    changed = client("updateLoadBalancerRule", id=rule["id"], protocol="TCP", algorithm="source")["loadbalancer"]
    assert (changed["protocol"], changed["algorithm"]) == ("tcp", "source")


def test_cidrs_of_a_balancer_are_joined_by_blanks_until_they_are_updated(client: Client) -> None:
    rule = client.balance(cidrlist="10.0.0.0/8,11.0.0.0/8", protocol="tcp")
    assert rule["cidrlist"] == "10.0.0.0/8 11.0.0.0/8"
    changed = client("updateLoadBalancerRule", id=rule["id"], cidrlist="10.0.0.0/8,12.0.0.0/8")["loadbalancer"]
    assert changed["cidrlist"] == "10.0.0.0/8,12.0.0.0/8"
    assert client.refused("updateLoadBalancerRule", id=rule["id"], cidrlist="x") == (
        "job",
        431,
        "Invalid CIDR list: x",
    )


@pytest.mark.parametrize(
    ("command", "where", "code", "text"),
    [
        ("deleteLoadBalancerRule", "job", 431, "Unable to find load balancer rule: "),
        ("updateLoadBalancerRule", "job", 431, "Unable to find load balancer rule by ID "),
        ("assignToLoadBalancerRule", "job", 431, "Unable to find load balancer rule: "),
        ("removeFromLoadBalancerRule", "job", 431, "Unable to find load balancer rule: "),
        ("listLoadBalancerRuleInstances", "at once", 530, "Unable to find the load balancer with ID ["),
    ],
)
def test_a_deleted_balancer(client: Client, command: str, where: str, code: int, text: str) -> None:
    rule = client.balance()
    client("deleteLoadBalancerRule", id=rule["id"])
    got = client.refused(command, id=rule["id"])
    assert got[:2] == (where, code)
    assert got[2].startswith(text)


def test_a_new_stickiness_policy_takes_the_place_of_the_old_one(client: Client) -> None:
    rule = client.balance()["id"]
    for name, method in (("first", "LbCookie"), ("second", "SourceBased")):
        client("createLBStickinessPolicy", lbruleid=rule, name=name, methodname=method)
    (listed,) = client("listLBStickinessPolicies", lbruleid=rule)["stickinesspolicies"]
    assert [policy["name"] for policy in listed["stickinesspolicy"]] == ["second"]
    hidden = client("listLBStickinessPolicies", lbruleid=rule, fordisplay=False)["stickinesspolicies"]
    assert hidden[0]["stickinesspolicy"] == []


@pytest.mark.parametrize(
    ("method", "name", "value", "text"),
    [
        ("SourceBased", "tablesize", "10x", "Cause: tablesize is not in size format: 10x"),
        ("SourceBased", "expire", "3", "Cause: expire is not in timeformat: 3"),
        ("AppCookie", "length", "long", "Cause: length is not a number: long"),
        ("AppCookie", "holdtime", "3y", "Cause: holdtime is not in timeformat: 3y"),
    ],
)
def test_values_that_no_router_understands(client: Client, method: str, name: str, value: str, text: str) -> None:
    param = {"param[0].name": name, "param[0].value": value}
    asked = {"lbruleid": client.balance()["id"], "name": "s", "methodname": method}
    where, code, said = client.refused("createLBStickinessPolicy", **asked, **param)
    assert (where, code) == ("at once", 431)
    assert said.startswith("Failed LB in validation rule")
    assert said.endswith(text)


def test_routers_check_no_health(client: Client) -> None:
    rule = client.balance()["id"]
    where, code, text = client.refused("createLBHealthCheckPolicy", lbruleid=rule)
    assert (where, code) == ("at once", 430)
    assert "HealthCheck Policy is not supported by LB Provider" in text
    assert client.refused("listLBHealthCheckPolicies")[2].startswith("Either load balancer rule ID or health check")


# Certificates


@pytest.fixture(scope="module")
def pem(client: Client) -> dict[str, str]:
    pytest.importorskip("cryptography")
    from cs_matrix_pytest.simulator import x509

    now = client.simulator.clock.datetime()
    root = x509.self_signed("CN=root", 2048, x509.Terms(now, 100))
    leaf, key = x509.issue(root, ["www.example.org"], [], x509.Terms(now, 10), 2048)
    stale, stale_key = x509.issue(root, ["a"], [], x509.Terms(now - datetime.timedelta(days=50), 10), 2048)
    return {
        "root": root.certificate,
        "root key": root.private_key,
        "leaf": leaf,
        "leaf key": key,
        "stale": stale,
        "stale key": stale_key,
    }


def upload(client: Client, pem: dict[str, str], **params: Any) -> dict[str, Any]:
    asked = {"name": "c", "certificate": pem["leaf"], "privatekey": pem["leaf key"], **client.whose, **params}
    made: dict[str, Any] = client("uploadSslCert", **asked)["sslcert"]
    return made


def test_a_certificate_serves_a_balancer_and_cannot_be_deleted_meanwhile(client: Client, pem: dict[str, str]) -> None:
    certificate = upload(client, pem, certchain=pem["root"], enabledrevocationcheck=False)
    assert (certificate["account"], certificate["certificate"]) == ("owner", pem["leaf"])
    assert len(certificate["fingerprint"].split(":")) == 32
    rule = client.balance(protocol="ssl")["id"]
    named = {"lbruleid": rule, "certid": certificate["id"]}
    client("assignCertToLoadBalancer", **named)
    assert client.refused("assignCertToLoadBalancer", **named) == (
        "job",
        431,
        "Another certificate is already bound to the LB",
    )
    client("assignCertToLoadBalancer", forced=True, **named)
    (listed,) = client("listSslCerts", lbruleid=rule)["sslcert"]
    assert listed["loadbalancerrulelist"] == [rule]
    assert client.refused("deleteSslCert", id=certificate["id"]) == (
        "at once",
        530,
        "Certificate in use by a loadbalancer(s) web ",
    )
    client("removeCertFromLoadBalancer", lbruleid=rule)
    assert client.refused("removeCertFromLoadBalancer", lbruleid=rule)[2].startswith("No certificate is bound to lb")
    client("deleteSslCert", id=certificate["id"])
    where, code, text = client.refused("deleteSslCert", id=certificate["id"])
    assert (where, code, NO_ROW in text) == ("at once", 431, True)


def test_only_a_balancer_that_speaks_ssl_takes_a_certificate(client: Client, pem: dict[str, str]) -> None:
    certificate = upload(client, pem)
    for protocol, shown in ((None, "null"), ("tcp", "tcp")):
        rule = client.balance(**({"protocol": protocol} if protocol else {}))["id"]
        assert client.refused("assignCertToLoadBalancer", lbruleid=rule, certid=certificate["id"]) == (
            "job",
            431,
            f"Bad LB protocol: Expected ssl got {shown}",
        )


@pytest.mark.parametrize(
    ("certificate", "key", "chain", "text"),
    [
        ("leaf", "root key", None, "Bad public-private key"),
        ("leaf", "nothing", None, "Cannot parse private key"),
        ("nothing", "leaf key", None, ""),
        ("leaf", "leaf key", "root", "Invalid certificate chain"),
        ("stale", "stale key", None, "Parsing certificate/key failed: NotAfter: "),
    ],
)
def test_a_certificate_that_is_no_good(
    client: Client, pem: dict[str, str], certificate: str, key: str, chain: str | None, text: str
) -> None:
    known = {**pem, "nothing": "nothing"}
    asked = {"name": "c", "certificate": known[certificate], "privatekey": known[key]}
    where, code, said = client.refused("uploadSslCert", **asked, **({"certchain": known[chain]} if chain else {}))
    assert (where, code) == ("at once", 530)
    assert said.startswith(text)
    assert bool(said) is bool(text)


def test_a_list_of_certificates_needs_something_to_go_by(client: Client, pem: dict[str, str]) -> None:
    assert client.refused("listSslCerts")[1:] == (
        530,
        "Invalid parameters either certificate ID or Account ID or Loadbalancer ID or Project ID required",
    )
    certificate = upload(client, pem)
    listed = client("listSslCerts", accountid=client.owner["id"])["sslcert"]
    assert certificate["id"] in [row["id"] for row in listed]


# Rules of networks


def test_a_deleted_rule_is_refused_before_there_is_a_job(client: Client) -> None:
    rule = client("createFirewallRule", ipaddressid=client.ip()["id"], protocol="tcp", startport=1)["firewallrule"]
    client("deleteFirewallRule", id=rule["id"])
    where, code, text = client.refused("deleteFirewallRule", id=rule["id"])
    assert (where, code, text.rstrip("0123456789")) == ("at once", 431, "Unable to find firewall rule by ID=")
    assert client.refused("updateFirewallRule", id=rule["id"]) == (
        "at once",
        431,
        "Unable to find firewall rule by ID",
    )


@pytest.mark.parametrize("command", ["deleteNetwork", "restartNetwork", "updateNetwork"])
def test_a_deleted_network_is_refused_before_there_is_a_job(client: Client, command: str) -> None:
    network = client.new_network()
    client("deleteNetwork", id=network)
    where, code, text = client.refused(command, id=network)
    assert (where, code) == ("at once", 431)
    assert text.startswith("Network")
    assert text.endswith("doesn't exist")


def test_routing_rules_are_firewall_rules_of_a_whole_network(client: Client) -> None:
    network = client.new_network()
    asked = {"networkid": network, "protocol": "6", "startport": 22}
    rule = client("createRoutingFirewallRule", traffictype="egress", **asked)["firewallrule"]
    assert (rule["protocol"], rule["startport"], rule["endport"], rule["traffictype"]) == ("tcp", 22, 22, "Egress")
    assert (rule["cidrlist"], rule["destcidrlist"], rule["state"]) == ("0.0.0.0/0", "0.0.0.0/0", "Active")
    assert client.refused("createRoutingFirewallRule", traffictype="egress", **asked)[:2] == ("at once", 537)
    client("createRoutingFirewallRule", **asked)
    assert client("listRoutingFirewallRules", networkid=network, listall=True)["count"] == 2
    assert client("listEgressFirewallRules", networkid=network, listall=True)["count"] == 1
    changed = client("updateRoutingFirewallRule", id=rule["id"], fordisplay=False)["firewallrule"]
    assert changed["fordisplay"] is False
    client("deleteRoutingFirewallRule", id=rule["id"])
    assert client("listRoutingFirewallRules", networkid=network, listall=True)["count"] == 1


def test_ip6_rules_never_conflict_and_cannot_be_updated(client: Client) -> None:
    network = client.new_network()
    rules = [client("createIpv6FirewallRule", networkid=network, protocol="icmp")["firewallrule"] for _ in range(2)]
    assert (rules[0]["icmptype"], rules[0]["cidrlist"], rules[0]["traffictype"]) == (-1, "::/0", "Ingress")
    assert client("listIpv6FirewallRules", networkid=network, listall=True)["count"] == 2
    assert client("listRoutingFirewallRules", networkid=network, listall=True) == {}
    where, code, text = client.refused("updateIpv6FirewallRule", id=rules[0]["id"])
    assert (where, code, text.endswith("having purpose Firewall")) == ("job", 431, True)
    client("deleteIpv6FirewallRule", id=rules[0]["id"])
    assert client.refused("deleteIpv6FirewallRule", id=rules[0]["id"])[2].startswith(
        "Unable to find IPv6 firewall rule"
    )


@pytest.mark.parametrize(
    ("command", "params", "text"),
    [
        ("createRoutingFirewallRule", {"cidrlist": "::/0"}, "Invalid source IPv4 CIDR: ::/0"),
        ("createIpv6FirewallRule", {"destcidrlist": "10.0.0.0/8"}, "Invalid destination IPv6 CIDR: 10.0.0.0/8"),
        ("createRoutingFirewallRule", {"traffictype": "sideways"}, "Invalid traffic type sideways"),
        ("createRoutingFirewallRule", {"protocol": "47"}, "Protocol 47 not supported"),
        ("createRoutingFirewallRule", {"protocol": "gre"}, "Protocol gre is not supported in zone"),
        ("createRoutingFirewallRule", {"startport": 9, "endport": 1}, "Start port can't be bigger than end port"),
        ("createIpv6FirewallRule", {"icmptype": 1}, "Can specify icmpCode and icmpType for ICMP protocol only"),
        (
            "createIpv6FirewallRule",
            {"protocol": "icmp", "startport": 1},
            "Can't specify start/end port when protocol is ICMP",
        ),
    ],
)
def test_rules_of_a_network_that_make_no_sense(client: Client, command: str, params: dict[str, Any], text: str) -> None:
    asked = {"networkid": client.network, "protocol": "tcp", **params}
    assert client.refused(command, **asked) == ("at once", 431, text)


def forwarded(client: Client, **params: Any) -> dict[str, Any]:
    return {
        "ipaddressid": client.ip()["id"],
        "protocol": "tcp",
        "publicport": 20,
        "privateport": 20,
        "virtualmachineid": client.vm["id"],
        **params,
    }


def test_a_forwarded_range_moves_as_a_whole(client: Client) -> None:
    asked = forwarded(client, publicendport=30, privateendport=30)
    rule = client("createPortForwardingRule", **asked)["portforwardingrule"]
    for params in ({"privateport": 40}, {"privateport": 40, "privateendport": 45}):
        where, code, text = client.refused("updatePortForwardingRule", id=rule["id"], **params)
        assert (where, code) == ("job", 431)
        assert text.endswith("is not consistent with the port range : 20 to 30")
    ports = {"privateport": 40, "privateendport": 50}
    moved = client("updatePortForwardingRule", id=rule["id"], **ports)["portforwardingrule"]
    assert (moved["privateport"], moved["privateendport"], moved["publicport"]) == ("40", "50", "20")
    other = client.other_vm
    led = client("updatePortForwardingRule", id=rule["id"], virtualmachineid=other["id"])["portforwardingrule"]
    assert led["vmguestip"] == other["nic"][0]["ipaddress"]
    assert client.refused("updatePortForwardingRule", id=rule["id"], vmguestip="10.1.1.9")[2] == (
        "vmguestip should be set along with virtualmachineid"
    )
    client("deletePortForwardingRule", id=rule["id"])
    assert client.refused("updatePortForwardingRule", id=rule["id"]) == ("job", 431, "Unable to find the rule by id")


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"cidrlist": "x"}, "The given source CIDR [x] is invalid."),
        ({"vmguestip": "x"}, "Invalid Instance IP address"),
        ({"publicendport": 30}, "Source port and destination port ranges should be of equal sizes."),
        ({"privateendport": 1}, "Start port can't be bigger than end port"),
    ],
)
def test_forwarding_that_makes_no_sense(client: Client, params: dict[str, Any], text: str) -> None:
    assert client.refused("createPortForwardingRule", **forwarded(client, **params)) == ("at once", 431, text)


def test_ip_forwarding_needs_static_nat_and_takes_no_cidrs(client: Client) -> None:
    ip = client.ip()
    asked = {"ipaddressid": ip["id"], "protocol": "tcp", "startport": 5}
    assert client.refused("createIpForwardingRule", **asked) == (
        "at once",
        537,
        f"Can't do static nat on ip address: {ip['ipaddress']}",
    )
    client("enableStaticNat", ipaddressid=ip["id"], virtualmachineid=client.vm["id"])
    assert client.refused("createIpForwardingRule", cidrlist="10.0.0.0/8", **asked)[2].startswith(
        "Parameter cidrList is deprecated"
    )
    rule = client("createIpForwardingRule", **asked)["ipforwardingrule"]
    client("deleteIpForwardingRule", id=rule["id"])
    assert client.refused("deleteIpForwardingRule", id=rule["id"])[0] == "at once"
    client("disableStaticNat", ipaddressid=ip["id"])


def test_an_address_without_vpn_has_none_to_delete(client: Client) -> None:
    assert client.refused("deleteRemoteAccessVpn", publicipid=client.ip()["id"]) == (
        "at once",
        431,
        "The specified public ip is not allocated to any Account",
    )


# Networks that change


def test_a_network_gets_new_routers_with_a_new_domain(client: Client) -> None:
    network = client.new_network()
    client.deploy(networkids=network)
    before = client("listRouters", networkid=network, listall=True)["router"][0]
    changed = client("updateNetwork", id=network, networkdomain="example.org")["network"]
    after = client("listRouters", networkid=network, listall=True)["router"][0]
    assert changed["networkdomain"] == "example.org"
    assert (after["id"] != before["id"], after["state"]) == (True, "Running")


def test_an_offering_without_a_service_is_refused_unless_it_is_forced(client: Client) -> None:
    services = ("Dhcp", "Dns", "SourceNat", "UserData")
    providers = {
        f"serviceproviderlist[{index}].{key}": value
        for index, service in enumerate(services)
        for key, value in (("service", service), ("provider", "VirtualRouter"))
    }
    asked = {"name": "small", "displaytext": "x", "guestiptype": "Isolated", "traffictype": "GUEST"}
    small = client("createNetworkOffering", supportedservices=",".join(services), **asked, **providers)[
        "networkoffering"
    ]["id"]
    client("updateNetworkOffering", id=small, state="Enabled")
    network = client.new_network()
    where, code, text = client.refused("updateNetwork", id=network, networkofferingid=small)
    assert (where, code) == ("job", 530)
    assert text.startswith("The new offering:small will remove the following services [")
    lost = text.partition("[")[2].partition("]")[0].split(", ")
    assert set(lost) == {"Firewall", "Lb", "PortForwarding", "StaticNat", "Vpn"}
    client("createEgressFirewallRule", networkid=network, protocol="tcp")
    changed = client("updateNetwork", id=network, networkofferingid=small, forced=True)["network"]
    assert changed["networkofferingid"] == small
    assert client("listEgressFirewallRules", networkid=network, listall=True) == {}


def test_mtus_stay_within_what_the_zone_allows(client: Client) -> None:
    named = {"zoneid": client.zone}
    client("updateConfiguration", name="allow.end.users.to.specify.vr.mtu", value=True, **named)
    client("updateConfiguration", name="vr.public.interface.max.mtu", value=1400, **named)
    try:
        made = client(
            "createNetwork",
            name="m",
            zoneid=client.zone,
            networkofferingid=_isolated(client),
            publicmtu=9000,
            privatemtu=10,
            **client.whose,
        )["network"]
        assert (made["publicmtu"], made["privatemtu"]) == (1400, 68)
        client.deploy(networkids=made["id"])
        changed = client("updateNetwork", id=made["id"], publicmtu=20, privatemtu=1300)["network"]
        assert (changed["publicmtu"], changed["privatemtu"]) == (68, 1300)
    finally:
        client("updateConfiguration", name="allow.end.users.to.specify.vr.mtu", value=False, **named)
        client("updateConfiguration", name="vr.public.interface.max.mtu", value=1500, **named)


@pytest.mark.parametrize("what", ["createSecurityGroup", "createNetworkACLList"])
def test_what_leaves_no_row_is_not_even_known_by_its_id(client: Client, what: str) -> None:
    if what == "createSecurityGroup":
        made = client(what, name="gone", **client.whose)["securitygroup"]["id"]
        delete = "deleteSecurityGroup"
    else:
        made, delete = client.ask(what, name="gone")[1]["id"], "deleteNetworkACLList"
    client(delete, id=made)
    where, code, text = client.refused(delete, id=made)
    assert (where, code, NO_ROW in text) == ("at once", 431, True)
