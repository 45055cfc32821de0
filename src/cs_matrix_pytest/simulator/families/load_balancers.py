"""Load balancer rules, the VMs behind them, stickiness and health checks (LoadBalancingRulesManagerImpl)."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator import ipv4
from cs_matrix_pytest.simulator.access import check_access, check_owner, owner_of_new
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import (
    ApiError,
    InternalError,
    InvalidParameterValue,
    MalformedParameter,
    ParameterError,
    PermissionDenied,
)
from cs_matrix_pytest.simulator.families import firewall, public_ips, routers, rule_conflicts
from cs_matrix_pytest.simulator.families.network_capabilities import STICKINESS_METHODS, of_offering
from cs_matrix_pytest.simulator.families.port_forwarding import GONE, opens_firewall
from cs_matrix_pytest.simulator.families.routers import ROUTER_PROVIDERS as BALANCING_ROUTERS
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.autoscale import AutoScaleVmGroup
from cs_matrix_pytest.simulator.models.iam import Account
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.models.networks import (
    HealthCheckPolicy,
    LoadBalancerRule,
    Network,
    Nic,
    PublicIp,
    StickinessPolicy,
)
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.models.vpc import InternalLoadBalancer
from cs_matrix_pytest.simulator.registry import Answer, Family, Scope, Success
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.views import comma, owner_fields, tag_fields

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("load balancers")

ALGORITHMS = ("source", "roundrobin", "leastconn")
LB_PROTOCOLS = ("tcp", "udp", "tcp-proxy", "ssl")
DNS_PORT = 53


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
        "cidrlist": rule.cidr_separator.join(rule.cidr_list) or None,
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
    cloud = call.cloud
    ip = public_ips.named_ip(call, "publicipid") if "publicipid" in call else None
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
    if algorithm.lower() not in ALGORITHMS:
        raise InvalidParameterValue(f"Invalid algorithm: {algorithm}")
    if not network.supports("Lb"):
        raise InvalidParameterValue("LB service is not supported in specified network id")
    rule_conflicts.check_rule(call, "LoadBalancing", "tcp", (public, public), network, ip)
    lb_protocol = call["protocol"].strip().lower() if "protocol" in call else None
    if not router_can(call.cloud, network, public, lb_protocol):
        raise InvalidParameterValue("LB service provider cannot support this rule")
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


def router_can(cloud: Cloud, network: Network, port: int, protocol: str | None) -> bool:
    """False where a network's routers, if it has any yet, cannot balance so (validateHAProxyLBRule)."""
    if not BALANCING_ROUTERS & set(network.offering.service_providers["Lb"]):
        return True
    if not any(network in router.networks for router in routers.routers_of(cloud, network)):
        return True
    if port == cloud.configuration.number("network.loadbalancer.haproxy.stats.port", default=8081) or protocol == "udp":
        return False
    if protocol is not None and protocol not in LB_PROTOCOLS:
        raise InvalidParameterValue(f"protocol {protocol} is not in valid protocols [{', '.join(LB_PROTOCOLS)}]")
    return True


def settle(rule: LoadBalancerRule | InternalLoadBalancer) -> None:
    """The state of a rule once its load balancer knows it: active with members only (applyLoadBalancerRules)."""
    rule.state = "Active" if rule.members else "Add"


def checked_cidrs(call: Call) -> list[str]:
    cidrs = [cidr.strip() for cidr in call.get("cidrlist", [])]
    for cidr in cidrs:
        if not (ipv4.is_cidr(cidr) or ipv4.is_address(cidr) or ":" in cidr):
            raise ParameterError(f"CIDR [{cidr}] is invalid.")
    return cidrs


def remove(call: Call, rule: LoadBalancerRule) -> None:
    """Remove a rule with its policies and the firewall rule that it opened."""
    public_ips.remove_rule(call.cloud, rule)
    rule_conflicts.unbind_from_tier(call.cloud, rule.ip)


def rule_named(
    call: Call, refusal: str, name: str = "id", error: type[ApiError] = InvalidParameterValue
) -> LoadBalancerRule:
    rule = call.one(LoadBalancerRule, name, missing=refusal, error=error)
    check_access(call.cloud, call.account, rule)
    return rule


@family.command("deleteLoadBalancerRule")
def delete_load_balancer_rule(call: Call) -> Answer:
    rule = rule_named(call, "Unable to find load balancer rule: {}")
    firewall.close_for(call.cloud, rule)
    groups = call.cloud.store.table(AutoScaleVmGroup).where(rule=rule)
    if groups:
        raise InternalError(
            f"Cannot delete load balancer rule {rule.number} because it is being used by {len(groups)} Autoscale VM group."
        )
    remove(call, rule)
    return Success()


@family.command("updateLoadBalancerRule")
def update_load_balancer_rule(call: Call) -> Answer:
    rule = rule_named(call, "Unable to find load balancer rule by ID {}")
    protocol = call.get("protocol", "").strip().lower() or rule.lb_protocol
    cidrs = call.get("cidrlist")
    if cidrs and not all(map(ipv4.is_cidr, cidrs)):
        raise InvalidParameterValue(f"Invalid CIDR list: {comma(cidrs)}")
    if not router_can(call.cloud, rule.network, rule.public_port, protocol):
        raise InvalidParameterValue(f"Modifications in lb rule {rule_conflicts.describe(rule)} are not supported.")
    # The server compares with what the request says, so that what it does not say has changed too.
    applies = (
        call.get("algorithm") != rule.algorithm
        or call.get("protocol") != rule.lb_protocol
        or (cidrs is not None and cidrs != rule.cidr_list)
    )
    rule.name = call.get("name", rule.name)
    rule.description = call.get("description", rule.description)
    rule.algorithm = call.get("algorithm", rule.algorithm)
    rule.lb_protocol = protocol
    if cidrs is not None:
        rule.cidr_list, rule.cidr_separator = cidrs, ","
    rule.display = call.flag("fordisplay", rule.display)
    public_ips.rename(call, rule)
    if not applies:
        return rule
    settle(rule)
    if protocol is None:
        # It stumbles over a rule that never got a protocol, with everything done.
        raise InternalError(
            'Cannot invoke "String.equals(Object)" because the return value of '
            '"com.cloud.network.dao.LoadBalancerVO.getLbProtocol()" is null'
        )
    if protocol != "ssl":
        rule.certificate = None
    return {"loadbalancer": call.cloud.view(rule, call) | {"state": "Add"}}


# Members


def named_members(call: Call) -> dict[UserVm, list[str]]:
    """The VMs of a request's map, each with the addresses of it that are named."""
    chosen: dict[UserVm, list[str]] = {}
    for entry in call.entries("vmidipmap"):
        vm = call.cloud.store.table(UserVm).get(entry.get("vmid", ""))
        if vm is None:
            raise InvalidParameterValue(f"Unable to find Instance ID: {entry.get('vmid', 'null')}")
        address = entry.get("vmip", "null")
        if call.command.name == "assignToLoadBalancerRule":
            if not ipv4.is_address(address):
                raise InvalidParameterValue(f"Invalid ip address {address} passed in vmidipmap for vmid {vm.id}")
            check_member_network(call, entry.get("vmnetworkid"))
        chosen.setdefault(vm, []).append(address)
    return chosen


def check_member_network(call: Call, id: str | None) -> None:
    if id is not None and call.cloud.store.table(Network).get(id) is None:
        raise InvalidParameterValue(f"Unable to find Network ID: {id}")


def asked_members(call: Call, named: dict[UserVm, list[str]]) -> dict[Any, list[str]]:
    """All VMs that a request is about: those of its map, and those of its list of ids, with no addresses."""
    chosen: dict[Any, list[str]] = dict(named)
    for vm in call.params.get("virtualmachineids") or ():
        chosen.setdefault(vm, [])
    if not chosen and "virtualmachineids" not in call:
        raise InvalidParameterValue("Both instanceids and vmidipmap  can't be null")
    return chosen


@family.command("assignToLoadBalancerRule")
def assign_to_load_balancer_rule(call: Call) -> Answer:
    rule = call.params["id"]
    if not isinstance(rule, (LoadBalancerRule, InternalLoadBalancer)) or rule not in call.cloud.store:
        raise InvalidParameterValue(f"Unable to find load balancer rule: {getattr(rule, 'number', rule)}")
    named = named_members(call)
    try:
        if isinstance(rule, LoadBalancerRule) and call.cloud.store.table(AutoScaleVmGroup).first(rule=rule):
            raise InvalidParameterValue(
                f"Failed to assign to load balancer {rule_conflicts.describe(rule)} because it is being used by an "
                "Autoscale VM group."
            )
        new = new_members(call, rule, named)
    except (InvalidParameterValue, PermissionDenied, InternalError) as refusal:
        raise ApiError(f"Failed to assign load balancer rule due to: {refusal.text}") from None
    add_members(call.cloud, rule, new)
    return Success()


def add_members(
    cloud: Cloud, rule: LoadBalancerRule | InternalLoadBalancer, new: Iterable[tuple[Resource, str]]
) -> None:
    """Put VMs behind a rule, each at an address."""
    rule.members += new
    settle(rule)
    if isinstance(rule, InternalLoadBalancer):
        from cs_matrix_pytest.simulator.families import internal_load_balancers

        internal_load_balancers.apply(cloud, rule)


def new_members(
    call: Call, rule: LoadBalancerRule | InternalLoadBalancer, named: dict[UserVm, list[str]]
) -> list[tuple[Resource, str]]:
    """The VMs of a request with the addresses that are to be balanced. Raises where one cannot be."""
    new: list[tuple[Resource, str]] = []
    network = rule.network
    by_id = call.params.get("virtualmachineids") or ()
    tiers = {
        entry.get("vmid"): call.cloud.store.table(Network).get(entry.get("vmnetworkid", ""))
        for entry in call.entries("vmidipmap")
    }
    for vm, addresses in asked_members(call, named).items():
        if not isinstance(vm, UserVm) or vm not in call.cloud.store or vm.state in GONE:
            raise InvalidParameterValue("Invalid instance id specified")
        for resource in (rule, vm):
            check_access(call.cloud, call.account, resource)
        check_access(call.cloud, vm.account, network, "UseEntry")
        nic = balanced_nic(call, vm, network, tiers.get(vm.id))
        assert nic.ip_address is not None
        known = {address for member, address in rule.members if member is vm}
        for address in addresses or [nic.ip_address]:
            if address in known:
                raise InvalidParameterValue(f"VM {vm.number} with {address} is already mapped to load balancer.")
        for address in addresses:
            if address not in nic.addresses:
                raise InvalidParameterValue(
                    f"Instance IP {address} specified does not belong to NIC in Network {nic.network.number}"
                )
        wanted = [*addresses, nic.ip_address] if vm in by_id or not addresses else addresses
        new += [(vm, address) for address in dict.fromkeys(wanted) if address not in known]
    return new


def balanced_nic(call: Call, vm: UserVm, network: Network, tier: Network | None) -> Nic:
    """The NIC of a VM that is balanced: in the rule's network or, in a VPC that allows it, in another tier."""
    conserving = network.vpc is not None and network.vpc.offering.conserve_mode
    wanted = network
    if conserving and tier is not None:
        check_access(call.cloud, vm.account, tier, "UseEntry")
        if tier.vpc is None:
            raise InvalidParameterValue(
                "Cannot add VM to load balancer because the VM network or load balancer network are not part of a VPC"
            )
        if tier.vpc is not network.vpc:
            raise InvalidParameterValue(
                "Cannot add VM to load balancer because the VM network and load balancer network are not part of the "
                "same VPC"
            )
        wanted = tier
    nic = next((nic for nic in vm.nics if nic.network is wanted and nic.ip_address), None)
    if nic is None:
        raise InvalidParameterValue(
            "VM with id specified cannot be added to the load balancing rule for VPC Conserve Mode."
            if conserving
            else "VM with id specified cannot be added because it doesn't belong in the same network."
        )
    return nic


@family.command("removeFromLoadBalancerRule")
def remove_from_load_balancer_rule(call: Call) -> Answer:
    rule = call.params["id"]
    if not isinstance(rule, (LoadBalancerRule, InternalLoadBalancer)) or rule not in call.cloud.store:
        raise InvalidParameterValue(f"Unable to find load balancer rule: {getattr(rule, 'number', rule)}")
    named = named_members(call)
    try:
        check_access(call.cloud, call.account, rule)
        left = members_without(call, rule, asked_members(call, named))
    except InvalidParameterValue:
        # RemoveFromLoadBalancerRuleCmd keeps the reason to itself.
        raise ParameterError("Failed to remove Instance from load balancer rule") from None
    rule.members = left
    settle(rule)
    return Success()


def members_without(
    call: Call, rule: LoadBalancerRule | InternalLoadBalancer, leaving: dict[Any, list[str]]
) -> list[tuple[Resource, str]]:
    """The members of a rule that stay. Raises InvalidParameterValue where one that is to leave may not."""
    from cs_matrix_pytest.simulator.families.autoscale import check_action

    left = list(rule.members)
    for vm, addresses in leaving.items():
        check_action(call.cloud, vm)
        for address in addresses:
            if (vm, address) not in left:
                raise InvalidParameterValue(f"The instance id: {vm.number} is not configured for this rule")
        left = [member for member in left if member[0] is not vm or (addresses and member[1] not in addresses)]
    return left


def listed(call: Call) -> Iterable[LoadBalancerRule]:
    return call.cloud.store.table(LoadBalancerRule)


family.listing(
    "listLoadBalancerRules",
    LoadBalancerRule,
    scope=Scope.OWNER,
    rows=listed,
    newest_first=True,
    keyword=("name", "description"),
    filters={
        "publicipid": lambda rule, ip, call: rule.ip is ip,
        "zoneid": lambda rule, zone, call: rule.ip.zone is zone,
        "virtualmachineid": lambda rule, vm, call: any(member[0] is vm for member in rule.members),
    },
)
family.object_names["listLoadBalancerRules"] = "loadbalancerrule"


@family.command("listLoadBalancerRuleInstances")
def list_load_balancer_rule_instances(call: Call) -> Answer:
    rule = rule_named(call, "Unable to find the load balancer with ID [{}].", error=InternalError)
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
        "fordisplay": policy.display,
    }
    return {name: value for name, value in shown.items() if value is not None}


@family.view(StickinessPolicy)
def stickiness_view(policy: StickinessPolicy, call: Call) -> dict[str, Any]:
    return policies_view(policy.rule, "stickinesspolicy", [stickiness_fields(policy)])


@family.command("createLBStickinessPolicy")
def create_stickiness_policy(call: Call) -> Generator[Resource, None, Answer]:
    rule, cloud = rule_named(call, "Failed: LB rule id: {} not present ", "lbruleid"), call.cloud
    method = next((row for row in STICKINESS_METHODS if row[0].lower() == call["methodname"].lower()), None)
    if method is None:
        raise InvalidParameterValue(f"Failed to match Stickiness method name for LB rule:{rule.number}")
    params = stickiness_params(call, {name.lower(): (name, flag) for name, _, flag in method[1]})
    if not router_can(cloud, rule.network, rule.public_port, rule.lb_protocol):
        raise InvalidParameterValue(
            f"Failed to create Stickiness policy: Validation Failed {rule_conflicts.describe(rule)}"
        )
    check_stickiness_values(cloud, rule, method[0], params)
    policy = cloud.store.add(
        StickinessPolicy(
            rule=rule,
            name=call["name"],
            method=call["methodname"],
            description=call.get("description"),
            params=params,
            display=call.flag("fordisplay", True),
        )
    )
    try:
        yield policy
    except ApiError:
        cloud.store.remove(policy)
        raise
    # A rule has one policy: the new one takes the place of the other.
    for other in cloud.store.table(StickinessPolicy).where(rule=rule):
        if other is not policy:
            cloud.store.remove(other)
    settle(rule)
    return policy


def stickiness_params(call: Call, known: dict[str, tuple[str, bool]]) -> dict[str, str]:
    """The parameters of a new policy; ``known`` has those of its method: proper name, whether it stands alone.

    What is named several times (a domain) is joined by colons, the last first.
    """
    params: dict[str, str] = {}
    for entry in call.entries("param"):
        name, value = entry.get("name", "null"), entry.get("value")
        if name.lower() not in known:
            raise InvalidParameterValue(f"Failed : Stickiness policy does not support param name :{name}")
        if value is None and not known[name.lower()][1]:
            raise InvalidParameterValue(f"Failed : Value expected for the Param :{known[name.lower()][0]}")
        shown = "null" if value is None else value
        params[name] = f"{shown}:{params[name]}" if name in params else shown
    return params


STICKINESS_FORMATS = {
    "SourceBased": (
        ("expire", "[+-]?[0-9]+[dhms]", "rule: {} Cause: expire is not in timeformat: {}"),
        ("tablesize", "[+-]?[0-9]+[kmg]", "rule: {} Cause: tablesize is not in size format: {}"),
    ),
    "AppCookie": (
        ("length", "[+-]?[0-9]+", "rule id: {} Cause: length is not a number: {}"),
        ("holdtime", "[+-]?[0-9]+[dhms]?", "rule id: {} Cause: holdtime is not in timeformat: {}"),
    ),
}
"""Parameters of a method, their form, and what follows "Failed LB in validation" where a value has another."""


def check_stickiness_values(cloud: Cloud, rule: LoadBalancerRule, method: str, params: dict[str, str]) -> None:
    """Raise InvalidParameterValue for a value that the network's routers cannot make sense of."""
    if not any(rule.network in router.networks for router in routers.routers_of(cloud, rule.network)):
        return
    given = {name.lower(): value for name, value in params.items()}
    for name, form, refusal in STICKINESS_FORMATS.get(method, ()):
        if name in given and not re.fullmatch(form, given[name]):
            shown = refusal.format(rule_conflicts.describe(rule), given[name])
            raise InvalidParameterValue(f"Failed LB in validation {shown}")


POLICIES: dict[str, tuple[type[StickinessPolicy] | type[HealthCheckPolicy], str]] = {
    "deleteLBStickinessPolicy": (StickinessPolicy, "Unable to find LB stickiness rule: {}"),
    "deleteLBHealthCheckPolicy": (HealthCheckPolicy, "Unable to find load balancer health check rule: {}"),
    "updateLBStickinessPolicy": (StickinessPolicy, "Fail to find stickiness policy with {}"),
    "updateLBHealthCheckPolicy": (HealthCheckPolicy, "Fail to find stickiness policy with {}"),
}
"""What each command is about, and its text where there is none."""


def policy_named(call: Call) -> StickinessPolicy | HealthCheckPolicy:
    kind, refusal = POLICIES[call.command.name]
    policy: StickinessPolicy | HealthCheckPolicy = call.one(kind, missing=refusal)
    check_access(call.cloud, call.account, policy.rule)
    return policy


@family.command("deleteLBStickinessPolicy", "deleteLBHealthCheckPolicy")
def delete_policy(call: Call) -> Answer:
    policy = policy_named(call)
    call.cloud.store.remove(policy)
    settle(policy.rule)
    return Success()


@family.command("updateLBStickinessPolicy", "updateLBHealthCheckPolicy")
def update_policy(call: Call) -> Answer:
    policy = policy_named(call)
    public_ips.rename(call, policy)
    policy.display = call.flag("fordisplay", policy.display)
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
        "fordisplay": policy.display,
    }
    return {name: value for name, value in shown.items() if value is not None}


@family.view(HealthCheckPolicy)
def health_check_view(policy: HealthCheckPolicy, call: Call) -> dict[str, Any]:
    return policies_view(policy.rule, "healthcheckpolicy", [health_check_fields(policy)])


@family.command("createLBHealthCheckPolicy")
def create_health_check_policy(call: Call) -> Generator[Resource, None, Answer]:
    try:
        policy = planned_health_check(call)
    except InvalidParameterValue as refusal:
        # CreateLBHealthCheckPolicyCmd.create gives it another code.
        raise MalformedParameter(refusal.text) from None
    call.cloud.store.add(policy)
    yield policy
    return policy


def planned_health_check(call: Call) -> HealthCheckPolicy:
    interval, timeout = call.get("intervaltime", 5), call.get("responsetimeout", 2)
    if "intervaltime" in call and "responsetimeout" in call and timeout > interval:
        raise InvalidParameterValue(
            "Failed to create HealthCheck policy : Monitor interval must be greater than response timeout"
        )
    rule = rule_named(call, "Failed: LB rule id: {} not present ", "lbruleid")
    if "HealthCheckPolicy" not in of_offering(rule.network.offering, "Lb"):
        raise InvalidParameterValue(
            "Failed to create HealthCheck policy: Validation Failed (HealthCheck Policy is not supported by LB Provider "
            f"for the LB rule:{rule_conflicts.describe(rule)})"
        )
    if call.cloud.store.table(HealthCheckPolicy).first(rule=rule) is not None:
        raise InvalidParameterValue(
            "Failed to create HealthCheck policy: Already policy attached  for the LB Rule:"
            f"{rule_conflicts.describe(rule)}"
        )
    return HealthCheckPolicy(
        rule=rule,
        ping_path=call.get("pingpath", "/"),
        description=call.get("description"),
        response_timeout=timeout,
        interval=interval,
        healthy_threshold=call.get("healthythreshold", 2),
        unhealthy_threshold=call.get("unhealthythreshold", 1),
        display=call.flag("fordisplay", True),
    )


@family.command("listLBStickinessPolicies")
def list_stickiness_policies(call: Call) -> Answer:
    if "lbruleid" not in call and "id" not in call:
        raise InvalidParameterValue("load balancer rule ID and stickiness policy ID can't be null")
    policy = call.maybe(StickinessPolicy, "id", missing="stickiness policy ID doesn't exist")
    rule = call.params.get("lbruleid") if policy is None else policy.rule
    if policy is not None and "lbruleid" in call and call["lbruleid"] is not policy.rule:
        raise InvalidParameterValue(f"stickiness policy ID doesn't belong to lbId{call['lbruleid'].number}")
    return policies_of(call, rule, StickinessPolicy)


@family.command("listLBHealthCheckPolicies")
def list_health_check_policies(call: Call) -> Answer:
    if "lbruleid" not in call and "id" not in call:
        raise InvalidParameterValue("Either load balancer rule ID or health check policy ID should be specified")
    rule = call.params.get("lbruleid")
    return policies_of(call, rule or call.one(HealthCheckPolicy).rule, HealthCheckPolicy)


def policies_of(call: Call, rule: Any, kind: type[StickinessPolicy] | type[HealthCheckPolicy]) -> Answer:
    """The policies of a rule that are on display, or those that are not; nothing where there is no such rule."""
    if not isinstance(rule, LoadBalancerRule) or rule not in call.cloud.store:
        return {}
    check_access(call.cloud, call.account, rule)
    table: Iterable[StickinessPolicy | HealthCheckPolicy] = call.cloud.store.table(kind)
    rows = [row for row in table if row.rule is rule and row.display is call.flag("fordisplay", True)]
    shown = [stickiness_fields(row) if isinstance(row, StickinessPolicy) else health_check_fields(row) for row in rows]
    one, several = (
        ("stickinesspolicy", "stickinesspolicies")
        if kind is StickinessPolicy
        else ("healthcheckpolicy", "healthcheckpolicies")
    )
    return {"count": 1, several: [policies_view(rule, one, shown)]}
