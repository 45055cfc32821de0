"""Guest networks of the embedded simulator: made, implemented, listed, shared, collected, deleted; addresses and routers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from cs_matrix_pytest.simulator import Simulator
from cs_matrix_pytest.simulator.call import Caller
from cs_matrix_pytest.simulator.errors import ApiError
from cs_matrix_pytest.simulator.families import networks
from cs_matrix_pytest.simulator.families.addresses import bounds, is_domain_name, is_inside, is_private
from cs_matrix_pytest.simulator.models.iam import Account, User
from cs_matrix_pytest.simulator.models.networks import Network, PublicIp, Router

ISOLATED = "DefaultIsolatedNetworkOfferingWithSourceNatService"
SHARED = "DefaultSharedNetworkOffering"
L2 = "DefaultL2NetworkOffering"


class Lab:
    """One simulator with an advanced zone, and short ways to ask it."""

    def __init__(self, networking: str = "advanced") -> None:
        self.simulator = Simulator(networking=networking)
        self.cloud = self.simulator.cloud
        self.cloud.clock.is_virtual = True
        self.admin = Caller(self.cloud.admin_user)
        self._serial = itertools.count(1)
        self.zone = self("listZones")["zone"][0]["id"]
        self.offerings = {row["name"]: row["id"] for row in self("listNetworkOfferings")["networkoffering"]}
        self.template = self("listTemplates", templatefilter="featured")["template"][0]["id"]
        self.size = self("listServiceOfferings")["serviceoffering"][0]["id"]

    def __call__(self, command: str, caller: Caller | None = None, /, **params: Any) -> dict[str, Any]:
        return self.cloud.run(command, caller or self.admin, **params)

    def refused(self, command: str, caller: Caller | None = None, /, **params: Any) -> tuple[int, str]:
        with pytest.raises(ApiError) as refusal:
            self(command, caller, **params)
        return refusal.value.code, refusal.value.text

    def account(self, domain: str | None = None, type: int = 0) -> dict[str, Any]:
        name = f"account{next(self._serial)}"
        names = {"username": name, "password": "p", "firstname": "a", "lastname": "b", "email": "a@example.org"}
        where = {"domainid": domain} if domain else {}
        made: dict[str, Any] = self("createAccount", accounttype=type, **names, **where)["account"]
        return made

    def caller(self, account: dict[str, Any]) -> Caller:
        user = self.cloud.store.table(User).get(account["user"][0]["id"])
        assert user is not None
        return Caller(user)

    def network(self, offering: str = ISOLATED, owner: dict[str, Any] | None = None, **params: Any) -> dict[str, Any]:
        whose = {"account": owner["name"], "domainid": owner["domainid"]} if owner else {}
        made: dict[str, Any] = self(
            "createNetwork",
            zoneid=self.zone,
            networkofferingid=self.offerings[offering],
            **{"name": f"network{next(self._serial)}", **whose, **params},
        )["network"]
        return made

    def shared(self, vlan: int, **params: Any) -> dict[str, Any]:
        subnet = f"10.77.{vlan % 250}"
        given = {
            "gateway": f"{subnet}.1",
            "netmask": "255.255.255.0",
            "startip": f"{subnet}.10",
            "endip": f"{subnet}.12",
        }
        return self.network(SHARED, vlan=vlan, **{**given, **params})

    def resource(self, network: dict[str, Any]) -> Network:
        found = self.cloud.store.table(Network).get(network["id"])
        assert found is not None
        return found

    def listed(self, caller: Caller | None = None, /, **params: Any) -> list[str]:
        return [row["name"] for row in self("listNetworks", caller, **params).get("network", [])]


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab()


@pytest.fixture
def fresh() -> Lab:
    return Lab()


def test_an_isolated_network_has_the_zones_guest_cidr_and_is_only_allocated(lab: Lab) -> None:
    network = lab.network()
    assert (network["cidr"], network["gateway"], network["netmask"]) == ("10.1.1.0/24", "10.1.1.1", "255.255.255.0")
    assert (network["state"], network["type"], network["acltype"]) == ("Allocated", "Isolated", "Account")
    assert "vlan" not in network
    assert {service["name"] for service in network["service"]} >= {"Dhcp", "SourceNat", "Firewall"}


def test_implementing_gives_a_vlan_a_source_nat_address_and_a_router(lab: Lab) -> None:
    network = lab.network()
    networks.implement(lab.cloud, lab.resource(network))
    shown = lab("listNetworks", id=network["id"])["network"][0]
    router = lab("listRouters", networkid=network["id"])["router"][0]
    address = lab("listPublicIpAddresses", associatednetworkid=network["id"], issourcenat=True)["publicipaddress"][0]
    assert shown["state"] == "Implemented"
    assert shown["broadcasturi"] == f"vlan://{shown['vlan']}"
    assert (router["state"], router["guestipaddress"]) == ("Running", "10.1.1.1")
    assert router["publicip"] == address["ipaddress"]
    assert [nic["traffictype"] for nic in router["nic"]] == ["Guest", "Control", "Public"]


def test_no_two_networks_share_a_vlan_and_no_two_nics_an_address(lab: Lab) -> None:
    first, second = lab.resource(lab.network()), lab.resource(lab.network())
    for network in (first, second):
        networks.implement(lab.cloud, network)
    assert first.vlan != second.vlan
    nics = [networks.allocate_nic(lab.cloud, first) for _ in range(3)]
    assert len({nic.ip_address for nic in nics} | {"10.1.1.1"}) == 4
    networks.release_nic(lab.cloud, nics[0])
    assert networks.allocate_nic(lab.cloud, first, ip=nics[0].ip_address).ip_address == nics[0].ip_address
    with pytest.raises(ApiError, match="Unable to acquire Guest IP address for network"):
        networks.allocate_nic(lab.cloud, first, ip=nics[1].ip_address)


def test_the_default_network_is_made_once_per_account(lab: Lab) -> None:
    owner = lab.cloud.store.table(Account).get(lab.account()["id"])
    assert owner is not None
    zone = lab.resource(lab.network()).zone
    network = networks.default_network_for(lab.cloud, owner, zone)
    assert (network.name, network.offering.name) == (f"{owner.name}-network", ISOLATED)
    assert networks.default_network_for(lab.cloud, owner, zone) is network
    lab.network(owner={"name": owner.name, "domainid": owner.domain.id})
    with pytest.raises(ApiError, match="More than 1 default Isolated networks are found"):
        networks.default_network_for(lab.cloud, owner, zone)


@pytest.mark.parametrize(
    ("offering", "params", "text"),
    [
        (ISOLATED, {"gateway": "10.3.0.0", "netmask": "255.255.255.0"}, "Either the IP is broadcast or network IP."),
        (ISOLATED, {"gateway": "10.3.0.255", "netmask": "255.255.255.0"}, "Either the IP is broadcast or network IP."),
        (ISOLATED, {"gateway": "8.8.8.1", "netmask": "255.255.255.0"}, "is not RFC 1918 or 6598 compliant"),
        (ISOLATED, {"vlan": "2000"}, "Can't specify vlan; corresponding offering says specifyVlan=false"),
        (ISOLATED, {"acltype": "Domain"}, "AclType should be Account for network of type Isolated"),
        (ISOLATED, {"acltype": "Nobody"}, "Incorrect aclType specified"),
        (ISOLATED, {"subdomainaccess": True}, "can be specified only with aclType=Domain"),
        (ISOLATED, {"routerip": "10.1.1.9"}, "Router IP can be specified only for Shared networks"),
        (ISOLATED, {"networkdomain": "bad_name"}, "Invalid network domain."),
        (ISOLATED, {"dns2": "1.1.1.1"}, "Second IPv4 DNS can be specified only with the first IPv4 DNS"),
        (L2, {"dns1": "1.1.1.1"}, "DNS can not be specified L2 networks"),
        (SHARED, {"vlan": "2001"}, "Gateway/netmask are required when creating Shared networks."),
        (
            SHARED,
            {"gateway": "10.9.9.1", "netmask": "255.255.255.0", "startip": "10.9.9.2", "endip": "10.9.9.9"},
            "Vlan has to be specified; corresponding offering says specifyVlan=true",
        ),
        (
            SHARED,
            {
                "gateway": "10.9.9.1",
                "netmask": "255.255.255.0",
                "startip": "10.9.9.2",
                "endip": "10.9.9.9",
                "vlan": "100",
            },
            "is already being used for dynamic vlan allocation",
        ),
        ("DefaultIsolatedNetworkOfferingForVpcNetworks", {}, "Network offering can be used for VPC networks only"),
    ],
)
def test_what_cannot_be_is_refused_in_the_servers_words(
    lab: Lab, offering: str, params: dict[str, Any], text: str
) -> None:
    before = len(lab.cloud.store.table(Network))
    code, refusal = lab.refused(
        "createNetwork", name="n", zoneid=lab.zone, networkofferingid=lab.offerings[offering], **params
    )
    assert code == 431
    assert text in refusal
    assert len(lab.cloud.store.table(Network)) == before


def test_a_user_creates_isolated_networks_for_itself_only(lab: Lab) -> None:
    mine, other = lab.account(), lab.account()
    caller = lab.caller(mine)
    made = lab("createNetwork", caller, name="mine", zoneid=lab.zone, networkofferingid=lab.offerings[ISOLATED])[
        "network"
    ]
    assert made["account"] == mine["name"]
    assert "details" not in made
    code, _ = lab.refused(
        "createNetwork",
        caller,
        name="theirs",
        zoneid=lab.zone,
        networkofferingid=lab.offerings[ISOLATED],
        account=other["name"],
        domainid=other["domainid"],
    )
    assert code == 531
    assert (
        "specifyVlan=false"
        in lab.refused(
            "createNetwork", caller, name="shared", zoneid=lab.zone, networkofferingid=lab.offerings[SHARED]
        )[1]
    )


def test_a_shared_network_is_set_up_and_its_vlan_is_its_own(lab: Lab) -> None:
    network = lab.shared(3101)
    assert (network["state"], network["vlan"], network["acltype"]) == ("Setup", "3101", "Domain")
    assert (network["domainid"], network["subdomainaccess"]) == (lab("listDomains")["domain"][0]["id"], True)
    given = {"gateway": "10.78.1.1", "netmask": "255.255.255.0", "startip": "10.78.1.2", "endip": "10.78.1.9"}
    assert (
        "Network with vlan 3101 already exists"
        in lab.refused(
            "createNetwork", name="n", zoneid=lab.zone, networkofferingid=lab.offerings[SHARED], vlan=3101, **given
        )[1]
    )
    lab("deleteNetwork", id=network["id"])
    assert lab.listed(id=network["id"]) == []


def test_the_addresses_of_a_shared_network_run_out(lab: Lab) -> None:
    network = lab.resource(lab.shared(3102))
    taken = [networks.allocate_nic(lab.cloud, network).ip_address for _ in range(3)]
    assert taken == [f"10.77.102.{last}" for last in (10, 11, 12)]
    with pytest.raises(ApiError, match="Insufficient address capacity") as refusal:
        networks.allocate_nic(lab.cloud, network)
    assert refusal.value.code == 533
    assert lab("listNetworks", id=network.id)["network"][0]["canusefordeploy"] is False


def test_lists_show_what_the_domain_tree_shares(lab: Lab) -> None:
    above = lab("createDomain", name="above")["domain"]["id"]
    below = lab("createDomain", name="below", parentdomainid=above)["domain"]["id"]
    lab.shared(3103, name="everywhere")
    lab.shared(3104, name="above and below", acltype="Domain", domainid=above, subdomainaccess=True)
    lab.shared(3105, name="above only", acltype="Domain", domainid=above, subdomainaccess=False)
    user_above, user_below = lab.account(above), lab.account(below)
    lab.network(owner=user_below, name="private")
    seen = {name: set(lab.listed(lab.caller(who))) for name, who in (("a", user_above), ("b", user_below))}
    assert {"everywhere", "above and below", "above only"} <= seen["a"]
    assert "private" not in seen["a"]
    assert {"everywhere", "above and below", "private"} <= seen["b"]
    assert "above only" not in seen["b"]
    assert lab.listed(lab.caller(user_below), type="Isolated") == ["private"]
    assert lab.listed(lab.caller(user_below), networkfilter="account") == ["private"]
    assert "private" not in lab.listed()
    assert "private" in lab.listed(listall=True)
    assert "private" not in lab.listed(listall=True, supportedservices="SecurityGroup")
    assert "Invalid value of networkfilter" in lab.refused("listNetworks", networkfilter="mine")[1]


def test_permissions_open_a_network_to_named_accounts(lab: Lab) -> None:
    owner, guest = lab.account(), lab.account()
    network = lab.network(owner=owner)
    resource = lab.resource(network)
    guest_account = lab.cloud.store.table(Account).get(guest["id"])
    assert guest_account is not None
    with pytest.raises(ApiError, match="Unable to use network with id="):
        networks.check_use(lab.cloud, guest_account, resource)
    assert (
        "cannot be operated by normal user"
        in lab.refused("createNetworkPermissions", lab.caller(guest), networkid=network["id"], accountids=guest["id"])[
            1
        ]
    )
    lab("createNetworkPermissions", lab.caller(owner), networkid=network["id"], accountids=guest["id"])
    networks.check_use(lab.cloud, guest_account, resource)
    assert lab.listed(lab.caller(guest), networkfilter="shared") == [network["name"]]
    shown = lab("listNetworkPermissions", networkid=network["id"])["networkpermission"]
    assert [row["account"] for row in shown] == [guest["name"]]
    lab("removeNetworkPermissions", networkid=network["id"], accounts=guest["name"])
    assert lab("listNetworkPermissions", networkid=network["id"]) == {}
    code, _ = lab.refused("deleteNetwork", lab.caller(guest), id=network["id"])
    assert code == 531


def test_a_network_with_vms_cannot_be_deleted(lab: Lab) -> None:
    owner = lab.account()
    network = lab.network(owner=owner)
    vm = lab(
        "deployVirtualMachine",
        zoneid=lab.zone,
        templateid=lab.template,
        serviceofferingid=lab.size,
        networkids=network["id"],
        account=owner["name"],
        domainid=owner["domainid"],
    )["virtualmachine"]
    assert lab.refused("deleteNetwork", id=network["id"]) == (530, "Failed to delete network")
    lab("destroyVirtualMachine", id=vm["id"], expunge=True)
    resource = lab.resource(network)
    lab("deleteNetwork", id=network["id"])
    assert resource not in lab.cloud.store
    assert not lab.cloud.store.table(PublicIp).where(network=resource)
    assert not [router for router in lab.cloud.store.table(Router) if router.account.name == owner["name"]]


def test_an_idle_network_is_collected_and_comes_back(fresh: Lab) -> None:
    lab = fresh
    lab("updateConfiguration", name="network.gc.interval", value="60")
    lab("updateConfiguration", name="network.gc.wait", value="60")
    network, kept = lab.resource(lab.network()), lab.resource(lab.network())
    for each in (network, kept):
        networks.implement(lab.cloud, each)
    vlan = network.vlan
    lab.cloud.clock.advance(200)
    assert (network.state, network.vlan) == ("Allocated", None)
    assert [router.state for router in lab.cloud.store.table(Router)] == ["Stopped", "Stopped"]
    networks.implement(lab.cloud, network)
    assert (network.state, network.vlan) == ("Implemented", vlan)
    assert len(lab.cloud.store.table(Router)) == 2


def test_restart_with_cleanup_makes_the_router_anew(lab: Lab) -> None:
    network = lab.network()
    text = "Network is not in the right state to be restarted. Correct states are: Implemented, Setup"
    assert lab.refused("restartNetwork", id=network["id"]) == (431, text)
    networks.implement(lab.cloud, lab.resource(network))
    before = lab("listRouters", networkid=network["id"])["router"][0]
    lab("restartNetwork", id=network["id"])
    assert lab("listRouters", networkid=network["id"])["router"][0]["id"] == before["id"]
    lab("restartNetwork", id=network["id"], cleanup=True)
    after = lab("listRouters", networkid=network["id"])["router"][0]
    assert after["id"] != before["id"]
    assert after["publicip"] == before["publicip"]


def test_update_changes_names_and_reserves_addresses(lab: Lab) -> None:
    network = lab.network()
    networks.implement(lab.cloud, lab.resource(network))
    changed = lab("updateNetwork", id=network["id"], name="renamed", networkdomain="a.example")["network"]
    assert (changed["name"], changed["networkdomain"]) == ("renamed", "a.example")
    reserved = lab("updateNetwork", id=network["id"], guestvmcidr="10.1.1.0/26")["network"]
    assert (reserved["cidr"], reserved["networkcidr"]) == ("10.1.1.0/26", "10.1.1.0/24")
    assert reserved["reservediprange"] == "10.1.1.64-10.1.1.255"
    assert reserved["netmask"] == "255.255.255.0"
    assert "subset of network CIDR" in lab.refused("updateNetwork", id=network["id"], guestvmcidr="10.2.0.0/24")[1]


def test_routers_start_stop_and_go(lab: Lab) -> None:
    network = lab.network()
    networks.implement(lab.cloud, lab.resource(network))
    router = lab("listRouters", networkid=network["id"])["router"][0]["id"]
    assert lab("stopRouter", id=router)["router"]["state"] == "Stopped"
    assert lab.refused("rebootRouter", id=router) == (
        530,
        "Resource [DataCenter:1] is unreachable: Unable to reboot domR, it is not in right state Stopped",
    )
    assert lab("startRouter", id=router)["router"]["state"] == "Running"
    assert lab("destroyRouter", id=router)["router"]["state"] == "Destroyed"
    assert lab("listRouters", networkid=network["id"]) == {}
    networks.implement(lab.cloud, lab.resource(network))
    assert len(lab("listRouters", networkid=network["id"])["router"]) == 1


def test_addresses_are_given_once_and_come_back(lab: Lab) -> None:
    owner = lab.account()
    network = lab.network(owner=owner)
    networks.implement(lab.cloud, lab.resource(network))
    taken = [lab("associateIpAddress", networkid=network["id"])["ipaddress"] for _ in range(3)]
    assert len({row["ipaddress"] for row in taken}) == 3
    assert [row["state"] for row in taken] == ["Allocating"] * 3
    wanted = taken[0]["ipaddress"]
    assert lab.refused("associateIpAddress", networkid=network["id"], ipaddress=wanted) == (
        533,
        "Insufficient address capacity",
    )
    lab("disassociateIpAddress", id=taken[0]["id"])
    again = lab("associateIpAddress", networkid=network["id"], ipaddress=wanted)["ipaddress"]
    assert (again["ipaddress"], again["id"]) == (wanted, taken[0]["id"])
    source = lab("listPublicIpAddresses", associatednetworkid=network["id"], issourcenat=True, listall=True)
    code, text = lab.refused("disassociateIpAddress", id=source["publicipaddress"][0]["id"])
    assert (code, text) == (530, "IP address is used for source nat purposes and can not be disassociated.")


def test_free_addresses_are_listed_on_request(lab: Lab) -> None:
    every = lab("listPublicIpAddresses", listall=True, allocatedonly=False)["publicipaddress"]
    free = lab("listPublicIpAddresses", state="Free", listall=True)["publicipaddress"]
    allocated = lab("listPublicIpAddresses", listall=True)["publicipaddress"]
    assert len(every) == len(free) + len(allocated)
    assert {row["state"] for row in free} == {"Free"}
    assert (
        "Conflict: allocatedonly is true but state is Free"
        in lab.refused("listPublicIpAddresses", state="Free", allocatedonly=True)[1]
    )


def test_a_limit_of_addresses_is_a_limit(lab: Lab) -> None:
    owner = lab.account()
    network = lab.network(owner=owner)
    whose = {"account": owner["name"], "domainid": owner["domainid"]}
    lab("updateResourceLimit", resourcetype=1, max=1, **whose)
    lab("associateIpAddress", networkid=network["id"])
    code, text = lab.refused("associateIpAddress", networkid=network["id"])
    assert code == 532
    assert text == f"Maximum number of public IP addresses for account: {owner['name']} has been exceeded."
    lab("updateResourceLimit", resourcetype=6, max=1, **whose)
    assert (
        lab.refused("createNetwork", name="n", zoneid=lab.zone, networkofferingid=lab.offerings[ISOLATED], **whose)[0]
        == 535
    )


def test_portable_addresses_come_from_the_region(fresh: Lab) -> None:
    lab = fresh
    network = lab.network()
    given = {"gateway": "172.31.1.1", "netmask": "255.255.255.0", "vlan": "12"}
    made = lab("createPortableIpRange", regionid=1, startip="172.31.1.10", endip="172.31.1.10", **given)
    ip = lab("associateIpAddress", networkid=network["id"], isportable=True)["ipaddress"]
    assert (ip["ipaddress"], ip["isportable"], ip["issourcenat"]) == ("172.31.1.10", True, False)
    assert "portable IP" in lab.refused("associateIpAddress", networkid=network["id"], isportable=True)[1]
    row = made["portableiprange"]["id"]
    assert "there are IP's assigned" in lab.refused("deletePortableIpRange", id=row)[1]
    lab("disassociateIpAddress", id=ip["id"])
    lab("deletePortableIpRange", id=row)
    assert lab("listPortableIpRanges") == {}


def test_removing_an_account_removes_its_networks(lab: Lab) -> None:
    owner = lab.account()
    network = lab.resource(lab.network(owner=owner))
    networks.implement(lab.cloud, network)
    address = lab("associateIpAddress", networkid=network.id)["ipaddress"]["ipaddress"]
    lab("deleteAccount", id=owner["id"])
    assert network not in lab.cloud.store
    assert not [ip for ip in lab.cloud.store.table(PublicIp) if ip.address == address]
    assert not [router for router in lab.cloud.store.table(Router) if router.account.name == owner["name"]]


def test_a_basic_zone_has_one_guest_network_of_its_pods_ranges() -> None:
    basic = Lab("basic")
    network = basic("listNetworks", listall=True)["network"][0]
    assert (network["type"], network["acltype"], network["state"]) == ("Shared", "Domain", "Setup")
    address = networks.allocate_nic(basic.cloud, basic.resource(network)).ip_address
    assert address is not None
    code, text = basic.refused(
        "createNetwork", name="n", zoneid=basic.zone, networkofferingid=basic.offerings[SHARED], vlan="untagged"
    )
    assert (code, text) == (431, "Can't have more than one Guest network in zone with network type Basic")


@pytest.fixture(scope="module")
def server() -> Iterator[Simulator]:
    with Simulator(networking="advanced") as running:
        yield running


def test_over_http_as_any_client_asks(server: Simulator) -> None:
    def ask(**params: str) -> requests.Response:
        url = f"http://127.0.0.1:{server.integration_port}/"
        return requests.get(url, params={"response": "json", **params}, timeout=5)

    zone = server.run("listZones")["zone"][0]["id"]
    offering = server.run("listNetworkOfferings", name=ISOLATED)["networkoffering"][0]["id"]
    made = ask(command="createNetwork", name="n", zoneid=zone, networkofferingid=offering)
    assert made.json()["createnetworkresponse"]["network"]["state"] == "Allocated"
    refused = ask(command="createNetwork", name="n", zoneid=zone, networkofferingid=offering, acltype="Domain")
    assert refused.status_code == 431
    assert refused.json()["createnetworkresponse"]["cserrorcode"] == 4350


@pytest.mark.parametrize(
    ("inner", "outer", "expected"),
    [
        ("10.1.1.0/26", "10.1.1.0/24", True),
        ("10.1.1.0/24", "10.1.1.0/26", False),
        ("10.2.0.0/24", "10.1.0.0/16", False),
    ],
)
def test_networks_within_networks(inner: str, outer: str, expected: bool) -> None:
    assert is_inside(inner, outer) is expected


def test_arithmetic_of_small_networks() -> None:
    assert bounds("10.0.0.7/30") == (0x0A000004, 0x0A000007)
    assert is_private("100.64.1.0/24")
    assert not is_private("100.128.1.0/24")
    assert is_domain_name("a-b.example")
    assert not is_domain_name("-a.example")
