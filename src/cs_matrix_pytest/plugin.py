"""The pytest plugin ``cs_matrix``: hooks and nothing else.

Importing it must cost a session that does not use it next to nothing, so what does the work is imported where it is
first needed. What a session keeps is in ``config.stash``.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from cs_matrix_pytest.matrix.native import cs_api_client, cs_env, cs_test_client
from cs_matrix_pytest.matrix.state import ON_DEMAND, PLAN, SESSION
from cs_matrix_pytest.options import add_options, read_options

if TYPE_CHECKING:
    from cs_matrix_pytest.matrix.scheduling import ClassPerEnvironmentScheduling

__all__ = ["cs_api_client", "cs_env", "cs_test_client"]


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    from cs_matrix_pytest import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    if config.option.help or config.option.version:
        return
    options = read_options(config)
    if options.environments or options.attr or options.eval_attr:
        from cs_matrix_pytest.matrix.lifecycle import start

        start(config, options)
    if SESSION not in config.stash:
        from cs_matrix_pytest.matrix.on_demand import MarvinOnDemand

        config.stash[ON_DEMAND] = MarvinOnDemand.install(options.source)


def pytest_unconfigure(config: pytest.Config) -> None:
    if ON_DEMAND in config.stash:
        config.stash[ON_DEMAND].remove()
    if SESSION in config.stash:
        from cs_matrix_pytest.matrix.lifecycle import close

        close(config.stash[SESSION])


def pytest_cmdline_main(config: pytest.Config) -> int | pytest.ExitCode | None:
    if config.option.cs_list_envs or config.option.cs_list_tags:
        from cs_matrix_pytest.matrix.listing import show

        return show(config)
    return None


def pytest_report_header(config: pytest.Config) -> list[str] | None:
    if SESSION not in config.stash:
        return None
    from cs_matrix_pytest.matrix.lifecycle import header

    return header(config.stash[SESSION])


def pytest_sessionstart(session: pytest.Session) -> None:
    if SESSION in session.config.stash:
        from cs_matrix_pytest.matrix.lifecycle import look_around

        look_around(session.config)


def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class, name: str, obj: object
) -> list[pytest.Collector] | None:
    if not isinstance(obj, type) or SESSION not in collector.config.stash:
        return None
    from cs_matrix_pytest.matrix.collection import marvin_classes

    return marvin_classes(collector, name, obj)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if SESSION in metafunc.config.stash:
        from cs_matrix_pytest.matrix.collection import parametrize_native

        parametrize_native(metafunc, metafunc.config.stash[SESSION].environments)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if ON_DEMAND in config.stash and PLAN not in config.stash and not config.stash[ON_DEMAND].used:
        return
    from cs_matrix_pytest.matrix.collection import arrange

    arrange(items, config)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    # The hook has no config: the recorder is registered as a plugin of its own.
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    if SESSION not in item.config.stash:
        return (yield)
    from cs_matrix_pytest.matrix.running import around

    with around(item, item.config.stash[SESSION]):
        return (yield)
