"""What is kept about a host beside the host itself: its HA, its out-of-band management."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import ClassVar

from cs_matrix_pytest.simulator.ipv4 import to_int
from cs_matrix_pytest.simulator.models.infra import Host
from cs_matrix_pytest.simulator.store import Resource

THIS_SERVER = to_int("127.0.0.1")
"""The id (msid) of the one management server, by which rows of the database say who looks after them."""


def described(host: Host) -> str:
    """A host as texts for operators name it."""
    return f'Host {{"id":{host.number},"name":"{host.name}","type":"{host.type}","uuid":"{host.id}"}}'


@dataclass
class HaCounter:
    """What HA remembers of a host between two looks (HAResourceCounter). Times are simulated seconds."""

    checks: int = 0
    failures: int = 0
    recoveries: int = 0
    checked_at: float | None = None
    degraded_at: float | None = None
    recovered_at: float | None = None

    def forget_checks(self) -> None:
        self.checks = self.failures = 0

    def forget_recoveries(self) -> None:
        self.recoveries, self.recovered_at = 0, None


@dataclass(eq=False, kw_only=True, repr=False)
class HostHa(Resource):
    """The HA configuration of a host and where its state machine stands (HAConfigVO)."""

    label: ClassVar[str] = "HA configuration"

    host: Host
    provider: str
    """The provider as it was given, ``simulatorhaprovider``."""
    enabled: bool = False
    state: str = "Disabled"
    owner: int | None = None
    """The management server that looks after it; None until one does."""
    updates: int = 0
    counter: HaCounter = field(default_factory=HaCounter)
    due: list[str] = field(default_factory=list)
    """States that it came to whose work is still to be done."""


@dataclass(frozen=True)
class HaTransition:
    """One change of state, as listSimulatorHAStateTransitions tells it."""

    before: str
    event: str
    after: str
    checks: int
    recoveries: int


@dataclass(eq=False, kw_only=True, repr=False)
class SimulatedHealth(Resource):
    """What a simulated host answers to HA's checks, and what became of it (SimulatorHAState)."""

    label: ClassVar[str] = "simulated health"

    host: Host
    healthy: bool
    active: bool
    recovers: bool
    fences: bool
    transitions: deque[HaTransition] = field(default_factory=lambda: deque(maxlen=100))


@dataclass(eq=False, kw_only=True, repr=False)
class OutOfBandManagement(Resource):
    """How a host's power is reached (OutOfBandManagementVO)."""

    label: ClassVar[str] = "out-of-band management"

    host: Host
    driver: str | None = None
    address: str | None = None
    port: str | None = None
    username: str | None = None
    password: str | None = None
    enabled: bool = False
    power_state: str = "Disabled"
    owner: int | None = None
    updates: int = 0
