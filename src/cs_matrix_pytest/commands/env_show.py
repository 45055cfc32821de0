"""``cs-matrix env list`` and ``cs-matrix env show``."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

from cs_matrix_pytest.commands.tables import print_table
from cs_matrix_pytest.environments.file import EnvironmentsFile
from cs_matrix_pytest.environments.marvin_config import load_marvin_config
from cs_matrix_pytest.environments.masking import MASK, masked
from cs_matrix_pytest.environments.model import Environment, Storage

_REFERENCE = re.compile(r"\$\{(\w+)\}\Z")


def list_all(file: EnvironmentsFile) -> int:
    """A table of the environments; nothing that they refer to is opened."""
    rows = [
        (
            environment.name,
            " ".join(filter(None, (environment.context.hypervisor.type, environment.context.hypervisor.version))),
            environment.context.networking,
            _storage(environment.context.storage),
            environment.zone or "first",
            _where(environment),
        )
        for environment in file.environments.values()
    ]
    print_table(("name", "hypervisor", "networking", "storage", "zone", "where"), rows)
    return 0


def show(file: EnvironmentsFile, environments: Sequence[Environment]) -> int:
    """Everything about environments as YAML, secrets masked. Raises UserError where a Marvin configuration is bad."""
    import yaml

    documents = [{environment.name: _described(file, environment)} for environment in environments]
    print(yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True), end="")
    return 0


def _described(file: EnvironmentsFile, environment: Environment) -> dict[str, Any]:
    description: dict[str, Any] = {
        "file": f"{environment.file}:{environment.line}",
        "lab": file.lab,
        "key": environment.context.key,
        "context": environment.context.as_dict(),
        "zone": environment.zone,
        "capacity": environment.capacity,
        "simulator": environment.simulator,
        "faults": {command: _fault(environment, command) for command in environment.faults},
        "secrets": {path: _secret(raw) for path, raw in environment.secrets.items()},
        "marvin_config": None if environment.marvin_config is None else str(environment.marvin_config),
    }
    shown = {key: value for key, value in description.items() if value not in (None, {})}
    if environment.marvin_config is not None:
        config = load_marvin_config(environment.marvin_config)
        shown["config"] = _covered(masked(config), [path.split(".") for path in environment.secrets])
    return shown


def _fault(environment: Environment, command: str) -> dict[str, Any]:
    fault = environment.faults[command]
    return {"fail": fault.fail, "fail_every": fault.fail_every, "error": list(fault.error), "delay": fault.delay}


def _secret(raw: str) -> str:
    """A reference may be seen, and whether it leads anywhere; a value may not."""
    reference = _REFERENCE.match(raw)
    if reference is None:
        return MASK
    return f"{raw} ({'set' if reference[1] in os.environ else 'not set'})"


def _covered(value: Any, paths: Sequence[Sequence[str]]) -> Any:
    """``value`` with whatever stands at one of ``paths`` masked, whatever its name."""
    if not paths:
        return value
    if any(not path for path in paths):
        return MASK
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    covered = {key: _covered(item, [path[1:] for path in paths if path[0] == str(key)]) for key, item in items}
    if isinstance(value, dict):
        return covered
    return list(covered.values()) if isinstance(value, list) else value


def _storage(storage: Storage) -> str:
    return " ".join(filter(None, (storage.scope, storage.protocol)))


def _where(environment: Environment) -> str:
    simulator = "embedded simulator" if environment.embedded else None
    config = os.path.relpath(environment.marvin_config) if environment.marvin_config else None
    return ", ".join(filter(None, (simulator, config)))
