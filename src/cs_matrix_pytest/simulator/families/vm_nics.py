"""NICs of virtual machines: adding, removing, the default one, addresses (UserVmManagerImpl)."""

from __future__ import annotations

from cs_matrix_pytest.simulator import ipv4
from cs_matrix_pytest.simulator.access import check_access
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InsufficientCapacity, InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.families import capacity, guest_networks, nics
from cs_matrix_pytest.simulator.families.networks import check_use
from cs_matrix_pytest.simulator.families.vm_networks import checked_mac
from cs_matrix_pytest.simulator.families.vms import whole
from cs_matrix_pytest.simulator.models.networks import LoadBalancerRule, Network, Nic, PortForwardingRule, PublicIp
from cs_matrix_pytest.simulator.models.vm import UserVm, VmSnapshot
from cs_matrix_pytest.simulator.registry import Answer, Family
from cs_matrix_pytest.simulator.texts import described

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
    cloud, ip, mac = call.cloud, call.get("ipaddress"), checked_mac(call.get("macaddress"))
    vm, network = _vm_for(call, "added to"), call.params["networkid"]
    if not isinstance(network, Network) or network not in cloud.store:
        raise InvalidParameterValue(f"Unable to find a Network with ID {getattr(network, 'number', network)}")
    check_use(cloud, vm.account, network)
    if network in vm.networks:
        raise InternalError(f"A NIC already exists for VM:{vm.instance_name} in network: {network.id}")
    if mac is not None and nics.has_mac(cloud, network, mac):
        raise InternalError(f"A NIC with this MAC address exists for network: {network.id}")
    if ip is not None and not ipv4.is_address(ip) and ":" not in ip:
        raise InvalidParameterValue(f"Invalid format for IP address parameter: {ip}")
    check_access(cloud, call.account, vm)
    if vm.zone.is_basic and vm.nics:
        raise InternalError(
            f"Zone {described(vm.zone)}, has a NetworkType of Basic. Can't add a new NIC to a Instance on a Basic Network"
        )
    if network.zone is not vm.zone:
        raise InternalError(
            f"{capacity.describe(vm)} is in zone: {described(vm.zone)} but {described(network)} is in zone: "
            f"{described(network.zone)}"
        )
    if any(network in other.networks for other in cloud.store.table(UserVm).where(name=vm.name)):
        raise InternalError(f"Network {network.name} already has an Instance with host name: {vm.name}")
    if vm.state not in ("Running", "Stopped"):
        raise InternalError(
            f"Unable to add NIC to {capacity.describe(vm)}: com.cloud.exception.ResourceUnavailableException: Resource "
            f"[DataCenter:{vm.zone.number}] is unreachable: Unable to add vm {capacity.describe(vm)} to network, is not in "
            "the right state"
        )
    if vm.state == "Running":
        guest_networks.implement(cloud, network)
    try:
        nic = nics.allocate(cloud, network, ip, mac, vm.pod)
    except InsufficientCapacity as error:
        kind = "Address" if network.specify_ip_ranges else "VirtualNetwork"
        raise InternalError(
            f"Insufficient capacity when adding NIC to {capacity.describe(vm)}: com.cloud.exception.Insufficient{kind}"
            f"CapacityException: {error.text}Scope=interface com.cloud.dc.DataCenter; id={network.zone.number}"
        ) from None
    taken = {each.device_id for each in vm.nics}
    nic.device_id = next(number for number in range(len(taken) + 1) if number not in taken)
    nic.is_default = not any(each.is_default for each in vm.nics)
    vm.nics = (*vm.nics, nic)
    return vm


def _nic_of(call: Call) -> Nic:
    nic = call.params["nicid"]
    if not isinstance(nic, Nic) or nic not in call.cloud.store:
        raise InvalidParameterValue(f"Unable to find a NIC with ID {getattr(nic, 'number', nic)}")
    return nic


@family.command("removeNicFromVirtualMachine")
def remove_nic(call: Call) -> Answer:
    cloud, vm = call.cloud, _vm_for(call, "removed from")
    nic = _nic_of(call)
    check_access(cloud, call.account, vm)
    if vm.zone.is_basic:
        raise InvalidParameterValue(
            f"Zone {described(vm.zone)}, has a NetworkType of Basic. Can't remove a NIC from a VM on a Basic Network"
        )
    if nic not in vm.nics:
        raise InvalidParameterValue(f"{nics.describe_nic(cloud, nic)} is not a NIC on {capacity.describe(vm)}")
    where = f"from {capacity.describe(vm)} in {described(nic.network)}"
    if nic.is_default:
        raise InvalidParameterValue(f"Unable to remove NIC {where}, NIC is default.")
    if _has_rules(call, vm, nic):
        raise InvalidParameterValue(
            f"Unable to remove NIC {where}, NIC has associated Port forwarding or Load balancer or Static NAT rules."
        )
    vm.nics = tuple(each for each in vm.nics if each is not nic)
    nics.release(cloud, nic)
    return vm


def _has_rules(call: Call, vm: UserVm, nic: Nic) -> bool:
    store, network = call.cloud.store, nic.network
    return bool(
        store.table(PortForwardingRule).first(vm_ip=nic.ip_address, network=network)
        or store.table(PublicIp).first(vm_ip=nic.ip_address, network=network)
        or any(
            member[0] is vm for rule in store.table(LoadBalancerRule).where(network=network) for member in rule.members
        )
    )


@family.command("updateDefaultNicForVirtualMachine")
def update_default_nic(call: Call) -> Answer:
    cloud, vm = call.cloud, _vm_for(call, "updated for")
    nic = _nic_of(call)
    check_access(cloud, call.account, vm)
    if vm.zone.is_basic:
        raise InternalError(
            f"Zone {described(vm.zone)}, has a NetworkType of Basic. Can't change default NIC on a Basic Network"
        )
    if nic not in vm.nics:
        raise InvalidParameterValue(f"{nics.describe_nic(cloud, nic)} is not a NIC on  {capacity.describe(vm)}")
    if nic.is_default:
        raise InternalError("refusing to set default NIC because chosen NIC is already the default")
    if vm.state not in ("Running", "Stopped"):
        raise InternalError(f"refusing to set default {capacity.describe(vm)} is not Running or Stopped")
    for each in vm.nics:
        each.is_default = each is nic
    return vm


family.must_name("updateVmNicIp", "nicid", Nic, "Can't find Network ID for specified NIC")


@family.command("updateVmNicIp")
def update_nic_ip(call: Call) -> Answer:
    cloud, nic, ip = call.cloud, call.one(Nic, "nicid", missing="There is no nic for the {}"), call.get("ipaddress")
    if ip is not None and not ipv4.is_address(ip):
        raise ApiError(f"Invalid IP address {ip}")
    vm, network = nics.vm_of(cloud, nic), nic.network
    if vm is None:
        raise InvalidParameterValue("The nic is not belongs to user vm")
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
    if found is None and network.guest_type != "Isolated":
        raise ApiError("Failed to update IP address on Instance NIC. Refer to server logs for details.")
    if found is None:
        raise InvalidParameterValue(
            f"Allocating IP to guest NIC {nics.describe_nic(cloud, nic)} failed, please choose another IP"
        )
    old, (nic.ip_address, row) = nic.ip_address, found
    if row is not None:
        nic.gateway, nic.netmask = row.gateway, row.netmask
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


@family.before("updateVmNic")
def check_known(call: Call) -> None:
    """Raise as the server does, which stumbles over a NIC that is gone."""
    nic = call.params["nicid"]
    if not isinstance(nic, Nic) or nic not in call.cloud.store:
        raise ApiError('Cannot invoke "com.cloud.vm.NicVO.getInstanceId()" because "nic" is null')


@family.command("updateVmNic")
def update_nic(call: Call) -> Answer:
    nic = call.one(Nic, "nicid", missing="Unable to find the specified NIC.")
    vm = nics.vm_of(call.cloud, nic)
    if vm is None:
        raise InvalidParameterValue("Unable to find a virtual machine associated with the specified NIC.")
    if vm.hypervisor != "KVM":
        raise InvalidParameterValue("Updating the VM NIC is only supported by the KVM hypervisor.")
    check_access(call.cloud, call.account, vm)
    nic.enabled = call.flag("enabled", nic.enabled)
    return whole(vm, call)
