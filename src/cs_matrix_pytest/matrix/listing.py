"""What ``--cs-list-envs`` and ``--cs-list-tags`` print."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from cs_matrix_pytest.environments.file import open_environments
from cs_matrix_pytest.environments.model import Environment
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.matrix.collection import attributes_of_item, environment_of, is_marvin_item
from cs_matrix_pytest.matrix.pytest_private import run_collected
from cs_matrix_pytest.options import read_options
from cs_matrix_pytest.selection.tags import render, tag_table


def list_environments(config: pytest.Config) -> list[str]:
    """The environments of the file as lines: name, context, and where it runs. Raises UserError."""
    file = open_environments(read_options(config).environments_file, config.rootpath)
    rows = [(each.name, each.context.key, _place(each)) for each in file.environments.values()]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)] if rows else [0, 0]
    lines = [f"{name:<{widths[0]}}  {context:<{widths[1]}}  {place}" for name, context, place in rows]
    return [f"environments of {file.path} (lab {file.lab}):", *(f"  {line}".rstrip() for line in lines)]


def _place(environment: Environment) -> str:
    if environment.embedded:
        return "embedded simulator"
    return environment.marvin_config.name if environment.marvin_config else ""


def list_tags(items: Iterable[pytest.Item]) -> list[str]:
    """The tags and attributes of the collected tests as lines; a test counts once however many environments it has."""
    tests: dict[str, dict[str, object]] = {}
    for item in items:
        if is_marvin_item(item) or environment_of(item) is not None:
            tests.setdefault(item.nodeid.partition("[")[0], attributes_of_item(item))
    return render(tag_table(tests.values()))


def show(config: pytest.Config) -> int | pytest.ExitCode:
    """Print what was asked for; the exit code is 0. Raises `pytest.UsageError` for an environments file that is wrong."""
    if config.option.cs_list_envs:
        try:
            lines = list_environments(config)
        except UserError as error:
            raise pytest.UsageError(str(error)) from None
        print(*lines, sep="\n")
        return pytest.ExitCode.OK
    return run_collected(config, lambda session: print(*list_tags(session.items), sep="\n"))
