"""The behaviour of CloudStack's commands, a module per family of resources. The order is that of a fresh install."""

from cs_matrix_pytest.simulator.families import domains, jobs
from cs_matrix_pytest.simulator.registry import Family

FAMILIES: tuple[Family, ...] = (
    domains.family,
    jobs.family,
)
