"""IPv6 prefixes whose subnets guest networks get."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv6Network
from typing import ClassVar

from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True, repr=False)
class GuestIpv6Prefix(Resource):
    entities: ClassVar[tuple[str, ...]] = ("DataCenterGuestIpv6PrefixResponse",)
    label: ClassVar[str] = "guest network IPv6 prefix"

    zone: Zone
    prefix: str
    subnets: dict[Resource, IPv6Network] = field(default_factory=dict)
    """The subnets that were given to networks, which may be gone by now."""

    @property
    def network(self) -> IPv6Network:
        return IPv6Network(self.prefix, strict=False)

    @property
    def total(self) -> int:
        """How many subnets of /64 it has."""
        return 1 << (64 - self.network.prefixlen)
