"""Running a command's job: at once, or when the simulated clock gets there."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from cs_matrix_pytest.simulator.errors import ApiError, InternalError, PermissionDenied, ResourceLimitExceeded
from cs_matrix_pytest.simulator.models.jobs import FAILED, SUCCEEDED, Job
from cs_matrix_pytest.simulator.registry import Answer, Creator, Handler
from cs_matrix_pytest.simulator.store import Resource

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.call import Call

Body = Callable[["ApiError | None"], Answer]
"""Runs the job; given an error, the job fails with it (an injected fault)."""


def creation(steps: Generator[Resource, None, Answer]) -> tuple[Resource, Body]:
    """Run the create step of a create-type command; give its resource and the rest of it as a job's body."""
    resource = next(steps)

    def body(error: ApiError | None) -> Answer:
        try:
            if error is None:
                next(steps)
            else:
                steps.throw(error)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        raise RuntimeError("a create-type command yields once")

    return resource, body


def whole(handler: Handler | Creator, call: Call, error: ApiError | None) -> Answer:
    """The body of a job that is all of its handler: it does not begin where it is to fail."""
    if error is not None:
        raise error
    return handler(call)  # type: ignore[return-value]


def submit(call: Call, resource: Resource | None, body: Body, fault: ApiError | None, delay: float) -> Job:
    """Start a job; it is finished when this returns, unless it takes ``delay`` simulated seconds."""
    cloud = call.cloud
    job = Job(
        account=call.account,
        user=call.caller.user,
        command=call.command.name,
        java_class=call.command.java_class,
        instance_type=call.command.instance_type,
        instance=resource,
    )
    call.job = cloud.store.add(job)
    if delay > 0:
        cloud.clock.call_later(delay, finish, call, job, body, fault)
    else:
        finish(call, job, body, fault)
    return job


TELL_OF_LIMITS = frozenset(
    [
        "copySnapshot",
        "createVMFromBackup",
        "deployVirtualMachine",
        "deployVnfAppliance",
        "resizeVolume",
        "startVirtualMachine",
    ]
)
"""Commands whose jobs say by its code that a limit was met (ServerApiException, RESOURCE_ALLOCATION_ERROR)."""


def code_of(problem: ApiError, command: str) -> int:
    """The error code of a failed job. ApiAsyncJobDispatcher knows bad values and coded errors; a refused permission, and
    a limit that the command does not give a code to, are any other error to it."""
    unknown = isinstance(problem, PermissionDenied) or (
        isinstance(problem, ResourceLimitExceeded) and command not in TELL_OF_LIMITS
    )
    return InternalError.code if unknown else problem.code


def finish(call: Call, job: Job, body: Body, fault: ApiError | None) -> None:
    """Do what a job is for, or have it fail; afterwards it has its result."""
    result: dict[str, Any]
    try:
        result = call.cloud.body_of(call, body(fault))
        job.status = SUCCEEDED
    except Exception as error:
        problem = call.cloud.as_api_error(error)
        code = code_of(problem, call.command.name)
        result = {"errorcode": code, "errortext": problem.text}
        job.status, job.result_code = FAILED, code
    call.cloud.events.finished(call, job)
    job.result = result
    job.completed = call.cloud.clock.datetime()
