"""The simulated cloud: its state, and running one command on it."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from typing import Any

from cs_matrix_pytest.environments.model import Fault
from cs_matrix_pytest.simulator import access, jobs, listing
from cs_matrix_pytest.simulator.call import Call, Caller
from cs_matrix_pytest.simulator.clock import Clock
from cs_matrix_pytest.simulator.configuration import Configuration
from cs_matrix_pytest.simulator.errors import (
    ApiError,
    InsufficientCapacity,
    InternalError,
    ParameterError,
    ResourceUnavailable,
    ServiceUnavailable,
    UnsupportedCommand,
    error_body,
)
from cs_matrix_pytest.simulator.events import Events
from cs_matrix_pytest.simulator.extension_scripts import ExtensionScripts
from cs_matrix_pytest.simulator.faults import Faults
from cs_matrix_pytest.simulator.hypervisors import api_name
from cs_matrix_pytest.simulator.limits import Limits
from cs_matrix_pytest.simulator.metadata import Api, Command, load_api, load_fresh_install
from cs_matrix_pytest.simulator.models.iam import Account, Owned, User
from cs_matrix_pytest.simulator.models.jobs import IN_PROGRESS
from cs_matrix_pytest.simulator.parameters import parse
from cs_matrix_pytest.simulator.registry import Answer, Creator, Handler, Listing, Registry, Success
from cs_matrix_pytest.simulator.store import Resource, Store, new_uuid
from cs_matrix_pytest.simulator.throttling import Throttling
from cs_matrix_pytest.simulator.wire.authentication import Sessions

logger = logging.getLogger(__name__)

INTERNAL = (InternalError, InsufficientCapacity, ResourceUnavailable)
"""Errors whose texts only root admins are told, where a command fails at once (ApiServer.handleRequest)."""

NULL_POINTER = 'Cannot invoke "'
"""How the texts begin of what a Java program trips over."""

INSTANCE_TYPES = {
    "VirtualMachine": "UserVm",
    "Volume": "Volume",
    "Host": "Host",
    "DomainRouter": "DomainRouter",
    "Account": "Account",
    "StoragePool": "PrimaryStorage",
}
"""The instance types of jobs whose resources show the job that works on them, and the resource type of each."""


UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


class Cloud:
    """One CloudStack installation. Commands run one at a time, under ``lock``."""

    def __init__(
        self,
        *,
        hypervisor: str = "Simulator",
        api: Api | None = None,
    ) -> None:
        from cs_matrix_pytest.simulator.families import FAMILIES

        self.hypervisor = api_name(hypervisor)
        """The hypervisor type of its ready zone and of its built-in template, as the API writes it."""
        self.api = api or load_api()
        self.clock = Clock()
        self.store = Store(self.clock)
        self.configuration = Configuration()
        self.registry = Registry(FAMILIES)
        self.events = Events(self)
        self.limits = Limits(self)
        self.faults = Faults({})
        self.lock = threading.RLock()
        self.throttling = Throttling(self)
        self.sessions = Sessions()
        self.management_server_id = new_uuid()
        self.identifier = new_uuid()
        """What getCloudIdentifier tells apart installations by."""
        self.extension_scripts = ExtensionScripts()
        self.takes_jobs = True
        """False while this management server prepares to be maintained or shut down."""
        self.when_exiting: list[Callable[[], object]] = []
        """What closes the server's ports when it is shut down."""
        self.system_user: User
        self.admin_user: User
        fresh = load_fresh_install()
        for family in self.registry.families:
            for install in family.fresh:
                install(self, fresh)

    @property
    def system_account(self) -> Account:
        """The account that commands on the integration port run as."""
        return self.system_user.account

    @property
    def system_caller(self) -> Caller:
        return Caller(self.system_user)

    def order_faults(self, faults: Mapping[str, Fault]) -> None:
        """Have commands misbehave from now on."""
        self.faults = Faults(faults)

    def exit(self) -> None:
        """End this server: nobody is answered any more."""
        for close in self.when_exiting:
            # Who brought it about may be a request that is still to be answered.
            threading.Thread(target=close, name="cloudstack:exit", daemon=True).start()

    def execute(self, caller: Caller, name: str, raw: Mapping[str, str]) -> tuple[int, str, dict[str, Any]]:
        """Run one command: (HTTP status, the key that wraps the answer, the answer's body).

        Never raises: whatever goes wrong is answered as the real server would.
        """
        command = self.api.get(name)
        self._wait(command)
        with self.lock:
            self.clock.run_due()
            try:
                if command is None or not command.served:
                    if not caller.account.is_root_admin:
                        raise access.denied(caller, name)
                    raise UnsupportedCommand(f"Unknown API command: {name}")
                return 200, command.envelope, self._run(caller, command, raw)
            except Exception as error:
                problem = self.as_api_error(error)
                internal = isinstance(problem, INTERNAL) or problem.text.startswith(NULL_POINTER)
                if internal and not caller.account.is_root_admin:
                    problem.text = "Internal error executing command, please contact your system administrator"
                envelope = (
                    "errorresponse" if isinstance(problem, UnsupportedCommand) or not command else command.envelope
                )
                return problem.code, envelope, error_body(problem)

    def run(self, name: str, caller: Caller | None = None, /, **params: Any) -> dict[str, Any]:
        """Run a command in process, by default as SYSTEM, and give its answer's body; a job's result where it is async.

        Booleans and numbers are written as the API reads them. Raises ApiError.
        """
        raw = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in params.items()}
        status, _, body = self.execute(caller or self.system_caller, name, raw)
        if status != 200:
            raise ApiError(body.get("errortext", ""), code=body["errorcode"], cs_code=body["cserrorcode"])
        if "jobid" in body and name != "queryAsyncJobResult":
            body = self.run("queryAsyncJobResult", caller, jobid=body["jobid"])["jobresult"]
            if "errorcode" in body:
                raise ApiError(body["errortext"], code=body["errorcode"])
        return body

    def _run(self, caller: Caller, command: Command, raw: Mapping[str, str]) -> dict[str, Any]:
        access.check_command(self, caller, command, raw)
        if command.is_async and not self.takes_jobs:
            raise ServiceUnavailable(
                "Maintenance or Shutdown has been initiated on this management server. Can not accept new jobs"
            )
        check_characters(raw)
        params = parse(command, raw, self.find, caller.account.role_type)
        call = Call(self, command, caller, params, {key.lower(): value for key, value in raw.items()})
        self._check_access(call)
        if command.lists:
            listing.check_paging(call)
        handler = self._handler(command.name)
        fault = self.faults.next(command.name)
        if command.is_async:
            return self._queue(call, handler, fault)
        if fault:
            raise fault
        answer = handler(call)
        if isinstance(answer, Generator):
            answer = jobs.creation(answer)[1](None)
        self.events.finished(call)
        return self.body_of(call, answer)

    def _queue(self, call: Call, handler: Handler | Creator, fault: ApiError | None) -> dict[str, Any]:
        """Run an async command's create step, if it has one, and start its job."""
        resource: Resource | None
        body: jobs.Body
        created = handler(call) if self.registry.is_creator(call.command.name) else None
        if isinstance(created, Generator):
            resource, body = jobs.creation(created)
        else:
            resource, body = self._instance(call), partial(jobs.whole, handler, call)
        self.events.started(call, resource)
        job = jobs.submit(call, resource, body, fault, self.faults.delay(call.command.name))
        return {"id": resource.id, "jobid": job.id} if call.command.creates and resource else {"jobid": job.id}

    def _handler(self, name: str) -> Handler | Creator:
        """What answers a command: its handler, or its list."""
        handler, spec = self.registry.handlers.get(name), self.registry.lists.get(name)
        if handler is not None:
            return handler
        if spec is None:
            raise InternalError(f"{name} is served by CloudStack but has no behaviour in this simulator yet")
        return partial(listing.run, spec=spec)

    def _instance(self, call: Call) -> Resource | None:
        """What an async command is about: the resource of its instance type, else the one that ``id`` names."""
        kind = INSTANCE_TYPES.get(call.command.instance_type or "", call.command.instance_type)
        named = [value for value in call.params.values() if isinstance(value, Resource)]
        return next((value for value in named if value.resource_type == kind), named[0] if named else None)

    def _wait(self, command: Command | None) -> None:
        """Take the time that a synchronous command was ordered to take; others are answered meanwhile."""
        seconds = self.faults.delay(command.name) if command is not None and not command.is_async else 0.0
        if not seconds:
            return
        if self.clock.is_virtual:
            with self.lock:
                self.clock.advance(seconds)
        else:
            time.sleep(seconds)

    def _check_access(self, call: Call) -> None:
        """As ParamProcessWorker.doAccessChecks: the owner of what ``id`` names, then each resource by its own rules."""
        for check in self.registry.checks.get(call.command.name, ()):
            check(call)
        for name, value in call.params.items():
            wanted = call.command.params[name].acl
            if wanted is None:
                continue
            for resource in value if isinstance(value, list) else [value]:
                if not isinstance(resource, Resource) or resource not in self.store:
                    continue
                if name == "id" and isinstance(resource, Owned) and resource.account is not self.system_account:
                    access.check_access(self, call.account, resource.account)
                access.check_access(self, call.account, resource, wanted)

    def find(self, entities: Sequence[str], id: str) -> Resource | None:
        """The resource that one of these response classes names by a uuid or an internal number, removed ones too."""
        for entity in entities:
            finder = self.registry.finders.get(entity)
            known = finder(self, id) if finder is not None else None
            if known is not None:
                return known
            for kind in self.registry.kinds.get(entity, ()):
                table = self.store.table(kind)
                found = table.by_number(int(id)) if id.isdecimal() else table.get(id, removed=True)
                if found is not None:
                    return found
        return None

    def view(self, resource: Resource, call: Call) -> dict[str, Any]:
        """A resource as an answer of this command shows it: declared fields that have a value."""
        shown = self.registry.view_of(type(resource))(resource, call)
        shown |= self.additions(resource, call)
        declared = call.command.response
        return {
            name: value for name, value in shown.items() if value is not None and (not declared or name in declared)
        }

    def additions(self, resource: Resource, call: Call) -> dict[str, Any]:
        """What families other than its own add to what a resource shows."""
        added: dict[str, Any] = {}
        for addition in self.registry.additions:
            added |= addition(resource, call)
        return added

    def body_of(self, call: Call, answer: Answer) -> dict[str, Any]:
        """A handler's answer as the body inside the envelope (or inside ``jobresult``)."""
        if answer is None:
            return {}
        if isinstance(answer, Success):
            return {"success": answer.ok, **({"displaytext": answer.text} if answer.text else {})}
        if isinstance(answer, Mapping):
            return dict(answer)
        name = self.registry.object_names.get(call.command.name) or call.command.object_name or "object"
        if isinstance(answer, Resource):
            shown = self.view(answer, call)
            if call.job is not None and INSTANCE_TYPES.get(call.command.instance_type or "") == answer.resource_type:
                # The views of these join the job that is under way on them.
                shown |= {"jobid": call.job.id, "jobstatus": IN_PROGRESS}
            return {name: shown}
        rows, total = (answer.rows, answer.total) if isinstance(answer, Listing) else (answer, len(answer))
        if not total:
            return {}
        page = listing.views(call, rows)
        return {"count": total, name: page} if page else {"count": total}

    def as_api_error(self, error: Exception) -> ApiError:
        """What the API answers for an exception: itself, or an internal error without a stack trace."""
        if isinstance(error, ApiError):
            return error
        logger.exception("a command failed unexpectedly")
        return InternalError(f"{type(error).__name__}: {error}")

    def owned_by(self, kind: type[Any], account: Account) -> list[Any]:
        """The live resources of a class that an account owns."""
        rows: list[Owned] = self.store.table(kind).where(account=account)
        return rows


def check_characters(raw: Mapping[str, str]) -> None:
    """Raise ParameterError for a value with characters that no text has (ApiServer.checkCharacterInkParams)."""
    for name, value in raw.items():
        if UNPRINTABLE.search(value):
            raise ParameterError(
                f"Received value containing illegal ASCII non-printable characters for parameter {name}"
            )
