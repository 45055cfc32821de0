"""Guest operating systems and their categories."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InvalidParameterValue
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.images import Iso, OsCategory, OsType, Template
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.views import when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("os types")

UNKNOWN_OS = "Guest OS not found. Please specify a valid ID for the Guest OS"
NO_CATEGORY = "Invalid OS category ID specified"


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


NO_OS = "None"
"""The OS type of ISOs that cannot be booted."""


@family.view(OsCategory)
def os_category_view(category: OsCategory, call: Call) -> dict[str, Any]:
    dated = category.user_defined and call.command.name != "addOsCategory"
    return {
        "id": category.id,
        "name": category.name,
        "isfeatured": category.is_featured,
        "created": when(category.created) if dated else None,
    }


@family.view(OsType)
def os_type_view(os_type: OsType, _call: Call) -> dict[str, Any]:
    return {
        "id": os_type.id,
        "oscategoryid": os_type.category.id,
        "oscategoryname": os_type.category.name,
        "name": os_type.name,
        "description": os_type.name,
        "isuserdefined": os_type.user_defined,
        "fordisplay": os_type.display,
    }


def by_name(call: Call) -> list[OsType]:
    """All OS types in the order of their names."""
    return sorted(call.cloud.store.table(OsType), key=lambda row: row.name.upper())


family.listing(
    "listOsTypes",
    OsType,
    rows=by_name,
    filters={
        "description": lambda row, value, _call: value.lower() in row.name.lower(),
        "oscategoryid": lambda row, value, _call: row.category is value,
        "fordisplay": lambda row, value, _call: row.display is value,
    },
)


@family.command("listOsCategories")
def list_os_categories(call: Call) -> Answer:
    name, keyword = call.get("name", "").lower(), call.get("keyword", "").lower()
    kind: type[Template] = Iso if call.flag("isiso") else Template
    rows = [
        row
        for row in call.cloud.store.table(OsCategory)
        if ("id" not in call or call["id"] is row)
        and name in row.name.lower()
        and keyword in row.name.lower()
        and row.is_featured is call.get("isfeatured", row.is_featured)
        and (not any(each in call for each in ("zoneid", "isiso", "isvnf", "arch")) or _has_image(call, kind, row))
    ]
    return page(call, sorted(rows, key=lambda row: row.sort_key))


def _has_image(call: Call, kind: type[Template], category: OsCategory) -> bool:
    zone = call.maybe(Zone, "zoneid")
    return any(
        image.os_type.category is category
        and (zone is None or image.copy_in(zone) is not None)
        and image.arch == call.get("arch", image.arch)
        and (not call.flag("isvnf") or image.template_type == "VNF")
        for image in call.cloud.store.table(kind)
    )


@family.command("addGuestOs")
def add_guest_os(call: Call) -> Generator[OsType, None, Answer]:
    name = call["osdisplayname"]
    lost = "Guest OS category not found. Please specify a valid Guest OS category"
    category = call.one(OsCategory, "oscategoryid", missing=lost)
    if call.cloud.store.table(OsType).first(name=name) is not None:
        raise InvalidParameterValue(
            f"The specified Guest OS name : {name} already exists. Please specify a unique name"
        )
    os_type = call.cloud.store.add(
        OsType(
            name=name,
            category=category,
            user_defined=True,
            display=call.flag("fordisplay", True),
            details=call.map("details"),
        )
    )
    yield os_type
    return os_type


@family.command("updateGuestOs")
def update_guest_os(call: Call) -> Answer:
    os_type, name, details = (
        call.one(OsType, missing=UNKNOWN_OS),
        call.get("osdisplayname", "").strip(),
        call.map("details"),
    )
    renamed = bool(name) and name != os_type.name
    if renamed and call.cloud.store.table(OsType).first(name=name) is not None:
        raise InvalidParameterValue(
            f"The specified Guest OS name : {name} already exists. Please specify a unique guest OS name"
        )
    category = call.maybe(OsCategory, "oscategoryid", missing=NO_CATEGORY)
    if not os_type.user_defined and (name or details or "fordisplay" in call):
        raise InvalidParameterValue("Unable to modify system defined guest OS")
    if details:
        os_type.details = details
    if renamed or category is not None:
        # On its own, whether it is displayed is not an update.
        os_type.name, os_type.category = name or os_type.name, category or os_type.category
        os_type.display = call.flag("fordisplay", os_type.display)
    return os_type


@family.command("removeGuestOs")
def remove_guest_os(call: Call) -> Answer:
    os_type = call.one(OsType, missing=UNKNOWN_OS)
    if not os_type.user_defined:
        raise InvalidParameterValue("Unable to remove system defined guest OS")
    call.cloud.store.remove(os_type)
    return Success()


@family.command("addOsCategory")
def add_os_category(call: Call) -> Answer:
    return call.cloud.store.add(OsCategory(name=call["name"], is_featured=call.flag("isfeatured"), user_defined=True))


@family.command("updateOsCategory")
def update_os_category(call: Call) -> Answer:
    category = call.one(OsCategory, missing=NO_CATEGORY)
    category.name = call.get("name", "").strip() or category.name
    category.is_featured = call.flag("isfeatured", category.is_featured)
    category.sort_key = call.get("sortkey", category.sort_key)
    return category


@family.command("deleteOsCategory")
def delete_os_category(call: Call) -> Answer:
    category = call.one(OsCategory, missing=NO_CATEGORY)
    rows = call.cloud.store.table(OsType).where(category=category)
    if rows:
        raise InvalidParameterValue(f"Unable to delete the OS category. {len(rows)} guest OS exist for it.")
    call.cloud.store.remove(category)
    return Success()
