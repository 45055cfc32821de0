"""Resource limits: what counts, what holds, and what the answers say of both."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from cs_matrix_pytest.simulator.cloud import Cloud
from cs_matrix_pytest.simulator.errors import ApiError, ResourceLimitExceeded
from cs_matrix_pytest.simulator.limits import GIB, RESOURCE_TYPES, UNLIMITED, readable
from cs_matrix_pytest.simulator.models.iam import Account, Domain
from cs_matrix_pytest.simulator.models.images import Template
from cs_matrix_pytest.simulator.models.offerings import DiskOffering, ServiceOffering
from cs_matrix_pytest.simulator.models.storage import Volume
from cs_matrix_pytest.simulator.models.vm import UserVm

PERSON = {"password": "x", "firstname": "f", "lastname": "l", "email": "e@x.org"}


class Limited:
    """A cloud with the domains d1 and d1/d11, an account in each, and a project of the first."""

    def __init__(self) -> None:
        self.cloud = Cloud()
        self.d1 = self.domain("d1")
        self.d11 = self.domain("d11", self.d1)
        self.alice, self.bob = self.account("alice", self.d1), self.account("bob", self.d11)
        project = self.cloud.run("createProject", name="p1", account="alice", domainid=self.d1.id)["project"]
        self.project_id = project["id"]
        self.project = self.found(Account, name=project["projectaccountname"])
        disk = DiskOffering(name="disk", display_text="disk", storage_tags=["ssd"])
        self.offering = ServiceOffering(name="small", display_text="small", disk_offering=disk, host_tags=["fast"])

    def found(self, kind: type[Any], **attributes: object) -> Any:
        return self.cloud.store.table(kind).first(**attributes)

    def domain(self, name: str, parent: Domain | None = None) -> Domain:
        where = {"parentdomainid": parent.id} if parent else {}
        self.cloud.run("createDomain", name=name, **where)
        return self.found(Domain, name=name)  # type: ignore[no-any-return]

    def account(self, name: str, domain: Domain) -> Account:
        self.cloud.run("createAccount", username=name, accounttype=0, domainid=domain.id, **PERSON)
        return self.found(Account, name=name)  # type: ignore[no-any-return]

    def vm(self, account: Account, **values: Any) -> UserVm:
        """A VM, as the store has it once it is deployed."""
        template = dataclasses.replace(self.found(Template), template_tag=values.pop("template_tag", None))
        zone: Any = None
        given = {"state": "Running", "cpu_number": 2, "cpu_speed": 100, "memory": 512, **values}
        return self.cloud.store.add(
            UserVm(
                account=account,
                name="vm",
                display_name="vm",
                zone=zone,
                service_offering=self.offering,
                template=template,
                **given,
            )
        )

    def volume(self, account: Account, size: int, **values: Any) -> Volume:
        zone: Any = None
        given = {"type": "DATADISK", "state": "Ready", "disk_offering": self.offering.disk_offering, **values}
        return self.cloud.store.add(Volume(account=account, name="volume", zone=zone, size=size, **given))

    def set_limit(self, **params: Any) -> dict[str, Any]:
        limit: dict[str, Any] = self.cloud.run("updateResourceLimit", **params)["resourcelimit"]
        return limit


@pytest.fixture
def limited() -> Limited:
    return Limited()


def test_vms_count_until_they_are_destroyed(limited: Limited) -> None:
    for state in ("Running", "Stopped", "Starting", "Migrating", "Destroyed", "Expunging", "Error"):
        limited.vm(limited.alice, state=state)
    limited.vm(limited.alice, display=False)
    count = limited.cloud.limits.count
    assert (count(limited.alice, "user_vm"), count(limited.alice, "cpu"), count(limited.alice, "memory")) == (
        4,
        8,
        2048,
    )
    limited.cloud.configuration.settings["resource.count.running.vms.only"].value = "true"
    assert count(limited.alice, "user_vm") == 3


def test_a_domain_counts_what_is_below_it(limited: Limited) -> None:
    limited.vm(limited.alice)
    limited.vm(limited.bob)
    limited.vm(limited.project)
    count = limited.cloud.limits.count
    assert (count(limited.d1, "user_vm"), count(limited.d11, "user_vm")) == (3, 1)
    assert limited.cloud.limits.totals("user_vm")[limited.d1.id] == 3
    assert count(limited.d1, "project") == 1


def test_storage_is_counted_in_bytes_and_shown_in_gibibytes(limited: Limited) -> None:
    limited.volume(limited.alice, 3 * GIB)
    limited.volume(limited.alice, 2 * GIB, state="Destroy")
    limited.volume(limited.alice, GIB, state="Uploaded")
    assert limited.cloud.limits.count(limited.alice, "primary_storage") == 3 * GIB
    assert limited.cloud.limits.count(limited.alice, "volume") == 2
    shown = limited.cloud.run("listAccounts", id=limited.alice.id)["account"][0]
    assert [shown[f"primarystorage{what}"] for what in ("limit", "total", "available")] == ["200", 3, "197"]
    assert [shown[f"secondarystorage{what}"] for what in ("limit", "total", "available")] == ["400", 1.0, "399.0"]


@pytest.mark.parametrize(
    ("owner", "kind", "limit"),
    [
        ("alice", "user_vm", 20),
        ("alice", "primary_storage", 200 * GIB),
        ("project", "cpu", 40),
        ("project", "project", UNLIMITED),
        ("d1", "user_vm", UNLIMITED),
        ("d1", "gpu", 20),
        ("d1", "backup_storage", 800 * GIB),
    ],
)
def test_defaults_come_from_the_configuration(limited: Limited, owner: str, kind: str, limit: int) -> None:
    assert limited.cloud.limits.limit(getattr(limited, owner), kind) == limit


def test_nothing_limits_root_and_its_admins(limited: Limited) -> None:
    limits = limited.cloud.limits
    for kind in RESOURCE_TYPES:
        assert limits.limit(limited.cloud.admin_user.account, kind.name) == UNLIMITED
        assert limits.limit(limited.cloud.system_account.domain, kind.name) == UNLIMITED


def test_a_domain_without_a_limit_has_its_ancestors(limited: Limited) -> None:
    limited.set_limit(domainid=limited.d1.id, resourcetype=0, max=7)
    assert limited.cloud.limits.limit(limited.d11, "user_vm") == 7


def test_an_account_at_its_limit(limited: Limited) -> None:
    limited.set_limit(account="alice", domainid=limited.d1.id, resourcetype=0, max=1)
    limited.cloud.limits.check(limited.alice, "user_vm")
    limited.vm(limited.alice)
    with pytest.raises(ResourceLimitExceeded) as caught:
        limited.cloud.limits.check(limited.alice, "user_vm")
    assert (caught.value.code, caught.value.cs_code) == (535, 4370)
    assert caught.value.text == (
        f"Maximum amount of resources of Type = 'user_vm', tag = 'null' for Account Name = alice in Domain Id = "
        f"{limited.d1.number} is exceeded: Account Resource Limit = 1, Current Account Resource Amount = 1, Current "
        "Account Resource Reservation = 0, Requested Resource Amount = 1."
    )
    assert limited.cloud.limits.available(limited.alice, "user_vm") == 0


def test_a_domain_at_its_limit_holds_for_those_below(limited: Limited) -> None:
    limited.set_limit(domainid=limited.d1.id, resourcetype=9, max=1000)
    limited.vm(limited.alice)
    with pytest.raises(ResourceLimitExceeded) as caught:
        limited.cloud.limits.check(limited.bob, "memory", 512)
    assert caught.value.text == (
        f"Maximum domain resource limits of Type 'memory' for Domain Id = {limited.d1.id} is exceeded: Domain Resource "
        "Limit = 1000, Current Domain Resource Amount = 512, Current Resource Reservation = 0, Requested Resource "
        "Amount = 512."
    )
    limited.cloud.limits.check(limited.bob, "memory", 488)


def test_a_project_at_its_limit_is_named(limited: Limited) -> None:
    limited.set_limit(projectid=limited.project_id, resourcetype=10, max=1)
    with pytest.raises(ResourceLimitExceeded) as caught:
        limited.cloud.limits.check(limited.project, "primary_storage", 2 * GIB)
    assert "for Project Name = p1 in Domain Id" in caught.value.text
    assert "Account Resource Limit = (1.00 GB) 1073741824," in caught.value.text
    assert "Reservation = (0 bytes) 0, Requested Resource Amount = (2.00 GB) 2147483648." in caught.value.text


def test_a_member_of_many_projects_has_a_limit_of_them(limited: Limited) -> None:
    limited.set_limit(account="alice", domainid=limited.d1.id, resourcetype=5, max=1)
    with pytest.raises(ApiError, match="Type = 'project'"):
        limited.cloud.run("createProject", name="p2", account="alice", domainid=limited.d1.id)


def test_limits_per_tag(limited: Limited) -> None:
    settings = limited.cloud.configuration.settings
    settings["resource.limit.host.tags"].value, settings["resource.limit.storage.tags"].value = "fast,slow", "ssd"
    limits = limited.cloud.limits
    template = limited.vm(limited.alice, template_tag="slow").template
    assert limits.host_tags(limited.offering, template) == ["fast", "slow"]
    assert limits.storage_tags(limited.offering.disk_offering) == ["ssd"]
    row = limited.set_limit(account="alice", domainid=limited.d1.id, resourcetype=0, tag="fast", max=1)
    assert (row["max"], row["tag"]) == (1, "fast")
    assert limits.count(limited.alice, "user_vm", "slow") == 1
    limits.check(limited.alice, "user_vm")
    with pytest.raises(ResourceLimitExceeded, match=r"Type = 'user_vm', tag = 'fast'"):
        limits.check(limited.alice, "user_vm", tags=["fast"])
    limited.set_limit(domainid=limited.d1.id, resourcetype=2, tag="ssd", max=0)
    with pytest.raises(ResourceLimitExceeded, match=r"of Type 'volume \(tag: ssd\)'"):
        limits.check(limited.bob, "volume", tags=["ssd"])
    shown = limited.cloud.run("listAccounts", id=limited.alice.id)["account"][0]["taggedresources"]
    assert {
        "resourcetype": 0,
        "resourcetypename": "user_vm",
        "tag": "fast",
        "limit": 1,
        "total": 1,
        "available": 0,
    } in shown
    assert len(shown) == 2 * 4 + 2
    listed = limited.cloud.run("listResourceLimits", account="alice", domainid=limited.d1.id, resourcetype=0)
    assert [(row.get("tag"), row["max"]) for row in listed["resourcelimit"]] == [(None, 20), ("fast", 1), ("slow", 20)]


def test_limits_are_listed_for_every_type(limited: Limited) -> None:
    limited.set_limit(domainid=limited.d1.id, resourcetype=10, max=5)
    rows = limited.cloud.run("listResourceLimits", domainid=limited.d1.id)["resourcelimit"]
    assert [row["resourcetype"] for row in rows] == [str(number) for number in range(17)]
    assert {row["resourcetypename"]: row["max"] for row in rows}["primary_storage"] == 5
    assert limited.cloud.run("listResourceLimits", resourcetypename="cpu")["resourcelimit"][0]["max"] == -1


def test_a_limit_is_shown_with_its_owner(limited: Limited) -> None:
    row = limited.set_limit(projectid=limited.project_id, resourcetype=0, max=3)
    assert (row["project"], row["account"], row["max"], row["resourcetype"]) == ("p1", limited.project.name, 3, "0")
    assert "account" not in limited.set_limit(domainid=limited.d1.id, resourcetype=0)


@pytest.mark.parametrize(
    ("params", "code", "text"),
    [
        ({"account": "alice", "domainid": "d1", "resourcetype": 99}, 431, "Please specify valid resource type"),
        ({"account": "alice", "domainid": "d1", "resourcetype": 0, "max": -2}, 431, "Please specify either '-1'"),
        ({"account": "nobody", "domainid": "d1", "resourcetype": 0}, 431, "Unable to find account by name nobody in"),
        ({"account": "alice", "resourcetype": 0}, 431, "Account must be specified with domainId parameter"),
        ({"resourcetype": 0, "max": 1}, 431, "AccountId or domainId have to be specified"),
        ({"account": "admin", "domainid": "ROOT", "resourcetype": 0, "max": 1}, 431, "Only -1 limit is supported"),
        ({"domainid": "ROOT", "resourcetype": 0, "max": 1}, 531, "Cannot update resource limit for ROOT domain 1"),
        ({"domainid": "d1", "resourcetype": 3, "max": 1, "tag": "x"}, 431, "tag is not supported for resource type 3"),
    ],
)
def test_limits_that_cannot_be_set(limited: Limited, params: dict[str, Any], code: int, text: str) -> None:
    if "domainid" in params:
        params["domainid"] = limited.found(Domain, name=params["domainid"]).id
    with pytest.raises(ApiError) as caught:
        limited.set_limit(**params)
    assert caught.value.code == code
    assert text in caught.value.text


def test_a_sub_domain_cannot_have_more_than_its_parent(limited: Limited) -> None:
    limited.set_limit(domainid=limited.d1.id, resourcetype=0, max=3)
    with pytest.raises(ApiError, match="has maximum allowed resource limit 3 for user_vm"):
        limited.set_limit(domainid=limited.d11.id, resourcetype=0, max=4)


def test_counts_can_be_asked_for(limited: Limited) -> None:
    limited.vm(limited.alice)
    rows = limited.cloud.run("updateResourceCount", account="alice", domainid=limited.d1.id, resourcetype=8)
    assert rows["resourcecount"] == [
        {
            "account": "alice",
            "domainid": limited.d1.id,
            "domain": "d1",
            "domainpath": "ROOT/d1",
            "resourcetype": "8",
            "resourcetypename": "cpu",
            "resourcecount": 2,
        }
    ]
    assert limited.cloud.run("updateResourceCount", domainid=limited.d1.id)["count"] == 17


def test_details_leave_limits_out(limited: Limited) -> None:
    assert "vmlimit" not in limited.cloud.run("listAccounts", id=limited.alice.id, details="min")["account"][0]
    with pytest.raises(ApiError, match="The allowed values are"):
        limited.cloud.run("listAccounts", id=limited.alice.id, details="some")


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "(0 bytes) 0"),
        (2048, "(2.00 KB) 2048"),
        (5 * GIB, "(5.00 GB) 5368709120"),
        (2**40, "(1.00 TB) 1099511627776"),
    ],
)
def test_sizes_in_errors(size: int, text: str) -> None:
    assert readable(size) == text
