"""Load balancers inside of tiers (ApplicationLoadBalancerManagerImpl)."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import check_access, check_owner
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InsufficientCapacity, InvalidParameterValue
from cs_matrix_pytest.simulator.families import guest_networks, nics, public_ips, routers
from cs_matrix_pytest.simulator.families.addresses import within
from cs_matrix_pytest.simulator.families.load_balancers import ALGORITHMS
from cs_matrix_pytest.simulator.families.rule_conflicts import MAX_PORT, RuleConflictError
from cs_matrix_pytest.simulator.families.service_offerings import system_offering
from cs_matrix_pytest.simulator.models.networks import Network, Nic, Router
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.models.vpc import InternalLoadBalancer
from cs_matrix_pytest.simulator.registry import Answer, Family, Scope, Success
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.texts import fields_text
from cs_matrix_pytest.simulator.views import owner_fields, tag_fields

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("internal load balancers")


@family.view(InternalLoadBalancer)
def internal_load_balancer_view(balancer: InternalLoadBalancer, call: Call) -> dict[str, Any]:
    return {
        "id": balancer.id,
        "name": balancer.name,
        "description": balancer.description,
        "algorithm": balancer.algorithm,
        "networkid": balancer.network.id,
        "sourceipaddress": balancer.source_ip,
        "sourceipaddressnetworkid": balancer.source_network.id,
        **owner_fields(balancer.account),
        "loadbalancerrule": [
            {"sourceport": balancer.source_port, "instanceport": balancer.instance_port, "state": balancer.state}
        ],
        "loadbalancerinstance": [
            {"id": vm.id, "name": vm.instance_name, "ipaddress": address}
            for vm, address in balancer.members
            if isinstance(vm, UserVm)
        ],
        "tags": tag_fields(balancer),
        "fordisplay": balancer.display if call.is_root_admin else None,
    }


@family.command("createLoadBalancer")
def create_load_balancer(call: Call) -> Generator[Resource, None, Answer]:
    cloud, network = call.cloud, call.one(Network, "networkid", missing="Invalid network ID specified")
    check_owner(call.account, network.account)
    check_scheme(call["scheme"])
    check_access(cloud, call.account, network, "OperateEntry")
    source = call.one(Network, "sourceipaddressnetworkid", missing="Can't find source ip network by id")
    check_rule(call, network)
    balancer = cloud.store.add(
        InternalLoadBalancer(
            account=network.account,
            name=call["name"],
            description=call.get("description"),
            algorithm=call["algorithm"],
            network=network,
            source_network=source,
            nic=source_nic(cloud, source, call.get("sourceipaddress")),
            source_port=call["sourceport"],
            instance_port=call["instanceport"],
            display=call.flag("fordisplay", True),
        )
    )
    try:
        check_conflicts(cloud, balancer)
        yield balancer
    except ApiError:
        remove(cloud, balancer)
        raise
    return balancer


def check_scheme(scheme: str) -> None:
    if scheme.lower() != "internal":
        raise InvalidParameterValue("Invalid value for scheme. Supported value is internal")


def check_rule(call: Call, network: Network) -> None:
    """Raise InvalidParameterValue where a network cannot balance so (validateLbRule)."""
    if not network.supports("Lb"):
        raise InvalidParameterValue(
            "LB service is not supported in specified network id", named={"networkId": network.id}
        )
    if not network.offering.internal_lb:
        raise InvalidParameterValue(
            "Scheme Internal is not supported by the network offering "
            f"{guest_networks.describe_offering(network.offering)}"
        )
    for name, called in (("instanceport", "instance"), ("sourceport", "source")):
        if not 0 <= call[name] <= MAX_PORT:
            raise InvalidParameterValue(f"Invalid value for {called} port: {call[name]}")
    if call["algorithm"].lower() not in ALGORITHMS:
        raise InvalidParameterValue(f"Invalid algorithm: {call['algorithm']}")


def source_nic(cloud: Cloud, network: Network, requested: str | None) -> Nic:
    """The interface at a balancer's address: another balancer's at the requested one, or a new one."""
    shared = cloud.store.table(InternalLoadBalancer).first(source_network=network, source_ip=requested)
    if shared is not None:
        return shared.nic
    if requested is not None and network.cidr and not within(requested, network.cidr):
        raise InvalidParameterValue("The requested IP is not in the network's CIDR subnet.")
    try:
        return nics.allocate(cloud, network, requested)
    except InsufficientCapacity:
        raise ApiError(f"Unable to acquire IP address for network {nics.describe(network)}", code=533) from None


def check_conflicts(cloud: Cloud, new: InternalLoadBalancer) -> None:
    """Raise RuleConflictError where the address balances this port already."""
    for other in cloud.store.table(InternalLoadBalancer).where(nic=new.nic, source_port=new.source_port):
        if other is not new:
            raise RuleConflictError(
                f"The range specified, {new.source_port}-{new.source_port}, conflicts with rule {described(other)} which has "
                f"{other.source_port}-{other.source_port}"
            )


def described(balancer: InternalLoadBalancer) -> str:
    """A balancer as error texts name it."""
    fields = {"id": balancer.number, "uuid": balancer.id, "name": balancer.name, "state": balancer.state}
    return f"ApplicationLoadBalancerRule {fields_text(**fields, purpose='LoadBalancing')}"


def remove(cloud: Cloud, balancer: InternalLoadBalancer) -> None:
    """Remove a balancer; its address is free again, and its VM gone, once no other has it."""
    cloud.store.remove(balancer)
    if cloud.store.table(InternalLoadBalancer).first(nic=balancer.nic) is None:
        for vm in vms_at(cloud, balancer.nic):
            routers.destroy(cloud, vm)
        cloud.store.remove(balancer.nic)


family.must_name("deleteLoadBalancer", "id", InternalLoadBalancer, "Can't find load balancer by id specified")
family.must_name("updateLoadBalancer", "id", InternalLoadBalancer, "Can't find load balancer by ID specified")


@family.command("deleteLoadBalancer")
def delete_load_balancer(call: Call) -> Answer:
    balancer = call.one(InternalLoadBalancer)
    check_access(call.cloud, call.account, balancer)
    remove(call.cloud, balancer)
    return Success()


@family.command("updateLoadBalancer")
def update_load_balancer(call: Call) -> Answer:
    balancer = call.one(InternalLoadBalancer)
    check_access(call.cloud, call.account, balancer)
    public_ips.rename(call, balancer)
    balancer.display = call.flag("fordisplay", balancer.display)
    return balancer


# The VMs that balance


def vms_at(cloud: Cloud, nic: Nic) -> list[Router]:
    """The VM that answers at a balancer's address, if there is one yet."""
    return cloud.store.table(Router).where(lambda vm: nic in vm.nics, role=routers.BALANCER)


def apply(cloud: Cloud, balancer: InternalLoadBalancer) -> None:
    """Have a VM run that does the balancing at a balancer's address (deployInternalLbVm)."""
    running = vms_at(cloud, balancer.nic)
    if not running:
        offering = system_offering(cloud, "internalloadbalancervm")
        running = [routers.deploy_internal_balancer(cloud, balancer.network, balancer.nic, offering)]
    for vm in running:
        if vm.state != "Running":
            routers.start(cloud, vm)


@family.before("startInternalLoadBalancerVM", "stopInternalLoadBalancerVM")
def operated(call: Call) -> Router:
    """The VM that a command is about, if the caller may operate it."""
    lost = "Unable to find Internal LB Instance by ID"
    vm = call.one(Router, missing=lost)
    if vm.role != routers.BALANCER:
        raise InvalidParameterValue(lost)
    check_access(call.cloud, call.account, vm)
    return vm


@family.command("startInternalLoadBalancerVM")
def start_vm(call: Call) -> Answer:
    vm = operated(call)
    routers.start_again(call.cloud, vm)
    return vm


@family.command("stopInternalLoadBalancerVM")
def stop_vm(call: Call) -> Answer:
    vm = operated(call)
    routers.stop(call.cloud, vm)
    return vm


family.listing(
    "listInternalLoadBalancerVMs",
    Router,
    scope=Scope.OWNER,
    newest_first=True,
    keyword=routers.KEYWORD,
    rows=lambda call: call.cloud.store.table(Router).where(role=routers.BALANCER),
    filters=routers.FILTERS,
)


@family.before("listLoadBalancers")
def check_listed_scheme(call: Call) -> None:
    if "scheme" in call:
        check_scheme(call["scheme"])


family.listing(
    "listLoadBalancers",
    InternalLoadBalancer,
    scope=Scope.OWNER,
    keyword=("name", "description"),
    filters={
        "scheme": lambda balancer, scheme, call: True,
        "sourceipaddress": lambda balancer, address, call: balancer.source_ip == address,
        "sourceipaddressnetworkid": lambda balancer, network, call: balancer.source_network is network,
    },
)
