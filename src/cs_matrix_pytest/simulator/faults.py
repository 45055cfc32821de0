"""Commands that misbehave on purpose: always, every n-th time, or slowly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from cs_matrix_pytest.environments.model import Fault
from cs_matrix_pytest.simulator.errors import ApiError

NO_FAULT = Fault()


class Faults:
    """What was ordered, and how often each command was called."""

    def __init__(self, faults: Mapping[str, Fault]) -> None:
        self._faults = dict(faults)
        self._calls: Counter[str] = Counter()

    def delay(self, command: str) -> float:
        """The simulated seconds that a command takes."""
        return self._faults.get(command, NO_FAULT).delay

    def next(self, command: str) -> ApiError | None:
        """Count one call of a command: the error that it is to fail with, if it is."""
        fault = self._faults.get(command)
        if fault is None:
            return None
        self._calls[command] += 1
        fails = fault.fail or bool(fault.fail_every and self._calls[command] % fault.fail_every == 0)
        code, text = fault.error
        return ApiError(text, code=code) if fails else None
