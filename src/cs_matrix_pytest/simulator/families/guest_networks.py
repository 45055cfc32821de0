"""The life of a guest network: made, implemented, idle, shut down, destroyed (NetworkOrchestrator, GuestNetworkGuru)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cs_matrix_pytest.simulator import vlans
from cs_matrix_pytest.simulator.access import describe
from cs_matrix_pytest.simulator.clock import timed
from cs_matrix_pytest.simulator.errors import InsufficientCapacity, InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.families import nics, public_ips, routed_networks, routers
from cs_matrix_pytest.simulator.families.addresses import first_host, netmask_of
from cs_matrix_pytest.simulator.models.iam import Account, Domain
from cs_matrix_pytest.simulator.models.infra import GuestVlanRange, IpRange, PhysicalNetwork, TrafficType, Zone
from cs_matrix_pytest.simulator.models.networks import (
    FirewallRule,
    Network,
    Nic,
    PublicIp,
    Router,
)
from cs_matrix_pytest.simulator.models.offerings import NetworkOffering
from cs_matrix_pytest.simulator.models.vpc import InternalLoadBalancer, PrivateNetwork

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

RESTARTABLE = ("Implemented", "Setup")
GC_TICK = 10.0
"""How often, in seconds, the garbage collector looks whether its interval has passed."""
RUNNING_VM_STATES = frozenset({"Starting", "Running", "Stopping", "Migrating"})


def physical_network_for(cloud: Cloud, zone: Zone, offering: NetworkOffering) -> PhysicalNetwork:
    """The physical network of a zone that carries an offering's traffic and has its tag (findPhysicalNetworkId)."""
    found = [
        row.physical_network
        for row in cloud.store.table(TrafficType)
        if row.physical_network.zone is zone and row.traffic_type == offering.traffic_type
    ]
    tag = offering.tags_text
    if not found:
        raise InvalidParameterValue(f"Unable to find physical network in zone id={zone.number}")
    if len(found) == 1:
        return found[0]
    matching = [row for row in found if (tag in row.network_tags if tag else not row.network_tags)]
    if not matching:
        raise InvalidParameterValue(f"Unable to find physical network which match the tags {tag or 'null'}")
    if tag is None and len(matching) > 1:
        raise InternalError(
            "There is more than 1 physical network with empty tag in the zone " + public_ips.describe_zone(zone)
        )
    return matching[0]


def inherited_network_domain(cloud: Cloud, owner: Account, domain: Domain | None, zone: Zone) -> str:
    """The domain name that guests get unless it is given: the account's, its domains', the zone's, or one made up."""
    named = owner.network_domain if domain is None else None
    level = domain or owner.domain
    while named is None and level is not None:
        named, level = level.network_domain, level.parent  # type: ignore[assignment]
    suffix = cloud.configuration.text("guest.domain.suffix", zone, default="cloud.internal")
    return named or zone.domain or f"cs{owner.number:x}{suffix}"


def takes_zone_cidr(zone: Zone, offering: NetworkOffering) -> bool:
    """True where a network has the zone's guest CIDR unless it is given one."""
    if zone.is_basic or offering.guest_type == "L2" or offering.network_mode == "ROUTED":
        return False
    return offering.guest_type == "Shared" or bool(offering.services)


def add(
    cloud: Cloud,
    owner: Account,
    zone: Zone,
    offering: NetworkOffering,
    physical: PhysicalNetwork,
    name: str,
    display_text: str,
    *,
    domain: Domain | None = None,
    cidr: str | None = None,
    gateway: str | None = None,
    network_domain: str | None = None,
) -> Network:
    """Keep a new guest network, with the zone's guest CIDR unless it has its own (GuestNetworkGuru.design)."""
    if cidr is None and takes_zone_cidr(zone, offering):
        if zone.guest_cidr is None:
            raise InternalError(
                f"Can't design network {name}; guest CIDR is not configured per zone {public_ips.describe_zone(zone)}"
            )
        cidr, gateway = zone.guest_cidr, first_host(zone.guest_cidr)
    if network_domain is None and "Dns" in offering.service_providers:
        network_domain = inherited_network_domain(cloud, owner, domain, zone)
    shared = offering.guest_type == "Shared"
    return cloud.store.add(
        Network(
            account=owner,
            name=name,
            display_text=display_text,
            zone=zone,
            offering=offering,
            physical_network=physical,
            cidr=cidr,
            gateway=gateway,
            netmask=netmask_of(cidr) if cidr else None,
            network_domain=network_domain,
            shared_domain=domain,
            acl_type="Account" if domain is None else "Domain",
            state="Setup" if shared or (offering.specify_vlan and not offering.is_persistent) else "Allocated",
            redundant=offering.is_redundant,
        )
    )


def default_network_for(cloud: Cloud, account: Account, zone: Zone) -> Network:
    """The network of a VM that names none, in an advanced zone: the account's only isolated one, or a new one.

    Raises InvalidParameterValue where the account has several, or there is no required offering to make one from.
    """
    required = [
        offering
        for offering in cloud.store.table(NetworkOffering)
        if offering.availability == "Required" and not offering.is_system
    ]
    if not required:
        raise InvalidParameterValue(
            "Unable to find network offering with availability=Required to automatically create the network as a part "
            "of vm creation"
        )
    offering = required[0]
    if offering.state != "Enabled":
        raise InvalidParameterValue(f"Required network offering {describe_offering(offering)} is not in Enabled")
    mine = cloud.store.table(Network).where(lambda row: row.guest_type == "Isolated", account=account, zone=zone)
    if len(mine) > 1:
        raise InvalidParameterValue(
            f"More than 1 default Isolated networks are found for Account {describe(account).removeprefix('Account ')}; "
            "please specify networkIds"
        )
    if mine:
        return mine[0]
    cloud.limits.check(account, "network")
    name = f"{account.name}-network"
    return add(cloud, account, zone, offering, physical_network_for(cloud, zone, offering), name, name)


def describe_offering(offering: NetworkOffering) -> str:
    """A network offering as error texts name it."""
    return (
        f'NetworkOffering {{"id":{offering.number},"name":"{offering.name}",'
        f'"trafficType":"{offering.traffic_type}","uuid":"{offering.id}"}}'
    )


def free_vlan(cloud: Cloud, physical: PhysicalNetwork, owner: Account) -> str | None:
    """A free guest VLAN: of those dedicated to the owner, then (``use.system.guest.vlans``) of everybody's."""
    used = {row.vlan for row in cloud.store.table(Network) if row.physical_network is physical}
    dedicated = [row for row in cloud.store.table(GuestVlanRange) if row.physical_network is physical]
    mine = [str(vlan) for row in dedicated if row.account is owner for vlan in range(row.start, row.end + 1)]
    kept = {str(vlan) for row in dedicated for vlan in range(row.start, row.end + 1)}
    everybodys = [str(vlan) for vlan in vlans.ids(vlans.parse_ranges(physical.vlan)) if str(vlan) not in kept]
    use_system = not mine or cloud.configuration.flag("use.system.guest.vlans", owner, default=True)
    return next((vlan for vlan in (*mine, *(everybodys if use_system else ())) if vlan not in used), None)


def implement(cloud: Cloud, network: Network) -> None:
    """Bring a network into being: VLAN, source NAT address, routers. Nothing happens where it is there already.

    Raises InsufficientCapacity where VLANs, addresses or hosts have run out, or the error of the account's limit.
    """
    if network.state == "Implemented" and routers.serve(cloud, network):
        return
    before, network.state = network.state, "Implementing"
    try:
        if network.vlan is None and network.physical_network is not None and not network.zone.is_basic:
            network.vlan = free_vlan(cloud, network.physical_network, network.account)
            if network.vlan is None:
                raise InsufficientCapacity(
                    f"Unable to allocate vnet as a part of network {nics.describe(network)} implement "
                )
        source_nat = ensure_source_nat(cloud, network)
        routers.deploy(cloud, network, source_nat)
    except Exception:
        network.state = before
        if before == "Allocated" and not network.offering.specify_vlan:
            network.vlan = None
        raise
    network.state = before if before == "Setup" else "Implemented"
    network.restart_required = False
    network.idle_since = None


def ensure_source_nat(cloud: Cloud, network: Network) -> PublicIp | None:
    """The source NAT address of an isolated network with that service; a new one where it has none yet."""
    if network.guest_type != "Isolated" or not network.supports("SourceNat") or network.zone.is_basic:
        return None
    found = public_ips.source_nat_of(cloud, network)
    if found is not None:
        return found
    if network.vpc is not None:
        from cs_matrix_pytest.simulator.families import vpcs

        return vpcs.ensure_source_nat(cloud, network.vpc)
    return public_ips.acquire(
        cloud, network.account, network.zone, network=network, source_nat=True, display=network.display
    )


def shut_down(cloud: Cloud, network: Network) -> None:
    """Put an implemented network back to Allocated: its VLAN is free again, its routers stop (or leave, in a VPC)."""
    if network.state != "Implemented":
        return
    for router in routers.routers_of(cloud, network):
        if network.vpc is not None:
            routers.unplug(cloud, router, network)
        else:
            routers.stop(cloud, router)
    if not network.offering.specify_vlan:
        network.vlan = None
    network.state, network.idle_since = "Allocated", None


def destroy(cloud: Cloud, network: Network) -> bool:
    """Remove a network with its rules, addresses, ranges and routers; False where VMs are in it."""
    if nics.vms_in(cloud, network):
        return False
    store = cloud.store
    if network.vpc is not None:
        for router in routers.routers_of(cloud, network):
            routers.unplug(cloud, router, network)
    else:
        routers.destroy_all(cloud, routers.routers_of(cloud, network))
    for ip in store.table(PublicIp).where(network=network):
        if network.vpc is not None:
            for rule in public_ips.rules_of(cloud, ip):
                public_ips.remove_rule(cloud, rule)
            ip.network, ip.static_nat, ip.vm, ip.vm_ip = None, False, None, None
        else:
            public_ips.release(cloud, ip)
    for kind in (*public_ips.RULES_ON_ADDRESS, FirewallRule, InternalLoadBalancer):
        for rule in store.table(kind).where(network=network):
            public_ips.remove_rule(cloud, rule)
    routers.destroy_all(cloud, store.table(Router).where(lambda vm: network in vm.networks, role=routers.BALANCER))
    for range in store.table(IpRange):
        if range.network is network:
            store.remove(range)
    for nic in store.table(Nic).where(network=network):
        store.remove(nic)
    routed_networks.release(cloud, network)
    network.state = "Destroy"
    store.remove(network)
    return True


# Garbage collection


def collects(cloud: Cloud, network: Network) -> bool:
    """True for a network that may go back to Allocated: implemented, not persistent, no VM running in it."""
    if network.state != "Implemented" or network.offering.is_persistent or network.guest_type == "Shared":
        return False
    if any(cloud.store.table(kind).first(associated_network=network) for kind in (Network, PrivateNetwork)):
        return False
    return not any(vm.state in RUNNING_VM_STATES for vm in nics.vms_in(cloud, network))


@timed
def collect_garbage(cloud: Cloud, last_run: float) -> None:
    """One look of the garbage collector (NetworkGarbageCollector), every ``network.gc.interval`` seconds.

    A network that was idle at one run and still is ``network.gc.wait`` seconds later is shut down.
    """
    now = cloud.clock.now()
    interval = cloud.configuration.number("network.gc.interval", default=600)
    wait = cloud.configuration.number("network.gc.wait", default=600)
    if now - last_run >= interval:
        last_run = now
        for network in cloud.store.table(Network):
            if not collects(cloud, network):
                network.idle_since = None
            elif network.idle_since is None:
                network.idle_since = now
            elif network.idle_since <= now - wait:
                shut_down(cloud, network)
    cloud.clock.call_later(GC_TICK, collect_garbage, cloud, last_run)
