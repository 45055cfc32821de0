"""Telling, at the end of a session, where suites use what their Python lacks: once for a place, whoever came across it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cs_matrix_pytest.marvin_bridge.removed_python_finder import (
    SuiteFinder,
    install_removed_python,
    uninstall_removed_python,
)
from cs_matrix_pytest.marvin_bridge.removed_python_shim import Use, take_uses
from cs_matrix_pytest.matrix.plan import CsMatrixWarning

if TYPE_CHECKING:
    from cs_matrix_pytest.marvin_bridge.locate import Marvin

_OUTPUT = "cs_matrix_removed"
"""Key of xdist's workeroutput: the uses that the worker came across, as (file, line, message)."""


class RemovedUses:
    """The uses of a session: under xdist a worker hands its own to the controller, which has those of all."""

    def __init__(self, marvin: Marvin, source: Path | None) -> None:
        """Let suites use what is gone, until `close`; `source` is the CloudStack tree of ``--cs-source``."""
        self._finder: SuiteFinder = install_removed_python(
            tests=source / "test" if source else None, marvin=marvin.path if marvin.kind == "modern" else None
        )
        self._of_workers: set[Use] = set()

    def close(self) -> None:
        """From now on every module is imported as Python has it."""
        uninstall_removed_python()

    def collect(self, module: Path) -> None:
        """A test module is about to be imported."""
        self._finder.collect(module)

    def take(self, workeroutput: dict[str, Any]) -> None:
        """What a worker handed over."""
        self._of_workers.update(Use(*each) for each in workeroutput.get(_OUTPUT, ()))

    def report(self, session: pytest.Session) -> None:
        """Warn of each place; a session that wants warnings to be errors fails."""
        uses = sorted({*take_uses(), *self._of_workers})
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[_OUTPUT] = [(use.file, use.line, use.message) for use in uses]
            return
        refused = []
        for use in uses:
            try:
                warnings.warn_explicit(CsMatrixWarning(use.message), None, use.file, use.line)
            except CsMatrixWarning:
                refused.append(f"{use.file}:{use.line}: error: {use.message}")
        if refused:
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
            writer = session.config.get_terminal_writer()
            writer.line()
            for line in refused:
                writer.line(line, red=True)
