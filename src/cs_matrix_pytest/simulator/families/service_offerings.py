"""Service (compute) offerings, the system's own among them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.models.offerings import DiskOffering, ServiceOffering
from cs_matrix_pytest.simulator.registry import Family

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("service offerings")

DEFAULTS = (("Small Instance", 500, 512), ("Medium Instance", 1000, 1024))
"""Name, MHz and MiB; one CPU (ConfigurationServerImpl.persistDefaultValues)."""

SYSTEM_OFFERINGS = (
    ("System Offering For Software Router", "Cloud.Com-SoftwareRouter", "domainrouter", 256, 500, True),
    ("System Offering For Console Proxy", "Cloud.com-ConsoleProxy", "consoleproxy", 1024, 500, False),
    ("System Offering For Secondary Storage VM", "Cloud.com-SecondaryStorage", "secondarystoragevm", 512, 500, False),
    ("System Offering For Internal LB Instance", "Cloud.Com-InternalLBVm", "internalloadbalancervm", 512, 256, True),
    ("System Offering For Elastic LB VM", "Cloud.Com-ElasticLBVm", "elasticloadbalancervm", 128, 256, True),
)
"""Name, unique name, system VM type, MiB, MHz, HA. Each exists for shared and for local storage
(ServiceOfferingDaoImpl.createSystemServiceOfferings)."""


@family.on_fresh_install
def default_service_offerings(cloud: Cloud, fresh: Mapping[str, Any]) -> None:
    for name, unique, kind, memory, speed, offer_ha in SYSTEM_OFFERINGS:
        for storage, suffix, unique_suffix in (("shared", "", ""), ("local", " - Local Storage", "-Local")):
            disk = DiskOffering(name=name + suffix, display_text="", storage_type=storage, compute_only=True)
            cloud.store.add(
                ServiceOffering(
                    name=name + suffix,
                    display_text="",
                    disk_offering=cloud.store.add(disk),
                    cpu_number=1,
                    cpu_speed=speed,
                    memory=memory,
                    offer_ha=offer_ha,
                    is_volatile=False,
                    default_use=True,
                    is_system=True,
                    system_vm_type=kind,
                    unique_name=unique + unique_suffix,
                )
            )
    for name, speed, memory in DEFAULTS:
        disk = cloud.store.add(DiskOffering(name=name, display_text=name, compute_only=True))
        cloud.store.add(
            ServiceOffering(
                name=name,
                display_text=name,
                disk_offering=disk,
                cpu_number=1,
                cpu_speed=speed,
                memory=memory,
                unique_name=f"Cloud.Com-{name}",
            )
        )


def system_offering(cloud: Cloud, kind: str, *, local: bool = False) -> ServiceOffering:
    """The default offering of a type of system VM (``domainrouter``, ``consoleproxy`` …)."""
    storage = "local" if local else "shared"
    found = cloud.store.table(ServiceOffering).first(
        lambda row: row.default_use and row.storage_type == storage, system_vm_type=kind
    )
    if found is None:
        raise LookupError(f"no system offering for {kind}")
    return found
