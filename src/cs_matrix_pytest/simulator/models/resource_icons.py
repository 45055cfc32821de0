"""Icons of resources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cs_matrix_pytest.simulator.indexes import Lookup
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True, repr=False)
class ResourceIcon(Resource):
    label: ClassVar[str] = "resource icon"
    leaves_row: ClassVar[bool] = False
    indexes = (Lookup("resource"),)

    resource: Resource
    image: str
    """Base64."""

    @property
    def resource_id(self) -> str:
        return self.resource.id
