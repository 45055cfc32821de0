"""How error texts name resources: as the server's rows write themselves (their ``toString``)."""

from __future__ import annotations

import json
from typing import Any

from cs_matrix_pytest.simulator.models.infra import (
    Cluster,
    Host,
    ImageStore,
    PhysicalNetwork,
    Pod,
    ServiceProvider,
    StoragePool,
    Zone,
)
from cs_matrix_pytest.simulator.models.networks import Network, Vpc
from cs_matrix_pytest.simulator.models.offerings import DiskOffering, NetworkOffering, ServiceOffering, VpcOffering
from cs_matrix_pytest.simulator.store import Resource

REFLECTED: dict[type[Resource], tuple[str, str, dict[str, str]]] = {
    Pod: ("HostPod", "", {}),
    Host: ("Host", "", {"type": "type"}),
    StoragePool: ("StoragePool", "", {"poolType": "type"}),
    ImageStore: ("ImageStore", "", {}),
    PhysicalNetwork: ("PhysicalNetwork", "", {}),
    ServiceProvider: ("PhysicalNetworkServiceProvider", "", {}),
    ServiceOffering: ("Service offering", ".", {}),
    DiskOffering: ("DiskOffering", ".", {}),
    NetworkOffering: ("NetworkOffering", "", {"trafficType": "traffic_type"}),
    VpcOffering: ("VPCOffering", "", {}),
    Vpc: ("VPC", "", {}),
}
"""The word before the fields, what follows them, and the fields beside id, name and uuid: field, attribute."""


def fields_text(**fields: Any) -> str:
    """Fields as the server's writer of rows has them: sorted, without blanks, slashes escaped."""
    return json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":")).replace("/", "\\/")


def described(resource: Resource | None) -> str:
    """A resource as error texts name it; ``null`` for none.

    Raises LookupError for a class whose form is not known.
    """
    if resource is None:
        return "null"
    name = getattr(resource, "name", None)
    if isinstance(resource, Zone):
        return f'Zone {{"id": "{resource.number}", "name": "{name}", "uuid": "{resource.id}"}}'
    if isinstance(resource, Network):
        return (
            f'Network {{"id": {resource.number}, "name": "{name}", "uuid": "{resource.id}", '
            f'"networkofferingid": {resource.offering.number}}}'
        )
    if isinstance(resource, Cluster):
        return f'Cluster {{id: "{resource.number}", name: "{name}", uuid: "{resource.id}"}}'
    for kind in type(resource).__mro__:
        if kind in REFLECTED:
            word, end, more = REFLECTED[kind]
            extra = {field: getattr(resource, attribute) for field, attribute in more.items()}
            return f"{word} {fields_text(id=resource.number, name=name, uuid=resource.id, **extra)}{end}"
    raise LookupError(f"no form for {type(resource).__name__}")
