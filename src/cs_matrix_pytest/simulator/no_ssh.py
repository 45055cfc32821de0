"""SSH, which nobody answers here: while a test runs in an embedded environment, Marvin's SSH client is refused at once.

There are no guests and no management server's machine behind the simulator, but there may be others on the real network at
the addresses that it hands out: nothing must try to log in to those, let alone sixty times.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def refusal(host: object, port: object) -> str:
    """What a test is told."""
    return f"needs SSH: the simulator has no machine to log in to at {host}:{port}"


@contextmanager
def ssh_refused() -> Iterator[None]:
    """Have every connection that Marvin's SshClient would make fail with one sentence, as Marvin's internalError."""
    module, errors = (sys.modules.get(f"marvin.{name}") for name in ("sshClient", "cloudstackException"))
    if module is None or errors is None:
        yield
        return
    client: Any = module.SshClient
    connect = client.createConnection

    def refuse(self: Any) -> Any:
        raise errors.internalError(refusal(self.host, self.port))

    client.createConnection = refuse
    try:
        yield
    finally:
        client.createConnection = connect
