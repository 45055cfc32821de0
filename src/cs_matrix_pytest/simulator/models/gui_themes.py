"""Themes of the web interface."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True, repr=False)
class GuiTheme(Resource):
    entities: ClassVar[tuple[str, ...]] = ("GuiThemeResponse",)
    label: ClassVar[str] = "GUI theme"

    name: str | None
    description: str | None = None
    css: str | None = None
    json_configuration: str | None = None
    login_base_domain: str | None = None
    common_names: list[str] = field(default_factory=list)
    domains: list[str] = field(default_factory=list)
    """Ids of the domains that it is for."""
    accounts: list[str] = field(default_factory=list)
    recursive_domains: bool = False
    is_public: bool = True

    @property
    def is_default(self) -> bool:
        """True for the theme of everybody who has no other."""
        return not (self.common_names or self.domains or self.accounts)
