"""Private gateways: networks outside of the cloud that a VPC's router has a leg in (VpcManagerImpl)."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator import ipv4, vlans
from cs_matrix_pytest.simulator.access import check_access
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.families import guest_networks, network_creation, routers
from cs_matrix_pytest.simulator.families.addresses import is_private
from cs_matrix_pytest.simulator.families.network_acls import default_deny, is_default
from cs_matrix_pytest.simulator.families.public_ips import describe_zone
from cs_matrix_pytest.simulator.families.rule_conflicts import describe_vpc
from cs_matrix_pytest.simulator.models.infra import PhysicalNetwork
from cs_matrix_pytest.simulator.models.networks import AclList, Network, Vpc
from cs_matrix_pytest.simulator.models.offerings import NetworkOffering
from cs_matrix_pytest.simulator.models.vpc import PrivateGateway, PrivateNetwork, StaticRoute
from cs_matrix_pytest.simulator.registry import Answer, Family, Scope, Success
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.texts import fields_text
from cs_matrix_pytest.simulator.views import account_fields

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("private gateways")

BROADCAST_SCHEMES = frozenset(
    ["vlan", "vs", "vnet", "storage", "lswitch", "mido", "pvlan", "vxlan", "vcs", "vsp", "bcf", "opendaylight", "tf"]
)
"""Schemes of the URIs that isolate networks (BroadcastDomainType)."""
WITH_VLAN = "System-Private-Gateway-Network-Offering"
WITHOUT_VLAN = "System-Private-Gateway-Network-Offering-Without-Vlan"


def describe(gateway: PrivateGateway) -> str:
    """A private gateway as error texts name it."""
    fields = fields_text(id=gateway.number, uuid=gateway.id, ip4Address=gateway.ip_address, vpcId=gateway.vpc.number)
    return f"VpcGateway {fields}"


@family.view(PrivateGateway)
def private_gateway_view(gateway: PrivateGateway, call: Call) -> dict[str, Any]:
    zone, associated = gateway.vpc.zone, gateway.network.associated_network
    physical = gateway.network.physical_network
    return {
        "id": gateway.id,
        "gateway": gateway.gateway,
        "netmask": gateway.netmask,
        "ipaddress": gateway.ip_address,
        "zoneid": zone.id,
        "zonename": zone.name,
        "vlan": gateway.network.uri if call.is_root_admin else None,
        "vpcid": gateway.vpc.id,
        "vpcname": gateway.vpc.name,
        "physicalnetworkid": physical.id if physical else None,
        **account_fields(gateway.account),
        "state": gateway.state,
        "sourcenatsupported": gateway.source_nat,
        "aclid": gateway.acl.id,
        "aclname": gateway.acl.name,
        "associatednetworkid": associated.id if associated else None,
        "associatednetwork": associated.name if associated else None,
    }


family.must_name("createPrivateGateway", "vpcid", Vpc, "Invalid id is specified for the VPC")


@family.command("createPrivateGateway")
def create_private_gateway(call: Call) -> Generator[Resource, None, Answer]:
    cloud, vpc = call.cloud, call.params["vpcid"]
    if not isinstance(vpc, Vpc) or vpc not in cloud.store:
        raise InvalidParameterValue("Invalid id is specified for the VPC")
    check_access(cloud, call.account, vpc)
    if vpc.state != "Enabled":
        raise InvalidParameterValue("Unable to find Enabled VPC by id specified", named={"VPC": str(vpc.number)})
    acl, network = planned(call, vpc)
    cloud.store.add(network)
    gateway = cloud.store.add(
        PrivateGateway(
            account=vpc.account,
            vpc=vpc,
            network=network,
            ip_address=call["ipaddress"],
            gateway=call["gateway"],
            netmask=call["netmask"],
            acl=acl or default_deny(cloud),
            source_nat=call.flag("sourcenatsupported"),
        )
    )
    try:
        yield gateway
    except ApiError:
        remove(cloud, gateway)
        raise
    for router in routers.routers_of_vpc(cloud, vpc):
        routers.plug_gateway(cloud, router, gateway)
    gateway.state = "Ready"
    return gateway


def named_acl(call: Call, vpc: Vpc) -> AclList | None:
    """The ACL list of a new gateway, if the request names one."""
    acl = call.maybe(AclList, "aclid", missing="Invalid network acl id passed.")
    if acl is not None and acl.vpc is not vpc and not is_default(acl):
        raise InvalidParameterValue("Private gateway and network acl are not in the same vpc.")
    return acl


def planned(call: Call, vpc: Vpc) -> tuple[AclList | None, PrivateNetwork]:
    """The ACL list and the network behind a new gateway, with every check of what the request says of it."""
    cloud, root = call.cloud, call.is_root_admin
    # Only root admins can say these; for others the command has no such parameters.
    vlan, bypass = (call.get("vlan"), call.flag("bypassvlanoverlapcheck")) if root else (None, False)
    offering = offering_of(call, vlan)
    check_vlan_or_network(call, offering, vlan)
    associated = call.maybe(Network, "associatednetworkid", missing="Unable to find network by ID {}")
    physical, acl = physical_network_of(call, vpc, offering, associated), named_acl(call, vpc)
    uri = None if vlan is None else uri_of(vlan)
    ip, gateway, netmask = call["ipaddress"], call["gateway"], call["netmask"]
    if not ipv4.is_address(ip):
        raise InvalidParameterValue("Invalid format for the ip address parameter")
    if not ipv4.is_address(gateway):
        raise InvalidParameterValue("Invalid gateway")
    if not ipv4.is_netmask(netmask):
        raise InvalidParameterValue("Invalid netmask")
    cidr = ipv4.cidr(gateway, netmask)
    if uri is not None:
        if not uri.startswith(("vlan:", "lswitch:")):
            raise InvalidParameterValue(f"unsupported type of broadcastUri specified: {vlan}")
    else:
        assert associated is not None
        network_creation.use_associated(call, associated, vpc.account, None, cidr, ip, ip)
        uri, bypass = associated.broadcast_uri or "", True
    check_free(cloud, vpc, physical, uri, cidr, ip, bypass=bypass)
    if not is_private(cidr) and not cloud.configuration.flag("allow.non.rfc1918.compliant.ips"):
        raise InvalidParameterValue(f"Virtual Guest Cidr {cidr} is not RFC 1918 or 6598 compliant")
    name = f"vpc-{vpc.name}-privateNetwork"
    return acl, PrivateNetwork(
        account=vpc.account,
        name=name,
        display_text=name,
        zone=vpc.zone,
        offering=offering,
        physical_network=physical,
        gateway=gateway,
        netmask=netmask,
        cidr=cidr,
        vlan=uri.rpartition("//")[2],
        uri=uri,
        state="Setup",
        associated_network=associated,
    )


def offering_of(call: Call, vlan: str | None) -> NetworkOffering:
    """The offering of the network behind a gateway: named, or the system's."""
    if "networkofferingid" not in call:
        name = WITHOUT_VLAN if vlan is None else WITH_VLAN
        found = call.cloud.store.table(NetworkOffering).first(name=name)
        assert found is not None
        return found
    offering = call.params["networkofferingid"]
    if not isinstance(offering, NetworkOffering) or offering not in call.cloud.store:
        raise InvalidParameterValue("Unable to find network offering by id specified")
    if offering.traffic_type != "Guest":
        raise InvalidParameterValue("The network offering cannot be used to create Guest network")
    if offering.guest_type != "Isolated":
        raise InvalidParameterValue("The network offering cannot be used to create Isolated network")
    return offering


def check_vlan_or_network(call: Call, offering: NetworkOffering, vlan: str | None) -> None:
    """Raise unless the request names either a VLAN or a network, as the offering and the caller may have it."""
    associated = "associatednetworkid" in call
    if vlan is None and not associated:
        raise InvalidParameterValue("One of vlanId and associatedNetworkId must be specified")
    if vlan is not None and associated:
        raise InvalidParameterValue("vlanId and associatedNetworkId are mutually exclusive")
    if not call.is_root_admin and offering.specify_vlan:
        raise InvalidParameterValue("Only ROOT admin is allowed to specify vlanId or bypass vlan overlap check")
    if offering.specify_vlan and vlan is None:
        raise InvalidParameterValue("vlanId must be specified for this network offering")
    if not offering.specify_vlan and not associated:
        raise InvalidParameterValue("associatedNetworkId must be specified for this network offering")


def physical_network_of(call: Call, vpc: Vpc, offering: NetworkOffering, associated: Network | None) -> PhysicalNetwork:
    lost = "Unable to find a physical network having the given id"
    named = call.maybe(PhysicalNetwork, "physicalnetworkid", missing=lost) if call.is_root_admin else None
    if associated is not None:
        if named is not None and named is not associated.physical_network:
            raise InvalidParameterValue(
                "The network can only be created on the same physical network as the associated network"
            )
        named = associated.physical_network
    return named or guest_networks.physical_network_for(call.cloud, vpc.zone, offering)


def uri_of(vlan: str) -> str:
    """``vlan://11`` for ``11``. Raises InternalError for what is no broadcast URI, as BroadcastDomainType.fromString."""
    if vlan.isdecimal() or vlan.lower() == "untagged":
        return f"vlan://{vlan}"
    if not vlan.strip():
        raise InternalError("Expected VLAN or VXLAN but got a null isolation method")
    if " " in vlan:
        raise InternalError(f"string is not a broadcast URI: {vlan}")
    if vlan.partition(":")[0] not in BROADCAST_SCHEMES or ":" not in vlan:
        raise InternalError(f"string '{vlan}' has an unknown BroadcastDomainType.")
    return vlan


def check_free(
    cloud: Cloud, vpc: Vpc, physical: PhysicalNetwork, uri: str, cidr: str, ip: str, *, bypass: bool
) -> None:
    """Raise InvalidParameterValue where a VLAN or an address behind a gateway is somebody's already."""
    zone, store = vpc.zone, cloud.store
    same = [
        row for row in store.table(PrivateGateway).where(vpc=vpc) if (row.network.uri, row.network.cidr) == (uri, cidr)
    ]
    if any(row.ip_address == ip for row in same):
        raise InvalidParameterValue(f"Private ip address {ip} already used for private gateway in zone {zone.name}")
    if same:
        raise InvalidParameterValue(
            f"Private network for the vlan: {uri} and cidr  {cidr}  already exists for Vpc {describe_vpc(vpc)} "
            f"in zone {zone.name}"
        )
    if bypass:
        return
    vlan = uri.rpartition("//")[2]
    if vlans.contains(vlans.parse_ranges(physical.vlan), vlan):
        raise InvalidParameterValue(
            f"The VLAN tag to use for new guest network, {vlan} is already being used for dynamic vlan allocation "
            f"for the guest network in zone {zone.name}"
        )
    networks = [*store.table(Network).where(zone=zone), *store.table(PrivateNetwork).where(zone=zone)]
    if any(row.broadcast_uri == uri for row in networks):
        raise InvalidParameterValue(
            f"Network with vlan {vlan} already exists or overlaps with other network vlans in zone {describe_zone(zone)}"
        )


def remove(cloud: Cloud, gateway: PrivateGateway) -> None:
    """Remove a gateway with its network and its routers' legs in it."""
    for router in routers.routers_of_vpc(cloud, gateway.vpc):
        routers.unplug(cloud, router, gateway.network)
    cloud.store.remove(gateway.network)
    cloud.store.remove(gateway)


def remove_of_vpc(cloud: Cloud, vpc: Vpc) -> None:
    for gateway in cloud.store.table(PrivateGateway).where(vpc=vpc):
        remove(cloud, gateway)


@family.command("deletePrivateGateway")
def delete_private_gateway(call: Call) -> Answer:
    gateway, cloud = call.params["id"], call.cloud
    if not isinstance(gateway, PrivateGateway) or gateway not in cloud.store:
        raise InvalidParameterValue("Invalid private gateway id")
    if not call.is_root_admin:
        check_access(cloud, call.account, gateway)
        if gateway.network.offering.specify_vlan:
            raise InvalidParameterValue("Unable to delete private gateway with specified vlan by non-ROOT accounts")
    routes = len(cloud.store.table(StaticRoute).where(gateway=gateway))
    if routes:
        raise InternalError(
            f"Can't delete private gateway {describe(gateway)} as it has {routes} static routes applied. "
            "Remove the routes first"
        )
    remove(cloud, gateway)
    return Success()


family.listing(
    "listPrivateGateways",
    PrivateGateway,
    scope=Scope.OWNER,
    newest_first=True,
    keyword=(),
    filters={"vlan": lambda gateway, vlan, call: gateway.network.uri == f"vlan://{vlan.removeprefix('vlan://')}"},
)
