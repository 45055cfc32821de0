"""Zones and what stands in them: hosts, storage, physical networks, address ranges, system VMs, settings, capacity."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from cs_matrix_pytest.simulator import Simulator
from cs_matrix_pytest.simulator.errors import ApiError

Run = Callable[..., dict[str, Any]]
HOST_NUMBER = 1
DNS = {"dns1": "10.0.0.53", "internaldns1": "10.0.0.53"}


@pytest.fixture
def simulator() -> Simulator:
    return Simulator()


@pytest.fixture
def run(simulator: Simulator) -> Run:
    return simulator.run


def only(answer: dict[str, Any]) -> Any:
    """The one thing that an answer holds, out of its list if it is one."""
    (value,) = [value for name, value in answer.items() if name != "count"]
    if isinstance(value, list):
        (value,) = value
    return value


def rows(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return next((value for value in answer.values() if isinstance(value, list)), [])


def refused(run: Run, command: str, **params: Any) -> tuple[int, str]:
    with pytest.raises(ApiError) as error:
        run(command, **params)
    return error.value.code, error.value.text


def zone_id(run: Run) -> str:
    identity: str = only(run("listZones"))["id"]
    return identity


@pytest.fixture(scope="module")
def over_http() -> Iterator[Callable[..., requests.Response]]:
    with Simulator() as simulator:

        def call(command: str, **params: Any) -> requests.Response:
            url = f"http://127.0.0.1:{simulator.integration_port}/client/api"
            return requests.get(url, params={"command": command, "response": "json", **params}, timeout=5)

        yield call


class TestWire:
    def test_add_commands_of_hosts_and_clusters_answer_lists(self, over_http: Callable[..., requests.Response]) -> None:
        pod = over_http("listPods").json()["listpodsresponse"]["pod"][0]
        where = {"zoneid": pod["zoneid"], "podid": pod["id"]}
        answer = over_http(
            "addCluster", **where, clustername="more", clustertype="CloudManaged", hypervisor="simulator"
        ).json()["addclusterresponse"]
        assert answer["count"] == 1
        assert answer["cluster"][0]["hypervisortype"] == "Simulator"
        answer = over_http(
            "addHost",
            **where,
            clusterid=answer["cluster"][0]["id"],
            hypervisor="simulator",
            url="http://sim/more/h1",
            username="root",
            password="password",
        ).json()["addhostresponse"]
        assert (answer["count"], answer["host"][0]["state"]) == (1, "Up")
        assert answer["host"][0]["name"].startswith("SimulatedAgent.")

    def test_a_refusal_has_its_code_and_text(self, over_http: Callable[..., requests.Response]) -> None:
        answer = over_http("createZone", name="zone1", networktype="Advanced", **DNS)
        assert answer.status_code == 431
        assert answer.json()["createzoneresponse"]["errortext"] == (
            "A zone with that name already exists. Please specify a unique zone name."
        )


class TestZones:
    def test_a_new_zone_is_disabled_and_has_what_was_given(self, run: Run) -> None:
        zone = only(run("createZone", name="z", networktype="advanced", guestcidraddress="10.2.0.0/16", **DNS))
        assert (zone["networktype"], zone["allocationstate"], zone["guestcidraddress"]) == (
            "Advanced",
            "Disabled",
            "10.2.0.0/16",
        )
        assert only(run("listZones", name="z"))["id"] == zone["id"]

    @pytest.mark.parametrize(
        ("params", "text"),
        [
            ({"networktype": "Other"}, "Invalid zone type; only Advanced and Basic values are supported"),
            (
                {"networktype": "Basic", "guestcidraddress": "10.1.1.0/24"},
                "guestCidrAddress parameter is not supported for Basic zone",
            ),
            ({"networktype": "Advanced", "dns2": "no"}, "Please enter a valid IP address for DNS2"),
        ],
    )
    def test_what_cannot_be_is_refused(self, run: Run, params: dict[str, str], text: str) -> None:
        assert refused(run, "createZone", name="z", **DNS, **params) == (431, text)

    def test_it_needs_its_traffic_types_to_be_enabled(self, run: Run) -> None:
        zone = only(run("createZone", name="z", networktype="Advanced", **DNS))["id"]
        network = only(run("createPhysicalNetwork", name="p", zoneid=zone))["id"]
        run("addTrafficType", physicalnetworkid=network, traffictype="Management")
        code, text = refused(run, "updateZone", id=zone, allocationstate="Enabled")
        assert code == 431
        assert text.startswith("Cannot enable this Zone since: Unable to find the default physical network")
        run("addTrafficType", physicalnetworkid=network, traffictype="Public")
        assert only(run("updateZone", id=zone, allocationstate="Enabled"))["allocationstate"] == "Enabled"
        assert "Storage" in {row["traffictype"] for row in rows(run("listTrafficTypes", physicalnetworkid=network))}

    def test_a_zone_with_anything_in_it_stays(self, run: Run) -> None:
        assert refused(run, "deleteZone", id=zone_id(run)) == (
            530,
            "The zone cannot be deleted because there are servers in this zone.",
        )

    def test_details_and_names_can_be_changed(self, run: Run) -> None:
        zone = zone_id(run)
        answer = only(run("updateZone", id=zone, name="other", **{"details[0].key": "a", "details[0].value": "b"}))
        assert (answer["name"], answer["resourcedetails"]) == ("other", {"a": "b"})


class TestPods:
    @pytest.mark.parametrize(
        ("params", "text"),
        [
            ({"gateway": "10.5.0.1", "startip": "x"}, "The start IP is invalid"),
            (
                {"gateway": "10.5.0.1", "startip": "10.6.0.5"},
                "The start address of the IP range is not in the CIDR subnet.",
            ),
            ({"gateway": "10.5.0.7", "startip": "10.5.0.5"}, "The gateway shouldn't overlap start/end IP addresses"),
            (
                {"gateway": "10.1.1.1", "startip": "10.1.1.5"},
                "The subnet of the pod you are adding conflicts with the subnet of the Guest IP Network. "
                "Please specify a different CIDR.",
            ),
        ],
    )
    def test_its_addresses_are_checked(self, run: Run, params: dict[str, str], text: str) -> None:
        given = {"name": "p", "zoneid": zone_id(run), "netmask": "255.255.255.0", **params}
        assert refused(run, "createPod", **given) == (431, text)

    def test_ranges_for_system_vms_are_added_and_taken_away(self, run: Run) -> None:
        pod = only(run("listPods"))
        added = only(
            run(
                "createManagementNetworkIpRange",
                podid=pod["id"],
                gateway=pod["gateway"],
                netmask=pod["netmask"],
                startip="172.16.15.211",
                endip="172.16.15.219",
                forsystemvms=True,
            )
        )
        assert added["ipranges"][1] == {
            "startip": "172.16.15.211",
            "endip": "172.16.15.219",
            "forsystemvms": "1",
            "vlanid": "vlan://untagged",
        }
        given = {"podid": pod["id"], "startip": "172.16.15.211", "endip": "172.16.15.219", "vlan": "untagged"}
        run("deleteManagementNetworkIpRange", **given)
        assert len(only(run("listPods"))["ipranges"]) == 1
        code, text = refused(
            run,
            "deleteManagementNetworkIpRange",
            podid=pod["id"],
            startip="172.16.15.2",
            endip="172.16.15.200",
            vlan="untagged",
        )
        assert (code, text) == (530, "Some IPs of the range has been allocated, so it cannot be deleted.")


class TestHosts:
    def host(self, run: Run) -> dict[str, Any]:
        found: dict[str, Any] = rows(run("listHosts", type="Routing"))[0]
        return found

    def test_a_hypervisor_has_one_host_per_address(self) -> None:
        run = Simulator(hypervisor="kvm").run
        host = self.host(run)
        given = {"hypervisor": "KVM", "url": "http://172.16.15.11", "username": "root", "password": "x"}
        where = {name: host[name] for name in ("zoneid", "podid", "clusterid")}
        assert host["ipaddress"] == "172.16.15.11"
        assert refused(run, "addHost", **given, **where) == (
            530,
            "Unable to add the host: Cannot find the server resources at http://172.16.15.11",
        )

    def test_simulated_hosts_may_share_a_url_but_no_address(self, run: Run) -> None:
        host = self.host(run)
        where = {name: host[name] for name in ("zoneid", "podid", "clusterid")}
        given = {"hypervisor": "Simulator", "url": "http://sim/c1/h1", "username": "root", "password": "x"}
        added = only(run("addHost", **given, **where))
        assert added["ipaddress"] not in {
            row["ipaddress"] for row in rows(run("listHosts")) if row["id"] != added["id"]
        }

    def test_disabling_and_tagging(self, run: Run) -> None:
        identity = self.host(run)["id"]
        assert only(run("updateHost", id=identity, allocationstate="Disable"))["resourcestate"] == "Disabled"
        assert only(run("updateHost", id=identity, allocationstate="Enable"))["resourcestate"] == "Enabled"
        host = self.host(run)
        assert refused(run, "updateHost", id=identity, allocationstate="Sleep") == (
            530,
            f'Failed to update host: Host {{"id":{HOST_NUMBER},"name":"{host["name"]}","type":"Routing",'
            f'"uuid":"{identity}"}} with id {HOST_NUMBER}, Invalid allocation state: Sleep, only Enable/Disable are '
            "allowed",
        )
        assert only(run("updateHost", id=identity, hosttags="ssd,gpu"))["hosttags"] == "ssd,gpu"
        assert [row["name"] for row in rows(run("listHostTags"))] == ["ssd", "gpu"]
        assert "hosttags" not in only(run("updateHost", id=identity, hosttags=""))

    def test_maintenance_moves_what_runs_and_can_be_cancelled(self, simulator: Simulator, run: Run) -> None:
        identity = next(vm["hostid"] for vm in rows(run("listSystemVms")))
        assert only(run("prepareHostForMaintenance", id=identity))["resourcestate"] == "PrepareForMaintenance"
        assert refused(run, "prepareHostForMaintenance", id=identity)[0] == 530
        simulator.clock.advance(3)
        assert only(run("listHosts", id=identity))["resourcestate"] == "Maintenance"
        assert {vm["state"] for vm in rows(run("listSystemVms"))} == {"Running"}
        assert identity not in {vm["hostid"] for vm in rows(run("listSystemVms"))}
        assert only(run("cancelHostMaintenance", id=identity))["resourcestate"] == "Enabled"
        assert refused(run, "cancelHostMaintenance", id=identity)[0] == 530

    def test_it_is_deleted_in_maintenance_or_by_force(self, run: Run) -> None:
        identity = self.host(run)["id"]
        assert refused(run, "deleteHost", id=identity) == (
            530,
            f"Host with UUID [{identity}] is not in maintenance mode and no forced deletion was requested.",
        )
        run("deleteHost", id=identity, forced=True)
        assert run("listHosts", id=identity) == {}

    def test_filters(self, run: Run) -> None:
        host = self.host(run)
        assert run("listHosts", clusterid=host["clusterid"])["count"] == 2
        assert only(run("listHosts", name=host["name"]))["id"] == host["id"]
        assert run("listHosts", type="SecondaryStorageVM")["count"] == 1
        assert run("listHosts", resourcestate="Maintenance") == {}
        assert "cpuallocated" not in rows(run("listHosts", id=host["id"], details="min"))[0]

    def test_a_cluster_with_hosts_stays(self, run: Run) -> None:
        cluster = self.host(run)["clusterid"]
        assert refused(run, "deleteCluster", id=cluster)[1].endswith("cannot be removed. Cluster still has hosts")


class TestPrimaryStorage:
    def where(self, run: Run) -> dict[str, str]:
        cluster = rows(run("listClusters"))[0]
        return {"zoneid": cluster["zoneid"], "podid": cluster["podid"], "clusterid": cluster["id"]}

    def test_its_id_follows_from_its_place(self, run: Run) -> None:
        pool = only(
            run("createStoragePool", name="p", url="nfs://10.147.28.6:/export/home/sandbox/z1p1", **self.where(run))
        )
        assert pool["id"] == "ebef6bc4-b68d-382c-bacb-8ae3e79ac7e5"
        assert (pool["type"], pool["ipaddress"], pool["path"]) == (
            "NetworkFilesystem",
            "10.147.28.6",
            "/export/home/sandbox/z1p1",
        )

    @pytest.mark.parametrize(
        ("params", "expected"),
        [
            ({"scope": "planet"}, (530, "invalid scope for pool planet")),
            ({"url": "file:///mnt"}, (530, "Local storage is not enabled for zone: ZONE")),
            (
                {"scope": "zone"},
                (
                    530,
                    "Missing parameter hypervisor. Hypervisor type is required to create zone wide primary storage.",
                ),
            ),
            ({"capacitybytes": 0}, (530, "Failed to add data store: 'capacityBytes' must be greater than 0.")),
        ],
    )
    def test_what_cannot_be_is_refused(self, run: Run, params: dict[str, Any], expected: tuple[int, str]) -> None:
        given = {"name": "p", "url": "nfs://1.1.1.1/p", **self.where(run), **params}
        zone = f'Zone {{"id": "1", "name": "zone1", "uuid": "{given["zoneid"]}"}}'
        assert refused(run, "createStoragePool", **given) == (expected[0], expected[1].replace("ZONE", zone))

    def test_a_place_is_used_once(self, run: Run) -> None:
        run("createStoragePool", name="p", url="nfs://1.1.1.1/p", **self.where(run))
        code, text = refused(run, "createStoragePool", name="q", url="nfs://1.1.1.1/p", **self.where(run))
        assert (code, "already in use" in text) == (530, True)

    def test_zone_wide_storage(self, run: Run) -> None:
        pool = only(
            run(
                "createStoragePool",
                name="p",
                url="nfs://1.1.1.1/p",
                zoneid=zone_id(run),
                scope="zone",
                hypervisor="simulator",
            )
        )
        assert (pool["scope"], "clusterid" in pool) == ("ZONE", False)

    def test_maintenance_then_deletion(self, run: Run) -> None:
        pool = only(run("createStoragePool", name="p", url="nfs://1.1.1.1/p", tags="a,b", **self.where(run)))["id"]
        assert [row["name"] for row in rows(run("listStorageTags"))] == ["a", "b"]
        assert refused(run, "deleteStoragePool", id=pool)[0] == 431
        assert only(run("enableStorageMaintenance", id=pool))["state"] == "Maintenance"
        assert refused(run, "enableStorageMaintenance", id=pool)[0] == 431
        assert only(run("cancelStorageMaintenance", id=pool))["state"] == "Up"
        run("enableStorageMaintenance", id=pool)
        run("deleteStoragePool", id=pool)
        assert run("listStoragePools", id=pool) == {}

    def test_disabling(self, run: Run) -> None:
        pool = rows(run("listStoragePools"))[0]["id"]
        assert only(run("updateStoragePool", id=pool, enabled=False))["state"] == "Disabled"
        assert refused(run, "updateStoragePool", id=pool, enabled=False)[0] == 431
        assert only(run("updateStoragePool", id=pool, enabled=True))["state"] == "Up"

    def test_unknown_filters_are_refused(self, run: Run) -> None:
        assert refused(run, "listStoragePools", scope="invalid") == (431, "Invalid scope type: invalid")
        assert refused(run, "listStoragePools", status="invalid") == (431, "Invalid status: invalid")

    def test_local_storage_comes_with_its_host(self, run: Run) -> None:
        zone = only(run("createZone", name="local", networktype="Advanced", localstorageenabled=True, **DNS))["id"]
        given = {"gateway": "172.20.0.1", "netmask": "255.255.255.0", "startip": "172.20.0.2"}
        pod = only(run("createPod", name="p", zoneid=zone, **given))["id"]
        cluster = only(
            run(
                "addCluster",
                zoneid=zone,
                podid=pod,
                clustername="c",
                clustertype="CloudManaged",
                hypervisor="Simulator",
            )
        )["id"]
        host = only(
            run(
                "addHost",
                zoneid=zone,
                podid=pod,
                clusterid=cluster,
                hypervisor="Simulator",
                url="http://sim/h",
                username="a",
                password="b",
            )
        )
        pool = only(run("listStoragePools", hostid=host["id"]))
        assert (pool["scope"], pool["name"]) == ("HOST", f"{host['name']} Local Storage")


class TestSecondaryStorage:
    def test_providers_scopes_and_names(self, run: Run) -> None:
        zone = zone_id(run)
        store = only(run("addImageStore", provider="NFS", zoneid=zone, url="nfs://1.1.1.1/s"))
        assert (store["name"], store["scope"], store["readonly"]) == ("nfs://1.1.1.1/s", "ZONE", False)
        assert refused(run, "addImageStore", provider="S3", url="http://s3")[1].startswith("You can only add new image")
        assert refused(run, "addImageStore", provider="NFS", url="nfs://2.2.2.2/s")[1] == (
            "Image store provider NFS does not support scope REGION"
        )
        assert refused(run, "addImageStore", provider="NFS", zoneid=zone, url="nfs://1.1.1.1/s")[0] == 431
        assert only(run("updateImageStore", id=store["id"], readonly=True))["readonly"] is True
        run("deleteImageStore", id=store["id"])
        assert run("listImageStores")["count"] == 1


class TestPhysicalNetworks:
    @pytest.fixture
    def zone(self, run: Run) -> str:
        identity: str = only(run("createZone", name="z", networktype="Advanced", **DNS))["id"]
        return identity

    def test_a_new_one_has_its_providers(self, run: Run, zone: str) -> None:
        network = only(run("createPhysicalNetwork", name="p", zoneid=zone, isolationmethods="VLAN"))
        assert (network["state"], network["isolationmethods"]) == ("Disabled", "VLAN")
        providers = rows(run("listNetworkServiceProviders", physicalnetworkid=network["id"]))
        assert [(row["name"], row["state"]) for row in providers] == [
            ("ConfigDrive", "Enabled"),
            ("InternalLbVm", "Disabled"),
            ("BaremetalPxeProvider", "Disabled"),
            ("VpcVirtualRouter", "Disabled"),
            ("SecurityGroupProvider", "Disabled"),
            ("VirtualRouter", "Disabled"),
        ]

    def test_a_provider_is_enabled_once_its_element_is(self, run: Run, zone: str) -> None:
        network = only(run("createPhysicalNetwork", name="p", zoneid=zone))["id"]
        provider = only(run("listNetworkServiceProviders", physicalnetworkid=network, name="VirtualRouter"))["id"]
        assert refused(run, "updateNetworkServiceProvider", id=provider, state="Enabled") == (
            530,
            "Provider is not ready, cannot Enable the provider, please configure the provider first",
        )
        element = only(run("listVirtualRouterElements", nspid=provider))
        assert element["enabled"] is False
        assert only(run("configureVirtualRouterElement", id=element["id"], enabled=True))["enabled"] is True
        assert only(run("updateNetworkServiceProvider", id=provider, state="Enabled"))["state"] == "Enabled"

    def test_providers_are_added_and_deleted(self, run: Run, zone: str) -> None:
        network = only(run("createPhysicalNetwork", name="p", zoneid=zone))["id"]
        added = only(run("addNetworkServiceProvider", physicalnetworkid=network, name="NiciraNvp"))
        assert added["state"] == "Disabled"
        assert refused(run, "addNetworkServiceProvider", physicalnetworkid=network, name="NiciraNvp")[0] == 530
        assert refused(run, "addNetworkServiceProvider", physicalnetworkid=network, name="Nobody")[0] == 431
        run("deleteNetworkServiceProvider", id=added["id"])
        assert run("listNetworkServiceProviders", physicalnetworkid=network, name="NiciraNvp") == {}

    def test_one_traffic_type_per_zone(self, run: Run, zone: str) -> None:
        first, second = (
            only(run("createPhysicalNetwork", name=name, zoneid=zone, tags=name))["id"] for name in ("a", "b")
        )
        run("addTrafficType", physicalnetworkid=first, traffictype="Public", kvmnetworklabel="cloudbr0")
        assert only(run("listTrafficTypes", physicalnetworkid=first))["kvmnetworklabel"] == "cloudbr0"
        assert refused(run, "addTrafficType", physicalnetworkid=first, traffictype="Public")[0] == 530
        assert refused(run, "addTrafficType", physicalnetworkid=second, traffictype="Public")[0] == 530
        run("addTrafficType", physicalnetworkid=first, traffictype="Guest")
        run("addTrafficType", physicalnetworkid=second, traffictype="Guest")

    def test_an_enabled_zone_gets_no_more(self, run: Run) -> None:
        code, text = refused(run, "createPhysicalNetwork", name="p", zoneid=zone_id(run))
        assert (code, text) == (
            531,
            "Cannot create PhysicalNetwork since the Zone is currently enabled, zone: Zone "
            f'{{"id": "1", "name": "zone1", "uuid": "{zone_id(run)}"}}',
        )

    @pytest.mark.parametrize(
        ("vlan", "text"),
        [
            ("100", "Please provide valid vnet range."),
            ("5-4096", "Vnet range has to be between 0 and 4095"),
            ("9-5", "Vnet range has to be between 0 and 4095 and start range should be lesser than or equal to"),
        ],
    )
    def test_vlans_are_checked(self, run: Run, vlan: str, text: str) -> None:
        network = only(run("listPhysicalNetworks"))["id"]
        code, refusal = refused(run, "updatePhysicalNetwork", id=network, vlan=vlan)
        assert (code, refusal[: len(text)]) == (431, text)

    def test_vlans_are_merged_listed_and_dedicated(self, run: Run) -> None:
        network = only(run("listPhysicalNetworks"))["id"]
        assert (
            only(run("updatePhysicalNetwork", id=network, vlan="300-310,100-199,200-210"))["vlan"] == "100-210,300-310"
        )
        assert run("listGuestVlans", physicalnetworkid=network)["count"] == 122
        domain = rows(run("listDomains"))[0]["id"]
        given = {"physicalnetworkid": network, "account": "admin", "domainid": domain}
        dedicated = only(run("dedicateGuestVlanRange", vlanrange="300-304", **given))
        assert dedicated["guestvlanrange"] == "300-304"
        assert refused(run, "dedicateGuestVlanRange", vlanrange="304-305", **given)[0] == 431
        assert only(run("listGuestVlans", vnet="302"))["isdedicated"] is True
        assert only(run("listDedicatedGuestVlanRanges"))["id"] == dedicated["id"]
        run("releaseDedicatedGuestVlanRange", id=dedicated["id"])
        assert only(run("listGuestVlans", vnet="302"))["isdedicated"] is False


class TestAddressRanges:
    MORE = {"gateway": "10.9.0.1", "netmask": "255.255.255.0", "startip": "10.9.0.5", "endip": "10.9.0.9", "vlan": "60"}

    def test_a_range_is_created_and_deleted(self, run: Run) -> None:
        row = only(run("createVlanIpRange", zoneid=zone_id(run), **self.MORE))
        assert (row["vlan"], row["cidr"], row["forvirtualnetwork"]) == ("vlan://60", "10.9.0.0/24", True)
        assert only(run("listVlanIpRanges", vlan="vlan://60"))["id"] == row["id"]
        assert run("listVlanIpRanges", vlan="60") == {}
        run("deleteVlanIpRange", id=row["id"])
        assert run("listVlanIpRanges", vlan="vlan://60") == {}

    def test_whose_ranges_are_listed(self, run: Run) -> None:
        assert run("listVlanIpRanges", account="nobody")["count"] >= 1
        domain = only(run("listDomains"))["id"]
        lost = "Unable to find account nobody in specified domain"
        assert refused(run, "listVlanIpRanges", account="nobody", domainid=domain) == (431, lost)
        assert refused(run, "listVlanIpRanges", projectid=99) == (431, "Unable to find project by id 99")

    @pytest.mark.parametrize(
        ("changed", "text"),
        [
            ({"startip": "10.8.0.5"}, "Please specify a valid IP range or valid netmask or valid gateway"),
            ({"gateway": "10.9.0.7"}, "The gateway ip should not be the part of the ip range being added."),
            (
                {"gateway": "172.16.15.1", "startip": "172.16.15.9", "endip": "172.16.15.10"},
                "The Start IP and EndIP address range overlap with private IP :172.16.15.2:172.16.15.200",
            ),
            (
                {"vlan": "150"},
                "The VLAN tag vlan://150 is already being used for dynamic vlan allocation for the guest network in "
                "zone zone1",
            ),
            (
                {"gateway": "192.168.2.1", "startip": "192.168.2.252", "endip": "192.168.2.253"},
                "The IP range with tag: vlan://50 in zone zone1 has overlapped with the subnet. "
                "Please specify a different gateway/netmask.",
            ),
            (
                {"vlan": "50", "gateway": "192.168.2.1", "startip": "192.168.2.9", "endip": "192.168.2.10"},
                "The IP range already has IPs that overlap with the new range. "
                "Please specify a different start IP/end IP.",
            ),
        ],
    )
    def test_overlaps_are_refused(self, run: Run, changed: dict[str, str], text: str) -> None:
        assert refused(run, "createVlanIpRange", zoneid=zone_id(run), **{**self.MORE, **changed}) == (431, text)

    def test_a_range_may_be_extended(self, run: Run) -> None:
        given = {"vlan": "50", "gateway": "192.168.2.1", "netmask": "255.255.255.0", "startip": "192.168.2.251"}
        run("createVlanIpRange", zoneid=zone_id(run), **given)
        assert run("listVlanIpRanges")["count"] == 2

    def test_one_in_use_stays(self, run: Run) -> None:
        used = only(run("listVlanIpRanges"))["id"]
        assert refused(run, "deleteVlanIpRange", id=used)[0] == 431
        assert refused(run, "updateVlanIpRange", id=used, startip="192.168.2.100")[0] == 431
        assert only(run("updateVlanIpRange", id=used, endip="192.168.2.100"))["endip"] == "192.168.2.100"

    def test_dedication(self, run: Run) -> None:
        row = only(run("createVlanIpRange", zoneid=zone_id(run), **self.MORE))["id"]
        domain = rows(run("listDomains"))[0]["id"]
        assert only(run("dedicatePublicIpRange", id=row, account="admin", domainid=domain))["account"] == "admin"
        assert refused(run, "dedicatePublicIpRange", id=row, domainid=domain)[1] == (
            "Specified Public IP range has already been dedicated"
        )
        run("releasePublicIpRange", id=row)
        assert refused(run, "releasePublicIpRange", id=row)[0] == 431


class TestSystemVms:
    def test_a_destroyed_one_is_replaced(self, simulator: Simulator, run: Run) -> None:
        old = only(run("listSystemVms", systemvmtype="consoleproxy"))
        run("destroySystemVm", id=old["id"])
        assert run("listSystemVms", systemvmtype="consoleproxy") == {}
        simulator.clock.advance(5)
        new = only(run("listSystemVms", systemvmtype="consoleproxy"))
        assert (new["state"], new["name"] != old["name"]) == ("Running", True)

    def test_life_cycle(self, run: Run) -> None:
        vm = only(run("listSystemVms", systemvmtype="secondarystoragevm"))["id"]
        stopped = only(run("stopSystemVm", id=vm))
        assert (stopped["state"], stopped["agentstate"], "hostid" in stopped) == ("Stopped", "Disconnected", False)
        assert refused(run, "rebootSystemVm", id=vm)[0] == 530
        started = only(run("startSystemVm", id=vm))
        assert (started["state"], started["agentstate"]) == ("Running", "Up")
        assert only(run("rebootSystemVm", id=vm))["state"] == "Running"

    def test_migration(self, run: Run) -> None:
        vm = only(run("listSystemVms", systemvmtype="consoleproxy"))
        target = next(host["id"] for host in rows(run("listHosts", type="Routing")) if host["id"] != vm["hostid"])
        assert only(run("migrateSystemVm", virtualmachineid=vm["id"], hostid=target))["hostid"] == target
        assert refused(run, "migrateSystemVm", virtualmachineid=vm["id"], hostid=target)[0] == 431

    def test_a_zone_that_is_not_enabled_has_none(self) -> None:
        simulator = Simulator()
        simulator.run("updateZone", id=zone_id(simulator.run), allocationstate="Disabled")
        for vm in rows(simulator.run("listSystemVms")):
            simulator.run("destroySystemVm", id=vm["id"])
        simulator.clock.advance(60)
        assert simulator.run("listSystemVms") == {}


class TestSettings:
    def value(self, run: Run, name: str, **scope: str) -> str:
        listed = [row for row in rows(run("listConfigurations", name=name, **scope)) if row["name"] == name]
        value: str = only({"row": listed})["value"]
        return value

    def test_a_setting_is_changed_and_reset(self, run: Run) -> None:
        assert self.value(run, "expunge.delay") == "20"
        assert only(run("updateConfiguration", name="expunge.delay", value="60"))["value"] == "60"
        assert self.value(run, "expunge.delay") == "60"
        run("resetConfiguration", name="expunge.delay")
        assert self.value(run, "expunge.delay") == "20"

    @pytest.mark.parametrize(
        ("name", "value", "text"),
        [
            ("no.such.setting", "1", "Config parameter with name no.such.setting doesn't exist"),
            ("expunge.interval", "soon", "Value [soon] is not a valid [class java.lang.Integer]."),
            ("concurrent.snapshots.threshold.perhost", "x", "Value [x] is not a valid [class java.lang.Long]."),
            ("enable.dynamic.scale.vm", "perhaps", "Value [perhaps] is not a valid [class java.lang.Boolean]."),
            (
                "expunge.interval",
                "0",
                "Please enter a positive value for the configuration parameter: [expunge.interval].",
            ),
            ("commands.timeout", "Start: 1", "Validation failed: Command 'Start: 1' does not contain '='."),
        ],
    )
    def test_wrong_values_are_refused(self, run: Run, name: str, value: str, text: str) -> None:
        assert refused(run, "updateConfiguration", name=name, value=value) == (431, text)

    def test_a_value_of_one_zone_is_that_zone_s(self, run: Run) -> None:
        zone, name = zone_id(run), "guest.domain.suffix"
        answer = only(run("updateConfiguration", name=name, value="zone.example", zoneid=zone))
        assert (answer["scope"], answer["value"]) == ("zone", "cloud.internal")
        assert self.value(run, name, zoneid=zone) == "zone.example"
        assert self.value(run, name) == "cloud.internal"

    def test_settings_have_their_scopes_only(self, run: Run) -> None:
        domain = rows(run("listDomains"))[0]["id"]
        given = {"name": "vmsnapshot.expire.interval", "value": "9", "domainid": domain}
        assert refused(run, "updateConfiguration", **given)[1] == (
            "Invalid scope id provided for the parameter vmsnapshot.expire.interval"
        )
        run("updateConfiguration", name="enable.account.settings.for.domain", value="true")
        run("updateConfiguration", **given)
        account = next(row["id"] for row in rows(run("listAccounts", listall=True)) if row["domainid"] == domain)
        assert self.value(run, "vmsnapshot.expire.interval", accountid=account) == "-1"
        run("updateConfiguration", name="enable.domain.settings.for.child.domain", value="true")
        assert self.value(run, "vmsnapshot.expire.interval", accountid=account) == "9"

    def test_overcommit_of_a_cluster_shows_in_its_hosts(self, run: Run) -> None:
        cluster = rows(run("listClusters"))[0]["id"]
        run("updateConfiguration", name="cpu.overprovisioning.factor", value="2.0", clusterid=cluster)
        assert only(run("listClusters", id=cluster))["cpuovercommitratio"] == "2.0"
        assert {host["cpuwithoverprovisioning"] for host in rows(run("listHosts", clusterid=cluster))} == {"64000"}

    def test_groups(self, run: Run) -> None:
        (group,) = rows(run("listConfigurationGroups", group="Access"))
        assert {"name": "LDAP", "precedence": 4} in group["subgroup"]
        names = {row["group"] for row in rows(run("listConfigurations", group="Access"))}
        assert names == {"Access"}


class TestLists:
    """What lists of the infrastructure are asked for, beside what resources have of that name."""

    def test_filters_that_the_server_takes_no_notice_of(self, run: Run) -> None:
        assert run("listClusters", managedstate="Unmanaged") == run("listClusters")
        assert run("listHosts", hahost=True) == run("listHosts")

    def test_hosts_by_power_are_those_whose_power_is_managed(self, run: Run) -> None:
        assert run("listHosts", outofbandmanagementenabled=False) == {}

    def test_a_keyword_may_be_a_version(self, run: Run) -> None:
        assert run("listHosts", keyword="4.23.0") == run("listHosts")

    def test_physical_networks_by_a_part_of_their_names(self, run: Run) -> None:
        name = rows(run("listPhysicalNetworks"))[0]["name"]
        assert rows(run("listPhysicalNetworks", name=name[1:-1]))[0]["name"] == name

    def test_what_is_not_there(self, run: Run) -> None:
        lost = "Physical Network with specified id doesn't exist in the system"
        assert refused(run, "listTrafficTypes", physicalnetworkid=99) == (431, lost)
        assert run("listHypervisors", zoneid=99) == {}
        assert refused(run, "removeRawUsageRecords", interval=0)[1] == "Interval should be greater than 0."
        code, text = refused(run, "listCapacity", podid=99)
        assert (code, text.startswith('Cannot invoke "com.cloud.dc.HostPodVO.getDataCenterId()"')) == (530, True)


class TestCapacity:
    def amount(self, run: Run, kind: int, **params: Any) -> tuple[int, int]:
        row = only(run("listCapacity", type=kind, **params))
        return row["capacityused"], row["capacitytotal"]

    def test_it_counts_what_is_there(self, run: Run) -> None:
        assert self.amount(run, 0) == (1536 * 1024**2, 4 * 8 * 1024**3)
        assert self.amount(run, 1) == (1000, 4 * 32000)
        assert self.amount(run, 4) == (2, 249)
        assert self.amount(run, 5)[0] == 6
        assert self.amount(run, 7) == (0, 101)

    def test_a_host_less_is_less_capacity(self, run: Run) -> None:
        used = {vm["hostid"] for vm in rows(run("listSystemVms"))}
        idle = next(host["id"] for host in rows(run("listHosts", type="Routing")) if host["id"] not in used)
        run("deleteHost", id=idle, forced=True)
        assert self.amount(run, 1) == (1000, 3 * 32000)

    def test_by_pod_and_cluster(self, run: Run) -> None:
        cluster = rows(run("listClusters"))[0]
        assert self.amount(run, 1, clusterid=cluster["id"])[1] == 2 * 32000
        (row,) = rows(run("listCapacity", type=5, podid=cluster["podid"]))
        assert row["podname"] == "pod1"

    def test_zones_show_theirs_when_asked(self, run: Run) -> None:
        assert {row["name"] for row in only(run("listZones", showcapacities=True))["capacity"]} >= {
            "CPU",
            "MEMORY",
            "VLAN",
        }

    def test_metrics(self, run: Run) -> None:
        zone = only(run("listZonesMetrics"))
        assert (zone["state"], zone["clusters"], zone["cputotal"], zone["cpuallocated"], zone["memoryallocated"]) == (
            "Enabled",
            "2 / 2",
            "128.00 Ghz",
            "0.78%",
            "4.69%",
        )
        assert run("listHostsMetrics")["count"] == 4
        assert {row["hosts"] for row in rows(run("listClustersMetrics"))} == {"2 / 2"}
        assert {row["disksizetotalgb"] for row in rows(run("listStoragePoolsMetrics"))} == {"1024.00 GB (x2.0)"}


class TestCapabilities:
    def test_they_follow_settings_and_state(self, run: Run) -> None:
        assert only(run("listCapabilities"))["dynamicscalingenabled"] is False
        run("updateConfiguration", name="enable.dynamic.scale.vm", value="true")
        shown = only(run("listCapabilities"))
        assert (shown["dynamicscalingenabled"], shown["cloudstackversion"]) == (True, "4.23.0.0-SNAPSHOT")
        with_groups = Simulator(networking="advanced-sg")
        assert only(with_groups.run("listCapabilities"))["securitygroupsenabled"] is True

    def test_hypervisors_of_a_zone(self, run: Run) -> None:
        assert (
            rows(run("listHypervisors", zoneid=zone_id(run))) == [{"name": "Simulator"}] * run("listClusters")["count"]
        )
        assert {"name": "KVM"} in rows(run("listHypervisors"))

    def test_network_services_by_provider(self, run: Run) -> None:
        names = {row["name"] for row in rows(run("listSupportedNetworkServices", provider="ConfigDrive"))}
        assert names == {"Dhcp", "Dns", "UserData"}
        assert refused(run, "listSupportedNetworkServices", service="Nothing")[0] == 431

    def test_infrastructure_is_counted(self, run: Run) -> None:
        shown = only(run("listInfrastructure"))
        assert (shown["zones"], shown["hosts"], shown["systemvms"]) == (1, 4, 2)

    def test_alerts(self, run: Run) -> None:
        run("generateAlert", type=28, name="ALERT.UPLOAD.FAILED", description="full")
        run("generateAlert", type=28, name="ALERT.UPLOAD.FAILED", description="told once")
        alert = only(run("listAlerts"))
        assert (alert["description"], alert["type"]) == ("full", 28)
        assert refused(run, "generateAlert", type=1, name="mine", description="x") == (
            431,
            "There is a default alert having type 1 and name ALERT.CPU",
        )
        run("archiveAlerts", ids=alert["id"])
        assert run("listAlerts") == {}
