"""Schedules: what is to be done to a resource, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from cs_matrix_pytest.simulator.models.autoscale import AutoScaleVmGroup
from cs_matrix_pytest.simulator.models.iam import Owned
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.store import Resource


@dataclass(eq=False, kw_only=True, repr=False)
class ResourceSchedule(Owned):
    entities: ClassVar[tuple[str, ...]] = ("ResourceScheduleResponse", "VMScheduleResponse")
    label: ClassVar[str] = "resource schedule"

    resource: UserVm | AutoScaleVmGroup
    action: str
    """``START``, ``STOP``, ``REBOOT``, ``FORCE_STOP`` or ``FORCE_REBOOT`` of a VM, ``UPDATE`` of a group."""
    schedule: str
    """Five cron fields."""
    timezone: str
    start: datetime
    end: datetime | None = None
    description: str | None = None
    enabled: bool = True


@dataclass(eq=False, kw_only=True, repr=False)
class ScheduledJob(Resource):
    """The next time that a schedule is due."""

    schedule: ResourceSchedule
    when: datetime
