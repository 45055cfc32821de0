"""What administrators are told of what is gone, malformed or in the way, in the words of the real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from cs_matrix_pytest.simulator import Simulator
from simulator_over_http import Client, SignedClient

DNS = {"dns1": "10.0.0.53", "internaldns1": "10.0.0.53"}


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Simulator() as simulator:
        yield Client(simulator)


def new_zone(client: Client, name: str, **params: Any) -> dict[str, Any]:
    return client.one("createZone", name=name, networktype="Advanced", **DNS, **params)


def new_pod(client: Client) -> dict[str, Any]:
    zone = client.rows("listZones", name="zone1")[0]["id"]
    addresses = {"gateway": "10.77.0.1", "netmask": "255.255.255.0", "startip": "10.77.0.2", "endip": "10.77.0.9"}
    return client.one("createPod", zoneid=zone, name="pod-to-go", **addresses)


def new_cluster(client: Client) -> dict[str, Any]:
    pod = client.rows("listPods")[0]
    return client.one(
        "addCluster",
        zoneid=pod["zoneid"],
        podid=pod["id"],
        clustername="cluster-to-go",
        clustertype="CloudManaged",
        hypervisor="Simulator",
    )


def new_host(client: Client) -> dict[str, Any]:
    cluster = client.rows("listClusters")[0]
    return client.one(
        "addHost",
        zoneid=cluster["zoneid"],
        podid=cluster["podid"],
        clusterid=cluster["id"],
        hypervisor="Simulator",
        url="http://sim/c/to-go",
        username="root",
        password="password",
    )


def new_pool(client: Client) -> dict[str, Any]:
    cluster = client.rows("listClusters")[0]
    where = {"zoneid": cluster["zoneid"], "podid": cluster["podid"], "clusterid": cluster["id"]}
    pool = client.one("createStoragePool", name="pool-to-go", url="nfs://10.9.9.9/to-go", **where)
    client.run("enableStorageMaintenance", id=pool["id"])
    return pool


def new_range(client: Client) -> dict[str, Any]:
    zone = client.rows("listZones", name="zone1")[0]["id"]
    addresses = {"gateway": "172.31.0.1", "netmask": "255.255.255.0", "startip": "172.31.0.5", "endip": "172.31.0.9"}
    return client.one("createVlanIpRange", zoneid=zone, vlan="untagged", forvirtualnetwork=True, **addresses)


GONE: list[
    tuple[Callable[[Client], dict[str, Any]], str, dict[str, Any], list[tuple[str, dict[str, Any], int, str]]]
] = [
    (
        lambda client: new_zone(client, "zone-to-go"),
        "deleteZone",
        {},
        [
            ("deleteZone", {}, 431, "A zone with ID: {} does not exist."),
            ("updateZone", {"name": "x"}, 431, "unable to find zone by id {}"),
        ],
    ),
    (
        new_pod,
        "deletePod",
        {},
        [
            ("deletePod", {}, 431, "A pod with ID: {} does not exist."),
            ("updatePod", {"name": "x"}, 431, "Unable to find pod by id {}"),
        ],
    ),
    (
        new_cluster,
        "deleteCluster",
        {},
        [
            ("deleteCluster", {}, 530, "Cluster: {} does not exist"),
            ("updateCluster", {"clustername": "x"}, 431, "Unable to find the cluster by id={}"),
        ],
    ),
    (
        new_host,
        "deleteHost",
        {"forced": True},
        [
            ("deleteHost", {}, 431, "Host with ID [{}] was not found"),
            (
                "updateHost",
                {"name": "x"},
                530,
                "Failed to update host: null with id {}, Host with id {} doesn't exist",
            ),
            ("cancelHostMaintenance", {}, 431, "Host with id {} doesn't exist"),
            ("reconnectHost", {}, 431, "Host with id {} doesn't exist"),
            (
                "prepareHostForMaintenance",
                {},
                431,
                "Unable to find host with ID: {}. Please specify a valid host ID.",
            ),
        ],
    ),
    (
        new_pool,
        "deleteStoragePool",
        {},
        [
            ("deleteStoragePool", {}, 431, "Unable to find pool by id {}"),
            ("updateStoragePool", {"name": "x"}, 431, "Unable to find storage pool with ID: {}"),
        ],
    ),
    (
        new_range,
        "deleteVlanIpRange",
        {},
        [
            ("deleteVlanIpRange", {}, 431, "Please specify a valid IP range id."),
            ("updateVlanIpRange", {"endip": "172.31.0.8"}, 431, "Please specify a valid IP range id."),
            ("releasePublicIpRange", {}, 431, "Please specify a valid IP range id."),
        ],
    ),
]


@pytest.mark.parametrize(("make", "remove", "params", "later"), GONE, ids=[row[1] for row in GONE])
def test_what_is_gone_is_told_by_its_number(
    client: Client,
    make: Callable[[Client], dict[str, Any]],
    remove: str,
    params: dict[str, Any],
    later: list[tuple[str, dict[str, Any], int, str]],
) -> None:
    identity = make(client)["id"]
    found = client.simulator.cloud.find([entity_of(client, remove)], identity)
    assert found is not None
    client.run(remove, id=identity, **params)
    for command, more, code, text in later:
        assert client.refused(command, id=identity, **more) == (code, text.replace("{}", str(found.number)))


def entity_of(client: Client, command: str) -> str:
    known = client.simulator.cloud.api.get(command)
    assert known is not None
    return known.params["id"].entities[0]


class TestZonesAndPods:
    @pytest.mark.parametrize(
        ("params", "text"),
        [
            ({"guestcidraddress": "8.8.8.0/24"}, "Please enter a valid guest cidr"),
            ({"domain": "-bad-"}, "Invalid network domain. Total length shouldn't exceed 190 chars."),
            ({"ip6dns1": "10.0.0.1"}, "Please enter a valid IPv6 address for IP6 DNS1"),
            ({"allocationstate": "Asleep"}, "Unable to resolve Allocation State 'Asleep' to a supported state"),
        ],
    )
    def test_a_zone_that_cannot_be(self, client: Client, params: dict[str, Any], text: str) -> None:
        code, refusal = client.refused("createZone", name="z", networktype="Advanced", **DNS, **params)
        assert (code, refusal.startswith(text)) == (431, True)

    def test_a_zone_for_a_domain_is_dedicated_to_it(self, client: Client) -> None:
        domain = client.one("createDomain", name="zone-owner")["id"]
        zone = new_zone(client, "private", domainid=domain)
        assert client.one("listDedicatedZones", zoneid=zone["id"])["domainid"] == domain
        assert client.one("updateZone", id=zone["id"], ispublic=True).get("domainid") is None
        assert client.rows("listDedicatedZones", zoneid=zone["id"]) == []
        client.run("deleteZone", id=zone["id"])

    def test_management_ranges(self, client: Client) -> None:
        pod = new_pod(client)
        where = {"podid": pod["id"], "gateway": pod["gateway"], "netmask": pod["netmask"]}
        added = client.one("createManagementNetworkIpRange", startip="10.77.0.20", **where)
        assert (added["startip"][-1], added["endip"][-1]) == ("10.77.0.20", "10.77.0.20")
        assert client.refused("createManagementNetworkIpRange", startip="10.78.0.1", **where) == (
            431,
            "The start address of the IP range is not in the CIDR subnet.",
        )
        # These two tell of whatever goes wrong as an internal error.
        current = {"podid": pod["id"], "currentstartip": "10.77.0.20", "currentendip": "10.77.0.20"}
        assert client.refused("updatePodManagementNetworkIpRange", **current, newendip="x") == (
            530,
            "The current end address of the IP range x is not a valid IP address.",
        )
        gone = {"podid": pod["id"], "startip": "10.77.0.40", "endip": "10.77.0.41", "vlan": "untagged"}
        code, text = client.refused("deleteManagementNetworkIpRange", **gone)
        assert (code, text.startswith("The input IP range: 10.77.0.40-10.77.0.41 of pod: HostPod {")) == (530, True)
        client.run("deletePod", id=pod["id"])


class TestClustersAndHosts:
    @pytest.mark.parametrize(
        ("params", "text"),
        [
            ({"arch": "pdp11"}, "Unsupported arch type: pdp11"),
            ({"externaldetails[0].a": "b"}, "External details can be specified only with extension"),
        ],
    )
    def test_a_cluster_that_cannot_be(self, client: Client, params: dict[str, Any], text: str) -> None:
        pod = client.rows("listPods")[0]
        given = {"clustername": "c", "clustertype": "CloudManaged", "hypervisor": "KVM", **params}
        assert client.refused("addCluster", zoneid=pod["zoneid"], podid=pod["id"], **given) == (431, text)

    def test_an_unknown_hypervisor(self, client: Client) -> None:
        pod = client.rows("listPods")[0]
        given = {"hypervisor": "Toaster", "url": "http://t/1", "username": "u", "password": "p"}
        assert client.refused("addHost", zoneid=pod["zoneid"], podid=pod["id"], **given) == (
            530,
            "Do not support HypervisorType Toaster for http://t/1",
        )

    def test_rules_in_javascript_are_off(self, client: Client) -> None:
        pool = client.rows("listStoragePools")[0]["id"]
        assert client.refused("updateStoragePool", id=pool, tags="a", istagarule=True) == (
            431,
            "'istagarule' cannot be set because JavaScript interpretation is disabled in setting "
            "'js.interpretation.enabled'.",
        )

    def test_only_a_disconnected_host_is_degraded(self, client: Client) -> None:
        host = client.rows("listHosts", type="Routing")[0]
        code, text = client.refused("declareHostAsDegraded", id=host["id"])
        assert (code, text.endswith("as 'Degraded' when host is in Up status")) == (431, True)
        code, text = client.refused("cancelHostAsDegraded", id=host["id"])
        assert (code, text.endswith("when host is in Enabled state")) == (530, True)

    def test_passwords_are_kept_for_some_hypervisors(self, client: Client) -> None:
        host = client.rows("listHosts", type="Routing")[0]["id"]
        given = {"username": "root", "password": "x"}
        unsupported = (431, "This operation is not supported for this hypervisor type")
        assert client.refused("updateHostPassword", hostid=host, **given) == unsupported
        assert client.refused("updateHostPassword", **given) == (431, "You should provide an host id.")


class TestStorage:
    def test_a_pool_is_disabled_once(self, client: Client) -> None:
        pool = client.rows("listStoragePools")[0]
        assert client.one("updateStoragePool", id=pool["id"], enabled=False)["state"] == "Disabled"
        code, text = client.refused("updateStoragePool", id=pool["id"], enabled=False)
        assert (code, text.startswith('Primary storage StoragePool {"id":')) == (431, True)
        assert text.endswith("cannot be disabled. Storage pool state : Disabled")
        assert client.one("updateStoragePool", id=pool["id"], enabled=True)["state"] == "Up"

    def test_only_datastore_clusters_are_synchronised(self, client: Client) -> None:
        pool = client.rows("listStoragePools")[0]["id"]
        text = "SyncStoragePool API is currently supported only for storage type of datastore cluster"
        assert client.refused("syncStoragePool", id=pool) == (431, text)

    def test_staging_stores_are_of_a_zone(self, client: Client) -> None:
        text = "Only zone wide cache storage is supported"
        assert client.refused("createSecondaryStagingStore", url="nfs://1.1.1.1/s", scope="host") == (530, text)


class TestAddressRanges:
    @pytest.mark.parametrize(
        ("changes", "text"),
        [
            ({"gateway": "172.31.0.300"}, "Invalid gateway (172.31.0.300) or netmask (255.255.255.0)"),
            ({"startip": "172.31.0.1"}, "The gateway shouldn't overlap the new start/end ip addresses"),
            ({"endip": "172.32.0.9"}, "The end address of the IP range is not in the CIDR subnet."),
        ],
    )
    def test_changes_that_cannot_be(self, client: Client, changes: dict[str, str], text: str) -> None:
        made = new_range(client)["id"]
        try:
            assert client.refused("updateVlanIpRange", id=made, **changes) == (431, text)
        finally:
            client.run("deleteVlanIpRange", id=made)

    def test_a_public_range_is_untagged_by_default(self, client: Client) -> None:
        zone = client.rows("listZones", name="zone1")[0]["id"]
        addresses = {"gateway": "172.30.0.1", "netmask": "255.255.255.0", "startip": "172.30.0.5"}
        made = client.one("createVlanIpRange", zoneid=zone, **addresses)
        assert (made["vlan"], made["endip"]) == ("vlan://untagged", "172.30.0.5")
        client.run("deleteVlanIpRange", id=made["id"])

    def test_vlans_in_use_stay(self, client: Client) -> None:
        network = client.rows("listPhysicalNetworks")[0]
        before = network["vlan"]
        first = int(before.split("-")[0])
        dedicated = f"{first}-{first + 4}"
        client.account("vlan-owner")
        root = client.one("listDomains", name="ROOT")["id"]
        owner = {"account": "vlan-owner", "domainid": root}
        row = client.one("dedicateGuestVlanRange", physicalnetworkid=network["id"], vlanrange=dedicated, **owner)
        rest = before.replace(f"{first}-", f"{first + 10}-")
        code, text = client.refused("updatePhysicalNetwork", id=network["id"], vlan=rest)
        assert (code, text.startswith(f"Vnet range {dedicated} is dedicated to an account.")) == (431, True)
        client.run("releaseDedicatedGuestVlanRange", id=row["id"])
        code, text = client.refused("releaseDedicatedGuestVlanRange", id=row["id"])
        assert (code, "due to incorrect long value format" in text) == (431, True)
        assert client.refused("dedicateGuestVlanRange", physicalnetworkid=network["id"], vlanrange=dedicated) == (
            431,
            "Unable to find account by name null",
        )


class TestSettings:
    @pytest.mark.parametrize(
        ("name", "value", "code", "text"),
        [
            ("expunge.interval", "", 431, "Value [null] is not a valid [class java.lang.Integer]."),
            (
                "mac.identifier",
                "256",
                431,
                "[mac.identifier] value should be between 0 and 255. 0 value will disable this feature.",
            ),
            (
                "router.extra.public.nics",
                "6",
                431,
                "The provided value is not valid for this configuration. Please enter an integer in the range: [0-5]",
            ),
            (
                "network.dns.basiczone.updates",
                "some",
                431,
                "The provided value is neither a valid value for this configuration (Options are: [all]) NOR a valid "
                "value for this configuration (Options are: [pod]).",
            ),
            (
                "remote.access.vpn.client.iprange",
                "10.1.1.1",
                431,
                "Invalid IP address value(s) specified for the config value.",
            ),
            ("console.proxy.vm.userdata", "x", 530, "Only default admin is allowed to change this setting"),
        ],
    )
    def test_values_that_cannot_be(self, client: Client, name: str, value: str, code: int, text: str) -> None:
        assert client.refused("updateConfiguration", name=name, value=value) == (code, text)

    def test_blanks_around_a_value_do_not_count(self, client: Client) -> None:
        assert client.one("updateConfiguration", name="expunge.delay", value=" 77 ")["value"] == "77"
        client.run("resetConfiguration", name="expunge.delay")


class TestOfferings:
    def test_one_that_is_gone(self, client: Client) -> None:
        scoped = {"domainid": "public", "zoneid": "all"}
        for command, params, text in (
            ("updateServiceOffering", {}, "Unable to find service offering 9999"),
            ("updateServiceOffering", scoped, "unable to find service offering 9999"),
            ("updateDiskOffering", {}, "Unable to find disk offering 9999"),
            ("updateNetworkOffering", {}, "Unable to find network offering 9999"),
            ("deleteServiceOffering", {}, "unable to find service offering 9999"),
        ):
            assert client.refused(command, id=9999, **params) == (431, text)
        assert client.refused("deleteDiskOffering", id=9999) == (431, "Unable to find disk offering by id 9999")
        assert client.refused("deleteVPCOffering", id=9999) == (431, "unable to find vpc offering 9999")

    def test_an_update_that_does_not_ask_to_purge_does_away_with_it(self, client: Client) -> None:
        sizes = {"cpunumber": 1, "cpuspeed": 100, "memory": 128}
        made = client.one("createServiceOffering", name="purging", displaytext="p", purgeresources=True, **sizes)
        assert made["purgeresources"] is True
        updated = client.one("updateServiceOffering", id=made["id"], displaytext="q")
        assert "purgeresources" not in updated


class TestUsers:
    def post(self, client: Client, **params: str) -> requests.Response:
        url = f"http://127.0.0.1:{client.simulator.api_port}/client/api"
        return requests.post(url, data={"command": "login", "response": "json", **params}, timeout=10)

    def login(self, client: Client, name: str, password: str = "password") -> dict[str, Any]:
        return self.post(client, username=name, password=password).json()["loginresponse"]  # type: ignore[no-any-return]

    def test_a_disabled_user_is_told_so(self, client: Client) -> None:
        user = client.account("sleeper")["user"][0]
        client.run("disableUser", id=user["id"])
        text = self.login(client, "sleeper")["errortext"]
        assert text.startswith('User UserAccount {"accountName":"sleeper","id":')
        assert text.endswith("is disabled/locked. Please contact the administrator.")

    def test_five_wrong_passwords_disable_a_user(self, client: Client) -> None:
        user = client.account("forgetful")["user"][0]["id"]
        for _ in range(4):
            assert "Failed to authenticate" in self.login(client, "forgetful", "wrong")["errortext"]
        assert client.one("listUsers", id=user)["state"] == "enabled"
        self.login(client, "forgetful", "wrong")
        assert client.one("listUsers", id=user)["state"] == "disabled"
        client.run("enableUser", id=user)
        assert "sessionkey" in self.login(client, "forgetful")

    def test_logins_are_events(self, client: Client) -> None:
        client.account("eventful")
        self.login(client, "eventful")
        events = client.rows("listEvents", type="USER.LOGIN", listall=True)
        assert [event["username"] for event in events].count("eventful") == 1

    def test_a_password_to_be_changed(self, client: Client) -> None:
        account = client.account("novice")
        person = {"email": "a@b.c", "firstname": "f", "lastname": "l", "password": "p"}
        made = client.one("createUser", account="novice", username="new", passwordchangerequired=True, **person)
        assert self.login(client, "new", "p")["passwordchangerequired"] is True
        SignedClient(client.simulator).run("updateUser", id=made["id"], password="q")
        assert "passwordchangerequired" not in self.login(client, "new", "q")
        client.run("deleteAccount", id=account["id"])

    def test_time_zones_have_their_offset(self, client: Client) -> None:
        person = {"email": "a@b.c", "firstname": "f", "lastname": "l", "password": "p", "accounttype": 0}
        client.run("createAccount", username="eastern", timezone="Asia/Kolkata", **person)
        shown = self.login(client, "eastern", "p")
        assert (shown["timezone"], shown["timezoneoffset"]) == ("Asia/Kolkata", "5.5")

    def test_names_longer_than_their_column(self, client: Client) -> None:
        person = {"username": "u" * 101, "email": "e", "firstname": "f", "lastname": "l", "password": "p"}
        assert client.refused("createAccount", accounttype=0, **person) == (
            530,
            "Unable to persist on DB, due to: Data truncation: Data too long for column 'account_name' at row 1",
        )


class TestPasswordPolicy:
    @pytest.mark.parametrize(
        ("setting", "value", "text"),
        [
            ("minimum.length", "9", "User password should contain at least [9] characters."),
            ("minimum.digits", "1", "User password should contain at least [1] digits."),
            ("minimum.uppercase.letters", "1", "User password should contain at least [1] upper case letters."),
            ("minimum.special.characters", "1", "User password should contain at least [1] special characters."),
            ("regex", "[0-9]+", "User password does not match with password policy regex."),
        ],
    )
    def test_it_is_a_domain_s(self, client: Client, setting: str, value: str, text: str) -> None:
        domain = client.one("createDomain", name=f"policy-{setting}")["id"]
        user = client.account(f"user-{setting}", domain=domain)["user"][0]["id"]
        client.run("updateConfiguration", name=f"password.policy.{setting}", value=value, domainid=domain)
        admin = SignedClient(client.simulator)
        assert admin.refused("updateUser", id=user, password="secret") == (431, text)
        elsewhere = client.account(f"elsewhere-{setting}")["user"][0]["id"]
        admin.run("updateUser", id=elsewhere, password="secret")


class TestDomains:
    def test_an_id_of_one_s_own(self, client: Client) -> None:
        assert client.one("createDomain", name="own-id", domainid="anything")["id"] == "anything"
        tripped = 'Cannot invoke "com.cloud.domain.DomainVO.getId()" because "domain" is null'
        assert client.refused("createDomain", name="own-id-2", domainid="anything") == (530, tripped)
        assert client.refused("createDomain", name="own-id-3", domainid="x" * 41) == (530, tripped)

    def test_a_name_has_no_slash(self, client: Client) -> None:
        code, text = client.refused("createDomain", name="a/b")
        assert (code, text.startswith("Domain name contains one or more invalid characters.")) == (431, True)


class TestJobs:
    def test_an_event_cannot_be_about_minus_one(self, client: Client) -> None:
        text = "Unable to persist on DB, due to: Data truncation: Out of range value for column 'resource_id' at row 1"
        for command, parameter in (("enableOutOfBandManagementForHost", "hostid"), ("deletePhysicalNetwork", "id")):
            assert client.refused(command, **{parameter: -1}) == (530, text)
        # Events of these have no resource: the job tells.
        assert client.refused("enableHAForHost", hostid=-1) == (431, "Unable to find host by ID: -1")

    def test_the_last_job_of_a_resource(self, client: Client) -> None:
        account = client.account("job-haver")
        client.run("disableAccount", account="job-haver", domainid=account["domainid"], lock=False, id=account["id"])
        found = client.run("queryAsyncJobResult", resourcetype="account", resourceid=account["id"])
        assert (found["jobinstanceid"], found["jobstatus"]) == (account["id"], 1)
        jobs = client.rows("listAsyncJobs", resourcetype="Account", resourceid=account["id"], listall=True)
        assert [job["jobid"] for job in jobs] == [found["jobid"]]

    @pytest.mark.parametrize(
        ("command", "params", "text"),
        [
            (
                "queryAsyncJobResult",
                {},
                "Expected parameter job id or parameters resource type and resource id",
            ),
            ("listAsyncJobs", {"resourcetype": "Spoon"}, "Invalid resourcetype"),
            ("listEvents", {"resourcetype": "Spoon"}, "Invalid resourcetype"),
            ("archiveAlerts", {}, "either ids, type, startdate or enddate must be specified"),
            ("deleteAlerts", {}, "either ids, type or enddate must be specified"),
            ("listCapacity", {"sortby": "age"}, "Only value supported for sortBy parameter is : usage"),
            ("listRoles", {"state": "tired"}, "Unrecognized role state value"),
            (
                "listUsers",
                {"usersource": "moon"},
                "Invalid user source: moon. Valid values are: native, ldap, saml2 and saml2disabled.",
            ),
            (
                "updateHypervisorCapabilities",
                {"hypervisor": "KVM"},
                "Hypervisor and hypervisor version must be specified together",
            ),
        ],
    )
    def test_what_cannot_be_asked(self, client: Client, command: str, params: dict[str, str], text: str) -> None:
        assert client.refused(command, **params) == (431, text)


class TestAnnotations:
    def test_infrastructure_shows_that_it_has_some(self, client: Client) -> None:
        pod = client.rows("listPods")[0]["id"]
        made = client.one("addAnnotation", entitytype="POD", entityid=pod, annotation="mind the step")
        assert client.one("listPods", id=pod)["hasannotations"] is True
        client.run("removeAnnotation", id=made["id"])
        assert client.one("listPods", id=pod)["hasannotations"] is False
        assert client.refused("removeAnnotation", id=made["id"]) == (
            530,
            'Cannot invoke "org.apache.cloudstack.annotation.AnnotationVO.getEntityType()" because "annotation" is null',
        )

    def test_root_may_annotate_what_there_is_not(self, client: Client) -> None:
        made = client.one("addAnnotation", entitytype="HOST", entityid="nothing", annotation="boo")
        assert (made["entityid"], "entityname" in made) == ("nothing", False)


class TestOsTypes:
    def test_they_are_found_by_a_part_of_their_name_in_order(self, client: Client) -> None:
        names = [row["description"] for row in client.rows("listOsTypes", description="debian")]
        assert len(names) > 5
        assert names == sorted(names, key=str.upper)

    def test_the_system_s_own_keep_their_names(self, client: Client) -> None:
        own = client.rows("listOsTypes", description="debian")[0]
        other = next(row for row in client.rows("listOsCategories") if row["id"] != own["oscategoryid"])["id"]
        assert client.refused("updateGuestOs", id=own["id"], osdisplayname="Mine") == (
            431,
            "Unable to modify system defined guest OS",
        )
        assert client.one("updateGuestOs", id=own["id"], oscategoryid=other)["oscategoryid"] == other
        client.run("updateGuestOs", id=own["id"], oscategoryid=own["oscategoryid"])

    def test_a_category_with_types_stays(self, client: Client) -> None:
        category = client.one("addOsCategory", name="Toys")["id"]
        toy = client.one("addGuestOs", oscategoryid=category, osdisplayname="Toy OS")["id"]
        assert client.refused("deleteOsCategory", id=category) == (
            431,
            "Unable to delete the OS category. 1 guest OS exist for it.",
        )
        client.run("removeGuestOs", id=toy)
        client.run("deleteOsCategory", id=category)


def test_counters_of_a_fresh_install(client: Client) -> None:
    rows = client.rows("listCounters")
    assert len(rows) == 20
    providers = list(dict.fromkeys(row["provider"] for row in rows))
    assert providers == ["Netris", "VirtualRouter", "VpcVirtualRouter", "None", "Netscaler"]


def test_storage_networks_tell_of_everything_as_an_internal_error(client: Client) -> None:
    pod = client.rows("listPods")[0]
    taken = pod["ipranges"][0]
    given = {"podid": pod["id"], "gateway": pod["gateway"], "startip": taken["startip"], "endip": taken["endip"]}
    assert client.refused("createStorageNetworkIpRange", netmask="255.0.255.0", **given) == (
        530,
        "Invalid netmask:255.0.255.0",
    )
    assert client.refused("createStorageNetworkIpRange", netmask=pod["netmask"], **given) == (
        530,
        "The Storage network Start IP and endIP address range overlap with private IP "
        f":{taken['startip']}:{taken['endip']}",
    )


def test_a_domain_admin_is_told_in_the_words_of_the_kind_of_offering(client: Client) -> None:
    domain = client.one("createDomain", name="offering-domain")["id"]
    account = client.account("offering-admin", domain=domain, type=2)
    keys = client.run("registerUserKeys", id=account["user"][0]["id"])["userkeys"]
    offering = client.one("createDiskOffering", name="everybody's", displaytext="d", disksize=1)["id"]
    text = refused_signed(client, keys, "updateDiskOffering", id=offering, name="mine")
    assert text.startswith('Unable to update public disk offering [DiskOffering {"id":')
    assert text.endswith("}.] because it is domain-admin.")


def refused_signed(client: Client, keys: dict[str, str], command: str, **params: str) -> str:
    from cs_matrix_pytest.simulator.wire.authentication import signature

    request = {"command": command, "response": "json", "apiKey": keys["apikey"], **params}
    request["signature"] = signature(request, keys["secretkey"])
    url = f"http://127.0.0.1:{client.simulator.api_port}/client/api"
    (body,) = requests.get(url, params=request, timeout=10).json().values()
    return str(body["errortext"])
