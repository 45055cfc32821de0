"""Regions (RegionManagerImpl). What is made in one is not replicated: CloudStack leaves that to whoever runs them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InvalidParameterValue
from cs_matrix_pytest.simulator.families.capabilities import fixed_rows
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.regions import Region
from cs_matrix_pytest.simulator.registry import Answer, Family, Success

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("regions")


@family.on_fresh_install
def install(cloud: Cloud, fresh: Mapping[str, Any]) -> None:
    for row in fixed_rows("listRegions"):
        cloud.store.add(
            Region(
                number=row["id"],
                name=row["name"],
                endpoint=row["endpoint"],
                portable_ips=row["portableipserviceenabled"],
            )
        )


@family.view(Region)
def region_view(region: Region, call: Call) -> dict[str, Any]:
    return {
        "id": region.number,
        "name": region.name,
        "endpoint": region.endpoint,
        "gslbserviceenabled": True,
        "portableipserviceenabled": region.portable_ips,
    }


def numbered(call: Call) -> Region | None:
    """The live region of the request's number."""
    return call.cloud.store.table(Region).first(number=call["id"])


def check_name_unused(call: Call, current: Region | None = None) -> None:
    name = call.get("name")
    other = call.cloud.store.table(Region).first(name=name) if name is not None else None
    if other is not None and other is not current:
        raise InvalidParameterValue(f"Region with name: {name} already exists")


@family.command("addRegion")
def add_region(call: Call) -> Answer:
    if numbered(call):
        raise InvalidParameterValue(f"Region with id: {call['id']} already exists")
    check_name_unused(call)
    return call.cloud.store.add(Region(number=call["id"], name=call["name"], endpoint=call["endpoint"]))


@family.command("updateRegion")
def update_region(call: Call) -> Answer:
    region = numbered(call)
    if region is None:
        raise InvalidParameterValue(f"Region with id: {call['id']} does not exist")
    check_name_unused(call, region)
    region.name, region.endpoint = call.get("name", region.name), call.get("endpoint", region.endpoint)
    return region


@family.command("removeRegion")
def remove_region(call: Call) -> Answer:
    region = numbered(call)
    if region is None:
        raise InvalidParameterValue(f"Failed to delete Region: {call['id']}, Region not found")
    call.cloud.store.forget(region)
    return Success()


@family.command("listRegions")
def list_regions(call: Call) -> Answer:
    number, name = call.get("id"), call.get("name")
    rows = [
        region
        for region in call.cloud.store.table(Region)
        # A number is enough: the name is then not looked at.
        if (region.number == number if number is not None else name in (None, region.name))
    ]
    return page(call, rows)
