"""Templates, ISOs and OS types of the simulator, asked over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from cs_matrix_pytest.environments.model import Fault
from cs_matrix_pytest.simulator import Simulator
from cs_matrix_pytest.simulator.call import Caller
from cs_matrix_pytest.simulator.errors import ApiError
from cs_matrix_pytest.simulator.models.iam import Account, User
from cs_matrix_pytest.simulator.models.images import Template
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.models.offerings import DiskOffering
from cs_matrix_pytest.simulator.models.storage import Volume

URL = "http://images.example.org/tiny.vhd.bz2"


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


@pytest.fixture(scope="module")
def people(simulator: Simulator) -> dict[str, Caller]:
    """Users ``ann`` and ``bob`` of a domain, its admin ``boss``, and the root admin."""
    domain = simulator.run("createDomain", name="pictures")["domain"]["id"]
    for name, kind in (("ann", 0), ("bob", 0), ("boss", 2)):
        simulator.run(
            "createAccount",
            username=name,
            password="password",
            firstname="A",
            lastname="B",
            email="a@example.org",
            domainid=domain,
            accounttype=kind,
        )
    users = simulator.cloud.store.table(User)
    return {name: Caller(user) for name in ("admin", "ann", "bob", "boss") if (user := users.first(username=name))}


@pytest.fixture(scope="module")
def facts(simulator: Simulator) -> dict[str, str]:
    """The ids that most requests need."""
    return {
        "zoneid": simulator.run("listZones")["zone"][0]["id"],
        "ostypeid": simulator.run("listOsTypes", description="CentOS 7")["ostype"][0]["id"],
    }


def register(simulator: Simulator, facts: dict[str, str], caller: Caller, name: str, **changes: Any) -> dict[str, Any]:
    params = {"name": name, "displaytext": name, "format": "VHD", "hypervisor": "simulator", "url": URL}
    rows: list[dict[str, Any]] = simulator.cloud.run("registerTemplate", caller, **{**params, **facts, **changes})[
        "template"
    ]
    return rows[0]


def names(simulator: Simulator, caller: Caller, filter_name: str, **params: Any) -> set[str]:
    rows = simulator.cloud.run("listTemplates", caller, templatefilter=filter_name, **params)
    return {row["name"] for row in rows.get("template", ())}


def test_a_zone_has_the_templates_of_its_hypervisor(ask: Callable[..., dict[str, Any]], facts: dict[str, str]) -> None:
    featured = ask("listTemplates", templatefilter="featured", zoneid=facts["zoneid"])
    assert featured["count"] == 1
    row = featured["template"][0]
    assert row["name"] == "CentOS 5.6 (64-bit) no GUI (Simulator)"
    assert (row["isready"], row["status"], row["templatetype"]) == (True, "Download Complete", "BUILTIN")
    assert row["downloaddetails"][0]["downloadState"] == "DOWNLOADED"
    both = {row["templatetype"] for row in ask("listTemplates", templatefilter="all")["template"]}
    assert both == {"BUILTIN", "SYSTEM"}


def test_without_hypervisors_no_template_is_listed() -> None:
    assert Simulator(ready=False).run("listTemplates", templatefilter="all") == {}


@pytest.mark.parametrize("hypervisor", ["kvm", "vmware", "xenserver"])
def test_every_hypervisor_has_its_own(hypervisor: str) -> None:
    rows = Simulator(hypervisor=hypervisor).run("listTemplates", templatefilter="all")["template"]
    assert {row["templatetype"] for row in rows} == {"SYSTEM", "BUILTIN"}
    assert {row["hypervisor"].lower() for row in rows} == {hypervisor}


def test_registering(simulator: Simulator, people: dict[str, Caller], facts: dict[str, str]) -> None:
    row = register(simulator, facts, people["admin"], "fresh", ispublic=True, templatetag="fast")
    assert (row["isready"], row["size"], row["templatetag"]) == (True, 5242880, "fast")
    assert row["zoneid"] == facts["zoneid"]
    changed = simulator.run("updateTemplate", id=row["id"], name="older", isdynamicallyscalable=True)["template"]
    assert (changed["name"], changed["isdynamicallyscalable"]) == ("older", True)
    assert simulator.run("deleteTemplate", id=row["id"]) == {"success": True}
    with pytest.raises(ApiError, match="Unable to find Template/ISO with specified id"):
        simulator.run("updateTemplate", id=row["id"], name="gone")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"url": "ftp://images.example.org/tiny.vhd"}, "Unsupported scheme for url"),
        ({"url": "http://images.example.org/tiny.qcow2"}, "is an invalid for the format vhd"),
        ({"url": "http://images.example.org/tiny.doc"}, "Please specify a valid vhd"),
        ({"hypervisor": "toaster"}, "Hypervisor Type: toaster is invalid."),
        ({"zoneid": "-1"}, "can only be owned a Root Admin account"),
        ({"templatetag": "fast"}, "Parameter templatetag can only be specified by a Root Admin"),
        ({"templatetype": "ROUTING"}, "Users can not register Template with template type ROUTING."),
        ({"directdownload": True}, "Parameter directdownload is only allowed for KVM"),
    ],
)
def test_registering_refuses(
    simulator: Simulator, people: dict[str, Caller], facts: dict[str, str], changes: dict[str, Any], text: str
) -> None:
    with pytest.raises(ApiError, match=text):
        register(simulator, facts, people["ann"], "odd", **changes)


def test_who_sees_what(simulator: Simulator, people: dict[str, Caller], facts: dict[str, str]) -> None:
    ann, bob, boss, admin = (people[name] for name in ("ann", "bob", "boss", "admin"))
    private = register(simulator, facts, ann, "ann-private")
    register(simulator, facts, ann, "ann-public", ispublic=True)
    assert names(simulator, ann, "self") == {"ann-private", "ann-public"}
    assert names(simulator, bob, "self") == set()
    assert "ann-public" in names(simulator, bob, "community")
    assert names(simulator, bob, "executable") >= {"ann-public"}
    assert "ann-private" not in names(simulator, bob, "executable")
    assert names(simulator, boss, "all") >= {"ann-private", "ann-public"}
    assert names(simulator, admin, "all") >= {"ann-private", "ann-public"}
    with pytest.raises(ApiError, match="Filter all can be specified by admin only"):
        names(simulator, ann, "all")
    with pytest.raises(ApiError, match="does not have permission to launch instances from template"):
        names(simulator, bob, "executable", id=private["id"])

    simulator.cloud.run("updateTemplatePermissions", ann, id=private["id"], op="add", accounts="bob")
    assert names(simulator, bob, "sharedexecutable") == {"ann-private"}
    permissions = simulator.cloud.run("listTemplatePermissions", ann, id=private["id"])["templatepermission"]
    assert permissions["account"] == ["bob", "ann"]
    with pytest.raises(ApiError, match="Account not found"):
        simulator.cloud.run("updateTemplatePermissions", ann, id=private["id"], op="add", accounts="nobody")
    simulator.cloud.run("updateTemplatePermissions", ann, id=private["id"], op="reset")
    assert names(simulator, bob, "sharedexecutable") == set()


def test_public_templates_are_changed_by_their_owner_alone(
    simulator: Simulator, people: dict[str, Caller], facts: dict[str, str]
) -> None:
    public = register(simulator, facts, people["ann"], "hands-off", ispublic=True)
    with pytest.raises(ApiError, match="can modify only their own Public Templates"):
        simulator.cloud.run("updateTemplate", people["bob"], id=public["id"], name="mine")
    # A refused permission within a job is an internal error to the API.
    with pytest.raises(ApiError, match="can modify only their own Public Templates") as refused:
        simulator.cloud.run("deleteTemplate", people["bob"], id=public["id"])
    assert refused.value.code == 530


def test_only_insiders_see_the_source(simulator: Simulator, people: dict[str, Caller], facts: dict[str, str]) -> None:
    public = register(simulator, facts, people["ann"], "source", ispublic=True)
    mine = simulator.cloud.run("listTemplates", people["ann"], templatefilter="self", id=public["id"])["template"][0]
    theirs = simulator.cloud.run("listTemplates", people["bob"], templatefilter="executable", id=public["id"])[
        "template"
    ][0]
    assert mine["url"] == URL
    assert not {"url", "status"} & set(theirs)
    assert "datastoreId" not in mine["downloaddetails"][0]


def a_volume(simulator: Simulator, owner: Account) -> Volume:
    cloud = simulator.cloud
    zone, source = cloud.store.table(Zone).first(), cloud.store.table(Template).first(template_type="BUILTIN")
    assert zone is not None
    offering = cloud.store.table(DiskOffering).first()
    assert offering is not None
    return cloud.store.add(
        Volume(
            account=owner,
            name="v",
            zone=zone,
            type="ROOT",
            size=7 * 1024**3,
            state="Ready",
            template=source,
            disk_offering=offering,
        )
    )


def test_a_template_from_a_volume(simulator: Simulator, people: dict[str, Caller], facts: dict[str, str]) -> None:
    volume = a_volume(simulator, people["ann"].account)
    row = simulator.cloud.run(
        "createTemplate",
        people["ann"],
        name="from-disk",
        displaytext="d",
        ostypeid=facts["ostypeid"],
        volumeid=volume.id,
    )["template"]
    assert (row["size"], row["format"], row["account"], row["isready"]) == (7 * 1024**3, "RAW", "ann", True)
    assert volume.template is not None
    assert row["sourcetemplateid"] == volume.template.id


def test_a_template_needs_one_source(simulator: Simulator, people: dict[str, Caller], facts: dict[str, str]) -> None:
    with pytest.raises(ApiError, match="neither volume ID nor Snapshot ID were specified"):
        simulator.cloud.run("createTemplate", people["ann"], name="x", displaytext="d", ostypeid=facts["ostypeid"])


def test_a_failed_creation_leaves_nothing(
    simulator: Simulator, people: dict[str, Caller], facts: dict[str, str]
) -> None:
    volume = a_volume(simulator, people["ann"].account)
    simulator.cloud.order_faults({"createTemplate": Fault(fail=True)})
    try:
        with pytest.raises(ApiError):
            simulator.cloud.run(
                "createTemplate",
                people["ann"],
                name="never",
                displaytext="d",
                ostypeid=facts["ostypeid"],
                volumeid=volume.id,
            )
    finally:
        simulator.cloud.order_faults({})
    assert "never" not in names(simulator, people["admin"], "all")


def test_extracting(simulator: Simulator, people: dict[str, Caller], facts: dict[str, str]) -> None:
    closed = register(simulator, facts, people["ann"], "closed")
    with pytest.raises(ApiError, match="as it's not extractable"):
        simulator.cloud.run("extractTemplate", people["ann"], id=closed["id"], mode="HTTP_DOWNLOAD")
    body = simulator.cloud.run("extractTemplate", people["admin"], id=closed["id"], mode="HTTP_DOWNLOAD")["template"]
    assert body["accountid"] == people["ann"].account.id
    assert "created" not in body
    assert body["state"] == "DOWNLOAD_URL_CREATED"
    assert body["url"].endswith(f"{closed['id']}.vhd")


def test_lists_show_details_unless_they_are_for_less(
    ask: Callable[..., dict[str, Any]], simulator: Simulator, people: dict[str, Caller], facts: dict[str, str]
) -> None:
    id = register(simulator, facts, people["admin"], "detailed", **{"details[0].a": "b"})["id"]
    of = {"templatefilter": "all", "id": id}
    assert ask("listTemplates", **of, details="all")["template"][0]["details"] == {"a": "b"}
    assert "details" not in ask("listTemplates", **of, details="min")["template"][0]
    assert ask("listTemplates", **of, details="min,most")["errortext"] == (
        "The details parameter contains a non permitted value. The allowed values are [all, resource, min]"
    )


def test_removed_ones_are_listed_where_they_are_asked_for(
    ask: Callable[..., dict[str, Any]], simulator: Simulator, people: dict[str, Caller], facts: dict[str, str]
) -> None:
    id = register(simulator, facts, people["admin"], "short-lived")["id"]
    ask("deleteTemplate", id=id)
    assert ask("listTemplates", templatefilter="all", id=id) == {}
    (row,) = ask("listTemplates", templatefilter="all", id=id, showremoved="true")["template"]
    assert (row["id"], row["isready"], row.get("zoneid")) == (id, False, None)


def test_what_is_said_of_a_template_that_is_gone(
    ask: Callable[..., dict[str, Any]], simulator: Simulator, people: dict[str, Caller], facts: dict[str, str]
) -> None:
    id = register(simulator, facts, people["admin"], "gone")["id"]
    ask("deleteTemplate", id=id)
    updated = ask("updateTemplate", id=id, name="x")
    assert updated["errortext"] == "Unable to find Template/ISO with specified id"
    (named,) = updated["uuidList"]
    assert named["description"] == "templateId"
    number = named["uuid"]
    for command, params, text in (
        ("extractTemplate", {"mode": "HTTP_DOWNLOAD"}, f"Unable to find TEMPLATE with id {number}"),
        ("deleteTemplate", {}, f"Unable to find Template with id {number}"),
        ("copyTemplate", {"destzoneid": facts["zoneid"]}, "Unable to find Template with id"),
        ("updateTemplatePermissions", {"ispublic": "true"}, f"unable to find  with id {number}"),
    ):
        assert ask(command, id=id, **params)["errortext"] == text


@pytest.mark.parametrize("command", ["listTemplates", "listIsos", "listOsCategories", "listVirtualMachines"])
def test_an_architecture_is_one_that_there_is(ask: Callable[..., dict[str, Any]], command: str) -> None:
    wrong = ask(command, templatefilter="all", arch="toast")
    assert (wrong["errorcode"], wrong["cserrorcode"]) == (431, 9999)
    assert wrong["errortext"] == "Unsupported arch type: toast"


def test_system_templates_stay(simulator: Simulator) -> None:
    system = simulator.cloud.store.table(Template).first(template_type="SYSTEM", hypervisor="Simulator")
    assert system is not None
    with pytest.raises(ApiError, match="as it is a SYSTEM template"):
        simulator.run("deleteTemplate", id=system.id, forced=True)


def test_isos(ask: Callable[..., dict[str, Any]], facts: dict[str, str], simulator: Simulator) -> None:
    tools = ask("listIsos", isofilter="all")["iso"]
    assert [(row["name"], row["isready"]) for row in tools] == [("xs-tools.iso", True)]
    domain = simulator.cloud.admin_user.account.domain.id
    params = {"name": "disc", "displaytext": "disc", "account": "admin", "domainid": domain}
    wrong = ask("registerIso", url="http://images.example.org/disc.vhd", **params, **facts)
    assert "is an invalid for the format iso" in wrong["errortext"]
    url = "http://images.example.org/disc.iso"
    assert (
        ask("registerIso", url=url, **params, zoneid=facts["zoneid"])["errortext"] == "Please pass a valid GuestOS ID"
    )
    iso = ask("registerIso", url=url, **params, **facts, isfeatured="true", ispublic="true")["iso"][0]
    assert (iso["isready"], iso["bootable"], iso["isfeatured"]) == (True, True, True)
    assert ask("listIsos", isofilter="featured", name="disc")["count"] == 1
    assert (
        "Specified Template Id is not an ISO"
        in ask("listIsos", isofilter="all", id=ask("listTemplates", templatefilter="featured")["template"][0]["id"])[
            "errortext"
        ]
    )
    assert ask("updateIso", id=iso["id"], displaytext="new")["iso"]["displaytext"] == "new"
    assert ask("updateIsoPermissions", id=iso["id"], isfeatured="false") == {"success": True}
    assert ask("listIsos", isofilter="featured", name="disc") == {}
    assert ask("deleteIso", id=iso["id"]) == {"success": True}


def test_a_hypervisor_that_nobody_knows_filters_nothing(ask: Callable[..., dict[str, Any]]) -> None:
    every = ask("listTemplates", templatefilter="all")["count"]
    assert ask("listTemplates", templatefilter="all", hypervisor="toaster")["count"] == every
    assert ask("listTemplates", templatefilter="all", hypervisor="kvm") == {}
    assert ask("listIsos", isofilter="all", hypervisor="simulator") == {}


def test_a_new_os_category_knows_when_it_was_created(ask: Callable[..., dict[str, Any]]) -> None:
    made = ask("addOsCategory", name="Mine")["oscategory"]
    assert made == {"id": made["id"], "name": "Mine", "isfeatured": False}
    listed = {row["name"]: row for row in ask("listOsCategories")["oscategory"]}
    assert "created" in listed["Mine"]
    assert "created" not in listed["CentOS"]
    assert "created" in ask("updateOsCategory", id=made["id"], name="Yours")["oscategory"]
    assert ask("deleteOsCategory", id=made["id"]) == {"success": True}


def test_os_types(ask: Callable[..., dict[str, Any]]) -> None:
    assert ask("listOsTypes")["count"] == 375
    assert ask("listOsCategories")["count"] == 11
    category = ask("listOsCategories", name="CentOS")["oscategory"][0]
    rows = ask("listOsTypes", oscategoryid=category["id"])["ostype"]
    assert {row["oscategoryname"] for row in rows} == {"CentOS"}
    made = ask("addGuestOs", osdisplayname="Own OS", oscategoryid=category["id"])["ostype"]
    assert made["isuserdefined"] is True
    assert "already exists" in ask("addGuestOs", osdisplayname="Own OS", oscategoryid=category["id"])["errortext"]
    assert ask("removeGuestOs", id=made["id"]) == {"success": True}
    assert "system defined" in ask("removeGuestOs", id=rows[0]["id"])["errortext"]
