"""What routed networks and VPCs take: AS numbers, BGP peers, IPv4 subnets."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from cs_matrix_pytest.simulator.models.iam import Account, Domain
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.models.networks import Network, Vpc
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True, repr=False)
class AsNumberRange(Resource):
    entities: ClassVar[tuple[str, ...]] = ("ASNRangeResponse",)
    label: ClassVar[str] = "AS number range"

    zone: Zone
    start: int
    end: int


@dataclass(eq=False, kw_only=True, repr=False)
class AsNumber(Resource):
    entities: ClassVar[tuple[str, ...]] = ("ASNumberResponse",)
    label: ClassVar[str] = "AS number"

    range: AsNumberRange
    value: int
    user: Network | Vpc | None = None
    """What has it; None: it is free."""
    allocated: datetime | None = None


@dataclass(eq=False, kw_only=True, repr=False)
class Dedicatable(Resource):
    """A zone's resource that may be one domain's, or one account's alone."""

    zone: Zone
    domain: Domain | None = None
    account: Account | None = None


@dataclass(eq=False, kw_only=True, repr=False)
class BgpPeer(Dedicatable):
    entities: ClassVar[tuple[str, ...]] = ("BgpPeerResponse",)
    label: ClassVar[str] = "BGP peer"

    as_number: int
    ip_address: str | None = None
    ip6_address: str | None = None
    password: str | None = None
    users: list[Network | Vpc] = field(default_factory=list)


@dataclass(eq=False, kw_only=True, repr=False)
class ZoneSubnet(Dedicatable):
    """An IPv4 network of a zone that routed networks get their parts of."""

    entities: ClassVar[tuple[str, ...]] = ("DataCenterIpv4SubnetResponse",)
    label: ClassVar[str] = "zone IPv4 subnet"

    cidr: str


@dataclass(eq=False, kw_only=True, repr=False)
class GuestSubnet(Resource):
    """The IPv4 network of a routed network or VPC, or one that is kept for one."""

    entities: ClassVar[tuple[str, ...]] = ("Ipv4SubnetForGuestNetworkResponse",)
    label: ClassVar[str] = "guest IPv4 subnet"

    zone: Zone
    cidr: str
    parent: ZoneSubnet | None = None
    """None: an administrator chose a CIDR outside of the zone's subnets."""
    user: Network | Vpc | None = None
    allocated: datetime | None = None
