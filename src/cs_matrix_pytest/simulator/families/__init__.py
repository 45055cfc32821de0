"""The behaviour of CloudStack's commands, a module per family of resources. The order is that of a fresh install."""

from cs_matrix_pytest.simulator.families import (
    disk_offerings,
    domains,
    jobs,
    network_offerings,
    os_types,
    service_offerings,
    templates,
)
from cs_matrix_pytest.simulator.registry import Family

FAMILIES: tuple[Family, ...] = (
    domains.family,
    jobs.family,
    disk_offerings.family,
    service_offerings.family,
    network_offerings.family,
    os_types.family,
    templates.family,
)
