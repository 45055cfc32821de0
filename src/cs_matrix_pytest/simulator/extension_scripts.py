"""The scripts of extensions: where they are, and running one (ExternalPathPayloadProvisioner).

Each cloud has a directory of its own for them, which only its user can enter and which is gone with the cloud. A new
extension gets a script there that says yes to what every machine goes through; whoever runs on the same machine may put
another in its place, and that is run. A saved state has no scripts: loading one must not run what it says.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import weakref
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cs_matrix_pytest.simulator.models.extensions import Extension
from cs_matrix_pytest.simulator.store import new_uuid

if TYPE_CHECKING:
    from cs_matrix_pytest.simulator.cloud import Cloud
    from cs_matrix_pytest.simulator.models.infra import Host
    from cs_matrix_pytest.simulator.models.vm import UserVm

DEFAULT = """#!/bin/sh
# Entry point of a new extension: it agrees to what every machine goes through, and knows no other action.
case "$1" in
    prepare) echo ;;
    create | delete | start | stop | reboot) echo '{"status": "success"}' ;;
    status) echo '{"status": "success", "power_state": "poweron"}' ;;
    statuses) echo '{"status": "error", "message": "Not supported"}' ;;
    *) echo '{"error":"Invalid action"}'; exit 1 ;;
esac
"""
KNOWN = ("prepare", "create", "delete", "start", "stop", "reboot", "status", "statuses")
"""The actions that the script of a new extension agrees to."""
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
"""The variables of this process that a script sees."""
LONGEST = 1800
"""Seconds that a script may take where nothing else is said."""


class Outcome(NamedTuple):
    """Whether a script agreed, and what it wrote."""

    ok: bool
    output: str


class ExtensionScripts:
    """The scripts of one cloud's extensions."""

    @cached_property
    def _home(self) -> Path:
        home = tempfile.mkdtemp(prefix="cs-extensions-")
        weakref.finalize(self, shutil.rmtree, home, ignore_errors=True)
        return Path(home)

    @property
    def directory(self) -> Path:
        """Where the extensions' own directories are; made when it is first asked for."""
        found = self._home / "extensions"
        found.mkdir(exist_ok=True)
        return found

    def path_of(self, extension: Extension) -> Path:
        """Where an extension's script is, or would be."""
        return Path(os.path.normpath(self.directory / extension.path))

    def _contains(self, path: Path) -> bool:
        """Whether a path is below a directory of the extensions: their names, and saved states, can hold any text."""
        return len(path.parts) > len(self.directory.parts) + 1 and path.is_relative_to(self.directory)

    def prepare(self, extension: Extension) -> None:
        """Put a script in place for a new extension that has none and whose script would be one of a shell."""
        path = self.path_of(extension)
        if extension.user_defined and path.suffix == ".sh" and self._contains(path) and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(DEFAULT, encoding="utf-8")
            path.chmod(0o755)

    def remove(self, extension: Extension) -> None:
        """Delete an extension's directory."""
        path = self.path_of(extension)
        if self._contains(path):
            shutil.rmtree(self.directory / path.relative_to(self.directory).parts[0], ignore_errors=True)

    def run(
        self, extension: Extension, action: str, payload: dict[str, Any], *, host: Host | None = None, wait: int = 0
    ) -> Outcome:
        """Run an extension's script for one action; it reads the payload from a file that it is told."""
        path = self.path_of(extension)
        if extension.user_defined and not path.exists():
            # As after a start of the server, which looks after the entry points of all extensions.
            self.prepare(extension)
        if not (self._contains(path) and path.is_file() and os.access(path, os.R_OK | os.X_OK)):
            where = f" for host: {host.name}" if host is not None else ""
            return Outcome(False, f"Extension: {extension.name} not configured{where}")
        if path.read_bytes() == DEFAULT.encode():
            return self._default(action)
        return self._execute(path, action, self._payload_file(extension, payload), wait or LONGEST)

    def _default(self, action: str) -> Outcome:
        if action in KNOWN:
            return Outcome(True, "")
        return Outcome(False, 'Exit code: 1, Output: {"error":"Invalid action"}')

    def _payload_file(self, extension: Extension, payload: dict[str, Any]) -> Path:
        directory = self._home / "data" / self.path_of(extension).relative_to(self.directory).parts[0]
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"{new_uuid()}.json"
        path.write_text(json.dumps(payload), encoding="utf-8")
        return path

    def _execute(self, path: Path, action: str, payload: Path, wait: int) -> Outcome:
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        try:
            process = subprocess.Popen(
                [str(path), action, str(payload), str(wait)],
                cwd=path.parent,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return Outcome(False, f"External operation failed: {error.strerror or error}")
        try:
            written, _ = process.communicate(timeout=wait)
        except subprocess.TimeoutExpired:
            # All that it started as well.
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return Outcome(False, "Timeout")
        finally:
            payload.unlink(missing_ok=True)
        output = written.decode(errors="replace").strip()
        if process.returncode:
            return Outcome(False, f"Exit code: {process.returncode}, Output: {output}")
        return Outcome(True, output)


def machine_payload(cloud: Cloud, extension: Extension, vm: UserVm, **more: Any) -> dict[str, Any]:
    """What a script is told of a virtual machine."""
    host = vm.host or vm.last_host
    registrations = [row for row in extension.registrations if host is not None and row.resource is host.cluster]
    external = {
        "extension": dict(extension.details),
        "registration": {key: value for row in registrations for key, value in {**row.details, **row.hidden}.items()},
        "host": _external(host.details) if host is not None else {},
        "virtualmachine": _external({**vm.template.details, **vm.details}),
    }
    return {
        "externaldetails": {name: values for name, values in external.items() if values},
        "virtualmachineid": vm.id,
        "virtualmachinename": vm.instance_name,
        "cloudstack.vm.details": _machine(vm),
        **more,
    }


def _external(details: dict[str, str]) -> dict[str, str]:
    return {key.partition(":")[2]: value for key, value in details.items() if key.startswith("External:")}


def _machine(vm: UserVm) -> dict[str, Any]:
    memory = vm.memory * 1024 * 1024
    return {
        "id": vm.number,
        "name": vm.instance_name,
        "state": vm.state,
        "type": "User",
        "cpus": vm.cpu_number,
        "minSpeed": vm.cpu_speed,
        "maxSpeed": vm.cpu_speed,
        "minRam": memory,
        "maxRam": memory,
        "hostName": vm.name,
        "arch": vm.template.arch,
        "os": vm.template.os_type.name,
        "details": dict(vm.details),
        "uuid": vm.id,
        "nics": [
            {
                "deviceId": nic.device_id,
                "uuid": nic.id,
                "ip": nic.ip_address,
                "mac": nic.mac_address,
                "defaultNic": nic.is_default,
                "networkId": nic.network.number,
            }
            for nic in vm.nics
        ],
    }
