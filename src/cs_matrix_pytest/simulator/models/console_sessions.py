"""Consoles of virtual machines that somebody asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cs_matrix_pytest.simulator.models.iam import Owned, User
from cs_matrix_pytest.simulator.models.infra import Host
from cs_matrix_pytest.simulator.models.vm import UserVm


@dataclass(eq=False, kw_only=True, repr=False)
class ConsoleSession(Owned):
    """Somebody was told where a console is; nobody ever connects to it."""

    entities: ClassVar[tuple[str, ...]] = ("ConsoleSessionResponse",)
    label: ClassVar[str] = "console session"

    user: User
    vm: UserVm
    host: Host | None
    address: str
    """Where the request came from."""
