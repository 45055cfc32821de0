"""An embedded CloudStack API server: real HTTP on loopback, state that is really kept, virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.simulator import Simulator

__all__ = ["Simulator"]


def __getattr__(name: str) -> Any:
    # Imported when used: pytest imports this package in sessions that never start a simulator.
    if name == "Simulator":
        from cs_matrix_pytest.simulator.simulator import Simulator

        return Simulator
    raise AttributeError(name)
