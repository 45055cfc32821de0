"""Annotations on resources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cs_matrix_pytest.simulator.indexes import Lookup
from cs_matrix_pytest.simulator.models.iam import User
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True, repr=False)
class Annotation(Resource):
    entities: ClassVar[tuple[str, ...]] = ("AnnotationResponse",)
    label: ClassVar[str] = "annotation"
    indexes = (Lookup("entity_id"),)

    text: str
    user: User
    entity_type: str
    """A name of `families.annotations.ENTITY_TYPES`."""
    entity_id: str
    entity_name: str | None
    admins_only: bool = False
