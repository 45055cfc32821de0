"""Network offerings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.models.offerings import NetworkOffering
from cs_matrix_pytest.simulator.registry import Family

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("network offerings")

SYSTEM_OFFERINGS = (
    ("System-Public-Network", "Public", None, True),
    ("System-Management-Network", "Management", None, False),
    ("System-Control-Network", "Control", None, False),
    ("System-Storage-Network", "Storage", None, True),
    ("System-Private-Gateway-Network-Offering", "Guest", "Isolated", True),
    ("System-Private-Gateway-Network-Offering-Without-Vlan", "Guest", "Isolated", False),
)
"""Name, traffic type, guest type, whether a VLAN is given (ConfigurationServerImpl.createDefaultNetworkOfferings)."""


@family.on_fresh_install
def default_network_offerings(cloud: Cloud, fresh: Mapping[str, Any]) -> None:
    for name, traffic_type, guest_type, specify_vlan in SYSTEM_OFFERINGS:
        cloud.store.add(
            NetworkOffering(
                name=name,
                display_text=name,
                traffic_type=traffic_type,
                guest_type=guest_type,
                specify_vlan=specify_vlan,
                is_default=True,
                is_system=True,
                availability="Required",
                state="Enabled",
            )
        )
    for row in fresh["lists"]["listNetworkOfferings"]["networkoffering"]:
        cloud.store.add(
            NetworkOffering(
                name=row["name"],
                display_text=row["displaytext"],
                state=row["state"],
                guest_type=row["guestiptype"],
                traffic_type=row["traffictype"],
                availability=row["availability"],
                is_default=row["isdefault"],
                conserve_mode=row["conservemode"],
                specify_vlan=row["specifyvlan"],
                specify_ip_ranges=row["specifyipranges"],
                is_persistent=row["ispersistent"],
                egress_default_policy=row["egressdefaultpolicy"],
                for_vpc=row["forvpc"],
                for_nsx=row["fornsx"],
                for_tungsten=row["fortungsten"],
                network_mode=row.get("networkmode"),
                internet_protocol=row["internetprotocol"],
                service_providers=providers_by_service(row["service"]),
                capabilities={
                    service["name"]: {each["name"]: each["value"] for each in service["capability"]}
                    for service in row["service"]
                    if "capability" in service
                },
            )
        )


def providers_by_service(services: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """``[{"name": "Dhcp", "provider": [{"name": "VirtualRouter"}]}]`` as ``{"Dhcp": ["VirtualRouter"]}``."""
    return {service["name"]: [provider["name"] for provider in service["provider"]] for service in services}


def network_offering_named(cloud: Cloud, name: str) -> NetworkOffering:
    """The network offering of this name, for the default ones."""
    found = cloud.store.table(NetworkOffering).first(name=name)
    if found is None:
        raise LookupError(f"no network offering is called {name!r}")
    return found
