"""What is kept of a tag besides key and value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True, repr=False)
class TagCustomer(Resource):
    """A tag that is a customer's own."""

    label: ClassVar[str] = "customer of a tag"
    leaves_row: ClassVar[bool] = False

    resource: Resource
    key: str
    customer: str
