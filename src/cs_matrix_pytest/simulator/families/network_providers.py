"""Network service providers of physical networks, and the elements behind them."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.models.infra import PhysicalNetwork, ProviderElement, ServiceProvider
from cs_matrix_pytest.simulator.models.networks import Network
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.texts import described

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("network_providers")

NO_NETWORK = "Physical Network with specified id doesn't exist in the system"
ROUTER, BALANCER = "virtualrouterelement", "internalloadbalancerelement"


@dataclass(frozen=True)
class ProviderFacts:
    """What a provider can do. ``element``: what has to be configured before it can be enabled."""

    services: tuple[str, ...]
    individual: bool = True
    """True where services can be enabled one by one."""
    element: str | None = None
    default_state: str | None = None
    """The state it has on a new physical network; None where it has to be added."""


ROUTER_SERVICES = (
    "Vpn",
    "Dhcp",
    "Dns",
    "Gateway",
    "Firewall",
    "Lb",
    "SourceNat",
    "StaticNat",
    "PortForwarding",
)
DEVICE_SERVICES = ("Firewall", "SourceNat", "StaticNat", "PortForwarding", "Vpn", "Gateway", "Lb")
PROVIDERS = {
    "VirtualRouter": ProviderFacts((*ROUTER_SERVICES, "UserData"), element=ROUTER, default_state="Disabled"),
    "Ovs": ProviderFacts(("Connectivity", "Firewall"), individual=True),
    "SecurityGroupProvider": ProviderFacts(("SecurityGroup",), individual=False, default_state="Disabled"),
    "VpcVirtualRouter": ProviderFacts(
        (*ROUTER_SERVICES, "NetworkACL", "UserData"), element=ROUTER, default_state="Disabled"
    ),
    "BaremetalPxeProvider": ProviderFacts((), individual=False, default_state="Disabled"),
    "InternalLbVm": ProviderFacts(("Lb",), element=BALANCER, default_state="Disabled"),
    "ConfigDrive": ProviderFacts(("Dhcp", "Dns", "UserData"), default_state="Enabled"),
    "BaremetalDhcpProvider": ProviderFacts(("Dhcp",), individual=False),
    "BaremetalUserdataProvider": ProviderFacts(("UserData",), individual=False),
    "Netscaler": ProviderFacts(("Lb", "StaticNat")),
    "F5BigIp": ProviderFacts(("Lb",)),
    "JuniperSRX": ProviderFacts(DEVICE_SERVICES[:-1]),
    "PaloAlto": ProviderFacts(DEVICE_SERVICES[:-1]),
    "CiscoVnmc": ProviderFacts(DEVICE_SERVICES[:4]),
    "NiciraNvp": ProviderFacts(("Connectivity", "SourceNat", "StaticNat", "PortForwarding", "Gateway")),
    "BigSwitchBcf": ProviderFacts(("Connectivity", "SourceNat", "StaticNat", "NetworkACL", "Gateway")),
    "GloboDns": ProviderFacts(("Dns",)),
    "Opendaylight": ProviderFacts(("Connectivity",)),
    "NuageVsp": ProviderFacts(("Connectivity", "Dhcp", "SourceNat", "StaticNat", "Firewall", "NetworkACL")),
    "BrocadeVcs": ProviderFacts(("Connectivity",)),
    "JuniperContrailRouter": ProviderFacts(("Connectivity", "Dhcp", "SourceNat", "StaticNat", "Gateway")),
    "JuniperContrailVpcRouter": ProviderFacts(("Connectivity", "Dhcp", "SourceNat", "StaticNat", "NetworkACL")),
    "Tungsten": ProviderFacts(("Connectivity", "Dhcp", "Dns", "Firewall", "Lb", "SourceNat", "StaticNat")),
    "NSX": ProviderFacts(("Dhcp", "Dns", "Firewall", "Lb", "SourceNat", "StaticNat", "PortForwarding")),
    "Netris": ProviderFacts(("Dhcp", "Dns", "Firewall", "Lb", "SourceNat", "StaticNat", "PortForwarding")),
}
"""Providers by name; those with a state stand on every physical network, in this order of creation."""


@family.view(ServiceProvider)
def provider_view(provider: ServiceProvider, _call: Call) -> dict[str, Any]:
    return {
        "name": provider.name,
        "physicalnetworkid": provider.physical_network.id,
        "state": provider.state,
        "id": provider.id,
        "servicelist": list(provider.services),
        "canenableindividualservice": provider.can_enable_services,
    }


def add_provider(cloud: Cloud, network: PhysicalNetwork, name: str, services: list[str], state: str) -> ServiceProvider:
    """Put a provider on a physical network, with its element."""
    facts = PROVIDERS[name]
    provider = cloud.store.add(
        ServiceProvider(
            name=name,
            physical_network=network,
            services=services,
            state=state,
            can_enable_services=facts.individual,
        )
    )
    if facts.element and facts.default_state:
        cloud.store.add(ProviderElement(provider=provider, kind=facts.element))
    return provider


def add_default_providers(cloud: Cloud, network: PhysicalNetwork) -> None:
    """What every new physical network has (createPhysicalNetwork)."""
    for name, facts in PROVIDERS.items():
        if facts.default_state:
            add_provider(cloud, network, name, list(facts.services), facts.default_state)
        elif name == "Ovs" and "GRE" in network.isolation_methods:
            add_provider(cloud, network, name, list(facts.services), "Disabled")


@family.command("addNetworkServiceProvider")
def add_network_service_provider(call: Call) -> Generator[Resource, None, Answer]:
    network = call.one(PhysicalNetwork, "physicalnetworkid", missing=NO_NETWORK)
    name, store = call["name"], call.cloud.store
    known = {each.lower(): each for each in PROVIDERS}
    if name.lower() not in known:
        raise InvalidParameterValue(f"Invalid Network Service Provider={name}")
    name = known[name.lower()]
    if store.table(ServiceProvider).first(physical_network=network, name=name):
        raise InternalError(f"The '{name}' provider already exists on physical network : {described(network)}")
    facts = PROVIDERS[name]
    services = call.get("servicelist")
    if services is not None:
        if not facts.individual and len(services) != len(facts.services):
            raise InvalidParameterValue(
                "Cannot enable subset of Services, Please specify the complete list of Services for this Service "
                f"Provider '{name}'"
            )
        for service in services:
            if service == "Gateway" or service not in known_services():
                raise InvalidParameterValue(f"Invalid Network Service specified={service}")
            if service not in facts.services:
                raise InvalidParameterValue(f"{name} Provider cannot provide this Service specified={service}")
        if "SourceNat" in services:
            services = [*services, "Gateway"]
    provider = add_provider(call.cloud, network, name, list(services or facts.services), "Disabled")
    try:
        yield provider
    except ApiError:
        remove_provider(call.cloud, provider)
        raise
    return provider


@family.command("updateNetworkServiceProvider")
def update_network_service_provider(call: Call) -> Answer:
    lost = "Network Service Provider id={}doesn't exist in the system"
    provider, state, services = call.one(ServiceProvider, missing=lost), call.get("state"), call.get("servicelist")
    if state == "Shutdown":
        raise InvalidParameterValue("Updating the provider state to 'Shutdown' is not supported")
    if state and state not in ("Enabled", "Disabled"):
        raise InvalidParameterValue(f"Unable to resolve state '{state}' to a supported value {{Enabled or Disabled}}")
    if state == "Enabled" and not _is_ready(call.cloud, provider):
        raise InternalError("Provider is not ready, cannot Enable the provider, please configure the provider first")
    if services is not None:
        if not provider.can_enable_services:
            raise InvalidParameterValue(f"Cannot update set of Services for this Service Provider '{provider.name}'")
        for service in services:
            if service not in known_services():
                raise InvalidParameterValue(f"Invalid Network Service specified={service}")
        provider.services = list(services)
    provider.state = state or provider.state
    return provider


def known_services() -> set[str]:
    """The names of all network services."""
    return {service for facts in PROVIDERS.values() for service in facts.services}


def _is_ready(cloud: Cloud, provider: ServiceProvider) -> bool:
    elements = cloud.store.table(ProviderElement).where(provider=provider)
    return PROVIDERS[provider.name].element is None or any(element.enabled for element in elements)


@family.command("deleteNetworkServiceProvider")
def delete_network_service_provider(call: Call) -> Answer:
    provider = call.one(ServiceProvider, missing="Network Service Provider id={}doesn't exist in the system")
    for network in call.cloud.store.table(Network).where(physical_network=provider.physical_network):
        if any(provider.name in names for names in network.offering.service_providers.values()):
            raise InternalError(
                "Provider is not deletable because there are active networks using this provider, please upgrade these "
                "networks to new network offerings"
            )
    remove_provider(call.cloud, provider)
    return Success()


def remove_provider(cloud: Cloud, provider: ServiceProvider) -> None:
    """Remove a provider and its element."""
    for element in cloud.store.table(ProviderElement).where(provider=provider):
        cloud.store.remove(element)
    cloud.store.remove(provider)


def provider_enabled(cloud: Cloud, network: PhysicalNetwork, name: str) -> bool:
    """True where a physical network has this provider, enabled."""
    return cloud.store.table(ServiceProvider).first(physical_network=network, name=name, state="Enabled") is not None


family.listing("listNetworkServiceProviders", ServiceProvider, keyword=(), newest_first=True)


@family.view(ProviderElement)
def element_view(element: ProviderElement, _call: Call) -> dict[str, Any]:
    return {"id": element.id, "nspid": element.provider.id, "enabled": element.enabled}


@family.command("configureVirtualRouterElement", "configureInternalLoadBalancerElement")
def configure_element(call: Call) -> Answer:
    element = call.one(ProviderElement)
    element.enabled = call["enabled"]
    return element


@family.command("createVirtualRouterElement", "createInternalLoadBalancerElement")
def create_element(call: Call) -> Generator[Resource, None, Answer]:
    provider, store = call.one(ServiceProvider, "nspid"), call.cloud.store
    kind = ROUTER if call.command.name == "createVirtualRouterElement" else BALANCER
    element = store.table(ProviderElement).first(provider=provider, kind=kind) or store.add(
        ProviderElement(provider=provider, kind=kind)
    )
    yield element
    return element


def _elements(kind: str) -> Any:
    return lambda call: call.cloud.store.table(ProviderElement).where(kind=kind)


for _command, _kind in (("listVirtualRouterElements", ROUTER), ("listInternalLoadBalancerElements", BALANCER)):
    family.listing(
        _command,
        ProviderElement,
        rows=_elements(_kind),
        keyword=(),
        filters={"nspid": lambda element, provider, _call: element.provider is provider},
    )
