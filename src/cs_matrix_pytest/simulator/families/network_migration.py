"""Moving guest networks and VPCs to offerings of other providers (NetworkServiceImpl.migrateGuestNetwork, migrateVpcNetwork)."""

from __future__ import annotations

from cs_matrix_pytest.simulator.access import check_access
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.families import networks, nics, vpcs
from cs_matrix_pytest.simulator.families.guest_networks import implement
from cs_matrix_pytest.simulator.models.networks import Network, Vpc
from cs_matrix_pytest.simulator.models.offerings import NetworkOffering, VpcOffering
from cs_matrix_pytest.simulator.registry import Answer, Family

family = Family("network_migration")

MOVABLE = ("Implemented", "Setup", "Allocated")


@family.command("migrateNetwork")
def migrate_network(call: Call) -> Answer:
    network = call.one(Network, "networkid", missing="Couldn't find network by id")
    offering = call.one(NetworkOffering, "networkofferingid", missing="Unable to find network offering.")
    if network.vpc is not None:
        raise InvalidParameterValue("Failed to migrate network as the specified network is a vpc tier. Use migrateVpc.")
    if offering.for_vpc:
        raise InvalidParameterValue("Failed to migrate network as the specified network offering is a VPC offering")
    if _must_move(call, network, offering):
        _move(network, offering)
        if network.state == "Implemented":
            networks.restart(call.cloud, network, cleanup=True)
        elif offering.is_persistent:
            implement(call.cloud, network)
    return network


def _must_move(call: Call, network: Network, offering: NetworkOffering) -> bool:
    """Whether a network has another offering than it is to have. Raises where it cannot be moved."""
    if network.offering.is_system:
        raise InvalidParameterValue("Failed to migrate network as the specified network is a system network.")
    check_access(call.cloud, call.account, network)
    if network.state not in MOVABLE:
        raise InternalError("Failed to migrate network as it is in invalid state.")
    if offering.is_system:
        raise InvalidParameterValue("Unable to find network offering.")
    if offering is network.offering:
        return False
    if network.guest_type != "Isolated":
        raise InvalidParameterValue("NetworkOfferingId can be upgraded only for the network of type Isolated")
    if not _can_move(network.offering, offering):
        raise InvalidParameterValue(
            f"Can't upgrade from network offering {network.offering.id} to {offering.id}; "
            "check logs for more information"
        )
    if any(vm.state not in ("Stopped", "Running") for vm in nics.vms_in(call.cloud, network)):
        raise InternalError("Failed to migrate network as at least one VM is not in running or stopped state.")
    if offering.state != "Enabled":
        raise InvalidParameterValue("Failed to migrate network as the specified network offering is not enabled.")
    return True


def _can_move(old: NetworkOffering, new: NetworkOffering) -> bool:
    """Whether offerings are alike in what migrating does not change (canMoveToPhysicalNetwork)."""
    same_lb = "Lb" not in old.services or "Lb" not in new.services or old.internal_lb == new.internal_lb
    return (
        old.guest_type == new.guest_type
        and old.traffic_type == new.traffic_type
        and old.specify_ip_ranges == new.specify_ip_ranges
        and same_lb
    )


def _move(network: Network, offering: NetworkOffering) -> None:
    network.offering, network.redundant = offering, offering.is_redundant


@family.command("migrateVPC")
def migrate_vpc(call: Call) -> Answer:
    cloud, vpc = call.cloud, call.one(Vpc, "vpcid")
    offering = call.one(VpcOffering, "vpcofferingid")
    check_access(cloud, call.account, vpc)
    if vpc.offering is offering:
        return vpc
    chosen = _chosen(call)
    tiers = {tier: _tier_offering(call, chosen, tier) for tier in vpcs.tiers_of(cloud, vpc)}
    moving = {tier: wanted for tier, wanted in tiers.items() if _must_move(call, tier, wanted)}
    before, vpc.offering = vpc.offering, offering
    try:
        for tier, wanted in tiers.items():
            vpcs.check_tier_offering(cloud, vpc, wanted, tier)
    except InvalidParameterValue:
        vpc.offering = before
        raise
    for tier, wanted in moving.items():
        _move(tier, wanted)
    vpc.redundant = offering.redundant_router
    vpcs.restart(cloud, vpc, cleanup=True)
    return vpc


def _chosen(call: Call) -> dict[str, str]:
    """The offerings' ids by those of the tiers: ``tiernetworkofferings[0].networkid=…&….networkofferingid=…``."""
    return {
        row["networkid"]: row["networkofferingid"]
        for row in call.entries("tiernetworkofferings")
        if "networkid" in row and "networkofferingid" in row
    }


def _tier_offering(call: Call, chosen: dict[str, str], tier: Network) -> NetworkOffering:
    if tier.id not in chosen:
        raise InvalidParameterValue("Failed to migrate VPC as the specified tierNetworkOfferings is not complete")
    offering = call.cloud.store.table(NetworkOffering).get(chosen[tier.id])
    if offering is None:
        raise InvalidParameterValue(
            "Failed to migrate VPC as at least one network offering in tierNetworkOfferings does not exist"
        )
    if not offering.for_vpc:
        raise InvalidParameterValue(
            f"Network offering {offering.name} ({offering.id}) can't be used for VPC networks for network "
            f"{tier.name}({tier.id})"
        )
    return offering
