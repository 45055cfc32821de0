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
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, InvalidParameterValue, ParameterError
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
NOT_SCHEDULED = """
    None DomainRouter Volume ConsoleProxy Snapshot Backup Template Iso SystemVm Host StoragePool ImageStore IpAddress
    PortableIpAddress SecurityGroup PhysicalNetwork TrafficType PhysicalNetworkServiceProvider FirewallRule Account User
    PrivateGateway StaticRoute Counter Condition AutoScalePolicy AutoScaleVmProfile GlobalLoadBalancerRule LoadBalancerRule
    AffinityGroup InternalLbVm DedicatedGuestVlanRange GuestOsCategory GuestOs GuestOsMapping Network NetworkAcl
    NetworkAclItem Project Domain DiskOffering ServiceOffering NetworkOffering VpcOffering BackupOffering Zone Vpc Cluster
    Pod VmSnapshot Role VpnCustomerGateway ManagementServer ObjectStore Bucket QuotaTariff KubernetesCluster
    KubernetesSupportedVersion SharedFS Extension ExtensionCustomAction KmsKey HsmProfile
"""
"""The other types of resources that commands are about (ApiCommandResourceType)."""
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
        resource = call.one(UserVm, "virtualmachineid", missing="Unable to find resource by id {}")
    else:
        wanted, id = call["resourcetype"], call["resourceid"]
        kind = next((name for name in KINDS if name.lower() == wanted.lower()), None)
        other = next((name for name in NOT_SCHEDULED.split() if name.lower() == wanted.lower()), None)
        if other is not None:
            raise InvalidParameterValue(f"Scheduling is not supported for resource type: {other}")
        if kind is None:
            raise InvalidParameterValue(f"Unknown resource type: {wanted}")
        table: Table[Any] = call.cloud.store.table(KINDS[kind])
        resource = table.by_number(int(id)) if id.isdecimal() else table.get(id)
        if resource is None or resource not in call.cloud.store:
            raise InvalidParameterValue(f"Unable to find resource by id {id}")
    check_owner(call.account, resource.account)
    return resource


ABBREVIATED = {
    "ACT": "Australia/Darwin",
    "AET": "Australia/Sydney",
    "AGT": "America/Argentina/Buenos_Aires",
    "ART": "Africa/Cairo",
    "AST": "America/Anchorage",
    "BET": "America/Sao_Paulo",
    "BST": "Asia/Dhaka",
    "CAT": "Africa/Harare",
    "CNT": "America/St_Johns",
    "CST": "America/Chicago",
    "CTT": "Asia/Shanghai",
    "EAT": "Africa/Addis_Ababa",
    "ECT": "Europe/Paris",
    "IET": "America/Indiana/Indianapolis",
    "IST": "Asia/Kolkata",
    "JST": "Asia/Tokyo",
    "MIT": "Pacific/Apia",
    "NET": "Asia/Yerevan",
    "NST": "Pacific/Auckland",
    "PLT": "Asia/Karachi",
    "PNT": "America/Phoenix",
    "PRT": "America/Puerto_Rico",
    "PST": "America/Los_Angeles",
    "SST": "Pacific/Guadalcanal",
    "VST": "Asia/Ho_Chi_Minh",
}
"""The zones behind the three letters that Java knows besides those of the time zone database."""
OFFSET = re.compile(r"GMT([+-])(?:(\d{1,2})|(\d{1,2}):?([0-5]\d))")


def zone_named(name: str) -> tuple[str, tzinfo]:
    """A time zone by its name, and the name that it goes by; GMT where nobody knows it (java.util.TimeZone)."""
    offset = OFFSET.fullmatch(name)
    if offset is not None:
        sign, alone, hours, minutes = offset.groups()
        away = timedelta(hours=int(alone or hours), minutes=int(minutes or 0))
        if away < timedelta(hours=24):
            written = f"{int(alone or hours):02}:{int(minutes or 0):02}"
            return f"GMT{sign}{written}", timezone(away if sign == "+" else -away)
    try:
        return name, ZoneInfo(ABBREVIATED.get(name, name))
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
    """The cron fields of a request. Raises ParameterError."""
    try:
        return cron.parse(text)
    except ValueError as error:
        raise ParameterError(str(error)) from None


def local(moment: datetime | None, zone: tzinfo) -> datetime | None:
    """A date of a request as one of its time zone: what was read as UTC is what its clock shows."""
    return None if moment is None else moment.replace(tzinfo=zone).astimezone(timezone.utc)


def zoned_text(moment: datetime, name: str, zone: tzinfo) -> str:
    """A moment as Java writes one of a time zone: ``2026-01-31T10:05Z[UTC]``."""
    there = moment.astimezone(zone)
    pattern = "%Y-%m-%dT%H:%M" + (":%S" if there.second or there.microsecond else "")
    text = there.strftime(pattern) + (there.strftime(".%f") if there.microsecond else "")
    offset = there.strftime("%z")
    return f"{text}{f'{offset[:3]}:{offset[3:]}' if there.utcoffset() else 'Z'}[{name}]"


def check_dates(start: datetime, end: datetime | None, name: str, zone: tzinfo) -> None:
    """Raise InvalidParameterValue for dates that are past or the wrong way round.

    Past is what the wall clock says: clients reckon from theirs, which simulated time may have left behind.
    """
    now = datetime.now(timezone.utc)
    starts, current = (zoned_text(moment, name, zone) for moment in (start, now))
    if start < now:
        raise InvalidParameterValue(
            f"Invalid value for start date. Start date [{starts}] can't be before current time [{current}]."
        )
    if end is None:
        return
    ends = f"Invalid value for end date. End date [{zoned_text(end, name, zone)}] can't be before"
    if end < now:
        raise InvalidParameterValue(f"{ends} current time [{current}].")
    if end < start:
        raise InvalidParameterValue(f"{ends} start date [{starts}].")


@family.command("createVMSchedule", "createResourceSchedule")
def create_schedule(call: Call) -> Answer:
    resource, cloud, details = resource_of(call), call.cloud, call.map("details")
    if any(resource in group.members for group in cloud.store.table(AutoScaleVmGroup)):
        named = call.get("resourceid", resource.number)
        raise InvalidParameterValue(f"Invalid or non-existent resource: {named}")
    action = action_named(call["action"], kind_of(resource))
    check_details(kind_of(resource), details)
    name, zone = zone_named(call["timezone"])
    start = local(call.get("startdate"), zone) or cloud.clock.datetime() + DEFAULT_DELAY
    end = local(call.get("enddate"), zone)
    expression = parse_schedule(call["schedule"])
    check_dates(start, end, name, zone)
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
        check_dates(start or max(schedule.start, soon), end or schedule.end, name, zone)
    schedule.schedule, schedule.timezone = expression.text, name
    schedule.start, schedule.end = start or schedule.start, end or schedule.end
    schedule.description = call.get("description", schedule.description)
    schedule.enabled = call.flag("enabled", schedule.enabled)
    schedule.details = call.map("details") or schedule.details
    forget_jobs(cloud, schedule)
    expect_next(cloud, schedule)
    return schedule


def _asked_for(call: Call) -> list[ResourceSchedule]:
    resource, named = resource_of(call), call.get("ids") or ([call["id"]] if "id" in call else [])
    if "id" in call and call.get("ids"):
        raise InvalidParameterValue("Specify either id or ids but not both parameters")
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
    return page(call, rows[::-1])


@family.command("deleteVMSchedule", "deleteResourceSchedule")
def delete_schedules(call: Call) -> Answer:
    rows = _asked_for(call)
    if not rows and call.command.name == "deleteVMSchedule":
        raise ApiError("Failed to delete Instance Schedules")
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
