"""Rules that choose the secondary storage of what is written to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True, repr=False)
class SecondaryStorageSelector(Resource):
    entities: ClassVar[tuple[str, ...]] = ("SecondaryStorageHeuristicsResponse",)
    label: ClassVar[str] = "secondary storage selector"

    name: str
    description: str
    zone: Zone
    type: str
    """What it is for: a name of `families.secondary_storage_selectors.TYPES`."""
    rule: str
    """JavaScript."""
