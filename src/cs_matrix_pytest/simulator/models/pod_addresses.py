"""Management addresses of pods that somebody took for a purpose of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cs_matrix_pytest.simulator.models.infra import Pod
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True, repr=False)
class PodAddress(Resource):
    label: ClassVar[str] = "pod address"
    leaves_row: ClassVar[bool] = False

    pod: Pod
    address: str
    place: int
    """Which of all the management addresses it is, counted from 1 in the order of the pods."""
