"""A simulated management server: one cloud behind its two ports, and its database behind a third."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from cs_matrix_pytest.environments.model import Fault
from cs_matrix_pytest.simulator.clock import Clock
from cs_matrix_pytest.simulator.cloud import Cloud
from cs_matrix_pytest.simulator.errors import ApiError
from cs_matrix_pytest.simulator.sql.server import PASSWORD, USER, DatabasePort
from cs_matrix_pytest.simulator.state import load
from cs_matrix_pytest.simulator.state import save as write_state
from cs_matrix_pytest.simulator.wire.server import ApiHandler, IntegrationHandler, Port

LOOPBACK = "127.0.0.1"

USUAL_PORTS = {"api": 8080, "database": 3306}
OPENERS: dict[str, Callable[[Cloud, tuple[str, int]], Port | DatabasePort]] = {
    "integration": lambda cloud, address: Port(cloud, address, IntegrationHandler),
    "api": lambda cloud, address: Port(cloud, address, ApiHandler),
    "database": DatabasePort,
}
"""What opens each port of a cloud, at (host, port)."""


class Simulator:
    """CloudStack on loopback: the integration port, the API port and the database's, on free ports unless told otherwise."""

    def __init__(
        self,
        *,
        hypervisor: str = "simulator",
        networking: str = "advanced",
        faults: Mapping[str, Fault] | None = None,
        ready: bool = True,
        state: Path | None = None,
        host: str = LOOPBACK,
        integration_port: int = 0,
        api_port: int | None = None,
        database_port: int | None = 0,
    ) -> None:
        """``ready`` builds a zone of ``networking`` with hosts of ``hypervisor``; without, it is a fresh install.

        ``state`` is a file that `stop` saves the cloud's state to. Where it is there already it is loaded, in place of what
        ``ready``, ``hypervisor`` and ``networking`` say. Raises UserError for a file that is no state, or cannot be one.

        Ports are opened by `start`; 0 takes one that is free, None the usual one or, where that is taken, any. The API's
        is the usual one by default, as suites write it into URLs.
        """
        self.cloud = Cloud(hypervisor=hypervisor)
        self._host = host
        self._wanted = {"integration": integration_port, "api": api_port, "database": database_port}
        self._ports: dict[str, Port | DatabasePort] = {}
        self._stopping = threading.RLock()
        self._state = state
        self.was_loaded = state is not None and load(self.cloud, state)
        """True where the state comes from the file."""
        self.cloud.when_exiting.append(self.stop)
        if ready and not self.was_loaded:
            from cs_matrix_pytest.simulator.ready import build_ready_zone

            build_ready_zone(self.cloud, networking)
        self.cloud.order_faults(faults or {})

    @property
    def clock(self) -> Clock:
        return self.cloud.clock

    @property
    def integration_port(self) -> int:
        """The open port; known once started."""
        return self._ports["integration"].port

    @property
    def api_port(self) -> int:
        """The port of ``/client/api``; known once started."""
        return self._ports["api"].port

    @property
    def database_port(self) -> int:
        """The port of the database, which speaks MySQL's protocol; known once started."""
        return self._ports["database"].port

    def start(self) -> Simulator:
        """Open the ports and answer requests, in threads. Raises OSError where a port is taken."""
        try:
            for name, wanted in self._wanted.items():
                self._ports[name] = self._open(name, wanted)
        except OSError:
            self.stop(save=False)
            raise
        for port in self._ports.values():
            port.start()
        return self

    def _open(self, name: str, wanted: int | None) -> Port | DatabasePort:
        if wanted is None:
            with suppress(OSError):
                return self._open(name, USUAL_PORTS[name])
        return OPENERS[name](self.cloud, (self._host, wanted or 0))

    def stop(self, *, save: bool = True) -> None:
        """Close the ports and every connection; where it was started, and has a file for its state, save that first of all
        unless told otherwise. Raises UserError where it cannot be saved."""
        # Whoever comes second (a shutdown by the API, and the end of the program) waits until the first has saved.
        with self._stopping:
            was_started = bool(self._ports)
            while self._ports:
                self._ports.popitem()[1].stop()
            if was_started and save and self._state is not None:
                self.save(self._state)

    def save(self, path: Path) -> None:
        """Write the state to a file, which ``state`` loads; name it ``.gz`` to have it compressed. Raises UserError."""
        write_state(self.cloud, path)

    def __enter__(self) -> Simulator:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def run(self, command: str, /, **params: Any) -> dict[str, Any]:
        """Run a command in process as SYSTEM (`Cloud.run`)."""
        return self.cloud.run(command, **params)

    def admin_keys(self) -> tuple[str, str]:
        """The API key and the secret key of the admin, made when first asked for."""
        admin = self.cloud.admin_user
        if not admin.keys:
            self.run("registerUserKeys", id=admin.id)
        return admin.keys[-1].api_key, admin.keys[-1].secret_key

    def marvin_config(self) -> dict[str, Any]:
        """A Marvin config that points at this server and describes its zones."""
        from cs_matrix_pytest.simulator.ready import describe_zones

        api_key, secret_key = self.admin_keys()
        return {
            "zones": describe_zones(self.cloud),
            "mgtSvr": [
                {
                    "mgtSvrIp": self._host,
                    # With keys Marvin signs from the first call on, as admin; without, it would stay SYSTEM.
                    "port": self.api_port,
                    "apiKey": api_key,
                    "securityKey": secret_key,
                    "user": "root",
                    "passwd": "password",
                    "hypervisor": self.cloud.hypervisor,
                    "useHttps": "False",
                    "certCAPath": "NA",
                    "certPath": "NA",
                }
            ],
            "dbSvr": {
                "dbSvr": self._host,
                "port": self.database_port,
                "user": USER,
                "passwd": PASSWORD,
                "db": "cloud",
            },
            "logger": {"LogFolderPath": "."},
        }


__all__ = ["ApiError", "Simulator"]
