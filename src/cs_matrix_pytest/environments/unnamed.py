"""The environment that no file names: a Marvin configuration on its own, as nose's command line gives it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cs_matrix_pytest.environments.configured import configured_context, environment_name, zones_of
from cs_matrix_pytest.environments.marvin_config import load_marvin_config
from cs_matrix_pytest.environments.model import Environment, Hypervisor
from cs_matrix_pytest.errors import UserError


def unnamed(config: Path) -> str:
    """What the environment of a Marvin configuration is called: after the file's stem."""
    return environment_name(config.stem)


def unnamed_environment(config: Path, *, zone: str | None = None, hypervisor: str | None = None) -> Environment:
    """The environment of the Marvin configuration `config`, its facts read from there.

    `zone`: the name of the zone that tests run in; None for the configuration's first. `hypervisor`: its type in any
    case; None for what the configuration says. No server is asked, and a zone that the configuration does not have may
    well be one of the server's. Raises UserError: no usable configuration.
    """
    if not config.exists():
        hint = "--marvin-config=FILE (or the variable MARVIN_CONFIG) names Marvin's configuration, else it is ./datacenter.cfg"
        raise UserError("this Marvin configuration does not exist", file=config, hint=hint)
    said = load_marvin_config(config)
    zones = {str(each["name"]): each for each in zones_of(said) if each.get("name")}
    zone = zone or next(iter(zones), None)
    context = configured_context(said, zones.get(zone or "", {}))
    if hypervisor:
        context = replace(context, hypervisor=Hypervisor(hypervisor.lower()))
    return Environment(unnamed(config), context, marvin_config=config, zone=zone)
