"""Open vSwitch tunnels: the element that every provider Ovs of a physical network has (OvsElement)."""

from __future__ import annotations

from typing import Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InvalidParameterValue
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.infra import ServiceProvider
from cs_matrix_pytest.simulator.models.ovs import OvsElement
from cs_matrix_pytest.simulator.registry import Answer, Family

family = Family("ovs")


@family.view(OvsElement)
def element_view(element: OvsElement, _call: Call) -> dict[str, Any]:
    return {"id": element.id, "nspid": element.provider.id, "enabled": element.enabled}


def elements(call: Call) -> list[OvsElement]:
    """The elements of the providers that there are; made when they are first looked at."""
    store = call.cloud.store
    table = store.table(OvsElement)
    return [
        table.first(provider=provider) or store.add(OvsElement(provider=provider))
        for provider in store.table(ServiceProvider).where(name="Ovs")
    ]


@family.command("listOvsElements")
def list_elements(call: Call) -> Answer:
    rows = [
        row
        for row in elements(call)
        if call.get("id") in (None, row)
        and call.get("nspid") in (None, row.provider)
        and call.get("enabled") in (None, row.enabled)
    ]
    return page(call, rows)


@family.command("configureOvsElement", object_name="ovselement")
def configure(call: Call) -> Answer:
    element = call["id"]
    if not isinstance(element, OvsElement):
        raise InvalidParameterValue("Cannot find provider with id " + str(getattr(element, "number", element)))
    element.enabled = call.flag("enabled")
    return element
