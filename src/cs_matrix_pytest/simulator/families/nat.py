"""Static NAT, and IP forwarding rules on addresses that have it (RulesManagerImpl)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from cs_matrix_pytest.simulator.access import check_access
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InvalidParameterValue
from cs_matrix_pytest.simulator.families import firewall, rule_conflicts
from cs_matrix_pytest.simulator.families.port_forwarding import GONE, describe_ip, describe_vm
from cs_matrix_pytest.simulator.families.public_ips import named_ip, rules_of
from cs_matrix_pytest.simulator.models.networks import (
    LoadBalancerRule,
    Network,
    PortForwardingRule,
    PublicIp,
    StaticNatRule,
)
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family, Scope, Success
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.views import comma, tag_fields

family = Family("NAT")


@family.command("enableStaticNat")
def enable_static_nat(call: Call) -> Answer:
    cloud, ip, vm = call.cloud, named_ip(call), call.one(UserVm, "virtualmachineid")
    named = call.maybe(Network, "networkid")
    network = named if ip.is_portable and named is not None else ip.network or named
    if network is None:
        raise InvalidParameterValue(
            f"Unable to enable static NAT for the ipAddress id={ip.number} as IP is not associated with any Network "
            "and no networkId is passed in"
        )
    nic = next((nic for nic in vm.nics if nic.network is network), None)
    if nic is None or nic.ip_address is None:
        raise InvalidParameterValue("Vm doesn't belong to the network with specified id")
    if not network.supports("StaticNat"):
        raise InvalidParameterValue(
            "Unable to create static nat rule; StaticNat service is not supported in network with specified id"
        )
    if ip.network is not None and ip.network is not network and not ip.is_portable:
        raise InvalidParameterValue("Invalid network. IP is associated with a different network than passed network id")
    was = ip.network
    if ip.is_portable and ip.network is not network:
        ip.network = network
    rule_conflicts.bind_to_tier(cloud, ip, network, "StaticNat")
    if ip.network is None:
        raise InvalidParameterValue(f"Ip address {describe_ip(ip)} is not assigned to the network")
    try:
        if vm.state in GONE:
            raise InvalidParameterValue(f"Invalid user vm: {describe_vm(vm)}")
        for resource in (ip, vm):
            check_access(cloud, call.account, resource)
        if ip.zone is not vm.zone and not ip.is_portable:
            raise InvalidParameterValue(
                f"Unable to create ip forwarding rule, IP address {describe_ip(ip)} is not in the same availability zone "
                f"as virtual machine {describe_vm(vm)}"
            )
        check_access(cloud, vm.account, network, "UseEntry")
        wanted = call.get("vmguestip")
        if wanted is not None and wanted not in nic.addresses:
            raise InvalidParameterValue(f"VM ip {wanted} address not belongs to the vm")
        address = wanted or nic.ip_address
        check_ready(call, ip, vm, address)
    except ApiError:
        ip.network = was
        raise
    ip.static_nat, ip.vm, ip.vm_ip = True, vm, address
    return Success()


def check_ready(call: Call, ip: PublicIp, vm: UserVm, address: str) -> None:
    """Raise where an address cannot lead to a VM as a whole (isIpReadyForStaticNat)."""
    cloud = call.cloud
    if ip.source_nat:
        raise InvalidParameterValue(f"Can't enable static, ip address {describe_ip(ip)} is a sourceNat ip address")
    if not ip.static_nat:
        for kind, called in ((PortForwardingRule, "PortForwarding"), (LoadBalancerRule, "LoadBalancing")):
            if any(isinstance(rule, kind) for rule in rules_of(cloud, ip)):
                raise rule_conflicts.RuleConflictError(
                    f"Failed to enable static nat for the ip address {describe_ip(ip)} as it already has {called} rules "
                    "assigned"
                )
    elif ip.vm is not vm:
        raise rule_conflicts.RuleConflictError(
            f"Failed to enable static for the ip address {describe_ip(ip)} and vm id={vm.number} as it's already assigned "
            "to another vm"
        )
    old = cloud.store.table(PublicIp).first(vm=vm, vm_ip=address)
    if old is not None:
        raise InvalidParameterValue(
            f"Failed to enable static nat on the  ip {ip.address} with Id {ip.id} as the vm {vm.instance_name} with Id "
            f"{vm.id} is already associated with another public ip {old.address} with id {old.id}"
        )


@family.before("disableStaticNat")
def check_address(call: Call) -> None:
    if not isinstance(call.params["ipaddressid"], PublicIp):
        # The server asks nobody for the owner's id.
        raise ApiError(
            'Cannot invoke "com.cloud.network.IpAddress.getAccountId()" because the return value of '
            '"com.cloud.utils.db.EntityManager.findById(java.lang.Class, java.io.Serializable)" is null'
        )


@family.command("disableStaticNat")
def disable_static_nat(call: Call) -> Answer:
    ip, cloud = named_ip(call), call.cloud
    if ip.state == "Free":
        raise InvalidParameterValue(
            f"Unable to create ip forwarding rule on address {describe_ip(ip)}, invalid IP address specified."
        )
    check_access(cloud, call.account, ip)
    if ip.is_system:
        raise InvalidParameterValue("Can't disable static nat for system IP address with specified id")
    if ip.vm is None:
        raise InvalidParameterValue("Specified IP address id is not associated with any vm Id")
    if not ip.static_nat:
        raise InvalidParameterValue("One to one nat is not enabled for the specified ip id")
    for rule in cloud.store.table(StaticNatRule).where(ip=ip):
        firewall.close_for(cloud, rule)
        cloud.store.remove(rule)
    ip.static_nat, ip.vm, ip.vm_ip = False, None, None
    rule_conflicts.unbind_from_tier(cloud, ip)
    return Success()


# IP forwarding rules


@family.view(StaticNatRule)
def static_nat_rule_view(rule: StaticNatRule, call: Call) -> dict[str, Any]:
    vm = rule.ip.vm if isinstance(rule.ip.vm, UserVm) else None
    return {
        "id": rule.id,
        "protocol": rule.protocol,
        "publicport": str(rule.start_port),
        "publicendport": str(rule.end_port),
        "privateport": str(rule.start_port),
        "privateendport": str(rule.end_port),
        "ipaddressid": rule.ip.id,
        "ipaddress": rule.ip.address,
        "virtualmachineid": vm.id if vm else None,
        "virtualmachinename": vm.name if vm else None,
        "virtualmachinedisplayname": (vm.display_name or vm.name) if vm else None,
        "vmguestip": rule.ip.vm_ip,
        "networkid": rule.network.id,
        "networkname": rule.network.name,
        "cidrlist": comma(rule.cidr_list),
        "state": rule.state,
        "tags": tag_fields(rule),
    }


@family.command("createIpForwardingRule", object_name="ipforwardingrule")
def create_ip_forwarding_rule(call: Call) -> Generator[Resource, None, Answer]:
    cloud, ip = call.cloud, named_ip(call)
    if "cidrlist" in call:
        raise InvalidParameterValue(
            "Parameter cidrList is deprecated; if you need to open firewall rule for the specific CIDR, please refer to "
            "createFirewallRule command"
        )
    if ip.source_nat or not ip.static_nat or ip.network is None:
        raise rule_conflicts.RuleConflictError(f"Can't do static nat on ip address: {ip.address}")
    start = call["startport"]
    end = call.get("endport", start)
    rule_conflicts.check_ports(start, end)
    check_access(cloud, call.account, ip)
    rule_conflicts.check_ip_for_service(cloud, ip, "StaticNat")
    rule = StaticNatRule(
        account=ip.account,
        protocol=call["protocol"].lower(),
        ip=ip,
        network=ip.network,
        start_port=start,
        end_port=end,
    )
    rule_conflicts.detect(cloud, rule)
    cloud.store.add(rule)
    if call.flag("openfirewall", True):
        firewall.open_for(call, rule)
    try:
        yield rule
    except ApiError:
        firewall.close_for(cloud, rule)
        cloud.store.remove(rule)
        raise
    rule.state = "Active"
    return rule


family.must_name("deleteIpForwardingRule", "id", Resource, "Unable to find static NAT rule by ID: {}")


@family.command("deleteIpForwardingRule")
def delete_ip_forwarding_rule(call: Call) -> Answer:
    rule = call.one(StaticNatRule, missing="Unable to find {}")
    check_access(call.cloud, call.account, rule)
    firewall.close_for(call.cloud, rule)
    call.cloud.store.remove(rule)
    return Success()


family.listing(
    "listIpForwardingRules",
    StaticNatRule,
    scope=Scope.OWNER,
    newest_first=True,
    filters={
        "ipaddressid": lambda rule, ip, call: rule.ip is ip,
        "virtualmachineid": lambda rule, vm, call: rule.ip.vm is vm,
    },
)
family.object_names["listIpForwardingRules"] = "ipforwardingrule"
