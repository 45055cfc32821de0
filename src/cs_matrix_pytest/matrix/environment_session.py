"""One environment within one process: opened at its first test, watched while tests run, closed at the end."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.environments.masking import Masker
from cs_matrix_pytest.environments.model import UNKNOWN, Environment
from cs_matrix_pytest.errors import EnvironmentUnusable, UserError
from cs_matrix_pytest.matrix.plan import Plan

if TYPE_CHECKING:
    from cs_matrix_pytest.marvin_bridge.connect import Connection
    from cs_matrix_pytest.simulator import Simulator

PATIENCE = 10
"""After a check that found an environment down there is none for this many times as long as it took.

A server that refuses at once is asked again before every test; one that lets requests time out does not cost a time-out
per test."""


_ADDED_TO_MARVIN = ("cs_matrix_pytest.marvin_bridge.port44.additions",)


class EnvironmentSession:
    """The live side of one environment. Nothing is contacted before it is needed."""

    def __init__(
        self,
        environment: Environment,
        plan: Plan,
        masker: Masker,
        trouble: str | None = None,
        connection: Connection | None = None,
    ) -> None:
        """`trouble` is why the environment was found unusable before the first test, if it was.

        `connection` is that of its deployment, if it was deployed: as under nose, its tests go on with it.
        """
        self.environment = environment
        self._plan = plan
        self._masker = masker
        self._resources = ExitStack()
        self._connection: Connection | None = None
        self._simulator: Simulator | None = None
        if connection is not None:
            self._connection = self._kept(connection)
        self._trouble = trouble
        self._doubted = trouble is not None
        self._patient_until = 0.0

    @property
    def connection(self) -> Connection:
        """Marvin, connected. Raises EnvironmentUnusable."""
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    @property
    def is_open(self) -> bool:
        """Whether Marvin is connected."""
        return self._connection is not None

    def require(self) -> None:
        """See to it that tests can run: open the environment, or where it was down look whether it is back.

        Raises EnvironmentUnusable.
        """
        started = time.monotonic()
        if started < self._patient_until:
            raise self._unusable()
        if self._doubted:
            self._found(self._wrong_now(), started)
        if self._trouble is None:
            try:
                _ = self.connection
            except UserError as error:
                self._found(str(error), started)
        if self._trouble is not None:
            raise self._unusable()

    def doubt(self) -> None:
        """Have the next `require` ask the server first: at the beginning of a class."""
        self._doubted = self._doubted or self.is_open

    def trouble(self) -> str | None:
        """What is wrong with the environment now, or None: one request to a lab, none to an embedded simulator."""
        if self.environment.embedded:
            return None
        started = time.monotonic()
        self._found(self._wrong_now(), started)
        return None if self._trouble is None else self._unusable().what

    @contextmanager
    def running(self, modules: Iterable[ModuleType]) -> Iterator[None]:
        """While a test runs: in an embedded environment the time that `modules` and Marvin see is the simulator's.

        Raises EnvironmentUnusable.
        """
        if not self.environment.embedded:
            yield
            return
        from cs_matrix_pytest.simulator.no_ssh import ssh_refused
        from cs_matrix_pytest.simulator.virtual_time import VirtualTime

        # What the bridge adds to Marvin waits as Marvin does, but lives elsewhere.
        added = [sys.modules[name] for name in _ADDED_TO_MARVIN if name in sys.modules]
        time = VirtualTime(self._started_simulator().cloud, [*modules, *added])
        with ssh_refused(), nullcontext() if self._plan.options.real_time else time:
            yield

    def close(self) -> Path | None:
        """Give everything back; the folder with Marvin's logs, if Marvin was connected."""
        connection, self._connection, self._simulator = self._connection, None, None
        self._resources.close()
        return connection.moved if connection else None

    def _wrong_now(self) -> str | None:
        if self.environment.embedded:
            return None
        if self._connection is None:
            # Before it was ever used an answer is not enough: zone and credentials must be right.
            return look_at(self.environment, self._plan).trouble
        from cs_matrix_pytest.environments.probe import reachable

        return reachable(self._plan.configs[self.environment.name].config)

    def _found(self, trouble: str | None, since: float) -> None:
        now = time.monotonic()
        self._trouble, self._doubted = trouble, trouble is not None
        self._patient_until = now + PATIENCE * (now - since) if trouble else now

    def _unusable(self) -> EnvironmentUnusable:
        text = f"environment {self.environment.name} cannot be used: {self._trouble}"
        return EnvironmentUnusable(self._masker.mask(text))

    def _connect(self) -> Connection:
        from cs_matrix_pytest.environments.marvin_config import write_private
        from cs_matrix_pytest.marvin_bridge.connect import connect

        environment = self.environment
        assert self._plan.marvin is not None
        config = self._config()
        if environment.embedded:
            _check_zone(environment, config)
        with self.running(()), write_private(config) as path:
            connection = connect(
                self._plan.marvin,
                path,
                zone=environment.zone,
                hypervisor=_hypervisor(environment, self._plan),
                log_folder=self._plan.options.report if environment.embedded else _log_folder(self._plan),
                deploy=environment.embedded and environment.marvin_config is not None,
                mask=self._masker.mask,
            )
        return self._kept(connection)

    def _kept(self, connection: Connection) -> Connection:
        self._resources.callback(connection.close, echo=lambda _: None)
        _hide_from_capture(connection.logger)
        return connection

    def _config(self) -> dict[str, Any]:
        given = self._plan.configs.get(self.environment.name)
        if not self.environment.embedded:
            assert given is not None
            return given.config
        own = self._started_simulator().marvin_config()
        if given is None:
            return own
        # What the file says of servers is for a lab: here the simulator is the server.
        return {**given.config, **{key: own[key] for key in ("mgtSvr", "dbSvr") if key in own}}

    def _started_simulator(self) -> Simulator:
        if self._simulator is None:
            from cs_matrix_pytest.simulator import Simulator

            environment = self.environment
            try:
                simulator = Simulator(
                    hypervisor=environment.context.hypervisor.type,
                    networking=environment.context.networking,
                    faults=environment.faults,
                    ready=environment.marvin_config is None,
                )
                self._simulator = self._resources.enter_context(simulator)
            except Exception as error:
                # No port, no thread, a fault of its own: whatever it is, the product has no part in it.
                raise EnvironmentUnusable(f"the embedded simulator cannot be started: {error}") from error
        return self._simulator


def _check_zone(environment: Environment, config: dict[str, Any]) -> None:
    """A simulator has the zones of its configuration; a lab has been asked for its own (`look_at`)."""
    zones = [str(zone.get("name")) for zone in config.get("zones") or ()]
    if environment.zone is not None and environment.zone not in zones:
        raise EnvironmentUnusable(f"it has no zone {environment.zone!r}; zones there: {', '.join(zones) or 'none'}")


def _hide_from_capture(logger: logging.Logger) -> None:
    """Take a logger out of the registry, where pytest (9.2) finds it though it does not propagate.

    A failing test's report has Marvin's log lines in a section of their own; they should not be there twice.
    """
    registry = logging.Logger.manager.loggerDict
    for name in [name for name, each in registry.items() if each is logger]:
        del registry[name]


def _hypervisor(environment: Environment, plan: Plan) -> str | None:
    """What Marvin is told: nose's option as it was written, else the API's name; None leaves it to Marvin."""
    from cs_matrix_pytest.simulator.hypervisors import hypervisor_facts

    if plan.options.nose and plan.options.nose.hypervisor:
        return plan.options.nose.hypervisor
    kind = environment.context.hypervisor.type
    if kind == UNKNOWN:
        return None
    facts = hypervisor_facts(kind)
    # Upstream runs CloudStack's simulator with --hypervisor=simulator, and suites compare with just that.
    return facts.name.lower() if facts.simulated else facts.name


def _log_folder(plan: Plan) -> Path | None:
    return plan.options.nose.log_folder if plan.options.nose else None


def deploy(environment: Environment, plan: Plan, masker: Masker) -> Connection:
    """Have Marvin deploy a lab's data centre from its configuration. Raises EnvironmentUnusable, UserError."""
    from cs_matrix_pytest.environments.marvin_config import write_private
    from cs_matrix_pytest.marvin_bridge.connect import connect

    assert plan.marvin is not None
    with write_private(plan.configs[environment.name].config) as path:
        return connect(
            plan.marvin,
            path,
            zone=environment.zone,
            hypervisor=_hypervisor(environment, plan),
            log_folder=_log_folder(plan),
            deploy=True,
            mask=masker.mask,
        )


@dataclass(frozen=True)
class Look:
    """An environment before the first test, with its server's facts; `trouble` is why it cannot be used, if so."""

    environment: Environment
    acs_version: str | None = None
    warnings: tuple[str, ...] = ()
    trouble: str | None = None


def look_at(environment: Environment, plan: Plan) -> Look:
    """Ask a lab for its facts."""
    from cs_matrix_pytest.environments.facts import HYPERVISOR, merge_facts
    from cs_matrix_pytest.environments.probe import probe

    try:
        facts = probe(plan.configs[environment.name].config, environment.zone)
    except EnvironmentUnusable as error:
        return Look(environment, trouble=str(error))
    if facts.zone is None:
        wanted = f"no zone {environment.zone!r}" if environment.zone else "not the zone of its configuration"
        trouble = f"{facts.url} has {wanted}; zones there: {', '.join(facts.zones) or 'none'}"
        return Look(environment, facts.acs_version, trouble=trouble)
    if plan.options.nose:
        # The hypervisor somebody may have said on purpose; the rest is how the zone was once deployed.
        said_by = f"--hypervisor or {plan.options.nose.config.name}"
        merged, warnings = merge_facts(environment, facts, said_by, frozenset({HYPERVISOR}))
    else:
        merged, warnings = merge_facts(environment, facts)
    return Look(merged, facts.acs_version, tuple(warnings))
