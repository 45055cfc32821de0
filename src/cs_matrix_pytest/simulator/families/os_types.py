"""Guest operating systems and their categories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.models.images import OsCategory, OsType
from cs_matrix_pytest.simulator.registry import Family

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("os types")


@family.on_fresh_install
def default_os_types(cloud: Cloud, fresh: Mapping[str, Any]) -> None:
    store = cloud.store
    categories = {
        row["name"]: store.add(OsCategory(name=row["name"], is_featured=row["isfeatured"]))
        for row in fresh["lists"]["listOsCategories"]["oscategory"]
    }
    for category, name in fresh["os_types"]:
        if category not in categories:
            categories[category] = store.add(OsCategory(name=category))
        store.add(OsType(name=name, category=categories[category]))


def os_type_named(cloud: Cloud, name: str) -> OsType:
    """The OS type of this name (``CentOS 5.6 (64-bit)``)."""
    found = cloud.store.table(OsType).first(name=name)
    if found is None:
        raise LookupError(f"no OS type is called {name!r}")
    return found
