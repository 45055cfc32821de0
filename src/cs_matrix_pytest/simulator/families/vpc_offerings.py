"""VPC offerings."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InvalidParameterValue
from cs_matrix_pytest.simulator.families.network_offerings import (
    NAT_SERVICES,
    internet_protocol_of,
    network_mode_of,
    new_state,
    providers_by_service,
    reaches,
    router_offering_of,
    routing_mode_of,
)
from cs_matrix_pytest.simulator.families.network_services import (
    PROVIDER_CAPABILITIES,
    chosen_capability,
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
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.iam import Domain
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.models.networks import Vpc
from cs_matrix_pytest.simulator.models.offerings import VpcOffering
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.views import when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("VPC offerings")

REDUNDANT = "Redundant VPC offering"


@family.on_fresh_install
def default_vpc_offerings(cloud: Cloud, fresh: Mapping[str, Any]) -> None:
    for row in fresh["lists"]["listVPCOfferings"]["vpcoffering"]:
        cloud.store.add(
            VpcOffering(
                name=row["name"],
                unique_name=row["name"],
                display_text=row["displaytext"],
                state=row["state"],
                is_default=row["isdefault"],
                service_providers=providers_by_service(row["service"]),
                redundant_router=row["name"] == REDUNDANT,
                distributed_router=row["distributedvpcrouter"],
                region_level=row["supportsregionLevelvpc"],
                conserve_mode=row["conservemode"],
                internet_protocol=row["internetprotocol"],
                network_mode=row.get("networkmode"),
            )
        )


@family.view(VpcOffering)
def vpc_offering_view(offering: VpcOffering, _call: Call) -> dict[str, Any]:
    providers = {provider for names in offering.service_providers.values() for provider in names}
    return {
        "id": offering.id,
        "name": offering.name,
        "displaytext": offering.display_text,
        "created": when(offering.created),
        "isdefault": offering.is_default,
        "state": offering.state,
        "service": service_fields(offering.service_providers),
        "distributedvpcrouter": offering.distributed_router,
        "supportsregionLevelvpc": offering.region_level,
        "fornsx": "Nsx" in providers,
        "networkmode": offering.network_mode,
        "routingmode": offering.routing_mode,
        "internetprotocol": offering.internet_protocol,
        "specifyasnumber": offering.specify_as_number,
        "conservemode": offering.conserve_mode,
        **scope_fields(offering),
    }


@family.command("createVPCOffering")
def create_vpc_offering(call: Call) -> Generator[VpcOffering, None, Answer]:
    domains, zones = chosen_domains(call), chosen_zones(call)
    network_mode = network_mode_of(call)
    check_routed(call, network_mode, zones)
    service_offering, routing_mode = router_offering_of(call), routing_mode_of(call)
    check_as_number(call, routing_mode)
    if not call.get("supportedservices"):
        raise InvalidParameterValue("Supported services needs to be provided")
    protocol = internet_protocol_of(call, "VPC")
    providers = _providers(call, network_mode)
    check_capabilities(call, providers)
    if vpc_offering_made_as(call.cloud, call["name"]) is not None:
        raise ApiError("Entity already exists ")
    offering = call.cloud.store.add(
        VpcOffering(
            name=call["name"],
            unique_name=call["name"],
            display_text=call.get("displaytext") or call["name"],
            state="Enabled" if call.flag("enable") else "Disabled",
            domains=domains,
            zones=zones,
            service_providers=providers,
            service_offering=service_offering,
            distributed_router=asked_for(call, "DistributedRouter", "Connectivity"),
            region_level=asked_for(call, "RegionLevelVpc", "Connectivity"),
            redundant_router=asked_for(call, "RedundantRouter", redundancy_service(call, providers, network_mode)),
            conserve_mode=call.flag("conservemode"),
            internet_protocol=protocol or "IPv4",
            network_mode=network_mode,
            routing_mode=routing_mode,
            specify_as_number=call.flag("specifyasnumber"),
        )
    )
    yield offering
    return offering


def _providers(call: Call, network_mode: str | None) -> dict[str, list[str]]:
    """Providers by service: the VPC's router unless others are named; source NAT and ACLs come by themselves."""
    providers: dict[str, list[str]] = {}
    for name in call["supportedservices"]:
        service = service_named(name)
        if service is None or service == "SecurityGroup":
            raise InvalidParameterValue(f"Service {name} is not supported in VPC")
        providers[service] = ["NiciraNvp"] if service == "Connectivity" else ["VpcVirtualRouter"]
    if network_mode != "ROUTED":
        providers.setdefault("SourceNat", ["VpcVirtualRouter"])
    providers.setdefault("NetworkACL", ["VpcVirtualRouter"])
    for name, wanted in chosen_providers(call).items():
        service = service_named(name)
        if service is None or service not in providers:
            raise InvalidParameterValue(
                f"Service {name} is not enabled for the network offering, can't add a provider to it"
            )
        named = [provider_named(each) for each in wanted]
        if network_mode == "ROUTED" and service in NAT_SERVICES and "VpcVirtualRouter" in named:
            raise InvalidParameterValue(
                "SourceNat/StaticNat/Lb/PortForwarding/Vpn service are not supported by VPC in ROUTED mode"
            )
        providers[service] = list(dict.fromkeys(named))
    return providers


def vpc_offering_made_as(cloud: Cloud, name: str) -> VpcOffering | None:
    """The VPC offering that was made by this name, in whatever case; it may have another by now."""
    wanted = name.lower()
    return cloud.store.table(VpcOffering).first(lambda row: (row.unique_name or "").lower() == wanted)


def check_routed(call: Call, network_mode: str | None, zones: Iterable[Zone]) -> None:
    """Raise InvalidParameterValue for an offering of routed VPCs where there cannot be any."""
    settings, name = call.cloud.configuration, "routed.network.vpc.enabled"
    if network_mode != "ROUTED":
        return
    if not settings.flag(name, default=True):
        raise InvalidParameterValue(f"Configuration {name} needs to be enabled for Routed VPCs")
    for zone in zones:
        if not settings.flag(name, zone, default=True):
            raise InvalidParameterValue(
                f"Configuration {name} needs to be enabled for Routed VPCs in zone (ID: {zone.number})"
            )


def check_as_number(call: Call, routing_mode: str | None) -> None:
    if not call.flag("specifyasnumber"):
        return
    if call.get("provider", "").lower() != "nsx":
        raise InvalidParameterValue("SpecifyAsNumber can only be true for VPC offerings for NSX")
    if routing_mode != "Dynamic":
        raise InvalidParameterValue("SpecifyAsNumber can only be true for Dynamic Route Mode network offerings")


def check_capabilities(call: Call, providers: Mapping[str, list[str]]) -> None:
    """Raise InvalidParameterValue for capabilities that do not exist, or that who connects VPCs does not have."""
    for entry in call.entries("servicecapabilitylist"):
        capability, value = chosen_capability(entry)
        for provider in providers.get("Connectivity", ()):
            known = PROVIDER_CAPABILITIES.get(provider)
            if known and capability not in known.get(service_named(entry.get("service", "")) or "", {}):
                raise InvalidParameterValue(f"Provider {provider} does not support {capability}  capability.")
        if value.lower() not in ("true", "false"):
            raise InvalidParameterValue(f"Invalid Capability value:{value} specified.")


def asked_for(call: Call, capability: str, service: str) -> bool:
    """True where an offering is asked for with a capability, which must be said of the right service."""
    for entry in call.entries("servicecapabilitylist"):
        name, value, named = (entry.get(key) for key in ("capabilitytype", "capabilityvalue", "service"))
        if name is None or value is None or named is None:
            raise InvalidParameterValue(
                f"Invalid capability with name {name or 'null'}, value {value or 'null'} and service {named or 'null'}"
            )
        if name.lower() != capability.lower():
            continue
        if named.lower() != service.lower():
            # The server's text has the last two the wrong way round.
            raise InvalidParameterValue(
                f"Invalid Service: {named} specified. Capability {service} can be specified only for service {name}"
            )
        return value.lower() == "true"
    return False


def redundancy_service(call: Call, providers: Mapping[str, list[str]], network_mode: str | None) -> str:
    """The service whose capability makes routers redundant."""
    is_gateway = network_mode == "ROUTED" and "SourceNat" not in providers and not call.get("provider", "").strip()
    return "Gateway" if is_gateway else "SourceNat"


@family.command("updateVPCOffering")
def update_vpc_offering(call: Call) -> Answer:
    offering = updated_offering(call, VpcOffering, "Unable to find vpc offering {}")
    domains, zones, state = updated_domains(call, offering), updated_zones(call, offering), new_state(call, offering)
    offering.name = call.get("name", offering.name)
    offering.display_text = call.get("displaytext", offering.display_text)
    offering.sort_key = call.get("sortkey", offering.sort_key)
    offering.domains, offering.zones, offering.state = domains, zones, state
    return offering


@family.command("deleteVPCOffering")
def delete_vpc_offering(call: Call) -> Answer:
    offering = call.one(VpcOffering, missing="unable to find vpc offering {}")
    if offering.is_default:
        raise InvalidParameterValue("Default network offering can't be deleted")
    used = len(call.cloud.store.table(Vpc).where(offering=offering))
    if used:
        raise InvalidParameterValue(
            f"Can't delete vpc offering {describe(offering)} as its used by {used} vpcs. To make the network offering "
            "unavailable, disable it"
        )
    call.cloud.store.remove(offering)
    return Success()


@family.command("listVPCOfferings")
def list_vpc_offerings(call: Call) -> Answer:
    domain, zone = call.maybe(Domain, "domainid"), call.maybe(Zone, "zoneid")
    if domain is not None and not call.account.domain.contains(domain):
        raise InvalidParameterValue(
            f"Unable to list VPC offerings for domain: {domain.id} as caller does not have access for it"
        )
    wanted = []
    for name in call.get("supportedservices", ()):
        service = service_named(name)
        if service is None:
            raise InvalidParameterValue(f"Invalid service specified {name}")
        wanted.append(service)
    keyword, name, text = (call.get(each, "").lower() for each in ("keyword", "name", "displaytext"))
    rows = [
        row
        for row in call.cloud.store.table(VpcOffering)
        if ("id" not in call or call["id"] is row)
        and name in row.name.lower()
        and text in row.display_text.lower()
        and (keyword in row.name.lower() or keyword in row.display_text.lower())
        and row.is_default is call.get("isdefault", row.is_default)
        and row.state.lower() == call.get("state", row.state).lower()
        and set(wanted) <= set(row.service_providers)
        and reaches(call, row, domain)
        and in_zone(row, zone)
    ]
    return page(call, in_order(rows))
