"""A first environments file, written from Marvin configurations."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cs_matrix_pytest.environments.configured import configured_context, environment_name, zones_of
from cs_matrix_pytest.environments.marvin_config import load_marvin_config
from cs_matrix_pytest.environments.masking import secret_paths
from cs_matrix_pytest.environments.model import UNKNOWN

_HEADER = """\
# The CloudStack deployments that tests can run against.
# Check them with `cs-matrix env check`; run tests in one with `pytest --cs-env=NAME`.
version: 1

environments:
"""


def starter_file(configs: Sequence[Path], folder: Path) -> str:
    """The text of an environments file in ``folder`` with one environment for each Marvin configuration.

    No secret is copied: comments show how to move those of a configuration out of it. Raises UserError.
    """
    return _HEADER + "\n".join(
        _entry(name, path, load_marvin_config(path), folder)
        for name, path in zip(_names(configs), configs, strict=True)
    )


def _names(configs: Sequence[Path]) -> list[str]:
    """A name for each: its stem; where stems are equal its folder's name before it, and a number if need be."""
    stems = Counter(path.stem for path in configs)
    wanted = [path.stem if stems[path.stem] == 1 else f"{path.resolve().parent.name}-{path.stem}" for path in configs]
    names: list[str] = []
    for word in wanted:
        name = environment_name(word)
        number = 2
        unique = name
        while unique in names:
            unique = f"{name}-{number}"
            number += 1
        names.append(unique)
    return names


def _entry(name: str, path: Path, config: Mapping[str, Any], folder: Path) -> str:
    zone = next(iter(zones_of(config)), {})
    context = configured_context(config, zone)
    hypervisor, storage = context.hypervisor.type, context.storage
    lines = [f"  {name}:", f"    marvin_config: {_scalar(os.path.relpath(path, folder))}"]
    if zone.get("name"):
        lines.append(f"    zone: {_scalar(str(zone['name']))}")
    hint = "the configuration does not say: kvm, vmware …?" if hypervisor == UNKNOWN else "add its version: ubuntu24 …"
    lines.append(f"    hypervisor: {{type: {_scalar(hypervisor)}}}  # {hint}")
    lines.append(f"    networking: {context.networking}")
    protocol = f", protocol: {_scalar(storage.protocol)}" if storage.protocol else ""
    lines.append(f"    storage: {{scope: {storage.scope}{protocol}}}")
    return "\n".join([*lines, *_secret_suggestions(name, config)]) + "\n"


def _secret_suggestions(name: str, config: Mapping[str, Any]) -> Iterable[str]:
    paths = [path for path, _ in secret_paths(config)]
    if not paths:
        return []
    return [
        "    # The configuration has secrets in plain text. To keep one out of it, export a variable and say:",
        "    # secrets:",
        *(f'    #   {path}: "${{{_variable(name, path)}}}"' for path in paths),
    ]


def _variable(name: str, path: str) -> str:
    """``kvm-adv``, ``mgtSvr.0.passwd`` → ``KVM_ADV_MGTSVR_0_PASSWD``."""
    word = re.sub(r"[^A-Z0-9]+", "_", f"{name}_{path}".upper())
    return f"_{word}" if word[0].isdigit() else word


def _scalar(text: str) -> str:
    """``text`` as YAML, quoted only where it must be."""
    import yaml

    return yaml.safe_dump([text], default_flow_style=True, width=10_000, allow_unicode=True).strip()[1:-1]
