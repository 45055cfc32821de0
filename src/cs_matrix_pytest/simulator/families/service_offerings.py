"""Service (compute) offerings, the system's own among them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.access import check_access, check_owner
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InvalidParameterValue, PermissionDenied
from cs_matrix_pytest.simulator.families.annotations import has_annotations
from cs_matrix_pytest.simulator.families.disk_offerings import (
    check_cache_mode,
    check_disk_size,
    check_new_storage_tags,
    iops_fields,
    iops_of,
    owner_of_listed,
    provisioning_type_of,
    rates_of,
    retitle,
    snapshot_reserve_of,
    state_of,
    storage_type_of,
    tag_list,
)
from cs_matrix_pytest.simulator.families.gpu import profile_size
from cs_matrix_pytest.simulator.families.offering_scope import (
    check_creator,
    check_deleter,
    check_updater,
    chosen_domains,
    chosen_zones,
    describe,
    detail_fields,
    in_order,
    in_zone,
    scope_fields,
    updated_domains,
    updated_offering,
    updated_zones,
    usable_by,
)
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.iam import Domain
from cs_matrix_pytest.simulator.models.images import Template
from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.models.offerings import DiskOffering, ServiceOffering
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.views import comma, when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("service offerings")

DEFAULTS = (("Small Instance", 500, 512), ("Medium Instance", 1000, 1024))
"""Name, MHz and MiB; one CPU (ConfigurationServerImpl.persistDefaultValues)."""

SYSTEM_OFFERINGS = (
    ("System Offering For Software Router", "Cloud.Com-SoftwareRouter", "domainrouter", 256, 500, True),
    ("System Offering For Console Proxy", "Cloud.com-ConsoleProxy", "consoleproxy", 1024, 500, False),
    ("System Offering For Secondary Storage VM", "Cloud.com-SecondaryStorage", "secondarystoragevm", 512, 500, False),
    ("System Offering For Internal LB Instance", "Cloud.Com-InternalLBVm", "internalloadbalancervm", 512, 256, True),
    ("System Offering For Elastic LB VM", "Cloud.Com-ElasticLBVm", "elasticloadbalancervm", 128, 256, True),
)
"""Name, unique name, system VM type, MiB, MHz, HA. Each exists for shared and for local storage
(ServiceOfferingDaoImpl.createSystemServiceOfferings)."""


@family.on_fresh_install
def default_service_offerings(cloud: Cloud, _fresh: Mapping[str, Any]) -> None:
    for name, unique, kind, memory, speed, offer_ha in SYSTEM_OFFERINGS:
        for storage, suffix, unique_suffix in (("shared", "", ""), ("local", " - Local Storage", "-Local")):
            disk = DiskOffering(name=name + suffix, display_text="", storage_type=storage, compute_only=True)
            cloud.store.add(
                ServiceOffering(
                    name=name + suffix,
                    display_text="",
                    disk_offering=cloud.store.add(disk),
                    cpu_number=1,
                    cpu_speed=speed,
                    memory=memory,
                    offer_ha=offer_ha,
                    default_use=True,
                    is_system=True,
                    system_vm_type=kind,
                    unique_name=unique + unique_suffix,
                )
            )
    for name, speed, memory in DEFAULTS:
        disk = cloud.store.add(DiskOffering(name=name, display_text=name, compute_only=True))
        cloud.store.add(
            ServiceOffering(
                name=name,
                display_text=name,
                disk_offering=disk,
                cpu_number=1,
                cpu_speed=speed,
                memory=memory,
                unique_name=f"Cloud.Com-{name}",
            )
        )


def system_offering(cloud: Cloud, kind: str, *, local: bool = False) -> ServiceOffering:
    """The default offering of a type of system VM (``domainrouter``, ``consoleproxy`` …)."""
    storage = "local" if local else "shared"
    found = cloud.store.table(ServiceOffering).first(
        lambda row: row.default_use and row.storage_type == storage, system_vm_type=kind
    )
    if found is None:
        raise LookupError(f"no system offering for {kind}")
    return found


@family.view(ServiceOffering)
def service_offering_view(offering: ServiceOffering, call: Call) -> dict[str, Any]:
    disk = offering.disk_offering
    return {
        "id": offering.id,
        "name": offering.name,
        "state": offering.state,
        "displaytext": offering.display_text or None,
        "cpunumber": offering.cpu_number,
        "cpuspeed": offering.cpu_speed,
        "memory": offering.memory,
        "created": when(offering.created),
        "storagetype": offering.storage_type,
        "provisioningtype": offering.provisioning_type,
        "offerha": offering.offer_ha,
        "limitcpuuse": offering.limit_cpu_use,
        "isvolatile": offering.is_volatile,
        "storagetags": comma(offering.storage_tags) or None,
        "hosttags": comma(offering.host_tags) or None,
        "issystem": offering.is_system,
        "defaultuse": offering.default_use,
        "systemvmtype": offering.system_vm_type,
        "networkrate": offering.network_rate,
        "deploymentplanner": offering.deployment_planner,
        "iscustomized": offering.customized,
        **iops_fields(disk),
        "rootdisksize": disk.disk_size,
        "dynamicscalingenabled": offering.dynamic_scaling,
        "diskofferingstrictness": offering.disk_offering_strict,
        "diskofferingid": disk.id,
        "diskofferingname": disk.name,
        "diskofferingdisplaytext": disk.display_text or None,
        "encryptroot": disk.encrypt,
        "gpudisplay": False,
        "serviceofferingdetails": detail_fields(offering),
        **offering.fields,
        **scope_fields(offering, by_path=False),
        "hasannotations": has_annotations(offering, call),
    }


SYSTEM_VM_TYPES = ("domainrouter", "consoleproxy", "secondarystoragevm", "internalloadbalancervm")
LEAST_MEMORY = 32
"""MiB."""
INT_MAX = 2**31 - 1
DETAIL_LIMITS = {
    "mincpunumber": "mincpunumber",
    "maxcpunumber": "maxcpunumber",
    "minmemory": "minmemory",
    "maxmemory": "maxmemory",
}
"""Parameters of a customised offering's ranges, and the details that keep them."""
EXTERNAL = "External:"
"""How the details begin that extensions are given."""
DISK_DETAILS = ("bandwidthLimitInMbps", "iopsLimit")
"""Details that belong to the disk offering."""


@family.command("createServiceOffering")
def create_service_offering(call: Call) -> Answer:
    name = call["name"]
    details = call.map("serviceofferingdetails") | call.map("externaldetails")
    details |= _check_sizes(call)
    domains, zones = chosen_domains(call), chosen_zones(call)
    check_cache_mode(call)
    if call.get("storagetype", "").lower() == "local" and call.flag("offerha"):
        raise InvalidParameterValue("HA offering with local storage is not supported. ")
    storage_type_of(call)
    system_vm_type = _system_vm_type(call)
    _check_network_rate(call, system_vm_type)
    _check_planner(call)
    disk = call.maybe(DiskOffering, "diskofferingid", missing="Please specify a valid disk offering.")
    if disk is not None and disk.compute_only:
        raise InvalidParameterValue("Please specify a valid disk offering.")
    lease = lease_details(call)
    gpu = gpu_fields(call)
    check_creator(call, "service offering", domains, call.get("tags"), call.get("hosttags"))
    check_details(details)
    disk = disk or _own_disk(call, {key: details.pop(key) for key in DISK_DETAILS if key in details})
    if call.flag("purgeresources"):
        details["purge.db.entities"] = "true"
    offering = ServiceOffering(
        name=name,
        display_text=call.get("displaytext") or name,
        domains=domains,
        zones=zones,
        disk_offering=disk,
        cpu_number=call.get("cpunumber"),
        cpu_speed=call.get("cpuspeed"),
        memory=call.get("memory"),
        offer_ha=call.flag("offerha"),
        limit_cpu_use=call.flag("limitcpuuse"),
        is_volatile=call.flag("isvolatile"),
        is_system=call.flag("issystem"),
        system_vm_type=system_vm_type,
        host_tags=tag_list(call.get("hosttags")),
        network_rate=call.get("networkrate"),
        deployment_planner=call.get("deploymentplanner"),
        disk_offering_strict=call.flag("diskofferingstrictness"),
        dynamic_scaling=call.flag("dynamicscalingenabled", True),
        details=details | lease,
        fields={
            **gpu,
            "leaseduration": call.get("leaseduration") if lease else None,
            "leaseexpiryaction": lease.get("leaseexpiryaction"),
            "purgeresources": True if call.flag("purgeresources") else None,
        },
    )
    return call.cloud.store.add(offering)


def _refused(call: Call, rest: str) -> InvalidParameterValue:
    return InvalidParameterValue(f"Failed to create service offering {call['name']}: {rest}")


def _check_sizes(call: Call) -> dict[str, str]:
    """Check CPUs, MHz and MiB; give the details that bound a customised offering."""
    cpus, speed, memory = call.get("cpunumber"), call.get("cpuspeed"), call.get("memory")
    if call.flag("customized", cpus is None or memory is None):
        if cpus is not None or memory is not None:
            raise InvalidParameterValue("For creating a custom compute offering cpu and memory all should be null")
        return _check_ranges(call)
    configuration = call.cloud.configuration
    most_cpus = int(configuration.number("vm.serviceoffering.cpu.cores.max")) or INT_MAX
    most_memory = int(configuration.number("vm.serviceoffering.ram.size.max")) or INT_MAX
    if cpus is not None and not 1 <= cpus <= most_cpus:
        raise _refused(call, f"specify the cpu number value between 1 and {most_cpus}")
    if speed is None or speed < 0:
        raise _refused(call, f"specify the cpu speed value between 0 and {INT_MAX}")
    if memory is not None and not LEAST_MEMORY <= memory <= most_memory:
        raise _refused(call, f"specify the memory value between {LEAST_MEMORY} and {most_memory} MB")
    return {}


def _check_ranges(call: Call) -> dict[str, str]:
    given = {name: call[name] for name in DETAIL_LIMITS if name in call}
    speed = call.get("cpuspeed")
    if not given and speed is None:
        return {}
    if len(given) < len(DETAIL_LIMITS) or speed is None:
        raise InvalidParameterValue(
            "For creating a custom compute offering min/max cpu and min/max memory/cpu speed should all be null or all "
            "specified"
        )
    if speed < 0:
        raise _refused(call, f"specify the cpu speed value between 1 and {INT_MAX}")
    if given["maxcpunumber"] <= 0 or given["mincpunumber"] <= 0:
        raise _refused(call, f"specify the minimum or minimum cpu number value between 1 and {INT_MAX}")
    if given["minmemory"] < LEAST_MEMORY:
        raise _refused(call, f"specify the memory value between {LEAST_MEMORY} and {INT_MAX} MB")
    return {DETAIL_LIMITS[name]: str(value) for name, value in given.items()}


def _system_vm_type(call: Call) -> str | None:
    if not call.flag("issystem"):
        return None
    kind = call.get("systemvmtype", "domainrouter")
    if kind not in SYSTEM_VM_TYPES:
        raise InvalidParameterValue(
            "Invalid systemVmType. Supported types are: DomainRouter, ConsoleProxy, SecondaryStorageVm"
        )
    if "customizediops" in call:
        raise InvalidParameterValue("Customized IOPS is not a valid parameter for a system VM.")
    if "hypervisorsnapshotreserve" in call:
        raise InvalidParameterValue("Hypervisor Snapshot reserve is not a valid parameter for a system VM.")
    return str(kind)


def _check_network_rate(call: Call, system_vm_type: str | None) -> None:
    if "networkrate" not in call:
        return
    if system_vm_type not in (None, "domainrouter"):
        raise InvalidParameterValue(
            "Network rate can be specified only for non-System offering and system offerings having "
            '"domainrouter" systemvmtype'
        )
    if call["networkrate"] < 0:
        raise _refused(call, "specify the network rate value more than 0")


PLANNERS = (
    "FirstFitPlanner",
    "UserDispersingPlanner",
    "UserConcentratedPodPlanner",
    "ImplicitDedicationPlanner",
    "BareMetalPlanner",
    "SkipHeuresticsPlanner",
)


def _check_planner(call: Call) -> None:
    if call.get("deploymentplanner", PLANNERS[0]) not in PLANNERS:
        raise InvalidParameterValue(
            "Invalid name for Deployment Planner specified, please use listDeploymentPlanners to get the valid set"
        )


LEASE_ACTIONS = ("STOP", "DESTROY")
LONGEST_LEASE = 36500
"""Days."""


def lease_details(call: Call) -> dict[str, str]:
    """The details of an instance lease, where leases are enabled and one is asked for."""
    duration, action = call.get("leaseduration"), call.get("leaseexpiryaction")
    if action is not None and action.upper() not in LEASE_ACTIONS:
        raise InvalidParameterValue(
            f"Invalid value configured for leaseexpiryaction, valid values are: {comma(LEASE_ACTIONS)}"
        )
    if not call.cloud.configuration.flag("instance.lease.enabled") or (duration is None and action is None):
        return {}
    if duration is None or action is None:
        raise InvalidParameterValue("Provide values for both: leaseduration and leaseexpiryaction")
    if not 1 <= duration <= LONGEST_LEASE:
        raise InvalidParameterValue(
            f"Invalid leaseduration: must be a natural number (>=1), max supported value is {LONGEST_LEASE}"
        )
    return {"leaseduration": str(duration), "leaseexpiryaction": action.upper()}


def gpu_fields(call: Call) -> dict[str, Any]:
    """What an offering with a vGPU profile shows of it."""
    profile = call.get("vgpuprofileid")
    if profile is None:
        return {"gpudisplay": True} if call.flag("gpudisplay") else {}
    if call.get("gpucount", 1) < 1:
        raise InvalidParameterValue("GPU count must be greater than 0.")
    shown: dict[str, Any] = {"gpucount": call.get("gpucount", 1), "gpudisplay": call.flag("gpudisplay")}
    shown["vgpuprofileid"] = getattr(profile, "id", None)
    shown["vgpuprofilename"] = getattr(profile, "name", None)
    card = getattr(profile, "card", None)
    if card is not None:
        shown |= {"gpucardid": card.id, "gpucardname": card.name, **profile_size(profile)}
    return shown


def check_details(details: Mapping[str, str]) -> None:
    if ("pciDevice" in details) != ("vgpuType" in details):
        raise InvalidParameterValue("Please specify the pciDevice and vgpuType correctly.")
    for key in details:
        if key.startswith("extraconfig") and not key.startswith(
            ("extraconfig-dpdk-numa", "extraconfig-dpdk-hugepages", "extraconfig-dpdk-interface-")
        ):
            raise InvalidParameterValue("Only extraconfig for DPDK are supported in service offering details")


def _own_disk(call: Call, details: dict[str, str]) -> DiskOffering:
    """The disk offering that is made for a service offering which names none."""
    size = call.get("rootdisksize")
    if size is not None and size <= 0:
        raise InvalidParameterValue(f"The Root disk size is of {size} GB but it must be greater than 0.")
    check_disk_size(call, size)
    custom_iops = False if call.flag("issystem") else call.get("customizediops")
    least, most = (0, 0) if call.flag("issystem") else iops_of(call)
    return call.cloud.store.add(
        DiskOffering(
            name=call["name"],
            display_text=call.get("displaytext") or call["name"],
            compute_only=True,
            disk_size=size or 0,
            custom_iops=custom_iops,
            min_iops=least,
            max_iops=most,
            storage_type=storage_type_of(call),
            provisioning_type=provisioning_type_of(call),
            storage_tags=tag_list(call.get("tags")),
            cache_mode=call["cachemode"].lower() if "cachemode" in call else None,
            encrypt=call.flag("encryptroot"),
            snapshot_reserve=snapshot_reserve_of(call),
            rates=rates_of(call),
            details=details,
        )
    )


@family.command("updateServiceOffering")
def update_service_offering(call: Call) -> Answer:
    offering = updated_offering(call, ServiceOffering, "unable to find service offering {}")
    state = state_of(call)
    domains, zones = updated_domains(call, offering), updated_zones(call, offering)
    _check_instances_within(call, offering, domains)
    tagged = bool(call.get("hosttags") or call.get("storagetags"))
    domains = check_updater(
        call,
        offering,
        domains,
        zones,
        tags="storage tags or host tags" if tagged else "",
        retitles=any(name in call for name in ("name", "displaytext", "sortkey")),
    )
    disk = offering.disk_offering
    check_new_storage_tags(call, disk, call.get("storagetags"))
    _check_new_host_tags(call, offering)
    retitle(call, offering)
    offering.domains, offering.zones = domains, zones
    if "storagetags" in call:
        disk.storage_tags = tag_list(call["storagetags"])
    if "hosttags" in call:
        offering.host_tags = tag_list(call["hosttags"])
    if state is not None:
        offering.state = state
        if disk.compute_only:
            disk.state = state
    # An update that does not ask for it does away with it.
    purges = call.flag("purgeresources")
    offering.fields["purgeresources"] = True if purges else None
    offering.details.pop("purge.db.entities", None)
    if purges:
        offering.details["purge.db.entities"] = "true"
    if call.flag("cleanupexternaldetails") or call.map("externaldetails"):
        external = {} if call.flag("cleanupexternaldetails") else call.map("externaldetails")
        kept = {key: value for key, value in offering.details.items() if not key.startswith(EXTERNAL)}
        offering.details = kept | external
    return offering


def _check_instances_within(call: Call, offering: ServiceOffering, domains: list[Domain]) -> None:
    if not domains:
        return
    for vm in call.cloud.store.table(UserVm).where(service_offering=offering):
        if not any(domain.contains(vm.account.domain) for domain in domains):
            raise ApiError(
                "There are Instances associated to this service offering outside of the specified domains.",
                cs_code=4390,
            )


def _check_new_host_tags(call: Call, offering: ServiceOffering) -> None:
    """New tags must be on every host that runs a VM of the offering."""
    wanted = set(tag_list(call.get("hosttags")))
    running = call.cloud.store.table(UserVm).where(service_offering=offering, state="Running")
    hosts = {vm.host for vm in running if vm.host is not None} if wanted else set()
    if any(not wanted <= set(host.host_tags) for host in hosts):
        named = ", ".join(f'Host {{"id":{host.number},"name":"{host.name}","uuid":"{host.id}"}}' for host in hosts)
        raise InvalidParameterValue(
            f"There are active VMs using offering [{describe(offering)}], and the hosts [[{named}]] don't have the new tags"
        )


@family.command("deleteServiceOffering")
def delete_service_offering(call: Call) -> Answer:
    offering = call.one(ServiceOffering, missing="unable to find service offering {}")
    if offering.default_use:
        raise InvalidParameterValue(
            f"The system service offering [{offering.display_text or None}] is marked for default use and cannot be deleted"
        )
    check_deleter(call, offering)
    offering.state = "Inactive"
    if offering.disk_offering.compute_only:
        offering.disk_offering.state = "Inactive"
    return Success()


@family.command("listServiceOfferings")
def list_service_offerings(call: Call) -> Answer:
    owner, is_system = owner_of_listed(call), call.flag("issystem")
    if is_system and not call.is_root_admin:
        raise InvalidParameterValue("Only ROOT admins can access system offerings.")
    domain = call.maybe(Domain, "domainid")
    if domain is not None and not call.is_root_admin and not domain.contains(owner.domain):
        raise PermissionDenied(
            f"The account:{owner.name} does not fall in the same domain hierarchy as the service offering"
        )
    if is_system and not owner.is_root_admin:
        raise InvalidParameterValue("Only root admins can access system's offering")
    recursive = call.flag("isrecursive")
    if recursive and owner.is_normal:
        raise InvalidParameterValue(
            "Only ROOT admins and Domain admins can list service offerings with isrecursive=true"
        )
    state = call.get("state", "Active").lower()
    rows = [
        row
        for row in call.cloud.store.table(ServiceOffering)
        if row.is_system is is_system
        and state in ("all", row.state.lower())
        and usable_by(owner, row, recursive=recursive)
        and _fits(call, row)
    ]
    if domain is not None and "account" not in call and call.is_root_admin:
        rows = [row for row in rows if domain in row.domains]
    vm = call.maybe(UserVm, "virtualmachineid")
    if vm is not None:
        check_owner(owner, vm.account)
        rows = [row for row in rows if _can_scale(vm, row)]
    template = call.maybe(Template, "templateid")
    if template is not None:
        check_access(call.cloud, call.account, template)
        rows = [row for row in rows if not template.template_tag or template.template_tag in row.host_tags]
    return page(call, in_order(rows))


def _fits(call: Call, row: ServiceOffering) -> bool:
    zone, keyword = call.maybe(Zone, "zoneid"), call.get("keyword", "").lower()
    return (
        ("id" not in call or call["id"] is row)
        and row.name == call.get("name", row.name)
        and row.system_vm_type == call.get("systemvmtype", row.system_vm_type)
        and (keyword in row.name.lower() or keyword in row.display_text.lower())
        and in_zone(row, zone)
        and (zone is None or not zone.is_edge or row.storage_type == "local")
        and row.storage_type == call.get("storagetype", row.storage_type).lower()
        and row.encrypt_root == call.get("encryptroot", row.encrypt_root)
        and ("gpuenabled" not in call or call["gpuenabled"] is ("gpucount" in row.fields))
        and _reaches(row.cpu_number, row.details.get("maxcpunumber"), call.get("cpunumber"))
        and _reaches(row.memory, row.details.get("maxmemory"), call.get("memory"))
        and (row.cpu_speed is None or row.cpu_speed >= call.get("cpuspeed", 0))
    )


def _reaches(amount: int | None, most: str | None, wanted: int | None) -> bool:
    """True where an offering's own amount, or the most that a VM may choose in it, is at least what is wanted."""
    if wanted is None:
        return True
    if amount is not None:
        return amount >= wanted
    return most is None or int(most) >= wanted


def _can_scale(vm: UserVm, row: ServiceOffering) -> bool:
    """True where a VM can change to an offering; a running one only to what is no smaller."""
    current = vm.service_offering
    if row is current and not current.customized:
        return False
    if row.disk_offering_strict is not current.disk_offering_strict:
        return False
    if current.disk_offering_strict and row.disk_offering is not current.disk_offering:
        return False
    if row.storage_type != current.storage_type or not set(current.storage_tags) <= set(row.storage_tags):
        return False
    if current.host_tags and row.host_tags and not set(current.host_tags) & set(row.host_tags):
        return False
    return vm.state != "Running" or (
        row.dynamic_scaling is current.dynamic_scaling
        and _reaches(row.cpu_number, row.details.get("maxcpunumber"), vm.cpu_number)
        and _reaches(row.memory, row.details.get("maxmemory"), vm.memory)
        and (row.cpu_speed is None or row.cpu_speed >= vm.cpu_speed)
    )
