"""Network devices of plugins: controllers, switches, firewalls, load balancers (NiciraNvpElement, NetscalerElement …).

There is none to be had: what is asked for is not there, and what is to be added cannot be reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, InvalidParameterValue, ParameterError
from cs_matrix_pytest.simulator.models.infra import PhysicalNetwork, ServiceProvider
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.texts import described

family = Family("network_devices")


@dataclass(frozen=True)
class Plugin:
    """The commands of one plugin and what it says. ``{}`` in a text is the number of what was asked for."""

    provider: str
    id: str
    """The parameter that names a device."""
    add: str
    list: str
    failed: str
    """What cannot be added."""
    neither: str | None = None
    """What a list says that is asked for nothing in particular; None where it lists all."""
    missing: dict[str, str] | None = None
    """What each command says of a device that is not there."""
    types: tuple[str, ...] = ()
    """The types of device that there are, where a request names one."""
    bad_type: str = ""
    no_network: str = "Could not find phyical network with ID: {}"


PLUGINS = (
    Plugin(
        "NiciraNvp",
        "nvpdeviceid",
        add="addNiciraNvpDevice",
        list="listNiciraNvpDevices",
        failed="Failed to add Nicira Nvp Device due to internal error.",
        neither="Either physical network Id or nicira device Id must be specified",
        no_network="Could not find a physical network with id: {}",
        missing={
            "listNiciraNvpDevices": "Could not find Nicira Nvp device with id: null",
            "deleteNiciraNvpDevice": "Could not find a nicira device with id {}",
            "listNiciraNvpDeviceNetworks": "Could not find a nicira device with id {}",
        },
    ),
    Plugin(
        "BigSwitchBcf",
        "bcfdeviceid",
        add="addBigSwitchBcfDevice",
        list="listBigSwitchBcfDevices",
        failed="Failed to add BigSwitch BCF Controller Device due to internal error.",
        neither="Either physical network Id or bigswitch device Id must be specified",
        no_network="Could not find a physical network with id: {}",
        missing={
            "listBigSwitchBcfDevices": "Could not find BigSwitch controller with id: {}",
            "deleteBigSwitchBcfDevice": "Could not find a BigSwitch Controller with id {}",
        },
    ),
    Plugin(
        "BrocadeVcs",
        "vcsdeviceid",
        add="addBrocadeVcsDevice",
        list="listBrocadeVcsDevices",
        failed="Failed to add Brocade VCS Switch due to internal error.",
        neither="Either physical network Id or brocade vcs switch Id must be specified",
        no_network="Could not find a physical network with id: {}",
        missing={
            "listBrocadeVcsDevices": "Could not find Brocade VCS Switch with id: {}",
            "deleteBrocadeVcsDevice": "Could not find a brocade vcs switch with id null",
            "listBrocadeVcsDeviceNetworks": "Could not find a Brocade VCS Switch with id {}",
        },
    ),
    Plugin(
        "Netscaler",
        "lbdeviceid",
        add="addNetscalerLoadBalancer",
        list="listNetscalerLoadBalancers",
        failed="Failed to add load balancer device due to internal error.",
        neither="Either physical network Id or load balancer device Id must be specified",
        types=("NetscalerMPXLoadBalancer", "NetscalerVPXLoadBalancer", "NetscalerSDXLoadBalancer"),
        bad_type="Invalid Netscaler device type",
        missing={
            "listNetscalerLoadBalancers": "Could not find Netscaler load balancer device with ID: {}",
            "deleteNetscalerLoadBalancer": "No netscaler device found with ID: {}",
            "configureNetscalerLoadBalancer": "No netscaler device found with ID: {}",
            "listNetscalerLoadBalancerNetworks": "Could not find Netscaler load balancer device with ID {}",
        },
    ),
    Plugin(
        "PaloAlto",
        "fwdeviceid",
        add="addPaloAltoFirewall",
        list="listPaloAltoFirewalls",
        failed="Failed to add external firewall device due to internal error.",
        neither="Either physical network Id or load balancer device Id must be specified",
        types=("PaloAltoFirewall",),
        bad_type="Invalid Palo Alto firewall device type",
        missing={
            "listPaloAltoFirewalls": "Could not find Palo Alto firewall device with ID: {}",
            "deletePaloAltoFirewall": "No Palo Alto firewall device found with ID: {}",
            "configurePaloAltoFirewall": "No Palo Alto firewall device found with ID: {}",
        },
    ),
    Plugin(
        "Opendaylight",
        "id",
        add="addOpenDaylightController",
        list="listOpenDaylightControllers",
        failed="Failed to create host object for ODL Controller",
        missing={"deleteOpenDaylightController": "No ODL Controller with id {}"},
    ),
)


def _add(plugin: Plugin, call: Call) -> Answer:
    if plugin.types and call["networkdevicetype"] not in plugin.types:
        raise ParameterError(plugin.bad_type)
    network = call.one(PhysicalNetwork, "physicalnetworkid", missing=plugin.no_network, error=ParameterError)
    provider = call.cloud.store.table(ServiceProvider).first(name=plugin.provider, physical_network=network)
    if provider is None:
        raise ApiError(
            f"Network Service Provider: {plugin.provider} is not enabled in the physical network: {described(network)} to "
            "add this device"
        )
    if provider.state == "Shutdown":
        raise ApiError(
            f"Network Service Provider: {plugin.provider} is in shutdown state in the physical network: "
            f"{described(network)} to add this device"
        )
    raise ApiError(plugin.failed)


def _list(plugin: Plugin, call: Call) -> Answer:
    if plugin.id in call and plugin.list in (plugin.missing or {}):
        return _not_there(plugin, call)
    if plugin.neither is not None and "physicalnetworkid" not in call:
        raise InvalidParameterValue(plugin.neither)
    call.maybe(PhysicalNetwork, "physicalnetworkid", missing=plugin.no_network)
    return None


def _not_there(plugin: Plugin, call: Call) -> Answer:
    asked = call.get(plugin.id) or call.get("lbdeviceid")
    text = (plugin.missing or {})[call.command.name]
    raise ParameterError(text.format(getattr(asked, "number", asked)))


for _plugin in PLUGINS:
    family.command(_plugin.add)(partial(_add, _plugin))
    family.command(_plugin.list)(partial(_list, _plugin))
    for _name in _plugin.missing or {}:
        if _name != _plugin.list:
            family.command(_name)(partial(_not_there, _plugin))


@family.command("listPaloAltoFirewallNetworks")
def list_firewall_networks(call: Call) -> Answer:
    asked = call["lbdeviceid"]
    raise ParameterError(f"Could not find Palo Alto firewall device with ID {getattr(asked, 'number', asked)}")


@family.command(
    "listNetscalerControlCenter",
    "listRegisteredServicePackages",
    "listUcsManagers",
    "listBaremetalDhcp",
    "listBaremetalPxeServers",
    "listBaremetalRct",
)
def list_nothing(_call: Call) -> Answer:
    """What only a device could have brought about."""
    return None


@family.command("deleteNetscalerControlCenter")
def delete_control_center(_call: Call) -> Answer:
    raise InternalError("External Netscaler Control Center Table does not contain record with this ID")


@family.command("deleteServicePackageOffering")
def delete_service_package(_call: Call) -> Answer:
    raise InternalError("Record does not Exists in the Table")


# Devices of any kind, which the server itself no longer knows


@family.command("listNetworkDevice")
def list_devices(call: Call) -> Answer:
    _check_list(call)
    kind, values = call.get("networkdevicetype"), call.entries("networkdeviceparameterlist")[0]
    if kind is not None and kind.lower() not in ("externaldhcp", "pxeserver"):
        raise ApiError(f"Unknown network device type:{kind}")
    for name in ("zoneid", "podid"):
        if name not in values:
            raise ApiError("Cannot parse null string: null")
        if not values[name].isdecimal():
            raise ApiError(f'For input string: "{values[name]}"')
    raise ApiError('Cannot invoke "java.util.List.iterator()" because "devices" is null')


def _check_list(call: Call) -> None:
    if not call.entries("networkdeviceparameterlist"):
        raise ApiError("Parameter list is null")


@family.command("addNetworkDevice")
def add_device(call: Call) -> Answer:
    _check_list(call)
    raise ApiError('Cannot invoke "com.cloud.host.Host.getId()" because "device" is null')


@family.command("deleteNetworkDevice")
def delete_device(_call: Call) -> Answer:
    """It looks for nothing, and is content."""
    return Success()


# Cisco's UCS and bare metal


@family.command("addUcsManager", "listUcsProfiles")
def ask_manager(_call: Call) -> Answer:
    """It logs in at the manager first."""
    raise ApiError("Cannot get cookie")


@family.command("listUcsBlades")
def list_blades(_call: Call) -> Answer:
    return None


@family.command("associateUcsProfileToBlade")
def associate_profile(call: Call) -> Answer:
    blade, manager = (getattr(call[name], "number", call[name]) for name in ("bladeid", "ucsmanagerid"))
    raise ApiError(f"cannot find UCS blade[id:{blade}, ucs manager id:{manager}]")


@family.command("deleteUcsManager", "deleteBaremetalRct")
def delete_unseen(_call: Call) -> Answer:
    """A number is deleted whether or not there is such a row."""
    return Success()


@family.command("addBaremetalRct")
def add_rack_configuration(call: Call) -> Answer:
    # Of type object: a map is possible.
    url = str(call["baremetalrcturl"])
    if url.partition(":")[0].lower() not in ("http", "https", "file", "ftp", "jar"):
        raise ApiError(f"{url} is not a legal http url")
    raise ApiError(f'I/O error on GET request for "{url}": Connection refused')


@family.command("notifyBaremetalProvisionDone")
def end_provisioning(call: Call) -> Answer:
    raise ApiError(f"cannot find host[mac:{call['mac']}]")
