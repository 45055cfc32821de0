"""Behaviour of a real server that upstream's suites hang on, across the simulator's families."""

from __future__ import annotations

from typing import Any

import pytest

from cs_matrix_pytest.simulator import Simulator
from cs_matrix_pytest.simulator.call import Caller
from cs_matrix_pytest.simulator.errors import ApiError
from cs_matrix_pytest.simulator.models.iam import User

ISOLATED = "DefaultIsolatedNetworkOfferingWithSourceNatService"
USER, ADMIN, DOMAIN_ADMIN = 0, 1, 2


class Lab:
    """A ready zone, the admin, and accounts made as they are needed."""

    def __init__(self, hypervisor: str = "simulator") -> None:
        self.cloud = Simulator(hypervisor=hypervisor).cloud
        self.admin = Caller(self.cloud.admin_user)
        self.zone: str = self("listZones")["zone"][0]["id"]
        self.template: str = self("listTemplates", templatefilter="featured")["template"][0]["id"]
        self.hosts: list[dict[str, Any]] = self("listHosts", type="Routing")["host"]

    def __call__(self, command: str, caller: Caller | None = None, /, **params: Any) -> dict[str, Any]:
        return self.cloud.run(command, caller or self.admin, **params)

    def refused(self, command: str, caller: Caller | None = None, /, **params: Any) -> tuple[int, str]:
        with pytest.raises(ApiError) as refusal:
            self(command, caller, **params)
        return refusal.value.code, refusal.value.text

    def user(self, name: str, accounttype: int = USER, **params: Any) -> tuple[Caller, dict[str, str]]:
        """A new account's user, and the parameters that name the account."""
        names = {"username": name, "password": "p", "firstname": "a", "lastname": "b", "email": "a@example.org"}
        made = self("createAccount", accounttype=accounttype, **names, **params)["account"]
        user = self.cloud.store.table(User).get(made["user"][0]["id"])
        assert user is not None
        return Caller(user), {"account": name, "domainid": made["domainid"]}

    def network(self, **params: Any) -> str:
        offering = self("listNetworkOfferings", name=ISOLATED)["networkoffering"][0]["id"]
        made = self("createNetwork", name="n", zoneid=self.zone, networkofferingid=offering, **params)["network"]
        return str(made["id"])

    def size(self, name: str = "size", **params: Any) -> str:
        given = {"name": name, "displaytext": name, "cpunumber": 1, "cpuspeed": 100, "memory": 64, **params}
        return str(self("createServiceOffering", **given)["serviceoffering"]["id"])

    def deploy(self, caller: Caller | None = None, /, **params: Any) -> dict[str, Any]:
        given = {"zoneid": self.zone, "templateid": self.template, **params}
        vm: dict[str, Any] = self("deployVirtualMachine", caller, **given)["virtualmachine"]
        return vm

    def set(self, name: str, value: str, **scope: Any) -> None:
        self("updateConfiguration", name=name, value=value, **scope)


@pytest.fixture
def lab() -> Lab:
    return Lab()


class TestAccess:
    def test_the_owner_of_a_network_is_asked_before_the_network(self, lab: Lab) -> None:
        _, whose = lab.user("owner")
        stranger, _ = lab.user("stranger")
        network = lab.network(**whose)
        for command in ("deleteNetwork", "restartNetwork"):
            assert lab.refused(command, stranger, id=network) == (
                531,
                "Caller does not have permission to operate with provided resource.",
            )

    def test_admins_too_deploy_into_their_own_networks_only(self, lab: Lab) -> None:
        _, whose = lab.user("owner")
        network, size = lab.network(**whose), lab.size()
        wanted = {"zoneid": lab.zone, "templateid": lab.template, "serviceofferingid": size, "networkids": network}
        assert lab.refused("deployVirtualMachine", **wanted) == (
            531,
            f"Unable to use network with id= {network}, permission denied",
        )
        lab.set("admin.is.allowed.to.deploy.anywhere", "true")
        assert lab.deploy(serviceofferingid=size, networkids=network)["state"] == "Running"

    def test_a_nic_is_added_if_the_vms_owner_may_use_the_network(self, lab: Lab) -> None:
        _, whose = lab.user("owner")
        vm = lab.deploy(serviceofferingid=lab.size(), networkids=lab.network(**whose), **whose)
        more = lab.network(**whose)
        changed = lab("addNicToVirtualMachine", virtualmachineid=vm["id"], networkid=more)["virtualmachine"]
        assert more in [nic["networkid"] for nic in changed["nic"]]

    def test_the_console_is_for_the_vms_owner(self, lab: Lab) -> None:
        vm = lab.deploy(serviceofferingid=lab.size())
        stranger, _ = lab.user("stranger")
        answer = lab("createConsoleEndpoint", stranger, virtualmachineid=vm["id"])["consoleendpoint"]
        assert answer == {"success": False, "details": "Permission denied"}

    def test_a_removed_affinity_group_is_not_known_any_more(self, lab: Lab) -> None:
        group = lab("createAffinityGroup", name="g", type="host anti-affinity")["affinitygroup"]["id"]
        lab("deleteAffinityGroup", id=group)
        assert lab.refused("listAffinityGroups", id=group)[0] == 431

    def test_the_tags_of_a_project_are_found_by_its_id(self, lab: Lab) -> None:
        project = lab("createProject", name="p", displaytext="p")["project"]["id"]
        lab("createTags", resourcetype="Project", resourceids=project, **{"tags[0].key": "k", "tags[0].value": "v"})
        (tag,) = lab("listTags", resourcetype="project", resourceid=project, listall=True)["tag"]
        assert (tag["key"], tag["projectid"], tag["resourcetype"]) == ("k", project, "Project")


class TestAddresses:
    RANGE = {"gateway": "10.50.0.1", "netmask": "255.255.255.0", "startip": "10.50.0.10", "endip": "10.50.0.12"}

    def free(self, lab: Lab, caller: Caller | None = None, **params: Any) -> list[str]:
        asked = {"state": "Free", "forvirtualnetwork": True, "listall": True, **params}
        rows = lab("listPublicIpAddresses", caller, **asked).get("publicipaddress", [])
        return [row["ipaddress"] for row in rows]

    def test_free_addresses_are_those_that_the_named_account_could_get(self, lab: Lab) -> None:
        _, whose = lab.user("owner")
        kept = lab("createVlanIpRange", zoneid=lab.zone, forvirtualnetwork=True, vlan=77, **self.RANGE, **whose)
        addresses = ["10.50.0.10", "10.50.0.11", "10.50.0.12"]
        assert self.free(lab, vlanid=kept["vlan"]["id"], **whose) == addresses
        assert not set(addresses) & set(self.free(lab))
        lab.set("use.system.public.ips", "false")
        assert self.free(lab, **whose) == addresses

    def test_a_field_without_a_value_is_left_out(self, lab: Lab) -> None:
        user, _ = lab.user("owner")
        asked = {"forvirtualnetwork": True, "allocatedonly": False, "listall": True}
        row = lab("listPublicIpAddresses", user, **asked)["publicipaddress"][0]
        assert None not in row.values()

    def test_only_ranges_of_their_own_are_held_against_the_pods(self, lab: Lab) -> None:
        pod = lab("listPods")["pod"][0]
        inside = {"gateway": pod["gateway"], "netmask": pod["netmask"], "startip": pod["startip"][0]}
        inside["endip"] = inside["startip"]
        code, text = lab.refused("createVlanIpRange", zoneid=lab.zone, forvirtualnetwork=True, vlan=77, **inside)
        assert (code, text.partition(":")[0]) == (431, "The Start IP and EndIP address range overlap with private IP ")
        offering = lab(
            "createNetworkOffering",
            name="shared",
            displaytext="shared",
            guestiptype="Shared",
            traffictype="GUEST",
            specifyvlan=True,
            specifyipranges=True,
            supportedservices="Dhcp",
            **{"serviceproviderlist[0].service": "Dhcp", "serviceproviderlist[0].provider": "VirtualRouter"},
        )["networkoffering"]["id"]
        lab("updateNetworkOffering", id=offering, state="Enabled")
        wanted = {"name": "s", "zoneid": lab.zone, "networkofferingid": offering, "vlan": 78, **inside}
        assert lab("createNetwork", **wanted)["network"]["type"] == "Shared"


class TestSettings:
    def value(self, lab: Lab, name: str, **scope: Any) -> str:
        return str(lab("listConfigurations", name=name, **scope)["configuration"][0]["value"])

    def test_names_are_found_in_any_case_and_shares_are_fractions(self, lab: Lab) -> None:
        lab.set("Allow.DiskOffering.Change.During.Scale.VM", "true")
        lab.set("drs.imbalance", "1.0")
        assert self.value(lab, "drs.imbalance") == "1.0"
        assert lab.refused("updateConfiguration", name="drs.imbalance", value="2.0")[0] == 431

    def test_a_setting_tells_which_one_it_depends_on(self, lab: Lab) -> None:
        row = lab("listConfigurations", name="api.throttling.cachesize")["configuration"][0]
        assert row["parent"] == "api.throttling.enabled"

    def test_domains_take_over_from_domains_above_only_if_told_so(self, lab: Lab) -> None:
        root = lab("listDomains")["domain"][0]["id"]
        child = lab("createDomain", name="d")["domain"]["id"]
        lab.set("enable.account.settings.for.domain", "true")
        lab.set("vmsnapshot.expire.interval", "19", domainid=root)
        assert self.value(lab, "vmsnapshot.expire.interval", domainid=child) == "-1"
        lab.set("enable.domain.settings.for.child.domain", "true")
        assert self.value(lab, "vmsnapshot.expire.interval", domainid=child) == "19"


class TestHosts:
    def test_a_host_shows_its_last_annotation(self, lab: Lab) -> None:
        host = lab.hosts[0]["id"]
        for text in ("first", "last"):
            lab("addAnnotation", entitytype="HOST", entityid=host, annotation=text)
        shown = lab("listHosts", id=host)["host"][0]
        assert (shown["annotation"], shown["username"], shown["hasannotations"]) == ("last", "admin", True)

    def test_an_unknown_hypervisor_filters_nothing(self, lab: Lab) -> None:
        everything = lab("listHosts")["count"]
        assert lab("listHosts", hypervisor="simulator")["count"] == len(lab.hosts) < everything
        assert lab("listHosts", hypervisor="no such thing")["count"] == everything

    def test_every_zone_has_its_system_vms_once_it_is_enabled(self, lab: Lab) -> None:
        assert {row["systemvmtype"] for row in lab("listSystemVms")["systemvm"]} == {
            "consoleproxy",
            "secondarystoragevm",
        }

    def test_capacity_by_a_tag_is_that_of_the_hosts_with_it(self, lab: Lab) -> None:
        lab("updateHost", id=lab.hosts[0]["id"], hosttags="fast")
        rows = lab("listCapacity", tag="fast")["capacity"]
        assert {row["name"] for row in rows} == {"MEMORY", "CPU", "CPU_CORE"}
        assert {row["tag"] for row in rows} == {"fast"}
        assert lab("listCapacity", tag="unheard of") == {}

    def test_hosts_that_do_not_suit_are_shown_for_migration_as_such(self, lab: Lab) -> None:
        host = lab.hosts[0]
        lab("updateHost", id=host["id"], hosttags="fast")
        vm = lab.deploy(serviceofferingid=lab.size(hosttags="fast"))
        assert vm["hostid"] == host["id"]
        shown = lab("findHostsForMigration", virtualmachineid=vm["id"])["host"]
        same_cluster = {each["id"] for each in lab.hosts if each["clusterid"] == host["clusterid"]} - {host["id"]}
        assert {each["id"] for each in shown} == same_cluster
        assert not any(each["suitableformigration"] for each in shown)


class TestStrictTags:
    """Tags of limits are strict as well, and the last host needs only the strict ones."""

    def start(self, lab: Lab, tags: str) -> tuple[str, int, str]:
        lab("updateHost", id=lab.hosts[0]["id"], hosttags="a")
        vm = lab.deploy(serviceofferingid=lab.size("a", hosttags="a"))
        lab("stopVirtualMachine", id=vm["id"])
        lab("scaleVirtualMachine", id=vm["id"], serviceofferingid=lab.size("b", hosttags="b"))
        lab.set("resource.limit.host.tags", tags)
        try:
            started = lab("startVirtualMachine", id=vm["id"])["virtualmachine"]
        except ApiError as error:
            return vm["instancename"], error.code, error.text
        return vm["instancename"], 200, started["hostid"]

    def test_the_last_host_takes_a_vm_back(self, lab: Lab) -> None:
        assert self.start(lab, "a")[1:] == (200, lab.hosts[0]["id"])

    def test_but_not_without_a_strict_tag(self, lab: Lab) -> None:
        name, code, text = self.start(lab, "a,b")
        assert code == 530
        assert text.startswith(f'Unable to orchestrate the start of VM instance {{"instanceName":"{name}"')

    def test_nor_does_a_host_that_is_named(self, lab: Lab) -> None:
        lab.set("resource.limit.host.tags", "b")
        wanted = {"zoneid": lab.zone, "templateid": lab.template, "serviceofferingid": lab.size(hosttags="b")}
        host = lab.hosts[0]
        assert lab.refused("deployVirtualMachine", hostid=host["id"], **wanted) == (
            431,
            f"Cannot deploy VM, destination host: {host['name']} is not compatible for the VM",
        )


class TestVms:
    def test_an_expunged_vm_is_answered_without_its_fields(self, lab: Lab) -> None:
        vm = lab.deploy(serviceofferingid=lab.size())
        gone = lab("destroyVirtualMachine", id=vm["id"], expunge=True)["virtualmachine"]
        assert gone == {"securitygroup": [], "nic": [], "affinitygroup": [], "deleteprotection": False, "tags": []}

    def test_scaling_changes_the_disk_offering_only_if_told_so(self, lab: Lab) -> None:
        vm = lab.deploy(serviceofferingid=lab.size("a"))

        def disk() -> str:
            return str(lab("listVolumes", virtualmachineid=vm["id"])["volume"][0].get("serviceofferingid"))

        before = disk()
        lab("stopVirtualMachine", id=vm["id"])
        lab("scaleVirtualMachine", id=vm["id"], serviceofferingid=lab.size("b"))
        assert disk() == before
        lab.set("allow.diskoffering.change.during.scale.vm", "true")
        lab("scaleVirtualMachine", id=vm["id"], serviceofferingid=lab.size("c"))
        assert disk() != before

    def test_no_domain_has_no_disk_offerings(self, lab: Lab) -> None:
        assert lab("listDiskOfferings")["count"] > 0
        assert lab("listDiskOfferings", domainid=-1) == {}


def test_generators_of_clients_find_a_text_everywhere(lab: Lab) -> None:
    (api,) = lab("listApis", name="listVirtualMachines")["api"]
    assert api["description"] == "List virtual machines"
    assert all(each["description"] for each in [*api["params"], *api["response"]])
