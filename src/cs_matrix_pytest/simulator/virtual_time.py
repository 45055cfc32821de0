"""Virtual time: while a test runs in an embedded environment, its sleeping moves the simulated clock, not the wall clock.

Only the suites and Marvin are told: ``time.sleep`` and ``time.time`` look at the module that calls them, and everybody
else (pytest, plugins, other threads' libraries) gets the real ones. This is the one place where this package replaces
something of the standard library, and only between `VirtualTime.__enter__` and ``__exit__``. The types of the datetime module
cannot be replaced there; the modules that follow get `virtual_datetime.faces` under the names by which they know them.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.virtual_datetime import faces

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

DIRECTED = ("sleep", "time")
"""The functions of the time module that follow the simulated clock."""


class VirtualTime:
    """Direct the time that some modules see to a cloud's clock.

    ``modules`` are the suites' modules; Marvin's, and others in the suites' folders, follow as well. Not reentrant:
    one environment's test runs at a time.
    """

    def __init__(self, cloud: Cloud, modules: Iterable[ModuleType] = ()) -> None:
        self._cloud = cloud
        self._modules = tuple(modules)
        self._folders = {_folder(file) for module in self._modules if (file := getattr(module, "__file__", None))}
        self._names = {module.__name__ for module in self._modules}
        self._real = {name: getattr(time, name) for name in DIRECTED}
        self._directed: dict[str, Callable[..., Any]] = {"sleep": self._sleep, "time": self._time}
        self._follows: dict[str, bool] = {}
        self._bound: list[tuple[dict[str, Any], str, Any]] = []

    def __enter__(self) -> VirtualTime:
        # Names that a suite took with "from time import sleep" are bound to the real function.
        stands_for: dict[int, object] = {id(real): self._directed[name] for name, real in self._real.items()}
        stands_for |= {id(real): face for real, face in faces(self._cloud.clock.now).items()}
        for module in self._followers():
            for name, value in list(vars(module).items()):
                if id(value) in stands_for:
                    self._bound.append((vars(module), name, value))
                    vars(module)[name] = stands_for[id(value)]
        for name, function in self._directed.items():
            setattr(time, name, function)
        self._cloud.clock.is_virtual = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._cloud.clock.is_virtual = False
        for name, real in self._real.items():
            setattr(time, name, real)
        while self._bound:
            namespace, name, real = self._bound.pop()
            namespace[name] = real

    def _followers(self) -> Iterator[ModuleType]:
        """The modules whose names are looked at: the suites', and others that follow and were imported."""
        yield from self._modules
        for name, module in list(sys.modules.items()):
            # Marvin's generated API, hundreds of modules, waits for nothing.
            wanted = isinstance(module, ModuleType) and not name.startswith("marvin.cloudstackAPI")
            if wanted and self._concerns(vars(module)) and module not in self._modules:
                yield module

    def _sleep(self, seconds: float) -> None:
        if not self._concerns(sys._getframe(1).f_globals):
            self._real["sleep"](seconds)
            return
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        with self._cloud.lock:
            self._cloud.clock.advance(seconds)

    def _time(self) -> float:
        if self._concerns(sys._getframe(1).f_globals):
            return self._cloud.clock.now()
        now: float = self._real["time"]()
        return now

    def _concerns(self, caller: dict[str, Any]) -> bool:
        name = caller.get("__name__", "")
        known = self._follows.get(name)
        if known is None:
            file = caller.get("__file__") or ""
            known = self._follows[name] = (
                name in self._names or name.split(".", 1)[0] == "marvin" or _folder(file) in self._folders
            )
        return known


def _folder(file: str) -> str:
    # A thousand modules are looked at before each test: pathlib would take longer than some tests do.
    return file.rpartition(os.sep)[0]
