"""Icons, themes of the web interface, and lists that tell what there is: detail options, protocols, OS names."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from cs_matrix_pytest.simulator import Simulator
from simulator_over_http import Client, SignedClient, signed_by

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(8)).decode()
GIF = base64.b64encode(b"GIF89a" + bytes(8)).decode()


@pytest.fixture
def client() -> Iterator[Client]:
    with Simulator(hypervisor="kvm") as simulator:
        yield Client(simulator)


@pytest.fixture
def admin(client: Client) -> SignedClient:
    return SignedClient(client.simulator)


# Icons


def upload(client: Client, kind: str, id: str, image: str = PNG) -> None:
    assert client.run("uploadResourceIcon", resourcetype=kind, resourceids=id, base64image=image) == {"success": True}


def test_an_icon_comes_and_goes(client: Client) -> None:
    zone = client.rows("listZones")[0]["id"]
    upload(client, "zone", zone)
    shown = {"resourceid": zone, "resourcetype": "Zone", "base64image": PNG}
    assert client.rows("listResourceIcon", resourcetype="Zone", resourceids=zone) == [shown]
    assert client.rows("listZones", showicon=True)[0]["icon"] == shown
    assert "icon" not in client.rows("listZones")[0]
    upload(client, "Zone", zone, GIF)
    assert client.one("listResourceIcon", resourcetype="Zone", resourceids=zone)["base64image"] == GIF
    client.run("deleteResourceIcon", resourcetype="Zone", resourceids=zone)
    assert client.run("listResourceIcon", resourcetype="Zone", resourceids=zone) == {}
    assert client.refused("deleteResourceIcon", resourcetype="Zone", resourceids=zone) == (
        530,
        "Failed to delete resource image",
    )


@pytest.mark.parametrize(
    ("command", "row"),
    [
        ("listDomains", "Domain"),
        ("listAccounts", "Account"),
        ("listUsers", "User"),
        ("listOsCategories", "GuestOsCategory"),
        ("listZonesMetrics", "Zone"),
    ],
)
def test_lists_show_icons(client: Client, command: str, row: str) -> None:
    id = client.rows(command, listall=True)[0]["id"]
    upload(client, row, id)
    found = next(each for each in client.rows(command, listall=True, showicon=True) if each["id"] == id)
    assert found["icon"]["base64image"] == PNG


def test_a_machine_without_icon_shows_that_of_its_template_or_os(client: Client) -> None:
    account = client.account("owner")
    template = client.rows("listTemplates", templatefilter="featured")[0]
    vm = client.one(
        "deployVirtualMachine",
        account=account["name"],
        domainid=account["domainid"],
        zoneid=client.rows("listZones")[0]["id"],
        templateid=template["id"],
        serviceofferingid=client.rows("listServiceOfferings")[0]["id"],
    )

    def shown() -> str | None:
        row = client.rows("listVirtualMachines", id=vm["id"], showicon=True)[0]
        return str(row["icon"]["resourcetype"]) if "icon" in row else None

    assert shown() is None
    category = client.rows("listOsTypes", id=template["ostypeid"])[0]["oscategoryid"]
    for kind, id in (("GuestOsCategory", category), ("Template", template["id"]), ("UserVm", vm["id"])):
        upload(client, kind, id)
        assert shown() == kind
    (row,) = client.rows("listTemplates", templatefilter="featured", id=template["id"], showicon=True)
    assert row["icon"]["resourcetype"] == "Template"


@pytest.mark.parametrize(
    ("params", "refusal"),
    [
        ({"base64image": "bm9uZQ=="}, "Invalid image uploaded"),
        ({"base64image": "?"}, "Invalid image uploaded"),
        ({"resourcetype": "Volume"}, "The resource type Volume doesn't support resource icons"),
        ({"resourcetype": "Teapot"}, "Invalid resource type Teapot"),
        ({"resourceids": "nobody"}, "Unable to find resource by uuid nobody and type Zone"),
        ({"resourceids": "99"}, "Unable to find resource by id 99 and type Zone"),
    ],
)
def test_icons_that_are_refused(client: Client, params: dict[str, str], refusal: str) -> None:
    zone = client.rows("listZones")[0]["id"]
    request = {"resourcetype": "Zone", "resourceids": zone, "base64image": PNG, **params}
    assert client.refused("uploadResourceIcon", **request) == (530, refusal)
    assert client.run("listResourceIcon", resourcetype="Zone", resourceids=zone) == {}


def test_users_give_icons_to_what_is_theirs(client: Client) -> None:
    mine, other = client.account("mine"), client.account("other")
    user = signed_by(client, mine)
    upload(user, "Account", mine["id"])
    code, _ = user.refused("uploadResourceIcon", resourcetype="Account", resourceids=other["id"], base64image=PNG)
    assert code == 530


# Themes


def test_themes_are_told_apart_by_who_asks(client: Client, admin: SignedClient) -> None:
    domain = client.one("createDomain", name="d")["id"]
    below = client.one("createDomain", name="e", parentdomainid=domain)["id"]
    first = admin.one(
        "createGuiTheme", name="first", css="a", domainids=domain, recursivedomains=True, description="one"
    )
    assert (first["ispublic"], first["domainids"], first["recursivedomains"]) == (False, domain, True)
    second = admin.one(
        "createGuiTheme", name="second", jsonconfiguration='{"footer": "x"}', commonnames="*.example.org"
    )
    assert second["ispublic"] is True

    def names(**params: Any) -> list[str]:
        return [row["name"] for row in admin.rows("listGuiThemes", **params)]

    assert names() == ["second", "first"]
    assert names(domainid=below) == names(name="first") == names(id=first["id"]) == ["first"]
    assert names(commonname="a.example.org") == names(commonname="example.org") == names(showpublic=True) == ["second"]
    assert names(commonname="example.com") == []
    assert names(id=first["id"], commonname="example.org") == ["second", "first"]
    # Who has not logged in gets what a page needs, and may ask by name of host only.
    assert client.rows("listGuiThemes", commonname="example.org", id=first["id"]) == [
        {"jsonconfiguration": '{"footer": "x"}'}
    ]
    admin.run("removeGuiTheme", id=first["id"])
    assert names() == ["second"]
    assert names(showremoved=True) == ["second", "first"]


def test_one_theme_is_the_default(admin: SignedClient) -> None:
    default = admin.one("createGuiTheme", name="default", css="a")
    assert [row["id"] for row in admin.rows("listGuiThemes", listonlydefaulttheme=True)] == [default["id"]]
    code, text = admin.refused("createGuiTheme", name="another", css="b")
    assert code == 530
    assert text.startswith("Only one default GUI theme is allowed. Remove the current default theme ")
    changed = admin.one("updateGuiTheme", id=default["id"], css="c", name="")
    assert (changed["css"], "name" in changed) == ("c", False)
    named = admin.one("updateGuiTheme", id=default["id"], css="c", commonnames="a.org, b.org")
    assert named["commonnames"] == "a.org,b.org"
    assert admin.rows("listGuiThemes", listonlydefaulttheme=True) == []


@pytest.mark.parametrize(
    ("params", "refusal"),
    [
        ({}, "At least one of the `css`, `jsonconfiguration`, or `loginbasedomain` parameters must be informed."),
        ({"css": "a", "domainids": "x"}, "The Domain ID x does not exist. Verify the informed IDs and try again."),
        ({"css": "a", "accountids": "x"}, "The Account ID x does not exist. Verify the informed IDs and try again."),
        ({"jsonconfiguration": "{"}, "Specified JSON configuration is not a valid JSON object."),
        ({"loginbasedomain": "a"}, "Parameter `loginBaseDomain` must be provided with `commonNames`."),
    ],
)
def test_themes_that_are_refused(admin: SignedClient, params: dict[str, str], refusal: str) -> None:
    assert admin.refused("createGuiTheme", name="t", **params) == (530, refusal)


# What there is


def options(client: Client, **params: Any) -> dict[str, list[str]]:
    return client.one("listDetailOptions", **params)["details"]  # type: ignore[no-any-return]


def test_detail_options(client: Client) -> None:
    template = client.rows("listTemplates", templatefilter="featured")[0]["id"]
    assert options(client, resourcetype="Template").keys() == {
        "UEFI",
        "keyboard",
        "cpu.corespersocket",
        "rootdisksize",
    }
    of_kvm = options(client, resourcetype="Template", resourceid=template)
    assert of_kvm["virtual.tpm.version"] == ["1.2", "2.0"]
    assert options(client, resourcetype="VnfTemplate")["access_methods"][0] == "console"
    user = signed_by(client, client.account("user"))
    hidden = of_kvm.keys() - options(user, resourcetype="Template", resourceid=template).keys()
    assert hidden == {"rootdisksize", "guest.cpu.mode", "guest.cpu.model"}
    assert client.refused("listDetailOptions", resourcetype="Zone") == (530, "Resource type not supported.")
    assert client.refused("listDetailOptions", resourcetype="Teapot") == (431, "Invalid resource type Teapot")
    code, text = client.refused("listDetailOptions", resourcetype="UserVm", resourceid="nobody")
    assert code == 530
    assert text.startswith('Cannot invoke "com.cloud.vm.VMInstanceVO.getHypervisorType()"')


def test_network_protocols(client: Client) -> None:
    numbers = client.rows("listNetworkProtocols", option="ProtocolNumber")
    assert {"index": 6, "name": "TCP", "description": "Transmission Control"} in numbers
    assert [row["index"] for row in numbers] == list(range(146))
    types = {row["index"]: row for row in client.rows("listNetworkProtocols", option="icmptype")}
    assert types[8] == {"index": 8, "description": "Echo", "details": {"0": "Echo request"}}
    assert "details" not in types[42]
    code, text = client.refused("listNetworkProtocols", option="port")
    assert (code, text) == (530, "Option port is not supported. Supported values are [ProtocolNumber, IcmpType]")


# Names of operating systems


def mapping(client: Client, **options: Any) -> dict[str, Any]:
    request = {
        "hypervisor": "kvm",
        "hypervisorversion": "default",
        "osdisplayname": "My OS",
        "osnameforhypervisor": "my-os",
        **options,
    }
    return client.one("addGuestOsMapping", **request)


@pytest.fixture
def my_os(client: Client) -> dict[str, Any]:
    category = client.rows("listOsCategories")[0]["id"]
    return client.one("addGuestOs", oscategoryid=category, osdisplayname="My OS")


def test_names_of_an_operating_system(client: Client, my_os: dict[str, Any]) -> None:
    made = mapping(client)
    assert (made["ostypeid"], made["hypervisor"], made["isuserdefined"]) == (my_os["id"], "KVM", "true")
    assert client.rows("listGuestOsMapping", ostypeid=my_os["id"]) == [made]
    assert client.rows("listGuestOsMapping", ostypeid=my_os["id"], hypervisor="xen") == []
    request = {
        "hypervisor": "kvm",
        "hypervisorversion": "default",
        "osdisplayname": "My OS",
        "osnameforhypervisor": "b",
    }
    assert client.refused("addGuestOsMapping", **request) == (
        431,
        "Mapping from hypervisor : KVM, version : default and guest OS : My OS already exists!",
    )
    assert mapping(client, osnameforhypervisor="b", forced=True)["id"] == made["id"]
    assert client.one("updateGuestOsMapping", id=made["id"], osnameforhypervisor="c")["osnameforhypervisor"] == "c"
    client.run("removeGuestOsMapping", id=made["id"])
    assert client.rows("listGuestOsMapping", ostypeid=my_os["id"]) == []
    assert client.refused("updateGuestOsMapping", id=made["id"], osnameforhypervisor="c") == (
        431,
        "Guest OS Mapping not found. Please specify a valid ID for the Guest OS Mapping",
    )


def test_names_that_a_server_brings_with_it(client: Client) -> None:
    assert client.run("listGuestOsMapping", page=1, pagesize=1)["count"] == 9063
    (debian,) = client.rows("listGuestOsMapping", hypervisor="kvm", osdisplayname="Debian GNU/Linux 12 (64-bit)")
    assert (debian["hypervisorversion"], debian["isuserdefined"]) == ("default", "false")
    assert client.rows("listGuestOsMapping", id=debian["id"]) == [debian]
    assert client.refused("removeGuestOsMapping", id=debian["id"]) == (
        431,
        "Unable to remove system defined Guest OS mapping",
    )
    newer = client.rows("listGuestOsMapping", hypervisor="VMware", hypervisorversion="8.0.3")
    assert {"macOS 14 (64-bit)", "Windows 11 (64-bit)"} <= {row["osdisplayname"] for row in newer}


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"osdisplayname": ""}, (431, "Please specify either a guest OS name or UUID")),
        ({"osdisplayname": "No OS"}, (431, "Unable to find the guest OS by name or UUID")),
        ({"hypervisor": "ovm"}, (431, "Please specify a valid hypervisor : XenServer, KVM or VMware")),
        ({"hypervisorversion": "0"}, (431, "Please specify a valid hypervisor and supported version")),
        (
            {"osmappingcheckenabled": True},
            (
                431,
                "Guest OS mapping check is not supported for hypervisor: KVM, please specify a valid hypervisor : VMware, "
                "XenServer",
            ),
        ),
        (
            {"osmappingcheckenabled": True, "hypervisor": "VMware", "hypervisorversion": "7.0"},
            (
                530,
                "No VMware hypervisor with version: 7.0 exists, please specify available hypervisor and version",
            ),
        ),
    ],
)
def test_names_that_are_refused(
    client: Client, my_os: dict[str, Any], params: dict[str, Any], error: tuple[int, str]
) -> None:
    request = {
        "hypervisor": "kvm",
        "hypervisorversion": "default",
        "osdisplayname": my_os["description"],
        "osnameforhypervisor": "b",
        **params,
    }
    assert client.refused("addGuestOsMapping", **request) == error


def test_nobody_tells_the_names_that_a_hypervisor_knows(client: Client) -> None:
    assert client.refused("getHypervisorGuestOsNames", hypervisor="KVM", hypervisorversion="1") == (
        431,
        "Guest OS names cannot be fetched for hypervisor: KVM, please specify a valid hypervisor : VMware, XenServer",
    )
    assert client.refused("getHypervisorGuestOsNames", hypervisor="xenserver", hypervisorversion="8") == (
        530,
        "No XenServer hypervisor with version: 8 exists, please specify available hypervisor and version",
    )
