"""Port forwarding: ports of a public address that lead to a guest (RulesManagerImpl)."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

from cs_matrix_pytest.simulator import ipv4
from cs_matrix_pytest.simulator.access import check_access
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InvalidParameterValue
from cs_matrix_pytest.simulator.families import firewall, public_ips, rule_conflicts
from cs_matrix_pytest.simulator.models.networks import Network, Nic, PortForwardingRule, PublicIp
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family, Scope, Success
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.views import comma, tag_fields

family = Family("port forwarding")

GONE = ("Destroyed", "Expunging")
"""States of VMs that no rule may lead to."""


@family.view(PortForwardingRule)
def port_forwarding_view(rule: PortForwardingRule, call: Call) -> dict[str, Any]:
    vm = rule.vm if isinstance(rule.vm, UserVm) else None
    return {
        "id": rule.id,
        "privateport": str(rule.private_port),
        "privateendport": str(rule.private_end_port),
        "protocol": rule.protocol,
        "publicport": str(rule.public_port),
        "publicendport": str(rule.public_end_port),
        "virtualmachineid": vm.id if vm else None,
        "virtualmachinename": vm.name if vm else None,
        "virtualmachinedisplayname": (vm.display_name or vm.name) if vm else None,
        "ipaddressid": rule.ip.id,
        "ipaddress": rule.ip.address,
        "state": rule.state,
        "cidrlist": comma(rule.cidr_list),
        "tags": tag_fields(rule),
        "vmguestip": rule.vm_ip,
        "networkid": rule.network.id,
        "networkname": rule.network.name,
        "fordisplay": rule.display if call.is_root_admin else None,
    }


def guest_address(vm: UserVm, network: Network, wanted: str | None, refusal: str) -> str:
    """The address of a VM in a network that a rule leads to: its NIC's, or a secondary one that is asked for."""
    nic: Nic | None = next((nic for nic in vm.nics if nic.network is network), None)
    if nic is None or nic.ip_address is None:
        raise InvalidParameterValue(refusal)
    if wanted is None or wanted == nic.ip_address:
        return nic.ip_address
    if wanted not in nic.secondary_ips.values():
        raise InvalidParameterValue("IP Address is not in the VM nic's network ")
    return wanted


def opens_firewall(call: Call, ip: PublicIp) -> bool:
    """Whether a new rule opens the firewall too: yes, unless it is said not to, or the address is a VPC's."""
    if ip.vpc is not None and call.flag("openfirewall"):
        raise InvalidParameterValue("Can't have openFirewall=true when IP address belongs to VPC")
    return call.flag("openfirewall", ip.vpc is None)


def live_vm(call: Call, name: str = "virtualmachineid") -> UserVm:
    """The VM that a parameter names, if it is not destroyed."""
    vm = call.one(UserVm, name)
    if vm.state in GONE:
        raise InvalidParameterValue(f"Invalid user vm: {describe_vm(vm)}")
    return vm


def describe_vm(vm: UserVm) -> str:
    """A VM as error texts name it."""
    return (
        f'VM instance {{"id":{vm.number},"instanceName":"{vm.instance_name}","state":"{vm.state}",'
        f'"type":"User","uuid":"{vm.id}"}}'
    )


def check_ports(rule: PortForwardingRule) -> None:
    """Raise InvalidParameterValue where a range of public ports does not lead to the same private ones."""
    if rule.public_port != rule.public_end_port or rule.private_port != rule.private_end_port:
        if rule.public_port != rule.private_port:
            raise InvalidParameterValue("Private port start should be equal to public port start")
        if rule.public_end_port != rule.private_end_port:
            raise InvalidParameterValue("Private port end should be equal to public port end")


def check_cidrs(call: Call) -> None:
    for cidr in call.get("cidrlist", []):
        if not firewall.is_any_cidr(cidr):
            raise InvalidParameterValue(f"The given source CIDR [{cidr}] is invalid.")


@family.command("createPortForwardingRule")
def create_port_forwarding_rule(call: Call) -> Generator[Resource, None, Answer]:
    cloud, ip = call.cloud, public_ips.named_ip(call)
    if "vmguestip" in call and not ipv4.is_address(call["vmguestip"]):
        raise InvalidParameterValue("Invalid Instance IP address")
    check_cidrs(call)
    opening = opens_firewall(call, ip)
    if ip.static_nat:
        raise InvalidParameterValue(
            f"Unable to create port forwarding rule; ip {describe_ip(ip)} has static nat enabled"
        )
    network = rule_conflicts.network_for_rule(ip, call.maybe(Network, "networkid"))
    if network is None:
        raise InvalidParameterValue(
            f"Unable to create port forwarding rule for the ipAddress id={ip.number} as ip is not associated with any "
            "network and no networkId is passed in"
        )
    was = ip.network
    rule_conflicts.bind_to_tier(cloud, ip, network, "PortForwarding")
    try:
        rule = asked_for(call, ip, network)
        check_ports(rule)
        cloud.store.add(rule)
        try:
            if opening:
                firewall.open_for(call, rule)
            rule_conflicts.detect(cloud, rule)
        except ApiError:
            firewall.close_for(cloud, rule)
            cloud.store.remove(rule)
            raise
    except ApiError:
        ip.network = was
        raise
    try:
        yield rule
    except ApiError:
        remove(call, rule)
        raise
    rule.state = "Active"
    return rule


def asked_for(call: Call, ip: PublicIp, network: Network) -> PortForwardingRule:
    """The rule that a request describes."""
    public, private = call["publicport"], call["privateport"]
    public_end, private_end = call.get("publicendport", public), call.get("privateendport", private)
    protocol = call["protocol"].strip()
    rule_conflicts.check_rule(call, "PortForwarding", protocol, (public, public_end), network, ip)
    if private > private_end:
        raise InvalidParameterValue("Start port can't be bigger than end port")
    if private_end - private != public_end - public:
        raise InvalidParameterValue("Source port and destination port ranges should be of equal sizes.")
    vm = live_vm(call)
    return PortForwardingRule(
        account=ip.account,
        protocol=protocol.lower(),
        ip=ip,
        network=network,
        public_port=public,
        public_end_port=public_end,
        private_port=private,
        private_end_port=private_end,
        vm=vm,
        vm_ip=guest_address(
            vm, network, call.get("vmguestip"), "Vm doesn't belong to network associated with ipAddress"
        ),
        cidr_list=call.get("cidrlist", []),
        display=call.flag("fordisplay", True),
    )


def describe_ip(ip: PublicIp) -> str:
    """An address as error texts name it."""
    return (
        f'IPAddress {{"address":{{"addr":"{ip.address}"}},"dataCenterId":{ip.zone.number},"id":{ip.number},'
        f'"uuid":"{ip.id}"}}'
    )


def remove(call: Call, rule: PortForwardingRule) -> None:
    """Remove a rule, the firewall rule that it opened, and its address from its tier."""
    firewall.close_for(call.cloud, rule)
    call.cloud.store.remove(rule)
    rule_conflicts.unbind_from_tier(call.cloud, rule.ip)


def rule_named(call: Call) -> PortForwardingRule:
    rule = call.one(PortForwardingRule, missing="Unable to find the rule by id")
    check_access(call.cloud, call.account, rule)
    return rule


family.must_name("deletePortForwardingRule", "id", PortForwardingRule, "Unable to find port forwarding rule by ID={}")


@family.command("deletePortForwardingRule")
def delete_port_forwarding_rule(call: Call) -> Answer:
    remove(call, rule_named(call))
    return Success()


@family.command("updatePortForwardingRule")
def update_port_forwarding_rule(call: Call) -> Answer:
    rule = rule_named(call)
    start, end = call.get("privateport"), call.get("privateendport")
    for port, called in ((start, "privatePort is an invalid value"), (end, "PrivateEndPort has an invalid value")):
        if port is not None and not 0 <= port <= rule_conflicts.MAX_PORT:
            raise InvalidParameterValue(f"{called}: {port}")
    size = rule.public_end_port - rule.public_port
    if (start is not None and end is not None and end - start != size) or (size and (start is None) != (end is None)):
        raise InvalidParameterValue(
            "Unable to update the private port range of port forwarding rule as  the provided port range is not "
            f"consistent with the port range : {rule.public_port} to {rule.public_end_port}"
        )
    if "vmguestip" in call and "virtualmachineid" not in call:
        raise InvalidParameterValue("vmguestip should be set along with virtualmachineid")
    if "virtualmachineid" in call:
        vm = call.one(UserVm, "virtualmachineid", missing="Vm doesn't belong to network associated with ipAddress")
        address = guest_address(
            vm, rule.network, call.get("vmguestip"), "Vm doesn't belong to network associated with ipAddress"
        )
        check_cidrs(call)
        rule.vm, rule.vm_ip = vm, address
    check_cidrs(call)
    if start is not None or end is not None:
        rule.private_port = end if start is None else start
        rule.private_end_port = start if end is None else end
    rule.cidr_list = call.get("cidrlist", rule.cidr_list)
    rule.display = call.flag("fordisplay", rule.display)
    public_ips.rename(call, rule)
    return rule


def listed(call: Call) -> Iterable[PortForwardingRule]:
    ip = call.maybe(PublicIp, "ipaddressid")
    if ip is not None:
        if ip.state != "Allocated":
            raise InvalidParameterValue(f"Ip address id={ip.number} not ready for port forwarding rules yet")
        check_access(call.cloud, call.account, ip)
    return call.cloud.store.table(PortForwardingRule)


family.listing(
    "listPortForwardingRules",
    PortForwardingRule,
    scope=Scope.OWNER,
    rows=listed,
    newest_first=True,
    filters={"ipaddressid": lambda rule, ip, call: rule.ip is ip},
)
