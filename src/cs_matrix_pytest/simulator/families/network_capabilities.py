"""What the providers of a network can do, as answers about networks list it (the elements' capabilities)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cs_matrix_pytest.simulator.models.offerings import NetworkOffering

Parameter = tuple[str, bool, bool]
"""Name, whether it is required, whether it is a flag."""

STICKINESS_METHODS: tuple[tuple[str, tuple[Parameter, ...], str], ...] = (
    (
        "LbCookie",
        (
            ("cookie-name", False, False),
            ("mode", False, False),
            ("nocache", False, True),
            ("indirect", False, True),
            ("postonly", False, True),
            ("domain", False, False),
        ),
        "This is loadbalancer cookie based stickiness method.",
    ),
    (
        "AppCookie",
        (
            ("cookie-name", False, False),
            ("length", False, False),
            ("holdtime", False, False),
            ("request-learn", False, True),
            ("prefix", False, True),
            ("mode", False, False),
        ),
        "This is App session based sticky method. Define session stickiness on an existing application cookie. "
        "It can be used only for a specific http traffic",
    ),
    (
        "SourceBased",
        (("tablesize", False, False), ("expire", False, False)),
        "This is source based Stickiness method, it can be used for any type of protocol.",
    ),
)


def _methods() -> str:
    return _compact(
        [
            {
                "methodname": name,
                "paramlist": [
                    {"paramname": parameter, "required": required, "isflag": flag, "description": " "}
                    for parameter, required, flag in parameters
                ],
                "description": description,
            }
            for name, parameters, description in STICKINESS_METHODS
        ]
    )


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


ROUTER: Mapping[str, Mapping[str, str]] = {
    "Dhcp": {"DhcpAccrossMultipleSubnets": "true"},
    "Dns": {"AllowDnsSuffixModification": "true"},
    "PortForwarding": {"SupportedProtocols": "tcp,udp"},
    "Lb": {
        "SupportedStickinessMethods": _methods(),
        "VmAutoScaling": "true",
        "SupportedLBIsolation": "dedicated",
        "SupportedProtocols": "tcp, udp, tcp-proxy, ssl",
        "SslTermination": "true",
        "LbSchemes": "Public",
        "AutoScaleCounters": _compact(
            [{"methodname": name, "paramlist": []} for name in ("CPU", "MEMORY", "VIRTUALROUTER")]
        ),
        "SupportedLbAlgorithms": "roundrobin,leastconn,source",
    },
    "Firewall": {
        "SupportedTrafficDirection": "ingress, egress",
        "SupportedProtocols": "tcp,udp,icmp",
        "TrafficStatistics": "per public ip",
        "SupportedEgressProtocols": "tcp,udp,icmp, all",
        "MultipleIps": "true",
    },
    "Vpn": {"SupportedVpnTypes": "pptp,l2tp,ipsec", "VpnTypes": "remoteaccessvpn"},
    "NetworkACL": {"SupportedProtocols": "tcp,udp,icmp"},
}
CAPABILITIES: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "VirtualRouter": ROUTER,
    "VpcVirtualRouter": {**ROUTER, "Vpn": {"SupportedVpnTypes": "pptp,l2tp,ipsec", "VpnTypes": "s2svpn"}},
    "InternalLbVm": {
        "Lb": {
            "SupportedLBIsolation": "dedicated",
            "SupportedProtocols": "tcp, udp",
            "LbSchemes": "Internal",
            "SupportedLbAlgorithms": "roundrobin,leastconn,source",
        }
    },
}
CHOOSABLE = frozenset({"SupportedLBIsolation", "SupportedSourceNatTypes", "RedundantRouter"})


def supports_auto_scaling(offering: NetworkOffering) -> bool:
    """True where an offering chose it for its load balancing."""
    return offering.capabilities.get("Lb", {}).get("VmAutoScaling") == "true"


def _chosen(offering: NetworkOffering, service: str, capability: str, default: str) -> str:
    return offering.capabilities.get(service, {}).get(capability, default)


def of_offering(offering: NetworkOffering, service: str) -> dict[str, str]:
    """The capabilities of one service, with what the offering chose."""
    providers = offering.service_providers[service]
    values = dict(CAPABILITIES.get(providers[0] if providers else "", {}).get(service, {}))
    if service == "SourceNat":
        return {
            "SupportedSourceNatTypes": _chosen(offering, service, "SupportedSourceNatTypes", "peraccount"),
            "RedundantRouter": "true" if offering.is_redundant else "false",
        }
    if service == "StaticNat":
        values["ElasticIp"] = _chosen(offering, service, "ElasticIp", "false")
        values["AssociatePublicIP"] = _chosen(offering, service, "AssociatePublicIP", "false")
    if service == "Lb":
        if "SupportedLBIsolation" in values:
            values["SupportedLBIsolation"] = _chosen(offering, service, "SupportedLBIsolation", "shared")
        values["ElasticLb"] = _chosen(offering, service, "ElasticLb", "false")
        values["InlineMode"] = _chosen(offering, service, "InlineMode", "false")
    return values


def service_rows(offering: NetworkOffering) -> list[dict[str, Any]]:
    """The services of a network with providers and capabilities, as an answer shows them."""
    return [
        {
            "name": service,
            "provider": [{"name": name} for name in providers],
            "capability": [
                {"name": name, "value": value, "canchooseservicecapability": name in CHOOSABLE}
                for name, value in of_offering(offering, service).items()
            ],
        }
        for service, providers in offering.service_providers.items()
        if service != "Gateway"
    ]
