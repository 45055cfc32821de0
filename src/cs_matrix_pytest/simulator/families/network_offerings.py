"""Network offerings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InvalidParameterValue
from cs_matrix_pytest.simulator.families.annotations import has_annotations
from cs_matrix_pytest.simulator.families.network_services import (
    check_capability,
    check_provider,
    chosen_capabilities,
    chosen_providers,
    provider_named,
    service_fields,
    service_named,
)
from cs_matrix_pytest.simulator.families.offering_scope import (
    chosen_domains,
    chosen_zones,
    describe,
    in_order,
    in_zone,
    scope_fields,
    updated_domains,
    updated_offering,
    updated_zones,
)
from cs_matrix_pytest.simulator.families.service_offerings import system_offering
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.iam import Domain
from cs_matrix_pytest.simulator.models.infra import PhysicalNetwork, ServiceProvider, TrafficType, Zone
from cs_matrix_pytest.simulator.models.networks import Network
from cs_matrix_pytest.simulator.models.offerings import NetworkOffering, Offering, ServiceOffering
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.texts import described
from cs_matrix_pytest.simulator.views import when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("network offerings")

SYSTEM_OFFERINGS = (
    ("System-Public-Network", "Public", None, True),
    ("System-Management-Network", "Management", None, False),
    ("System-Control-Network", "Control", None, False),
    ("System-Storage-Network", "Storage", None, True),
    ("System-Private-Gateway-Network-Offering", "Guest", "Isolated", True),
    ("System-Private-Gateway-Network-Offering-Without-Vlan", "Guest", "Isolated", False),
)
"""Name, traffic type, guest type, whether a VLAN is given (ConfigurationServerImpl.createDefaultNetworkOfferings)."""


@family.on_fresh_install
def default_network_offerings(cloud: Cloud, fresh: Mapping[str, Any]) -> None:
    for name, traffic_type, guest_type, specify_vlan in SYSTEM_OFFERINGS:
        cloud.store.add(
            NetworkOffering(
                name=name,
                display_text=name,
                traffic_type=traffic_type,
                guest_type=guest_type,
                specify_vlan=specify_vlan,
                is_default=True,
                is_system=True,
                availability="Required",
                state="Enabled",
            )
        )
    for row in fresh["lists"]["listNetworkOfferings"]["networkoffering"]:
        cloud.store.add(
            NetworkOffering(
                name=row["name"],
                display_text=row["displaytext"],
                state=row["state"],
                guest_type=row["guestiptype"],
                traffic_type=row["traffictype"],
                availability=row["availability"],
                is_default=row["isdefault"],
                conserve_mode=row["conservemode"],
                specify_vlan=row["specifyvlan"],
                specify_ip_ranges=row["specifyipranges"],
                is_persistent=row["ispersistent"],
                egress_default_policy=row["egressdefaultpolicy"],
                for_vpc=row["forvpc"],
                for_nsx=row["fornsx"],
                for_tungsten=row["fortungsten"],
                network_mode=row.get("networkmode"),
                internet_protocol=row["internetprotocol"],
                internal_lb=row["supportsinternallb"],
                service_providers=providers_by_service(row["service"]),
                capabilities={
                    service["name"]: {each["name"]: each["value"] for each in service["capability"]}
                    for service in row["service"]
                    if "capability" in service
                },
            )
        )


def providers_by_service(services: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """``[{"name": "Dhcp", "provider": [{"name": "VirtualRouter"}]}]`` as ``{"Dhcp": ["VirtualRouter"]}``."""
    return {service["name"]: [provider["name"] for provider in service["provider"]] for service in services}


def network_offering_named(cloud: Cloud, name: str) -> NetworkOffering:
    """The network offering of this name, for the default ones."""
    found = cloud.store.table(NetworkOffering).first(name=name)
    if found is None:
        raise LookupError(f"no network offering is called {name!r}")
    return found


@family.view(NetworkOffering)
def network_offering_view(offering: NetworkOffering, call: Call) -> dict[str, Any]:
    rate = offering.network_rate
    if rate is None:
        rate = int(call.cloud.configuration.number("network.throttling.rate", default=200))
    return {
        "id": offering.id,
        "name": offering.name,
        "displaytext": offering.display_text,
        "tags": offering.tags_text,
        "created": when(offering.created),
        "traffictype": offering.traffic_type,
        "isdefault": offering.is_default,
        "specifyvlan": offering.specify_vlan,
        "conservemode": offering.conserve_mode,
        "specifyipranges": offering.specify_ip_ranges,
        "availability": offering.availability,
        "networkrate": rate,
        "state": offering.state,
        "guestiptype": offering.guest_type,
        "serviceofferingid": (offering.service_offering or system_offering(call.cloud, "domainrouter")).id,
        "service": service_fields(offering.service_providers, offering.capabilities),
        "forvpc": offering.for_vpc,
        "fornsx": offering.for_nsx,
        "fortungsten": offering.for_tungsten,
        "networkmode": offering.network_mode,
        "routingmode": offering.routing_mode,
        "ispersistent": offering.is_persistent,
        "egressdefaultpolicy": offering.egress_default_policy,
        "maxconnections": offering.max_connections,
        "supportsstrechedl2subnet": offering.supports_strech_l2,
        "supportspublicaccess": offering.supports_public_access,
        "supportsinternallb": offering.internal_lb,
        "internetprotocol": offering.internet_protocol,
        "specifyasnumber": offering.specify_as_number,
        "details": offering.details or None,
        **scope_fields(offering),
        "hasannotations": has_annotations(offering, call),
    }


TRAFFIC_TYPES = ("Public", "Management", "Control", "Guest", "Vlan", "Storage")
GUEST_TYPES = ("Shared", "Isolated", "L2")
AVAILABILITIES = ("Required", "Optional")
NETWORK_MODES = ("NATTED", "ROUTED")
ROUTING_MODES = ("Static", "Dynamic")
INTERNET_PROTOCOLS = ("IPv4", "IPv6", "DualStack")
STATES = ("Enabled", "Disabled")
DETAILS = (
    "InternalLbProvider",
    "PublicLbProvider",
    "servicepackageuuid",
    "servicepackagedescription",
    "PromiscuousMode",
    "MacAddressChanges",
    "ForgedTransmits",
    "MacLearning",
    "RelatedNetworkOffering",
    "domainid",
    "zoneid",
    "pvlanType",
    "internetProtocol",
)
VPC_ONLY_PROVIDERS = ("VpcVirtualRouter", "JuniperContrailVpcRouter", "InternalLbVm")
VPC_PROVIDERS = (
    "VpcVirtualRouter",
    "NiciraNvp",
    "InternalLbVm",
    "Netscaler",
    "JuniperContrailVpcRouter",
    "Ovs",
    "BigSwitchBcf",
    "ConfigDrive",
    "Nsx",
    "Netris",
)
"""Providers that networks of VPCs may have (VpcManagerImpl)."""
FIREWALL_PROVIDERS = ("VirtualRouter", "PaloAlto", "CiscoVnmc")
"""Providers that bring the firewall service with them."""
NAT_SERVICES = ("SourceNat", "StaticNat", "Lb", "PortForwarding", "Vpn")
"""Services that routed networks cannot have."""


def one_of(names: Iterable[str], text: str | None, refusal: str) -> str:
    """The name that a text means, without regard to case; InvalidParameterValue with ``refusal`` where none."""
    for name in names:
        if text is not None and name.lower() == text.lower():
            return name
    raise InvalidParameterValue(refusal)


@family.command("createNetworkOffering")
def create_network_offering(call: Call) -> Answer:
    domains, zones = chosen_domains(call), chosen_zones(call)
    network_mode = network_mode_of(call)
    traffic_type = one_of(
        TRAFFIC_TYPES,
        call["traffictype"],
        "Invalid value for traffictype. Supported traffic types: Public, Management, Control, Guest, Vlan or Storage",
    )
    if traffic_type != "Guest":
        raise InvalidParameterValue("Only traffic type Guest is supported in the current release")
    guest_type = one_of(
        GUEST_TYPES,
        call["guestiptype"],
        'Invalid "type" parameter is given; can have Shared and Isolated values',
    )
    protocol = internet_protocol_of(call, "network", guest_type)
    availability = one_of(
        AVAILABILITIES,
        call.get("availability", "Optional"),
        "Invalid value for Availability. Supported types: Required, Optional",
    )
    service_offering = router_offering_of(call)
    routing_mode = routing_mode_of(call)
    services = _services(call, guest_type)
    capabilities = chosen_capabilities(call)
    _check_capabilities(guest_type, services.providers, capabilities)
    details = {
        one_of(DETAILS, name, f"Unsupported detail {name}"): value for name, value in call.map("details").items()
    }
    _check_kind(call, guest_type, services, network_mode, routing_mode)
    _check_availability(call, None, availability, guest_type, services.providers)
    if (
        "Lb" in services.providers
        and "public" in capabilities.get("Lb", {}).get("LbSchemes", "")
        and ("internal" in capabilities["Lb"]["LbSchemes"])
    ):
        raise InvalidParameterValue("Public lb and internal lb can't be enabled at the same time on the offering")
    _check_lb_details(details, services.providers)
    if "VpcVirtualRouter" in services.distinct:
        _check_for_vpc(guest_type, services, capabilities)
    if protocol is not None:
        details["internetProtocol"] = protocol
    rate = call.get("networkrate")
    return call.cloud.store.add(
        NetworkOffering(
            name=call["name"],
            display_text=call.get("displaytext") or call["name"],
            state="Enabled" if call.flag("enable") else "Disabled",
            domains=domains,
            zones=zones,
            guest_type=guest_type,
            availability=availability,
            conserve_mode=call.flag("conservemode", True),
            specify_vlan=call.flag("specifyvlan"),
            specify_ip_ranges=call.flag("specifyipranges"),
            is_persistent=call.flag("ispersistent"),
            egress_default_policy=call.flag("egressdefaultpolicy", True),
            for_vpc=bool(services.for_vpc),
            for_tungsten=call.flag("fortungsten"),
            service_providers=services.providers,
            capabilities=shown_capabilities(services.providers, capabilities),
            service_offering=service_offering,
            network_rate=None if rate is None else max(rate, 0),
            max_connections=_max_connections(call, capabilities),
            keep_alive=call.flag("keepaliveenabled"),
            internal_lb="internal" in capabilities.get("Lb", {}).get("LbSchemes", ""),
            supports_strech_l2=capabilities.get("Connectivity", {}).get("StretchedL2Subnet", "").lower() == "true",
            supports_public_access=capabilities.get("Connectivity", {}).get("PublicAccess", "").lower() == "true",
            internet_protocol=protocol or "IPv4",
            network_mode=network_mode,
            routing_mode=routing_mode,
            specify_as_number=call.flag("specifyasnumber"),
            tags_text=call.get("tags"),
            details=details,
        )
    )


def network_mode_of(call: Call) -> str | None:
    mode: str | None = call.get("networkmode")
    if mode is not None and mode not in NETWORK_MODES:
        raise InvalidParameterValue("Invalid mode passed. Valid values: [NATTED, ROUTED]")
    return mode


def routing_mode_of(call: Call) -> str | None:
    mode = call.get("routingmode")
    if mode is None:
        return None
    return one_of(ROUTING_MODES, mode, f"Invalid value {mode} for Routing Mode, Supported values: Static, Dynamic.")


def internet_protocol_of(call: Call, what: str, guest_type: str = "Isolated") -> str | None:
    """``IPv4``, ``IPv6`` or ``DualStack`` as asked for; all but IPv4 must be enabled by a setting."""
    wanted = call.get("internetprotocol")
    if wanted is None:
        return None
    protocol = one_of(INTERNET_PROTOCOLS, wanted, f"Unsupported value: {wanted}")
    if guest_type != "Isolated":
        raise InvalidParameterValue("internetprotocol is supported only for Isolated guest type")
    if protocol != "IPv4" and not call.cloud.configuration.flag("ipv6.offering.enabled"):
        raise InvalidParameterValue(
            f"Configuration ipv6.offering.enabled needs to be enabled for creating IPv6 supported {what} offering"
        )
    return protocol


def router_offering_of(call: Call) -> ServiceOffering | None:
    """The service offering for an offering's routers."""
    offering = call.maybe(ServiceOffering, "serviceofferingid")
    if offering is not None and offering.state == "Inactive":
        raise InvalidParameterValue(f"The specified service offering [{describe(offering)}] is inactive.")
    if offering is not None and offering.system_vm_type != "domainrouter":
        raise InvalidParameterValue(
            f"The specified service offering [{describe(offering)}] is of type [{offering.system_vm_type or 'null'}]. "
            "Virtual routers can only be created with service offering of type [domainrouter]."
        )
    return offering


@dataclass
class Services:
    """The services of a new offering, with their providers; whether it is for VPCs, as far as they say."""

    providers: dict[str, list[str]] = field(default_factory=dict)
    for_vpc: bool | None = None

    @property
    def distinct(self) -> set[str]:
        return {provider for providers in self.providers.values() for provider in providers}


def _services(call: Call, guest_type: str) -> Services:
    services = Services(for_vpc=call.get("forvpc"))
    for name in call.get("supportedservices", ()):
        service = service_named(name)
        if service is None or service == "Gateway":
            raise InvalidParameterValue(f"Invalid service {name}")
        if services.for_vpc is None and service in ("SecurityGroup", "NetworkACL"):
            services.for_vpc = service == "NetworkACL"
        if service == "SecurityGroup" and guest_type != "Shared":
            raise InvalidParameterValue(
                "Security group service is supported for network offerings with guest ip type Shared"
            )
        services.providers[service] = ["SecurityGroupProvider"] if service == "SecurityGroup" else []
    by_provider: dict[str, set[str]] = {}
    firewall: str | None = None
    for name, wanted in chosen_providers(call).items():
        service = service_named(name)
        if service is None or service not in services.providers:
            raise InvalidParameterValue(
                f"Service {name} is not enabled for the network offering, can't add a provider to it"
            )
        if service != "Lb" and len(wanted) > 1:
            raise InvalidParameterValue(
                "In the current release only one provider can be specified for the service if the service is not LB"
            )
        providers = [provider_named(each) for each in wanted]
        for provider in providers:
            by_provider.setdefault(provider, set()).add(service)
            if provider in FIREWALL_PROVIDERS and (
                provider != "VirtualRouter" or service in ("PortForwarding", "StaticNat")
            ):
                firewall = provider
            if services.for_vpc is None and provider in VPC_ONLY_PROVIDERS:
                services.for_vpc = True
        services.providers[service] = list(dict.fromkeys(providers))
    if services.providers.get("UserData") == ["VirtualRouter"] and not services.providers.get("Dhcp"):
        raise InvalidParameterValue(
            "Without VR as dhcp provider, User data can't selected for VR. Please select VR as DHCP provider "
        )
    for provider, needed in by_provider.items():
        check_provider(provider, sorted(needed))
    if firewall is not None:
        services.providers["Firewall"] = [firewall]
        if firewall == "CiscoVnmc" and not call.flag("egressdefaultpolicy", True):
            raise InvalidParameterValue(
                f"Firewall egress with default policy false is not supported by the provider {firewall}"
            )
    return services


CAPABLE = {
    "Lb": "Capabilities for LB service can be specifed only when LB service is enabled for network offering.",
    "SourceNat": (
        "Capabilities for source NAT service can be specified only when source NAT service is enabled for network "
        "offering."
    ),
    "StaticNat": (
        "Capabilities for static NAT service can be specified only when static NAT service is enabled for network "
        "offering."
    ),
    "Connectivity": (
        "Capabilities for 'Connectivity' service can be specified only when Connectivity service is enabled for "
        "network offering."
    ),
}
"""What is said of capabilities of a service that the offering has not."""

LB_VALUES = {
    "ElasticLb": ("true", "false"),
    "InlineMode": ("true", "false"),
    "LbSchemes": ("internal", "public"),
    "VmAutoScaling": ("true", "false"),
}
LB_CAPABILITIES = "SupportedLBIsolationElasticLbInlineModeLbSchemesVmAutoScaling"


def _check_capabilities(
    guest_type: str, providers: Mapping[str, list[str]], capabilities: Mapping[str, Mapping[str, str]]
) -> None:
    for service, refusal in CAPABLE.items():
        if service in capabilities and service not in providers:
            raise InvalidParameterValue(refusal)
    _check_lb(capabilities.get("Lb", {}))
    _check_source_nat(capabilities.get("SourceNat", {}))
    _check_static_nat(capabilities.get("StaticNat", {}))
    for capability, value in capabilities.get("Connectivity", {}).items():
        if capability not in ("StretchedL2Subnet", "PublicAccess"):
            raise InvalidParameterValue(f"Capability {capability} can not be  specified with connectivity service.")
        if ("true" in value.lower()) == ("false" in value.lower()):
            raise InvalidParameterValue(f"Invalid value ({value.lower()}) for {capability} should be true/false")
        if capability == "PublicAccess" and guest_type != "Shared":
            raise InvalidParameterValue(
                "Capability PublicAccess can only be enabled for network offerings with guest type Shared."
            )
        check_capability(providers["Connectivity"], "Connectivity", capability, value)
    for service, names in (
        ("Lb", ("SupportedLBIsolation", "InlineMode", "LbSchemes", "VmAutoScaling")),
        ("SourceNat", ("SupportedSourceNatTypes", "RedundantRouter")),
    ):
        for name in names:
            if name in capabilities.get(service, {}):
                check_capability(providers[service], service, name, capabilities[service][name])


def _check_lb(chosen: Mapping[str, str]) -> None:
    if chosen and (len(chosen) > 4 or "SupportedLBIsolation" not in chosen):
        raise InvalidParameterValue(f"Only {LB_CAPABILITIES} capabilities can be specified for LB service")
    for capability, value in chosen.items():
        if capability == "SupportedLBIsolation":
            if ("dedicated" in value) == ("shared" in value):
                raise InvalidParameterValue(
                    "Either dedicated or shared isolation can be specified for SupportedLBIsolation"
                )
        elif capability not in LB_VALUES:
            raise InvalidParameterValue(f"Only {LB_CAPABILITIES} capabilities can be specified for LB service")
        elif not any(allowed in value for allowed in LB_VALUES[capability]):
            raise InvalidParameterValue(f"Unknown specified value for {capability}")


def _check_source_nat(chosen: Mapping[str, str]) -> None:
    for capability, value in chosen.items():
        if capability == "SupportedSourceNatTypes":
            if value not in ("peraccount", "perzone"):
                raise InvalidParameterValue(
                    "Either peraccount or perzone source NAT type can be specified for SupportedSourceNatTypes"
                )
        elif capability == "RedundantRouter":
            if value.lower() not in ("true", "false"):
                raise InvalidParameterValue("Unknown specified value for RedundantRouter")
        else:
            raise InvalidParameterValue(
                "Only SupportedSourceNatTypes, RedundantRouter capabilities can be specified for source nat service"
            )


def _check_static_nat(chosen: Mapping[str, str]) -> None:
    for capability, value in chosen.items():
        if ("true" in value.lower()) == ("false" in value.lower()):
            raise InvalidParameterValue(f"Unknown specified value ({value.lower()}) for {capability}")
        if capability not in ("ElasticIp", "AssociatePublicIP"):
            raise InvalidParameterValue(
                "Only ElasticIp and AssociatePublicIP capability can be sepcified for static nat service"
            )
    elastic = "true" in chosen.get("ElasticIp", "false").lower()
    if chosen and not elastic and "true" in chosen.get("AssociatePublicIP", "true").lower():
        raise InvalidParameterValue("Capability AssociatePublicIP can only be set when capability ElasticIp is true")


def shown_capabilities(
    providers: Mapping[str, list[str]], chosen: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, str]]:
    """All capabilities that an offering shows, from those that were chosen."""
    lb, snat, static = (chosen.get(service, {}) for service in ("Lb", "SourceNat", "StaticNat"))
    gateway = chosen.get("Gateway", {})
    shown = {
        "Lb": {
            "SupportedLBIsolation": "dedicated" if "dedicated" in lb.get("SupportedLBIsolation", "") else "shared",
            "ElasticLb": _flag(lb.get("ElasticLb")),
            "InlineMode": _flag(lb.get("InlineMode")),
            "VmAutoScaling": _flag(lb.get("VmAutoScaling")),
        },
        "SourceNat": {
            "SupportedSourceNatTypes": snat.get("SupportedSourceNatTypes", "peraccount"),
            "RedundantRouter": _flag(snat.get("RedundantRouter", gateway.get("RedundantRouter"))),
        },
        "StaticNat": {
            "ElasticIp": _flag(static.get("ElasticIp")),
            "AssociatePublicIP": _flag(static.get("AssociatePublicIP") if "ElasticIp" in static else None),
        },
    }
    return {service: values for service, values in shown.items() if service in providers}


def _flag(value: str | None) -> str:
    return "true" if value is not None and "true" in value.lower() else "false"


def _max_connections(call: Call, capabilities: Mapping[str, Mapping[str, str]]) -> int | None:
    if not capabilities.get("Lb"):
        return None
    default = call.cloud.configuration.number("network.loadbalancer.haproxy.max.conn", default=4096)
    return int(call.get("maxconnections", default))


def _check_kind(
    call: Call, guest_type: str, services: Services, network_mode: str | None, routing_mode: str | None
) -> None:
    if call.flag("specifyipranges"):
        if guest_type == "Isolated" and "SourceNat" in services.providers:
            raise InvalidParameterValue(
                "SpecifyIpRanges can only be true for Shared network offerings and Isolated with no SourceNat service"
            )
    elif guest_type == "Shared":
        raise InvalidParameterValue("SpecifyIpRanges should always be true for Shared network offerings")
    if call.flag("specifyasnumber"):
        if call.get("provider", "").lower() != "nsx":
            raise InvalidParameterValue("SpecifyAsNumber can only be true for network offerings for NSX")
        if routing_mode != "Dynamic":
            raise InvalidParameterValue("SpecifyAsNumber can only be true for Dynamic Route Mode network offerings")
        if services.for_vpc:
            raise InvalidParameterValue(
                "SpecifyAsNumber cannot be set for VPC network tiers. It needs to be defined at VPC level"
            )
    if call.flag("ispersistent") and guest_type == "Shared":
        raise InvalidParameterValue(f"isPersistent should be false if network offering's type is {guest_type}")
    if network_mode is not None and guest_type != "Isolated":
        raise InvalidParameterValue("networkMode should be set only for Isolated network offerings")
    if network_mode == "ROUTED":
        if not call.cloud.configuration.flag("routed.network.vpc.enabled"):
            raise InvalidParameterValue(
                "Configuration routed.network.vpc.enabled needs to be enabled for Routed networks"
            )
        if any(service in services.providers for service in NAT_SERVICES):
            raise InvalidParameterValue(
                "SourceNat/StaticNat/Lb/PortForwarding/Vpn service are not supported in ROUTED mode"
            )


def _check_availability(
    call: Call,
    mine: NetworkOffering | None,
    availability: str,
    guest_type: str | None,
    services: Iterable[str],
) -> None:
    """Only one offering, of isolated networks with source NAT, may be required."""
    if availability != "Required":
        return
    if guest_type != "Isolated" or "SourceNat" not in services:
        raise InvalidParameterValue(
            "Availability can be Required only for networkOfferings of type Isolated and with SourceNat enabled"
        )
    required = call.cloud.store.table(NetworkOffering).first(availability="Required", is_system=False)
    if required is not None and required is not mine:
        raise InvalidParameterValue(
            f"System already has network offering id={required.number} with availability Required"
        )


def _check_lb_details(details: Mapping[str, str], providers: Mapping[str, list[str]]) -> None:
    for detail, scheme in (("InternalLbProvider", "Internal"), ("PublicLbProvider", "Public")):
        if detail not in details:
            continue
        try:
            provider = provider_named(details[detail])
        except InvalidParameterValue:
            raise InvalidParameterValue(f"Invalid value {details[detail]} for the detail {detail}") from None
        if provider not in providers.get("Lb", ()):
            raise InvalidParameterValue(
                f"Invalid value {details[detail]} for the detail {detail}. The provider is not supported by the network "
                "offering"
            )
        check_capability([provider], "Lb", "LbSchemes", scheme)


def _check_for_vpc(guest_type: str, services: Services, capabilities: Mapping[str, Mapping[str, str]]) -> None:
    """What a network in a VPC can be (VpcManagerImpl.validateNtwkOffForVpc)."""
    for provider in sorted(services.distinct):
        if provider not in VPC_PROVIDERS:
            raise InvalidParameterValue(
                f"Provider of type {provider} is not supported for network offerings that can be used in VPC"
            )
    if guest_type != "Isolated" or "SourceNat" not in services.providers:
        raise InvalidParameterValue("Only network offerings of type Isolated with service SourceNat are valid for vpc ")
    if "Netscaler" in services.distinct and "dedicated" not in capabilities.get("Lb", {}).get(
        "SupportedLBIsolation", ""
    ):
        raise InvalidParameterValue("Netscaler only with Dedicated LB can belong to VPC")


@family.command("updateNetworkOffering")
def update_network_offering(call: Call) -> Answer:
    offering = updated_offering(call, NetworkOffering, "unable to find network offering {}")
    if offering.is_system:
        raise InvalidParameterValue("Can't update system network offerings")
    domains, zones = updated_domains(call, offering), updated_zones(call, offering)
    state = new_state(call, offering)
    tags = call.get("tags")
    availability = offering.availability
    if "availability" in call:
        availability = one_of(
            AVAILABILITIES,
            call["availability"],
            "Invalid value for Availability. Supported types: Required, Optional",
        )
        _check_availability(call, offering, availability, offering.guest_type, offering.service_providers)
    if tags is not None and offering.tags_text is not None and tags != offering.tags_text:
        for zone in call.cloud.store.table(Zone):
            if physical_network_for(call.cloud, zone, tags) is not physical_network_for(
                call.cloud, zone, offering.tags_text
            ):
                raise InvalidParameterValue(f"New tags: selects different physical network for zone {described(zone)}")
    offering.name = call.get("name", offering.name)
    offering.display_text = call.get("displaytext", offering.display_text)
    offering.sort_key = call.get("sortkey", offering.sort_key)
    offering.domains, offering.zones, offering.state, offering.availability = domains, zones, state, availability
    if tags is not None:
        offering.tags_text = tags.strip() or None
    if "Lb" in offering.service_providers and "maxconnections" in call:
        offering.max_connections = call["maxconnections"]
    return offering


def new_state(call: Call, offering: Offering) -> str:
    """``Enabled`` or ``Disabled``, as an update says, else as it is."""
    if "state" not in call:
        return offering.state
    return one_of(STATES, call["state"], f"Incorrect state value: {call['state']}")


def physical_network_for(cloud: Cloud, zone: Zone, tags: str | None) -> PhysicalNetwork | None:
    """The physical network of a zone that carries guest traffic and has an offering's tag, if there is one."""
    carriers = [
        row.physical_network
        for row in cloud.store.table(TrafficType)
        if row.traffic_type == "Guest" and row.physical_network.zone is zone
    ]
    if tags is not None:
        return next((row for row in carriers if tags in row.network_tags), None)
    return next((row for row in carriers if not row.network_tags), carriers[0] if len(carriers) == 1 else None)


@family.command("deleteNetworkOffering")
def delete_network_offering(call: Call) -> Answer:
    offering = call.one(NetworkOffering, missing="unable to find network offering {}")
    if offering.is_system:
        raise InvalidParameterValue(f"unable to find network offering {offering.number}")
    if offering.is_default:
        raise InvalidParameterValue("Default network offering can't be deleted")
    used = len(call.cloud.store.table(Network).where(offering=offering))
    if used:
        raise InvalidParameterValue(
            f'Can\'t delete network offering NetworkOffering {{"id":{offering.number},"name":"{offering.name}",'
            f'"trafficType":"{offering.traffic_type}","uuid":"{offering.id}"}} as its used by {used} networks. To make '
            "the network offering unavailable, disable it"
        )
    call.cloud.store.remove(offering)
    return Success()


@family.command("listNetworkOfferings")
def list_network_offerings(call: Call) -> Answer:
    domain = call.maybe(Domain, "domainid", missing="Unable to find the domain by id={}")
    zone = call.maybe(Zone, "zoneid", missing="Unable to find the zone by id={}")
    if domain is not None and not call.account.domain.contains(domain):
        raise InvalidParameterValue(
            f"Unable to list network offerings for domain: {domain.id} as caller does not have access for it"
        )
    wanted = []
    for name in call.get("supportedservices", ()):
        service = service_named(name)
        if service is None:
            raise InvalidParameterValue(f"Invalid service specified {name}")
        wanted.append(service)
    if zone is not None and zone.network_type == "Basic":
        return page(call, [])
    network = call.maybe(Network, "networkid", missing="Unable to find the network by id={}")
    rows = [
        row
        for row in call.cloud.store.table(NetworkOffering)
        if not row.is_system
        and _fits(call, row)
        and reaches(call, row, domain)
        and in_zone(row, zone)
        and set(wanted) <= set(row.service_providers)
        and (zone is None or _works_in(call.cloud, row, zone, wanted))
        and (network is None or _can_become(network, row))
    ]
    return page(call, in_order(rows))


def reaches(call: Call, offering: Offering, domain: Domain | None) -> bool:
    """True where the caller, or the domain that a list asks for, is in the domains of an offering."""
    if not offering.domains or (call.is_root_admin and domain is None):
        return True
    below = [] if call.is_root_admin else [call.account.domain]
    if domain is not None:
        below.append(domain)
    return any(mine.contains(other) for mine in offering.domains for other in below)


COMPARED = {
    "guestiptype": "guest_type",
    "traffictype": "traffic_type",
    "isdefault": "is_default",
    "specifyvlan": "specify_vlan",
    "availability": "availability",
    "state": "state",
    "specifyipranges": "specify_ip_ranges",
    "forvpc": "for_vpc",
    "routingmode": "routing_mode",
    "name": "name",
}
"""Attributes that parameters of listNetworkOfferings compare with, without regard to case."""


def _fits(call: Call, row: NetworkOffering) -> bool:
    keyword, text = call.get("keyword", "").lower(), call.get("displaytext", "").lower()
    tagged, tags = call.get("istagged"), call.get("tags")
    return (
        ("id" not in call or call["id"] is row)
        and all(
            str(call[name]).lower() == str(getattr(row, attribute)).lower()
            for name, attribute in COMPARED.items()
            if name in call
        )
        and (keyword in row.name.lower() or keyword in row.display_text.lower())
        and text in row.display_text.lower()
        and (tagged is None or tagged is (row.tags_text is not None))
        and (
            tags is None
            or row.tags_text == tags
            or (call.get("guestiptype", "").lower() == "shared" and row.is_default)
        )
        and ("sourcenatsupported" not in call or call["sourcenatsupported"] is ("SourceNat" in row.service_providers))
    )


def _works_in(cloud: Cloud, row: NetworkOffering, zone: Zone, wanted: list[str]) -> bool:
    """True where the zone's physical network for an offering has the offering's providers enabled."""
    physical = physical_network_for(cloud, zone, row.tags_text)
    if physical is None:
        return False
    enabled = {
        provider.name
        for provider in cloud.store.table(ServiceProvider).where(physical_network=physical, state="Enabled")
    }
    needed = wanted or row.service_providers
    return all(provider in enabled for service in needed for provider in row.service_providers[service])


def _can_become(network: Network, row: NetworkOffering) -> bool:
    """True where a network can change to an offering (NetworkModelImpl.listNetworkOfferingsForUpgrade)."""
    mine = network.offering
    return (
        row is not mine
        and row.state == "Enabled"
        and row.guest_type == mine.guest_type
        and row.traffic_type == mine.traffic_type
        and ("SecurityGroup" in row.service_providers) is ("SecurityGroup" in mine.service_providers)
        and row.for_vpc is (network.vpc is not None)
    )
