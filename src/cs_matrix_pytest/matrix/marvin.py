"""Which Marvin a session uses, with its API: of the tree that was given, or that is installed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cs_matrix_pytest.errors import EnvironmentUnusable, UserError
from cs_matrix_pytest.options import Options

if TYPE_CHECKING:
    from cs_matrix_pytest.environments.model import Environment
    from cs_matrix_pytest.marvin_bridge.locate import Marvin

API_OF_CONTROLLER = "cs_matrix_api"
"""Key of xdist's workerinput: the generated API that the controller uses."""


def find_marvin(config: pytest.Config, options: Options) -> Marvin:
    """The Marvin of this session; an API that it lacks is generated, and the user told meanwhile.

    Raises UserError: no usable Marvin, no Java sources to generate from, an environment of ``--cs-api-from`` that cannot
    be asked.
    """
    from cs_matrix_pytest.marvin_bridge.generated_api import completed, with_api_of_server
    from cs_matrix_pytest.marvin_bridge.locate import locate

    marvin = locate(options.source)
    if api := getattr(config, "workerinput", {}).get(API_OF_CONTROLLER):
        return replace(marvin, complete=True, api=Path(api))
    say = _teller(config)
    if options.api_from is None:
        return completed(marvin, say)
    environment = _named(options.api_from, options)
    return with_api_of_server(marvin, lambda: _apis(environment), f"environment {environment.name}", say)


def _named(name: str, options: Options) -> Environment:
    if options.nose and name in options.environments:
        from cs_matrix_pytest.environments.unnamed import unnamed_environment

        return unnamed_environment(options.nose.config)
    from cs_matrix_pytest.environments.file import open_environments

    chosen = open_environments(options.environments_file, *options.search_from).select([name])
    if len(chosen) != 1:
        names = ", ".join(each.name for each in chosen)
        raise UserError(f"--cs-api-from={name} names several environments ({names}), and one is needed")
    return chosen[0]


def _apis(environment: Environment) -> list[dict[str, Any]]:
    """What the environment's server lists; an embedded one is started for the question alone."""
    from cs_matrix_pytest.environments.marvin_config import resolve_config
    from cs_matrix_pytest.environments.probe import list_apis

    try:
        if not environment.embedded:
            return list_apis(resolve_config(environment).config)
        from cs_matrix_pytest.simulator import Simulator

        with Simulator() as simulator:
            return list_apis(simulator.marvin_config())
    except EnvironmentUnusable as error:
        raise UserError(f"--cs-api-from={environment.name}: {error.what}", hint=error.hint) from None


def _teller(config: pytest.Config) -> Callable[[str], None]:
    """What shows a line at once, past pytest's capture."""
    from cs_matrix_pytest.marvin_bridge import print_progress

    def say(line: str) -> None:
        capture = config.pluginmanager.getplugin("capturemanager")
        if capture is None:
            print_progress(line)
            return
        with capture.global_and_fixture_disabled():
            print_progress(line)

    return say
