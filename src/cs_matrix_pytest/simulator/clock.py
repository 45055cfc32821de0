"""The simulated clock: it runs with the wall clock, and can be moved ahead by what a test would have slept."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any


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
