"""Extensions: scripts that orchestrate what CloudStack itself does not know, and the actions that they add."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from cs_matrix_pytest.simulator.store import Resource


@dataclass
class Registration:
    """Where an extension is in charge: a cluster, or a physical network."""

    type: str
    """``Cluster`` or ``PhysicalNetwork``."""
    resource: Resource
    created: datetime
    details: dict[str, str] = field(default_factory=dict)
    hidden: dict[str, str] = field(default_factory=dict)
    """Details that are never shown: passwords."""


@dataclass(eq=False, kw_only=True, repr=False)
class Extension(Resource):
    entities: ClassVar[tuple[str, ...]] = ("ExtensionResponse",)
    label: ClassVar[str] = "extension"

    name: str
    type: str
    """``Orchestrator`` or ``NetworkOrchestrator``."""
    path: str
    """Of its script, below the directory of extensions."""
    description: str | None = None
    state: str = "Enabled"
    path_ready: bool = True
    user_defined: bool = True
    requires_prepare: bool | None = None
    reserved_details: str | None = None
    registrations: list[Registration] = field(default_factory=list)


@dataclass(frozen=True)
class ActionParameter:
    """One parameter that a custom action takes."""

    name: str
    type: str
    format: str = "NONE"
    options: tuple[str | int | float, ...] = ()
    required: bool = False

    def shown(self) -> dict[str, Any]:
        """The parameter as answers have it."""
        options = {"valueoptions": list(self.options)} if self.options else {}
        return {
            "name": self.name,
            "type": self.type,
            "validationformat": self.format,
            **options,
            "required": self.required,
        }


@dataclass(eq=False, kw_only=True, repr=False)
class CustomAction(Resource):
    """Something else that an extension can do to a resource."""

    entities: ClassVar[tuple[str, ...]] = ("ExtensionCustomActionResponse",)
    label: ClassVar[str] = "custom action"

    name: str
    extension: Extension
    description: str | None = None
    target: str | None = None
    """``VirtualMachine``, ``Network`` or ``Vpc``."""
    role_types: tuple[str, ...] = ("Admin",)
    success_message: str | None = None
    error_message: str | None = None
    timeout: int = 3
    """Seconds."""
    enabled: bool = False
    parameters: tuple[ActionParameter, ...] | None = ()
