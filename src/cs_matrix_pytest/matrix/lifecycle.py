"""How a session with environments begins and ends."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from cs_matrix_pytest import __version__
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.matrix.marvin import find_marvin
from cs_matrix_pytest.matrix.plan import PLAN, CsMatrixWarning, make_plan
from cs_matrix_pytest.matrix.session import SESSION, MatrixSession
from cs_matrix_pytest.options import Options

if TYPE_CHECKING:
    from cs_matrix_pytest.environments.masking import Masker
    from cs_matrix_pytest.marvin_bridge.locate import Marvin


def start(config: pytest.Config, options: Options) -> None:
    """Set up the session: everything that can be wrong without asking a server is found here, as a usage error."""
    from cs_matrix_pytest.matrix.hooks import MatrixHooks, RecordingHooks, RemovedUsesHooks
    from cs_matrix_pytest.matrix.recorder import Recorder
    from cs_matrix_pytest.matrix.removed_uses import RemovedUses
    from cs_matrix_pytest.selection.markers import registrations

    try:
        plan = make_plan(options, lambda: find_marvin(config, options))
        session = MatrixSession(plan)
        config.stash[PLAN] = plan
        config.stash[SESSION] = session
        assert plan.marvin is not None
        make_importable(plan.marvin)
        config.add_cleanup(make_unimportable)
        uses = RemovedUses(plan.marvin, options.source)
        config.add_cleanup(uses.close)
        config.add_cleanup(session.close)
        config.add_cleanup(keep_secrets_from(_URL_LOGGER, session.masker))
        for line in registrations(plan.rules):
            config.addinivalue_line("markers", line)
        config.pluginmanager.register(MatrixHooks(session), "cs_matrix_hooks")
        config.pluginmanager.register(RemovedUsesHooks(uses), "cs_matrix_removed_uses")
        handout = getattr(config, "workerinput", {}).get("cs_matrix")
        if handout is not None:
            session.take(handout)
        elif _runs_tests(config):
            recorder = Recorder(session, config)
            config.pluginmanager.register(RecordingHooks(recorder, session, config), "cs_matrix_recording")
    except UserError as error:
        raise pytest.UsageError(str(error)) from None
    # One module that cannot be imported must not keep the rest from running; the exit code still says it.
    config.option.continue_on_collection_errors = True


_ONLY_SHOW = (
    "collectonly",
    "setupplan",
    "showfixtures",
    "show_fixtures_per_test",
    "markers",
    "cacheshow",
    "cs_list_envs",
    "cs_list_tags",
    "cs_list_features",
)
"""Options, by their destinations, with which pytest runs no test; those of a blocked plugin are not there."""


def _runs_tests(config: pytest.Config) -> bool:
    return not any(getattr(config.option, name, False) for name in _ONLY_SHOW)


_URL_LOGGER = "urllib3.connectionpool"
"""Logs every URL, keys and passwords in it, as soon as the user's log level is DEBUG."""


def keep_secrets_from(name: str, masker: Masker) -> Callable[[], None]:
    """Have a logger's lines masked wherever they go, live logs and log files included; returns what undoes it."""
    from cs_matrix_pytest.marvin_bridge.trace import SecretFilter

    logger, without_secrets = logging.getLogger(name), SecretFilter(masker.mask)
    logger.addFilter(without_secrets)
    return lambda: logger.removeFilter(without_secrets)


def make_importable(marvin: Marvin) -> None:
    """Let test modules import Marvin and what they need of nose."""
    from cs_matrix_pytest.marvin_bridge.finder import install_finder
    from cs_matrix_pytest.marvin_bridge.nose_shim import install_shim

    install_shim()
    install_finder(marvin)


def make_unimportable() -> None:
    """Undo `make_importable`, in part or in whole."""
    from cs_matrix_pytest.marvin_bridge.finder import uninstall
    from cs_matrix_pytest.marvin_bridge.nose_shim import uninstall_shim

    uninstall()
    uninstall_shim()


def header(session: MatrixSession) -> list[str]:
    """Lines at the top of pytest's output."""
    names = ", ".join(f"{each.name} ({each.context.key})" for each in session.environments)
    return [f"cs-matrix: {__version__}, {session.plan.marvin}", f"environments: {names}"]


def look_around(config: pytest.Config, session: MatrixSession) -> None:
    """Before collection: read the labs' facts, and warn where the environments file says otherwise."""
    try:
        for warning in session.look_around(config.hook):
            config.issue_config_time_warning(CsMatrixWarning(warning), stacklevel=2)
    except (UserError, CsMatrixWarning) as error:  # a warning where the user wants warnings to be errors
        raise pytest.UsageError(str(error)) from None
