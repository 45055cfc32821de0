"""MySQL's client library in the simulator's own process, as Marvin is in an embedded environment.

Its C extension (up to 9.x at least) holds the interpreter's lock while it waits for some answers, of the server's thread
too: neither would ever go on. So as long as a simulator runs here the library uses its Python implementation.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

EXTENSION, POOLING, CLASS = "_mysql_connector", "mysql.connector.pooling", "CMySQLConnection"


class _PurePython:
    """Counts the simulators that run, and has the library do without its extension while there are any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self._replaced: Any = None

    def begin(self) -> None:
        with self._lock:
            self._running += 1
            if self._running > 1:
                return
            pooling = sys.modules.get(POOLING)
            if pooling is not None:
                self._replaced = getattr(pooling, CLASS, None)
                setattr(pooling, CLASS, None)
            elif EXTENSION not in sys.modules:
                # Not loaded yet: it is not found when it is looked for.
                sys.modules[EXTENSION] = None  # type: ignore[assignment]

    def end(self) -> None:
        with self._lock:
            self._running -= 1
            if self._running:
                return
            if sys.modules.get(EXTENSION, EXTENSION) is None:
                del sys.modules[EXTENSION]
            if self._replaced is not None:
                setattr(sys.modules[POOLING], CLASS, self._replaced)
                self._replaced = None


pure_python = _PurePython()
