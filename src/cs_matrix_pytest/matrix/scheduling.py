"""Which tests stay together when pytest-xdist spreads them over workers."""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

_SPREADING = frozenset({"load", "loadgroup", "worksteal"})
"""xdist's modes that send single tests to whichever worker is free; the others keep classes together already."""


class ClassPerEnvironmentScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Sends a class in one environment to one worker, and every other test on its own, as ``--dist=load`` would.

    ``path::TestX::test_a[kvm-adv]`` goes with all of ``path::TestX`` in ``kvm-adv``, so that ``setUpClass`` runs once.
    """

    def __init__(self, config: pytest.Config, log: Any, environments: frozenset[str]) -> None:
        super().__init__(config, log)
        self._environments = environments

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid, self._environments)

    def remove_node(self, node: Any) -> str | None:
        """As `LoadScopeScheduling.remove_node`, but a test that killed its worker is not given to another, as with load."""
        units = self.assigned_work[node].values()
        crashed = next(((unit, nodeid) for unit in units for nodeid, done in unit.items() if not done), None)
        if crashed is not None:
            unit, nodeid = crashed
            unit[nodeid] = True
        super().remove_node(node)
        return crashed[1] if crashed else None


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


def make_scheduler(config: pytest.Config, log: Any, environments: frozenset[str]) -> LoadScopeScheduling | None:
    """The scheduler for a session with environments; None where the user's own choice keeps classes together."""
    if config.getvalue("dist") not in _SPREADING:
        return None
    return ClassPerEnvironmentScheduling(config, log, environments)
