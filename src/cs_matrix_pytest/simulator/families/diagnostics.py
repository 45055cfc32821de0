"""Looking into system VMs and routers (DiagnosticsServiceImpl)."""

from __future__ import annotations

import re

from cs_matrix_pytest.simulator.call import Call
from cs_matrix_pytest.simulator.errors import ApiError, InternalError, InvalidParameterValue
from cs_matrix_pytest.simulator.models.infra import ImageStore
from cs_matrix_pytest.simulator.models.networks import Router
from cs_matrix_pytest.simulator.models.vm import SystemVm
from cs_matrix_pytest.simulator.registry import Answer, Family
from cs_matrix_pytest.simulator.texts import described

family = Family("diagnostics")

TYPES = ("ping", "ping6", "traceroute", "traceroute6", "arping")
ARGUMENTS = re.compile(r"[\w\-\s.]+", re.ASCII)
UNSUPPORTED = "Unsupported command issued: {}.  Are you sure you got the right type of server?"
"""What a host answers to an agent command that it does not know."""


def _target(call: Call) -> Router | SystemVm | None:
    target = call["targetid"]
    return target if isinstance(target, (Router, SystemVm)) and target in call.cloud.store else None


@family.command("runDiagnostics")
def run(call: Call) -> Answer:
    kind, arguments = call["type"], call.get("params", "")
    if kind.lower() not in TYPES:
        raise ApiError(f"{kind} Is not a valid diagnostics command type. ")
    target = _target(call)
    if target is None:
        raise InvalidParameterValue(f"Unable to find a system vm with id {call['targetid'].number}")
    if target.host is None:
        raise InternalError(f"Unable to find host for virtual machine instance: {target.name}")
    if arguments and not ARGUMENTS.fullmatch(arguments):
        raise ApiError(f"Optional parameters contain unwanted characters: {arguments}")
    # Nothing is sent anywhere: as of the simulator plugin, the answer only says what was asked.
    stdout = f"{kind.upper()} {call['ipaddress']} executed in {target.name}"
    return {"diagnostics": {"stdout": stdout, "stderr": "", "exitcode": "0"}}


@family.command("getDiagnosticsData")
def get_data(call: Call) -> Answer:
    target = _target(call)
    if target is None:
        raise InternalError(
            f"Diagnostics command execution failed, Unable to find vm instance with id: {call['targetid'].number}"
        )
    if target.host is None:
        raise InternalError(f"Unable to find host for virtual machine instance: {target.name}")
    zone = target.zone
    stores = [row for row in call.cloud.store.table(ImageStore) if row.zone in (zone, None) and not row.read_only]
    if not stores:
        raise InternalError(f"No Secondary storage found in Zone: {described(zone)}")
    raise InternalError(
        f"Failed to generate diagnostics zip file in VM {target.id} due to: "
        + UNSUPPORTED.format("org.apache.cloudstack.diagnostics.PrepareFilesCommand")
    )
