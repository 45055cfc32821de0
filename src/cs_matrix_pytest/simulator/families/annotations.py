"""Annotations: comments of operators and users on resources."""

from __future__ import annotations

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.models.annotations import Annotation
from cs_matrix_pytest.simulator.registry import Family
from cs_matrix_pytest.simulator.store import Resource

family = Family("annotations")


def has_annotations(resource: Resource, call: Call) -> bool:
    """True where the resource has an annotation that the caller may see."""
    annotations = call.cloud.store.table(Annotation)
    return len(annotations) > 0 and any(
        row.entity is resource and (call.is_root_admin or not row.admins_only) for row in annotations
    )
