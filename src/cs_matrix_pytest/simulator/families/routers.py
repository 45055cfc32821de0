"""Virtual routers: made for networks and VPCs, started, stopped and shown (VirtualNetworkApplianceManagerImpl)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator import ipv4
from cs_matrix_pytest.simulator.access import active_account, check_access, check_owner
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import (
    ApiError,
    InsufficientCapacity,
    InvalidParameterValue,
    PermissionDenied,
)
from cs_matrix_pytest.simulator.families import nics
from cs_matrix_pytest.simulator.families.addresses import mac, netmask_of
from cs_matrix_pytest.simulator.families.annotations import has_annotations
from cs_matrix_pytest.simulator.families.capacity import Demand, loads, pick_hosts
from cs_matrix_pytest.simulator.families.ipv6_prefixes import eui64, nic_ip6_fields, public_range
from cs_matrix_pytest.simulator.families.service_offerings import system_offering
from cs_matrix_pytest.simulator.families.templates import system_template
from cs_matrix_pytest.simulator.models.iam import Account, AccountType, Domain
from cs_matrix_pytest.simulator.models.infra import Host, SystemNetwork
from cs_matrix_pytest.simulator.models.networks import Network, Nic, PublicIp, Router, SystemNic, Vpc
from cs_matrix_pytest.simulator.models.offerings import ServiceOffering
from cs_matrix_pytest.simulator.models.vpc import PrivateGateway, VpnConnection
from cs_matrix_pytest.simulator.registry import Answer, Family, Filter, Scope
from cs_matrix_pytest.simulator.store import Resource, new_uuid
from cs_matrix_pytest.simulator.texts import described, fields_text
from cs_matrix_pytest.simulator.views import owner_fields, when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("routers")

MIB = 1024**2
ROUTER_PROVIDERS = frozenset({"VirtualRouter", "VpcVirtualRouter"})
CONTROL_GATEWAY, CONTROL_NETMASK, CONTROL_BASE = "169.254.0.1", "255.255.0.0", "169.254.0.10"
REDUNDANT_STATES = ("PRIMARY", "BACKUP")
TEMPLATE_VERSION = "4.10.0"
UNSUPPORTED = (
    "Failed to fetch results with details: Unsupported command issued: "
    "com.cloud.agent.api.routing.GetRouterMonitorResultsCommand.  Are you sure you got the right type of server?"
)
ROUTER, BALANCER = "VIRTUAL_ROUTER", "INTERNAL_LB_VM"
"""Roles of routers: the second is a VM that balances inside of a tier."""
VM_TYPES = {ROUTER: "DomainRouter", BALANCER: "InternalLoadBalancerVm"}


def has_router(network: Network) -> bool:
    """True where a virtual router serves a network."""
    return any(ROUTER_PROVIDERS & set(names) for names in network.offering.service_providers.values())


def routers_of(cloud: Cloud, network: Network) -> list[Router]:
    """The routers that serve a network: its VPC's, or its own."""
    if network.vpc is not None:
        return cloud.store.table(Router).where(vpc=network.vpc)
    return [router for router in cloud.store.table(Router) if network in router.networks]


def routers_of_vpc(cloud: Cloud, vpc: Vpc) -> list[Router]:
    """The routers of a VPC, whether it has tiers or not."""
    return cloud.store.table(Router).where(vpc=vpc)


def wanted(network: Network) -> int:
    """How many routers a network is to have."""
    if not has_router(network):
        return 0
    return 2 if (network if network.vpc is None else network.vpc).redundant else 1


def serve(cloud: Cloud, network: Network) -> bool:
    """True where a network has its routers, and they run."""
    routers = routers_of(cloud, network)
    return len(routers) >= wanted(network) and all(router.state == "Running" for router in routers)


def deploy(cloud: Cloud, network: Network, source_nat: PublicIp | None = None) -> None:
    """Have a network's routers run: make those that it has not, start the others, plug them in."""
    if network.vpc is not None and has_router(network):
        deploy_for_vpc(cloud, network.vpc, source_nat)
    routers, count = routers_of(cloud, network), wanted(network)
    for index in range(len(routers), count):
        router = _new(cloud, network, network.offering.service_offering, index if count > 1 else None)
        router.public = public_nic(cloud, router, source_nat)
        routers.append(router)
    for router in routers:
        plug(cloud, router, network)
        if router.state != "Running":
            start(cloud, router)


def deploy_for_vpc(cloud: Cloud, vpc: Vpc, source_nat: PublicIp | None) -> None:
    """Have a VPC's routers run, each with a leg in every implemented tier and behind every private gateway."""
    routers, count = routers_of_vpc(cloud, vpc), 2 if vpc.redundant else 1
    for index in range(len(routers), count):
        router = _new(cloud, vpc, vpc.offering.service_offering, index if count > 1 else None)
        router.public = public_nic(cloud, router, source_nat)
        for gateway in cloud.store.table(PrivateGateway).where(vpc=vpc, state="Ready"):
            plug_gateway(cloud, router, gateway)
        for network in cloud.store.table(Network).where(vpc=vpc, state="Implemented"):
            plug(cloud, router, network)
        routers.append(router)
    for router in routers:
        if router.state != "Running":
            start(cloud, router)


def plug_gateway(cloud: Cloud, router: Router, gateway: PrivateGateway) -> None:
    """Give a VPC's router its NIC behind a private gateway."""
    if gateway.network not in router.networks:
        router.nics.append(
            nics.plug(cloud, gateway.network, gateway.ip_address, None, gateway.gateway, gateway.netmask)
        )


def _new(cloud: Cloud, served: Network | Vpc, offering: Resource | None, index: int | None) -> Router:
    """A new router of a network or a VPC, running; ``index``: which one of a redundant pair it is."""
    router = cloud.store.add(
        Router(
            account=served.account,
            name="",
            zone=served.zone,
            state="Stopped",
            vpc=served if isinstance(served, Vpc) else None,
            is_redundant=index is not None,
            redundant_state="UNKNOWN" if index is None else REDUNDANT_STATES[index],
            service_offering=offering or system_offering(cloud, "domainrouter"),
        )
    )
    router.name = f"r-{router.number}-{cloud.configuration.text('instance.name', default='VM')}"
    try:
        start(cloud, router)
    except InsufficientCapacity:
        cloud.store.remove(router)
        raise
    return router


def start(cloud: Cloud, router: Router) -> None:
    """Start a router on a host that has room for it. Raises InsufficientCapacity."""
    offering = router.service_offering
    assert isinstance(offering, ServiceOffering)
    zone = router.zone
    hosts = [host for host in cloud.store.table(Host) if host.zone is zone and host.type == "Routing"]
    carried = loads(cloud)
    for hypervisor in dict.fromkeys(host.hypervisor for host in hosts):
        demand = Demand(
            zone=zone,
            hypervisor=hypervisor,
            cpu=(offering.cpu_number or 1) * (offering.cpu_speed or 0),
            memory=(offering.memory or 0) * MIB,
        )
        for host in pick_hosts(hosts, carried, demand):
            router.host, router.pod, router.state = host, host.pod, "Running"
            router.scripts_version = new_uuid()
            router.control = control_nic(cloud, router)
            return
    raise InsufficientCapacity(
        f'Unable to create a deployment for VM instance {{"id":{router.number},"instanceName":"{router.name}",'
        f'"type":"DomainRouter","uuid":"{router.id}"}}'
    )


def deploy_internal_balancer(cloud: Cloud, network: Network, nic: Nic, offering: ServiceOffering) -> Router:
    """A new VM, running, that balances at the address of a NIC. Raises InsufficientCapacity."""
    vm = cloud.store.add(
        Router(
            account=network.account,
            name="",
            zone=network.zone,
            state="Stopped",
            role=BALANCER,
            nics=[nic],
            service_offering=offering,
        )
    )
    vm.name = f"b-{vm.number}-{cloud.configuration.text('instance.name', default='VM')}"
    try:
        start(cloud, vm)
    except InsufficientCapacity:
        cloud.store.remove(vm)
        raise
    return vm


def control_nic(cloud: Cloud, router: Router) -> SystemNic | None:
    """A router's link-local interface; it gets a new address at every start."""
    network = cloud.store.table(SystemNetwork).first(zone=router.zone, traffic_type="Control")
    if network is None:
        return None
    address = ipv4.to_text(ipv4.to_int(CONTROL_BASE) + router.number % 60000)
    return SystemNic(
        id=router.control.id if router.control else new_uuid(),
        network=network,
        ip_address=address,
        mac_address="0e:00:" + ":".join(f"{octet:02x}" for octet in ipv4.to_int(address).to_bytes(4, "big")),
        gateway=CONTROL_GATEWAY,
        netmask=CONTROL_NETMASK,
    )


def public_nic(cloud: Cloud, router: Router, ip: PublicIp | None) -> SystemNic | None:
    """A router's interface to the outside, with its source NAT address."""
    network = cloud.store.table(SystemNetwork).first(zone=router.zone, traffic_type="Public")
    if ip is None or network is None:
        return None
    return SystemNic(
        id=new_uuid(),
        network=network,
        ip_address=ip.address,
        mac_address=mac(0x1E, router.number << 16 | ipv4.to_int(ip.address) & 0xFFFF),
        gateway=ip.range.gateway or "",
        netmask=ip.range.netmask or "",
        vlan=f"vlan://{ip.range.vlan.removeprefix('vlan://')}",
    )


def plug(cloud: Cloud, router: Router, network: Network) -> None:
    """Give a router a NIC in a guest network, at the gateway's address where it is the gateway."""
    if network in router.networks:
        return
    if network.supports("SourceNat") and not router.is_redundant and network.cidr:
        nic = nics.plug(cloud, network, network.gateway, None, None, netmask_of(network.cidr))
    else:
        nic = nics.allocate(cloud, network)
    if network.vpc is not None:
        nic.gateway = network.gateway
    router.nics.append(nic)
    reserved = public_range(cloud, router.zone) if network.guest_type == "Isolated" and network.ip6_cidr else None
    if reserved is not None and router.public is not None:
        router.public = replace(router.public, ip6_cidr=reserved.ip6_cidr, ip6_gateway=reserved.ip6_gateway)


def ip6_routes(cloud: Cloud, network: Network) -> list[dict[str, str]]:
    """The routes to a network's IPv6 subnet that whoever runs the network in front is to set: by its routers."""
    outside = [router.public for router in routers_of(cloud, network) if router.public is not None]
    return [
        {"subnet": network.ip6_cidr, "gateway": eui64(nic.ip6_cidr, nic.mac_address)}
        for nic in outside
        if network.ip6_cidr and nic.ip6_cidr
    ]


def unplug(cloud: Cloud, router: Router, network: Network) -> None:
    """Take a router out of a guest network."""
    for nic in [nic for nic in router.nics if nic.network is network]:
        router.nics.remove(nic)
        cloud.store.remove(nic)


def stop(cloud: Cloud, router: Router) -> None:
    """Stop a router; the site-to-site VPNs of its VPC are interrupted."""
    if router.state == "Running" and router.vpc is not None:
        for connection in cloud.store.table(VpnConnection):
            if connection.gateway.vpc is router.vpc and connection.state in ("Connected", "Connecting"):
                connection.state = "Disconnected"
    router.state, router.host = "Stopped", None


def destroy(cloud: Cloud, router: Router) -> None:
    """Remove a router and its NICs; its public addresses stay its owner's."""
    stop(cloud, router)
    for nic in router.nics:
        cloud.store.remove(nic)
    router.nics, router.public, router.control = [], None, None
    router.state = "Destroyed"
    cloud.store.remove(router)


def destroy_all(cloud: Cloud, routers: Iterable[Router]) -> None:
    for router in list(routers):
        destroy(cloud, router)


@family.access_check(Router)
def check_router(cloud: Cloud, account: Account, router: Router, access: str | None) -> None:
    """Its owner and the admins above, and whoever operates all of its guest networks (checkRouterPermissions)."""
    try:
        check_owner(account, router.account)
    except PermissionDenied:
        if not router.networks:
            raise
        for network in router.networks:
            check_access(cloud, account, network, "OperateEntry")


@family.view(Router)
def router_view(router: Router, call: Call) -> dict[str, Any]:
    host, zone = router.host, router.zone
    offering = router.service_offering if isinstance(router.service_offering, ServiceOffering) else None
    running = router.state == "Running"
    template = system_template(call.cloud, zone, hypervisor_of(call.cloud, router))
    shown: dict[str, Any] = {
        "id": router.id,
        "zoneid": zone.id,
        "zonename": zone.name,
        "dns1": zone.dns1,
        "dns2": zone.dns2,
        "name": router.name,
        "hypervisor": host.hypervisor if host else None,
        "templateid": template.id if template else None,
        "templatename": template.name if template else None,
        "created": router.created.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "state": router.state,
        **owner_fields(router.account),
        "serviceofferingid": offering.id if offering else None,
        "serviceofferingname": offering.name if offering else None,
        "isredundantrouter": router.is_redundant,
        "redundantstate": router.redundant_state if running or not router.is_redundant else "UNKNOWN",
        "version": TEMPLATE_VERSION,
        "scriptsversion": router.scripts_version,
        "vpcid": router.vpc.id if router.vpc else None,
        "vpcname": router.vpc.name if router.vpc else None,
        "role": router.role,
        "nic": [],
        "requiresupgrade": False,
        "healthchecksfailed": False,
        "healthcheckresults": health_rows(router) if call.flag("fetchhealthcheckresults") else None,
        "softwareversion": router.software_version,
        "arch": "x86_64",
        "hasannotations": has_annotations(router, call),
    }
    if call.is_root_admin or call.account.type == AccountType.RESOURCE_DOMAIN_ADMIN:
        shown |= placement_fields(router)
    return shown


def placement_fields(router: Router) -> dict[str, Any]:
    """Where a router runs and what it is plugged in, which only its operators are shown."""
    host, pod, running = router.host, router.pod, router.state == "Running"
    shown: dict[str, Any] = {
        "podid": pod.id if pod else None,
        "podname": pod.name if pod else None,
        "hostid": host.id if host else None,
        "hostname": host.name if host else None,
        "hostcontrolstate": "Enabled" if host else None,
        "nic": nic_rows(router),
    }
    if router.control:
        shown["linklocalnetworkid"] = router.control.network.id
        if running:
            shown |= {
                "linklocalip": router.control.ip_address,
                "linklocalmacaddress": router.control.mac_address,
                "linklocalnetmask": router.control.netmask,
            }
    if router.public:
        shown |= {
            "gateway": router.public.gateway,
            "publicip": router.public.ip_address,
            "publicmacaddress": router.public.mac_address,
            "publicnetmask": router.public.netmask,
            "publicnetworkid": router.public.network.id,
        }
    if router.nics:
        nic = router.nics[-1]
        shown |= {
            "guestipaddress": nic.ip_address,
            "guestmacaddress": nic.mac_address,
            "guestnetmask": nic.netmask,
            "guestnetworkid": nic.network.id,
            "guestnetworkname": nic.network.name,
            "networkdomain": nic.network.network_domain,
        }
    return shown


def hypervisor_of(cloud: Cloud, router: Router) -> str:
    """The hypervisor that a router runs on, or would."""
    host = router.host or cloud.store.table(Host).first(zone=router.zone, type="Routing")
    return host.hypervisor if host else cloud.hypervisor


def nic_rows(router: Router) -> list[dict[str, Any]]:
    """A router's interfaces in the order that it has them: a VPC's guest networks come last."""
    running = router.state == "Running"
    guests = [
        nics.nic_fields(nic, up=running)
        | {"mtu": nic.network.private_mtu, "isdefault": not router.public and index == 0}
        for index, nic in enumerate(router.nics)
    ]
    system = []
    if router.control:
        control = system_nic_fields(router.control, "Control")
        if not running:
            control = {name: control[name] for name in ("id", "networkid", "traffictype", "isdefault", "enabled")}
        system.append(control)
    if router.public:
        mtu = router.vpc.public_mtu if router.vpc else router.networks[0].public_mtu if router.nics else 1500
        system.append(system_nic_fields(router.public, "Public") | {"isdefault": True, "mtu": mtu})
    return system + guests if router.vpc else guests + system


def system_nic_fields(nic: SystemNic, traffic_type: str) -> dict[str, Any]:
    on_vlan = {"isolationuri": nic.vlan, "broadcasturi": nic.vlan} if nic.vlan else {}
    return {
        "id": nic.id,
        "networkid": nic.network.id,
        "netmask": nic.netmask,
        "gateway": nic.gateway,
        "ipaddress": nic.ip_address,
        **on_vlan,
        "traffictype": traffic_type,
        "isdefault": False,
        "macaddress": nic.mac_address,
        "enabled": True,
        **nic_ip6_fields(nic.ip6_cidr, nic.ip6_gateway, nic.mac_address),
    }


FILTERS: dict[str, Filter] = {
    "networkid": lambda router, network, call: network in router.networks,
    "clusterid": lambda router, cluster, call: router.host is not None and router.host.cluster is cluster,
    "forvpc": lambda router, wanted, call: (router.vpc is not None) is wanted,
    "version": lambda router, version, call: TEMPLATE_VERSION.startswith(version),
    "arch": lambda router, arch, call: arch == "x86_64",
    "healthchecksfailed": lambda router, failed, call: not failed,
    "fetchhealthcheckresults": lambda router, wanted, call: True,
}
KEYWORD = ("name", "state", "network_names", "vpc_name", "redundant_state")
family.listing(
    "listRouters",
    Router,
    scope=Scope.OWNER,
    newest_first=True,
    keyword=KEYWORD,
    rows=lambda call: call.cloud.store.table(Router).where(role=ROUTER),
    filters=FILTERS,
)


def operated(call: Call, missing: str = "Can't find router by id") -> Router:
    """The router that a command is about, if the caller may operate it."""
    router = call.one(Router, missing=missing)
    check_access(call.cloud, call.account, router)
    return router


def operated_by_role(call: Call) -> Router:
    """The same, if it is no VM that balances."""
    router = operated(call)
    if router.role != ROUTER:
        raise InvalidParameterValue("Can't find router by id")
    return router


@family.command("startRouter")
def start_router(call: Call) -> Answer:
    router = operated_by_role(call)
    start_again(call.cloud, router)
    return router


def unreachable(router: Router, why: str) -> str:
    """Why nothing can be done on a router, as the server words it (ResourceUnavailableException)."""
    return f"Resource [DataCenter:{router.zone.number}] is unreachable: {why}"


def start_again(cloud: Cloud, router: Router) -> None:
    """Start a router where a command that names it says so: its job knows no code for a want of capacity."""
    if router.state == "Running":
        return
    try:
        start(cloud, router)
    except InsufficientCapacity as error:
        raise ApiError(error.text) from None


@family.command("stopRouter")
def stop_router(call: Call) -> Answer:
    router = operated_by_role(call)
    stop(call.cloud, router)
    return router


@family.command("rebootRouter")
def reboot_router(call: Call) -> Answer:
    router = operated(call, "Unable to find domain router with id {}.")
    if router.state != "Running":
        raise ApiError(unreachable(router, f"Unable to reboot domR, it is not in right state {router.state}"))
    stop(call.cloud, router)
    start_again(call.cloud, router)
    return router


@family.command("destroyRouter")
def destroy_router(call: Call) -> Answer:
    lost = call.params["id"]
    if not isinstance(lost, Router) or lost not in call.cloud.store:
        raise ApiError("Failed to destroy router")
    router = operated(call)
    destroy(call.cloud, router)
    return router


@family.command("changeServiceForRouter")
def change_service_for_router(call: Call) -> Answer:
    router = operated(call, "Unable to find router with id {}")
    offering = call.one(ServiceOffering, "serviceofferingid", missing="Unable to find service offering with id {}")
    if router.service_offering is offering:
        return router
    if not offering.is_system:
        raise InvalidParameterValue(f"Cannot upgrade router vm to a non system service offering {described(offering)}")
    if router.state != "Stopped":
        raise InvalidParameterValue(
            f"Unable to upgrade router {described_vm(router)} in state {router.state}; "
            "make sure the router is stopped and not in an error state before upgrading."
        )
    router.service_offering = offering
    return router


def described_vm(router: Router) -> str:
    """A router as error texts name it."""
    fields = {"id": router.number, "uuid": router.id, "instanceName": router.name, "state": router.state}
    return f"VM instance {fields_text(**fields, type=VM_TYPES[router.role])}"


@family.command("getRouterHealthCheckResults")
def router_health(call: Call) -> Answer:
    """What is known of a router's health. None ever says anything of it: no guest runs the checks."""
    lost = "Can't find router by routerId"
    router = call.one(Router, "routerid", missing=lost)
    if router.role != ROUTER:
        raise InvalidParameterValue(lost)
    if not call.cloud.configuration.flag("router.health.checks.enabled", default=True):
        why = f"Router health checks are not enabled for router {router.number}"
    elif call.flag("performfreshchecks"):
        router.checked, router.was_reached = call.cloud.clock.datetime(), router.state == "Running"
        said = "failed - null" if router.was_reached else "results unavailable"
        why = f"Unable to perform fresh checks on router - Basic tests {said}"
    elif router.checked is not None:
        return {"routerhealthchecks": {"routerid": router.id, "healthchecks": health_rows(router)}}
    else:
        why = (
            "No health check results found for the router. This could happen for a newly created router. Please wait for "
            "periodic results to populate or manually call for checks to execute."
        )
    raise ApiError(f"Failed to get health check results due to: {why}")


def health_rows(router: Router) -> list[dict[str, Any]]:
    """The results of a router's last health checks: its host was there and knew no such command, or was not."""
    details, connected = ("Communication failed", "UNKNOWN") if not router.was_reached else (UNSUPPORTED, "FAILED")
    return [
        {
            "checkname": name,
            "checktype": "basic",
            "success": False,
            "status": status,
            "lastupdated": when(router.checked),
            "details": details,
        }
        for name, status in (("connectivity.test", connected), ("filesystem.writable.test", "UNKNOWN"))
        if router.checked is not None
    ]


@family.command("upgradeRouterTemplate")
def upgrade_router_template(call: Call) -> Answer:
    """Reboot routers whose template is too old. None is: they are made from the template of this server."""
    if sum(name in call for name in ("id", "domainid", "clusterid", "podid", "zoneid")) > 1:
        raise InvalidParameterValue(
            "Multiple parameters not supported. Specify only one among "
            "routerId/zoneId/podId/clusterId/accountId/domainId"
        )
    domain, name = call.maybe(Domain, "domainid"), call.get("account")
    if domain is not None and name is not None and active_account(call.cloud, name, domain) is None:
        raise InvalidParameterValue(f"Account :{name} does not exist in domain: {domain.number}")
    return {}
