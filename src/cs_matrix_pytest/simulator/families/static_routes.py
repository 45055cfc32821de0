"""Static routes of VPCs (VpcManagerImpl)."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator import ipv4
from cs_matrix_pytest.simulator.access import check_access, check_owner
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InvalidParameterValue
from cs_matrix_pytest.simulator.families.addresses import within
from cs_matrix_pytest.simulator.families.rule_conflicts import RuleConflictError
from cs_matrix_pytest.simulator.models.networks import PublicIp, Vpc
from cs_matrix_pytest.simulator.models.vpc import PrivateGateway, StaticRoute
from cs_matrix_pytest.simulator.registry import Answer, Family, Scope, Success
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.views import account_fields, tag_fields

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("static routes")

LINK_LOCAL = "169.254.0.0/16"


@family.view(StaticRoute)
def static_route_view(route: StaticRoute, _call: Call) -> dict[str, Any]:
    gateway = route.gateway
    return {
        "id": route.id,
        "state": "Deleting" if route.state == "Revoke" else route.state,
        "vpcid": route.vpc.id,
        "vpcgatewayid": gateway.id if gateway else None,
        "vpcgatewayip": gateway.ip_address if gateway else None,
        "nexthop": route.next_hop,
        "cidr": route.cidr,
        **account_fields(route.account),
        "tags": tag_fields(route),
    }


@family.command("createStaticRoute")
def create_static_route(call: Call) -> Generator[Resource, None, Answer]:
    cloud, route = call.cloud, planned(call)
    other = next(
        (
            row
            for row in cloud.store.table(StaticRoute).where(vpc=route.vpc)
            if ipv4.cidrs_overlap(row.cidr, route.cidr)
        ),
        None,
    )
    if other is not None:
        through = other.gateway.number if other.gateway else "null"
        raise RuleConflictError(
            f"New static route cidr conflicts with existing route StaticRoute[{other.id}|{other.cidr}|{through}]"
        )
    cloud.store.add(route)
    try:
        yield route
    except ApiError:
        cloud.store.remove(route)
        raise
    route.state = "Active"
    return route


def planned(call: Call) -> StaticRoute:
    """The route that a request describes, with the checks of its parameters."""
    cloud, cidr, next_hop = call.cloud, call["cidr"], call.get("nexthop")
    gateway = call.maybe(PrivateGateway, "gatewayid", missing="Invalid id is specified for the gateway")
    vpc = call.maybe(Vpc, "vpcid", missing="Invalid vpc id is specified")
    whose = gateway or vpc
    if whose is None:
        raise InvalidParameterValue("One of vpcId or gatewayId must be specified")
    check_owner(call.account, whose.account)
    if gateway is None and next_hop is None:
        raise InvalidParameterValue("one of gatewayId and nextHop must be specified")
    if gateway is not None and next_hop is not None:
        raise InvalidParameterValue("Only one of gatewayId and nextHop can be specified")
    if gateway is not None:
        if gateway.state != "Ready":
            raise InvalidParameterValue(f"Gateway is not in the Ready state: {gateway.state}")
        if vpc not in (None, gateway.vpc):
            raise InvalidParameterValue("Invalid gateway id is given")
        vpc = gateway.vpc
    assert vpc is not None
    if vpc.state != "Enabled":
        raise InvalidParameterValue("Can't add static route to VPC that is being deleted")
    check_access(cloud, call.account, vpc)
    check_cidr(cloud, vpc, cidr)
    if next_hop is not None and not reaches(cloud, vpc, next_hop):
        raise InvalidParameterValue(
            f"Next hop {next_hop} is invalid. It must be within VPC CIDR or on the same public or private network"
        )
    return StaticRoute(account=vpc.account, vpc=vpc, cidr=cidr, gateway=gateway, next_hop=next_hop)


def check_cidr(cloud: Cloud, vpc: Vpc, cidr: str) -> None:
    """Raise InvalidParameterValue for a CIDR that no route may lead to."""
    if not ipv4.is_cidr(cidr):
        raise InvalidParameterValue(f"Invalid format for cidr {cidr}")
    if ipv4.cidrs_overlap(vpc.cidr, cidr):
        raise InvalidParameterValue(f"CIDR should be outside of VPC cidr {vpc.cidr}")
    if ipv4.cidrs_overlap(cidr, LINK_LOCAL):
        raise InvalidParameterValue(f"CIDR should be outside of link local cidr {LINK_LOCAL}")
    denied = cloud.configuration.text("denied.routes", vpc.zone).split(",")
    if any(ipv4.is_cidr(route.strip()) and ipv4.cidrs_overlap(route.strip(), cidr) for route in denied):
        raise InvalidParameterValue(
            "The static gateway cidr overlaps with one of the denied routes of the zone the VPC belongs to"
        )


def reaches(cloud: Cloud, vpc: Vpc, next_hop: str) -> bool:
    """True for an address within a VPC, or in a public or private network that its router is in."""
    if not ipv4.is_address(next_hop):
        return False
    public = [
        ipv4.cidr(ip.range.gateway, ip.range.netmask)
        for ip in cloud.store.table(PublicIp).where(vpc=vpc)
        if ip.range.gateway and ip.range.netmask
    ]
    private = [ipv4.cidr(row.gateway, row.netmask) for row in cloud.store.table(PrivateGateway).where(vpc=vpc)]
    return any(within(next_hop, cidr) for cidr in (vpc.cidr, *public, *private))


family.must_name("deleteStaticRoute", "id", StaticRoute, "Unable to find static route by id={}")


@family.command("deleteStaticRoute")
def delete_static_route(call: Call) -> Answer:
    route = call.one(StaticRoute)
    check_access(call.cloud, call.account, route)
    call.cloud.store.remove(route)
    return Success()


def remove_of_vpc(cloud: Cloud, vpc: Vpc) -> None:
    for route in cloud.store.table(StaticRoute).where(vpc=vpc):
        cloud.store.remove(route)


family.listing("listStaticRoutes", StaticRoute, scope=Scope.OWNER, newest_first=True, keyword=())
