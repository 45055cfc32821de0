"""Extensions that orchestrate external hypervisors and networks (ExtensionsManagerImpl). Their scripts: `extension_scripts`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.models.extensions import CustomAction, Extension, Registration
from cs_matrix_pytest.simulator.models.images import Template
from cs_matrix_pytest.simulator.models.infra import Cluster, PhysicalNetwork
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.views import when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud
    from cs_matrix_pytest.simulator.store import Resource

family = Family("extensions")

TYPES = ("Orchestrator", "NetworkOrchestrator")
STATES = ("Enabled", "Disabled")
SENSITIVE = ("password", "sshkey")
RESOURCES: Mapping[str, tuple[type[Resource], str]] = {
    "Cluster": (Cluster, "cluster"),
    "PhysicalNetwork": (PhysicalNetwork, "physical network"),
}
"""What an extension can be registered with, and what error texts call it."""
BUILT_IN = (
    ("Proxmox", "Sample extension for Proxmox written in bash", "Proxmox/proxmox.sh", True),
    ("HyperV", "Sample extension for HyperV written in python", "HyperV/hyperv.py", None),
    ("MaaS", "Baremetal Extension for Canonical MaaS written in Python", "MaaS/maas.py", True),
)
"""Name, description, path and whether it prepares machines, of the extensions of a fresh install."""
DEEPEST = 2
"""How many directories below its own an extension's script can be."""


@family.on_fresh_install
def install(cloud: Cloud, fresh: Mapping[str, Any]) -> None:
    for name, description, path, prepares in BUILT_IN:
        cloud.store.add(
            Extension(
                name=name,
                type="Orchestrator",
                description=description,
                path=path,
                user_defined=False,
                requires_prepare=prepares,
            )
        )


@family.view(Extension)
def extension_view(extension: Extension, call: Call) -> dict[str, Any]:
    wanted = set(call.get("details", []) if call.command.lists else []) or {"all"}
    resources = [
        {
            "id": row.resource.id,
            "name": getattr(row.resource, "name", None),
            "type": row.type,
            **({"details": row.details} if row.details else {}),
            "created": when(row.created),
        }
        for row in extension.registrations
    ]
    return {
        "id": extension.id,
        "name": extension.name,
        "description": extension.description,
        "type": extension.type,
        "path": str(call.cloud.extension_scripts.path_of(extension)),
        "pathready": extension.path_ready,
        "isuserdefined": extension.user_defined,
        "state": extension.state,
        "orchestratorrequirespreparevm": extension.requires_prepare,
        "reservedresourcedetails": extension.reserved_details,
        "details": (extension.details or None) if wanted & {"all", "external"} else None,
        "resources": (resources or None) if wanted & {"all", "resource"} else None,
        "created": when(extension.created),
    }


def directory_name(name: str) -> str:
    """The directory of an extension, below that of all."""
    return re.sub(r"[^a-zA-Z0-9._-]", "_", name).lower()


def script_path(name: str, given: str) -> str:
    """Where a new extension's script is, below the directory of all extensions."""
    directory = directory_name(name)
    if not given.strip():
        return f"{directory}/{directory}.sh"
    path = given.replace("\\", "/").removeprefix("/")
    if path == directory:
        path = f"{directory}/{directory}"
    elif not path.startswith(f"{directory}/"):
        path = f"{directory}/{path}"
    if len(PurePosixPath(path).parts) - 1 > DEEPEST:
        raise ApiError("Entry point path cannot be nested more than two sub-directories deep")
    return path


def new_state(call: Call) -> str | None:
    """The state that a request gives; its words are read exactly."""
    state = call.get("state")
    if state and state not in STATES:
        raise InvalidParameterValue("Invalid state specified")
    return state or None


def check_prepare(call: Call, type: str) -> None:
    if "orchestratorrequirespreparevm" in call and type != "Orchestrator":
        raise InvalidParameterValue(f"orchestratorrequirespreparevm is applicable only with {type} type")


@family.command("createExtension")
def create_extension(call: Call) -> Answer:
    name, type = call["name"], call["type"]
    if call.cloud.store.table(Extension).first(name=name):
        raise InternalError("Extension by name already exists")
    if type not in TYPES:
        raise InternalError(f"Invalid type specified - {type}")
    path, state = script_path(name, call.get("path", "")), new_state(call) or "Enabled"
    check_prepare(call, type)
    extension = call.cloud.store.add(
        Extension(
            name=name,
            type=type,
            path=path,
            description=call.get("description"),
            state=state,
            path_ready=state == "Enabled",
            requires_prepare=call.get("orchestratorrequirespreparevm"),
            reserved_details=call.get("reservedresourcedetails") or None,
            details=call.map("details"),
        )
    )
    if extension.path_ready:
        call.cloud.extension_scripts.prepare(extension)
    return extension


@family.command("updateExtension")
def update_extension(call: Call) -> Answer:
    extension = live(call, "id", "Failed to find the extension")
    check_prepare(call, extension.type)
    state = call.get("state") or ""
    changed = bool(state.strip()) and state.lower() != extension.state.lower()
    if changed:
        extension.state = new_state(call) or extension.state
    extension.description = call.get("description", extension.description)
    extension.requires_prepare = call.get("orchestratorrequirespreparevm", extension.requires_prepare)
    extension.reserved_details = call.get("reservedresourcedetails") or extension.reserved_details
    if call.flag("cleanupdetails"):
        extension.details = {}
    elif call.map("details"):
        extension.details = call.map("details")
    shown = call.cloud.view(extension, call)
    if changed and extension.state == "Enabled":
        # The answer is of before its path was prepared.
        extension.path_ready = True
        call.cloud.extension_scripts.prepare(extension)
    return {"extension": shown}


def live(call: Call, name: str, missing: str) -> Extension:
    """The live extension of a parameter."""
    extension = call.params.get(name)
    if not isinstance(extension, Extension) or extension not in call.cloud.store:
        raise InvalidParameterValue(missing)
    return extension


@family.command("deleteExtension")
def delete_extension(call: Call) -> Answer:
    extension = live(call, "id", "Unable to find the extension with the specified id")
    store = call.cloud.store
    if not extension.user_defined:
        raise InvalidParameterValue("System extension can not be deleted")
    if extension.registrations:
        raise InternalError("Extension has associated resources, unregister them to delete the extension")
    actions = store.table(CustomAction).where(extension=extension)
    if actions:
        raise InternalError(f"Extension has {len(actions)} custom actions, delete them to delete the extension")
    if store.table(Template).first(extension=extension):
        raise InternalError("Orchestrator extension has associated templates, remove them to delete the extension")
    store.remove(extension)
    if call.flag("cleanup"):
        call.cloud.extension_scripts.remove(extension)
    return Success()


def _of_type(extension: Extension, value: str, _call: Call) -> bool:
    if value not in TYPES:
        raise InvalidParameterValue(f"Invalid type: {value}")
    return extension.type == value


family.listing("listExtensions", Extension, newest_first=True, filters={"type": _of_type})


# Where an extension is in charge


def resource_of(call: Call, doing: str) -> Resource:
    """The cluster or the physical network that a request names."""
    kind = call["resourcetype"]
    if kind not in RESOURCES:
        raise InvalidParameterValue(f"Currently only [{', '.join(RESOURCES)}] can be used to {doing}")
    table, what = RESOURCES[kind]
    resource = call.cloud.store.table(table).get(call["resourceid"])
    if resource is None:
        if doing == "unregister an extension" and kind == "Cluster":
            raise InvalidParameterValue("Unable to find cluster with given ID")
        raise InvalidParameterValue(f"Invalid {what} ID specified")
    return resource


def extension_of(cloud: Cloud, resource: Resource | None) -> Extension | None:
    """The extension that is in charge of a cluster."""
    return cloud.store.table(Extension).first(
        lambda extension: any(row.resource is resource for row in extension.registrations)
    )


def take_details(registration: Registration, details: Mapping[str, str]) -> None:
    registration.details = {key: value for key, value in details.items() if key.lower() not in SENSITIVE}
    registration.hidden |= {key: value for key, value in details.items() if key.lower() in SENSITIVE}


@family.command("registerExtension")
def register_extension(call: Call) -> Answer:
    resource = resource_of(call, "register an extension")
    extension = live(call, "extensionid", "Invalid extension specified")
    if isinstance(resource, Cluster):
        if resource.hypervisor != "External":
            raise InternalError(f"Cluster ID: {resource.number} is not of {resource.hypervisor} hypervisor type")
        other = extension_of(call.cloud, resource)
        if other is extension:
            raise InternalError(f"Extension: {extension.name} is already registered with this cluster: {resource.name}")
        if other is not None:
            raise InternalError(f"An extension is already registered with this cluster: {resource.name}")
    else:
        if extension.type != "NetworkOrchestrator":
            raise InvalidParameterValue(
                "Only extensions of type NetworkOrchestrator can be registered with a physical network. "
                f"Extension '{extension.name}' is of type {extension.type}."
            )
        if any(row.resource is resource for row in extension.registrations):
            raise InternalError(
                f"Extension '{extension.name}' is already registered with physical network {resource.id}"
            )
    registration = Registration(call["resourcetype"], resource, call.cloud.clock.datetime())
    take_details(registration, call.map("details"))
    extension.registrations.append(registration)
    return extension


def unregister_everywhere(cloud: Cloud, resource: Resource) -> None:
    """Have no extension be in charge of a resource that is going."""
    for extension in cloud.store.table(Extension):
        extension.registrations = [row for row in extension.registrations if row.resource is not resource]


@family.command("unregisterExtension")
def unregister_extension(call: Call) -> Answer:
    resource = resource_of(call, "unregister an extension")
    extension = live(call, "extensionid", "Invalid extension specified")
    extension.registrations = [row for row in extension.registrations if row.resource is not resource]
    return extension


@family.command("updateRegisteredExtension", object_name="extension")
def update_registration(call: Call) -> Answer:
    resource = resource_of(call, "update an extension registration")
    extension = live(call, "extensionid", "Invalid extension specified")
    registration = next((row for row in extension.registrations if row.resource is resource), None)
    if registration is None:
        raise InvalidParameterValue(
            f"Extension '{extension.name}' is not registered with resource {resource.id} ({call['resourcetype']})"
        )
    if call.flag("cleanupdetails"):
        registration.details, registration.hidden = {}, {}
    elif call.map("details"):
        take_details(registration, call.map("details"))
    return extension


def named_extension(call: Call) -> Extension | None:
    """The extension that ``extensionid`` of registerTemplate names."""
    if "extensionid" not in call:
        return None
    return live(call, "extensionid", "Invalid extension specified")
