"""The simulator's management server itself: shutdown, request limits, second factors, its identifier."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from cs_matrix_pytest.simulator import Simulator
from cs_matrix_pytest.simulator.wire.second_factor import totp
from simulator_over_http import Client, SignedClient


@pytest.fixture
def client() -> Iterator[Client]:
    with Simulator() as simulator:
        yield Client(simulator)


def server(client: Client) -> dict[str, Any]:
    return {"managementserverid": client.one("listManagementServers")["id"]}


def test_no_jobs_while_it_prepares_for_shutdown(client: Client) -> None:
    here = server(client)
    prepared = client.one("prepareForShutdown", **here)
    assert (prepared["state"], prepared["shutdowntriggered"], prepared["pendingjobscount"]) == (
        "PreparingForShutDown",
        True,
        0,
    )
    assert client.refused("deleteNetwork", id="x") == (
        503,
        "Maintenance or Shutdown has been initiated on this management server. Can not accept new jobs",
    )
    client.pass_time(2)
    assert client.one("readyForShutdown", **here)["state"] == "ReadyToShutDown"
    assert client.one("cancelShutdown", **here)["state"] == "Up"
    assert client.refused("cancelShutdown", **here) == (
        530,
        "Management server is not in the right state to cancel shutdown",
    )


def test_one_server_cannot_be_maintained_or_removed(client: Client) -> None:
    here = server(client)
    assert client.refused("prepareForMaintenance", **here) == (
        530,
        "Prepare for maintenance not supported, there is only one active management server",
    )
    assert client.refused("cancelMaintenance", **here)[0] == 530
    assert client.refused("removeManagementServer", id=here["managementserverid"]) == (
        431,
        f"Unable to remove Management Server with ID [{here['managementserverid']}]. It can only be removed when it is in "
        "the [Down] state, however currently it is in the [Up] state.",
    )


def test_shutdown_ends_it(client: Client) -> None:
    url = f"http://127.0.0.1:{client.simulator.integration_port}/"
    assert client.one("triggerShutdown", **server(client))["state"] == "ShuttingDown"
    client.pass_time(2)
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            requests.get(url, timeout=1)
        except requests.ConnectionError:
            return
        time.sleep(0.02)
    pytest.fail("it still answers")


def test_request_limit(client: Client) -> None:
    off = (432, "This api is only available when api.throttling.enabled = true.")
    assert client.refused("getApiLimit") == off
    assert client.refused("resetApiLimit") == off
    for name, value in (("enabled", "true"), ("interval", "60"), ("max", "3")):
        client.run("updateConfiguration", name=f"api.throttling.{name}", value=value)
    user = client.account("joe")["user"][0]
    keys = client.one("registerUserKeys", id=user["id"])
    joe = SignedClient(client.simulator, (keys["apikey"], keys["secretkey"]))
    for _ in range(2):
        joe.run("listZones")
    limit = joe.one("getApiLimit")
    assert (limit["account"], limit["apiIssued"], limit["apiAllowed"]) == ("joe", 3, 0)
    code, text = joe.refused("listZones")
    assert code == 429
    assert text.startswith("The given user has reached his/her account api limit, please retry after [")
    client.run("resetApiLimit", account=user["accountid"])
    joe.run("listZones")
    client.pass_time(61)
    assert joe.one("getApiLimit")["apiIssued"] == 1
    admin = SignedClient(client.simulator)
    for _ in range(5):
        admin.run("listZones")


class Session:
    """A user who logged in by password."""

    def __init__(self, simulator: Simulator) -> None:
        self.url = f"http://127.0.0.1:{simulator.api_port}/client/api"
        self.cookies = requests.Session()
        who = {"command": "login", "username": "admin", "password": "password", "response": "json"}
        self.login = self.cookies.post(self.url, data=who, timeout=30).json()["loginresponse"]

    def ask(self, command: str, **params: str) -> tuple[int, dict[str, Any]]:
        wanted = {"command": command, "response": "json", "sessionkey": self.login["sessionkey"], **params}
        answer = self.cookies.get(self.url, params=wanted, timeout=30)
        (body,) = answer.json().values()
        return answer.status_code, body


VALIDATE = "validateUserTwoFactorAuthenticationCode"


@pytest.mark.parametrize("provider", ["totp", "staticpin"])
def test_second_factor(client: Client, provider: str) -> None:
    client.run("updateConfiguration", name="enable.user.2fa", value="true")
    session = Session(client.simulator)
    status, body = session.ask(VALIDATE, codefor2fa="1")
    assert (status, body["errortext"]) == (530, "Two factor authentication is not enabled on the user: admin")
    assert session.ask(VALIDATE)[1]["errortext"] == "Code for two factor authentication is required"
    secret = session.ask("setupUserTwoFactorAuthentication", provider=provider)[1]["setup2fa"]["secretcode"]

    def code() -> str:
        return secret if provider == "staticpin" else str(totp(secret, client.simulator.cloud.clock.now()))

    assert session.ask(VALIDATE, codefor2fa=code()) == (200, {"success": True})

    unverified = Session(client.simulator)
    assert (unverified.login["is2faenabled"], unverified.login["is2faverified"]) == ("true", "false")
    status, body = unverified.ask("listZones")
    assert (status, body["errortext"][:90]) == (
        511,
        "Unable to process the API request due to :Two factor authentication 2FA is enabled but not",
    )
    assert unverified.ask("listZones")[0] == 401

    wrong = Session(client.simulator)
    status, body = wrong.ask(VALIDATE, codefor2fa="no")
    assert (status, body["cserrorcode"]) == (511, 4295)
    assert "two-factor authentication code provided is invalid" in body["errortext"]
    assert wrong.ask("listZones")[0] == 401

    right = Session(client.simulator)
    assert right.ask(VALIDATE, codefor2fa=code())[0] == 200
    assert right.ask("listZones")[0] == 200


def test_a_wrong_code_undoes_the_set_up(client: Client) -> None:
    client.run("updateConfiguration", name="enable.user.2fa", value="true")
    session = Session(client.simulator)
    session.ask("setupUserTwoFactorAuthentication", provider="staticpin")
    assert session.ask(VALIDATE, codefor2fa="no")[0] == 511
    assert session.ask("listZones")[0] == 200
    assert Session(client.simulator).login["is2faenabled"] == "false"


def test_a_second_factor_is_a_matter_of_sessions(client: Client) -> None:
    answer = SignedClient(client.simulator).answer({"command": VALIDATE, "codefor2fa": "1", "response": "json"})
    assert (answer.status_code, answer.text) == (200, "")


def test_codes_of_rfc_6238() -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    assert [totp(secret, now) for now in (59, 1111111109, 20000000000)] == ["287082", "081804", "353130"]
    assert totp("not base 32!", 59) is None


def test_identifier(client: Client) -> None:
    user = client.rows("listUsers", listall=True)[0]["id"]
    first, second = (client.one("getCloudIdentifier", userid=user)["cloudidentifier"] for _ in range(2))
    assert first == second
