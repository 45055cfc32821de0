"""Load balancing between the zones of a region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cs_matrix_pytest.simulator.models.iam import Owned
from cs_matrix_pytest.simulator.models.regions import Region


@dataclass(eq=False, kw_only=True, repr=False)
class GlobalLoadBalancerRule(Owned):
    entities: ClassVar[tuple[str, ...]] = ("GlobalLoadBalancerResponse",)
    label: ClassVar[str] = "global load balancer rule"
    resource_type: ClassVar[str] = "GlobalLoadBalancerRule"

    name: str
    description: str | None
    region: Region
    domain_name: str
    algorithm: str
    persistence: str
    service_type: str
