"""Events as CloudStack publishes them around its commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cs_matrix_pytest.simulator.models.iam import Account, Owned
from cs_matrix_pytest.simulator.models.jobs import FAILED, Event, Job
from cs_matrix_pytest.simulator.store import Resource

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.call import Call
    from cs_matrix_pytest.simulator.cloud import Cloud


class Events:
    """Records events in the cloud's store."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def record(
        self,
        call: Call,
        type: str,
        description: str,
        *,
        resource: Resource | None = None,
        account: Account | None = None,
        level: str = "INFO",
        state: str = "Completed",
        parent: Event | None = None,
    ) -> Event:
        """Keep one event of the caller about a resource; it belongs to the resource's account."""
        owner = account or (resource.account if isinstance(resource, Owned) else call.account)
        return self._cloud.store.add(
            Event(
                account=owner,
                user=call.caller.user,
                type=type,
                description=description,
                resource=resource,
                level=level,
                state=state,
                parent=parent,
            )
        )

    def started(self, call: Call, resource: Resource | None) -> None:
        """The event of an async command that was queued."""
        if call.command.event:
            self.record(
                call, call.command.event, f"{call.command.name} scheduled", resource=resource, state="Scheduled"
            )

    def finished(self, call: Call, job: Job | None = None) -> None:
        """The event of a command that ran: an error where its job failed."""
        if call.command.event:
            failed = job is not None and job.status == FAILED
            self.record(
                call,
                call.command.event,
                f"{'Error while' if failed else 'Successfully completed'} {call.command.name}",
                resource=job.instance if job else None,
                level="ERROR" if failed else "INFO",
            )
