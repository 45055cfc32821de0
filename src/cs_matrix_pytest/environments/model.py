"""Environments: CloudStack deployments that tests can run against, and the facts that make results comparable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NETWORKING = ("basic", "advanced", "advanced-sg")
STORAGE_SCOPES = ("local", "shared", "mixed")
UNKNOWN = "unknown"
"""A fact that nothing says: a hypervisor's type, a networking."""


@dataclass(frozen=True)
class Hypervisor:
    """A hypervisor type in lower case (``kvm``, ``vmware``, ``xenserver`` …) and its version, if known."""

    type: str
    version: str | None = None


@dataclass(frozen=True)
class Storage:
    """Where primary storage lives (one of STORAGE_SCOPES) and by which protocol (``nfs``, ``iscsi`` …), if known."""

    scope: str = "shared"
    protocol: str | None = None


@dataclass(frozen=True)
class Context:
    """The facts of an environment that make a result comparable. Equal contexts share a cell of the matrix."""

    hypervisor: Hypervisor
    networking: str = "advanced"
    storage: Storage = Storage()
    management_os: str | None = None
    extras: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The context as one readable word, ``kvm-ubuntu24/advanced/nfs``; different contexts have different keys."""
        hypervisor = "-".join(filter(None, (self.hypervisor.type.replace("-", "_"), self.hypervisor.version)))
        scope, protocol = self.storage.scope, self.storage.protocol
        plain = scope == "shared" and protocol not in (None, *STORAGE_SCOPES)
        storage = str(protocol) if plain else "-".join(filter(None, (scope, protocol)))
        management = [f"mgmt-{self.management_os}"] if self.management_os else []
        extras = [f"+{extra}" for extra in sorted(self.extras)]
        return "/".join([hypervisor, self.networking, storage, *management, *extras])

    def as_dict(self) -> dict[str, Any]:
        """The context as the run record and matrix.json carry it; absent facts are null."""
        return {
            "hypervisor": {"type": self.hypervisor.type, "version": self.hypervisor.version},
            "networking": self.networking,
            "storage": {"scope": self.storage.scope, "protocol": self.storage.protocol},
            "management_os": self.management_os,
            "extras": sorted(self.extras),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Context:
        """The inverse of `as_dict`; what is missing takes its default."""
        hypervisor = data.get("hypervisor") or {}
        storage = data.get("storage") or {}
        return cls(
            hypervisor=Hypervisor(hypervisor.get("type") or UNKNOWN, hypervisor.get("version")),
            networking=data.get("networking") or UNKNOWN,
            storage=Storage(storage.get("scope") or "shared", storage.get("protocol")),
            management_os=data.get("management_os"),
            extras=tuple(sorted(data.get("extras") or ())),
        )


@dataclass(frozen=True)
class Fault:
    """How one API command of an embedded simulator misbehaves.

    ``fail``: always; ``fail_every``: every n-th call; ``error``: (CloudStack error code, text);
    ``delay``: simulated seconds that the command's job (or a synchronous command) takes.
    """

    fail: bool = False
    fail_every: int | None = None
    error: tuple[int, str] = (530, "Injected fault")
    delay: float = 0.0


@dataclass(frozen=True)
class Environment:
    """One entry of the environments file, defaults merged in. Immutable; nothing has been contacted yet."""

    name: str
    context: Context
    marvin_config: Path | None = None
    zone: str | None = None
    capacity: int | None = None
    """How many of pytest-xdist's workers may run tests in it at once; None for any number."""
    simulator: str | None = None
    """None for a lab; ``embedded`` for an in-process simulator."""
    faults: Mapping[str, Fault] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Path in the Marvin config (``mgtSvr.0.passwd``) → value, ``${VAR}`` not yet substituted."""
    file: Path | None = None
    line: int | None = None
    lines: Mapping[str, int] = field(default_factory=dict, repr=False, compare=False)
    """Line of each key of this environment, inherited ones included, for messages: ``secrets.mgtSvr.0.passwd`` → 12."""

    @property
    def embedded(self) -> bool:
        """True where tests run against an in-process simulator."""
        return self.simulator == "embedded"
