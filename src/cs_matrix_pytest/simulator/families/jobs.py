"""Async jobs, and the API's description of itself."""

from __future__ import annotations

import re
from typing import Any

from cs_matrix_pytest.simulator.access import check_owner, command_allowed
from cs_matrix_pytest.simulator.access import describe as describe_account
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InvalidParameterValue, PermissionDenied
from cs_matrix_pytest.simulator.metadata import Command
from cs_matrix_pytest.simulator.models.jobs import Job
from cs_matrix_pytest.simulator.registry import Answer, Family, Scope
from cs_matrix_pytest.simulator.views import when

family = Family("jobs")


def listed_jobs(call: Call) -> list[Job]:
    """All jobs; raises InvalidParameterValue for a resource without its type, or of one that there is not."""
    if "resourceid" in call and "resourcetype" not in call:
        raise InvalidParameterValue("resourceid parameter must be used with resourcetype parameter")
    if "resourcetype" in call:
        resource_type(call)
    return list(call.cloud.store.table(Job))


def resource_type(call: Call) -> str | None:
    """The type of resource that a request names, as jobs have it."""
    wanted = (call.get("resourcetype") or "").strip()
    if not wanted:
        return None
    api = call.cloud.api
    known = {command.instance_type for command in map(api.get, api) if command and command.instance_type}
    found = next((kind for kind in known if kind.lower() == wanted.lower()), None)
    if found is None:
        raise InvalidParameterValue("Invalid resourcetype")
    return found


family.listing(
    "listAsyncJobs",
    Job,
    scope=Scope.OWNER,
    keyword=("java_class",),
    rows=listed_jobs,
    filters={
        "startdate": lambda job, start, _call: job.created >= start,
        "resourcetype": lambda job, _value, call: job.instance_type == resource_type(call),
        "resourceid": lambda job, value, _call: job.instance is not None and job.instance.id == value,
        "managementserverid": lambda _job, _value, _call: True,
    },
)


@family.view(Job)
def job_view(job: Job, call: Call) -> dict[str, Any]:
    account = job.account
    return {
        "accountid": account.id,
        "account": account.name,
        "domainid": account.domain.id,
        "domainpath": account.domain.path,
        "userid": job.user.id,
        "cmd": job.java_class,
        "jobprocstatus": 0,
        "jobresultcode": job.result_code,
        "jobresulttype": "object" if job.result is not None else None,
        "jobresult": job.result,
        "jobinstancetype": job.instance_type,
        "jobinstanceid": job.instance.id if job.instance is not None and job.instance_type else None,
        "created": when(job.created),
        "completed": when(job.completed),
        "jobid": job.id,
        "jobstatus": job.status,
    }


@family.command("queryAsyncJobResult")
def query_async_job_result(call: Call) -> Answer:
    job, kind, id = call.maybe(Job, "jobid"), resource_type(call), call.get("resourceid")
    if job is None and id is None:
        raise InvalidParameterValue("Expected parameter job id or parameters resource type and resource id")
    if job is None and kind is not None:
        of_it = call.cloud.store.table(Job).where(
            lambda row: row.instance is not None and row.instance.id == id, instance_type=kind
        )
        job = max(of_it, key=lambda row: row.created, default=None)
    if job is None:
        named = call.get("resourcetype", "null")
        raise InvalidParameterValue(f"Unable to find a job by id null resource type {named} resource id {id}")
    if call.account.is_normal and call.account is not job.account:
        raise PermissionDenied(f"Account {describe_account(call.account)} is not authorized to see job id={job.number}")
    check_owner(call.account, job.account)
    return call.cloud.view(job, call)


@family.command("listApis", object_name="api")
def list_apis(call: Call) -> Answer:
    api, name = call.cloud.api, call.get("name")
    commands = [api.get(name)] if name else [api.get(each) for each in api]
    shown = [
        describe(command)
        for command in commands
        if command is not None and command.served and command_allowed(call.caller, command)
    ]
    if name and not shown:
        raise InvalidParameterValue(f"The given command:{name} does not exist or it is not available for user")
    return {"count": len(shown), "api": shown}


READING = ("get", "list", "query", "find")
CHECK = "isAccountAllowedToCreateOfferingsWithTags"
"""What `listApis` calls GET commands: these by their names (ApiServlet.GET_REQUEST_COMMANDS), and one that says so."""


def describe(command: Command) -> dict[str, Any]:
    """A command as `listApis` describes it. Its prose is not known here; code generators want some text, so names stand in."""
    return {
        "name": command.name,
        "description": re.sub(r"(?<=[a-z])(?=[A-Z])", " ", command.name).capitalize(),
        "isasync": command.is_async,
        "httprequesttype": "GET" if command.name.startswith(READING) or command.name == CHECK else "POST",
        "related": "",
        "params": [
            {
                "name": parameter.name,
                "description": parameter.name,
                "type": parameter.type,
                "length": parameter.length,
                "required": parameter.required,
            }
            for parameter in command.params.values()
        ],
        "response": response_fields(command.response),
    }


def response_fields(fields: Any) -> list[dict[str, Any]]:
    """Response fields as `listApis` lists them, nested objects with theirs."""
    return [
        {
            "name": name,
            "description": name,
            "type": "responseobject" if isinstance(kind, dict) else kind,
            **({"response": response_fields(kind)} if isinstance(kind, dict) else {}),
        }
        for name, kind in fields.items()
    ]
