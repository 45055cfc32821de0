"""What rules on one address may stand side by side (FirewallManagerImpl, NetworkModelImpl.checkIpForService)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cs_matrix_pytest.simulator.access import check_access
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.families import nics, public_ips
from cs_matrix_pytest.simulator.families.network_capabilities import of_offering
from cs_matrix_pytest.simulator.families.network_services import UnsupportedServiceError
from cs_matrix_pytest.simulator.families.routers import ROUTER_PROVIDERS
from cs_matrix_pytest.simulator.models.networks import (
    FirewallRule,
    LoadBalancerRule,
    Network,
    PortForwardingRule,
    PublicIp,
    StaticNatRule,
    Vpc,
)
from cs_matrix_pytest.simulator.models.vpc import RemoteAccessVpn
from cs_matrix_pytest.simulator.texts import described

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

Rule = FirewallRule | PortForwardingRule | LoadBalancerRule | StaticNatRule
RULE_KINDS = (FirewallRule, PortForwardingRule, LoadBalancerRule, StaticNatRule)

PURPOSES: dict[type, str] = {
    FirewallRule: "Firewall",
    PortForwardingRule: "PortForwarding",
    LoadBalancerRule: "LoadBalancing",
    StaticNatRule: "StaticNat",
}
SERVICES = {"Firewall": "Firewall", "PortForwarding": "PortForwarding", "LoadBalancing": "Lb", "StaticNat": "StaticNat"}
"""The network service behind each purpose."""
ALL_CIDRS = "0.0.0.0/0"
MAX_PORT = 65535
VPN_PORTS = (500, 1701, 4500)
"""UDP ports of a remote access VPN: IKE, L2TP and NAT traversal."""


class RuleConflictError(ApiError):
    """A new rule does not go with an existing one (NetworkRuleConflictException)."""

    code = 537


def ports_of(rule: Rule) -> tuple[int | None, int | None]:
    """The public ports of a rule, first and last."""
    if isinstance(rule, PortForwardingRule):
        return rule.public_port, rule.public_end_port
    if isinstance(rule, LoadBalancerRule):
        return rule.public_port, rule.public_port
    return rule.start_port, rule.end_port


def describe(rule: Rule) -> str:
    """A rule as error texts name it."""
    purpose = PURPOSES[type(rule)]
    if isinstance(rule, LoadBalancerRule):
        return (
            f'LoadBalancer {{"id":{rule.number},"name":"{rule.name}","purpose":"{purpose}",'
            f'"state":"{rule.state}","uuid":"{rule.id}"}}'
        )
    return (
        f'FirewallRule {{"id":{rule.number},"networkId":{rule.network.number},"purpose":"{purpose}",'
        f'"state":"{rule.state}","uuid":"{rule.id}"}}'
    )


def describe_vpc(vpc: Vpc) -> str:
    """A VPC as error texts name it."""
    return described(vpc)


def services_on(cloud: Cloud, ip: PublicIp, *, with_firewall: bool) -> list[str]:
    """The services that an address is used for already, in a fixed order."""
    purposes = {PURPOSES[type(rule)] for rule in public_ips.rules_of(cloud, ip)}
    used = [
        ("SourceNat", ip.source_nat),
        ("StaticNat", ip.static_nat or "StaticNat" in purposes),
        ("Lb", "LoadBalancing" in purposes),
        ("PortForwarding", "PortForwarding" in purposes),
        ("Firewall", with_firewall and "Firewall" in purposes),
    ]
    return [service for service, is_used in used if is_used]


def check_ip_for_service(cloud: Cloud, ip: PublicIp, service: str, network: Network | None = None) -> None:
    """Raise InvalidParameterValue where an address cannot be used for a service as well."""
    network = network or ip.network
    if network is None:
        raise InternalError("Could not find network associated with public IP.")
    if network.guest_type != "Isolated":
        return
    if services_on(cloud, ip, with_firewall=True) and service not in network.offering.service_providers:
        raise InvalidParameterValue(f"There is no new provider for IP {ip.address} of service {service}!")
    used = services_on(cloud, ip, with_firewall=False)
    if network.offering.conserve_mode or not used:
        return
    if len(used) > 1:
        raise InvalidParameterValue(f"There are multiple services used ip {ip.address}.")
    if service not in (used[0], "Firewall"):
        raise InvalidParameterValue(f"The IP {ip.address} is already used as {used[0]} rather than {service}")


def check_ports(start: int | None, end: int | None) -> None:
    """Raise InvalidParameterValue for ports that are none."""
    if start is not None and not 0 <= start <= MAX_PORT:
        raise InvalidParameterValue(f"publicPort is an invalid value: {start}")
    if end is not None and not 0 <= end <= MAX_PORT:
        raise InvalidParameterValue(f"Public port range is an invalid value: {end}")
    if start is not None and end is not None and start > end:
        raise InvalidParameterValue("Start port can't be bigger than end port")


def is_routed(network: Network) -> bool:
    """True where a virtual router routes for a network without translating addresses (isVirtualRouterGateway)."""
    providers = network.offering.service_providers.get("Gateway", ())
    return network.offering.network_mode == "ROUTED" and bool(ROUTER_PROVIDERS & set(providers))


def check_service(network: Network, service: str) -> None:
    """Raise UnsupportedServiceError where a network does not have a service."""
    if service not in network.offering.service_providers:
        raise UnsupportedServiceError(f"Service {service} is not supported in the network {nics.describe(network)}")


def check_rule(
    call: Call,
    purpose: str,
    protocol: str,
    ports: tuple[int | None, int | None],
    network: Network,
    ip: PublicIp | None = None,
) -> None:
    """Raise where a network cannot do such a rule, or the caller may not make one (validateFirewallRule)."""
    check_ports(*ports)
    check_access(call.cloud, call.account, network if ip is None else ip)
    service = SERVICES[purpose]
    if purpose == "Firewall" and is_routed(network):
        raise InternalError("Unable to create routing firewall rule. Please use routing firewall API instead.")
    check_service(network, service)
    capabilities = of_offering(network.offering, service)
    egress = purpose == "Firewall" and ip is None
    supported = capabilities.get("SupportedEgressProtocols" if egress else "SupportedProtocols")
    if supported is None:
        raise InternalError(f"Supported protocols capability is not defined for {purpose} service")
    if protocol.lower() not in supported.lower():
        raise InvalidParameterValue(f"Protocol {protocol} is not supported in zone {network.zone.number}")
    if protocol.lower() == "icmp" and purpose != "Firewall":
        raise InvalidParameterValue(f"Protocol {protocol} is currently supported only for rules with purpose Firewall")


def cidrs_conflict(one: list[str], other: list[str]) -> bool:
    """True where two lists share a CIDR, letter by letter, or are both empty."""
    return not set(one).isdisjoint(other) or not (one or other)


def detect(cloud: Cloud, new: Rule) -> None:
    """Raise RuleConflictError where a new rule does not go with the others (detectRulesConflict)."""
    ip = new.ip
    if ip is not None:
        others: list[Rule] = [rule for rule in public_ips.rules_of(cloud, ip) if isinstance(rule, RULE_KINDS)]
    else:
        assert isinstance(new, FirewallRule)
        if new.purpose != "Firewall":
            # It is only compared with rules for IPv4, with which nothing of it conflicts.
            return
        table = cloud.store.table(FirewallRule)
        others = list(table.where(network=new.network, egress=new.egress, purpose=new.purpose))
    for other in others:
        if other is not new:
            detect_pair(new, other)
    if ip is not None:
        detect_vpn(cloud, new, ip)


def detect_vpn(cloud: Cloud, new: Rule, ip: PublicIp) -> None:
    """Raise RuleConflictError where a network's VPN on the address has what a new rule wants."""
    vpn = cloud.store.table(RemoteAccessVpn).first(ip=ip, vpc=None)
    if vpn is None or vpn.network is None or isinstance(new, FirewallRule):
        return
    if isinstance(new, StaticNatRule):
        raise RuleConflictError(f"There is already firewall rule specified for the ip address id={ip.number}")
    start, end = ports_of(new)
    if (isinstance(new, PortForwardingRule) and new.protocol.lower() != "udp") or start is None or end is None:
        return
    for port in VPN_PORTS:
        if start <= port <= end:
            raise RuleConflictError(
                f"The range specified, {start}-{end}, conflicts with rule "
                f'FirewallRule {{"id":{vpn.number},"networkId":{vpn.network.number},"purpose":"Vpn",'
                f'"state":"Active","uuid":"{vpn.id}"}} which has {port}-{port}'
            )


def detect_pair(new: Rule, other: Rule) -> None:
    """Raise RuleConflictError where two rules on one address (or network) cannot both be."""
    mine, theirs = PURPOSES[type(new)], PURPOSES[type(other)]
    same_protocol = new.protocol.lower() == other.protocol.lower()
    one_is_firewall = "Firewall" in (mine, theirs) and (mine != theirs or not same_protocol)
    same_kind = mine == theirs and mine in ("Firewall", "PortForwarding")
    duplicated = same_kind and cidrs_conflict(new.cidr_list, other.cidr_list)
    if isinstance(new, FirewallRule) and isinstance(other, FirewallRule):
        duplicated = duplicated and cidrs_conflict(new.dest_cidr_list, other.dest_cidr_list)
    number = new.ip.number if new.ip else None
    if not one_is_firewall and mine != theirs and "StaticNat" in (mine, theirs):
        raise RuleConflictError(
            f"There is 1 to 1 Nat rule specified for the ip address id={number}"
            if theirs == "StaticNat"
            else f"There is already firewall rule specified for the ip address id={number}"
        )
    vpc = new.network.vpc
    if other.network is not new.network and not (vpc is not None and vpc.offering.conserve_mode):
        text = f"New rule is for a different network than what's specified in rule {other.id}"
        raise RuleConflictError(text + (f" - VPC id={vpc.id} is not using conserve mode" if vpc else ""))
    if isinstance(new, FirewallRule) and isinstance(other, FirewallRule) and same_protocol:
        if new.protocol == "icmp":
            same_icmp = (new.icmp_code, new.icmp_type) == (other.icmp_code, other.icmp_type)
            if same_icmp and duplicated:
                raise InvalidParameterValue(f"New rule conflicts with existing rule: {describe(other)}")
        elif ports_of(new) == ports_of(other) == (None, None) and duplicated:
            raise RuleConflictError(
                f"There is already a firewall rule specified with protocol = {new.protocol} and no ports"
            )
    (start, end), (other_start, other_end) = ports_of(new), ports_of(other)
    if start is None or end is None or other_start is None or other_end is None or one_is_firewall:
        return
    if same_kind and not duplicated:
        return
    differing = not same_protocol and mine == theirs and mine in ("PortForwarding", "StaticNat")
    if start <= other_end and other_start <= end and not differing:
        raise RuleConflictError(
            f"The range specified, {start}-{end}, conflicts with rule {describe(other)} "
            f"which has {other_start}-{other_end}"
        )


def network_for_rule(ip: PublicIp, named: Network | None) -> Network | None:
    """The network that a rule on an address is for (getPreferredNetworkIdForPublicIpRuleAssignment)."""
    if ip.vpc is not None and ip.vpc.offering.conserve_mode and named is not None:
        return named
    return ip.network or named


def bind_to_tier(cloud: Cloud, ip: PublicIp, network: Network, service: str) -> None:
    """Associate an address of a VPC with the tier that its first rule is for."""
    if ip.network is None and ip.vpc is not None and ip.vpc is network.vpc:
        check_ip_for_service(cloud, ip, service, network)
        ip.network = network
    else:
        check_ip_for_service(cloud, ip, service)


def unbind_from_tier(cloud: Cloud, ip: PublicIp) -> None:
    """Take an address of a VPC out of its tier once nothing uses it there."""
    if ip.vpc is not None and not ip.source_nat and not ip.static_nat and not public_ips.rules_of(cloud, ip):
        ip.network = None
