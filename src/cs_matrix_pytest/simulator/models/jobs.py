"""Async jobs and events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from cs_matrix_pytest.simulator.models.iam import Owned, User
from cs_matrix_pytest.simulator.store import Resource

IN_PROGRESS, SUCCEEDED, FAILED = 0, 1, 2


@dataclass(eq=False, kw_only=True, repr=False)
class Job(Owned):
    """One async job. ``result`` is what ``jobresult`` shows: the answer's body, or errorcode and errortext."""

    entities: ClassVar[tuple[str, ...]] = ("AsyncJobResponse",)
    label: ClassVar[str] = "async job"

    user: User
    command: str
    java_class: str
    instance_type: str | None = None
    instance: Resource | None = None
    status: int = IN_PROGRESS
    result_code: int = 0
    result: dict[str, Any] | None = None
    completed: datetime | None = None


@dataclass(eq=False, kw_only=True, repr=False)
class Event(Owned):
    """Something that happened to a resource of an account."""

    entities: ClassVar[tuple[str, ...]] = ("EventResponse",)
    label: ClassVar[str] = "event"

    type: str
    description: str
    user: User
    level: str = "INFO"
    state: str = "Completed"
    parent: Event | None = None
    resource: Resource | None = None
    resource_kind: str | None = None
    """What the command calls the resource (``VirtualMachine``)."""
    archived: bool = False
