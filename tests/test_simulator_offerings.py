"""Service, disk, network and VPC offerings of the simulator, asked over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from cs_matrix_pytest.simulator import Simulator
from cs_matrix_pytest.simulator.call import Caller
from cs_matrix_pytest.simulator.errors import ApiError
from cs_matrix_pytest.simulator.models.iam import User
from cs_matrix_pytest.simulator.models.offerings import ServiceOffering

ROUTER_SERVICES = "Dhcp,Dns,SourceNat,PortForwarding,Lb,UserData,StaticNat"


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def ask(simulator: Simulator) -> Iterator[Callable[..., dict[str, Any]]]:
    with requests.Session() as session:

        def ask(command: str, **params: Any) -> dict[str, Any]:
            response = session.get(
                f"http://127.0.0.1:{simulator.integration_port}/",
                params={"command": command, "response": "json", **params},
                timeout=5,
            )
            (body,) = response.json().values()
            if "jobid" in body:
                body = simulator.run("queryAsyncJobResult", jobid=body["jobid"])["jobresult"]
            return body  # type: ignore[no-any-return]

        yield ask


def refusal(body: dict[str, Any]) -> tuple[int, int, str]:
    return body["errorcode"], body["cserrorcode"], body["errortext"]


def domain_with_admin(simulator: Simulator, name: str) -> tuple[str, Caller]:
    domain = simulator.run("createDomain", name=name)["domain"]["id"]
    simulator.run(
        "createAccount",
        username=f"{name}-admin",
        password="password",
        firstname="A",
        lastname="B",
        email="a@example.org",
        domainid=domain,
        accounttype=2,
    )
    user = simulator.cloud.store.table(User).first(username=f"{name}-admin")
    assert user is not None
    return domain, Caller(user)


def network_offering(**changes: Any) -> dict[str, Any]:
    params: dict[str, Any] = {
        "name": "isolated",
        "displaytext": "isolated",
        "guestiptype": "Isolated",
        "traffictype": "GUEST",
        "availability": "Optional",
        "supportedservices": ROUTER_SERVICES,
    } | changes
    provider = params.pop("provider", "VirtualRouter")
    for index, service in enumerate(params["supportedservices"].split(",")):
        params[f"serviceproviderlist[{index}].service"] = service
        params[f"serviceproviderlist[{index}].provider"] = provider
    return params


class TestServiceOfferings:
    def test_a_fresh_install_has_the_defaults(self) -> None:
        simulator = Simulator(ready=False)
        names = [row["name"] for row in simulator.run("listServiceOfferings")["serviceoffering"]]
        assert names == ["Small Instance", "Medium Instance"]
        system = simulator.run("listServiceOfferings", issystem=True, systemvmtype="domainrouter")["serviceoffering"]
        assert [(row["name"], row["storagetype"], row["memory"]) for row in system] == [
            ("System Offering For Software Router", "shared", 256),
            ("System Offering For Software Router - Local Storage", "local", 256),
        ]

    def test_life(self, ask: Callable[..., dict[str, Any]]) -> None:
        made = ask(
            "createServiceOffering",
            name="tiny",
            cpunumber=1,
            cpuspeed=100,
            memory=128,
            tags="ssd, fast",
            hosttags="gpu",
        )["serviceoffering"]
        assert made["displaytext"] == "tiny"
        assert (made["storagetags"], made["hosttags"]) == ("ssd,fast", "gpu")
        assert (made["iscustomized"], made["rootdisksize"], made["provisioningtype"]) == (False, 0, "thin")
        assert made["diskofferingname"] == "tiny"
        assert "tiny" not in [row["name"] for row in ask("listDiskOfferings")["diskoffering"]]

        changed = ask("updateServiceOffering", id=made["id"], name="small", hosttags="")["serviceoffering"]
        assert changed["name"] == "small"
        assert "hosttags" not in changed

        assert ask("deleteServiceOffering", id=made["id"]) == {"success": True}
        assert ask("listServiceOfferings", id=made["id"]) == {}
        assert ask("listServiceOfferings", id=made["id"], state="Inactive")["count"] == 1

    @pytest.mark.parametrize(
        ("params", "text"),
        [
            ({"cpunumber": 0, "cpuspeed": 1, "memory": 64}, "the cpu number value between 1 and 2147483647"),
            ({"cpunumber": 1, "memory": 64}, "the cpu speed value between 0 and 2147483647"),
            ({"cpunumber": 1, "cpuspeed": 1, "memory": 31}, "the memory value between 32 and 2147483647 MB"),
        ],
    )
    def test_sizes_have_bounds(self, ask: Callable[..., dict[str, Any]], params: dict[str, Any], text: str) -> None:
        expected = f"Failed to create service offering odd: specify {text}"
        assert refusal(ask("createServiceOffering", name="odd", **params)) == (431, 4350, expected)

    def test_customised_ones_keep_their_ranges(self, ask: Callable[..., dict[str, Any]]) -> None:
        made = ask(
            "createServiceOffering",
            name="ranged",
            cpuspeed=500,
            mincpunumber=1,
            maxcpunumber=4,
            minmemory=64,
            maxmemory=1024,
        )["serviceoffering"]
        assert made["iscustomized"] is True
        assert made["serviceofferingdetails"]["maxmemory"] == "1024"
        assert ask("listServiceOfferings", name="ranged", cpunumber=4)["count"] == 1
        assert ask("listServiceOfferings", name="ranged", cpunumber=5) == {}
        half = ask("createServiceOffering", name="half", cpuspeed=500, mincpunumber=1)
        assert "should all be null or all specified" in half["errortext"]

    @pytest.mark.parametrize(
        ("params", "text"),
        [
            ({"storagetype": "tape"}, "Invalid storage type tape specified, valid types are: 'local' and 'shared'"),
            ({"storagetype": "local", "offerha": "true"}, "HA offering with local storage is not supported. "),
            (
                {"deploymentplanner": "Best"},
                "Invalid name for Deployment Planner specified, please use listDeploymentPlanners to get the valid set",
            ),
            ({"rootdisksize": 0}, "The Root disk size is of 0 GB but it must be greater than 0."),
            (
                {"issystem": "true", "systemvmtype": "toaster"},
                "Invalid systemVmType. Supported types are: DomainRouter, ConsoleProxy, SecondaryStorageVm",
            ),
            ({"customizediops": "false", "miniops": 0}, "The min IOPS must be greater than 0."),
        ],
    )
    def test_bad_values(self, ask: Callable[..., dict[str, Any]], params: dict[str, Any], text: str) -> None:
        body = ask("createServiceOffering", name="odd", cpunumber=1, cpuspeed=1, memory=64, **params)
        assert refusal(body) == (431, 4350, text)

    def test_a_system_offering_in_use_by_default_stays(
        self, simulator: Simulator, ask: Callable[..., dict[str, Any]]
    ) -> None:
        router = simulator.cloud.store.table(ServiceOffering).first(system_vm_type="domainrouter")
        assert router is not None
        assert "is marked for default use" in ask("deleteServiceOffering", id=router.id)["errortext"]

    def test_domains_see_their_own(self, simulator: Simulator) -> None:
        mine, admin = domain_with_admin(simulator, "offer-a")
        other, stranger = domain_with_admin(simulator, "offer-b")
        run = simulator.cloud.run
        made = run("createServiceOffering", name="theirs", cpunumber=1, cpuspeed=1, memory=64, domainid=f"{mine}")[
            "serviceoffering"
        ]
        assert (made["domainid"], made["domain"]) == (mine, "offer-a")
        assert made["serviceofferingdetails"]["domainid"].isdigit()
        assert run("listServiceOfferings", admin, name="theirs")["count"] == 1
        assert run("listServiceOfferings", stranger, name="theirs") == {}
        assert run("listServiceOfferings", domainid=other) == {}
        with pytest.raises(ApiError, match="does not fall in the same domain hierarchy"):
            run("listServiceOfferings", stranger, domainid=mine)
        with pytest.raises(ApiError, match="Unable to create public service offering by admin"):
            run("createServiceOffering", admin, name="x", cpunumber=1, cpuspeed=1, memory=64)
        with pytest.raises(ApiError, match="Unable to create service offering by another domain-admin"):
            run("createServiceOffering", admin, name="x", cpunumber=1, cpuspeed=1, memory=64, domainid=other)
        with pytest.raises(ApiError, match="which are not child domain"):
            run("deleteServiceOffering", stranger, id=made["id"])
        public = run("updateServiceOffering", id=made["id"], domainid="public")["serviceoffering"]
        assert "domainid" not in public

    def test_only_root_admins_see_system_offerings(self, simulator: Simulator) -> None:
        _, admin = domain_with_admin(simulator, "offer-c")
        with pytest.raises(ApiError, match="Only ROOT admins can access system offerings"):
            simulator.cloud.run("listServiceOfferings", admin, issystem=True)


class TestDiskOfferings:
    def test_a_fresh_install_has_the_defaults(self) -> None:
        rows = Simulator(ready=False).run("listDiskOfferings")["diskoffering"]
        assert [(row["name"], row["disksize"], row["iscustomized"]) for row in rows] == [
            ("Small", 5, False),
            ("Medium", 20, False),
            ("Large", 100, False),
            ("Custom", 0, True),
        ]

    def test_life(self, ask: Callable[..., dict[str, Any]]) -> None:
        made = ask(
            "createDiskOffering",
            name="disk",
            disksize=1,
            customizediops="false",
            cachemode="WRITEBACK",
            bytesreadrate=10,
            bytesreadratemax=20,
        )["diskoffering"]
        assert (made["cacheMode"], made["miniops"], made["maxiops"]) == ("writeback", 0, 0)
        assert (made["diskBytesReadRate"], made["diskBytesReadRateMax"]) == (10, 20)
        assert ask("updateDiskOffering", id=made["id"], displaytext="more")["diskoffering"]["displaytext"] == "more"
        assert ask("listDiskOfferings", keyword="mor")["count"] == 1
        assert ask("deleteDiskOffering", id=made["id"]) == {"success": True}
        assert ask("listDiskOfferings", id=made["id"]) == {}

    @pytest.mark.parametrize(
        ("params", "text"),
        [
            ({}, "Disksize is required for a non-customized disk offering"),
            ({"customized": "true", "disksize": 1}, "Disksize is not allowed for a customized disk offering"),
            ({"disksize": 0}, "Please specify a disk size of at least 1 GB."),
            (
                {"disksize": 1, "cachemode": "odd"},
                "Invalid cache mode (odd). Please specify one of the following valid cache mode parameters: "
                "none, writeback, writethrough or hypervisor_default.",
            ),
            (
                {"disksize": 1, "bytesreadrate": 2, "bytesreadratemax": 1},
                "Bytes Read rate (2) cannot be greater than Bytes Read maximum rate (1)",
            ),
        ],
    )
    def test_bad_values(self, ask: Callable[..., dict[str, Any]], params: dict[str, Any], text: str) -> None:
        assert refusal(ask("createDiskOffering", name="odd", **params)) == (431, 4350, text)

    def test_parents_stand_for_their_sub_domains(self, simulator: Simulator) -> None:
        parent = simulator.run("createDomain", name="parent")["domain"]["id"]
        child = simulator.run("createDomain", name="child", parentdomainid=parent)["domain"]["id"]
        made = simulator.run("createDiskOffering", name="d", disksize=1, domainid=f"{child},{parent}")["diskoffering"]
        assert (made["domainid"], made["domain"]) == (parent, "/parent/")


class TestNetworkOfferings:
    def test_a_fresh_install_has_the_defaults(self) -> None:
        simulator = Simulator(ready=False)
        rows = simulator.run("listNetworkOfferings")
        assert rows["count"] == 24
        by_name = {row["name"]: row for row in rows["networkoffering"]}
        standard = by_name["DefaultIsolatedNetworkOfferingWithSourceNatService"]
        assert (standard["availability"], standard["state"], standard["networkrate"]) == ("Required", "Enabled", 200)
        nat = next(service for service in standard["service"] if service["name"] == "SourceNat")
        assert {"name": "RedundantRouter", "value": "false", "canchooseservicecapability": False} in nat["capability"]

    def test_life(self, ask: Callable[..., dict[str, Any]]) -> None:
        made = ask("createNetworkOffering", **network_offering(name="mine", tags="red"))["networkoffering"]
        assert (made["state"], made["egressdefaultpolicy"], made["conservemode"]) == ("Disabled", True, True)
        services = {service["name"] for service in made["service"]}
        assert services == {*ROUTER_SERVICES.split(","), "Firewall"}
        assert ask("updateNetworkOffering", id=made["id"], state="enabled")["networkoffering"]["state"] == "Enabled"
        assert ask("listNetworkOfferings", istagged="true", state="Enabled")["count"] == 1
        assert ask("listNetworkOfferings", name="mine", supportedservices="SourceNat,Lb")["count"] == 1
        assert ask("listNetworkOfferings", name="mine", supportedservices="Vpn") == {}
        assert ask("listNetworkOfferings", name="mine", forvpc="true") == {}
        assert ask("deleteNetworkOffering", id=made["id"]) == {"success": True}
        assert ask("listNetworkOfferings", name="mine") == {}

    def test_a_zone_offers_what_its_providers_do(self, simulator: Simulator) -> None:
        zone = simulator.run("listZones")["zone"][0]["id"]
        names = {row["name"] for row in simulator.run("listNetworkOfferings", zoneid=zone)["networkoffering"]}
        assert "DefaultIsolatedNetworkOfferingWithSourceNatService" in names
        assert "DefaultNATNSXNetworkOffering" not in names

    @pytest.mark.parametrize(
        ("changes", "text"),
        [
            ({"traffictype": "Public"}, "Only traffic type Guest is supported in the current release"),
            ({"guestiptype": "Round"}, 'Invalid "type" parameter is given; can have Shared and Isolated values'),
            ({"supportedservices": "Coffee"}, "Invalid service Coffee"),
            ({"guestiptype": "Shared"}, "SpecifyIpRanges should always be true for Shared network offerings"),
            (
                {"supportedservices": "SecurityGroup"},
                "Security group service is supported for network offerings with guest ip type Shared",
            ),
            (
                {"internetprotocol": "DualStack"},
                "Configuration ipv6.offering.enabled needs to be enabled for creating IPv6 supported network offering",
            ),
            ({"provider": "Toaster"}, "Invalid service provider: Toaster"),
            (
                {"supportedservices": "Dhcp,Dns", "provider": "VpcVirtualRouter"},
                "Only network offerings of type Isolated with service SourceNat are valid for vpc ",
            ),
            (
                {"availability": "Required", "supportedservices": "Dhcp"},
                "Availability can be Required only for networkOfferings of type Isolated and with SourceNat enabled",
            ),
            (
                {
                    "servicecapabilitylist[0].service": "SourceNat",
                    "servicecapabilitylist[0].capabilitytype": "SupportedSourceNatTypes",
                    "servicecapabilitylist[0].capabilityvalue": "perhaps",
                },
                "Either peraccount or perzone source NAT type can be specified for SupportedSourceNatTypes",
            ),
        ],
    )
    def test_bad_values(self, ask: Callable[..., dict[str, Any]], changes: dict[str, Any], text: str) -> None:
        body = ask("createNetworkOffering", **network_offering(name="odd", **changes))
        assert refusal(body) == (431, 4350, text)

    def test_defaults_stay(self, ask: Callable[..., dict[str, Any]]) -> None:
        standard = ask("listNetworkOfferings", name="DefaultIsolatedNetworkOffering")["networkoffering"][0]
        assert ask("deleteNetworkOffering", id=standard["id"])["errortext"] == (
            "Default network offering can't be deleted"
        )

    def test_redundancy_is_a_capability(self, ask: Callable[..., dict[str, Any]]) -> None:
        made = ask(
            "createNetworkOffering",
            **network_offering(name="twice"),
            **{
                "servicecapabilitylist[0].service": "SourceNat",
                "servicecapabilitylist[0].capabilitytype": "RedundantRouter",
                "servicecapabilitylist[0].capabilityvalue": "true",
            },
        )["networkoffering"]
        nat = next(service for service in made["service"] if service["name"] == "SourceNat")
        assert {row["name"]: row["value"] for row in nat["capability"]}["RedundantRouter"] == "true"


class TestVpcOfferings:
    def test_life(self, ask: Callable[..., dict[str, Any]]) -> None:
        made = ask("createVPCOffering", name="vpc-mine", supportedservices="Dhcp,Dns")["vpcoffering"]
        assert {service["name"] for service in made["service"]} == {"Dhcp", "Dns", "SourceNat", "NetworkACL"}
        assert made["state"] == "Disabled"
        assert ask("updateVPCOffering", id=made["id"], state="Enabled")["vpcoffering"]["state"] == "Enabled"
        assert ask("listVPCOfferings", name="vpc-m")["count"] == 1
        assert ask("deleteVPCOffering", id=made["id"]) == {"success": True}
        assert ask("listVPCOfferings", name="vpc-m") == {}

    def test_the_create_step_refuses_at_once(self, ask: Callable[..., dict[str, Any]]) -> None:
        body = ask("createVPCOffering", name="odd", supportedservices="SecurityGroup")
        assert refusal(body) == (431, 4350, "Service SecurityGroup is not supported in VPC")

    def test_defaults_stay(self, ask: Callable[..., dict[str, Any]]) -> None:
        standard = ask("listVPCOfferings", isdefault="true")["vpcoffering"][0]
        assert ask("deleteVPCOffering", id=standard["id"])["errorcode"] == 431
