"""What the host of a virtual machine does for it: a simulated one as it is ordered, one of an extension by its script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cs_matrix_pytest.simulator import agents
from cs_matrix_pytest.simulator.extension_scripts import machine_payload
from cs_matrix_pytest.simulator.families.extensions import extension_of
from cs_matrix_pytest.simulator.families.vms import DEPLOYING

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud
    from cs_matrix_pytest.simulator.families.capacity import Destination
    from cs_matrix_pytest.simulator.models.infra import Host
    from cs_matrix_pytest.simulator.models.vm import UserVm


def start(cloud: Cloud, vm: UserVm, place: Destination) -> str | None:
    """Have a virtual machine made or started at a place: what went wrong, None where it runs."""
    host = place.host
    for volume in place.pools:
        reason = agents.problem(cloud, host, "CopyCommand" if volume.is_root else "CreateObjectCommand")
        if reason is not None:
            return reason
    reason = agents.problem(cloud, host, "StartCommand")
    if reason is not None:
        return reason
    return _by_script(cloud, vm, host, "create" if DEPLOYING in vm.details else "start")


def stop(cloud: Cloud, vm: UserVm) -> str | None:
    """Have a virtual machine stopped; as `start`."""
    return _ask(cloud, vm, "StopCommand", "stop")


def reboot(cloud: Cloud, vm: UserVm) -> str | None:
    """Have a virtual machine rebooted; as `start`."""
    return _ask(cloud, vm, "RebootCommand", "reboot")


def delete(cloud: Cloud, vm: UserVm) -> None:
    """Have a virtual machine deleted where an extension made it."""
    host = vm.host or vm.last_host
    if host is not None:
        _by_script(cloud, vm, host, "delete")


def _ask(cloud: Cloud, vm: UserVm, command: str, action: str) -> str | None:
    if vm.host is None:
        return None
    reason = agents.problem(cloud, vm.host, command)
    return reason if reason is not None else _by_script(cloud, vm, vm.host, action)


def _by_script(cloud: Cloud, vm: UserVm, host: Host, action: str) -> str | None:
    if vm.hypervisor != "External":
        return None
    extension = extension_of(cloud, host.cluster)
    if extension is None:
        return f"Extension not found for host: {host.name}"
    before, vm.last_host = vm.last_host, host
    payload = machine_payload(cloud, extension, vm)
    vm.last_host = before
    scripts, wait = cloud.extension_scripts, int(cloud.configuration.number("wait", default=1800))
    if action == "create" and extension.requires_prepare:
        prepared = scripts.run(extension, "prepare", payload, host=host, wait=wait)
        if not prepared.ok:
            return prepared.output
    outcome = scripts.run(extension, action, payload, host=host, wait=wait)
    return None if outcome.ok else outcome.output
