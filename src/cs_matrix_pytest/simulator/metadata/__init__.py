"""CloudStack's API as data: commands, parameters, response fields. Facts of 4.23 (README.md beside this file)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources
from typing import Any


@dataclass(frozen=True)
class Parameter:
    """One parameter of a command, as its Java annotation declares it.

    ``type``: string, uuid, boolean, integer, long, short, double, date, list, map, object; ``items``: the type of a
    list's elements; ``entities``: the response classes an id may name; ``field``: the Java field's name, which some
    error texts show; ``acl``: the access that the caller needs to the entity; ``since``: added after 3.x, so that
    what is no uuid counts as absent; ``roles``: the only types of role that may pass it, of others it is ignored.
    """

    name: str
    type: str
    required: bool = False
    items: str = "string"
    entities: tuple[str, ...] = ()
    field: str = ""
    length: int = 255
    acl: str | None = None
    since: bool = False
    checks: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Command:
    """One API command. ``creates``: it makes its entity at once and finishes it in a job (BaseAsyncCreateCmd)."""

    name: str
    is_async: bool
    creates: bool
    lists: bool
    served: bool
    authorized: tuple[str, ...]
    object_name: str | None
    entity: str | None
    event: str | None
    instance_type: str | None
    java_class: str
    own_envelope: str | None
    raw_params: Mapping[str, Mapping[str, Any]] = field(repr=False)
    response: Mapping[str, Any] = field(repr=False)

    @cached_property
    def params(self) -> dict[str, Parameter]:
        """Parameters by lower-case name, in the order in which the server reads them."""
        return {
            name: Parameter(
                name=name,
                type=raw["type"],
                required=raw.get("required", False),
                items=raw.get("items", "string"),
                entities=tuple(raw.get("entity", ())),
                field=raw.get("field", name),
                length=raw.get("length", 255),
                acl=raw.get("acl"),
                since=raw.get("since", False),
                checks=tuple(raw.get("checks", ())),
                roles=tuple(raw.get("roles", ())),
            )
            for name, raw in self.raw_params.items()
        }

    @cached_property
    def required(self) -> tuple[Parameter, ...]:
        """Parameters that a request must have."""
        return tuple(parameter for parameter in self.params.values() if parameter.required)

    @cached_property
    def envelope(self) -> str:
        """The key that wraps every answer to this command: its name, but for some (``restorevmresponse``)."""
        return self.own_envelope or f"{self.name.lower()}response"


class Api:
    """All commands of one CloudStack version; a command is built when it is first asked for."""

    def __init__(self, acs_version: str, raw: Mapping[str, Mapping[str, Any]]) -> None:
        self.acs_version = acs_version
        self._raw = raw
        self._built: dict[str, Command] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._raw

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def get(self, name: str) -> Command | None:
        """The command of exactly this name (names are case-sensitive), or None."""
        command = self._built.get(name)
        if command is None and name in self._raw:
            raw = self._raw[name]
            command = self._built[name] = Command(
                name=name,
                is_async=raw.get("async", False),
                creates=raw.get("create", False),
                lists=raw.get("list", False),
                served=raw.get("served", False),
                authorized=tuple(raw.get("authorized", ())),
                object_name=raw.get("object"),
                entity=raw.get("entity"),
                event=raw.get("event"),
                instance_type=raw.get("instance"),
                java_class=raw.get("java", name),
                own_envelope=raw.get("envelope"),
                raw_params=raw["params"],
                response=raw["response"],
            )
        return command


def _load(name: str) -> Any:
    return json.loads(resources.files(__package__).joinpath(name).read_bytes())


def load_api() -> Api:
    """The packaged metadata of CloudStack 4.23."""
    data = _load("commands-4.23.json")
    return Api(data["acs_version"], data["commands"])


def load_fresh_install() -> dict[str, Any]:
    """What a server holds before any zone exists: roles and their rules, configurations, OS types, default offerings."""
    fresh: dict[str, Any] = _load("fresh-install-4.23.json")
    return fresh


@cache
def load_guest_os_mappings() -> dict[str, dict[str, dict[str, dict[str, list[str]]]]]:
    """What hypervisors call the OS types of a fresh install: hypervisor, category, OS type, name, versions."""
    mappings: dict[str, dict[str, dict[str, dict[str, list[str]]]]] = _load("guest-os-mappings-4.23.json")
    return mappings


@cache
def load_network_protocols() -> dict[str, Any]:
    """``numbers``: index, name, description; ``icmp_types``: index, description, and descriptions by code."""
    protocols: dict[str, Any] = _load("network-protocols-4.23.json")
    return protocols
