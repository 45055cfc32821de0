"""Load balancer rules, the VMs behind them, stickiness and health checks (LoadBalancingRulesManagerImpl)."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

from cs_matrix_pytest.simulator import ipv4
from cs_matrix_pytest.simulator.access import check_access, check_owner, owner_of_new
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InvalidParameterValue, ParameterError, PermissionDenied
from cs_matrix_pytest.simulator.families import firewall, guest_networks, public_ips, rule_conflicts
from cs_matrix_pytest.simulator.families.network_capabilities import STICKINESS_METHODS
from cs_matrix_pytest.simulator.families.port_forwarding import GONE, describe_vm, opens_firewall
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.iam import Account
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.models.networks import (
    HealthCheckPolicy,
    LoadBalancerRule,
    Network,
    PublicIp,
    StickinessPolicy,
)
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.models.vpc import InternalLoadBalancer
from cs_matrix_pytest.simulator.registry import Answer, Family, Scope, Success
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.views import comma, owner_fields, tag_fields

family = Family("load balancers")

ALGORITHMS = ("source", "roundrobin", "leastconn")
LB_PROTOCOLS = ("tcp", "udp", "tcp-proxy", "ssl")
DNS_PORT = 53
MAX_STICKINESS_POLICIES = 2


@family.view(LoadBalancerRule)
def load_balancer_view(rule: LoadBalancerRule, call: Call) -> dict[str, Any]:
    return {
        "id": rule.id,
        "name": rule.name,
        "description": rule.description,
        "publicipid": rule.ip.id,
        "publicip": rule.ip.address,
        "publicport": str(rule.public_port),
        "privateport": str(rule.private_port),
        "algorithm": rule.algorithm,
        "protocol": rule.lb_protocol,
        "networkid": rule.network.id,
        "cidrlist": comma(rule.cidr_list) or None,
        **owner_fields(rule.account),
        "state": rule.state,
        "zoneid": rule.ip.zone.id,
        "zonename": rule.ip.zone.name,
        "tags": tag_fields(rule),
        "fordisplay": rule.display if call.is_root_admin else None,
    }


def network_of(call: Call, ip: PublicIp | None, owner: Account) -> Network:
    """The network that a new rule is for: named, the owner's only isolated one in the zone, or the address's."""
    named, zone = call.maybe(Network, "networkid"), call.maybe(Zone, "zoneid")
    if named is not None:
        return named
    if zone is None and ip is None:
        raise InvalidParameterValue("Either networkId or zoneId or publicIpId has to be specified")
    if zone is not None and not zone.is_basic:
        table = call.cloud.store.table(Network)
        mine = table.where(lambda row: row.guest_type == "Isolated" and row.vpc is None, account=owner, zone=zone)
        if not mine:
            raise InvalidParameterValue(
                f"Account name={call.get('account', 'null')} domain={owner.domain.name} "
                f"doesn't have virtual networks in zone={zone.name}"
            )
        if len(mine) > 1:
            raise InvalidParameterValue("Account has more than one isolated network in the zone")
        return mine[0]
    if ip is None or ip.network is None:
        raise InvalidParameterValue(f"IP address ID={ip.number if ip else None} is not associated with any Network")
    return ip.network


@family.command("createLoadBalancerRule")
def create_load_balancer_rule(call: Call) -> Generator[Resource, None, Answer]:
    try:
        rule = create(call)
    except InvalidParameterValue as refusal:
        # CreateLoadBalancerRuleCmd.create wraps it, which loses the cserrorcode.
        raise ParameterError(refusal.text) from None
    try:
        yield rule
    except ApiError:
        remove(call, rule)
        raise
    return rule


def create(call: Call) -> LoadBalancerRule:
    """Make a rule on an address. Raises InvalidParameterValue, RuleConflictError or PermissionDenied."""
    cloud, ip = call.cloud, call.maybe(PublicIp, "publicipid")
    if ip is None and not ("account" in call and "domainid" in call):
        raise InvalidParameterValue("Can't define IP owner. Either specify Account/domainId or publicIpId")
    owner = ip.account if ip else owner_of_new(call)
    if ip is not None and ip.state != "Allocated":
        raise InvalidParameterValue(f"Unable to create load balancer rule, invalid IP address ID {ip.number}")
    network = network_of(call, ip, owner)
    opening = opens_firewall(call, ip) if ip else False
    if ip is None:
        raise InvalidParameterValue("Unable to create load balance rule; can't find/allocate source IP")
    if call["publicport"] == DNS_PORT and ip.source_nat and network.supports("Dns"):
        raise InvalidParameterValue(
            "Error adding load balancer rule, cannot add port 53 with network service offering having DNS service and "
            "Source NAT."
        )
    if ip.static_nat:
        raise rule_conflicts.RuleConflictError(f"Can't do load balance on IP address: {ip.address}")
    conserving = network.vpc is not None and network.vpc.offering.conserve_mode
    if not conserving and ip.network is not None and ip.network is not network:
        raise InvalidParameterValue(
            f"Cannot create Load Balancer rule {call['name']} as the IP address {ip.address} is not associated with the "
            f"network {network.name} (ID={network.id})"
        )
    cidrs = checked_cidrs(call)
    check_owner(call.account, ip.account)
    was = ip.network
    try:
        rule_conflicts.bind_to_tier(cloud, ip, network, "Lb")
        rule = asked_for(call, ip, network, cidrs)
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
    return rule


def asked_for(call: Call, ip: PublicIp, network: Network, cidrs: list[str]) -> LoadBalancerRule:
    """The rule that a request describes."""
    public, private, algorithm = call["publicport"], call["privateport"], call["algorithm"].strip()
    if not 0 <= private <= rule_conflicts.MAX_PORT:
        raise InvalidParameterValue(f"privatePort is an invalid value: {private}")
    if algorithm not in ALGORITHMS:
        raise InvalidParameterValue(f"Invalid algorithm: {algorithm}")
    if not network.supports("Lb"):
        raise InvalidParameterValue("LB service is not supported in specified network id")
    rule_conflicts.check_rule(call, "LoadBalancing", "tcp", (public, public), network, ip)
    lb_protocol = call.get("protocol", "").strip().lower() or None
    if lb_protocol is not None and lb_protocol not in LB_PROTOCOLS:
        raise InvalidParameterValue(f"protocol {lb_protocol} is not in valid protocols {', '.join(LB_PROTOCOLS)}")
    return LoadBalancerRule(
        account=ip.account,
        name=call["name"],
        description=call.get("description"),
        algorithm=algorithm,
        ip=ip,
        network=network,
        public_port=public,
        private_port=private,
        lb_protocol=lb_protocol,
        cidr_list=cidrs,
        display=call.flag("fordisplay", True),
    )


def checked_cidrs(call: Call) -> list[str]:
    cidrs = [cidr.strip() for cidr in call.get("cidrlist", [])]
    for cidr in cidrs:
        if not (ipv4.is_cidr(cidr) or ipv4.is_address(cidr) or ":" in cidr):
            raise ParameterError(f"CIDR [{cidr}] is invalid.")
    return cidrs


def remove(call: Call, rule: LoadBalancerRule) -> None:
    """Remove a rule with its policies and the firewall rule that it opened."""
    guest_networks.remove_rule(call.cloud, rule)
    rule_conflicts.unbind_from_tier(call.cloud, rule.ip)


def rule_named(call: Call, refusal: str, name: str = "id") -> LoadBalancerRule:
    rule = call.params[name]
    if not isinstance(rule, LoadBalancerRule) or rule not in call.cloud.store:
        raise InvalidParameterValue(refusal.format(getattr(rule, "number", rule)))
    check_access(call.cloud, call.account, rule)
    return rule


@family.command("deleteLoadBalancerRule")
def delete_load_balancer_rule(call: Call) -> Answer:
    remove(call, rule_named(call, "Unable to find load balancer rule {}"))
    return Success()


@family.command("updateLoadBalancerRule")
def update_load_balancer_rule(call: Call) -> Answer:
    rule = rule_named(call, "Unable to find lb rule by id={}")
    algorithm, protocol = call.get("algorithm"), call.get("protocol")
    if algorithm is not None and algorithm not in ALGORITHMS:
        raise InvalidParameterValue(f"Modifications in lb rule {rule_conflicts.describe(rule)} are not supported.")
    if "cidrlist" in call:
        cidrs = call["cidrlist"]
        if any(not firewall.is_any_cidr(cidr) for cidr in cidrs):
            raise InvalidParameterValue(f"Invalid CIDR list: {comma(cidrs)}")
        rule.cidr_list = cidrs
    rule.name = call.get("name", rule.name)
    rule.description = call.get("description", rule.description)
    rule.algorithm = algorithm or rule.algorithm
    rule.lb_protocol = protocol.lower() if protocol else rule.lb_protocol
    if "fordisplay" in call:
        rule.display = call.flag("fordisplay")
    public_ips.rename(call, rule)
    if algorithm or protocol or "cidrlist" in call:
        rule.state = "Active"
    return rule


# Members


def asked_members(call: Call) -> dict[UserVm, list[str]]:
    """The VMs that a request names, each with the addresses of it that it names."""
    chosen: dict[UserVm, list[str]] = {}
    for entry in call.entries("vmidipmap"):
        vm = call.cloud.store.table(UserVm).get(entry.get("vmid", ""))
        if vm is None:
            raise InvalidParameterValue(f"Unable to find virtual machine ID: {entry.get('vmid')}")
        address = entry.get("vmip")
        if not address or not ipv4.is_address(address):
            raise InvalidParameterValue(f"Invalid ip address {address} passed in vmidipmap for vmid {vm.id}")
        chosen.setdefault(vm, []).append(address)
    for vm in call.params.get("virtualmachineids") or ():
        if not isinstance(vm, UserVm) or vm not in call.cloud.store or vm.state in GONE:
            raise InvalidParameterValue("Invalid instance id specified")
        chosen.setdefault(vm, [])
    if not chosen:
        raise InvalidParameterValue("Both instanceids and vmidipmap  can't be null")
    return chosen


@family.command("assignToLoadBalancerRule")
def assign_to_load_balancer_rule(call: Call) -> Answer:
    rule = assigned_rule(call, "assign")
    network = rule.network
    new: list[tuple[Resource, str]] = []
    by_id = call.params.get("virtualmachineids") or ()
    for vm, addresses in asked_members(call).items():
        check_owner_of(call, vm)
        if vm.state in GONE:
            raise InvalidParameterValue(f"Invalid user vm: {describe_vm(vm)}")
        check_access(call.cloud, vm.account, network, "UseEntry")
        nic = next((nic for nic in vm.nics if nic.network is network and nic.ip_address), None)
        if nic is None or nic.ip_address is None:
            raise InvalidParameterValue(
                "VM with id specified cannot be added because it doesn't belong in the same network."
            )
        for address in addresses:
            if address not in nic.addresses:
                raise InvalidParameterValue(
                    f"Instance IP {address} specified does not belong to NIC in Network {network.number}"
                )
        wanted = [*addresses, nic.ip_address] if vm in by_id or not addresses else addresses
        for address in dict.fromkeys(wanted):
            if (vm, address) in rule.members:
                raise InvalidParameterValue(f"VM {vm.number} with {address} is already mapped to load balancer.")
            new.append((vm, address))
    rule.members += new
    rule.state = "Active"
    return Success()


def assigned_rule(call: Call, action: str) -> LoadBalancerRule | InternalLoadBalancer:
    """The rule whose members change; a refusal is told as the command tells it."""
    rule = call.params["id"]
    if not isinstance(rule, (LoadBalancerRule, InternalLoadBalancer)) or rule not in call.cloud.store:
        raise InvalidParameterValue(f"Failed to {action} to load balancer, the load balancer was not found.")
    return rule


def check_owner_of(call: Call, vm: UserVm) -> None:
    """Raise the command's own error where the caller may not use the rule or the VM."""
    try:
        for resource in (call.params["id"], vm):
            check_access(call.cloud, call.account, resource)
    except PermissionDenied as refusal:
        raise ApiError(f"Failed to assign load balancer rule due to: {refusal.text}") from None


@family.command("removeFromLoadBalancerRule")
def remove_from_load_balancer_rule(call: Call) -> Answer:
    from cs_matrix_pytest.simulator.families.autoscale import check_action

    rule = rule_named(call, "Invalid load balancer value: {}")
    for vm, addresses in asked_members(call).items():
        check_action(call.cloud, vm)
        for address in addresses:
            if (vm, address) not in rule.members:
                raise InvalidParameterValue(
                    f"The instance id: {vm.number} is not configured for LB rule {rule_conflicts.describe(rule)}"
                )
        rule.members = [
            member for member in rule.members if member[0] is not vm or (addresses and member[1] not in addresses)
        ]
    rule.state = "Active"
    return Success()


def listed(call: Call) -> Iterable[LoadBalancerRule]:
    return call.cloud.store.table(LoadBalancerRule)


family.listing(
    "listLoadBalancerRules",
    LoadBalancerRule,
    scope=Scope.OWNER,
    rows=listed,
    newest_first=True,
    keyword=("name", "public_port", "private_port", "algorithm", "description", "state"),
    filters={
        "publicipid": lambda rule, ip, call: rule.ip is ip,
        "zoneid": lambda rule, zone, call: rule.ip.zone is zone,
        "virtualmachineid": lambda rule, vm, call: any(member[0] is vm for member in rule.members),
    },
)
family.object_names["listLoadBalancerRules"] = "loadbalancerrule"


@family.command("listLoadBalancerRuleInstances")
def list_load_balancer_rule_instances(call: Call) -> Answer:
    rule = rule_named(call, "Unable to find the load balancer with ID [{}].")
    chosen: dict[UserVm, list[str]] = {}
    for vm, address in rule.members:
        if isinstance(vm, UserVm) and vm.state not in (*GONE, "Error", "Unknown"):
            chosen.setdefault(vm, []).append(address)
    if not call.flag("applied", True):
        chosen = {}
    names = page(call, list(chosen))
    shown = [(vm_fields(call, vm), chosen[vm]) for vm in names.rows if isinstance(vm, UserVm)]
    if not shown:
        return {}
    if call.flag("lbvmips"):
        rows: list[dict[str, Any]] = [
            {"loadbalancerruleinstance": vm, "lbvmipaddresses": addresses} for vm, addresses in shown
        ]
        return {"count": names.total, "lbrulevmidip": rows}
    return {"count": names.total, "loadbalancerruleinstance": [vm for vm, _ in shown]}


def vm_fields(call: Call, vm: UserVm) -> dict[str, Any]:
    """A VM as listVirtualMachines shows it."""
    declared = call.cloud.api.get("listVirtualMachines")
    shown = call.cloud.registry.view_of(UserVm)(vm, call)
    return {
        name: value
        for name, value in shown.items()
        if value is not None and declared is not None and name in declared.response
    }


# Stickiness and health checks


def policies_view(rule: LoadBalancerRule, name: str, policies: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "lbruleid": rule.id,
        "zoneid": rule.ip.zone.id,
        "account": rule.account.name,
        "domainid": rule.account.domain.id,
        "domain": rule.account.domain.name,
        name: policies,
    }


def stickiness_fields(policy: StickinessPolicy) -> dict[str, Any]:
    shown = {
        "id": policy.id,
        "name": policy.name,
        "methodname": policy.method,
        "description": policy.description,
        "params": policy.params,
        "state": policy.state,
        "fordisplay": policy.display,
    }
    return {name: value for name, value in shown.items() if value is not None}


@family.view(StickinessPolicy)
def stickiness_view(policy: StickinessPolicy, call: Call) -> dict[str, Any]:
    return policies_view(policy.rule, "stickinesspolicy", [stickiness_fields(policy)])


@family.command("createLBStickinessPolicy")
def create_stickiness_policy(call: Call) -> Generator[Resource, None, Answer]:
    rule = rule_named(call, "Failed: LB rule id: {} not present ", "lbruleid")
    wanted = call["methodname"]
    method = next((row for row in STICKINESS_METHODS if row[0].lower() == wanted.lower()), None)
    if method is None:
        raise InvalidParameterValue(f"Failed to match Stickiness method name for LB rule:{rule.number}")
    known = {name.lower(): (name, flag) for name, _, flag in method[1]}
    params = {}
    for entry in call.entries("param"):
        name, value = entry.get("name", ""), entry.get("value")
        if name.lower() not in known:
            raise InvalidParameterValue(f"Failed : Stickiness policy does not support param name :{name}")
        if value is None and not known[name.lower()][1]:
            raise InvalidParameterValue(f"Failed : Value expected for the Param :{known[name.lower()][0]}")
        params[name] = value or ""
    if len(call.cloud.store.table(StickinessPolicy).where(rule=rule)) >= MAX_STICKINESS_POLICIES:
        raise InvalidParameterValue(f"Failed to create Stickiness policy: Already two policies attached {rule.number}")
    policy = call.cloud.store.add(
        StickinessPolicy(
            rule=rule,
            name=call["name"],
            method=method[0],
            description=call.get("description"),
            params=params,
            display=call.flag("fordisplay", True),
        )
    )
    yield policy
    return policy


@family.command("deleteLBStickinessPolicy", "deleteLBHealthCheckPolicy")
def delete_policy(call: Call) -> Answer:
    policy = policy_named(call)
    call.cloud.store.remove(policy)
    return Success()


def policy_named(call: Call) -> StickinessPolicy | HealthCheckPolicy:
    policy = call.params["id"]
    if not isinstance(policy, (StickinessPolicy, HealthCheckPolicy)) or policy not in call.cloud.store:
        raise InvalidParameterValue(f"Invalid policy id value: {getattr(policy, 'number', policy)}")
    check_access(call.cloud, call.account, policy.rule)
    return policy


@family.command("updateLBStickinessPolicy", "updateLBHealthCheckPolicy")
def update_policy(call: Call) -> Answer:
    policy = policy_named(call)
    public_ips.rename(call, policy)
    if "fordisplay" in call:
        policy.display = call.flag("fordisplay")
    return policy


def health_check_fields(policy: HealthCheckPolicy) -> dict[str, Any]:
    shown = {
        "id": policy.id,
        "pingpath": policy.ping_path,
        "description": policy.description,
        "responsetime": policy.response_timeout,
        "healthcheckinterval": policy.interval,
        "healthcheckthresshold": policy.healthy_threshold,
        "unhealthcheckthresshold": policy.unhealthy_threshold,
        "state": policy.state,
        "fordisplay": policy.display,
    }
    return {name: value for name, value in shown.items() if value is not None}


@family.view(HealthCheckPolicy)
def health_check_view(policy: HealthCheckPolicy, call: Call) -> dict[str, Any]:
    return policies_view(policy.rule, "healthcheckpolicy", [health_check_fields(policy)])


@family.command("createLBHealthCheckPolicy")
def create_health_check_policy(call: Call) -> Generator[Resource, None, Answer]:
    rule = rule_named(call, "Failed: LB rule id: {} not present ", "lbruleid")
    interval, timeout = call.get("intervaltime", 5), call.get("responsetimeout", 5)
    healthy, unhealthy = call.get("healthythreshold", 2), call.get("unhealthythreshold", 10)
    if "intervaltime" in call and "responsetimeout" in call and timeout > interval:
        raise InvalidParameterValue(
            f"Failed to create HealthCheck policy : Monitor interval must be greater than response timeout{rule.number}"
        )
    policy = call.cloud.store.add(
        HealthCheckPolicy(
            rule=rule,
            ping_path=call.get("pingpath", "/"),
            description=call.get("description"),
            response_timeout=timeout,
            interval=interval,
            healthy_threshold=healthy,
            unhealthy_threshold=unhealthy,
            display=call.flag("fordisplay", True),
        )
    )
    yield policy
    return policy


@family.command("listLBStickinessPolicies", "listLBHealthCheckPolicies")
def list_policies(call: Call) -> Answer:
    sticky = call.command.name == "listLBStickinessPolicies"
    kind: type[StickinessPolicy] | type[HealthCheckPolicy] = StickinessPolicy if sticky else HealthCheckPolicy
    policy = call.maybe(kind, "id")
    if policy is None and "lbruleid" not in call:
        raise InvalidParameterValue("load balancer rule ID and stickiness policy ID can't be null")
    rule = policy.rule if policy else rule_named(call, "Unable to find load balancer rule by id {}", "lbruleid")
    check_access(call.cloud, call.account, rule)
    rows = [row for row in call.cloud.store.table(kind) if row.rule is rule and policy in (None, row)]
    if "fordisplay" in call:
        rows = [row for row in rows if row.display is call.flag("fordisplay")]
    shown = [stickiness_fields(row) if isinstance(row, StickinessPolicy) else health_check_fields(row) for row in rows]
    view = policies_view(rule, "stickinesspolicy" if sticky else "healthcheckpolicy", shown)
    return {"count": 1, "stickinesspolicies" if sticky else "healthcheckpolicies": [view]}
