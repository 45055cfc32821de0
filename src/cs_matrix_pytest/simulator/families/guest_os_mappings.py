"""What hypervisors call guest operating systems (ManagementServerImpl)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.cloud import Cloud
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.hypervisors import HYPERVISORS
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.metadata import load_fresh_install, load_guest_os_mappings
from cs_matrix_pytest.simulator.models.guest_os_mappings import GuestOsMapping
from cs_matrix_pytest.simulator.models.images import OsType
from cs_matrix_pytest.simulator.models.infra import Host, HypervisorCapabilities
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.store import Table

family = Family("guest OS mappings")

MAPPED = ("KVM", "XenServer", "VMware")
"""Hypervisors that have names of their own."""
ASKABLE = ("VMware", "XenServer")
"""Hypervisors that can be asked for the names they know."""
UNKNOWN = "Guest OS Mapping not found. Please specify a valid ID for the Guest OS Mapping"


def _mappings(cloud: Cloud) -> Table[GuestOsMapping]:
    """All mappings. The thousands that a server brings with it are put in place when first needed."""
    store = cloud.store
    table = store.table(GuestOsMapping)
    if table.first(user_defined=False) is not None:
        return table
    # By number, as they may have been renamed since.
    types = enumerate(load_fresh_install()["os_types"], start=1)
    numbers = {(category, name): number for number, (category, name) in types}
    for hypervisor, categories in load_guest_os_mappings().items():
        for category, names_of in categories.items():
            for os_name, names in names_of.items():
                os_type = store.table(OsType).by_number(numbers[category, os_name])
                if os_type is None:
                    continue
                for name, versions in names.items():
                    for version in versions:
                        store.add(
                            GuestOsMapping(
                                os_type=os_type,
                                hypervisor=hypervisor,
                                hypervisor_version=version,
                                name=name,
                                user_defined=False,
                            )
                        )
    return table


@family.view(GuestOsMapping)
def guest_os_mapping_view(mapping: GuestOsMapping, _call: Call) -> dict[str, Any]:
    return {
        "id": mapping.id,
        "hypervisor": mapping.hypervisor,
        "hypervisorversion": mapping.hypervisor_version,
        "osnameforhypervisor": mapping.name,
        "isuserdefined": str(mapping.user_defined).lower(),
        "osdisplayname": mapping.os_type.name,
        "ostypeid": mapping.os_type.id,
    }


@family.command("listGuestOsMapping")
def list_guest_os_mappings(call: Call) -> Answer:
    if "hypervisorversion" in call and not call.get("hypervisor"):
        raise InvalidParameterValue(
            "Hypervisor version parameter cannot be used without specifying a hypervisor : XenServer, KVM or VMware"
        )
    texts = {
        "osnameforhypervisor": "name",
        "hypervisor": "hypervisor",
        "hypervisorversion": "hypervisor_version",
    }
    rows = [
        row
        for row in _mappings(call.cloud)
        if row.os_type.display
        and ("id" not in call or call["id"] is row)
        and ("ostypeid" not in call or call["ostypeid"] is row.os_type)
        and all(
            call[name].lower() in getattr(row, attribute).lower() for name, attribute in texts.items() if name in call
        )
    ]
    wanted = call.get("osdisplayname", "").lower()
    named = {row for row in call.cloud.store.table(OsType) if wanted in row.name.lower()}
    if named:
        # A name that no OS has is ignored.
        rows = [row for row in rows if row.os_type in named]
    rows.sort(key=lambda row: row.created, reverse=True)
    rows.sort(key=lambda row: row.os_type.number)
    rows.sort(key=lambda row: row.hypervisor_version, reverse=True)
    rows.sort(key=lambda row: row.hypervisor)
    return page(call, rows)


def _hypervisor(call: Call) -> str:
    """The hypervisor that a request names, ``None`` where CloudStack knows none of that name."""
    known = HYPERVISORS.get(call["hypervisor"].lower())
    return known.name if known else "None"


@family.command("addGuestOsMapping")
def add_guest_os_mapping(call: Call) -> Generator[GuestOsMapping, None, Answer]:
    store, version, name = call.cloud.store, call["hypervisorversion"], call["osnameforhypervisor"]
    if "ostypeid" not in call and not call.get("osdisplayname"):
        raise InvalidParameterValue("Please specify either a guest OS name or UUID")
    hypervisor = _hypervisor(call)
    if hypervisor not in MAPPED:
        raise InvalidParameterValue("Please specify a valid hypervisor : XenServer, KVM or VMware")
    if store.table(HypervisorCapabilities).first(hypervisor=hypervisor, version=version) is None:
        raise InvalidParameterValue("Please specify a valid hypervisor and supported version")
    os_type = (
        call.maybe(OsType, "ostypeid") if "ostypeid" in call else store.table(OsType).first(name=call["osdisplayname"])
    )
    if os_type is None:
        raise InvalidParameterValue("Unable to find the guest OS by name or UUID")
    mapping = _mappings(call.cloud).first(
        os_type=os_type, hypervisor=hypervisor, hypervisor_version=version, user_defined=True
    )
    if mapping is not None and not call.flag("forced"):
        raise InvalidParameterValue(
            f"Mapping from hypervisor : {hypervisor}, version : {version} and guest OS : {os_type.name} already exists!"
        )
    if call.flag("osmappingcheckenabled"):
        _check_mapping(call, hypervisor, version, os_type, name)
    if mapping is None:
        mapping = store.add(
            GuestOsMapping(os_type=os_type, hypervisor=hypervisor, hypervisor_version=version, name=name)
        )
    mapping.name = name
    yield mapping
    return mapping


def _host_of(call: Call, hypervisor: str, version: str) -> Host:
    """A host that can be asked for its names."""
    host = call.cloud.store.table(Host).first(
        hypervisor=hypervisor, hypervisor_version=version, type="Routing", state="Up"
    )
    if host is None:
        raise InternalError(
            f"No {hypervisor} hypervisor with version: {version} exists, please specify available hypervisor and version"
        )
    return host


def _check_mapping(call: Call, hypervisor: str, version: str, os_type: OsType, name: str) -> None:
    """Raise where no host confirms a name; behind a simulated host there is nobody who could."""
    if hypervisor not in ASKABLE:
        raise InvalidParameterValue(
            f"Guest OS mapping check is not supported for hypervisor: {hypervisor}, please specify a valid hypervisor : "
            "VMware, XenServer"
        )
    _host_of(call, hypervisor, version)
    raise InternalError(
        f"Invalid hypervisor os mapping: {name} for guest os: {os_type.name}, hypervisor: {hypervisor} and version: "
        f"{version}"
    )


def _user_defined(call: Call, action: str) -> GuestOsMapping:
    mapping = call.get("id")
    if not isinstance(mapping, GuestOsMapping) or mapping not in call.cloud.store:
        raise InvalidParameterValue(UNKNOWN)
    if not mapping.user_defined:
        raise InvalidParameterValue(f"Unable to {action} system defined Guest OS mapping")
    return mapping


@family.command("updateGuestOsMapping")
def update_guest_os_mapping(call: Call) -> Answer:
    mapping, name = _user_defined(call, "modify"), call["osnameforhypervisor"]
    if call.flag("osmappingcheckenabled"):
        _check_mapping(call, mapping.hypervisor, mapping.hypervisor_version, mapping.os_type, name)
    mapping.name = name
    return mapping


@family.command("removeGuestOsMapping")
def remove_guest_os_mapping(call: Call) -> Answer:
    call.cloud.store.remove(_user_defined(call, "remove"))
    return Success()


@family.command("getHypervisorGuestOsNames")
def hypervisor_guest_os_names(call: Call) -> Answer:
    hypervisor, version = _hypervisor(call), call["hypervisorversion"]
    if hypervisor not in ASKABLE:
        raise InvalidParameterValue(
            f"Guest OS names cannot be fetched for hypervisor: {hypervisor}, please specify a valid "
            "hypervisor : VMware, XenServer"
        )
    _host_of(call, hypervisor, version)
    raise InternalError(f"Unable to get guest os names for hypervisor: {hypervisor}, version: {version}")
