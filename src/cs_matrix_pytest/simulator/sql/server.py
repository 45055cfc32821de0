"""The port of the database: MySQL's protocol by mysql-mimic, in a thread of its own.

The port is open from the start; the libraries behind it are loaded when the first client connects.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import selectors
import socket
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.sql.client import pure_python

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

USER, PASSWORD = "cloud", "cloud"
MISSING = "The simulator's database needs more: pip install 'cs-matrix-pytest[sql]'"
UNKNOWN_ERROR = 1105
"""ER_UNKNOWN_ERROR."""


class DatabasePort:
    """One listening port for the clients of a cloud's database."""

    def __init__(self, cloud: Cloud, address: tuple[str, int]) -> None:
        """Open the port. Raises OSError where it is taken."""
        self._cloud = cloud
        self._socket = socket.create_server(address, backlog=128)
        """Not yet accepted from: clients wait in its queue while the libraries are loaded."""
        self._woken, self._wake = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name=f"database:{self.port}", daemon=True)

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Serve in a thread of its own."""
        pure_python.begin()
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and drop the connections that are open."""
        self._wake.close()
        if self._thread.ident is not None:
            self._thread.join()
            pure_python.end()
        self._socket.close()
        self._woken.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if self._woken in ready:
                    return
                try:
                    serve = session_server(self._cloud)
                except ImportError:
                    self._refuse()
                    continue
                asyncio.run(self._serve(serve))
                return

    def _refuse(self) -> None:
        """Tell a client in MySQL's words what is missing; it reads this in place of a greeting."""
        with contextlib.suppress(OSError):
            client, _ = self._socket.accept()
            with client:
                text = b"\xff" + UNKNOWN_ERROR.to_bytes(2, "little") + MISSING.encode()
                client.sendall(len(text).to_bytes(3, "little") + b"\x00" + text)

    async def _serve(self, server: Any) -> None:
        await server.start_server(sock=self._socket, port=None)
        loop = asyncio.get_running_loop()
        stopped = asyncio.Event()
        loop.add_reader(self._woken, stopped.set)
        await stopped.wait()
        loop.remove_reader(self._woken)
        server.close()


def session_server(cloud: Cloud) -> Any:
    """A server of mysql-mimic's whose sessions run statements on a cloud. Raises ImportError."""
    from mysql_mimic import IdentityProvider, MysqlServer, NativePasswordAuthPlugin, Session, User
    from mysql_mimic.errors import MysqlError

    from cs_matrix_pytest.simulator.sql import engine

    class OneUser(IdentityProvider):  # type: ignore[misc]
        def get_plugins(self) -> list[Any]:
            return [NativePasswordAuthPlugin()]

        async def get_user(self, username: str) -> Any:
            if username != USER:
                return None
            return User(
                name=USER,
                auth_string=NativePasswordAuthPlugin.create_auth_string(PASSWORD),
                auth_plugin=NativePasswordAuthPlugin.name,
            )

    @contextlib.contextmanager
    def refusals() -> Iterator[None]:
        try:
            yield
        except engine.SqlError as error:
            raise MysqlError(str(error), code=error.code) from None

    class CloudSession(Session):  # type: ignore[misc]
        async def handle_query(self, sql: str, attrs: dict[str, str]) -> Any:
            with refusals():
                found = engine.statements(sql)
                if not found or not all(map(engine.is_of_cloud, found)):
                    return await super().handle_query(sql, attrs)
                return [self._answer(statement) for statement in found][-1]

        async def query(self, expression: Any, sql: str, attrs: dict[str, str]) -> Any:  # noqa: ARG002
            with refusals():
                return self._answer(expression)

        def _answer(self, statement: Any) -> Any:
            result = engine.run(cloud, statement, self.database)
            return list(result.rows), list(result.columns)

        async def schema(self) -> Any:
            return engine.schema()

    # The client is told what is wrong; nobody needs it in a log as well.
    logging.getLogger("mysql_mimic").setLevel(logging.CRITICAL)
    return MysqlServer(session_factory=CloudSession, identity_provider=OneUser())
