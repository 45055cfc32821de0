"""createNetwork: every check of NetworkServiceImpl.createGuestNetwork and NetworkOrchestrator.createGuestNetwork."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cs_matrix_pytest.simulator import ipv4, vlans
from cs_matrix_pytest.simulator.access import ADMINS, check_access, check_domain, describe, owner_of_new
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, InvalidParameterValue, PermissionDenied
from cs_matrix_pytest.simulator.families import bgp_peers, guest_networks, ipv6_prefixes, routed_networks
from cs_matrix_pytest.simulator.families.addresses import (
    bounds,
    first_host,
    is_domain_name,
    is_private,
    prefix_of,
)
from cs_matrix_pytest.simulator.families.network_capabilities import of_offering
from cs_matrix_pytest.simulator.families.public_ips import acquire, describe_zone
from cs_matrix_pytest.simulator.models.iam import Account, Domain
from cs_matrix_pytest.simulator.models.infra import GuestVlanRange, IpRange, PhysicalNetwork, Zone
from cs_matrix_pytest.simulator.models.networks import AclList, Network, Vpc
from cs_matrix_pytest.simulator.models.offerings import NetworkOffering
from cs_matrix_pytest.simulator.models.routing import BgpPeer
from cs_matrix_pytest.simulator.registry import Answer

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

PVLAN_TYPES = {"promiscuous": "Promiscuous", "isolated": "Isolated", "community": "Community"}
PVLAN_LETTERS = {"p": "Promiscuous", "i": "Isolated", "c": "Community"}
DOMAIN_NAME_RULE = (
    "Invalid network domain. Total length shouldn't exceed 190 chars. Each domain label must be between 1 and 63 "
    "characters long, can contain ASCII letters 'a' through 'z', the digits '0' through '9', "
    "and the hyphen ('-'); can't start or end with \"-\""
)


@dataclass
class Plan:
    """A network that is being asked for, as far as it is decided."""

    offering: NetworkOffering
    zone: Zone
    physical: PhysicalNetwork
    owner: Account
    acl_type: str
    domain: Domain | None
    gateway: str | None
    netmask: str | None
    start: str | None
    end: str | None
    cidr: str | None
    ip6: bool
    vlan: str | None
    pvlan: str | None
    pvlan_type: str | None
    associated: Network | None = None

    @property
    def shared(self) -> bool:
        return self.offering.guest_type == "Shared"

    @property
    def has_range(self) -> bool:
        """True where its addresses come from a range of its own."""
        isolated = self.offering.guest_type == "Isolated" and "SourceNat" not in self.offering.service_providers
        ranged = bool(self.start and self.end) and not self.zone.is_basic and (self.shared or isolated)
        return ranged or (self.ip6 and self.offering.guest_type != "Isolated")


def create(call: Call) -> Answer:
    """createNetwork."""
    plan = planned(call)
    check_offering_rules(call, plan)
    check_vlan_rights(call, plan)
    if plan.has_range and not plan.offering.specify_ip_ranges:
        raise InvalidParameterValue("Network offering with specified id doesn't support adding multiple IP ranges")
    if plan.shared and not plan.offering.specify_ip_ranges:
        raise InternalError("The 'specifyipranges' parameter should be true for Shared Networks")
    if plan.shared and plan.gateway and plan.start is None:
        raise InternalError("IPv4 address range needs to be provided")
    if "associatednetworkid" in call:
        plan.associated = associated_network(call, plan)
    check_dns(call, plan.offering)
    vlan = plan.vlan
    if plan.has_range and vlan is None and plan.shared and not plan.offering.specify_vlan:
        vlan = shared_vlan(call, plan)
    if "vpcid" in call:
        from cs_matrix_pytest.simulator.families import vpcs

        acl = named_acl(call) if plan.offering.for_vpc else None
        vpc = vpcs.check_tier(call, acl, plan.offering, plan.zone, plan.owner, plan.cidr, plan.gateway)
        return commit(call, plan, vlan, vpc, acl)
    if plan.offering.for_vpc:
        raise InvalidParameterValue("Network offering can be used for VPC networks only")
    if plan.offering.internal_lb:
        raise InvalidParameterValue("Internal Lb can be enabled on vpc networks only")
    return commit(call, plan, vlan)


def named_acl(call: Call) -> AclList | None:
    """The network ACL list of a new tier."""
    acl = call.params.get("aclid")
    if acl is not None and (not isinstance(acl, AclList) or acl not in call.cloud.store):
        raise InvalidParameterValue("Unable to find specified NetworkACL")
    return acl


def planned(call: Call) -> Plan:
    """Read the request, with the checks that come before anything is compared."""
    offering = call.maybe(NetworkOffering, "networkofferingid")
    if offering is None or offering.is_system:
        raise InvalidParameterValue("Unable to find network offering by specified id")
    zone = call.one(Zone, "zoneid")
    owner = owner_of_new(call) if ("account" in call and "domainid" in call) or "projectid" in call else call.account
    physical = physical_network_of(call, offering, zone)
    if "keepmacaddressonpublicnic" in call:
        check_keep_mac(offering)
    check_offering_access(owner, offering, zone)
    if zone.allocation_state == "Disabled" and not call.is_root_admin:
        raise PermissionDenied("Cannot perform this operation since specified Zone is currently disabled")
    acl_type = acl_type_of(call, offering)
    router_ip = (call.get("routerip") or call.get("routeripv6")) if call.is_root_admin else None
    if router_ip and offering.guest_type != "Shared":
        raise InvalidParameterValue("Router IP can be specified only for Shared networks")
    if router_ip and not any("VirtualRouter" in names for names in offering.service_providers.values()):
        raise InvalidParameterValue(
            "Virtual Router is not a supported provider for the Shared network, hence router IP should not be provided"
        )
    domain = domain_of(call, offering, acl_type)
    if domain is not None:
        owner = call.cloud.system_account
    settings = call.cloud.configuration
    unique = not settings.flag("allow.duplicate.networkname", owner, default=True)
    if unique and call.cloud.store.table(Network).first(account=owner, name=call["name"]):
        raise InvalidParameterValue(f"Another network with same name already exists within account: {owner.name}")
    gateway, netmask, start = call.get("gateway"), call.get("netmask"), call.get("startip")
    end = call.get("endip", start)
    ip6 = bool(call.get("ip6cidr") and call.get("ip6gateway"))
    if gateway is not None and not ipv4.is_address(gateway):
        ip6 = ip6 or ":" in gateway
        if ":" not in gateway:
            raise InvalidParameterValue("Gateway parameter is invalid")
    ranged = bool(start or end or call.get("startipv6"))
    must_be_ranged = not settings.flag("allow.empty.start.end.ipaddress", owner, default=True)
    if offering.guest_type == "Shared" and not ranged and must_be_ranged:
        raise InvalidParameterValue("Either IPv4 or IPv6 start and end address are mandatory")
    cidr = cidr_of(gateway, netmask, start, end)
    if ip6:
        check_ip6(call, offering, zone, gateway is not None)
    check_cidr_size(call, offering)
    vlan = call.get("vlan") if call.is_root_admin else None
    pvlan, pvlan_type = private_vlan(call, zone, offering, vlan)
    return Plan(
        offering=offering,
        zone=zone,
        physical=physical,
        owner=owner,
        acl_type=acl_type,
        domain=domain,
        gateway=gateway,
        netmask=netmask,
        start=start,
        end=end,
        cidr=cidr,
        ip6=ip6,
        vlan=vlan,
        pvlan=pvlan,
        pvlan_type=pvlan_type,
    )


def physical_network_of(call: Call, offering: NetworkOffering, zone: Zone) -> PhysicalNetwork:
    """The physical network that a new network lies on (CreateNetworkCmd.getPhysicalNetworkId)."""
    physical, associated = call.maybe(PhysicalNetwork, "physicalnetworkid"), call.maybe(Network, "associatednetworkid")
    shared = offering.guest_type == "Shared"
    if associated is not None:
        if not shared:
            raise InvalidParameterValue(
                "Associated network ID can be specified for networks of guest IP type Shared only."
            )
        if associated.zone is not zone:
            raise InvalidParameterValue("The network can only be created in the same zone as the associated network")
        if physical is not None and physical is not associated.physical_network:
            raise InvalidParameterValue(
                "The network can only be created on the same physical network as the associated network"
            )
        physical = associated.physical_network
    if physical is None:
        return guest_networks.physical_network_for(call.cloud, zone, offering)
    if not shared and offering.guest_type != "L2":
        raise InvalidParameterValue(
            "Physical network ID can be specified for networks of guest IP type Shared or L2 only."
        )
    return physical


def check_keep_mac(offering: NetworkOffering) -> None:
    if offering.for_vpc:
        raise InvalidParameterValue(
            "The [keepmacaddressonpublicnic] parameter cannot be specified on the creation of VPC tiers."
        )
    if offering.guest_type != "Isolated":
        raise InvalidParameterValue(
            "The [keepmacaddressonpublicnic] parameter can only be specified on the creation of [Isolated] networks."
        )


def check_offering_access(owner: Account, offering: NetworkOffering, zone: Zone) -> None:
    """Raise PermissionDenied where an offering is not for an owner's domain or a zone (DomainChecker)."""
    for_domain = not offering.domains or any(domain.contains(owner.domain) for domain in offering.domains)
    for_zone = not offering.zones or zone in offering.zones
    if not (owner.is_root_admin or for_domain) or not for_zone:
        raise PermissionDenied(
            f"There's no way to confirm {describe(owner)} has access to {guest_networks.describe_offering(offering)}"
        )


def acl_type_of(call: Call, offering: NetworkOffering) -> str:
    """``Account`` or ``Domain``, as asked for or by the kind of network and caller."""
    wanted, guest_type = call.get("acltype"), offering.guest_type
    if wanted is not None:
        acl_type: str = wanted.capitalize()
        if acl_type not in ("Account", "Domain"):
            raise InvalidParameterValue("Incorrect aclType specified. Check the API documentation for supported types")
        if guest_type == "Isolated" and acl_type != "Account":
            raise InvalidParameterValue("AclType should be Account for network of type Isolated")
        return acl_type
    if guest_type != "Shared" or call.account.is_normal:
        return "Account"
    if call.is_root_admin:
        return "Domain"
    raise InvalidParameterValue("AclType must be specified for shared network created by domain admin")


def domain_of(call: Call, offering: NetworkOffering, acl_type: str) -> Domain | None:
    """The domain that a network is for, if it is for one; ROOT unless another is named."""
    if acl_type != "Domain":
        if "subdomainaccess" in call:
            raise InvalidParameterValue("Parameter subDomainAccess can be specified only with aclType=Domain")
        return None
    if call.account.type not in ADMINS:
        raise PermissionDenied("Only admin can create networks with aclType=Domain")
    if offering.guest_type != "Shared":
        raise InvalidParameterValue("Only Shared networks can have aclType=Domain")
    domain = call.maybe(Domain, "domainid")
    if domain is not None:
        check_domain(call.account, domain)
    root = call.cloud.system_account.domain
    return domain or root


def cidr_of(gateway: str | None, netmask: str | None, start: str | None, end: str | None) -> str | None:
    """The IPv4 network of a request. Raises InvalidParameterValue where its parts do not fit."""
    if gateway is None or not ipv4.is_address(gateway):
        return None
    if start is not None:
        if not ipv4.is_address(start):
            raise InvalidParameterValue("Invalid format for the startIp parameter")
        if not ipv4.is_address(end):
            raise InvalidParameterValue("Invalid format for the endIp parameter")
        if netmask is None:
            raise InvalidParameterValue("gateway and netmask should be defined when startIP/endIP are passed in")
    if netmask is None:
        return None
    if not ipv4.is_address(netmask) or not is_host(gateway, netmask):
        raise InvalidParameterValue("Invalid gateway IP provided. Either the IP is broadcast or network IP.")
    if not ipv4.is_netmask(netmask):
        raise InvalidParameterValue("Invalid netmask")
    return ipv4.cidr(gateway, netmask)


def is_host(gateway: str, netmask: str) -> bool:
    """True for an address that is neither first nor last of its network, which only counts the bits of a netmask."""
    network = ipv4.to_text(ipv4.to_int(gateway) & ipv4.to_int(netmask))
    first, last = bounds(f"{network}/{ipv4.prefix_length(netmask)}")
    return first < ipv4.to_int(gateway) < last


def check_ip6(call: Call, offering: NetworkOffering, zone: Zone, with_ip4: bool) -> None:
    if zone.is_basic or offering.guest_type != "Shared":
        raise InvalidParameterValue("Can only support create IPv6 network with advance shared network!")
    if not any((call.get("ip6dns1"), call.get("ip6dns2"), zone.ip6_dns1, zone.ip6_dns2)):
        raise InvalidParameterValue(
            "Can only create IPv6 network if the zone has IPv6 DNS! Please configure the zone IPv6 DNS1 and/or IPv6 DNS2."
        )
    if not with_ip4 and any("VirtualRouter" in names for names in offering.service_providers.values()):
        raise InvalidParameterValue("Currently IPv6-only Shared network with Virtual Router provider is not supported.")


def check_cidr_size(call: Call, offering: NetworkOffering) -> None:
    size = call.get("cidrsize")
    if size is None:
        return
    if offering.guest_type != "Isolated":
        raise InvalidParameterValue("network cidr size is only applicable on Isolated networks")
    if "gateway" in call and "netmask" in call:
        raise InvalidParameterValue("network cidr and cidr size are mutually exclusive")
    if offering.network_mode != "ROUTED":
        raise InvalidParameterValue(
            f"network cidr size is only applicable on Isolated networks with ROUTED mode: {size}"
        )


def private_vlan(call: Call, zone: Zone, offering: NetworkOffering, vlan: str | None) -> tuple[str | None, str | None]:
    """The secondary VLAN id and the type of a private VLAN."""
    pvlan, kind = call.get("isolatedpvlan"), call.get("isolatedpvlantype")
    if pvlan:
        if not call.is_root_admin:
            raise InvalidParameterValue("Only ROOT admin is allowed to create Private VLAN network")
        if zone.is_basic or offering.guest_type == "Isolated":
            raise InvalidParameterValue(
                "Can only support create Private VLAN network with advanced shared or L2 network!"
            )
    pvlan_type = None
    if kind:
        pvlan_type = PVLAN_TYPES.get(kind.lower()) or PVLAN_LETTERS.get(kind.lower())
        if pvlan_type is None:
            raise InvalidParameterValue(f"Unexpected Private VLAN type: {kind}")
    elif vlan and pvlan:
        pvlan_type = "Promiscuous" if vlan == pvlan else "Isolated"
    if not pvlan and pvlan_type == "Promiscuous":
        pvlan = vlan
    if pvlan and not pvlan.isdecimal():
        raise InternalError(f"The secondary VLAN ID: {pvlan} is not in numeric format")
    if (pvlan or pvlan_type) and not vlan:
        raise InvalidParameterValue("VLAN ID has to be set in order to configure a Private VLAN")
    if vlan and not pvlan and pvlan_type not in (None, "Promiscuous"):
        raise InvalidParameterValue("Private VLAN ID has not been set, therefore Promiscuous type is expected")
    if vlan and pvlan and vlan.lower() != pvlan.lower() and pvlan_type == "Promiscuous":
        raise InvalidParameterValue("Private VLAN type is set to Promiscuous, but VLAN ID and Secondary VLAN ID differ")
    if vlan and pvlan and vlan.lower() == pvlan.lower() and pvlan_type not in (None, "Promiscuous"):
        raise InvalidParameterValue(
            f"Private VLAN type is set to {pvlan_type}, but VLAN ID and Secondary VLAN ID are equal"
        )
    return pvlan, pvlan_type


def check_offering_rules(call: Call, plan: Plan) -> None:
    """What non-admins may create, and what a routed offering needs."""
    offering = plan.offering
    if offering.network_mode == "ROUTED":
        if not call.cloud.configuration.flag("routed.network.vpc.enabled", plan.zone):
            raise InvalidParameterValue("Routed network is not enabled in this zone")
        routed_networks.check_size(call, plan.owner, offering, plan.cidr)
    if call.params.get("bgppeerids"):
        if "vpcid" in call:
            raise InvalidParameterValue(bgp_peers.TIERS_INHERIT)
        if not bgp_peers.is_dynamic(offering):
            raise InvalidParameterValue("The network offering does not support Dynamic routing")
    if call.is_root_admin:
        return
    if offering.traffic_type != "Guest":
        raise InvalidParameterValue("This user can only create a Guest network")
    if plan.shared and offering.specify_vlan:
        raise InvalidParameterValue(
            "This user can only create an Isolated network, a L2 network or a Shared network with specifyVlan=false."
        )


def check_vlan_rights(call: Call, plan: Plan) -> None:
    """Who may say which VLAN, and how small a network a user may ask for."""
    root = call.is_root_admin
    if plan.shared and not plan.offering.specify_vlan and plan.vlan is not None:
        raise InvalidParameterValue(
            "Cannot specify vlanId when create a network from network offering with specifyvlan=false"
        )
    if not root and plan.offering.specify_vlan:
        raise InvalidParameterValue("Only ROOT admin is allowed to specify vlanId or bypass vlan overlap check")
    limit = int(call.cloud.configuration.number("network.guest.cidr.limit", default=22))
    if not root and plan.cidr is not None and prefix_of(plan.cidr) < limit:
        raise InvalidParameterValue(f"Cidr size can't be less than {limit}")


def associated_network(call: Call, plan: Plan) -> Network:
    """The network whose VLAN a shared network is to lie on, implemented."""
    network = call.one(Network, "associatednetworkid")
    if plan.vlan is not None:
        raise InvalidParameterValue("Associated network and vlanId are mutually exclusive")
    if not plan.shared or plan.offering.specify_vlan:
        raise InvalidParameterValue("Can only create Shared network with associated network if specifyVlan is false")
    domain = plan.domain if "domainid" in call else None
    use_associated(call, network, None if plan.domain else plan.owner, domain, plan.cidr, plan.start, plan.end)
    return network


def use_associated(
    call: Call,
    network: Network,
    owner: Account | None,
    domain: Domain | None,
    cidr: str | None,
    start: str | None,
    end: str | None,
) -> None:
    """Implement a network that another, of this owner or domain, is to lie on (implementAssociatedNetwork)."""
    cloud = call.cloud
    if network.guest_type not in ("Isolated", "L2"):
        raise InvalidParameterValue("Associated network MUST be an Isolated or L2 network")
    check_access(cloud, call.account, network)
    if owner is not None and network.account is not owner:
        raise InvalidParameterValue("The new network and associated network MUST be owned by same account")
    if domain is not None and network.account.domain is not domain:
        raise InvalidParameterValue("The new network and associated network MUST be in same domain")
    if cidr and network.cidr and start and end:
        first, last = map(ipv4.to_text, bounds(network.cidr))
        if ipv4.ranges_overlap(start, end, first, last):
            raise InvalidParameterValue(
                f"The IP range ({start}-{end}) overlaps with cidr of associated network: {network.name} ({network.cidr})"
            )
    check_associated_ranges(cloud, network, start, end)
    guest_networks.implement(cloud, network)


def check_associated_ranges(cloud: Cloud, associated: Network, start: str | None, end: str | None) -> None:
    """Raise InvalidParameterValue where a range overlaps with another shared network on the same VLAN."""
    if not (start and end):
        return
    for other in cloud.store.table(Network).where(associated_network=associated):
        for row in other.ip_ranges:
            if row.start_ip and row.end_ip and ipv4.ranges_overlap(start, end, row.start_ip, row.end_ip):
                raise InvalidParameterValue(
                    f"The startIp/endIp ({start} - {end}) overlaps with network {other.name} "
                    f"({row.start_ip} - {row.end_ip})"
                )


def check_dns(call: Call, offering: NetworkOffering) -> None:
    """Raise InvalidParameterValue where a network cannot have the DNS servers that are asked for."""
    given = [name for name in ("dns1", "dns2", "ip6dns1", "ip6dns2") if name in call]
    if not given:
        return
    if offering.guest_type == "L2":
        raise InvalidParameterValue("DNS can not be specified L2 networks")
    if "vpcid" in call:
        raise InvalidParameterValue("DNS can not be specified for a VPC tier")
    if "Dns" not in offering.service_providers:
        raise InvalidParameterValue(
            "DNS can not be specified for networks with network offering that do not support DNS service"
        )
    if (call.get("ip6dns1") or call.get("ip6dns2")) and offering.internet_protocol == "IPv4" and "ip6cidr" not in call:
        raise InvalidParameterValue("IPv6 DNS cannot be specified for IPv4 only network")
    for first, second, version in (("dns1", "dns2", "IPv4"), ("ip6dns1", "ip6dns2", "IPv6")):
        if call.get(second) and not call.get(first):
            raise InvalidParameterValue(f"Second {version} DNS can be specified only with the first {version} DNS")
    for name in ("dns1", "dns2"):
        if call.get(name) and not ipv4.is_address(call[name]):
            raise InvalidParameterValue(f"Invalid IPv4 for {name.upper()}")


def shared_vlan(call: Call, plan: Plan) -> str:
    """The VLAN of a shared network whose offering does not have it said: its associated network's, or a free one."""
    if plan.associated is not None:
        assert plan.associated.vlan is not None
        return plan.associated.vlan
    vlan = guest_networks.free_vlan(call.cloud, plan.physical, plan.owner)
    if vlan is None:
        raise InvalidParameterValue("Cannot allocate a vnet for this Shared network")
    return vlan


def commit(call: Call, plan: Plan, vlan: str | None, vpc: Vpc | None = None, acl: AclList | None = None) -> Network:
    """Check what NetworkOrchestrator checks, and make the network with its range."""
    cloud, offering, zone = call.cloud, plan.offering, plan.zone
    if offering.state != "Enabled":
        raise InvalidParameterValue("Can't use specified network offering id as its state is not Enabled")
    if plan.physical.state != "Enabled":
        raise InvalidParameterValue(f"Specified physical network id is in incorrect state:{plan.physical.state}")
    cloud.limits.check(plan.owner, "network")
    vlan = check_zone_rules(call, plan, vlan)
    check_vlan(call, plan, vlan)
    name, network_domain = call["name"], call.get("networkdomain")
    if vpc is not None:
        from cs_matrix_pytest.simulator.families import vpcs

        name, network_domain = vpcs.tier_name(cloud, vpc, name), network_domain or vpc.network_domain
    check_network_domain(plan, network_domain)
    peers = routed_networks.asked_peers(call, plan.owner, zone)
    if offering.network_mode == "ROUTED" and vpc is None:
        plan.cidr = routed_networks.cidr_for(call, plan.owner, zone, plan.cidr)
        plan.gateway = plan.gateway or first_host(plan.cidr)
    check_cidr(cloud, plan)
    network = guest_networks.add(
        cloud,
        plan.owner,
        zone,
        offering,
        plan.physical,
        name,
        call.get("displaytext") or name,
        domain=plan.domain,
        cidr=plan.cidr,
        gateway=plan.gateway if plan.cidr else None,
        network_domain=network_domain,
    )
    network.vlan, network.pvlan, network.pvlan_type = vlan, plan.pvlan, plan.pvlan_type
    network.subdomain_access = call.flag("subdomainaccess", True)
    network.display = call.flag("displaynetwork", True)
    network.external_id = call.get("externalid")
    network.dns1, network.dns2 = call.get("dns1"), call.get("dns2")
    network.ip6_dns1, network.ip6_dns2 = call.get("ip6dns1"), call.get("ip6dns2")
    network.ip6_gateway, network.ip6_cidr = call.get("ip6gateway"), call.get("ip6cidr")
    if offering.guest_type == "Isolated" and offering.internet_protocol != "IPv4":
        _take_ip6_subnet(cloud, network)
    network.keep_mac = call.flag("keepmacaddressonpublicnic", True)
    network.associated_network = plan.associated
    network.vpc, network.acl_list = vpc, acl
    set_mtu(call, network)
    add_details(call, network)
    if plan.has_range:
        add_range(cloud, plan, network)
    if call.get("sourcenatipaddress"):
        set_source_nat(call, network)
    _equip(cloud, network, peers)
    if offering.is_persistent:
        guest_networks.implement(cloud, network)
    return network


def _equip(cloud: Cloud, network: Network, peers: list[BgpPeer]) -> None:
    try:
        routed_networks.equip(cloud, network, peers)
    except ApiError:
        guest_networks.destroy(cloud, network)
        raise


def _take_ip6_subnet(cloud: Cloud, network: Network) -> None:
    """Give a new network its IPv6 subnet. The network is taken back where there is none."""
    try:
        ipv6_prefixes.take_subnet(cloud, network)
    except ApiError:
        cloud.store.remove(network)
        raise


def check_zone_rules(call: Call, plan: Plan, vlan: str | None) -> str | None:
    """What basic zones and zones with security groups allow; the VLAN of a basic zone is ``untagged``."""
    offering, zone, services = plan.offering, plan.zone, plan.offering.service_providers
    if zone.is_basic:
        if plan.acl_type != "Domain":
            raise InvalidParameterValue("Only AclType=Domain can be specified for network creation in Basic zone")
        if call.cloud.store.table(Network).first(zone=zone, traffic_type="Guest"):
            raise InvalidParameterValue("Can't have more than one Guest network in zone with network type Basic")
        if not plan.shared or "SourceNat" in services:
            raise InvalidParameterValue(
                "For zone of type Basic only offerings of guestType Shared with disabled SourceNat service are allowed"
            )
        if plan.domain is None or plan.domain.parent is not None:
            raise InvalidParameterValue("Guest network in Basic zone should be dedicated to ROOT domain")
        if not call.flag("subdomainaccess", True):
            raise InvalidParameterValue(
                "Subdomain access should be set to true for the guest network in the Basic zone"
            )
        if (vlan or "untagged").lower() != "untagged":
            raise InvalidParameterValue("Only vlan untagged can be created in the zone of type Basic")
        if plan.cidr is not None:
            raise InvalidParameterValue("StartIp/endIp/gateway/netmask can't be specified for zone of type Basic")
        return "untagged"
    if zone.security_groups_enabled:
        if plan.pvlan:
            raise InvalidParameterValue("Isolated Private VLAN is not supported with security group!")
        if offering.guest_type not in ("Shared", "L2"):
            raise InvalidParameterValue("Only shared or L2 guest network can be created in security group enabled zone")
        if "SourceNat" in services:
            raise InvalidParameterValue("Service SourceNat is not allowed in security group enabled zone")
    chosen = offering.capabilities
    if chosen.get("StaticNat", {}).get("ElasticIp") == "true" or chosen.get("Lb", {}).get("ElasticLb") == "true":
        raise InvalidParameterValue("Elastic IP and Elastic LB services are supported in zone of type Basic")
    return vlan


def check_vlan(call: Call, plan: Plan, vlan: str | None) -> None:
    """Raise InvalidParameterValue where a network cannot have this VLAN."""
    offering, zone, cloud = plan.offering, plan.zone, call.cloud
    chosen_by_us = plan.shared and not offering.specify_vlan
    if (vlan is not None) != offering.specify_vlan:
        if vlan is None:
            raise InvalidParameterValue("Vlan has to be specified; corresponding offering says specifyVlan=true")
        if not chosen_by_us:
            raise InvalidParameterValue("Can't specify vlan; corresponding offering says specifyVlan=false")
    if vlan is None:
        return
    bypass = chosen_by_us or (call.is_root_admin and call.flag("bypassvlanoverlapcheck"))
    guest_ranges = vlans.parse_ranges(plan.physical.vlan)
    if not (bypass and plan.shared):
        if vlans.contains(guest_ranges, vlan):
            raise InvalidParameterValue(
                f"The VLAN tag to use for new guest network, {vlan} is already being used for dynamic vlan allocation "
                f"for the guest network in zone {zone.name}"
            )
        if plan.pvlan and vlans.contains(guest_ranges, plan.pvlan):
            raise InvalidParameterValue(
                f"The VLAN tag for isolated PVLAN {plan.pvlan} is already being used for dynamic vlan allocation for "
                f"the guest network in zone {describe_zone(zone)}"
            )
    same_zone = cloud.store.table(Network).where(zone=zone)
    if not (bypass and offering.guest_type != "Isolated"):
        for tag in filter(None, (vlan, plan.pvlan)):
            if any(row.vlan == tag and not row.pvlan for row in same_zone):
                raise InvalidParameterValue(
                    f"Network with vlan {tag} already exists or overlaps with other network vlans in zone "
                    f"{describe_zone(zone)}"
                )
    if plan.pvlan is None and any(row.vlan == vlan and row.pvlan for row in same_zone) and not chosen_by_us:
        raise InvalidParameterValue(
            f"Network with vlan {vlan} already exists or overlaps with other network pvlans in zone {describe_zone(zone)}"
        )
    if plan.pvlan is not None:
        if vlan == "untagged":
            raise InvalidParameterValue("Cannot support pvlan with untagged primary vlan!")
        if any((row.vlan, row.pvlan) == (vlan, plan.pvlan) for row in same_zone):
            raise InvalidParameterValue(
                f"Network with primary vlan {vlan} and secondary vlan {plan.pvlan} type {plan.pvlan_type} already "
                f"exists or overlaps with other network pvlans in zone {describe_zone(zone)}"
            )
    for dedicated in cloud.store.table(GuestVlanRange).where(physical_network=plan.physical):
        if vlan.isdecimal() and dedicated.start <= int(vlan) <= dedicated.end and dedicated.account is not plan.owner:
            raise InvalidParameterValue(f"Vlan {vlan} is dedicated to a different account")


def check_network_domain(plan: Plan, network_domain: str | None) -> None:
    if network_domain is None or "Dns" not in plan.offering.service_providers:
        return
    if of_offering(plan.offering, "Dns").get("AllowDnsSuffixModification") != "true":
        raise InvalidParameterValue(
            f"Domain name change is not supported by network offering id={plan.offering.number} "
            f"in zone {describe_zone(plan.zone)}"
        )
    if not is_domain_name(network_domain):
        raise InvalidParameterValue(DOMAIN_NAME_RULE)


def check_cidr(cloud: Cloud, plan: Plan) -> None:
    """Raise InvalidParameterValue where a network needs a CIDR and has none, or has one that is not private."""
    offering, services = plan.offering, plan.offering.service_providers
    needs = not plan.zone.is_basic and (
        plan.shared or (offering.guest_type == "Isolated" and not {"SourceNat", "Gateway"} & services.keys())
    )
    if plan.cidr is None and not plan.ip6 and needs:
        if plan.shared:
            raise InvalidParameterValue("Gateway/netmask are required when creating Shared networks.")
        raise InvalidParameterValue(
            "gateway/netmask are required when create network of type Isolated with service SourceNat disabled"
        )
    anything = cloud.configuration.flag("allow.non.rfc1918.compliant.ips")
    if plan.cidr and offering.guest_type == "Isolated" and not is_private(plan.cidr) and not anything:
        raise InvalidParameterValue(f"Virtual Guest Cidr {plan.cidr} is not RFC 1918 or 6598 compliant")


def set_mtu(call: Call, network: Network) -> None:
    """The MTUs of a network's routers: what the zone has, unless users may say."""
    settings, zone = call.cloud.configuration, network.zone
    most_public = int(settings.number("vr.public.interface.max.mtu", zone, default=1500))
    most_private = int(settings.number("vr.private.interface.max.mtu", zone, default=1500))
    network.public_mtu, network.private_mtu = most_public, most_private
    if settings.flag("allow.end.users.to.specify.vr.mtu", zone):
        network.public_mtu = max(68, min(call.get("publicmtu", 1500), most_public))
        network.private_mtu = max(68, min(call.get("privatemtu", 1500), most_private))
    if network.vpc is not None and "publicmtu" in call:
        network.public_mtu = network.vpc.public_mtu


def add_details(call: Call, network: Network) -> None:
    """What a network's details show to the root admin."""
    if network.associated_network is not None:
        network.details["AssociatedNetworkId"] = str(network.associated_network.number)
    if network.pvlan_type:
        network.details["isolatedpvlantype"] = network.pvlan_type
    if call.is_root_admin:
        for name in ("routerip", "routeripv6"):
            if call.get(name):
                network.details[name] = call[name]
        if call.flag("hideipaddressusage"):
            network.details["hideIpAddressUsage"] = "true"


def add_range(cloud: Cloud, plan: Plan, network: Network) -> None:
    """Give a new network its address range. The network is taken back where the range cannot be."""
    from cs_matrix_pytest.simulator.families.ip_ranges import check_new_range

    row = IpRange(
        zone=plan.zone,
        physical_network=plan.physical,
        gateway=plan.gateway,
        netmask=plan.netmask,
        start_ip=plan.start,
        end_ip=plan.end,
        vlan=f"vlan://{network.vlan}",
        for_virtual_network=False,
        network=network,
        ip6_gateway=network.ip6_gateway,
        ip6_cidr=network.ip6_cidr,
    )
    try:
        if plan.start is not None:
            check_new_range(cloud, row)
    except InvalidParameterValue:
        cloud.store.remove(network)
        raise
    network.ip_ranges.append(cloud.store.add(row))


def set_source_nat(call: Call, network: Network) -> None:
    """Have a certain address be the source NAT of a new network."""
    wanted = call["sourcenatipaddress"]
    if not network.supports("SourceNat"):
        raise InvalidParameterValue(f"Provided source NAT IP {wanted} but the network does not support SourceNat")
    acquire(call.cloud, network.account, network.zone, network=network, source_nat=True, requested=wanted)
