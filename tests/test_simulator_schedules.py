"""What the simulator does by the clock, and what it keeps for whom: schedules, backups, dedication, GPUs, regions, IPv6."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cs_matrix_pytest.simulator import Simulator, cron
from simulator_over_http import Client


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Simulator() as simulator:
        yield Client(simulator)


@pytest.fixture
def owner(client: Client) -> Iterator[dict[str, Any]]:
    """An account of a domain of its own."""
    domain = client.one("createDomain", name="tenants")
    yield client.account("tenant", domain=domain["id"])
    client.run("deleteDomain", id=domain["id"], cleanup=True)


def deploy(client: Client, owner: dict[str, Any], **options: Any) -> dict[str, Any]:
    offering = client.one("createServiceOffering", name="o", displaytext="o", cpunumber=1, cpuspeed=100, memory=128)
    return client.one(
        "deployVirtualMachine",
        account=owner["name"],
        domainid=owner["domainid"],
        zoneid=client.rows("listZones")[0]["id"],
        templateid=client.rows("listTemplates", templatefilter="featured")[0]["id"],
        serviceofferingid=offering["id"],
        **options,
    )


@pytest.fixture
def vm(client: Client, owner: dict[str, Any]) -> dict[str, Any]:
    return deploy(client, owner)


def state(client: Client, vm: dict[str, Any]) -> str:
    return str(client.one("listVirtualMachines", id=vm["id"])["state"])


# Schedules of VMs


def test_a_schedule_stops_and_starts(client: Client, vm: dict[str, Any]) -> None:
    common = {"virtualmachineid": vm["id"], "timezone": "UTC"}
    stop = client.one("createVMSchedule", action="stop", schedule="0 * * * *", **common)
    client.run("createVMSchedule", action="START", schedule="30 * * * *", **common)
    assert (stop["action"], stop["enabled"], stop["schedule"]) == ("STOP", True, "0 * * * *")
    # Nothing is done in the first minute of a schedule.
    client.pass_time(3600)
    seen = []
    for _ in range(4):
        client.pass_time(30 * 60)
        seen.append(state(client, vm))
    assert sorted(seen) == ["Running", "Running", "Stopped", "Stopped"]
    assert seen[0] != seen[1]
    client.run("deleteVMSchedule", virtualmachineid=vm["id"])
    before = state(client, vm)
    client.pass_time(7200)
    assert state(client, vm) == before
    assert client.rows("listVMSchedule", virtualmachineid=vm["id"]) == []


def test_a_schedule_ends(client: Client, vm: dict[str, Any]) -> None:
    end = (datetime.fromtimestamp(client.simulator.clock.now(), timezone.utc) + timedelta(minutes=90)).strftime(
        "%Y-%m-%d %H:%M:%S"
    )
    row = client.one(
        "createResourceSchedule",
        resourcetype="VirtualMachine",
        resourceid=vm["id"],
        action="reboot",
        schedule="*/30 * * * *",
        timezone="UTC",
        enddate=end,
    )
    assert (row["resourceid"], row["resourcetype"]) == (vm["id"], "VirtualMachine")
    client.pass_time(3 * 3600)
    assert state(client, vm) == "Running"
    row = client.one("updateResourceSchedule", id=row["id"], description="d", enabled=False)
    assert (row["description"], row["enabled"]) == ("d", False)


@pytest.mark.parametrize(
    ("change", "code", "text"),
    [
        ({"action": "dance"}, 431, "Invalid action for VirtualMachine schedule: dance."),
        ({"schedule": "soon"}, 431, 'Cron expression must consist of 6 fields (found 2 in "0 soon")'),
        (
            {"schedule": "61 * * * *"},
            431,
            "Invalid value for MinuteOfHour (valid values 0 - 59): 61 '61' in cron expression \"0 61 * * * *\"",
        ),
        ({"schedule": "* * * * x"}, 431, 'For input string: "x" \'x\' in cron expression "0 * * * * x"'),
        (
            {"schedule": "* 5-1 * * *"},
            431,
            "Minimum value must be less than maximum value '5-1' in cron expression \"0 * 5-1 * * *\"",
        ),
        (
            {"schedule": "*/0 * * * *"},
            431,
            "Incrementer delta must be 1 or higher '*/0' in cron expression \"0 */0 * * * *\"",
        ),
        ({"startdate": "2001-01-01 00:00:00"}, 431, "Invalid value for start date."),
        ({"enddate": "2001-01-01 00:00:00"}, 431, "Invalid value for end date."),
        ({"startdate": "tomorrow"}, 431, "Unable to parse date tomorrow"),
    ],
)
def test_bad_schedules(client: Client, vm: dict[str, Any], change: dict[str, str], code: int, text: str) -> None:
    params = {"virtualmachineid": vm["id"], "action": "stop", "schedule": "0 0 1 * *", "timezone": "UTC"} | change
    answer = client.refused("createVMSchedule", **params)
    assert answer[0] == code
    assert answer[1].startswith(text)


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("0 0 1 * *", "2026-01-31 10:00", "2026-02-01 00:00"),
        ("*/15 8-9 * * MON-FRI", "2026-11-20 09:50", "2026-11-23 08:00"),
        ("5/20 * * * ?", "2026-11-21 00:25", "2026-11-21 00:45"),
        ("0 0 29 FEB *", "2026-01-01 00:00", "2028-02-29 00:00"),
        ("0 0 * * 0", "2026-11-21 00:00", "2026-11-22 00:00"),
        ("0 0 * * 7", "2026-11-21 00:00", "2026-11-22 00:00"),
        ("0 0 31 4 *", "2026-01-01 00:00", None),
    ],
)
def test_occurrences(text: str, after: str, expected: str | None) -> None:
    found = cron.parse(text).after(datetime.fromisoformat(after))
    assert found == (None if expected is None else datetime.fromisoformat(expected))


@given(st.integers(0, 59), st.integers(0, 23), st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1)))
def test_a_daily_occurrence_is_within_a_day(minute: int, hour: int, now: datetime) -> None:
    found = cron.parse(f"{minute} {hour} * * *").after(now)
    assert found is not None
    assert (found.minute, found.hour, found.second) == (minute, hour, 0)
    assert timedelta(0) < found - now <= timedelta(days=1)


# Backups


@pytest.fixture
def gold(client: Client) -> Iterator[dict[str, Any]]:
    zone = client.rows("listZones")[0]["id"]
    policy = client.rows("listBackupProviderOfferings", zoneid=zone)[0]
    made = client.one(
        "importBackupOffering",
        zoneid=zone,
        name=policy["name"],
        description=policy["description"],
        externalid=policy["externalid"],
        allowuserdrivenbackups=True,
    )
    yield made
    for row in client.rows("listVirtualMachines", backupofferingid=made["id"], listall=True):
        client.run("removeVirtualMachineFromBackupOffering", virtualmachineid=row["id"])
    for row in client.rows("listBackups", listall=True):
        client.run("deleteBackup", id=row["id"])
    client.run("deleteBackupOffering", id=made["id"])


def test_life_of_a_backup(client: Client, vm: dict[str, Any], gold: dict[str, Any]) -> None:
    on_vm = {"virtualmachineid": vm["id"]}
    assert client.refused("createBackup", **on_vm) == (
        530,
        "Cannot create backup as the Instance doesn't have a Backup Offering assigned",
    )
    client.run("assignVirtualMachineToBackupOffering", backupofferingid=gold["id"], **on_vm)
    client.run("createBackup", name="b", **on_vm)
    backup = client.one("listBackups", listall=True, **on_vm)
    root = client.one("listVolumes", listall=True, **on_vm)
    assert (backup["name"], backup["status"], backup["size"]) == ("b", "BackedUp", root["size"])
    account = client.one("listAccounts", name=vm["account"], listall=True)
    assert account["backuptotal"] == 1
    assert client.refused("deleteBackupOffering", id=gold["id"])[0] == 530
    assert client.refused("restoreBackup", id=backup["id"]) == (
        530,
        "Existing Instance should be stopped before being restored from Backup",
    )
    client.run("stopVirtualMachine", id=vm["id"])
    assert client.run("restoreBackup", id=backup["id"]) == {"success": True}
    client.run("restoreVolumeFromBackupAndAttachToVM", backupid=backup["id"], volumeid=root["id"], **on_vm)
    assert len(client.rows("listVolumes", listall=True, **on_vm)) == 2
    client.run("removeVirtualMachineFromBackupOffering", **on_vm)
    assert client.one("listBackups", id=backup["id"])["vmbackupofferingremoved"] is True


def test_a_vm_from_a_backup(client: Client, owner: dict[str, Any], gold: dict[str, Any]) -> None:
    disk = client.one("createDiskOffering", name="d", displaytext="d", disksize=3)
    vm = deploy(client, owner, diskofferingid=disk["id"])
    client.run("assignVirtualMachineToBackupOffering", backupofferingid=gold["id"], virtualmachineid=vm["id"])
    client.run("createBackup", virtualmachineid=vm["id"])
    backup = client.one("listBackups", virtualmachineid=vm["id"], listall=True)
    new = client.one(
        "createVMFromBackup",
        backupid=backup["id"],
        zoneid=vm["zoneid"],
        name="twin",
        account=owner["name"],
        domainid=owner["domainid"],
    )
    assert (new["name"], new["state"], new["serviceofferingid"]) == ("twin", "Running", vm["serviceofferingid"])
    sizes = [row["size"] for row in client.rows("listVolumes", virtualmachineid=new["id"], listall=True)]
    assert sum(sizes) == backup["size"]
    assert [nic["networkid"] for nic in new["nic"]] == [nic["networkid"] for nic in vm["nic"]]


def test_backups_are_taken_as_planned(client: Client, vm: dict[str, Any], gold: dict[str, Any]) -> None:
    on_vm = {"virtualmachineid": vm["id"]}
    client.run("assignVirtualMachineToBackupOffering", backupofferingid=gold["id"], **on_vm)
    plan = {"intervaltype": "hourly", "timezone": "UTC", "maxbackups": 2}
    row = client.one("createBackupSchedule", schedule="10", **plan, **on_vm)
    assert (row["intervaltype"], row["schedule"], row["maxbackups"]) == ("HOURLY", "10", 2)
    client.pass_time(3600)
    assert [row["intervaltype"] for row in client.rows("listBackups", listall=True)] == ["HOURLY"]
    client.pass_time(3 * 3600)
    assert len(client.rows("listBackups", listall=True)) == 2
    assert client.refused("createBackupSchedule", schedule="10:61", **plan, **on_vm) == (
        431,
        "Invalid schedule: 10:61 for interval type: HOURLY",
    )
    client.run("deleteBackupSchedule", **on_vm)
    client.run("deleteBackup", id=client.rows("listBackups", listall=True)[0]["id"])
    client.pass_time(3 * 3600)
    assert len(client.rows("listBackups", listall=True)) == 1


def test_offerings_are_imported_once(client: Client, gold: dict[str, Any]) -> None:
    again = {"zoneid": gold["zoneid"], "description": "d", "allowuserdrivenbackups": True}
    assert client.refused("importBackupOffering", name="x", externalid="gold-policy", **again) == (
        530,
        "A backup offering with external ID gold-policy already exists",
    )
    assert client.refused("importBackupOffering", name=gold["name"], externalid="x", **again) == (
        530,
        "A backup offering with the same name already exists in this zone",
    )


# Dedication


def test_a_dedicated_host_is_for_one_account(client: Client, owner: dict[str, Any]) -> None:
    hosts = client.rows("listHosts", type="Routing")
    mine = hosts[0]
    to = {"domainid": owner["domainid"], "account": owner["name"]}
    row = client.one("dedicateHost", hostid=mine["id"], **to)
    assert (row["hostname"], row["accountid"]) == (mine["name"], owner["id"])
    assert deploy(client, owner)["hostid"] != mine["id"]
    bound = deploy(client, owner, affinitygroupids=row["affinitygroupid"])
    assert bound["hostid"] == mine["id"]
    assert [each["hostid"] for each in client.rows("listDedicatedHosts", **to)] == [mine["id"]]
    assert client.refused("dedicateHost", hostid=mine["id"], **to) == (
        530,
        f"Host {mine['name']} is already dedicated",
    )
    root = client.one("listDomains", name="ROOT")["id"]
    sibling = client.one("createDomain", name="siblings")["id"]
    assert client.refused("dedicateCluster", clusterid=mine["clusterid"], domainid=sibling) == (
        530,
        f"Host {mine['name']} under this Cluster {mine['clustername']} is dedicated to different account/domain",
    )
    client.run("dedicateCluster", clusterid=mine["clusterid"], domainid=root)
    other = next(each for each in hosts if each["clusterid"] == mine["clusterid"] and each is not mine)
    client.run("releaseDedicatedCluster", clusterid=mine["clusterid"])
    client.run("releaseDedicatedHost", hostid=mine["id"])
    assert client.refused("releaseDedicatedHost", hostid=mine["id"]) == (
        431,
        "No Dedicated Resource available to release",
    )
    client.run("dedicatePod", podid=mine["podid"], **to)
    assert client.refused("dedicateHost", hostid=other["id"], domainid=sibling) == (
        530,
        f"Host's Pod {mine['podname']} is already dedicated",
    )
    client.run("releaseDedicatedPod", podid=mine["podid"])
    assert client.rows("listAffinityGroups", listall=True) == []


# Regions, IPv6 prefixes


def test_regions(client: Client) -> None:
    region = {"id": 7, "name": "west", "endpoint": "http://west:8080/client"}
    made = client.one("addRegion", **region)
    assert made == region | {"gslbserviceenabled": True, "portableipserviceenabled": False}
    assert client.refused("addRegion", **region) == (431, "Region with id: 7 already exists")
    assert client.refused("addRegion", **region | {"id": 8}) == (431, "Region with name: west already exists")
    local = client.one("listRegions", id=1)
    assert client.refused("updateRegion", id=7, name=local["name"]) == (
        431,
        f"Region with name: {local['name']} already exists",
    )
    assert client.one("updateRegion", id=7, name="north")["endpoint"] == region["endpoint"]
    assert [row["id"] for row in client.rows("listRegions", name="north")] == [7]
    client.run("removeRegion", id=7)
    assert client.refused("removeRegion", id=7) == (431, "Failed to delete Region: 7, Region not found")
    assert [row["id"] for row in client.rows("listRegions")] == [1]


def test_ipv6_prefixes(client: Client) -> None:
    zone = client.rows("listZones")[0]["id"]
    made = client.one("createGuestNetworkIpv6Prefix", zoneid=zone, prefix="fd17:ac56:1234:1000::/52")
    assert (made["totalsubnets"], made["availablesubnets"], made["usedsubnets"]) == (4096, 4096, 0)
    for prefix, code in (
        ("fd17:ac56:1234:1000::/72", 431),
        ("fd17:ac56:1234:1800::/56", 431),
        ("10.0.0.0/8", 530),
        ("fd17::", 530),
    ):
        assert client.refused("createGuestNetworkIpv6Prefix", zoneid=zone, prefix=prefix)[0] == code
    assert client.one("listGuestNetworkIpv6Prefixes", zoneid=zone) == made
    client.run("deleteGuestNetworkIpv6Prefix", id=made["id"])
    assert client.rows("listGuestNetworkIpv6Prefixes") == []


def test_networks_get_ipv6_subnets(client: Client, owner: dict[str, Any]) -> None:
    zone = client.rows("listZones")[0]["id"]
    client.run("updateConfiguration", name="ipv6.offering.enabled", value="true")
    offering = client.one(
        "createNetworkOffering",
        name="dual",
        displaytext="dual",
        guestiptype="Isolated",
        traffictype="GUEST",
        internetprotocol="dualstack",
        supportedservices="Dhcp,Dns,SourceNat",
        **{
            f"serviceproviderlist[{index}].{key}": value
            for index, name in enumerate(("Dhcp", "Dns", "SourceNat"))
            for key, value in (("service", name), ("provider", "VirtualRouter"))
        },
    )
    client.run("updateNetworkOffering", id=offering["id"], state="Enabled")
    new = {
        "name": "n",
        "zoneid": zone,
        "networkofferingid": offering["id"],
        "account": owner["name"],
        "domainid": owner["domainid"],
    }
    assert client.refused("createNetwork", **new) == (535, "Unable to allocate IPv6 network")
    assert client.rows("listNetworks", account=owner["name"], domainid=owner["domainid"]) == []
    prefix = client.one("createGuestNetworkIpv6Prefix", zoneid=zone, prefix="fd17:ac56:1234:1000::/63")
    outside = client.one(
        "createVlanIpRange",
        zoneid=zone,
        forvirtualnetwork=True,
        vlan="77",
        ip6cidr="fd17:ac56:1234:2000::/64",
        ip6gateway="fd17:ac56:1234:2000::1",
    )
    network = client.one("createNetwork", **new)
    assert (network["ip6cidr"], network["ip6gateway"]) == ("fd17:ac56:1234:1000::/64", "fd17:ac56:1234:1000::1")
    vm = deploy(client, owner, networkids=network["id"])
    assert vm["nic"][0]["ip6address"].startswith("fd17:ac56:1234:1000:")
    router = client.one("listRouters", networkid=network["id"], listall=True)
    public = next(nic for nic in router["nic"] if nic["traffictype"] == "Public")
    routes = client.one("listNetworks", id=network["id"], listall=True)["ip6routes"]
    assert routes == [{"subnet": network["ip6cidr"], "gateway": public["ip6address"]}]
    other = client.one("createNetwork", **new | {"name": "m"})
    assert other["ip6cidr"] == "fd17:ac56:1234:1001::/64"
    assert client.refused("createNetwork", **new | {"name": "o"}) == (
        535,
        "Unable to allocate IPv6 guest subnet for the network",
    )
    assert client.refused("deleteGuestNetworkIpv6Prefix", id=prefix["id"])[0] == 530
    client.run("destroyVirtualMachine", id=vm["id"], expunge=True)
    for each in (network, other):
        client.run("deleteNetwork", id=each["id"], forced=True)
    assert client.one("listGuestNetworkIpv6Prefixes")["usedsubnets"] == 0
    client.run("deleteGuestNetworkIpv6Prefix", id=prefix["id"])
    client.run("deleteVlanIpRange", id=outside["id"])


# GPUs


def test_a_vm_with_a_gpu(client: Client, owner: dict[str, Any]) -> None:
    hosts = client.rows("listHosts", type="Routing")
    assert "gputotal" not in hosts[0]
    with_gpus = hosts[0]
    assert len(client.rows("discoverGpuDevices", id=with_gpus["id"])) == 24
    assert len(client.rows("discoverGpuDevices", id=with_gpus["id"])) == 24
    profile = client.one("listVgpuProfiles", name="sim-8q")
    assert (profile["gpucardname"], profile["videoram"]) == ("Simulator Graphics Card Pro", 8192)
    offering = client.one(
        "createServiceOffering",
        name="gpu",
        displaytext="gpu",
        cpunumber=1,
        cpuspeed=100,
        memory=128,
        vgpuprofileid=profile["id"],
        gpucount=3,
    )
    assert (offering["vgpuprofilename"], offering["maxheads"]) == ("sim-8q", 4)
    machine = {
        "account": owner["name"],
        "domainid": owner["domainid"],
        "zoneid": with_gpus["zoneid"],
        "templateid": client.rows("listTemplates", templatefilter="featured")[0]["id"],
        "serviceofferingid": offering["id"],
    }
    vm = client.one("deployVirtualMachine", **machine)
    assert (vm["hostid"], vm["gpucount"], vm["vgpuprofilename"]) == (with_gpus["id"], 3, "sim-8q")
    mine = client.rows("listGpuDevices", virtualmachineid=vm["id"])
    assert [(row["state"], row["vgpuprofilename"]) for row in mine] == [("Allocated", "sim-8q")] * 3
    host = client.one("listHosts", id=with_gpus["id"])
    assert (host["gputotal"], host["gpuused"]) == (20, 3)
    gpus = next(row for row in client.rows("listCapacity") if row["name"] == "GPU")
    assert (gpus["capacitytotal"], gpus["capacityused"]) == (20, 3)
    assert client.refused("deployVirtualMachine", **machine)[0] == 533
    assert client.refused("unmanageGpuDevice", ids=mine[0]["id"])[0] == 530
    client.run("destroyVirtualMachine", id=vm["id"], expunge=True)
    client.run("unmanageGpuDevice", ids=mine[0]["id"])
    assert client.one("listHosts", id=with_gpus["id"])["gputotal"] == 19
    client.run("manageGpuDevice", ids=mine[0]["id"])


def test_gpu_cards(client: Client) -> None:
    card = {"name": "c", "deviceid": "1db4", "devicename": "d", "vendorid": "10de", "vendorname": "v"}
    made = client.one("createGpuCard", **card)
    assert client.refused("createGpuCard", **card) == (
        431,
        "GPU card with vendor ID 10de and device ID 1db4 already exists",
    )
    assert client.refused("createGpuCard", **card | {"deviceid": "10-de"}) == (
        431,
        "Device ID must be alphanumeric and in hexadecimal format",
    )
    whole = client.one("listVgpuProfiles", gpucardid=made["id"])
    half = client.one("createVgpuProfile", gpucardid=made["id"], name="half", maxvgpuperphysicalgpu=2)
    host = client.rows("listHosts", type="Routing")[1]
    at = {"hostid": host["id"], "gpucardid": made["id"], "busaddress": "00:01.0"}
    device = client.one("createGpuDevice", vgpuprofileid=whole["id"], **at)
    assert (device["gpudevicetype"], device["state"], device["managedstate"]) == ("PCI", "Free", "Managed")
    assert client.refused("createGpuDevice", vgpuprofileid=half["id"], **at)[0] == 431
    assert client.one("updateGpuDevice", id=device["id"], vgpuprofileid=half["id"])["vgpuprofilename"] == "half"
    assert client.refused("deleteVgpuProfile", id=half["id"])[0] == 431
    assert client.refused("deleteGpuCard", id=made["id"])[0] == 431
    client.run("deleteGpuDevice", ids=device["id"])
    client.run("deleteVgpuProfile", id=half["id"])
    client.run("deleteGpuCard", id=made["id"])
    assert client.rows("listVgpuProfiles", gpucardid=made["id"]) == []
