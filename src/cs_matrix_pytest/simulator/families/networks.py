"""Guest networks: shown, listed, changed, restarted, deleted, and who may use them (NetworkServiceImpl)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator import ipv4
from cs_matrix_pytest.simulator.access import (
    ADMINS,
    active_account,
    check_access,
    check_domain,
    check_owner,
    describe,
    in_project,
)
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, InvalidParameterValue, PermissionDenied
from cs_matrix_pytest.simulator.families import guest_networks, nics, public_ips, routers
from cs_matrix_pytest.simulator.families.addresses import (
    bounds,
    is_domain_name,
    is_inside,
    is_private,
    netmask_of,
    within,
)
from cs_matrix_pytest.simulator.families.guest_networks import default_network_for as default_network_for
from cs_matrix_pytest.simulator.families.guest_networks import implement as implement
from cs_matrix_pytest.simulator.families.network_capabilities import of_offering, service_rows, supports_auto_scaling
from cs_matrix_pytest.simulator.families.network_creation import check_associated_ranges, check_dns, create
from cs_matrix_pytest.simulator.families.nics import allocate as allocate_nic
from cs_matrix_pytest.simulator.families.nics import describe as describe_network
from cs_matrix_pytest.simulator.families.nics import release as release_nic
from cs_matrix_pytest.simulator.listing import page, tag_filter
from cs_matrix_pytest.simulator.models.iam import Account, AccountType, Domain, Project
from cs_matrix_pytest.simulator.models.infra import SystemNetwork
from cs_matrix_pytest.simulator.models.networks import (
    FirewallRule,
    LoadBalancerRule,
    Network,
    PortForwardingRule,
    PublicIp,
    StaticNatRule,
)
from cs_matrix_pytest.simulator.models.offerings import NetworkOffering
from cs_matrix_pytest.simulator.models.vpc import PrivateGateway, RemoteAccessVpn
from cs_matrix_pytest.simulator.parameters import NO_ID
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.views import owner_fields, tag_fields, when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

__all__ = ["allocate_nic", "check_use", "default_network_for", "family", "implement", "release_nic"]

family = Family("networks")

MINIMUM_MTU = 68
family.command("createNetwork")(create)


@family.on_fresh_install
def start_garbage_collector(cloud: Cloud, fresh: Mapping[str, Any]) -> None:
    cloud.clock.call_later(guest_networks.GC_TICK, guest_networks.collect_garbage, cloud, cloud.clock.now())


# Who may use and operate a network


@family.access_check(Network)
def check_network(cloud: Cloud, account: Account, network: Network, access: str | None) -> None:
    """By owner, or for using and operating as DomainChecker hands it to NetworkModelImpl."""
    if access == "UseEntry":
        check_use(cloud, account, network)
    elif access == "OperateEntry":
        check_operate(account, network)
    else:
        check_owner(account, network.account)


def check_use(cloud: Cloud, account: Account, network: Network) -> None:
    """Raise PermissionDenied unless an account may have VMs in a network (checkNetworkPermissions)."""
    if account.is_root_admin and cloud.configuration.flag("admin.is.allowed.to.deploy.anywhere"):
        return
    if network.guest_type == "Shared" and network.acl_type == "Domain":
        if not available_in(network, account.domain):
            raise PermissionDenied(f"Shared network id={network.id} is not available in domain id={account.domain.id}")
        return
    owner = network.account
    if account.type != AccountType.PROJECT and owner.type == AccountType.PROJECT:
        # Not even an admin may where he is no member.
        allowed = owner.project is not None and any(member.account is account for member in owner.project.members)
    else:
        allowed = owner is account or account in network.permitted
    if not allowed:
        raise PermissionDenied(f"Unable to use network with id= {network.id}, permission denied")


def available_in(network: Network, domain: Domain) -> bool:
    """True where a domain-wide network is for this domain (isNetworkAvailableInDomain)."""
    if network.shared_domain is None or network.shared_domain is domain:
        return True
    return network.subdomain_access and network.shared_domain.contains(domain)


def check_operate(account: Account, network: Network) -> None:
    """Raise PermissionDenied unless an account may change a network (checkNetworkOperatePermissions)."""
    if account.is_root_admin:
        return
    shown, owner = describe_network(network), network.account
    who = describe(account)
    shared = network.guest_type == "Shared"
    if shared and network.offering.specify_vlan:
        raise PermissionDenied(f"Shared network {shown} with specifyvlan=true can only be operated by root admin")
    if account.type == AccountType.DOMAIN_ADMIN:
        domain = network.shared_domain or owner.domain
        if account.domain.contains(domain):
            return
        if not shared:
            raise PermissionDenied(f"network {shown} cannot be operated by domain admin {who}")
        whose = "another domain" if network.acl_type == "Domain" else "an account in another domain"
        raise PermissionDenied(f"Shared network {shown} belongs to {whose} cannot be operated by domain admin {who}")
    if not account.is_normal:
        raise PermissionDenied(f"network {shown} cannot be operated by this account {who}")
    if owner.type == AccountType.PROJECT:
        if not in_project(account, owner.project):
            raise PermissionDenied(f"Unable to use network with id= {network.id}, permission denied")
    elif owner is not account:
        kind = "Shared network" if shared else "network"
        raise PermissionDenied(f"{kind} {shown} cannot be operated by normal user {who}")


# How a network is shown


@family.view(Network)
def network_view(network: Network, call: Call) -> dict[str, Any]:
    offering, zone, root = network.offering, network.zone, call.is_root_admin
    isolated = network.guest_type == "Isolated"
    shown = {
        "id": network.id,
        "name": network.name,
        "displaytext": network.display_text,
        "broadcastdomaintype": broadcast_type(network),
        "traffictype": network.traffic_type,
        "gateway": network.gateway,
        "netmask": netmask_of(network.network_cidr or network.cidr) if network.cidr else network.netmask,
        "cidr": network.cidr,
        "networkcidr": network.network_cidr,
        "reservediprange": reserved_range(network),
        "zoneid": zone.id,
        "zonename": zone.name,
        "networkofferingid": offering.id,
        "networkofferingname": offering.name,
        "networkofferingdisplaytext": offering.display_text,
        "networkofferingconservemode": offering.conserve_mode,
        "networkofferingavailability": offering.availability,
        "issystem": offering.is_system,
        "state": network.state,
        "related": network.id,
        "dns1": network.dns1 or (network.vpc.dns1 if network.vpc else None) or zone.dns1,
        "dns2": network.dns2 if network.dns1 else zone.dns2,
        "ip6gateway": network.ip6_gateway,
        "ip6cidr": network.ip6_cidr,
        "ip6dns1": network.ip6_dns1,
        "ip6dns2": network.ip6_dns2,
        "type": network.guest_type,
        "acltype": network.acl_type,
        **ownership(network),
        "service": service_rows(offering),
        "networkdomain": network.network_domain,
        "physicalnetworkid": network.physical_network.id if network.physical_network else None,
        "restartrequired": network.restart_required,
        "specifyvlan": offering.specify_vlan,
        "specifyipranges": offering.specify_ip_ranges,
        "canusefordeploy": nics.has_room(call.cloud, network),
        "ispersistent": offering.is_persistent,
        "tags": tag_fields(network),
        "strechedl2subnet": offering.supports_strech_l2,
        "redundantrouter": network.redundant,
        "supportsvmautoscaling": supports_auto_scaling(offering),
        "created": when(network.created),
        "receivedbytes": 0,
        "sentbytes": 0,
        "egressdefaultpolicy": offering.egress_default_policy if isolated and network.vpc is None else None,
        "publicmtu": network.public_mtu,
        "privatemtu": network.private_mtu,
        "externalid": network.external_id,
        "vpcid": network.vpc.id if network.vpc else None,
        "vpcname": network.vpc.name if network.vpc else None,
        "aclid": network.acl_list.id if network.acl_list else None,
        "aclname": network.acl_list.name if network.acl_list else None,
        "associatednetworkid": network.associated_network.id if network.associated_network else None,
        "associatednetwork": network.associated_network.name if network.associated_network else None,
        "hasannotations": False,
    }
    if offering.internet_protocol != "IPv4":
        shown |= {
            "internetprotocol": offering.internet_protocol,
            "ip6routing": "Static",
            "ip6routes": routers.ip6_routes(call.cloud, network),
        }
    if root:
        shown |= {"details": dict(network.details), "displaynetwork": network.display}
        if isolated and network.vpc is None:
            shown["keepmacaddressonpublicnic"] = network.keep_mac
        if network.broadcast_uri:
            shown |= {"broadcasturi": network.broadcast_uri, "vlan": "N/A" if network.pvlan else network.vlan}
    return shown


def broadcast_type(network: Network) -> str:
    if network.pvlan:
        return "Pvlan"
    return "Native" if network.vlan == "untagged" else "Vlan"


def ownership(network: Network) -> dict[str, Any]:
    """Whose a network is: an account's, or a domain's."""
    domain = network.shared_domain
    if domain is None:
        return owner_fields(network.account)
    return {
        "domainid": domain.id,
        "domain": domain.name,
        "domainpath": domain.path,
        "subdomainaccess": network.subdomain_access,
    }


def reserved_range(network: Network) -> str | None:
    """The addresses of a network that are kept for machines CloudStack does not know."""
    if network.cidr is None or network.network_cidr is None:
        return None
    (inner_first, inner_last), (first, last) = bounds(network.cidr), bounds(network.network_cidr)
    parts = []
    if inner_first > first + 1:
        parts.append(f"{ipv4.to_text(first)}-{ipv4.to_text(inner_first - 1)}")
    if inner_last < last - 1:
        parts.append(f"{ipv4.to_text(inner_last + 1)}-{ipv4.to_text(last)}")
    return " ,  ".join(parts) or None


# listNetworks

NETWORK_FILTERS = ("account", "domain", "accountdomain", "shared", "all")


@family.command("listNetworks")
def list_networks(call: Call) -> Answer:
    wanted = call.get("networkfilter", "All").lower()
    if wanted not in NETWORK_FILTERS:
        raise InvalidParameterValue(f"Invalid value of networkfilter: {call['networkfilter']}")
    if call.flag("issystem") and call.is_root_admin:
        if "account" in call or "domainid" in call:
            raise InvalidParameterValue(
                "System network belongs to system, account and domainId parameters can't be specified"
            )
        return page(call, list(system_networks(call)))
    rows = [row for row in visible(call, wanted) if passes(call, row)]
    return page(call, rows[::-1])


def system_networks(call: Call) -> Iterable[SystemNetwork]:
    zone, traffic, id = call.get("zoneid"), call.get("traffictype"), call.get("id")
    return [
        row
        for row in call.cloud.store.table(SystemNetwork)
        if zone in (None, row.zone) and id in (None, row) and traffic in (None, row.traffic_type)
    ]


def visible(call: Call, wanted: str) -> list[Network]:
    """The networks that a list request may see (searchForNetworks): accounts', domains' and shared ones."""
    caller, cloud = call.account, call.cloud
    is_admin = caller.type in ADMINS
    domain, project = call.maybe(Domain, "domainid"), call.params.get("projectid")
    permitted: list[Account] = []
    if domain is not None:
        check_domain(caller, domain)
        if "account" in call:
            owner = active_account(cloud, call["account"], domain)
            if owner is None:
                raise InvalidParameterValue(f"Unable to find account {call['account']} in specified domain")
            check_access(cloud, caller, owner)
            permitted.append(owner)
    if not is_admin or (isinstance(project, Project) and domain is None):
        permitted.append(caller)
        domain = caller.domain
    if project == NO_ID and not is_admin:
        permitted += [row.account for row in cloud.store.table(Project) if in_project(caller, row)]
    elif project is not None and project != NO_ID:
        found = call.maybe(Project, "projectid")
        if found is None or not in_project(caller, found):
            raise InvalidParameterValue(f"Account {describe(caller)} cannot access specified project id")
        permitted = [found.account, *([caller] if is_admin else [])]
    recursive = call.flag("isrecursive", call.flag("listall")) or (call.flag("listall") and domain is None)
    within_path = _path_test(domain or caller.domain, recursive)

    def of_projects(row: Network) -> bool:
        if project == NO_ID:
            return True
        return (row.account.type == AccountType.PROJECT) is (project is not None)

    def by_account(row: Network) -> bool:
        mine = row.account in permitted if permitted else within_path(row.account.domain)
        return row.acl_type == "Account" and mine and of_projects(row)

    def by_domain(row: Network) -> bool:
        shared = row.shared_domain
        if row.acl_type != "Domain" or shared is None:
            return False
        if permitted:
            return domain is not None and available_in(row, domain)
        if within_path(shared):
            return True
        return domain is None and shared is not caller.domain and available_in(row, caller.domain)

    def by_permission(row: Network) -> bool:
        if row.account.type == AccountType.PROJECT:
            return False
        return any((each in permitted) if permitted else within_path(each.domain) for each in row.permitted)

    tests: dict[Callable[[Network], bool], tuple[str, ...]] = {
        by_account: ("account", "accountdomain", "all"),
        by_domain: ("domain", "accountdomain", "all"),
        by_permission: ("shared", "all"),
    }
    chosen = [test for test, filters in tests.items() if wanted in filters]
    return [row for row in cloud.store.table(Network) if any(test(row) for test in chosen)]


def _path_test(root: Domain, recursive: bool) -> Callable[[Domain], bool]:
    return root.contains if recursive else lambda domain: domain is root


def passes(call: Call, row: Network) -> bool:
    """True where a network passes the filters of listNetworks."""
    tests: dict[str, Callable[[Any], bool]] = {
        "id": lambda value: row is value,
        "name": lambda value: row.name.lower() == value.lower(),
        "keyword": lambda value: value.lower() in row.name.lower(),
        "displaynetwork": lambda value: row.display is value,
        "zoneid": lambda value: row.zone is value,
        "type": lambda value: (row.guest_type or "").lower() == value.lower(),
        "traffictype": lambda value: row.traffic_type.lower() == value.lower(),
        "acltype": lambda value: row.acl_type.lower() == value.lower(),
        "physicalnetworkid": lambda value: row.physical_network is value,
        "restartrequired": lambda value: row.restart_required is value,
        "specifyipranges": lambda value: row.specify_ip_ranges is value,
        "vpcid": lambda value: row.vpc is value,
        "forvpc": lambda value: (row.vpc is not None) is value,
        "networkofferingid": lambda value: row.offering is value,
        "associatednetworkid": lambda value: row.associated_network is value,
        "vlan": lambda value: not call.is_root_admin or value in (row.vlan, row.broadcast_uri),
        "supportedservices": lambda value: row.supports(*value),
        "canusefordeploy": lambda value: nics.has_room(call.cloud, row) is value,
    }
    if not tag_filter(call)(row):
        return False
    # Who does not ask for them is shown no hidden networks, an admin neither.
    given = {"displaynetwork": True, **call.params}
    return all(tests[name](value) for name, value in given.items() if name in tests and value is not None)


# Changes


family.must_name("deleteNetwork", "id", Network, "Network ID={} doesn't exist")
family.must_name("restartNetwork", "id", Network, "Networkd ID={} doesn't exist")
family.must_name("updateNetwork", "id", Network, "Networkd ID={} doesn't exist")
family.must_name("migrateNetwork", "networkid", Network, "Networkd id={} doesn't exist")


@family.command("deleteNetwork")
def delete_network(call: Call) -> Answer:
    network, cloud = call.one(Network), call.cloud
    other = cloud.store.table(Network).first(associated_network=network)
    if other is not None:
        raise InvalidParameterValue(
            f"Cannot delete network {network.id} which is associated to another network {other.id}"
        )
    if call.flag("forced") and not call.is_root_admin:
        raise InvalidParameterValue("Delete network with 'forced' option can only be called by root admins")
    if not guest_networks.destroy(cloud, network):
        raise InternalError("Failed to delete network")
    return Success()


@family.command("restartNetwork")
def restart_network(call: Call) -> Answer:
    network, cloud = call.one(Network), call.cloud
    cleanup, redundant = call.flag("cleanup"), call.flag("makeredundant")
    if network.vpc is not None and cleanup:
        raise InvalidParameterValue("Cannot restart a VPC tier with cleanup, please restart the whole VPC.")
    if redundant and not call.is_root_admin and not cloud.configuration.flag("allow.users.to.make.networks.redundant"):
        raise InvalidParameterValue("Could not make the network redundant. Please contact administrator.")
    if network.state not in guest_networks.RESTARTABLE:
        raise InvalidParameterValue(
            "Network is not in the right state to be restarted. Correct states are: Implemented, Setup"
        )
    if redundant and not network.redundant:
        if "SourceNat" not in network.offering.service_providers:
            raise InternalError(
                f"Service SourceNat is not supported by the network offering "
                f"{guest_networks.describe_offering(network.offering)}"
            )
        network.redundant = cleanup = True
    try:
        restart(cloud, network, cleanup)
    except ApiError:
        raise InternalError("Failed to restart network", cs_code=9999) from None
    return Success()


def restart(cloud: Cloud, network: Network, cleanup: bool) -> None:
    """Start a network's routers, or make them anew where ``cleanup`` is asked for."""
    if cleanup:
        routers.destroy_all(cloud, routers.routers_of(cloud, network))
    if cleanup or network.state == "Implemented":
        network.state = "Implemented" if network.state == "Implemented" else network.state
        routers.deploy(cloud, network, guest_networks.ensure_source_nat(cloud, network))
    network.restart_required = False


@family.command("updateNetwork")
def update_network(call: Call) -> Answer:
    network, cloud = call.one(Network), call.cloud
    offering = call.maybe(NetworkOffering, "networkofferingid")
    domain_suffix, cidr = call.get("networkdomain"), call.get("guestvmcidr")
    if network.offering.is_system:
        raise InvalidParameterValue("Can't update system networks")
    restart_needed = make_source_nat(call, network)
    if offering is not None and network.guest_type != "Isolated":
        raise InvalidParameterValue("NetworkOffering update can be performed for Isolated networks only.")
    if domain_suffix is not None and network.guest_type not in ("Isolated", "Shared"):
        raise InvalidParameterValue("Domain suffix update can only be performed for Isolated and shared networks.")
    if offering is not None:
        check_new_offering(call, network, offering)
    if network.vpc is not None and any(name in call for name in ("dns1", "dns2", "ip6dns1", "ip6dns2")):
        raise InvalidParameterValue("DNS can not be specified for a VPC tier")
    check_dns(call, offering or network.offering)
    if domain_suffix is not None:
        check_network_domain(offering or network.offering, domain_suffix)
    if cidr is not None:
        reserve(cloud, network, cidr, changing=offering not in (None, network.offering))
    if offering is not None and offering is not network.offering:
        drop_services(call, network, offering)
        network.offering, network.redundant = offering, offering.is_redundant
        restart_needed = True
    public_ips.rename(call, network)
    for parameter, attribute in UPDATABLE.items():
        if parameter in call:
            setattr(network, attribute, call[parameter])
    for parameter in ("dns1", "dns2", "ip6dns1", "ip6dns2"):
        if parameter in call:
            attribute = parameter.replace("ip6", "ip6_")
            restart_needed |= getattr(network, attribute) != (call[parameter] or None)
            setattr(network, attribute, call[parameter] or None)
    if domain_suffix is not None:
        network.network_domain, restart_needed = domain_suffix, True
    if "hideipaddressusage" in call and call.is_root_admin:
        network.details["hideIpAddressUsage"] = str(call.flag("hideipaddressusage")).lower()
    if not restart_needed and routers.routers_of(cloud, network):
        change_mtu(call, network)
    if restart_needed:
        renew(cloud, network)
    if network.offering.is_persistent and network.state == "Allocated":
        implement(cloud, network)
    return network


def change_mtu(call: Call, network: Network) -> None:
    """Give the routers of a network other MTUs, within what its zone allows (validateMtuOnUpdate)."""
    settings, zone = call.cloud.configuration, network.zone
    if not settings.flag("allow.end.users.to.specify.vr.mtu", zone):
        return
    for side in ("public", "private"):
        if f"{side}mtu" in call and not (side == "public" and network.vpc is not None):
            most = int(settings.number(f"vr.{side}.interface.max.mtu", zone, default=1500))
            setattr(network, f"{side}_mtu", max(MINIMUM_MTU, min(call[f"{side}mtu"], most)))


def renew(cloud: Cloud, network: Network) -> None:
    """Make the routers of a network anew; it has none until it is implemented, where it was not."""
    if network.vpc is None:
        routers.destroy_all(cloud, routers.routers_of(cloud, network))
    if network.state != "Allocated":
        routers.deploy(cloud, network, guest_networks.ensure_source_nat(cloud, network))


UPDATABLE = {
    "name": "name",
    "displaytext": "display_text",
    "displaynetwork": "display",
    "keepmacaddressonpublicnic": "keep_mac",
}


def make_source_nat(call: Call, network: Network) -> bool:
    """Let another of a network's addresses be its source NAT; False where that changes nothing."""
    wanted = call.get("sourcenatipaddress")
    ip = call.cloud.store.table(PublicIp).first(address=wanted, network=network) if wanted else None
    if ip is None or ip.source_nat:
        return False
    old = public_ips.source_nat_of(call.cloud, network)
    if old is not None:
        old.source_nat = False
    ip.source_nat = True
    for router in routers.routers_of(call.cloud, network):
        router.public = routers.public_nic(call.cloud, router, ip)
    return True


def check_new_offering(call: Call, network: Network, offering: NetworkOffering) -> None:
    """Raise where a network cannot change to an offering (updateGuestNetwork)."""
    old = network.offering
    if offering.is_system:
        raise InvalidParameterValue("Unable to find network offering with specified id")
    if offering.state != "Enabled":
        raise InvalidParameterValue("Network offering with specified id is not in Enabled state, can't upgrade to it")
    if offering.for_vpc != old.for_vpc:
        kind = "a vpc offering " if offering.for_vpc else "not a vpc offering"
        raise InvalidParameterValue(f"Can't update as the new offering is {kind}")
    if offering is old:
        return
    if network.vpc is not None:
        from cs_matrix_pytest.simulator.families import vpcs

        vpcs.check_tier_offering(call.cloud, network.vpc, offering, network)
    if call.flag("changecidr") and any(vm.state != "Stopped" for vm in nics.vms_in(call.cloud, network)):
        raise InvalidParameterValue("All user vm of network of specified id should be stopped before changing CIDR!")
    if not can_upgrade(network, offering):
        raise InvalidParameterValue(
            f"Can't upgrade from network offering {old.id} to {offering.id}; check logs for more information"
        )


def drop_services(call: Call, network: Network, offering: NetworkOffering) -> None:
    """Remove what is configured of services that a new offering has not (cleanupConfigForServicesInNetwork).

    Raises InternalError where it would lose services and the caller does not insist.
    """
    cloud, store, had = call.cloud, call.cloud.store, network.offering.service_providers
    lost = [service for service in had if service not in offering.service_providers and service != "Gateway"]
    if lost and not call.flag("forced"):
        raise InternalError(
            f"The new offering:{offering.name} will remove the following services [{', '.join(lost)}]"
            "along with all the related configuration currently in use. will not proceed with the network update."
            "set forced parameter to true for forcing an update."
        )
    gone: list[Resource] = []
    if "StaticNat" in lost or "PortForwarding" in lost:
        gone += [
            *store.table(PortForwardingRule).where(network=network),
            *store.table(StaticNatRule).where(network=network),
        ]
    if "Lb" in lost:
        gone += store.table(LoadBalancerRule).where(network=network)
    if "Firewall" in lost:
        gone += store.table(FirewallRule).where(network=network)
    for rule in gone:
        public_ips.remove_rule(cloud, rule)
    for ip in store.table(PublicIp).where(network=network):
        if "StaticNat" in lost:
            ip.static_nat, ip.vm, ip.vm_ip = False, None, None
        if "SourceNat" in lost:
            ip.source_nat = False
    if "Vpn" in lost and network.vpc is None:
        for vpn in store.table(RemoteAccessVpn).where(network=network):
            store.remove(vpn)


def can_upgrade(network: Network, offering: NetworkOffering) -> bool:
    """NetworkServiceImpl.canUpgrade: security groups, tags, VLAN and mode stay as they are."""
    old = network.offering
    return (
        ("SecurityGroup" in old.service_providers) == ("SecurityGroup" in offering.service_providers)
        and offering.tags_text in (None, old.tags_text)
        and old.specify_vlan == offering.specify_vlan
        and (old.network_mode or "NATTED") == (offering.network_mode or "NATTED")
    )


def check_network_domain(offering: NetworkOffering, domain: str) -> None:
    """Raise InvalidParameterValue where a network cannot have this domain name."""
    if not is_domain_name(domain):
        raise InvalidParameterValue(
            "Invalid network domain. Total length shouldn't exceed 190 chars. Each domain label must be between 1 and 63 "
            "characters long, can contain ASCII letters 'a' through 'z', the digits '0' through '9', "
            "and the hyphen ('-'); can't start or end with \"-\""
        )
    shown = guest_networks.describe_offering(offering)
    if "Dns" not in offering.service_providers:
        raise InternalError(f"Service Dns is not supported by the network offering {shown}")
    if of_offering(offering, "Dns").get("AllowDnsSuffixModification") != "true":
        raise InvalidParameterValue(f"Domain name change is not supported by the network offering {shown}")


def reserve(cloud: Cloud, network: Network, cidr: str, *, changing: bool) -> None:
    """Keep guests to a part of their network (IP reservation); ``changing``: it is to get another offering as well."""
    whole = network.network_cidr or network.cidr
    if network.zone.is_basic:
        raise InvalidParameterValue("Guest VM CIDR can't be specified for zone with Basic networking")
    if network.guest_type != "Isolated":
        raise InvalidParameterValue("Can only allow IP Reservation in networks with guest type Isolated")
    if changing:
        raise InvalidParameterValue(
            "Cannot specify this network offering change and guestVmCidr at same time. Specify only one."
        )
    if network.state not in ("Implemented", "Allocated"):
        raise InvalidParameterValue(
            "The network must be in Implemented or Allocated state. IP Reservation cannot be applied in "
            f"{network.state} state"
        )
    if not ipv4.is_cidr(cidr):
        raise InvalidParameterValue("Invalid format of Guest VM CIDR.")
    if not is_private(cidr) and not cloud.configuration.flag("allow.non.rfc1918.compliant.ips"):
        raise InvalidParameterValue("Invalid format of Guest VM CIDR. Make sure it is RFC1918 compliant. ")
    if whole is None or not is_inside(cidr, whole):
        raise InvalidParameterValue(
            "Invalid value of Guest VM CIDR. For IP Reservation, Guest VM CIDR  should be a subset of network CIDR : "
            f"{'' if network.network_cidr else ' '}{whole}"
        )
    for nic in nics.nics_in(cloud, network):
        if nic.ip_address and not within(nic.ip_address, cidr):
            raise InvalidParameterValue(
                f"Active IPs like {nic.ip_address} exist outside the Guest VM CIDR. Cannot apply reservation "
            )
    if cidr != whole and bounds(cidr) == bounds(whole):
        first = network.network_cidr is None
        raise InvalidParameterValue(
            f"The Start IP and End IP of guestvmcidr: {cidr} and {'CIDR' if first else 'Network CIDR'}: {whole} are same, "
            "even though both the cidrs appear to be different. As a precaution "
            + (
                "no IP Reservation will be applied."
                if first
                else "IP Reservation will not be affected. If you want to reset IP Reservation, specify guestVmCidr to "
                f"be: {whole}"
            )
        )
    check_associated(cloud, network, cidr)
    network.cidr, network.network_cidr = (whole, None) if cidr == whole else (cidr, whole)


def check_associated(cloud: Cloud, network: Network, cidr: str) -> None:
    """Raise InvalidParameterValue where guests would get addresses that are in use beside them on their VLAN."""
    inner_first, inner_last = bounds(cidr)
    start, end = ipv4.to_text(inner_first + 1), ipv4.to_text(inner_last - 1)
    for gateway in cloud.store.table(PrivateGateway):
        own = gateway.ip_address
        if gateway.network.associated_network is network and ipv4.ranges_overlap(start, end, own, own):
            raise InvalidParameterValue(
                f"The startIp/endIp ({start} - {end}) overlaps with vpc private gateway {gateway.network.name} ({own}): "
            )
    check_associated_ranges(cloud, network, start, end)


@family.on_domain_removal
def remove_shared_networks(cloud: Cloud, domain: Domain) -> None:
    """Remove the networks that were for a domain. Raises InternalError where VMs are in one."""
    for network in cloud.store.table(Network).where(shared_domain=domain):
        if not guest_networks.destroy(cloud, network):
            domain.state = "Active"
            raise InternalError(
                f"Failed to clean up domain resources and sub domains, delete failed on domain {domain.name}"
            )


@family.on_account_removal
def remove_networks(cloud: Cloud, account: Account) -> None:
    """Remove an account's networks and addresses; its VMs are gone already.

    A network that has another account's VMs in it stays, and the addresses with it.
    """
    for network in cloud.store.table(Network):
        if account in network.permitted:
            network.permitted.remove(account)
    destroyed = [guest_networks.destroy(cloud, row) for row in cloud.store.table(Network).where(account=account)]
    if all(destroyed):
        for ip in cloud.store.table(PublicIp).where(account=account):
            public_ips.release(cloud, ip)
