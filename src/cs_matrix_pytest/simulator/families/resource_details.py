"""Details of any resource (ResourceMetaDataManagerImpl)."""

from __future__ import annotations

from typing import Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InvalidParameterValue
from cs_matrix_pytest.simulator.families.annotations import HIDDEN
from cs_matrix_pytest.simulator.families.tags import DETAILED, kinds_of, resource_of, resource_type_of
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.details import HiddenDetail
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.store import Resource

family = Family("resource details")


def _check_detailed(call: Call, resource_type: str) -> None:
    if resource_type not in DETAILED:
        text = f"ResourceType {resource_type} doesn't support metadata"
        raise ApiError(text if call.is_root_admin or call.command.is_async else HIDDEN)


def _hidden(call: Call, resource: Resource, key: str | None = None) -> list[HiddenDetail]:
    return [
        row
        for row in call.cloud.store.table(HiddenDetail).where(resource=resource)
        if key is None or row.name.lower() == key.lower()
    ]


@family.command("addResourceDetail")
def add_resource_detail(call: Call) -> Answer:
    resource_type, details = resource_type_of(call["resourcetype"]), call.map("details")
    for key, value in details.items():
        if not value:
            raise InvalidParameterValue(f"Value for the key {key} is either null or empty")
        _check_detailed(call, resource_type)
        _add(call, resource_of(call, resource_type, call["resourceid"]), key, value)
    return Success()


def _add(call: Call, resource: Resource, key: str, value: str) -> None:
    _remove(call, resource, key)
    if call.flag("fordisplay", True):
        resource.details[key] = value
    else:
        call.cloud.store.add(HiddenDetail(resource=resource, name=key, value=value))


def _remove(call: Call, resource: Resource, wanted: str | None) -> None:
    for key in list(resource.details):
        if wanted is None or key.lower() == wanted.lower():
            del resource.details[key]
    for row in _hidden(call, resource, wanted):
        call.cloud.store.remove(row)


@family.command("removeResourceDetail")
def remove_resource_detail(call: Call) -> Answer:
    resource_type = resource_type_of(call["resourcetype"])
    resource = resource_of(call, resource_type, call["resourceid"])
    _check_detailed(call, resource_type)
    _remove(call, resource, call.get("key"))
    return Success()


@family.command("listResourceDetails", object_name="resourcedetail")
def list_resource_details(call: Call) -> Answer:
    key, value = call.get("key"), call.get("value")
    if "resourceid" not in call and value is None:
        raise InvalidParameterValue(
            "Insufficient parameters passed for listing by resourceId OR key,value pair. Please check your params and "
            "try again."
        )
    if value is not None and key is None:
        raise InvalidParameterValue("Listing by (key, value) but key is null. Please check the params and try again")
    resource_type = resource_type_of(call["resourcetype"])
    named = [resource_of(call, resource_type, call["resourceid"])] if "resourceid" in call else []
    _check_detailed(call, resource_type)
    # Key and value are looked for among all resources, whichever is named.
    resources = (
        named
        if value is None
        else [row for kind in kinds_of(call.cloud, resource_type) for row in call.cloud.store.table(kind)]
    )
    wanted = call.get("fordisplay", None if call.is_root_admin else True)
    rows: list[Any] = [
        {"resourceid": resource.id, "resourcetype": resource_type, "key": name, "value": text, "fordisplay": display}
        for resource in resources
        for name, text, display in _details(call, resource)
        if _same(key, name) and _same(value, text) and wanted in (None, display)
    ]
    return page(call, rows)


def _details(call: Call, resource: Resource) -> list[tuple[str, str, bool]]:
    """Key, value and whether it is displayed, of every detail."""
    shown = [(key, value, True) for key, value in resource.details.items()]
    return shown + [(row.name, row.value, False) for row in _hidden(call, resource)]


def _same(wanted: str | None, text: str) -> bool:
    return wanted is None or wanted.lower() == text.lower()
