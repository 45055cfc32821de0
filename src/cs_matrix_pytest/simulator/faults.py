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

    def next(self, command: str) -> tuple[ApiError | None, float]:
        """Count one call: the error that it is to fail with, and the simulated seconds that it takes."""
        fault = self._faults.get(command)
        if fault is None:
            return None, 0.0
        self._calls[command] += 1
        fails = fault.fail or bool(fault.fail_every and self._calls[command] % fault.fail_every == 0)
        code, text = fault.error
        return (ApiError(text, code=code) if fails else None), fault.delay
