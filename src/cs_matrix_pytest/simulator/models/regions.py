"""Regions: groups of zones that another management server may be in charge of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True, repr=False)
class Region(Resource):
    """One region; its ``number`` is the one that it was given."""

    entities: ClassVar[tuple[str, ...]] = ("RegionResponse",)
    label: ClassVar[str] = "region"

    name: str
    endpoint: str
    portable_ips: bool = False
