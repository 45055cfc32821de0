"""Plans that spread the VMs of a cluster over its hosts, or gather them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from cs_matrix_pytest.simulator.models.infra import Cluster, Host
from cs_matrix_pytest.simulator.models.jobs import Event, Job
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.store import Resource


@dataclass
class DrsMigration:
    """One VM that is to move. ``job``: the migration, once it was ordered."""

    vm: UserVm
    source: Host
    destination: Host
    job: Job | None = None


@dataclass(eq=False, kw_only=True, repr=False)
class DrsPlan(Resource):
    entities: ClassVar[tuple[str, ...]] = ("ClusterDrsPlanResponse",)
    label: ClassVar[str] = "DRS plan"

    cluster: Cluster
    event: Event | None = None
    type: str = "MANUAL"
    status: str = "UNDER_REVIEW"
    """``UNDER_REVIEW``, ``READY``, ``IN_PROGRESS`` or ``COMPLETED``."""
    migrations: list[DrsMigration] = field(default_factory=list)
