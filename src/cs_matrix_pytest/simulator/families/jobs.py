"""Async jobs, and the API's description of itself."""

from __future__ import annotations

import re
from typing import Any

from cs_matrix_pytest.simulator.access import check_owner, command_allowed
from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import InvalidParameterValue
from cs_matrix_pytest.simulator.metadata import Command
from cs_matrix_pytest.simulator.models.jobs import Job
from cs_matrix_pytest.simulator.registry import Answer, Family, Scope
from cs_matrix_pytest.simulator.views import when

family = Family("jobs")
family.listing("listAsyncJobs", Job, scope=Scope.OWNER, keyword=("command",))


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
    job = call.one(Job, "jobid")
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
