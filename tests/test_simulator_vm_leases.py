"""Leases of virtual machines, and what else a request may ask of one: user data, boot types, a hypervisor's settings."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote_plus

import pytest

from cs_matrix_pytest.simulator.call import Caller
from cs_matrix_pytest.simulator.simulator import Simulator
from simulator_in_process import CloudUser

DAY = 86_400


class Client(CloudUser):
    """Runs commands as one user of a cloud."""

    def __init__(self, simulator: Simulator, caller: Caller | None = None) -> None:
        super().__init__(simulator, caller)
        self.given = {
            "zoneid": self("listZones")["zone"][0]["id"],
            "templateid": self("listTemplates", templatefilter="featured")["template"][0]["id"],
            "serviceofferingid": self("listServiceOfferings")["serviceoffering"][0]["id"],
        }

    def deploy(self, **params: Any) -> dict[str, Any]:
        vm: dict[str, Any] = self("deployVirtualMachine", **{**self.given, **params})["virtualmachine"]
        return vm

    def refused(self, **params: Any) -> tuple[int, str]:
        return self.fails("deployVirtualMachine", **{**self.given, **params})

    def configure(self, name: str, value: str) -> None:
        self("updateConfiguration", name=name, value=value)


@pytest.fixture
def client() -> Client:
    return Client(Simulator())


@pytest.fixture
def lessor(client: Client) -> Client:
    client.configure("instance.lease.enabled", "true")
    return client


def test_a_lease_ends_as_it_says(lessor: Client) -> None:
    stopped = lessor.deploy(leaseduration=2, leaseexpiryaction="stop")
    gone = lessor.deploy(leaseduration=1, leaseexpiryaction="DESTROY")
    assert (stopped["leaseduration"], stopped["leaseexpiryaction"]) == (2, "STOP")
    assert lessor("listVirtualMachines", leased=True)["count"] == 2
    lessor.cloud.clock.advance(DAY + 3600)
    running = [row["id"] for row in lessor("listVirtualMachines", state="Running")["virtualmachine"]]
    assert running == [stopped["id"]] != [gone["id"]]
    lessor.cloud.clock.advance(DAY)
    assert lessor("listVirtualMachines", id=stopped["id"])["virtualmachine"][0]["state"] == "Stopped"
    assert lessor("listEvents", type="VM.LEASE.EXPIRED")["count"] == 2


def test_a_lease_is_ended_early(lessor: Client) -> None:
    vm = lessor.deploy(leaseduration=1, leaseexpiryaction="STOP")
    lessor("updateVirtualMachine", id=vm["id"], leaseduration=-1)
    lessor.cloud.clock.advance(2 * DAY)
    assert lessor("listVirtualMachines", id=vm["id"])["virtualmachine"][0]["state"] == "Running"
    assert lessor("listEvents", type="VM.LEASE.DISABLED")["count"] == 1


def test_without_the_feature_no_lease_is_left(lessor: Client) -> None:
    vm = lessor.deploy(leaseduration=1, leaseexpiryaction="STOP")
    lessor.configure("instance.lease.enabled", "false")
    lessor.configure("instance.lease.enabled", "true")
    lessor.cloud.clock.advance(2 * DAY)
    assert lessor("listVirtualMachines", id=vm["id"])["virtualmachine"][0]["state"] == "Running"
    assert lessor("listEvents", type="VM.LEASE.CANCELLED")["count"] == 1


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"leaseduration": 0, "leaseexpiryaction": "STOP"}, "Invalid leaseduration: must be a natural number"),
        ({"leaseduration": 1}, "Provide values for both: leaseduration and leaseexpiryaction"),
        ({"leaseduration": 1, "leaseexpiryaction": "PAINT"}, "Invalid value configured for leaseexpiryaction"),
    ],
)
def test_leases_that_cannot_be(lessor: Client, params: dict[str, Any], text: str) -> None:
    code, said = lessor.refused(**params)
    assert code == 431
    assert text in said


def test_a_lease_is_not_had_later(lessor: Client) -> None:
    id = lessor.deploy()["id"]
    code, text = lessor.fails("updateVirtualMachine", id=id, leaseduration=1, leaseexpiryaction="STOP")
    assert code == 530
    assert "it doesn't have lease associated during deployment" in text


def test_users_parameters_that_are_the_admins_go_unseen(client: Client) -> None:
    jane = client.user("jane")
    assert jane.deploy(displayvm=False)["state"] == "Running"
    assert jane("listVirtualMachines")["count"] == 1


def test_extra_settings_are_those_that_the_admin_allows() -> None:
    client = Client(Simulator(hypervisor="KVM"))
    wanted = quote_plus("<memballoon model='none'/>")
    assert client.refused(extraconfig=wanted)[0] == 431
    client.configure("enable.additional.vm.configuration", "true")
    assert client.refused(extraconfig=wanted)[0] == 530
    client.configure("allow.additional.vm.configuration.list.kvm", "memballoon")
    vm = client.deploy(extraconfig=wanted)
    assert any(key.startswith("extraconfig") for key in vm["details"])


@pytest.mark.parametrize(
    ("params", "code"),
    [({"boottype": "FLOPPY"}, 431), ({"boottype": "UEFI"}, 431), ({"boottype": "UEFI", "bootmode": "ODD"}, 431)],
)
def test_boot_types_that_cannot_be(client: Client, params: dict[str, Any], code: int) -> None:
    assert client.refused(**params)[0] == code


def test_user_data_is_not_too_long(client: Client) -> None:
    client.configure("vm.userdata.max.length", "16")
    long = base64.b64encode(b"#!/bin/sh\necho this is too long").decode()
    assert client.refused(userdata=long)[0] == 431


def test_a_template_may_deny_other_user_data(client: Client) -> None:
    text = base64.b64encode(b"#!/bin/sh\ntrue").decode()
    own = client("registerUserData", name="own", userdata=text)["userdata"]
    client(
        "linkUserDataToTemplate",
        templateid=client.given["templateid"],
        userdataid=own["id"],
        userdatapolicy="DENYOVERRIDE",
    )
    assert client.refused(userdata=text)[0] == 530


def test_an_iso_is_attached_once(client: Client) -> None:
    vm, os_type = client.deploy()["id"], client("listOsTypes")["ostype"][0]["id"]
    given = {"name": "disc", "displaytext": "disc", "zoneid": client.given["zoneid"], "ostypeid": os_type}
    iso = client("registerIso", url="http://images.example.org/disc.iso", **given)["iso"][0]["id"]
    client("attachIso", id=iso, virtualmachineid=vm)
    assert client.fails("attachIso", id=iso, virtualmachineid=vm)[0] == 431


def test_affinity_groups_are_known_by_their_name_once(client: Client) -> None:
    given = {"name": "spread", "type": "host anti-affinity"}
    client("createAffinityGroup", **given)
    assert client.fails("createAffinityGroup", **given)[0] == 431
    assert client.fails("createAffinityGroup", name="odd", type="colour affinity")[0] == 431
    types = [row["type"] for row in client("listAffinityGroupTypes")["affinityGroupType"]]
    assert "ExplicitDedication" not in types


def test_a_vm_with_backups_is_not_expunged(client: Client) -> None:
    client.configure("backup.framework.enabled", "true")
    client.configure("backup.framework.provider.plugin", "dummy")
    zone = client.given["zoneid"]
    external = client("listBackupProviderOfferings", zoneid=zone)["backupoffering"][0]["externalid"]
    offering = client(
        "importBackupOffering",
        name="gold",
        description="gold",
        zoneid=zone,
        externalid=external,
        allowuserdrivenbackups=True,
    )["backupoffering"]["id"]
    vm = client.deploy()["id"]
    client("assignVirtualMachineToBackupOffering", virtualmachineid=vm, backupofferingid=offering)
    client("createBackup", virtualmachineid=vm)
    code, _ = client.fails("destroyVirtualMachine", id=vm, expunge=True)
    assert code == 530
