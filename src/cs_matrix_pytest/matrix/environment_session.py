"""One environment within one process: opened at its first test, watched while tests run, closed at the end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from cs_matrix_pytest.environments.model import Environment
from cs_matrix_pytest.errors import EnvironmentUnusable, UserError
from cs_matrix_pytest.matrix.plan import Plan

if TYPE_CHECKING:
    from cs_matrix_pytest.environments.facts import Facts
    from cs_matrix_pytest.environments.masking import Masker
    from cs_matrix_pytest.marvin_bridge.connect import Connection
    from cs_matrix_pytest.simulator import Simulator

PATIENCE = 10
"""A check that found an environment down is not repeated for this many times as long as it took.

A server that refuses answers at once and is asked before every test; one that lets each request time out must not cost
a time-out per test."""


class Blocked(pytest.fail.Exception):
    """The environment, not the product: pytest shows the message alone, the record says blocked."""

    def __init__(self, message: str) -> None:
        super().__init__(message, pytrace=False)


class EnvironmentSession:
    """The live side of one environment. Nothing is contacted before `require`."""

    def __init__(self, environment: Environment, plan: Plan, masker: Masker, trouble: str | None = None) -> None:
        """`trouble` is why the environment was found unusable before the first test, if it was."""
        self.environment = environment
        self._plan = plan
        self._masker = masker
        self._resources = ExitStack()
        self._connection: Connection | None = None
        self._simulator: Simulator | None = None
        self._trouble = trouble
        self._ask_again = 0.0
        self._doubtful = trouble is not None

    @property
    def connection(self) -> Connection:
        """Marvin, connected. Only after `require`."""
        if self._connection is None:
            self.require()
        assert self._connection is not None
        return self._connection

    def require(self) -> None:
        """Open the environment if it is not; where it was down, look whether it is back. Raises Blocked."""
        if self._doubtful:
            self._look_again()
        if self._connection is None:
            try:
                self._open()
            except UserError as error:
                self._resources.close()
                self._resources = ExitStack()
                self._simulator = None
                self._down(str(error) if isinstance(error, EnvironmentUnusable) else f"cannot be used: {error}", 0.0)
                raise self._blocked() from None

    def trouble(self) -> str | None:
        """Whether the server died: what is wrong with it now, or None. One request to a lab, none to a simulator."""
        if self._simulator is not None:
            return None
        started = time.monotonic()
        wrong = self._reachable()
        if wrong is not None:
            self._down(wrong, time.monotonic() - started)
            return self._message()
        self._doubtful, self._trouble = False, None
        return None

    def suspect(self) -> None:
        """Have the next `require` ask the server first: for the beginning of a class."""
        if self._simulator is None and self._connection is not None:
            self._doubtful = True

    @contextmanager
    def running(self) -> Iterator[None]:
        """While a test of this environment runs: time is virtual if the environment is embedded."""
        clock = None if self._simulator is None or self._plan.options.real_time else self._simulator.clock
        if clock is None:
            yield
            return
        from cs_matrix_pytest.simulator.virtual_time import VirtualTime

        with VirtualTime(clock):
            yield

    def close(self) -> None:
        """Give everything back: Marvin's connection, the simulator, the private configuration file."""
        self._resources.close()
        self._connection = None
        self._simulator = None

    def _message(self) -> str:
        return self._masker.mask(f"environment {self.environment.name} is blocked: {self._trouble}")

    def _blocked(self) -> Blocked:
        return Blocked(self._message())

    def _down(self, trouble: str, took: float) -> None:
        self._trouble = trouble
        self._doubtful = True
        self._ask_again = time.monotonic() + PATIENCE * took

    def _look_again(self) -> None:
        if self._trouble is not None and time.monotonic() < self._ask_again:
            raise self._blocked()
        if not self.environment.embedded and self.trouble() is not None:
            raise self._blocked()
        self._doubtful = False

    def _reachable(self) -> str | None:
        from cs_matrix_pytest.environments.probe import reachable

        return reachable(self._plan.configs[self.environment.name].config)

    def _open(self) -> None:
        """Raises EnvironmentUnusable, or UserError for a configuration that Marvin cannot use."""
        from cs_matrix_pytest.environments.marvin_config import write_private

        config = self._start_simulator() if self.environment.embedded else self._lab_config()
        path = self._resources.enter_context(write_private(config))
        self._connection = self._connect(path)
        self._resources.callback(self._connection.close)

    def _lab_config(self) -> dict[str, Any]:
        return self._plan.configs[self.environment.name].config

    def _start_simulator(self) -> dict[str, Any]:
        from cs_matrix_pytest.simulator import Simulator

        environment = self.environment
        given = self._plan.configs.get(environment.name)
        simulator = Simulator(
            hypervisor=environment.context.hypervisor.type,
            networking=environment.context.networking,
            faults=environment.faults,
            config=given.config if given else None,
            zone=environment.zone,
        )
        self._simulator = self._resources.enter_context(simulator)
        return simulator.marvin_config()

    def _connect(self, path: Any) -> Connection:
        raise NotImplementedError


def look_at(environment: Environment, plan: Plan) -> tuple[Environment, Facts | None, list[str], str | None]:
    """A lab before the first test: (environment with the server's facts, the facts, warnings, why it is unusable)."""
    from cs_matrix_pytest.environments.facts import merge_facts
    from cs_matrix_pytest.environments.probe import probe

    try:
        facts = probe(plan.configs[environment.name].config, environment.zone)
    except EnvironmentUnusable as error:
        return environment, None, [], str(error)
    if facts.zone is None:
        wanted = f"the zone {environment.zone!r}" if environment.zone else "its configuration's zone"
        there = ", ".join(facts.zones) or "none"
        return environment, facts, [], f"{facts.url} has not {wanted}; zones there: {there}"
    merged, warnings = merge_facts(environment, facts)
    return merged, facts, warnings, None
