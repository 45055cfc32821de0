"""The networks and the security groups of a new virtual machine (UserVmManagerImpl, NetworkModelImpl)."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cs_matrix_pytest.simulator import ipv4
from cs_matrix_pytest.simulator.access import check_access
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InvalidParameterValue, PermissionDenied
from cs_matrix_pytest.simulator.families import guest_networks, nics
from cs_matrix_pytest.simulator.families.networks import check_use
from cs_matrix_pytest.simulator.families.security_groups import default_group
from cs_matrix_pytest.simulator.models.iam import Account
from cs_matrix_pytest.simulator.models.images import Template
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.models.networks import Network, SecurityGroup
from cs_matrix_pytest.simulator.parameters import UnknownNumber, map_entries
from cs_matrix_pytest.simulator.texts import described

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

MAC = re.compile(r"([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}")


@dataclass(frozen=True)
class Wanted:
    """One NIC that is asked for."""

    network: Network
    ip: str | None = None
    mac: str | None = None


def asked_networks(call: Call) -> list[Wanted] | None:
    """The networks that a request names, with the addresses that ``iptonetworklist`` wants in them; None where it names
    none (BaseDeployVMCmd.getNetworkIds and getIpToNetworkMap)."""
    entries = map_entries(call.get("iptonetworklist"))
    if not entries:
        named = call.get("networkids")
        return None if named is None else [Wanted(_live_network(call, each)) for each in named]
    if call.get("networkids") or "ipaddress" in call or "ip6address" in call:
        raise InvalidParameterValue("ipToNetworkMap can't be specified along with networkIds or ipAddress")
    networks, wanted = call.cloud.store.table(Network), {}
    for entry in entries:
        id = entry.get("networkid", "null")
        network = networks.get(id)
        if network is None and not re.fullmatch(r"[+-]?[0-9]{1,18}", id):
            raise InvalidParameterValue(f"Unable to translate and find entity with networkId: {id}")
        network = network or _live_network(call, networks.by_number(int(id)) or UnknownNumber(int(id)))
        wanted[network.id] = Wanted(network, entry.get("ip"), checked_mac(entry.get("mac")))
    return list(wanted.values())


def _live_network(call: Call, network: object) -> Network:
    if isinstance(network, Network) and network in call.cloud.store:
        return network
    raise InvalidParameterValue(f"Unable to find network by id {getattr(network, 'number', network)}")


def uses_groups(cloud: Cloud, owner: Account, zone: Zone, networks: list[Network], groups: bool) -> bool:
    """True where a VM is made as those of zones with security groups (NetworkModelImpl.checkSecurityGroupSupportForNetwork)."""
    if zone.security_groups_enabled:
        return True
    if networks:
        return any(network.guest_type == "Shared" and network.supports("SecurityGroup") for network in networks)
    return groups and network_with_groups(cloud, owner, zone) is not None


def network_with_groups(cloud: Cloud, owner: Account, zone: Zone) -> Network | None:
    """The first network with security groups and free addresses that an owner may use in a zone."""
    for network in cloud.store.table(Network).where(zone=zone, guest_type="Shared"):
        if not network.supports("SecurityGroup") or not nics.has_room(cloud, network):
            continue
        with suppress(PermissionDenied):
            check_use(cloud, owner, network)
            return network
    return None


def check_networks(call: Call, owner: Account, zone: Zone, networks: list[Network]) -> None:
    """Raise unless a VM without security groups can be put into networks (createAdvancedVirtualMachine)."""
    for network in networks:
        # Unlike `check_access` this asks admins as well (NetworkModelImpl.checkNetworkPermissions).
        check_use(call.cloud, owner, network)
        if network.is_system:
            raise InvalidParameterValue(f"Network id={network.id} is system only and can't be used for vm deployment")


def check_networks_with_groups(
    call: Call, owner: Account, networks: list[Network], *, groups: bool, hypervisors: set[str]
) -> None:
    """Raise unless a VM can be put into networks of a zone with security groups; ``hypervisors`` are its template's and the
    one asked for (createAdvancedSecurityGroupVirtualMachine)."""
    if groups and "vmware" in hypervisors:
        raise InvalidParameterValue("Security group feature is not supported for VMware hypervisor")
    if groups and len(networks) > 1 and "kvm" not in hypervisors:
        raise InvalidParameterValue("Only support one network per VM if security group enabled")
    for network in networks:
        if groups and not network.supports("SecurityGroup") and network.guest_type != "L2":
            raise InvalidParameterValue(
                f"Network is not security group enabled or not L2 network: {described(network)}"
            )
        if not groups and (network.traffic_type != "Guest" or network.guest_type not in ("Shared", "L2")):
            raise InvalidParameterValue(
                "Can specify only Shared or L2 Guest networks when deploy vm in Advance Security Group enabled zone"
            )
        check_access(call.cloud, owner, network, "UseEntry")


def placed(call: Call, owner: Account, zone: Zone, wanted: list[Wanted]) -> list[Wanted]:
    """The NICs of a new VM, its first one with the addresses that the request wants there; raises where an owner's VM
    cannot have them in a zone."""
    ip, mac = call.get("ipaddress"), checked_mac(call.get("macaddress"))
    for index, each in enumerate(wanted):
        network = each.network
        if network.zone is not zone:
            raise InvalidParameterValue(f"Network {described(network)} doesn't belong to zone {described(zone)}")
        check_access(call.cloud, owner, network, "UseEntry")
        check_address(call.cloud, each)
        if index == 0 and ip is not None:
            check_address(call.cloud, Wanted(network, ip, mac))
            # Beside an address, the MAC address is only looked at.
            wanted[0] = Wanted(network, ip)
        elif index == 0 and mac is not None:
            wanted[0] = Wanted(network, None, mac)
    return wanted


def checked_mac(mac: str | None) -> str | None:
    """A MAC address in lower case with colons; raises InvalidParameterValue where it is none."""
    if mac is None:
        return None
    if not MAC.fullmatch(mac):
        raise InvalidParameterValue(f"Mac address is not valid: {mac}")
    if int(mac[1], 16) & 1:
        raise InvalidParameterValue(f"Mac address is not unicast: {mac}")
    return mac.lower().replace("-", ":")


def default_network(call: Call, owner: Account, zone: Zone, with_groups: bool = False) -> Network:
    """The network of a VM that asks for none.

    The only guest network of a basic zone, one with security groups and free addresses where the zone has those, else
    the owner's isolated network.
    """
    if not zone.is_basic and not zone.security_groups_enabled and not with_groups:
        return guest_networks.default_network_for(call.cloud, owner, zone)
    shared = call.cloud.store.table(Network).where(zone=zone, guest_type="Shared")
    chosen = next(iter(shared), None) if zone.is_basic else network_with_groups(call.cloud, owner, zone)
    if chosen is None:
        raise InvalidParameterValue(
            "Unable to find a default network to start a vm"
            if zone.is_basic
            else f"No network with security enabled is found in zone id={zone.id}"
        )
    return chosen


def check_network(cloud: Cloud, owner: Account, network: Network, zone: Zone) -> None:
    """Raise unless a VM of this owner can be put into a network of this zone."""
    if network.is_system:
        raise InvalidParameterValue(f"Network id={network.id} is system only and can't be used for vm deployment")
    if zone.security_groups_enabled:
        check_access(cloud, owner, network, "UseEntry")
    else:
        # Unlike `check_access` this asks admins as well (NetworkModelImpl.checkNetworkPermissions).
        check_use(cloud, owner, network)
    if network.zone is not zone:
        raise InvalidParameterValue(f"Network {described(network)} doesn't belong to zone {described(zone)}")
    if zone.security_groups_enabled and network.guest_type == "Isolated" and not zone.is_basic:
        raise InvalidParameterValue(
            "Can specify only Shared or L2 Guest networks when deploy vm in Advance Security Group enabled zone"
        )


def check_address(cloud: Cloud, wanted: Wanted) -> None:
    if wanted.ip is not None and not ipv4.is_address(wanted.ip):
        raise InvalidParameterValue(f"Invalid specified IPv4 address {wanted.ip}")
    if wanted.mac is not None and nics.has_mac(cloud, wanted.network, wanted.mac):
        raise InvalidParameterValue(f"The requested Mac address is already taken! {wanted.mac}")


def asked_groups(call: Call, owner: Account) -> list[SecurityGroup]:
    """The security groups that a request names."""
    names, ids = call.get("securitygroupnames"), call.get("securitygroupids")
    if names is not None and ids is not None:
        raise InvalidParameterValue(
            "securitygroupids parameter is mutually exclusive with securitygroupnames parameter"
        )
    groups = call.many(SecurityGroup, "securitygroupids")
    for name in names or ():
        default_group(call.cloud, owner)
        group = call.cloud.store.table(SecurityGroup).first(account=owner, name=name)
        if group is None:
            raise InvalidParameterValue(f"Unable to find group by name {name}")
        groups.append(group)
    return groups


def check_user_data_served(network: Network, vm_data: str | None, has_keys: bool, template: Template) -> None:
    """Raise InvalidParameterValue where the default network has nobody to hand out what a VM is given
    (validateUserdataSupport)."""
    if network.supports("UserData"):
        return
    where = f"there is no support for UserData service in the default network {network.name}/{network.id}"
    if vm_data:
        raise InvalidParameterValue(f"Unable to deploy VM as UserData is provided while deploying the VM, but {where}.")
    if has_keys:
        raise InvalidParameterValue(
            f"Unable to deploy VM as SSH keypair is provided while deploying the VM, but {where}"
        )
    if template.password_enabled:
        raise InvalidParameterValue(
            f"Unable to deploy VM as template {template.number} is password enabled, but {where}"
        )
