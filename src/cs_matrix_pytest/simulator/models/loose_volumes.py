"""Disks on primary storage that CloudStack does not manage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cs_matrix_pytest.simulator.models.infra import StoragePool
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True, repr=False)
class LooseVolume(Resource):
    """A disk that was in CloudStack's hands, and is only a file on a pool now."""

    label: ClassVar[str] = "unmanaged volume"
    leaves_row: ClassVar[bool] = False

    pool: StoragePool
    path: str
    size: int
    """Bytes."""
    format: str
