"""Details that are not displayed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True, repr=False)
class HiddenDetail(Resource):
    """A detail with ``display`` 0: no answer but that of listResourceDetails shows it."""

    label: ClassVar[str] = "hidden detail"

    resource: Resource
    name: str
    value: str
