"""Orders to simulated hosts: what to answer to an agent command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cs_matrix_pytest.simulator.models.infra import Cluster, Host, Pod, Zone
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True, repr=False)
class SimulatorMock(Resource):
    """What hosts of a place (all of them where none is named) do when an agent command of a name comes."""

    entities: ClassVar[tuple[str, ...]] = ("MockResponse",)
    label: ClassVar[str] = "mock"

    command: str
    values: str
    """``result:fail|wait:1000``."""
    zone: Zone | None = None
    pod: Pod | None = None
    cluster: Cluster | None = None
    host: Host | None = None
    count: int | None = None
    """How often yet; None: until it is removed."""
    response: str | None = None
    """The answer as JSON, under the name of its class."""

    @property
    def is_active(self) -> bool:
        return self.count is None or self.count > 0

    def applies_to(self, host: Host) -> bool:
        """True for the hosts of its place; a host is named with its cluster, pod and zone."""
        places = (self.zone, host.zone), (self.pod, host.pod), (self.cluster, host.cluster), (self.host, host)
        wanted = [mine for mine, _ in places if mine is not None]
        # A place below one that is not named is no place.
        nested = all(mine is not None for mine, _ in places[: len(wanted)])
        return nested and all(mine in (None, theirs) for mine, theirs in places)


@dataclass(eq=False, kw_only=True, repr=False)
class WatchedAgent(Resource):
    """A host whose pings are mocked: since when it has been silent, or has sent a report of its own."""

    label: ClassVar[str] = "watched agent"
    leaves_row: ClassVar[bool] = False

    host: Host
    silent_since: float | None = None
    reporting_since: float | None = None
