"""What hangs on resources of the simulator: tags, details, annotations, events, keys, user data."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from cs_matrix_pytest.simulator import Simulator
from cs_matrix_pytest.simulator.call import Caller
from cs_matrix_pytest.simulator.errors import ApiError
from cs_matrix_pytest.simulator.models.iam import User
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.models.offerings import DiskOffering
from cs_matrix_pytest.simulator.models.storage import Volume

Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def ask(simulator: Simulator) -> Iterator[Ask]:
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
    for name in ("ann", "bob"):
        simulator.run(
            "createAccount",
            username=name,
            password="password",
            firstname="A",
            lastname="B",
            email="a@example.org",
            accounttype=0,
        )
    users = simulator.cloud.store.table(User)
    return {name: Caller(user) for name in ("admin", "ann", "bob") if (user := users.first(username=name))}


@pytest.fixture
def volume(simulator: Simulator, people: dict[str, Caller]) -> Volume:
    """A new volume of ann's."""
    store = simulator.cloud.store
    zone, offering = store.table(Zone).first(), store.table(DiskOffering).first()
    assert zone is not None
    assert offering is not None
    return store.add(
        Volume(
            account=people["ann"].account,
            name="v",
            zone=zone,
            type="DATADISK",
            size=1,
            state="Ready",
            disk_offering=offering,
        )
    )


def tags(**values: str) -> dict[str, str]:
    written: dict[str, str] = {}
    for index, (key, value) in enumerate(values.items()):
        written |= {f"tags[{index}].key": key, f"tags[{index}].value": value}
    return written


def tags_as_details(**values: str) -> dict[str, str]:
    return {name.replace("tags", "details"): text for name, text in tags(**values).items()}


class TestTags:
    def test_life(self, ask: Ask, volume: Volume) -> None:
        made = ask("createTags", resourceids=volume.id, resourcetype="volume", **tags(scope="outer", color="red"))
        assert made == {"success": True}
        rows = ask("listTags", resourcetype="Volume", resourceid=volume.id, listall="true")["tag"]
        assert {(row["key"], row["value"], row["account"]) for row in rows} == {
            ("scope", "outer", "ann"),
            ("color", "red", "ann"),
        }
        assert ask("listTags", key="SCOPE", value="outer", listall="true", resourceid=volume.id)["count"] == 1
        assert ask("listTags", key="scope", value="inner", listall="true", resourceid=volume.id) == {}
        assert ask("deleteTags", resourceids=volume.id, resourcetype="Volume", **tags(scope="outer")) == {
            "success": True
        }
        assert list(volume.tags) == ["color"]
        assert ask("deleteTags", resourceids=volume.id, resourcetype="Volume") == {"success": True}
        gone = ask("deleteTags", resourceids=volume.id, resourcetype="Volume")
        assert (gone["errorcode"], gone["errortext"]) == (530, "Failed to delete tags")

    def test_a_key_is_there_once_whatever_its_case(self, ask: Ask, volume: Volume) -> None:
        ask("createTags", resourceids=volume.id, resourcetype="Volume", **tags(scope="a"))
        again = ask("createTags", resourceids=volume.id, resourcetype="Volume", **tags(other="b", SCOPE="b"))
        assert again == {"errorcode": 530, "errortext": f"tag SCOPE already on Volume with id {volume.id}"}
        assert volume.tags == {"scope": "a"}

    def test_bad_values(self, ask: Ask, volume: Volume) -> None:
        for changes, text in (
            ({"resourcetype": "Toast"}, "Invalid resource type Toast"),
            ({"resourcetype": "Zone"}, "The resource type Zone doesn't support resource tags"),
            ({"resourceids": "nothing"}, "Unable to find resource by uuid nothing and type Volume"),
        ):
            params = {"resourceids": volume.id, "resourcetype": "Volume", **tags(a="b"), **changes}
            assert ask("createTags", **params)["errortext"] == text

    def test_others_may_not(self, simulator: Simulator, people: dict[str, Caller], volume: Volume) -> None:
        run = simulator.cloud.run
        params = {"resourceids": volume.id, "resourcetype": "Volume"}
        with pytest.raises(ApiError, match="Caller does not have permission to operate with provided resource"):
            run("createTags", people["bob"], **params, **tags(a="b"))
        run("createTags", people["ann"], **params, **tags(a="b"))
        assert run("listTags", people["ann"], resourceid=volume.id)["count"] == 1
        assert run("listTags", people["bob"], resourceid=volume.id) == {}
        with pytest.raises(ApiError, match="Caller does not have permission"):
            run("deleteTags", people["bob"], **params)

    def test_whose_they_are(self, ask: Ask) -> None:
        domain = ask("listDomains")["domain"][0]["id"]
        offering = ask("listVPCOfferings")["vpcoffering"][0]["id"]
        for kind, id, owner in (("Domain", domain, "admin"), ("VpcOffering", offering, "system")):
            ask("createTags", resourceids=id, resourcetype=kind, **tags(whose="x"))
            (tag,) = ask("listTags", key="whose", resourcetype=kind, listall="true")["tag"]
            assert (tag["account"], tag["domain"]) == (owner, "ROOT")
            ask("deleteTags", resourceids=id, resourcetype=kind)

    def test_customers(self, ask: Ask, volume: Volume) -> None:
        ask("createTags", resourceids=volume.id, resourcetype="Volume", customer="acme", **tags(theirs="1"))
        ask("createTags", resourceids=volume.id, resourcetype="Volume", **tags(ours="1"))
        (tag,) = ask("listTags", resourceid=volume.id, customer="ACME", listall="true")["tag"]
        assert (tag["key"], tag["customer"]) == ("theirs", "acme")
        rows = ask("listTags", resourceid=volume.id, listall="true")["tag"]
        assert [row.get("customer") for row in rows] == ["acme", None]

    def test_lists_go_by_type_from_the_end(self, ask: Ask, volume: Volume) -> None:
        vpc_offering = ask("listVPCOfferings")["vpcoffering"][0]["id"]
        ask("createTags", resourceids=volume.id, resourcetype="Volume", **tags(order="1"))
        ask("createTags", resourceids=vpc_offering, resourcetype="VpcOffering", **tags(order="1"))
        rows = ask("listTags", key="order", listall="true")["tag"]
        assert [row["resourcetype"] for row in rows] == ["VpcOffering", "Volume"]
        assert ask("listTags", resourcetype="Toast", listall="true") == {}

    def test_what_is_not_there_has_none_to_delete(self, ask: Ask, volume: Volume) -> None:
        for kind, id in (("Volume", "nothing"), ("Zone", volume.id), ("UserVm", volume.id)):
            gone = ask("deleteTags", resourceids=id, resourcetype=kind)
            assert (gone["errorcode"], gone["errortext"]) == (530, "Failed to delete tags")
        assert ask("deleteTags", resourceids=volume.id, resourcetype="Toast")["errortext"] == (
            "Invalid resource type Toast"
        )


class TestDetails:
    def test_life(self, ask: Ask, volume: Volume) -> None:
        params = {"resourceid": volume.id, "resourcetype": "Volume"}
        details = {"details[0].key": "a", "details[0].value": "1", "details[1].key": "b", "details[1].value": "2"}
        assert ask("addResourceDetail", **params, **details) == {"success": True}
        rows = ask("listResourceDetails", **params)["resourcedetail"]
        assert [(row["key"], row["value"]) for row in rows] == [("a", "1"), ("b", "2")]
        assert ask("listResourceDetails", resourcetype="Volume", key="b", value="2")["count"] == 1
        assert ask("removeResourceDetail", **params, key="a") == {"success": True}
        assert volume.details == {"b": "2"}
        assert ask("removeResourceDetail", **params) == {"success": True}
        assert ask("listResourceDetails", **params) == {}

    def test_bad_values(self, ask: Ask) -> None:
        assert "Insufficient parameters" in ask("listResourceDetails", resourcetype="Volume")["errortext"]
        wrong = ask("listResourceDetails", resourcetype="Domain", resourceid="1")
        assert (wrong["errorcode"], wrong["errortext"]) == (530, "ResourceType Domain doesn't support metadata")
        domain = ask("listDomains")["domain"][0]["id"]
        wrong = ask("addResourceDetail", resourcetype="Domain", resourceid=domain, **tags_as_details(a="1"))
        assert (wrong["errorcode"], wrong["errortext"]) == (530, "ResourceType Domain doesn't support metadata")

    def test_those_that_are_not_displayed(self, ask: Ask, volume: Volume) -> None:
        params = {"resourceid": volume.id, "resourcetype": "Volume"}
        ask("addResourceDetail", **params, fordisplay="false", **tags_as_details(a="1"))
        ask("addResourceDetail", **params, **tags_as_details(b="1"))

        def keys(**more: str) -> set[tuple[str, bool]]:
            rows = ask("listResourceDetails", **params, **more).get("resourcedetail", ())
            return {(row["key"], row["fordisplay"]) for row in rows}

        assert keys() == {("a", False), ("b", True)}
        assert keys(fordisplay="true") == {("b", True)}
        assert keys(key="A", fordisplay="false") == {("a", False)}
        ask("addResourceDetail", **params, **tags_as_details(A="2"))
        assert keys() == {("A", True), ("b", True)}
        ask("removeResourceDetail", **params)
        assert keys() == set()

    def test_of_storage_pools(self, ask: Ask) -> None:
        params = {"resourceid": ask("listStoragePools")["storagepool"][0]["id"], "resourcetype": "Storage"}
        assert ask("addResourceDetail", **params, **tags_as_details(a="1")) == {"success": True}
        assert ask("listResourceDetails", **params)["resourcedetail"][0]["resourcetype"] == "Storage"


class TestAnnotations:
    def test_life(self, ask: Ask) -> None:
        host = ask("listHosts", type="Routing")["host"][0]
        params = {"entityid": host["id"], "entitytype": "HOST"}
        made = ask("addAnnotation", annotation="look here", **params)["annotation"]
        assert (made["entityname"], made["adminsonly"]) == (host["name"], False)
        assert ask("listAnnotations", **params, keyword="LOOK")["count"] == 1
        changed = ask("updateAnnotationVisibility", id=made["id"], adminsonly="true")["annotation"]
        assert changed["adminsonly"] is True
        assert ask("removeAnnotation", id=made["id"])["annotation"]["id"] == made["id"]
        assert ask("listAnnotations", **params) == {}

    def test_views_tell_of_them(self, ask: Ask) -> None:
        offering = ask("listServiceOfferings")["serviceoffering"][0]
        made = ask("addAnnotation", annotation="x", entityid=offering["id"], entitytype="SERVICE_OFFERING")[
            "annotation"
        ]
        assert ask("listServiceOfferings", id=offering["id"])["serviceoffering"][0]["hasannotations"] is True
        ask("removeAnnotation", id=made["id"])
        assert ask("listServiceOfferings", id=offering["id"])["serviceoffering"][0]["hasannotations"] is False

    def test_one_by_its_id_takes_its_users_id_as_well(self, ask: Ask, volume: Volume) -> None:
        on = {"entityid": volume.id, "entitytype": "VOLUME"}
        for admins_only, found in (("true", 1), ("false", None)):
            made = ask("addAnnotation", annotation="x", adminsonly=admins_only, **on)["annotation"]
            assert ask("listAnnotations", id=made["id"]) == {}
            assert ask("listAnnotations", id=made["id"], userid=made["userid"]).get("count") == found
            assert ask("listAnnotations", id=made["id"], entitytype="VOLUME")["errortext"] == (
                "I can search for an annotation on an entity or for a specific annotation, not both"
            )

    def test_they_go_with_what_they_are_on(self, ask: Ask, volume: Volume) -> None:
        ask("addAnnotation", annotation="x", entityid=volume.id, entitytype="VOLUME")
        assert ask("listAnnotations", entityid=volume.id)["count"] == 1
        ask("deleteVolume", id=volume.id)
        assert ask("listAnnotations", entityid=volume.id) == {}

    def test_an_unknown_kind(self, ask: Ask) -> None:
        assert ask("listAnnotations", entitytype="BLA") == {}
        wrong = ask("addAnnotation", annotation="x", entityid="y", entitytype="BLA")
        assert (wrong["errorcode"], wrong["cserrorcode"], wrong["errortext"]) == (
            530,
            9999,
            "'BLA' is not a valid EntityType to put annotations on",
        )

    def test_users_keep_to_their_own_kinds(
        self, simulator: Simulator, people: dict[str, Caller], volume: Volume
    ) -> None:
        run, ann = simulator.cloud.run, people["ann"]
        host = simulator.run("listHosts", type="Routing")["host"][0]["id"]
        with pytest.raises(ApiError, match="please contact your system administrator"):
            run("addAnnotation", ann, annotation="x", entityid=host, entitytype="HOST")
        made = run("addAnnotation", ann, annotation="x", entityid=volume.id, entitytype="VOLUME")["annotation"]
        assert made["username"] == "ann"
        with pytest.raises(ApiError, match="please contact your system administrator"):
            run("removeAnnotation", people["bob"], id=made["id"])
        assert made["id"] in [row["id"] for row in run("listAnnotations", people["ann"])["annotation"]]
        assert run("listAnnotations", people["bob"]) == {}
        run("updateAnnotationVisibility", id=made["id"], adminsonly=True)
        assert run("listAnnotations", people["bob"], entityid=volume.id, entitytype="VOLUME") == {}


class TestEvents:
    def test_of_a_synchronous_command(self, ask: Ask) -> None:
        ask("createDiskOffering", name="eventful", disksize=1)
        rows = ask("listEvents", type="DISK.OFFERING.CREATE", listall="true")["event"]
        assert [(row["state"], row["description"]) for row in rows[-2:]] == [
            ("Started", "creating disk offering"),
            ("Completed", "Successfully completed creating disk offering"),
        ]

    def test_of_a_job(self, ask: Ask, volume: Volume) -> None:
        ask("createTags", resourceids=volume.id, resourcetype="Volume", **tags(a="b"))
        ask("createTags", resourceids=volume.id, resourcetype="Volume", **tags(a="b"))
        rows = ask("listEvents", type="CREATE_TAGS", listall="true", keyword="error")["event"]
        assert {(row["state"], row["level"]) for row in rows} == {("Completed", "ERROR")}
        first = ask("listEvents", type="CREATE_TAGS", listall="true", id=rows[-1]["parentid"])["event"][0]
        assert first["state"] == "Scheduled"
        assert ask("listEvents", listall="true", startid=first["id"])["count"] == 3

    def test_filters(self, ask: Ask) -> None:
        assert ask("listEvents", listall="true", startdate="2000-01-01", enddate="2000-01-02") == {}
        assert ask("listEvents", listall="true", level="ERROR", type="ZONE.CREATE") == {}
        assert ask("listEvents", state="Odd")["errortext"] == "Invalid state specified: Odd"
        assert "must be used with resourcetype" in ask("listEvents", resourceid="x")["errortext"]
        assert ask("listEventTypes")["count"] == 574

    def test_archiving_and_deleting(self, ask: Ask) -> None:
        ask("createDiskOffering", name="old", disksize=1)
        query = {"type": "DISK.OFFERING.CREATE", "listall": "true"}
        ids = [row["id"] for row in ask("listEvents", **query)["event"]]
        assert ask("archiveEvents", ids=ids[0]) == {"success": True}
        assert ask("listEvents", **query).get("count", 0) == len(ids) - 1
        assert ask("listEvents", **query, archived="true")["count"] == 1
        assert "invalid values" in ask("archiveEvents", ids=ids[0])["errortext"]
        assert ask("deleteEvents", ids=ids[1]) == {"success": True}
        assert ask("listEvents", **query).get("count", 0) == len(ids) - 2
        assert "must be specified" in ask("deleteEvents")["errortext"]


class TestKeys:
    def test_created_ones(self, simulator: Simulator, people: dict[str, Caller]) -> None:
        run, ann = simulator.cloud.run, people["ann"]
        made = run("createSSHKeyPair", ann, name="mine")["keypair"]
        assert made["privatekey"].startswith("-----BEGIN RSA PRIVATE KEY-----")
        assert len(made["fingerprint"].split(":")) == 16
        listed = run("listSSHKeyPairs", ann, name="mine")["sshkeypair"][0]
        assert "privatekey" not in listed
        assert run("listSSHKeyPairs", people["bob"]) == {}
        with pytest.raises(ApiError, match="A key pair with name 'mine' already exists"):
            run("createSSHKeyPair", ann, name="mine")
        run("deleteSSHKeyPair", ann, name="mine")
        with pytest.raises(ApiError, match="A key pair with name 'mine' does not exist for account ann"):
            run("deleteSSHKeyPair", ann, name="mine")

    def test_registered_ones(self, simulator: Simulator, people: dict[str, Caller]) -> None:
        run, ann = simulator.cloud.run, people["ann"]
        key = "ssh-rsa " + base64.b64encode(b"some key").decode()
        made = run("registerSSHKeyPair", ann, name="given", publickey=f"{key} ann@home")["keypair"]
        assert made["fingerprint"] == "cd:52:95:1f:7c:0d:c0:85:0f:2c:6c:9c:b7:be:94:74"
        with pytest.raises(ApiError, match="already exists for this account"):
            run("registerSSHKeyPair", ann, name="twice", publickey=key)
        with pytest.raises(ApiError, match="Public key is invalid"):
            run("registerSSHKeyPair", ann, name="bad", publickey="nonsense")


class TestUserData:
    def test_life(self, simulator: Simulator, people: dict[str, Caller]) -> None:
        run, ann = simulator.cloud.run, people["ann"]
        made = run("registerUserData", ann, name="boot", userdata="VGVzdFVzZXJEYXRh", params="host")["userdata"]
        assert (made["userdata"], made["params"], made["account"]) == ("VGVzdFVzZXJEYXRh", "host", "ann")
        assert run("listUserData", ann)["count"] == 1
        assert run("listUserData", people["bob"]) == {}
        with pytest.raises(ApiError, match="A userdata with name boot already exists"):
            run("registerUserData", ann, name="boot", userdata="eA==")
        with pytest.raises(ApiError, match="with same content already exists"):
            run("registerUserData", ann, name="other", userdata="VGVzdFVzZXJEYXRh")
        with pytest.raises(ApiError, match="User data is not base64 encoded"):
            run("registerUserData", ann, name="other", userdata="!!")

        template = simulator.run("listTemplates", templatefilter="featured")["template"][0]["id"]
        linked = simulator.run("linkUserDataToTemplate", templateid=template, userdataid=made["id"])["template"]
        assert (linked["userdataname"], linked["userdatapolicy"]) == ("boot", "ALLOWOVERRIDE")
        with pytest.raises(ApiError, match="linked to active template"):
            simulator.run("deleteUserData", id=made["id"], account="ann", domainid=people["ann"].account.domain.id)
        assert "userdataid" not in simulator.run("linkUserDataToTemplate", templateid=template)["template"]
        run("deleteUserData", ann, id=made["id"])
        assert run("listUserData", ann) == {}
