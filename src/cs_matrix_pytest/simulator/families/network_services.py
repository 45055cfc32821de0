"""Network services, their providers and capabilities, as offerings of networks and VPCs name them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue

SERVICES = (
    "Vpn",
    "Dhcp",
    "Dns",
    "Gateway",
    "Firewall",
    "Lb",
    "UserData",
    "SourceNat",
    "StaticNat",
    "PortForwarding",
    "SecurityGroup",
    "NetworkACL",
    "Connectivity",
    "CustomAction",
)
"""Network.Service."""

ROUTER_SERVICES = frozenset(
    ["Vpn", "Dhcp", "Dns", "Gateway", "Firewall", "Lb", "UserData", "SourceNat", "StaticNat", "PortForwarding"]
)

PROVIDER_SERVICES: dict[str, frozenset[str]] = {
    "VirtualRouter": ROUTER_SERVICES,
    "VpcVirtualRouter": ROUTER_SERVICES | {"NetworkACL"},
    "ConfigDrive": frozenset(["UserData", "Dhcp", "Dns"]),
    "SecurityGroupProvider": frozenset(["SecurityGroup"]),
    "InternalLbVm": frozenset(["Lb"]),
    "Netscaler": frozenset(["Lb", "StaticNat", "Firewall"]),
    "NiciraNvp": frozenset(["Connectivity", "SourceNat", "StaticNat", "PortForwarding", "Gateway"]),
    "BigSwitchBcf": frozenset(["Connectivity", "SourceNat", "StaticNat", "NetworkACL", "Firewall", "Gateway"]),
    "PaloAlto": frozenset(["Firewall", "SourceNat", "StaticNat", "PortForwarding", "Gateway"]),
    "Ovs": frozenset(["Connectivity", "Lb", "StaticNat", "PortForwarding"]),
    "Opendaylight": frozenset(["Connectivity"]),
    "BrocadeVcs": frozenset(["Connectivity"]),
    "StratosphereSsp": frozenset(["Connectivity"]),
    "GloboDns": frozenset(["Dns"]),
    "BaremetalDhcpProvider": frozenset(["Dhcp"]),
    "BaremetalUserdataProvider": frozenset(["UserData"]),
    "BaremetalPxeProvider": frozenset(["BaremetalPxeService"]),
}
"""The services of each provider that a default server has an element for (listSupportedNetworkServices)."""

ELEMENTLESS_PROVIDERS = (
    "JuniperContrailRouter",
    "JuniperContrailVpcRouter",
    "JuniperSRX",
    "F5BigIp",
    "ExternalDhcpServer",
    "ExternalGateWay",
    "ElasticLoadBalancerVm",
    "CiscoVnmc",
    "Tungsten",
    "Nsx",
    "Netris",
)
"""Providers that CloudStack knows by name but a default server has no element for."""

CAPABILITIES = (
    "SupportedProtocols",
    "SupportedLbAlgorithms",
    "SupportedLBIsolation",
    "SupportedStickinessMethods",
    "MultipleIps",
    "SupportedSourceNatTypes",
    "SupportedVpnTypes",
    "VpnTypes",
    "TrafficStatistics",
    "LoadBalancingSupportedIps",
    "AllowDnsSuffixModification",
    "RedundantRouter",
    "ElasticIp",
    "AssociatePublicIP",
    "ElasticLb",
    "AutoScaleCounters",
    "InlineMode",
    "SupportedTrafficDirection",
    "SupportedEgressProtocols",
    "HealthCheckPolicy",
    "SslTermination",
    "LbSchemes",
    "DhcpAccrossMultipleSubnets",
    "DistributedRouter",
    "StretchedL2Subnet",
    "RegionLevelVpc",
    "NoVlan",
    "PublicAccess",
    "ExtraDhcpOptions",
    "VmAutoScaling",
)

ROUTER_CAPABILITIES = {
    "Lb": {
        "SupportedLBIsolation": "dedicated",
        "LbSchemes": "Public",
        "VmAutoScaling": "true",
        "SupportedProtocols": "tcp, udp, tcp-proxy, ssl",
    },
    "SourceNat": {"SupportedSourceNatTypes": "peraccount", "RedundantRouter": "true"},
    "Gateway": {"RedundantRouter": "true"},
}
PROVIDER_CAPABILITIES: dict[str, dict[str, dict[str, str]]] = {
    "VirtualRouter": ROUTER_CAPABILITIES,
    "VpcVirtualRouter": ROUTER_CAPABILITIES,
    "InternalLbVm": {"Lb": {"SupportedLBIsolation": "dedicated", "LbSchemes": "Internal"}},
    "Netscaler": {
        "Lb": {
            "SupportedLBIsolation": "dedicated, shared",
            "ElasticLb": "true",
            "InlineMode": "false",
            "LbSchemes": "Public",
            "VmAutoScaling": "true",
        },
        "StaticNat": {"ElasticIp": "true"},
    },
    "NiciraNvp": {"SourceNat": {"SupportedSourceNatTypes": "peraccount", "RedundantRouter": "false"}},
    "Ovs": {
        "Connectivity": {"DistributedRouter": "true", "RegionLevelVpc": "true", "StretchedL2Subnet": "true"},
        "Lb": {"SupportedLBIsolation": "dedicated", "LbSchemes": "Public"},
    },
}
"""What offerings may choose, per provider and service: a chosen value must occur in the text."""

_SERVICES = {name.lower(): name for name in SERVICES}
_PROVIDERS = {name.lower(): name for name in (*PROVIDER_SERVICES, *ELEMENTLESS_PROVIDERS)}
_CAPABILITIES = {name.lower(): name for name in CAPABILITIES}


def service_named(name: str) -> str | None:
    """A service's proper name, or None."""
    return _SERVICES.get(name.lower())


def provider_named(name: str) -> str:
    """A provider's proper name; InvalidParameterValue where there is none."""
    found = _PROVIDERS.get(name.lower())
    if found is None:
        raise InvalidParameterValue(f"Invalid service provider: {name}")
    return found


def chosen_providers(call: Call) -> dict[str, list[str]]:
    """``serviceproviderlist`` as provider names by service name, as written."""
    chosen: dict[str, list[str]] = {}
    for entry in call.entries("serviceproviderlist"):
        chosen.setdefault(entry.get("service", ""), []).append(entry.get("provider", ""))
    return chosen


def chosen_capability(entry: Mapping[str, str]) -> tuple[str, str]:
    """The capability of one entry of ``servicecapabilitylist``, by its proper name, and its value."""
    name, value = entry.get("capabilitytype"), entry.get("capabilityvalue")
    capability = _CAPABILITIES.get((name or "").lower())
    if capability is None or value is None:
        shown = ["null" if text is None else text for text in (name, value)]
        raise InvalidParameterValue(f"Invalid capability:{shown[0]} capability value:{shown[1]}")
    return capability, value


def chosen_capabilities(call: Call) -> dict[str, dict[str, str]]:
    """``servicecapabilitylist`` as values by capability by service, all by their proper names."""
    chosen: dict[str, dict[str, str]] = {}
    for entry in call.entries("servicecapabilitylist"):
        capability, value = chosen_capability(entry)
        service = service_named(entry.get("service", "")) or entry.get("service", "")
        chosen.setdefault(service, {})[capability] = value
    return chosen


def check_provider(provider: str, services: Iterable[str]) -> None:
    """Raise where a provider has no element, or cannot provide one of the services."""
    offered = PROVIDER_SERVICES.get(provider)
    if offered is None:
        raise InvalidParameterValue(
            f"Unable to find the Network Element implementing the Service Provider '{provider}'"
        )
    for service in services:
        if service not in offered:
            raise UnsupportedServiceError(f"{provider} Provider cannot provide service {service}")


def check_capability(providers: Iterable[str], service: str, capability: str, value: str) -> None:
    """Raise unless every provider of a service has the value of a capability."""
    for provider in providers:
        known = PROVIDER_CAPABILITIES.get(provider, {}).get(service)
        where = f"for element={provider} implementing Provider={provider}"
        if known is None:
            raise UnsupportedServiceError(f"Service {service} doesn't have capabilities {where}")
        if capability not in known:
            raise UnsupportedServiceError(f"Service {service} doesn't have capability {capability} {where}")
        if value.lower() not in known[capability].lower():
            raise UnsupportedServiceError(
                f"Service {service} doesn't support value {value} for capability {capability} {where}"
            )


class UnsupportedServiceError(InternalError):
    """A provider cannot do what an offering asks of it (UnsupportedServiceException)."""

    cs_code = 4390


def service_fields(
    providers: Mapping[str, list[str]], capabilities: Mapping[str, Mapping[str, str]] | None = None
) -> list[dict[str, Any]]:
    """The services of an offering in an answer; the gateway that goes with source NAT is not shown."""
    shown: list[dict[str, Any]] = []
    for service, names in providers.items():
        if service == "Gateway":
            continue
        row: dict[str, Any] = {"name": service, "provider": [{"name": name} for name in names]}
        if capabilities and service in capabilities:
            row["capability"] = [
                {"name": name, "value": value, "canchooseservicecapability": False}
                for name, value in capabilities[service].items()
            ]
        shown.append(row)
    return shown
