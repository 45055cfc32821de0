"""Management servers: their maintenance and shutdown (ManagementServerMaintenanceManagerImpl), removing those that are down.

This server is one of them; others are rows that somebody wrote into the database, and cannot be reached.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.clock import timed
from cs_matrix_pytest.simulator.errors import InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.models.infra import Host, ManagementServer
from cs_matrix_pytest.simulator.models.jobs import IN_PROGRESS, Job
from cs_matrix_pytest.simulator.registry import Answer, Family, Success

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud

family = Family("management_servers")

UP = "Up"
PREPARING_MAINTENANCE = "PreparingForMaintenance"
MAINTENANCE = "Maintenance"
PREPARING_SHUTDOWN = "PreparingForShutDown"
READY = "ReadyToShutDown"
SHUTTING_DOWN = "ShuttingDown"

MAINTENANCE_STATES = (PREPARING_MAINTENANCE, MAINTENANCE)
SHUTDOWN_STATES = (SHUTTING_DOWN, PREPARING_SHUTDOWN, READY)
CHECKS_AFTER = 1.0
CHECKS_EVERY = 3.0
"""Seconds until it looks first, and again, whether jobs are still pending."""
ALGORITHMS = ("static", "roundrobin", "shuffle")
"""How agents are spread over management servers, as its error text lists them."""


@family.command("readyForShutdown")
def ready_for_shutdown(call: Call) -> Answer:
    return _answer(call, "readyforshutdown", _named(call, "Unable to find the management server"))


@family.command("prepareForShutdown")
def prepare_for_shutdown(call: Call) -> Answer:
    server = _named(call, "Unable to find the management server, cannot prepare for shutdown")
    _check_state(server, (UP,), "prepare for shutdown")
    _check_others(call, "prepare for shutdown")
    _reach(call, server, "PrepareForShutdownManagementServerHostCommand")
    _refuse_jobs(call.cloud, server, PREPARING_SHUTDOWN)
    return _answer(call, "prepareforshutdown", server)


@family.command("triggerShutdown")
def trigger_shutdown(call: Call) -> Answer:
    server = _named(call, "Unable to find the management server, cannot trigger shutdown")
    _check_state(server, (UP, MAINTENANCE, PREPARING_SHUTDOWN, READY), "trigger shutdown")
    if server.state == UP:
        _check_others(call, "trigger shutdown")
        server.state = PREPARING_SHUTDOWN
    _reach(call, server, "TriggerShutdownManagementServerHostCommand")
    _refuse_jobs(call.cloud, server, SHUTTING_DOWN)
    return _answer(call, "triggershutdown", server)


@family.command("cancelShutdown")
def cancel_shutdown(call: Call) -> Answer:
    server = _named(call, "Unable to find the management server, cannot cancel shutdown")
    _check_state(server, (PREPARING_SHUTDOWN, READY), "cancel shutdown")
    _reach(call, server, "CancelShutdownManagementServerHostCommand")
    _take_jobs(call.cloud, server)
    return _answer(call, "cancelshutdown", server)


@family.command("prepareForMaintenance")
def prepare_for_maintenance(call: Call) -> Answer:
    algorithm, what = call.get("algorithm"), "prepare for maintenance"
    if algorithm and algorithm.strip() and algorithm not in ALGORITHMS:
        raise InternalError(f"Invalid algorithm {algorithm}, valid values are: [{', '.join(ALGORITHMS)}]")
    active = call.cloud.store.table(ManagementServer).where(state=UP)
    if not active:
        raise InternalError("Cannot prepare for maintenance, no active management servers found")
    if len(active) == 1:
        raise InternalError("Prepare for maintenance not supported, there is only one active management server")
    server = _named(call, "Cannot prepare for maintenance, unable to find the management server")
    _check_state(server, (UP,), what)
    _check_others(call, what)
    _reach(call, server, "PrepareForMaintenanceManagementServerHostCommand")
    _refuse_jobs(call.cloud, server, PREPARING_MAINTENANCE)
    return _answer(call, "prepareformaintenance", server)


@family.command("cancelMaintenance")
def cancel_maintenance(call: Call) -> Answer:
    server = _named(call, "Unable to find the management server, cannot cancel maintenance")
    _check_state(server, MAINTENANCE_STATES, "cancel maintenance")
    _reach(call, server, "CancelMaintenanceManagementServerHostCommand")
    _take_jobs(call.cloud, server)
    return _answer(call, "cancelmaintenance", server)


@family.command("removeManagementServer")
def remove(call: Call) -> Answer:
    server = call.one(ManagementServer)
    if server.state != "Down":
        raise InvalidParameterValue(
            f"Unable to remove Management Server with ID [{server.id}]. It can only be removed when it is in the [Down] "
            f"state, however currently it is in the [{server.state}] state."
        )
    call.cloud.store.remove(server)
    return Success()


def _named(call: Call, missing: str) -> ManagementServer:
    server = call["managementserverid"]
    if not isinstance(server, ManagementServer) or server not in call.cloud.store:
        raise InternalError(missing)
    return server


def _check_state(server: ManagementServer, states: tuple[str, ...], what: str) -> None:
    if server.state not in states:
        raise InternalError(f"Management server is not in the right state to {what}")


def _check_others(call: Call, what: str) -> None:
    table = call.cloud.store.table(ManagementServer)
    if any(server.state in (PREPARING_MAINTENANCE, PREPARING_SHUTDOWN) for server in table):
        raise InternalError(f"Cannot {what}, there are other management servers preparing for maintenance/shutdown")


def _is_this(cloud: Cloud, server: ManagementServer) -> bool:
    return server.id == cloud.management_server_id


def _reach(call: Call, server: ManagementServer, command: str) -> None:
    """Raise InternalError for a management server that is not this one: there is no other."""
    if not _is_this(call.cloud, server):
        number = server.details.get("msid", server.number)
        shown = f'{{"id":{server.number},"msid":{number},"name":"{server.name}","uuid":"{server.id}"}}'
        raise InternalError(
            f"Unable to reach or execute {command} on the management server node: ManagementServer {shown}"
        )


def _refuse_jobs(cloud: Cloud, server: ManagementServer, state: str) -> None:
    """Take no jobs from now on, and have an eye on those that are pending."""
    server.state = state
    cloud.takes_jobs = False
    cloud.clock.call_later(CHECKS_AFTER, _check_pending, cloud, server, state)


def _take_jobs(cloud: Cloud, server: ManagementServer) -> None:
    server.state = UP
    cloud.takes_jobs = True


@timed
def _check_pending(cloud: Cloud, server: ManagementServer, state: str) -> None:
    if server.state != state:
        return
    if _pending(cloud):
        cloud.clock.call_later(CHECKS_EVERY, _check_pending, cloud, server, state)
    elif state == SHUTTING_DOWN:
        cloud.exit()
    elif state == PREPARING_SHUTDOWN:
        server.state = READY
    elif _agents(cloud):
        # Its agents would have to move to management servers that are only rows of a table.
        _take_jobs(cloud, server)
    else:
        server.state = MAINTENANCE


def _pending(cloud: Cloud) -> int:
    return len(cloud.store.table(Job).where(status=IN_PROGRESS))


def _agents(cloud: Cloud) -> list[str]:
    return [host.id for host in cloud.store.table(Host) if host.state == "Up"]


def _answer(call: Call, name: str, server: ManagementServer) -> Answer:
    cloud = call.cloud
    here = _is_this(cloud, server)
    agents, pending = (_agents(cloud), _pending(cloud)) if here else ([], 0)
    return {
        name: {
            "managementserverid": server.id,
            "state": server.state,
            "maintenanceinitiated": server.state in MAINTENANCE_STATES,
            "shutdowntriggered": server.state in SHUTDOWN_STATES,
            "readyforshutdown": not pending,
            "pendingjobscount": pending,
            "agentscount": len(agents),
            "agents": agents,
        }
    }
