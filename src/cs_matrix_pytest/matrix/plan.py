"""What one pytest session is to do, decided before anything is collected: options, environments, selection, Marvin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from cs_matrix_pytest.environments.model import Environment
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.options import NoseOptions, Options

if TYPE_CHECKING:
    from cs_matrix_pytest.environments.file import EnvironmentsFile
    from cs_matrix_pytest.environments.marvin_config import ResolvedConfig
    from cs_matrix_pytest.marvin_bridge.locate import Marvin
    from cs_matrix_pytest.selection.applicability import Rule
    from cs_matrix_pytest.selection.expressions import Selection


class CsMatrixWarning(pytest.PytestWarning):
    """Something that the user should know, and that keeps nothing from running."""


@dataclass(frozen=True)
class Plan:
    """The decisions of a session. Without environments it only says what is selected, and Marvin classes are skipped."""

    options: Options
    environments: tuple[Environment, ...] = ()
    lab: str = "local"
    configs: Mapping[str, ResolvedConfig] = field(default_factory=dict)
    """The Marvin configuration of each environment that has one, secrets filled in."""
    rules: tuple[Rule, ...] = ()
    selection: Selection | None = None
    marvin: Marvin | None = None


PLAN = pytest.StashKey[Plan]()


def make_plan(options: Options, find_marvin: Callable[[], Marvin] | None = None) -> Plan:
    """Check and resolve everything that the user gave; files are read, no server is asked.

    `find_marvin` is called where there are environments, once all else is right: it may have to generate Marvin's API.

    Raises UserError: environments file, environment names, Marvin configurations, expressions, Marvin itself.
    """
    selection = None
    if options.attr or options.eval_attr:
        from cs_matrix_pytest.selection.expressions import Selection

        selection = Selection.parse(options.attr, options.eval_attr)
    if not options.environments:
        return Plan(options, selection=selection)

    from cs_matrix_pytest.environments.marvin_config import resolve_config

    environments, lab, rules = _unnamed(options.nose) if options.nose else _of_file(options)
    return Plan(
        options,
        environments=environments,
        lab=options.lab or lab,
        configs={each.name: resolve_config(each) for each in environments if each.marvin_config is not None},
        rules=rules,
        selection=selection,
        marvin=find_marvin() if find_marvin else None,
    )


_Chosen = tuple[tuple[Environment, ...], str, "tuple[Rule, ...]"]
"""Environments, the lab whose they are, and the rules which tests fit them."""


def _of_file(options: Options) -> _Chosen:
    from cs_matrix_pytest.environments.file import open_environments

    file = open_environments(options.environments_file, *options.search_from)
    return tuple(file.select(options.environments)), file.lab, _rules(file)


def _unnamed(nose: NoseOptions) -> _Chosen:
    from cs_matrix_pytest.environments.file import DEFAULT_LAB
    from cs_matrix_pytest.environments.unnamed import unnamed_environment
    from cs_matrix_pytest.selection.applicability import SHIPPED_RULES

    environment = unnamed_environment(nose.config, zone=nose.zone, hypervisor=nose.hypervisor)
    return (environment,), DEFAULT_LAB, SHIPPED_RULES


def _rules(file: EnvironmentsFile) -> tuple[Rule, ...]:
    from cs_matrix_pytest.selection.applicability import SHIPPED_RULES, parse_rules

    try:
        return (*SHIPPED_RULES, *parse_rules(file.applicability))
    except UserError as error:
        raise UserError(error.what, file=file.path, key=f"applicability.{error.key}", hint=error.hint) from None


def why_unused(options: Options) -> str:
    """Why Marvin classes are skipped without ``--cs-env``: what there is to choose from, or how to get it."""
    from cs_matrix_pytest.environments.file import open_environments

    try:
        file = open_environments(options.environments_file, *options.search_from)
    except UserError as error:
        if error.file is None:
            return "needs an environment, and there is no environments file: make one with `cs-matrix env init`"
        return f"needs an environment, and the environments file cannot be used: {error}"
    return f"needs an environment: --cs-env=NAME, of {file.path.name}: {', '.join(file.environments)}"


def selection_record(plan: Plan, config: pytest.Config, deselected: int) -> dict[str, Any]:
    """The selection as the run record shows it; what was not said is left out."""
    given = config.args_source is pytest.Config.ArgsSource.ARGS
    said = {
        "environments": list(plan.options.environments),
        "markers": config.option.markexpr,
        "keywords": config.option.keyword,
        "attr": list(plan.options.attr),
        "eval_attr": list(plan.options.eval_attr),
        "paths": list(config.args) if given else [],
        "deselected": deselected,
    }
    return {name: value for name, value in said.items() if value}
