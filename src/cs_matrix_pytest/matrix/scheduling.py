"""Which tests stay together when pytest-xdist spreads them over workers, and how many workers an environment takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling, LoadScopeScheduling


class WithinCapacity(LoadScopeScheduling):  # type: ignore[misc]
    """Keeps at most as many workers busy in an environment as it has capacity for.

    A worker stays in such an environment while there is work. One that finds nothing it may take is let go, for what is
    left then belongs to workers that will take it.
    """

    def __init__(self, config: pytest.Config, log: Any, capacities: Mapping[str, int | None]) -> None:
        super().__init__(config, log)
        self._environments = frozenset(capacities)
        self._limits = {name: limit for name, limit in capacities.items() if limit is not None}
        self._needs: dict[str, frozenset[str]] = {}

    def _assign_work_unit(self, node: Any) -> None:
        scope = self._next_for(node)
        if scope is None:
            node.shutdown()
            return
        self.workqueue.move_to_end(scope, last=False)
        super()._assign_work_unit(node)

    def remove_node(self, node: Any) -> str | None:
        """As `LoadScopeScheduling.remove_node`, but a test that killed its worker is not given to another, as with load."""
        units: dict[str, dict[str, bool]] = self.assigned_work[node]
        crashed = next(((unit, nodeid) for unit in units.values() for nodeid, done in unit.items() if not done), None)
        if crashed is not None:
            unit, nodeid = crashed
            unit[nodeid] = True
        self.assigned_work[node] = {scope: unit for scope, unit in units.items() if not all(unit.values())}
        super().remove_node(node)
        return crashed[1] if crashed else None

    def _reschedule(self, node: Any) -> None:
        super()._reschedule(node)
        # A worker runs a test when it knows the next, and what a crashed one left may be one test.
        while self.workqueue and not node.shutting_down and self._pending_of(self.assigned_work[node]) < 2:
            self._assign_work_unit(node)

    def _next_for(self, node: Any) -> str | None:
        queue: Mapping[str, Mapping[str, bool]] = self.workqueue
        if not self._limits:
            return next(iter(queue))
        busy = self._busy()
        fitting: str | None = None
        for scope, unit in queue.items():
            limited = self._limited(scope, unit)
            if any(node in busy[name] for name in limited):
                return scope
            if fitting is None and all(len(busy[name]) < self._limits[name] for name in limited):
                fitting = scope
        return fitting

    def _busy(self) -> defaultdict[str, set[Any]]:
        """The workers that have something to do in each limited environment, and may be given more."""
        busy: defaultdict[str, set[Any]] = defaultdict(set)
        for node, units in self.assigned_work.items():
            for scope, unit in units.items():
                if not node.shutting_down and not all(unit.values()):
                    for name in self._limited(scope, unit):
                        busy[name].add(node)
        return busy

    def _limited(self, scope: str, nodeids: Iterable[str]) -> frozenset[str]:
        """The limited environments that a unit of work, which is never divided, needs."""
        if scope not in self._needs:
            self._needs[scope] = frozenset(map(environment_of, nodeids)) & self._limits.keys()
        return self._needs[scope]


class FileScheduling(WithinCapacity, LoadFileScheduling):  # type: ignore[misc]
    """``--dist=loadfile`` within the capacity of environments."""


class ClassPerEnvironmentScheduling(WithinCapacity):
    """Sends a class in one environment to one worker, and every other test on its own, as ``--dist=load`` would.

    ``path::TestX::test_a[kvm-adv]`` goes with all of ``path::TestX`` in ``kvm-adv``, so that ``setUpClass`` runs once.
    """

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid, self._environments)


_SCHEDULERS: Mapping[str, type[WithinCapacity]] = {
    # These send single tests to whichever worker is free; the others keep classes together already.
    **dict.fromkeys(("load", "loadgroup", "worksteal"), ClassPerEnvironmentScheduling),
    "loadscope": WithinCapacity,
    "loadfile": FileScheduling,
}


def environment_of(nodeid: str) -> str:
    """What stands in the first brackets of `nodeid`: where that is an environment's name, the test runs there."""
    return nodeid.partition("[")[2].partition("]")[0]


def scope_of(nodeid: str, environments: frozenset[str]) -> str:
    """The name of what `nodeid` must stay together with; its own where it may go alone.

    Under ``--dist=loadgroup`` xdist writes a test's group behind its id: ``path::test_a[kvm-adv]@group``.
    """
    grouped, _, group = nodeid.rpartition("@")
    if grouped and "]" not in group:
        return group
    address, _, parameters = nodeid.partition("[")
    environment = parameters.removesuffix("]")
    owner = address.rpartition("::")[0]
    return f"{owner}[{environment}]" if environment in environments and "::" in owner else nodeid


def make_scheduler(config: pytest.Config, log: Any, capacities: Mapping[str, int | None]) -> WithinCapacity | None:
    """The scheduler for a session with environments, by name how many workers each may have; None for other modes."""
    scheduler = _SCHEDULERS.get(config.getvalue("dist"))
    return None if scheduler is None else scheduler(config, log, capacities)
