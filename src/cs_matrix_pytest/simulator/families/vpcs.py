"""VPCs: made, changed, restarted, deleted, and what a tier of one may be (VpcManagerImpl)."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator import ipv4
from cs_matrix_pytest.simulator.access import check_access, describe, owner_of_new
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, InvalidParameterValue, PermissionDenied
from cs_matrix_pytest.simulator.families import guest_networks, ipv4_subnets, public_ips, routed_networks, routers
from cs_matrix_pytest.simulator.families.addresses import is_domain_name, is_inside, is_private
from cs_matrix_pytest.simulator.families.annotations import has_annotations
from cs_matrix_pytest.simulator.families.network_services import service_fields, service_named
from cs_matrix_pytest.simulator.families.offering_scope import describe as describe_offering
from cs_matrix_pytest.simulator.families.offering_scope import in_zone, usable_by
from cs_matrix_pytest.simulator.families.rule_conflicts import describe_vpc
from cs_matrix_pytest.simulator.models.iam import Account
from cs_matrix_pytest.simulator.models.infra import ServiceProvider, Zone
from cs_matrix_pytest.simulator.models.networks import AclList, Network, PublicIp, Vpc
from cs_matrix_pytest.simulator.models.offerings import NetworkOffering, VpcOffering
from cs_matrix_pytest.simulator.models.routing import BgpPeer
from cs_matrix_pytest.simulator.registry import Answer, Family, Scope, Success
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.texts import fields_text
from cs_matrix_pytest.simulator.views import owner_fields, tag_fields, when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("VPCs")

ROUTER = "VpcVirtualRouter"
REDUNDANT_OFFERING = "Redundant VPC offering"
NO_OFFERING = "Unable to find vpc offering in Enabled state by specified id"
MINIMUM_MTU = 68
TIER_PROVIDERS = frozenset(
    [
        "VpcVirtualRouter",
        "NiciraNvp",
        "InternalLbVm",
        "Netscaler",
        "JuniperContrailVpcRouter",
        "Ovs",
        "BigSwitchBcf",
        "ConfigDrive",
        "Nsx",
        "Netris",
    ]
)
"""The providers that an offering of tiers may name."""
DOMAIN_NAME_RULE = (
    "Invalid network domain. Total length shouldn't exceed 190 chars. Each domain label must be between 1 and 63 "
    "characters long, can contain ASCII letters 'a' through 'z', the digits '0' through '9', "
    "and the hyphen ('-'); can't start or end with \"-\""
)


def tiers_of(cloud: Cloud, vpc: Vpc) -> list[Network]:
    """The guest networks of a VPC."""
    return cloud.store.table(Network).where(vpc=vpc)


@family.view(Vpc)
def vpc_view(vpc: Vpc, call: Call) -> dict[str, Any]:
    offering, zone, root = vpc.offering, vpc.zone, call.is_root_admin
    show_network = call.cloud.registry.view_of(Network)
    shown = {
        "id": vpc.id,
        "name": vpc.name,
        "displaytext": vpc.display_text,
        "state": vpc.state,
        "zoneid": zone.id,
        "zonename": zone.name,
        "service": service_fields(offering.service_providers),
        "cidr": vpc.cidr,
        "vpcofferingid": offering.id,
        "vpcofferingname": offering.name,
        "vpcofferingconservemode": offering.conserve_mode,
        "created": when(vpc.created),
        **owner_fields(vpc.account),
        "network": [
            {name: value for name, value in show_network(network, call).items() if value is not None}
            for network in tiers_of(call.cloud, vpc)
        ],
        "restartrequired": vpc.restart_required,
        "networkdomain": vpc.network_domain,
        "tags": tag_fields(vpc),
        "distributedvpcrouter": offering.distributed_router,
        "regionlevelvpc": offering.region_level,
        "redundantvpcrouter": vpc.redundant,
        "publicmtu": vpc.public_mtu,
        "dns1": vpc.dns1,
        "dns2": vpc.dns2,
        "ip6dns1": vpc.ip6_dns1,
        "ip6dns2": vpc.ip6_dns2,
        "hasannotations": has_annotations(vpc, call),
    }
    if root:
        shown |= {"fordisplay": vpc.display, "keepmacaddressonpublicnic": vpc.keep_mac}
    if offering.internet_protocol != "IPv4":
        shown["ip6routes"] = [
            {"subnet": network.ip6_cidr, "gateway": network.ip6_gateway}
            for network in tiers_of(call.cloud, vpc)
            if network.ip6_cidr
        ]
    return shown


# createVPC


@family.command("createVPC")
def create_vpc(call: Call) -> Generator[Resource, None, Answer]:
    cloud, vpc = call.cloud, planned(call)
    cloud.limits.check(vpc.account, "vpc")
    if "cidr" not in call:
        vpc.cidr = allocated_cidr(call, vpc)
    check_cidr(cloud, vpc.cidr)
    if vpc.offering.network_mode == "ROUTED":
        ipv4_subnets.reserve(cloud, vpc.account, vpc.zone, vpc.cidr)
    check_providers(cloud, vpc)
    cloud.store.add(vpc)
    if call.get("sourcenatipaddress"):
        try:
            acquire_source_nat(cloud, vpc, call["sourcenatipaddress"])
        except ApiError:
            remove(cloud, vpc)
            raise InternalError("new source NAT address cannot be acquired") from None
    try:
        routed_networks.equip(cloud, vpc, call.many(BgpPeer, "bgppeerids"))
        yield vpc
    except ApiError:
        remove(cloud, vpc)
        raise
    if call.flag("start", True):
        try:
            start(cloud, vpc)
        except ApiError:
            remove(cloud, vpc)
            raise InternalError("Failed to create VPC", cs_code=9999) from None
    return vpc


def planned(call: Call) -> Vpc:
    """The VPC that a request describes, with the checks of its parameters."""
    owner, cloud = owner_of_new(call), call.cloud
    zone = call.one(Zone, "zoneid", missing="Can't find zone by id specified")
    offering = call.params["vpcofferingid"]
    if not isinstance(offering, VpcOffering) or offering not in cloud.store:
        raise InvalidParameterValue(NO_OFFERING, named={"vpcOfferingId": str(getattr(offering, "number", offering))})
    if not usable_by(owner, offering) or not in_zone(offering, zone):
        raise PermissionDenied(
            f"There's no way to confirm {describe(owner)} has access to {describe_offering(offering)}"
        )
    if offering.state != "Enabled":
        raise InvalidParameterValue(NO_OFFERING, named={"vpcOfferingId": offering.id})
    if offering.network_mode == "ROUTED" and not cloud.configuration.flag("routed.network.vpc.enabled", zone):
        raise InvalidParameterValue("Routed VPC is not enabled in this zone")
    if offering.routing_mode == "Dynamic" and offering.specify_as_number and "asnumber" not in call:
        raise InvalidParameterValue("AS number is required for the VPC but not passed.")
    check_cidr_size(call, owner, offering)
    if call.params.get("bgppeerids") and offering.routing_mode != "Dynamic":
        raise InvalidParameterValue("The VPC offering does not support Dynamic routing")
    routed_networks.asked_peers(call, owner, zone)
    network_domain = call.get("networkdomain")
    if offering.region_level and network_domain is None:
        raise InvalidParameterValue("Network domain must be specified for region level VPC")
    if zone.allocation_state == "Disabled" and not call.is_root_admin:
        raise PermissionDenied(
            "Cannot perform this operation since specified Zone is currently disabled", named={"zoneId": zone.id}
        )
    if network_domain is None:
        network_domain = guest_networks.inherited_network_domain(cloud, owner, None, zone)
    check_dns(call, offering)
    if not is_domain_name(network_domain):
        raise InvalidParameterValue(DOMAIN_NAME_RULE)
    return Vpc(
        account=owner,
        name=call["name"],
        display_text=call.get("displaytext") or call["name"],
        zone=zone,
        offering=offering,
        cidr=call.get("cidr", ""),
        network_domain=network_domain,
        dns1=call.get("dns1"),
        dns2=call.get("dns2"),
        ip6_dns1=call.get("ip6dns1"),
        ip6_dns2=call.get("ip6dns2"),
        public_mtu=bounded_mtu(cloud, zone, call.get("publicmtu", 1500)),
        redundant=offering.redundant_router,
        keep_mac=call.flag("keepmacaddressonpublicnic", True),
        use_router_ip_resolver=call.flag("userouteripresolver"),
    )


def check_cidr_size(call: Call, owner: Account, offering: VpcOffering) -> None:
    """Raise where CIDR and CIDR size are not what the offering needs (validateVpcCidrSize)."""
    cidr, size, settings = call.get("cidr"), call.get("cidrsize"), call.cloud.configuration
    if cidr is None and size is None:
        raise InvalidParameterValue("VPC cidr or cidr size must be specified")
    if cidr is not None and size is not None:
        raise InvalidParameterValue("VPC cidr and cidr size are mutually exclusive")
    if offering.network_mode != "ROUTED":
        if size is not None:
            raise InvalidParameterValue("VPC cidr size is only applicable on VPC with Routed mode")
        return
    if size is None:
        if not call.is_root_admin:
            raise InvalidParameterValue("Only root admin can set the gateway/netmask of VPC with ROUTED mode")
        return
    biggest = int(settings.number("routed.ipv4.vpc.max.cidr.size", owner, default=28))
    smallest = int(settings.number("routed.ipv4.vpc.min.cidr.size", owner, default=22))
    if size > biggest:
        raise InvalidParameterValue(f"VPC cidr size cannot be bigger than maximum cidr size {biggest}")
    if size < smallest:
        raise InvalidParameterValue(f"VPC cidr size cannot be smaller than minimum cidr size {smallest}")


def allocated_cidr(call: Call, vpc: Vpc) -> str:
    """A network of the zone for a VPC that only says how large one it needs."""
    found = ipv4_subnets.take(call.cloud, vpc.account, vpc.zone, call["cidrsize"])
    if found is None:
        raise InternalError("Failed to allocate a CIDR with requested size for VPC.")
    return found


def check_dns(call: Call, offering: VpcOffering) -> None:
    """Raise InvalidParameterValue where a VPC cannot have the DNS servers that are asked for (checkVpcDns)."""
    given = [name for name in ("dns1", "dns2", "ip6dns1", "ip6dns2") if call.get(name)]
    if given and "Dns" not in offering.service_providers:
        raise InvalidParameterValue("DNS can not be specified for VPCs with offering that do not support DNS service")
    if any(name.startswith("ip6") for name in given) and offering.internet_protocol == "IPv4":
        raise InvalidParameterValue("IPv6 DNS can be specified for IPv6 enabled VPC")
    for first, second, version in (("dns1", "dns2", "IPv4"), ("ip6dns1", "ip6dns2", "IPv6")):
        if call.get(second) and not call.get(first):
            raise InvalidParameterValue(f"Second {version} DNS can be specified only with the first {version} DNS")
    for name in ("dns1", "dns2"):
        if call.get(name) and not ipv4.is_address(call[name]):
            raise InvalidParameterValue(f"Invalid IPv4 for {name.upper()}")


def check_cidr(cloud: Cloud, cidr: str) -> None:
    if not ipv4.is_cidr(cidr):
        raise InvalidParameterValue(f"Invalid CIDR specified {cidr}")
    if not is_private(cidr) and not cloud.configuration.flag("allow.non.rfc1918.compliant.ips"):
        raise InvalidParameterValue(f"Guest Cidr {cidr} is not RFC1918 compliant")


def check_providers(cloud: Cloud, vpc: Vpc) -> None:
    """Raise InvalidParameterValue where a provider of the offering is not enabled in the zone."""
    enabled = {
        provider.name
        for provider in cloud.store.table(ServiceProvider)
        if provider.physical_network.zone is vpc.zone and provider.state == "Enabled"
    }
    for names in vpc.offering.service_providers.values():
        for name in names:
            if name not in enabled:
                raise InvalidParameterValue(
                    f"Provider {name} should be enabled in at least one physical network of the zone specified"
                )


def bounded_mtu(cloud: Cloud, zone: Zone, wanted: int) -> int:
    """The MTU of public interfaces that is wanted, as far as the zone allows it."""
    return max(
        MINIMUM_MTU, min(wanted, int(cloud.configuration.number("vr.public.interface.max.mtu", zone, default=1500)))
    )


# Life


def needs_source_nat(offering: VpcOffering) -> bool:
    """True where a VPC's guests appear outside with its router's address."""
    return ROUTER in offering.service_providers.get("SourceNat", ())


def source_nat_of(cloud: Cloud, vpc: Vpc) -> PublicIp | None:
    """The address that a VPC's guests appear as outside."""
    return cloud.store.table(PublicIp).first(vpc=vpc, source_nat=True)


def acquire_source_nat(cloud: Cloud, vpc: Vpc, requested: str | None = None) -> PublicIp:
    """A new source NAT address for a VPC, or the one that is asked for."""
    return public_ips.acquire(
        cloud, vpc.account, vpc.zone, vpc=vpc, source_nat=needs_source_nat(vpc.offering), requested=requested
    )


def ensure_source_nat(cloud: Cloud, vpc: Vpc) -> PublicIp | None:
    """The source NAT address of a VPC with that service; a new one where it has none yet."""
    if not needs_source_nat(vpc.offering):
        return None
    return source_nat_of(cloud, vpc) or acquire_source_nat(cloud, vpc)


def start(cloud: Cloud, vpc: Vpc) -> None:
    """Have a VPC's routers run. Raises InsufficientCapacity where hosts or addresses have run out."""
    if any(ROUTER in names for names in vpc.offering.service_providers.values()):
        routers.deploy_for_vpc(cloud, vpc, ensure_source_nat(cloud, vpc))


def remove(cloud: Cloud, vpc: Vpc) -> None:
    """Remove a VPC without tiers, with everything that belongs to it (cleanupVpcResources)."""
    from cs_matrix_pytest.simulator.families import network_acls, private_gateways, static_routes, vpn

    vpc.state = "Inactive"
    routers.destroy_all(cloud, routers.routers_of_vpc(cloud, vpc))
    vpn.remove_of_vpc(cloud, vpc)
    for ip in cloud.store.table(PublicIp).where(vpc=vpc):
        if ip.is_portable:
            ip.vpc = ip.network = None
        else:
            public_ips.release(cloud, ip)
    static_routes.remove_of_vpc(cloud, vpc)
    private_gateways.remove_of_vpc(cloud, vpc)
    network_acls.remove_of_vpc(cloud, vpc)
    routed_networks.release(cloud, vpc)
    cloud.store.remove(vpc)


@family.command("deleteVPC")
def delete_vpc(call: Call) -> Answer:
    vpc = call.params.get("id")
    if not isinstance(vpc, Vpc) or vpc not in call.cloud.store:
        raise InvalidParameterValue(f"unable to find VPC id={getattr(vpc, 'number', vpc)}")
    check_access(call.cloud, call.account, vpc)
    used = len(tiers_of(call.cloud, vpc))
    if used:
        raise InvalidParameterValue(f"Can't delete VPC {describe_vpc(vpc)} as its used by {used} networks")
    remove(call.cloud, vpc)
    return Success()


UPDATABLE = {
    "name": "name",
    "displaytext": "display_text",
    "fordisplay": "display",
    "keepmacaddressonpublicnic": "keep_mac",
}


@family.command("updateVPC")
def update_vpc(call: Call) -> Answer:
    vpc, cloud = call.one(Vpc, missing="Unable to find vpc by id {}"), call.cloud
    check_access(cloud, call.account, vpc)
    changed = "customid" in call
    for parameter, attribute in UPDATABLE.items():
        if parameter in call:
            setattr(vpc, attribute, call[parameter])
            changed = True
    if "publicmtu" in call and not cloud.configuration.flag("allow.end.users.to.specify.vr.mtu", vpc.zone):
        changed |= set_mtu(cloud, vpc, bounded_mtu(cloud, vpc.zone, call["publicmtu"]))
    public_ips.rename(call, vpc)
    if make_source_nat(cloud, vpc, call.get("sourcenatipaddress")):
        restart(cloud, vpc, cleanup=True)
        changed = True
    if not changed:
        raise InternalError("Failed to update VPC", cs_code=9999)
    return vpc


def set_mtu(cloud: Cloud, vpc: Vpc, mtu: int) -> bool:
    """Give the public interfaces of a VPC with addresses another MTU; False where that changes nothing.

    Raises InternalError where no router runs that could be told."""
    if mtu == vpc.public_mtu or cloud.store.table(PublicIp).first(vpc=vpc) is None:
        return False
    if not any(router.state == "Running" for router in routers.routers_of_vpc(cloud, vpc)):
        raise InternalError("Failed to update MTU on the network")
    vpc.public_mtu = mtu
    for network in tiers_of(cloud, vpc):
        network.public_mtu = mtu
    return True


def make_source_nat(cloud: Cloud, vpc: Vpc, wanted: str | None) -> bool:
    """Let another of a VPC's addresses be its source NAT; False where that cannot be or changes nothing."""
    ip = cloud.store.table(PublicIp).first(vpc=vpc, address=wanted) if wanted else None
    if ip is None or ip.source_nat or public_ips.rules_of(cloud, ip):
        return False
    old = source_nat_of(cloud, vpc)
    if old is not None:
        old.source_nat = False
        ip.source_nat = True
    return True


@family.command("restartVPC")
def restart_vpc(call: Call) -> Answer:
    vpc, cloud = call.params.get("id"), call.cloud
    if not isinstance(vpc, Vpc) or vpc not in cloud.store or vpc.state != "Enabled":
        raise InvalidParameterValue("Unable to find Enabled VPC by id specified")
    check_access(cloud, call.account, vpc)
    cleanup = call.flag("cleanup")
    if call.flag("makeredundant") and not vpc.redundant:
        offering = cloud.store.table(VpcOffering).first(name=REDUNDANT_OFFERING)
        vpc.redundant, vpc.offering, cleanup = True, offering or vpc.offering, True
    try:
        restart(cloud, vpc, cleanup=cleanup)
    except ApiError:
        vpc.restart_required = True
        raise InternalError("Failed to restart VPC", cs_code=9999) from None
    return Success()


def restart(cloud: Cloud, vpc: Vpc, *, cleanup: bool) -> None:
    """Start a VPC's routers, or make them anew where ``cleanup`` is asked for."""
    if cleanup:
        routers.destroy_all(cloud, routers.routers_of_vpc(cloud, vpc))
    start(cloud, vpc)
    for network in tiers_of(cloud, vpc):
        network.restart_required = False
    vpc.restart_required = False


def supports_all(vpc: Vpc, names: list[str]) -> bool:
    for name in names:
        if service_named(name) is None:
            raise InvalidParameterValue(f"Invalid service specified {name}")
    return all(service_named(name) in vpc.offering.service_providers for name in names)


family.listing(
    "listVPCs",
    Vpc,
    scope=Scope.OWNER,
    newest_first=True,
    keyword=("name", "display_text"),
    filters={
        "name": lambda vpc, name, call: name.lower() in vpc.name.lower(),
        "displaytext": lambda vpc, text, call: text.lower() in vpc.display_text.lower(),
        "vpcofferingid": lambda vpc, offering, call: vpc.offering is offering,
        "supportedservices": lambda vpc, names, call: supports_all(vpc, names),
    },
)


# Tiers


def tier_name(cloud: Cloud, vpc: Vpc, name: str) -> str:
    """The name of a new tier, which a setting puts its VPC's name before."""
    settings = cloud.configuration
    if not settings.flag("vpc.tier.name.prepend"):
        return name
    return f"{vpc.name}{settings.text('vpc.tier.name.prepend.delimiter', default=' ')}{name}"


def check_tier(
    call: Call,
    acl: AclList | None,
    offering: NetworkOffering,
    zone: Zone,
    owner: Account,
    cidr: str | None,
    gateway: str | None,
) -> Vpc:
    """The VPC that a network is asked for in. Raises where it cannot be a tier (commitNetwork, createVpcGuestNetwork)."""
    vpc = call.params["vpcid"]
    if not offering.for_vpc:
        raise InvalidParameterValue("Network offering can't be used for VPC networks")
    if acl is not None and acl.vpc not in (None, vpc):
        raise InvalidParameterValue(
            f"ACL [{describe_acl(acl)}] does not belong to the VPC [{acl.vpc.number if acl.vpc else 0}]."
        )
    if not isinstance(vpc, Vpc) or vpc not in call.cloud.store or vpc.state != "Enabled":
        raise InvalidParameterValue("Unable to find Enabled VPC ", named={"VPC": str(getattr(vpc, "number", vpc))})
    check_access(call.cloud, call.account, vpc)
    if not vpc.offering.region_level and vpc.zone is not zone:
        raise InvalidParameterValue("New network doesn't belong to vpc zone")
    check_tier_addresses(call, vpc, owner, cidr, gateway)
    check_tier_offering(call.cloud, vpc, offering, None)
    if acl is not None and "NetworkACL" not in offering.service_providers:
        raise InvalidParameterValue("Cannot apply NetworkACL. Network Offering does not support NetworkACL service")
    return vpc


def check_tier_addresses(call: Call, vpc: Vpc, owner: Account, cidr: str | None, gateway: str | None) -> None:
    """Raise where a tier's addresses or name do not go with its VPC (validateNewVpcGuestNetwork)."""
    cloud, tiers, shown = call.cloud, tiers_of(call.cloud, vpc), describe_vpc(vpc)
    most = int(cloud.configuration.number("vpc.max.networks", default=3))
    if len(tiers) >= most:
        raise InternalError(f"Number of networks per VPC cannot surpass [{most}].")
    if cidr is None:
        raise InvalidParameterValue("Gateway/netmask are required when create network for VPC")
    if not is_inside(cidr, vpc.cidr):
        raise InvalidParameterValue(f"Network cidr {cidr} is not within vpc {shown} cidr")
    for tier in tiers:
        if tier.cidr and ipv4.cidrs_overlap(cidr, tier.cidr):
            from cs_matrix_pytest.simulator.families.nics import describe as describe_network

            raise InvalidParameterValue(
                f"Network cidr {cidr} crosses other network cidr {describe_network(tier)} belonging to the same vpc {shown}"
            )
    try:
        check_access(cloud, vpc.account, owner)
    except PermissionDenied:
        raise InvalidParameterValue(f"VPC owner does not have access to account [{owner.name}].") from None
    network_domain = call.get("networkdomain") or vpc.network_domain or ""
    if network_domain.lower() != (vpc.network_domain or "").lower():
        raise InvalidParameterValue(f"Network domain of the new network should match network domain of vpc {shown}")
    if cidr.partition("/")[0] == gateway:
        raise InvalidParameterValue("Invalid gateway specified. It should never be equal to the cidr subnet value")


def check_tier_offering(cloud: Cloud, vpc: Vpc, offering: NetworkOffering, changing: Network | None) -> None:
    """Raise where an offering cannot be a tier's of this VPC; ``changing``: the tier that is to have it."""
    providers = {name for names in offering.service_providers.values() for name in names}
    for provider in sorted(providers - TIER_PROVIDERS):
        raise InvalidParameterValue(
            f"Provider of type {provider} is not supported for network offerings that can be used in VPC"
        )
    if offering.guest_type != "Isolated" or not {"SourceNat", "Gateway"} & offering.service_providers.keys():
        raise InvalidParameterValue("Only network offerings of type Isolated with service SourceNat are valid for vpc ")
    for service, names in offering.service_providers.items():
        for provider in names:
            if provider not in vpc.offering.service_providers.get(service, ()):
                raise InvalidParameterValue(
                    f"Service/provider combination {service}/{provider} is not supported by VPC {describe_vpc(vpc)}"
                )
    if not balances_publicly(offering):
        return
    for tier in tiers_of(cloud, vpc):
        if tier is not changing and tier.offering is not offering and balances_publicly(tier.offering):
            from cs_matrix_pytest.simulator.families.nics import describe as describe_network

            raise InvalidParameterValue(
                f"Public LB service is already supported by network {describe_network(tier)} in VPC {describe_vpc(vpc)}"
            )


def balances_publicly(offering: NetworkOffering) -> bool:
    """True for a tier with public load balancing, of which a VPC has one kind at most."""
    return "Lb" in offering.service_providers and not offering.internal_lb


def describe_acl(acl: AclList) -> str:
    """A network ACL list as error texts name it."""
    vpc = acl.vpc.number if acl.vpc else 0
    return f"NetworkACLVO {fields_text(id=acl.number, uuid=acl.id, name=acl.name, vpcId=vpc)}"


@family.on_account_removal
def remove_vpcs(cloud: Cloud, account: Account) -> None:
    """Remove an account's VPCs; its networks, and so their tiers, are gone already."""
    for vpc in cloud.store.table(Vpc).where(account=account):
        for network in tiers_of(cloud, vpc):
            guest_networks.destroy(cloud, network)
        remove(cloud, vpc)
