"""What needs another server in the simulator: OAuth, LDAP and DNS, where none can be reached."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from cs_matrix_pytest.simulator import Simulator
from simulator_over_http import Client, SignedClient

GOOGLE = {"provider": "google", "description": "d", "clientid": "c", "secretkey": "s", "redirecturi": "https://u"}
JAVA = "com.cloud.exception.InvalidParameterValueException: "
LOGIN = {"provider": "google", "email": "admin@mailprovider.com", "secretcode": "x"}


@pytest.fixture
def client() -> Iterator[Client]:
    with Simulator() as simulator:
        yield Client(simulator)


class LoginPage(Client):
    """Who is not logged in yet, on the API port."""

    def answer(self, params: dict[str, Any]) -> requests.Response:
        return self.session.get(f"http://127.0.0.1:{self.simulator.api_port}/client/api", params=params, timeout=30)


def allow_oauth(client: Client, **where: str) -> None:
    client.run("updateConfiguration", name="oauth2.enabled", value=True, **where)


# OAuth


def test_oauth_is_off(client: Client) -> None:
    assert LoginPage(client.simulator).rows("listOauthProvider") == []
    assert client.refused("registerOauthProvider", **GOOGLE) == (
        530,
        "OAuth is not enabled, please enable to register",
    )
    assert LoginPage(client.simulator).refused("oauthlogin", **LOGIN) == (
        531,
        "OAuth login is not enabled for this domain. Please contact your administrator.",
    )


def test_life_of_a_provider(client: Client) -> None:
    allow_oauth(client)
    made = client.one("registerOauthProvider", **GOOGLE)
    assert (made["name"], made["clientid"], made["enabled"]) == ("google", "c", False)
    assert client.refused("registerOauthProvider", **GOOGLE) == (
        530,
        "Global provider with the name google is already registered",
    )
    assert LoginPage(client.simulator).one("listOauthProvider")["enabled"] is True
    changed = client.one("updateOauthProvider", id=made["id"], description="e", enabled=False)
    assert (changed["description"], changed["enabled"]) == ("e", False)
    client.run("deleteOauthProvider", id=made["id"])
    assert LoginPage(client.simulator).rows("listOauthProvider") == []


def test_a_provider_of_a_domain(client: Client) -> None:
    domain = client.one("createDomain", name="d1")["id"]
    allow_oauth(client, domainid=domain)
    made = client.one("registerOauthProvider", domain="d1", **GOOGLE)
    assert made["domainpath"] == "ROOT/d1"
    # The login page is told that there is one, not which.
    login_page, admin = LoginPage(client.simulator), SignedClient(client.simulator)
    assert login_page.run("listOauthProvider") == {"count": 1}
    assert [row["id"] for row in login_page.rows("listOauthProvider", domainid=domain)] == [made["id"]]
    assert [row["id"] for row in admin.rows("listOauthProvider")] == [made["id"]]
    client.run("deleteDomain", id=domain)
    assert admin.rows("listOauthProvider") == []


def test_a_provider_of_root_is_everybodys(client: Client) -> None:
    allow_oauth(client)
    root = client.one("listDomains", name="ROOT", listall=True)["id"]
    assert "domainid" not in client.one("registerOauthProvider", domainid=root, **GOOGLE)


def test_keycloak_needs_its_urls(client: Client) -> None:
    assert client.refused("registerOauthProvider", **(GOOGLE | {"provider": "keycloak"})) == (
        400,
        "Parameter authorizeurl is mandatory for keycloak OAuth Provider",
    )


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({}, "Failed to authenticate user admin in domain 1; please provide valid credentials"),
        (
            {"email": "x@example.org"},
            "User not found in CloudStack to login. If user belongs to any domain, please provide it.",
        ),
        ({"secretcode": ""}, "OAuth provider, email, secretCode any of these cannot be null"),
        ({"domainId": "1"}, "Failed to authenticate user admin in domain 1; please provide valid credentials"),
        ({"domain": "/nowhere/"}, "Unable to find the domain from the path /nowhere/"),
    ],
)
def test_nobody_logs_in_by_oauth(client: Client, params: dict[str, str], text: str) -> None:
    allow_oauth(client)
    client.run("registerOauthProvider", **GOOGLE)
    assert LoginPage(client.simulator).refused("oauthlogin", **(LOGIN | params)) == (531, text)


def test_no_code_is_verified(client: Client) -> None:
    refused = LoginPage(client.simulator).refused
    assert refused("verifyOAuthCodeAndGetUser", provider="nobody", secretcode="x") == (
        530,
        "Failed to find OAuth2 authentication provider by the name: nobody.",
    )
    allow_oauth(client)
    client.run("registerOauthProvider", **GOOGLE)
    assert refused("verifyOAuthCodeAndGetUser", provider="google", secretcode="x") == (
        530,
        "Unable to verify the code provided",
    )


# LDAP


@pytest.mark.parametrize(
    ("command", "params", "refusal"),
    [
        (
            "addLdapConfiguration",
            {"hostname": "h", "port": 389},
            (530, f"{JAVA}Unable to bind to the given LDAP server"),
        ),
        ("deleteLdapConfiguration", {}, (530, f"{JAVA}Either id or hostname must be specified")),
        ("deleteLdapConfiguration", {"hostname": "h"}, (530, f"{JAVA}Cannot find configuration with hostname h")),
        ("ldapConfig", {"hostname": "h", "port": 389}, (431, "Unable to bind to the given LDAP server")),
        ("ldapConfig", {}, (431, "You need to provide hostname, port to configure your LDAP server")),
        (
            "ldapCreateAccount",
            {"username": "u", "accounttype": 0},
            (534, "No LDAP user exists with the username of u"),
        ),
        ("ldapCreateAccount", {"username": "u"}, (431, "Both account type and role ID are not provided")),
        ("importLdapUsers", {}, (431, "Both account type and role ID are not provided")),
    ],
)
def test_no_ldap_server_is_reached(
    client: Client, command: str, params: dict[str, Any], refusal: tuple[int, str]
) -> None:
    assert client.refused(command, **params) == refusal


def test_without_ldap_servers_there_are_no_users(client: Client) -> None:
    assert client.rows("listLdapConfigurations", listall=True) == []
    assert client.rows("ldapConfig", listall=True) == []
    assert client.rows("listLdapUsers") == client.rows("searchLdap", query="x") == []
    assert client.rows("importLdapUsers", accounttype=0) == []
    assert client.run("ldapRemove") == {"ldapremove": {}}


@pytest.fixture
def domain(client: Client) -> str:
    made = client.one("createDomain", name="d1")["id"]
    client.run("updateConfiguration", name="ldap.basedn", value="dc=example,dc=org", domainid=made)
    return str(made)


def test_a_domain_without_a_base_is_not_linked(client: Client) -> None:
    made = client.one("createDomain", name="d1")["id"]
    link = {"domainid": made, "type": "GROUP", "ldapdomain": "cn=a", "accounttype": 0}
    assert client.refused("linkDomainToLdap", **link) == (
        431,
        "can not link a domain (with id = 2) unless a basedn (null) is configured for it.",
    )
    assert client.refused("linkAccountToLdap", account="a", **link) == (
        530,
        "can not link an account to ldap in a domain for which no basdn is configured",
    )


def test_a_domain_is_linked_and_unlinked(client: Client, domain: str) -> None:
    link = {"domainid": domain, "type": "group", "ldapdomain": "cn=a", "accounttype": 2, "admin": "someone"}
    made = client.one("linkDomainToLdap", **link)
    assert made == {"domainid": domain, "ldapdomain": "cn=a", "name": "cn=a", "type": "GROUP", "accounttype": 2}
    assert client.refused("linkDomainToLdap", **(link | {"accounttype": 1})) == (
        431,
        "accountype should be either 0(normal user) or 2(domain admin)",
    )
    assert client.run("unlinkDomainFromLdap", domainid=domain) == {
        "success": True,
        "displaytext": "Domain unlinked from LDAP successfully",
    }
    assert client.run("unlinkDomainFromLdap", domainid=domain) == {
        "success": False,
        "displaytext": "Failed to unlink domain from LDAP",
    }


def test_an_account_is_made_for_a_link(client: Client, domain: str) -> None:
    link = {"domainid": domain, "type": "OU", "ldapdomain": "ou=a", "accounttype": 0}
    made = client.one("linkAccountToLdap", account="folk", **link)
    account = client.one("listAccounts", name="folk", domainid=domain)
    assert (made["accountid"], made["account"], account["user"]) == (account["id"], "folk", [])
    assert client.refused("linkAccountToLdap", account="other", **(link | {"accounttype": 9})) == (
        431,
        "Either account type or role ID must be given",
    )
    code, text = client.refused("linkAccountToLdap", account="other", **link)
    assert (code, text.endswith("delete the old map before mapping a new account to the same group.")) == (530, True)
    client.run("deleteAccount", id=account["id"])
    assert client.one("linkAccountToLdap", account="other", **link)["account"] == "other"


# DNS


def test_no_dns_server_is_reached(client: Client) -> None:
    assert client.rows("listDnsProviders") == [{"name": "PowerDNS"}]
    given = {"name": "s", "url": "http://10.0.0.1", "provider": "PowerDNS", "dnsapikey": "k", "nameservers": "ns.a.b"}
    assert client.refused("addDnsServer", **given) == (530, "Failed to validate DNS server")
    assert client.rows("listDnsServers") == client.rows("listDnsZones") == []


@pytest.mark.parametrize(
    ("command", "params", "refusal"),
    [
        ("updateDnsServer", {"id": 7}, (530, "DNS server with ID: 7 not found.")),
        ("deleteDnsServer", {"id": 7}, (530, "Failed to delete DNS server: DNS server with ID: 7 not found.")),
        (
            "createDnsZone",
            {"name": "a.org", "dnsserverid": 7},
            (530, "Failed to allocate DNS Zone: DNS server not found for the given ID: 7"),
        ),
        (
            "createDnsZone",
            {"name": "a", "dnsserverid": 7},
            (530, "Failed to allocate DNS Zone: Invalid domain name: a"),
        ),
        ("updateDnsZone", {"id": 7}, (530, "Failed to update DNS Zone: DNS zone not found.")),
        ("deleteDnsZone", {"id": 7}, (530, "DNS zone not found for the given ID.")),
        ("listDnsZones", {"id": 7}, (431, "DNS zone not found for the given ID")),
        ("listDnsRecords", {"dnszoneid": 7}, (431, "DNS zone not found for the given ID.")),
        (
            "createDnsRecord",
            {"dnszoneid": 7, "name": "a", "type": "A", "contents": "10.0.0.1"},
            (530, "DNS zone not found."),
        ),
        (
            "deleteDnsRecord",
            {"dnszoneid": 7, "name": "a", "type": "A"},
            (530, "Error deleting DNS Record: DNS zone not found."),
        ),
    ],
)
def test_without_dns_servers_there_are_no_zones(
    client: Client, command: str, params: dict[str, Any], refusal: tuple[int, str]
) -> None:
    assert client.refused(command, **params) == refusal
