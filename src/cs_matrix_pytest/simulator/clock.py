"""The simulated clock: it runs with the wall clock, and can be moved ahead by what a test would have slept."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from typing import Any, NamedTuple, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

TIMED: dict[str, Callable[..., Any]] = {}
"""The functions that were declared with `timed`, by their names."""


def timed(function: F) -> F:
    """Declare a function that waits for the clock, with the cloud as its first argument: what waits for it is kept in a saved
    state, which has its name (``module.function``)."""
    TIMED[_name(function)] = function
    return function


def name_of_timed(function: object) -> str | None:
    """The name of a function that was declared with `timed`, None for anything else."""
    name = _name(function)
    return name if name in TIMED and TIMED[name] is function else None


def _name(function: object) -> str:
    module = getattr(function, "__module__", None) or ""
    return f"{module.rpartition('.')[2]}.{getattr(function, '__qualname__', '')}"


class Timer(NamedTuple):
    """What is to be called once the clock has reached ``when``."""

    when: float
    function: Callable[..., object]
    args: tuple[Any, ...]


class Clock:
    """Seconds since the epoch, UTC. What is due is done when somebody looks: on every request, and on `advance`."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._timers: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._order = itertools.count()
        self.is_virtual = False
        """True while somebody's sleeping moves this clock, so that nothing here needs to wait."""

    def now(self) -> float:
        """Simulated seconds since the epoch."""
        return time.time() + self._ahead

    def datetime(self) -> datetime:
        """The simulated time, with whole seconds, as CloudStack stores it."""
        return datetime.fromtimestamp(int(self.now()), timezone.utc)

    def call_at(self, when: float, function: Callable[..., object], *args: Any) -> None:
        """Have ``function(*args)`` called once the clock has reached ``when``."""
        heapq.heappush(self._timers, (when, next(self._order), function, args))

    def call_later(self, seconds: float, function: Callable[..., object], *args: Any) -> None:
        """Have ``function(*args)`` called ``seconds`` from now."""
        self.call_at(self.now() + seconds, function, *args)

    @property
    def ahead(self) -> float:
        """How many seconds it was moved ahead of the wall clock."""
        return self._ahead

    def waiting(self) -> list[Timer]:
        """What is still to be called, in that order."""
        return [
            Timer(when, function, args) for when, _, function, args in sorted(self._timers, key=lambda row: row[:2])
        ]

    def hurry(self, function: Callable[..., object]) -> None:
        """Do now what waits for one function, whenever it is due."""
        due = [timer for timer in self.waiting() if timer.function is function]
        self._timers = [row for row in self._timers if row[2] is not function]
        heapq.heapify(self._timers)
        for timer in due:
            timer.function(*timer.args)

    def restore(self, ahead: float, timers: Iterable[Timer]) -> None:
        """Go on as a clock that was so far ahead, with what waited for it and nothing else."""
        self._ahead = ahead
        self._timers = []
        for timer in timers:
            self.call_at(timer.when, timer.function, *timer.args)

    def skip(self, seconds: float) -> None:
        """Move ahead by ``seconds``; what becomes due is done when somebody looks."""
        self._ahead += max(0.0, seconds)

    def run_due(self) -> None:
        """Do what has become due, oldest first."""
        while self._timers and self._timers[0][0] <= self.now():
            _, _, function, args = heapq.heappop(self._timers)
            function(*args)

    def advance(self, seconds: float) -> None:
        """Move ahead by ``seconds``, doing on the way what becomes due, each at its own time."""
        target = self.now() + seconds
        while self._timers and self._timers[0][0] <= target:
            self._ahead += max(0.0, self._timers[0][0] - self.now())
            self.run_due()
        self._ahead += max(0.0, target - self.now())
