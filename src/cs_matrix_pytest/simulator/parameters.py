"""From a query string's text to typed values: types, lists, maps, ids (ParamUnpackWorker, ParamProcessWorker)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any, Literal

from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue, MalformedParameter, ParameterError
from cs_matrix_pytest.simulator.metadata import Command, Parameter
from cs_matrix_pytest.simulator.store import Resource

UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
MAP_KEY = re.compile(r"(?P<name>[^\[\].]+)\[(?P<index>[+-]?[0-9]{1,9})\][^\[\].]*\.(?P<key>[^\[\]]*)", re.DOTALL)
HOST_LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
DATE_FORMATS = ("%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d")
INTEGER_RANGES = {"integer": 2**31, "long": 2**63, "short": 2**15}

INVALID = "Invalid value provided for API arg: {}"

NO_ID = -1
"""The id that means "none of them" or, for projects, "all of them"."""

Finder = Callable[[tuple[str, ...], str], "Resource | None"]
"""Finds a resource by (response classes, uuid or number), removed ones included."""


class UnknownNumber:
    """An internal number that names nothing, or ``null``; the command says what it could not find."""

    def __init__(self, number: int | Literal["null"]) -> None:
        self.number = number


def unpack(raw: Mapping[str, str]) -> dict[str, Any]:
    """Lower-case the names and gather ``name[0].key=value`` into ``{name: {"0": {key: value}}}``.

    ``details[0].cpuNumber=2`` keeps the case of its key. Raises `MalformedParameter` for a bracket in any other form.
    """
    unpacked: dict[str, Any] = {}
    for name, value in raw.items():
        if "[" not in name[1:]:
            unpacked[name.lower()] = value
            continue
        match = MAP_KEY.fullmatch(name)
        entries = unpacked.setdefault(match["name"].lower(), {}) if match else None
        if match is None or not isinstance(entries, dict):
            raise MalformedParameter(
                f"Unable to decode parameter {name}; if specifying an object array, please use "
                "parameter[index].field=XXX, e.g. userGroupList[0].group=httpGroup"
            )
        entries.setdefault(str(int(match["index"])), {})[match["key"]] = value
    return unpacked


def parse(command: Command, raw: Mapping[str, str], find: Finder, role: str = "Admin") -> dict[str, Any]:
    """The typed values of a request's parameters, by lower-case name; left out is what is unknown, and what is not for
    this type of role (BaseCmd.getParamFields). The first in the command's order that is missing or malformed is told.

    Ids become the `Resource` they name (or `UnknownNumber`, or ``NO_ID``). Raises `ParameterError` with the text of the
    real server.
    """
    unpacked = unpack(raw)
    values: dict[str, Any] = {}
    for name, parameter in command.params.items():
        if parameter.roles and role not in parameter.roles:
            continue
        value = unpacked.get(name)
        if value is None and parameter.required:
            raise ParameterError(f"Unable to execute API command {shown_name(command)} due to missing parameter {name}")
        if value == "" and parameter.required:
            raise InvalidParameterValue(INVALID.format(name))
        if value is not None:
            # A map where none is wanted is its text, as Java writes it.
            shown = java_text(value) if isinstance(value, dict) and parameter.type not in MAPS else value
            converted = _value(command, parameter, shown, find)
            values[name] = _nothing(parameter) if converted is None and parameter.required else converted
    return values


def _nothing(parameter: Parameter) -> UnknownNumber:
    """For a required parameter whose text Java reads as null: an id names nothing, and nobody can count with the rest."""
    if parameter.type == "uuid":
        return UnknownNumber("null")
    raise InternalError(f'Cannot invoke "java.lang.Integer.intValue()" because "{parameter.name}" is null')


MAPS = ("map", "object")


def java_text(value: Any) -> str:
    """A map as Java's Map.toString: ``{0={key=a}}``."""
    if not isinstance(value, dict):
        return str(value)
    return "{" + ", ".join(f"{name}={java_text(each)}" for name, each in value.items()) + "}"


def shown_name(command: Command) -> str:
    """A command as texts about its parameters name it."""
    return command.envelope.removesuffix("response")


def _value(command: Command, parameter: Parameter, value: Any, find: Finder) -> Any:
    try:
        for check in parameter.checks:
            CHECKS[check](parameter, value)
        convert = CONVERTERS.get(parameter.type) or _string
        return convert(parameter, value, find)
    except _InvalidError as error:
        raise ParameterError(
            f"Unable to execute API command {shown_name(command)} due to invalid value. {error}"
        ) from None
    except _UnparsableError:
        raise ParameterError(
            f"Unable to parse date {value} for command {shown_name(command)}, "
            "please pass dates in the format mentioned in the api documentation"
        ) from None
    except (ValueError, AttributeError):
        raise ParameterError(
            f"Unable to execute API command {shown_name(command)} due to invalid value {value} "
            f"for parameter {parameter.name}"
        ) from None


class _InvalidError(Exception):
    """InvalidParameterValueException while a value is set."""


class _UnparsableError(Exception):
    """ParseException of a date."""


def _string(parameter: Parameter, value: Any, _find: Finder) -> str:
    text = str(value)
    if len(text) > parameter.length:
        raise _InvalidError(f"Value greater than max allowed length {parameter.length} for param: {parameter.field}")
    return text


def _boolean(_parameter: Parameter, value: Any, _find: Finder) -> bool:
    # As Java's Boolean.valueOf: anything that is not "true" is false.
    return str(value).lower() == "true"


def _integer(parameter: Parameter, value: str, _find: Finder) -> int | None:
    if not value.strip() and parameter.type == "integer":
        return None
    return java_integer(value, parameter.type)


def java_integer(value: str, kind: str) -> int:
    """A number as Java's Integer.valueOf and its like read it. Raises ValueError."""
    limit = INTEGER_RANGES[kind]
    if not re.fullmatch(r"[+-]?\d{1,19}", value) or not -limit <= int(value) < limit:
        raise ValueError(value)
    return int(value)


def _double(_parameter: Parameter, value: str, _find: Finder) -> float | None:
    return float(value) if value.strip() else None


def _date(_parameter: Parameter, value: str, _find: Finder) -> datetime:
    for pattern in DATE_FORMATS:
        try:
            parsed = datetime.strptime(value, pattern)
        except ValueError:
            continue
        return parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)
    raise _UnparsableError


def _uuid(parameter: Parameter, value: str, find: Finder) -> Resource | UnknownNumber | int | None:
    if value == str(NO_ID):
        return NO_ID
    if not UUID.fullmatch(value):
        if parameter.since:
            # Younger parameters take no notice of what is no uuid.
            return None
        if re.fullmatch(r"[+-]?\d{1,18}", value):
            if int(value) < 1:
                raise _InvalidError(INVALID.format(parameter.name))
            return find(parameter.entities, value) or UnknownNumber(int(value))
    # Who creates something may choose its uuid freely.
    found = None if value.isdecimal() else find(parameter.entities, value)
    if found is None:
        raise _InvalidError(
            f"Invalid parameter {parameter.name} value={value} due to incorrect long value format, or entity does not "
            "exist or due to incorrect parameter annotation for the field in api cmd class."
        )
    return found


def _list(parameter: Parameter, value: str, find: Finder) -> list[Any]:
    convert = {"uuid": _uuid, "integer": _integer, "long": _integer, "short": _integer}.get(parameter.items)
    tokens = [token for token in value.split(",") if token]
    if convert is None:
        return tokens
    element = Parameter(
        name=parameter.name,
        type=parameter.items,
        entities=parameter.entities,
        since=parameter.since,
    )
    converted = [convert(element, token, find) for token in tokens]
    return [UnknownNumber("null") if value is None else value for value in converted]


def _map(parameter: Parameter, value: Any, _find: Finder) -> Any:
    if parameter.type == "map" and not isinstance(value, dict):
        raise ValueError(value)
    return value


CONVERTERS: dict[str, Callable[[Parameter, Any, Finder], Any]] = {
    "string": _string,
    "boolean": _boolean,
    "integer": _integer,
    "long": _integer,
    "short": _integer,
    "double": _double,
    "date": _date,
    "uuid": _uuid,
    "list": _list,
    "map": _map,
    "object": _map,
}


def _positive(parameter: Parameter, value: str) -> None:
    if parameter.type in INTEGER_RANGES and java_integer(value, "long") < 1:
        raise _InvalidError(INVALID.format(parameter.name))


def _not_empty(parameter: Parameter, value: str) -> None:
    if not value:
        raise _InvalidError(INVALID.format(parameter.name))


def _uuid_text(parameter: Parameter, value: str) -> None:
    if not UUID.fullmatch(value):
        raise _InvalidError(INVALID.format(parameter.name))


def _host_name(parameter: Parameter, value: str) -> None:
    if not HOST_LABEL.fullmatch(value) or value[0].isdecimal():
        raise _InvalidError(
            f"Invalid value provided for API arg: {parameter.name} - it can contain ASCII letters 'a' through 'z', the "
            "digits '0' through '9', and the hyphen ('-'), must be between 1 and 63 characters long, and can't start or "
            'end with "-" and can\'t start with digit'
        )


CHECKS: dict[str, Callable[[Parameter, str], None]] = {
    "PositiveNumber": _positive,
    "NotNullOrEmpty": _not_empty,
    "UuidString": _uuid_text,
    "RFCComplianceDomainName": _host_name,
}


def map_entries(value: Any) -> list[dict[str, str]]:
    """The entries of a map parameter in the order of their index: ``[{"key": "a", "value": "b"}, …]``."""
    if not isinstance(value, dict):
        return []
    return [value[index] for index in sorted(value, key=lambda text: (len(text), text))]


def plain_map(value: Any) -> dict[str, str]:
    """A map parameter as one dict, for both ways of writing one.

    ``details[0].rootdisksize=5`` and ``tags[0].key=rootdisksize&tags[0].value=5`` both give ``{"rootdisksize": "5"}``.
    """
    merged: dict[str, str] = {}
    for entry in map_entries(value):
        if "key" in entry and set(entry) <= {"key", "value"}:
            merged[entry["key"]] = entry.get("value", "")
        else:
            merged.update(entry)
    return merged
