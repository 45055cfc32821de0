"""What comes from outside: uploads, volumes and virtual machines that a hypervisor has and CloudStack does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cs_matrix_pytest.simulator import Simulator
from simulator_over_http import Client, SignedClient


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Simulator() as simulator:
        yield Client(simulator)


@pytest.fixture(scope="module")
def kvm() -> Iterator[Client]:
    with Simulator(hypervisor="kvm") as simulator:
        yield SignedClient(simulator)


def zone(client: Client) -> str:
    return str(client.rows("listZones")[0]["id"])


def test_a_volume_to_be_uploaded(kvm: Client) -> None:
    told = kvm.one("getUploadParamsForVolume", name="up", format="QCOW2", zoneid=zone(kvm))
    assert told["postURL"].endswith(f"/upload/{told['id']}")
    assert {"metadata", "expires", "signature"} < told.keys()
    assert kvm.one("listVolumes", id=told["id"], listall=True)["state"] == "NotUploaded"


def test_uploaded_images(client: Client) -> None:
    os_type = client.rows("listOsTypes")[0]["id"]
    common = {"zoneid": zone(client), "ostypeid": os_type}
    client.run("getUploadParamsForTemplate", name="t", format="VHD", hypervisor="Simulator", **common)
    client.run("getUploadParamsForIso", name="i", format="ISO", **common)
    lists = (("listTemplates", {"templatefilter": "all", "name": "t"}), ("listIsos", {"isofilter": "all", "name": "i"}))
    assert [client.one(name, **which)["isready"] for name, which in lists] == [False, False]
    client.pass_time(61)
    assert [client.one(name, **which)["isready"] for name, which in lists] == [True, True]


@pytest.mark.parametrize(
    ("format", "hypervisor"), [("QCOW2", "KVM"), ("VHD", "Hyperv"), ("RAW", "Ovm"), ("OVA", "VMware"), ("TAR", "None")]
)
@pytest.mark.parametrize("command", ["getUploadParamsForVolume", "uploadVolume"])
def test_volumes_are_of_a_hypervisor_of_the_zone(client: Client, command: str, format: str, hypervisor: str) -> None:
    url = {"url": f"http://example.org/v.{format.lower()}"} if command == "uploadVolume" else {}
    assert client.refused(command, name="v", format=format, zoneid=zone(client), **url) == (
        431,
        f"The {hypervisor} hypervisor supported for {format} file format, is not found on the zone",
    )


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({"url": "file:///v.qcow2"}, 431, "File:// type urls are currently unsupported"),
        ({"url": "ftp://example.org/v.qcow2"}, 530, "Unsupported scheme for url: ftp://example.org/v.qcow2"),
        ({"url": "http://example.org/v"}, 530, "Please specify a valid qcow2"),
        ({"format": "Toast"}, 530, "Image format: Toast is incorrect. Supported formats are "),
    ],
)
def test_uploads_from_elsewhere_that_are_refused(kvm: Client, changes: dict[str, str], code: int, text: str) -> None:
    sound = {"name": "v", "format": "QCOW2", "url": "http://example.org/v.qcow2", "zoneid": zone(kvm)}
    answered = kvm.refused("uploadVolume", **sound | changes)
    assert answered[0] == code
    assert answered[1].startswith(text)


def test_uploads_that_are_refused(client: Client) -> None:
    assert client.refused(
        "getUploadParamsForTemplate", name="t", format="VHD", zoneid=zone(client), hypervisor="Simulator"
    ) == (431, "Missing parameter ostypeid")


@pytest.mark.parametrize("command", ["registerTemplate", "getUploadParamsForVolume"])
def test_what_is_refused_while_a_request_waits_is_431(client: Client, command: str) -> None:
    template = {
        "displaytext": "t",
        "url": "http://example.org/t.vhd",
        "hypervisor": "Simulator",
        "ostypeid": client.rows("listOsTypes")[0]["id"],
    }
    given = template if command == "registerTemplate" else {}
    code, text = client.refused(command, name="t", format="Toast", zoneid=zone(client), **given)
    assert (code, text.partition(":")[0]) == (431, "Image format")
    if command == "registerTemplate":
        system = next(
            row["name"] for row in client.rows("listTemplates", templatefilter="all") if row["templatetype"] == "SYSTEM"
        )
        assert client.refused(command, name=system.upper(), format="VHD", zoneid=zone(client), **given) == (
            431,
            "Cannot use reserved names for Templates",
        )


def test_nobody_answers_an_upload_elsewhere(kvm: Client) -> None:
    told = kvm.one("getUploadParamsForVolume", name="up", format="QCOW2", zoneid=zone(kvm))
    kvm.pass_time(61 * 60)
    assert kvm.one("listVolumes", id=told["id"])["state"] in ("UploadAbandoned", "UploadError")


def test_the_simulator_imports_nothing(client: Client) -> None:
    cluster, pool = client.rows("listClusters")[0]["id"], client.rows("listStoragePools")[0]["id"]
    assert client.refused("listUnmanagedInstances", clusterid=cluster) == (
        431,
        "VM import is currently not supported for hypervisor [Simulator].",
    )
    assert client.refused("listVmsForImport", host="192.0.2.1", zoneid=zone(client), hypervisor="kvm") == (
        530,
        "No hosts available to list VMs on remote host 192.0.2.1",
    )
    assert client.rows("listImportVmTasks", zoneid=zone(client)) == []
    assert client.refused("listImportVmTasks", zoneid=zone(client), tasksfilter="x") == (
        431,
        "Invalid value for task state: x",
    )
    assert client.refused("listVolumesForImport", storageid=pool) == (
        530,
        "Importing and unmanaging volume are not supported for hypervisor: Simulator",
    )


def machine(client: Client) -> dict[str, Any]:
    return client.one(
        "deployVirtualMachine",
        zoneid=zone(client),
        templateid=client.rows("listTemplates", templatefilter="featured")[0]["id"],
        serviceofferingid=client.rows("listServiceOfferings")[0]["id"],
    )


def test_a_volume_goes_and_comes_back(kvm: Client) -> None:
    vm, offering = machine(kvm), kvm.rows("listDiskOfferings")[0]["id"]
    made = kvm.one("createVolume", name="d", zoneid=zone(kvm), diskofferingid=offering)["id"]
    assert kvm.refused("unmanageVolume", id=made)[1].endswith("is not ready")
    kvm.run("attachVolume", id=made, virtualmachineid=vm["id"])
    assert "is attached to VM" in kvm.refused("unmanageVolume", id=made)[1]
    kvm.run("detachVolume", id=made)
    volume = kvm.one("listVolumes", id=made)
    assert kvm.run("unmanageVolume", id=made) == {"success": True}
    assert kvm.rows("listVolumes", id=made) == []
    pool = {"storageid": volume["storageid"]}
    loose = kvm.one("listVolumesForImport", **pool)
    assert (loose["path"], loose["size"]) == (volume["path"], volume["size"])
    assert kvm.refused("importVolume", path="nowhere", **pool)[0] == 530
    back = kvm.one("importVolume", path=volume["path"], name="back", **pool)
    assert (back["name"], back["state"], back["size"]) == ("back", "Ready", volume["size"])
    assert kvm.rows("listVolumesForImport", **pool) == []
    assert kvm.refused("importVolume", path=volume["path"], **pool)[0] in (431, 530)


def test_owners_of_an_imported_volume_are_named_by_the_system(kvm: Client) -> None:
    system = Client(kvm.simulator)
    pool = system.rows("listStoragePools")[0]["id"]
    assert system.refused("importVolume", storageid=pool, path="x") == (
        431,
        "Account and domainId are needed for resource creation",
    )
