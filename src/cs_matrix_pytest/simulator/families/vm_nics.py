"""NICs of virtual machines: adding, removing, the default one, addresses (UserVmManagerImpl)."""

from __future__ import annotations

from cs_matrix_pytest.simulator import ipv4
from cs_matrix_pytest.simulator.access import check_access
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.families import capacity, guest_networks, nics
from cs_matrix_pytest.simulator.families.networks import check_use
from cs_matrix_pytest.simulator.families.vm_deploy import checked_mac
from cs_matrix_pytest.simulator.models.networks import LoadBalancerRule, Network, Nic, PortForwardingRule, PublicIp
from cs_matrix_pytest.simulator.models.vm import UserVm, VmSnapshot
from cs_matrix_pytest.simulator.registry import Answer, Family

family = Family("NICs of virtual machines")


def _vm_for(call: Call, change: str) -> UserVm:
    """The VM whose NICs a call changes."""
    vm = call.params["virtualmachineid"]
    if not isinstance(vm, UserVm) or vm not in call.cloud.store:
        raise InvalidParameterValue(f"Unable to find an Instance with ID {getattr(vm, 'number', vm)}")
    if call.cloud.store.table(VmSnapshot).first(vm=vm):
        raise InvalidParameterValue(f"NIC cannot be {change} Instance with Instance Snapshots")
    return vm


@family.command("addNicToVirtualMachine")
def add_nic(call: Call) -> Answer:
    cloud, vm = call.cloud, _vm_for(call, "added to")
    network, ip = call.params["networkid"], call.get("ipaddress")
    if not isinstance(network, Network) or network not in cloud.store:
        raise InvalidParameterValue(f"Unable to find a Network with ID {getattr(network, 'number', network)}")
    mac = checked_mac(call.get("macaddress"))
    if mac is not None and any(nic.mac_address == mac for nic in nics.nics_in(cloud, network)):
        raise InternalError(f"A NIC with this MAC address exists for network: {network.id}")
    if ip is not None and not ipv4.is_address(ip) and ":" not in ip:
        raise InvalidParameterValue(f"Invalid format for IP address parameter: {ip}")
    if vm.zone.is_basic and vm.nics:
        raise InternalError(
            f"Zone {vm.zone.name}, has a NetworkType of Basic. Can't add a new NIC to a Instance on a Basic Network"
        )
    check_use(cloud, vm.account, network)
    if network.zone is not vm.zone:
        raise InternalError(
            f"{capacity.describe(vm)} is in zone: {vm.zone.name} but {nics.describe(network)} is in zone: {network.zone.name}"
        )
    if network not in vm.networks and any(other.name == vm.name for other in nics.vms_in(cloud, network)):
        raise InternalError(f"Network {network.name} already has an Instance with host name: {vm.name}")
    if vm.state not in ("Running", "Stopped"):
        raise InternalError(f"Unable to add NIC to {capacity.describe(vm)} in state {vm.state}")
    try:
        if vm.state == "Running":
            guest_networks.implement(cloud, network)
        nic = nics.allocate(cloud, network, ip, mac, vm.pod)
    except ApiError as error:
        raise InternalError(f"Insufficient capacity when adding NIC to {capacity.describe(vm)}: {error.text}") from None
    taken = {each.device_id for each in vm.nics}
    nic.device_id = next(number for number in range(len(taken) + 1) if number not in taken)
    nic.is_default = not any(each.is_default for each in vm.nics)
    vm.nics.append(nic)
    return vm


def _nic_of(call: Call, _vm: UserVm) -> Nic:
    nic = call.params["nicid"]
    if not isinstance(nic, Nic) or nic not in call.cloud.store:
        raise InvalidParameterValue(f"Unable to find a NIC with ID {getattr(nic, 'number', nic)}")
    return nic


def _describe(nic: Nic) -> str:
    return f'Nic {{"id":{nic.number},"uuid":"{nic.id}"}}'


@family.command("removeNicFromVirtualMachine")
def remove_nic(call: Call) -> Answer:
    cloud, vm = call.cloud, _vm_for(call, "removed from")
    nic = _nic_of(call, vm)
    if vm.zone.is_basic:
        raise InvalidParameterValue(
            f"Zone {vm.zone.name}, has a NetworkType of Basic. Can't remove a NIC from a VM on a Basic Network"
        )
    if nic not in vm.nics:
        raise InvalidParameterValue(f"{_describe(nic)} is not a NIC on {capacity.describe(vm)}")
    where = f"from {capacity.describe(vm)} in {nics.describe(nic.network)}"
    if nic.is_default:
        raise InvalidParameterValue(f"Unable to remove NIC {where}, NIC is default.")
    if _has_rules(call, vm, nic):
        raise InvalidParameterValue(
            f"Unable to remove NIC {where}, NIC has associated Port forwarding or Load balancer or Static NAT rules."
        )
    vm.nics.remove(nic)
    nics.release(cloud, nic)
    return vm


def _has_rules(call: Call, vm: UserVm, nic: Nic) -> bool:
    store, network = call.cloud.store, nic.network
    return bool(
        store.table(PortForwardingRule).first(vm=vm, network=network)
        or store.table(PublicIp).first(vm=vm, network=network)
        or any(
            member[0] is vm for rule in store.table(LoadBalancerRule).where(network=network) for member in rule.members
        )
    )


@family.command("updateDefaultNicForVirtualMachine")
def update_default_nic(call: Call) -> Answer:
    vm = _vm_for(call, "updated for")
    nic = _nic_of(call, vm)
    if vm.zone.is_basic:
        raise InternalError(
            f"Zone {vm.zone.name}, has a NetworkType of Basic. Can't change default NIC on a Basic Network"
        )
    if nic not in vm.nics:
        raise InvalidParameterValue(f"{_describe(nic)} is not a NIC on  {capacity.describe(vm)}")
    if nic.is_default:
        raise InternalError("refusing to set default NIC because chosen NIC is already the default")
    if vm.state not in ("Running", "Stopped"):
        raise InternalError(f"refusing to set default {capacity.describe(vm)} is not Running or Stopped")
    for each in vm.nics:
        each.is_default = each is nic
    return vm


@family.command("updateVmNicIp")
def update_nic_ip(call: Call) -> Answer:
    cloud, nic, ip = call.cloud, call.params["nicid"], call.get("ipaddress")
    if not isinstance(nic, Nic) or nic not in cloud.store:
        raise InvalidParameterValue(f"There is no nic for the {getattr(nic, 'number', nic)}")
    vm, network = nics.vm_of(cloud, nic), nic.network
    if vm is None:
        raise InvalidParameterValue("The nic is not belongs to user vm")
    if ip is not None and not ipv4.is_address(ip):
        raise InvalidParameterValue(f"Invalid ip address {ip}")
    if network.state not in ("Allocated", "Implemented", "Setup"):
        raise InvalidParameterValue(
            "Network is not in the right state to update vm nic ip. Correct states are: Allocated, Implemented, Setup"
        )
    if network.offering.services and vm.state != "Stopped":
        raise InvalidParameterValue("VM is not Stopped, unable to update the vm nic having the specified id")
    check_access(cloud, call.account, vm)
    if network.guest_type == "L2":
        raise InvalidParameterValue("UpdateVmNicIpCmd is not supported in L2 network")
    found = nics.address_for(cloud, network, ip, vm.pod if vm.zone.is_basic else None)
    if found is None:
        named = _describe(nic) if network.guest_type == "Isolated" else nic.id
        raise InvalidParameterValue(f"Allocating IP to guest NIC {named} failed, please choose another IP")
    old, nic.ip_address = nic.ip_address, found[0]
    _lead_to(call, vm, nic, old)
    return vm


def _lead_to(call: Call, vm: UserVm, nic: Nic, old: str | None) -> None:
    """Have the rules that led to a NIC's old address lead to its new one."""
    store, new = call.cloud.store, nic.ip_address
    assert new is not None
    for rule in store.table(PortForwardingRule).where(vm=vm, network=nic.network, vm_ip=old):
        rule.vm_ip = new
    for ip in store.table(PublicIp).where(vm=vm, network=nic.network, vm_ip=old):
        ip.vm_ip = new
    for balanced in store.table(LoadBalancerRule).where(network=nic.network):
        balanced.members = [
            (member, new if member is vm and address == old else address) for member, address in balanced.members
        ]


@family.command("updateVmNic")
def update_nic(call: Call) -> Answer:
    nic = call.one(Nic, "nicid")
    vm = nics.vm_of(call.cloud, nic)
    if vm is None:
        raise InvalidParameterValue("The nic is not belongs to user vm")
    check_access(call.cloud, call.account, vm)
    nic.enabled = call.flag("enabled", nic.enabled)
    return nic
