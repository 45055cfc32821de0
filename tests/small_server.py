"""A management server that answers a handful of commands: enough for Marvin to connect, and easy to break."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

ADMIN = {"id": "11111111-2222-4333-8444-555555555555", "account": "admin", "username": "admin"}
KEYS = {"apikey": "small-server-api-key", "secretkey": "small-server-secret-key"}
ZONE = {"id": "aaaaaaaa-2222-4333-8444-555555555555", "name": "zone1", "networktype": "Advanced"}
HOST = {
    "id": "bbbbbbbb-2222-4333-8444-555555555555",
    "name": "h1",
    "hypervisor": "KVM",
    "state": "Up",
    "type": "Routing",
}

ANSWERS: dict[str, dict[str, Any]] = {
    "listCapabilities": {"capability": {"cloudstackversion": "4.22.0.0"}},
    "listZones": {"count": 1, "zone": [ZONE]},
    "listHosts": {"count": 1, "host": [HOST]},
    "listStoragePools": {"count": 1, "storagepool": [{"name": "p", "scope": "ZONE", "type": "NetworkFilesystem"}]},
    "listUsers": {"count": 1, "user": [ADMIN]},
    "getUserKeys": {"userkeys": KEYS},
    "registerUserKeys": {"userkeys": KEYS},
}


class SmallServer:
    """Listens on loopback while started; `port` stays the same when it is stopped and started again."""

    def __init__(self, answers: dict[str, dict[str, Any]] | None = None) -> None:
        self.answers = {**ANSWERS, **(answers or {})}
        self.commands: list[str] = []
        self.reply: Callable[[str], tuple[int, str, str]] | None = None
        """Instead of the answers: command → (status, content type, body)."""
        self.delay = 0.0
        self.port = 0
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> SmallServer:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                command = parse_qs(urlsplit(self.path).query).get("command", [""])[0]
                owner.commands.append(command)
                time.sleep(owner.delay)
                status, kind, body = owner.reply(command) if owner.reply else owner.answer(command)
                data = body.encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *_: object) -> None:
                pass

        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def answer(self, command: str) -> tuple[int, str, str]:
        if command in self.answers:
            return 200, "application/json", json.dumps({f"{command.lower()}response": self.answers[command]})
        error = {"errorcode": 432, "cserrorcode": 9999, "errortext": f"unknown command {command}"}
        return 432, "application/json", json.dumps({"errorresponse": error})

    def config(self, **server: Any) -> dict[str, Any]:
        """A Marvin configuration that points here."""
        own = {"mgtSvrIp": "127.0.0.1", "port": self.port, "user": "root", "passwd": "password", "useHttps": "False"}
        return {
            "zones": [{"name": "zone1", "networktype": "Advanced", "pods": []}],
            "mgtSvr": [{**own, "certCAPath": "NA", "certPath": "NA", **server}],
            "dbSvr": {"dbSvr": "127.0.0.1", "passwd": "cloud", "db": "cloud", "port": 3306, "user": "cloud"},
        }

    def __enter__(self) -> SmallServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
