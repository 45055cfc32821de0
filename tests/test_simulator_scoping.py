"""Who sees and uses what, over a small tree of domains."""

from __future__ import annotations

import dataclasses

import pytest

from cs_matrix_pytest.simulator.access import check_owner, owner_of_new, rule_book, scoping
from cs_matrix_pytest.simulator.call import Call, Caller
from cs_matrix_pytest.simulator.cloud import Cloud
from cs_matrix_pytest.simulator.errors import ApiError, InvalidParameterValue, PermissionDenied
from cs_matrix_pytest.simulator.models.iam import Account, AccountType, Project, User
from cs_matrix_pytest.simulator.parameters import parse

NORMAL, ADMIN, DOMAIN_ADMIN = AccountType.NORMAL, AccountType.ADMIN, AccountType.DOMAIN_ADMIN
TREE = {"d1": None, "d11": "d1", "d111": "d11", "d12": "d1", "d2": None}
ACCOUNTS = {
    "roota": (None, ADMIN),
    "d1": ("d1", DOMAIN_ADMIN),
    "d1a": ("d1", NORMAL),
    "d1b": ("d1", NORMAL),
    "d11": ("d11", DOMAIN_ADMIN),
    "d11a": ("d11", NORMAL),
    "d11b": ("d11", NORMAL),
    "d111a": ("d111", NORMAL),
    "d12a": ("d12", NORMAL),
    "d2": ("d2", DOMAIN_ADMIN),
    "d2a": ("d2", NORMAL),
}
IN_D11 = "d11 d11a d11b"
BELOW_D11 = f"{IN_D11} d111a"
BELOW_D1 = f"d1 d1a d1b {BELOW_D11} d12a"
EVERYBODY = " ".join(ACCOUNTS)
LIST, DEPLOY = "listVirtualMachines", "deployVirtualMachine"


class Tree:
    """A cloud with the domains and accounts above; a project in d1 with the members d1a and d1b."""

    def __init__(self) -> None:
        self.cloud = Cloud()
        self.domains: dict[str, str] = {"ROOT": self.cloud.system_account.domain.id}
        for name, parent in TREE.items():
            parent_id = {"parentdomainid": self.domains[parent]} if parent else {}
            self.domains[name] = self.cloud.run("createDomain", name=name, **parent_id)["domain"]["id"]
        for name, (domain, kind) in ACCOUNTS.items():
            where = {"domainid": self.domains[domain]} if domain else {}
            self.cloud.run(
                "createAccount",
                username=name,
                password="x",
                firstname="f",
                lastname="l",
                email="e@x.org",
                accounttype=int(kind),
                **where,
            )
        project = self.cloud.run("createProject", name="p1", account="d1a", domainid=self.domains["d1"])["project"]
        self.cloud.run("addAccountToProject", projectid=project["id"], account="d1b")
        self.project: Project = self.cloud.store.table(Project).get(project["id"])  # type: ignore[assignment]

    def account(self, name: str) -> Account:
        found = self.cloud.store.table(Account).first(name=name)
        assert found is not None
        return found

    def call(self, caller: str, command_name: str = LIST, **params: object) -> Call:
        """A request of the first user of an account, about owners only; domains are given by name."""
        raw = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in params.items()}
        if "domainid" in raw:
            raw["domainid"] = self.domains.get(raw["domainid"], raw["domainid"])
        if raw.get("projectid") == "p1":
            raw["projectid"] = self.project.id
        command = self.cloud.api.get(command_name)
        assert command is not None
        user = self.cloud.store.table(User).first(account=self.account(caller))
        assert user is not None
        optional = {name: {**parameter, "required": False} for name, parameter in command.raw_params.items()}
        command = dataclasses.replace(command, raw_params=optional)
        return Call(self.cloud, command, Caller(user), parse(command, raw, self.cloud.find), raw)

    def seen(self, caller: str, **params: object) -> str:
        """The owners whose VMs a list shows, projects as ``p1``."""
        params.pop("id", None)
        by_id = True if params.pop("by_id", False) else None
        scope = scoping(self.call(caller, **params), by_id=by_id)
        owners = {name: self.account(name) for name in ACCOUNTS} | {"p1": self.project.account}
        return " ".join(name for name, account in owners.items() if scope.admits(account))


@pytest.fixture(scope="module")
def tree() -> Tree:
    return Tree()


@pytest.mark.parametrize(
    ("caller", "params", "owners"),
    [
        ("roota", {}, "roota"),
        ("roota", {"isrecursive": True}, "roota"),
        ("roota", {"listall": True}, EVERYBODY),
        ("roota", {"listall": True, "isrecursive": False}, EVERYBODY),
        ("roota", {"domainid": "d11"}, IN_D11),
        ("roota", {"domainid": "d11", "listall": True}, IN_D11),
        ("roota", {"domainid": "d11", "listall": True, "isrecursive": True}, BELOW_D11),
        ("roota", {"domainid": "d11", "isrecursive": True}, BELOW_D11),
        ("roota", {"domainid": "d11", "account": "d11a", "listall": True, "isrecursive": True}, "d11a"),
        ("roota", {"by_id": True}, f"{EVERYBODY} p1"),
        ("d1", {}, "d1"),
        ("d1", {"isrecursive": True}, "d1"),
        ("d1", {"listall": True}, BELOW_D1),
        ("d1", {"listall": True, "isrecursive": False}, BELOW_D1),
        ("d1", {"domainid": "d11"}, IN_D11),
        ("d1", {"domainid": "d11", "listall": True}, IN_D11),
        ("d1", {"domainid": "d11", "isrecursive": True}, BELOW_D11),
        ("d1", {"domainid": "d11", "account": "d11"}, "d11"),
        ("d1", {"account": "d1b"}, "d1b"),
        ("d1", {"by_id": True}, f"{BELOW_D1} p1"),
        ("d11", {"listall": True}, BELOW_D11),
        ("d11", {"by_id": True}, BELOW_D11),
        ("d1a", {}, "d1a"),
        ("d1a", {"listall": True}, "d1a"),
        ("d1a", {"listall": True, "isrecursive": True}, "d1a"),
        ("d1a", {"domainid": "d1"}, "d1a"),
        ("d1a", {"domainid": "d1", "listall": True, "isrecursive": True}, "d1a"),
        ("d1a", {"domainid": "d1", "account": "d1a"}, "d1a"),
        ("d1a", {"by_id": True}, "d1a"),
        # Projects: only where they are asked for.
        ("d1a", {"projectid": "p1"}, "p1"),
        ("d1b", {"projectid": "p1"}, "p1"),
        ("d1", {"projectid": "p1"}, "p1"),
        ("roota", {"projectid": "p1"}, "p1"),
        ("d1a", {"projectid": -1}, "p1"),
        ("d1a", {"projectid": -1, "listall": True}, "d1a p1"),
        ("d2a", {"projectid": -1}, ""),
        ("d2a", {"projectid": -1, "listall": True}, "d2a"),
        ("roota", {"projectid": -1}, "p1"),
        ("roota", {"projectid": -1, "listall": True}, f"{EVERYBODY} p1"),
    ],
)
def test_what_a_list_shows(tree: Tree, caller: str, params: dict[str, object], owners: str) -> None:
    assert tree.seen(caller, **params) == owners


@pytest.mark.parametrize(
    ("caller", "params", "error", "text"),
    [
        ("d1", {"domainid": "d2"}, PermissionDenied, "does not have permission to operate within domain id="),
        ("d11", {"domainid": "d1"}, PermissionDenied, "does not have permission to operate within domain id="),
        ("d1a", {"domainid": "d11"}, PermissionDenied, "does not have permission to operate within domain id="),
        ("d1a", {"domainid": "d1", "account": "d1b"}, PermissionDenied, "Caller does not have permission to operate"),
        ("d1a", {"account": "d1"}, PermissionDenied, "Caller does not have permission to operate"),
        ("roota", {"account": "d1a"}, InvalidParameterValue, "could not find account d1a in domain Domain {"),
        ("roota", {"account": "d1a", "projectid": "p1"}, InvalidParameterValue, "can't be specified together"),
        ("d2a", {"projectid": "p1"}, PermissionDenied, "can't access project id=1"),
        ("d11a", {"projectid": "p1"}, PermissionDenied, "can't access project id=1"),
        ("d2", {"projectid": "p1"}, PermissionDenied, "does not have permission to operate within domain id="),
    ],
)
def test_what_a_list_refuses(
    tree: Tree, caller: str, params: dict[str, object], error: type[ApiError], text: str
) -> None:
    with pytest.raises(error) as caught:
        tree.seen(caller, **params)
    assert text in caught.value.text


def test_a_domain_in_an_error_is_written_as_the_server_does(tree: Tree) -> None:
    domain = tree.account("d11a").domain
    with pytest.raises(InvalidParameterValue) as caught:
        tree.seen("roota", account="nobody", domainid="d11")
    assert caught.value.text == (
        f'could not find account nobody in domain Domain {{"id":{domain.number},"name":"d11",'
        f'"path":"\\/d1\\/d11\\/","uuid":"{domain.id}"}}'
    )


@pytest.mark.parametrize("command", [DEPLOY, "createNetwork"])
@pytest.mark.parametrize(
    ("caller", "params", "owner"),
    [
        ("d1a", {}, "d1a"),
        ("d1a", {"account": "d1a", "domainid": "d1"}, "d1a"),
        ("d1", {"account": "d11a", "domainid": "d11"}, "d11a"),
        ("roota", {"account": "d2a", "domainid": "d2"}, "d2a"),
        ("d1b", {"projectid": "p1"}, "PrjAcct-p1-2"),
        ("d1", {"projectid": "p1"}, "PrjAcct-p1-2"),
    ],
)
def test_whose_a_new_resource_is(tree: Tree, command: str, caller: str, params: dict[str, object], owner: str) -> None:
    assert owner_of_new(tree.call(caller, command, **params)).name == owner


@pytest.mark.parametrize(
    ("command", "caller", "params", "error", "text"),
    [
        (DEPLOY, "d1a", {"account": "d1b", "domainid": "d1"}, PermissionDenied, "Caller does not have permission"),
        (DEPLOY, "d1", {"account": "d2a", "domainid": "d2"}, PermissionDenied, "Caller does not have permission"),
        (DEPLOY, "d11", {"account": "d1a", "domainid": "d1"}, PermissionDenied, "Caller does not have permission"),
        (DEPLOY, "d2a", {"projectid": "p1"}, PermissionDenied, "Caller does not have permission"),
        (DEPLOY, "d1", {"account": "d1a"}, InvalidParameterValue, "must be specified with domainId parameter"),
        (DEPLOY, "d1", {"account": "x", "domainid": "d1"}, InvalidParameterValue, "Unable to find account by name x"),
        (
            "createNetwork",
            "d1a",
            {"account": "d1b", "domainid": "d1"},
            PermissionDenied,
            "for account d1b in domain 2,",
        ),
        ("createNetwork", "d1", {"account": "d2a", "domainid": "d2"}, PermissionDenied, "to operate within domain id="),
        ("createNetwork", "d1", {"account": "x", "domainid": "d1"}, InvalidParameterValue, "find account x in domain"),
        ("createNetwork", "d2a", {"projectid": "p1"}, PermissionDenied, "is unauthorised to use project id=1"),
    ],
)
def test_what_cannot_be_made_for_others(
    tree: Tree, command: str, caller: str, params: dict[str, object], error: type[ApiError], text: str
) -> None:
    with pytest.raises(error) as caught:
        owner_of_new(tree.call(caller, command, **params))
    assert text in caught.value.text


@pytest.mark.parametrize(
    ("caller", "owner", "allowed"),
    [
        ("roota", "d2a", True),
        ("d1", "d111a", True),
        ("d11", "d1a", False),
        ("d1a", "d1a", True),
        ("d1a", "d1b", False),
        ("d2", "d1a", False),
        ("d1", "d2a", False),
    ],
)
def test_who_may_use_what_somebody_owns(tree: Tree, caller: str, owner: str, allowed: bool) -> None:
    if allowed:
        check_owner(tree.account(caller), tree.account(owner))
        return
    with pytest.raises(PermissionDenied, match="Caller does not have permission to operate with provided resource"):
        check_owner(tree.account(caller), tree.account(owner))


def test_members_use_what_a_project_owns(tree: Tree) -> None:
    check_owner(tree.account("d1b"), tree.project.account)
    with pytest.raises(PermissionDenied):
        check_owner(tree.account("d11a"), tree.project.account)


@pytest.mark.parametrize(
    ("rules", "command", "verdict"),
    [
        ((), "listHosts", None),
        (("listHosts",), "listhosts", True),
        (("!listHosts", "list*"), "listHosts", False),
        (("list*", "!listHosts"), "listHosts", True),
        (("!listHosts", "list*"), "listZones", True),
        (("*VM*",), "createVMSnapshot", True),
        (("*VM*",), "listZones", None),
        (("list*s", "!*"), "listZones", True),
        (("list*s", "!*"), "getUser", False),
        (("a*b*a",), "aba", True),
        (("ab*ba",), "aba", None),
    ],
)
def test_the_first_rule_that_matches_decides(rules: tuple[str, ...], command: str, verdict: bool | None) -> None:
    assert rule_book(rules).decides(command) is verdict
