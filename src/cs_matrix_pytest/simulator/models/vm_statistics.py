"""When virtual machines were measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from cs_matrix_pytest.simulator.models.networks import Router
from cs_matrix_pytest.simulator.models.vm import SystemVm, UserVm
from cs_matrix_pytest.simulator.store import Resource


@dataclass
class Stretch:
    """Measurements at equal distances: the first, the last (simulated seconds) and the distance."""

    first: float
    last: float
    step: float


@dataclass(eq=False, kw_only=True, repr=False)
class VmStatistics(Resource):
    """The measurements of one virtual machine, which are all alike: only their times are kept."""

    label: ClassVar[str] = "VM statistics"

    vm: UserVm | Router | SystemVm
    stretches: list[Stretch] = field(default_factory=list)

    def add(self, moment: float, step: float) -> None:
        """Keep one more measurement, ``step`` seconds after the last where none was left out between them."""
        latest = self.stretches[-1] if self.stretches else None
        if latest is not None and latest.step == step and abs(moment - latest.last - step) < 1:
            latest.last = moment
        else:
            self.stretches.append(Stretch(moment, moment, step))

    def forget_before(self, moment: float) -> None:
        """Drop the measurements that are older."""
        self.stretches = [stretch for stretch in self.stretches if stretch.last >= moment]
        for stretch in self.stretches:
            while stretch.first < moment:
                stretch.first += stretch.step

    def moments(self) -> list[float]:
        """When it was measured, oldest first."""
        return [
            stretch.first + index * stretch.step
            for stretch in self.stretches
            for index in range(round((stretch.last - stretch.first) / stretch.step) + 1)
        ]
