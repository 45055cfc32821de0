"""The pytest plugin ``cs_matrix``: hooks and nothing else, each calling one function.

Importing it must cost a session that does not use it next to nothing, so what does the work is imported where it is
first needed, and the hooks of a session with environments are in `matrix.hooks`, registered only then.
"""

from __future__ import annotations

import sys

import pytest

from cs_matrix_pytest.matrix.native import cs_api_client, cs_env, cs_test_client
from cs_matrix_pytest.options import add_nose_options, add_options, read_options

__all__ = ["cs_api_client", "cs_env", "cs_test_client"]


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(parser: pytest.Parser, args: list[str]) -> None:
    add_nose_options(parser, args)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    from cs_matrix_pytest import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    if config.option.help or config.option.version:
        return
    options = read_options(config)
    if options.environments:
        from cs_matrix_pytest.matrix.lifecycle import start

        start(config, options)
    else:
        from cs_matrix_pytest.matrix.on_demand import install

        install(config, options)
    lists = config.option.cs_list_tags or config.option.cs_list_features
    if options.environments or options.attr or options.eval_attr or lists:
        from cs_matrix_pytest.matrix.suite_files import SuiteFiles

        config.pluginmanager.register(SuiteFiles(config), "cs_matrix_suites")


def pytest_cmdline_main(config: pytest.Config) -> int | pytest.ExitCode | None:
    option = config.option
    if not (option.cs_list_envs or option.cs_list_tags or option.cs_list_features):
        return None
    from cs_matrix_pytest.matrix.listing import show

    return show(config)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    option = config.option
    # Without an expression only Marvin's classes need a hand, and they have imported it.
    environments = option.cs_env or option.with_marvin or config.getini("cs_env")
    if option.attr or option.eval_attr or "marvin" in sys.modules or environments:
        from cs_matrix_pytest.matrix.collection import arrange

        arrange(items, config)
