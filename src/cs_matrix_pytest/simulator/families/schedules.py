"""Schedules that start, stop and reboot VMs, and bound groups of them (ResourceScheduleManagerImpl)."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from cs_matrix_pytest.simulator import cron
from cs_matrix_pytest.simulator.access import check_owner
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.clock import timed
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.families.autoscale import check_members
from cs_matrix_pytest.simulator.listing import page
from cs_matrix_pytest.simulator.models.autoscale import AutoScaleVmGroup
from cs_matrix_pytest.simulator.models.schedules import ResourceSchedule, ScheduledJob
from cs_matrix_pytest.simulator.models.vm import UserVm
from cs_matrix_pytest.simulator.registry import Answer, Family, Success
from cs_matrix_pytest.simulator.views import when

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud
    from cs_matrix_pytest.simulator.store import Table

family = Family("schedules")

ACTIONS: dict[str, tuple[str, str, dict[str, bool]]] = {
    "START": ("Stopped", "startVirtualMachine", {}),
    "STOP": ("Running", "stopVirtualMachine", {}),
    "REBOOT": ("Running", "rebootVirtualMachine", {}),
    "FORCE_STOP": ("Running", "stopVirtualMachine", {"forced": True}),
    "FORCE_REBOOT": ("Running", "rebootVirtualMachine", {"forced": True}),
}
"""The state that a VM must be in for each action, and the command that it is."""
UPDATE = "UPDATE"
"""The one action of groups: new bounds for how many members they have."""
BOUNDS = ("minmembers", "maxmembers")
Scheduled = UserVm | AutoScaleVmGroup
KINDS: dict[str, type[Scheduled]] = {"VirtualMachine": UserVm, "AutoScaleVmGroup": AutoScaleVmGroup}
DEFAULT_DELAY = timedelta(minutes=1)


@family.view(ResourceSchedule)
def schedule_view(schedule: ResourceSchedule, call: Call) -> dict[str, Any]:
    return {
        "id": schedule.id,
        "virtualmachineid": schedule.resource.id,
        "resourceid": schedule.resource.id,
        "resourcetype": kind_of(schedule.resource),
        "description": schedule.description,
        "schedule": schedule.schedule,
        "timezone": schedule.timezone,
        "action": schedule.action,
        "enabled": schedule.enabled,
        "startdate": when(schedule.start),
        "enddate": when(schedule.end),
        "details": schedule.details,
        "created": when(schedule.created),
    }


@family.view(ScheduledJob)
def job_view(job: ScheduledJob, call: Call) -> dict[str, Any]:
    return {"id": job.id}


def kind_of(resource: Scheduled) -> str:
    return next(kind for kind, table in KINDS.items() if isinstance(resource, table))


def resource_of(call: Call) -> Scheduled:
    """What a request is about, by either way of naming it; the caller must stand above its owner."""
    resource: Scheduled | None
    if "virtualmachineid" in call.command.params:
        resource = call.one(UserVm, "virtualmachineid")
    else:
        wanted, id = call["resourcetype"], call["resourceid"]
        kind = next((name for name in KINDS if name.lower() == wanted.lower()), None)
        if kind is None:
            raise InvalidParameterValue(f"Unknown resource type: {wanted}")
        table: Table[Any] = call.cloud.store.table(KINDS[kind])
        resource = table.by_number(int(id)) if id.isdecimal() else table.get(id)
        if resource is None or resource not in call.cloud.store:
            raise InvalidParameterValue(f"Unable to find resource by id {id}")
    check_owner(call.account, resource.account)
    return resource


def zone_named(name: str) -> tuple[str, tzinfo]:
    """A time zone; GMT where nobody knows the name, as in Java."""
    try:
        return name, ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        return "GMT", timezone.utc


def action_named(text: str, kind: str) -> str:
    """An action of one kind of resource, in whatever case."""
    known = tuple(ACTIONS) if kind == "VirtualMachine" else (UPDATE,)
    if text.upper() not in known:
        raise InvalidParameterValue(
            f"Invalid action for {kind} schedule: {text}. Supported actions: [{', '.join(known)}]"
        )
    return text.upper()


def check_details(kind: str, details: dict[str, str]) -> None:
    """Raise InvalidParameterValue for details that an action cannot do with."""
    if kind == "VirtualMachine":
        if details:
            raise InvalidParameterValue("Details are not supported for VirtualMachine schedules")
        return
    if not details:
        raise InvalidParameterValue(f"Details are required for {kind} schedule")
    if not {key.lower() for key in details} <= set(BOUNDS):
        raise InvalidParameterValue(f"Only minmembers and maxmembers are supported for {kind} schedule details")
    if not all(details.get(key) for key in BOUNDS):
        raise InvalidParameterValue(f"Both minmembers and maxmembers are required for {kind} schedule")
    if not all(re.fullmatch(r"[+-]?\d{1,9}", details[key]) for key in BOUNDS):
        raise InvalidParameterValue("minmembers and maxmembers must be valid integers")
    check_members(*(int(details[key]) for key in BOUNDS))


def parse_schedule(text: str) -> cron.Cron:
    """The cron fields of a request. Raises ApiError (530): to the server a bad one is an unexpected error."""
    try:
        return cron.parse(text)
    except ValueError as error:
        raise ApiError(str(error)) from None


def local(moment: datetime | None, zone: tzinfo) -> datetime | None:
    """A date of a request as one of its time zone: what was read as UTC is what its clock shows."""
    return None if moment is None else moment.replace(tzinfo=zone).astimezone(timezone.utc)


def check_dates(start: datetime, end: datetime | None, zone: tzinfo) -> None:
    """Raise InvalidParameterValue for dates that are past or the wrong way round.

    Past is what the wall clock says: clients reckon from theirs, which simulated time may have left behind.
    """
    now = datetime.now(zone)
    shown = f"can't be before current time [{now.isoformat()}]."
    if start < now:
        raise InvalidParameterValue(
            f"Invalid value for start date. Start date [{start.astimezone(zone).isoformat()}] {shown}"
        )
    if end is not None and end < now:
        raise InvalidParameterValue(
            f"Invalid value for end date. End date [{end.astimezone(zone).isoformat()}] {shown}"
        )
    if end is not None and end < start:
        raise InvalidParameterValue(
            f"Invalid value for end date. End date [{end.astimezone(zone).isoformat()}] can't be before start date "
            f"[{start.astimezone(zone).isoformat()}]."
        )


@family.command("createVMSchedule", "createResourceSchedule")
def create_schedule(call: Call) -> Answer:
    resource, cloud, details = resource_of(call), call.cloud, call.map("details")
    action = action_named(call["action"], kind_of(resource))
    check_details(kind_of(resource), details)
    name, zone = zone_named(call["timezone"])
    start = local(call.get("startdate"), zone) or cloud.clock.datetime() + DEFAULT_DELAY
    end = local(call.get("enddate"), zone)
    expression = parse_schedule(call["schedule"])
    check_dates(start, end, zone)
    schedule = cloud.store.add(
        ResourceSchedule(
            account=resource.account,
            resource=resource,
            details=details,
            action=action,
            schedule=expression.text,
            timezone=name,
            start=start,
            end=end,
            description=call.get("description") or f"{action} - {expression.text}",
            enabled=call.flag("enabled", True),
        )
    )
    expect_next(cloud, schedule)
    return schedule


@family.command("updateVMSchedule", "updateResourceSchedule")
def update_schedule(call: Call) -> Answer:
    schedule, cloud = call.get("id"), call.cloud
    if not isinstance(schedule, ResourceSchedule) or schedule not in cloud.store:
        raise InternalError("Resource schedule doesn't exist")
    check_owner(call.account, schedule.account)
    if call.map("details"):
        check_details(kind_of(schedule.resource), call.map("details"))
    expression = parse_schedule(call.get("schedule", schedule.schedule))
    name, zone = zone_named(call.get("timezone", schedule.timezone))
    start = local(call.get("startdate"), zone)
    end = local(call.get("enddate"), zone)
    if start or end or name != schedule.timezone or (call.flag("enabled") and not schedule.enabled):
        soon = datetime.now(timezone.utc) + DEFAULT_DELAY
        check_dates(start or max(schedule.start, soon), end or schedule.end, zone)
    schedule.schedule, schedule.timezone = expression.text, name
    schedule.start, schedule.end = start or schedule.start, end or schedule.end
    schedule.description = call.get("description", schedule.description)
    schedule.enabled = call.flag("enabled", schedule.enabled)
    schedule.details = call.map("details") or schedule.details
    forget_jobs(cloud, schedule)
    expect_next(cloud, schedule)
    return schedule


def _asked_for(call: Call) -> list[ResourceSchedule]:
    if "id" in call and "ids" in call:
        raise InvalidParameterValue("Specify either id or ids but not both parameters")
    resource, named = resource_of(call), call.get("ids") or ([call["id"]] if "id" in call else [])
    rows = call.cloud.store.table(ResourceSchedule).where(resource=resource)
    return [row for row in rows if not named or row in named]


@family.command("listVMSchedule", "listResourceSchedule")
def list_schedules(call: Call) -> Answer:
    action = action_named(call["action"], kind_of(resource_of(call))) if "action" in call else None
    enabled, keyword = call.get("enabled"), call.get("keyword", "").lower()
    rows = [
        row
        for row in _asked_for(call)
        if action in (None, row.action)
        and enabled in (None, row.enabled)
        and keyword in (row.description or "").lower()
    ]
    return page(call, rows)


@family.command("deleteVMSchedule", "deleteResourceSchedule")
def delete_schedules(call: Call) -> Answer:
    rows = _asked_for(call)
    if not rows:
        what = "Instance Schedules" if call.command.name == "deleteVMSchedule" else "resource schedules"
        raise ApiError(f"Failed to delete {what}")
    for row in rows:
        forget_jobs(call.cloud, row)
        call.cloud.store.remove(row)
    return Success()


# As time passes


def forget_jobs(cloud: Cloud, schedule: ResourceSchedule) -> None:
    for job in cloud.store.table(ScheduledJob).where(schedule=schedule):
        cloud.store.forget(job)


def expect_next(cloud: Cloud, schedule: ResourceSchedule) -> None:
    """Plan a schedule's next job, if it has one; a schedule that has none any more is disabled."""
    if not schedule.enabled or schedule not in cloud.store:
        return
    now = datetime.fromtimestamp(cloud.clock.now(), zone_named(schedule.timezone)[1])
    following = cron.parse(schedule.schedule).after(max(now, schedule.start.astimezone(now.tzinfo)))
    if schedule.resource not in cloud.store or following is None or (schedule.end is not None and now > schedule.end):
        schedule.enabled = False
        return
    if schedule.end is None or following <= schedule.end:
        job = cloud.store.add(ScheduledJob(schedule=schedule, when=following.astimezone(timezone.utc)))
        cloud.clock.call_at(following.timestamp(), run_job, cloud, job)


@timed
def run_job(cloud: Cloud, job: ScheduledJob) -> None:
    """Do what is due, unless it was planned anew meanwhile or another of the resource is due at the same time."""
    schedule = job.schedule
    if job not in cloud.store:
        return
    resource = schedule.resource
    rivals = cloud.store.table(ScheduledJob).where(lambda other: other.schedule.resource is resource, when=job.when)
    if rivals[0] is job and resource in cloud.store:
        # What cannot be done now is left undone; its own job says why.
        with suppress(ApiError):
            perform(cloud, schedule)
    for rival in rivals if rivals[-1] is job else ():
        cloud.store.remove(rival)
    expect_next(cloud, schedule)


def perform(cloud: Cloud, schedule: ResourceSchedule) -> None:
    """Do to a resource what its schedule says. Raises ApiError."""
    resource = schedule.resource
    if schedule.action == UPDATE:
        cloud.run("updateAutoScaleVmGroup", id=resource.id, **{key: schedule.details[key] for key in BOUNDS})
        return
    state, command, options = ACTIONS[schedule.action]
    if resource.state == state:
        cloud.run(command, id=resource.id, **options)


@family.on_account_removal
def remove_schedules(cloud: Cloud, account: Any) -> None:
    for schedule in cloud.owned_by(ResourceSchedule, account):
        forget_jobs(cloud, schedule)
        cloud.store.remove(schedule)
