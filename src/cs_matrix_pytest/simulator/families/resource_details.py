"""Details of any resource (ResourceMetaDataManagerImpl)."""

from __future__ import annotations

from typing import Any

from cs_matrix_pytest.simulator.access import check_access
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InvalidParameterValue
from cs_matrix_pytest.simulator.families.tags import DETAILED, kinds_of, resource_of, resource_type_of
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.store import Resource

family = Family("resource details")


def _resource(call: Call) -> Resource:
    resource_type = _resource_type(call)
    resource = resource_of(call, resource_type, call["resourceid"])
    check_access(call.cloud, call.account, resource)
    return resource


def _resource_type(call: Call) -> str:
    resource_type = resource_type_of(call["resourcetype"])
    if resource_type not in DETAILED:
        raise InvalidParameterValue(f"The resource type {resource_type} doesn't support metadata (resource details)")
    return resource_type


@family.command("addResourceDetail")
def add_resource_detail(call: Call) -> Answer:
    resource, details = _resource(call), call.map("details")
    for key, value in details.items():
        if not value:
            raise InvalidParameterValue(f"Value for the key {key} is either null or empty")
    resource.details.update(details)
    return Success()


@family.command("removeResourceDetail")
def remove_resource_detail(call: Call) -> Answer:
    resource, key = _resource(call), call.get("key")
    if key is None:
        resource.details.clear()
    else:
        resource.details.pop(key, None)
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
    resource_type = _resource_type(call)
    resources = (
        [_resource(call)]
        if "resourceid" in call
        else [row for kind in kinds_of(call.cloud, resource_type) for row in call.cloud.store.table(kind)]
    )
    rows: list[Any] = [
        {
            "resourceid": resource.id,
            "resourcetype": resource_type,
            "key": name,
            "value": text,
            "fordisplay": True,
        }
        for resource in resources
        for name, text in resource.details.items()
        if key in (None, name) and value in (None, text) and call.flag("fordisplay", True)
    ]
    return page(call, rows)
