"""Firewall rules: into a network through its addresses, and out of it (FirewallManagerImpl)."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from ipaddress import IPv6Network
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import check_access, scoping
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InvalidParameterValue, ParameterError
from cs_matrix_pytest.simulator.families import public_ips, rule_conflicts
from cs_matrix_pytest.simulator.families.addresses import is_inside
from cs_matrix_pytest.simulator.families.network_capabilities import of_offering
from cs_matrix_pytest.simulator.ipv4 import is_cidr
from cs_matrix_pytest.simulator.listing import filtered, page
from cs_matrix_pytest.simulator.models.networks import (
    FirewallRule,
    LoadBalancerRule,
    Network,
    PortForwardingRule,
    PublicIp,
    StaticNatRule,
)
from cs_matrix_pytest.simulator.registry import Answer, Family, Filter, ListSpec, Scope, Success
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
    return is_cidr(cidr) or is_ip6_cidr(cidr)


def is_ip6_cidr(cidr: str) -> bool:
    """True for an IPv6 CIDR, host bits or not."""
    try:
        return "/" in cidr and bool(IPv6Network(cidr, strict=False))
    except ValueError:
        return False


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
    ip = public_ips.named_ip(call)
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


def deletable(call: Call) -> FirewallRule:
    """The rule that a request is to delete, of whatever direction and family."""
    rule = call.one(FirewallRule, missing="Unable to find {} having purpose [Firewall, Ipv6Firewall]")
    if rule.type == "System" and not call.is_root_admin:
        raise InvalidParameterValue("Only root admin can delete the system wide firewall rule")
    check_access(call.cloud, call.account, rule)
    return rule


MISSING = {
    "deleteFirewallRule": "Unable to find firewall rule by ID={}",
    "deleteEgressFirewallRule": "Unable to find egress firewall rule by id",
    "updateFirewallRule": "Unable to find firewall rule by ID",
    "updateEgressFirewallRule": "Unable to find egress firewall rule by ID",
}
"""What is said at once of a rule that is not there."""
for _command, _refusal in MISSING.items():
    family.must_name(_command, "id", Resource, _refusal)


@family.before("updateFirewallRule", "updateEgressFirewallRule")
def check_direction(call: Call) -> None:
    rule, egress = call.params["id"], "Egress" in call.command.name
    if isinstance(rule, FirewallRule) and rule.egress is not egress:
        raise InvalidParameterValue(MISSING[call.command.name])


@family.command("deleteFirewallRule", "deleteEgressFirewallRule", "deleteIpv6FirewallRule", "deleteRoutingFirewallRule")
def delete_firewall_rule(call: Call) -> Answer:
    check_there(call)
    call.cloud.store.remove(deletable(call))
    return Success()


def check_there(call: Call) -> None:
    """Raise as the commands of the newer sorts of rules do, which know them only when they run."""
    for sort in ("Ipv6", "Routing"):
        if sort in call.command.name and call.params["id"] not in call.cloud.store:
            called = {"Ipv6": "IPv6", "Routing": "routing"}[sort]
            raise InvalidParameterValue(f"Unable to find {called} firewall rule with id {call.params['id'].number}")


@family.command("updateFirewallRule", "updateEgressFirewallRule")
def update_firewall_rule(call: Call) -> Answer:
    return changed(call, call.flag("fordisplay") if "fordisplay" in call else None)


def changed(call: Call, display: bool | None) -> FirewallRule:
    """The rule that a request names, after its update. It has to be one for IPv4 (updateFirewallRule)."""
    rule = call.params["id"]
    if not isinstance(rule, FirewallRule) or rule not in call.cloud.store or rule.purpose != "Firewall":
        raise InvalidParameterValue(f"Unable to find {rule.number} having purpose Firewall")
    if rule.type == "System" and not call.is_root_admin:
        raise InvalidParameterValue("Only root admin can update the system wide firewall rule")
    check_access(call.cloud, call.account, rule)
    public_ips.rename(call, rule)
    if display is not None:
        rule.display = display
    return rule


# Rules of routed networks, and for IPv6


def shown_as_firewall_rule(call: Call, rule: FirewallRule) -> dict[str, Any]:
    """A rule as createFirewallRule shows it: the newer commands answer so, though they declare other fields."""
    return {name: value for name, value in firewall_rule_view(rule, call).items() if value is not None}


@family.command("createIpv6FirewallRule", "createRoutingFirewallRule")
def create_rule_of_network(call: Call) -> Generator[Resource, None, Answer]:
    rule = keep(call.cloud, planned_rule_of_network(call))
    yield from applied(call, rule)
    return {"firewallrule": shown_as_firewall_rule(call, rule)}


def planned_rule_of_network(call: Call) -> FirewallRule:
    """The rule that a request describes, for all packets that go into or out of a network."""
    ip6 = call.command.name == "createIpv6FirewallRule"
    version, anywhere, is_valid = ("IPv6", "::/0", is_ip6_cidr) if ip6 else ("IPv4", "0.0.0.0/0", is_cidr)
    sources, targets = call.get("cidrlist", [anywhere]), call.get("destcidrlist", [anywhere])
    protocol, start = protocol_of(call["protocol"]), call.get("startport")
    end = call.get("endport", start)
    icmp = protocol.lower() == "icmp"
    egress = direction_of(call.get("traffictype"))
    for cidrs, which in ((sources, "source"), (targets, "destination")):
        for cidr in cidrs:
            if not is_valid(cidr):
                raise InvalidParameterValue(f"Invalid {which} {version} CIDR: {cidr}")
    rule_conflicts.check_ports(start, end)
    network = call.one(Network, "networkid")
    check_access(call.cloud, call.account, network)
    rule_conflicts.check_service(network, "Firewall")
    supported = of_offering(network.offering, "Firewall")[
        "SupportedEgressProtocols" if egress else "SupportedProtocols"
    ]
    if protocol.lower() not in supported.lower():
        raise InvalidParameterValue(f"Protocol {protocol} is not supported in zone")
    icmp_type, icmp_code = call.get("icmptype", -1 if icmp else None), call.get("icmpcode", -1 if icmp else None)
    if not icmp and (icmp_type is not None or icmp_code is not None):
        raise InvalidParameterValue("Can specify icmpCode and icmpType for ICMP protocol only")
    if icmp and (start is not None or end is not None):
        raise InvalidParameterValue("Can't specify start/end port when protocol is ICMP")
    return FirewallRule(
        account=network.account,
        protocol=protocol.lower(),
        network=network,
        start_port=start,
        end_port=end,
        cidr_list=sources,
        dest_cidr_list=targets,
        icmp_type=icmp_type,
        icmp_code=icmp_code,
        egress=egress,
        purpose="Ipv6Firewall" if ip6 else "Firewall",
        display=call.flag("fordisplay", True),
    )


PROTOCOL_NUMBERS = {1: "icmp", 6: "tcp", 17: "udp"}


def protocol_of(text: str) -> str:
    """A protocol by name; those of the three numbers that are known."""
    name = text.strip()
    if name.isdecimal():
        if int(name) not in PROTOCOL_NUMBERS:
            raise InvalidParameterValue(f"Protocol {int(name)} not supported")
        return PROTOCOL_NUMBERS[int(name)]
    return name


def direction_of(text: str | None) -> bool:
    """True for egress; ingress unless it is said."""
    if text is not None and text.lower() not in ("ingress", "egress"):
        raise InvalidParameterValue(f"Invalid traffic type {text}")
    return text is not None and text.lower() == "egress"


@family.command("updateIpv6FirewallRule", "updateRoutingFirewallRule")
def update_rule_of_network(call: Call) -> Answer:
    check_there(call)
    # Neither hides a rule that it is not told to show.
    return {"firewallrule": shown_as_firewall_rule(call, changed(call, call.flag("fordisplay", True)))}


@family.command("listIpv6FirewallRules", "listRoutingFirewallRules")
def list_rules_of_networks(call: Call) -> Answer:
    direction = call.get("traffictype")
    if direction is not None and direction not in ("Ingress", "Egress"):
        raise ParameterError(f"No enum constant com.cloud.network.rules.FirewallRule.TrafficType.{direction}")
    purpose, scope = "Ipv6Firewall" if "Ipv6" in call.command.name else "Firewall", scoping(call)
    chosen = [
        rule
        for rule in call.cloud.store.table(FirewallRule).where(purpose=purpose)
        if scope.admits(rule.account) and direction in (None, "Egress" if rule.egress else "Ingress")
    ]
    spec = ListSpec(FirewallRule, filters={**FILTERS, "traffictype": lambda rule, value, call: True}, newest_first=True)
    shown = page(call, filtered(call, spec, chosen))
    rows = [shown_as_firewall_rule(call, rule) for rule in shown.rows if isinstance(rule, FirewallRule)]
    return {"count": shown.total, "firewallrule": rows} if rows else {}


def rows(egress: bool) -> Any:
    def chosen(call: Call) -> Iterable[FirewallRule]:
        ip = call.maybe(PublicIp, "ipaddressid")
        if ip is not None:
            if ip.state != "Allocated":
                raise InvalidParameterValue(f"Ip address id={ip.number} not ready for firewall rules yet")
            check_access(call.cloud, call.account, ip)
        return call.cloud.store.table(FirewallRule).where(egress=egress, purpose="Firewall")

    return chosen


FILTERS: dict[str, Filter] = {
    "ipaddressid": lambda rule, ip, call: rule.ip is ip,
    "fordisplay": lambda rule, wanted, call: rule.display is wanted,
}
family.listing(
    "listFirewallRules", FirewallRule, scope=Scope.OWNER, rows=rows(False), filters=FILTERS, newest_first=True
)
family.listing(
    "listEgressFirewallRules", FirewallRule, scope=Scope.OWNER, rows=rows(True), filters=FILTERS, newest_first=True
)
