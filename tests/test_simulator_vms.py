"""Virtual machines of the embedded simulator: deploying, their states, changes, lists, expunging."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import requests

from cs_matrix_pytest.environments.model import Fault
from cs_matrix_pytest.simulator.call import Caller
from cs_matrix_pytest.simulator.errors import ApiError
from cs_matrix_pytest.simulator.families import capacity
from cs_matrix_pytest.simulator.models.infra import Host
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.simulator import Simulator
from simulator_in_process import CloudUser


class Client(CloudUser):
    """Runs commands as one user, with the ready zone's things at hand."""

    def __init__(self, simulator: Simulator, caller: Caller | None = None) -> None:
        super().__init__(simulator, caller)
        self.zone = self("listZones")["zone"][0]["id"]
        self.template = self("listTemplates", templatefilter="featured")["template"][0]["id"]
        self.offerings = {row["name"]: row["id"] for row in self("listServiceOfferings")["serviceoffering"]}
        self.disks = {row["name"]: row["id"] for row in self("listDiskOfferings")["diskoffering"]}

    def deploy(self, **params: Any) -> dict[str, Any]:
        given = {
            "zoneid": self.zone,
            "templateid": self.template,
            "serviceofferingid": self.offerings["Small Instance"],
        }
        vm: dict[str, Any] = self("deployVirtualMachine", **{**given, **params})["virtualmachine"]
        return vm

    def vm(self, id: str) -> dict[str, Any]:
        row: dict[str, Any] = self("listVirtualMachines", id=id, listall=True)["virtualmachine"][0]
        return row


@pytest.fixture
def client() -> Client:
    return Client(Simulator())


@pytest.fixture(scope="module")
def untouched() -> Client:
    """A client of a cloud that no test changes."""
    return Client(Simulator())


def test_a_vm_is_deployed_over_http_with_its_disk_and_its_network() -> None:
    with Simulator() as simulator:
        client = Client(simulator)
        url = f"http://127.0.0.1:{simulator.integration_port}/client/api"
        params = {
            "command": "deployVirtualMachine",
            "response": "json",
            "zoneid": client.zone,
            "templateid": client.template,
            "serviceofferingid": client.offerings["Small Instance"],
            "account": "admin",
            "domainid": client("listDomains")["domain"][0]["id"],
            "name": "web-1",
        }
        started = requests.get(url, params=params, timeout=5).json()["deployvirtualmachineresponse"]
        query = {"command": "queryAsyncJobResult", "response": "json", "jobid": started["jobid"]}
        job = requests.get(url, params=query, timeout=5).json()["queryasyncjobresultresponse"]
    vm = job["jobresult"]["virtualmachine"]
    assert job["jobstatus"] == 1
    assert vm["id"] == started["id"]
    assert (vm["state"], vm["name"], vm["displayname"]) == ("Running", "web-1", "web-1")
    assert vm["nic"][0]["isdefault"]
    assert vm["nic"][0]["broadcasturi"].startswith("vlan://")
    assert vm["ipaddress"] == vm["nic"][0]["ipaddress"]
    assert (vm["cpunumber"], vm["cpuspeed"], vm["memory"]) == (1, 500, 512)
    assert vm["details"] == {}


def test_a_vm_without_a_name_is_called_after_its_id(client: Client) -> None:
    vm = client.deploy()
    assert vm["name"] == f"VM-{vm['id']}"
    assert vm["instancename"] == "i-2-1-VM"


def test_it_stops_starts_and_reboots(client: Client) -> None:
    id = client.deploy()["id"]
    stopped = client("stopVirtualMachine", id=id)["virtualmachine"]
    assert stopped["state"] == "Stopped"
    assert "hostid" not in stopped
    assert "broadcasturi" not in stopped["nic"][0]
    assert stopped["details"] == {"Message.ReservedCapacityFreed.Flag": "false"}
    assert client.fails("rebootVirtualMachine", id=id)[0] == 431
    running = client("startVirtualMachine", id=id)["virtualmachine"]
    assert running["state"] == "Running"
    assert client.fails("startVirtualMachine", id=id) == (
        431,
        f"The virtual machine {id} ({running['displayname']}) is already running",
    )
    assert client("rebootVirtualMachine", id=id)["virtualmachine"]["state"] == "Running"


def test_startvm_false_leaves_it_allocated(client: Client) -> None:
    vm = client.deploy(startvm=False)
    assert vm["state"] == "Stopped"
    assert vm["details"] == {"deployvm": "true"}
    assert client("listVolumes", virtualmachineid=vm["id"])["volume"][0]["state"] == "Allocated"
    assert client("startVirtualMachine", id=vm["id"])["virtualmachine"]["details"] == {}


def test_destroyed_vms_can_be_recovered_until_they_are_expunged(client: Client) -> None:
    id = client.deploy()["id"]
    assert client.fails("expungeVirtualMachine", id=id) == (530, "Please destroy vm with specified vmId before expunge")
    assert client("destroyVirtualMachine", id=id)["virtualmachine"]["state"] == "Destroyed"
    assert client("recoverVirtualMachine", id=id)["virtualmachine"]["state"] == "Stopped"
    client("destroyVirtualMachine", id=id)
    assert client("expungeVirtualMachine", id=id) == {"success": True}
    assert client("listVirtualMachines") == {}
    assert client("listVolumes") == {}
    assert client.fails("destroyVirtualMachine", id=id) == (431, "unable to find a virtual machine with id 1")


def test_the_expunge_thread_takes_destroyed_vms_after_their_delay(client: Client) -> None:
    id, other = client.deploy()["id"], client.deploy()["id"]
    delay, interval = (client.cloud.configuration.number(f"expunge.{name}") for name in ("delay", "interval"))
    client("destroyVirtualMachine", id=id)
    client.cloud.clock.advance(delay - 5)
    assert client.vm(id)["state"] == "Destroyed"
    client.cloud.clock.advance(interval + 10)
    assert [row["id"] for row in client("listVirtualMachines")["virtualmachine"]] == [other]


def test_a_recovered_vm_is_not_expunged(client: Client) -> None:
    id = client.deploy()["id"]
    client("destroyVirtualMachine", id=id)
    client("recoverVirtualMachine", id=id)
    client.cloud.clock.advance(3 * 86400)
    assert client.vm(id)["state"] == "Stopped"


def test_users_may_not_expunge_and_do_not_see_destroyed_vms(client: Client) -> None:
    user = client.user("jane")
    id = user.deploy()["id"]
    assert (
        user.fails("destroyVirtualMachine", id=id, expunge=True)[1] == "Account does not have permission for expunging."
    )
    shown = user.vm(id)
    assert "hostid" not in shown
    assert "instancename" not in shown
    assert "readonlydetails" in shown
    user("destroyVirtualMachine", id=id)
    assert user("listVirtualMachines") == {}
    assert client.vm(id)["state"] == "Destroyed"


def test_others_may_not_touch_a_vm(client: Client) -> None:
    id = client.user("jane").deploy()["id"]
    code, text = client.user("joe").fails("stopVirtualMachine", id=id)
    assert (code, text) == (531, "Caller does not have permission to operate with provided resource.")


def test_delete_protection(client: Client) -> None:
    vm = client.deploy()
    client("updateVirtualMachine", id=vm["id"], deleteprotection=True)
    code, text = client.fails("destroyVirtualMachine", id=vm["id"])
    assert code == 431
    assert text == (
        f"Instance [id = {vm['id']}, name = {vm['instancename']}] has delete protection enabled and cannot be deleted."
    )


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"name": "1st"}, "Unable to execute API command deployvirtualmachine due to invalid value."),
        ({"rootdisksize": 1}, "Unsupported: rootdisksize override (1 GB) is smaller than template size"),
        ({"details[0].cpuNumber": 2}, "cpuNumber or cpuSpeed or memory should not be specified for static"),
        ({"keypair": "none"}, "Not all specified keypairs exist"),
        ({"userdata": "?"}, "User data is not base64 encoded."),
        ({"affinitygroupnames": "none"}, "Unable to find affinity group by name none"),
        ({"macaddress": "zz"}, "Mac address is not valid: zz"),
        ({"ipaddress": "10.1.1"}, "Invalid specified IPv4 address 10.1.1"),
        ({"hypervisor": "KVM"}, "Hypervisor passed to the deployVm call, is different"),
    ],
)
def test_what_cannot_be_deployed_is_refused_at_once(untouched: Client, params: dict[str, Any], text: str) -> None:
    given = {
        "zoneid": untouched.zone,
        "templateid": untouched.template,
        "serviceofferingid": untouched.offerings["Small Instance"],
    }
    code, said = untouched.fails("deployVirtualMachine", **{**given, **params})
    assert code == 431
    assert said.startswith(text)
    assert untouched("listVirtualMachines") == {}


def test_host_names_are_unique_in_a_network(client: Client) -> None:
    client.deploy(name="web")
    code, text = client.fails(
        "deployVirtualMachine",
        zoneid=client.zone,
        templateid=client.template,
        serviceofferingid=client.offerings["Small Instance"],
        name="web",
    )
    assert code == 431
    assert text.startswith("The vm with hostName web already exists in the network domain:")


def test_a_vm_that_fits_nowhere_ends_in_error(client: Client) -> None:
    big = client("createServiceOffering", name="big", displaytext="big", cpunumber=4, cpuspeed=100, memory=65536)
    with pytest.raises(ApiError) as caught:
        client.deploy(serviceofferingid=big["serviceoffering"]["id"])
    assert caught.value.code == 533
    assert caught.value.text.startswith("No destination found for a deployment for VM instance ")
    (row,) = client("listVirtualMachines", state="Error")["virtualmachine"]
    assert row["details"] == {"deployvm": "true"}
    assert client("listVolumes")["volume"][0]["state"] == "Destroy"


def test_an_injected_fault_leaves_the_vm_in_error() -> None:
    client = Client(Simulator(faults={"deployVirtualMachine": Fault(fail=True, error=(530, "no luck"))}))
    with pytest.raises(ApiError, match="no luck"):
        client.deploy()
    assert client("listVirtualMachines")["virtualmachine"][0]["state"] == "Error"


def test_hosts_fill_up_until_nothing_fits(client: Client) -> None:
    half = client("createServiceOffering", name="half", displaytext="half", cpunumber=1, cpuspeed=100, memory=4000)
    hosts = len(client.cloud.store.table(Host).where(type="Routing"))
    offering = half["serviceoffering"]["id"]
    deployed: list[dict[str, Any]] = []
    refusal = None
    while refusal is None:
        try:
            deployed.append(client.deploy(serviceofferingid=offering))
        except ApiError as error:
            refusal = error
    assert refusal.code == 533
    assert hosts <= len(deployed) <= 2 * hosts
    assert len({vm["hostid"] for vm in deployed}) == hosts
    client("destroyVirtualMachine", id=deployed[0]["id"], expunge=True)
    assert client.deploy(serviceofferingid=offering)["hostid"] == deployed[0]["hostid"]


def test_a_custom_offering_takes_its_numbers_from_the_details(client: Client) -> None:
    created = client("createServiceOffering", name="own", displaytext="own", customized=True)["serviceoffering"]["id"]
    numbers = {"details[0].cpuNumber": 2, "details[0].cpuSpeed": 250, "details[0].memory": 256}
    vm = client.deploy(serviceofferingid=created, **numbers)
    assert (vm["cpunumber"], vm["cpuspeed"], vm["memory"]) == (2, 250, 256)
    assert vm["details"] == {"cpuNumber": "2", "cpuSpeed": "250", "memory": "256"}
    with pytest.raises(ApiError, match="Need to specify custom parameter values cpu, cpu speed and memory"):
        client.deploy(serviceofferingid=created)


def test_data_disks_come_with_the_vm(client: Client) -> None:
    vm = client.deploy(diskofferingid=client.disks["Custom"], size=3)
    rows = client("listVolumes", virtualmachineid=vm["id"], type="DATADISK")["volume"]
    assert [(row["size"], row["deviceid"], row["state"]) for row in rows] == [(3 * 1024**3, 1, "Ready")]
    two = {
        "datadisksdetails[0].diskofferingid": client.disks["Small"],
        "datadisksdetails[0].deviceid": 4,
        "datadisksdetails[1].diskofferingid": client.disks["Custom"],
        "datadisksdetails[1].size": 2,
        "datadisksdetails[1].deviceid": 1,
    }
    other = client.deploy(**two)
    rows = client("listVolumes", virtualmachineid=other["id"], type="DATADISK")["volume"]
    assert {(row["deviceid"], row["size"] // 1024**3) for row in rows} == {(4, 5), (1, 2)}


def test_limits_are_checked_before_anything_is_made(client: Client) -> None:
    user = client.user("jane")
    account = user.caller.account
    client("updateResourceLimit", resourcetype=0, account="jane", domainid=account.domain.id, max=1)
    user.deploy()
    code, text = user.fails(
        "deployVirtualMachine",
        zoneid=user.zone,
        templateid=user.template,
        serviceofferingid=user.offerings["Small Instance"],
    )
    assert code == 535
    assert text.startswith("Maximum amount of resources of Type = 'user_vm'")
    assert user("listVirtualMachines")["count"] == 1


def test_host_anti_affinity_spreads_and_then_refuses(client: Client) -> None:
    client("createAffinityGroup", name="apart", type="host anti-affinity")
    hosts = len(client.cloud.store.table(Host).where(type="Routing"))
    vms = [client.deploy(affinitygroupnames="apart") for _ in range(hosts)]
    assert len({vm["hostid"] for vm in vms}) == hosts
    with pytest.raises(ApiError, match="Please check the affinity groups provided") as caught:
        client.deploy(affinitygroupnames="apart")
    assert caught.value.code == 533
    group = client("listAffinityGroups")["affinitygroup"][0]
    assert set(group["virtualmachineIds"]) >= {vm["id"] for vm in vms}
    assert client.fails("updateVMAffinityGroup", id=vms[0]["id"], affinitygroupids=group["id"])[0] == 431


def test_host_affinity_keeps_together(client: Client) -> None:
    client("createAffinityGroup", name="together", type="host affinity")
    assert len({client.deploy(affinitygroupnames="together")["hostid"] for _ in range(3)}) == 1


def test_host_tags_bind_an_offering_to_hosts(client: Client) -> None:
    (host, *_) = client("listHosts", type="Routing")["host"]
    client("updateHost", id=host["id"], hosttags="fast")
    tagged = client(
        "createServiceOffering", name="t", displaytext="t", cpunumber=1, cpuspeed=100, memory=128, hosttags="fast"
    )
    assert client.deploy(serviceofferingid=tagged["serviceoffering"]["id"])["hostid"] == host["id"]


def test_a_named_host_must_have_room(client: Client) -> None:
    host = client("listHosts", type="Routing")["host"][-1]
    assert client.deploy(hostid=host["id"])["hostid"] == host["id"]
    big = client("createServiceOffering", name="big", displaytext="big", cpunumber=1, cpuspeed=100, memory=65536)
    with pytest.raises(ApiError, match="host does not have enough free CPU or RAM") as caught:
        client.deploy(serviceofferingid=big["serviceoffering"]["id"], hostid=host["id"])
    assert caught.value.code == 431


def test_migration_moves_a_running_vm(client: Client) -> None:
    vm = client.deploy()
    found = client("findHostsForMigration", virtualmachineid=vm["id"])["host"]
    assert vm["hostid"] not in [host["id"] for host in found]
    target = next(host for host in found if not host["requiresStorageMotion"])
    moved = client("migrateVirtualMachine", virtualmachineid=vm["id"], hostid=target["id"])["virtualmachine"]
    assert (moved["state"], moved["hostid"]) == ("Running", target["id"])
    assert client.fails("migrateVirtualMachine", virtualmachineid=vm["id"], hostid=target["id"])[1].startswith(
        "Cannot migrate VM, VM is already present on this host"
    )
    client("stopVirtualMachine", id=vm["id"])
    assert client.fails("migrateVirtualMachine", virtualmachineid=vm["id"], hostid=vm["hostid"])[0] == 431


def test_migration_with_volumes_goes_to_another_cluster() -> None:
    client = Client(Simulator(hypervisor="kvm"))
    vm = client.deploy()
    found = client("findHostsForMigration", virtualmachineid=vm["id"])["host"]
    far = next(host for host in found if host["requiresStorageMotion"])
    before = client("listVolumes", virtualmachineid=vm["id"])["volume"][0]["storageid"]
    moved = client("migrateVirtualMachineWithVolume", virtualmachineid=vm["id"], hostid=far["id"])["virtualmachine"]
    assert moved["hostid"] == far["id"]
    assert client("listVolumes", virtualmachineid=vm["id"])["volume"][0]["storageid"] != before


def test_evacuating_a_host_moves_what_runs_on_it(client: Client) -> None:
    vm = client.deploy()
    host = client.cloud.store.table(Host).get(vm["hostid"])
    assert host is not None
    assert capacity.evacuate(client.cloud, host)
    assert client.vm(vm["id"])["hostid"] != vm["hostid"]


def test_a_stopped_vm_changes_its_offering(client: Client) -> None:
    vm = client.deploy()
    medium = client.offerings["Medium Instance"]
    assert client.fails("changeServiceForVirtualMachine", id=vm["id"], serviceofferingid=medium)[0] == 431
    client("stopVirtualMachine", id=vm["id"])
    scaled = client("scaleVirtualMachine", id=vm["id"], serviceofferingid=medium)["virtualmachine"]
    assert (scaled["serviceofferingname"], scaled["memory"]) == ("Medium Instance", 1024)
    code, text = client.fails("scaleVirtualMachine", id=vm["id"], serviceofferingid=medium)
    assert code == 431
    assert "since it already has the requested service offering" in text


def test_a_running_vm_scales_up_only_where_everything_allows_it(client: Client) -> None:
    vm, medium = client.deploy(), client.offerings["Medium Instance"]
    client("updateConfiguration", name="enable.dynamic.scale.vm", value="true")
    assert client.fails("scaleVirtualMachine", id=vm["id"], serviceofferingid=medium)[1].endswith(
        "as it does not have tools to support dynamic scaling."
    )
    row = client.cloud.store.table(UserVm).get(vm["id"])
    assert row is not None
    row.dynamically_scalable = True
    assert client("scaleVirtualMachine", id=vm["id"], serviceofferingid=medium)["virtualmachine"]["memory"] == 1024
    small = client.offerings["Small Instance"]
    assert client.fails("scaleVirtualMachine", id=vm["id"], serviceofferingid=small)[1].startswith(
        "Scaling down is not"
    )


def test_restoring_makes_a_new_root_disk(client: Client) -> None:
    vm = client.deploy()
    before = client("listVolumes", virtualmachineid=vm["id"])["volume"][0]["id"]
    assert client("restoreVirtualMachine", virtualmachineid=vm["id"])["virtualmachine"]["state"] == "Running"
    after = client("listVolumes", virtualmachineid=vm["id"])["volume"][0]
    assert after["id"] != before
    assert after["state"] == "Ready"
    old = client("listVolumes", id=before)["volume"][0]
    assert old["state"] == "Destroy"
    assert "virtualmachineid" not in old


def test_updating_a_vm(client: Client) -> None:
    vm = client.deploy()
    updated = client(
        "updateVirtualMachine", id=vm["id"], displayname="shown", name="new-name", group="team", **{"details[0].a": "1"}
    )["virtualmachine"]
    assert (updated["displayname"], updated["name"], updated["group"]) == ("shown", "new-name", "team")
    assert updated["details"] == {"a": "1"}
    assert client("updateVirtualMachine", id=vm["id"], cleanupdetails=True)["virtualmachine"]["details"] == {}
    # Whatever is wrong, it is one kind of error.
    code, text = client.fails("updateVirtualMachine", id=vm["id"], haenable=True)
    assert code == 530
    assert text.startswith("Failed to update Instance, due to: Can't enable ha for the vm")
    assert client("updateVirtualMachine", id=vm["id"], name="newer")["virtualmachine"]["displayname"] == "newer"
    assert client("listInstanceGroups")["instancegroup"][0]["name"] == "team"


def test_users_may_not_set_restricted_details(client: Client) -> None:
    user = client.user("jane")
    vm = user.deploy()
    for name in ("rootdisksize", "guest.cpu.mode", "rootDiskController"):
        code, text = user.fails("updateVirtualMachine", id=vm["id"], **{f"details[0].{name}": "9"})
        # Why, only administrators are told.
        assert (code, text) == (530, "Internal error executing command, please contact your system administrator")
    kept = user("updateVirtualMachine", id=vm["id"], **{"details[0].a": "1"})["virtualmachine"]["details"]
    assert kept == {"a": "1"}


def test_instance_groups(client: Client) -> None:
    group = client("createInstanceGroup", name="a")["instancegroup"]
    assert client.fails("createInstanceGroup", name="a")[0] == 431
    vm = client.deploy(group="a")
    assert client("listVirtualMachines", groupid=group["id"])["virtualmachine"][0]["id"] == vm["id"]
    assert client("updateInstanceGroup", id=group["id"], name="b")["instancegroup"]["name"] == "b"
    assert client("deleteInstanceGroup", id=group["id"]) == {"success": True}
    assert "group" not in client.vm(vm["id"])


def test_user_data_is_kept(client: Client) -> None:
    text = base64.b64encode(b"#cloud-config").decode()
    vm = client.deploy(userdata=text)
    shown = client("getVirtualMachineUserData", virtualmachineid=vm["id"])["virtualmachineuserdata"]
    assert shown == {"virtualmachineid": vm["id"], "userdata": text}


def test_ssh_keys_are_reset_on_stopped_vms(client: Client) -> None:
    client("createSSHKeyPair", name="key")
    vm = client.deploy()
    assert client.fails("resetSSHKeyForVirtualMachine", id=vm["id"], keypair="key")[0] == 431
    client("stopVirtualMachine", id=vm["id"])
    reset = client("resetSSHKeyForVirtualMachine", id=vm["id"], keypair="key")["virtualmachine"]
    assert reset["keypairs"] == "key"
    assert set(reset["details"]) >= {"SSH.PublicKey", "SSH.KeyPairNames"}
    assert client("listVirtualMachines", keypair="key")["count"] == 1


def test_nics_come_and_go(client: Client) -> None:
    vm = client.deploy()
    offering = next(
        row["id"]
        for row in client("listNetworkOfferings")["networkoffering"]
        if row["name"] == "DefaultIsolatedNetworkOfferingWithSourceNatService"
    )
    network = client(
        "createNetwork", name="second", displaytext="second", zoneid=client.zone, networkofferingid=offering
    )["network"]
    added = client("addNicToVirtualMachine", virtualmachineid=vm["id"], networkid=network["id"])["virtualmachine"]
    first, second = added["nic"]
    assert (first["isdefault"], second["isdefault"], second["deviceid"]) == (True, False, "1")
    assert client.fails("removeNicFromVirtualMachine", virtualmachineid=vm["id"], nicid=first["id"])[0] == 431
    client("updateDefaultNicForVirtualMachine", virtualmachineid=vm["id"], nicid=second["id"])
    left = client("removeNicFromVirtualMachine", virtualmachineid=vm["id"], nicid=first["id"])["virtualmachine"]
    assert [nic["id"] for nic in left["nic"]] == [second["id"]]
    assert client.fails("updateVmNicIp", nicid=second["id"])[0] == 431
    client("stopVirtualMachine", id=vm["id"])
    moved = client("updateVmNicIp", nicid=second["id"], ipaddress="10.1.1.77")["virtualmachine"]
    assert moved["nic"][0]["ipaddress"] == "10.1.1.77"


def test_a_requested_address_is_given_once(client: Client) -> None:
    assert client.deploy(ipaddress="10.1.1.50")["ipaddress"] == "10.1.1.50"
    with pytest.raises(ApiError) as caught:
        client.deploy(ipaddress="10.1.1.50")
    # What the server does not expect there has no code of its own.
    assert (caught.value.code, caught.value.cs_code) == (530, 0)
    assert caught.value.text.startswith("Unable to acquire Guest IP address for network Network {")


def test_lists_filter(client: Client) -> None:
    one, two = client.deploy(name="one", displayname="First"), client.deploy(name="two")
    client("stopVirtualMachine", id=two["id"])

    def ids(**params: Any) -> list[str]:
        return [row["id"] for row in client("listVirtualMachines", **params).get("virtualmachine", [])]

    assert ids(state="Running") == [one["id"]]
    assert ids(state="present") == [one["id"], two["id"]]
    assert ids(name="two") == [two["id"]]
    assert ids(keyword="irs") == [one["id"]]
    assert ids(hostid=one["hostid"]) == [one["id"]]
    assert ids(ids=f"{one['id']},{two['id']}") == [one["id"], two["id"]]
    assert ids(networkid=one["nic"][0]["networkid"]) == [one["id"], two["id"]]
    assert ids(hypervisor="kvm") == []
    assert client.fails("listVirtualMachines", id=one["id"], ids=two["id"])[0] == 431
    assert client.fails("listVirtualMachines", hypervisor="none-such")[0] == 431
    client("createTags", resourceids=two["id"], resourcetype="UserVm", **{"tags[0].key": "k", "tags[0].value": "v"})
    assert ids(**{"tags[0].key": "k", "tags[0].value": "v"}) == [two["id"]]


def test_lists_show_the_parts_that_are_asked_for(client: Client) -> None:
    vm = client.deploy()
    assert "cpuused" not in client.vm(vm["id"])
    client.cloud.clock.advance(61)
    assert client.vm(vm["id"])["cpuused"] == "10%"
    few = client("listVirtualMachines", id=vm["id"], details="nics")["virtualmachine"][0]
    assert "nic" in few
    assert not {"templateid", "cpunumber", "cpuused"} & set(few)
    code, text = client.fails("listVirtualMachines", details="everything")
    assert code == 431
    assert text.startswith("The details parameter contains a non permitted value.")
    assert client("listVirtualMachinesMetrics", id=vm["id"])["virtualmachine"][0]["cputotal"] == "0.50 GHz"


def test_a_vm_moves_to_another_account(client: Client) -> None:
    user = client.user("jane")
    vm = user.deploy()
    other = client.user("joe").caller.account
    target = {"virtualmachineid": vm["id"], "account": "joe", "domainid": other.domain.id}
    assert client.fails("assignVirtualMachine", **target) == (431, "Failed to move Instance due to [1].")
    client("stopVirtualMachine", id=vm["id"])
    moved = client("assignVirtualMachine", **target)["virtualmachine"]
    assert moved["account"] == "joe"
    assert moved["nic"][0]["networkid"] != vm["nic"][0]["networkid"]
    assert client("listVolumes", virtualmachineid=vm["id"], listall=True)["volume"][0]["account"] == "joe"
    assert user("listVirtualMachines") == {}


def test_deleting_an_account_takes_its_vms_along(client: Client) -> None:
    user = client.user("jane")
    user.deploy(diskofferingid=user.disks["Small"])
    client("deleteAccount", id=user.caller.account.id)
    assert client("listVirtualMachines", listall=True) == {}
    assert client("listVolumes", listall=True) == {}


def test_vm_snapshots(client: Client) -> None:
    vm = client.deploy()
    first = client("createVMSnapshot", virtualmachineid=vm["id"], snapshotmemory=True, name="a")["vmsnapshot"]
    second = client("createVMSnapshot", virtualmachineid=vm["id"], name="b")["vmsnapshot"]
    assert (first["state"], first["type"], second["type"]) == ("Ready", "DiskAndMemory", "Disk")
    assert second["parent"] == first["id"]
    rows = {row["displayname"]: row["current"] for row in client("listVMSnapshot")["vmSnapshot"]}
    assert rows == {"b": True, "a": False}
    text = "Creating Instance Snapshot failed because Instance Snapshot with namea  already exists"
    refused = client.fails("createVMSnapshot", virtualmachineid=vm["id"], name="a")
    assert refused == (530, f"Failed to create Instance Snapshot: {text}")
    assert client.fails("revertToVMSnapshot", vmsnapshotid=second["id"])[1].startswith(
        "Reverting to the Instance Snapshot"
    )
    assert client("revertToVMSnapshot", vmsnapshotid=first["id"])["virtualmachine"]["id"] == vm["id"]
    assert client.fails("restoreVirtualMachine", virtualmachineid=vm["id"])[0] == 431
    for snapshot in (second, first):
        assert client("deleteVMSnapshot", vmsnapshotid=snapshot["id"]) == {"success": True}
    assert client("listVMSnapshot") == {}


@pytest.mark.parametrize("networking", ["basic", "advanced-sg"])
def test_zones_with_security_groups_give_vms_the_default_one(networking: str) -> None:
    client = Client(Simulator(networking=networking))
    vm = client.deploy()
    assert vm["state"] == "Running"
    assert [group["name"] for group in vm["securitygroup"]] == ["default"]
    assert vm["nic"][0]["type"] == "Shared"
