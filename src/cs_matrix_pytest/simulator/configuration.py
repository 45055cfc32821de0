"""Global settings and their overrides per zone, cluster, pool, domain and account."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cs_matrix_pytest.simulator.store import Resource


@dataclass
class Setting:
    """One configuration: the facts of the fresh install, its value now, and its values per scoped resource."""

    name: str
    value: str | None
    default: str | None
    facts: dict[str, Any] = field(default_factory=dict)
    overrides: dict[str, str] = field(default_factory=dict)
    """Values by the id of a zone, cluster, storage pool, domain, account or image store."""


class Configuration:
    """Settings by name."""

    def __init__(self) -> None:
        self.settings: dict[str, Setting] = {}

    def add(self, setting: Setting) -> None:
        self.settings[setting.name] = setting

    def text(self, name: str, *scopes: Resource | None, default: str = "") -> str:
        """A setting's value: the first of ``scopes`` that overrides it, else the global one, else its default."""
        setting = self.settings.get(name)
        if setting is None:
            return default
        for scope in scopes:
            if scope is not None and scope.id in setting.overrides:
                return setting.overrides[scope.id]
        value = setting.value if setting.value is not None else setting.default
        return default if value is None else value

    def number(self, name: str, *scopes: Resource | None, default: float = 0) -> float:
        """A setting as a number; ``default`` where it is none."""
        try:
            return float(self.text(name, *scopes))
        except ValueError:
            return default

    def flag(self, name: str, *scopes: Resource | None, default: bool = False) -> bool:
        """A setting as a boolean."""
        text = self.text(name, *scopes)
        return text.lower() == "true" if text else default
