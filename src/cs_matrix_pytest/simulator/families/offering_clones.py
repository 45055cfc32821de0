"""Clones of offerings: what the request leaves out is the source's (ConfigurationManagerImpl, VpcManagerImpl,
BackupManagerImpl)."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, InvalidParameterValue, ParameterError
from cs_matrix_pytest.simulator.families import backups
from cs_matrix_pytest.simulator.families.disk_offerings import (
    check_cache_mode,
    check_disk_size,
    check_rates,
    iops_of,
    provisioning_type_of,
    rates_of,
    snapshot_reserve_of,
    tag_list,
)
from cs_matrix_pytest.simulator.families.network_offerings import create_network_offering
from cs_matrix_pytest.simulator.families.network_services import service_named
from cs_matrix_pytest.simulator.families.offering_scope import check_creator, chosen_domains, chosen_zones, outermost
from cs_matrix_pytest.simulator.families.service_offerings import (
    DETAIL_LIMITS,
    check_details,
    gpu_fields,
    lease_details,
)
from cs_matrix_pytest.simulator.families.vpc_offerings import create_vpc_offering, vpc_offering_made_as
from cs_matrix_pytest.simulator.models.backups import BackupOffering
from cs_matrix_pytest.simulator.models.iam import Domain
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.models.offerings import DiskOffering, NetworkOffering, ServiceOffering, VpcOffering
from cs_matrix_pytest.simulator.registry import Answer, Family
from cs_matrix_pytest.simulator.store import Resource
from cs_matrix_pytest.simulator.views import comma

family = Family("offering clones")

SOURCE = "sourceofferingid"
GIB = 1024**3


@contextmanager
def reworded() -> Iterator[None]:
    """These commands pass errors on as those of the API itself (ServerApiException)."""
    try:
        yield
    except InvalidParameterValue as error:
        raise ParameterError(error.text) from None
    except InternalError as error:
        raise ApiError(error.text) from None


# Service and disk offerings


@family.command("cloneServiceOffering")
def clone_service_offering(call: Call) -> Answer:
    with reworded():
        return _clone_service_offering(call, call.one(ServiceOffering, SOURCE))


def _clone_service_offering(call: Call, source: ServiceOffering) -> Answer:
    """The clone has the source's disk offering unless another is named, so that what else is said of disks is lost."""
    details = call.map("serviceofferingdetails") or dict(source.details)
    limits = {name: call.get(name, source.details.get(name)) for name in DETAIL_LIMITS}
    if None not in limits.values():
        details |= {name: str(value) for name, value in limits.items()}
    check_cache_mode(call)
    if "leaseduration" not in call and "leaseduration" in source.details:
        call.params["leaseduration"] = int(source.details["leaseduration"])
    if "leaseexpiryaction" not in call:
        call.params["leaseexpiryaction"] = source.details.get("leaseexpiryaction")
    lease = lease_details(call)
    gpu = gpu_fields(call) if any(name in call for name in ("vgpuprofileid", "gpudisplay")) else {}
    purge = call.flag("purgeresources", source.details.get("purge.db.entities") == "true")
    domains, zones = chosen_domains(call) or source.domains, chosen_zones(call) or source.zones
    disk = call.maybe(DiskOffering, "diskofferingid") or source.disk_offering
    host_tags = call.get("hosttags", comma(source.host_tags))
    check_creator(
        call, "service offering", domains, call.get("tags", comma(source.disk_offering.storage_tags)), host_tags
    )
    check_details(details)
    if purge:
        details["purge.db.entities"] = "true"
    return call.cloud.store.add(
        ServiceOffering(
            name=call["name"],
            display_text=call.get("displaytext") or call["name"],
            domains=outermost(domains),
            zones=list(zones),
            disk_offering=disk,
            cpu_number=call.get("cpunumber", source.cpu_number),
            cpu_speed=call.get("cpuspeed", source.cpu_speed),
            memory=call.get("memory", source.memory),
            offer_ha=call.flag("offerha", source.offer_ha),
            limit_cpu_use=call.flag("limitcpuuse", source.limit_cpu_use),
            is_volatile=call.flag("isvolatile", source.is_volatile),
            is_system=source.is_system,
            system_vm_type=source.system_vm_type,
            host_tags=tag_list(host_tags),
            network_rate=call.get("networkrate", source.network_rate),
            deployment_planner=call.get("deploymentplanner", source.deployment_planner),
            disk_offering_strict=call.flag("diskofferingstrictness", source.disk_offering_strict),
            dynamic_scaling=call.flag("dynamicscalingenabled", source.dynamic_scaling),
            details=details | lease,
            fields={
                **source.fields,
                **gpu,
                "leaseduration": int(lease["leaseduration"]) if lease else None,
                "leaseexpiryaction": lease.get("leaseexpiryaction"),
                "purgeresources": True if purge else None,
            },
        )
    )


@family.command("cloneDiskOffering")
def clone_disk_offering(call: Call) -> Answer:
    source = call.one(DiskOffering, SOURCE)
    check_cache_mode(call)
    for name, value in (
        ("provisioningtype", source.provisioning_type),
        ("customizediops", source.custom_iops),
        ("miniops", source.min_iops),
        ("maxiops", source.max_iops),
        ("hypervisorsnapshotreserve", source.snapshot_reserve),
        ("tags", comma(source.storage_tags) or None),
        *((shown.lower().removeprefix("disk"), value) for shown, value in source.rates.items()),
    ):
        if name not in call:
            call.params[name] = value
    check_rates(call)
    # The size is read as GiB, but the source's is in bytes: without a size of its own no clone passes.
    size = call.get("disksize", source.disk_size * GIB)
    if size <= 0:
        raise InvalidParameterValue("Please specify a disk size of at least 1 GB.")
    check_disk_size(call, size)
    provisioning_type = provisioning_type_of(call)
    least, most = iops_of(call)
    domains, zones = chosen_domains(call) or source.domains, chosen_zones(call) or source.zones
    check_creator(call, "disk offering", domains, call.get("tags"))
    local = call.get("storagetype", source.storage_type).lower() == "local"
    return call.cloud.store.add(
        DiskOffering(
            name=call["name"],
            display_text=call.get("displaytext") or call["name"],
            domains=outermost(domains),
            zones=list(zones),
            disk_size=size,
            customized=call.flag("customized", source.customized),
            custom_iops=call.get("customizediops"),
            storage_type="local" if local else "shared",
            provisioning_type=provisioning_type,
            storage_tags=tag_list(call.get("tags")),
            min_iops=least,
            max_iops=most,
            cache_mode=call["cachemode"].lower() if "cachemode" in call else source.cache_mode,
            display=call.flag("displayoffering", source.display),
            encrypt=call.flag("encrypt", source.encrypt),
            strict=call.flag("disksizestrictness", source.strict),
            snapshot_reserve=snapshot_reserve_of(call),
            rates=rates_of(call),
            details=call.map("details") or dict(source.details),
        )
    )


# Network and VPC offerings


def _final_services(call: Call, source: Iterable[str], refusals: Mapping[str, str]) -> list[str]:
    """The source's services without those dropped, then with those added; ``supportedservices`` overrules both."""
    if call.get("supportedservices"):
        return list(call["supportedservices"])
    services = list(source)
    for parameter, refusal in refusals.items():
        for name in call.get(parameter, ()):
            service = service_named(name)
            if service is None:
                raise InvalidParameterValue(refusal.format(name))
            if parameter == "dropservices":
                services = [each for each in services if each != service]
            elif service not in services:
                services.append(service)
    return services


def _take_services(call: Call, services: list[str], providers: Mapping[str, list[str]]) -> None:
    """Have the services, and the source's providers of them, stand in the request."""
    call.params["supportedservices"] = services
    if not call.get("serviceproviderlist"):
        pairs = [(name, each) for name in providers if name in services for each in providers[name]]
        call.params["serviceproviderlist"] = {
            str(index): {"service": service, "provider": provider} for index, (service, provider) in enumerate(pairs)
        }


def _check_mode(call: Call, source: NetworkOffering | VpcOffering, what: str) -> None:
    """External providers' offerings keep their network mode."""
    providers = {each for names in source.service_providers.values() for each in names}
    external = call.get("provider") or next(
        (shown for name, shown in (("Nsx", "NSX"), ("Netris", "Netris")) if name in providers), None
    )
    mode, mine = call.get("networkmode"), source.network_mode
    if external in ("NSX", "Netris") and mode is not None and mine is not None and mode.upper() != mine:
        raise InvalidParameterValue(
            f"Cannot change network mode when cloning {external} provider {what} offerings. "
            f"Source offering has network mode '{mine}', but '{mode}' was specified. "
        )


def _take(call: Call, values: Mapping[str, Any]) -> None:
    """Have the source's values stand in the request where it has none of its own."""
    for name, value in values.items():
        if name not in call and value is not None:
            call.params[name] = value


def _chosen_capabilities(source: NetworkOffering) -> list[tuple[str, str, str]]:
    """A network offering's service, capability and value, as whoever created it chose them."""
    lb, nat, static = (source.capabilities.get(name, {}) for name in ("Lb", "SourceNat", "StaticNat"))
    scheme = "internal" if source.internal_lb else "public"
    chosen = [
        (lb.get("SupportedLBIsolation") == "dedicated", "Lb", "SupportedLBIsolation", "dedicated"),
        (lb.get("ElasticLb") == "true", "Lb", "ElasticLb", "true"),
        (lb.get("InlineMode") == "true", "Lb", "InlineMode", "true"),
        ("Lb" in source.service_providers, "Lb", "LbSchemes", scheme),
        (lb.get("VmAutoScaling") == "true", "Lb", "VmAutoScaling", "true"),
        (nat.get("SupportedSourceNatTypes") == "perzone", "SourceNat", "SupportedSourceNatTypes", "perzone"),
        (source.is_redundant, "SourceNat", "RedundantRouter", "true"),
        (source.is_redundant, "Gateway", "RedundantRouter", "true"),
        (static.get("ElasticIp") == "true", "StaticNat", "ElasticIp", "true"),
        (
            static.get("ElasticIp") == "true" and static.get("AssociatePublicIP") == "true",
            "StaticNat",
            "AssociatePublicIP",
            "true",
        ),
    ]
    return [(service, name, value) for has, service, name, value in chosen if has]


@family.command("cloneNetworkOffering")
def clone_network_offering(call: Call) -> Answer:
    source, name = call.one(NetworkOffering, SOURCE), call["name"]
    if call.cloud.store.table(NetworkOffering).first(name=name) is not None:
        raise InvalidParameterValue(f"Network offering with name '{name}' already exists")
    _check_mode(call, source, "network")
    services = _final_services(
        call,
        [service for service in source.service_providers if service != "Gateway"],
        {
            "dropservices": "Invalid service name in dropServices: {}",
            "addservices": "Invalid service name in addServices: {}",
        },
    )
    _take_services(call, services, source.service_providers)
    if "servicecapabilitylist" not in call:
        call.params["servicecapabilitylist"] = {
            str(index): {"service": service, "capabilitytype": capability, "capabilityvalue": value}
            for index, (service, capability, value) in enumerate(_chosen_capabilities(source))
            if service in services
        }
    _take(
        call,
        {
            "displaytext": source.display_text,
            "traffictype": source.traffic_type,
            "tags": source.tags_text,
            "networkrate": source.network_rate,
            "serviceofferingid": source.service_offering,
            "guestiptype": source.guest_type,
            "maxconnections": source.max_connections,
            "specifyvlan": source.specify_vlan,
            "conservemode": source.conserve_mode,
            "specifyipranges": source.specify_ip_ranges,
            "ispersistent": source.is_persistent,
            "forvpc": source.for_vpc,
            "egressdefaultpolicy": source.egress_default_policy,
            "keepaliveenabled": source.keep_alive,
            "enable": source.state == "Enabled",
            "specifyasnumber": source.specify_as_number,
            "internetprotocol": source.details.get("internetProtocol"),
            "networkmode": source.network_mode,
            "routingmode": source.routing_mode,
            "domainid": source.domains or None,
            "zoneid": source.zones or None,
        },
    )
    if not call.get("details"):
        call.params["details"] = {
            "0": {name: value for name, value in source.details.items() if name != "internetProtocol"}
        }
    return create_network_offering(call)


@family.command("cloneVPCOffering")
def clone_vpc_offering(call: Call) -> Generator[Resource, None, Answer]:
    source = call.one(VpcOffering, SOURCE)
    # Until the job has made the clone, the command's entity is the source.
    yield source
    name = call["name"]
    if vpc_offering_made_as(call.cloud, name) is not None:
        raise InvalidParameterValue(f"A VPC offering with name {name} already exists")
    _check_mode(call, source, "VPC")
    refusal = "Service {} is not supported in VPC"
    services = _final_services(call, source.service_providers, {"dropservices": refusal, "addservices": refusal})
    _take_services(call, services, source.service_providers)
    if not call.get("servicecapabilitylist"):
        _check_capabilities(source, services)
    _take(
        call,
        {
            "serviceofferingid": source.service_offering,
            "enable": source.state == "Enabled",
            "specifyasnumber": source.specify_as_number,
            "internetprotocol": source.internet_protocol if source.internet_protocol != "IPv4" else None,
            "networkmode": source.network_mode,
            "routingmode": source.routing_mode,
            "domainid": source.domains or None,
            "zoneid": source.zones or None,
        },
    )
    return next(create_vpc_offering(call))


def _check_capabilities(source: VpcOffering, services: Sequence[str]) -> None:
    """The server hands capabilities of the source on in a form that it cannot read itself."""
    redundant = next(
        (
            name
            for name in ("SourceNat", "Gateway", "StaticNat")
            if source.redundant_router and "VpcVirtualRouter" in source.service_providers.get(name, ())
        ),
        None,
    )
    connected = source.region_level or source.distributed_router
    if (connected and "Connectivity" in services) or (redundant is not None and redundant in services):
        raise InternalError(
            "class java.lang.String cannot be cast to class java.util.HashMap (java.lang.String and java.util.HashMap "
            "are in module java.base of loader 'bootstrap')"
        )


# Backup offerings


@family.command("cloneBackupOffering", object_name="backupoffering")
def clone_backup_offering(call: Call) -> Answer:
    with reworded():
        clone = _clone_backup_offering(call, call.one(BackupOffering, SOURCE))
    text = call.get("domainid")
    if text:
        # Domains are asked for after the clone was kept, by their internal numbers.
        clone.domains = [_domain_numbered(call, part.strip()) for part in text.split(",")]
    clone.domains = outermost(clone.domains)
    return clone


def _clone_backup_offering(call: Call, source: BackupOffering) -> BackupOffering:
    cloud, table, name = call.cloud, call.cloud.store.table(BackupOffering), call["name"]
    backups.check_zone(cloud, source.zone)
    if table.first(name=name, zone=source.zone) is not None:
        raise InternalError(f"A backup offering with the name '{name}' already exists in this zone")
    external, zone = call.get("externalid", source.external_id), call.maybe(Zone, "zoneid") or source.zone
    if external != source.external_id or zone is not source.zone:
        backups.check_provider(cloud, zone)
    if table.first(external_id=external, zone=zone) is not None:
        raise InternalError(f"A backup offering with external ID '{external}' already exists in this zone")
    return cloud.store.add(
        BackupOffering(
            name=name,
            description=call.get("description", source.description),
            zone=zone,
            external_id=external,
            provider=source.provider,
            user_driven=call.flag("allowuserdrivenbackups", source.user_driven),
            domains=list(source.domains),
        )
    )


def _domain_numbered(call: Call, text: str) -> Domain:
    if not text.lstrip("+-").isdecimal():
        raise InternalError(f'For input string: "{text}"')
    found = call.cloud.store.table(Domain).by_number(int(text))
    if found is None or found not in call.cloud.store:
        raise ParameterError("Please specify a valid domain id")
    return found


COMPRESSION_LIBRARIES = ("zstd", "zlib")


@family.command("createBackupOffering", object_name="backupoffering")
def create_backup_offering(call: Call) -> Answer:
    """Only the provider KBOSS has such offerings, and nothing answers for it here."""
    zone, cloud = call.one(Zone, "zoneid"), call.cloud
    with reworded():
        backups.check_zone(cloud, zone)
        if cloud.store.table(BackupOffering).first(name=call["name"], zone=zone) is not None:
            raise InternalError("A backup offering with the same name already exists in this zone")
        call.many(Domain, "domainid")
        if backups.check_provider(cloud, zone) == backups.DUMMY:
            raise InvalidParameterValue("Only KBOSS supports this API currently.")
        raise InternalError(f"Backup offering is not valid for provider [kboss] in zone [{zone.number}]")
