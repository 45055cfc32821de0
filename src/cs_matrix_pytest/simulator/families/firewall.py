"""Firewall rules: into a network through its addresses, and out of it (FirewallManagerImpl)."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import check_access
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InvalidParameterValue, ParameterError
from cs_matrix_pytest.simulator.families import public_ips, rule_conflicts
from cs_matrix_pytest.simulator.families.addresses import is_inside
from cs_matrix_pytest.simulator.ipv4 import is_cidr
from cs_matrix_pytest.simulator.models.networks import (
    FirewallRule,
    LoadBalancerRule,
    Network,
    PortForwardingRule,
    PublicIp,
    StaticNatRule,
)
from cs_matrix_pytest.simulator.registry import Answer, Family, Scope, Success
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.views import comma, tag_fields

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("firewall")


@family.view(FirewallRule)
def firewall_rule_view(rule: FirewallRule, call: Call) -> dict[str, Any]:
    return {
        "id": rule.id,
        "protocol": rule.protocol,
        "startport": rule.start_port,
        "endport": rule.end_port,
        "ipaddressid": rule.ip.id if rule.ip else None,
        "ipaddress": rule.ip.address if rule.ip else None,
        "networkid": rule.network.id,
        "state": rule.state,
        "cidrlist": comma(rule.cidr_list),
        "destcidrlist": comma(rule.dest_cidr_list),
        "icmptype": rule.icmp_type,
        "icmpcode": rule.icmp_code,
        "tags": tag_fields(rule),
        "fordisplay": rule.display if call.is_root_admin else None,
        "traffictype": "Egress" if rule.egress else "Ingress",
    }


def is_any_cidr(cidr: str) -> bool:
    """True for an IPv4 or IPv6 CIDR."""
    return is_cidr(cidr) or (":" in cidr and cidr.rpartition("/")[2].isdecimal())


def asked_for(call: Call, network: Network, ip: PublicIp | None, cidrs: list[str]) -> FirewallRule:
    """The rule that a request describes, with its ports and ICMP values completed."""
    protocol = call["protocol"].strip().lower()
    start, end = call.get("startport"), call.get("endport", call.get("startport"))
    icmp_type, icmp_code = call.get("icmptype"), call.get("icmpcode")
    rule_conflicts.check_rule(call, "Firewall", call["protocol"].strip(), (start, end), network, ip)
    if protocol != "icmp" and (icmp_type is not None or icmp_code is not None):
        raise InvalidParameterValue("Can specify icmpCode and icmpType for ICMP protocol only")
    if protocol == "icmp":
        if start is not None or end is not None:
            raise InvalidParameterValue("Can't specify start/end port when protocol is ICMP")
        icmp_type = -1 if icmp_type is None else icmp_type
        icmp_code = -1 if icmp_code is None else icmp_code
    return FirewallRule(
        account=ip.account if ip else network.account,
        protocol=protocol,
        network=network,
        ip=ip,
        start_port=start,
        end_port=end,
        cidr_list=cidrs,
        dest_cidr_list=call.get("destcidrlist", []),
        icmp_type=icmp_type,
        icmp_code=icmp_code,
        egress=ip is None,
        display=call.flag("fordisplay", True),
        type="System" if call.get("type", "").lower() == "system" else "User",
    )


def keep(cloud: Cloud, rule: FirewallRule) -> FirewallRule:
    """Keep a new rule unless it conflicts with another."""
    if rule.type == "User":
        rule_conflicts.detect(cloud, rule)
    return cloud.store.add(rule)


def applied(call: Call, rule: FirewallRule) -> Generator[Resource, None, Answer]:
    """The job that puts a new rule into effect; it is gone where that fails."""
    try:
        yield rule
    except ApiError:
        call.cloud.store.remove(rule)
        raise
    rule.state = "Active"
    return rule


@family.command("createFirewallRule")
def create_firewall_rule(call: Call) -> Generator[Resource, None, Answer]:
    ip = call.maybe(PublicIp, "ipaddressid")
    if ip is None:
        raise InvalidParameterValue(f"Unable to find IP address by ID {call.raw['ipaddressid']}")
    cidrs = [cidr.strip() for cidr in call.get("cidrlist", [])] or [rule_conflicts.ALL_CIDRS]
    for cidr in cidrs:
        if not is_any_cidr(cidr):
            raise ParameterError(f"Source CIDRs formatting error {cidr}")
    if ip.vpc is not None:
        raise InvalidParameterValue(f"Firewall service is not supported in VPC {rule_conflicts.describe_vpc(ip.vpc)}")
    if ip.network is None:
        raise InvalidParameterValue(
            f"Unable to create firewall rule for the IP address ID={ip.number} as IP is not associated with any network "
            "and no networkId is passed in"
        )
    rule_conflicts.check_ip_for_service(call.cloud, ip, "Firewall")
    rule = keep(call.cloud, asked_for(call, ip.network, ip, cidrs))
    return (yield from applied(call, rule))


@family.command("createEgressFirewallRule")
def create_egress_firewall_rule(call: Call) -> Generator[Resource, None, Answer]:
    network = call.maybe(Network, "networkid")
    if network is None:
        raise InvalidParameterValue("Invalid networkId is given")
    cidrs = [cidr.strip() for cidr in call.get("cidrlist", [])] or [network.cidr or ""]
    for cidr in cidrs:
        if not is_any_cidr(cidr):
            raise ParameterError(f"Source CIDRs formatting error [{cidr}].")
        if cidr != rule_conflicts.ALL_CIDRS and not (is_cidr(cidr) and network.cidr and is_inside(cidr, network.cidr)):
            raise ParameterError(f"[{cidr}] is not within the guest CIDR [{network.cidr}]. ")
    for cidr in call.get("destcidrlist", []):
        if not is_any_cidr(cidr.strip()):
            raise ParameterError(f"Destination CIDRs formatting error [{cidr.strip()}].")
    if call["protocol"].strip().lower() == "all" and "startport" in call:
        raise InvalidParameterValue(
            f"Unable to create firewall rule for the network id=[{network.number}] due to: ports must not be informed to "
            "protocol ALL, as it does not require them."
        )
    if network.vpc is not None:
        raise InvalidParameterValue(
            f"Unable to create firewall rule for the network id=[{network.number}] as firewall egress rule can be created "
            "only for non VPC networks."
        )
    if network.guest_type == "Shared":
        raise InvalidParameterValue("Egress firewall rules are not supported for Shared  networks")
    cidrs = [network.cidr or cidr if cidr == rule_conflicts.ALL_CIDRS else cidr for cidr in cidrs]
    rule = keep(call.cloud, asked_for(call, network, None, cidrs))
    return (yield from applied(call, rule))


def open_for(call: Call, rule: PortForwardingRule | LoadBalancerRule | StaticNatRule) -> None:
    """Open the firewall for everybody on a rule's ports, unless that is done (createRuleForAllCidrs)."""
    start, end = rule_conflicts.ports_of(rule)
    table = call.cloud.store.table(FirewallRule)
    if table.first(ip=rule.ip, start_port=start, end_port=end, protocol=rule.protocol):
        return
    rule_conflicts.check_ip_for_service(call.cloud, rule.ip, "Firewall", rule.network)
    rule_conflicts.check_rule(call, "Firewall", rule.protocol, (start, end), rule.network, rule.ip)
    opened = FirewallRule(
        account=rule.account,
        protocol=rule.protocol,
        network=rule.network,
        ip=rule.ip,
        start_port=start,
        end_port=end,
        cidr_list=[rule_conflicts.ALL_CIDRS],
        state="Active",
        related=rule,
    )
    keep(call.cloud, opened)


def close_for(cloud: Cloud, rule: Resource) -> None:
    """Remove the firewall rule that was opened for a rule."""
    for opened in cloud.store.table(FirewallRule).where(related=rule):
        cloud.store.remove(opened)


def rule_named(call: Call, *, egress: bool) -> FirewallRule:
    rule = call.params["id"]
    if not isinstance(rule, FirewallRule) or rule not in call.cloud.store or rule.egress is not egress:
        kind = "egress firewall" if egress else "firewall"
        raise InvalidParameterValue(f"Unable to find {getattr(rule, 'number', rule)} having purpose {kind}")
    check_access(call.cloud, call.account, rule)
    return rule


@family.command("deleteFirewallRule", "deleteEgressFirewallRule")
def delete_firewall_rule(call: Call) -> Answer:
    rule = rule_named(call, egress=call.command.name == "deleteEgressFirewallRule")
    if rule.type == "System" and not call.is_root_admin:
        raise InvalidParameterValue("Only root admin can delete the system wide firewall rule")
    call.cloud.store.remove(rule)
    return Success()


@family.command("updateFirewallRule", "updateEgressFirewallRule")
def update_firewall_rule(call: Call) -> Answer:
    rule = rule_named(call, egress=call.command.name == "updateEgressFirewallRule")
    if rule.type == "System" and not call.is_root_admin:
        raise InvalidParameterValue("Only root admin can update the system wide firewall rule")
    public_ips.rename(call, rule)
    if "fordisplay" in call:
        rule.display = call.flag("fordisplay")
    return rule


def rows(egress: bool) -> Any:
    def chosen(call: Call) -> Iterable[FirewallRule]:
        ip = call.maybe(PublicIp, "ipaddressid")
        if ip is not None:
            if ip.state != "Allocated":
                raise InvalidParameterValue(f"Ip address id={ip.number} not ready for firewall rules yet")
            check_access(call.cloud, call.account, ip)
        return call.cloud.store.table(FirewallRule).where(egress=egress)

    return chosen


FILTERS = {
    "ipaddressid": lambda rule, ip, call: rule.ip is ip,
    "fordisplay": lambda rule, wanted, call: rule.display is wanted,
}
family.listing(
    "listFirewallRules", FirewallRule, scope=Scope.OWNER, rows=rows(False), filters=FILTERS, newest_first=True
)
family.listing(
    "listEgressFirewallRules", FirewallRule, scope=Scope.OWNER, rows=rows(True), filters=FILTERS, newest_first=True
)
