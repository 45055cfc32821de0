"""Custom actions of extensions: what else than a machine's life cycle an extension can do (ExtensionsManagerImpl)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cs_matrix_pytest.simulator.access import check_access
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.extension_scripts import Outcome, machine_payload
from cs_matrix_pytest.simulator.families.extensions import extension_of, live
from cs_matrix_pytest.simulator.listing import filtered, page
from cs_matrix_pytest.simulator.models.extensions import ActionParameter, CustomAction, Extension
from cs_matrix_pytest.simulator.models.iam import ROLE_TYPES, Owned
from cs_matrix_pytest.simulator.models.networks import Network, Vpc
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.parameters import DATE_FORMATS, UUID
from cs_matrix_pytest.simulator.registry import Answer, Family, Listing, ListSpec, Success
from cs_matrix_pytest.simulator.views import when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("custom actions")

TARGETS: dict[str, type[Owned]] = {"VirtualMachine": UserVm, "Network": Network, "Vpc": Vpc}
FORMATS = {
    "NONE": None,
    "UUID": "STRING",
    "EMAIL": "STRING",
    "PASSWORD": "STRING",
    "URL": "STRING",
    "DECIMAL": "NUMBER",
}
"""The type of parameter that each validation format is for; None: any."""
TYPES = ("STRING", "NUMBER", "BOOLEAN", "DATE")
NAME = re.compile(r"[a-zA-Z0-9 _-]+")
REFUSED = "Internal error running action"
"""All that is said of most reasons why an action cannot run."""
NO_SUCH_ACTION = 'Exit code: 1, Output: {"error":"Invalid action"}'
"""What the script of a new extension says of every action but its own."""


@family.view(CustomAction)
def action_view(action: CustomAction, call: Call) -> dict[str, Any]:
    return {
        "id": action.id,
        "name": action.name,
        "description": action.description,
        "extensionid": action.extension.id,
        "extensionname": action.extension.name,
        "resourcetype": action.target,
        "allowedroletypes": list(action.role_types),
        "successmessage": action.success_message,
        "errormessage": action.error_message,
        "timeout": action.timeout,
        "enabled": action.enabled,
        "details": action.details,
        "parameters": None if action.parameters is None else [row.shown() for row in action.parameters],
        "created": when(action.created),
    }


def is_text(value: str, format: str) -> bool:
    """True where a text is of a validation format."""
    if format == "UUID":
        return UUID.fullmatch(value) is not None
    if format == "EMAIL":
        return re.fullmatch(r"[A-Za-z0-9+_.-]+@[A-Za-z0-9.-]+", value) is not None
    if format == "URL":
        return urlsplit(value).scheme in ("http", "https", "ftp", "file", "jar", "mailto")
    return format == "NONE" or bool(value.strip())


def number(text: str, format: str) -> int | float:
    """A number as a parameter of this format has it. Raises ValueError."""
    if format == "DECIMAL":
        return float(text)
    if not re.fullmatch(r"[+-]?\d{1,10}", text) or not -(2**31) <= int(text) < 2**31:
        raise ValueError(text)
    return int(text)


def parameters_of(call: Call) -> tuple[ActionParameter, ...]:
    """The parameters that a request describes."""
    return tuple(_parameter(entry) for entry in call.entries("parameters"))


def _parameter(entry: dict[str, str]) -> ActionParameter:
    name, type, format = entry.get("name", ""), entry.get("type", ""), entry.get("validationformat", "")
    if not name.strip():
        raise InvalidParameterValue("Invalid parameter specified with empty name")
    if not type.strip():
        raise InvalidParameterValue(f"No type specified for parameter: {name}")
    if type.upper() not in TYPES:
        raise InvalidParameterValue(f"Invalid type: {type} specified for parameter: {name}")
    type, known = type.upper(), (format.strip() or "NONE").upper()
    if known not in FORMATS or FORMATS[known] not in (None, type):
        shown = known if known in FORMATS else "null"
        raise InvalidParameterValue(f"Invalid validation format: {shown} specified for type: {type}")
    options = _options(name, entry.get("valueoptions", ""), type, known)
    return ActionParameter(name, type, known, options, entry.get("required", "").lower() == "true")


def _options(name: str, text: str, type: str, format: str) -> tuple[str | int | float, ...]:
    values = [value.strip() for value in text.split(",") if value.strip()]
    if not values:
        return ()
    if type not in ("STRING", "NUMBER"):
        raise InvalidParameterValue(f"Options not supported for type: {type} for parameter: {name}")
    try:
        if type == "NUMBER":
            return tuple(number(value, format) for value in values)
        if all(is_text(value, format) for value in values):
            return tuple(values)
    except ValueError:
        pass
    raise InvalidParameterValue(f"Invalid value options with validation format: {format} for parameter: {name}")


def check_values(parameters: tuple[ActionParameter, ...], given: dict[str, str]) -> None:
    """Raise InvalidParameterValue where the values for an action's parameters are missing or wrong."""
    for parameter in parameters:
        if parameter.required and not given.get(parameter.name, "").strip():
            raise InvalidParameterValue(f"Missing or empty required parameter: {parameter.name}")
    by_name = {parameter.name: parameter for parameter in parameters}
    for name, value in given.items():
        if name not in by_name:
            continue
        if not value.strip():
            raise InvalidParameterValue(f"Empty value for parameter '{name}': {value}")
        if not _fits(by_name[name], value):
            raise InvalidParameterValue(f"Invalid value for parameter '{name}': {value}")


def _fits(parameter: ActionParameter, value: str) -> bool:
    if parameter.type == "BOOLEAN":
        return value in ("true", "false")
    if parameter.type == "DATE":
        for pattern in DATE_FORMATS:
            try:
                datetime.strptime(value, pattern)
            except ValueError:
                continue
            return True
        return False
    if parameter.type == "NUMBER":
        try:
            return not parameter.options or number(value, parameter.format) in parameter.options
        except ValueError:
            return False
    return is_text(value, parameter.format) and (not parameter.options or value in parameter.options)


def typed_values(parameters: tuple[ActionParameter, ...], given: dict[str, str]) -> dict[str, Any]:
    """The values for an action's parameters as the types that these are of."""
    types = {parameter.name: parameter for parameter in parameters}
    values: dict[str, Any] = {}
    for name, value in given.items():
        parameter = types.get(name)
        if parameter is None:
            continue
        if parameter.type == "BOOLEAN":
            values[name] = value == "true"
        elif parameter.type == "NUMBER":
            values[name] = number(value, parameter.format)
        else:
            values[name] = value
    return values


def target_of(call: Call) -> str | None:
    """The type of resource that a request gives, in whatever case."""
    given = call.get("resourcetype", "")
    if not given.strip():
        return None
    found = next((name for name in TARGETS if name.lower() == given.lower()), None)
    if found is None:
        raise InvalidParameterValue(
            f"Invalid resource type specified: {given}. Valid values are: [{', '.join(TARGETS)}]"
        )
    return found


def roles_of(call: Call) -> tuple[str, ...]:
    """The role types that a request allows, in the order of their power."""
    chosen = set()
    for given in call.get("allowedroletypes", []):
        if given not in ROLE_TYPES:
            raise InvalidParameterValue(f"Invalid role specified - {given}")
        chosen.add(given)
    return tuple(name for name in ROLE_TYPES if name in chosen)


@family.command("addCustomAction")
def add_action(call: Call) -> Answer:
    name, table = call["name"], call.cloud.store.table(CustomAction)
    if not NAME.fullmatch(name):
        raise InvalidParameterValue(
            f"Invalid action name: {name}. It can contain only alphabets, numbers, hyphen, underscore and space"
        )
    if table.first(name=name, extension=call.get("extensionid")):
        raise InternalError("Action by name already exists")
    extension = live(call, "extensionid", "Specified extension can not be found")
    parameters, target = parameters_of(call), target_of(call)
    roles = set(roles_of(call)) | {"Admin"}
    return call.cloud.store.add(
        CustomAction(
            name=name,
            extension=extension,
            description=call.get("description"),
            target=target or ("VirtualMachine" if extension.type == "Orchestrator" else None),
            role_types=tuple(role for role in ROLE_TYPES if role in roles),
            success_message=call.get("successmessage"),
            error_message=call.get("errormessage"),
            timeout=call.get("timeout", 3),
            enabled=call.flag("enabled"),
            parameters=parameters,
            details=call.map("details"),
        )
    )


@family.command("updateCustomAction", object_name="extensioncustomaction")
def update_action(call: Call) -> Answer:
    action = call.get("id")
    if action not in call.cloud.store.table(CustomAction):
        raise InternalError("Action not found")
    target, roles = target_of(call), roles_of(call)
    parameters = () if call.flag("cleanupparameters") else parameters_of(call)
    action.description = call.get("description") or action.description
    action.target, action.role_types = target or action.target, roles or action.role_types
    action.success_message = call.get("successmessage", action.success_message)
    action.error_message = call.get("errormessage", action.error_message)
    action.timeout, action.enabled = call.get("timeout", action.timeout), call.flag("enabled", action.enabled)
    if call.flag("cleanupparameters"):
        action.parameters = None
    elif parameters:
        action.parameters = parameters
    if call.flag("cleanupdetails"):
        action.details = {}
    elif call.map("details"):
        action.details = call.map("details")
    # The command declares the fields of a success, but answers its action.
    shown = action_view(action, call)
    return {"extensioncustomaction": {key: value for key, value in shown.items() if value is not None}}


@family.command("deleteCustomAction")
def delete_action(call: Call) -> Answer:
    action = call.get("id")
    if action is None or action not in call.cloud.store.table(CustomAction):
        raise InvalidParameterValue("Unable to find the custom action with the specified id")
    call.cloud.store.remove(action)
    return Success()


SPEC = ListSpec(
    CustomAction,
    newest_first=True,
    filters={
        # Whatever is asked for, the server looks for those that are enabled.
        "enabled": lambda action, _value, _call: action.enabled,
        "resourcetype": lambda action, value, _call: action.target in (None, value),
        "resourceid": lambda _action, _value, _call: True,
    },
)


@family.command("listCustomActions", object_name="extensioncustomaction")
def list_actions(call: Call) -> Answer:
    kind, resource_id = call.get("resourcetype"), call.get("resourceid", "")
    if kind and kind not in TARGETS:
        raise InvalidParameterValue("Invalid resource type specified")
    rows = list(call.cloud.store.table(CustomAction))
    if "extensionid" not in call and kind and resource_id.strip():
        extension = in_charge_of(call.cloud, call.cloud.store.table(TARGETS[kind]).get(resource_id))
        if extension is None:
            raise InvalidParameterValue("Internal error listing custom actions with specified resource")
        rows = [row for row in rows if row.extension is extension]
    role = call.account.role
    if role is not None and role.type != "Admin":
        rows = [row for row in rows if role.type in row.role_types]
    chosen = page(call, filtered(call, SPEC, rows))
    # Its count is of the page, not of all.
    return Listing(chosen.rows, len(chosen.rows))


def in_charge_of(cloud: Cloud, resource: Owned | None) -> Extension | None:
    """The extension that runs what a resource is on."""
    if not isinstance(resource, UserVm):
        return None
    host = resource.host or resource.last_host
    return extension_of(cloud, host.cluster) if host is not None and host.cluster is not None else None


@family.command("runCustomAction")
def run_action(call: Call) -> Answer:
    action = call.get("customactionid")
    if action not in call.cloud.store.table(CustomAction):
        raise InvalidParameterValue(REFUSED)
    role, given = call.account.role, call.get("resourcetype", "")
    allowed = role is not None and (role.type == "Admin" or role.type in action.role_types)
    if not allowed or not action.enabled:
        raise InvalidParameterValue(REFUSED)
    if action.extension.state != "Enabled":
        raise InternalError(REFUSED)
    if action.target is None and not given.strip():
        raise InvalidParameterValue("Resource type not specified for the action")
    target = next((name for name in TARGETS if name.lower() == given.lower()), None) if given else action.target
    if target is None or action.target not in (None, target):
        raise InternalError(REFUSED)
    resource = call.cloud.store.table(TARGETS[target]).get(call["resourceid"])
    if resource is None:
        raise InternalError(REFUSED)
    check_access(call.cloud, call.account, resource, "OperateEntry")
    if isinstance(resource, UserVm):
        check_machine(call.cloud, resource)
        if action.parameters:
            check_values(action.parameters, call.map("parameters"))
    outcome = _run(call, action, resource)
    return {
        "customactionresult": {
            "id": action.id,
            "name": action.name,
            "success": outcome.ok,
            "result": {"details": outcome.output, "message": message_of(action, target, resource, ok=outcome.ok)},
        }
    }


def _run(call: Call, action: CustomAction, resource: Owned) -> Outcome:
    """Have the extension do it; of networks and VPCs it knows nothing."""
    if not isinstance(resource, UserVm):
        return Outcome(False, NO_SUCH_ACTION)
    values = typed_values(action.parameters or (), call.map("parameters"))
    more = {"action": action.name, **({"parameters": values} if values else {})}
    payload = machine_payload(call.cloud, action.extension, resource, **more)
    host = resource.host or resource.last_host
    return call.cloud.extension_scripts.run(action.extension, action.name, payload, host=host, wait=action.timeout)


def check_machine(cloud: Cloud, vm: UserVm) -> None:
    """Raise unless an extension runs this machine."""
    error = f"{REFUSED} on virtual machine"
    if vm.hypervisor != "External":
        raise InvalidParameterValue(error)
    if in_charge_of(cloud, vm) is None:
        raise InternalError(error)


def message_of(action: CustomAction, target: str, resource: Owned, *, ok: bool) -> str:
    """What an action says when it is done or fails, with the names that its text has places for."""
    text = (action.success_message if ok else action.error_message) or ""
    if not text.strip():
        return f"Successfully completed {action.name}" if ok else f"Failed to complete {action.name}"
    names = {
        "actionName": action.name,
        "extensionName": action.extension.name,
        "resourceName": getattr(resource, "name", None) or target,
    }
    for name, value in names.items():
        text = text.replace(f"{{{{{name}}}}}", value)
    return text
