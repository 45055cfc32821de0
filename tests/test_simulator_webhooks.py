"""Webhooks of the simulator: who may have them, which events they are for, and that these really arrive."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from cs_matrix_pytest.simulator import Simulator
from cs_matrix_pytest.simulator.call import Caller
from cs_matrix_pytest.simulator.models.iam import User
from cs_matrix_pytest.simulator.outbox import is_here
from simulator_over_http import Client


class Receiver(ThreadingHTTPServer):
    """Keeps what is posted to it; answers 200, or ``status``."""

    def __init__(self) -> None:
        received: list[tuple[dict[str, str], str]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                received.append((dict(self.headers), body))
                self.send_response(outer.status)
                self.end_headers()
                self.wfile.write(f"thanks for {self.headers['X-CS-Event']}".encode())

            def log_message(self, format: str, *args: Any) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        outer = self
        self.received = received
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/events?from=simulator"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def client() -> Iterator[Client]:
    with Simulator(ready=False) as simulator:
        yield Client(simulator)


def webhook(client: Client, owner: dict[str, Any], url: str, **options: Any) -> dict[str, Any]:
    return client.one(
        "createWebhook", account=owner["name"], domainid=owner["domainid"], name="w", payloadurl=url, **options
    )


def deliveries(client: Client, count: int, **params: Any) -> list[dict[str, Any]]:
    """The deliveries, once there are so many."""
    for _ in range(200):
        rows = client.rows("listWebhookDeliveries", **params)
        if len(rows) >= count:
            return rows
        time.sleep(0.02)
    raise AssertionError(f"{len(rows)} of {count} deliveries")


def make_key(client: Client, owner: dict[str, Any], name: str) -> None:
    """Have an account do something that two events tell of."""
    user = client.simulator.cloud.store.table(User).first(username=owner["name"])
    assert user is not None
    client.simulator.cloud.run("createSSHKeyPair", Caller(user), name=name)


def test_events_arrive_signed_and_are_recorded(client: Client, receiver: Receiver) -> None:
    ann = client.account("ann")
    hook = webhook(client, ann, receiver.url, secretkey="s3cret")
    make_key(client, ann, "k")
    started, completed = deliveries(client, 2, webhookid=hook["id"])[::-1]
    assert [row["eventtype"] for row in (started, completed)] == ["REGISTER.SSH.KEYPAIR"] * 2
    assert completed["success"] is True
    assert completed["response"] == "thanks for REGISTER.SSH.KEYPAIR"
    said = json.loads(completed["payload"])
    assert (said["event"], said["status"], said["account"]) == ("REGISTER.SSH.KEYPAIR", "Completed", ann["id"])
    headers, body = next(row for row in receiver.received if row[0]["X-CS-Event-ID"] == completed["eventid"])
    digest = hmac.new(b"s3cret", body.encode(), hashlib.sha256).digest()
    assert headers["X-CS-Signature"] == base64.b64encode(digest).decode()
    assert headers["User-Agent"] == f"CS-Hookshot/{ann['id']}"
    assert body == completed["payload"]


@pytest.mark.parametrize(
    ("scope", "kind", "arrives"),
    [("Local", 2, ["admin"]), ("Domain", 2, ["admin", "below"]), ("Global", 1, ["admin", "below", "other"])],
)
def test_scopes(client: Client, receiver: Receiver, scope: str, kind: int, arrives: list[str]) -> None:
    domain = client.one("createDomain", name="d")["id"]
    owner = client.account("admin-of-d", type=kind, domain=None if kind == 1 else domain)
    below, other = client.account("below", domain=domain), client.account("other")
    hook = webhook(client, owner, receiver.url, scope=scope)
    for who, name in ((owner, "admin"), (below, "below"), (other, "other")):
        make_key(client, who, name)
    rows = deliveries(client, 2 * len(arrives), webhookid=hook["id"])
    of = {owner["id"]: "admin", below["id"]: "below", other["id"]: "other"}
    assert {of[json.loads(row["payload"])["account"]] for row in rows} == set(arrives)


def test_a_failing_receiver_is_tried_again(client: Client, receiver: Receiver) -> None:
    receiver.status = 503
    hook = webhook(client, client.account("ann"), receiver.url)
    row = client.one("executeWebhookDelivery", webhookid=hook["id"])
    assert (row["success"], row["response"]) == (False, "thanks for TEST.WEBHOOK")
    assert len(receiver.received) == 3
    assert receiver.received[0][1] == '{ "CloudStack": "works!" }'


def test_nothing_leaves_this_machine(client: Client) -> None:
    hook = webhook(client, client.account("ann"), "http://receiver.example.org/hook")
    row = client.one("executeWebhookDelivery", webhookid=hook["id"], payload="not json")
    assert (row["success"], row["response"]) == (False, "Failed due to : Network is unreachable")
    assert "text/plain" in row["headers"]
    assert not any(is_here(host) for host in ("203.0.113.7", "example.org", "2001:db8::1", "224.0.0.1", "0.0.0.0", ""))
    assert is_here("127.0.0.1")
    assert is_here("localhost")


def test_a_delivery_again_is_one_more(client: Client, receiver: Receiver) -> None:
    ann = client.account("ann")
    hook = webhook(client, ann, receiver.url)
    make_key(client, ann, "k")
    first = deliveries(client, 2)[0]
    again = client.one("executeWebhookDelivery", id=first["id"])
    assert (again["eventid"], again["payload"]) == (first["eventid"], first["payload"])
    assert again["id"] != first["id"]
    client.run("deleteWebhookDelivery", id=again["id"])
    assert len(deliveries(client, 2)) == 2
    client.run("deleteWebhookDelivery", webhookid=hook["id"])
    assert client.rows("listWebhookDeliveries") == []


def test_only_the_newest_deliveries_are_kept(client: Client, receiver: Receiver) -> None:
    client.run("updateConfiguration", name="webhook.deliveries.limit", value=3)
    ann = client.account("ann")
    webhook(client, ann, receiver.url)
    for number in range(3):
        make_key(client, ann, f"k{number}")
    newest = [row["id"] for row in deliveries(client, 6)[:3]]
    client.pass_time(3700)
    assert [row["id"] for row in client.rows("listWebhookDeliveries")] == newest


@pytest.mark.parametrize(
    ("filters", "arrives"),
    [
        ([("Include", "Prefix", "REGISTER.")], True),
        ([("Include", "Exact", "VM.START")], False),
        ([("Exclude", "Contains", "SSH")], False),
        ([("Exclude", "Suffix", ".START")], True),
        ([("Include", "Prefix", "REGISTER."), ("Exclude", "Suffix", "KEYPAIR")], False),
    ],
)
def test_filters(client: Client, receiver: Receiver, filters: list[tuple[str, str, str]], arrives: bool) -> None:
    ann = client.account("ann")
    hook = webhook(client, ann, receiver.url)
    for mode, match, value in filters:
        client.run("addWebhookFilter", webhookid=hook["id"], mode=mode, matchtype=match, value=value)
    make_key(client, ann, "k")
    client.run("deleteWebhookFilter", webhookid=hook["id"])
    assert client.rows("listWebhookFilters", webhookid=hook["id"]) == []
    make_key(client, ann, "once more")
    assert len(deliveries(client, 4 if arrives else 2)) == (4 if arrives else 2)


def test_what_contradicts_a_filter_is_refused(client: Client) -> None:
    hook = webhook(client, client.account("ann"), "http://127.0.0.1/")["id"]
    row = client.one("addWebhookFilter", webhookid=hook, value="VM.START")
    assert (row["mode"], row["matchtype"], row["type"]) == ("Include", "Exact", "EventType")
    for again in ({"value": "vm.start"}, {"value": "VM.START", "mode": "Exclude"}):
        assert client.refused("addWebhookFilter", webhookid=hook, **again) == (
            530,
            "Conflicting Webhook filter exists ID: 1",
        )


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"scope": "Nowhere"}, "Invalid scope specified"),
        ({"state": "Asleep"}, "Invalid state specified"),
        ({"scope": "Global"}, "Scope Global can not be specified for owner dan"),
        ({"sslverification": True}, "SSL verification can be specified only for HTTPS URLs, http://127.0.0.1:1/a"),
        ({"payloadurl": "http://127.0.0.1:99999/"}, "Invalid URL: http://127.0.0.1:99999/"),
        ({"payloadurl": "http://[::1"}, "Invalid URL: http://[::1"),
        ({"payloadurl": "127.0.0.1:1/b"}, "Payload URL: http://127.0.0.1:1/b is already in use by another webhook"),
    ],
)
def test_bad_webhooks(client: Client, change: dict[str, Any], text: str) -> None:
    dan = client.account("dan", type=2, domain=client.one("createDomain", name="d")["id"])
    whose = {"account": "dan", "domainid": dan["domainid"], "name": "w"}
    client.run("createWebhook", payloadurl="http://127.0.0.1:1/b", **whose)
    assert client.refused("createWebhook", **whose | {"payloadurl": "http://127.0.0.1:1/a"} | change) == (530, text)


def test_update_and_removal(client: Client) -> None:
    ann = client.account("ann")
    hook = webhook(client, ann, "http://127.0.0.1:1/", secretkey="k", description="d")
    changed = client.one("updateWebhook", id=hook["id"], name="new", state="disabled", secretkey=" ")
    assert (changed["name"], changed["state"], changed["description"]) == ("new", "Disabled", "d")
    assert "secretkey" not in changed
    assert client.refused("listWebhooks", scope="Everywhere") == (431, "Invalid scope specified")
    client.run("deleteWebhook", id=hook["id"])
    assert client.refused("updateWebhook", id=hook["id"]) == (
        530,
        "Unable to find the webhook with the specified ID",
    )
    webhook(client, ann, "http://127.0.0.1:1/")
    client.run("deleteAccount", id=ann["id"])
    assert client.rows("listWebhooks", listall=True) == []
