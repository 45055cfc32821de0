"""Posting events by HTTP: one attempt after the other, from a thread of each webhook, and never off this machine."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import ipaddress
import json
import socket
import ssl
import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

MAX_RESPONSE = 65_535
"""How much of an answer is kept; the database's column has room for this much."""


@dataclass(frozen=True)
class Post:
    """What is to be posted. ``timeout``: seconds that connecting or one read may take."""

    url: str
    event_id: str
    event_type: str
    account_id: str
    payload: str
    queued: datetime
    secret_key: str | None = None
    verify: bool = False
    tries: int = 3
    timeout: float = 10.0

    def headers(self) -> dict[str, str]:
        """The headers that CloudStack sends, in its order (WebhookDeliveryThread)."""
        headers = {
            "X-CS-Event-ID": self.event_id,
            "X-CS-Event": self.event_type,
            "User-Agent": f"CS-Hookshot/{self.account_id}",
        }
        if self.secret_key:
            digest = hmac.new(self.secret_key.encode(), self.payload.encode(), hashlib.sha256).digest()
            headers["X-CS-Signature"] = base64.b64encode(digest).decode()
        headers["Content-Length"] = str(len(self.payload.encode()))
        kind = "application/json; charset=UTF-8" if _is_json(self.payload) else "text/plain; charset=ISO-8859-1"
        return {**headers, "Content-Type": kind}


@dataclass(frozen=True)
class Outcome:
    """What became of a post: whether it was answered with 200, and the answer or why there is none."""

    success: bool
    response: str


def send(post: Post) -> Outcome:
    """Post, again where it fails, as often as it may. Never raises."""
    outcome = Outcome(False, "")
    for _ in range(max(1, post.tries)):
        outcome = _attempt(post)
        if outcome.success:
            break
    return outcome


def _attempt(post: Post) -> Outcome:
    try:
        parts = urlsplit(post.url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        if not is_here(host):
            raise OSError("Network is unreachable")
        connection = http.client.HTTPConnection(host, port, timeout=post.timeout)
        if parts.scheme == "https":
            context = ssl.create_default_context()
            if not post.verify:
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            connection = http.client.HTTPSConnection(host, port, timeout=post.timeout, context=context)
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", target, post.payload.encode(), post.headers())
            answer = connection.getresponse()
            text = answer.read(MAX_RESPONSE).decode("utf-8", "replace")
        finally:
            connection.close()
        return Outcome(answer.status == http.client.OK, text)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Outcome(False, f"Failed due to : {error}")


def is_here(host: str) -> bool:
    """True for an address of this machine, loopback or of its own interfaces, and for ``localhost``; no name is ever
    looked up, as asking for it would leave the machine."""
    if host.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if address.is_loopback:
        return True
    if address.is_multicast or address.is_unspecified:
        return False
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # Only addresses of this machine can be bound.
            probe.bind((host, 0))
    except OSError:
        return False
    return True


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), (dict, list))
    except ValueError:
        return False


class Outbox:
    """Posts in order from a thread, which ends when there is nothing more to send."""

    def __init__(self) -> None:
        self._waiting: deque[Post] = deque()
        self._sent: deque[tuple[Post, Outcome]] = deque()
        self._state = threading.Condition()
        self._busy = False

    def put(self, post: Post) -> None:
        """Send a post soon."""
        with self._state:
            self._waiting.append(post)
            if not self._busy:
                self._busy = True
                threading.Thread(target=self._run, name="webhook", daemon=True).start()

    def take(self) -> list[tuple[Post, Outcome]]:
        """What was sent since this was last asked for, oldest first."""
        with self._state:
            sent = list(self._sent)
            self._sent.clear()
            return sent

    def flush(self, timeout: float) -> bool:
        """Wait until everything was sent, at most ``timeout`` seconds of the wall clock; True where it was."""
        with self._state:
            return self._state.wait_for(lambda: not self._busy, timeout)

    def _run(self) -> None:
        while True:
            with self._state:
                if not self._waiting:
                    self._busy = False
                    self._state.notify_all()
                    return
                post = self._waiting.popleft()
            outcome = send(post)
            with self._state:
                self._sent.append((post, outcome))
