"""What measures the traffic of a zone from outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True, repr=False)
class TrafficMonitor(Resource):
    entities: ClassVar[tuple[str, ...]] = ("HostResponse",)
    label: ClassVar[str] = "traffic monitor"

    zone: Zone
    url: str
    ip_address: str
