"""A first environments file, written from Marvin configurations."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cs_matrix_pytest.environments.marvin_config import load_marvin_config
from cs_matrix_pytest.environments.masking import secret_paths

_HEADER = """\
# The CloudStack deployments that tests can run against.
# Check them with `cs-matrix env check`; run tests in one with `pytest --cs-env=NAME`.
version: 1

environments:
"""
_UNKNOWN = "unknown"


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
        name = re.sub(r"[^A-Za-z0-9._+-]+", "-", word).lstrip("._+-") or "environment"
        number = 2
        unique = name
        while unique in names:
            unique = f"{name}-{number}"
            number += 1
        names.append(unique)
    return names


def _entry(name: str, path: Path, config: Mapping[str, Any], folder: Path) -> str:
    zones = config.get("zones") or [{}]
    zone = zones[0]
    hypervisor = _hypervisor(zone, config)
    lines = [f"  {name}:", f"    marvin_config: {_scalar(os.path.relpath(path, folder))}"]
    if zone.get("name"):
        lines.append(f"    zone: {_scalar(str(zone['name']))}")
    hint = "the configuration does not say: kvm, vmware …?" if hypervisor == _UNKNOWN else "add its version: ubuntu24 …"
    lines.append(f"    hypervisor: {{type: {_scalar(hypervisor)}}}  # {hint}")
    lines.append(f"    networking: {_networking(zone)}")
    scope, protocol = _storage(zone)
    lines.append(f"    storage: {{scope: {scope}{f', protocol: {_scalar(protocol)}' if protocol else ''}}}")
    return "\n".join([*lines, *_secret_suggestions(name, config)]) + "\n"


def _hypervisor(zone: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """Of the zone's first cluster, as Marvin takes it, else of the management server."""
    found = [cluster.get("hypervisor") for cluster in _clusters(zone)] + [config["mgtSvr"][0].get("hypervisor")]
    return str(next(filter(None, found), _UNKNOWN)).lower()


def _networking(zone: Mapping[str, Any]) -> str:
    kind = str(zone.get("networktype") or "advanced").lower()
    return "advanced-sg" if kind == "advanced" and _is_true(zone.get("securitygroupenabled")) else kind


def _storage(zone: Mapping[str, Any]) -> tuple[str, str | None]:
    pools = [pool for holder in (zone, *_clusters(zone)) for pool in holder.get("primaryStorages") or ()]
    protocols = sorted({urlsplit(str(pool.get("url"))).scheme.lower() for pool in pools if pool.get("url")} - {""})
    local = _is_true(zone.get("localstorageenabled"))
    scope = "mixed" if local and pools else "local" if local else "shared"
    return scope, "+".join(protocols) or None


def _clusters(zone: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [cluster for pod in zone.get("pods") or () for cluster in pod.get("clusters") or ()]


def _is_true(value: Any) -> bool:
    """Marvin's configurations have the string as well as the JSON value."""
    return str(value).lower() == "true"


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
