"""The elements behind the provider Ovs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cs_matrix_pytest.simulator.models.infra import ServiceProvider
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True, repr=False)
class OvsElement(Resource):
    entities: ClassVar[tuple[str, ...]] = ("OvsProviderResponse",)
    label: ClassVar[str] = "Ovs element"

    provider: ServiceProvider
    enabled: bool = False
