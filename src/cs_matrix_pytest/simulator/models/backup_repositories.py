"""Where backups are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cs_matrix_pytest.simulator.models.infra import Zone
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True, repr=False)
class BackupRepository(Resource):
    entities: ClassVar[tuple[str, ...]] = ("BackupRepositoryResponse",)
    label: ClassVar[str] = "backup repository"

    name: str
    zone: Zone
    provider: str | None
    type: str
    address: str
    mount_options: str = ""
    capacity: int | None = None
    """Bytes."""
    cross_zone: bool = False
    """Whether machines of other zones may be made from its backups."""
