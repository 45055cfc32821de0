"""A running simulator as a client on its integration port sees it."""

from __future__ import annotations

from typing import Any

import requests

from cs_matrix_pytest.simulator import Simulator
from cs_matrix_pytest.simulator.wire.authentication import signature

FAR_END = {
    "gateway": "203.0.113.9",
    "cidrlist": "10.200.0.0/16",
    "ipsecpsk": "secret",
    "ikepolicy": "aes128-sha1;modp1536",
    "esppolicy": "aes128-sha1",
}
"""What a customer gateway is made with: the far end of a site-to-site VPN."""


class Client:
    """Commands over HTTP; of an async one, what its job answered."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.session = requests.Session()

    def ask(self, command: str, **params: Any) -> dict[str, Any]:
        """The body of an answer, an error's too."""
        text = {name: str(value).lower() if isinstance(value, bool) else value for name, value in params.items()}
        (body,) = self.answer({"command": command, "response": "json", **text}).json().values()
        if "jobid" in body and command != "queryAsyncJobResult":
            body = self.ask("queryAsyncJobResult", jobid=body["jobid"])["jobresult"]
        return body  # type: ignore[no-any-return]

    def answer(self, params: dict[str, Any]) -> requests.Response:
        """What the server answers to one request."""
        return self.session.get(f"http://127.0.0.1:{self.simulator.integration_port}/", params=params, timeout=30)

    def run(self, command: str, **params: Any) -> dict[str, Any]:
        """The body of a command that must succeed."""
        body = self.ask(command, **params)
        assert "errorcode" not in body, body
        return body

    def one(self, command: str, **params: Any) -> dict[str, Any]:
        """The only resource in a command's answer: alone, or as the only row of a list."""
        body = {key: value for key, value in self.run(command, **params).items() if key != "count"}
        (found,) = body.values()
        if isinstance(found, list):
            (found,) = found
        return found  # type: ignore[no-any-return]

    def rows(self, command: str, **params: Any) -> list[dict[str, Any]]:
        """The rows of a list, none where the answer has none."""
        body = self.run(command, **params)
        return next((value for value in body.values() if isinstance(value, list)), [])

    def refused(self, command: str, **params: Any) -> tuple[int, str]:
        """Error code and text of a command that must fail."""
        body = self.ask(command, **params)
        return body["errorcode"], body["errortext"]

    def account(self, name: str, *, domain: str | None = None, type: int = 0) -> dict[str, Any]:
        """A new account with one user of the same name, in the domain of this id or ROOT."""
        person = {"password": "password", "firstname": "A", "lastname": "B", "email": "a@example.org"}
        where = {} if domain is None else {"domainid": domain}
        return self.one("createAccount", username=name, accounttype=type, **person, **where)

    def pass_time(self, seconds: float) -> None:
        """Have simulated time pass."""
        with self.simulator.cloud.lock:
            self.simulator.clock.advance(seconds)


class SignedClient(Client):
    """The same on the API port, as the user whose keys sign: by default the admin."""

    def __init__(self, simulator: Simulator, keys: tuple[str, str] | None = None) -> None:
        super().__init__(simulator)
        self.api_key, self.secret_key = keys or simulator.admin_keys()

    def answer(self, params: dict[str, Any]) -> requests.Response:
        request = {name: str(value) for name, value in params.items()} | {"apiKey": self.api_key}
        request["signature"] = signature(request, self.secret_key)
        return self.session.get(f"http://127.0.0.1:{self.simulator.api_port}/client/api", params=request, timeout=30)


def signed_by(client: Client, account: dict[str, Any]) -> SignedClient:
    """A client that signs as the first user of an account."""
    keys = client.one("registerUserKeys", id=account["user"][0]["id"])
    return SignedClient(client.simulator, (keys["apikey"], keys["secretkey"]))
