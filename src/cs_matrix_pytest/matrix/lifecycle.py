"""How a session with environments begins and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cs_matrix_pytest import __version__
from cs_matrix_pytest.errors import UserError
from cs_matrix_pytest.matrix.plan import PLAN, CsMatrixWarning, make_plan
from cs_matrix_pytest.matrix.session import SESSION, MatrixSession
from cs_matrix_pytest.options import Options

if TYPE_CHECKING:
    from cs_matrix_pytest.marvin_bridge.locate import Marvin


def start(config: pytest.Config, options: Options) -> None:
    """Set up the session: everything that can be wrong without asking a server is found here, as a usage error."""
    from cs_matrix_pytest.matrix.hooks import MatrixHooks, RecordingHooks
    from cs_matrix_pytest.matrix.recorder import Recorder
    from cs_matrix_pytest.selection.markers import registrations

    try:
        plan = make_plan(options, config.rootpath)
        session = MatrixSession(plan)
        config.stash[PLAN] = plan
        config.stash[SESSION] = session
        assert plan.marvin is not None
        make_importable(plan.marvin)
        config.add_cleanup(make_unimportable)
        config.add_cleanup(session.close)
        for line in registrations(plan.rules):
            config.addinivalue_line("markers", line)
        config.pluginmanager.register(MatrixHooks(session), "cs_matrix_hooks")
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
    for warning in session.look_around(config.hook):
        try:
            config.issue_config_time_warning(CsMatrixWarning(warning), stacklevel=2)
        except CsMatrixWarning as error:  # the user wants warnings to be errors
            raise pytest.UsageError(str(error)) from None
