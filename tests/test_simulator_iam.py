"""Domains, accounts, users, keys, roles and projects, in process and as a client of the API port sees them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from cs_matrix_pytest.simulator import Simulator
from cs_matrix_pytest.simulator.call import Caller
from cs_matrix_pytest.simulator.errors import ApiError
from cs_matrix_pytest.simulator.models.iam import Account, ApiKeyPair, Project, Role, RolePermission, User
from cs_matrix_pytest.simulator.models.jobs import Event
from cs_matrix_pytest.simulator.wire.authentication import signature

PERSON = {"password": "secret", "firstname": "f", "lastname": "l", "email": "e@x.org"}
serial = itertools.count(1)


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator(ready=False) as running:
        yield running


def fresh_name(what: str) -> str:
    return f"{what}{next(serial)}"


def new_domain(simulator: Simulator, **params: Any) -> dict[str, Any]:
    domain: dict[str, Any] = simulator.run("createDomain", name=fresh_name("domain"), **params)["domain"]
    return domain


def new_account(simulator: Simulator, **params: Any) -> dict[str, Any]:
    given = {"username": fresh_name("user"), "accounttype": 0, **PERSON, **params}
    account: dict[str, Any] = simulator.run("createAccount", **given)["account"]
    return account


def caller_of(simulator: Simulator, account: dict[str, Any], *, user: int = 0) -> Caller:
    found = simulator.cloud.store.table(User).get(account["user"][user]["id"])
    assert found is not None
    return Caller(found)


def keys_of(simulator: Simulator, account: dict[str, Any]) -> dict[str, str]:
    keys: dict[str, str] = simulator.run("registerUserKeys", id=account["user"][0]["id"])["userkeys"]
    return keys


def signed(simulator: Simulator, keys: dict[str, str], **params: str) -> requests.Response:
    request = {"response": "json", "apiKey": keys["apikey"], **params}
    request["signature"] = signature(request, keys["secretkey"])
    return requests.get(f"http://127.0.0.1:{simulator.api_port}/client/api", params=request, timeout=10)


def login(simulator: Simulator, account: dict[str, Any], password: str = PERSON["password"]) -> requests.Response:
    form = {
        "command": "login",
        "username": account["name"],
        "password": password,
        "domainid": account["domainid"],
        "response": "json",
    }
    return requests.post(f"http://127.0.0.1:{simulator.api_port}/client/api", data=form, timeout=10)


def refused(simulator: Simulator, command: str, caller: Caller | None = None, **params: Any) -> ApiError:
    """The error that a command answers."""
    with pytest.raises(ApiError) as caught:
        simulator.cloud.run(command, caller, **params)
    return caught.value


class TestFreshInstall:
    def test_roles(self, simulator: Simulator) -> None:
        roles = simulator.run("listRoles")["role"]
        assert [role["name"] for role in roles][:4] == ["Root Admin", "Resource Admin", "Domain Admin", "User"]
        assert len([role for role in roles if role["isdefault"]]) == 8
        rules = {role["name"]: simulator.run("listRolePermissions", roleid=role["id"])["count"] for role in roles}
        assert (rules["Root Admin"], rules["User"], rules["Project Kubernetes Service Role"]) == (1, 255, 32)

    def test_denying_rules_are_known(self, simulator: Simulator) -> None:
        role = simulator.cloud.store.table(Role).first(name="Read-Only Admin - Default")
        assert role is not None
        shown = simulator.run("listRolePermissions", roleid=role.id)["rolepermission"]
        assert {row["permission"] for row in shown} == {"allow", "deny"}
        assert not any(row["rule"].startswith("!") for row in shown)

    def test_accounts_and_users(self, simulator: Simulator) -> None:
        names = [account["name"] for account in simulator.run("listAccounts", listall=True)["account"]]
        assert names[:2] == ["admin", "baremetal-system-account"]
        users = simulator.run("listUsers", listall=True)["user"]
        assert [user["username"] for user in users][:2] == ["admin", "baremetal-system-account"]
        assert simulator.cloud.system_account.number == 1
        assert simulator.cloud.admin_user.number == 2


class TestDomains:
    def test_a_new_domain_is_below_root_or_its_parent(self, simulator: Simulator) -> None:
        parent = new_domain(simulator, networkdomain="cloud.example.org")
        child = new_domain(simulator, parentdomainid=parent["id"])
        assert (parent["path"], child["path"]) == (f"ROOT/{parent['name']}", f"ROOT/{parent['name']}/{child['name']}")
        assert (child["level"], child["parentdomainname"], parent["networkdomain"]) == (
            2,
            parent["name"],
            "cloud.example.org",
        )
        shown = simulator.run("listDomains", id=parent["id"])["domain"][0]
        assert (shown["haschild"], shown["state"]) == (True, "Active")

    def test_names_are_unique_below_one_parent(self, simulator: Simulator) -> None:
        parent = new_domain(simulator)
        error = refused(simulator, "createDomain", name=parent["name"])
        assert (error.code, error.text) == (
            431,
            f"Domain with name [{parent['name']}] already exists for the parent with ID [1].",
        )
        assert simulator.run("createDomain", name=parent["name"], parentdomainid=parent["id"])

    def test_lists(self, simulator: Simulator) -> None:
        top = new_domain(simulator)
        below = new_domain(simulator, parentdomainid=top["id"])
        lowest = new_domain(simulator, parentdomainid=below["id"])
        admin = caller_of(simulator, new_account(simulator, accounttype=2, domainid=top["id"]))

        def names(command: str, **params: Any) -> list[str]:
            answer = simulator.cloud.run(command, admin, **params)
            return [domain["name"] for domain in answer.get("domain", [])]

        assert names("listDomains") == [top["name"]]
        assert names("listDomains", listall=True) == [top["name"], below["name"], lowest["name"]]
        assert names("listDomains", listall=True, level=2) == [below["name"]]
        assert names("listDomainChildren") == [below["name"]]
        assert names("listDomainChildren", isrecursive=True) == [below["name"], lowest["name"]]
        assert refused(simulator, "listDomains", admin, id=simulator.cloud.system_account.domain.id).code == 531
        assert refused(simulator, "listDomains", id=-1).text == "Domain id=-1 doesn't exist"

    def test_renaming_moves_the_paths_below(self, simulator: Simulator) -> None:
        top = new_domain(simulator)
        below = new_domain(simulator, parentdomainid=top["id"])
        simulator.run("updateDomain", id=top["id"], name="renamed")
        assert simulator.run("listDomains", id=below["id"])["domain"][0]["path"] == f"ROOT/renamed/{below['name']}"
        root = simulator.cloud.system_account.domain.id
        assert (
            refused(simulator, "updateDomain", id=root, name="x").text
            == "ROOT domain can not be edited with a new name"
        )

    def test_a_domain_that_is_not_empty_stays(self, simulator: Simulator) -> None:
        domain = new_domain(simulator)
        new_account(simulator, domainid=domain["id"])
        error = refused(simulator, "deleteDomain", id=domain["id"])
        assert error.code == 530
        assert error.text.startswith('Delete failed on domain Domain {"id":')
        assert error.text.endswith(
            "Please make sure all users and sub domains have been removed from the domain before deleting"
        )
        assert simulator.run("listDomains", id=domain["id"])["domain"][0]["state"] == "Active"

    def test_cleanup_removes_everything_below(self, simulator: Simulator) -> None:
        domain = new_domain(simulator)
        below = new_domain(simulator, parentdomainid=domain["id"])
        owner = new_account(simulator, domainid=below["id"])
        simulator.run("createProject", name="p", account=owner["name"], domainid=below["id"])
        simulator.run("deleteDomain", id=domain["id"], cleanup=True)
        for id in (domain["id"], below["id"]):
            assert "doesn't exist" in refused(simulator, "listDomains", id=id).text
        assert "Unable to find account by id" in refused(simulator, "listAccounts", id=owner["id"]).text
        assert "p" not in [
            project["name"] for project in simulator.run("listProjects", listall=True).get("project", [])
        ]

    def test_root_stays(self, simulator: Simulator) -> None:
        root = simulator.cloud.system_account.domain.id
        error = refused(simulator, "deleteDomain", id=root, cleanup=True)
        assert error.text == "Can't delete ROOT domain"


class TestAccounts:
    def test_a_new_account_has_a_user_a_role_and_limits(self, simulator: Simulator) -> None:
        account = new_account(simulator, username="some one@example.org", account="an account", timezone="CET")
        assert (account["name"], account["rolename"], account["state"]) == ("an account", "User", "enabled")
        assert (account["vmlimit"], account["vmtotal"], account["vmavailable"]) == ("20", 0, "20")
        user = account["user"][0]
        assert (user["username"], user["timezone"]) == ("some one@example.org", "CET")
        assert simulator.run("listAccounts", name="an account", listall=True)["account"][0]["id"] == account["id"]

    def test_ids_and_details_can_be_given(self, simulator: Simulator) -> None:
        account = new_account(simulator, accountid="given-account", userid="given-user", **{"accountdetails[0].a": "b"})
        assert (account["id"], account["user"][0]["id"]) == ("given-account", "given-user")
        assert account["accountdetails"] == {"a": "b"}
        error = refused(simulator, "createAccount", username="x", accounttype=0, accountid="given-account", **PERSON)
        assert (error.code, error.cs_code, error.text) == (530, 9999, "Entity already exists ")

    def test_a_role_decides_the_type(self, simulator: Simulator) -> None:
        role = simulator.run("createRole", name=fresh_name("role"), type="DomainAdmin")["role"]
        domain = new_domain(simulator)
        account = new_account(simulator, roleid=role["id"], accounttype=0, domainid=domain["id"])
        assert (account["accounttype"], account["rolename"]) == (2, role["name"])

    @pytest.mark.parametrize(
        ("params", "code", "text"),
        [
            ({"accounttype": 1}, 431, "unable to create user of admin role type in non-ROOT domain."),
            ({"accounttype": 3}, 431, "is not associated with any private Zone"),
            ({"accounttype": 9}, 431, "Neither account type and role ID are not provided"),
            ({"accounttype": 0, "networkdomain": "-x"}, 431, "Invalid network domain."),
        ],
    )
    def test_accounts_that_cannot_be(self, simulator: Simulator, params: dict[str, Any], code: int, text: str) -> None:
        domain = new_domain(simulator)
        error = refused(simulator, "createAccount", username="x", domainid=domain["id"], **PERSON, **params)
        assert error.code == code
        assert text in error.text

    def test_user_names_are_unique_in_a_domain(self, simulator: Simulator) -> None:
        account = new_account(simulator)
        error = refused(simulator, "createAccount", username=account["name"], account="other", accounttype=0, **PERSON)
        assert error.text.startswith(f"The user {account['name']} already exists in domain Domain {{")
        error = refused(simulator, "createAccount", username="other", account=account["name"], accounttype=0, **PERSON)
        assert error.text == f"The specified account: {account['name']} already exists"
        assert new_account(simulator, username=account["name"], domainid=new_domain(simulator)["id"])

    def test_changing(self, simulator: Simulator) -> None:
        account = new_account(simulator)
        role = simulator.run("createRole", name=fresh_name("role"), type="User")["role"]
        shown = simulator.run(
            "updateAccount", id=account["id"], newname="renamed account", roleid=role["id"], networkdomain="x.org"
        )["account"]
        assert (shown["name"], shown["rolename"], shown["networkdomain"]) == ("renamed account", role["name"], "x.org")
        assert "networkdomain" not in simulator.run("updateAccount", id=account["id"], networkdomain="")["account"]
        error = refused(simulator, "updateAccount", id=account["id"], newname="")
        assert (error.code, error.text.startswith("Cannot invoke")) == (530, True)

    def test_a_default_account_keeps_its_role_and_stays(self, simulator: Simulator) -> None:
        admin = simulator.cloud.admin_user.account
        role = simulator.cloud.store.table(Role).first(name="User")
        assert role is not None
        assert (
            "the account is a default account" in refused(simulator, "updateAccount", id=admin.id, roleid=role.id).text
        )
        assert refused(simulator, "deleteAccount", id=admin.id).text == "The account is default and can't be removed"

    def test_locking_and_disabling(self, simulator: Simulator) -> None:
        account = new_account(simulator)
        assert simulator.run("disableAccount", id=account["id"], lock=True)["account"]["state"] == "locked"
        assert simulator.run("enableAccount", id=account["id"])["account"]["state"] == "enabled"
        disabled = simulator.run("disableAccount", id=account["id"], lock=False)["account"]
        assert (disabled["state"], disabled["jobstatus"]) == ("disabled", 0)
        assert (
            "Use DisableAccount instead"
            in refused(simulator, "lockAccount", account=account["name"], domainid=account["domainid"]).text
        )

    def test_deleting_takes_users_and_keys_along(self, simulator: Simulator) -> None:
        account = new_account(simulator)
        keys = keys_of(simulator, account)
        assert signed(simulator, keys, command="listUsers").status_code == 200
        simulator.run("deleteAccount", id=account["id"])
        assert signed(simulator, keys, command="listUsers").status_code == 401
        assert "user" not in simulator.run("listUsers", id=account["user"][0]["id"])
        assert simulator.run("deleteAccount", id=account["id"]) == {"success": True}

    def test_families_clean_up_in_their_order(self, simulator: Simulator) -> None:
        account = new_account(simulator)
        cleaned: list[str] = []
        first, last = simulator.cloud.registry.families[0], simulator.cloud.registry.families[-1]
        last.account_cleanup.append(lambda _cloud, gone: cleaned.append(f"last {gone.name}"))
        first.account_cleanup.append(lambda _cloud, gone: cleaned.append(f"first {gone.name}"))
        try:
            simulator.run("deleteAccount", id=account["id"])
        finally:
            first.account_cleanup.pop()
            last.account_cleanup.pop()
        assert cleaned == [f"first {account['name']}", f"last {account['name']}"]

    def test_nobody_deletes_the_own_account(self, simulator: Simulator) -> None:
        account = new_account(simulator, accounttype=1)
        error = refused(simulator, "deleteAccount", caller_of(simulator, account), id=account["id"])
        assert error.text.startswith("Deletion of your own account is not allowed.")

    def test_lists(self, simulator: Simulator) -> None:
        domain = new_domain(simulator)
        below = new_domain(simulator, parentdomainid=domain["id"])
        boss = new_account(simulator, accounttype=2, domainid=domain["id"])
        worker = new_account(simulator, domainid=domain["id"])
        lower = new_account(simulator, domainid=below["id"])

        def names(account: dict[str, Any] | None, **params: Any) -> list[str]:
            caller = caller_of(simulator, account) if account else None
            answer = simulator.cloud.run("listAccounts", caller, **params)
            return [row["name"] for row in answer.get("account", [])]

        assert names(boss) == [boss["name"]]
        assert names(boss, listall=True) == [boss["name"], worker["name"], lower["name"]]
        assert names(boss, domainid=domain["id"]) == [boss["name"], worker["name"]]
        assert names(boss, domainid=below["id"]) == [lower["name"]]
        assert names(None, domainid=domain["id"], accounttype=2) == [boss["name"]]
        assert names(None, domainid=domain["id"], isrecursive=True, accounttype=0) == [worker["name"], lower["name"]]
        assert names(worker, listall=True) == [worker["name"]]
        assert names(None, domainid=domain["id"], name=boss["name"].upper()) == [boss["name"]]
        caller = caller_of(simulator, worker)
        assert refused(simulator, "listAccounts", caller, id=boss["id"]).code == 531

    def test_events_tell_of_accounts_and_jobs(self, simulator: Simulator) -> None:
        account = new_account(simulator)
        simulator.run("deleteAccount", id=account["id"])
        types = [event.type for event in simulator.cloud.store.table(Event) if event.state == "Completed"]
        assert types[-3:] == ["USER.CREATE", "ACCOUNT.CREATE", "ACCOUNT.DELETE"]


class TestPrivileges:
    @pytest.fixture
    def people(self, simulator: Simulator) -> dict[str, dict[str, Any]]:
        domain = new_domain(simulator)
        return {
            "boss": new_account(simulator, accounttype=2, domainid=domain["id"]),
            "other boss": new_account(simulator, accounttype=2, domainid=domain["id"]),
            "worker": new_account(simulator, domainid=domain["id"]),
            "colleague": new_account(simulator, domainid=domain["id"]),
            "stranger": new_account(simulator, domainid=new_domain(simulator)["id"]),
            "root": new_account(simulator, accounttype=1),
        }

    @pytest.mark.parametrize(
        ("caller", "target", "text"),
        [
            ("boss", "worker", None),
            ("boss", "other boss", None),
            ("root", "boss", None),
            ("worker", "worker", None),
            ("worker", "colleague", "Caller does not have permission to operate with provided resource."),
            ("boss", "stranger", "Caller does not have permission to operate with provided resource."),
            ("boss", "root", "Caller does not have permission to operate with provided resource."),
        ],
    )
    def test_whose_keys_one_sees(
        self, simulator: Simulator, people: dict[str, dict[str, Any]], caller: str, target: str, text: str | None
    ) -> None:
        user, who = people[target]["user"][0]["id"], caller_of(simulator, people[caller])
        if text is None:
            assert "userkeys" in simulator.cloud.run("getUserKeys", who, id=user)
        else:
            error = refused(simulator, "getUserKeys", who, id=user)
            assert (error.code, error.text) == (531, text)

    def test_a_job_that_is_refused_says_530(self, simulator: Simulator, people: dict[str, dict[str, Any]]) -> None:
        user, who = people["colleague"]["user"][0]["id"], caller_of(simulator, people["worker"])
        error = refused(simulator, "registerUserKeys", who, id=user)
        assert (error.code, error.text) == (530, "Caller does not have permission to operate with provided resource.")

    def test_a_domain_admin_makes_accounts_below_only(
        self, simulator: Simulator, people: dict[str, dict[str, Any]]
    ) -> None:
        boss, params = caller_of(simulator, people["boss"]), {"username": fresh_name("user"), **PERSON}
        error = refused(
            simulator, "createAccount", boss, domainid=people["stranger"]["domainid"], accounttype=0, **params
        )
        assert "does not have permission to operate within domain id=" in error.text
        made = simulator.cloud.run("createAccount", boss, domainid=people["boss"]["domainid"], accounttype=0, **params)
        assert made["account"]["accounttype"] == 0

    def test_nobody_gives_more_than_they_have(self, simulator: Simulator, people: dict[str, dict[str, Any]]) -> None:
        role = simulator.run("createRole", name=fresh_name("role"), type="User")["role"]
        simulator.run("createRolePermission", roleid=role["id"], rule="addHost", permission="allow")
        boss, params = caller_of(simulator, people["boss"]), {"username": fresh_name("user"), **PERSON}
        error = refused(
            simulator, "createAccount", boss, domainid=people["boss"]["domainid"], roleid=role["id"], **params
        )
        assert (error.code, "more privileges they have themself" in error.text) == (531, True)


class TestUsers:
    def test_more_users_of_an_account(self, simulator: Simulator) -> None:
        account = new_account(simulator)
        name = fresh_name("second")
        user = simulator.run("createUser", username=name, account=account["name"], **PERSON)["user"]
        shown = simulator.run("listAccounts", id=account["id"])["account"][0]["user"]
        assert [row["username"] for row in shown] == [account["name"], name]
        assert refused(simulator, "createUser", username=name, account=account["name"], **PERSON).text == (
            f"The user {name} already exists in domain 1"
        )
        simulator.run("deleteUser", id=user["id"])
        assert "user" not in simulator.run("listUsers", id=user["id"])

    def test_default_users_stay(self, simulator: Simulator) -> None:
        error = refused(simulator, "deleteUser", id=simulator.cloud.admin_user.id)
        assert error.text == "The user is default and can't be (re)moved"

    def test_a_password_is_changed_by_who_knows_it(self, simulator: Simulator) -> None:
        account = new_account(simulator)
        id, me = account["user"][0]["id"], caller_of(simulator, account)
        error = refused(simulator, "updateUser", me, id=id, password="new")
        assert error.text == "To set a new password the current password must be provided."
        error = refused(simulator, "updateUser", me, id=id, password="new", currentpassword="wrong")
        assert error.text == "Current password is incorrect."
        simulator.cloud.run("updateUser", me, id=id, password="new", currentpassword=PERSON["password"])
        assert login(simulator, account).status_code == 531
        assert login(simulator, account, "new").json()["loginresponse"]["is2faenabled"] == "false"
        simulator.run("updateUser", id=id, password="newest", lastname="Changed")
        assert login(simulator, account, "newest").json()["loginresponse"]["lastname"] == "Changed"

    def test_who_signs_in_elsewhere_has_no_login_here(self, simulator: Simulator) -> None:
        account = new_account(simulator)
        assert login(simulator, account).status_code == 200
        user = simulator.cloud.store.table(User).get(account["user"][0]["id"])
        assert user is not None
        user.source = "saml2"
        answer = login(simulator, account)
        assert answer.status_code == 531
        assert answer.json()["loginresponse"]["errortext"] == "User is not allowed CloudStack login"

    def test_states(self, simulator: Simulator) -> None:
        account = new_account(simulator)
        id = account["user"][0]["id"]
        assert simulator.run("lockUser", id=id)["user"]["state"] == "locked"
        assert simulator.run("listAccounts", id=account["id"])["account"][0]["state"] == "locked"
        assert simulator.run("enableUser", id=id)["user"]["state"] == "enabled"
        assert simulator.run("disableUser", id=id)["user"]["state"] == "disabled"
        assert "Unable to lock user" in refused(simulator, "lockUser", id=id).text
        assert login(simulator, account).status_code == 531

    def test_moving(self, simulator: Simulator) -> None:
        account, target, elsewhere = (
            new_account(simulator),
            new_account(simulator),
            new_account(simulator, domainid=new_domain(simulator)["id"]),
        )
        id = account["user"][0]["id"]
        assert refused(simulator, "moveUser", id=id).text.startswith("no account name or account id.")
        error = refused(simulator, "moveUser", id=id, accountid=elsewhere["id"])
        assert "in another domain is not supported" in error.text
        simulator.run("moveUser", id=id, account=target["name"])
        assert simulator.run("listUsers", id=id, listall=True)["user"][0]["account"] == target["name"]

    def test_who_is_listed(self, simulator: Simulator) -> None:
        domain = new_domain(simulator)
        boss = new_account(simulator, accounttype=2, domainid=domain["id"])
        worker = new_account(simulator, domainid=domain["id"])

        def names(who: dict[str, Any], **params: Any) -> list[str]:
            answer = simulator.cloud.run("listUsers", caller_of(simulator, who), **params)
            return [row["username"] for row in answer.get("user", [])]

        assert names(boss) == [boss["name"]]
        assert names(boss, listall=True) == [boss["name"], worker["name"]]
        assert names(boss, account=worker["name"], domainid=domain["id"]) == [worker["name"]]
        assert names(worker, listall=True) == [worker["name"]]
        error = refused(simulator, "listUsers", caller_of(simulator, worker), id=boss["user"][0]["id"])
        assert error.text == "Calling user is not authorized to see the user requested by id"
        shown = simulator.run("listUsers", listall=True, username=worker["name"])["user"][0]
        assert (shown["iscallerchilddomain"], shown["apikeyaccess"]) == (True, "INHERIT")

    def test_two_factor_authentication(self, simulator: Simulator) -> None:
        account = new_account(simulator, accounttype=1)
        me = caller_of(simulator, account)
        error = refused(simulator, "setupUserTwoFactorAuthentication", me, provider="staticpin")
        assert error.text == "2FA is not enabled for this domain or at global level"
        simulator.cloud.configuration.settings["enable.user.2fa"].value = "true"
        try:
            setup = simulator.cloud.run("setupUserTwoFactorAuthentication", me, provider="staticpin")["setup2fa"]
            assert setup["secretcode"].isdigit()
            answer = login(simulator, account).json()["loginresponse"]
            assert (answer["is2faenabled"], answer["is2faverified"]) == ("true", "false")
            simulator.cloud.run("setupUserTwoFactorAuthentication", me, enable=False)
            assert login(simulator, account).json()["loginresponse"]["is2faenabled"] == "false"
        finally:
            simulator.cloud.configuration.settings["enable.user.2fa"].value = "false"


class TestKeys:
    def test_the_newest_pair_is_shown_and_all_of_them_sign(self, simulator: Simulator) -> None:
        account = new_account(simulator)
        id = account["user"][0]["id"]
        assert simulator.run("getUserKeys", id=id) == {"userkeys": {"apikeyaccess": True}}
        old, new = keys_of(simulator, account), keys_of(simulator, account)
        assert simulator.run("getUserKeys", id=id)["userkeys"]["apikey"] == new["apikey"]
        assert simulator.run("getUser", userapikey=old["apikey"])["user"]["id"] == id
        assert [signed(simulator, keys, command="listUsers").status_code for keys in (old, new)] == [200, 200]
        listed = simulator.run("listUserKeys", userid=id)["userapikey"]
        assert [row["apikey"] for row in listed] == [old["apikey"], new["apikey"]]
        simulator.run("deleteUserKeys", keypairid=old["id"])
        assert signed(simulator, old, command="listUsers").status_code == 401
        assert signed(simulator, new, command="listUsers").status_code == 200

    def test_keys_of_those_who_are_locked_out_do_not_sign(self, simulator: Simulator) -> None:
        account = new_account(simulator)
        keys, user = keys_of(simulator, account), account["user"][0]["id"]

        def status() -> int:
            return signed(simulator, keys, command="listUsers").status_code

        simulator.run("disableAccount", id=account["id"], lock=True)
        assert status() == 401
        simulator.run("enableAccount", id=account["id"])
        simulator.run("disableUser", id=user)
        assert status() == 401
        simulator.run("enableUser", id=user)
        simulator.run("updateUser", id=user, apikeyaccess="disabled")
        assert (status(), simulator.run("getUserKeys", id=user)["userkeys"]["apikeyaccess"]) == (401, False)
        simulator.run("updateUser", id=user, apikeyaccess="inherit")
        simulator.run("updateAccount", id=account["id"], apikeyaccess="DISABLED")
        assert status() == 401
        simulator.run("updateAccount", id=account["id"], apikeyaccess="ENABLED")
        assert status() == 200

    def test_keys_end(self, simulator: Simulator) -> None:
        account = new_account(simulator)
        id = account["user"][0]["id"]
        error = refused(simulator, "registerUserKeys", id=id, enddate="2020-01-01")
        assert error.text.startswith("Keypair cannot be created with expired date")
        keys = simulator.run("registerUserKeys", id=id, enddate="2999-01-01")["userkeys"]
        assert signed(simulator, keys, command="listUsers").status_code == 200
        pair = simulator.cloud.store.table(ApiKeyPair).first(api_key=keys["apikey"])
        assert pair is not None
        pair.end = pair.created
        assert signed(simulator, keys, command="listUsers").status_code == 401

    def test_rules_of_keys(self, simulator: Simulator) -> None:
        account = new_account(simulator)
        id = account["user"][0]["id"]
        rule = {"rules[0].rule": "listUsers", "rules[0].permission": "allow"}
        keys = simulator.run("registerUserKeys", id=id, **rule)["userkeys"]
        assert signed(simulator, keys, command="listUsers").status_code == 200
        assert signed(simulator, keys, command="listAccounts").status_code == 432
        assert simulator.run("listUserKeyRules", keypairid=keys["id"])["keypermission"] == [
            {"rule": "listUsers", "permission": "allow"}
        ]
        more = {"rules[0].rule": "addHost", "rules[0].permission": "allow"}
        assert "has a bigger set of permissions" in refused(simulator, "registerUserKeys", id=id, **more).text

    def test_keys_can_be_chosen(self, simulator: Simulator) -> None:
        account = new_account(simulator)
        keys_of(simulator, account)
        id = account["user"][0]["id"]
        simulator.run("updateUser", id=id, userapikey="chosen", usersecretkey="secret")
        assert signed(simulator, {"apikey": "chosen", "secretkey": "secret"}, command="listUsers").status_code == 200
        assert (
            "already exists in the system"
            in refused(simulator, "updateUser", id=id, userapikey="chosen", usersecretkey="other").text
        )


class TestRoles:
    @pytest.fixture
    def role(self, simulator: Simulator) -> dict[str, Any]:
        role: dict[str, Any] = simulator.run("createRole", name=fresh_name("role"), type="User", description="x")[
            "role"
        ]
        return role

    def rule(self, simulator: Simulator, role: dict[str, Any], rule: str, permission: str = "allow") -> dict[str, Any]:
        made = simulator.run("createRolePermission", roleid=role["id"], rule=rule, permission=permission)
        permission_row: dict[str, Any] = made["rolepermission"]
        return permission_row

    def test_rules_decide_commands(self, simulator: Simulator, role: dict[str, Any]) -> None:
        account = new_account(simulator, roleid=role["id"])
        keys = keys_of(simulator, account)
        self.rule(simulator, role, "listUsers", "deny")
        self.rule(simulator, role, "list*s")
        assert signed(simulator, keys, command="listAccounts").status_code == 200
        denied = signed(simulator, keys, command="listUsers")
        assert denied.status_code == 432
        assert denied.json() == {
            "errorresponse": {
                "uuidList": [],
                "errorcode": 432,
                "cserrorcode": 9999,
                "errortext": f"The API [listUsers] does not exist or is not available for the account {account['name']}.",
            }
        }
        # Some commands are for every role of a type, whatever the rules do not say.
        assert signed(simulator, keys, command="getUserKeys", id=account["user"][0]["id"]).status_code == 200

    def test_a_session_is_denied_too(self, simulator: Simulator, role: dict[str, Any]) -> None:
        account = new_account(simulator, roleid=role["id"])
        session = requests.Session()
        form = {"command": "login", "username": account["name"], "password": PERSON["password"], "response": "json"}
        address = f"http://127.0.0.1:{simulator.api_port}/client/api"
        key = session.post(address, data=form, timeout=10).json()["loginresponse"]["sessionkey"]
        query = {"command": "listHosts", "response": "json", "sessionkey": key}
        assert session.get(address, params=query, timeout=10).status_code == 432

    def test_a_name_is_taken_once(self, simulator: Simulator, role: dict[str, Any]) -> None:
        error = refused(simulator, "createRole", name=role["name"], type="User")
        assert (error.code, error.cs_code, error.text) == (530, 9999, "Entity already exists ")

    @pytest.mark.parametrize(
        ("params", "text"),
        [
            ({}, "Neither role type nor role ID is provided"),
            ({"type": "User", "roleid": "1"}, "Both role type and role ID should not be specified"),
            ({"type": "Nobody"}, "Invalid role type provided"),
        ],
    )
    def test_roles_that_cannot_be(self, simulator: Simulator, params: dict[str, str], text: str) -> None:
        error = refused(simulator, "createRole", name="x", **params)
        assert (error.code, error.cs_code, error.text) == (431, 9999, text)

    def test_default_roles_stay_as_they_are(self, simulator: Simulator) -> None:
        for command, params, text in (
            ("deleteRole", {"id": 4}, "Default roles cannot be deleted"),
            ("updateRole", {"id": 4, "name": "x"}, "Default roles cannot be updated"),
            ("createRolePermission", {"roleid": 4, "rule": "x", "permission": "allow"}, "cannot be added for Default"),
        ):
            error = refused(simulator, command, **params)
            assert error.code == 531
            assert text in error.text

    def test_a_role_in_use(self, simulator: Simulator, role: dict[str, Any]) -> None:
        account = new_account(simulator, roleid=role["id"])
        assert "won't allow to delete role" in refused(simulator, "deleteRole", id=role["id"]).text
        assert "won't allow to change role type" in refused(simulator, "updateRole", id=role["id"], type="Admin").text
        simulator.run("deleteAccount", id=account["id"])
        simulator.run("deleteRole", id=role["id"])
        assert simulator.run("listRoles", id=role["id"]) == {"count": 1}

    def test_rules_are_kept_in_order(self, simulator: Simulator, role: dict[str, Any]) -> None:
        first, second = self.rule(simulator, role, "listHosts"), self.rule(simulator, role, "listPods")

        def order() -> list[str]:
            return [row["rule"] for row in simulator.run("listRolePermissions", roleid=role["id"])["rolepermission"]]

        simulator.run("updateRolePermission", roleid=role["id"], ruleorder=f"{second['id']},{first['id']}")
        assert order() == ["listPods", "listHosts"]
        error = refused(simulator, "updateRolePermission", roleid=role["id"], ruleorder=first["id"])
        assert (error.code, error.cs_code) == (530, 4250)
        assert error.text.startswith("The role's rule permissions list has changed")
        simulator.run("updateRolePermission", roleid=role["id"], ruleid=first["id"], permission="deny")
        error = refused(simulator, "updateRolePermission", roleid=role["id"], ruleid=first["id"], permission="x")
        assert error.text == "Values for permission parameter should be: allow or deny"
        assert (
            "Rule already exists"
            in refused(simulator, "createRolePermission", roleid=role["id"], rule="listhosts", permission="allow").text
        )
        simulator.run("deleteRolePermission", id=first["id"])
        assert order() == ["listPods"]
        # The row is deleted for good, so its id is unknown from now on.
        assert "entity does not exist" in refused(simulator, "deleteRolePermission", id=first["id"]).text

    def test_cloning_and_importing(self, simulator: Simulator, role: dict[str, Any]) -> None:
        self.rule(simulator, role, "listHosts", "deny")
        clone = simulator.run("createRole", name=fresh_name("clone"), roleid=role["id"])["role"]
        rules = simulator.run("listRolePermissions", roleid=clone["id"])["rolepermission"]
        assert [(row["rule"], row["permission"]) for row in rules] == [("listHosts", "deny")]
        name = fresh_name("imported")
        new = {"name": name, "type": "User", "rules[0].rule": "list*", "rules[0].permission": "allow"}
        imported = simulator.run("importRole", **new)["role"]
        assert refused(simulator, "importRole", **new).text == "Role already exists"
        again = simulator.run("importRole", **{**new, "rules[0].rule": "get*"}, forced=True)["role"]
        assert again["id"] == imported["id"]
        rules = simulator.run("listRolePermissions", roleid=imported["id"])["rolepermission"]
        assert [row["rule"] for row in rules] == ["get*"]

    def test_who_sees_which_roles(self, simulator: Simulator, role: dict[str, Any]) -> None:
        self.rule(simulator, role, "listUsers")
        simulator.run("createRole", name="hidden", type="User", ispublic=False)
        boss = caller_of(simulator, new_account(simulator, accounttype=2, domainid=new_domain(simulator)["id"]))
        names = [row["name"] for row in simulator.cloud.run("listRoles", boss)["role"]]
        assert {"Domain Admin", "User", role["name"]} <= set(names)
        assert not {"Root Admin", "hidden"} & set(names)
        assert "hidden" in [row["name"] for row in simulator.run("listRoles")["role"]]

    def test_disabling(self, simulator: Simulator, role: dict[str, Any]) -> None:
        simulator.run("disableRole", id=role["id"])
        assert refused(simulator, "disableRole", id=role["id"]).text == "Role is already disabled"
        assert simulator.run("listRoles", id=role["id"])["role"][0]["state"] == "disabled"

    def test_rules_of_default_roles_become_resources_when_listed(self) -> None:
        cloud = Simulator(ready=False).cloud
        before = len(cloud.store.table(RolePermission))
        user = cloud.store.table(Role).first(name="User")
        assert user is not None
        listed = cloud.run("listRolePermissions", roleid=user.id)["rolepermission"]
        assert len(cloud.store.table(RolePermission)) - before == len(listed) == 255


class TestProjects:
    @pytest.fixture
    def people(self, simulator: Simulator) -> dict[str, dict[str, Any]]:
        domain = new_domain(simulator)
        return {name: new_account(simulator, domainid=domain["id"]) for name in ("owner", "member", "stranger")}

    @pytest.fixture
    def project(self, simulator: Simulator, people: dict[str, dict[str, Any]]) -> dict[str, Any]:
        owner = people["owner"]
        made = simulator.run(
            "createProject", name=fresh_name("project"), account=owner["name"], domainid=owner["domainid"]
        )
        project: dict[str, Any] = made["project"]
        return project

    def members(self, simulator: Simulator, project: dict[str, Any]) -> list[tuple[str, str]]:
        rows = simulator.run("listProjectAccounts", projectid=project["id"])["projectaccount"]
        return [(row["account"], row["role"]) for row in rows]

    def test_a_new_project(
        self, simulator: Simulator, people: dict[str, dict[str, Any]], project: dict[str, Any]
    ) -> None:
        owner = people["owner"]
        assert project["owner"] == [{"account": owner["name"]}]
        account = simulator.cloud.store.table(Account).first(name=project["projectaccountname"])
        assert account is not None
        assert (project["projectaccountname"], project["state"]) == (
            f"PrjAcct-{project['name']}-{account.domain.number}",
            "Active",
        )
        assert project["vmlimit"] == "20"
        assert simulator.run("listAccounts", id=owner["id"])["account"][0]["projecttotal"] == 1
        again = {"name": project["name"], "account": owner["name"], "domainid": owner["domainid"]}
        assert "already exists in domain id=" in refused(simulator, "createProject", **again).text

    def test_members(self, simulator: Simulator, people: dict[str, dict[str, Any]], project: dict[str, Any]) -> None:
        owner, member = people["owner"]["name"], people["member"]["name"]
        simulator.run("addAccountToProject", projectid=project["id"], account=member)
        assert self.members(simulator, project) == [(member, "Regular"), (owner, "Admin")]
        error = refused(simulator, "addAccountToProject", projectid=project["id"], account="nobody")
        assert (error.code, error.text) == (431, "Unable to find account name=nobody in specified domain id")
        error = refused(simulator, "deleteAccountFromProject", projectid=project["id"], account=owner)
        assert "as the account is the owner of the project" in error.text
        simulator.run("updateProject", id=project["id"], account=member)
        assert self.members(simulator, project) == [(member, "Admin"), (owner, "Regular")]
        simulator.run("deleteAccountFromProject", projectid=project["id"], account=owner)
        assert self.members(simulator, project) == [(member, "Admin")]

    def test_more_admins(
        self, simulator: Simulator, people: dict[str, dict[str, Any]], project: dict[str, Any]
    ) -> None:
        owner, member = people["owner"]["name"], people["member"]["name"]
        simulator.run("addAccountToProject", projectid=project["id"], account=member, roletype="admin")
        update = {"id": project["id"], "swapowner": False, "account": owner, "roletype": "Regular"}
        simulator.run("updateProject", **update)
        assert self.members(simulator, project) == [(member, "Admin"), (owner, "Regular")]
        update["account"] = member
        assert refused(simulator, "updateProject", **update).text == "Cannot demote the only admin of the project"

    def test_users_as_members(
        self, simulator: Simulator, people: dict[str, dict[str, Any]], project: dict[str, Any]
    ) -> None:
        user = people["member"]["user"][0]
        simulator.run("addUserToProject", projectid=project["id"], username=user["username"])
        row = simulator.run("listProjectAccounts", projectid=project["id"], userid=user["id"])["projectaccount"][0]
        assert (row["userid"], row["username"]) == (user["id"], user["username"])
        simulator.run("deleteUserFromProject", projectid=project["id"], userid=user["id"])
        assert len(self.members(simulator, project)) == 1

    def test_who_may_change_it(
        self, simulator: Simulator, people: dict[str, dict[str, Any]], project: dict[str, Any]
    ) -> None:
        simulator.run("addAccountToProject", projectid=project["id"], account=people["member"]["name"])
        owner, member, stranger = (caller_of(simulator, people[name]) for name in ("owner", "member", "stranger"))
        error = refused(simulator, "suspendProject", member, id=project["id"])
        assert (error.code, error.text) == (530, "Caller does not have permission to operate with provided resource.")
        error = refused(simulator, "suspendProject", stranger, id=project["id"])
        assert (error.code, f"in project [{project['id']}]" in error.text) == (432, True)
        suspended = simulator.cloud.run("suspendProject", owner, id=project["id"])["project"]
        assert suspended["state"] == "Suspended"
        assert (
            "isn't currently active"
            in refused(simulator, "addUserToProject", projectid=project["id"], username=people["stranger"]["name"]).text
        )
        assert simulator.cloud.run("activateProject", owner, id=project["id"])["project"]["state"] == "Active"

    def test_lists(self, simulator: Simulator, people: dict[str, dict[str, Any]], project: dict[str, Any]) -> None:
        boss = new_account(simulator, accounttype=2, domainid=project["domainid"])
        domain_admin = caller_of(simulator, boss)

        def names(caller: Caller | None, **params: Any) -> list[str]:
            answer = simulator.cloud.run("listProjects", caller, **params)
            return [row["name"] for row in answer.get("project", [])]

        assert names(caller_of(simulator, people["owner"])) == [project["name"]]
        assert names(caller_of(simulator, people["stranger"]), listall=True) == []
        assert names(domain_admin, listall=True) == [project["name"]]
        assert names(domain_admin) == []
        assert project["name"] in names(None, listall=True)
        assert names(None, account=people["owner"]["name"], domainid=project["domainid"]) == [project["name"]]
        assert (
            "unauthorized"
            in refused(simulator, "listProjects", caller_of(simulator, people["stranger"]), account="other").text
        )

    def test_project_roles(
        self, simulator: Simulator, people: dict[str, dict[str, Any]], project: dict[str, Any]
    ) -> None:
        id = project["id"]
        role = simulator.run("createProjectRole", projectid=id, name="reader")["projectrole"]
        simulator.run(
            "createProjectRolePermission", projectid=id, projectroleid=role["id"], rule="listUsers", permission="deny"
        )
        simulator.run("addAccountToProject", projectid=id, account=people["member"]["name"], projectroleid=role["id"])
        keys = keys_of(simulator, people["member"])
        denied = signed(simulator, keys, command="listUsers", projectid=id)
        assert denied.status_code == 401
        assert denied.json()["listusersresponse"]["errortext"] == (
            "The given command 'listUsers' either does not exist, is not available for user."
        )
        assert signed(simulator, keys, command="listProjectAccounts", projectid=id).status_code == 200
        assert (
            "have the project role in use" in refused(simulator, "deleteProjectRole", projectid=id, id=role["id"]).text
        )
        simulator.run("deleteAccountFromProject", projectid=id, account=people["member"]["name"])
        outside = signed(simulator, keys, command="listUsers", projectid=id)
        assert outside.status_code == 432
        assert f"is not available for this account/user in project [{id}]." in outside.text
        simulator.run("deleteProjectRole", projectid=id, id=role["id"])
        assert "projectrole" not in simulator.run("listProjectRoles", projectid=id)

    def test_invitations(
        self, simulator: Simulator, people: dict[str, dict[str, Any]], project: dict[str, Any]
    ) -> None:
        setting = simulator.cloud.configuration.settings["project.invite.required"]
        member = caller_of(simulator, people["member"])
        setting.value = "true"
        try:
            simulator.run("addAccountToProject", projectid=project["id"], account=people["member"]["name"])
            assert len(self.members(simulator, project)) == 1
            invited = simulator.cloud.run("listProjectInvitations", member)["projectinvitation"]
            assert [(row["project"], row["state"]) for row in invited] == [(project["name"], "Pending")]
            again = refused(simulator, "addAccountToProject", projectid=project["id"], account=people["member"]["name"])
            row = simulator.cloud.store.table(Project).get(project["id"])
            assert row is not None
            assert again.text.endswith(
                f'to the project id=Project {{"domainId":{row.domain.number},"id":{row.number},"name":"{row.name}",'
                f'"uuid":"{row.id}"}}.'
            )
            simulator.cloud.run("updateProjectInvitation", member, projectid=project["id"], accept=True)
            assert len(self.members(simulator, project)) == 2
        finally:
            setting.value = "false"

    @pytest.mark.parametrize(
        ("command", "parameter", "text"),
        [
            ("activateProject", "id", "Unable to find project by id 99"),
            ("suspendProject", "id", "Unable to find project by id 99"),
            ("deleteProject", "id", "Unable to find project by id 99"),
            ("updateProject", "id", "Unable to find project by id 99"),
            ("addAccountToProject", "projectid", "Unable to find project with specified ID"),
        ],
    )
    def test_a_project_that_is_not_there_is_told_at_once(
        self, simulator: Simulator, command: str, parameter: str, text: str
    ) -> None:
        status, _, body = simulator.cloud.execute(simulator.cloud.system_caller, command, {parameter: "99"})
        assert (status, body["cserrorcode"], body["errortext"]) == (431, 4350, text)

    def test_a_job_has_no_code_of_its_own_for_a_limit(
        self, simulator: Simulator, people: dict[str, dict[str, Any]], project: dict[str, Any]
    ) -> None:
        member = people["member"]
        where = {"account": member["name"], "domainid": member["domainid"]}
        simulator.run("updateResourceLimit", resourcetype=5, max=0, **where)
        error = refused(
            simulator, "addAccountToProject", projectid=project["id"], account=member["name"], roletype="Admin"
        )
        assert (error.code, "Maximum amount of resources of Type = 'project'" in error.text) == (530, True)

    def test_an_account_that_manages_projects_stays(
        self, simulator: Simulator, people: dict[str, dict[str, Any]], project: dict[str, Any]
    ) -> None:
        error = refused(simulator, "deleteAccount", id=people["owner"]["id"])
        assert (error.code, "because it manages the following project(s): [" in error.text) == (431, True)
        simulator.run("deleteProject", id=project["id"])
        simulator.run("deleteAccount", id=people["owner"]["id"])
        assert simulator.cloud.store.table(Account).first(name=project["projectaccountname"]) is None
        missing = refused(simulator, "listProjectAccounts", projectid=project["id"])
        assert missing.text.startswith("Unable to find the project id=")
