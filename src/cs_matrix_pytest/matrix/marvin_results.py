"""What the report of a Marvin test adds to Marvin's own result files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cs_matrix_pytest.outcomes.model import AttemptOutcome

if TYPE_CHECKING:
    from cs_matrix_pytest.marvin_bridge.connect import Connection
    from cs_matrix_pytest.matrix.attempts import PhaseNote


def write_results(
    item: pytest.Function,
    call: pytest.CallInfo[None],
    report: pytest.TestReport,
    note: PhaseNote,
    connection: Connection,
) -> None:
    """Write the lines of one report of a Marvin test: of its call, or of its class's set-up or tear-down gone wrong."""
    assert item.cls is not None
    outcome, error = AttemptOutcome(note.outcome), call.excinfo.value if call.excinfo else None
    if report.when == "call":
        connection.after_test(item.originalname, outcome, report.duration, note.message, error)
    elif error is not None and outcome is not AttemptOutcome.BLOCKED and not _skipped_by_marker(call):
        part = "setUpClass" if report.when == "setup" else "tearDownClass"
        connection.after_class_part(item.cls, part, outcome, note.message, error)


def _skipped_by_marker(call: pytest.CallInfo[None]) -> bool:
    """Whether pytest left out this one test, before its class was set up for it."""
    assert call.excinfo is not None
    return bool(call.excinfo.traceback[-1].frame.f_globals.get("__name__") == "_pytest.skipping")
